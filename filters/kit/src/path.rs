//! The path of a request, read the way Envoy reads it and the ways an upstream may read it.
//!
//! A rule about paths protects nothing if a client can spell a path so that the rule sees one place and the
//! upstream serves another (`/health/%2e%2e/admin`, `/public/..%2fadmin`, `/admin;x`). So:
//!
//! 1. A predicate is decided on Envoy's reading: percent-decoded, `\` as `/`, dot segments removed (RFC 3986,
//!    section 5.2.4), slashes merged; an encoded separator is a byte of its segment and separates nothing.
//! 2. It is decided again on every other reading that the path allows (see `path::reading`), and where two verdicts
//!    differ the answer is [`AmbiguousPath`], never one of them. A path without anything suspicious has one
//!    reading, found without allocating.
//! 3. Malformed percent-encodings, encoded NUL, overlong UTF-8, fragments, and targets that don't begin with `/`
//!    (`http://host/x`; Envoy has already rewritten those that are legitimate) are ambiguous for every predicate.
//!    `*` and the absent path of CONNECT are the empty path: only `prefix: /` holds.
//!
//! What is not modelled: upstreams that ignore case, file extensions or a trailing slash, and those that give
//! `//x` another meaning than `/x`.

use std::borrow::Cow;

use crate::config::Node;
use crate::config::words::quoted;
use crate::value::Value;

use self::reading::Readings;

mod reading;

pub mod query;

/// What to write where somebody wrote a wildcard into a path without any.
const WILDCARD_ADVICE: &str = "for any one segment write `template: /users/{id}`, for everything below a path write \
                               `prefix: /users`; a literal brace or star is written `%7B`, `%7D`, `%2A`";

/// The path of a request means different things to different readers, so a rule about it has no answer.
///
/// A filter refuses the request: no client that means well sends such a path.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct AmbiguousPath;

/// What a rule asks of the path of a request.
///
/// Segments are compared whole, and as bytes after percent-decoding. A trailing slash counts: `exact: /a` is not
/// `/a/`; `prefix: /a` and `prefix: /a/` are the same and hold for `/a`, `/a/` and `/a/b`. `prefix: /` holds for
/// every request, even those without a path.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct PathPredicate {
    /// What the segments must be, from the first on.
    segments: Vec<Segment>,
    /// Whether further segments may follow.
    open: bool,
}

/// What one segment must be.
#[derive(Clone, Debug, Eq, PartialEq)]
enum Segment {
    /// Exactly these bytes, after decoding.
    Literal(Vec<u8>),
    /// Anything but nothing.
    Any,
}

impl PathPredicate {
    /// Parses `{exact: /a}`, `{prefix: /a}` or `{template: /a/{id}/b}`.
    ///
    /// The syntax of templates is that of Envoy's URI templates: `*`, `{name}` and `{name=*}` are one segment that
    /// isn't empty; `**` and `{name=**}`, at the end only, are any number of segments, also none.
    /// Configured paths are percent-decoded once.
    pub fn parse(node: &Node<'_>) -> Option<Self> {
        if let Value::Text(path) = node.value() {
            let path = quoted(path);
            node.refuse(format!(
                "expected an object, found text {path}; write `{{prefix: {path}}}` or `{{exact: {path}}}`"
            ));
            return None;
        }
        let (kind, path) = node.object()?.one_of(
            &["exact", "prefix", "template"],
            "needs one of exact, prefix, template",
            "takes only one of exact, prefix, template",
        )?;
        let split = match kind {
            "exact" => exact_segments,
            "prefix" => prefix_segments,
            _ => template_segments,
        };
        checked(&path, split)
    }

    /// Returns whether the predicate holds for this raw `:path`, query and all.
    ///
    /// # Errors
    ///
    /// [`AmbiguousPath`] where readers of this path would not agree on the answer.
    pub fn matches(&self, raw: &[u8]) -> Result<bool, AmbiguousPath> {
        let readings = Readings::of(raw)?;
        readings.unanimous(|segments| self.holds(segments))
    }

    /// Returns whether the predicate holds for one reading.
    fn holds(&self, segments: &mut dyn Iterator<Item = &[u8]>) -> bool {
        for expected in &self.segments {
            let Some(segment) = segments.next() else {
                return false;
            };
            let equal = match expected {
                Segment::Literal(bytes) => bytes == segment,
                Segment::Any => !segment.is_empty(),
            };
            if !equal {
                return false;
            }
        }
        self.open || segments.next().is_none()
    }
}

/// Returns a path in its one normal spelling, without query: what two spellings of the same path share.
///
/// Everything is decoded, except that `/` and `\` inside a segment, `?`, `#`, `%`, `;` and a segment of dots stay
/// percent-encoded, so that normalising twice changes nothing. A path that is already normal is borrowed.
///
/// # Errors
///
/// [`AmbiguousPath`] where the path has more than one reading, even if no rule can tell them apart.
pub fn normalise(raw: &[u8]) -> Result<Cow<'_, [u8]>, AmbiguousPath> {
    Readings::of(raw)?.normal()
}

/// Returns the path of a request target without its query and fragment.
fn without_query(raw: &[u8]) -> &[u8] {
    raw.split(|byte| *byte == b'?').next().unwrap_or_default()
}

