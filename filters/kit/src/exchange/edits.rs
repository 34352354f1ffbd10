//! What an edit of headers does, before the host has done it.

use crate::header::HeaderMap;
use crate::host::{Effect, Map};

/// Returns the one name of a header that has two: the host keeps `host` as `:authority`.
pub(super) fn as_the_host_says(map: Map, name: &str) -> &str {
    if map == Map::Request && name == "host" { ":authority" } else { name }
}

/// Tells whether an effect changes a map of headers.
pub(super) fn touches(effect: &Effect, map: Map) -> bool {
    match effect {
        Effect::SetHeader(of, ..) | Effect::AddHeader(of, ..) | Effect::RemoveHeader(of, ..) => *of == map,
        Effect::ReplaceBody(..)
        | Effect::Tag(..)
        | Effect::Count(..)
        | Effect::Add(..)
        | Effect::Set(..)
        | Effect::Record(..)
        | Effect::ClearRoute
        | Effect::WakeFilter(_)
        | Effect::Log(..) => false,
    }
}

/// Tells whether an effect changes the path of the request, whose readings are dear.
pub(super) fn changes_path(effect: &Effect) -> bool {
    match effect {
        Effect::SetHeader(Map::Request, name, _)
        | Effect::AddHeader(Map::Request, name, _)
        | Effect::RemoveHeader(Map::Request, name) => name.eq_ignore_ascii_case(":path"),
        Effect::SetHeader(..)
        | Effect::AddHeader(..)
        | Effect::RemoveHeader(..)
        | Effect::ReplaceBody(..)
        | Effect::Tag(..)
        | Effect::Count(..)
        | Effect::Add(..)
        | Effect::Set(..)
        | Effect::Record(..)
        | Effect::ClearRoute
        | Effect::WakeFilter(_)
        | Effect::Log(..) => false,
    }
}

/// Does to a map what the effect will do on the host.
pub(super) fn apply(headers: &mut HeaderMap, map: Map, effect: &Effect) {
    match effect {
        Effect::SetHeader(of, name, value) if *of == map => headers.set(name, value),
        Effect::AddHeader(of, name, value) if *of == map => headers.add(name, value),
        Effect::RemoveHeader(of, name) if *of == map => headers.remove(name),
        Effect::SetHeader(..)
        | Effect::AddHeader(..)
        | Effect::RemoveHeader(..)
        | Effect::ReplaceBody(..)
        | Effect::Tag(..)
        | Effect::Count(..)
        | Effect::Add(..)
        | Effect::Set(..)
        | Effect::Record(..)
        | Effect::ClearRoute
        | Effect::WakeFilter(_)
        | Effect::Log(..) => {}
    }
}
