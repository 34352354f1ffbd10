//! What callbacks asked for, done on the host.

use super::hostcalls::{self, Buffer, Metric};
use super::worker::Worker;
use crate::host::{Direction, Effect};
use crate::reply::Reply;
use crate::setup::MetricKind;

impl Worker {
    /// Does on the host what a callback asked for, which may be nothing. What the host refuses in this phase is not worth a
    /// trap.
    pub(super) fn apply(&self, mut effects: Vec<Effect>) {
        for effect in &effects {
            // The one that almost every request has.
            if let Effect::Count(counter, by) = effect {
                self.count(counter.0, *by);
            } else {
                self.carry_out(effect);
            }
        }
        effects.clear();
        self.room.set(effects);
    }

    #[inline(never)]
    fn carry_out(&self, effect: &Effect) {
        match effect {
            Effect::SetHeader(map, name, value) => {
                hostcalls::set_header(*map, name, value);
            }
            Effect::AddHeader(map, name, value) => {
                hostcalls::add_header(*map, name, value);
            }
            Effect::RemoveHeader(map, name) => {
                hostcalls::remove_header(*map, name);
            }
            Effect::ReplaceBody(Direction::Request, bytes) => {
                hostcalls::replace_buffer(Buffer::RequestBody, bytes);
            }
            Effect::ReplaceBody(Direction::Response, bytes) => {
                hostcalls::replace_buffer(Buffer::ResponseBody, bytes);
            }
            Effect::Tag(name, value) => {
                hostcalls::set_property(name, value);
            }
            Effect::Count(counter, by) => self.count(counter.0, *by),
            Effect::Add(gauge, by) => {
                if let Some(id) = self.metric_of(gauge.0) {
                    hostcalls::increment_metric(id, *by);
                }
            }
            Effect::Set(gauge, value) => {
                if let Some(id) = self.metric_of(gauge.0) {
                    hostcalls::record_metric(id, *value);
                }
            }
            Effect::Record(histogram, value) => {
                if let Some(id) = self.metric_of(histogram.0) {
                    hostcalls::record_metric(id, *value);
                }
            }
            Effect::ClearRoute => {
                hostcalls::clear_route_cache();
            }
            Effect::WakeFilter(link) => self.wake_filter(*link),
            Effect::Log(level, line) => hostcalls::log(*level, line),
        }
    }

    /// Tells the host what was counted.
    pub(super) fn tell_counts(&self) {
        self.tell_at.set(None);
        self.tally.tell(|index, by| {
            if let Some(id) = self.metric(index) {
                hostcalls::increment_metric(id, i64::try_from(by).unwrap_or(i64::MAX));
            }
        });
    }

    /// Takes the room for the effects of a callback; `apply` gives it back.
    pub(super) fn room(&self) -> Vec<Effect> {
        self.room.take()
    }

    /// Returns the host's number of the metric that filters know by this one.
    fn metric_of(&self, number: u32) -> Option<u32> {
        self.metric(usize::try_from(number).ok()?)
    }

    /// Returns the host's number of a metric, which is this VM's own.
    pub(super) fn metric(&self, index: usize) -> Option<u32> {
        let (kind, name, id) = self.metrics.get(index)?;
        if id.get().is_none() {
            let kind = match kind {
                MetricKind::Counter => Metric::Counter,
                MetricKind::Gauge => Metric::Gauge,
                MetricKind::Histogram => Metric::Histogram,
            };
            id.set(hostcalls::define_metric(kind, name));
        }
        id.get()
    }
}

/// Answers in place of the upstream, in the client's own protocol.
#[cold]
#[inline(never)]
pub(super) fn send(reply: &Reply, grpc: bool) {
    let headers: Vec<(&[u8], &[u8])> =
        reply.headers.iter().map(|(name, value)| (name.as_bytes(), value.as_slice())).collect();
    if grpc {
        let message = reply.grpc.message.as_bytes();
        hostcalls::reply(200, reply.details, &headers, message, Some(reply.grpc.status.code()));
    } else {
        hostcalls::reply(reply.status, reply.details, &headers, &reply.body, None);
    }
}
