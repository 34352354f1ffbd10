//! Variants that testers ask for, with a header or a cookie, and a token if there is one.

use kit::config::{Node, or};
use kit::exchange::Exchange;
use kit::header::{Field, Found, Lookup as _, parse_own_name};
use kit::key::cookie;
use kit::secret::Secret;
use kit::setup::Setup;

use crate::cookie::cookie_name;
use crate::variant::{FORCES, Variant};

/// Who may ask for a variant, and how.
#[derive(Debug)]
pub(crate) struct Force {
    /// The header that says which.
    pub(crate) header: Option<String>,
    /// The cookie that does, where the header doesn't.
    cookie: Option<String>,
    token: Option<Token>,
}

/// What testers know.
#[derive(Debug)]
struct Token {
    secret: Secret,
    /// The header that says it.
    header: String,
}

/// What a request asks for.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Asked {
    /// Nothing.
    Nothing,
    /// The variant with this place.
    For(usize),
    /// Something that isn't there, or without the right token.
    Refused,
}

impl Force {
    /// Reads who may ask.
    pub(crate) fn parse(node: &Node<'_>, setup: &Setup<'_>) -> Option<Self> {
        let mut object = node.object()?;
        let name = |node: Option<Node<'_>>, example: &str| {
            or(node, None, |node| parse_own_name(node, example).map(Some))
        };
        let header = name(object.optional("header"), "x-canary");
        let cookie = or(object.optional("cookie"), None, |cookie| cookie_name(cookie).map(Some));
        let token = or(object.optional("token"), None, |token| Secret::parse(token, setup).map(Some));
        let token_node = object.optional("token_header");
        let token_header = name(token_node.clone(), "x-canary-token");
        object.needs_one_of(&["header", "cookie"], "needs a header, a cookie, or both, by which testers ask");
        object.finish();
        let (header, token, token_header) = (header?, token?, token_header?);
        if let Some(node) = token_node.filter(|_| token.is_none()) {
            node.refuse("is for a `token`, and there is none");
            return None;
        }
        let token_header = token_header.unwrap_or_else(|| "x-canary-token".to_owned());
        if token.is_some() && header.as_ref() == Some(&token_header) {
            node.refuse("has the same name for its `header` and its `token_header`");
            return None;
        }
        Some(Self {
            header,
            cookie: cookie?,
            token: token.map(|secret| Token { secret, header: token_header }),
        })
    }

    /// Returns the headers that are for nobody behind.
    pub(crate) fn headers(&self) -> impl Iterator<Item = &str> {
        let token = self.token.as_ref().map(|token| token.header.as_str());
        self.header.as_deref().into_iter().chain(token)
    }

    /// Finds out what a request asks for.
    pub(crate) fn asked(&self, exchange: &Exchange<'_>, variants: &[Variant]) -> Asked {
        let asked = match self.header.as_ref().map(|name| exchange.find(name)) {
            Some(Found::One(value)) => place(value.trim_ascii(), variants),
            Some(Found::Many) => None,
            Some(Found::Absent) | None => match &self.cookie {
                Some(name) if exchange.find("cookie") != Found::Absent => {
                    match cookie::field(&exchange.header("cookie"), name) {
                        Field::Absent => return Asked::Nothing,
                        Field::One(value) => place(&value, variants),
                        Field::Many(_) => None,
                    }
                }
                Some(_) | None => return Asked::Nothing,
            },
        };
        match asked {
            Some(place) if self.token.as_ref().is_none_or(|token| token.is_said(exchange)) => {
                Asked::For(place)
            }
            Some(_) | None => Asked::Refused,
        }
    }
}

impl Token {
    fn is_said(&self, exchange: &Exchange<'_>) -> bool {
        matches!(exchange.find(&self.header), Found::One(said) if self.secret.equals(&said))
    }
}

/// Returns the place of the variant that is asked for; none if it isn't there.
fn place(text: &[u8], variants: &[Variant]) -> Option<usize> {
    let [always, never] = FORCES;
    if text == always.as_bytes() {
        return Some(1);
    }
    if text == never.as_bytes() {
        return Some(0);
    }
    variants.iter().position(|variant| variant.name.as_bytes() == text)
}
