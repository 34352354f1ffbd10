//! Headers as they are on the wire: names without case, values as bytes, duplicates visible.

use std::borrow::Cow;
use std::ops::Range;

use self::pairs::{OfLength, Pairs};
use crate::config::Node;
use crate::path::RequestPath;

mod pairs;

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

impl FromIterator<Vec<u8>> for Field {
    /// Takes values in their order.
    fn from_iter<I: IntoIterator<Item = Vec<u8>>>(values: I) -> Self {
        let mut values: Vec<Vec<u8>> = values.into_iter().collect();
        match (values.len(), values.pop()) {
            (_, None) => Self::Absent,
            (1, Some(value)) => Self::One(value),
            (_, Some(last)) => {
                values.push(last);
                Self::Many(values)
            }
        }
    }
}

/// What a request says under one name, for who asks nothing of several values: the one isn't copied if it is at hand.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Found<'a> {
    /// The name does not occur.
    Absent,
    /// The name occurs once, with this value.
    One(Cow<'a, [u8]>),
    /// The name occurs several times.
    Many,
}

impl From<Field> for Found<'_> {
    fn from(field: Field) -> Self {
        match field {
            Field::Absent => Self::Absent,
            Field::One(value) => Self::One(value.into()),
            Field::Many(_) => Self::Many,
        }
    }
}

/// What a filter can look up about a stream: headers of the request, and properties of the host.
///
/// Everything is bytes: nothing here promises UTF-8.
pub trait Lookup {
    /// Returns the request header of this lower-case name (`:path`, `:method`, `:authority` among them).
    fn header(&self, name: &str) -> Field;

    /// Finds a request header as [`header`](Self::header) does; who has it at hand doesn't copy it.
    fn find(&self, name: &str) -> Found<'_> {
        self.header(name).into()
    }

    /// Returns the path of the request in all its readings, if there is a place to keep them for the next rule.
    fn path(&self) -> Option<&RequestPath> {
        None
    }

    /// Returns a host property by the segments of its path (`["source", "address"]`), if it is there and not
    /// empty.
    fn property(&self, path: &[&str]) -> Option<Vec<u8>>;
}

/// An ordered list of headers, names in lower case.
///
/// What a host hands over stays as it is until a part of it goes: most requests look at one header of a dozen.
#[derive(Clone, Debug, Default)]
pub struct HeaderMap {
    /// What the host handed over.
    raw: Vec<u8>,
    /// The text of what came behind it.
    text: Vec<u8>,
    spans: Vec<Span>,
}

/// Where a header stands in the text.
#[derive(Clone, Debug)]
struct Span {
    name: Range<usize>,
    value: Range<usize>,
}

impl HeaderMap {
    /// Takes headers in their order on the wire.
    pub fn new<N: AsRef<[u8]>, V: AsRef<[u8]>>(entries: impl IntoIterator<Item = (N, V)>) -> Self {
        let mut map = Self::default();
        for (name, value) in entries {
            map.push(name.as_ref(), value.as_ref());
        }
        map
    }

    /// Takes headers in the form in which a proxy-wasm host hands them over: their number, the two lengths of each,
    /// then each name (in lower case) and value, ended by a NUL. A form that is broken has no headers.
    pub fn from_host(raw: Vec<u8>) -> Self {
        if Pairs::of(&raw).is_some_and(Pairs::are_whole) {
            Self { raw, ..Self::default() }
        } else {
            Self::default()
        }
    }

