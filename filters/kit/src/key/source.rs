//! Where one part of a key comes from.

use std::borrow::Cow;
use std::fmt;

use crate::client_ip::ClientIp;
use crate::config::Node;
use crate::header::{Field, Found, Lookup, is_token, parse_name_or};
use crate::matcher::host;
use crate::path::{normalise, query};
use crate::value::Value;

use super::cookie;

/// Where one part of a key comes from.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) enum Source {
    ClientIp(ClientIp),
    Header(String),
    Cookie(String),
    Query(String),
    Path,
    Method,
    Host,
    /// A property that holds a claim; its name is that of the claim with [`CLAIMS`] before it.
    Claim(String),
    State(String),
}

/// What a request says under one source.
pub(super) enum Part<'a> {
    Missing,
    One(Cow<'a, [u8]>),
    Ambiguous,
}

/// Where `jwt-auth` publishes claims: the filter state `wasm.sluice.jwt-auth.sub` is the property
/// `sluice.jwt-auth.sub`.
pub(crate) const CLAIMS: &str = "sluice.jwt-auth.";

/// Sources that need no name.
const PLAIN: [(&str, Source); 4] = [
    ("client_ip", Source::ClientIp(ClientIp::DEFAULT)),
    ("path", Source::Path),
    ("method", Source::Method),
    ("host", Source::Host),
];

impl Source {
    pub(super) fn parse(node: &Node<'_>) -> Option<Self> {
        if let Value::Text(text) = node.value() {
            let plain = PLAIN.into_iter().find(|(word, _)| word == text);
            if plain.is_none() {
                let hint = if NAMED.contains(&text.as_str()) {
                    format!("{text:?} needs a name: write `{{{text}: name}}`")
                } else {
                    format!("{text:?} is not a source (known: {KNOWN})")
                };
                node.refuse(hint);
            }
            return plain.map(|(_, source)| source);
        }
        let (kind, node) = node.object()?.one_of(
            &["client_ip", "header", "cookie", "query", "claim", "state"],
            &format!("needs a source: {KNOWN}"),
            "takes only one source; write a list of sources",
        )?;
        Some(match kind {
            "client_ip" => Self::ClientIp(ClientIp::parse(&node)?),
            "header" => Self::Header(header(&node)?),
            "cookie" => Self::Cookie(cookie_name(&node)?),
            "query" => Self::Query(node.non_empty_text()?.to_owned()),
            "claim" => Self::Claim(format!("{CLAIMS}{}", node.non_empty_text()?)),
            _ => Self::State(node.non_empty_text()?.to_owned()),
        })
    }

