//! The shell: runs a module inside a proxy. The only part that names `proxy_wasm`, once for all filters.
//!
//! The SDK gives contexts and callbacks; calls to the host are our own (`hostcalls`), because a call that
//! panics takes down every filter of the VM. Only callouts go through the SDK, which must know their tokens.

use std::cell::{Cell, RefCell};
use std::rc::Rc;

#[doc(hidden)]
pub use proxy_wasm;
use proxy_wasm::traits::{Context, HttpContext, RootContext};
use proxy_wasm::types::{Action, ContextType, LogLevel};

use self::effects::send;
use self::hostcalls::Buffer;
use self::worker::{Followed, SharedStream, Worker};
use crate::callout::CalloutId;
use crate::chain::{Chain, ChainStream, Verdict};
use crate::host::{Direction, Effect, Host, Level};
use crate::module::Module;
use crate::setup::Metrics;

mod effects;
mod hostcalls;
mod proxy;
mod worker;

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
            stream: Rc::new(RefCell::new(Followed {
                chain: ChainStream::new(Rc::clone(&worker.chain)),
                wake: None,
            })),
        }))
    }

    fn get_type(&self) -> Option<ContextType> {
        Some(ContextType::HttpContext)
    }
}

#[expect(clippy::disallowed_methods, reason = "the shell is who hands environment variables to filters")]
fn environment(name: &str) -> Option<String> {
    std::env::var(name).ok()
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
