//! One Envoy for one row: starts it, finds its ports, reads its CPU time, stops it.

use std::fs;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::arguments::Arguments;
use crate::row::{CANARY, Carries, Row, UPSTREAM};

/// Where configurations and logs go; it stays there to be read.
const FOLDER: &str = "target/bench";

/// How long an Envoy may take until it listens.
const PATIENCE: Duration = Duration::from_secs(60);

/// A running Envoy.
pub(crate) struct Envoy {
    /// Where its listener is.
    pub(crate) address: SocketAddr,
    process: Child,
}

impl Envoy {
    /// Starts an Envoy with the filter of a row, and waits until it listens.
    ///
    /// Requests are forwarded to this upstream; Envoy answers itself if there is none.
    pub(crate) fn start(
        row: &Row,
        load: &Carries,
        arguments: &Arguments,
        workers: usize,
        upstream: Option<SocketAddr>,
    ) -> Result<Self, String> {
        let file = |ending: &str| PathBuf::from(format!("{FOLDER}/{}{ending}", row.name));
        let (config, log, admin) = (file(".json"), file(".log"), file(".admin"));
        let io = |path: &Path, error| format!("cannot write {}: {error}", path.display());
        fs::create_dir_all(FOLDER).map_err(|error| io(Path::new(FOLDER), error))?;
        fs::write(&config, format!("{:#}", configuration(row, load, upstream)))
            .map_err(|error| io(&config, error))?;
        let output = fs::File::create(&log).map_err(|error| io(&log, error))?;
        if admin.exists() {
            fs::remove_file(&admin).map_err(|error| io(&admin, error))?;
        }

        let mut command = match arguments.pin {
            None => Command::new(binary()),
            Some(cpu) => {
                let mut command = Command::new("taskset");
                command.args(["-c", &cpu.to_string()]).arg(binary());
                command
            }
        };
        let process = command
            .args(["--concurrency", &workers.to_string()])
            .args(["--disable-hot-restart", "--log-level", "warning"])
            .arg("--config-path")
            .arg(&config)
            .arg("--admin-address-path")
            .arg(&admin)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(output)
            .spawn()
            .map_err(|error| format!("cannot start {}: {error}", binary().display()))?;
        // From here on the process is stopped when something fails.
        let mut envoy = Self { address: SocketAddr::from(([127, 0, 0, 1], 0)), process };
        envoy.address = envoy.wait(&admin).ok_or_else(|| {
            format!(
                "Envoy did not start for {}; its log, {}, ends with:\n{}",
                row.name,
                log.display(),
                tail(&log)
            )
        })?;
        Ok(envoy)
    }

    /// Waits until the listener is there, and returns its address.
    fn wait(&mut self, admin: &Path) -> Option<SocketAddr> {
        let start = Instant::now();
        while start.elapsed() < PATIENCE && matches!(self.process.try_wait(), Ok(None)) {
            if let Ok(admin) = fs::read_to_string(admin)
                && let Ok(admin) = admin.trim().parse()
                && let Some(address) = listener(admin)
            {
                return Some(address);
            }
            thread::sleep(Duration::from_millis(50));
        }
        None
    }

    /// Returns what it keeps in memory, in KiB.
    pub(crate) fn resident_kib(&self) -> Result<u64, String> {
        let path = format!("/proc/{}/status", self.process.id());
        let text = fs::read_to_string(&path).map_err(|error| format!("cannot read {path}: {error}"))?;
        let line = text.lines().find_map(|line| line.strip_prefix("VmRSS:"));
        let number = line.and_then(|line| line.trim().trim_end_matches(" kB").parse().ok());
        number.ok_or_else(|| format!("{path} doesn't say VmRSS"))
    }

    /// Returns the CPU time of all threads so far, in nanoseconds.
    pub(crate) fn cpu_nanos(&self) -> Result<u64, String> {
        let folder = format!("/proc/{}/task", self.process.id());
        let threads = fs::read_dir(&folder).map_err(|error| format!("cannot read {folder}: {error}"))?;
        let mut sum = 0;
        for thread in threads.flatten() {
            let path = thread.path().join("schedstat");
            let text = fs::read_to_string(&path)
                .map_err(|error| format!("cannot read {}: {error}", path.display()))?;
            let nanos = text.split_whitespace().next().and_then(|first| first.parse::<u64>().ok());
            sum += nanos.ok_or_else(|| format!("{} does not start with a number: {text}", path.display()))?;
        }
        Ok(sum)
    }
}

