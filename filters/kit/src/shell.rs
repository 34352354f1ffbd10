//! The shell: runs a module inside a proxy. The only part that names `proxy_wasm`, once for all filters.
//!
//! The SDK gives contexts and callbacks; calls to the host are our own ([`hostcalls`]), because a call that
//! panics takes down every filter of the VM. Only callouts go through the SDK, which must know their tokens.

mod hostcalls;

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::rc::{Rc, Weak};
use std::time::Duration;

#[doc(hidden)]
pub use proxy_wasm;
use proxy_wasm::traits::{Context, HttpContext, RootContext};
use proxy_wasm::types::{Action, ContextType, LogLevel};

use self::hostcalls::{Buffer, Metric};
use crate::callout::{Callout, CalloutId, CalloutResponse};
use crate::chain::{Chain, ChainRoot, ChainStream, Verdict};
use crate::draw::Draws;
use crate::header::HeaderMap;
use crate::host::{Direction, Effect, Host, Level, Map};
use crate::module::Module;
use crate::reply::Reply;
use crate::setup::{MetricKind, Metrics};
use crate::store::{Store, Version, Versioned};
use crate::time::{Timestamp, nanos};

/// Makes a crate the entry of a wasm module: `kit::module!(MODULE)`.
#[macro_export]
macro_rules! module {
    ($module:ident) => {
        /// Where the proxy starts.
        mod entry {
            $crate::shell::proxy_wasm::main! {{
                $crate::shell::start(&super::$module);
            }}
        }
    };
}

thread_local! {
    /// What this VM runs.
    static MODULE: Cell<Option<&'static Module>> = const { Cell::new(None) };
}

/// Tells the host what this VM runs; called once, when the VM starts.
pub fn start(module: &'static Module) {
    MODULE.set(Some(module));
    // Also lets a trap say where it happened.
    proxy_wasm::set_log_level(LogLevel::Warn);
    proxy_wasm::set_root_context(|id| {
        let idle = Worker::new(id, Rc::new(Chain::new(Vec::new(), String::new())), &Metrics::default());
        Box::new(Plugin { id, worker: None, idle })
    });
}

/// One configuration of the module on this worker.
struct Plugin {
    id: u32,
    worker: Option<Rc<Worker>>,
    /// Lets everything pass.
    idle: Rc<Worker>,
}

/// What all streams of a plugin share on this worker.
struct Worker {
    id: u32,
    chain: Rc<Chain>,
    root: RefCell<ChainRoot>,
    proxy: Proxy,
    metrics: Vec<(MetricKind, String, Cell<Option<u32>>)>,
    /// Streams that want to be woken, the earliest first.
    waiting: RefCell<BTreeMap<(Timestamp, u32), SharedStream>>,
    /// Who waits for the answer of a callout.
    callouts: RefCell<Vec<(CalloutId, Sender)>>,
    /// When the timer goes off.
    armed: Cell<Option<Timestamp>>,
    /// Room for the effects of a callback, kept from one to the next.
    room: RefCell<Vec<Effect>>,
}

/// A stream in its chain, and the instant under which it stands in the list of those that wait.
struct Followed {
    chain: ChainStream,
    wake: Option<Timestamp>,
}

/// A stream that its own callbacks share with timers and callouts.
type SharedStream = Rc<RefCell<Followed>>;

/// Who sent a callout.
enum Sender {
    Root,
    Stream(u32, Weak<RefCell<Followed>>),
}

/// One stream.
struct HttpStream {
    id: u32,
    /// Nothing more of the stream matters to anybody.
    done: Cell<bool>,
    worker: Rc<Worker>,
    stream: SharedStream,
}

impl Context for Plugin {
    fn on_http_call_response(&mut self, token: u32, _: usize, size: usize, _: usize) {
        if let Some(worker) = &self.worker {
            worker.answered(CalloutId(token), size);
        }
    }

