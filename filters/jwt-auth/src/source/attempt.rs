//! One look at the record, and what follows from it: to take over a set, to fetch one, to wait for who does, or to sleep.

use std::rc::Rc;
use std::time::Duration;

use kit::callout::CalloutResponse;
use kit::draw;
use kit::root::Root;
use kit::store::{Store, Version};
use kit::time::{Timestamp, nanos};

use super::record::{Lease, Record};
use super::shared::{Shared, generation_of};
use super::{InUse, Pending, Source, answer, freshness};

/// What is to be done next.
enum Plan {
    Fetch,
    /// Somebody else fetches.
    Poll,
    /// Nothing before this instant, and not all workers at once.
    Sleep(Timestamp, Duration),
}

/// How long to wait at least before the next look at the record, while somebody else fetches.
const POLL: Duration = Duration::from_millis(20);

/// Within how much time more workers look whether there was an answer, or whether they may try again.
const SPREAD_OF_POLLS: Duration = Duration::from_millis(30);

/// Within how much time workers look whether a set is still fresh: most find that the first of them has fetched it.
const SPREAD_OF_REFRESHES: Duration = Duration::from_secs(1);

impl Source {
    /// Looks at the record, and does what is to be done.
    pub(super) fn look(&self, root: &mut Root<'_>, shared: &Shared, now: Timestamp) {
        if let Some(pending) = self.pending.get() {
            if pending.lease.is_held(now) {
                return self.next.set(pending.lease.until);
            }
            self.pending.set(None);
            self.fail(root, shared, pending.lease, "there was no answer in time");
        }
        let known = self.generation();
        let (record, version) = shared.look(root.store(), now, &self.fetch);
        self.adopt(root.store(), shared, &record, now);
        let wanted = self.wanted.take() && record.may_ask(now, self.fetch.unknown_kid_interval);
        let is_over = match self.plan(&record, now, wanted) {
            Plan::Fetch => !self.begin(root, shared, (record, version), now, wanted),
            Plan::Poll => {
                self.sleep(root, now.after(POLL), SPREAD_OF_POLLS);
                false
            }
            Plan::Sleep(until, spread) => {
                self.sleep(root, until, spread);
                true
            }
        };
        if is_over || known != self.generation() {
            self.wake_streams(root, now);
        }
    }

    /// Takes over what the record says, and the set that it speaks of. False if that can't be had.
    pub(super) fn adopt(&self, store: &dyn Store, shared: &Shared, record: &Record, now: Timestamp) -> bool {
        self.failing.set(record.failures != 0 || now < record.retry_at);
        if record.generation == 0 {
            return false;
        }
        if record.generation != self.generation() {
            let document = shared.document(store, record.generation, &self.fetch);
            let Some(Ok((set, _))) = document.map(|document| answer::document(&document, &self.fetch)) else {
                return false;
            };
            self.in_use.set(Some(InUse { set: Rc::new(set), generation: record.generation }));
        }
        self.usable_until.set(record.due.after(self.fetch.stale_for));
        true
    }

    /// Takes over what an answer brought, for all workers; or says why it can't be.
    pub(super) fn accept(
        &self,
        root: &mut Root<'_>,
        shared: &Shared,
        lease: Lease,
        response: &CalloutResponse,
    ) -> Result<(), String> {
        let now = root.now();
        let (set, skipped) = answer::keys(response, &self.fetch)?;
        let (record, _) = shared.look(root.store(), now, &self.fetch);
        if record.lease != lease || !lease.is_held(now) || !shared.put(root.store(), &response.body) {
            return Err("it took so long that another worker fetches now".to_owned());
        }
        let generation = generation_of(&response.body);
        let lifetime = freshness::lifetime(&response.headers, &self.fetch);
        let record = shared.end(root.store(), lease, now, &self.fetch, |record| {
            record.generation = generation;
            record.fetched = now;
            record.due = now.after(lifetime);
            record.retry_at = Timestamp::EPOCH;
            record.failures = 0;
        });
        let record = record.ok_or("other workers changed the shared state meanwhile")?;
        if generation == self.generation() {
            self.report.unchanged(root);
        } else {
            self.report.succeeded(root, &self.fetch, &set, &skipped);
            self.in_use.set(Some(InUse { set: Rc::new(set), generation }));
        }
        self.adopt(root.store(), shared, &record, now);
        self.sleep(root, record.due, SPREAD_OF_REFRESHES);
        Ok(())
    }

    /// Ends an attempt that brought nothing: the next one comes later each time.
    pub(super) fn fail(&self, root: &mut Root<'_>, shared: &Shared, lease: Lease, problem: &str) {
        let (now, draw) = (root.now(), root.draw());
        let record = shared.end(root.store(), lease, now, &self.fetch, |record| {
            record.failures = record.failures.saturating_add(1);
            record.retry_at = now.after(self.fetch.back_off(record.failures, draw));
        });
        // Who lost the lease sees at the next look what became of it.
        let retry_at = record.map_or(now.after(POLL), |record| record.retry_at);
        self.failing.set(record.is_some());
        self.report.failed(root, &self.fetch, problem, retry_at.since(now));
        self.sleep(root, retry_at, SPREAD_OF_POLLS);
    }

    fn plan(&self, record: &Record, now: Timestamp, wanted: bool) -> Plan {
        let is_fresh = record.generation != 0 && record.generation == self.generation() && now < record.due;
        if record.lease.is_held(now) {
            Plan::Poll
        } else if is_fresh && !wanted {
            Plan::Sleep(record.due, SPREAD_OF_REFRESHES)
        } else if now < record.retry_at {
            Plan::Sleep(record.retry_at, SPREAD_OF_POLLS)
        } else {
            Plan::Fetch
        }
    }

    /// Takes the lease and fetches. False if that can't be done now.
    fn begin(
        &self,
        root: &mut Root<'_>,
        shared: &Shared,
        (mut record, version): (Record, Version),
        now: Timestamp,
        wanted: bool,
    ) -> bool {
        let lease = Lease::new(root.draw(), now, self.fetch.timeout);
        record.lease = lease;
        if wanted {
            record.asked = now;
        }
        if !shared.swap(root.store(), &record, version) {
            // Somebody else was first.
            self.sleep(root, now.after(POLL), SPREAD_OF_POLLS);
            return true;
        }
        if let Some(id) = root.call(&self.fetch.callout()) {
            self.pending.set(Some(Pending { id, since: now, lease }));
            self.next.set(lease.until);
            return true;
        }
        // It may come any moment, as clusters do that are not in the file.
        let retry_at = now.after(self.fetch.retry);
        shared.end(root.store(), lease, now, &self.fetch, |record| record.retry_at = retry_at);
        self.failing.set(true);
        self.report.unsent(root, &self.fetch);
        self.sleep(root, retry_at, SPREAD_OF_POLLS);
        false
    }

    /// Sets when to look again: at an instant, or up to this much later.
    fn sleep(&self, root: &Root<'_>, until: Timestamp, spread: Duration) {
        let spread = Duration::from_nanos(draw::below(root.draw(), nanos(spread)));
        self.next.set(until.after(spread));
    }
}
