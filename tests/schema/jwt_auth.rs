//! What jwt-auth's schema and parser accept and refuse.

use serde_json::{Value, json};

use super::{Filter, Mistake, replaced, yaml};

/// All that the tests know of jwt-auth.
pub(super) const JWT_AUTH: Filter = Filter {
    name: "jwt-auth",
    kind: &::jwt_auth::KIND,
    environment: |name| {
        let value = match name {
            "JWT_SECRET" => "thirty-two bytes are just enough",
            "JWT_SECRET_NEW" => "dGhpcnR5LXR3byBieXRlcyBhcmUganVzdCBlbm91Z2g=",
            "SHORT" => "short",
            _ => return None,
        };
        Some(value.to_owned())
    },
    everything: EVERYTHING,
    wrong,
    right,
    wrong_for_the_parser,
    // The demo has its issuer on the same machine.
    differs_in_istio: &["/providers/0/keys/uri", "/providers/0/keys/cluster"],
};

/// A configuration with every object that there can be, and of each one that knows all its fields.
const EVERYTHING: &str = "
mode: enforce
providers:
  - name: corp
    issuer: https://issuer.example.com
    audiences: [api]
    algorithms: [RS256, EdDSA]
    keys:
      uri: https://issuer.example.com/.well-known/jwks.json
      cluster: issuer
      timeout: 5s
      refresh: 10m
      min_refresh: 30s
      max_refresh: 1d
      retry: 1s
      unknown_kid_interval: 30s
      stale_for: 1h
      max_size: 256KiB
      max_keys: 64
    leeway: 0s
    max_lifetime: 1d
    required_claims: [sub, [org, id]]
    accept_without_expiry: false
    profile: rfc9068
  - name: partner
    issuer: partner
    any_audience: true
    algorithms: [Ed25519]
    keys:
      inline: {keys: [{kty: OKP, crv: Ed25519, kid: a, x: 11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo}]}
    typ: JWT
  - name: internal
    issuer: internal
    audiences: api
    algorithms: [HS256]
    keys:
      secrets:
        - {env: JWT_SECRET, encoding: utf8}
        - {id: b, secret: {env: JWT_SECRET_NEW, encoding: base64}}
tokens: [{authorization: Bearer}, {header: x-jwt}, {cookie: sid}, {query: access_token}]
strip_token: true
max_token_size: 16KiB
allow_cors_preflight: true
rules:
  - name: health
    match:
      path: {template: '/health/{id}'}
      methods: [GET]
      hosts: ['*.example.com']
      headers: [{name: x-tier, exact: gold, not: true}]
      query: [{name: debug, present: true}]
    allow: anonymous
  - name: api
    require:
      all:
        - token
        - provider: corp
        - scope: admin
        - any: [{claim: tier, one_of: [gold, 1, true]}, {claim: level, at_least: 3}]
    optional: true
claims_to_headers: [{claim: sub, header: x-user}, {claim: [realm_access, roles], header: x-roles}]
payload_header: x-jwt-payload
publish: [sub, {claim: [org, id], name: org}]
deny: [{claim: jti, values: [a], key_ids: [b], issued_before: '2026-01-01T00:00:00Z'}]
realm: api
cache: 4MiB
wait_for_keys: 3s
signatures: auto
tags: all
";

