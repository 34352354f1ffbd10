//! One stream: what its response is told, and what it says about the variant.

use std::rc::Rc;
use std::time::Duration;

use kit::exchange::Exchange;
use kit::filter::{Step, Stream};
use kit::host::Map;
use kit::time::Timestamp;

use crate::filter::{CanaryRouting, Drawn};
use crate::outcome::Verdict;

/// Where gRPC says how a call went: behind the response, or in its head if there is nothing else.
const GRPC_STATUS: &str = "grpc-status";

/// One stream.
pub(crate) struct CanaryStream {
    filter: Rc<CanaryRouting>,
    fate: Option<Fate>,
}

/// What of a stream matters once its variant is chosen.
pub(crate) struct Fate {
    pub(crate) split: usize,
    pub(crate) variant: usize,
    /// The header that hands out a cookie.
    pub(crate) cookie: Option<String>,
    /// The client is told the variant.
    pub(crate) tells: bool,
    /// The response says something about the variant.
    pub(crate) observes: bool,
    /// Whether the guard may compare it with those of the baseline.
    pub(crate) drawn: Drawn,
    pub(crate) is_grpc: bool,
    /// The status of gRPC, where the response has said it.
    pub(crate) grpc_status: Option<u64>,
    /// When the request came, if it matters how long its response takes.
    pub(crate) asked: Option<Timestamp>,
    /// How long it took.
    pub(crate) latency: Option<Duration>,
}

impl CanaryStream {
    pub(crate) const fn new(filter: Rc<CanaryRouting>) -> Self {
        Self { filter, fate: None }
    }
}

impl Stream for CanaryStream {
    fn on_request_headers(&mut self, exchange: &mut Exchange<'_>) -> Step {
        self.fate = self.filter.decide(exchange);
        Step::Continue
    }

    fn on_response_headers(&mut self, exchange: &mut Exchange<'_>) -> Step {
        let Some(fate) = self.fate.as_mut() else {
            return Step::Continue;
        };
        fate.latency = fate.asked.map(|asked| exchange.now().since(asked));
        // What a filter behind this one answers is no variant's.
        if !exchange.is_reply() {
            fate.tell(&self.filter, exchange);
        }
        if !fate.observes {
            self.fate = None;
        } else if fate.is_grpc {
            // There, if the response is nothing but trailers.
            fate.grpc_status = exchange.response_header(GRPC_STATUS).single().as_deref().and_then(number);
        }
        Step::Continue
    }

    fn on_response_trailers(&mut self, exchange: &mut Exchange<'_>) {
        if let Some(fate) = self.fate.as_mut().filter(|fate| fate.is_grpc) {
            let said = exchange.response_trailers().field(GRPC_STATUS).single();
            fate.grpc_status = said.as_deref().and_then(number).or(fate.grpc_status);
        }
    }

    fn is_done(&self) -> bool {
        self.fate.is_none()
    }

    fn on_gone(&mut self, exchange: &mut Exchange<'_>) {
        if let Some(fate) = self.fate.take().filter(|fate| fate.observes) {
            fate.count(&self.filter, exchange);
        }
    }
}

impl Fate {
    /// Tells the client what is for it.
    fn tell(&mut self, filter: &CanaryRouting, exchange: &mut Exchange<'_>) {
        let split = filter.config.splits.get(self.split);
        let variant = split.and_then(|split| split.variants.get(self.variant));
        if let (Some(name), Some(variant), true) = (&filter.config.output.response, variant, self.tells) {
            exchange.set_header(Map::Response, name, variant.name.as_bytes());
        }
        // What the proxy answers in place of an upstream may be for everybody, and is kept by somebody.
        if self.cookie.is_some()
            && exchange.is_from_upstream()
            && let Some(cookie) = self.cookie.take()
        {
            exchange.add_header(Map::Response, "set-cookie", cookie.as_bytes());
        }
    }

    /// Counts the response, once it is over.
    fn count(&self, filter: &CanaryRouting, exchange: &mut Exchange<'_>) {
        let Some((split, own)) = filter.config.splits.get(self.split).zip(filter.state.of(self.split)) else {
            return;
        };
        let verdict = split.outcomes.judge(exchange, self);
        own.observe(exchange, self.variant, verdict, self.latency);
        let bucket = match self.drawn {
            Drawn::Not => return,
            Drawn::Bucket(bucket) => Some(bucket),
            Drawn::Chance => None,
        };
        if let Some(watch) = own.watch.as_ref().filter(|_| verdict != Verdict::Ignored) {
            watch.count(exchange, split, self.variant, bucket, verdict == Verdict::Failure);
        }
    }
}

/// Reads the number of a status.
fn number(text: &[u8]) -> Option<u64> {
    std::str::from_utf8(text).ok()?.parse().ok()
}
