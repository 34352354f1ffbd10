//! What a request was answered, as far as its experiment wants to know: with the head of the response, or at the end of a
//! call of gRPC.

use kit::exchange::Exchange;
use kit::header::{Field, Lookup as _};

use super::Fate;
use crate::filter::FaultInjection;
use crate::state::About;
use crate::status::Said;

/// What an experiment waits for.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Watches {
    /// Nothing, or nothing any more.
    Nothing,
    /// The status of the response.
    Status,
    /// That of a call of gRPC, which may come at the end.
    Call,
}

/// Where gRPC says how a call went: at the end, or at once if there is nothing else to say.
const GRPC_STATUS: &str = "grpc-status";

impl Fate {
    /// Takes the head of the response.
    pub(super) fn see_head(&mut self, filter: &FaultInjection, exchange: &mut Exchange<'_>) {
        if self.watches == Watches::Nothing {
            return;
        }
        // What a filter behind this one refuses says nothing of the upstream, and clients could bring it about.
        if exchange.is_reply() {
            self.watches = Watches::Nothing;
            return;
        }
        let Some(status) = exchange.status() else {
            return;
        };
        if self.watches == Watches::Status {
            return self.count(filter, exchange, Said::Status(status));
        }
        let said = match exchange.response_header(GRPC_STATUS) {
            Field::Absent if status == 200 && !exchange.headers_only() => return,
            Field::Absent if status == 200 => Said::NOTHING,
            Field::Absent => Said::Status(status),
            field @ (Field::One(_) | Field::Many(_)) => of_call(&field),
        };
        self.count(filter, exchange, said);
    }

    /// Takes the end of the response, before anything is changed about it.
    pub(super) fn see_end(&mut self, filter: &FaultInjection, exchange: &mut Exchange<'_>) {
        if self.watches == Watches::Call {
            let said = of_call(&exchange.response_trailers().field(GRPC_STATUS));
            self.count(filter, exchange, said);
        }
    }

    /// Takes note that the stream is over: a response that began and came to no end was broken off.
    pub(super) fn see_break(&mut self, filter: &FaultInjection, exchange: &mut Exchange<'_>) {
        if self.watches != Watches::Call || !self.responds {
            return;
        }
        // A client that leaves says nothing of the upstream.
        let details = exchange.property(&["response", "code_details"]).unwrap_or_default();
        if !details.starts_with(b"downstream") {
            self.count(filter, exchange, Said::NOTHING);
        }
    }

    fn count(&mut self, filter: &FaultInjection, exchange: &mut Exchange<'_>, said: Said) {
        self.watches = Watches::Nothing;
        if let About::Experiment(index) = self.about
            && let Some(experiment) = filter.config.experiments.get(index)
        {
            filter.state.own(self.about).watch(exchange, experiment, said);
        }
    }
}

/// Reads the status of a call, where it is said once.
fn of_call(field: &Field) -> Said {
    match field {
        Field::One(status) => Said::of_call(status),
        Field::Absent | Field::Many(_) => Said::NOTHING,
    }
}
