//! What `docker compose up` in `envoy/` starts: the shipped chain, a dashboard and alerts that ask for what the filters
//! count, and a page for each alert.

use std::collections::BTreeSet;
use std::fs;
use std::io::{Write, stderr};
use std::net::{Ipv4Addr, TcpListener};
use std::process::{Child, Command, Stdio};
use std::{env, process};

use serde_json::{Value, json};
use tests::{Envoy, Running, get, get_with, workspace};

use self::prometheus::Prometheus;
use self::queries::{Scraped, alerts, dashboard, list, panels, read, runbooks, stem, text, yaml};
use self::stack::Stack;
use crate::chain::{PRINTED, demo_keys, demo_upstream, printed, requests, shipped};

mod prometheus;
mod queries;
mod stack;

const COMPOSE: &str = "envoy/docker-compose.yaml";
const CHAIN: &str = "envoy/chain.yaml";

/// Tells whether the shipped chain has canary-routing; what is about canaries waits for it.
fn has_canaries() -> bool {
    let mut found = false;
    visit(&yaml(CHAIN), &mut |node| found |= node.get("canary-routing").is_some());
    found
}

fn visit(node: &Value, look: &mut dyn FnMut(&Value)) {
    look(node);
    match node {
        Value::Object(fields) => fields.values().for_each(|child| visit(child, look)),
        Value::Array(items) => items.iter().for_each(|child| visit(child, look)),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

/// Makes the guard take the traffic off v2: it fails for forty of its users, and v1 meanwhile for none.
async fn trip(port: u16) {
    let (mut canary, mut baseline) = (Vec::new(), Vec::new());
    while canary.len() < 40 && baseline.len() < 400 {
        let answer = get(port, "/checkout").await;
        let cookie = answer.header("set-cookie").and_then(|cookie| cookie.split(';').next());
        let users = if answer.header("x-sluice-variant") == Some("v2") { &mut canary } else { &mut baseline };
        users.push(cookie.expect("a cookie").to_owned());
    }
    for (n, cookie) in canary.iter().enumerate() {
        get_with(port, "/checkout?status=503", &[("cookie", cookie)]).await;
        for cookie in baseline.iter().cycle().skip(n * 3).take(3) {
            get_with(port, "/checkout", &[("cookie", cookie)]).await;
        }
    }
    let last = get_with(port, "/checkout", &[("cookie", canary.last().expect("users of v2"))]).await;
    assert_eq!(last.header("x-sluice-variant"), Some("v1"), "the guard trips");
}

/// Sends everything that the shipped file tells to try, and `make webhook`; all of it is answered as they say. Then one
/// version of the upstream fails.
async fn tour(port: u16, admin: u16) {
    let (commands, _) = printed();
    for (command, wanted) in commands.iter().zip(PRINTED) {
        let mut statuses = Vec::new();
        for request in requests(command) {
            statuses.push(request.send(port).await.status);
        }
        assert_eq!(statuses, wanted, "{command}");
    }
    let mut webhook = Command::new("python3");
    webhook.arg(workspace().join("envoy/webhook"));
    webhook.args([format!("127.0.0.1:{port}"), format!("127.0.0.1:{admin}")]);
    let output =
        tokio::task::spawn_blocking(move || webhook.output()).await.expect("a task").expect("python3");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    trip(port).await;
}

async fn scraped(envoy: &Running) -> Scraped {
    Scraped::read(&envoy.admin("/stats/prometheus").await)
}

/// Says what a passing test left out. The test runner swallows what is printed in the usual way.
fn skipped(what: &str) {
    drop(stderr().write_all(format!("SKIPPED: {what}\n").as_bytes()));
}

#[track_caller]
fn none(problems: impl IntoIterator<Item = String>) {
    let problems: Vec<_> = problems.into_iter().collect();
    assert!(problems.is_empty(), "{}", problems.join("\n"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_the_dashboard_the_alerts_and_the_runbooks_ask_for_is_what_envoy_counts() {
    let (upstream, jwks) = (demo_upstream().await, demo_keys().await);
    let envoy = shipped(&upstream, &jwks).concurrency(2).start().await;
    tour(envoy.port(), envoy.admin_port()).await;
    let (scraped, has_canaries) = (scraped(&envoy).await, has_canaries());
    let queries =
        [queries::of_dashboard(), queries::of_alerts(), queries::of_runbooks(), queries::of_unit_tests()];
    assert!(queries.iter().all(|queries| queries.len() > 15), "is the search for questions broken?");
    none(queries.iter().flatten().flat_map(|query| {
        let problems = scraped.problems(query, has_canaries);
        problems.into_iter().map(|problem| format!("{}: {problem}: {}", query.place, query.text))
    }));

    // What a runbook tells to look at in Envoy is there as well.
    for page in runbooks() {
        let page = fs::read_to_string(page).expect("a runbook");
        let commands = page.lines().filter_map(|line| line.strip_prefix("curl -s "));
        for path in commands.filter_map(|command| command.split_once("http://127.0.0.1:9901")) {
            let path = path.1.split(['\'', ' ']).next().unwrap_or_default();
            let answer = envoy.admin(path).await;
            let rare = path.ends_with("&usedonly") || !has_canaries && path.contains("canary-routing");
            assert!(rare || !answer.trim().is_empty(), "nothing is found by {path}");
        }
    }
}

/// A Prometheus that was started for a test. Dropping it ends it.
struct Started {
    child: Child,
    folder: std::path::PathBuf,
    prometheus: Prometheus,
}

impl Started {
    /// Starts Prometheus with the shipped configuration, but for the address of Envoy; `None` where it isn't installed.
    fn with(envoy: &Running) -> Option<Self> {
        let folder = env::temp_dir().join(format!("sluice-prometheus-{}", process::id()));
        fs::create_dir_all(&folder).expect("a folder");
        let mut configuration = yaml("envoy/prometheus/prometheus.yaml");
        configuration["scrape_configs"][0]["static_configs"][0]["targets"] =
            json!([format!("127.0.0.1:{}", envoy.admin_port())]);
        configuration["rule_files"] = json!([workspace().join("envoy/prometheus/alerts.yaml")]);
        fs::write(folder.join("prometheus.yaml"), configuration.to_string()).expect("a file");
        let free = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).and_then(|free| free.local_addr());
        let port = free.expect("a free port").port();
        let mut command = Command::new("prometheus");
        command.arg(format!("--config.file={}", folder.join("prometheus.yaml").display()));
        command.arg(format!("--storage.tsdb.path={}", folder.join("data").display()));
        command.arg(format!("--web.listen-address=127.0.0.1:{port}"));
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        let child = command.spawn().ok()?;
        Some(Self { child, folder, prometheus: Prometheus { port } })
    }
}

impl Drop for Started {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
        drop(fs::remove_dir_all(&self.folder));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn prometheus_has_an_answer_to_every_question_once_the_tour_was_made() {
    let (upstream, jwks) = (demo_upstream().await, demo_keys().await);
    let envoy = shipped(&upstream, &jwks).concurrency(2).start().await;
    let Some(started) = Started::with(&envoy) else {
        return skipped(
            "asking Prometheus what the dashboard asks, because prometheus is not installed (Debian has it).",
        );
    };
    started.prometheus.first_scrape(envoy.port()).await;
    tour(envoy.port(), envoy.admin_port()).await;
    started.prometheus.two_more_scrapes().await;
    none(started.prometheus.unanswered(has_canaries()).await);
    none(started.prometheus.broken_alerts().await);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs a Docker engine: make compose-test"]
async fn the_containers_answer_what_the_chain_tells_to_try_and_every_question_about_it() {
    let stack = Stack::up();
    let (envoy, admin) = (stack.port("envoy", 10000), stack.port("envoy", 9901));
    let prometheus = Prometheus { port: stack.port("prometheus", 9090) };
    stack.answers(admin, "/ready").await;
    stack.answers(prometheus.port, "/-/ready").await;
    prometheus.first_scrape(envoy).await;
    tour(envoy, admin).await;
    prometheus.two_more_scrapes().await;
    none(prometheus.unanswered(has_canaries()).await);
    none(prometheus.broken_alerts().await);
    stack.inside("prometheus", &["promtool", "check", "config", "/etc/prometheus/prometheus.yaml"]);

    // Each version of the upstream is there by its name, from where Envoy is.
    let asks = |host: &str| {
        format!("exec 3<>/dev/tcp/{host}; printf 'GET / HTTP/1.0\\r\\n\\r\\n' >&3; head -n 1 <&3")
    };
    for upstream in ["upstream-v1/8000", "upstream-v2/8001"] {
        let line = stack.inside("envoy", &["bash", "-c", &asks(upstream)]);
        assert!(line.contains(" 200 "), "{upstream}: {line:?}");
    }

    for file in [
        "provisioning/datasources/prometheus.yaml",
        "provisioning/dashboards/sluice.yaml",
        "dashboards/sluice.json",
    ] {
        let there = stack.inside("grafana", &["cat", &format!("/etc/grafana/{file}")]);
        assert!(there == read(&format!("envoy/grafana/{file}")), "Grafana doesn't see {file}");
    }
    if !stack.is_real("grafana", "/run.sh") {
        return skipped(
            "asking Grafana for its dashboard, because something else stands in for its image here.",
        );
    }
    let port = stack.port("grafana", 3000);
    stack.answers(port, "/api/health").await;
    // A viewer who isn't logged in sees the dashboard, and gets an answer through the data source.
    stack.answers(port, "/api/dashboards/uid/sluice").await;
    stack.answers(port, "/api/datasources/proxy/uid/prometheus/api/v1/query?query=up").await;
}

#[test]
fn the_containers_run_the_shipped_chain_and_only_its_addresses_differ() {
    let compose = yaml(COMPOSE);
    let start = text(&compose["services"]["envoy"]["entrypoint"][2]);
    let (edit, _) =
        start.split_once(" > /tmp/envoy.yaml && exec envoy --config-path /tmp/envoy.yaml").expect("an edit");
    let output = Command::new("sh").args(["-c", edit]).current_dir(workspace()).output().expect("sh");
    let edited = String::from_utf8(output.stdout).expect("text");
    assert!(output.status.success() && !edited.is_empty(), "{edit}");

    // Line by line: what isn't an address, or the way in which names are looked up, is as it was.
    let shipped = read(CHAIN);
    assert_eq!(shipped.lines().count(), edited.lines().count());
    let address = |line: &str| {
        line.split_once("address: {socket_address: {address: ").map(|(before, _)| before.to_owned())
    };
    let port = |line: &str| line.split_once("port_value: ").map(|(_, port)| port.to_owned());
    for (before, after) in shipped.lines().zip(edited.lines()).filter(|(before, after)| before != after) {
        let moved =
            address(before).is_some() && address(before) == address(after) && port(before) == port(after);
        let named = before.replace("type: STATIC", "type: STRICT_DNS") == after;
        assert!(moved || named, "{before}\n{after}");
    }

    // No address of a single machine is left, and each name is that of a container that listens there.
    let tree: Value = serde_norway::from_str(&edited).expect("YAML");
    let mut seen = BTreeSet::new();
    visit(&tree, &mut |node| {
        if let Some(address) = node.get("socket_address") {
            seen.insert(format!("{}:{}", text(&address["address"]), address["port_value"]));
        }
    });
    for (name, service) in compose["services"].as_object().expect("services") {
        let listens = list(&service["entrypoint"]).iter().filter_map(Value::as_str);
        let ports = listens.filter_map(|word| word.strip_prefix("0.0.0.0:"));
        for port in ports {
            assert!(seen.remove(&format!("{name}:{port}")) || !has_canaries(), "nobody asks {name}:{port}");
        }
    }
    assert_eq!(seen.into_iter().collect::<Vec<_>>(), ["0.0.0.0:10000", "0.0.0.0:9901"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn envoy_accepts_the_chain_as_it_is_in_the_containers() {
    let edit = ["-f", "envoy/compose.sed", CHAIN];
    let output = Command::new("sed").args(edit).current_dir(workspace()).output().expect("sed");
    Envoy::from_text(&String::from_utf8(output.stdout).expect("text")).validate().await;
}

#[test]
fn the_containers_are_reached_from_this_machine_alone_and_are_what_the_makefile_names() {
    let compose = yaml(COMPOSE);
    let services = compose["services"].as_object().expect("services");
    let ports: Vec<_> = services.values().flat_map(|service| list(&service["ports"])).map(text).collect();
    assert!(ports.len() >= 4 && ports.iter().all(|port| port.starts_with("127.0.0.1:")), "{ports:?}");
    let version =
        read("Makefile").lines().find_map(|line| line.strip_prefix("ENVOY_VERSION := ").map(str::to_owned));
    let image = format!("envoyproxy/envoy:v{}", version.expect("the version of Envoy"));
    assert_eq!(services["envoy"]["image"], image);
    for (name, service) in services {
        let image = text(&service["image"]);
        assert!(image.contains(':') && !image.ends_with(":latest"), "{name} has no version: {image}");
    }
    // Prometheus finds Envoy, and Grafana finds Prometheus and the dashboard.
    let targets =
        &yaml("envoy/prometheus/prometheus.yaml")["scrape_configs"][0]["static_configs"][0]["targets"];
    assert_eq!(targets, &json!(["envoy:9901"]));
    let source = yaml("envoy/grafana/provisioning/datasources/prometheus.yaml");
    assert_eq!(source["datasources"][0]["url"], "http://prometheus:9090");
    let provider = yaml("envoy/grafana/provisioning/dashboards/sluice.yaml");
    let folder = text(&provider["providers"][0]["options"]["path"]);
    let mounts = list(&services["grafana"]["volumes"]);
    assert!(
        mounts.iter().any(|mount| mount["target"] == folder && mount["source"] == "./grafana/dashboards")
    );
}

#[test]
fn the_dashboard_shows_every_metric_of_the_filters_and_no_panel_covers_another() {
    let dashboard = dashboard();
    let ids: Vec<_> =
        list(&dashboard["panels"]).iter().map(|panel| panel["id"].as_u64().expect("an id")).collect();
    assert_eq!(ids.iter().collect::<BTreeSet<_>>().len(), ids.len(), "{ids:?}");
    let mut taken = BTreeSet::new();
    for panel in list(&dashboard["panels"]) {
        let of = |field: &str| panel["gridPos"][field].as_u64().expect("a number");
        assert!(of("x") + of("w") <= 24, "{} is wider than the page", panel["title"]);
        let cells =
            (of("x")..of("x") + of("w")).flat_map(|x| (of("y")..of("y") + of("h")).map(move |y| (x, y)));
        cells.for_each(|cell| assert!(taken.insert(cell), "{} covers another panel", panel["title"]));
    }
    let titles: Vec<_> = panels(&dashboard).iter().map(|panel| text(&panel["title"])).collect();
    assert!(titles.iter().all(|title| !title.is_empty()), "{titles:?}");
    for panel in panels(&dashboard) {
        let sources = list(&panel["targets"]).iter().map(|target| &target["datasource"]["uid"]);
        assert!(
            sources.chain([&panel["datasource"]["uid"]]).all(|uid| uid == "${datasource}"),
            "{}",
            panel["title"]
        );
    }
    let shown: BTreeSet<_> = queries::of_dashboard()
        .iter()
        .flat_map(|query| queries::Parts::of(&query.text).selectors)
        .map(|selector| selector.name)
        .collect();
    for family in
        ["decisions", "refusals", "retries", "evictions", "contentions", "stops", "guard_trips", "responses"]
    {
        assert!(shown.contains(&format!("sluice_{family}_total")), "{family} is nowhere on the dashboard");
    }
    let source = yaml("envoy/grafana/provisioning/datasources/prometheus.yaml");
    let variable = &dashboard["templating"]["list"][0];
    assert_eq!(variable["current"]["value"], source["datasources"][0]["uid"]);
}

#[test]
fn every_alert_has_a_page_that_says_what_to_do_and_tests_of_when_it_fires_and_when_not() {
    let tests = yaml("tests/compose/alerts.yaml");
    let cases: Vec<_> =
        list(&tests["tests"]).iter().flat_map(|test| list(&test["alert_rule_test"])).collect();
    let mut pages: BTreeSet<_> = runbooks().iter().map(|path| stem(path)).collect();
    for alert in alerts() {
        let name = text(&alert["alert"]);
        assert!(pages.remove(name), "{name} has no page");
        let path = format!("envoy/runbooks/{name}.md");
        assert_eq!(alert["annotations"]["runbook"], path);
        let page = read(&path);
        let severity = text(&alert["labels"]["severity"]);
        assert!(["critical", "warning", "info"].contains(&severity), "{name} is {severity}");
        let first = page.lines().nth(2).unwrap_or_default().to_lowercase();
        assert!(
            first.starts_with(&format!("{severity}: ")),
            "{path} doesn't say first that it is {severity}"
        );
        let headings: Vec<_> = page.lines().filter(|line| line.starts_with('#')).collect();
        let wanted = [&format!("# {name}"), "## What it means", "## What to look at", "## What to do"];
        assert_eq!(headings, wanted, "{path}");
        assert!(page.contains("```sh\n"), "{path} has no command to look with");
        let of_it = || cases.iter().filter(|case| case["alertname"] == name);
        assert!(of_it().any(|case| !list(&case["exp_alerts"]).is_empty()), "no test has {name} fire");
        assert!(of_it().any(|case| list(&case["exp_alerts"]).is_empty()), "no test has {name} be silent");
    }
    assert!(pages.is_empty(), "no alert is called {pages:?}");
}

#[test]
fn a_question_about_what_nobody_counts_is_found_out() {
    let scraped = Scraped::read("a_total{rule=\"x\",outcome=\"denied\"} 1\nb_bucket{le=\"+Inf\"} 2\n");
    let problems = |text: &str, told: &[&str]| {
        let told = told.iter().map(|label| (*label).to_owned()).collect();
        let query = queries::Query { place: String::new(), text: text.to_owned(), told };
        scraped.problems(&query, true).join(", ")
    };
    for right in [
        r#"sum by (rule, instance) (rate(a_total{outcome=~"denied|unclear", job="envoy"}[5m] offset 1d)) > bool 1"#,
        "histogram_quantile(0.5, sum by (le) (b_bucket)) or on () vector(0)",
        r#"a_total{outcome!="admitted"} / ignoring (outcome) group_left () a_total unless up == 0"#,
    ] {
        assert_eq!(problems(right, &[]), "", "{right}");
    }
    for (wrong, told, problem) in [
        ("rate(c_total[5m])", "", "Envoy has no metric c_total"),
        (r#"rate(a_total{reason="x"}[5m])"#, "", "a_total has no label reason"),
        (r#"a_total{outcome="admitted"}"#, "", "no series is like"),
        ("sum by (reason) (a_total)", "", "nothing that it asks for has the label reason"),
        ("sum by (rule) (a_total)", "outcome", "the answer doesn't have the label outcome"),
        ("a_total or b_bucket{le=\"1\"}", "", "no series is like"),
    ] {
        let told: &[&str] = if told.is_empty() { &[] } else { &[told] };
        assert!(problems(wrong, told).contains(problem), "{wrong}: {}", problems(wrong, told));
    }
}
