//! Numbers, notations, names and choices.

use std::ops::RangeInclusive;
use std::time::Duration;

use crate::time::{Timestamp, nanos};
use crate::units::{self, Fraction, InvalidNotation};
use crate::value::Value;

use super::words::{self, nearest, quoted};
use super::{Node, plain};

impl<'a> Node<'a> {
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
    pub fn choice<T: Copy>(&self, options: &[(&str, T)]) -> Option<T> {
        let written = |(word, _): &&(&str, T)| matches!(self.value, Value::Text(text) if text == word);
        if let Some((_, meaning)) = options.iter().find(written) {
            return Some(*meaning);
        }
        let words: Vec<_> = options.iter().map(|(word, _)| *word).collect();
        self.no_choice(&words);
        None
    }

    fn no_choice(&self, words: &[&str]) {
        let options = format!("one of {}", words.join(", "));
        let Value::Text(text) = self.value else {
            return self.refuse(format!("expected {options}, found {}", self.found()));
        };
        let hint = match nearest(text, words) {
            Some(word) if !self.confidential => format!("; did you mean \"{word}\"?"),
            _ => String::new(),
        };
        self.refuse(format!("{} is not {options}{hint}", self.subject()));
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
}
