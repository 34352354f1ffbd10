//! What is wrong with a configuration, said so that one knows what to type.

use expect_test::{Expect, expect};
use kit::testing::Bench;
#[cfg(target_arch = "wasm32")]
use wasm_bindgen_test::wasm_bindgen_test as test;

use crate::KIND;

fn problems(config: &str, expected: &Expect) {
    let problems = Bench::new(&KIND, config).err().unwrap_or_default();
    expected.assert_eq(&problems);
}

#[test]
fn all_mistakes_are_told_at_once_with_what_to_write() {
    problems(
        r#"{"prefx": "/", "hold": "all", "endpoints": [
            {"name": "a", "provider": "strip", "secrets": [{"env": "S"}]},
            {"name": "b", "provider": "stripe"},
            {"name": "c", "secrets": [{"inline": "short"}], "scheme": {"algorithm": "hmac-sha265", "signature": {"encoding": "hex"}}},
            {"name": "d", "provider": "discord", "secrets": [{"inline": "0123456789abcdef0123"}]},
            {"name": "e", "provider": "braintree", "secrets": [{"inline": "0123456789abcdef0123"}]},
            {"name": "f", "provider": "square", "secrets": [{"inline": "0123456789abcdef0123"}], "tolerance": "5m"}
        ]}"#,
        &expect![[r#"
            hold: "all" is not one of headers, body
            prefx: unknown field, did you mean "prefix"?
            endpoints[0].provider: "strip" is no provider that is known here; did you mean "stripe"?
            endpoints[1]: needs `secrets`: what the provider signs with (example: secrets: [{env: STRIPE_SECRET}])
            endpoints[2].scheme.algorithm: "hmac-sha265" is not one of hmac-sha1, hmac-sha256, hmac-sha384, hmac-sha512, sha256-secret, ed25519, ecdsa-p256, jwt-es256, shared-secret; did you mean "hmac-sha256"?
            endpoints[2].scheme.signature: needs one of header, query, form, json
            endpoints[3].secrets: is not what the scheme takes; give `public_keys`
            endpoints[4]: needs `key_id`: this provider says with which of its keys it signs, by a name that isn't secret
            endpoints[4].scheme.signature.field: stands for the `key_id` of the endpoint, which has none
            endpoints[4].handshake[0].respond: has {key_id}, which stands for the `key_id` of the endpoint; it has none
            endpoints[5]: needs `url`: this provider signs the address that it was given, which isn't seen from here (example: url: https://hooks.example.com, to which the path is added)
            endpoints[5].tolerance: is about a timestamp, and the scheme has none"#]],
    );
}

