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

/// An instant on a clock that is never turned back, whatever becomes of the wall clock: nanoseconds since some start.
#[derive(Clone, Copy, Debug, Default, Eq, Ord, PartialEq, PartialOrd)]
pub struct Uptime(u64);

impl Uptime {
    /// Makes an instant from nanoseconds.
    pub const fn from_nanos(nanos: u64) -> Self {
        Self(nanos)
    }

    /// Returns the instant this much later, or the last one there is.
    pub fn after(self, by: Duration) -> Self {
        Self(self.0.saturating_add(nanos(by)))
    }

    /// Returns how long ago `earlier` was, or zero if it lies in the future.
    pub fn since(self, earlier: Self) -> Duration {
        Duration::from_nanos(self.0.saturating_sub(earlier.0))
    }
}

/// An instant that somebody waits for: as it was asked for, and when that is on a clock that is never turned back.
///
/// So who waits for a second waits for a second, also when the wall clock goes back an hour meanwhile.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Alarm {
    at: Timestamp,
    due: Uptime,
}

impl Alarm {
    /// Sets an alarm; `now` and `uptime` are the present on both clocks.
    pub fn new(at: Timestamp, now: Timestamp, uptime: Uptime) -> Self {
        Self { at, due: uptime.after(at.since(now)) }
    }

    /// Returns the instant that was asked for.
    pub fn at(self) -> Timestamp {
        self.at
    }

    /// Returns when it goes off.
    pub fn due(self) -> Uptime {
        self.due
    }

    /// Returns the time for whoever is woken by it: never before the instant that was asked for.
    pub fn now(self, now: Timestamp) -> Timestamp {
        self.at.max(now)
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

#[cfg(test)]
mod tests {
    use super::*;
    #[cfg(target_arch = "wasm32")]
    use wasm_bindgen_test::wasm_bindgen_test as test;

    #[test]
    fn who_waits_a_second_waits_a_second_when_the_clock_is_turned_back() {
        let (now, uptime) = (Timestamp::from_seconds(7_200), Uptime::from_nanos(5));
        let second = Duration::from_secs(1);
        let alarm = Alarm::new(now.after(second), now, uptime);
        assert_eq!(alarm.due(), uptime.after(second));
        let an_hour_ago = now.before(Duration::from_secs(3_600));
        assert_eq!(alarm.now(an_hour_ago), alarm.at(), "whoever is woken finds the instant come");
        let late = now.after(Duration::from_secs(2));
        assert_eq!(alarm.now(late), late);
    }

    #[test]
    fn what_is_over_is_due_at_once() {
        let (now, uptime) = (Timestamp::from_seconds(7_200), Uptime::from_nanos(5));
        assert_eq!(Alarm::new(Timestamp::EPOCH, now, uptime).due(), uptime);
    }
}