    pub(super) fn resolve<'a>(&self, request: &'a dyn Lookup) -> Part<'a> {
        match self {
            Self::ClientIp(source) => {
                Part::of(source.resolve(request).map(|client| client.to_string().into()))
            }
            Self::Header(name) => match request.find(name) {
                Found::One(value) => Part::One(trim(value)),
                found @ (Found::Absent | Found::Many) => found.into(),
            },
            Self::Cookie(name) => cookie::field(&request.header("cookie"), name).into(),
            Self::Query(name) => match request.find(":path") {
                Found::One(raw) => query::field(&raw, name).into(),
                found @ (Found::Absent | Found::Many) => found.into(),
            },
            Self::Path => match request.find(":path") {
                Found::One(raw) => {
                    normalise(&raw).map_or(Part::Ambiguous, |path| Part::One(path.into_owned().into()))
                }
                found @ (Found::Absent | Found::Many) => found.into(),
            },
            Self::Method => request.find(":method").into(),
            Self::Host => match request.find(":authority") {
                Found::One(raw) => Part::of(host::normalise(&raw).map(Cow::into_owned)),
                found @ (Found::Absent | Found::Many) => found.into(),
            },
            Self::Claim(property) => Part::of(request.property(&[property])),
            Self::State(name) => Part::of(request.property(&["filter_state", name])),
        }
    }

    /// Returns what `resolve` returns for requests with this value.
    ///
    /// # Errors
    ///
    /// The rest of a sentence that begins with the value; nothing if all there is to say is that no request has it.
    pub(super) fn literal(&self, value: &str) -> Result<Vec<u8>, &'static str> {
        let part: Option<Vec<u8>> = match self {
            Self::ClientIp(source) => Some(source.literal(value)?.to_string().into()),
            Self::Path if value.contains('?') => None,
            Self::Path => normalise(value.as_bytes()).ok().map(Cow::into_owned),
            Self::Host => host::normalise(value.as_bytes()).map(Cow::into_owned),
            Self::Header(_) => Some(value.trim_ascii().into()),
            Self::Cookie(_) | Self::Query(_) | Self::Method | Self::Claim(_) | Self::State(_) => {
                Some(value.into())
            }
        };
        part.filter(|part| !part.is_empty()).ok_or("")
    }

    pub(super) fn header(&self) -> Option<&str> {
        match self {
            Self::ClientIp(source) => source.header(),
            Self::Header(name) => Some(name),
            Self::Cookie(_) => Some("cookie"),
            Self::Query(_) | Self::Path => Some(":path"),
            Self::Method => Some(":method"),
            Self::Host => Some(":authority"),
            Self::Claim(_) | Self::State(_) => None,
        }
    }
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::ClientIp(source) => source.fmt(f),
            Self::Header(name) => write!(f, "header({name:?})"),
            Self::Cookie(name) => write!(f, "cookie({name:?})"),
            Self::Query(name) => write!(f, "query({name:?})"),
            Self::Path => f.write_str("path"),
            Self::Method => f.write_str("method"),
            Self::Host => f.write_str("host"),
            Self::Claim(property) => {
                write!(f, "claim({:?})", property.strip_prefix(CLAIMS).unwrap_or(property))
            }
            Self::State(name) => write!(f, "state({name:?})"),
        }
    }
}

impl Part<'_> {
    fn of(value: Option<Vec<u8>>) -> Self {
        value.map_or(Self::Missing, |value| Self::One(value.into()))
    }
}

impl From<Field> for Part<'_> {
    fn from(field: Field) -> Self {
        match field {
            Field::Absent => Self::Missing,
            Field::One(value) => Self::One(value.into()),
            Field::Many(_) => Self::Ambiguous,
        }
    }
}

impl<'a> From<Found<'a>> for Part<'a> {
    fn from(found: Found<'a>) -> Self {
        match found {
            Found::Absent => Self::Missing,
            Found::One(value) => Self::One(value),
            Found::Many => Self::Ambiguous,
        }
    }
}

fn trim(value: Cow<'_, [u8]>) -> Cow<'_, [u8]> {
    match value {
        Cow::Borrowed(value) => value.trim_ascii().into(),
        Cow::Owned(value) => value.trim_ascii().to_vec().into(),
    }
}

/// Every source, for messages.
const KNOWN: &str = "client_ip, path, method, host, {header: name}, {cookie: name}, {query: name}, {claim: name}, \
                     {state: name}";

/// Sources that need a name.
const NAMED: [&str; 5] = ["header", "cookie", "query", "claim", "state"];

/// Reads the name of a header that may tell clients apart.
fn header(node: &Node<'_>) -> Option<String> {
    let name = parse_name_or(node, "; use `path`, `{query: name}`, `method` or `host`")?;
    let instead = match name.as_str() {
        "x-forwarded-for" => {
            "begins with whatever a client writes into it; use `{client_ip: {trusted_hops: 1}}`"
        }
        "cookie" => "is all cookies at once; use `{cookie: name}`",
        _ => return Some(name),
    };
    node.refuse(format!("{name:?} {instead}"));
    None
}

/// Reads the name of a cookie: a token (RFC 6265, section 4.1.1).
fn cookie_name(node: &Node<'_>) -> Option<String> {
    let name = node.non_empty_text()?;
    if !name.bytes().all(is_token) {
        node.refuse(format!("{name:?} is not the name of a cookie"));
        return None;
    }
    Some(name.to_owned())
}
