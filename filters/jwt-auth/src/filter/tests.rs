//! Decisions on the bench: who gets in, who doesn't, and what both sides are told.

use std::cell::Cell;
use std::rc::Rc;
use std::time::Duration;

use expect_test::expect;
use kit::module::Form;
use kit::testing::{Bench, Sent, World};
use tokens::{Algorithm, Key, Signer, forge, jwk, jwks};
#[cfg(target_arch = "wasm32")]
use wasm_bindgen_test::wasm_bindgen_test as test;

use crate::KIND;

/// 2026-01-01T00:00:00Z, when the bench begins.
const NOW: u64 = 1_767_225_600;

const ISSUER: &str = "https://issuer.example.com";

/// The demo key of the tests' provider.
fn signer() -> Signer {
    Signer::new(Algorithm::EdDsa).key_id("a")
}

/// A payload that is accepted, with these members besides.
fn payload(more: &str) -> String {
    let more = if more.is_empty() { String::new() } else { format!(", {more}") };
    format!(r#"{{"iss": "{ISSUER}", "aud": "api", "sub": "alice", "exp": {}{more}}}"#, NOW + 300)
}

fn good(more: &str) -> String {
    signer().token(&payload(more))
}

/// The keys of the provider, and fields of the configuration after it.
fn config(fields: &str) -> String {
    let keys = jwks([jwk(&Key::ed25519(), "a")]);
    format!(
        r#"{{"providers": [{{"name": "corp", "issuer": "{ISSUER}", "audiences": ["api"], "algorithms": ["EdDSA"],
            "keys": {{"inline": {keys}}}}}], {fields}}}"#
    )
}

fn bench(fields: &str) -> Bench {
    let bench = Bench::new(&KIND, &config(fields)).unwrap();
    bench.start();
    bench
}

const RULE: &str = r#""rules": [{"name": "api", "require": "token"}]"#;

fn request(bench: &Bench, token: &str) -> Sent {
    bench.request(&format!("GET /\nauthorization: Bearer {token}"))
}

