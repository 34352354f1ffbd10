//! The rows of the tables: which HTTP filter Envoy runs in front of the route.
//!
//! A table is a group of rows that get the same requests. Every row of it does the same (limits alike, or accepts the
//! same tokens) and refuses nothing, so that only the cost differs.

use std::path::Path;

use serde_json::{Value, json};
use tokens::{Algorithm, Signer};

use crate::chain;

/// The row that others are compared with.
pub(crate) const NONE: &str = "none";

/// The row whose added cost is the unit.
pub(crate) const NOOP: &str = "noop";

/// Requests per second that no run reaches.
const LIMIT: u32 = 1_000_000;

/// Rows that get the same requests.
pub(crate) struct Group {
    /// What `--group` calls it.
    pub(crate) name: &'static str,
    /// What its requests carry.
    pub(crate) load: Carries,
    /// Whether requests are forwarded, if only to one more Envoy, because it is about where to, and what comes back.
    pub(crate) forwards: bool,
    /// Its rows, in the order of the table.
    pub(crate) rows: Vec<Row>,
}

/// What requests carry beside the headers that all of them have.
pub(crate) enum Carries {
    /// Nothing.
    Nothing,
    /// A token of this signer.
    Token(Box<Signer>),
    /// A body of so many bytes, with its signature. Envoy keeps it until it is there before the filters of the row, so
    /// that each row has the whole body, and none is answered before its end.
    Body(usize),
}

/// One row.
pub(crate) struct Row {
    /// What `--only` calls it.
    pub(crate) name: &'static str,
    /// The filter before the router, if any.
    pub(crate) filter: Option<Filter>,
    /// The routes, if there is more to them than one that takes everything. There are two clusters, [`UPSTREAM`] and
    /// [`CANARY`].
    pub(crate) routes: Option<Value>,
}

/// The clusters that requests are forwarded to: two names for one address.
pub(crate) const UPSTREAM: &str = "upstream";
pub(crate) const CANARY: &str = "canary";

