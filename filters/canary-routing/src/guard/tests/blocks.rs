//! What a block is worth: exactly what was promised, by going through everything that can happen.
#![expect(clippy::float_arithmetic, reason = "probabilities")]

use kit::units::Fraction;
use proptest::prelude::*;
#[cfg(target_arch = "wasm32")]
use wasm_bindgen_test::wasm_bindgen_test as test;

use super::super::block::Pair;
use super::Count;

fn pair(baseline: [u32; 2], variant: [u32; 2]) -> Pair {
    let count = |[requests, failures]: [u32; 2]| Count { requests, failures };
    Pair { baseline: count(baseline), variant: count(variant) }
}

/// Returns in how many ways so many can be chosen.
fn choose(all: u32, some: u32) -> f64 {
    (0..some).map(|number| f64::from(all - number) / f64::from(number + 1)).product()
}

/// The definition: the probabilities of a worse and of an equal variant to have so many of the failures.
pub(super) fn factor(a: [u32; 2], b: [u32; 2], ratio: f64) -> f64 {
    let failures = a[1] + b[1];
    let ways = |its: u32| choose(b[0], its) * choose(a[0], failures - its);
    let possible = (0..=failures).filter(|its| *its <= b[0] && failures - its <= a[0]);
    let weigh = |its: u32| ways(its) * ratio.powi(i32::try_from(its).unwrap());
    let equal: f64 = possible.clone().map(ways).sum();
    let worse: f64 = possible.map(weigh).sum();
    (weigh(b[1]) / worse / (ways(b[1]) / equal)).ln()
}

proptest! {
    #[test]
    fn a_factor_is_a_ratio_of_probabilities(
        a in (0_u32..60, 0_u32..60), b in (0_u32..60, 0_u32..60), ratio in 1.0_f64..500.0,
    ) {
        let (a, b) = ([a.0 + a.1, a.1], [b.0 + b.1, b.1]);
        let found = pair(a, b).factor(ratio);
        prop_assert!((found - factor(a, b, ratio)).abs() < 1e-6, "{found}");
    }

    #[test]
    fn its_expectation_is_one_if_the_variant_is_equal(
        a in 0_u32..40, b in 0_u32..40, failures in 0_u32..80, ratio in 1.0_f64..500.0,
    ) {
        let failures = failures.min(a + b);
        let mut expectation = 0.0;
        for its in 0..=failures.min(b) {
            if failures - its <= a {
                let probability = choose(b, its) * choose(a, failures - its) / choose(a + b, failures);
                expectation += probability * pair([a, failures - its], [b, its]).factor(ratio).exp();
            }
        }
        prop_assert!((expectation - 1.0).abs() < 1e-9, "{expectation}");
    }

    #[test]
    fn counts_of_any_size_give_a_number(
        a in any::<(u32, u32)>(), b in any::<(u32, u32)>(), some in 0_u32..5_000, ratio in 1.0_f64..1e6,
    ) {
        let count = |(x, y): (u32, u32)| [x.max(y), x.min(y).min(some)];
        let found = pair(count(a), count(b)).factor(ratio);
        prop_assert!(found.is_finite(), "{found}");
    }

    #[test]
    fn a_bet_is_always_that_the_variant_is_worse(a in any::<(u32, u32)>(), b in any::<(u32, u32)>()) {
        let count = |(x, y): (u32, u32)| [x.max(y), x.min(y)];
        for worse_by in [0, 1, 90] {
            let ratio = pair(count(a), count(b)).odds_ratio(Fraction::percent(worse_by));
            prop_assert!((1.0..=1e6).contains(&ratio), "{ratio}");
        }
    }
}

/// Returns the expectation of the factor of a block that ends as blocks do, only earlier: with a failure once there were
/// four requests, or with the ninth.
fn expectation(weight: f64, rates: [f64; 2], ratio: f64, counts: [[u32; 2]; 2]) -> f64 {
    let [a, b] = counts;
    let (requests, failures) = (a[0] + b[0], a[1] + b[1]);
    if (4 <= requests && 0 < failures) || 9 <= requests {
        return pair(a, b).factor(ratio).exp();
    }
    let mut sum = 0.0;
    for (variant, share) in [(0, 1.0 - weight), (1, weight)] {
        for (failed, probability) in [(0, 1.0 - rates[variant]), (1, rates[variant])] {
            let mut next = counts;
            next[variant] = [next[variant][0] + 1, next[variant][1] + failed];
            sum += share * probability * expectation(weight, rates, ratio, next);
        }
    }
    sum
}

#[test]
fn blocks_may_end_because_something_failed() {
    for weight in [0.01, 0.3, 0.5, 0.9] {
        for rate in [0.001, 0.1, 0.3, 0.9] {
            for ratio in [1.5, 20.0] {
                let equal = expectation(weight, [rate, rate], ratio, [[0, 0]; 2]);
                assert!((equal - 1.0).abs() < 1e-9, "{weight} {rate} {ratio}: {equal}");
                let better = expectation(weight, [rate, rate * 0.7], ratio, [[0, 0]; 2]);
                assert!(better < 1.0, "{weight} {rate} {ratio}: {better}");
                let worse = expectation(weight, [rate * 0.7, rate], ratio.sqrt(), [[0, 0]; 2]);
                assert!(1.0 < worse || 1.5 < ratio, "{weight} {rate} {ratio}: {worse}");
            }
        }
    }
}

#[test]
fn with_factors_of_rates_they_may_not() {
    // The example that stands at the top of the module: by turns, until a failure or the second request.
    let (a, b, mixed, rate): (f64, f64, f64, f64) = (0.1, 0.5, 0.3, 0.3);
    let first = 1.0;
    let second = (1.0 - a) * b / ((1.0 - mixed) * mixed);
    let neither = (1.0 - a) * (1.0 - b) / (1.0 - mixed).powi(2);
    let expectation = rate * first + (1.0 - rate) * rate * second + (1.0 - rate).powi(2) * neither;
    assert!((expectation - 1.2).abs() < 1e-9, "{expectation}");
}

#[test]
fn a_block_with_one_side_only_or_without_failures_says_nothing() {
    for (a, b) in [([9, 4], [0, 0]), ([0, 0], [9, 4]), ([90, 0], [9, 0]), ([5, 5], [3, 3]), ([0, 0], [0, 0])]
    {
        assert!(pair(a, b).factor(7.0).abs() < 1e-12, "{a:?} {b:?}");
    }
}

#[test]
fn differences_are_compared_exactly() {
    for (a, b, by, expected) in [
        ([100, 1], [100, 2], 1, true),
        ([100, 1], [1_000, 19], 1, false),
        ([u32::MAX, 0], [u32::MAX, u32::MAX], 100, true),
        ([0, 0], [10, 10], 0, false),
        ([10, 0], [0, 0], 0, false),
        ([10, 2], [10, 2], 0, true),
        ([10, 3], [10, 2], 0, false),
    ] {
        assert_eq!(pair(a, b).differs_by(Fraction::percent(by)), expected, "{a:?} {b:?}");
    }
}
