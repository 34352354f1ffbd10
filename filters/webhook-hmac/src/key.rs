//! Keys: from the words in which providers hand them out to what signatures are checked with.

use base64ct::{Base64, Base64Url, Base64UrlUnpadded, Encoding as _};
use kit::config::{Node, each};
use kit::secret::{self, Secret};
use kit::setup::Setup;
use kit::signature::{Curve, EcKey, Ed25519Key};
use sha1::{Digest, Sha1};

use crate::mac::{Mac, MacKind};

/// How a key is written.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum KeyForm {
    /// Its bytes are those of the text.
    Utf8,
    Base64,
    Hex,
    /// Base64, perhaps behind `whsec_`, `whsk_` or `whpk_` (Standard Webhooks).
    Whsec,
    /// The key is the SHA-1 of the text.
    Sha1,
}

/// The words for them.
pub(crate) const FORMS: [(&str, KeyForm); 5] = [
    ("utf8", KeyForm::Utf8),
    ("base64", KeyForm::Base64),
    ("hex", KeyForm::Hex),
    ("whsec", KeyForm::Whsec),
    ("sha1", KeyForm::Sha1),
];

/// The least that a secret has, in bytes: what is shorter can be found by trying.
const SHORTEST: usize = 16;

/// The least number of different bytes in a secret.
const LEAST_VARIED: usize = 5;

/// More secrets are not live at once; each one costs a code of the body.
pub(crate) const MOST_KEYS: usize = 8;

impl KeyForm {
    /// Returns the bytes of a key.
    pub(crate) fn decode(self, text: &str) -> Result<Vec<u8>, &'static str> {
        if text.trim() != text {
            return Err(
                "the secret begins or ends with white space, perhaps a line feed of `echo`: take `printf %s` instead",
            );
        }
        match self {
            Self::Utf8 => secret::utf8(text),
            Self::Base64 => secret::base64(text),
            Self::Hex => secret::hex(text),
            Self::Whsec => {
                let prefixes = ["whsec_", "whsk_", "whpk_"];
                let bare = prefixes.iter().find_map(|prefix| text.strip_prefix(prefix));
                secret::base64(bare.unwrap_or(text))
            }
            Self::Sha1 => secret::utf8(text).map(|text| Sha1::digest(text).to_vec()),
        }
    }
}

/// What the signatures of an endpoint are checked with, in the order of the configuration.
pub(crate) enum Keys {
    /// Codes that are prepared with secrets.
    Macs(Vec<Mac>),
    /// Secrets that are the signatures themselves.
    Secrets(Vec<Secret>),
    Ed25519(Vec<Ed25519Key>),
    Ecdsa(Vec<EcKey>),
    /// Keys by their ids.
    Set(Vec<(String, EcKey)>),
}

/// What kind of keys an algorithm takes.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum KeyKind {
    Mac(MacKind),
    Secret,
    Ed25519,
    Ecdsa,
    Set,
}

impl KeyKind {
    /// Returns the field of an endpoint that has such keys.
    pub(crate) fn field(self) -> &'static str {
        match self {
            Self::Mac(_) | Self::Secret => "secrets",
            Self::Ed25519 | Self::Ecdsa => "public_keys",
            Self::Set => "key_set",
        }
    }
}

impl Keys {
    /// Reads the keys of an endpoint.
    pub(crate) fn parse(node: &Node<'_>, setup: &Setup<'_>, kind: KeyKind, form: KeyForm) -> Option<Self> {
        match kind {
            KeyKind::Mac(kind) => {
                let secrets = secrets(node, setup, form)?;
                Some(Self::Macs(secrets.iter().filter_map(|secret| Mac::new(kind, secret.bytes())).collect()))
            }
            KeyKind::Secret => secrets(node, setup, form).map(Self::Secrets),
            KeyKind::Ed25519 => {
                public_keys(node, |text| Ed25519Key::new(&form.decode(text).map_err(in_words)?))
                    .map(Self::Ed25519)
            }
            KeyKind::Ecdsa => public_keys(node, |text| {
                EcKey::from_spki(Curve::P256, &form.decode(&without_armour(text)).map_err(in_words)?)
            })
            .map(Self::Ecdsa),
            KeyKind::Set => key_set(node).map(Self::Set),
        }
    }
}

/// Reads secrets, several of which may be live at once.
pub(crate) fn secrets(node: &Node<'_>, setup: &Setup<'_>, form: KeyForm) -> Option<Vec<Secret>> {
    let nodes = few(node)?;
    let secrets = each(&nodes, |node| secret(node, setup, form))?;
    for (index, (node, secret)) in nodes.iter().zip(&secrets).enumerate() {
        if secrets.iter().take(index).any(|earlier| earlier.equals(secret.bytes())) {
            node.refuse("is the same secret as one before it");
            return None;
        }
    }
    Some(secrets)
}

