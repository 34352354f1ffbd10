//! Keys: those of the demo, or any private JWK (RFC 7517, RFC 7518 section 6, RFC 8037).

use std::convert::Infallible;
use std::sync::LazyLock;

use base64ct::{Base64UrlUnpadded, Encoding};
use ed25519_dalek::pkcs8::EncodePublicKey;
use hmac::{Hmac, KeyInit, Mac};
use p256::ecdsa::signature::Signer;
use rsa::rand_core::{TryCryptoRng, TryRng};
use rsa::signature::{RandomizedSigner, SignatureEncoding};
use rsa::{BoxedUint, RsaPrivateKey, pkcs1v15, pss};
use serde_json::{Value, json};
use sha2::{Sha256, Sha384, Sha512};

use crate::Algorithm;

/// The demo keys, made once with OpenSSL. Checking them takes a while without optimisation, so it is done once.
static DEMO: LazyLock<Vec<(Value, Key)>> = LazyLock::new(|| {
    let set: Value = serde_json::from_str(include_str!("../demo-keys.json")).expect("JSON");
    let keys = set["keys"].as_array().expect("keys").iter();
    keys.map(|jwk| (jwk["kid"].clone(), Key::from_value(jwk))).collect()
});

/// A key with its private half.
#[derive(Clone)]
pub struct Key {
    public: Value,
    private: Private,
}

#[derive(Clone)]
enum Private {
    Rsa(RsaPrivateKey),
    P256(p256::ecdsa::SigningKey),
    P384(p384::ecdsa::SigningKey),
    P521(p521::ecdsa::SigningKey),
    Ed25519(ed25519_dalek::SigningKey),
    Secret(Vec<u8>),
}

/// The demo keys. Everybody has them, so never trust what they sign.
///
/// Each kind has a second key, for rotation and for forgery.
impl Key {
    /// Returns the demo key that fits this algorithm.
    pub fn of(algorithm: Algorithm) -> Self {
        demo(kind(algorithm))
    }

    /// Returns the second demo key that fits this algorithm.
    pub fn next_of(algorithm: Algorithm) -> Self {
        demo(&format!("{}-next", kind(algorithm)))
    }

    /// Returns the RSA key of 2048 bits.
    pub fn rsa() -> Self {
        demo("rsa")
    }

    /// Returns the RSA key of 3072 bits.
    pub fn rsa_next() -> Self {
        demo("rsa-next")
    }

    /// Returns the key on P-256.
    pub fn p256() -> Self {
        demo("p256")
    }

    /// Returns the second key on P-256.
    pub fn p256_next() -> Self {
        demo("p256-next")
    }

    /// Returns the key on P-384.
    pub fn p384() -> Self {
        demo("p384")
    }

    /// Returns the key on P-521.
    pub fn p521() -> Self {
        demo("p521")
    }

    /// Returns the Ed25519 key.
    pub fn ed25519() -> Self {
        demo("ed25519")
    }

    /// Returns the second Ed25519 key.
    pub fn ed25519_next() -> Self {
        demo("ed25519-next")
    }

    /// Returns the secret, of 64 bytes: enough for every HMAC.
    pub fn secret() -> Self {
        demo("secret")
    }
}

impl Key {
    /// Reads a private JWK: RSA with its two primes, EC, OKP or oct. Panics if it is none.
    pub fn from_jwk(text: &str) -> Self {
        Self::from_value(&serde_json::from_str(text).expect("the JSON of a JWK"))
    }

    /// Takes these bytes as a secret, for HMAC.
    pub fn secret_of(bytes: &[u8]) -> Self {
        Self::from_value(&json!({"kty": "oct", "k": Base64UrlUnpadded::encode_string(bytes)}))
    }

    fn from_value(jwk: &Value) -> Self {
        let bytes = |name: &str| {
            let text = jwk[name].as_str().unwrap_or_else(|| panic!("a JWK without {name}"));
            Base64UrlUnpadded::decode_vec(text).unwrap_or_else(|error| panic!("{name} of a JWK: {error}"))
        };
        let integer = |name| BoxedUint::from_be_slice_vartime(&bytes(name));
        let public = |names: &[&str]| names.iter().map(|name| (*name, jwk[*name].clone())).collect();
        let scalar = "a number below the order of the curve";
        let kind = (jwk["kty"].as_str(), jwk["crv"].as_str());
        let private = match kind {
            (Some("RSA"), _) => {
                let primes = vec![integer("p"), integer("q")];
                let key = RsaPrivateKey::from_components(integer("n"), integer("e"), integer("d"), primes);
                Private::Rsa(key.expect("numbers that are an RSA key"))
            }
            (_, Some("P-256")) => {
                Private::P256(p256::ecdsa::SigningKey::from_slice(&bytes("d")).expect(scalar))
            }
            (_, Some("P-384")) => {
                Private::P384(p384::ecdsa::SigningKey::from_slice(&bytes("d")).expect(scalar))
            }
            (_, Some("P-521")) => {
                Private::P521(p521::ecdsa::SigningKey::from_slice(&bytes("d")).expect(scalar))
            }
            (_, Some("Ed25519")) => {
                let seed = bytes("d").try_into().expect("32 bytes");
                Private::Ed25519(ed25519_dalek::SigningKey::from_bytes(&seed))
            }
            (Some("oct"), _) => Private::Secret(bytes("k")),
            other => panic!("a JWK of an unknown kind: {other:?}"),
        };
        let public = match &private {
            Private::Rsa(_) => public(&["kty", "n", "e"]),
            Private::P256(_) | Private::P384(_) | Private::P521(_) => public(&["kty", "crv", "x", "y"]),
            Private::Ed25519(_) => public(&["kty", "crv", "x"]),
            Private::Secret(_) => public(&["kty", "k"]),
        };
        Self { public, private }
    }

