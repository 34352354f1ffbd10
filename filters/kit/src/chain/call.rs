//! How one filter of a chain is called, and how its reply becomes that of the chain.

use super::{ChainStream, Verdict};
use crate::exchange::Exchange;
use crate::filter::{Step, Stream};
use crate::host::{Direction, Effect, Host};
use crate::reply::Reply;

impl ChainStream {
    /// Calls a filter with a view of the stream, and keeps what the view was told.
    pub(super) fn call(
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

    /// Answers in place of the upstream, in the client's own protocol.
    pub(super) fn answer(
        &mut self,
        index: usize,
        direction: Direction,
        mut reply: Reply,
        host: &dyn Host,
        effects: &mut Vec<Effect>,
    ) -> Verdict {
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
}
