//! What a wrong configuration is told.

use expect_test::expect;
use kit::testing::{Bench, World};
use tokens::{Key, jwk, jwks};
#[cfg(target_arch = "wasm32")]
use wasm_bindgen_test::wasm_bindgen_test as test;

use crate::KIND;

/// A provider that is right, with other fields before or in place of its own.
fn provider(fields: &str) -> String {
    let keys = jwks([jwk(&Key::p256(), "a")]);
    let mut provider = format!("{{{fields}");
    for (name, value) in [
        ("name", "\"corp\"".to_owned()),
        ("issuer", "\"https://issuer.example.com\"".to_owned()),
        ("audiences", "[\"api\"]".to_owned()),
        ("algorithms", "[\"ES256\"]".to_owned()),
        ("keys", format!("{{\"inline\": {keys}}}")),
    ] {
        let other = name == "audiences" && fields.contains("any_audience");
        if !other && !fields.contains(&format!("\"{name}\":")) {
            let comma = if provider.ends_with('{') { "" } else { ", " };
            provider.push_str(&format!("{comma}\"{name}\": {value}"));
        }
    }
    provider + "}"
}

const RULES: &str = r#""rules": [{"name": "api", "require": "token"}]"#;

fn with_provider(fields: &str) -> String {
    format!("{{\"providers\": [{}], {RULES}}}", provider(fields))
}

fn with_rule(rule: &str) -> String {
    format!("{{\"providers\": [{}], \"rules\": [{rule}]}}", provider(""))
}

fn with(fields: &str) -> String {
    format!("{{\"providers\": [{}], {RULES}, {fields}}}", provider(""))
}

/// Returns the problems of a configuration; nothing if it has none.
fn problems(config: &str) -> String {
    Bench::new(&KIND, config).err().unwrap_or_default()
}

/// Returns the problems of several, one after the other.
fn all(configs: impl IntoIterator<Item = String>) -> String {
    configs.into_iter().map(|config| problems(&config) + "\n").collect()
}

