//! An experiment that stops itself: when too many of its requests fail, for whatever reason.
//!
//! All workers count into one record of shared data: requests and errors of this window and the one before, of which
//! as much counts as a window that ends now still covers. The first to find the rate reached marks the record, and that
//! stays until the experiment is another one: the record's key has the digest of its configuration.
//!
//! An error is written at once. Requests that went well are written together, a batch or a moment at a time; so a worker
//! holds back a few of them, and the rate is never found too low by that.

use std::cell::Cell;
use std::time::Duration;

use kit::config::{Node, each, or};
use kit::reply::GrpcStatus;
use kit::status::Statuses;
use kit::store::{Change, Contended, Store};
use kit::time::{Timestamp, nanos};
use kit::units::Fraction;
use kit::value::Value;

use crate::status::{Said, http_of};

/// How often an update is tried before it counts as contended.
const TRIES: u32 = 64;

/// The format's version.
const FORMAT: u64 = 0x534c_5543_4657_0001;

/// How many requests are written together.
const BATCH: u64 = 32;

/// How long they may wait for it.
const MOMENT: Duration = Duration::from_millis(100);

/// When an experiment stops itself.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct StopWhen {
    /// The share of errors at which it stops.
    rate: Fraction,
    /// Over how long.
    window: Duration,
    /// How many requests there must be before any rate means something.
    min_requests: u64,
    errors: Vec<Errors>,
}

/// What counts as an error.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Errors {
    /// These statuses, and the calls of gRPC whose status goes with one of them.
    Statuses(Statuses),
    /// One status of gRPC.
    Call(GrpcStatus),
}

/// What a worker has counted and not yet written.
#[derive(Debug, Default)]
pub(crate) struct Counted {
    requests: Cell<u64>,
    /// Those of them that failed, if they could not be written at once.
    errors: Cell<u64>,
    since: Cell<Timestamp>,
    /// The experiment has stopped, as far as this worker knows: there is no way back.
    stopped: Cell<bool>,
}

/// What is found at the instant at which an experiment stops.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Stop {
    /// About how many requests there were in the window.
    pub(crate) requests: u64,
    /// How many of them failed.
    pub(crate) errors: u64,
}

impl StopWhen {
    /// Reads when to stop.
    pub(crate) fn parse(node: &Node<'_>) -> Option<Self> {
        let mut object = node.object()?;
        let rate = object.required("error_rate").and_then(|rate| rate.fraction());
        let window = or(object.optional("window"), Duration::from_secs(30), |window| {
            window.duration(Duration::from_secs(1)..=Duration::from_secs(3_600))
        });
        let min_requests = or(object.optional("min_requests"), 50, |min| min.integer(1..=1_000_000));
        let errors = or(object.optional("errors"), vec![Errors::SERVERS], |errors| {
            each(&errors.non_empty_list()?, Errors::parse)
        });
        object.finish();
        Some(Self { rate: rate?, window: window?, min_requests: min_requests?, errors: errors? })
    }

    /// Tells whether what was said is an error.
    pub(crate) fn is_error(&self, said: Said) -> bool {
        self.errors.iter().any(|errors| errors.has(said))
    }

    /// Counts an answered request. Some if the experiment stops by this.
    ///
    /// # Errors
    ///
    /// [`Contended`] when other workers were first every time: what was counted is written next time.
    pub(crate) fn count(
        &self,
        counted: &Counted,
        store: &dyn Store,
        key: &[u8],
        is_error: bool,
        now: Timestamp,
    ) -> Result<Option<Stop>, Contended> {
        let requests = counted.requests.get().saturating_add(1);
        counted.requests.set(requests);
        let errors = counted.errors.get().saturating_add(u64::from(is_error));
        counted.errors.set(errors);
        let is_late = MOMENT <= now.since(counted.since.get()) || now < counted.since.get();
        if counted.stopped.get() || !(0 < errors || is_late || BATCH <= requests) {
            return Ok(None);
        }
        let (is_stopped, stop) = store.update(key, TRIES, |old| {
            let mut record = Record::read(old);
            if record.stopped {
                return Change::Keep((true, None));
            }
            record.add(self.window, requests, errors, now);
            let stop = record.judge(self, now);
            record.stopped = stop.is_some();
            Change::Write(record.bytes(), (record.stopped, stop))
        })?;
        counted.requests.set(0);
        counted.errors.set(0);
        counted.since.set(now);
        counted.stopped.set(is_stopped);
        Ok(stop)
    }

