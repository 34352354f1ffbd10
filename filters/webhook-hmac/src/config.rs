//! The configuration, from words to values that cannot be wrong.

use std::time::Duration;

use kit::config::{Node, Object, each, or};
use kit::header::parse_own_name;
use kit::path::PathPredicate;
use kit::rule::{self, Mode, Tagged};
use kit::setup::Setup;

use crate::preset::Presets;
use crate::sign::Signer;
use crate::state::NO_ENDPOINT;

pub(crate) use self::endpoint::Endpoint;

pub(crate) mod endpoint;

/// The whole configuration.
pub(crate) struct Config {
    pub(crate) mode: Mode,
    /// Below it there are endpoints and nothing else.
    pub(crate) prefix: Option<PathPredicate>,
    pub(crate) hold: Hold,
    /// How long a request that is held may take to arrive.
    pub(crate) body_timeout: Duration,
    pub(crate) tags: Tagged,
    pub(crate) output: Output,
    pub(crate) endpoints: Vec<Endpoint>,
    pub(crate) signers: Vec<Signer>,
}

/// What is held back until a delivery is verified.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Hold {
    /// All of it: the upstream sees nothing of a request that is refused.
    Headers,
    /// Its body: where the proxy can't be told to hold headers alone.
    Body,
}

/// The headers that tell the upstream what was verified.
#[derive(Debug, Default)]
pub(crate) struct Output {
    pub(crate) endpoint: Option<String>,
    pub(crate) provider: Option<String>,
    pub(crate) id: Option<String>,
    pub(crate) key: Option<String>,
    pub(crate) duplicate: Option<String>,
}

/// A large event has some hundred KB. What Envoy buffers by default is as much.
pub(crate) const DEFAULT_BODY: u64 = 1 << 20;

/// The largest that a provider sends are GitHub's 25 MB.
pub(crate) const LARGEST_BODY: u64 = 64 << 20;

impl Config {
    /// Reads the configuration; every problem is recorded at its node.
    pub(crate) fn parse(node: &Node<'_>, setup: &mut Setup<'_>) -> Option<Self> {
        let presets = Presets::new();
        let mut object = node.object()?;
        let mode = or(object.optional("mode"), Mode::Enforce, Mode::parse);
        let prefix =
            or(object.optional("prefix"), None, |prefix| PathPredicate::parse_prefix(prefix).map(Some));
        let hold = or(object.optional("hold"), Hold::Headers, |hold| {
            hold.choice(&[("headers", Hold::Headers), ("body", Hold::Body)])
        });
        let body_timeout = or(object.optional("body_timeout"), DEFAULT_TIMEOUT, |timeout| {
            timeout.duration(Duration::from_millis(100)..=Duration::from_secs(600))
        });
        let tags = or(object.optional("tags"), Tagged::Refusals, Tagged::parse);
        let headers_node = object.optional("headers");
        let output = or(headers_node.clone(), Output::default(), Output::parse);
        let endpoint_nodes = object.optional("endpoints").map(|endpoints| endpoints.non_empty_list());
        let sign_node = object.optional("sign");
        let sign_nodes = sign_node.as_ref().map(|sign| sign.non_empty_list());
        object.needs_one_of(
            &["endpoints", "sign"],
            "needs `endpoints`, where deliveries come in, or `sign`, for those that go out",
        );
        object.finish();
        let endpoints = endpoint_nodes.map_or(Some(Vec::new()), |nodes| {
            let nodes = nodes?;
            let endpoints = each(&nodes, |endpoint| Endpoint::parse(endpoint, &presets, setup))?;
            for (index, (node, endpoint)) in nodes.iter().zip(&endpoints).enumerate() {
                let before = endpoints.iter().take(index);
                let before = before.map(|endpoint| (endpoint.name.as_str(), &endpoint.matcher));
                rule::compare(node, &endpoint.name, before);
            }
            Some(endpoints)
        });
        let signers = sign_nodes.map_or(Some(Vec::new()), |nodes| {
            let nodes = nodes?;
            let signers = each(&nodes, |signer| Signer::parse(signer, &presets, setup))?;
            for (index, (node, signer)) in nodes.iter().zip(&signers).enumerate() {
                let before = signers.iter().take(index);
                rule::compare(
                    node,
                    &signer.name,
                    before.map(|signer| (signer.name.as_str(), &signer.matcher)),
                );
            }
            Some(signers)
        });
        let hold = hold?;
        // With their body held and not their headers, those are gone when it turns out what they should be.
        if hold == Hold::Body {
            if let Some(node) = sign_node {
                node.refuse("sets headers when the body is known; that takes `hold: headers`");
            }
            if let Some(node) = headers_node {
                node.refuse("are known when the body is verified; that takes `hold: headers`");
            }
            for endpoint in endpoints.iter().flatten() {
                if endpoint.remove_signature {
                    node.refuse(format!(
                        "endpoint \"{}\" says `remove_signature` and the filter `hold: body`; headers that aren't held \
                         can't be removed once they are verified",
                        endpoint.name
                    ));
                }
            }
        }
        Some(Self {
            mode: mode?,
            prefix: prefix?,
            hold,
            body_timeout: body_timeout?,
            tags: tags?,
            output: output?,
            endpoints: endpoints?,
            signers: signers?,
        })
    }
}

/// Providers give up after 5 to 30 seconds themselves.
const DEFAULT_TIMEOUT: Duration = Duration::from_secs(30);

impl Output {
    fn parse(node: &Node<'_>) -> Option<Self> {
        let mut object = node.object()?;
        let [endpoint, provider, id, key, duplicate] =
            ["endpoint", "provider", "id", "key", "duplicate"].map(|name| header(&mut object, name));
        object.finish();
        let output =
            Self { endpoint: endpoint?, provider: provider?, id: id?, key: key?, duplicate: duplicate? };
        let names: Vec<&str> = output.names().collect();
        for (index, name) in names.iter().enumerate() {
            if names.iter().take(index).any(|earlier| earlier == name) {
                node.refuse(format!("has the header \"{name}\" twice"));
                return None;
            }
        }
        Some(output)
    }

    /// Returns the headers that are this filter's to set, and no client's.
    pub(crate) fn names(&self) -> impl Iterator<Item = &str> {
        [&self.endpoint, &self.provider, &self.id, &self.key, &self.duplicate]
            .into_iter()
            .filter_map(Option::as_deref)
    }
}

/// Reads the name of a header that this filter may set. Some if there is none.
fn header(object: &mut Object<'_>, field: &'static str) -> Option<Option<String>> {
    or(object.optional(field), None, |node| parse_own_name(node, "x-webhook-id").map(Some))
}

/// Reads the name of an endpoint.
pub(crate) fn name(node: &Node<'_>) -> Option<String> {
    let name = node.name()?;
    if name == NO_ENDPOINT {
        node.refuse("is what requests that no endpoint is for are counted under; choose another name");
        return None;
    }
    Some(name.to_owned())
}
