//! A filter that follows a script: it does to a stream what later filters will do, each thing on its own.
//!
//! A module of it is always a chain, so that two scripts can run in one VM:
//!
//! ```yaml
//! chain:
//!   - probe:
//!       fetch: {cluster: upstream, path: /document, retry: 50ms, begin: start}
//!       end: true
//!       log: true
//!       rules:
//!         - path: /upload
//!           request: [{wait: body}, {show_body: x-body}]
//!           response: [{status: 503}, {set: {response: x-tried, to: "yes"}}]
//! ```
//!
//! The first rule whose path begins the request's decides. Its steps run in order; one that waits holds the message
//! until it has what it waits for.

#![forbid(unsafe_code)]

mod filter;
mod script;

use std::rc::Rc;

use kit::filter::{Callbacks, Filter, Kind};
use kit::module::{Form, Module};

/// The filter.
const KINDS: &[Kind] = &[Kind {
    name: "probe",
    version: env!("CARGO_PKG_VERSION"),
    callbacks: Callbacks {
        request_body: true,
        response_headers: true,
        response_body: true,
        response_trailers: true,
        hold: true,
        hold_response: true,
        end: true,
        callout: true,
    },
    configure: |node, setup| {
        let script = script::Script::parse(node, setup)?;
        let probe: Rc<dyn Filter> = Rc::new(filter::Probe::new(script, setup));
        Some(probe)
    },
}];

/// The module.
#[cfg_attr(not(target_os = "wasi"), expect(dead_code, reason = "only a proxy runs it"))]
static MODULE: Module = Module { kinds: KINDS, form: Form::Chain };

#[cfg(target_os = "wasi")]
kit::module!(MODULE);
