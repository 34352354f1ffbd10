//! Thousands of streams that are held at once, and what becomes of them.

use super::*;

/// The most streams that one connection may have at once.
const STREAMS: usize = 100;

/// Five thousand streams on two workers, each held for five seconds; every other client leaves meanwhile.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn five_thousand_streams_are_held_at_once_and_half_of_them_leave_and_nothing_is_left() {
    let upstream = Upstream::start().await;
    let config = experiment(json!({"max_active": 5_000, "request": {"delay": {"fixed": "5s"}}}));
    let envoy = Envoy::from(SHIPPED)
        .config(config)
        .concurrency(2)
        .upstream(&upstream)
        .upstream_http2()
        .edit(|tree| {
            let cluster = &mut tree["static_resources"]["clusters"][0];
            cluster["circuit_breakers"] =
                json!({"thresholds": [{"max_pending_requests": 10_000, "max_requests": 10_000}]});
            // No more on a connection than the upstream takes, also before it has said so.
            let options = &mut cluster["typed_extension_protocol_options"]["envoy.extensions.upstreams.http.v3.HttpProtocolOptions"];
            options["explicit_http_config"]["http2_protocol_options"]["max_concurrent_streams"] = json!(100);
        })
        .start()
        .await;
    let mut clients = Vec::new();
    for _ in 0..5_000 / STREAMS {
        clients.push(Http2::connect(envoy.port()).await);
    }
    let (mut staying, mut leaving) = (Vec::new(), Vec::new());
    let first = Instant::now();
    for number in 0..5_000 {
        let mut stream = clients[number / STREAMS].open(&Request::new("POST", &format!("/{number}"))).await;
        if number % 2 == 0 {
            stream.end();
            staying.push(stream);
        } else {
            leaving.push(stream);
        }
    }
    let all = Instant::now();
    envoy.await_stat(&decisions("x", "injected"), 5_000).await;
    assert_eq!(active(&envoy, "x").await, 5_000, "all at once");
    assert_eq!(get(envoy.port(), "/one-more").await.header(STAMP), None, "and no more than that");
    for stream in leaving {
        stream.reset();
    }
    let mut answers = Vec::new();
    for stream in staying {
        answers.push(tokio::spawn(
            async move { stream.response().await.map(|answer| (answer, Instant::now())) },
        ));
    }
    let mut last = first;
    for answer in answers {
        let (answer, at) = answer.await.unwrap().expect("an answer");
        assert_eq!((answer.status, answer.header(STAMP)), (200, Some("x;delay=5000ms")));
        last = last.max(at);
    }
    await_none_active(&envoy, "x").await;
    // Shown with --nocapture: how long it took to open them, and when the last one was answered after the last one's
    // delay was over.
    let over = all + Duration::from_secs(5);
    eprintln!(
        "opened in {:?}, the last answered {:?} late",
        all - first,
        last.saturating_duration_since(over)
    );
    assert_eq!(upstream.count(), 2_501);
    // The budget is whole again: as many as before are held at once.
    let again = Http2::connect(envoy.port()).await;
    let stream = again.open(&Request::new("POST", "/again")).await;
    envoy.await_stat(&decisions("x", "injected"), 5_001).await;
    stream.reset();
    await_none_active(&envoy, "x").await;
    envoy.assert_no_trap().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn clients_that_come_and_leave_for_a_while_leave_no_memory_behind() {
    let upstream = Upstream::start().await;
    let envoy = envoy(experiment(json!({"request": {"delay": {"fixed": "1m"}}})), &upstream).await;
    let mut grown = Vec::new();
    for round in 1..=6_u64 {
        for connection in 1..=10 {
            let client = Http2::connect(envoy.port()).await;
            let mut streams = Vec::new();
            for _ in 0..STREAMS {
                streams.push(client.open(&Request::new("POST", "/")).await);
            }
            envoy.await_stat(&decisions("x", "injected"), (round - 1) * 1_000 + connection * 100).await;
            streams.into_iter().for_each(tests::Stream::reset);
        }
        await_none_active(&envoy, "x").await;
        grown.push(envoy.rss_kib());
    }
    // The first rounds fill what is kept for the next ones.
    assert!(grown[5] < grown[2] + 2_048, "{grown:?} KiB");
    assert_eq!(upstream.count(), 0);
    envoy.assert_no_trap().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_kill_switch_lets_go_what_is_held_and_ends_what_would_begin() {
    let upstream = Upstream::start().await;
    let mut config = experiment(json!({"request": {"delay": {"fixed": "5m"}, "abort": {"status": 503}}}));
    let mut envoy = Envoy::from(SHIPPED)
        .config(config.clone())
        .drain_seconds(30)
        .concurrency(2)
        .upstream(&upstream)
        .start()
        .await;
    let port = envoy.port();
    let held: Vec<_> =
        (0..40).map(|_| tokio::spawn(async move { Request::get("/held").send(port).await.status })).collect();
    envoy.await_stat(&decisions("x", "injected"), 40).await;
    config["kill_switch"] = json!(true);
    envoy.update(config.clone()).await;
    for held in held {
        assert_eq!(held.await.unwrap(), 200);
    }
    assert_eq!(get(port, "/after").await.status, 200);
    await_none_active(&envoy, "x").await;
    assert_eq!(upstream.count(), 41);
    envoy.assert_no_trap().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_update_ends_what_is_held_as_the_old_configuration_says() {
    let upstream = Upstream::start().await;
    let config = |status: u16| {
        experiment(
            json!({"max_total": 2, "request": {"delay": {"fixed": "700ms"}, "abort": {"status": status}}}),
        )
    };
    let mut envoy =
        Envoy::from(SHIPPED).config(config(503)).drain_seconds(30).upstream(&upstream).start().await;
    let port = envoy.port();
    let held = tokio::spawn(async move { Request::get("/").send_http2(port).await.status });
    envoy.await_stat(&decisions("x", "injected"), 1).await;
    envoy.update(config(418)).await;
    assert_eq!(held.await.unwrap(), 503);
    // Another experiment, with a budget of its own.
    let mut statuses = Vec::new();
    for _ in 0..3 {
        statuses.push(get(port, "/").await.status);
    }
    assert_eq!(statuses, [418, 418, 200]);
    let log = envoy.update_refused(json!({"experiments": [{"name": "x"}]})).await;
    assert!(log.contains("experiments[0].percent: is required"), "{log}");
    await_none_active(&envoy, "x").await;
    envoy.assert_no_trap().await;
}
