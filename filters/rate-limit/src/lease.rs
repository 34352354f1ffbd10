//! Leases: a worker reserves a piece of what a key has left, and decides alone until it is used up.
//!
//! A lease is an interval of the time axis that was charged to the shared bucket at once. The worker spends it as
//! the algorithm would: each request takes the next piece of it that hasn't passed yet. What passes unused is
//! lost to the worker, but it came back to the bucket meanwhile; so at no instant more is admitted than the
//! shared bucket alone would have admitted.
//!
//! What others hold unused is refused to everybody else, so a lease is taken only where that can't be seen: above
//! the last [`RESERVE`] units of a limit, a sixteenth of the rest at a time, and for a tenth of a second at the
//! most. A limit of up to that many units is exact to the request on all workers together.
//!
//! A refusal is remembered too, until the instant it names: nothing is admitted earlier, and a flood of refused
//! requests costs no shared state.

use std::cell::RefCell;
use std::time::Duration;

use kit::table::KeyHash;
use kit::time::{Timestamp, nanos};

use crate::bucket::{Charge, Limits, MAX_LIMITS, Refusal};

/// The units of a limit that are never leased.
pub(crate) const RESERVE: u64 = 1024;

/// How much time of a limit a lease takes at the most.
const HORIZON: Duration = Duration::from_millis(100);

/// The share of what is left above the reserve that one lease takes.
const SHARE: u64 = 16;

/// How many keys a worker remembers per rule: so many sets of [`WAYS`]; who knows least about the future goes.
const SETS: u64 = 128;

/// How many keys a set has room for.
const WAYS: usize = 4;

/// What a worker knows about keys of one rule.
#[derive(Debug, Default)]
pub(crate) struct Leases {
    sets: RefCell<Vec<Set>>,
}

/// Some keys by their tags, which stand together: a look at a set that nothing else has touched for a while is one at
/// a cache line, and at those of the key itself.
#[derive(Clone, Copy, Debug)]
struct Set {
    tags: [u64; WAYS],
    known: [Known; WAYS],
}

#[derive(Clone, Copy, Debug)]
enum Known {
    Nothing,
    Leased(Lease),
    /// Refused at the first instant until the second.
    Refused(Timestamp, Timestamp, Refusal),
}

/// An interval of the time axis for each limit.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Lease {
    /// Where the unused part begins.
    next: [Timestamp; MAX_LIMITS],
    /// Where it ends.
    end: [Timestamp; MAX_LIMITS],
}

impl Leases {
    /// Decides on a request by what the worker knows; none if the shared state must.
    pub(crate) fn decide(
        &self,
        key: KeyHash,
        limits: &Limits,
        cost: u64,
        now: Timestamp,
    ) -> Option<Result<Charge, Refusal>> {
        let mut sets = self.sets.try_borrow_mut().ok()?;
        match sets.get_mut(set_of(key))?.known(key)? {
            Known::Leased(lease) => lease.spend(limits, cost, now).map(Ok),
            Known::Refused(since, until, refusal) if *since <= now && now < *until => Some(Err(*refusal)),
            Known::Refused(..) | Known::Nothing => None,
        }
    }

    /// Returns the unused lease of a key.
    pub(crate) fn held(&self, key: KeyHash) -> Option<Lease> {
        let mut sets = self.sets.try_borrow_mut().ok()?;
        match sets.get_mut(set_of(key))?.known(key)? {
            Known::Leased(lease) => Some(*lease),
            Known::Refused(..) | Known::Nothing => None,
        }
    }

    /// Remembers a lease.
    pub(crate) fn keep(&self, key: KeyHash, lease: Lease) {
        self.remember(key, Known::Leased(lease));
    }

    /// Forgets what is known of a key: what was left of its lease went back, or is given up.
    pub(crate) fn forget(&self, key: KeyHash) {
        if let Ok(mut sets) = self.sets.try_borrow_mut()
            && let Some(known) = sets.get_mut(set_of(key)).and_then(|set| set.known(key))
        {
            *known = Known::Nothing;
        }
    }

