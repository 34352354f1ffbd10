//! What a worker has for a policy: its budget, its counters, and the words of tags.

use std::cell::{Cell, OnceCell};
use std::rc::Rc;

use kit::exchange::Exchange;
use kit::rule::Tagged;
use kit::setup::{Counter, Setup, Tag};
use kit::store::Contended;
use kit::table::{KeyHash, Seed, Table, Update};

use crate::budget::{Budget, Totals, WORDS};
use crate::config::Policy;
use crate::ledger::{Known, Ledger};

/// The key in shared data under which the seed of the process stands.
const SEED: &[u8] = b"sluice/retry-headers/seed";

/// What is decided about a request.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Outcome {
    /// It may be tried again.
    Retriable,
    /// It is tried once: the policy says so.
    Once,
    /// It is tried once: a second try could do again what the first one did.
    Unsafe,
    /// It is tried once: somebody above tries it again already.
    Amplification,
    /// It is tried once: the budget is spent.
    Budget,
    /// It is answered: its deadline has passed.
    Expired,
    /// It would be, if the policy didn't only look on.
    WouldExpire,
    /// It goes on as if there were no policy: whether this one is for it can't be told.
    Unclear,
}

impl Outcome {
    const ALL: [Self; 8] = [
        Self::Retriable,
        Self::Once,
        Self::Unsafe,
        Self::Amplification,
        Self::Budget,
        Self::Expired,
        Self::WouldExpire,
        Self::Unclear,
    ];

    /// Returns the word in metrics.
    const fn word(self) -> &'static str {
        match self {
            Self::Retriable => "retriable",
            Self::Once => "once",
            Self::Unsafe => "unsafe",
            Self::Amplification => "amplification",
            Self::Budget => "budget",
            Self::Expired => "expired",
            Self::WouldExpire => "would_expire",
            Self::Unclear => "unclear",
        }
    }

    /// Returns the words in tags: what becomes of the request, and why.
    const fn words(self) -> (&'static str, Option<&'static str>) {
        match self {
            Self::Unsafe | Self::Amplification | Self::Budget => ("once", Some(self.word())),
            Self::Retriable | Self::Once | Self::Expired | Self::WouldExpire | Self::Unclear => {
                (self.word(), None)
            }
        }
    }

    const fn is_ordinary(self) -> bool {
        matches!(self, Self::Retriable | Self::Once)
    }
}

/// What a worker has for a policy.
pub(crate) struct PolicyState {
    name: Rc<[u8]>,
    decisions: Vec<(Outcome, Counter)>,
    retries: Counter,
    evicted: Counter,
    contended: Counter,
    pub(crate) unreadable: Counter,
    ledger: Ledger,
    seed: OnceCell<Seed>,
    /// The only key of a budget that has none.
    only: OnceCell<KeyHash>,
    table: OnceCell<Table>,
    /// The last wait that a client was told, in nanoseconds.
    pub(crate) waited: Cell<u64>,
}

/// Names and values of tags.
pub(crate) struct Tags {
    tagged: Tagged,
    policy: Tag,
    outcome: Tag,
    reason: Tag,
}

impl Tags {
    pub(crate) fn new(tagged: Tagged, setup: &Setup<'_>) -> Self {
        Self {
            tagged,
            policy: setup.tag("policy"),
            outcome: setup.tag("outcome"),
            reason: setup.tag("reason"),
        }
    }
}

impl PolicyState {
    pub(crate) fn new(policy: &Policy, setup: &mut Setup<'_>) -> Self {
        let name = policy.name.as_str();
        let decision = |outcome: &Outcome| (*outcome, setup.counter("decisions", &[name, outcome.word()]));
        Self {
            name: name.as_bytes().into(),
            decisions: Outcome::ALL.iter().map(decision).collect(),
            retries: setup.counter("retries", &[name]),
            evicted: setup.counter("evictions", &[name]),
            contended: setup.counter("contentions", &[name]),
            unreadable: setup.counter("unreadable_deadlines", &[name]),
            ledger: Ledger::default(),
            seed: OnceCell::new(),
            only: OnceCell::new(),
            table: OnceCell::new(),
            waited: Cell::new(0),
        }
    }

