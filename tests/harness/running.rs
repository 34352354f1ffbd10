//! An Envoy process: its ports, its admin interface, its logs, hot updates, and its end.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::path::PathBuf;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};
use std::{env, process, thread};

use serde_json::{Value, json};

use super::envoy::{
    Configuration, Envoy, bundle, is_bundle_tested, listeners, localise, set_configuration, unchained,
};
use super::http1::Http1;
use super::message::Request;
use super::place::{envoy_binary, kept_log};
use super::wait::{Deadline, within_times};

/// An Envoy that serves. Dropping it ends it; a test during which it died fails.
pub struct Running {
    process: Process,
    admin: u16,
    ports: BTreeMap<String, u16>,
}

impl Running {
    pub(crate) async fn serving(mut process: Process, watched: bool) -> Self {
        let deadline = Deadline::new("Envoy to serve").times(3);
        let admin = loop {
            process.must_be_alive();
            let address = fs::read_to_string(process.folder.join("admin")).unwrap_or_default();
            if let Some(port) = address.rsplit(':').next().and_then(|port| port.trim().parse().ok()) {
                break port;
            }
            deadline.look_again(|| process.log()).await;
        };
        // It has no time for anybody while it compiles modules.
        if let Ok(mut first) = Http1::try_connect(admin).await {
            first.send(&Request::get("/ready").wire()).await;
            within_times(3, "Envoy's admin interface to answer", first.read_status()).await;
        }
        let mut running = Self { process, admin, ports: BTreeMap::new() };
        let wanted = listeners(&mut running.process.tree).len();
        loop {
            running.process.must_be_alive();
            let stats = running.stats_matching(r"^listener_manager\.").await;
            let stat = |name: &str| stats.get(name).copied().unwrap_or(0);
            let rejected = watched && stat("listener_manager.lds.update_rejected") > 0;
            assert!(!rejected, "Envoy refuses its first configuration\n{}", running.log());
            if stat("listener_manager.workers_started") == 1 {
                running.ports = running.listening().await;
                if running.ports.len() == wanted {
                    return running;
                }
            }
            deadline.look_again(|| running.log()).await;
        }
    }

    /// Returns the port of the only listener.
    pub fn port(&self) -> u16 {
        let mut ports = self.ports.values();
        let (Some(port), None) = (ports.next(), ports.next()) else {
            panic!("not one listener: {:?}", self.ports)
        };
        *port
    }

    /// Returns the port of the listener with this name.
    pub fn port_of(&self, listener: &str) -> u16 {
        *self
            .ports
            .get(listener)
            .unwrap_or_else(|| panic!("no listener is called {listener}: {:?}", self.ports))
    }

    /// Returns the port of the admin interface.
    pub fn admin_port(&self) -> u16 {
        self.admin
    }

    /// Returns what the admin interface answers to a GET.
    pub async fn admin(&self, path: &str) -> String {
        let answer = async {
            let mut connection = Http1::try_connect(self.admin).await.ok()?;
            connection.send(&Request::get(path).wire()).await;
            connection.try_read_response().await
        };
        let Some(response) = answer.await else { panic!("Envoy is gone\n{}", self.log()) };
        assert_eq!(response.status, 200, "{path}: {response:?}");
        response.text()
    }

    /// Returns the value of a counter or gauge; one of the filters' once it is settled.
    pub async fn stat(&self, name: &str) -> u64 {
        if name.starts_with("wasmcustom.") {
            self.settled().await;
        }
        self.find_stat(name).await.unwrap_or_else(|| panic!("no counter or gauge is called {name}"))
    }

    /// Waits until a counter or gauge has at least this value: what follows an answer, like logging, takes a moment.
    pub async fn await_stat(&self, name: &str, least: u64) {
        let deadline = Deadline::new(format!("{name} to be {least}"));
        loop {
            let value = self.find_stat(name).await;
            if value >= Some(least) {
                return;
            }
            deadline.look_again(|| format!("it is {value:?}")).await;
        }
    }

    /// Waits until a counter or gauge has exactly this value.
    pub async fn await_stat_to_be(&self, name: &str, wanted: u64) {
        let deadline = Deadline::new(format!("{name} to be {wanted}"));
        loop {
            let value = self.find_stat(name).await;
            if value == Some(wanted) {
                return;
            }
            deadline.look_again(|| format!("it is {value:?}")).await;
        }
    }

