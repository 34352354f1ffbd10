//! What is counted, tagged and kept for an experiment, on this worker and for all of them.

use std::cell::OnceCell;
use std::rc::Rc;

use kit::exchange::Exchange;
use kit::host::Level;
use kit::rule::{Mode, Tagged};
use kit::setup::{Counter, Gauge, Setup, Tag};
use kit::store::Contended;

use crate::budget::Ticket;
use crate::config::{CONTROL, Config, Experiment};
use crate::status::Said;
use crate::watch::{Counted, StopWhen};

/// What becomes of a request that an experiment is for.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Outcome {
    /// It gets the fault.
    Injected,
    /// It would, if the experiment didn't only look on.
    WouldInject,
    /// The answer isn't the upstream's, and stays as it is.
    Spared,
    /// It wasn't sampled.
    Passed,
    /// There are as many faults as there may be.
    Limited,
    /// The experiment doesn't run now.
    Inactive,
    /// The experiment has stopped itself.
    Stopped,
    /// It has no key to sample it by.
    NoKey,
    /// It can be read in several ways.
    Unclear,
    /// It asks for a fault without the right token.
    Refused,
}

impl Outcome {
    const OF_EXPERIMENTS: [Self; 9] = [
        Self::Injected,
        Self::WouldInject,
        Self::Spared,
        Self::Passed,
        Self::Limited,
        Self::Inactive,
        Self::Stopped,
        Self::NoKey,
        Self::Unclear,
    ];
    const OF_CONTROL: [Self; 5] =
        [Self::Injected, Self::WouldInject, Self::Spared, Self::Refused, Self::Unclear];

    const fn word(self) -> &'static str {
        match self {
            Self::Injected => "injected",
            Self::WouldInject => "would_inject",
            Self::Spared => "spared",
            Self::Passed => "passed",
            Self::Limited => "limited",
            Self::Inactive => "inactive",
            Self::Stopped => "stopped",
            Self::NoKey => "no_key",
            Self::Unclear => "unclear",
            Self::Refused => "refused",
        }
    }
}

/// Whose fault it is.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum About {
    Experiment(usize),
    Control,
}

/// What a worker has, for all experiments and for control by headers.
pub(crate) struct State {
    tagged: Tagged,
    experiments: Vec<Own>,
    control: Own,
    experiment: Tag,
    fault: Tag,
    outcome: Tag,
}

/// What a worker has for one of them.
pub(crate) struct Own {
    pub(crate) name: Rc<str>,
    counters: Vec<(Outcome, Counter)>,
    active: Gauge,
    stops: Option<Counter>,
    contended: Option<Counter>,
    counted: Counted,
    /// The keys of its records in shared data, once a stream has said where they are.
    keys: OnceCell<Keys>,
}

struct Keys {
    budget: Vec<u8>,
    watch: Vec<u8>,
}

impl State {
    pub(crate) fn new(config: &Config, setup: &mut Setup<'_>) -> Self {
        let experiments = config.experiments.iter();
        let mut experiments: Vec<Own> = experiments
            .map(|experiment| Own::new(&experiment.name, &Outcome::OF_EXPERIMENTS, setup))
            .collect();
        for (own, experiment) in experiments.iter_mut().zip(&config.experiments) {
            own.stops = experiment.stop_when.as_ref().map(|_| setup.counter("stops", &[&experiment.name]));
            let is_shared = experiment.stop_when.is_some() || experiment.limits.is_any();
            own.contended = is_shared.then(|| setup.counter("contentions", &[&experiment.name]));
        }
        let outcomes: &[Outcome] = if config.control.is_some() { &Outcome::OF_CONTROL } else { &[] };
        Self {
            tagged: config.tags,
            experiments,
            control: Own::new(CONTROL, outcomes, setup),
            experiment: setup.tag("experiment"),
            fault: setup.tag("fault"),
            outcome: setup.tag("outcome"),
        }
    }

    pub(crate) fn own(&self, about: About) -> &Own {
        match about {
            About::Experiment(index) => self.experiments.get(index).unwrap_or(&self.control),
            About::Control => &self.control,
        }
    }

