//! The filters in a real Envoy.

mod harness_works;
mod schema;
mod shell;
mod rate_limit;
mod tidy;
