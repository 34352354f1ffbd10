//! What ships: images that proxies take, checksums, bills of materials, and a version that every module says.
//!
//! The test that needs skopeo and a registry is left to `make oci-test`.

use std::collections::BTreeMap;
use std::fs;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use tests::{Deadline, Envoy, Jwks, dist, get_with, workspace};
use tokens::demo;

/// The version of the workspace, which is that of all that ships.
const VERSION: &str = env!("CARGO_PKG_VERSION");

/// What a manifest is, to Istio and to Envoy Gateway.
const MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";

#[test]
fn both_images_of_every_module_hold_the_module_where_a_proxy_looks_for_it() {
    for module in modules() {
        let layout = Layout::of(&module);
        assert_eq!(layout.names(), tags(), "{module}");
        let built = fs::read(dist(&format!("{module}.wasm"))).expect("a module");
        for tag in [VERSION.to_owned(), format!("{VERSION}-wasm")] {
            let manifest = layout.manifest(&tag);
            let found = looked_up(&manifest, |descriptor| layout.blob(descriptor));
            // Not equal: they are long.
            assert!(
                found == Ok(built.clone()),
                "{module}:{tag} is not of dist/{module}.wasm: run `make oci`"
            );
            let annotations = &manifest["annotations"];
            let says =
                |key| annotations[format!("org.opencontainers.image.{key}")].as_str().unwrap_or_default();
            assert_eq!((says("title"), says("version")), (module.as_str(), VERSION));
            assert_eq!(says("licenses"), "Apache-2.0");
            assert!(!says("description").is_empty(), "{annotations}");
        }
    }
}

#[test]
fn a_proxy_finds_nothing_in_an_image_of_another_shape() {
    let layout = Layout::of("sluice");
    let look = |manifest: &Value| looked_up(manifest, |descriptor| layout.blob(descriptor));
    // What the CNCF has specified since: one layer.
    let mut artifact = layout.manifest(&format!("{VERSION}-wasm"));
    let layers = artifact["layers"].as_array_mut().expect("layers");
    layers.remove(0);
    assert_eq!(look(&artifact).expect_err("one layer"), "number of layers must be 2 but got 1");
    let bill = layout.manifest(&format!("{VERSION}-sbom"));
    assert_eq!(look(&bill).expect_err("no module"), "number of layers must be 2 but got 1");
}

#[test]
fn every_module_has_a_bill_of_its_own_crates_beside_it_and_in_its_layout() {
    let mut bills = BTreeMap::new();
    for module in modules() {
        let layout = Layout::of(&module);
        let manifest = layout.manifest(&format!("{VERSION}-sbom"));
        let bill = layout.blob(&manifest["layers"][0]);
        let beside = dist(&format!("sbom/{module}.cdx.json"));
        assert!(fs::read(&beside).expect("a bill") == bill, "{}", beside.display());
        assert_eq!(manifest["subject"]["digest"], layout.entry(VERSION)["digest"], "{module}");
        let bill: Value = serde_json::from_slice(&bill).expect("JSON");
        let about = &bill["metadata"]["component"];
        let built = fs::read(dist(&format!("{module}.wasm"))).expect("a module");
        assert_eq!((&about["name"], &about["version"]), (&json!(module), &json!(VERSION)));
        assert_eq!(about["hashes"], json!([{"alg": "SHA-256", "content": digest(&built)}]), "{module}");
        let components = bill["components"].as_array().expect("components");
        let names = components.iter().map(|component| component["name"].as_str().expect("a name").to_owned());
        bills.insert(module, names.collect::<Vec<_>>());
    }
    for (module, names) in &bills {
        for name in ["kit", "plugin", "std"] {
            assert!(names.iter().any(|other| other == name), "{module} has no {name}");
        }
        // Every filter is in its own module and in the bundle, and in no other.
        for filter in modules().into_iter().filter(|filter| filter != "sluice") {
            let expected = module == "sluice" || *module == filter;
            assert_eq!(names.contains(&filter), expected, "{filter} in {module}");
        }
    }
    assert!(
        bills["jwt-auth"].contains(&"rsa".to_owned()) && !bills["rate-limit"].contains(&"rsa".to_owned())
    );
}

