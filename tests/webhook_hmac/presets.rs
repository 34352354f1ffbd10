//! Deliveries of every provider that signs a time of day, signed now, because Envoy's clock is the real one: as each
//! describes it, and with nothing of the filter's own description of them.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;

use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use tests::{Request, Upstream, workspace};
use tokens::{Algorithm, Key, Signer, base64url};

use super::altered::{Altered, Part, Parts, signed};
use super::delivery::{base64, before, hex, hex_mac, mac, now};
use super::endpoints::{Endpoints, Refusals, refusals};
use super::{send, status};

/// What providers sign with here, as text, and as bytes for those that write them in base64.
const SECRET: &str = "5f1d7a84e2c94b0aa3d6508c1b7e92f4";
const KEY: &[u8] = b"thirty-two bytes for Standard Wh";

/// A delivery that is to be signed.
#[derive(Clone)]
struct Delivery {
    at: u64,
    id: String,
    body: Vec<u8>,
}

/// A provider: how it is configured, and how it signs.
struct Provider {
    /// The preset, or what vectors call the scheme.
    preset: &'static str,
    /// Fields of the endpoint beside `provider` or `scheme`.
    fields: fn() -> Value,
    /// The headers that a delivery has.
    sign: fn(&Delivery) -> Vec<(&'static str, String)>,
}

fn secret() -> Value {
    json!({"secrets": [{"inline": SECRET}]})
}

fn whsec() -> Value {
    json!({"secrets": [{"inline": format!("whsec_{}", base64(KEY))}]})
}

fn ed25519() -> Vec<u8> {
    from_base64url(&Key::ed25519().public()["x"])
}

fn from_base64url(text: &Value) -> Vec<u8> {
    let text = text.as_str().unwrap().replace('-', "+").replace('_', "/");
    let padding = "=".repeat((4 - text.len() % 4) % 4);
    super::delivery::from_base64(&format!("{text}{padding}"))
}

/// Returns the key on P-256 as providers show it: in DER (RFC 5480), which begins with the same bytes for all of them.
fn p256() -> String {
    let key = Key::p256();
    let prefix = [
        0x30, 0x59, 0x30, 0x13, 0x06, 0x07, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01, 0x06, 0x08, 0x2a, 0x86,
        0x48, 0xce, 0x3d, 0x03, 0x01, 0x07, 0x03, 0x42, 0x00, 0x04,
    ];
    let (x, y) = (from_base64url(&key.public()["x"]), from_base64url(&key.public()["y"]));
    base64(&[&prefix[..], &x, &y].concat())
}

/// Returns the two numbers of a signature in DER: without zeros in front, but with one before a high bit.
fn der(signature: &[u8]) -> Vec<u8> {
    let integer = |bytes: &[u8]| {
        let start = bytes.iter().position(|byte| *byte != 0).unwrap();
        let pad: &[u8] = if bytes[start] >= 0x80 { &[0] } else { &[] };
        let bytes = [pad, &bytes[start..]].concat();
        [&[2, u8::try_from(bytes.len()).unwrap()], bytes.as_slice()].concat()
    };
    let (r, s) = signature.split_at(32);
    let both = [integer(r), integer(s)].concat();
    [&[0x30, u8::try_from(both.len()).unwrap()], both.as_slice()].concat()
}

/// Signs in the manner of Stripe, with other words.
fn listed(delivery: &Delivery, at: u64, names: [&str; 2], separator: &str, joint: &str) -> String {
    let signature = hex_mac(SECRET.as_bytes(), &before(&format!("{at}{joint}"), &delivery.body));
    format!("{}={at}{separator}{}={signature}", names[0], names[1])
}

/// Signs as Standard Webhooks says, with headers of this prefix.
fn standard(delivery: &Delivery, prefix: &'static str) -> Vec<(&'static str, String)> {
    let text = before(&format!("{}.{}.", delivery.id, delivery.at), &delivery.body);
    let names = match prefix {
        "svix" => ["svix-id", "svix-timestamp", "svix-signature"],
        _ => ["webhook-id", "webhook-timestamp", "webhook-signature"],
    };
    let [id, timestamp, signature] = names;
    vec![
        (id, delivery.id.clone()),
        (timestamp, delivery.at.to_string()),
        (signature, format!("v1,{}", base64(&mac(KEY, &text)))),
    ]
}

fn ed25519_sign(text: &[u8]) -> Vec<u8> {
    Signer::new(Algorithm::EdDsa).sign(text)
}

fn discord(delivery: &Delivery) -> Vec<(&'static str, String)> {
    let signature = ed25519_sign(&before(&delivery.at.to_string(), &delivery.body));
    vec![("x-signature-ed25519", hex(&signature)), ("x-signature-timestamp", delivery.at.to_string())]
}

/// Returns year, month, day, hour, minute, second and the day of the week (0 is a Thursday).
fn date(at: u64) -> [u64; 7] {
    let (mut days, seconds) = (at / 86_400, at % 86_400);
    let weekday = days % 7;
    let is_leap =
        |year: u64| year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400));
    let mut year = 1970;
    while days >= 365 + u64::from(is_leap(year)) {
        days -= 365 + u64::from(is_leap(year));
        year += 1;
    }
    let lengths = [31, 28 + u64::from(is_leap(year)), 31, 30, 31, 30, 31, 31, 30, 31, 30, 31];
    let mut month = 0;
    while days >= lengths[month] {
        days -= lengths[month];
        month += 1;
    }
    [year, month as u64 + 1, days + 1, seconds / 3600, seconds / 60 % 60, seconds % 60, weekday]
}

