//! webhook-hmac in a real Envoy: the shipped file, deliveries of every provider, bodies in every form, replays, hostile
//! bytes, and what goes out.

#[path = "../filters/webhook-hmac/src/tests/altered.rs"]
mod altered;
mod bodies;
pub(crate) mod delivery;
mod endpoints;
mod holds;
mod hostile;
mod outgoing;
mod presets;
mod replays;
mod together;
mod updates;
mod vectors;

use std::fs;
use std::process::Command;

use serde_json::{Value, json};
use tests::{Answer, Deadline, Envoy, Http2, Request, Response, Running, Upstream, plugin, workspace};

use delivery::{billing, github, hex_mac, now, slack, stripe};

const SHIPPED: &str = "webhook-hmac.yaml";

/// The secrets of the shipped file, which everybody has.
const STRIPE_SECRET: &str = "whsec_DEMOstripe0123456789abcdef";
const GITHUB_SECRET: &str = "DEMO-github-0123456789abcdef";
const SLACK_SECRET: &str = "DEMO0slack0123456789abcdef012345";
const BILLING_SECRET: &str = "DEMO-billing-0123456789abcdef";
const OLD_BILLING_SECRET: &str = "DEMO-billing-old-0123456789abcdef";
const OUTGOING_SECRET: &str = "whsec_DEMOoutgoing0123456789ABCDEFGHIJ";

/// Returns the shipped file in front of this upstream.
fn shipped(upstream: &Upstream) -> Envoy {
    Envoy::from(SHIPPED).upstream(upstream)
}

/// Finds the configuration of the filter.
fn settings(tree: &mut Value) -> &mut Value {
    &mut plugin(tree, "webhook-hmac")["configuration"]["value"]
}

/// Finds the endpoint of this name.
fn endpoint<'a>(tree: &'a mut Value, name: &str) -> &'a mut Value {
    let endpoints = settings(tree)["endpoints"].as_array_mut().expect("endpoints");
    endpoints.iter_mut().find(|endpoint| endpoint["name"] == name).expect("an endpoint of this name")
}

/// Finds what the connection manager is told.
fn manager(tree: &mut Value) -> &mut Value {
    tree.pointer_mut("/static_resources/listeners/0/filter_chains/0/filters/0/typed_config")
        .expect("a connection manager")
}

/// Sets members of an object, one by one.
fn set(object: &mut Value, members: Value) {
    for (name, value) in members.as_object().expect("members") {
        object[name] = value.clone();
    }
}

async fn send(envoy: &Running, http: u8, request: &Request) -> Response {
    match http {
        1 => request.send(envoy.port()).await,
        _ => request.send_http2(envoy.port()).await,
    }
}

async fn status(envoy: &Running, http: u8, request: &Request) -> u16 {
    send(envoy, http, request).await.status
}

async fn counted(envoy: &Running, name: &str) -> u64 {
    envoy.stat(&format!("wasmcustom.sluice.webhook-hmac.{name}")).await
}

/// Returns how many were refused for a reason, whatever they were for.
async fn refused(envoy: &Running, reason: &str) -> u64 {
    envoy.settled().await;
    let counted = envoy.stats_matching(&format!(r"webhook-hmac\.refusals_total\.[^.]+\.{reason}$")).await;
    assert!(!counted.is_empty(), "nothing is refused for {reason}");
    counted.values().sum()
}

/// Runs a line that the file tells to try, in a shell where curl prints its arguments instead, the clock stands still,
/// and openssl is a line of Python: neither has to be there.
fn arguments(line: &str, at: u64) -> Vec<String> {
    let openssl = "import hashlib, hmac, sys; print(hmac.new(sys.argv[4].encode(), sys.stdin.buffer.read(), \
                   hashlib.sha256).hexdigest(), '*stdin')";
    let script = format!(
        "curl() {{ printf '%s\\0' \"$@\"; }}; date() {{ echo {at}; }}; openssl() {{ python3 -c \"{openssl}\" \"$@\"; }}; {line}"
    );
    let output = Command::new("sh").args(["-c", &script]).output().expect("a shell");
    assert!(output.status.success() && output.stderr.is_empty(), "{line}: {output:?}");
    let text = String::from_utf8(output.stdout).expect("text");
    text.split_terminator('\0').map(str::to_owned).collect()
}