#[test]
fn the_checksums_are_those_of_everything_that_was_built() {
    let text = fs::read_to_string(dist("SHA256SUMS")).expect("text");
    let sums: BTreeMap<_, _> =
        text.lines().filter_map(|line| line.split_once("  ")).map(|(sum, name)| (name, sum)).collect();
    let mut built: Vec<_> = modules().iter().map(|module| format!("{module}.wasm")).collect();
    let filters = modules().into_iter().filter(|module| module != "sluice");
    built.extend(filters.map(|filter| format!("schema/{filter}.json")));
    built.sort();
    assert_eq!(sums.keys().copied().collect::<Vec<_>>(), built);
    for (name, sum) in sums {
        assert_eq!(sum, digest(&fs::read(dist(name)).expect("a file")), "{name}");
    }
}

#[test]
fn the_dockerfile_builds_with_the_compiler_and_says_the_version_of_the_workspace() {
    let dockerfile = fs::read_to_string(workspace().join("Dockerfile")).expect("a Dockerfile");
    let manifest = fs::read_to_string(workspace().join("Cargo.toml")).expect("a manifest");
    let compiler = manifest.lines().find_map(|line| line.strip_prefix("rust-version = ")).expect("a version");
    assert!(dockerfile.contains(&format!("\nFROM rust:{} AS build\n", compiler.trim_matches('"'))));
    assert!(dockerfile.contains(&format!(" org.opencontainers.image.version={VERSION} \\\n")));
    // A proxy looks into the last layer, so there is one.
    let last = dockerfile.rsplit("\nFROM scratch\n").next().expect("a last stage");
    assert_eq!(last.lines().filter(|line| line.starts_with("COPY ")).count(), 1);
    assert!(last.trim_end().ends_with(" /plugin.wasm"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_module_says_its_version_in_its_log_and_to_prometheus() {
    let jwks = Jwks::start(&demo::key_set()).await;
    for module in modules() {
        let (file, named) = match module.as_str() {
            "sluice" => ("chain.yaml".to_owned(), "rate-limit"),
            filter => (format!("{filter}.yaml"), filter),
        };
        // Every worker sets the gauge, and all to one.
        let envoy = Envoy::from(&file).issuer(&jwks).concurrency(2).start().await;
        assert!(envoy.log().contains(&format!("{named} {VERSION}")), "{}", envoy.log());
        let prometheus = envoy.admin("/stats/prometheus?filter=build_info").await;
        let lines: Vec<_> = prometheus.lines().filter(|line| !line.starts_with('#')).collect();
        let expected = format!("sluice_build_info{{version=\"{VERSION}\",filter=\"{module}\"}} 1");
        assert_eq!(lines, [expected.as_str()], "{file}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs skopeo and docker-registry: `make oci-test` runs it where they are"]
async fn what_is_pushed_to_a_registry_comes_back_byte_for_byte() {
    let registry = Registry::start().await;
    let back = registry.folder.join("back");
    for module in modules() {
        let layout = Layout::of(&module);
        let repository = format!("sluice/{module}");
        for tag in tags() {
            let here = format!("oci:{}:{tag}", layout.folder.display());
            let there = format!("docker://127.0.0.1:{}/{repository}:{tag}", registry.port);
            let again = format!("oci:{}:{tag}", back.join(&module).display());
            skopeo(&["copy", "--preserve-digests", "--dest-tls-verify=false", &here, &there]);
            skopeo(&["copy", "--preserve-digests", "--src-tls-verify=false", &there, &again]);
        }
        let pulled = Layout { folder: back.join(&module) };
        assert_eq!(pulled.names(), layout.names());
        for tag in tags() {
            assert_eq!(pulled.entry(&tag)["digest"], layout.entry(&tag)["digest"], "{module}:{tag}");
        }
        assert!(pulled.blobs() == layout.blobs(), "{module} came back as something else");
        // And as a proxy does it: the manifest by its tag, then the layer.
        let built = fs::read(dist(&format!("{module}.wasm"))).expect("a module");
        for tag in [VERSION.to_owned(), format!("{VERSION}-wasm")] {
            let manifest = registry.get(&format!("/v2/{repository}/manifests/{tag}")).await;
            assert_eq!(layout.entry(&tag)["digest"], format!("sha256:{}", digest(&manifest)));
            let manifest: Value = serde_json::from_slice(&manifest).expect("JSON");
            let mut blobs = BTreeMap::new();
            for layer in manifest["layers"].as_array().expect("layers") {
                let digest = layer["digest"].as_str().expect("a digest");
                let blob = registry.get(&format!("/v2/{repository}/blobs/{digest}")).await;
                blobs.insert(digest.to_owned(), blob);
            }
            let found =
                looked_up(&manifest, |descriptor| blobs[descriptor["digest"].as_str().unwrap()].clone());
            assert!(found == Ok(built.clone()), "{module}:{tag}");
        }
    }
}

/// Looks a module up in an image the way Istio's agent and Envoy Gateway do it, or says why there is none.
fn looked_up(manifest: &Value, blob: impl Fn(&Value) -> Vec<u8>) -> Result<Vec<u8>, String> {
    let layers = manifest["layers"].as_array().expect("layers");
    let last = layers.last().ok_or("number of layers must be greater than zero")?;
    if last["mediaType"] == "application/vnd.oci.image.layer.v1.tar+gzip" {
        let layer = blob(last);
        let mut archive = tar::Archive::new(flate2::read::GzDecoder::new(layer.as_slice()));
        for entry in archive.entries().expect("an archive") {
            let mut entry = entry.expect("an entry");
            if entry.path().expect("a path").file_name().is_some_and(|name| name == "plugin.wasm") {
                let mut bytes = Vec::new();
                entry.read_to_end(&mut bytes).expect("a file");
                return Ok(bytes);
            }
        }
    }
    if layers.len() != 2 {
        return Err(format!("number of layers must be 2 but got {}", layers.len()));
    }
    let module = "application/vnd.module.wasm.content.layer.v1+wasm";
    let layer = layers.iter().find(|layer| layer["mediaType"] == module);
    layer.map(blob).ok_or_else(|| format!("could not find the layer of type {module}"))
}

/// Returns what ships, which is what the Makefile says: its filters, and the bundle.
fn modules() -> Vec<String> {
    let makefile = fs::read_to_string(workspace().join("Makefile")).expect("a Makefile");
    let filters = makefile.lines().find_map(|line| line.strip_prefix("FILTERS := ")).expect("FILTERS");
    filters.split(' ').chain(["sluice"]).map(str::to_owned).collect()
}

/// Returns the names in a layout, in their order.
fn tags() -> [String; 3] {
    ["", "-wasm", "-sbom"].map(|variant| format!("{VERSION}{variant}"))
}

fn digest(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}

/// An OCI image layout.
struct Layout {
    folder: PathBuf,
}

impl Layout {
    fn of(module: &str) -> Self {
        let folder = dist("SHA256SUMS").with_file_name("oci").join(module);
        assert!(folder.is_dir(), "there is no {}: run `make oci`", folder.display());
        Self { folder }
    }

    fn entries(&self) -> Vec<Value> {
        let index = fs::read(self.folder.join("index.json")).expect("an index");
        let index: Value = serde_json::from_slice(&index).expect("JSON");
        index["manifests"].as_array().expect("manifests").clone()
    }

    fn names(&self) -> Vec<String> {
        let entries = self.entries().into_iter();
        let name = |entry: Value| {
            entry["annotations"]["org.opencontainers.image.ref.name"].as_str().map(str::to_owned)
        };
        entries.map(|entry| name(entry).expect("a name")).collect()
    }

    fn entry(&self, tag: &str) -> Value {
        let position = self.names().iter().position(|name| name == tag);
        self.entries()
            .swap_remove(position.unwrap_or_else(|| panic!("no {tag} in {}", self.folder.display())))
    }

    fn manifest(&self, tag: &str) -> Value {
        let entry = self.entry(tag);
        assert_eq!(entry["mediaType"], MANIFEST);
        serde_json::from_slice(&self.blob(&entry)).expect("JSON")
    }

    /// Reads what a descriptor names, and holds it against the descriptor.
    fn blob(&self, descriptor: &Value) -> Vec<u8> {
        let hexadecimal = descriptor["digest"].as_str().and_then(|digest| digest.strip_prefix("sha256:"));
        let path = self.folder.join("blobs/sha256").join(hexadecimal.expect("a SHA-256"));
        let bytes = fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        assert_eq!((hexadecimal, &descriptor["size"]), (Some(digest(&bytes).as_str()), &json!(bytes.len())));
        bytes
    }

    fn blobs(&self) -> BTreeMap<PathBuf, Vec<u8>> {
        let folder = fs::read_dir(self.folder.join("blobs/sha256")).expect("blobs");
        let paths = folder.map(|entry| entry.expect("an entry").path());
        paths
            .map(|path| (path.file_name().expect("a name").into(), fs::read(&path).expect("a blob")))
            .collect()
    }
}

/// Runs skopeo, which must succeed.
fn skopeo(arguments: &[&str]) {
    // What it asks of signatures is up to whoever set up the machine, and these have none.
    let output = Command::new("skopeo").arg("--insecure-policy").args(arguments).output();
    let output = output.expect("skopeo: it has to be installed");
    let text = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "skopeo {}: {text}", arguments.join(" "));
}

/// A registry with nothing in it, which ends with the test.
struct Registry {
    process: Child,
    folder: PathBuf,
    port: u16,
}

impl Registry {
    async fn start() -> Self {
        let folder = std::env::temp_dir().join(format!("sluice-registry-{}", std::process::id()));
        fs::create_dir_all(folder.join("back")).expect("a folder");
        let configuration = json!({
            "version": 0.1,
            "storage": {"filesystem": {"rootdirectory": folder.join("data")}},
            "http": {"addr": "127.0.0.1:0", "secret": "of this test alone"},
        });
        let file = folder.join("config.yml");
        fs::write(&file, configuration.to_string()).expect("a configuration");
        let log = folder.join("log");
        let process = Command::new("docker-registry")
            .arg("serve")
            .arg(&file)
            .stdin(Stdio::null())
            .stdout(fs::File::create(&log).expect("a log"))
            .stderr(fs::File::options().append(true).open(&log).expect("a log"))
            .spawn()
            .expect("docker-registry: it has to be installed");
        let mut registry = Self { process, folder, port: 0 };
        let deadline = Deadline::new("the registry to listen");
        while registry.port == 0 {
            let text = read(&log);
            let said = text.split("listening on 127.0.0.1:").nth(1);
            let digits: Option<String> =
                said.map(|rest| rest.chars().take_while(char::is_ascii_digit).collect());
            match digits.and_then(|digits| digits.parse().ok()) {
                Some(port) => registry.port = port,
                None => deadline.look_again(|| text).await,
            }
        }
        registry
    }

    /// Gets what is there, as a proxy asks for it.
    async fn get(&self, path: &str) -> Vec<u8> {
        let response = get_with(self.port, path, &[("accept", MANIFEST)]).await;
        assert_eq!(response.status, 200, "{path}: {response:?}");
        response.body
    }
}

impl Drop for Registry {
    fn drop(&mut self) {
        // It may have ended by itself, and then there is nothing to end.
        if self.process.kill().is_ok() {
            self.process.wait().expect("a process that was started");
        }
        fs::remove_dir_all(&self.folder).expect("a folder of this test");
    }
}

fn read(path: &Path) -> String {
    fs::read_to_string(path).unwrap_or_default()
}
