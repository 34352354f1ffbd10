//! How a provider signs: one description for all of them, in words that can be read and copied.

use kit::config::{Node, each, or};
use kit::value::Value;

use crate::key::{self, KeyForm, KeyKind};
use crate::mac::MacKind;
use crate::message::JsonPath;
use crate::source::{Place, Source, json_path};
use crate::template::{Part, Template};
use crate::timestamp::{FORMATS, Format};

/// How deliveries are signed.
#[derive(Debug)]
pub(crate) struct Scheme {
    pub(crate) kind: KeyKind,
    pub(crate) key: KeyForm,
    pub(crate) signature: Signature,
    pub(crate) timestamp: Option<TimestampSource>,
    pub(crate) id: Option<Source>,
    /// What is signed, one of these.
    pub(crate) contents: Vec<Template>,
    /// Whether the address may have another port, or none, than it has here.
    pub(crate) any_port: bool,
    /// Where the digest of a body is that isn't signed itself.
    pub(crate) body_hash: Option<(Source, Encoding)>,
    /// The list whose elements have signatures of their own.
    pub(crate) items: Option<JsonPath>,
    /// Whether what is signed is looked at as a whole, because anybody can have some texts signed by a handshake.
    pub(crate) looks_at_content: bool,
}

/// Where signatures are, and in which form.
#[derive(Debug)]
pub(crate) struct Signature {
    pub(crate) source: Source,
    pub(crate) encoding: Encoding,
    pub(crate) form: SignatureForm,
    /// Whether the header may occur several times.
    pub(crate) repeated: bool,
}

/// Where the instant is, and how it is written.
#[derive(Debug)]
pub(crate) struct TimestampSource {
    pub(crate) source: Source,
    pub(crate) format: Format,
}

/// How bytes are written.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Encoding {
    Hex,
    Base64,
    Base64Url,
}

const ENCODINGS: [(&str, Encoding); 3] =
    [("hex", Encoding::Hex), ("base64", Encoding::Base64), ("base64url", Encoding::Base64Url)];

/// How the two numbers of an ECDSA signature are joined.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum SignatureForm {
    Der,
    Raw,
}

const ALGORITHMS: [(&str, KeyKind); 9] = [
    ("hmac-sha1", KeyKind::Mac(MacKind::HmacSha1)),
    ("hmac-sha256", KeyKind::Mac(MacKind::HmacSha256)),
    ("hmac-sha384", KeyKind::Mac(MacKind::HmacSha384)),
    ("hmac-sha512", KeyKind::Mac(MacKind::HmacSha512)),
    ("sha256-secret", KeyKind::Mac(MacKind::Sha256Secret)),
    ("ed25519", KeyKind::Ed25519),
    ("ecdsa-p256", KeyKind::Ecdsa),
    ("jwt-es256", KeyKind::Set),
    ("shared-secret", KeyKind::Secret),
];

impl Scheme {
    /// Parses a scheme. `key_id` is what `{key_id}` stands for.
    pub(crate) fn parse(node: &Node<'_>, key_id: Option<&str>) -> Option<Self> {
        let mut object = node.object()?;
        let kind = object.required("algorithm").and_then(|algorithm| algorithm.choice(&ALGORITHMS));
        let key = or(object.optional("key"), KeyForm::Utf8, |key| key.choice(&key::FORMS));
        let signature = object.required("signature").and_then(|node| Signature::parse(&node, key_id));
        let timestamp_node = object.optional("timestamp");
        let timestamp =
            or(timestamp_node.clone(), None, |node| TimestampSource::parse(node, key_id).map(Some));
        let id = or(object.optional("id"), None, |node| source(node, key_id).map(Some));
        let content_node = object.optional("content");
        let contents = or(content_node.clone(), vec![Template::body()], |node| contents(node, key_id));
        let any_port = or(object.optional("any_port"), false, |any| any.boolean());
        let body_hash = or(object.optional("body_hash"), None, |node| body_hash(node, key_id).map(Some));
        let items_node = object.optional("each");
        let items = or(items_node.clone(), None, |path| json_path(path).map(Some));
        object.finish();
        let scheme = Self {
            kind: kind?,
            key: key?,
            signature: signature?,
            timestamp: timestamp?,
            id: id?,
            contents: contents?,
            any_port: any_port?,
            body_hash: body_hash?,
            items: items?,
            looks_at_content: false,
        };
        let uses = |part: &Part| scheme.contents.iter().any(|content| content.has(|has| has == part));
        let mut sound = true;
        let mut refuse = |node: &Node<'_>, text: &str| {
            node.refuse(text);
            sound = false;
        };
        if uses(&Part::Timestamp) && scheme.timestamp.is_none() {
            refuse(
                node,
                "signs a {timestamp}, but doesn't say where it is (example: timestamp: {header: x-timestamp})",
            );
        }
        if uses(&Part::Id) && scheme.id.is_none() {
            refuse(node, "signs an {id}, but doesn't say where it is (example: id: {header: x-id})");
        }
        if let (Some(node), KeyKind::Secret | KeyKind::Set) = (&content_node, scheme.kind) {
            refuse(node, "is for signatures of a content; with this algorithm there is none");
        }
        if let (Some(node), KeyKind::Set) = (&timestamp_node, scheme.kind) {
            refuse(node, "is the `iat` of the token with this algorithm");
        }
        if let (Some(node), false) = (&items_node, matches!(scheme.signature.source.place, Place::Json(_))) {
            refuse(node, "is for signatures in the elements of a JSON body: `signature: {json: ...}`");
        }
        sound.then_some(scheme)
    }

    /// Tells whether the codes of a body can be made while it comes.
    pub(crate) fn streams(&self) -> bool {
        let from_headers = |source: &Source| !source.is_in_body();
        matches!(self.kind, KeyKind::Mac(_))
            && self.contents.len() == 1
            && self.contents.iter().all(|content| content.around_body().is_some())
            && !self.any_port
            && self.timestamp.as_ref().is_none_or(|timestamp| from_headers(&timestamp.source))
            && self.id.as_ref().is_none_or(from_headers)
            && self.items.is_none()
            && !self.looks_at_content
    }

    /// Tells whether the body has to be kept until its end.
    pub(crate) fn keeps_body(&self) -> bool {
        let in_body = |source: &Source| source.is_in_body();
        let signs_content = matches!(self.kind, KeyKind::Mac(_) | KeyKind::Ed25519 | KeyKind::Ecdsa);
        (signs_content && !self.streams())
            || in_body(&self.signature.source)
            || self.timestamp.as_ref().is_some_and(|timestamp| in_body(&timestamp.source))
            || self.id.as_ref().is_some_and(in_body)
    }

    /// Tells whether a delivery may be recognised by what is signed: the same signature never covers two of them.
    pub(crate) fn signs_content(&self) -> bool {
        matches!(self.kind, KeyKind::Mac(_) | KeyKind::Ed25519 | KeyKind::Ecdsa)
    }

    /// Tells whether the signature is a token, which has a digest of the body.
    pub(crate) fn is_token(&self) -> bool {
        self.kind == KeyKind::Set
    }

    /// Returns the headers that a signature comes in, with its timestamp.
    pub(crate) fn headers(&self) -> impl Iterator<Item = &String> {
        let timestamp = self.timestamp.iter().flat_map(|timestamp| timestamp.source.headers());
        self.signature.source.headers().iter().chain(timestamp)
    }
}

