//! Bytes that nobody should send, in every place, by the thousand: no trap, and only genuine deliveries pass.

use std::collections::BTreeSet;

use serde_json::{Value, json};
use tests::{Envoy, Http1, Http2, Request, Upstream, load};

use super::delivery::{billing, github, github_head, hex_mac, now, slack, stripe};
use super::{
    BILLING_SECRET, GITHUB_SECRET, SLACK_SECRET, STRIPE_SECRET, refused, send, set, settings, shipped, status,
};

/// Draws that are the same in every run (xorshift64).
struct Draws(u64);

impl Draws {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    fn below(&mut self, bound: usize) -> usize {
        usize::try_from(self.next() % bound as u64).unwrap()
    }

    fn pick<T: Copy>(&mut self, all: &[T]) -> T {
        all[self.below(all.len())]
    }
}

/// A secret of endpoints whose deliveries nobody makes here.
const SECRET: &str = "b64ac1f0d2e9487a9c3e5566778899aa";

/// The shipped file with endpoints that look into every part of a request.
fn curious(upstream: &Upstream) -> Envoy {
    let at = |provider: &str| {
        json!({
            "name": provider,
            "match": {"path": {"exact": format!("/webhooks/{provider}")}},
            "provider": provider,
            "secrets": [{"inline": SECRET}],
        })
    };
    let more = |provider: &str, fields: Value| {
        let mut endpoint = at(provider);
        set(&mut endpoint, fields);
        endpoint
    };
    let public = |provider: &str, key: &str| {
        let mut endpoint = more(provider, json!({"public_keys": [key]}));
        endpoint.as_object_mut().unwrap().remove("secrets");
        endpoint
    };
    let odd = json!({
        "name": "odd",
        "match": {
            "path": {"exact": "/webhooks/odd"},
            "headers": [{"name": "x-tier", "not": true, "exact": "gold"}],
            "query": [{"name": "q", "present": true}],
        },
        "methods": ["POST", "GET", "PUT"],
        "scheme": {
            "algorithm": "hmac-sha256",
            "signature": {"header": ["x-sig", "x-sig-2"], "separator": ",", "field": "v1", "prefix": "a", "repeated": true},
            "timestamp": {"query": "t", "format": "http-date"},
            "id": {"form": "id"},
            "content": ["{method}{url_decoded}{host}{path}{query}{header:x-odd}{query:q}{form:a}{form_params}{id}", "{json:a.0.b}{timestamp}"],
            "any_port": true,
            "body_hash": {"query": "h", "encoding": "base64url"},
        },
        "secrets": [{"inline": SECRET}],
        "replay": {"id": {"json": "id"}},
        "remove_signature": true,
    });
    shipped(upstream).edit(|tree| {
        let endpoints = settings(tree)["endpoints"].as_array_mut().unwrap();
        endpoints.extend([
            odd,
            more("twilio", json!({"url": "https://hooks.example.com"})),
            at("linear"),
            at("mailgun"),
            at("hubspot"),
            more("adyen", json!({"secrets": [{"inline": "44782def547aaa06c910c43932b1eb0c71fc68d9d0c057550c48ec2acf6ba056"}]})),
            more("braintree", json!({"key_id": "integration_key"})),
            at("asana"),
            at("dropbox"),
            at("figma"),
            at("cloudevents"),
            at("event-grid"),
            at("zendesk"),
            at("twitch"),
            at("docusign"),
            more("meta", json!({"handshake_token": {"inline": SECRET}})),
            public("discord", "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a"),
        ]);
    })
}

const PATHS: [&str; 21] = [
    "stripe",
    "github",
    "slack",
    "billing",
    "odd",
    "twilio",
    "linear",
    "mailgun",
    "hubspot",
    "adyen",
    "braintree",
    "asana",
    "dropbox",
    "figma",
    "cloudevents",
    "event-grid",
    "zendesk",
    "twitch",
    "docusign",
    "meta",
    "discord",
];

