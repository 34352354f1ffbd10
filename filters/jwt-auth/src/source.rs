//! Where the keys of a provider with a `uri` come from: one fetch for the whole process, shared by its workers.
//!
//! 1. A set is fetched when there is none, when it isn't fresh any more, and when a token names a key that it doesn't
//!    have; the latter seldom, however many tokens do.
//! 2. Whoever takes the lease in the shared record fetches. The others look at the record every now and then until the
//!    lease is over, and a lease whose holder is gone ends by itself.
//! 3. A document that is accepted is shared, and its digest in the record is its generation: the same bytes are the
//!    same set, so what was verified with it stays verified.
//! 4. When fetching fails, the set that is there serves on for `stale_for`, and the waits get longer.
//! 5. Streams that wait are woken when that may change something for them: when there is a set that can be used.

use std::cell::{Cell, OnceCell};
use std::fmt;
use std::rc::Rc;

use kit::callout::{CalloutId, CalloutResponse};
use kit::exchange::Exchange;
use kit::root::Root;
use kit::setup::Setup;
use kit::time::Timestamp;

pub(crate) use self::fetch::Fetch;
use self::record::{Lease, SLACK};
use self::report::Report;
use self::shared::Shared;
use crate::jwk::KeySet;

mod answer;
mod attempt;
mod fetch;
mod freshness;
mod record;
mod report;
mod shared;

/// The keys of a provider, as a worker has them.
pub(crate) struct Source {
    fetch: Fetch,
    provider: String,
    report: Report,
    /// There from the start of the filter on.
    shared: OnceCell<Shared>,
    in_use: Cell<Option<InUse>>,
    /// Until when the set may be used, even if nobody can fetch another.
    usable_until: Cell<Timestamp>,
    /// The generation that was tried in vain on behalf of a stream, which isn't done twice.
    unusable: Cell<u64>,
    /// The last attempt to fetch failed, and there is none now.
    failing: Cell<bool>,
    /// Streams wait for keys.
    awaited: Cell<bool>,
    /// A stream asks for a look at the record.
    called: Cell<bool>,
    /// A stream asks for a fetch, because of a key that the set doesn't have.
    wanted: Cell<bool>,
    /// When the record was last looked at, and when it is to be looked at again.
    looked: Cell<Timestamp>,
    next: Cell<Timestamp>,
    pending: Cell<Option<Pending>>,
}

/// A set and the document that it is of.
#[derive(Clone)]
struct InUse {
    set: Rc<KeySet>,
    generation: u64,
}

/// A fetch of this worker.
#[derive(Clone, Copy)]
struct Pending {
    id: CalloutId,
    since: Timestamp,
    lease: Lease,
}

/// Why there are no keys.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum NotYet {
    /// They are being fetched: waiting streams are woken when they are there.
    Soon,
    /// They could not be fetched; that is tried again, and streams that wait nevertheless are woken when they are there.
    Failing,
}

/// What can be done about a key that the set doesn't have.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Unknown {
    /// There is a newer set now: look again.
    Adopted,
    /// A set is being fetched: waiting streams are woken when that is over.
    Wait,
    /// Nothing: the key doesn't exist.
    No,
}

impl Source {
    /// Prepares the source of a provider.
    pub(crate) fn new(fetch: Fetch, provider: &str, setup: &mut Setup<'_>) -> Self {
        Self {
            report: Report::new(provider, setup),
            fetch,
            provider: provider.to_owned(),
            shared: OnceCell::new(),
            in_use: Cell::default(),
            usable_until: Cell::default(),
            unusable: Cell::default(),
            failing: Cell::default(),
            awaited: Cell::default(),
            called: Cell::default(),
            wanted: Cell::default(),
            looked: Cell::default(),
            next: Cell::default(),
            pending: Cell::default(),
        }
    }

    /// Begins. A trial run, which ends before its first timer, fetches nothing.
    pub(crate) fn start(&self, root: &mut Root<'_>) {
        self.shared.get_or_init(|| Shared::new(&root.scope(), &self.provider, &self.fetch));
        self.next.set(root.now());
        root.wake_at(self.next.get());
    }

