//! What an attacker would try who has read all of this: each attempt by a name, and what becomes of it.

use std::time::Duration;

use hmac::{Hmac, KeyInit, Mac};
use kit::chain::Verdict;
use kit::testing::{Bench, START, Sent};
use sha1::Sha1;
use sha2::{Digest, Sha256};
#[cfg(target_arch = "wasm32")]
use wasm_bindgen_test::wasm_bindgen_test as test;

use super::{SECRET, bench, hex_mac, signed, stripe};

const BODY: &[u8] = br#"{"id": "evt_1"}"#;

fn send(bench: &Bench, head: &str, body: &[u8]) -> Sent {
    let mut sent = bench.send(head.as_bytes(), body.is_empty());
    if sent.verdict == Verdict::Pause {
        sent.body(body, true);
    }
    sent
}

fn passes(sent: &Sent) -> bool {
    sent.verdict == Verdict::Continue
}

/// An endpoint for everything, with the secret of the tests.
fn hook(fields: &str) -> String {
    format!(r#""endpoints": [{{"name": "hook", "secrets": [{{"env": "SECRET"}}], {fields}}}]"#)
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn sha1_mac(key: &[u8], text: &[u8]) -> Vec<u8> {
    let mut mac = Hmac::<Sha1>::new_from_slice(key).unwrap();
    mac.update(text);
    mac.finalize().into_bytes().to_vec()
}

/// The head of a delivery that Twilio signed for this address and these parameters, joined.
fn twilio(url: &str, parameters: &str) -> String {
    let signature =
        crate::key::to_base64(&sha1_mac(SECRET.as_bytes(), format!("{url}{parameters}").as_bytes()));
    format!(":scheme: https\nhost: hooks.example.com\nx-twilio-signature: {signature}")
}

/// An item that Adyen signed.
fn adyen_item(reference: &str, more: &str) -> String {
    let text = format!("{reference}::shop:order:100:EUR:AUTHORISATION:true");
    let mut mac = Hmac::<Sha256>::new_from_slice(&[0xab; 32]).unwrap();
    mac.update(text.as_bytes());
    let signature = crate::key::to_base64(&mac.finalize().into_bytes());
    format!(
        r#"{{"NotificationRequestItem": {{{more}"pspReference": "{reference}", "merchantAccountCode": "shop",
            "merchantReference": "order", "amount": {{"value": 100, "currency": "EUR"}}, "eventCode": "AUTHORISATION",
            "success": "true", "additionalData": {{"hmacSignature": "{signature}"}}}}}}"#
    )
}

fn adyen(replay: &str) -> Bench {
    let secret = "ab".repeat(32);
    bench(&format!(
        r#""endpoints": [{{"name": "hook", "provider": "adyen", "secrets": [{{"inline": "{secret}", "allow_weak": true}}],
            "replay": {replay}}}]"#
    ))
}

