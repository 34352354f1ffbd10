//! What of a request matters to retries, seen in one look over its headers.

use kit::header::HeaderMap;
use kit::reply::is_grpc;

/// The headers by which clients tell Envoy's router how to try, and which it takes away; those that are set by name, and
/// all.
pub(crate) const RETRY_ON: &str = "x-envoy-retry-on";
pub(crate) const RETRY_GRPC_ON: &str = "x-envoy-retry-grpc-on";
pub(crate) const MAX_RETRIES: &str = "x-envoy-max-retries";
pub(crate) const STATUS_CODES: &str = "x-envoy-retriable-status-codes";
pub(crate) const HEADER_NAMES: &str = "x-envoy-retriable-header-names";
pub(crate) const PER_TRY_TIMEOUT: &str = "x-envoy-upstream-rq-per-try-timeout-ms";
pub(crate) const TIMEOUT: &str = "x-envoy-upstream-rq-timeout-ms";
pub(crate) const HEDGE: &str = "x-envoy-hedge-on-per-try-timeout";
pub(crate) const CONTROLS: [&str; 11] = [
    RETRY_ON,
    RETRY_GRPC_ON,
    MAX_RETRIES,
    STATUS_CODES,
    HEADER_NAMES,
    PER_TRY_TIMEOUT,
    TIMEOUT,
    HEDGE,
    "x-envoy-upstream-rq-timeout-alt-response",
    "x-envoy-upstream-stream-duration-ms",
    "x-envoy-expected-rq-timeout-ms",
];

/// Headers that say what a message is and where it ends: what is written into one of them makes another message of it.
pub(crate) const FRAMING: [&str; 5] =
    ["content-type", "content-length", "transfer-encoding", "te", "connection"];

/// The header by which a client promises that a second try does nothing twice (draft-ietf-httpapi-idempotency-key-header).
pub(crate) const IDEMPOTENCY_KEY: &str = "idempotency-key";

/// What matters of a request.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub(crate) struct Request {
    /// A second try does no more than the first.
    pub(crate) safe: bool,
    /// Somebody above tries again already, or this is such a try.
    pub(crate) retried: bool,
    /// It says so to the next hop by itself.
    pub(crate) marked: bool,
    /// It is a call of gRPC.
    pub(crate) grpc: bool,
    /// The headers for the router that the client sent.
    pub(crate) theirs: Vec<&'static str>,
}

impl Request {
    /// Looks at the headers of a request.
    pub(crate) fn of(headers: &HeaderMap, marker: &str) -> Self {
        let mut request = Self::default();
        let (mut methods, mut idempotent) = (0_u32, false);
        let (mut keys, mut key) = (0_u32, false);
        for (name, value) in headers.iter() {
            // Beside the others, as it may be any of their names.
            if name == marker.as_bytes() {
                (request.retried, request.marked) = (true, true);
            }
            // Most names are none of these, and their first letter says so.
            if !matches!(name.first(), Some(b':' | b'c' | b'i' | b'x')) {
                continue;
            }
            match name {
                b":method" => {
                    methods = methods.saturating_add(1);
                    idempotent = is_idempotent(value);
                }
                b"content-type" => request.grpc = is_grpc(value),
                b"idempotency-key" => {
                    keys = keys.saturating_add(1);
                    key = is_key(value);
                }
                b"x-envoy-attempt-count" => request.retried |= !is_first(value),
                b"x-envoy-is-timeout-retry" => request.retried = true,
                _ if name.starts_with(b"x-envoy-") => {
                    if let Some(control) = CONTROLS.iter().find(|control| control.as_bytes() == name)
                        && !request.theirs.contains(control)
                    {
                        request.theirs.push(control);
                    }
                }
                _ => {}
            }
        }
        request.safe = methods == 1 && idempotent || keys == 1 && key;
        request
    }
}

/// Tells whether a method does no more the second time (RFC 9110, section 9.2.2); methods have case.
fn is_idempotent(method: &[u8]) -> bool {
    matches!(method, b"GET" | b"HEAD" | b"OPTIONS" | b"TRACE" | b"PUT" | b"DELETE")
}

/// Tells whether this is a key, and not an empty one, be it in quotes.
fn is_key(value: &[u8]) -> bool {
    let value = value.trim_ascii();
    let inner = value.strip_prefix(b"\"").and_then(|value| value.strip_suffix(b"\"")).unwrap_or(value);
    !inner.trim_ascii().is_empty() && value != b"\""
}

