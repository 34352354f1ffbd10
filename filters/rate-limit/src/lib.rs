//! Limits how often a client may ask, and how many requests it may have in flight, in one Envoy process.
//!
//! 1. The first rule whose `match` holds decides; a request that no rule matches goes on.
//! 2. The rule's `key` says whose request it is. Every key has its own limits.
//! 3. All limits of the rule must admit the request (`gcra`, `decide`). When one refuses, none is charged.
//! 4. A refusal is a 429 that says when the next request will be admitted, and never too early.
//!
//! All workers share one state (`bucket`), and each charge is one compare-and-swap of the decision itself, so
//! no interleaving admits one request too many. Where a limit is high enough, a worker reserves a piece of what is
//! left and decides alone for a while (`lease`).
//!
//! It does not limit across several Envoys, and it does not delay requests.
//!
//! ```yaml
//! rules:
//!   - name: login
//!     match: {path: {exact: /login}, methods: [POST]}
//!     key: client_ip
//!     limits: [{requests: 5, per: 1m}]
//!     count: {responses: [401, 403]}
//!   - name: api
//!     match: {path: {prefix: /api}}
//!     key: {header: x-api-key}
//!     limits: [{requests: 100, per: 1s, burst: 200}, {requests: 10000, per: 1h}]
//! ```

#![forbid(unsafe_code)]

mod answer;
mod bucket;
mod config;
mod decide;
mod filter;
mod gcra;
mod held;
mod lease;
mod quota;
mod state;

use std::rc::Rc;

use kit::filter::{Callbacks, Filter, Kind};

/// The filter, as modules offer it.
pub const KIND: Kind = Kind {
    name: "rate-limit",
    version: env!("CARGO_PKG_VERSION"),
    callbacks: Callbacks {
        request_body: false,
        response_headers: true,
        response_body: false,
        response_trailers: false,
        hold: false,
        hold_response: false,
        end: false,
        callout: false,
    },
    configure: |node, setup| {
        let config = config::Config::parse(node)?;
        let filter: Rc<dyn Filter> = Rc::new(filter::RateLimit::new(config, setup));
        Some(filter)
    },
};
