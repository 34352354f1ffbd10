//! How a cookie is written, and what of its configuration is refused.

use kit::config::read;
use kit::setup::Metrics;
#[cfg(target_arch = "wasm32")]
use wasm_bindgen_test::wasm_bindgen_test as test;

use super::*;

fn ticket(json: &str) -> Result<Ticket, String> {
    let document = format!(r#"{{"cookie": {json}}}"#);
    let mut metrics = Metrics::default();
    let environment = |name: &str| match name {
        "LONG" => Some("0123456789abcdef0123456789abcdef".to_owned()),
        "SHORT" => Some("0123456789abcdef0123456789abcde".to_owned()),
        _ => None,
    };
    let setup = Setup::new("canary-routing", &mut metrics, &environment);
    let ticket = read(document.as_bytes(), |node| {
        let mut object = node.object()?;
        let ticket = object.required("cookie").and_then(|node| Ticket::parse(&node, "checkout", &setup));
        object.finish();
        ticket
    });
    ticket.map_err(|problems| problems.to_string())
}

fn written(json: &str) -> String {
    let ticket = ticket(json).unwrap_or_else(|problems| panic!("{problems}"));
    format!("{}{}", ticket.name, ticket.attributes)
}

#[test]
fn a_cookie_is_careful_by_itself() {
    assert_eq!(
        written(r#"{"secret": {"env": "LONG"}}"#),
        "sluice-checkout; Max-Age=2592000; Path=/; SameSite=Lax; Secure; HttpOnly"
    );
    assert_eq!(
        written(
            r#"{"secret": {"env": "LONG"}, "name": "u", "max_age": "1h", "path": "/shop", "domain": "example.com",
                "same_site": "strict", "secure": false}"#
        ),
        "u; Max-Age=3600; Path=/shop; Domain=example.com; SameSite=Strict; HttpOnly"
    );
    assert_eq!(
        written(r#"{"secret": {"env": "LONG"}, "name": "__Host-u", "same_site": "none"}"#),
        "__Host-u; Max-Age=2592000; Path=/; SameSite=None; Secure; HttpOnly"
    );
}

#[test]
fn what_browsers_drop_or_attackers_guess_is_refused() {
    let wrong = [
        r#"{}"#,
        r#"{"secret": {"env": "SHORT"}}"#,
        r#"{"secret": {"env": "NOWHERE"}}"#,
        r#"{"secret": {"env": "LONG"}, "name": "a b", "max_age": "0s", "path": "shop", "domain": "a b", "same_site": "Lax", "secure": "yes"}"#,
        r#"{"secret": {"env": "LONG"}, "path": "/;Domain=evil", "domain": ".example.com", "max_age": "1500ms"}"#,
        r#"{"secret": {"env": "LONG"}, "max_age": "401d"}"#,
        r#"{"secret": {"env": "LONG"}, "same_site": "none", "secure": false}"#,
        r#"{"secret": {"env": "LONG"}, "name": "__Host-u", "domain": "example.com"}"#,
        r#"{"secret": {"env": "LONG"}, "name": "__Secure-u", "secure": false}"#,
    ];
    expect_test::expect![[r#"
        cookie.secret: is required
        cookie.secret: is too short: it needs at least 32 bytes (example: openssl rand -hex 32)
        cookie.secret.env: the environment variable NOWHERE is not set, or is empty: it goes under environment_variables in the vm_config of Envoy, or env in the vmConfig of Istio
        cookie.name: "a b" is not the name of a cookie
        cookie.max_age: must be between 1s and 400d, got "0s"
        cookie.path: "shop" is not the path of a cookie (examples: /, /shop)
        cookie.domain: "a b" is not a domain (example: example.com)
        cookie.same_site: "Lax" is not one of lax, strict, none; did you mean "lax"?
        cookie.secure: expected true or false, found text "yes"
        cookie.max_age: must be whole seconds
        cookie.path: "/;Domain=evil" is not the path of a cookie (examples: /, /shop)
        cookie.domain: ".example.com" is not a domain (example: example.com)
        cookie.max_age: must be between 1s and 400d, got "401d"
        cookie.secure: must be true where `same_site` is none: browsers drop such a cookie otherwise
        cookie.name: promises what isn't so, and browsers drop it: __Secure- needs `secure`, __Host- also `path: /` and no `domain`
        cookie.name: promises what isn't so, and browsers drop it: __Secure- needs `secure`, __Host- also `path: /` and no `domain`"#]]
    .assert_eq(&wrong.map(|json| ticket(json).map(|_| ()).unwrap_err()).join("\n"));
}

#[test]
fn codes_are_those_that_python_computes() {
    // hmac.new(b"0123456789abcdef0123456789abcdef", b"sluice-canary\0checkout\0AAAAAAAAAAAAAAAAAAAAAA", "sha256")
    let ticket = ticket(r#"{"secret": {"env": "LONG"}}"#).unwrap();
    let mut letters = [0; CODE];
    assert_eq!(ticket.code(b"AAAAAAAAAAAAAAAAAAAAAA", &mut letters), Some(OF_ZEROS));
}

/// The code of the id of 16 bytes of zero.
const OF_ZEROS: &str = "_QooZbyqu8IR8PZzccsH4Ez-Kj3jyAnLgxFMXQGJ8cg";
