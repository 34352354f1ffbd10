//! Calls of the proxy-wasm ABI 0.2.1: bytes in, bytes out, and a status that is a number, never a panic.
//!
//! The SDK's own calls trap the VM on a status they don't expect and on a header that isn't UTF-8; these don't.

#![expect(
    unsafe_code,
    reason = "the ABI is raw pointers; each call here owns what it hands over or receives"
)]

use std::ptr::null_mut;
use std::time::Duration;

use self::headers::serialize_pairs;
use crate::host::{Direction, Level};
use crate::store::{Version, Versioned};

pub(super) use self::headers::{add_header, callout_headers, header, headers, remove_header, set_header};

mod headers;
mod raw;

/// The version that a swap names to create an entry: the host refuses it when there is one, unless its counter of
/// all writes stands at exactly this number.
const CREATE: u32 = u32::MAX;

/// The buffers of the ABI.
#[derive(Clone, Copy)]
pub(super) enum Buffer {
    RequestBody,
    ResponseBody,
    CalloutBody,
    Configuration,
}

/// The metrics of the ABI.
#[derive(Clone, Copy)]
pub(super) enum Metric {
    Counter,
    Gauge,
    Histogram,
}

/// Receives bytes that the host allocated in our memory.
fn receive(call: impl FnOnce(*mut *mut u8, *mut usize) -> u32) -> Option<Vec<u8>> {
    let mut data: *mut u8 = null_mut();
    let mut size: usize = 0;
    if call(&raw mut data, &raw mut size) != 0 {
        return None;
    }
    if data.is_null() {
        return Some(Vec::new());
    }
    // SAFETY: the host got `data` from `proxy_on_memory_allocate`, which gave it away as a boxed slice of this
    // size, and hands it to nobody else.
    Some(unsafe { Vec::from_raw_parts(data, size, size) })
}

/// Writes a line to the proxy's log.
pub(super) fn log(level: Level, line: &str) {
    let level = match level {
        Level::Debug => 1,
        Level::Info => 2,
        Level::Warn => 3,
        Level::Error => 4,
    };
    // SAFETY: the host reads the text during the call. There is nobody to tell that logging failed.
    unsafe { raw::proxy_log(level, line.as_ptr(), line.len()) };
}

/// Writes what a panic says to the proxy's log, as critical: the VM is lost.
pub(super) fn last_words(line: &str) {
    // SAFETY: as for any other line.
    unsafe { raw::proxy_log(5, line.as_ptr(), line.len()) };
}

/// Returns nanoseconds since 1970; zero if the host won't say.
pub(super) fn now() -> u64 {
    let mut time = 0;
    // SAFETY: the host writes eight bytes during the call.
    unsafe { raw::proxy_get_current_time_nanoseconds(&raw mut time) };
    time
}

/// Returns nanoseconds on a clock that is never turned back; zero if the host won't say.
pub(super) fn uptime() -> u64 {
    /// The name of that clock in WASI.
    const MONOTONIC: u32 = 1;
    let mut time = 0;
    // SAFETY: the host writes eight bytes during the call.
    unsafe { raw::clock_time_get(MONOTONIC, 0, &raw mut time) };
    time
}

/// Returns a number from the host's generator for keys.
pub(super) fn random() -> u64 {
    let mut bytes = [0_u8; 8];
    // SAFETY: the host writes eight bytes during the call.
    unsafe { raw::random_get(bytes.as_mut_ptr(), bytes.len()) };
    u64::from_le_bytes(bytes)
}

/// Sets the period of the root's timer in milliseconds; zero stops it.
pub(super) fn set_tick_period(milliseconds: u32) {
    // SAFETY: no memory is handed over.
    unsafe { raw::proxy_set_tick_period_milliseconds(milliseconds) };
}

/// Returns bytes of a buffer.
pub(super) fn buffer(buffer: Buffer, start: usize, length: usize) -> Option<Vec<u8>> {
    // SAFETY: see `receive`.
    receive(|data, size| unsafe { raw::proxy_get_buffer_bytes(buffer.number(), start, length, data, size) })
}

/// Replaces all bytes of a buffer.
pub(super) fn replace_buffer(buffer: Buffer, bytes: &[u8]) -> bool {
    // SAFETY: the host copies the bytes during the call.
    unsafe { raw::proxy_set_buffer_bytes(buffer.number(), 0, usize::MAX, bytes.as_ptr(), bytes.len()) == 0 }
}

/// Returns a property by the segments of its path joined by NUL; one that is there but empty is empty.
pub(super) fn property(path: &[u8]) -> Option<Vec<u8>> {
    // SAFETY: the host reads the path during the call; see `receive`.
    receive(|data, size| unsafe { raw::proxy_get_property(path.as_ptr(), path.len(), data, size) })
}

/// Sets the filter state `wasm.<name>` of the stream.
pub(super) fn set_property(name: &str, value: &[u8]) -> bool {
    // SAFETY: the host copies both during the call.
    unsafe { raw::proxy_set_property(name.as_ptr(), name.len(), value.as_ptr(), value.len()) == 0 }
}

