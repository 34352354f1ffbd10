//! What the streams of a plugin share on a worker: its chain, its timer, and who waits for what.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::rc::{Rc, Weak};

use super::effects::send;
use super::hostcalls::{self, Buffer};
use super::proxy::{Proxy, Sent};
use crate::callout::{CalloutId, CalloutResponse};
use crate::chain::{Chain, ChainRoot, ChainStream, Verdict};
use crate::host::{Direction, Effect, Host};
use crate::setup::{MetricKind, Metrics};
use crate::time::{Timestamp, nanos};

/// What all streams of a plugin share on this worker.
pub(super) struct Worker {
    id: u32,
    pub(super) chain: Rc<Chain>,
    root: RefCell<ChainRoot>,
    pub(super) proxy: Proxy,
    pub(super) metrics: Vec<(MetricKind, String, Cell<Option<u32>>)>,
    /// Streams that want to be woken, the earliest first.
    waiting: RefCell<BTreeMap<(Timestamp, u32), SharedStream>>,
    /// Who waits for the answer of a callout.
    callouts: RefCell<Vec<(Sent, Sender)>>,
    /// When the timer goes off.
    armed: Cell<Option<Timestamp>>,
    /// Room for the effects of a callback, kept from one to the next.
    pub(super) room: RefCell<Vec<Effect>>,
}

/// A stream in its chain, and the instant under which it stands in the list of those that wait.
pub(super) struct Followed {
    pub(super) chain: ChainStream,
    pub(super) wake: Option<Timestamp>,
}

/// A stream that its own callbacks share with timers and callouts.
pub(super) type SharedStream = Rc<RefCell<Followed>>;

/// Who sent a callout.
enum Sender {
    Root,
    Stream(u32, Weak<RefCell<Followed>>),
}

/// How many streams a tick wakes at the most. The proxy lets streams go on after the callback that resumed them; if
/// that calls the module, which the end of a stream does, it lets the next one go on within that call, and so on: some
/// hundred streams deep, the stack is too small.
const MOST_AT_ONCE: usize = 16;

impl Worker {
    pub(super) fn new(id: u32, chain: Rc<Chain>, metrics: &Metrics) -> Rc<Self> {
        let metrics = metrics.definitions().iter().map(|(kind, name)| (*kind, name.clone(), Cell::new(None)));
        Rc::new(Self {
            id,
            root: RefCell::new(ChainRoot::new(Rc::clone(&chain))),
            chain,
            proxy: Proxy::default(),
            metrics: metrics.collect(),
            waiting: RefCell::default(),
            callouts: RefCell::default(),
            armed: Cell::new(None),
            room: RefCell::default(),
        })
    }

    pub(super) fn start(&self) {
        // A metric that never counted is still there to be looked at.
        for index in 0..self.metrics.len() {
            self.metric(index);
        }
        self.on_root(|root, host, effects| root.start(host, effects));
    }

    /// Wakes what is due, and sets the timer for what is due next.
    pub(super) fn tick(&self) {
        let now = self.proxy.now();
        self.on_root(|root, host, effects| root.wake(host, now, effects));
        for (id, stream) in self.take_due(now) {
            self.event(id, &stream, |stream, host, effects| stream.wake(host, now, effects));
        }
        // The host's timer repeats by itself: it is stopped, and set for what is due next.
        hostcalls::set_tick_period(0);
        self.armed.set(None);
        self.arm();
    }

    /// Takes streams that are due now, and not those that ask for the same instant again. If more are due, the timer
    /// goes off for them next.
    fn take_due(&self, now: Timestamp) -> Vec<(u32, SharedStream)> {
        let mut due = Vec::new();
        if let Ok(mut waiting) = self.waiting.try_borrow_mut() {
            while due.len() < MOST_AT_ONCE
                && let Some(entry) = waiting.first_entry()
            {
                let (at, id) = *entry.key();
                if now < at {
                    break;
                }
                let stream = entry.remove();
                if let Ok(mut stream) = stream.try_borrow_mut() {
                    stream.wake = None;
                }
                due.push((id, stream));
            }
        }
        due
    }

    fn take_callout(&self, id: CalloutId) -> Option<(Sent, Sender)> {
        let mut callouts = self.callouts.try_borrow_mut().ok()?;
        let position = callouts.iter().position(|(sent, _)| sent.id == id)?;
        Some(callouts.swap_remove(position))
    }

    /// Hands the answer of a callout to whoever sent it.
    pub(super) fn answered(&self, id: CalloutId, size: usize) {
        let (most, owner) = match self.take_callout(id) {
            Some((sent, owner)) => (sent.max_body, Some(owner)),
            None => (0, None),
        };
        // What nobody wants stays outside: the memory of a VM never shrinks.
        let wanted = size.min(most);
        let body = if 0 < wanted { hostcalls::buffer(Buffer::CalloutBody, 0, wanted) } else { None };
        let headers = hostcalls::callout_headers();
        let response = CalloutResponse { headers, body: body.unwrap_or_default(), size };
        match owner {
            Some(Sender::Stream(context, stream)) => {
                if let Some(stream) = stream.upgrade() {
                    self.event(context, &stream, |stream, host, effects| {
                        stream.callout(host, id, &response, effects)
                    });
                }
            }
            Some(Sender::Root) => {
                self.on_root(|root, host, effects| root.callout(host, id, &response, effects))
            }
            None => {}
        }
        self.arm();
    }

