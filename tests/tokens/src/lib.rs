//! Mints tokens, and forges them, with keys that everybody has: for tests and for the demo.
//!
//! Header and payload are given as the text of JSON, so that a token can say what no encoder would write.
//! Every signature is deterministic: the same words give the same token, natively and in Node.
//!
//! ```
//! use tokens::{Algorithm, Key, Signer};
//!
//! let signer = Signer::new(Algorithm::Es256).key_id("a");
//! let token = signer.token(r#"{"sub": "alice"}"#);
//! let odd = tokens::mint(&signer, r#"{"alg": "ES256", "alg": "none"}"#, "{}");
//! let set = tokens::jwks([tokens::jwk(signer.key(), "a"), tokens::jwk(&Key::rsa(), "b")]);
//! let forged = tokens::forge::with_payload(&token, r#"{"sub": "mallory"}"#);
//! # assert!(token != forged && odd != token && set.contains("\"b\""));
//! ```

mod algorithm;
pub mod demo;
pub mod forge;
mod key;
#[cfg(test)]
mod tests;

use base64ct::{Base64UrlUnpadded, Encoding};
use serde_json::{Value, json};

pub use algorithm::Algorithm;
pub use key::Key;

/// A key and the algorithm that it signs with, and the `kid` that its tokens name.
#[derive(Clone)]
pub struct Signer {
    key: Key,
    algorithm: Algorithm,
    key_id: Option<String>,
}

impl Signer {
    /// Signs with the demo key of this algorithm, see [`Key::of`].
    pub fn new(algorithm: Algorithm) -> Self {
        Self::with(Key::of(algorithm), algorithm)
    }

    /// Signs with this key.
    pub fn with(key: Key, algorithm: Algorithm) -> Self {
        Self { key, algorithm, key_id: None }
    }

    /// Names the key in the headers that [`Self::token`] writes.
    pub fn key_id(self, key_id: &str) -> Self {
        Self { key_id: Some(key_id.to_owned()), ..self }
    }

    /// Returns the key.
    pub fn key(&self) -> &Key {
        &self.key
    }

    /// Returns the algorithm.
    pub fn algorithm(&self) -> Algorithm {
        self.algorithm
    }

    /// Returns the header of [`Self::token`]: `alg`, `typ: JWT`, and `kid` if the key has a name.
    pub fn header(&self) -> String {
        let mut header = json!({"alg": self.algorithm.name(), "typ": "JWT"});
        if let Some(key_id) = &self.key_id {
            header["kid"] = json!(key_id);
        }
        header.to_string()
    }

    /// Mints a token with an ordinary header and this payload, which is written as it is.
    pub fn token(&self, payload: &str) -> String {
        mint(self, &self.header(), payload)
    }

    /// Signs any bytes; the result is what a token has in its third part, before base64.
    ///
    /// Panics if the key is of another kind than the algorithm.
    pub fn sign(&self, text: &[u8]) -> Vec<u8> {
        self.key.sign(self.algorithm, text)
    }
}

/// Mints a token with this header and this payload, both written as they are, whatever they say.
pub fn mint(signer: &Signer, header: &str, payload: &str) -> String {
    let text = signing_input(header, payload);
    format!("{text}.{}", base64url(&signer.sign(text.as_bytes())))
}

/// Returns the part of a token that is signed: header and payload in base64, with a dot between.
pub fn signing_input(header: &str, payload: &str) -> String {
    format!("{}.{}", base64url(header.as_bytes()), base64url(payload.as_bytes()))
}

/// Returns the public half of a key as a JWK with this `kid`, for signatures, without `alg`.
///
/// A secret has no public half: it comes whole, as `oct`, which is how nobody should publish it.
pub fn jwk(key: &Key, kid: &str) -> Value {
    let mut jwk = key.public().clone();
    jwk["kid"] = json!(kid);
    jwk["use"] = json!("sig");
    jwk
}

/// Returns the text of a JWK Set.
pub fn jwks(keys: impl IntoIterator<Item = Value>) -> String {
    json!({"keys": Vec::from_iter(keys)}).to_string()
}

/// Returns bytes in base64url without padding, as every part of a token is.
pub fn base64url(bytes: &[u8]) -> String {
    Base64UrlUnpadded::encode_string(bytes)
}
