//! What a refused sender is told: enough for an honest one, and nothing that helps to make a better forgery.

use kit::exchange::Exchange;
use kit::filter::Step;
use kit::reply::{Grpc, GrpcStatus, Problem, Reply};
use kit::rule::Mode;

use crate::config::Endpoint;
use crate::filter::WebhookHmac;
use crate::reason::Reason;
use crate::state::{About, Outcome};

/// When to come back, in seconds, while the first of two equal deliveries isn't answered, or there is no room.
const RETRY_AFTER: &str = "5";

impl WebhookHmac {
    /// Answers a request that goes no further, or says that it would.
    pub(crate) fn refuse(&self, exchange: &mut Exchange<'_>, about: About, reason: Reason) -> Step {
        let shadow = self.config.mode == Mode::Shadow;
        self.state.note(exchange, about, if shadow { Outcome::WouldDeny } else { Outcome::Denied });
        self.state.note_reason(exchange, about, reason);
        if shadow {
            return Step::Continue;
        }
        Step::Reply(Box::new(self.reply(about, reason)))
    }

    /// Returns the answer.
    pub(crate) fn reply(&self, about: About, reason: Reason) -> Reply {
        let endpoint = match about {
            About::Endpoint(index) => self.config.endpoints.get(index),
            About::Signer(_) | About::None => None,
        };
        reply(endpoint, reason)
    }
}

fn reply(endpoint: Option<&Endpoint>, reason: Reason) -> Reply {
    let (status, title, grpc) = match reason {
        Reason::Missing | Reason::Duplicate | Reason::TooMany | Reason::Malformed(_) | Reason::Body => {
            (endpoint.map_or(400, |endpoint| endpoint.malformed_status), REFUSED, GrpcStatus::Unauthenticated)
        }
        Reason::Signature | Reason::Digest | Reason::Late | Reason::Early | Reason::Token => {
            (endpoint.map_or(401, |endpoint| endpoint.status), REFUSED, GrpcStatus::Unauthenticated)
        }
        Reason::Replayed => (409, "The delivery came before", GrpcStatus::InvalidArgument),
        Reason::InFlight => (409, "The delivery came before and isn't answered yet", GrpcStatus::Unavailable),
        Reason::TooLarge => (413, "The body is too large", GrpcStatus::ResourceExhausted),
        Reason::Timeout => (408, "The body didn't come in time", GrpcStatus::DeadlineExceeded),
        Reason::Busy => (503, "There is no room for more", GrpcStatus::Unavailable),
        Reason::Unknown => (404, "Not found", GrpcStatus::NotFound),
        Reason::NotAllowed => (405, "Method not allowed", GrpcStatus::InvalidArgument),
        Reason::Path | Reason::Host | Reason::Method => {
            (400, "The request can be read in several ways", GrpcStatus::InvalidArgument)
        }
    };
    let problem = Problem { kind: "about:blank", title, list: None };
    let reply =
        Reply::problem(status, reason.details(), &problem, Grpc { status: grpc, message: title.into() });
    match (reason, endpoint) {
        (Reason::InFlight | Reason::Busy, _) => reply.header("retry-after", RETRY_AFTER),
        (Reason::NotAllowed, Some(endpoint)) => reply.header("allow", allowed(endpoint)),
        // A 401 says how to do better (RFC 9110 section 15.5.2).
        _ if status == 401 => reply.header("www-authenticate", "Signature"),
        _ => reply,
    }
}

const REFUSED: &str = "The delivery is not accepted";

/// Returns the methods of an endpoint, with those of its handshakes (RFC 9110 section 10.2.1).
fn allowed(endpoint: &Endpoint) -> String {
    let mut methods: Vec<&str> = Vec::new();
    let handshakes = endpoint.handshakes.iter().map(|handshake| &handshake.method);
    for method in endpoint.methods.iter().chain(handshakes) {
        if !methods.contains(&method.as_str()) {
            methods.push(method);
        }
    }
    methods.join(", ")
}
