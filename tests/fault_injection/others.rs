//! Answers that are not the upstream's: of Envoy, of its routes, of filters behind this one.

use super::*;

fn routes(tree: &mut Value) -> &mut Vec<Value> {
    let path = "/static_resources/listeners/0/filter_chains/0/filters/0/typed_config/route_config/virtual_hosts/0/routes";
    tree.pointer_mut(path).and_then(Value::as_array_mut).unwrap()
}

fn filters(tree: &mut Value) -> &mut Vec<Value> {
    let path = "/static_resources/listeners/0/filter_chains/0/filters/0/typed_config/http_filters";
    tree.pointer_mut(path).and_then(Value::as_array_mut).unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn faults_of_a_response_are_for_what_the_upstream_says() {
    let upstream = Upstream::answering(|seen| match seen.path.as_str() {
        "/broken" => Answer::abort(),
        _ => Answer::ok(),
    })
    .await;
    let config = experiment(json!({
        "request": {"delay": {"fixed": "5ms"}},
        "response": {"status": 500, "delay": {"fixed": "5ms"}, "body": {"replace": "something else"}},
    }));
    let envoy = Envoy::from(SHIPPED)
        .config(config)
        .edit(|tree| {
            let direct = json!({"match": {"prefix": "/direct"}, "direct_response": {"status": 418, "body": {"inline_string": "tea"}}});
            routes(tree).insert(0, direct);
            let mut refuses = filters(tree)[0].clone();
            refuses["name"] = json!("refuses");
            refuses["typed_config"]["config"]["name"] = json!("refuses");
            refuses["typed_config"]["config"]["vm_config"]["vm_id"] = json!("behind");
            refuses["typed_config"]["config"]["configuration"]["value"] = json!({"experiments": [
                {"name": "y", "match": {"path": {"prefix": "/refused"}}, "percent": "100%", "request": {"abort": {"status": 429, "body": "no"}}}
            ]});
            filters(tree).insert(1, refuses);
        })
        .upstream(&upstream)
        .start()
        .await;
    for http in [1, 2] {
        for (path, status, body) in
            [("/direct", 418, "tea"), ("/refused", 429, "no"), ("/broken", 503, "upstream connect error")]
        {
            let answer = send(envoy.port(), http, &Request::get(path)).await;
            assert_eq!(answer.status, status, "{path}");
            assert!(answer.text().starts_with(body), "{answer:?}");
            let stamps = answer.headers.iter().filter(|(name, _)| name == STAMP);
            let stamps: Vec<_> = stamps.map(|(_, value)| String::from_utf8_lossy(value)).collect();
            assert!(stamps.contains(&"x;delay=5ms".into()), "what happened is said: {stamps:?}");
        }
        let answer = send(envoy.port(), http, &Request::get("/")).await;
        assert_eq!((answer.status, answer.text().as_str()), (500, "something else"));
    }
    assert_eq!(envoy.stat(&decisions("x", "spared")).await, 6);
    let lines = envoy.access_log(8).await;
    assert!(
        lines[0].contains("418 details=direct_response experiment=x outcome=spared fault=delay=5ms"),
        "{lines:?}"
    );
    await_none_active(&envoy, "x").await;
    envoy.assert_no_trap().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_abort_has_one_type_of_body_wherever_it_is_said() {
    let upstream = Upstream::start().await;
    let config = experiment(
        json!({"request": {"abort": {"status": 503, "headers": [{"name": "Content-Type", "value": "application/json"}], "body": "{}"}}}),
    );
    let envoy = envoy(config, &upstream).await;
    for http in [1, 2] {
        let answer = send(envoy.port(), http, &Request::get("/")).await;
        let kinds: Vec<_> = answer.headers.iter().filter(|(name, _)| name == "content-type").collect();
        assert_eq!(kinds, [&("content-type".to_owned(), b"application/json".to_vec())]);
    }
    let call = Request::grpc("/s/M", "x").send_http2(envoy.port()).await;
    let kinds: Vec<_> = call.headers.iter().filter(|(name, _)| name == "content-type").collect();
    assert_eq!(kinds, [&("content-type".to_owned(), b"application/grpc".to_vec())]);
}
