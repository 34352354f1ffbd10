//! What a refused client is told (RFC 6750 section 3): enough to come back with a better token, and nothing more.

use kit::exchange::Exchange;
use kit::filter::Step;
use kit::reply::{Grpc, GrpcStatus, Problem, Reply};
use kit::rule::Mode;

use crate::filter::JwtAuth;
use crate::reason::Reason;
use crate::state::Outcome;

/// What kinds of refusal a client sees: those that it can do something about are told apart, and no others.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Kind {
    /// It sent no token.
    Unauthenticated,
    /// It sent something that can't be one token.
    InvalidRequest,
    /// Its token isn't accepted.
    InvalidToken,
    /// Its token was good, and is over.
    Expired,
    /// Its token is accepted, and its scopes don't suffice.
    InsufficientScope,
    /// Its token is accepted, and doesn't suffice.
    Forbidden,
    /// There is nothing here that it could have a token for.
    Closed,
    /// Its path, host or method can be read in several ways.
    Ambiguous,
    /// The keys aren't there.
    Unavailable,
}

/// When to come back when keys aren't there, in seconds.
const RETRY_AFTER: &str = "5";

impl JwtAuth {
    /// Answers a request that goes no further, or says that it would.
    pub(crate) fn refuse(&self, exchange: &mut Exchange<'_>, rule: Option<usize>, reason: Reason) -> Step {
        let shadow = self.config.mode == Mode::Shadow;
        let outcome = if shadow { Outcome::WouldDeny } else { Outcome::Denied };
        self.state.tag(exchange, rule, outcome, Some(reason));
        self.state.count(exchange, rule, outcome);
        self.state.count_reason(exchange, reason);
        if shadow { Step::Continue } else { Step::Reply(Box::new(self.reply(reason))) }
    }

    fn reply(&self, reason: Reason) -> Reply {
        let kind = Kind::of(reason);
        let (status, title, grpc) = kind.answer();
        let problem = Problem { kind: "about:blank", title, list: None };
        let grpc = Grpc { status: grpc, message: title.into() };
        let reply = Reply::problem(status, reason.details(), &problem, grpc);
        let reply = match kind.challenge() {
            Some(error) => reply.header("www-authenticate", self.challenge(error)),
            None => reply,
        };
        if kind == Kind::Unavailable { reply.header("retry-after", RETRY_AFTER) } else { reply }
    }

    /// Returns the challenge (RFC 6750 section 3), with the realm if there is one.
    fn challenge(&self, error: &str) -> String {
        let realm = self.config.realm.as_ref().map(|realm| format!("realm=\"{realm}\""));
        let attributes: Vec<&str> =
            realm.as_deref().into_iter().chain((!error.is_empty()).then_some(error)).collect();
        format!("Bearer {}", attributes.join(", ")).trim_end().to_owned()
    }
}

impl Kind {
    /// Returns what a client may know of a reason. What fails before the signature is verified says nothing about
    /// keys or claims, so that nobody can try his way towards a token.
    const fn of(reason: Reason) -> Self {
        match reason {
            Reason::Missing => Self::Unauthenticated,
            Reason::Several | Reason::TooLarge => Self::InvalidRequest,
            Reason::Malformed
            | Reason::Encrypted
            | Reason::Algorithm
            | Reason::Critical
            | Reason::Type
            | Reason::Issuer
            | Reason::UnknownKey
            | Reason::Signature
            | Reason::Audience
            | Reason::NotYet
            | Reason::Lifetime
            | Reason::ClaimMissing
            | Reason::ClaimType
            | Reason::Revoked => Self::InvalidToken,
            Reason::Expired => Self::Expired,
            Reason::Scope => Self::InsufficientScope,
            Reason::Forbidden => Self::Forbidden,
            Reason::NoRule => Self::Closed,
            Reason::Path | Reason::Host | Reason::Method => Self::Ambiguous,
            Reason::NoKeys => Self::Unavailable,
        }
    }

    /// Returns the status, what it says to a person, and the status of gRPC.
    const fn answer(self) -> (u16, &'static str, GrpcStatus) {
        match self {
            Self::Unauthenticated => (401, "A token is required", GrpcStatus::Unauthenticated),
            Self::InvalidRequest => {
                (400, "The request must have one token of a sensible size", GrpcStatus::InvalidArgument)
            }
            Self::InvalidToken => (401, "The token is not accepted", GrpcStatus::Unauthenticated),
            Self::Expired => (401, "The token has expired", GrpcStatus::Unauthenticated),
            Self::InsufficientScope => {
                (403, "The token's scopes do not suffice", GrpcStatus::PermissionDenied)
            }
            Self::Forbidden => (403, "The token does not suffice", GrpcStatus::PermissionDenied),
            Self::Closed => (403, "Nobody may do this", GrpcStatus::PermissionDenied),
            Self::Ambiguous => (400, "The request can be read in several ways", GrpcStatus::InvalidArgument),
            Self::Unavailable => (503, "Tokens can't be verified at the moment", GrpcStatus::Unavailable),
        }
    }

    /// Returns the attributes of the challenge; none if a token would change nothing.
    const fn challenge(self) -> Option<&'static str> {
        match self {
            // No error for who sent no credentials (RFC 6750 section 3.1).
            Self::Unauthenticated => Some(""),
            Self::InvalidRequest => Some("error=\"invalid_request\""),
            Self::InvalidToken => Some("error=\"invalid_token\""),
            Self::Expired => Some("error=\"invalid_token\", error_description=\"The token has expired\""),
            Self::InsufficientScope => Some("error=\"insufficient_scope\""),
            Self::Forbidden | Self::Closed | Self::Ambiguous | Self::Unavailable => None,
        }
    }
}
