//! Streams that want to be woken, the earliest first.

use std::collections::BTreeMap;

use super::worker::SharedStream;
use crate::time::Uptime;

/// When a stream is due, and its number, which tells those apart that are due at one instant.
type Due = (Uptime, u32);

/// Streams that want to be woken.
///
/// The one that asked last stands by itself until another one asks: most deadlines are kept before that, such as that of
/// a body which is already there, and those never cost a place in the order.
#[derive(Default)]
pub(super) struct Waiting {
    latest: Option<(Due, SharedStream)>,
    others: BTreeMap<Due, SharedStream>,
}

impl Waiting {
    /// Adds a stream.
    pub(super) fn insert(&mut self, due: Due, stream: SharedStream) {
        if let Some((due, stream)) = self.latest.replace((due, stream)) {
            self.others.insert(due, stream);
        }
    }

    /// Takes a stream out, if it is there.
    pub(super) fn remove(&mut self, due: Due) {
        match &self.latest {
            Some((latest, _)) if *latest == due => self.latest = None,
            Some(_) | None => self.forget(due),
        }
    }

    #[inline(never)]
    fn forget(&mut self, due: Due) {
        self.others.remove(&due);
    }

    /// Returns when the first one is due.
    pub(super) fn first(&self) -> Option<Uptime> {
        let latest = self.latest.as_ref().map(|(due, _)| *due);
        let first = self.others.keys().next().copied();
        latest.into_iter().chain(first).min().map(|(at, _)| at)
    }

    /// Takes the first one that is due by now.
    pub(super) fn take_due(&mut self, now: Uptime) -> Option<(u32, SharedStream)> {
        self.settle();
        let entry = self.others.first_entry()?;
        let (at, id) = *entry.key();
        (at <= now).then(|| (id, entry.remove()))
    }

    /// Takes all of them.
    pub(super) fn take_all(&mut self) -> BTreeMap<Due, SharedStream> {
        self.settle();
        std::mem::take(&mut self.others)
    }

    /// Puts the one that stands by itself among the others.
    fn settle(&mut self) {
        if let Some((due, stream)) = self.latest.take() {
            self.others.insert(due, stream);
        }
    }
}
