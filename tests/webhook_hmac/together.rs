//! With other filters: in a chain of the bundle, before and behind them, and as plugins of their own.

use serde_json::{Value, json};
use tests::{Answer, Envoy, Http2, Request, Running, Upstream, dist, plugin};

use super::delivery::{billing, github, github_head, now, slack, stripe};
use super::{
    BILLING_SECRET, GITHUB_SECRET, SLACK_SECRET, STRIPE_SECRET, endpoint, manager, send, set, settings,
    shipped, status,
};

fn place(plugin: &mut Value, module: &str) {
    plugin["vm_config"]["code"]["local"]["filename"] = json!(dist(module).to_str().expect("a path"));
}

/// Three deliveries an hour for each endpoint, by the header that only the filter before it can set.
fn limits() -> Value {
    json!({
        "rules": [{
            "name": "endpoint",
            "match": {"path": {"prefix": "/webhooks"}},
            "key": {"header": "x-webhook-endpoint"},
            "limits": [{"requests": 3, "per": "1h"}],
        }],
    })
}

/// Takes the bundle in place of the module, with a chain of these around the filter.
fn bundle(envoy: Envoy, before: &[Value], behind: &[Value]) -> Envoy {
    envoy.edit(|tree| {
        place(plugin(tree, "webhook-hmac"), "sluice.wasm");
        let mut chain = before.to_vec();
        chain.push(json!({"webhook-hmac": settings(tree).clone()}));
        chain.extend_from_slice(behind);
        *settings(tree) = json!({"chain": chain});
    })
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_bundle_gives_the_same_answers_as_the_single_module() {
    let at = now();
    let challenge = r#"{"type": "url_verification", "challenge": "abc"}"#;
    let requests = [
        Request::get("/webhooks/github"),
        Request::post("/webhooks/x", "a").header("x-webhook-endpoint", "lie"),
        github(GITHUB_SECRET, "a").header("x-webhook-endpoint", "lie"),
        github(GITHUB_SECRET, "a"),
        github(STRIPE_SECRET, "a"),
        github_head(GITHUB_SECRET, b"abc").chunks(["a", "bc"]).trailer("x-sum", "3"),
        github_head(STRIPE_SECRET, b"abc").chunks(["a", "bc"]).trailer("x-sum", "3"),
        stripe(STRIPE_SECRET, at, r#"{"id": "evt"}"#),
        stripe(STRIPE_SECRET, at, r#"{"id": "evt"}"#),
        stripe(STRIPE_SECRET, at - 1000, r#"{"id": "evt"}"#),
        slack(SLACK_SECRET, at, challenge),
        billing(BILLING_SECRET, at, "inv-1", "a"),
        Request::post("/webhooks/github", vec![b'a'; (1 << 20) + 1]),
        Request::post("/outgoing", "out").header("webhook-id", "id-1"),
        Request::get("/elsewhere").header("x-webhook-endpoint", "lie"),
    ];
    let mut all = Vec::new();
    for bundled in [false, true] {
        let upstream = Upstream::start().await;
        let envoy = shipped(&upstream).upstream_http2();
        // The other filter has nothing to say to these.
        let behind =
            json!({"rate-limit": {"rules": [{"name": "all", "limits": [{"requests": 1000, "per": "1s"}]}]}});
        let envoy = if bundled { bundle(envoy, &[], &[behind]) } else { envoy };
        let envoy = envoy.start().await;
        let mut answers = Vec::new();
        for http in [1, 2] {
            for request in &requests {
                let answer = send(&envoy, http, request).await;
                let names = ["www-authenticate", "content-type", "allow", "retry-after"];
                let headers = names.map(|name| answer.header(name).map(str::to_owned));
                answers.push((answer.status, headers, answer.text()));
            }
        }
        let seen: Vec<_> = upstream
            .seen()
            .into_iter()
            .map(|seen| {
                let headers = seen
                    .headers
                    .into_iter()
                    .filter(|(name, _)| name.starts_with("x-webhook") || name == "webhook-id");
                (seen.path, headers.collect::<Vec<_>>(), seen.body, seen.trailers)
            })
            .collect();
        assert_eq!(envoy.stat("wasmcustom.sluice.webhook-hmac.decisions_total.github.verified").await, 2);
        envoy.assert_no_trap().await;
        all.push((answers, seen));
    }
    assert_eq!(all[0], all[1]);
}

/// Forgeries take nothing of what genuine deliveries may have, and a refused delivery may come again.
async fn endpoints_have_limits_of_their_own(envoy: &Running, upstream: &Upstream) {
    for http in [1, 2].repeat(3) {
        assert_eq!(status(envoy, http, &github(STRIPE_SECRET, "forged")).await, 401);
        let request = github_head(GITHUB_SECRET, b"x").header("x-webhook-endpoint", "stripe").chunks(["y"]);
        assert_eq!(status(envoy, http, &request).await, 401);
    }
    let mut statuses = Vec::new();
    for body in ["1", "2", "3", "4", "4"] {
        statuses.push(status(envoy, 2, &github_head(GITHUB_SECRET, body.as_bytes()).chunks([body])).await);
    }
    assert_eq!(
        statuses,
        [200, 200, 200, 429, 429],
        "what was refused behind the filter isn't known to it as seen"
    );
    assert_eq!(status(envoy, 1, &github(GITHUB_SECRET, "1")).await, 409);
    assert_eq!(status(envoy, 1, &stripe(STRIPE_SECRET, now(), r#"{"id": "evt-1"}"#)).await, 200);
    let seen: Vec<_> = upstream.seen().iter().map(|seen| seen.body.clone()).collect();
    assert_eq!(seen, [b"1".to_vec(), b"2".to_vec(), b"3".to_vec(), br#"{"id": "evt-1"}"#.to_vec()]);
    assert_eq!(envoy.stat("wasmcustom.sluice.rate-limit.decisions_total.endpoint.denied").await, 2);
    envoy.assert_no_trap().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn endpoints_have_limits_of_their_own_in_a_chain() {
    let upstream = Upstream::start().await;
    let envoy = bundle(shipped(&upstream), &[], &[json!({"rate-limit": limits()})]).start().await;
    endpoints_have_limits_of_their_own(&envoy, &upstream).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn endpoints_have_limits_of_their_own_where_the_filters_are_two_plugins() {
    let upstream = Upstream::start().await;
    let envoy = shipped(&upstream)
        .edit(|tree| {
            let filters = manager(tree)["http_filters"].as_array_mut().unwrap();
            let mut second = filters[0].clone();
            second["name"] = json!("rate-limit");
            let config = &mut second["typed_config"]["config"];
            set(config, json!({"name": "rate-limit"}));
            place(config, "rate-limit.wasm");
            config["configuration"]["value"] = limits();
            filters.insert(1, second);
        })
        .start()
        .await;
    endpoints_have_limits_of_their_own(&envoy, &upstream).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn bodies_are_held_before_and_behind_another_filter() {
    // Three requests of any kind. Forged ones count, whichever stands first: only their bodies are held.
    let limit = json!({"rate-limit": {"rules": [{"name": "all", "limits": [{"requests": 3, "per": "1h"}]}]}});
    for limit_first in [true, false] {
        let upstream = Upstream::answering(|_| Answer::ok()).await;
        let envoy = shipped(&upstream).edit(|tree| {
            let settings = settings(tree).as_object_mut().unwrap();
            settings.remove("headers");
            settings.remove("sign");
            settings.insert("hold".to_owned(), json!("body"));
            endpoint(tree, "github")["replay"] = json!("off");
            plugin(tree, "webhook-hmac").as_object_mut().unwrap().remove("allow_on_headers_stop_iteration");
        });
        let limits = std::slice::from_ref(&limit);
        let envoy = if limit_first { bundle(envoy, limits, &[]) } else { bundle(envoy, &[], limits) };
        let envoy = envoy.start().await;
        let client = Http2::connect(envoy.port()).await;
        let mut statuses = Vec::new();
        for secret in [STRIPE_SECRET, GITHUB_SECRET, STRIPE_SECRET, GITHUB_SECRET] {
            let request = github_head(secret, b"abc").chunks(["a", "b", "c"]).trailer("x-sum", "3");
            statuses.push(client.send(&request).await.status);
        }
        assert_eq!(statuses, [401, 200, 401, 429], "the limit stands first: {limit_first}");
        for seen in upstream.seen() {
            assert!(seen.body.is_empty() || (seen.complete && seen.body == b"abc"), "{seen:?}");
        }
        assert_eq!(upstream.seen().iter().filter(|seen| seen.complete).count(), 1);
        envoy.assert_no_trap().await;
    }
}
