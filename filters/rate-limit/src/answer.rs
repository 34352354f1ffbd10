//! What a request that goes no further is told.

use std::time::Duration;

use kit::draw::below;
use kit::exchange::Exchange;
use kit::filter::Step;
use kit::matcher::Ambiguous;
use kit::reply::{Grpc, GrpcStatus, Problem, Reply};
use kit::rule::Mode;
use kit::time::{nanos, seconds_up};

use crate::bucket::{Limits, Refusal};
use crate::config::{OnContention, Rule};
use crate::filter::RateLimit;
use crate::quota::{self, Policy};
use crate::state::RuleState;

/// Why a request can't be counted.
#[derive(Clone, Copy)]
pub(crate) enum Unclear {
    /// Servers read it in different ways, so that it can't be told which rule it is for.
    Request(Ambiguous),
    /// It names two clients.
    Key,
    /// It names none.
    NoKey,
}

impl RateLimit {
    /// Answers a request that isn't admitted, or says that it would.
    #[cold]
    #[inline(never)]
    pub(crate) fn refuse(
        &self,
        exchange: &mut Exchange<'_>,
        rule: &Rule,
        state: &RuleState,
        policies: &[Policy],
        limits: Option<&Limits>,
        refusal: Option<Refusal>,
    ) -> Step {
        if self.shadows(exchange, rule, state) {
            return Step::Continue;
        }
        let now = exchange.now();
        let mut violated: Vec<&str> = Vec::new();
        let mut left = Vec::new();
        let mut wait = None;
        match (limits, &refusal) {
            (Some(limits), Some(refusal)) => {
                let flags = refusal.violated.iter().copied().take(limits.rates.len());
                let flags = flags.chain(std::iter::once(refusal.too_many));
                violated.extend(
                    policies
                        .iter()
                        .zip(flags)
                        .filter(|(_, flag)| *flag)
                        .map(|(policy, _)| policy.name.as_str()),
                );
                left = quota::left(limits, &refusal.arrivals, now);
                // A request in flight ends when it ends.
                let least = if refusal.in_flight { Duration::from_secs(1) } else { Duration::ZERO };
                wait = refusal.until.map(|until| until.since(now).max(least));
            }
            _ => violated.extend(
                policies.iter().filter(|policy| policy.quota == 0).map(|policy| policy.name.as_str()),
            ),
        }
        let reply = self.quota_exceeded(&violated, self.retry_after(exchange, wait), policies, &left);
        Step::Reply(Box::new(reply))
    }

    /// Answers a request whose state couldn't be had, as the rule says.
    #[cold]
    #[inline(never)]
    pub(crate) fn contended(
        &self,
        exchange: &mut Exchange<'_>,
        rule: &Rule,
        state: &RuleState,
        policies: &[Policy],
    ) -> Step {
        exchange.count(state.counters.contended);
        match rule.on_contention {
            OnContention::Admit => self.admitted(exchange, state),
            OnContention::Refuse if self.shadows(exchange, rule, state) => Step::Continue,
            OnContention::Refuse => {
                let names: Vec<&str> = policies.iter().map(|policy| policy.name.as_str()).collect();
                let after = self.retry_after(exchange, Some(Duration::from_secs(1)));
                Step::Reply(Box::new(self.quota_exceeded(&names, after, policies, &[])))
            }
        }
    }

    /// Notes a refusal; true if it has no consequences.
    fn shadows(&self, exchange: &mut Exchange<'_>, rule: &Rule, state: &RuleState) -> bool {
        let shadow = rule.mode == Mode::Shadow;
        self.tag(exchange, state, if shadow { &self.tags.would_deny } else { &self.tags.denied });
        exchange.count(if shadow { state.counters.would_deny } else { state.counters.denied });
        shadow
    }

    /// Answers a request that can't be counted.
    #[cold]
    #[inline(never)]
    pub(crate) fn unclear(
        &self,
        exchange: &mut Exchange<'_>,
        rule: &Rule,
        state: &RuleState,
        why: Unclear,
    ) -> Step {
        self.tag(exchange, state, &self.tags.unclear);
        exchange.count(state.counters.unclear);
        if rule.mode == Mode::Shadow {
            return Step::Continue;
        }
        let (details, title) = match why {
            Unclear::Request(Ambiguous::Path) => {
                ("sluice_rate_limit_ambiguous_path", "The path can be read in several ways")
            }
            Unclear::Request(Ambiguous::Host) => {
                ("sluice_rate_limit_ambiguous_host", "The host can be read in several ways")
            }
            Unclear::Request(Ambiguous::Method) => {
                ("sluice_rate_limit_ambiguous_method", "The method can be read in several ways")
            }
            Unclear::Key => ("sluice_rate_limit_ambiguous_key", "The request names several clients"),
            Unclear::NoKey => ("sluice_rate_limit_missing_key", "The request doesn't say whose it is"),
        };
        let problem = Problem { kind: "about:blank", title, list: None };
        let grpc = Grpc { status: GrpcStatus::InvalidArgument, message: title.into() };
        Step::Reply(Box::new(Reply::problem(400, details, &problem, grpc)))
    }

    /// Announces a wait in whole seconds: never too short, and longer by a random part, so that clients that were
    /// refused together don't come back together.
    fn retry_after(&self, exchange: &Exchange<'_>, wait: Option<Duration>) -> Option<u64> {
        let wait = wait?;
        let spread = u128::from(nanos(wait)).saturating_mul(self.config.jitter.parts_per_billion().into());
        let spread = u64::try_from(spread / 1_000_000_000).unwrap_or(u64::MAX);
        let jitter = Duration::from_nanos(below(exchange.draw(), spread.saturating_add(1)));
        Some(seconds_up(wait.saturating_add(jitter)).max(1))
    }

    fn quota_exceeded(
        &self,
        violated: &[&str],
        retry_after: Option<u64>,
        policies: &[Policy],
        left: &[quota::Left],
    ) -> Reply {
        // Registered by draft-ietf-httpapi-ratelimit-headers-10 section 6.
        let problem = Problem {
            kind: "https://iana.org/assignments/http-problem-types#quota-exceeded",
            title: "Request cannot be satisfied as assigned quota has been exceeded",
            list: Some(("violated-policies", violated)),
        };
        let grpc = Grpc { status: GrpcStatus::ResourceExhausted, message: "quota exceeded".into() };
        let mut reply = Reply::problem(self.config.status, "sluice_rate_limit_exceeded", &problem, grpc);
        if let Some(seconds) = retry_after {
            reply = reply.header("retry-after", seconds.to_string());
        }
        for (name, value) in quota::fields(self.config.form, policies, left) {
            reply = reply.header(name, value);
        }
        reply
    }
}
