//! The generic cell rate algorithm: a token bucket kept as one instant.
//!
//! The instant is the theoretical arrival time: when the bucket will be full again. A request of cost `c` moves it
//! by `c` intervals from where it is, or from now if it has passed, and is admitted if it then lies no further
//! ahead than the burst allows. So admitted requests occupy disjoint pieces of the time axis, none of which began
//! before its request came, and any window of length `w` holds at most `burst + w / interval` of them.

use std::time::Duration;

use kit::time::{Timestamp, nanos};

/// How far a stored instant may lie beyond what a limit can produce before it is taken for a clock that was turned
/// back, and mended: workers read the clock a little apart from each other.
const CLOCK_STEP: Duration = Duration::from_secs(1);

/// A limit in the terms of the algorithm.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Limit {
    /// The time that one unit of cost takes to come back, in nanoseconds, rounded up: the configured rate is never
    /// exceeded.
    interval: u64,
    /// The units that may be spent at once.
    burst: u64,
}

/// A request that a limit does not admit.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Exhausted {
    /// It would be admitted at this instant, and at no earlier one.
    Until(Timestamp),
    /// It costs more than the limit ever has.
    Never,
}

impl Limit {
    /// Makes a limit of so many units in a time, that come back evenly. None if there would be no unit at all.
    pub(crate) fn new(requests: u64, per: Duration, burst: u64) -> Option<Self> {
        let interval = nanos(per).checked_next_multiple_of(requests)?.checked_div(requests)?;
        Some(Self { interval, burst })
    }

    /// Returns the time in which an empty bucket is full again, in nanoseconds.
    pub(crate) fn tolerance(self) -> u64 {
        self.interval.saturating_mul(self.burst)
    }

    /// Returns the time that a cost takes to come back, in nanoseconds.
    pub(crate) fn time_of(self, cost: u64) -> u64 {
        // A product that may overflow is a call in WebAssembly, and most requests cost one.
        if cost == 1 { self.interval } else { self.interval.saturating_mul(cost) }
    }

    /// Decides on a cost, and returns the theoretical arrival time after it.
    pub(crate) fn admit(self, arrival: Timestamp, cost: u64, now: Timestamp) -> Result<Timestamp, Exhausted> {
        if self.burst < cost {
            return Err(Exhausted::Never);
        }
        let start = self.start(arrival, now);
        let next = Timestamp::from_nanos(start.nanos().saturating_add(self.time_of(cost)));
        if next <= self.ceiling(now) {
            Ok(next)
        } else {
            Err(Exhausted::Until(Timestamp::from_nanos(next.nanos().saturating_sub(self.tolerance()))))
        }
    }

    /// Charges a cost that was admitted before it was known, as far as there is something left.
    pub(crate) fn charge(self, arrival: Timestamp, cost: u64, now: Timestamp) -> Timestamp {
        let start = self.start(arrival, now);
        Timestamp::from_nanos(start.nanos().saturating_add(self.time_of(cost))).min(self.ceiling(now))
    }

    /// Returns how many units could be spent at once.
    pub(crate) fn remaining(self, arrival: Timestamp, now: Timestamp) -> u64 {
        let left = self.ceiling(now).since(self.start(arrival, now));
        nanos(left).checked_div(self.interval).unwrap_or(0).min(self.burst)
    }

    /// Returns when the bucket is full again.
    pub(crate) fn full_at(self, arrival: Timestamp, now: Timestamp) -> Timestamp {
        self.start(arrival, now)
    }

    /// Tells whether the instant lies so far ahead that only a clock that was turned back can have left it.
    pub(crate) fn is_astray(self, arrival: Timestamp, now: Timestamp) -> bool {
        self.ceiling(now).after(CLOCK_STEP) < arrival
    }

    /// Returns where the next piece of the time axis begins: never further ahead than the limit can reach.
    fn start(self, arrival: Timestamp, now: Timestamp) -> Timestamp {
        arrival.max(now).min(self.ceiling(now))
    }

    fn ceiling(self, now: Timestamp) -> Timestamp {
        now.after(Duration::from_nanos(self.tolerance()))
    }
}

#[cfg(test)]
#[expect(clippy::arithmetic_side_effects, reason = "a test may overflow: it would fail")]
mod tests;
