//! Users without a key, and the cookie that they get.

use kit::testing::Bench;
#[cfg(target_arch = "wasm32")]
use wasm_bindgen_test::wasm_bindgen_test as test;

use super::{HIGH, bench, counts, split, variant};

const COOKIE: &str = r#""on_missing_key": {"cookie": {"secret": {"env": "SECRET"}}}"#;

/// The id that the bench draws, and what it is worth for the split x: as Python computes it.
const ID: &str = "AOfCXgDnwl4A58JeAOfCXg";
const CODE: &str = "ZvOopyuh0gPaFCttkWuRQj68B3EkzulHtTLyb1Bbzhs";

/// Sends a request, lets the upstream answer it, and returns the variant and the cookie that the client gets.
fn visit(bench: &Bench, headers: &str) -> (String, Option<String>) {
    let mut sent = bench.request(&format!("GET /\n{headers}"));
    let variant = variant(&sent).unwrap_or_default();
    sent.respond("200\nset-cookie: theirs=1").end();
    let cookies = sent.response_header("set-cookie").unwrap();
    (variant, cookies.strip_prefix("theirs=1 | ").map(str::to_owned))
}

#[test]
fn who_has_no_key_gets_a_cookie_and_keeps_the_variant() {
    let bench = bench(&split(COOKIE));
    let (first, cookie) = visit(&bench, "x-other: 1");
    let cookie = cookie.expect("a cookie");
    assert_eq!(
        cookie,
        format!("sluice-x=1.{ID}.{CODE}; Max-Age=2592000; Path=/; SameSite=Lax; Secure; HttpOnly")
    );
    let pair = cookie.split(';').next().unwrap();
    for _ in 0..3 {
        assert_eq!(visit(&bench, &format!("cookie: a=b; {pair}")), (first.clone(), None));
    }
    // The id is the key, like any other.
    assert_eq!(visit(&bench, &format!("x-user: {ID}")).0, first);
    let missing = format!("{first} missing_key 1");
    assert_eq!(counts(&bench), format!("{first} split 4, {missing}"));
}

#[test]
fn who_has_a_key_gets_no_cookie() {
    let bench = bench(&split(COOKIE));
    assert_eq!(visit(&bench, &format!("x-user: {HIGH}")), ("v1".to_owned(), None));
    let (_, cookie) = visit(&bench, &format!("x-user: {HIGH}\nx-user: {HIGH}"));
    assert_eq!(cookie, None, "nor who has two");
}

#[test]
fn a_cookie_that_was_altered_or_is_not_ours_is_replaced() {
    let bench = bench(&split(COOKIE));
    let pair = format!("sluice-x=1.{ID}.{CODE}");
    let (good, bad) = (visit(&bench, &format!("cookie: {pair}")).1, visit(&bench, "cookie: sluice-x=").1);
    assert!(good.is_none() && bad.is_some());
    for place in "sluice-x=".len()..pair.len() {
        let mut altered = pair.clone().into_bytes();
        altered[place] = if altered[place] == b'A' { b'B' } else { b'A' };
        let altered = String::from_utf8(altered).unwrap();
        assert!(visit(&bench, &format!("cookie: {altered}")).1.is_some(), "{altered}");
    }
    for end in "sluice-x".len()..pair.len() {
        let cut: String = pair.chars().take(end).collect();
        assert!(visit(&bench, &format!("cookie: {cut}")).1.is_some(), "{cut}");
    }
    for other in [
        format!("{pair}A"),
        format!("{pair}="),
        format!("{pair}; {pair}"),
        format!("sluice-x=\"1.{ID}.{CODE}\""),
    ] {
        assert!(visit(&bench, &format!("cookie: {other}")).1.is_some(), "{other}");
    }
}

#[test]
fn a_cookie_of_another_split_or_another_secret_is_nothing_here() {
    let config = |name: &str, secret: &str| {
        format!(
            r#"{{"splits": [{{"name": "{name}", "variants": [{{"name": "v1"}}, {{"name": "v2", "weight": "50%"}}],
                "on_missing_key": {{"cookie": {{"name": "sluice-x", "secret": {{"inline": "{secret}"}}}}}}}}]}}"#
        )
    };
    let secret = "0123456789abcdef0123456789abcdef";
    let pair = format!("cookie: sluice-x=1.{ID}.{CODE}");
    assert_eq!(visit(&bench(&config("x", secret)), &pair).1, None);
    assert!(visit(&bench(&config("y", secret)), &pair).1.is_some());
    assert!(visit(&bench(&config("x", &secret.replace('0', "1"))), &pair).1.is_some());
}

#[test]
fn only_what_an_upstream_answers_hands_out_a_cookie() {
    let bench = bench(&split(COOKIE));
    for details in ["no_healthy_upstream", "response_timeout", "direct_response", ""] {
        let mut sent = bench.request("GET /");
        sent.respond_from(details, "503").end();
        assert_eq!(sent.response_header("set-cookie"), None, "{details}");
    }
    let mut sent = bench.request("GET /");
    sent.respond("500").end();
    assert!(sent.response_header("set-cookie").is_some(), "be it that it failed");
}
