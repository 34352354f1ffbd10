//! What operators see of fetches: counters, how long they take, and a line in the log when something changes.

use std::cell::Cell;
use std::time::Duration;

use kit::host::Level;
use kit::root::Root;
use kit::setup::{Counter, Histogram, Setup};
use kit::units::spell_duration;

use super::fetch::Fetch;
use crate::jwk::KeySet;

/// The metrics of a source, and the beginning of its lines in the log.
#[derive(Debug)]
pub(super) struct Report {
    provider: String,
    succeeded: Counter,
    unchanged: Counter,
    failed: Counter,
    milliseconds: Histogram,
    /// How many attempts in a row could not even be sent.
    unsent: Cell<u32>,
}

/// How many keys that are of no use a line tells about.
const SKIPPED: usize = 3;

impl Report {
    pub(super) fn new(provider: &str, setup: &mut Setup<'_>) -> Self {
        let mut fetches = |outcome| setup.counter("jwks_fetches", &[provider, outcome]);
        Self {
            succeeded: fetches("succeeded"),
            unchanged: fetches("unchanged"),
            failed: fetches("failed"),
            milliseconds: setup.histogram("jwks_fetch_ms", &[provider]),
            provider: provider.to_owned(),
            unsent: Cell::new(0),
        }
    }

    /// An answer came, after this time.
    pub(super) fn took(&self, root: &mut Root<'_>, time: Duration) {
        self.unsent.set(0);
        root.record(self.milliseconds, u64::try_from(time.as_millis()).unwrap_or(u64::MAX));
    }

    /// The set is the one that is in use.
    pub(super) fn unchanged(&self, root: &mut Root<'_>) {
        root.count(self.unchanged);
    }

    /// There is another set.
    pub(super) fn succeeded(&self, root: &mut Root<'_>, fetch: &Fetch, set: &KeySet, skipped: &[String]) {
        root.count(self.succeeded);
        let (provider, uri) = (&self.provider, fetch.uri.text());
        let count = set.len();
        let plural = if count == 1 { "" } else { "s" };
        root.log(Level::Info, format!("provider {provider}: {count} key{plural} from {uri}"));
        if !skipped.is_empty() {
            let mut line = format!("provider {provider}: keys of {uri} that are of no use: ");
            line.push_str(&skipped.iter().take(SKIPPED).map(String::as_str).collect::<Vec<_>>().join("; "));
            if let Some(more @ 1..) = skipped.len().checked_sub(SKIPPED) {
                line.push_str(&format!("; and {more} more"));
            }
            root.log(Level::Warn, line);
        }
    }

    /// An attempt brought nothing.
    pub(super) fn failed(&self, root: &mut Root<'_>, fetch: &Fetch, problem: &str, wait: Duration) {
        root.count(self.failed);
        // To the millisecond: the rest was drawn.
        let wait = Duration::from_millis(u64::try_from(wait.as_millis()).unwrap_or(u64::MAX));
        let wait = spell_duration(wait);
        root.log(Level::Warn, self.line(fetch, &format!("{problem} (next attempt in {wait})")));
    }

    /// The proxy doesn't know the cluster, or the cluster has no endpoint: told less and less often.
    pub(super) fn unsent(&self, root: &mut Root<'_>, fetch: &Fetch) {
        root.count(self.failed);
        self.unsent.set(self.unsent.get().saturating_add(1));
        if self.unsent.get().is_power_of_two() {
            root.log(Level::Warn, self.line(fetch, "there is no such cluster, or it has no endpoint"));
        }
    }

    fn line(&self, fetch: &Fetch, problem: &str) -> String {
        let (provider, uri, cluster) = (&self.provider, fetch.uri.text(), &fetch.cluster);
        format!("provider {provider}: no keys from {uri} through the cluster {cluster}: {problem}")
    }
}