    /// Counts a decision and publishes it, for access logs and later filters.
    pub(crate) fn note(&self, exchange: &mut Exchange<'_>, tags: &Tags, outcome: Outcome) {
        if tags.tagged == Tagged::All || !outcome.is_ordinary() {
            let (word, reason) = outcome.words();
            exchange.tag(&tags.policy, Rc::clone(&self.name));
            exchange.tag(&tags.outcome, word.as_bytes());
            if let Some(reason) = reason {
                exchange.tag(&tags.reason, reason.as_bytes());
            }
        }
        if let Some((_, counter)) = self.decisions.iter().find(|(known, _)| *known == outcome) {
            exchange.count(*counter);
        }
    }

    /// Returns whose budget a request is charged to. Those without a key share one, and those with two are of them.
    pub(crate) fn key(&self, exchange: &Exchange<'_>, budget: &Budget) -> Result<KeyHash, Contended> {
        if let Some(only) = self.only.get() {
            return Ok(*only);
        }
        let mut bytes = Vec::new();
        if let Some(key) = &budget.key
            && key.resolve(exchange, &mut bytes).is_err()
        {
            // No key has these bytes: every part of one says its length.
            bytes.extend_from_slice(b"none");
        }
        let seed = match self.seed.get() {
            Some(seed) => seed,
            None => {
                let sources = budget.key.as_ref().map(|key| key.digest_text()).unwrap_or_default();
                let seed = Seed::of_process(exchange.store(), SEED, || exchange.secret())?;
                self.seed.get_or_init(|| seed.for_kind(sources.as_bytes()))
            }
        };
        let hash = seed.hash(&bytes);
        if budget.key.is_none() {
            self.only.get_or_init(|| hash);
        }
        Ok(hash)
    }

    /// Counts a request, and tells whether the budget has room for its retries.
    pub(crate) fn admits(&self, exchange: &mut Exchange<'_>, budget: &Budget, key: KeyHash) -> bool {
        let now = exchange.now();
        let mut known = self.ledger.of(key.tag());
        known.request(now);
        if !known.is_enough(budget, now) {
            known = self.write(exchange, budget, key, known);
        }
        self.ledger.keep(key.tag(), known, budget, now);
        budget.admits(known.totals())
    }

    /// Charges the retries that there were.
    pub(crate) fn charge(&self, exchange: &mut Exchange<'_>, budget: &Budget, key: KeyHash, retries: u64) {
        exchange.count_by(self.retries, retries);
        let now = exchange.now();
        let mut known = self.ledger.of(key.tag());
        known.retries(retries, now);
        let known = self.write(exchange, budget, key, known);
        self.ledger.keep(key.tag(), known, budget, now);
    }

    /// Writes what isn't written yet, and returns what is known then. What can't be written stays to be.
    fn write(&self, exchange: &mut Exchange<'_>, budget: &Budget, key: KeyHash, known: Known) -> Known {
        let now = exchange.now();
        let table = self.table.get_or_init(|| {
            let name = String::from_utf8_lossy(&self.name);
            Table::new(&format!("sluice/retry-headers/{}/{name}", exchange.scope()), budget.clients, WORDS)
        });
        let (requests, retries) = known.due(budget, now);
        let free_at = |words: &[u64]| budget.free_at(words);
        let add = |words: &mut [u64]| -> Update<Totals> {
            Update::Write(budget.add(words, now, requests, retries))
        };
        match table.update(exchange.store(), key, now, free_at, add) {
            Ok(updated) => {
                if updated.evicted {
                    exchange.count(self.evicted);
                }
                Known::read(updated.answer, now)
            }
            Err(Contended) => {
                exchange.count(self.contended);
                known
            }
        }
    }
}
