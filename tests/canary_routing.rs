//! canary-routing in a real Envoy: who gets which version by which route, and what the guard does when one fails.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::net::TcpListener;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};
use tests::{
    Answer, Deadline, Envoy, Gate, Http1, Http2, Request, Response, Running, Seen, Upstream, get, get_with,
    load, plugin, workspace,
};

mod guard;
mod overrides;
mod routes;
mod updates;
mod users;

const SHIPPED: &str = "canary-routing.yaml";

/// The token of the shipped file.
const TOKEN: &str = "only for testers";

/// The header by which routes choose, and which tells clients in the shipped file.
const VARIANT: &str = "x-sluice-variant";

/// Where the metrics of the filter are.
const METRICS: &str = "wasmcustom.sluice.canary-routing";

/// Two versions, each of which says in its body which it is, unless its script says otherwise.
struct Versions {
    v1: Upstream,
    v2: Upstream,
}

impl Versions {
    async fn start() -> Self {
        Self::answering(|_| well("v1"), |_| well("v2")).await
    }

    /// The same with a v2 that answers by a script.
    async fn v2_answering(v2: impl Fn(&Seen) -> Answer + Send + Sync + 'static) -> Self {
        Self::answering(|_| well("v1"), v2).await
    }

    async fn answering(
        v1: impl Fn(&Seen) -> Answer + Send + Sync + 'static,
        v2: impl Fn(&Seen) -> Answer + Send + Sync + 'static,
    ) -> Self {
        Self { v1: Upstream::answering(v1).await, v2: Upstream::answering(v2).await }
    }

    /// Two versions that say which variant the request is marked with.
    async fn echoing() -> Self {
        let echo = |seen: &Seen| well(seen.header(VARIANT).unwrap_or("none"));
        Self::answering(echo, echo).await
    }

    /// Two versions, the second of which fails while the switch is on.
    async fn with_a_switch() -> (Self, Arc<AtomicBool>) {
        let switch = Arc::new(AtomicBool::new(false));
        let fails = Arc::clone(&switch);
        let v2 = move |_: &Seen| if fails.load(Ordering::Relaxed) { Answer::status(500) } else { well("v2") };
        (Self::v2_answering(v2).await, switch)
    }

    /// The shipped Envoy in front of both.
    fn shipped(&self) -> Envoy {
        Envoy::from(SHIPPED).cluster("v1", &self.v1).cluster("v2", &self.v2)
    }

    /// The same with another configuration of the filter.
    fn envoy(&self, config: Value) -> Envoy {
        self.shipped().config(config)
    }

    fn count(&self) -> usize {
        self.v1.count() + self.v2.count()
    }

    /// Everything that reached one of them.
    fn seen(&self) -> Vec<Seen> {
        [self.v1.seen(), self.v2.seen()].concat()
    }
}

/// What a version answers when it is well.
fn well(version: &str) -> Answer {
    Answer::status(200).body(version)
}

/// A split for everything, with these fields; null takes one away.
fn split(fields: Value) -> Value {
    json!({"splits": [one_split("x", fields)]})
}

fn one_split(name: &str, fields: Value) -> Value {
    let mut split = json!({
        "name": name,
        "key": {"header": "x-user-id"},
        "variants": [{"name": "v1"}, {"name": "v2", "weight": "20%"}],
    });
    let members = split.as_object_mut().unwrap();
    for (field, value) in fields.as_object().unwrap() {
        if value.is_null() {
            members.remove(field);
        } else {
            members.insert(field.clone(), value.clone());
        }
    }
    split
}

/// The two variants, the second with this weight.
fn weight(weight: &str) -> Value {
    json!([{"name": "v1"}, {"name": "v2", "weight": weight}])
}

/// The bucket of a key, made here once more.
fn bucket(salt: &str, key: &str) -> u32 {
    let digest = Sha256::digest(format!("{salt}.{key}"));
    u32::from_be_bytes(digest[..4].try_into().unwrap()) % 10_000
}

/// The names of users whose buckets are below a limit, or not below it.
fn users_of(salt: &str, is_canary: impl Fn(u32) -> bool) -> impl Iterator<Item = String> {
    (0..).map(|n| format!("user-{n}")).filter(move |user| is_canary(bucket(salt, user)))
}

/// A user of the canary that has a fifth of the split `x`, and one of the baseline.
fn one_of_each() -> (String, String) {
    let canary = users_of("x", |bucket| bucket < 2_000).next().unwrap();
    (canary, users_of("x", |bucket| 2_000 <= bucket).next().unwrap())
}