    /// Returns when to call [`Source::wake`]: after a start, a wake or an answer, the root asks for the earliest of
    /// all its sources.
    pub(crate) fn next_wake(&self) -> Timestamp {
        self.next.get()
    }

    /// Returns the keys and their generation. A stream that has to wait for them sets a deadline of its own.
    pub(crate) fn keys(&self, exchange: &mut Exchange<'_>) -> Result<(Rc<KeySet>, u64), NotYet> {
        let now = exchange.now();
        // A timer knows nothing of a clock that was set.
        if now.after(SLACK) < self.looked.get() || self.next.get().after(SLACK) < now {
            self.call(exchange);
        }
        match self.in_use() {
            Some(in_use) if now < self.usable_until.get() => Ok((in_use.set, in_use.generation)),
            Some(_) | None => {
                self.awaited.set(true);
                Err(if self.failing.get() { NotYet::Failing } else { NotYet::Soon })
            }
        }
    }

    /// Looks for a newer set, on behalf of a stream whose token names a key that this one doesn't have.
    pub(crate) fn unknown(&self, exchange: &mut Exchange<'_>) -> Unknown {
        let Some(shared) = self.shared.get() else {
            return Unknown::No;
        };
        let now = exchange.now();
        let (record, _) = shared.look(exchange.store(), now, &self.fetch);
        let news = record.generation != self.generation() && record.generation != self.unusable.get();
        if news && record.generation != 0 {
            if self.adopt(exchange.store(), shared, &record, now) {
                // Other streams may wait for it.
                self.call(exchange);
                return Unknown::Adopted;
            }
            self.unusable.set(record.generation);
        }
        let under_way = record.lease.is_held(now);
        if !under_way && !record.may_ask(now, self.fetch.unknown_kid_interval) {
            return Unknown::No;
        }
        self.wanted.set(!under_way);
        self.awaited.set(true);
        self.call(exchange);
        Unknown::Wait
    }

    /// Looks at the record if it is time, takes over what others fetched, and fetches if nobody else does.
    pub(crate) fn wake(&self, root: &mut Root<'_>) {
        let now = root.now();
        let called = self.called.take();
        let Some(shared) = self.shared.get() else {
            return;
        };
        if called || self.next.get() <= now || now < self.looked.get() {
            self.looked.set(now);
            self.look(root, shared, now);
        }
    }

    /// Takes the answer to a fetch. False if it is somebody else's.
    pub(crate) fn answered(&self, root: &mut Root<'_>, id: CalloutId, response: &CalloutResponse) -> bool {
        let (Some(shared), Some(pending)) = (self.shared.get(), self.pending.get()) else {
            return false;
        };
        if pending.id != id {
            return false;
        }
        self.pending.set(None);
        let now = root.now();
        self.report.took(root, now.since(pending.since));
        if let Err(problem) = self.accept(root, shared, pending.lease, response) {
            self.fail(root, shared, pending.lease, &problem);
        }
        self.wake_streams(root, now);
        true
    }

    fn in_use(&self) -> Option<InUse> {
        let in_use = self.in_use.take();
        self.in_use.set(in_use.clone());
        in_use
    }

    /// Returns the generation of the set, or zero if there is none.
    fn generation(&self) -> u64 {
        self.in_use().map_or(0, |in_use| in_use.generation)
    }

    /// Has the root look at the record, on behalf of a stream.
    fn call(&self, exchange: &mut Exchange<'_>) {
        self.called.set(true);
        exchange.wake_filter();
    }

    /// Wakes the streams that wait, if there is a set that can be used: a thousand of them that wait for the first one
    /// would each read their tokens again after every attempt, to learn that it failed.
    fn wake_streams(&self, root: &mut Root<'_>, now: Timestamp) {
        let is_usable = self.in_use().is_some() && now < self.usable_until.get();
        if is_usable && self.awaited.take() {
            root.wake_streams();
        }
    }
}

impl fmt::Debug for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Source")
            .field("provider", &self.provider)
            .field("fetch", &self.fetch)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
