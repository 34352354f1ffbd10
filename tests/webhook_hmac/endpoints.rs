//! An endpoint for each delivery, in one Envoy, and what it has refused.

use std::collections::BTreeMap;

use serde_json::{Value, json};
use tests::{Envoy, Request, Running, Upstream};

use super::altered::{Altered, Parts};
use super::{manager, settings, shipped};

/// Endpoints by their numbers: a header that isn't signed says which a delivery is for.
#[derive(Default)]
pub(super) struct Endpoints(Vec<Value>);

/// How many deliveries were refused, by the number of the endpoint and the reason.
pub(super) type Refusals = BTreeMap<(usize, String), u64>;

impl Endpoints {
    /// Makes an endpoint for a delivery, and for each of those with one bit altered.
    pub(super) fn add(&mut self, parts: &Parts, altered: &[Altered]) {
        for parts in altered.iter().map(|altered| &altered.parts).chain([parts]) {
            if !self.0.contains(&parts.endpoint) {
                self.0.push(parts.endpoint.clone());
            }
        }
    }

    /// Returns the number of the endpoint of a delivery.
    pub(super) fn number(&self, parts: &Parts) -> usize {
        self.0.iter().position(|known| *known == parts.endpoint).expect("an endpoint for this delivery")
    }

    /// Returns the request that is a delivery, its body in pieces.
    pub(super) fn request(&self, parts: &Parts) -> Request {
        let request = Request::new(&parts.method, &parts.path);
        let request = if parts.body.is_empty() { request } else { request.chunks(parts.body.chunks(50)) };
        let request = request.header("host", &parts.authority);
        let request = request.header("x-vector", self.number(parts).to_string());
        parts.headers.iter().fold(request, |request, (name, value)| request.header(name, value))
    }

    /// Starts an Envoy with all of them. To the filter, requests come by `scheme`, as behind a load balancer that ends TLS.
    pub(super) async fn envoy(&self, upstream: &Upstream, scheme: &str) -> Running {
        let numbered = self.0.iter().cloned().enumerate().map(|(number, mut endpoint)| {
            endpoint["name"] = json!(format!("v{number}"));
            endpoint["match"] = json!({"headers": [{"name": "x-vector", "exact": number.to_string()}]});
            endpoint
        });
        let endpoints: Value = numbered.collect();
        let envoy: Envoy = shipped(upstream).edit(|tree| {
            manager(tree)["scheme_header_transformation"] = json!({"scheme_to_overwrite": scheme});
            *settings(tree) = json!({"headers": {"endpoint": "x-webhook-endpoint"}, "endpoints": endpoints});
        });
        envoy.start().await
    }
}

/// Returns what an Envoy has refused, for which endpoint and why.
pub(super) async fn refusals(envoy: &Running) -> Refusals {
    envoy.settled().await;
    let counted = envoy.stats_matching(r"webhook-hmac\.refusals_total\.v").await;
    assert!(!counted.is_empty(), "nothing is counted");
    let counted = counted.into_iter().filter(|(_, count)| *count > 0);
    counted
        .map(|(name, count)| {
            let (endpoint, reason) = name.rsplit_once('.').unwrap();
            let number = endpoint.rsplit_once(".v").unwrap().1.parse().unwrap();
            ((number, reason.to_owned()), count)
        })
        .collect()
}
