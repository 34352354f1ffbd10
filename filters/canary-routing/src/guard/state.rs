//! What a variant is: closed like a fuse that holds, tripped, or recovering.

use std::time::Duration;

use kit::time::{Timestamp, nanos};

use super::{Open, Recovery};

/// The whole of a range.
const WHOLE: u32 = 10_000;

/// How often in a row the time until a variant is tried again doubles.
const DOUBLINGS: u8 = 3;

/// A clock that differs by less than this was not turned back: workers look at it at different instants.
const TOLERANCE: Duration = Duration::from_secs(1);

/// The states of a variant, as its gauge shows them.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(crate) enum State {
    /// It has its traffic.
    #[default]
    Closed,
    /// It has none.
    Tripped,
    /// It gets more and more of it.
    Recovering,
}

/// A state and how it came to be.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(super) struct Phase {
    pub(super) state: State,
    /// How often it has tripped since it was closed.
    pub(super) trips: u8,
    /// When the state began; of no meaning for the closed one.
    pub(super) since: Timestamp,
}

impl State {
    /// Returns the number that stands for it in gauges and records.
    pub(crate) const fn number(self) -> u8 {
        match self {
            Self::Closed => 0,
            Self::Tripped => 1,
            Self::Recovering => 2,
        }
    }

    /// Returns the state of a number.
    pub(super) const fn of(number: u8) -> Option<Self> {
        match number {
            0 => Some(Self::Closed),
            1 => Some(Self::Tripped),
            2 => Some(Self::Recovering),
            _ => None,
        }
    }
}

impl Phase {
    /// Returns what becomes of it when it trips.
    pub(super) fn tripped(self, now: Timestamp) -> Self {
        Self { state: State::Tripped, trips: self.trips.saturating_add(1), since: now }
    }

    /// Returns how long it stays tripped, or none if it does so until it is reset.
    pub(super) fn cooldown(self, recovery: Recovery) -> Option<Duration> {
        let Recovery::Automatic { cooldown, .. } = recovery else {
            return None;
        };
        let doublings = self.trips.saturating_sub(1).min(DOUBLINGS);
        Some(cooldown.saturating_mul(1_u32.checked_shl(doublings.into()).unwrap_or(1)))
    }

    /// Returns what it is by now.
    pub(super) fn at(self, recovery: Recovery, now: Timestamp) -> Self {
        let is_ahead = TOLERANCE < self.since.since(now);
        let elapsed = now.since(self.since);
        match (self.state, recovery) {
            (State::Closed, _) => self,
            // The clock was turned back: nobody knows how long ago it was.
            (State::Tripped | State::Recovering, _) if is_ahead => Self { since: now, ..self },
            (State::Tripped, _) => {
                let is_over = self.cooldown(recovery).is_some_and(|cooldown| cooldown <= elapsed);
                if is_over { Self { state: State::Recovering, since: now, ..self } } else { self }
            }
            (State::Recovering, Recovery::Automatic { recover_over, .. }) if elapsed < recover_over => self,
            (State::Recovering, _) => Self::default(),
        }
    }

    /// Tells how much of its range is open.
    pub(super) fn open(self, recovery: Recovery, now: Timestamp) -> Open {
        match (self.state, recovery) {
            (State::Closed, _) | (State::Recovering, Recovery::Manual) => Open::Whole,
            (State::Tripped, _) => Open::Closed,
            (State::Recovering, Recovery::Automatic { probe, recover_over, .. }) => {
                let (elapsed, all) = (nanos(now.since(self.since)), nanos(recover_over));
                let rest = u128::from(WHOLE.saturating_sub(probe)).saturating_mul(elapsed.into());
                let more = rest.checked_div(all.into()).and_then(|more| u32::try_from(more).ok());
                let parts = probe.saturating_add(more.unwrap_or(WHOLE));
                if parts < WHOLE { Open::First(parts) } else { Open::Whole }
            }
        }
    }
}
