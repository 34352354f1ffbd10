//! Faults that testers ask for.

use std::time::Duration;

use expect_test::expect;
use kit::chain::Verdict;
use kit::testing::Bench;
#[cfg(target_arch = "wasm32")]
use wasm_bindgen_test::wasm_bindgen_test as test;

use super::bench;

const CONFIG: &str = r#"{"control": {"token": {"env": "TOKEN"}, "accept_envoy_headers": true}}"#;

fn counted(bench: &Bench, outcome: &str) -> u64 {
    bench.counter(&format!("fault-injection.decisions_total.control.{outcome}"))
}

#[test]
fn who_knows_the_token_asks_for_a_fault_and_nobody_behind_sees_how() {
    let bench = bench(CONFIG);
    let mut sent =
        bench.request("GET /\nx-sluice-fault: delay=300ms,abort=503\nx-sluice-fault-token: let me");
    expect![[r#"
        remove Request x-sluice-fault-token
        remove Request x-sluice-fault
        tag sluice.fault-injection.experiment=control
        tag sluice.fault-injection.outcome=injected
        tag sluice.fault-injection.fault=delay=300ms;abort=503
        count fault-injection.decisions_total.control.injected
        add 1 fault-injection.active.control
        wake filter
        pause back
    "#]]
    .assert_eq(&sent.text());
    bench.world.pass(Duration::from_millis(300));
    assert_eq!(sent.wake().refused(), Some(503));
    assert_eq!(
        sent.reply_header("x-sluice-fault-injected").as_deref(),
        Some("control;delay=300ms;abort=503")
    );
}

#[test]
fn without_the_right_token_the_headers_are_removed_and_nothing_else_happens() {
    let bench = bench(CONFIG);
    let ask = "GET /\nx-sluice-fault: abort=503\nx-envoy-fault-abort-request: 503";
    for token in
        ["", "\nx-sluice-fault-token: let", "\nx-sluice-fault-token: let me\nx-sluice-fault-token: let me"]
    {
        let sent = bench.request(&format!("{ask}{token}"));
        assert_eq!(sent.verdict, Verdict::Continue);
        for name in ["x-sluice-fault", "x-sluice-fault-token", "x-envoy-fault-abort-request"] {
            assert_eq!(sent.request_header(name), None, "{token:?}");
        }
    }
    assert_eq!(counted(&bench, "refused"), 3);
    // A token alone asks for nothing, and goes no further.
    let sent = bench.request("GET /\nx-sluice-fault-token: guess");
    assert_eq!((sent.request_header("x-sluice-fault-token"), counted(&bench, "refused")), (None, 3));
}

#[test]
fn where_nobody_may_ask_the_headers_are_not_ours() {
    let bench = bench(&super::experiment(r#""percent": "0%", "request": {"reset": true}"#));
    let sent = bench.request("GET /\nx-sluice-fault: abort=503\nx-envoy-fault-abort-request: 503");
    assert_eq!(sent.request_header("x-sluice-fault").as_deref(), Some("abort=503"));
    assert_eq!(sent.request_header("x-envoy-fault-abort-request").as_deref(), Some("503"));
}

#[test]
fn every_fault_that_can_be_asked_for_is() {
    let bench = bench(CONFIG);
    for (ask, expected) in [
        ("abort=418", "abort=418"),
        ("grpc=UNAVAILABLE", "abort=UNAVAILABLE"),
        ("grpc=8, abort=429", "abort=429/RESOURCE_EXHAUSTED"),
        ("reset", "reset"),
        ("delay=1.5s", "delay=1500ms"),
        (
            "response_delay=10ms,response_status=500,throttle=64KiB",
            "response_delay=10ms;response_status=500;throttle=65536",
        ),
    ] {
        let text =
            bench.request(&format!("GET /\nx-sluice-fault: {ask}\nx-sluice-fault-token: let me")).text();
        assert!(text.contains(&format!("fault={expected}\n")), "{ask}: {text}");
    }
    for ask in [
        "",
        "abort",
        "abort=99",
        "abort=600",
        "abort=503,abort=504",
        "delay=6m",
        "delay=-1s",
        "delay=5",
        "grpc=OK",
        "grpc=17",
        "reset=1",
        "reset,abort=503",
        "response_status=204",
        "throttle=0",
        "percent=5",
        "abort=503,",
        "\u{fc}",
    ] {
        let sent = bench.request(&format!("GET /\nx-sluice-fault: {ask}\nx-sluice-fault-token: let me"));
        assert_eq!(
            (&sent.verdict, sent.request_header("x-sluice-fault")),
            (&Verdict::Continue, None),
            "{ask}"
        );
    }
    assert_eq!(counted(&bench, "unclear"), 17);
}

#[test]
fn the_names_of_envoys_own_filter_are_understood_where_they_are_accepted() {
    let bench = bench(CONFIG);
    let ask = |bench: &Bench, headers: &str| {
        bench.request(&format!("GET /\nx-sluice-fault-token: let me\n{headers}")).text()
    };
    for (headers, expected) in [
        ("x-envoy-fault-delay-request: 300", "fault=delay=300ms\n"),
        ("x-envoy-fault-abort-request: 503", "fault=abort=503\n"),
        ("x-envoy-fault-abort-grpc-request: 14", "fault=abort=UNAVAILABLE\n"),
        ("x-envoy-fault-throughput-response: 64", "fault=throttle=65536\n"),
        ("x-envoy-fault-abort-request: 503\nx-envoy-fault-abort-request-percentage: 51", "fault=abort=503\n"),
        (
            "x-envoy-fault-delay-request: 5\nx-envoy-fault-abort-request: 503\nx-envoy-fault-abort-request-percentage: 50",
            "fault=delay=5ms\n",
        ),
    ] {
        bench.world.fix_draw(1 << 63);
        let text = ask(&bench, headers);
        assert!(text.contains(expected), "{headers}: {text}");
    }
    for headers in [
        "x-envoy-fault-delay-request: 300ms",
        "x-envoy-fault-abort-request: 1",
        "x-envoy-fault-delay-request: 999999999",
        "x-envoy-fault-delay-request: 5\nx-envoy-fault-delay-request-percentage: many",
    ] {
        assert!(
            ask(&bench, headers).contains("count fault-injection.decisions_total.control.unclear"),
            "{headers}"
        );
    }
    let ours = super::bench(r#"{"control": {"token": {"env": "TOKEN"}}}"#);
    let mut sent = ours.request("GET /\nx-envoy-fault-abort-request: 503\nx-sluice-fault-token: let me");
    assert_eq!(sent.text(), "remove Request x-sluice-fault-token\ncontinue\n");
}