fn rfc3339(at: u64) -> String {
    let [year, month, day, hour, minute, second, _] = date(at);
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}Z")
}

fn http_date(at: u64) -> String {
    let [year, month, day, hour, minute, second, weekday] = date(at);
    let weekday = &"ThuFriSatSunMonTueWed"[weekday as usize * 3..][..3];
    let month = &"JanFebMarAprMayJunJulAugSepOctNovDec"[month as usize * 3 - 3..][..3];
    format!("{weekday}, {day:02} {month} {year} {hour:02}:{minute:02}:{second:02} GMT")
}

/// Every preset with a timestamp, and every other scheme that vectors have with one.
const PROVIDERS: &[Provider] = &[
    Provider {
        preset: "stripe",
        fields: secret,
        sign: |d| vec![("stripe-signature", listed(d, d.at, ["t", "v1"], ",", "."))],
    },
    Provider {
        preset: "calendly",
        fields: secret,
        sign: |d| vec![("calendly-webhook-signature", listed(d, d.at, ["t", "v1"], ",", "."))],
    },
    Provider {
        preset: "tailscale",
        fields: secret,
        sign: |d| vec![("tailscale-webhook-signature", listed(d, d.at, ["t", "v1"], ",", "."))],
    },
    Provider {
        preset: "mux",
        fields: secret,
        sign: |d| vec![("mux-signature", listed(d, d.at, ["t", "v1"], ",", "."))],
    },
    Provider {
        preset: "workos",
        fields: secret,
        sign: |d| vec![("workos-signature", listed(d, d.at * 1000, ["t", "v1"], ", ", "."))],
    },
    Provider {
        preset: "paddle",
        // Its own five seconds are too few for a test on a busy machine.
        fields: || json!({"secrets": [{"inline": SECRET}], "tolerance": "5m"}),
        sign: |d| vec![("paddle-signature", listed(d, d.at, ["ts", "h1"], ";", ":"))],
    },
    Provider {
        preset: "slack",
        fields: secret,
        sign: |d| {
            let signature = hex_mac(SECRET.as_bytes(), &before(&format!("v0:{}:", d.at), &d.body));
            vec![
                ("x-slack-signature", format!("v0={signature}")),
                ("x-slack-request-timestamp", d.at.to_string()),
            ]
        },
    },
    Provider {
        preset: "zoom",
        fields: secret,
        sign: |d| {
            let signature = hex_mac(SECRET.as_bytes(), &before(&format!("v0:{}:", d.at), &d.body));
            vec![("x-zm-signature", format!("v0={signature}")), ("x-zm-request-timestamp", d.at.to_string())]
        },
    },
    Provider {
        preset: "linear",
        fields: || json!({"secrets": [{"inline": SECRET}], "tolerance": "5m", "status": 401}),
        sign: |d| vec![("linear-signature", hex_mac(SECRET.as_bytes(), &d.body))],
    },
    Provider { preset: "standard-webhooks", fields: whsec, sign: |d| standard(d, "webhook") },
    Provider { preset: "gitlab", fields: whsec, sign: |d| standard(d, "webhook") },
    Provider { preset: "svix", fields: whsec, sign: |d| standard(d, "svix") },
    Provider {
        preset: "standard-webhooks-v1a",
        fields: || json!({"public_keys": [format!("whpk_{}", base64(&ed25519()))]}),
        sign: |d| {
            let signature = ed25519_sign(&before(&format!("{}.{}.", d.id, d.at), &d.body));
            vec![
                ("webhook-id", d.id.clone()),
                ("webhook-timestamp", d.at.to_string()),
                // That of another kind stands beside it.
                ("webhook-signature", format!("v1,{} v1a,{}", base64(&[7; 32]), base64(&signature))),
            ]
        },
    },
    Provider { preset: "discord", fields: || json!({"public_keys": [hex(&ed25519())]}), sign: discord },
    Provider {
        preset: "discord-events",
        fields: || json!({"public_keys": [hex(&ed25519())]}),
        sign: discord,
    },
    Provider {
        preset: "sendgrid",
        fields: || json!({"public_keys": [p256()]}),
        sign: |d| {
            let signature = Signer::new(Algorithm::Es256).sign(&before(&d.at.to_string(), &d.body));
            vec![
                ("x-twilio-email-event-webhook-signature", base64(&der(&signature))),
                ("x-twilio-email-event-webhook-timestamp", d.at.to_string()),
            ]
        },
    },
    // What it signs is in the body already.
    Provider { preset: "mailgun", fields: secret, sign: |_| vec![] },
    Provider { preset: "scheme/mailgun_form", fields: secret, sign: |_| vec![] },
    Provider {
        preset: "hubspot",
        fields: || json!({"secrets": [{"inline": SECRET}], "url": "https://hooks.example.com"}),
        sign: |d| {
            let text = before("POSThttps://hooks.example.com/hook?a=1", &d.body);
            let text = [text, format!("{}000", d.at).into_bytes()].concat();
            vec![
                ("x-hubspot-signature-v3", base64(&mac(SECRET.as_bytes(), &text))),
                ("x-hubspot-request-timestamp", format!("{}000", d.at)),
            ]
        },
    },
    Provider {
        preset: "zendesk",
        fields: secret,
        sign: |d| {
            let text = before(&rfc3339(d.at), &d.body);
            vec![
                ("x-zendesk-webhook-signature", base64(&mac(SECRET.as_bytes(), &text))),
                ("x-zendesk-webhook-signature-timestamp", rfc3339(d.at)),
            ]
        },
    },
    Provider {
        preset: "twitch",
        fields: secret,
        sign: |d| {
            let text = before(&format!("{}{}", d.id, rfc3339(d.at)), &d.body);
            vec![
                ("twitch-eventsub-message-id", d.id.clone()),
                ("twitch-eventsub-message-timestamp", rfc3339(d.at)),
                ("twitch-eventsub-message-type", "notification".to_owned()),
                (
                    "twitch-eventsub-message-signature",
                    format!("sha256={}", hex_mac(SECRET.as_bytes(), &text)),
                ),
            ]
        },
    },
    Provider {
        preset: "klaviyo",
        fields: secret,
        sign: |d| {
            let text = [d.body.clone(), http_date(d.at).into_bytes()].concat();
            vec![
                ("klaviyo-signature", hex_mac(SECRET.as_bytes(), &text)),
                ("klaviyo-timestamp", http_date(d.at)),
            ]
        },
    },
    Provider {
        preset: "plaid",
        fields: || {
            let mut key = tokens::jwk(&Key::p256(), "plaid");
            key["alg"] = json!("ES256");
            json!({"key_set": {"keys": [key]}})
        },
        sign: |d| {
            let hash = hex(&Sha256::digest(&d.body));
            let payload = json!({"iat": d.at, "request_body_sha256": hash}).to_string();
            let token = Signer::new(Algorithm::Es256).key_id("plaid").token(&payload);
            assert_eq!(token.split('.').nth(1), Some(base64url(payload.as_bytes()).as_str()));
            vec![("plaid-verification", token)]
        },
    },
];

