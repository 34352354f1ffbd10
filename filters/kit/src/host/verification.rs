//! The wire format of the host's own check of signatures, as far as one is asked for.
//!
//! ```text
//! message VerifySignatureArguments { string hash_function = 1; bytes public_key = 2; bytes signature = 3; bytes text = 4; }
//! message VerifySignatureResult    { bool result = 1; string error = 2; }
//! ```

use super::Signature;

/// Returns the arguments of the check.
pub(crate) fn question(signature: &Signature<'_>) -> Vec<u8> {
    let fields = [signature.hash.as_bytes(), signature.key, signature.signature, signature.text];
    let mut bytes = Vec::with_capacity(fields.iter().map(|field| field.len().saturating_add(6)).sum());
    // The first byte of a field: its number, and that its length follows.
    for (tag, field) in [0x0a, 0x12, 0x1a, 0x22].into_iter().zip(fields) {
        bytes.push(tag);
        push_varint(&mut bytes, field.len());
        bytes.extend_from_slice(field);
    }
    bytes
}

/// Tells whether the result of the check says that the signature is good. None if it isn't a result.
///
/// A key or hash that the host can't use is told by a result as well: false, and why.
pub(crate) fn is_good(mut bytes: &[u8]) -> Option<bool> {
    // What is absent has its default.
    let mut result = false;
    while let Some((tag, rest)) = bytes.split_first() {
        match tag {
            0x08 => {
                let (value, rest) = rest.split_first()?;
                result = match value {
                    0 => false,
                    1 => true,
                    _ => return None,
                };
                bytes = rest;
            }
            0x12 => {
                let (length, rest) = varint(rest)?;
                bytes = rest.split_at_checked(length)?.1;
            }
            _ => return None,
        }
    }
    Some(result)
}

/// Appends an integer, seven bits a byte, the lowest first.
fn push_varint(bytes: &mut Vec<u8>, mut number: usize) {
    while let low @ 0x80.. = number {
        bytes.push(u8::try_from(low & 0x7f).unwrap_or(0) | 0x80);
        number >>= 7;
    }
    bytes.push(u8::try_from(number).unwrap_or(0));
}

/// Takes an integer off the front.
fn varint(bytes: &[u8]) -> Option<(usize, &[u8])> {
    let mut number = 0_usize;
    // Four bytes say more than a host's error is long.
    for (byte, shift) in bytes.iter().zip([0_u32, 7, 14, 21]) {
        number |= usize::from(byte & 0x7f).wrapping_shl(shift);
        if *byte < 0x80 {
            let length = usize::try_from(shift.wrapping_div(7).saturating_add(1)).ok()?;
            return Some((number, bytes.get(length..)?));
        }
    }
    None
}

#[cfg(test)]
mod tests;
