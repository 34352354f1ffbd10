//! Time as a value: an instant that somebody hands in, with arithmetic that saturates.

use std::fmt;
use std::time::Duration;

/// Nanoseconds in a second.
const SECOND: u64 = 1_000_000_000;

/// An instant on the wall clock: nanoseconds since 1970-01-01T00:00:00Z.
///
/// The wall clock may go backwards; whoever keeps an instant must expect one that lies in the future.
#[derive(Clone, Copy, Debug, Default, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct Timestamp(u64);

impl Timestamp {
    /// The first instant: before anything that happens.
    pub const EPOCH: Self = Self(0);

    /// Makes an instant from nanoseconds since 1970.
    pub const fn from_nanos(nanos: u64) -> Self {
        Self(nanos)
    }

    /// Makes an instant from seconds since 1970.
    pub const fn from_seconds(seconds: u64) -> Self {
        Self(seconds.saturating_mul(SECOND))
    }

    /// Returns the nanoseconds since 1970.
    pub const fn nanos(self) -> u64 {
        self.0
    }

    /// Returns the whole seconds since 1970.
    pub const fn seconds(self) -> u64 {
        self.0 / SECOND
    }

    /// Returns the instant this much later, or the last one there is.
    pub fn after(self, by: Duration) -> Self {
        Self(self.0.saturating_add(nanos(by)))
    }

    /// Returns the instant this much earlier, or the first one there is.
    pub fn before(self, by: Duration) -> Self {
        Self(self.0.saturating_sub(nanos(by)))
    }

    /// Returns how long ago `earlier` was, or zero if it lies in the future.
    pub fn since(self, earlier: Self) -> Duration {
        Duration::from_nanos(self.0.saturating_sub(earlier.0))
    }
}

impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{:09}", self.0 / SECOND, self.0 % SECOND)
    }
}

/// Returns a duration in nanoseconds; more than 584 years saturate.
pub fn nanos(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}

/// Returns a duration in seconds, rounded up: a wait that is announced never ends too early.
pub fn seconds_up(duration: Duration) -> u64 {
    nanos(duration).div_ceil(SECOND)
}
