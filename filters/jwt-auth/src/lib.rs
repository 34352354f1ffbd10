//! Lets requests pass that carry a JSON Web Token it has verified (RFC 7519), and says to upstreams whose they are.
//!
//! 1. The first rule whose `match` holds decides; a request that no rule is for is refused.
//! 2. The token is found (`place`), parsed (`token`), and its issuer gives the provider.
//! 3. The provider's keys (`jwk`, fetched by `source`) verify the signature (`verify`), and then its claims are held
//!    against what the provider issues (`claims`), what was revoked (`deny`), and what the rule requires (`condition`).
//! 4. What was verified is remembered with the whole token (`cache`, `verified`): the second time costs a lookup.
//! 5. Claims go to the upstream and to later filters; what a client wrote in their place is taken away.
//!
//! Nothing of a token is believed before its signature is verified, but the names of its issuer, algorithm and key,
//! and those only choose among what the configuration allows. It doesn't decrypt tokens (JWE), and it doesn't ask
//! issuers about single tokens (introspection).
//!
//! ```yaml
//! providers:
//!   - name: corp
//!     issuer: https://issuer.example.com
//!     audiences: [api]
//!     algorithms: [ES256]
//!     keys: {uri: "https://issuer.example.com/.well-known/jwks.json", cluster: issuer}
//! rules:
//!   - {name: health, match: {path: {exact: /healthz}}, allow: anonymous}
//!   - {name: admin, match: {path: {prefix: /admin}}, require: {scope: admin}}
//!   - {name: api, require: token}
//! claims_to_headers: [{claim: sub, header: x-user}]
//! ```

#![forbid(unsafe_code)]

mod algorithm;
mod answer;
mod cache;
mod check;
mod claim;
mod claims;
mod condition;
mod config;
mod deny;
mod filter;
mod jwk;
mod place;
mod reason;
mod source;
mod state;
mod token;
mod verified;
mod verify;

use std::rc::Rc;

use kit::filter::{Callbacks, Filter, Kind};

/// The filter, as modules offer it.
pub const KIND: Kind = Kind {
    name: "jwt-auth",
    version: env!("CARGO_PKG_VERSION"),
    callbacks: Callbacks {
        request_body: false,
        response_headers: false,
        response_body: false,
        response_trailers: false,
        hold: true,
        hold_response: false,
        end: false,
        callout: true,
    },
    configure: |node, setup| {
        let config = config::Config::parse(node, setup)?;
        let filter: Rc<dyn Filter> = Rc::new(filter::JwtAuth::new(config, setup));
        Some(filter)
    },
};
