//! What the workers of a process share: budgets, and that an experiment has stopped.

use super::*;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn four_workers_together_inject_exactly_as_often_as_the_budget_says() {
    let upstream = Upstream::start().await;
    let config = experiment(json!({"max_total": 700, "request": {"abort": {"status": 503}}}));
    let envoy = Envoy::from(SHIPPED).config(config).concurrency(4).upstream(&upstream).start().await;
    let request = b"GET / HTTP/1.1\r\nhost: a\r\n\r\n".to_vec();
    let answers = load(envoy.port(), 16, 200, move |_, _| request.clone()).await;
    assert_eq!((answers[&503], answers[&200]), (700, 2_500), "{answers:?}");
    assert_eq!(envoy.stat(&decisions("x", "limited")).await, 2_500);
    await_none_active(&envoy, "x").await;
    envoy.assert_no_trap().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn four_workers_together_hold_no_more_at_once_than_the_budget_says() {
    let upstream = Upstream::start().await;
    let config = experiment(
        json!({"max_active": 25, "response": {"headers": {"set": [{"name": "x-a", "value": "b"}]}}}),
    );
    let gate = Gate::closed();
    let hold = gate.clone();
    let slow = Upstream::answering(move |_| Answer::ok().after(&hold)).await;
    drop(upstream);
    let envoy = Envoy::from(SHIPPED).config(config).concurrency(4).upstream(&slow).start().await;
    let port = envoy.port();
    let all: Vec<_> = (0..100)
        .map(|_| tokio::spawn(async move { Request::get("/").send(port).await.header(STAMP).is_some() }))
        .collect();
    slow.await_count(100).await;
    assert_eq!(active(&envoy, "x").await, 25);
    gate.open();
    let mut stamped = 0;
    for one in all {
        stamped += usize::from(one.await.unwrap());
    }
    assert_eq!(stamped, 25);
    await_none_active(&envoy, "x").await;
    envoy.assert_no_trap().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_experiment_that_finds_too_many_errors_stops_once_for_four_workers_and_begins_anew_with_another_configuration()
 {
    let upstream = Upstream::answering(|seen| match seen.path.as_str() {
        "/bad" => Answer::status(500),
        _ => Answer::ok(),
    })
    .await;
    let config = |percent: &str| {
        experiment(json!({
            "percent": percent,
            "stop_when": {"error_rate": "30%", "min_requests": 100, "window": "1h"},
            "response": {"headers": {"set": [{"name": "x-a", "value": "b"}]}},
        }))
    };
    let mut envoy =
        Envoy::from(SHIPPED).config(config("100%")).concurrency(4).upstream(&upstream).start().await;
    let requests = |path: &str| format!("GET {path} HTTP/1.1\r\nhost: a\r\n\r\n").into_bytes();
    let good = requests("/good");
    load(envoy.port(), 8, 100, move |_, _| good.clone()).await;
    assert_eq!(envoy.stat("wasmcustom.sluice.fault-injection.stops_total.x").await, 0);
    let bad = requests("/bad");
    load(envoy.port(), 8, 100, move |_, _| bad.clone()).await;
    assert_eq!(envoy.stat("wasmcustom.sluice.fault-injection.stops_total.x").await, 1);
    envoy.await_log("experiment \"x\" has stopped itself: ").await;
    // Every worker knows: on forty connections there is not one fault.
    for _ in 0..40 {
        assert_eq!(get(envoy.port(), "/good").await.header(STAMP), None);
    }
    let injected = envoy.stat(&decisions("x", "injected")).await;
    assert!((800..1_600).contains(&injected), "{injected}");
    envoy.update(config("99.9999999%")).await;
    let mut stamped = false;
    for _ in 0..5 {
        stamped |= get(envoy.port(), "/good").await.header(STAMP).is_some();
    }
    assert!(stamped, "another configuration is another experiment");
    envoy.assert_no_trap().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_trap_in_another_vm_strands_nobody() {
    let upstream = Upstream::start().await;
    let trap = json!({"chain": [{"probe": {"rules": [{"path": "/trap", "request": [{"trap": true}], "response": []}]}}]});
    let envoy = Envoy::from(SHIPPED)
        .config(experiment(json!({"request": {"delay": {"fixed": "1500ms"}}})))
        .edit(|tree| {
            let filters = tree
                .pointer_mut(
                    "/static_resources/listeners/0/filter_chains/0/filters/0/typed_config/http_filters",
                )
                .and_then(Value::as_array_mut)
                .unwrap();
            let mut probe = filters[0].clone();
            probe["name"] = json!("probe");
            let config = &mut probe["typed_config"]["config"];
            config["name"] = json!("probe");
            config["vm_config"]["vm_id"] = json!("elsewhere");
            config["vm_config"]["code"]["local"]["filename"] = json!(crate::shell::module());
            config["configuration"]["value"] = trap;
            filters.insert(0, probe);
        })
        .upstream(&upstream)
        .start()
        .await;
    let port = envoy.port();
    let held: Vec<_> = (0..20)
        .map(|_| tokio::spawn(async move { Request::get("/held").send_http2(port).await.status }))
        .collect();
    envoy.await_stat(&decisions("x", "injected"), 20).await;
    assert_eq!(get(port, "/trap").await.status, 503);
    let mut statuses = BTreeSet::new();
    for held in held {
        statuses.insert(held.await.unwrap());
    }
    // The other filter fails what comes back through it; nobody is held any longer than was said.
    assert!(statuses.is_subset(&BTreeSet::from([200, 503])), "{statuses:?}");
    await_none_active(&envoy, "x").await;
    assert_eq!(upstream.count(), 20, "all were let go");
}

/// Two plugins in one VM, of which the second one's timer is set for the first time while the first one's goes off: Envoy
/// would crash if it had not known of it before.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_timer_that_is_first_set_while_another_plugins_goes_off_is_no_harm() {
    let upstream = Upstream::start().await;
    let late = |path: &str, end: Value| {
        let mut experiment =
            json!({"name": path, "match": {"path": {"exact": format!("/{path}")}}, "percent": "100%"});
        experiment["request"] = end;
        experiment
    };
    for path in ["abort", "reset", "late"] {
        let envoy = Envoy::from(SHIPPED)
            .config(experiment(json!({"request": {"delay": {"fixed": "5ms"}}})))
            .edit(|tree| {
                let filters =
                    "/static_resources/listeners/0/filter_chains/0/filters/0/typed_config/http_filters";
                let filters = tree.pointer_mut(filters).and_then(Value::as_array_mut).unwrap();
                let mut behind = filters[0].clone();
                behind["name"] = json!("behind");
                let config = &mut behind["typed_config"]["config"];
                config["name"] = json!("behind");
                config["configuration"]["value"] = json!({"experiments": [
                    late("abort", json!({"abort": {"status": 429}})),
                    late("reset", json!({"reset": true})),
                    late("late", json!({"delay": {"fixed": "5ms"}, "abort": {"status": 429}})),
                ]});
                filters.insert(1, behind);
            })
            .upstream(&upstream)
            .start()
            .await;
        let mut connection = Http1::connect(envoy.port()).await;
        connection.send(&Request::get(&format!("/{path}")).wire()).await;
        let status = connection.try_read_response().await.map(|answer| answer.status);
        assert_eq!(status, if path == "reset" { None } else { Some(429) }, "{path}");
        assert_eq!(get(envoy.port(), "/").await.status, 200, "it is still there");
        envoy.assert_no_trap().await;
    }
}
