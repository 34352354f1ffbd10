//! What the claims of a provider's tokens must be (RFC 7519 section 4.1, RFC 8725 sections 3.8 and 3.9, RFC 9068).
//!
//! All of it follows from the token alone, but for the time: so a token is checked once, and only [`Validity::at`] is
//! asked again.

use std::time::Duration;

use kit::time::{Timestamp, nanos};
use kit::value::Value;

use crate::claim::ClaimPath;
use crate::reason::Reason;
use crate::token::{Header, is_media_type};

/// What the tokens of a provider must say.
#[derive(Clone, Debug)]
pub(crate) struct Expectations {
    /// `iss`, character by character.
    pub(crate) issuer: String,
    /// One of these must be in `aud`; none if any will do.
    pub(crate) audiences: Option<Vec<String>>,
    /// How far clocks may be apart.
    pub(crate) leeway: Duration,
    /// The most that may lie between issue and expiry.
    pub(crate) max_lifetime: Option<Duration>,
    /// What must be there, whatever it is.
    pub(crate) required: Vec<ClaimPath>,
    /// Whether `exp` must be there.
    pub(crate) expiry_required: bool,
    pub(crate) typ: Typ,
    /// Whether they are access tokens as RFC 9068 has them.
    pub(crate) access_token: bool,
}

/// What the `typ` of a header must be.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) enum Typ {
    /// Anything, or absent.
    Any,
    /// This media type, with or without `application/`.
    Is(String),
}

/// What is known of a token once its claims were checked.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Claims {
    pub(crate) validity: Validity,
    /// When the token was issued, if it says so.
    pub(crate) issued_at: Option<Timestamp>,
}

/// When a token is valid: from an instant on, until before another; the leeway is in both.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Validity {
    pub(crate) from: Timestamp,
    /// None if it never ends.
    pub(crate) until: Option<Timestamp>,
}

impl Expectations {
    /// Checks everything but the time.
    ///
    /// # Errors
    ///
    /// The first thing that isn't as expected: the kind of token, whose it is, for whom, what is missing or no value of
    /// its kind, and how long it lives.
    pub(crate) fn check(&self, header: &Header, payload: &Value) -> Result<Claims, Reason> {
        self.check_typ(header)?;
        match text(payload, "iss")? {
            Some(issuer) if issuer == self.issuer => {}
            Some(_) | None => return Err(Reason::Issuer),
        }
        self.check_audience(payload)?;
        text(payload, "sub")?;
        text(payload, "jti")?;
        let dates = Dates::of(payload)?;
        if self.access_token {
            check_access_token(payload)?;
        }
        if self.expiry_required && dates.expiry.is_none() {
            return Err(Reason::ClaimMissing);
        }
        if !self.required.iter().all(|path| path.find(payload).is_some_and(|value| *value != Value::Null)) {
            return Err(Reason::ClaimMissing);
        }
        if let Some(longest) = self.max_lifetime {
            dates.check_lifetime(longest)?;
        }
        Ok(Claims { validity: dates.validity(self.leeway), issued_at: dates.issue.map(instant) })
    }

    fn check_typ(&self, header: &Header) -> Result<(), Reason> {
        let is = |expected| header.typ.as_ref().is_some_and(|typ| is_media_type(typ, expected));
        let as_expected = match &self.typ {
            Typ::Any => true,
            Typ::Is(expected) => is(expected),
        };
        // Section 2.1: no other kind of token is taken for an access token.
        if as_expected && (!self.access_token || is("at+jwt")) { Ok(()) } else { Err(Reason::Type) }
    }

