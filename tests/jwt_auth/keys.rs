//! Keys that are fetched: late, rotated, broken, gone and back; once for all, and seldom for strangers.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Instant;
use std::{fs, process};

use serde_json::{Value, json};
use tests::{Answer, Deadline, Envoy, Http2, Request, Running, Upstream, load};
use tokens::{Algorithm, Key, Signer, demo, forge, jwk, jwks};
use tokio::task::JoinSet;

use super::{demo_keys, send, set, settings, shipped, status, token, token_of, with_token};

const ACTIVE: &str = "http.ingress.downstream_rq_active";
const SUCCEEDED: &str = "wasmcustom.sluice.jwt-auth.jwks_fetches_total.corp.succeeded";
const FAILED: &str = "wasmcustom.sluice.jwt-auth.jwks_fetches_total.corp.failed";

/// Sets members of the provider's `keys`.
fn keys(envoy: Envoy, members: Value) -> Envoy {
    envoy.edit(|tree| set(&mut settings(tree)["providers"][0]["keys"], members))
}

/// Sets how long requests wait for keys.
fn wait_for_keys(envoy: Envoy, time: &str) -> Envoy {
    envoy.edit(|tree| settings(tree)["wait_for_keys"] = json!(time))
}

/// Returns the signer of a second key.
fn next() -> Signer {
    Signer::with(Key::p256_next(), Algorithm::Es256).key_id("demo-2")
}

