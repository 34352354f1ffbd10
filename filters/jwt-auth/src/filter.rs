//! The decision on a request.

use std::cell::Cell;
use std::rc::Rc;

use kit::callout::{CalloutId, CalloutResponse};
use kit::exchange::Exchange;
use kit::filter::{Filter, Step, Stream};
use kit::header::{Field, Lookup};
use kit::host::{Level, Map};
use kit::root::Root;
use kit::rule::{Mode, Tagged};
use kit::setup::Setup;
use kit::signature::{Abilities, Kind};
use kit::time::Timestamp;

use crate::check::{Checker, Denial};
use crate::config::provider::Keys;
use crate::config::{Access, Config, Rule};
use crate::place;
use crate::reason::Reason;
use crate::source::Source;
use crate::state::{Outcome, State};
use crate::verified::Verified;

/// The filter with its configuration, and what this worker knows.
pub(crate) struct JwtAuth {
    pub(crate) config: Config,
    pub(crate) state: State,
    checker: Checker,
    /// How many streams wait for keys now.
    waiting: Cell<usize>,
}

/// More streams don't wait on a worker: who floods a proxy with unknown keys shall not fill its memory.
const MOST_WAITING: usize = 1_000;

impl JwtAuth {
    pub(crate) fn new(config: Config, setup: &mut Setup<'_>) -> Self {
        let (state, checker) = (State::new(&config, setup), Checker::new(&config));
        Self { config, state, checker, waiting: Cell::new(0) }
    }
}

impl Filter for JwtAuth {
    fn stream(self: Rc<Self>) -> Box<dyn Stream> {
        Box::new(JwtStream { filter: self, waits: None })
    }

    fn on_start(&self, root: &mut Root<'_>) {
        for warning in self.config.providers.iter().flat_map(|provider| &provider.warnings) {
            root.log(Level::Warn, warning.as_str());
        }
        let abilities = Abilities::probe(&Kind::ALL, &|signature| root.verify_signature(signature));
        self.checker.abilities.set(abilities);
        self.sources().for_each(|source| source.start(root));
        self.wake_in_time(root);
    }

    fn on_wake(&self, root: &mut Root<'_>) {
        self.sources().for_each(|source| source.wake(root));
        self.wake_in_time(root);
    }

    fn on_callout(&self, root: &mut Root<'_>, id: CalloutId, response: &CalloutResponse) {
        let mut sources = self.sources();
        // Each knows its own callouts.
        let _ = sources.any(|source| source.answered(root, id, response));
        self.wake_in_time(root);
    }
}

/// One stream.
struct JwtStream {
    filter: Rc<JwtAuth>,
    /// The rule whose token waits for keys, and until when.
    waits: Option<(usize, Timestamp)>,
}

impl Stream for JwtStream {
    fn on_request_headers(&mut self, exchange: &mut Exchange<'_>) -> Step {
        let filter = Rc::clone(&self.filter);
        if filter.config.allow_preflight && is_preflight(exchange) {
            return filter.pass(exchange, None, Outcome::Anonymous, None);
        }
        for (index, rule) in filter.config.rules.iter().enumerate() {
            match rule.matcher.matches(exchange) {
                Ok(false) => {}
                Ok(true) => return self.apply(exchange, index, rule),
                Err(what) => return filter.refuse(exchange, Some(index), what.into()),
            }
        }
        filter.refuse(exchange, None, Reason::NoRule)
    }

    fn on_wake(&mut self, exchange: &mut Exchange<'_>) -> Step {
        let filter = Rc::clone(&self.filter);
        match self.waits.and_then(|(index, _)| Some((index, filter.config.rules.get(index)?))) {
            Some((index, rule)) => self.apply(exchange, index, rule),
            None => Step::Hold,
        }
    }

    fn is_done(&self) -> bool {
        self.waits.is_none()
    }

    fn on_gone(&mut self, _: &mut Exchange<'_>) {
        self.stop_waiting();
    }
}

