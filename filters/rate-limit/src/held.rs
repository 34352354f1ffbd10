//! What a stream took from the shared state, and how it gives it back.

use std::rc::Rc;

use kit::exchange::Exchange;
use kit::store::Contended;
use kit::table::{KeyHash, Update};
use kit::time::Timestamp;

use crate::bucket::{Arrivals, Charge, Limits};
use crate::state::RuleState;

/// What a stream took.
pub(crate) struct Held {
    pub(crate) rule: usize,
    pub(crate) limits: Rc<Limits>,
    pub(crate) key: KeyHash,
    pub(crate) cost: u64,
    pub(crate) charge: Charge,
    /// Whether the charge depends on the response, which isn't there yet.
    pub(crate) open: bool,
}

impl Held {
    /// Charges what depended on the response, or lets it go; returns the arrival times after it.
    pub(crate) fn settle(
        &mut self,
        exchange: &mut Exchange<'_>,
        state: &RuleState,
        counts: bool,
    ) -> Option<Arrivals> {
        self.open = false;
        self.update(exchange, state, |words, now| {
            Some(self.limits.settle(words, &self.charge, self.cost, counts, now))
        })
    }

    /// Gives back what the end of the stream gives back, however it ended.
    pub(crate) fn end(mut self, exchange: &mut Exchange<'_>, state: &RuleState) {
        if self.open {
            // No answer came: nothing that is counted has happened.
            self.settle(exchange, state, false);
        }
        if self.limits.concurrency.is_some() {
            self.update(exchange, state, |words, now| {
                self.limits.release(words, &self.charge, now).then_some(())
            });
        }
    }

    /// Updates the entry of the key, if there is something to change.
    fn update<T>(
        &self,
        exchange: &mut Exchange<'_>,
        state: &RuleState,
        mut change: impl FnMut(&mut [u64], Timestamp) -> Option<T>,
    ) -> Option<T> {
        // The request of this stream made the table.
        let table = state.table.get()?;
        let now = exchange.now();
        let updated = table.update(
            exchange.store(),
            self.key,
            now,
            |words| self.limits.shape.free_at(words),
            |words| match change(words, now) {
                Some(answer) => Update::Write(Some(answer)),
                None => Update::Keep(None),
            },
        );
        match updated {
            Ok(updated) => {
                if updated.evicted {
                    exchange.count(state.counters.evicted);
                }
                updated.answer
            }
            Err(Contended) => {
                // What isn't given back comes back by itself in time.
                exchange.count(state.counters.contended);
                None
            }
        }
    }
}
