//! The configurations that are shipped or shown: in files for Envoy, Istio and Envoy Gateway, and in documents.

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::Value;
use tests::workspace;

use super::{FILTERS, yaml};

/// The fields by one of which a block of a document is known for the configuration of a filter, or of a chain.
const BEGINNINGS: [&str; 7] = ["rules", "chain", "endpoints", "sign", "policies", "experiments", "splits"];

/// Returns every configuration that is shipped or shown: where, of which filter, and itself.
pub(super) fn shipped() -> Vec<(String, String, Value)> {
    let mut found = Vec::new();
    for folder in ["envoy", "envoy/istio", "envoy/gateway"] {
        for path in yaml_files(&workspace().join(folder)) {
            for document in documents(&path) {
                for (filter, configuration) in plugins(&document) {
                    found.push((path.display().to_string(), filter, configuration));
                }
            }
        }
    }
    for filter in FILTERS.map(|filter| filter.name) {
        for (file, comment) in [("README.md", ""), ("PROVIDERS.md", ""), ("src/lib.rs", "//!")] {
            let path = workspace().join("filters").join(filter).join(file);
            for block in blocks(&fs::read_to_string(&path).unwrap_or_default(), comment) {
                let value = yaml(&block);
                let place = format!("{}:\n{block}", path.display());
                if BEGINNINGS.iter().any(|field| value[field].is_array()) {
                    let mut plugins = Vec::new();
                    add(&mut plugins, filter, &value);
                    found.extend(plugins.into_iter().map(|(filter, value)| (place.clone(), filter, value)));
                } else {
                    found.extend(
                        plugins(&value).into_iter().map(|(filter, value)| (place.clone(), filter, value)),
                    );
                }
            }
        }
    }
    found
}

/// Returns the configurations of plugins in a document for Envoy, Istio or Envoy Gateway, those of a chain one by one.
pub(super) fn plugins(document: &Value) -> Vec<(String, Value)> {
    let mut found = Vec::new();
    if document["kind"] == "WasmPlugin" {
        add(&mut found, module(&document["spec"]["url"]), &document["spec"]["pluginConfig"]);
    }
    if document["kind"] == "EnvoyExtensionPolicy" {
        for wasm in document["spec"]["wasm"].as_array().into_iter().flatten() {
            add(&mut found, module(&wasm["code"]["image"]["url"]), &wasm["config"]);
        }
    }
    for place in ["/vm_config/code/local/filename", "/vm_config/code/remote/http_uri/uri"] {
        if let Some(code) = document.pointer(place) {
            let value = &document["configuration"]["value"];
            let value = value.as_str().map_or_else(|| value.clone(), yaml);
            add(&mut found, module(code), &value);
        }
    }
    match document {
        Value::Object(members) => found.extend(members.values().flat_map(plugins)),
        Value::Array(items) => found.extend(items.iter().flat_map(plugins)),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
    found
}

/// Returns the name of the module that is in a file or an image.
fn module(address: &Value) -> &str {
    let image = address.as_str().and_then(|address| address.rsplit('/').next()).unwrap_or_default();
    image.split([':', '@']).next().unwrap_or_default().trim_end_matches(".wasm")
}

fn add(found: &mut Vec<(String, Value)>, module: &str, configuration: &Value) {
    let Some(elements) = configuration["chain"].as_array() else {
        found.push((module.to_owned(), configuration.clone()));
        return;
    };
    for (name, value) in elements.iter().filter_map(Value::as_object).flatten() {
        if name != "name" {
            found.push((name.clone(), value.clone()));
        }
    }
}

/// Returns the blocks of YAML and JSON in a document, or in the comment at the beginning of a source file.
pub(super) fn blocks(text: &str, comment: &str) -> Vec<String> {
    let mut found = Vec::new();
    let mut block: Option<String> = None;
    for line in text.lines().map_while(|line| line.strip_prefix(comment)) {
        let line = if comment.is_empty() { line } else { line.strip_prefix(' ').unwrap_or(line) };
        match &mut block {
            None if ["```yaml", "```json"].contains(&line.trim()) => block = Some(String::new()),
            None => {}
            Some(_) if line.trim() == "```" => found.extend(block.take()),
            Some(text) => {
                text.push_str(line);
                text.push('\n');
            }
        }
    }
    found
}

/// Returns the YAML files of a folder.
pub(super) fn yaml_files(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).into_iter().flatten().map(|entry| entry.expect("an entry").path());
    entries.filter(|path| path.extension().is_some_and(|extension| extension == "yaml")).collect()
}

/// Returns the documents of a YAML file.
pub(super) fn documents(path: &Path) -> Vec<Value> {
    let text = fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    text.split("\n---\n").map(yaml).collect()
}
