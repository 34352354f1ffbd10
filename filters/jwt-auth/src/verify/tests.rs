//! Signatures that are good, that are nearly good, and that have been taken for good elsewhere.

use base64ct::{Base64UrlUnpadded, Encoding};
use kit::signature::{Abilities, Kind};

use super::*;
use crate::jwk::{KeySet, Secret};

mod abilities;
mod attacks;
mod envoy;
mod rfc;
mod wycheproof;

const ALL: Abilities = Abilities { rsa: true, p256: true, p384: true, p521: true };

/// Reads a set of one key, which has to be sound.
fn jwk(text: &str) -> KeySet {
    let (keys, skipped) = KeySet::parse(format!(r#"{{"keys":[{text}]}}"#).as_bytes(), 1).unwrap();
    assert_eq!(skipped, [""; 0]);
    keys
}

fn rsa(modulus: &[u8], exponent: &[u8]) -> KeySet {
    jwk(&format!(r#"{{"kty":"RSA","n":"{}","e":"{}"}}"#, encode(modulus), encode(exponent)))
}

fn ec(curve: &str, x: &[u8], y: &[u8]) -> KeySet {
    jwk(&format!(r#"{{"kty":"EC","crv":"{curve}","x":"{}","y":"{}"}}"#, encode(x), encode(y)))
}

fn ed25519(x: &[u8]) -> KeySet {
    jwk(&format!(r#"{{"kty":"OKP","crv":"Ed25519","x":"{}"}}"#, encode(x)))
}

fn secret(bytes: &[u8]) -> KeySet {
    KeySet::secrets(vec![Secret { id: None, bytes: bytes.to_vec() }])
}

/// Returns the only key of a set.
fn only(keys: &KeySet, algorithm: Algorithm) -> &Key {
    let mut candidates = keys.candidates(None, algorithm);
    let key = candidates.next().unwrap();
    assert!(candidates.next().is_none());
    key
}

fn encode(octets: &[u8]) -> String {
    Base64UrlUnpadded::encode_string(octets)
}

fn decode(text: &str) -> Vec<u8> {
    Base64UrlUnpadded::decode_vec(text).unwrap()
}

/// Verifies in both ways, which have to agree.
fn verifies(key: &Key, algorithm: Algorithm, text: &[u8], signature: &[u8]) -> bool {
    let here = key.verify(algorithm, text, signature, None);
    let host = HostVerifier::new(&envoy::verify_signature, ALL);
    assert_eq!(key.verify(algorithm, text, signature, Some(host)), here, "host and module disagree");
    here
}
