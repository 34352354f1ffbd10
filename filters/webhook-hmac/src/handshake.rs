//! Handshakes: what a provider asks before it sends anything, answered in place.

use kit::config::{Node, each, or};
use kit::reply::Reply;

use self::answer::{Answer, CHALLENGE, SIGNATURE};
use crate::config::Endpoint;
use crate::key::{KeyKind, Keys};
use crate::mac::MacKind;
use crate::message::Message;
use crate::reason::{Detail, Reason};
use crate::scheme::{self, Encoding, Scheme};
use crate::source::{Place, Source};

mod answer;

/// A question of a provider, and its answer. Nothing of it reaches the upstream.
#[derive(Debug)]
pub(crate) struct Handshake {
    pub(crate) method: String,
    /// What must hold, so that a request is this question.
    when: Vec<Condition>,
    /// Whether it is answered only if it is signed.
    pub(crate) is_signed: bool,
    /// Where the token is that it must have.
    token: Option<Source>,
    challenge: Option<Challenge>,
    answer: Answer,
}

/// What must be in a request.
#[derive(Debug)]
struct Condition {
    source: Source,
    /// Exactly this; anything if there is none.
    equals: Option<String>,
}

/// What is given back.
#[derive(Debug)]
struct Challenge {
    source: Source,
    is_hex: bool,
    least: usize,
    most: usize,
}

impl Handshake {
    /// Reads a list of handshakes, or `off`.
    pub(crate) fn parse_all(
        node: &Node<'_>,
        scheme: Option<&Scheme>,
        key_id: Option<&str>,
    ) -> Option<Vec<Self>> {
        if node.value().is_off() {
            return Some(Vec::new());
        }
        each(&node.non_empty_list()?, |node| Self::parse(node, scheme, key_id))
    }

    fn parse(node: &Node<'_>, scheme: Option<&Scheme>, key_id: Option<&str>) -> Option<Self> {
        let mut object = node.object()?;
        // For readers.
        let name = object.optional("name").map(|name| name.name());
        let method = or(object.optional("method"), "POST".to_owned(), |node| {
            node.choice(&[("POST", "POST"), ("GET", "GET"), ("OPTIONS", "OPTIONS")]).map(str::to_owned)
        });
        let when = or(object.optional("when"), Vec::new(), |when| {
            each(&when.list()?, |node| Condition::parse(node, key_id))
        });
        let is_signed = or(object.optional("signed"), true, |signed| signed.boolean());
        let token = or(object.optional("token"), None, |node| scheme::source(node, key_id).map(Some));
        let challenge =
            or(object.optional("challenge"), None, |node| Challenge::parse(node, key_id).map(Some));
        let answer_node = object.required("respond");
        let answer = answer_node.as_ref().and_then(|node| Answer::parse(node, key_id));
        object.finish();
        let handshake = Self {
            method: method?,
            when: when?,
            is_signed: is_signed?,
            token: token?,
            challenge: challenge?,
            answer: answer?,
        };
        name.map_or(Some(""), |name| name)?;
        let answer_node = answer_node?;
        let needs_code = handshake.answer.has(SIGNATURE);
        if (needs_code || handshake.answer.has(CHALLENGE)) && handshake.challenge.is_none() {
            answer_node.refuse("gives back a challenge, and the handshake doesn't say where it is (example: challenge: {json: challenge})");
            return None;
        }
        if needs_code && !scheme.is_none_or(|scheme| matches!(scheme.kind, KeyKind::Mac(_))) {
            answer_node
                .refuse("has a {signature}, which takes a secret to make; the scheme has none that signs");
            return None;
        }
        let is_extended = |scheme: &Scheme| scheme.kind == KeyKind::Mac(MacKind::Sha256Secret);
        let is_hex = handshake.challenge.as_ref().is_some_and(|challenge| challenge.is_hex);
        if handshake.signs_for_anybody() && (!is_hex || scheme.is_some_and(is_extended)) {
            answer_node.refuse(
                "has a {signature} that anybody can ask for, so it must sign nothing that could be a delivery; that takes \
                 HMAC, and a challenge of `characters: hex` (or `signed: true`, or a `token`)",
            );
            return None;
        }
        Some(handshake)
    }

    /// Tells whether anybody gets a code for a challenge of his choice.
    pub(crate) fn signs_for_anybody(&self) -> bool {
        !self.is_signed && self.token.is_none() && self.answer.has(SIGNATURE)
    }

    /// Tells whether anybody can get the code of this text.
    pub(crate) fn signs(&self, text: &[u8]) -> bool {
        self.signs_for_anybody() && self.challenge.as_ref().is_some_and(|challenge| challenge.may_be(text))
    }

    pub(crate) fn has_token(&self) -> bool {
        self.token.is_some()
    }

