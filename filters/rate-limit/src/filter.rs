//! The decision on a request, and what becomes of its charge when the stream ends.

use std::cell::OnceCell;
use std::rc::Rc;
use std::time::Duration;

use kit::draw::below;
use kit::exchange::Exchange;
use kit::filter::{Filter, Step, Stream};
use kit::header::{Field, Lookup};
use kit::identity::digest;
use kit::key::KeyProblem;
use kit::reply::{Grpc, GrpcStatus, Problem, Reply};
use kit::setup::{Counter, Setup, Tag};
use kit::store::Contended;
use kit::table::{KeyHash, Seed, Table, Update};
use kit::time::{Timestamp, nanos, seconds_up};

use crate::bucket::{Charge, Charging, Limits, Refusal};
use crate::config::{Config, Cost, Count, Mode, OnContention, OnMissingKey, Rule, Tier};
use crate::lease::{Lease, Leases};
use crate::quota::{self, Policy};

/// The key in shared data under which the seed of the process stands.
const SEED: &[u8] = b"sluice/rate-limit/seed";

/// The filter with its configuration, and what this worker knows.
pub(crate) struct RateLimit {
    config: Config,
    rules: Vec<RuleState>,
    seed: OnceCell<Seed>,
    tags: Tags,
}

/// What a worker has for a rule.
struct RuleState {
    table: OnceCell<Table>,
    leases: Leases,
    /// Stands for the sources of the key, so that values of other sources never meet.
    key_digest: Vec<u8>,
    counters: Counters,
}

struct Counters {
    admitted: Counter,
    denied: Counter,
    shadow_denied: Counter,
    skipped: Counter,
    unclear: Counter,
    contended: Counter,
    evicted: Counter,
}

struct Tags {
    rule: Tag,
    outcome: Tag,
}

impl RateLimit {
    pub(crate) fn new(config: Config, setup: &mut Setup<'_>) -> Self {
        let rules = config.rules.iter().map(|rule| RuleState::new(rule, setup)).collect();
        let tags = Tags { rule: setup.tag("rule"), outcome: setup.tag("outcome") };
        Self { config, rules, seed: OnceCell::new(), tags }
    }
}

impl RuleState {
    fn new(rule: &Rule, setup: &mut Setup<'_>) -> Self {
        let mut decision = |outcome: &str| setup.counter("decisions", &[&rule.name, outcome]);
        let counters = Counters {
            admitted: decision("admitted"),
            denied: decision("denied"),
            shadow_denied: decision("shadow_denied"),
            skipped: decision("skipped"),
            unclear: decision("unclear"),
            contended: setup.counter("contentions", &[&rule.name]),
            evicted: setup.counter("evictions", &[&rule.name]),
        };
        let sources = rule.key.as_ref().map(|key| key.digest_text()).unwrap_or_default();
        Self {
            table: OnceCell::new(),
            leases: Leases::default(),
            key_digest: digest(&[sources.as_bytes()]).into_bytes(),
            counters,
        }
    }
}

impl Filter for RateLimit {
    fn stream(self: Rc<Self>) -> Box<dyn Stream> {
        Box::new(RateLimitStream { filter: self, held: None, quota: None })
    }
}

/// One stream.
struct RateLimitStream {
    filter: Rc<RateLimit>,
    held: Option<Held>,
    /// What the response announces: a rule, the key's value, the theoretical arrival times, and when.
    quota: Option<Quota>,
}

/// What this stream has charged, and may have to give back.
struct Held {
    rule: usize,
    limits: Limits,
    key: KeyHash,
    cost: u64,
    charge: Charge,
    /// Whether the charge depends on the response, which isn't there yet.
    open: bool,
}

struct Quota {
    policies: Vec<Policy>,
    limits: Limits,
    charge: Charge,
    now: Timestamp,
}

/// Whose request it is.
enum Identity {
    /// The bytes of the key.
    Key(Vec<u8>),
    /// The rule doesn't count this request.
    Skipped,
    /// It can't be told, and the request goes no further.
    Refused(Unclear),
}

/// Why a request can't be counted.
#[derive(Clone, Copy)]
enum Unclear {
    /// Its path means different things to different servers.
    Path,
    /// It names two clients.
    Key,
    /// It names none.
    NoKey,
}

impl Stream for RateLimitStream {
    fn on_request_headers(&mut self, exchange: &mut Exchange<'_>) -> Step {
        let filter = Rc::clone(&self.filter);
        for (index, (rule, state)) in filter.config.rules.iter().zip(&filter.rules).enumerate() {
            match rule.matcher.matches(exchange) {
                Ok(false) => {}
                Ok(true) => return self.apply(exchange, index, rule, state),
                Err(_) => return filter.unclear(exchange, rule, state, Unclear::Path),
            }
        }
        Step::Continue
    }

