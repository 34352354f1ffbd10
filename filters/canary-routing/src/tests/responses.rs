//! What responses say about a variant, how long they take, and what that costs.

use std::time::Duration;

use expect_test::expect;
use kit::testing::Bench;
#[cfg(target_arch = "wasm32")]
use wasm_bindgen_test::wasm_bindgen_test as test;

use super::{HIGH, LOW, bench, split};

/// A response as Envoy tells of it: its details, its status, and that of gRPC.
fn answer(bench: &Bench, headers: &str, details: &str, status: u64, grpc: Option<u64>, wait: u64) {
    let mut sent = bench.request(&format!("GET /\n{headers}"));
    bench.world.pass(Duration::from_millis(wait));
    bench.world.set_property(&["response", "code"], &status.to_le_bytes());
    let Some(grpc) = grpc else {
        bench.world.set_property(&["response", "grpc_status"], &[]);
        sent.respond_from(details, &status.to_string()).end();
        return;
    };
    sent.respond_headers(details, &status.to_string(), false);
    sent.response_trailers_of(&format!("grpc-status: {grpc}"));
    // When the trailers are gone, the proxy makes one of the status of HTTP, and of 200 it is "unknown".
    bench.world.set_property(&["response", "grpc_status"], &2_u64.to_le_bytes());
    sent.end();
}

fn counted(bench: &Bench, variant: &str) -> [u64; 3] {
    ["success", "failure", "ignored"]
        .map(|verdict| bench.counter(&format!("canary-routing.responses_total.x.{variant}.{verdict}")))
}

