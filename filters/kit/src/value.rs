//! A document as a tree: a configuration, whichever way it arrived (JSON text or a `google.protobuf.Struct`), or JSON
//! that came from somewhere else.

use std::collections::BTreeSet;
use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, Error, MapAccess, SeqAccess, Visitor};

pub use number::Number;

mod number;
mod wire;

/// One value of a document.
#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    /// `null`, or in YAML nothing at all.
    Null,
    /// `true` or `false`.
    Bool(bool),
    /// A number.
    Number(Number),
    /// Text.
    Text(String),
    /// Values in order.
    List(Vec<Self>),
    /// Named values in order. A name that occurs twice is there twice, so that the reader can refuse it.
    Object(Vec<(String, Self)>),
}

impl Value {
    /// Returns what kind of value this is, as a noun phrase for messages.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Null => "null",
            Self::Bool(_) => "a boolean",
            Self::Number(_) => "a number",
            Self::Text(_) => "text",
            Self::List(_) => "a list",
            Self::Object(_) => "an object",
        }
    }

    /// Returns the text, if it is one.
    pub fn as_text(&self) -> Option<&str> {
        match self {
            Self::Text(text) => Some(text),
            Self::Null | Self::Bool(_) | Self::Number(_) | Self::List(_) | Self::Object(_) => None,
        }
    }

    /// Tells whether it says `off`, of which YAML makes `false`, depending on its version.
    pub fn is_off(&self) -> bool {
        matches!(self, Self::Bool(false)) || self.as_text() == Some("off")
    }

    /// Returns what an object has under a name: the first, if there are several.
    pub fn get(&self, name: &str) -> Option<&Self> {
        let Self::Object(fields) = self else {
            return None;
        };
        fields.iter().find(|(field, _)| field == name).map(|(_, value)| value)
    }

    /// Returns whether all names are different in each object, at every level.
    ///
    /// Of a document in which they aren't, two readers may see two different things (RFC 8259 section 4).
    pub fn has_unique_names(&self) -> bool {
        match self {
            Self::Object(fields) => {
                // A set, because comparing each with each takes too long for thousands of names.
                let mut seen = BTreeSet::new();
                fields.iter().all(|(name, value)| seen.insert(name.as_str()) && value.has_unique_names())
            }
            Self::List(items) => items.iter().all(Self::has_unique_names),
            Self::Null | Self::Bool(_) | Self::Number(_) | Self::Text(_) => true,
        }
    }
}

/// Decodes the bytes of a configuration: JSON text, or the wire bytes of a `google.protobuf.Struct`.
///
/// Envoy hands a plugin the text of a `StringValue`, and of a `Struct` the bytes as they are. Nothing at all is
/// an empty object.
///
/// # Errors
///
/// The bytes are neither, or JSON of something other than an object.
pub fn decode(bytes: &[u8]) -> Result<Value, InvalidDocument> {
    if bytes.iter().all(|byte| b" \t\r\n".contains(byte)) {
        return Ok(Value::Object(Vec::new()));
    }
    let error = match read(bytes, DEEPEST) {
        Ok(value @ Value::Object(_)) => return Ok(value),
        Ok(value) => {
            return Err(InvalidDocument(format!("expected an object, found {}", value.kind())));
        }
        Err(error) => error,
    };
    // A Struct starts with the tag of its only field, which is also a line feed: so JSON had to come first.
    if bytes.first() == Some(&b'\n') {
        match wire::object(bytes) {
            Ok(fields) => return Ok(Value::Object(fields)),
            // Nobody types control characters, and a Struct is full of them.
            Err(invalid) if bytes.iter().any(|byte| *byte < b' ' && !b"\t\r\n".contains(byte)) => {
                return Err(InvalidDocument(format!("the configuration is not a Struct: {invalid}")));
            }
            Err(_) => {}
        }
    }
    let advice = if bytes.trim_ascii_start().starts_with(b"{") {
        ""
    } else {
        "; use JSON, or give the configuration as a google.protobuf.Struct to write YAML"
    };
    Err(InvalidDocument(format!("the configuration is not JSON: {error}{advice}")))
}

/// Why a document cannot be decoded.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct InvalidDocument(String);

impl fmt::Display for InvalidDocument {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for InvalidDocument {}

/// How many lists and objects may lie within each other, the outermost included; more could exhaust the stack.
const DEEPEST: u32 = 64;

const TOO_DEEP: &str = "more than 64 levels of lists and objects";

/// Reads JSON (RFC 8259) that is no configuration: one value, and nothing behind it but white space.
///
/// Texts are well-formed Unicode, a byte order mark is refused, and so is a number that no float can hold. Names that
/// occur twice are kept: see [`Value::has_unique_names`]. At most `deepest` lists and objects may lie within each
/// other, the outermost included, and never more than 64.
///
/// # Errors
///
/// The bytes are anything else.
pub fn json(bytes: &[u8], deepest: u32) -> Result<Value, InvalidDocument> {
    read(bytes, deepest.min(DEEPEST)).map_err(|error| InvalidDocument(error.to_string()))
}

fn read(bytes: &[u8], deepest: u32) -> Result<Value, serde_json::Error> {
    let mut deserializer = serde_json::Deserializer::from_slice(bytes);
    let value = Reader { levels_left: deepest, deepest }.deserialize(&mut deserializer)?;
    deserializer.end()?;
    Ok(value)
}

/// Reads one value from a deserialiser, which would otherwise keep the last of several equal names.
#[derive(Clone, Copy)]
struct Reader {
    levels_left: u32,
    deepest: u32,
}

impl Reader {
    fn inside<E: Error>(self) -> Result<Self, E> {
        let too_deep = || E::custom(format_args!("more than {} levels of lists and objects", self.deepest));
        let levels_left = self.levels_left.checked_sub(1).ok_or_else(too_deep)?;
        Ok(Self { levels_left, ..self })
    }
}

impl<'de> DeserializeSeed<'de> for Reader {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Reader {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value")
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(Value::Bool(value))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
        Ok(Value::Number(value.into()))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Value, E> {
        Ok(Value::Number(value.into()))
    }

    fn visit_f64<E>(self, value: f64) -> Result<Value, E> {
        Ok(Value::Number(value.into()))
    }

    fn visit_str<E>(self, value: &str) -> Result<Value, E> {
        Ok(Value::Text(value.to_owned()))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Value, A::Error> {
        let reader = self.inside()?;
        let mut list = Vec::new();
        while let Some(item) = items.next_element_seed(reader)? {
            list.push(item);
        }
        Ok(Value::List(list))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Value, A::Error> {
        let reader = self.inside()?;
        let mut fields = Vec::new();
        while let Some(name) = entries.next_key::<String>()? {
            fields.push((name, entries.next_value_seed(reader)?));
        }
        Ok(Value::Object(fields))
    }
}

#[cfg(test)]
mod tests;
