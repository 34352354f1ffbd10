//! The query of a request, as names and values.

use std::borrow::Cow;

use crate::header::Field;

use super::reading::from_hex;

/// Returns the raw query of a raw `:path`: what follows the first `?`, without the fragment.
pub fn query(raw: &[u8]) -> Option<&[u8]> {
    let mut parts = raw.splitn(2, |byte| *byte == b'?');
    let _path = parts.next();
    parts.next()?.split(|byte| *byte == b'#').next()
}

/// Returns the parameters of a raw `:path`, in order, decoded the way forms are: `%41` and `+`.
///
/// A parameter without `=` has an empty value; a `%` that begins no encoding stays as it is (URL Standard,
/// application/x-www-form-urlencoded parsing). Only `&` separates.
pub fn parameters(raw: &[u8]) -> impl Iterator<Item = (Cow<'_, [u8]>, Cow<'_, [u8]>)> {
    form(query(raw).unwrap_or_default())
}

/// Returns the fields of a body that is `application/x-www-form-urlencoded`, in order, decoded as
/// [`parameters`] are.
pub fn form(body: &[u8]) -> impl Iterator<Item = (Cow<'_, [u8]>, Cow<'_, [u8]>)> {
    let pieces = body.split(|byte| *byte == b'&');
    pieces.filter(|piece| !piece.is_empty()).map(|piece| {
        let mut parts = piece.splitn(2, |byte| *byte == b'=');
        (decoded(parts.next().unwrap_or_default()), decoded(parts.next().unwrap_or_default()))
    })
}

/// Returns what the query of a raw `:path` says under one decoded name, duplicates and all.
pub fn field(raw: &[u8], name: &str) -> Field {
    let matching = parameters(raw).filter(|(key, _)| key.as_ref() == name.as_bytes());
    matching.map(|(_, value)| value.into_owned()).collect()
}

/// Returns a raw `:path` without the parameters of one decoded name; everything else stays as it is.
pub fn without(raw: &[u8], name: &str) -> Vec<u8> {
    let Some(query) = query(raw) else {
        return raw.to_vec();
    };
    let is_other = |piece: &&[u8]| {
        let key = piece.splitn(2, |byte| *byte == b'=').next().unwrap_or_default();
        decoded(key).as_ref() != name.as_bytes()
    };
    let rest = query.split(|byte| *byte == b'&').filter(is_other).collect::<Vec<_>>().join(&b'&');
    let path = raw.split(|byte| *byte == b'?').next().unwrap_or_default();
    if rest.is_empty() { path.to_vec() } else { [path, b"?", &rest].concat() }
}

/// Decodes `%41` and `+`.
fn decoded(text: &[u8]) -> Cow<'_, [u8]> {
    if !text.iter().any(|byte| matches!(byte, b'%' | b'+')) {
        return Cow::Borrowed(text);
    }
    let mut bytes = Vec::with_capacity(text.len());
    let mut remaining = text;
    while let [first, rest @ ..] = remaining {
        let pair = match rest {
            [high, low, after @ ..] if *first == b'%' => from_hex(*high, *low).map(|value| (value, after)),
            _ => None,
        };
        let (value, after) = pair.unwrap_or((if *first == b'+' { b' ' } else { *first }, rest));
        bytes.push(value);
        remaining = after;
    }
    Cow::Owned(bytes)
}
