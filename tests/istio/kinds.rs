//! Every resource is one that its CRD describes, and the check would notice if it were not.

use serde_json::{Value, json};

use super::{files, parsed, resource, resources, text, typed};

/// Where a CRD lets anything stand: the configurations of filters and of Envoy, labels, and the files of a ConfigMap.
const FREE: [&str; 6] = ["pluginConfig", "config", "value", "matchLabels", "labels", "data"];

#[test]
fn every_resource_is_one_that_its_crd_describes() {
    for file in files() {
        let text = text(&file);
        // What is to be filled in has to be right as well.
        let filled = text.replace("# sha256: ", "sha256: ");
        for text in [text, filled] {
            for resource in parsed(&file, &text) {
                typed::check(&resource)
                    .unwrap_or_else(|problem| panic!("{file}: {}: {problem}", resource["kind"]));
            }
        }
    }
}

/// Returns where the objects of a resource are that have no field beyond those of the CRD.
fn described(at: &str, value: &Value, found: &mut Vec<String>) {
    match value {
        Value::Object(members) => {
            found.push(at.to_owned());
            for (name, member) in members.iter().filter(|(name, _)| !FREE.contains(&name.as_str())) {
                described(&format!("{at}/{name}"), member, found);
            }
        }
        Value::Array(items) => {
            for (index, item) in items.iter().enumerate() {
                described(&format!("{at}/{index}"), item, found);
            }
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

#[test]
fn a_field_that_a_crd_does_not_have_is_refused_wherever_it_stands() {
    let mut tried = 0;
    for file in files() {
        for resource in resources(&file) {
            let mut places = Vec::new();
            described("", &resource, &mut places);
            for place in places {
                let mut changed = resource.clone();
                changed.pointer_mut(&place).expect("a place")["qqqqqqqq"] = json!("x");
                let problem =
                    typed::check(&changed).expect_err(&format!("{file}: nobody minds {place}/qqqqqqqq"));
                assert!(problem.contains("qqqqqqqq"), "{file}: {place}: {problem}");
                tried += 1;
            }
        }
    }
    assert!(tried > 100, "only {tried} objects");
}

#[test]
fn a_word_or_a_kind_of_value_that_a_crd_does_not_have_is_refused() {
    let plugin = ("istio/webhook-hmac.yaml", "WasmPlugin");
    let filter = ("istio/sluice-envoyfilter.yaml", "EnvoyFilter");
    let policy = ("gateway/webhook-hmac.yaml", "EnvoyExtensionPolicy");
    for ((file, kind), place, wrong) in [
        (plugin, "/apiVersion", json!("extensions.istio.io/v1")),
        (plugin, "/kind", json!("WasmPlugins")),
        (plugin, "/spec/phase", json!("FIRST")),
        (plugin, "/spec/priority", json!("high")),
        (plugin, "/spec/failStrategy", json!("FAIL_CLOSED")),
        (plugin, "/spec/imagePullPolicy", json!("Never")),
        (plugin, "/spec/match/0/mode", json!("GATEWAY")),
        (plugin, "/spec/vmConfig/env/0/valueFrom", json!("SECRET")),
        (plugin, "/spec/url", Value::Null),
        (filter, "/spec/configPatches/0/applyTo", json!("EXTENSION")),
        (filter, "/spec/configPatches/1/match/context", json!("INGRESS")),
        (filter, "/spec/configPatches/1/patch/operation", json!("PREPEND")),
        (policy, "/spec/targetRefs/0/kind", json!("Service")),
        (policy, "/spec/wasm/0/code/type", json!("ConfigMap")),
        (policy, "/spec/wasm/0/code/type", json!("HTTP")),
        (policy, "/spec/wasm/0/code/pullPolicy", json!("Never")),
        (
            policy,
            "/spec/wasm/0/code/image/url",
            json!("oci://registry.example.com/sluice/webhook-hmac:0.1.0"),
        ),
        (policy, "/spec/wasm/0/code/image/sha256", json!("sha256:00")),
        (policy, "/spec/wasm/0/failOpen", json!("no")),
        (("gateway/envoyproxy.yaml", "EnvoyProxy"), "/spec/bootstrap/type", json!("Append")),
    ] {
        let mut changed = resource(file, kind);
        assert!(typed::check(&changed).is_ok(), "{file}");
        let (parent, field) = place.rsplit_once('/').expect("a pointer");
        changed.pointer_mut(parent).unwrap_or_else(|| panic!("{file}: no {parent}"))[field] = wrong.clone();
        assert!(typed::check(&changed).is_err(), "{file}: nobody minds {wrong} at {place}");
    }
}

#[test]
fn a_wasm_plugin_has_nothing_that_istio_passes_over() {
    for file in files().iter().filter(|file| file.starts_with("istio/")) {
        for plugin in resources(file).iter().filter(|resource| resource["kind"] == "WasmPlugin") {
            let spec = &plugin["spec"];
            assert!(spec["selector"].is_null() || spec["targetRefs"].is_null(), "{file}: both choose pods");
            // Istio doesn't implement the one, and has the other for old files alone.
            assert!(spec["verificationKey"].is_null() && spec["targetRef"].is_null(), "{file}");
            for field in ["phase", "priority", "match", "failStrategy", "imagePullPolicy"] {
                assert!(!spec[field].is_null(), "{file} leaves {field} to Istio");
            }
            for variable in spec["vmConfig"]["env"].as_array().into_iter().flatten() {
                assert_eq!(
                    variable["valueFrom"], "HOST",
                    "{file}: a secret for everybody who may read plugins"
                );
            }
        }
    }
}
