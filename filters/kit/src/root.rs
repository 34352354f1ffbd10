//! The part of a filter that belongs to no stream: timers and callouts of a worker.

use crate::callout::{Callout, CalloutId};
use crate::host::{Effect, Host, Level, Signature};
use crate::setup::{Counter, Histogram};
use crate::store::Store;
use crate::time::Timestamp;

/// A worker as a filter sees it outside of streams.
pub struct Root<'a> {
    pub(crate) host: &'a dyn Host,
    /// The time: one instant for a whole callback.
    pub(crate) now: Timestamp,
    pub(crate) effects: &'a mut Vec<Effect>,
    pub(crate) wake: &'a mut Option<Timestamp>,
    pub(crate) wake_streams: &'a mut bool,
    pub(crate) sent: &'a mut Vec<CalloutId>,
    /// What the filter is called.
    pub(crate) name: &'a str,
    /// What tells this plugin from others: its name, root id and kind of module.
    pub(crate) identity: &'a str,
}

impl Root<'_> {
    /// Returns the time.
    pub fn now(&self) -> Timestamp {
        self.now
    }

    /// Draws a uniformly distributed number.
    pub fn draw(&self) -> u64 {
        self.host.draw()
    }

    /// Returns the state that all workers of the process share.
    pub fn store(&self) -> &dyn Store {
        self.host.store()
    }

    /// Returns what tells the state that the root shares from that of every other plugin in the process, and stays
    /// the same when the configuration changes.
    ///
    /// Unlike [`Exchange::scope`](crate::exchange::Exchange::scope) it is one for both directions of a listener,
    /// which only a stream knows. So it is for what doesn't depend on the direction, such as a public document, and
    /// what it is about (a digest of its address) belongs in the key.
    pub fn scope(&self) -> String {
        format!("{}/{}", self.identity, self.name)
    }

    /// Has the host check a signature. None if it checks none, or can't say.
    pub fn verify_signature(&self, signature: &Signature<'_>) -> Option<bool> {
        self.host.verify_signature(signature)
    }

    /// Asks for a call of `on_wake` at this instant or a few milliseconds later; a new instant replaces the old.
    pub fn wake_at(&mut self, at: Timestamp) {
        *self.wake = Some(at);
    }

    /// Wakes every stream of this worker that this filter holds.
    pub fn wake_streams(&mut self) {
        *self.wake_streams = true;
    }

    /// Sends a callout. None if it can't be sent (no such cluster, no endpoint): then no answer will come.
    pub fn call(&mut self, callout: &Callout) -> Option<CalloutId> {
        let id = self.host.call(callout)?;
        self.sent.push(id);
        Some(id)
    }

    /// Adds one to a counter.
    pub fn count(&mut self, counter: Counter) {
        self.effects.push(Effect::Count(counter, 1));
    }

    /// Records a value in a histogram.
    pub fn record(&mut self, histogram: Histogram, value: u64) {
        self.effects.push(Effect::Record(histogram, value));
    }

    /// Writes a line to the proxy's log.
    pub fn log(&mut self, level: Level, line: impl Into<String>) {
        self.effects.push(Effect::Log(level, line.into()));
    }
}