    /// Finds what the map says under this lower-case name.
    pub fn find(&self, name: &str) -> Found<'_> {
        let mut found = None;
        for value in self.values(name) {
            if found.is_some() {
                return Found::Many;
            }
            found = Some(value);
        }
        found.map_or(Found::Absent, |value| Found::One(value.into()))
    }

    /// Returns what the map says under this lower-case name.
    pub fn field(&self, name: &str) -> Field {
        match self.find(name) {
            Found::Absent => Field::Absent,
            Found::One(value) => Field::One(value.into_owned()),
            Found::Many => Field::Many(self.values(name).map(<[u8]>::to_vec).collect()),
        }
    }

    /// Adds a header after those of the same name.
    pub fn add(&mut self, name: &str, value: &[u8]) {
        self.push(name.as_bytes(), value);
    }

    /// Replaces every header of this name by one.
    pub fn set(&mut self, name: &str, value: &[u8]) {
        self.remove(name);
        self.add(name, value);
    }

    /// Removes every header of this name.
    pub fn remove(&mut self, name: &str) {
        // What a host handed over stays as it is until a part of it goes: most edits add what isn't there.
        if OfLength::new(&self.raw, name.len()).any(|(key, _)| key.eq_ignore_ascii_case(name.as_bytes())) {
            *self = Self::new(self.iter());
        }
        let text = &self.text;
        let is_other = |span: &Span| !at(text, &span.name).eq_ignore_ascii_case(name.as_bytes());
        self.spans.retain(is_other);
    }

    /// Returns names and values in order.
    pub fn iter(&self) -> impl Iterator<Item = (&[u8], &[u8])> {
        let own = self.spans.iter().map(|span| (at(&self.text, &span.name), at(&self.text, &span.value)));
        Pairs::of(&self.raw).into_iter().flatten().chain(own)
    }

    /// Returns the values of this lower-case name in order.
    fn values<'a>(&'a self, name: &str) -> impl Iterator<Item = &'a [u8]> {
        let raw = OfLength::new(&self.raw, name.len());
        let spans = self.spans.iter().filter(|span| span.name.len() == name.len());
        let own = spans.map(|span| (at(&self.text, &span.name), at(&self.text, &span.value)));
        raw.chain(own).filter(|(key, _)| *key == name.as_bytes()).map(|(_, value)| value)
    }

    fn push(&mut self, name: &[u8], value: &[u8]) {
        let start = self.text.len();
        self.text.reserve(name.len().saturating_add(value.len()));
        self.text.extend_from_slice(name);
        if let Some(name) = self.text.get_mut(start..) {
            name.make_ascii_lowercase();
        }
        let middle = self.text.len();
        self.text.extend_from_slice(value);
        self.spans.push(Span { name: start..middle, value: middle..self.text.len() });
    }
}

impl Eq for HeaderMap {}

impl PartialEq for HeaderMap {
    fn eq(&self, other: &Self) -> bool {
        self.iter().eq(other.iter())
    }
}

fn at<'a>(text: &'a [u8], span: &Range<usize>) -> &'a [u8] {
    text.get(span.clone()).unwrap_or_default()
}

/// Parses the name of a header: a token (RFC 9110, section 5.1), in lower case.
///
/// Pseudo-headers, and `host`, which Envoy turns into one, are refused.
pub fn parse_name(node: &Node<'_>) -> Option<String> {
    parse_name_or(node, "")
}

/// Parses the name of a header that a filter is to write, and refuses those that say whose a message is or where it ends.
/// `example` is a name that would do.
pub fn parse_own_name(node: &Node<'_>, example: &str) -> Option<String> {
    let name = parse_name(node)?;
    let reserved =
        ["authorization", "cookie", "content-length", "transfer-encoding", "connection", "te", "upgrade"];
    if reserved.contains(&name.as_str()) {
        node.refuse(format!("{name:?} has a meaning of its own; choose another header (example: {example})"));
        return None;
    }
    Some(name)
}

/// Parses the name of a header, and refuses pseudo-headers with this advice: `; use ...`.
pub(crate) fn parse_name_or(node: &Node<'_>, advice: &str) -> Option<String> {
    let name = node.non_empty_text()?.to_ascii_lowercase();
    if name.starts_with(':') || name == "host" {
        node.refuse(format!("{name:?} is not an ordinary header{advice}"));
        return None;
    }
    if !name.bytes().all(is_token) {
        node.refuse(format!(
            "{name:?} is not the name of a header: letters, digits and any of !#$%&'*+-.^_`|~"
        ));
        return None;
    }
    Some(name)
}

