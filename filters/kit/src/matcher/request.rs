//! A request for tests, which remembers what was looked up.

use std::cell::RefCell;

use crate::header::{Field, HeaderMap, Lookup};

/// A request made of headers and properties.
#[derive(Default)]
pub(crate) struct Request {
    headers: HeaderMap,
    properties: Vec<(String, Vec<u8>)>,
    looked_up: RefCell<Vec<String>>,
}

impl Request {
    /// Makes a request with one header.
    pub(crate) fn with(name: &str, value: impl AsRef<[u8]>) -> Self {
        Self::default().and(name, value)
    }

    /// Adds a header.
    pub(crate) fn and(mut self, name: &str, value: impl AsRef<[u8]>) -> Self {
        self.headers.add(name, value.as_ref());
        self
    }

    /// Adds a property, its path joined by slashes.
    pub(crate) fn property(mut self, path: &str, value: impl AsRef<[u8]>) -> Self {
        self.properties.push((path.to_owned(), value.as_ref().to_vec()));
        self
    }

    /// Returns the headers that were looked up, in order.
    pub(crate) fn looked_up(&self) -> String {
        self.looked_up.borrow().join(" ")
    }
}

impl Lookup for Request {
    fn header(&self, name: &str) -> Field {
        self.looked_up.borrow_mut().push(name.to_owned());
        self.headers.field(name)
    }

    fn property(&self, path: &[&str]) -> Option<Vec<u8>> {
        let wanted = path.join("/");
        self.properties.iter().find(|(name, _)| *name == wanted).map(|(_, value)| value.clone())
    }
}
