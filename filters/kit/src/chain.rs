//! A chain of filters is a filter: one snapshot of the headers, one way through, edits seen by those behind.
//!
//! 1. A request goes through the filters in order, its response in reverse order, as through separate plugins.
//! 2. A filter that holds stops what is behind it, never what is before it. What arrives meanwhile is kept by the
//!    host and delivered when the filter lets go.
//! 3. A reply stops the chain. Filters that never saw the request never see the response.
//! 4. Each filter that reads bodies gets each byte once and exactly one end.

use std::cell::Cell;
use std::rc::Rc;

use crate::callout::{CalloutId, CalloutResponse};
use crate::exchange::{Exchange, Memory, Shared};
use crate::filter::{Callbacks, Chunk, Filter, Step, Stream};
use crate::host::{Direction, Effect, Host};
use crate::reply::Reply;
use crate::root::Root;
use crate::time::Timestamp;

/// Configured filters in their order.
pub struct Chain {
    links: Vec<Link>,
    shared: Shared,
    identity: String,
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
    /// The client gets this.
    Reply(Reply),
    /// A gRPC client gets this: the status and message of its `grpc` part, and its headers.
    GrpcReply(Reply),
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
    /// The time of this callback, once a filter asked for it.
    now: Cell<Option<Timestamp>>,
    callouts: Vec<(CalloutId, usize)>,
}

/// What one filter has of a stream.
struct LinkStream {
    stream: Box<dyn Stream>,
    request: Progress,
    response: Progress,
    wake: Option<Timestamp>,
}

/// How far a message has come with one filter.
#[derive(Clone, Copy, Debug, Default)]
struct Progress {
    /// The filter has seen the headers.
    started: bool,
    /// The filter's last word was to hold.
    holding: bool,
    /// How many bytes of the body the filter has seen.
    delivered: usize,
    /// How many bytes of the body the filter has let go.
    passed: usize,
    /// The filter has seen the end.
    finished: bool,
}

/// How far a message has come with the host.
#[derive(Clone, Copy, Debug, Default)]
struct Flow {
    /// The headers have arrived.
    started: bool,
    /// The message ended with its headers.
    headers_only: bool,
    /// Everything has arrived.
    ended: bool,
    /// How many bytes of the body went on already.
    passed: usize,
    /// How many bytes of the body the host keeps now.
    buffered: usize,
    /// The host has a buffer, be it an empty one.
    body: bool,
    /// The host was told to wait.
    paused: bool,
    /// The headers went on: too late for a reply.
    released: bool,
    /// Answered or broken off: nothing more is decided.
    closed: bool,
}

impl ChainStream {
    /// Prepares to follow a stream.
    pub fn new(chain: Rc<Chain>) -> Self {
        let links = chain
            .links
            .iter()
            .map(|link| LinkStream {
                stream: Rc::clone(&link.filter).stream(),
                request: Progress::default(),
                response: Progress::default(),
                wake: None,
            })
            .collect();
        Self {
            chain,
            links,
            memory: Memory::default(),
            request: Flow::default(),
            response: Flow::default(),
            replaced: None,
            now: Cell::new(None),
            callouts: Vec::new(),
        }
    }

    /// Takes the headers of a message; `end` if nothing follows them.
    pub fn headers(
        &mut self,
        direction: Direction,
        host: &dyn Host,
        end: bool,
        effects: &mut Vec<Effect>,
    ) -> Verdict {
        self.begin();
        let flow = self.flow(direction);
        flow.started = true;
        flow.headers_only = end;
        flow.ended = end;
        if direction == Direction::Response && !self.request.released {
            // Somebody else answers a request that is still held: there is nothing left to decide about it.
            self.request.closed = true;
        }
        self.pump(direction, host, effects)
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
        self.flow(direction).ended = true;
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
                let step =
                    self.call(index, direction, host, effects, |stream, exchange| stream.on_wake(exchange));
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
        let position = self.callouts.iter().position(|(sent, _)| *sent == id)?;
        let (_, index) = self.callouts.swap_remove(position);
        self.begin();
        let direction = self.waits(index);
        let step = self.call(index, direction, host, effects, |stream, exchange| {
            stream.on_callout(exchange, id, response)
        });
        self.woken(index, direction, step, host, effects)
    }

