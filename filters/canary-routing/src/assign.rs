//! Users whose variant is written down: the first entry that holds decides.

use std::collections::BTreeSet;

use kit::config::{Node, each, or};
use kit::header::Lookup;
use kit::matcher::{Claims, Matcher};
use kit::value::Value;

use crate::identity::Identity;
use crate::variant::{self, Variant};

/// Users of one variant: all conditions that are there must hold.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Assignment {
    /// The place of the variant.
    pub(crate) variant: usize,
    keys: Option<BTreeSet<Vec<u8>>>,
    claims: Option<Claims>,
    headers: Option<Matcher>,
}

impl Assignment {
    /// Reads one entry. Where the key or the variants are wrong themselves, nothing is held against them.
    pub(crate) fn parse(
        node: &Node<'_>,
        identity: Option<&Identity>,
        variants: Option<&[Variant]>,
    ) -> Option<Self> {
        let mut object = node.object()?;
        let name = object.required("variant");
        let variant = name.zip(variants).and_then(|(name, variants)| variant::one_of(&name, variants));
        let keys_node = object.optional("keys");
        let keys = or(keys_node.clone(), None, |node| keys_of(node, identity).map(Some));
        let claims = or(object.optional("claims"), None, |claims| Claims::parse(claims).map(Some));
        let headers = or(object.optional("headers"), None, |headers| {
            // A matcher that has these alone; its problems are told at the same place.
            let alone = Value::Object(vec![("headers".to_owned(), headers.value().clone())]);
            Matcher::parse(&node.over(&alone)).map(Some)
        });
        object.needs_one_of(
            &["keys", "claims", "headers"],
            "needs keys, claims or headers; for everybody give a weight",
        );
        object.finish();
        if let Some(node) = keys_node
            && identity.is_some_and(Identity::is_none)
        {
            node.refuse("are values of `key`, which the split has not");
            return None;
        }
        Some(Self { variant: variant?, keys: keys?, claims: claims?, headers: headers? })
    }

    /// Tells whether a request is one of these users'; its key is none if it has none.
    pub(crate) fn holds(&self, request: &dyn Lookup, key: Option<&[u8]>) -> bool {
        self.keys.as_ref().is_none_or(|keys| key.is_some_and(|key| keys.contains(key)))
            && self.headers.as_ref().is_none_or(|headers| headers.matches(request) == Ok(true))
            && self.claims.as_ref().is_none_or(|claims| claims.hold(request))
    }

    /// Tells whether the key of a request matters.
    pub(crate) const fn needs_key(&self) -> bool {
        self.keys.is_some()
    }
}

/// Reads values of the key.
fn keys_of(node: &Node<'_>, identity: Option<&Identity>) -> Option<BTreeSet<Vec<u8>>> {
    let keys = each(&node.non_empty_list()?, |node| {
        let text = node.non_empty_text()?;
        let identity = identity.filter(|identity| !identity.is_none())?;
        identity.literals(text).map_err(|problem| node.refuse(problem)).ok()
    });
    let mut all = BTreeSet::new();
    // One by one, as a set that is collected is sorted first, which takes more code than time.
    for key in keys?.into_iter().flatten() {
        all.insert(key);
    }
    Some(all)
}
