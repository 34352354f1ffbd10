//! The wasm entry: the filters that this build was asked for, as one module.

use kit::filter::Kind;
use kit::module::{Form, Module};

/// The filters of this module.
const KINDS: &[Kind] = &[
    #[cfg(feature = "rate-limit")]
    rate_limit::KIND,
    #[cfg(feature = "jwt-auth")]
    jwt_auth::KIND,
    #[cfg(feature = "webhook-hmac")]
    webhook_hmac::KIND,
    #[cfg(feature = "retry-headers")]
    retry_headers::KIND,
    #[cfg(feature = "fault-injection")]
    fault_injection::KIND,
    #[cfg(feature = "canary-routing")]
    canary_routing::KIND,
];

/// The module: the bundle runs a chain, any other its only filter.
#[cfg_attr(not(target_os = "wasi"), expect(dead_code, reason = "only a proxy runs it"))]
static MODULE: Module =
    Module { kinds: KINDS, form: if cfg!(feature = "chain") { Form::Chain } else { Form::Single } };

#[cfg(target_os = "wasi")]
kit::module!(MODULE);
