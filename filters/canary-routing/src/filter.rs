//! The decision on a request: which split it belongs to, and which variant it gets.

use std::cell::Cell;
use std::rc::Rc;

use kit::draw::below;
use kit::exchange::Exchange;
use kit::filter::{Filter, Stream};
use kit::header::{Found, Lookup as _};
use kit::reply::is_grpc;
use kit::rule::Mode;
use kit::setup::Setup;

use crate::bucket::ALL;
use crate::config::{Config, Missing, Split};
use crate::force::Asked;
use crate::identity::{Known, Room};
use crate::state::{Outcome, State};
use crate::stream::{CanaryStream, Fate};

/// The filter with its configuration, and what this worker knows.
pub(crate) struct CanaryRouting {
    pub(crate) config: Config,
    pub(crate) state: State,
    /// Room for a key, so that a request needs none of its own.
    room: Cell<Room>,
}

/// What a split decides.
struct Chosen {
    variant: usize,
    outcome: Outcome,
    /// The user's place in what the variant has, and how much that is: a guard may open the first part of it.
    place: (u16, u16),
    drawn: Drawn,
    /// The header that hands out a cookie.
    cookie: Option<String>,
}

/// Whether something has decided that could as well have decided otherwise: only then can two variants be compared.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Drawn {
    /// It hasn't.
    Not,
    /// The hash of a key: a user's bucket.
    Bucket(u16),
    /// A draw for this request.
    Chance,
}

impl CanaryRouting {
    pub(crate) fn new(config: Config, setup: &mut Setup<'_>) -> Self {
        let state = State::new(&config, setup);
        Self { config, state, room: Cell::default() }
    }

    /// Decides on a request. None if nothing more of it matters.
    pub(crate) fn decide(&self, exchange: &mut Exchange<'_>) -> Option<Fate> {
        let reserved = &self.config.reserved;
        let there = reserved.find(exchange);
        reserved.remove_written(exchange, &there);
        let found = self.config.splits.iter().enumerate().find_map(|(index, split)| {
            let matches = split.matcher.matches(exchange);
            (matches != Ok(false)).then_some((index, split, matches.is_ok()))
        });
        let Some((index, split, is_clear)) = found else {
            reserved.remove_asking(exchange, &there);
            return None;
        };
        let chosen = if is_clear {
            let chosen = self.choose(exchange, index, split);
            self.guard(exchange, index, split, chosen)
        } else {
            // Nobody can say whether it is for this split, so it gets what everybody got before.
            Chosen::baseline(Outcome::Unclear)
        };
        reserved.remove_asking(exchange, &there);
        self.state.note(exchange, index, chosen.variant, chosen.outcome);
        if split.mode == Mode::Enforce {
            if let Some(variant) = split.variants.get(chosen.variant) {
                self.config.output.write(exchange, variant);
            }
            if let Some(mirror) = &split.mirror {
                mirror.write(exchange);
            }
            if self.config.clears_route {
                exchange.clear_route();
            }
        }
        self.follow(exchange, index, split, chosen)
    }

    /// Says what of the stream matters from here on.
    fn follow(&self, exchange: &Exchange<'_>, index: usize, split: &Split, chosen: Chosen) -> Option<Fate> {
        let drawn = if split.guard.is_some() { chosen.drawn } else { Drawn::Not };
        let observes = drawn != Drawn::Not || split.observe && chosen.outcome.is_a_user();
        let tells = split.mode == Mode::Enforce && self.config.output.response.is_some();
        if !observes && !tells && chosen.cookie.is_none() {
            return None;
        }
        let is_timed = observes && (split.observe || split.outcomes.slower_than.is_some());
        Some(Fate {
            split: index,
            variant: chosen.variant,
            cookie: chosen.cookie,
            tells,
            observes,
            drawn,
            is_grpc: observes && speaks_grpc(exchange),
            grpc_status: None,
            asked: is_timed.then(|| exchange.now()),
            latency: None,
        })
    }

    /// Chooses a variant.
    fn choose(&self, exchange: &mut Exchange<'_>, index: usize, split: &Split) -> Chosen {
        if let Some(force) = &split.force {
            match force.asked(exchange, &split.variants) {
                Asked::Nothing => {}
                Asked::For(variant) => return Chosen { variant, ..Chosen::baseline(Outcome::Forced) },
                Asked::Refused => {
                    if let Some(own) = self.state.of(index) {
                        own.refuse(exchange);
                    }
                }
            }
        }
        let mut room = self.room.take();
        let chosen = split.choose(exchange, &mut room);
        self.room.set(room);
        chosen
    }

