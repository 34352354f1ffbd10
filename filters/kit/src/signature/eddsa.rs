//! EdDSA on Ed25519 (RFC 8032 section 5.1.7).

use ed25519_dalek::{Signature, VerifyingKey};

/// An Ed25519 key. No host knows its signatures, so the module verifies them.
#[derive(Debug)]
pub struct Ed25519Key(VerifyingKey);

impl Ed25519Key {
    /// Makes a key of its 32 octets (RFC 8032 section 5.1.5).
    ///
    /// # Errors
    ///
    /// Why nothing may be verified with it, in words.
    pub fn new(octets: &[u8]) -> Result<Self, String> {
        let Ok(octets) = <&[u8; 32]>::try_from(octets) else {
            return Err(format!("it has {} octets, not 32", octets.len()));
        };
        match VerifyingKey::from_bytes(octets) {
            // Of the few points of small order, anybody can make signatures that hold for many texts.
            Ok(key) if key.is_weak() => Err(String::from("its point is of small order")),
            Ok(key) => Ok(Self(key)),
            Err(_) => Err(String::from("its point is not on its curve")),
        }
    }

    /// Tells whether this key made a signature: 64 octets, of which the second half is less than the order of
    /// the group, and the first no point of small order.
    pub fn verify(&self, text: &[u8], signature: &[u8]) -> bool {
        Signature::from_slice(signature).is_ok_and(|signature| self.0.verify_strict(text, &signature).is_ok())
    }
}

#[cfg(test)]
mod tests;
