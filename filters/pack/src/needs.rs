//! Which callbacks of the host a filter listens to.

use kit::filter::{Callbacks, Kind};

/// Every filter that the bundle contains.
const KINDS: [Kind; 6] = [
    rate_limit::KIND,
    jwt_auth::KIND,
    webhook_hmac::KIND,
    retry_headers::KIND,
    fault_injection::KIND,
    canary_routing::KIND,
];

/// The yardstick of the benchmark: what is left of a filter that does nothing.
const NOOP: &str = "noop";

/// Returns what a filter needs beside the head of a request.
///
/// # Errors
///
/// Refuses a name that is not a filter.
pub(crate) fn of(filter: &str) -> Result<Callbacks, String> {
    if filter == NOOP {
        return Ok(Callbacks::default());
    }
    KINDS.iter().find(|kind| kind.name == filter).map(|kind| kind.callbacks).ok_or_else(|| {
        let names = KINDS.map(|kind| kind.name);
        format!("{filter} is not a filter; there are: {}", names.join(", "))
    })
}

/// Returns what the filters of the bundle need together.
pub(crate) fn of_all() -> Callbacks {
    KINDS.iter().fold(Callbacks::default(), |all, kind| all.or(kind.callbacks))
}

/// Returns the callbacks that have to be exported for this, in the order of a stream's life.
pub(crate) fn callbacks(needs: Callbacks) -> Vec<&'static str> {
    // For Envoy, a callback that is missing says to go on. What comes behind headers that are held would set them free
    // (when the plugin allows headers to stop alone), so whoever holds headers has to hold body and trailers as well.
    let request_body = needs.request_body || needs.hold || needs.callout;
    let response_body = needs.response_body || needs.hold_response;
    let table: [(bool, &[&str]); 7] = [
        (true, &["proxy_on_request_headers"]),
        // Trailers come with a body: either can be the end of it.
        (request_body, &["proxy_on_request_body", "proxy_on_request_trailers"]),
        (needs.response_headers, &["proxy_on_response_headers"]),
        (response_body, &["proxy_on_response_body"]),
        (response_body || needs.response_trailers, &["proxy_on_response_trailers"]),
        (needs.end, &["proxy_on_log"]),
        (needs.callout, &["proxy_on_http_call_response"]),
    ];
    table.iter().filter(|(needed, _)| *needed).flat_map(|(_, names)| names.iter().copied()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_filter_of_the_bundle_is_known() {
        for kind in KINDS {
            assert_eq!(of(kind.name), Ok(kind.callbacks));
        }
        assert_eq!(of(NOOP), Ok(Callbacks::default()));
        assert_eq!(
            of("rate-limits").unwrap_err(),
            "rate-limits is not a filter; there are: rate-limit, jwt-auth, webhook-hmac, retry-headers, fault-injection, canary-routing"
        );
    }

    #[test]
    fn the_bundle_needs_what_any_of_its_filters_needs() {
        for kind in KINDS {
            assert_eq!(of_all().or(kind.callbacks), of_all());
        }
    }

    #[test]
    fn a_held_message_is_not_let_through_by_the_body_or_trailers_behind_its_headers() {
        let head = Callbacks::default();
        let hold = Callbacks { hold: true, ..head };
        let callout = Callbacks { callout: true, ..head };
        let request = ["proxy_on_request_body", "proxy_on_request_trailers"];
        let response = ["proxy_on_response_body", "proxy_on_response_trailers"];
        for holds in [hold, callout, hold.or(callout)] {
            // Who holds requests and only looks at responses doesn't pay for their bodies.
            for holds in [holds, Callbacks { response_headers: true, ..holds }] {
                assert_listens(holds, &request, true);
                assert_listens(holds, &response, false);
            }
        }
        let responds = Callbacks { response_headers: true, hold_response: true, ..head };
        assert_listens(responds, &request, false);
        assert_listens(responds, &response, true);
        let never_holds = Callbacks { response_headers: true, end: true, ..head };
        assert_listens(never_holds, &request, false);
        assert_listens(never_holds, &response, false);
    }

    /// Asserts that all of these callbacks are exported, or none.
    #[track_caller]
    fn assert_listens(needs: Callbacks, names: &[&str], expected: bool) {
        let exported = callbacks(needs);
        for name in names {
            assert_eq!(exported.contains(name), expected, "{name} for {needs:?}");
        }
    }

    #[test]
    fn trailers_come_with_the_body() {
        assert_eq!(
            callbacks(Callbacks { request_body: true, hold: true, ..Callbacks::default() }),
            ["proxy_on_request_headers", "proxy_on_request_body", "proxy_on_request_trailers",],
        );
    }
}