/// Refuses what no configured path may contain, then splits the rest.
fn checked(node: &Node<'_>, split: fn(&Node<'_>, &str) -> Option<PathPredicate>) -> Option<PathPredicate> {
    let path = node.text()?;
    let problem = if !path.starts_with('/') {
        Some("must begin with `/`")
    } else if path.contains('?') {
        Some("must not contain a query; use `query` next to `path`")
    } else if path.contains('#') {
        Some("must not contain a fragment; clients never send it")
    } else if path.contains('\\') {
        Some("must separate segments with `/`, not `\\`")
    } else if path.contains(';') {
        Some(
            "must not contain `;`: what follows it is a parameter to some upstreams and part of the path to others",
        )
    } else if path.contains("//") {
        Some("must not contain `//`: slashes of requests are merged, so write `/` once")
    } else {
        None
    };
    if let Some(problem) = problem {
        node.refuse(format!("{path:?} {problem}"));
        return None;
    }
    split(node, path)
}

/// Reads a path that must be equal.
fn exact_segments(node: &Node<'_>, path: &str) -> Option<PathPredicate> {
    let segments = literals(node, split(path))?;
    Some(PathPredicate { segments, open: false })
}

/// Reads a path that must come first.
fn prefix_segments(node: &Node<'_>, path: &str) -> Option<PathPredicate> {
    let segments = literals(node, split(path).filter(|segment| !segment.is_empty()))?;
    Some(PathPredicate { segments, open: true })
}

/// Reads a path with wildcards.
fn template_segments(node: &Node<'_>, path: &str) -> Option<PathPredicate> {
    let mut segments = Vec::new();
    let mut open = false;
    let mut sound = true;
    for text in split(path) {
        if open {
            node.refuse("must have `**` at the end only");
            return None;
        }
        match wildcard(text) {
            Some(Wildcard::One) => segments.push(Segment::Any),
            Some(Wildcard::Rest) => open = true,
            None if text.contains(['{', '}', '*']) => {
                node.refuse(format!(
                    "has the segment `{text}`: a wildcard is a whole segment, `{{name}}` or `*` for one, `{{name=**}}` \
                     or `**` at the end for the rest"
                ));
                sound = false;
            }
            None => match literal(text) {
                Ok(segment) => segments.push(segment),
                Err(problem) => {
                    node.refuse(problem);
                    sound = false;
                }
            },
        }
    }
    sound.then_some(PathPredicate { segments, open })
}

/// What a wildcard stands for.
enum Wildcard {
    /// One segment.
    One,
    /// All that follow.
    Rest,
}

/// Reads `*`, `**`, `{name}`, `{name=*}` and `{name=**}`.
fn wildcard(text: &str) -> Option<Wildcard> {
    let pattern = match text.strip_prefix('{').and_then(|rest| rest.strip_suffix('}')) {
        None => text,
        Some(variable) => {
            let (name, pattern) = variable.split_once('=').unwrap_or((variable, "*"));
            let mut bytes = name.bytes();
            let sound = bytes.next().is_some_and(|first| first.is_ascii_alphabetic() || first == b'_')
                && bytes.all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
            if !sound {
                return None;
            }
            pattern
        }
    };
    match pattern {
        "*" => Some(Wildcard::One),
        "**" => Some(Wildcard::Rest),
        _ => None,
    }
}

/// Reads segments that are no wildcards.
fn literals<'t>(node: &Node<'_>, texts: impl Iterator<Item = &'t str>) -> Option<Vec<Segment>> {
    let mut segments = Vec::new();
    let mut sound = true;
    for text in texts {
        let segment = if text.contains(['{', '}', '*']) {
            Err(format!("has the segment `{text}`, but wildcards belong in a template: {WILDCARD_ADVICE}"))
        } else {
            literal(text)
        };
        match segment {
            Ok(segment) => segments.push(segment),
            Err(problem) => {
                node.refuse(problem);
                sound = false;
            }
        }
    }
    sound.then_some(segments)
}

/// Decodes one configured segment.
fn literal(text: &str) -> Result<Segment, String> {
    let bytes = reading::decode(text.as_bytes()).map_err(|AmbiguousPath| {
        format!("has the segment `{text}`, which is not percent-encoded text; a literal `%` is written `%25`")
    })?;
    if bytes.iter().any(|byte| matches!(byte, b'/' | b'\\' | b';')) {
        return Err(format!(
            "has the segment `{text}` with an encoded separator, which no rule can decide: write `/`, or match the \
             part before it with `prefix`"
        ));
    }
    let is_encoding =
        |window: &[u8]| matches!(window, [b'%', high, low] if reading::from_hex(*high, *low).is_some());
    if bytes.windows(3).any(is_encoding) {
        return Err(format!("has the segment `{text}`, which can be decoded twice and so means two things"));
    }
    if bytes == b"." || bytes == b".." {
        return Err(format!(
            "has the segment `{text}`, which requests never keep: write the path it leads to"
        ));
    }
    Ok(Segment::Literal(bytes))
}

/// Splits a configured path at its slashes, without the empty text before the first.
fn split(path: &str) -> impl Iterator<Item = &str> {
    path.split('/').skip(1)
}

#[cfg(test)]
mod tests;
