//! What canary-routing's schema and parser accept and refuse.

use serde_json::{Value, json};

use super::{Filter, Mistake, replaced, yaml};

/// All that the tests know of canary-routing.
pub(super) const CANARY_ROUTING: Filter = Filter {
    name: "canary-routing",
    kind: &::canary_routing::KIND,
    environment: |name| match name {
        "CANARY_COOKIE_SECRET" => Some("an example of a secret, which is long enough".to_owned()),
        "CANARY_TOKEN" => Some("an example of a token".to_owned()),
        "SHORT" => Some("too short".to_owned()),
        _ => None,
    },
    everything: EVERYTHING,
    wrong,
    right: || {
        RIGHT.iter().map(|fields| with(fields)).chain(RIGHT_WHOLES.iter().map(|whole| yaml(whole))).collect()
    },
    wrong_for_the_parser: || {
        let wrong = WRONG_FOR_THE_PARSER.iter().map(|mistake| Mistake::of(mistake, with).inside("splits[0]"));
        wrong.chain(WRONG_WHOLES_FOR_THE_PARSER.iter().map(|mistake| Mistake::of(mistake, yaml))).collect()
    },
    // What is short enough to watch in the demo, and what speaks plain HTTP there.
    differs_in_istio: &["/splits/0/on_missing_key/cookie/secure", "/splits/0/guard"],
};

fn wrong() -> Vec<Mistake> {
    let splits = WRONG.iter().map(|mistake| Mistake::of(mistake, with).inside("splits[0]"));
    splits.chain(WRONG_WHOLES.iter().map(|mistake| Mistake::of(mistake, yaml))).collect()
}

/// A configuration of one split that is right, with other fields.
fn with(fields: &str) -> Value {
    let variants = json!([{"name": "v1"}, {"name": "v2", "weight": "5%"}]);
    let split = json!({"name": "a", "key": {"header": "x-user-id"}, "variants": variants});
    json!({"splits": [replaced(split, fields)]})
}

/// A configuration with every object that there can be, and of each one that knows all its fields.
const EVERYTHING: &str = "
mode: enforce
tags: all
output:
  header: x-sluice-variant
  cluster_header: x-sluice-cluster
  index_header: x-sluice-index
  response_header: x-sluice-variant
splits:
  - name: all
    mode: shadow
    match:
      path: {template: '/users/{id}'}
      methods: [GET]
      hosts: ['*.example.com']
      headers: [{name: x-tier, exact: gold, not: true}]
      query: [{name: debug, present: true}]
    key: [client_ip, {client_ip: {trusted_hops: 1, ipv4_prefix: 24, ipv6_prefix: 56}}]
    salt: 2026-q4
    on_missing_key:
      cookie:
        name: sluice-all
        secret: {env: CANARY_COOKIE_SECRET, encoding: utf8}
        max_age: 30d
        path: /
        domain: example.com
        same_site: lax
        secure: true
    variants:
      - {name: v1, cluster: service-v1, weight: 9000}
      - {name: v2, cluster: service-v2, weight: 5%, from: 0}
      - {name: v3, cluster: service-v3, weight: 500, from: 9000}
    assign:
      - variant: v2
        keys: [203.0.113.7]
        claims: [{name: tenant, exact: beta, not: true}]
        headers: [{name: x-staff, exact: '1', not: true}]
    force:
      header: x-canary
      cookie: canary
      token: {env: CANARY_TOKEN, encoding: utf8}
      token_header: x-canary-token
    mirror: {percent: 100, header: x-sluice-mirror}
    observe: true
    outcomes: {statuses: [5xx, 429], grpc: [UNAVAILABLE, 13], slower_than: 2s}
    guard:
      mode: shadow
      window: 60s
      min_requests: 50
      worse_by: 1%
      false_alarms: 0.1%
      max_error_rate: 50%
      recovery: automatic
      cooldown: 5m
      probe: 1%
      recover_over: 10m
      reset: '1'
  - name: others
    match: {methods: [PUT]}
    on_missing_key: random
    variants:
      - {name: v1, cluster: service-v1}
      - name: v2
        cluster: service-v2
        ramp:
          shape: stepped
          points: [{at: 2026-11-26T08:00:00Z, weight: 100}, {at: 2026-11-27T08:00:00Z, weight: 50%}]
";