impl Signature {
    fn parse(node: &Node<'_>, key_id: Option<&str>) -> Option<Self> {
        let mut object = node.object()?;
        let source = Source::parse(&mut object, node, key_id);
        let encoding = or(object.optional("encoding"), Encoding::Hex, |node| node.choice(&ENCODINGS));
        let form = or(object.optional("format"), SignatureForm::Der, |form| {
            form.choice(&[("der", SignatureForm::Der), ("raw", SignatureForm::Raw)])
        });
        let repeated = or(object.optional("repeated"), false, |repeated| repeated.boolean());
        object.finish();
        Some(Self { source: source?, encoding: encoding?, form: form?, repeated: repeated? })
    }
}

impl TimestampSource {
    fn parse(node: &Node<'_>, key_id: Option<&str>) -> Option<Self> {
        let mut object = node.object()?;
        let source = Source::parse(&mut object, node, key_id);
        let format = or(object.optional("format"), Format::Unix, |format| format.choice(&FORMATS));
        object.finish();
        Some(Self { source: source?, format: format? })
    }
}

/// Reads a source that is an object of its own.
pub(crate) fn source(node: &Node<'_>, key_id: Option<&str>) -> Option<Source> {
    let mut object = node.object()?;
    let source = Source::parse(&mut object, node, key_id);
    object.finish();
    source
}

fn body_hash(node: &Node<'_>, key_id: Option<&str>) -> Option<(Source, Encoding)> {
    let mut object = node.object()?;
    let source = Source::parse(&mut object, node, key_id);
    let encoding = or(object.optional("encoding"), Encoding::Hex, |node| node.choice(&ENCODINGS));
    object.finish();
    Some((source?, encoding?))
}

/// Reads one template, or several of which one is signed.
fn contents(node: &Node<'_>, key_id: Option<&str>) -> Option<Vec<Template>> {
    if !matches!(node.value(), Value::List(_)) {
        return Some(vec![Template::parse(node, key_id)?]);
    }
    let nodes = node.non_empty_list()?;
    if 4 < nodes.len() {
        node.refuse("has more than 4 templates");
        return None;
    }
    each(&nodes, |node| Template::parse(node, key_id))
}

impl Encoding {
    /// Decodes bytes. None if they aren't written in this way; of base64 there is only the canonical form.
    pub(crate) fn decode(self, text: &[u8]) -> Option<Vec<u8>> {
        match self {
            Self::Hex => kit::secret::hexadecimal(text),
            Self::Base64 => key::base64(text),
            Self::Base64Url => key::base64url(text),
        }
    }

    /// Writes bytes.
    pub(crate) fn encode(self, bytes: &[u8]) -> String {
        match self {
            Self::Hex => bytes.iter().map(|byte| format!("{byte:02x}")).collect(),
            Self::Base64 => key::to_base64(bytes),
            Self::Base64Url => key::to_base64url(bytes),
        }
    }
}