    /// Tells whether something of it is in the body.
    pub(crate) fn reads_body(&self) -> bool {
        let challenge = self.challenge.iter().map(|challenge| &challenge.source);
        let mut sources =
            self.when.iter().map(|condition| &condition.source).chain(&self.token).chain(challenge);
        sources.any(Source::is_in_body)
    }

    /// Tells whether a request whose body isn't there yet could turn out to be this question.
    pub(crate) fn may_fit(&self, message: &Message<'_>) -> bool {
        self.method.as_bytes() == message.pseudo(":method").as_ref()
            && self.when.iter().all(|condition| match condition.source.place {
                Place::Json(_) => true,
                Place::Form(_) => message.is_form(),
                Place::Headers(_) | Place::Query(_) => condition.holds(message),
            })
    }

    /// Tells whether a request is this question.
    pub(crate) fn fits(&self, message: &Message<'_>) -> bool {
        self.method.as_bytes() == message.pseudo(":method").as_ref()
            && self.when.iter().all(|condition| condition.holds(message))
    }

    /// Answers a request that is this question.
    pub(crate) fn answer(&self, endpoint: &Endpoint, message: &Message<'_>) -> Result<Reply, Reason> {
        if let Some(source) = &self.token {
            let given = source.one(message)?.unwrap_or_default();
            if !endpoint.handshake_token.as_ref().is_some_and(|token| token.equals(&given)) {
                return Err(Reason::Token);
            }
        }
        let challenge = match &self.challenge {
            Some(challenge) => challenge.read(message)?,
            None => String::new(),
        };
        let code = match (&endpoint.keys, self.answer.has(SIGNATURE)) {
            (Keys::Macs(macs), true) => macs.first().map(|mac| {
                let mut mac = mac.clone();
                mac.update(challenge.as_bytes());
                Encoding::Hex.encode(&mac.finish().into_bytes())
            }),
            _ => None,
        };
        Ok(self.answer.fill(&challenge, &code.unwrap_or_default()))
    }
}

impl Condition {
    fn parse(node: &Node<'_>, key_id: Option<&str>) -> Option<Self> {
        let mut object = node.object()?;
        let source = Source::parse(&mut object, node, key_id);
        let equals = object.optional("equals").map(|text| text.text().map(str::to_owned));
        let present = object.optional("present").map(|present| present.boolean());
        object.needs_one_of(&["equals", "present"], "needs `equals: <text>` or `present: true`");
        object.finish();
        match (equals, present) {
            (Some(equals), None) => Some(Self { source: source?, equals: Some(equals?) }),
            (None, Some(present)) => {
                if !present? {
                    node.refuse("must be `present: true`: a handshake is recognised by what is there");
                    return None;
                }
                Some(Self { source: source?, equals: None })
            }
            (Some(_), Some(_)) => {
                node.refuse("has both `equals` and `present`; give one");
                None
            }
            (None, None) => None,
        }
    }

    fn holds(&self, message: &Message<'_>) -> bool {
        match (self.source.one(message), &self.equals) {
            (Ok(Some(value)), Some(equals)) => value == equals.as_bytes(),
            (Ok(Some(_)), None) => true,
            (Ok(None) | Err(_), _) => false,
        }
    }
}

impl Challenge {
    fn parse(node: &Node<'_>, key_id: Option<&str>) -> Option<Self> {
        let mut object = node.object()?;
        let source = Source::parse(&mut object, node, key_id);
        let is_hex = or(object.optional("characters"), false, |characters| {
            characters.choice(&[("text", false), ("hex", true)])
        });
        let least = or(object.optional("min"), 1, |least| least.integer(1..=LONGEST_CHALLENGE));
        let most = or(object.optional("max"), LONGEST_CHALLENGE, |most| {
            most.integer(least.unwrap_or(1)..=LONGEST_CHALLENGE)
        });
        object.finish();
        Some(Self {
            source: source?,
            is_hex: is_hex?,
            least: usize::try_from(least?).ok()?,
            most: usize::try_from(most?).ok()?,
        })
    }

    /// Returns the challenge. It goes back into a header or a page, so it is visible ASCII and nothing else.
    fn read(&self, message: &Message<'_>) -> Result<String, Reason> {
        let bytes = self.source.one(message)?.ok_or(Reason::Malformed(Detail::Challenge))?;
        if !self.may_be(&bytes) {
            return Err(Reason::Malformed(Detail::Challenge));
        }
        String::from_utf8(bytes).or(Err(Reason::Malformed(Detail::Challenge)))
    }

    /// Tells whether these bytes may be a challenge.
    fn may_be(&self, bytes: &[u8]) -> bool {
        let is_sound: fn(&u8) -> bool =
            if self.is_hex { u8::is_ascii_hexdigit } else { u8::is_ascii_graphic };
        (self.least..=self.most).contains(&bytes.len()) && bytes.iter().all(is_sound)
    }
}

const LONGEST_CHALLENGE: u64 = 1024;
