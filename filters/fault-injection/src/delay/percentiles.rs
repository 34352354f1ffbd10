//! A distribution as a dashboard shows it: `p50: 10ms, p90: 100ms, p99: 1s`, with straight lines between.

use std::time::Duration;

use kit::config::Node;
use kit::time::nanos;
use kit::units::Fraction;

use super::time;

/// A distribution by its percentiles.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Percentiles {
    /// How many draws are not above a delay, in parts of 2^64, and the delay; both go up.
    points: Vec<(u128, Duration)>,
}

impl Percentiles {
    /// Reads percentiles: from `p0`, which is zero if it isn't there, to the last one, which is the longest delay.
    pub(super) fn parse(node: &Node<'_>) -> Option<Self> {
        let entries = node.object()?.entries();
        if entries.is_empty() {
            node.refuse("must not be empty (example: {p50: 10ms, p99: 1s})");
            return None;
        }
        let mut points = Vec::new();
        let mut is_whole = true;
        for (name, node) in entries {
            match (share(name), time(&node)) {
                (Some(share), Some(time)) => points.push((share, time)),
                (None, _) => {
                    node.refuse("is not a percentile: p and a number from 0 to 100 (examples: p50, p99.9)");
                    is_whole = false;
                }
                (Some(_), None) => is_whole = false,
            }
        }
        points.sort_by_key(|(share, _)| *share);
        for (before, after) in points.iter().zip(points.iter().skip(1)) {
            if after.0 == before.0 {
                node.refuse("has a percentile twice");
                return None;
            }
            if after.1 < before.1 {
                node.refuse("has a percentile that is less than a lower one");
                return None;
            }
        }
        is_whole.then_some(Self { points })
    }

    pub(super) fn of(&self, draw: u64) -> Duration {
        let draw = u128::from(draw);
        let mut before = (0, Duration::ZERO);
        for point in &self.points {
            if draw < point.0 {
                let run = point.0.saturating_sub(before.0).max(1);
                let rise = nanos(point.1.saturating_sub(before.1));
                let done = draw.saturating_sub(before.0);
                // At most 2^39 nanoseconds times 2^64 draws.
                let more = u128::from(rise).saturating_mul(done).checked_div(run).unwrap_or(0);
                return before
                    .1
                    .saturating_add(Duration::from_nanos(u64::try_from(more).unwrap_or(u64::MAX)));
            }
            before = *point;
        }
        before.1
    }
}

/// Reads `p99.9` as a share of 2^64.
fn share(name: &str) -> Option<u128> {
    let fraction = Fraction::parse(&format!("{}%", name.strip_prefix('p')?)).ok()?;
    u128::from(fraction.parts_per_billion()).saturating_mul(1 << 64).checked_div(1_000_000_000)
}
