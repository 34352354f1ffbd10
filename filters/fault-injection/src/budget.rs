//! How much of a fault there may be: at once, and in all, over all workers of the process.
//!
//! The record of an experiment is one value of shared data, replaced by compare and swap: a number of all faults, and
//! those in flight by the minute in which they began. A minute that is long past no longer counts, so what a VM had in
//! flight when it was lost comes back by itself.

use kit::store::{Change, Contended, Store};
use kit::time::Timestamp;

/// How many minutes a fault in flight counts, if nobody says that it is over.
pub(crate) const MINUTES: u64 = 15;

/// How often an update is tried before it counts as contended.
const TRIES: u32 = 64;

/// The format's version.
const FORMAT: u64 = 0x534c_5543_4642_0001;

/// One more than the minutes that count: the oldest one gives its place to the newest.
const SLOTS: usize = 16;

/// How much of a fault there may be.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(crate) struct Limits {
    /// How many streams at once.
    pub(crate) active: Option<u64>,
    /// How many in all.
    pub(crate) total: Option<u64>,
}

/// What a stream took, until it is over.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Ticket {
    minute: u32,
}

impl Limits {
    /// Tells whether there is anything to count.
    pub(crate) fn is_any(self) -> bool {
        self.active.is_some() || self.total.is_some()
    }

    /// Takes room for one more; none if there is none.
    ///
    /// # Errors
    ///
    /// [`Contended`] when other workers were first every time.
    pub(crate) fn take(
        self,
        store: &dyn Store,
        key: &[u8],
        now: Timestamp,
    ) -> Result<Option<Ticket>, Contended> {
        store.update(key, TRIES, |old| {
            let mut record = Record::read(old);
            match record.take(self, minute(now)) {
                Some(ticket) => Change::Write(record.bytes(), Some(ticket)),
                None => Change::Keep(None),
            }
        })
    }
}

impl Ticket {
    /// Gives the room back.
    ///
    /// # Errors
    ///
    /// [`Contended`] when other workers were first every time; then it comes back by itself.
    pub(crate) fn give_back(self, store: &dyn Store, key: &[u8]) -> Result<(), Contended> {
        store.update(key, TRIES, |old| {
            let mut record = Record::read(old);
            if record.give_back(self) { Change::Write(record.bytes(), ()) } else { Change::Keep(()) }
        })
    }
}

fn minute(now: Timestamp) -> u32 {
    u32::try_from(now.seconds() / 60).unwrap_or(u32::MAX)
}

/// The record of an experiment.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
struct Record {
    total: u64,
    /// The minute of a slot, and how many of it are in flight.
    slots: [(u32, u32); SLOTS],
}

impl Record {
    /// Reads a record; what has another shape counts as none.
    fn read(bytes: Option<&[u8]>) -> Self {
        let mut record = Self::default();
        let Some((words, [])) = bytes.map(<[u8]>::as_chunks::<8>) else {
            return record;
        };
        let mut words = words.iter().map(|word| u64::from_le_bytes(*word));
        if words.len() != SLOTS.saturating_add(2) || words.next() != Some(FORMAT) {
            return record;
        }
        record.total = words.next().unwrap_or(0);
        for (slot, word) in record.slots.iter_mut().zip(words) {
            let half = |word: u64| u32::try_from(word & u64::from(u32::MAX)).unwrap_or(0);
            *slot = (half(word >> 32), half(word));
        }
        record
    }

    fn bytes(&self) -> Vec<u8> {
        let slots = self.slots.iter().map(|(minute, count)| (u64::from(*minute) << 32) | u64::from(*count));
        [FORMAT, self.total].into_iter().chain(slots).flat_map(u64::to_le_bytes).collect()
    }

    /// Returns how many are in flight. Minutes to come, of a clock that was turned back, count as those that passed.
    fn active(&self, now: u32) -> u64 {
        let counts = |minute: u32| u64::from(minute.abs_diff(now)) < MINUTES;
        self.slots.iter().filter(|(minute, _)| counts(*minute)).map(|(_, count)| u64::from(*count)).sum()
    }

    fn take(&mut self, limits: Limits, now: u32) -> Option<Ticket> {
        let is_full = limits.active.is_some_and(|most| most <= self.active(now))
            || limits.total.is_some_and(|most| most <= self.total);
        if is_full {
            return None;
        }
        self.total = self.total.saturating_add(1);
        if limits.active.is_some() {
            let slot = self.slot(now)?;
            if slot.0 != now {
                *slot = (now, 0);
            }
            slot.1 = slot.1.saturating_add(1);
        }
        Some(Ticket { minute: now })
    }

    /// Returns whether there was anything to give back.
    fn give_back(&mut self, ticket: Ticket) -> bool {
        match self.slot(ticket.minute) {
            Some((minute, count)) if *minute == ticket.minute && 0 < *count => {
                *count = count.saturating_sub(1);
                true
            }
            Some(_) | None => false,
        }
    }

    fn slot(&mut self, minute: u32) -> Option<&mut (u32, u32)> {
        let place = usize::try_from(minute).ok()?.checked_rem(SLOTS)?;
        self.slots.get_mut(place)
    }
}

#[cfg(test)]
#[expect(clippy::arithmetic_side_effects, reason = "a test may overflow: it would fail")]
mod tests;
