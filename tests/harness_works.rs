//! The harness itself, with filters that come with Envoy: what the vocabulary means, and that it can fail.

use serde_json::{Value, json};
use tests::{Answer, Envoy, Gate, Http1, Http2, Jwks, Request, Upstream, get, get_with, load};

/// An Envoy as it is shipped: fixed ports, one cluster `upstream`. Requests with `x-limited` have two tokens.
const SHIPPED: &str = r#"
admin: {address: {socket_address: {address: 0.0.0.0, port_value: 9901}}}
static_resources:
  listeners:
  - name: main
    address: {socket_address: {address: 0.0.0.0, port_value: 10000}}
    filter_chains:
    - filters:
      - name: envoy.filters.network.http_connection_manager
        typed_config:
          "@type": type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager
          stat_prefix: ingress
          http2_protocol_options: {allow_connect: false}
          access_log:
          - name: envoy.access_loggers.stdout
            typed_config:
              "@type": type.googleapis.com/envoy.extensions.access_loggers.stream.v3.StdoutAccessLog
              log_format: {text_format_source: {inline_string: "%REQ(:PATH)% %RESPONSE_CODE% %RESPONSE_CODE_DETAILS%\n"}}
          route_config:
            virtual_hosts:
            - name: all
              domains: ["*"]
              routes:
              - match: {prefix: /direct}
                direct_response: {status: 200, body: {inline_string: first}}
              - match: {prefix: /limited}
                direct_response: {status: 200}
                typed_per_filter_config:
                  local:
                    "@type": type.googleapis.com/envoy.extensions.filters.http.local_ratelimit.v3.LocalRateLimit
                    stat_prefix: local
                    token_bucket: {max_tokens: 2, tokens_per_fill: 1, fill_interval: 3600s}
                    filter_enabled: {default_value: {numerator: 100}}
                    filter_enforced: {default_value: {numerator: 100}}
              - match: {prefix: /}
                route: {cluster: upstream}
          http_filters:
          - name: local
            typed_config:
              "@type": type.googleapis.com/envoy.extensions.filters.http.local_ratelimit.v3.LocalRateLimit
              stat_prefix: local
          - name: envoy.filters.http.router
            typed_config:
              "@type": type.googleapis.com/envoy.extensions.filters.http.router.v3.Router
  clusters:
  - name: upstream
    type: STRICT_DNS
    load_assignment:
      cluster_name: upstream
      endpoints:
      - lb_endpoints:
        - endpoint: {address: {socket_address: {address: upstream.invalid, port_value: 8000}}}
