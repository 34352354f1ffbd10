//! Bytes that nobody should send, in every place, by the thousand: no trap, and only good tokens pass.

use std::collections::BTreeSet;

use serde_json::json;
use tests::{Http1, Http2, Jwks, Request, Upstream, load};
use tokens::{Algorithm, Key, Signer, base64url, demo, mint};

use super::{demo_keys, payload, set, settings, shipped, status, token, with_token};

/// The issuer whose tokens are signed with a secret, which is quick.
const SECRETS: &str = "https://hs.example.com";

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

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn hostile_bytes_in_every_place_leave_no_trap() {
    let (upstream, jwks) = (Upstream::start().await, demo_keys().await);
    let envoy = shipped(&upstream, &jwks)
        .edit(|tree| {
            let odd = json!({
                "name": "odd",
                "match": {
                    "headers": [{"name": "x-tier", "exact": "gold"}],
                    "query": [{"name": "tier", "present": true}],
                },
                "require": {"scope": "gold"},
                "optional": true,
            });
            let open = json!({
                "name": "open",
                "match": {"path": {"prefix": "/open"}},
                "require": "token",
                "optional": true,
            });
            let more = json!({
                "tokens": [{"authorization": "Bearer"}, {"header": "x-jwt"}, {"cookie": "sid"}, {"query": "q"}],
                "strip_token": true,
                "payload_header": "x-payload",
                "allow_cors_preflight": true,
            });
            set(settings(tree), more);
            let rules = settings(tree)["rules"].as_array_mut().unwrap();
            rules.insert(0, odd);
            rules.insert(1, open);
        })
        .start()
        .await;
    let names = [
        "authorization",
        "x-jwt",
        "cookie",
        "x-tier",
        "x-user",
        "x-payload",
        "origin",
        "content-type",
        "accept",
        "user-agent",
        "x-forwarded-for",
        "host",
    ];
    let mut statuses = BTreeSet::new();
    let two = Http2::connect(envoy.port()).await;
    for byte in 0x80..=0xff_u8 {
        for name in names {
            let start: &[u8] = match name {
                "authorization" => b"Bearer ",
                "cookie" => b"sid=",
                _ => b"",
            };
            let value = [start, &[byte, b'.', byte, b'.', b'a', byte]].concat();
            for path in ["/api?tier=1", "/open"] {
                let request = Request::get(path).header(name, &value);
                statuses.insert(request.send(envoy.port()).await.status);
                if name != "host" {
                    statuses.insert(two.send(&request).await.status);
                }
            }
        }
        let mut raw = b"GET /open?q=".to_vec();
        raw.extend([byte, b'%', byte, b'&', byte, b'=']);
        raw.extend(b" HTTP/1.1\r\nhost: a\r\n\r\n");
        let mut connection = Http1::connect(envoy.port()).await;
        connection.send(&raw).await;
        statuses.extend(connection.try_read_response().await.map(|answer| answer.status));
        let escaped = Request::get(&format!("/open?q=%{byte:02X}.%{byte:02x}.a&%{byte:02X}"));
        statuses.insert(two.send(&escaped).await.status);
    }
    assert!(statuses.is_subset(&BTreeSet::from([200, 400, 401, 403, 404])), "{statuses:?}");
    assert_eq!(status(&envoy, "/api", &token()).await, 200);
    envoy.assert_no_trap().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn authorizations_of_all_lengths_around_the_limits_leave_no_trap() {
    let (upstream, jwks) = (Upstream::start().await, demo_keys().await);
    let envoy = shipped(&upstream, &jwks).start().await;
    // The longest token that is looked at has 8 KiB; Envoy takes no more than 60 KiB of headers.
    let lengths: Vec<usize> =
        (0..200).chain(8_180..8_205).chain([16_384, 32_768, 61_000, 61_440, 70_000]).collect();
    let requests: Vec<_> = lengths
        .iter()
        .flat_map(|length| {
            let text = "a".repeat(*length);
            [
                text.clone(),
                format!("Bearer {text}"),
                format!("bearer{}", " ".repeat(*length)),
                format!("Bearer {}", ".".repeat(*length)),
            ]
        })
        .map(|value| Request::get("/api").header("authorization", value).wire())
        .collect();
    let count = requests.len();
    let answers = load(envoy.port(), 1, count, move |_, n| requests[n].clone()).await;
    let statuses: BTreeSet<_> = answers.keys().copied().collect();
    assert_eq!(statuses, BTreeSet::from([400, 401, 431]), "{answers:?}");

    // A good token of the longest kind, and one byte more.
    let signer = demo::signer();
    let padded = |pad: usize| signer.token(&payload(json!({"pad": "p".repeat(pad)})));
    let mut pad = 5_000;
    while padded(pad).len() < 8 << 10 {
        pad += 1;
    }
    let (longest, longer) = if padded(pad).len() == 8 << 10 { (pad, pad + 1) } else { (pad - 1, pad) };
    assert_eq!(status(&envoy, "/api", &padded(longest)).await, 200);
    assert_eq!(status(&envoy, "/api", &padded(longer)).await, 400);
    assert_eq!(upstream.count(), 1);
    envoy.assert_no_trap().await;
}

/// Returns a token with something wrong in its text.
fn odd_text(good: &str, draws: &mut Draws) -> Vec<u8> {
    let mut token = good.as_bytes().to_vec();
    let place = draws.below(token.len());
    let visible = u8::try_from(0x21 + draws.below(0x5e)).unwrap();
    match draws.below(8) {
        0 => token[place] = visible,
        1 => token[place] = u8::try_from(0x80 + draws.below(0x80)).unwrap(),
        2 => token.truncate(place),
        3 => token.insert(place, b'.'),
        4 => drop(token.remove(place)),
        5 => token.insert(place, visible),
        6 => drop(token.splice(..place, [])),
        _ => {
            let other = draws.below(token.len());
            token.swap(place, other);
        }
    }
    token
}

/// Returns something in the form of a token, with odd JSON or none in its parts.
fn odd_json(signer: &Signer, draws: &mut Draws) -> String {
    let deep = format!("{}{}", "[".repeat(500), "]".repeat(500));
    let long = format!("\"{}\"", "x".repeat(2_000));
    let values = [
        "null",
        "true",
        "-1",
        "0",
        "1e400",
        "1e-400",
        "-0",
        "1E5",
        "9999999999999999999999",
        "0.1",
        "\"\"",
        "\"a\"",
        "\"\\u0000\"",
        "\"\\ud800\"",
        "\"\\ud83d\\ude00\"",
        "\"\u{ff}\"",
        "\"\\n\\r\"",
        "[]",
        "{}",
        "[[[]]]",
        "{\"a\": {}}",
        "\"a\\\"b\"",
        "[\"a,b\", 1]",
        "01",
        "+1",
        "NaN",
        "{\"a\":1,\"a\":2}",
        "\"api\"",
        "[\"api\"]",
        &deep,
        &long,
    ];
    let claims = ["iss", "aud", "sub", "exp", "nbf", "iat", "jti", "scope", "scp", "realm_access", "foo", ""];
    let headers = ["alg", "kid", "typ", "cty", "crit", "b64", "jwk", "jku", "x5c", "x5u", "enc", "zip"];
    let member = |text: &str, name: &str, value: &str| {
        format!("{},\"{name}\":{value}}}", text.strip_suffix('}').unwrap())
    };
    let (mut header, mut payload) = (signer.header(), payload(json!({"iss": SECRETS})));
    match draws.below(4) {
        0 => header = member(&header, draws.pick(&headers), draws.pick(&values)),
        1 => payload = member(&payload, draws.pick(&claims), draws.pick(&values)),
        2 => {
            // In place of the claim's own value.
            let name = draws.pick(&claims);
            let mut tree: serde_json::Value = serde_json::from_str(&payload).unwrap();
            tree.as_object_mut().unwrap().remove(name);
            payload = member(&tree.to_string(), name, draws.pick(&values));
        }
        _ => match draws.below(3) {
            0 => header = draws.pick(&values).to_owned(),
            1 => payload = draws.pick(&values).to_owned(),
            _ => {
                let bytes: Vec<u8> = (0..draws.below(60)).map(|_| draws.next().to_le_bytes()[0]).collect();
                return format!("{}.{}.{}", base64url(&bytes), base64url(&bytes), base64url(&bytes));
            }
        },
    }
    mint(signer, &header, &payload)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn thousands_of_odd_tokens_leave_no_trap_and_a_good_one_still_passes() {
    let (upstream, jwks) = (Upstream::start().await, Jwks::start(&demo::key_set()).await);
    let signer = Signer::new(Algorithm::Hs256).key_id("h");
    let envoy = shipped(&upstream, &jwks)
        .edit(|tree| {
            let secret = json!({"inline": Key::secret().public()["k"], "encoding": "base64url"});
            let mut hs = settings(tree)["providers"][0].clone();
            let different = json!({
                "name": "hs",
                "issuer": SECRETS,
                "algorithms": ["HS256"],
                "keys": {"secrets": [{"id": "h", "secret": secret}]},
            });
            set(&mut hs, different);
            settings(tree)["providers"].as_array_mut().unwrap().push(hs);
            let output = |claim| json!({"claim": claim, "header": format!("x-claim-{claim}")});
            let claims = ["sub", "iss", "aud", "exp", "nbf", "jti", "scope", "foo"];
            let more = json!({
                "claims_to_headers": claims.map(output),
                "publish": ["sub", "aud", "foo"],
                "payload_header": "x-payload",
            });
            set(settings(tree), more);
        })
        .start()
        .await;
    let mut draws = Draws(0x5EED);
    let ours = signer.token(&payload(json!({"iss": SECRETS})));
    let good = token();
    let goods = [good.as_str(), ours.as_str()];
    let mut texts = Vec::new();
    while texts.len() < 3_000 {
        let good = draws.pick(&goods);
        let odd = odd_text(good, &mut draws);
        if odd != good.as_bytes() {
            let value = [b"Bearer ", odd.as_slice()].concat();
            texts.push(Request::get("/").header("authorization", value).wire());
        }
    }
    let answers = load(envoy.port(), 4, 750, move |connection, n| texts[connection * 750 + n].clone()).await;
    // What has a space or a comma in it can be several tokens; the rest is none.
    assert!(answers.keys().all(|status| [400, 401].contains(status)), "{answers:?}");
    assert_eq!(upstream.count(), 0);

    let signed: Vec<_> = (0..2_000)
        .map(|_| odd_json(&signer, &mut draws))
        .map(|token| with_token("/", &token).wire())
        .collect();
    let answers = load(envoy.port(), 4, 500, move |connection, n| signed[connection * 500 + n].clone()).await;
    // Some are odd in what nobody asks for.
    assert_eq!(answers.keys().copied().collect::<Vec<_>>(), [200, 401], "{answers:?}");
    assert_eq!(upstream.count(), answers[&200]);
    for seen in upstream.seen() {
        assert_eq!(seen.values("x-claim-iss"), [SECRETS.as_bytes()], "{seen:?}");
        assert_eq!(seen.header("x-claim-aud"), Some("api"), "{seen:?}");
    }
    for good in [good, ours] {
        assert_eq!(status(&envoy, "/", &good).await, 200);
    }
    assert!(jwks.fetches() <= 2, "the first, and one for the garbled name of a key");
    envoy.assert_no_trap().await;
}
