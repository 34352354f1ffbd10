//! The check of a delivery: what is read of it while its body comes, and what is found at the end.

use kit::header::Lookup;
use kit::signature::HostVerifier;
use kit::time::Timestamp;
use sha2::{Digest, Sha256};

use crate::config::Endpoint;
use crate::jwt;
use crate::key::{KeyKind, Keys};
use crate::mac::{Code, Mac, is_same};
use crate::message::Message;
use crate::reason::Reason;
use crate::scheme::{Scheme, SignatureForm};
use crate::template::{self, Meaning, Part, Template};
use crate::url;

/// More codes than these nobody sends: DocuSign has a header for each of a hundred keys.
const MOST_CODES: usize = 128;

/// A public-key signature costs a hundred times a code, and anybody can send some.
const MOST_SIGNATURES: usize = 4;

/// What tells the time, which not every scheme asks for.
pub(crate) type Clock<'a> = &'a dyn Fn() -> Timestamp;

/// What was found of a genuine delivery.
pub(crate) struct Verified {
    /// The number of the key that made the signature, in the order of the configuration.
    pub(crate) key: usize,
    /// The id that the scheme names.
    pub(crate) id: Option<Vec<u8>>,
    /// What is signed, in short: two deliveries have the same only if the same was signed.
    pub(crate) digest: Vec<u8>,
}

/// What is read of a delivery while its body comes.
pub(crate) struct Reading {
    /// What may be the signature, if the headers have it.
    candidates: Vec<Vec<u8>>,
    /// A code for each key, of the signed content as far as it came.
    macs: Vec<Mac>,
    /// The digest of the body, if something needs it.
    hash: Option<Sha256>,
    /// The body, if something inside of it is looked at, or it has to be signed as a whole.
    body: Vec<u8>,
    keeps: bool,
    size: usize,
    timestamp: Vec<u8>,
    id: Vec<u8>,
}

impl Reading {
    /// Prepares to read the body of a delivery by what its headers say.
    ///
    /// # Errors
    ///
    /// What the headers say is already enough to refuse it.
    pub(crate) fn begin(endpoint: &Endpoint, request: &dyn Lookup, clock: Clock<'_>) -> Result<Self, Reason> {
        let scheme = &endpoint.scheme;
        let message = Message::new(request, b"");
        let mut reading = Self::unread(endpoint);
        if !scheme.signature.source.is_in_body() {
            reading.candidates = candidates(scheme, &message)?;
        }
        let header_time = scheme.timestamp.as_ref().filter(|timestamp| !timestamp.source.is_in_body());
        if header_time.is_some() {
            reading.timestamp = timestamp(endpoint, &message, clock)?;
        }
        if let Some(source) = scheme.id.as_ref().filter(|source| !source.is_in_body()) {
            reading.id = source.one(&message)?.unwrap_or_default();
        }
        if let (Keys::Macs(keys), true) = (&endpoint.keys, scheme.streams()) {
            reading.macs.clone_from(keys);
            if let Some((before, _)) = scheme.contents.first().and_then(Template::around_body) {
                reading.write(endpoint, before, &message)?;
            }
        }
        Ok(reading)
    }

    /// Prepares to read a body of which the headers can't tell yet what it is.
    pub(crate) fn unread(endpoint: &Endpoint) -> Self {
        let scheme = &endpoint.scheme;
        let hashes = scheme.body_hash.is_some() || scheme.kind == KeyKind::Set;
        Self {
            candidates: Vec::new(),
            macs: Vec::new(),
            hash: hashes.then(Sha256::new),
            body: Vec::new(),
            keeps: endpoint.keeps_body,
            size: 0,
            timestamp: Vec::new(),
            id: Vec::new(),
        }
    }

    /// Takes the next piece of the body.
    pub(crate) fn update(&mut self, bytes: &[u8]) {
        self.size = self.size.saturating_add(bytes.len());
        for mac in &mut self.macs {
            mac.update(bytes);
        }
        if let Some(hash) = &mut self.hash {
            hash.update(bytes);
        }
        if self.keeps {
            self.body.extend_from_slice(bytes);
        }
    }