    /// Ends the stream, however it ended.
    pub fn end(&mut self, host: &dyn Host, effects: &mut Vec<Effect>) {
        for index in 0..self.links.len() {
            let wants = self.chain.links.get(index).is_some_and(|link| link.callbacks.end);
            if wants && self.progress(index, Direction::Request).started {
                self.call(index, Direction::Response, host, effects, |stream, exchange| {
                    stream.on_end(exchange);
                    Step::Continue
                });
            }
        }
    }

    /// Tells that nothing more of the stream matters to any filter.
    pub fn is_done(&self) -> bool {
        (self.request.released || self.request.closed)
            && self.callouts.is_empty()
            && self.links.iter().all(|link| link.wake.is_none() && link.stream.is_done())
    }

    /// Forgets the stream.
    pub fn gone(&mut self, host: &dyn Host, effects: &mut Vec<Effect>) {
        for index in 0..self.links.len() {
            if self.progress(index, Direction::Request).started {
                self.call(index, Direction::Response, host, effects, |stream, exchange| {
                    stream.on_gone(exchange);
                    Step::Continue
                });
            }
        }
    }

    /// Returns the earliest instant at which a filter wants to be woken.
    pub fn next_wake(&self) -> Option<Timestamp> {
        self.links.iter().filter_map(|link| link.wake).min()
    }

    /// Makes the filter of this name due now, if it waits on this stream for anything.
    pub fn hurry(&mut self, index: usize, now: Timestamp) {
        if let Some(link) = self.links.get_mut(index) {
            if link.wake.is_some() {
                link.wake = Some(now);
            }
        }
    }

