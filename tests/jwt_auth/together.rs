//! With other filters: in a chain of the bundle, and as plugins of their own.

use serde_json::{Value, json};
use tests::{Envoy, Jwks, Request, Running, Upstream, dist, get, plugin};

use super::{demo_keys, payload, send, set, settings, shipped, status, token, with_token};
use tokens::demo;

/// Two requests an hour for each user.
fn limits() -> Value {
    json!({
        "mode": "enforce",
        "rules": [{"name": "user", "key": {"claim": "sub"}, "limits": [{"requests": 2, "per": "1h"}]}],
    })
}

fn place(plugin: &mut Value, module: &str) {
    plugin["vm_config"]["code"]["local"]["filename"] = json!(dist(module).to_str().expect("a path"));
}

/// The bundle with a chain of these filters, in front of an upstream.
fn bundle(upstream: &Upstream, jwks: &Jwks, more: &[Value]) -> Envoy {
    shipped(upstream, jwks).edit(|tree| {
        place(plugin(tree, "jwt-auth"), "sluice.wasm");
        let mut chain = vec![json!({"jwt-auth": settings(tree).clone()})];
        chain.extend_from_slice(more);
        *settings(tree) = json!({"chain": chain});
    })
}

fn token_for(user: &str) -> String {
    demo::signer().token(&payload(json!({"sub": user})))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_bundle_gives_the_same_answers_as_the_single_module() {
    let mut all = Vec::new();
    for bundled in [false, true] {
        let (upstream, jwks) = (Upstream::start().await, demo_keys().await);
        let envoy = if bundled { bundle(&upstream, &jwks, &[]) } else { shipped(&upstream, &jwks) };
        let envoy = envoy.start().await;
        let mut answers = Vec::new();
        let mut requests = vec![
            Request::get("/api"),
            Request::get("/healthz").header("x-user", "root"),
            Request::post("/api", "body").header("authorization", format!("Bearer {}", token())),
            with_token("/api", &token()).header("authorization", "Bearer x"),
        ];
        let demo = demo::tokens(super::now());
        requests.extend(demo.iter().map(|demo| with_token("/api", &demo.token).header("x-user", "root")));
        requests.extend(demo.iter().map(|demo| with_token("/admin", &demo.token)));
        for http in [1, 2] {
            for request in &requests {
                let answer = send(&envoy, http, request).await;
                let header = |name| answer.header(name).map(str::to_owned);
                answers.push((
                    answer.status,
                    header("www-authenticate"),
                    header("content-type"),
                    answer.text(),
                ));
            }
        }
        let users: Vec<_> = upstream
            .seen()
            .iter()
            .map(|seen| (seen.path.clone(), seen.header("x-user").map(str::to_owned)))
            .collect();
        assert_eq!(envoy.stat("wasmcustom.sluice.jwt-auth.decisions_total.api.admitted").await, 6);
        envoy.assert_no_trap().await;
        all.push((answers, users));
    }
    assert_eq!(all[0], all[1]);
}

/// Two users have two requests each, and whoever has no token takes none of them.
async fn users_have_limits_of_their_own(envoy: &Running, upstream: &Upstream) {
    let (alice, bob) = (token_for("alice"), token_for("bob"));
    let mut statuses = Vec::new();
    for token in [&alice, &alice, &alice, &bob, &bob, &bob] {
        statuses.push(status(envoy, "/api", token).await);
    }
    assert_eq!(statuses, [200, 200, 429, 200, 200, 429]);
    for _ in 0..3 {
        assert_eq!(get(envoy.port(), "/api").await.status, 401);
    }
    let users: Vec<_> =
        upstream.seen().iter().map(|seen| seen.header("x-user").unwrap().to_owned()).collect();
    assert_eq!(users, ["alice", "alice", "bob", "bob"]);
    assert_eq!(envoy.stat("wasmcustom.sluice.rate-limit.decisions_total.user.denied").await, 2);
    envoy.assert_no_trap().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_chain_limits_users_by_the_claim_that_was_verified() {
    let (upstream, jwks) = (Upstream::start().await, demo_keys().await);
    // The first request waits for keys, and goes through the rest of the chain afterwards.
    let gate = jwks.hold();
    let envoy = bundle(&upstream, &jwks, &[json!({"rate-limit": limits()})]).start().await;
    let token = token_for("carol");
    let (held, ()) = tokio::join!(status(&envoy, "/api", &token), async {
        envoy.await_stat("http.ingress.downstream_rq_active", 1).await;
        gate.open();
    });
    assert_eq!(held, 200);
    assert_eq!(status(&envoy, "/api", &token).await, 200);
    assert_eq!(status(&envoy, "/api", &token).await, 429);
    assert_eq!(upstream.count(), 2);
    envoy.assert_no_trap().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn users_have_limits_of_their_own_in_a_chain() {
    let (upstream, jwks) = (Upstream::start().await, demo_keys().await);
    let envoy = bundle(&upstream, &jwks, &[json!({"rate-limit": limits()})]).start().await;
    users_have_limits_of_their_own(&envoy, &upstream).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn users_have_limits_of_their_own_where_the_filters_are_two_plugins() {
    let (upstream, jwks) = (Upstream::start().await, demo_keys().await);
    let envoy = shipped(&upstream, &jwks)
        .edit(|tree| {
            let filters = tree
                .pointer_mut(
                    "/static_resources/listeners/0/filter_chains/0/filters/0/typed_config/http_filters",
                )
                .and_then(Value::as_array_mut)
                .unwrap();
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
    users_have_limits_of_their_own(&envoy, &upstream).await;
}
