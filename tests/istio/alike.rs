//! The files for Kubernetes say the same as those for Envoy, and as each other, but where they can't.

use std::collections::BTreeSet;

use serde_json::Value;

use super::{files, mesh, resource, resources};

/// Where a configuration stands: a file, a kind of resource, and a place in it.
type Place = (&'static str, &'static str, &'static str);

const OF_PLUGIN: &str = "/spec/pluginConfig";
const OF_POLICY: &str = "/spec/wasm/0/config";
const OF_FILTER: &str = "/spec/configPatches/0/patch/value/typed_config/config/configuration/value";
const OF_ENVOY: &str = "/static_resources/listeners/0/filter_chains/0/filters/0/typed_config/http_filters/0/typed_config/config/configuration/value";

/// Where an issuer's keys are, which each finds by another cluster.
const KEYS: [&str; 2] =
    ["/chain/2/jwt-auth/providers/0/keys/cluster", "/chain/2/jwt-auth/providers/0/keys/uri"];

fn configuration((file, kind, pointer): Place) -> Value {
    let document = if kind.is_empty() { resources(file).remove(0) } else { resource(file, kind) };
    document.pointer(pointer).unwrap_or_else(|| panic!("{file}: there is no {pointer}")).clone()
}

/// Returns where two values are not the same.
fn differences(at: &str, one: &Value, other: &Value, found: &mut BTreeSet<String>) {
    match (one, other) {
        (Value::Object(ones), Value::Object(others)) => {
            for name in ones.keys().chain(others.keys()) {
                differences(&format!("{at}/{name}"), &one[name], &other[name], found);
            }
        }
        (Value::Array(ones), Value::Array(others)) if ones.len() == others.len() => {
            for (index, (one, other)) in ones.iter().zip(others).enumerate() {
                differences(&format!("{at}/{index}"), one, other, found);
            }
        }
        _ if one == other => {}
        _ => drop(found.insert(at.to_owned())),
    }
}

#[test]
fn resources_say_what_the_files_for_envoy_say_but_where_they_cannot() {
    const CHAIN: Place = ("chain.yaml", "", OF_ENVOY);
    const PLUGIN: Place = ("istio/sluice.yaml", "WasmPlugin", OF_PLUGIN);
    let strong = ["/chain/1/webhook-hmac/hold", "/chain/2/jwt-auth/realm"];
    let weak = ["/chain/1/webhook-hmac/headers", "/chain/1/webhook-hmac/hold", "/chain/2/jwt-auth/realm"];
    for (one, other, wanted) in [
        (PLUGIN, CHAIN, [&weak[..], &KEYS].concat()),
        (("istio/sluice-envoyfilter.yaml", "EnvoyFilter", OF_FILTER), CHAIN, [&strong[..], &KEYS].concat()),
        (("gateway/sluice.yaml", "EnvoyExtensionPolicy", OF_POLICY), PLUGIN, vec![KEYS[0]]),
        (
            ("gateway/rate-limit.yaml", "EnvoyExtensionPolicy", OF_POLICY),
            ("istio/rate-limit.yaml", "WasmPlugin", OF_PLUGIN),
            vec![],
        ),
        (
            ("gateway/jwt-auth.yaml", "EnvoyExtensionPolicy", OF_POLICY),
            ("istio/jwt-auth.yaml", "WasmPlugin", OF_PLUGIN),
            vec!["/providers/0/keys/cluster"],
        ),
        (
            ("gateway/webhook-hmac.yaml", "EnvoyExtensionPolicy", OF_POLICY),
            ("istio/webhook-hmac.yaml", "WasmPlugin", OF_PLUGIN),
            vec![],
        ),
        (
            ("gateway/retry-headers.yaml", "EnvoyExtensionPolicy", OF_POLICY),
            ("istio/retry-headers.yaml", "WasmPlugin", OF_PLUGIN),
            vec![],
        ),
        (
            ("gateway/fault-injection.yaml", "EnvoyExtensionPolicy", OF_POLICY),
            ("istio/fault-injection.yaml", "WasmPlugin", OF_PLUGIN),
            vec![],
        ),
        (
            ("istio/webhook-hmac-envoyfilter.yaml", "EnvoyFilter", OF_FILTER),
            ("istio/webhook-hmac.yaml", "WasmPlugin", OF_PLUGIN),
            vec!["/headers", "/hold"],
        ),
    ] {
        let mut found = BTreeSet::new();
        differences("", &configuration(one), &configuration(other), &mut found);
        let wanted: BTreeSet<String> = wanted.into_iter().map(str::to_owned).collect();
        assert_eq!(found, wanted, "{} and {}", one.0, other.0);
    }
}

#[test]
fn plugins_of_their_own_come_in_the_order_of_the_chain() {
    let chain = configuration(("chain.yaml", "", OF_ENVOY))["chain"].clone();
    let names = chain.as_array().expect("a chain").iter().filter(|element| element["name"].is_null());
    let names: Vec<String> =
        names.flat_map(|element| element.as_object().expect("a filter").keys().cloned()).collect();
    let files: Vec<String> = names.iter().rev().map(|name| format!("istio/{name}.yaml")).collect();
    assert_eq!(mesh::order(&files.iter().map(String::as_str).collect::<Vec<_>>()), names);
}

/// Returns the variables that a configuration takes secrets from.
fn named(configuration: &Value) -> BTreeSet<String> {
    match configuration {
        Value::Object(members) => {
            let own = members.get("env").and_then(Value::as_str).map(str::to_owned);
            own.into_iter().chain(members.values().flat_map(named)).collect()
        }
        Value::Array(items) => items.iter().flat_map(named).collect(),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => BTreeSet::new(),
    }
}

/// Returns the texts at a place in each element of a list.
fn texts(list: &Value, pointer: &str) -> BTreeSet<String> {
    let items = list.as_array().into_iter().flatten().filter_map(|item| item.pointer(pointer));
    items.filter_map(Value::as_str).map(str::to_owned).collect()
}

#[test]
fn each_secret_that_a_configuration_names_is_handed_over_by_its_resource_and_by_the_gateway() {
    let deployment = resource("istio/gateway.yaml", "Deployment");
    let istio = texts(&deployment["spec"]["template"]["spec"]["containers"][0]["env"], "/name");
    let proxy = resource("gateway/envoyproxy.yaml", "EnvoyProxy");
    let gateway =
        texts(&proxy["spec"]["provider"]["kubernetes"]["envoyDeployment"]["container"]["env"], "/name");
    let mut all = BTreeSet::new();
    for file in files() {
        for resource in resources(&file) {
            let (variables, names) = match resource["kind"].as_str() {
                Some("WasmPlugin") => (
                    texts(&resource["spec"]["vmConfig"]["env"], "/name"),
                    named(&resource["spec"]["pluginConfig"]),
                ),
                Some("EnvoyFilter") => {
                    let config = resource
                        .pointer("/spec/configPatches/0/patch/value/typed_config/config")
                        .expect("it");
                    let variables = &config["vm_config"]["environment_variables"]["host_env_keys"];
                    (texts(variables, ""), named(&config["configuration"]))
                }
                Some("EnvoyExtensionPolicy") => {
                    let wasm = &resource["spec"]["wasm"][0];
                    (texts(&wasm["env"]["hostKeys"], ""), named(&wasm["config"]))
                }
                _ => continue,
            };
            assert_eq!(variables, names, "{file}");
            let offered = if file.starts_with("istio/") { &istio } else { &gateway };
            assert!(names.is_subset(offered), "{file}: {names:?} of {offered:?}");
            all.extend(names);
        }
    }
    assert_eq!(gateway, all, "what a gateway is given, and nobody wants");
    assert_eq!(istio.len(), all.len() + 1, "and where its bootstrap is");
}
