//! What a worker knows of budgets, so that most requests are decided without a look at what all workers share.
//!
//! 1. Requests are counted here and written together: after 64 of them, or after a tenth of a second.
//! 2. Retries are written at once.
//! 3. When half of a budget is known to be spent, every request is written and looks at what is left.
//!
//! What is forgotten here are requests, so that there are fewer retries than there might be, and never more. Retries that
//! could not be written, because other workers were first every time, stay until they are, or are too old to count.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::time::Duration;

use kit::time::Timestamp;

use crate::budget::{Budget, Totals};

/// How many requests are written together.
pub(crate) const BATCH: u64 = 64;

/// For how long what is known is believed.
const FRESH: Duration = Duration::from_millis(100);

/// For how many keys something is known at once.
const MOST: usize = 1_024;

/// What is known of the budget of one key.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(crate) struct Known {
    /// What all workers had counted when they were last looked at.
    totals: Totals,
    read: Timestamp,
    /// Requests that aren't written yet, and when the first of them came.
    requests: u64,
    since: Timestamp,
    /// Retries that could not be written, because other workers were first every time, and when the last of them came.
    retries: u64,
    tried: Timestamp,
}

impl Known {
    /// Notes a request.
    pub(crate) fn request(&mut self, now: Timestamp) {
        if self.requests == 0 {
            self.since = now;
        }
        self.requests = self.requests.saturating_add(1);
    }

    /// Notes retries.
    pub(crate) fn retries(&mut self, retries: u64, now: Timestamp) {
        self.retries = self.retries.saturating_add(retries);
        self.tried = now;
    }

    /// Tells whether what is known is enough to decide by.
    pub(crate) fn is_enough(&self, budget: &Budget, now: Timestamp) -> bool {
        let fresh = self.read <= now && now.since(self.read) < FRESH;
        fresh && self.requests < BATCH && self.retries == 0 && !budget.is_near(self.totals())
    }

    /// Returns what is to be written: requests, and retries. Those of another time are no longer of use.
    pub(crate) fn due(&self, budget: &Budget, now: Timestamp) -> (u64, u64) {
        let current = self.since <= now && now.since(self.since) < budget.window();
        let requests = if current { self.requests } else { 1.min(self.requests) };
        (requests, if self.owes(budget, now) { self.retries } else { 0 })
    }

    /// Tells whether there are retries that others should know of. A clock that is turned back is no reason to forget.
    fn owes(&self, budget: &Budget, now: Timestamp) -> bool {
        self.retries != 0 && now.since(self.tried) < budget.window()
    }

    /// Returns what is known after everything was written.
    pub(crate) fn read(totals: Totals, now: Timestamp) -> Self {
        Self { totals, read: now, ..Self::default() }
    }

    /// Returns what was counted, with what isn't written yet.
    pub(crate) fn totals(&self) -> Totals {
        Totals {
            requests: self.totals.requests.saturating_add(self.requests),
            retries: self.totals.retries.saturating_add(self.retries),
        }
    }
}

/// What this worker knows, by the hashes of keys.
#[derive(Debug, Default)]
pub(crate) struct Ledger {
    known: RefCell<BTreeMap<u64, Known>>,
}

impl Ledger {
    /// Returns what is known of a key.
    pub(crate) fn of(&self, key: u64) -> Known {
        self.known.try_borrow().ok().and_then(|known| known.get(&key).copied()).unwrap_or_default()
    }