/// Reads a secret: `{env: NAME}`, and `allow_weak: true` for those of examples.
pub(crate) fn secret(node: &Node<'_>, setup: &Setup<'_>, form: KeyForm) -> Option<Secret> {
    let mut object = node.clone().confidential().object()?;
    let weak = object.optional("allow_weak").map_or(Some(false), |weak| weak.boolean());
    let weak = weak?;
    Secret::read(object, setup, |text| {
        let decoded = form.decode(text);
        let strong = weak || decoded.as_ref().map_or(true, |bytes| is_strong(text, bytes));
        Some(if strong { decoded } else { Err(WEAK) })
    })
}

const WEAK: &str = "the secret is weak: it has less than 16 bytes, or nearly all of them are alike, so it can be found by \
                    trying; make one with `openssl rand -hex 32` (for an example of a provider, write `allow_weak: true` \
                    beside it)";

fn is_strong(text: &str, bytes: &[u8]) -> bool {
    // A digest is as long as any other, however short the text.
    let shortest = text.len().min(bytes.len());
    let mut distinct: Vec<u8> = text.bytes().collect();
    distinct.sort_unstable();
    distinct.dedup();
    SHORTEST <= shortest && LEAST_VARIED <= distinct.len()
}

fn public_keys<T>(node: &Node<'_>, make: impl Fn(&str) -> Result<T, String>) -> Option<Vec<T>> {
    each(&few(node)?, |node| match make(node.non_empty_text()?) {
        Ok(key) => Some(key),
        Err(problem) => {
            node.refuse(format!("is not a public key of this algorithm: {problem}"));
            None
        }
    })
}

fn in_words(problem: &str) -> String {
    problem.replace("the secret", "it")
}

/// Returns the base64 of a key in PEM, or the text as it is.
fn without_armour(text: &str) -> String {
    text.lines().filter(|line| !line.starts_with("-----")).collect::<Vec<_>>().concat().trim().to_owned()
}

fn few<'a>(node: &Node<'a>) -> Option<Vec<Node<'a>>> {
    let nodes = node.non_empty_list()?;
    if MOST_KEYS < nodes.len() {
        node.refuse(format!("has {} keys; at most {MOST_KEYS} are tried", nodes.len()));
        return None;
    }
    Some(nodes)
}

/// Reads the keys of a JSON Web Key Set (RFC 7517 section 5): `{keys: [{kty: EC, crv: P-256, kid, x, y}]}`.
fn key_set(node: &Node<'_>) -> Option<Vec<(String, EcKey)>> {
    let mut object = node.object()?;
    let keys = object.required("keys").and_then(|keys| few(&keys));
    object.finish();
    let nodes = keys?;
    let keys = each(&nodes, jwk)?;
    for (index, (node, (kid, _))) in nodes.iter().zip(&keys).enumerate() {
        if keys.iter().take(index).any(|(earlier, _)| earlier == kid) {
            node.refuse(format!("another key is called {kid:?} as well"));
            return None;
        }
    }
    Some(keys)
}

/// Reads a key (RFC 7517 section 4). What issuers add to it is for others.
fn jwk(node: &Node<'_>) -> Option<(String, EcKey)> {
    let members = node.object()?.entries();
    let member = |name: &str| {
        let found = members.iter().find(|(known, _)| *known == name).map(|(_, member)| member.clone());
        if found.is_none() {
            node.refuse(format!("is no public key on P-256: it has no `{name}`"));
        }
        found
    };
    let kind = member("kty").and_then(|kind| kind.choice(&[("EC", ())]));
    let curve = member("crv").and_then(|curve| curve.choice(&[("P-256", ())]));
    let kid = member("kid").and_then(|kid| kid.non_empty_text().map(str::to_owned));
    let coordinate = |node: Node<'_>| {
        let decoded = Base64UrlUnpadded::decode_vec(node.text()?);
        if decoded.is_err() {
            node.refuse("is not base64url without padding");
        }
        decoded.ok()
    };
    let x = member("x").and_then(coordinate);
    let y = member("y").and_then(coordinate);
    let (_, _, kid, x, y) = (kind?, curve?, kid?, x?, y?);
    match EcKey::new(Curve::P256, &x, &y) {
        Ok(key) => Some((kid, key)),
        Err(problem) => {
            node.refuse(format!("is no key: {problem}"));
            None
        }
    }
}

/// Decodes base64 in its one canonical form.
pub(crate) fn base64(text: &[u8]) -> Option<Vec<u8>> {
    Base64::decode_vec(std::str::from_utf8(text).ok()?).ok()
}

/// Decodes base64url in its one canonical form, with padding or without.
pub(crate) fn base64url(text: &[u8]) -> Option<Vec<u8>> {
    let text = std::str::from_utf8(text).ok()?;
    if text.ends_with('=') {
        Base64Url::decode_vec(text).ok()
    } else {
        Base64UrlUnpadded::decode_vec(text).ok()
    }
}

/// Writes base64.
pub(crate) fn to_base64(bytes: &[u8]) -> String {
    Base64::encode_string(bytes)
}

/// Writes base64url without padding.
pub(crate) fn to_base64url(bytes: &[u8]) -> String {
    Base64UrlUnpadded::encode_string(bytes)
}