"#;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn requests_reach_the_upstream_and_answers_come_back() {
    let upstream = Upstream::start().await;
    let envoy = Envoy::from_text(SHIPPED).upstream(&upstream).start().await;

    let response = get_with(envoy.port(), "/a?b=c", &[("x-one", "1")]).await;
    assert_eq!((response.status, response.text().as_str()), (200, "ok"));
    assert_eq!(response.header("server"), Some("envoy"));

    let seen = upstream.only();
    assert_eq!((seen.method.as_str(), seen.path.as_str(), seen.http), ("GET", "/a?b=c", 1));
    assert_eq!(seen.header("x-one"), Some("1"));
    assert_eq!(envoy.access_log(1).await, ["/a?b=c 200 via_upstream"]);
    assert_eq!(envoy.stat("cluster.upstream.upstream_rq_total").await, 1);
    assert!(envoy.rss_kib() > 1000 && envoy.memory().await["allocated"] > 1000);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn any_bytes_and_duplicates_reach_the_upstream() {
    let upstream = Upstream::start().await;
    let envoy = Envoy::from_text(SHIPPED).upstream(&upstream).start().await;
    let high: Vec<u8> = (0x80..=0xFF).collect();
    let request = Request::get("/").header("x-odd", &high).header("x-twice", "a").header("x-twice", "b");

    assert_eq!(request.send(envoy.port()).await.status, 200);
    assert_eq!(request.send_http2(envoy.port()).await.status, 200);
    for seen in upstream.seen() {
        assert_eq!(seen.values("x-odd"), [high.as_slice()]);
        assert_eq!(seen.values("x-twice"), [b"a", b"b"]);
    }
    assert_eq!(upstream.count(), 2);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn bodies_in_pieces_and_trailers_reach_the_upstream() {
    let upstream =
        Upstream::answering(|seen| Answer::status(200).body(&seen.body).body("!").trailer("x-end", "yes"))
            .await;
    let envoy = Envoy::from_text(SHIPPED).upstream(&upstream).upstream_http2().start().await;
    let request = Request::new("POST", "/").chunks(["ab", "", "c"]).trailer("x-sum", "3");

    let response = request.send_http2(envoy.port()).await;
    assert_eq!((response.text().as_str(), response.trailer("x-end")), ("abc!", Some("yes")));
    let seen = upstream.only();
    assert_eq!((seen.http, seen.header("content-length")), (2, None));
    assert_eq!(seen.trailers, [("x-sum".to_owned(), b"3".to_vec())]);

    let response = request.send(envoy.port()).await;
    assert_eq!((response.text().as_str(), response.header("transfer-encoding")), ("abc!", Some("chunked")));
    assert_eq!(upstream.seen()[1].trailers, [], "Envoy drops trailers of HTTP/1");
    assert_eq!(Request::post("/", "whole").send(envoy.port()).await.text(), "whole!");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn grpc_calls_end_with_their_status() {
    let upstream = Upstream::sequence([Answer::grpc(0), Answer::grpc(8)]).await;
    let envoy = Envoy::from_text(SHIPPED).upstream(&upstream).upstream_http2().start().await;
    let client = Http2::connect(envoy.port()).await;
    for status in [0, 8, 8] {
        assert_eq!(client.send(&Request::grpc("/service/Method", "hi")).await.grpc_status(), Some(status));
    }
    assert_eq!(upstream.seen()[0].body, b"\0\0\0\0\x02hi");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn clients_that_leave_early_are_noticed() {
    let (upstream, gate) = held().await;
    let envoy = Envoy::from_text(SHIPPED).upstream(&upstream).start().await;
    let left = "http.ingress.downstream_rq_rx_reset";

    let request = Request::post("/", "0123456789").wire();
    let mut connection = Http1::connect(envoy.port()).await;
    connection.send(&request[..request.len() - 1]).await;
    upstream.await_count(1).await;
    drop(connection);
    upstream.await_left(1).await;
    assert!(!upstream.seen()[0].complete);

    let client = Http2::connect(envoy.port()).await;
    let mut stream = client.open(&Request::new("POST", "/")).await;
    stream.data("half");
    upstream.await_count(2).await;
    stream.reset();
    envoy.await_stat(left, 1).await;
    upstream.await_left(2).await;

    gate.open();
    assert_eq!(client.send(&Request::get("/")).await.text(), "ok");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn streams_run_side_by_side() {
    let (upstream, gate) = held().await;
    let envoy = Envoy::from_text(SHIPPED).upstream(&upstream).concurrency(2).start().await;
    let client = Http2::connect(envoy.port()).await;
    let (one, two) = (Request::get("/1"), Request::get("/2"));
    let release = async {
        upstream.await_count(2).await;
        assert_eq!(envoy.stat("http.ingress.downstream_rq_active").await, 2);
        gate.open();
    };
    let (one, two, ()) = tokio::join!(client.send(&one), client.send(&two), release);
    assert_eq!((one.status, two.status), (200, 200));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn upstreams_that_break_are_told_apart() {
    let upstream = Upstream::sequence([
        Answer::abort(),
        Answer::status(503),
        Answer::status(200).body("cut").then_abort(),
    ])
    .await;
    let envoy = Envoy::from_text(SHIPPED).upstream(&upstream).start().await;
    assert!(get(envoy.port(), "/").await.text().contains("reset"));
    assert_eq!(get(envoy.port(), "/").await.text(), "");
    let mut connection = Http1::connect(envoy.port()).await;
    connection.send(&Request::get("/").wire()).await;
    let cut = connection.try_read_response().await.expect("headers");
    assert_eq!((cut.status, cut.complete), (200, false));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn updates_are_hot_and_refused_ones_change_nothing() {
    let mut envoy = Envoy::from_text(SHIPPED).concurrency(2).start().await;
    let port = envoy.port();
    assert_eq!(get(port, "/direct").await.text(), "first");

    for answer in ["second", "third"] {
        envoy
            .update_with(|tree| *direct(tree) = json!({"status": 200, "body": {"inline_string": answer}}))
            .await;
        assert_eq!(envoy.port(), port);
        assert_eq!(get(port, "/direct").await.text(), answer);
    }

    let log = envoy.update_refused_with(|tree| direct(tree)["status"] = json!(9000)).await;
    assert!(log.contains("DirectResponseActionValidationError.Status"), "{log}");
    assert_eq!(get(port, "/direct").await.text(), "third");

    envoy
        .update_with(|tree| {
            tree["static_resources"]["listeners"][0]["per_connection_buffer_limit_bytes"] = json!(9)
        })
        .await;
    assert_eq!(envoy.port(), port);
    assert_eq!(get(port, "/direct").await.text(), "third");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn bad_configurations_do_not_start() {
    let log =
        Envoy::from_text(SHIPPED).edit(|tree| direct(tree)["status"] = json!(9000)).start_refused().await;
    assert!(log.contains("DirectResponseActionValidationError.Status"), "{log}");
    Envoy::from_text(SHIPPED).validate().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn load_is_counted_by_status() {
    let envoy = Envoy::from_text(SHIPPED).concurrency(2).static_listeners().start().await;
    let limited = Request::get("/limited").wire();
    let counts = load(envoy.port(), 8, 500, move |_, _| limited.clone()).await;
    assert_eq!(counts.into_iter().collect::<Vec<_>>(), [(200, 2), (429, 3998)]);
    assert_eq!(
        envoy.stats_matching("^local.*rate_limited$").await["local.http_local_rate_limit.rate_limited"],
        3998
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn servers_of_keys_change_break_and_come_back() {
    let mut jwks = Jwks::start("{}").await;
    let envoy = Envoy::from_text(SHIPPED).issuer(&jwks).edit(|tree| route_to(tree, "issuer")).start().await;
    let fetch = || get(envoy.port(), "/keys");

    let first = fetch().await;
    assert_eq!((first.status, first.text().as_str(), first.header("cache-control")), (200, "{}", None));
    jwks.serve("[]");
    jwks.cache_control("max-age=60");
    let second = fetch().await;
    assert_eq!((second.text().as_str(), second.header("cache-control")), ("[]", Some("max-age=60")));
    jwks.fail(500);
    assert_eq!(fetch().await.status, 500);
    jwks.redirect("/elsewhere");
    assert_eq!(fetch().await.header("location"), Some("/elsewhere"));
    jwks.garbage();
    assert!(str::from_utf8(&fetch().await.body).is_err());
    jwks.huge("{}", 3);
    assert_eq!(fetch().await.body.len(), 2 + 3 * 1024 * 1024);
    jwks.abort();
    assert!(fetch().await.text().contains("reset"));

    jwks.gone().await;
    let refused = fetch().await;
    assert!(refused.text().contains("connection failure"), "{refused:?}");
    assert_eq!((jwks.fetches(), jwks.seen()[0].path.as_str()), (7, "/keys"));
    jwks.serve("{}");
    jwks.back().await;
    let gate = jwks.hold();
    let release = async {
        jwks.await_fetches(8).await;
        gate.open();
    };
    assert_eq!(tokio::join!(fetch(), release).0.text(), "{}");
}

async fn held() -> (Upstream, Gate) {
    let gate = Gate::closed();
    let answer = Answer::ok().after(&gate);
    (Upstream::answering(move |_| answer.clone()).await, gate)
}

/// Sends all that is not answered by Envoy itself to another cluster.
fn route_to(tree: &mut Value, cluster: &str) {
    routes(tree)[2]["route"]["cluster"] = json!(cluster);
}

/// Finds the direct response of `/direct`.
fn direct(tree: &mut Value) -> &mut Value {
    &mut routes(tree)[0]["direct_response"]
}

fn routes(tree: &mut Value) -> &mut Value {
    let chain = &mut tree["static_resources"]["listeners"][0]["filter_chains"][0];
    &mut chain["filters"][0]["typed_config"]["route_config"]["virtual_hosts"][0]["routes"]
}