    /// Tells whether the experiment has stopped itself, on any worker.
    pub(crate) fn has_stopped(counted: &Counted, store: &dyn Store, key: &[u8]) -> bool {
        if !counted.stopped.get() && Record::read(store.read(key).value.as_deref()).stopped {
            counted.stopped.set(true);
        }
        counted.stopped.get()
    }
}

impl Errors {
    /// What a server is at fault for.
    const SERVERS: Self = Self::Statuses(Statuses::SERVERS);

    /// Reads `5xx`, `503` or `UNAVAILABLE`.
    fn parse(node: &Node<'_>) -> Option<Self> {
        if let Value::Number(_) = node.value() {
            return Statuses::parse(node).map(Self::Statuses);
        }
        let classes = Statuses::CLASSES.map(|(word, statuses)| (word, Self::Statuses(statuses)));
        let calls = GrpcStatus::ALL.iter().map(|(word, status)| (*word, Self::Call(*status)));
        node.choice(&classes.into_iter().chain(calls).collect::<Vec<_>>())
    }

    fn has(self, said: Said) -> bool {
        match (self, said) {
            (Self::Statuses(statuses), Said::Status(status)) => statuses.contains(status),
            (Self::Statuses(statuses), Said::Call(Some(status))) => statuses.contains(http_of(status)),
            (Self::Call(error), Said::Call(Some(status))) => error == status,
            (_, Said::Call(None)) | (Self::Call(_), Said::Status(_)) => false,
        }
    }
}

/// The record of an experiment.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
struct Record {
    stopped: bool,
    /// The number of this window since 1970.
    window: u64,
    /// Requests and errors of it.
    here: (u64, u64),
    /// The same of the window before.
    before: (u64, u64),
}

impl Record {
    /// Reads a record; what has another shape counts as none.
    fn read(bytes: Option<&[u8]>) -> Self {
        let Some((words, [])) = bytes.map(<[u8]>::as_chunks::<8>) else {
            return Self::default();
        };
        let [format, stopped, window, requests, errors, requests_before, errors_before] = words else {
            return Self::default();
        };
        let number = |word: &[u8; 8]| u64::from_le_bytes(*word);
        if number(format) != FORMAT {
            return Self::default();
        }
        Self {
            stopped: number(stopped) != 0,
            window: number(window),
            here: (number(requests), number(errors)),
            before: (number(requests_before), number(errors_before)),
        }
    }

    fn bytes(&self) -> Vec<u8> {
        let (here, before) = (self.here, self.before);
        [FORMAT, u64::from(self.stopped), self.window, here.0, here.1, before.0, before.1]
            .into_iter()
            .flat_map(u64::to_le_bytes)
            .collect()
    }

    fn add(&mut self, window: Duration, requests: u64, errors: u64, now: Timestamp) {
        let number = now.nanos().checked_div(nanos(window)).unwrap_or(0);
        if number == self.window.saturating_add(1) {
            self.before = std::mem::take(&mut self.here);
        } else if number != self.window {
            // A pause, or a clock that was turned back.
            (self.here, self.before) = ((0, 0), (0, 0));
        }
        self.window = number;
        self.here.0 = self.here.0.saturating_add(requests);
        self.here.1 = self.here.1.saturating_add(errors);
    }

    /// Says whether the rate is reached.
    fn judge(&self, when: &StopWhen, now: Timestamp) -> Option<Stop> {
        let window = nanos(when.window);
        let covered = u128::from(window.saturating_sub(now.nanos().checked_rem(window).unwrap_or(0)));
        let weigh = |here: u64, before: u64| {
            let here = u128::from(here).saturating_mul(window.into());
            here.saturating_add(u128::from(before).saturating_mul(covered))
        };
        let (requests, errors) = (weigh(self.here.0, self.before.0), weigh(self.here.1, self.before.1));
        let count = |weighed: u128| {
            u64::try_from(weighed.checked_div(window.into()).unwrap_or(0)).unwrap_or(u64::MAX)
        };
        let is_enough = u128::from(when.min_requests).saturating_mul(window.into()) <= requests;
        let share = u128::from(when.rate.parts_per_billion()).saturating_mul(requests / 1_000);
        let is_reached = 0 < errors && share <= (errors / 1_000).saturating_mul(1_000_000_000);
        (is_enough && is_reached).then(|| Stop { requests: count(requests), errors: count(errors) })
    }
}

#[cfg(test)]
#[expect(clippy::arithmetic_side_effects, reason = "a test may overflow: it would fail")]
mod tests;
