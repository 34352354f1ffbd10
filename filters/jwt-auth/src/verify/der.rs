//! Keys and signatures in DER (X.690), as hosts read them: the five kinds of elements that it takes.
//!
//! The encoders of the crates would be 30 KB of the module, a tenth of all that verifies.

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
    public_key(&[&element(OID, &[EC]), &element(OID, &[curve])], point)
}

/// Returns the `ECDSA-Sig-Value` of two numbers (RFC 3279 section 2.2.3).
pub(super) fn ecdsa_signature(r: &[u8], s: &[u8]) -> Vec<u8> {
    element(SEQUENCE, &[&integer(r), &integer(s)])
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
