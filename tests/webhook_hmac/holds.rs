//! What is held back until a delivery is verified, where Envoy can hold headers and where it can't.

use serde_json::json;
use tests::{Deadline, Envoy, Http2, Request, Upstream, plugin};

use super::delivery::{github, github_head, now, slack, stripe};
use super::{
    GITHUB_SECRET, SLACK_SECRET, STRIPE_SECRET, counted, endpoint, manager, refused, settings, shipped,
    status,
};

/// The shipped file as Envoy is where `allow_on_headers_stop_iteration` can't be set.
fn without_the_option(upstream: &Upstream) -> Envoy {
    shipped(upstream).edit(|tree| {
        plugin(tree, "webhook-hmac").as_object_mut().unwrap().remove("allow_on_headers_stop_iteration");
    })
}

/// The same, where only bodies are held.
fn holding_bodies(upstream: &Upstream) -> Envoy {
    without_the_option(upstream).edit(|tree| {
        let settings = settings(tree).as_object_mut().unwrap();
        settings.remove("headers");
        settings.remove("sign");
        settings.insert("hold".to_owned(), json!("body"));
        manager(tree)["http_protocol_options"] = json!({"enable_trailers": true});
        endpoint(tree, "github")["replay"] = json!("off");
    })
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_the_option_that_lets_headers_be_held_a_body_never_comes_and_the_log_says_why() {
    let upstream = Upstream::start().await;
    let envoy = without_the_option(&upstream)
        .edit(|tree| settings(tree)["body_timeout"] = json!("300ms"))
        .start()
        .await;
    for http in [1, 2] {
        for request in [
            github(GITHUB_SECRET, "genuine"),
            github(STRIPE_SECRET, "forged"),
            github_head(GITHUB_SECRET, b"ab").chunks(["a", "b"]),
            Request::post("/outgoing", "out"),
        ] {
            assert_eq!(status(&envoy, http, &request).await, 408, "HTTP/{http}: {request:?}");
        }
        // What needs no body is decided all the same.
        assert_eq!(status(&envoy, http, &Request::post("/webhooks/github", "unsigned")).await, 401);
        assert_eq!(status(&envoy, http, &Request::post("/webhooks/x", "nobody")).await, 404);
        assert_eq!(status(&envoy, http, &github_head(STRIPE_SECRET, b"")).await, 401);
    }
    assert_eq!(upstream.count(), 0);
    assert_eq!(status(&envoy, 1, &github_head(GITHUB_SECRET, b"")).await, 200);
    let log = envoy.log();
    let warnings = log.lines().filter(|line| line.contains("lacks `allow_on_headers_stop_iteration: true`"));
    assert_eq!(warnings.count(), 1, "{log}");
    assert_eq!(refused(&envoy, "timeout").await, 8);
    envoy.assert_no_trap().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_body_that_does_not_end_in_time_is_given_up() {
    let upstream = Upstream::start().await;
    let envoy = shipped(&upstream).edit(|tree| settings(tree)["body_timeout"] = json!("300ms")).start().await;
    let client = Http2::connect(envoy.port()).await;
    let mut slow = client.open(&github_head(GITHUB_SECRET, b"abc")).await;
    slow.data("ab");
    // Envoy answers before the request has ended, and resets it then.
    assert_eq!(slow.response().await.map(|answer| answer.status).ok(), Some(408));
    assert_eq!(upstream.count(), 0);
    assert_eq!(status(&envoy, 2, &github(GITHUB_SECRET, "abc")).await, 200);
    envoy.assert_no_trap().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_upstream_never_sees_a_byte_of_a_forged_body_where_only_bodies_are_held() {
    for http2 in [false, true] {
        let upstream = Upstream::start().await;
        let envoy = holding_bodies(&upstream);
        let envoy = if http2 { envoy.upstream_http2() } else { envoy };
        let envoy = envoy.start().await;
        let text = "x".repeat(1000);
        let pieces = |length: usize| text.as_bytes().chunks(length).map(<[u8]>::to_vec).collect::<Vec<_>>();
        for http in [1, 2] {
            for pieces in [pieces(1000), pieces(7), pieces(1)] {
                let request = |secret: &str| github_head(secret, text.as_bytes()).chunks(&pieces);
                for sum in [None, Some("1")] {
                    let end = |request: Request| {
                        sum.iter().fold(request, |request, sum| request.trailer("x-sum", sum))
                    };
                    assert_eq!(status(&envoy, http, &end(request(STRIPE_SECRET))).await, 401);
                    assert_eq!(status(&envoy, http, &end(request(GITHUB_SECRET))).await, 200);
                    let seen = upstream.seen().into_iter().rfind(|seen| seen.complete).unwrap();
                    assert!(seen.body == text.as_bytes(), "{seen:?}");
                    if http2 {
                        assert_eq!(seen.trailers.len(), sum.iter().len(), "{seen:?}");
                    }
                }
            }
            assert_eq!(status(&envoy, http, &github(STRIPE_SECRET, &text)).await, 401);
            assert_eq!(status(&envoy, http, &github(GITHUB_SECRET, &text)).await, 200);
            // What is known by its headers reaches nobody, here too.
            let before = upstream.count();
            for (request, wanted) in [
                (Request::post("/webhooks/github", &text), 401),
                (github_head(STRIPE_SECRET, b""), 401),
                (stripe(STRIPE_SECRET, now() - 400, "{}"), 401),
                (Request::post("/webhooks/x", "nobody"), 404),
                (Request::get("/webhooks/github"), 405),
            ] {
                assert_eq!(status(&envoy, http, &request).await, wanted);
            }
            let challenge = slack(SLACK_SECRET, now(), r#"{"type": "url_verification", "challenge": "abc"}"#);
            let answer = super::send(&envoy, http, &challenge).await;
            assert_eq!((answer.status, answer.text().as_str()), (200, "abc"));
            assert!(upstream.seen()[before..].iter().all(|seen| seen.path.ends_with("/slack")));
        }
        // With its body still to come, the upstream has the headers for sure.
        let before = upstream.count();
        let client = Http2::connect(envoy.port()).await;
        let mut forged = client.open(&github_head(STRIPE_SECRET, text.as_bytes())).await;
        upstream.await_count(before + 1).await;
        forged.data(&text);
        forged.end();
        assert_eq!(forged.response().await.unwrap().status, 401);
        let deadline = Deadline::new("the upstream to be rid of what was forged");
        while envoy.stat("cluster.upstream.upstream_rq_active").await != 0 {
            deadline.look_again(|| format!("{:?}", upstream.seen())).await;
        }
        // Envoy 1.36 resets a stream to an HTTP/2 upstream without an error: to some servers, the body is over then.
        for seen in upstream.seen() {
            let is_whole = seen.complete && seen.body == text.as_bytes();
            assert!(is_whole || (seen.body.is_empty() && (!seen.complete || http2)), "{seen:?}");
        }
        envoy.assert_no_trap().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_upstream_that_answers_before_it_has_the_body_makes_no_delivery_genuine() {
    // The scripted upstream reads to the end; Envoy's own answer comes early, from a route without one.
    let upstream = Upstream::start().await;
    let envoy = holding_bodies(&upstream)
        .edit(|tree| {
            endpoint(tree, "github")["replay"] = json!({"id": "digest"});
            let routes = manager(tree).pointer_mut("/route_config/virtual_hosts/0/routes").unwrap();
            let early = json!({
                "match": {"prefix": "/", "headers": [{"name": "x-early", "present_match": true}]},
                "direct_response": {"status": 200},
            });
            routes.as_array_mut().unwrap().insert(0, early);
        })
        .start()
        .await;
    let client = Http2::connect(envoy.port()).await;
    let early = client.open(&github_head(GITHUB_SECRET, b"abc").header("x-early", "1")).await;
    assert_eq!(early.response().await.unwrap().status, 200);
    // Nothing of it counts as seen.
    assert_eq!(status(&envoy, 2, &github(GITHUB_SECRET, "abc")).await, 200);
    assert_eq!(upstream.only().body, b"abc");
    assert_eq!(status(&envoy, 1, &github(GITHUB_SECRET, "abc")).await, 409);
    envoy.assert_no_trap().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_body_that_begins_when_its_time_is_over_reaches_nobody_where_only_bodies_are_held() {
    let upstream = Upstream::start().await;
    let envoy =
        holding_bodies(&upstream).edit(|tree| settings(tree)["body_timeout"] = json!("300ms")).start().await;
    let client = Http2::connect(envoy.port()).await;
    for secret in [STRIPE_SECRET, GITHUB_SECRET] {
        let before = counted(&envoy, "refusals_total.github.timeout").await;
        let mut late = client.open(&github_head(secret, b"abc")).await;
        envoy.await_stat("wasmcustom.sluice.webhook-hmac.refusals_total.github.timeout", before + 1).await;
        late.data("abc");
        assert_eq!(late.response().await.map(|answer| answer.status).ok(), Some(408));
    }
    assert!(
        upstream.seen().iter().all(|seen| seen.body.is_empty() && !seen.complete),
        "{:?}",
        upstream.seen()
    );
    envoy.assert_no_trap().await;
}
