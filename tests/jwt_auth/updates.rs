//! Configurations that change while Envoy runs, and bad ones, which change nothing.

use serde_json::{Value, json};
use tests::{Envoy, Http1, Upstream, get, plugin};
use tokens::{Algorithm, Key, Signer, jwk, jwks};

use super::{SHIPPED, demo_keys, payload, set, settings, shipped, status, token, with_token};

/// Adds a provider with a key of its own, and rules for both.
fn add_partner(tree: &mut Value) {
    let mut partner = settings(tree)["providers"][0].clone();
    let keys: Value = serde_json::from_str(&jwks([jwk(&Key::ed25519(), "p")])).unwrap();
    let different = json!({
        "name": "partner",
        "issuer": "https://partner.example.com",
        "algorithms": ["EdDSA"],
        "keys": {"inline": keys},
    });
    set(&mut partner, different);
    settings(tree)["providers"].as_array_mut().unwrap().push(partner);
    let rule = json!({
        "name": "partner",
        "match": {"path": {"prefix": "/partner"}},
        "require": {"provider": "partner"},
    });
    settings(tree)["rules"].as_array_mut().unwrap().insert(0, rule);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_update_takes_effect_without_a_fetch_and_a_bad_one_changes_nothing() {
    let (upstream, jwks) = (Upstream::start().await, demo_keys().await);
    let mut envoy = shipped(&upstream, &jwks).concurrency(2).start().await;
    let partner = Signer::new(Algorithm::EdDsa).key_id("p");
    let partner = partner.token(&payload(json!({"iss": "https://partner.example.com", "sub": "bob"})));
    assert_eq!(status(&envoy, "/", &token()).await, 200);
    assert_eq!(status(&envoy, "/", &partner).await, 401);
    assert_eq!(status(&envoy, "/partner", &token()).await, 200);

    envoy.update_with(add_partner).await;
    assert_eq!(status(&envoy, "/partner", &partner).await, 200);
    assert_eq!(upstream.seen().pop().unwrap().header("x-user"), Some("bob"));
    assert_eq!(status(&envoy, "/", &partner).await, 200);
    assert_eq!(status(&envoy, "/partner", &token()).await, 403, "it is from the other provider");
    for _ in 0..8 {
        assert_eq!(status(&envoy, "/", &token()).await, 200);
    }
    assert_eq!(jwks.fetches(), 1, "the set is there already");

    let log = envoy
        .update_refused_with(|tree| {
            settings(tree)["providers"][1]["issuer"] = json!("https://issuer.example.com");
            settings(tree)["rules"][0]["require"] = json!({"provider": "parter"});
        })
        .await;
    for problem in [
        r#"providers[1]: has the issuer of "corp""#,
        r#"rules[0].require.provider: "parter""#,
        r#"did you mean "partner"?"#,
    ] {
        assert!(log.contains(problem), "{problem} is not in\n{log}");
    }
    assert_eq!(status(&envoy, "/partner", &partner).await, 200);
    assert_eq!(status(&envoy, "/partner", &token()).await, 403);

    // A revocation counts at once, for tokens that were seen before as well.
    envoy.update_with(|tree| settings(tree)["deny"] = json!([{"claim": "sub", "values": ["bob"]}])).await;
    assert_eq!(status(&envoy, "/partner", &partner).await, 401);
    assert_eq!(status(&envoy, "/", &token()).await, 200);
    assert_eq!(jwks.fetches(), 1);
    envoy.assert_no_trap().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn another_address_of_the_keys_is_another_set() {
    let (upstream, jwks) = (Upstream::start().await, demo_keys().await);
    let mut envoy = shipped(&upstream, &jwks).start().await;
    assert_eq!(status(&envoy, "/", &token()).await, 200);
    let uri = "http://issuer.example.com/keys";
    envoy.update_with(|tree| settings(tree)["providers"][0]["keys"]["uri"] = json!(uri)).await;
    assert_eq!(status(&envoy, "/", &token()).await, 200);
    assert_eq!((jwks.fetches(), jwks.seen()[1].path.as_str()), (2, "/keys"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_request_that_waits_for_keys_during_an_update_is_answered() {
    let (upstream, jwks) = (Upstream::start().await, demo_keys().await);
    let gate = jwks.hold();
    let mut envoy = shipped(&upstream, &jwks)
        .edit(|tree| settings(tree)["wait_for_keys"] = json!("9s"))
        .drain_seconds(20)
        .start()
        .await;
    let mut waits = Http1::connect(envoy.port()).await;
    waits.send(&with_token("/old", &token()).wire()).await;
    envoy.await_stat("http.ingress.downstream_rq_active", 1).await;
    jwks.await_fetches(1).await;
    envoy.update_with(add_partner).await;
    gate.open();
    assert_eq!(waits.read_response().await.status, 200);
    assert_eq!(status(&envoy, "/new", &token()).await, 200);
    assert_eq!(jwks.fetches(), 1, "the new configuration waited for the fetch of the old one");
    envoy.assert_no_trap().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_bad_configuration_stops_the_start_and_names_every_problem() {
    let config = json!({
        "providers": [
            {"name": "corp", "issuer": "a", "audience": ["api"], "algorithms": ["RS265"],
             "keys": {"uri": "https://a/keys", "cluster": "issuer", "timeout": "5 sec"}},
            {"name": "hs", "issuer": "b", "audiences": ["api"], "algorithms": ["HS256", "RS256"],
             "keys": {"secrets": [{"env": "NO_SUCH_SECRET"}]}},
        ],
        "rules": [{"name": "api", "require": {"provider": "crop"}}],
    });
    let log = Envoy::from(SHIPPED).config(config).start_refused().await;
    for problem in [
        "configuration refused, ",
        "problems:",
        r#"providers[0].audience: unknown field, did you mean "audiences"?"#,
        r#"providers[0].algorithms[0]: "RS265""#,
        r#"providers[0].keys.timeout: "5 sec""#,
        "providers[1].algorithms: mixes HS algorithms with others",
        "the environment variable NO_SUCH_SECRET is not set, or is empty",
        r#"rules[0].require.provider: "crop""#,
    ] {
        assert!(log.contains(problem), "{problem} is not in\n{log}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn struct_and_json_configurations_are_read_alike() {
    let (upstream, jwks) = (Upstream::start().await, demo_keys().await);
    let envoy = shipped(&upstream, &jwks)
        .edit(|tree| {
            let text = settings(tree).to_string();
            plugin(tree, "jwt-auth")["configuration"] =
                json!({"@type": "type.googleapis.com/google.protobuf.StringValue", "value": text});
        })
        .start()
        .await;
    assert_eq!(status(&envoy, "/", &token()).await, 200);
    assert_eq!(get(envoy.port(), "/").await.status, 401);
    assert_eq!(get(envoy.port(), "/healthz").await.status, 200);
}
