//! What is kept of a key: a theoretical arrival time for each limit, and the requests in flight.
//!
//! All of it is one entry of the shared table, so that several limits are charged together or not at all.

use std::time::Duration;

use kit::time::{Timestamp, nanos};

use crate::gcra::{Exhausted, Limit};

/// How many limits a rule can have: they and the requests in flight fit into one entry.
pub(crate) const MAX_LIMITS: usize = 8;

/// How many pieces the time is cut into in which a request in flight is forgotten.
const PIECES: u64 = 4;

/// The limits of one key: those of the rule, or of an override.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Limits {
    /// All of them must admit.
    pub(crate) rates: Vec<Limit>,
    /// How many requests may be in flight.
    pub(crate) concurrency: Option<Concurrency>,
}

/// A limit on requests in flight.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Concurrency {
    /// How many.
    pub(crate) requests: u16,
    /// A request that has been in flight for longer no longer counts: its end may have been lost.
    pub(crate) timeout: Duration,
}

/// A charge: what to take back, or to release, when the stream ends.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Charge {
    /// The theoretical arrival times after it.
    pub(crate) arrivals: [Timestamp; MAX_LIMITS],
    /// The piece of time in which a request in flight was counted.
    pub(crate) piece: u64,
}

/// A request that is not admitted.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Refusal {
    /// When the same request will be admitted at the earliest; none if never, or if nobody can know.
    pub(crate) until: Option<Timestamp>,
    /// Which limits refuse.
    pub(crate) violated: [bool; MAX_LIMITS],
    /// Too many requests are in flight.
    pub(crate) too_many_in_flight: bool,
    /// The theoretical arrival times, unchanged.
    pub(crate) arrivals: [Timestamp; MAX_LIMITS],
    /// The entry was mended, and has to be written although nothing was charged.
    pub(crate) mended: bool,
}

/// Whether an admitted request is charged now.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Charging {
    /// Now.
    Now,
    /// When the response is known.
    Later,
}

impl Limits {
    /// Returns the number of words that an entry needs: `rates` at least, so that overrides share one table.
    pub(crate) fn words(rates: usize, concurrency: bool) -> usize {
        if concurrency { rates.saturating_add(2) } else { rates }
    }

    /// Decides on a request and charges it.
    pub(crate) fn admit(
        &self,
        words: &mut [u64],
        cost: u64,
        charging: Charging,
        now: Timestamp,
    ) -> Result<Charge, Refusal> {
        let mut charge = Charge { arrivals: arrivals(words), piece: 0 };
        let mut refusal = Refusal {
            until: Some(now),
            violated: [false; MAX_LIMITS],
            too_many_in_flight: false,
            arrivals: charge.arrivals,
            mended: false,
        };
        for ((limit, arrival), violated) in
            self.rates.iter().zip(&mut charge.arrivals).zip(&mut refusal.violated)
        {
            match limit.admit(*arrival, cost, now) {
                Ok(next) => *arrival = next,
                Err(exhausted) => {
                    *violated = true;
                    refusal.until = match (exhausted, refusal.until) {
                        (Exhausted::Until(until), Some(other)) => Some(until.max(other)),
                        (Exhausted::Until(_) | Exhausted::Never, _) => None,
                    };
                }
            }
        }
        let (rates, in_flight) = words.split_at_mut_checked(self.flight_offset(words.len())).unwrap_or_default();
        if refusal.violated.contains(&true) {
            for ((limit, word), arrival) in self.rates.iter().zip(rates).zip(&mut refusal.arrivals) {
                if limit.is_astray(*arrival, now) {
                    *arrival = limit.charge(*arrival, 0, now);
                    *word = arrival.nanos();
                    refusal.mended = true;
                }
            }
            return Err(refusal);
        }
        if let (Some(concurrency), [newest, counts]) = (self.concurrency, in_flight) {
            let mut flights = Flights::read(*newest, *counts, concurrency, now);
            if !flights.start(concurrency.requests) {
                refusal.too_many_in_flight = true;
                refusal.until = None;
                return Err(refusal);
            }
            charge.piece = flights.newest;
            (*newest, *counts) = flights.words();
        }
        if charging == Charging::Now {
            for (word, arrival) in rates.iter_mut().zip(&charge.arrivals) {
                *word = arrival.nanos();
            }
        }
        Ok(charge)
    }

    /// Charges a request that was admitted with [`Charging::Later`].
    pub(crate) fn charge(&self, words: &mut [u64], cost: u64, now: Timestamp) {
        for (limit, word) in self.rates.iter().zip(words) {
            *word = limit.charge(Timestamp::from_nanos(*word), cost, now).nanos();
        }
    }

