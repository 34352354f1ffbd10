//! The small record that all workers share about a provider's keys: which set is the current one, for how long, and
//! who is fetching.

use std::time::Duration;

use kit::time::Timestamp;

use super::fetch::{Fetch, MAX_TIMEOUT};

/// What all workers know. An instant that isn't known is the epoch.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(super) struct Record {
    /// The set: the digest of its document, or zero if there is none.
    pub(super) generation: u64,
    /// When the document was last fetched.
    pub(super) fetched: Timestamp,
    /// When it is to be fetched again.
    pub(super) due: Timestamp,
    /// Before this, nothing is fetched, because of a failure.
    pub(super) retry_at: Timestamp,
    /// How often fetching failed since it last succeeded.
    pub(super) failures: u64,
    /// When the document was last fetched because of a key that the set doesn't have.
    pub(super) asked: Timestamp,
    pub(super) lease: Lease,
}

/// The right to fetch, while others wait.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(super) struct Lease {
    /// A number that was drawn.
    pub(super) holder: u64,
    /// When it is over, even if nothing was heard of its holder.
    pub(super) until: Timestamp,
}

/// What the clocks of two callbacks may differ by, and how long after its time an answer may still come.
pub(super) const SLACK: Duration = Duration::from_secs(1);

/// What a record begins with: a stranger's value, or that of another version, is none.
const SHAPE: &[u8; 8] = b"sl-jwks\x01";

impl Record {
    /// Reads a record; what doesn't have the shape of one, or can't be at this time, counts as absent.
    pub(super) fn read(value: Option<&[u8]>, now: Timestamp, fetch: &Fetch) -> Self {
        value.and_then(Self::decode).unwrap_or_default().mended(now, fetch)
    }

    pub(super) fn encode(&self) -> Vec<u8> {
        let words = [
            self.generation,
            self.fetched.nanos(),
            self.due.nanos(),
            self.retry_at.nanos(),
            self.failures,
            self.asked.nanos(),
            self.lease.holder,
            self.lease.until.nanos(),
        ];
        SHAPE.iter().copied().chain(words.into_iter().flat_map(u64::to_le_bytes)).collect()
    }

    /// Tells whether a fetch for an unknown key may begin.
    pub(super) fn may_ask(&self, now: Timestamp, interval: Duration) -> bool {
        self.asked.after(interval) <= now && self.retry_at <= now
    }

    fn decode(value: &[u8]) -> Option<Self> {
        let (words, []) = value.strip_prefix(SHAPE)?.as_chunks() else {
            return None;
        };
        let [generation, fetched, due, retry_at, failures, asked, holder, until] = words else {
            return None;
        };
        let instant = |word: &[u8; 8]| Timestamp::from_nanos(u64::from_le_bytes(*word));
        Some(Self {
            generation: u64::from_le_bytes(*generation),
            fetched: instant(fetched),
            due: instant(due),
            retry_at: instant(retry_at),
            failures: u64::from_le_bytes(*failures),
            asked: instant(asked),
            lease: Lease { holder: u64::from_le_bytes(*holder), until: instant(until) },
        })
    }

    /// Takes away what can't be: the clock was turned back, or the operator has shortened a time since.
    fn mended(mut self, now: Timestamp, fetch: &Fetch) -> Self {
        let soon = now.after(SLACK);
        if soon < self.fetched {
            (self.fetched, self.due) = (now, now);
        }
        self.due = self.due.min(self.fetched.after(fetch.max_refresh));
        if soon.after(fetch.longest_back_off()) < self.retry_at {
            self.retry_at = Timestamp::EPOCH;
        }
        if soon < self.asked {
            self.asked = Timestamp::EPOCH;
        }
        self
    }
}

impl Lease {
    /// Takes the right to fetch.
    pub(super) fn new(holder: u64, now: Timestamp, timeout: Duration) -> Self {
        Self { holder, until: now.after(timeout).after(SLACK) }
    }

    /// Tells whether somebody has it.
    pub(super) fn is_held(&self, now: Timestamp) -> bool {
        now < self.until && self.until <= now.after(MAX_TIMEOUT).after(SLACK)
    }
}

#[cfg(test)]
mod tests;