    /// Returns the metrics of the filters as Prometheus gets them, once they are settled.
    pub async fn prometheus(&self) -> String {
        self.settled().await;
        self.admin("/stats/prometheus?filter=sluice").await
    }

    /// Waits until the metrics of the filters have stayed the same for thrice as long as a filter may keep its counts.
    pub async fn settled(&self) {
        const QUIET: Duration = Duration::from_millis(300);
        let deadline = Deadline::new("the filters' metrics to settle");
        let (mut last, mut since) = (String::new(), Instant::now());
        while since.elapsed() < QUIET {
            let now = self.admin("/stats?filter=wasmcustom").await;
            if now != last {
                (last, since) = (now, Instant::now());
            }
            deadline.look_again(|| last.clone()).await;
        }
    }

    /// Returns the counters and gauges in whose names a regular expression (RE2) is found.
    pub async fn stats_matching(&self, pattern: &str) -> BTreeMap<String, u64> {
        let escaped: String = pattern.bytes().map(|byte| format!("%{byte:02X}")).collect();
        let text = self.admin(&format!("/stats?filter={escaped}")).await;
        let pairs = text.lines().filter_map(|line| line.rsplit_once(": "));
        pairs.filter_map(|(name, value)| Some((name.to_owned(), value.parse().ok()?))).collect()
    }

    /// Returns the whole log so far.
    pub fn log(&self) -> String {
        self.process.log()
    }

    /// Waits until the log contains this text.
    pub async fn await_log(&self, text: &str) {
        let deadline = Deadline::new(format!("the log to contain {text:?}"));
        while !self.log().contains(text) {
            deadline.look_again(|| self.log()).await;
        }
    }

    /// Waits for `n` lines in the access log (the shipped files write it to standard output) and returns all.
    pub async fn access_log(&self, n: usize) -> Vec<String> {
        let deadline = Deadline::new(format!("{n} lines in the access log"));
        loop {
            let text = read(&self.process.folder.join("out"));
            let whole = text.rfind('\n').map_or("", |end| &text[..end]);
            let lines: Vec<_> = whole.lines().map(str::to_owned).collect();
            if lines.len() >= n {
                return lines;
            }
            deadline.look_again(|| text).await;
        }
    }

    /// Nothing trapped: no VM was loaded again, and nothing was said or logged of one that failed.
    pub async fn assert_no_trap(&self) {
        let reloads = self.stats_matching("vm_reload").await;
        assert!(!reloads.is_empty() && reloads.values().all(|count| *count == 0), "{reloads:?}");
        let log = self.log();
        for sign in ["panicked", "Uncaught RuntimeError", "wasm_fail_stream"] {
            assert!(!log.contains(sign), "{log}");
        }
        let failed = self.access_log(0).await.into_iter().find(|line| line.contains("wasm_fail_stream"));
        assert_eq!(failed, None);
    }