    /// Remembers a refusal until the instant it names.
    pub(crate) fn refuse(&self, key: KeyHash, refusal: Refusal, now: Timestamp) {
        if let Some(until) = refusal.until {
            self.remember(key, Known::Refused(now, until, refusal));
        }
    }

    fn remember(&self, key: KeyHash, known: Known) {
        if let Ok(mut sets) = self.sets.try_borrow_mut() {
            if sets.is_empty() {
                let set = Set { tags: [0; WAYS], known: [Known::Nothing; WAYS] };
                sets.resize(usize::try_from(SETS).unwrap_or(0), set);
            }
            if let Some(set) = sets.get_mut(set_of(key)) {
                set.remember(key, known);
            }
        }
    }
}

impl Set {
    /// Returns what is known of a key, if it has a place.
    fn known(&mut self, key: KeyHash) -> Option<&mut Known> {
        let place = self.tags.iter().position(|tag| *tag == key.tag())?;
        self.known.get_mut(place)
    }

    fn remember(&mut self, key: KeyHash, known: Known) {
        if let Some(place) = self.known(key) {
            *place = known;
        } else if let Some((tag, place)) =
            self.tags.iter_mut().zip(&mut self.known).min_by_key(|(_, known)| known.until())
        {
            (*tag, *place) = (key.tag(), known);
        }
    }
}

impl Known {
    /// Returns the instant from which on it says nothing more.
    fn until(&self) -> Timestamp {
        match self {
            Self::Nothing => Timestamp::EPOCH,
            Self::Leased(lease) => lease.end.first().copied().unwrap_or_default(),
            Self::Refused(_, until, _) => *until,
        }
    }
}

impl Lease {
    /// Charges a lease behind a charge that was just made; none where exactness doesn't allow one.
    ///
    /// `words` are the theoretical arrival times after the charge, and after the lease.
    pub(crate) fn take(limits: &Limits, words: &mut [u64], cost: u64, now: Timestamp) -> Option<Self> {
        let units = limits
            .rates
            .iter()
            .zip(words.iter())
            .map(|(limit, word)| {
                let left = limit.remaining(Timestamp::from_nanos(*word), now).saturating_sub(RESERVE) / SHARE;
                nanos(HORIZON).checked_div(limit.time_of(1)).unwrap_or(0).min(left)
            })
            .min()?;
        // Whole requests, so that nothing is left over at its end.
        let units = units.checked_div(cost)?.checked_mul(cost).filter(|units| *units != 0)?;
        let mut lease = Self { next: [Timestamp::EPOCH; MAX_LIMITS], end: [Timestamp::EPOCH; MAX_LIMITS] };
        for (((limit, word), next), end) in
            limits.rates.iter().zip(words).zip(&mut lease.next).zip(&mut lease.end)
        {
            *next = Timestamp::from_nanos(*word);
            *word = word.saturating_add(limit.time_of(units));
            *end = Timestamp::from_nanos(*word);
        }
        Some(lease)
    }

    /// Gives the unused part back if nobody charged anything behind it.
    pub(crate) fn give_back(&self, limits: &Limits, words: &mut [u64]) {
        let ends = || limits.rates.iter().zip(&self.end).map(|(_, end)| end.nanos());
        if words.iter().copied().zip(ends()).all(|(word, end)| word == end) {
            for ((word, next), _) in words.iter_mut().zip(&self.next).zip(&limits.rates) {
                *word = next.nanos();
            }
        }
    }

    /// Takes the next piece for a request, if there is one that hasn't passed.
    fn spend(&mut self, limits: &Limits, cost: u64, now: Timestamp) -> Option<Charge> {
        let mut next = self.next;
        for ((limit, next), end) in limits.rates.iter().zip(&mut next).zip(&self.end) {
            let start = (*next).max(now);
            *next = Timestamp::from_nanos(start.nanos().saturating_add(limit.time_of(cost)));
            if *end < *next {
                return None;
            }
        }
        self.next = next;
        Some(Charge { arrivals: next, since: now })
    }
}

fn set_of(key: KeyHash) -> usize {
    usize::try_from(key.tag() % SETS).unwrap_or(0)
}

#[cfg(test)]
#[expect(clippy::arithmetic_side_effects, reason = "a test may overflow: it would fail")]
mod tests;
