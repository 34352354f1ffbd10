//! What the guard takes for a failure, how soon it acts, and how traffic comes back.

use std::time::Duration;

use tokio::time::sleep;

use super::*;

/// A guard that acts soon enough for a test and, unless these fields say otherwise, lets nothing come back.
fn guard(fields: Value) -> Value {
    let mut guard = json!({"window": "10s", "min_requests": 20, "recovery": "manual"});
    for (name, value) in fields.as_object().unwrap() {
        guard[name] = value.clone();
    }
    guard
}

/// A guarded split in which the second version has half of the users, with these fields besides.
fn guarded(fields: Value) -> Value {
    let mut config = split(json!({"variants": weight("50%"), "guard": guard(json!({}))}));
    for (name, value) in fields.as_object().unwrap() {
        config["splits"][0][name] = value.clone();
    }
    config
}

/// What the gauge says: 0 closed, 1 tripped, 2 recovering.
async fn state(envoy: &Running) -> u64 {
    envoy.stat(&format!("{METRICS}.guard_state.x.v2")).await
}

async fn trips(envoy: &Running) -> u64 {
    envoy.stat(&format!("{METRICS}.guard_trips_total.x.v2.worse")).await
}

/// Sends requests of so many users, one after the other, each on a connection of its own, and counts the answers by
/// their statuses.
async fn users_in_turn(envoy: &Running, users: std::ops::Range<usize>) -> BTreeMap<u16, usize> {
    let mut statuses = BTreeMap::new();
    for n in users {
        let answer = send(envoy.port(), [1, 2][n % 2], &by(&format!("user-{n}"))).await;
        *statuses.entry(answer.status).or_default() += 1;
    }
    statuses
}

/// Sends requests of users until the gauge says this.
async fn until_state(envoy: &Running, wanted: u64) {
    let deadline = Deadline::new(format!("the guard's state to be {wanted}")).times(3);
    loop {
        load(envoy.port(), 4, 25, |connection, n| by(&format!("user-{}", connection * 25 + n)).wire()).await;
        let now = envoy.stats_matching(r"guard_state\.x\.v2$").await.into_values().next();
        if now == Some(wanted) {
            // By the time that metrics have settled, each worker has heard of it.
            assert_eq!(state(envoy).await, wanted);
            return;
        }
        deadline.look_again(|| format!("it is {now:?}")).await;
    }
}