    /// Returns how many bytes of the body came.
    pub(crate) fn size(&self) -> usize {
        self.size
    }

    /// Returns how many bytes of memory the body takes here.
    pub(crate) fn kept(&self) -> usize {
        self.body.len()
    }

    /// Takes the body, if it was kept.
    pub(crate) fn take_body(&mut self) -> Vec<u8> {
        std::mem::take(&mut self.body)
    }

    /// Checks the delivery, all of which is there.
    pub(crate) fn finish(
        self,
        endpoint: &Endpoint,
        message: &Message<'_>,
        clock: Clock<'_>,
        host: HostVerifier<'_>,
    ) -> Result<Verified, Reason> {
        let scheme = &endpoint.scheme;
        match (&endpoint.keys, &scheme.items) {
            (Keys::Macs(_), None) if scheme.streams() => self.finish_stream(endpoint, message),
            (Keys::Set(keys), _) => {
                let hash = self.hash.map(|hash| hash.finalize().to_vec()).unwrap_or_default();
                let key = jwt::check(endpoint, keys, message, &hash, clock, host)?;
                Ok(Verified { key, id: None, digest: hash })
            }
            (_, None) => {
                let hash = self.hash.map(|hash| hash.finalize().to_vec());
                let verified = check(endpoint, message, clock, host)?;
                check_body_hash(scheme, message, self.size, hash.as_deref())?;
                Ok(verified)
            }
            (_, Some(path)) => {
                let Some(kit::value::Value::List(items)) = path.find(message.json()?) else {
                    return Err(Reason::Missing);
                };
                let mut all: Option<Verified> = None;
                for item in items {
                    let verified = check(endpoint, &message.at(item), clock, host)?;
                    match &mut all {
                        None => all = Some(verified),
                        Some(all) => all.digest.extend(verified.digest),
                    }
                }
                // An empty list has no signature at all.
                all.ok_or(Reason::Missing)
            }
        }
    }

    /// Compares the codes that were made while the body came.
    fn finish_stream(mut self, endpoint: &Endpoint, message: &Message<'_>) -> Result<Verified, Reason> {
        let scheme = &endpoint.scheme;
        if let Some((_, after)) = scheme.contents.first().and_then(Template::around_body) {
            self.write(endpoint, after, message)?;
        }
        let codes: Vec<Code> = self.macs.into_iter().map(Mac::finish).collect();
        if self.candidates.is_empty() {
            self.candidates = candidates(scheme, message)?;
        }
        let key = matching(&codes, &self.candidates).ok_or(Reason::Signature)?;
        Ok(Verified {
            key,
            id: (!self.id.is_empty()).then_some(self.id),
            digest: codes.first().map(|code| code.bytes().to_vec()).unwrap_or_default(),
        })
    }

    /// Adds parts of the content to every code.
    fn write(&mut self, endpoint: &Endpoint, parts: &[Part], message: &Message<'_>) -> Result<(), Reason> {
        let needs_id = parts.contains(&Part::Id);
        if needs_id && self.id.is_empty() {
            return Err(Reason::Malformed);
        }
        let uses_url = parts.iter().any(|part| matches!(part, Part::Url | Part::UrlDecoded));
        let url = if uses_url { endpoint.url.of(message) } else { Vec::new() };
        let meaning = Meaning { timestamp: &self.timestamp, id: &self.id, url: &url };
        let macs = &mut self.macs;
        template::write(parts, message, meaning, &mut |bytes| {
            macs.iter_mut().for_each(|mac| mac.update(bytes));
        })
    }
}

/// Returns the place of the first code that one of the candidates is.
fn matching(codes: &[Code], candidates: &[Vec<u8>]) -> Option<usize> {
    codes.iter().position(|code| candidates.iter().any(|candidate| code.is(candidate)))
}