#[test]
fn a_token_lets_a_request_pass_and_tells_the_upstream_whose_it_is() {
    let bench = bench(&format!(
        r#"{RULE}, "tags": "all", "publish": ["sub", {{"claim": ["org", "id"], "name": "org"}}],
           "claims_to_headers": [{{"claim": "sub", "header": "X-User"}}, {{"claim": "roles", "header": "x-roles"}}]"#
    ));
    let token = good(r#""roles": ["a", "b"], "org": {"id": 7}"#);
    expect![[r#"
        tag sluice.jwt-auth.rule=api
        tag sluice.jwt-auth.outcome=admitted
        count jwt-auth.decisions_total.api.admitted
        tag sluice.jwt-auth.sub=alice
        tag sluice.jwt-auth.org=7
        set Request x-user: alice
        set Request x-roles: a,b
        continue
    "#]]
    .assert_eq(&request(&bench, &token).text());
}

#[test]
fn what_each_refusal_says_to_a_client() {
    let bench = bench(
        r#""realm": "api", "rules": [
            {"name": "admin", "match": {"path": {"prefix": "/admin"}}, "require": {"scope": "admin"}},
            {"name": "gold", "match": {"path": {"prefix": "/gold"}}, "require": {"claim": "tier", "equals": "gold"}},
            {"name": "api", "match": {"path": {"prefix": "/api"}}, "require": "token"}]"#,
    );
    let over = signer().token(&payload("").replace(&(NOW + 300).to_string(), "1"));
    let mut told = String::new();
    for (path, authorization) in [
        ("/api", String::new()),
        ("/api", "Bearer a, Bearer b".to_owned()),
        ("/api", "Bearer x".to_owned()),
        ("/api", format!("Bearer {}", forge::none("none", &payload("")))),
        ("/api", format!("Bearer {over}")),
        ("/admin", format!("Bearer {}", good(""))),
        ("/gold", format!("Bearer {}", good(r#""tier": "silver""#))),
        ("/else", format!("Bearer {}", good(""))),
        ("/api/..%2fadmin", format!("Bearer {}", good(""))),
    ] {
        let header = if authorization.is_empty() {
            String::new()
        } else {
            format!("\nauthorization: {authorization}")
        };
        let mut sent = bench.request(&format!("GET {path}{header}"));
        let text = sent.text();
        let reply = text.lines().filter(|line| !line.starts_with("tag") && !line.starts_with("count"));
        told.push_str(&reply.collect::<Vec<_>>().join("\n"));
        told.push('\n');
    }
    expect![[r#"
        401 sluice_jwt_auth_missing
          content-type: application/problem+json
          www-authenticate: Bearer realm="api"
          {"type":"about:blank","title":"A token is required","status":401}
        400 sluice_jwt_auth_several
          content-type: application/problem+json
          www-authenticate: Bearer realm="api", error="invalid_request"
          {"type":"about:blank","title":"The request must have one token of a sensible size","status":400}
        401 sluice_jwt_auth_malformed
          content-type: application/problem+json
          www-authenticate: Bearer realm="api", error="invalid_token"
          {"type":"about:blank","title":"The token is not accepted","status":401}
        401 sluice_jwt_auth_algorithm
          content-type: application/problem+json
          www-authenticate: Bearer realm="api", error="invalid_token"
          {"type":"about:blank","title":"The token is not accepted","status":401}
        401 sluice_jwt_auth_expired
          content-type: application/problem+json
          www-authenticate: Bearer realm="api", error="invalid_token", error_description="The token has expired"
          {"type":"about:blank","title":"The token has expired","status":401}
        403 sluice_jwt_auth_scope
          content-type: application/problem+json
          www-authenticate: Bearer realm="api", error="insufficient_scope"
          {"type":"about:blank","title":"The token's scopes do not suffice","status":403}
        403 sluice_jwt_auth_forbidden
          content-type: application/problem+json
          {"type":"about:blank","title":"The token does not suffice","status":403}
        403 sluice_jwt_auth_no_rule
          content-type: application/problem+json
          {"type":"about:blank","title":"Nobody may do this","status":403}
        400 sluice_jwt_auth_path
          content-type: application/problem+json
          {"type":"about:blank","title":"The request can be read in several ways","status":400}
    "#]].assert_eq(&told);
}

#[test]
fn whose_request_was_refused_is_known_to_the_log_if_the_token_is_good() {
    for mode in ["enforce", "shadow"] {
        let bench = bench(&format!(
            r#""mode": "{mode}", "publish": ["sub"], "rules": [{{"name": "admin", "require": {{"scope": "admin"}}}}]"#
        ));
        let text = request(&bench, &good("")).text();
        assert!(text.contains("tag sluice.jwt-auth.sub=alice") && text.contains("reason=scope"), "{text}");
        let forged = forge::with_payload(&good(""), &payload(r#""scope": "admin""#));
        assert!(!request(&bench, &forged).text().contains("sub=alice"));
    }
}

#[test]
fn a_grpc_client_is_told_in_its_own_words() {
    let bench = bench(RULE);
    let mut sent = bench.request("POST /\ncontent-type: application/grpc");
    let text = sent.text();
    assert!(text.contains("grpc 16 sluice_jwt_auth_missing"), "{text}");
}

#[test]
fn why_a_token_is_refused_is_counted_and_not_told() {
    let bench = bench(RULE);
    let mut bodies = std::collections::BTreeSet::new();
    let other = Signer::new(Algorithm::EdDsa).key_id("b");
    for (reason, token) in [
        ("malformed", "a.b".to_owned()),
        ("encrypted", "a.b.c.d.e".to_owned()),
        ("algorithm", forge::none("None", &payload(""))),
        ("algorithm", Signer::new(Algorithm::Rs256).key_id("a").token(&payload(""))),
        ("issuer", signer().token(&payload("").replace(ISSUER, "https://issuer.example.com/"))),
        ("unknown_key", other.token(&payload(""))),
        ("signature", forge::other_key(&signer(), &payload(""))),
        ("signature", forge::with_payload(&good(""), &payload(r#""admin": true"#))),
        ("signature", forge::embedded_key(&signer(), &payload(""))),
        ("audience", signer().token(&payload("").replace("\"api\"", "\"web\""))),
        ("claim_missing", signer().token(&payload("").replace("\"exp\"", "\"exq\""))),
        ("claim_type", signer().token(&payload(r#""nbf": "soon""#))),
        ("not_yet", signer().token(&payload(&format!(r#""nbf": {}"#, NOW + 3600)))),
    ] {
        let counter = format!("jwt-auth.refusals_total.{reason}");
        let before = bench.counter(&counter);
        let mut sent = request(&bench, &token);
        let text = sent.text();
        assert_eq!(sent.refused(), Some(401), "{reason}: {text}");
        assert_eq!(bench.counter(&counter), before + 1, "{reason}: {text}");
        bodies.insert(text.lines().last().unwrap().to_owned());
        assert_eq!(sent.reply_header("www-authenticate").as_deref(), Some("Bearer error=\"invalid_token\""));
    }
    assert_eq!(bodies.len(), 1, "{bodies:?}");
}

#[test]
fn a_public_key_is_never_a_secret_in_whatever_form_it_is_written() {
    for (algorithm, key) in
        [(Algorithm::Rs256, Key::rsa()), (Algorithm::Es256, Key::p256()), (Algorithm::EdDsa, Key::ed25519())]
    {
        let ed25519 = jwks([jwk(&Key::ed25519(), "a")]);
        let config =
            config(RULE).replace(&ed25519, &jwks([jwk(&key, "a")])).replace("EdDSA", algorithm.name());
        let bench = Bench::new(&KIND, &config).unwrap();
        bench.start();
        let own = Signer::with(key.clone(), algorithm).key_id("a").token(&payload(""));
        assert_eq!(request(&bench, &own).refused(), None, "{}", algorithm.name());
        for symmetric in [Algorithm::Hs256, Algorithm::Hs384, Algorithm::Hs512] {
            let confused = forge::confused(&key, symmetric, "a", &payload(""));
            assert!(confused.len() >= 5, "{}", confused.len());
            for token in &confused {
                assert_eq!(request(&bench, token).refused(), Some(401), "{token}");
            }
        }
    }
}

#[test]
fn a_client_cannot_write_what_a_token_says_on_any_path() {
    let bench = bench(
        r#""allow_cors_preflight": true, "claims_to_headers": [{"claim": "sub", "header": "x-user"}, {"claim": "org", "header": "x-org"}],
           "payload_header": "x-payload", "rules": [
            {"name": "open", "match": {"path": {"exact": "/open"}}, "allow": "anonymous"},
            {"name": "maybe", "match": {"path": {"exact": "/maybe"}}, "require": "token", "optional": true},
            {"name": "api", "require": "token"}]"#,
    );
    let lies = "X-User: root\nx-org: root\nx-org: root\nx-payload: e30";
    for (request, user) in [
        (format!("GET /open\n{lies}"), None),
        (format!("GET /open\n{lies}\nauthorization: Bearer {}", good("")), None),
        (format!("GET /maybe\n{lies}"), None),
        (format!("GET /maybe\n{lies}\nauthorization: Bearer {}", good("")), Some("alice")),
        (format!("GET /\n{lies}\nauthorization: Bearer {}", good("")), Some("alice")),
        (format!("OPTIONS /\n{lies}\norigin: a\naccess-control-request-method: GET"), None),
    ] {
        let sent = bench.request(&request);
        assert_eq!(sent.refused(), None, "{request}");
        assert_eq!(sent.request_header("x-user").as_deref(), user, "{request}");
        assert_eq!(sent.request_header("x-org"), None, "{request}");
        let payload = sent.request_header("x-payload");
        assert_eq!(payload.is_some(), user.is_some(), "{request}");
        assert_ne!(payload.as_deref(), Some("e30"), "{request}");
    }
    // With a token that isn't good, an optional one is refused as any other.
    assert_eq!(bench.request("GET /maybe\nauthorization: Bearer x").refused(), Some(401));
}

#[test]
fn what_only_looks_like_a_preflight_is_none() {
    let bench = bench(&format!(r#"{RULE}, "allow_cors_preflight": true"#));
    let preflight = "OPTIONS /\norigin: a\naccess-control-request-method: PUT";
    assert_eq!(bench.request(preflight).refused(), None);
    for request in [
        "OPTIONS /\norigin: a",
        "OPTIONS /\naccess-control-request-method: PUT",
        "OPTIONS /\norigin:\naccess-control-request-method: PUT",
        "OPTIONS /\norigin: a\naccess-control-request-method:",
        "OPTIONS /\norigin: a\norigin: b\naccess-control-request-method: PUT",
        "POST /\norigin: a\naccess-control-request-method: PUT",
    ] {
        assert_eq!(bench.request(request).refused(), Some(401), "{request}");
    }
    assert_eq!(bench.send(preflight.as_bytes(), false).refused(), Some(401), "a body may follow");
}

#[test]
fn a_token_behind_a_tab_is_a_token_also_where_none_is_needed() {
    let bench = bench(
        r#""strip_token": true, "claims_to_headers": [{"claim": "sub", "header": "x-user"}],
           "rules": [{"name": "open", "match": {"path": {"prefix": "/open"}}, "allow": "anonymous"},
           {"name": "maybe", "require": "token", "optional": true}]"#,
    );
    let sent = bench.request(&format!("GET /\nauthorization: Bearer\t{}", good("")));
    assert_eq!((sent.refused(), sent.request_header("x-user").as_deref()), (None, Some("alice")));
    assert_eq!(sent.request_header("authorization"), None);
    let forged = forge::other_key(&signer(), &payload(""));
    assert_eq!(bench.request(&format!("GET /\nauthorization: Bearer\t{forged}")).refused(), Some(401));
    let sent = bench.request(&format!("GET /open\nauthorization: Bearer\t{forged}"));
    assert_eq!((sent.refused(), sent.request_header("authorization")), (None, None));
}

#[test]
fn a_claim_that_cannot_be_a_header_is_none() {
    let bench = bench(&format!(r#"{RULE}, "claims_to_headers": [{{"claim": "sub", "header": "x-user"}}]"#));
    let token = signer().token(&payload("").replace("alice", r"a\r\nx-admin: 1"));
    let sent = request(&bench, &token);
    assert_eq!((sent.refused(), sent.request_header("x-user")), (None, None));
}

#[test]
fn a_token_is_stripped_wherever_it_was() {
    let bench = bench(
        r#""strip_token": true, "rules": [{"name": "open", "match": {"path": {"prefix": "/open"}}, "allow": "anonymous"},
           {"name": "api", "require": "token"}],
           "tokens": [{"authorization": "Bearer"}, {"header": "x-jwt"}, {"cookie": "sid"}, {"query": "token"}]"#,
    );
    let token = good("");
    for (request, header, left) in [
        (format!("GET /\nauthorization: Bearer {token}"), "authorization", None),
        (format!("GET /\nx-jwt: {token}"), "x-jwt", None),
        (format!("GET /\ncookie: a=1; sid={token}; b=2"), "cookie", Some("a=1; b=2")),
        (format!("GET /p?a=1&token={token}&b"), ":path", Some("/p?a=1&b")),
        (format!("GET /open?token={token}"), ":path", Some("/open")),
        ("GET /open\nauthorization: Basic dTpw".to_owned(), "authorization", Some("Basic dTpw")),
    ] {
        let sent = bench.request(&request);
        assert_eq!(sent.refused(), None, "{request}");
        assert_eq!(sent.request_header(header).as_deref(), left, "{request}");
    }
}

#[test]
fn the_second_time_a_token_is_only_looked_up() {
    let world = Rc::new(World::new());
    let verified = Rc::new(Cell::new(0));
    let count = Rc::clone(&verified);
    world.verify_with(move |_| {
        count.set(count.get() + 1);
        None
    });
    let keys = jwks([jwk(&Key::p256(), "a")]);
    let config = config(RULE).replace(&jwks([jwk(&Key::ed25519(), "a")]), &keys).replace("EdDSA", "ES256");
    let bench = Bench::within(&world, std::slice::from_ref(&KIND), Form::Single, &config).unwrap();
    bench.start();
    let token = Signer::new(Algorithm::Es256).key_id("a").token(&payload(""));
    // A host that can't say is not asked: this module verifies, and remembers.
    let asked = verified.get();
    for _ in 0..3 {
        assert_eq!(request(&bench, &token).refused(), None);
    }
    assert_eq!(verified.get(), asked);
    world.pass(Duration::from_secs(359));
    assert_eq!(request(&bench, &token).refused(), None);
    world.pass(Duration::from_secs(1));
    assert_eq!(request(&bench, &token).refused(), Some(401), "a token that is remembered still ends");
}

#[test]
fn a_refused_twin_does_not_lock_out_a_good_token() {
    let bench = bench(RULE);
    let token = good("");
    for bit in 0..64 {
        let twin = forge::flip(&token, forge::Part::Signature, bit);
        assert_eq!(request(&bench, &twin).refused(), Some(401));
        assert_eq!(request(&bench, &twin).refused(), Some(401));
        assert_eq!(request(&bench, &token).refused(), None);
    }
}

#[test]
fn whoever_was_revoked_stays_outside() {
    let bench = bench(&format!(
        r#"{RULE}, "deny": [
            {{"claim": "jti", "values": ["1", "2"]}}, {{"claim": "sub", "values": ["bob"], "issued_before": "2026-01-01T00:00:00Z"}},
            {{"claim": "groups", "values": ["out"]}}, {{"issued_before": "2025-01-01T00:00:00Z"}}]"#
    ));
    let iat = |at: u64| format!(r#""iat": {at}"#);
    for (more, sub, status) in [
        (iat(NOW), "alice", None),
        (format!(r#""jti": "1", {}"#, iat(NOW)), "alice", Some(401)),
        (format!(r#""jti": "3", {}"#, iat(NOW)), "alice", None),
        (iat(NOW - 1), "bob", Some(401)),
        (iat(NOW), "bob", None),
        (format!(r#""groups": ["in", "out"], {}"#, iat(NOW)), "alice", Some(401)),
        (iat(1_700_000_000), "alice", Some(401)),
        (String::new(), "alice", Some(401)),
    ] {
        let token = signer().token(&payload(&more).replace("alice", sub));
        for _ in 0..2 {
            assert_eq!(request(&bench, &token).refused(), status, "{sub} {more}");
        }
    }
}

/// A bench whose host is asked about every signature and can't say, and how often it was asked.
fn counting(fields: &str) -> (Bench, Rc<World>, Rc<Cell<u32>>) {
    let keys = jwks([jwk(&Key::p256(), "a")]);
    counting_with(&config(fields).replace(&jwks([jwk(&Key::ed25519(), "a")]), &keys))
}

fn counting_with(config: &str) -> (Bench, Rc<World>, Rc<Cell<u32>>) {
    let world = Rc::new(World::new());
    let asked = Rc::new(Cell::new(0));
    let count = Rc::clone(&asked);
    world.verify_with(move |_| {
        let number: u32 = count.get();
        count.set(number.saturating_add(1));
        // At the start it is shown a good signature and an altered one, in turns, of each of four kinds.
        (number < 8).then_some(number.is_multiple_of(2))
    });
    let config = config.replace("EdDSA", "ES256");
    let bench = Bench::within(&world, std::slice::from_ref(&KIND), Form::Single, &config).unwrap();
    bench.start();
    assert_eq!(asked.get(), 8);
    (bench, world, asked)
}

fn signed(payload: &str) -> String {
    Signer::new(Algorithm::Es256).key_id("a").token(payload)
}

#[test]
fn tokens_that_are_over_or_revoked_or_to_come_do_not_drive_out_good_ones() {
    let fields = r#""cache": 20000, "deny": [{"claim": "out", "values": ["yes"]}]"#;
    let (bench, _, asked) = counting(&format!("{RULE}, {fields}"));
    let token = signed(&payload(""));
    assert_eq!(request(&bench, &token).refused(), None);
    let before = asked.get();
    for number in 0..20 {
        let over = payload("").replace(&(NOW + 300).to_string(), &(number + 1).to_string());
        for (reason, payload) in [
            ("expired", over),
            ("revoked", payload(&format!(r#""out": "yes", "n": {number}"#))),
            ("not_yet", payload(&format!(r#""nbf": {}"#, NOW + 1_000 + number))),
        ] {
            let counter = format!("jwt-auth.refusals_total.{reason}");
            let refused = bench.counter(&counter);
            let bad = signed(&payload);
            for _ in 0..3 {
                assert_eq!(request(&bench, &bad).refused(), Some(401), "{payload}");
            }
            assert_eq!(bench.counter(&counter), refused + 3, "{payload}");
        }
    }
    assert_eq!(asked.get() - before, 60, "each is verified once, and remembered for a while");
    assert_eq!(request(&bench, &token).refused(), None);
    assert_eq!(asked.get() - before, 60, "the good one is still known");
}

#[test]
fn a_token_that_has_not_begun_is_good_as_soon_as_it_begins() {
    let (bench, world, asked) = counting(RULE);
    // From five seconds on, with the leeway.
    let token = signed(&payload(&format!(r#""nbf": {}"#, NOW + 65)));
    let before = asked.get();
    for _ in 0..2 {
        assert_eq!(request(&bench, &token).refused(), Some(401));
        world.pass(Duration::from_millis(4_999) / 2);
    }
    assert_eq!(asked.get() - before, 1);
    world.pass(Duration::from_millis(2));
    assert_eq!(request(&bench, &token).refused(), None);
}

#[test]
fn a_token_that_has_ended_is_remembered_among_the_bad_and_counts_again_if_the_clock_is_turned_back() {
    let (bench, world, asked) = counting(RULE);
    let token = signed(&payload(""));
    assert_eq!(request(&bench, &token).refused(), None);
    let before = asked.get();
    world.pass(Duration::from_secs(360));
    for _ in 0..3 {
        assert_eq!(request(&bench, &token).refused(), Some(401));
    }
    assert_eq!(asked.get() - before, 0, "what was known of it is enough");
    world.pass(Duration::from_secs(10));
    assert_eq!(request(&bench, &token).refused(), Some(401));
    assert_eq!(asked.get() - before, 1, "among the good ones it was forgotten");
    world.turn_back(Duration::from_secs(100));
    assert_eq!(request(&bench, &token).refused(), None);
}

#[test]
fn shadow_counts_and_tags_and_changes_nothing() {
    let bench = bench(&format!(
        r#"{RULE}, "mode": "shadow", "strip_token": true, "claims_to_headers": [{{"claim": "sub", "header": "x-user"}}]"#
    ));
    expect![[r#"
        tag sluice.jwt-auth.rule=api
        tag sluice.jwt-auth.outcome=would_deny
        tag sluice.jwt-auth.reason=missing
        count jwt-auth.decisions_total.api.would_deny
        count jwt-auth.refusals_total.missing
        continue
    "#]]
    .assert_eq(&bench.request("GET /\nx-user: root").text());
    expect![[r#"
        count jwt-auth.decisions_total.api.admitted
        continue
    "#]]
    .assert_eq(&request(&bench, &good("")).text());
}

#[test]
fn what_is_longer_than_a_token_is_not_looked_at() {
    let bench = bench(&format!(r#"{RULE}, "max_token_size": "256B""#));
    let sent = request(&bench, &"a".repeat(257));
    assert_eq!(sent.refused(), Some(400));
    assert_eq!(bench.counter("jwt-auth.refusals_total.too_large"), 1);
}

#[test]
fn every_bit_of_a_token_counts() {
    let bench = bench(RULE);
    let token = good("");
    assert_eq!(request(&bench, &token).refused(), None);
    for part in [forge::Part::Header, forge::Part::Payload, forge::Part::Signature] {
        for bit in 0..forge::bytes(&token, part).len() * 8 {
            let flipped = forge::flip(&token, part, bit);
            assert_eq!(request(&bench, &flipped).refused(), Some(401), "{part:?} bit {bit}");
        }
    }
}

mod keys_that_are_fetched {
    use kit::host::Host;
    #[cfg(target_arch = "wasm32")]
    use wasm_bindgen_test::wasm_bindgen_test as test;

    use super::{
        Algorithm, Bench, Duration, Form, ISSUER, KIND, Key, RULE, Rc, Sent, Signer, World, counting_with,
        good, jwk, jwks, payload, request, signed,
    };

    fn config(fields: &str) -> String {
        format!(
            r#"{{"providers": [{{"name": "corp", "issuer": "{ISSUER}", "audiences": ["api"], "algorithms": ["EdDSA"],
                "keys": {{"uri": "{ISSUER}/jwks", "cluster": "issuer"}}}}], {fields}}}"#
        )
    }

    fn bench(world: &Rc<World>) -> Bench {
        let bench = Bench::within(world, std::slice::from_ref(&KIND), Form::Single, &config(RULE)).unwrap();
        bench.start();
        bench
    }

    fn fetch(bench: &Bench, id: u32, keys: &str) -> Vec<usize> {
        bench.answer_root(id, "200", &[("cache-control", "max-age=3600")], keys.as_bytes())
    }

    #[test]
    fn a_request_waits_for_the_first_keys_and_goes_on_with_them() {
        let world = Rc::new(World::new());
        let bench = bench(&world);
        let mut sent = request(&bench, &good(""));
        assert_eq!(sent.text(), "pause\n");
        world.pass(Duration::from_millis(100));
        bench.wake_root();
        assert_eq!(world.callouts().len(), 1);
        let hurried = fetch(&bench, 1, &jwks([jwk(&Key::ed25519(), "a")]));
        assert_eq!(hurried, [0]);
        assert_eq!(sent.hurry(0).wake().refused(), None);
        assert!(sent.text().ends_with("continue\n"));
    }

    #[test]
    fn an_attempt_that_fails_wakes_nobody_who_waits_for_the_first_keys() {
        let world = Rc::new(World::new());
        let bench = bench(&world);
        let mut waiting: Vec<Sent> = (0..1_000).map(|_| request(&bench, &good(""))).collect();
        for attempt in 1..=2 {
            world.pass(bench.root_next_wake().unwrap().since(world.now()));
            assert_eq!(bench.wake_root(), [0; 0]);
            assert_eq!(
                bench.answer_root(attempt, "503", &[], b""),
                [0; 0],
                "each would read its token again"
            );
        }
        world.pass(bench.root_next_wake().unwrap().since(world.now()));
        bench.wake_root();
        assert_eq!(fetch(&bench, 3, &jwks([jwk(&Key::ed25519(), "a")])), [0]);
        for sent in &mut waiting {
            assert_eq!(sent.hurry(0).wake().refused(), None);
            assert!(sent.text().ends_with("continue\n"));
        }
    }

    #[test]
    fn a_request_does_not_wait_for_ever() {
        let world = Rc::new(World::new());
        let bench = bench(&world);
        let mut sent = request(&bench, &good(""));
        world.pass(Duration::from_millis(2_999));
        assert_eq!(sent.wake().refused(), None);
        world.pass(Duration::from_millis(1));
        assert_eq!(sent.wake().refused(), Some(503));
        assert_eq!(sent.reply_header("retry-after").as_deref(), Some("5"));
        assert_eq!(bench.counter("jwt-auth.refusals_total.no_keys"), 1);
    }

    #[test]
    fn no_more_than_a_thousand_requests_wait_and_who_leaves_makes_room() {
        let world = Rc::new(World::new());
        let bench = bench(&world);
        let token = good("");
        let mut waiting: Vec<Sent> = (0..1_000).map(|_| request(&bench, &token)).collect();
        assert!(waiting.iter().all(|sent| sent.refused().is_none()));
        assert_eq!(request(&bench, &token).refused(), Some(503));
        waiting.pop().unwrap().end();
        assert_eq!(request(&bench, &token).refused(), None);
        assert_eq!(request(&bench, &token).refused(), Some(503));
    }

    #[test]
    fn a_token_of_a_key_that_was_replaced_is_verified_once_more_and_not_each_time() {
        let (bench, world, asked) = counting_with(&config(RULE));
        world.pass(Duration::from_millis(100));
        bench.wake_root();
        let keys = jwks([jwk(&Key::p256(), "a")]);
        bench.answer_root(1, "200", &[("cache-control", "max-age=60")], keys.as_bytes());
        let token = signed(&payload(""));
        assert_eq!(request(&bench, &token).refused(), None);
        world.pass(bench.root_next_wake().unwrap().since(world.now()));
        bench.wake_root();
        fetch(&bench, 2, &jwks([jwk(&Key::p256_next(), "a")]));
        let before = asked.get();
        for _ in 0..3 {
            assert_eq!(request(&bench, &token).refused(), Some(401));
        }
        assert_eq!(asked.get() - before, 1);
    }

    #[test]
    fn a_key_that_is_not_known_yet_is_fetched_once_for_all_who_ask() {
        let world = Rc::new(World::new());
        let bench = bench(&world);
        world.pass(Duration::from_millis(100));
        bench.wake_root();
        fetch(&bench, 1, &jwks([jwk(&Key::ed25519(), "a")]));
        world.pass(Duration::from_secs(60));
        let next = Signer::with(Key::ed25519_next(), Algorithm::EdDsa).key_id("next");
        let token = next.token(&payload(""));
        let mut waiting: Vec<Sent> = (0..10).map(|_| request(&bench, &token)).collect();
        world.pass(Duration::from_millis(10));
        bench.wake_root();
        assert_eq!(world.callouts().len(), 2);
        fetch(&bench, 2, &jwks([jwk(&Key::ed25519_next(), "next")]));
        for sent in &mut waiting {
            assert_eq!(sent.hurry(0).wake().refused(), None);
            assert!(sent.text().ends_with("continue\n"));
        }
        // What the old key signed, and was remembered or not, counts no more.
        assert_eq!(request(&bench, &good("")).refused(), Some(401));
    }
}
