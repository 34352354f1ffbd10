//! Says which requests Envoy may try again, and how often, so that retries never make it worse.
//!
//! 1. The first policy whose `match` holds decides; a request that none matches loses its own headers for retries, and
//!    goes on.
//! 2. A deadline that came with the request is held against the clock (`deadline`): what is over is answered at once,
//!    and what is left becomes the upstream's timeout.
//! 3. A request is tried once if somebody above tries it again already, if a second try could do what the first one did
//!    once more (`request`), or if the budget of its policy is spent (`budget`). Any other gets the policy's headers for
//!    Envoy's router, and a marker for the next hop.
//! 4. When the response begins, or the stream ends without one, the budget is charged with the tries that there really
//!    were.
//! 5. Responses that refuse say when to come back (`wait`): in seconds, spread, and never sooner than the upstream said.
//!
//! The retries themselves are the router's. It does not see responses that were tried again, and it doesn't wait
//! between tries any longer than the route says.
//!
//! ```yaml
//! policies:
//!   - name: reads
//!     match: {path: {prefix: /api}}
//!     attempts: 3
//!     on: [gateway-error, reset, connect-failure, refused-stream]
//!     per_try_timeout: 500ms
//!     timeout: 2s
//!     budget: {ratio: 20%, min_per_second: 3, window: 10s}
//! response:
//!   retry_after: {statuses: [429, 503], max: 60s}
//! ```

#![forbid(unsafe_code)]

mod answer;
mod budget;
mod config;
mod deadline;
mod filter;
mod ledger;
mod orders;
mod request;
mod response;
mod state;
mod wait;

use std::rc::Rc;

use kit::filter::{Callbacks, Filter, Kind};

/// The filter, as modules offer it.
pub const KIND: Kind = Kind {
    name: "retry-headers",
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
        let filter: Rc<dyn Filter> = Rc::new(filter::RetryHeaders::new(config, setup));
        Some(filter)
    },
};
