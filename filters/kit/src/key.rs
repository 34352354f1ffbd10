//! What a request is counted, sampled or routed by: a list of sources, joined so that no two lists look alike.

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::fmt;

use crate::client_ip::ClientIp;
use crate::config::Node;
use crate::header::{Field, Lookup};
use crate::matcher::host;
use crate::matcher::named::{header_name, is_token, name};
use crate::path::{normalise, query};
use crate::value::Value;

pub mod cookie;

/// The sources of a key.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Key {
    sources: Vec<Source>,
}

/// Why a request has no key. The number is that of the source, from 0.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum KeyProblem {
    /// The request says nothing, or nothing usable, under this source.
    Missing(usize),
    /// The request says several things under this source, and readers may disagree on which one counts.
    Ambiguous(usize),
}

impl Key {
    /// Parses one source or a list of them:
    ///
    /// - `client_ip`, `{client_ip: {trusted_hops: 1}}`: see [`ClientIp`].
    /// - `{header: x-api-key}`, `{cookie: sid}`, `{query: k}`: the value under this name, which must not be empty and
    ///   must not occur twice.
    /// - `path`: the [normal spelling](normalise) of the path.
    /// - `method`, `host`: the method; the host without port, in lower case.
    /// - `{claim: sub}`: a claim that `jwt-auth` has verified.
    /// - `{state: name}`: any filter state of Envoy.
    pub fn parse(node: &Node<'_>) -> Option<Self> {
        let sources = match node.value() {
            Value::List(_) => {
                let nodes = node.non_empty_list()?;
                let sources: Vec<Option<Source>> = nodes.iter().map(Source::parse).collect();
                for (index, (node, source)) in nodes.iter().zip(&sources).enumerate() {
                    if source.is_some() && sources.iter().take(index).any(|earlier| earlier == source) {
                        node.refuse("is listed twice");
                    }
                }
                sources.into_iter().collect::<Option<_>>()?
            }
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::Text(_) | Value::Object(_) => {
                vec![Source::parse(node)?]
            }
        };
        Some(Self { sources })
    }

    /// Appends the key of a request to a buffer: every part, behind its length.
    ///
    /// # Errors
    ///
    /// The request has no key; the buffer is as it was.
    pub fn resolve(&self, request: &dyn Lookup, into: &mut Vec<u8>) -> Result<(), KeyProblem> {
        let start = into.len();
        for (index, source) in self.sources.iter().enumerate() {
            match source.resolve(request) {
                Part::One(value) if !value.is_empty() => join(into, &value),
                Part::One(_) | Part::Missing => {
                    into.truncate(start);
                    return Err(KeyProblem::Missing(index));
                }
                Part::Ambiguous => {
                    into.truncate(start);
                    return Err(KeyProblem::Ambiguous(index));
                }
            }
        }
        Ok(())
    }

    /// Returns the key of the requests that have these values, one for each source: `["203.0.113.7", "/api"]`.
    ///
    /// # Errors
    ///
    /// A sentence on the value that no request can have, or on their number.
    pub fn literal(&self, values: &[&str]) -> Result<Vec<u8>, String> {
        if values.len() != self.sources.len() {
            let (expected, got) = (self.sources.len(), values.len());
            return Err(format!(
                "must have one value for each source of the key: {expected}, got {got}"
            ));
        }
        let mut key = Vec::new();
        for (source, value) in self.sources.iter().zip(values) {
            let part = source
                .literal(value)
                .ok_or_else(|| format!("{value:?} is never a value of {source}"))?;
            join(&mut key, &part);
        }
        Ok(key)
    }

    /// Returns how many sources there are.
    pub fn arity(&self) -> usize {
        self.sources.len()
    }

    /// Returns the sources as text; two keys have the same text only if they are equal.
    pub fn digest_text(&self) -> String {
        self.sources
            .iter()
            .map(ToString::to_string)
            .collect::<Vec<_>>()
            .join(", ")
    }

    /// Returns the names of the headers that the key needs, pseudo-headers included.
    pub fn headers_needed(&self) -> BTreeSet<&str> {
        self.sources.iter().filter_map(Source::header).collect()
    }
}

