//! What a response says about trying again: when, and whether.

use std::cell::Cell;
use std::time::Duration;

use kit::exchange::Exchange;
use kit::header::Field;
use kit::host::Map;
use kit::time::{Timestamp, nanos};

use crate::wait::{self, Responses};

/// What the response will want to know of its request.
#[derive(Clone, Copy)]
pub(crate) struct Hint {
    pub(crate) policy: Option<usize>,
    /// A second try does no more than the first.
    pub(crate) safe: bool,
    /// The budget is spent.
    pub(crate) spent: bool,
    pub(crate) grpc: bool,
}

/// Says on a response when, and whether, to come back.
pub(crate) fn answer_with(
    exchange: &mut Exchange<'_>,
    responses: &Responses,
    hint: Hint,
    waited: &Cell<u64>,
) {
    if hint.grpc {
        if responses.pushback {
            push_back(exchange, responses, waited);
        }
        return;
    }
    let Some(status) = exchange.status() else {
        return;
    };
    if responses.retry_after.as_ref().is_some_and(|statuses| statuses.contains(&status)) {
        let field = exchange.response_header("retry-after");
        let now = if field == Field::Absent { Timestamp::EPOCH } else { exchange.now() };
        let said = wait::retry_after(&field, now);
        if !said.is_some_and(wait::is_never) {
            let draws = [exchange.draw(), exchange.draw()];
            let seconds = responses.waits.seconds(said, waited.get(), draws);
            waited.set(nanos(Duration::from_secs(seconds)));
            exchange.set_header(Map::Response, "retry-after", seconds.to_string().as_bytes());
        }
    }
    if responses.should_retry && 400 <= status && exchange.response_header(SHOULD_RETRY) == Field::Absent {
        // What was refused for its rate was not begun, whatever it is.
        let may = (hint.safe || status == 429) && !hint.spent;
        let listed = responses.retry_after.as_ref().is_some_and(|statuses| statuses.contains(&status));
        let should = may && (listed || wait::passes(status));
        exchange.set_header(Map::Response, SHOULD_RETRY, if should { b"true" } else { b"false" });
    }
}

/// The header that tells clients whether to try again.
const SHOULD_RETRY: &str = "x-should-retry";

/// The header that tells clients of gRPC when to (gRFC A6).
const PUSHBACK: &str = "grpc-retry-pushback-ms";

/// Says to a client of gRPC when to come back, on an answer that has its status in its headers.
fn push_back(exchange: &mut Exchange<'_>, responses: &Responses, waited: &Cell<u64>) {
    // UNAVAILABLE and RESOURCE_EXHAUSTED.
    let refuses = matches!(exchange.response_header("grpc-status"), Field::One(status) if status == b"14" || status == b"8");
    if !refuses {
        return;
    }
    let said: Option<Vec<Duration>> =
        exchange.response_header(PUSHBACK).values().iter().map(|value| wait::pushback(value)).collect();
    // One that says never.
    let Some(said) = said.map(|said| said.into_iter().max()) else {
        return;
    };
    if said.is_some_and(wait::is_never) {
        return;
    }
    let wait = responses.waits.wait(said, waited.get(), exchange.draw());
    waited.set(nanos(wait));
    let milliseconds = nanos(wait).div_ceil(1_000_000);
    exchange.set_header(Map::Response, PUSHBACK, milliseconds.to_string().as_bytes());
}
