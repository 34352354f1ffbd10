//! What rate-limit's schema and parser accept and refuse.

use serde_json::{Map, Value, json};

use super::{Filter, Mistake, yaml};

/// All that the tests know of rate-limit.
pub(super) const RATE_LIMIT: Filter = Filter {
    name: "rate-limit",
    kind: &::rate_limit::KIND,
    environment: |_| None,
    everything: EVERYTHING,
    wrong,
    right: || RIGHT_RULES.iter().map(|rule| json!({"rules": [completed(rule)]})).collect(),
    wrong_for_the_parser: || WRONG_FOR_THE_PARSER.iter().map(|mistake| Mistake::of(mistake, yaml)).collect(),
    differs_in_istio: &[],
};

fn wrong() -> Vec<Mistake> {
    let rules =
        WRONG_RULES.iter().map(|mistake| Mistake::of(mistake, |rule| json!({"rules": [completed(rule)]})));
    rules.chain(WRONG.iter().map(|mistake| Mistake::of(mistake, yaml))).collect()
}

/// A configuration with every object that there can be, and of each one that knows all its fields.
const EVERYTHING: &str = "
mode: enforce
headers: both
status: 429
jitter: 20%
tags: all
rules:
  - name: all
    mode: shadow
    match:
      path: {template: '/users/{id}'}
      methods: [GET]
      hosts: ['*.example.com']
      headers: [{name: x-tier, exact: gold, not: true}]
      query: [{name: debug, present: true}]
    key: [client_ip, {client_ip: {trusted_hops: 1, ipv4_prefix: 24, ipv6_prefix: 56}}]
    limits: [{requests: 10, per: 1s, burst: 20}]
    concurrency: 2
    concurrency_timeout: 1m
    overrides: [{key: [192.0.2.1, 192.0.2.0/24], unlimited: false, limits: [{requests: 10, per: 1s}], concurrency: 1}]
    cost: {header: x-cost, max: 10, default: 1}
    on_missing_key: shared
    on_contention: refuse
    share: shared
    clients: 100
  - name: fixed
    cost: 2
    count: {responses: [200], reserve: true}
    limits: [{requests: 5, per: 1s}]
";

