//! The budget: of the requests in a window of time, so large a part may be tried again.
//!
//! What is kept of a key is the number of requests and of retries in each slice of time, a sixth of the window long: the
//! slice that is now, and six whole ones before it. So a window is never counted short, and forgets what is older than
//! seven sixths of it.

use std::time::Duration;

use kit::config::{Node, or};
use kit::key::Key;
use kit::time::{Timestamp, nanos};
use kit::units::Fraction;

/// How many slices a window has.
const SLICES: u64 = 6;

/// The words of an entry: the number of the slice that is now, and what was in it and in those before.
pub(crate) const WORDS: usize = 8;

/// The budget of a policy.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Budget {
    /// The part of requests that may be tried again.
    ratio: Fraction,
    /// How many retries there may be in each second besides.
    least: u64,
    window: Duration,
    /// Whose budget it is; none if all requests of the policy share one.
    pub(crate) key: Option<Key>,
    /// How many keys in use at once there is room for.
    pub(crate) clients: u64,
}

/// What was counted.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(crate) struct Totals {
    pub(crate) requests: u64,
    pub(crate) retries: u64,
}

impl Budget {
    /// A fifth of the requests, and three a second where there are few.
    pub(crate) const DEFAULT: Self = Self {
        ratio: Fraction::percent(20),
        least: 3,
        window: Duration::from_secs(10),
        key: None,
        clients: 1,
    };

    /// Parses `{ratio: 20%, min_per_second: 3, window: 10s}`, or `off`. Some if there is none.
    pub(crate) fn parse(node: &Node<'_>) -> Option<Option<Self>> {
        if node.value().is_off() {
            return Some(None);
        }
        let default = Self::DEFAULT;
        let mut object = node.object()?;
        let ratio = or(object.optional("ratio"), default.ratio, |ratio| ratio.fraction());
        let least =
            or(object.optional("min_per_second"), default.least, |least| least.integer(0..=1_000_000));
        let window = or(object.optional("window"), default.window, |window| {
            window.duration(Duration::from_secs(1)..=Duration::from_secs(3_600))
        });
        let key_node = object.optional("key");
        let key = or(key_node.clone(), None, |key| Key::parse(key).map(Some));
        let clients_node = object.optional("clients");
        let clients = or(clients_node.clone(), if key_node.is_some() { 1_000 } else { 1 }, |clients| {
            clients.integer(1..=10_000_000)
        });
        object.finish();
        if let (Some(clients), None) = (&clients_node, &key_node) {
            clients.refuse("has no effect without a `key`: all requests of the policy share one budget");
        }
        Some(Some(Self { ratio: ratio?, least: least?, window: window?, key: key?, clients: clients? }))
    }

    /// Tells whether there may be one more retry.
    pub(crate) fn admits(&self, totals: Totals) -> bool {
        self.spent(totals, 1) < self.allowed(totals)
    }

    /// Tells whether half of what there may be was spent, so that the next ones are to be counted exactly.
    pub(crate) fn is_near(&self, totals: Totals) -> bool {
        self.allowed(totals) <= self.spent(totals, 2)
    }

    /// Returns the retries in billionths, so many times.
    fn spent(&self, totals: Totals, times: u128) -> u128 {
        u128::from(totals.retries).saturating_mul(1_000_000_000).saturating_mul(times)
    }

    /// Returns how many there may be, in billionths.
    fn allowed(&self, totals: Totals) -> u128 {
        let part = u128::from(totals.requests).saturating_mul(self.ratio.parts_per_billion().into());
        part.saturating_add(u128::from(self.least).saturating_mul(nanos(self.window).into()))
    }

    /// Adds to an entry, and returns what was counted in the window.
    pub(crate) fn add(&self, words: &mut [u64], now: Timestamp, requests: u64, retries: u64) -> Totals {
        let slice = now.nanos().checked_div(self.slice()).unwrap_or(0);
        let Some((current, counts)) = words.split_first_mut() else {
            return Totals { requests, retries };
        };
        // A worker may have looked at the clock a little earlier than another. What is further ahead was written by a
        // clock that was turned back since, or by a stranger.
        let is_ahead = current.checked_sub(1) == Some(slice);
        if *current < slice || !is_ahead && *current != slice {
            let passed = slice.checked_sub(*current).and_then(|passed| usize::try_from(passed).ok());
            let kept = passed.filter(|passed| *passed < counts.len());
            counts.rotate_right(kept.unwrap_or(0));
            for count in counts.iter_mut().take(kept.unwrap_or(usize::MAX)) {
                *count = 0;
            }
            *current = slice;
        }
        if let Some(first) = counts.first_mut() {
            let (had, had_retries) = unpack(*first);
            *first = pack(had.saturating_add(requests), had_retries.saturating_add(retries));
        }
        counts.iter().fold(Totals::default(), |sum, count| {
            let (requests, retries) = unpack(*count);
            Totals {
                requests: sum.requests.saturating_add(requests),
                retries: sum.retries.saturating_add(retries),
            }
        })
    }

    /// Returns when an entry is worth no more than an absent one.
    pub(crate) fn free_at(&self, words: &[u64]) -> Timestamp {
        let current = words.first().copied().unwrap_or(0);
        Timestamp::from_nanos(current.saturating_add(SLICES).saturating_add(1).saturating_mul(self.slice()))
    }

    /// Returns the window.
    pub(crate) fn window(&self) -> Duration {
        self.window
    }

    fn slice(&self) -> u64 {
        // Rounded up: six of them are not less than the window.
        nanos(self.window).div_ceil(SLICES)
    }
}

/// Two counts in one word, neither of which passes its half.
fn pack(requests: u64, retries: u64) -> u64 {
    let most = u64::from(u32::MAX);
    requests.min(most) << 32 | retries.min(most)
}

fn unpack(word: u64) -> (u64, u64) {
    (word >> 32, word & u64::from(u32::MAX))
}

#[cfg(test)]
mod tests;
