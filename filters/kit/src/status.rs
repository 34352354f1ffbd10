//! Statuses of responses, as configurations name them: one, or all of a class (RFC 9110, section 15).

use crate::config::Node;
use crate::value::Value;

/// Statuses that follow each other.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Statuses {
    first: u16,
    last: u16,
}

impl Statuses {
    /// What a client is at fault for.
    pub const CLIENTS: Self = Self { first: 400, last: 499 };

    /// What a server is at fault for.
    pub const SERVERS: Self = Self { first: 500, last: 599 };

    /// The classes by their words.
    pub const CLASSES: [(&'static str, Self); 2] = [("4xx", Self::CLIENTS), ("5xx", Self::SERVERS)];

    /// Reads `503`, `4xx` or `5xx`.
    pub fn parse(node: &Node<'_>) -> Option<Self> {
        if let Value::Number(_) = node.value() {
            let status = u16::try_from(node.integer(100..=599)?).ok()?;
            return Some(Self { first: status, last: status });
        }
        node.choice(&Self::CLASSES)
    }

    /// Tells whether a status is one of them.
    pub fn contains(self, status: u16) -> bool {
        (self.first..=self.last).contains(&status)
    }
}
