//! The rows for a whole chain: six filters in one module, and the same six as modules of their own.
//!
//! The request is an ordinary one: it has a valid token that was seen before, a limit by the token's subject, a variant by
//! the same, a policy for retries, and neither a fault nor a webhook is for it.

use serde_json::{Value, json};
use tokens::Signer;

use crate::row::{Filter, Row, floor_chain, jwt_auth, rate_limit_by, yardsticks};

/// Returns the rows.
pub(crate) fn chains(signer: &Signer) -> Vec<Row> {
    let filters = filters(signer);
    let mut rows = yardsticks();
    rows.push(floor_chain());
    for few in 1..=filters.len() {
        let name = CHAINS.get(few - 1).copied().unwrap_or("chain");
        let chain: Vec<Value> =
            filters.iter().take(few).map(|(name, configuration)| json!({*name: configuration})).collect();
        let configuration = json!({"chain": chain});
        rows.push(Row {
            name,
            filter: Some(Filter::Module { path: "dist/sluice.wasm", configuration }),
            routes: None,
        });
    }
    let modules = filters
        .into_iter()
        .map(|(name, configuration)| (name, format!("dist/{name}.wasm"), configuration))
        .collect();
    rows.push(Row { name: "six-modules", filter: Some(Filter::Modules(modules)), routes: None });
    rows
}

/// What the rows of the chain are called, by how many filters it has.
const CHAINS: [&str; 6] = ["chain-1", "chain-2", "chain-3", "chain-4", "chain-5", "chain-6"];

/// Returns the filters in the order in which they are added to the chain.
fn filters(signer: &Signer) -> [(&'static str, Value); 6] {
    let webhook = json!({
        "endpoints": [{
            "name": "github",
            "match": {"path": {"exact": "/webhooks/github"}},
            "provider": "github",
            "secrets": [{"inline": crate::row::SECRET}],
        }],
    });
    let canary = json!({
        "splits": [{
            "name": "api",
            "key": [{"claim": "sub"}],
            "variants": [{"name": "v1"}, {"name": "v2", "weight": 500}],
        }],
    });
    let fault = json!({
        "experiments": [{
            "name": "x",
            "match": {"path": {"prefix": "/elsewhere"}},
            "percent": "100%",
            "request": {"abort": {"status": 503}},
        }],
    });
    [
        ("jwt-auth", jwt_auth(signer, json!({"publish": ["sub"]}))),
        ("rate-limit", rate_limit_by(&json!([{"claim": "sub"}]), "none")),
        ("canary-routing", canary),
        ("retry-headers", json!({"policies": [{"name": "api", "attempts": 3}]})),
        ("fault-injection", fault),
        ("webhook-hmac", webhook),
    ]
}
