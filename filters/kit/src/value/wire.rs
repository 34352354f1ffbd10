//! The wire format of `google.protobuf.Struct`, as far as reading one needs it.
//!
//! ```text
//! message Struct    { map<string, Value> fields = 1; }     // an entry is { string key = 1; Value value = 2; }
//! message Value     { oneof kind { NullValue null_value = 1; double number_value = 2; string string_value = 3;
//!                                  bool bool_value = 4; Struct struct_value = 5; ListValue list_value = 6; } }
//! message ListValue { repeated Value values = 1; }
//! ```
//!
//! What is absent has its default and unknown fields are skipped, as protobuf has it. Map entries with equal
//! keys are all kept.

use super::{DEEPEST, TOO_DEEP, Value};

/// Reads a Struct.
///
/// # Errors
///
/// The rest of a sentence that says what is wrong with the bytes.
pub(super) fn object(bytes: &[u8]) -> Result<Vec<(String, Value)>, &'static str> {
    fields(bytes, inside(DEEPEST)?)
}

fn fields(bytes: &[u8], levels_left: u32) -> Result<Vec<(String, Value)>, &'static str> {
    let mut rest = bytes;
    let mut fields = Vec::new();
    while !rest.is_empty() {
        if let (1, Payload::Bytes(bytes)) = field(&mut rest)? {
            fields.push(entry(bytes, levels_left)?);
        }
    }
    Ok(fields)
}

fn entry(bytes: &[u8], levels_left: u32) -> Result<(String, Value), &'static str> {
    let mut rest = bytes;
    let mut name = String::new();
    let mut content = Value::Null;
    while !rest.is_empty() {
        match field(&mut rest)? {
            (1, Payload::Bytes(bytes)) => name = text(bytes)?,
            (2, Payload::Bytes(bytes)) => content = value(bytes, levels_left)?,
            _ => {}
        }
    }
    Ok((name, content))
}

fn value(bytes: &[u8], levels_left: u32) -> Result<Value, &'static str> {
    let mut rest = bytes;
    let mut value = Value::Null;
    while !rest.is_empty() {
        match field(&mut rest)? {
            (1, Payload::Varint(_)) => value = Value::Null,
            (2, Payload::Eight(bytes)) => value = Value::Number(f64::from_le_bytes(bytes).into()),
            (3, Payload::Bytes(bytes)) => value = Value::Text(text(bytes)?),
            (4, Payload::Varint(bit)) => value = Value::Bool(bit != 0),
            (5, Payload::Bytes(bytes)) => value = Value::Object(fields(bytes, inside(levels_left)?)?),
            (6, Payload::Bytes(bytes)) => value = Value::List(list(bytes, inside(levels_left)?)?),
            _ => {}
        }
    }
    Ok(value)
}

fn list(bytes: &[u8], levels_left: u32) -> Result<Vec<Value>, &'static str> {
    let mut rest = bytes;
    let mut list = Vec::new();
    while !rest.is_empty() {
        if let (1, Payload::Bytes(bytes)) = field(&mut rest)? {
            list.push(value(bytes, levels_left)?);
        }
    }
    Ok(list)
}

fn inside(levels_left: u32) -> Result<u32, &'static str> {
    levels_left.checked_sub(1).ok_or(TOO_DEEP)
}

fn text(bytes: &[u8]) -> Result<String, &'static str> {
    std::str::from_utf8(bytes).map(str::to_owned).or(Err("text that is not UTF-8"))
}

/// What stands in a field; what four bytes say is of no interest to a Struct.
enum Payload<'a> {
    Varint(u64),
    Eight([u8; 8]),
    Bytes(&'a [u8]),
    Four,
}

const CUT: &str = "it ends in the middle of a field";

/// Takes one field, its number first, off the front.
fn field<'a>(rest: &mut &'a [u8]) -> Result<(u64, Payload<'a>), &'static str> {
    let tag = varint(rest)?;
    let number = tag >> 3;
    if number == 0 || tag > u64::from(u32::MAX) {
        return Err("a field has an impossible number");
    }
    let payload = match tag & 7 {
        0 => Payload::Varint(varint(rest)?),
        1 => {
            let (eight, after) = rest.split_first_chunk().ok_or(CUT)?;
            *rest = after;
            Payload::Eight(*eight)
        }
        2 => {
            let length = usize::try_from(varint(rest)?).or(Err(CUT))?;
            Payload::Bytes(take(rest, length)?)
        }
        5 => {
            take(rest, 4)?;
            Payload::Four
        }
        _ => return Err("a field has an impossible type"),
    };
    Ok((number, payload))
}

fn take<'a>(rest: &mut &'a [u8], length: usize) -> Result<&'a [u8], &'static str> {
    let (taken, after) = rest.split_at_checked(length).ok_or(CUT)?;
    *rest = after;
    Ok(taken)
}

/// Takes an integer of seven bits a byte, the lowest first, off the front.
fn varint(rest: &mut &[u8]) -> Result<u64, &'static str> {
    let mut number = 0;
    for shift in (0..u64::BITS).step_by(7) {
        let (byte, after) = rest.split_first().ok_or(CUT)?;
        *rest = after;
        // The tenth byte has room for one bit; what else it says is lost, as in every protobuf reader.
        number |= u64::from(byte & 0x7f).wrapping_shl(shift);
        if *byte < 0x80 {
            return Ok(number);
        }
    }
    Err("an integer does not end")
}