impl Drop for Envoy {
    fn drop(&mut self) {
        // It may be gone already, which is as good.
        drop(self.process.kill());
        drop(self.process.wait());
    }
}

/// Returns the version of Envoy as it states it.
pub(crate) fn version() -> Result<String, String> {
    let output = Command::new(binary()).arg("--version").output();
    let output = output.map_err(|error| {
        format!("cannot start {}: {error}; run `make tools`, or set ENVOY to an Envoy", binary().display())
    })?;
    let text = String::from_utf8_lossy(&output.stdout);
    // `<path>  version: <commit>/1.40.0/Clean/RELEASE/BoringSSL`
    let version = text.split("version: ").nth(1).and_then(|version| version.split('/').nth(1));
    Ok(version.unwrap_or_else(|| text.trim()).to_owned())
}

/// Returns the path of Envoy: `ENVOY`, or what `make tools` installs.
fn binary() -> PathBuf {
    std::env::var_os("ENVOY").map_or_else(|| PathBuf::from(".tools/envoy/bin/envoy"), PathBuf::from)
}

/// Returns the configuration of an Envoy on ports that are free.
fn configuration(row: &Row, load: &Carries, upstream: Option<SocketAddr>) -> Value {
    let any_port = json!({"socket_address": {"address": "127.0.0.1", "port_value": 0}});
    let (action, target, clusters) = match upstream {
        None => ("direct_response", json!({"status": 200, "body": {"inline_string": "ok"}}), json!([])),
        Some(upstream) => {
            let clusters = [UPSTREAM, CANARY].map(|name| cluster(name, upstream));
            ("route", json!({"cluster": UPSTREAM}), json!(clusters))
        }
    };
    let everything = json!([{"match": {"prefix": "/"}, action: target}]);
    let routes = row.routes.as_ref().filter(|_| upstream.is_some()).unwrap_or(&everything);
    let manager = json!({
        "@type": "type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager",
        "stat_prefix": "bench",
        "route_config": {
            "virtual_hosts": [{
                "name": "all",
                "domains": ["*"],
                "routes": routes,
            }],
        },
        "http_filters": row.http_filters(load),
    });
    json!({
        "admin": {"address": any_port},
        "static_resources": {
            "listeners": [{
                "name": "bench",
                "address": any_port,
                "filter_chains": [{
                    "filters": [{"name": "envoy.filters.network.http_connection_manager", "typed_config": manager}],
                }],
            }],
            "clusters": clusters,
        },
    })
}

/// Returns a cluster that requests are forwarded to.
fn cluster(name: &str, upstream: SocketAddr) -> Value {
    let address = json!({
        "socket_address": {"address": upstream.ip().to_string(), "port_value": upstream.port()},
    });
    json!({
        "name": name,
        "type": "STATIC",
        "load_assignment": {
            "cluster_name": name,
            "endpoints": [{"lb_endpoints": [{"endpoint": {"address": address}}]}],
        },
    })
}

/// Asks the admin interface where the listener is, once it is ready.
fn listener(admin: SocketAddr) -> Option<SocketAddr> {
    if get(admin, "/ready")?.trim() != "LIVE" {
        return None;
    }
    let listeners: Value = serde_json::from_str(&get(admin, "/listeners?format=json")?).ok()?;
    let address = listeners.pointer("/listener_statuses/0/local_address/socket_address")?;
    let ip = address.get("address")?.as_str()?;
    let port = address.get("port_value")?.as_u64()?;
    format!("{ip}:{port}").parse().ok()
}

/// Returns the body of a resource.
fn get(address: SocketAddr, path: &str) -> Option<String> {
    let mut connection = TcpStream::connect(address).ok()?;
    let request = format!("GET {path} HTTP/1.1\r\nhost: bench\r\nconnection: close\r\n\r\n");
    connection.write_all(request.as_bytes()).ok()?;
    let mut response = String::new();
    connection.read_to_string(&mut response).ok()?;
    let (_, body) = response.split_once("\r\n\r\n")?;
    // Chunked or not, what is asked for is one line.
    body.lines()
        .find(|line| line.starts_with('{') || *line == "LIVE")
        .map(|first| body.lines().skip_while(|line| *line != first).filter(|line| *line != "0").collect())
}

/// Returns the last lines of a log.
fn tail(log: &Path) -> String {
    let text = fs::read_to_string(log).unwrap_or_default();
    let lines: Vec<_> = text.lines().collect();
    lines.get(lines.len().saturating_sub(10)..).unwrap_or_default().join("\n")
}
