//! Conditions on headers and query parameters: a name, and what its values must be.

use crate::config::Node;
use crate::header::parse_name_or;

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
        Self::parse(node, |node| parse_name_or(node, "; use `path`, `query`, `methods` or `hosts`"))
    }

    /// Parses a condition on a query parameter.
    pub(super) fn parameter(node: &Node<'_>) -> Option<Self> {
        Self::parse(node, |node| node.non_empty_text().map(str::to_owned))
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
        let test = object.one_of(
            &["exact", "prefix", "suffix", "contains", "present"],
            "needs one of exact, prefix, suffix, contains, present",
            "takes only one of exact, prefix, suffix, contains, present; write a condition for each",
        );
        let test = test.and_then(|(kind, node)| Test::parse(kind, &node));
        Some(Self { name: name?, test: test?, inverted: not.unwrap_or(Some(false))? })
    }
}

impl Test {
    fn parse(kind: &str, node: &Node<'_>) -> Option<Self> {
        Some(match kind {
            "exact" => Self::Exact(node.text()?.into()),
            "prefix" => Self::Prefix(part(node)?),
            "suffix" => Self::Suffix(part(node)?),
            "contains" => Self::Contains(part(node)?),
            _ => present(node)?,
        })
    }

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