/// An HTTP filter.
pub(crate) enum Filter {
    /// A module with its configuration.
    Module { path: &'static str, configuration: Value },
    /// Several, one behind the other, each with its name and a VM of its own.
    Modules(Vec<(&'static str, String, Value)>),
    /// One of Envoy's own.
    Native(Value),
}

/// Returns all groups.
pub(crate) fn groups() -> Vec<Group> {
    let tokens = |name, algorithm| {
        let signer = Signer::new(algorithm).key_id("a");
        let mut rows = yardsticks();
        rows.push(native("native-jwt-cached", native_jwt(&signer, true)));
        rows.push(native("native-jwt", native_jwt(&signer, false)));
        rows.push(module("jwt-auth", "dist/jwt-auth.wasm", jwt_auth(&signer, json!({}))));
        rows.push(module("jwt-auth-cold", "dist/jwt-auth.wasm", jwt_auth(&signer, json!({"cache": 0}))));
        Group { name, load: Carries::Token(Box::new(signer)), forwards: false, rows }
    };
    let bodies =
        |name, size| Group { name, load: Carries::Body(size), forwards: false, rows: webhooks(size) };
    let plain = |name, rows| Group { name, load: Carries::Nothing, forwards: false, rows };
    let mut groups = vec![
        plain("rate-limit", rate_limits()),
        plain("retry-headers", retries()),
        plain("fault-injection", faults()),
        Group { forwards: true, ..plain("canary", canaries()) },
        tokens("jwt-rs256", Algorithm::Rs256),
        tokens("jwt-es256", Algorithm::Es256),
        tokens("jwt-eddsa", Algorithm::EdDsa),
        tokens("jwt-hs256", Algorithm::Hs256),
        tokens("jwt-ps256", Algorithm::Ps256),
    ];
    let signer = Signer::new(Algorithm::Rs256).key_id("a");
    let rows = chain::chains(&signer);
    groups.push(Group { name: "chain", load: Carries::Token(Box::new(signer)), forwards: false, rows });
    groups.extend(BODIES.map(|(name, size)| bodies(name, size)));
    groups
}

/// The groups that get bodies, and how large.
const BODIES: [(&str, usize); 4] =
    [("webhook-0", 0), ("webhook-1k", 1 << 10), ("webhook-16k", 16 << 10), ("webhook-256k", 256 << 10)];

/// The row that makes one HMAC of as many bytes, and nothing else.
pub(crate) const MAC: &str = "mac";

/// The row of the filter for signed bodies.
pub(crate) const WEBHOOK: &str = "webhook-hmac";

/// What bodies are signed with.
pub(crate) const SECRET: &str = "an example of a secret, 32 bytes";

fn webhooks(size: usize) -> Vec<Row> {
    // The same body comes again and again, which is what replays are; they are told by two calls for shared data.
    let webhook = |replay: Value| {
        json!({
            "endpoints": [{"name": "github", "provider": "github", "secrets": [{"inline": SECRET}], "replay": replay}],
        })
    };
    let forward = json!({"on_duplicate": "forward"});
    vec![
        Row { name: NONE, filter: None, routes: None },
        module(NOOP, "target/bench/noop.wasm", Value::Null),
        module(MAC, "target/bench/mac.wasm", json!({"size": size})),
        module("floor-webhook", FLOOR_WEBHOOK, Value::Null),
        module(WEBHOOK, "dist/webhook-hmac.wasm", webhook(json!("off"))),
        module("webhook-hmac-replay", "dist/webhook-hmac.wasm", webhook(forward)),
    ]
}

/// Returns the rows of every table: no filter, what every user of the SDK pays, what is left of it without the callbacks
/// that nobody listens to, and what the calls to the host cost that a decision needs.
pub(crate) fn yardsticks() -> Vec<Row> {
    vec![
        Row { name: NONE, filter: None, routes: None },
        module(NOOP, "target/bench/noop.wasm", Value::Null),
        module("noop-pruned", "target/bench/noop-pruned.wasm", Value::Null),
        module("floor", FLOOR, Value::Null),
    ]
}

/// Where the module of that row is, which is written as text.
const FLOOR: &str = "target/bench/floor.wasm";

/// The same for the calls that set headers.
const FLOOR_HEADERS: &str = "target/bench/floor-headers.wasm";

/// The same for all that a chain of six asks for.
const FLOOR_CHAIN: &str = "target/bench/floor-chain.wasm";

/// The same for one header and, with a guard, for what became of the request.
const FLOOR_CANARY: &str = "target/bench/floor-canary.wasm";
const FLOOR_GUARD: &str = "target/bench/floor-guard.wasm";

/// The same for a body.
const FLOOR_WEBHOOK: &str = "target/bench/floor-webhook.wasm";

/// Writes these modules.
///
/// # Errors
///
/// They can't be written.
pub(crate) fn write_floor() -> Result<(), String> {
    let floors = [
        (FLOOR, include_str!("floor.wat")),
        (FLOOR_HEADERS, include_str!("floor-headers.wat")),
        (FLOOR_CHAIN, include_str!("floor-chain.wat")),
        (FLOOR_CANARY, include_str!("floor-canary.wat")),
        (FLOOR_GUARD, include_str!("floor-guard.wat")),
        (FLOOR_WEBHOOK, include_str!("floor-webhook.wat")),
    ];
    for (path, text) in floors {
        let module = wat::parse_str(text).map_err(|error| format!("the text of {path}: {error}"))?;
        std::fs::write(path, module).map_err(|error| format!("cannot write {path}: {error}"))?;
    }
    Ok(())
}

fn rate_limits() -> Vec<Row> {
    let mut rows = yardsticks();
    rows.push(native("native-rate-limit", native_rate_limit("OFF")));
    rows.push(native("native-rate-limit-headers", native_rate_limit("DRAFT_VERSION_03")));
    rows.push(module("rate-limit", "dist/rate-limit.wasm", rate_limit("none")));
    rows.push(module("rate-limit-headers", "dist/rate-limit.wasm", rate_limit("draft")));
    rows
}

fn retries() -> Vec<Row> {
    let mut rows = yardsticks();
    let policy = |name, fields: Value| module(name, "dist/retry-headers.wasm", retry_headers(fields));
    rows.push(module("floor-headers", FLOOR_HEADERS, Value::Null));
    rows.push(native("native-header-mutation", header_mutation()));
    rows.push(policy("retry-headers", json!({"budget": "off"})));
    rows.push(policy("retry-headers-budget", json!({})));
    rows.push(policy("retry-headers-once", json!({"attempts": 1})));
    rows
}

/// Returns the configuration of our filter: one policy, which sets three headers unless these fields say otherwise.
fn retry_headers(fields: Value) -> Value {
    let mut policy = json!({"name": "api", "attempts": 3});
    if let (Some(all), Value::Object(fields)) = (policy.as_object_mut(), fields) {
        all.extend(fields);
    }
    json!({"policies": [policy]})
}

/// Returns Envoy's filter that sets the same three headers, whatever the request is.
fn header_mutation() -> Value {
    let set = |(name, value): (&str, &str)| {
        json!({"append": {
            "header": {"key": name, "value": value},
            "append_action": "OVERWRITE_IF_EXISTS_OR_ADD",
        }})
    };
    let headers = [
        ("x-envoy-retry-on", "connect-failure,refused-stream,reset,gateway-error"),
        ("x-envoy-max-retries", "2"),
        ("x-sluice-retry", "1"),
    ];
    json!({
        "name": "envoy.filters.http.header_mutation",
        "typed_config": {
            "@type": "type.googleapis.com/envoy.extensions.filters.http.header_mutation.v3.HeaderMutation",
            "mutations": {"request_mutations": headers.map(set)},
        },
    })
}

/// Returns rows in which no fault happens: for all that a filter for faults does to the requests that get none.
fn faults() -> Vec<Row> {
    let abort = json!({"abort": {"status": 503}});
    let elsewhere = json!({"path": {"prefix": "/elsewhere"}});
    let experiment = |fields: Value| {
        let mut experiment = json!({"name": "x", "percent": "0%", "request": abort});
        if let (Some(all), Value::Object(fields)) = (experiment.as_object_mut(), fields) {
            all.extend(fields);
        }
        json!({"experiments": [experiment]})
    };
    let ours = |name, configuration| module(name, "dist/fault-injection.wasm", configuration);
    let mut rows = yardsticks();
    rows.push(native("native-fault-0", native_fault()));
    rows.push(ours("fault-injection-elsewhere", experiment(json!({"percent": "100%", "match": elsewhere}))));
    rows.push(ours("fault-injection-0", experiment(json!({}))));
    rows
}

/// Returns Envoy's filter with a fault that never happens.
fn native_fault() -> Value {
    let never = json!({"numerator": 0, "denominator": "HUNDRED"});
    json!({
        "name": "envoy.filters.http.fault",
        "typed_config": {
            "@type": "type.googleapis.com/envoy.extensions.filters.http.fault.v3.HTTPFault",
            "abort": {"http_status": 503, "percentage": never},
        },
    })
}

/// Returns rows in which a twentieth of the clients is forwarded to another cluster, and always the same ones.
fn canaries() -> Vec<Row> {
    let by_header = json!([
        {
            "match": {"prefix": "/", "headers": [{"name": "x-sluice-variant", "string_match": {"exact": "v2"}}]},
            "route": {"cluster": CANARY},
        },
        {"match": {"prefix": "/"}, "route": {"cluster": UPSTREAM}},
    ]);
    let clusters = json!({
        "clusters": [{"name": UPSTREAM, "weight": 95}, {"name": CANARY, "weight": 5}],
        "use_hash_policy": true,
    });
    let hash_policy = json!([{"header": {"header_name": "x-api-key"}}]);
    let by_hash = json!([
        {"match": {"prefix": "/"}, "route": {"weighted_clusters": clusters, "hash_policy": hash_policy}},
    ]);
    let split = |fields: Value| {
        let mut split = json!({
            "name": "x",
            "key": {"header": "x-api-key"},
            "variants": [{"name": "v1"}, {"name": "v2", "weight": "5%"}],
        });
        if let (Some(all), Value::Object(fields)) = (split.as_object_mut(), fields) {
            all.extend(fields);
        }
        json!({"splits": [split]})
    };
    let ours = |name, fields| Row {
        routes: Some(by_header.clone()),
        ..module(name, "dist/canary-routing.wasm", split(fields))
    };
    let elsewhere = json!({"path": {"prefix": "/elsewhere"}});
    let mut rows = yardsticks();
    // What the routes alone cost that look at the header: without the filter, nobody has it.
    rows.push(Row { name: "header-routes", filter: None, routes: Some(by_header.clone()) });
    rows.push(Row { name: "native-weighted-clusters", filter: None, routes: Some(by_hash) });
    let floor = |name, path| Row { routes: Some(by_header.clone()), ..module(name, path, Value::Null) };
    rows.push(floor("floor-canary", FLOOR_CANARY));
    rows.push(floor("floor-guard", FLOOR_GUARD));
    rows.push(ours("canary-routing-elsewhere", json!({"match": elsewhere})));
    rows.push(ours("canary-routing", json!({})));
    rows.push(ours("canary-routing-guard", json!({"guard": {}, "observe": false})));
    rows.push(ours("canary-routing-observe", json!({"guard": {}})));
    rows
}

/// Returns the row of an empty module that makes the calls of the chain of six.
pub(crate) fn floor_chain() -> Row {
    module("floor-chain", FLOOR_CHAIN, Value::Null)
}

fn module(name: &'static str, path: &'static str, configuration: Value) -> Row {
    Row { name, filter: Some(Filter::Module { path, configuration }), routes: None }
}

fn native(name: &'static str, filter: Value) -> Row {
    Row { name, filter: Some(Filter::Native(filter)), routes: None }
}

/// Who issues the tokens, and for whom.
pub(crate) const ISSUER: &str = "https://issuer.example.com";
pub(crate) const AUDIENCE: &str = "api";

/// Returns the configuration of our filter for tokens of this signer, with these fields besides.
pub(crate) fn jwt_auth(signer: &Signer, fields: Value) -> Value {
    let jwk = tokens::jwk(signer.key(), "a");
    let keys = if signer.algorithm() == Algorithm::Hs256 {
        json!({"secrets": [{"inline": jwk.get("k"), "encoding": "base64url"}]})
    } else {
        json!({"inline": {"keys": [jwk]}})
    };
    let mut configuration = json!({
        "providers": [{
            "name": "corp",
            "issuer": ISSUER,
            "audiences": [AUDIENCE],
            "algorithms": [signer.algorithm().name()],
            "keys": keys,
        }],
        "rules": [{"name": "api", "require": "token"}],
    });
    if let (Some(all), Value::Object(fields)) = (configuration.as_object_mut(), fields) {
        all.extend(fields);
    }
    configuration
}

/// Returns Envoy's filter for the same tokens.
fn native_jwt(signer: &Signer, cached: bool) -> Value {
    let mut provider = json!({
        "issuer": ISSUER,
        "audiences": [AUDIENCE],
        "forward": true,
        "local_jwks": {"inline_string": tokens::jwks([tokens::jwk(signer.key(), "a")])},
    });
    if cached && let Some(provider) = provider.as_object_mut() {
        provider.insert("jwt_cache_config".to_owned(), json!({"jwt_cache_size": 1000}));
    }
    json!({
        "name": "envoy.filters.http.jwt_authn",
        "typed_config": {
            "@type": "type.googleapis.com/envoy.extensions.filters.http.jwt_authn.v3.JwtAuthentication",
            "providers": {"corp": provider},
            "rules": [{"match": {"prefix": "/"}, "requires": {"provider_name": "corp"}}],
        },
    })
}

/// Returns the configuration of our filter, with a limit by a header.
fn rate_limit(headers: &str) -> Value {
    rate_limit_by(&json!([{"header": "x-api-key"}]), headers)
}

/// Returns the same with a limit by this key.
pub(crate) fn rate_limit_by(key: &Value, headers: &str) -> Value {
    json!({
        "rules": [{
            "name": "api",
            "key": key,
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
    pub(crate) fn missing_module(&self) -> Option<&str> {
        let paths: Vec<&str> = match &self.filter {
            Some(Filter::Module { path, .. }) => vec![path],
            Some(Filter::Modules(modules)) => modules.iter().map(|(_, path, _)| path.as_str()).collect(),
            Some(Filter::Native(_)) | None => Vec::new(),
        };
        paths.into_iter().find(|path| !Path::new(path).exists())
    }

    /// Returns the HTTP filters of the listener.
    pub(crate) fn http_filters(&self, load: &Carries) -> Vec<Value> {
        let buffer = matches!(load, Carries::Body(_)).then(|| {
            json!({
                "name": "envoy.filters.http.buffer",
                "typed_config": {
                    "@type": "type.googleapis.com/envoy.extensions.filters.http.buffer.v3.Buffer",
                    "max_request_bytes": 1 << 20,
                },
            })
        });
        let filters = match &self.filter {
            None => Vec::new(),
            Some(Filter::Native(filter)) => vec![filter.clone()],
            Some(Filter::Module { path, configuration }) => vec![wasm(self.name, path, configuration)],
            Some(Filter::Modules(modules)) => {
                modules.iter().map(|(name, path, configuration)| wasm(name, path, configuration)).collect()
            }
        };
        let router = json!({
            "name": "envoy.filters.http.router",
            "typed_config": {"@type": "type.googleapis.com/envoy.extensions.filters.http.router.v3.Router"},
        });
        buffer.into_iter().chain(filters).chain([router]).collect()
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
        // Who holds a request for its body needs it.
        "allow_on_headers_stop_iteration": true,
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
