//! A folder in the form of an OCI image layout: blobs under their digests, and an index of what has a name.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use serde_json::{Value, json};
use sha2::{Digest, Sha256};

/// The media type of a manifest.
const MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";

/// The name of an entry of the index: what a tag is in a registry.
const NAME: &str = "org.opencontainers.image.ref.name";

/// A layout in the making.
#[derive(Default)]
pub(super) struct Layout {
    /// By their digests, in hexadecimal digits.
    blobs: BTreeMap<String, Vec<u8>>,
    manifests: Vec<Value>,
}

impl Layout {
    /// Adds bytes, and returns the descriptor by which a manifest names them.
    pub(super) fn blob(&mut self, media_type: &str, bytes: Vec<u8>) -> Value {
        let digest = digest(&bytes);
        let descriptor =
            json!({"mediaType": media_type, "digest": format!("sha256:{digest}"), "size": bytes.len()});
        self.blobs.insert(digest, bytes);
        descriptor
    }

    /// Adds a manifest under a name, and returns its descriptor.
    pub(super) fn manifest(&mut self, name: &str, mut manifest: Value) -> Value {
        set(&mut manifest, "schemaVersion", 2.into());
        set(&mut manifest, "mediaType", MANIFEST.into());
        let mut descriptor = self.blob(MANIFEST, manifest.to_string().into_bytes());
        if let Some(kind) = manifest.get("artifactType") {
            set(&mut descriptor, "artifactType", kind.clone());
        }
        let mut named = descriptor.clone();
        set(&mut named, "annotations", json!({ NAME: name }));
        self.manifests.push(named);
        descriptor
    }

    /// Writes everything to a folder, in place of what a former build left there.
    ///
    /// # Errors
    ///
    /// Says what can't be written.
    pub(super) fn write(&self, folder: &Path) -> Result<(), String> {
        let index = json!({
            "schemaVersion": 2,
            "mediaType": "application/vnd.oci.image.index.v1+json",
            "manifests": self.manifests,
        });
        let blobs = folder.join("blobs");
        if blobs.exists() {
            fs::remove_dir_all(&blobs)
                .map_err(|error| format!("cannot remove {}: {error}", blobs.display()))?;
        }
        crate::write(&folder.join("oci-layout"), br#"{"imageLayoutVersion":"1.0.0"}"#)?;
        for (digest, bytes) in &self.blobs {
            crate::write(&blobs.join("sha256").join(digest), bytes)?;
        }
        crate::write(&folder.join("index.json"), index.to_string().as_bytes())
    }
}

/// Sets a member of an object.
pub(super) fn set(object: &mut Value, name: &str, value: Value) {
    if let Value::Object(members) = object {
        members.insert(name.to_owned(), value);
    }
}

/// Returns the SHA-256 of bytes, in hexadecimal digits.
pub(super) fn digest(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}
