//! Images as registries and proxies take them: what is in them, and that they are the same bytes for the same module.

use std::collections::BTreeMap;
use std::env;
use std::fs;
use std::io::Read;
use std::path::{Path, PathBuf};

use super::*;

const BILL: &[u8] = b"{\"bomFormat\": \"CycloneDX\"}\n";

fn packed() -> Packed {
    Packed {
        name: "noop".to_owned(),
        version: "1.2.3".to_owned(),
        description: "Does nothing.".to_owned(),
        source: Some("https://example.com/sluice".to_owned()),
        wasm: b"\0asm\x01\0\0\0 and more".to_vec(),
    }
}

/// A folder of this test alone, which goes with it.
struct Folder(PathBuf);

impl Folder {
    fn new(test: &str) -> Self {
        let path = env::temp_dir().join(format!("sluice-pack-{test}-{}", std::process::id()));
        fs::create_dir_all(&path).unwrap();
        Self(path)
    }

    fn written(test: &str) -> Self {
        let folder = Self::new(test);
        packed().layout(BILL.to_vec()).unwrap().0.write(&folder.0).unwrap();
        folder
    }

    fn json(&self, path: &str) -> Value {
        serde_json::from_slice(&fs::read(self.0.join(path)).unwrap()).unwrap()
    }

    /// Reads what a descriptor names, and holds it against the descriptor.
    fn blob(&self, descriptor: &Value) -> Vec<u8> {
        let hexadecimal = descriptor["digest"].as_str().unwrap().strip_prefix("sha256:").unwrap();
        let bytes = fs::read(self.0.join("blobs/sha256").join(hexadecimal)).unwrap();
        assert_eq!(descriptor["size"], bytes.len());
        assert_eq!(hexadecimal, digest(&bytes));
        bytes
    }

    /// Reads the manifest with this name in the index.
    fn manifest(&self, name: &str) -> Value {
        let index = self.json("index.json");
        let mut entries = index["manifests"].as_array().unwrap().iter();
        let entry = entries.find(|entry| entry["annotations"]["org.opencontainers.image.ref.name"] == name);
        let entry = entry.unwrap_or_else(|| panic!("the index has no {name}"));
        let manifest: Value = serde_json::from_slice(&self.blob(entry)).unwrap();
        assert_eq!(manifest["mediaType"], entry["mediaType"]);
        assert_eq!(manifest["schemaVersion"], 2);
        manifest
    }

    /// Returns every file, by its path in the folder.
    fn files(&self) -> BTreeMap<PathBuf, Vec<u8>> {
        fn collect(folder: &Path, root: &Path, found: &mut BTreeMap<PathBuf, Vec<u8>>) {
            for entry in fs::read_dir(folder).unwrap() {
                let path = entry.unwrap().path();
                if path.is_dir() {
                    collect(&path, root, found);
                } else {
                    found.insert(path.strip_prefix(root).unwrap().to_owned(), fs::read(&path).unwrap());
                }
            }
        }
        let mut found = BTreeMap::new();
        collect(&self.0, &self.0, &mut found);
        found
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        fs::remove_dir_all(&self.0).unwrap();
    }
}

fn unzipped(bytes: &[u8]) -> Vec<u8> {
    let mut plain = Vec::new();
    flate2::read::GzDecoder::new(bytes).read_to_end(&mut plain).unwrap();
    plain
}

#[test]
fn a_layout_names_three_things_and_has_no_blob_that_nothing_names() {
    let folder = Folder::written("names");
    assert_eq!(folder.json("oci-layout"), json!({"imageLayoutVersion": "1.0.0"}));
    let mut named = vec!["oci-layout".into(), "index.json".into()];
    for entry in folder.json("index.json")["manifests"].as_array().unwrap() {
        let name = entry["annotations"]["org.opencontainers.image.ref.name"].as_str().unwrap();
        let manifest = folder.manifest(name);
        let layers = manifest["layers"].as_array().unwrap();
        for descriptor in [entry, &manifest["config"]].into_iter().chain(layers) {
            folder.blob(descriptor);
            let hexadecimal = descriptor["digest"].as_str().unwrap().replace("sha256:", "");
            named.push(Path::new("blobs/sha256").join(hexadecimal));
        }
    }
    named.sort();
    named.dedup();
    assert_eq!(folder.files().into_keys().collect::<Vec<_>>(), named);
    let names = ["1.2.3", "1.2.3-wasm", "1.2.3-sbom"];
    assert_eq!(folder.json("index.json")["manifests"].as_array().unwrap().len(), names.len());
    for name in names {
        folder.manifest(name);
    }
}

