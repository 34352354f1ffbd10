//! The compact form of a token (RFC 7515 section 7.1, RFC 7519 section 3), read as strictly as its rules allow.
//!
//! Nothing here is verified yet: whatever a header or payload says, somebody only claims it.

use base64ct::{Base64UrlUnpadded, Encoding};
use kit::value::{Value, json};

use crate::algorithm::Algorithm;
use crate::reason::Reason;

/// A token taken apart, its signature not verified.
#[derive(Debug)]
pub(crate) struct Token<'a> {
    pub(crate) header: Header,
    /// The claims: an object whose names differ at every level.
    pub(crate) payload: Value,
    /// The payload as it stands in the token, in base64url.
    pub(crate) payload_part: &'a [u8],
    /// What was signed: header, dot and payload as they stand in the token.
    pub(crate) signing_input: &'a [u8],
    pub(crate) signature: Vec<u8>,
}

/// What a header says that matters here.
///
/// `jku`, `jwk`, `x5u`, `x5c` and `x5t` are not among it: a token doesn't choose where its keys come from (RFC 8725
/// section 3.10).
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Header {
    pub(crate) algorithm: Algorithm,
    pub(crate) key_id: Option<String>,
    pub(crate) typ: Option<String>,
}

impl<'a> Token<'a> {
    /// Takes a token apart.
    ///
    /// How long it may be is the caller's to say, before.
    ///
    /// # Errors
    ///
    /// It has five parts ([`Reason::Encrypted`]), an `alg` that nobody here knows ([`Reason::Algorithm`]), asks for
    /// something that nobody here understands ([`Reason::Critical`]), or isn't of this form ([`Reason::Malformed`]).
    pub(crate) fn parse(bytes: &'a [u8]) -> Result<Self, Reason> {
        let text = std::str::from_utf8(bytes).or(Err(Reason::Malformed))?;
        let mut parts = text.split('.');
        let (header, payload, signature) = match (parts.next(), parts.next(), parts.next(), parts.count()) {
            (Some(header), Some(payload), Some(signature), 0) => (header, payload, signature),
            (_, _, _, 2) => return Err(Reason::Encrypted),
            _ => return Err(Reason::Malformed),
        };
        let signed = text.len().saturating_sub(signature.len()).saturating_sub(1);
        let token = Self {
            header: Header::parse(&object(header)?)?,
            payload: object(payload)?,
            payload_part: payload.as_bytes(),
            signing_input: bytes.get(..signed).ok_or(Reason::Malformed)?,
            signature: decode(signature)?,
        };
        if token.signature.is_empty() { Err(Reason::Malformed) } else { Ok(token) }
    }
}

impl Header {
    fn parse(header: &Value) -> Result<Self, Reason> {
        let algorithm = header.get("alg").and_then(Value::as_text).and_then(Algorithm::from_name);
        let algorithm = algorithm.ok_or(Reason::Algorithm)?;
        // Who understands no extension refuses all (RFC 7515 section 4.1.11), and a token has no `b64` (RFC 7797
        // section 7): it would be another text that was signed.
        if header.get("crit").is_some() || header.get("b64").is_some() {
            return Err(Reason::Critical);
        }
        if text(header, "cty")?.is_some_and(|cty| is_media_type(cty, "jwt")) {
            return Err(Reason::Critical);
        }
        let key_id = text(header, "kid")?.map(str::to_owned);
        let typ = text(header, "typ")?.map(str::to_owned);
        Ok(Self { algorithm, key_id, typ })
    }
}

/// Decides whether a `typ` or `cty` is a media type: case doesn't matter, and `application/` may be left out (RFC 7515
/// section 4.1.9).
pub(crate) fn is_media_type(written: &str, expected: &str) -> bool {
    subtype(written).eq_ignore_ascii_case(subtype(expected))
}

fn subtype(media_type: &str) -> &str {
    const PREFIX: &str = "application/";
    match media_type.split_at_checked(PREFIX.len()) {
        Some((start, rest)) if start.eq_ignore_ascii_case(PREFIX) => rest,
        Some(_) | None => media_type,
    }
}

/// How many lists and objects of a token may lie within each other.
const DEEPEST: u32 = 32;

/// Reads a part that is a JSON object.
fn object(part: &str) -> Result<Value, Reason> {
    match json(&decode(part)?, DEEPEST) {
        // Who reads the same token behind us may take the other one of two equal names (RFC 7519 section 4).
        Ok(value @ Value::Object(_)) if value.has_unique_names() => Ok(value),
        Ok(_) | Err(_) => Err(Reason::Malformed),
    }
}

/// Decodes a part; there is one way only to write its bytes: no padding, no white space, no bits to spare.
fn decode(part: &str) -> Result<Vec<u8>, Reason> {
    Base64UrlUnpadded::decode_vec(part).or(Err(Reason::Malformed))
}

/// Returns a member of the header that is text if it is there.
fn text<'a>(header: &'a Value, name: &str) -> Result<Option<&'a str>, Reason> {
    header.get(name).map(|value| value.as_text().ok_or(Reason::Malformed)).transpose()
}

#[cfg(test)]
mod tests;
