//! fault-injection in a real Envoy: each fault as the client and the upstream see it, and what is left of it.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tests::{
    Answer, Deadline, Envoy, Gate, Http1, Http2, Request, Response, Running, Upstream, get, get_with, load,
    plugin,
};

mod calls;
mod held;
mod others;
mod together;

const SHIPPED: &str = "fault-injection.yaml";

/// The token of the shipped file.
const TOKEN: &str = "only for testers";

/// The response header that says that a failure was on purpose.
const STAMP: &str = "x-sluice-fault-injected";

/// An experiment for everything, with these fields.
fn experiment(fields: Value) -> Value {
    let mut experiment = json!({"name": "x", "percent": "100%"});
    for (name, value) in fields.as_object().unwrap() {
        experiment[name] = value.clone();
    }
    json!({"experiments": [experiment]})
}

/// Experiments, each for the path that it is called by.
fn experiments(all: &[(&str, Value)]) -> Value {
    let one = |(name, fields): &(&str, Value)| {
        let mut one = experiment(fields.clone())["experiments"][0].take();
        one["name"] = json!(name);
        one["match"] = json!({"path": {"exact": format!("/{name}")}});
        one
    };
    json!({"experiments": all.iter().map(one).collect::<Vec<_>>()})
}

async fn envoy(config: Value, upstream: &Upstream) -> Running {
    Envoy::from(SHIPPED).config(config).upstream(upstream).start().await
}

async fn send(port: u16, http: u8, request: &Request) -> Response {
    match http {
        1 => request.send(port).await,
        _ => request.send_http2(port).await,
    }
}

fn decisions(experiment: &str, outcome: &str) -> String {
    format!("wasmcustom.sluice.fault-injection.decisions_total.{experiment}.{outcome}")
}

/// How many streams have a fault now.
async fn active(envoy: &Running, experiment: &str) -> u64 {
    envoy.stat(&format!("wasmcustom.sluice.fault-injection.active.{experiment}")).await
}