/// Returns a key set with the second key alone.
fn next_keys() -> String {
    jwks([jwk(&Key::p256_next(), "demo-2")])
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn requests_that_come_before_the_keys_wait_for_them_with_their_bodies() {
    let (upstream, jwks) = (Upstream::start().await, demo_keys().await);
    let gate = jwks.hold();
    let envoy = wait_for_keys(shipped(&upstream, &jwks), "9s").upstream_http2().start().await;
    let authorization = format!("Bearer {}", token());
    let post = |path: &str| Request::new("POST", path).header("authorization", &authorization);
    let mut waiting = JoinSet::new();
    for (path, request) in [
        ("/get", with_token("/get", &token())),
        ("/length", Request::post("/length", "abcd").header("authorization", &authorization)),
        ("/pieces", post("/pieces").chunks(["a", "b", "cd"])),
        ("/trailers", post("/trailers").chunks(["ab", "cd"]).trailer("x-sum", "4")),
        ("/empty", post("/empty").chunks([""; 0]).trailer("x-sum", "0")),
        ("/forged", with_token("/forged", &forge::other_key(&demo::signer(), &super::payload(json!({}))))),
    ] {
        for http in [1, 2] {
            let (port, request) = (envoy.port(), request.clone());
            waiting.spawn(async move {
                let response = match http {
                    1 => request.send(port).await,
                    _ => request.send_http2(port).await,
                };
                (path, response.status)
            });
        }
    }
    let client = Http2::connect(envoy.port()).await;
    let mut slow = client.open(&post("/slow")).await;
    slow.data("one ");
    envoy.await_stat(ACTIVE, 13).await;
    slow.data("two ");
    // Who needs no keys doesn't wait for any; the same worker has read what came before.
    assert_eq!(client.send(&Request::get("/healthz")).await.status, 200);
    assert_eq!(upstream.count(), 1);

    gate.open();
    while let Some(answered) = waiting.join_next().await {
        let (path, status) = answered.unwrap();
        assert_eq!(status, if path == "/forged" { 401 } else { 200 }, "{path}");
    }
    upstream.await_count(12).await;
    slow.data("three");
    slow.end();
    assert_eq!(slow.response().await.unwrap().status, 200);
    assert_eq!(upstream.count(), 12, "each once");
    for seen in &upstream.seen()[1..] {
        let (body, sum) = match seen.path.as_str() {
            "/get" => ("", None),
            "/empty" => ("", Some("0")),
            "/trailers" => ("abcd", Some("4")),
            "/slow" => ("one two three", None),
            _ => ("abcd", None),
        };
        assert_eq!(String::from_utf8_lossy(&seen.body), body, "{seen:?}");
        // Envoy takes no trailers over HTTP/1 unless it is told to.
        let arrived = seen.trailers.first().map(|(_, value)| String::from_utf8_lossy(value).into_owned());
        assert!(arrived.is_none() || arrived.as_deref() == sum, "{seen:?}");
        assert_eq!(seen.header("x-user"), Some("alice"));
    }
    let with_trailers = upstream.seen().iter().filter(|seen| !seen.trailers.is_empty()).count();
    assert!(2 <= with_trailers, "those that came over HTTP/2");
    assert_eq!(jwks.fetches(), 1, "one fetch for all of them");
    envoy.assert_no_trap().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_large_body_whose_request_waits_for_keys_arrives_whole() {
    let (upstream, jwks) = (Upstream::start().await, demo_keys().await);
    let gate = jwks.hold();
    let envoy = wait_for_keys(shipped(&upstream, &jwks), "9s").start().await;
    // More than Envoy keeps of a request, which is 1 MiB.
    let body: Vec<u8> = (0..3 << 20).map(|n: u32| n.to_le_bytes()[2] ^ n.to_le_bytes()[0]).collect();
    let authorization = format!("Bearer {}", token());
    let pieces: Vec<_> = body.chunks(10_000).collect();
    let requests = [
        Request::post("/length", &body).header("authorization", &authorization),
        Request::new("POST", "/pieces").header("authorization", &authorization).chunks(&pieces),
    ];
    let mut waiting = JoinSet::new();
    for request in requests {
        for http in [1, 2] {
            let (port, request) = (envoy.port(), request.clone());
            waiting.spawn(async move {
                match http {
                    1 => request.send(port).await.status,
                    _ => request.send_http2(port).await.status,
                }
            });
        }
    }
    envoy.await_stat(ACTIVE, 4).await;
    gate.open();
    while let Some(status) = waiting.join_next().await {
        assert_eq!(status.unwrap(), 200);
    }
    assert_eq!(upstream.count(), 4);
    assert!(upstream.seen().iter().all(|seen| seen.body == body));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn more_requests_than_may_wait_are_refused_at_once_and_the_others_pass_together() {
    let (upstream, jwks) = (Upstream::start().await, demo_keys().await);
    let gate = jwks.hold();
    // Envoy itself answers what goes on: no upstream's limits are in the way.
    let envoy = wait_for_keys(shipped(&upstream, &jwks), "9s").edit(answer_directly).start().await;
    let good = token();
    let waiting = flood(&envoy, 1_100, |_| good.clone()).await;
    envoy.await_stat("wasmcustom.sluice.jwt-auth.refusals_total.no_keys", 100).await;
    gate.open();
    assert_eq!(statuses(waiting).await, BTreeMap::from([(200, 1_000), (503, 100)]));
    envoy.assert_no_trap().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_flood_of_unknown_keys_that_waits_for_a_fetch_is_refused_together_without_a_trap() {
    let (upstream, jwks) = (Upstream::start().await, demo_keys().await);
    let envoy = wait_for_keys(shipped(&upstream, &jwks), "9s").start().await;
    assert_eq!(status(&envoy, "/", &token()).await, 200);
    let gate = jwks.hold();
    let token = token();
    let waiting = flood(&envoy, 900, |n| stranger(&token, n)).await;
    envoy.await_stat(ACTIVE, 900).await;
    // Others don't notice.
    assert_eq!(status(&envoy, "/", &token).await, 200);
    gate.open();
    assert_eq!(statuses(waiting).await, BTreeMap::from([(401, 900)]));
    assert_eq!((upstream.count(), jwks.fetches()), (2, 2));
    envoy.assert_no_trap().await;
}

/// Sends so many requests at once, a hundred on each connection.
async fn flood(envoy: &Running, count: usize, token: impl Fn(usize) -> String) -> JoinSet<u16> {
    let mut waiting = JoinSet::new();
    for first in (0..count).step_by(100) {
        let client = Arc::new(Http2::connect(envoy.port()).await);
        for number in first..first + 100 {
            let (client, request) = (Arc::clone(&client), with_token("/", &token(number)));
            waiting.spawn(async move { client.send(&request).await.status });
        }
    }
    waiting
}

/// Waits for all answers, and counts them by status.
async fn statuses(mut waiting: JoinSet<u16>) -> BTreeMap<u16, usize> {
    let mut counts = BTreeMap::new();
    while let Some(status) = waiting.join_next().await {
        *counts.entry(status.unwrap()).or_default() += 1;
    }
    counts
}

/// Has Envoy itself answer whatever goes on.
fn answer_directly(tree: &mut Value) {
    let manager = &mut tree["static_resources"]["listeners"][0]["filter_chains"][0]["filters"][0];
    manager["typed_config"]["route_config"]["virtual_hosts"][0]["routes"] =
        json!([{"match": {"prefix": "/"}, "direct_response": {"status": 200}}]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_waits_in_vain_is_told_when_to_come_back() {
    let (upstream, jwks) = (Upstream::start().await, demo_keys().await);
    let gate = jwks.hold();
    let envoy = wait_for_keys(shipped(&upstream, &jwks), "150ms").start().await;
    for http in [1, 2] {
        let refused = send(&envoy, http, &with_token("/", &token())).await;
        assert_eq!((refused.status, refused.header("retry-after")), (503, Some("5")), "{refused:?}");
        assert_eq!(refused.header("content-type"), Some("application/problem+json"));
        assert_eq!(refused.header("www-authenticate"), None, "another token would change nothing");
    }
    let call = Request::grpc("/s/M", "x").header("authorization", format!("Bearer {}", token()));
    assert_eq!(call.send_http2(envoy.port()).await.grpc_status(), Some(14));
    assert_eq!(status(&envoy, "/", "not.a.token").await, 401, "no key would make that good");
    assert_eq!(upstream.count(), 0);
    assert_eq!(envoy.stat("wasmcustom.sluice.jwt-auth.refusals_total.no_keys").await, 3);
    gate.open();
    envoy.await_stat(SUCCEEDED, 1).await;
    assert_eq!(status(&envoy, "/", &token()).await, 200);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_client_that_leaves_while_it_waits_for_keys_is_forgotten() {
    let (upstream, jwks) = (Upstream::start().await, demo_keys().await);
    let gate = jwks.hold();
    let envoy = wait_for_keys(shipped(&upstream, &jwks), "9s").start().await;
    let client = Http2::connect(envoy.port()).await;
    for _ in 0..5 {
        client.open(&with_token("/left", &token())).await.reset();
    }
    let stays = with_token("/stays", &token());
    let (answer, ()) = tokio::join!(client.send(&stays), async {
        envoy.await_stat("http.ingress.downstream_rq_rx_reset", 5).await;
        envoy.await_stat(ACTIVE, 1).await;
        gate.open();
    });
    assert_eq!(answer.status, 200);
    assert_eq!(upstream.only().path, "/stays");
    envoy.assert_no_trap().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_new_key_is_fetched_when_a_token_names_it_and_the_old_one_counts_no_more() {
    let (upstream, jwks) = (Upstream::start().await, demo_keys().await);
    let envoy = shipped(&upstream, &jwks).start().await;
    let (old, new) = (token(), token_of(&next()));
    assert_eq!(status(&envoy, "/", &old).await, 200);
    jwks.serve(&next_keys());
    assert_eq!(status(&envoy, "/", &old).await, 200, "nobody knows yet");
    assert_eq!(status(&envoy, "/", &new).await, 200);
    assert_eq!(status(&envoy, "/", &old).await, 401);
    assert_eq!(status(&envoy, "/", &new).await, 200);
    assert_eq!(jwks.fetches(), 2, "the old key was asked for within the interval");
    envoy.assert_no_trap().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_new_key_that_one_worker_has_fetched_is_there_for_the_others_without_a_fetch() {
    let (upstream, jwks) = (Upstream::start().await, demo_keys().await);
    let envoy = shipped(&upstream, &jwks).concurrency(4).start().await;
    assert_eq!(status(&envoy, "/", &token()).await, 200);
    jwks.serve(&next_keys());
    let wire = with_token("/", &token_of(&next())).wire();
    let answers = load(envoy.port(), 32, 4, move |_, _| wire.clone()).await;
    assert_eq!(answers.into_iter().collect::<Vec<_>>(), [(200, 128)]);
    assert_eq!(jwks.fetches(), 2);
    envoy.assert_no_trap().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn keys_are_fetched_again_when_the_issuer_says_and_what_they_verified_before_counts_no_more() {
    let (upstream, keys_server) = (Upstream::start().await, demo_keys().await);
    keys_server.cache_control("max-age=1");
    let envoy = keys(shipped(&upstream, &keys_server), json!({"min_refresh": "1s"}));
    let envoy = envoy.concurrency(2).start().await;
    assert_eq!(status(&envoy, "/", &token()).await, 200);
    // The same name for another key: nobody asks for that.
    keys_server.serve(&jwks([jwk(&Key::p256_next(), "demo-1")]));
    envoy.await_stat(SUCCEEDED, 2).await;
    let renamed = token_of(&Signer::with(Key::p256_next(), Algorithm::Es256).key_id("demo-1"));
    // The other worker looks at what was fetched a moment later.
    let deadline = Deadline::new("both workers to have the new key");
    let mut in_a_row = 0;
    while in_a_row < 20 {
        let both = (status(&envoy, "/", &token()).await, status(&envoy, "/", &renamed).await);
        in_a_row = if both == (401, 200) { in_a_row + 1 } else { 0 };
        if in_a_row == 0 {
            deadline.look_again(|| format!("{both:?}")).await;
        }
    }
    // Fetched again and again; the same document is the same set.
    envoy.await_stat("wasmcustom.sluice.jwt-auth.jwks_fetches_total.corp.unchanged", 1).await;
    assert_eq!(status(&envoy, "/", &renamed).await, 200);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn while_the_issuer_fails_in_any_way_the_old_keys_serve() {
    let (upstream, mut server) = (Upstream::start().await, demo_keys().await);
    server.cache_control("max-age=0");
    let times = json!({"min_refresh": "1s", "retry": "100ms", "timeout": "100ms", "max_size": "64KiB"});
    let envoy = keys(shipped(&upstream, &server), times).start().await;
    assert_eq!(status(&envoy, "/", &token()).await, 200);
    let slow = server.hold();
    fails_twice(&envoy, "slow").await;
    assert_eq!(status(&envoy, "/", &token()).await, 200);
    slow.open();
    for way in ["500", "404", "a redirect", "garbage", "huge", "no keys", "a secret", "broken"] {
        match way {
            "500" => server.fail(500),
            "404" => server.fail(404),
            "a redirect" => server.redirect("/.well-known/other.json"),
            "garbage" => server.garbage(),
            "huge" => server.huge(&next_keys(), 1),
            "no keys" => server.serve(r#"{"keys": []}"#),
            "a secret" => server.serve(r#"{"keys": [{"kty": "oct", "k": "AAAA", "kid": "demo-2"}]}"#),
            _ => server.abort(),
        }
        // One may have been under way.
        fails_twice(&envoy, way).await;
        assert_eq!(status(&envoy, "/", &token()).await, 200, "{way}");
        assert_eq!(status(&envoy, "/", &token_of(&next())).await, 401, "{way}");
    }
    server.gone().await;
    fails_twice(&envoy, "gone").await;
    assert_eq!(status(&envoy, "/", &token()).await, 200);
    server.serve(&next_keys());
    server.back().await;
    envoy.await_stat(SUCCEEDED, 2).await;
    assert_eq!(status(&envoy, "/", &token_of(&next())).await, 200);
    assert_eq!(status(&envoy, "/", &token()).await, 401);
    envoy.assert_no_trap().await;
}

async fn fails_twice(envoy: &Running, way: &str) {
    let before = envoy.stat(FAILED).await;
    let deadline = Deadline::new(format!("two failures, {way}"));
    while envoy.stat(FAILED).await < before + 2 {
        deadline.look_again(|| envoy.log()).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_a_first_set_requests_are_refused_until_the_issuer_is_there() {
    let (upstream, mut server) = (Upstream::start().await, demo_keys().await);
    server.gone().await;
    let envoy = keys(shipped(&upstream, &server), json!({"retry": "100ms", "min_refresh": "1s"}));
    let envoy = wait_for_keys(envoy, "50ms").concurrency(2).start().await;
    let refused = with_token("/", &token()).send(envoy.port()).await;
    assert_eq!((refused.status, refused.header("retry-after")), (503, Some("5")), "{refused:?}");
    server.fail(500);
    server.back().await;
    server.await_fetches(1).await;
    assert_eq!(status(&envoy, "/", &token()).await, 503);
    server.serve(&demo::key_set());
    let deadline = Deadline::new("keys");
    while status(&envoy, "/", &token()).await != 200 {
        deadline.look_again(|| envoy.log()).await;
    }
    envoy.assert_no_trap().await;
}

/// Returns a token that names a key which nobody has.
fn stranger(token: &str, number: usize) -> String {
    let key_id = format!("{:016x}", (number as u64 + 1).wrapping_mul(0x9E37_79B9_7F4A_7C15));
    forge::with_header(token, &json!({"alg": "ES256", "kid": key_id}).to_string())
}

/// Returns requests with such tokens.
fn strangers(count: usize) -> Vec<Vec<u8>> {
    let token = token();
    (0..count).map(|number| with_token("/", &stranger(&token, number)).wire()).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_thousand_unknown_keys_cause_one_fetch_in_the_interval() {
    let (upstream, jwks) = (Upstream::start().await, demo_keys().await);
    let envoy = keys(shipped(&upstream, &jwks), json!({"unknown_kid_interval": "1h"}));
    let envoy = envoy.concurrency(2).start().await;
    assert_eq!(status(&envoy, "/", &token()).await, 200);
    assert_eq!(jwks.fetches(), 1);
    let requests = strangers(1_000);
    let answers =
        load(envoy.port(), 8, 125, move |connection, n| requests[connection * 125 + n].clone()).await;
    assert_eq!(answers.into_iter().collect::<Vec<_>>(), [(401, 1_000)]);
    assert_eq!(jwks.fetches(), 2, "the first, and one for all of them");
    assert_eq!(status(&envoy, "/", &token()).await, 200);
    assert_eq!(upstream.count(), 2);
    envoy.assert_no_trap().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn unknown_keys_cause_no_more_fetches_than_the_interval_allows_and_a_real_one_is_found_in_time() {
    let (upstream, jwks) = (Upstream::start().await, demo_keys().await);
    let envoy = keys(shipped(&upstream, &jwks), json!({"unknown_kid_interval": "1s"}));
    let envoy = envoy.concurrency(2).start().await;
    assert_eq!(status(&envoy, "/", &token()).await, 200);
    let start = Instant::now();
    let deadline = Deadline::new("three fetches because of unknown keys");
    while jwks.fetches() < 4 {
        let requests = strangers(200);
        let answers = load(envoy.port(), 4, 50, move |connection, n| requests[connection * 50 + n].clone());
        assert_eq!(answers.await.into_iter().collect::<Vec<_>>(), [(401, 200)]);
        deadline.look_again(|| format!("{} fetches", jwks.fetches())).await;
    }
    jwks.serve(&next_keys());
    let deadline = Deadline::new("the new key");
    while status(&envoy, "/", &token_of(&next())).await != 200 {
        deadline.look_again(|| format!("{} fetches", jwks.fetches())).await;
    }
    let allowed = 2 + usize::try_from(start.elapsed().as_secs()).unwrap();
    assert!(jwks.fetches() <= allowed, "{} fetches, {allowed} allowed", jwks.fetches());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn four_workers_fetch_once_and_all_of_them_have_the_keys() {
    let (upstream, jwks) = (Upstream::start().await, demo_keys().await);
    let gate = jwks.hold();
    let envoy = wait_for_keys(shipped(&upstream, &jwks), "9s").concurrency(4).start().await;
    let mut waiting = JoinSet::new();
    let connections = 32;
    for _ in 0..connections {
        let (port, request) = (envoy.port(), with_token("/", &token()));
        waiting.spawn(async move { request.send(port).await.status });
    }
    envoy.await_stat(ACTIVE, connections).await;
    gate.open();
    while let Some(status) = waiting.join_next().await {
        assert_eq!(status.unwrap(), 200);
    }
    let deadline = Deadline::new("a connection on each of the workers");
    loop {
        let workers = envoy.stats_matching(r"worker_\d\.downstream_cx_total$").await;
        let workers: Vec<_> = workers.iter().filter(|(name, _)| name.starts_with("listener.127")).collect();
        if workers.len() == 4 && workers.iter().all(|(_, count)| 0 < **count) {
            break;
        }
        assert_eq!(status(&envoy, "/", &token()).await, 200);
        deadline.look_again(|| format!("{workers:?}")).await;
    }
    assert_eq!(jwks.fetches(), 1);
    envoy.assert_no_trap().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_cluster_that_comes_later_is_tried_until_it_is_there() {
    let (upstream, jwks) = (Upstream::start().await, demo_keys().await);
    let watched = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(format!("issuers-{}.json", process::id()));
    let offer = |clusters: Value| {
        let draft = watched.with_extension("draft");
        fs::write(&draft, json!({"resources": clusters}).to_string()).expect("a writable folder");
        fs::rename(draft, &watched).expect("a writable folder");
    };
    offer(json!([]));
    let envoy = keys(shipped(&upstream, &jwks), json!({"cluster": "later", "retry": "100ms"})).edit(|tree| {
        tree["dynamic_resources"]["cds_config"] =
            json!({"resource_api_version": "V3", "path_config_source": {"path": watched}});
    });
    let envoy = wait_for_keys(envoy, "50ms").start().await;
    envoy.await_stat(FAILED, 3).await;
    assert!(envoy.log().contains("the cluster later: there is no such cluster"), "{}", envoy.log());
    assert_eq!(status(&envoy, "/", &token()).await, 503);
    let address = json!({"socket_address": {"address": "127.0.0.1", "port_value": jwks.port()}});
    offer(json!([{
        "@type": "type.googleapis.com/envoy.config.cluster.v3.Cluster",
        "name": "later",
        "type": "STATIC",
        "load_assignment": {
            "cluster_name": "later",
            "endpoints": [{"lb_endpoints": [{"endpoint": {"address": address}}]}],
        },
    }]));
    envoy.await_stat(SUCCEEDED, 1).await;
    assert_eq!(status(&envoy, "/", &token()).await, 200);
    envoy.assert_no_trap().await;
    drop(fs::remove_file(&watched));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_issuer_that_breaks_off_in_the_middle_of_the_keys_is_asked_again() {
    let (upstream, jwks) = (Upstream::start().await, demo_keys().await);
    jwks.answer(Answer::status(200).body(&demo::key_set()[..40]).then_abort());
    let envoy = keys(shipped(&upstream, &jwks), json!({"retry": "100ms"})).start().await;
    envoy.await_stat(FAILED, 1).await;
    jwks.serve(&demo::key_set());
    envoy.await_stat(SUCCEEDED, 1).await;
    assert_eq!(status(&envoy, "/", &token()).await, 200);
}
