//! retry-headers in a real Envoy: retries that happen and stop, budgets, chains of hops, deadlines, and what responses say.

use std::collections::BTreeSet;

use serde_json::{Value, json};
use tests::{Answer, Envoy, Gate, Http1, Request, Response, Running, Upstream, get, get_with, load, plugin};

const SHIPPED: &str = "retry-headers.yaml";

/// A configuration of one policy for everything, without a budget if it has none of its own.
fn policy(fields: Value) -> Value {
    let mut policy = json!({"name": "all", "attempts": 3, "on": ["5xx", "reset"], "budget": "off"});
    for (name, value) in fields.as_object().unwrap() {
        policy[name] = value.clone();
    }
    json!({"policies": [policy], "tags": "all"})
}

/// Envoy with this configuration in front of an upstream.
async fn envoy(config: Value, upstream: &Upstream) -> Running {
    Envoy::from(SHIPPED).config(config).edit(many_retries_at_once).upstream(upstream).start().await
}

/// Lifts Envoy's own limit of three retries at once in a cluster, so that ours is what is seen.
fn many_retries_at_once(tree: &mut Value) {
    tree["static_resources"]["clusters"][0]["circuit_breakers"] = json!({"thresholds": [{"max_retries": 10_000, "max_requests": 10_000, "max_pending_requests": 10_000}]});
}

fn manager(tree: &mut Value) -> &mut Value {
    &mut tree["static_resources"]["listeners"][0]["filter_chains"][0]["filters"][0]["typed_config"]
}

/// An upstream that fails so many times, and then no more.
async fn failing(times: usize) -> Upstream {
    Upstream::sequence((0..times).map(|_| Answer::status(503)).chain([Answer::ok()])).await
}

