//! Bad configurations, which change nothing, and the two forms in which good ones come.

use serde_json::json;
use tests::{Envoy, Request, Upstream, plugin};

use super::delivery::{github, now, stripe};
use super::{GITHUB_SECRET, SHIPPED, STRIPE_SECRET, endpoint, settings, shipped, status};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_bad_configuration_stops_the_start_and_names_every_problem() {
    let config = json!({
        "prefix": "webhooks",
        "hold": "everything",
        "endpoints": [
            {"name": "stripe", "provider": "strype", "secrets": [{"env": "STRIPE_SECRET"}]},
            {"name": "github", "provider": "github", "secret": "x", "tolerance": "5m",
             "secrets": [{"env": "NO_SUCH_SECRET"}, {"inline": "short-and-secret"}, {"inline": "aaaaaaaaaaaaaaaaaaaa"}]},
            {"name": "own", "scheme": {"algorithm": "hmac-sha257", "signature": {"header": "x-sig"}, "content": "{bodi}"},
             "secrets": [{"inline": "0123456789abcdef"}], "max_body": "1 gallon"},
        ],
        "sign": [{"name": "out", "provider": "sendgrid", "secrets": [{"env": "OUTGOING_SECRET"}]}],
    });
    let log = Envoy::from(SHIPPED).config(config).start_refused().await;
    for problem in [
        "configuration refused, ",
        "problems:",
        "prefix: ",
        r#"hold: "everything" is not one of headers, body"#,
        r#"endpoints[0].provider: "strype""#,
        r#"did you mean "stripe"?"#,
        r#"endpoints[1].secret: unknown field, did you mean "secrets"?"#,
        "the environment variable NO_SUCH_SECRET is not set, or is empty",
        "endpoints[1].secrets[2]",
        r#"endpoints[2].scheme.algorithm: "hmac-sha257" is not one of"#,
        "endpoints[2].scheme.content: ",
        "endpoints[2].max_body: ",
        "sign[0]",
    ] {
        assert!(log.contains(problem), "{problem} is not in\n{log}");
    }
    for secret in ["short-and-secret", "aaaaaaaaaaaaaaaaaaaa", "DEMO"] {
        assert!(!log.contains(secret), "{secret} is in\n{log}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_update_takes_effect_and_a_bad_one_changes_nothing() {
    let upstream = Upstream::start().await;
    let mut envoy = shipped(&upstream).concurrency(2).start().await;
    assert_eq!(status(&envoy, 1, &github(STRIPE_SECRET, "a")).await, 401);
    envoy
        .update_with(|tree| {
            endpoint(tree, "github")["secrets"] = json!([{"env": "GITHUB_SECRET"}, {"env": "STRIPE_SECRET"}]);
            endpoint(tree, "github")["status"] = json!(403);
        })
        .await;
    assert_eq!(status(&envoy, 1, &github(STRIPE_SECRET, "a")).await, 200);
    assert_eq!(status(&envoy, 2, &github("0123456789abcdef", "a")).await, 403);
    let log = envoy
        .update_refused_with(|tree| {
            endpoint(tree, "github")["secrets"] = json!([{"env": "GITHUB_SECRET_NEW"}]);
            endpoint(tree, "stripe")["toleranze"] = json!("1h");
        })
        .await;
    for problem in
        ["GITHUB_SECRET_NEW", r#"endpoints[0].toleranze: unknown field, did you mean "tolerance"?"#]
    {
        assert!(log.contains(problem), "{problem} is not in\n{log}");
    }
    assert_eq!(status(&envoy, 1, &github(STRIPE_SECRET, "b")).await, 200);
    assert_eq!(status(&envoy, 2, &github(GITHUB_SECRET, "c")).await, 200);
    assert_eq!(upstream.count(), 3);
    envoy.assert_no_trap().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn struct_and_json_configurations_are_read_alike() {
    let upstream = Upstream::start().await;
    let envoy = shipped(&upstream)
        .edit(|tree| {
            let text = settings(tree).to_string();
            plugin(tree, "webhook-hmac")["configuration"] =
                json!({"@type": "type.googleapis.com/google.protobuf.StringValue", "value": text});
        })
        .start()
        .await;
    assert_eq!(status(&envoy, 1, &stripe(STRIPE_SECRET, now(), "{}")).await, 200);
    assert_eq!(status(&envoy, 2, &stripe(GITHUB_SECRET, now(), "{}")).await, 401);
    assert_eq!(status(&envoy, 2, &Request::get("/webhooks/x")).await, 404);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_dump_of_what_envoy_has_shows_a_secret_that_comes_from_its_environment() {
    let upstream = Upstream::start().await;
    let names = [
        "STRIPE_SECRET",
        "GITHUB_SECRET",
        "SLACK_SECRET",
        "BILLING_SECRET",
        "BILLING_SECRET_OLD",
        "OUTGOING_SECRET",
    ];
    let envoy = shipped(&upstream).edit(|tree| {
        plugin(tree, "webhook-hmac")["vm_config"]["environment_variables"] = json!({"host_env_keys": names});
    });
    let secret = |name: &str| {
        format!(
            "whsec_0123456789abcdefSECRET{}",
            &format!("{name}0000000000000000000000").replace('_', "")[..22]
        )
    };
    let envoy = names.iter().fold(envoy, |envoy, name| envoy.env(name, &secret(name)));
    let envoy = envoy.start().await;
    assert_eq!(status(&envoy, 1, &github(&secret("GITHUB_SECRET"), "a")).await, 200);
    for path in ["/config_dump", "/stats", "/listeners", "/clusters"] {
        assert!(!envoy.admin(path).await.contains("abcdefSECRET"), "{path}");
    }
    assert!(!envoy.log().contains("abcdefSECRET"));
}
