//! A chain of filters is a filter: one snapshot of the headers, one way through, edits seen by those behind.
//!
//! 1. A request goes through the filters in order, its response in reverse order, as through separate plugins.
//! 2. A filter that holds stops what is behind it, never what is before it. What arrives meanwhile is kept by the
//!    host and delivered when the filter lets go.
//! 3. A reply stops the chain. Filters that never saw the request never see the response.
//! 4. Each filter that reads bodies gets each byte once and exactly one end. Whoever is done is told nothing more.

use std::rc::Rc;

use self::call::Event;
use self::flow::{Flow, Progress};
use crate::callout::{CalloutId, CalloutResponse};
use crate::exchange::{Memory, Shared};
use crate::filter::{Callbacks, Filter, Stream};
use crate::host::{Direction, Effect, Host};
use crate::reply::Reply;
use crate::time::Timestamp;

pub use self::root::ChainRoot;

mod body;
mod call;
mod flow;
mod open;
mod root;

/// Configured filters in their order.
pub struct Chain {
    pub(crate) links: Vec<Link>,
    pub(crate) shared: Shared,
    /// Tells this plugin from others: its name, root id and kind of module.
    pub(crate) identity: String,
}

/// A filter at its place in a chain.
pub struct Link {
    /// What it is called; names are different within a chain.
    pub name: String,
    /// The callbacks it uses.
    pub callbacks: Callbacks,
    /// The filter.
    pub filter: Rc<dyn Filter>,
}

/// What the host is to do with a message after a callback, once all effects are done.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Verdict {
    /// It goes on.
    Continue,
    /// It waits.
    Pause,
    /// It waits, and whoever sends it is slowed down. As an answer to headers or trailers it is [`Verdict::Pause`].
    PauseBack,
    /// The client gets this.
    Reply(Box<Reply>),
    /// A gRPC client gets this: the status and message of its `grpc` part, and its headers.
    GrpcReply(Box<Reply>),
    /// The stream is broken off.
    Reset,
}

impl Chain {
    /// Joins filters. `identity` tells this plugin from the others of the process and outlives its configuration.
    pub fn new(links: Vec<Link>, identity: String) -> Self {
        let shared = Shared::new(1 < links.len());
        Self { links, shared, identity }
    }
}

/// One stream on its way through a chain.
pub struct ChainStream {
    chain: Rc<Chain>,
    links: Vec<LinkStream>,
    memory: Memory,
    request: Flow,
    response: Flow,
    /// The body that the host will keep once it has done the effects of this callback.
    replaced: Option<(Direction, Vec<u8>)>,
}

/// What one filter has of a stream.
#[derive(Default)]
struct LinkStream {
    /// None of a filter that was done when it had seen the request's headers.
    stream: Option<Box<dyn Stream>>,
    request: Progress,
    response: Progress,
    wake: Option<Timestamp>,
}

impl ChainStream {
    /// Takes the headers of the response; `end` if nothing follows them.
    pub fn response_headers(&mut self, host: &dyn Host, end: bool, effects: &mut Vec<Effect>) -> Verdict {
        self.begin();
        self.response.started = true;
        self.response.headers_only = end;
        self.response.ended = end;
        if !self.request.released {
            // Somebody else answers a request that is still held: there is nothing left to decide about it.
            self.request.closed = true;
        }
        self.pump(Direction::Response, host, effects)
    }

    /// Takes the body as far as the host keeps it now: `size` bytes.
    pub fn body(
        &mut self,
        direction: Direction,
        host: &dyn Host,
        size: usize,
        end: bool,
        effects: &mut Vec<Effect>,
    ) -> Verdict {
        self.begin();
        let flow = self.flow(direction);
        flow.buffered = size;
        flow.body = true;
        flow.ended = flow.ended || end;
        self.pump(direction, host, effects)
    }