/// Sends over both versions of HTTP.
async fn both(request: Request, port: u16) -> [Response; 2] {
    [request.send(port).await, request.send_http2(port).await]
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_shipped_file_tries_again_and_says_how_often() {
    let upstream = failing(2).await;
    let envoy = Envoy::from(SHIPPED).upstream(&upstream).start().await;
    let answer = get(envoy.port(), "/api/items").await;
    assert_eq!((answer.status, answer.header("x-envoy-attempt-count")), (200, Some("3")));
    assert_eq!(upstream.count(), 3);
    let seen = upstream.seen();
    let counts: Vec<_> =
        seen.iter().map(|seen| seen.header("x-envoy-attempt-count").unwrap_or("-")).collect();
    assert_eq!(counts, ["1", "2", "3"]);
    for seen in &seen {
        assert_eq!(seen.header("x-sluice-retry"), Some("1"));
        // What is for the router doesn't reach anybody else.
        assert!(
            !seen.headers.iter().any(|(name, _)| name.contains("retry-on") || name.contains("max-retries"))
        );
    }
    let lines = envoy.access_log(1).await;
    assert!(lines[0].contains("attempts=3 policy=api outcome=retriable reason=-"), "{lines:?}");
    envoy.await_stat("wasmcustom.sluice.retry-headers.retries_total.api", 2).await;
    let prometheus = envoy.prometheus().await;
    let line = r#"sluice_decisions_total{outcome="retriable",rule="api",filter="retry-headers"} 1"#;
    assert!(prometheus.contains(line), "{prometheus}");
    envoy.assert_no_trap().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn retries_stop_after_as_many_attempts_as_the_policy_has() {
    for attempts in 1..=4_u64 {
        let upstream = Upstream::answering(|_| Answer::status(503)).await;
        let fields = if attempts == 1 { json!({"attempts": 1}) } else { json!({"attempts": attempts}) };
        let mut config = policy(fields);
        if attempts == 1 {
            config = json!({"policies": [{"name": "all", "attempts": 1}]});
        }
        let envoy = envoy(config, &upstream).await;
        for answer in both(Request::get("/"), envoy.port()).await {
            assert_eq!(answer.status, 503);
            assert_eq!(answer.header("x-envoy-attempt-count"), Some(attempts.to_string().as_str()));
        }
        assert_eq!(upstream.count() as u64, 2 * attempts);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_connection_that_breaks_is_tried_again_with_the_whole_body() {
    let upstream = Upstream::sequence([Answer::abort(), Answer::ok()]).await;
    let envoy = envoy(policy(json!({"on": ["reset"]})), &upstream).await;
    let answer = Request::new("PUT", "/x").chunks(["whole ", "body"]).send_http2(envoy.port()).await;
    assert_eq!(answer.status, 200);
    let bodies: Vec<_> = upstream.seen().into_iter().map(|seen| seen.body).collect();
    assert_eq!(bodies, [b"whole body", b"whole body"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_could_be_done_twice_is_not_tried_again_unless_it_has_a_key() {
    let upstream = Upstream::answering(|_| Answer::status(503)).await;
    let envoy = envoy(policy(json!({})), &upstream).await;
    let mut sent = 0;
    for (request, attempts) in [
        (Request::post("/", "x"), 1),
        (Request::new("PATCH", "/"), 1),
        (Request::new("DELETE", "/"), 3),
        (Request::post("/", "x").header("idempotency-key", "a"), 3),
        (Request::post("/", "x").header("idempotency-key", ""), 1),
        (Request::post("/", "x").header("idempotency-key", "a").header("idempotency-key", "b"), 1),
    ] {
        for answer in both(request, envoy.port()).await {
            assert_eq!(answer.status, 503);
            sent += attempts;
        }
        assert_eq!(upstream.count(), sent);
    }
    let lines = envoy.access_log(1).await;
    assert!(lines[0].contains("attempts=1 policy=all outcome=once reason=unsafe"), "{lines:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_policy_of_the_route_is_no_way_around() {
    let upstream = Upstream::answering(|_| Answer::status(503)).await;
    let route = |tree: &mut Value| {
        manager(tree)["route_config"]["virtual_hosts"][0]["retry_policy"] =
            json!({"retry_on": "5xx", "num_retries": 5});
    };
    let envoy = Envoy::from(SHIPPED).config(policy(json!({}))).edit(route).upstream(&upstream).start().await;
    assert_eq!(Request::post("/", "x").send(envoy.port()).await.status, 503);
    assert_eq!(upstream.count(), 1, "the route alone would make six tries of a POST");
    assert_eq!(get(envoy.port(), "/").await.status, 503);
    assert_eq!(upstream.count(), 4);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn four_workers_keep_to_the_budget_while_the_upstream_fails() {
    const REQUESTS: usize = 4_000;
    let upstream = Upstream::answering(|_| Answer::status(503)).await;
    // A long window, so that nothing comes back during the test.
    let budget = json!({"ratio": "10%", "min_per_second": 0, "window": "1h"});
    let mut config = policy(json!({"budget": budget}));
    config["tags"] = json!("refusals");
    let envoy = Envoy::from(SHIPPED)
        .config(config)
        .edit(many_retries_at_once)
        .concurrency(4)
        .upstream(&upstream)
        .start()
        .await;
    let request = b"GET / HTTP/1.1\r\nhost: a\r\n\r\n".to_vec();
    let answers = load(envoy.port(), 16, REQUESTS / 16, move |_, _| request.clone()).await;
    assert_eq!(answers[&503], REQUESTS, "{answers:?}");
    let retries = upstream.count() - REQUESTS;
    // A tenth, and what was in flight when it was spent: sixteen requests, and those that three other workers let
    // through before they looked.
    assert!(retries <= REQUESTS / 10 + 2 * (16 + 3 * 64), "{retries}");
    assert!(REQUESTS / 20 < retries, "{retries}: hardly any");
    envoy.await_stat("wasmcustom.sluice.retry-headers.retries_total.all", retries as u64).await;
    assert_eq!(envoy.stat("wasmcustom.sluice.retry-headers.retries_total.all").await, retries as u64);
    assert!(0 < envoy.stat("wasmcustom.sluice.retry-headers.decisions_total.all.budget").await);
    envoy.assert_no_trap().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_budget_outlives_an_update() {
    let upstream = Upstream::answering(|_| Answer::status(503)).await;
    let config = |attempts: u64| {
        policy(json!({"attempts": attempts, "budget": {"ratio": "0%", "min_per_second": 1, "window": "1s"}}))
    };
    let long = |mut config: Value| {
        config["policies"][0]["budget"]["window"] = json!("1h");
        config["policies"][0]["budget"]["min_per_second"] = json!(0);
        config["policies"][0]["budget"]["ratio"] = json!("50%");
        config
    };
    let mut envoy = Envoy::from(SHIPPED).config(long(config(3))).upstream(&upstream).start().await;
    assert_eq!(get(envoy.port(), "/").await.status, 503);
    envoy.await_stat("wasmcustom.sluice.retry-headers.retries_total.all", 2).await;
    envoy.update(long(config(4))).await;
    assert_eq!(get(envoy.port(), "/").await.status, 503);
    assert_eq!(upstream.count(), 4, "three tries, and one with the budget spent");
}

/// Three Envoys in a chain, the first of which the client talks to; every hop has a marker of this name.
async fn chain_of_three(upstream: &Upstream, markers: [&str; 3]) -> [Running; 3] {
    let hop = |marker: &str| {
        let mut config = policy(json!({"timeout": "60s"}));
        config["marker"] = json!(marker);
        let quiet = |tree: &mut Value| {
            let host = &mut manager(tree)["route_config"]["virtual_hosts"][0];
            host["include_request_attempt_count"] = json!(false);
        };
        Envoy::from(SHIPPED).config(config).edit(many_retries_at_once).edit(quiet)
    };
    let third = hop(markers[2]).upstream(upstream).start().await;
    let second = hop(markers[1]).in_front_of(&third).start().await;
    let first = hop(markers[0]).in_front_of(&second).start().await;
    [first, second, third]
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_backend_behind_three_hops_sees_three_tries_of_a_request_and_not_twenty_seven() {
    let upstream = Upstream::answering(|_| Answer::status(503)).await;
    let hops = chain_of_three(&upstream, ["x-sluice-retry"; 3]).await;
    for answer in both(Request::get("/"), hops[0].port()).await {
        assert_eq!(answer.status, 503);
    }
    assert_eq!(upstream.count(), 6);
    for hop in &hops[1..] {
        assert_eq!(hop.stat("wasmcustom.sluice.retry-headers.decisions_total.all.amplification").await, 6);
        hop.assert_no_trap().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn hops_that_do_not_know_each_other_multiply_their_tries() {
    let upstream = Upstream::answering(|_| Answer::status(503)).await;
    let hops = chain_of_three(&upstream, ["x-one", "x-two", "x-three"]).await;
    assert_eq!(get(hops[0].port(), "/").await.status, 503);
    assert_eq!(upstream.count(), 27, "which is what the marker is for");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whoever_tries_again_above_is_believed() {
    let upstream = Upstream::answering(|_| Answer::status(503)).await;
    let envoy = envoy(policy(json!({})), &upstream).await;
    let mut seen = 0;
    for (name, value) in [("x-sluice-retry", "anything"), ("x-envoy-attempt-count", "2")] {
        for answer in both(Request::get("/").header(name, value), envoy.port()).await {
            assert_eq!(answer.status, 503);
            seen += 1;
        }
        assert_eq!(upstream.count(), seen, "{name}");
    }
    assert!(upstream.seen().iter().all(|seen| seen.header("x-sluice-retry").is_some()));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_deadline_that_has_passed_is_answered_and_the_upstream_sees_nothing_of_it() {
    let upstream = Upstream::start().await;
    let config = policy(json!({"timeout": "5s", "deadline": {"header": "x-request-deadline-ms"}}));
    let envoy = envoy(config, &upstream).await;
    for answer in both(Request::get("/").header("x-request-deadline-ms", "0"), envoy.port()).await {
        assert_eq!((answer.status, answer.header("content-type")), (504, Some("application/problem+json")));
    }
    let call = Request::grpc("/s/M", "x").header("grpc-timeout", "0m").send_http2(envoy.port()).await;
    assert_eq!((call.status, call.grpc_status()), (200, Some(4)));
    assert_eq!(upstream.count(), 0);
    let lines = envoy.access_log(3).await;
    assert!(lines[0].contains("504 details=sluice_retry_headers_expired"), "{lines:?}");
    assert_eq!(envoy.stat("wasmcustom.sluice.retry-headers.decisions_total.all.expired").await, 3);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_smallest_deadline_is_the_timeout_of_the_upstream() {
    let gate = Gate::closed();
    let hold = gate.clone();
    let upstream = Upstream::answering(move |_| Answer::ok().after(&hold)).await;
    let config = policy(json!({"timeout": "60s", "deadline": {"header": "x-request-deadline-ms"}}));
    let envoy = Envoy::from(SHIPPED).config(config).upstream(&upstream).upstream_http2().start().await;
    // It never answers, so all that ends the request is its deadline.
    let answer = get_with(envoy.port(), "/", &[("x-request-deadline-ms", "300")]).await;
    assert_eq!((answer.status, answer.text().as_str()), (504, "upstream request timeout"));
    let call = Request::grpc("/s/M", "x").header("grpc-timeout", "300m").send_http2(envoy.port()).await;
    // Envoy's own word for a timeout of the upstream.
    assert_eq!(call.grpc_status(), Some(14));
    gate.open();
    get_with(envoy.port(), "/", &[("x-request-deadline-ms", "50000")]).await;
    get_with(envoy.port(), "/", &[("x-request-deadline-ms", "100000")]).await;
    let seen = upstream.seen();
    let number = |seen: &tests::Seen, name: &str| seen.header(name).unwrap().parse::<u64>().unwrap();
    assert!((1..=300).contains(&number(&seen[0], "x-request-deadline-ms")), "{seen:?}");
    assert!((1..=300).contains(&number(&seen[0], "x-envoy-expected-rq-timeout-ms")), "{seen:?}");
    assert!(seen[1].header("grpc-timeout").unwrap().trim_end_matches(['m', 'u', 'n']).parse::<u64>().is_ok());
    let left = |seen: &tests::Seen| number(seen, "x-request-deadline-ms");
    assert!((40_000..=50_000).contains(&left(&seen[2])), "{seen:?}");
    assert!((50_000..=60_000).contains(&left(&seen[3])), "the policy's is smaller: {seen:?}");
    envoy.assert_no_trap().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn refusals_say_when_to_come_back_over_both_versions_of_http() {
    let upstream = Upstream::answering(|seen| match seen.path.as_str() {
        "/429" => Answer::status(429),
        "/date" => Answer::status(503).header("retry-after", "Tue, 31 Dec 2199 23:59:59 GMT"),
        "/past" => Answer::status(503).header("retry-after", "Sunday, 06-Nov-94 08:49:37 GMT"),
        "/long" => Answer::status(503).header("retry-after", "7200"),
        "/odd" => Answer::status(503).header("retry-after", b"\xff soon"),
        "/404" => Answer::status(404),
        _ => Answer::status(503),
    })
    .await;
    let mut config = json!({"policies": [{"name": "all", "attempts": 1}]});
    config["response"] = json!({
        "retry_after": {"default": "10s", "min": "2s", "max": "60s", "jitter": "full", "spread": "50%"},
        "should_retry_header": true,
    });
    let envoy = envoy(config, &upstream).await;
    for (path, range, should) in [
        ("/429", Some(10..=15), "true"),
        ("/503", Some(10..=15), "true"),
        ("/date", Some(1_000_000_000..=6_000_000_000), "true"),
        ("/past", Some(2..=3), "true"),
        ("/long", Some(7_200..=7_200), "true"),
        ("/odd", Some(10..=15), "true"),
        ("/404", None, "false"),
    ] {
        for answer in both(Request::get(path), envoy.port()).await {
            let wait = answer.header("retry-after").map(|wait| wait.parse::<u64>().unwrap());
            match range.clone() {
                Some(range) => assert!(range.contains(&wait.unwrap()), "{path}: {wait:?}"),
                None => assert_eq!(wait, None, "{path}"),
            }
            assert_eq!(answer.header("x-should-retry"), Some(should), "{path}");
        }
    }
    let unsafe_one = Request::post("/503", "x").send(envoy.port()).await;
    assert_eq!(unsafe_one.header("x-should-retry"), Some("false"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn calls_of_grpc_are_tried_again_on_their_own_conditions_and_told_when_to_come_back() {
    let upstream = Upstream::answering(|_| {
        Answer::status(200).header("content-type", "application/grpc").header("grpc-status", "14")
    })
    .await;
    let mut config = policy(json!({"on": ["unavailable"], "only_safe": false}));
    config["response"] = json!({"grpc_pushback": true});
    let envoy = Envoy::from(SHIPPED).config(config).upstream(&upstream).upstream_http2().start().await;
    let call = Request::grpc("/s/M", "x").send_http2(envoy.port()).await;
    assert_eq!(call.grpc_status(), Some(14));
    assert_eq!(upstream.count(), 3);
    let wait: u64 = call.header("grpc-retry-pushback-ms").unwrap().parse().unwrap();
    assert!((1_000..=1_200).contains(&wait), "{wait}");
}

/// A client whose words to the router Envoy itself leaves alone.
fn internal(tree: &mut Value) {
    manager(tree)["internal_address_config"] =
        json!({"cidr_ranges": [{"address_prefix": "127.0.0.0", "prefix_len": 8}]});
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_client_cannot_ask_for_retries_unless_it_is_trusted() {
    let ask = Request::post("/free", "x")
        .header("x-envoy-retry-on", "5xx")
        .header("x-envoy-max-retries", "4")
        .header("x-envoy-upstream-rq-timeout-ms", "86400000");
    for (trust, tries) in [(false, 1), (true, 5)] {
        let upstream = Upstream::answering(|_| Answer::status(503)).await;
        let config = json!({"trust_client": trust, "policies": [
            {"name": "api", "match": {"path": {"prefix": "/api"}}, "attempts": 2}
        ]});
        let start = Envoy::from(SHIPPED).config(config).edit(internal).edit(many_retries_at_once);
        let envoy = start.upstream(&upstream).start().await;
        assert_eq!(ask.send(envoy.port()).await.status, 503);
        assert_eq!(upstream.count(), tries, "trust_client: {trust}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn shadow_mode_counts_and_changes_nothing() {
    let upstream = Upstream::answering(|_| Answer::status(503)).await;
    let mut config =
        policy(json!({"timeout": "1s", "deadline": {"header": "x-d"}, "budget": {"window": "1h"}}));
    config["mode"] = json!("shadow");
    config["response"] = json!({"retry_after": {}, "should_retry_header": true});
    let envoy = envoy(config, &upstream).await;
    for headers in [&[][..], &[("x-d", "0")]] {
        let answer = get_with(envoy.port(), "/", headers).await;
        assert_eq!(
            (answer.status, answer.header("retry-after"), answer.header("x-should-retry")),
            (503, None, None)
        );
    }
    assert_eq!(upstream.count(), 2);
    assert!(upstream.seen().iter().all(|seen| seen.header("x-sluice-retry").is_none()));
    for outcome in ["retriable", "would_expire"] {
        let name = format!("wasmcustom.sluice.retry-headers.decisions_total.all.{outcome}");
        assert_eq!(envoy.stat(&name).await, 1, "{outcome}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn hostile_bytes_in_every_place_leave_no_trap_and_make_no_retries() {
    let upstream = Upstream::answering(|seen| {
        let odd = seen.header("x-odd").unwrap_or("-").as_bytes().to_vec();
        Answer::status(503).header("retry-after", odd).header("x-envoy-attempt-count", b"\xff")
    })
    .await;
    let config = json!({
        "response": {"retry_after": {}, "should_retry_header": true, "grpc_pushback": true},
        "policies": [
            {"name": "api", "match": {"path": {"prefix": "/api"}, "headers": [{"name": "x-tier", "exact": "gold"}]}, "attempts": 3},
            {"name": "all", "attempts": 3, "timeout": "2s", "deadline": {"header": "x-deadline"},
             "budget": {"key": [{"header": "k"}, {"cookie": "c"}], "clients": 10}},
        ],
    });
    let envoy = Envoy::from(SHIPPED).config(config).edit(internal).upstream(&upstream).start().await;
    let mut statuses = BTreeSet::new();
    let mut sent = 0;
    for byte in 0x80..=0xff_u8 {
        for name in [
            "x-sluice-retry",
            "x-envoy-attempt-count",
            "x-envoy-max-retries",
            "x-envoy-retry-on",
            "x-envoy-upstream-rq-timeout-ms",
            "x-deadline",
            "grpc-timeout",
            "content-type",
            "cookie",
            "x-tier",
            "k",
        ] {
            let value = [b"c=".as_slice(), &[byte, b'1', byte]].concat();
            let answer = Request::post("/api/x", "").header(name, &value).send(envoy.port()).await;
            statuses.insert(answer.status);
            sent += 1;
        }
        let mut raw = b"POST /api/".to_vec();
        raw.extend([byte, b'%', byte]);
        raw.extend(b" HTTP/1.1\r\nhost: a\r\ncontent-length: 0\r\n\r\n");
        let mut connection = Http1::connect(envoy.port()).await;
        connection.send(&raw).await;
        statuses.extend(connection.try_read_response().await.map(|answer| answer.status));
    }
    assert!(statuses.is_subset(&BTreeSet::from([400, 503])), "{statuses:?}");
    assert!(sent <= upstream.count() && upstream.count() <= sent + 128, "{} of {sent}", upstream.count());
    let fresh = get(envoy.port(), "/api/x").await;
    assert_eq!(fresh.header("x-envoy-attempt-count"), Some("3"));
    envoy.assert_no_trap().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_client_that_leaves_is_charged_for_the_tries_there_were() {
    let gate = Gate::closed();
    let hold = gate.clone();
    let upstream = Upstream::answering(move |seen| match seen.header("x-envoy-attempt-count") {
        Some("1") => Answer::status(503),
        _ => Answer::status(503).after(&hold),
    })
    .await;
    let envoy = envoy(policy(json!({"budget": {"window": "1h"}})), &upstream).await;
    let mut connection = Http1::connect(envoy.port()).await;
    connection.send(&Request::get("/").wire()).await;
    upstream.await_count(2).await;
    drop(connection);
    envoy.await_stat("wasmcustom.sluice.retry-headers.retries_total.all", 1).await;
    assert_eq!(envoy.stat("wasmcustom.sluice.retry-headers.retries_total.all").await, 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_bundle_does_the_same_as_the_single_module() {
    let config = policy(json!({"budget": {"ratio": "0%", "min_per_second": 0, "window": "1h"}}));
    let ways = [
        ("retry-headers.wasm", policy(json!({}))),
        ("sluice.wasm", json!({"chain": [{"retry-headers": policy(json!({}))}]})),
        ("sluice.wasm", json!({"chain": [{"name": "a", "retry-headers": config}]})),
    ];
    let mut all = Vec::new();
    for (file, config) in ways {
        let upstream = Upstream::answering(|_| Answer::status(503)).await;
        let module = |tree: &mut Value| {
            let path = tests::dist(file).to_str().unwrap().to_owned();
            plugin(tree, "retry-headers")["vm_config"]["code"]["local"]["filename"] = json!(path);
        };
        let envoy = Envoy::from(SHIPPED).config(config).edit(module).upstream(&upstream).start().await;
        for request in [Request::get("/"), Request::post("/", "x")] {
            assert_eq!(request.send(envoy.port()).await.status, 503);
        }
        envoy.assert_no_trap().await;
        all.push(upstream.count());
    }
    assert_eq!(all, [4, 4, 2], "the last one has no budget at all");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_bad_configuration_stops_the_start_and_names_every_problem() {
    let log = Envoy::from(SHIPPED)
        .config(
            json!({"policies": [{"name": "api", "attempts": 0, "on": ["5xxx"], "budget": {"ratio": 0.2}}]}),
        )
        .start_refused()
        .await;
    for problem in [
        "configuration refused, 3 problems:",
        "policies[0].attempts: must be between 1 and 10, got 0",
        r#"policies[0].on[0]: "5xxx" is not one of 5xx,"#,
        "policies[0].budget.ratio: 0.2 has no percent sign",
    ] {
        assert!(log.contains(problem), "{problem} is not in\n{log}");
    }
}