impl Provider {
    fn delivery(&self, at: u64, id: &str) -> Delivery {
        let token = format!("token-{id}");
        let signature = || hex_mac(SECRET.as_bytes(), format!("{at}{token}").as_bytes());
        let body = match self.preset {
            "linear" => json!({"id": id, "webhookTimestamp": at * 1000}),
            "mailgun" => {
                json!({"signature": {"timestamp": at.to_string(), "token": token, "signature": signature()}})
            }
            "scheme/mailgun_form" => {
                let form = format!("timestamp={at}&token={token}&signature={}&event=opened", signature());
                return Delivery { at, id: id.to_owned(), body: form.into_bytes() };
            }
            _ => json!({"id": id, "text": "Grüße", "list": [1, 2, 3]}),
        };
        Delivery { at, id: id.to_owned(), body: body.to_string().into_bytes() }
    }

    fn parts(&self, delivery: &Delivery) -> Parts {
        let scheme = scheme_of(self.preset);
        let mut endpoint = (self.fields)();
        match self.preset.starts_with("scheme/") {
            true => endpoint["scheme"] = scheme.clone(),
            false => endpoint["provider"] = json!(self.preset),
        }
        let kind = match self.preset {
            "scheme/mailgun_form" => "application/x-www-form-urlencoded",
            _ => "application/json",
        };
        let headers = [("content-type", kind.to_owned())].into_iter().chain((self.sign)(delivery));
        Parts {
            endpoint,
            scheme,
            method: "POST".to_owned(),
            path: "/hook?a=1".to_owned(),
            authority: "localhost".to_owned(),
            headers: headers.map(|(name, value)| (name.to_owned(), value)).collect(),
            body: delivery.body.clone(),
        }
    }
}

