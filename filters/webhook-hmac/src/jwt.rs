//! A token as the signature of a delivery (Plaid): ES256 (RFC 7518 section 3.4), the instant, and a digest of the body.

use kit::signature::{EcKey, HostVerifier};
use kit::time::Timestamp;
use kit::value::{Value, json};

use crate::check::Clock;
use crate::config::Endpoint;
use crate::key;
use crate::mac::is_same;
use crate::message::Message;
use crate::reason::{Detail, Reason};

/// More levels of lists and objects have no place in such a token.
const DEEPEST: u32 = 4;

/// A longer one isn't looked at, in bytes.
const LONGEST: usize = 4096;

/// Checks the token of a delivery, and returns the number of the key that made it.
pub(crate) fn check(
    endpoint: &Endpoint,
    keys: &[(String, EcKey)],
    message: &Message<'_>,
    body: &[u8],
    clock: Clock<'_>,
    host: HostVerifier<'_>,
) -> Result<usize, Reason> {
    let token = endpoint.scheme.signature.source.one(message)?.ok_or(Reason::Missing)?;
    let mut parts = token.split(|byte| *byte == b'.');
    let (Some(header), Some(payload), Some(signature), None) =
        (parts.next(), parts.next(), parts.next(), parts.next())
    else {
        return Err(Reason::Malformed(Detail::Token));
    };
    if LONGEST < token.len() {
        return Err(Reason::Malformed(Detail::Token));
    }
    let head = object(header)?;
    // The algorithm is ours, and not for the token to choose.
    if text(&head, "alg") != Some("ES256") || head.get("crit").is_some() {
        return Err(Reason::Signature);
    }
    let kid = text(&head, "kid").ok_or(Reason::Malformed(Detail::Token))?;
    let index = keys.iter().position(|(known, _)| known == kid).ok_or(Reason::Signature)?;
    let (_, key) = keys.get(index).ok_or(Reason::Signature)?;
    let signed = token.get(..header.len().saturating_add(payload.len()).saturating_add(1));
    let (signed, signature) =
        signed.zip(key::base64url(signature)).ok_or(Reason::Malformed(Detail::Token))?;
    if !key.verify(signed, &signature, Some(host)) {
        return Err(Reason::Signature);
    }
    let payload = object(payload)?;
    let Some(Value::Number(issued)) = payload.get("iat") else {
        return Err(Reason::Malformed(Detail::Token));
    };
    let issued = u64::try_from(issued.billionths_up()).or(Err(Reason::Malformed(Detail::Token)))?;
    endpoint.tolerance.judge(Timestamp::from_nanos(issued), clock())?;
    let digest = text(&payload, "request_body_sha256").ok_or(Reason::Malformed(Detail::Token))?;
    match kit::secret::hexadecimal(digest.as_bytes()) {
        Some(digest) if is_same(&digest, body) => Ok(index),
        Some(_) | None => Err(Reason::Digest),
    }
}

/// Reads a part of a token that is a JSON object.
fn object(part: &[u8]) -> Result<Value, Reason> {
    let bytes = key::base64url(part).ok_or(Reason::Malformed(Detail::Token))?;
    match json(&bytes, DEEPEST) {
        Ok(value @ Value::Object(_)) if value.has_unique_names() => Ok(value),
        Ok(_) | Err(_) => Err(Reason::Malformed(Detail::Token)),
    }
}

fn text<'v>(object: &'v Value, name: &str) -> Option<&'v str> {
    object.get(name).and_then(Value::as_text)
}
