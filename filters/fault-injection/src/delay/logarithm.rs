//! The natural logarithm of a share, for whole numbers.
//!
//! A share is a number of halvings and what is left, from a half to one; the logarithm of that is in a table of 64 steps,
//! with a straight line between two: the error is less than 0.00004. The table was made by
//!
//! ```sh
//! python3 -c '
//! from math import log
//! for i in range(0, 65, 8):
//!     print("    " + " ".join("%d," % round(-log((64 + j) / 128) * 2 ** 32) for j in range(i, min(i + 8, 65))))'
//! ```
//!
//! whose numbers are in parts of 2^32.

/// The logarithm of two in parts of 2^32.
const LN_2: u64 = 2_977_044_472;

/// Returns `-ln(share / 2^64)` in parts of 2^32; a share of nothing counts as the least one.
pub(super) fn minus_ln(share: u64) -> u64 {
    let share = share.max(1);
    let halvings = share.leading_zeros();
    let rest = share.wrapping_shl(halvings);
    let step = usize::try_from((rest >> 57) & 63).unwrap_or(0);
    let at = |step: usize| TABLE.get(step).copied().map_or(0, u64::from);
    let (here, next) = (at(step), at(step.saturating_add(1)));
    let rest = here.saturating_sub(super::part(here.saturating_sub(next), rest.wrapping_shl(7)));
    u64::from(halvings).saturating_mul(LN_2).saturating_add(rest)
}

#[rustfmt::skip]
const TABLE: [u32; 65] = [
    2_977_044_472, 2_910_454_498, 2_844_881_204, 2_780_294_013, 2_716_663_704, 2_653_962_338, 2_592_163_181, 2_531_240_638,
    2_471_170_186, 2_411_928_318, 2_353_492_488, 2_295_841_054, 2_238_953_239, 2_182_809_076, 2_127_389_374, 2_072_675_675,
    2_018_650_217, 1_965_295_899, 1_912_596_253, 1_860_535_406, 1_809_098_057, 1_758_269_449, 1_708_035_340, 1_658_381_986,
    1_609_296_111, 1_560_764_891, 1_512_775_930, 1_465_317_245, 1_418_377_245, 1_371_944_714, 1_326_008_797, 1_280_558_983,
    1_235_585_093, 1_191_077_261, 1_147_025_929, 1_103_421_825, 1_060_255_961, 1_017_519_616, 975_204_325, 933_301_872,
    891_804_281, 850_703_802, 809_992_907, 769_664_279, 729_710_807, 690_125_574, 650_901_856, 612_033_109,
    573_512_964, 535_335_226, 497_493_860, 459_982_990, 422_796_893, 385_929_995, 349_376_861, 313_132_196,
    277_190_838, 241_547_751, 206_198_026, 171_136_874, 136_359_621, 101_861_706, 67_638_678, 33_686_191,
    0,
];