    fn on_done(&mut self) -> bool {
        // The VM may live on for a newer configuration, and its timer with it.
        hostcalls::set_tick_period(0);
        true
    }
}

impl RootContext for Plugin {
    fn on_configure(&mut self, size: usize) -> bool {
        let Some(module) = MODULE.get() else {
            return false;
        };
        let bytes = match size {
            0 => Vec::new(),
            size => hostcalls::buffer(Buffer::Configuration, 0, size).unwrap_or_default(),
        };
        let property = |name: &str| hostcalls::property(name.as_bytes()).unwrap_or_default();
        let (name, root) = (property("plugin_name"), property("plugin_root_id"));
        match module.configure(&bytes, &[&name, &root], &environment) {
            Ok(configured) => {
                let worker = Worker::new(self.id, configured.chain, &configured.metrics);
                hostcalls::log(Level::Info, &configured.summary);
                worker.start();
                self.worker = Some(worker);
                true
            }
            Err(problems) => {
                let count = problems.count();
                let plural = if count == 1 { "" } else { "s" };
                hostcalls::log(Level::Error, &format!("configuration refused, {count} problem{plural}:"));
                for line in problems.to_string().lines() {
                    hostcalls::log(Level::Error, line);
                }
                false
            }
        }
    }

    fn on_tick(&mut self) {
        if let Some(worker) = &self.worker {
            worker.tick();
        }
    }

    fn create_http_context(&self, id: u32) -> Option<Box<dyn HttpContext>> {
        // The host makes no stream before a configuration was accepted, and none would be a trap in the SDK.
        let worker = self.worker.as_ref().unwrap_or(&self.idle);
        Some(Box::new(HttpStream {
            id,
            done: Cell::new(false),
            worker: Rc::clone(worker),
            stream: Rc::new(RefCell::new(Followed { chain: ChainStream::new(Rc::clone(&worker.chain)), wake: None })),
        }))
    }

    fn get_type(&self) -> Option<ContextType> {
        Some(ContextType::HttpContext)
    }
}

impl Context for HttpStream {
    fn on_http_call_response(&mut self, token: u32, _: usize, size: usize, _: usize) {
        self.worker.answered(CalloutId(token), size);
    }
}

impl HttpContext for HttpStream {
    fn on_http_request_headers(&mut self, _: usize, end: bool) -> Action {
        self.callback(|stream, host, effects| {
            let verdict = stream.headers(Direction::Request, host, end, effects);
            self.done.set(stream.is_done());
            verdict
        })
    }

    fn on_http_request_body(&mut self, size: usize, end: bool) -> Action {
        self.callback(|stream, host, effects| stream.body(Direction::Request, host, size, end, effects))
    }

    fn on_http_request_trailers(&mut self, _: usize) -> Action {
        self.callback(|stream, host, effects| stream.trailers(Direction::Request, host, effects))
    }

    fn on_http_response_headers(&mut self, _: usize, end: bool) -> Action {
        self.callback(|stream, host, effects| stream.headers(Direction::Response, host, end, effects))
    }

    fn on_http_response_body(&mut self, size: usize, end: bool) -> Action {
        self.callback(|stream, host, effects| stream.body(Direction::Response, host, size, end, effects))
    }

    fn on_http_response_trailers(&mut self, _: usize) -> Action {
        self.callback(|stream, host, effects| stream.trailers(Direction::Response, host, effects))
    }

    fn on_log(&mut self) {
        let mut effects = self.worker.room();
        if let Ok(mut stream) = self.stream.try_borrow_mut() {
            stream.chain.end(&self.worker.proxy, &mut effects);
        }
        self.worker.apply(effects);
    }
}

