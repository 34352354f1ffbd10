//! What a request is counted, sampled or routed by: a list of sources, joined so that no two lists look alike.

use std::collections::BTreeSet;

use crate::config::Node;
use crate::header::Lookup;
use crate::value::Value;

pub(crate) use self::source::CLAIMS;
use self::source::{Part, Source};

pub mod cookie;
mod source;

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
    /// - `client_ip`, `{client_ip: {trusted_hops: 1}}`: see [`ClientIp`](crate::client_ip::ClientIp).
    /// - `{header: x-api-key}`, `{cookie: sid}`, `{query: k}`: the value under this name, which must not be empty and
    ///   must not occur twice.
    /// - `path`: the [normal spelling](crate::path::normalise) of the path.
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
    // A function of its own: the filters of a chain run the same code for their keys.
    #[inline(never)]
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
            // Without their options: `<client_ip>`, `<header>`.
            let kind = |source: &Source| match source.to_string().split('(').next() {
                Some(kind) => format!("<{kind}>"),
                None => String::new(),
            };
            let kinds: Vec<String> = self.sources.iter().map(kind).collect();
            return Err(format!(
                "must have one value for each source of the key, in order: [{}]; got {}",
                kinds.join(", "),
                values.len()
            ));
        }
        let mut key = Vec::new();
        for (source, value) in self.sources.iter().zip(values) {
            let part = source.literal(value).map_err(|problem| match *value {
                "" if values.len() == 1 => "must not be empty".to_owned(),
                "" => format!("must not have an empty value for {source}"),
                _ if problem.is_empty() => format!("{value:?} is never a value of {source}"),
                _ => format!("{value:?} {problem}"),
            })?;
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
        self.sources.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
    }

    /// Returns the names of the headers that the key needs, pseudo-headers included.
    pub fn headers_needed(&self) -> BTreeSet<&str> {
        self.sources.iter().filter_map(Source::header).collect()
    }
}

/// Appends a part behind its length, so that `a`, `bc` isn't `ab`, `c`.
fn join(into: &mut Vec<u8>, part: &[u8]) {
    into.reserve(part.len().saturating_add(8));
    into.extend_from_slice(&u64::try_from(part.len()).unwrap_or(u64::MAX).to_le_bytes());
    into.extend_from_slice(part);
}

#[cfg(test)]
mod tests;
