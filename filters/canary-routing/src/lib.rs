//! Sends a share of users to another version, the same users every time, and takes them back when it fails.
//!
//! 1. What is to be written is taken from every request, so that no client chooses (`output`).
//! 2. The first split whose `match` holds decides; a request that none is for goes on at next to no cost.
//! 3. Testers ask for a variant (`force`), and some users have one that is written down (`assign`).
//! 4. All others have a key (`identity`), and if they have none, perhaps a `cookie`. Its hash is one of 10,000 buckets
//!    (`bucket`), and a variant has those of its `range`, whose length may follow a timetable (`ramp`).
//! 5. A `guard` compares how often each variant fails (`outcome`) with the baseline, over all workers, and takes the
//!    traffic off it; after a while it is tried again with a few users first (`watch`).
//! 6. The variant is written to headers, by which the routes choose a cluster.
//!
//! More weight only takes users from the baseline; nobody ever goes from one canary to another.
//! It protects nothing: a request that can be read in several ways gets the baseline.
//!
//! ```yaml
//! splits:
//!   - name: checkout
//!     match: {path: {prefix: /checkout}}
//!     key: [{header: x-user-id}, {cookie: sid}]
//!     variants:
//!       - {name: v1}
//!       - {name: v2, weight: 5%}
//!     assign: [{variant: v2, keys: [alice]}]
//!     guard: {max_error_rate: 50%}
//! ```

#![forbid(unsafe_code)]

mod assign;
mod bucket;
mod config;
mod cookie;
mod filter;
mod force;
mod guard;
mod identity;
mod outcome;
mod output;
mod ramp;
mod range;
mod state;
mod stream;
mod variant;
mod watch;

use std::rc::Rc;

use kit::filter::{Callbacks, Filter, Kind};

/// The filter, as modules offer it.
pub const KIND: Kind = Kind {
    name: "canary-routing",
    version: env!("CARGO_PKG_VERSION"),
    callbacks: Callbacks {
        request_body: false,
        response_headers: true,
        response_body: false,
        response_trailers: true,
        hold: false,
        hold_response: false,
        end: false,
        callout: false,
    },
    configure: |node, setup| {
        let config = config::Config::parse(node, setup)?;
        let filter: Rc<dyn Filter> = Rc::new(filter::CanaryRouting::new(config, setup));
        Some(filter)
    },
};

#[cfg(test)]
#[expect(clippy::arithmetic_side_effects, reason = "a test may overflow: it would fail")]
mod tests;
