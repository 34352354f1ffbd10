//! A guard takes traffic off a variant that fails more than the baseline does.
//!
//! All workers count into one record of shared data (`record`): a failure is written at once, responses that went well a
//! batch or a moment at a time. What they believe of it is at most a moment old. What is counted is put together to
//! blocks, each of which is worth a factor of evidence (`block`); the window is six slices, and evidence begins anew with
//! each of them, so none is older than the window (`window`). A variant that trips is tried again later (`state`).
//!
//! Why a variant that is no worse is safe:
//!
//! - A hash of the user says which variant a request goes to, whatever the request then meets. So if the variant is like
//!   the baseline, its failures are a draw from the failures and successes of a block: how many of them are its own is a
//!   hypergeometric number. That holds whatever the share of failures is, however it changes, and if they come in bursts.
//! - A factor is how likely the number is for a worse variant, by how likely it is for an equal one. Its expectation is
//!   one. How much worse is guessed from what was counted before the block, so the expectation of the product of all
//!   factors is one too, and the probability that it ever comes to T, whenever one looks, is at most 1/T (Ville's
//!   inequality).
//! - Blocks may end because of what is in them, as long as it doesn't matter whose it is. They end by the number of all
//!   requests, by whether any of them failed, and by the time; and so do the batches of workers.
//!   Factors from the likelihoods of two rates would not do: with those the composition of a block must be fixed before
//!   it begins. If baseline and variant take turns, a block ends with its second request or a failure, and 10 % and 50 %
//!   are compared with 30 %, then the expectation is 1.2 if both fail in 30 % of all cases.
//! - If the variant fails less, fewer of the failures are its own and more of the successes. A factor grows with the
//!   former and shrinks with the latter, so its expectation is less than one.
//! - Evidence begins once in a slice, and T is the number of slices of a day (and of a window more) by `false_alarms`. So
//!   on at most this share of days a variant that is no worse trips for being worse, each of several for itself. That the
//!   counts must differ by `worse_by`, and that there must be `min_requests`, makes it only rarer.
//! - A client that repeats what fails would make many failures of one, all on the same side. So of each user only what
//!   happens until the first failure is evidence, in a window (`users`). The other counts are those of all responses.
//!
//! What it takes for granted: that only requests are counted whose variant a hash or a draw has decided, on both sides.
//! Those without a key, those of people on a list and those of testers fail for reasons of their own. And that a request
//! fails independently of which variant the others went to. If one variant takes longer to answer, what it says of an
//! outage comes later; a weight that jumps may mislead one block; and somebody with many users can do so on purpose.

use std::cell::Cell;
use std::time::Duration;

use kit::rule::Mode;
use kit::store::{Change, Contended, Store};
use kit::time::Timestamp;
use kit::units::Fraction;

use self::record::Record;
use self::state::Phase;
use self::users::Users;
use self::window::{Count, Seen};

mod block;
mod config;
mod entry;
mod news;
mod record;
mod state;
mod users;
mod window;

pub(crate) use self::news::{Cause, News, Numbers};
pub(crate) use self::state::State;

/// How many variants a split may have.
pub(crate) const VARIANTS: usize = 16;

/// How often an update is tried before it counts as contended.
const TRIES: u32 = 64;

/// How many outcomes are written together.
const BATCH: u32 = 32;

/// How long they may wait for it, and how long a worker believes what it has read.
const MOMENT: Duration = Duration::from_millis(100);

/// A day, which is what a rate of false alarms is about.
const DAY: Duration = Duration::from_secs(86_400);

/// When traffic is taken off a variant, and how it comes back.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Guard {
    /// Whether it only says what it would do; none if the split's own mode holds.
    pub(crate) mode: Option<Mode>,
    /// How long the window is, in nanoseconds.
    window: u64,
    /// How long each of its slices is.
    slice: u64,
    /// How many requests a variant must have had in the window.
    min_requests: u32,
    /// How much larger than the baseline's its share of failures must be.
    worse_by: Fraction,
    /// The logarithm of the evidence at which it trips.
    threshold: f64,
    /// The share of failures that is too much, whatever the baseline does.
    max_error_rate: Option<Fraction>,
    recovery: Recovery,
    /// The digest of a text: another one lets everything start anew.
    reset: u64,
}

/// How traffic comes back.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Recovery {
    /// By another `reset` only.
    Manual,
    /// By itself.
    Automatic {
        /// How long after it tripped.
        cooldown: Duration,
        /// With how many parts of 10,000 of its range.
        probe: u32,
        /// Until it has all of it.
        recover_over: Duration,
    },
}

/// The variants of a split, by digests of their names: the first is the baseline.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Variants(Vec<u64>);

/// Where the record of a split is, and whom it is about.
#[derive(Clone, Copy)]
pub(crate) struct Shared<'a> {
    pub(crate) store: &'a dyn Store,
    pub(crate) key: &'a [u8],
    pub(crate) variants: &'a Variants,
}

