//! The rows of the table: which HTTP filter Envoy runs in front of the route.
//!
//! A new row is one entry in [`all`]. Every row limits alike (one rule, one header, a limit that is never reached), so
//! that all of them admit every request and only the cost differs.

use std::path::Path;

use serde_json::{Value, json};

/// The row that others are compared with.
pub(crate) const NONE: &str = "none";

/// The row whose added cost is the unit.
pub(crate) const NOOP: &str = "noop";

/// Requests per second that no run reaches.
const LIMIT: u32 = 1_000_000;

/// One row.
pub(crate) struct Row {
    /// What `--only` calls it.
    pub(crate) name: &'static str,
    /// The filter before the router, if any.
    pub(crate) filter: Option<Filter>,
}

/// An HTTP filter.
pub(crate) enum Filter {
    /// A module with its configuration.
    Module { path: &'static str, configuration: Value },
    /// One of Envoy's own.
    Native(Value),
}

/// Returns all rows, in the order of the table.
pub(crate) fn all() -> Vec<Row> {
    let module =
        |name, path, configuration| Row { name, filter: Some(Filter::Module { path, configuration }) };
    let native = |name, filter| Row { name, filter: Some(Filter::Native(filter)) };
    vec![
        Row { name: NONE, filter: None },
        // What every user of the SDK pays, and what is left of it without the callbacks that nobody listens to.
        module(NOOP, "target/bench/noop.wasm", Value::Null),
        module("noop-pruned", "target/bench/noop-pruned.wasm", Value::Null),
        native("native-rate-limit", native_rate_limit("OFF")),
        native("native-rate-limit-headers", native_rate_limit("DRAFT_VERSION_03")),
        module("rate-limit", "dist/rate-limit.wasm", rate_limit("none")),
        module("rate-limit-headers", "dist/rate-limit.wasm", rate_limit("draft")),
    ]
}

/// Returns the configuration of our filter.
fn rate_limit(headers: &str) -> Value {
    json!({
        "rules": [{
            "name": "api",
            "key": [{"header": "x-api-key"}],
            "limits": [{"requests": LIMIT, "per": "1s"}],
        }],
        "headers": headers,
    })
}

/// Returns Envoy's filter, with a bucket per value of the header, as ours has.
fn native_rate_limit(headers: &str) -> Value {
    let bucket = json!({"max_tokens": LIMIT, "tokens_per_fill": LIMIT, "fill_interval": "1s"});
    let always = json!({"default_value": {"numerator": 100, "denominator": "HUNDRED"}});
    json!({
        "name": "envoy.filters.http.local_ratelimit",
        "typed_config": {
            "@type": "type.googleapis.com/envoy.extensions.filters.http.local_ratelimit.v3.LocalRateLimit",
            "stat_prefix": "bench",
            "token_bucket": bucket,
            "filter_enabled": always,
            "filter_enforced": always,
            "enable_x_ratelimit_headers": headers,
            // An entry without a value is a bucket for every value there is.
            "descriptors": [{"entries": [{"key": "client"}], "token_bucket": bucket}],
            "max_dynamic_descriptors": 1000,
            "rate_limits": [{
                "actions": [{"request_headers": {"header_name": "x-api-key", "descriptor_key": "client"}}],
            }],
        },
    })
}

impl Row {
    /// Returns the path of the module if it has not been built.
    pub(crate) fn missing_module(&self) -> Option<&'static str> {
        match self.filter {
            Some(Filter::Module { path, .. }) if !Path::new(path).exists() => Some(path),
            Some(Filter::Module { .. } | Filter::Native(_)) | None => None,
        }
    }

    /// Returns the HTTP filters of the listener.
    pub(crate) fn http_filters(&self) -> Vec<Value> {
        let filter = match &self.filter {
            None => None,
            Some(Filter::Native(filter)) => Some(filter.clone()),
            Some(Filter::Module { path, configuration }) => Some(wasm(self.name, path, configuration)),
        };
        let router = json!({
            "name": "envoy.filters.http.router",
            "typed_config": {"@type": "type.googleapis.com/envoy.extensions.filters.http.router.v3.Router"},
        });
        filter.into_iter().chain([router]).collect()
    }
}

/// Returns the filter that runs a module.
fn wasm(name: &str, path: &str, configuration: &Value) -> Value {
    let mut config = json!({
        "name": name,
        "vm_config": {
            "vm_id": name,
            "runtime": "envoy.wasm.runtime.v8",
            "code": {"local": {"filename": path}},
        },
        // A trap shows as 503, and ends the benchmark.
        "failure_policy": "FAIL_CLOSED",
    });
    if !configuration.is_null()
        && let Some(config) = config.as_object_mut()
    {
        config.insert(
            "configuration".to_owned(),
            json!({
                "@type": "type.googleapis.com/google.protobuf.StringValue",
                "value": configuration.to_string(),
            }),
        );
    }
    json!({
        "name": "envoy.filters.http.wasm",
        "typed_config": {
            "@type": "type.googleapis.com/envoy.extensions.filters.http.wasm.v3.Wasm",
            "config": config,
        },
    })
}
