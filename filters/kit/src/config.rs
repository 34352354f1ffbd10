//! Reading a configuration: every problem at once, each with its path, what was found and what is expected.
//!
//! A reader takes all fields of an object first, calls [`Object::finish`], and only then gives up on what is
//! missing; so one wrong field does not hide the next:
//!
//! ```
//! use std::time::Duration;
//!
//! use kit::config::{Node, read};
//!
//! struct Limit {
//!     requests: u64,
//!     per: Duration,
//! }
//!
//! const SECOND: Duration = Duration::from_secs(1);
//!
//! fn limit(node: &Node<'_>) -> Option<Limit> {
//!     let mut object = node.object()?;
//!     let requests = object.required("requests").and_then(|node| node.integer(1..=1_000_000));
//!     let per = object.required("per").and_then(|node| node.duration(SECOND..=Duration::MAX));
//!     object.finish();
//!     Some(Limit { requests: requests?, per: per? })
//! }
//!
//! let problems = read(br#"{"requests": 0, "per": "1 minit"}"#, limit).err().unwrap();
//! assert_eq!(
//!     problems.to_string(),
//!     "requests: must be between 1 and 1000000, got 0\n\
//!      per: \"1 minit\" is not a duration (examples: 250ms, 10s, 5m; units: ns, us, ms, s, m, h, d)",
//! );
//! ```

use std::cell::RefCell;

use crate::value::{Value, decode};

pub use object::Object;
pub use problems::{Problem, Problems};
use words::quoted;

mod object;
mod problems;
mod scalar;
pub mod words;

/// Reads a configuration from the bytes that the host hands over.
///
/// # Errors
///
/// The bytes are no document, or `parse` found a problem.
pub fn read<T>(bytes: &[u8], parse: impl FnOnce(&Node<'_>) -> Option<T>) -> Result<T, Problems> {
    match decode(bytes) {
        Ok(value) => read_value(&value, parse),
        Err(invalid) => Err(Problems::one(invalid.to_string())),
    }
}

/// Reads a configuration from a tree.
///
/// # Errors
///
/// `parse` found a problem.
pub fn read_value<T>(value: &Value, parse: impl FnOnce(&Node<'_>) -> Option<T>) -> Result<T, Problems> {
    let problems = RefCell::default();
    let parsed = parse(&Node { value, path: String::new(), confidential: false, problems: &problems });
    problems.into_inner().or(parsed)
}

/// Reads every node, even after one that cannot be read, so that the problems of all are found.
pub fn each<'a, T>(nodes: &[Node<'a>], parse: impl FnMut(&Node<'a>) -> Option<T>) -> Option<Vec<T>> {
    let parsed: Vec<Option<T>> = nodes.iter().map(parse).collect();
    parsed.into_iter().collect()
}

/// Reads an optional field: its default if it isn't there, none if it can't be read.
pub fn or<'a, T>(
    node: Option<Node<'a>>,
    default: T,
    parse: impl FnOnce(&Node<'a>) -> Option<T>,
) -> Option<T> {
    match node {
        Some(node) => parse(&node),
        None => Some(default),
    }
}

/// A value and where it stands.
///
/// Whatever is asked of it and it cannot answer becomes a problem, and the answer is `None`.
#[derive(Clone)]
pub struct Node<'a> {
    value: &'a Value,
    path: String,
    confidential: bool,
    problems: &'a RefCell<Problems>,
}

impl<'a> Node<'a> {
    /// Returns where the value stands: `rules[2].limits[0].per`.
    pub fn path(&self) -> &str {
        &self.path
    }

