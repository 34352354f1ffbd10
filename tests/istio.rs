//! What is shipped for Kubernetes: the resources of Istio and of Envoy Gateway, read as the types of their CRDs, held
//! against the files for Envoy, and run in a real Envoy as a gateway would be told.

mod alike;
mod decisions;
mod gateway;
mod kinds;
mod labels;
mod mesh;
mod policy;
mod typed;

use std::path::PathBuf;

use serde_json::Value;
use tests::workspace;

/// Returns the path of a file below `envoy/`.
fn path(file: &str) -> PathBuf {
    workspace().join("envoy").join(file)
}

/// Returns the files for Kubernetes, as names below `envoy/`, in order.
fn files() -> Vec<String> {
    let mut found = Vec::new();
    for folder in ["istio", "gateway"] {
        for entry in std::fs::read_dir(path(folder)).expect("a folder") {
            let name = entry.expect("an entry").file_name();
            found.push(format!("{folder}/{}", name.to_str().expect("a name")));
        }
    }
    found.sort();
    assert!(found.len() > 12, "found only {found:?}");
    found
}

fn text(file: &str) -> String {
    std::fs::read_to_string(path(file)).unwrap_or_else(|error| panic!("{file}: {error}"))
}

/// Returns the resources of a file.
fn resources(file: &str) -> Vec<Value> {
    parsed(file, &text(file))
}

fn parsed(file: &str, text: &str) -> Vec<Value> {
    let read =
        |text| serde_norway::from_str(text).unwrap_or_else(|error| panic!("{file}: not YAML: {error}"));
    text.split("\n---\n").map(read).collect()
}

/// Returns the resource of this kind.
fn resource(file: &str, kind: &str) -> Value {
    let found = resources(file).into_iter().find(|resource| resource["kind"] == kind);
    found.unwrap_or_else(|| panic!("{file} has no {kind}"))
}
