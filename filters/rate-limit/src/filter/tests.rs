//! The whole filter: requests as text in, decisions as text out.

use std::rc::Rc;
use std::time::Duration;

use expect_test::{Expect, expect};
use kit::module::Form;
use kit::testing::{Bench, Sent, World};
use proptest::prelude::*;
#[cfg(target_arch = "wasm32")]
use wasm_bindgen_test::wasm_bindgen_test as test;

use crate::KIND;

static KINDS: [kit::filter::Kind; 1] = [KIND];

const ONE_A_MINUTE: &str =
    r#"{"rules": [{"name": "api", "key": {"header": "k"}, "limits": [{"requests": 1, "per": "1m"}]}]}"#;

fn bench(config: &str) -> Bench {
    Bench::new(&KINDS[0], config).unwrap()
}

/// One rule of these fields, in the draft's headers.
fn rule(fields: &str) -> Bench {
    bench(&format!(r#"{{"rules": [{{"name": "api", {fields}}}]}}"#))
}

fn admitted(sent: &Sent) -> bool {
    sent.refused().is_none()
}

/// Sends so many requests and counts how many are admitted.
fn admit(bench: &Bench, times: usize, request: &str) -> usize {
    (0..times).filter(|_| admitted(&bench.request(request))).count()
}

#[track_caller]
fn check(sent: &mut Sent, expected: Expect) {
    expected.assert_eq(&sent.text());
}

#[test]
fn a_refusal_says_what_was_exceeded_and_when_to_come_back() {
    let bench = bench(ONE_A_MINUTE);
    check(
        bench.request("GET /\nk: a").respond("200"),
        expect![[r#"
            count rate-limit.decisions_total.api.admitted
            set Response ratelimit-policy: "api";q=1;w=60
            set Response ratelimit: "api";r=0;t=60
            continue
        "#]],
    );
    check(
        &mut bench.request("GET /\nk: a"),
        expect![[r#"
            tag sluice.rate-limit.rule=api
            tag sluice.rate-limit.outcome=denied
            count rate-limit.decisions_total.api.denied
            429 sluice_rate_limit_exceeded
              content-type: application/problem+json
              retry-after: 60
              ratelimit-policy: "api";q=1;w=60
              ratelimit: "api";r=0;t=60
              {"type":"https://iana.org/assignments/http-problem-types#quota-exceeded","title":"Request cannot be satisfied as assigned quota has been exceeded","status":429,"violated-policies":["api"]}
        "#]],
    );
}

#[test]
fn tags_say_what_was_refused_or_everything_that_was_decided() {
    let tags = |words: &str| {
        let bench = bench(&format!(
            r#"{{"tags": "{words}", "rules": [{{"name": "api", "limits": [{{"requests": 1, "per": "1m"}}]}}]}}"#
        ));
        let tags = |sent: &mut Sent| sent.text().lines().filter(|line| line.starts_with("tag")).count();
        (tags(&mut bench.request("GET /")), tags(&mut bench.request("GET /")))
    };
    assert_eq!(tags("refusals"), (0, 2));
    assert_eq!(tags("all"), (2, 2));
}

#[test]
fn a_grpc_client_is_told_in_its_own_protocol() {
    let bench = bench(ONE_A_MINUTE);
    bench.request("POST /s/M\nk: a\ncontent-type: application/grpc");
    check(
        &mut bench.request("POST /s/M\nk: a\ncontent-type: application/grpc"),
        expect![[r#"
            tag sluice.rate-limit.rule=api
            tag sluice.rate-limit.outcome=denied
            count rate-limit.decisions_total.api.denied
            grpc 8 sluice_rate_limit_exceeded
              retry-after: 60
              ratelimit-policy: "api";q=1;w=60
              ratelimit: "api";r=0;t=60
              quota exceeded
        "#]],
    );
}

#[test]
fn every_key_has_limits_of_its_own() {
    let bench = bench(ONE_A_MINUTE);
    for key in ["a", "b", "c"] {
        assert_eq!(admit(&bench, 3, &format!("GET /\nk: {key}")), 1, "{key}");
    }
}

#[test]
fn the_announced_wait_is_the_first_second_that_is_admitted() {
    let bench = rule(r#""limits": [{"requests": 7, "per": "1m"}]"#);
    assert_eq!(admit(&bench, 10, "GET /"), 7);
    let wait: u64 = bench.request("GET /").reply_header("retry-after").unwrap().parse().unwrap();
    bench.world.pass(Duration::from_secs(wait - 1));
    assert!(!admitted(&bench.request("GET /")));
    bench.world.pass(Duration::from_secs(1));
    assert!(admitted(&bench.request("GET /")));
}

#[test]
fn jitter_makes_the_wait_longer_and_never_shorter() {
    for (draw, expected) in [(0, "60"), (u64::MAX / 2, "66"), (u64::MAX, "72")] {
        let bench = bench(ONE_A_MINUTE);
        bench.world.fix_draw(draw);
        bench.request("GET /\nk: a");
        let wait = bench.request("GET /\nk: a").reply_header("retry-after");
        assert_eq!(wait.as_deref(), Some(expected), "draw {draw}");
    }
}

#[test]
fn the_first_rule_that_matches_decides_and_others_let_pass() {
    let bench = bench(
        r#"{"rules": [
            {"name": "login", "match": {"path": {"exact": "/login"}}, "limits": [{"requests": 1, "per": "1m"}]},
            {"name": "rest", "match": {"path": {"prefix": "/api"}}, "limits": [{"requests": 2, "per": "1m"}]}
        ]}"#,
    );
    assert_eq!(admit(&bench, 5, "GET /login"), 1);
    assert_eq!(admit(&bench, 5, "GET /api/x"), 2);
    check(
        &mut bench.request("GET /other"),
        expect![[r#"
        continue
    "#]],
    );
}

#[test]
fn a_path_that_servers_read_differently_goes_no_further() {
    let bench = bench(
        r#"{"rules": [{"name": "login", "match": {"path": {"exact": "/login"}}, "limits": [{"requests": 1, "per": "1m"}]}]}"#,
    );
    check(
        &mut bench.request("GET /x%2f..%2flogin"),
        expect![[r#"
            tag sluice.rate-limit.rule=login
            tag sluice.rate-limit.outcome=unclear
            count rate-limit.decisions_total.login.unclear
            400 sluice_rate_limit_ambiguous_path
              content-type: application/problem+json
              {"type":"about:blank","title":"The path can be read in several ways","status":400}
        "#]],
    );
    assert_eq!(admit(&bench, 5, "GET /%6cogin?x"), 1, "the same path, written otherwise");
    assert_eq!(admit(&bench, 5, "GET //login"), 0, "and another way");
}

#[test]
fn a_request_that_names_two_clients_is_refused_and_not_reduced_to_one() {
    let bench = bench(ONE_A_MINUTE);
    assert_eq!(bench.request("GET /\nk: a\nk: b").refused(), Some(400));
    assert!(admitted(&bench.request("GET /\nk: a")));
}

#[test]
fn on_missing_key_says_what_becomes_of_a_request_without_one() {
    for (words, admitted, refused_with) in
        [("skip", 3, None), ("refuse", 0, Some(400)), ("shared", 1, Some(429))]
    {
        let bench = rule(&format!(
            r#""key": {{"header": "k"}}, "limits": [{{"requests": 1, "per": "1m"}}], "on_missing_key": "{words}""#
        ));
        assert_eq!(admit(&bench, 3, "GET /"), admitted, "{words}");
        assert_eq!(bench.request("GET /").refused(), refused_with, "{words}");
        assert_eq!(admit(&bench, 3, "GET /\nk: missing"), 1, "{words}: no value of a key means none");
    }
}

#[test]
fn overrides_give_listed_keys_other_limits() {
    let bench = rule(
        r#""key": {"header": "k"}, "limits": [{"requests": 1, "per": "1m"}], "overrides": [
            {"key": "gold", "limits": [{"requests": 3, "per": "1m"}, {"requests": 4, "per": "1h"}]},
            {"key": "own", "unlimited": true},
            {"key": "banned", "limits": [{"requests": 0, "per": "1m"}]}
        ]"#,
    );
    for (key, expected) in [("gold", 3), ("own", 10), ("banned", 0), ("other", 1)] {
        assert_eq!(admit(&bench, 10, &format!("GET /\nk: {key}")), expected, "{key}");
    }
}

#[test]
fn a_limit_of_zero_refuses_all_and_promises_nothing() {
    let bench = rule(r#""limits": [{"requests": 0, "per": "1m"}]"#);
    check(
        &mut bench.request("GET /"),
        expect![[r#"
            tag sluice.rate-limit.rule=api
            tag sluice.rate-limit.outcome=denied
            count rate-limit.decisions_total.api.denied
            429 sluice_rate_limit_exceeded
              content-type: application/problem+json
              ratelimit-policy: "api";q=0;w=60
              {"type":"https://iana.org/assignments/http-problem-types#quota-exceeded","title":"Request cannot be satisfied as assigned quota has been exceeded","status":429,"violated-policies":["api"]}
        "#]],
    );
}

#[test]
fn several_limits_all_admit_or_none_is_charged() {
    let bench = rule(r#""limits": [{"requests": 2, "per": "1s"}, {"requests": 3, "per": "1h"}]"#);
    assert_eq!(admit(&bench, 100, "GET /"), 2, "a flood of refused requests");
    bench.world.pass(Duration::from_secs(2));
    assert_eq!(admit(&bench, 100, "GET /"), 1, "charged the hour only for the two that were admitted");
    check(
        &mut bench.request("GET /"),
        expect![[r#"
            tag sluice.rate-limit.rule=api
            tag sluice.rate-limit.outcome=denied
            count rate-limit.decisions_total.api.denied
            429 sluice_rate_limit_exceeded
              content-type: application/problem+json
              retry-after: 1198
              ratelimit-policy: "api-1s";q=2;w=1, "api-1h";q=3;w=3600
              ratelimit: "api-1s";r=1;t=1, "api-1h";r=0;t=1198
              {"type":"https://iana.org/assignments/http-problem-types#quota-exceeded","title":"Request cannot be satisfied as assigned quota has been exceeded","status":429,"violated-policies":["api-1h"]}
        "#]],
    );
}

#[test]
fn a_fixed_cost_is_what_each_request_takes() {
    let bench = rule(r#""limits": [{"requests": 10, "per": "1m"}], "cost": 4"#);
    assert_eq!(admit(&bench, 5, "GET /"), 2);
}

#[test]
fn a_cost_from_a_header_is_at_least_one_and_at_most_the_cap() {
    for (header, admitted) in [
        ("x-cost: 5", 2),
        ("x-cost: 0", 10),
        ("x-cost: -1", 1),
        ("x-cost: 99999999999999999999", 1),
        ("x-cost: lots", 1),
        ("x-cost: 1\nx-cost: 1", 1),
        ("x: 1", 5),
    ] {
        let bench = rule(
            r#""limits": [{"requests": 10, "per": "1m"}], "cost": {"header": "x-cost", "max": 10, "default": 2}"#,
        );
        assert_eq!(admit(&bench, 20, &format!("GET /\n{header}")), admitted, "{header}");
    }
}

const LOGIN: &str =
    r#""key": {"header": "k"}, "limits": [{"requests": 3, "per": "1m"}], "count": {"responses": [401, 403]}"#;

#[test]
fn only_responses_that_count_are_charged() {
    let bench = rule(LOGIN);
    for _ in 0..20 {
        let mut sent = bench.request("POST /login\nk: a");
        assert!(admitted(&sent));
        sent.respond("200").end();
    }
    for status in ["401", "403", "401"] {
        let mut sent = bench.request("POST /login\nk: a");
        assert!(admitted(&sent), "{status}");
        sent.respond(status).end();
    }
    let refused = bench.request("POST /login\nk: a");
    assert_eq!(refused.refused(), Some(429));
    assert_eq!(refused.reply_header("retry-after").as_deref(), Some("20"));
    assert!(admitted(&bench.request("POST /login\nk: b")), "somebody else");
}

#[test]
fn guesses_in_parallel_get_no_more_answers_than_guesses_one_by_one() {
    let bench = rule(LOGIN);
    let sent: Vec<Sent> = (0..50).map(|_| bench.request("POST /login\nk: a")).collect();
    assert_eq!(sent.iter().filter(|sent| admitted(sent)).count(), 3);
}

#[test]
fn without_a_reservation_parallel_requests_pass_until_one_counts() {
    let bench =
        rule(r#""limits": [{"requests": 1, "per": "1m"}], "count": {"responses": [404], "reserve": false}"#);
    let mut sent: Vec<Sent> = (0..50).map(|_| bench.request("GET /")).collect();
    assert!(sent.iter().all(admitted));
    sent[0].respond("404");
    assert!(!admitted(&bench.request("GET /")));
}

#[test]
fn an_answer_that_is_not_the_upstreams_does_not_count() {
    let bench = rule(LOGIN);
    for _ in 0..10 {
        let mut sent = bench.request("POST /login\nk: a");
        assert!(admitted(&sent));
        sent.respond_from("jwt_authn_access_denied", "401").end();
    }
}

#[test]
fn a_client_that_leaves_before_the_answer_is_not_charged() {
    let bench = rule(LOGIN);
    for _ in 0..10 {
        let mut sent = bench.request("POST /login\nk: a");
        assert!(admitted(&sent));
        sent.end();
    }
}

#[test]
fn what_is_announced_is_what_is_left_after_the_response() {
    let bench = rule(LOGIN);
    let remaining = |status: &str| {
        let mut sent = bench.request("POST /login\nk: a");
        sent.respond(status).response_header("ratelimit").unwrap()
    };
    assert_eq!(remaining("200"), r#""api";r=3;t=0"#);
    assert_eq!(remaining("401"), r#""api";r=2;t=20"#);
}

#[test]
fn concurrency_counts_what_is_in_flight_and_lets_go_at_the_end_however_it_ends() {
    let bench = rule(r#""concurrency": 2"#);
    let mut first = bench.request("GET /");
    let mut second = bench.request("GET /");
    check(
        &mut bench.request("GET /"),
        expect![[r#"
            tag sluice.rate-limit.rule=api
            tag sluice.rate-limit.outcome=denied
            count rate-limit.decisions_total.api.denied
            429 sluice_rate_limit_exceeded
              content-type: application/problem+json
              retry-after: 1
              ratelimit-policy: "api";q=2;qu="concurrent-requests"
              {"type":"https://iana.org/assignments/http-problem-types#quota-exceeded","title":"Request cannot be satisfied as assigned quota has been exceeded","status":429,"violated-policies":["api"]}
        "#]],
    );
    first.respond("200").end();
    let mut third = bench.request("GET /");
    assert!(admitted(&third));
    second.end();
    third.respond_from("upstream_reset", "503").end();
    assert_eq!((0..5).map(|_| bench.request("GET /")).filter(admitted).count(), 2);
}

#[test]
fn a_stream_whose_end_is_lost_with_its_vm_is_forgotten() {
    let bench = rule(r#""concurrency": 1, "concurrency_timeout": "30s""#);
    assert!(admitted(&bench.request("GET /")));
    assert!(!admitted(&bench.request("GET /")));
    bench.world.pass(Duration::from_secs(41));
    assert!(admitted(&bench.request("GET /")));
}

#[test]
fn strangers_do_not_wipe_what_an_override_has_in_flight() {
    // Clients judged their neighbours' entries by their own limits: under these, the override's looked free.
    for fields in [
        r#""concurrency": 10, "overrides": [{"key": "slow", "concurrency": 2, "concurrency_timeout": "24h"}]"#,
        r#""limits": [{"requests": 10, "per": "24h"}], "overrides": [{"key": "slow", "concurrency": 2}]"#,
    ] {
        let bench = rule(&format!(r#""key": {{"header": "k"}}, "clients": 100, {fields}"#));
        let _first = bench.request("GET /\nk: slow");
        let _second = bench.request("GET /\nk: slow");
        bench.world.pass(Duration::from_secs(60));
        for client in 0..100 {
            bench.request(&format!("GET /\nk: {client}"));
            assert!(!admitted(&bench.request("GET /\nk: slow")), "after {client} others with {fields}");
        }
    }
}

#[test]
fn the_wait_is_that_of_the_limit_even_beside_requests_in_flight() {
    let bench = rule(r#""limits": [{"requests": 1, "per": "1h"}], "concurrency": 1"#);
    let _first = bench.request("GET /");
    assert_eq!(bench.request("GET /").reply_header("retry-after").as_deref(), Some("3600"));
}

#[test]
fn shadow_decides_counts_and_tags_and_changes_nothing() {
    let bench = bench(
        r#"{"mode": "shadow", "rules": [{"name": "api", "key": {"header": "k"}, "limits": [{"requests": 1, "per": "1m"}]}]}"#,
    );
    check(
        bench.request("GET /\nk: a").respond("200"),
        expect![[r#"
            count rate-limit.decisions_total.api.admitted
            continue
        "#]],
    );
    check(
        bench.request("GET /\nk: a").respond("200"),
        expect![[r#"
            tag sluice.rate-limit.rule=api
            tag sluice.rate-limit.outcome=would_deny
            count rate-limit.decisions_total.api.would_deny
            continue
        "#]],
    );
    check(
        bench.request("GET /\nk: a\nk: b").respond("200"),
        expect![[r#"
            tag sluice.rate-limit.rule=api
            tag sluice.rate-limit.outcome=unclear
            count rate-limit.decisions_total.api.unclear
            continue
        "#]],
    );
}

#[test]
fn one_rule_can_be_in_shadow_beside_others_that_are_not() {
    let bench = bench(
        r#"{"rules": [
            {"name": "new", "mode": "shadow", "match": {"path": {"prefix": "/new"}}, "limits": [{"requests": 0, "per": "1m"}]},
            {"name": "old", "limits": [{"requests": 0, "per": "1m"}]}
        ]}"#,
    );
    assert!(admitted(&bench.request("GET /new")));
    assert!(!admitted(&bench.request("GET /old")));
}

#[test]
fn the_older_headers_and_both_and_none() {
    for (headers, expected) in [
        ("legacy", [None, Some("1"), Some("0"), Some("60")]),
        ("both", [Some(r#""api";r=0;t=60"#), Some("1"), Some("0"), Some("60")]),
        ("none", [None, None, None, None]),
    ] {
        let bench = bench(&format!(
            r#"{{"headers": "{headers}", "rules": [{{"name": "api", "limits": [{{"requests": 1, "per": "1m"}}]}}]}}"#
        ));
        let names = ["ratelimit", "x-ratelimit-limit", "x-ratelimit-remaining", "x-ratelimit-reset"];
        let mut sent = bench.request("GET /");
        sent.respond("200");
        let refused = bench.request("GET /");
        for (name, expected) in names.into_iter().zip(expected) {
            assert_eq!(sent.response_header(name).as_deref(), expected, "{headers} {name}");
            assert_eq!(refused.reply_header(name).as_deref(), expected, "{headers} {name} of the refusal");
        }
    }
}

#[test]
fn fields_of_the_upstream_are_never_removed_and_never_loosened() {
    let answer = |theirs: &str, name: &str| {
        let bench = bench(
            r#"{"headers": "both", "rules": [{"name": "api", "limits": [{"requests": 10, "per": "1m"}]}]}"#,
        );
        bench.request("GET /").respond(&format!("200\n{theirs}")).response_header(name).unwrap()
    };
    // The draft's fields are lists: ours stands beside theirs, unless theirs has the same name.
    assert_eq!(answer("ratelimit: \"own\";r=1;t=5", "ratelimit"), r#""own";r=1;t=5 | "api";r=9;t=6"#);
    assert_eq!(answer("ratelimit: \"api\";r=1;t=5", "ratelimit"), r#""api";r=1;t=5"#);
    // The older ones have one value: the one that has less left.
    assert_eq!(answer("x-ratelimit-remaining: 3", "x-ratelimit-remaining"), "3");
    assert_eq!(answer("x-ratelimit-remaining: 30", "x-ratelimit-remaining"), "9");
    assert_eq!(answer("x-ratelimit-remaining: many", "x-ratelimit-remaining"), "many");
    assert_eq!(answer("x-ratelimit-remaining: 3", "ratelimit"), r#""api";r=9;t=6"#);
    // One of the older ones is enough to make all of them theirs.
    let theirs = "x-ratelimit-limit: 5\nx-ratelimit-reset: 3600";
    assert_eq!(answer(theirs, "x-ratelimit-limit"), "5");
    assert_eq!(answer(theirs, "x-ratelimit-reset"), "3600");
    let theirs = "x-ratelimit-limit: 5\nx-ratelimit-remaining: 30\nx-ratelimit-reset: 3600";
    assert_eq!(answer(theirs, "x-ratelimit-remaining"), "9");
    assert_eq!(answer(theirs, "x-ratelimit-reset"), "3600");
    // A name may be a token, and an item of theirs has a policy of theirs.
    assert_eq!(answer("ratelimit: api;r=1;t=5", "ratelimit"), "api;r=1;t=5");
    assert_eq!(
        answer("ratelimit: \"own\";r=1, \"api\";r=1\nratelimit-policy: \"own\";q=1", "ratelimit-policy"),
        r#""own";q=1"#
    );
}

#[test]
fn when_other_workers_are_first_every_time_the_rule_says_which_way_it_goes() {
    for (words, expected) in [("refuse", Some(429)), ("admit", None)] {
        let bench =
            rule(&format!(r#""limits": [{{"requests": 5, "per": "1m"}}], "on_contention": "{words}""#));
        bench.request("GET /");
        bench.world.memory().lose(1_000);
        assert_eq!(bench.request("GET /").refused(), expected, "{words}");
        assert_eq!(bench.counter("rate-limit.contentions_total.api"), 1);
    }
}

fn another(bench: &Bench, form: Form, config: &str, plugin: &str) -> Bench {
    Bench::named(&bench.world, &KINDS, form, config, plugin).unwrap()
}

#[test]
fn workers_share_their_limits_and_a_new_configuration_finds_them_again() {
    let first = rule(r#""limits": [{"requests": 3, "per": "1m"}]"#);
    let same = r#"{"rules": [{"name": "api", "limits": [{"requests": 3, "per": "1m"}]}]}"#;
    let changed = r#"{"status": 503, "rules": [
        {"name": "new", "match": {"path": {"prefix": "/new"}}, "limits": [{"requests": 1, "per": "1m"}]},
        {"name": "api", "limits": [{"requests": 3, "per": "1m"}]}
    ]}"#;
    assert!(admitted(&first.request("GET /")));
    assert!(admitted(&another(&first, Form::Single, same, "plugin").request("GET /")));
    let updated = another(&first, Form::Single, changed, "plugin");
    assert!(admitted(&updated.request("GET /")));
    assert_eq!(updated.request("GET /").refused(), Some(503));
    assert_eq!(first.request("GET /").refused(), Some(429));
}

#[test]
fn two_plugins_share_a_limit_on_purpose_only() {
    let config = r#"{"rules": [{"name": "api", "limits": [{"requests": 1, "per": "1m"}]}]}"#;
    let chain = r#"{"chain": [{"rate-limit": {"rules": [{"name": "api", "limits": [{"requests": 1, "per": "1m"}]}]}}]}"#;
    let first = bench(config);
    assert!(admitted(&first.request("GET /")));
    assert!(!admitted(&another(&first, Form::Single, config, "plugin").request("GET /")));
    assert!(admitted(&another(&first, Form::Single, config, "other").request("GET /")), "another name");
    assert!(admitted(&another(&first, Form::Chain, chain, "plugin").request("GET /")), "a chain");
    first.world.set_property(&["xds", "listener_direction"], &[2, 0, 0, 0, 0, 0, 0, 0]);
    assert!(
        admitted(&another(&first, Form::Single, config, "plugin").request("GET /")),
        "the other direction"
    );

    let shared = r#"{"rules": [{"name": "api", "share": "all", "limits": [{"requests": 1, "per": "1m"}]}]}"#;
    let one = another(&first, Form::Single, shared, "one");
    let other = another(&first, Form::Single, shared, "other");
    assert!(admitted(&one.request("GET /")));
    assert!(!admitted(&other.request("GET /")));
}

#[test]
fn keys_of_other_sources_never_meet() {
    let by = |key: &str| {
        format!(
            r#"{{"rules": [{{"name": "api", "share": "s", "key": {key}, "limits": [{{"requests": 1, "per": "1m"}}]}}]}}"#
        )
    };
    let first = bench(&by(r#"{"header": "k"}"#));
    assert!(admitted(&first.request("GET /\nk: a")));
    let other = another(&first, Form::Single, &by(r#"{"header": "l"}"#), "plugin");
    assert!(admitted(&other.request("GET /\nl: a")));
}

#[test]
fn a_clock_that_is_turned_back_locks_nobody_out() {
    let bench = rule(r#""limits": [{"requests": 2, "per": "1m"}]"#);
    assert_eq!(admit(&bench, 5, "GET /"), 2);
    bench.world.turn_back(Duration::from_secs(100_000));
    assert!(!admitted(&bench.request("GET /")));
    bench.world.pass(Duration::from_secs(30));
    assert!(admitted(&bench.request("GET /")));
}

#[test]
fn memory_is_bounded_whoever_comes_and_evictions_are_counted() {
    let bench = rule(r#""key": {"header": "k"}, "clients": 100, "limits": [{"requests": 5, "per": "1h"}]"#);
    for client in 0..5_000 {
        bench.request(&format!("GET /\nk: {client}"));
    }
    // Seven blocks of 32 entries of two words, and the seed.
    assert!(bench.world.memory().bytes() <= 7 * (8 + 32 * 16) + 16);
    assert!(0 < bench.counter("rate-limit.evictions_total.api"));
}

#[test]
fn what_a_stranger_wrote_into_shared_data_is_replaced() {
    let bench = bench(ONE_A_MINUTE);
    bench.request("GET /\nk: a");
    bench.world.memory().overwrite(b"somebody else's");
    assert_eq!(admit(&bench, 3, "GET /\nk: a"), 1);
}

#[test]
fn a_request_with_one_header_key_costs_one_lookup_and_a_leased_one_no_shared_state() {
    let bench = bench(
        r#"{"headers": "none", "rules": [{"name": "api", "key": {"header": "k"}, "limits": [{"requests": 1000000, "per": "1s"}]}]}"#,
    );
    bench.request("GET /\nk: a");
    let (lookups, reads) = (bench.world.lookups(), bench.world.memory().reads());
    bench.request("GET /\nk: a");
    assert_eq!((bench.world.lookups() - lookups, bench.world.memory().reads() - reads), (1, 0));
}

proptest! {
    #[test]
    fn hostile_requests_never_panic_and_the_limit_still_works(
        request in prop::collection::vec(any::<u8>(), 0..300),
        header in prop::collection::vec(0x20_u8..=0xff, 0..40),
    ) {
        let bench = bench(r#"{"rules": [
            {"name": "a", "match": {"path": {"template": "/a/{id}"}, "query": [{"name": "q", "contains": "x"}]},
             "key": ["client_ip", {"header": "k"}, {"cookie": "c"}, {"query": "q"}, "path", "host", "method"],
             "cost": {"header": "cost", "max": 3}, "concurrency": 3, "limits": [{"requests": 3, "per": "1m"}]},
            {"name": "b", "key": {"header": "k"}, "limits": [{"requests": 1, "per": "1m"}]}
        ]}"#);
        bench.send(&request, true).respond("200").end();
        for name in ["k", "cookie", "cost", ":path", "host", "content-type", "x-forwarded-for"] {
            let mut text = format!("GET /a/b?q=x\n{name}: ").into_bytes();
            text.extend_from_slice(&header);
            bench.send(&text, true).respond("200").end();
        }
        prop_assert!(admitted(&bench.request("GET /\nk: fresh")));
        prop_assert!(!admitted(&bench.request("GET /\nk: fresh")));
    }

    #[test]
    fn any_configuration_is_accepted_or_refused_with_a_sentence(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        let world = Rc::new(World::default());
        if let Err(problems) = Bench::within(&world, &KINDS, Form::Single, &String::from_utf8_lossy(&bytes)) {
            prop_assert!(!problems.is_empty());
        }
    }
}
