//! Requests that go out: signed as the other side expects it, which is what this filter's own check says.

use kit::chain::Verdict;
use kit::testing::{Bench, Sent};
#[cfg(target_arch = "wasm32")]
use wasm_bindgen_test::wasm_bindgen_test as test;

use super::{SECRET, bench, hex_mac};

const WHSEC: &str = "whsec_AAECAwQFBgcICQoLDA0ODxAREhMUFRYX";
const OLD_WHSEC: &str = "whsec_FxYVFBMSERAPDg0MCwoJCAcGBQQDAgEA";

/// The seed of RFC 8032 section 7.1, test 1, and its public key.
const SEED: &str = "whsk_nWGxne/9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A=";
const PUBLIC: &str = "whpk_11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo=";

fn signer(fields: &str) -> Bench {
    bench(&format!(r#""sign": [{{"name": "out", {fields}}}]"#))
}

fn send(bench: &Bench, head: &str, body: &[u8]) -> Sent {
    let mut sent = bench.send(head.as_bytes(), body.is_empty());
    let (middle, last) = (body.len() / 2, body.len());
    if sent.verdict == Verdict::Pause {
        sent.body(&body[..middle], false).body(&body[middle..last], true);
    }
    sent
}

/// Has an endpoint of this filter check what was signed.
fn assert_accepted(sent: &Sent, body: &[u8], endpoint: &str) {
    let receiver = bench(&format!(r#""endpoints": [{{"name": "in", {endpoint}}}]"#));
    let mut head = "POST /out?x=1".to_owned();
    for name in
        ["webhook-id", "webhook-timestamp", "webhook-signature", "stripe-signature", "x-signature", "x-time"]
    {
        if let Some(value) = sent.request_header(name) {
            head.push_str(&format!("\n{name}: {value}"));
        }
    }
    let mut received = receiver.send(head.as_bytes(), body.is_empty());
    if received.verdict == Verdict::Pause {
        received.body(body, true);
    }
    let text = received.text();
    assert_eq!(received.verdict, Verdict::Continue, "{head}\n{text}");
}

#[test]
fn what_goes_out_is_what_comes_in_for_every_kind_of_scheme() {
    let custom = r#""scheme": {"algorithm": "hmac-sha512", "signature": {"header": "x-signature", "prefix": "v1:", "encoding": "base64"},
        "timestamp": {"header": "x-time", "format": "rfc3339"}, "content": "{method} {path}?{query} {timestamp}\n{body}\n"}"#;
    let date = r#""scheme": {"algorithm": "hmac-sha1", "signature": {"header": "x-signature"},
        "timestamp": {"header": "x-time", "format": "http-date"}, "content": "{timestamp}{body}"}"#;
    let both = format!(r#""secrets": [{{"inline": "{WHSEC}"}}, {{"inline": "{OLD_WHSEC}"}}]"#);
    let old = format!(r#""secrets": [{{"inline": "{OLD_WHSEC}"}}]"#);
    let text = r#""secrets": [{"env": "SECRET"}]"#;
    for (how, keys, receiver) in [
        (r#""provider": "standard-webhooks""#, both.as_str(), old.as_str()),
        (r#""provider": "svix""#, both.as_str(), both.as_str()),
        (r#""provider": "stripe""#, text, text),
        (custom, text, text),
        (date, text, text),
        (
            r#""provider": "standard-webhooks-v1a""#,
            &format!(r#""secrets": [{{"inline": "{SEED}"}}]"#),
            &format!(r#""public_keys": ["{PUBLIC}"]"#),
        ),
    ] {
        let bench = signer(&format!("{how}, {keys}"));
        for body in [b"".as_slice(), b"{}", &[0xff; 300]] {
            let sent = send(&bench, "POST /out?x=1", body);
            assert_eq!(sent.verdict, Verdict::Continue);
            assert_eq!(sent.upstream_body(), body);
            if how.contains("svix") {
                assert!(sent.request_header("svix-signature").unwrap().contains(" v1,"));
                continue;
            }
            assert_accepted(&sent, body, &format!("{how}, {receiver}"));
        }
    }
}

#[test]
fn stripe_style_has_the_instant_and_every_signature_in_one_header() {
    let bench = signer(r#""provider": "stripe", "secrets": [{"env": "SECRET"}, {"env": "OLD_SECRET"}]"#);
    let sent = send(&bench, "POST /out\nstripe-signature: forged", b"{}");
    let text = b"1767225600.{}";
    let wanted = format!("t=1767225600,v1={},v1={}", hex_mac(SECRET, text), hex_mac(super::OLD_SECRET, text));
    assert_eq!(sent.request_header("stripe-signature"), Some(wanted));
}

#[test]
fn an_id_is_kept_so_that_a_second_try_is_the_same_and_made_if_there_is_none() {
    let bench = signer(&format!(r#""provider": "standard-webhooks", "secrets": [{{"inline": "{WHSEC}"}}]"#));
    let id = |head: &str| send(&bench, head, b"x").request_header("webhook-id").unwrap();
    assert_eq!(id("POST /\nwebhook-id: msg_mine"), "msg_mine");
    for head in ["POST /", "POST /\nwebhook-id: "] {
        assert_eq!(id(head), "msg_5ec2e7005ec2e7005ec2e7005ec2e700", "{head}");
    }
    for head in ["POST /\nwebhook-id: a\nwebhook-id: b", "POST /\nwebhook-id: a b"] {
        assert_eq!(send(&bench, head, b"x").refused(), Some(400), "{head}");
    }
}

#[test]
fn only_what_matches_is_signed_and_what_is_too_large_or_late_goes_nowhere() {
    let bench = signer(
        r#""match": {"path": {"prefix": "/out"}}, "provider": "stripe", "secrets": [{"env": "SECRET"}], "max_body": 4"#,
    );
    let other = bench.request("POST /else");
    assert_eq!((other.verdict.clone(), other.request_header("stripe-signature")), (Verdict::Continue, None));
    assert_eq!(send(&bench, "POST /out", b"12345").refused(), Some(413));
    let mut slow = bench.send(b"POST /out", false);
    bench.world.pass(std::time::Duration::from_secs(30));
    assert_eq!(slow.wake().refused(), Some(408));
    assert_eq!(bench.counter("webhook-hmac.decisions_total.out.denied"), 2);
}

#[test]
fn an_id_that_could_be_read_with_what_is_behind_it_is_not_signed() {
    let bench = signer(&format!(r#""provider": "standard-webhooks", "secrets": [{{"inline": "{WHSEC}"}}]"#));
    assert!(send(&bench, "POST /\nwebhook-id: a.b", b"x").refused().is_some());
}
