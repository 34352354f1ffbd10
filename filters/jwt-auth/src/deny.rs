//! Tokens that count no more, although their signature is good and their time isn't over.

use kit::config::{Node, each};
use kit::time::Timestamp;
use kit::value::Value;

use crate::claim::ClaimPath;
use crate::claims::Claims;
use crate::token::Header;

/// Tokens that were revoked: those of which everything holds that is said here.
#[derive(Clone, Debug)]
pub(crate) struct Deny {
    /// The claim, and the values one of which it has.
    claim: Option<(ClaimPath, Vec<String>)>,
    /// The `kid`s, one of which it has.
    key_ids: Option<Vec<String>>,
    /// The instant before which it was issued.
    issued_before: Option<Timestamp>,
}

impl Deny {
    /// Parses `{claim: jti, values: [...]}`, `{key_ids: [...]}`, `{issued_before: ...}` or several of them together.
    pub(crate) fn parse(node: &Node<'_>) -> Option<Self> {
        let texts = |node: &Node<'_>| {
            each(&node.non_empty_list()?, |value| value.non_empty_text().map(str::to_owned))
        };
        let mut object = node.object()?;
        let claim = object.optional("claim");
        let values = object.optional("values");
        let key_ids = object.optional("key_ids").map(|ids| texts(&ids));
        let issued_before = object.optional("issued_before").map(|instant| instant.instant());
        object.needs_one_of(
            &["claim", "values", "key_ids", "issued_before"],
            "needs a `claim` with `values`, `key_ids`, or `issued_before`",
        );
        object.finish();
        let claim = match (claim, values) {
            (Some(claim), Some(values)) => match (ClaimPath::parse(&claim), texts(&values)) {
                (Some(path), Some(values)) => Some((path, values)),
                _ => return None,
            },
            (Some(claim), None) => {
                claim.refuse("needs `values` beside it: the list of those that were revoked");
                return None;
            }
            (None, Some(values)) => {
                values.refuse("needs a `claim` beside it: the one that has these values");
                return None;
            }
            (None, None) => None,
        };
        let key_ids = key_ids.map_or(Some(None), |ids| ids.map(Some))?;
        let issued_before = issued_before.map_or(Some(None), |instant| instant.map(Some))?;
        let says_something = claim.is_some() || key_ids.is_some() || issued_before.is_some();
        says_something.then_some(Self { claim, key_ids, issued_before })
    }

    /// Tells whether a token was revoked.
    ///
    /// One that doesn't say when it was issued may have been issued before any instant.
    pub(crate) fn revokes(&self, header: &Header, payload: &Value, claims: &Claims) -> bool {
        let by_claim = self.claim.as_ref().is_none_or(|(path, values)| match path.find(payload) {
            Some(value) => has_one_of(value, values),
            None => false,
        });
        let by_key = self.key_ids.as_ref().is_none_or(|ids| {
            header.key_id.as_ref().is_some_and(|id| ids.iter().any(|revoked| revoked == id))
        });
        let by_time = self
            .issued_before
            .is_none_or(|instant| claims.issued_at.is_none_or(|issued_at| issued_at < instant));
        by_claim && by_key && by_time
    }
}

/// Tells whether a claim is one of these texts, or has one as an element.
fn has_one_of(value: &Value, texts: &[String]) -> bool {
    match value {
        Value::Text(text) => texts.contains(text),
        Value::Number(number) => number.to_json().is_some_and(|written| texts.contains(&written)),
        Value::List(elements) => elements.iter().any(|element| has_one_of(element, texts)),
        Value::Null | Value::Bool(_) | Value::Object(_) => false,
    }
}
