//! Each delivery once: what counts as the same one, for how long, and what lets it come again.

use std::rc::Rc;
use std::time::Duration;

use kit::chain::Verdict;
use kit::testing::{Bench, Sent, World};
#[cfg(target_arch = "wasm32")]
use wasm_bindgen_test::wasm_bindgen_test as test;

use super::{OLD_SECRET, SECRET, bench, hex_mac, signed, stripe, within};

const BODY: &[u8] = br#"{"id": "evt_1"}"#;

fn send(bench: &Bench, head: &str, body: &[u8]) -> Sent {
    let mut sent = bench.send(head.as_bytes(), body.is_empty());
    if sent.verdict == Verdict::Pause {
        sent.body(body, true);
    }
    sent
}

fn github(replay: &str) -> String {
    format!(
        r#""endpoints": [{{"name": "hook", "provider": "github", "secrets": [{{"env": "SECRET"}}, {{"env": "OLD_SECRET"}}],
            "replay": {replay}}}], "headers": {{"duplicate": "x-duplicate"}}"#
    )
}

fn delivery(secret: &str, body: &[u8]) -> String {
    format!("POST /hook\nx-hub-signature-256: sha256={}", hex_mac(secret, body))
}

#[test]
fn a_delivery_that_was_accepted_does_not_come_again_within_its_window() {
    let bench = bench(&github(r#"{"window": "1h"}"#));
    let head = delivery(SECRET, BODY);
    let mut first = send(&bench, &head, BODY);
    assert_eq!(first.verdict, Verdict::Continue);
    first.respond("204").end();
    let second = send(&bench, &head, BODY);
    assert_eq!(second.refused(), Some(409));
    assert_eq!(bench.counter("webhook-hmac.refusals_total.hook.replayed"), 1);
    bench.world.pass(Duration::from_secs(3600));
    assert_eq!(send(&bench, &head, BODY).verdict, Verdict::Continue);
}

#[test]
fn what_was_not_accepted_may_come_again_and_what_is_not_answered_yet_waits() {
    let bench = bench(&github(r#"{"on_duplicate": "acknowledge"}"#));
    let head = delivery(SECRET, BODY);
    for status in ["500", "503", "404", "302"] {
        let mut sent = send(&bench, &head, BODY);
        assert_eq!(sent.verdict, Verdict::Continue, "{status}");
        let meanwhile = send(&bench, &head, BODY);
        assert_eq!(meanwhile.refused(), Some(409), "{status}: the first may still fail");
        assert_eq!(meanwhile.reply_header("retry-after").as_deref(), Some("5"));
        sent.respond_from("x", status).end();
    }
    let mut accepted = send(&bench, &head, BODY);
    assert_eq!(accepted.verdict, Verdict::Continue);
    accepted.respond("200").end();
    let again = send(&bench, &head, BODY);
    assert_eq!(again.refused(), Some(200), "acknowledged, and not forwarded");
    assert_eq!(bench.counter("webhook-hmac.decisions_total.hook.acknowledged"), 1);
}

#[test]
fn a_delivery_whose_sender_or_worker_is_gone_is_neither_repeated_at_once_nor_lost_for_ever() {
    let bench = bench(&github(r#"{"window": "24h"}"#));
    let head = delivery(SECRET, BODY);
    let mut lost = send(&bench, &head, BODY);
    assert_eq!(lost.verdict, Verdict::Continue);
    lost.end();
    bench.world.pass(Duration::from_secs(299));
    assert_eq!(send(&bench, &head, BODY).refused(), Some(409));
    bench.world.pass(Duration::from_secs(2));
    assert_eq!(send(&bench, &head, BODY).verdict, Verdict::Continue);
}

#[test]
fn a_duplicate_may_be_passed_on_with_a_header() {
    let bench = bench(&github(r#"{"on_duplicate": "forward"}"#));
    let head = delivery(SECRET, BODY);
    let mut first = send(&bench, &format!("{head}\nx-duplicate: true"), BODY);
    assert_eq!(first.request_header("x-duplicate"), None);
    first.respond("200").end();
    let second = send(&bench, &head, BODY);
    assert_eq!(second.verdict, Verdict::Continue);
    assert_eq!(second.request_header("x-duplicate").as_deref(), Some("true"));
}

#[test]
fn a_signature_written_in_another_way_or_by_another_live_key_is_no_other_delivery() {
    let bench = bench(&stripe(r#""replay": {"id": "digest", "on_duplicate": "refuse"}"#));
    let at = kit::testing::START.seconds();
    let text = [format!("{at}.").as_bytes(), BODY].concat();
    let (new, old) = (hex_mac(SECRET, &text), hex_mac(OLD_SECRET, &text));
    let head = |signature: &str| format!("POST /hook\nstripe-signature: {signature}");
    let mut first = send(&bench, &head(&format!("t={at},v1={new},v1={old}")), BODY);
    assert_eq!(first.verdict, Verdict::Continue);
    first.respond("200").end();
    for other in [
        format!("t={at},v1={old}"),
        format!("v1={new},t={at}"),
        format!("t={at},v1={},v0=x", new.to_uppercase()),
        format!("t={at}, v1=00, v1={new}"),
    ] {
        assert_eq!(send(&bench, &head(&other), BODY).refused(), Some(409), "{other}");
    }
}

#[test]
fn a_new_secret_before_the_old_one_makes_no_delivery_new() {
    let world = Rc::new(World::new());
    let with = |secrets: &str| {
        within(
            &world,
            &format!(r#""endpoints": [{{"name": "hook", "provider": "github", "secrets": [{secrets}]}}]"#),
        )
    };
    let head = delivery(OLD_SECRET, BODY);
    send(&with(r#"{"env": "OLD_SECRET"}"#), &head, BODY).respond("200").end();
    for secrets in
        [r#"{"env": "SECRET"}, {"env": "OLD_SECRET"}"#, r#"{"env": "OLD_SECRET"}, {"env": "SECRET"}"#]
    {
        assert_eq!(send(&with(secrets), &head, BODY).refused(), Some(409), "{secrets}");
    }
}

#[test]
fn an_id_tells_deliveries_apart_that_were_signed_anew() {
    let bench = bench(&stripe(""));
    send(&bench, &signed(SECRET, BODY, 0), BODY).respond("200").end();
    let again = send(&bench, &signed(SECRET, BODY, 7), BODY);
    assert_eq!(again.refused(), Some(200), "the preset acknowledges what came before by its id");
    let other = br#"{"id": "evt_2"}"#;
    assert_eq!(send(&bench, &signed(SECRET, other, 7), other).verdict, Verdict::Continue);
    // Without an id, it is what is signed.
    let nameless = b"[]";
    send(&bench, &signed(SECRET, nameless, 0), nameless).respond("200").end();
    assert_eq!(send(&bench, &signed(SECRET, nameless, 0), nameless).refused(), Some(200));
    assert_eq!(send(&bench, &signed(SECRET, nameless, 1), nameless).verdict, Verdict::Continue);
}

#[test]
fn all_workers_and_a_new_configuration_remember_and_endpoints_do_not_share() {
    let world = Rc::new(World::new());
    let two = |window: &str| {
        let endpoint = |name: &str| {
            format!(
                r#"{{"name": "{name}", "match": {{"path": {{"exact": "/{name}"}}}}, "provider": "github",
                    "secrets": [{{"env": "SECRET"}}], "replay": {{"window": "{window}"}}}}"#
            )
        };
        format!(r#""endpoints": [{}, {}]"#, endpoint("a"), endpoint("b"))
    };
    let first = within(&world, &two("1h"));
    let to = |path: &str| delivery(SECRET, BODY).replace("/hook", path);
    send(&first, &to("/a"), BODY).respond("200").end();
    for other in [within(&world, &two("1h")), within(&world, &two("2h"))] {
        assert_eq!(send(&other, &to("/a"), BODY).refused(), Some(409));
    }
    assert_eq!(send(&first, &to("/b"), BODY).verdict, Verdict::Continue);
}

#[test]
fn memory_is_bounded_whoever_comes_and_what_is_forgotten_early_is_counted() {
    let bench = bench(&github(r#"{"entries": 100}"#));
    for number in 0..2_000 {
        let body = format!("{{\"number\": {number}}}").into_bytes();
        let mut sent = send(&bench, &delivery(SECRET, &body), &body);
        assert_eq!(sent.verdict, Verdict::Continue);
        sent.respond("200").end();
    }
    // Seven blocks of 32 entries of 24 bytes, and a seed.
    assert!(bench.world.memory().bytes() <= 7 * (32 * 24 + 8) + 16, "{}", bench.world.memory().bytes());
    assert!(0 < bench.counter("webhook-hmac.evictions_total.hook"));
}

#[test]
fn when_other_workers_are_first_every_time_a_delivery_is_refused_for_now() {
    let bench = bench(&github("{}"));
    send(&bench, &delivery(SECRET, b"first"), b"first").respond("200").end();
    bench.world.memory().lose(64);
    let sent = send(&bench, &delivery(SECRET, BODY), BODY);
    assert_eq!(sent.refused(), Some(503));
    assert_eq!(send(&bench, &delivery(SECRET, BODY), BODY).verdict, Verdict::Continue);
}

#[test]
fn what_a_stranger_wrote_into_shared_data_is_replaced() {
    let bench = bench(&github("{}"));
    send(&bench, &delivery(SECRET, BODY), BODY).respond("200").end();
    for garbage in [b"".as_slice(), b"x", &[0xff; 1000]] {
        bench.world.memory().overwrite(garbage);
        send(&bench, &delivery(SECRET, BODY), BODY).respond("200").end();
        assert_eq!(send(&bench, &delivery(SECRET, BODY), BODY).refused(), Some(409));
    }
}

/// Two tokens of one body, signed by the key in the configuration: of the instant at which the tests begin, and of 700
/// seconds later.
const TOKENS: [&str; 2] = [
    "eyJhbGciOiJFUzI1NiIsImtpZCI6ImJmYmQ1MTExLThlMzMtNDY0My04Y2VkLWIyZTY0MmE3MmYzYyIsInR5cCI6IkpXVCJ9.eyJpYXQiOjE3NjcyMjU2MDAsInJlcXVlc3RfYm9keV9zaGEyNTYiOiJkYWM5ZjBlMDZiYTY3MjhjMzU4YjdlZWE5Y2UyZmE3YmI1YjYyYzdmMDZiNDVlNmZjZjkwZjNmZDYwNTQzNWU3In0.DwTes4EWWcAqskkLfDXgKTPw4I5BURlY2TyKMfOjcV5fXnRt--QUTdIBDSZEsoHPeSYwIiIPjf-a_APFeVTfSg",
    "eyJhbGciOiJFUzI1NiIsImtpZCI6ImJmYmQ1MTExLThlMzMtNDY0My04Y2VkLWIyZTY0MmE3MmYzYyIsInR5cCI6IkpXVCJ9.eyJpYXQiOjE3NjcyMjYzMDAsInJlcXVlc3RfYm9keV9zaGEyNTYiOiJkYWM5ZjBlMDZiYTY3MjhjMzU4YjdlZWE5Y2UyZmE3YmI1YjYyYzdmMDZiNDVlNmZjZjkwZjNmZDYwNTQzNWU3In0.cTKpyftJR1NUBVIYFPfzdX17Xz80yAW8ikdAEOJCDAH34GAedyhNiVWKI5yQ_SHUPR3dN2mtvATIBLXXPHHeVw",
];

#[test]
fn a_body_that_a_new_token_vouches_for_comes_again_once_the_old_one_is_over() {
    let bench = bench(
        r#""endpoints": [{"name": "hook", "provider": "plaid", "key_set": {"keys": [{"kty": "EC", "crv": "P-256",
            "kid": "bfbd5111-8e33-4643-8ced-b2e642a72f3c", "x": "wlCUbMWPeWOfJD7PYk_qEz1WVl1MlBZGVgCcnQKxAZI",
            "y": "tGT-W653Vy7rwtvw_xI3dQAhncTYCr-BPRrUi_tpba4"}]}}]"#,
    );
    let body = b"{\n  \"webhook_code\": \"DEFAULT_UPDATE\",\n  \"webhook_type\": \"TRANSACTIONS\"\n}";
    let [old, new] = TOKENS.map(|token| format!("POST /hook\nplaid-verification: {token}"));
    let mut first = send(&bench, &old, body);
    assert_eq!(first.verdict, Verdict::Continue);
    first.respond("200").end();
    assert_eq!(send(&bench, &old, body).refused(), Some(409));
    bench.world.pass(Duration::from_secs(700));
    assert_eq!(send(&bench, &old, body).refused(), Some(401), "the token is over");
    assert_eq!(send(&bench, &new, body).verdict, Verdict::Continue);
}