/// What is wrong, where the parser says it is, and fields of a split that is right but for them.
const WRONG: [(&str, &str, &str); 62] = [
    ("a name has no capitals", ".name", "name: Checkout"),
    ("a field is misspelt", ".variant", "variant: v2"),
    ("a mode is enforce or shadow", ".mode", "mode: dry-run"),
    ("a match is one of conditions", ".match.path", "match: {path: {exact: /a, prefix: /b}}"),
    ("a key is of a known source", ".key", "key: ip"),
    ("a key is not listed twice", ".key[1]", "key: [client_ip, client_ip]"),
    ("a key is no list of lists", ".key[0]", "key: [[client_ip]]"),
    ("there is a key", "", "key: null"),
    ("there is a key, or something in its place", "", "{key: null, on_missing_key: baseline}"),
    ("a salt is not empty", ".salt", "salt: ''"),
    ("a salt is plain", ".salt", "salt: a.b"),
    (
        "a salt is not long",
        ".salt",
        "salt: aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
    ),
    ("a missing key has a known way out", ".on_missing_key", "on_missing_key: refuse"),
    ("a cookie is an object", ".on_missing_key", "on_missing_key: cookie"),
    ("a cookie is in its place", ".on_missing_key.cookie", "on_missing_key: {}"),
    ("a cookie has a secret", ".on_missing_key.cookie.secret", "on_missing_key: {cookie: {}}"),
    (
        "a secret is in the environment",
        ".on_missing_key.cookie.secret",
        "on_missing_key: {cookie: {secret: abc}}",
    ),
    (
        "a cookie has a name",
        ".on_missing_key.cookie.name",
        "on_missing_key: {cookie: {secret: {env: CANARY_COOKIE_SECRET}, name: 'a b'}}",
    ),
    (
        "a cookie is kept for a while",
        ".on_missing_key.cookie.max_age",
        "on_missing_key: {cookie: {secret: {env: CANARY_COOKIE_SECRET}, max_age: 0s}}",
    ),
    (
        "a path begins with a slash",
        ".on_missing_key.cookie.path",
        "on_missing_key: {cookie: {secret: {env: CANARY_COOKIE_SECRET}, path: shop}}",
    ),
    (
        "a path ends no attribute",
        ".on_missing_key.cookie.path",
        "on_missing_key: {cookie: {secret: {env: CANARY_COOKIE_SECRET}, path: '/;a'}}",
    ),
    (
        "a domain has no dot before it",
        ".on_missing_key.cookie.domain",
        "on_missing_key: {cookie: {secret: {env: CANARY_COOKIE_SECRET}, domain: .example.com}}",
    ),
    (
        "a site is lax, strict or none",
        ".on_missing_key.cookie.same_site",
        "on_missing_key: {cookie: {secret: {env: CANARY_COOKIE_SECRET}, same_site: Lax}}",
    ),
    (
        "a cookie for other sites is secure",
        ".on_missing_key.cookie.secure",
        "on_missing_key: {cookie: {secret: {env: CANARY_COOKIE_SECRET}, same_site: none, secure: false}}",
    ),
    ("there are variants", ".variants", "variants: null"),
    ("there are two variants", ".variants", "variants: [{name: v1}]"),
    ("a variant has a name", ".variants[1].name", "variants: [{name: v1}, {weight: 5%}]"),
    ("a variant is not what testers write", ".variants[1].name", "variants: [{name: v1}, {name: always}]"),
    (
        "a cluster is the value of a header",
        ".variants[0].cluster",
        "variants: [{name: v1, cluster: a b}, {name: v2}]",
    ),
    ("a weight is whole", ".variants[1].weight", "variants: [{name: v1}, {name: v2, weight: 0.5}]"),
    (
        "a weight is not more than all",
        ".variants[1].weight",
        "variants: [{name: v1}, {name: v2, weight: 10001}]",
    ),
    ("a weight is a whole part", ".variants[1].weight", "variants: [{name: v1}, {name: v2, weight: 0.005%}]"),
    ("a weight has a percent sign", ".variants[1].weight", "variants: [{name: v1}, {name: v2, weight: '5'}]"),
    ("a first bucket is there", ".variants[1].from", "variants: [{name: v1}, {name: v2, from: 10000}]"),
    (
        "a variant has a weight or a ramp",
        ".variants[1].weight",
        "variants: [{name: v1}, {name: v2, weight: 5, ramp: {points: [{at: 2026-11-26T08:00:00Z, weight: 5}]}}]",
    ),
    ("a ramp has points", ".variants[1].ramp.points", "variants: [{name: v1}, {name: v2, ramp: {}}]"),
    (
        "a ramp has a point",
        ".variants[1].ramp.points",
        "variants: [{name: v1}, {name: v2, ramp: {points: []}}]",
    ),
    (
        "a ramp has a known shape",
        ".variants[1].ramp.shape",
        "variants: [{name: v1}, {name: v2, ramp: {shape: curved, points: [{at: 2026-11-26T08:00:00Z, weight: 5}]}}]",
    ),
    (
        "a point has an instant",
        ".variants[1].ramp.points[0].at",
        "variants: [{name: v1}, {name: v2, ramp: {points: [{weight: 5}]}}]",
    ),
    (
        "a point has a weight",
        ".variants[1].ramp.points[0].weight",
        "variants: [{name: v1}, {name: v2, ramp: {points: [{at: 2026-11-26T08:00:00Z}]}}]",
    ),
    ("there are assignments", ".assign", "assign: []"),
    ("an assignment is to a variant", ".assign[0].variant", "assign: [{keys: [alice]}]"),
    ("an assignment is of somebody", ".assign[0]", "assign: [{variant: v2}]"),
    ("an assignment has keys", ".assign[0].keys", "assign: [{variant: v2, keys: []}]"),
    ("a key is not empty", ".assign[0].keys[0]", "assign: [{variant: v2, keys: ['']}]"),
    ("a claim is tested", ".assign[0].claims[0]", "assign: [{variant: v2, claims: [{name: tenant}]}]"),
    (
        "a header is an ordinary one",
        ".assign[0].headers[0].name",
        "assign: [{variant: v2, headers: [{name: ':path', exact: /}]}]",
    ),
    ("testers ask by something", ".force", "force: {token: {env: CANARY_TOKEN}}"),
    ("testers ask by a header of their own", ".force.header", "force: {header: Authorization}"),
    ("testers ask by a cookie that can be", ".force.cookie", "force: {cookie: 'a;b'}"),
    (
        "a header for a token has a token",
        ".force.token_header",
        "force: {header: x-canary, token_header: x-token}",
    ),
    ("a mirror has a share", ".mirror.percent", "mirror: {}"),
    ("a mirror has a header of its own", ".mirror.header", "mirror: {percent: 1%, header: te}"),
    ("to observe is true or false", ".observe", "observe: 'yes'"),
    ("outcomes are statuses", ".outcomes.statuses[0]", "{observe: true, outcomes: {statuses: [2xx]}}"),
    ("outcomes of gRPC are not ok", ".outcomes.grpc[0]", "{observe: true, outcomes: {grpc: [0]}}"),
    (
        "outcomes of gRPC are in upper case",
        ".outcomes.grpc[0]",
        "{observe: true, outcomes: {grpc: [unavailable]}}",
    ),
    ("slow is not zero", ".outcomes.slower_than", "{observe: true, outcomes: {slower_than: 0s}}"),
    ("a window is not zero", ".guard.window", "guard: {window: 0s}"),
    ("nothing is concluded from nothing", ".guard.min_requests", "guard: {min_requests: 0}"),
    ("a recovery is automatic or manual", ".guard.recovery", "guard: {recovery: never}"),
    ("what is manual needs no time", ".guard.cooldown", "guard: {recovery: manual, cooldown: 5m}"),
];

