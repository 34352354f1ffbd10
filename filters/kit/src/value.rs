//! A configuration document as a tree, whichever way it arrived: JSON text or a `google.protobuf.Struct`.

use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, Error, MapAccess, SeqAccess, Visitor};

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
}

/// A number of a document: exact if it is whole, and a float otherwise.
///
/// A `Struct` knows floats only, and YAML tools like to print `1e+06`: such a number is whole when no other
/// integer could have been meant.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Number(Form);

#[derive(Clone, Copy, Debug, PartialEq)]
enum Form {
    Unsigned(u64),
    Negative(i64),
    Float(f64),
}

/// The largest float that counts as whole.
///
/// From 2^53 on, several integers share a float; and already below it serde_json may be wrong by one, because it
/// multiplies the digits with a power of ten.
const LARGEST_WHOLE: f64 = 1e15;

impl Number {
    /// Returns the number if it is whole.
    pub fn whole(self) -> Option<i128> {
        match self.0 {
            Form::Unsigned(number) => Some(number.into()),
            Form::Negative(number) => Some(number.into()),
            Form::Float(_) => None,
        }
    }
}

impl From<u64> for Number {
    fn from(number: u64) -> Self {
        Self(Form::Unsigned(number))
    }
}

impl From<i64> for Number {
    fn from(number: i64) -> Self {
        Self(u64::try_from(number).map_or(Form::Negative(number), Form::Unsigned))
    }
}

impl From<f64> for Number {
    fn from(number: f64) -> Self {
        // The text of a whole float is its digits, never an exponent: the one exact way without a cast.
        let whole = (number.fract() == 0.0 && number.abs() <= LARGEST_WHOLE).then(|| number.to_string());
        match whole.and_then(|digits| digits.parse::<i64>().ok()) {
            Some(whole) => Self::from(whole),
            None => Self(Form::Float(number)),
        }
    }
}

impl fmt::Display for Number {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Form::Unsigned(number) => number.fmt(f),
            Form::Negative(number) => number.fmt(f),
            // The debug form writes 1e300 where the display form writes 301 digits.
            Form::Float(number) => write!(f, "{number:?}"),
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
    let error = match json(bytes) {
        Ok(value @ Value::Object(_)) => return Ok(value),
        Ok(value) => {
            return Err(InvalidDocument(format!(
                "the configuration is {}, expected an object",
                value.kind()
            )));
        }
        Err(error) => error,
    };
    // A Struct starts with the tag of its only field, which is also a line feed: so JSON had to come first.
    if bytes.first() == Some(&b'\n') {
        match wire::object(bytes) {
            Ok(fields) => return Ok(Value::Object(fields)),
            // Nobody types control characters, and a Struct is full of them.
            Err(invalid) if bytes.iter().any(|byte| *byte < b' ' && !b"\t\r\n".contains(byte)) => {
                return Err(InvalidDocument(format!(
                    "the configuration is not a Struct: {invalid}"
                )));
            }
            Err(_) => {}
        }
    }
    Err(InvalidDocument(format!("the configuration is not JSON: {error}")))
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

fn json(bytes: &[u8]) -> Result<Value, serde_json::Error> {
    let mut deserializer = serde_json::Deserializer::from_slice(bytes);
    let value = Reader { levels_left: DEEPEST }.deserialize(&mut deserializer)?;
    deserializer.end()?;
    Ok(value)
}

/// Reads one value from a deserialiser, which would otherwise keep the last of several equal names.
#[derive(Clone, Copy)]
struct Reader {
    levels_left: u32,
}

impl Reader {
    fn inside<E: Error>(self) -> Result<Self, E> {
        let levels_left = self
            .levels_left
            .checked_sub(1)
            .ok_or_else(|| E::custom(TOO_DEEP))?;
        Ok(Self { levels_left })
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
