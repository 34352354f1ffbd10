//! What the streams of a plugin share on a worker: its chain, its timer, and who waits for what.

use std::cell::{Cell, RefCell};
use std::rc::{Rc, Weak};

use super::effects::send;
use super::hostcalls::{self, Buffer};
use super::proxy::{Proxy, Sent};
use super::tally::Tally;
use crate::callout::{CalloutId, CalloutResponse};
use crate::chain::{Chain, ChainRoot, ChainStream, Verdict};
use crate::host::{Direction, Effect, Host};
use crate::setup::{MetricKind, Metrics};
use crate::time::{Alarm, Timestamp, Uptime};
use crate::waiting::Waiting;

/// What all streams of a plugin share on this worker.
pub(super) struct Worker {
    id: u32,
    pub(super) chain: Rc<Chain>,
    pub(super) root: RefCell<ChainRoot>,
    pub(super) proxy: Proxy,
    pub(super) metrics: Vec<(MetricKind, String, Cell<Option<u32>>)>,
    pub(super) tally: Tally,
    /// When the host is told what was counted.
    pub(super) tell_at: Cell<Option<Uptime>>,
    /// Streams that want to be woken.
    pub(super) waiting: RefCell<Waiting<SharedStream>>,
    /// When the root wants to be woken, as far as the timer knows.
    pub(super) root_wake: Cell<Option<Alarm>>,
    /// The time that the root is told by the tick that wakes it, which may be later than the clock's.
    pub(super) root_now: Cell<Option<Timestamp>>,
    /// Who waits for the answer of a callout.
    callouts: RefCell<Vec<(Sent, Sender)>>,
    /// When the timer goes off.
    pub(super) armed: Cell<Option<Uptime>>,
    /// Room for the effects of a callback, kept from one to the next.
    pub(super) room: Cell<Vec<Effect>>,
}

/// A stream in its chain, and the instant under which it stands in the list of those that wait.
pub(super) struct Followed {
    pub(super) chain: ChainStream,
    pub(super) wake: Option<Alarm>,
}

/// A stream that its own callbacks share with timers and callouts.
pub(super) type SharedStream = Rc<RefCell<Followed>>;

/// Who sent a callout.
enum Sender {
    Root,
    Stream(u32, Weak<RefCell<Followed>>),
}

impl Worker {
    pub(super) fn new(id: u32, chain: Rc<Chain>, metrics: &Metrics) -> Rc<Self> {
        let metrics = metrics.definitions().iter().map(|(kind, name)| (*kind, name.clone(), Cell::new(None)));
        let tally = Tally::new(metrics.len());
        Rc::new(Self {
            id,
            root: RefCell::new(ChainRoot::new(Rc::clone(&chain))),
            chain,
            proxy: Proxy::default(),
            metrics: metrics.collect(),
            tally,
            tell_at: Cell::new(None),
            waiting: RefCell::default(),
            root_wake: Cell::new(None),
            root_now: Cell::new(None),
            callouts: RefCell::default(),
            armed: Cell::new(None),
            room: Cell::default(),
        })
    }

    pub(super) fn start(&self) {
        // Has the host know of this plugin's timer before that of another one in this VM goes off: what a timer lets go on
        // may come to a plugin that sets its own for the first time, and then Envoy loses its place among them, and crashes.
        hostcalls::set_tick_period(0);
        // A metric that never counted is still there to be looked at.
        for index in 0..self.metrics.len() {
            self.metric(index);
        }
        self.on_root(|root, host, effects| root.start(host, effects));
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
    pub(super) fn event(
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
    pub(super) fn on_root(&self, act: impl FnOnce(&mut ChainRoot, &dyn Host, &mut Vec<Effect>)) {
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
        if let (Some(alarm), Ok(mut waiting)) = (stream.wake, self.waiting.try_borrow_mut()) {
            waiting.remove((alarm.due(), id));
        }
        if let Ok(mut callouts) = self.callouts.try_borrow_mut() {
            callouts.retain(|(sent, _)| stream.chain.callouts().all(|own| own != sent.id));
        }
    }
}
