//! A claim, wherever in the payload it stands, and what becomes of it in a header.

use std::fmt;

use kit::config::{Node, each};
use kit::value::Value;

/// The way to a claim: the names of objects within each other.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct ClaimPath(Vec<String>);

impl ClaimPath {
    /// Parses the name of a claim, or a list of names that lead to it.
    ///
    /// A dot is part of a name: many claims are called like a URL (OpenID Connect Core section 5.1.2).
    pub(crate) fn parse(node: &Node<'_>) -> Option<Self> {
        let name = |node: &Node<'_>| node.non_empty_text().map(str::to_owned);
        match node.value() {
            Value::Text(_) => Some(Self(vec![name(node)?])),
            Value::List(_) => each(&node.non_empty_list()?, name).map(Self),
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::Object(_) => {
                let found = node.value().kind();
                node.refuse(format!(
                    "expected the name of a claim, or a list of names that lead to it, found {found} \
                     (examples: sub, [realm_access, roles])"
                ));
                None
            }
        }
    }

    /// Returns the claim, if it is there.
    pub(crate) fn find<'a>(&self, payload: &'a Value) -> Option<&'a Value> {
        self.0.iter().try_fold(payload, |value, name| value.get(name))
    }
}

impl fmt::Display for ClaimPath {
    /// Writes it as the configuration does.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0.as_slice() {
            [name] => f.write_str(name),
            names => write!(f, "[{}]", names.join(", ")),
        }
    }
}

/// Returns the scopes of a token: those of `scope` (RFC 8693 section 4.2) and of `scp`, each of which is a text with
/// spaces between them, or a list.
pub(crate) fn scopes(payload: &Value) -> impl Iterator<Item = &str> {
    ["scope", "scp"].into_iter().filter_map(|name| payload.get(name)).flat_map(|value| {
        let list = match value {
            Value::List(items) => items.as_slice(),
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::Text(_) | Value::Object(_) => &[],
        };
        let words = value.as_text().unwrap_or_default().split(' ').filter(|word| !word.is_empty());
        words.chain(list.iter().filter_map(Value::as_text))
    })
}

/// Returns a claim as the value of a header; none if it can't be one, and nothing is better than something else.
///
/// - A text is as it is, unless it has control characters, or spaces at its ends, which proxies take off.
/// - A number is as JSON writes it, unless it is too large for all its digits to be known; so is a boolean.
/// - A list of those is joined by commas, unless that leaves open where an element ends.
/// - Anything else is compact JSON in ASCII.
pub(crate) fn header_text(value: &Value) -> Option<Vec<u8>> {
    let text = match value {
        Value::Null => return None,
        Value::Text(text) if stays_itself(text) => text.clone(),
        Value::Text(_) => return None,
        Value::List(items) => match items.iter().map(element).collect::<Option<Vec<_>>>() {
            Some(elements) => elements.join(","),
            None => compact_json(value)?,
        },
        Value::Bool(_) | Value::Number(_) | Value::Object(_) => compact_json(value)?,
    };
    Some(text.into_bytes())
}

/// Returns whether a text arrives as it was sent when it is a header.
fn stays_itself(text: &str) -> bool {
    !text.contains(char::is_control) && !text.starts_with(' ') && !text.ends_with(' ')
}

/// Returns a value as an element of a list that is joined by commas.
fn element(value: &Value) -> Option<String> {
    match value {
        Value::Text(text) if !text.is_empty() && !text.contains(',') && stays_itself(text) => {
            Some(text.clone())
        }
        Value::Bool(_) | Value::Number(_) => compact_json(value),
        Value::Text(_) | Value::Null | Value::List(_) | Value::Object(_) => None,
    }
}

/// Returns a value as JSON without spaces and in ASCII; none if a number can't be written.
fn compact_json(value: &Value) -> Option<String> {
    let mut json = String::new();
    write_json(value, &mut json)?;
    Some(json)
}

fn write_json(value: &Value, into: &mut String) -> Option<()> {
    match value {
        Value::Null => into.push_str("null"),
        Value::Bool(true) => into.push_str("true"),
        Value::Bool(false) => into.push_str("false"),
        Value::Number(number) => into.push_str(&number.to_json()?),
        Value::Text(text) => write_text(text, into),
        Value::List(items) => {
            into.push('[');
            for (index, item) in items.iter().enumerate() {
                separate(index, into);
                write_json(item, into)?;
            }
            into.push(']');
        }
        Value::Object(fields) => {
            into.push('{');
            for (index, (name, value)) in fields.iter().enumerate() {
                separate(index, into);
                write_text(name, into);
                into.push(':');
                write_json(value, into)?;
            }
            into.push('}');
        }
    }
    Some(())
}

fn separate(index: usize, into: &mut String) {
    if index != 0 {
        into.push(',');
    }
}

fn write_text(text: &str, into: &mut String) {
    into.push('"');
    for character in text.chars() {
        match character {
            '"' => into.push_str("\\\""),
            '\\' => into.push_str("\\\\"),
            ' '..='~' => into.push(character),
            _ => {
                for unit in character.encode_utf16(&mut [0; 2]) {
                    into.push_str(&format!("\\u{unit:04x}"));
                }
            }
        }
    }
    into.push('"');
}

#[cfg(test)]
mod tests;