/// Tells whether the router above counts the first attempt. What can't be read is none.
fn is_first(count: &[u8]) -> bool {
    matches!(count.trim_ascii(), b"0" | b"1")
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    #[cfg(target_arch = "wasm32")]
    use wasm_bindgen_test::wasm_bindgen_test as test;

    fn seen(headers: &[(&str, &str)]) -> Request {
        Request::of(&HeaderMap::new(headers.iter().copied()), "x-sluice-retry")
    }

    #[test]
    fn a_request_is_safe_by_its_method_or_by_one_key() {
        for (method, keys, safe) in [
            ("GET", &[][..], true),
            ("HEAD", &[], true),
            ("OPTIONS", &[], true),
            ("TRACE", &[], true),
            ("PUT", &[], true),
            ("DELETE", &[], true),
            ("POST", &[], false),
            ("PATCH", &[], false),
            ("CONNECT", &[], false),
            ("get", &[], false),
            ("GET ", &[], false),
            ("PURGE", &[], false),
            ("", &[], false),
            ("POST", &["8e03978e-40d5-43dd-bc93-6894a57f9324"], true),
            ("POST", &["\"8e03978e\""], true),
            ("PATCH", &["a"], true),
            ("POST", &[""], false),
            ("POST", &["  \t"], false),
            ("POST", &["\"\""], false),
            ("POST", &["\" \""], false),
            ("POST", &["\""], false),
            ("POST", &["a", "a"], false),
            ("POST", &["a", ""], false),
            ("GET", &["a", "b"], true),
        ] {
            let headers =
                [(":method", method)].into_iter().chain(keys.iter().map(|key| (IDEMPOTENCY_KEY, *key)));
            let request = Request::of(&HeaderMap::new(headers), "m");
            assert_eq!(request.safe, safe, "{method} {keys:?}");
        }
        assert!(!seen(&[(":method", "GET"), (":method", "POST")]).safe);
        assert!(!seen(&[(":method", "POST"), (":method", "GET")]).safe);
        assert!(!seen(&[]).safe);
    }

    #[test]
    fn whoever_tries_again_above_is_seen() {
        for (name, value, retried) in [
            ("x-sluice-retry", "3", true),
            ("x-sluice-retry", "", true),
            ("x-sluice-retry", "no", true),
            ("x-envoy-attempt-count", "0", false),
            ("x-envoy-attempt-count", "1", false),
            ("x-envoy-attempt-count", "2", true),
            ("x-envoy-attempt-count", "01", true),
            ("x-envoy-attempt-count", "99999999999999999999", true),
            ("x-envoy-attempt-count", "-1", true),
            ("x-envoy-attempt-count", "x", true),
            ("x-envoy-is-timeout-retry", "1", true),
            ("x-envoy-is-timeout-retry", "", true),
            ("x-envoy-original-path", "/", false),
        ] {
            assert_eq!(seen(&[(":method", "GET"), (name, value)]).retried, retried, "{name}: {value}");
        }
        assert!(seen(&[("x-envoy-attempt-count", "2"), ("x-envoy-attempt-count", "1")]).retried);
        assert!(seen(&[("x-sluice-retry", "")]).marked && !seen(&[("x-envoy-attempt-count", "2")]).marked);
    }

    #[test]
    fn what_clients_say_to_the_router_is_seen_once_each() {
        let request = seen(&[
            ("x-envoy-max-retries", "9"),
            ("X-Envoy-Retry-On", "5xx"),
            ("x-envoy-max-retries", "9"),
            ("x-envoy-original-path", "/"),
            ("x-envoy-max-retriesx", "9"),
        ]);
        assert_eq!(request.theirs, ["x-envoy-max-retries", "x-envoy-retry-on"]);
    }

    proptest! {
        #[test]
        fn no_bytes_make_a_post_safe_without_a_key(headers in prop::collection::vec(("[a-z:-]{1,20}", prop::collection::vec(any::<u8>(), 0..20)), 0..20)) {
            let headers = headers.into_iter().filter(|(name, _)| name != IDEMPOTENCY_KEY && name != ":method");
            let headers = headers.map(|(name, value)| (name.into_bytes(), value));
            let all = headers.chain([(b":method".to_vec(), b"POST".to_vec())]);
            prop_assert!(!Request::of(&HeaderMap::new(all), "m").safe);
        }
    }
}
