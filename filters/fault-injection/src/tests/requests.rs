//! What becomes of requests.

use std::time::Duration;

use expect_test::expect;
use kit::chain::Verdict;
use kit::testing::Bench;
#[cfg(target_arch = "wasm32")]
use wasm_bindgen_test::wasm_bindgen_test as test;

use super::{active, bench, experiment};
use crate::KIND;

#[test]
fn a_delayed_request_is_held_for_as_long_as_the_dice_say_and_then_goes_on() {
    let bench = bench(&experiment(r#""request": {"delay": {"uniform": {"min": "100ms", "max": "300ms"}}}"#));
    bench.world.fix_draw(1 << 63);
    let mut sent = bench.send(b"POST /", false);
    expect![[r#"
        tag sluice.fault-injection.experiment=x
        tag sluice.fault-injection.outcome=injected
        tag sluice.fault-injection.fault=delay=200ms
        count fault-injection.decisions_total.x.injected
        add 1 fault-injection.active.x
        wake filter
        pause back
    "#]]
    .assert_eq(&sent.text());
    bench.world.pass(Duration::from_millis(199));
    assert_eq!(sent.wake().verdict, Verdict::PauseBack);
    bench.world.pass(Duration::from_millis(1));
    assert_eq!(sent.wake().verdict, Verdict::Continue);
    assert_eq!(
        sent.respond("200").response_header("x-sluice-fault-injected").as_deref(),
        Some("x;delay=200ms")
    );
    assert_eq!(active(&bench), 1);
    sent.end();
    assert_eq!(active(&bench), 0);
}

#[test]
fn a_client_that_leaves_while_it_is_held_is_forgotten() {
    let bench = bench(&experiment(r#""max_active": 1, "request": {"delay": {"fixed": "1s"}}"#));
    let mut sent = bench.request("GET /");
    assert_eq!(bench.request("GET /").verdict, Verdict::Continue, "there is room for one");
    sent.end();
    assert_eq!((active(&bench), sent.next_wake().is_some()), (0, false));
    assert_eq!(bench.request("GET /").verdict, Verdict::PauseBack);
}

#[test]
fn somebody_else_may_answer_what_is_held() {
    let bench = bench(&experiment(r#""request": {"delay": {"fixed": "1s"}, "abort": {"status": 503}}"#));
    let mut sent = bench.request("GET /");
    sent.respond_from("request_timeout", "408");
    assert_eq!((&sent.verdict, sent.next_wake()), (&Verdict::Continue, None));
    sent.end();
    assert_eq!(active(&bench), 0);
}

#[test]
fn an_abort_is_what_it_says_filled_from_the_request_and_stamped() {
    let config = experiment(
        r#""request": {"abort": {"status": 502, "headers": [{"name": "Retry-After", "value": "7"}],
            "content_type": "application/json",
            "body": "{\"experiment\": \"{experiment}\", \"path\": \"{path}\", \"id\": \"{request_id}\"}"}}"#,
    );
    let bench = bench(&config);
    let mut sent = bench.request("GET /a\"<b>?x=1&y\nx-request-id: 7-8");
    sent.text();
    let mut sent = bench.request("GET /a\"<b>?x=1&y\nx-request-id: 7-8");
    expect![[r#"
        tag sluice.fault-injection.experiment=x
        tag sluice.fault-injection.outcome=injected
        tag sluice.fault-injection.fault=abort=502
        count fault-injection.decisions_total.x.injected
        add 1 fault-injection.active.x
        502 sluice_fault_injection_abort
          content-type: application/json
          cache-control: no-store
          retry-after: 7
          x-sluice-fault-injected: x;abort=502
          {"experiment": "x", "path": "/a%22%3Cb%3E?x=1%26y", "id": "7-8"}
    "#]]
    .assert_eq(&sent.text());
    // It goes back through the filter, which has nothing to add.
    sent.respond_from("sluice_fault_injection_abort", "502");
    assert_eq!(sent.text(), "continue\n");
}

#[test]
fn an_abort_has_one_type_of_body_wherever_it_is_said() {
    for fields in [
        r#""headers": [{"name": "Content-Type", "value": "application/json"}]"#,
        r#""content_type": "application/json""#,
    ] {
        let bench = bench(&experiment(&format!(r#""request": {{"abort": {{"status": 503, {fields}}}}}"#)));
        let text = bench.request("GET /").text();
        assert_eq!(text.matches("content-type").count(), 1, "{text}");
        assert!(text.contains("\n  content-type: application/json\n"), "{text}");
    }
    let empty = bench(&experiment(
        r#""request": {"abort": {"status": 204, "headers": [{"name": "content-type", "value": "a/b"}]}}"#,
    ));
    assert!(!empty.request("GET /").text().contains("content-type"), "there is no body");
}

#[test]
fn an_abort_that_says_something_twice_is_refused() {
    for (fields, problem) in [
        (
            r#""content_type": "a/b", "headers": [{"name": "Content-Type", "value": "c/d"}]"#,
            "headers: has a `content-type`, and the abort another one",
        ),
        (
            r#""headers": [{"name": "content-type", "value": "a/b"}, {"name": "content-type", "value": "a/b"}]"#,
            "headers: has a `content-type`, and the abort another one",
        ),
        (r#""headers": [{"name": "grpc-status", "value": "0"}]"#, "headers: has the status of gRPC"),
        (r#""headers": [{"name": "Grpc-Message", "value": "a"}]"#, "headers: has the status of gRPC"),
    ] {
        let config = experiment(&format!(r#""request": {{"abort": {{"status": 503, {fields}}}}}"#));
        let refused = Bench::new(&KIND, &config).err().unwrap_or_default();
        assert!(refused.contains(problem), "{fields}: {refused}");
    }
}

#[test]
fn each_kind_of_client_gets_its_own_kind_of_status() {
    let grpc = "POST /\ncontent-type: application/grpc";
    for (abort, http, code) in [
        (r#""status": 503"#, "503", 14),
        (r#""status": 429"#, "429", 14),
        (r#""status": 404"#, "404", 12),
        (r#""status": 200"#, "200", 2),
        (r#""grpc_status": "UNAVAILABLE", "message": "later""#, "503", 14),
        (r#""grpc_status": "RESOURCE_EXHAUSTED""#, "429", 8),
        (r#""status": 418, "grpc_status": "ABORTED""#, "418", 10),
    ] {
        let bench = bench(&experiment(&format!(r#""request": {{"abort": {{{abort}}}}}"#)));
        assert!(
            bench.request("GET /").text().contains(&format!("\n{http} sluice_fault_injection_abort")),
            "{abort}"
        );
        let text = bench.request(grpc).text();
        assert!(text.contains(&format!("\ngrpc {code} sluice_fault_injection_abort")), "{abort}: {text}");
    }
    let empty = bench(&experiment(r#""request": {"abort": {"status": 204, "body": "x"}}"#));
    assert!(empty.request("GET /").text().ends_with("x-sluice-fault-injected: x;abort=204\n  \n"));
}

#[test]
fn a_request_is_answered_or_broken_off_after_its_delay() {
    let late =
        |end: &str| bench(&experiment(&format!(r#""request": {{"delay": {{"fixed": "1s"}}, {end}}}"#)));
    let bench = late(r#""abort": {"status": 503}"#);
    let mut sent = bench.request("GET /");
    assert_eq!(sent.verdict, Verdict::PauseBack);
    bench.world.pass(Duration::from_secs(1));
    assert_eq!(sent.wake().refused(), Some(503));
    assert_eq!(sent.reply_header("x-sluice-fault-injected").as_deref(), Some("x;delay=1000ms;abort=503"));
    let bench = late(r#""reset": true"#);
    let mut sent = bench.request("GET /");
    bench.world.pass(Duration::from_secs(1));
    assert_eq!(sent.wake().verdict, Verdict::Reset);
    assert_eq!(
        self::bench(&experiment(r#""request": {"reset": true}"#)).request("GET /").verdict,
        Verdict::Reset
    );
}

#[test]
fn the_stamp_has_another_name_or_none() {
    let config = |stamp: &str| {
        let fields =
            r#""experiments": [{"name": "x", "percent": "100%", "request": {"abort": {"status": 503}}}]"#;
        format!(r#"{{"stamp": {stamp}, {fields}}}"#)
    };
    assert!(bench(&config(r#""x-chaos""#)).request("GET /").text().contains("x-chaos: x;abort=503"));
    for off in [r#""off""#, "false"] {
        assert!(!bench(&config(off)).request("GET /").text().contains("x;abort=503\n  fault"));
        assert_eq!(bench(&config(off)).request("GET /").reply_header("x-sluice-fault-injected"), None);
    }
}

#[test]
fn a_body_behind_a_held_head_waits_in_the_proxy_and_goes_on_whole() {
    let bench = bench(&experiment(r#""request": {"delay": {"fixed": "1s"}}"#));
    let mut sent = bench.send(b"POST /", false);
    assert_eq!(sent.body(b"one ", false).verdict, Verdict::PauseBack);
    assert_eq!(sent.body(b"two", true).verdict, Verdict::PauseBack);
    bench.world.pass(Duration::from_secs(1));
    assert_eq!(sent.wake().verdict, Verdict::Continue);
    assert_eq!(sent.upstream_body(), b"one two");
}
