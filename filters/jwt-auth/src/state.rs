//! What is counted and tagged: a rule, an outcome, and the reason of a refusal.

use std::rc::Rc;

use kit::exchange::Exchange;
use kit::setup::{Counter, Setup, Tag};

use crate::config::Config;
use crate::reason::Reason;

/// What becomes of a request.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Outcome {
    /// It goes on with a token.
    Admitted,
    /// It goes on without one.
    Anonymous,
    /// It is refused.
    Denied,
    /// It would be, if the filter didn't only look on.
    WouldDeny,
}

/// Counters and tags.
pub(crate) struct State {
    /// Those of each rule.
    rules: Vec<Decisions>,
    /// Those of requests that no rule is for.
    none: Decisions,
    reasons: Vec<(Reason, Counter, Rc<[u8]>)>,
    rule: Tag,
    outcome: Tag,
    reason: Tag,
}

/// The counters of a rule.
struct Decisions {
    name: Rc<[u8]>,
    admitted: Counter,
    anonymous: Counter,
    denied: Counter,
    would_deny: Counter,
}

/// What requests are counted under that no rule is for.
pub(crate) const NO_RULE: &str = "none";

impl State {
    pub(crate) fn new(config: &Config, setup: &mut Setup<'_>) -> Self {
        let rules = config.rules.iter().map(|rule| Decisions::new(&rule.name, setup)).collect();
        let reason = |reason: &Reason| {
            (*reason, setup.counter("refusals", &[reason.word()]), reason.word().as_bytes().into())
        };
        let reasons = Reason::ALL.iter().map(reason).collect();
        Self {
            rules,
            none: Decisions::new(NO_RULE, setup),
            reasons,
            rule: setup.tag("rule"),
            outcome: setup.tag("outcome"),
            reason: setup.tag("reason"),
        }
    }

    /// Counts a decision.
    pub(crate) fn count(&self, exchange: &mut Exchange<'_>, rule: Option<usize>, outcome: Outcome) {
        let decisions = self.decisions(rule);
        exchange.count(match outcome {
            Outcome::Admitted => decisions.admitted,
            Outcome::Anonymous => decisions.anonymous,
            Outcome::Denied => decisions.denied,
            Outcome::WouldDeny => decisions.would_deny,
        });
    }

    /// Counts the reason of a refusal.
    pub(crate) fn count_reason(&self, exchange: &mut Exchange<'_>, reason: Reason) {
        if let Some((_, counter, _)) = self.reasons.iter().find(|(known, ..)| *known == reason) {
            exchange.count(*counter);
        }
    }

    /// Publishes a decision for access logs and later filters.
    pub(crate) fn tag(
        &self,
        exchange: &mut Exchange<'_>,
        rule: Option<usize>,
        outcome: Outcome,
        reason: Option<Reason>,
    ) {
        exchange.tag(&self.rule, Rc::clone(&self.decisions(rule).name));
        exchange.tag(&self.outcome, outcome.word().as_bytes());
        if let Some((_, _, word)) = self.reasons.iter().find(|(known, ..)| Some(*known) == reason) {
            exchange.tag(&self.reason, Rc::clone(word));
        }
    }

    fn decisions(&self, rule: Option<usize>) -> &Decisions {
        rule.and_then(|rule| self.rules.get(rule)).unwrap_or(&self.none)
    }
}

impl Decisions {
    fn new(rule: &str, setup: &mut Setup<'_>) -> Self {
        let mut decision = |outcome: Outcome| setup.counter("decisions", &[rule, outcome.word()]);
        Self {
            name: rule.as_bytes().into(),
            admitted: decision(Outcome::Admitted),
            anonymous: decision(Outcome::Anonymous),
            denied: decision(Outcome::Denied),
            would_deny: decision(Outcome::WouldDeny),
        }
    }
}

impl Outcome {
    const fn word(self) -> &'static str {
        match self {
            Self::Admitted => "admitted",
            Self::Anonymous => "anonymous",
            Self::Denied => "denied",
            Self::WouldDeny => "would_deny",
        }
    }
}