#[test]
fn the_compat_image_is_an_ordinary_one_whose_only_layer_holds_the_module() {
    let folder = Folder::written("compat");
    let manifest = folder.manifest("1.2.3");
    assert_eq!(manifest["config"]["mediaType"], "application/vnd.oci.image.config.v1+json");
    let [layer] = manifest["layers"].as_array().unwrap().as_slice() else { panic!("{manifest}") };
    assert_eq!(layer["mediaType"], "application/vnd.oci.image.layer.v1.tar+gzip");
    let compressed = folder.blob(layer);
    // Neither a time nor a system, in the header of gzip.
    assert_eq!(compressed[4..8], [0; 4]);
    assert_eq!(compressed[9], 255);
    let plain = unzipped(&compressed);
    let mut archive = tar::Archive::new(plain.as_slice());
    let mut files = Vec::new();
    for entry in archive.entries().unwrap() {
        let mut entry = entry.unwrap();
        let header = entry.header();
        assert_eq!((header.uid().unwrap(), header.gid().unwrap(), header.mtime().unwrap()), (0, 0, 0));
        assert_eq!(header.mode().unwrap(), 0o644);
        let path = entry.path().unwrap().into_owned();
        let mut bytes = Vec::new();
        entry.read_to_end(&mut bytes).unwrap();
        files.push((path, bytes));
    }
    assert_eq!(files, [("plugin.wasm".into(), packed().wasm)]);
    let config: Value = serde_json::from_slice(&folder.blob(&manifest["config"])).unwrap();
    assert_eq!(
        config["rootfs"],
        json!({"type": "layers", "diff_ids": [format!("sha256:{}", digest(&plain))]})
    );
    assert_eq!(config["created"], "1970-01-01T00:00:00Z");
    assert_eq!(config["config"]["Labels"], packed().annotations());
}

#[test]
fn the_artifact_has_exactly_two_layers_of_which_one_is_the_module() {
    let folder = Folder::written("artifact");
    let manifest = folder.manifest("1.2.3-wasm");
    assert_eq!(manifest["config"]["mediaType"], "application/vnd.module.wasm.config.v1+json");
    assert_eq!(manifest["artifactType"], "application/vnd.module.wasm.config.v1+json");
    let [runtime, content] = manifest["layers"].as_array().unwrap().as_slice() else { panic!("{manifest}") };
    assert_eq!(runtime["mediaType"], "application/vnd.module.wasm.config.v1+json");
    let runtime: Value = serde_json::from_slice(&folder.blob(runtime)).unwrap();
    assert_eq!(runtime["type"], "envoy_proxy");
    assert_eq!(content["mediaType"], "application/vnd.module.wasm.content.layer.v1+wasm");
    assert_eq!(folder.blob(content), packed().wasm);
}

#[test]
fn the_bill_of_materials_refers_to_the_image() {
    let folder = Folder::written("sbom");
    let manifest = folder.manifest("1.2.3-sbom");
    assert_eq!(manifest["artifactType"], "application/vnd.cyclonedx+json");
    let [bill] = manifest["layers"].as_array().unwrap().as_slice() else { panic!("{manifest}") };
    assert_eq!(bill["mediaType"], "application/vnd.cyclonedx+json");
    assert_eq!(bill["annotations"]["org.opencontainers.image.title"], "noop.cdx.json");
    assert_eq!(folder.blob(bill), BILL);
    let image: Value = serde_json::from_slice(&folder.blob(&manifest["subject"])).unwrap();
    assert_eq!(image, folder.manifest("1.2.3"));
}

#[test]
fn every_manifest_says_what_it_is_of() {
    let folder = Folder::written("annotations");
    for name in ["1.2.3", "1.2.3-wasm", "1.2.3-sbom"] {
        let annotations = folder.manifest(name)["annotations"].clone();
        for (key, value) in [
            ("title", "noop"),
            ("description", "Does nothing."),
            ("version", "1.2.3"),
            ("licenses", "Apache-2.0"),
            ("source", "https://example.com/sluice"),
        ] {
            assert_eq!(annotations[format!("org.opencontainers.image.{key}")], value, "{name}");
        }
    }
    assert_eq!(folder.manifest("1.2.3")["annotations"]["module.wasm.image/variant"], "compat");
    let without = Packed { source: None, ..packed() };
    assert_eq!(without.annotations().get("org.opencontainers.image.source"), None);
}

#[test]
fn the_same_module_gives_the_same_bytes_whatever_was_there_before() {
    let one = Folder::written("bytes-one");
    let other = Folder::new("bytes-other");
    let older = Packed { version: "1.2.2".to_owned(), ..packed() };
    older.layout(BILL.to_vec()).unwrap().0.write(&other.0).unwrap();
    assert_ne!(one.files(), other.files());
    packed().layout(BILL.to_vec()).unwrap().0.write(&other.0).unwrap();
    assert_eq!(one.files(), other.files());
}

#[test]
fn a_module_says_its_name_and_version_or_is_refused() {
    let module = |stamp: &str| wat::parse_str(format!("(module {stamp})")).unwrap();
    let stamped = module(r#"(@custom "sluice.version" "rate-limit 1.2.3")"#);
    assert_eq!(stamp(&stamped), Ok(("rate-limit".to_owned(), "1.2.3".to_owned())));
    let unpacked = "the module does not say its name and version: pack it first";
    assert_eq!(stamp(&module("")).unwrap_err(), unpacked);
    assert_eq!(stamp(&module(r#"(@custom "sluice.version" "rate-limit")"#)).unwrap_err(), unpacked);
    assert!(stamp(b"<html>").unwrap_err().starts_with("the input is not a module: "));
}
