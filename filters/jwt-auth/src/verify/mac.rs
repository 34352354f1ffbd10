//! HMAC (RFC 7518 section 3.2; RFC 2104).

use hmac::digest::KeyInit;
use hmac::{Hmac, Mac};
use sha2::{Sha256, Sha384, Sha512};

use crate::algorithm::Algorithm;

/// A secret that signs and verifies.
pub(crate) struct MacKey(Vec<u8>);

impl MacKey {
    /// Takes a secret.
    pub(crate) fn new(secret: Vec<u8>) -> Self {
        Self(secret)
    }

    /// Returns how many octets the secret has.
    pub(crate) fn length(&self) -> usize {
        self.0.len()
    }

    /// Tells whether the secret may be used with an algorithm: it is at least as long as the hash.
    pub(crate) fn fits(&self, algorithm: Algorithm) -> bool {
        Self::shortest(algorithm).is_some_and(|shortest| self.0.len() >= shortest)
    }

    /// Returns how many octets a secret needs. None if the algorithm isn't one with a secret.
    pub(crate) fn shortest(algorithm: Algorithm) -> Option<usize> {
        match algorithm {
            Algorithm::Hs256 => Some(32),
            Algorithm::Hs384 => Some(48),
            Algorithm::Hs512 => Some(64),
            Algorithm::Rs256
            | Algorithm::Rs384
            | Algorithm::Rs512
            | Algorithm::Ps256
            | Algorithm::Ps384
            | Algorithm::Ps512
            | Algorithm::Es256
            | Algorithm::Es384
            | Algorithm::Es512
            | Algorithm::EdDsa => None,
        }
    }

    /// Tells whether a signature was made with this secret, in a time that doesn't depend on how nearly it
    /// was.
    pub(crate) fn verify(&self, algorithm: Algorithm, text: &[u8], signature: &[u8]) -> bool {
        match algorithm {
            Algorithm::Hs256 => self.is_good::<Hmac<Sha256>>(text, signature),
            Algorithm::Hs384 => self.is_good::<Hmac<Sha384>>(text, signature),
            Algorithm::Hs512 => self.is_good::<Hmac<Sha512>>(text, signature),
            Algorithm::Rs256
            | Algorithm::Rs384
            | Algorithm::Rs512
            | Algorithm::Ps256
            | Algorithm::Ps384
            | Algorithm::Ps512
            | Algorithm::Es256
            | Algorithm::Es384
            | Algorithm::Es512
            | Algorithm::EdDsa => false,
        }
    }

    /// Compares the whole signature: a part of one is none.
    fn is_good<M: Mac + KeyInit>(&self, text: &[u8], signature: &[u8]) -> bool {
        <M as KeyInit>::new_from_slice(&self.0)
            .is_ok_and(|mac| mac.chain_update(text).verify_slice(signature).is_ok())
    }
}
