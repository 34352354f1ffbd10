//! How far a message has come: with the host, with each filter, and what moves it on.

use super::call::Event;
use super::{ChainStream, LinkStream, Verdict};
use crate::filter::{Chunk, Step};
use crate::host::{Direction, Effect, Host};

/// How far a message has come with the host.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Flow {
    /// The headers have arrived.
    pub(super) started: bool,
    /// The message ended with its headers.
    pub(super) headers_only: bool,
    /// Everything has arrived.
    pub(super) ended: bool,
    /// The end came with trailers.
    pub(super) trailers: bool,
    /// How many bytes of the body went on already.
    pub(super) passed: usize,
    /// How many bytes of the body the host keeps now.
    pub(super) buffered: usize,
    /// The host has a buffer, be it an empty one.
    pub(super) body: bool,
    /// The headers went on: too late for a reply.
    pub(super) released: bool,
    /// Answered or broken off: nothing more is decided.
    pub(super) closed: bool,
}

/// How far a message has come with one filter.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Progress {
    /// The filter has seen the headers.
    pub(super) started: bool,
    /// The filter has seen the trailers.
    pub(super) saw_trailers: bool,
    /// The filter's last word was to hold.
    pub(super) holding: bool,
    /// And to slow down who sends.
    pub(super) back: bool,
    /// How many bytes of the body the filter has seen.
    pub(super) delivered: usize,
    /// How many bytes of the body the filter has let go.
    pub(super) passed: usize,
    /// The filter has seen the end.
    pub(super) finished: bool,
}

impl ChainStream {
    /// Moves a message as far as the filters let it.
    #[inline(never)]
    pub(super) fn pump(
        &mut self,
        direction: Direction,
        host: &dyn Host,
        effects: &mut Vec<Effect>,
    ) -> Verdict {
        if self.flow(direction).closed {
            return Verdict::Pause;
        }
        for position in 0..self.links.len() {
            let index = match direction {
                Direction::Request => position,
                Direction::Response => self.links.len().saturating_sub(position).saturating_sub(1),
            };
            let step = self.pass(index, direction, host, effects);
            if let Some(verdict) = self.stop(index, direction, step) {
                return verdict;
            }
        }
        let flow = self.flow(direction);
        flow.passed = flow.passed.saturating_add(flow.buffered);
        flow.buffered = 0;
        flow.body = false;
        flow.released = true;
        Verdict::Continue
    }

    /// Returns what becomes of a message that a filter doesn't let go on.
    pub(super) fn stop(&mut self, index: usize, direction: Direction, step: Step) -> Option<Verdict> {
        Some(match step {
            Step::Continue => return None,
            Step::Hold => Verdict::Pause,
            Step::HoldBack => self.hold_back(index, direction),
            Step::Reply(reply) => self.answer(index, direction, reply),
            Step::Reset => {
                self.flow(direction).closed = true;
                Verdict::Reset
            }
        })
    }

    /// Gives what has come of the body out of reach, unless another filter wants to read it.
    fn hold_back(&mut self, index: usize, direction: Direction) -> Verdict {
        if (0..self.links.len()).any(|other| other != index && self.wants_body(other, direction)) {
            return Verdict::Pause;
        }
        let flow = self.flow(direction);
        flow.passed = flow.passed.saturating_add(flow.buffered);
        flow.buffered = 0;
        flow.body = false;
        let passed = flow.passed;
        if let Some(link) = self.links.get_mut(index) {
            link.progress(direction).passed = passed;
        }
        Verdict::PauseBack
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
        let calls = || self.memory.callouts.iter().any(|(_, owner)| *owner == index);
        if direction == Direction::Response && (!link.request.started || (link.is_done() && !calls())) {
            link.response.passed = flow.passed.saturating_add(flow.buffered);
            return Step::Continue;
        }
        let (wants_headers, wants_body) = match direction {
            // Who is done isn't there any more, and a body is dear to fetch.
            Direction::Request => (true, callbacks.request_body && link.stream.is_some()),
            Direction::Response => (callbacks.response_headers, callbacks.response_body),
        };
        if !link.progress(direction).started {
            link.progress(direction).started = true;
            if wants_headers {
                let step = self.call(index, direction, host, effects, Event::Headers);
                if let Some(step) = self.settle(index, direction, step) {
                    return step;
                }
            }
        }
        if flow.trailers && direction == Direction::Response && callbacks.response_trailers {
            self.pass_trailers(index, host, effects);
        }
        if wants_body && let Some(step) = self.pass_body(index, direction, host, effects) {
            return step;
        }
        // Asked again: the filter may have replaced what it lets go.
        let flow = *self.flow(direction);
        if let Some(link) = self.links.get_mut(index) {
            let progress = link.progress(direction);
            if progress.holding {
                return if progress.back { Step::HoldBack } else { Step::Hold };
            }
            progress.passed = flow.passed.saturating_add(flow.buffered);
        }
        Step::Continue
    }

