//! Maps of headers: looked at whole or by a name, and edited.

use super::{raw, receive};
use crate::header::HeaderMap;
use crate::host::Map;

/// Returns all headers of a map; none if there is no such map now.
pub(in crate::shell) fn headers(map: Map) -> HeaderMap {
    pairs(map_number(map))
}

/// Returns all headers of the answer to a callout.
pub(in crate::shell) fn callout_headers() -> HeaderMap {
    pairs(6)
}

/// Returns the first value of a header.
pub(in crate::shell) fn header(map: Map, name: &str) -> Option<Vec<u8>> {
    // SAFETY: the host reads the name during the call; see `receive`.
    receive(|data, size| unsafe {
        raw::proxy_get_header_map_value(map_number(map), name.as_ptr(), name.len(), data, size)
    })
}

/// Replaces every header of a name by one.
pub(in crate::shell) fn set_header(map: Map, name: &str, value: &[u8]) -> bool {
    // SAFETY: the host copies both during the call.
    unsafe {
        raw::proxy_replace_header_map_value(
            map_number(map),
            name.as_ptr(),
            name.len(),
            value.as_ptr(),
            value.len(),
        ) == 0
    }
}

/// Adds a header.
pub(in crate::shell) fn add_header(map: Map, name: &str, value: &[u8]) -> bool {
    // SAFETY: the host copies both during the call.
    unsafe {
        raw::proxy_add_header_map_value(
            map_number(map),
            name.as_ptr(),
            name.len(),
            value.as_ptr(),
            value.len(),
        ) == 0
    }
}

/// Removes every header of a name.
pub(in crate::shell) fn remove_header(map: Map, name: &str) -> bool {
    // SAFETY: the host reads the name during the call.
    unsafe { raw::proxy_remove_header_map_value(map_number(map), name.as_ptr(), name.len()) == 0 }
}

const fn map_number(map: Map) -> u32 {
    match map {
        Map::Request => 0,
        Map::RequestTrailers => 1,
        Map::Response => 2,
        Map::ResponseTrailers => 3,
    }
}

fn pairs(map: u32) -> HeaderMap {
    // SAFETY: see `receive`.
    receive(|data, size| unsafe { raw::proxy_get_header_map_pairs(map, data, size) })
        .map(HeaderMap::from_host)
        .unwrap_or_default()
}

pub(super) fn serialize_pairs(pairs: &[(&[u8], &[u8])]) -> Vec<u8> {
    let number = |length: usize| u32::try_from(length).unwrap_or(u32::MAX).to_le_bytes();
    let mut bytes = number(pairs.len()).to_vec();
    for (name, value) in pairs {
        bytes.extend_from_slice(&number(name.len()));
        bytes.extend_from_slice(&number(value.len()));
    }
    for (name, value) in pairs {
        for text in [name, value] {
            bytes.extend_from_slice(text);
            bytes.push(0);
        }
    }
    bytes
}
