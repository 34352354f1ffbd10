//! What becomes of a delivery: in pieces, with trailers, refused and forwarded, and what both sides are told.

use std::time::Duration;

use expect_test::expect;
use kit::chain::Verdict;
#[cfg(target_arch = "wasm32")]
use wasm_bindgen_test::wasm_bindgen_test as test;

use super::{OLD_SECRET, SECRET, bench, hex_mac, signed, stripe};

const BODY: &[u8] = br#"{"id": "evt_1", "amount": 5}"#;

const OUTPUT: &str = r#", "headers": {"endpoint": "x-webhook-endpoint", "provider": "x-webhook-provider",
    "id": "x-webhook-id", "key": "x-webhook-key", "duplicate": "x-webhook-duplicate"}"#;

#[test]
fn a_genuine_delivery_is_held_until_its_last_byte_and_then_goes_on_as_it_came() {
    let bench = bench(&format!(r#"{}, "tags": "all""#, stripe("")));
    let mut sent = bench.send(signed(SECRET, BODY, 0).as_bytes(), false);
    let (last, first) = BODY.split_last().unwrap();
    assert_eq!(sent.verdict, Verdict::Pause);
    assert_eq!(sent.body(first, false).verdict, Verdict::Pause);
    assert!(sent.upstream_body().is_empty());
    assert_eq!(sent.body(&[*last], true).verdict, Verdict::Continue);
    assert_eq!(sent.upstream_body(), BODY);
    expect![[r#"
        tag sluice.webhook-hmac.endpoint=hook
        tag sluice.webhook-hmac.outcome=verified
        count webhook-hmac.decisions_total.hook.verified
        tag sluice.webhook-hmac.provider=stripe
        tag sluice.webhook-hmac.id=evt_1
        tag sluice.webhook-hmac.key=0
        continue
    "#]]
    .assert_eq(&sent.text());
    assert_eq!(sent.next_wake(), None, "nothing is waited for any more");
}

#[test]
fn the_end_may_come_with_trailers_and_then_it_is_the_end_as_well() {
    for (body, accepted) in [(BODY, true), (&BODY[1..], false)] {
        let bench = bench(&stripe(""));
        let mut sent = bench.send(signed(SECRET, BODY, 0).as_bytes(), false);
        assert_eq!(sent.body(body, false).verdict, Verdict::Pause);
        sent.trailers();
        assert_eq!(sent.verdict == Verdict::Continue, accepted);
        assert_eq!(sent.refused(), (!accepted).then_some(401));
    }
}

#[test]
fn a_delivery_without_a_body_is_decided_by_its_headers() {
    let bench = bench(&stripe(""));
    assert_eq!(bench.request(&signed(SECRET, b"", 0)).verdict, Verdict::Continue);
    assert_eq!(bench.request(&signed(SECRET, b"x", 0)).refused(), Some(401));
    // Whether there is a body is what comes, and not what a header says of it.
    let mut lies = bench.send(format!("{}\ncontent-length: 0", signed(SECRET, b"", 0)).as_bytes(), false);
    assert_eq!(lies.verdict, Verdict::Pause);
    assert_eq!(lies.body(b"x", true).refused(), Some(401));
}

#[test]
fn any_live_secret_will_do_and_its_number_is_told() {
    let bench = bench(&format!("{}{OUTPUT}", stripe("")));
    for (secret, key) in [(SECRET, "0"), (OLD_SECRET, "1")] {
        let mut sent = bench.send(signed(secret, BODY, 0).as_bytes(), false);
        sent.body(BODY, true);
        assert_eq!(sent.request_header("x-webhook-key").as_deref(), Some(key));
        sent.respond("500").end();
    }
    let mut sent = bench.send(signed("another secret, unknown here", BODY, 0).as_bytes(), false);
    assert_eq!(sent.body(BODY, true).refused(), Some(401));
}

#[test]
fn what_was_verified_is_told_and_what_a_client_writes_in_its_place_is_taken_away() {
    let fields = r#""endpoints": [{"name": "hook", "match": {"path": {"exact": "/hook"}}, "provider": "standard-webhooks",
        "secrets": [{"inline": "whsec_AAECAwQFBgcICQoLDA0ODxAREhMUFRYX"}], "remove_signature": true}]"#;
    let bench = bench(&format!("{fields}{OUTPUT}"));
    let text = [b"msg_1.1767225600.", BODY].concat();
    let key: Vec<u8> = (0..24).collect();
    let mac = {
        use hmac::{Hmac, KeyInit, Mac};
        let mut mac = Hmac::<sha2::Sha256>::new_from_slice(&key).unwrap();
        mac.update(&text);
        crate::key::to_base64(&mac.finalize().into_bytes())
    };
    let forged = "x-webhook-id: 1\nx-webhook-id: 2\nx-webhook-key: 9\nx-webhook-duplicate: no";
    let head = format!(
        "POST /hook\nwebhook-id: msg_1\nwebhook-timestamp: 1767225600\nwebhook-signature: v1,{mac}\n{forged}"
    );
    let mut sent = bench.send(head.as_bytes(), false);
    sent.body(BODY, true);
    assert_eq!(sent.verdict, Verdict::Continue);
    let header = |name: &str| sent.request_header(name);
    assert_eq!(header("x-webhook-endpoint").as_deref(), Some("hook"));
    assert_eq!(header("x-webhook-provider").as_deref(), Some("standard-webhooks"));
    assert_eq!(header("x-webhook-id").as_deref(), Some("msg_1"));
    assert_eq!(header("x-webhook-key").as_deref(), Some("0"));
    assert_eq!(header("x-webhook-duplicate"), None);
    assert_eq!((header("webhook-signature"), header("webhook-timestamp")), (None, None));
    assert_eq!(header("webhook-id").as_deref(), Some("msg_1"));
    // Nobody else may write them either.
    let other = bench.request(&format!("GET /other\n{forged}"));
    assert_eq!(other.verdict, Verdict::Continue);
    assert_eq!((other.request_header("x-webhook-id"), other.request_header("x-webhook-key")), (None, None));
}

#[test]
fn what_each_refusal_says_to_a_sender() {
    let fields = r#""prefix": "/webhooks", "endpoints": [
        {"name": "hook", "match": {"path": {"exact": "/webhooks/hook"}}, "provider": "github", "secrets": [{"env": "SECRET"}],
         "max_body": 10},
        {"name": "pager", "match": {"path": {"exact": "/webhooks/pager"}}, "provider": "pagerduty",
         "secrets": [{"env": "SECRET"}]}]"#;
    let bench = bench(fields);
    let good = format!("x-hub-signature-256: sha256={}", hex_mac(SECRET, b"x"));
    let mut told = String::new();
    for (head, body) in [
        ("POST /webhooks/hook".to_owned(), b"x".as_slice()),
        ("POST /webhooks/hook\nx-hub-signature-256: sha256=00".to_owned(), b"x"),
        (format!("POST /webhooks/hook\n{good}\n{good}"), b"x"),
        (format!("POST /webhooks/hook\n{good}"), b"much too large"),
        (format!("POST /webhooks/hook\n{good}\ncontent-length: 14"), b""),
        (format!("GET /webhooks/hook\n{good}"), b""),
        ("POST /webhooks/other".to_owned(), b""),
        ("POST /webhooks/x/%2e%2e/hook".to_owned(), b""),
        ("POST /webhooks/pager".to_owned(), b""),
        ("POST /webhooks/pager\nx-pagerduty-signature: v1=00".to_owned(), b""),
    ] {
        let mut sent = bench.send(head.as_bytes(), body.is_empty());
        if sent.verdict == Verdict::Pause {
            sent.body(body, true);
        }
        let text = sent.text();
        let reply = text.lines().filter(|line| !line.starts_with("tag") && !line.starts_with("count"));
        told.push_str(&reply.collect::<Vec<_>>().join("\n"));
        told.push('\n');
    }
    expect![[r#"
        401 sluice_webhook_hmac_missing
          content-type: application/problem+json
          www-authenticate: Signature
          {"type":"about:blank","title":"The delivery is not accepted","status":401}
        401 sluice_webhook_hmac_signature
          content-type: application/problem+json
          www-authenticate: Signature
          {"type":"about:blank","title":"The delivery is not accepted","status":401}
        401 sluice_webhook_hmac_duplicate
          content-type: application/problem+json
          www-authenticate: Signature
          {"type":"about:blank","title":"The delivery is not accepted","status":401}
        413 sluice_webhook_hmac_too_large
          content-type: application/problem+json
          {"type":"about:blank","title":"The body is too large","status":413}
        413 sluice_webhook_hmac_too_large
          content-type: application/problem+json
          {"type":"about:blank","title":"The body is too large","status":413}
        405 sluice_webhook_hmac_not_allowed
          content-type: application/problem+json
          allow: POST
          {"type":"about:blank","title":"Method not allowed","status":405}
        404 sluice_webhook_hmac_unknown
          content-type: application/problem+json
          {"type":"about:blank","title":"Not found","status":404}
        400 sluice_webhook_hmac_path
          content-type: application/problem+json
          {"type":"about:blank","title":"The request can be read in several ways","status":400}
        400 sluice_webhook_hmac_missing
          content-type: application/problem+json
          {"type":"about:blank","title":"The delivery is not accepted","status":400}
        403 sluice_webhook_hmac_signature
          content-type: application/problem+json
          {"type":"about:blank","title":"The delivery is not accepted","status":403}
    "#]]
    .assert_eq(&told);
    assert_eq!(bench.request("POST /elsewhere").verdict, Verdict::Continue);
}

#[test]
fn every_refusal_is_counted_for_what_it_is_of_and_only_the_log_hears_what_is_malformed() {
    let own = |name: &str, scheme: &str, more: &str| {
        format!(
            r#"{{"name": "{name}", "match": {{"path": {{"exact": "/hooks/{name}"}}}}, "secrets": [{{"env": "SECRET"}}],
                "scheme": {{"algorithm": "hmac-sha256", "signature": {{"header": "x-signature"}}, {scheme}}}{more}}}"#
        )
    };
    let handshake = r#", "handshake": [{"signed": false, "when": [{"query": "ask", "present": true}],
        "challenge": {"query": "challenge"}, "respond": {"body": "{challenge}"}}]"#;
    let plaid = r#"{"name": "token", "match": {"path": {"exact": "/hooks/token"}}, "provider": "plaid",
        "key_set": {"keys": [{"kty": "EC", "crv": "P-256", "kid": "k", "x": "MKBCTNIcKUSDii11ySs3526iDZ8AiTo7Tu6KPAqv7D4",
        "y": "4Etl6SRW2YiLUrN5vfvVHuhp7x8PxltmWWlbbM4IFyM"}]}}"#;
    let endpoints = [
        own("time", r#""timestamp": {"header": "x-time"}, "content": "{timestamp}.{body}""#, ""),
        own("id", r#""id": {"header": "x-id"}, "content": "{id}.{body}""#, ""),
        own("header", r#""content": "{header:x-topic}{body}""#, ""),
        own("query", r#""content": "{query:topic}{body}""#, ""),
        own("form", r#""content": "{form:topic}""#, ""),
        own("question", r#""content": "{body}""#, handshake),
        plaid.to_owned(),
    ];
    let sign = r#"[{"name": "out", "match": {"path": {"prefix": "/out"}}, "provider": "standard-webhooks",
        "secrets": [{"inline": "whsec_AAECAwQFBgcICQoLDA0ODxAREhMUFRYX"}]}]"#;
    let bench =
        bench(&format!(r#""prefix": "/hooks", "endpoints": [{}], "sign": {sign}"#, endpoints.join(", ")));
    let mut told = String::new();
    for head in [
        "POST /hooks/time\nx-signature: 00",
        "POST /hooks/time\nx-signature: 00\nx-time: 2026-01-01T00:00:00Z",
        "POST /hooks/id\nx-signature: 00",
        "POST /hooks/id\nx-signature: 00\nx-id: a.b",
        "POST /hooks/header\nx-signature: 00",
        "POST /hooks/query\nx-signature: 00",
        "POST /hooks/form\nx-signature: 00",
        "POST /hooks/question?ask=1&challenge=%0a",
        "POST /hooks/token\nplaid-verification: a.b",
        // For nobody, and what goes out.
        "POST /hooks/other",
        "POST /hooks/x/%2e%2e/time",
        "POST /hooks/%2e%2e/other",
        "POST /out\nwebhook-id: a.b",
        "POST /out\nwebhook-id: a\nwebhook-id: b",
        "POST /OUT",
    ] {
        let mut sent = bench.request(head);
        assert!(sent.refused().is_some(), "{head}");
        let text = sent.text();
        let told_here = text.lines().filter(|line| {
            line.starts_with("count") || line.contains(".reason=") || line.contains(".detail=")
        });
        let told_here = told_here.map(|line| line.trim_start_matches("tag sluice.webhook-hmac."));
        let told_here = told_here.map(|line| line.trim_start_matches("count webhook-hmac."));
        told.push_str(&told_here.collect::<Vec<_>>().join(", "));
        told.push('\n');
    }
    expect![[r#"
        decisions_total.time.denied, reason=malformed, detail=timestamp, refusals_total.time.malformed
        decisions_total.time.denied, reason=malformed, detail=timestamp, refusals_total.time.malformed
        decisions_total.id.denied, reason=malformed, detail=id, refusals_total.id.malformed
        decisions_total.id.denied, reason=malformed, detail=id, refusals_total.id.malformed
        decisions_total.header.denied, reason=malformed, detail=header, refusals_total.header.malformed
        decisions_total.query.denied, reason=malformed, detail=query, refusals_total.query.malformed
        decisions_total.form.denied, reason=malformed, detail=form, refusals_total.form.malformed
        decisions_total.question.denied, reason=malformed, detail=challenge, refusals_total.question.malformed
        decisions_total.token.denied, reason=malformed, detail=token, refusals_total.token.malformed
        decisions_total.none.denied, reason=unknown, refusals_total.none.unknown
        decisions_total.time.denied, reason=path, refusals_total.time.path
        decisions_total.none.denied, reason=path, refusals_total.none.path
        decisions_total.out.denied, reason=malformed, detail=id, refusals_total.out.malformed
        decisions_total.out.denied, reason=duplicate, refusals_total.out.duplicate
        decisions_total.out.denied, reason=path, refusals_total.out.path
    "#]]
    .assert_eq(&told);
}

#[test]
fn a_body_that_does_not_come_is_not_waited_for() {
    let bench = bench(&format!(r#"{}, "body_timeout": "3s""#, stripe("")));
    let mut sent = bench.send(signed(SECRET, BODY, 0).as_bytes(), false);
    sent.body(b"{", false);
    bench.world.pass(Duration::from_secs(3));
    assert_eq!(sent.wake().refused(), Some(408));
    assert!(sent.text().contains("log Warn webhook-hmac: a request was held for its body"));
    let mut next = bench.send(signed(SECRET, BODY, 3).as_bytes(), false);
    bench.world.pass(Duration::from_secs(3));
    assert!(!next.wake().text().contains("log Warn"), "once is enough");
}

#[test]
fn shadow_mode_decides_counts_and_changes_nothing() {
    let bench = bench(&format!(r#"{}{OUTPUT}, "mode": "shadow", "prefix": "/""#, stripe("")));
    for (secret, outcome) in [(SECRET, "verified"), ("some other secret that is not live", "would_deny")] {
        let head = format!("{}\nx-webhook-id: mine", signed(secret, BODY, 0));
        let mut sent = bench.send(head.as_bytes(), false);
        assert_eq!(sent.verdict, Verdict::Continue);
        assert_eq!(sent.body(&BODY[..3], false).verdict, Verdict::Continue);
        assert_eq!(sent.body(&BODY[3..], true).verdict, Verdict::Continue);
        assert_eq!(sent.upstream_body(), BODY);
        assert_eq!(sent.request_header("x-webhook-id").as_deref(), Some("mine"));
        assert_eq!(bench.counter(&format!("webhook-hmac.decisions_total.hook.{outcome}")), 1);
    }
}

#[test]
fn where_headers_cannot_be_held_the_body_is() {
    let bench = bench(&format!(r#"{}, "hold": "body""#, stripe("")));
    let mut good = bench.send(signed(SECRET, BODY, 0).as_bytes(), false);
    assert_eq!(good.verdict, Verdict::Continue);
    assert_eq!(good.body(&BODY[..5], false).verdict, Verdict::Pause);
    assert!(good.upstream_body().is_empty());
    assert_eq!(good.body(&BODY[5..], true).verdict, Verdict::Continue);
    assert_eq!(good.upstream_body(), BODY);
    let mut bad = bench.send(signed(OLD_SECRET, b"other", 0).as_bytes(), false);
    assert_eq!(bad.body(BODY, true).refused(), Some(401));
    assert!(bad.upstream_body().is_empty());
    let mut trailers = bench.send(signed(OLD_SECRET, b"other", 0).as_bytes(), false);
    assert_eq!(trailers.body(BODY, false).verdict, Verdict::Pause);
    assert_eq!(trailers.trailers().refused(), Some(401));
    // What the headers tell already doesn't get that far.
    assert_eq!(bench.send(b"POST /hook", false).refused(), Some(401));
}

#[test]
fn an_old_delivery_and_one_from_the_future_are_refused_on_either_side_of_the_tolerance() {
    let bench = bench(&stripe(r#""tolerance": {"past": "1m", "future": "5s"}"#));
    for (after, accepted) in [(-61, false), (-60, true), (0, true), (5, true), (6, false)] {
        let sent = bench.request(&signed(SECRET, b"", after));
        assert_eq!(sent.verdict == Verdict::Continue, accepted, "{after}");
    }
}

#[test]
fn bodies_that_are_looked_into_do_not_fill_the_memory() {
    let bench = bench(&stripe(r#""max_body": "64MiB""#));
    let piece = vec![b' '; 48 << 20];
    let mut held: Vec<_> = (0..2).map(|_| bench.send(signed(SECRET, b"", 0).as_bytes(), false)).collect();
    for sent in &mut held {
        assert_eq!(sent.body(&piece, false).verdict, Verdict::Pause);
    }
    let mut more = bench.send(signed(SECRET, b"", 0).as_bytes(), false);
    assert_eq!(more.body(&piece, false).refused(), Some(503));
    assert_eq!(more.reply_header("retry-after").as_deref(), Some("5"));
    // Who leaves makes room.
    held.pop().unwrap().end();
    let mut next = bench.send(signed(SECRET, b"", 0).as_bytes(), false);
    assert_eq!(next.body(&piece, false).verdict, Verdict::Pause);
}

#[test]
fn a_body_of_very_many_values_is_hashed_and_not_looked_into() {
    let many = format!("[{}0]", "0,".repeat(100_000)).into_bytes();
    // Where the instant is in the body, it isn't found.
    let linear =
        bench(r#""endpoints": [{"name": "hook", "provider": "linear", "secrets": [{"env": "SECRET"}]}]"#);
    let mut sent =
        linear.send(format!("POST /\nlinear-signature: {}", hex_mac(SECRET, &many)).as_bytes(), false);
    assert_eq!(sent.body(&many, true).refused(), Some(400));
    assert_eq!(linear.counter("webhook-hmac.refusals_total.hook.body"), 1);
    // Where only the id is, what is signed tells whether it came before.
    let stripe = bench(&stripe(""));
    for status in [None, Some(200)] {
        let mut sent = stripe.send(signed(SECRET, &many, 0).as_bytes(), false);
        assert_eq!(sent.body(&many, true).refused(), status);
        sent.respond("200").end();
    }
}