#[test]
fn a_response_of_the_upstream_counts_by_its_status() {
    let bench = bench(&split(r#""observe": true"#));
    for (status, failures) in [(200, 0), (301, 0), (404, 0), (429, 0), (499, 0), (500, 1), (503, 2), (599, 3)]
    {
        answer(&bench, &format!("x-user: {LOW}"), "via_upstream", status, None, 0);
        assert_eq!(counted(&bench, "v2")[1], failures, "{status}");
    }
    assert_eq!(counted(&bench, "v2"), [5, 3, 0]);
    assert_eq!(counted(&bench, "v1"), [0, 0, 0]);
    answer(&bench, &format!("x-user: {HIGH}"), "via_upstream", 200, None, 0);
    assert_eq!(counted(&bench, "v1"), [1, 0, 0]);
}

#[test]
fn what_the_proxy_answers_for_an_upstream_is_a_failure_and_all_else_says_nothing() {
    let bench = bench(&split(r#""observe": true"#));
    for details in [
        "upstream_reset_before_response_started{connection_failure}",
        "upstream_reset_after_response_started{remote_reset}",
        "upstream_per_try_timeout",
        "upstream_max_stream_duration_reached",
        "response_timeout",
        "no_healthy_upstream",
        "cluster_not_found",
        "maintenance_mode",
    ] {
        let before = counted(&bench, "v2")[1];
        answer(&bench, &format!("x-user: {LOW}"), details, 503, None, 0);
        assert_eq!(counted(&bench, "v2")[1], before + 1, "{details}");
    }
    for details in [
        "",
        "downstream_remote_disconnect",
        "direct_response",
        "route_not_found",
        "sluice_rate_limit_exceeded",
        "sluice_fault_injection_abort",
        "jwt_authn_access_denied{Jwt_is_missing}",
        "via_upstream_or_so",
        "request_headers_too_large",
    ] {
        let before = counted(&bench, "v2")[2];
        answer(&bench, &format!("x-user: {LOW}"), details, 503, None, 0);
        assert_eq!(counted(&bench, "v2")[2], before + 1, "{details}");
    }
}

#[test]
fn a_response_of_grpc_counts_by_its_own_status() {
    let bench = bench(&split(r#""observe": true"#));
    let call = format!("x-user: {LOW}\ncontent-type: application/grpc+proto");
    for (status, is_failure) in [(0, 0), (5, 0), (7, 0), (2, 1), (4, 1), (13, 1), (14, 1), (15, 1), (16, 0)] {
        let before = counted(&bench, "v2")[1];
        answer(&bench, &call, "via_upstream", 200, Some(status), 0);
        assert_eq!(counted(&bench, "v2")[1], before + is_failure, "{status}");
    }
    // Envoy has a status of gRPC for every response, which only means something where gRPC is spoken.
    answer(&bench, &format!("x-user: {LOW}"), "via_upstream", 200, Some(2), 0);
    answer(
        &bench,
        &format!("x-user: {LOW}\ncontent-type: application/grpc-web"),
        "via_upstream",
        200,
        Some(2),
        0,
    );
    assert_eq!(counted(&bench, "v2"), [6, 5, 0]);
    answer(&bench, &call, "via_upstream", 200, None, 0);
    assert_eq!(counted(&bench, "v2"), [6, 5, 1], "what nobody knows says nothing");
    // A response may be nothing but trailers, which are its headers then.
    for (status, is_failure) in [(0, 0), (14, 1)] {
        let before = counted(&bench, "v2")[1];
        bench.world.set_property(&["response", "grpc_status"], &2_u64.to_le_bytes());
        let mut sent = bench.request(&format!("GET /\n{call}"));
        sent.respond_from("via_upstream", &format!("200\ngrpc-status: {status}")).end();
        assert_eq!(counted(&bench, "v2")[1], before + is_failure, "{status}");
    }
}

#[test]
fn what_is_a_failure_can_be_said_otherwise() {
    let bench = bench(&split(
        r#""observe": true, "outcomes": {"statuses": ["4xx", 503], "grpc": ["NOT_FOUND", 7], "slower_than": "2s"}"#,
    ));
    let user = format!("x-user: {LOW}");
    for (status, wait) in [(404, 0), (503, 0), (200, 2_001)] {
        answer(&bench, &user, "via_upstream", status, None, wait);
    }
    for (status, wait) in [(500, 0), (200, 2_000)] {
        answer(&bench, &user, "via_upstream", status, None, wait);
    }
    assert_eq!(counted(&bench, "v2"), [2, 3, 0]);
    let call = format!("{user}\ncontent-type: application/grpc");
    for status in [5, 7, 14, 0] {
        answer(&bench, &call, "via_upstream", 200, Some(status), 0);
    }
    answer(&bench, &call, "via_upstream", 200, Some(0), 3_000);
    assert_eq!(counted(&bench, "v2"), [4, 6, 0]);
}

#[test]
fn how_long_a_response_took_is_recorded_when_it_counts() {
    let bench = bench(&split(r#""observe": true"#));
    let mut sent = bench.request(&format!("GET /\nx-user: {LOW}"));
    bench.world.pass(Duration::from_millis(123));
    sent.respond_headers("via_upstream", "200", false);
    bench.world.set_property(&["response", "code"], &200_u64.to_le_bytes());
    bench.world.pass(Duration::from_secs(60));
    sent.response_body(b"slowly", true);
    sent.text();
    expect![[r#"
        count canary-routing.responses_total.x.v2.success
        record 123
        continue
    "#]]
    .assert_eq(&sent.end().text());
    let mut sent = bench.request(&format!("GET /\nx-user: {LOW}"));
    sent.respond_from("downstream_remote_disconnect", "0");
    sent.text();
    assert_eq!(sent.end().text(), "count canary-routing.responses_total.x.v2.ignored\ncontinue\n");
}

#[test]
fn a_success_costs_two_looks_and_who_is_not_observed_none() {
    let observed = bench(&split(r#""observe": true"#));
    let lookups = |bench: &Bench, headers: &str| {
        let mut sent = bench.request(&format!("GET /\n{headers}"));
        let before = bench.world.lookups();
        bench.world.set_property(&["response", "code"], &200_u64.to_le_bytes());
        sent.respond("200").end();
        bench.world.lookups() - before
    };
    assert_eq!(lookups(&observed, &format!("x-user: {LOW}")), 2);
    assert_eq!(lookups(&bench(&split("")), &format!("x-user: {LOW}")), 0);
    assert_eq!(lookups(&bench(&split(r#""observe": true, "match": {"methods": ["PUT"]}"#)), "x-user: u"), 0);
}

#[test]
fn testers_and_requests_that_nobody_can_read_are_no_users() {
    let bench = bench(&split(r#""observe": true, "force": {"header": "x-canary"}"#));
    answer(&bench, "x-canary: v2", "via_upstream", 500, None, 0);
    answer(&bench, "x-user: a\nx-user: b", "via_upstream", 500, None, 0);
    assert_eq!([counted(&bench, "v1"), counted(&bench, "v2")], [[0, 0, 0], [0, 0, 0]]);
}
