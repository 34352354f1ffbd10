//! One stream: what was decided for it happens, step by step.

use std::rc::Rc;

use kit::exchange::Exchange;
use kit::filter::{Chunk, Step, Stream};
use kit::header::{Field, Found, Lookup as _};
use kit::host::Map;
use kit::time::Timestamp;

use crate::body::Flow;
use crate::budget::Ticket;
use crate::filter::FaultInjection;
use crate::plan::{End, Plan};
use crate::response::{Pace, ResponseFault};
use crate::state::About;

/// One stream.
pub(crate) struct FaultStream {
    filter: Rc<FaultInjection>,
    /// Boxed, as most streams have none.
    fate: Option<Box<Fate>>,
}

/// What is decided for a stream, and how far it has come.
pub(crate) struct Fate {
    about: About,
    /// What happens to it; none if it is only looked at.
    plan: Option<Plan>,
    stamp: String,
    /// What it took of the budget.
    pub(crate) ticket: Option<Ticket>,
    /// Whether what it is answered counts for the experiment.
    pub(crate) watches: bool,
    /// Until when it is held.
    until: Option<Timestamp>,
    /// Its response has begun.
    responds: bool,
    body: Option<Flow>,
    pace: Option<Pace>,
    empties_trailers: bool,
    /// The request is a HEAD, whose response has no body whatever it says.
    is_head: bool,
    /// Pieces of the body wait for more of it.
    gathers: bool,
}

impl Fate {
    /// Looks at a stream that gets no fault.
    pub(crate) fn watched(about: About, watches: bool) -> Self {
        Self {
            about,
            plan: None,
            stamp: String::new(),
            ticket: None,
            watches,
            until: None,
            responds: false,
            body: None,
            pace: None,
            empties_trailers: false,
            is_head: false,
            gathers: false,
        }
    }

    /// Tells whether anything more of the stream matters.
    pub(crate) fn matters(&self) -> bool {
        self.plan.is_some() || self.watches || self.ticket.is_some()
    }

    /// Begins a fault.
    pub(crate) fn faulty(about: About, plan: Plan, stamp: String) -> Self {
        Self { plan: Some(plan), stamp, ..Self::watched(about, false) }
    }
}

impl FaultStream {
    pub(crate) fn new(filter: Rc<FaultInjection>) -> Self {
        Self { filter, fate: None }
    }
}

impl Stream for FaultStream {
    fn on_request_headers(&mut self, exchange: &mut Exchange<'_>) -> Step {
        self.fate = self.filter.decide(exchange);
        let Some(fate) = self.fate.as_mut() else {
            return Step::Continue;
        };
        let changes_body =
            |plan: &Plan| plan.response.as_ref().is_some_and(|response| response.body.is_some());
        fate.is_head = fate.plan.as_ref().is_some_and(changes_body)
            && matches!(exchange.find(":method"), Found::One(method) if *method == *b"HEAD");
        match fate.plan.as_ref().and_then(|plan| plan.delay) {
            Some(delay) => {
                let until = exchange.now().after(delay);
                fate.hold(&self.filter, exchange, until)
            }
            None => fate.finish_request(&self.filter, exchange),
        }
    }

    fn on_response_headers(&mut self, exchange: &mut Exchange<'_>) -> Step {
        let filter = Rc::clone(&self.filter);
        let Some(fate) = self.fate.as_mut() else {
            return Step::Continue;
        };
        // Somebody else may have answered a request that is held.
        fate.let_go(&filter, exchange);
        fate.responds = true;
        if exchange.is_own_reply() {
            return Step::Continue;
        }
        // What a filter behind this one refuses says nothing of the upstream, and clients could bring it about.
        if !exchange.is_reply() {
            fate.watch(&filter, exchange);
        }
        fate.begin_response(&filter, exchange)
    }

    fn on_response_body(&mut self, exchange: &mut Exchange<'_>, chunk: Chunk<'_>) -> Step {
        match self.fate.as_mut() {
            Some(fate) => fate.pass_body(&self.filter, exchange, chunk),
            None => Step::Continue,
        }
    }

    fn on_wake(&mut self, exchange: &mut Exchange<'_>) -> Step {
        let filter = Rc::clone(&self.filter);
        let Some(fate) = self.fate.as_mut() else {
            return Step::Continue;
        };
        if let Some(until) = fate.until.filter(|until| exchange.now() < *until && !filter.is_killed()) {
            exchange.wake_at(until);
            return Step::HoldBack;
        }
        fate.let_go(&filter, exchange);
        if fate.responds {
            return if fate.gathers { Step::Hold } else { Step::Continue };
        }
        fate.finish_request(&filter, exchange)
    }

    fn is_done(&self) -> bool {
        self.fate.is_none()
    }

    fn on_gone(&mut self, exchange: &mut Exchange<'_>) {
        let filter = Rc::clone(&self.filter);
        if let Some(mut fate) = self.fate.take() {
            fate.let_go(&filter, exchange);
            let own = filter.state.own(fate.about);
            if fate.plan.is_some() {
                own.add_active(exchange, -1);
            }
            if let Some(ticket) = fate.ticket {
                own.give_back(exchange, ticket);
            }
        }
    }
}

