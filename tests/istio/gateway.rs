//! A gateway that was told of plugins: a real Envoy, what it discovers, and what stands behind it.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU32, Ordering};
use std::{env, fs, process};

use serde_json::{Value, json};
use tests::{Answer, Envoy, Jwks, Running, Upstream};
use tokens::demo;

use super::mesh::{MODULES, Told};

const ISTIO: &str = include_str!("istio.yaml");
const ENVOY_GATEWAY: &str = include_str!("envoy-gateway.yaml");

/// What the variables of a gateway's container have: the secrets of the demo.
pub(super) fn secret(variable: &str) -> &'static str {
    match variable {
        "STRIPE_SECRET" => "whsec_DEMOstripe0123456789abcdef",
        "GITHUB_SECRET" => "DEMO-github-0123456789abcdef",
        "SLACK_SECRET" => "DEMO0slack0123456789abcdef012345",
        "BILLING_SECRET" => "DEMO-billing-0123456789abcdef",
        "BILLING_SECRET_OLD" => "DEMO-billing-old-0123456789abcdef",
        "FAULT_TOKEN" | "CANARY_TOKEN" => "only for testers",
        "CANARY_COOKIE_SECRET" => "DEMO-cookies-0123456789abcdef0123456789abcdef",
        _ => panic!("the test has no secret called {variable}"),
    }
}

/// A gateway that runs.
pub(super) struct Gateway {
    pub(super) envoy: Running,
    pub(super) upstream: Upstream,
    discovery: Discovery,
    _keys: Jwks,
}

impl Gateway {
    /// Starts a gateway with these plugins, in this order.
    pub(super) async fn start(plugins: Vec<Told>) -> Self {
        Self::start_with(plugins, |envoy| envoy).await
    }

    /// Starts a gateway with these plugins, and one thing more.
    pub(super) async fn start_with(plugins: Vec<Told>, more: impl FnOnce(Envoy) -> Envoy) -> Self {
        let (upstream, keys, discovery) =
            (upstream().await, Jwks::start(&demo::key_set()).await, Discovery::new());
        let modules = Upstream::answering(|seen| {
            let file = fs::read(&seen.path).expect("a module");
            Answer::status(200).body(file)
        });
        let modules = modules.await;
        // Only Istio has a gateway discover its plugins.
        let istio = plugins.iter().all(|plugin| plugin.extension.is_some());
        let (base, issuer) =
            if istio { (ISTIO, "outbound|443||issuer.example.com") } else { (ENVOY_GATEWAY, "issuer") };
        let mut envoy = Envoy::from_text(base).upstream(&upstream).issuer_called(issuer, &keys);
        if !istio {
            envoy = envoy.cluster(MODULES, &modules);
        }
        for variable in plugins.iter().flat_map(|plugin| &plugin.variables) {
            envoy = envoy.env(variable, secret(variable));
        }
        let envoy = more(envoy.edit(|tree| {
            // Whoever subscribes has to say who it is.
            tree["node"] = json!({"id": "router~10.0.0.1~gateway.istio-ingress~x", "cluster": "gateway"});
            let manager = "/static_resources/listeners/0/filter_chains/0/filters/0/typed_config";
            let manager = tree.pointer_mut(manager).expect("a connection manager");
            for (place, plugin) in plugins.iter().enumerate() {
                let name = plugin.filter["name"].as_str().expect("a name");
                let mut filter = plugin.filter.clone();
                if let Some(extension) = &plugin.extension {
                    discovery.write(extension);
                    let source = &mut filter["config_discovery"]["config_source"];
                    source.as_object_mut().expect("a source").remove("ads");
                    source["path_config_source"] = json!({"path": discovery.file(name)});
                } else {
                    let on = json!({"@type": "type.googleapis.com/envoy.config.route.v3.FilterConfig", "config": {}});
                    manager["route_config"]["virtual_hosts"][0]["routes"][0]["typed_per_filter_config"][name] = on;
                }
                manager["http_filters"].as_array_mut().expect("filters").insert(place, filter);
            }
        }));
        Self { envoy: envoy.start().await, upstream, discovery, _keys: keys }
    }

    pub(super) fn port(&self) -> u16 {
        self.envoy.port()
    }

    /// Tells the running gateway something else under the name of an extension.
    pub(super) fn tell(&self, extension: &Value) {
        self.discovery.write(extension);
    }

    /// Returns a counter of a filter.
    pub(super) async fn count(&self, name: &str) -> u64 {
        self.envoy.stat(&format!("wasmcustom.sluice.{name}")).await
    }

    /// Nothing trapped.
    pub(super) async fn assert_no_trap(&self) {
        self.envoy.assert_no_trap().await;
    }
}

/// Answers `200`, or what the path asks for, and fails as often as the path says, as the demo's upstream does.
async fn upstream() -> Upstream {
    let came = Mutex::new(BTreeMap::<String, u32>::new());
    Upstream::answering(move |seen| {
        let asked = |word: &str| seen.path.split_once(word).and_then(|(_, rest)| rest.parse::<u32>().ok());
        let mut came = came.lock().expect("no panic before");
        let times = came.entry(seen.path.clone()).or_default();
        *times += 1;
        match (asked("fail="), asked("status=")) {
            (Some(fails), _) if *times <= fails => Answer::status(503),
            (_, Some(status)) => Answer::status(status.try_into().expect("a status")),
            _ => Answer::ok(),
        }
    })
    .await
}

/// The files from which Envoy discovers plugins, one for each. They end with the test.
struct Discovery(PathBuf);

impl Discovery {
    fn new() -> Self {
        static MADE: AtomicU32 = AtomicU32::new(0);
        let number = MADE.fetch_add(1, Ordering::Relaxed);
        let folder = env::temp_dir().join(format!("sluice-discovery-{}-{number}", process::id()));
        fs::create_dir_all(&folder).expect("a folder for what is discovered");
        Self(folder)
    }

    fn file(&self, name: &str) -> PathBuf {
        self.0.join(format!("{}.json", name.replace('/', "-")))
    }

    /// Writes an extension, whole or not at all: Envoy watches for files that are moved there.
    fn write(&self, extension: &Value) {
        let mut resource = extension.clone();
        resource["@type"] = json!("type.googleapis.com/envoy.config.core.v3.TypedExtensionConfig");
        let draft = self.0.join("draft");
        fs::write(&draft, json!({"resources": [resource]}).to_string()).expect("a writable folder");
        fs::rename(draft, self.file(extension["name"].as_str().expect("a name"))).expect("a writable folder");
    }
}

impl Drop for Discovery {
    fn drop(&mut self) {
        drop(fs::remove_dir_all(&self.0));
    }
}
