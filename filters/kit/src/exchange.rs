//! A stream as a filter sees it: lookups, the time, a draw, shared state, and the edits it asks for.

use std::rc::Rc;
use std::time::Duration;

pub(crate) use self::memory::{Memory, Shared};

use self::edits::{apply, as_the_host_says, changes_path, touches};
use crate::callout::{Callout, CalloutId};
use crate::chain::Chain;
use crate::header::{Field, HeaderMap, Lookup};
use crate::host::{Direction, Effect, Host, Level, Map, Signature};
use crate::reply;
use crate::setup::{Counter, Gauge, Histogram, Tag};
use crate::store::Store;
use crate::time::Timestamp;

mod edits;
mod lookup;
mod memory;

/// A stream in one callback of one filter.
pub struct Exchange<'a> {
    pub(crate) host: &'a dyn Host,
    pub(crate) memory: &'a mut Memory,
    pub(crate) chain: &'a Chain,
    pub(crate) effects: &'a mut Vec<Effect>,
    pub(crate) wake: &'a mut Option<Timestamp>,
    /// The place of the filter in the chain.
    pub(crate) link: usize,
    /// The message that this callback is about.
    pub(crate) direction: Direction,
    /// The message ends with its headers.
    pub(crate) headers_only: bool,
    /// The filter replaced something of a body.
    pub(crate) replaces: bool,
}

