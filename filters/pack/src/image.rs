//! Makes images of a module, in all forms that proxies and registries take, and the bill of materials beside them.
//!
//! Istio's agent and Envoy Gateway look into an image in the same way (`imagefetcher.go`, in `pkg/wasm` of the one and
//! in `internal/wasm` of the other) and take either of two:
//!
//! 1. **compat**, `<version>`: an ordinary image whose last layer is a compressed archive with `plugin.wasm` in it,
//!    as a Dockerfile with one `COPY` makes it. Every registry takes it, and docker can pull it.
//! 2. **artifact**, `<version>-wasm`: exactly two layers, of which one is the module as it is. Its media types are
//!    those of the Wasm Artifact Image Specification. What the CNCF has specified since, one layer of type
//!    `application/wasm`, neither of the two takes.
//!
//! The bill of materials, `<version>-sbom`, refers to the first by its digest.
//!
//! The same module gives the same bytes: times are fixed, members sorted, and nothing tells who made it.

use std::io::Write;

use flate2::{Compression, GzBuilder};
use serde_json::{Value, json};
use walrus::Module;

use crate::arguments::{self, Target};
use crate::{crates, sbom};
use layout::{Layout, digest, set};

mod layout;

/// What the bundle is for; every other module has the description of its filter.
const BUNDLE: &str = "Traffic filters for Envoy and Istio as one module, which runs any chain of them.";

/// The licence of all modules.
const LICENSE: &str = "Apache-2.0";

/// When everything was made.
const CREATED: &str = "1970-01-01T00:00:00Z";

/// The media type of a bill of materials.
const SBOM: &str = "application/vnd.cyclonedx+json";

/// The media type of the metadata in the artifact, and of the artifact.
const RUNTIME: &str = "application/vnd.module.wasm.config.v1+json";

/// The media type of a module as it is.
const CONTENT: &str = "application/vnd.module.wasm.content.layer.v1+wasm";

/// A module, and what images say about it.
struct Packed {
    name: String,
    version: String,
    description: String,
    /// Where its sources are.
    source: Option<String>,
    wasm: Vec<u8>,
}

/// Makes the images of one module, and returns the line that sums it up.
///
/// # Errors
///
/// Says what is wrong with the module, or can't be read or written.
pub(crate) fn make(arguments: &arguments::Image) -> Result<String, String> {
    let wasm = crate::read(&arguments.input)?;
    let (name, version) = stamp(&wasm)?;
    let is_bundle = name == Target::Chain.name();
    let description = if is_bundle { BUNDLE.to_owned() } else { crates::description(&name)? };
    let crates = crates::of((!is_bundle).then_some(name.as_str()))?;
    let module = Packed { name, version, description, source: arguments.source.clone(), wasm };
    let subject = sbom::Subject {
        name: &module.name,
        version: &module.version,
        description: &module.description,
        license: LICENSE,
        digest: &digest(&module.wasm),
    };
    let bill = format!("{:#}\n", sbom::write(&subject, &crates, &crates::compiler()?));
    crate::write(&arguments.sbom, bill.as_bytes())?;
    let (layout, image) = module.layout(bill.into_bytes())?;
    layout.write(&arguments.output)?;
    Ok(format!("{}:{} {}, {} crates", module.name, module.version, image, crates.len()))
}

/// Reads the name and the version that a packed module carries.
fn stamp(wasm: &[u8]) -> Result<(String, String), String> {
    let mut module =
        Module::from_buffer(wasm).map_err(|error| format!("the input is not a module: {error:#}"))?;
    let stamp = module.customs.remove_raw("sluice.version").map(|section| section.data);
    let stamp = stamp.and_then(|stamp| String::from_utf8(stamp).ok());
    let words = stamp.as_ref().and_then(|stamp| stamp.split_once(' '));
    let (name, version) = words.ok_or("the module does not say its name and version: pack it first")?;
    Ok((name.to_owned(), version.to_owned()))
}

