//! Whose request failed a while ago: what a user meets again is no news, and he is always on the same side.
//!
//! A client that tries again and again what fails would make many failures of one. So from the first failure on, nothing
//! that its user meets is evidence, for a window at least. Users are known by their buckets: others in the same one are
//! left out with them, on both sides alike. Each worker knows those that it has seen.

use std::cell::{Cell, RefCell};

use kit::time::Timestamp;

/// How many words have a bit for every bucket.
const WORDS: usize = 157;

/// How many users of a generation may have failed: a quarter of all buckets. Else soon nobody would be left.
const MOST: u32 = 2_500;

/// The buckets of users whose requests have failed, in two generations.
#[derive(Debug, Default)]
pub(super) struct Users {
    /// The younger generation and the one before; empty until something fails.
    failed: RefCell<[Vec<u64>; 2]>,
    /// How many are in the younger one.
    count: Cell<u32>,
    /// When it began.
    since: Cell<Timestamp>,
}

impl Users {
    /// Tells whether a response is evidence: whether none of the user's requests had failed.
    ///
    /// A user without a bucket is another one every time. A window is a number of nanoseconds.
    pub(super) fn are_news(
        &self,
        bucket: Option<u16>,
        has_failed: bool,
        window: u64,
        now: Timestamp,
    ) -> bool {
        let Some(bucket) = bucket else {
            return true;
        };
        let (word, bit) = (usize::from(bucket / 64), 1_u64.wrapping_shl(u32::from(bucket % 64)));
        let mut failed = self.failed.borrow_mut();
        let is_over =
            window <= now.nanos().saturating_sub(self.since.get().nanos()) || now < self.since.get();
        if is_over || MOST <= self.count.get() {
            let [younger, older] = &mut *failed;
            std::mem::swap(younger, older);
            younger.iter_mut().for_each(|word| *word = 0);
            self.count.set(0);
            self.since.set(now);
        }
        if failed.iter().any(|words| words.get(word).is_some_and(|word| word & bit != 0)) {
            return false;
        }
        if has_failed {
            let [younger, _] = &mut *failed;
            younger.resize(WORDS, 0);
            if let Some(word) = younger.get_mut(word) {
                *word |= bit;
            }
            self.count.set(self.count.get().saturating_add(1));
        }
        true
    }
}