impl Exchange<'_> {
    /// Returns the time, the same for every filter in one callback.
    pub fn now(&self) -> Timestamp {
        self.memory.now.get().unwrap_or_else(|| {
            let now = self.host.now();
            self.memory.now.set(Some(now));
            now
        })
    }

    /// Draws a uniformly distributed number.
    pub fn draw(&self) -> u64 {
        self.host.draw()
    }

    /// Draws a number that nobody can guess, for keys.
    pub fn secret(&self) -> u64 {
        self.host.secret()
    }

    /// Returns the state that all workers of the process share.
    pub fn store(&self) -> &dyn Store {
        self.host.store()
    }

    /// Returns what tells the shared state of this filter from that of every other plugin in the process, and
    /// stays the same when the configuration changes.
    pub fn scope(&self) -> String {
        let plugin = self.chain.shared.scope.get_or_init(|| {
            // One Istio resource may serve both directions of a sidecar, under one name.
            let direction = self.host.property(&["xds", "listener_direction"]).unwrap_or_default();
            let direction = direction.first().copied().unwrap_or(0);
            crate::identity::digest(&[self.chain.identity.as_bytes(), &[direction]])
        });
        format!("{plugin}/{}", self.name())
    }

    /// Returns [`Root::scope`](crate::root::Root::scope): for state that streams share with the root of their filter.
    pub fn root_scope(&self) -> String {
        format!("{}/{}", self.chain.identity, self.name())
    }

    /// Has the host check a signature. None if it checks none, or can't say.
    pub fn verify_signature(&self, signature: &Signature<'_>) -> Option<bool> {
        self.host.verify_signature(signature)
    }

    /// Tells whether the message ends with its headers.
    pub fn headers_only(&self) -> bool {
        self.headers_only
    }

    /// Returns all headers of the request, for who is interested in several; as late as [`Lookup::header`] finds any.
    pub fn request_headers(&self) -> Option<&HeaderMap> {
        self.snapshot()
    }

    /// Returns a header of the response; in the response's callbacks only.
    pub fn response_header(&self, name: &str) -> Field {
        if self.effects.iter().any(|effect| touches(effect, Map::Response)) {
            let mut map = self.host.headers(Map::Response);
            for effect in self.effects.iter() {
                apply(&mut map, Map::Response, effect);
            }
            return map.field(name);
        }
        match self.host.first_header(Map::Response, name) {
            None => Field::Absent,
            Some(value) if name.starts_with(':') => Field::One(value),
            Some(_) => self.host.headers(Map::Response).field(name),
        }
    }

    /// Returns the status of the response.
    pub fn status(&self) -> Option<u16> {
        std::str::from_utf8(&self.response_header(":status").single()?).ok()?.parse().ok()
    }

    /// Tells whether this filter made the response itself.
    pub fn is_own_reply(&self) -> bool {
        self.memory.replied == Some(self.link)
    }

    /// Tells whether a filter of this chain made the response, be it this one.
    pub fn is_reply(&self) -> bool {
        self.memory.replied.is_some()
    }

    /// Tells whether the response is the upstream's, and not one that the proxy or a filter made.
    pub fn is_from_upstream(&self) -> bool {
        self.memory.replied.is_none()
            && self.host.property(&["response", "code_details"]).as_deref() == Some(b"via_upstream")
    }

    /// Replaces every header of a name by one.
    pub fn set_header(&mut self, map: Map, name: &str, value: &[u8]) {
        self.edit(Effect::SetHeader(map, as_the_host_says(map, name).to_owned(), value.to_vec()));
    }

    /// Adds a header after those of the same name.
    pub fn add_header(&mut self, map: Map, name: &str, value: &[u8]) {
        self.edit(Effect::AddHeader(map, as_the_host_says(map, name).to_owned(), value.to_vec()));
    }

    /// Removes every header of a name.
    pub fn remove_header(&mut self, map: Map, name: &str) {
        self.edit(Effect::RemoveHeader(map, as_the_host_says(map, name).to_owned()));
    }

    /// Returns the trailers of the response: in the callbacks that get them, or the end that came with them. Anywhere else
    /// there are none.
    pub fn response_trailers(&self) -> HeaderMap {
        self.host.headers(Map::ResponseTrailers)
    }

    /// Removes all trailers of the response, where there are some.
    pub fn remove_response_trailers(&mut self) {
        let mut names: Vec<String> = Vec::new();
        for (name, _) in self.response_trailers().iter() {
            let name = String::from_utf8_lossy(name).into_owned();
            if !names.contains(&name) {
                names.push(name);
            }
        }
        for name in names {
            self.effects.push(Effect::RemoveHeader(Map::ResponseTrailers, name));
        }
    }

    /// Replaces what this filter holds of the body; filters behind it see the new bytes only. Who changes the length
    /// removes `content-length` while the headers are held.
    ///
    /// There is nothing to replace before the first piece of the body, or in a message without one.
    pub fn replace_body(&mut self, bytes: Vec<u8>) {
        self.replaces = true;
        self.effects.push(Effect::ReplaceBody(self.direction, bytes));
    }

    /// Publishes a value for later filters, route matches and access logs. A value from the configuration is made
    /// once and shared.
    pub fn tag(&mut self, tag: &Tag, value: impl Into<Rc<[u8]>>) {
        let value = value.into();
        if self.chain.shared.hands_over {
            self.memory.tags.retain(|(old, _)| old != tag);
            self.memory.tags.push((tag.clone(), Rc::clone(&value)));
        }
        self.effects.push(Effect::Tag(Rc::clone(&tag.0), value));
    }

    /// Adds one to a counter. Whoever looks at metrics sees it within a tenth of a second.
    pub fn count(&mut self, counter: Counter) {
        self.count_by(counter, 1);
    }

    /// Adds to a counter.
    pub fn count_by(&mut self, counter: Counter, by: u64) {
        self.effects.push(Effect::Count(counter, by));
    }

    /// Adds to a gauge, or takes from it.
    pub fn add(&mut self, gauge: Gauge, by: i64) {
        self.effects.push(Effect::Add(gauge, by));
    }

    /// Sets a gauge, for a state that all workers share: each tells the whole of it.
    pub fn set(&mut self, gauge: Gauge, value: u64) {
        self.effects.push(Effect::Set(gauge, value));
    }

    /// Records a value in a histogram.
    pub fn record(&mut self, histogram: Histogram, value: u64) {
        self.effects.push(Effect::Record(histogram, value));
    }

    /// Lets the route be chosen again; a change of a request header does so by itself.
    pub fn clear_route(&mut self) {
        self.effects.push(Effect::ClearRoute);
    }

    /// Writes a line to the proxy's log; nothing above debug for a single request.
    pub fn log(&mut self, level: Level, line: impl Into<String>) {
        self.effects.push(Effect::Log(level, line.into()));
    }

    /// Asks for a call of `on_wake` at this instant or a few milliseconds later; a new instant replaces the old.
    pub fn wake_at(&mut self, at: Timestamp) {
        *self.wake = Some(at);
    }

    /// Asks for a call of `on_wake` after this time.
    pub fn wake_after(&mut self, wait: Duration) {
        self.wake_at(self.now().after(wait));
    }

    /// Takes back what was asked for with [`wake_at`](Self::wake_at).
    pub fn stop_waiting(&mut self) {
        *self.wake = None;
    }

    /// Asks for a call of [`Filter::on_wake`](crate::filter::Filter::on_wake) of this filter within a few
    /// milliseconds, on this worker. Many requests of it in one go are one call.
    pub fn wake_filter(&mut self) {
        self.effects.push(Effect::WakeFilter(self.link));
    }

    /// Sends a callout. None if it can't be sent (no such cluster, no endpoint): then no answer will come.
    pub fn call(&mut self, callout: &Callout) -> Option<CalloutId> {
        let id = self.host.call(callout)?;
        self.memory.callouts.push((id, self.link));
        Some(id)
    }

    /// Tells whether the client speaks gRPC: by its request, or by the response if the request can't be seen now.
    pub(crate) fn is_grpc(&self) -> bool {
        let content_type = match self.direction {
            Direction::Response if self.memory.request.get().is_none() => {
                self.response_header("content-type")
            }
            Direction::Request | Direction::Response => self.header("content-type"),
        };
        content_type.values().first().is_some_and(|value| reply::is_grpc(value))
    }

    /// Returns what the filter is called.
    fn name(&self) -> &str {
        self.chain.links.get(self.link).map_or("", |link| &link.name)
    }

    fn edit(&mut self, effect: Effect) {
        if let Some(snapshot) = self.memory.request.get_mut() {
            apply(snapshot, Map::Request, &effect);
        }
        if changes_path(&effect) {
            self.memory.path.take();
        }
        self.effects.push(effect);
    }

    /// Returns the request's headers, with the edits that the host doesn't know yet. None if it is too late to ask.
    fn snapshot(&self) -> Option<&HeaderMap> {
        if self.direction == Direction::Response {
            return self.memory.request.get();
        }
        Some(self.memory.request.get_or_init(|| {
            let mut map = self.host.headers(Map::Request);
            for effect in self.effects.iter() {
                apply(&mut map, Map::Request, effect);
            }
            map
        }))
    }
}
