//! Deliveries that come again: after an answer, before one, at once on all workers, and after what was no answer.

use serde_json::{Value, json};
use tests::{Answer, Gate, Http1, Http2, Request, Upstream};
use tokio::task::JoinSet;

use super::delivery::{billing, github, github_head, now, slack, stripe};
use super::{
    BILLING_SECRET, GITHUB_SECRET, OLD_BILLING_SECRET, SLACK_SECRET, STRIPE_SECRET, counted, endpoint, send,
    shipped, status,
};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_delivery_that_comes_again_is_refused_acknowledged_or_marked_as_its_endpoint_says() {
    let upstream = Upstream::start().await;
    let envoy = shipped(&upstream)
        .edit(|tree| {
            super::settings(tree)["headers"]["duplicate"] = json!("x-webhook-duplicate");
            endpoint(tree, "slack")["replay"] = json!({"id": "digest", "on_duplicate": "forward"});
        })
        .concurrency(2)
        .start()
        .await;
    for http in [1, 2] {
        let (body, at) = (format!(r#"{{"id": "evt-{http}"}}"#), now());
        let id = format!("inv-{http}");
        let before = upstream.count();
        // Refused: as it came, over the other version, in other pieces, and with what isn't signed altered.
        assert_eq!(status(&envoy, http, &github(GITHUB_SECRET, &body)).await, 200);
        for again in [
            github(GITHUB_SECRET, &body),
            github_head(GITHUB_SECRET, body.as_bytes()).chunks(body.as_bytes().chunks(3)),
            github(GITHUB_SECRET, &body).header("x-github-delivery", "another"),
        ] {
            for http in [1, 2] {
                let answer = send(&envoy, http, &again).await;
                assert_eq!(answer.status, 409, "{answer:?}");
                assert_eq!(answer.json()["title"], "The delivery came before");
                assert_eq!(answer.header("retry-after"), None, "it would be the same later");
            }
        }
        assert_eq!(upstream.count(), before + 1);
        // Acknowledged: by its id, whatever signed it and when.
        assert_eq!(status(&envoy, http, &billing(BILLING_SECRET, at, &id, "a")).await, 200);
        for again in [billing(BILLING_SECRET, at, &id, "a"), billing(OLD_BILLING_SECRET, at - 9, &id, "b")] {
            let answer = send(&envoy, http, &again).await;
            assert_eq!((answer.status, answer.body.len()), (200, 0), "{answer:?}");
        }
        assert_eq!(status(&envoy, http, &stripe(STRIPE_SECRET, at, &body)).await, 200);
        assert_eq!(status(&envoy, http, &stripe(STRIPE_SECRET, at - 60, &body)).await, 200);
        assert_eq!(upstream.count(), before + 3);
        // Marked, and no client can mark it, or take the mark away.
        for (given, marks) in [("true", vec![]), ("false", vec![b"true".as_slice()])] {
            let request = slack(SLACK_SECRET, at, &body).header("x-webhook-duplicate", given);
            assert_eq!(status(&envoy, http, &request).await, 200);
            assert_eq!(upstream.seen().pop().unwrap().values("x-webhook-duplicate"), marks);
        }
        assert_eq!(upstream.count(), before + 5);
    }
    for (name, count) in [
        ("refusals_total.github.replayed", 12),
        ("decisions_total.billing.acknowledged", 4),
        ("decisions_total.stripe.acknowledged", 2),
        ("decisions_total.slack.repeated", 2),
    ] {
        assert_eq!(counted(&envoy, name).await, count, "{name}");
    }
    envoy.assert_no_trap().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_the_upstream_did_not_accept_may_come_again() {
    let bad = [Answer::status(500), Answer::status(302), Answer::status(429), Answer::abort()];
    let upstream = Upstream::sequence(bad.into_iter().chain([Answer::status(204)])).await;
    let envoy = shipped(&upstream).concurrency(2).start().await;
    for wanted in [500, 302, 429, 503, 204, 409, 409] {
        assert_eq!(status(&envoy, 1, &github(GITHUB_SECRET, "tried again")).await, wanted);
    }
    assert_eq!(upstream.count(), 5);
    // What was refused for its signature doesn't count as seen either.
    assert_eq!(status(&envoy, 1, &billing(STRIPE_SECRET, now(), "inv-1", "a")).await, 401);
    assert_eq!(status(&envoy, 1, &billing(BILLING_SECRET, now(), "inv-1", "a")).await, 204);
    assert_eq!(upstream.count(), 6);
    envoy.assert_no_trap().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whoever_leaves_before_the_answer_does_not_come_again_at_once() {
    let gate = Gate::closed();
    let hold = gate.clone();
    let upstream = Upstream::answering(move |seen| match seen.header("x-try") {
        Some("first") => Answer::ok().after(&hold),
        _ => Answer::ok(),
    })
    .await;
    let envoy = shipped(&upstream).concurrency(2).start().await;
    for (index, http) in [1, 2].into_iter().enumerate() {
        let request = github(GITHUB_SECRET, format!("lost {http}"));
        let first = request.clone().header("x-try", "first");
        if http == 1 {
            let mut connection = Http1::connect(envoy.port()).await;
            connection.send(&first.wire()).await;
            upstream.await_count(1).await;
        } else {
            let client = Http2::connect(envoy.port()).await;
            let mut stream =
                client.open(&github_head(GITHUB_SECRET, b"lost 2").header("x-try", "first")).await;
            stream.data("lost 2");
            stream.end();
            upstream.await_count(2).await;
            let answer = send(&envoy, http, &request).await;
            assert_eq!((answer.status, answer.header("retry-after")), (409, Some("5")), "{answer:?}");
            stream.reset();
        }
        upstream.await_left(index + 1).await;
        // The upstream may have done it all the same.
        let answer = send(&envoy, http, &request).await;
        assert_eq!((answer.status, answer.header("retry-after")), (409, Some("5")), "{answer:?}");
    }
    gate.open();
    assert_eq!(upstream.count(), 2);
    envoy.assert_no_trap().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_the_same_delivery_at_once_on_four_workers_exactly_one_reaches_the_upstream() {
    let upstream = Upstream::answering(|_| Answer::ok()).await;
    let gate = Gate::closed();
    let hold = gate.clone();
    let held = Upstream::answering(move |_| Answer::ok().after(&hold)).await;
    // First while the one is not answered, then as fast as they can.
    let envoy = shipped(&held).concurrency(4).start().await;
    let port = envoy.port();
    let burst = |port: u16, request: &Request| {
        let mut all = JoinSet::new();
        for number in 0..50 {
            let request = request.clone();
            all.spawn(async move {
                match number % 2 {
                    0 => request.send(port).await.status,
                    _ => request.send_http2(port).await.status,
                }
            });
        }
        all
    };
    let mut waiting = burst(port, &github(GITHUB_SECRET, "at once"));
    envoy.await_stat("wasmcustom.sluice.webhook-hmac.refusals_total.github.in_flight", 49).await;
    held.await_count(1).await;
    gate.open();
    let mut statuses = Vec::new();
    while let Some(status) = waiting.join_next().await {
        statuses.push(status.unwrap());
    }
    statuses.sort_unstable();
    assert_eq!((statuses[0], statuses[1], statuses[49]), (200, 409, 409), "{statuses:?}");
    assert_eq!(held.count(), 1);

    let envoy_of_many = shipped(&upstream).concurrency(4).start().await;
    for round in 1..=20 {
        let mut all = burst(envoy_of_many.port(), &github(GITHUB_SECRET, format!("round {round}")));
        let mut accepted = 0;
        while let Some(status) = all.join_next().await {
            let status = status.unwrap();
            assert!([200, 409].contains(&status), "{status}");
            accepted += usize::from(status == 200);
        }
        assert_eq!((accepted, upstream.count()), (1, round));
    }
    assert_eq!(counted(&envoy_of_many, "decisions_total.github.verified").await, 20);
    assert_eq!(counted(&envoy_of_many, "contentions_total.github").await, 0);
    envoy.assert_no_trap().await;
    envoy_of_many.assert_no_trap().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_update_keeps_what_came_before() {
    let upstream = Upstream::start().await;
    let mut envoy = shipped(&upstream).concurrency(2).start().await;
    let known = [github(GITHUB_SECRET, "known"), billing(BILLING_SECRET, now(), "inv-1", "known")];
    for request in &known {
        assert_eq!(status(&envoy, 1, request).await, 200);
    }
    let more = |tree: &mut Value| {
        let mut another = endpoint(tree, "github").clone();
        another["name"] = json!("another");
        another["match"] = json!({"path": {"exact": "/webhooks/another"}});
        super::settings(tree)["endpoints"].as_array_mut().unwrap().insert(0, another);
        endpoint(tree, "billing")["secrets"] = json!([{"env": "BILLING_SECRET"}]);
        // A delivery is known by what is signed, and not by the key that stands first.
        endpoint(tree, "github")["secrets"] = json!([{"env": "STRIPE_SECRET"}, {"env": "GITHUB_SECRET"}]);
    };
    envoy.update_with(more).await;
    for _ in 0..4 {
        for http in [1, 2] {
            assert_eq!(status(&envoy, http, &known[0]).await, 409);
            assert_eq!(status(&envoy, http, &known[1]).await, 200, "acknowledged");
        }
    }
    assert_eq!(upstream.count(), 2);
    // Endpoints have their own: what came to one is new to another.
    let request = Request::post("/webhooks/another", "known");
    let signature = format!("sha256={}", super::delivery::hex_mac(GITHUB_SECRET.as_bytes(), b"known"));
    let request = request.header("x-hub-signature-256", signature);
    assert_eq!((status(&envoy, 1, &request).await, status(&envoy, 1, &request).await), (200, 409));
    assert_eq!(status(&envoy, 1, &billing(OLD_BILLING_SECRET, now(), "inv-2", "a")).await, 401, "it is over");
    envoy.assert_no_trap().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_answered_during_an_update_is_known_afterwards() {
    let gate = Gate::closed();
    let hold = gate.clone();
    let upstream = Upstream::answering(move |_| Answer::ok().after(&hold)).await;
    let mut envoy = shipped(&upstream).drain_seconds(20).start().await;
    let request = github(GITHUB_SECRET, "meanwhile");
    let mut first = Http1::connect(envoy.port()).await;
    first.send(&request.wire()).await;
    upstream.await_count(1).await;
    envoy.update_with(|tree| endpoint(tree, "github")["status"] = json!(403)).await;
    let answer = send(&envoy, 2, &request).await;
    assert_eq!((answer.status, answer.header("retry-after")), (409, Some("5")), "{answer:?}");
    gate.open();
    assert_eq!(first.read_response().await.status, 200);
    let answer = send(&envoy, 2, &request).await;
    assert_eq!((answer.status, answer.header("retry-after")), (409, None), "{answer:?}");
    assert_eq!(status(&envoy, 1, &github(STRIPE_SECRET, "x")).await, 403);
    assert_eq!(upstream.count(), 1);
    envoy.assert_no_trap().await;
}
