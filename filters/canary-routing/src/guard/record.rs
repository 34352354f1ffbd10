//! The one record of a split, which all workers share: what was seen of each variant, and what became of it.
//!
//! It is of a size that the number of variants fixes: 24 bytes, and 136 for each. Variants are known by digests of their
//! names, so that the record outlives a configuration, and one that is on its way out does no harm to its successor:
//! variants that it doesn't know stay as they are.

use kit::time::Timestamp;

use super::block::Pair;
use super::entry::{Entry, WORDS};
use super::state::{Phase, State};
use super::window::{Count, LENGTH, Seen, total, worse};
use super::{Cause, Guard, News, Numbers, VARIANTS, Variants};

/// The format's version.
const FORMAT: u64 = 0x534c_5543_4347_0001;

/// How many requests for each variant a block has at least.
const BLOCK: u32 = 32;

/// How many times as many it has at most, as long as none of them failed.
const QUIET: u32 = 16;

/// The record of a split.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Record {
    reset: u64,
    /// The number of the youngest slice since 1970.
    slice: u64,
    /// How many of the entries are those of the variants of this configuration, in their order.
    known: usize,
    entries: Vec<Entry>,
}

impl Record {
    /// Reads a record; what has another shape counts as none.
    pub(super) fn read(bytes: Option<&[u8]>, variants: &Variants) -> Self {
        let (reset, slice, found) = bytes.and_then(parse).unwrap_or_default();
        let is_same_baseline = found.first().map(|entry| entry.name) == variants.0.first().copied();
        let mut entries: Vec<Entry> = Vec::with_capacity(VARIANTS);
        for name in &variants.0 {
            let entry = found.iter().find(|entry| entry.name == *name).cloned();
            entries.push(entry.unwrap_or(Entry { name: *name, ..Entry::default() }));
        }
        entries.extend(found.into_iter().filter(|entry| !variants.0.contains(&entry.name)));
        entries.truncate(VARIANTS);
        if let Some(baseline) = entries.first_mut() {
            baseline.phase = Phase::default();
        }
        let mut record = Self { reset, slice, known: variants.0.len(), entries };
        if !is_same_baseline {
            record.forget();
        }
        record
    }

    pub(super) fn bytes(&self) -> Vec<u8> {
        let entries = self.entries.iter().flat_map(Entry::words);
        [FORMAT, self.reset, self.slice].into_iter().chain(entries).flat_map(u64::to_le_bytes).collect()
    }

    /// Returns what workers believe for a moment.
    pub(super) fn phases(&self) -> [Phase; VARIANTS] {
        let mut phases = [Phase::default(); VARIANTS];
        for (phase, entry) in phases.iter_mut().zip(self.entries.iter().take(self.known)) {
            *phase = entry.phase;
        }
        phases
    }

    /// Starts anew if the text of `reset` is another one; returns whether anything has changed.
    pub(super) fn reset(&mut self, guard: &Guard, news: &mut Vec<News>) -> bool {
        if self.reset == guard.reset {
            return false;
        }
        self.reset = guard.reset;
        self.forget();
        for (variant, entry) in self.entries.iter_mut().enumerate() {
            if entry.phase.state != State::Closed && variant < self.known {
                let numbers = Numbers::default();
                news.push(News { variant, to: State::Closed, cause: Some(Cause::Reset), numbers });
            }
            entry.phase = Phase::default();
        }
        true
    }

    /// Goes on to the slice of this instant.
    pub(super) fn roll(&mut self, guard: &Guard, now: Timestamp) {
        let number = now.nanos().checked_div(guard.slice).unwrap_or(0);
        // A worker that looked at the clock a moment earlier still counts into the slice that another began.
        if number == self.slice || number.saturating_add(1) == self.slice {
            return;
        }
        match number.checked_sub(self.slice).and_then(|steps| usize::try_from(steps).ok()) {
            Some(steps) if steps < LENGTH => {
                self.end_block(guard);
                self.entries.iter_mut().for_each(|entry| entry.roll(steps));
            }
            // A pause, or a clock that was turned back.
            Some(_) | None => self.forget(),
        }
        self.slice = number;
    }

