//! What every filter needs and nothing else: the vocabulary, the chain, the configuration, the shared state, and
//! the shell that runs it all inside a proxy.
//!
//! A filter is a value with pure methods: it is handed a view of a stream ([`exchange`]) and answers with a
//! [`filter::Step`]. It reads no clock, draws no random number and calls no host; the `shell` alone does, and it
//! is compiled for `wasm32-wasip1` only.
//!
//! The groups of modules in reading order: what a filter is, how it is configured, what it recognises, what it
//! remembers, and how it is run.

pub mod callout;
pub mod exchange;
pub mod filter;
pub mod header;
pub mod reply;
pub mod root;

pub mod config;
pub mod secret;
pub mod setup;
pub mod units;
pub mod value;

pub mod client_ip;
pub mod key;
pub mod matcher;
pub mod path;
pub mod rule;
#[cfg(feature = "signatures")]
pub mod signature;
pub mod status;

pub mod draw;
pub mod identity;
pub mod store;
pub mod table;
pub mod time;

pub mod chain;
pub mod host;
pub mod memory;
pub mod module;
#[cfg(target_os = "wasi")]
pub mod shell;
#[cfg(any(test, feature = "testing"))]
pub mod testing;
#[cfg(any(test, target_os = "wasi"))]
mod waiting;