/// The same for what stands beside the splits.
const WRONG_WHOLES: [(&str, &str, &str); 9] = [
    ("there are splits", "splits", "{}"),
    ("splits are not empty", "splits", "splits: []"),
    (
        "a split has a name",
        "splits[0].name",
        "splits: [{key: client_ip, variants: [{name: v1}, {name: v2}]}]",
    ),
    (
        "tags are refusals or all",
        "tags",
        "{tags: none, splits: [{name: a, key: client_ip, variants: [{name: v1}, {name: v2}]}]}",
    ),
    (
        "a header is not all headers",
        "output.header",
        "{output: {header: true}, splits: [{name: a, key: client_ip, variants: [{name: v1}, {name: v2}]}]}",
    ),
    (
        "a header is one of our own",
        "output.header",
        "{output: {header: Cookie}, splits: [{name: a, key: client_ip, variants: [{name: v1}, {name: v2}]}]}",
    ),
    (
        "a header for the cluster has a name",
        "output.cluster_header",
        "{output: {cluster_header: 'a b'}, splits: [{name: a, key: client_ip, variants: [{name: v1}, {name: v2}]}]}",
    ),
    (
        "a header for the index is no pseudo-header",
        "output.index_header",
        "{output: {index_header: ':path'}, splits: [{name: a, key: client_ip, variants: [{name: v1}, {name: v2}]}]}",
    ),
    (
        "only one of the headers can be off",
        "output.response_header",
        "{output: {response_header: false}, splits: [{name: a, key: client_ip, variants: [{name: v1}, {name: v2}]}]}",
    ),
];

