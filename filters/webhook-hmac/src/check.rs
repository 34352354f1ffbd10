//! The check of a delivery: what is read of it while its body comes, and what is found at the end.

use kit::header::Lookup;
use kit::signature::HostVerifier;
use kit::time::Timestamp;
use sha2::{Digest, Sha256};

use self::whole::{candidates, check, check_body_hash, matching, timestamp};
use crate::config::Endpoint;
use crate::jwt;
use crate::key::{KeyKind, Keys};
use crate::mac::Mac;
use crate::message::Message;
use crate::reason::{Detail, Reason};
use crate::template::{self, Meaning, Part, Template};

mod whole;

/// What tells the time, which not every scheme asks for.
pub(crate) type Clock<'a> = &'a dyn Fn() -> Timestamp;

/// What was found of a genuine delivery.
pub(crate) struct Verified {
    /// The number of the key that made the signature, in the order of the configuration.
    pub(crate) key: usize,
    /// The id that the scheme names.
    pub(crate) id: Option<Vec<u8>>,
    /// Each thing that is signed, in short, in a way for each live key: two deliveries have one of these in common only if
    /// the same was signed. So what came before a change of keys is still known after it.
    pub(crate) digests: Vec<Vec<Vec<u8>>>,
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
    pub(crate) fn begin(
        endpoint: &Endpoint,
        request: &dyn Lookup,
        clock: Clock<'_>,
    ) -> Result<Box<Self>, Reason> {
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
        if let (Keys::Macs(keys), true) = (&endpoint.keys, endpoint.streams) {
            reading.macs = keys.clone();
            if let Some((before, _)) = scheme.contents.first().and_then(Template::around_body) {
                reading.write(endpoint, before, &message)?;
            }
        }
        Ok(reading)
    }

    /// Prepares to read a body of which the headers can't tell yet what it is.
    pub(crate) fn unread(endpoint: &Endpoint) -> Box<Self> {
        let scheme = &endpoint.scheme;
        let hashes = scheme.body_hash.is_some() || scheme.kind == KeyKind::Set;
        Box::new(Self {
            candidates: Vec::new(),
            macs: Vec::new(),
            hash: hashes.then(Sha256::new),
            body: Vec::new(),
            keeps: endpoint.keeps_body,
            size: 0,
            timestamp: Vec::new(),
            id: Vec::new(),
        })
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
            (Keys::Macs(_), None) if endpoint.streams => self.finish_stream(endpoint, message, clock),
            (Keys::Set(keys), _) => {
                let hash = self.hash.map(|hash| hash.finalize().to_vec()).unwrap_or_default();
                let key = jwt::check(endpoint, keys, message, &hash, clock, host)?;
                Ok(Verified { key, id: None, digests: vec![vec![hash]] })
            }
            (_, None) => {
                let hash = self.hash.map(|hash| hash.finalize().to_vec());
                let verified = check(endpoint, message, clock, host)?;
                check_body_hash(endpoint, message, self.size, hash.as_deref())?;
                Ok(verified)
            }
            (_, Some(path)) => {
                let hash = self.hash.map(|hash| hash.finalize().to_vec());
                let Some(kit::value::Value::List(items)) = path.find(message.json()?)? else {
                    return Err(Reason::Missing);
                };
                let mut all: Option<Verified> = None;
                for item in items {
                    let verified = check(endpoint, &message.at(item), clock, host)?;
                    match &mut all {
                        None => all = Some(verified),
                        Some(all) => all.digests.extend(verified.digests),
                    }
                }
                check_body_hash(endpoint, message, self.size, hash.as_deref())?;
                // An empty list has no signature at all.
                all.ok_or(Reason::Missing)
            }
        }
    }

    /// Compares the codes that were made while the body came.
    fn finish_stream(
        mut self,
        endpoint: &Endpoint,
        message: &Message<'_>,
        clock: Clock<'_>,
    ) -> Result<Verified, Reason> {
        let scheme = &endpoint.scheme;
        // It was in time when its headers came. Its body may have taken longer than it may be remembered.
        timestamp(endpoint, message, clock)?;
        if let Some((_, after)) = scheme.contents.first().and_then(Template::around_body) {
            self.write(endpoint, after, message)?;
        }
        if self.candidates.is_empty() {
            self.candidates = candidates(scheme, message)?;
        }
        let (key, codes) = matching(self.macs, &self.candidates).ok_or(Reason::Signature)?;
        Ok(Verified { key, id: (!self.id.is_empty()).then_some(self.id), digests: vec![codes] })
    }

    /// Adds parts of the content to every code.
    fn write(&mut self, endpoint: &Endpoint, parts: &[Part], message: &Message<'_>) -> Result<(), Reason> {
        let needs_id = parts.contains(&Part::Id);
        if needs_id && self.id.is_empty() {
            return Err(Reason::Malformed(Detail::Id));
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
