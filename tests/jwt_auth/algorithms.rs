//! Every algorithm, verified by the proxy where it can, and by the module.

use std::sync::OnceLock;

use serde_json::{Value, json};
use tests::{Http1, Http2, Jwks, Upstream};
use tokens::forge::{self, Part};
use tokens::{Algorithm, Key, Signer, jwk, jwks};

use super::{payload, set, settings, shipped, with_token};

/// A token that passes, and others of which every one has another bit.
struct Case {
    name: String,
    good: String,
    bad: Vec<String>,
}

/// Returns the cases of both keys of every algorithm: made once, because signing with RSA takes a while.
fn cases() -> &'static [Case] {
    static CASES: OnceLock<Vec<Case>> = OnceLock::new();
    CASES.get_or_init(|| {
        Algorithm::ALL.into_iter().flat_map(|algorithm| [0, 1].map(|n| case(algorithm, n))).collect()
    })
}

fn case(algorithm: Algorithm, number: usize) -> Case {
    let key = [Key::of, Key::next_of][number](algorithm);
    let signer = Signer::with(key, algorithm).key_id(&key_id(algorithm, number));
    let good = signer.token(&payload(json!({"iss": issuer(algorithm), "sub": algorithm.name()})));
    let flip = |part| {
        let bits = forge::bytes(&good, part).len() * 8;
        [0, bits / 2, bits - 1].map(|bit| forge::flip(&good, part, bit))
    };
    let bad = [Part::Signature, Part::Payload, Part::Header].into_iter().flat_map(flip).collect();
    Case { name: format!("{} {number}", algorithm.name()), good, bad }
}

fn issuer(algorithm: Algorithm) -> String {
    format!("https://{}.example.com", algorithm.name().to_lowercase())
}

/// Names a key: algorithms that share keys share names as well.
fn key_id(algorithm: Algorithm, number: usize) -> String {
    let kind = match algorithm {
        Algorithm::Rs256 | Algorithm::Rs384 | Algorithm::Rs512 => "rsa",
        Algorithm::Ps256 | Algorithm::Ps384 | Algorithm::Ps512 => "rsa",
        Algorithm::Hs256 | Algorithm::Hs384 | Algorithm::Hs512 => "secret",
        _ => algorithm.name(),
    };
    format!("{kind}-{number}")
}

fn is_secret(algorithm: Algorithm) -> bool {
    algorithm.name().starts_with("HS")
}

/// Returns a provider that knows both keys of an algorithm, and allows nothing else.
fn provider(algorithm: Algorithm) -> Value {
    let name = algorithm.name().to_lowercase();
    let keys = if is_secret(algorithm) {
        let secret = |number: usize| {
            json!({
                "id": key_id(algorithm, number),
                "secret": {"env": format!("SECRET_{number}"), "encoding": "base64url"},
            })
        };
        json!({"secrets": [secret(0), secret(1)]})
    } else {
        json!({"uri": format!("http://issuer.example.com/{name}"), "cluster": "issuer"})
    };
    json!({
        "name": name,
        "issuer": issuer(algorithm),
        "audiences": ["api"],
        "algorithms": [algorithm.name()],
        "keys": keys,
    })
}

/// All keys in one document: a provider takes those that fit it.
fn document() -> String {
    let kinds = [Algorithm::Rs256, Algorithm::Es256, Algorithm::Es384, Algorithm::Es512, Algorithm::EdDsa];
    jwks(
        kinds.into_iter().flat_map(|kind| {
            [jwk(&Key::of(kind), &key_id(kind, 0)), jwk(&Key::next_of(kind), &key_id(kind, 1))]
        }),
    )
}

async fn every_algorithm_passes_and_no_bit_may_change(signatures: &str) {
    let (upstream, keys) = (Upstream::start().await, Jwks::start(&document()).await);
    let secrets = [Key::of, Key::next_of].map(|of| of(Algorithm::Hs256).public()["k"].clone());
    let envoy = shipped(&upstream, &keys)
        .edit(|tree| {
            tests::plugin(tree, "jwt-auth")["vm_config"]["environment_variables"] =
                json!({"key_values": {"SECRET_0": secrets[0], "SECRET_1": secrets[1]}});
            let providers: Vec<_> = Algorithm::ALL.into_iter().map(provider).collect();
            // Without a cache, so that every request is verified.
            set(settings(tree), json!({"providers": providers, "signatures": signatures, "cache": "0B"}));
        })
        .start()
        .await;
    let mut one = Http1::connect(envoy.port()).await;
    let two = Http2::connect(envoy.port()).await;
    for Case { name, good, bad } in cases() {
        let request = with_token("/api", good);
        one.send(&request.wire()).await;
        assert_eq!(one.read_response().await.status, 200, "{name} over HTTP/1");
        assert_eq!(two.send(&request).await.status, 200, "{name} over HTTP/2");
        let user = upstream.seen().pop().unwrap().header("x-user").map(str::to_owned);
        assert_eq!(user.as_deref(), name.split(' ').next());
        for (index, bad) in bad.iter().enumerate() {
            let request = with_token("/api", bad);
            one.send(&request.wire()).await;
            assert_eq!(one.read_response().await.status, 401, "{name} over HTTP/1, bit {index}");
            assert_eq!(two.send(&request).await.status, 401, "{name} over HTTP/2, bit {index}");
        }
    }
    assert_eq!(upstream.count(), 2 * cases().len());
    let asymmetric = Algorithm::ALL.into_iter().filter(|algorithm| !is_secret(*algorithm)).count();
    // One for each provider, and perhaps one more each because of bits that were flipped in a `kid`.
    assert!((asymmetric..=2 * asymmetric).contains(&keys.fetches()), "{}", keys.fetches());
    envoy.assert_no_trap().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_algorithm_passes_and_no_bit_may_change_where_the_proxy_verifies() {
    every_algorithm_passes_and_no_bit_may_change("auto").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_algorithm_passes_and_no_bit_may_change_where_the_module_verifies() {
    every_algorithm_passes_and_no_bit_may_change("module").await;
}