/// Returns the request that curl would send with these arguments.
fn request(arguments: &[String]) -> Request {
    let (mut body, mut headers, mut path) = (None, Vec::new(), String::new());
    let mut words = arguments.iter();
    while let Some(word) = words.next() {
        match word.as_str() {
            "-i" | "-s" => {}
            "-d" => body = words.next(),
            "-H" => headers.extend(words.next().and_then(|header| header.split_once(": "))),
            url => path = url.split_once(":10000").expect("the listener").1.to_owned(),
        }
    }
    let request = match body {
        Some(body) => Request::post(&path, body).header("content-type", "application/x-www-form-urlencoded"),
        None => Request::get(&path),
    };
    headers.into_iter().fold(request, |request, (name, value)| request.header(name, value))
}

/// How the lines that the file tells to try are answered, in their order.
const PRINTED: [u16; 9] = [401, 401, 404, 200, 409, 200, 200, 200, 200];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_line_that_the_file_tells_to_try_is_answered_as_it_says() {
    let text = fs::read_to_string(workspace().join("envoy").join(SHIPPED)).unwrap();
    let lines =
        text.lines().filter_map(|line| line.strip_prefix("# ")).filter(|line| line.starts_with("curl "));
    let (lines, of_admin): (Vec<_>, Vec<_>) =
        lines.partition(|line| line.contains("http://127.0.0.1:10000/"));
    assert_eq!(lines.len(), PRINTED.len(), "{lines:#?}");
    for http in [1, 2] {
        let upstream = Upstream::start().await;
        let envoy = shipped(&upstream).concurrency(2).start().await;
        let mut answers = Vec::new();
        for (line, wanted) in lines.iter().zip(PRINTED) {
            let answer = send(&envoy, http, &request(&arguments(line, now()))).await;
            assert_eq!(answer.status, wanted, "HTTP/{http}: {line}\n{answer:?}");
            answers.push(answer);
        }
        assert_eq!(answers[6].text(), "3eZbrw1a", "Slack's challenge");
        let seen: Vec<_> = upstream
            .seen()
            .iter()
            .map(|seen| {
                ["x-webhook-endpoint", "x-webhook-key"].map(|name| seen.header(name).map(str::to_owned))
            })
            .collect();
        let told = |endpoint: &str, key: &str| [Some(endpoint.to_owned()), Some(key.to_owned())];
        assert_eq!(seen, [told("github", "0"), told("stripe", "0"), told("billing", "1"), [None, None]]);
        assert!(upstream.seen()[3].header("webhook-signature").is_some());

        let [line] = of_admin.as_slice() else { panic!("{of_admin:?}") };
        let path = line.split_once(":9901").unwrap().1.trim_end_matches('\'');
        assert!(envoy.admin(path).await.contains(r#"sluice_decisions_total{outcome="denied",rule="github""#));
        envoy.assert_no_trap().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_shipped_file_lets_genuine_deliveries_pass_and_an_upstream_sees_nothing_of_forged_ones() {
    let upstream = Upstream::start().await;
    let envoy = shipped(&upstream).start().await;
    let lie = |request: Request| {
        let names = ["x-webhook-endpoint", "X-Webhook-Provider", "x-webhook-id", "x-webhook-key"];
        names.into_iter().fold(request, |request, name| request.header(name, "lie").header(name, "lies"))
    };
    for http in [1, 2] {
        let body = |what: &str| format!(r#"{{"id": "{what}-{http}", "text": "Grüße"}}"#);
        let forged = [
            Request::post("/webhooks/stripe", body("none")),
            stripe("whsec_DEMOstripe0123456789abcdeg", now(), &body("secret")),
            stripe(STRIPE_SECRET, now() - 301, &body("late")),
            stripe(STRIPE_SECRET, now() + 400, &body("early")),
            Request::post("/webhooks/stripe", body("ours")).header("stripe-signature", "t=1,v1=00"),
            github("DEMO-github-0123456789abcdeg", body("secret")),
            Request::post("/webhooks/github", body("sha1")).header("x-hub-signature", "sha1=00"),
            slack("DEMO0slack0123456789abcdef012346", now(), &body("secret")),
            slack(
                "DEMO0slack0123456789abcdef012346",
                now(),
                r#"{"type":"url_verification","challenge":"a"}"#,
            ),
            billing(STRIPE_SECRET, now(), &format!("a-{http}"), &body("secret")),
            billing(BILLING_SECRET, now() + 120, &format!("b-{http}"), &body("early")),
        ];
        for request in &forged {
            let answer = send(&envoy, http, &lie(request.clone())).await;
            assert_eq!(answer.status, 401, "{request:?}\n{answer:?}");
            assert_eq!(answer.header("www-authenticate"), Some("Signature"));
            // Which of the reasons it was is for the log alone.
            assert_eq!(
                answer.json(),
                json!({"type": "about:blank", "title": "The delivery is not accepted", "status": 401})
            );
        }
        for (request, wanted) in [
            (Request::post("/webhooks/x", "a"), 404),
            (Request::post("/webhooks", "a"), 404),
            (Request::post("/webhooks/stripe/", "a"), 404),
            (Request::get("/webhooks/stripe"), 405),
            (Request::new("PUT", "/webhooks/github").chunks(["a"]), 405),
        ] {
            assert_eq!(status(&envoy, http, &request).await, wanted, "{request:?}");
        }
        let challenge = r#"{"type": "url_verification", "challenge": "c-123"}"#;
        let answer = send(&envoy, http, &lie(slack(SLACK_SECRET, now(), challenge))).await;
        assert_eq!((answer.status, answer.text().as_str()), (200, "c-123"));
        assert_eq!(answer.header("content-type"), Some("text/plain"));
        assert_eq!(
            upstream.count(),
            usize::from(http - 1) * 6,
            "what is refused or answered goes no further"
        );

        let genuine = [
            (stripe(STRIPE_SECRET, now(), &body("stripe")), ["stripe", "stripe", "stripe", "0"]),
            (github(GITHUB_SECRET, body("github")), ["github", "github", "-", "0"]),
            (slack(SLACK_SECRET, now(), &body("slack")), ["slack", "slack", "-", "0"]),
            (
                billing(BILLING_SECRET, now(), &format!("new-{http}"), &body("new")),
                ["billing", "billing", "new", "0"],
            ),
            (
                billing(OLD_BILLING_SECRET, now() - 200, &format!("old-{http}"), &body("old")),
                ["billing", "billing", "old", "1"],
            ),
        ];
        for (request, [endpoint, provider, id, key]) in &genuine {
            assert_eq!(status(&envoy, http, &lie(request.clone())).await, 200, "{request:?}");
            let seen = upstream.seen().pop().unwrap();
            assert_eq!(seen.values("x-webhook-endpoint"), [endpoint.as_bytes()]);
            assert_eq!(seen.values("x-webhook-provider"), [provider.as_bytes()]);
            assert_eq!(seen.values("x-webhook-key"), [key.as_bytes()]);
            let id = if *id == "-" { vec![] } else { vec![format!("{id}-{http}").into_bytes()] };
            assert_eq!(seen.values("x-webhook-id"), id);
        }
        // Nobody's request goes through, without the headers that are the filter's.
        assert_eq!(status(&envoy, http, &lie(Request::get("/elsewhere"))).await, 200);
        assert!(
            upstream.seen().pop().unwrap().headers.iter().all(|(name, _)| !name.starts_with("x-webhook"))
        );
    }
    // Some servers take it for x-webhook-id, so Envoy refuses it: in HTTP/2 by a reset.
    let underscore = github(GITHUB_SECRET, "underscore").header("x_webhook_id", "1");
    assert_eq!(underscore.send(envoy.port()).await.status, 400);
    assert!(Http2::connect(envoy.port()).await.try_send(&underscore).await.is_err());
    assert_eq!(upstream.count(), 12);
    envoy.assert_no_trap().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn decisions_are_explained_in_the_access_log_and_counted() {
    let upstream = Upstream::start().await;
    let envoy = shipped(&upstream).start().await;
    let retried = billing(OLD_BILLING_SECRET, now(), "inv-1", "a");
    let requests = [
        (
            retried.clone(),
            "POST /webhooks/billing 200 details=via_upstream endpoint=billing outcome=verified reason=- detail=- provider=billing id=inv-1 key=1",
        ),
        (
            retried,
            "POST /webhooks/billing 200 details=sluice_webhook_hmac_acknowledged endpoint=billing outcome=acknowledged reason=- detail=- provider=billing id=inv-1 key=1",
        ),
        (
            github(STRIPE_SECRET, "a"),
            "POST /webhooks/github 401 details=sluice_webhook_hmac_signature endpoint=github outcome=denied reason=signature detail=- provider=- id=- key=-",
        ),
        (
            Request::post("/webhooks/github?secret=x", "a"),
            "POST /webhooks/github 401 details=sluice_webhook_hmac_missing endpoint=github outcome=denied reason=missing detail=- provider=- id=- key=-",
        ),
        (
            stripe(STRIPE_SECRET, now() - 400, "{}"),
            "POST /webhooks/stripe 401 details=sluice_webhook_hmac_late endpoint=stripe outcome=denied reason=late detail=- provider=- id=- key=-",
        ),
        (
            Request::post("/webhooks/slack", "a=1")
                .header("x-slack-signature", "v0=00")
                .header("x-slack-request-timestamp", "yesterday"),
            "POST /webhooks/slack 401 details=sluice_webhook_hmac_malformed endpoint=slack outcome=denied reason=malformed detail=timestamp provider=- id=- key=-",
        ),
        (
            slack(SLACK_SECRET, now(), r#"{"type":"url_verification","challenge":"x"}"#),
            "POST /webhooks/slack 200 details=sluice_webhook_hmac_handshake endpoint=slack outcome=handshake reason=- detail=- provider=- id=- key=-",
        ),
        (
            Request::get("/webhooks/x"),
            "GET /webhooks/x 404 details=sluice_webhook_hmac_unknown endpoint=none outcome=denied reason=unknown detail=- provider=- id=- key=-",
        ),
        (
            Request::post("/outgoing", "a"),
            "POST /outgoing 200 details=via_upstream endpoint=outgoing outcome=signed reason=- detail=- provider=- id=- key=-",
        ),
        (
            Request::get("/"),
            "GET / 200 details=via_upstream endpoint=- outcome=- reason=- detail=- provider=- id=- key=-",
        ),
    ];
    for (index, (request, wanted)) in requests.iter().enumerate() {
        request.send(envoy.port()).await;
        let line = envoy.access_log(index + 1).await.pop().unwrap();
        assert!(line.ends_with(wanted), "{line}\n{wanted}");
    }
    for (name, count) in [
        ("decisions_total.billing.verified", 1),
        ("decisions_total.billing.acknowledged", 1),
        ("decisions_total.github.denied", 2),
        ("decisions_total.slack.handshake", 1),
        ("decisions_total.outgoing.signed", 1),
        ("decisions_total.none.denied", 1),
        ("refusals_total.github.signature", 1),
        ("refusals_total.github.missing", 1),
        ("refusals_total.slack.missing", 0),
        ("refusals_total.slack.malformed", 1),
        ("refusals_total.stripe.late", 1),
        ("refusals_total.none.unknown", 1),
        ("refusals_total.billing.replayed", 0),
    ] {
        assert_eq!(counted(&envoy, name).await, count, "{name}");
    }
    let prometheus = envoy.prometheus().await;
    for line in [
        r#"sluice_decisions_total{outcome="verified",rule="billing",filter="webhook-hmac"} 1"#,
        r#"sluice_decisions_total{outcome="denied",rule="none",filter="webhook-hmac"} 1"#,
        r#"sluice_refusals_total{rule="github",reason="signature",filter="webhook-hmac"} 1"#,
        r#"sluice_evictions_total{rule="github",filter="webhook-hmac"} 0"#,
    ] {
        assert!(prometheus.contains(line), "{line} is not in\n{prometheus}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn shadow_refuses_nobody_changes_nothing_and_counts_whom_it_would_have() {
    let upstream = Upstream::start().await;
    let envoy = shipped(&upstream).edit(|tree| settings(tree)["mode"] = json!("shadow")).start().await;
    let lie = |request: Request| request.header("x-webhook-endpoint", "lie");
    let genuine = lie(github(GITHUB_SECRET, "genuine"));
    let challenge = r#"{"type": "url_verification", "challenge": "c-123"}"#;
    for http in [1, 2] {
        for request in [
            genuine.clone(),
            lie(github(STRIPE_SECRET, "forged")),
            lie(github(STRIPE_SECRET, "")).chunks(["for", "ged"]).trailer("x-sum", "6"),
            lie(Request::get("/webhooks/github")),
            lie(Request::post("/webhooks/x", "nobody")),
            slack(SLACK_SECRET, now(), challenge),
            Request::post("/outgoing", "out"),
            Request::post("/webhooks/github", vec![b'a'; (1 << 20) + 1]),
        ] {
            let before = upstream.count();
            assert_eq!(status(&envoy, http, &request).await, 200, "HTTP/{http}: {request:?}");
            let seen = upstream.seen().swap_remove(before);
            let told = if seen.path.starts_with("/webhooks/g") && seen.body.len() < 100 {
                Some("lie")
            } else {
                None
            };
            assert!(told.is_none() || seen.header("x-webhook-endpoint") == told, "{seen:?}");
            assert_eq!(seen.header("webhook-signature"), None);
        }
    }
    let deadline = Deadline::new("all that is counted");
    while counted(&envoy, "refusals_total.github.too_large").await < 2 {
        deadline.look_again(|| envoy.log()).await;
    }
    for (name, count) in [
        ("decisions_total.github.verified", 1),
        // Forged twice, without a body, too large, and the second time of the genuine one; in both versions.
        ("decisions_total.github.would_deny", 2 + 2 + 2 + 2 + 1),
        ("decisions_total.github.denied", 0),
        ("decisions_total.none.would_deny", 2),
        ("decisions_total.slack.handshake", 2),
        ("decisions_total.outgoing.signed", 2),
        ("refusals_total.github.replayed", 1),
    ] {
        assert_eq!(counted(&envoy, name).await, count, "{name}");
    }
    envoy.assert_no_trap().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_grpc_client_is_told_in_its_own_words() {
    let upstream = Upstream::answering(|_| Answer::grpc(0)).await;
    let envoy = shipped(&upstream).upstream_http2().start().await;
    let call = async |path: &str, signature: &str| {
        let call = Request::grpc(path, "hi").header("x-hub-signature-256", signature);
        let answer = call.send_http2(envoy.port()).await;
        (answer.status, answer.grpc_status())
    };
    let genuine = format!("sha256={}", hex_mac(GITHUB_SECRET.as_bytes(), b"\0\0\0\0\x02hi"));
    assert_eq!(call("/webhooks/github", "sha256=00").await, (200, Some(16)));
    assert_eq!(call("/webhooks/x", &genuine).await, (200, Some(5)));
    assert_eq!(upstream.count(), 0);
    assert_eq!(call("/webhooks/github", &genuine).await, (200, Some(0)));
    assert_eq!(upstream.only().body, b"\0\0\0\0\x02hi");
    assert_eq!(call("/webhooks/github", &genuine).await, (200, Some(3)));
}