    fn on_response_headers(&mut self, exchange: &mut Exchange<'_>) -> Step {
        let filter = Rc::clone(&self.filter);
        if let Some(held) = self.held.as_mut().filter(|held| held.open) {
            if let Some((count, state)) = filter.count(held.rule) {
                held.open = false;
                let counts = exchange.status().is_some_and(|status| count.responses.contains(&status))
                    && exchange.is_from_upstream();
                held.settle(exchange, state, count, counts);
                // What is announced is what is left after this response.
                if let (Some(quota), false) = (&mut self.quota, counts) {
                    for (arrival, limit) in quota.charge.arrivals.iter_mut().zip(&held.limits.rates) {
                        *arrival = limit.refund(*arrival, *arrival, held.cost, quota.now);
                    }
                }
            }
        }
        if let Some(quota) = self.quota.take() {
            if !exchange.is_own_reply() {
                let left = quota::left(&quota.limits, &quota.charge.arrivals, quota.now);
                quota::announce(exchange, filter.config.form, &quota.policies, &left);
            }
        }
        Step::Continue
    }

    fn on_end(&mut self, exchange: &mut Exchange<'_>) {
        let filter = Rc::clone(&self.filter);
        let Some(held) = self.held.take() else {
            return;
        };
        if let (true, Some((count, state))) = (held.open, filter.count(held.rule)) {
            // No answer came: nothing that is counted has happened.
            held.settle(exchange, state, count, false);
        }
        if let (Some(_), Some(state)) = (held.limits.concurrency, filter.rules.get(held.rule)) {
            held.release(exchange, state);
        }
    }
}

impl RateLimitStream {
    /// Applies the rule that matches.
    fn apply(&mut self, exchange: &mut Exchange<'_>, index: usize, rule: &Rule, state: &RuleState) -> Step {
        let filter = Rc::clone(&self.filter);
        let key = match rule.identify(exchange) {
            Identity::Key(key) => key,
            Identity::Skipped => {
                filter.tag(exchange, rule, "skipped");
                exchange.count(state.counters.skipped);
                return Step::Continue;
            }
            Identity::Refused(unclear) => return filter.unclear(exchange, rule, state, unclear),
        };
        let (limits, policies) = match rule.tier(&key) {
            Tier::Unlimited => return filter.admitted(exchange, rule, state),
            Tier::Nothing(policies) => return filter.refuse(exchange, rule, state, policies, None, None),
            Tier::Limited(limits, policies) => (limits, policies),
        };
        let cost = rule.cost.of(exchange);
        let Ok(hash) = filter.hash(exchange, state, &key) else {
            return filter.contended(exchange, rule, state, policies);
        };
        match filter.decide(exchange, rule, state, limits, hash, cost) {
            Ok(Ok(charge)) => {
                let open = rule.count.is_some();
                if open || limits.concurrency.is_some() {
                    self.held = Some(Held { rule: index, limits: limits.clone(), key: hash, cost, charge, open });
                }
                if filter.config.form.is_any() && rule.mode == Mode::Enforce {
                    let now = exchange.now();
                    self.quota = Some(Quota { policies: policies.clone(), limits: limits.clone(), charge, now });
                }
                filter.admitted(exchange, rule, state)
            }
            Ok(Err(refusal)) => filter.refuse(exchange, rule, state, policies, Some(limits), Some(refusal)),
            Err(Contended) => filter.contended(exchange, rule, state, policies),
        }
    }
}

impl Rule {
    fn identify(&self, exchange: &Exchange<'_>) -> Identity {
        let mut bytes = Vec::new();
        let Some(key) = &self.key else {
            return Identity::Key(bytes);
        };
        match (key.resolve(exchange, &mut bytes), self.on_missing_key) {
            (Ok(()), _) => Identity::Key(bytes),
            // Whoever names two clients is not believed either.
            (Err(KeyProblem::Ambiguous(_)), _) => Identity::Refused(Unclear::Key),
            (Err(KeyProblem::Missing(_)), OnMissingKey::Skip) => Identity::Skipped,
            (Err(KeyProblem::Missing(_)), OnMissingKey::Refuse) => Identity::Refused(Unclear::NoKey),
            // No key has these bytes: every part of one says its length.
            (Err(KeyProblem::Missing(_)), OnMissingKey::Shared) => Identity::Key(b"missing".to_vec()),
        }
    }

