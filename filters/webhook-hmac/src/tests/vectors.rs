//! Deliveries that others have signed: those that providers publish, and those that an independent implementation of
//! their constructions made. Each is accepted as it is, and refused with one bit altered.

use std::rc::Rc;
use std::time::Duration;

use base64ct::{Base64, Encoding as _};
use kit::chain::Verdict;
use kit::module::Form;
use kit::testing::{Bench, START, Sent, World};
use serde_json::{Value, json};
#[cfg(target_arch = "wasm32")]
use wasm_bindgen_test::wasm_bindgen_test as test;

use crate::KIND;

const PUBLISHED: &str = include_str!("../../vectors/published.json");
const CONSTRUCTED: &str = include_str!("../../vectors/constructed.json");

/// A delivery that others have signed.
#[derive(Clone)]
struct Vector {
    name: String,
    endpoint: Value,
    start: String,
    headers: Vec<(String, Vec<u8>)>,
    body: Vec<u8>,
    now: u64,
    expect: Value,
    covers: Vec<String>,
    covers_json: Vec<String>,
}

impl Vector {
    fn of(value: &Value) -> Self {
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let texts = |value: &Value| value.as_array().into_iter().flatten().map(text).collect::<Vec<_>>();
        let mut endpoint = json!({"name": "hook"});
        for field in ["provider", "scheme"] {
            if !value[field].is_null() {
                endpoint[field] = value[field].clone();
            }
        }
        for (field, given) in value["fields"].as_object().into_iter().flatten() {
            endpoint[field] = given.clone();
        }
        let secrets = texts(&value["secrets"]);
        if !secrets.is_empty() {
            let weak = |secret: &String| json!({"inline": secret, "allow_weak": true});
            endpoint["secrets"] = secrets.iter().map(weak).collect();
        }
        if let Some(token) = endpoint.get_mut("handshake_token") {
            token["allow_weak"] = json!(true);
        }
        let target = &value["scheme_authority_path"];
        let mut headers = vec![
            (":scheme".to_owned(), text(&target["scheme"]).into_bytes()),
            ("host".to_owned(), text(&target["authority"]).into_bytes()),
        ];
        for header in value["headers"].as_array().unwrap() {
            headers.push((text(&header[0]), text(&header[1]).into_bytes()));
        }
        let body = match value["body_base64"].as_str() {
            Some(text) => Base64::decode_vec(text).unwrap(),
            None => text(&value["body"]).into_bytes(),
        };
        Self {
            name: text(&value["name"]),
            endpoint,
            start: format!("{} {}", text(&value["method"]), text(&target["path"])),
            headers,
            body,
            now: value["now"].as_u64().unwrap(),
            expect: value["expect"].clone(),
            covers: texts(&value["covers"]),
            covers_json: texts(&value["covers_json"]),
        }
    }

    fn bench(&self) -> Bench {
        let world = Rc::new(World::new());
        let start = START.seconds();
        if start <= self.now {
            world.pass(Duration::from_secs(self.now - start));
        } else {
            world.turn_back(Duration::from_secs(start - self.now));
        }
        let config = json!({"endpoints": [self.endpoint]}).to_string();
        let bench = Bench::within(&world, std::slice::from_ref(&KIND), Form::Single, &config);
        let bench = bench.unwrap_or_else(|problems| panic!("{}: {problems}", self.name));
        bench.start();
        bench
    }

    /// Sends the delivery, its body in pieces of this length.
    fn send(&self, bench: &Bench, piece: usize) -> Sent {
        let mut head = self.start.clone().into_bytes();
        for (name, value) in &self.headers {
            head.extend_from_slice(format!("\n{name}: ").as_bytes());
            head.extend_from_slice(value);
        }
        let mut sent = bench.send(&head, self.body.is_empty());
        let last = self.body.len().div_ceil(piece);
        for (index, bytes) in self.body.chunks(piece).enumerate() {
            if sent.verdict == Verdict::Pause {
                sent.body(bytes, index + 1 == last);
            }
        }
        sent
    }

    fn is_accepted(&self) -> bool {
        self.send(&self.bench(), 1 << 20).verdict == Verdict::Continue
    }

    /// Returns how often a delivery is refused of those that have one bit altered.
    fn assert_refused(&self, what: &str) {
        assert!(!self.is_accepted(), "{}: accepted with another {what}", self.name);
    }
}

fn load(text: &str, list: &str) -> Vec<Vector> {
    let document: Value = serde_json::from_str(text).unwrap();
    document[list].as_array().unwrap().iter().map(Vector::of).collect()
}

fn all() -> Vec<Vector> {
    let mut all = load(PUBLISHED, "vectors");
    all.extend(load(CONSTRUCTED, "vectors"));
    all
}

