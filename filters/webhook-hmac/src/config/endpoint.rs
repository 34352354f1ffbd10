//! An endpoint: where a provider sends its deliveries, and what is done with them.

use std::time::Duration;

use kit::config::{Node, Object, each, or};
use kit::matcher::Matcher;
use kit::secret::Secret;
use kit::setup::Setup;

use super::{DEFAULT_BODY, LARGEST_BODY, name};
use crate::handshake::Handshake;
use crate::key::{self, KeyForm, KeyKind, Keys};
use crate::preset::Presets;
use crate::replay::Replay;
use crate::scheme::Scheme;
use crate::timestamp::Tolerance;
use crate::url::Url;

/// Where a provider sends its deliveries.
pub(crate) struct Endpoint {
    pub(crate) name: String,
    pub(crate) matcher: Matcher,
    pub(crate) methods: Vec<String>,
    /// What the provider is called: its preset, or the name of the endpoint.
    pub(crate) provider: String,
    pub(crate) scheme: Scheme,
    pub(crate) keys: Keys,
    pub(crate) url: Url,
    pub(crate) tolerance: Tolerance,
    pub(crate) max_body: usize,
    pub(crate) replay: Option<Replay>,
    pub(crate) handshakes: Vec<Handshake>,
    /// What handshakes with a token must have.
    pub(crate) handshake_token: Option<Secret>,
    /// Whether the upstream doesn't see the headers that the signature came in.
    pub(crate) remove_signature: bool,
    /// The status of a refusal.
    pub(crate) status: u16,
    /// That of what has no readable signature at all.
    pub(crate) malformed_status: u16,
    /// Whether something inside of the body is looked at.
    pub(crate) keeps_body: bool,
    /// Whether the codes of the body are made while it comes.
    pub(crate) streams: bool,
}

const NO_SCHEME: &str =
    "needs `provider`, the name of a preset, or `scheme`, a description of how deliveries are signed";

impl Endpoint {
    /// Reads an endpoint, with what its preset adds.
    pub(super) fn parse(node: &Node<'_>, presets: &Presets, setup: &Setup<'_>) -> Option<Self> {
        let merged = presets.merge(node)?;
        let node = &node.over(&merged.value);
        let mut object = node.object()?;
        let name = object.required("name").and_then(|node| name(&node));
        let matcher = or(object.optional("match"), Matcher::any(), Matcher::parse);
        let methods = or(object.optional("methods"), vec!["POST".to_owned()], methods);
        // Its own value is in `merged`.
        let _ = object.optional("provider");
        let key_id = key_id(&mut object);
        let known_id = key_id.as_ref().and_then(Option::as_deref);
        let scheme = object.optional("scheme").map(|scheme| Scheme::parse(&scheme, known_id));
        if !merged.is_refused {
            object.needs_one_of(&["scheme"], NO_SCHEME);
        }
        let scheme = scheme.flatten();
        let keys = keys(&mut object, node, scheme.as_ref(), setup);
        let url = or(object.optional("url"), Url::OfRequest, Url::parse);
        let tolerance_node = object.optional("tolerance");
        let tolerance = or(tolerance_node.clone(), Tolerance::DEFAULT, Tolerance::parse);
        let max_body = or(object.optional("max_body"), DEFAULT_BODY, |size| size.size(0..=LARGEST_BODY));
        let replay_node = object.optional("replay");
        let replay = scheme
            .as_ref()
            .zip(tolerance)
            .map(|(scheme, tolerance)| Replay::parse(replay_node.as_ref(), scheme, tolerance, known_id));
        let handshakes = or(object.optional("handshake"), Vec::new(), |node| {
            Handshake::parse_all(node, scheme.as_ref(), known_id)
        });
        let token_node = object.optional("handshake_token");
        let handshake_token =
            or(token_node.clone(), None, |token| key::secret(token, setup, KeyForm::Utf8).map(Some));
        let remove_signature = or(object.optional("remove_signature"), false, |remove| remove.boolean());
        let status = or(object.optional("status"), 401, |status| status.integer(400..=599));
        let malformed_status =
            or(object.optional("malformed_status"), status.unwrap_or_default(), |status| {
                status.integer(400..=599)
            });
        object.finish();
        let (mut scheme, mut handshakes) = (scheme?, handshakes?);
        let has_time = scheme.timestamp.is_some() || scheme.kind == KeyKind::Set;
        if let (Some(node), false) = (&tolerance_node, has_time) {
            node.refuse("is about a timestamp, and the scheme has none");
            return None;
        }
        let handshake_token = handshake_token?;
        if let (Some(node), false) = (&token_node, handshakes.iter().any(Handshake::has_token)) {
            node.refuse("is for a handshake that has a token, and there is none");
            return None;
        }
        // Whoever doesn't know the token is not to be answered, and without one everybody would know it.
        handshakes.retain(|handshake| !handshake.has_token() || handshake_token.is_some());
        scheme.looks_at_content = handshakes.iter().any(Handshake::signs_for_anybody);
        let replay = replay??;
        let keeps_body = scheme.keeps_body()
            || handshakes.iter().any(Handshake::reads_body)
            || replay.as_ref().is_some_and(Replay::reads_body);
        let name = name?;
        Some(Self {
            provider: merged.provider.unwrap_or_else(|| name.clone()),
            name,
            matcher: matcher?,
            methods: methods?,
            keys: keys?,
            url: url?,
            tolerance: tolerance?,
            max_body: usize::try_from(max_body?).ok()?,
            replay,
            handshakes,
            handshake_token,
            remove_signature: remove_signature?,
            status: u16::try_from(status?).ok()?,
            malformed_status: u16::try_from(malformed_status?).ok()?,
            keeps_body,
            streams: scheme.streams(),
            scheme,
        })
    }
}

