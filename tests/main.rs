//! The filters in a real Envoy.

mod harness_works;
mod tidy;
