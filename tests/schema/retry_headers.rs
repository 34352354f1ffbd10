//! What retry-headers' schema and parser accept and refuse.

use serde_json::{Map, Value, json};

use super::{Filter, Mistake, yaml};

/// All that the tests know of retry-headers.
pub(super) const RETRY_HEADERS: Filter = Filter {
    name: "retry-headers",
    kind: &::retry_headers::KIND,
    environment: |_| None,
    everything: EVERYTHING,
    wrong: || {
        let policies = WRONG_POLICIES.iter().map(|mistake| Mistake::of(mistake, policies));
        policies.chain(WRONG.iter().map(|mistake| Mistake::of(mistake, yaml))).collect()
    },
    right: || RIGHT_POLICIES.iter().map(|policy| policies(policy)).collect(),
    wrong_for_the_parser: || {
        let policies = WRONG_FOR_THE_PARSER.iter().map(|mistake| Mistake::of(mistake, policies));
        policies.chain(WRONG_TOGETHER.iter().map(|mistake| Mistake::of(mistake, yaml))).collect()
    },
    differs_in_istio: &[],
};

/// A configuration with every object that there can be, and of each one that knows all its fields.
const EVERYTHING: &str = "
mode: enforce
trust_client: true
marker: x-sluice-retry
tags: all
response:
  retry_after: {statuses: [429], default: 2s, min: 1s, max: 10s, jitter: equal, spread: 10%}
  should_retry_header: true
  grpc_pushback: true
policies:
  - name: all
    mode: shadow
    match:
      path: {template: '/users/{id}'}
      methods: [GET]
      hosts: ['*.example.com']
      headers: [{name: x-tier, exact: gold, not: true}]
      query: [{name: debug, present: true}]
    attempts: 3
    on: [5xx]
    status_codes: [409]
    header_names: [x-retry-me]
    per_try_timeout: 500ms
    timeout: 2s
    hedge: true
    only_safe: false
    budget:
      ratio: 20%
      min_per_second: 3
      window: 10s
      key: [client_ip, {client_ip: {trusted_hops: 1, ipv4_prefix: 24, ipv6_prefix: 56}}]
      clients: 10
    deadline: {header: x-deadline, format: unix-ms}
    response: {should_retry_header: true}
";

