//! Deliveries that others have signed: those that providers publish, and those that an independent implementation of
//! their constructions made. Each is accepted as it is, and refused with one bit altered.

use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;
use std::time::Duration;

use kit::chain::Verdict;
use kit::module::Form;
use kit::testing::{Bench, START, Sent, World};
use serde_json::{Value, json};
#[cfg(target_arch = "wasm32")]
use wasm_bindgen_test::wasm_bindgen_test as test;

use super::altered::{Altered, Part, Parts};
use crate::KIND;

const PUBLISHED: &str = include_str!("../../vectors/published.json");
const CONSTRUCTED: &str = include_str!("../../vectors/constructed.json");

/// A delivery that others have signed.
#[derive(Clone)]
struct Vector {
    name: String,
    /// By which the request comes: http or https.
    protocol: String,
    parts: Parts,
    now: u64,
    expect: Value,
    covers: Vec<String>,
    covers_json: Vec<String>,
}

impl Vector {
    fn of(value: &Value) -> Self {
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let texts = |value: &Value| value.as_array().into_iter().flatten().map(text).collect::<Vec<_>>();
        let presets = serde_json::from_str(include_str!("../../presets.json")).unwrap();
        let mut parts = Parts::of(value, &presets);
        parts.endpoint["name"] = json!("hook");
        Self {
            name: text(&value["name"]),
            protocol: text(&value["scheme_authority_path"]["scheme"]),
            parts,
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
        let config = json!({"endpoints": [self.parts.endpoint]}).to_string();
        let bench = Bench::within(&world, std::slice::from_ref(&KIND), Form::Single, &config);
        let bench = bench.unwrap_or_else(|problems| panic!("{}: {problems}", self.name));
        bench.start();
        bench
    }

    /// Sends the delivery, its body in pieces of this length.
    fn send(&self, bench: &Bench, piece: usize) -> Sent {
        let Parts { method, path, authority, headers, body, .. } = &self.parts;
        let mut head = format!("{method} {path}\n:scheme: {}\nhost: {authority}", self.protocol);
        headers.iter().for_each(|(name, value)| head.push_str(&format!("\n{name}: {value}")));
        let mut sent = bench.send(head.as_bytes(), body.is_empty());
        let last = body.len().div_ceil(piece);
        for (index, bytes) in body.chunks(piece).enumerate() {
            if sent.verdict == Verdict::Pause {
                sent.body(bytes, index + 1 == last);
            }
        }
        sent
    }

    fn is_accepted(&self) -> bool {
        self.send(&self.bench(), 1 << 20).verdict == Verdict::Continue
    }

    fn covers(&self, what: &str) -> bool {
        self.covers.iter().any(|covered| covered == what)
    }

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
            assert_eq!(sent.upstream_body(), vector.parts.body, "{}", vector.name);
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
    for vector in all().iter().filter(|vector| vector.covers("body")) {
        for place in places(vector.parts.body.len()) {
            // The lowest bit: of hex and of what is percent-encoded, the case doesn't count.
            let mut altered = vector.clone();
            altered.parts.body[place] ^= 1;
            altered.assert_refused(&format!("body at {place}"));
        }
        let mut longer = vector.clone();
        longer.parts.body.push(b' ');
        longer.assert_refused("end of the body");
        let mut shorter = vector.clone();
        shorter.parts.body.pop();
        if shorter.parts.body != vector.parts.body {
            shorter.assert_refused("length of the body");
        }
    }
}

#[test]
fn one_altered_bit_of_what_is_signed_inside_of_the_body_is_enough() {
    for vector in all().iter().filter(|vector| !vector.covers_json.is_empty()) {
        let body: Value = serde_json::from_slice(&vector.parts.body).unwrap();
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
            altered.parts.body = body.to_string().into_bytes();
            altered.assert_refused(path);
        }
    }
}

#[test]
fn one_altered_bit_of_anything_that_is_signed_is_enough() {
    let mut refused: BTreeMap<Part, usize> = BTreeMap::new();
    for vector in all() {
        let own = vector.bench();
        // At the ends of the tolerance, a second more can be too much.
        let is_at_an_end = ["oldest", "furthest"].iter().any(|end| vector.name.contains(end));
        for Altered { part, parts, reason } in vector.parts.altered_if_signed(&vector.expect) {
            let altered = Vector { parts, ..vector.clone() };
            let other = (altered.parts.endpoint != vector.parts.endpoint).then(|| altered.bench());
            let bench = other.as_ref().unwrap_or(&own);
            let counted = || {
                let late = ["late", "early"].iter().filter(|_| is_at_an_end && part == Part::Timestamp);
                let reasons = late.chain([&reason]);
                let counters = reasons.map(|reason| format!("webhook-hmac.refusals_total.hook.{reason}"));
                counters.map(|counter| bench.counter(&counter)).sum::<u64>()
            };
            let before = counted();
            let sent = altered.send(bench, 1 << 20);
            assert!(sent.refused().is_some(), "{}: accepted with another {part:?}", vector.name);
            assert_eq!(counted(), before + 1, "{}, {part:?}: not {reason}: {:?}", vector.name, altered.parts);
            *refused.entry(part).or_default() += 1;
        }
    }
    assert!(refused.values().all(|count| 20 <= *count) && refused.len() == 7, "{refused:?}");
}

#[test]
fn nothing_that_a_vector_is_said_to_cover_is_left_unaltered() {
    for vector in all() {
        let altered = vector.parts.altered_if_signed(&vector.expect);
        let altered: BTreeSet<_> = altered.iter().map(|altered| altered.part).collect();
        for covered in &vector.covers {
            let parts: &[Part] = match covered.as_str() {
                // A field of it, where no more is signed.
                "body" => &[Part::Body, Part::Field],
                "timestamp" => &[Part::Timestamp],
                "id" => &[Part::Id],
                "url" => &[Part::Url],
                "secret" => &[Part::Secret],
                // More than a bit.
                "method" => continue,
                other => panic!("{}: what is {other}?", vector.name),
            };
            assert!(parts.iter().any(|part| altered.contains(part)), "{}: {covered}", vector.name);
        }
    }
}

#[test]
fn another_method_is_refused_where_it_is_signed() {
    for vector in all().iter().filter(|vector| vector.covers("method")) {
        let mut altered = vector.clone();
        altered.parts.endpoint["methods"] = json!(["GET", "POST", "PUT"]);
        altered.parts.method = "PUT".to_owned();
        altered.assert_refused("method");
    }
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