    /// Returns the callouts that wait for an answer.
    pub fn callouts(&self) -> impl Iterator<Item = CalloutId> + '_ {
        self.callouts.iter().map(|(id, _)| *id)
    }

    /// Forgets what was true for the last callback only.
    fn begin(&mut self) {
        self.replaced = None;
        self.now.set(None);
    }

    /// Moves a message as far as the filters let it.
    fn pump(&mut self, direction: Direction, host: &dyn Host, effects: &mut Vec<Effect>) -> Verdict {
        if self.flow(direction).closed {
            return Verdict::Pause;
        }
        for position in 0..self.links.len() {
            let index = match direction {
                Direction::Request => position,
                Direction::Response => self.links.len().saturating_sub(position).saturating_sub(1),
            };
            match self.pass(index, direction, host, effects) {
                Step::Continue => {}
                Step::Hold => {
                    self.flow(direction).paused = true;
                    return Verdict::Pause;
                }
                Step::Reply(reply) => return self.answer(index, direction, reply, host, effects),
                Step::Reset => {
                    self.flow(direction).closed = true;
                    return Verdict::Reset;
                }
            }
        }
        let flow = self.flow(direction);
        flow.passed = flow.passed.saturating_add(flow.buffered);
        flow.buffered = 0;
        flow.body = false;
        flow.paused = false;
        flow.released = true;
        Verdict::Continue
    }

    /// Shows one filter what it hasn't seen yet.
    fn pass(
        &mut self,
        index: usize,
        direction: Direction,
        host: &dyn Host,
        effects: &mut Vec<Effect>,
    ) -> Step {
        let callbacks = self.chain.links.get(index).map(|link| link.callbacks).unwrap_or_default();
        let flow = *self.flow(direction);
        let Some(link) = self.links.get_mut(index) else {
            return Step::Continue;
        };
        if direction == Direction::Response && !link.request.started {
            link.response.passed = flow.passed.saturating_add(flow.buffered);
            return Step::Continue;
        }
        let (wants_headers, wants_body) = match direction {
            Direction::Request => (true, callbacks.request_body),
            Direction::Response => (callbacks.response_headers, callbacks.response_body),
        };
        if !link.progress(direction).started {
            link.progress(direction).started = true;
            if wants_headers {
                let step = self.call(index, direction, host, effects, |stream, exchange| match direction {
                    Direction::Request => stream.on_request_headers(exchange),
                    Direction::Response => stream.on_response_headers(exchange),
                });
                if let Some(step) = self.settle(index, direction, step) {
                    return step;
                }
            }
        }
        let progress = self.progress(index, direction);
        let arrived = flow.passed.saturating_add(flow.buffered);
        let last = flow.ended;
        if wants_body && !progress.finished && (last || progress.delivered < arrived) {
            let start = progress.delivered.saturating_sub(flow.passed);
            let length = arrived.saturating_sub(progress.delivered);
            let bytes = self.bytes(direction, host, start, length);
            if let Some(link) = self.links.get_mut(index) {
                let progress = link.progress(direction);
                progress.delivered = arrived;
                progress.finished = last;
            }
            let chunk = Chunk { bytes: &bytes, last };
            let step = self.call(index, direction, host, effects, |stream, exchange| match direction {
                Direction::Request => stream.on_request_body(exchange, chunk),
                Direction::Response => stream.on_response_body(exchange, chunk),
            });
            if let Some(step) = self.settle(index, direction, step) {
                return step;
            }
        }
        if self.progress(index, direction).holding {
            return Step::Hold;
        }
        // Asked again: the filter may have replaced what it lets go.
        let flow = *self.flow(direction);
        if let Some(link) = self.links.get_mut(index) {
            link.progress(direction).passed = flow.passed.saturating_add(flow.buffered);
        }
        Step::Continue
    }

    /// Returns bytes of the body as the filters before have left it.
    fn bytes(&self, direction: Direction, host: &dyn Host, start: usize, length: usize) -> Vec<u8> {
        match &self.replaced {
            _ if length == 0 => Vec::new(),
            Some((of, body)) if *of == direction => body.iter().skip(start).take(length).copied().collect(),
            Some(_) | None => host.body(direction, start, length),
        }
    }

    /// Returns how many bytes of the body have come as far as to this filter.
    fn let_go_before(&mut self, index: usize, direction: Direction) -> usize {
        let nearest = match direction {
            Direction::Request => index.checked_sub(1),
            Direction::Response => index.checked_add(1).filter(|next| *next < self.links.len()),
        };
        let flow = *self.flow(direction);
        let arrived = flow.passed.saturating_add(flow.buffered);
        nearest.map_or(arrived, |nearest| self.progress(nearest, direction).passed)
    }

    fn wants_body(&self, index: usize, direction: Direction) -> bool {
        let callbacks = self.chain.links.get(index).map(|link| link.callbacks).unwrap_or_default();
        match direction {
            Direction::Request => callbacks.request_body,
            Direction::Response => callbacks.response_body,
        }
    }

    /// Puts bytes in the place of those that a filter holds, between what it has let go and what it hasn't got yet.
    /// Returns the body that the host is to keep.
    fn replace(
        &mut self,
        index: usize,
        direction: Direction,
        bytes: &[u8],
        host: &dyn Host,
    ) -> Option<Vec<u8>> {
        let flow = *self.flow(direction);
        if !flow.body {
            return None;
        }
        let before = match direction {
            Direction::Request => 0..index,
            Direction::Response => index.saturating_add(1)..self.links.len(),
        };
        let arrived = flow.passed.saturating_add(flow.buffered);
        let start = self.progress(index, direction).passed;
        let end = self.let_go_before(index, direction);
        let mut whole = self.bytes(direction, host, 0, start.saturating_sub(flow.passed));
        whole.extend_from_slice(bytes);
        let moved = start.saturating_add(bytes.len());
        whole.extend(self.bytes(
            direction,
            host,
            end.saturating_sub(flow.passed),
            arrived.saturating_sub(end),
        ));
        self.flow(direction).buffered = whole.len();
        for other in before {
            if let Some(link) = self.links.get_mut(other) {
                let progress = link.progress(direction);
                progress.passed = progress.passed.saturating_sub(end).saturating_add(moved);
                progress.delivered = progress.delivered.saturating_sub(end).saturating_add(moved);
            }
        }
        if let Some(link) = self.links.get_mut(index) {
            link.progress(direction).delivered = moved;
        }
        self.replaced = Some((direction, whole.clone()));
        Some(whole)
    }

    /// Notes a step; returns it if it ends the matter.
    fn settle(&mut self, index: usize, direction: Direction, step: Step) -> Option<Step> {
        let holding = match step {
            Step::Continue => false,
            Step::Hold => true,
            Step::Reply(_) | Step::Reset => return Some(step),
        };
        if let Some(link) = self.links.get_mut(index) {
            link.progress(direction).holding = holding;
        }
        None
    }

    /// Turns the step of a woken filter into what becomes of the stream.
    fn woken(
        &mut self,
        index: usize,
        direction: Direction,
        step: Step,
        host: &dyn Host,
        effects: &mut Vec<Effect>,
    ) -> Option<(Direction, Verdict)> {
        if self.flow(direction).closed || !self.progress(index, direction).holding {
            return None;
        }
        match step {
            Step::Hold => None,
            Step::Continue => {
                self.settle(index, direction, Step::Continue);
                // What it has seen it lets go, though a filter before it may hold what came since.
                let seen = if self.wants_body(index, direction) {
                    self.progress(index, direction).delivered
                } else {
                    self.let_go_before(index, direction)
                };
                if let Some(link) = self.links.get_mut(index) {
                    link.progress(direction).passed = seen;
                }
                match self.pump(direction, host, effects) {
                    Verdict::Pause => None,
                    verdict => Some((direction, verdict)),
                }
            }
            Step::Reply(reply) => Some((direction, self.answer(index, direction, reply, host, effects))),
            Step::Reset => {
                self.flow(direction).closed = true;
                Some((direction, Verdict::Reset))
            }
        }
    }

    /// Answers in place of the upstream, in the client's own protocol.
    fn answer(
        &mut self,
        index: usize,
        direction: Direction,
        mut reply: Reply,
        host: &dyn Host,
        effects: &mut Vec<Effect>,
    ) -> Verdict {
        let released = self.flow(direction).released;
        self.flow(direction).closed = true;
        if released {
            // The headers are with the next hop: all that is left is to break off.
            return Verdict::Reset;
        }
        let mut grpc = false;
        self.call(index, direction, host, effects, |_, exchange| {
            grpc = exchange.is_grpc();
            Step::Continue
        });
        self.memory.replied = Some(index);
        if grpc {
            reply.headers.retain(|(name, _)| name != "content-type");
            Verdict::GrpcReply(reply)
        } else {
            Verdict::Reply(reply)
        }
    }

    /// Calls a filter with a view of the stream, and keeps what the view was told.
    fn call(
        &mut self,
        index: usize,
        direction: Direction,
        host: &dyn Host,
        effects: &mut Vec<Effect>,
        act: impl FnOnce(&mut dyn Stream, &mut Exchange<'_>) -> Step,
    ) -> Step {
        let headers_only = self.flow(direction).headers_only;
        let (Some(link), Some(state)) = (self.chain.links.get(index), self.links.get_mut(index)) else {
            return Step::Continue;
        };
        let known = effects.len();
        let mut exchange = Exchange {
            host,
            memory: &mut self.memory,
            shared: &self.chain.shared,
            effects,
            wake: &mut state.wake,
            callouts: &mut self.callouts,
            link: index,
            name: &link.name,
            identity: &self.chain.identity,
            direction,
            headers_only,
            now: &self.now,
        };
        let step = act(state.stream.as_mut(), &mut exchange);
        if !effects.iter().skip(known).any(|effect| matches!(effect, Effect::ReplaceBody(..))) {
            return step;
        }
        for effect in effects.split_off(known) {
            if let Effect::ReplaceBody(of, bytes) = &effect {
                let whole = self.replace(index, *of, bytes, host);
                effects.extend(whole.map(|whole| Effect::ReplaceBody(*of, whole)));
            } else {
                effects.push(effect);
            }
        }
        step
    }

    /// Returns the direction in which a filter holds the stream: a response may begin while the body of its request
    /// is held. The one that came last if it holds neither.
    fn waits(&self, index: usize) -> Direction {
        let request_only = self.progress(index, Direction::Request).holding
            && !self.progress(index, Direction::Response).holding
            && !self.request.closed;
        if request_only || !self.response.started { Direction::Request } else { Direction::Response }
    }

    fn flow(&mut self, direction: Direction) -> &mut Flow {
        match direction {
            Direction::Request => &mut self.request,
            Direction::Response => &mut self.response,
        }
    }

    fn progress(&self, index: usize, direction: Direction) -> Progress {
        let Some(link) = self.links.get(index) else {
            return Progress::default();
        };
        match direction {
            Direction::Request => link.request,
            Direction::Response => link.response,
        }
    }
}