fn adyen_body(items: &[&str]) -> Vec<u8> {
    format!(r#"{{"live": "true", "notificationItems": [{}]}}"#, items.join(", ")).into_bytes()
}

#[test]
fn a_body_that_begins_after_its_time_is_not_let_through_where_only_bodies_are_held() {
    let bench = bench(&format!(r#"{}, "hold": "body", "body_timeout": "3s""#, stripe("")));
    for trailers in [false, true] {
        let head = "POST /hook\nstripe-signature: t=1767225600,v1=00";
        let mut late = bench.send(head.as_bytes(), false);
        assert_eq!(late.verdict, Verdict::Continue, "its headers go on");
        bench.world.pass(Duration::from_secs(3));
        late.wake();
        // Nobody can be told yet, because nothing is held; nothing may go on for that.
        late.body(b"forged", false);
        assert_eq!((late.refused(), late.upstream_body()), (Some(408), b"".as_slice()));
        if trailers {
            late.trailers();
        } else {
            late.body(b", the rest", true);
        }
        assert_eq!((late.verdict.clone(), late.upstream_body()), (Verdict::Pause, b"".as_slice()));
        bench.world.turn_back(Duration::from_secs(3));
    }
}

#[test]
fn a_delivery_whose_body_is_held_back_until_it_is_too_old_is_late() {
    let bench = bench(&stripe(r#""tolerance": "5s""#));
    let mut slow = bench.send(signed(SECRET, BODY, 0).as_bytes(), false);
    bench.world.pass(Duration::from_secs(6));
    assert_eq!(slow.body(BODY, true).refused(), Some(401));
    assert_eq!(bench.counter("webhook-hmac.refusals_total.hook.late"), 1);
}

#[test]
fn a_replay_whose_headers_come_in_time_and_whose_body_waits_for_the_window_to_end_is_none_the_less_one() {
    let bench = bench(&stripe(r#""tolerance": "5s", "replay": {"id": "digest", "on_duplicate": "refuse"}"#));
    let head = signed(SECRET, BODY, 0);
    send(&bench, &head, BODY).respond("200").end();
    bench.world.pass(Duration::from_secs(4));
    let mut replay = bench.send(head.as_bytes(), false);
    assert_eq!(replay.verdict, Verdict::Pause);
    bench.world.pass(Duration::from_secs(11));
    assert!(replay.body(BODY, true).refused().is_some());
}

#[test]
fn a_window_is_never_shorter_than_the_tolerance() {
    let bench = bench(&stripe(
        r#""tolerance": "5m", "replay": {"id": "digest", "window": "1s", "on_duplicate": "refuse"}"#,
    ));
    for after in [-300, 0, 300] {
        let head = signed(SECRET, BODY, after);
        send(&bench, &head, BODY).respond("200").end();
        let mut passed = Duration::ZERO;
        for wait in [2, 299, 298, 1] {
            bench.world.pass(Duration::from_secs(wait));
            passed += Duration::from_secs(wait);
            assert!(send(&bench, &head, BODY).refused().is_some(), "{after}, {wait}");
        }
        bench.world.turn_back(passed);
    }
}

#[test]
fn a_clock_that_is_turned_back_makes_no_old_delivery_new() {
    let bench = bench(&stripe(r#""replay": {"id": "digest", "on_duplicate": "refuse"}"#));
    let head = signed(SECRET, BODY, 0);
    send(&bench, &head, BODY).respond("200").end();
    bench.world.pass(Duration::from_secs(700));
    assert_eq!(send(&bench, &head, BODY).refused(), Some(401));
    for back in [500, 200, 250] {
        bench.world.turn_back(Duration::from_secs(back));
        assert_eq!(send(&bench, &head, BODY).refused(), Some(409), "{back}");
    }
}

#[test]
fn instants_at_the_ends_of_time_are_early_late_or_none() {
    for (format, instants) in [
        (
            "unix",
            "0 1 1767225299 1767225901 18446744073 18446744074 18446744073709551615 18446744073709551616 \
             99999999999999999 01767225600 +1767225600 -1 1767225600.0 1.7e9 0x1 ١٧٦٧٢٢٥٦٠٠ 1767225600000",
        ),
        (
            "unix-ms",
            "0 1767225299999 1767225900001 18446744073709 18446744073710 99999999999999999 1767225600",
        ),
        (
            "rfc3339",
            "1970-01-01T00:00:00Z 1969-12-31T23:59:59Z 2025-12-31T23:54:59.999Z 2554-07-21T23:34:33Z \
             2554-07-22T00:00:00Z 9999-12-31T23:59:59Z 0000-00-00T00:00:00Z 2026-01-01T00:00:60Z 2026-01-01T00:05:00.000000001Z \
             2026-01-01T00:00:00 2026-01-01T00:00:00+24:00 2026-02-30T00:00:00Z",
        ),
    ] {
        let bench = bench(&hook(&format!(
            r#""scheme": {{"algorithm": "hmac-sha256", "signature": {{"header": "x-signature"}},
                "timestamp": {{"header": "x-time", "format": "{format}"}}, "content": "{{timestamp}}.{{body}}"}}"#
        )));
        for at in instants.split_whitespace() {
            let mac = hex_mac(SECRET, format!("{at}.").as_bytes());
            let sent = bench.request(&format!("POST /hook\nx-time: {at}\nx-signature: {mac}"));
            assert_eq!(sent.refused(), Some(401), "{format} {at}");
        }
    }
}

#[test]
fn what_a_handshake_signs_for_anybody_is_no_delivery() {
    let bench = bench(&hook(r#""provider": "braintree", "key_id": "mine""#));
    let challenge = "20f9f8ed05f77439fe955c977e4c8a53";
    for payload in [challenge, &challenge.to_uppercase(), "20f9f8ed05f77439fe95"] {
        let asked = bench.request(&format!("GET /hook?bt_challenge={payload}"));
        assert_eq!(asked.refused(), Some(200));
        let Verdict::Reply(reply) = &asked.verdict else { panic!("{:?}", asked.verdict) };
        let answer = String::from_utf8(reply.body.clone()).unwrap();
        let form = format!("bt_signature={}&bt_payload={payload}", answer.replace('|', "%7C"));
        let head = "POST /hook\ncontent-type: application/x-www-form-urlencoded";
        assert_eq!(send(&bench, head, form.as_bytes()).refused(), Some(401), "{payload}");
    }
    // What is none of these is a delivery: it has other characters, or is longer.
    let key = Sha1::digest(SECRET);
    for payload in ["PG5vdGlmaWNhdGlvbj4=", &"a".repeat(33), "abc"] {
        let mac = hex(&sha1_mac(&key, payload.as_bytes()));
        let form = format!("bt_signature=mine%7C{mac}&bt_payload={}", payload.replace('=', "%3D"));
        let head = "POST /hook\ncontent-type: application/x-www-form-urlencoded";
        assert!(passes(&send(&bench, head, form.as_bytes())), "{payload}");
    }
}

#[test]
fn a_handshake_for_anybody_lets_nothing_through_and_signs_nothing_that_is_not_asked_for() {
    let bench = bench(&hook(r#""provider": "slack""#));
    let form = "content-type: application/x-www-form-urlencoded";
    for (head, body, status) in [
        (format!("POST /hook\n{form}"), "ssl_check=1&command=/pay", 200),
        (format!("POST /hook\n{form}"), "ssl_check=1&ssl_check=1", 401),
        (format!("POST /hook\n{form}"), "ssl_check=2", 401),
        (format!("POST /hook\n{form}\n{form}"), "ssl_check=1", 401),
        ("POST /hook\ncontent-type: text/plain".to_owned(), "ssl_check=1", 401),
        ("POST /hook\ncontent-type: multipart/form-data; boundary=x".to_owned(), "ssl_check=1", 401),
        (format!("POST /hook?ssl_check=1\n{form}"), "command=/pay", 401),
        (format!("GET /hook\n{form}"), "ssl_check=1", 405),
        ("POST /hook".to_owned(), r#"{"type": "url_verification", "challenge": "x"}"#, 401),
    ] {
        let mut sent = send(&bench, &head, body.as_bytes());
        assert_eq!(sent.refused(), Some(status), "{head} {body}: {}", sent.text());
        assert!(sent.upstream_body().is_empty());
    }
}

#[test]
fn a_challenge_is_visible_ascii_of_a_certain_length_and_nothing_of_it_is_markup_or_a_header() {
    let bench = bench(&hook(r#""provider": "dropbox""#));
    for (challenge, status) in
        [("a%0d%0aset-cookie:+x", 401), ("a%00", 401), ("%c3%a9", 401), ("", 401), ("a+b", 401), ("<b>", 200)]
    {
        let mut sent = bench.request(&format!("GET /hook?challenge={challenge}"));
        assert_eq!(sent.refused(), Some(status), "{challenge}: {}", sent.text());
    }
    let sent = bench.request(&format!("GET /hook?challenge={}", "a".repeat(1025)));
    assert_eq!(sent.refused(), Some(401));
    let sent = bench.request("GET /hook?challenge=%3Cscript%3E");
    assert_eq!(sent.reply_header("content-type").as_deref(), Some("text/plain"));
    assert_eq!(sent.reply_header("x-content-type-options").as_deref(), Some("nosniff"));
}

#[test]
fn a_form_without_parameters_is_no_reason_to_believe_a_body() {
    let url = "https://hooks.example.com/hook";
    let bench = bench(&hook(r#""provider": "twilio""#));
    let form = "content-type: application/x-www-form-urlencoded";
    // The address alone was signed: of a request without a body.
    for (body, accepted) in
        [("", true), ("&&&", false), ("=", false), ("=&=&&", false), ("%", false), ("a", false)]
    {
        let head = format!("POST /hook\n{}\n{form}", twilio(url, ""));
        assert_eq!(passes(&send(&bench, &head, body.as_bytes())), accepted, "{body:?}");
    }
    let head = format!("POST /hook\n{}\n{form}", twilio(url, "CallSidCA1"));
    assert!(passes(&send(&bench, &head, b"CallSid=CA1")));
    // Neither is a type that isn't one, or isn't the only one.
    for kind in
        ["text/plain", "multipart/form-data", "application/json", "application/x-www-form-urlencoded,x"]
    {
        let head = format!("POST /hook\n{}\ncontent-type: {kind}", twilio(url, "CallSidCA1"));
        assert!(!passes(&send(&bench, &head, b"CallSid=CA1")), "{kind}");
        let head = format!("POST /hook\n{}\ncontent-type: {kind}", twilio(url, ""));
        assert!(!passes(&send(&bench, &head, b"CallSid=CA1")), "{kind}");
    }
    let head = format!("POST /hook\n{}\n{form}\n{form}", twilio(url, ""));
    assert!(!passes(&send(&bench, &head, b"CallSid=CA1")), "two types");
}

#[test]
fn a_digest_in_a_query_that_is_not_signed_vouches_for_no_body() {
    let url = "https://hooks.example.com/hook";
    let body = b"forged";
    let target = format!("/hook?bodySHA256={}", hex(&Sha256::digest(body)));
    let head = |url: &str| format!("POST {target}\n{}\ncontent-type: application/json", twilio(url, ""));
    // With an address that is configured whole, the query of the request isn't part of it.
    let whole = bench(&hook(&format!(r#""provider": "twilio", "url": "{url}""#)));
    assert!(!passes(&send(&whole, &head(url), body)));
    let base = bench(&hook(r#""provider": "twilio", "url": "https://hooks.example.com""#));
    assert!(!passes(&send(&base, &head(url), body)));
    assert!(passes(&send(&base, &head(&format!("https://hooks.example.com{target}")), body)));
    let whole = bench(&hook(&format!(r#""provider": "twilio", "url": "https://hooks.example.com{target}""#)));
    assert!(passes(&send(&whole, &head(&format!("https://hooks.example.com{target}")), body)));
}

#[test]
fn an_address_that_is_configured_is_not_for_a_client_to_choose() {
    let elsewhere = "https://staging.example.com/hook";
    let form = "content-type: application/x-www-form-urlencoded";
    let signature = crate::key::to_base64(&sha1_mac(SECRET.as_bytes(), format!("{elsewhere}a1").as_bytes()));
    for (fields, accepted) in [
        (r#""provider": "twilio""#, true),
        (r#""provider": "twilio", "match": {"hosts": ["hooks.example.com"]}"#, true),
        (r#""provider": "twilio", "url": "https://hooks.example.com""#, false),
        (r#""provider": "twilio", "url": "https://hooks.example.com/hook""#, false),
    ] {
        let bench = bench(&hook(fields));
        for (scheme, host) in [
            ("https", "staging.example.com"),
            ("https", "staging.example.com:443"),
            ("https", "hooks.example.com"),
        ] {
            let head = format!(
                "POST /hook\n:scheme: {scheme}\nhost: {host}\nx-twilio-signature: {signature}\n{form}\n\
                 x-forwarded-host: staging.example.com"
            );
            let sent = send(&bench, &head, b"a=1");
            let is_elsewhere = host.starts_with("staging");
            // What is for another host is for no endpoint here, where hosts are matched.
            let mut verified =
                passes(&sent) && bench.counter("webhook-hmac.decisions_total.hook.verified") != 0;
            verified &= is_elsewhere;
            assert_eq!(verified, accepted && is_elsewhere && !fields.contains("hosts"), "{fields} {host}");
        }
    }
}

#[test]
fn members_that_some_readers_take_for_those_that_are_signed_are_refused() {
    let bench = adyen(r#""off""#);
    assert!(passes(&send(&bench, "POST /", &adyen_body(&[&adyen_item("a", "")]))));
    for more in [
        r#""pspReference": "forged", "#,
        r#""\u0070spReference": "forged", "#,
        r#""PspReference": "forged", "#,
        r#""PSPREFERENCE": "forged", "#,
        r#""pſpReference": "forged", "#,
        r#""Amount": {"value": 1, "currency": "EUR"}, "#,
        r#""amount ": 1, "amount": {"value": 1, "currency": "EUR"}, "#,
    ] {
        let body = adyen_body(&[&adyen_item("a", more)]);
        assert!(!passes(&send(&bench, "POST /", &body)), "{more}");
    }
    let item = adyen_item("a", "");
    for body in [
        format!(r#"{{"notificationItems": [{item}], "NotificationItems": []}}"#),
        format!(r#"{{"notificationItems": [{item}], "notificationItems": []}}"#),
        format!(r#"{{"notificationItems": [{item}, {{}}]}}"#),
        format!(r#"{{"notificationItems": [{item}, null]}}"#),
        format!(r#"{{"notificationItems": {{"0": {item}}}}}"#),
        r#"{"notificationItems": []}"#.to_owned(),
        format!("[{item}]"),
        format!("\u{feff}{{\"notificationItems\": [{item}]}}"),
        format!(r#"{{"notificationItems": [{item}]}}{{}}"#),
    ] {
        assert!(!passes(&send(&bench, "POST /", body.as_bytes())), "{body}");
    }
    // What isn't signed anyway may be there.
    assert!(passes(&send(
        &bench,
        "POST /",
        &adyen_body(&[&adyen_item("a", r#""reason": "x", "Reason": "y", "#)])
    )));
}

#[test]
fn fields_that_some_readers_take_for_those_that_are_signed_are_refused() {
    let bench = bench(&hook(r#""provider": "braintree", "key_id": "mine", "replay": "off""#));
    let mac = hex(&sha1_mac(&Sha1::digest(SECRET), b"PG4="));
    let genuine = format!("bt_signature=mine%7C{mac}&bt_payload=PG4%3D");
    let head = "POST /\ncontent-type: application/x-www-form-urlencoded";
    for more in ["", "&other=1", "&bt_payloads=1", "&payload=1", "&[bt_payload]=1", "&&&", "&="] {
        let sent = send(&bench, head, format!("{genuine}{more}").as_bytes());
        assert!(passes(&sent), "{more}");
    }
    for more in [
        "bt_payload",
        "bt_payload=",
        "bt_payload=PG4%3D",
        "%62t_payload=1",
        "bt.payload=1",
        "bt+payload=1",
        "bt%20payload=1",
        "BT_PAYLOAD=1",
        "bt_payload[]=1",
        "bt_payload%5B%5D=1",
        "bt_payload[x=1",
        "+bt_payload=1",
        "bt_payload%00x=1",
        "bt.signature=1",
    ] {
        for body in [format!("{genuine}&{more}"), format!("{more}&{genuine}")] {
            assert!(!passes(&send(&bench, head, body.as_bytes())), "{body}");
        }
    }
    // What one reader takes for two fields is one of another value here.
    for more in [";bt_payload=1", "%26bt_payload=1"] {
        assert!(!passes(&send(&bench, head, format!("{genuine}{more}").as_bytes())), "{more}");
    }
}

#[test]
fn signed_items_that_are_put_together_anew_are_no_new_delivery() {
    let bench = adyen(r#"{"on_duplicate": "refuse"}"#);
    let [one, two, three] = ["1", "2", "3"].map(|reference| adyen_item(reference, ""));
    let both = adyen_body(&[&one, &two]);
    send(&bench, "POST /", &both).respond("200").end();
    for items in [vec![&one, &two], vec![&two, &one], vec![&one], vec![&two], vec![&three, &one]] {
        let items: Vec<&str> = items.into_iter().map(String::as_str).collect();
        assert_eq!(send(&bench, "POST /", &adyen_body(&items)).refused(), Some(409), "{items:?}");
    }
    // Nor is one that is there twice.
    assert_eq!(send(&bench, "POST /", &adyen_body(&[&three, &three])).refused(), Some(409));
    // What was refused with them took nothing.
    let mut alone = send(&bench, "POST /", &adyen_body(&[&three]));
    assert!(passes(&alone));
    assert_eq!(send(&bench, "POST /", &adyen_body(&[&three])).refused(), Some(409));
    alone.respond("500").end();
    let mut again = send(&bench, "POST /", &adyen_body(&[&three]));
    assert!(passes(&again));
    again.respond("200").end();
    assert_eq!(send(&bench, "POST /", &adyen_body(&[&three])).refused(), Some(409));
}

#[test]
fn a_form_of_very_many_fields_is_not_looked_into() {
    let bench = bench(&hook(r#""provider": "twilio", "max_body": "64MiB""#));
    let body = "a&".repeat(100_001);
    let head = format!(
        "POST /hook\n{}\ncontent-type: application/x-www-form-urlencoded",
        twilio("https://hooks.example.com/hook", "a")
    );
    assert_eq!(send(&bench, &head, body.as_bytes()).refused(), Some(401));
    assert_eq!(bench.counter("webhook-hmac.refusals_total.hook.body"), 1);
    assert!(passes(&send(&bench, &head, "a&".repeat(50_000).as_bytes())));
}

#[test]
fn a_digest_of_the_body_counts_beside_signed_items() {
    let bench = bench(&hook(
        r#""scheme": {"algorithm": "hmac-sha256", "signature": {"json": "mac"}, "content": "{json:id}{header:x-digest}",
            "each": "items", "body_hash": {"header": "x-digest"}}"#,
    ));
    let mac = |id: &str, digest: &str| hex_mac(SECRET, format!("{id}{digest}").as_bytes());
    let zeros = "00".repeat(32);
    let body = format!(r#"{{"items": [{{"id": "a", "mac": "{}"}}]}}"#, mac("a", &zeros));
    assert_eq!(send(&bench, &format!("POST /\nx-digest: {zeros}"), body.as_bytes()).refused(), Some(401));
}

#[test]
fn no_text_of_anybodys_choice_is_signed_by_a_handshake() {
    let handshake = |more: &str| {
        format!(
            r#"{{"endpoints": [{{"name": "hook", "provider": "github", "secrets": [{{"inline": "{SECRET}"}}],
                "handshake": [{{"method": "GET", "challenge": {{"query": "c"{more}, "respond": {{"body": "{{signature}}"}}}}]}}]}}"#
        )
    };
    for (more, sound) in [
        (r#"}, "signed": false"#, false),
        (r#", "characters": "text"}, "signed": false"#, false),
        (r#", "characters": "hex"}, "signed": false"#, true),
        ("}", true),
    ] {
        let parsed = Bench::new(&crate::KIND, &handshake(more));
        assert_eq!(parsed.is_ok(), sound, "{more}: {:?}", parsed.err());
    }
    // Where nobody else would notice: the body itself is what is signed.
    let bench = bench(&hook(
        r#""provider": "github", "handshake": [{"method": "GET", "signed": false,
            "challenge": {"query": "c", "characters": "hex", "min": 4, "max": 8}, "respond": {"body": "{signature}"}}]"#,
    ));
    for (body, accepted) in
        [("cafe", false), ("CAFE0123", false), ("cafe01234", true), ("cafe\n", true), ("{}", true)]
    {
        let head = format!("POST /hook\nx-hub-signature-256: sha256={}", hex_mac(SECRET, body.as_bytes()));
        for pieces in [1, 2] {
            let mut sent = bench.send(head.as_bytes(), false);
            let (first, rest) = body.split_at(if pieces == 1 { 0 } else { 2 });
            sent.body(first.as_bytes(), false).body(rest.as_bytes(), true);
            assert_eq!(passes(&sent), accepted, "{body:?}");
            if accepted {
                // So that it may come again.
                sent.respond("500").end();
            }
        }
    }
}

#[test]
fn what_goes_out_has_the_instant_and_the_signature_of_this_filter_whatever_a_client_wrote() {
    let bench = bench(
        r#""sign": [{"name": "out", "provider": "standard-webhooks",
            "secrets": [{"inline": "whsec_AAECAwQFBgcICQoLDA0ODxAREhMUFRYX"}]}]"#,
    );
    for id in ["a\r\nx-evil: 1", "é", "a b", "", &"a".repeat(257)] {
        let head = format!(
            "POST /\nwebhook-id: {}\nwebhook-timestamp: 1\nwebhook-timestamp: 2\nwebhook-signature: v1,forged\n\
             webhook-signature: v1,again",
            id.replace('\n', "\x0b")
        );
        let sent = send(&bench, &head, b"x");
        if !id.is_empty() {
            assert_eq!(sent.refused(), Some(400), "{id:?}");
            continue;
        }
        assert!(passes(&sent), "{id:?}");
        assert!(sent.request_header("webhook-id").unwrap().starts_with("msg_"), "{id:?}");
        assert_eq!(sent.request_header("webhook-timestamp"), Some(START.seconds().to_string()));
        let signature = sent.request_header("webhook-signature").unwrap();
        assert!(!signature.contains("forged") && !signature.contains("again"), "{signature}");
    }
}

#[test]
fn an_answer_of_the_proxy_or_of_another_filter_is_no_acceptance_unless_it_is_a_success() {
    let bench = bench(&stripe(r#""replay": {"id": "digest", "on_duplicate": "refuse"}"#));
    let head = signed(SECRET, BODY, 0);
    for status in ["100", "199", "300", "304", "401", "409", "413", "429", "503", "599", "", "2000", "x"] {
        let mut sent = send(&bench, &head, BODY);
        assert!(passes(&sent), "before {status}");
        sent.respond_from("anything", status).end();
    }
    send(&bench, &head, BODY).respond("299").end();
    assert_eq!(send(&bench, &head, BODY).refused(), Some(409));
}

#[test]
fn two_of_this_filter_in_one_chain_each_decide_and_remember_for_themselves() {
    let first = stripe(r#""replay": {"id": "digest", "on_duplicate": "refuse"}"#);
    let second = hook(r#""provider": "github", "replay": {"id": "digest"}"#);
    for (one_holds, two_holds) in
        [("headers", "headers"), ("headers", "body"), ("body", "headers"), ("body", "body")]
    {
        let world = std::rc::Rc::new(kit::testing::World::new());
        world.set_environment("SECRET", SECRET);
        world.set_environment("OLD_SECRET", super::OLD_SECRET);
        let config = format!(
            r#"{{"chain": [{{"webhook-hmac": {{{first}, "hold": "{one_holds}", "body_timeout": "60s"}}}},
                {{"name": "two", "webhook-hmac": {{{second}, "hold": "{two_holds}", "body_timeout": "3s"}}}}]}}"#
        );
        let kinds = std::slice::from_ref(&crate::KIND);
        let bench = Bench::within(&world, kinds, kit::module::Form::Chain, &config);
        let bench = bench.unwrap_or_else(|problems| panic!("{problems}"));
        let begin = |secrets: [&str; 2]| {
            let github = hex_mac(secrets[1], BODY);
            bench.send(
                format!("{}\nx-hub-signature-256: sha256={github}", signed(secrets[0], BODY, 0)).as_bytes(),
                false,
            )
        };
        let complete = |secrets: [&str; 2]| {
            let mut sent = begin(secrets);
            sent.body(&BODY[..4], false).body(&BODY[4..], true);
            sent
        };
        let wrong = "some other secret that nobody has";
        for secrets in [[wrong, SECRET], [SECRET, wrong]] {
            let mut sent = complete(secrets);
            assert_eq!(sent.refused(), Some(401), "{one_holds} {two_holds}");
            assert!(sent.upstream_body().is_empty());
            sent.respond_from("x", "401").end();
        }
        // What waits for the first is over for the second, and doesn't go on for that.
        let mut slow = begin([SECRET, wrong]);
        slow.body(&BODY[..4], false);
        world.pass(Duration::from_secs(3));
        slow.wake();
        if slow.refused().is_none() {
            slow.body(&BODY[4..], true);
        }
        assert!(slow.refused().is_some(), "{one_holds} {two_holds}");
        assert!(slow.upstream_body().is_empty());
        slow.respond_from("x", "408").end();
        let mut good = complete([SECRET, SECRET]);
        assert!(passes(&good), "{one_holds} {two_holds}: {}", good.text());
        good.respond("200").end();
        assert_eq!(complete([SECRET, SECRET]).refused(), Some(409));
    }
}

#[test]
fn a_signature_has_one_spelling_in_base64_and_two_in_hex() {
    let shopify = bench(&hook(r#""provider": "shopify", "replay": "off""#));
    // Of 32 bytes, so that there are two bits to spare and a `+` or `/` to write otherwise.
    let body =
        (0..100_u8).map(|number| vec![number]).find(|body| signature_of(body).contains(['+', '/'])).unwrap();
    let good = signature_of(&body);
    let other = |from: &str, to: &str| good.replace(from, to);
    let spare = {
        let (head, last) = good.trim_end_matches('=').split_at(good.len() - 2);
        let next = char::from(last.as_bytes()[0] + 1);
        format!("{head}{next}=")
    };
    let spaced = {
        let (head, tail) = good.split_at(10);
        format!("{head} {tail}")
    };
    for (signature, accepted) in [
        (good.clone(), true),
        (other("=", ""), false),
        (other("=", "=="), false),
        (other("+", "-").replace('/', "_"), false),
        (spare, false),
        (spaced, false),
        (format!("{good},{good}"), false),
        (format!("\"{good}\""), false),
        (good.to_lowercase(), false),
        (hex(&Sha256::digest(&body)), false),
    ] {
        let head = format!("POST /\nx-shopify-hmac-sha256: {signature}");
        assert_eq!(passes(&send(&shopify, &head, &body)), accepted, "{signature}");
    }
    let github = bench(&hook(r#""provider": "github", "replay": "off""#));
    let good = hex_mac(SECRET, BODY);
    for (signature, accepted) in [
        (format!("sha256={good}"), true),
        (format!("sha256={}", good.to_uppercase()), true),
        (good.clone(), false),
        (format!("SHA256={good}"), false),
        (format!("sha256= {good}"), false),
        (format!("sha256=0x{good}"), false),
        (format!("sha256={good}00"), false),
        (format!("sha256={}", good.split_at(62).0), false),
        (format!("sha256={}", good.split_at(63).0), false),
        ("sha256=".to_owned(), false),
        (format!("sha256={good}, sha256={good}"), false),
        (format!("sha1={good}"), false),
    ] {
        let head = format!("POST /\nx-hub-signature-256: {signature}");
        assert_eq!(passes(&send(&github, &head, BODY)), accepted, "{signature}");
    }
}

fn signature_of(body: &[u8]) -> String {
    let mut mac = Hmac::<Sha256>::new_from_slice(SECRET.as_bytes()).unwrap();
    mac.update(body);
    crate::key::to_base64(&mac.finalize().into_bytes())
}

#[test]
fn no_spelling_of_a_path_and_no_method_goes_past_the_prefix() {
    let bench = bench(&format!(
        r#""prefix": "/webhooks", {}"#,
        hook(r#""match": {"path": {"exact": "/webhooks/hook"}}, "provider": "github""#)
    ));
    for path in [
        "/webhooks",
        "/webhooks/",
        "/webhooks/hook/",
        "/webhooks/hook/x",
        "/webhooks/hookx",
        "/webhooks/HOOK",
        "/WEBHOOKS/hook",
        "/webhooks//hook",
        "//webhooks/hook",
        "/./webhooks/hook",
        "/x/../webhooks/hook",
        "/webhooks/%68ook",
        "/%77ebhooks/hook",
        "/webhooks%2fhook",
        "/webhooks\\hook",
        "/webhooks;x/hook",
        "/webhooks/hook;x",
        "/webhooks/hook%00",
        "/webhooks/hook.",
        "/webhooks/hook%20",
        "/webhooks/hook#x",
        "/webhooks/hook?x",
        "/webhooks?x=/",
        "/webhooks/%252e%252e/hook",
    ] {
        for method in ["POST", "GET", "post", "PUT", "OPTIONS", "HEAD", "CONNECT", "PROPFIND"] {
            let mut sent = send(&bench, &format!("{method} {path}"), b"body");
            assert!(sent.refused().is_some(), "{method} {path}: {}", sent.text());
        }
    }
    assert!(passes(&send(&bench, "POST /webhook", b"body")), "what is beside it is another matter");
}

#[test]
fn a_token_chooses_neither_its_algorithm_nor_its_key() {
    let bench = bench(
        r#""endpoints": [{"name": "hook", "provider": "plaid", "key_set": {"keys": [{"kty": "EC", "crv": "P-256",
            "kid": "k", "x": "wlCUbMWPeWOfJD7PYk_qEz1WVl1MlBZGVgCcnQKxAZI",
            "y": "tGT-W653Vy7rwtvw_xI3dQAhncTYCr-BPRrUi_tpba4"}]}}]"#,
    );
    let digest = hex(&Sha256::digest(BODY));
    let payload = format!(r#"{{"iat": {}, "request_body_sha256": "{digest}"}}"#, START.seconds());
    let part = |text: &str| crate::key::to_base64url(text.as_bytes());
    for head in [
        r#"{"alg": "none", "kid": "k"}"#,
        r#"{"alg": "HS256", "kid": "k"}"#,
        r#"{"alg": "ES384", "kid": "k"}"#,
        r#"{"alg": "es256", "kid": "k"}"#,
        r#"{"alg": "ES256"}"#,
        r#"{"alg": "ES256", "kid": "k", "kid": "k"}"#,
        r#"{"alg": "ES256", "kid": "other"}"#,
        r#"{"alg": "ES256", "kid": "k", "crit": []}"#,
        r#"{"alg": "ES256", "kid": "k", "jwk": {}}"#,
        r#"{"alg": ["ES256"], "kid": "k"}"#,
        r#"{"alg": "ES256", "kid": "k"}"#,
        "[]",
        "",
    ] {
        let text = format!("{}.{}", part(head), part(&payload));
        let mac = hex_mac("public", text.as_bytes());
        for signature in [
            "",
            "AA",
            &part(&mac),
            &crate::key::to_base64url(&[0; 64]),
            &crate::key::to_base64url(&[0xff; 64]),
        ] {
            for token in [format!("{text}.{signature}"), format!("{text}.{signature}."), text.clone()] {
                let sent = send(&bench, &format!("POST /\nplaid-verification: {token}"), BODY);
                assert_eq!(sent.refused(), Some(401), "{head} {token}");
            }
        }
    }
}

#[test]
fn a_delivery_for_one_key_or_endpoint_counts_for_no_other_and_takes_no_place_there() {
    let bench = bench(
        r#""endpoints": [
            {"name": "a", "match": {"path": {"exact": "/a"}}, "provider": "github", "secrets": [{"env": "SECRET"}]},
            {"name": "b", "match": {"path": {"exact": "/b"}}, "provider": "github", "secrets": [{"env": "OLD_SECRET"}]}]"#,
    );
    let head = |path: &str, secret: &str| {
        format!("POST {path}\nx-hub-signature-256: sha256={}", hex_mac(secret, BODY))
    };
    assert_eq!(send(&bench, &head("/b", SECRET), BODY).refused(), Some(401));
    let keys = bench.world.memory().keys();
    assert_eq!(keys, 0, "what isn't genuine is remembered nowhere");
    send(&bench, &head("/a", SECRET), BODY).respond("200").end();
    assert!(passes(&send(&bench, &head("/b", super::OLD_SECRET), BODY)));
}

#[test]
fn the_end_of_an_id_is_not_taken_for_the_beginning_of_what_is_behind_it() {
    let bench = bench(&hook(
        r#""scheme": {"algorithm": "hmac-sha256", "signature": {"header": "x-signature"}, "id": {"header": "x-id"},
            "content": "{id}.{body}"}, "replay": "off""#,
    ));
    let mac = hex_mac(SECRET, b"a.1.{}");
    for (id, body, accepted) in
        [("a", "1.{}", true), ("a.1", "{}", false), ("a.", "1.{}", false), ("", "a.1.{}", false)]
    {
        let sent = send(&bench, &format!("POST /\nx-id: {id}\nx-signature: {mac}"), body.as_bytes());
        assert_eq!(passes(&sent), accepted, "{id:?}");
    }
}
