//! The conditions under which the router tries again, in its own words.

use kit::config::{Node, each};

/// The words for HTTP, as `x-envoy-retry-on` has them.
const HTTP: [&str; 11] = [
    "5xx",
    "gateway-error",
    "reset",
    "reset-before-request",
    "connect-failure",
    "envoy-ratelimited",
    "retriable-4xx",
    "refused-stream",
    STATUS_CODES,
    HEADERS,
    "http3-post-connect-failure",
];

/// The words for gRPC, as `x-envoy-retry-grpc-on` has them.
const GRPC: [&str; 5] = ["cancelled", "deadline-exceeded", "internal", "resource-exhausted", "unavailable"];

/// The word that stands for statuses that are listed.
pub(super) const STATUS_CODES: &str = "retriable-status-codes";

/// The word that stands for headers that are listed.
pub(super) const HEADERS: &str = "retriable-headers";

/// Where nothing of the response was seen, and what a gateway answers that couldn't get one.
const DEFAULT: [&str; 4] = ["connect-failure", "refused-stream", "reset", "gateway-error"];

/// The conditions of a policy.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) struct Conditions {
    pub(super) http: Vec<&'static str>,
    pub(super) grpc: Vec<&'static str>,
}

impl Default for Conditions {
    fn default() -> Self {
        Self { http: DEFAULT.to_vec(), grpc: Vec::new() }
    }
}

impl Conditions {
    /// Parses a list of the router's words, those for HTTP and those for gRPC together.
    pub(super) fn parse(node: &Node<'_>) -> Option<Self> {
        let nodes = node.non_empty_list()?;
        let options: Vec<(&'static str, &'static str)> =
            HTTP.iter().chain(&GRPC).map(|word| (*word, *word)).collect();
        let words = each(&nodes, |node| node.choice(&options))?;
        for (index, (node, word)) in nodes.iter().zip(&words).enumerate() {
            if words.iter().take(index).any(|earlier| earlier == word) {
                node.refuse("is listed twice");
            }
        }
        let (grpc, http) = words.into_iter().partition(|word| GRPC.contains(word));
        Some(Self { http, grpc })
    }

    /// Adds a word of HTTP, unless it is there.
    pub(super) fn add(&mut self, word: &'static str) {
        if !self.http.contains(&word) {
            self.http.push(word);
        }
    }
}
