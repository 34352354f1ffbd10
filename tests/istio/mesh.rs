//! From a resource to what its control plane tells Envoy, as their sources say:
//!
//! - Istio: `istiod` makes a plugin of a WasmPlugin (`pilot/pkg/model/extensions.go`), gives it a place among the filters
//!   (`pilot/pkg/networking/core/extension/wasmplugin.go`), and applies EnvoyFilters; the agent beside Envoy fetches the
//!   module and says where the file is (`pkg/wasm/convert.go`).
//! - Envoy Gateway: `internal/xds/translator/wasm.go`.

use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::fs;

use kcr_extensions_istio_io::v1alpha1::wasmplugins::{
    WasmPlugin, WasmPluginFailStrategy, WasmPluginPhase, WasmPluginVmConfigEnvValueFrom,
};
use kcr_networking_istio_io::v1alpha3::envoyfilters::{
    EnvoyFilter, EnvoyFilterConfigPatchesApplyTo, EnvoyFilterConfigPatchesMatchContext,
    EnvoyFilterConfigPatchesPatchOperation,
};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use tests::dist;

use super::policy::Policy;
use super::{resource, typed};

const WASM: &str = "type.googleapis.com/envoy.extensions.filters.http.wasm.v3.Wasm";
const RBAC: &str = "type.googleapis.com/envoy.extensions.filters.http.rbac.v3.RBAC";

/// The cluster from which proxies of Envoy Gateway fetch modules.
pub(super) const MODULES: &str = "wasm_cluster";

/// What a gateway is told of one plugin.
pub(super) struct Told {
    /// Its place among the filters.
    pub(super) filter: Value,
    /// What it is, where that is discovered: an extension of this name. Elsewhere it stands in its place.
    pub(super) extension: Option<Value>,
    /// The variables of the process that it sees.
    pub(super) variables: Vec<String>,
}

impl Told {
    /// Returns its configuration.
    pub(super) fn config(&mut self) -> &mut Value {
        let place = self.extension.as_mut().unwrap_or(&mut self.filter);
        &mut place["typed_config"]["config"]
    }
}

/// What Istio makes of a WasmPlugin.
pub(super) fn wasm_plugin(file: &str) -> Told {
    let plugin: WasmPlugin = read(file, "WasmPlugin");
    let name = resource_name(&plugin);
    let variables: Vec<String> = variables(&plugin);
    let mut config = json!({
        "name": name,
        "root_id": plugin.spec.plugin_name.clone().unwrap_or_default(),
        "failure_policy": match plugin.spec.fail_strategy {
            None | Some(WasmPluginFailStrategy::FailClose) => "FAIL_CLOSED",
            Some(WasmPluginFailStrategy::FailOpen) => "FAIL_OPEN",
            Some(WasmPluginFailStrategy::FailReload) => "FAIL_RELOAD",
        },
        "vm_config": {
            "runtime": "envoy.wasm.runtime.v8",
            "code": {"local": {"filename": module(&plugin.spec.url)}},
        },
    });
    // Its own variables (`ISTIO_META_...`) Istio takes away before Envoy sees them, and what is left of them with them.
    if !variables.is_empty() {
        config["vm_config"]["environment_variables"] = json!({"host_env_keys": variables});
    }
    if let Some(configuration) = plugin.spec.plugin_config.filter(|configuration| !configuration.is_empty()) {
        let text = structured(&json!(configuration)).to_string();
        config["configuration"] =
            json!({"@type": "type.googleapis.com/google.protobuf.StringValue", "value": text});
    }
    let name = format!("extensions.istio.io/wasmplugin/{name}");
    Told {
        filter: json!({
            "name": name,
            "config_discovery": {
                "config_source": {"ads": {}, "initial_fetch_timeout": "0s", "resource_api_version": "V3"},
                "type_urls": [WASM, RBAC],
            },
        }),
        extension: Some(json!({"name": name, "typed_config": {"@type": WASM, "config": config}})),
        variables,
    }
}

/// What Istio makes of an EnvoyFilter that adds one filter before all others of a gateway.
pub(super) fn envoy_filter(file: &str) -> Told {
    let filter: EnvoyFilter = read(file, "EnvoyFilter");
    let mut patches = BTreeMap::new();
    for patch in filter.spec.config_patches.expect("patches") {
        let context = patch.r#match.and_then(|about| about.context);
        assert_eq!(context, Some(EnvoyFilterConfigPatchesMatchContext::Gateway), "{file}");
        let (apply_to, patch) = (patch.apply_to.expect("applyTo"), patch.patch.expect("a patch"));
        let place = match (apply_to, patch.operation.expect("an operation")) {
            (
                EnvoyFilterConfigPatchesApplyTo::ExtensionConfig,
                EnvoyFilterConfigPatchesPatchOperation::Add,
            ) => "what",
            (
                EnvoyFilterConfigPatchesApplyTo::HttpFilter,
                EnvoyFilterConfigPatchesPatchOperation::InsertFirst,
            ) => "where",
            other => panic!("{file}: another patch than this test knows: {other:?}"),
        };
        assert!(
            patches.insert(place, json!(patch.value.expect("a value"))).is_none(),
            "{file}: {place} twice"
        );
    }
    let (mut extension, filter) =
        (patches.remove("what").expect("what"), patches.remove("where").expect("where"));
    assert_eq!(extension["name"], filter["name"], "{file}: the place finds what it is by its name");
    // The agent only looks at what is discovered and has to be fetched, and puts RBAC there if it can't be.
    assert!(filter["typed_config"].is_null() && extension["typed_config"]["@type"] == WASM, "{file}");
    assert_eq!(filter["config_discovery"]["type_urls"], json!([WASM, RBAC]), "{file}");
    let machine = &mut extension["typed_config"]["config"]["vm_config"];
    let variables = machine["environment_variables"]["host_env_keys"].as_array().expect("variables").clone();
    let url =
        machine.pointer("/code/remote/http_uri/uri").and_then(Value::as_str).expect("an address").to_owned();
    machine["code"] = json!({"local": {"filename": module(&url)}});
    let variables = variables.iter().map(|name| name.as_str().expect("a name").to_owned()).collect();
    Told { filter, extension: Some(extension), variables }
}