fn by(user: &str) -> Request {
    Request::get("/").header("x-user-id", user)
}

async fn send(port: u16, http: u8, request: &Request) -> Response {
    match http {
        1 => request.send(port).await,
        _ => request.send_http2(port).await,
    }
}

/// The version that answers a request.
async fn version(port: u16, http: u8, request: &Request) -> String {
    let answer = send(port, http, request).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    answer.text()
}

async fn decisions(envoy: &Running, variant: &str, outcome: &str) -> u64 {
    envoy.stat(&format!("{METRICS}.decisions_total.x.{variant}.{outcome}")).await
}

/// Successes, failures and what says nothing, of the responses of a variant.
async fn responses(envoy: &Running, variant: &str) -> [u64; 3] {
    let all = envoy.stat(&format!("{METRICS}.responses_total.x.{variant}.success")).await;
    let now = envoy.stats_matching(r"responses_total\.x\.").await;
    let count = |verdict: &str| now[&format!("{METRICS}.responses_total.x.{variant}.{verdict}")];
    assert_eq!(all, count("success"));
    [count("success"), count("failure"), count("ignored")]
}

/// Finds the routes of the only virtual host.
fn routes(tree: &mut Value) -> &mut Vec<Value> {
    let place = "/static_resources/listeners/0/filter_chains/0/filters/0/typed_config/route_config/virtual_hosts/0/routes";
    tree.pointer_mut(place).and_then(Value::as_array_mut).expect("routes")
}

/// Has the plugin run another module.
fn module(tree: &mut Value, file: &str) {
    plugin(tree, "canary-routing")["vm_config"]["code"]["local"]["filename"] = json!(tests::dist(file));
}

