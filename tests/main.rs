//! The filters in a real Envoy.
