//! The decision on a request, and what becomes of its charge when the stream ends.

use std::rc::Rc;

use kit::exchange::Exchange;
use kit::filter::{Filter, Step, Stream};
use kit::header::{Field, Lookup};
use kit::key::KeyProblem;
use kit::rule::{Mode, Tagged};
use kit::setup::Setup;
use kit::store::Contended;
use kit::time::Timestamp;

use crate::answer::Unclear;
use crate::bucket::{Arrivals, Limits};
use crate::config::{Config, Cost, Count, OnMissingKey, Rule, Tier};
use crate::decide::Asked;
use crate::held::Held;
use crate::quota::{self, Policy};
use crate::state::{RuleState, Tags};

/// The filter with its configuration, and what this worker knows.
pub(crate) struct RateLimit {
    pub(crate) config: Config,
    rules: Vec<RuleState>,
    pub(crate) tags: Tags,
}

impl RateLimit {
    pub(crate) fn new(config: Config, setup: &mut Setup<'_>) -> Self {
        let rules = config.rules.iter().map(|rule| RuleState::new(rule, setup)).collect();
        Self { config, rules, tags: Tags::new(setup) }
    }
}

impl Filter for RateLimit {
    fn stream(self: Rc<Self>) -> Box<dyn Stream> {
        Box::new(RateLimitStream { filter: self, held: None, quota: None })
    }
}

/// How many bytes most keys have at the most.
const ROOM: usize = 64;

/// One stream.
struct RateLimitStream {
    filter: Rc<RateLimit>,
    /// Boxed, as most streams have none.
    held: Option<Box<Held>>,
    quota: Option<Box<Quota>>,
}

/// What the response announces.
struct Quota {
    policies: Rc<[Policy]>,
    limits: Rc<Limits>,
    arrivals: Arrivals,
    now: Timestamp,
}

/// Whose request it is.
enum Identity {
    /// The bytes of the key.
    Key(Vec<u8>),
    /// The rule doesn't count this request.
    Skipped,
    /// It can't be told, and the request goes no further.
    Refused(Unclear),
}

impl Stream for RateLimitStream {
    fn on_request_headers(&mut self, exchange: &mut Exchange<'_>) -> Step {
        let filter = Rc::clone(&self.filter);
        for (index, (rule, state)) in filter.config.rules.iter().zip(&filter.rules).enumerate() {
            match rule.matcher.matches(exchange) {
                Ok(false) => {}
                Ok(true) => return self.apply(exchange, index, rule, state),
                Err(what) => return filter.unclear(exchange, rule, state, Unclear::Request(what)),
            }
        }
        Step::Continue
    }

    fn on_response_headers(&mut self, exchange: &mut Exchange<'_>) -> Step {
        let filter = Rc::clone(&self.filter);
        if let Some((held, (count, state))) = self
            .held
            .as_mut()
            .filter(|held| held.open)
            .and_then(|held| filter.count(held.rule).map(|count| (held, count)))
        {
            let counts = exchange.status().is_some_and(|status| count.responses.contains(&status))
                && exchange.is_from_upstream();
            let arrivals = held.settle(exchange, state, counts);
            // What is announced is what is left after this response.
            if let (Some(quota), Some(arrivals)) = (&mut self.quota, arrivals) {
                quota.arrivals = arrivals;
                quota.now = exchange.now();
            }
        }
        if let Some(quota) = self.quota.take()
            && !exchange.is_own_reply()
        {
            let left = quota::left(&quota.limits, &quota.arrivals, quota.now);
            quota::announce(exchange, filter.config.form, &quota.policies, &left);
        }
        Step::Continue
    }

    fn is_done(&self) -> bool {
        self.held.is_none() && self.quota.is_none()
    }

    fn on_gone(&mut self, exchange: &mut Exchange<'_>) {
        let filter = Rc::clone(&self.filter);
        if let Some(held) = self.held.take()
            && let Some(state) = filter.rules.get(held.rule)
        {
            held.end(exchange, state);
        }
    }
}