impl Packed {
    /// Returns the layout, and the digest of the image by which a proxy can ask for it.
    fn layout(&self, bill: Vec<u8>) -> Result<(Layout, String), String> {
        let mut layout = Layout::default();
        let version = &self.version;
        let compat = self.compat(&mut layout)?;
        let image = layout.manifest(version, compat);
        let artifact = self.artifact(&mut layout);
        layout.manifest(&format!("{version}-wasm"), artifact);
        let bill = self.bill(&mut layout, bill, &image);
        layout.manifest(&format!("{version}-sbom"), bill);
        let digest = image.get("digest").and_then(Value::as_str).unwrap_or_default();
        Ok((layout, digest.to_owned()))
    }

    /// The image that all registries and docker take.
    fn compat(&self, layout: &mut Layout) -> Result<Value, String> {
        let archive = archive("plugin.wasm", &self.wasm).map_err(|error| format!("no archive: {error}"))?;
        let layer = compressed(&archive).map_err(|error| format!("no compressed archive: {error}"))?;
        let config = json!({
            // A module runs on any machine, but docker and containerd only pull what is for one.
            "architecture": "amd64",
            "os": "linux",
            "created": CREATED,
            "config": {"Labels": self.annotations()},
            "rootfs": {"type": "layers", "diff_ids": [format!("sha256:{}", digest(&archive))]},
            "history": [{"created": CREATED, "created_by": "COPY plugin.wasm /plugin.wasm"}],
        });
        let config = config.to_string().into_bytes();
        let mut annotations = self.annotations();
        set(&mut annotations, "module.wasm.image/variant", "compat".into());
        Ok(json!({
            "config": layout.blob("application/vnd.oci.image.config.v1+json", config),
            "layers": [layout.blob("application/vnd.oci.image.layer.v1.tar+gzip", layer)],
            "annotations": annotations,
        }))
    }

    /// The artifact: the module as it is, and what runs it.
    fn artifact(&self, layout: &mut Layout) -> Value {
        let runtime = json!({"type": "envoy_proxy", "abiVersions": ["0.2.1"], "config": {}});
        let config = layout.blob(RUNTIME, runtime.to_string().into_bytes());
        json!({
            "artifactType": RUNTIME,
            "config": config.clone(),
            "layers": [
                titled(config, "runtime-config.json"),
                titled(layout.blob(CONTENT, self.wasm.clone()), "plugin.wasm"),
            ],
            "annotations": self.annotations(),
        })
    }

    /// The bill of materials of an image.
    fn bill(&self, layout: &mut Layout, bill: Vec<u8>, image: &Value) -> Value {
        json!({
            "artifactType": SBOM,
            "config": layout.blob("application/vnd.oci.empty.v1+json", b"{}".to_vec()),
            "layers": [titled(layout.blob(SBOM, bill), &format!("{}.cdx.json", self.name))],
            "subject": image,
            "annotations": self.annotations(),
        })
    }

    /// What an image says about the module.
    fn annotations(&self) -> Value {
        let mut annotations = json!({
            "org.opencontainers.image.title": self.name,
            "org.opencontainers.image.description": self.description,
            "org.opencontainers.image.version": self.version,
            "org.opencontainers.image.licenses": LICENSE,
        });
        if let Some(source) = &self.source {
            set(&mut annotations, "org.opencontainers.image.source", source.as_str().into());
        }
        annotations
    }
}

/// Gives a layer the name of the file that it becomes.
fn titled(mut descriptor: Value, title: &str) -> Value {
    set(&mut descriptor, "annotations", json!({"org.opencontainers.image.title": title}));
    descriptor
}

/// Makes an archive with one file, that nobody owns and that was made in 1970.
fn archive(name: &str, bytes: &[u8]) -> std::io::Result<Vec<u8>> {
    let mut header = tar::Header::new_ustar();
    header.set_path(name)?;
    header.set_size(u64::try_from(bytes.len()).map_err(std::io::Error::other)?);
    header.set_mode(0o644);
    header.set_mtime(0);
    header.set_uid(0);
    header.set_gid(0);
    header.set_cksum();
    let mut archive = tar::Builder::new(Vec::new());
    archive.append(&header, bytes)?;
    archive.into_inner()
}

/// Compresses bytes, with neither time nor system in the header.
fn compressed(bytes: &[u8]) -> std::io::Result<Vec<u8>> {
    let mut writer = GzBuilder::new().mtime(0).operating_system(255).write(Vec::new(), Compression::best());
    writer.write_all(bytes)?;
    writer.finish()
}

#[cfg(test)]
mod tests;