/// The commands for the listener that the shipped file tells to try, and the versions that it says they get.
const PRINTED: [(&str, &str); 8] = [
    ("-H 'x-user-id: sybil'", "v2"),
    ("-H 'x-user-id: bob'", "v1"),
    ("-H 'x-user-id: alice'", "v2"),
    ("-H 'x-user-id: bank'", "v1"),
    ("-b ''", ""),
    ("-H 'x-canary: v2' -H 'x-canary-token: only for testers' -H 'x-user-id: bob'", "v2"),
    ("-H 'x-canary: v2' -H 'x-user-id: bob'", "v1"),
    ("-H 'x-sluice-variant: v2' -H 'x-user-id: bob'", "v1"),
];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_shipped_file_does_what_its_comments_say() {
    let text = fs::read_to_string(workspace().join("envoy").join(SHIPPED)).expect("the shipped file");
    let printed: Vec<&str> = text
        .lines()
        .filter_map(|line| line.strip_prefix("# curl -"))
        .filter_map(|line| Some(line.split_once(' ')?.1))
        .filter_map(|line| {
            Some(line.split_once(" http").or(line.split_once(" 'http"))?)
                .filter(|rest| rest.1.starts_with("://127.0.0.1:10000/checkout"))
        })
        .map(|(headers, _)| headers)
        .collect();
    assert_eq!(printed, PRINTED.map(|(headers, _)| headers));

    let versions = Versions::start().await;
    let envoy = versions.shipped().concurrency(2).start().await;
    let port = envoy.port();
    for http in [1, 2] {
        for (headers, wanted) in PRINTED.iter().filter(|(_, wanted)| !wanted.is_empty()) {
            let mut request = Request::get("/checkout");
            for header in headers.split("-H ").filter(|header| !header.is_empty()) {
                let (name, value) = header.trim().trim_matches('\'').split_once(": ").unwrap();
                request = request.header(name, value);
            }
            let answer = send(port, http, &request).await;
            assert_eq!(
                (answer.text().as_str(), answer.header(VARIANT)),
                (*wanted, Some(*wanted)),
                "{headers}"
            );
        }
        // Who says nothing about himself, and then what he was given.
        let first = send(port, http, &Request::get("/checkout")).await;
        let cookie = first.header("set-cookie").expect("a cookie").split(';').next().unwrap().to_owned();
        for _ in 0..9 {
            let next = send(port, http, &Request::get("/checkout").header("cookie", &cookie)).await;
            assert_eq!((next.text(), next.header("set-cookie")), (first.text(), None));
        }
        // What no split is for.
        let other = send(port, http, &Request::get("/about").header(VARIANT, "v2")).await;
        assert_eq!((other.text().as_str(), other.header(VARIANT)), ("v1", None));
    }
    for seen in versions.seen() {
        assert_eq!((seen.header("x-canary"), seen.header("x-canary-token")), (None, None), "{seen:?}");
        let told = if seen.path == "/about" { 0 } else { 1 };
        assert_eq!(seen.values(VARIANT).len(), told, "{seen:?}");
    }
    let lines = envoy.access_log(18).await;
    assert!(lines[0].ends_with("split=checkout variant=v2 outcome=split cluster=v2"), "{}", lines[0]);
    envoy.assert_no_trap().await;
    versions.shipped().validate().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_counted_has_labels_in_prometheus() {
    let versions = Versions::start().await;
    let envoy = versions.shipped().start().await;
    for user in ["sybil", "sybil", "bob", "alice"] {
        get_with(envoy.port(), "/checkout", &[("x-user-id", user)]).await;
    }
    get_with(envoy.port(), "/checkout", &[("x-canary", "v2"), ("x-user-id", "bob")]).await;
    // Envoy adds up what its workers have recorded every few seconds.
    let measured =
        r#"sluice_response_milliseconds_count{variant="v2",rule="checkout",filter="canary-routing"} 3"#;
    let deadline = Deadline::new("the histogram of v2 to have three responses");
    let mut prometheus = envoy.prometheus().await;
    while !prometheus.contains(measured) {
        deadline.look_again(|| prometheus.clone()).await;
        prometheus = envoy.prometheus().await;
    }
    for line in [
        r#"sluice_decisions_total{outcome="split",variant="v2",rule="checkout",filter="canary-routing"} 2"#,
        r#"sluice_decisions_total{outcome="split",variant="v1",rule="checkout",filter="canary-routing"} 2"#,
        r#"sluice_decisions_total{outcome="assigned",variant="v2",rule="checkout",filter="canary-routing"} 1"#,
        r#"sluice_responses_total{outcome="success",variant="v2",rule="checkout",filter="canary-routing"} 3"#,
        r#"sluice_responses_total{outcome="failure",variant="v1",rule="checkout",filter="canary-routing"} 0"#,
        r#"sluice_guard_trips_total{outcome="worse",variant="v2",rule="checkout",filter="canary-routing"} 0"#,
        r#"sluice_guard_state{variant="v2",rule="checkout",filter="canary-routing"} 0"#,
        r#"sluice_force_refusals_total{rule="checkout",filter="canary-routing"} 1"#,
    ] {
        assert!(prometheus.contains(line), "{line} is not in\n{prometheus}");
    }
    let untold = prometheus.lines().find(|line| line.contains("wasmcustom"));
    assert_eq!(untold, None, "a metric that no label was cut out of");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_bundle_gives_the_same_answers_as_the_single_module() {
    let config =
        split(json!({"on_missing_key": "baseline", "force": {"header": "x-canary"}, "observe": true}));
    let mut all = Vec::new();
    for (file, config) in [
        ("canary-routing.wasm", config.clone()),
        ("sluice.wasm", json!({"chain": [{"canary-routing": config}]})),
    ] {
        let versions = Versions::start().await;
        let envoy = versions.envoy(config).edit(|tree| module(tree, file)).start().await;
        let mut answers = Vec::new();
        for http in [1, 2] {
            for n in 0..50 {
                answers.push(version(envoy.port(), http, &by(&format!("user-{n}"))).await);
            }
            answers.push(version(envoy.port(), http, &Request::get("/")).await);
            answers.push(version(envoy.port(), http, &by("a").header("x-canary", "always")).await);
            answers.push(version(envoy.port(), http, &by("a").header("x-canary", "never")).await);
        }
        envoy.assert_no_trap().await;
        all.push((answers, responses(&envoy, "v1").await, responses(&envoy, "v2").await));
    }
    assert_eq!(all[0], all[1]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn hostile_bytes_in_every_place_leave_no_trap_and_change_no_version() {
    let versions = Versions::start().await;
    let config = split(json!({
        "match": {"headers": [{"name": "x-odd", "exact": "gold", "not": true}]},
        "key": [{"header": "x-user-id"}, {"cookie": "sid"}, {"query": "u"}],
        "on_missing_key": {"cookie": {"name": "c", "secret": {"inline": "0123456789abcdef0123456789abcdef"}}},
        "assign": [{"variant": "v1", "headers": [{"name": "x-staff", "exact": "1"}]}],
        "force": {"header": "x-canary", "cookie": "canary", "token": {"inline": "t"}},
        "mirror": {"percent": "1%"},
        "guard": {},
    }));
    let envoy = versions.envoy(config).edit(|tree| {
        // The bytes of interest are in names that are fine.
        routes(tree).insert(0, json!({"match": {"prefix": "/mirror"}, "route": {"cluster": "v1"}}));
    });
    let envoy = envoy.start().await;
    let port = envoy.port();
    let mut statuses = BTreeSet::new();
    for byte in 0x80..=0xff_u8 {
        for name in [
            "x-user-id",
            "x-odd",
            "x-staff",
            "x-canary",
            "x-canary-token",
            VARIANT,
            "x-sluice-mirror",
            "content-type",
            "user-agent",
        ] {
            let request = Request::get("/").header("x-canary-token", "t").header(name, [byte, b'a', byte]);
            statuses.insert(request.send(port).await.status);
        }
        for cookie in
            [b"c=1.".as_slice(), b"canary=", b"sid=", b"", b"c=;c=", b"a=b; c=1.AAAAAAAAAAAAAAAAAAAAAA."]
        {
            let value = [cookie, &[byte, b'=', byte, b';', byte]].concat();
            let request = Request::get("/").header("x-canary-token", "t").header("cookie", value);
            statuses.insert(send(port, 2, &request).await.status);
        }
        let mut raw = b"GET /?u=".to_vec();
        raw.extend([byte, b'%', byte]);
        raw.extend(b" HTTP/1.1\r\nhost: a\r\n\r\n");
        let mut connection = Http1::connect(port).await;
        connection.send(&raw).await;
        statuses.extend(connection.try_read_response().await.map(|answer| answer.status));
    }
    assert!(statuses.is_subset(&BTreeSet::from([200, 400])), "{statuses:?}");
    for seen in versions.seen() {
        let told = seen.values(VARIANT);
        assert!(told == [b"v1"] || told == [b"v2"], "{told:?}");
        assert_eq!((seen.header("x-canary"), seen.header("x-canary-token")), (None, None));
    }
    // A key of any bytes is a key.
    for key in [&b"\xff\xfe"[..], b"\x80", b"a\xffb"] {
        let mut got = BTreeSet::new();
        for http in [1, 2, 1, 2] {
            got.insert(version(port, http, &Request::get("/").header("x-user-id", key)).await);
        }
        assert_eq!(got.len(), 1, "{key:?}: {got:?}");
    }
    envoy.assert_no_trap().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_bad_configuration_stops_the_start_and_names_every_problem() {
    let versions = Versions::start().await;
    let config = json!({
        "mood": "enforce",
        "output": {"cluster_header": "x-a", "index_header": "x-a"},
        "splits": [{
            "name": "checkout",
            "key": {"header": "x-user-id"},
            "variants": [{"name": "v1", "weight": "90%"}, {"name": "v2", "weight": "20%"}],
            "on_missing_key": "cookie",
            "guard": {"window": "1s", "false_alarms": 0.1},
        }],
    });
    let log = versions.envoy(config).start_refused().await;
    for problem in [
        "configuration refused, 6 problems:",
        "mood: unknown field, did you mean \"mode\"?",
        "output: has one name for two headers",
        "splits[0].variants[0].weight: must be what the others leave: write 8000 (80%), or leave it out",
        "splits[0].on_missing_key: cookie needs a secret",
        "splits[0].guard.window: must be between 10s and 1h, got \"1s\"",
        "splits[0].guard.false_alarms: 0.1 has no percent sign",
    ] {
        assert!(log.contains(problem), "{problem} is not in\n{log}");
    }
}

/// The demo's own upstream.
struct Demo {
    process: Child,
    port: u16,
}

impl Demo {
    /// Starts one that says which version it is, and waits until it answers.
    async fn start(version: &str) -> Self {
        // Freed again, and nobody else's so soon.
        let port = TcpListener::bind(("127.0.0.1", 0)).unwrap().local_addr().unwrap().port();
        let mut command = Command::new("python3");
        command.arg(workspace().join("envoy/upstream.py")).args([&format!("127.0.0.1:{port}"), version]);
        let process = command.stdin(Stdio::null()).stderr(Stdio::null()).spawn().expect("python3");
        let demo = Self { process, port };
        let deadline = Deadline::new("the demo's upstream to listen");
        while Http1::try_connect(port).await.is_err() {
            deadline.look_again(String::new).await;
        }
        demo
    }

    fn place(&self, tree: &mut Value, cluster: &str) {
        let clusters = tree["static_resources"]["clusters"].as_array_mut().unwrap();
        let found = clusters.iter_mut().find(|found| found["name"] == cluster).unwrap();
        let address =
            found.pointer_mut("/load_assignment/endpoints/0/lb_endpoints/0/endpoint/address/socket_address");
        *address.unwrap() = json!({"address": "127.0.0.1", "port_value": self.port});
    }
}

impl Drop for Demo {
    fn drop(&mut self) {
        drop(self.process.kill());
        drop(self.process.wait());
    }
}

/// What runs `make canary`: an Envoy in front of two upstreams of the demo, with a guard that acts sooner than there.
async fn demo(file: &str, clusters: [&str; 2], guard: fn(&mut Value) -> &mut Value) -> (Running, Demo, Demo) {
    let (v1, v2) = (Demo::start("v1").await, Demo::start("v2").await);
    let envoy = Envoy::from(file).edit(|tree| {
        v1.place(tree, clusters[0]);
        v2.place(tree, clusters[1]);
        *guard(tree) = json!({"window": "10s", "min_requests": 10, "cooldown": "3s", "probe": "50%", "recover_over": "1s"});
    });
    (envoy.concurrency(2).start().await, v1, v2)
}

/// Runs `make canary` until it ends by itself, and reads what it prints as a viewer would: one thing after the other.
async fn watch(envoy: &Running, v2: &Demo) {
    let mut command = Command::new("python3");
    command.arg(workspace().join("envoy/canary"));
    command.args(["--seconds", "20", "--break-after", "2", "--mend-after", "9", "--requests", "60"]);
    for (option, port) in [("--listener", envoy.port()), ("--admin", envoy.admin_port()), ("--v2", v2.port)] {
        command.arg(option).arg(format!("127.0.0.1:{port}"));
    }
    let output = tokio::task::spawn_blocking(move || command.stdin(Stdio::null()).output()).await.unwrap();
    let output = output.expect("python3");
    let printed = String::from_utf8(output.stdout).expect("text");
    assert!(output.status.success(), "{printed}{}", String::from_utf8_lossy(&output.stderr));
    let mut rest = printed.as_str();
    for wanted in [
        "share of v2",
        "closed",
        "v2 fails in 100% of all cases",
        "the guard took the traffic off v2",
        "  0% ····················  tripped",
        "v2 is well",
        "v2 is tried again, with the first of its users",
        "all users of v2 have it again",
        "closed",
        " requests of ",
        " users have seen v2, and the other ",
    ] {
        let Some((_, after)) = rest.split_once(wanted) else {
            panic!("{wanted:?} doesn't come then in\n{printed}")
        };
        rest = after;
    }
    envoy.assert_no_trap().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn make_canary_shows_how_the_guard_takes_the_traffic_off_a_version_and_gives_it_back() {
    let guard: fn(&mut Value) -> &mut Value =
        |tree| &mut plugin(tree, "canary-routing")["configuration"]["value"]["splits"][0]["guard"];
    let (envoy, _v1, v2) = demo(SHIPPED, ["v1", "v2"], guard).await;
    let told = get_with(envoy.port(), "/checkout", &[("x-user-id", "sybil")]).await;
    assert_eq!(
        (told.header("x-upstream-version"), told.json()["version"].as_str()),
        (Some("v2"), Some("v2"))
    );
    // Nobody breaks it from where its clients are.
    let outside = Request::post("/_demo/break", "").header(VARIANT, "v2").send(envoy.port()).await;
    assert_eq!((outside.status, outside.json()["version"].as_str()), (200, Some("v1")));
    watch(&envoy, &v2).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn make_canary_shows_the_same_of_the_chain_whose_users_have_cookies() {
    let guard: fn(&mut Value) -> &mut Value = |tree| {
        let chain = &mut plugin(tree, "sluice")["configuration"]["value"]["chain"];
        let filter =
            chain.as_array_mut().unwrap().iter_mut().find_map(|filter| filter.get_mut("canary-routing"));
        &mut filter.unwrap()["splits"][0]["guard"]
    };
    let (envoy, _v1, v2) = demo("chain.yaml", ["upstream", "upstream-v2"], guard).await;
    watch(&envoy, &v2).await;
}