impl LinkStream {
    fn progress(&mut self, direction: Direction) -> &mut Progress {
        match direction {
            Direction::Request => &mut self.request,
            Direction::Response => &mut self.response,
        }
    }
}

/// The part of a chain that belongs to no stream.
pub struct ChainRoot {
    chain: Rc<Chain>,
    wakes: Vec<Option<Timestamp>>,
    callouts: Vec<(CalloutId, usize)>,
    hurried: Vec<usize>,
}

impl ChainRoot {
    /// Prepares the root of a chain.
    pub fn new(chain: Rc<Chain>) -> Self {
        let wakes = chain.links.iter().map(|_| None).collect();
        Self { chain, wakes, callouts: Vec::new(), hurried: Vec::new() }
    }

    /// Tells every filter that the configuration is in force.
    pub fn start(&mut self, host: &dyn Host, effects: &mut Vec<Effect>) {
        for index in 0..self.wakes.len() {
            self.call(index, host, effects, |filter, root| filter.on_start(root));
        }
    }

    /// Wakes the filters whose instant has come.
    pub fn wake(&mut self, host: &dyn Host, now: Timestamp, effects: &mut Vec<Effect>) {
        for index in 0..self.wakes.len() {
            let due = self.wakes.get_mut(index).is_some_and(|wake| match wake {
                Some(at) if *at <= now => {
                    *wake = None;
                    true
                }
                Some(_) | None => false,
            });
            if due {
                self.call(index, host, effects, |filter, root| filter.on_wake(root));
            }
        }
    }

