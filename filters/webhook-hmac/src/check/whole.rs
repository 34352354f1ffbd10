//! Signatures, instants and digests of a delivery that is there as a whole.

use kit::path::query;
use kit::secret::Secret;
use kit::signature::HostVerifier;
use sha2::{Digest, Sha256};

use super::{Clock, Verified};
use crate::config::Endpoint;
use crate::key::{KeyKind, Keys};
use crate::mac::{Mac, is_same};
use crate::message::Message;
use crate::reason::{Detail, Reason};
use crate::scheme::{Scheme, SignatureForm};
use crate::source::Place;
use crate::template::{self, Meaning, Part, Template};
use crate::url::{self, Url};

/// More codes than these nobody sends: DocuSign has a header for each of a hundred keys.
const MOST_CODES: usize = 128;

/// A public-key signature costs a hundred times a code, and anybody can send some.
const MOST_SIGNATURES: usize = 4;

/// Returns the place of the first code that one of the candidates is, and all codes: what a delivery is known by.
pub(super) fn matching(macs: Vec<Mac>, candidates: &[Vec<u8>]) -> Option<(usize, Vec<Vec<u8>>)> {
    let (mut key, mut codes) = (None, Vec::with_capacity(macs.len()));
    for (index, mac) in macs.into_iter().enumerate() {
        let code = mac.finish();
        if key.is_none() && candidates.iter().any(|candidate| code.is(candidate)) {
            key = Some(index);
        }
        codes.push(code.into_bytes());
    }
    key.map(|key| (key, codes))
}

/// Returns what may be the signature, decoded; what isn't written as one is left out, for others to be tried.
///
/// # Errors
///
/// There is none, or there are too many.
pub(super) fn candidates(scheme: &Scheme, message: &Message<'_>) -> Result<Vec<Vec<u8>>, Reason> {
    let most = match scheme.kind {
        KeyKind::Mac(_) | KeyKind::Secret => MOST_CODES,
        KeyKind::Ed25519 | KeyKind::Ecdsa | KeyKind::Set => MOST_SIGNATURES,
    };
    let (mut written, mut candidates) = (0_usize, Vec::new());
    scheme.signature.source.each(message, scheme.signature.repeated, &mut |text| {
        written = written.saturating_add(1);
        if text.is_empty() || most < written {
            return;
        }
        match scheme.kind {
            KeyKind::Secret | KeyKind::Set => candidates.push(text.to_vec()),
            KeyKind::Mac(_) | KeyKind::Ed25519 | KeyKind::Ecdsa => {
                candidates.extend(scheme.signature.encoding.decode(text));
            }
        }
    })?;
    if most < written {
        return Err(Reason::TooMany);
    }
    if candidates.is_empty() { Err(Reason::Missing) } else { Ok(candidates) }
}

/// Returns the instant of a delivery as it is written, if it is near enough to now.
pub(super) fn timestamp(
    endpoint: &Endpoint,
    message: &Message<'_>,
    clock: Clock<'_>,
) -> Result<Vec<u8>, Reason> {
    let Some(timestamp) = &endpoint.scheme.timestamp else {
        return Ok(Vec::new());
    };
    let text = timestamp.source.one(message)?.ok_or(Reason::Malformed(Detail::Timestamp))?;
    let at = timestamp.format.read(&text).ok_or(Reason::Malformed(Detail::Timestamp))?;
    endpoint.tolerance.judge(at, clock())?;
    Ok(text)
}

/// Checks a delivery, or one element of it, whose body is there as a whole.
pub(super) fn check(
    endpoint: &Endpoint,
    message: &Message<'_>,
    clock: Clock<'_>,
    host: HostVerifier<'_>,
) -> Result<Verified, Reason> {
    let scheme = &endpoint.scheme;
    let candidates = candidates(scheme, message)?;
    let timestamp = timestamp(endpoint, message, clock)?;
    let id = match &scheme.id {
        Some(source) => source.one(message)?,
        None => None,
    };
    if let Keys::Secrets(secrets) = &endpoint.keys {
        let is = |secret: &Secret| candidates.iter().any(|candidate| is_same(secret.bytes(), candidate));
        let key = secrets.iter().position(is).ok_or(Reason::Signature)?;
        return Ok(Verified { key, id, digests: Vec::new() });
    }
    let url = endpoint.url.of(message);
    let urls = if scheme.any_port { url::with_any_port(&url) } else { vec![url] };
    for content in &scheme.contents {
        if content.has(|part| *part == Part::Id) && id.is_none() {
            return Err(Reason::Malformed(Detail::Id));
        }
        for url in &urls {
            let meaning = Meaning { timestamp: &timestamp, id: id.as_deref().unwrap_or_default(), url };
            if let Some((key, digests)) = signs(endpoint, content, message, meaning, &candidates, host)? {
                return Ok(Verified { key, id, digests: vec![digests] });
            }
        }
    }
    Err(Reason::Signature)
}

