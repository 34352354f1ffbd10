//! What becomes of responses.

use std::rc::Rc;
use std::time::Duration;

use expect_test::expect;
use kit::chain::Verdict;
use kit::module::Form;
use kit::testing::{Bench, Sent, World};
#[cfg(target_arch = "wasm32")]
use wasm_bindgen_test::wasm_bindgen_test as test;

use super::{active, bench, counts, experiment};
use crate::KIND;

fn with(response: &str) -> Bench {
    bench(&experiment(&format!(r#""response": {{{response}}}"#)))
}

/// A response that has begun.
fn answered(bench: &Bench, text: &str) -> Sent {
    let mut sent = bench.request("GET /");
    sent.respond_headers("via_upstream", text, false);
    sent
}

#[test]
fn a_response_gets_another_status_and_other_headers_and_no_cache_keeps_it() {
    let bench = with(
        r#""status": 500, "headers": {"set": [{"name": "X-Broken", "value": "yes"}], "remove": ["etag"]}"#,
    );
    let mut sent = bench.request("GET /");
    sent.text();
    sent.respond("200\netag: 1\ncache-control: public, max-age=600");
    expect![[r#"
        add Response x-sluice-fault-injected: x;response_status=500;response_headers
        set Response cache-control: no-store
        remove Response cdn-cache-control
        remove Response surrogate-control
        set Response :status: 500
        remove Response etag
        set Response x-broken: yes
        continue
    "#]]
    .assert_eq(&sent.text());
}

#[test]
fn a_cache_that_listens_to_a_header_of_its_own_is_told_as_well() {
    let bench = with(r#""status": 500"#);
    let mut sent = bench.request("GET /");
    sent.respond("200\ncdn-cache-control: max-age=600\nsurrogate-control: max-age=600");
    assert_eq!(sent.response_header("cache-control").as_deref(), Some("no-store"));
    assert_eq!(
        (sent.response_header("cdn-cache-control"), sent.response_header("surrogate-control")),
        (None, None)
    );
}

#[test]
fn what_the_proxy_or_a_filter_behind_answers_is_left_as_it_is() {
    let bench = with(
        r#""delay": {"fixed": "1s"}, "status": 500, "body": {"replace": "x"}, "throttle": 1, "empty_trailers": true"#,
    );
    for details in ["no_healthy_upstream", "direct_response", "request_rate_limited", ""] {
        let mut sent = bench.request("GET /");
        sent.text();
        sent.respond_headers(details, "429\ncontent-length: 4\ncache-control: max-age=9", false);
        expect![[r#"
            tag sluice.fault-injection.experiment=x
            tag sluice.fault-injection.outcome=spared
            tag sluice.fault-injection.fault=
            count fault-injection.decisions_total.x.spared
            continue
        "#]]
        .assert_eq(&sent.text());
        assert_eq!(sent.response_body(b"wait", true).client_body(), b"wait");
        sent.end();
    }
    assert_eq!(counts(&bench), "injected 4, spared 4");
    assert_eq!(active(&bench), 0);
}

#[test]
fn what_happened_before_somebody_else_answered_is_said_and_nothing_more() {
    let both = bench(&experiment(r#""request": {"delay": {"fixed": "1s"}}, "response": {"status": 500}"#));
    let mut sent = both.request("GET /");
    both.world.pass(Duration::from_secs(1));
    sent.wake().text();
    sent.respond_from("no_healthy_upstream", "503");
    expect![[r#"
        tag sluice.fault-injection.experiment=x
        tag sluice.fault-injection.outcome=spared
        tag sluice.fault-injection.fault=delay=1000ms
        count fault-injection.decisions_total.x.spared
        add Response x-sluice-fault-injected: x;delay=1000ms
        continue
    "#]]
    .assert_eq(&sent.text());
    // The delay may be why: whoever reads the answer has to know of it.
    let late = bench(&experiment(r#""request": {"delay": {"fixed": "1s"}, "abort": {"status": 503}}"#));
    let mut sent = late.request("GET /");
    sent.respond_from("stream_idle_timeout", "408");
    assert_eq!(sent.response_header("x-sluice-fault-injected").as_deref(), Some("x;delay=1000ms"));
    let only = bench(&experiment(r#""request": {"delay": {"fixed": "1s"}}"#));
    let mut sent = only.request("GET /");
    sent.respond_from("stream_idle_timeout", "408");
    assert_eq!(sent.response_header("x-sluice-fault-injected").as_deref(), Some("x;delay=1000ms"));
    assert_eq!(counts(&only), "injected 1", "all of it happened");
}

#[test]
fn a_connection_that_becomes_something_else_keeps_its_status() {
    let bench = with(r#""status": 500, "body": {"truncate": 3}"#);
    let mut sent = answered(&bench, "101\nupgrade: websocket");
    assert_eq!(sent.response_header(":status").as_deref(), Some("101"));
    assert_eq!(sent.response_body(b"abcdef", false).client_body(), b"abc");
}

#[test]
fn a_response_is_held_and_then_goes_on() {
    let bench = with(r#""delay": {"fixed": "200ms"}"#);
    let mut sent = answered(&bench, "200\ncache-control: public");
    assert_eq!(sent.verdict, Verdict::PauseBack);
    // Where headers stop alone, the body comes meanwhile.
    assert_eq!(sent.response_body(b"one ", false).verdict, Verdict::PauseBack);
    assert_eq!(sent.response_body(b"two", true).verdict, Verdict::PauseBack);
    bench.world.pass(Duration::from_millis(200));
    assert_eq!(sent.wake().verdict, Verdict::Continue);
    assert_eq!(sent.client_body(), b"one two");
    assert_eq!(sent.response_header("cache-control").as_deref(), Some("public"), "only its time is another");
    assert_eq!(sent.response_header("x-sluice-fault-injected").as_deref(), Some("x;response_delay=200ms"));
    sent.end();
    assert_eq!(active(&bench), 0);
}

#[test]
fn a_body_is_cut_and_its_length_is_honest_or_a_lie() {
    let bench = with(r#""body": {"truncate": 5}"#);
    let mut sent = answered(&bench, "200\ncontent-length: 8");
    assert_eq!(sent.response_header("content-length").as_deref(), Some("5"));
    sent.response_body(b"abc", false).response_body(b"defg", false).response_body(b"h", true);
    assert_eq!(sent.client_body(), b"abcde");
    let mut chunked = answered(&bench, "200");
    chunked.response_body(b"abcdefgh", false).response_trailers();
    assert_eq!(
        (chunked.client_body(), chunked.response_header("content-length")),
        (b"abcde".as_slice(), None)
    );

    let bench = with(r#""body": {"truncate": 5}, "honest_length": false"#);
    let mut sent = answered(&bench, "200\ncontent-length: 8");
    assert_eq!(sent.response_header("content-length").as_deref(), Some("8"));
    assert_eq!(sent.response_body(b"abcdefgh", true).client_body(), b"abcde");
}

#[test]
fn a_body_is_replaced_and_a_lie_is_never_longer_than_it_was_told() {
    let bench = with(r#""body": {"replace": "not what you asked for"}"#);
    let mut sent = answered(&bench, "200\ncontent-length: 8\ncontent-encoding: gzip");
    sent.response_body(b"abcd", false).response_body(b"efgh", true);
    assert_eq!(sent.client_body(), b"not what you asked for");
    assert_eq!(sent.response_header("content-length").as_deref(), Some("22"));
    assert_eq!(sent.response_header("content-encoding"), None);
    let lies = with(r#""body": {"replace": "not what you asked for"}, "honest_length": false"#);
    let mut sent = answered(&lies, "200\ncontent-length: 8");
    assert_eq!(sent.response_body(b"abcdefgh", true).client_body(), b"not what");
    // There is no body to replace.
    assert_eq!(
        bench
            .request("HEAD /")
            .respond("200\ncontent-length: 8")
            .response_header("content-length")
            .as_deref(),
        Some("8")
    );
}

#[test]
fn a_response_without_a_body_promises_none_under_another_status_and_gets_none() {
    // A client would take the next response of the connection for what is promised here.
    let bench = with(r#""status": 500, "body": {"replace": "not what you asked for"}"#);
    let mut sent = bench.request("GET /");
    sent.respond("304\netag: 1\ncontent-length: 1234");
    assert_eq!(sent.response_header(":status").as_deref(), Some("500"));
    assert_eq!(sent.response_header("content-length"), None);
    // The same for what has no body and says so late.
    for (request, response) in
        [("HEAD /", "200\ncontent-length: 8"), ("GET /", "304\ncontent-length: 8"), ("GET /", "204")]
    {
        let mut sent = bench.request(request);
        sent.respond_headers("via_upstream", response, false).response_body(b"", true);
        assert_eq!(sent.client_body(), b"", "{request} {response}");
    }
    let mut sent = bench.request("GET /");
    sent.respond_headers("via_upstream", "200\ncontent-length: 0", false).response_trailers_of("x: y");
    assert_eq!(
        (sent.client_body(), sent.response_header("content-length").as_deref()),
        (&b""[..], Some("0"))
    );
}

#[test]
fn no_name_of_ours_is_one_that_says_where_a_message_ends() {
    for fields in [
        r#""stamp": "content-length""#,
        r#""control": {"token": {"env": "TOKEN"}, "header": "Transfer-Encoding"}"#,
        r#""control": {"token": {"env": "TOKEN"}, "token_header": "connection"}"#,
    ] {
        let config = format!(
            r#"{{{fields}, "experiments": [{{"name": "x", "percent": "1%", "request": {{"reset": true}}}}]}}"#
        );
        let world = Rc::new(World::new());
        world.set_environment("TOKEN", "let me");
        let refused = Bench::within(&world, std::slice::from_ref(&KIND), Form::Single, &config).err();
        assert!(refused.is_some_and(|problems| problems.contains("where a message ends")), "{fields}");
    }
}

#[test]
fn damage_is_the_same_with_a_length_and_without_and_behind_a_delay() {
    let body = [7_u8; 300];
    let mut all = Vec::new();
    for (fields, head) in [
        (r#""body": {"corrupt": {"bytes": 3, "seed": "s"}}"#, "200\ncontent-length: 300"),
        (r#""body": {"corrupt": {"bytes": 3, "seed": "s"}}"#, "200"),
        (
            r#""body": {"corrupt": {"bytes": 3, "seed": "s"}}, "delay": {"fixed": "1s"}"#,
            "200\ncontent-length: 300",
        ),
        (r#""body": {"corrupt": {"bytes": 3, "seed": "s"}}, "delay": {"fixed": "1s"}"#, "200"),
        (
            r#""body": {"corrupt": {"bytes": 3, "seed": "s"}}, "delay": {"fixed": "1s"}"#,
            "200\ntransfer-encoding: chunked",
        ),
        (r#""body": {"corrupt": {"bytes": 3, "seed": "s"}}, "throttle": 300"#, "200"),
    ] {
        let bench = with(fields);
        let mut sent = answered(&bench, head);
        sent.response_body(&body[..100], false).response_body(&body[100..], false);
        sent.response_body(b"", true);
        bench.world.pass(Duration::from_secs(1));
        sent.wake();
        assert_eq!(sent.client_body().len(), 300, "{fields} {head}");
        all.push(sent.client_body().to_vec());
    }
    assert_eq!(all[0].iter().filter(|byte| **byte != 7).count(), 3);
    assert!(all.iter().all(|body| *body == all[0]));
}

#[test]
fn what_waits_for_its_damage_takes_no_room_in_the_proxy() {
    let whole: Vec<u8> = (0..100_u8).cycle().take(90_000).collect();
    let bench = with(r#""body": {"corrupt": {"bytes": 3}}"#);
    let mut bodies = Vec::new();
    for (head, kept) in [
        ("200\ncontent-length: 90000", None),
        ("200\ntransfer-encoding: chunked", Some(0)),
        ("200\nconnection: close", Some(0)),
        // Trailers may end these, and they can't bring what was kept with them.
        ("200", Some(1)),
        ("200\ntransfer-encoding: chunked\ntrailer: x-sum", Some(1)),
    ] {
        let mut sent = answered(&bench, head);
        for piece in whole[..6_000].chunks(2_000) {
            sent.text();
            let verdict = sent.response_body(piece, false).verdict.clone();
            if let Some(kept) = kept {
                assert_eq!(
                    sent.text().lines().next().map(|line| line.len() - "body Response ".len()),
                    Some(kept)
                );
            }
            assert_eq!(verdict, if kept == Some(1) { Verdict::Pause } else { Verdict::Continue }, "{head}");
        }
        sent.response_body(&whole[6_000..], false).response_body(b"", true);
        bodies.push(sent.client_body().to_vec());
    }
    assert_eq!(bodies[0].iter().zip(&whole).filter(|(found, was)| found != was).count(), 3);
    assert!(bodies.iter().all(|body| *body == bodies[0]));
}

#[test]
fn what_was_kept_comes_with_trailers_or_the_response_has_no_end() {
    let bench = with(r#""body": {"corrupt": {}}"#);
    for head in
        ["200", "200\ncontent-type: application/grpc", "200\ntransfer-encoding: chunked\ntrailer: x-sum"]
    {
        let mut sent = answered(&bench, head);
        sent.response_body(b"abc", false).response_body(b"def", false).response_trailers_of("x-sum: 1");
        assert_eq!((&sent.verdict, sent.client_body().len()), (&Verdict::Continue, 6), "{head}");
    }
    let mut sent = answered(&bench, "200\ntransfer-encoding: chunked");
    sent.response_body(b"abc", false).response_trailers_of("x-sum: 1");
    assert_eq!(sent.verdict, Verdict::Reset, "a body without its end would be taken for a whole one");
    let mut sent = answered(&bench, "200\ntransfer-encoding: chunked");
    sent.response_body(&[7; 9_000], false).response_trailers_of("x-sum: 1");
    assert_eq!((&sent.verdict, sent.client_body().len()), (&Verdict::Continue, 9_000), "nothing was kept");
}

#[test]
fn not_one_byte_goes_before_the_rate_lets_it() {
    let bench = with(r#""throttle": 100"#);
    let mut sent = answered(&bench, "200");
    assert_eq!(sent.verdict, Verdict::Continue);
    assert_eq!(sent.response_body(&[1; 50], false).verdict, Verdict::PauseBack);
    bench.world.pass(Duration::from_millis(400));
    assert_eq!(sent.response_body(&[2; 50], false).wake().verdict, Verdict::PauseBack);
    bench.world.pass(Duration::from_millis(599));
    assert_eq!(sent.wake().client_body(), b"");
    bench.world.pass(Duration::from_millis(1));
    assert_eq!(sent.wake().client_body().len(), 100);
    // A pause of the upstream isn't made up for.
    bench.world.pass(Duration::from_secs(10));
    assert_eq!(sent.response_body(&[3; 10], true).verdict, Verdict::PauseBack);
    bench.world.pass(Duration::from_millis(100));
    assert_eq!(sent.wake().client_body().len(), 110);
    sent.end();
    assert_eq!(active(&bench), 0);
}

#[test]
fn trailers_are_emptied() {
    let bench = with(r#""empty_trailers": true"#);
    let mut sent = answered(&bench, "200");
    sent.response_body(b"abc", false).response_trailers_of("grpc-status: 0\nx-sum: 1");
    assert_eq!((sent.response_trailer("grpc-status"), sent.response_trailer("x-sum")), (None, None));
    assert_eq!(sent.client_body(), b"abc");
}
