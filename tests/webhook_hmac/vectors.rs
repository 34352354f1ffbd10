//! Deliveries that others have signed, through Envoy: what is on their way that the filter's own tests don't have.
//!
//! Envoy's clock is the real one, and these were signed years ago. So the ones with a timestamp can't be here as
//! genuine: `presets` has deliveries of those providers, signed now. All that are to be refused are here, timestamp or
//! not: what is refused at its time is refused later.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;

use super::altered::{Altered, Part, Parts, signed};
use super::endpoints::{Endpoints, Refusals, refusals};
use super::send;
use serde_json::{Value, json};
use tests::{Response, Upstream, workspace};

/// A delivery, and what is to become of it.
struct Vector {
    name: String,
    /// The preset, or the name where there is a scheme.
    provider: String,
    /// By which the request comes: http or https.
    protocol: String,
    parts: Parts,
    expect: Value,
    has_time: bool,
}

impl Vector {
    fn of(value: &Value, presets: &Value) -> Self {
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let mut parts = Parts::of(value, presets);
        parts.endpoint["replay"] = json!("off");
        Self {
            name: text(&value["name"]),
            provider: text(value.get("provider").unwrap_or(&value["name"])),
            protocol: text(&value["scheme_authority_path"]["scheme"]),
            has_time: signed(&parts.scheme).contains(&Part::Timestamp),
            parts,
            expect: value["expect"].clone(),
        }
    }
}

fn presets() -> Value {
    let presets = fs::read(workspace().join("filters/webhook-hmac/presets.json")).unwrap();
    serde_json::from_slice(&presets).unwrap()
}

fn load(file: &str, list: &str) -> Vec<Vector> {
    let text = fs::read(workspace().join("filters/webhook-hmac/vectors").join(file)).unwrap();
    let document: Value = serde_json::from_slice(&text).unwrap();
    let presets = presets();
    document[list].as_array().unwrap().iter().map(|value| Vector::of(value, &presets)).collect()
}

fn assert_handshake(vector: &Vector, answer: &Response) {
    let (name, wanted) = (&vector.name, &vector.expect["handshake"]);
    assert_eq!(json!(answer.status), wanted["status"], "{name}: {answer:?}");
    match wanted["content_type"].as_str() {
        Some(kind) if kind.contains("json") => {
            let body: Value = serde_json::from_str(wanted["body"].as_str().unwrap()).unwrap();
            assert_eq!(answer.json(), body, "{name}");
        }
        _ => assert_eq!(json!(answer.text()), wanted["body"], "{name}"),
    }
    for (header, value) in wanted["headers"].as_object().into_iter().flatten() {
        assert_eq!(answer.header(header), value.as_str(), "{name}: {header}");
    }
}

/// What was sent, and what became of it.
#[derive(Default)]
struct Sent {
    passed: usize,
    answered: usize,
    refused: usize,
    /// What was altered of each provider's deliveries.
    altered: BTreeMap<String, BTreeSet<Part>>,
}

/// Sends all of them that have no timestamp: as they are, and with one bit altered.
async fn genuine(file: &str) -> Sent {
    let all: Vec<_> = load(file, "vectors").into_iter().filter(|vector| !vector.has_time).collect();
    let mut sent = Sent::default();
    for protocol in ["https", "http"] {
        let vectors = all.iter().filter(|vector| vector.protocol == protocol);
        let vectors: Vec<_> =
            vectors.map(|vector| (vector, vector.parts.altered_if_signed(&vector.expect))).collect();
        let mut endpoints = Endpoints::default();
        vectors.iter().for_each(|(vector, altered)| endpoints.add(&vector.parts, altered));
        let upstream = Upstream::start().await;
        let envoy = endpoints.envoy(&upstream, protocol).await;
        let mut wanted = Refusals::new();
        for (vector, altered) in &vectors {
            for http in [1, 2] {
                let (name, before) = (format!("{} over HTTP/{http}", vector.name), upstream.count());
                let answer = send(&envoy, http, &endpoints.request(&vector.parts)).await;
                if vector.expect["pass"] == true {
                    assert_eq!(answer.status, 200, "{name}: {answer:?}");
                    let (seen, parts) = (&upstream.seen()[before], &vector.parts);
                    assert!(seen.body == parts.body && seen.path == parts.path, "{name}: {seen:?}");
                    sent.passed += 1;
                } else {
                    assert_handshake(vector, &answer);
                    assert_eq!(upstream.count(), before, "{name}");
                    sent.answered += 1;
                }
                let before = upstream.count();
                for Altered { part, parts, reason } in altered {
                    let answer = send(&envoy, http, &endpoints.request(parts)).await;
                    assert!((400..404).contains(&answer.status), "{name}, {part:?}: {parts:?}\n{answer:?}");
                    assert_eq!(upstream.count(), before, "{name}, {part:?}: {parts:?}");
                    *wanted.entry((endpoints.number(parts), (*reason).to_owned())).or_default() += 1;
                    sent.altered.entry(vector.provider.clone()).or_default().insert(*part);
                    sent.refused += 1;
                }
            }
        }
        assert_eq!(refusals(&envoy).await, wanted, "some were refused for another reason");
        envoy.assert_no_trap().await;
    }
    sent
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn deliveries_that_providers_publish_pass_and_with_one_bit_altered_they_do_not() {
    let sent = genuine("published.json").await;
    assert!(
        sent.passed >= 98 && sent.answered >= 2 && sent.refused >= 660,
        "{} passed, {} answered, {} refused",
        sent.passed,
        sent.answered,
        sent.refused
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn deliveries_that_were_constructed_pass_and_with_one_bit_altered_they_do_not() {
    let sent = genuine("constructed.json").await;
    assert!(
        sent.passed >= 184 && sent.answered >= 18 && sent.refused >= 1176,
        "{} passed, {} answered, {} refused",
        sent.passed,
        sent.answered,
        sent.refused
    );
    // Of every preset without a timestamp, all that it signs was altered; `presets` has the others.
    for (name, preset) in presets().as_object().unwrap() {
        let wanted = signed(&preset["scheme"]);
        let none = BTreeSet::new();
        let altered = sent.altered.get(name).unwrap_or(&none);
        assert!(
            wanted.contains(&Part::Timestamp) || *altered == wanted,
            "{name}: {altered:?}, not {wanted:?}"
        );
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_upstream_sees_nothing_of_all_those_that_are_not_genuine() {
    let vectors = load("constructed.json", "refused");
    assert!(vectors.len() >= 340, "{}", vectors.len());
    assert!(vectors.iter().all(|vector| vector.protocol == "https"));
    let upstream = Upstream::start().await;
    let mut endpoints = Endpoints::default();
    vectors.iter().for_each(|vector| endpoints.add(&vector.parts, &[]));
    let envoy = endpoints.envoy(&upstream, "https").await;
    for vector in &vectors {
        for http in [1, 2] {
            let answer = send(&envoy, http, &endpoints.request(&vector.parts)).await;
            assert!((400..500).contains(&answer.status), "{} over HTTP/{http}: {answer:?}", vector.name);
            assert_eq!(upstream.count(), 0, "{} over HTTP/{http}", vector.name);
        }
    }
    let refused: u64 = refusals(&envoy).await.values().sum();
    assert_eq!(refused, 2 * vectors.len() as u64, "each has its reason");
    envoy.assert_no_trap().await;
}
