//! What was answered, in HTTP and in gRPC, and what one of them is in the other.

use kit::reply::GrpcStatus;

/// What an upstream said to a request.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Said {
    /// A status of HTTP.
    Status(u16),
    /// The status of a call of gRPC; none if it went well.
    Call(Option<GrpcStatus>),
}

impl Said {
    /// A call that ended without a status: a client takes that for UNKNOWN.
    pub(crate) const NOTHING: Self = Self::Call(Some(GrpcStatus::Unknown));

    /// Reads a `grpc-status`. What it can't be is UNKNOWN, which is what clients make of it.
    pub(crate) fn of_call(value: &[u8]) -> Self {
        let code: Option<u64> = std::str::from_utf8(value).ok().and_then(|code| code.parse().ok());
        if code == Some(0) {
            return Self::Call(None);
        }
        code.and_then(GrpcStatus::of).map_or(Self::NOTHING, |status| Self::Call(Some(status)))
    }
}

/// Returns the status of HTTP that goes with one of gRPC, as `google/rpc/code.proto` has it.
pub(crate) const fn http_of(grpc: GrpcStatus) -> u16 {
    match grpc {
        GrpcStatus::Cancelled => 499,
        GrpcStatus::InvalidArgument | GrpcStatus::FailedPrecondition | GrpcStatus::OutOfRange => 400,
        GrpcStatus::DeadlineExceeded => 504,
        GrpcStatus::NotFound => 404,
        GrpcStatus::AlreadyExists | GrpcStatus::Aborted => 409,
        GrpcStatus::PermissionDenied => 403,
        GrpcStatus::ResourceExhausted => 429,
        GrpcStatus::Unimplemented => 501,
        GrpcStatus::Unknown | GrpcStatus::Internal | GrpcStatus::DataLoss => 500,
        GrpcStatus::Unavailable => 503,
        GrpcStatus::Unauthenticated => 401,
    }
}

/// Returns what a gRPC client makes of a status of HTTP, as gRPC's own mapping has it.
pub(crate) const fn grpc_of(status: u16) -> GrpcStatus {
    match status {
        400 => GrpcStatus::Internal,
        401 => GrpcStatus::Unauthenticated,
        403 => GrpcStatus::PermissionDenied,
        404 => GrpcStatus::Unimplemented,
        429 | 502 | 503 | 504 => GrpcStatus::Unavailable,
        _ => GrpcStatus::Unknown,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    #[cfg(target_arch = "wasm32")]
    use wasm_bindgen_test::wasm_bindgen_test as test;

    #[test]
    fn the_status_of_a_call_is_a_number_and_anything_else_is_unknown() {
        for (value, said) in [
            ("0", Said::Call(None)),
            ("1", Said::Call(Some(GrpcStatus::Cancelled))),
            ("14", Said::Call(Some(GrpcStatus::Unavailable))),
            ("16", Said::Call(Some(GrpcStatus::Unauthenticated))),
            ("17", Said::NOTHING),
            ("-1", Said::NOTHING),
            ("", Said::NOTHING),
            ("OK", Said::NOTHING),
            ("0, 0", Said::NOTHING),
            ("99999999999999999999", Said::NOTHING),
        ] {
            assert_eq!(Said::of_call(value.as_bytes()), said, "{value}");
        }
    }

    #[test]
    fn what_is_at_fault_for_an_error_is_the_same_in_both() {
        // As OpenTelemetry tells errors of a server from those of its clients.
        let servers =
            ["UNKNOWN", "DEADLINE_EXCEEDED", "UNIMPLEMENTED", "INTERNAL", "UNAVAILABLE", "DATA_LOSS"];
        for (word, status) in GrpcStatus::ALL {
            assert_eq!(500 <= http_of(*status), servers.contains(word), "{word}");
        }
    }

    proptest! {
        #[test]
        fn no_bytes_panic(value: Vec<u8>) {
            Said::of_call(&value);
        }
    }
}