/// What is wrong, where the parser says it is within the provider, and what replaces fields of one that is right;
/// `~` takes a field away.
const WRONG_PROVIDERS: [(&str, &str, &str); 53] = [
    ("a provider has a name", ".name", "name: ~"),
    ("a name has no capitals", ".name", "name: Corp"),
    ("a field is misspelt", ".issuers", "issuers: [a]"),
    ("a provider has an issuer", ".issuer", "issuer: ~"),
    ("an issuer is not empty", ".issuer", "issuer: ''"),
    ("a provider says for whom its tokens are", "", "audiences: ~"),
    ("audiences are not empty", ".audiences", "audiences: []"),
    ("an audience is not empty", ".audiences[0]", "audiences: ['']"),
    ("audiences are some or any", ".any_audience", "any_audience: true"),
    ("any audience is not none", ".any_audience", "{audiences: ~, any_audience: false}"),
    ("a provider has algorithms", ".algorithms", "algorithms: ~"),
    ("algorithms are not empty", ".algorithms", "algorithms: []"),
    ("none is no algorithm", ".algorithms[0]", "algorithms: [none]"),
    ("the case of an algorithm counts", ".algorithms[0]", "algorithms: [rs256]"),
    (
        "algorithms with secrets go with no others",
        ".algorithms",
        "{algorithms: [RS256, HS256], keys: {secrets: [{env: JWT_SECRET}]}}",
    ),
    ("a provider has keys", ".keys", "keys: ~"),
    ("keys come from somewhere", ".keys", "keys: {}"),
    ("keys come from one place", ".keys", "keys: {uri: 'https://a', cluster: a, inline: {keys: [{}]}}"),
    ("fetched keys are no secrets", ".keys", "algorithms: [HS256]"),
    ("inline keys are no secrets", ".keys.inline", "{algorithms: [HS256], keys: {inline: {keys: [{}]}}}"),
    ("secrets are no public keys", ".keys.secrets", "keys: {secrets: [{env: JWT_SECRET}]}"),
    ("keys are fetched through a cluster", ".keys.cluster", "keys: {uri: 'https://a'}"),
    ("a cluster has a name", ".keys.cluster", "keys: {uri: 'https://a', cluster: ''}"),
    ("a URI is absolute", ".keys.uri", "keys: {uri: /jwks.json, cluster: a}"),
    ("a URI is of the web", ".keys.uri", "keys: {uri: 'file:///jwks.json', cluster: a}"),
    ("a URI has a host", ".keys.uri", "keys: {uri: 'https:///jwks.json', cluster: a}"),
    ("a URI has no password", ".keys.uri", "keys: {uri: 'https://a:b@c/', cluster: a}"),
    ("a URI has no fragment", ".keys.uri", "keys: {uri: 'https://a/#b', cluster: a}"),
    ("a timeout has a unit", ".keys.timeout", "keys: {uri: 'https://a', cluster: a, timeout: 5}"),
    ("a timeout is not zero", ".keys.timeout", "keys: {uri: 'https://a', cluster: a, timeout: 0s}"),
    ("keys are fresh for a while", ".keys.refresh", "keys: {uri: 'https://a', cluster: a, refresh: 0s}"),
    ("a size has a known unit", ".keys.max_size", "keys: {uri: 'https://a', cluster: a, max_size: 1 MB}"),
    ("there is room for a key", ".keys.max_keys", "keys: {uri: 'https://a', cluster: a, max_keys: 0}"),
    ("a set has keys", ".keys.inline", "keys: {inline: {}}"),
    ("a set has a list of keys", ".keys.inline", "keys: {inline: {keys: a}}"),
    ("a set is not empty", ".keys", "keys: {inline: {keys: []}}"),
    ("secrets are a list", ".keys.secrets", "{algorithms: [HS256], keys: {secrets: {env: JWT_SECRET}}}"),
    ("secrets are not empty", ".keys.secrets", "{algorithms: [HS256], keys: {secrets: []}}"),
    (
        "a secret is somewhere",
        ".keys.secrets[0]",
        "{algorithms: [HS256], keys: {secrets: [{encoding: hex}]}}",
    ),
    (
        "a secret is in one place",
        ".keys.secrets[0]",
        "{algorithms: [HS256], keys: {secrets: [{env: JWT_SECRET, inline: a}]}}",
    ),
    (
        "a variable has the name of one",
        ".keys.secrets[0].env",
        "{algorithms: [HS256], keys: {secrets: [{env: 'my secret'}]}}",
    ),
    (
        "an encoding is known",
        ".keys.secrets[0].encoding",
        "{algorithms: [HS256], keys: {secrets: [{env: JWT_SECRET, encoding: base32}]}}",
    ),
    (
        "a secret with a name says where it is",
        ".keys.secrets[0].secret",
        "{algorithms: [HS256], keys: {secrets: [{id: a, secret: b}]}}",
    ),
    ("a leeway has a unit", ".leeway", "leeway: 60"),
    ("a lifetime is not zero", ".max_lifetime", "max_lifetime: 0s"),
    ("required claims are a list", ".required_claims", "required_claims: sub"),
    ("required claims are not empty", ".required_claims", "required_claims: []"),
    ("a claim is a name or a list of them", ".required_claims[0]", "required_claims: [{org: id}]"),
    ("without expiry is true or false", ".accept_without_expiry", "accept_without_expiry: 'true'"),
    ("a type is not empty", ".typ", "typ: ''"),
    ("a profile is known", ".profile", "profile: oidc"),
    ("a profile says what the type is", ".typ", "{profile: rfc9068, typ: JWT}"),
    ("a profile has an expiry", "", "{profile: rfc9068, accept_without_expiry: true}"),
];