    fn check_audience(&self, payload: &Value) -> Result<(), Reason> {
        let named = match payload.get("aud") {
            None => Vec::new(),
            Some(Value::Text(audience)) => vec![audience.as_str()],
            Some(Value::List(items)) => {
                let texts: Option<Vec<&str>> = items.iter().map(Value::as_text).collect();
                texts.ok_or(Reason::ClaimType)?
            }
            Some(Value::Null | Value::Bool(_) | Value::Number(_) | Value::Object(_)) => {
                return Err(Reason::ClaimType);
            }
        };
        let is_ours =
            |audiences: &Vec<String>| audiences.iter().any(|audience| named.contains(&audience.as_str()));
        if self.audiences.as_ref().is_none_or(is_ours) { Ok(()) } else { Err(Reason::Audience) }
    }
}

impl Validity {
    /// Returns whether a token is valid at an instant.
    ///
    /// # Errors
    ///
    /// It is over, or hasn't begun.
    pub(crate) fn at(&self, now: Timestamp) -> Result<(), Reason> {
        if self.until.is_some_and(|until| until <= now) {
            Err(Reason::Expired)
        } else if now < self.from {
            Err(Reason::NotYet)
        } else {
            Ok(())
        }
    }
}

/// The dates of a token, in nanoseconds since 1970: rounded up, so that a clock of nanoseconds comes to the same
/// decisions, and as wide as any number may be.
struct Dates {
    expiry: Option<i128>,
    begin: Option<i128>,
    issue: Option<i128>,
}

impl Dates {
    fn of(payload: &Value) -> Result<Self, Reason> {
        Ok(Self { expiry: date(payload, "exp")?, begin: date(payload, "nbf")?, issue: date(payload, "iat")? })
    }

    fn check_lifetime(&self, longest: Duration) -> Result<(), Reason> {
        let expiry = self.expiry.ok_or(Reason::Lifetime)?;
        let start = self.issue.or(self.begin).ok_or(Reason::ClaimMissing)?;
        let lives_too_long = i128::from(nanos(longest)) < expiry.saturating_sub(start);
        if lives_too_long { Err(Reason::Lifetime) } else { Ok(()) }
    }

    fn validity(&self, leeway: Duration) -> Validity {
        let leeway = i128::from(nanos(leeway));
        let from =
            self.begin.max(self.issue).map_or(Timestamp::EPOCH, |date| instant(date.saturating_sub(leeway)));
        let until = self.expiry.map(|date| date.saturating_add(leeway));
        // What ends later than an instant can be never ends.
        let until = until.filter(|date| *date <= i128::from(u64::MAX)).map(instant);
        Validity { from, until }
    }
}

/// Checks what an access token must have (RFC 9068 section 2.2); whose it is and for whom is checked for all tokens.
fn check_access_token(payload: &Value) -> Result<(), Reason> {
    text(payload, "client_id")?;
    let is_there = |name: &&str| payload.get(name).is_some();
    if ["iss", "exp", "aud", "sub", "client_id", "iat", "jti"].iter().all(is_there) {
        Ok(())
    } else {
        Err(Reason::ClaimMissing)
    }
}

/// Returns a claim that is a text if it is there.
fn text<'a>(payload: &'a Value, name: &str) -> Result<Option<&'a str>, Reason> {
    payload.get(name).map(|value| value.as_text().ok_or(Reason::ClaimType)).transpose()
}

/// Returns a claim that is a `NumericDate` (RFC 7519 section 2) if it is there, in nanoseconds.
fn date(payload: &Value, name: &str) -> Result<Option<i128>, Reason> {
    match payload.get(name) {
        None => Ok(None),
        Some(Value::Number(seconds)) => Ok(Some(seconds.billionths_up())),
        // A text that looks like a number is none: who ignores what they can't read has no expiry.
        Some(Value::Null | Value::Bool(_) | Value::Text(_) | Value::List(_) | Value::Object(_)) => {
            Err(Reason::ClaimType)
        }
    }
}

/// Returns an instant; what is before the first or after the last is that.
fn instant(nanos: i128) -> Timestamp {
    Timestamp::from_nanos(u64::try_from(nanos.max(0)).unwrap_or(u64::MAX))
}

#[cfg(test)]
#[expect(clippy::arithmetic_side_effects, reason = "a test may overflow: it would fail")]
mod tests;
