//! Conditions on headers and query parameters: a name, and what its values must be.

use crate::config::Node;

/// What the values of one name must be.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) struct Named {
    /// The name.
    name: String,
    /// What one of its values must be.
    test: Test,
    /// Whether the condition holds where the test doesn't.
    inverted: bool,
}

/// What one value must be.
#[derive(Clone, Debug, Eq, PartialEq)]
enum Test {
    Exact(Vec<u8>),
    Prefix(Vec<u8>),
    Suffix(Vec<u8>),
    Contains(Vec<u8>),
    Present,
}

impl Named {
    /// Parses a condition on a header.
    pub(super) fn header(node: &Node<'_>) -> Option<Self> {
        Self::parse(node, |node| {
            header_name(node, "`path`, `query`, `methods` or `hosts`")
        })
    }

    /// Parses a condition on a query parameter.
    pub(super) fn parameter(node: &Node<'_>) -> Option<Self> {
        Self::parse(node, name)
    }

    /// Returns the name.
    pub(super) fn name(&self) -> &str {
        &self.name
    }

    /// Returns whether the condition holds for the values of the name.
    pub(super) fn holds(&self, mut values: impl Iterator<Item: AsRef<[u8]>>) -> bool {
        values.any(|value| self.test.holds(value.as_ref())) != self.inverted
    }

    fn parse(node: &Node<'_>, name: fn(&Node<'_>) -> Option<String>) -> Option<Self> {
        let mut object = node.object()?;
        let name = object.required("name").and_then(|node| name(&node));
        let not = object.optional("not").map(|node| node.boolean());
        let tests = [
            object
                .optional("exact")
                .map(|node| node.text().map(|text| Test::Exact(text.into()))),
            object
                .optional("prefix")
                .map(|node| part(&node).map(Test::Prefix)),
            object
                .optional("suffix")
                .map(|node| part(&node).map(Test::Suffix)),
            object
                .optional("contains")
                .map(|node| part(&node).map(Test::Contains)),
            object.optional("present").map(|node| present(&node)),
        ];
        object.finish();
        let mut tests = tests.into_iter().flatten();
        let test = match (tests.next(), tests.next()) {
            (Some(test), None) => test,
            (None, _) => {
                node.refuse("needs one of exact, prefix, suffix, contains, present");
                None
            }
            (Some(_), Some(_)) => {
                node.refuse(
                    "takes only one of exact, prefix, suffix, contains, present; write a condition for each",
                );
                None
            }
        };
        Some(Self {
            name: name?,
            test: test?,
            inverted: not.unwrap_or(Some(false))?,
        })
    }
}

impl Test {
    fn holds(&self, value: &[u8]) -> bool {
        match self {
            Self::Exact(expected) => value == expected,
            Self::Prefix(start) => value.starts_with(start),
            Self::Suffix(end) => value.ends_with(end),
            // No configured part is empty; `windows` would panic on it.
            Self::Contains(part) => value.windows(part.len().max(1)).any(|window| window == part),
            Self::Present => true,
        }
    }
}

/// Reads the name of a header to look up: a token (RFC 9110, section 5.1), in lower case.
///
/// Pseudo-headers, and `host`, which Envoy turns into one, are refused with what to use `instead`.
pub(crate) fn header_name(node: &Node<'_>, instead: &str) -> Option<String> {
    let name = name(node)?.to_ascii_lowercase();
    if name.starts_with(':') || name == "host" {
        node.refuse(format!("{name:?} is not an ordinary header; use {instead}"));
        return None;
    }
    if !name.bytes().all(is_token) {
        node.refuse(format!(
            "{name:?} is not the name of a header: letters, digits and any of !#$%&'*+-.^_`|~"
        ));
        return None;
    }
    Some(name)
}

/// Reads a name that isn't empty.
pub(crate) fn name(node: &Node<'_>) -> Option<String> {
    let name = node.text()?;
    if name.is_empty() {
        node.refuse("must not be empty");
        return None;
    }
    Some(name.to_owned())
}

/// Returns whether a byte may be part of a token (RFC 9110, section 5.6.2).
pub(crate) fn is_token(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte)
}

/// Reads a part of a value; an empty one is part of every value.
fn part(node: &Node<'_>) -> Option<Vec<u8>> {
    let text = node.text()?;
    if text.is_empty() {
        node.refuse("must not be empty; for any value write `present: true`");
        return None;
    }
    Some(text.into())
}

/// Reads `present: true`.
fn present(node: &Node<'_>) -> Option<Test> {
    if node.boolean()? {
        return Some(Test::Present);
    }
    node.refuse("must be true; for an absent name write `present: true` and `not: true`");
    None
}
