//! The shipped chain in a real Envoy: what its file tells to try, who is counted by what, and who comes first.

use std::collections::BTreeMap;
use std::fs;
use std::process::Command;
use std::sync::Mutex;
use std::time::{SystemTime, UNIX_EPOCH};

use serde_json::{Value, json};
use tests::{Answer, Envoy, Gate, Jwks, Request, Response, Running, Upstream, plugin, workspace};
use tokens::{demo, forge};
use tokio::task::JoinSet;

const SHIPPED: &str = "chain.yaml";

/// How the lines that the file tells to try are answered, in their order.
pub(super) const PRINTED: [&[u16]; 19] = [
    &[200, 200, 200, 200, 200, 429],
    &[429],
    &[401, 401, 401, 401, 401, 429, 429],
    &[401],
    &[200],
    &[200],
    &[401],
    &[401],
    &[403],
    &[200],
    &[200, 200, 200, 200, 200, 429],
    &[429],
    &[200],
    &[503],
    &[200],
    &[503],
    &[200],
    &[200, 200, 200, 200, 200, 200, 200, 200, 200, 200],
    &[200],
];

/// Returns the shipped file in front of this upstream, with the keys from this server.
pub(super) fn shipped(upstream: &Upstream, jwks: &Jwks) -> Envoy {
    Envoy::from(SHIPPED).upstream(upstream).cluster("upstream-v2", upstream).issuer(jwks)
}

/// The same behind a load balancer that writes the addresses of clients, so that a test has several of them.
fn behind_a_load_balancer(envoy: Envoy) -> Envoy {
    envoy.edit(|tree| {
        let manager = "/static_resources/listeners/0/filter_chains/0/filters/0/typed_config";
        tree.pointer_mut(manager).expect("a connection manager")["xff_num_trusted_hops"] = json!(1);
    })
}

pub(super) async fn demo_keys() -> Jwks {
    Jwks::start(&demo::key_set()).await
}

fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).expect("a clock after 1970").as_secs()
}

/// Returns the token that `make token NAME=...` prints.
fn demo_token(name: &str) -> String {
    let found = demo::tokens(now()).into_iter().find(|demo| demo.name == name);
    found.unwrap_or_else(|| panic!("no token is called {name}")).token
}

/// Returns the payload of a token that the file accepts, with an id that makes it another one than the last.
fn payload(user: &str, id: usize) -> String {
    json!({
        "iss": "https://issuer.example.com",
        "aud": "api",
        "sub": user,
        "jti": id.to_string(),
        "iat": now(),
        "exp": now() + 3600,
    })
    .to_string()
}

fn token(user: &str, id: usize) -> String {
    demo::signer().token(&payload(user, id))
}

fn with_token(path: &str, token: &str) -> Request {
    Request::get(path).header("authorization", format!("Bearer {token}"))
}

async fn send(port: u16, http: u8, request: &Request) -> Response {
    match http {
        1 => request.send(port).await,
        _ => request.send_http2(port).await,
    }
}

async fn count(envoy: &Running, name: &str) -> u64 {
    envoy.stat(&format!("wasmcustom.sluice.{name}")).await
}

/// Returns the commands that the file tells to try: those to the listener, and those to the admin interface.
pub(super) fn printed() -> (Vec<String>, Vec<String>) {
    let text = fs::read_to_string(workspace().join("envoy").join(SHIPPED)).expect("the shipped file");
    let commands =
        text.lines().filter_map(|line| line.strip_prefix("# ")).filter(|line| line.starts_with("curl "));
    commands.map(str::to_owned).partition(|command| command.contains("http://127.0.0.1:10000/"))
}

