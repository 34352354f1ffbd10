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
//!      per: \"1 minit\" is not a duration (examples: 250ms, 10s, 5m)",
//! );
//! ```

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::fmt;
use std::ops::RangeInclusive;
use std::time::Duration;

use crate::time::{Timestamp, nanos};
use crate::units::{self, Fraction, InvalidNotation};
use crate::value::{Value, decode};

pub mod words;

use words::{nearest, one_line, quoted};

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
    let parsed = parse(&Node {
        value,
        path: String::new(),
        confidential: false,
        problems: &problems,
    });
    match (parsed, problems.into_inner()) {
        (Some(parsed), Problems { kept, .. }) if kept.is_empty() => Ok(parsed),
        (None, Problems { kept, .. }) if kept.is_empty() => {
            Err(Problems::one("the configuration cannot be used".to_owned()))
        }
        (_, problems) => Err(problems),
    }
}

/// Reads every node, even after one that cannot be read, so that the problems of all are found.
pub fn each<'a, T>(nodes: &[Node<'a>], parse: impl FnMut(&Node<'a>) -> Option<T>) -> Option<Vec<T>> {
    let parsed: Vec<Option<T>> = nodes.iter().map(parse).collect();
    parsed.into_iter().collect()
}

/// One thing that is wrong with a configuration.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Problem {
    /// Where it is: `rules[2].limits[0].per`. Empty for the whole.
    pub path: String,
    /// What was found and what is expected, on one line.
    pub text: String,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.path.is_empty() {
            f.write_str(&self.text)
        } else {
            write!(f, "{}: {}", self.path, self.text)
        }
    }
}

/// All that is wrong with a configuration, in the order in which it was read.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Problems {
    kept: Vec<Problem>,
    left_out: usize,
}

/// How many problems are kept: who has more reads the first ones.
const MOST_PROBLEMS: usize = 50;

impl Problems {
    /// Returns the first fifty problems.
    pub fn iter(&self) -> std::slice::Iter<'_, Problem> {
        self.kept.iter()
    }

    /// Returns how many problems there are, those that are not kept included.
    pub fn count(&self) -> usize {
        self.kept.len().saturating_add(self.left_out)
    }

    fn one(text: String) -> Self {
        let mut problems = Self::default();
        problems.add(String::new(), text);
        problems
    }

    fn add(&mut self, path: String, text: String) {
        if self.kept.len() < MOST_PROBLEMS {
            self.kept.push(Problem {
                path,
                text: one_line(text),
            });
        } else {
            self.left_out = self.left_out.saturating_add(1);
        }
    }
}

impl fmt::Display for Problems {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, problem) in self.kept.iter().enumerate() {
            let separator = if index == 0 { "" } else { "\n" };
            write!(f, "{separator}{problem}")?;
        }
        if self.left_out == 0 {
            Ok(())
        } else {
            write!(f, "\nand {} more", self.left_out)
        }
    }
}

