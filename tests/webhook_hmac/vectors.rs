//! Deliveries that others have signed, through Envoy: what is on their way that the filter's own tests don't have.
//!
//! Envoy's clock is the real one, and these were signed years ago. So the ones with a timestamp can't be here as
//! genuine: `presets` has deliveries of those providers, signed now. All that are to be refused are here, timestamp or
//! not: what is refused at its time is refused later.

use std::fs;

use serde_json::{Value, json};
use tests::{Envoy, Request, Response, Running, Upstream, workspace};

use super::delivery::from_base64;
use super::{assert_no_trap, manager, send, settings, shipped};

/// A delivery, and the endpoint that it is for.
#[derive(Clone)]
struct Vector {
    name: String,
    endpoint: Value,
    method: String,
    path: String,
    authority: String,
    scheme: String,
    headers: Vec<(String, String)>,
    body: Vec<u8>,
    expect: Value,
    signs_body: bool,
    has_time: bool,
    /// The headers that have the signature, if it is in some.
    signature: Vec<String>,
}

impl Vector {
    fn of(value: &Value, presets: &Value) -> Self {
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let mut endpoint = json!({"replay": "off"});
        for field in ["provider", "scheme"] {
            if !value[field].is_null() {
                endpoint[field] = value[field].clone();
            }
        }
        for (field, given) in value["fields"].as_object().into_iter().flatten() {
            endpoint[field] = given.clone();
        }
        let secrets = value["secrets"].as_array().into_iter().flatten();
        let secrets: Vec<_> = secrets.map(|secret| json!({"inline": secret, "allow_weak": true})).collect();
        if !secrets.is_empty() {
            endpoint["secrets"] = json!(secrets);
        }
        if let Some(token) = endpoint.get_mut("handshake_token") {
            token["allow_weak"] = json!(true);
        }
        let scheme = match value["provider"].as_str() {
            Some(provider) => &presets[provider]["scheme"],
            None => &value["scheme"],
        };
        let target = &value["scheme_authority_path"];
        let headers = value["headers"].as_array().unwrap().iter();
        Self {
            name: text(&value["name"]),
            endpoint,
            method: text(&value["method"]),
            path: text(&target["path"]),
            authority: text(&target["authority"]),
            scheme: text(&target["scheme"]),
            headers: headers.map(|header| (text(&header[0]), text(&header[1]))).collect(),
            body: match &value["body_base64"] {
                Value::String(text) => from_base64(text),
                _ => text(&value["body"]).into_bytes(),
            },
            expect: value["expect"].clone(),
            signs_body: value["covers"].as_array().unwrap().contains(&json!("body")),
            has_time: scheme["timestamp"].is_object() || scheme["algorithm"] == "jwt-es256",
            signature: {
                let header = &scheme["signature"]["header"];
                let several = header.as_array().into_iter().flatten();
                several.chain([header]).filter_map(|name| name.as_str().map(str::to_owned)).collect()
            },
        }
    }

    /// Returns the delivery for the endpoint of this number, with another body.
    fn with_body(&self, number: usize, body: &[u8]) -> Request {
        let request = Request::new(&self.method, &self.path);
        let request = if body.is_empty() { request } else { request.chunks(body.chunks(50)) };
        let request = request.header("host", &self.authority).header("x-vector", number.to_string());
        self.headers.iter().fold(request, |request, (name, value)| request.header(name, value))
    }

    /// Returns the delivery with one bit altered in each signature, as any of several is enough. None if
    /// there is none in a header.
    fn with_another_signature(&self, number: usize) -> Option<Request> {
        let mut altered = self.clone();
        for (name, value) in &mut altered.headers {
            if self.signature.contains(name) {
                let words = value.split_inclusive([' ', ',', ';', '=']);
                // In the middle, where base64 has no bit to spare.
                *value =
                    words.map(|word| if word.len() < 20 { word.to_owned() } else { flipped(word) }).collect();
            }
        }
        (altered.headers != self.headers).then(|| altered.request(number))
    }

    fn request(&self, number: usize) -> Request {
        self.with_body(number, &self.body)
    }
}

fn load(file: &str, list: &str) -> Vec<Vector> {
    let filter = workspace().join("filters/webhook-hmac");
    let read =
        |file: &str| -> Value { serde_json::from_slice(&fs::read(filter.join(file)).unwrap()).unwrap() };
    let presets = read("presets.json");
    read(&format!("vectors/{file}"))[list]
        .as_array()
        .unwrap()
        .iter()
        .map(|value| Vector::of(value, &presets))
        .collect()
}

