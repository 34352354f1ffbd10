//! Paths as operators write them: what they may contain, and their segments.

use super::reading::{decode, from_hex};
use super::{AmbiguousPath, PathPredicate, Segment};
use crate::config::Node;

/// What to write where somebody wrote a wildcard into a path without any.
const WILDCARD_ADVICE: &str = "for any one segment write `template: /users/{id}`, for everything below a path write \
                               `prefix: /users`; a literal brace or star is written `%7B`, `%7D`, `%2A`";

/// Refuses what no configured path may contain, then splits the rest.
pub(super) fn checked(
    node: &Node<'_>,
    split: fn(&Node<'_>, &str) -> Option<PathPredicate>,
) -> Option<PathPredicate> {
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
pub(super) fn exact_segments(node: &Node<'_>, path: &str) -> Option<PathPredicate> {
    let segments = literals(node, split(path))?;
    Some(PathPredicate { segments, open: false })
}

/// Reads a path that must come first.
pub(super) fn prefix_segments(node: &Node<'_>, path: &str) -> Option<PathPredicate> {
    let segments = literals(node, split(path).filter(|segment| !segment.is_empty()))?;
    Some(PathPredicate { segments, open: true })
}

/// Reads a path with wildcards.
pub(super) fn template_segments(node: &Node<'_>, path: &str) -> Option<PathPredicate> {
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
    let bytes = decode(text.as_bytes()).map_err(|AmbiguousPath| {
        format!("has the segment `{text}`, which is not percent-encoded text; a literal `%` is written `%25`")
    })?;
    if bytes.iter().any(|byte| matches!(byte, b'/' | b'\\' | b';')) {
        return Err(format!(
            "has the segment `{text}` with an encoded separator, which no rule can decide: write `/`, or match the \
             part before it with `prefix`"
        ));
    }
    let is_encoding = |window: &[u8]| matches!(window, [b'%', high, low] if from_hex(*high, *low).is_some());
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
