//! How one filter of a chain is called, and how its reply becomes that of the chain.

use super::{Chain, ChainStream, LinkStream, Verdict};
use crate::callout::{CalloutId, CalloutResponse};
use crate::exchange::{Exchange, Memory};
use crate::filter::{Chunk, Step};
use crate::host::{Direction, Effect, Host};
use crate::reply::Reply;

/// What a filter is told.
pub(super) enum Event<'a> {
    Headers,
    Body(Chunk<'a>),
    Trailers,
    Wake,
    Answer(CalloutId, &'a CalloutResponse),
    End,
    Gone,
}

/// What a filter said.
pub(super) struct Told {
    pub(super) step: Step,
    /// It replaced something of a body.
    pub(super) replaces: bool,
}

/// Tells a filter what happened, with a view of the stream. Every event goes this one way: code that has just run is at
/// hand. `at` is its place, the direction, and whether that message ended with its headers.
#[inline(never)]
pub(super) fn tell(
    chain: &Chain,
    memory: &mut Memory,
    part: &mut LinkStream,
    at: (usize, Direction, bool),
    host: &dyn Host,
    effects: &mut Vec<Effect>,
    event: Event<'_>,
) -> Told {
    let (link, direction, headers_only) = at;
    let wake = &mut part.wake;
    let exchange =
        &mut Exchange { host, memory, chain, effects, wake, link, direction, headers_only, replaces: false };
    let Some(stream) = part.stream.as_deref_mut() else {
        return Told { step: Step::Continue, replaces: false };
    };
    let step = match (event, direction) {
        (Event::Headers, Direction::Request) => stream.on_request_headers(exchange),
        (Event::Headers, Direction::Response) => stream.on_response_headers(exchange),
        (Event::Body(chunk), Direction::Request) => stream.on_request_body(exchange, chunk),
        (Event::Body(chunk), Direction::Response) => stream.on_response_body(exchange, chunk),
        (Event::Wake, _) => stream.on_wake(exchange),
        (Event::Answer(id, response), _) => stream.on_callout(exchange, id, response),
        (Event::Trailers, _) => {
            stream.on_response_trailers(exchange);
            Step::Continue
        }
        (Event::End, _) => {
            stream.on_end(exchange);
            Step::Continue
        }
        (Event::Gone, _) => {
            stream.on_gone(exchange);
            Step::Continue
        }
    };
    if matches!(step, Step::Reply(_)) {
        exchange.memory.grpc = exchange.is_grpc();
    }
    Told { step, replaces: exchange.replaces }
}

impl ChainStream {
    /// Tells a filter what happened, and keeps what it did.
    pub(super) fn call(
        &mut self,
        index: usize,
        direction: Direction,
        host: &dyn Host,
        effects: &mut Vec<Effect>,
        event: Event<'_>,
    ) -> Step {
        let headers_only = self.flow(direction).headers_only;
        let Some(part) = self.links.get_mut(index) else {
            return Step::Continue;
        };
        let known = effects.len();
        let at = (index, direction, headers_only);
        let Told { step, replaces } = tell(&self.chain, &mut self.memory, part, at, host, effects, event);
        if replaces {
            self.replace_bodies(index, known, host, effects);
        }
        step
    }

    /// Makes of the part of a body that a filter put in the place of its own the whole body that the host is to keep.
    #[cold]
    pub(super) fn replace_bodies(
        &mut self,
        index: usize,
        known: usize,
        host: &dyn Host,
        effects: &mut Vec<Effect>,
    ) {
        for effect in effects.split_off(known) {
            if let Effect::ReplaceBody(of, bytes) = &effect {
                let whole = self.replace(index, *of, bytes, host);
                effects.extend(whole.map(|whole| Effect::ReplaceBody(*of, whole)));
            } else {
                effects.push(effect);
            }
        }
    }

    /// Answers in place of the upstream, in the client's own protocol.
    pub(super) fn answer(&mut self, index: usize, direction: Direction, mut reply: Box<Reply>) -> Verdict {
        // A request may be answered as long as nobody has begun to: even if its headers are with the upstream, which
        // then sees it broken off. Of a response, all that is left is to break off.
        let too_late = match direction {
            Direction::Request => self.response.started,
            Direction::Response => self.response.released,
        };
        self.flow(direction).closed = true;
        if too_late {
            return Verdict::Reset;
        }
        self.memory.replied = Some(index);
        if self.memory.grpc {
            reply.headers.retain(|(name, _)| name != "content-type");
            Verdict::GrpcReply(reply)
        } else {
            Verdict::Reply(reply)
        }
    }
}