#[test]
fn templates_say_what_they_are_made_of() {
    let scheme = |content: &str| {
        format!(
            r#"{{"endpoints": [{{"name": "a", "secrets": [{{"inline": "0123456789abcdef0123"}}],
                "scheme": {{"algorithm": "hmac-sha256", "signature": {{"header": "x"}}, "content": "{content}"}}}}]}}"#
        )
    };
    let mut told = String::new();
    for content in
        ["{timestamp}.{body}", "{bdy}", "{body", "body}", "{id}{key_id}", "{json:a..b}", "{header:}"]
    {
        told.push_str(&Bench::new(&KIND, &scheme(content)).err().unwrap_or_default());
        told.push('\n');
    }
    expect![[r#"
        endpoints[0].scheme: signs a {timestamp}, but doesn't say where it is (example: timestamp: {header: x-timestamp})
        endpoints[0].scheme.content: {bdy} is no part of a template; parts are {timestamp}, {id}, {method}, {url}, {url_decoded}, {path}, {query}, {host}, {body}, {header:...}, {query:...}, {json:...}, {form:...}, {form_params}, {key_id}; a brace is written {{ or }}
        endpoints[0].scheme.content: has a `{` that nothing closes; parts are {timestamp}, {id}, {method}, {url}, {url_decoded}, {path}, {query}, {host}, {body}, {header:...}, {query:...}, {json:...}, {form:...}, {form_params}, {key_id}; a brace is written {{ or }}
        endpoints[0].scheme.content: has a `}` that closes nothing; parts are {timestamp}, {id}, {method}, {url}, {url_decoded}, {path}, {query}, {host}, {body}, {header:...}, {query:...}, {json:...}, {form:...}, {form_params}, {key_id}; a brace is written {{ or }}
        endpoints[0].scheme.content: has {key_id}, which stands for the `key_id` of the endpoint; it has none
        endpoints[0].scheme.content: {json:a..b} is no part of a template; parts are {timestamp}, {id}, {method}, {url}, {url_decoded}, {path}, {query}, {host}, {body}, {header:...}, {query:...}, {json:...}, {form:...}, {form_params}, {key_id}; a brace is written {{ or }}
        endpoints[0].scheme.content: {header:} is no part of a template; parts are {timestamp}, {id}, {method}, {url}, {url_decoded}, {path}, {query}, {host}, {body}, {header:...}, {query:...}, {json:...}, {form:...}, {form_params}, {key_id}; a brace is written {{ or }}
    "#]].assert_eq(&told);
    assert!(Bench::new(&KIND, &scheme("{{v1}}:{method}:{url}:{path}:{query}:{host}:{body}")).is_ok());
}

#[test]
fn a_secret_that_could_be_guessed_is_refused_and_none_is_shown() {
    let config = |secret: &str| {
        format!(r#"{{"endpoints": [{{"name": "a", "provider": "github", "secrets": [{secret}]}}]}}"#)
    };
    let mut told = String::new();
    for secret in [
        r#"{"inline": "hunter2"}"#,
        r#"{"inline": "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"}"#,
        r#"{"inline": "hunter2hunter2hunter2hunter2"}, {"inline": "hunter2hunter2hunter2hunter2"}"#,
        r#"{"env": "hunter2-hunter2"}"#,
        r#"{"env": "NOT_SET"}"#,
        r#""hunter2hunter2hunter2hunter2""#,
        r#"{"inline": "hunter2", "alow_weak": true}"#,
    ] {
        told.push_str(&Bench::new(&KIND, &config(secret)).err().unwrap_or_default());
        told.push('\n');
    }
    assert!(!told.contains("hunter2"), "{told}");
    expect![[r#"
        endpoints[0].secrets[0].inline: the secret is weak: it has less than 16 bytes, or nearly all of them are alike, so it can be found by trying; make one with `openssl rand -hex 32` (for an example of a provider, write `allow_weak: true` beside it)
        endpoints[0].secrets[0].inline: the secret is weak: it has less than 16 bytes, or nearly all of them are alike, so it can be found by trying; make one with `openssl rand -hex 32` (for an example of a provider, write `allow_weak: true` beside it)
        endpoints[0].secrets[1]: is the same secret as one before it
        endpoints[0].secrets[0].env: is not the name of an environment variable: letters, digits and _, no digit first
        endpoints[0].secrets[0].env: the environment variable NOT_SET is not set, or is empty: it goes under environment_variables in the vm_config of Envoy, or env in the vmConfig of Istio
        endpoints[0].secrets[0]: expected an object, found text
        endpoints[0].secrets[0].alow_weak: unknown field, did you mean "allow_weak"?
        endpoints[0].secrets[0].inline: the secret is weak: it has less than 16 bytes, or nearly all of them are alike, so it can be found by trying; make one with `openssl rand -hex 32` (for an example of a provider, write `allow_weak: true` beside it)
    "#]].assert_eq(&told);
    assert!(Bench::new(&KIND, &config(r#"{"inline": "hunter2", "allow_weak": true}"#)).is_ok());
}

#[test]
fn what_needs_the_headers_to_be_held_says_so() {
    problems(
        r#"{"hold": "body", "headers": {"id": "x-id"}, "endpoints": [
            {"name": "a", "provider": "github", "secrets": [{"inline": "0123456789abcdef0123"}], "remove_signature": true}],
            "sign": [{"name": "b", "provider": "stripe", "secrets": [{"inline": "0123456789abcdef0123"}]}]}"#,
        &expect![[r#"
            sign: sets headers when the body is known; that takes `hold: headers`
            headers: are known when the body is verified; that takes `hold: headers`
            endpoint "a" says `remove_signature` and the filter `hold: body`; headers that aren't held can't be removed once they are verified"#]],
    );
}

#[test]
fn what_cannot_be_signed_says_why() {
    let mut told = String::new();
    for how in [
        r#""provider": "mailgun""#,
        r#""provider": "twilio""#,
        r#""provider": "linear""#,
        r#""provider": "sendgrid""#,
        r#""provider": "github""#,
        r#""provider": "telegram""#,
    ] {
        let config = format!(
            r#"{{"sign": [{{"name": "out", {how}, "secrets": [{{"inline": "0123456789abcdef0123"}}, {{"inline": "0123456789abcdef0124"}}]}}]}}"#
        );
        told.push_str(&Bench::new(&KIND, &config).err().unwrap_or_default());
        told.push('\n');
    }
    expect![[r#"
        sign[0]: signs a part of the body; requests that go out are signed with all of it or none
        sign[0]: describes what can be checked, and not made: it has `each`, `body_hash` or several contents
        sign[0]: has room for one signature, so give one secret
        sign[0].secrets[0].inline: the secret is weak: it has less than 16 bytes, or nearly all of them are alike, so it can be found by trying; make one with `openssl rand -hex 32` (for an example of a provider, write `allow_weak: true` beside it)
        sign[0].secrets[1].inline: the secret is weak: it has less than 16 bytes, or nearly all of them are alike, so it can be found by trying; make one with `openssl rand -hex 32` (for an example of a provider, write `allow_weak: true` beside it)
        sign[0]: has room for one signature, so give one secret
        sign[0].secrets: is for an algorithm that this filter doesn't sign with: take HMAC or Ed25519
    "#]].assert_eq(&told);
}
