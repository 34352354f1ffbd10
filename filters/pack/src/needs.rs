//! Which callbacks of the host a filter listens to.

/// Every filter that the bundle contains.
pub(crate) const FILTERS: [&str; 1] = ["rate-limit"];

/// Returns what a filter needs beside the head of a request.
///
/// # Errors
///
/// Refuses a name that is not a filter.
pub(crate) fn of(filter: &str) -> Result<Needs, String> {
    match filter {
        "rate-limit" => Ok(Needs {
            response_headers: true,
            end: true,
            ..Needs::default()
        }),
        // The yardstick of the benchmark: what is left of a filter that does nothing.
        "noop" => Ok(Needs::default()),
        _ => Err(format!(
            "{filter} is not a filter; there are: {}",
            FILTERS.join(", ")
        )),
    }
}

/// What a filter wants to hear of beside the head of a request, in the words of the kit.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(crate) struct Needs {
    /// The body of a request, and its trailers: either can be the end of it.
    pub(crate) request_body: bool,
    /// The head of a response.
    pub(crate) response_headers: bool,
    /// The body of a response, and its trailers.
    pub(crate) response_body: bool,
    /// A timer that lets waiting streams go. Whoever sets one also stops it when a configuration goes, so the end of
    /// a plugin comes with it.
    pub(crate) hold: bool,
    /// The end of a stream, whatever became of it.
    pub(crate) end: bool,
    /// The answer to a callout. Callouts have deadlines and are renewed, so the timer comes with it.
    pub(crate) callout: bool,
}

impl Needs {
    /// Returns what two filters need together.
    pub(crate) fn or(self, other: Self) -> Self {
        Self {
            request_body: self.request_body || other.request_body,
            response_headers: self.response_headers || other.response_headers,
            response_body: self.response_body || other.response_body,
            hold: self.hold || other.hold,
            end: self.end || other.end,
            callout: self.callout || other.callout,
        }
    }

    /// Returns the callbacks that have to be exported for this, in the order of a stream's life.
    pub(crate) fn callbacks(self) -> Vec<&'static str> {
        let table: [(bool, &[&str]); 7] = [
            (true, &["proxy_on_request_headers"]),
            (
                self.request_body,
                &["proxy_on_request_body", "proxy_on_request_trailers"],
            ),
            (self.response_headers, &["proxy_on_response_headers"]),
            (
                self.response_body,
                &["proxy_on_response_body", "proxy_on_response_trailers"],
            ),
            (self.end, &["proxy_on_log"]),
            (self.callout, &["proxy_on_http_call_response"]),
            (self.hold || self.callout, &["proxy_on_tick", "proxy_on_done"]),
        ];
        table
            .iter()
            .filter(|(needed, _)| *needed)
            .flat_map(|(_, names)| names.iter().copied())
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_filter_of_the_bundle_is_known() {
        for filter in FILTERS {
            assert!(of(filter).is_ok(), "{filter}");
        }
        assert_eq!(
            of("rate-limits").unwrap_err(),
            "rate-limits is not a filter; there are: rate-limit"
        );
    }

    #[test]
    fn trailers_come_with_the_body_and_done_with_the_timer() {
        let needs = Needs {
            request_body: true,
            hold: true,
            ..Needs::default()
        };
        assert_eq!(
            needs.callbacks(),
            [
                "proxy_on_request_headers",
                "proxy_on_request_body",
                "proxy_on_request_trailers",
                "proxy_on_tick",
                "proxy_on_done",
            ],
        );
    }

    #[test]
    fn a_chain_needs_what_any_of_its_filters_needs() {
        let response = Needs {
            response_headers: true,
            ..Needs::default()
        };
        let end = Needs {
            end: true,
            ..Needs::default()
        };
        assert_eq!(
            response.or(end).callbacks(),
            [
                "proxy_on_request_headers",
                "proxy_on_response_headers",
                "proxy_on_log"
            ],
        );
    }
}
