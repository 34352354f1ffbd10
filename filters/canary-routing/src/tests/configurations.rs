//! What is refused, and with which words.

use expect_test::expect;
use kit::module::Form;
use kit::testing::{Bench, World};
#[cfg(target_arch = "wasm32")]
use wasm_bindgen_test::wasm_bindgen_test as test;

use super::splits;
use crate::KIND;

fn problems(config: &str) -> String {
    let world = std::rc::Rc::new(World::new());
    world.set_environment("SECRET", "0123456789abcdef0123456789abcdef");
    world.set_environment("TOKEN", "let me");
    let bench = Bench::within(&world, std::slice::from_ref(&KIND), Form::Single, config);
    bench.err().unwrap_or_else(|| "nothing is wrong".to_owned())
}

/// The problems of one split with these fields.
fn of_split(fields: &str) -> String {
    problems(&format!("{{{}}}", splits(fields)))
}

#[test]
fn every_problem_is_told_at_once() {
    let config = r#"{
        "mode": "dry-run", "tags": "some", "output": {"header": "cookie", "cluster": "x"},
        "splits": [
            {"mode": "off", "key": ["ip", [{"header": "a"}]], "salt": "a b", "on_missing_key": "cookie",
             "variants": [{"name": "v1"}, {"name": "v2", "weight": "5"}],
             "assign": [{"variant": "v3", "keys": [""]}, {"variant": "v1", "headers": [{"name": "a"}]}, {"claims": []}, {"variant": "v1"}],
             "force": {"token": {"env": "NOWHERE"}}, "mirror": {}, "observe": 1,
             "outcomes": {"statuses": ["6xx"], "grpc": ["ok", 17], "slower_than": "0s"},
             "guard": {"window": "1s"}},
            {"name": "y", "variants": [{"name": "v1"}]}
        ]
    }"#;
    expect![[r#"
        mode: "dry-run" is not one of enforce, shadow
        tags: "some" is not one of refusals, all
        output.header: "cookie" has a meaning of its own; choose another header (example: x-sluice-variant)
        output.cluster: unknown field (known: header, cluster_header, index_header, response_header)
        splits[0].name: is required
        splits[0].mode: "off" is not one of enforce, shadow
        splits[0].key[0]: "ip" is not a source (known: client_ip, path, method, host, {header: name}, {cookie: name}, {query: name}, {claim: name}, {state: name})
        splits[0].key[1]: is a list in a list; sources are tried in order, and the first that is there is the key
        splits[0].salt: "a b" is not a salt: 1 to 64 letters, digits, _ or -
        splits[0].on_missing_key: cookie needs a secret: write {cookie: {secret: {env: CANARY_COOKIE_SECRET}}}
        splits[0].variants[1].weight: "5" has no percent sign (examples: 5%, 0.05%, 100%)
        splits[0].force.token.env: the environment variable NOWHERE is not set, or is empty: it goes under environment_variables in the vm_config of Envoy, or env in the vmConfig of Istio
        splits[0].force: needs a header, a cookie, or both, by which testers ask
        splits[0].mirror.percent: is required
        splits[0].observe: expected true or false, found number 1
        splits[0].outcomes.statuses[0]: "6xx" is not one of 4xx, 5xx; did you mean "4xx"?
        splits[0].outcomes.grpc[0]: "ok" is not one of CANCELLED, UNKNOWN, INVALID_ARGUMENT, DEADLINE_EXCEEDED, NOT_FOUND, ALREADY_EXISTS, PERMISSION_DENIED, RESOURCE_EXHAUSTED, FAILED_PRECONDITION, ABORTED, OUT_OF_RANGE, UNIMPLEMENTED, INTERNAL, UNAVAILABLE, DATA_LOSS, UNAUTHENTICATED
        splits[0].outcomes.grpc[1]: must be between 1 and 16, got 17
        splits[0].outcomes.slower_than: must be between 1ms and 1h, got "0s"
        splits[0].guard.window: must be between 10s and 1h, got "1s"
        splits[0].assign[0].keys[0]: must not be empty
        splits[0].assign[1].headers[0]: needs one of exact, prefix, suffix, contains, present
        splits[0].assign[2].variant: is required
        splits[0].assign[2].claims: must not be empty
        splits[0].assign[3]: needs keys, claims or headers; for everybody give a weight
        splits[1].variants: must be 2 to 16 variants, the first of which is the baseline; got 1
        splits[1]: needs a `key`, or `on_missing_key: random`, or a cookie there"#]].assert_eq(&problems(config));
}

#[test]
fn what_contradicts_itself_is_refused() {
    let all = [
        of_split(r#""force": {"header": "x-a", "token": {"env": "TOKEN"}, "token_header": "X-A"}"#),
        of_split(r#""force": {"header": "x-a", "token_header": "x-b"}"#),
        of_split(r#""force": {"header": "x-sluice-variant"}"#),
        of_split(r#""mirror": {"percent": "1%", "header": "X-Sluice-Variant"}"#),
        of_split(r#""mirror": {"percent": "1%", "header": "x-a"}, "force": {"header": "x-a"}"#),
        of_split(r#""outcomes": {}"#),
        of_split(r#""key": [{"header": "a"}, {"header": "A"}]"#),
        of_split(r#""assign": [{"variant": "v", "headers": [{"name": "a", "exact": "b"}]}]"#),
        of_split(r#""key": "client_ip", "assign": [{"variant": "v2", "keys": ["10.0.0.0/8"]}]"#),
        problems(
            r#"{"splits": [{"name": "x", "on_missing_key": "random", "variants": [{"name": "v1"}, {"name": "v2"}],
            "assign": [{"variant": "v2", "keys": ["a"]}]}]}"#,
        ),
        problems(&format!(r#"{{"output": {{"header": "off"}}, {}}}"#, splits(""))),
        problems(&format!(r#"{{"output": {{"index_header": "x-sluice-variant"}}, {}}}"#, splits(""))),
        problems(&format!(r#"{{"output": {{"cluster_header": "x-c"}}, {}}}"#, splits(""))),
        problems("{}"),
        problems(r#"{"splits": []}"#),
    ];
    expect![[r#"
        splits[0].force: has the same name for its `header` and its `token_header`
        splits[0].force.token_header: is for a `token`, and there is none
        splits[0]: has the header "x-sluice-variant" for two things; `output`, `mirror` and `force` need names of their own
        splits[0]: has the header "x-sluice-variant" for two things; `output`, `mirror` and `force` need names of their own
        splits[0]: has the header "x-a" for two things; `output`, `mirror` and `force` need names of their own
        splits[0].outcomes: is asked by nobody: it is for `observe: true`, or for a `guard`
        splits[0].key[1]: is listed twice
        splits[0].assign[0].variant: "v" is none of the variants v1, v2; did you mean "v1"?
        splits[0].assign[0].keys[0]: "10.0.0.0/8" covers several clients: name one address
        splits[0].assign[0].keys: are values of `key`, which the split has not
        output: writes no header, so no route can follow: give it one, or write `tags: all` for routes by filter state
        output: has one name for two headers
        splits[0].variants[0]: needs a `cluster`, which `cluster_header` in `output` is to say
        splits[0].variants[1]: needs a `cluster`, which `cluster_header` in `output` is to say
        splits: is required
        splits: must not be empty"#]].assert_eq(&all.join("\n"));
}

#[test]
fn splits_are_held_against_each_other() {
    let split = |name: &str, fields: &str| {
        format!(
            r#"{{"name": "{name}", "key": {{"header": "a"}}, "variants": [{{"name": "v1"}}, {{"name": "v2"}}]{fields}}}"#
        )
    };
    let both = |one: String, other: String| problems(&format!(r#"{{"splits": [{one}, {other}]}}"#));
    let matched = r#", "match": {"methods": ["PUT"]}"#;
    let cookie = r#", "on_missing_key": {"cookie": {"secret": {"env": "SECRET"}, "name": "c"}}"#;
    let all = [
        both(split("a", matched), split("a", "")),
        both(split("a", ""), split("b", "")),
        both(split("a", &format!("{matched}{cookie}")), split("b", cookie)),
        both(
            split("a", &format!(r#"{matched}, "mirror": {{"percent": "1%", "header": "x-m"}}"#)),
            split("b", r#", "force": {"header": "x-m"}"#),
        ),
        both(split("a", matched), split("b", "")),
    ];
    expect![[r#"
        splits[1]: another rule is called "a"; names must differ
        splits[1]: is never reached: rule "a" before it matches everything; move that to the end
        splits[1]: another split has the cookie "c" as well; each needs one of its own
        splits[1]: has the header "x-m" for two things; `output`, `mirror` and `force` need names of their own
        nothing is wrong"#]]
    .assert_eq(&all.join("\n"));
}

#[test]
fn no_message_shows_a_secret() {
    let all = [
        of_split(r#""on_missing_key": {"cookie": {"secret": {"inline": "hunter2"}}}"#),
        of_split(r#""on_missing_key": {"cookie": {"secret": "hunter2"}}"#),
        of_split(r#""force": {"header": "x-a", "token": {"inline": " hunter2"}}"#),
    ];
    for problems in &all {
        assert!(!problems.contains("hunter2"), "{problems}");
    }
    expect![[r#"
        splits[0].on_missing_key.cookie.secret: is too short: it needs at least 32 bytes (example: openssl rand -hex 32)
        splits[0].on_missing_key.cookie.secret: expected an object, found text
        splits[0].force.token.inline: the secret begins or ends with white space; if that is meant, write it in another encoding"#]].assert_eq(&all.join("\n"));
}
