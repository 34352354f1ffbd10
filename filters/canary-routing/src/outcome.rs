//! What a response says about the version that it came from: it does its work, it fails, or neither.
//!
//! Only what the upstream said or failed to say counts. What other filters answered, and clients that left, say nothing
//! about a version, and clients could bring them about.

use std::time::Duration;

use kit::config::{Node, each, or};
use kit::exchange::Exchange;
use kit::header::Lookup as _;
use kit::value::Value;

/// Which responses are failures.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Outcomes {
    /// Statuses of HTTP, from the first to the last of each.
    statuses: Vec<(u16, u16)>,
    /// Statuses of gRPC, for its requests only.
    grpc: Vec<u64>,
    /// A response whose headers took longer.
    pub(crate) slower_than: Option<Duration>,
}

/// What a response says about its version.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Verdict {
    Success,
    Failure,
    /// Nothing.
    Ignored,
}

/// The statuses of gRPC by their names, in the order of their numbers, from 1.
const GRPC: [(&str, u64); 16] = [
    ("cancelled", 1),
    ("unknown", 2),
    ("invalid_argument", 3),
    ("deadline_exceeded", 4),
    ("not_found", 5),
    ("already_exists", 6),
    ("permission_denied", 7),
    ("resource_exhausted", 8),
    ("failed_precondition", 9),
    ("aborted", 10),
    ("out_of_range", 11),
    ("unimplemented", 12),
    ("internal", 13),
    ("unavailable", 14),
    ("data_loss", 15),
    ("unauthenticated", 16),
];

/// How Envoy's details begin where it answered because the upstream didn't, or because there is none.
const FAILURES: [&[u8]; 5] =
    [b"upstream_", b"response_timeout", b"no_healthy_upstream", b"cluster_not_found", b"maintenance_mode"];

impl Outcomes {
    /// Statuses of 5xx, and of gRPC those that are the server's fault.
    pub(crate) fn new() -> Self {
        Self { statuses: vec![(500, 599)], grpc: vec![2, 4, 13, 14, 15], slower_than: None }
    }

    /// Reads which responses are failures.
    pub(crate) fn parse(node: &Node<'_>) -> Option<Self> {
        let defaults = Self::new();
        let mut object = node.object()?;
        let statuses =
            or(object.optional("statuses"), defaults.statuses, |list| each(&list.list()?, statuses));
        let grpc = or(object.optional("grpc"), defaults.grpc, |list| each(&list.list()?, grpc));
        let slower_than = or(object.optional("slower_than"), None, |time| {
            time.duration(Duration::from_millis(1)..=Duration::from_secs(3_600)).map(Some)
        });
        object.finish();
        Some(Self { statuses: statuses?, grpc: grpc?, slower_than: slower_than? })
    }

    /// Judges a response that is over. Each look at a property is a call to the host, so there are two at the most.
    pub(crate) fn judge(&self, exchange: &Exchange<'_>, is_grpc: bool, latency: Option<Duration>) -> Verdict {
        let Some(details) = exchange.property(&["response", "code_details"]) else {
            return Verdict::Ignored;
        };
        if details != b"via_upstream" {
            let fails = FAILURES.iter().any(|beginning| details.starts_with(beginning));
            return if fails { Verdict::Failure } else { Verdict::Ignored };
        }
        if let (Some(latency), Some(most)) = (latency, self.slower_than)
            && most < latency
        {
            return Verdict::Failure;
        }
        let fails = if is_grpc {
            number(exchange, "grpc_status").map(|status| self.grpc.contains(&status))
        } else {
            let status = number(exchange, "code");
            status.map(|status| {
                self.statuses
                    .iter()
                    .any(|(first, last)| (u64::from(*first)..=u64::from(*last)).contains(&status))
            })
        };
        match fails {
            Some(true) => Verdict::Failure,
            Some(false) => Verdict::Success,
            None => Verdict::Ignored,
        }
    }
}

/// Returns a number that the host knows of the response.
fn number(exchange: &Exchange<'_>, name: &str) -> Option<u64> {
    let bytes = exchange.property(&["response", name])?;
    Some(u64::from_le_bytes(*bytes.as_array()?))
}

/// Reads `5xx` or `503`.
fn statuses(node: &Node<'_>) -> Option<(u16, u16)> {
    if let Value::Number(_) = node.value() {
        let status = u16::try_from(node.integer(100..=599)?).ok()?;
        return Some((status, status));
    }
    node.choice(&[("4xx", (400, 499)), ("5xx", (500, 599))])
}

/// Reads `unavailable` or `14`.
fn grpc(node: &Node<'_>) -> Option<u64> {
    if let Value::Number(_) = node.value() {
        return node.integer(1..=16);
    }
    node.choice(&GRPC)
}
