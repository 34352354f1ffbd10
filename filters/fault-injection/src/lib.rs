//! Makes some requests fail, late or wrong, on purpose: experiments whose blast radius is a sentence in a file.
//!
//! 1. The first experiment whose `match` holds decides; a request that none is for goes on at next to no cost.
//! 2. It must run now (`schedule`), the request must be sampled (`sample`), it must not have stopped itself (`watch`),
//!    and there must be room for one more fault (`budget`). Workers share what they know of the last two.
//! 3. Then the dice are thrown: how long a delay is (`delay`), and with it the whole plan for the stream (`plan`).
//! 4. The request is held by a timer, answered (`abort`) or broken off; its response is delayed, changed (`response`),
//!    and its body cut, damaged or replaced piece by piece (`body`), and throttled.
//! 5. Testers with a token ask for faults by a header (`control`). From others these headers are taken.
//!
//! Every fault is stamped, tagged and counted, so that nobody looks for a defect that isn't there.
//! It protects nothing: a request that can be read in several ways goes on untouched.
//!
//! ```yaml
//! experiments:
//!   - name: slow-checkout
//!     match: {path: {prefix: /checkout}}
//!     percent: 5%
//!     max_active: 100
//!     stop_when: {error_rate: 10%}
//!     request: {delay: {percentiles: {p50: 50ms, p90: 300ms, p99: 2s}}}
//!   - name: broken-search
//!     match: {path: {prefix: /search}}
//!     percent: 1%
//!     sample: {key: {header: x-user}, seed: "2026-q4"}
//!     request: {abort: {status: 503}}
//! ```

#![forbid(unsafe_code)]

mod abort;
mod body;
mod budget;
mod config;
mod control;
mod delay;
mod filter;
mod plan;
mod response;
mod sample;
mod schedule;
mod state;
mod status;
mod stream;
mod watch;

use std::rc::Rc;

use kit::filter::{Callbacks, Filter, Kind};

/// The filter, as modules offer it.
pub const KIND: Kind = Kind {
    name: "fault-injection",
    version: env!("CARGO_PKG_VERSION"),
    callbacks: Callbacks {
        request_body: false,
        response_headers: true,
        response_body: true,
        response_trailers: false,
        hold: true,
        hold_response: true,
        end: false,
        callout: false,
    },
    configure: |node, setup| {
        let config = config::Config::parse(node, setup)?;
        let filter: Rc<dyn Filter> = Rc::new(filter::FaultInjection::new(config, setup));
        Some(filter)
    },
};

#[cfg(test)]
#[expect(clippy::arithmetic_side_effects, reason = "a test may overflow: it would fail")]
mod tests;
