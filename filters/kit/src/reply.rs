//! A local reply as data: status, headers, problem details, and what a gRPC client gets instead.

use std::borrow::Cow;

/// An answer that a filter gives in place of the upstream.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Reply {
    /// The HTTP status.
    pub status: u16,
    /// Names the filter and the reason in access logs, `sluice_rate_limit_exceeded` for example.
    pub details: &'static str,
    /// Headers of the answer, `content-type` among them.
    pub headers: Vec<(Cow<'static, str>, Vec<u8>)>,
    /// The body.
    pub body: Vec<u8>,
    /// What a gRPC client gets: its status rides on an HTTP 200 without a body.
    pub grpc: Grpc,
}

/// The gRPC form of an answer.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Grpc {
    /// The status.
    pub status: GrpcStatus,
    /// The message, plain ASCII.
    pub message: Cow<'static, str>,
}

/// A gRPC status code that is an error, as its specification numbers and names them.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum GrpcStatus {
    /// 1
    Cancelled,
    /// 2
    Unknown,
    /// 3
    InvalidArgument,
    /// 4
    DeadlineExceeded,
    /// 5
    NotFound,
    /// 6
    AlreadyExists,
    /// 7
    PermissionDenied,
    /// 8
    ResourceExhausted,
    /// 9
    FailedPrecondition,
    /// 10
    Aborted,
    /// 11
    OutOfRange,
    /// 12
    Unimplemented,
    /// 13
    Internal,
    /// 14
    Unavailable,
    /// 15
    DataLoss,
    /// 16
    Unauthenticated,
}

impl GrpcStatus {
    /// Every status with its word, in the order of their numbers, from 1.
    pub const ALL: &'static [(&'static str, Self)] = &[
        ("CANCELLED", Self::Cancelled),
        ("UNKNOWN", Self::Unknown),
        ("INVALID_ARGUMENT", Self::InvalidArgument),
        ("DEADLINE_EXCEEDED", Self::DeadlineExceeded),
        ("NOT_FOUND", Self::NotFound),
        ("ALREADY_EXISTS", Self::AlreadyExists),
        ("PERMISSION_DENIED", Self::PermissionDenied),
        ("RESOURCE_EXHAUSTED", Self::ResourceExhausted),
        ("FAILED_PRECONDITION", Self::FailedPrecondition),
        ("ABORTED", Self::Aborted),
        ("OUT_OF_RANGE", Self::OutOfRange),
        ("UNIMPLEMENTED", Self::Unimplemented),
        ("INTERNAL", Self::Internal),
        ("UNAVAILABLE", Self::Unavailable),
        ("DATA_LOSS", Self::DataLoss),
        ("UNAUTHENTICATED", Self::Unauthenticated),
    ];

    /// Returns the status of a number on the wire; none if it is no status, or that of a call that went well.
    pub fn of(code: u64) -> Option<Self> {
        let is_it = |(_, status): &&(&str, Self)| u64::try_from(status.code()) == Ok(code);
        Self::ALL.iter().find(is_it).map(|(_, status)| *status)
    }

    /// Returns the number on the wire.
    pub const fn code(self) -> i32 {
        match self {
            Self::Cancelled => 1,
            Self::Unknown => 2,
            Self::InvalidArgument => 3,
            Self::DeadlineExceeded => 4,
            Self::NotFound => 5,
            Self::AlreadyExists => 6,
            Self::PermissionDenied => 7,
            Self::ResourceExhausted => 8,
            Self::FailedPrecondition => 9,
            Self::Aborted => 10,
            Self::OutOfRange => 11,
            Self::Unimplemented => 12,
            Self::Internal => 13,
            Self::Unavailable => 14,
            Self::DataLoss => 15,
            Self::Unauthenticated => 16,
        }
    }

    /// Returns the word of the specification.
    pub fn word(self) -> &'static str {
        Self::ALL.iter().find(|(_, status)| *status == self).map_or("", |(word, _)| word)
    }
}

impl Reply {
    /// Makes an answer with problem details (RFC 9457 section 3) as its body.
    pub fn problem(status: u16, details: &'static str, problem: &Problem<'_>, grpc: Grpc) -> Self {
        Self {
            status,
            details,
            headers: vec![(Cow::Borrowed("content-type"), b"application/problem+json".to_vec())],
            body: problem.render(status).into_bytes(),
            grpc,
        }
    }

    /// Adds a header.
    #[must_use]
    pub fn header(mut self, name: &'static str, value: impl Into<Vec<u8>>) -> Self {
        self.headers.push((Cow::Borrowed(name), value.into()));
        self
    }
}

/// Problem details (RFC 9457).
#[derive(Clone, Copy, Debug)]
pub struct Problem<'a> {
    /// A URI that names the kind of problem, and never changes.
    pub kind: &'a str,
    /// What it says to a person; the same for every occurrence.
    pub title: &'a str,
    /// An extension member whose value is a list of texts.
    pub list: Option<(&'a str, &'a [&'a str])>,
}

impl Problem<'_> {
    fn render(&self, status: u16) -> String {
        let mut body = format!(
            "{{\"type\":{},\"title\":{},\"status\":{status}",
            json_text(self.kind),
            json_text(self.title)
        );
        if let Some((name, values)) = self.list {
            let values: Vec<String> = values.iter().map(|value| json_text(value)).collect();
            body.push_str(&format!(",{}:[{}]", json_text(name), values.join(",")));
        }
        body.push('}');
        body
    }
}

/// Returns a text as a JSON string, quotes included.
pub fn json_text(text: &str) -> String {
    serde_json::to_string(text).unwrap_or_else(|_| "\"\"".to_owned())
}

/// Tells whether a `content-type` is gRPC's (not gRPC-Web's), the way Envoy tells.
pub fn is_grpc(content_type: &[u8]) -> bool {
    match content_type.strip_prefix(b"application/grpc") {
        Some(rest) => matches!(rest.first(), None | Some(b'+' | b';')),
        None => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    #[cfg(target_arch = "wasm32")]
    use wasm_bindgen_test::wasm_bindgen_test as test;

    #[test]
    fn renders_problem_details_with_their_list() {
        let problem = Problem { kind: "about:blank", title: "Say \"no\"", list: Some(("why", &["a", "b"])) };
        let grpc = Grpc { status: GrpcStatus::Unknown, message: "no".into() };
        let reply = Reply::problem(429, "sluice_test", &problem, grpc);
        assert_eq!(
            String::from_utf8(reply.body).unwrap(),
            r#"{"type":"about:blank","title":"Say \"no\"","status":429,"why":["a","b"]}"#
        );
    }

    #[test]
    fn every_grpc_status_has_its_number_and_its_word() {
        for (number, (word, status)) in (1..).zip(GrpcStatus::ALL) {
            assert_eq!((status.code(), status.word()), (number, *word));
            assert_eq!(GrpcStatus::of(number.try_into().unwrap()), Some(*status));
        }
        assert_eq!([0, 17, u64::MAX].map(GrpcStatus::of), [None; 3]);
        assert_eq!(GrpcStatus::ALL.len(), 16);
    }

    #[test]
    fn tells_grpc_from_what_looks_like_it() {
        for (content_type, expected) in [
            ("application/grpc", true),
            ("application/grpc+proto", true),
            ("application/grpc;x", true),
            ("application/grpc-web", false),
            ("application/json", false),
            ("", false),
        ] {
            assert_eq!(is_grpc(content_type.as_bytes()), expected, "{content_type}");
        }
    }
}
