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
//! 4. A segment that differs from a configured one in nothing but the case of letters, or dots and spaces at its end,
//!    is that one to some upstreams and another to others: ambiguous as well.
//!
//! What is not modelled: upstreams that ignore file extensions or a trailing slash, and those that give `//x` another
//! meaning than `/x`.

use std::borrow::Cow;

use crate::config::Node;
use crate::config::words::quoted;
use crate::value::Value;

use self::configured::{checked, exact_segments, prefix_segments, template_segments};
use self::reading::{Read, Readings};

pub use self::reading::RequestPath;

pub(crate) use self::reading::from_hex;

mod configured;
mod reading;

pub mod query;

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

    /// Parses a prefix that stands alone: `/webhooks`.
    pub fn parse_prefix(node: &Node<'_>) -> Option<Self> {
        checked(node, prefix_segments)
    }

    /// Returns whether the predicate holds for this raw `:path`, query and all.
    ///
    /// # Errors
    ///
    /// [`AmbiguousPath`] where readers of this path would not agree on the answer.
    pub fn matches(&self, raw: &[u8]) -> Result<bool, AmbiguousPath> {
        self.holds_on(&RequestPath::of(raw))
    }

    /// Returns whether the predicate holds for a path that was read before.
    ///
    /// # Errors
    ///
    /// [`AmbiguousPath`] where readers of this path would not agree on the answer.
    pub fn holds_on(&self, path: &RequestPath) -> Result<bool, AmbiguousPath> {
        match path.read()? {
            Read::Plain(path) => self.judge(|| path.split(|byte| *byte == b'/').skip(1)),
            Read::Several(readings) => {
                let judge = |segments: &Vec<Vec<u8>>| self.judge(|| segments.iter().map(Vec::as_slice));
                let mut verdicts = readings.iter().map(judge);
                let first = verdicts.next().unwrap_or(Ok(false))?;
                if verdicts.all(|verdict| verdict == Ok(first)) { Ok(first) } else { Err(AmbiguousPath) }
            }
        }
    }

    /// Returns whether the predicate holds for one reading, if forgiving upstreams agree.
    fn judge<'s, S: Iterator<Item = &'s [u8]>>(
        &self,
        segments: impl Fn() -> S,
    ) -> Result<bool, AmbiguousPath> {
        if self.holds(segments(), <[u8]>::eq) {
            Ok(true)
        } else if self.holds(segments(), is_alike) {
            Err(AmbiguousPath)
        } else {
            Ok(false)
        }
    }

    /// Returns whether the predicate holds for one reading, when segments are compared so.
    fn holds<'s>(
        &self,
        mut segments: impl Iterator<Item = &'s [u8]>,
        is_same: fn(&[u8], &[u8]) -> bool,
    ) -> bool {
        for expected in &self.segments {
            let Some(segment) = segments.next() else {
                return false;
            };
            let equal = match expected {
                Segment::Literal(bytes) => is_same(bytes, segment),
                Segment::Any => !segment.is_empty(),
            };
            if !equal {
                return false;
            }
        }
        self.open || segments.next().is_none()
    }
}

/// Tells whether some upstream takes a segment of a request for this one: one that ignores case, or one on Windows,
/// where names don't end in dots and spaces.
fn is_alike(expected: &[u8], segment: &[u8]) -> bool {
    let ends = segment.iter().rev().take_while(|byte| matches!(byte, b'.' | b' ')).count();
    let name = segment.get(..segment.len().saturating_sub(ends)).unwrap_or(segment);
    expected.eq_ignore_ascii_case(name)
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

#[cfg(test)]
mod tests;
