//! Where a request carries its token, and how the token is taken out of it.

use kit::config::Node;
use kit::exchange::Exchange;
use kit::header::{Field, Found, Lookup, parse_name};
use kit::host::Map;
use kit::key::cookie;
use kit::path::query;

use crate::reason::Reason;

/// A place where a token may be.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) enum Place {
    /// The `authorization` header, behind this scheme (RFC 6750 section 2.1).
    Authorization(String),
    /// A header that is nothing but the token.
    Header(String),
    /// A cookie.
    Cookie(String),
    /// A parameter of the query (RFC 6750 section 2.3).
    Query(String),
}

impl Place {
    /// Parses `{authorization: Bearer}`, `{header: x-jwt}`, `{cookie: sid}` or `{query: access_token}`.
    pub(crate) fn parse(node: &Node<'_>) -> Option<Self> {
        let (kind, node) = node.object()?.one_of(
            &["authorization", "header", "cookie", "query"],
            "needs one of authorization, header, cookie, query",
            "names several places; give each its own element of the list",
        )?;
        let text = node.non_empty_text()?;
        match kind {
            "authorization" if text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-') => {
                Some(Self::Authorization(text.to_owned()))
            }
            "authorization" => {
                node.refuse("is not a scheme: letters, digits and - (example: Bearer)");
                None
            }
            "header" => match parse_name(&node)?.as_str() {
                "authorization" => {
                    node.refuse("has a scheme before the token; write {authorization: Bearer}");
                    None
                }
                "cookie" => {
                    node.refuse("is all cookies at once; write {cookie: name}");
                    None
                }
                name => Some(Self::Header(name.to_owned())),
            },
            "cookie" => Some(Self::Cookie(text.to_owned())),
            _ => Some(Self::Query(text.to_owned())),
        }
    }

    /// Returns what stands in this place, as often as it stands there.
    fn find(&self, request: &dyn Lookup) -> Result<Field, Reason> {
        Ok(match self {
            Self::Authorization(scheme) => return authorization(request, scheme),
            Self::Header(name) => request.header(name),
            Self::Cookie(name) => cookie::field(&request.header("cookie"), name),
            Self::Query(name) => match request.header(":path") {
                Field::One(path) => query::field(&path, name),
                Field::Absent | Field::Many(_) => Field::Absent,
            },
        })
    }

    /// Takes the token out of the request, so that no upstream sees it.
    fn strip(&self, exchange: &mut Exchange<'_>) {
        match self {
            Self::Authorization(scheme) => {
                if authorization(exchange, scheme) != Ok(Field::Absent) {
                    exchange.remove_header(Map::Request, "authorization");
                }
            }
            Self::Header(name) => {
                if exchange.header(name) != Field::Absent {
                    exchange.remove_header(Map::Request, name);
                }
            }
            Self::Cookie(name) => {
                let field = exchange.header("cookie");
                if cookie::field(&field, name) == Field::Absent {
                    return;
                }
                exchange.remove_header(Map::Request, "cookie");
                for rest in field.values().iter().filter_map(|header| cookie::without(header, name)) {
                    exchange.add_header(Map::Request, "cookie", &rest);
                }
            }
            Self::Query(name) => {
                if let Field::One(path) = exchange.header(":path")
                    && query::field(&path, name) != Field::Absent
                {
                    exchange.set_header(Map::Request, ":path", &query::without(&path, name));
                }
            }
        }
    }
}

/// Returns the token of a request; none if there is none.
///
/// # Errors
///
/// [`Reason::Several`] if there are two that differ: servers behind may take the other one for true.
pub(crate) fn find(places: &[Place], request: &dyn Lookup) -> Result<Option<Vec<u8>>, Reason> {
    let mut found: Option<Vec<u8>> = None;
    for place in places {
        match (place.find(request)?, &found) {
            (Field::Absent, _) => {}
            (Field::One(token), None) => found = Some(token),
            (Field::One(token), Some(other)) if token == *other => {}
            (Field::One(_) | Field::Many(_), _) => return Err(Reason::Several),
        }
    }
    Ok(found)
}

/// Takes tokens out of the request, wherever they may be.
pub(crate) fn strip(places: &[Place], exchange: &mut Exchange<'_>) {
    for place in places {
        place.strip(exchange);
    }
}

/// Returns the token behind a scheme; none if the field is about another scheme, or empty.
///
/// Envoy joins several `authorization` headers by commas before it runs filters, and neither a token nor the
/// credentials of a scheme with one piece has commas: so a comma beside the scheme means that there were two.
fn authorization(request: &dyn Lookup, scheme: &str) -> Result<Field, Reason> {
    let has_token = |value: &[u8]| {
        let mut pieces = value.split(|byte| *byte == b',');
        pieces.any(|piece| token_start(piece.trim_ascii(), scheme).is_some())
    };
    let several = match request.find("authorization") {
        Found::Absent => false,
        Found::One(value) if value.contains(&b',') => has_token(&value),
        Found::One(value) => {
            let token = token_start(&value, scheme).and_then(|start| value.get(start..));
            return Ok(token.map_or(Field::Absent, |token| Field::One(token.to_vec())));
        }
        Found::Many => request.header("authorization").values().iter().any(|value| has_token(value)),
    };
    if several { Err(Reason::Several) } else { Ok(Field::Absent) }
}

