//! Which of 10,000 buckets a key is in: the same for ever, and in every language.
//!
//! The first four bytes of SHA-256 of salt, dot and key, as a number, modulo 10,000. In Python:
//! `int(hashlib.sha256(salt + b"." + key).hexdigest()[:8], 16) % 10000`.

use sha2::{Digest as _, Sha256};

/// How many buckets there are, and so the parts in which shares are counted.
pub(crate) const ALL: u16 = 10_000;

/// The buckets under one salt.
#[derive(Clone)]
pub(crate) struct Buckets {
    /// What comes before every key is hashed once.
    begun: Sha256,
}

impl Buckets {
    /// Prepares the buckets under a salt.
    pub(crate) fn new(salt: &str) -> Self {
        Self { begun: Sha256::new_with_prefix(salt).chain_update(b".") }
    }

    /// Returns the bucket of a key, below 10,000.
    pub(crate) fn of(&self, key: &[u8]) -> u16 {
        let digest: [u8; 32] = self.begun.clone().chain_update(key).finalize().into();
        let [first, second, third, fourth, ..] = digest;
        let number = u32::from_be_bytes([first, second, third, fourth]).checked_rem(ALL.into());
        number.and_then(|bucket| u16::try_from(bucket).ok()).unwrap_or(0)
    }
}

#[cfg(test)]
#[expect(
    clippy::arithmetic_side_effects,
    clippy::as_conversions,
    clippy::float_arithmetic,
    reason = "a test may overflow: it would fail; and its sums of squares are floats"
)]
mod tests;
