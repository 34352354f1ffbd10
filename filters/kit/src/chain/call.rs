//! How one filter of a chain is called, and how its reply becomes that of the chain.

use super::{ChainStream, Verdict};
use crate::callout::{CalloutId, CalloutResponse};
use crate::exchange::Exchange;
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

impl ChainStream {
    /// Tells a filter what happened, with a view of the stream, and keeps what the view was told. Every event goes this
    /// one way: code that has just run is at hand.
    #[inline(never)]
    pub(super) fn call(
        &mut self,
        index: usize,
        direction: Direction,
        host: &dyn Host,
        effects: &mut Vec<Effect>,
        event: Event<'_>,
    ) -> Step {
        let headers_only = self.flow(direction).headers_only;
        let Some(state) = self.links.get_mut(index) else {
            return Step::Continue;
        };
        let known = effects.len();
        let mut exchange = Exchange {
            host,
            memory: &mut self.memory,
            chain: &self.chain,
            effects,
            wake: &mut state.wake,
            link: index,
            direction,
            headers_only,
            replaces: false,
        };
        let (stream, exchange) = (state.stream.as_mut(), &mut exchange);
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
        let (replaces, grpc) = (exchange.replaces, matches!(step, Step::Reply(_)) && exchange.is_grpc());
        self.memory.grpc = grpc;
        if replaces {
            self.replace_bodies(index, known, host, effects);
        }
        step
    }

    /// Makes of the part of a body that a filter put in the place of its own the whole body that the host is to keep.
    #[cold]
    fn replace_bodies(&mut self, index: usize, known: usize, host: &dyn Host, effects: &mut Vec<Effect>) {
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
