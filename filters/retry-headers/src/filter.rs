//! The decision on a request, what is charged for it, and what its response says about the next one.

use std::cell::Cell;
use std::rc::Rc;
use std::time::Duration;

use kit::exchange::Exchange;
use kit::filter::{Filter, Step, Stream};
use kit::header::{Field, Lookup};
use kit::host::Map;
use kit::rule::Mode;
use kit::setup::Setup;
use kit::table::KeyHash;
use kit::time::{Timestamp, nanos};

use crate::answer;
use crate::budget::Budget;
use crate::config::{Config, Policy};
use crate::deadline::{self, Format, GRPC_TIMEOUT, Said, Until, grpc_timeout, spell_grpc_timeout};
use crate::request::{self, Request};
use crate::state::{Outcome, PolicyState, Tags};
use crate::wait::{self, Responses};

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

/// What the response will want to know of its request.
#[derive(Clone, Copy)]
struct Hint {
    policy: Option<usize>,
    /// A second try does no more than the first.
    safe: bool,
    /// The budget is spent.
    spent: bool,
    grpc: bool,
}

/// What the deadlines of a request leave.
enum Left {
    /// There are none, and the policy's own timeout stays as it is.
    All,
    /// Nothing.
    Nothing,
    /// So much, of a call of gRPC that said so, and of a header that counts from the request.
    Some { left: Duration, call: bool, header: bool },
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
                    filter.clean(exchange, &request, &[]);
                    self.expect(None, &request, Outcome::Once);
                }
                Step::Continue
            }
        }
    }

    fn on_response_headers(&mut self, exchange: &mut Exchange<'_>) -> Step {
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
        let filter = Rc::clone(&self.filter);
        if let Some((index, key)) = self.charge.take()
            && let Some((policy, state)) = filter.policy(index)
            && let Some(budget) = policy.budget()
        {
            let attempts = number(exchange, &["upstream", "request_attempt_count"]).unwrap_or(0);
            if 1 < attempts {
                state.charge(exchange, budget, key, attempts.saturating_sub(1));
            }
        }
    }
}

impl RetryHeadersStream {
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
            return if enforces { Step::Reply(answer::expired()) } else { Step::Continue };
        }
        let outcome = self.decide(exchange, request, index, policy, state);
        state.note(exchange, &filter.tags, outcome);
        if enforces {
            policy.write(exchange, &filter, request, outcome, &left);
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

impl RetryHeaders {
    /// Removes what the client says to the router, but for what was set in its place.
    fn clean(&self, exchange: &mut Exchange<'_>, request: &Request, set: &[&'static str]) {
        if !self.config.trust_client {
            for name in request.theirs.iter().filter(|name| !set.contains(name)) {
                exchange.remove_header(Map::Request, name);
            }
        }
    }
}

impl Policy {
    fn budget(&self) -> Option<&Budget> {
        self.tries.as_ref()?.budget.as_ref()
    }

    /// Holds the deadlines of a request against the clock.
    fn left(&self, exchange: &mut Exchange<'_>, request: &Request, state: &PolicyState) -> Left {
        let call = if request.grpc { grpc_timeout(exchange) } else { Said::Nothing };
        let header = self.deadline.as_ref().map_or(Said::Nothing, |deadline| deadline.read(exchange));
        let said = [call, header].map(|said| match said {
            Said::Until(until) => Some(until),
            Said::Unreadable => {
                exchange.count(state.unreadable);
                None
            }
            Said::Nothing => None,
        });
        if said == [None, None] {
            return Left::All;
        }
        let now = exchange.now();
        let came = number(exchange, &["request", "time"]).map_or(now, Timestamp::from_nanos);
        let limits = said.into_iter().flatten().chain(self.timeout.map(Until::After));
        let left = limits.map(|until| deadline::left(until, now.since(came), now)).min().unwrap_or_default();
        // A timeout of zero would be none.
        if left < Duration::from_millis(1) {
            return Left::Nothing;
        }
        let [call, header] = said;
        let relative = self.deadline.as_ref().is_some_and(|deadline| deadline.format == Format::Milliseconds);
        Left::Some { left, call: call.is_some(), header: relative && header.is_some() }
    }