/// The same for a rule.
const WRONG_RULES: [(&str, &str, &str); 31] = [
    ("a name is not that of no rule", ".name", "name: none"),
    ("a rule has a name", ".name", "name: ~"),
    ("a rule allows or requires something", "", "require: ~"),
    ("a rule doesn't do both", "", "allow: anonymous"),
    ("what is allowed is known", ".allow", "{require: ~, allow: everybody}"),
    ("nobody's token is optional", ".optional", "{require: ~, allow: anonymous, optional: true}"),
    ("optional is true or false", ".optional", "optional: maybe"),
    ("a rule says what it is for", ".match.path", "match: {path: {}}"),
    ("a condition is a word or an object", ".require", "require: [token]"),
    ("the only word is token", ".require", "require: anything"),
    ("a condition says something", ".require", "require: {}"),
    ("a condition says one thing", ".require", "require: {scope: a, provider: corp}"),
    ("a field is misspelt", ".require.scopes", "require: {scopes: [a]}"),
    ("all conditions are a list", ".require.all", "require: {all: {scope: a}}"),
    ("all conditions are some", ".require.all", "require: {all: []}"),
    ("any condition is one", ".require.any", "require: {any: []}"),
    (
        "conditions are checked inside of others",
        ".require.any[0].all[0].scope",
        "require: {any: [{all: [{scope: ''}]}]}",
    ),
    ("a scope is one", ".require.scope", "require: {scope: read write}"),
    ("a claim is tested", ".require", "require: {claim: tier}"),
    ("a test has a claim", ".require", "require: {equals: gold}"),
    ("a claim has one test", ".require", "require: {claim: tier, equals: gold, prefix: g}"),
    ("a way to a claim has steps", ".require.claim", "require: {claim: [], present: true}"),
    ("a claim has a name", ".require.claim", "require: {claim: '', present: true}"),
    ("a claim equals a value", ".require.equals", "require: {claim: tier, equals: [gold]}"),
    ("one of values is a list", ".require.one_of", "require: {claim: tier, one_of: gold}"),
    ("one of values is some", ".require.one_of", "require: {claim: tier, one_of: []}"),
    ("a list contains a value", ".require.contains", "require: {claim: roles, contains: {a: b}}"),
    ("a prefix is not empty", ".require.prefix", "require: {claim: tier, prefix: ''}"),
    ("a bound is a number", ".require.at_least", "require: {claim: level, at_least: '3'}"),
    ("a bound is no boolean", ".require.below", "require: {claim: level, below: true}"),
    ("a claim can't be required to be absent", ".require.present", "require: {claim: tier, present: false}"),
];