/// Reads shared data.
pub(super) fn shared_data(key: &[u8]) -> Versioned {
    let mut version = 0;
    // SAFETY: the host reads the key and writes the version during the call; see `receive`.
    let value = receive(|data, size| unsafe {
        raw::proxy_get_shared_data(key.as_ptr(), key.len(), data, size, &raw mut version)
    });
    match value {
        Some(value) => Versioned { value: Some(value), version: Version::At(version) },
        None => Versioned { value: None, version: Version::Absent },
    }
}

/// Writes shared data if nobody else did since it was read.
pub(super) fn set_shared_data(key: &[u8], value: &[u8], version: Version) -> bool {
    let version = match version {
        Version::Absent => CREATE,
        Version::At(version) => version,
    };
    // SAFETY: the host copies both during the call.
    unsafe { raw::proxy_set_shared_data(key.as_ptr(), key.len(), value.as_ptr(), value.len(), version) == 0 }
}

/// Defines a metric; the same name is the same metric.
pub(super) fn define_metric(metric: Metric, name: &str) -> Option<u32> {
    let kind = match metric {
        Metric::Counter => 0,
        Metric::Gauge => 1,
        Metric::Histogram => 2,
    };
    let mut id = 0;
    // SAFETY: the host reads the name and writes the id during the call.
    let status = unsafe { raw::proxy_define_metric(kind, name.as_ptr(), name.len(), &raw mut id) };
    (status == 0).then_some(id)
}

/// Adds to a counter or a gauge. Of a counter, the host refuses to add less than one.
pub(super) fn increment_metric(id: u32, by: i64) -> bool {
    // SAFETY: no memory is handed over.
    unsafe { raw::proxy_increment_metric(id, by) == 0 }
}

/// Records a value in a histogram, or sets a gauge.
pub(super) fn record_metric(id: u32, value: u64) -> bool {
    // SAFETY: no memory is handed over.
    unsafe { raw::proxy_record_metric(id, value) == 0 }
}

/// Makes a stream the one that the next calls are about; false if it is gone.
pub(super) fn set_effective_context(id: u32) -> bool {
    // SAFETY: no memory is handed over.
    unsafe { raw::proxy_set_effective_context(id) == 0 }
}

/// Lets a paused message go on.
pub(super) fn resume(direction: Direction) -> bool {
    // SAFETY: no memory is handed over.
    unsafe { raw::proxy_continue_stream(stream_number(direction)) == 0 }
}

/// Breaks a stream off.
pub(super) fn reset() -> bool {
    // SAFETY: no memory is handed over.
    unsafe { raw::proxy_close_stream(stream_number(Direction::Request)) == 0 }
}

/// Answers in place of the upstream.
pub(super) fn reply(
    status: u16,
    details: &str,
    headers: &[(&[u8], &[u8])],
    body: &[u8],
    grpc_status: Option<i32>,
) -> bool {
    let headers = serialize_pairs(headers);
    // SAFETY: the host copies everything during the call.
    unsafe {
        raw::proxy_send_local_response(
            u32::from(status),
            details.as_ptr(),
            details.len(),
            body.as_ptr(),
            body.len(),
            headers.as_ptr(),
            headers.len(),
            grpc_status.unwrap_or(-1),
        ) == 0
    }
}

/// Sends an HTTP request to a cluster, and returns the number that its answer comes with.
pub(super) fn call(cluster: &str, headers: &[(&[u8], &[u8])], body: &[u8], timeout: Duration) -> Option<u32> {
    let headers = serialize_pairs(headers);
    let trailers = serialize_pairs(&[]);
    let timeout = u32::try_from(timeout.as_millis()).unwrap_or(u32::MAX);
    let mut token = 0;
    // SAFETY: the host copies everything and writes the number during the call.
    let status = unsafe {
        raw::proxy_http_call(
            cluster.as_ptr(),
            cluster.len(),
            headers.as_ptr(),
            headers.len(),
            body.as_ptr(),
            body.len(),
            trailers.as_ptr(),
            trailers.len(),
            timeout,
            &raw mut token,
        )
    };
    (status == 0).then_some(token)
}

/// Lets the route be chosen again.
pub(super) fn clear_route_cache() -> bool {
    call_foreign("clear_route_cache", &[]).is_some()
}

/// Calls a function of this host that is not of the ABI; none if there is no such function, or it refuses.
pub(super) fn call_foreign(name: &str, arguments: &[u8]) -> Option<Vec<u8>> {
    // SAFETY: the host reads name and arguments during the call; see `receive`.
    receive(|data, size| unsafe {
        raw::proxy_call_foreign_function(
            name.as_ptr(),
            name.len(),
            arguments.as_ptr(),
            arguments.len(),
            data,
            size,
        )
    })
}

impl Buffer {
    const fn number(self) -> u32 {
        match self {
            Self::RequestBody => 0,
            Self::ResponseBody => 1,
            Self::CalloutBody => 4,
            Self::Configuration => 7,
        }
    }
}

const fn stream_number(direction: Direction) -> u32 {
    match direction {
        Direction::Request => 0,
        Direction::Response => 1,
    }
}
