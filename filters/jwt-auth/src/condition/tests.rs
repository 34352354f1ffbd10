//! What conditions hold for, and what an operator reads whose condition can't be read.

use expect_test::{Expect, expect};
use kit::config::read_value;
use kit::value::json;
use proptest::prelude::*;
#[cfg(target_arch = "wasm32")]
use wasm_bindgen_test::wasm_bindgen_test as test;

use super::*;

const PROVIDERS: [&str; 2] = ["corp", "partner"];

fn read(text: &str) -> Value {
    json(text.as_bytes(), 32).unwrap()
}

fn condition(text: &str) -> Condition {
    match read_value(&read(text), |node| Condition::parse(node, &PROVIDERS)) {
        Ok(condition) => condition,
        Err(problems) => panic!("{text}: {problems}"),
    }
}

#[track_caller]
fn refuses(text: &str, expected: Expect) {
    let problems = read_value(&read(text), |node| Condition::parse(node, &PROVIDERS)).unwrap_err();
    expected.assert_eq(&problems.to_string());
}

/// What a condition says of a token of the first provider.
fn check(written: &str, payload: &str) -> Result<(), Reason> {
    condition(written).check(0, &read(payload))
}

const FORBIDDEN: Result<(), Reason> = Err(Reason::Forbidden);
const SCOPE: Result<(), Reason> = Err(Reason::Scope);

