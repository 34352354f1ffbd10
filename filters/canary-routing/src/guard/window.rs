//! What was seen of a variant in the window: its slices, and the evidence that each of them adds.

use kit::units::Fraction;

use super::Guard;
use super::block::Pair;

/// How many slices the window has.
pub(super) const SLICES: u8 = 6;

/// The number of slices as a length.
pub(super) const LENGTH: usize = 6;

/// Requests, and those of them that failed.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(super) struct Count {
    pub(super) requests: u32,
    pub(super) failures: u32,
}

impl Count {
    pub(super) fn plus(self, other: Self) -> Self {
        Self {
            requests: self.requests.saturating_add(other.requests),
            failures: self.failures.saturating_add(other.failures),
        }
    }

    pub(super) fn minus(self, other: Self) -> Self {
        Self {
            requests: self.requests.saturating_sub(other.requests),
            failures: self.failures.saturating_sub(other.failures),
        }
    }

    /// Tells whether more than a share of the requests failed.
    pub(super) fn exceeds(self, rate: Fraction) -> bool {
        let share = u128::from(rate.parts_per_billion()).saturating_mul(self.requests.into());
        share < u128::from(self.failures).saturating_mul(1_000_000_000)
    }
}

/// What was counted since a block began.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(super) struct Seen {
    /// All responses.
    pub(super) all: Count,
    /// Those that are evidence: not those to users whose requests had failed before.
    pub(super) news: Count,
}

impl Seen {
    pub(super) fn plus(self, other: Self) -> Self {
        Self { all: self.all.plus(other.all), news: self.news.plus(other.news) }
    }
}

/// A part of the window.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Slice {
    pub(super) count: Count,
    /// The logarithm of the factors of all blocks that ended in it.
    pub(super) evidence: f64,
}

/// The slices, the oldest first.
pub(super) type Window = [Slice; LENGTH];

/// Returns what was counted in the whole window.
pub(super) fn total(window: &Window) -> Count {
    window.iter().fold(Count::default(), |sum, slice| sum.plus(slice.count))
}

/// Returns the counts that show that a variant fails more than the baseline, if they do.
#[expect(clippy::float_arithmetic, reason = "evidence is a logarithm")]
pub(super) fn worse(baseline: &Window, variant: &Window, guard: &Guard) -> Option<Pair> {
    let mut pair = Pair::default();
    let mut evidence = 0.0;
    let mut found: Option<(f64, Pair)> = None;
    // Evidence begins at the beginning of every slice, and goes on until now.
    for (baseline, variant) in baseline.iter().zip(variant).rev() {
        pair.baseline = pair.baseline.plus(baseline.count);
        pair.variant = pair.variant.plus(variant.count);
        evidence += variant.evidence;
        let is_most = found.is_none_or(|(most, _)| most < evidence);
        if guard.threshold <= evidence && pair.differs_by(guard.worse_by) && is_most {
            found = Some((evidence, pair));
        }
    }
    found.map(|(_, pair)| pair)
}
