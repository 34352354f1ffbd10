//! Each way of telling routes, and that no client tells them.

use super::*;

/// All headers that the filter writes, as a client would write them.
fn written_by_a_client(request: Request) -> Request {
    [VARIANT, "X-Sluice-Variant", "x-sluice-cluster", "x-sluice-index", "x-sluice-mirror"]
        .into_iter()
        .zip(["v2", "v2", "v2", "1", "1"])
        .fold(request, |request, (name, value)| request.header(&name.to_lowercase(), value))
}

/// Every user gets to the version of his bucket, whatever he writes; a header that is written is there once.
async fn routes_follow(versions: &Versions, envoy: &Running) {
    for n in 0..60 {
        let user = format!("user-{n}");
        let wanted = if bucket("x", &user) < 2_000 { "v2" } else { "v1" };
        for http in [1, 2] {
            assert_eq!(version(envoy.port(), http, &by(&user)).await, wanted, "{user}");
            let request = written_by_a_client(by(&user));
            assert_eq!(version(envoy.port(), http, &request).await, wanted, "{user}");
        }
    }
    assert_eq!(versions.count(), 240);
    assert!(100 < versions.v1.count() && 10 < versions.v2.count());
    envoy.assert_no_trap().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_route_matches_the_header() {
    let versions = Versions::start().await;
    let envoy = versions.envoy(split(json!({}))).start().await;
    routes_follow(&versions, &envoy).await;
    for (version, upstream) in [("v1", &versions.v1), ("v2", &versions.v2)] {
        assert!(upstream.seen().iter().all(|seen| seen.values(VARIANT) == [version.as_bytes()]));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_route_takes_its_cluster_from_the_header() {
    let versions = Versions::start().await;
    let mut config = split(json!({
        "variants": [{"name": "old", "cluster": "v1"}, {"name": "new", "cluster": "v2", "weight": "20%"}],
    }));
    config["output"] = json!({"header": "off", "cluster_header": "x-sluice-cluster"});
    let envoy = versions.envoy(config).edit(|tree| {
        *routes(tree) =
            vec![json!({"match": {"prefix": "/"}, "route": {"cluster_header": "x-sluice-cluster"}})];
    });
    let envoy = envoy.start().await;
    routes_follow(&versions, &envoy).await;
    for (version, upstream) in [("v1", &versions.v1), ("v2", &versions.v2)] {
        assert!(upstream.seen().iter().all(|seen| seen.values("x-sluice-cluster") == [version.as_bytes()]));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn weighted_clusters_take_their_number_from_the_header() {
    let versions = Versions::start().await;
    let mut config = split(json!({}));
    config["output"] = json!({"header": false, "index_header": "x-sluice-index"});
    let envoy = versions.envoy(config).edit(|tree| {
        let clusters = json!({
            "clusters": [{"name": "v1", "weight": 1}, {"name": "v2", "weight": 1}],
            "header_name": "x-sluice-index",
        });
        *routes(tree) = vec![json!({"match": {"prefix": "/"}, "route": {"weighted_clusters": clusters}})];
    });
    let envoy = envoy.start().await;
    routes_follow(&versions, &envoy).await;
    for (index, upstream) in [("0", &versions.v1), ("1", &versions.v2)] {
        assert!(upstream.seen().iter().all(|seen| seen.values("x-sluice-index") == [index.as_bytes()]));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_route_matches_filter_state_and_no_header_is_written() {
    let versions = Versions::start().await;
    let mut config = split(json!({}));
    config["output"] = json!({"header": "off"});
    config["tags"] = json!("all");
    let envoy = versions.envoy(config).edit(|tree| {
        let state = json!([{"key": "wasm.sluice.canary-routing.variant", "string_match": {"exact": "v2"}}]);
        routes(tree)[0]["match"] = json!({"prefix": "/", "filter_state": state});
    });
    let envoy = envoy.start().await;
    for n in 0..60 {
        let user = format!("user-{n}");
        let wanted = if bucket("x", &user) < 2_000 { "v2" } else { "v1" };
        for http in [1, 2] {
            assert_eq!(version(envoy.port(), http, &by(&user)).await, wanted, "{user}");
        }
    }
    assert!(versions.seen().iter().all(|seen| seen.header(VARIANT).is_none()));
    envoy.assert_no_trap().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_client_is_told_if_he_may_know_and_not_by_his_upstream() {
    let liar = |version: &str| well(version).header("x-version", "v9");
    let versions = Versions::answering(move |_| liar("v1"), move |_| liar("v2")).await;
    let mut config = split(json!({}));
    config["output"] = json!({"response_header": "x-version"});
    let envoy = versions.envoy(config).start().await;
    let (canary, baseline) = one_of_each();
    for http in [1, 2] {
        for (user, wanted) in [(&canary, "v2"), (&baseline, "v1")] {
            let answer = send(envoy.port(), http, &by(user)).await;
            let told: Vec<_> = answer.headers.iter().filter(|(name, _)| name == "x-version").collect();
            assert_eq!(told.len(), 1, "{answer:?}");
            assert_eq!((answer.text().as_str(), answer.header("x-version")), (wanted, Some(wanted)));
            assert_eq!(answer.header(VARIANT), None);
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_no_split_is_for_can_not_be_chosen_either() {
    let versions = Versions::start().await;
    let mut config = split(json!({
        "match": {"path": {"prefix": "/checkout"}},
        "variants": [{"name": "v1", "cluster": "v1"}, {"name": "v2", "cluster": "v2"}],
        "mirror": {"percent": "0%"},
    }));
    config["output"] = json!({"cluster_header": "x-sluice-cluster", "index_header": "x-sluice-index"});
    let envoy = versions.envoy(config).start().await;
    for path in ["/", "/checkout"] {
        for http in [1, 2] {
            let request = written_by_a_client(Request::get(path).header("x-user-id", "a"));
            assert_eq!(version(envoy.port(), http, &request).await, "v1", "{path}");
            let twice = written_by_a_client(request);
            assert_eq!(version(envoy.port(), http, &twice).await, "v1", "{path}");
        }
    }
    for seen in versions.seen() {
        let ours: Vec<_> = seen.headers.iter().filter(|(name, _)| name.starts_with("x-sluice-")).collect();
        assert_eq!(ours.len(), if seen.path == "/" { 0 } else { 3 }, "{ours:?}");
    }
    // An underscore isn't a hyphen, but servers take it for one.
    let odd = by("a").header("x_sluice_variant", "v2").send(envoy.port()).await;
    assert_eq!(odd.status, 400);
    envoy.assert_no_trap().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_share_is_mirrored_by_the_header_and_no_client_asks_for_it() {
    for (percent, range) in [("100%", 400..=400), ("50%", 130..=270), ("0%", 0..=0)] {
        let versions = Versions::start().await;
        let envoy = versions.envoy(split(json!({"variants": weight("0%"), "mirror": {"percent": percent}})));
        let envoy = envoy.edit(|tree| {
            let mirrored = json!({"prefix": "/", "headers": [{"name": "x-sluice-mirror", "string_match": {"exact": "1"}}]});
            let route = json!({"cluster": "v1", "request_mirror_policies": [{"cluster": "v2"}]});
            routes(tree).insert(0, json!({"match": mirrored, "route": route}));
        });
        let envoy = envoy.start().await;
        let connection = Http2::connect(envoy.port()).await;
        for n in 0..400 {
            let answer = connection.send(&by(&format!("user-{n}")).header("x-sluice-mirror", "1")).await;
            assert_eq!(answer.text(), "v1", "what a mirror says goes nowhere");
        }
        versions.v2.await_count(*range.start()).await;
        assert!(range.contains(&versions.v2.count()), "{percent}: {}", versions.v2.count());
        assert_eq!(versions.v1.count(), 400);
        envoy.assert_no_trap().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn shadow_mode_counts_and_changes_nothing() {
    for whole in [true, false] {
        let versions = Versions::start().await;
        let mut config = split(json!({
            "force": {"header": "x-canary"},
            "assign": [{"variant": "v2", "keys": ["alice"]}],
            "on_missing_key": {"cookie": {"secret": {"inline": "0123456789abcdef0123456789abcdef"}}},
            "mirror": {"percent": "100%"},
            "guard": {},
        }));
        config["output"] = json!({"response_header": "x-version"});
        if whole {
            config["mode"] = json!("shadow");
        } else {
            config["splits"][0]["mode"] = json!("shadow");
        }
        let envoy = versions.envoy(config).start().await;
        let (canary, baseline) = one_of_each();
        for request in [
            by(&canary),
            by(&baseline),
            by("alice"),
            by(&baseline).header("x-canary", "v2"),
            Request::get("/"),
        ] {
            for http in [1, 2] {
                let answer = send(envoy.port(), http, &request).await;
                assert_eq!((answer.status, answer.text().as_str()), (200, "v1"), "{request:?}");
                assert_eq!((answer.header("set-cookie"), answer.header("x-version")), (None, None));
            }
        }
        for seen in versions.seen() {
            assert_eq!((seen.header(VARIANT), seen.header("x-sluice-mirror")), (None, None));
        }
        assert_eq!(decisions(&envoy, "v2", "would_split").await, 2);
        assert_eq!(decisions(&envoy, "v1", "would_split").await, 2);
        assert_eq!(decisions(&envoy, "v2", "would_assign").await, 2);
        assert_eq!(decisions(&envoy, "v2", "would_force").await, 2);
        envoy.assert_no_trap().await;
    }
}
