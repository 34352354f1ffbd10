//! What a filter is: configuration in, decisions out, and nothing of the host in between.

use std::rc::Rc;

use crate::callout::{CalloutId, CalloutResponse};
use crate::config::Node;
use crate::exchange::Exchange;
use crate::reply::Reply;
use crate::root::Root;
use crate::setup::Setup;

/// A filter as a module offers it: its name, what it needs of the host, and how it is made.
#[derive(Clone, Copy, Debug)]
pub struct Kind {
    /// The one name: folder, package, module, metric prefix, configuration key.
    pub name: &'static str,
    /// The version of the crate.
    pub version: &'static str,
    /// The callbacks the module must export for it.
    pub callbacks: Callbacks,
    /// Reads the configuration; every problem is recorded at its node.
    pub configure: fn(&Node<'_>, &mut Setup<'_>) -> Option<Rc<dyn Filter>>,
}

/// The callbacks a filter uses beside request headers.
///
/// Each one that no filter of a module uses is pruned from it: a callback that does nothing still costs a call
/// from the host.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Callbacks {
    /// Reads or changes the request's body.
    pub request_body: bool,
    /// Reads or changes the response's headers.
    pub response_headers: bool,
    /// Reads or changes the response's body.
    pub response_body: bool,
    /// Looks at the response's trailers.
    pub response_trailers: bool,
    /// Holds requests until more of them, a timer or a callout lets them go.
    pub hold: bool,
    /// Holds responses in the same way; needs [`Callbacks::response_headers`].
    pub hold_response: bool,
    /// Acts when the stream is over.
    pub end: bool,
    /// Sends HTTP requests of its own.
    pub callout: bool,
}

impl Callbacks {
    /// Returns what either of two filters uses.
    pub const fn or(self, other: Self) -> Self {
        Self {
            request_body: self.request_body || other.request_body,
            response_headers: self.response_headers || other.response_headers,
            response_body: self.response_body || other.response_body,
            response_trailers: self.response_trailers || other.response_trailers,
            hold: self.hold || other.hold,
            hold_response: self.hold_response || other.hold_response,
            end: self.end || other.end,
            callout: self.callout || other.callout,
        }
    }
}

/// A configured filter: shared by all streams of a worker, unchangeable but for its own cells.
pub trait Filter {
    /// Makes the part that follows one stream.
    fn stream(self: Rc<Self>) -> Box<dyn Stream>;

    /// Runs once when the configuration is in force, on every worker.
    ///
    /// It also runs where no request ever comes (the main thread, and once more in a trial run), so an effect
    /// that must happen once per process needs a lease in the store. A trial run ends with this: what it has sent is
    /// called off, perhaps on its way, and it is never woken. So a callout is better sent from [`Filter::on_wake`],
    /// asked for here with an instant that is now.
    fn on_start(&self, root: &mut Root<'_>) {
        let _ = root;
    }

    /// Runs when an instant asked for with [`Root::wake_at`] has come, and soon after a stream has asked for it with
    /// [`Exchange::wake_filter`]; the instant stays asked for then, unless this asks for another.
    fn on_wake(&self, root: &mut Root<'_>) {
        let _ = root;
    }

    /// Runs when a callout that the root sent is answered.
    fn on_callout(&self, root: &mut Root<'_>, id: CalloutId, response: &CalloutResponse) {
        let _ = (root, id, response);
    }
}

/// What a filter does on one stream. All methods have defaults: a filter writes those that it needs.
///
/// A body ends, for whoever is not done, in exactly one call with [`Chunk::last`], whether the end came with the headers, with a piece of
/// the body, or with trailers; nobody can forget one of the three.
pub trait Stream {
    /// Decides on the request's headers.
    fn on_request_headers(&mut self, exchange: &mut Exchange<'_>) -> Step {
        let _ = exchange;
        Step::Continue
    }

    /// Takes the next piece of the request's body; needs [`Callbacks::request_body`].
    fn on_request_body(&mut self, exchange: &mut Exchange<'_>, chunk: Chunk<'_>) -> Step {
        let _ = (exchange, chunk);
        Step::Continue
    }

    /// Decides on the response's headers; needs [`Callbacks::response_headers`].
    fn on_response_headers(&mut self, exchange: &mut Exchange<'_>) -> Step {
        let _ = exchange;
        Step::Continue
    }

    /// Takes the next piece of the response's body; needs [`Callbacks::response_body`].
    fn on_response_body(&mut self, exchange: &mut Exchange<'_>, chunk: Chunk<'_>) -> Step {
        let _ = (exchange, chunk);
        Step::Continue
    }

    /// Looks at the response's trailers, if it has some: after its headers, and before the end of its body is told; needs
    /// [`Callbacks::response_trailers`].
    fn on_response_trailers(&mut self, exchange: &mut Exchange<'_>) {
        let _ = exchange;
    }

    /// Runs when an instant asked for with [`Exchange::wake_at`] has come; the step says what becomes of a
    /// stream that this filter holds.
    fn on_wake(&mut self, exchange: &mut Exchange<'_>) -> Step {
        let _ = exchange;
        Step::Hold
    }

    /// Runs when a callout that this stream sent is answered; the step says what becomes of a stream that this
    /// filter holds.
    fn on_callout(&mut self, exchange: &mut Exchange<'_>, id: CalloutId, response: &CalloutResponse) -> Step {
        let _ = (exchange, id, response);
        Step::Hold
    }

    /// Runs once when the stream is over, however it ended, and all that is known of it can still be looked up;
    /// needs [`Callbacks::end`], a call from the host. Who can do without the headers has [`Stream::on_gone`].
    fn on_end(&mut self, exchange: &mut Exchange<'_>) {
        let _ = exchange;
    }

    /// Tells that nothing more of the stream matters to this filter: neither its response nor its end.
    ///
    /// Asked when the filter has seen the request's headers, and when something of the response comes. Whoever is done is told
    /// nothing more of the stream, be it of its request or of its response. Most streams are done with their headers, and cost
    /// nothing more.
    fn is_done(&self) -> bool {
        false
    }

    /// Runs once when the stream is forgotten, however it ended. Its headers are gone, but properties of the stream such
    /// as `upstream.request_attempt_count` can still be looked up, shared state and metrics are there, and it costs no
    /// call from the host.
    fn on_gone(&mut self, exchange: &mut Exchange<'_>) {
        let _ = exchange;
    }
}

/// A piece of a body.
#[derive(Clone, Copy, Debug)]
pub struct Chunk<'a> {
    /// The bytes that are new since the last piece.
    pub bytes: &'a [u8],
    /// No more will come.
    pub last: bool,
}

/// What a filter decides.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Step {
    /// Nothing more against what was seen so far: it goes on to the next filter.
    Continue,
    /// Nothing goes on until more of the body, a timer or a callout brings another step.
    ///
    /// Who reads the body and holds answers each piece of it with this as well: the last word counts.
    ///
    /// Who waits for a timer or a callout sets a deadline with [`Exchange::wake_at`]: nothing waits for ever.
    Hold,
    /// The same, and whoever sends is slowed down once the proxy's buffers are full, instead of being refused.
    ///
    /// The price: what has come of the body is out of reach, and can't be looked at or replaced any more. So where
    /// another filter of the chain reads bodies of this direction, this is [`Step::Hold`].
    HoldBack,
    /// The stream is answered here.
    Reply(Box<Reply>),
    /// The stream is broken off without an answer.
    Reset,
}