    /// Returns the value itself.
    pub fn value(&self) -> &'a Value {
        self.value
    }

    /// Returns the node of a value that no message shows, nor anything inside it: for secrets.
    #[must_use]
    pub fn confidential(self) -> Self {
        Self { confidential: true, ..self }
    }

    /// Returns a node for another value that stands for this one: what a default adds to it. Problems are told at its
    /// place.
    #[must_use]
    pub fn over<'b>(&self, value: &'b Value) -> Node<'b>
    where
        'a: 'b,
    {
        Node { value, path: self.path.clone(), confidential: self.confidential, problems: self.problems }
    }

    /// Records that the value is refused: `must not be empty`.
    pub fn refuse(&self, text: impl Into<String>) {
        let text = text.into();
        self.problems.borrow_mut().add(self.path.clone(), text);
    }

    /// Returns the fields of an object.
    pub fn object(&self) -> Option<Object<'a>> {
        let Value::Object(fields) = self.value else {
            return self.expected("an object");
        };
        Some(Object::new(self.clone(), fields))
    }

    /// Returns the items of a list.
    pub fn list(&self) -> Option<Vec<Self>> {
        let Value::List(items) = self.value else {
            // A single item is easily taken for a list of one.
            return match self.value {
                Value::Null => self.expected("a list"),
                Value::Object(_) => self.expected_but("a list", "[{...}]"),
                Value::Bool(_) | Value::Number(_) | Value::Text(_) | Value::List(_) => {
                    self.expected_but("a list", &format!("[{}]", self.subject()))
                }
            };
        };
        let node = |(index, value)| self.inside(format!("{}[{index}]", self.path), value);
        Some(items.iter().enumerate().map(node).collect())
    }

    /// Returns the items of a list that has one at least.
    pub fn non_empty_list(&self) -> Option<Vec<Self>> {
        let items = self.list()?;
        if items.is_empty() {
            return self.refused("must not be empty");
        }
        Some(items)
    }

    /// Returns a text.
    pub fn text(&self) -> Option<&'a str> {
        if let Value::Text(text) = self.value {
            return Some(text);
        }
        // YAML makes numbers and booleans of texts that look like them.
        if matches!(self.value, Value::Number(_) | Value::Bool(_)) {
            return self.expected_but("text", &format!("\"{}\"", plain(self.value)));
        }
        self.expected("text")
    }

    /// Returns a text that is not empty.
    pub fn non_empty_text(&self) -> Option<&'a str> {
        let text = self.text()?;
        if text.is_empty() { self.refused("must not be empty") } else { Some(text) }
    }

    fn expected<T>(&self, expected: &str) -> Option<T> {
        self.refused(&format!("expected {expected}, found {}", self.found()))
    }

    /// Refuses a value with what to write in its place, which may show it.
    fn expected_but<T>(&self, expected: &str, write: &str) -> Option<T> {
        if self.confidential {
            return self.expected(expected);
        }
        self.refused(&format!("expected {expected}, found {}; write {write}", self.found()))
    }

    fn refused<T>(&self, text: &str) -> Option<T> {
        self.refuse(text);
        None
    }

    /// Returns the value with its kind.
    fn found(&self) -> String {
        match self.value {
            value if self.confidential => value.kind().to_owned(),
            Value::Number(number) => format!("number {number}"),
            Value::Text(text) => format!("text {}", quoted(text)),
            Value::Null | Value::Bool(_) | Value::List(_) | Value::Object(_) => plain(self.value),
        }
    }

    /// Returns the value as the subject of a sentence.
    fn subject(&self) -> String {
        match self.value {
            _ if self.confidential => "this".to_owned(),
            Value::Text(text) => quoted(text),
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::List(_) | Value::Object(_) => {
                plain(self.value)
            }
        }
    }

    /// Returns the value as the end of a sentence.
    fn got(&self) -> String {
        if self.confidential { String::new() } else { format!(", got {}", self.subject()) }
    }

    fn inside(&self, path: String, value: &'a Value) -> Self {
        Self { value, path, confidential: self.confidential, problems: self.problems }
    }
}

/// Returns a scalar as it would be written without quotes.
fn plain(value: &Value) -> String {
    match value {
        Value::Bool(boolean) => boolean.to_string(),
        Value::Number(number) => number.to_string(),
        Value::Text(text) => text.clone(),
        Value::Null | Value::List(_) | Value::Object(_) => value.kind().to_owned(),
    }
}

#[cfg(test)]
mod tests;