    /// Gives a request to the baseline if the guard has taken the traffic off its variant.
    fn guard(&self, exchange: &mut Exchange<'_>, index: usize, split: &Split, chosen: Chosen) -> Chosen {
        // A tester must be able to look at what is broken.
        if chosen.variant == 0 || chosen.outcome == Outcome::Forced {
            return chosen;
        }
        let Some(watch) = self.state.of(index).and_then(|own| own.watch.as_ref()) else {
            return chosen;
        };
        if watch.is_open(exchange, split, chosen.variant, chosen.place) {
            return chosen;
        }
        if split.guard_looks_on() {
            return Chosen { outcome: Outcome::WouldGuard, ..chosen };
        }
        Chosen { variant: 0, outcome: Outcome::Guarded, ..chosen }
    }
}

impl Filter for CanaryRouting {
    fn stream(self: Rc<Self>) -> Box<dyn Stream> {
        Box::new(CanaryStream::new(self))
    }
}

impl Chosen {
    const fn baseline(outcome: Outcome) -> Self {
        Self { variant: 0, outcome, place: (0, 1), drawn: Drawn::Not, cookie: None }
    }
}

impl Split {
    /// Chooses a variant by what is written down, or by a bucket.
    fn choose(&self, exchange: &Exchange<'_>, room: &mut Room) -> Chosen {
        let mut known = None;
        for assignment in &self.assign {
            if assignment.needs_key() && known.is_none() {
                known = Some(self.find(exchange, room));
            }
            let key = (known == Some(Known::Key)).then(|| room.key());
            if assignment.holds(exchange, key) {
                let known = known.unwrap_or_else(|| self.find(exchange, room));
                // Without a key there is no place that stays the same.
                let bucket = match known {
                    Known::Key => self.buckets.of(room.key()),
                    Known::Missing | Known::Ambiguous => draw(exchange),
                };
                let place = (bucket, ALL);
                return Chosen { variant: assignment.variant, place, ..Chosen::baseline(Outcome::Assigned) };
            }
        }
        match known.unwrap_or_else(|| self.find(exchange, room)) {
            Known::Key => self.by_bucket(exchange, self.buckets.of(room.key()), Outcome::Split),
            Known::Ambiguous => Chosen::baseline(Outcome::Unclear),
            Known::Missing => match &self.missing {
                Missing::Baseline => Chosen::baseline(Outcome::MissingKey),
                Missing::Random => self.by_chance(exchange),
                Missing::Ticket(ticket) => {
                    // Who only looks on hands nothing out.
                    let issued = (self.mode == Mode::Enforce).then(|| ticket.issue(exchange, room)).flatten();
                    let Some(cookie) = issued else {
                        return self.by_chance(exchange);
                    };
                    let bucket = self.buckets.of(room.key());
                    let chosen = self.by_bucket(exchange, bucket, Outcome::MissingKey);
                    Chosen { cookie: Some(cookie), ..chosen }
                }
            },
        }
    }

    /// Draws a bucket for a request that has none of its own.
    fn by_chance(&self, exchange: &Exchange<'_>) -> Chosen {
        let chosen = self.by_bucket(exchange, draw(exchange), Outcome::MissingKey);
        Chosen { drawn: Drawn::Chance, ..chosen }
    }

    /// Finds the key of a request, be it in a cookie that was handed out.
    fn find(&self, exchange: &Exchange<'_>, room: &mut Room) -> Known {
        match (self.identity.find(exchange, room), self.missing.ticket()) {
            (Known::Missing, Some(ticket)) if ticket.find(exchange, room).is_some() => Known::Key,
            (known, _) => known,
        }
    }

    /// Returns the variant that has a bucket now.
    fn by_bucket(&self, exchange: &Exchange<'_>, bucket: u16, outcome: Outcome) -> Chosen {
        let mut ranges = self.variants.iter().map(|variant| variant.range.as_ref()).enumerate();
        let found = ranges.find_map(|(variant, range)| {
            let range = range?;
            let length = range.weight.at(|| exchange.now());
            Some((variant, (range.place(bucket, length)?, length)))
        });
        let (variant, place) = found.unwrap_or((0, (0, 1)));
        Chosen { variant, place, drawn: Drawn::Bucket(bucket), ..Chosen::baseline(outcome) }
    }
}

/// Draws a bucket.
fn draw(exchange: &Exchange<'_>) -> u16 {
    u16::try_from(below(exchange.draw(), ALL.into())).unwrap_or(0)
}

/// Tells whether a request is one of gRPC.
fn speaks_grpc(exchange: &Exchange<'_>) -> bool {
    matches!(exchange.find("content-type"), Found::One(kind) if is_grpc(&kind))
}
