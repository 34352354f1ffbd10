//! The shell: runs a module inside a proxy. The only part that talks to the proxy, once for all filters.
//!
//! Both directions of the ABI are our own. A call to the host that panics would take down every filter of the VM
//! (`hostcalls`), and most streams are over for us once their headers were looked at: those are never put into a table
//! of contexts, as an SDK would (`contexts`).

use std::cell::{Cell, RefCell};
use std::rc::Rc;

use self::contexts::CONTEXTS;
use self::hostcalls::{Buffer, Metric};
use self::worker::Worker;
use crate::host::Level;
use crate::module::Module;

mod callbacks;
mod contexts;
mod effects;
mod hostcalls;
mod proxy;
mod stream;
mod tally;
mod timer;
mod worker;

/// Makes a crate the entry of a wasm module: `kit::module!(MODULE)`.
#[macro_export]
macro_rules! module {
    ($module:ident) => {
        /// Where the proxy starts.
        mod entry {
            unsafe extern "C" {
                fn __wasm_call_ctors();
            }

            #[unsafe(no_mangle)]
            extern "C" fn _initialize() {
                // SAFETY: the linker makes this function for whoever is called first, and nobody else calls it.
                unsafe { __wasm_call_ctors() };
                $crate::shell::start(&super::$module);
            }
        }
    };
}

thread_local! {
    /// What this VM runs.
    static MODULE: Cell<Option<&'static Module>> = const { Cell::new(None) };
}

/// Says what this VM runs; called once, before the host calls anything else.
pub fn start(module: &'static Module) {
    MODULE.set(Some(module));
    // Lets a trap say where it happened.
    std::panic::set_hook(Box::new(|panic| hostcalls::last_words(&panic.to_string())));
}

/// The number that the host gives to the first expression of a plugin.
const FIRST: [u8; 4] = [0; 4];

/// One configuration of the module on this worker.
struct Plugin {
    id: u32,
    /// None until a configuration was accepted: everything passes.
    worker: RefCell<Option<Rc<Worker>>>,
}

impl Plugin {
    fn new(id: u32) -> Self {
        Self { id, worker: RefCell::default() }
    }

    /// Leaves the number of this plugin where its streams find it; false if the host can't. The host keeps expressions of
    /// CEL by plugin, and numbers them by plugin: the first one of each is the number itself.
    fn mark(&self) -> bool {
        hostcalls::call_foreign("expr_create", self.id.to_string().as_bytes()).as_deref() == Some(&FIRST)
    }

    /// Returns the number that the plugin of the current stream has left.
    fn marked() -> Option<u32> {
        let value = hostcalls::call_foreign("expr_evaluate", &FIRST)?;
        u32::try_from(i64::from_le_bytes(*value.as_array()?)).ok()
    }

    /// Returns what its streams share, once it is configured.
    fn worker(&self) -> Option<Rc<Worker>> {
        self.worker.try_borrow().ok()?.clone()
    }

    /// Tells what it has counted, and stops its timer: the VM may live on for a newer configuration, and that with it.
    #[cold]
    #[inline(never)]
    fn gone(&self) {
        if let Some(worker) = self.worker() {
            worker.tell_counts();
        }
        hostcalls::set_tick_period(0);
    }

    /// Takes a configuration of so many bytes; false if it is refused.
    fn configure(&self, size: usize) -> bool {
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
                // Every worker sets it, and all to the same.
                if let Some(id) = hostcalls::define_metric(Metric::Gauge, &module.build_info()) {
                    hostcalls::record_metric(id, 1);
                }
                worker.start();
                self.worker.try_borrow_mut().map(|mut place| *place = Some(worker)).is_ok()
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
}

#[expect(clippy::disallowed_methods, reason = "the shell is who hands environment variables to filters")]
fn environment(name: &str) -> Option<String> {
    std::env::var(name).ok()
}