/// What is wrong, where the parser says it is, and a rule, to which a name and a limit are added if it has none.
const WRONG_RULES: [(&str, &str, &str); 45] = [
    ("a name has no capitals", "rules[0].name", "name: Login"),
    (
        "a name is no longer than 64",
        "rules[0].name",
        "name: a2345678901234567890123456789012345678901234567890123456789012345",
    ),
    ("a name is text", "rules[0].name", "name: 5"),
    ("a field is misspelt", "rules[0].limit", "limit: []"),
    ("a mode is enforce or shadow", "rules[0].mode", "mode: dry-run"),
    ("a field without a value", "rules[0].key", "key:"),
    ("limits are a list", "rules[0].limits", "limits: {requests: 5, per: 1m}"),
    ("limits are not empty", "rules[0].limits", "limits: []"),
    (
        "there are four limits at the most",
        "rules[0].limits",
        "limits: [&a {requests: 5, per: 1m}, *a, *a, *a, *a]",
    ),
    ("a limit needs a time", "rules[0].limits[0].per", "limits: [{requests: 5}]"),
    ("a limit needs requests", "rules[0].limits[0].requests", "limits: [{per: 1m}]"),
    ("a time has a unit", "rules[0].limits[0].per", "limits: [{requests: 5, per: 60}]"),
    ("a time has a unit that is known", "rules[0].limits[0].per", "limits: [{requests: 5, per: 1 minute}]"),
    ("the largest unit of a time is first", "rules[0].limits[0].per", "limits: [{requests: 5, per: 30s1m}]"),
    ("a time is not zero", "rules[0].limits[0].per", "limits: [{requests: 5, per: 0s}]"),
    ("requests are whole", "rules[0].limits[0].requests", "limits: [{requests: 0.5, per: 1s}]"),
    ("requests are a number", "rules[0].limits[0].requests", "limits: [{requests: '5', per: 1s}]"),
    ("requests are not negative", "rules[0].limits[0].requests", "limits: [{requests: -1, per: 1s}]"),
    ("a burst is at least one", "rules[0].limits[0].burst", "limits: [{requests: 5, per: 1s, burst: 0}]"),
    ("requests in flight have 16 bits", "rules[0].concurrency", "concurrency: 65536"),
    (
        "the time of requests in flight is not zero",
        "rules[0].concurrency_timeout",
        "{concurrency: 1, concurrency_timeout: 0s}",
    ),
    ("overrides need a key", "rules[0].overrides", "overrides: [{key: a, unlimited: true}]"),
    ("an override needs a limit", "rules[0].overrides[0]", "{key: method, overrides: [{key: GET}]}"),
    (
        "an unlimited override has no limits",
        "rules[0].overrides[0].limits",
        "{key: method, overrides: [{key: GET, unlimited: true, limits: [{requests: 1, per: 1s}]}]}",
    ),
    (
        "an override needs its key",
        "rules[0].overrides[0].key",
        "{key: method, overrides: [{unlimited: true}]}",
    ),
    ("a key is of a known source", "rules[0].key", "key: ip"),
    ("a key by header needs a name", "rules[0].key", "key: header"),
    ("a key is one source", "rules[0].key", "key: {header: x-a, cookie: b}"),
    ("a key is not all cookies", "rules[0].key.header", "key: {header: Cookie}"),
    ("a key is not what a client writes", "rules[0].key.header", "key: {header: X-Forwarded-For}"),
    ("a source is listed once", "rules[0].key[1]", "key: [path, path]"),
    (
        "a prefix of IPv6 has 128 bits",
        "rules[0].key.client_ip.ipv6_prefix",
        "key: {client_ip: {ipv6_prefix: 129}}",
    ),
    ("methods are upper case", "rules[0].match.methods[0]", "match: {methods: [post]}"),
    ("methods are a list", "rules[0].match.methods", "match: {methods: POST}"),
    ("a host has no scheme", "rules[0].match.hosts[0]", "match: {hosts: ['https://example.com']}"),
    ("a host has no port", "rules[0].match.hosts[0]", "match: {hosts: ['example.com:8080']}"),
    ("a wildcard is the first label", "rules[0].match.hosts[0]", "match: {hosts: [api.*.com]}"),
    ("a path has one form", "rules[0].match.path", "match: {path: {exact: /a, prefix: /b}}"),
    ("a path begins with a slash", "rules[0].match.path.prefix", "match: {path: {prefix: api}}"),
    ("a path has no query", "rules[0].match.path.exact", "match: {path: {exact: '/a?b'}}"),
    ("a prefix has no wildcard", "rules[0].match.path.prefix", "match: {path: {prefix: '/users/*'}}"),
    ("a path has no dot segments", "rules[0].match.path.exact", "match: {path: {exact: /a/../b}}"),
    (
        "the rest of a path is at its end",
        "rules[0].match.path.template",
        "match: {path: {template: '/**/a'}}",
    ),
    ("a condition has a test", "rules[0].match.headers[0]", "match: {headers: [{name: x-a}]}"),
    (
        "a header is no pseudo-header",
        "rules[0].match.headers[0].name",
        "match: {headers: [{name: ':path', present: true}]}",
    ),
];

/// The same for what stands beside the rules, and for what else rules may have.
const WRONG: [(&str, &str, &str); 13] = [
    ("there are rules", "rules", "{}"),
    ("rules are not empty", "rules", "rules: []"),
    ("a rule has a name", "rules[0].name", "rules: [{concurrency: 1}]"),
    ("a rule limits something", "rules[0]", "rules: [{name: a}]"),
    ("a status is that of a refusal", "status", "{status: 200, rules: [{name: a, concurrency: 1}]}"),
    ("a jitter is a percentage", "jitter", "{jitter: 0.2, rules: [{name: a, concurrency: 1}]}"),
    ("a jitter is no more than the whole", "jitter", "{jitter: 101%, rules: [{name: a, concurrency: 1}]}"),
    ("a cost is not zero", "rules[0].cost", "rules: [{name: a, concurrency: 1, cost: 0}]"),
    (
        "a cost by header has a maximum",
        "rules[0].cost.max",
        "rules: [{name: a, concurrency: 1, cost: {header: x-cost}}]",
    ),
    (
        "responses that are charged have a fixed cost",
        "rules[0]",
        "rules: [{name: a, concurrency: 1, cost: {header: x-cost, max: 5}, count: {responses: [401]}}]",
    ),
    (
        "responses are statuses",
        "rules[0].count.responses[0]",
        "rules: [{name: a, concurrency: 1, count: {responses: [4xx]}}]",
    ),
    (
        "reserve is true or false",
        "rules[0].count.reserve",
        "rules: [{name: a, concurrency: 1, count: {responses: [401], reserve: 'true'}}]",
    ),
    ("a share is a name", "rules[0].share", "rules: [{name: a, concurrency: 1, share: All Of Them}]"),
];

