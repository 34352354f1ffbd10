//! What is signed, as a template: `{timestamp}.{body}`.

use kit::config::Node;
use kit::header::Field;

use crate::message::{JsonPath, Message};
use crate::reason::{Detail, Reason};
use crate::url;

/// A text with places in it.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Template(Vec<Part>);

/// A piece of a template.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) enum Part {
    Text(Vec<u8>),
    Timestamp,
    Id,
    Method,
    Url,
    UrlDecoded,
    Path,
    Query,
    Host,
    Body,
    Header(String),
    Parameter(String),
    Json(JsonPath),
    Form(String),
    FormParameters,
}

/// What the parts of a template stand for, beside what is in the request.
#[derive(Clone, Copy)]
pub(crate) struct Meaning<'a> {
    pub(crate) timestamp: &'a [u8],
    pub(crate) id: &'a [u8],
    pub(crate) url: &'a [u8],
}

const TOKENS: &str = "{timestamp}, {id}, {method}, {url}, {url_decoded}, {path}, {query}, {host}, {body}, {header:...}, \
                      {query:...}, {json:...}, {form:...}, {form_params}, {key_id}; a brace is written {{ or }}";

impl Template {
    /// Returns the template of those that sign the body as it is.
    pub(crate) fn body() -> Self {
        Self(vec![Part::Body])
    }

    /// Parses a template.
    pub(crate) fn parse(node: &Node<'_>, key_id: Option<&str>) -> Option<Self> {
        let mut rest = node.non_empty_text()?;
        let mut parts = Vec::new();
        let mut text = String::new();
        while let Some(first) = rest.chars().next() {
            if let Some(after) = rest.strip_prefix("{{").or_else(|| rest.strip_prefix("}}")) {
                text.push(first);
                rest = after;
                continue;
            }
            let Some(token) = rest.strip_prefix('{') else {
                if first == '}' {
                    node.refuse(format!("has a `}}` that closes nothing; parts are {TOKENS}"));
                    return None;
                }
                text.push(first);
                rest = rest.get(first.len_utf8()..).unwrap_or_default();
                continue;
            };
            let Some((token, after)) = token.split_once('}') else {
                node.refuse(format!("has a `{{` that nothing closes; parts are {TOKENS}"));
                return None;
            };
            rest = after;
            if token == "key_id" {
                match key_id {
                    Some(key_id) => text.push_str(key_id),
                    None => {
                        node.refuse(
                            "has {key_id}, which stands for the `key_id` of the endpoint; it has none",
                        );
                        return None;
                    }
                }
                continue;
            }
            let Some(part) = Part::of(token) else {
                node.refuse(format!("{{{token}}} is no part of a template; parts are {TOKENS}"));
                return None;
            };
            if !text.is_empty() {
                parts.push(Part::Text(std::mem::take(&mut text).into_bytes()));
            }
            parts.push(part);
        }
        if !text.is_empty() {
            parts.push(Part::Text(text.into_bytes()));
        }
        Some(Self(parts))
    }

    /// Tells whether the template has such a part.
    pub(crate) fn has(&self, is: impl Fn(&Part) -> bool) -> bool {
        self.0.iter().any(is)
    }

    /// Tells whether a part of the template is found inside of the body, so that all of it must be there first.
    pub(crate) fn reads_body(&self) -> bool {
        self.has(|part| matches!(part, Part::Json(_) | Part::Form(_) | Part::FormParameters))
    }

    /// Returns what stands before the body and what behind it, if the body stands in it once: then the body can be
    /// hashed as it comes.
    pub(crate) fn around_body(&self) -> Option<(&[Part], &[Part])> {
        if self.reads_body() {
            return None;
        }
        let place = self.0.iter().position(|part| *part == Part::Body)?;
        let (before, rest) = self.0.split_at_checked(place)?;
        let after = rest.get(1..)?;
        (!after.contains(&Part::Body)).then_some((before, after))
    }

    /// Returns the parts.
    pub(crate) fn parts(&self) -> &[Part] {
        &self.0
    }
}

impl Part {
    fn of(token: &str) -> Option<Self> {
        let named = |name: &str| (!name.is_empty()).then(|| name.to_owned());
        Some(match token {
            "timestamp" => Self::Timestamp,
            "id" => Self::Id,
            "method" => Self::Method,
            "url" => Self::Url,
            "url_decoded" => Self::UrlDecoded,
            "path" => Self::Path,
            "query" => Self::Query,
            "host" => Self::Host,
            "body" => Self::Body,
            "form_params" => Self::FormParameters,
            _ => match token.split_once(':')? {
                ("header", name) => Self::Header(named(name)?.to_ascii_lowercase()),
                ("query", name) => Self::Parameter(named(name)?),
                ("json", path) => Self::Json(JsonPath::of(path)?),
                ("form", name) => Self::Form(named(name)?),
                _ => return None,
            },
        })
    }
}

/// Writes parts of a template, piece by piece.
///
/// # Errors
///
/// A header, parameter or field that is signed isn't there, or is there twice: leaving it out would sign less.
pub(crate) fn write(
    parts: &[Part],
    message: &Message<'_>,
    meaning: Meaning<'_>,
    sink: &mut dyn FnMut(&[u8]),
) -> Result<(), Reason> {
    let mut parts = parts.iter().peekable();
    while let Some(part) = parts.next() {
        match part {
            Part::Text(text) => sink(text),
            Part::Timestamp => sink(meaning.timestamp),
            Part::Id => match parts.peek() {
                // Else the end of an id could be taken for what is behind it, under the same signature.
                Some(Part::Text(separator)) if contains(meaning.id, separator) => {
                    return Err(Reason::Malformed(Detail::Id));
                }
                _ => sink(meaning.id),
            },
            Part::Method => sink(&message.pseudo(":method")),
            Part::Url => sink(meaning.url),
            Part::UrlDecoded => sink(&url::decoded(meaning.url)),
            Part::Path => sink(url::split(&message.target()).0),
            Part::Query => sink(url::split(&message.target()).1),
            Part::Host => sink(&message.pseudo(":authority")),
            Part::Body => sink(message.body),
            Part::Header(name) => sink(&only(message.request.header(name), Detail::Header)?),
            Part::Parameter(name) => sink(&only(message.parameter(name), Detail::Query)?),
            Part::Form(name) => sink(&only(message.field(name)?, Detail::Form)?),
            Part::Json(path) => sink(message.text(path)?.unwrap_or_default().as_bytes()),
            Part::FormParameters => write_form_parameters(message, sink)?,
        }
    }
    Ok(())
}

fn contains(text: &[u8], part: &[u8]) -> bool {
    text.windows(part.len()).any(|window| window == part)
}

fn only(field: Field, what: Detail) -> Result<Vec<u8>, Reason> {
    match field {
        Field::One(value) => Ok(value),
        Field::Absent => Err(Reason::Malformed(what)),
        Field::Many(_) => Err(Reason::Duplicate),
    }
}

/// Writes the name and value of each field of a form: sorted, and what occurs twice once.
fn write_form_parameters(message: &Message<'_>, sink: &mut dyn FnMut(&[u8])) -> Result<(), Reason> {
    let mut fields: Vec<_> = message.form()?.collect();
    fields.sort_unstable();
    fields.dedup();
    for (name, value) in fields {
        sink(&name);
        sink(&value);
    }
    Ok(())
}
