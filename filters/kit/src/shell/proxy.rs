//! The proxy, as a core may look at it: lookups, time, draws, callouts and shared data.

use std::cell::RefCell;
use std::time::Duration;

use super::hostcalls::{self, Buffer};
use crate::callout::{Callout, CalloutId};
use crate::draw::Draws;
use crate::header::HeaderMap;
use crate::host::{Direction, Host, Map, Signature, verification};
use crate::store::{Store, Version, Versioned};
use crate::time::{Timestamp, Uptime};

/// The proxy, as a core may look at it.
pub(super) struct Proxy {
    draws: Draws,
    shared_data: SharedData,
    sent: RefCell<Vec<Sent>>,
    /// Room for the path of a property.
    path: RefCell<Vec<u8>>,
}

/// A callout that was sent.
pub(super) struct Sent {
    pub(super) id: CalloutId,
    /// How many bytes of the answer are of interest.
    pub(super) max_body: usize,
}

impl Default for Proxy {
    fn default() -> Self {
        Self {
            draws: Draws::new(hostcalls::random()),
            shared_data: SharedData,
            sent: RefCell::default(),
            path: RefCell::default(),
        }
    }
}

impl Proxy {
    /// Returns the time on a clock that is never turned back.
    pub(super) fn uptime(&self) -> Uptime {
        Uptime::from_nanos(hostcalls::uptime())
    }

    pub(super) fn take_sent(&self) -> Vec<Sent> {
        self.sent.try_borrow_mut().map(|mut sent| std::mem::take(&mut *sent)).unwrap_or_default()
    }
}

impl Host for Proxy {
    fn now(&self) -> Timestamp {
        Timestamp::from_nanos(hostcalls::now())
    }

    fn draw(&self) -> u64 {
        self.draws.next()
    }

    fn secret(&self) -> u64 {
        hostcalls::random()
    }

    fn headers(&self, map: Map) -> HeaderMap {
        hostcalls::headers(map)
    }

    fn first_header(&self, map: Map, name: &str) -> Option<Vec<u8>> {
        hostcalls::header(map, name)
    }

    fn property(&self, path: &[&str]) -> Option<Vec<u8>> {
        let Ok(mut joined) = self.path.try_borrow_mut() else {
            return hostcalls::property(path.join("\0").as_bytes());
        };
        joined.clear();
        for (index, segment) in path.iter().enumerate() {
            if index != 0 {
                joined.push(0);
            }
            joined.extend_from_slice(segment.as_bytes());
        }
        hostcalls::property(&joined)
    }

    fn body(&self, direction: Direction, start: usize, length: usize) -> Vec<u8> {
        let buffer = match direction {
            Direction::Request => Buffer::RequestBody,
            Direction::Response => Buffer::ResponseBody,
        };
        hostcalls::buffer(buffer, start, length).unwrap_or_default()
    }

    fn store(&self) -> &dyn Store {
        &self.shared_data
    }

    fn call(&self, callout: &Callout) -> Option<CalloutId> {
        let headers: Vec<(&[u8], &[u8])> =
            callout.headers.iter().map(|(name, value)| (name.as_bytes(), value.as_bytes())).collect();
        // A timeout of zero would be none at all.
        let timeout = callout.timeout.max(Duration::from_millis(1));
        let id = CalloutId(hostcalls::call(&callout.cluster, &headers, &callout.body, timeout)?);
        self.sent.try_borrow_mut().ok()?.push(Sent { id, max_body: callout.max_body });
        Some(id)
    }

    fn verify_signature(&self, signature: &Signature<'_>) -> Option<bool> {
        let answer = hostcalls::call_foreign("verify_signature", &verification::question(signature))?;
        verification::is_good(&answer)
    }
}

/// The proxy's shared data.
struct SharedData;

impl Store for SharedData {
    fn read(&self, key: &[u8]) -> Versioned {
        hostcalls::shared_data(key)
    }

    fn swap(&self, key: &[u8], value: &[u8], version: Version) -> bool {
        hostcalls::set_shared_data(key, value, version)
    }
}
