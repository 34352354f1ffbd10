//! The containers of `docker compose up`, started as users start them.

use std::env;
use std::fs;
use std::process::{Command, Output};

use serde_json::Value;
use tests::{Deadline, Http1, Request, workspace};
use tokio::time::{Duration, timeout};

/// The running containers, on free ports. Dropping it takes them down; the logs of a failed test are kept.
pub(super) struct Stack {
    /// `docker compose` or `docker-compose`.
    compose: Vec<String>,
}

impl Stack {
    /// Starts everything, with what the environment names in `COMPOSE`.
    pub(super) fn up() -> Self {
        let compose = env::var("COMPOSE").unwrap_or_else(|_| "docker compose".to_owned());
        let stack = Self { compose: compose.split(' ').map(str::to_owned).collect() };
        // What a test that was killed has left.
        stack.run(&["down", "--volumes", "--timeout", "1"]);
        stack.run(&["up", "--detach"]);
        stack
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let (program, first) = self.compose.split_first().expect("a command");
        let mut command = Command::new(program);
        command.args(first).args(["--project-name", "sluice-test", "--file"]);
        command.arg(workspace().join("envoy/docker-compose.yaml")).args(arguments);
        // Any port that is free.
        for port in ["ENVOY_PORT", "ADMIN_PORT", "PROMETHEUS_PORT", "GRAFANA_PORT"] {
            command.env(port, "0");
        }
        command
    }

    fn output(&self, arguments: &[&str]) -> Output {
        self.command(arguments).output().unwrap_or_else(|error| panic!("{:?}: {error}", self.compose))
    }

    /// Runs one of compose's commands, which must succeed, and returns what it prints.
    pub(super) fn run(&self, arguments: &[&str]) -> String {
        let output = self.output(arguments);
        let error = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{:?} {arguments:?}: {error}", self.compose);
        String::from_utf8_lossy(&output.stdout).into_owned()
    }

    /// Runs a command in a container, which must succeed, and returns what it prints.
    pub(super) fn inside(&self, service: &str, command: &[&str]) -> String {
        self.run(&[&["exec", "-T", service], command].concat())
    }

    /// Returns the port of this machine behind which is a port of a container.
    pub(super) fn port(&self, service: &str, port: u16) -> u16 {
        let address = self.run(&["port", service, &port.to_string()]);
        let port = address.trim().rsplit_once(':').and_then(|(_, port)| port.parse().ok());
        port.unwrap_or_else(|| panic!("{service} has no port: {address:?}"))
    }

    /// Waits until somebody answers on a port with a 200.
    pub(super) async fn answers(&self, port: u16, path: &str) {
        let deadline = Deadline::new(format!("{path} on port {port} to be answered")).times(6);
        loop {
            let answer = async {
                let mut connection = Http1::try_connect(port).await.ok()?;
                connection.send(&Request::get(path).wire()).await;
                // Envoy takes connections before it has time for anybody: while it compiles its module.
                timeout(Duration::from_secs(2), connection.try_read_response()).await.ok()?
            };
            if answer.await.is_some_and(|answer| answer.status == 200) {
                return;
            }
            deadline.look_again(|| self.logs()).await;
        }
    }

    /// Tells whether the image of a service is what its name says: where nothing can be pulled, something that only
    /// listens may stand in for it.
    pub(super) fn is_real(&self, service: &str, entrypoint: &str) -> bool {
        let id = self.run(&["ps", "--quiet", service]);
        let mut docker = Command::new("docker");
        docker.args(["inspect", "--format", "{{json .Config.Entrypoint}}", id.trim()]);
        let output = docker.output().expect("docker");
        let found: Value = serde_json::from_slice(&output.stdout).unwrap_or_default();
        found[0] == entrypoint
    }

    fn logs(&self) -> String {
        let output = self.output(&["logs", "--no-color", "--tail", "200"]);
        String::from_utf8_lossy(&output.stdout).into_owned()
    }
}

impl Drop for Stack {
    fn drop(&mut self) {
        if std::thread::panicking() {
            let folder = workspace().join("tests/.logs");
            drop(fs::create_dir_all(&folder));
            drop(fs::write(folder.join("compose.log"), self.logs()));
            eprintln!("the logs of the containers are in {}", folder.join("compose.log").display());
        }
        drop(self.output(&["down", "--volumes", "--timeout", "1"]));
    }
}
