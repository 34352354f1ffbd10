//! What a worker has for a rule: its table, its leases, its seed, and its counters; and the words of tags.

use std::cell::OnceCell;
use std::rc::Rc;

use kit::exchange::Exchange;
use kit::setup::{Counter, Setup, Tag};
use kit::store::Contended;
use kit::table::{KeyHash, Seed, Table};

use crate::bucket::Shape;
use crate::config::Rule;
use crate::lease::Leases;

/// The key in shared data under which the seed of the process stands.
const SEED: &[u8] = b"sluice/rate-limit/seed";

/// What a worker has for a rule.
pub(crate) struct RuleState {
    pub(crate) table: OnceCell<Table>,
    pub(crate) leases: Leases,
    /// Hashes keys of this rule's sources: values of other sources never meet.
    seed: OnceCell<Seed>,
    pub(crate) name: Rc<[u8]>,
    pub(crate) counters: Counters,
}

pub(crate) struct Counters {
    pub(crate) admitted: Counter,
    pub(crate) denied: Counter,
    pub(crate) would_deny: Counter,
    pub(crate) skipped: Counter,
    pub(crate) unclear: Counter,
    pub(crate) contended: Counter,
    pub(crate) evicted: Counter,
}

/// Names and values of tags.
pub(crate) struct Tags {
    pub(crate) rule: Tag,
    pub(crate) outcome: Tag,
    pub(crate) admitted: Rc<[u8]>,
    pub(crate) denied: Rc<[u8]>,
    pub(crate) would_deny: Rc<[u8]>,
    pub(crate) skipped: Rc<[u8]>,
    pub(crate) unclear: Rc<[u8]>,
}

impl RuleState {
    pub(crate) fn new(rule: &Rule, setup: &mut Setup<'_>) -> Self {
        let mut decision = |outcome: &str| setup.counter("decisions", &[&rule.name, outcome]);
        let counters = Counters {
            admitted: decision("admitted"),
            denied: decision("denied"),
            would_deny: decision("would_deny"),
            skipped: decision("skipped"),
            unclear: decision("unclear"),
            contended: setup.counter("contentions", &[&rule.name]),
            evicted: setup.counter("evictions", &[&rule.name]),
        };
        Self {
            table: OnceCell::new(),
            leases: Leases::default(),
            seed: OnceCell::new(),
            name: rule.name.as_bytes().into(),
            counters,
        }
    }

    /// Hashes a key with the seed of the process.
    pub(crate) fn hash(
        &self,
        exchange: &Exchange<'_>,
        rule: &Rule,
        key: &[u8],
    ) -> Result<KeyHash, Contended> {
        let seed = match self.seed.get() {
            Some(seed) => seed,
            None => {
                let sources = rule.key.as_ref().map(|key| key.digest_text()).unwrap_or_default();
                let seed = Seed::of_process(exchange.store(), SEED, || exchange.secret())?;
                self.seed.get_or_init(|| seed.for_kind(sources.as_bytes()))
            }
        };
        Ok(seed.hash(key))
    }

    /// Returns the table of the rule, which is found again by its name after a change of configuration.
    pub(crate) fn table(&self, exchange: &Exchange<'_>, rule: &Rule) -> &Table {
        self.table.get_or_init(|| {
            let mut prefix = match &rule.share {
                Some(name) => format!("sluice/rate-limit/@{name}"),
                None => format!("sluice/rate-limit/{}/{}", exchange.scope(), rule.name),
            };
            // Entries of another shape are never taken for these, not even those of another plugin.
            let words = rule.shape.map_or(0, Shape::words);
            if rule.shape.is_some_and(|shape| shape.in_flight) {
                prefix.push('+');
            }
            Table::new(&prefix, rule.clients, words)
        })
    }
}

impl Tags {
    pub(crate) fn new(setup: &mut Setup<'_>) -> Self {
        Self {
            rule: setup.tag("rule"),
            outcome: setup.tag("outcome"),
            admitted: (*b"admitted").into(),
            denied: (*b"denied").into(),
            would_deny: (*b"would_deny").into(),
            skipped: (*b"skipped").into(),
            unclear: (*b"unclear").into(),
        }
    }
}
