//! The whole filter: requests as text in, decisions as text out.

#![expect(clippy::arithmetic_side_effects, reason = "the numbers of tests are small")]

use std::rc::Rc;
use std::time::Duration;

use expect_test::{Expect, expect};
use kit::module::Form;
use kit::testing::{Bench, START, Sent, World};
use proptest::prelude::*;
#[cfg(target_arch = "wasm32")]
use wasm_bindgen_test::wasm_bindgen_test as test;

use crate::KIND;

static KINDS: [kit::filter::Kind; 1] = [KIND];

fn bench(config: &str) -> Bench {
    Bench::new(&KINDS[0], config).unwrap()
}

/// One policy of these fields.
fn policy(fields: &str) -> Bench {
    bench(&format!(r#"{{"policies": [{{"name": "api", {fields}}}]}}"#))
}

#[track_caller]
fn check(sent: &mut Sent, expected: Expect) {
    expected.assert_eq(&sent.text());
}

/// Ends a stream after so many attempts.
fn end(sent: &mut Sent, bench: &Bench, attempts: u64) {
    tried(bench, attempts);
    sent.end();
}

/// Has the router say how often it has tried.
fn tried(bench: &Bench, attempts: u64) {
    bench.world.set_property(&["upstream", "request_attempt_count"], &attempts.to_le_bytes());
}

/// Tells how often the router may try a request again; none if it isn't told.
fn retries(sent: &Sent) -> Option<String> {
    sent.request_header("x-envoy-max-retries")
}

#[test]
fn a_policy_becomes_the_words_of_the_router() {
    let bench = policy(
        r#""attempts": 3, "on": ["5xx", "reset", "unavailable", "resource-exhausted"], "status_codes": [409, 503], "header_names": ["x-retry-me"],
           "per_try_timeout": "500ms", "timeout": "2s", "hedge": true, "budget": false"#,
    );
    check(
        &mut bench.request("GET /"),
        expect![[r#"
            count retry-headers.decisions_total.api.retriable
            add Request x-envoy-retry-on: 5xx,reset,retriable-status-codes,retriable-headers
            add Request x-envoy-retry-grpc-on: unavailable,resource-exhausted
            add Request x-envoy-max-retries: 2
            add Request x-envoy-retriable-status-codes: 409,503
            add Request x-envoy-retriable-header-names: x-retry-me
            add Request x-envoy-upstream-rq-per-try-timeout-ms: 500
            add Request x-envoy-hedge-on-per-try-timeout: true
            add Request x-envoy-upstream-rq-timeout-ms: 2000
            add Request x-sluice-retry: 1
            continue
        "#]],
    );
}

#[test]
fn what_could_be_done_twice_is_tried_once_with_all_of_its_time() {
    let bench = policy(r#""attempts": 3, "per_try_timeout": "500ms", "timeout": "2s""#);
    check(
        &mut bench.request("POST /"),
        expect![[r#"
            tag sluice.retry-headers.policy=api
            tag sluice.retry-headers.outcome=once
            tag sluice.retry-headers.reason=unsafe
            count retry-headers.decisions_total.api.unsafe
            add Request x-envoy-max-retries: 0
            add Request x-envoy-upstream-rq-timeout-ms: 2000
            continue
        "#]],
    );
    for (request, allowed) in [
        ("GET /", "2"),
        ("PUT /", "2"),
        ("DELETE /", "2"),
        ("PATCH /", "0"),
        ("get /", "0"),
        ("POST /\nidempotency-key: a", "2"),
        ("POST /\nidempotency-key:", "0"),
        ("POST /\nidempotency-key: a\nidempotency-key: a", "0"),
    ] {
        assert_eq!(retries(&bench.request(request)).as_deref(), Some(allowed), "{request}");
    }
    let anything = policy(r#""attempts": 3, "only_safe": false"#);
    assert_eq!(retries(&anything.request("POST /")).as_deref(), Some("2"));
}

#[test]
fn one_attempt_switches_off_the_retries_of_the_route_too() {
    let bench = policy(r#""attempts": 1"#);
    check(
        &mut bench.request("GET /"),
        expect![[r#"
            count retry-headers.decisions_total.api.once
            add Request x-envoy-max-retries: 0
            continue
        "#]],
    );
}

#[test]
fn nothing_is_tried_again_that_is_tried_again_above() {
    let bench = policy(r#""attempts": 3"#);
    check(
        &mut bench.request("GET /\nx-sluice-retry: 1"),
        expect![[r#"
            tag sluice.retry-headers.policy=api
            tag sluice.retry-headers.outcome=once
            tag sluice.retry-headers.reason=amplification
            count retry-headers.decisions_total.api.amplification
            add Request x-envoy-max-retries: 0
            continue
        "#]],
    );
    // Who says so in another way is passed on in ours.
    check(
        &mut bench.request("GET /\nx-envoy-attempt-count: 2"),
        expect![[r#"
            tag sluice.retry-headers.policy=api
            tag sluice.retry-headers.outcome=once
            tag sluice.retry-headers.reason=amplification
            count retry-headers.decisions_total.api.amplification
            add Request x-envoy-max-retries: 0
            add Request x-sluice-retry: 1
            continue
        "#]],
    );
    assert_eq!(retries(&bench.request("GET /\nx-envoy-is-timeout-retry: 1")).as_deref(), Some("0"));
    assert_eq!(retries(&bench.request("GET /\nx-envoy-attempt-count: 1")).as_deref(), Some("2"));
}

#[test]
fn a_chain_of_hops_tries_as_often_as_the_first_of_them() {
    let bench = policy(r#""attempts": 3"#);
    let mut headers = String::new();
    let mut tries = 1_u64;
    for _ in 0..3 {
        let sent = bench.request(&format!("GET /{headers}"));
        tries *= 1 + retries(&sent).unwrap().parse::<u64>().unwrap();
        headers = format!("\nx-sluice-retry: {}", sent.request_header("x-sluice-retry").unwrap());
    }
    assert_eq!(tries, 3);
}

#[test]
fn a_client_says_nothing_to_the_router_unless_it_is_trusted() {
    let theirs = "\nx-envoy-retry-on: 5xx\nx-envoy-max-retries: 100\nx-envoy-upstream-rq-timeout-ms: 0\nX-Envoy-Hedge-On-Per-Try-Timeout: true";
    let kept = |config: &str, path: &str| {
        let sent = bench(config).request(&format!("GET {path}{theirs}"));
        [
            "x-envoy-retry-on",
            "x-envoy-max-retries",
            "x-envoy-upstream-rq-timeout-ms",
            "x-envoy-hedge-on-per-try-timeout",
        ]
        .map(|name| sent.request_header(name))
        .map(Option::unwrap_or_default)
        .join(" ")
    };
    let policies = r#""policies": [{"name": "api", "match": {"path": {"prefix": "/api"}}, "attempts": 2, "on": ["reset"]}]"#;
    assert_eq!(kept(&format!("{{{policies}}}"), "/api"), "reset 1  ");
    assert_eq!(kept(&format!("{{{policies}}}"), "/"), "   ");
    // Not even by a path that can be read in two ways.
    assert_eq!(kept(&format!("{{{policies}}}"), "/api/..%2f"), "   ");
    assert_eq!(kept(&format!(r#"{{"trust_client": true, {policies}}}"#), "/api"), "reset 1 0 true");
    assert_eq!(kept(&format!(r#"{{"trust_client": true, {policies}}}"#), "/"), "5xx 100 0 true");
    assert_eq!(kept(&format!(r#"{{"mode": "shadow", {policies}}}"#), "/api"), "5xx 100 0 true");
}

#[test]
fn the_first_policy_decides_and_an_unclear_request_goes_on_as_if_there_were_none() {
    let bench = bench(
        r#"{"policies": [
            {"name": "admin", "match": {"path": {"prefix": "/admin"}}, "attempts": 1},
            {"name": "rest", "attempts": 4}
        ]}"#,
    );
    assert_eq!(retries(&bench.request("GET /admin/x")).as_deref(), Some("0"));
    assert_eq!(retries(&bench.request("GET /x")).as_deref(), Some("3"));
    check(
        &mut bench.request("GET /x%2f..%2fadmin"),
        expect![[r#"
            tag sluice.retry-headers.policy=admin
            tag sluice.retry-headers.outcome=unclear
            count retry-headers.decisions_total.admin.unclear
            continue
        "#]],
    );
}

#[test]
fn shadow_mode_decides_and_charges_and_changes_nothing() {
    let bench = bench(
        r#"{"mode": "shadow", "response": {"retry_after": {}, "should_retry_header": true}, "policies": [
            {"name": "api", "attempts": 3, "timeout": "1s", "deadline": {"header": "x-deadline"}, "budget": {"ratio": "0%", "min_per_second": 1, "window": "1s"}}
        ]}"#,
    );
    let mut sent = bench.request("GET /\nx-envoy-max-retries: 9");
    check(
        &mut sent,
        expect![[r#"
            count retry-headers.decisions_total.api.retriable
            continue
        "#]],
    );
    // The router says how often it tried before the response that it let pass reaches the filter.
    tried(&bench, 3);
    sent.respond("503");
    sent.end();
    check(
        &mut sent,
        expect![[r#"
            count retry-headers.retries_total.api
            continue
        "#]],
    );
    check(
        &mut bench.request("GET /"),
        expect![[r#"
            tag sluice.retry-headers.policy=api
            tag sluice.retry-headers.outcome=once
            tag sluice.retry-headers.reason=budget
            count retry-headers.decisions_total.api.budget
            continue
        "#]],
    );
    check(
        &mut bench.request("GET /\nx-deadline: 0"),
        expect![[r#"
            tag sluice.retry-headers.policy=api
            tag sluice.retry-headers.outcome=would_expire
            count retry-headers.decisions_total.api.would_expire
            continue
        "#]],
    );
}

#[test]
fn tags_are_for_what_is_held_back_or_for_all() {
    let tags = |config: &str, request: &str| {
        let mut sent = bench(config).request(request);
        sent.text().lines().filter(|line| line.starts_with("tag")).count()
    };
    let policies = r#""policies": [{"name": "api", "attempts": 3}]"#;
    assert_eq!(tags(&format!("{{{policies}}}"), "GET /"), 0);
    assert_eq!(tags(&format!(r#"{{"tags": "all", {policies}}}"#), "GET /"), 2);
    assert_eq!(tags(&format!("{{{policies}}}"), "POST /"), 3);
}

#[test]
fn a_spent_budget_lets_requests_go_out_once_until_the_window_has_passed() {
    let bench = policy(r#""attempts": 3, "budget": {"ratio": "10%", "min_per_second": 1, "window": "6s"}"#);
    let mut tried = 0;
    for _ in 0..20 {
        let mut sent = bench.request("GET /");
        let attempts = 1 + retries(&sent).unwrap().parse::<u64>().unwrap();
        tried += attempts - 1;
        assert_eq!(
            sent.request_header("x-sluice-retry").as_deref(),
            Some("1"),
            "nobody below makes up for it"
        );
        end(&mut sent, &bench, attempts);
    }
    // Six, and a tenth of the requests so far; the last that may is one try over.
    assert_eq!(tried, 8);
    assert_eq!(bench.counter("retry-headers.retries_total.api"), 8);
    assert!(0 < bench.counter("retry-headers.decisions_total.api.budget"));
    bench.world.pass(Duration::from_secs(7));
    assert_eq!(retries(&bench.request("GET /")).as_deref(), Some("2"));
}

#[test]
fn a_budget_is_charged_by_what_the_router_did_and_only_by_its_own_requests() {
    let bench = policy(r#""attempts": 3, "budget": {"ratio": "0%", "min_per_second": 1, "window": "1s"}"#);
    // None of these was tried again by this hop's leave.
    for request in ["POST /", "GET /\nx-sluice-retry: 1"] {
        end(&mut bench.request(request), &bench, 3);
    }
    end(&mut bench.request("GET /"), &bench, 1);
    end(&mut bench.request("GET /"), &bench, 0);
    assert_eq!(retries(&bench.request("GET /")).as_deref(), Some("2"));
    end(&mut bench.request("GET /"), &bench, 2);
    assert_eq!(retries(&bench.request("GET /")).as_deref(), Some("0"));
}

#[test]
fn a_budget_is_charged_when_a_response_begins_and_not_when_its_client_has_read_it() {
    let bench = policy(r#""attempts": 3, "budget": {"ratio": "0%", "min_per_second": 2, "window": "1s"}"#);
    let mut sent = bench.request("GET /");
    tried(&bench, 3);
    sent.respond_headers("via_upstream", "200", false);
    assert_eq!(
        retries(&bench.request("GET /")).as_deref(),
        Some("0"),
        "though the first one is still being read"
    );
    sent.response_body(b"slowly", true).end();
    assert_eq!(bench.counter("retry-headers.retries_total.api"), 2, "once");
}

#[test]
fn every_key_has_a_budget_of_its_own_and_those_without_share_one() {
    let bench = policy(
        r#""attempts": 3, "budget": {"ratio": "0%", "min_per_second": 1, "window": "1s", "key": {"header": "k"}, "clients": 10}"#,
    );
    for (spends, header) in [("k: a", "k: a"), ("x: y", "x: z"), ("k: 1\nk: 2", "k: 3\nk: 4")] {
        end(&mut bench.request(&format!("GET /\n{spends}")), &bench, 3);
        assert_eq!(retries(&bench.request(&format!("GET /\n{header}"))).as_deref(), Some("0"), "{header}");
    }
    assert_eq!(retries(&bench.request("GET /\nk: b")).as_deref(), Some("2"));
}

#[test]
fn many_keys_leave_bounded_memory() {
    let bench = policy(r#""attempts": 3, "budget": {"key": {"header": "k"}, "clients": 100}"#);
    for client in 0..5_000 {
        end(&mut bench.request(&format!("GET /\nk: {client}")), &bench, 2);
    }
    // Seven blocks and the seed.
    assert!(bench.world.memory().keys() <= 8, "{}", bench.world.memory().keys());
    assert!(bench.world.memory().bytes() <= 7 * (8 + 32 * 72) + 16);
    assert!(0 < bench.counter("retry-headers.evictions_total.api"));
}

#[test]
fn most_requests_are_decided_without_a_look_at_what_workers_share() {
    let bench = policy(r#""attempts": 3"#);
    end(&mut bench.request("GET /"), &bench, 1);
    let before = bench.world.memory().reads();
    for _ in 0..640 {
        end(&mut bench.request("GET /"), &bench, 1);
    }
    assert_eq!(bench.world.memory().reads() - before, 10);
}

#[test]
fn when_other_workers_are_first_every_time_retries_are_charged_later_and_not_lost() {
    let bench = policy(r#""attempts": 3, "budget": {"ratio": "0%", "min_per_second": 2, "window": "1s"}"#);
    let mut sent = bench.request("GET /");
    bench.world.memory().lose(64);
    end(&mut sent, &bench, 3);
    assert_eq!(bench.counter("retry-headers.contentions_total.api"), 1);
    assert_eq!(retries(&bench.request("GET /")).as_deref(), Some("0"), "this worker knows");
    let other = Bench::within(
        &bench.world,
        &KINDS,
        Form::Single,
        r#"{"policies": [{"name": "api", "attempts": 3, "budget": {"ratio": "0%", "min_per_second": 2, "window": "1s"}}]}"#,
    );
    assert_eq!(
        retries(&other.unwrap().request("GET /")).as_deref(),
        Some("0"),
        "and so do all, after its next request"
    );
}

#[test]
fn retries_that_could_not_be_charged_are_not_forgotten_when_many_other_clients_come() {
    let bench = policy(
        r#""attempts": 3, "budget": {"ratio": "0%", "min_per_second": 2, "window": "1s", "key": {"header": "k"}, "clients": 10000}"#,
    );
    let mut sent = bench.request("GET /\nk: a");
    bench.world.memory().lose(64);
    end(&mut sent, &bench, 3);
    assert_eq!(bench.counter("retry-headers.contentions_total.api"), 1);
    for client in 0..2_000 {
        end(&mut bench.request(&format!("GET /\nk: {client}")), &bench, 1);
    }
    assert_eq!(retries(&bench.request("GET /\nk: a")).as_deref(), Some("0"));
}

#[test]
fn values_of_strangers_in_shared_data_count_as_absent() {
    let bench = policy(r#""attempts": 3, "budget": {"ratio": "0%", "min_per_second": 1, "window": "1s"}"#);
    for garbage in [&b""[..], b"x", &[0xff; 64], &[0xff; 2_312]] {
        end(&mut bench.request("GET /"), &bench, 3);
        bench.world.memory().overwrite(garbage);
        assert!(retries(&bench.request("GET /")).is_some());
    }
}

#[test]
fn the_smallest_of_all_deadlines_goes_upstream_and_what_has_passed_does_not() {
    let bench = policy(r#""attempts": 2, "timeout": "2s", "deadline": {"header": "x-deadline-ms"}"#);
    bench
        .world
        .set_property(&["request", "time"], &START.before(Duration::from_millis(100)).nanos().to_le_bytes());
    let sent = |headers: &str| {
        let sent = bench.request(&format!("GET /{headers}"));
        [("x-envoy-upstream-rq-timeout-ms"), "grpc-timeout", "x-deadline-ms"]
            .map(|name| sent.request_header(name).unwrap_or_default())
            .join(" ")
    };
    assert_eq!(sent(""), "2000  ", "without a deadline nobody looks at the clock");
    assert_eq!(sent("\nx-deadline-ms: 500"), "400  400");
    assert_eq!(sent("\nx-deadline-ms: 60000"), "2000  2000", "no less than who says nothing");
    assert_eq!(sent("\ncontent-type: application/grpc\ngrpc-timeout: 1S"), "900 900000u ");
    assert_eq!(
        sent("\ncontent-type: application/grpc\ngrpc-timeout: 1H\nx-deadline-ms: 300"),
        "200 200000u 200"
    );
    assert_eq!(sent("\ncontent-type: application/grpc\ngrpc-timeout: 99999999H"), "2000 2000000u ");
    assert_eq!(sent("\ngrpc-timeout: 1n"), "2000 1n ", "of gRPC's calls alone");
    for unreadable in ["soon", "-1", "", "1e3", "1\nx-deadline-ms: 2"] {
        let text = sent(&format!("\nx-deadline-ms: {unreadable}"));
        assert!(text.starts_with("2000 "), "{text}");
    }
    assert_eq!(bench.counter("retry-headers.unreadable_deadlines_total.api"), 5);
}

#[test]
fn a_deadline_may_be_an_instant_which_stays_as_it_is() {
    for (format, written) in [("unix-ms", "1767225601500"), ("rfc3339", "2026-01-01T00:00:01.5Z")] {
        let bench = policy(&format!(
            r#""attempts": 2, "timeout": "2s", "deadline": {{"header": "x-deadline", "format": "{format}"}}"#
        ));
        let sent = bench.request(&format!("GET /\nx-deadline: {written}"));
        assert_eq!(sent.request_header("x-envoy-upstream-rq-timeout-ms").as_deref(), Some("1500"));
        assert_eq!(sent.request_header("x-deadline").as_deref(), Some(written));
    }
}

#[test]
fn a_call_of_grpc_has_its_deadline_without_a_timeout_of_the_policy() {
    let bench = policy(r#""attempts": 2, "only_safe": false"#);
    bench
        .world
        .set_property(&["request", "time"], &START.before(Duration::from_millis(100)).nanos().to_le_bytes());
    let sent = bench.request("POST /s/M\ncontent-type: application/grpc\ngrpc-timeout: 1H");
    // It may not make the timeout of the route longer.
    assert_eq!(sent.request_header("x-envoy-upstream-rq-timeout-ms"), None);
    assert_eq!(sent.request_header("grpc-timeout").as_deref(), Some("3599900m"));
}

#[test]
fn what_nobody_waits_for_any_more_is_answered_at_once() {
    let bench = policy(r#""attempts": 2, "timeout": "2s", "deadline": {"header": "x-deadline-ms"}"#);
    bench
        .world
        .set_property(&["request", "time"], &START.before(Duration::from_millis(100)).nanos().to_le_bytes());
    check(
        &mut bench.request("GET /\nx-deadline-ms: 100"),
        expect![[r#"
            tag sluice.retry-headers.policy=api
            tag sluice.retry-headers.outcome=expired
            count retry-headers.decisions_total.api.expired
            504 sluice_retry_headers_expired
              content-type: application/problem+json
              {"type":"about:blank","title":"The deadline of the request has passed","status":504}
        "#]],
    );
    check(
        &mut bench.request("POST /s/M\ncontent-type: application/grpc\ngrpc-timeout: 99m"),
        expect![[r#"
            tag sluice.retry-headers.policy=api
            tag sluice.retry-headers.outcome=expired
            count retry-headers.decisions_total.api.expired
            grpc 4 sluice_retry_headers_expired
              The deadline of the request has passed
        "#]],
    );
    // Not even a millisecond, which the router would read as no timeout at all.
    bench.world.set_property(
        &["request", "time"],
        &START.before(Duration::from_micros(99_500)).nanos().to_le_bytes(),
    );
    assert_eq!(bench.request("GET /\nx-deadline-ms: 100").refused(), Some(504));
}

const RESPONSE: &str = r#"{"response": {"retry_after": {"default": "10s", "min": "5s", "jitter": "none"}, "should_retry_header": true, "grpc_pushback": true},
    "policies": [{"name": "api", "match": {"path": {"prefix": "/api"}}, "attempts": 3, "budget": {"ratio": "0%", "min_per_second": 1, "window": "1s"}},
                 {"name": "own", "match": {"path": {"prefix": "/own"}}, "attempts": 3, "response": {"retry_after": {"statuses": [500], "jitter": "none"}}}]}"#;

#[test]
fn refusals_say_when_to_come_back_and_never_sooner_than_the_upstream() {
    let bench = bench(RESPONSE);
    let told = |path: &str, response: &str| {
        bench
            .request(&format!("GET {path}"))
            .respond(response)
            .response_header("retry-after")
            .unwrap_or_default()
    };
    for path in ["/api", "/"] {
        assert_eq!(told(path, "503"), "10");
        assert_eq!(told(path, "429\nretry-after: 1"), "5");
        assert_eq!(told(path, "503\nretry-after: 3600"), "3600");
        assert_eq!(told(path, "503\nretry-after: Thu, 01 Jan 2026 00:02:00 GMT"), "120");
        assert_eq!(told(path, "503\nretry-after: Thursday, 01-Jan-26 00:02:00 GMT"), "120");
        assert_eq!(told(path, "503\nretry-after: 7\nretry-after: 9"), "9");
        assert_eq!(told(path, "503\nretry-after: soon"), "10");
        assert_eq!(told(path, "503\nretry-after: soon\nretry-after: 70"), "70");
        assert_eq!(told(path, "503\nretry-after: 99999999999"), "99999999999");
        assert_eq!(told(path, "503\nretry-after: 99999999999999999999"), "99999999999999999999");
        assert_eq!(told(path, "500\nretry-after: soon"), "soon", "not one of the statuses");
        assert_eq!(told(path, "200"), "");
    }
    assert_eq!(told("/own", "500"), "1");
    assert_eq!(told("/own", "503"), "", "a policy's own replaces the other");
}

#[test]
fn clients_are_told_whether_to_try_again() {
    let bench = bench(RESPONSE);
    let told = |request: &str, response: &str| {
        bench.request(request).respond(response).response_header("x-should-retry").unwrap_or_default()
    };
    for (request, response, expected) in [
        ("GET /api", "503", "true"),
        ("GET /api", "500", "true"),
        ("GET /api", "404", "false"),
        ("GET /api", "501", "false"),
        ("GET /api", "200", ""),
        ("GET /api", "301", ""),
        ("GET /api", "503\nx-should-retry: false", "false"),
        ("GET /api", "404\nx-should-retry: true", "true"),
        ("POST /api", "503", "false"),
        ("POST /api", "429", "true"),
        ("POST /api\nidempotency-key: a", "503", "true"),
        ("POST /elsewhere", "503", "false"),
        ("GET /own", "503", ""),
    ] {
        assert_eq!(told(request, response), expected, "{request} {response}");
    }
    end(&mut bench.request("GET /api"), &bench, 3);
    assert_eq!(told("GET /api", "503"), "false", "the budget is spent");
}

#[test]
fn a_client_of_grpc_is_told_when_in_milliseconds() {
    let bench = bench(RESPONSE);
    let told = |response: &str| {
        let mut sent = bench.request("POST /s/M\ncontent-type: application/grpc");
        sent.respond(&format!("200\ncontent-type: application/grpc\n{response}"));
        (
            sent.response_header("grpc-retry-pushback-ms").unwrap_or_default(),
            sent.response_header("retry-after"),
        )
    };
    for (response, expected) in [
        ("grpc-status: 14", "10000"),
        ("grpc-status: 8", "10000"),
        ("grpc-status: 13", ""),
        ("grpc-status: 0", ""),
        ("x: y", ""),
        ("grpc-status: 14\ngrpc-retry-pushback-ms: 60000", "60000"),
        ("grpc-status: 14\ngrpc-retry-pushback-ms: 1", "5000"),
        ("grpc-status: 14\ngrpc-retry-pushback-ms: -1", "-1"),
        ("grpc-status: 14\ngrpc-retry-pushback-ms:", ""),
        ("grpc-status: 14\ngrpc-retry-pushback-ms: 18446744073709551615", "18446744073709551615"),
        ("grpc-status: 14\ngrpc-retry-pushback-ms: 99999999999999999999", "99999999999999999999"),
        ("grpc-status: 14\ngrpc-retry-pushback-ms: 1\ngrpc-retry-pushback-ms: x", "1 | x"),
    ] {
        assert_eq!(told(response), (expected.to_owned(), None), "{response}");
    }
}

#[test]
fn what_this_filter_answers_itself_is_left_as_it_is() {
    let bench = bench(
        r#"{"response": {"retry_after": {"statuses": [504]}, "should_retry_header": true},
            "policies": [{"name": "api", "attempts": 2, "timeout": "1s", "deadline": {"header": "x-deadline"}}]}"#,
    );
    let mut sent = bench.request("GET /\nx-deadline: 0");
    assert_eq!(sent.respond_from("sluice_retry_headers_expired", "504").response_header("retry-after"), None);
    assert_eq!(
        bench.request("GET /").respond("504").response_header("retry-after").as_deref().map(str::len),
        Some(1)
    );
}

#[test]
fn a_budget_outlives_a_change_of_configuration() {
    let world = Rc::new(World::new());
    let config = |attempts: u64| {
        let config = format!(
            r#"{{"policies": [{{"name": "api", "attempts": {attempts}, "budget": {{"ratio": "0%", "min_per_second": 1, "window": "1s"}}}}]}}"#
        );
        Bench::within(&world, &KINDS, Form::Single, &config).unwrap()
    };
    let bench = config(3);
    end(&mut bench.request("GET /"), &bench, 3);
    assert_eq!(retries(&config(2).request("GET /")).as_deref(), Some("0"));
}

proptest! {
    /// What the README promises of several workers: whatever the order, there are no more retries in a window than the
    /// budget, one request's on each worker that was let through last, and those that a worker let through before it
    /// looked.
    #[test]
    fn workers_together_keep_to_the_budget(
        workers in 1_usize..4,
        attempts in 2_u64..4,
        steps in prop::collection::vec((0_usize..4, 0_u64..30), 1..400),
    ) {
        let world = Rc::new(World::new());
        let config = format!(
            r#"{{"policies": [{{"name": "api", "attempts": {attempts}, "budget": {{"ratio": "20%", "min_per_second": 1, "window": "6s"}}}}]}}"#
        );
        let benches: Vec<Bench> =
            (0..workers).map(|_| Bench::within(&world, &KINDS, Form::Single, &config).unwrap()).collect();
        let (mut now, mut requests, mut tried) = (0_u64, Vec::new(), Vec::new());
        for (worker, passed) in steps {
            world.pass(Duration::from_millis(passed));
            now += passed;
            let bench = &benches[worker % workers];
            let mut sent = bench.request("GET /");
            requests.push(now);
            let allowed: u64 = retries(&sent).unwrap().parse().unwrap();
            tried.extend((0..allowed).map(|_| now));
            end(&mut sent, bench, allowed + 1);
            let recent = |list: &[u64], span: u64| list.iter().filter(|at| now - **at <= span).count();
            let budget = recent(&requests, 7_000) / 5 + 6;
            let slack = usize::try_from(attempts - 1).unwrap() * (1 + (workers - 1) * 64);
            prop_assert!(recent(&tried, 6_000) <= budget + slack);
        }
    }

    #[test]
    fn hostile_bytes_never_panic_and_never_make_more_retries(
        path in prop::collection::vec(any::<u8>(), 0..30),
        headers in prop::collection::vec((0_usize..12, prop::collection::vec(any::<u8>(), 0..30)), 0..8),
        response in "[0-9]{0,4}",
        retry_after in ".{0,40}",
        attempts: Vec<u8>,
    ) {
        let names = ["x-sluice-retry", "x-envoy-attempt-count", "x-envoy-max-retries", "x-envoy-retry-on", "idempotency-key", "grpc-timeout",
            "x-deadline", "content-type", "host", "k", "x-envoy-is-timeout-retry", "x-envoy-expected-rq-timeout-ms"];
        let bench = bench(
            r#"{"response": {"retry_after": {}, "should_retry_header": true, "grpc_pushback": true}, "policies": [
                {"name": "api", "match": {"path": {"prefix": "/api"}}, "attempts": 2, "timeout": "1s", "deadline": {"header": "x-deadline"}, "budget": {"key": {"header": "k"}}},
                {"name": "all", "attempts": 3, "timeout": "1s", "deadline": {"header": "x-deadline", "format": "rfc3339"}}]}"#,
        );
        let mut text = b"POST /".to_vec();
        text.extend(path.iter().filter(|byte| **byte != b'\n'));
        for (name, value) in &headers {
            text.push(b'\n');
            text.extend(names[*name].as_bytes());
            text.extend(b": ");
            text.extend(value.iter().filter(|byte| **byte != b'\n'));
        }
        bench.world.set_property(&["request", "time"], &attempts);
        bench.world.set_property(&["upstream", "request_attempt_count"], &attempts);
        let mut sent = bench.send(&text, true);
        let keyed = headers.iter().any(|(name, _)| names[*name] == "idempotency-key");
        let allowed = retries(&sent).unwrap_or_default();
        prop_assert!(keyed || ["", "0"].contains(&allowed.as_str()), "{allowed}");
        if sent.refused().is_none() {
            sent.respond(&format!("{response}\nretry-after: {retry_after}"));
        }
        sent.end();
    }
}
