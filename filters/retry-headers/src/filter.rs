//! The decision on a request, what is charged for it, and what its response says about the next one.

use std::cell::Cell;
use std::rc::Rc;

use kit::exchange::Exchange;
use kit::filter::{Filter, Step, Stream};
use kit::rule::Mode;
use kit::setup::Setup;
use kit::table::KeyHash;

use crate::answer;
use crate::config::{Config, Policy};
use crate::orders::{Left, number};
use crate::request::Request;
use crate::response::{Hint, answer_with};
use crate::state::{Outcome, PolicyState, Tags};
use crate::wait::Responses;

/// The filter with its configuration, and what this worker knows.
pub(crate) struct RetryHeaders {
    config: Config,
    policies: Vec<PolicyState>,
    tags: Tags,
    /// As for a policy, for requests without one.
    waited: Cell<u64>,
}

impl RetryHeaders {
    pub(crate) fn new(config: Config, setup: &mut Setup<'_>) -> Self {
        let policies = config.policies.iter().map(|policy| PolicyState::new(policy, setup)).collect();
        let tags = Tags::new(config.tags, setup);
        Self { config, policies, tags, waited: Cell::new(0) }
    }

    fn policy(&self, index: usize) -> Option<(&Policy, &PolicyState)> {
        Some((self.config.policies.get(index)?, self.policies.get(index)?))
    }

    /// Returns what becomes of the responses of a policy, or of requests without one.
    fn responses(&self, policy: Option<usize>) -> Option<&Responses> {
        let own = policy.and_then(|index| self.config.policies.get(index)?.response.as_ref());
        own.or(self.config.response.as_ref())
    }
}

impl Filter for RetryHeaders {
    fn stream(self: Rc<Self>) -> Box<dyn Stream> {
        Box::new(RetryHeadersStream { filter: self, charge: None, hint: None })
    }
}

/// One stream.
struct RetryHeadersStream {
    filter: Rc<RetryHeaders>,
    /// The policy whose budget is charged at the end, and the key.
    charge: Option<(usize, KeyHash)>,
    hint: Option<Hint>,
}

impl Stream for RetryHeadersStream {
    fn on_request_headers(&mut self, exchange: &mut Exchange<'_>) -> Step {
        let filter = Rc::clone(&self.filter);
        let config = &filter.config;
        let mut found = None;
        for (index, (policy, state)) in config.policies.iter().zip(&filter.policies).enumerate() {
            match policy.matcher.matches(exchange) {
                Ok(false) => {}
                Ok(true) => {
                    found = Some((index, policy, state));
                    break;
                }
                Err(_) => {
                    state.note(exchange, &filter.tags, Outcome::Unclear);
                    break;
                }
            }
        }
        if found.is_none() && config.trust_client && config.response.is_none() {
            return Step::Continue;
        }
        let request = exchange.request_headers().map(|headers| Request::of(headers, &config.marker));
        let request = request.unwrap_or_default();
        match found {
            Some((index, policy, state)) => self.apply(exchange, &request, index, policy, state),
            None => {
                if config.mode == Mode::Enforce {
                    config.clean(exchange, &request, &[]);
                    self.expect(None, &request, Outcome::Once);
                }
                Step::Continue
            }
        }
    }

    fn on_response_headers(&mut self, exchange: &mut Exchange<'_>) -> Step {
        // The router tries no more once a response goes on, and this one may take as long as the client likes.
        self.settle(exchange);
        let filter = Rc::clone(&self.filter);
        if let Some(hint) = self.hint.take()
            && let Some(responses) = filter.responses(hint.policy)
            && !exchange.is_own_reply()
        {
            let waited = hint.policy.and_then(|index| filter.policies.get(index)).map(|state| &state.waited);
            answer_with(exchange, responses, hint, waited.unwrap_or(&filter.waited));
        }
        Step::Continue
    }

    fn is_done(&self) -> bool {
        self.charge.is_none() && self.hint.is_none()
    }

    fn on_gone(&mut self, exchange: &mut Exchange<'_>) {
        self.settle(exchange);
    }
}

impl RetryHeadersStream {
    /// Charges the tries that the router made: there will be no more of them, and it is asked once.
    fn settle(&mut self, exchange: &mut Exchange<'_>) {
        let filter = Rc::clone(&self.filter);
        if let Some((index, key)) = self.charge.take()
            && let Some((policy, state)) = filter.policy(index)
            && let Some(budget) = policy.budget()
            && let Some(attempts) = number(exchange, &["upstream", "request_attempt_count"])
            && 1 < attempts
        {
            state.charge(exchange, budget, key, attempts.saturating_sub(1));
        }
    }

    /// Applies the policy that matches.
    fn apply(
        &mut self,
        exchange: &mut Exchange<'_>,
        request: &Request,
        index: usize,
        policy: &Policy,
        state: &PolicyState,
    ) -> Step {
        let filter = Rc::clone(&self.filter);
        let enforces = policy.mode == Mode::Enforce;
        let left = policy.left(exchange, request, state);
        if let Left::Nothing = left {
            let outcome = if enforces { Outcome::Expired } else { Outcome::WouldExpire };
            state.note(exchange, &filter.tags, outcome);
            return if enforces { Step::Reply(Box::new(answer::expired())) } else { Step::Continue };
        }
        let outcome = self.decide(exchange, request, index, policy, state);
        state.note(exchange, &filter.tags, outcome);
        if enforces {
            policy.write(exchange, &filter.config, request, outcome, &left);
            self.expect(Some(index), request, outcome);
        }
        Step::Continue
    }

    /// Decides whether a request may be tried again.
    fn decide(
        &mut self,
        exchange: &mut Exchange<'_>,
        request: &Request,
        index: usize,
        policy: &Policy,
        state: &PolicyState,
    ) -> Outcome {
        let Some(tries) = &policy.tries else {
            return Outcome::Once;
        };
        if request.retried {
            return Outcome::Amplification;
        }
        if tries.only_safe && !request.safe {
            return Outcome::Unsafe;
        }
        let Some(budget) = &tries.budget else {
            return Outcome::Retriable;
        };
        let Ok(key) = state.key(exchange, budget) else {
            return Outcome::Budget;
        };
        let admitted = state.admits(exchange, budget, key);
        // Who only looks on doesn't know what the route does.
        if admitted || policy.mode == Mode::Shadow {
            self.charge = Some((index, key));
        }
        if admitted { Outcome::Retriable } else { Outcome::Budget }
    }

    /// Notes what the response will want to know.
    fn expect(&mut self, policy: Option<usize>, request: &Request, outcome: Outcome) {
        if self.filter.responses(policy).is_some() {
            let any = policy.and_then(|index| self.filter.config.policies.get(index)?.tries.as_ref());
            let safe = request.safe || any.is_some_and(|tries| !tries.only_safe);
            self.hint = Some(Hint { policy, safe, spent: outcome == Outcome::Budget, grpc: request.grpc });
        }
    }
}

#[cfg(test)]
mod tests;