/// Returns whether a byte may be part of a token (RFC 9110, section 5.6.2).
pub(crate) fn is_token(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    #[cfg(target_arch = "wasm32")]
    use wasm_bindgen_test::wasm_bindgen_test as test;

    #[test]
    fn reads_what_a_host_hands_over_and_nothing_broken() {
        let bytes = b"\x02\0\0\0\x01\0\0\0\x02\0\0\0\x01\0\0\0\0\0\0\0a\0\xff\xfe\0b\0\0";
        let map = HeaderMap::from_host(bytes.to_vec());
        assert_eq!(map, HeaderMap::new([(&b"a"[..], &b"\xff\xfe"[..]), (b"b", b"")]));
        for end in 0..bytes.len() {
            assert_eq!(HeaderMap::from_host(bytes[..end].to_vec()), HeaderMap::default(), "cut at {end}");
        }
        assert_eq!(HeaderMap::from_host(vec![0xff; 64]), HeaderMap::default());
    }

    proptest! {
        #[test]
        fn a_header_is_found_among_others_of_its_length_and_of_other_lengths(
            headers in proptest::collection::vec(("[ab]{0,3}", proptest::collection::vec(any::<u8>(), 0..4)), 0..6),
            later in proptest::collection::vec(("[ab]{0,3}", proptest::collection::vec(any::<u8>(), 0..4)), 0..3),
            name in "[ab]{0,3}",
        ) {
            let number = |length: usize| u32::try_from(length).unwrap().to_le_bytes();
            let mut raw = number(headers.len()).to_vec();
            for (name, value) in &headers {
                raw.extend([number(name.len()), number(value.len())].concat());
            }
            for (name, value) in &headers {
                raw.extend([name.as_bytes(), b"\0", value, b"\0"].concat());
            }
            let mut map = HeaderMap::from_host(raw);
            for (name, value) in &later {
                map.add(name, value);
            }
            let values: Field =
                headers.iter().chain(&later).filter(|(key, _)| *key == name).map(|(_, value)| value.clone()).collect();
            prop_assert_eq!(map.field(&name), values.clone());
            prop_assert_eq!(map.find(&name), Found::from(values));
            let others = |map: &HeaderMap| -> Vec<Vec<u8>> {
                let others = map.iter().filter(|(key, _)| *key != name.as_bytes());
                others.map(|(name, value)| [name, value].concat()).collect()
            };
            let before = others(&map);
            map.remove(&name.to_ascii_uppercase());
            prop_assert_eq!(map.field(&name), Field::Absent);
            prop_assert_eq!(others(&map), before);
        }
    }

    #[test]
    fn edits_of_what_a_host_handed_over_are_the_same_whether_the_name_was_there_or_not() {
        let bytes = b"\x02\0\0\0\x01\0\0\0\x01\0\0\0\x01\0\0\0\x01\0\0\0a\x001\0b\x002\0";
        let edited = |edit: &dyn Fn(&mut HeaderMap)| {
            let mut map = HeaderMap::from_host(bytes.to_vec());
            edit(&mut map);
            let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
            let headers: Vec<_> =
                map.iter().map(|(name, value)| format!("{}={}", text(name), text(value))).collect();
            headers.join(" ")
        };
        assert_eq!(edited(&|map| map.set("c", b"3")), "a=1 b=2 c=3");
        assert_eq!(edited(&|map| map.set("A", b"3")), "b=2 a=3");
        assert_eq!(edited(&|map| map.remove("c")), "a=1 b=2");
        assert_eq!(edited(&|map| map.remove("b")), "a=1");
        let several = |map: &mut HeaderMap| {
            map.add("c", b"3");
            map.set("C", b"4");
            map.add("a", b"5");
            map.remove("b");
        };
        assert_eq!(edited(&several), "a=1 c=4 a=5");
    }

    #[test]
    fn names_are_tokens_in_lower_case() {
        let parse = |name: &str| {
            let json = format!(r#"{{"name": "{name}"}}"#);
            let name = crate::config::read(json.as_bytes(), |node| {
                let mut object = node.object()?;
                object.required("name").and_then(|node| parse_name(&node))
            });
            name.unwrap_or_else(|problems| problems.to_string())
        };
        let refused =
            ":path Host x:y".split(' ').chain(["", "x y"]).map(parse).collect::<Vec<_>>().join("\n");
        expect_test::expect![[r#"
            name: ":path" is not an ordinary header
            name: "host" is not an ordinary header
            name: "x:y" is not the name of a header: letters, digits and any of !#$%&'*+-.^_`|~
            name: must not be empty
            name: "x y" is not the name of a header: letters, digits and any of !#$%&'*+-.^_`|~"#]]
        .assert_eq(&refused);
        assert_eq!(parse("X-Api-Key"), "x-api-key");
    }

    #[test]
    fn a_name_that_occurs_twice_is_not_reduced_to_its_first_value() {
        let mut map = HeaderMap::new([("X-Key", "1")]);
        assert_eq!(map.field("x-key"), Field::One(b"1".to_vec()));
        map.add("x-key", b"2");
        assert_eq!(map.field("x-key"), Field::Many(vec![b"1".to_vec(), b"2".to_vec()]));
        map.set("X-KEY", b"3");
        assert_eq!(map.field("x-key"), Field::One(b"3".to_vec()));
        map.remove("x-key");
        assert_eq!(map.field("x-key"), Field::Absent);
    }
}
