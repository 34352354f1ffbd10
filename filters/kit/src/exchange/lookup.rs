//! What a filter may look up of a request: headers with the edits so far, the readings of the path, and properties.

use super::Exchange;
use super::edits::as_the_host_says;
use crate::header::{Field, Found, Lookup};
use crate::host::Map;
use crate::path::RequestPath;

impl Lookup for Exchange<'_> {
    /// Looks a request header up: in the request's callbacks always, later only if the request's callbacks looked
    /// one up.
    ///
    /// The first look takes all headers: that costs no more than one of them, whose getter would not say that there
    /// is a second of the same name.
    fn header(&self, name: &str) -> Field {
        self.snapshot().map_or(Field::Absent, |map| map.field(as_the_host_says(Map::Request, name)))
    }

    fn find(&self, name: &str) -> Found<'_> {
        self.snapshot().map_or(Found::Absent, |map| map.find(as_the_host_says(Map::Request, name)))
    }

    fn path(&self) -> Option<&RequestPath> {
        Some(self.memory.path.get_or_init(|| RequestPath::found(&self.find(":path"))))
    }

    fn property(&self, path: &[&str]) -> Option<Vec<u8>> {
        // Filter state goes by two names.
        let tag = match path {
            [name] => Some(*name),
            ["filter_state", state] => state.strip_prefix("wasm."),
            _ => None,
        };
        let published = tag.and_then(|name| self.memory.tags.iter().find(|(tag, _)| *tag.0 == *name));
        match published {
            Some((_, value)) => Some(value.to_vec()),
            None => self.host.property(path),
        }
        .filter(|value| !value.is_empty())
    }
}