/// Returns what may be the signature, decoded; what isn't written as one is left out, for others to be tried.
///
/// # Errors
///
/// There is none, or there are too many.
fn candidates(scheme: &Scheme, message: &Message<'_>) -> Result<Vec<Vec<u8>>, Reason> {
    let written = scheme.signature.source.all(message, scheme.signature.repeated)?;
    let most = match scheme.kind {
        KeyKind::Mac(_) | KeyKind::Secret => MOST_CODES,
        KeyKind::Ed25519 | KeyKind::Ecdsa | KeyKind::Set => MOST_SIGNATURES,
    };
    if most < written.len() {
        return Err(Reason::TooMany);
    }
    let candidates: Vec<Vec<u8>> = match scheme.kind {
        KeyKind::Secret | KeyKind::Set => written.into_iter().filter(|text| !text.is_empty()).collect(),
        KeyKind::Mac(_) | KeyKind::Ed25519 | KeyKind::Ecdsa => written
            .iter()
            .filter(|text| !text.is_empty())
            .filter_map(|text| scheme.signature.encoding.decode(text))
            .collect(),
    };
    if candidates.is_empty() { Err(Reason::Missing) } else { Ok(candidates) }
}

/// Returns the instant of a delivery as it is written, if it is near enough to now.
fn timestamp(endpoint: &Endpoint, message: &Message<'_>, clock: Clock<'_>) -> Result<Vec<u8>, Reason> {
    let Some(timestamp) = &endpoint.scheme.timestamp else {
        return Ok(Vec::new());
    };
    let text = timestamp.source.one(message)?.ok_or(Reason::Malformed)?;
    let at = timestamp.format.read(&text).ok_or(Reason::Malformed)?;
    endpoint.tolerance.judge(at, clock())?;
    Ok(text)
}

/// Checks a delivery, or one element of it, whose body is there as a whole.
fn check(
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
        let is = |secret: &kit::secret::Secret| {
            candidates.iter().any(|candidate| is_same(secret.bytes(), candidate))
        };
        let key = secrets.iter().position(is).ok_or(Reason::Signature)?;
        return Ok(Verified { key, id, digest: Vec::new() });
    }
    let url = endpoint.url.of(message);
    let urls = if scheme.any_port { url::with_any_port(&url) } else { vec![url] };
    for content in &scheme.contents {
        if content.has(|part| *part == Part::Id) && id.is_none() {
            return Err(Reason::Malformed);
        }
        for url in &urls {
            let meaning = Meaning { timestamp: &timestamp, id: id.as_deref().unwrap_or_default(), url };
            if let Some((key, digest)) =
                signs(&endpoint.keys, scheme, content, message, meaning, &candidates, host)?
            {
                return Ok(Verified { key, id, digest });
            }
        }
    }
    Err(Reason::Signature)
}

/// Returns the key that signed a content, and what was signed in short.
fn signs(
    keys: &Keys,
    scheme: &Scheme,
    content: &Template,
    message: &Message<'_>,
    meaning: Meaning<'_>,
    candidates: &[Vec<u8>],
    host: HostVerifier<'_>,
) -> Result<Option<(usize, Vec<u8>)>, Reason> {
    let mut text = Vec::new();
    let position = match keys {
        Keys::Macs(macs) => {
            let mut macs = macs.clone();
            template::write(content.parts(), message, meaning, &mut |bytes| {
                macs.iter_mut().for_each(|mac| mac.update(bytes));
            })?;
            let codes: Vec<Code> = macs.into_iter().map(Mac::finish).collect();
            let digest = codes.first().map(|code| code.bytes().to_vec()).unwrap_or_default();
            return Ok(matching(&codes, candidates).map(|key| (key, digest)));
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
    Ok(position.map(|key| (key, Sha256::digest(&text).to_vec())))
}

/// Holds a body that isn't signed itself against its signed digest.
fn check_body_hash(
    scheme: &Scheme,
    message: &Message<'_>,
    size: usize,
    hash: Option<&[u8]>,
) -> Result<(), Reason> {
    let Some(((source, encoding), hash)) = scheme.body_hash.as_ref().zip(hash) else {
        return Ok(());
    };
    let written = source.one(message)?;
    let covers = |content: &Template| {
        content.has(|part| *part == Part::Body)
            || (content.has(|part| *part == Part::FormParameters) && message.is_form())
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