/// The same for what stands beside providers and rules.
const WRONG: [(&str, &str, &str); 45] = [
    ("there are providers", "providers", "providers: ~"),
    ("providers are not empty", "providers", "providers: []"),
    ("there are rules", "rules", "rules: ~"),
    ("rules are not empty", "rules", "rules: []"),
    ("a mode is enforce or shadow", "mode", "mode: dry-run"),
    ("a field is misspelt", "provider", "provider: a"),
    ("places are a list", "tokens", "tokens: {header: x-jwt}"),
    ("places are not empty", "tokens", "tokens: []"),
    ("a place is somewhere", "tokens[0]", "tokens: [{}]"),
    ("a place is one", "tokens[0]", "tokens: [{header: x-jwt, cookie: sid}]"),
    ("a place is known", "tokens[0].body", "tokens: [{body: token}]"),
    ("a scheme is one word", "tokens[0].authorization", "tokens: [{authorization: 'Bearer '}]"),
    ("the authorization header has a scheme", "tokens[0].header", "tokens: [{header: Authorization}]"),
    ("a token is not all cookies", "tokens[0].header", "tokens: [{header: Cookie}]"),
    ("a header is no pseudo-header", "tokens[0].header", "tokens: [{header: ':path'}]"),
    ("a cookie has a name", "tokens[0].cookie", "tokens: [{cookie: ''}]"),
    ("a parameter has a name", "tokens[0].query", "tokens: [{query: ''}]"),
    ("stripping is true or false", "strip_token", "strip_token: 1"),
    ("a size has a known unit", "max_token_size", "max_token_size: 8 kilobytes"),
    ("a preflight is allowed or not", "allow_cors_preflight", "allow_cors_preflight: [a]"),
    ("headers are a list", "claims_to_headers", "claims_to_headers: {sub: x-user}"),
    ("headers are not empty", "claims_to_headers", "claims_to_headers: []"),
    ("a header has a name", "claims_to_headers[0].header", "claims_to_headers: [{claim: sub}]"),
    ("a header has a claim", "claims_to_headers[0].claim", "claims_to_headers: [{header: x-user}]"),
    (
        "a claim is no pseudo-header",
        "claims_to_headers[0].header",
        "claims_to_headers: [{claim: sub, header: ':authority'}]",
    ),
    (
        "a claim is no header of proxies",
        "claims_to_headers[0].header",
        "claims_to_headers: [{claim: sub, header: Transfer-Encoding}]",
    ),
    ("the payload is no header of proxies", "payload_header", "payload_header: Authorization"),
    ("the payload is no host", "payload_header", "payload_header: Host"),
    ("what is published has a name", "publish[0]", "publish: [[org, id]]"),
    ("what is published says its name", "publish[0].name", "publish: [{claim: [org, id]}]"),
    ("a name is one", "publish[0].name", "publish: [{claim: org, name: My Org}]"),
    ("the filter's own tags stay", "publish[0]", "publish: [outcome]"),
    ("what is no name gets one", "publish[0]", "publish: ['https://example.com/roles']"),
    (
        "the filter's own tags stay, whatever is in them",
        "publish[0].name",
        "publish: [{claim: sub, name: rule}]",
    ),
    ("a revocation says something", "deny[0]", "deny: [{}]"),
    ("a revocation by a claim has values", "deny[0].claim", "deny: [{claim: jti}]"),
    ("values are those of a claim", "deny[0].values", "deny: [{values: [a]}]"),
    ("values are texts", "deny[0].values[0]", "deny: [{claim: jti, values: [5]}]"),
    ("keys that are revoked are some", "deny[0].key_ids", "deny: [{key_ids: []}]"),
    ("an instant is one", "deny[0].issued_before", "deny: [{issued_before: yesterday}]"),
    ("a realm has no quotes", "realm", "realm: 'a \"b\"'"),
    ("a cache has a size", "cache", "cache: large"),
    ("a wait is not zero", "wait_for_keys", "wait_for_keys: 0s"),
    ("signatures are verified by somebody", "signatures", "signatures: proxy"),
    ("tags are those of refusals or all", "tags", "tags: none"),
];