    /// Shows one filter the trailers of the response, once.
    fn pass_trailers(&mut self, index: usize, host: &dyn Host, effects: &mut Vec<Effect>) {
        if let Some(link) = self.links.get_mut(index)
            && !std::mem::replace(&mut link.response.saw_trailers, true)
        {
            self.call(index, Direction::Response, host, effects, Event::Trailers);
        }
    }

    /// Shows one filter what it hasn't seen yet of the body; returns a step that ends the matter. A function of its own,
    /// because few messages that come through have a body that somebody reads.
    #[inline(never)]
    fn pass_body(
        &mut self,
        index: usize,
        direction: Direction,
        host: &dyn Host,
        effects: &mut Vec<Effect>,
    ) -> Option<Step> {
        let (flow, progress) = (*self.flow(direction), self.progress(index, direction));
        let arrived = flow.passed.saturating_add(flow.buffered);
        let last = flow.ended;
        if progress.finished || !(last || progress.delivered < arrived) {
            return None;
        }
        let start = progress.delivered.saturating_sub(flow.passed);
        let length = arrived.saturating_sub(progress.delivered);
        let bytes = self.bytes(direction, host, start, length);
        if let Some(link) = self.links.get_mut(index) {
            let progress = link.progress(direction);
            progress.delivered = arrived;
            progress.finished = last;
        }
        let event = Event::Body(Chunk { bytes: &bytes, last });
        let step = self.call(index, direction, host, effects, event);
        self.settle(index, direction, step)
    }

    /// Notes a step; returns it if it ends the matter.
    pub(super) fn settle(&mut self, index: usize, direction: Direction, step: Step) -> Option<Step> {
        let holding = match step {
            Step::Continue => false,
            Step::Hold | Step::HoldBack => true,
            Step::Reply(_) | Step::Reset => return Some(step),
        };
        if let Some(link) = self.links.get_mut(index) {
            let progress = link.progress(direction);
            progress.holding = holding;
            progress.back = step == Step::HoldBack;
        }
        None
    }

    /// Turns the step of a woken filter into what becomes of the stream.
    pub(super) fn woken(
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
            Step::Hold | Step::HoldBack => None,
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
                    Verdict::Pause | Verdict::PauseBack => None,
                    verdict @ (Verdict::Continue
                    | Verdict::Reply(_)
                    | Verdict::GrpcReply(_)
                    | Verdict::Reset) => Some((direction, verdict)),
                }
            }
            Step::Reply(reply) => Some((direction, self.answer(index, direction, reply))),
            Step::Reset => {
                self.flow(direction).closed = true;
                Some((direction, Verdict::Reset))
            }
        }
    }

    /// Returns the direction in which a filter holds the stream: a response may begin while the body of its request
    /// is held. The one that came last if it holds neither.
    pub(super) fn waits(&self, index: usize) -> Direction {
        let request_only = self.progress(index, Direction::Request).holding
            && !self.progress(index, Direction::Response).holding
            && !self.request.closed;
        if request_only || !self.response.started { Direction::Request } else { Direction::Response }
    }

    pub(super) fn flow(&mut self, direction: Direction) -> &mut Flow {
        match direction {
            Direction::Request => &mut self.request,
            Direction::Response => &mut self.response,
        }
    }

    pub(super) fn progress(&self, index: usize, direction: Direction) -> Progress {
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
    /// Tells that nothing more of the stream matters to the filter, if no callout of it is on its way.
    pub(super) fn is_done(&self) -> bool {
        self.wake.is_none()
            && !self.response.holding
            && self.stream.as_ref().is_none_or(|stream| stream.is_done())
    }

    pub(super) fn progress(&mut self, direction: Direction) -> &mut Progress {
        match direction {
            Direction::Request => &mut self.request,
            Direction::Response => &mut self.response,
        }
    }
}
