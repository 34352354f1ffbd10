//! A stream of which more can come: what the host says about it, and what becomes of it.

use std::cell::RefCell;
use std::rc::Rc;

use super::contexts::Action;
use super::effects::send;
use super::hostcalls;
use super::worker::{Followed, SharedStream, Worker};
use crate::chain::{ChainStream, Verdict};
use crate::host::{Direction, Effect, Host};
use crate::time::{Alarm, Timestamp};

/// One stream.
pub(super) struct HttpStream {
    pub(super) id: u32,
    worker: Rc<Worker>,
    stream: SharedStream,
}

impl HttpStream {
    /// Takes the headers of a request. The stream is none if nothing more of it matters to anybody.
    pub(super) fn open(id: u32, worker: &Rc<Worker>, end: bool) -> (Action, Option<Self>) {
        let mut effects = worker.room();
        let (verdict, chain) = ChainStream::open(&worker.chain, &worker.proxy, end, &mut effects);
        let Some(chain) = chain else {
            worker.apply(effects);
            return (tell(verdict).of_no_body(), None);
        };
        let wake = chain.next_wake();
        let stream = Rc::new(RefCell::new(Followed { chain, wake: None }));
        let this = Self { id, worker: Rc::clone(worker), stream };
        (this.settle(verdict, effects, wake, None).of_no_body(), Some(this))
    }

    /// Takes the headers of the response; also tells whether nothing more of the stream matters to anybody.
    pub(super) fn response_headers(&self, end: bool) -> (Action, bool) {
        let (action, done) =
            self.callback(|stream, host, effects| stream.response_headers(host, end, effects));
        (action.of_no_body(), done)
    }

    /// Takes the body as far as the host keeps it; tells the same.
    pub(super) fn body(&self, direction: Direction, size: usize, end: bool) -> (Action, bool) {
        self.callback(|stream, host, effects| stream.body(direction, host, size, end, effects))
    }

    /// Takes the trailers; tells the same.
    pub(super) fn trailers(&self, direction: Direction) -> (Action, bool) {
        let (action, done) = self.callback(|stream, host, effects| stream.trailers(direction, host, effects));
        (action.of_no_body(), done)
    }

    /// Takes the end of the stream, while all that is known of it can still be looked up.
    pub(super) fn end(&self) {
        let mut effects = self.worker.room();
        if let Ok(mut stream) = self.stream.try_borrow_mut() {
            stream.chain.end(&self.worker.proxy, &mut effects);
        }
        self.worker.apply(effects);
    }

    /// Forgets the stream.
    pub(super) fn gone(self) {
        self.worker.forget(self.id, &self.stream);
        let mut effects = self.worker.room();
        if let Ok(mut stream) = self.stream.try_borrow_mut() {
            stream.chain.gone(&self.worker.proxy, &mut effects);
        }
        self.worker.apply(effects);
    }

    /// Returns what it shares with the other streams of its plugin.
    pub(super) fn worker(&self) -> Rc<Worker> {
        Rc::clone(&self.worker)
    }

    /// Runs a callback of the stream, does what it asks for, and tells the host what becomes of the message.
    fn callback(
        &self,
        act: impl FnOnce(&mut ChainStream, &dyn Host, &mut Vec<Effect>) -> Verdict,
    ) -> (Action, bool) {
        let mut effects = self.worker.room();
        let Ok(mut stream) = self.stream.try_borrow_mut() else {
            // A host that calls back into a stream while it is called breaks the ABI's promise.
            return (Action::Continue, false);
        };
        let verdict = act(&mut stream.chain, &self.worker.proxy, &mut effects);
        let (wake, noted) = (stream.chain.next_wake(), stream.wake.map(Alarm::at));
        let done = stream.chain.is_done();
        drop(stream);
        (self.settle(verdict, effects, wake, noted), done)
    }

    /// Notes what the stream waits for, and does what it asks for.
    fn settle(
        &self,
        verdict: Verdict,
        effects: Vec<Effect>,
        wake: Option<Timestamp>,
        noted: Option<Timestamp>,
    ) -> Action {
        if wake != noted {
            self.worker.wait(self.id, wake, &self.stream);
        }
        self.worker.apply(effects);
        self.worker.adopt(self.id, &self.stream);
        tell(verdict)
    }
}

/// Tells the host what becomes of a message.
fn tell(verdict: Verdict) -> Action {
    match verdict {
        Verdict::Continue => return Action::Continue,
        Verdict::Pause => {}
        Verdict::PauseBack => return Action::PauseBack,
        Verdict::Reply(reply) => send(&reply, false),
        Verdict::GrpcReply(reply) => send(&reply, true),
        Verdict::Reset => {
            hostcalls::reset();
        }
    }
    Action::Pause
}