impl HttpStream {
    /// Runs a callback of the stream, does what it asks for, and tells the host what becomes of the message.
    fn callback(&self, act: impl FnOnce(&mut ChainStream, &dyn Host, &mut Vec<Effect>) -> Verdict) -> Action {
        if self.done.get() {
            return Action::Continue;
        }
        let mut effects = self.worker.room();
        let verdict = match self.stream.try_borrow_mut() {
            Ok(mut stream) => {
                let verdict = act(&mut stream.chain, &self.worker.proxy, &mut effects);
                let wake = stream.chain.next_wake();
                let changed = wake != stream.wake;
                drop(stream);
                if changed {
                    self.worker.wait(self.id, wake, &self.stream);
                }
                verdict
            }
            // A host that calls back into a stream while it is called breaks the ABI's promise.
            Err(_) => return Action::Continue,
        };
        self.worker.apply(effects);
        self.worker.adopt(self.id, &self.stream);
        match verdict {
            Verdict::Continue => Action::Continue,
            Verdict::Pause => Action::Pause,
            Verdict::Reply(reply) => {
                send(&reply, false);
                Action::Pause
            }
            Verdict::GrpcReply(reply) => {
                send(&reply, true);
                Action::Pause
            }
            Verdict::Reset => {
                hostcalls::reset();
                Action::Pause
            }
        }
    }
}

impl Drop for HttpStream {
    /// Forgets a stream that is gone.
    fn drop(&mut self) {
        if self.done.get() {
            return;
        }
        self.worker.forget(self.id, &self.stream);
        let mut effects = self.worker.room();
        if let Ok(mut stream) = self.stream.try_borrow_mut() {
            stream.chain.gone(&self.worker.proxy, &mut effects);
        }
        self.worker.apply(effects);
    }
}