/// How many requests fail at the most until the traffic leaves a version that was well, has a fifth of it, and then always
/// fails: mostly it is half as many. Each other worker learns of it by one failure of its own, or within a tenth of a
/// second.
const FAIL_UNTIL_IT_TRIPS: usize = 40;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_canary_that_begins_to_fail_loses_its_traffic_after_forty_failures_on_however_many_workers() {
    for workers in [1, 4] {
        let (versions, fails) = Versions::with_a_switch().await;
        let config = guarded(json!({"variants": weight("20%")}));
        let envoy = versions.envoy(config).concurrency(workers).start().await;
        assert_eq!(users_in_turn(&envoy, 0..300).await, BTreeMap::from([(200, 300)]));
        assert_eq!((state(&envoy).await, trips(&envoy).await), (0, 0));

        fails.store(true, Ordering::Relaxed);
        let statuses = users_in_turn(&envoy, 300..700).await;
        let failed = statuses[&500];
        // Shown with --nocapture.
        eprintln!("{workers} workers: {failed} of 400 requests failed");
        assert!(failed < FAIL_UNTIL_IT_TRIPS + workers as usize, "{failed} failed");
        assert_eq!((state(&envoy).await, trips(&envoy).await), (1, 1), "once for all workers");
        envoy
            .await_log(
                "split \"x\": the guard took the traffic off \"v2\", which fails more than the baseline: ",
            )
            .await;

        // Every worker knows by now.
        let before = versions.v2.count();
        let statuses =
            load(envoy.port(), 16, 50, |connection, n| by(&format!("user-{}", connection * 50 + n)).wire());
        assert_eq!(statuses.await, BTreeMap::from([(200, 800)]));
        assert_eq!(versions.v2.count(), before);
        assert!(100 < decisions(&envoy, "v1", "guarded").await);
        assert_eq!(envoy.log().matches("the guard took").count(), 1, "one line");
        envoy.assert_no_trap().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn traffic_comes_back_by_itself_a_part_first_and_goes_again_if_it_still_fails() {
    for workers in [1, 4] {
        let (versions, fails) = Versions::with_a_switch().await;
        let recovers = json!({"recovery": "automatic", "cooldown": "1s", "probe": "10%", "recover_over": "2s", "min_requests": 10});
        let config = guarded(json!({"guard": guard(recovers)}));
        let envoy = versions.envoy(config).concurrency(workers).start().await;
        fails.store(true, Ordering::Relaxed);
        until_state(&envoy, 1).await;
        envoy.await_log("it is tried again in 1s").await;
        // Nobody has mended it, so it is asked less and less.
        envoy.await_stat(&format!("{METRICS}.guard_state.x.v2"), 1).await;
        until_state(&envoy, 2).await;
        let deadline = Deadline::new("it to trip again").times(3);
        while !envoy.log().contains("it is tried again in 2s") {
            load(envoy.port(), 4, 25, |connection, n| by(&format!("user-{}", connection * 25 + n)).wire())
                .await;
            deadline.look_again(|| envoy.log()).await;
        }
        fails.store(false, Ordering::Relaxed);
        let before = versions.v2.count();
        until_state(&envoy, 2).await;
        until_state(&envoy, 0).await;
        assert!(before < versions.v2.count());
        envoy.await_log("\"v2\" has all its users again").await;
        // Whole again: everybody has the version of his bucket.
        for n in 0..50 {
            let user = format!("user-{n}");
            let wanted = if bucket("x", &user) < 5_000 { "v2" } else { "v1" };
            assert_eq!(version(envoy.port(), [1, 2][n % 2], &by(&user)).await, wanted, "{user}");
        }
        envoy.assert_no_trap().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn while_it_recovers_the_first_users_of_its_range_have_it_and_no_others() {
    let (versions, fails) = Versions::with_a_switch().await;
    let recovers = json!({"recovery": "automatic", "cooldown": "1s", "probe": "10%", "recover_over": "1h", "min_requests": 10});
    let config = guarded(json!({"guard": guard(recovers)}));
    let envoy = versions.envoy(config).concurrency(2).start().await;
    fails.store(true, Ordering::Relaxed);
    until_state(&envoy, 1).await;
    fails.store(false, Ordering::Relaxed);
    until_state(&envoy, 2).await;
    // A tenth of a half is 500 buckets; an hour later it would be all of them.
    for (n, user) in users_of("x", |bucket| bucket < 500).take(20).enumerate() {
        assert_eq!(version(envoy.port(), [1, 2][n % 2], &by(&user)).await, "v2", "{user}");
    }
    for (n, user) in users_of("x", |bucket| 700 <= bucket).take(60).enumerate() {
        assert_eq!(version(envoy.port(), [1, 2][n % 2], &by(&user)).await, "v1", "{user}");
    }
    envoy.assert_no_trap().await;
}

/// Which edit of the configuration makes the second version fail, and how.
type Failing = (&'static str, Box<dyn FnOnce(&mut Value)>, u16);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_way_in_which_an_upstream_can_fail_takes_its_traffic_away() {
    fn endpoints(tree: &mut Value) -> &mut Value {
        let clusters = tree["static_resources"]["clusters"].as_array_mut().unwrap();
        let v2 = clusters.iter_mut().find(|cluster| cluster["name"] == "v2").unwrap();
        &mut v2["load_assignment"]["endpoints"]
    }
    // Nobody listens there: it was free a moment ago.
    let closed = TcpListener::bind(("127.0.0.1", 0)).unwrap().local_addr().unwrap().port();
    let ways: [Failing; 7] = [
        ("status", Box::new(|_| {}), 503),
        ("reset", Box::new(|_| {}), 503),
        ("cut", Box::new(|_| {}), 0),
        ("hold", Box::new(|tree| routes(tree)[0]["route"]["timeout"] = json!("0.05s")), 504),
        ("well", Box::new(|tree| *endpoints(tree) = json!([])), 503),
        (
            "well",
            Box::new(move |tree| {
                let port = "/0/lb_endpoints/0/endpoint/address/socket_address/port_value";
                *endpoints(tree).pointer_mut(port).unwrap() = json!(closed);
            }),
            503,
        ),
        ("well", Box::new(|tree| routes(tree)[0]["route"] = json!({"cluster_header": "x-nobody"})), 503),
    ];
    for (number, (how, edit, status)) in ways.into_iter().enumerate() {
        let gate = Gate::closed();
        let versions = Versions::v2_answering(move |_| match how {
            "status" => Answer::status(503),
            "reset" => Answer::abort(),
            "cut" => Answer::status(200).body("half of it").then_abort(),
            "hold" => well("v2").after(&gate),
            _ => well("v2"),
        })
        .await;
        let envoy = versions.envoy(guarded(json!({}))).edit(edit).start().await;
        let (canary, _) = one_of_each();
        let mut connection = Http1::connect(envoy.port()).await;
        connection.send(&by(&canary).wire()).await;
        let first = connection.try_read_response().await.expect("an answer");
        assert_eq!(if first.complete { first.status } else { 0 }, status, "{number} {how}");
        // Some of each version at a time, and never one of them again, whose failures would count once.
        let mut users = 0;
        let deadline = Deadline::new(format!("{how}, which is {number}, to trip")).times(2);
        while envoy.stats_matching(r"guard_state\.x\.v2$").await.into_values().next() != Some(1) {
            let mut tasks = tokio::task::JoinSet::new();
            for n in users..users + 40 {
                let port = envoy.port();
                tasks.spawn(async move {
                    let mut connection = Http1::connect(port).await;
                    connection.send(&by(&format!("user-{n}")).wire()).await;
                    connection.try_read_response().await.map(|answer| answer.status)
                });
            }
            tasks.join_all().await;
            users += 40;
            deadline.look_again(|| envoy.log()).await;
        }
        let lines = envoy.access_log(1).await;
        eprintln!("{number}, {how}: {}", lines[0]);
        let [_, failures, ignored] = responses(&envoy, "v2").await;
        assert!(0 < failures && ignored == 0, "{how}: {failures} failures, {ignored} ignored");
        envoy.assert_no_trap().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_version_that_is_too_slow_fails_if_the_split_says_so() {
    for (outcomes, wanted) in [(json!({"slower_than": "30ms"}), 1), (json!({"slower_than": "10s"}), 0)] {
        let versions = Versions::v2_answering(|_| {
            let gate = Gate::closed();
            let answer = well("v2").after(&gate);
            tokio::spawn(async move {
                sleep(Duration::from_millis(60)).await;
                gate.open();
            });
            answer
        })
        .await;
        let envoy = versions.envoy(guarded(json!({"outcomes": outcomes}))).start().await;
        let statuses =
            load(envoy.port(), 8, 30, |connection, n| by(&format!("user-{}", connection * 30 + n)).wire());
        assert_eq!(statuses.await, BTreeMap::from([(200, 240)]));
        assert_eq!(state(&envoy).await, wanted);
        envoy.assert_no_trap().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn calls_of_grpc_fail_by_their_own_status() {
    let bare = || Answer::status(200).header("content-type", "application/grpc");
    let head = |status: &str| bare().header("grpc-status", status);
    for (case, answer, wanted) in [
        ("14 in trailers", Answer::grpc(14), 1),
        ("13 in trailers", Answer::grpc(13), 1),
        ("5 in trailers", Answer::grpc(5), 0),
        ("0 in trailers", Answer::grpc(0), 0),
        ("14 in the head", head("14"), 1),
        ("0 in the head", head("0"), 0),
        // Who doesn't say how a call went has failed it.
        ("nowhere", bare().body([0; 5]), 1),
    ] {
        let versions = Versions::answering(|_| Answer::grpc(0), move |_| answer.clone()).await;
        let envoy = versions.envoy(guarded(json!({}))).edit(|tree| {
            let options = json!({"envoy.extensions.upstreams.http.v3.HttpProtocolOptions": {
                "@type": "type.googleapis.com/envoy.extensions.upstreams.http.v3.HttpProtocolOptions",
                "explicit_http_config": {"http2_protocol_options": {}},
            }});
            for cluster in tree["static_resources"]["clusters"].as_array_mut().unwrap() {
                cluster["typed_extension_protocol_options"] = options.clone();
            }
        });
        let envoy = envoy.start().await;
        let connection = Http2::connect(envoy.port()).await;
        for n in 0..200 {
            let call = Request::grpc("/s/M", "x").header("x-user-id", format!("user-{n}"));
            assert_eq!(connection.send(&call).await.status, 200);
        }
        let responses = responses(&envoy, "v2").await;
        assert_eq!(state(&envoy).await, wanted, "{case}: {responses:?}");
        envoy.assert_no_trap().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_other_filters_and_the_proxy_answer_and_what_testers_do_is_nobodys_failure() {
    // A filter behind it that answers each request for the second version, and a route that does.
    let fault = json!({"experiments": [{
        "name": "e",
        "match": {"headers": [{"name": VARIANT, "exact": "v2"}], "path": {"prefix": "/fault"}},
        "percent": "100%",
        "request": {"abort": {"status": 503}},
    }]});
    let split = guarded(json!({
        "force": {"header": "x-canary"},
        "assign": [{"variant": "v2", "keys": ["alice"]}],
    }));
    let config = json!({"chain": [{"canary-routing": split}, {"fault-injection": fault}]});
    let versions = Versions::v2_answering(|seen| match seen.path.as_str() {
        "/fails" => Answer::status(500),
        "/refuses" => Answer::status(429),
        _ => well("v2"),
    })
    .await;
    let envoy = versions.envoy(config).concurrency(2).edit(|tree| {
        module(tree, "sluice.wasm");
        let direct = json!({
            "match": {"path": "/direct", "headers": [{"name": VARIANT, "string_match": {"exact": "v2"}}]},
            "direct_response": {"status": 503},
        });
        routes(tree).insert(0, direct);
    });
    let envoy = envoy.start().await;
    let mut counted = BTreeMap::<u16, u64>::new();
    for n in 0..100 {
        for path in ["/fault", "/direct", "/refuses", "/"] {
            let request = Request::get(path).header("x-user-id", format!("user-{n}"));
            *counted.entry(send(envoy.port(), [1, 2][n % 2], &request).await.status).or_default() += 1;
        }
        let asked = Request::get("/fails").header("x-user-id", format!("user-{n}")).header("x-canary", "v2");
        assert_eq!(send(envoy.port(), 1, &asked).await.status, 500);
        let listed = Request::get("/fails").header("x-user-id", "alice");
        assert_eq!(send(envoy.port(), 2, &listed).await.status, 500);
    }
    assert!(60 < counted[&503] && 30 < counted[&429], "{counted:?}");
    assert_eq!((state(&envoy).await, trips(&envoy).await), (0, 0));
    let [_, failures, ignored] = responses(&envoy, "v2").await;
    // Alice is a user whose failures count in the metrics, but nobody draws for her, so the guard doesn't compare her.
    assert_eq!((failures, ignored), (100, counted[&503]));
    envoy.assert_no_trap().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_client_that_leaves_says_nothing_about_the_version() {
    let gate = Gate::closed();
    let hold = gate.clone();
    let versions = Versions::v2_answering(move |_| well("v2").after(&hold)).await;
    let envoy = versions.envoy(guarded(json!({}))).start().await;
    let users: Vec<String> = users_of("x", |bucket| bucket < 5_000).take(60).collect();
    let others: Vec<String> = users_of("x", |bucket| 5_000 <= bucket).take(60).collect();
    for user in &others {
        assert_eq!(version(envoy.port(), 1, &by(user)).await, "v1");
    }
    let http2 = Http2::connect(envoy.port()).await;
    let (mut connections, mut streams) = (Vec::new(), Vec::new());
    for user in &users {
        let mut connection = Http1::connect(envoy.port()).await;
        connection.send(&by(user).wire()).await;
        connections.push(connection);
        let mut stream = http2.open(&Request::new("POST", "/").header("x-user-id", user)).await;
        stream.data("a");
        streams.push(stream);
    }
    versions.v2.await_count(120).await;
    drop(connections);
    streams.into_iter().for_each(tests::Stream::reset);
    versions.v2.await_left(120).await;
    envoy.await_stat(&format!("{METRICS}.responses_total.x.v2.ignored"), 120).await;
    assert_eq!(responses(&envoy, "v2").await, [0, 0, 120]);
    assert_eq!(state(&envoy).await, 0);
    gate.open();
    envoy.assert_no_trap().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_outage_of_both_is_no_alarm_unless_there_is_a_bound() {
    let down = |_: &Seen| Answer::status(503);
    for (bound, wanted) in [(Value::Null, 0), (json!("50%"), 1)] {
        let versions = Versions::answering(down, down).await;
        let mut config = guarded(json!({}));
        if !bound.is_null() {
            config["splits"][0]["guard"]["max_error_rate"] = bound;
        }
        let envoy = versions.envoy(config).concurrency(4).start().await;
        load(envoy.port(), 8, 100, |connection, n| by(&format!("user-{}", connection * 100 + n)).wire())
            .await;
        assert_eq!((state(&envoy).await, trips(&envoy).await), (wanted, 0));
        assert_eq!(envoy.stat(&format!("{METRICS}.guard_trips_total.x.v2.error_rate")).await, wanted);
        envoy.assert_no_trap().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_guard_that_only_looks_on_says_what_it_would_do_and_does_not() {
    let versions = Versions::v2_answering(|_| Answer::status(500)).await;
    let config = guarded(json!({"guard": guard(json!({"mode": "shadow"}))}));
    let envoy = versions.envoy(config).start().await;
    let statuses = users_in_turn(&envoy, 0..200).await;
    let canary = (0..200).filter(|n| bucket("x", &format!("user-{n}")) < 5_000).count();
    assert_eq!(statuses[&500], canary, "it has all its users");
    assert_eq!((state(&envoy).await, trips(&envoy).await), (1, 1));
    assert!(20 < decisions(&envoy, "v2", "would_guard").await);
    assert_eq!(decisions(&envoy, "v1", "guarded").await, 0);
    assert!(envoy.log().contains("(it only looks on, and changes nothing)"));
    envoy.assert_no_trap().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_manual_guard_stays_tripped_until_its_reset_is_another_text() {
    let (versions, fails) = Versions::with_a_switch().await;
    let config = |reset: &str| guarded(json!({"guard": guard(json!({"reset": reset}))}));
    let mut envoy = versions.envoy(config("1")).concurrency(2).start().await;
    fails.store(true, Ordering::Relaxed);
    until_state(&envoy, 1).await;
    fails.store(false, Ordering::Relaxed);
    let before = versions.v2.count();
    assert_eq!(users_in_turn(&envoy, 0..100).await, BTreeMap::from([(200, 100)]));
    assert_eq!(versions.v2.count(), before);

    // Another weight is no other reset.
    let mut heavier = config("1");
    heavier["splits"][0]["variants"] = weight("80%");
    envoy.update(heavier).await;
    assert_eq!(users_in_turn(&envoy, 0..100).await, BTreeMap::from([(200, 100)]));
    assert_eq!((versions.v2.count(), state(&envoy).await), (before, 1));

    envoy.update(config("2")).await;
    users_in_turn(&envoy, 0..100).await;
    assert!(before < versions.v2.count());
    assert_eq!(state(&envoy).await, 0);
    envoy.await_log("\"v2\" has all its users again, as `reset` is another text").await;
    envoy.assert_no_trap().await;
}
