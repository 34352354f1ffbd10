//! Each resource in a real Envoy, as its control plane would have it, and what it decides: for, and against.

use std::time::{SystemTime, UNIX_EPOCH};

use serde_json::{Value, json};
use tests::{Deadline, Request, Response, get, get_with};
use tokens::{demo, forge};

use crate::webhook_hmac::delivery::{billing, github, slack, stripe};

use super::gateway::{Gateway, secret};
use super::mesh::{Told, envoy_filter, fetched, policy, wasm_plugin};
use super::{files, resources};

/// What the gateway itself is given, and no plugin.
const OF_THE_GATEWAY: [&str; 2] = ["istio/gateway.yaml", "gateway/envoyproxy.yaml"];

/// Returns what a gateway is told by a file.
fn told(file: &str) -> Told {
    match resources(file)[0]["kind"].as_str() {
        Some("WasmPlugin") => wasm_plugin(file),
        Some("EnvoyFilter") => envoy_filter(file),
        Some("EnvoyExtensionPolicy") => policy(file),
        other => panic!("{file}: {other:?} tells nothing of a plugin"),
    }
}

async fn started(file: &str) -> Gateway {
    Gateway::start(vec![told(file)]).await
}

fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).expect("a clock after 1970").as_secs()
}

/// Returns the token that `make token NAME=...` prints.
fn token(name: &str) -> String {
    demo::tokens(now()).into_iter().find(|demo| demo.name == name).expect("a token of this name").token
}

/// Sends over HTTP/1 or HTTP/2.
async fn send(gateway: &Gateway, http: u8, request: &Request) -> Response {
    match http {
        1 => request.send(gateway.port()).await,
        _ => request.send_http2(gateway.port()).await,
    }
}

async fn with_token(gateway: &Gateway, path: &str, token: &str) -> u16 {
    get_with(gateway.port(), path, &[("authorization", &format!("Bearer {token}"))]).await.status
}

/// Sends the same so many times.
async fn statuses(gateway: &Gateway, request: &Request, times: usize) -> Vec<u16> {
    let mut statuses = Vec::new();
    for n in 0..times {
        statuses.push(send(gateway, [1, 2][n % 2], request).await.status);
    }
    statuses
}

