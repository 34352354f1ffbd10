//! The other direction: requests that go out get a signature, by the same description.

use ed25519_dalek::{Signer as _, SigningKey};
use kit::config::{Node, or};
use kit::exchange::Exchange;
use kit::header::{Field, Lookup};
use kit::host::Map;
use kit::matcher::Matcher;
use kit::secret::Secret;
use kit::setup::Setup;
use kit::value::Value;

use crate::config::endpoint::key_id;
use crate::config::{DEFAULT_BODY, LARGEST_BODY, name};
use crate::key::{self, KeyKind};
use crate::mac::Mac;
use crate::message::Message;
use crate::preset::Presets;
use crate::reason::Reason;
use crate::scheme::Scheme;
use crate::source::{List, Place};
use crate::template::{self, Meaning, Part, Template};
use crate::timestamp::Format;
use crate::url::Url;

/// Requests that are signed, and how.
pub(crate) struct Signer {
    pub(crate) name: String,
    pub(crate) matcher: Matcher,
    scheme: Scheme,
    keys: SigningKeys,
    url: Url,
    pub(crate) max_body: usize,
    /// The header that the signatures go into.
    header: String,
    timestamp: Option<(String, Format)>,
    id: Option<String>,
}

/// What signatures are made with.
enum SigningKeys {
    Macs(Vec<Mac>),
    Ed25519(Vec<SigningKey>),
}

/// What a preset has that is for deliveries that come in.
const INCOMING: [&str; 6] = ["methods", "tolerance", "replay", "handshake", "status", "malformed_status"];

impl Signer {
    /// Reads which requests are signed, and how.
    pub(crate) fn parse(node: &Node<'_>, presets: &Presets, setup: &Setup<'_>) -> Option<Self> {
        let written = node.value();
        let mut merged = presets.merge(node)?;
        if let Value::Object(fields) = &mut merged.value {
            fields.retain(|(name, _)| written.get(name).is_some() || !INCOMING.contains(&name.as_str()));
        }
        let node = &node.over(&merged.value);
        let mut object = node.object()?;
        let label = object.required("name").and_then(|node| name(&node));
        let matcher = or(object.optional("match"), Matcher::any(), Matcher::parse);
        let _ = object.optional("provider");
        let key_id = key_id(&mut object);
        let scheme_node = object.optional("scheme");
        let known_id = key_id.as_ref().and_then(Option::as_deref);
        let scheme = scheme_node.as_ref().and_then(|scheme| Scheme::parse(scheme, known_id));
        if !merged.is_refused {
            object.needs_one_of(&["scheme"], "needs `provider`, the name of a preset, or `scheme`");
        }
        let secrets_node = object.required("secrets");
        let url = or(object.optional("url"), Url::OfRequest, Url::parse);
        let max_body = or(object.optional("max_body"), DEFAULT_BODY, |size| size.size(0..=LARGEST_BODY));
        object.finish();
        let scheme = scheme?;
        let keys = secrets_node.and_then(|secrets| SigningKeys::parse(&secrets, setup, &scheme));
        let node = if merged.provider.is_some() { node.clone() } else { scheme_node? };
        let (header, timestamp, id) = places(&node, &scheme, keys.as_ref().map_or(1, SigningKeys::count))?;
        Some(Self {
            name: label?,
            matcher: matcher?,
            scheme,
            keys: keys?,
            url: url?,
            max_body: usize::try_from(max_body?).ok()?,
            header,
            timestamp,
            id,
        })
    }
}

/// A header for the signatures, perhaps one for the instant, perhaps one for the id.
type Places = (String, Option<(String, Format)>, Option<String>);

/// Returns the headers that a scheme puts things into. None if it puts them elsewhere, which is told.
fn places(node: &Node<'_>, scheme: &Scheme, keys: usize) -> Option<Places> {
    let first = |place: &Place| match place {
        Place::Headers(names) => names.first().cloned(),
        Place::Query(_) | Place::Form(_) | Place::Json(_) => None,
    };
    let refuse = |text: &str| {
        node.refuse(text);
        None
    };
    if scheme.items.is_some() || scheme.body_hash.is_some() || scheme.contents.len() != 1 {
        return refuse(
            "describes what can be checked, and not made: it has `each`, `body_hash` or several contents",
        );
    }
    if scheme.contents.iter().any(Template::reads_body) {
        return refuse("signs a part of the body; requests that go out are signed with all of it or none");
    }
    let Some(header) = first(&scheme.signature.source.place) else {
        return refuse("has the signature somewhere else than in a header, where it can't be put");
    };
    let list = scheme.signature.source.list.as_ref();
    if 1 < keys && list.is_none_or(|list| list.separator.is_empty()) {
        return refuse("has room for one signature, so give one secret");
    }
    let mut timestamp = None;
    if let Some(source) = &scheme.timestamp {
        match first(&source.source.place) {
            Some(name) => timestamp = Some((name, source.format)),
            None => {
                return refuse("has the timestamp somewhere else than in a header, where it can't be put");
            }
        }
    }
    let mut id = None;
    if let Some(source) = &scheme.id {
        match first(&source.place) {
            Some(name) => id = Some(name),
            None => return refuse("has the id somewhere else than in a header, where it can't be put"),
        }
    }
    Some((header, timestamp, id))
}

impl SigningKeys {
    fn parse(node: &Node<'_>, setup: &Setup<'_>, scheme: &Scheme) -> Option<Self> {
        let secrets = key::secrets(node, setup, scheme.key)?;
        match scheme.kind {
            KeyKind::Mac(kind) => {
                Some(Self::Macs(secrets.iter().filter_map(|secret| Mac::new(kind, secret.bytes())).collect()))
            }
            KeyKind::Ed25519 => {
                let keys: Option<Vec<SigningKey>> = secrets.iter().map(signing_key).collect();
                if keys.is_none() {
                    node.refuse("has a secret that is no Ed25519 key: 32 bytes, or 64 with the public key behind them");
                }
                keys.map(Self::Ed25519)
            }
            KeyKind::Ecdsa | KeyKind::Set | KeyKind::Secret => {
                node.refuse("is for an algorithm that this filter doesn't sign with: take HMAC or Ed25519");
                None
            }
        }
    }

    fn count(&self) -> usize {
        match self {
            Self::Macs(keys) => keys.len(),
            Self::Ed25519(keys) => keys.len(),
        }
    }
}

/// Makes a key of its seed (RFC 8032 section 5.1.5), behind which there may be the public key.
fn signing_key(secret: &Secret) -> Option<SigningKey> {
    match <&[u8; 64]>::try_from(secret.bytes()) {
        Ok(pair) => SigningKey::from_keypair_bytes(pair).ok(),
        Err(_) => <&[u8; 32]>::try_from(secret.bytes()).ok().map(SigningKey::from_bytes),
    }
}

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
        let id = signer.id.as_ref().map(|name| match exchange.header(name) {
            // Who tries again says by the id that it is the same.
            Field::One(id) if is_id(&id) => id,
            Field::Absent | Field::One(_) | Field::Many(_) => {
                format!("msg_{:016x}{:016x}", exchange.secret(), exchange.secret()).into_bytes()
            }
        });
        let mut signing = Self {
            macs: Vec::new(),
            body: Vec::new(),
            size: 0,
            timestamp: timestamp.unwrap_or_default().into_bytes(),
            id: id.unwrap_or_default(),
        };
        if let SigningKeys::Macs(keys) = &signer.keys {
            signing.macs.clone_from(keys);
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
                    signatures.extend(macs.into_iter().map(|mac| mac.finish().bytes().to_vec()));
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
