//! The decision itself: by what this worker has leased, or by the state that all workers share.

use kit::exchange::Exchange;
use kit::store::Contended;
use kit::table::{KeyHash, Update};

use crate::bucket::{Charge, Charging, Limits, Refusal};
use crate::config::{Cost, Rule};
use crate::lease::Lease;
use crate::state::RuleState;

/// A request that is to be charged, and to whom.
pub(crate) struct Asked<'a> {
    pub(crate) rule: &'a Rule,
    pub(crate) state: &'a RuleState,
    pub(crate) limits: &'a Limits,
    pub(crate) key: KeyHash,
    pub(crate) cost: u64,
}

impl Asked<'_> {
    /// Decides and charges: alone where this worker may, in the shared state otherwise.
    pub(crate) fn decide(&self, exchange: &mut Exchange<'_>) -> Result<Result<Charge, Refusal>, Contended> {
        let leases = self.limits.may_be_leased();
        if leases
            && let Some(known) = self.state.leases.decide(self.key, self.limits, self.cost, exchange.now())
        {
            return Ok(known);
        }
        self.decide_together(exchange, leases)
    }

    /// Decides and charges in the shared state. A function of its own, because most requests do without it.
    #[inline(never)]
    fn decide_together(
        &self,
        exchange: &mut Exchange<'_>,
        leases: bool,
    ) -> Result<Result<Charge, Refusal>, Contended> {
        let Self { rule, state, limits, key, cost } = *self;
        let now = exchange.now();
        let held = if leases { state.leases.held(key) } else { None };
        let table = state.table(exchange, rule);
        let updated = table.update(
            exchange.store(),
            key,
            now,
            |words| limits.shape.free_at(words),
            |words| {
                if let Some(held) = &held {
                    held.give_back(limits, words);
                }
                match limits.admit(words, cost, now) {
                    Ok(charge) if limits.charging == Charging::OnResponse && !limits.follows_requests() => {
                        Update::Keep((Ok(charge), None))
                    }
                    Ok(charge) => {
                        let lease = if leases { Lease::take(limits, words, cost, now) } else { None };
                        Update::Write((Ok(charge), lease))
                    }
                    Err(refusal) if refusal.mended => Update::Write((Err(refusal), None)),
                    Err(refusal) => Update::Keep((Err(refusal), None)),
                }
            },
        )?;
        if updated.evicted {
            exchange.count(state.counters.evicted);
        }
        let (decision, lease) = updated.answer;
        if held.is_some() {
            // Given back or given up: it must not be spent a second time.
            state.leases.forget(key);
        }
        match (&decision, lease) {
            (_, Some(lease)) => state.leases.keep(key, lease),
            // Where requests have costs of their own, a refusal of one says nothing about another.
            (Err(refusal), None) if leases && matches!(rule.cost, Cost::Fixed(_)) => {
                state.leases.refuse(key, *refusal, now);
            }
            (Ok(_) | Err(_), None) => {}
        }
        Ok(decision)
    }
}
