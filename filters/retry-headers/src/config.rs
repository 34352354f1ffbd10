//! The configuration, from words to values that cannot be wrong.

use kit::config::{Node, each, or};
use kit::header::parse_name;
use kit::rule::{self, Mode, Tagged};

use crate::deadline::GRPC_TIMEOUT;
use crate::request::{CONTROLS, FRAMING, IDEMPOTENCY_KEY};
use crate::wait::Responses;

pub(crate) use self::policy::Policy;

mod conditions;
mod policy;

/// The whole configuration.
#[derive(Debug)]
pub(crate) struct Config {
    /// Whether what clients say to the router stays where no policy says it.
    pub(crate) trust_client: bool,
    /// The header that tells the next hop that somebody above tries again already.
    pub(crate) marker: String,
    pub(crate) tags: Tagged,
    pub(crate) policies: Vec<Policy>,
    /// What becomes of responses where a policy says nothing else, and of those without one.
    pub(crate) response: Option<Responses>,
    /// The mode of requests without a policy.
    pub(crate) mode: Mode,
}

/// The marker by default.
const MARKER: &str = "x-sluice-retry";

impl Config {
    /// Reads the configuration; every problem is recorded at its node.
    pub(crate) fn parse(node: &Node<'_>) -> Option<Self> {
        let mut object = node.object()?;
        let mode = or(object.optional("mode"), Mode::Enforce, Mode::parse);
        let trust_client = or(object.optional("trust_client"), false, |trust| trust.boolean());
        let marker = or(object.optional("marker"), MARKER.to_owned(), marker);
        let tags = or(object.optional("tags"), Tagged::Refusals, Tagged::parse);
        let response = or(object.optional("response"), None, |response| Responses::parse(response).map(Some));
        let nodes = object.required("policies").and_then(|policies| policies.non_empty_list());
        object.finish();
        let default_mode = mode.unwrap_or(Mode::Enforce);
        let nodes = nodes?;
        let policies = each(&nodes, |policy| Policy::parse(policy, default_mode))?;
        for (index, (node, policy)) in nodes.iter().zip(&policies).enumerate() {
            let before = policies.iter().take(index);
            rule::compare(node, &policy.name, before.map(|other| (other.name.as_str(), &other.matcher)));
        }
        Some(Self {
            trust_client: trust_client?,
            marker: marker?,
            tags: tags?,
            policies,
            response: response?,
            mode: mode?,
        })
    }
}

/// Reads the name of the marker.
fn marker(node: &Node<'_>) -> Option<String> {
    let name = parse_name(node)?;
    let taken = CONTROLS.iter().chain(&FRAMING).chain(&[GRPC_TIMEOUT, IDEMPOTENCY_KEY]);
    if taken.into_iter().any(|taken| *taken == name) {
        node.refuse(format!("{name:?} has a meaning of its own; choose another header (example: {MARKER})"));
        return None;
    }
    Some(name)
}

#[cfg(test)]
mod tests;
