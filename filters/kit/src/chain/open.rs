//! The first callback of a stream: its request's headers.
//!
//! Most streams are done with it: every filter lets the request go on, and nothing more of it matters to any of them.
//! Those are never put together.

use std::rc::Rc;

use super::call::{Event, Told, tell};
use super::flow::{Flow, Progress};
use super::{Chain, ChainStream, Link, LinkStream, Verdict};
use crate::exchange::Memory;
use crate::filter::Step;
use crate::host::{Direction, Effect, Host};

/// A filter of which more can come, and what it said to the headers.
struct First {
    index: usize,
    part: LinkStream,
    told: Told,
    /// How many effects there were before.
    known: usize,
}

impl ChainStream {
    /// Shows the headers of a request to the filters; `end` if nothing follows them. There is no stream if nothing more of
    /// it matters to anybody.
    pub fn open(
        chain: &Rc<Chain>,
        host: &dyn Host,
        end: bool,
        effects: &mut Vec<Effect>,
    ) -> (Verdict, Option<Self>) {
        let mut memory = Memory::default();
        for (index, link) in chain.links.iter().enumerate() {
            let mut part = LinkStream::new(link);
            let known = effects.len();
            let at = (index, Direction::Request, end);
            let told = tell(chain, &mut memory, &mut part, at, host, effects, Event::Headers);
            let goes_on = matches!(told.step, Step::Continue) && !told.replaces;
            if !goes_on || !part.is_done() || !memory.callouts.is_empty() {
                let first = First { index, part, told, known };
                return Self::follow(chain, memory, first, host, end, effects);
            }
        }
        (Verdict::Continue, None)
    }

    /// Goes on with a stream of which more can come, from the first filter that isn't done with it.
    #[inline(never)]
    fn follow(
        chain: &Rc<Chain>,
        memory: Memory,
        first: First,
        host: &dyn Host,
        end: bool,
        effects: &mut Vec<Effect>,
    ) -> (Verdict, Option<Self>) {
        let First { index, part, told, known } = first;
        let mut links = Vec::with_capacity(chain.links.len());
        links.resize_with(index, LinkStream::done);
        links.push(LinkStream { request: Progress { started: true, ..Progress::default() }, ..part });
        links.extend(chain.links.iter().skip(links.len()).map(LinkStream::new));
        let mut stream = Self {
            chain: Rc::clone(chain),
            links,
            memory,
            request: Flow { started: true, headers_only: end, ended: end, ..Flow::default() },
            response: Flow::default(),
            replaced: None,
        };
        if told.replaces {
            stream.replace_bodies(index, known, host, effects);
        }
        let verdict = match stream.settle(index, Direction::Request, told.step) {
            Some(step) => stream.stop(index, Direction::Request, step),
            None => None,
        };
        let verdict = verdict.unwrap_or_else(|| stream.pump(Direction::Request, host, effects));
        // What is answered with its headers is over: the host shows nothing more of it.
        let done = stream.is_done() || (stream.request.closed && stream.are_done());
        (verdict, (!done).then_some(stream))
    }
}

impl LinkStream {
    /// Prepares for a filter that hasn't seen anything of the stream yet.
    fn new(link: &Link) -> Self {
        Self { stream: Some(Rc::clone(&link.filter).stream()), ..Self::default() }
    }

    /// Stands for a filter that has seen the request's headers, and is done.
    fn done() -> Self {
        Self { request: Progress { started: true, ..Progress::default() }, ..Self::default() }
    }
}
