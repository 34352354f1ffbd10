//! Why a request is refused: one word for metrics, tags and tests, and nothing more for the client than it needs.

use kit::matcher::Ambiguous;

/// Why a request is refused.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub(crate) enum Reason {
    /// There is no signature, or none in the form of the scheme.
    Missing,
    /// Something that may be there once only is there twice: a signature, a timestamp, an id.
    Duplicate,
    /// There are more signatures than are tried.
    TooMany,
    /// Something else that is signed isn't there, or can't be read.
    Malformed(Detail),
    /// The body can't be read: it isn't JSON, or has two members of one name.
    Body,
    /// No key made any of the signatures.
    Signature,
    /// The body isn't the one that was signed, by its digest.
    Digest,
    /// The delivery is too old.
    Late,
    /// The delivery is from the future.
    Early,
    /// It came before, and was accepted.
    Replayed,
    /// It came before, and isn't answered yet.
    InFlight,
    /// A handshake with the wrong token.
    Token,
    /// The body is larger than allowed.
    TooLarge,
    /// The body didn't come in time.
    Timeout,
    /// There is no room for more bodies now.
    Busy,
    /// No endpoint is here.
    Unknown,
    /// The endpoint doesn't take this method.
    NotAllowed,
    /// Servers read the path of the request in different ways.
    Path,
    /// The same of its host.
    Host,
    /// The same of its method.
    Method,
}

/// What of a delivery is malformed: for the log alone, and a word of ours, whatever a client wrote.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub(crate) enum Detail {
    /// The timestamp isn't there, or isn't written as the scheme says.
    Timestamp,
    /// The id isn't there, or could be taken for another one.
    Id,
    /// A header that is signed isn't there.
    Header,
    /// The same of a parameter of the query.
    Query,
    /// The same of a field of a form.
    Form,
    /// The signature is to be a token, and this is none.
    Token,
    /// The challenge of a handshake isn't there, or is none.
    Challenge,
}

impl From<Ambiguous> for Reason {
    fn from(what: Ambiguous) -> Self {
        match what {
            Ambiguous::Path => Self::Path,
            Ambiguous::Host => Self::Host,
            Ambiguous::Method => Self::Method,
        }
    }
}

impl Reason {
    /// Why deliveries are refused. What is malformed has one word, whatever it is.
    pub(crate) const OF_ENDPOINTS: &'static [Self] = &[
        Self::Missing,
        Self::Duplicate,
        Self::TooMany,
        Self::Malformed(Detail::Timestamp),
        Self::Body,
        Self::Signature,
        Self::Digest,
        Self::Late,
        Self::Early,
        Self::Replayed,
        Self::InFlight,
        Self::Token,
        Self::TooLarge,
        Self::Timeout,
        Self::Busy,
        Self::NotAllowed,
        Self::Path,
        Self::Host,
        Self::Method,
    ];

    /// Why requests are refused that are to be signed.
    pub(crate) const OF_SIGNERS: &'static [Self] = &[
        Self::Duplicate,
        Self::Malformed(Detail::Id),
        Self::TooLarge,
        Self::Timeout,
        Self::Busy,
        Self::Path,
        Self::Host,
        Self::Method,
    ];

    /// Why requests are refused that nothing is for.
    pub(crate) const OF_NOBODY: &'static [Self] = &[Self::Unknown, Self::Path];

    /// Returns the word for metrics and tags.
    pub(crate) fn word(self) -> &'static str {
        self.details().strip_prefix(PREFIX).unwrap_or_default()
    }

    /// Returns the word for what exactly it is, if there is one.
    pub(crate) const fn detail(self) -> Option<&'static str> {
        let Self::Malformed(detail) = self else {
            return None;
        };
        Some(match detail {
            Detail::Timestamp => "timestamp",
            Detail::Id => "id",
            Detail::Header => "header",
            Detail::Query => "query",
            Detail::Form => "form",
            Detail::Token => "token",
            Detail::Challenge => "challenge",
        })
    }

    /// Returns the response code details.
    pub(crate) const fn details(self) -> &'static str {
        match self {
            Self::Missing => "sluice_webhook_hmac_missing",
            Self::Duplicate => "sluice_webhook_hmac_duplicate",
            Self::TooMany => "sluice_webhook_hmac_too_many",
            Self::Malformed(_) => "sluice_webhook_hmac_malformed",
            Self::Body => "sluice_webhook_hmac_body",
            Self::Signature => "sluice_webhook_hmac_signature",
            Self::Digest => "sluice_webhook_hmac_digest",
            Self::Late => "sluice_webhook_hmac_late",
            Self::Early => "sluice_webhook_hmac_early",
            Self::Replayed => "sluice_webhook_hmac_replayed",
            Self::InFlight => "sluice_webhook_hmac_in_flight",
            Self::Token => "sluice_webhook_hmac_token",
            Self::TooLarge => "sluice_webhook_hmac_too_large",
            Self::Timeout => "sluice_webhook_hmac_timeout",
            Self::Busy => "sluice_webhook_hmac_busy",
            Self::Unknown => "sluice_webhook_hmac_unknown",
            Self::NotAllowed => "sluice_webhook_hmac_not_allowed",
            Self::Path => "sluice_webhook_hmac_path",
            Self::Host => "sluice_webhook_hmac_host",
            Self::Method => "sluice_webhook_hmac_method",
        }
    }
}

/// What details begin with.
const PREFIX: &str = "sluice_webhook_hmac_";
