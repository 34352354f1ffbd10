//! Experiments on a service of gRPC, which says at the end of an answer how a call went.

use super::*;

fn watching(when: Value) -> Value {
    experiment(json!({"percent": "0%", "stop_when": when, "request": {"reset": true}}))
}

const STOPS: &str = "wasmcustom.sluice.fault-injection.stops_total.x";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_experiment_stops_by_the_errors_of_calls_of_grpc_wherever_they_are_said() {
    let upstream = Upstream::answering(|seen| {
        let code = seen.path.rsplit('/').next().and_then(|code| code.parse().ok()).unwrap_or(0);
        match seen.header("x-form") {
            Some("head") => Answer::status(200)
                .header("content-type", "application/grpc")
                .header("grpc-status", code.to_string()),
            Some("broken") => {
                Answer::status(200).header("content-type", "application/grpc").body([0; 5]).then_abort()
            }
            Some("http") => Answer::status(502),
            _ => Answer::grpc(code),
        }
    })
    .await;
    for (form, code, stops) in [
        ("trailers", 0, 0),
        ("trailers", 14, 1),
        ("trailers", 5, 0),
        ("head", 0, 0),
        ("head", 13, 1),
        ("head", 8, 0),
        ("broken", 0, 1),
        ("http", 0, 1),
    ] {
        let envoy = Envoy::from(SHIPPED)
            .config(watching(json!({"error_rate": "1%", "min_requests": 1})))
            .upstream(&upstream)
            .upstream_http2()
            .start()
            .await;
        let call = Request::grpc(&format!("/s/M/{code}"), "x").header("x-form", form);
        drop(Http2::connect(envoy.port()).await.try_send(&call).await);
        envoy.await_stat(&decisions("x", "passed"), 1).await;
        // Counted at the end of the stream at the latest, which the access log tells.
        envoy.access_log(1).await;
        if stops == 1 {
            envoy.await_stat(STOPS, 1).await;
        }
        assert_eq!(envoy.stat(STOPS).await, stops, "{form} {code}");
        envoy.assert_no_trap().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_client_that_leaves_a_call_says_nothing_of_the_upstream() {
    let (gate, begun) = (Gate::closed(), Gate::closed());
    drop(begun);
    let hold = gate.clone();
    let upstream = Upstream::answering(move |seen| match seen.path.as_str() {
        "/s/Slow" => Answer::grpc(0).after(&hold),
        _ => Answer::grpc(14),
    })
    .await;
    let envoy = Envoy::from(SHIPPED)
        .config(watching(json!({"error_rate": "1%", "min_requests": 1, "errors": ["5xx", "CANCELLED"]})))
        .upstream(&upstream)
        .upstream_http2()
        .start()
        .await;
    let client = Http2::connect(envoy.port()).await;
    let mut stream = client.open(&Request::grpc("/s/Slow", "x")).await;
    stream.end();
    upstream.await_count(1).await;
    stream.reset();
    envoy.access_log(1).await;
    assert_eq!(envoy.stat(STOPS).await, 0);
    client.send(&Request::grpc("/s/Bad", "x")).await;
    envoy.await_stat(STOPS, 1).await;
    gate.open();
    envoy.assert_no_trap().await;
}
