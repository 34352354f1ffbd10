//! Testers, users whose variant is written down, and in which order that counts.

use expect_test::expect;
use kit::testing::{Bench, Sent};
#[cfg(target_arch = "wasm32")]
use wasm_bindgen_test::wasm_bindgen_test as test;

use super::{HIGH, LOW, bench, counts, split, variant};

fn ask(bench: &Bench, headers: &str) -> String {
    variant(&bench.request(&format!("GET /\nx-user: {HIGH}\n{headers}"))).unwrap_or_default()
}

fn refusals(bench: &Bench) -> u64 {
    bench.counter("canary-routing.force_refusals_total.x")
}

#[test]
fn a_tester_asks_with_a_header_and_nobody_behind_sees_how() {
    let bench = bench(&split(r#""force": {"header": "x-canary"}"#));
    let mut sent = bench.request(&format!("GET /\nx-user: {HIGH}\nx-canary: always"));
    expect![[r#"
        remove Request x-canary
        tag sluice.canary-routing.split=x
        tag sluice.canary-routing.variant=v2
        tag sluice.canary-routing.outcome=forced
        count canary-routing.decisions_total.x.v2.forced
        set Request x-sluice-variant: v2
        continue
    "#]]
    .assert_eq(&sent.text());
    assert_eq!(ask(&bench, "x-canary: v2"), "v2");
    assert_eq!(ask(&bench, "x-canary: never"), "v1");
    assert_eq!(ask(&bench, "x-canary: v1"), "v1");
    assert_eq!(refusals(&bench), 0);
    for unknown in ["v3", "Always", "", "v2, v1", "\u{fc}"] {
        assert_eq!(ask(&bench, &format!("x-canary: {unknown}")), "v1", "{unknown}");
    }
    assert_eq!(ask(&bench, "x-canary: v2\nx-canary: v2"), "v1", "twice is once too often");
    assert_eq!(refusals(&bench), 6);
    assert_eq!(counts(&bench), "v1 split 6, v1 forced 2, v2 forced 2");
}

#[test]
fn a_tester_asks_with_a_cookie_where_no_header_says_otherwise() {
    let bench = bench(&split(r#""force": {"header": "x-canary", "cookie": "canary"}"#));
    assert_eq!(ask(&bench, "cookie: a=1; canary=always"), "v2");
    assert_eq!(ask(&bench, "cookie: canary=always\nx-canary: never"), "v1");
    assert_eq!(ask(&bench, "cookie: canary=always; canary=never"), "v1");
    assert_eq!(ask(&bench, "cookie: canaries=always"), "v1");
    assert_eq!(refusals(&bench), 1);
    // Cookies are the user's, and stay as they are.
    let sent = bench.request("GET /\ncookie: a=1; canary=always");
    assert_eq!(sent.request_header("cookie").as_deref(), Some("a=1; canary=always"));
}

#[test]
fn without_the_right_token_nothing_is_forced_and_it_is_counted() {
    let bench =
        bench(&split(r#""force": {"header": "x-canary", "cookie": "canary", "token": {"env": "TOKEN"}}"#));
    assert_eq!(ask(&bench, "x-canary: v2\nx-canary-token: let me"), "v2");
    assert_eq!(ask(&bench, "cookie: canary=v2\nx-canary-token: let me"), "v2");
    let wrong = ["", "x-canary-token: let", "x-canary-token: let me\nx-canary-token: let me"];
    for token in wrong {
        let sent: Sent = bench.request(&format!("GET /\nx-user: {HIGH}\nx-canary: v2\n{token}"));
        assert_eq!(variant(&sent).as_deref(), Some("v1"), "{token}");
        assert_eq!(sent.request_header("x-canary"), None);
        assert_eq!(sent.request_header("x-canary-token"), None);
    }
    assert_eq!(refusals(&bench), 3);
    // A token alone asks for nothing, and goes no further.
    let sent = bench.request("GET /\nx-canary-token: let me");
    assert_eq!((sent.request_header("x-canary-token"), refusals(&bench)), (None, 3));
}

#[test]
fn a_token_goes_no_further_where_no_split_is_for_the_request() {
    let bench = bench(&split(
        r#""match": {"path": {"prefix": "/a"}}, "force": {"header": "x-canary", "token": {"env": "TOKEN"}, "token_header": "x-secret"}"#,
    ));
    let mut sent = bench.request("GET /b\nx-canary: v2\nx-secret: let me");
    assert_eq!(sent.text(), "remove Request x-canary\nremove Request x-secret\ncontinue\n");
}

#[test]
fn where_nobody_may_ask_the_headers_are_not_ours() {
    let bench = bench(&split(""));
    let sent = bench.request(&format!("GET /\nx-user: {HIGH}\nx-canary: always"));
    assert_eq!(variant(&sent).as_deref(), Some("v1"));
    assert_eq!(sent.request_header("x-canary").as_deref(), Some("always"));
}

#[test]
fn users_are_assigned_by_key_by_header_and_by_claim_and_the_first_entry_wins() {
    let bench = bench(&split(
        r#""assign": [
            {"variant": "v1", "keys": ["bank"]},
            {"variant": "v2", "keys": ["alice", "bank"]},
            {"variant": "v2", "claims": [{"name": "tenant", "exact": "beta"}], "headers": [{"name": "x-region", "exact": "eu"}]},
            {"variant": "v2", "headers": [{"name": "X-Staff", "exact": "1"}]}
        ], "variants": [{"name": "v1"}, {"name": "v2"}]"#,
    ));
    let by = |headers: &str| variant(&bench.request(&format!("GET /\n{headers}"))).unwrap();
    assert_eq!(by("x-user: alice"), "v2");
    assert_eq!(by("x-user: bank"), "v1");
    assert_eq!(by("x-user: bank\nx-staff: 1"), "v1", "the first entry that holds");
    assert_eq!(by("x-user: carol"), "v1");
    assert_eq!(by("x-user: carol\nx-staff: 1"), "v2");
    assert_eq!(by("x-staff: 1"), "v2", "without a key as well");
    assert_eq!(by("x-staff: 10"), "v1");
    assert_eq!(by("x-region: eu"), "v1");
    bench.world.set_property(&["sluice.jwt-auth.tenant"], b"beta");
    assert_eq!(by("x-region: eu"), "v2");
    assert_eq!(by("x-region: us"), "v1", "all that an entry has must hold");
    assert_eq!(counts(&bench), "v1 split 1, v1 assigned 2, v1 missing_key 3, v2 assigned 4");
}

#[test]
fn who_has_two_identities_is_not_assigned_by_either() {
    let bench = bench(&split(r#""assign": [{"variant": "v2", "keys": ["alice"]}]"#));
    assert_eq!(variant(&bench.request("GET /\nx-user: alice\nx-user: alice")).as_deref(), Some("v1"));
    assert_eq!(counts(&bench), "v1 unclear 1");
}

#[test]
fn an_address_may_be_assigned_in_any_spelling() {
    let bench = bench(&split(
        r#""key": [{"header": "x-user"}, "client_ip"], "assign": [{"variant": "v2", "keys": ["2001:DB8:0::1"]}],
           "variants": [{"name": "v1"}, {"name": "v2"}]"#,
    ));
    bench.world.set_property(&["source", "address"], b"[2001:db8::2]:1");
    assert_eq!(variant(&bench.request("GET /")).as_deref(), Some("v2"), "a /64 is a client");
    bench.world.set_property(&["source", "address"], b"[2001:db9::2]:1");
    assert_eq!(variant(&bench.request("GET /")).as_deref(), Some("v1"));
}

#[test]
fn testers_come_before_assignments_and_those_before_buckets() {
    let bench = bench(&split(
        r#""force": {"header": "x-canary"}, "assign": [{"variant": "v1", "keys": ["u1084"]}],
           "variants": [{"name": "v1"}, {"name": "v2", "weight": "1%"}, {"name": "v3"}]"#,
    ));
    let by = |headers: &str| variant(&bench.request(&format!("GET /\n{headers}"))).unwrap();
    assert_eq!(LOW, "u1084");
    assert_eq!(by("x-user: u1084"), "v1");
    assert_eq!(by("x-user: u2591"), "v2", "who has the same bucket, and is not assigned");
    assert_eq!(by("x-user: u1084\nx-canary: v3"), "v3");
    assert_eq!(by("x-user: u1084\nx-canary: v4"), "v1");
}