/// What is wrong, where the parser says it is, and a policy, to which a name and two attempts are added if it has none.
const WRONG_POLICIES: [(&str, &str, &str); 42] = [
    ("a name has no capitals", "policies[0].name", "name: Reads"),
    ("a field is misspelt", "policies[0].attempt", "attempt: 3"),
    ("a mode is enforce or shadow", "policies[0].mode", "mode: dry-run"),
    ("a field without a value", "policies[0].budget", "budget:"),
    ("there is one attempt at least", "policies[0].attempts", "attempts: 0"),
    ("there are ten attempts at the most", "policies[0].attempts", "attempts: 11"),
    ("attempts are whole", "policies[0].attempts", "attempts: 1.5"),
    ("attempts are a number", "policies[0].attempts", "attempts: '3'"),
    ("conditions are a list", "policies[0].on", "on: 5xx"),
    ("conditions are not empty", "policies[0].on", "on: []"),
    ("conditions are the router's", "policies[0].on[1]", "on: [5xx, 4xx]"),
    ("a condition is listed once", "policies[0].on[1]", "on: [5xx, 5xx]"),
    ("statuses are listed where they are a condition", "policies[0].on", "on: [retriable-status-codes]"),
    ("headers are listed where they are a condition", "policies[0].on", "on: [retriable-headers]"),
    ("a status is that of an error", "policies[0].status_codes[0]", "status_codes: [200]"),
    ("a status is a number", "policies[0].status_codes[0]", "status_codes: ['503']"),
    ("statuses are not empty", "policies[0].status_codes", "status_codes: []"),
    ("a header is no pseudo-header", "policies[0].header_names[0]", "header_names: [':status']"),
    ("a timeout has a unit", "policies[0].timeout", "timeout: 2000"),
    ("a timeout is not zero", "policies[0].timeout", "timeout: 0s"),
    ("a timeout of one try is not zero", "policies[0].per_try_timeout", "per_try_timeout: 0ms"),
    ("hedging needs a timeout of one try", "policies[0].hedge", "hedge: true"),
    ("hedging is true or false", "policies[0].hedge", "hedge: 'yes'"),
    ("what is safe is true or false", "policies[0].only_safe", "only_safe: maybe"),
    ("one attempt has no conditions", "policies[0].on", "{attempts: 1, on: [5xx]}"),
    ("one attempt has no statuses", "policies[0].status_codes", "{attempts: 1, status_codes: [503]}"),
    ("one attempt has no headers", "policies[0].header_names", "{attempts: 1, header_names: [a]}"),
    ("one attempt has one timeout", "policies[0].per_try_timeout", "{attempts: 1, per_try_timeout: 1s}"),
    ("one attempt is not hedged", "policies[0].hedge", "{attempts: 1, hedge: false}"),
    ("one attempt is as safe as it is", "policies[0].only_safe", "{attempts: 1, only_safe: true}"),
    ("one attempt has no budget", "policies[0].budget", "{attempts: 1, budget: off}"),
    ("a budget is not on", "policies[0].budget", "budget: true"),
    ("a ratio is a percentage", "policies[0].budget.ratio", "budget: {ratio: 0.2}"),
    ("a ratio is no more than the whole", "policies[0].budget.ratio", "budget: {ratio: 101%}"),
    ("retries in a second are a number", "policies[0].budget.min_per_second", "budget: {min_per_second: 1s}"),
    ("a window is not zero", "policies[0].budget.window", "budget: {window: 0s}"),
    ("clients have keys", "policies[0].budget.clients", "budget: {clients: 10}"),
    ("a key is of a known source", "policies[0].budget.key", "budget: {key: ip}"),
    ("a deadline has a timeout beside it", "policies[0].deadline", "deadline: {header: x-deadline}"),
    ("a deadline has a header", "policies[0].deadline.header", "{timeout: 1s, deadline: {format: ms}}"),
    (
        "a deadline has a format that is known",
        "policies[0].deadline.format",
        "{timeout: 1s, deadline: {header: a, format: s}}",
    ),
    ("methods are upper case", "policies[0].match.methods[0]", "match: {methods: [post]}"),
];

/// The same for what stands beside the policies, and for responses.
const WRONG: [(&str, &str, &str); 16] = [
    ("there are policies", "policies", "{}"),
    ("policies are not empty", "policies", "policies: []"),
    ("a policy has a name", "policies[0].name", "policies: [{attempts: 2}]"),
    ("a policy says how often", "policies[0].attempts", "policies: [{name: a}]"),
    ("trust is true or false", "trust_client", "{trust_client: all, policies: [{name: a, attempts: 2}]}"),
    ("a marker is a header", "marker", "{marker: 'a b', policies: [{name: a, attempts: 2}]}"),
    ("tags are of refusals or all", "tags", "{tags: none, policies: [{name: a, attempts: 2}]}"),
    ("a response says something", "response", "{response: {}, policies: [{name: a, attempts: 2}]}"),
    (
        "a hint is true or false",
        "response.should_retry_header",
        "{response: {should_retry_header: x-should-retry}, policies: [{name: a, attempts: 2}]}",
    ),
    (
        "a status is one of a response",
        "response.retry_after.statuses[0]",
        "{response: {retry_after: {statuses: [200]}}, policies: [{name: a, attempts: 2}]}",
    ),
    (
        "statuses of responses are not empty",
        "response.retry_after.statuses",
        "{response: {retry_after: {statuses: []}}, policies: [{name: a, attempts: 2}]}",
    ),
    (
        "a wait has a unit",
        "response.retry_after.default",
        "{response: {retry_after: {default: 1}}, policies: [{name: a, attempts: 2}]}",
    ),
    (
        "a wait is not zero",
        "response.retry_after.min",
        "{response: {retry_after: {min: 0s}}, policies: [{name: a, attempts: 2}]}",
    ),
    (
        "a jitter is one of four",
        "response.retry_after.jitter",
        "{response: {retry_after: {jitter: half}}, policies: [{name: a, attempts: 2}]}",
    ),
    (
        "no jitter has no spread",
        "response.retry_after.spread",
        "{response: {retry_after: {jitter: none, spread: 10%}}, policies: [{name: a, attempts: 2}]}",
    ),
    (
        "jitter by the wait before has no spread",
        "response.retry_after.spread",
        "{response: {retry_after: {jitter: decorrelated, spread: 10%}}, policies: [{name: a, attempts: 2}]}",
    ),
];