    /// Counts a decision, and publishes it for access logs and later filters.
    pub(crate) fn note(
        &self,
        exchange: &mut Exchange<'_>,
        about: About,
        outcome: Outcome,
        fault: Option<&[u8]>,
    ) {
        let own = self.own(about);
        if self.tagged == Tagged::All
            || matches!(outcome, Outcome::Injected | Outcome::WouldInject | Outcome::Spared)
        {
            exchange.tag(&self.experiment, own.name.as_bytes());
            exchange.tag(&self.outcome, outcome.word().as_bytes());
            if let Some(fault) = fault {
                exchange.tag(&self.fault, fault);
            }
        }
        if let Some((_, counter)) = own.counters.iter().find(|(known, _)| *known == outcome) {
            exchange.count(*counter);
        }
    }
}

impl Own {
    fn new(name: &str, outcomes: &[Outcome], setup: &mut Setup<'_>) -> Self {
        let counters =
            outcomes.iter().map(|outcome| (*outcome, setup.counter("decisions", &[name, outcome.word()])));
        Self {
            name: name.into(),
            counters: counters.collect(),
            active: setup.gauge("active", &[name]),
            stops: None,
            contended: None,
            counted: Counted::default(),
            keys: OnceCell::new(),
        }
    }

    /// Notes that a stream with a fault begins, or ends.
    pub(crate) fn add_active(&self, exchange: &mut Exchange<'_>, by: i64) {
        exchange.add(self.active, by);
    }

    /// Takes room for one more fault. None if there is none; some of none if nothing is counted.
    pub(crate) fn take(
        &self,
        exchange: &mut Exchange<'_>,
        experiment: &Experiment,
    ) -> Option<Option<Ticket>> {
        if !experiment.limits.is_any() {
            return Some(None);
        }
        let keys = self.keys(exchange, experiment);
        match experiment.limits.take(exchange.store(), &keys.budget, exchange.now()) {
            Ok(ticket) => ticket.map(Some),
            Err(Contended) => {
                self.count_contended(exchange);
                None
            }
        }
    }

    /// Gives it back.
    pub(crate) fn give_back(&self, exchange: &mut Exchange<'_>, ticket: Ticket) {
        if let Some(keys) = self.keys.get()
            && ticket.give_back(exchange.store(), &keys.budget) == Err(Contended)
        {
            self.count_contended(exchange);
        }
    }

    /// Tells whether the experiment has stopped itself.
    pub(crate) fn has_stopped(&self, exchange: &Exchange<'_>, experiment: &Experiment) -> bool {
        experiment.stop_when.is_some()
            && StopWhen::has_stopped(&self.counted, exchange.store(), &self.keys(exchange, experiment).watch)
    }

    /// Counts what a request of the experiment was answered, and stops it if too many failed.
    pub(crate) fn watch(&self, exchange: &mut Exchange<'_>, experiment: &Experiment, said: Said) {
        let Some(when) = &experiment.stop_when else {
            return;
        };
        let keys = self.keys(exchange, experiment);
        match when.count(&self.counted, exchange.store(), &keys.watch, when.is_error(said), exchange.now()) {
            Ok(None) => {}
            Ok(Some(stop)) => {
                if let Some(stops) = self.stops {
                    exchange.count(stops);
                }
                let (name, errors, requests) = (&self.name, stop.errors, stop.requests);
                exchange.log(
                    Level::Warn,
                    format!(
                        "experiment \"{name}\" has stopped itself: {errors} of {requests} requests failed"
                    ),
                );
            }
            Err(Contended) => self.count_contended(exchange),
        }
    }

    fn count_contended(&self, exchange: &mut Exchange<'_>) {
        if let Some(contended) = self.contended {
            exchange.count(contended);
        }
    }

    fn keys(&self, exchange: &Exchange<'_>, experiment: &Experiment) -> &Keys {
        self.keys.get_or_init(|| {
            let (scope, name, digest) = (exchange.scope(), &self.name, &experiment.digest);
            let key = |record: &str| {
                format!("sluice/fault-injection/{scope}/{name}/{digest}/{record}").into_bytes()
            };
            Keys { budget: key("budget"), watch: key("watch") }
        })
    }
}

impl Experiment {
    /// Returns the outcome of what gets its fault.
    pub(crate) const fn hit(&self) -> Outcome {
        match self.mode {
            Mode::Enforce => Outcome::Injected,
            Mode::Shadow => Outcome::WouldInject,
        }
    }
}