/// What a worker holds for a split: what it has counted and not yet written, and what it believes.
///
/// It belongs to one configuration: its first look at the record is when another `reset` has its effect.
#[derive(Debug, Default)]
pub(crate) struct Evidence {
    held: [Cell<Seen>; VARIANTS],
    /// All responses of that.
    sum: Cell<Count>,
    users: Users,
    /// When it wrote last.
    written: Cell<Timestamp>,
    phases: [Cell<Phase>; VARIANTS],
    /// When it read last.
    read: Cell<Option<Timestamp>>,
    /// Whether the text of `reset` has been compared.
    is_reset: Cell<bool>,
}

/// How much of a variant's range is open.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Open {
    /// All of it.
    Whole,
    /// Nothing: the baseline takes its place.
    Closed,
    /// So many parts of 10,000 from its beginning.
    First(u32),
}

impl Variants {
    /// Takes the names of the variants, the baseline first.
    pub(crate) fn new<'a>(names: impl IntoIterator<Item = &'a str>) -> Self {
        Self(names.into_iter().take(VARIANTS).map(digest).collect())
    }
}

/// Returns a number that stands for a text.
fn digest(text: &str) -> u64 {
    u64::from_str_radix(&kit::identity::digest(&[text.as_bytes()]), 16).unwrap_or(0)
}

impl Evidence {
    /// Counts a response of a variant, and says what follows from it.
    ///
    /// The request must be one that could as well have gone to the other variant, if its key had been another one. The
    /// bucket is that of the key; none if it was drawn for this request.
    ///
    /// # Errors
    ///
    /// [`Contended`] when other workers were first every time: what was counted is written next time.
    pub(crate) fn outcome(
        &self,
        guard: &Guard,
        shared: Shared<'_>,
        variant: usize,
        bucket: Option<u16>,
        failed: bool,
        now: Timestamp,
    ) -> Result<Vec<News>, Contended> {
        let one = Count { requests: 1, failures: u32::from(failed) };
        let is_news = self.users.are_news(bucket, failed, guard.window, now);
        let seen = Seen { all: one, news: if is_news { one } else { Count::default() } };
        if let Some(held) = self.held.get(variant) {
            held.set(held.get().plus(seen));
        }
        let held = self.sum.get().plus(one);
        self.sum.set(held);
        let is_late = MOMENT <= now.since(self.written.get()) || now < self.written.get();
        if held.failures == 0 && held.requests < BATCH && !is_late {
            return Ok(Vec::new());
        }
        let news = shared.store.update(shared.key, TRIES, |old| {
            let mut record = Record::read(old, shared.variants);
            let mut news = self.advance(guard, &mut record, now).0;
            record.add(self.held.iter().map(Cell::get));
            record.judge(guard, now, &mut news);
            Change::Write(record.bytes(), (news, record.phases()))
        });
        let (news, phases) = news?;
        self.sum.set(Count::default());
        self.held.iter().for_each(|held| held.set(Seen::default()));
        self.written.set(now);
        self.believe(&phases, now);
        Ok(news)
    }

    /// Tells how much of a variant's range is open, and what has changed by the time.
    pub(crate) fn open(
        &self,
        guard: &Guard,
        shared: Shared<'_>,
        variant: usize,
        now: Timestamp,
    ) -> (Open, Vec<News>) {
        let is_fresh = |read: Timestamp| read <= now && now.since(read) < MOMENT;
        let mut news = Vec::new();
        if !self.read.get().is_some_and(is_fresh) {
            let found = shared.store.update(shared.key, TRIES, |old| {
                let mut record = Record::read(old, shared.variants);
                match self.advance(guard, &mut record, now) {
                    (news, true) => Change::Write(record.bytes(), (news, record.phases())),
                    (news, false) => Change::Keep((news, record.phases())),
                }
            });
            // Whoever was first every time has written what was due; it is read a moment later.
            if let Ok((found, phases)) = found {
                news = found;
                self.believe(&phases, now);
            }
        }
        let phase = self.phases.get(variant).map(Cell::get).unwrap_or_default();
        (phase.open(guard.recovery, now), news)
    }

    /// Does what is due, and returns whether that must be written.
    fn advance(&self, guard: &Guard, record: &mut Record, now: Timestamp) -> (Vec<News>, bool) {
        let mut news = Vec::new();
        let is_reset = !self.is_reset.get() && record.reset(guard, &mut news);
        record.roll(guard, now);
        let is_due = record.advance(guard, now, &mut news);
        (news, is_reset || is_due)
    }

    fn believe(&self, phases: &[Phase; VARIANTS], now: Timestamp) {
        self.is_reset.set(true);
        self.read.set(Some(now));
        for (cell, phase) in self.phases.iter().zip(phases) {
            cell.set(*phase);
        }
    }
}

#[cfg(test)]
#[expect(clippy::arithmetic_side_effects, reason = "a test may overflow: it would fail")]
mod tests;