    /// Returns the public half as a JWK without `kid` and `use`; a secret comes whole.
    pub fn public(&self) -> &Value {
        &self.public
    }

    /// Returns the public half as a `SubjectPublicKeyInfo` in DER (RFC 5280 section 4.1); a secret comes as it is.
    pub fn public_der(&self) -> Vec<u8> {
        let document = match &self.private {
            Private::Rsa(key) => key.to_public_key().to_public_key_der(),
            Private::P256(key) => key.verifying_key().to_public_key_der(),
            Private::P384(key) => key.verifying_key().to_public_key_der(),
            Private::P521(key) => key.verifying_key().to_public_key_der(),
            Private::Ed25519(key) => key.verifying_key().to_public_key_der(),
            Private::Secret(bytes) => return bytes.clone(),
        };
        document.expect("a key that DER can express").into_vec()
    }

    /// Signs any bytes. Panics if the algorithm is for another kind of key.
    pub fn sign(&self, algorithm: Algorithm, text: &[u8]) -> Vec<u8> {
        match (&self.private, algorithm) {
            (Private::Rsa(key), Algorithm::Rs256) => {
                random(&pkcs1v15::SigningKey::<Sha256>::new(key.clone()), text)
            }
            (Private::Rsa(key), Algorithm::Rs384) => {
                random(&pkcs1v15::SigningKey::<Sha384>::new(key.clone()), text)
            }
            (Private::Rsa(key), Algorithm::Rs512) => {
                random(&pkcs1v15::SigningKey::<Sha512>::new(key.clone()), text)
            }
            (Private::Rsa(key), Algorithm::Ps256) => {
                random(&pss::SigningKey::<Sha256>::new(key.clone()), text)
            }
            (Private::Rsa(key), Algorithm::Ps384) => {
                random(&pss::SigningKey::<Sha384>::new(key.clone()), text)
            }
            (Private::Rsa(key), Algorithm::Ps512) => {
                random(&pss::SigningKey::<Sha512>::new(key.clone()), text)
            }
            (Private::P256(key), Algorithm::Es256) => fixed::<p256::ecdsa::Signature>(key, text),
            (Private::P384(key), Algorithm::Es384) => fixed::<p384::ecdsa::Signature>(key, text),
            (Private::P521(key), Algorithm::Es512) => fixed::<p521::ecdsa::Signature>(key, text),
            (Private::Ed25519(key), Algorithm::EdDsa) => fixed::<ed25519_dalek::Signature>(key, text),
            (Private::Secret(secret), Algorithm::Hs256) => mac::<Hmac<Sha256>>(secret, text),
            (Private::Secret(secret), Algorithm::Hs384) => mac::<Hmac<Sha384>>(secret, text),
            (Private::Secret(secret), Algorithm::Hs512) => mac::<Hmac<Sha512>>(secret, text),
            _ => panic!("{} with a key that is {}", algorithm.name(), self.public),
        }
    }
}

/// Names the first demo key of an algorithm.
fn kind(algorithm: Algorithm) -> &'static str {
    match algorithm {
        Algorithm::Rs256 | Algorithm::Rs384 | Algorithm::Rs512 => "rsa",
        Algorithm::Ps256 | Algorithm::Ps384 | Algorithm::Ps512 => "rsa",
        Algorithm::Es256 => "p256",
        Algorithm::Es384 => "p384",
        Algorithm::Es512 => "p521",
        Algorithm::EdDsa => "ed25519",
        Algorithm::Hs256 | Algorithm::Hs384 | Algorithm::Hs512 => "secret",
    }
}

fn demo(name: &str) -> Key {
    let found = DEMO.iter().find(|(kid, _)| kid == name);
    found.unwrap_or_else(|| panic!("no demo key is called {name}")).1.clone()
}

fn fixed<S: SignatureEncoding>(key: &impl Signer<S>, text: &[u8]) -> Vec<u8> {
    key.sign(text).to_vec()
}

fn random<S: SignatureEncoding>(key: &impl RandomizedSigner<S>, text: &[u8]) -> Vec<u8> {
    key.sign_with_rng(&mut Fixed(1), text).to_vec()
}

fn mac<M: Mac + KeyInit>(secret: &[u8], text: &[u8]) -> Vec<u8> {
    let mac = <M as KeyInit>::new_from_slice(secret).expect("HMAC takes a key of any length");
    mac.chain_update(text).finalize().into_bytes().to_vec()
}

/// Draws that are always the same (xorshift64), so that the salt of PSS is too; nothing here is worth protecting.
struct Fixed(u64);

impl TryRng for Fixed {
    type Error = Infallible;

    fn try_next_u32(&mut self) -> Result<u32, Infallible> {
        self.try_next_u64().map(|word| (word >> 32) as u32)
    }

    fn try_next_u64(&mut self) -> Result<u64, Infallible> {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        Ok(self.0)
    }

    fn try_fill_bytes(&mut self, bytes: &mut [u8]) -> Result<(), Infallible> {
        for chunk in bytes.chunks_mut(8) {
            let word = self.try_next_u64()?.to_be_bytes();
            chunk.copy_from_slice(&word[..chunk.len()]);
        }
        Ok(())
    }
}

impl TryCryptoRng for Fixed {}