    /// Writes what was decided into the headers of the request.
    fn write(
        &self,
        exchange: &mut Exchange<'_>,
        filter: &RetryHeaders,
        request: &Request,
        outcome: Outcome,
        left: &Left,
    ) {
        let mut set: Vec<&'static str> = Vec::new();
        let mut put = |exchange: &mut Exchange<'_>, name: &'static str, value: &[u8]| {
            // What was seen not to be there needs no look for what to replace, which costs more than to add.
            if request.theirs.contains(&name) {
                exchange.set_header(Map::Request, name, value);
                set.push(name);
            } else {
                exchange.add_header(Map::Request, name, value);
            }
        };
        match &self.tries {
            Some(tries) if outcome == Outcome::Retriable => {
                for (name, value) in &tries.headers {
                    put(exchange, name, value);
                }
            }
            // The route may have a policy of its own, which has less to say than this.
            Some(_) | None => put(exchange, request::MAX_RETRIES, b"0"),
        }
        let timeout = match left {
            Left::Some { left, .. } => self.timeout.map(|_| *left),
            Left::All | Left::Nothing => self.timeout,
        };
        if let Some(timeout) = timeout {
            put(exchange, request::TIMEOUT, timeout.as_millis().to_string().as_bytes());
        }
        if let Left::Some { left, call, header } = left {
            if *call {
                exchange.set_header(Map::Request, GRPC_TIMEOUT, spell_grpc_timeout(*left).as_bytes());
            }
            if let Some(deadline) = self.deadline.as_ref().filter(|_| *header) {
                exchange.set_header(Map::Request, &deadline.header, left.as_millis().to_string().as_bytes());
            }
        }
        // Who is below doesn't try again what is tried again here, nor what nobody is to try again any more.
        let marks = matches!(outcome, Outcome::Retriable | Outcome::Budget | Outcome::Amplification);
        if marks && !request.marked {
            exchange.add_header(Map::Request, &filter.config.marker, b"1");
        }
        filter.clean(exchange, request, &set);
    }
}

/// Says on a response when, and whether, to come back.
fn answer_with(exchange: &mut Exchange<'_>, responses: &Responses, hint: Hint, waited: &Cell<u64>) {
    if hint.grpc {
        if responses.pushback {
            push_back(exchange, responses, waited);
        }
        return;
    }
    let Some(status) = exchange.status() else {
        return;
    };
    if responses.retry_after.as_ref().is_some_and(|statuses| statuses.contains(&status)) {
        let field = exchange.response_header("retry-after");
        let now = if field == Field::Absent { Timestamp::EPOCH } else { exchange.now() };
        let said = wait::retry_after(&field, now);
        let draws = [exchange.draw(), exchange.draw()];
        let seconds = responses.waits.seconds(said, waited.get(), draws);
        waited.set(nanos(Duration::from_secs(seconds)));
        exchange.set_header(Map::Response, "retry-after", seconds.to_string().as_bytes());
    }
    if responses.should_retry && 400 <= status && exchange.response_header(SHOULD_RETRY) == Field::Absent {
        // What was refused for its rate was not begun, whatever it is.
        let may = (hint.safe || status == 429) && !hint.spent;
        let listed = responses.retry_after.as_ref().is_some_and(|statuses| statuses.contains(&status));
        let should = may && (listed || wait::passes(status));
        exchange.set_header(Map::Response, SHOULD_RETRY, if should { b"true" } else { b"false" });
    }
}

/// The header that tells clients whether to try again.
const SHOULD_RETRY: &str = "x-should-retry";

/// The header that tells clients of gRPC when to (gRFC A6).
const PUSHBACK: &str = "grpc-retry-pushback-ms";

/// Says to a client of gRPC when to come back, on an answer that has its status in its headers.
fn push_back(exchange: &mut Exchange<'_>, responses: &Responses, waited: &Cell<u64>) {
    // UNAVAILABLE and RESOURCE_EXHAUSTED.
    let refuses = matches!(exchange.response_header("grpc-status"), Field::One(status) if status == b"14" || status == b"8");
    if !refuses {
        return;
    }
    let said: Option<Vec<Duration>> =
        exchange.response_header(PUSHBACK).values().iter().map(|value| wait::pushback(value)).collect();
    // One that says never.
    let Some(said) = said else {
        return;
    };
    let wait = responses.waits.wait(said.into_iter().max(), waited.get(), exchange.draw());
    waited.set(nanos(wait));
    let milliseconds = nanos(wait).div_ceil(1_000_000);
    exchange.set_header(Map::Response, PUSHBACK, milliseconds.to_string().as_bytes());
}

/// Returns a property that is a number of eight bytes.
fn number(exchange: &Exchange<'_>, path: &[&str]) -> Option<u64> {
    exchange.property(path)?.try_into().ok().map(u64::from_le_bytes)
}

#[cfg(test)]
mod tests;
