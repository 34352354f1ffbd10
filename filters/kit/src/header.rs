//! Headers as they are on the wire: names without case, values as bytes, duplicates visible.

/// What a request or response says under one name.
///
/// A name that occurs twice is not reduced to its first value: who reads an identity or a signature must see
/// that there are two claims.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Field {
    /// The name does not occur.
    Absent,
    /// The name occurs once, with this value.
    One(Vec<u8>),
    /// The name occurs several times, in this order.
    Many(Vec<Vec<u8>>),
}

impl Field {
    /// Returns the value if the name occurs exactly once.
    pub fn single(self) -> Option<Vec<u8>> {
        match self {
            Self::One(value) => Some(value),
            Self::Absent | Self::Many(_) => None,
        }
    }

    /// Returns every value, in order.
    pub fn values(&self) -> &[Vec<u8>] {
        match self {
            Self::Absent => &[],
            Self::One(value) => std::slice::from_ref(value),
            Self::Many(values) => values,
        }
    }
}

/// What a filter can look up about a stream: headers of the request, and properties of the host.
///
/// Everything is bytes: nothing here promises UTF-8.
pub trait Lookup {
    /// Returns the request header of this lower-case name (`:path`, `:method`, `:authority` among them).
    fn header(&self, name: &str) -> Field;

    /// Returns a host property by the segments of its path (`["source", "address"]`), if it is there and not
    /// empty.
    fn property(&self, path: &[&str]) -> Option<Vec<u8>>;
}

/// An ordered list of headers, names in lower case.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct HeaderMap {
    entries: Vec<(Vec<u8>, Vec<u8>)>,
}

impl HeaderMap {
    /// Takes headers in their order on the wire.
    pub fn new(entries: Vec<(Vec<u8>, Vec<u8>)>) -> Self {
        let mut map = Self { entries };
        for (name, _) in &mut map.entries {
            name.make_ascii_lowercase();
        }
        map
    }

    /// Returns what the map says under this lower-case name.
    pub fn field(&self, name: &str) -> Field {
        let mut values = self.entries.iter().filter(|(key, _)| key == name.as_bytes()).map(|(_, value)| value);
        match (values.next(), values.next()) {
            (None, _) => Field::Absent,
            (Some(value), None) => Field::One(value.clone()),
            (Some(first), Some(second)) => {
                let mut all = vec![first.clone(), second.clone()];
                all.extend(values.cloned());
                Field::Many(all)
            }
        }
    }

    /// Adds a header after those of the same name.
    pub fn add(&mut self, name: &str, value: &[u8]) {
        self.entries.push((name.as_bytes().to_ascii_lowercase(), value.to_vec()));
    }

    /// Replaces every header of this name by one.
    pub fn set(&mut self, name: &str, value: &[u8]) {
        self.remove(name);
        self.add(name, value);
    }

    /// Removes every header of this name.
    pub fn remove(&mut self, name: &str) {
        self.entries.retain(|(key, _)| !key.eq_ignore_ascii_case(name.as_bytes()));
    }

    /// Returns the headers in order.
    pub fn entries(&self) -> &[(Vec<u8>, Vec<u8>)] {
        &self.entries
    }
}
