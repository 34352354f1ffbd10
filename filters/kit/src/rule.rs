//! What the rules of all filters have in common: a mode, tags, and an order in which each can be reached.

use crate::config::Node;
use crate::matcher::Matcher;

/// Whether a decision has consequences.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Mode {
    /// It has.
    Enforce,
    /// It is counted and tagged, and changes nothing.
    Shadow,
}

impl Mode {
    /// Parses `enforce` or `shadow`.
    pub fn parse(node: &Node<'_>) -> Option<Self> {
        node.choice(&[("enforce", Self::Enforce), ("shadow", Self::Shadow)])
    }
}

/// Which decisions become tags.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Tagged {
    /// All but those that let a request pass: a tag costs more than a decision.
    Refusals,
    /// All.
    All,
}

impl Tagged {
    /// Parses `refusals` or `all`.
    pub fn parse(node: &Node<'_>) -> Option<Self> {
        node.choice(&[("refusals", Self::Refusals), ("all", Self::All)])
    }
}

/// Refuses a rule that has the name of one before it, or is never reached. Names and matchers are those of the rules
/// before, in order.
pub fn compare<'a>(node: &Node<'_>, name: &str, before: impl Iterator<Item = (&'a str, &'a Matcher)>) {
    for (other, matcher) in before {
        if *matcher == Matcher::any() {
            node.refuse(format!(
                "is never reached: rule \"{other}\" before it matches everything; move that to the end"
            ));
        }
        if other == name {
            node.refuse(format!("another rule is called \"{name}\"; names must differ"));
        }
    }
}
