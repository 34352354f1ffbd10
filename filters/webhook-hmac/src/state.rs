//! What is counted and tagged: an endpoint, an outcome, and the reason of a refusal.

use std::rc::Rc;

use kit::exchange::Exchange;
use kit::rule::Tagged;
use kit::setup::{Counter, Setup, Tag};

use crate::config::Config;
use crate::reason::Reason;
use crate::replay::Seen;

/// What becomes of a request.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Outcome {
    /// It goes on, verified.
    Verified,
    /// It goes on, verified, and came before.
    Repeated,
    /// It is answered in place: it came before.
    Acknowledged,
    /// It is answered in place: a handshake.
    Handshake,
    /// It goes on, signed.
    Signed,
    /// It is refused.
    Denied,
    /// It would be, if the filter didn't only look on.
    WouldDeny,
}

/// Counters and tags, and what came to each endpoint.
pub(crate) struct State {
    tagged: Tagged,
    /// Those of each endpoint.
    endpoints: Vec<Decisions>,
    /// Those of what is signed.
    signers: Vec<Decisions>,
    /// Those of requests that no endpoint is for.
    none: Decisions,
    endpoint: Tag,
    outcome: Tag,
    reason: Tag,
    detail: Tag,
    provider: Tag,
    id: Tag,
    key: Tag,
}

/// The counters of an endpoint.
struct Decisions {
    name: Rc<[u8]>,
    provider: Rc<[u8]>,
    counters: Vec<(Outcome, Counter)>,
    /// Those of refusals, by the words for their reasons.
    refusals: Vec<(&'static str, Counter)>,
    evicted: Counter,
    contended: Counter,
    seen: Seen,
}

/// What requests are counted under that no endpoint is for.
pub(crate) const NO_ENDPOINT: &str = "none";

/// Whom a decision is about.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum About {
    Endpoint(usize),
    Signer(usize),
    None,
}

impl State {
    pub(crate) fn new(config: &Config, setup: &mut Setup<'_>) -> Self {
        let endpoints = config.endpoints.iter().map(|endpoint| {
            Decisions::new(
                &endpoint.name,
                &endpoint.provider,
                Outcome::OF_ENDPOINTS,
                Reason::OF_ENDPOINTS,
                setup,
            )
        });
        let endpoints = endpoints.collect();
        let signers = config
            .signers
            .iter()
            .map(|signer| Decisions::new(&signer.name, "", Outcome::OF_SIGNERS, Reason::OF_SIGNERS, setup));
        let signers = signers.collect();
        let none = Decisions::new(NO_ENDPOINT, "", Outcome::OF_NOBODY, Reason::OF_NOBODY, setup);
        Self {
            tagged: config.tags,
            endpoints,
            signers,
            none,
            endpoint: setup.tag("endpoint"),
            outcome: setup.tag("outcome"),
            reason: setup.tag("reason"),
            detail: setup.tag("detail"),
            provider: setup.tag("provider"),
            id: setup.tag("id"),
            key: setup.tag("key"),
        }
    }

    /// Counts a decision and publishes it, for access logs and later filters.
    pub(crate) fn note(&self, exchange: &mut Exchange<'_>, about: About, outcome: Outcome) {
        let decisions = self.decisions(about);
        if self.tagged == Tagged::All || !outcome.passes() {
            exchange.tag(&self.endpoint, Rc::clone(&decisions.name));
            exchange.tag(&self.outcome, outcome.word().as_bytes());
        }
        if let Some((_, counter)) = decisions.counters.iter().find(|(known, _)| *known == outcome) {
            exchange.count(*counter);
        }
    }

    /// Counts the reason of a refusal and publishes it.
    pub(crate) fn note_reason(&self, exchange: &mut Exchange<'_>, about: About, reason: Reason) {
        let word = reason.word();
        exchange.tag(&self.reason, word.as_bytes());
        if let Some(detail) = reason.detail() {
            exchange.tag(&self.detail, detail.as_bytes());
        }
        if let Some((_, counter)) = self.decisions(about).refusals.iter().find(|(known, _)| *known == word) {
            exchange.count(*counter);
        }
    }

    /// Publishes what is known of a delivery, if all decisions are.
    pub(crate) fn publish(
        &self,
        exchange: &mut Exchange<'_>,
        endpoint: usize,
        id: Option<&[u8]>,
        key: usize,
    ) {
        if self.tagged == Tagged::Refusals {
            return;
        }
        exchange.tag(&self.provider, Rc::clone(&self.decisions(About::Endpoint(endpoint)).provider));
        if let Some(id) = id {
            exchange.tag(&self.id, id);
        }
        exchange.tag(&self.key, key.to_string().as_bytes());
    }

    /// Returns what came to an endpoint.
    pub(crate) fn seen(&self, endpoint: usize) -> &Seen {
        &self.decisions(About::Endpoint(endpoint)).seen
    }

    /// Counts that something was forgotten before its time.
    pub(crate) fn count_evicted(&self, exchange: &mut Exchange<'_>, endpoint: usize) {
        exchange.count(self.decisions(About::Endpoint(endpoint)).evicted);
    }

    /// Counts that other workers were first every time.
    pub(crate) fn count_contended(&self, exchange: &mut Exchange<'_>, endpoint: usize) {
        exchange.count(self.decisions(About::Endpoint(endpoint)).contended);
    }

    fn decisions(&self, about: About) -> &Decisions {
        let found = match about {
            About::Endpoint(index) => self.endpoints.get(index),
            About::Signer(index) => self.signers.get(index),
            About::None => None,
        };
        found.unwrap_or(&self.none)
    }
}

impl Decisions {
    fn new(
        name: &str,
        provider: &str,
        outcomes: &[Outcome],
        reasons: &[Reason],
        setup: &mut Setup<'_>,
    ) -> Self {
        let counters =
            outcomes.iter().map(|outcome| (*outcome, setup.counter("decisions", &[name, outcome.word()])));
        let counters = counters.collect();
        let refusals = reasons.iter().map(|reason| reason.word());
        let refusals = refusals.map(|word| (word, setup.counter("refusals", &[name, word]))).collect();
        Self {
            name: name.as_bytes().into(),
            provider: provider.as_bytes().into(),
            counters,
            refusals,
            evicted: setup.counter("evictions", &[name]),
            contended: setup.counter("contentions", &[name]),
            seen: Seen::default(),
        }
    }
}

impl Outcome {
    const OF_ENDPOINTS: &'static [Self] =
        &[Self::Verified, Self::Repeated, Self::Acknowledged, Self::Handshake, Self::Denied, Self::WouldDeny];
    const OF_SIGNERS: &'static [Self] = &[Self::Signed, Self::Denied, Self::WouldDeny];
    const OF_NOBODY: &'static [Self] = &[Self::Denied, Self::WouldDeny];

    /// Tells whether the request goes on.
    const fn passes(self) -> bool {
        matches!(self, Self::Verified | Self::Repeated | Self::Signed)
    }

    const fn word(self) -> &'static str {
        match self {
            Self::Verified => "verified",
            Self::Repeated => "repeated",
            Self::Acknowledged => "acknowledged",
            Self::Handshake => "handshake",
            Self::Signed => "signed",
            Self::Denied => "denied",
            Self::WouldDeny => "would_deny",
        }
    }
}