/// Reads what `{key_id}` stands for. Some if there is nothing.
pub(crate) fn key_id(object: &mut Object<'_>) -> Option<Option<String>> {
    or(object.optional("key_id"), None, |node| {
        let text = node.non_empty_text()?;
        if !text.bytes().all(|byte| byte.is_ascii_graphic()) {
            node.refuse("must be printable ASCII without spaces");
            return None;
        }
        Some(Some(text.to_owned()))
    })
}

/// Reads the keys from the field that is for this scheme, and refuses the others.
fn keys(
    object: &mut Object<'_>,
    node: &Node<'_>,
    scheme: Option<&Scheme>,
    setup: &Setup<'_>,
) -> Option<Keys> {
    let mut found = None;
    for field in FIELDS {
        let wanted = scheme.is_some_and(|scheme| scheme.kind.field() == field);
        match (object.optional(field), scheme) {
            (Some(keys), Some(scheme)) if wanted => {
                found = Some(Keys::parse(&keys, setup, scheme.kind, scheme.key));
            }
            (Some(other), Some(scheme)) => {
                other.refuse(format!("is not what the scheme takes; give `{}`", scheme.kind.field()));
            }
            // Whoever gave another one has been told already.
            (None, Some(scheme)) if wanted && !FIELDS.iter().any(|field| object.has(field)) => {
                node.refuse(format!("needs `{}`: {}", scheme.kind.field(), example(scheme.kind)));
            }
            (Some(_) | None, _) => {}
        }
    }
    found.flatten()
}

/// The fields of an endpoint for keys, one of which a scheme takes.
const FIELDS: [&str; 3] = ["secrets", "public_keys", "key_set"];

fn example(kind: KeyKind) -> &'static str {
    match kind {
        KeyKind::Mac(_) | KeyKind::Secret => {
            "what the provider signs with (example: secrets: [{env: STRIPE_SECRET}])"
        }
        KeyKind::Ed25519 | KeyKind::Ecdsa => {
            "the keys that the provider shows to everybody, as texts in a list"
        }
        KeyKind::Set => {
            "the keys of the provider (example: key_set: {keys: [{kty: EC, crv: P-256, kid: ..., x: ..., y: ...}]})"
        }
    }
}

/// Reads methods, exactly as requests spell them (RFC 9110 section 9.1).
fn methods(node: &Node<'_>) -> Option<Vec<String>> {
    each(&node.non_empty_list()?, |node| {
        let method = node.non_empty_text()?;
        if !method.bytes().all(|byte| byte.is_ascii_uppercase() || byte == b'-') {
            node.refuse(format!("{method:?} is no method in capital letters (examples: POST, GET)"));
            return None;
        }
        Some(method.to_owned())
    })
}

/// The longest that anything is remembered.
pub(crate) const LONGEST_WINDOW: Duration = Duration::from_secs(7 * 86_400);