impl Fate {
    /// Holds the stream until then.
    fn hold(&mut self, filter: &FaultInjection, exchange: &mut Exchange<'_>, until: Timestamp) -> Step {
        if self.until.replace(until).is_none() {
            filter.hold(exchange);
        }
        exchange.wake_at(until);
        Step::HoldBack
    }

    fn let_go(&mut self, filter: &FaultInjection, exchange: &mut Exchange<'_>) {
        if self.until.take().is_some() {
            exchange.stop_waiting();
            filter.let_go();
        }
    }

    /// Lets the request go on, or ends it.
    fn finish_request(&self, filter: &FaultInjection, exchange: &mut Exchange<'_>) -> Step {
        let end = self.plan.as_ref().filter(|_| !filter.is_killed()).map(|plan| &plan.end);
        match end {
            None | Some(End::GoOn) => Step::Continue,
            Some(End::Reset) => Step::Reset,
            Some(End::Abort(abort)) => {
                let stamp = filter.config.stamp.as_deref().map(|name| (name, self.stamp.as_bytes()));
                Step::Reply(abort.reply(exchange, &filter.state.own(self.about).name, stamp))
            }
        }
    }

    /// Counts what the request was answered.
    fn watch(&self, filter: &FaultInjection, exchange: &mut Exchange<'_>) {
        let About::Experiment(index) = self.about else {
            return;
        };
        let experiment = filter.config.experiments.get(index).filter(|_| self.watches);
        if let (Some(experiment), Some(status)) = (experiment, exchange.status()) {
            filter.state.own(self.about).watch(exchange, experiment, status);
        }
    }

    /// Changes the head of the response, and prepares for its body.
    fn begin_response(&mut self, filter: &FaultInjection, exchange: &mut Exchange<'_>) -> Step {
        let Some(plan) = self.plan.as_ref() else {
            return Step::Continue;
        };
        let (response, delay) = (plan.response.clone(), plan.response_delay);
        let is_due = response.is_some() || delay.is_some();
        if filter.is_killed() || is_due && filter.ask_whether_killed(exchange) {
            return Step::Continue;
        }
        if let Some(name) = &filter.config.stamp {
            exchange.add_header(Map::Response, name, self.stamp.as_bytes());
        }
        if let Some(response) = response {
            if response.alters() {
                // A fault is for one client, and not for all who ask a cache.
                exchange.set_header(Map::Response, "cache-control", b"no-store");
            }
            self.change_head(exchange, &response);
            self.empties_trailers = response.empty_trailers;
            self.pace = response.throttle.map(|rate| Pace::new(rate, exchange.now()));
        }
        match delay {
            Some(delay) => {
                let until = exchange.now().after(delay);
                self.pace = self.pace.map(|pace| pace.later(until));
                self.hold(filter, exchange, until)
            }
            None => Step::Continue,
        }
    }

    fn change_head(&mut self, exchange: &mut Exchange<'_>, response: &ResponseFault) {
        // Of these, `content-length` says how long a body would be, and none follows.
        let is_bare = matches!(exchange.status(), Some(204 | 205 | 304));
        if let Some(status) = response.status {
            if is_bare {
                exchange.remove_header(Map::Response, "content-length");
            }
            exchange.set_header(Map::Response, ":status", status.to_string().as_bytes());
        }
        for name in &response.remove {
            exchange.remove_header(Map::Response, name);
        }
        for (name, value) in &response.set {
            exchange.set_header(Map::Response, name, value.as_bytes());
        }
        // Some say only with an empty piece that there is no body, and what stood in its place would be taken for the
        // next response.
        let has_none = exchange.headers_only() || is_bare || self.is_head;
        let Some(fault) = response.body.as_ref().filter(|_| !has_none) else {
            return;
        };
        let length: Option<u64> = match exchange.response_header("content-length") {
            Field::One(length) => std::str::from_utf8(&length).ok().and_then(|length| length.parse().ok()),
            Field::Absent | Field::Many(_) => None,
        };
        if length == Some(0) {
            return;
        }
        if let Some(length) = length.filter(|_| response.honest_length) {
            let honest = fault.length(length).to_string();
            exchange.set_header(Map::Response, "content-length", honest.as_bytes());
        }
        if fault.is_new() {
            exchange.remove_header(Map::Response, "content-encoding");
        }
        self.body = Some(Flow::new(fault.clone(), length, !response.honest_length));
    }

    /// Changes a piece of the body, and lets it go when it may.
    fn pass_body(&mut self, filter: &FaultInjection, exchange: &mut Exchange<'_>, chunk: Chunk<'_>) -> Step {
        if chunk.last && self.empties_trailers {
            exchange.remove_response_trailers();
        }
        let mut length = chunk.bytes.len();
        if let Some(body) = &mut self.body {
            let Some(piece) = body.take(chunk.bytes, chunk.last) else {
                self.gathers = true;
                return Step::Hold;
            };
            length = piece.len();
            let was_gathered = std::mem::replace(&mut self.gathers, false);
            if was_gathered || *piece != *chunk.bytes {
                exchange.replace_body(piece.into_owned());
            }
        }
        if let Some(pace) = self.pace.as_mut().filter(|_| !filter.is_killed()) {
            let now = exchange.now();
            let until = pace.take(length, now);
            if now < until {
                return self.hold(filter, exchange, until);
            }
        }
        if self.until.is_some() { Step::HoldBack } else { Step::Continue }
    }
}
