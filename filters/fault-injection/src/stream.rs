//! One stream: what was decided for it happens, step by step.

use std::rc::Rc;

use kit::exchange::Exchange;
use kit::filter::{Chunk, Step, Stream};
use kit::header::{Found, Lookup as _};
use kit::reply::is_grpc;
use kit::time::Timestamp;

use self::watching::Watches;
use crate::body::Flow;
use crate::budget::Ticket;
use crate::filter::FaultInjection;
use crate::plan::{End, Plan};
use crate::response::Pace;
use crate::state::About;

mod response;
mod watching;

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
    watches: Watches,
    /// Until when it is held.
    until: Option<Timestamp>,
    /// Its response has begun.
    responds: bool,
    body: Option<Flow>,
    pace: Option<Pace>,
    empties_trailers: bool,
    /// The request is a HEAD, whose response has no body whatever it says.
    is_head: bool,
    /// The body of the response ends with a piece of it, and not with trailers.
    ends_in_body: bool,
    /// Pieces of the body wait for more of it, and the proxy holds something in their place.
    gathers: bool,
}

impl Fate {
    /// Follows a stream that gets no fault.
    pub(crate) fn harmless(about: About) -> Self {
        Self {
            about,
            plan: None,
            stamp: String::new(),
            ticket: None,
            watches: Watches::Nothing,
            until: None,
            responds: false,
            body: None,
            pace: None,
            empties_trailers: false,
            is_head: false,
            ends_in_body: false,
            gathers: false,
        }
    }

    /// Tells whether anything more of the stream matters.
    pub(crate) fn matters(&self) -> bool {
        self.plan.is_some() || self.watches != Watches::Nothing || self.ticket.is_some()
    }

    /// Begins a fault.
    pub(crate) fn faulty(about: About, plan: Plan, stamp: String) -> Self {
        Self { plan: Some(plan), stamp, ..Self::harmless(about) }
    }

    /// Has what the stream is answered count for its experiment.
    pub(crate) fn watch(mut self) -> Self {
        self.watches = Watches::Status;
        self
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
        if fate.watches == Watches::Status
            && matches!(exchange.find("content-type"), Found::One(kind) if is_grpc(&kind))
        {
            fate.watches = Watches::Call;
        }
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
        fate.see_head(&filter, exchange);
        if exchange.is_own_reply() { Step::Continue } else { fate.begin_response(&filter, exchange) }
    }

    fn on_response_body(&mut self, exchange: &mut Exchange<'_>, chunk: Chunk<'_>) -> Step {
        let filter = Rc::clone(&self.filter);
        let Some(fate) = self.fate.as_mut() else {
            return Step::Continue;
        };
        if chunk.last {
            fate.see_end(&filter, exchange);
        }
        fate.pass_body(&filter, exchange, chunk)
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
            fate.see_break(&filter, exchange);
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
                Step::Reply(Box::new(abort.reply(exchange, &filter.state.own(self.about).name, stamp)))
            }
        }
    }
}