/// Returns the schemes with a timestamp, those of presets and those of vectors, each by its name.
fn timed() -> BTreeMap<String, Value> {
    let read = |file: &str| -> Value {
        let text = fs::read(workspace().join("filters/webhook-hmac").join(file)).unwrap();
        serde_json::from_slice(&text).unwrap()
    };
    let presets = read("presets.json");
    let presets = presets.as_object().unwrap().iter();
    let mut all: BTreeMap<_, _> =
        presets.map(|(name, preset)| (name.clone(), preset["scheme"].clone())).collect();
    for file in ["vectors/published.json", "vectors/constructed.json"] {
        let vectors = read(file)["vectors"].as_array().unwrap().clone();
        let own = vectors.into_iter().filter(|vector| vector["scheme"].is_object());
        all.extend(own.map(|vector| (vector["name"].as_str().unwrap().to_owned(), vector["scheme"].clone())));
    }
    all.retain(|_, scheme| signed(scheme).contains(&Part::Timestamp));
    all
}

fn scheme_of(name: &str) -> Value {
    timed().remove(name).unwrap_or_else(|| panic!("{name} is no scheme with a timestamp"))
}

/// Endpoints for all of them, and for those of which something is altered there.
fn endpoints() -> Endpoints {
    let mut endpoints = Endpoints::default();
    for provider in PROVIDERS {
        let parts = provider.parts(&provider.delivery(now(), "evt"));
        endpoints.add(&parts, &parts.altered());
    }
    endpoints
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_provider_that_signs_the_time_is_known_by_what_it_signs_now() {
    let timed = timed();
    let here: BTreeSet<_> = PROVIDERS.iter().map(|provider| provider.preset).collect();
    assert_eq!(here, timed.keys().map(String::as_str).collect::<BTreeSet<_>>());

    let upstream = Upstream::start().await;
    let endpoints = endpoints();
    let envoy = endpoints.envoy(&upstream, "http").await;
    let mut altered: BTreeMap<String, BTreeSet<Part>> = BTreeMap::new();
    let mut wanted = Refusals::new();
    for provider in PROVIDERS {
        let preset = provider.preset;
        for http in [1, 2] {
            let before = upstream.count();
            let genuine = provider.delivery(now(), &format!("evt-{http}"));
            let parts = provider.parts(&genuine);
            let number = endpoints.number(&parts);
            for (reason, at) in [("late", now() - 86_400), ("early", now() + 86_400)] {
                let request = endpoints.request(&provider.parts(&provider.delivery(at, "evt-other")));
                let answer = send(&envoy, http, &request).await;
                assert_eq!(answer.status, 401, "{preset} over HTTP/{http}, {reason}: {answer:?}");
                *wanted.entry((number, reason.to_owned())).or_default() += 1;
            }
            for Altered { part, parts, reason } in parts.altered() {
                let answer = send(&envoy, http, &endpoints.request(&parts)).await;
                assert_eq!(answer.status, 401, "{preset} over HTTP/{http}, {part:?}: {parts:?}\n{answer:?}");
                *wanted.entry((endpoints.number(&parts), reason.to_owned())).or_default() += 1;
                altered.entry(preset.to_owned()).or_default().insert(part);
            }
            assert_eq!(upstream.count(), before, "{preset} over HTTP/{http}");

            let request = endpoints.request(&parts);
            assert_eq!(status(&envoy, http, &request).await, 200, "{preset} over HTTP/{http}");
            let seen = upstream.seen().pop().unwrap();
            let name = format!("v{number}");
            assert_eq!((seen.header("x-webhook-endpoint"), &seen.body), (Some(name.as_str()), &genuine.body));
            assert_eq!(upstream.count(), before + 1);

            // Once more, it is known: by its id, or by what is signed.
            let again = send(&envoy, http, &request).await;
            assert!([200, 409].contains(&again.status), "{preset} over HTTP/{http}: {again:?}");
            assert_eq!(upstream.count(), before + 1, "{preset} over HTTP/{http}: a delivery came again");
            if again.status == 409 {
                *wanted.entry((number, "replayed".to_owned())).or_default() += 1;
            }

            let unsigned = Request::post("/hook?a=1", &genuine.body[..genuine.body.len() - 1]);
            let unsigned = unsigned.header("x-vector", number.to_string());
            assert_eq!(status(&envoy, http, &unsigned).await, 401, "{preset} over HTTP/{http}");
            assert_eq!(upstream.count(), before + 1);
            let reason = if preset == "mailgun" { "body" } else { "missing" };
            *wanted.entry((number, reason.to_owned())).or_default() += 1;
        }
    }
    // None was refused for its time of which another thing was altered, and none for another thing if it was the time.
    assert_eq!(refusals(&envoy).await, wanted, "some were refused for another reason");
    // Of every scheme, all that it signs was altered.
    let signed: BTreeMap<_, _> = timed.into_iter().map(|(name, scheme)| (name, signed(&scheme))).collect();
    assert_eq!(altered, signed);
    envoy.assert_no_trap().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_providers_ask_first_is_answered_if_it_is_signed_now_and_an_upstream_sees_nothing_of_it() {
    let upstream = Upstream::start().await;
    let endpoints = endpoints();
    let envoy = endpoints.envoy(&upstream, "http").await;
    let encrypted = hex_mac(SECRET.as_bytes(), b"qgg8vlvZRS6UYooatFL8Aw");
    let cases = [
        ("slack", json!({"type": "url_verification", "challenge": "3eZbrw1a"}), 200, "3eZbrw1a".to_owned()),
        (
            "zoom",
            json!({"event": "endpoint.url_validation", "payload": {"plainToken": "qgg8vlvZRS6UYooatFL8Aw"}}),
            200,
            format!(r#"{{"plainToken":"qgg8vlvZRS6UYooatFL8Aw","encryptedToken":"{encrypted}"}}"#),
        ),
        ("discord", json!({"type": 1, "id": "1"}), 200, r#"{"type":1}"#.to_owned()),
        ("discord-events", json!({"type": 0, "id": "1"}), 204, String::new()),
        (
            "twitch",
            json!({"challenge": "pogchamp-kappa-360noscope-vohiyo"}),
            200,
            "pogchamp-kappa-360noscope-vohiyo".to_owned(),
        ),
    ];
    for (preset, body, status, text) in cases {
        let provider = PROVIDERS.iter().find(|provider| provider.preset == preset).unwrap();
        let body = body.to_string().into_bytes();
        // In place of the one that says it is an event.
        let asked = |delivery: &Delivery| {
            let mut parts = provider.parts(delivery);
            for (name, value) in &mut parts.headers {
                if name == "twitch-eventsub-message-type" {
                    *value = "webhook_callback_verification".to_owned();
                }
            }
            parts
        };
        for http in [1, 2] {
            let question = Delivery { at: now(), id: format!("ask-{http}"), body: body.clone() };
            let late = asked(&Delivery { at: now() - 86_400, ..question.clone() });
            let question = asked(&question);
            let altered = question.altered().into_iter().map(|altered| altered.parts);
            for parts in altered.chain([late]) {
                let answer = send(&envoy, http, &endpoints.request(&parts)).await;
                assert_eq!(answer.status, 401, "{preset} over HTTP/{http}: {parts:?}\n{answer:?}");
            }
            // Whoever asks twice is answered twice.
            for _ in 0..2 {
                let answer = send(&envoy, http, &endpoints.request(&question)).await;
                assert_eq!(
                    (answer.status, answer.text()),
                    (status, text.clone()),
                    "{preset} over HTTP/{http}"
                );
            }
        }
    }
    assert_eq!(upstream.count(), 0);
    envoy.assert_no_trap().await;
}