async fn await_none_active(envoy: &Running, experiment: &str) {
    let deadline = Deadline::new("no stream to have a fault").times(3);
    loop {
        let active = active(envoy, experiment).await;
        if active == 0 {
            return;
        }
        deadline.look_again(|| format!("{active} have one")).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_shipped_file_does_what_its_comments_say() {
    let upstream = Upstream::start().await;
    let envoy = Envoy::from(SHIPPED).upstream(&upstream).start().await;
    let port = envoy.port();
    for http in [1, 2] {
        let search = |user: &str| Request::get("/search?q='chaos'").header("x-user", user);
        let frank = send(port, http, &search("frank")).await;
        assert_eq!((frank.status, frank.header(STAMP)), (503, Some("no-search;abort=503")));
        assert_eq!(
            (frank.header("retry-after"), frank.header("cache-control")),
            (Some("5"), Some("no-store"))
        );
        assert_eq!(
            frank.json(),
            json!({"error": "unavailable", "by": "no-search", "path": "/search?q=%27chaos%27"})
        );
        let alice = send(port, http, &search("alice")).await;
        assert_eq!((alice.status, alice.header(STAMP)), (200, None));
        let tester = Request::get("/").header("x-sluice-fault", "delay=30ms,abort=418");
        let mut known = tester.clone().header("x-sluice-fault-token", TOKEN);
        let answer = send(port, http, &known).await;
        assert_eq!((answer.status, answer.header(STAMP)), (418, Some("control;delay=30ms;abort=418")));
        known = tester.header("x-sluice-fault-token", "guess");
        assert_eq!(send(port, http, &known).await.status, 200);
    }
    for _ in 0..40 {
        let answer = get(port, "/checkout").await;
        assert_eq!(answer.status, 200);
        assert!(answer.header(STAMP).is_none_or(|stamp| stamp.starts_with("slow-checkout;delay=")));
    }
    let late = envoy.stat(&decisions("slow-checkout", "injected")).await;
    assert!((1..40).contains(&late), "{late} of 40 were late");
    assert_eq!(envoy.stat(&decisions("slow-checkout", "passed")).await, 40 - late);
    assert_eq!(upstream.count(), 44);
    for seen in upstream.seen() {
        assert_eq!((seen.header("x-sluice-fault"), seen.header("x-sluice-fault-token")), (None, None));
    }
    await_none_active(&envoy, "slow-checkout").await;
    envoy.assert_no_trap().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_fault_of_a_request_is_what_it_says_for_client_and_upstream() {
    let upstream = Upstream::start().await;
    let config = experiments(&[
        ("late", json!({"request": {"delay": {"fixed": "40ms"}}})),
        ("abort", json!({"request": {"abort": {"status": 502, "body": "{experiment} is down"}}})),
        ("late-abort", json!({"request": {"delay": {"fixed": "40ms"}, "abort": {"status": 504}}})),
        ("reset", json!({"request": {"reset": true}})),
        ("late-reset", json!({"request": {"delay": {"fixed": "40ms"}, "reset": true}})),
    ]);
    let envoy = envoy(config, &upstream).await;
    let port = envoy.port();
    let forms = |path: &str| {
        [
            Request::get(path),
            Request::post(path, "abc"),
            Request::new("POST", path).chunks(["a", "b", "c"]),
            Request::new("POST", path).chunks(["ab", "c"]).trailer("x-sum", "3"),
        ]
    };
    for http in [1, 2] {
        for (index, request) in forms("/late").iter().enumerate() {
            let before = upstream.count();
            let start = Instant::now();
            let answer = send(port, http, request).await;
            // A delay is never shorter than it says; how much longer it is, is for the benchmark.
            assert!(Duration::from_millis(40) <= start.elapsed());
            assert_eq!((answer.status, answer.header(STAMP)), (200, Some("late;delay=40ms")));
            let seen = &upstream.seen()[before];
            assert_eq!(seen.body, if index == 0 { b"".as_slice() } else { b"abc" });
            assert!(seen.complete);
        }
        let before = upstream.count();
        for (path, status, stamp, body) in [
            ("/abort", 502, "abort;abort=502", "abort is down"),
            ("/late-abort", 504, "late-abort;delay=40ms;abort=504", "fault injected: late-abort\n"),
        ] {
            for request in forms(path) {
                let answer = send(port, http, &request).await;
                assert_eq!((answer.status, answer.header(STAMP)), (status, Some(stamp)), "HTTP/{http}");
                assert_eq!(answer.text(), body);
            }
        }
        for path in ["/reset", "/late-reset"] {
            if http == 1 {
                let mut connection = Http1::connect(port).await;
                connection.send(&Request::get(path).wire()).await;
                assert!(connection.try_read_response().await.is_none(), "the connection breaks");
            } else {
                let connection = Http2::connect(port).await;
                let error = connection.try_send(&Request::get(path)).await.expect_err("a reset");
                assert!(error.is_reset(), "{error:?}");
                assert_eq!(connection.send(&Request::get("/")).await.status, 200, "only the stream is reset");
            }
        }
        assert_eq!(
            upstream.count(),
            before + 2 * usize::from(http == 2),
            "nothing of these reached the upstream"
        );
    }
    let grpc = Request::grpc("/abort", b"x").send_http2(port).await;
    assert_eq!(
        (grpc.status, grpc.grpc_status(), grpc.header(STAMP)),
        (200, Some(14), Some("abort;abort=502"))
    );
    for name in ["late", "abort", "late-abort", "reset", "late-reset"] {
        await_none_active(&envoy, name).await;
    }
    envoy.assert_no_trap().await;
}

/// A body of several pieces of the proxy.
fn long_body() -> Vec<u8> {
    (0..300_000_u32).map(|at| b'a' + u8::try_from(at % 26).unwrap()).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_fault_of_a_response_is_what_it_says_and_the_upstream_notices_nothing() {
    let upstream = Upstream::answering(|seen| match seen.header("x-form") {
        Some("pieces") => Answer::status(200).body("abc").body("def").body("gh"),
        Some("trailers") => Answer::status(200).body("abcdefgh").trailer("x-sum", "8"),
        Some("none") => Answer::status(204),
        Some("long") => Answer::status(200).body(long_body()),
        _ => Answer::status(200).header("etag", "1").header("cache-control", "public").body("abcdefgh"),
    })
    .await;
    let config = experiments(&[
        ("late", json!({"response": {"delay": {"fixed": "40ms"}}})),
        ("status", json!({"response": {"status": 500}})),
        (
            "headers",
            json!({"response": {"headers": {"set": [{"name": "x-a", "value": "b"}], "remove": ["etag"]}}}),
        ),
        ("truncate", json!({"response": {"body": {"truncate": 5}}})),
        ("replace", json!({"response": {"body": {"replace": "something else"}}})),
        ("corrupt", json!({"response": {"body": {"corrupt": {"bytes": 2, "seed": "s"}}}})),
        ("throttle", json!({"response": {"throttle": 200}})),
        ("trailers", json!({"response": {"empty_trailers": true}})),
        (
            "all",
            json!({"request": {"delay": {"fixed": "10ms"}}, "response": {"delay": {"fixed": "10ms"}, "status": 500, "body": {"truncate": 5}, "throttle": "1KiB", "empty_trailers": true}}),
        ),
    ]);
    let envoy = Envoy::from(SHIPPED).config(config).upstream(&upstream).upstream_http2();
    let envoy = envoy.start().await;
    let mut damaged = BTreeSet::new();
    for http in [1, 2] {
        for form in ["whole", "pieces", "trailers", "none", "long"] {
            let ask = async |path: &str| {
                let answer = send(envoy.port(), http, &Request::get(path).header("x-form", form)).await;
                assert!(answer.complete, "{path} {form} over HTTP/{http}");
                assert!(
                    answer.header(STAMP).is_some_and(|stamp| stamp.starts_with(&path[1..])),
                    "{answer:?}"
                );
                answer
            };
            let case = format!("{form} over HTTP/{http}");
            let (body, ok) = match form {
                "none" => (Vec::new(), 204),
                "long" => (long_body(), 200),
                _ => (b"abcdefgh".to_vec(), 200),
            };
            let sum = (form == "trailers" && http == 2).then_some("8");
            let start = Instant::now();
            let late = ask("/late").await;
            assert!(Duration::from_millis(40) <= start.elapsed());
            assert_eq!((late.status, &late.body, late.trailer("x-sum")), (ok, &body, sum), "{case}");
            if form != "none" {
                let status = ask("/status").await;
                assert_eq!((status.status, &status.body), (500, &body), "{case}");
                assert_eq!(status.header("cache-control"), Some("no-store"));
            }
            let headers = ask("/headers").await;
            assert_eq!(
                (headers.header("x-a"), headers.header("etag"), &headers.body),
                (Some("b"), None, &body)
            );
            let cut = ask("/truncate").await;
            assert_eq!(cut.body, body[..body.len().min(5)], "{case}");
            assert_eq!(cut.trailer("x-sum"), sum, "{case}");
            let other = ask("/replace").await;
            assert_eq!(other.text(), if form == "none" { "" } else { "something else" }, "{case}");
            let corrupt = ask("/corrupt").await;
            let wrong = corrupt.body.iter().zip(&body).filter(|(found, was)| found != was).count();
            assert_eq!(
                (corrupt.body.len(), wrong),
                (body.len(), if form == "none" { 0 } else { 2 }),
                "{case}"
            );
            if body.len() == 8 {
                damaged.insert(corrupt.text());
                let start = Instant::now();
                assert_eq!(ask("/throttle").await.body, body, "{case}");
                assert!(Duration::from_millis(40) <= start.elapsed(), "eight bytes at 200 a second");
            }
            let trailers = ask("/trailers").await;
            assert_eq!((trailers.trailer("x-sum"), &trailers.body), (None, &body), "{case}");
            if form != "none" {
                let all = ask("/all").await;
                assert_eq!(
                    (all.status, all.body.as_slice(), all.trailer("x-sum")),
                    (500, &body[..5], None),
                    "{case}"
                );
            }
        }
    }
    assert_eq!(damaged.len(), 1, "the same bytes, however they come: {damaged:?}");
    assert!(upstream.seen().iter().all(|seen| seen.complete));
    await_none_active(&envoy, "all").await;
    envoy.assert_no_trap().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_length_that_lies_leaves_the_client_waiting_and_nobody_elses_response_behind() {
    let upstream = Upstream::answering(|_| Answer::status(200).body("abcdefgh")).await;
    let config = experiments(&[
        ("short", json!({"response": {"body": {"truncate": 5}, "honest_length": false}})),
        ("long", json!({"response": {"body": {"replace": "longer than it was"}, "honest_length": false}})),
    ]);
    let envoy = envoy(config, &upstream).await;
    let mut connection = Http1::connect(envoy.port()).await;
    connection.send(&Request::get("/long").wire()).await;
    let long = connection.read_response().await;
    assert_eq!((long.text().as_str(), long.header("content-length")), ("longer t", Some("8")));
    // The next one on the same connection is its own.
    connection.send(&Request::get("/").wire()).await;
    assert_eq!(connection.read_response().await.text(), "abcdefgh");

    let short = Http2::connect(envoy.port()).await;
    assert!(short.try_send(&Request::get("/short")).await.is_err(), "HTTP/2 says that it is malformed");
    let mut short = Http1::connect(envoy.port()).await;
    short.send(&Request::get("/short").wire()).await;
    let waits = tokio::time::timeout(Duration::from_millis(300), short.read_response()).await;
    assert!(waits.is_err(), "there are three bytes to come, and none comes");
    drop(waits);
    drop(short);
    await_none_active(&envoy, "short").await;
    envoy.assert_no_trap().await;
}

/// Has Envoy keep no more of a message than this.
fn small_buffers(tree: &mut Value) {
    tree["static_resources"]["listeners"][0]["per_connection_buffer_limit_bytes"] = json!(32_768);
    tree["static_resources"]["clusters"][0]["per_connection_buffer_limit_bytes"] = json!(32_768);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_body_without_a_length_is_damaged_where_one_with_a_length_is_whatever_room_the_proxy_has() {
    let upstream = Upstream::answering(|seen| {
        let body = long_body();
        let pieces = |answer: Answer| body.chunks(7_000).fold(answer, Answer::body);
        match seen.header("x-form") {
            Some("length") => Answer::status(200).body(&body),
            // A small piece, and so large ones that they are more than Envoy keeps.
            Some("large") => {
                Answer::status(200).body(&body[..100]).body(&body[100..200_000]).body(&body[200_000..])
            }
            Some("trailers") => pieces(Answer::status(200)).trailer("x-sum", "1"),
            _ => pieces(Answer::status(200)),
        }
    })
    .await;
    let config = experiments(&[
        ("corrupt", json!({"response": {"body": {"corrupt": {"bytes": 3}}}})),
        ("late", json!({"response": {"delay": {"fixed": "40ms"}, "body": {"corrupt": {"bytes": 3}}}})),
        ("slow", json!({"response": {"throttle": "10MiB", "body": {"corrupt": {"bytes": 3}}}})),
        ("cut", json!({"response": {"body": {"truncate": 100_000}}})),
        ("other", json!({"response": {"body": {"replace": "something else"}}})),
    ]);
    let mut damaged = BTreeSet::new();
    for (upstream_http, stop) in [(1, false), (1, true), (2, false), (2, true)] {
        let envoy = Envoy::from(SHIPPED)
            .config(config.clone())
            .edit(small_buffers)
            .edit(|tree| plugin(tree, "fault-injection")["allow_on_headers_stop_iteration"] = json!(stop))
            .upstream(&upstream);
        let envoy = if upstream_http == 2 { envoy.upstream_http2() } else { envoy };
        let envoy = envoy.start().await;
        for http in [1, 2] {
            for form in ["length", "pieces", "large", "trailers"] {
                let case = format!("{form} from HTTP/{upstream_http} to HTTP/{http}, {stop}");
                let ask = async |path: &str| {
                    let answer = send(envoy.port(), http, &Request::get(path).header("x-form", form)).await;
                    assert!(answer.complete && answer.status == 200, "{path} {case}");
                    answer.body
                };
                for path in ["/corrupt", "/late", "/slow"] {
                    damaged.insert(ask(path).await);
                    assert_eq!(damaged.len(), 1, "{path} {case}");
                }
                assert_eq!(ask("/cut").await, long_body()[..100_000], "{case}");
                assert_eq!(ask("/other").await, b"something else", "{case}");
            }
        }
        envoy.assert_no_trap().await;
    }
    let wrong = damaged.first().unwrap().iter().zip(&long_body()).filter(|(found, was)| found != was).count();
    assert_eq!((damaged.first().unwrap().len(), wrong), (long_body().len(), 3));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_throttled_body_larger_than_the_proxys_buffer_arrives_whole() {
    let body: Vec<u8> = (0..1_500_000_u32).map(|at| u8::try_from(at % 251).unwrap()).collect();
    let sent = body.clone();
    let upstream = Upstream::answering(move |_| Answer::status(200).body(&sent)).await;
    let config = experiment(json!({"response": {"throttle": "2MiB"}}));
    let small = |tree: &mut Value| {
        tree["static_resources"]["listeners"][0]["per_connection_buffer_limit_bytes"] = json!(65_536);
    };
    for stop in [false, true] {
        let envoy = Envoy::from(SHIPPED)
            .config(config.clone())
            .edit(small)
            .edit(|tree| plugin(tree, "fault-injection")["allow_on_headers_stop_iteration"] = json!(stop))
            .upstream(&upstream)
            .start()
            .await;
        for http in [1, 2] {
            let start = Instant::now();
            let answer = send(envoy.port(), http, &Request::get("/")).await;
            assert_eq!((answer.status, answer.body == body), (200, true), "{} bytes", answer.body.len());
            assert!(Duration::from_millis(715) <= start.elapsed(), "1.5 MB at 2 MiB a second");
        }
        envoy.assert_no_trap().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_body_behind_a_delayed_head_is_slowed_down_and_not_refused() {
    let upstream = Upstream::start().await;
    let config = experiment(json!({"request": {"delay": {"fixed": "50ms"}}}));
    let body = vec![b'x'; 1_000_000];
    for stop in [false, true] {
        let envoy = Envoy::from(SHIPPED)
            .config(config.clone())
            .edit(|tree| {
                tree["static_resources"]["listeners"][0]["per_connection_buffer_limit_bytes"] = json!(32_768);
                plugin(tree, "fault-injection")["allow_on_headers_stop_iteration"] = json!(stop);
            })
            .upstream(&upstream)
            .start()
            .await;
        for http in [1, 2] {
            let before = upstream.count();
            assert_eq!(
                send(envoy.port(), http, &Request::post("/", &body)).await.status,
                200,
                "HTTP/{http} {stop}"
            );
            assert_eq!(upstream.seen()[before].body.len(), body.len());
        }
        envoy.assert_no_trap().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn only_the_token_lets_a_tester_ask_by_our_headers_or_by_envoys() {
    let upstream = Upstream::start().await;
    let envoy = Envoy::from(SHIPPED).upstream(&upstream).start().await;
    let cases = [
        ("x-sluice-fault", "abort=418", 418),
        ("x-envoy-fault-abort-request", "418", 418),
        ("x-sluice-fault", "response_status=418", 418),
        ("x-sluice-fault", "what?", 200),
    ];
    for (name, value, status) in cases {
        let known = [("x-sluice-fault-token", TOKEN), (name, value)];
        assert_eq!(get_with(envoy.port(), "/", &known).await.status, status, "{name}: {value}");
        for token in ["", "only", "only for testers ", "ONLY FOR TESTERS"].map(str::trim_start) {
            let unknown = [("x-sluice-fault-token", token), (name, value)];
            let expected = if token.trim() == TOKEN { status } else { 200 };
            assert_eq!(
                get_with(envoy.port(), "/", &unknown).await.status,
                expected,
                "{name}: {value} with {token:?}"
            );
        }
        assert_eq!(
            get_with(envoy.port(), "/", &[(name, value)]).await.status,
            200,
            "{name}: {value} without"
        );
    }
    for seen in upstream.seen() {
        for name in ["x-sluice-fault", "x-sluice-fault-token", "x-envoy-fault-abort-request"] {
            assert_eq!(seen.header(name), None);
        }
    }
    let mut delayed = Request::get("/").header("x-sluice-fault-token", TOKEN);
    delayed = delayed.header("x-envoy-fault-delay-request", "40");
    let start = Instant::now();
    assert_eq!(delayed.send_http2(envoy.port()).await.header(STAMP), Some("control;delay=40ms"));
    assert!(Duration::from_millis(40) <= start.elapsed());
    assert!(!envoy.log().contains(TOKEN));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn decisions_are_explained_in_the_access_log_and_counted() {
    let upstream = Upstream::start().await;
    let envoy = envoy(experiment(json!({"request": {"abort": {"status": 503}}})), &upstream).await;
    get(envoy.port(), "/").await;
    let lines = envoy.access_log(1).await;
    let expected = "503 details=sluice_fault_injection_abort experiment=x outcome=injected fault=abort=503";
    assert!(lines[0].contains(expected), "{lines:?}");
    let prometheus = envoy.prometheus().await;
    for line in [
        r#"sluice_decisions_total{outcome="injected",rule="x",filter="fault-injection"} 1"#,
        r#"sluice_active{rule="x",filter="fault-injection"} 0"#,
    ] {
        assert!(prometheus.contains(line), "{line} is not in {prometheus}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn shadow_mode_harms_nobody_and_counts_whom_it_would_have() {
    let upstream = Upstream::start().await;
    let mut config = experiment(json!({"request": {"delay": {"fixed": "1m"}, "reset": true}}));
    config["mode"] = json!("shadow");
    let envoy = envoy(config, &upstream).await;
    for _ in 0..3 {
        let answer = get(envoy.port(), "/").await;
        assert_eq!((answer.status, answer.header(STAMP)), (200, None));
    }
    assert_eq!(envoy.stat(&decisions("x", "would_inject")).await, 3);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_route_without_experiments_can_do_without_the_filter() {
    let upstream = Upstream::start().await;
    let envoy = Envoy::from(SHIPPED)
        .config(experiment(json!({"request": {"abort": {"status": 503}}})))
        .edit(|tree| {
            let routes = tree.pointer_mut("/static_resources/listeners/0/filter_chains/0/filters/0/typed_config/route_config/virtual_hosts/0/routes");
            let routes = routes.and_then(Value::as_array_mut).unwrap();
            let mut off = routes[0].clone();
            off["match"] = json!({"prefix": "/static"});
            off["typed_per_filter_config"]["fault-injection"] =
                json!({"@type": "type.googleapis.com/envoy.config.route.v3.FilterConfig", "disabled": true});
            routes.insert(0, off);
        })
        .upstream(&upstream)
        .start()
        .await;
    assert_eq!(get(envoy.port(), "/static/a").await.status, 200);
    assert_eq!(get(envoy.port(), "/a").await.status, 503);
    assert_eq!(envoy.stat(&decisions("x", "injected")).await, 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn hostile_bytes_in_every_place_leave_no_trap() {
    let upstream = Upstream::start().await;
    let config = json!({
        "control": {"token": {"inline": "t"}, "accept_envoy_headers": true},
        "experiments": [
            {"name": "x", "match": {"query": [{"name": "q", "present": true}]}, "percent": "50%",
             "sample": {"key": [{"header": "k"}, {"cookie": "c"}, "path"], "seed": "s"},
             "request": {"abort": {"status": 503, "body": "{path} {request_id}"}}},
            {"name": "y", "percent": "50%", "response": {"status": 500, "body": {"corrupt": {"bytes": 5}}}}
        ]
    });
    let envoy = envoy(config, &upstream).await;
    let mut statuses = BTreeSet::new();
    for byte in 0x80..=0xff_u8 {
        let value = [b"c=".as_slice(), &[byte, b'a', byte]].concat();
        for name in
            ["k", "cookie", "x-sluice-fault", "x-request-id", "x-envoy-fault-delay-request", "content-type"]
        {
            let request = Request::get("/x?q=1").header(name, &value).header("x-sluice-fault-token", "t");
            statuses.insert(request.send(envoy.port()).await.status);
        }
        let request =
            Request::get("/y").header("x-sluice-fault-token", [byte]).header("x-sluice-fault", "reset");
        statuses.insert(request.send_http2(envoy.port()).await.status);
    }
    assert!(statuses.is_subset(&BTreeSet::from([200, 400, 500, 503])), "{statuses:?}");
    envoy.assert_no_trap().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_bundle_gives_the_same_answers_as_the_single_module() {
    let config = experiments(&[
        ("abort", json!({"request": {"abort": {"status": 503}}})),
        ("late", json!({"request": {"delay": {"fixed": "20ms"}}, "response": {"body": {"truncate": 1}}})),
    ]);
    let mut all = Vec::new();
    for (file, config) in [
        ("fault-injection.wasm", config.clone()),
        ("sluice.wasm", json!({"chain": [{"fault-injection": config}]})),
    ] {
        let upstream = Upstream::start().await;
        let path = tests::dist(file).to_str().unwrap().to_owned();
        let envoy = Envoy::from(SHIPPED)
            .config(config)
            .edit(|tree| {
                plugin(tree, "fault-injection")["vm_config"]["code"]["local"]["filename"] = json!(path)
            })
            .upstream(&upstream)
            .start()
            .await;
        let mut answers = Vec::new();
        for path in ["/abort", "/late", "/"] {
            for request in [Request::get(path), Request::post(path, b"body")] {
                let answer = request.send_http2(envoy.port()).await;
                answers.push((answer.status, answer.text(), answer.header(STAMP).map(str::to_owned)));
            }
        }
        envoy.assert_no_trap().await;
        all.push(answers);
    }
    assert_eq!(all[0], all[1]);
    assert_eq!(all[0][2], (200, "o".to_owned(), Some("late;delay=20ms;response_body=truncate".to_owned())));
}