/// What takes more than a schema to find out: it accepts these, and the parser does not.
const WRONG_FOR_THE_PARSER: [(&str, &str, &str); 10] = [
    ("what may lack a key has one", "rules[0]", "rules: [{name: a, concurrency: 1, on_missing_key: skip}]"),
    (
        "an override covers what one request can cost",
        "rules[0].overrides[0].limits[0]",
        "rules: [{name: a, key: method, cost: 9, limits: [{requests: 9, per: 1s}], overrides: [{key: GET, limits: [{requests: 5, per: 1s}]}]}]",
    ),
    (
        "rules have different names",
        "rules[1]",
        "rules: [{name: a, concurrency: 1}, {name: a, concurrency: 2}]",
    ),
    (
        "a burst covers one request",
        "rules[0].limits[0]",
        "rules: [{name: a, cost: 9, limits: [{requests: 5, per: 1s}]}]",
    ),
    (
        "a burst comes back within ten years",
        "rules[0].limits[0]",
        "rules: [{name: a, limits: [{requests: 1, per: 366d, burst: 99}]}]",
    ),
    (
        "a time is not too short",
        "rules[0].limits[0].per",
        "rules: [{name: a, limits: [{requests: 5, per: 1us}]}]",
    ),
    (
        "a time is not too long",
        "rules[0].limits[0].per",
        "rules: [{name: a, limits: [{requests: 5, per: 400d}]}]",
    ),
    (
        "an override has a value for each source",
        "rules[0].overrides[0].key",
        "rules: [{name: a, key: [path, method], concurrency: 1, overrides: [{key: GET, unlimited: true}]}]",
    ),
    (
        "an override has a value that can occur",
        "rules[0].overrides[0].key",
        "rules: [{name: a, key: client_ip, concurrency: 1, overrides: [{key: localhost, unlimited: true}]}]",
    ),
    (
        "a source is listed once, however it is written",
        "rules[0].key[1]",
        "rules: [{name: a, key: [{header: x-a}, {header: X-A}], concurrency: 1}]",
    ),
];

/// Rules that are right, to which a name and a limit are added if they have none.
const RIGHT_RULES: [&str; 26] = [
    "{}",
    "{name: 0_a-b, mode: shadow}",
    "limits: [{requests: 0, per: 1m}]",
    "limits: [{requests: 1.0e+6, per: 1d}]",
    "limits: [{requests: 5, per: 1m30s}, {requests: 5, per: 1.5h, burst: 1000}, {requests: 5, per: 0.001s}]",
    "{concurrency: 0}",
    "{concurrency: 65535, concurrency_timeout: 1d}",
    "key: host",
    "key: [client_ip, path, method, host]",
    "key: {client_ip: {}}",
    "key: [{client_ip: {trusted_hops: 20, ipv4_prefix: 1, ipv6_prefix: 128}}]",
    "key: [{header: X-Api-Key}, {cookie: SID}, {query: 'a b'}, {claim: sub}, {state: wasm.any}]",
    "{key: method, overrides: [{key: GET, unlimited: true}, {key: [POST], concurrency: 1}]}",
    "{key: method, overrides: [{key: PUT, unlimited: false, limits: [{requests: 1, per: 1s}]}]}",
    "cost: 1",
    "cost: {header: X-Cost, max: 5}",
    "count: {responses: [200, 599], reserve: false}",
    "{key: {header: X-A}, on_missing_key: skip, on_contention: admit, share: everything, clients: 10000000}",
    "match: {}",
    "match: {methods: [GET, M-SEARCH], hosts: [api.example.com, '*.example.com', '[2001:db8::1]', 192.0.2.1, example.com.]}",
    "match: {path: {exact: /}}",
    "match: {path: {exact: '/a%20b/%7Bc%7D/'}}",
    "match: {path: {prefix: /api/.well-known/...}}",
    "match: {path: {template: '/users/{id}/*/{rest=**}'}}",
    "match: {headers: [{name: X-A, exact: ''}, {name: b, prefix: b, not: true}, {name: c, suffix: c}, {name: d, contains: d}]}",
    "match: {query: [{name: 'a b', present: true, not: false}]}",
];

/// Adds a name and a limit to a rule that has none.
fn completed(rule: &str) -> Value {
    let mut rule = yaml(rule);
    let fields: &mut Map<String, Value> = rule.as_object_mut().expect("a rule");
    fields.entry("name").or_insert(json!("a"));
    if !fields.contains_key("concurrency") {
        fields.entry("limits").or_insert(json!([{"requests": 5, "per": "1m"}]));
    }
    rule
}