    /// Keeps what is known of a key. Where there are too many, all others are forgotten but those with retries that aren't
    /// written yet; if all are of these, that of which the last ones are the oldest.
    pub(crate) fn keep(&self, key: u64, news: Known, budget: &Budget, now: Timestamp) {
        let Ok(mut known) = self.known.try_borrow_mut() else {
            return;
        };
        if MOST <= known.len() && !known.contains_key(&key) {
            known.retain(|_, known| known.owes(budget, now));
            if MOST <= known.len()
                && let Some(oldest) = known.iter().min_by_key(|(_, known)| known.tried).map(|(key, _)| *key)
            {
                known.remove(&oldest);
            }
        }
        known.insert(key, news);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    #[cfg(target_arch = "wasm32")]
    use wasm_bindgen_test::wasm_bindgen_test as test;

    const START: Timestamp = Timestamp::from_seconds(1_000);

    #[test]
    fn requests_are_written_after_a_batch_or_a_tenth_of_a_second() {
        let budget = Budget::DEFAULT;
        let mut known = Known::default();
        known.request(START);
        assert!(!known.is_enough(&budget, START), "nothing is known");
        let mut known = Known::read(Totals { requests: 1, retries: 0 }, START);
        for _ in 1..BATCH {
            known.request(START);
            assert!(known.is_enough(&budget, START));
        }
        known.request(START);
        assert!(!known.is_enough(&budget, START));
        assert_eq!(known.due(&budget, START), (BATCH, 0));
        let mut known = Known::read(Totals::default(), START);
        known.request(START);
        assert!(known.is_enough(&budget, START.after(Duration::from_millis(99))));
        assert!(!known.is_enough(&budget, START.after(FRESH)));
        assert!(
            !known.is_enough(&budget, START.before(Duration::from_nanos(1))),
            "the clock was turned back"
        );
    }

    #[test]
    fn near_the_end_of_a_budget_every_request_looks() {
        let budget = Budget::DEFAULT;
        // 30 in ten seconds, and a fifth of a hundred requests.
        assert!(Known::read(Totals { requests: 100, retries: 24 }, START).is_enough(&budget, START));
        assert!(!Known::read(Totals { requests: 100, retries: 25 }, START).is_enough(&budget, START));
    }

    #[test]
    fn requests_of_long_ago_are_not_written_late() {
        let budget = Budget::DEFAULT;
        let mut known = Known::read(Totals::default(), START);
        for _ in 0..10 {
            known.request(START);
        }
        assert_eq!(known.due(&budget, START.after(Duration::from_secs(9))), (10, 0));
        assert_eq!(known.due(&budget, START.after(Duration::from_secs(10))), (1, 0));
        assert_eq!(known.due(&budget, START.before(Duration::from_secs(1))), (1, 0));
    }

    #[test]
    fn what_is_known_is_bounded() {
        let (ledger, budget) = (Ledger::default(), Budget::DEFAULT);
        for key in 0..10_000 {
            ledger.keep(key, Known::default(), &budget, START);
        }
        assert!(ledger.known.borrow().len() <= MOST);
        let news = Known::read(Totals { requests: 1, retries: 1 }, START);
        ledger.keep(9_999, news, &budget, START);
        assert_eq!(ledger.of(9_999), news);
        assert_eq!(ledger.of(0), Known::default());
    }

    #[test]
    fn retries_that_are_not_written_yet_are_not_forgotten_while_they_count_and_are_bounded_too() {
        let (ledger, budget) = (Ledger::default(), Budget::DEFAULT);
        let owing = |at: Timestamp| {
            let mut known = Known::default();
            known.retries(2, at);
            known
        };
        ledger.keep(1, owing(START), &budget, START);
        for key in 10..10_000 {
            ledger.keep(key, Known::default(), &budget, START);
        }
        assert_eq!(ledger.of(1).due(&budget, START), (0, 2));
        assert_eq!(
            ledger.of(1).due(&budget, START.before(Duration::from_secs(60))),
            (0, 2),
            "a clock turned back"
        );
        // Too old to count, and no reason to be kept.
        let later = START.after(budget.window());
        assert_eq!(ledger.of(1).due(&budget, later), (0, 0));
        for key in 10_000..20_000 {
            ledger.keep(key, Known::default(), &budget, later);
        }
        assert_eq!(ledger.of(1), Known::default());
        for key in 0..2_000 {
            let at = later.after(Duration::from_millis(key));
            ledger.keep(key, owing(at), &budget, at);
            assert!(ledger.known.borrow().len() <= MOST);
        }
        assert_eq!((ledger.of(0).retries, ledger.of(1_999).retries), (0, 2), "the oldest goes first");
    }
}