    /// Hands the answer of a callout to the filter that sent it.
    pub fn callout(
        &mut self,
        host: &dyn Host,
        id: CalloutId,
        response: &CalloutResponse,
        effects: &mut Vec<Effect>,
    ) {
        if let Some(position) = self.callouts.iter().position(|(sent, _)| *sent == id) {
            let (_, index) = self.callouts.swap_remove(position);
            self.call(index, host, effects, |filter, root| filter.on_callout(root, id, response));
        }
    }

    /// Returns the earliest instant at which a filter wants to be woken.
    pub fn next_wake(&self) -> Option<Timestamp> {
        self.wakes.iter().flatten().min().copied()
    }

    /// Takes the filters whose waiting streams are to be woken.
    pub fn take_hurried(&mut self) -> Vec<usize> {
        std::mem::take(&mut self.hurried)
    }

    fn call(
        &mut self,
        index: usize,
        host: &dyn Host,
        effects: &mut Vec<Effect>,
        act: impl FnOnce(&dyn Filter, &mut Root<'_>),
    ) {
        let (Some(link), Some(wake)) = (self.chain.links.get(index), self.wakes.get_mut(index)) else {
            return;
        };
        let mut wake_streams = false;
        let mut sent = Vec::new();
        let mut root = Root { host, effects, wake, wake_streams: &mut wake_streams, sent: &mut sent };
        act(link.filter.as_ref(), &mut root);
        self.callouts.extend(sent.into_iter().map(|id| (id, index)));
        if wake_streams {
            self.hurried.push(index);
        }
    }
}

#[cfg(test)]
mod tests;
