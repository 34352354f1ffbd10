//! What is kept of a key: a theoretical arrival time for each limit, and the requests in flight.
//!
//! All of it is one entry of the shared table, so that several limits are charged together or not at all.
//!
//! The words of an entry: one for each limit; and where requests in flight matter, two for those whose response
//! isn't known yet and two for those that haven't ended.

mod flights;

use std::time::Duration;

use kit::time::Timestamp;

pub(crate) use self::flights::Concurrency;
use self::flights::Flights;
use crate::gcra::{Exhausted, Limit};

/// How many limits a rule can have: they and the requests in flight fit into one entry.
pub(crate) const MAX_LIMITS: usize = 4;

/// A response that takes longer than this no longer counts as one that may still come.
const RESPONSE_TIMEOUT: Duration = Duration::from_secs(300);

/// The limits of one key: those of the rule, or of an override.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Limits {
    /// All of them must admit.
    pub(crate) rates: Vec<Limit>,
    /// How many requests may be in flight.
    pub(crate) concurrency: Option<Concurrency>,
    /// When a request is charged.
    pub(crate) charging: Charging,
    /// The entries of the rule that these limits belong to.
    pub(crate) shape: Shape,
}

/// What entries of one table have in common: those of a rule and of all its overrides, which are neighbours.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Shape {
    /// The most limits that any of them has.
    pub(crate) rates: usize,
    /// Whether any of them follows requests to their end.
    pub(crate) in_flight: bool,
    /// The longest time for which any of them counts a request in flight.
    pub(crate) timeout: Duration,
}

/// When a request is charged.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Charging {
    /// When it comes.
    OnRequest,
    /// When its response counts; until then nothing is known.
    OnResponse,
    /// When its response counts; until then the request takes the room that it may need.
    Reserved,
}

/// What a stream took and has to give back.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Charge {
    /// The theoretical arrival times after it.
    pub(crate) arrivals: Arrivals,
    /// When the request in flight was counted.
    pub(crate) since: Timestamp,
}

/// The theoretical arrival time of each limit.
pub(crate) type Arrivals = [Timestamp; MAX_LIMITS];

/// A request that is not admitted.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Refusal {
    /// When the same request will be admitted at the earliest, whatever becomes of those in flight; none if never.
    pub(crate) until: Option<Timestamp>,
    /// Which limits refuse.
    pub(crate) violated: [bool; MAX_LIMITS],
    /// There are as many requests in flight as there may be.
    pub(crate) too_many: bool,
    /// It depends on requests in flight, which may end at any moment.
    pub(crate) in_flight: bool,
    /// The theoretical arrival times.
    pub(crate) arrivals: Arrivals,
    /// The entry was mended, and has to be written although nothing was charged.
    pub(crate) mended: bool,
}

/// An entry's words by what they are for.
struct Words<'a> {
    rates: &'a mut [u64],
    pending: &'a mut [u64],
    in_flight: &'a mut [u64],
}

impl Shape {
    /// Returns a shape that has room for both.
    pub(crate) fn or(self, other: Self) -> Self {
        Self {
            rates: self.rates.max(other.rates),
            in_flight: self.in_flight || other.in_flight,
            timeout: self.timeout.max(other.timeout),
        }
    }

    /// Returns the number of words of an entry.
    pub(crate) fn words(self) -> usize {
        if self.in_flight { self.rates.saturating_add(4) } else { self.rates }
    }

    /// Returns when an entry is worth no more than an absent one, whoever's it is.
    pub(crate) fn free_at(self, words: &[u64]) -> Timestamp {
        let (rates, in_flight) = words.split_at_checked(self.rates).unwrap_or_default();
        let full = Timestamp::from_nanos(rates.iter().copied().max().unwrap_or(0));
        match in_flight {
            [pending, pending_counts, in_flight, in_flight_counts] => full
                .max(Flights::free_at(&[*pending, *pending_counts], RESPONSE_TIMEOUT))
                .max(Flights::free_at(&[*in_flight, *in_flight_counts], self.timeout)),
            _ => full,
        }
    }
}

impl Limits {
    /// Joins limits to those of a rule without overrides.
    pub(crate) fn new(rates: Vec<Limit>, concurrency: Option<Concurrency>, charging: Charging) -> Self {
        let shape = Shape {
            rates: rates.len(),
            in_flight: concurrency.is_some() || charging == Charging::Reserved,
            timeout: concurrency.map_or(Duration::ZERO, |concurrency| concurrency.timeout),
        };
        Self { rates, concurrency, charging, shape }
    }

    /// Tells whether requests in flight matter.
    pub(crate) fn follows_requests(&self) -> bool {
        self.concurrency.is_some() || self.charging == Charging::Reserved
    }

    /// Tells whether a worker may decide alone on what it has leased: where a decision depends on rates alone.
    pub(crate) fn may_be_leased(&self) -> bool {
        self.charging == Charging::OnRequest && self.concurrency.is_none()
    }

