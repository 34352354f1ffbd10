//! Every message, and that all of them come at once.

use std::fmt;
use std::time::Duration;

use expect_test::{Expect, expect};
use proptest::prelude::*;
#[cfg(target_arch = "wasm32")]
use wasm_bindgen_test::wasm_bindgen_test as test;

use super::words::nearest;
use super::*;

const SECOND: Duration = Duration::from_secs(1);
const DAY: Duration = Duration::from_secs(86_400);

#[test]
fn reads_a_configuration() {
    let read = read(
        br#"{"rules": [{"name": "login", "limits": [{"requests": 1e+02, "per": "1m30s"}], "mode": "shadow"}]}"#,
        rules,
    );
    assert_eq!(read, Ok(vec!["login shadow 100/90s".to_owned()]));
}

#[test]
fn reports_every_problem_at_once_with_its_path() {
    check(
        r#"{
            "rules": [
                {"name": "login", "limits": []},
                {"name": "Log In", "limits": [{"requests": 0, "per": "1 minit"}], "mode": "enforced"},
                {"limts": [], "limits": [{"requests": "5", "per": 5, "per": null}, 7], "mode": null}
            ],
            "rule": [],
            "zzz": 1
        }"#,
        rules,
        expect![[r#"
            rules[0].limits: must not be empty
            rules[1].name: "Log In" is not a name: a letter or digit, then up to 63 more, _ or -, all lower case; "log-in" would do
            rules[1].limits[0].requests: must be between 1 and 1000, got 0
            rules[1].limits[0].per: "1 minit" is not a duration (examples: 250ms, 10s, 5m; units: ns, us, ms, s, m, h, d)
            rules[1].mode: "enforced" is not one of enforce, shadow; did you mean "enforce"?
            rules[2].name: is required
            rules[2].limits[0].requests: "5" is text; write 5 without quotes
            rules[2].limits[0].per: 5 has no unit (examples: 250ms, 10s, 5m)
            rules[2].limits[0].per: occurs twice
            rules[2].limits[1]: expected an object, found number 7
            rules[2].mode: has no value; remove it or give one
            rules[2].limts: unknown field, did you mean "limits"?
            rule: unknown field, did you mean "rules"?
            zzz: unknown field (known: rules)"#]],
    );
}

#[test]
fn reports_a_document_that_cannot_be_read() {
    check("[]", rules, expect!["expected an object, found a list"]);
    check("{,", rules, expect!["the configuration is not JSON: key must be a string at line 1 column 2"]);
    check("{}", rules, expect!["rules: is required"]);
    check("{}", |_| None::<()>, expect!["the configuration cannot be used"]);
}

#[test]
fn says_what_was_found_instead() {
    let found = |value: &str, expected: Expect| check_item(value, |node| node.object().map(|_| ()), expected);
    found("null", expect!["[0]: expected an object, found null"]);
    found("true", expect!["[0]: expected an object, found true"]);
    found("1.50", expect!["[0]: expected an object, found number 1.5"]);
    found("[]", expect!["[0]: expected an object, found a list"]);
    found(r#""a\nb\"""#, expect![[r#"[0]: expected an object, found text "a\nb\"""#]]);
    let long = format!(r#""{}""#, "é".repeat(100));
    found(
        &long,
        expect![[
            r#"[0]: expected an object, found text "éééééééééééééééééééééééééééééééééééééééééééééééééééééééééééééééééééééééééééééééé"…"#
        ]],
    );
    check_item(
        "{}",
        |node| node.list().map(drop),
        expect!["[0]: expected a list, found an object; write [{...}]"],
    );
    check_item(
        r#""GET""#,
        |node| node.list().map(drop),
        expect![[r#"[0]: expected a list, found text "GET"; write ["GET"]"#]],
    );
    check_item(
        "5",
        |node| node.non_empty_list().map(drop),
        expect!["[0]: expected a list, found number 5; write [5]"],
    );
    check_item("null", |node| node.list().map(drop), expect!["[0]: expected a list, found null"]);
    check_item(r#""""#, |node| node.non_empty_text().map(drop), expect!["[0]: must not be empty"]);
    let choice = |node: &Node<'_>| node.choice(&[("draft", ()), ("none", ())]);
    check_item("true", choice, expect!["[0]: expected one of draft, none, found true"]);
    check_item("5", choice, expect!["[0]: expected one of draft, none, found number 5"]);
    check_item(
        r#""nine""#,
        choice,
        expect![[r#"[0]: "nine" is not one of draft, none; did you mean "none"?"#]],
    );
    check_item(
        "5",
        |node| node.text().map(drop),
        expect![[r#"[0]: expected text, found number 5; write "5""#]],
    );
    check_item(
        "true",
        |node| node.text().map(drop),
        expect![[r#"[0]: expected text, found true; write "true""#]],
    );
    check_item("[]", |node| node.text().map(drop), expect!["[0]: expected text, found a list"]);
    check_item(
        r#""true""#,
        |node| node.boolean().map(drop),
        expect![[r#"[0]: "true" is text; write true without quotes"#]],
    );
    check_item("0", |node| node.boolean().map(drop), expect!["[0]: expected true or false, found number 0"]);
    check_item("{}", |node| node.instant().map(drop), expect!["[0]: expected an instant, found an object"]);
    check_item(
        "1772323200",
        |node| node.instant().map(drop),
        expect!["[0]: 1772323200 is not an instant (example: 2026-03-01T00:00:00Z)"],
    );
    check_item(
        "0.5",
        |node| node.fraction().map(drop),
        expect!["[0]: 0.5 has no percent sign (examples: 5%, 0.05%, 100%)"],
    );
}

#[test]
fn one_mistake_is_one_problem() {
    let one_of = |value: &str, expected: Expect| {
        let parse = |node: &Node<'_>| {
            let mut object = node.object()?;
            let _name = object.required("name");
            object.one_of(&["exact", "prefix"], "needs exact or prefix", "takes only one").map(drop)
        };
        check_item(value, parse, expected);
    };
    one_of(r#"{"name": 1}"#, expect!["[0]: needs exact or prefix"]);
    one_of(r#"{"name": 1, "exact": 1}"#, expect![""]);
    one_of(
        r#"{"name": 1, "exact": 1, "prefix": 1, "regex": 1}"#,
        expect![[r#"
        [0]: takes only one
        [0].regex: unknown field (known: name, exact, prefix)"#]],
    );
    // It may be one of them.
    one_of(r#"{"name": 1, "regex": 1}"#, expect!["[0].regex: unknown field (known: name, exact, prefix)"]);
    one_of(r#"{"nam": 1, "exact": 1}"#, expect![[r#"[0].nam: unknown field, did you mean "name"?"#]]);
    one_of(
        r#"{"regex": 1}"#,
        expect![[r#"
        [0].name: is required
        [0].regex: unknown field (known: name, exact, prefix)"#]],
    );
    one_of(
        r#"{"nam": 1, "name": null, "exact": null}"#,
        expect![[r#"
        [0].name: has no value
        [0].exact: has no value; remove it or give one
        [0].nam: unknown field, did you mean "name"?"#]],
    );
}

#[test]
fn says_which_numbers_are_in_range() {
    let integer = |value: &str, expected: Expect| {
        check_item(value, |node| node.integer(1..=65_535).map(drop), expected)
    };
    integer("0", expect!["[0]: must be between 1 and 65535, got 0"]);
    integer("-5", expect!["[0]: must be between 1 and 65535, got -5"]);
    integer(
        "18446744073709551616",
        expect!["[0]: must be a whole number, got (more than 18446744073709551615)"],
    );
    integer("100.5", expect!["[0]: must be a whole number, got 100.5"]);
    integer(r#""five""#, expect![[r#"[0]: expected a whole number, found text "five""#]]);
    integer("65535.0", expect![""]);
    check_item("0", |node| node.integer(1..=u64::MAX).map(drop), expect!["[0]: must be at least 1, got 0"]);
    let duration = |value: &str, expected: Expect| {
        check_item(value, |node| node.duration(SECOND..=DAY).map(drop), expected)
    };
    duration(r#""0.5s""#, expect![[r#"[0]: must be between 1s and 1d, got "0.5s""#]]);
    duration(r#""25h""#, expect![[r#"[0]: must be between 1s and 1d, got "25h""#]]);
    duration(r#""24h""#, expect![""]);
    check_item(
        r#""0s""#,
        |node| node.duration(SECOND..=Duration::MAX).map(drop),
        expect![[r#"[0]: must be at least 1s, got "0s""#]],
    );
    let size =
        |value: &str, expected: Expect| check_item(value, |node| node.size(1..=65_536).map(drop), expected);
    size("65536", expect![""]);
    size("65537", expect!["[0]: must be between 1 and 64KiB, got 65537"]);
    size(r#""1MiB""#, expect![[r#"[0]: must be between 1 and 64KiB, got "1MiB""#]]);
    size("1.5", expect!["[0]: 1.5 is not a whole number of bytes"]);
}

#[test]
fn paths_quote_free_names_that_are_not_plain() {
    let parse = |node: &Node<'_>| {
        for (_, node) in node.object()?.entries() {
            node.list()?.iter().for_each(|item| item.refuse("is\nwrong"));
        }
        Some(())
    };
    check(
        r#"{"x-tier": [1], "a b": [1], "api.example.com": [1], "": [1], "\n\"": [1], "x-tier": [1]}"#,
        parse,
        expect![[r#"
            x-tier: occurs twice
            x-tier[0]: is wrong
            ["a b"][0]: is wrong
            ["api.example.com"][0]: is wrong
            [""][0]: is wrong
            ["\n\""][0]: is wrong"#]],
    );
}

#[test]
fn nothing_shows_what_is_confidential() {
    let document = r#"{"a": ["Hunter2", 77, {"hunter": "Hunter2"}, "77", "true"]}"#;
    let parse = |node: &Node<'_>| {
        for node in node.object()?.required("a")?.confidential().list()? {
            let _all_wrong = (node.list(), node.integer(1..=5), node.duration(SECOND..=DAY), node.name());
            let _all_wrong = (node.boolean(), node.choice(&[("hunter3", ())]));
        }
        Some(())
    };
    let problems = read(document.as_bytes(), parse).unwrap_err().to_string();
    assert!(!problems.contains("unter2") && !problems.contains("77"), "{problems}");
    expect![[r#"
        a[0]: expected a list, found text
        a[0]: expected a whole number, found text
        a[0]: this is not a duration (examples: 250ms, 10s, 5m; units: ns, us, ms, s, m, h, d)
        a[0]: this is not a name: a letter or digit, then up to 63 more, _ or -, all lower case
        a[0]: expected true or false, found text
        a[0]: this is not one of hunter3
        a[1]: expected a list, found a number
        a[1]: must be between 1 and 5
        a[1]: this has no unit (examples: 250ms, 10s, 5m)
        a[1]: expected text, found a number
        a[1]: expected true or false, found a number
        a[1]: expected one of hunter3, found a number
        a[2]: expected a list, found an object
        a[2]: expected a whole number, found an object
        a[2]: expected a duration, found an object
        a[2]: expected text, found an object
        a[2]: expected true or false, found an object
        a[2]: expected one of hunter3, found an object
        a[3]: expected a list, found text
        a[3]: expected a whole number, found text
        a[3]: this has no unit (examples: 250ms, 10s, 5m)
        a[3]: expected true or false, found text
        a[3]: this is not one of hunter3
        a[4]: expected a list, found text
        a[4]: expected a whole number, found text
        a[4]: this is not a duration (examples: 250ms, 10s, 5m; units: ns, us, ms, s, m, h, d)
        a[4]: expected true or false, found text
        a[4]: this is not one of hunter3"#]]
    .assert_eq(&problems);
}

#[test]
fn many_problems_are_counted_and_not_all_shown() {
    let document = format!(r#"{{"a": [{}0]}}"#, "0,".repeat(99));
    let parse = |node: &Node<'_>| {
        node.object()?.required("a")?.list()?.iter().for_each(|item| item.refuse("is wrong"));
        Some(())
    };
    let problems = read(document.as_bytes(), parse).unwrap_err();
    assert_eq!((problems.count(), problems.iter().count()), (100, 50));
    assert!(problems.to_string().ends_with("a[49]: is wrong\nand 50 more"));
}

#[test]
fn names_and_their_suggestions() {
    let (longest, too_long) = ("a".repeat(64), "a".repeat(65));
    let table = [
        ("login", true, Some("login")),
        ("0-a_b", true, Some("0-a_b")),
        (&longest, true, Some(longest.as_str())),
        (&too_long, false, Some(&longest)),
        ("Log In!", false, Some("log-in")),
        ("-a", false, Some("a")),
        ("ünïcode", false, Some("n-code")),
        ("", false, None),
        ("!?", false, None),
    ];
    for (text, is_name, suggestion) in table {
        assert_eq!((words::is_name(text), words::as_name(text).as_deref()), (is_name, suggestion), "{text}");
    }
}

#[test]
fn suggests_what_is_near() {
    let known = ["limits", "per", "mode", "trusted_hops"];
    let table = [
        ("limit", Some("limits")),
        ("limts", Some("limits")),
        ("Limits", Some("limits")),
        ("trusted-hops", Some("trusted_hops")),
        ("trustedHops", Some("trusted_hops")),
        ("mod", Some("mode")),
        ("pe", Some("per")),
        ("burst", None),
        ("", None),
    ];
    for (word, expected) in table {
        assert_eq!(nearest(word, &known), expected, "{word}");
    }
    assert_eq!(nearest("a", &[]), None);
}

proptest! {
    #[test]
    fn hostile_documents_never_panic_and_every_problem_is_one_line(
        name in ".{0,100}", text in ".{0,100}", any in prop::collection::vec(any::<u8>(), 0..64),
    ) {
        drop(read(&any, rules));
        let quote = |text: &String| serde_json::to_string(text).unwrap();
        let document = format!(r#"{{"rules": [{{{}: {}, "name": {1}, "mode": {1}}}]}}"#, quote(&name), quote(&text));
        if let Err(problems) = read(document.as_bytes(), rules) {
            for problem in problems.iter() {
                prop_assert!(!problem.to_string().contains(char::is_control));
            }
        }
    }
}

fn rules(node: &Node<'_>) -> Option<Vec<String>> {
    let mut object = node.object()?;
    let rules =
        object.required("rules").and_then(|node| node.non_empty_list()).and_then(|nodes| each(&nodes, rule));
    object.finish();
    rules
}

fn rule(node: &Node<'_>) -> Option<String> {
    let mut object = node.object()?;
    let name = object.required("name").and_then(|node| node.name());
    let limits = object
        .required("limits")
        .and_then(|node| node.non_empty_list())
        .and_then(|nodes| each(&nodes, limit));
    let mode =
        object.optional("mode").and_then(|node| node.choice(&[("enforce", "enforce"), ("shadow", "shadow")]));
    object.finish();
    Some(format!("{} {} {}", name?, mode?, limits?.join(",")))
}

fn limit(node: &Node<'_>) -> Option<String> {
    let mut object = node.object()?;
    let requests = object.required("requests").and_then(|node| node.integer(1..=1_000));
    let per = object.required("per").and_then(|node| node.duration(SECOND..=DAY));
    object.finish();
    Some(format!("{}/{:?}", requests?, per?))
}

#[track_caller]
fn check<T: fmt::Debug>(document: &str, parse: impl FnOnce(&Node<'_>) -> Option<T>, expected: Expect) {
    expected.assert_eq(&read(document.as_bytes(), parse).unwrap_err().to_string());
}

/// Reads a list of this one value; its problem, or nothing if there is none.
#[track_caller]
fn check_item(value: &str, parse: fn(&Node<'_>) -> Option<()>, expected: Expect) {
    let Ok(Value::Object(fields)) = decode(format!(r#"{{"a": [{value}]}}"#).as_bytes()) else {
        panic!("{value}")
    };
    let problems = read_value(&fields[0].1, |node| parse(node.list()?.first()?));
    expected.assert_eq(&problems.err().map_or(String::new(), |problems| problems.to_string()));
}
