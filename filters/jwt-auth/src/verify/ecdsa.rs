//! ECDSA (RFC 7518 section 3.4; FIPS 186-5 section 6.4).

use kit::host::Signature;
use p256::ecdsa::signature::Verifier;

use super::der;
use super::host::HostVerifier;
use crate::algorithm::Algorithm;

/// The curves, each of which has one algorithm.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Curve {
    /// P-256, with SHA-256.
    P256,
    /// P-384, with SHA-384.
    P384,
    /// P-521, with SHA-512.
    P521,
}

impl Curve {
    /// Returns the curve of a name (RFC 7518 section 6.2.1.1).
    pub(crate) fn from_name(name: &str) -> Option<Self> {
        match name {
            "P-256" => Some(Self::P256),
            "P-384" => Some(Self::P384),
            "P-521" => Some(Self::P521),
            _ => None,
        }
    }

    fn algorithm(self) -> Algorithm {
        match self {
            Self::P256 => Algorithm::Es256,
            Self::P384 => Algorithm::Es384,
            Self::P521 => Algorithm::Es512,
        }
    }

    /// How many octets a coordinate has, and either number of a signature.
    fn length(self) -> usize {
        match self {
            Self::P256 => 32,
            Self::P384 => 48,
            Self::P521 => 66,
        }
    }

    fn hash(self) -> &'static str {
        match self {
            Self::P256 => "sha256",
            Self::P384 => "sha384",
            Self::P521 => "sha512",
        }
    }

    /// The object identifier of the curve (RFC 5480 section 2.1.1.1).
    fn oid(self) -> &'static [u8] {
        match self {
            Self::P256 => &[0x2a, 0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07],
            Self::P384 => &[0x2b, 0x81, 0x04, 0x00, 0x22],
            Self::P521 => &[0x2b, 0x81, 0x04, 0x00, 0x23],
        }
    }
}

/// A point that is the public key of somebody.
pub(crate) struct EcKey {
    curve: Curve,
    point: Point,
    /// The key as hosts read it.
    spki: Vec<u8>,
}

enum Point {
    P256(p256::ecdsa::VerifyingKey),
    P384(p384::ecdsa::VerifyingKey),
    P521(p521::ecdsa::VerifyingKey),
}

impl EcKey {
    /// Makes a key of its coordinates.
    ///
    /// # Errors
    ///
    /// Why nothing may be verified with it, in words.
    pub(crate) fn new(curve: Curve, x: &[u8], y: &[u8]) -> Result<Self, String> {
        // A shorter one would be padded by some readers and refused by others (RFC 7518 section 6.2.1.2).
        let length = curve.length();
        if x.len() != length || y.len() != length {
            return Err(format!("its coordinates have {} and {} octets, not {length}", x.len(), y.len()));
        }
        // The uncompressed form of a point (SEC 1 section 2.3.3).
        let octets = [&[4], x, y].concat();
        let point = match curve {
            Curve::P256 => p256::ecdsa::VerifyingKey::from_sec1_bytes(&octets).map(Point::P256),
            Curve::P384 => p384::ecdsa::VerifyingKey::from_sec1_bytes(&octets).map(Point::P384),
            Curve::P521 => p521::ecdsa::VerifyingKey::from_sec1_bytes(&octets).map(Point::P521),
        };
        let point = point.map_err(|_error| String::from("its point is not on its curve"))?;
        Ok(Self { curve, point, spki: der::ec_key(curve.oid(), &octets) })
    }

    /// Tells whether this key can make signatures of an algorithm.
    pub(crate) fn fits(&self, algorithm: Algorithm) -> bool {
        self.curve.algorithm() == algorithm
    }

    /// Tells whether this key made a signature with the algorithm of its curve.
    pub(crate) fn verify(&self, text: &[u8], signature: &[u8], host: Option<HostVerifier<'_>>) -> bool {
        let by_host = || self.ask(text, signature, host?);
        match &self.point {
            Point::P256(key) => is_good::<p256::ecdsa::Signature, _>(key, text, signature, by_host),
            Point::P384(key) => is_good::<p384::ecdsa::Signature, _>(key, text, signature, by_host),
            Point::P521(key) => is_good::<p521::ecdsa::Signature, _>(key, text, signature, by_host),
        }
    }

    /// Asks a host about a signature that has the right length. None if it can't tell.
    pub(super) fn ask(&self, text: &[u8], signature: &[u8], host: HostVerifier<'_>) -> Option<bool> {
        let (r, s) = signature.split_at_checked(self.curve.length())?;
        let signature = &der::ecdsa_signature(r, s);
        let able = |able: super::Abilities| match self.curve {
            Curve::P256 => able.p256,
            Curve::P384 => able.p384,
            Curve::P521 => able.p521,
        };
        host.ask(able, &Signature { hash: self.curve.hash(), key: &self.spki, signature, text })
    }
}

/// Reads a signature, then asks the host, then calculates.
fn is_good<S, K>(key: &K, text: &[u8], signature: &[u8], by_host: impl FnOnce() -> Option<bool>) -> bool
where
    S: for<'a> TryFrom<&'a [u8]>,
    K: Verifier<S>,
{
    // Two numbers of full length, r and s, both at least 1 and less than the order of the curve: a zero is
    // the signature of everything where it is let through. An s in the upper half is as good as its negative.
    let Ok(parsed) = S::try_from(signature) else { return false };
    by_host().unwrap_or_else(|| key.verify(text, &parsed).is_ok())
}
