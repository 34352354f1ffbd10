//! Headers as they are on the wire: names without case, values as bytes, duplicates visible.

use crate::config::Node;

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
        self.entries
            .iter()
            .filter(|(key, _)| key == name.as_bytes())
            .map(|(_, value)| value.clone())
            .collect()
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

/// Reads headers in the form in which a proxy-wasm host hands them over: their number, the two lengths of each,
/// then each name and value, ended by a NUL. None if the form is broken.
pub fn parse_pairs(bytes: &[u8]) -> Option<Vec<(Vec<u8>, Vec<u8>)>> {
    let (count, rest) = bytes.split_first_chunk::<4>()?;
    let count = usize::try_from(u32::from_le_bytes(*count)).ok()?;
    let (sizes, mut rest) = rest.split_at_checked(count.checked_mul(8)?)?;
    let (sizes, _) = sizes.as_chunks::<4>();
    let mut take = |size: &[u8; 4]| {
        let (text, behind) = rest.split_at_checked(usize::try_from(u32::from_le_bytes(*size)).ok()?)?;
        rest = behind.split_first()?.1;
        Some(text.to_vec())
    };
    let mut sizes = sizes.iter();
    let mut pairs = Vec::with_capacity(count);
    while let (Some(name), Some(value)) = (sizes.next(), sizes.next()) {
        pairs.push((take(name)?, take(value)?));
    }
    Some(pairs)
}

/// Parses the name of a header: a token (RFC 9110, section 5.1), in lower case.
///
/// Pseudo-headers, and `host`, which Envoy turns into one, are refused.
pub fn parse_name(node: &Node<'_>) -> Option<String> {
    parse_name_or(node, "")
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
    use super::*;
    #[cfg(target_arch = "wasm32")]
    use wasm_bindgen_test::wasm_bindgen_test as test;

    #[test]
    fn reads_what_a_host_hands_over_and_nothing_broken() {
        let bytes = b"\x02\0\0\0\x01\0\0\0\x02\0\0\0\x01\0\0\0\0\0\0\0a\0\xff\xfe\0b\0\0";
        let pairs = vec![(b"a".to_vec(), b"\xff\xfe".to_vec()), (b"b".to_vec(), Vec::new())];
        assert_eq!(parse_pairs(bytes), Some(pairs));
        for end in 0..bytes.len() {
            assert_eq!(parse_pairs(&bytes[..end]), None, "cut at {end}");
        }
        assert_eq!(parse_pairs(&[0xff; 64]), None);
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
        let mut map = HeaderMap::new(vec![(b"X-Key".to_vec(), b"1".to_vec())]);
        assert_eq!(map.field("x-key"), Field::One(b"1".to_vec()));
        map.add("x-key", b"2");
        assert_eq!(map.field("x-key"), Field::Many(vec![b"1".to_vec(), b"2".to_vec()]));
        map.set("X-KEY", b"3");
        assert_eq!(map.field("x-key"), Field::One(b"3".to_vec()));
        map.remove("x-key");
        assert_eq!(map.field("x-key"), Field::Absent);
    }
}
