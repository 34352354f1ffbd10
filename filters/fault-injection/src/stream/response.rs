//! The faults of a response, as they happen to its head and then to its body, piece by piece.

use kit::exchange::Exchange;
use kit::filter::{Chunk, Step};
use kit::header::Field;
use kit::host::Map;

use super::Fate;
use crate::body::Flow;
use crate::filter::FaultInjection;
use crate::response::{Pace, ResponseFault};
use crate::state::Outcome;

impl Fate {
    /// Changes the head of the response, and prepares for its body.
    pub(super) fn begin_response(&mut self, filter: &FaultInjection, exchange: &mut Exchange<'_>) -> Step {
        let Some(plan) = self.plan.as_ref() else {
            return Step::Continue;
        };
        if filter.is_killed() || plan.changes_responses() && filter.ask_whether_killed(exchange) {
            return Step::Continue;
        }
        self.spare_others(filter, exchange);
        let Some(plan) = self.plan.as_ref().filter(|plan| !plan.is_empty()) else {
            return Step::Continue;
        };
        let (response, delay) = (plan.response.clone(), plan.response_delay);
        if let Some(name) = &filter.config.stamp {
            exchange.add_header(Map::Response, name, self.stamp.as_bytes());
        }
        if let Some(response) = response {
            if response.alters() {
                keep_out_of_caches(exchange);
            }
            self.change_head(exchange, &response);
            self.empties_trailers = response.empty_trailers;
            self.pace = response.throttle.map(|rate| Pace::new(rate, exchange.now()));
        }
        match delay {
            Some(delay) => {
                let until = exchange.now().after(delay);
                self.pace = self.pace.map(|pace| pace.later(until));
                self.hold(filter, exchange, until)
            }
            None => Step::Continue,
        }
    }

    /// Leaves alone what somebody else answers in place of the upstream: the proxy, or a filter behind this one. Of the
    /// plan there remains what has happened already.
    fn spare_others(&mut self, filter: &FaultInjection, exchange: &mut Exchange<'_>) {
        let Some(plan) = self.plan.as_mut() else {
            return;
        };
        // Most plans end with a delay of the request.
        if plan.is_over() || exchange.is_from_upstream() {
            return;
        }
        plan.stop();
        let words = plan.words();
        self.stamp = filter.stamp(self.about, &words);
        filter.state.note(exchange, self.about, Outcome::Spared, Some(words.as_bytes()));
    }

    fn change_head(&mut self, exchange: &mut Exchange<'_>, response: &ResponseFault) {
        // Of these, `content-length` says how long a body would be, and none follows.
        let is_bare = matches!(exchange.status(), Some(204 | 205 | 304));
        // A connection that has become something else has no status to change.
        if let Some(status) = response.status.filter(|_| exchange.status() != Some(101)) {
            if is_bare {
                exchange.remove_header(Map::Response, "content-length");
            }
            exchange.set_header(Map::Response, ":status", status.to_string().as_bytes());
        }
        for name in &response.remove {
            exchange.remove_header(Map::Response, name);
        }
        for (name, value) in &response.set {
            exchange.set_header(Map::Response, name, value.as_bytes());
        }
        // Some say only with an empty piece that there is no body, and what stood in its place would be taken for the
        // next response.
        let has_none = exchange.headers_only() || is_bare || self.is_head;
        let Some(fault) = response.body.as_ref().filter(|_| !has_none) else {
            return;
        };
        let length: Option<u64> = match exchange.response_header("content-length") {
            Field::One(length) => std::str::from_utf8(&length).ok().and_then(|length| length.parse().ok()),
            Field::Absent | Field::Many(_) => None,
        };
        if length == Some(0) {
            return;
        }
        self.ends_in_body = length.is_none() && ends_in_body(exchange);
        if let Some(length) = length.filter(|_| response.honest_length) {
            let honest = fault.length(length).to_string();
            exchange.set_header(Map::Response, "content-length", honest.as_bytes());
        }
        if fault.is_new() {
            exchange.remove_header(Map::Response, "content-encoding");
        }
        self.body = Some(Flow::new(fault.clone(), length, !response.honest_length));
    }

    /// Changes a piece of the body, and lets it go when it may.
    pub(super) fn pass_body(
        &mut self,
        filter: &FaultInjection,
        exchange: &mut Exchange<'_>,
        chunk: Chunk<'_>,
    ) -> Step {
        let mut length = chunk.bytes.len();
        if let Some(body) = &mut self.body {
            let is_lost = chunk.last && self.ends_in_body && body.waits();
            let Some(piece) = body.take(chunk.bytes, chunk.last) else {
                return self.gather(exchange);
            };
            if is_lost && exchange.response_trailers().iter().next().is_some() {
                // Trailers after all, and nothing is held that could be what was kept: better no end than a false one.
                return Step::Reset;
            }
            length = piece.len();
            let was_gathered = std::mem::replace(&mut self.gathers, false);
            if was_gathered || *piece != *chunk.bytes {
                exchange.replace_body(piece.into_owned());
            }
        }
        if chunk.last && self.empties_trailers {
            exchange.remove_response_trailers();
        }
        if let Some(pace) = self.pace.as_mut().filter(|_| !filter.is_killed()) {
            let now = exchange.now();
            let until = pace.take(length, now);
            if now < until {
                return self.hold(filter, exchange, until);
            }
        }
        self.go_on()
    }

    /// Lets a piece go that has nothing to wait for but the stream.
    fn go_on(&self) -> Step {
        if self.until.is_some() { Step::HoldBack } else { Step::Continue }
    }

    /// Takes a piece that waits for more out of the proxy's buffer, where there may be less room than it takes.
    fn gather(&mut self, exchange: &mut Exchange<'_>) -> Step {
        if self.ends_in_body {
            exchange.replace_body(Vec::new());
            return self.go_on();
        }
        // With trailers no piece of the body comes: there must be one that was held, to be replaced.
        exchange.replace_body(vec![0]);
        self.gathers = true;
        Step::Hold
    }
}

/// Has no cache keep the response: a fault is for one client, and not for all who ask.
fn keep_out_of_caches(exchange: &mut Exchange<'_>) {
    exchange.set_header(Map::Response, "cache-control", b"no-store");
    // Where one of these is, the caches that it is for look at nothing else (RFC 9213).
    for name in ["cdn-cache-control", "surrogate-control"] {
        exchange.remove_header(Map::Response, name);
    }
}

/// Tells whether the body of a response without a length ends with a piece of it: over HTTP/1, unless it announces
/// trailers. Over HTTP/2 these come unannounced, and pieces are no longer than a frame.
fn ends_in_body(exchange: &Exchange<'_>) -> bool {
    let has = |name: &str| exchange.response_header(name) != Field::Absent;
    (has("transfer-encoding") || has("connection")) && !has("trailer")
}