/// Reads a command of curl as a shell and curl would: the requests that it sends.
pub(super) fn requests(command: &str) -> Vec<Request> {
    let (mut method, mut headers, mut url) = ("GET".to_owned(), Vec::new(), String::new());
    let mut words = words(command).into_iter().skip(1);
    while let Some(word) = words.next() {
        let mut value = || words.next().unwrap_or_else(|| panic!("{command}: {word} has no value"));
        match word.as_str() {
            "-i" | "-s" => {}
            "-o" | "-w" | "-b" => drop(value()),
            "-X" => method = value(),
            "-H" => headers.push(value()),
            _ => url = word.strip_prefix("http://127.0.0.1:10000").expect("a URL").to_owned(),
        }
    }
    let urls = match url.split_once('[') {
        None => vec![url],
        Some((before, range)) => {
            let (first, last) = range.trim_end_matches(']').split_once('-').expect("a range");
            let (first, last): (u8, u8) = (first.parse().expect("a number"), last.parse().expect("a number"));
            (first..=last).map(|number| format!("{before}{number}")).collect()
        }
    };
    let headers: Vec<_> = headers.iter().map(|header| header.split_once(": ").expect("a header")).collect();
    let request = |url: String| {
        headers.iter().fold(Request::new(&method, &url), |request, (name, value)| request.header(name, value))
    };
    urls.into_iter().map(request).collect()
}

/// Splits a command into words; what `make token` prints is put in its place.
fn words(command: &str) -> Vec<String> {
    let mut command = command.to_owned();
    while let Some((before, rest)) = command.split_once("$(make -s token NAME=") {
        let (name, after) = rest.split_once(')').expect("the end of a command");
        command = format!("{before}{}{after}", demo_token(name));
    }
    let (mut words, mut quote) = (vec![String::new()], None);
    for letter in command.chars() {
        match (quote, letter) {
            (Some(open), _) if open == letter => quote = None,
            (None, '\'' | '"') => quote = Some(letter),
            (None, ' ') => words.push(String::new()),
            _ => words.last_mut().expect("a word").push(letter),
        }
    }
    words
}