/// What Envoy Gateway makes of the only module of an EnvoyExtensionPolicy.
pub(super) fn policy(file: &str) -> Told {
    let policy: Policy = read(file, "EnvoyExtensionPolicy");
    policy.validated().unwrap_or_else(|problems| panic!("{file}: {problems}"));
    let [wasm] = policy.spec.wasm.as_slice() else { panic!("{file}: not one module") };
    let id = format!("envoyextensionpolicy/{}/{}/wasm/0", policy.metadata.namespace, policy.metadata.name);
    let variables = wasm.env.as_ref().map(|env| env.host_keys.clone()).unwrap_or_default();
    let mut machine = json!({
        "vm_id": id,
        "runtime": "envoy.wasm.runtime.v8",
        "code": {"local": {"filename": module(&wasm.code.image.as_ref().expect("an image").url)}},
    });
    if !variables.is_empty() {
        machine["environment_variables"] = json!({"host_env_keys": variables});
    }
    let text = wasm.config.as_ref().map(Value::to_string).unwrap_or_default();
    let config = json!({
        "name": wasm.name,
        "root_id": wasm.root_id.clone().unwrap_or_default(),
        "vm_config": machine,
        "configuration": {"@type": "type.googleapis.com/google.protobuf.StringValue", "value": text},
        "fail_open": wasm.fail_open.unwrap_or_default(),
    });
    // It is switched on by the routes that it is for.
    let filter = json!({
        "name": format!("envoy.filters.http.wasm/{id}"),
        "disabled": true,
        "typed_config": {"@type": WASM, "config": config},
    });
    Told { filter, extension: None, variables }
}

/// The same as it is told in fact: Envoy Gateway has pulled the module, and proxies fetch it from there while they run.
pub(super) fn fetched(file: &str) -> Told {
    let mut told = policy(file);
    let code = &mut told.config()["vm_config"]["code"];
    let module = code["local"]["filename"].as_str().expect("a file").to_owned();
    let sum = Sha256::digest(fs::read(&module).expect("a module"));
    let sum: String = sum.iter().map(|byte| format!("{byte:02x}")).collect();
    let uri = format!("https://envoy-gateway:18002{module}");
    let http_uri = json!({"uri": uri, "cluster": MODULES, "timeout": "10s"});
    *code = json!({"remote": {"http_uri": http_uri, "sha256": sum}});
    told
}

/// Returns the names of plugins in the order in which Istio runs them.
pub(super) fn order(files: &[&str]) -> Vec<String> {
    let mut plugins: Vec<WasmPlugin> = files.iter().map(|file| read(file, "WasmPlugin")).collect();
    plugins.sort_by_key(|plugin| {
        let phase = match plugin.spec.phase {
            Some(WasmPluginPhase::Authn) => 0,
            Some(WasmPluginPhase::Authz) => 1,
            Some(WasmPluginPhase::Stats) => 2,
            Some(WasmPluginPhase::UnspecifiedPhase) | None => 3,
        };
        (phase, Reverse(plugin.spec.priority), resource_name(plugin))
    });
    plugins.iter().map(|plugin| plugin.metadata.name.clone().expect("a name")).collect()
}

/// Returns the variables of the process that a plugin sees.
fn variables(plugin: &WasmPlugin) -> Vec<String> {
    let all = plugin.spec.vm_config.as_ref().and_then(|machine| machine.env.clone()).unwrap_or_default();
    let hosts = all.into_iter().map(|variable| {
        assert_eq!(variable.value_from, Some(WasmPluginVmConfigEnvValueFrom::Host), "{}", variable.name);
        variable.name
    });
    hosts.collect()
}

fn resource_name(plugin: &WasmPlugin) -> String {
    let name = |name: &Option<String>| name.clone().expect("a name");
    format!("{}.{}", name(&plugin.metadata.namespace), name(&plugin.metadata.name))
}

fn read<T: serde::de::DeserializeOwned + serde::Serialize>(file: &str, kind: &str) -> T {
    typed::read(&resource(file, kind)).unwrap_or_else(|problem| panic!("{file}: {problem}"))
}

/// Returns the file of the module that an address stands for.
fn module(url: &str) -> String {
    let image = url.rsplit('/').next().unwrap_or_default();
    let name = image.split([':', '@']).next().unwrap_or_default().trim_end_matches(".wasm");
    dist(&format!("{name}.wasm")).display().to_string()
}

/// Makes of numbers what a Struct makes of them, which knows floats only, and says whole ones without a point.
fn structured(value: &Value) -> Value {
    match value {
        Value::Number(number) => {
            let float = number.as_f64().expect("a float");
            let whole = format!("{float}").parse::<i64>();
            whole.map_or_else(|_| json!(float), |whole| json!(whole))
        }
        Value::Array(items) => items.iter().map(structured).collect(),
        Value::Object(members) => {
            Value::Object(members.iter().map(|(name, member)| (name.clone(), structured(member))).collect())
        }
        Value::Null | Value::Bool(_) | Value::String(_) => value.clone(),
    }
}
