//! What this VM runs, by the numbers that the host gave: plugins, and the streams that something more can become of.
//!
//! A stream is made when its request's headers come. If nothing more of it matters then, it is over for us, and
//! whatever the host still says about it finds nothing and passes.
//!
//! The host would announce a stream and its plugin beforehand; that is left out here, because it is one more call for
//! each stream. Almost always there is one plugin, and where there are several, the stream can ask ([`Plugin::mark`]).

use std::cell::RefCell;
use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hasher};
use std::rc::Rc;

use super::stream::HttpStream;
use super::worker::Worker;
use super::{Plugin, hostcalls};
use crate::host::Level;

/// What is said where the streams of two plugins can't be told apart.
const UNMARKED: &str = "requests are answered with 500 while several plugins use this VM, because the module can't ask \
    whose they are: let it call `proxy_call_foreign_function` in a proxy that knows CEL, or give each plugin, and each \
    change of its configuration, a `vm_config.vm_id` of its own";

/// What the host is to do with a message, in the numbers of the ABI.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[repr(u32)]
pub(super) enum Action {
    Continue = 0,
    Pause = 1,
    /// Of a body alone: Envoy's `StopIterationAndWatermark`.
    PauseBack = 2,
}

impl Action {
    /// Returns what this is as an answer to headers or trailers, for which the number means something else.
    pub(super) const fn of_no_body(self) -> Self {
        match self {
            Self::PauseBack => Self::Pause,
            Self::Continue | Self::Pause => self,
        }
    }
}

thread_local! {
    /// The contexts of this VM, which has one thread.
    pub(super) static CONTEXTS: Contexts = const { Contexts::new() };
}

/// The contexts of a VM.
///
/// The host doesn't call a callback while it is in another one. A borrow that fails all the same lets pass, but for a
/// request that nobody has decided about.
pub(super) struct Contexts {
    /// There are as many as configurations use this VM, so they are looked through.
    plugins: RefCell<Vec<Rc<Plugin>>>,
    streams: RefCell<Streams>,
}

/// The streams that more can come of.
///
/// The one that came last stands by itself until the next one comes: most are over before that, and never cost a place in
/// the table.
struct Streams {
    latest: Option<HttpStream>,
    others: HashMap<u32, HttpStream, BuildHasherDefault<Spread>>,
}

impl Streams {
    fn insert(&mut self, stream: HttpStream) {
        if let Some(earlier) = self.latest.replace(stream) {
            self.settle(earlier);
        }
    }

    /// Puts a stream among the others.
    #[inline(never)]
    fn settle(&mut self, stream: HttpStream) {
        self.others.insert(stream.id, stream);
    }

    fn get(&self, id: u32) -> Option<&HttpStream> {
        match &self.latest {
            Some(latest) if latest.id == id => self.latest.as_ref(),
            Some(_) | None => self.find(id),
        }
    }

    #[inline(never)]
    fn find(&self, id: u32) -> Option<&HttpStream> {
        // Most streams were never put there.
        if self.others.is_empty() { None } else { self.others.get(&id) }
    }

    fn remove(&mut self, id: u32) -> Option<HttpStream> {
        match &self.latest {
            Some(latest) if latest.id == id => self.latest.take(),
            Some(_) | None => self.take(id),
        }
    }

    #[inline(never)]
    fn take(&mut self, id: u32) -> Option<HttpStream> {
        if self.others.is_empty() { None } else { self.others.remove(&id) }
    }
}

impl Contexts {
    const fn new() -> Self {
        Self {
            plugins: RefCell::new(Vec::new()),
            streams: RefCell::new(Streams {
                latest: None,
                others: HashMap::with_hasher(BuildHasherDefault::new()),
            }),
        }
    }

    /// Takes a configuration of so many bytes for a plugin, which may be a new one; false if it is refused.
    pub(super) fn configure(&self, id: u32, size: usize) -> bool {
        self.plugin(id).or_else(|| self.add(id)).is_some_and(|plugin| plugin.configure(size))
    }

    /// Adds a plugin.
    fn add(&self, id: u32) -> Option<Rc<Plugin>> {
        let plugin = Rc::new(Plugin::new(id));
        let marked = plugin.mark();
        let mut plugins = self.plugins.try_borrow_mut().ok()?;
        if !marked && !plugins.is_empty() {
            // It isn't refused: a plugin that the proxy has accepted and a worker refuses would be left out there.
            hostcalls::log(Level::Error, UNMARKED);
        }
        plugins.push(Rc::clone(&plugin));
        Some(plugin)
    }

    /// Forgets a context.
    pub(super) fn delete(&self, id: u32) {
        let Ok(mut streams) = self.streams.try_borrow_mut() else {
            return;
        };
        let stream = streams.remove(id);
        drop(streams);
        if let Some(stream) = stream {
            stream.gone();
        } else if let Ok(mut plugins) = self.plugins.try_borrow_mut()
            && let Some(place) = plugins.iter().position(|plugin| plugin.id == id)
        {
            plugins.swap_remove(place).gone();
        }
    }

    /// Returns the plugin of this number.
    pub(super) fn plugin(&self, id: u32) -> Option<Rc<Plugin>> {
        self.plugins.try_borrow().ok()?.iter().find(|plugin| plugin.id == id).cloned()
    }

    /// Returns what the streams of a plugin share, by its number or that of one of its streams.
    pub(super) fn worker(&self, id: u32) -> Option<Rc<Worker>> {
        match self.plugin(id) {
            Some(plugin) => plugin.worker(),
            None => self.streams.try_borrow().ok()?.get(id).map(HttpStream::worker),
        }
    }

    /// Makes a stream of its request's headers.
    pub(super) fn request_headers(&self, id: u32, end: bool) -> Action {
        let Ok(plugins) = self.plugins.try_borrow() else {
            return unknown_plugin();
        };
        let plugin = match plugins.as_slice() {
            [plugin] => plugin,
            several => match Plugin::marked().and_then(|id| several.iter().find(|plugin| plugin.id == id)) {
                Some(plugin) => plugin,
                None => return unknown_plugin(),
            },
        };
        let Ok(worker) = plugin.worker.try_borrow() else {
            return unknown_plugin();
        };
        let Some(worker) = &*worker else {
            return Action::Continue;
        };
        let (action, stream) = HttpStream::open(id, worker, end);
        if let Some(stream) = stream
            && let Ok(mut streams) = self.streams.try_borrow_mut()
        {
            streams.insert(stream);
        }
        action
    }

    /// Runs a callback of a stream, and forgets the stream if nothing more of it matters to anybody.
    pub(super) fn on_stream(&self, id: u32, act: impl FnOnce(&HttpStream) -> (Action, bool)) -> Action {
        let Ok(streams) = self.streams.try_borrow() else {
            return Action::Continue;
        };
        let Some(stream) = streams.get(id) else {
            return Action::Continue;
        };
        let (action, done) = act(stream);
        drop(streams);
        if done && let Ok(mut streams) = self.streams.try_borrow_mut() {
            streams.remove(id);
        }
        action
    }
}

/// Answers a request of which can't be said whose policy is for it: it doesn't pass.
#[cold]
#[inline(never)]
fn unknown_plugin() -> Action {
    hostcalls::reply(500, "sluice{unknown_plugin}", &[], &[], None);
    Action::Pause
}

/// Spreads the numbers that the host counts up over a table: they come from nobody who could aim at a place.
#[derive(Default)]
struct Spread(u64);

impl Hasher for Spread {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.write_u32(u32::from(*byte));
        }
    }

    fn write_u32(&mut self, number: u32) {
        self.0 = (self.0 ^ u64::from(number)).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    }
}
