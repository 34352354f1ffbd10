//! Which requests are signed, with what, and where the signature goes.

use ed25519_dalek::SigningKey;
use kit::config::{Node, or};
use kit::matcher::Matcher;
use kit::secret::Secret;
use kit::setup::Setup;
use kit::value::Value;

use crate::config::endpoint::key_id;
use crate::config::{DEFAULT_BODY, LARGEST_BODY, name};
use crate::key::{self, KeyKind};
use crate::mac::Mac;
use crate::preset::Presets;
use crate::scheme::Scheme;
use crate::source::Place;
use crate::template::Template;
use crate::timestamp::Format;
use crate::url::Url;

/// Requests that are signed, and how.
pub(crate) struct Signer {
    pub(crate) name: String,
    pub(crate) matcher: Matcher,
    pub(super) scheme: Scheme,
    pub(super) keys: SigningKeys,
    pub(super) url: Url,
    pub(crate) max_body: usize,
    /// The header that the signatures go into.
    pub(super) header: String,
    pub(super) timestamp: Option<(String, Format)>,
    pub(super) id: Option<String>,
}

/// What signatures are made with.
pub(super) enum SigningKeys {
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
