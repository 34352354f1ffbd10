//! rate-limit in a real Envoy: exact under load, untroubled by hostile bytes, steady through updates.

use std::collections::BTreeSet;
use std::time::Instant;

use serde_json::{Value, json};
use tests::{Answer, Envoy, Gate, Http1, Http2, Request, Running, Upstream, get, get_with, load, plugin};

const SHIPPED: &str = "rate-limit.yaml";

/// A configuration of one rule for everything.
fn rule(fields: Value) -> Value {
    let mut rule = json!({"name": "api"});
    for (name, value) in fields.as_object().unwrap() {
        rule[name] = value.clone();
    }
    json!({"rules": [rule]})
}

/// Envoy with this configuration in front of an upstream.
async fn envoy(config: Value, upstream: &Upstream) -> Running {
    Envoy::from(SHIPPED).config(config).upstream(upstream).start().await
}

/// How often each status came.
async fn statuses(port: u16, times: usize, header: (&str, &str)) -> Vec<u16> {
    let mut statuses = Vec::new();
    for _ in 0..times {
        statuses.push(get_with(port, "/", &[header]).await.status);
    }
    statuses
}

/// The two ways to load the filter: its own module, and the bundle with a chain of one.
fn ways(config: &Value) -> [(&'static str, Value); 2] {
    [("rate-limit.wasm", config.clone()), ("sluice.wasm", json!({"chain": [{"rate-limit": config}]}))]
}

fn module(tree: &mut Value, file: &str) {
    let path = tests::dist(file).to_str().unwrap().to_owned();
    plugin(tree, "rate-limit")["vm_config"]["code"]["local"]["filename"] = json!(path);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_shipped_file_limits_each_key_and_says_when_to_come_back() {
    let upstream = Upstream::start().await;
    let envoy = Envoy::from(SHIPPED).upstream(&upstream).start().await;
    for remaining in (0..5).rev() {
        let answer = get_with(envoy.port(), "/api/items", &[("x-api-key", "one")]).await;
        assert_eq!(answer.status, 200);
        assert_eq!(answer.header("ratelimit-policy"), Some(r#""api-1m";q=5;w=60, "api-1h";q=100;w=3600"#));
        let left = answer.header("ratelimit").unwrap().to_owned();
        assert!(left.starts_with(&format!("\"api-1m\";r={remaining};t=")), "{left}");
    }
    let refused = get_with(envoy.port(), "/api/items", &[("x-api-key", "one")]).await;
    assert_eq!(refused.status, 429);
    assert_eq!(refused.header("content-type"), Some("application/problem+json"));
    assert_eq!(refused.json()["violated-policies"], json!(["api-1m"]));
    let wait: u64 = refused.header("retry-after").unwrap().parse().unwrap();
    assert!((10..=15).contains(&wait), "{wait}");
    let other = Request::get("/api/items").header("x-api-key", b"two").send_http2(envoy.port()).await;
    assert_eq!(other.status, 200);
    assert_eq!(get(envoy.port(), "/elsewhere").await.status, 200);
    assert_eq!(upstream.count(), 7);
    envoy.assert_no_trap().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_bundle_gives_the_same_answers_as_the_single_module() {
    let config = rule(json!({"key": {"header": "k"}, "limits": [{"requests": 2, "per": "1m"}], "cost": 1}));
    let mut all = Vec::new();
    for (file, config) in ways(&config) {
        let upstream = Upstream::start().await;
        let envoy = Envoy::from(SHIPPED)
            .config(config)
            .edit(|tree| module(tree, file))
            .upstream(&upstream)
            .start()
            .await;
        let mut answers = Vec::new();
        for key in ["a", "a", "a", "b"] {
            for request in [Request::get("/x"), Request::post("/x", b"body")] {
                let answer = request.header("k", key.as_bytes()).send_http2(envoy.port()).await;
                let limit = answer.header("ratelimit-policy").map(str::to_owned);
                answers.push((answer.status, limit, answer.header("content-type").map(str::to_owned)));
            }
        }
        answers.push((get(envoy.port(), "/x").await.status, None, None));
        envoy.assert_no_trap().await;
        all.push(answers);
    }
    assert_eq!(all[0], all[1]);
    assert_eq!(all[0].iter().filter(|(status, ..)| *status == 429).count(), 4);
}

/// 8,000 requests on 16 connections for a limit of 1,000 in a year, of which none comes back during the test.
async fn exact_under_load(workers: u32) {
    let upstream = Upstream::start().await;
    let config = rule(json!({"key": {"header": "k"}, "limits": [{"requests": 1000, "per": "365d"}]}));
    let envoy = Envoy::from(SHIPPED).config(config).concurrency(workers).upstream(&upstream).start().await;
    let request = b"GET / HTTP/1.1\r\nhost: a\r\nk: one\r\n\r\n".to_vec();
    let answers = load(envoy.port(), 16, 500, move |_, _| request.clone()).await;
    assert_eq!((answers[&200], answers[&429]), (1000, 7000), "{answers:?}");
    assert_eq!(upstream.count(), 1000);
    envoy.assert_no_trap().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_worker_admits_exactly_the_limit_of_a_flood() {
    exact_under_load(1).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn four_workers_together_admit_exactly_the_limit_of_a_flood() {
    exact_under_load(4).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn four_workers_with_leases_never_admit_more_than_the_limit_of_the_time_that_passed() {
    let upstream = Upstream::start().await;
    let config = rule(json!({"limits": [{"requests": 4000, "per": "1s"}]}));
    let envoy = Envoy::from(SHIPPED).config(config).concurrency(4).upstream(&upstream).start().await;
    let request = b"GET / HTTP/1.1\r\nhost: a\r\n\r\n".to_vec();
    let start = Instant::now();
    let answers = load(envoy.port(), 16, 1_250, move |_, _| request.clone()).await;
    // What comes back in the time that passed is part of the limit; it is measured, not assumed.
    let allowed = 4_000 + usize::try_from(start.elapsed().as_micros() / 250).unwrap() + 1;
    assert!(answers[&200] <= allowed, "{answers:?}, {allowed} allowed");
    assert!(4_000 <= answers[&200], "{answers:?}");
    assert_eq!(upstream.count(), answers[&200]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_hundred_thousand_clients_leave_memory_within_the_stated_bound() {
    let config =
        rule(json!({"key": {"header": "k"}, "clients": 10_000, "limits": [{"requests": 5, "per": "1h"}]}));
    let envoy = Envoy::from(SHIPPED)
        .config(config)
        .edit(|tree| {
            let routes = tree.pointer_mut("/static_resources/listeners/0/filter_chains/0/filters/0/typed_config/route_config/virtual_hosts/0/routes");
            *routes.unwrap() = json!([{"match": {"prefix": "/"}, "direct_response": {"status": 200}}]);
        })
        .concurrency(2)
        .start()
        .await;
    let distinct = |from: usize| {
        move |connection: usize, n: usize| {
            let client = from + connection * 1_000_000 + n;
            format!("GET / HTTP/1.1\r\nhost: a\r\nk: client-{client}\r\n\r\n").into_bytes()
        }
    };
    // The table is full after as many clients as it has places; what comes later must not make it grow.
    load(envoy.port(), 8, 5_000, distinct(0)).await;
    let before = envoy.rss_kib();
    let answers = load(envoy.port(), 8, 20_000, distinct(100_000)).await;
    let after = envoy.rss_kib();
    assert_eq!(answers[&200], 160_000, "{answers:?}");
    // One entry for each client would be more than 30 MiB.
    assert!(after < before + 4 * 1024, "grew from {before} KiB to {after} KiB");
    assert!(0 < envoy.stat("wasmcustom.sluice.rate-limit.evictions_total.api").await);
    envoy.assert_no_trap().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn hostile_bytes_in_every_place_leave_no_trap_and_the_limit_works() {
    let upstream = Upstream::start().await;
    let config = json!({"rules": [
        {"name": "all", "match": {"headers": [{"name": "x-tier", "not": true, "exact": "gold"}], "query": [{"name": "q", "present": true}]},
         "key": ["client_ip", {"header": "k"}, {"cookie": "c"}, {"query": "q"}, "host", "method", "path"],
         "cost": {"header": "x-cost", "max": 5}, "concurrency": 100, "limits": [{"requests": 5, "per": "1h"}], "on_missing_key": "shared"},
        {"name": "ip", "match": {"path": {"exact": "/ip"}}, "key": {"client_ip": {"trusted_hops": 1}}, "limits": [{"requests": 1000, "per": "1h"}]},
        {"name": "api", "key": {"header": "k"}, "limits": [{"requests": 1, "per": "1h"}]}
    ]});
    let envoy = envoy(config, &upstream).await;
    let mut statuses = BTreeSet::new();
    for byte in 0x80..=0xff_u8 {
        for name in [
            "k",
            "cookie",
            "x-tier",
            "x-cost",
            "content-type",
            "x-forwarded-for",
            "user-agent",
            "accept",
            "host",
        ] {
            let value = [b"c=".as_slice(), &[byte, b'a', byte]].concat();
            statuses.insert(Request::get("/x?q=1").header(name, &value).send(envoy.port()).await.status);
        }
        let mut path = b"/x?q=".to_vec();
        path.extend([byte, b'%', byte]);
        let mut raw = b"GET ".to_vec();
        raw.extend(&path);
        raw.extend(b" HTTP/1.1\r\nhost: a\r\n\r\n");
        let mut connection = Http1::connect(envoy.port()).await;
        connection.send(&raw).await;
        statuses.extend(connection.try_read_response().await.map(|answer| answer.status));
        let answer =
            Request::get("/ip").header("x-forwarded-for", [byte, b',', byte]).send_http2(envoy.port()).await;
        statuses.insert(answer.status);
    }
    assert!(statuses.is_subset(&BTreeSet::from([200, 400, 403, 404, 429])), "{statuses:?}");
    assert_eq!(self::statuses(envoy.port(), 3, ("k", "fresh")).await, [200, 429, 429]);
    envoy.assert_no_trap().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_bad_configuration_stops_the_start_and_names_every_problem() {
    let log = Envoy::from(SHIPPED)
        .config(json!({"mode": "dry", "rules": [{"name": "api", "limit": [], "limits": [{"requests": 5, "per": "1 minit"}]}]}))
        .start_refused()
        .await;
    for problem in [
        "configuration refused, 3 problems:",
        r#"mode: "dry" is not one of enforce, shadow"#,
        r#"rules[0].limits[0].per: "1 minit" is not a duration (examples: 250ms, 10s, 5m; units: ns, us, ms, s, m, h, d)"#,
        r#"rules[0].limit: unknown field, did you mean "limits"?"#,
    ] {
        assert!(log.contains(problem), "{problem} is not in\n{log}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_update_keeps_what_clients_have_spent_and_a_bad_one_changes_nothing() {
    let upstream = Upstream::start().await;
    let config = |status: u16| {
        let mut config = rule(json!({"key": {"header": "k"}, "limits": [{"requests": 3, "per": "1h"}]}));
        config["status"] = json!(status);
        config
    };
    let mut envoy = Envoy::from(SHIPPED).config(config(429)).concurrency(2).upstream(&upstream).start().await;
    assert_eq!(statuses(envoy.port(), 2, ("k", "a")).await, [200, 200]);
    envoy.update(config(503)).await;
    assert_eq!(statuses(envoy.port(), 2, ("k", "a")).await, [200, 503]);
    let log = envoy.update_refused(json!({"rules": [{"name": "api"}]})).await;
    assert!(log.contains("rules[0]: limits nothing; give it `limits` or `concurrency`"), "{log}");
    assert_eq!(statuses(envoy.port(), 1, ("k", "a")).await, [503]);
    assert_eq!(statuses(envoy.port(), 1, ("k", "b")).await, [200]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn struct_and_json_configurations_are_read_alike() {
    let upstream = Upstream::start().await;
    let text =
        r#"{"rules": [{"name": "api", "key": {"header": "k"}, "limits": [{"requests": 2.0, "per": "1h"}]}]}"#;
    let json = Envoy::from(SHIPPED).config(text).upstream(&upstream).start().await;
    assert_eq!(statuses(json.port(), 3, ("k", "a")).await, [200, 200, 429]);
    let tree: Value = serde_json::from_str(text).unwrap();
    let wire = envoy(tree, &upstream).await;
    assert_eq!(statuses(wire.port(), 3, ("k", "a")).await, [200, 200, 429]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn decisions_are_explained_in_the_access_log_and_counted() {
    let upstream = Upstream::start().await;
    let mut config = rule(json!({"key": {"header": "k"}, "limits": [{"requests": 1, "per": "1h"}]}));
    config["tags"] = json!("all");
    let envoy = envoy(config, &upstream).await;
    statuses(envoy.port(), 2, ("k", "a")).await;
    let lines = envoy.access_log(2).await;
    assert!(lines[0].contains("200 details=via_upstream rule=api outcome=admitted"), "{lines:?}");
    assert!(lines[1].contains("429 details=sluice_rate_limit_exceeded rule=api outcome=denied"), "{lines:?}");
    assert_eq!(envoy.stat("wasmcustom.sluice.rate-limit.decisions_total.api.admitted").await, 1);
    let prometheus = envoy.prometheus().await;
    let line = r#"sluice_decisions_total{outcome="denied",rule="api",filter="rate-limit"} 1"#;
    assert!(prometheus.contains(line), "{prometheus}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_grpc_client_gets_resource_exhausted() {
    let upstream = Upstream::answering(|_| Answer::grpc(0)).await;
    let envoy = Envoy::from(SHIPPED)
        .config(rule(json!({"limits": [{"requests": 1, "per": "1h"}]})))
        .upstream(&upstream)
        .upstream_http2()
        .start()
        .await;
    let first = Request::grpc("/s/M", b"x").send_http2(envoy.port()).await;
    assert_eq!((first.status, first.grpc_status()), (200, Some(0)));
    let second = Request::grpc("/s/M", b"x").send_http2(envoy.port()).await;
    assert_eq!((second.status, second.grpc_status()), (200, Some(8)));
    assert!(second.header("retry-after").is_some(), "{second:?}");
    assert_eq!(upstream.count(), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn only_wrong_passwords_are_charged_even_when_guessed_in_parallel() {
    let gate = Gate::closed();
    let hold = gate.clone();
    let upstream = Upstream::answering(move |seen| match seen.header("x-password") {
        Some("right") => Answer::status(200),
        _ => Answer::status(401).after(&hold),
    })
    .await;
    let envoy = Envoy::from(SHIPPED).concurrency(2).upstream(&upstream).start().await;
    for _ in 0..10 {
        let answer = Request::post("/login", b"").header("x-password", b"right").send(envoy.port()).await;
        assert_eq!(answer.status, 200);
    }
    // Thirty guesses at once, while none is answered yet: no more than the limit may reach the upstream.
    let port = envoy.port();
    let guesses: Vec<_> = (0..30)
        .map(|_| tokio::spawn(async move { Request::post("/login", b"").send(port).await.status }))
        .collect();
    upstream.await_count(15).await;
    envoy.await_stat("wasmcustom.sluice.rate-limit.decisions_total.login.denied", 25).await;
    gate.open();
    let mut answers = Vec::new();
    for guess in guesses {
        answers.push(guess.await.unwrap());
    }
    assert_eq!(answers.iter().filter(|status| **status == 401).count(), 5, "{answers:?}");
    assert_eq!(answers.iter().filter(|status| **status == 429).count(), 25, "{answers:?}");
    assert_eq!(upstream.count(), 15);
    let right = Request::post("/login", b"").header("x-password", b"right").send(port).await;
    assert_eq!(right.status, 429, "exhausted for everybody at this address");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_answer_of_envoy_itself_is_not_counted_as_the_upstreams() {
    let upstream = Upstream::answering(|_| Answer::abort()).await;
    let config = rule(json!({"limits": [{"requests": 2, "per": "1h"}], "count": {"responses": [503]}}));
    let envoy = envoy(config, &upstream).await;
    for _ in 0..6 {
        assert_eq!(get(envoy.port(), "/").await.status, 503);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_request_in_flight_is_let_go_when_its_client_leaves_and_when_it_is_answered() {
    let gate = Gate::closed();
    let hold = gate.clone();
    let upstream = Upstream::answering(move |seen| match seen.path.as_str() {
        "/slow" => Answer::ok().after(&hold),
        _ => Answer::ok(),
    })
    .await;
    let envoy = envoy(rule(json!({"concurrency": 2})), &upstream).await;
    let port = envoy.port();
    let mut leaves = Http1::connect(port).await;
    leaves.send(b"GET /slow HTTP/1.1\r\nhost: a\r\n\r\n").await;
    let resets = Http2::connect(port).await;
    let stream = resets.open(&Request::get("/slow")).await;
    upstream.await_count(2).await;
    assert_eq!(get(port, "/").await.status, 429);
    drop(leaves);
    stream.reset();
    upstream.await_left(2).await;
    let stays = tokio::spawn(async move { get(port, "/slow").await.status });
    upstream.await_count(3).await;
    assert_eq!(get(port, "/").await.status, 200, "one of two is in flight");
    gate.open();
    assert_eq!(stays.await.unwrap(), 200);
    for _ in 0..5 {
        assert_eq!(get(port, "/").await.status, 200);
    }
    envoy.assert_no_trap().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_plugins_in_one_process_share_nothing_by_accident() {
    let upstream = Upstream::start().await;
    let config = rule(json!({"limits": [{"requests": 4, "per": "1h"}]}));
    // Both as Istio would load them: without a vm_id, so that they see the same shared data.
    let envoy = Envoy::from(SHIPPED)
        .config(config)
        .edit(|tree| {
            plugin(tree, "rate-limit")["vm_config"].as_object_mut().unwrap().remove("vm_id");
            let filters = tree
                .pointer_mut(
                    "/static_resources/listeners/0/filter_chains/0/filters/0/typed_config/http_filters",
                )
                .and_then(Value::as_array_mut)
                .unwrap();
            let mut second = filters[0].clone();
            second["name"] = json!("second");
            second["typed_config"]["config"]["name"] = json!("second");
            filters.insert(0, second);
        })
        .upstream(&upstream)
        .start()
        .await;
    assert_eq!(statuses(envoy.port(), 5, ("k", "a")).await, [200, 200, 200, 200, 429]);
    assert_eq!(envoy.stat("wasmcustom.sluice.rate-limit.decisions_total.api.admitted").await, 8);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn shadow_refuses_nobody_and_counts_whom_it_would_have() {
    let upstream = Upstream::start().await;
    let mut config = rule(json!({"limits": [{"requests": 1, "per": "1h"}]}));
    config["mode"] = json!("shadow");
    let envoy = envoy(config, &upstream).await;
    for _ in 0..3 {
        let answer = get(envoy.port(), "/").await;
        assert_eq!((answer.status, answer.header("ratelimit")), (200, None));
    }
    assert_eq!(envoy.stat("wasmcustom.sluice.rate-limit.decisions_total.api.would_deny").await, 2);
}
