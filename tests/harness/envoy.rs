//! Takes a shipped configuration to a test: free ports, the built module, the scripted upstream.

use std::ffi::OsStr;
use std::path::Path;
use std::{env, fs};

use serde_json::{Value, json};

use super::place::{dist, workspace};
use super::running::{Process, Running};
use super::upstream::Upstream;

/// An Envoy that is about to start.
pub struct Envoy {
    pub(crate) tree: Value,
    pub(crate) concurrency: u32,
    pub(crate) drain_seconds: u32,
    pub(crate) environment: Vec<(String, String)>,
    pub(crate) merged: Option<String>,
    static_listeners: bool,
}

impl Envoy {
    /// Takes a file of `envoy/`.
    pub fn from(file: &str) -> Self {
        let path = workspace().join("envoy").join(file);
        Self::from_text(
            &fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display())),
        )
    }

    /// Takes the text of a configuration.
    pub fn from_text(yaml: &str) -> Self {
        let tree = serde_norway::from_str(yaml).unwrap_or_else(|error| panic!("not YAML: {error}\n{yaml}"));
        Self {
            tree,
            concurrency: 1,
            drain_seconds: 2,
            environment: Vec::new(),
            merged: None,
            static_listeners: false,
        }
    }

    /// Sets the number of worker threads, which is one by default.
    pub fn concurrency(self, concurrency: u32) -> Self {
        Self { concurrency, ..self }
    }

    /// Sets how long requests may stay with a replaced configuration, which is two seconds by default.
    pub fn drain_seconds(self, drain_seconds: u32) -> Self {
        Self { drain_seconds, ..self }
    }

    /// Sets an environment variable of the Envoy process.
    pub fn env(mut self, name: &str, value: &str) -> Self {
        self.environment.push((name.to_owned(), value.to_owned()));
        self
    }

    /// Has Envoy add this YAML to its configuration, in its own way: `--config-yaml`.
    pub fn merge_bootstrap(self, yaml: &str) -> Self {
        Self { merged: Some(yaml.to_owned()), ..self }
    }

    /// Replaces the configuration of the only plugin.
    pub fn config(self, configuration: impl Into<Configuration>) -> Self {
        self.edit(|tree| set_configuration(tree, configuration.into()))
    }

    /// Edits the configuration in any other way, see [`plugin`].
    pub fn edit(mut self, edit: impl FnOnce(&mut Value)) -> Self {
        edit(&mut self.tree);
        self
    }

    /// Points the cluster `upstream` at a scripted upstream.
    pub fn upstream(self, upstream: &Upstream) -> Self {
        self.cluster("upstream", upstream)
    }

    /// Points the cluster of this name at a scripted upstream.
    pub fn cluster(self, name: &str, upstream: &Upstream) -> Self {
        self.cluster_on(name, upstream.port())
    }

    /// Points the cluster `upstream` at another Envoy, for a chain of them.
    pub fn in_front_of(self, next: &Running) -> Self {
        self.cluster_on("upstream", next.port())
    }

    fn cluster_on(mut self, name: &str, port: u16) -> Self {
        let cluster = cluster(&mut self.tree, name);
        cluster["type"] = json!("STATIC");
        visit(cluster, &mut |node| {
            if let Some(address) = node.pointer_mut("/endpoint/address/socket_address") {
                *address = json!({"address": "127.0.0.1", "port_value": port});
            }
        });
        self
    }

    /// Makes the cluster `upstream` speak HTTP/2, for trailers and gRPC.
    pub fn upstream_http2(mut self) -> Self {
        cluster(&mut self.tree, "upstream")["typed_extension_protocol_options"] = json!({
            "envoy.extensions.upstreams.http.v3.HttpProtocolOptions": {
                "@type": "type.googleapis.com/envoy.extensions.upstreams.http.v3.HttpProtocolOptions",
                "explicit_http_config": {"http2_protocol_options": {}},
            },
        });
        self
    }

    /// Leaves the listeners where they are, instead of moving them to a watched file for hot updates.
    pub fn static_listeners(self) -> Self {
        Self { static_listeners: true, ..self }
    }

    /// Starts Envoy and waits until it serves.
    pub async fn start(self) -> Running {
        let watched = !self.static_listeners;
        Running::serving(Process::start(self, watched), watched).await
    }

    /// Starts Envoy, which must refuse its configuration and exit; returns its log.
    pub async fn start_refused(self) -> String {
        Process::start(self, false).refused().await
    }

    /// Asserts that `envoy --mode validate` accepts this configuration.
    pub async fn validate(self) {
        Process::validate(self).accepted().await;
    }
}

/// The configuration of a plugin, in either of the forms that Envoy hands on.
pub enum Configuration {
    /// A `google.protobuf.Struct`, as when YAML is written in Envoy's own configuration.
    Struct(Value),
    /// A `google.protobuf.StringValue`, usually JSON.
    Text(String),
}

impl From<Value> for Configuration {
    fn from(value: Value) -> Self {
        Self::Struct(value)
    }
}

impl From<&str> for Configuration {
    fn from(text: &str) -> Self {
        Self::Text(text.to_owned())
    }
}

