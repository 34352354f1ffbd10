//! What a response says about the version that it came from: it does its work, it fails, or neither.
//!
//! Only what the upstream said or failed to say counts. What other filters answered, and clients that left, say nothing
//! about a version, and clients could bring them about.

use std::time::Duration;

use kit::config::{Node, each, or};
use kit::exchange::Exchange;
use kit::header::Lookup as _;
use kit::reply::GrpcStatus;
use kit::status::Statuses;
use kit::value::Value;

use crate::stream::Fate;

/// Which responses are failures.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Outcomes {
    /// Statuses of HTTP.
    statuses: Vec<Statuses>,
    /// Statuses of gRPC, for its requests only.
    grpc: Vec<GrpcStatus>,
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

/// How Envoy's details begin where it answered because the upstream didn't, or because there is none.
const FAILURES: [&[u8]; 5] =
    [b"upstream_", b"response_timeout", b"no_healthy_upstream", b"cluster_not_found", b"maintenance_mode"];

impl Outcomes {
    /// Statuses of 5xx, and of gRPC those that are the server's fault.
    pub(crate) fn new() -> Self {
        let grpc = vec![
            GrpcStatus::Unknown,
            GrpcStatus::DeadlineExceeded,
            GrpcStatus::Internal,
            GrpcStatus::Unavailable,
            GrpcStatus::DataLoss,
        ];
        Self { statuses: vec![Statuses::SERVERS], grpc, slower_than: None }
    }

    /// Reads which responses are failures.
    pub(crate) fn parse(node: &Node<'_>) -> Option<Self> {
        let defaults = Self::new();
        let mut object = node.object()?;
        let statuses =
            or(object.optional("statuses"), defaults.statuses, |list| each(&list.list()?, Statuses::parse));
        let grpc = or(object.optional("grpc"), defaults.grpc, |list| each(&list.list()?, grpc));
        let slower_than = or(object.optional("slower_than"), None, |time| {
            time.duration(Duration::from_millis(1)..=Duration::from_secs(3_600)).map(Some)
        });
        object.finish();
        Some(Self { statuses: statuses?, grpc: grpc?, slower_than: slower_than? })
    }

    /// Judges a response that is over. Each look at a property is a call to the host, so there are two at the most.
    pub(crate) fn judge(&self, exchange: &Exchange<'_>, fate: &Fate) -> Verdict {
        let Some(details) = exchange.property(&["response", "code_details"]) else {
            return Verdict::Ignored;
        };
        if details != b"via_upstream" {
            let fails = FAILURES.iter().any(|beginning| details.starts_with(beginning));
            return if fails { Verdict::Failure } else { Verdict::Ignored };
        }
        if let (Some(latency), Some(most)) = (fate.latency, self.slower_than)
            && most < latency
        {
            return Verdict::Failure;
        }
        let fails = if fate.is_grpc {
            // Without a status of its own, the host derives one from that of HTTP: of 200 it is UNKNOWN.
            let code = fate.grpc_status.or_else(|| number(exchange, "grpc_status"));
            code.map(|code| GrpcStatus::of(code).is_some_and(|status| self.grpc.contains(&status)))
        } else {
            let status = number(exchange, "code");
            status.map(|status| {
                u16::try_from(status)
                    .is_ok_and(|status| self.statuses.iter().any(|some| some.contains(status)))
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

/// Reads `UNAVAILABLE` or `14`.
fn grpc(node: &Node<'_>) -> Option<GrpcStatus> {
    if let Value::Number(_) = node.value() {
        return GrpcStatus::of(node.integer(1..=16)?);
    }
    node.choice(GrpcStatus::ALL)
}
