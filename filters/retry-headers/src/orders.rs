//! What the router is told: the headers of a policy, and what the deadlines of a request leave of its timeout.

use std::time::Duration;

use kit::exchange::Exchange;
use kit::header::Lookup;
use kit::host::Map;
use kit::time::Timestamp;

use crate::budget::Budget;
use crate::config::{Config, Policy};
use crate::deadline::{self, Format, GRPC_TIMEOUT, Said, grpc_timeout, spell_grpc_timeout};
use crate::request::{self, Request};
use crate::state::{Outcome, PolicyState};

/// What the deadlines of a request leave.
pub(crate) enum Left {
    /// There are none, and the policy's own timeout stays as it is.
    All,
    /// Nothing.
    Nothing,
    /// So much, of a call of gRPC that said so, and of a header that counts from the request.
    Some { left: Duration, call: bool, header: bool },
}

impl Config {
    /// Removes what the client says to the router, but for what was set in its place.
    pub(crate) fn clean(&self, exchange: &mut Exchange<'_>, request: &Request, set: &[&'static str]) {
        if !self.trust_client {
            for name in request.theirs.iter().filter(|name| !set.contains(name)) {
                exchange.remove_header(Map::Request, name);
            }
        }
    }
}

impl Policy {
    pub(crate) fn budget(&self) -> Option<&Budget> {
        self.tries.as_ref()?.budget.as_ref()
    }

    /// Holds the deadlines of a request against the clock.
    pub(crate) fn left(&self, exchange: &mut Exchange<'_>, request: &Request, state: &PolicyState) -> Left {
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
        let asked = said.into_iter().flatten().map(|until| deadline::left(until, now.since(came), now));
        // The policy's own timeout is for the tries, whose time is still to come.
        let left = asked.chain(self.timeout).min().unwrap_or_default();
        // A timeout of zero would be none.
        if left < Duration::from_millis(1) {
            return Left::Nothing;
        }
        let [call, header] = said;
        let relative = self.deadline.as_ref().is_some_and(|deadline| deadline.format == Format::Milliseconds);
        Left::Some { left, call: call.is_some(), header: relative && header.is_some() }
    }

    /// Writes what was decided into the headers of the request.
    pub(crate) fn write(
        &self,
        exchange: &mut Exchange<'_>,
        config: &Config,
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
            exchange.add_header(Map::Request, &config.marker, b"1");
        }
        config.clean(exchange, request, &set);
    }
}

/// Returns a property that is a number of eight bytes.
pub(crate) fn number(exchange: &Exchange<'_>, path: &[&str]) -> Option<u64> {
    exchange.property(path)?.try_into().ok().map(u64::from_le_bytes)
}
