//! Tokens that must not pass, each for one reason. The rest of a forged token is as it was.

use base64ct::{Base64, Base64UrlUnpadded, Encoding};

use crate::{Algorithm, Key, Signer, base64url, mint, signing_input};

/// A part of a token.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Part {
    /// The header, which is the first.
    Header,
    /// The payload.
    Payload,
    /// The signature, which is the last.
    Signature,
}

/// Replaces the payload, after signing.
pub fn with_payload(token: &str, payload: &str) -> String {
    replace(token, Part::Payload, &base64url(payload.as_bytes()))
}

/// Replaces the header, after signing.
pub fn with_header(token: &str, header: &str) -> String {
    replace(token, Part::Header, &base64url(header.as_bytes()))
}

/// Replaces the signature with these bytes: another one, none, or 64 zeros.
pub fn with_signature(token: &str, signature: &[u8]) -> String {
    replace(token, Part::Signature, &base64url(signature))
}

/// Flips a bit of what a part stands for, counted from its first byte and its highest bit.
pub fn flip(token: &str, part: Part, bit: usize) -> String {
    let mut bytes = bytes(token, part);
    bytes[bit / 8] ^= 0x80 >> (bit % 8);
    replace(token, part, &base64url(&bytes))
}

/// Returns what a part stands for.
pub fn bytes(token: &str, part: Part) -> Vec<u8> {
    Base64UrlUnpadded::decode_vec(split(token)[part as usize]).expect("base64url without padding")
}

/// Mints a token that says `alg: none`, spelt in some way, and has an empty signature (RFC 7518 section 3.6).
pub fn none(spelling: &str, payload: &str) -> String {
    format!("{}.", signing_input(&format!(r#"{{"alg":"{spelling}","typ":"JWT"}}"#), payload))
}

/// Mints a token with the other demo key of this algorithm, which claims to be of the key that is named.
pub fn other_key(signer: &Signer, payload: &str) -> String {
    let other = Signer { key: Key::next_of(signer.algorithm()), ..signer.clone() };
    other.token(payload)
}

/// Mints tokens with HMAC whose secret is a public key (RFC 8725 section 2.1), and which name this `kid`.
///
/// The key comes in every form that a library might take for a secret: PEM without and with its last line end, DER,
/// the JWK, and the members of the JWK as text and as bytes.
pub fn confused(key: &Key, algorithm: Algorithm, key_id: &str, payload: &str) -> Vec<String> {
    let pem = pem(&key.public_der());
    let mut secrets = vec![pem.trim_end().as_bytes().to_vec(), pem.into_bytes(), key.public_der()];
    secrets.push(key.public().to_string().into_bytes());
    for name in ["n", "x"] {
        if let Some(text) = key.public()[name].as_str() {
            secrets.push(text.as_bytes().to_vec());
            secrets.push(Base64UrlUnpadded::decode_vec(text).expect("base64url without padding"));
        }
    }
    let signer = |secret: &Vec<u8>| Signer::with(Key::secret_of(secret), algorithm).key_id(key_id);
    secrets.iter().map(|secret| signer(secret).token(payload)).collect()
}

/// Mints a token whose header brings the key that it is signed with, as `jwk` (RFC 7515 section 4.1.3).
pub fn embedded_key(signer: &Signer, payload: &str) -> String {
    let mut header: serde_json::Value = serde_json::from_str(&signer.header()).expect("JSON");
    let other = Signer { key: Key::next_of(signer.algorithm()), ..signer.clone() };
    header["jwk"] = other.key().public().clone();
    mint(&other, &header.to_string(), payload)
}

fn replace(token: &str, part: Part, text: &str) -> String {
    let mut parts = split(token);
    parts[part as usize] = text;
    parts.join(".")
}

fn split(token: &str) -> [&str; 3] {
    let parts: Vec<_> = token.split('.').collect();
    parts.try_into().expect("a token of three parts")
}

/// Writes a public key in PEM (RFC 7468 section 13).
fn pem(der: &[u8]) -> String {
    let text = Base64::encode_string(der);
    let lines: Vec<_> = text.as_bytes().chunks(64).map(String::from_utf8_lossy).collect();
    format!("-----BEGIN PUBLIC KEY-----\n{}\n-----END PUBLIC KEY-----\n", lines.join("\n"))
}
