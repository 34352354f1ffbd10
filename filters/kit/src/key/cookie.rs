//! Cookies of a request.

use crate::header::Field;

/// Returns what the `cookie` headers say under one name (RFC 6265, section 4.2).
///
/// Several headers count as one: HTTP/2 allows clients to split them (RFC 9113, section 8.2.3). Values are bytes as
/// they came, quotes included; a pair without `=` is no cookie. A name that occurs twice, which a subdomain can
/// bring about, is seen twice.
pub fn field(headers: &Field, name: &str) -> Field {
    let pairs = headers.values().iter().flat_map(|header| header.split(|byte| *byte == b';'));
    let matching = pairs.filter_map(|pair| {
        let mut parts = pair.splitn(2, |byte| *byte == b'=');
        let key = parts.next()?.trim_ascii();
        let value = parts.next()?.trim_ascii();
        (key == name.as_bytes()).then(|| value.to_vec())
    });
    matching.collect()
}

/// Returns a `cookie` header without the pairs of one name, for whoever must not see their values; nothing at all if no
/// pair is left. Other pairs stay as they are.
pub fn without(header: &[u8], name: &str) -> Option<Vec<u8>> {
    let others = header.split(|byte| *byte == b';').filter(|pair| {
        let key = pair.splitn(2, |byte| *byte == b'=').next().unwrap_or_default();
        key.trim_ascii() != name.as_bytes()
    });
    let rest = others.collect::<Vec<_>>().join(&b';');
    let rest = rest.trim_ascii_start();
    (!rest.is_empty()).then(|| rest.to_vec())
}

#[cfg(test)]
mod tests {
    use super::*;
    #[cfg(target_arch = "wasm32")]
    use wasm_bindgen_test::wasm_bindgen_test as test;

    #[test]
    fn a_cookie_is_taken_out_and_the_others_stay_as_they_are() {
        for (header, expected) in [
            ("token=x", None),
            ("a=1; token=x", Some("a=1")),
            ("token=x; a=1", Some("a=1")),
            ("a=1; token=x; b=\"2\"", Some("a=1; b=\"2\"")),
            ("token=x;token=y ; tokens=z", Some("tokens=z")),
            ("token", None),
            ("a=token=x", Some("a=token=x")),
        ] {
            let rest = without(header.as_bytes(), "token").map(|rest| String::from_utf8(rest).unwrap());
            assert_eq!(rest.as_deref(), expected, "{header}");
        }
    }
}