impl RateLimitStream {
    /// Applies the rule that matches.
    fn apply(&mut self, exchange: &mut Exchange<'_>, index: usize, rule: &Rule, state: &RuleState) -> Step {
        let filter = Rc::clone(&self.filter);
        let key = match rule.identify(exchange) {
            Identity::Key(key) => key,
            Identity::Skipped => {
                filter.tag(exchange, state, &filter.tags.skipped);
                exchange.count(state.counters.skipped);
                return Step::Continue;
            }
            Identity::Refused(unclear) => return filter.unclear(exchange, rule, state, unclear),
        };
        let (limits, policies) = match rule.tier(&key) {
            Tier::Unlimited => return filter.admitted(exchange, state),
            Tier::Nothing(policies) => return filter.refuse(exchange, rule, state, policies, None, None),
            Tier::Limited(limits, policies) => (limits, policies),
        };
        let cost = rule.cost.of(exchange);
        let Ok(hash) = state.hash(exchange, rule, &key) else {
            return filter.contended(exchange, rule, state, policies);
        };
        match (Asked { rule, state, limits, key: hash, cost }).decide(exchange) {
            Ok(Ok(charge)) => {
                let open = rule.count.is_some();
                if open || limits.follows_requests() {
                    self.held = Some(Box::new(Held {
                        rule: index,
                        limits: Rc::clone(limits),
                        key: hash,
                        cost,
                        charge,
                        open,
                    }));
                }
                if filter.config.form.is_any() && rule.mode == Mode::Enforce {
                    let now = exchange.now();
                    self.quota = Some(Box::new(Quota {
                        policies: Rc::clone(policies),
                        limits: Rc::clone(limits),
                        arrivals: charge.arrivals,
                        now,
                    }));
                }
                filter.admitted(exchange, state)
            }
            Ok(Err(refusal)) => filter.refuse(exchange, rule, state, policies, Some(limits), Some(refusal)),
            Err(Contended) => filter.contended(exchange, rule, state, policies),
        }
    }
}

impl Rule {
    fn identify(&self, exchange: &Exchange<'_>) -> Identity {
        let Some(key) = &self.key else {
            return Identity::Key(Vec::new());
        };
        // Room for most keys, so that it is asked for once.
        let mut bytes = Vec::with_capacity(ROOM);
        match (key.resolve(exchange, &mut bytes), self.on_missing_key) {
            (Ok(()), _) => Identity::Key(bytes),
            // Whoever names two clients is not believed either.
            (Err(KeyProblem::Ambiguous(_)), _) => Identity::Refused(Unclear::Key),
            (Err(KeyProblem::Missing(_)), OnMissingKey::Skip) => Identity::Skipped,
            (Err(KeyProblem::Missing(_)), OnMissingKey::Refuse) => Identity::Refused(Unclear::NoKey),
            // No key has these bytes: every part of one says its length.
            (Err(KeyProblem::Missing(_)), OnMissingKey::Shared) => Identity::Key(b"missing".to_vec()),
        }
    }
}

impl Cost {
    fn of(&self, exchange: &Exchange<'_>) -> u64 {
        match self {
            Self::Fixed(cost) => *cost,
            Self::Header { name, max, default } => match exchange.header(name) {
                Field::Absent => *default,
                Field::One(value) => {
                    let cost = std::str::from_utf8(&value).ok().and_then(|text| text.trim().parse().ok());
                    // What can't be read is not free.
                    cost.unwrap_or(*max).clamp(1, *max)
                }
                Field::Many(_) => *max,
            },
        }
    }
}

impl RateLimit {
    fn count(&self, rule: usize) -> Option<(&Count, &RuleState)> {
        Some((self.config.rules.get(rule)?.count.as_ref()?, self.rules.get(rule)?))
    }

    pub(crate) fn admitted(&self, exchange: &mut Exchange<'_>, state: &RuleState) -> Step {
        if self.config.tags == Tagged::All {
            self.tag(exchange, state, &self.tags.admitted);
        }
        exchange.count(state.counters.admitted);
        Step::Continue
    }

    pub(crate) fn tag(&self, exchange: &mut Exchange<'_>, state: &RuleState, outcome: &Rc<[u8]>) {
        exchange.tag(&self.tags.rule, Rc::clone(&state.name));
        exchange.tag(&self.tags.outcome, Rc::clone(outcome));
    }
}

#[cfg(test)]
mod tests;