/// Policies that take more than a schema to find out: it accepts these, and the parser does not.
const WRONG_FOR_THE_PARSER: [(&str, &str, &str); 10] = [
    ("a timeout is in milliseconds", "policies[0].timeout", "timeout: 1500us"),
    ("a timeout is a millisecond at least", "policies[0].timeout", "timeout: 1us"),
    ("a timeout is a day at the most", "policies[0].timeout", "timeout: 2d"),
    ("one try is no longer than all", "policies[0].per_try_timeout", "{per_try_timeout: 2s, timeout: 1s}"),
    ("a window is a second at least", "policies[0].budget.window", "budget: {window: 10ms}"),
    ("a window is an hour at the most", "policies[0].budget.window", "budget: {window: 1d}"),
    (
        "a deadline is not what the router reads",
        "policies[0].deadline.header",
        "{timeout: 1s, deadline: {header: grpc-timeout}}",
    ),
    (
        "a deadline is not where a message ends",
        "policies[0].deadline.header",
        "{timeout: 1s, deadline: {header: content-length}}",
    ),
    (
        "a wait is no less than the least",
        "policies[0].response.retry_after.default",
        "response: {retry_after: {default: 1s, min: 2s}}",
    ),
    (
        "a wait is no more than the longest",
        "policies[0].response.retry_after.max",
        "response: {retry_after: {default: 10s, max: 5s}}",
    ),
];

/// The same for what stands beside them.
const WRONG_TOGETHER: [(&str, &str, &str); 3] = [
    (
        "policies have different names",
        "policies[1]",
        "policies: [{name: a, attempts: 2, match: {methods: [GET]}}, {name: a, attempts: 3}]",
    ),
    (
        "every policy can be reached",
        "policies[1]",
        "policies: [{name: a, attempts: 2}, {name: b, attempts: 3}]",
    ),
    (
        "a marker has no other meaning",
        "marker",
        "{marker: x-envoy-max-retries, policies: [{name: a, attempts: 2}]}",
    ),
];

/// Policies that are right, to which a name and two attempts are added if they have none.
const RIGHT_POLICIES: [&str; 20] = [
    "{}",
    "{name: 0_a-b, mode: shadow, attempts: 10}",
    "attempts: 1",
    "{attempts: 1, timeout: 1d, deadline: {header: X-Deadline}}",
    "on: [5xx, gateway-error, reset, reset-before-request, connect-failure, envoy-ratelimited, retriable-4xx, refused-stream, http3-post-connect-failure]",
    "on: [cancelled, deadline-exceeded, internal, resource-exhausted, unavailable]",
    "{on: [retriable-status-codes], status_codes: [400, 599]}",
    "{on: [reset, retriable-headers], header_names: [X-Retry-Me, x-b]}",
    "{status_codes: [503], header_names: [a]}",
    "{per_try_timeout: 1ms, hedge: true}",
    "{per_try_timeout: 1s, timeout: 1s, hedge: false}",
    "{only_safe: false, budget: off}",
    "budget: false",
    "budget: {}",
    "budget: {ratio: 0%, min_per_second: 0, window: 1s}",
    "budget: {ratio: 100%, min_per_second: 1000000, window: 1h, key: [{header: X-Tenant}, host], clients: 10000000}",
    "{timeout: 2s, deadline: {header: x-deadline, format: rfc3339}}",
    "response: {grpc_pushback: true}",
    "response: {retry_after: {}}",
    "response: {retry_after: {statuses: [300, 599], default: 1m, jitter: decorrelated}, should_retry_header: false}",
];

/// Makes a configuration of one policy, with a name and two attempts if it has none.
fn policies(policy: &str) -> Value {
    let mut policy = yaml(policy);
    let fields: &mut Map<String, Value> = policy.as_object_mut().expect("a policy");
    fields.entry("name").or_insert(json!("a"));
    fields.entry("attempts").or_insert(json!(2));
    json!({"policies": [policy]})
}