    /// Takes the trailers, which are the end of the body.
    pub fn trailers(&mut self, direction: Direction, host: &dyn Host, effects: &mut Vec<Effect>) -> Verdict {
        self.begin();
        let flow = self.flow(direction);
        flow.ended = true;
        flow.trailers = true;
        self.pump(direction, host, effects)
    }

    /// Wakes the filters whose instant has come. None if the stream stays as it is.
    pub fn wake(
        &mut self,
        host: &dyn Host,
        now: Timestamp,
        effects: &mut Vec<Effect>,
    ) -> Option<(Direction, Verdict)> {
        self.begin();
        self.memory.now.set(Some(now));
        for index in 0..self.links.len() {
            let due = self.links.get_mut(index).is_some_and(|link| match link.wake {
                Some(at) if at <= now => {
                    link.wake = None;
                    true
                }
                Some(_) | None => false,
            });
            if due {
                let direction = self.waits(index);
                let step = self.call(index, direction, host, effects, Event::Wake);
                if let Some(verdict) = self.woken(index, direction, step, host, effects) {
                    return Some(verdict);
                }
            }
        }
        None
    }

    /// Hands the answer of a callout to the filter that sent it. None if the stream stays as it is.
    pub fn callout(
        &mut self,
        host: &dyn Host,
        id: CalloutId,
        response: &CalloutResponse,
        effects: &mut Vec<Effect>,
    ) -> Option<(Direction, Verdict)> {
        let position = self.memory.callouts.iter().position(|(sent, _)| *sent == id)?;
        let (_, index) = self.memory.callouts.swap_remove(position);
        self.begin();
        let direction = self.waits(index);
        let step = self.call(index, direction, host, effects, Event::Answer(id, response));
        self.woken(index, direction, step, host, effects)
    }

    /// Ends the stream, however it ended.
    pub fn end(&mut self, host: &dyn Host, effects: &mut Vec<Effect>) {
        self.begin();
        for index in 0..self.links.len() {
            let wants = self.chain.links.get(index).is_some_and(|link| link.callbacks.end);
            if wants && self.progress(index, Direction::Request).started {
                self.call(index, Direction::Response, host, effects, Event::End);
            }
        }
    }

    /// Tells that the request goes on, and nothing more of the stream matters to any filter.
    ///
    /// Of a request that was answered there is still something to do: whatever more of it comes stays where it is.
    pub fn is_done(&self) -> bool {
        let holds = |link: &LinkStream| link.request.holding;
        self.request.released && !self.request.closed && self.are_done() && !self.links.iter().any(holds)
    }

    /// Tells that nothing more of the stream matters to any filter.
    fn are_done(&self) -> bool {
        self.memory.callouts.is_empty() && self.links.iter().all(LinkStream::is_done)
    }

    /// Forgets the stream.
    pub fn gone(&mut self, host: &dyn Host, effects: &mut Vec<Effect>) {
        self.begin();
        for index in 0..self.links.len() {
            if self.progress(index, Direction::Request).started {
                self.call(index, Direction::Response, host, effects, Event::Gone);
            }
        }
    }

    /// Returns the time of the last callback, if a filter asked for it.
    pub fn now(&self) -> Option<Timestamp> {
        self.memory.now.get()
    }

    /// Returns the earliest instant at which a filter wants to be woken.
    pub fn next_wake(&self) -> Option<Timestamp> {
        self.links.iter().filter_map(|link| link.wake).min()
    }

    /// Makes the filter of this name due now, if it waits on this stream for anything.
    pub fn hurry(&mut self, index: usize, now: Timestamp) {
        if let Some(link) = self.links.get_mut(index)
            && link.wake.is_some()
        {
            link.wake = Some(now);
        }
    }

    /// Returns the callouts that wait for an answer.
    pub fn callouts(&self) -> impl Iterator<Item = CalloutId> + '_ {
        self.memory.callouts.iter().map(|(id, _)| *id)
    }

    /// Forgets what was true for the last callback only.
    fn begin(&mut self) {
        self.replaced = None;
        self.memory.now.set(None);
    }
}

#[cfg(test)]
mod tests;
