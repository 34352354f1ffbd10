//! What upstreams and later filters learn of a token.

use kit::config::{Node, Object, each, or, words};
use kit::header::parse_own_name;
use kit::setup::{Setup, Tag};
use kit::value::Value;

use crate::claim::ClaimPath;

/// What upstreams and later filters learn of a token.
#[derive(Debug)]
pub(crate) struct Output {
    /// Claims that become headers.
    pub(crate) headers: Vec<(ClaimPath, String)>,
    /// The header that carries the whole payload, base64url-encoded as in the token.
    pub(crate) payload: Option<String>,
    /// Claims that become filter state.
    pub(crate) published: Vec<(ClaimPath, Tag)>,
}

impl Output {
    /// Reads `claims_to_headers`, `payload_header` and `publish`.
    pub(super) fn parse(object: &mut Object<'_>, setup: &Setup<'_>) -> Option<Self> {
        let header_nodes = object.optional("claims_to_headers");
        let headers =
            or(header_nodes.clone(), Vec::new(), |list| each(&list.non_empty_list()?, claim_to_header));
        let payload_node = object.optional("payload_header");
        let payload = or(payload_node.clone(), None, |name| parse_own_name(name, EXAMPLE).map(Some));
        let published = or(object.optional("publish"), Vec::new(), |list| {
            let published = each(&list.non_empty_list()?, publication)?;
            for (index, (_, name)) in published.iter().enumerate() {
                if published.iter().take(index).any(|(_, earlier)| earlier == name) {
                    list.refuse(format!("publishes two claims as \"{name}\"; give one another `name`"));
                    return None;
                }
            }
            Some(published)
        });
        let (headers, payload) = (headers?, payload?);
        let mut names: Vec<&String> = headers.iter().map(|(_, name)| name).collect();
        names.extend(&payload);
        for (index, name) in names.iter().enumerate() {
            if names.iter().take(index).any(|earlier| earlier == name)
                && let Some(node) = header_nodes.as_ref().or(payload_node.as_ref())
            {
                node.refuse(format!("sets the header \"{name}\" twice; a header has one claim"));
                return None;
            }
        }
        let published = published?.into_iter().map(|(path, name)| (path, setup.tag(&name))).collect();
        Some(Self { headers, payload, published })
    }

    /// Returns the headers that are this filter's to set, and no client's.
    pub(crate) fn header_names(&self) -> impl Iterator<Item = &str> {
        self.headers.iter().map(|(_, name)| name.as_str()).chain(self.payload.as_deref())
    }
}

/// A header that claims are often written into.
const EXAMPLE: &str = "x-user";

/// Reads `{claim: sub, header: x-user}`.
fn claim_to_header(node: &Node<'_>) -> Option<(ClaimPath, String)> {
    let mut object = node.object()?;
    let claim = object.required("claim").and_then(|claim| ClaimPath::parse(&claim));
    let header = object.required("header").and_then(|header| parse_own_name(&header, EXAMPLE));
    object.finish();
    Some((claim?, header?))
}

/// Reads `sub`, or `{claim: [org, id], name: org}`.
fn publication(node: &Node<'_>) -> Option<(ClaimPath, String)> {
    let Value::Object(_) = node.value() else {
        let path = ClaimPath::parse(node)?;
        let Value::Text(name) = node.value() else {
            node.refuse("is a path; give it a name: {claim: [org, id], name: org}");
            return None;
        };
        if !words::is_name(name) {
            node.refuse(format!("\"{name}\" is no name for a tag; write {{claim: \"{name}\", name: ...}}"));
            return None;
        }
        if RESERVED_TAGS.contains(&name.as_str()) {
            node.refuse(format!(
                "\"{name}\" is a tag of the filter itself; write {{claim: {name}, name: ...}}"
            ));
            return None;
        }
        return Some((path, name.clone()));
    };
    let mut object = node.object()?;
    let claim = object.required("claim").and_then(|claim| ClaimPath::parse(&claim));
    let name_node = object.required("name");
    let name = name_node.as_ref().and_then(|name| name.name());
    object.finish();
    let (claim, name) = (claim?, name?);
    if RESERVED_TAGS.contains(&name) {
        name_node?.refuse(format!("\"{name}\" is a tag of the filter itself; choose another name"));
        return None;
    }
    Some((claim, name.to_owned()))
}

/// What the filter itself publishes.
const RESERVED_TAGS: [&str; 3] = ["rule", "outcome", "reason"];
