//! What is counted, tagged and kept for a split, on this worker and for all of them.

use std::rc::Rc;
use std::time::Duration;

use kit::exchange::Exchange;
use kit::rule::{Mode, Tagged};
use kit::setup::{Counter, Histogram, Setup, Tag};

use crate::config::{Config, Split};
use crate::outcome::Verdict;
use crate::watch::Watch;

/// How a request got its variant.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Outcome {
    /// By its bucket.
    Split,
    /// A tester asked for it.
    Forced,
    /// It is written down.
    Assigned,
    /// It is the baseline's, because the guard has taken the traffic off its own.
    Guarded,
    /// It has its own, and would be the baseline's if the guard didn't only look on.
    WouldGuard,
    /// It has no key.
    MissingKey,
    /// It can be read in several ways.
    Unclear,
}

impl Outcome {
    const ALL: [Self; 7] = [
        Self::Split,
        Self::Forced,
        Self::Assigned,
        Self::Guarded,
        Self::WouldGuard,
        Self::MissingKey,
        Self::Unclear,
    ];

    /// Returns what it is called: where a split only looks on, what it would be.
    const fn word(self, mode: Mode) -> &'static str {
        match (self, mode) {
            (Self::Split, Mode::Enforce) => "split",
            (Self::Split, Mode::Shadow) => "would_split",
            (Self::Forced, Mode::Enforce) => "forced",
            (Self::Forced, Mode::Shadow) => "would_force",
            (Self::Assigned, Mode::Enforce) => "assigned",
            (Self::Assigned, Mode::Shadow) => "would_assign",
            (Self::Guarded, _) => "guarded",
            (Self::WouldGuard, _) => "would_guard",
            (Self::MissingKey, _) => "missing_key",
            (Self::Unclear, _) => "unclear",
        }
    }

    /// Tells whether it is out of the ordinary.
    const fn is_notable(self) -> bool {
        match self {
            Self::Forced | Self::Guarded | Self::WouldGuard | Self::Unclear => true,
            Self::Split | Self::Assigned | Self::MissingKey => false,
        }
    }

    /// Tells whether the response says something about the variant: what testers do and what nobody can read are no
    /// users.
    pub(crate) const fn is_a_user(self) -> bool {
        match self {
            Self::Split | Self::Assigned | Self::Guarded | Self::WouldGuard | Self::MissingKey => true,
            Self::Forced | Self::Unclear => false,
        }
    }
}

/// What a worker has, for all splits.
pub(crate) struct State {
    tagged: Tagged,
    splits: Vec<Own>,
    split: Tag,
    variant: Tag,
    outcome: Tag,
    /// The words of outcomes, in their order, made once and shared.
    words: [[Rc<[u8]>; Outcome::ALL.len()]; 2],
}

/// What a worker has for a split.
pub(crate) struct Own {
    mode: Mode,
    name: Rc<[u8]>,
    refusals: Option<Counter>,
    variants: Vec<OwnVariant>,
    pub(crate) watch: Option<Watch>,
}

/// What it has for a variant.
struct OwnVariant {
    name: Rc<[u8]>,
    /// One for each outcome, in their order.
    decisions: Vec<Counter>,
    observed: Option<Observed>,
}

struct Observed {
    successes: Counter,
    failures: Counter,
    ignored: Counter,
    milliseconds: Histogram,
}

impl State {
    pub(crate) fn new(config: &Config, setup: &mut Setup<'_>) -> Self {
        let words = [Mode::Enforce, Mode::Shadow]
            .map(|mode| Outcome::ALL.map(|outcome| outcome.word(mode).as_bytes().into()));
        Self {
            tagged: config.tags,
            splits: config.splits.iter().map(|split| Own::new(split, setup)).collect(),
            split: setup.tag("split"),
            variant: setup.tag("variant"),
            outcome: setup.tag("outcome"),
            words,
        }
    }

    /// Returns what there is for the split with this place.
    pub(crate) fn of(&self, split: usize) -> Option<&Own> {
        self.splits.get(split)
    }

    /// Counts a decision, and publishes it for access logs, routes and later filters.
    pub(crate) fn note(&self, exchange: &mut Exchange<'_>, split: usize, variant: usize, outcome: Outcome) {
        let Some((own, own_variant)) = self.of(split).and_then(|own| Some((own, own.variants.get(variant)?)))
        else {
            return;
        };
        let place = Outcome::ALL.iter().position(|known| *known == outcome).unwrap_or(0);
        if self.tagged == Tagged::All || outcome.is_notable() {
            let [enforced, shadowed] = &self.words;
            let words = if own.mode == Mode::Enforce { enforced } else { shadowed };
            exchange.tag(&self.split, Rc::clone(&own.name));
            exchange.tag(&self.variant, Rc::clone(&own_variant.name));
            if let Some(word) = words.get(place) {
                exchange.tag(&self.outcome, Rc::clone(word));
            }
        }
        if let Some(counter) = own_variant.decisions.get(place) {
            exchange.count(*counter);
        }
    }
}

impl Own {
    fn new(split: &Split, setup: &mut Setup<'_>) -> Self {
        let name = split.name.as_str();
        let variants = split.variants.iter().map(|variant| OwnVariant {
            name: variant.name.as_bytes().into(),
            decisions: Outcome::ALL
                .iter()
                .map(|outcome| setup.counter("decisions", &[name, &variant.name, outcome.word(split.mode)]))
                .collect(),
            observed: split.observe.then(|| Observed::new(name, &variant.name, setup)),
        });
        let variants = variants.collect();
        Self {
            mode: split.mode,
            name: name.as_bytes().into(),
            refusals: split.force.as_ref().map(|_| setup.counter("force_refusals", &[name])),
            variants,
            watch: split.guard.as_ref().map(|_| Watch::new(split, setup)),
        }
    }

    /// Counts a tester who doesn't get what he asks for.
    pub(crate) fn refuse(&self, exchange: &mut Exchange<'_>) {
        if let Some(refusals) = self.refusals {
            exchange.count(refusals);
        }
    }

    /// Counts a response.
    pub(crate) fn observe(
        &self,
        exchange: &mut Exchange<'_>,
        variant: usize,
        verdict: Verdict,
        latency: Option<Duration>,
    ) {
        let Some(observed) = self.variants.get(variant).and_then(|variant| variant.observed.as_ref()) else {
            return;
        };
        exchange.count(match verdict {
            Verdict::Success => observed.successes,
            Verdict::Failure => observed.failures,
            Verdict::Ignored => observed.ignored,
        });
        if let Some(latency) = latency.filter(|_| verdict != Verdict::Ignored) {
            exchange.record(observed.milliseconds, u64::try_from(latency.as_millis()).unwrap_or(u64::MAX));
        }
    }
}

impl Observed {
    fn new(split: &str, variant: &str, setup: &mut Setup<'_>) -> Self {
        Self {
            successes: setup.counter("responses", &[split, variant, "success"]),
            failures: setup.counter("responses", &[split, variant, "failure"]),
            ignored: setup.counter("responses", &[split, variant, "ignored"]),
            milliseconds: setup.histogram("response_milliseconds", &[split, variant]),
        }
    }
}