    /// Takes a charge back.
    pub(crate) fn refund(&self, words: &mut [u64], charge: &Charge, cost: u64, now: Timestamp) {
        for ((limit, word), end) in self.rates.iter().zip(words).zip(&charge.arrivals) {
            *word = limit.refund(Timestamp::from_nanos(*word), *end, cost, now).nanos();
        }
    }

    /// Counts a request in flight as ended; false if it had been forgotten.
    pub(crate) fn release(&self, words: &mut [u64], charge: &Charge, now: Timestamp) -> bool {
        let offset = self.flight_offset(words.len());
        let in_flight = words.split_at_mut_checked(offset).map(|(_, in_flight)| in_flight);
        let (Some(concurrency), Some([newest, counts])) = (self.concurrency, in_flight) else {
            return false;
        };
        let mut flights = Flights::read(*newest, *counts, concurrency, now);
        let released = flights.end(charge.piece);
        (*newest, *counts) = flights.words();
        released
    }

    /// Returns when an entry is worth no more than an absent one.
    pub(crate) fn free_at(&self, words: &[u64]) -> Timestamp {
        let (rates, in_flight) = words.split_at_checked(self.flight_offset(words.len())).unwrap_or_default();
        let full = Timestamp::from_nanos(rates.iter().copied().max().unwrap_or(0));
        match (self.concurrency, in_flight) {
            (Some(concurrency), [newest, counts]) if *counts != 0 => {
                let end = newest.saturating_add(PIECES).saturating_mul(piece_length(concurrency));
                full.max(Timestamp::from_nanos(end))
            }
            _ => full,
        }
    }

    /// Returns where the words of the requests in flight begin: they are the last two.
    fn flight_offset(&self, words: usize) -> usize {
        if self.concurrency.is_some() { words.saturating_sub(2) } else { words }
    }
}

/// Requests in flight, counted by the piece of time in which they began.
///
/// The pieces are a third of the timeout long, and there are four of them: a request counts for the timeout at
/// least and four thirds of it at most, even if nobody ever says that it ended.
struct Flights {
    /// The number of the piece that is now.
    newest: u64,
    /// The requests that began in each piece, at the index of its number modulo four.
    counts: [u16; 4],
}

impl Flights {
    fn read(newest: u64, counts: u64, concurrency: Concurrency, now: Timestamp) -> Self {
        let piece = now.nanos().checked_div(piece_length(concurrency)).unwrap_or(0);
        let bytes = counts.to_le_bytes();
        let (pairs, _) = bytes.as_chunks::<2>();
        let mut flights = Self { newest: piece, counts: [0; 4] };
        // A piece of the future is left by a clock that was turned back; what it counted is kept as new.
        let newest = newest.min(piece);
        for age in 0..PIECES {
            let Some(old) = newest.checked_sub(age) else {
                break;
            };
            if piece < old.saturating_add(PIECES) {
                if let (Some(count), Some(pair)) = (slot(&mut flights.counts, old), at(pairs, old)) {
                    *count = u16::from_le_bytes(*pair);
                }
            }
        }
        flights
    }

    fn start(&mut self, limit: u16) -> bool {
        let all: u64 = self.counts.iter().copied().map(u64::from).sum();
        let newest = self.newest;
        match slot(&mut self.counts, newest) {
            Some(count) if all < u64::from(limit) => {
                *count = count.saturating_add(1);
                true
            }
            Some(_) | None => false,
        }
    }

    fn end(&mut self, piece: u64) -> bool {
        if piece.saturating_add(PIECES) <= self.newest {
            return false;
        }
        match slot(&mut self.counts, piece) {
            Some(count) if *count != 0 => {
                *count = count.saturating_sub(1);
                true
            }
            Some(_) | None => false,
        }
    }

    fn words(&self) -> (u64, u64) {
        let counts = self.counts.iter().rev().fold(0, |word: u64, count| (word << 16) | u64::from(*count));
        (self.newest, counts)
    }
}

fn slot(counts: &mut [u16; 4], piece: u64) -> Option<&mut u16> {
    counts.get_mut(usize::try_from(piece % PIECES).ok()?)
}

fn at<T>(pairs: &[T], piece: u64) -> Option<&T> {
    pairs.get(usize::try_from(piece % PIECES).ok()?)
}

fn piece_length(concurrency: Concurrency) -> u64 {
    nanos(concurrency.timeout).div_ceil(PIECES.saturating_sub(1)).max(1)
}

fn arrivals(words: &[u64]) -> [Timestamp; MAX_LIMITS] {
    let mut arrivals = [Timestamp::EPOCH; MAX_LIMITS];
    for (arrival, word) in arrivals.iter_mut().zip(words) {
        *arrival = Timestamp::from_nanos(*word);
    }
    arrivals
}

#[cfg(test)]
mod tests;
