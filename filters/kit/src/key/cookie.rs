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