    fn charging(&self) -> Charging {
        match &self.count {
            Some(Count { reserve: false, .. }) => Charging::Later,
            Some(Count { reserve: true, .. }) | None => Charging::Now,
        }
    }

    /// Tells whether a worker may decide alone for a while: only where a decision depends on rates alone.
    fn leases(&self, limits: &Limits) -> bool {
        self.count.is_none() && limits.concurrency.is_none()
    }
}

impl Cost {
    fn of(&self, exchange: &Exchange<'_>) -> u64 {
        match self {
            Self::Fixed(cost) => *cost,
            Self::Header { name, max, default } => match exchange.header(name) {
                Field::Absent => *default,
                Field::One(value) => {
                    let cost = std::str::from_utf8(&value).ok().and_then(|text| text.trim().parse().ok());
                    // What can't be read is not free.
                    cost.unwrap_or(*max).clamp(1, *max)
                }
                Field::Many(_) => *max,
            },
        }
    }
}

impl RateLimit {
    /// Hashes a key of a rule with the seed of the process.
    fn hash(&self, exchange: &Exchange<'_>, state: &RuleState, key: &[u8]) -> Result<KeyHash, Contended> {
        let seed = match self.seed.get() {
            Some(seed) => *seed,
            None => {
                let seed = Seed::of_process(exchange.store(), SEED, || exchange.secret())?;
                *self.seed.get_or_init(|| seed)
            }
        };
        let mut bytes = state.key_digest.clone();
        bytes.extend_from_slice(key);
        Ok(seed.hash(&bytes))
    }

    /// Decides and charges: alone where this worker may, in the shared state otherwise.
    fn decide(
        &self,
        exchange: &mut Exchange<'_>,
        rule: &Rule,
        state: &RuleState,
        limits: &Limits,
        key: KeyHash,
        cost: u64,
    ) -> Result<Result<Charge, Refusal>, Contended> {
        let now = exchange.now();
        let leases = rule.leases(limits);
        if leases {
            // A remembered refusal was for one cost: with costs of their own, requests ask each time.
            if let Some(known) = state.leases.decide(key, limits, cost, now) {
                return Ok(known);
            }
        }
        let held = if leases { state.leases.held(key) } else { None };
        let updated = state.table(exchange, rule).update(
            exchange.store(),
            key,
            now,
            |words| limits.free_at(words),
            |words| {
                if let Some(held) = &held {
                    held.give_back(limits, words);
                }
                match limits.admit(words, cost, rule.charging(), now) {
                    Ok(charge) if rule.charging() == Charging::Later && limits.concurrency.is_none() => {
                        Update::Keep((Ok(charge), None))
                    }
                    Ok(charge) => {
                        let lease = if leases { Lease::take(limits, words, cost, now) } else { None };
                        Update::Write((Ok(charge), lease))
                    }
                    Err(refusal) if refusal.mended => Update::Write((Err(refusal), None)),
                    Err(refusal) => Update::Keep((Err(refusal), None)),
                }
            },
        )?;
        if updated.evicted {
            exchange.count(state.counters.evicted);
        }
        let (decision, lease) = updated.answer;
        if held.is_some() {
            // Given back or given up: it must not be spent a second time.
            state.leases.forget(key);
        }
        match (&decision, lease) {
            (_, Some(lease)) => state.leases.keep(key, lease),
            (Err(refusal), None) if leases && matches!(rule.cost, Cost::Fixed(_)) => {
                state.leases.refuse(key, *refusal, now);
            }
            (Ok(_) | Err(_), None) => {}
        }
        Ok(decision)
    }

    fn count(&self, rule: usize) -> Option<(&Count, &RuleState)> {
        Some((self.config.rules.get(rule)?.count.as_ref()?, self.rules.get(rule)?))
    }

    fn admitted(&self, exchange: &mut Exchange<'_>, rule: &Rule, state: &RuleState) -> Step {
        self.tag(exchange, rule, "admitted");
        exchange.count(state.counters.admitted);
        Step::Continue
    }

