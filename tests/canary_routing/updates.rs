//! Configurations that change while traffic goes on.

use super::*;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_guard_has_tripped_survives_an_update_of_another_split() {
    let (versions, fails) = Versions::with_a_switch().await;
    let guard = json!({"window": "10s", "min_requests": 20, "cooldown": "1h"});
    let config = |other: &str| {
        let elsewhere = json!({"match": {"path": {"prefix": "/other"}}, "variants": weight(other)});
        let x = one_split("x", json!({"variants": weight("50%"), "guard": guard}));
        json!({"splits": [one_split("other", elsewhere), x]})
    };
    let mut envoy = versions.envoy(config("10%")).concurrency(4).start().await;
    fails.store(true, Ordering::Relaxed);
    load(envoy.port(), 8, 100, |connection, n| by(&format!("user-{}", connection * 100 + n)).wire()).await;
    let state = format!("{METRICS}.guard_state.x.v2");
    assert_eq!(envoy.stat(&state).await, 1);

    envoy.update(config("30%")).await;
    let before = versions.v2.count();
    let after =
        load(envoy.port(), 8, 50, |connection, n| by(&format!("user-{}", connection * 50 + n)).wire());
    assert_eq!(after.await, BTreeMap::from([(200, 400)]));
    assert_eq!(versions.v2.count(), before);
    assert_eq!(envoy.stat(&state).await, 1);

    // A configuration with a mistake changes nothing.
    let log = envoy.update_refused(config("30.001%")).await;
    assert!(log.contains("splits[0].variants[1].weight: "), "{log}");
    assert_eq!(version(envoy.port(), 1, &by("user-0")).await, "v1");
    envoy.assert_no_trap().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn blue_becomes_green_by_one_update_under_load_and_no_request_fails() {
    let versions = Versions::start().await;
    let config = |share: &str| split(json!({"variants": weight(share), "guard": {}}));
    let mut envoy = versions.envoy(config("0%")).concurrency(4).start().await;
    let port = envoy.port();
    let stop = Arc::new(AtomicBool::new(false));
    let mut clients = tokio::task::JoinSet::new();
    for client in 0..8_usize {
        let stop = Arc::clone(&stop);
        clients.spawn(async move {
            let mut sent = 0;
            let mut got = BTreeSet::new();
            while !stop.load(Ordering::Relaxed) {
                // One connection for some requests, as clients have them.
                let mut connection = Http1::connect(port).await;
                for n in 0..20 {
                    connection.send(&by(&format!("user-{client}-{n}")).wire()).await;
                    let answer = connection.read_response().await;
                    assert_eq!(answer.status, 200, "{answer:?}");
                    sent += 1;
                    got.insert(answer.text());
                    if answer.header("connection") == Some("close") {
                        break;
                    }
                }
            }
            (sent, got)
        });
    }
    versions.v1.await_count(200).await;
    assert_eq!(versions.v2.count(), 0);
    envoy.update(config("100%")).await;
    assert_eq!(envoy.port(), port, "the listener is where it was");
    versions.v2.await_count(500).await;
    stop.store(true, Ordering::Relaxed);
    let mut sent = 0;
    for (requests, got) in clients.join_all().await {
        assert_eq!(got, BTreeSet::from(["v1".to_owned(), "v2".to_owned()]));
        sent += requests;
    }
    assert_eq!(versions.count(), sent, "each one was answered");
    let before = versions.v1.count();
    for n in 0..50 {
        assert_eq!(version(port, [1, 2][n % 2], &by(&format!("user-{n}"))).await, "v2");
    }
    assert_eq!(versions.v1.count(), before, "nobody is left behind");
    envoy.assert_no_trap().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_timetable_is_looked_up_and_not_waited_for() {
    let versions = Versions::start().await;
    let ramp = |points: Value| {
        split(json!({"variants": [{"name": "v1"}, {"name": "v2", "ramp": {"points": points}}]}))
    };
    let long_ago = json!({"at": "2020-01-01T00:00:00Z", "weight": "0%"});
    let far_ahead = json!({"at": "2120-01-01T00:00:00Z", "weight": "100%"});
    // From nobody to all of them within a century.
    let mut envoy = versions.envoy(ramp(json!([long_ago, far_ahead]))).start().await;
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_secs();
    let (begin, end) = (1_577_836_800, 4_733_510_400_u64);
    let share = u32::try_from((now - begin) * 10_000 / (end - begin)).unwrap();
    for n in 0..200 {
        let user = format!("user-{n}");
        let wanted = if bucket("x", &user) < share { "v2" } else { "v1" };
        assert_eq!(version(envoy.port(), [1, 2][n % 2], &by(&user)).await, wanted, "{user} of {share} parts");
    }
    envoy.update(ramp(json!([{"at": "2120-01-01T00:00:00Z", "weight": "100%"}]))).await;
    assert_eq!(version(envoy.port(), 1, &by("user-0")).await, "v1", "not yet");
    envoy.update(ramp(json!([{"at": "2020-01-01T00:00:00Z", "weight": "100%"}]))).await;
    assert_eq!(version(envoy.port(), 1, &by("user-0")).await, "v2", "for long");
    envoy.assert_no_trap().await;
}