/// Returns where the token begins: behind the scheme, whose case doesn't matter (RFC 9110 section 11.4), and spaces.
///
/// Servers that take a header apart at white space know more of it than one space: tabs, and even U+00A0. So whatever
/// can't be in a name is none of the scheme; what then isn't white space in ASCII makes a token that nobody accepts.
fn token_start(text: &[u8], scheme: &str) -> Option<usize> {
    let first = text.iter().position(|byte| is_of_name(*byte))?;
    let (start, rest) = text.get(first..)?.split_at_checked(scheme.len())?;
    let is_scheme = start.eq_ignore_ascii_case(scheme.as_bytes());
    let separated = rest.first().is_none_or(|byte| !is_of_name(*byte));
    let token = rest.trim_ascii_start();
    (is_scheme && separated).then(|| text.len().saturating_sub(token.len()))
}

/// Tells whether a byte can be in the name of a scheme (`token` in RFC 9110 section 5.6.2).
fn is_of_name(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte)
}

#[cfg(test)]
mod tests {
    use super::*;
    #[cfg(target_arch = "wasm32")]
    use wasm_bindgen_test::wasm_bindgen_test as test;

    struct Headers(Vec<(&'static str, &'static str)>);

    impl Lookup for Headers {
        fn header(&self, name: &str) -> Field {
            self.0
                .iter()
                .filter(|(key, _)| *key == name)
                .map(|(_, value)| value.as_bytes().to_vec())
                .collect()
        }

        fn property(&self, _: &[&str]) -> Option<Vec<u8>> {
            None
        }
    }

    fn look(headers: &[(&'static str, &'static str)]) -> Result<Option<String>, Reason> {
        let places = [
            Place::Authorization("Bearer".to_owned()),
            Place::Header("x-jwt".to_owned()),
            Place::Cookie("sid".to_owned()),
            Place::Query("access_token".to_owned()),
        ];
        let found = find(&places, &Headers(headers.to_vec()))?;
        Ok(found.map(|token| String::from_utf8(token).unwrap()))
    }

    #[test]
    fn a_token_is_found_in_each_place() {
        for headers in [
            ("authorization", "Bearer a.b.c"),
            ("authorization", "bearer   a.b.c"),
            ("authorization", "BEARER a.b.c"),
            ("x-jwt", "a.b.c"),
            ("cookie", "x=1; sid=a.b.c"),
            (":path", "/x?y=1&access_token=a.b.c"),
            (":path", "/x?access%5ftoken=a%2eb.c"),
        ] {
            assert_eq!(look(&[headers]), Ok(Some("a.b.c".to_owned())), "{headers:?}");
        }
    }

    #[test]
    fn what_is_about_another_scheme_is_no_token() {
        for value in ["Basic dTpw", "Bearers a.b.c", "Bear", "", "Digest a=b, c=d", "Basic x, Digest y"] {
            assert_eq!(look(&[("authorization", value)]), Ok(None), "{value}");
        }
        assert_eq!(look(&[]), Ok(None));
    }

    #[test]
    fn any_white_space_separates_a_scheme_from_its_token() {
        for value in ["Bearer\ta.b.c", "Bearer \t a.b.c", "Bearer\u{c}a.b.c", "\tBearer\ta.b.c"] {
            assert_eq!(look(&[("authorization", value)]), Ok(Some("a.b.c".to_owned())), "{value:?}");
        }
        // What only some servers take for white space is not passed over.
        for value in ["Bearer\u{a0}a", "Bearer\u{b}a", "\u{a0}Bearer:a", "Bearer=a", "Bearer\"a"] {
            assert_ne!(look(&[("authorization", value)]), Ok(None), "{value:?}");
            assert_ne!(look(&[("authorization", value)]), Ok(Some("a".to_owned())), "{value:?}");
        }
        assert_eq!(look(&[("authorization", "Bearer\ta,\tBearer\tb")]), Err(Reason::Several));
        assert_eq!(look(&[("authorization", "Basic x,\tBearer\ta")]), Err(Reason::Several));
    }

    #[test]
    fn a_scheme_without_a_token_is_an_empty_token() {
        assert_eq!(look(&[("authorization", "Bearer")]), Ok(Some(String::new())));
        assert_eq!(look(&[("authorization", "Bearer ")]), Ok(Some(String::new())));
    }

    #[test]
    fn two_different_tokens_are_refused_wherever_they_are_and_however_they_were_joined() {
        let cases: [&[(&str, &str)]; 10] = [
            &[("authorization", "Bearer a,Bearer b")],
            &[("authorization", "Bearer a, b")],
            &[("authorization", "Bearer a,")],
            &[("authorization", "Basic x,Bearer a")],
            &[("authorization", "Bearer a"), ("authorization", "Bearer b")],
            &[("authorization", "Bearer a"), ("x-jwt", "b")],
            &[("x-jwt", "a"), ("x-jwt", "b")],
            &[("cookie", "sid=a; sid=b")],
            &[(":path", "/?access_token=a&access_token=b")],
            &[("cookie", "sid=a"), (":path", "/?access_token=b")],
        ];
        for headers in cases {
            assert_eq!(look(headers), Err(Reason::Several), "{headers:?}");
        }
    }

    #[test]
    fn the_same_token_in_two_places_is_one() {
        assert_eq!(look(&[("authorization", "Bearer a"), ("cookie", "sid=a")]), Ok(Some("a".to_owned())));
    }
}