/// Answers with the status that the path asks for, and fails as often as it asks for, as the demo's upstream does.
pub(super) async fn demo_upstream() -> Upstream {
    let came = Mutex::new(BTreeMap::<_, u32>::new());
    Upstream::answering(move |seen| {
        let wanted = seen.path.split_once("status=").and_then(|(_, rest)| rest.get(..3)?.parse().ok());
        let fails = seen.path.split_once("fail=").and_then(|(_, rest)| rest.parse::<u32>().ok()).unwrap_or(0);
        let mut came = came.lock().expect("no panic before");
        let times =
            came.entry((seen.path.clone(), seen.header("x-request-id").map(str::to_owned))).or_default();
        *times += 1;
        Answer::status(if *times <= fails { 503 } else { wanted.unwrap_or(200) })
    })
    .await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_line_that_the_file_tells_to_try_is_answered_as_it_says() {
    let (commands, of_admin) = printed();
    assert_eq!(commands.len(), PRINTED.len(), "{commands:#?}");
    for http in [1, 2] {
        let (upstream, jwks) = (demo_upstream().await, demo_keys().await);
        let envoy = shipped(&upstream, &jwks).concurrency(2).start().await;
        for (command, wanted) in commands.iter().zip(PRINTED) {
            let mut statuses = Vec::new();
            for request in requests(command) {
                statuses.push(send(envoy.port(), http, &request).await.status);
            }
            assert_eq!(statuses, wanted, "HTTP/{http}: {command}");
        }
        let users: Vec<_> = upstream
            .seen()
            .iter()
            .map(|seen| (seen.path.clone(), seen.values("x-user").concat()))
            .filter(|(_, user)| !user.is_empty())
            .collect();
        assert_eq!(users.len(), 8, "{users:?}");
        assert!(users.iter().all(|(_, user)| user == b"alice"), "{users:?}");
        // Three tries of one request, one of a POST, and one that is late; the one that is broken goes no further.
        assert_eq!(upstream.count(), 18 + 5 + 12, "what is refused goes no further");

        let [command] = of_admin.as_slice() else { panic!("{of_admin:?}") };
        let path = command.split_once(":9901").expect("the admin interface").1.trim_end_matches('\'');
        assert!(envoy.admin(path).await.contains(r#"sluice_decisions_total{outcome="denied""#));
        envoy.assert_no_trap().await;
    }
}

/// What `make webhook` prints of a delivery: its status, whether the upstream saw it, and the decision.
const WEBHOOKS: [[&str; 4]; 11] = [
    ["Stripe, genuine", "200", "saw it", "verified"],
    ["Stripe, the same again", "200", "saw nothing", "acknowledged"],
    ["Stripe, its amount altered", "401", "saw nothing", "denied: signature"],
    ["Stripe, by another secret", "401", "saw nothing", "denied: signature"],
    ["Stripe, ten minutes late", "401", "saw nothing", "denied: late"],
    ["Stripe, without a signature", "401", "saw nothing", "denied: missing"],
    ["GitHub, genuine", "200", "saw it", "verified"],
    ["GitHub, the same again", "409", "saw nothing", "denied: replayed"],
    ["GitHub, its branch altered", "401", "saw nothing", "denied: signature"],
    ["GitHub, by another secret", "401", "saw nothing", "denied: signature"],
    ["nobody's", "404", "saw nothing", "denied: unknown"],
];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_all_webhooks_that_make_webhook_sends_the_upstream_sees_the_genuine_ones_once() {
    for file in [SHIPPED, "webhook-hmac.yaml"] {
        let upstream = Upstream::answering(|_| Answer::ok().body(r#"{"path": "as the demo says"}"#)).await;
        let envoy = Envoy::from(file).upstream(&upstream);
        let jwks = demo_keys().await;
        let envoy = if file == SHIPPED { envoy.issuer(&jwks) } else { envoy };
        let envoy = envoy.concurrency(2).start().await;
        let mut command = Command::new("python3");
        command.arg(workspace().join("envoy/webhook"));
        command.arg(format!("127.0.0.1:{}", envoy.port())).arg(format!("127.0.0.1:{}", envoy.admin_port()));
        let output =
            tokio::task::spawn_blocking(move || command.output()).await.expect("a task").expect("python3");
        let printed = String::from_utf8(output.stdout).expect("text");
        assert!(output.status.success(), "{printed}{}", String::from_utf8_lossy(&output.stderr));
        for (line, wanted) in printed.lines().skip(1).zip(WEBHOOKS) {
            let cells: Vec<&str> = line.split("  ").map(str::trim).filter(|cell| !cell.is_empty()).collect();
            assert_eq!(cells, wanted, "{file}:\n{printed}");
        }
        assert_eq!(upstream.count(), 2, "{file}");
        envoy.assert_no_trap().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_user_has_one_limit_whatever_the_token_and_the_address_and_refused_tokens_take_nothing_of_it() {
    let (upstream, jwks) = (Upstream::start().await, demo_keys().await);
    let envoy = behind_a_load_balancer(shipped(&upstream, &jwks)).concurrency(2).start().await;
    let account = async |token: &str, n: usize| {
        let request = with_token("/account", token).header("x-forwarded-for", format!("192.0.2.{n}"));
        send(envoy.port(), [1, 2][n % 2], &request).await
    };
    // Whoever only says that he is alice.
    let forged = forge::with_payload(&token("mallory", 0), &payload("alice", 0));
    for n in 1..=8 {
        assert_eq!(account(&forged, n).await.status, 401);
        let none = Request::get("/account").header("x-user", "alice");
        assert_eq!(send(envoy.port(), [1, 2][n % 2], &none).await.status, 401);
    }
    assert_eq!(upstream.count(), 0);
    let mut statuses = Vec::new();
    for user in ["alice", "bob"] {
        for n in 1..=7 {
            statuses.push(account(&token(user, n % 2), n).await.status);
        }
    }
    assert_eq!(statuses, [200, 200, 200, 200, 200, 429, 429, 200, 200, 200, 200, 200, 429, 429]);
    let refused = account(&token("alice", 3), 9).await;
    assert_eq!((refused.status, refused.header("ratelimit-policy")), (429, Some(r#""account";q=5;w=60"#)));
    assert_eq!(refused.json()["violated-policies"], json!(["account"]));
    let users: Vec<_> = upstream.seen().iter().map(|seen| seen.values("x-user").concat()).collect();
    assert_eq!(users, [[&b"alice"[..]; 5], [&b"bob"[..]; 5]].concat());

    for (name, wanted) in [
        ("flood.decisions_total.address.admitted", 31),
        ("jwt-auth.decisions_total.users.denied", 16),
        ("jwt-auth.decisions_total.users.admitted", 15),
        ("rate-limit.decisions_total.account.admitted", 10),
        ("rate-limit.decisions_total.account.denied", 5),
    ] {
        assert_eq!(count(&envoy, name).await, wanted, "{name}");
    }
    envoy.assert_no_trap().await;
}

/// Sends forged tokens from one address until a hundred of them were stopped as a flood.
///
/// Returns how many were refused for what they are, and how many as a flood.
async fn flood(port: u16, http: u8, task: usize) -> (u64, u64) {
    let good = token("mallory", 0);
    let (mut looked_at, mut stopped) = (0, 0);
    for n in 0..2_000 {
        let forged = forge::with_payload(&good, &payload("alice", task << 32 | n));
        let request = with_token("/account", &forged).header("x-forwarded-for", format!("192.0.2.{http}"));
        let answer = send(port, http, &request).await;
        match answer.status {
            401 => looked_at += 1,
            429 => {
                // How much is left of a limit against floods is nobody's business.
                assert!(answer.header("retry-after").is_some() && answer.header("ratelimit").is_none());
                stopped += 1;
            }
            _ => panic!("{answer:?}"),
        }
        if stopped == 100 {
            return (looked_at, stopped);
        }
    }
    panic!("of 2000 requests only {stopped} were stopped as a flood");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_flood_from_one_address_is_stopped_before_any_signature_is_looked_at() {
    let (upstream, jwks) = (Upstream::start().await, demo_keys().await);
    let envoy = behind_a_load_balancer(shipped(&upstream, &jwks)).concurrency(2).start().await;
    let (mut looked_at, mut stopped) = (0, 0);
    for http in [1, 2] {
        let before = looked_at;
        let mut tasks = JoinSet::new();
        for task in 0..8 {
            tasks.spawn(flood(envoy.port(), http, task));
        }
        while let Some(counts) = tasks.join_next().await {
            let counts = counts.expect("a flood");
            looked_at += counts.0;
            stopped += counts.1;
        }
        assert!(looked_at - before >= 1_000, "HTTP/{http}: only {looked_at} at once from one address");
    }
    for (name, wanted) in [
        ("flood.decisions_total.address.admitted", looked_at),
        ("flood.decisions_total.address.denied", stopped),
        ("jwt-auth.decisions_total.users.denied", looked_at),
        ("jwt-auth.refusals_total.signature", looked_at),
        ("rate-limit.decisions_total.account.admitted", 0),
        ("rate-limit.decisions_total.account.denied", 0),
    ] {
        assert_eq!(count(&envoy, name).await, wanted, "{name}");
    }
    assert_eq!((upstream.count(), jwks.fetches()), (0, 1));

    // Somebody else, at another address, has seen nothing of it.
    let other = with_token("/account", &token("alice", 1)).header("x-forwarded-for", "192.0.2.3");
    assert_eq!(send(envoy.port(), 2, &other).await.status, 200);
    envoy.assert_no_trap().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_filter_is_known_by_its_name_in_metrics_and_in_the_access_log() {
    let (upstream, jwks) = (Upstream::start().await, demo_keys().await);
    let envoy = shipped(&upstream, &jwks).start().await;
    let port = envoy.port();
    let requests = [
        with_token("/account?secret=1", &token("alice", 1)),
        with_token("/admin", &token("alice", 1)),
        Request::get("/api/items").header("x-api-key", "a").header("x-api-key", "b"),
        Request::get("/elsewhere"),
        Request::post("/webhooks/stripe", "{}"),
        Request::get("/api/broken").header("x-api-key", "c"),
        Request::post("/api/orders", "{}").header("x-api-key", "c"),
        with_token("/checkout", &token("alice", 1)),
    ];
    for request in &requests {
        send(port, 1, request).await;
    }
    let lines = envoy.access_log(8).await;
    for (line, wanted) in lines.iter().zip([
        "GET /account 200 details=via_upstream flood=- webhook=-:-:- jwt-auth=users:admitted reason=- sub=alice rate-limit=account:admitted canary=-:- fault=-:- attempts=1:-",
        "GET /admin 403 details=sluice_jwt_auth_scope flood=- webhook=-:-:- jwt-auth=admin:denied reason=scope sub=alice rate-limit=-:- canary=-:- fault=-:- attempts=0:-",
        "GET /api/items 400 details=sluice_rate_limit_ambiguous_key flood=- webhook=-:-:- jwt-auth=api:anonymous reason=- sub=- rate-limit=api:unclear canary=-:- fault=-:- attempts=0:-",
        "GET /elsewhere 401 details=sluice_jwt_auth_missing flood=- webhook=-:-:- jwt-auth=users:denied reason=missing sub=- rate-limit=-:- canary=-:- fault=-:- attempts=0:-",
        "POST /webhooks/stripe 401 details=sluice_webhook_hmac_missing flood=- webhook=stripe:denied:missing jwt-auth=-:- reason=- sub=- rate-limit=-:- canary=-:- fault=-:- attempts=0:-",
        "GET /api/broken 503 details=sluice_fault_injection_abort flood=- webhook=-:-:- jwt-auth=api:anonymous reason=- sub=- rate-limit=api:admitted canary=-:- fault=broken:abort=503 attempts=0:-",
        "POST /api/orders 200 details=via_upstream flood=- webhook=-:-:- jwt-auth=api:anonymous reason=- sub=- rate-limit=api:admitted canary=-:- fault=-:- attempts=1:unsafe",
        "GET /checkout 200 details=via_upstream flood=- webhook=-:-:- jwt-auth=checkout:admitted reason=- sub=alice rate-limit=-:- canary=v1:split fault=-:- attempts=1:-",
    ]) {
        assert!(line.ends_with(wanted), "{line}\n{wanted}");
    }
    let prometheus = envoy.prometheus().await;
    for line in [
        r#"sluice_decisions_total{outcome="admitted",rule="address",filter="flood"} 8"#,
        r#"sluice_decisions_total{outcome="denied",rule="users",filter="jwt-auth"} 1"#,
        r#"sluice_decisions_total{outcome="admitted",rule="account",filter="rate-limit"} 1"#,
        r#"sluice_decisions_total{outcome="unclear",rule="api",filter="rate-limit"} 1"#,
        r#"sluice_refusals_total{reason="scope",filter="jwt-auth"} 1"#,
        r#"sluice_decisions_total{outcome="denied",rule="stripe",filter="webhook-hmac"} 1"#,
        r#"sluice_refusals_total{rule="stripe",reason="missing",filter="webhook-hmac"} 1"#,
        r#"sluice_jwks_fetches_total{provider="corp",result="succeeded",filter="jwt-auth"} 1"#,
        r#"sluice_decisions_total{outcome="split",variant="v1",rule="checkout",filter="canary-routing"} 1"#,
        r#"sluice_responses_total{outcome="success",variant="v1",rule="checkout",filter="canary-routing"} 1"#,
        r#"sluice_guard_trips_total{outcome="worse",variant="v2",rule="checkout",filter="canary-routing"} 0"#,
        r#"sluice_guard_state{variant="v2",rule="checkout",filter="canary-routing"} 0"#,
        r#"sluice_force_refusals_total{rule="checkout",filter="canary-routing"} 0"#,
        r#"sluice_evictions_total{rule="address",filter="flood"} 0"#,
        r#"sluice_contentions_total{rule="account",filter="rate-limit"} 0"#,
    ] {
        assert!(prometheus.contains(line), "{line} is not in\n{prometheus}");
    }
    let untold = prometheus.lines().find(|line| line.contains("wasmcustom"));
    assert_eq!(untold, None, "a metric that no label was cut out of");
    envoy.assert_no_trap().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn downloads_are_limited_while_they_last() {
    let gate = Gate::closed();
    let hold = gate.clone();
    let upstream = Upstream::answering(move |seen| match seen.path.as_str() {
        "/downloads/slow" => Answer::ok().after(&hold),
        _ => Answer::ok(),
    })
    .await;
    let jwks = demo_keys().await;
    let envoy = shipped(&upstream, &jwks).concurrency(2).start().await;
    let port = envoy.port();
    let slow = [1, 2].map(|http| {
        tokio::spawn(async move { send(port, http, &Request::get("/downloads/slow")).await.status })
    });
    upstream.await_count(2).await;
    for http in [1, 2] {
        assert_eq!(send(port, http, &Request::get("/downloads/x")).await.status, 429);
        assert_eq!(send(port, http, &Request::get("/healthz")).await.status, 200);
    }
    gate.open();
    for download in slow {
        assert_eq!(download.await.expect("a download"), 200);
    }
    assert_eq!(send(port, 1, &Request::get("/downloads/x")).await.status, 200);
    envoy.assert_no_trap().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_update_of_one_filter_keeps_what_the_others_know() {
    let (upstream, jwks) = (Upstream::start().await, demo_keys().await);
    let mut envoy = shipped(&upstream, &jwks).concurrency(2).start().await;
    for wanted in [200, 200, 200, 200, 200, 429] {
        assert_eq!(send(envoy.port(), 1, &with_token("/account", &token("alice", 1))).await.status, wanted);
    }
    let flood = |tree: &mut Value, limits: Value| {
        plugin(tree, "sluice")["configuration"]["value"]["chain"][0]["rate-limit"]["rules"][0]["limits"] =
            limits;
    };
    envoy.update_with(|tree| flood(tree, json!([{"requests": 50, "per": "10s"}]))).await;
    for (user, wanted) in [("alice", 429), ("bob", 200)] {
        let answer = send(envoy.port(), 2, &with_token("/account", &token(user, 1))).await;
        assert_eq!(answer.status, wanted, "{answer:?}");
    }
    assert_eq!(jwks.fetches(), 1);

    let log = envoy.update_refused_with(|tree| flood(tree, json!([{"requests": 50}]))).await;
    assert!(log.contains("chain[0].rate-limit.rules[0].limits[0].per: "), "{log}");
    assert_eq!(send(envoy.port(), 1, &with_token("/account", &token("bob", 2))).await.status, 200);
    envoy.assert_no_trap().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_user_has_one_version_whatever_the_token_and_who_has_none_gets_a_cookie() {
    let (v1, v2) = (
        Upstream::answering(|_| Answer::ok().body("v1")).await,
        Upstream::answering(|_| Answer::ok().body("v2")).await,
    );
    let jwks = demo_keys().await;
    let envoy = Envoy::from(SHIPPED).upstream(&v1).cluster("upstream-v2", &v2).issuer(&jwks);
    let envoy = envoy.concurrency(2).start().await;
    let told = |answer: &Response| answer.header("x-sluice-variant").expect("a variant").to_owned();
    // By the published buckets of the salt `checkout`: a fifth are those below 2,000.
    for (user, wanted) in [("alice", "v1"), ("bob", "v1"), ("user-2", "v2"), ("user-11", "v2")] {
        for n in 0..6 {
            let request = with_token("/checkout", &token(user, n)).header("x-sluice-variant", "v2");
            let answer = send(envoy.port(), [1, 2][n % 2], &request).await;
            assert_eq!((answer.status, told(&answer).as_str()), (200, wanted), "{user}");
            assert!(answer.text().ends_with(wanted), "{answer:?}");
            assert_eq!(answer.header("set-cookie"), None, "whoever has a token needs none");
        }
    }
    let mut versions = std::collections::BTreeSet::new();
    for n in 0..60 {
        let first = send(envoy.port(), [1, 2][n % 2], &Request::get("/checkout")).await;
        let cookie =
            first.header("set-cookie").expect("a cookie").split(';').next().expect("a pair").to_owned();
        let next =
            send(envoy.port(), [2, 1][n % 2], &Request::get("/checkout").header("cookie", cookie)).await;
        assert_eq!((told(&next), next.header("set-cookie")), (told(&first), None));
        versions.insert(told(&first));
    }
    assert_eq!(versions.len(), 2, "of sixty users, some get each");
    // A bad token is refused, and gets no version; other paths have none.
    let bad = with_token("/checkout", &demo_token("forged"));
    assert_eq!(send(envoy.port(), 1, &bad).await.status, 401);
    let health = send(envoy.port(), 1, &Request::get("/healthz").header("x-sluice-variant", "v2")).await;
    assert_eq!((health.header("x-sluice-variant"), health.text().ends_with("v1")), (None, true));
    assert!(
        v1.seen()
            .iter()
            .filter(|seen| seen.path == "/healthz")
            .all(|seen| seen.header("x-sluice-variant").is_none())
    );
    envoy.assert_no_trap().await;
}