async fn limits(gateway: &Gateway) {
    for key in ["a", "b"] {
        let items = Request::get("/api/items").header("x-api-key", key);
        assert_eq!(statuses(gateway, &items, 6).await, [200, 200, 200, 200, 200, 429]);
    }
    let wrong = Request::post("/login?status=401", "");
    assert_eq!(statuses(gateway, &wrong, 6).await, [401, 401, 401, 401, 401, 429]);
    assert_eq!(gateway.count("rate-limit.decisions_total.api.denied").await, 2);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn rate_limit_admits_as_many_as_it_says_and_no_more() {
    for file in ["istio/rate-limit.yaml", "gateway/rate-limit.yaml"] {
        let gateway = started(file).await;
        limits(&gateway).await;
        assert_eq!(gateway.upstream.count(), 15, "{file}");
        gateway.assert_no_trap().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn jwt_auth_lets_good_tokens_pass_and_no_others() {
    for file in ["istio/jwt-auth.yaml", "gateway/jwt-auth.yaml"] {
        let gateway = started(file).await;
        assert_eq!(get(gateway.port(), "/profile").await.status, 401, "{file}");
        assert_eq!(with_token(&gateway, "/profile", &token("forged")).await, 401, "{file}");
        assert_eq!(with_token(&gateway, "/profile", &token("expired")).await, 401, "{file}");
        assert_eq!(with_token(&gateway, "/admin", &token("valid")).await, 403, "{file}");
        assert_eq!(gateway.upstream.count(), 0, "{file}");

        assert_eq!(get(gateway.port(), "/healthz").await.status, 200, "{file}");
        assert_eq!(with_token(&gateway, "/admin", &token("admin")).await, 200, "{file}");
        let bearer = format!("Bearer {}", token("valid"));
        let profile = Request::get("/profile").header("authorization", bearer).header("x-user", "root");
        for http in [1, 2] {
            assert_eq!(send(&gateway, http, &profile).await.status, 200, "{file}");
            let seen = gateway.upstream.seen().pop().expect("a request");
            assert_eq!(seen.values("x-user").concat(), b"alice", "{file}");
        }
        gateway.assert_no_trap().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn webhook_hmac_lets_genuine_deliveries_pass_once_and_holds_what_it_can() {
    for (file, holds_headers) in [
        ("istio/webhook-hmac.yaml", false),
        ("istio/webhook-hmac-envoyfilter.yaml", true),
        ("gateway/webhook-hmac.yaml", false),
    ] {
        let gateway = started(file).await;
        let (github_secret, stripe_secret) = (secret("GITHUB_SECRET"), secret("STRIPE_SECRET"));
        for http in [1, 2] {
            let body = format!("{{\"id\": \"{http}\"}}");
            for request in [
                stripe(stripe_secret, now(), &body),
                github(github_secret, &body),
                slack(secret("SLACK_SECRET"), now(), &body),
                billing(secret("BILLING_SECRET"), now(), &format!("inv-{http}"), &body),
                billing(secret("BILLING_SECRET_OLD"), now(), &format!("old-{http}"), &body),
            ] {
                assert_eq!(send(&gateway, http, &request).await.status, 200, "{file}: {request:?}");
                let seen =
                    gateway.upstream.seen().into_iter().rfind(|seen| seen.complete).expect("a delivery");
                assert_eq!(seen.body, body.as_bytes(), "{file}");
                assert_eq!(seen.header("x-webhook-endpoint").is_some(), holds_headers, "{file}");
            }
            let before = gateway.upstream.count();
            assert_eq!(
                send(&gateway, http, &github(github_secret, &body)).await.status,
                409,
                "{file}: again"
            );
            assert_eq!(
                send(&gateway, http, &github(stripe_secret, &body)).await.status,
                401,
                "{file}: forged"
            );
            let nobody = Request::post("/webhooks/x", &body);
            assert_eq!(send(&gateway, http, &nobody).await.status, 404, "{file}: nobody's");
            if holds_headers {
                assert_eq!(gateway.upstream.count(), before, "{file}");
            }
            assert!(gateway.upstream.seen()[before..].iter().all(|seen| seen.body.is_empty()), "{file}");
        }
        gateway.assert_no_trap().await;
    }
}

/// Asks for what fails twice: once so that it may be tried again, and once so that it may not.
async fn retries(gateway: &Gateway, path: &str) {
    for http in [1, 2] {
        let before = gateway.upstream.count();
        let reads = Request::get(&format!("{path}/{http}?fail=2")).header("x-api-key", "retries");
        assert_eq!(send(gateway, http, &reads).await.status, 200);
        assert_eq!(gateway.upstream.count() - before, 3, "tries of what does no more the second time");
        let writes = Request::post(&format!("{path}/{http}?fail=1"), "x").header("x-api-key", "retries");
        assert_eq!(send(gateway, http, &writes).await.status, 503);
        assert_eq!(gateway.upstream.count() - before, 4, "what could do twice what it does is tried once");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn retry_headers_has_tried_again_what_may_be_and_nothing_else() {
    for file in ["istio/retry-headers.yaml", "gateway/retry-headers.yaml"] {
        let gateway = started(file).await;
        retries(&gateway, "/api").await;
        assert_eq!(gateway.count("retry-headers.decisions_total.api.unsafe").await, 2, "{file}");
        gateway.assert_no_trap().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn fault_injection_breaks_what_it_is_told_to_and_nothing_else() {
    for file in ["istio/fault-injection.yaml", "gateway/fault-injection.yaml"] {
        let gateway = started(file).await;
        for (user, wanted) in [("frank", 503), ("alice", 200), ("frank", 503), ("alice", 200)] {
            let answer = get_with(gateway.port(), "/search?q=x", &[("x-user", user)]).await;
            assert_eq!(answer.status, wanted, "{file}: {user}");
            assert_eq!(answer.header("x-sluice-fault-injected").is_some(), wanted == 503, "{file}");
        }
        for (token, wanted) in [(secret("FAULT_TOKEN"), 418), ("guessed", 200)] {
            let headers = [("x-sluice-fault-token", token), ("x-sluice-fault", "abort=418")];
            assert_eq!(get_with(gateway.port(), "/", &headers).await.status, wanted, "{file}: {token}");
        }
        gateway.assert_no_trap().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_chain_decides_as_its_filters_do() {
    for (file, holds_headers) in [
        ("istio/sluice.yaml", false),
        ("istio/sluice-envoyfilter.yaml", true),
        ("gateway/sluice.yaml", false),
    ] {
        let gateway = started(file).await;
        // Limits: of API keys, of wrong passwords, and of users, whose number another filter has found out.
        limits(&gateway).await;
        let bearer = format!("Bearer {}", token("valid"));
        let account = Request::get("/account").header("authorization", bearer);
        assert_eq!(statuses(&gateway, &account, 6).await, [200, 200, 200, 200, 200, 429], "{file}");
        let seen = gateway.upstream.seen().pop().expect("a request");
        assert_eq!(seen.values("x-user").concat(), b"alice", "{file}");

        // Tokens.
        assert_eq!(get(gateway.port(), "/profile").await.status, 401, "{file}");
        let mallory =
            forge::with_payload(&token("valid"), r#"{"iss":"https://issuer.example.com","sub":"mallory"}"#);
        assert_eq!(with_token(&gateway, "/profile", &mallory).await, 401, "{file}");
        assert_eq!(with_token(&gateway, "/admin", &token("valid")).await, 403, "{file}");
        assert_eq!(with_token(&gateway, "/admin", &token("admin")).await, 200, "{file}");

        // Webhooks.
        for http in [1, 2] {
            let body = format!("{{\"id\": \"{http}\"}}");
            assert_eq!(
                send(&gateway, http, &stripe(secret("STRIPE_SECRET"), now(), &body)).await.status,
                200
            );
            assert_eq!(send(&gateway, http, &github(secret("GITHUB_SECRET"), &body)).await.status, 200);
            let seen = gateway.upstream.seen().pop().expect("a delivery");
            assert_eq!(seen.body, body.as_bytes(), "{file}");
            assert_eq!(seen.header("x-webhook-provider").is_some(), holds_headers, "{file}");
            let before = gateway.upstream.count();
            let forged = github(secret("STRIPE_SECRET"), "{\"id\": \"forged\"}");
            assert_eq!(send(&gateway, http, &forged).await.status, 401, "{file}");
            if holds_headers {
                assert_eq!(gateway.upstream.count(), before, "{file}");
            }
            assert!(gateway.upstream.seen()[before..].iter().all(|seen| seen.body.is_empty()), "{file}");
        }

        // Failures on purpose, and retries of others.
        let broken = get_with(gateway.port(), "/api/broken", &[("x-api-key", "chaos")]).await;
        assert_eq!((broken.status, broken.text().as_str()), (503, "broken on purpose by broken"), "{file}");
        retries(&gateway, "/api").await;

        assert!(gateway.count("flood.decisions_total.address.admitted").await > 30, "{file}");
        gateway.assert_no_trap().await;
    }
}

#[test]
fn no_file_is_left_out_of_the_tests_above() {
    let source = include_str!("decisions.rs");
    let run =
        |file: &String| source.contains(&format!("(\"{file}\"")) || source.contains(&format!("[\"{file}\""));
    let listed = |file: &String| source.contains(&format!(" \"{file}\""));
    let plugins = files().into_iter().filter(|file| !OF_THE_GATEWAY.contains(&file.as_str()));
    let left_out: Vec<String> = plugins.filter(|file| !run(file) && !listed(file)).collect();
    assert_eq!(left_out, [""; 0]);
}

/// Sends requests until they are answered so: what a gateway is told reaches its workers a moment later.
async fn await_status(gateway: &Gateway, path: &str, wanted: u16) {
    let deadline = Deadline::new(format!("{path} to be answered {wanted}"));
    loop {
        let answer = get(gateway.port(), path).await;
        if answer.status == wanted {
            return;
        }
        deadline.look_again(|| format!("it is {}\n{}", answer.status, gateway.envoy.log())).await;
    }
}

/// Replaces the configuration of an extension.
fn configured(told: &mut Told, configuration: &Value) -> Value {
    let text = configuration.to_string();
    told.config()["configuration"] =
        json!({"@type": "type.googleapis.com/google.protobuf.StringValue", "value": text});
    told.extension.clone().expect("an extension")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_configuration_with_a_mistake_is_not_taken_and_the_previous_one_goes_on() {
    let file = "istio/jwt-auth.yaml";
    let mut told = wasm_plugin(file);
    let gateway = Gateway::start(vec![wasm_plugin(file)]).await;
    assert_eq!(get(gateway.port(), "/healthz").await.status, 200);
    assert_eq!(get(gateway.port(), "/ready").await.status, 401);

    let mut configuration = resources(file)[0]["spec"]["pluginConfig"].clone();
    configuration["rules"][0]["match"] = json!({"path": {"exakt": "/ready"}});
    gateway.tell(&configured(&mut told, &configuration));
    gateway.envoy.await_log(r#"rules[0].match.path.exakt: unknown field, did you mean "exact"?"#).await;
    assert_eq!(get(gateway.port(), "/healthz").await.status, 200);
    assert_eq!(get(gateway.port(), "/ready").await.status, 401);

    // One without a mistake is taken.
    configuration["rules"][0]["match"] = json!({"path": {"exact": "/ready"}});
    gateway.tell(&configured(&mut told, &configuration));
    await_status(&gateway, "/ready", 200).await;
    await_status(&gateway, "/healthz", 401).await;
    gateway.assert_no_trap().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_a_module_requests_are_refused_except_where_faults_are_missing() {
    for (file, wanted) in [
        ("istio/rate-limit.yaml", 403),
        ("istio/jwt-auth.yaml", 403),
        ("istio/webhook-hmac.yaml", 403),
        ("istio/retry-headers.yaml", 403),
        ("istio/fault-injection.yaml", 200),
        ("istio/sluice.yaml", 403),
        ("istio/webhook-hmac-envoyfilter.yaml", 403),
        ("istio/sluice-envoyfilter.yaml", 403),
    ] {
        let mut told = told(file);
        // What Istio's agent puts there when it can't fetch a module.
        let open = told.config()["failure_policy"] == "FAIL_OPEN";
        let rbac = "type.googleapis.com/envoy.extensions.filters.http.rbac.v3.RBAC";
        let instead = match open {
            true => json!({"@type": rbac, "rules_stat_prefix": "wasm-default-allow"}),
            false => json!({"@type": rbac, "rules": {}, "rules_stat_prefix": "wasm-default-deny"}),
        };
        told.extension.as_mut().expect("an extension")["typed_config"] = instead;
        let gateway = Gateway::start(vec![told]).await;
        assert_eq!(get(gateway.port(), "/healthz").await.status, wanted, "{file}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn plugins_of_one_gateway_work_together_in_their_own_machines() {
    let files = ["istio/rate-limit.yaml", "istio/jwt-auth.yaml"];
    let order = super::mesh::order(&files);
    assert_eq!(order, ["jwt-auth", "rate-limit"]);
    let mut plugins: Vec<Told> =
        order.iter().map(|name| wasm_plugin(&format!("istio/{name}.yaml"))).collect();
    // A limit by what another plugin has found out.
    let limits = json!({"rules": [{"name": "users", "key": {"claim": "sub"}, "limits": [{"requests": 2, "per": "1h"}]}]});
    configured(&mut plugins[1], &limits);
    let gateway = Gateway::start(plugins).await;
    for (name, wanted) in [("valid", 200), ("admin", 200), ("valid", 429), ("forged", 401)] {
        assert_eq!(with_token(&gateway, "/profile", &token(name)).await, wanted, "{name}");
    }
    gateway.assert_no_trap().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn in_envoy_gateway_a_mistake_is_refused_by_proxies_that_run_and_closes_those_that_start() {
    const MISTAKE: &str = r#"{"rules": 1}"#;
    let problem = "rules: expected a list, found number 1";
    let file = "gateway/rate-limit.yaml";
    let mut gateway = Gateway::start(vec![fetched(file)]).await;
    let log = gateway.envoy.update_refused_with(|tree| {
        let manager = "/static_resources/listeners/0/filter_chains/0/filters/0/typed_config";
        let manager = tree.pointer_mut(manager).expect("a connection manager");
        manager["http_filters"][0]["typed_config"]["config"]["configuration"]["value"] = json!(MISTAKE);
    });
    let log = log.await;
    assert!(log.contains(problem), "{log}");
    let items = Request::get("/api/items").header("x-api-key", "a");
    assert_eq!(statuses(&gateway, &items, 6).await, [200, 200, 200, 200, 200, 429]);
    drop(gateway);

    for (file, wanted) in [(file, 503), ("gateway/fault-injection.yaml", 200)] {
        let mut told = fetched(file);
        told.config()["configuration"]["value"] = json!(MISTAKE);
        let gateway = Gateway::start(vec![told]).await;
        assert_eq!(get(gateway.port(), "/healthz").await.status, wanted, "{file}");
    }
}