/// An Envoy with an endpoint for each of these: a header that isn't signed says which.
///
/// To the filter, requests come by `scheme`, as behind a load balancer that ends TLS.
async fn envoy(upstream: &Upstream, scheme: &str, endpoints: Vec<Value>) -> Running {
    let numbered = endpoints.into_iter().enumerate().map(|(number, mut endpoint)| {
        endpoint["name"] = json!(format!("v{number}"));
        endpoint["match"] = json!({"headers": [{"name": "x-vector", "exact": number.to_string()}]});
        endpoint
    });
    let endpoints: Value = numbered.collect();
    let envoy: Envoy = shipped(upstream).edit(|tree| {
        manager(tree)["scheme_header_transformation"] = json!({"scheme_to_overwrite": scheme});
        *settings(tree) = json!({"endpoints": endpoints});
    });
    envoy.start().await
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

/// Sends all of them that have no timestamp: as they are, and with one thing altered.
async fn genuine(file: &str) -> (usize, usize, usize) {
    let all: Vec<_> = load(file, "vectors").into_iter().filter(|vector| !vector.has_time).collect();
    let (mut passed, mut answered, mut refused) = (0, 0, 0);
    for scheme in ["https", "http"] {
        let vectors: Vec<_> = all.iter().filter(|vector| vector.scheme == scheme).collect();
        let mut endpoints: Vec<_> = vectors.iter().map(|vector| vector.endpoint.clone()).collect();
        // Behind those are the same with other secrets.
        endpoints.extend(vectors.iter().map(|vector| with_other_secrets(&vector.endpoint)));
        let upstream = Upstream::start().await;
        let envoy = envoy(&upstream, scheme, endpoints).await;
        for (number, vector) in vectors.iter().enumerate() {
            for http in [1, 2] {
                let (name, before) = (format!("{} over HTTP/{http}", vector.name), upstream.count());
                let answer = send(&envoy, http, &vector.request(number)).await;
                if vector.expect["pass"] == true {
                    assert_eq!(answer.status, 200, "{name}: {answer:?}");
                    let seen = &upstream.seen()[before];
                    assert!(seen.body == vector.body && seen.path == vector.path, "{name}: {seen:?}");
                    passed += 1;
                } else {
                    assert_handshake(vector, &answer);
                    assert_eq!(upstream.count(), before, "{name}");
                    answered += 1;
                }
                let before = upstream.count();
                let mut altered = vec![vector.request(vectors.len() + number)];
                if vector.signs_body {
                    // The lowest bit: of what is percent-encoded, the case doesn't count.
                    let mut body = vector.body.clone();
                    let middle = body.len() / 2;
                    body[middle] ^= 1;
                    altered.push(vector.with_body(number, &body));
                }
                altered.extend(vector.with_another_signature(number));
                if vector.expect["pass"] == true {
                    for request in altered {
                        let answer = send(&envoy, http, &request).await;
                        assert!((400..404).contains(&answer.status), "{name}: {answer:?}");
                        refused += 1;
                    }
                }
                assert_eq!(upstream.count(), before, "{name}");
            }
        }
        assert_no_trap(&envoy).await;
    }
    (passed, answered, refused)
}

/// Returns a word with the lowest bit of its middle letter altered.
fn flipped(word: &str) -> String {
    let mut bytes = word.as_bytes().to_vec();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    String::from_utf8(bytes).unwrap()
}

/// Returns an endpoint with one bit of each secret altered: in the middle, where neither a prefix nor the padding is.
fn with_other_secrets(endpoint: &Value) -> Value {
    let mut endpoint = endpoint.clone();
    for secret in endpoint["secrets"].as_array_mut().into_iter().flatten() {
        let text = secret["inline"].as_str().unwrap();
        let middle = text.len() / 2;
        // A digit of hex and base64 stays one.
        let digit = if &text[middle..=middle] == "2" { "3" } else { "2" };
        secret["inline"] = json!(format!("{}{digit}{}", &text[..middle], &text[middle + 1..]));
    }
    endpoint
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn deliveries_that_providers_publish_pass_and_with_one_bit_altered_they_do_not() {
    let (passed, answered, refused) = genuine("published.json").await;
    assert!(
        passed >= 98 && answered >= 2 && refused >= 178,
        "{passed} passed, {answered} answered, {refused} refused"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn deliveries_that_were_constructed_pass_and_with_one_bit_altered_they_do_not() {
    let (passed, answered, refused) = genuine("constructed.json").await;
    assert!(
        passed >= 170 && answered >= 16 && refused >= 300,
        "{passed} passed, {answered} answered, {refused} refused"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_upstream_sees_nothing_of_all_those_that_are_not_genuine() {
    let vectors = load("constructed.json", "refused");
    assert!(vectors.len() >= 340, "{}", vectors.len());
    assert!(vectors.iter().all(|vector| vector.scheme == "https"));
    let upstream = Upstream::start().await;
    let endpoints = vectors.iter().map(|vector| vector.endpoint.clone()).collect();
    let envoy = envoy(&upstream, "https", endpoints).await;
    for (number, vector) in vectors.iter().enumerate() {
        for http in [1, 2] {
            let answer = send(&envoy, http, &vector.request(number)).await;
            assert!((400..500).contains(&answer.status), "{} over HTTP/{http}: {answer:?}", vector.name);
            assert_eq!(upstream.count(), 0, "{} over HTTP/{http}", vector.name);
        }
    }
    assert_no_trap(&envoy).await;
}