impl std::error::Error for Problems {}

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
        Self {
            confidential: true,
            ..self
        }
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
        Some(Object {
            node: self.clone(),
            fields,
            known: Vec::new(),
        })
    }

    /// Returns the items of a list.
    pub fn list(&self) -> Option<Vec<Self>> {
        let Value::List(items) = self.value else {
            return self.expected("a list");
        };
        let node = |(index, value)| self.inside(format!("{}[{index}]", self.path), value);
        Some(items.iter().enumerate().map(node).collect())
    }

    /// Returns the items of a list that has one at least.
    pub fn non_empty_list(&self) -> Option<Vec<Self>> {
        let items = self.list()?;
        if items.is_empty() {
            self.refuse("must not be empty");
            return None;
        }
        Some(items)
    }

    /// Returns a text.
    pub fn text(&self) -> Option<&'a str> {
        if let Value::Text(text) = self.value {
            return Some(text);
        }
        // YAML makes numbers and booleans of texts that look like them.
        if matches!(self.value, Value::Number(_) | Value::Bool(_)) && !self.confidential {
            return self.refused(&format!(
                "expected text, found {}; write \"{}\"",
                self.found(),
                plain(self.value)
            ));
        }
        self.expected("text")
    }

    /// Returns a boolean.
    pub fn boolean(&self) -> Option<bool> {
        if let Value::Bool(boolean) = self.value {
            return Some(*boolean);
        }
        self.unquote(|text| text == "true" || text == "false", "true or false")
    }

    /// Returns a whole number in a range.
    pub fn integer(&self, range: RangeInclusive<u64>) -> Option<u64> {
        let Value::Number(number) = self.value else {
            let is_number = |text: &str| text.parse::<u64>().is_ok_and(|number| number.to_string() == text);
            return self.unquote(is_number, "a whole number");
        };
        match number.whole() {
            // Below zero is below every range.
            Some(whole) => self.within(u64::try_from(whole).ok(), &range, |bound| bound.to_string()),
            None => self.refused(&format!("must be a whole number{}", self.got())),
        }
    }

    /// Returns a duration in a range.
    pub fn duration(&self, range: RangeInclusive<Duration>) -> Option<Duration> {
        let duration = self.notation("a duration", units::duration)?;
        let range = nanos(*range.start())..=nanos(*range.end());
        let within = self.within(Some(nanos(duration)), &range, |bound| {
            units::spell_duration(Duration::from_nanos(bound))
        });
        within.map(Duration::from_nanos)
    }

    /// Returns a size in bytes in a range.
    pub fn size(&self, range: RangeInclusive<u64>) -> Option<u64> {
        let size = self.notation("a size", units::size)?;
        self.within(Some(size), &range, units::spell_size)
    }

    /// Returns a share, written as a percentage.
    pub fn fraction(&self) -> Option<Fraction> {
        self.notation("a percentage", Fraction::parse)
    }

    /// Returns an instant.
    pub fn instant(&self) -> Option<Timestamp> {
        self.notation("an instant", units::instant)
    }

    /// Returns a name that can be part of metrics, tags and keys of state: `[a-z0-9][a-z0-9_-]{0,63}`.
    pub fn name(&self) -> Option<&'a str> {
        let text = self.text()?;
        if words::is_name(text) {
            return Some(text);
        }
        let suggestion = match words::as_name(text) {
            Some(name) if !self.confidential => format!("; {} would do", quoted(&name)),
            _ => String::new(),
        };
        let rule = "is not a name: a letter or digit, then up to 63 more, _ or -, all lower case";
        self.refused(&format!("{} {rule}{suggestion}", self.subject()))
    }

    /// Returns what one of these words stands for.
    pub fn choice<T: Copy>(&self, options: &[(&'static str, T)]) -> Option<T> {
        let text = self.text()?;
        match options.iter().find(|(word, _)| *word == text) {
            Some((_, meaning)) => Some(*meaning),
            None => {
                let words: Vec<_> = options.iter().map(|(word, _)| *word).collect();
                self.refused(&self.no_choice(text, &words))
            }
        }
    }

    fn no_choice(&self, text: &str, words: &[&'static str]) -> String {
        let hint = match nearest(text, words) {
            Some(word) if !self.confidential => format!("; did you mean \"{word}\"?"),
            _ => String::new(),
        };
        format!("{} is not one of {}{hint}", self.subject(), words.join(", "))
    }

    /// Reads a text, or a number as if it were one: it lacks a unit, and the parser says so.
    fn notation<T>(&self, kind: &str, parse: fn(&str) -> Result<T, InvalidNotation>) -> Option<T> {
        if !matches!(self.value, Value::Text(_) | Value::Number(_)) {
            return self.expected(kind);
        }
        match parse(&plain(self.value)) {
            Ok(parsed) => Some(parsed),
            Err(invalid) => self.refused(&format!("{} {invalid}", self.subject())),
        }
    }

    /// Holds a value against a range whose bounds are written in this way; `None` lies below.
    fn within(
        &self,
        value: Option<u64>,
        range: &RangeInclusive<u64>,
        spell: fn(u64) -> String,
    ) -> Option<u64> {
        if let Some(value) = value.filter(|value| range.contains(value)) {
            return Some(value);
        }
        let low = spell(*range.start());
        let got = self.got();
        self.refused(&match *range.end() {
            u64::MAX => format!("must be at least {low}{got}"),
            high => format!("must be between {low} and {}{got}", spell(high)),
        })
    }

    /// Refuses a value that is not of this kind, or would be if it were not in quotes.
    fn unquote<T>(&self, would_be: fn(&str) -> bool, kind: &str) -> Option<T> {
        if let Value::Text(text) = self.value
            && would_be(text)
            && !self.confidential
        {
            return self.refused(&format!("\"{text}\" is text; write {text} without quotes"));
        }
        self.expected(kind)
    }

    fn expected<T>(&self, expected: &str) -> Option<T> {
        self.refused(&format!("expected {expected}, found {}", self.found()))
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
        if self.confidential {
            String::new()
        } else {
            format!(", got {}", self.subject())
        }
    }

    fn inside(&self, path: String, value: &'a Value) -> Self {
        Self {
            value,
            path,
            confidential: self.confidential,
            problems: self.problems,
        }
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

/// The fields of an object.
pub struct Object<'a> {
    node: Node<'a>,
    fields: &'a [(String, Value)],
    known: Vec<&'static str>,
}

impl<'a> Object<'a> {
    /// Returns a field that must be there.
    pub fn required(&mut self, name: &'static str) -> Option<Node<'a>> {
        self.known.push(name);
        match self.find(name) {
            Some(node) if *node.value == Value::Null => node.refused("has no value"),
            Some(node) => Some(node),
            None => self
                .node
                .inside(words::field_path(&self.node.path, name), self.node.value)
                .refused("is required"),
        }
    }

    /// Returns a field if it is there.
    ///
    /// A field without a value is refused: whoever wrote it meant something, perhaps not the default.
    pub fn optional(&mut self, name: &'static str) -> Option<Node<'a>> {
        self.known.push(name);
        let node = self.find(name)?;
        if *node.value == Value::Null {
            return node.refused("has no value; remove it or give one");
        }
        Some(node)
    }

    /// Returns every field, of an object whose names are free, and refuses names that occur twice.
    ///
    /// This takes the place of asking for fields by name and of [`Object::finish`].
    pub fn entries(&self) -> Vec<(&'a str, Node<'a>)> {
        let mut entries = Vec::new();
        let mut seen = BTreeMap::new();
        for (name, value) in self.fields {
            let node = self.node.inside(words::field_path(&self.node.path, name), value);
            let times = seen.entry(name.as_str()).or_insert(0_usize);
            match times {
                0 => entries.push((name.as_str(), node)),
                1 => node.refuse("occurs twice"),
                _ => {}
            }
            *times = times.saturating_add(1);
        }
        entries
    }

    /// Refuses fields that nobody asked for, with the nearest name that is known, and those that occur twice.
    pub fn finish(self) {
        for (name, node) in self.entries() {
            if !self.known.contains(&name) {
                let hint = match nearest(name, &self.known) {
                    Some(known) => format!(", did you mean \"{known}\"?"),
                    None if self.known.is_empty() => String::new(),
                    None => format!(" (known: {})", self.known.join(", ")),
                };
                node.refuse(format!("unknown field{hint}"));
            }
        }
    }

    fn find(&self, name: &str) -> Option<Node<'a>> {
        let (_, value) = self.fields.iter().find(|(field, _)| field == name)?;
        Some(self.node.inside(words::field_path(&self.node.path, name), value))
    }
}

#[cfg(test)]
mod tests;
