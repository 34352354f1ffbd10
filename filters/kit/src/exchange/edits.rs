//! What an edit of headers does, before the host has done it.

use crate::header::HeaderMap;
use crate::host::{Effect, Map};

/// Returns the one name of a header that has two: the host keeps `host` as `:authority`.
pub(super) fn as_the_host_says(map: Map, name: &str) -> &str {
    if map == Map::Request && name == "host" { ":authority" } else { name }
}

/// Tells whether an effect changes a map of headers.
pub(super) fn touches(effect: &Effect, map: Map) -> bool {
    edited(effect).is_some_and(|(of, _)| of == map)
}

/// Tells whether an effect changes the path of the request, whose readings are dear.
pub(super) fn changes_path(effect: &Effect) -> bool {
    edited(effect).is_some_and(|(of, name)| of == Map::Request && name.eq_ignore_ascii_case(":path"))
}

/// Returns the header that an effect changes.
fn edited(effect: &Effect) -> Option<(Map, &str)> {
    match effect {
        Effect::SetHeader(of, name, _) | Effect::AddHeader(of, name, _) | Effect::RemoveHeader(of, name) => {
            Some((*of, name))
        }
        Effect::ReplaceBody(..)
        | Effect::Tag(..)
        | Effect::Count(..)
        | Effect::Add(..)
        | Effect::Set(..)
        | Effect::Record(..)
        | Effect::ClearRoute
        | Effect::WakeFilter(_)
        | Effect::Log(..) => None,
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
