//! The filters in a real Envoy.

mod canary_routing;
mod chain;
mod compose;
mod fault_injection;
mod harness_works;
mod istio;
mod jwt_auth;
mod oci;
mod rate_limit;
mod retry_headers;
mod schema;
mod shell;
mod tidy;
mod webhook_hmac;
