//! Percent-encodings, decoded once and again, and what no honest client encodes.

use crate::path::AmbiguousPath;

/// A byte of a path after decoding.
#[derive(Clone, Copy)]
pub(in crate::path) struct Byte {
    /// What it is.
    pub(super) value: u8,
    /// Whether it came percent-encoded.
    pub(super) encoded: bool,
}

/// Decodes one percent-encoded segment.
pub(in crate::path) fn decode(text: &[u8]) -> Result<Vec<u8>, AmbiguousPath> {
    let bytes = decoded(text)?;
    if is_treacherous(&bytes) {
        Err(AmbiguousPath)
    } else {
        Ok(bytes.iter().map(|byte| byte.value).collect())
    }
}

/// Returns the byte that two hexadecimal digits write.
pub(crate) fn from_hex(high: u8, low: u8) -> Option<u8> {
    let digit = |byte| char::from(byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
    Some(digit(high)?.wrapping_shl(4) | digit(low)?)
}

/// Decodes percent-encodings.
pub(super) fn decoded(text: &[u8]) -> Result<Vec<Byte>, AmbiguousPath> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut remaining = text;
    loop {
        match remaining {
            [] => return Ok(bytes),
            [b'%', high, low, rest @ ..] => {
                let value = from_hex(*high, *low).ok_or(AmbiguousPath)?;
                bytes.push(Byte { value, encoded: true });
                remaining = rest;
            }
            [b'%', ..] => return Err(AmbiguousPath),
            [value, rest @ ..] => {
                bytes.push(Byte { value: *value, encoded: false });
                remaining = rest;
            }
        }
    }
}

/// Decodes again what has been decoded once, if there is anything left to decode.
pub(super) fn decoded_again(once: &[Byte]) -> Option<Vec<Byte>> {
    let mut bytes = Vec::new();
    let mut changed = false;
    let mut remaining = once;
    while let [first, rest @ ..] = remaining {
        let pair = match rest {
            [high, low, after @ ..] if first.value == b'%' => {
                from_hex(high.value, low.value).map(|value| (value, after))
            }
            _ => None,
        };
        remaining = match pair {
            Some((value, after)) => {
                bytes.push(Byte { value, encoded: true });
                changed = true;
                after
            }
            None => {
                bytes.push(*first);
                rest
            }
        };
    }
    changed.then_some(bytes)
}

/// Returns whether there are bytes that no honest client sends: NUL, which ends the path for some readers, and
/// overlong UTF-8, which is another spelling of ASCII for some.
pub(super) fn is_treacherous(bytes: &[Byte]) -> bool {
    let overlong = bytes.windows(2).any(|pair| {
        let [first, second] = pair else { return false };
        matches!(
            (first.value, second.value),
            (0xC0 | 0xC1, 0x80..=0xBF) | (0xE0, 0x80..=0x9F) | (0xF0, 0x80..=0x8F)
        )
    });
    overlong || bytes.iter().any(|byte| byte.value == 0)
}