/// What replaces fields of a configuration that is right, and only the parser refuses.
const WRONG_FOR_THE_PARSER: [(&str, &str, &str); 24] = [
    (
        "providers have different names",
        "providers[1]",
        "providers: [{name: a, issuer: a, any_audience: true, algorithms: [RS256], keys: &k {uri: 'https://a', cluster: a}}, {name: a, issuer: b, any_audience: true, algorithms: [RS256], keys: *k}]",
    ),
    (
        "providers have different issuers",
        "providers[1]",
        "providers: [{name: a, issuer: a, any_audience: true, algorithms: [RS256], keys: &k {uri: 'https://a', cluster: a}}, {name: b, issuer: a, any_audience: true, algorithms: [RS256], keys: *k}]",
    ),
    (
        "rules have different names",
        "rules[1]",
        "rules: [{name: a, match: {methods: [GET]}, require: token}, {name: a, require: token}]",
    ),
    ("rules are reached", "rules[1]", "rules: [{name: a, require: token}, {name: b, require: token}]"),
    (
        "a rule names a provider that is there",
        "rules[0].require.provider",
        "rules: [{name: a, require: {provider: crop}}]",
    ),
    (
        "a number is the one that was written",
        "rules[0].require.at_least",
        "rules: [{name: a, require: {claim: level, at_least: 1.0e+19}}]",
    ),
    (
        "a header has one claim",
        "claims_to_headers",
        "claims_to_headers: [{claim: sub, header: x-a}, {claim: iss, header: X-A}]",
    ),
    (
        "a header has a claim or the payload",
        "claims_to_headers",
        "{claims_to_headers: [{claim: sub, header: x-a}], payload_header: x-a}",
    ),
    ("a name is published once", "publish", "publish: [sub, {claim: [org, id], name: sub}]"),
    ("a token has a limit", "max_token_size", "max_token_size: 1MiB"),
    ("a token has a minimum", "max_token_size", "max_token_size: 64"),
    ("a cache has a limit", "cache", "cache: 1GiB"),
    ("a wait has a limit", "wait_for_keys", "wait_for_keys: 5m"),
    (
        "an instant is on the calendar",
        "deny[0].issued_before",
        "deny: [{issued_before: '2026-02-30T00:00:00Z'}]",
    ),
    ("a leeway has a limit", "providers[0].leeway", "provider: {leeway: 10m}"),
    ("a lifetime is a second at least", "providers[0].max_lifetime", "provider: {max_lifetime: 10ms}"),
    (
        "a fetch has a limit",
        "providers[0].keys.timeout",
        "provider: {keys: {uri: 'https://a', cluster: a, timeout: 2m}}",
    ),
    (
        "a document has a limit",
        "providers[0].keys.max_size",
        "provider: {keys: {uri: 'https://a', cluster: a, max_size: 1GiB}}",
    ),
    (
        "bounds are in order",
        "providers[0].keys.max_refresh",
        "provider: {keys: {uri: 'https://a', cluster: a, min_refresh: 1h, max_refresh: 1m}}",
    ),
    (
        "keys are fresh within bounds",
        "providers[0].keys.refresh",
        "provider: {keys: {uri: 'https://a', cluster: a, refresh: 1m, min_refresh: 1h}}",
    ),
    (
        "inline keys fit the algorithms",
        "providers[0].keys",
        "provider: {keys: {inline: {keys: [{kty: OKP, crv: Ed25519, x: 11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo}]}}}",
    ),
    ("an inline text is a set", "providers[0].keys.inline", "provider: {keys: {inline: '{\"keys\": 1}'}}"),
    (
        "a secret is in the environment",
        "providers[0].keys.secrets[0].env",
        "provider: {algorithms: [HS256], keys: {secrets: [{env: NOWHERE}]}}",
    ),
    (
        "a secret is long enough",
        "providers[0].keys",
        "provider: {algorithms: [HS256], keys: {secrets: [{env: SHORT}]}}",
    ),
];

/// What replaces fields of a provider that is right, and leaves it right.
const RIGHT_PROVIDERS: [&str; 15] = [
    "{}",
    "{name: 0_a-b, issuer: 'accounts.example.com/'}",
    "{audiences: api, leeway: 5m, max_lifetime: 1s}",
    "{audiences: ~, any_audience: true, accept_without_expiry: true, typ: application/JWT}",
    "{profile: rfc9068, accept_without_expiry: false, required_claims: ['https://example.com/roles', [org, id]]}",
    "algorithms: [RS256, RS384, RS512, PS256, PS384, PS512, ES256, ES384, ES512, EdDSA, Ed25519]",
    "keys: {uri: 'HTTP://[2001:db8::1]:8080', cluster: outbound|443||issuer.example.com}",
    "keys: {uri: 'https://a.example.com/keys?tenant=a&x=%20', cluster: a, timeout: 0.1s, max_size: 1024, max_keys: 1000}",
    "keys: {uri: 'https://a', cluster: a, refresh: 1s, retry: 100ms, unknown_kid_interval: 1s, stale_for: 30d}",
    "keys: {uri: 'https://a', cluster: a, min_refresh: 1m, max_refresh: 1m}",
    "{algorithms: [EdDSA], keys: {inline: {keys: [{kty: OKP, crv: Ed25519, x: 11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo}, {kty: new}], more: 1}}}",
    "{algorithms: [EdDSA], keys: {inline: '{\"keys\": [{\"kty\": \"OKP\", \"crv\": \"Ed25519\", \"x\": \"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo\"}]}'}}",
    "{algorithms: [HS256], keys: {secrets: [{env: JWT_SECRET}]}}",
    "{algorithms: [HS256, HS512], keys: {secrets: [{id: a, secret: {env: JWT_SECRET_NEW, encoding: base64}}, {secret: {env: JWT_SECRET}}]}}",
    "{algorithms: [HS256], keys: {secrets: [{inline: 00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff, encoding: hex}]}}",
];

