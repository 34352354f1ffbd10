//! Keys and signatures in DER (X.690), as hosts read them: the five kinds of elements that it takes.
//!
//! The encoders of the crates would be 30 KB of the module, a tenth of all that verifies. What is read has to be what
//! would be written: each value has one form, and nothing is behind it.

const INTEGER: u8 = 0x02;
const BIT_STRING: u8 = 0x03;
const NULL: u8 = 0x05;
const OID: u8 = 0x06;
const SEQUENCE: u8 = 0x30;

/// 1.2.840.113549.1.1.1
const RSA: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x01];

/// 1.2.840.10045.2.1
const EC: &[u8] = &[0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01];

/// Returns the `SubjectPublicKeyInfo` of an RSA key (RFC 3279 section 2.3.1).
pub(super) fn rsa_key(modulus: &[u8], exponent: &[u8]) -> Vec<u8> {
    let key = element(SEQUENCE, &[&integer(modulus), &integer(exponent)]);
    public_key(&[&element(OID, &[RSA]), &element(NULL, &[])], &key)
}

/// Returns the `SubjectPublicKeyInfo` of a point on a curve (RFC 5480 section 2).
pub(super) fn ec_key(curve: &[u8], point: &[u8]) -> Vec<u8> {
    public_key(&[&ec_algorithm(curve)], point)
}

/// Returns the `ECDSA-Sig-Value` of two numbers (RFC 3279 section 2.2.3).
pub(super) fn ecdsa_signature(r: &[u8], s: &[u8]) -> Vec<u8> {
    element(SEQUENCE, &[&integer(r), &integer(s)])
}

/// Reads the `SubjectPublicKeyInfo` of a point on a curve. None if it isn't one in DER; and no point if it is of another
/// kind of key, or of another curve.
pub(super) fn read_ec_key<'a>(curve: &[u8], spki: &'a [u8]) -> Option<Option<&'a [u8]>> {
    let (algorithm, rest) = take(SEQUENCE, only(SEQUENCE, spki)?)?;
    let (unused, point) = only(BIT_STRING, rest)?.split_first()?;
    // Octets are whole, here as in what is written.
    (*unused == 0).then(|| (algorithm == ec_algorithm(curve)).then_some(point))
}

/// Reads an `ECDSA-Sig-Value`: two numbers above zero, which begin with no zeros.
pub(super) fn read_ecdsa_signature(signature: &[u8]) -> Option<(&[u8], &[u8])> {
    let (r, rest) = take(INTEGER, only(SEQUENCE, signature)?)?;
    Some((positive(r)?, positive(only(INTEGER, rest)?)?))
}

/// Returns the content of the algorithm identifier of a key on a curve (RFC 5480 section 2.1.1).
fn ec_algorithm(curve: &[u8]) -> Vec<u8> {
    [element(OID, &[EC]), element(OID, &[curve])].concat()
}

/// Returns a `SubjectPublicKeyInfo` (RFC 5280 section 4.1).
fn public_key(algorithm: &[&[u8]], key: &[u8]) -> Vec<u8> {
    // The octet before the bits says how many of the last octet are none of them.
    element(SEQUENCE, &[&element(SEQUENCE, algorithm), &element(BIT_STRING, &[&[0], key])])
}

/// Returns a number above zero, which has as few octets as show that it isn't negative.
fn integer(number: &[u8]) -> Vec<u8> {
    let zeros = number.iter().take_while(|octet| **octet == 0).count();
    let number = number.get(zeros..).unwrap_or_default();
    let sign: &[u8] = if number.first().is_some_and(|first| *first < 0x80) { &[] } else { &[0] };
    element(INTEGER, &[sign, number])
}

/// Joins the parts of an element, of less than 64 KiB together: keys and signatures are far shorter.
fn element(tag: u8, parts: &[&[u8]]) -> Vec<u8> {
    let content = parts.concat();
    let [high, low] = u16::try_from(content.len()).unwrap_or(u16::MAX).to_be_bytes();
    let head: &[u8] = match (high, low) {
        (0, ..0x80) => &[tag, low],
        (0, _) => &[tag, 0x81, low],
        (_, _) => &[tag, 0x82, high, low],
    };
    [head, &content].concat()
}

/// Takes an element off the front: its content, and what is behind it. Its length is written in the shortest way; no
/// key and no signature has 64 KiB.
fn take(tag: u8, octets: &[u8]) -> Option<(&[u8], &[u8])> {
    let (found, length, rest) = match octets {
        [found, length @ 0..=0x7f, rest @ ..] => (*found, usize::from(*length), rest),
        [found, 0x81, length @ 0x80..=0xff, rest @ ..] => (*found, usize::from(*length), rest),
        [found, 0x82, high @ 1..=0xff, low, rest @ ..] => {
            (*found, usize::from(u16::from_be_bytes([*high, *low])), rest)
        }
        _ => return None,
    };
    if found == tag { rest.split_at_checked(length) } else { None }
}

/// Returns the content of an element that nothing is behind.
fn only(tag: u8, octets: &[u8]) -> Option<&[u8]> {
    take(tag, octets).filter(|(_, rest)| rest.is_empty()).map(|(content, _)| content)
}

/// Returns a number above zero without the octet that only shows that it isn't negative. None if it is zero or negative,
/// or has more octets than it takes.
fn positive(content: &[u8]) -> Option<&[u8]> {
    match content {
        [0, number @ ..] if number.first().is_some_and(|first| *first >= 0x80) => Some(number),
        [1..=0x7f, ..] => Some(content),
        _ => None,
    }
}

#[cfg(test)]
mod tests;