#[test]
fn any_valid_token_will_do_where_no_more_is_asked() {
    assert_eq!(check(r#""token""#, "{}"), Ok(()));
}

#[test]
fn a_provider_is_known_by_its_name() {
    let partner = condition(r#"{"provider":"partner"}"#);
    assert_eq!(partner, Condition::Provider(1));
    assert_eq!(partner.check(1, &read("{}")), Ok(()));
    assert_eq!(partner.check(0, &read(r#"{"provider":"partner","iss":"partner"}"#)), FORBIDDEN);
}

#[test]
fn a_scope_is_one_of_the_token_and_compared_as_a_whole() {
    for (payload, verdict) in [
        (r#"{"scope":"user admin"}"#, Ok(())),
        (r#"{"scope":["user","admin"]}"#, Ok(())),
        (r#"{"scp":["admin"]}"#, Ok(())),
        (r#"{"scp":"admin"}"#, Ok(())),
        (r#"{"scope":"user","scp":["admin"]}"#, Ok(())),
        (r#"{"scope":"Admin"}"#, SCOPE),
        (r#"{"scope":"admins"}"#, SCOPE),
        (r#"{"scope":"no-admin"}"#, SCOPE),
        (r#"{"scope":"admin:read"}"#, SCOPE),
        (r#"{"scope":"user,admin"}"#, SCOPE),
        (r#"{"scope":"user\nadmin"}"#, SCOPE),
        (r#"{"scope":["user admin"]}"#, SCOPE),
        (r#"{"scope":[["admin"]]}"#, SCOPE),
        (r#"{"scope":{"admin":true}}"#, SCOPE),
        (r#"{"scopes":"admin"}"#, SCOPE),
        ("{}", SCOPE),
    ] {
        assert_eq!(check(r#"{"scope":"admin"}"#, payload), verdict, "{payload}");
    }
}

#[test]
fn claims_are_compared_by_kind_and_value() {
    let holds = |test: &str, claim: &str| {
        check(&format!(r#"{{"claim":"c",{test}}}"#), &format!(r#"{{"c":{claim}}}"#)).is_ok()
    };
    for (test, holding, not) in [
        (
            r#""equals":"gold""#,
            &[r#""gold""#, r#""\u0067old""#][..],
            &[r#""Gold""#, r#""golden""#, r#"["gold"]"#, "null", r#""""#, r#"{"gold":1}"#][..],
        ),
        (
            r#""equals":5"#,
            &["5", "5.0", "5e0", "0.5e1"],
            &[r#""5""#, "5.1", "-5", "true", "[5]", "18446744073709551621"],
        ),
        (r#""equals":1"#, &["1"], &["true", r#""1""#]),
        (r#""equals":0"#, &["0", "-0", "-0.0", "0e5"], &["false", "null", r#""""#, "1e-300"]),
        (r#""equals":-1.5"#, &["-1.5", "-15e-1"], &["1.5", "-1.50001", "-1"]),
        (r#""equals":true"#, &["true"], &["false", "1", r#""true""#]),
        (r#""equals":"""#, &[r#""""#], &["null", "[]", "false", "0"]),
        (
            r#""equals":9007199254740993"#,
            &["9007199254740993"],
            &["9007199254740992", "9007199254740993.0", "9007199254740992.0", "9007199254740994"],
        ),
        (r#""one_of":["gold",7,true]"#, &[r#""gold""#, "7", "true"], &[r#""7""#, r#"["gold"]"#, "false"]),
        (
            r#""contains":"admin""#,
            &[r#"["user","admin"]"#, r#"["admin"]"#],
            &[r#""admin""#, r#""user admin""#, r#"["admins"]"#, r#"[["admin"]]"#, r#"{"admin":1}"#, "[]"],
        ),
        (r#""contains":7"#, &["[7]", "[7.0]"], &["7", r#"["7"]"#, "[77]", "[[7]]"]),
        (
            r#""prefix":"eu-""#,
            &[r#""eu-west""#, r#""eu-""#],
            &[r#""eu""#, r#""EU-west""#, r#"["eu-west"]"#, "1"],
        ),
        (
            r#""at_least":3"#,
            &["3", "3.0", "3.1", "1e300"],
            &["2", "2.999999", r#""3""#, "[3]", "true", "-1e300"],
        ),
        (r#""at_most":3"#, &["3", "2.9", "-1e300"], &["3.1", "4", "1e300", "null"]),
        (r#""above":3"#, &["3.000001", "4"], &["3", "3.0", "2"]),
        (r#""below":3"#, &["2.999999", "-4"], &["3", "3.0", "4", r#""2""#]),
        (r#""above":1.5"#, &["2", "1.75"], &["1", "1.5", "1.25"]),
        (
            r#""at_least":9007199254740993"#,
            &["9007199254740993", "9007199254740994.0"],
            &["9007199254740992.0"],
        ),
        (r#""present":true"#, &[r#""""#, "0", "false", "[]", "{}"], &["null"]),
    ] {
        for claim in holding {
            assert!(holds(test, claim), "{test} for {claim}");
        }
        for claim in not {
            assert!(!holds(test, claim), "{test} not for {claim}");
        }
        let absent = check(&format!(r#"{{"claim":"c",{test}}}"#), r#"{"C":"gold"}"#);
        assert_eq!(absent, FORBIDDEN, "{test} of a claim that is absent");
    }
    let inner = r#"{"claim":["realm_access","roles"],"contains":"admin"}"#;
    assert_eq!(check(inner, r#"{"realm_access":{"roles":["admin"]}}"#), Ok(()));
    assert_eq!(check(inner, r#"{"realm_access.roles":["admin"],"roles":["admin"]}"#), FORBIDDEN);
}

#[test]
fn a_refusal_says_whether_other_scopes_would_be_enough() {
    let all = r#"{"all":[{"provider":"corp"},{"scope":"admin"},{"scope":"write"},
        {"any":[{"claim":"tier","one_of":["gold"]},{"claim":"level","at_least":3}]}]}"#;
    for (payload, verdict) in [
        (r#"{"scope":"admin write","level":3}"#, Ok(())),
        (r#"{"scope":"admin write","tier":"gold"}"#, Ok(())),
        (r#"{"scope":"admin","tier":"gold"}"#, SCOPE),
        (r#"{"tier":"gold"}"#, SCOPE),
        (r#"{"scope":"admin write"}"#, FORBIDDEN),
        ("{}", FORBIDDEN),
    ] {
        assert_eq!(check(all, payload), verdict, "{payload}");
        let other = condition(all).check(1, &read(payload));
        assert_eq!(other, FORBIDDEN, "{payload} of another provider");
    }
    let any = r#"{"any":[{"scope":"admin"},{"all":[{"scope":"write"},{"claim":"tier","equals":"gold"}]}]}"#;
    for (payload, verdict) in [
        (r#"{"scope":"admin"}"#, Ok(())),
        (r#"{"scope":"write","tier":"gold"}"#, Ok(())),
        (r#"{"scope":"write"}"#, SCOPE),
        (r#"{"tier":"gold"}"#, SCOPE),
    ] {
        assert_eq!(check(any, payload), verdict, "{payload}");
    }
    assert_eq!(check(r#"{"any":[{"provider":"partner"},{"claim":"x","present":true}]}"#, "{}"), FORBIDDEN);
    assert_eq!(check(r#"{"any":[{"provider":"partner"},"token"]}"#, "{}"), Ok(()));
}

#[test]
fn says_what_a_condition_can_be() {
    refuses(
        r#""admin""#,
        expect![[
            r#""admin" is not a condition; write token, which is any valid token, or an object (example: {scope: admin})"#
        ]],
    );
    refuses("5", expect!["expected an object, found number 5"]);
    refuses("[]", expect!["is a list; write {all: [...]}, or {any: [...]} if one of them will do"]);
    refuses(
        r#"[{"scope":"admin"}]"#,
        expect!["is a list; write {all: [...]}, or {any: [...]} if one of them will do"],
    );
    refuses("{}", expect!["needs one of all, any, provider, scope, claim"]);
    refuses(r#"{"scop":"admin"}"#, expect![[r#"scop: unknown field, did you mean "scope"?"#]]);
    refuses(
        r#"{"role":"admin"}"#,
        expect![
            "role: unknown field (known: all, any, provider, scope, claim, equals, one_of, contains, prefix, at_least, at_most, above, below, present)"
        ],
    );
    refuses(
        r#"{"not":{"scope":"admin"}}"#,
        expect![
            "not: unknown field (known: all, any, provider, scope, claim, equals, one_of, contains, prefix, at_least, at_most, above, below, present)"
        ],
    );
    refuses(r#"{"scope":null}"#, expect!["scope: has no value; remove it or give one"]);
    refuses(r#"{"scope":"admin","scope":"user"}"#, expect!["scope: occurs twice"]);
    refuses(
        r#"{"scope":"admin","provider":"corp"}"#,
        expect!["has several conditions; write {all: [{provider: ...}, {scope: ...}]}"],
    );
    refuses(r#"{"all":[]}"#, expect!["all: must not be empty"]);
    refuses(r#"{"any":{"scope":"admin"}}"#, expect!["any: expected a list, found an object; write [{...}]"]);
}

#[test]
fn says_what_is_wrong_with_a_provider_or_scope() {
    refuses(
        r#"{"provider":"crop"}"#,
        expect![[r#"provider: "crop" is not the name of a provider; did you mean "corp"?"#]],
    );
    refuses(
        r#"{"provider":"google"}"#,
        expect![[r#"provider: "google" is not the name of a provider (providers: corp, partner)"#]],
    );
    refuses(
        r#"{"provider":"Corp"}"#,
        expect![[r#"provider: "Corp" is not the name of a provider; did you mean "corp"?"#]],
    );
    refuses(
        r#"{"provider":["corp"]}"#,
        expect!["provider: is a list; write {any: [{provider: ...}, ...]}, or `all` for `any`"],
    );
    refuses(
        r#"{"scope":"read write"}"#,
        expect![[r#"scope: "read write" is several scopes; write {all: [{scope: read}, {scope: write}]}"#]],
    );
    refuses(
        r#"{"scope":["read","write"]}"#,
        expect!["scope: is a list; write {any: [{scope: ...}, ...]}, or `all` for `any`"],
    );
    refuses(
        r#"{"scope":"a\"b"}"#,
        expect![[r#"scope: "a\"b" is not a scope: ASCII without spaces, quotes and backslashes"#]],
    );
    refuses(
        r#"{"scope":"zoë"}"#,
        expect![[r#"scope: "zoë" is not a scope: ASCII without spaces, quotes and backslashes"#]],
    );
    refuses(
        r#"{"scope":" "}"#,
        expect![[r#"scope: " " is not a scope: ASCII without spaces, quotes and backslashes"#]],
    );
    refuses(r#"{"scope":""}"#, expect!["scope: must not be empty"]);
}

#[test]
fn says_what_is_wrong_with_a_test_of_a_claim() {
    refuses(
        r#"{"claim":"tier"}"#,
        expect![
            "needs one of equals, one_of, contains, prefix, at_least, at_most, above, below, present beside `claim`"
        ],
    );
    refuses(
        r#"{"claim":"tier","equal":"gold"}"#,
        expect![[r#"equal: unknown field, did you mean "equals"?"#]],
    );
    refuses(r#"{"clam":"tier","equals":"gold"}"#, expect![[r#"clam: unknown field, did you mean "claim"?"#]]);
    refuses(r#"{"equals":"gold"}"#, expect!["needs a `claim` that is tested"]);
    refuses(r#"{"scope":"admin","equals":"gold"}"#, expect!["needs a `claim` that is tested"]);
    refuses(
        r#"{"claim":"level","at_least":3,"below":10}"#,
        expect!["has several tests; write {all: [{claim: ..., at_least: ...}, {claim: ..., below: ...}]}"],
    );
    refuses(r#"{"claim":"tier","equals":null}"#, expect!["equals: has no value; remove it or give one"]);
    refuses(
        r#"{"claim":"tier","equals":["gold"]}"#,
        expect!["equals: expected text, a number or a boolean, found a list"],
    );
    refuses(r#"{"claim":"tier","one_of":[]}"#, expect!["one_of: must not be empty"]);
    refuses(
        r#"{"claim":"tier","one_of":"gold"}"#,
        expect![[r#"one_of: expected a list, found text "gold"; write ["gold"]"#]],
    );
    refuses(
        r#"{"claim":"tier","contains":{"x":1}}"#,
        expect!["contains: expected text, a number or a boolean, found an object"],
    );
    refuses(r#"{"claim":"tier","prefix":""}"#, expect!["prefix: must not be empty"]);
    refuses(
        r#"{"claim":"tier","prefix":5}"#,
        expect![[r#"prefix: expected text, found number 5; write "5""#]],
    );
    refuses(
        r#"{"claim":"level","at_least":"3"}"#,
        expect![[r#"at_least: "3" is text; write 3 without quotes"#]],
    );
    refuses(r#"{"claim":"level","at_least":"high"}"#, expect!["at_least: expected a number, found text"]);
    refuses(r#"{"claim":"level","below":true}"#, expect!["below: expected a number, found a boolean"]);
    refuses(
        r#"{"claim":"org","equals":9007199254740993.0}"#,
        expect![
            "equals: 9007199254740994.0 may not be what you wrote: a float has room for 15 digits, and YAML makes floats of numbers; JSON has room for 19 in a number without point and exponent"
        ],
    );
    refuses(
        r#"{"claim":"tier","present":false}"#,
        expect!["present: must be true; that a claim is absent can't be required"],
    );
    refuses(
        r#"{"claim":"tier","present":"true"}"#,
        expect![[r#"present: "true" is text; write true without quotes"#]],
    );
    refuses(r#"{"claim":[],"present":true}"#, expect!["claim: must not be empty"]);
}

#[test]
fn all_problems_are_told_at_once() {
    refuses(
        r#"{"all":[
            {"scope":"read write"},
            {"provider":"crop","scope":5},
            {"claim":"","at_leas":3},
            {"any":["tokn",{"claim":["a",1],"one_of":["x",null,1e300],"above":"1"}]},
            7
        ],"clim":"x"}"#,
        expect![[r#"
            clim: unknown field, did you mean "claim"?
            all[0].scope: "read write" is several scopes; write {all: [{scope: read}, {scope: write}]}
            all[1].provider: "crop" is not the name of a provider; did you mean "corp"?
            all[1].scope: expected text, found number 5; write "5"
            all[1]: has several conditions; write {all: [{provider: ...}, {scope: ...}]}
            all[2].at_leas: unknown field, did you mean "at_least"?
            all[2].claim: must not be empty
            all[3].any[0]: "tokn" is not a condition; write token, which is any valid token, or an object (example: {scope: admin})
            all[3].any[1].one_of[1]: expected text, a number or a boolean, found null
            all[3].any[1].one_of[2]: (more than 18446744073709551615) may not be what you wrote: a float has room for 15 digits, and YAML makes floats of numbers; JSON has room for 19 in a number without point and exponent
            all[3].any[1].above: "1" is text; write 1 without quotes
            all[3].any[1].claim[1]: expected text, found number 1; write "1"
            all[3].any[1]: has several tests; write {all: [{claim: ..., one_of: ...}, {claim: ..., above: ...}]}
            all[4]: expected an object, found number 7"#]],
    );
}

proptest! {
    #[test]
    fn numbers_compare_as_integers_do(bound: i64, claim: i64, near in -2..=2_i64) {
        for claim in [claim, bound.saturating_add(near)] {
            for (test, holds) in [
                ("at_least", claim >= bound),
                ("at_most", claim <= bound),
                ("above", claim > bound),
                ("below", claim < bound),
                ("equals", claim == bound),
            ] {
                let verdict =
                    check(&format!(r#"{{"claim":"c","{test}":{bound}}}"#), &format!(r#"{{"c":{claim}}}"#));
                prop_assert_eq!(verdict.is_ok(), holds, "{} {} {}", claim, test, bound);
            }
        }
    }

    #[test]
    fn arbitrary_conditions_never_panic(
        text in "\\{(\"(all|any|scope|provider|claim|equals|above|present)\":(\"[a-z ]{0,5}\"|[0-9]{1,25}|\\[\"token\"\\]|true|null),?){0,4}\\}",
    ) {
        if let Ok(value) = json(text.as_bytes(), 32)
            && let Ok(condition) = read_value(&value, |node| Condition::parse(node, &PROVIDERS))
        {
            let payload = read(r#"{"scope":"a","a":1}"#);
            prop_assert!(condition.check(0, &payload).is_ok() || condition.check(0, &payload).is_err());
        }
    }
}