/// The same for a rule.
const RIGHT_RULES: [&str; 18] = [
    "{}",
    "{require: ~, allow: anonymous}",
    "{require: token, optional: true, match: {path: {prefix: /a}}}",
    "require: {provider: corp}",
    "require: {scope: 'https://example.com/scope:read'}",
    "require: {all: [token, {any: [{scope: a}, {all: [{scope: b}]}]}]}",
    "require: {claim: https://example.com/tier, equals: ''}",
    "require: {claim: [a, 'b.c'], equals: 1.5}",
    "require: {claim: a, equals: false}",
    "require: {claim: a, one_of: [a, 1, true]}",
    "require: {claim: a, contains: admin}",
    "require: {claim: a, contains: 5}",
    "require: {claim: a, prefix: eu-}",
    "require: {claim: a, at_least: -3}",
    "require: {claim: a, at_most: 0.5}",
    "require: {claim: a, above: 0}",
    "require: {claim: a, below: 1.0e+6}",
    "require: {claim: a, present: true}",
];

/// The same for what stands beside providers and rules.
const RIGHT: [&str; 12] = [
    "{}",
    "mode: shadow",
    "tokens: [{authorization: DPoP-like}, {header: X-Jwt}, {cookie: __Host-sid}, {query: access_token}]",
    "{strip_token: true, max_token_size: 65536, allow_cors_preflight: true}",
    "{claims_to_headers: [{claim: sub, header: X-User}], payload_header: X-Payload}",
    "publish: [sub, {claim: [org, id], name: org_id}]",
    "deny: [{claim: jti, values: [a]}, {claim: [org, id], values: ['5'], issued_before: '2026-03-01T00:00:00+01:00'}]",
    "deny: [{key_ids: [a]}, {issued_before: '1970-01-01T00:00:00Z'}]",
    "realm: the api (v2)",
    "{cache: 0, wait_for_keys: 10ms}",
    "{cache: 256MiB, wait_for_keys: 60s}",
    "{signatures: module, tags: all}",
];

fn wrong() -> Vec<Mistake> {
    let providers =
        WRONG_PROVIDERS.iter().map(|line| Mistake::of(line, with_provider).inside("providers[0]"));
    let rules = WRONG_RULES.iter().map(|line| Mistake::of(line, with_rule).inside("rules[0]"));
    providers.chain(rules).chain(WRONG.iter().map(|line| Mistake::of(line, with))).collect()
}

fn wrong_for_the_parser() -> Vec<Mistake> {
    let configuration = |text: &str| match yaml(text).get("provider") {
        Some(provider) => with_provider(&provider.to_string()),
        None => with(text),
    };
    WRONG_FOR_THE_PARSER.iter().map(|line| Mistake::of(line, configuration)).collect()
}

fn right() -> Vec<Value> {
    let providers = RIGHT_PROVIDERS.iter().map(|fields| with_provider(fields));
    let rules = RIGHT_RULES.iter().map(|fields| with_rule(fields));
    providers.chain(rules).chain(RIGHT.iter().map(|fields| with(fields))).collect()
}

/// A configuration that is right, with other fields.
fn with(fields: &str) -> Value {
    replaced(json!({"providers": [provider()], "rules": [rule()]}), fields)
}

fn with_provider(fields: &str) -> Value {
    json!({"providers": [replaced(provider(), fields)], "rules": [rule()]})
}

fn with_rule(fields: &str) -> Value {
    json!({"providers": [provider()], "rules": [replaced(rule(), fields)]})
}

fn provider() -> Value {
    json!({
        "name": "corp",
        "issuer": "https://issuer.example.com",
        "audiences": ["api"],
        "algorithms": ["RS256"],
        "keys": {"uri": "https://issuer.example.com/jwks.json", "cluster": "issuer"},
    })
}

fn rule() -> Value {
    json!({"name": "a", "require": "token"})
}