const NAMES: [&str; 40] = [
    "stripe-signature",
    "x-hub-signature-256",
    "x-slack-signature",
    "x-slack-request-timestamp",
    "x-billing-signature",
    "x-billing-timestamp",
    "x-billing-id",
    "x-sig",
    "x-sig-2",
    "x-odd",
    "x-tier",
    "x-twilio-signature",
    "linear-signature",
    "x-hubspot-signature-v3",
    "x-hubspot-request-timestamp",
    "x-hook-signature",
    "x-hook-secret",
    "x-dropbox-signature",
    "webhook-request-origin",
    "aeg-event-type",
    "x-zendesk-webhook-signature",
    "x-zendesk-webhook-signature-timestamp",
    "twitch-eventsub-message-signature",
    "twitch-eventsub-message-timestamp",
    "twitch-eventsub-message-id",
    "twitch-eventsub-message-type",
    "x-docusign-signature-1",
    "x-signature-ed25519",
    "x-signature-timestamp",
    "webhook-id",
    "webhook-timestamp",
    "webhook-signature",
    "x-webhook-endpoint",
    "x-webhook-id",
    "content-type",
    "content-encoding",
    "accept",
    "user-agent",
    "x-forwarded-for",
    "host",
];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn hostile_bytes_in_every_header_and_in_the_body_leave_no_trap() {
    let upstream = Upstream::start().await;
    let envoy = curious(&upstream).start().await;
    let two = Http2::connect(envoy.port()).await;
    let mut statuses = BTreeSet::new();
    let mut requests = Vec::new();
    for byte in 0x80..=0xff_u8 {
        for (index, name) in NAMES.into_iter().enumerate() {
            let value = [b"t=1,v1=", &[byte, b'a', byte, b'=', byte][..]].concat();
            let path = PATHS[(index + usize::from(byte)) % PATHS.len()];
            let body =
                [b"{\"a\": \"".as_slice(), &[byte; 3], b"\", \"type\": 1}&a=", &[byte, b'%', byte], b"&="]
                    .concat();
            let request = Request::post(&format!("/webhooks/{path}?q=1&t=%{byte:02X}&h=%{byte:02x}"), &body);
            let request = request.header(name, &value);
            if name != "host" {
                statuses.insert(two.send(&request).await.status);
            }
            requests.push(request.wire());
        }
    }
    let count = requests.len();
    let answers = load(envoy.port(), 1, count, move |_, number| requests[number].clone()).await;
    statuses.extend(answers.keys());
    // The second of two with a signature of zeros for everyone: in every header at once.
    for path in PATHS {
        for method in ["POST", "GET", "PUT", "OPTIONS"] {
            let mut request =
                Request::new(method, &format!("/webhooks/{path}?q=1&challenge=%ff&bt_challenge=%00"));
            for name in NAMES.iter().filter(|name| !["host", "content-type"].contains(name)) {
                request = request.header(name, [0xff, 0xfe]).header(name, "t=1,v1=00,v1=00");
            }
            for http in [1, 2] {
                statuses.insert(send(&envoy, http, &request).await.status);
                statuses
                    .insert(send(&envoy, http, &request.clone().chunks([[0xff; 10], [0; 10]])).await.status);
            }
        }
    }
    assert!(statuses.is_subset(&BTreeSet::from([400, 401, 403, 404, 405, 415])), "{statuses:?}");
    assert_eq!(upstream.count(), 0);
    for request in [
        github(GITHUB_SECRET, "after"),
        stripe(STRIPE_SECRET, now(), "{}"),
        billing(BILLING_SECRET, now(), "after", "a"),
    ] {
        assert_eq!(status(&envoy, 2, &request).await, 200);
    }
    envoy.assert_no_trap().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn any_bytes_pass_that_are_signed() {
    let upstream = Upstream::start().await;
    let envoy = shipped(&upstream).start().await;
    let two = Http2::connect(envoy.port()).await;
    for byte in 0..=0xff_u8 {
        let body = [&[byte; 9][..], b"\r\n", &[byte]].concat();
        let request = github_head(GITHUB_SECRET, &body).chunks([&body[..4], &body[4..]]);
        let request = request.header("x-odd", [byte.max(0x80)]);
        assert_eq!(two.send(&request).await.status, 200, "{byte:#x}");
        assert!(upstream.seen()[usize::from(byte)].body == body, "{byte:#x}");
    }
    // An id that can't stand in a header is told to nobody, and its delivery is genuine all the same.
    for id in [&b"\xff\xfe"[..], b"a b", &[b'x'; 300], b"a,b"] {
        let at = now();
        let signature = hex_mac(BILLING_SECRET.as_bytes(), &[id, format!(".{at}.a").as_bytes()].concat());
        let request = Request::post("/webhooks/billing", "a")
            .header("x-billing-id", id)
            .header("x-billing-timestamp", at.to_string())
            .header("x-billing-signature", format!("sha256={signature}"));
        assert_eq!(two.send(&request).await.status, 200, "{}", id.escape_ascii());
        let told = if id == b"a,b" { vec![id] } else { vec![] };
        assert_eq!(upstream.seen().pop().unwrap().values("x-webhook-id"), told);
    }
    envoy.assert_no_trap().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_may_be_there_once_is_refused_twice() {
    let upstream = Upstream::start().await;
    let envoy = shipped(&upstream).start().await;
    let at = now().to_string();
    let github_signature = format!("sha256={}", hex_mac(GITHUB_SECRET.as_bytes(), b"{}"));
    let genuine = |request: Request, more: &[(&str, &str)]| {
        more.iter().fold(request, |request, (name, value)| request.header(name, value))
    };
    for http in [1, 2] {
        let forged = [
            // The same once more, another one behind it, and another one before it.
            github(GITHUB_SECRET, "{}").header("x-hub-signature-256", &github_signature),
            github(GITHUB_SECRET, "{}").header("X-Hub-Signature-256", "sha256=00"),
            Request::post("/webhooks/github", "{}")
                .header("x-hub-signature-256", "sha256=00")
                .header("x-hub-signature-256", &github_signature),
            stripe(STRIPE_SECRET, now(), "{}").header("stripe-signature", format!("t={at},v1=00")),
            genuine(slack(SLACK_SECRET, now(), "{}"), &[("x-slack-request-timestamp", &at)]),
            genuine(billing(BILLING_SECRET, now(), "a", "{}"), &[("x-billing-id", "a")]),
            genuine(billing(BILLING_SECRET, now(), "a", "{}"), &[("x-billing-timestamp", &at)]),
            // In one header, as a proxy would join them.
            Request::post("/webhooks/github", "{}")
                .header("x-hub-signature-256", format!("{github_signature},{github_signature}")),
            Request::post("/webhooks/stripe", "{}").header("stripe-signature", {
                let signature = hex_mac(STRIPE_SECRET.as_bytes(), format!("{at}.{{}}").as_bytes());
                format!("t={at},t={at},v1={signature}")
            }),
        ];
        for (index, request) in forged.iter().enumerate() {
            assert_eq!(status(&envoy, http, request).await, 401, "{index} over HTTP/{http}");
        }
        assert_eq!(upstream.count(), usize::from(http - 1));
        // Signatures of several keys stand in one header, one of which is enough.
        let signature = hex_mac(STRIPE_SECRET.as_bytes(), format!("{at}.{{\"id\": {http}}}").as_bytes());
        let rotated = Request::post("/webhooks/stripe", format!("{{\"id\": {http}}}"))
            .header("stripe-signature", format!("t={at},v1={},v1={signature},v0=x", "0".repeat(64)));
        assert_eq!(status(&envoy, http, &rotated).await, 200);
    }
    assert_eq!(refused(&envoy, "duplicate").await, 2 * 8);
    envoy.assert_no_trap().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_path_that_can_be_read_in_two_ways_is_no_way_around() {
    let upstream = Upstream::start().await;
    let envoy = shipped(&upstream).start().await;
    for http in [1, 2] {
        for path in [
            "/webhooks/github",
            "//webhooks/github",
            "/webhooks//github",
            "/x/../webhooks/github",
            "/./webhooks/./github",
            "/%77ebhooks/github",
            "/webhooks/github;a=b",
            "/WEBHOOKS/github",
            "/webhooks/GitHub",
            "/webhooks%2fgithub",
            "/webhooks%5cgithub",
            "/webhooks\\github",
            "/webhooks/x/..;/github",
            "/webhooks/%2e%2e/webhooks/github",
            "/webhooks/github?x=/../../a",
            "/webhooks/github%00",
            "/webhooks/github/",
            "/webhooks/github.",
        ] {
            let request = Request::post(path, "forged").header("x-hub-signature-256", "sha256=00");
            let status = if http == 1 {
                let mut connection = Http1::connect(envoy.port()).await;
                connection.send(&request.wire()).await;
                connection.try_read_response().await.map_or(400, |answer| answer.status)
            } else if path.contains('\\') {
                400
            } else {
                Http2::connect(envoy.port())
                    .await
                    .try_send(&request)
                    .await
                    .map_or(400, |answer| answer.status)
            };
            assert!([307, 400, 401, 404].contains(&status), "{path} over HTTP/{http}: {status}");
        }
    }
    assert_eq!(upstream.count(), 0);
    envoy.assert_no_trap().await;
}

/// Returns a genuine delivery with something wrong in it.
fn odd(draws: &mut Draws, number: usize) -> Vec<u8> {
    let body = format!("{{\"id\": \"odd-{number}\"}}");
    let genuine = match draws.below(4) {
        0 => github(GITHUB_SECRET, &body),
        1 => stripe(STRIPE_SECRET, now(), &body),
        2 => slack(SLACK_SECRET, now(), &body),
        _ => billing(BILLING_SECRET, now(), &format!("odd-{number}"), &body),
    };
    let mut wire = genuine.wire();
    // Somewhere behind the name of the signature's header.
    let start = wire.windows(9).rposition(|bytes| bytes == b"signature").unwrap();
    let end = wire.windows(14).position(|bytes| bytes == b"content-length").unwrap() - 2;
    let place = start + draws.below(end - start);
    let visible = u8::try_from(0x21 + draws.below(0x5e)).unwrap();
    match draws.below(7) {
        0 => wire[place] ^= 1,
        1 => wire[place] = u8::try_from(0x80 + draws.below(0x80)).unwrap(),
        2 => wire[place] = draws.pick(b",;=. :+-_/"),
        3 => wire.insert(place, visible),
        4 => drop(wire.remove(place)),
        5 => drop(wire.splice(place..end, [])),
        _ => {
            let last = wire.len() - 1 - draws.below(10);
            wire[last] ^= u8::try_from(1 << draws.below(7)).unwrap();
        }
    }
    wire
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn thousands_of_odd_deliveries_leave_no_trap_and_a_genuine_one_still_passes() {
    let upstream = Upstream::start().await;
    let envoy = shipped(&upstream).concurrency(2).start().await;
    let mut draws = Draws(0x5EED);
    let all: Vec<_> = (0..4_000).map(|number| odd(&mut draws, number)).collect();
    let answers =
        load(envoy.port(), 4, 1_000, move |connection, n| all[connection * 1_000 + n].clone()).await;
    // The case of a digit of hex doesn't count, nor does what stands behind a second separator.
    assert!(answers.keys().all(|status| [0, 200, 400, 401].contains(status)), "{answers:?}");
    assert!(answers[&401] > 3_500, "{answers:?}");
    for seen in upstream.seen() {
        // Whatever passes was signed: it has the body that the test made, to the byte.
        let body: Value = serde_json::from_slice(&seen.body).unwrap();
        assert!(body["id"].as_str().unwrap().starts_with("odd-"), "{seen:?}");
    }
    assert_eq!(status(&envoy, 2, &github(GITHUB_SECRET, "after")).await, 200);
    envoy.assert_no_trap().await;
}