    /// Returns the resident memory of the process, in KiB.
    pub fn rss_kib(&self) -> u64 {
        let status =
            fs::read_to_string(format!("/proc/{}/status", self.process.child.id())).expect("a live process");
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).expect("VmRSS");
        line.trim().trim_end_matches(" kB").parse().expect("a number of KiB")
    }

    /// Returns what Envoy says of its memory: `allocated`, `heap_size` and so on, in bytes.
    pub async fn memory(&self) -> BTreeMap<String, u64> {
        let answer: BTreeMap<String, String> =
            serde_json::from_str(&self.admin("/memory").await).expect("JSON");
        answer.into_iter().map(|(name, bytes)| (name, bytes.parse().expect("a number of bytes"))).collect()
    }

    /// Replaces the configuration of the only plugin and waits until every worker has it.
    ///
    /// New connections get the new configuration; open ones are drained with the old.
    pub async fn update(&mut self, configuration: impl Into<Configuration>) {
        self.update_with(|tree| set_configuration(tree, configuration.into())).await;
    }

    /// Edits the listeners in any way and waits until every worker has the changed ones.
    pub async fn update_with(&mut self, edit: impl FnOnce(&mut Value)) {
        let before = self.stats_matching(CREATED).await;
        let (changed, log) = self.offer(edit).await;
        let log = &self.log()[log..];
        let Offered::Accepted { changed } = changed else { panic!("Envoy refuses the update\n{log}") };
        let wanted = before.values().sum::<u64>() + u64::from(self.process.concurrency) * changed;
        self.await_stat("listener_manager.listener_create_success", wanted).await;
        self.ports = self.listening().await;
    }

    /// Replaces the configuration of the only plugin, which Envoy must refuse; returns what it logged.
    pub async fn update_refused(&mut self, configuration: impl Into<Configuration>) -> String {
        self.update_refused_with(|tree| set_configuration(tree, configuration.into())).await
    }

    /// Edits the listeners in any way that Envoy must refuse; returns what it logged.
    pub async fn update_refused_with(&mut self, edit: impl FnOnce(&mut Value)) -> String {
        let running = self.process.tree.clone();
        let (offered, log) = self.offer(edit).await;
        let log = self.log()[log..].to_owned();
        assert!(matches!(offered, Offered::Refused), "Envoy accepts an update that it should refuse\n{log}");
        self.process.tree = running;
        log
    }

    /// Writes changed listeners to the watched file and waits for Envoy's verdict.
    async fn offer(&mut self, edit: impl FnOnce(&mut Value)) -> (Offered, usize) {
        let (log, before) = (self.log().len(), self.stats_matching(VERDICTS).await);
        let changed = self.process.edit_listeners(edit);
        let deadline = Deadline::new("Envoy to take or refuse an update of its listeners");
        loop {
            self.process.must_be_alive();
            let now = self.stats_matching(VERDICTS).await;
            let grown = |name: &str| now.get(name) > before.get(name);
            if grown("listener_manager.lds.update_rejected") {
                return (Offered::Refused, log);
            }
            if grown("listener_manager.lds.update_success") {
                return (Offered::Accepted { changed }, log);
            }
            deadline.look_again(|| self.log()[log..].to_owned()).await;
        }
    }

    async fn find_stat(&self, name: &str) -> Option<u64> {
        self.stats_matching(&format!("^{}$", name.replace('.', r"\."))).await.remove(name)
    }

    async fn listening(&self) -> BTreeMap<String, u16> {
        let answer: Value = serde_json::from_str(&self.admin("/listeners?format=json").await).expect("JSON");
        let statuses = answer["listener_statuses"].as_array().map_or(&[][..], Vec::as_slice).iter();
        let port = |status: &Value| {
            status.pointer("/local_address/socket_address/port_value")?.as_u64()?.try_into().ok()
        };
        statuses.filter_map(|status| Some((status["name"].as_str()?.to_owned(), port(status)?))).collect()
    }
}

const CREATED: &str = r"^listener_manager\.listener_create_success$";
const VERDICTS: &str = r"^listener_manager\.lds\.update_(success|rejected)$";

enum Offered {
    Accepted { changed: u64 },
    Refused,
}

impl Drop for Running {
    fn drop(&mut self) {
        if !thread::panicking() {
            self.process.must_be_alive();
        }
    }
}

/// A process with its folder. Dropping it kills it, and keeps the log if the test fails.
pub(crate) struct Process {
    child: Child,
    folder: PathBuf,
    test: String,
    tree: Value,
    concurrency: u32,
    version: u32,
}

impl Process {
    /// Starts Envoy, with its listeners in a watched file or in its bootstrap.
    pub(crate) fn start(envoy: Envoy, watched: bool) -> Self {
        Self::spawn(envoy, watched, &[])
    }

    /// Has Envoy look at a configuration and exit.
    pub(crate) fn validate(envoy: Envoy) -> Self {
        Self::spawn(envoy, false, &["--mode", "validate"])
    }