    /// Decides on a request, and charges it or takes the room that it may need.
    ///
    /// While responses aren't known, the arrival times and all that is pending together stay within what the
    /// limits admit now; a response that counts moves its part from one to the other, so whatever the responses
    /// are and whenever they come, no more of them are counted than the limits admit.
    pub(crate) fn admit(&self, words: &mut [u64], cost: u64, now: Timestamp) -> Result<Charge, Refusal> {
        let words = self.split(words);
        let mut pending = Flights::read(words.pending, RESPONSE_TIMEOUT, now);
        let mut in_flight = self.concurrency.map(|of| (of, Flights::read(words.in_flight, of.timeout, now)));
        let too_many =
            in_flight.as_ref().is_some_and(|(of, flights)| u64::from(of.requests) <= flights.count());
        let mut refusal = Refusal {
            until: Some(now),
            violated: [false; MAX_LIMITS],
            too_many,
            in_flight: too_many,
            arrivals: arrivals(words.rates),
            mended: false,
        };
        let mut next = refusal.arrivals;
        let reserved = match self.charging {
            Charging::Reserved => pending.count().saturating_mul(cost),
            Charging::OnRequest | Charging::OnResponse => 0,
        };
        for ((limit, next), violated) in self.rates.iter().zip(&mut next).zip(&mut refusal.violated) {
            let spent = limit.admit(*next, cost, now);
            match limit.admit(*next, cost.saturating_add(reserved), now) {
                Ok(_) => {}
                Err(_) => {
                    *violated = true;
                    // What is pending may come to nothing at any moment.
                    refusal.in_flight = refusal.in_flight || spent.is_ok();
                }
            }
            match (spent, refusal.until) {
                (Ok(arrival), _) => *next = arrival,
                (Err(Exhausted::Until(until)), Some(other)) => refusal.until = Some(until.max(other)),
                (Err(Exhausted::Until(_) | Exhausted::Never), _) => refusal.until = None,
            }
        }
        if refusal.in_flight || refusal.violated.contains(&true) {
            self.mend(words.rates, &mut refusal, now);
            return Err(refusal);
        }
        match self.charging {
            Charging::OnRequest => {
                for (word, arrival) in words.rates.iter_mut().zip(&next) {
                    *word = arrival.nanos();
                }
            }
            Charging::OnResponse => next = refusal.arrivals,
            Charging::Reserved => {
                next = refusal.arrivals;
                pending.begin();
                pending.write(words.pending);
            }
        }
        if let Some((_, flights)) = &mut in_flight {
            flights.begin();
            flights.write(words.in_flight);
        }
        Ok(Charge { arrivals: next, since: now })
    }

    /// Charges what depended on the response, or lets it go; returns the arrival times after it.
    pub(crate) fn settle(
        &self,
        words: &mut [u64],
        charge: &Charge,
        cost: u64,
        counts: bool,
        now: Timestamp,
    ) -> Arrivals {
        let words = self.split(words);
        if self.charging == Charging::Reserved {
            let mut pending = Flights::read(words.pending, RESPONSE_TIMEOUT, now);
            pending.end(charge.since);
            pending.write(words.pending);
        }
        if counts {
            for (limit, word) in self.rates.iter().zip(words.rates.iter_mut()) {
                *word = limit.charge(Timestamp::from_nanos(*word), cost, now).nanos();
            }
        }
        arrivals(words.rates)
    }

    /// Counts a request in flight as ended; false if it had been forgotten.
    pub(crate) fn release(&self, words: &mut [u64], charge: &Charge, now: Timestamp) -> bool {
        let Some(concurrency) = self.concurrency else {
            return false;
        };
        let words = self.split(words);
        let mut flights = Flights::read(words.in_flight, concurrency.timeout, now);
        let released = flights.end(charge.since);
        flights.write(words.in_flight);
        released
    }

    /// Takes back what only a clock that was turned back can have left.
    fn mend(&self, rates: &mut [u64], refusal: &mut Refusal, now: Timestamp) {
        for ((limit, word), arrival) in self.rates.iter().zip(rates).zip(&mut refusal.arrivals) {
            if limit.is_astray(*arrival, now) {
                *arrival = limit.charge(*arrival, 0, now);
                *word = arrival.nanos();
                refusal.mended = true;
            }
        }
    }

    fn split<'a>(&self, words: &'a mut [u64]) -> Words<'a> {
        let (rates, rest) = words.split_at_mut_checked(self.shape.rates).unwrap_or_default();
        let (pending, in_flight) = rest.split_at_mut_checked(2).unwrap_or_default();
        Words { rates, pending, in_flight }
    }
}

fn arrivals(rates: &[u64]) -> Arrivals {
    let mut arrivals = [Timestamp::EPOCH; MAX_LIMITS];
    for (arrival, word) in arrivals.iter_mut().zip(rates) {
        *arrival = Timestamp::from_nanos(*word);
    }
    arrivals
}

#[cfg(test)]
#[expect(clippy::arithmetic_side_effects, reason = "a test may overflow: it would fail")]
mod tests;