/// Finds the `PluginConfig` of the plugin with this name, for an edit.
pub fn plugin<'a>(tree: &'a mut Value, name: &str) -> &'a mut Value {
    let mut found = plugins(tree);
    let names: Vec<_> = found.iter().map(|plugin| plugin["name"].to_string()).collect();
    let position = found.iter().position(|plugin| plugin["name"] == name);
    found.swap_remove(
        position.unwrap_or_else(|| panic!("no plugin is called {name}, but {}", names.join(", "))),
    )
}

pub(crate) fn set_configuration(tree: &mut Value, configuration: Configuration) {
    let Ok([plugin]) = <[_; 1]>::try_from(plugins(tree)) else {
        panic!("there is not one plugin: use `.edit(|tree| plugin(tree, name)[\"configuration\"] = ...)`");
    };
    plugin["configuration"] = match configuration {
        Configuration::Struct(value) => {
            json!({"@type": "type.googleapis.com/google.protobuf.Struct", "value": value})
        }
        Configuration::Text(value) => {
            json!({"@type": "type.googleapis.com/google.protobuf.StringValue", "value": value})
        }
    };
}

/// Moves everything to where it is in a test. Doing it twice is doing it once.
pub(crate) fn localise(tree: &mut Value) {
    tree["admin"]["address"]["socket_address"] = json!({"address": "127.0.0.1", "port_value": 0});
    for (index, listener) in listeners(tree).iter_mut().enumerate() {
        listener["address"]["socket_address"] = json!({"address": "127.0.0.1", "port_value": 0});
        if listener["name"].is_null() {
            listener["name"] = json!(format!("listener {index}"));
        }
    }
    visit(tree, &mut |node| {
        let Some(Value::String(filename)) = node.get_mut("filename") else {
            return;
        };
        if let (Some(module), true) = (filename.rsplit('/').next(), filename.ends_with(".wasm")) {
            *filename = dist(module).display().to_string();
        }
    });
}

/// Tells whether filters that have a module of their own are tested as chains of one in the bundle: the same cases, and
/// the same answers.
pub(crate) fn is_bundle_tested() -> bool {
    env::var_os("SLUICE_TEST_BUNDLE").is_some_and(|value| value == "1")
}

/// Makes each plugin with the module of a single filter one with the bundle and a chain of this filter.
pub(crate) fn bundle(tree: &mut Value) {
    for plugin in plugins(tree) {
        let file =
            plugin.pointer("/vm_config/code/local/filename").and_then(Value::as_str).unwrap_or_default();
        let stem = Path::new(file).file_stem().and_then(OsStr::to_str).unwrap_or_default().to_owned();
        // What is no module of a filter that ships has no schema beside it: the bundle, and modules of tests.
        if !workspace().join("dist/schema").join(format!("{stem}.json")).is_file() {
            continue;
        }
        plugin["vm_config"]["code"]["local"]["filename"] = json!(dist("sluice.wasm"));
        let chain = |own: &Value| json!({"chain": [{stem.as_str(): own}]});
        match &mut plugin["configuration"]["value"] {
            Value::Null => {}
            Value::String(text) => {
                // What is no JSON is as bad in a chain.
                if let Ok(own) = serde_json::from_str(text) {
                    *text = chain(&own).to_string();
                }
            }
            own => *own = chain(own),
        }
    }
}

/// Returns what a log says without the places in the chain.
pub(crate) fn unchained(log: &str) -> String {
    let mut parts = log.split("chain[0].");
    let mut text = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        text.push_str(part.split_once('.').map_or(part, |(_, rest)| rest));
    }
    text
}

pub(crate) fn listeners(tree: &mut Value) -> &mut Vec<Value> {
    tree["static_resources"]["listeners"].as_array_mut().expect("static listeners")
}

fn cluster<'a>(tree: &'a mut Value, name: &str) -> &'a mut Value {
    let clusters = tree["static_resources"]["clusters"].as_array_mut().expect("static clusters");
    let found = clusters.iter_mut().find(|cluster| cluster["name"] == name);
    found.unwrap_or_else(|| panic!("no cluster is called {name}"))
}

/// Finds every `PluginConfig` of a wasm filter.
fn plugins(node: &mut Value) -> Vec<&mut Value> {
    let wasm = node["@type"].as_str().is_some_and(|name| name.ends_with(".http.wasm.v3.Wasm"));
    match node {
        Value::Object(fields) => {
            let wanted = move |(name, child)| {
                if wasm && name == "config" { vec![child] } else { plugins(child) }
            };
            fields.iter_mut().flat_map(wanted).collect()
        }
        Value::Array(items) => items.iter_mut().flat_map(plugins).collect(),
        _ => Vec::new(),
    }
}

fn visit(node: &mut Value, edit: &mut dyn FnMut(&mut Value)) {
    edit(node);
    match node {
        Value::Object(fields) => fields.values_mut().for_each(|child| visit(child, edit)),
        Value::Array(items) => items.iter_mut().for_each(|child| visit(child, edit)),
        _ => {}
    }
}
