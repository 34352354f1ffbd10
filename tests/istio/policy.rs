//! The types of Envoy Gateway, as far as modules are concerned. No crate has them, so they are written after its API
//! reference (gateway.envoyproxy.io/docs/api/extension_types), with nothing unknown allowed, and its rules beside them.

use k8s_openapi::api::core::v1::EnvVar;
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// An EnvoyExtensionPolicy.
#[derive(Deserialize, Serialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct Policy {
    api_version: String,
    kind: String,
    pub(super) metadata: Metadata,
    pub(super) spec: PolicySpec,
}

#[derive(Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Metadata {
    pub(super) name: String,
    pub(super) namespace: String,
}

/// What modules need of a policy, which can also have `extProc`, `lua` and `targetSelectors`.
#[derive(Deserialize, Serialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct PolicySpec {
    target_refs: Vec<TargetRef>,
    pub(super) wasm: Vec<Wasm>,
}

#[derive(Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
struct TargetRef {
    group: String,
    kind: String,
    name: String,
}

#[derive(Deserialize, Serialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct Wasm {
    pub(super) name: String,
    #[serde(rename = "rootID", default, skip_serializing_if = "Option::is_none")]
    pub(super) root_id: Option<String>,
    pub(super) code: Code,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) config: Option<Value>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) fail_open: Option<bool>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) env: Option<Env>,
}

#[derive(Deserialize, Serialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct Env {
    pub(super) host_keys: Vec<String>,
}

#[derive(Deserialize, Serialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct Code {
    r#type: CodeType,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    http: Option<Http>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) image: Option<Image>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pull_policy: Option<PullPolicy>,
}

#[derive(Deserialize, Serialize, PartialEq)]
enum CodeType {
    #[serde(rename = "HTTP")]
    Http,
    Image,
}

#[derive(Deserialize, Serialize)]
enum PullPolicy {
    IfNotPresent,
    Always,
}

#[derive(Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
struct Http {
    url: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    sha256: Option<String>,
}

#[derive(Deserialize, Serialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct Image {
    pub(super) url: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    sha256: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pull_secret_ref: Option<SecretRef>,
}

#[derive(Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
struct SecretRef {
    name: String,
}

impl Policy {
    /// Checks what the CRD says in rules, and not in types.
    pub(super) fn validated(&self) -> Result<(), String> {
        let right =
            self.api_version == "gateway.envoyproxy.io/v1alpha1" && self.kind == "EnvoyExtensionPolicy";
        let mut problems = Vec::new();
        let mut must = |holds: bool, what: &str| {
            if !holds {
                problems.push(what.to_owned());
            }
        };
        must(right, "another kind");
        must(!self.spec.target_refs.is_empty(), "targetRefs must be there");
        for target in &self.spec.target_refs {
            must(
                target.group == "gateway.networking.k8s.io",
                "targetRefs[].group must be gateway.networking.k8s.io",
            );
            must(["Gateway", "HTTPRoute", "GRPCRoute"].contains(&target.kind.as_str()), "targetRefs[].kind");
            must(!target.name.is_empty(), "targetRefs[].name");
        }
        must((1..=16).contains(&self.spec.wasm.len()), "wasm has 1 to 16 elements");
        for Wasm { code, .. } in &self.spec.wasm {
            must((code.r#type == CodeType::Http) == code.http.is_some(), "http stands with type: HTTP");
            must((code.r#type == CodeType::Image) == code.image.is_some(), "image stands with type: Image");
            let sums =
                [code.http.as_ref().map(|http| &http.sha256), code.image.as_ref().map(|image| &image.sha256)];
            for sum in sums.into_iter().flatten().flatten() {
                let hex = |byte: u8| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte);
                must(sum.len() == 64 && sum.bytes().all(hex), "sha256 has 64 hexadecimal digits");
            }
            // An image has no scheme, or Envoy Gateway takes it for the name of a registry.
            must(
                !code.image.as_ref().is_some_and(|image| image.url.contains("://")),
                "image.url has no scheme",
            );
        }
        if problems.is_empty() { Ok(()) } else { Err(problems.join(", ")) }
    }
}

/// An EnvoyProxy.
#[derive(Deserialize, Serialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct Proxy {
    api_version: String,
    kind: String,
    metadata: Metadata,
    pub(super) spec: ProxySpec,
}

#[derive(Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ProxySpec {
    pub(super) provider: Provider,
    pub(super) bootstrap: Bootstrap,
}

#[derive(Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Provider {
    r#type: ProviderType,
    pub(super) kubernetes: Kubernetes,
}

#[derive(Deserialize, Serialize)]
enum ProviderType {
    Kubernetes,
}

#[derive(Deserialize, Serialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct Kubernetes {
    pub(super) envoy_deployment: EnvoyDeployment,
}

#[derive(Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub(super) struct EnvoyDeployment {
    pub(super) container: Container,
}

#[derive(Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Container {
    pub(super) env: Vec<EnvVar>,
}

#[derive(Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Bootstrap {
    r#type: BootstrapType,
    /// YAML.
    pub(super) value: String,
}

#[derive(Deserialize, Serialize)]
enum BootstrapType {
    Merge,
    Replace,
}