/// Fields of a split that both accept.
const RIGHT: [&str; 21] = [
    "key: [{header: x-user-id}, {cookie: sid}, client_ip]",
    "key: {claim: sub}",
    "salt: A-z_0-9",
    "{key: null, on_missing_key: random}",
    "{key: null, on_missing_key: {cookie: {secret: {env: CANARY_COOKIE_SECRET}}}}",
    "on_missing_key: {cookie: {secret: {inline: 0123456789abcdef0123456789abcdef}, name: __Host-a, same_site: none}}",
    "on_missing_key: {cookie: {secret: {env: CANARY_COOKIE_SECRET}, secure: false, same_site: strict, max_age: 400d, path: /a/b}}",
    "variants: [{name: v1, weight: 95%}, {name: v2, weight: 500}]",
    "variants: [{name: v1}, {name: v2, weight: 0.01%}, {name: v3, weight: 99.990%}]",
    "variants: [{name: v1}, {name: v2}, {name: v3, weight: 100.0%}]",
    "variants: [{name: v1}, {name: v2, from: 9999, weight: 1}]",
    "variants: [{name: v1}, {name: v2, ramp: {points: [{at: '2026-11-26T09:00:00+01:00', weight: 0}]}}]",
    "assign: [{variant: v1, keys: [bank]}, {variant: v2, claims: [{name: tenantId, present: true}]}]",
    "force: {cookie: canary}",
    "force: {header: X-Canary, token: {inline: abc}, token_header: x-t}",
    "mirror: {percent: 0}",
    "observe: false",
    "{observe: true, outcomes: {statuses: [], grpc: []}}",
    "guard: {}",
    "guard: {recovery: manual, reset: ''}",
    "{guard: {window: 1h, min_requests: 1, worse_by: 0%, max_error_rate: 0%}, observe: false, outcomes: {}}",
];

/// Whole configurations that both accept.
const RIGHT_WHOLES: [&str; 3] = [
    "{mode: shadow, tags: refusals, splits: [{name: a, key: client_ip, variants: [{name: v1}, {name: v2}]}]}",
    "{output: {header: off, index_header: x-i}, splits: [{name: a, key: client_ip, variants: [{name: v1}, {name: v2}]}]}",
    "{tags: all, output: {header: false}, splits: [{name: a, key: client_ip, variants: [{name: v1}, {name: v2}]}]}",
];

