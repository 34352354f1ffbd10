//! Message authentication codes: HMAC (RFC 2104), and the hash of a secret and a text that one provider takes for one.

use hmac::digest::{Digest, KeyInit};
use hmac::{Hmac, Mac as _};
use sha1::Sha1;
use sha2::{Sha256, Sha384, Sha512};
use subtle::ConstantTimeEq;

/// Which code.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum MacKind {
    HmacSha1,
    HmacSha256,
    HmacSha384,
    HmacSha512,
    /// SHA-256 of the secret followed by the text. Whoever has the code of one text can make that of a longer one.
    Sha256Secret,
}

/// A code in the making: prepared with a key, which costs as much as hashing 128 bytes, and copied for each text.
#[derive(Clone)]
pub(crate) enum Mac {
    HmacSha1(Hmac<Sha1>),
    HmacSha256(Hmac<Sha256>),
    HmacSha384(Hmac<Sha384>),
    HmacSha512(Hmac<Sha512>),
    Sha256Secret(Sha256),
}

impl Mac {
    /// Prepares a code with a key.
    pub(crate) fn new(kind: MacKind, key: &[u8]) -> Option<Self> {
        // A key may have any length.
        match kind {
            MacKind::HmacSha1 => Hmac::new_from_slice(key).ok().map(Self::HmacSha1),
            MacKind::HmacSha256 => Hmac::new_from_slice(key).ok().map(Self::HmacSha256),
            MacKind::HmacSha384 => Hmac::new_from_slice(key).ok().map(Self::HmacSha384),
            MacKind::HmacSha512 => Hmac::new_from_slice(key).ok().map(Self::HmacSha512),
            MacKind::Sha256Secret => Some(Self::Sha256Secret(Sha256::new_with_prefix(key))),
        }
    }

    /// Takes the next piece of the text.
    pub(crate) fn update(&mut self, bytes: &[u8]) {
        match self {
            Self::HmacSha1(mac) => mac.update(bytes),
            Self::HmacSha256(mac) => mac.update(bytes),
            Self::HmacSha384(mac) => mac.update(bytes),
            Self::HmacSha512(mac) => mac.update(bytes),
            Self::Sha256Secret(hash) => Digest::update(hash, bytes),
        }
    }

    /// Returns the code of the text.
    pub(crate) fn finish(self) -> Code {
        Code(match self {
            Self::HmacSha1(mac) => mac.finalize().into_bytes().to_vec(),
            Self::HmacSha256(mac) => mac.finalize().into_bytes().to_vec(),
            Self::HmacSha384(mac) => mac.finalize().into_bytes().to_vec(),
            Self::HmacSha512(mac) => mac.finalize().into_bytes().to_vec(),
            Self::Sha256Secret(hash) => hash.finalize().to_vec(),
        })
    }
}

/// The code of a text. Whoever knows it can sign the text, so it is compared in a time that doesn't tell how nearly
/// something else is it, and it has no `Debug`.
pub(crate) struct Code(Vec<u8>);

impl Code {
    /// Tells whether these bytes are the code.
    pub(crate) fn is(&self, bytes: &[u8]) -> bool {
        is_same(&self.0, bytes)
    }

    /// Returns the code, for whoever signs, or knows deliveries by it.
    pub(crate) fn into_bytes(self) -> Vec<u8> {
        self.0
    }
}

/// Compares bytes in a time that tells nothing but whether their lengths are equal.
pub(crate) fn is_same(one: &[u8], other: &[u8]) -> bool {
    one.ct_eq(other).into()
}