    fn spawn(envoy: Envoy, watched: bool, more: &[&str]) -> Self {
        static STARTED: AtomicU32 = AtomicU32::new(0);
        let mut command = Command::new(envoy_binary());
        let number = STARTED.fetch_add(1, Ordering::Relaxed);
        let mut tree = envoy.tree;
        localise(&mut tree);
        let folder = env::temp_dir().join(format!("sluice-{}-{number}", process::id()));
        fs::create_dir_all(&folder).expect("a folder for this Envoy");

        let mut bootstrap = tree.clone();
        if is_bundle_tested() {
            bundle(&mut bootstrap);
        }
        if watched {
            let moved = listeners(&mut bootstrap).split_off(0);
            bootstrap["dynamic_resources"]["lds_config"] = json!({
                "resource_api_version": "V3",
                "path_config_source": {"path": folder.join("listeners.json")},
            });
            // Whoever subscribes has to say who it is.
            if bootstrap["node"].is_null() {
                bootstrap["node"] = json!({"id": "test", "cluster": "test"});
            }
            fs::write(folder.join("listeners.json"), discovery(0, moved)).expect("a writable folder");
        }
        fs::write(folder.join("envoy.json"), bootstrap.to_string()).expect("a writable folder");

        let file = |name| {
            File::options().create(true).append(true).open(folder.join(name)).expect("a writable folder")
        };
        command.arg("--config-path").arg(folder.join("envoy.json"));
        command.arg("--admin-address-path").arg(folder.join("admin"));
        command.args([
            "--disable-hot-restart",
            "--log-level",
            "warning",
            "--component-log-level",
            "wasm:info",
        ]);
        command.args(["--file-flush-interval-msec", "50", "--drain-strategy", "immediate"]);
        command.args(["--concurrency", &envoy.concurrency.to_string()]);
        command.args(["--drain-time-s", &envoy.drain_seconds.to_string()]).args(more);
        command.args(envoy.merged.iter().flat_map(|yaml| ["--config-yaml", yaml.as_str()]));
        command.envs(envoy.environment).stdin(Stdio::null()).stdout(file("out")).stderr(file("log"));
        let child = command.spawn().expect("a runnable Envoy");
        let test = thread::current().name().unwrap_or("unnamed").to_owned();
        Self { child, folder, test, tree, concurrency: envoy.concurrency, version: 0 }
    }

    /// Waits for Envoy to refuse its configuration and exit; returns its log.
    pub(crate) async fn refused(mut self) -> String {
        let status = self.exit().await;
        assert!(!status.success(), "Envoy exits, but does not call it a failure\n{}", self.log());
        self.log()
    }

    /// Waits for Envoy to accept its configuration and exit.
    pub(crate) async fn accepted(mut self) {
        let status = self.exit().await;
        assert!(status.success(), "Envoy refuses this configuration\n{}", self.log());
    }

    async fn exit(&mut self) -> ExitStatus {
        let deadline = Deadline::new("Envoy to judge its configuration and exit").times(3);
        loop {
            if let Some(status) = self.exit_status() {
                return status;
            }
            deadline.look_again(|| self.log()).await;
        }
    }

    /// Rewrites the watched file, atomically; returns how many listeners changed.
    fn edit_listeners(&mut self, edit: impl FnOnce(&mut Value)) -> u64 {
        let mut before = self.tree.clone();
        edit(&mut self.tree);
        localise(&mut self.tree);
        let (old, new) = (listeners(&mut before).split_off(0), listeners(&mut self.tree).clone());
        let changed = new.iter().filter(|listener| !old.contains(listener)).count();
        assert!(old != new, "the update changes nothing, so Envoy would not notice it");
        self.version += 1;
        let (draft, watched) = (self.folder.join("draft"), self.folder.join("listeners.json"));
        let mut new = Value::Array(new);
        if is_bundle_tested() {
            bundle(&mut new);
        }
        let new = new.as_array_mut().map(std::mem::take).unwrap_or_default();
        fs::write(&draft, discovery(self.version, new)).expect("a writable folder");
        assert!(watched.exists(), "`.static_listeners()` cannot be updated");
        fs::rename(draft, watched).expect("a writable folder");
        changed.try_into().expect("a small number")
    }

    fn must_be_alive(&mut self) {
        if let Some(status) = self.exit_status() {
            panic!("Envoy is gone, {status}\n{}", self.log());
        }
    }

    fn exit_status(&mut self) -> Option<ExitStatus> {
        self.child.try_wait().expect("the state of a child")
    }

    fn log(&self) -> String {
        let log = read(&self.folder.join("log"));
        if is_bundle_tested() { unchained(&log) } else { log }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
        if thread::panicking() {
            let kept = kept_log(&self.test);
            drop(fs::create_dir_all(kept.parent().expect("a folder")));
            drop(fs::write(&kept, self.log()));
            eprintln!("the log of this Envoy is in {}", kept.display());
        }
        drop(fs::remove_dir_all(&self.folder));
    }
}

fn discovery(version: u32, listeners: Vec<Value>) -> String {
    let resources: Vec<_> = listeners
        .into_iter()
        .map(|mut listener| {
            listener["@type"] = json!("type.googleapis.com/envoy.config.listener.v3.Listener");
            listener
        })
        .collect();
    json!({"version_info": version.to_string(), "resources": resources}).to_string()
}

fn read(path: &PathBuf) -> String {
    String::from_utf8_lossy(&fs::read(path).unwrap_or_default()).into_owned()
}