#[test]
fn every_delivery_that_others_have_signed_is_accepted_in_pieces_of_any_length() {
    let mut accepted = 0;
    for vector in all().iter().filter(|vector| vector.expect["pass"] == true) {
        for piece in [1, 7, 1 << 20] {
            let mut sent = vector.send(&vector.bench(), piece);
            let text = sent.text();
            assert_eq!(sent.verdict, Verdict::Continue, "{}: {text}", vector.name);
            assert_eq!(sent.upstream_body(), vector.body, "{}", vector.name);
        }
        accepted += 1;
    }
    assert!(150 <= accepted, "{accepted}");
}

#[test]
fn handshakes_are_answered_as_their_providers_want_it() {
    let mut answered = 0;
    for vector in all().iter().filter(|vector| vector.expect["handshake"].is_object()) {
        let wanted = &vector.expect["handshake"];
        let sent = vector.send(&vector.bench(), 5);
        let Verdict::Reply(reply) = &sent.verdict else {
            panic!("{}: {:?}", vector.name, sent.verdict);
        };
        assert_eq!(json!(reply.status), wanted["status"], "{}", vector.name);
        let body = String::from_utf8(reply.body.clone()).unwrap();
        match (serde_json::from_str::<Value>(&body), wanted["content_type"].as_str()) {
            (Ok(body), Some(kind)) if kind.contains("json") => {
                let wanted: Value = serde_json::from_str(wanted["body"].as_str().unwrap()).unwrap();
                assert_eq!(body, wanted, "{}", vector.name);
            }
            _ => assert_eq!(json!(body), wanted["body"], "{}", vector.name),
        }
        if let Some(kind) = wanted["content_type"].as_str().filter(|kind| !kind.is_empty()) {
            let said = sent.reply_header("content-type").unwrap_or_default();
            assert!(said.starts_with(kind.split(';').next().unwrap()), "{}: {said}", vector.name);
        }
        for (name, value) in wanted["headers"].as_object().into_iter().flatten() {
            assert_eq!(sent.reply_header(name).as_deref(), value.as_str(), "{}: {name}", vector.name);
        }
        answered += 1;
    }
    assert!(12 <= answered, "{answered}");
}

#[test]
fn every_delivery_that_is_not_genuine_is_refused() {
    let refused = load(CONSTRUCTED, "refused");
    assert!(200 <= refused.len(), "{}", refused.len());
    for vector in refused {
        for piece in [1, 1 << 20] {
            let mut sent = vector.send(&vector.bench(), piece);
            let text = sent.text();
            assert!(sent.refused().is_some(), "{}: {text}", vector.name);
            assert!(sent.upstream_body().is_empty(), "{}", vector.name);
        }
    }
}

#[test]
fn one_altered_bit_of_the_body_is_enough() {
    for vector in all().iter().filter(|vector| vector.covers.iter().any(|what| what == "body")) {
        for place in places(vector.body.len()) {
            // The lowest bit: of hex and of what is percent-encoded, the case doesn't count.
            let mut altered = vector.clone();
            altered.body[place] ^= 1;
            altered.assert_refused(&format!("body at {place}"));
        }
        let mut longer = vector.clone();
        longer.body.push(b' ');
        longer.assert_refused("end of the body");
        let mut shorter = vector.clone();
        shorter.body.pop();
        if shorter.body != vector.body {
            shorter.assert_refused("length of the body");
        }
    }
}

#[test]
fn one_altered_bit_of_what_is_signed_inside_of_the_body_is_enough() {
    for vector in all().iter().filter(|vector| !vector.covers_json.is_empty()) {
        let body: Value = serde_json::from_slice(&vector.body).unwrap();
        for path in &vector.covers_json {
            let pointer = format!("/{}", path.replace('.', "/"));
            let mut body = body.clone();
            let Some(value) = body.pointer_mut(&pointer) else {
                panic!("{}: nothing at {path}", vector.name);
            };
            *value = match (value.as_i64(), value.as_bool()) {
                (Some(number), _) => json!(number ^ 1),
                (_, Some(value)) => json!(!value),
                (None, None) => json!(flipped(value.as_str().unwrap_or_default())),
            };
            let mut altered = vector.clone();
            altered.body = body.to_string().into_bytes();
            altered.assert_refused(path);
        }
    }
}

#[test]
fn one_altered_bit_of_the_secret_is_enough() {
    for vector in all().iter().filter(|vector| vector.covers.iter().any(|what| what == "secret")) {
        let mut altered = vector.clone();
        // Of several, one is enough: so all are altered.
        for secret in altered.endpoint["secrets"].as_array_mut().into_iter().flatten() {
            let text = secret["inline"].as_str().unwrap();
            // In the middle, where neither a prefix nor the padding is; a digit of hex and base64 stays one.
            let middle = text.len() / 2;
            let (start, rest) = text.split_at(middle);
            let (digit, rest) = rest.split_at(1);
            let digit = if digit == "2" { "3" } else { "2" };
            secret["inline"] = json!(format!("{start}{digit}{rest}"));
        }
        if altered.endpoint == vector.endpoint {
            continue;
        }
        altered.assert_refused("secret");
    }
}

