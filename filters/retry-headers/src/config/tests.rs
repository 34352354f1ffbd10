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
fn check_policy(fields: &str, expected: Expect) {
    check(&format!(r#"{{"policies": [{{"name": "api", {fields}}}]}}"#), expected);
}

#[test]
fn nothing_at_all_is_refused() {
    check("", expect!["policies: is required"]);
    check(r#"{"policies": []}"#, expect!["policies: must not be empty"]);
    check(
        r#"{"policies": [{}]}"#,
        expect![[r#"
        policies[0].name: is required
        policies[0].attempts: is required"#]],
    );
}

#[test]
fn all_problems_are_told_at_once() {
    check(
        r#"{"mode": "dry-run", "trust_client": "yes", "marker": "grpc-timeout", "tags": "some", "policies": [
            {"name": "Reads", "attempts": 11, "on": ["5xx", "5xxx"], "timeout": "1 minit", "hedge": 1},
            {"name": "api", "attempts": 0, "budgets": {}, "status_codes": [200], "header_names": ["a b"], "only_safe": "no"}
        ], "response": {"retry_after": {"jitter": "half", "min": "0s"}}}"#,
        expect![[r#"
            mode: "dry-run" is not one of enforce, shadow
            trust_client: expected true or false, found text "yes"
            marker: "grpc-timeout" has a meaning of its own; choose another header (example: x-sluice-retry)
            tags: "some" is not one of refusals, all
            response.retry_after.min: must be between 1s and 1d, got "0s"
            response.retry_after.jitter: "half" is not one of none, full, equal, decorrelated
            policies[0].name: "Reads" is not a name: a letter or digit, then up to 63 more, _ or -, all lower case; "reads" would do
            policies[0].attempts: must be between 1 and 10, got 11
            policies[0].timeout: "1 minit" is not a duration (examples: 250ms, 10s, 5m; units: ns, us, ms, s, m, h, d)
            policies[0].on[1]: "5xxx" is not one of 5xx, gateway-error, reset, reset-before-request, connect-failure, envoy-ratelimited, retriable-4xx, refused-stream, retriable-status-codes, retriable-headers, http3-post-connect-failure, cancelled, deadline-exceeded, internal, resource-exhausted, unavailable; did you mean "5xx"?
            policies[0].hedge: expected true or false, found number 1
            policies[1].attempts: must be between 1 and 10, got 0
            policies[1].status_codes[0]: must be between 400 and 599, got 200
            policies[1].header_names[0]: "a b" is not the name of a header: letters, digits and any of !#$%&'*+-.^_`|~
            policies[1].only_safe: expected true or false, found text "no"
            policies[1].budgets: unknown field, did you mean "budget"?"#]],
    );
}

#[test]
fn what_does_not_go_together_is_refused() {
    check_policy(
        r#""attempts": 1, "on": ["5xx"], "per_try_timeout": "1s", "budget": "off", "only_safe": true"#,
        expect![[r#"
        policies[0].on: has no effect with `attempts: 1`, which tries nothing again
        policies[0].per_try_timeout: has no effect with `attempts: 1`, which tries nothing again
        policies[0].only_safe: has no effect with `attempts: 1`, which tries nothing again
        policies[0].budget: has no effect with `attempts: 1`, which tries nothing again"#]],
    );
    check_policy(
        r#""attempts": 2, "on": ["retriable-status-codes", "retriable-headers", "5xx", "5xx"]"#,
        expect![[r#"
        policies[0].on[3]: is listed twice
        policies[0].on: has retriable-status-codes, and the policy no `status_codes` that say which
        policies[0].on: has retriable-headers, and the policy no `header_names` that say which"#]],
    );
    check_policy(
        r#""attempts": 2, "per_try_timeout": "2s", "timeout": "1s""#,
        expect!["policies[0].per_try_timeout: is longer than the `timeout` of all tries together"],
    );
    check_policy(
        r#""attempts": 2, "per_try_timeout": "1500us""#,
        expect![
            "policies[0].per_try_timeout: is finer than a millisecond, which is what the router counts in"
        ],
    );
    check_policy(
        r#""attempts": 2, "hedge": true"#,
        expect![
            "policies[0].hedge: needs a `per_try_timeout`, after which the next try is sent beside the first"
        ],
    );
    check_policy(
        r#""attempts": 2, "deadline": {"header": "x-deadline", "format": "s"}"#,
        expect![[r#"
        policies[0].deadline.format: "s" is not one of ms, unix-ms, rfc3339; did you mean "ms"?
        policies[0].deadline: needs a `timeout` beside it: the most that the deadline of a client may ask for, or anybody could make the upstream work for hours"#]],
    );
    check_policy(
        r#""attempts": 2, "timeout": "1s", "deadline": {"header": "x-envoy-max-retries"}"#,
        expect![[
            r#"policies[0].deadline.header: "x-envoy-max-retries" has a meaning of its own, and is read without this"#
        ]],
    );
    check_policy(
        r#""attempts": 2, "timeout": "1s", "deadline": {"header": "Content-Length"}"#,
        expect![[
            r#"policies[0].deadline.header: "content-length" has a meaning of its own; choose another header"#
        ]],
    );
    check_policy(
        r#""attempts": 2, "budget": {"clients": 10, "window": "1ms", "ratio": 0.2}"#,
        expect![[r#"
        policies[0].budget.ratio: 0.2 has no percent sign (examples: 5%, 0.05%, 100%)
        policies[0].budget.window: must be between 1s and 1h, got "1ms"
        policies[0].budget.clients: has no effect without a `key`: all requests of the policy share one budget"#]],
    );
    check_policy(
        r#""attempts": 2, "budget": true"#,
        expect!["policies[0].budget: expected an object, found true"],
    );
    check_policy(
        r#""attempts": 2, "response": {}"#,
        expect!["policies[0].response: needs one of `retry_after`, `should_retry_header`, `grpc_pushback`"],
    );
    check_policy(
        r#""attempts": 2, "response": {"retry_after": {"default": "1s", "min": "2s"}}"#,
        expect!["policies[0].response.retry_after.default: is less than `min`"],
    );
    check_policy(
        r#""attempts": 2, "response": {"retry_after": {"min": "20s", "max": "10s"}}"#,
        expect!["policies[0].response.retry_after.max: is less than `default` or `min`"],
    );
    check_policy(
        r#""attempts": 2, "response": {"retry_after": {"jitter": "none", "spread": "10%"}}"#,
        expect!["policies[0].response.retry_after.spread: is of `jitter: full` and `equal` alone"],
    );
}

#[test]
fn policies_have_names_of_their_own_and_can_be_reached() {
    check(
        r#"{"policies": [{"name": "a", "attempts": 2}, {"name": "a", "attempts": 2, "match": {"methods": ["GET"]}}]}"#,
        expect![[r#"
            policies[1]: is never reached: rule "a" before it matches everything; move that to the end
            policies[1]: another rule is called "a"; names must differ"#]],
    );
}
