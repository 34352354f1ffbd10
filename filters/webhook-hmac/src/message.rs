//! A request as schemes read it: its headers, its query, and its body as a form or as JSON, read once at the most.

use std::borrow::Cow;
use std::cell::OnceCell;

use kit::header::{Field, Found, Lookup};
use kit::path::query;
use kit::value::{Value, json};

use crate::reason::Reason;

/// How many lists and objects of a body may lie within each other.
const DEEPEST: u32 = 64;

/// A body with more values isn't looked into: as a tree, each takes fifty times the two bytes that it may have here, and
/// whoever sends it isn't known yet.
const MOST_VALUES: usize = 100_000;

/// Name and value of a field of a form.
type FormField<'a> = (Cow<'a, [u8]>, Cow<'a, [u8]>);

/// A request, and its body as far as it is there.
pub(crate) struct Message<'a> {
    pub(crate) request: &'a dyn Lookup,
    pub(crate) body: &'a [u8],
    json: OnceCell<Result<Value, Reason>>,
    /// The element of a list that paths into JSON begin at, in place of the whole body.
    item: Option<&'a Value>,
}

impl<'a> Message<'a> {
    pub(crate) fn new(request: &'a dyn Lookup, body: &'a [u8]) -> Self {
        Self { request, body, json: OnceCell::new(), item: None }
    }

    /// Returns the same request, with paths that begin at an element of its body.
    pub(crate) fn at<'b>(&'b self, item: &'b Value) -> Message<'b> {
        Message { request: self.request, body: self.body, json: OnceCell::new(), item: Some(item) }
    }

    /// Returns what paths into JSON begin at.
    pub(crate) fn json(&self) -> Result<&Value, Reason> {
        if let Some(item) = self.item {
            return Ok(item);
        }
        let read = self.json.get_or_init(|| {
            // Before each value but the first there is one of these.
            let values = self.body.iter().filter(|byte| matches!(byte, b',' | b'[' | b'{' | b':')).count();
            if MOST_VALUES < values {
                return Err(Reason::Body);
            }
            match json(self.body, DEEPEST) {
                // Of two members with the same name, two readers may see two different ones.
                Ok(value) if value.has_unique_names() => Ok(value),
                Ok(_) | Err(_) => Err(Reason::Body),
            }
        });
        read.as_ref().map_err(|reason| *reason)
    }

    /// Returns the raw target of the request: path and query.
    pub(crate) fn target(&self) -> Cow<'_, [u8]> {
        self.pseudo(":path")
    }

    /// Returns a pseudo-header; a host doesn't let two of them pass.
    pub(crate) fn pseudo(&self, name: &str) -> Cow<'_, [u8]> {
        match self.request.find(name) {
            Found::One(value) => value,
            Found::Absent | Found::Many => Cow::Borrowed(b""),
        }
    }

    /// Tells whether the body is a form, by what the request says of it.
    pub(crate) fn is_form(&self) -> bool {
        let Field::One(kind) = self.request.header("content-type") else {
            return false;
        };
        let kind = kind.split(|byte| *byte == b';').next().unwrap_or_default();
        kind.trim_ascii().eq_ignore_ascii_case(b"application/x-www-form-urlencoded")
    }

    /// Returns the fields of a body that is a form; none of one that isn't.
    pub(crate) fn form(&self) -> Result<impl Iterator<Item = FormField<'_>>, Reason> {
        let body = if self.is_form() { self.body } else { b"" };
        if MOST_VALUES < body.iter().filter(|byte| **byte == b'&').count() {
            return Err(Reason::Body);
        }
        Ok(query::form(body))
    }

    /// Returns what the form says under a name.
    ///
    /// # Errors
    ///
    /// Some readers could take another field for it.
    pub(crate) fn field(&self, name: &str) -> Result<Field, Reason> {
        let mut values = Vec::new();
        for (key, value) in self.form()? {
            if key.as_ref() == name.as_bytes() {
                values.push(value.into_owned());
            } else if is_alike(&key, name.as_bytes()) {
                return Err(Reason::Body);
            }
        }
        Ok(values.into_iter().collect())
    }

    /// Returns what the query says under a name.
    pub(crate) fn parameter(&self, name: &str) -> Field {
        query::field(&self.target(), name)
    }

    /// Returns the text at a path into the JSON; none if nothing is there.
    pub(crate) fn text(&self, path: &JsonPath) -> Result<Option<String>, Reason> {
        match path.find(self.json()?)? {
            None | Some(Value::Null) => Ok(None),
            Some(Value::Text(text)) => Ok(Some(text.clone())),
            Some(Value::Bool(boolean)) => Ok(Some(boolean.to_string())),
            Some(Value::Number(number)) => number.to_json().map(Some).ok_or(Reason::Body),
            Some(Value::List(_) | Value::Object(_)) => Err(Reason::Body),
        }
    }
}

/// A path into JSON: `payload.items.0.id`, names of members and numbers of elements.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct JsonPath(Vec<String>);

impl JsonPath {
    /// Parses a path. None if a part of it is empty.
    pub(crate) fn of(text: &str) -> Option<Self> {
        let parts: Vec<String> = text.split('.').map(str::to_owned).collect();
        parts.iter().all(|part| !part.is_empty()).then_some(Self(parts))
    }

    /// Returns what is at this path.
    ///
    /// # Errors
    ///
    /// Some readers could take another member for one of the path.
    pub(crate) fn find<'v>(&self, value: &'v Value) -> Result<Option<&'v Value>, Reason> {
        let mut value = value;
        for part in &self.0 {
            let found = match value {
                Value::Object(members) => {
                    let is_other = |name: &String| name != part && folded(name).eq(folded(part));
                    if members.iter().any(|(name, _)| is_other(name)) {
                        return Err(Reason::Body);
                    }
                    value.get(part)
                }
                Value::List(items) => part.parse::<usize>().ok().and_then(|index| items.get(index)),
                Value::Null | Value::Bool(_) | Value::Number(_) | Value::Text(_) => None,
            };
            let Some(found) = found else {
                return Ok(None);
            };
            value = found;
        }
        Ok(Some(value))
    }
}

/// Tells whether some readers take a field of a form for the one of another name: PHP writes `_` for `.` and white space,
/// and makes of `a[b]` a part of `a`; others ignore case.
fn is_alike(key: &[u8], name: &[u8]) -> bool {
    let end = |byte: &u8| matches!(byte, b'[' | 0);
    let key = if name.iter().any(end) { key } else { key.split(end).next().unwrap_or_default() };
    let plain = |byte: &u8| match byte {
        b'.' | b' ' => b'_',
        _ => byte.to_ascii_lowercase(),
    };
    key.trim_ascii().iter().map(plain).eq(name.iter().map(plain))
}

/// Returns a name as readers see it to whom case is nothing, as it is to Go's: two letters beyond ASCII are, without
/// their case, within it.
fn folded(name: &str) -> impl Iterator<Item = char> {
    name.chars().map(|letter| match letter {
        '\u{17f}' => 's',
        '\u{212a}' => 'k',
        _ => letter.to_ascii_lowercase(),
    })
}