impl JwtStream {
    /// Applies the rule that matches.
    fn apply(&mut self, exchange: &mut Exchange<'_>, index: usize, rule: &Rule) -> Step {
        let filter = Rc::clone(&self.filter);
        let Access::Token { condition, optional } = &rule.access else {
            return filter.pass(exchange, Some(index), Outcome::Anonymous, None);
        };
        let token = match place::find(&filter.config.places, exchange) {
            Ok(Some(token)) => token,
            Ok(None) if *optional => return filter.pass(exchange, Some(index), Outcome::Anonymous, None),
            Ok(None) => return filter.refuse(exchange, Some(index), Reason::Missing),
            Err(reason) => return filter.refuse(exchange, Some(index), reason),
        };
        let verified = match filter.checker.check(&filter.config, exchange, &token) {
            Ok(verified) => verified,
            Err(Denial::Waits(reason)) => {
                return match self.wait(exchange, index) {
                    true => Step::Hold,
                    false => filter.refuse(exchange, Some(index), reason),
                };
            }
            Err(Denial::Refused(reason)) => {
                self.stop_waiting();
                return filter.refuse(exchange, Some(index), reason);
            }
        };
        self.stop_waiting();
        match verified.satisfies(index, condition) {
            Ok(()) => filter.pass(exchange, Some(index), Outcome::Admitted, Some(&verified)),
            Err(reason) => {
                // Whose request was refused is known.
                verified.publish(exchange, &filter.config.output);
                filter.refuse(exchange, Some(index), reason)
            }
        }
    }

    /// Waits for keys, or goes on waiting; false if it has waited long enough, or must not.
    fn wait(&mut self, exchange: &mut Exchange<'_>, index: usize) -> bool {
        let filter = &self.filter;
        let now = exchange.now();
        let until = match self.waits {
            Some((_, until)) if until <= now => {
                self.stop_waiting();
                return false;
            }
            Some((_, until)) => until,
            // Who only looks on holds nobody up.
            None if filter.config.mode == Mode::Shadow || MOST_WAITING <= filter.waiting.get() => {
                return false;
            }
            None => {
                filter.waiting.set(filter.waiting.get().saturating_add(1));
                now.after(filter.config.wait_for_keys)
            }
        };
        self.waits = Some((index, until));
        exchange.wake_at(until);
        true
    }

    fn stop_waiting(&mut self) {
        if self.waits.take().is_some() {
            self.filter.waiting.set(self.filter.waiting.get().saturating_sub(1));
        }
    }
}

impl JwtAuth {
    fn sources(&self) -> impl Iterator<Item = &Source> {
        self.config.providers.iter().filter_map(|provider| match &provider.keys {
            Keys::Fetched(source) => Some(source.as_ref()),
            Keys::Here(_) => None,
        })
    }

    /// Asks to be woken when the first of the sources has something to do.
    fn wake_in_time(&self, root: &mut Root<'_>) {
        if let Some(at) = self.sources().map(Source::next_wake).min() {
            root.wake_at(at);
        }
    }

    /// Lets a request go on: with what its token says, and nothing that a client could say in its place.
    fn pass(
        &self,
        exchange: &mut Exchange<'_>,
        rule: Option<usize>,
        outcome: Outcome,
        verified: Option<&Rc<Verified>>,
    ) -> Step {
        if self.config.tags == Tagged::All {
            self.state.tag(exchange, rule, outcome, None);
        }
        self.state.count(exchange, rule, outcome);
        if let Some(verified) = verified {
            verified.publish(exchange, &self.config.output);
        }
        if self.config.mode == Mode::Enforce {
            self.clean(exchange);
            if let Some(verified) = verified {
                verified.set_headers(exchange, &self.config.output);
            }
        }
        Step::Continue
    }

    /// Takes away what a client may have written into headers that say whose request it is, and its token if that
    /// is for nobody behind.
    fn clean(&self, exchange: &mut Exchange<'_>) {
        for name in self.config.output.header_names() {
            if exchange.header(name) != Field::Absent {
                exchange.remove_header(Map::Request, name);
            }
        }
        if self.config.strip_token {
            place::strip(&self.config.places, exchange);
        }
    }
}

/// Tells whether a request is a CORS preflight (Fetch Standard, section 4.8), which never carries credentials, nor a
/// body.
fn is_preflight(exchange: &Exchange<'_>) -> bool {
    let has = |name| matches!(exchange.header(name), Field::One(value) if !value.is_empty());
    exchange.headers_only()
        && exchange.header(":method") == Field::One(b"OPTIONS".to_vec())
        && has("origin")
        && has("access-control-request-method")
}

#[cfg(test)]
mod tests;
