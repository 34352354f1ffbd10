//! Bytes that nobody planned for: none of them panics, and none of them is a signature.

use kit::chain::Verdict;
use proptest::collection::vec;
use proptest::prelude::*;
#[cfg(target_arch = "wasm32")]
use wasm_bindgen_test::wasm_bindgen_test as test;

use super::{SECRET, bench, hex_mac, signed, stripe};
use crate::preset::Presets;

/// Every preset, with secrets or keys that fit it.
fn every_preset() -> Vec<(String, String)> {
    let names: Vec<String> = Presets::new().all().iter().map(|(name, _)| name.clone()).collect();
    let spki = "MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAE83T4O/n84iotIvIW4mdBgQ/7dAfSmpqIM8kF9mN1flpVKS3GRqe62gw+2fNNRaINXvVpiglSI8eNEc6wEA3F+g==";
    let keys = |name: &str| {
        match name {
        "standard-webhooks-v1a" => {
            r#""public_keys": ["whpk_11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo="]"#.to_owned()
        }
        "discord" | "discord-events" => {
            r#""public_keys": ["d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a"]"#.to_owned()
        }
        "sendgrid" => format!(r#""public_keys": ["{spki}"]"#),
        "plaid" => r#""key_set": {"keys": [{"kty": "EC", "crv": "P-256", "kid": "k",
            "x": "MKBCTNIcKUSDii11ySs3526iDZ8AiTo7Tu6KPAqv7D4", "y": "4Etl6SRW2YiLUrN5vfvVHuhp7x8PxltmWWlbbM4IFyM"}]}"#
            .to_owned(),
        _ => r#""secrets": [{"env": "SECRET"}]"#.to_owned(),
    }
    };
    let more = |name: &str| match name {
        "square" => r#", "url": "https://hooks.example.com/square""#,
        "braintree" => r#", "key_id": "mine""#,
        "meta" | "whatsapp" => r#", "handshake_token": {"inline": "a token that nobody knows"}"#,
        _ => "",
    };
    let hex = |name: &str| name.starts_with("adyen");
    let whsec = |name: &str| matches!(name, "standard-webhooks" | "svix" | "gitlab");
    names
        .into_iter()
        .map(|name| {
            let mut keys = keys(&name);
            if whsec(&name) {
                keys = r#""secrets": [{"inline": "whsec_AAECAwQFBgcICQoLDA0ODxAREhMUFRYX"}]"#.to_owned();
            }
            assert!(!hex(&name) || SECRET.len() == 32);
            let endpoint = format!(
                r#"{{"name": "{name}", "match": {{"path": {{"exact": "/{name}"}}}}, "provider": "{name}", {keys}{}}}"#,
                more(&name)
            );
            (name, endpoint)
        })
        .collect()
}

#[test]
fn every_preset_can_be_configured() {
    let presets = every_preset();
    let endpoints: Vec<String> = presets.iter().map(|(_, endpoint)| endpoint.clone()).collect();
    let bench = bench(&format!(r#""endpoints": [{}]"#, endpoints.join(", ")));
    for (name, _) in presets {
        let mut sent = bench.send(format!("POST /{name}").as_bytes(), false);
        if sent.verdict == Verdict::Pause {
            sent.body(b"{}", true);
        }
        assert!(sent.refused().is_some_and(|status| 400 <= status), "{name}: {:?}", sent.verdict);
    }
}

#[test]
fn no_bytes_in_any_header_or_body_panic_or_verify() {
    let presets = every_preset();
    let endpoints: Vec<String> = presets.iter().map(|(_, endpoint)| endpoint.clone()).collect();
    let bench = bench(&format!(r#""endpoints": [{}]"#, endpoints.join(", ")));
    let document: serde_json::Value = serde_json::from_str(include_str!("../../presets.json")).unwrap();
    for (name, _) in presets {
        let mut headers = Vec::new();
        names_of_headers(&document[&name], &mut headers);
        for value in [
            b"\xff\xfe\x80".as_slice(),
            b"",
            b",,,=,=;;",
            b"v1=,t=",
            b"t=1767225600,v1=\xff",
            b"sha256=",
            b"v1,v1,v1a,",
            b"sha256=0000000000000000000000000000000000000000000000000000000000000000",
            &[b'a'; 9000],
        ] {
            let mut head =
                format!("POST /{name}\ncontent-type: application/x-www-form-urlencoded").into_bytes();
            for header in &headers {
                head.extend_from_slice(format!("\n{header}: ").as_bytes());
                head.extend_from_slice(value);
            }
            for body in [b"".as_slice(), b"\xff\x00{", b"{\"a\":{\"a\":1,\"a\":2}}", b"a=%&%zz&=&+", value] {
                let mut sent = bench.send(&head, body.is_empty());
                if sent.verdict == Verdict::Pause {
                    sent.body(body, true);
                }
                // A handshake may be answered; nothing goes on.
                assert!(sent.refused().is_some(), "{name}: {:?}", sent.verdict);
            }
        }
    }
}

fn names_of_headers(value: &serde_json::Value, names: &mut Vec<String>) {
    for (name, member) in value.as_object().into_iter().flatten() {
        match (name.as_str(), member.as_str(), member.as_array()) {
            ("header", Some(header), _) => names.push(header.to_owned()),
            ("header", _, Some(list)) => {
                names.extend(list.iter().filter_map(|name| name.as_str().map(str::to_owned)))
            }
            (..) => names_of_headers(member, names),
        }
    }
    value.as_array().into_iter().flatten().for_each(|item| names_of_headers(item, names));
    names.sort();
    names.dedup();
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(64) })]

    /// A model that hashes the whole body in one go must agree with the filter, whatever the pieces are.
    #[test]
    fn a_body_in_any_pieces_is_the_same_body(
        body in vec(any::<u8>(), 0..300),
        cuts in vec(0_usize..300, 0..6),
        altered in any::<bool>(),
        trailers in any::<bool>(),
    ) {
        let bench = bench(&stripe(r#""replay": "off""#));
        let mut received = body.clone();
        if altered {
            received.push(0);
        }
        let mut cuts: Vec<usize> = cuts.into_iter().map(|cut| cut.min(received.len())).collect();
        cuts.sort_unstable();
        let mut sent = bench.send(signed(SECRET, &body, 0).as_bytes(), false);
        let mut from = 0;
        for cut in cuts {
            sent.body(&received[from..cut], false);
            from = cut;
        }
        if trailers {
            sent.body(&received[from..], false).trailers();
        } else {
            sent.body(&received[from..], true);
        }
        prop_assert_eq!(sent.verdict == Verdict::Continue, !altered);
    }

    /// Nothing but the signature is the signature.
    #[test]
    fn no_text_is_a_signature_but_the_signature(text in vec(any::<u8>(), 0..120)) {
        let bench = bench(r#""endpoints": [{"name": "hook", "provider": "github", "secrets": [{"env": "SECRET"}]}]"#);
        let head = [b"POST /hook\nx-hub-signature-256: ", text.as_slice()].concat();
        let mut sent = bench.send(&head, false);
        if sent.verdict == Verdict::Pause {
            sent.body(b"body", true);
        }
        let genuine = format!("sha256={}", hex_mac(SECRET, b"body"));
        let is_genuine = text.trim_ascii().eq_ignore_ascii_case(genuine.as_bytes());
        prop_assert_eq!(sent.verdict == Verdict::Continue, is_genuine);
    }
}
