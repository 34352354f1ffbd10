//! Chance as a value: the shell draws, a core is told what was drawn.

use std::cell::Cell;
use std::hash::Hasher as _;

/// A stream of uniformly distributed numbers (SplitMix64): for sampling and jitter, not for secrets.
#[derive(Debug)]
pub struct Draws {
    state: Cell<u64>,
}

impl Draws {
    /// Starts a stream; different seeds give unrelated streams.
    pub const fn new(seed: u64) -> Self {
        Self { state: Cell::new(seed) }
    }

    /// Draws the next number.
    pub fn next(&self) -> u64 {
        let state = self.state.get().wrapping_add(0x9e37_79b9_7f4a_7c15);
        self.state.set(state);
        let mixed = (state ^ (state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }
}

/// Maps a draw to a number below `bound`, every one as likely; zero for a bound of zero.
pub fn below(draw: u64, bound: u64) -> u64 {
    let scaled = u128::from(draw).saturating_mul(u128::from(bound)) >> 64;
    u64::try_from(scaled).unwrap_or(0)
}

/// Draws by a name: the same bytes under the same seed always draw the same number, in every process and version.
///
/// SipHash-1-3 of the bytes; its key is the SipHash-1-3-128 of the seed under the key zero. Whoever knows the seed can
/// find bytes that draw what he wants, so nothing that must not be chosen depends on it.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Named(u64, u64);

impl Named {
    /// Prepares draws under a seed.
    pub fn new(seed: &str) -> Self {
        let mut hasher = siphasher::sip128::SipHasher13::new();
        hasher.write(seed.as_bytes());
        let key = siphasher::sip128::Hasher128::finish128(&hasher);
        Self(key.h1, key.h2)
    }

    /// Draws the number of these bytes.
    pub fn draw(self, name: &[u8]) -> u64 {
        let mut hasher = siphasher::sip::SipHasher13::new_with_keys(self.0, self.1);
        hasher.write(name);
        hasher.finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    #[cfg(target_arch = "wasm32")]
    use wasm_bindgen_test::wasm_bindgen_test as test;

    const VECTORS: &[(&str, &[u8], u64)] = &[
        ("", b"", 17_852_332_800_347_049_128),
        ("2026-q4", b"alice", 6_319_985_332_929_988_987),
        ("2026-q4", b"bob", 14_572_012_974_222_624_391),
        ("2027-q1", b"alice", 17_833_759_013_423_719_849),
    ];

    #[test]
    fn draws_the_published_sequence() {
        // The first numbers of SplitMix64 from seed 1234567, as its reference implementation prints them.
        let draws = Draws::new(1_234_567);
        assert_eq!(draws.next(), 6_457_827_717_110_365_317);
        assert_eq!(draws.next(), 3_203_168_211_198_807_973);
    }

    #[test]
    fn what_a_name_draws_never_changes() {
        // Computed by an implementation of SipHash-1-3 of its own, in Python.
        for (seed, name, expected) in VECTORS {
            assert_eq!(Named::new(seed).draw(name), *expected, "{seed} {name:?}");
        }
    }

    #[test]
    fn stays_below_the_bound_at_both_ends() {
        assert_eq!(below(0, 10), 0);
        assert_eq!(below(u64::MAX, 10), 9);
        assert_eq!(below(u64::MAX, 0), 0);
        assert_eq!(below(u64::MAX, u64::MAX), u64::MAX - 1);
    }
}