/// What takes more than a schema to find out: it accepts these, and the parser does not.
const WRONG_FOR_THE_PARSER: [(&str, &str, &str); 26] = [
    (
        "a secret is there",
        ".on_missing_key.cookie.secret.env",
        "on_missing_key: {cookie: {secret: {env: NOWHERE}}}",
    ),
    ("a secret is long", ".on_missing_key.cookie.secret", "on_missing_key: {cookie: {secret: {env: SHORT}}}"),
    (
        "a cookie is not kept for ever",
        ".on_missing_key.cookie.max_age",
        "on_missing_key: {cookie: {secret: {env: CANARY_COOKIE_SECRET}, max_age: 401d}}",
    ),
    (
        "a cookie is kept for whole seconds",
        ".on_missing_key.cookie.max_age",
        "on_missing_key: {cookie: {secret: {env: CANARY_COOKIE_SECRET}, max_age: 1.5s}}",
    ),
    (
        "a name keeps its promise",
        ".on_missing_key.cookie.name",
        "on_missing_key: {cookie: {secret: {env: CANARY_COOKIE_SECRET}, name: __Host-a, path: /a}}",
    ),
    ("variants have different names", ".variants[1]", "variants: [{name: v1}, {name: v1}]"),
    (
        "a baseline leaves nothing",
        ".variants[0].weight",
        "variants: [{name: v1, weight: 95}, {name: v2, weight: 5}]",
    ),
    ("a baseline has no first bucket", ".variants[0].from", "variants: [{name: v1, from: 0}, {name: v2}]"),
    (
        "a baseline has no ramp",
        ".variants[0].ramp",
        "variants: [{name: v1, ramp: {points: [{at: 2026-11-26T08:00:00Z, weight: 5}]}}, {name: v2}]",
    ),
    (
        "a weight beside a ramp is nothing fixed",
        ".variants[0].weight",
        "variants: [{name: v1, weight: 5}, {name: v2, ramp: {points: [{at: 2026-11-26T08:00:00Z, weight: 5}]}}]",
    ),
    (
        "three variants say where they begin",
        ".variants[1]",
        "variants: [{name: v1}, {name: v2}, {name: v3}, {name: v4}]",
    ),
    (
        "all say where they begin, or none",
        ".variants[2]",
        "variants: [{name: v1}, {name: v2, from: 0}, {name: v3}]",
    ),
    (
        "a range ends before the last bucket",
        ".variants[1].weight",
        "variants: [{name: v1}, {name: v2, from: 9999, weight: 2}]",
    ),
    (
        "ranges don't meet",
        ".variants[2].weight",
        "variants: [{name: v1}, {name: v2, weight: 60%}, {name: v3, weight: 60%}]",
    ),
    (
        "points are in order",
        ".variants[1].ramp.points[1]",
        "variants: [{name: v1}, {name: v2, ramp: {points: [{at: 2026-11-26T08:00:00Z, weight: 5}, {at: 2026-11-26T08:00:00Z, weight: 6}]}}]",
    ),
    (
        "a cluster is written somewhere",
        ".variants[0].cluster",
        "variants: [{name: v1, cluster: a}, {name: v2}]",
    ),
    (
        "an assignment is to a variant that is there",
        ".assign[0].variant",
        "assign: [{variant: v3, keys: [alice]}]",
    ),
    (
        "an assigned key can be one",
        ".assign[0].keys[0]",
        "{key: client_ip, assign: [{variant: v2, keys: [10.0.0.0/8]}]}",
    ),
    (
        "assigned keys have a key",
        ".assign[0].keys",
        "{key: null, on_missing_key: random, assign: [{variant: v2, keys: [alice]}]}",
    ),
    ("headers of testers are two", ".force", "force: {header: x-a, token: {inline: abc}, token_header: X-A}"),
    ("headers of testers are not written", "", "force: {header: x-sluice-variant}"),
    ("a mirror has another header than routes", "", "mirror: {percent: 1%, header: X-Sluice-Variant}"),
    ("outcomes are for somebody", ".outcomes", "outcomes: {}"),
    ("slow is not too slow", ".outcomes.slower_than", "{observe: true, outcomes: {slower_than: 2h}}"),
    ("a window is not too long", ".guard.window", "guard: {window: 2h}"),
    ("a probe is somebody", ".guard.probe", "guard: {probe: 0.001%}"),
];

/// The same for whole configurations.
const WRONG_WHOLES_FOR_THE_PARSER: [(&str, &str, &str); 6] = [
    (
        "splits have different names",
        "splits[1]",
        "splits: [{name: a, match: {methods: [PUT]}, key: client_ip, variants: [{name: v1}, {name: v2}]}, {name: a, key: client_ip, variants: [{name: v1}, {name: v2}]}]",
    ),
    (
        "a split can be reached",
        "splits[1]",
        "splits: [{name: a, key: client_ip, variants: [{name: v1}, {name: v2}]}, {name: b, key: client_ip, variants: [{name: v1}, {name: v2}]}]",
    ),
    (
        "splits have different cookies",
        "splits[1]",
        "splits: [{name: a, match: {methods: [PUT]}, on_missing_key: {cookie: {name: c, secret: {env: CANARY_COOKIE_SECRET}}}, variants: [{name: v1}, {name: v2}]}, {name: b, on_missing_key: {cookie: {name: c, secret: {env: CANARY_COOKIE_SECRET}}}, variants: [{name: v1}, {name: v2}]}]",
    ),
    (
        "something is written",
        "output",
        "{output: {header: off}, splits: [{name: a, key: client_ip, variants: [{name: v1}, {name: v2}]}]}",
    ),
    (
        "two headers have two names",
        "output",
        "{output: {index_header: x-sluice-variant}, splits: [{name: a, key: client_ip, variants: [{name: v1}, {name: v2}]}]}",
    ),
    (
        "what is written is there",
        "splits[0].variants[0]",
        "{output: {cluster_header: x-c}, splits: [{name: a, key: client_ip, variants: [{name: v1}, {name: v2}]}]}",
    ),
];
