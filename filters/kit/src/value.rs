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
const LARGEST_WHOLE: u64 = 1_000_000_000_000_000;

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
        let parts = Parts::of(number);
        match (parts.whole, parts.billionths) {
            (Some(whole), Some(0)) if whole <= LARGEST_WHOLE => match i64::try_from(whole) {
                Ok(whole) if parts.negative => Self::from(whole.saturating_neg()),
                Ok(_) | Err(_) => Self::from(whole),
            },
            _ => Self(Form::Float(number)),
        }
    }
}

impl fmt::Display for Number {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Form::Unsigned(number) => number.fmt(f),
            Form::Negative(number) => number.fmt(f),
            Form::Float(number) => Parts::of(number).fmt(f),
        }
    }
}

/// A float taken apart into integers.
///
/// The standard library's own rendering of floats would be a twentieth of a whole module.
struct Parts {
    negative: bool,
    /// The whole part; none if it has no 64 bits.
    whole: Option<u64>,
    /// What is behind the point, cut; none if it is there, but too little for this.
    billionths: Option<u64>,
}

impl Parts {
    /// Takes a float apart (IEEE 754 binary64: sign, 11 bits of exponent, 52 of fraction).
    fn of(number: f64) -> Self {
        let bits = number.to_bits();
        let negative = bits >> 63 == 1;
        let exponent = (bits >> 52) & 0x7ff;
        let fraction = bits & 0x000f_ffff_ffff_ffff;
        if exponent == 0 && fraction == 0 {
            return Self { negative, whole: Some(0), billionths: Some(0) };
        }
        // The value is the significand times 2^(exponent - 1075).
        let significand = u128::from(fraction | 1 << 52);
        match 1075_u64.checked_sub(exponent) {
            None | Some(0) => {
                let shift = u32::try_from(exponent.saturating_sub(1075)).unwrap_or(u32::MAX);
                let whole = if shift < 64 { u64::try_from(significand << shift).ok() } else { None };
                Self { negative, whole, billionths: Some(0) }
            }
            Some(shift) if shift < 64 => {
                let whole = u64::try_from(significand >> shift).ok();
                let rest = significand & (1_u128 << shift).saturating_sub(1);
                let billionths = u64::try_from(rest.saturating_mul(1_000_000_000) >> shift).ok();
                Self { negative, whole, billionths: billionths.filter(|cut| *cut != 0 || rest == 0) }
            }
            Some(_) => Self { negative, whole: Some(0), billionths: None },
        }
    }
}

impl fmt::Display for Parts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sign = if self.negative { "-" } else { "" };
        match (self.whole, self.billionths) {
            (None, _) => write!(f, "{sign}(more than 18446744073709551615)"),
            (Some(whole), None) => write!(f, "{sign}{whole}.000000000..."),
            // Only one too large to be told from its neighbours.
            (Some(whole), Some(0)) => write!(f, "{sign}{whole}.0"),
            (Some(whole), Some(billionths)) => {
                let decimals = format!("{billionths:09}");
                write!(f, "{sign}{whole}.{}", decimals.trim_end_matches('0'))
            }
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
        let levels_left = self.levels_left.checked_sub(1).ok_or_else(|| E::custom(TOO_DEEP))?;
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