    /// Runs something of a stream outside of its own callbacks.
    fn event(
        &self,
        id: u32,
        stream: &SharedStream,
        act: impl FnOnce(&mut ChainStream, &dyn Host, &mut Vec<Effect>) -> Option<(Direction, Verdict)>,
    ) {
        if !hostcalls::set_effective_context(id) {
            return;
        }
        let mut effects = Vec::new();
        let Ok(mut borrowed) = stream.try_borrow_mut() else {
            return;
        };
        let verdict = act(&mut borrowed.chain, &self.proxy, &mut effects);
        let wake = borrowed.chain.next_wake();
        drop(borrowed);
        self.wait(id, wake, stream);
        self.adopt(id, stream);
        // Headers can't be changed any more once the stream goes on.
        self.apply(effects);
        match verdict {
            None | Some((_, Verdict::Pause | Verdict::PauseBack)) => {}
            Some((direction, Verdict::Continue)) => {
                hostcalls::resume(direction);
            }
            Some((_, Verdict::Reply(reply))) => send(&reply, false),
            Some((_, Verdict::GrpcReply(reply))) => send(&reply, true),
            Some((_, Verdict::Reset)) => {
                hostcalls::reset();
            }
        }
        hostcalls::set_effective_context(self.id);
    }

    /// Runs something of the root, then whatever it wakes.
    fn on_root(&self, act: impl FnOnce(&mut ChainRoot, &dyn Host, &mut Vec<Effect>)) {
        let mut effects = Vec::new();
        let Ok(mut root) = self.root.try_borrow_mut() else {
            return;
        };
        act(&mut root, &self.proxy, &mut effects);
        let hurried = root.take_hurried();
        drop(root);
        self.claim();
        self.apply(effects);
        if !hurried.is_empty() {
            self.hurry(&hurried);
        }
        self.arm();
    }

    /// Makes every waiting stream of these filters due now.
    fn hurry(&self, links: &[usize]) {
        let now = self.proxy.now();
        let Ok(mut waiting) = self.waiting.try_borrow_mut() else {
            return;
        };
        for ((_, id), stream) in std::mem::take(&mut *waiting) {
            let mut at = now;
            if let Ok(mut borrowed) = stream.try_borrow_mut() {
                for link in links {
                    borrowed.chain.hurry(*link, now);
                }
                at = borrowed.chain.next_wake().unwrap_or(now);
                borrowed.wake = Some(at);
            }
            waiting.insert((at, id), stream);
        }
    }

    /// Notes when a stream wants to be woken; it stands in the list once at the most.
    pub(super) fn wait(&self, id: u32, wake: Option<Timestamp>, stream: &SharedStream) {
        if let (Ok(mut waiting), Ok(mut borrowed)) = (self.waiting.try_borrow_mut(), stream.try_borrow_mut())
        {
            if let Some(at) = std::mem::replace(&mut borrowed.wake, wake) {
                waiting.remove(&(at, id));
            }
            if let Some(at) = wake {
                waiting.insert((at, id), Rc::clone(stream));
            }
        }
        self.arm();
    }

    /// Has the timer call a filter outside of streams, soon.
    pub(super) fn wake_filter(&self, link: usize) {
        let now = self.proxy.now();
        if self.root.try_borrow_mut().is_ok_and(|mut root| root.ask(link, now)) {
            self.arm();
        }
    }

    /// Sets the timer if something is due before it goes off.
    fn arm(&self) {
        let stream =
            self.waiting.try_borrow().ok().and_then(|waiting| waiting.keys().next().map(|(at, _)| *at));
        let root = self.root.try_borrow().ok().and_then(|root| root.next_wake());
        let next = match (stream, root) {
            (Some(stream), Some(root)) => Some(stream.min(root)),
            (one, other) => one.or(other),
        };
        match next {
            Some(at) if self.armed.get().is_none_or(|armed| at < armed) => {
                // Rounded up, and never zero, which would stop the timer.
                let milliseconds = nanos(at.since(self.proxy.now())).div_ceil(1_000_000).max(1);
                hostcalls::set_tick_period(u32::try_from(milliseconds).unwrap_or(u32::MAX));
                self.armed.set(Some(at));
            }
            // With nothing left to do it goes off once more and stops itself. That costs less than to stop it for every
            // stream that had a deadline and kept it.
            Some(_) | None => {}
        }
    }

    /// Makes a stream the owner of the callouts it has just sent.
    pub(super) fn adopt(&self, id: u32, stream: &SharedStream) {
        for sent in self.proxy.take_sent() {
            if let Ok(mut callouts) = self.callouts.try_borrow_mut() {
                callouts.push((sent, Sender::Stream(id, Rc::downgrade(stream))));
            }
        }
    }

    /// Makes the root the owner of the callouts it has just sent.
    fn claim(&self) {
        for sent in self.proxy.take_sent() {
            if let Ok(mut callouts) = self.callouts.try_borrow_mut() {
                callouts.push((sent, Sender::Root));
            }
        }
    }

    pub(super) fn forget(&self, id: u32, stream: &SharedStream) {
        let Ok(stream) = stream.try_borrow() else {
            return;
        };
        if let (Some(at), Ok(mut waiting)) = (stream.wake, self.waiting.try_borrow_mut()) {
            waiting.remove(&(at, id));
        }
        if let Ok(mut callouts) = self.callouts.try_borrow_mut() {
            callouts.retain(|(sent, _)| stream.chain.callouts().all(|own| own != sent.id));
        }
    }
}