impl Worker {
    fn new(id: u32, chain: Rc<Chain>, metrics: &Metrics) -> Rc<Self> {
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

    fn start(&self) {
        // A metric that never counted is still there to be looked at.
        for index in 0..self.metrics.len() {
            self.metric(index);
        }
        self.on_root(|root, host, effects| root.start(host, effects));
    }

    /// Wakes what is due, and sets the timer for what is due next.
    fn tick(&self) {
        let now = self.proxy.now();
        self.on_root(|root, host, effects| root.wake(host, now, effects));
        for (id, stream) in self.take_due(now) {
            self.event(id, &stream, |stream, host, effects| stream.wake(host, now, effects));
        }
        // The host's timer repeats by itself: it is stopped, and set for what is due next.
        hostcalls::set_tick_period(0);
        self.armed.set(None);
        self.arm(now);
    }

    /// Takes the streams that are due now, and not those that ask for the same instant again.
    fn take_due(&self, now: Timestamp) -> Vec<(u32, SharedStream)> {
        let mut due = Vec::new();
        if let Ok(mut waiting) = self.waiting.try_borrow_mut() {
            while let Some(entry) = waiting.first_entry() {
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

    /// Hands the answer of a callout to whoever sent it.
    fn answered(&self, id: CalloutId, size: usize) {
        let owner = self.callouts.try_borrow_mut().ok().and_then(|mut callouts| {
            let position = callouts.iter().position(|(sent, _)| *sent == id)?;
            Some(callouts.swap_remove(position).1)
        });
        let body = if 0 < size { hostcalls::buffer(Buffer::CalloutBody, 0, size) } else { None };
        let response =
            CalloutResponse { headers: hostcalls::callout_headers(), body: body.unwrap_or_default() };
        match owner {
            Some(Sender::Stream(context, stream)) => {
                if let Some(stream) = stream.upgrade() {
                    self.event(context, &stream, |stream, host, effects| stream.callout(host, id, &response, effects));
                }
            }
            Some(Sender::Root) => self.on_root(|root, host, effects| root.callout(host, id, &response, effects)),
            None => {}
        }
        self.arm(self.proxy.now());
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
            None | Some((_, Verdict::Pause)) => {}
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
        self.arm(self.proxy.now());
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
    fn wait(&self, id: u32, wake: Option<Timestamp>, stream: &SharedStream) {
        if let (Ok(mut waiting), Ok(mut borrowed)) = (self.waiting.try_borrow_mut(), stream.try_borrow_mut()) {
            if let Some(at) = std::mem::replace(&mut borrowed.wake, wake) {
                waiting.remove(&(at, id));
            }
            if let Some(at) = wake {
                waiting.insert((at, id), Rc::clone(stream));
            }
        }
        self.arm(self.proxy.now());
    }

    /// Sets the timer if something is due before it goes off.
    fn arm(&self, now: Timestamp) {
        let stream = self.waiting.try_borrow().ok().and_then(|waiting| waiting.keys().next().map(|(at, _)| *at));
        let root = self.root.try_borrow().ok().and_then(|root| root.next_wake());
        let next = match (stream, root) {
            (Some(stream), Some(root)) => Some(stream.min(root)),
            (one, other) => one.or(other),
        };
        match next {
            Some(at) if self.armed.get().is_none_or(|armed| at < armed) => {
                // Rounded up, and never zero, which would stop the timer.
                let milliseconds = nanos(at.since(now)).div_ceil(1_000_000).max(1);
                hostcalls::set_tick_period(u32::try_from(milliseconds).unwrap_or(u32::MAX));
                self.armed.set(Some(at));
            }
            None if self.armed.get().is_some() => {
                hostcalls::set_tick_period(0);
                self.armed.set(None);
            }
            Some(_) | None => {}
        }
    }

    /// Makes a stream the owner of the callouts it has just sent.
    fn adopt(&self, id: u32, stream: &SharedStream) {
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

    fn forget(&self, id: u32, stream: &SharedStream) {
        let Ok(stream) = stream.try_borrow() else {
            return;
        };
        if let (Some(at), Ok(mut waiting)) = (stream.wake, self.waiting.try_borrow_mut()) {
            waiting.remove(&(at, id));
        }
        if let Ok(mut callouts) = self.callouts.try_borrow_mut() {
            callouts.retain(|(sent, _)| stream.chain.callouts().all(|own| own != *sent));
        }
    }

    /// Does on the host what a callback asked for. What the host refuses in this phase is not worth a trap.
    fn apply(&self, mut effects: Vec<Effect>) {
        for effect in effects.drain(..) {
            match effect {
                Effect::SetHeader(map, name, value) => {
                    hostcalls::set_header(map, &name, &value);
                }
                Effect::AddHeader(map, name, value) => {
                    hostcalls::add_header(map, &name, &value);
                }
                Effect::RemoveHeader(map, name) => {
                    hostcalls::remove_header(map, &name);
                }
                Effect::ReplaceBody(Direction::Request, bytes) => {
                    hostcalls::replace_buffer(Buffer::RequestBody, &bytes);
                }
                Effect::ReplaceBody(Direction::Response, bytes) => {
                    hostcalls::replace_buffer(Buffer::ResponseBody, &bytes);
                }
                Effect::Tag(name, value) => {
                    hostcalls::set_property(&name, &value);
                }
                Effect::Count(counter, by) => {
                    if let Some(id) = usize::try_from(counter.0).ok().and_then(|index| self.metric(index)) {
                        hostcalls::increment_metric(id, by);
                    }
                }
                Effect::Record(histogram, value) => {
                    if let Some(id) = usize::try_from(histogram.0).ok().and_then(|index| self.metric(index)) {
                        hostcalls::record_metric(id, value);
                    }
                }
                Effect::ClearRoute => {
                    hostcalls::clear_route_cache();
                }
                Effect::Log(level, line) => hostcalls::log(level, &line),
            }
        }
        if let Ok(mut room) = self.room.try_borrow_mut() {
            *room = effects;
        }
    }

    /// Takes the room for the effects of a callback; `apply` gives it back.
    fn room(&self) -> Vec<Effect> {
        self.room.try_borrow_mut().map(|mut room| std::mem::take(&mut *room)).unwrap_or_default()
    }

    /// Returns the host's number of a metric, which is this VM's own.
    fn metric(&self, index: usize) -> Option<u32> {
        let (kind, name, id) = self.metrics.get(index)?;
        if id.get().is_none() {
            let kind = match kind {
                MetricKind::Counter => Metric::Counter,
                MetricKind::Histogram => Metric::Histogram,
            };
            id.set(hostcalls::define_metric(kind, name));
        }
        id.get()
    }
}

/// The proxy, as a core may look at it.
struct Proxy {
    draws: Draws,
    shared_data: SharedData,
    sent: RefCell<Vec<CalloutId>>,
    /// Room for the path of a property.
    path: RefCell<Vec<u8>>,
}

impl Default for Proxy {
    fn default() -> Self {
        Self { draws: Draws::new(hostcalls::random()), shared_data: SharedData, sent: RefCell::default(), path: RefCell::default() }
    }
}

impl Proxy {
    fn take_sent(&self) -> Vec<CalloutId> {
        self.sent.try_borrow_mut().map(|mut sent| std::mem::take(&mut *sent)).unwrap_or_default()
    }
}

impl Host for Proxy {
    fn now(&self) -> Timestamp {
        Timestamp::from_nanos(hostcalls::now())
    }

    fn draw(&self) -> u64 {
        self.draws.next()
    }

    fn secret(&self) -> u64 {
        hostcalls::random()
    }

    fn headers(&self, map: Map) -> HeaderMap {
        hostcalls::headers(map)
    }

    fn first_header(&self, map: Map, name: &str) -> Option<Vec<u8>> {
        hostcalls::header(map, name)
    }

    fn property(&self, path: &[&str]) -> Option<Vec<u8>> {
        let Ok(mut joined) = self.path.try_borrow_mut() else {
            return hostcalls::property(path.join("\0").as_bytes());
        };
        joined.clear();
        for (index, segment) in path.iter().enumerate() {
            if index != 0 {
                joined.push(0);
            }
            joined.extend_from_slice(segment.as_bytes());
        }
        hostcalls::property(&joined)
    }

    fn body(&self, direction: Direction, start: usize, length: usize) -> Vec<u8> {
        let buffer = match direction {
            Direction::Request => Buffer::RequestBody,
            Direction::Response => Buffer::ResponseBody,
        };
        hostcalls::buffer(buffer, start, length).unwrap_or_default()
    }

    fn store(&self) -> &dyn Store {
        &self.shared_data
    }

    fn call(&self, callout: &Callout) -> Option<CalloutId> {
        let headers = callout.headers.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        let body = (!callout.body.is_empty()).then_some(callout.body.as_slice());
        // A timeout of zero would be none at all.
        let timeout = callout.timeout.max(Duration::from_millis(1));
        let sent = proxy_wasm::hostcalls::dispatch_http_call(&callout.cluster, headers, body, Vec::new(), timeout);
        let id = CalloutId(sent.ok()?);
        self.sent.try_borrow_mut().ok()?.push(id);
        Some(id)
    }
}

/// The proxy's shared data.
struct SharedData;

impl Store for SharedData {
    fn read(&self, key: &[u8]) -> Versioned {
        hostcalls::shared_data(key)
    }

    fn swap(&self, key: &[u8], value: &[u8], version: Version) -> bool {
        hostcalls::set_shared_data(key, value, version)
    }
}

fn send(reply: &Reply, grpc: bool) {
    let headers: Vec<(&[u8], &[u8])> =
        reply.headers.iter().map(|(name, value)| (name.as_bytes(), value.as_slice())).collect();
    if grpc {
        let message = reply.grpc.message.as_bytes();
        hostcalls::reply(200, reply.details, &headers, message, Some(reply.grpc.status.code()));
    } else {
        hostcalls::reply(reply.status, reply.details, &headers, &reply.body, None);
    }
}

#[expect(clippy::disallowed_methods, reason = "the shell is who hands environment variables to filters")]
fn environment(name: &str) -> Option<String> {
    std::env::var(name).ok()
}
