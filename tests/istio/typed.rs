//! A document as the type of its kind, with nothing lost on the way: what a type doesn't know, it would pass over.

use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::core::v1::ConfigMap;
use kcr_extensions_istio_io::v1alpha1::wasmplugins::WasmPlugin;
use kcr_networking_istio_io::v1::destinationrules::DestinationRule;
use kcr_networking_istio_io::v1::serviceentries::ServiceEntry;
use kcr_networking_istio_io::v1alpha3::envoyfilters::EnvoyFilter;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::policy::{Policy, Proxy};

/// Reads a document as a type, which must be able to say all of it again.
pub(super) fn read<T: DeserializeOwned + Serialize>(document: &Value) -> Result<T, String> {
    let typed: T = serde_json::from_value(document.clone()).map_err(|error| error.to_string())?;
    let again = serde_json::to_value(&typed).map_err(|error| error.to_string())?;
    let lost = lost("", document, &again);
    if lost.is_empty() { Ok(typed) } else { Err(format!("unknown: {}", lost.join(", "))) }
}

/// Reads a document as the type of its kind.
pub(super) fn check(document: &Value) -> Result<(), String> {
    let text = |field: &str| document[field].as_str().unwrap_or_default().to_owned();
    let (version, kind) = (text("apiVersion"), text("kind"));
    match (version.as_str(), kind.as_str()) {
        ("extensions.istio.io/v1alpha1", "WasmPlugin") => read::<WasmPlugin>(document).map(drop),
        ("networking.istio.io/v1alpha3", "EnvoyFilter") => read::<EnvoyFilter>(document).map(drop),
        ("networking.istio.io/v1", "ServiceEntry") => read::<ServiceEntry>(document).map(drop),
        ("networking.istio.io/v1", "DestinationRule") => read::<DestinationRule>(document).map(drop),
        ("gateway.envoyproxy.io/v1alpha1", "EnvoyExtensionPolicy") => read::<Policy>(document)?.validated(),
        ("gateway.envoyproxy.io/v1alpha1", "EnvoyProxy") => read::<Proxy>(document).map(drop),
        ("apps/v1", "Deployment") => read::<Deployment>(document).map(drop),
        ("v1", "ConfigMap") => read::<ConfigMap>(document).map(drop),
        _ => Err(format!("there is no type for {kind:?} of {version:?}")),
    }
}

/// Returns where the first has something that the second has not.
fn lost(at: &str, before: &Value, after: &Value) -> Vec<String> {
    match (before, after) {
        (Value::Object(before), Value::Object(after)) => {
            let member = |name: &String| after.get(name).unwrap_or(&Value::Null);
            before
                .iter()
                .flat_map(|(name, value)| lost(&format!("{at}/{name}"), value, member(name)))
                .collect()
        }
        (Value::Array(before), Value::Array(after)) if before.len() == after.len() => {
            let both = before.iter().zip(after).enumerate();
            both.flat_map(|(index, (before, after))| lost(&format!("{at}/{index}"), before, after)).collect()
        }
        _ if before == after => Vec::new(),
        _ => vec![at.to_owned()],
    }
}
