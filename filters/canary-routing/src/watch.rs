//! The guard of a split on one worker: what it is told, what it says, and who hears of it.

use std::cell::OnceCell;

use kit::exchange::Exchange;
use kit::host::Level;
use kit::rule::Mode;
use kit::setup::{Counter, Gauge, Setup};
use kit::store::Contended;
use kit::units::spell_duration;

use crate::config::Split;
use crate::guard::{Cause, Evidence, News, Open, Shared, State, Variants};

/// What a worker has of a guard.
pub(crate) struct Watch {
    evidence: Evidence,
    variants: Variants,
    /// The key of the record in shared data, once a stream has said where it is.
    key: OnceCell<Vec<u8>>,
    contended: Counter,
    /// Those of the variants, in their order.
    told: Vec<Told>,
}

/// How a variant's state is told.
struct Told {
    worse: Counter,
    error_rate: Counter,
    state: Gauge,
}

impl Watch {
    pub(crate) fn new(split: &Split, setup: &mut Setup<'_>) -> Self {
        let name = split.name.as_str();
        let told = split.variants.iter().map(|variant| Told {
            worse: setup.counter("guard_trips", &[name, &variant.name, "worse"]),
            error_rate: setup.counter("guard_trips", &[name, &variant.name, "error_rate"]),
            state: setup.gauge("guard_state", &[name, &variant.name]),
        });
        let told = told.collect();
        Self {
            evidence: Evidence::default(),
            variants: Variants::new(split.variants.iter().map(|variant| variant.name.as_str())),
            key: OnceCell::new(),
            contended: setup.counter("contentions", &[name]),
            told,
        }
    }

    /// Tells whether a variant is open to a user at this place of a range of this length.
    pub(crate) fn is_open(
        &self,
        exchange: &mut Exchange<'_>,
        split: &Split,
        variant: usize,
        (place, length): (u16, u16),
    ) -> bool {
        let Some(guard) = &split.guard else {
            return true;
        };
        let (open, news) = self.evidence.open(guard, self.shared(exchange, split), variant, exchange.now());
        self.tell(exchange, split, &news);
        match open {
            Open::Whole => true,
            Open::Closed => false,
            // place / length < parts / 10,000
            Open::First(parts) => {
                let open = u64::from(length).saturating_mul(parts.into());
                u64::from(place).saturating_mul(10_000) < open
            }
        }
    }

    /// Counts a response of a variant, to the user of this bucket if it is one's.
    pub(crate) fn count(
        &self,
        exchange: &mut Exchange<'_>,
        split: &Split,
        variant: usize,
        bucket: Option<u16>,
        failed: bool,
    ) {
        let Some(guard) = &split.guard else {
            return;
        };
        let shared = self.shared(exchange, split);
        match self.evidence.outcome(guard, shared, variant, bucket, failed, exchange.now()) {
            Ok(news) => self.tell(exchange, split, &news),
            Err(Contended) => exchange.count(self.contended),
        }
    }

    fn shared<'a>(&'a self, exchange: &'a Exchange<'_>, split: &Split) -> Shared<'a> {
        let key = self.key.get_or_init(|| {
            format!("sluice/canary-routing/{}/{}", exchange.scope(), split.name).into_bytes()
        });
        Shared { store: exchange.store(), key, variants: &self.variants }
    }

    /// Makes known what has changed, on the worker that found it.
    fn tell(&self, exchange: &mut Exchange<'_>, split: &Split, news: &[News]) {
        for news in news {
            let Some((told, variant)) = self.told.get(news.variant).zip(split.variants.get(news.variant))
            else {
                continue;
            };
            match news.cause {
                Some(Cause::Worse) => exchange.count(told.worse),
                Some(Cause::ErrorRate) => exchange.count(told.error_rate),
                Some(Cause::Reset) | None => {}
            }
            exchange.set(told.state, news.to.number().into());
            exchange.log(Level::Warn, sentence(split, &variant.name, news));
        }
    }
}

impl Split {
    /// Tells whether the guard only says what it would do.
    pub(crate) fn guard_looks_on(&self) -> bool {
        let own = self.guard.as_ref().and_then(|guard| guard.mode);
        self.mode == Mode::Shadow || own == Some(Mode::Shadow)
    }
}

/// Says what has changed, with the numbers.
fn sentence(split: &Split, variant: &str, news: &News) -> String {
    let name = &split.name;
    let numbers = news.numbers;
    let would = if split.guard_looks_on() { " (it only looks on, and changes nothing)" } else { "" };
    let again = match numbers.retry_in {
        Some(wait) => format!("it is tried again in {}", spell_duration(wait)),
        None => "it stays so until `reset` is another text".to_owned(),
    };
    let found = format!(
        "{} of {} requests failed, and {} of {} of the baseline's",
        numbers.failures, numbers.requests, numbers.baseline_failures, numbers.baseline_requests
    );
    match (news.to, news.cause) {
        (State::Tripped, Some(Cause::ErrorRate)) => format!(
            "split \"{name}\": the guard took the traffic off \"{variant}\", which fails more than it may: {found}; {again}{would}"
        ),
        (State::Tripped, _) => format!(
            "split \"{name}\": the guard took the traffic off \"{variant}\", which fails more than the baseline: {found}; {again}{would}"
        ),
        (State::Recovering, _) => {
            format!("split \"{name}\": \"{variant}\" is tried again with the first of its users{would}")
        }
        (State::Closed, Some(Cause::Reset)) => {
            format!(
                "split \"{name}\": \"{variant}\" has all its users again, as `reset` is another text{would}"
            )
        }
        (State::Closed, _) => format!("split \"{name}\": \"{variant}\" has all its users again{would}"),
    }
}