#[test]
fn what_is_right_is_accepted() {
    for config in [
        with_provider(""),
        with_provider(r#""any_audience": true"#),
        with_provider(r#""audiences": "api""#),
        with_provider(r#""leeway": "0s", "max_lifetime": "1h", "required_claims": ["sub", ["org", "id"]]"#),
        with_provider(r#""profile": "rfc9068""#),
        with_provider(r#""typ": "JWT", "accept_without_expiry": true"#),
        with_provider(r#""keys": {"uri": "https://issuer.example.com/jwks", "cluster": "issuer"}"#),
        with_provider(
            r#""algorithms": ["HS256"], "keys": {"secrets": [{"inline": "0123456789abcdef0123456789abcdef"},
               {"id": "b", "secret": {"inline": "0123456789abcdef0123456789abcdef"}}]}"#,
        ),
        with_rule(
            r#"{"name": "a", "require": {"all": [{"scope": "a"}, {"any": [{"claim": "x", "present": true}]}]}, "optional": true}"#,
        ),
        with_rule(r#"{"name": "a", "allow": "anonymous"}"#),
        with(
            r#""mode": "shadow", "realm": "api", "strip_token": true, "max_token_size": "4KiB", "cache": 0,
               "wait_for_keys": "1s", "signatures": "module", "tags": "all", "allow_cors_preflight": true,
               "tokens": [{"authorization": "DPoP"}, {"header": "x-jwt"}, {"cookie": "sid"}, {"query": "t"}],
               "claims_to_headers": [{"claim": "sub", "header": "x-user"}], "payload_header": "x-payload",
               "publish": ["sub", {"claim": ["a", "b"], "name": "ab"}],
               "deny": [{"claim": "jti", "values": ["1"]}, {"key_ids": ["a"]}, {"issued_before": "2026-01-01T00:00:00Z"}]"#,
        ),
    ] {
        assert_eq!(problems(&config), "", "{config}");
    }
}

#[test]
fn all_problems_are_told_at_once() {
    expect![[r#"
        claims_to_headers[0].header: "authorization" has a meaning of its own; choose another header (example: x-user)
        realm: must be printable ASCII without " and \
        tags: "some" is not one of refusals, all
        provider: unknown field, did you mean "providers"?
        providers[0].name: "Corp" is not a name: a letter or digit, then up to 63 more, _ or -, all lower case; "corp" would do
        providers[0].issuer: must not be empty
        providers[0].algorithms[0]: "rs256" is not one of RS256, RS384, RS512, PS256, PS384, PS512, ES256, ES384, ES512, EdDSA, Ed25519, HS256, HS384, HS512; did you mean "RS256"?
        providers[0].algorithms[1]: "none" is not one of RS256, RS384, RS512, PS256, PS384, PS512, ES256, ES384, ES512, EdDSA, Ed25519, HS256, HS384, HS512
        providers[0]: needs `audiences`: what its tokens for you have as `aud` (`any_audience: true` accepts those for others too)
        providers[0].keys: needs a `uri` to fetch keys from, `inline` keys, or `secrets` for HS algorithms
        rules[0]: needs `allow: anonymous`, or what it requires (`require: token` for any valid token)
        rules[1].allow: "everybody" is not one of anonymous
        rules[2].name: is required
        rules[2].require.provider: "corb" is not the name of a provider; did you mean "Corp"?"#]].assert_eq(&problems(
        r#"{"provider": [], "providers": [{"name": "Corp", "issuer": "", "algorithms": ["rs256", "none"], "keys": {}}],
            "rules": [{"name": "a"}, {"name": "a", "allow": "everybody"}, {"require": {"provider": "corb"}}],
            "claims_to_headers": [{"claim": "sub", "header": "Authorization"}], "realm": "a\"b", "tags": "some"}"#,
    ));
}

#[test]
fn providers_must_say_whose_tokens_they_are_for_and_with_what_they_are_signed() {
    expect![[r#"
        providers: is required
        rules: is required
        providers[0].audiences: must not be empty
        providers[0].any_audience: is false: list the `audiences`
        providers[0].any_audience: contradicts `audiences`: leave one out
        providers[0].algorithms: mixes HS algorithms with others; make them two providers
        providers[0].keys.inline: holds public keys, but HS algorithms need `secrets`
        providers[0].keys: no key is for RS256
        providers[0].keys: has several of `uri`, `inline` and `secrets`; a provider's keys come from one place
        providers[0].keys.secrets: are for HS algorithms; this provider's need `uri` or `inline`
        providers[0].keys.url: unknown field, did you mean "uri"?
        providers[0].keys.inline: it is not JSON: expected ident at line 1 column 2
        providers[0].keys: no key is for ES256
        providers[0].keys: the secret has 5 octets, expected at least 32
        providers[0].keys.secrets[0].env: the environment variable JWT_SECRET is not set, or is empty: it goes under environment_variables in the vm_config of Envoy, or env in the vmConfig of Istio
        providers[0].keys.secrets: has more than 3 secrets without an id, and no token is tried on more; write {id: ..., secret: {env: ...}} with the `kid` of its tokens
        providers[0].keys: has a `uri`, but HS algorithms need `secrets`
        providers[0].typ: is at+jwt by the profile; leave it out
        providers[0]: has `accept_without_expiry`, but the profile rfc9068 requires an expiry
        providers[1]: has the issuer of "corp"; an issuer has one provider, with all audiences, algorithms and keys
    "#]].assert_eq(&all([
        "{}".to_owned(),
        with_provider(r#""audiences": []"#),
        with_provider(r#""any_audience": false"#),
        with_provider(r#""audiences": ["api"], "any_audience": true"#),
        with_provider(r#""algorithms": ["ES256", "HS256"]"#),
        with_provider(r#""algorithms": ["HS256"]"#),
        with_provider(r#""algorithms": ["RS256"]"#),
        with_provider(r#""keys": {"uri": "https://issuer.example.com/jwks", "cluster": "issuer", "inline": "{}"}"#),
        with_provider(r#""keys": {"secrets": [{"inline": "0123456789abcdef0123456789abcdef"}]}"#),
        with_provider(r#""keys": {"url": "https://a.example/jwks", "cluster": "a"}"#),
        with_provider(r#""keys": {"inline": "no json"}"#),
        with_provider(r#""keys": {"inline": {"keys": []}}"#),
        with_provider(r#""algorithms": ["HS256"], "keys": {"secrets": [{"inline": "short"}]}"#),
        with_provider(r#""algorithms": ["HS256"], "keys": {"secrets": [{"env": "JWT_SECRET"}]}"#),
        with_provider(&format!(
            r#""algorithms": ["HS256"], "keys": {{"secrets": [{}]}}"#,
            [r#"{"inline": "0123456789abcdef0123456789abcdef"}"#; 4].join(", ")
        )),
        with_provider(r#""algorithms": ["HS256"], "keys": {"uri": "https://a.example/jwks", "cluster": "a"}"#),
        with_provider(r#""profile": "rfc9068", "typ": "JWT""#),
        with_provider(r#""profile": "rfc9068", "accept_without_expiry": true"#),
        format!("{{\"providers\": [{}, {}], {RULES}}}", provider(""), provider(r#""name": "other""#)),
    ]));
}

#[test]
fn rules_must_say_who_may_pass() {
    expect![[r#"
        rules[0]: needs `allow: anonymous`, or what it requires (`require: token` for any valid token)
        rules[0]: has both `allow` and `require`; for tokens that may be missing, write `optional: true`
        rules[0].optional: goes with `require`; `allow: anonymous` looks at no token at all
        rules[0]: needs `allow: anonymous`, or what it requires (`require: token` for any valid token)
        rules[0].require: "tokens" is not a condition; write token, which is any valid token, or an object (example: {scope: admin})
        rules[0].name: is what requests that no rule is for are counted under; choose another name
        rules[1]: is never reached: rule "a" before it matches everything; move that to the end
    "#]].assert_eq(&all([
        with_rule(r#"{"name": "a"}"#),
        with_rule(r#"{"name": "a", "allow": "anonymous", "require": "token"}"#),
        with_rule(r#"{"name": "a", "allow": "anonymous", "optional": true}"#),
        with_rule(r#"{"name": "a", "optional": true}"#),
        with_rule(r#"{"name": "a", "require": "tokens"}"#),
        with_rule(r#"{"name": "none", "require": "token"}"#),
        with_rule(r#"{"name": "a", "require": "token"}, {"name": "b", "require": "token"}"#),
    ]));
}

#[test]
fn what_goes_to_upstreams_is_said_once_and_in_headers_of_its_own() {
    expect![[r#"
        claims_to_headers: sets the header "x-user" twice; a header has one claim
        claims_to_headers: sets the header "x-user" twice; a header has one claim
        claims_to_headers[0].header: ":path" is not an ordinary header
        payload_header: "cookie" has a meaning of its own; choose another header (example: x-user)
        publish[0]: "rule" is a tag of the filter itself; write {claim: rule, name: ...}
        publish[0]: "https://example.com/roles" is no name for a tag; write {claim: "https://example.com/roles", name: ...}
        publish[0]: is a path; give it a name: {claim: [org, id], name: org}
        publish: publishes two claims as "a"; give one another `name`
        tokens[0].header: has a scheme before the token; write {authorization: Bearer}
        tokens[0]: names several places; give each its own element of the list
        tokens[0].authorization: is not a scheme: letters, digits and - (example: Bearer)
        deny[0]: needs a `claim` with `values`, `key_ids`, or `issued_before`
        deny[0].claim: needs `values` beside it: the list of those that were revoked
        deny[0].values: needs a `claim` beside it: the one that has these values
    "#]].assert_eq(&all([
        with(r#""claims_to_headers": [{"claim": "sub", "header": "x-user"}, {"claim": "org", "header": "X-User"}]"#),
        with(r#""claims_to_headers": [{"claim": "sub", "header": "x-user"}], "payload_header": "x-user""#),
        with(r#""claims_to_headers": [{"claim": "sub", "header": ":path"}]"#),
        with(r#""payload_header": "cookie""#),
        with(r#""publish": ["rule"]"#),
        with(r#""publish": ["https://example.com/roles"]"#),
        with(r#""publish": [["a", "b"]]"#),
        with(r#""publish": ["a", {"claim": "b", "name": "a"}]"#),
        with(r#""tokens": [{"header": "authorization"}]"#),
        with(r#""tokens": [{"header": "x-a", "cookie": "a"}]"#),
        with(r#""tokens": [{"authorization": "Bearer "}]"#),
        with(r#""deny": [{}]"#),
        with(r#""deny": [{"claim": "jti"}]"#),
        with(r#""deny": [{"values": ["1"]}]"#),
    ]));
}

#[test]
fn a_secret_comes_from_the_environment_and_is_in_no_message() {
    let config = with_provider(r#""algorithms": ["HS256"], "keys": {"secrets": [{"env": "JWT_SECRET"}]}"#);
    let world = std::rc::Rc::new(World::new());
    world.set_environment("JWT_SECRET", "0123456789abcdef0123456789abcdef");
    let kinds = std::slice::from_ref(&KIND);
    let bench = Bench::within(&world, kinds, kit::module::Form::Single, &config).unwrap();
    bench.start();
    assert_eq!(bench.root_text(), "");
    let inline = with_provider(
        r#""algorithms": ["HS512"], "keys": {"secrets": [{"inline": "0123456789abcdef0123456789abcdef"}]}"#,
    );
    let problems = problems(&inline);
    assert!(!problems.is_empty() && !problems.contains("0123456789"), "{problems}");
}
