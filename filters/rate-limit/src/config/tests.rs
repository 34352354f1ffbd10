//! What an operator reads when something is wrong: all of it at once, with its place and what to type.

use expect_test::{Expect, expect};
use kit::testing::Bench;
#[cfg(target_arch = "wasm32")]
use wasm_bindgen_test::wasm_bindgen_test as test;

use crate::KIND;

static KIND_OF_TEST: kit::filter::Kind = KIND;

#[track_caller]
fn check(config: &str, expected: Expect) {
    match Bench::new(&KIND_OF_TEST, config) {
        Ok(_) => panic!("accepted: {config}"),
        Err(problems) => expected.assert_eq(&problems),
    }
}

#[track_caller]
fn check_rule(fields: &str, expected: Expect) {
    check(&format!(r#"{{"rules": [{{"name": "api", {fields}}}]}}"#), expected);
}

#[test]
fn nothing_at_all_is_refused() {
    check("", expect!["rules: is required"]);
    check("{}", expect!["rules: is required"]);
    check(r#"{"rules": []}"#, expect!["rules: must not be empty"]);
    check(
        "not json",
        expect![
            "the configuration is not JSON: expected ident at line 1 column 2; use JSON, or give the configuration as a google.protobuf.Struct to write YAML"
        ],
    );
}

#[test]
fn all_problems_are_told_at_once() {
    check(
        r#"{"mode": "dry-run", "headers": "drafts", "status": 200, "rules": [
            {"name": "Log in", "limits": [{"request": 5, "per": "1 minit"}]},
            {"name": "api", "key": {"heder": "x"}, "limits": [{"requests": 1.5, "per": "0s", "burst": 0}], "cost": 0}
        ], "jitter": "200%"}"#,
        expect![[r#"
            mode: "dry-run" is not one of enforce, shadow
            headers: "drafts" is not one of draft, legacy, both, none; did you mean "draft"?
            status: must be between 400 and 599, got 200
            jitter: "200%" is more than 100%
            rules[0].name: "Log in" is not a name: a letter or digit, then up to 63 more, _ or -, all lower case; "log-in" would do
            rules[0].limits[0].per: "1 minit" is not a duration (examples: 250ms, 10s, 5m; units: ns, us, ms, s, m, h, d)
            rules[0].limits[0].request: unknown field, did you mean "requests"?
            rules[1].key.heder: unknown field, did you mean "header"?
            rules[1].cost: must be between 1 and 1000000, got 0
            rules[1].limits[0].requests: must be a whole number, got 1.5
            rules[1].limits[0].per: must be between 1ms and 366d, got "0s"
            rules[1].limits[0].burst: must be between 1 and 1000000000, got 0"#]],
    );
}

#[test]
fn a_rule_must_limit_something() {
    check_rule(
        r#""key": "client_ip""#,
        expect!["rules[0]: limits nothing; give it `limits` or `concurrency`"],
    );
    check_rule(r#""limits": []"#, expect!["rules[0].limits: must not be empty"]);
}

#[test]
fn a_cost_that_could_never_be_paid_is_refused() {
    check_rule(
        r#""limits": [{"requests": 5, "per": "1m"}], "cost": 10"#,
        expect![
            "rules[0].limits[0]: a request that costs 10 would never be admitted: only 5 can be spent at once; raise `burst` to 10 at least"
        ],
    );
    check_rule(
        r#""limits": [{"requests": 5, "per": "1m", "burst": 3}], "cost": 4"#,
        expect![
            "rules[0].limits[0].burst: a request that costs 4 would never be admitted: only 3 can be spent at once; raise `burst` to 4 at least"
        ],
    );
}

#[test]
fn a_burst_that_would_take_years_to_come_back_is_refused() {
    check_rule(
        r#""limits": [{"requests": 1, "per": "366d", "burst": 100}]"#,
        expect![
            "rules[0].limits[0]: the burst would take more than ten years to come back; lower `burst` or raise `requests`"
        ],
    );
}

#[test]
fn two_rules_of_one_name_are_refused() {
    check(
        r#"{"rules": [
            {"name": "api", "match": {"methods": ["GET"]}, "limits": [{"requests": 1, "per": "1m"}]},
            {"name": "api", "limits": [{"requests": 2, "per": "1m"}]}
        ]}"#,
        expect![[r#"rules[1]: another rule is called "api"; names must differ"#]],
    );
}

#[test]
fn overrides_need_a_key_and_fit_its_sources() {
    check_rule(
        r#""limits": [{"requests": 1, "per": "1m"}], "overrides": [{"key": "a", "unlimited": true}]"#,
        expect!["rules[0].overrides: needs a `key` in the rule: its values are what overrides are for"],
    );
    check_rule(
        r#""key": ["method", {"header": "k"}], "limits": [{"requests": 1, "per": "1m"}], "overrides": [
            {"key": "a", "unlimited": true},
            {"key": ["GET", "a"], "unlimited": true},
            {"key": ["GET", "a"], "limits": [{"requests": 1, "per": "1m"}]},
            {"key": ["GET", "b"]},
            {"key": ["GET", "c"], "unlimited": "yes"}
        ]"#,
        expect![[r#"
            rules[0].overrides[0].key: must have one value for each source of the key, in order: [<method>, <header>]; got 1
            rules[0].overrides[3]: limits nothing; give it `limits` or `concurrency`
            rules[0].overrides[4].unlimited: expected true or false, found text "yes""#]],
    );
}

#[test]
fn what_has_no_effect_or_does_not_go_together_is_refused() {
    check_rule(
        r#""limits": [{"requests": 1, "per": "1m"}], "on_missing_key": "skip", "concurrency_timeout": "1m""#,
        expect![[r#"
            rules[0].concurrency_timeout: has no effect without `concurrency`
            rules[0]: says `on_missing_key`, but has no `key` that a request could lack"#]],
    );
    check_rule(
        r#""key": "method", "limits": [{"requests": 1, "per": "1m"}], "overrides": [
            {"key": "GET", "unlimited": true, "limits": [{"requests": 1, "per": "1m"}]}
        ], "cost": {"header": "x-cost", "max": 1, "default": 2}"#,
        expect![[r#"
            rules[0].cost: has a `default` of 2, which is more than its `max` of 1
            rules[0].overrides[0].limits: has no place beside `unlimited: true`; remove one of them"#]],
    );
    check(
        r#"{"rules": [
            {"name": "a", "match": {"methods": ["GET"]}, "share": "s", "limits": [{"requests": 1, "per": "1m"}]},
            {"name": "b", "share": "s", "limits": [{"requests": 1, "per": "1m"}], "clients": 5}
        ]}"#,
        expect![[r#"
            rules[1]: shares its state with rule "a", and must have as many `limits` and `clients`, and `concurrency` and `count` if that has them"#]],
    );
}

#[test]
fn rules_that_share_have_entries_of_one_shape() {
    // Four words each, but not the same four.
    let limits = r#"{"requests": 5, "per": "1m"}, {"requests": 5, "per": "2m"}, {"requests": 5, "per": "3m"}, {"requests": 5, "per": "4m"}"#;
    check(
        &format!(
            r#"{{"rules": [
                {{"name": "a", "match": {{"methods": ["GET"]}}, "share": "s", "limits": [{limits}]}},
                {{"name": "b", "share": "s", "concurrency": 2}}
            ]}}"#
        ),
        expect![[r#"
            rules[1]: shares its state with rule "a", and must have as many `limits` and `clients`, and `concurrency` and `count` if that has them"#]],
    );
}

#[test]
fn a_rule_that_is_never_reached_and_a_cost_of_nothing_are_refused() {
    check(
        r#"{"rules": [
            {"name": "all", "limits": [{"requests": 1, "per": "1m"}]},
            {"name": "login", "match": {"path": {"exact": "/login"}}, "concurrency": 1, "cost": 2}
        ]}"#,
        expect![[r#"
            rules[1]: has a `cost` or a `count`, but no `limits` that could be charged
            rules[1]: is never reached: rule "all" before it matches everything; move that to the end"#]],
    );
    check(
        r#"{"rules": [
            {"name": "all", "limits": [{"requests": 1, "per": "1m"}]},
            {"name": "login", "match": {"path": {"exact": "/login"}}, "concurrency": 1}
        ]}"#,
        expect![[r#"
            rules[1]: is never reached: rule "all" before it matches everything; move that to the end"#]],
    );
}

#[test]
fn one_wrong_letter_is_one_problem() {
    check_rule(
        r#""limit": [{"requests": 5, "per": "1m"}], "count": {"responses": [401]}"#,
        expect![[r#"rules[0].limit: unknown field, did you mean "limits"?"#]],
    );
}

#[test]
fn two_overrides_for_one_key_are_refused() {
    check_rule(
        r#""key": "method", "limits": [{"requests": 1, "per": "1m"}], "overrides": [
            {"key": "GET", "unlimited": true}, {"key": ["GET"], "concurrency": 1}
        ]"#,
        expect!["rules[0].overrides[1]: another override is for the same key"],
    );
}

#[test]
fn what_count_and_cost_do_not_understand_is_refused() {
    check_rule(
        r#""limits": [{"requests": 1, "per": "1m"}], "count": {"responses": [401, 99, "4xx"], "reserv": true}"#,
        expect![[r#"
            rules[0].count.responses[1]: must be between 200 and 599, got 99
            rules[0].count.responses[2]: expected a whole number, found text "4xx"
            rules[0].count.reserv: unknown field, did you mean "reserve"?"#]],
    );
    check_rule(
        r#""limits": [{"requests": 5, "per": "1m"}], "count": {"responses": [401]}, "cost": {"header": "x-cost", "max": 5}"#,
        expect![
            "rules[0]: charges responses (`count`) by a header of the request (`cost`); give it a fixed `cost`"
        ],
    );
    check_rule(
        r#""limits": [{"requests": 1, "per": "1m"}], "cost": {"header": "x cost"}"#,
        expect![[r#"
        rules[0].cost.header: "x cost" is not the name of a header: letters, digits and any of !#$%&'*+-.^_`|~
        rules[0].cost.max: is required"#]],
    );
}

#[test]
fn more_limits_than_an_entry_has_room_for_are_refused() {
    let limits = [r#"{"requests": 1, "per": "1m"}"#; 5].join(", ");
    check_rule(&format!(r#""limits": [{limits}]"#), expect!["rules[0].limits: has 5 limits; 4 at the most"]);
}

#[test]
fn whole_numbers_may_come_as_floats_and_fields_may_be_left_out() {
    for config in [
        r#"{"rules": [{"name": "a", "limits": [{"requests": 100.0, "per": "1m"}]}]}"#,
        r#"{"rules": [{"name": "a", "limits": [{"requests": 1e+06, "per": "1s"}]}], "status": 429.0}"#,
        r#"{"rules": [{"name": "a", "concurrency": 10}]}"#,
        r#"{"rules": [{"name": "a", "concurrency": 0}]}"#,
        r#"{"rules": [{"name": "a", "limits": [{"requests": 0, "per": "1m"}]}]}"#,
    ] {
        match Bench::new(&KIND_OF_TEST, config) {
            Ok(_) => {}
            Err(problems) => assert_eq!(config, problems),
        }
    }
}
