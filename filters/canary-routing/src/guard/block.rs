//! What one block of requests says about a variant and the baseline: a factor of the evidence.

use kit::units::Fraction;

use super::window::Count;

/// The largest ratio of odds that is believed in: what is beyond it is found as soon.
const LARGEST: f64 = 1e6;

/// Sums are scaled down when they are larger.
const LARGE: f64 = 1e100;

/// What was counted of a variant and of the baseline.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(super) struct Pair {
    pub(super) baseline: Count,
    pub(super) variant: Count,
}

impl Pair {
    /// Tells whether the variant's share of failures is larger than the baseline's by this much at least.
    pub(super) fn differs_by(self, by: Fraction) -> bool {
        let (a, b) = (self.baseline, self.variant);
        let product = |x: u32, y: u32| u128::from(x).saturating_mul(y.into());
        let billion = |x: u128| x.saturating_mul(1_000_000_000);
        let least = product(a.requests, b.requests).saturating_mul(by.parts_per_billion().into());
        let (mine, its) = (product(b.failures, a.requests), product(a.failures, b.requests));
        0 < product(a.requests, b.requests) && billion(its).saturating_add(least) <= billion(mine)
    }

    /// Returns the ratio of odds to bet on after this was seen: about what was found, and no less than what
    /// makes a difference of `worse_by`.
    #[expect(clippy::float_arithmetic, reason = "an estimate")]
    pub(super) fn odds_ratio(self, worse_by: Fraction) -> f64 {
        let rate = |count: Count, failures: f64, requests: f64| {
            (f64::from(count.failures) + failures) / (f64::from(count.requests) + requests)
        };
        let by = f64::from(u32::try_from(worse_by.parts_per_billion()).unwrap_or(u32::MAX)) / 1e9;
        // Before anything was seen, one of twenty requests to the baseline fails, and one of two to the variant.
        let baseline = rate(self.baseline, 0.5, 10.0);
        let variant = rate(self.variant, 0.5, 1.0).max(baseline + by).min(0.9999);
        let ratio = variant * (1.0 - baseline) / (baseline * (1.0 - variant));
        ratio.clamp(1.0, LARGEST)
    }

    /// Returns the logarithm of the factor: how much likelier the variant's number of failures is if its odds of
    /// failing are so many times those of the baseline, given how many requests of the block failed.
    #[expect(clippy::float_arithmetic, reason = "evidence is a logarithm")]
    pub(super) fn factor(self, ratio: f64) -> f64 {
        let (a, b) = (self.baseline, self.variant);
        let failures = a.failures.saturating_add(b.failures);
        let low = failures.saturating_sub(a.requests);
        let high = failures.min(b.requests);
        // Each term is the number of ways in which so many of the failures could have been the variant's.
        let (mut equal, mut worse) = (Sum::new(), Sum::new());
        for its in low..high {
            let others = failures.saturating_sub(its);
            let left = a.requests.saturating_sub(others).saturating_add(1);
            let step = f64::from(b.requests.saturating_sub(its)) * f64::from(others)
                / (f64::from(its.saturating_add(1)) * f64::from(left));
            equal.next(step);
            worse.next(step * ratio);
        }
        f64::from(b.failures.saturating_sub(low)) * ratio.ln() + equal.ln() - worse.ln()
    }
}

/// A sum of terms, each of which is a multiple of the one before.
struct Sum {
    term: f64,
    sum: f64,
    scaled: f64,
}

#[expect(clippy::float_arithmetic, reason = "a sum of products that may be very large")]
impl Sum {
    const fn new() -> Self {
        Self { term: 1.0, sum: 1.0, scaled: 0.0 }
    }

    fn next(&mut self, step: f64) {
        self.term *= step;
        self.sum += self.term;
        if LARGE < self.sum {
            self.term /= LARGE;
            self.sum /= LARGE;
            self.scaled += LARGE.ln();
        }
    }

    fn ln(&self) -> f64 {
        self.sum.ln() + self.scaled
    }
}