/// The key that signed a content, and what was signed in short.
type Signed = (usize, Vec<Vec<u8>>);

/// Returns the key that signed a content, and what was signed in short.
fn signs(
    endpoint: &Endpoint,
    content: &Template,
    message: &Message<'_>,
    meaning: Meaning<'_>,
    candidates: &[Vec<u8>],
    host: HostVerifier<'_>,
) -> Result<Option<Signed>, Reason> {
    let scheme = &endpoint.scheme;
    let mut text = Vec::new();
    let position = match &endpoint.keys {
        Keys::Macs(macs) => {
            let mut macs = macs.clone();
            template::write(content.parts(), message, meaning, &mut |bytes| {
                macs.iter_mut().for_each(|mac| mac.update(bytes));
                if scheme.looks_at_content {
                    text.extend_from_slice(bytes);
                }
            })?;
            // Its code is no secret.
            if endpoint.handshakes.iter().any(|handshake| handshake.signs(&text)) {
                return Ok(None);
            }
            return Ok(matching(macs, candidates));
        }
        Keys::Ed25519(keys) => {
            template::write(content.parts(), message, meaning, &mut |bytes| text.extend_from_slice(bytes))?;
            keys.iter().position(|key| candidates.iter().any(|signature| key.verify(&text, signature)))
        }
        Keys::Ecdsa(keys) => {
            template::write(content.parts(), message, meaning, &mut |bytes| text.extend_from_slice(bytes))?;
            keys.iter().position(|key| {
                candidates.iter().any(|signature| match scheme.signature.form {
                    SignatureForm::Der => key.verify_der(&text, signature, Some(host)),
                    SignatureForm::Raw => key.verify(&text, signature, Some(host)),
                })
            })
        }
        Keys::Secrets(_) | Keys::Set(_) => None,
    };
    // Not the signature: of some algorithms, anybody can make a second one of the same text.
    Ok(position.map(|key| (key, vec![Sha256::digest(&text).to_vec()])))
}

/// Holds a body that isn't signed itself against its signed digest.
pub(super) fn check_body_hash(
    endpoint: &Endpoint,
    message: &Message<'_>,
    size: usize,
    hash: Option<&[u8]>,
) -> Result<(), Reason> {
    let scheme = &endpoint.scheme;
    let Some(((source, encoding), hash)) = scheme.body_hash.as_ref().zip(hash) else {
        return Ok(());
    };
    // Where the whole address is configured, the query of the request isn't what is signed.
    let is_signed = match (&source.place, &endpoint.url) {
        (Place::Query(name), Url::Whole(url)) => {
            query::field(url.as_bytes(), name) == message.parameter(name)
        }
        _ => true,
    };
    let written = source.one(message)?.filter(|_| is_signed);
    // Of separators alone, no parameter is signed.
    let has_parameters = message.form()?.any(|(name, value)| !name.is_empty() || !value.is_empty());
    let covers = |content: &Template| {
        content.has(|part| *part == Part::Body)
            || (content.has(|part| *part == Part::FormParameters) && has_parameters)
    };
    match written {
        // The parameters of a form are signed one by one; what is said of its digest is an ordinary parameter.
        _ if scheme.contents.iter().all(covers) => Ok(()),
        None if size == 0 => Ok(()),
        None => Err(Reason::Digest),
        Some(written) => match encoding.decode(&written) {
            Some(written) if is_same(&written, hash) => Ok(()),
            Some(_) | None => Err(Reason::Digest),
        },
    }
}