    /// Answers a request that isn't admitted, or says that it would.
    fn refuse(
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
                let flags = flags.chain(std::iter::once(refusal.too_many_in_flight));
                violated.extend(policies.iter().zip(flags).filter(|(_, flag)| *flag).map(|(policy, _)| policy.name.as_str()));
                left = quota::left(limits, &refusal.arrivals, now);
                wait = match refusal.until {
                    Some(until) => Some(until.since(now)),
                    // A request in flight ends when it ends.
                    None if refusal.too_many_in_flight => Some(Duration::from_secs(1)),
                    None => None,
                };
            }
            _ => violated.extend(policies.iter().filter(|policy| policy.quota == 0).map(|policy| policy.name.as_str())),
        }
        let reply = self.quota_exceeded(&violated, self.retry_after(exchange, wait), policies, &left);
        Step::Reply(reply)
    }

    /// Answers a request whose state couldn't be had, as the rule says.
    fn contended(&self, exchange: &mut Exchange<'_>, rule: &Rule, state: &RuleState, policies: &[Policy]) -> Step {
        exchange.count(state.counters.contended);
        match rule.on_contention {
            OnContention::Admit => self.admitted(exchange, rule, state),
            OnContention::Refuse if self.shadows(exchange, rule, state) => Step::Continue,
            OnContention::Refuse => {
                let names: Vec<&str> = policies.iter().map(|policy| policy.name.as_str()).collect();
                let after = self.retry_after(exchange, Some(Duration::from_secs(1)));
                Step::Reply(self.quota_exceeded(&names, after, policies, &[]))
            }
        }
    }

    /// Notes a refusal; true if it has no consequences.
    fn shadows(&self, exchange: &mut Exchange<'_>, rule: &Rule, state: &RuleState) -> bool {
        let shadow = rule.mode == Mode::Shadow;
        self.tag(exchange, rule, if shadow { "shadow_denied" } else { "denied" });
        exchange.count(if shadow { state.counters.shadow_denied } else { state.counters.denied });
        shadow
    }

    /// Answers a request that can't be counted.
    fn unclear(&self, exchange: &mut Exchange<'_>, rule: &Rule, state: &RuleState, why: Unclear) -> Step {
        self.tag(exchange, rule, "unclear");
        exchange.count(state.counters.unclear);
        if rule.mode == Mode::Shadow {
            return Step::Continue;
        }
        let (details, title) = match why {
            Unclear::Path => ("sluice_rate_limit_ambiguous_path", "The path can be read in several ways"),
            Unclear::Key => ("sluice_rate_limit_ambiguous_key", "The request names several clients"),
            Unclear::NoKey => ("sluice_rate_limit_missing_key", "The request doesn't say whose it is"),
        };
        let problem = Problem { kind: "about:blank", title, list: None };
        let grpc = Grpc { status: GrpcStatus::InvalidArgument, message: title.into() };
        Step::Reply(Reply::problem(400, details, &problem, grpc))
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

    fn tag(&self, exchange: &mut Exchange<'_>, rule: &Rule, outcome: &str) {
        exchange.tag(&self.tags.rule, rule.name.as_bytes());
        exchange.tag(&self.tags.outcome, outcome.as_bytes());
    }
}

impl RuleState {
    /// Returns the table of the rule, which is found again by its name after a change of configuration.
    fn table(&self, exchange: &Exchange<'_>, rule: &Rule) -> &Table {
        self.table.get_or_init(|| {
            let prefix = match &rule.share {
                Some(name) => format!("sluice/rate-limit/@{name}"),
                None => format!("sluice/rate-limit/{}/{}", exchange.scope(), rule.name),
            };
            Table::new(&prefix, rule.clients, rule.words())
        })
    }
}

impl Held {
    /// Charges or takes back what depended on the response.
    fn settle(&self, exchange: &mut Exchange<'_>, state: &RuleState, count: &Count, counts: bool) {
        if count.reserve != counts {
            self.update(exchange, state, |words, now| {
                if counts {
                    self.limits.charge(words, self.cost, now);
                } else {
                    self.limits.refund(words, &self.charge, self.cost, now);
                }
                true
            });
        }
    }

    fn release(&self, exchange: &mut Exchange<'_>, state: &RuleState) {
        self.update(exchange, state, |words, now| self.limits.release(words, &self.charge, now));
    }

    fn update(
        &self,
        exchange: &mut Exchange<'_>,
        state: &RuleState,
        mut change: impl FnMut(&mut [u64], Timestamp) -> bool,
    ) {
        // The first request of the stream made the table.
        let Some(table) = state.table.get() else {
            return;
        };
        let now = exchange.now();
        let updated = table.update(
            exchange.store(),
            self.key,
            now,
            |words| self.limits.free_at(words),
            |words| if change(words, now) { Update::Write(()) } else { Update::Keep(()) },
        );
        match updated {
            Ok(updated) if updated.evicted => exchange.count(state.counters.evicted),
            Ok(_) => {}
            // What isn't taken back comes back by itself in time.
            Err(Contended) => exchange.count(state.counters.contended),
        }
    }
}

#[cfg(test)]
mod tests;
