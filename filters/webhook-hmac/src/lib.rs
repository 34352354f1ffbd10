//! Lets only genuine webhook deliveries reach the upstream, once each, and signs those that go out.
//!
//! 1. The first endpoint whose `match` holds decides; its `scheme` says how deliveries are signed. Presets are schemes
//!    that are known (`preset`), any other is described in the same words (`scheme`, `source`, `template`).
//! 2. The request is held while its body comes and is hashed (`check`); its end may come with the headers, the body or
//!    the trailers. Nothing of it reaches the upstream before it is verified.
//! 3. A signature of any live key will do, compared in constant time (`mac`, `key`); then the instant is held against
//!    the clock (`timestamp`), and a delivery that came before is told by what is signed (`replay`).
//! 4. Questions that providers ask before they send anything are answered in place (`handshake`).
//! 5. Requests that go out get a signature by the same description (`sign`).
//!
//! Nothing of a body is believed before its signature is verified, but where in it the signature and its instant are.
//! It fetches no certificates (PayPal, SNS), and it remembers deliveries in one Envoy process, not over several.
//!
//! ```yaml
//! prefix: /webhooks
//! endpoints:
//!   - name: stripe
//!     match: {path: {exact: /webhooks/stripe}}
//!     provider: stripe
//!     secrets: [{env: STRIPE_SECRET}]
//!   - name: billing
//!     match: {path: {exact: /webhooks/billing}}
//!     scheme:
//!       algorithm: hmac-sha256
//!       signature: {header: x-signature, prefix: "sha256="}
//!       timestamp: {header: x-timestamp}
//!       content: "{timestamp}.{body}"
//!     secrets: [{env: BILLING_SECRET}, {env: BILLING_SECRET_OLD}]
//! ```

#![forbid(unsafe_code)]

mod answer;
mod check;
mod config;
mod filter;
mod handshake;
mod jwt;
mod key;
mod mac;
mod message;
mod preset;
mod reason;
mod replay;
mod scheme;
mod sign;
mod source;
mod state;
mod template;
mod timestamp;
mod url;

use std::rc::Rc;

use kit::filter::{Callbacks, Filter, Kind};

/// The filter, as modules offer it.
pub const KIND: Kind = Kind {
    name: "webhook-hmac",
    version: env!("CARGO_PKG_VERSION"),
    callbacks: Callbacks {
        request_body: true,
        response_headers: true,
        response_body: false,
        response_trailers: false,
        hold: true,
        hold_response: false,
        end: false,
        callout: false,
    },
    configure: |node, setup| {
        let config = config::Config::parse(node, setup)?;
        let filter: Rc<dyn Filter> = Rc::new(filter::WebhookHmac::new(config, setup));
        Some(filter)
    },
};

#[cfg(test)]
#[expect(clippy::arithmetic_side_effects, reason = "a test may overflow: it would fail")]
mod tests;
