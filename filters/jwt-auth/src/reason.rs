//! Why a request is refused: one word for metrics, tags and tests, and nothing more for the client than it needs.

use kit::matcher::Ambiguous;

/// Why a request is refused.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub(crate) enum Reason {
    /// There is no token.
    Missing,
    /// There are several tokens, or one in a form that can be read as several.
    Several,
    /// The token is longer than allowed.
    TooLarge,
    /// It is not the compact form of a JWS (RFC 7515 section 7.1) whose header and payload are JSON objects.
    Malformed,
    /// It is encrypted (five parts, RFC 7516).
    Encrypted,
    /// Its `alg` is none that the provider allows, `none` among them.
    Algorithm,
    /// Its header has `crit`, `b64` or `cty: JWT`: it asks for something that nobody here understands.
    Critical,
    /// Its `typ` isn't the one that the provider issues.
    Type,
    /// Nobody here trusts its issuer.
    Issuer,
    /// No key of the provider has its `kid`, or fits its `alg`.
    UnknownKey,
    /// No key of the provider made its signature.
    Signature,
    /// It is for somebody else.
    Audience,
    /// It is over.
    Expired,
    /// It isn't valid yet, or was issued in the future.
    NotYet,
    /// It lives longer than the provider's tokens may.
    Lifetime,
    /// A claim that must be there isn't.
    ClaimMissing,
    /// A registered claim has a value of the wrong kind.
    ClaimType,
    /// It was revoked.
    Revoked,
    /// It is valid, and its scopes don't suffice.
    Scope,
    /// It is valid, and something else that the rule requires isn't so.
    Forbidden,
    /// The keys of its issuer aren't known yet.
    NoKeys,
    /// No rule is for this request.
    NoRule,
    /// Servers read the path of the request in different ways.
    Path,
    /// The same of its host.
    Host,
    /// The same of its method.
    Method,
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
    /// Every reason.
    pub(crate) const ALL: [Self; 25] = [
        Self::Missing,
        Self::Several,
        Self::TooLarge,
        Self::Malformed,
        Self::Encrypted,
        Self::Algorithm,
        Self::Critical,
        Self::Type,
        Self::Issuer,
        Self::UnknownKey,
        Self::Signature,
        Self::Audience,
        Self::Expired,
        Self::NotYet,
        Self::Lifetime,
        Self::ClaimMissing,
        Self::ClaimType,
        Self::Revoked,
        Self::Scope,
        Self::Forbidden,
        Self::NoKeys,
        Self::NoRule,
        Self::Path,
        Self::Host,
        Self::Method,
    ];

    /// Returns the word for metrics and tags.
    pub(crate) fn word(self) -> &'static str {
        self.details().trim_start_matches(PREFIX)
    }

    /// Returns what access logs say as the details of a refusal.
    pub(crate) const fn details(self) -> &'static str {
        match self {
            Self::Missing => "sluice_jwt_auth_missing",
            Self::Several => "sluice_jwt_auth_several",
            Self::TooLarge => "sluice_jwt_auth_too_large",
            Self::Malformed => "sluice_jwt_auth_malformed",
            Self::Encrypted => "sluice_jwt_auth_encrypted",
            Self::Algorithm => "sluice_jwt_auth_algorithm",
            Self::Critical => "sluice_jwt_auth_critical",
            Self::Type => "sluice_jwt_auth_type",
            Self::Issuer => "sluice_jwt_auth_issuer",
            Self::UnknownKey => "sluice_jwt_auth_unknown_key",
            Self::Signature => "sluice_jwt_auth_signature",
            Self::Audience => "sluice_jwt_auth_audience",
            Self::Expired => "sluice_jwt_auth_expired",
            Self::NotYet => "sluice_jwt_auth_not_yet",
            Self::Lifetime => "sluice_jwt_auth_lifetime",
            Self::ClaimMissing => "sluice_jwt_auth_claim_missing",
            Self::ClaimType => "sluice_jwt_auth_claim_type",
            Self::Revoked => "sluice_jwt_auth_revoked",
            Self::Scope => "sluice_jwt_auth_scope",
            Self::Forbidden => "sluice_jwt_auth_forbidden",
            Self::NoKeys => "sluice_jwt_auth_no_keys",
            Self::NoRule => "sluice_jwt_auth_no_rule",
            Self::Path => "sluice_jwt_auth_path",
            Self::Host => "sluice_jwt_auth_host",
            Self::Method => "sluice_jwt_auth_method",
        }
    }
}

/// What details begin with.
const PREFIX: &str = "sluice_jwt_auth_";
