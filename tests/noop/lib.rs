//! A filter that does nothing, written as the SDK's users write them: the yardstick of the benchmark.
//!
//! A root context makes one context per stream, every callback is the SDK's default, and all of them stay exported.
//! What this adds to a request is what the platform costs before a filter has done anything.
#![cfg(target_os = "wasi")]
#![expect(missing_docs, reason = "the SDK's macro exports a function of its own")]

use proxy_wasm::traits::{Context, HttpContext, RootContext};
use proxy_wasm::types::{ContextType, LogLevel};

proxy_wasm::main! {{
    proxy_wasm::set_log_level(LogLevel::Warn);
    proxy_wasm::set_root_context(|_| -> Box<dyn RootContext> { Box::new(Root) });
}}

struct Root;

impl Context for Root {}

impl RootContext for Root {
    fn create_http_context(&self, _: u32) -> Option<Box<dyn HttpContext>> {
        Some(Box::new(Stream))
    }

    fn get_type(&self) -> Option<ContextType> {
        Some(ContextType::HttpContext)
    }
}

struct Stream;

impl Context for Stream {}

impl HttpContext for Stream {}
