//! What is written for routes and clients, and what clients can't write in its place.

use kit::config::{Node, or};
use kit::draw::below;
use kit::exchange::Exchange;
use kit::header::{Found, Lookup, parse_own_name};
use kit::host::Map;

use crate::bucket::ALL;
use crate::ramp::parts;
use crate::variant::Variant;

/// The headers that say which variant it is.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Output {
    /// Its name.
    pub(crate) header: Option<String>,
    /// Its cluster.
    pub(crate) cluster: Option<String>,
    /// Its place.
    pub(crate) index: Option<String>,
    /// Its name, for the client.
    pub(crate) response: Option<String>,
}

impl Output {
    /// What is written where nothing is said.
    pub(crate) fn new() -> Self {
        Self { header: Some("x-sluice-variant".to_owned()), cluster: None, index: None, response: None }
    }

    /// Reads what is written.
    pub(crate) fn parse(node: &Node<'_>) -> Option<Self> {
        let mut object = node.object()?;
        let header = or(object.optional("header"), Self::new().header, header);
        let mut name =
            |field, example| or(object.optional(field), None, |node| parse_own_name(node, example).map(Some));
        let cluster = name("cluster_header", "x-sluice-cluster");
        let index = name("index_header", "x-sluice-index");
        let response = name("response_header", "x-sluice-variant");
        object.finish();
        let output = Self { header: header?, cluster: cluster?, index: index?, response: response? };
        let names: Vec<&str> = output.names().collect();
        if names.iter().enumerate().any(|(index, name)| names.iter().take(index).any(|other| other == name)) {
            node.refuse("has one name for two headers");
            return None;
        }
        Some(output)
    }

    /// Returns the headers of requests that are written.
    pub(crate) fn names(&self) -> impl Iterator<Item = &str> {
        [&self.header, &self.cluster, &self.index].into_iter().flatten().map(String::as_str)
    }

    /// Tells routes which variant it is.
    pub(crate) fn write(&self, exchange: &mut Exchange<'_>, variant: &Variant) {
        if let Some(name) = &self.header {
            exchange.set_header(Map::Request, name, variant.name.as_bytes());
        }
        if let (Some(name), Some(cluster)) = (&self.cluster, &variant.cluster) {
            exchange.set_header(Map::Request, name, cluster.as_bytes());
        }
        if let Some(name) = &self.index {
            exchange.set_header(Map::Request, name, variant.index.as_bytes());
        }
    }
}

/// Reads the name of a header, or `off`.
fn header(node: &Node<'_>) -> Option<Option<String>> {
    if node.value().is_off() { Some(None) } else { parse_own_name(node, "x-sluice-variant").map(Some) }
}

/// A share of requests that a route may also send elsewhere.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Mirror {
    parts: u16,
    pub(crate) header: String,
}

impl Mirror {
    /// Reads how many, and by which header.
    pub(crate) fn parse(node: &Node<'_>) -> Option<Self> {
        let mut object = node.object()?;
        let parts = object.required("percent").and_then(|percent| parts(&percent));
        let header = or(object.optional("header"), "x-sluice-mirror".to_owned(), |header| {
            parse_own_name(header, "x-sluice-mirror")
        });
        object.finish();
        Some(Self { parts: parts?, header: header? })
    }

    /// Marks a request, if chance will have it.
    pub(crate) fn write(&self, exchange: &mut Exchange<'_>) {
        // Nobody is asked where chance can't change anything.
        if 0 < self.parts && (self.parts == ALL || below(exchange.draw(), ALL.into()) < u64::from(self.parts))
        {
            exchange.set_header(Map::Request, &self.header, b"1");
        }
    }
}

/// Headers that no client's request gets through with.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub(crate) struct Reserved {
    names: Vec<String>,
    /// How many of them, the first ones, are removed before anything looks at the request.
    first: usize,
}

/// Which of them a request has: mostly none, and then there is nothing to remove.
pub(crate) type There = Vec<usize>;

impl Reserved {
    /// Takes the headers that are written, and those by which testers ask.
    pub(crate) fn new<'a>(
        written: impl Iterator<Item = &'a str>,
        asking: impl Iterator<Item = &'a str>,
    ) -> Self {
        let mut reserved = Self::default();
        reserved.extend(written);
        reserved.first = reserved.names.len();
        reserved.extend(asking);
        reserved
    }

    fn extend<'a>(&mut self, names: impl Iterator<Item = &'a str>) {
        for name in names {
            if !self.names.iter().any(|known| known == name) {
                self.names.push(name.to_owned());
            }
        }
    }

    /// Finds those that a request has.
    pub(crate) fn find(&self, request: &dyn Lookup) -> There {
        let mut there = There::new();
        for (place, name) in self.names.iter().enumerate() {
            if request.find(name) != Found::Absent {
                there.push(place);
            }
        }
        there
    }

    /// Removes what is written here, before anything looks at it.
    pub(crate) fn remove_written(&self, exchange: &mut Exchange<'_>, there: &There) {
        self.remove(exchange, there.iter().filter(|place| **place < self.first));
    }

    /// Removes how testers asked, once that was looked at.
    pub(crate) fn remove_asking(&self, exchange: &mut Exchange<'_>, there: &There) {
        self.remove(exchange, there.iter().filter(|place| self.first <= **place));
    }

    fn remove<'a>(&self, exchange: &mut Exchange<'_>, places: impl Iterator<Item = &'a usize>) {
        for name in places.filter_map(|place| self.names.get(*place)) {
            exchange.remove_header(Map::Request, name);
        }
    }
}
