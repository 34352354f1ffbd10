//! Requests in flight, counted so that one whose end is lost is forgotten in time.

use std::time::Duration;

use kit::time::{Timestamp, nanos};

/// How many pieces of time are kept apart.
const PIECES: u64 = 4;

/// A limit on requests in flight.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Concurrency {
    /// How many.
    pub(crate) requests: u16,
    /// A request that has been in flight for longer no longer counts: its end may have been lost.
    pub(crate) timeout: Duration,
}

/// Requests in flight, by the piece of time in which they began.
///
/// The pieces are a third of the timeout long, and there are four of them: a request counts for the timeout at
/// least and four thirds of it at most, even if nobody ever says that it ended.
pub(super) struct Flights {
    /// How long a piece is, in nanoseconds.
    length: u64,
    /// The number of the newest piece.
    newest: u64,
    /// The number of the piece that is now: the newest, or the one before it if another worker looked at the clock a
    /// moment later.
    now: u64,
    /// The requests that began in each piece, at the index of its number modulo four.
    counts: [u16; 4],
}

impl Flights {
    /// Reads two words; anything but two is nothing.
    pub(super) fn read(words: &[u64], timeout: Duration, now: Timestamp) -> Self {
        let length = piece_length(timeout);
        let piece = now.nanos().checked_div(length).unwrap_or(0);
        let mut flights = Self { length, newest: piece, now: piece, counts: [0; 4] };
        let [newest, counts] = words else {
            return flights;
        };
        if newest.checked_sub(1) == Some(piece) {
            flights.newest = *newest;
        }
        let present = flights.newest;
        // What is further ahead is left by a clock that was turned back: it is kept, as if it were as old as may be.
        let newest = (*newest).min(present);
        let bytes = counts.to_le_bytes();
        let (pairs, _) = bytes.as_chunks::<2>();
        for age in 0..PIECES {
            let Some(old) = newest.checked_sub(age) else {
                break;
            };
            if present < old.saturating_add(PIECES) {
                let pair = usize::try_from(old % PIECES).ok().and_then(|index| pairs.get(index));
                if let (Some(count), Some(pair)) = (flights.slot(old), pair) {
                    *count = u16::from_le_bytes(*pair);
                }
            }
        }
        flights
    }

    /// Writes two words.
    pub(super) fn write(&self, words: &mut [u64]) {
        if let [newest, counts] = words {
            *newest = self.newest;
            *counts = self.counts.iter().rev().fold(0, |word: u64, count| (word << 16) | u64::from(*count));
        }
    }

    /// Returns how many are in flight.
    pub(super) fn count(&self) -> u64 {
        self.counts.iter().copied().map(u64::from).sum()
    }

    /// Counts one more.
    pub(super) fn begin(&mut self) {
        if let Some(count) = self.slot(self.now) {
            *count = count.saturating_add(1);
        }
    }

    /// Counts one less, of those that began at this instant's piece; false if it had been forgotten.
    pub(super) fn end(&mut self, since: Timestamp) -> bool {
        let piece = since.nanos().checked_div(self.length).unwrap_or(0);
        if piece.saturating_add(PIECES) <= self.newest {
            return false;
        }
        match self.slot(piece) {
            Some(count) if *count != 0 => {
                *count = count.saturating_sub(1);
                true
            }
            Some(_) | None => false,
        }
    }

    /// Returns when the last of them is forgotten at the latest.
    pub(super) fn free_at(words: &[u64; 2], timeout: Duration) -> Timestamp {
        match words {
            [_, 0] => Timestamp::EPOCH,
            [newest, _] => {
                Timestamp::from_nanos(newest.saturating_add(PIECES).saturating_mul(piece_length(timeout)))
            }
        }
    }

    fn slot(&mut self, piece: u64) -> Option<&mut u16> {
        self.counts.get_mut(usize::try_from(piece % PIECES).ok()?)
    }
}

fn piece_length(timeout: Duration) -> u64 {
    nanos(timeout).div_ceil(PIECES.saturating_sub(1)).max(1)
}