#[test]
fn one_altered_bit_of_any_signature_timestamp_or_id_is_enough() {
    for vector in all().iter().filter(|vector| vector.expect["pass"] == true) {
        let covers = |what: &str| vector.covers.iter().any(|covered| covered == what);
        let (headers, times, ids) = places_of(vector);
        for (index, (name, value)) in vector.headers.iter().enumerate() {
            let is = |names: &[String]| names.contains(name);
            // A header may have more than one thing in it: whole words of hex, base64 or digits are altered.
            let relevant = (covers("signature") && is(&headers))
                || (covers("timestamp") && is(&times))
                || (covers("id") && is(&ids));
            if !relevant {
                continue;
            }
            for (from, to) in words(value) {
                let is_signature = 20 <= to - from;
                let altered_word = |altered: &mut Vec<u8>, from: usize, to: usize| {
                    altered[(from + to) / 2] ^= 1;
                };
                let mut altered = vector.clone();
                if is_signature && is(&headers) {
                    // Any of several signatures is enough, so one bit of each is altered, in every header of them.
                    for (name, value) in &mut altered.headers {
                        if headers.contains(name) {
                            for (from, to) in words(value).into_iter().filter(|(from, to)| 20 <= to - from) {
                                altered_word(value, from, to);
                            }
                        }
                    }
                } else if is(&times) || is(&ids) {
                    if is(&headers)
                        && (to - from < 9
                            || covers("timestamp") && !value[from..to].iter().all(u8::is_ascii_digit))
                    {
                        // The name of an item.
                        continue;
                    }
                    altered_word(&mut altered.headers[index].1, from, to);
                } else {
                    continue;
                }
                altered.assert_refused(&format!(
                    "{name}: {}",
                    String::from_utf8_lossy(&altered.headers[index].1)
                ));
            }
        }
    }
}

#[test]
fn another_address_or_method_is_refused_where_they_are_signed() {
    for vector in all().iter().filter(|vector| vector.expect["pass"] == true) {
        let covers = |what: &str| vector.covers.iter().any(|covered| covered == what);
        if covers("url") {
            let mut altered = vector.clone();
            match altered.endpoint["url"].as_str() {
                Some(url) => {
                    let (scheme, rest) = url.split_once("://").unwrap();
                    altered.endpoint["url"] = json!(format!("{scheme}://x{rest}"));
                    altered.assert_refused("url");
                }
                None => {
                    altered.start.push('x');
                    altered.assert_refused("path");
                    let mut altered = vector.clone();
                    altered.headers[1].1.insert(0, b'x');
                    altered.assert_refused("host");
                }
            }
        }
        if covers("method") {
            let mut altered = vector.clone();
            altered.endpoint["methods"] = json!(["GET", "POST", "PUT"]);
            altered.start = altered.start.split_once(' ').map(|(_, path)| format!("PUT {path}")).unwrap();
            altered.assert_refused("method");
        }
    }
}

/// Returns the headers in which a vector's scheme has signatures, timestamps and ids.
fn places_of(vector: &Vector) -> (Vec<String>, Vec<String>, Vec<String>) {
    let presets: Value = serde_json::from_str(include_str!("../../presets.json")).unwrap();
    let scheme = match vector.endpoint["provider"].as_str() {
        Some(provider) => presets[provider]["scheme"].clone(),
        None => vector.endpoint["scheme"].clone(),
    };
    let names = |source: &Value| {
        let header = &source["header"];
        let several = header.as_array().into_iter().flatten();
        several.chain([header]).filter_map(|name| name.as_str().map(str::to_owned)).collect::<Vec<_>>()
    };
    (names(&scheme["signature"]), names(&scheme["timestamp"]), names(&scheme["id"]))
}

/// Returns where the words of letters, digits and what base64 has besides begin and end.
fn words(value: &[u8]) -> Vec<(usize, usize)> {
    let is_word = |byte: u8| byte.is_ascii_alphanumeric() || b"+/_-:".contains(&byte);
    let mut found = Vec::new();
    let mut start = None;
    for (index, byte) in value.iter().chain([&b' ']).enumerate() {
        match (is_word(*byte), start) {
            (true, None) => start = Some(index),
            (false, Some(from)) => {
                found.push((from, index));
                start = None;
            }
            _ => {}
        }
    }
    found
}

/// Returns some places of a text of this length: its ends, and what lies between.
fn places(length: usize) -> Vec<usize> {
    let step = (length / 12).max(1);
    let mut places: Vec<usize> = (0..length).step_by(step).collect();
    places.extend(length.checked_sub(1));
    places
}

fn flipped(text: &str) -> String {
    match text.as_bytes().split_first() {
        Some((first, rest)) => {
            let mut bytes = vec![first ^ 1];
            bytes.extend_from_slice(rest);
            String::from_utf8(bytes).unwrap()
        }
        None => "x".to_owned(),
    }
}
