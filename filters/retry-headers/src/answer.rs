//! What a request whose deadline has passed is told.

use kit::reply::{Grpc, GrpcStatus, Problem, Reply};

/// Answers a request that nobody waits for any more, before the upstream works for it.
pub(crate) fn expired() -> Reply {
    let title = "The deadline of the request has passed";
    let problem = Problem { kind: "about:blank", title, list: None };
    let grpc = Grpc { status: GrpcStatus::DeadlineExceeded, message: title.into() };
    Reply::problem(504, "sluice_retry_headers_expired", &problem, grpc)
}
