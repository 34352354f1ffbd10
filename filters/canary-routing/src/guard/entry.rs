//! What the record has of one variant, and how it is written.

use kit::time::Timestamp;

use super::block::Pair;
use super::state::{Phase, State};
use super::window::{Count, Seen, Slice, Window};

/// How many words an entry has.
pub(super) const WORDS: usize = 17;

/// How many failures a block has at most. Only what strangers wrote could have more.
const FAILURES: u32 = 10_000;

/// What there is of one variant.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Entry {
    pub(super) name: u64,
    pub(super) phase: Phase,
    /// What was counted in the block that hasn't ended yet; the window has it already.
    pub(super) block: Seen,
    pub(super) window: Window,
}

impl Entry {
    pub(super) fn add(&mut self, seen: Seen) {
        self.block = self.block.plus(seen);
        if let Some(youngest) = self.window.last_mut() {
            youngest.count = youngest.count.plus(seen.all);
        }
    }

    #[expect(clippy::float_arithmetic, reason = "evidence is a logarithm")]
    pub(super) fn end_block(&mut self, block: Pair, ratio: f64) {
        self.block = Seen::default();
        let failures = block.baseline.failures.max(block.variant.failures);
        if let Some(youngest) = self.window.last_mut()
            && failures <= FAILURES
        {
            youngest.evidence += block.factor(ratio);
        }
    }

    pub(super) fn roll(&mut self, steps: usize) {
        self.window.rotate_left(steps);
        self.window.iter_mut().rev().take(steps).for_each(|slice| *slice = Slice::default());
    }

    pub(super) fn forget(&mut self) {
        (self.block, self.window) = (Seen::default(), Window::default());
    }

    pub(super) fn words(&self) -> [u64; WORDS] {
        let phase = u64::from(self.phase.state.number()) | (u64::from(self.phase.trips) << 8);
        let [a, b, c, d, e, f] = self.window.map(|slice| pack(slice.count));
        let [u, v, w, x, y, z] = self.window.map(|slice| slice.evidence.to_bits());
        let since = self.phase.since.nanos();
        let Seen { all, news } = self.block;
        [self.name, phase, since, pack(all), pack(news), a, b, c, d, e, f, u, v, w, x, y, z]
    }

    pub(super) fn of(words: &[u64; WORDS]) -> Option<Self> {
        let [name, phase, since, all, news, counts @ .., u, v, w, x, y, z] = *words;
        let [state, trips, 0, 0, 0, 0, 0, 0] = phase.to_le_bytes() else {
            return None;
        };
        let mut window = Window::default();
        for (slice, (count, evidence)) in window.iter_mut().zip(counts.into_iter().zip([u, v, w, x, y, z])) {
            *slice = Slice { count: unpack(count)?, evidence: f64::from_bits(evidence) };
            if !slice.evidence.is_finite() {
                return None;
            }
        }
        let phase = Phase { state: State::of(state)?, trips, since: Timestamp::from_nanos(since) };
        let block = Seen { all: unpack(all)?, news: unpack(news)? };
        Some(Self { name, phase, block, window })
    }
}

/// Writes a count into a word.
fn pack(count: Count) -> u64 {
    (u64::from(count.requests) << 32) | u64::from(count.failures)
}

/// Reads a count; none if more failed than there were.
fn unpack(word: u64) -> Option<Count> {
    let half = |word: u64| u32::try_from(word & u64::from(u32::MAX)).ok();
    let count = Count { requests: half(word >> 32)?, failures: half(word)? };
    (count.failures <= count.requests).then_some(count)
}