/// Where one part of a key comes from.
#[derive(Clone, Debug, Eq, PartialEq)]
enum Source {
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
enum Part {
    Missing,
    One(Vec<u8>),
    Ambiguous,
}

/// Where `jwt-auth` publishes claims: the filter state `wasm.sluice.jwt-auth.sub` is the property
/// `sluice.jwt-auth.sub`.
const CLAIMS: &str = "sluice.jwt-auth.";

/// Sources that need no name.
const PLAIN: [(&str, Source); 4] = [
    ("client_ip", Source::ClientIp(ClientIp::DEFAULT)),
    ("path", Source::Path),
    ("method", Source::Method),
    ("host", Source::Host),
];

impl Source {
    fn parse(node: &Node<'_>) -> Option<Self> {
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
        let mut object = node.object()?;
        let sources = [
            object
                .optional("client_ip")
                .map(|node| ClientIp::parse(&node).map(Self::ClientIp)),
            object
                .optional("header")
                .map(|node| header(&node).map(Self::Header)),
            object
                .optional("cookie")
                .map(|node| cookie_name(&node).map(Self::Cookie)),
            object.optional("query").map(|node| name(&node).map(Self::Query)),
            object.optional("claim").map(|node| claim(&node).map(Self::Claim)),
            object.optional("state").map(|node| name(&node).map(Self::State)),
        ];
        object.finish();
        let mut sources = sources.into_iter().flatten();
        match (sources.next(), sources.next()) {
            (Some(source), None) => source,
            (None, _) => {
                node.refuse(format!("needs a source: {KNOWN}"));
                None
            }
            (Some(_), Some(_)) => {
                node.refuse("takes only one source; write a list of sources");
                None
            }
        }
    }

    fn resolve(&self, request: &dyn Lookup) -> Part {
        match self {
            Self::ClientIp(source) => {
                Part::of(source.resolve(request).map(|client| client.to_string().into()))
            }
            Self::Header(name) => match request.header(name) {
                Field::One(value) => Part::One(value.trim_ascii().into()),
                field @ (Field::Absent | Field::Many(_)) => field.into(),
            },
            Self::Cookie(name) => cookie::field(&request.header("cookie"), name).into(),
            Self::Query(name) => match request.header(":path") {
                Field::One(raw) => query::field(&raw, name).into(),
                field @ (Field::Absent | Field::Many(_)) => field.into(),
            },
            Self::Path => match request.header(":path") {
                Field::One(raw) => {
                    normalise(&raw).map_or(Part::Ambiguous, |path| Part::One(path.into_owned()))
                }
                field @ (Field::Absent | Field::Many(_)) => field.into(),
            },
            Self::Method => request.header(":method").into(),
            Self::Host => match request.header(":authority") {
                Field::One(raw) => Part::of(host::normalise(&raw).map(Cow::into_owned)),
                field @ (Field::Absent | Field::Many(_)) => field.into(),
            },
            Self::Claim(property) => Part::of(request.property(&[property])),
            Self::State(name) => Part::of(request.property(&["filter_state", name])),
        }
    }

    /// Returns what `resolve` returns for requests with this value.
    fn literal(&self, value: &str) -> Option<Vec<u8>> {
        let part = match self {
            Self::ClientIp(source) => source.literal(value)?.to_string().into_bytes(),
            Self::Path => normalise(value.as_bytes())
                .ok()
                .filter(|_| !value.contains('?'))?
                .into_owned(),
            Self::Host => host::normalise(value.as_bytes())?.into_owned(),
            Self::Header(_) => value.trim_ascii().into(),
            Self::Cookie(_) | Self::Query(_) | Self::Method | Self::Claim(_) | Self::State(_) => value.into(),
        };
        (!part.is_empty()).then_some(part)
    }

    fn header(&self) -> Option<&str> {
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
            Self::Claim(property) => write!(
                f,
                "claim({:?})",
                property.strip_prefix(CLAIMS).unwrap_or(property)
            ),
            Self::State(name) => write!(f, "state({name:?})"),
        }
    }
}

impl Part {
    fn of(value: Option<Vec<u8>>) -> Self {
        value.map_or(Self::Missing, Self::One)
    }
}

impl From<Field> for Part {
    fn from(field: Field) -> Self {
        match field {
            Field::Absent => Self::Missing,
            Field::One(value) => Self::One(value),
            Field::Many(_) => Self::Ambiguous,
        }
    }
}

/// Every source, for messages.
const KNOWN: &str = "client_ip, path, method, host, {header: name}, {cookie: name}, {query: name}, {claim: name}, \
                     {state: name}";

/// Sources that need a name.
const NAMED: [&str; 5] = ["header", "cookie", "query", "claim", "state"];

/// Appends a part behind its length, so that `a`, `bc` isn't `ab`, `c`.
fn join(into: &mut Vec<u8>, part: &[u8]) {
    into.extend(u64::try_from(part.len()).unwrap_or(u64::MAX).to_le_bytes());
    into.extend(part);
}

/// Reads the name of a header that may tell clients apart.
fn header(node: &Node<'_>) -> Option<String> {
    let name = header_name(node, "`path`, `{query: name}`, `method` or `host`")?;
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
    let name = name(node)?;
    if !name.bytes().all(is_token) {
        node.refuse(format!("{name:?} is not the name of a cookie"));
        return None;
    }
    Some(name)
}

/// Reads the name of a claim, as the name of the property that holds it.
fn claim(node: &Node<'_>) -> Option<String> {
    name(node).map(|name| format!("{CLAIMS}{name}"))
}

#[cfg(test)]
mod tests;
