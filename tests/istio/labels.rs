//! Metrics by filter, rule and outcome, as the gateway's own start says it.

use k8s_openapi::api::core::v1::ConfigMap;
use serde_json::Value;
use tests::{Envoy, get};

use super::gateway::Gateway;
use super::mesh::{policy, wasm_plugin};
use super::policy::Proxy;
use super::{parsed, resource, resources, typed};

/// Returns what Istio's agent hands to Envoy beside the bootstrap of Istio.
fn istio() -> String {
    let map: ConfigMap = typed::read(&resource("istio/gateway.yaml", "ConfigMap")).expect("a ConfigMap");
    let data = map.data.expect("data");
    // The Deployment mounts it, and says where it is.
    let deployment = resource("istio/gateway.yaml", "Deployment");
    let at = |pointer: &str| deployment.pointer(pointer).and_then(Value::as_str).expect("a text").to_owned();
    assert_eq!(at("/spec/template/spec/volumes/0/configMap/name"), map.metadata.name.expect("a name"));
    let container = "/spec/template/spec/containers/0";
    assert_eq!(at(&format!("{container}/name")), "istio-proxy");
    assert_eq!(at(&format!("{container}/volumeMounts/0/name")), at("/spec/template/spec/volumes/0/name"));
    assert_eq!(at(&format!("{container}/env/0/name")), "ISTIO_BOOTSTRAP_OVERRIDE");
    let file = at(&format!("{container}/env/0/value"));
    let mount = at(&format!("{container}/volumeMounts/0/mountPath"));
    let name = file.strip_prefix(&format!("{mount}/")).expect("a file in what is mounted");
    data.get(name).expect("the file").clone()
}

/// Returns what Envoy Gateway adds to its bootstrap.
fn envoy_gateway() -> String {
    let proxy: Proxy = typed::read(&resources("gateway/envoyproxy.yaml")[0]).expect("an EnvoyProxy");
    proxy.spec.bootstrap.value
}

#[test]
fn both_gateways_cut_the_same_labels_as_the_chain_does() {
    let chain = resources("chain.yaml").remove(0);
    for (name, text) in [("Istio", istio()), ("Envoy Gateway", envoy_gateway())] {
        let bootstrap = parsed(name, &text).remove(0);
        assert_eq!(bootstrap["stats_config"], chain["stats_config"], "{name}");
    }
}

/// Decides one thing for and one against, and returns what Prometheus gets.
async fn prometheus(gateway: &Gateway) -> String {
    for (path, wanted) in [("/healthz", 200), ("/profile", 401)] {
        assert_eq!(get(gateway.port(), path).await.status, wanted);
    }
    gateway.envoy.prometheus().await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn prometheus_gets_filter_rule_and_outcome_as_labels_in_istio() {
    let plugin = || vec![wasm_plugin("istio/sluice.yaml")];
    let plain = prometheus(&Gateway::start(plugin()).await).await;
    assert!(plain.contains("sluice_jwt_auth_decisions_total_users_denied{} 1"), "{plain}");

    let labelled = |envoy: Envoy| envoy.merge_bootstrap(&istio());
    let told = prometheus(&Gateway::start_with(plugin(), labelled).await).await;
    for line in [
        r#"sluice_decisions_total{outcome="denied",rule="users",filter="jwt-auth"} 1"#,
        r#"sluice_decisions_total{outcome="anonymous",rule="health",filter="jwt-auth"} 1"#,
        r#"sluice_decisions_total{outcome="admitted",rule="address",filter="flood"} 2"#,
        r#"sluice_refusals_total{reason="missing",filter="jwt-auth"} 1"#,
    ] {
        assert!(told.contains(line), "{line} is not in\n{told}");
    }
    let unlabelled = told.lines().find(|line| line.contains("_decisions_total_"));
    assert_eq!(unlabelled, None, "{told}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn prometheus_gets_filter_rule_and_outcome_as_labels_in_envoy_gateway() {
    // The cluster of the issuer is in there as well: in place of the one that the test made.
    let authorities =
        ["/etc/ssl/certs/ca-certificates.crt", "/etc/pki/tls/certs/ca-bundle.crt", "/etc/ssl/cert.pem"];
    let here =
        authorities.into_iter().find(|path| std::path::Path::new(path).is_file()).expect("authorities");
    // Nobody has to look up its name here.
    let bootstrap = envoy_gateway()
        .replace(authorities[0], here)
        .replace("socket_address: {address: issuer.example.com,", "socket_address: {address: 127.0.0.1,");
    assert!(bootstrap.contains("address: 127.0.0.1"), "{bootstrap}");
    let gateway = Gateway::start_with(vec![policy("gateway/sluice.yaml")], |envoy| {
        let without = envoy.edit(|tree| {
            let clusters = tree["static_resources"]["clusters"].as_array_mut().expect("clusters");
            clusters.retain(|cluster| cluster["name"] != "issuer");
        });
        without.merge_bootstrap(&bootstrap)
    });
    let gateway = gateway.await;
    let told = prometheus(&gateway).await;
    for line in [
        r#"sluice_decisions_total{outcome="denied",rule="users",filter="jwt-auth"} 1"#,
        r#"sluice_decisions_total{outcome="admitted",rule="address",filter="flood"} 2"#,
    ] {
        assert!(told.contains(line), "{line} is not in\n{told}");
    }
    let clusters = gateway.envoy.admin("/config_dump?resource=static_clusters").await;
    assert!(clusters.contains("match_typed_subject_alt_names"), "{clusters}");
}