    /// Does what is due by the time; returns whether anything has changed.
    pub(super) fn advance(&mut self, guard: &Guard, now: Timestamp, news: &mut Vec<News>) -> bool {
        let mut is_changed = false;
        for variant in 1..self.known {
            let Some(old) = self.entries.get(variant).map(|entry| entry.phase) else {
                break;
            };
            let phase = old.at(guard.recovery, now);
            if phase == old {
                continue;
            }
            is_changed = true;
            if phase.state == State::Recovering && old.state == State::Tripped {
                // Its requests are compared with those that the baseline has from now on.
                self.end_block(guard);
            }
            if let Some(entry) = self.entries.get_mut(variant) {
                entry.phase = phase;
            }
            if phase.state != old.state {
                news.push(News { variant, to: phase.state, cause: None, numbers: Numbers::default() });
            }
        }
        is_changed
    }

    /// Adds what a worker has counted.
    pub(super) fn add(&mut self, held: impl Iterator<Item = Seen>) {
        for (entry, seen) in self.entries.iter_mut().take(self.known).zip(held) {
            // Responses to requests from before it tripped.
            if entry.phase.state != State::Tripped {
                entry.add(seen);
            }
        }
    }

    /// Trips what has to trip.
    pub(super) fn judge(&mut self, guard: &Guard, now: Timestamp, news: &mut Vec<News>) {
        let counts = self.entries.iter().take(self.known).map(|entry| entry.block.news);
        let block = counts.fold(Count::default(), Count::plus);
        let least = u32::try_from(self.known).unwrap_or(u32::MAX).saturating_mul(BLOCK);
        let is_quiet = block.failures == 0 && block.requests < least.saturating_mul(QUIET);
        if least <= block.requests && !is_quiet {
            self.end_block(guard);
        }
        let Some((baseline, others)) = self.entries.split_first_mut() else {
            return;
        };
        for (variant, entry) in (1..self.known).zip(others) {
            let counts = Pair { baseline: total(&baseline.window), variant: total(&entry.window) };
            if entry.phase.state == State::Tripped || counts.variant.requests < guard.min_requests {
                continue;
            }
            let is_too_much = guard.max_error_rate.is_some_and(|rate| counts.variant.exceeds(rate));
            let (cause, counts) = match worse(&baseline.window, &entry.window, guard) {
                Some(counts) => (Cause::Worse, counts),
                None if is_too_much => (Cause::ErrorRate, counts),
                None => continue,
            };
            entry.phase = entry.phase.tripped(now);
            entry.forget();
            let numbers = Numbers {
                requests: counts.variant.requests,
                failures: counts.variant.failures,
                baseline_requests: counts.baseline.requests,
                baseline_failures: counts.baseline.failures,
                retry_in: entry.phase.cooldown(guard.recovery),
            };
            news.push(News { variant, to: State::Tripped, cause: Some(cause), numbers });
        }
    }

    /// Multiplies the evidence with the block's factor, and begins another block.
    fn end_block(&mut self, guard: &Guard) {
        let Some((baseline, others)) = self.entries.split_first_mut() else {
            return;
        };
        let before = total(&baseline.window).minus(baseline.block.all);
        for entry in others {
            let block = Pair { baseline: baseline.block.news, variant: entry.block.news };
            // The bet is made on what was seen before the block.
            let seen = Pair { baseline: before, variant: total(&entry.window).minus(entry.block.all) };
            entry.end_block(block, seen.odds_ratio(guard.worse_by));
        }
        baseline.block = Seen::default();
    }

    /// Returns the logarithm of the evidence against a variant in the whole window.
    #[cfg(test)]
    pub(super) fn evidence(&self, variant: usize) -> f64 {
        self.entries[variant].window.iter().map(|slice| slice.evidence).sum()
    }

    /// Forgets what was seen, and no state.
    fn forget(&mut self) {
        self.entries.iter_mut().for_each(Entry::forget);
    }
}

/// Reads the digest of the text of `reset`, the number of a slice, and the entries.
fn parse(bytes: &[u8]) -> Option<(u64, u64, Vec<Entry>)> {
    let (words, []) = bytes.as_chunks::<8>() else {
        return None;
    };
    let words: Vec<u64> = words.iter().map(|word| u64::from_le_bytes(*word)).collect();
    let [FORMAT, reset, slice, entries @ ..] = words.as_slice() else {
        return None;
    };
    let (entries, []) = entries.as_chunks::<WORDS>() else {
        return None;
    };
    if !(1..=VARIANTS).contains(&entries.len()) {
        return None;
    }
    let entries: Option<Vec<Entry>> = entries.iter().map(Entry::of).collect();
    Some((*reset, *slice, entries?))
}
