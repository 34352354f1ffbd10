//! The other direction: requests that go out get a signature, by the same description.

use ed25519_dalek::Signer as _;
use kit::exchange::Exchange;
use kit::header::{Field, Lookup};
use kit::host::Map;

use self::signer::SigningKeys;
use crate::mac::Mac;
use crate::message::Message;
use crate::reason::{Detail, Reason};
use crate::source::List;
use crate::template::{self, Meaning, Part, Template};

pub(crate) use self::signer::Signer;

mod signer;

/// What is known of a request while its body comes.
pub(crate) struct Signing {
    macs: Vec<Mac>,
    body: Vec<u8>,
    size: usize,
    timestamp: Vec<u8>,
    id: Vec<u8>,
}

impl Signing {
    /// Prepares to sign a request: with the time, and with its id or a new one.
    pub(crate) fn begin(signer: &Signer, exchange: &Exchange<'_>) -> Result<Self, Reason> {
        let timestamp = signer.timestamp.as_ref().map(|(_, format)| format.write(exchange.now()));
        let id = match signer.id.as_ref().map(|name| exchange.header(name)) {
            None => Vec::new(),
            // Who tries again says by the id that it is the same.
            Some(Field::One(id)) if is_id(&id) => id,
            // What can't be told to others isn't replaced: each try would be another event.
            Some(Field::One(id)) if !id.is_empty() => return Err(Reason::Malformed(Detail::Id)),
            Some(Field::Many(_)) => return Err(Reason::Duplicate),
            Some(Field::Absent | Field::One(_)) => {
                format!("msg_{:016x}{:016x}", exchange.secret(), exchange.secret()).into_bytes()
            }
        };
        let mut signing = Self {
            macs: Vec::new(),
            body: Vec::new(),
            size: 0,
            timestamp: timestamp.unwrap_or_default().into_bytes(),
            id,
        };
        if let SigningKeys::Macs(keys) = &signer.keys {
            signing.macs = keys.clone();
            let content = signer.scheme.contents.first();
            if let Some((before, _)) = content.and_then(Template::around_body) {
                signing.write(signer, before, exchange)?;
            }
        }
        Ok(signing)
    }

    /// Takes the next piece of the body.
    pub(crate) fn update(&mut self, signer: &Signer, bytes: &[u8]) {
        self.size = self.size.saturating_add(bytes.len());
        let streams = signer.scheme.contents.first().is_some_and(|content| content.around_body().is_some());
        match &signer.keys {
            SigningKeys::Macs(_) if streams => self.macs.iter_mut().for_each(|mac| mac.update(bytes)),
            SigningKeys::Macs(_) | SigningKeys::Ed25519(_) => self.body.extend_from_slice(bytes),
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

    /// Signs the request, all of which is there.
    pub(crate) fn finish(mut self, signer: &Signer, exchange: &mut Exchange<'_>) -> Result<(), Reason> {
        let mut signatures: Vec<Vec<u8>> = Vec::new();
        if let Some(content) = signer.scheme.contents.first() {
            match &signer.keys {
                SigningKeys::Macs(_) => {
                    let rest = content.around_body().map_or(content.parts(), |(_, after)| after);
                    self.write(signer, rest, exchange)?;
                    let macs = std::mem::take(&mut self.macs);
                    signatures.extend(macs.into_iter().map(|mac| mac.finish().into_bytes()));
                }
                SigningKeys::Ed25519(keys) => {
                    let mut text = Vec::new();
                    self.write_to(signer, content.parts(), exchange, &mut |bytes| {
                        text.extend_from_slice(bytes)
                    })?;
                    signatures.extend(keys.iter().map(|key| key.sign(&text).to_bytes().to_vec()));
                }
            }
        }
        let source = &signer.scheme.signature.source;
        let encoding = signer.scheme.signature.encoding;
        let mut items = Vec::new();
        if let (Some((name, _)), Some(timestamp)) = (&signer.timestamp, &signer.scheme.timestamp) {
            let text = item(timestamp.source.list.as_ref(), &timestamp.source.prefix, &self.timestamp);
            if *name == signer.header {
                items.push(text)
            } else {
                exchange.set_header(Map::Request, name, &text)
            }
        }
        let encoded = |signature: &Vec<u8>| encoding.encode(signature).into_bytes();
        items.extend(
            signatures
                .iter()
                .map(|signature| item(source.list.as_ref(), &source.prefix, &encoded(signature))),
        );
        let separator = source.list.as_ref().map_or("", |list| list.separator.as_str());
        if let Some(name) = &signer.id {
            exchange.set_header(Map::Request, name, &self.id);
        }
        exchange.set_header(Map::Request, &signer.header, &items.join(separator.as_bytes()));
        Ok(())
    }

    fn write(&mut self, signer: &Signer, parts: &[Part], request: &Exchange<'_>) -> Result<(), Reason> {
        let mut macs = std::mem::take(&mut self.macs);
        let written = self.write_to(signer, parts, request, &mut |bytes| {
            macs.iter_mut().for_each(|mac| mac.update(bytes));
        });
        self.macs = macs;
        written
    }

    fn write_to(
        &self,
        signer: &Signer,
        parts: &[Part],
        request: &Exchange<'_>,
        sink: &mut dyn FnMut(&[u8]),
    ) -> Result<(), Reason> {
        let message = Message::new(request, &self.body);
        let uses_url = parts.iter().any(|part| matches!(part, Part::Url | Part::UrlDecoded));
        let url = if uses_url { signer.url.of(&message) } else { Vec::new() };
        let meaning = Meaning { timestamp: &self.timestamp, id: &self.id, url: &url };
        template::write(parts, &message, meaning, sink)
    }
}

/// Writes an item of a list.
fn item(list: Option<&List>, prefix: &str, value: &[u8]) -> Vec<u8> {
    match list.and_then(|list| list.named.as_ref()) {
        Some((assign, name)) => [name.as_bytes(), assign.as_bytes(), prefix.as_bytes(), value].concat(),
        None => [prefix.as_bytes(), value].concat(),
    }
}

/// Tells whether something may be told to others as an id: it goes into headers and access logs.
pub(crate) fn is_id(bytes: &[u8]) -> bool {
    (1..=256).contains(&bytes.len()) && bytes.iter().all(u8::is_ascii_graphic)
}
