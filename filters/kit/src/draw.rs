//! Chance as a value: the shell draws, a core is told what was drawn.

use std::cell::Cell;

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

#[cfg(test)]
mod tests {
    use super::*;
    #[cfg(target_arch = "wasm32")]
    use wasm_bindgen_test::wasm_bindgen_test as test;

    #[test]
    fn draws_the_published_sequence() {
        // The first numbers of SplitMix64 from seed 1234567, as its reference implementation prints them.
        let draws = Draws::new(1_234_567);
        assert_eq!(draws.next(), 6_457_827_717_110_365_317);
        assert_eq!(draws.next(), 3_203_168_211_198_807_973);
    }

    #[test]
    fn stays_below_the_bound_at_both_ends() {
        assert_eq!(below(0, 10), 0);
        assert_eq!(below(u64::MAX, 10), 9);
        assert_eq!(below(u64::MAX, 0), 0);
        assert_eq!(below(u64::MAX, u64::MAX), u64::MAX - 1);
    }
}
