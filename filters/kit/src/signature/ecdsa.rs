//! ECDSA (FIPS 186-5 section 6.4).

use std::fmt;

use p256::ecdsa::signature::{Error, Verifier};

use super::der;
use super::hash::Hash;
use super::host::{HostVerifier, Kind};
use crate::host::Signature;

/// The curves, on each of which texts are hashed in one way (RFC 7518 section 3.4).
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Curve {
    /// P-256, with SHA-256.
    P256,
    /// P-384, with SHA-384.
    P384,
    /// P-521, with SHA-512.
    P521,
}

impl Curve {
    /// Returns the curve of a name (RFC 7518 section 6.2.1.1).
    pub fn from_name(name: &str) -> Option<Self> {
        [Self::P256, Self::P384, Self::P521].into_iter().find(|curve| curve.name() == name)
    }

    /// Returns the name: `P-256`, `P-384` or `P-521`.
    pub fn name(self) -> &'static str {
        match self {
            Self::P256 => "P-256",
            Self::P384 => "P-384",
            Self::P521 => "P-521",
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

    fn hash(self) -> Hash {
        match self {
            Self::P256 => Hash::Sha256,
            Self::P384 => Hash::Sha384,
            Self::P521 => Hash::Sha512,
        }
    }

    fn kind(self) -> Kind {
        match self {
            Self::P256 => Kind::P256,
            Self::P384 => Kind::P384,
            Self::P521 => Kind::P521,
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

    /// Returns the key of these coordinates as hosts read it.
    pub(super) fn spki(self, x: &[u8], y: &[u8]) -> Vec<u8> {
        der::ec_key(self.oid(), &uncompressed(x, y))
    }

    /// Asks a host about a signature that has the right length. None if it can't tell.
    pub(super) fn ask(
        self,
        spki: &[u8],
        text: &[u8],
        signature: &[u8],
        host: HostVerifier<'_>,
    ) -> Option<bool> {
        let (r, s) = signature.split_at_checked(self.length())?;
        let signature = &der::ecdsa_signature(r, s);
        host.ask(self.kind(), &Signature { hash: self.hash().name(), key: spki, signature, text })
    }

    /// Reads a signature in DER into two numbers of full length, joined. None if it isn't one.
    fn numbers(self, signature: &[u8]) -> Option<Vec<u8>> {
        let (r, s) = der::read_ecdsa_signature(signature)?;
        let zeros = |number: &[u8]| Some(vec![0; self.length().checked_sub(number.len())?]);
        Some([&zeros(r)?, r, &zeros(s)?, s].concat())
    }
}

/// A point that is the public key of somebody.
pub struct EcKey {
    curve: Curve,
    arithmetic: Box<Arithmetic>,
    /// The key as hosts read it.
    spki: Vec<u8>,
}

/// Tells whether a key made the signature of a text, unless a host tells. It is behind a pointer so that a module has
/// the arithmetic of those curves only that it may read a key of.
type Arithmetic = dyn Fn(&[u8], &[u8], &dyn Fn() -> Option<bool>) -> bool;

impl EcKey {
    /// Makes a key of its coordinates, each of which has the full length: 32 octets on P-256, 48 on P-384, 66 on P-521.
    ///
    /// # Errors
    ///
    /// Why nothing may be verified with it, in words.
    pub fn new(curve: Curve, x: &[u8], y: &[u8]) -> Result<Self, String> {
        // A shorter one would be padded by some readers and refused by others (RFC 7518 section 6.2.1.2).
        let length = curve.length();
        if x.len() != length || y.len() != length {
            return Err(format!("its coordinates have {} and {} octets, not {length}", x.len(), y.len()));
        }
        Self::at(curve, &uncompressed(x, y))
    }

    /// Makes a key of its `SubjectPublicKeyInfo` in DER (RFC 5480 section 2): that of this curve by its name, whose
    /// point may be compressed. What isn't in DER to the last octet is refused.
    ///
    /// # Errors
    ///
    /// Why nothing may be verified with it, in words.
    pub fn from_spki(curve: Curve, der: &[u8]) -> Result<Self, String> {
        let octets = der::read_ec_key(curve.oid(), der).ok_or("it is not a public key in DER")?;
        let octets = octets.ok_or_else(|| format!("it is not a key on {}", curve.name()))?;
        // Of the forms of SEC 1 section 2.3.4 the two that RFC 5480 section 2.2 names; some readers know more.
        let length = curve.length();
        match octets {
            [4, coordinates @ ..] if coordinates.len() == length.saturating_mul(2) => Self::at(curve, octets),
            [2 | 3, x @ ..] if x.len() == length => Self::at(curve, &decompressed(curve, octets)?),
            _ => Err(String::from("its point is neither compressed nor uncompressed")),
        }
    }

    /// Makes a key of a point with both coordinates.
    fn at(curve: Curve, point: &[u8]) -> Result<Self, String> {
        let arithmetic =
            match curve {
                Curve::P256 => p256::ecdsa::VerifyingKey::from_sec1_bytes(point)
                    .map(verifier::<p256::ecdsa::Signature, _>),
                Curve::P384 => p384::ecdsa::VerifyingKey::from_sec1_bytes(point)
                    .map(verifier::<p384::ecdsa::Signature, _>),
                Curve::P521 => p521::ecdsa::VerifyingKey::from_sec1_bytes(point)
                    .map(verifier::<p521::ecdsa::Signature, _>),
            };
        let arithmetic = arithmetic.map_err(not_on_curve)?;
        Ok(Self { curve, arithmetic, spki: der::ec_key(curve.oid(), point) })
    }

    /// Returns the curve that its point is on.
    pub fn curve(&self) -> Curve {
        self.curve
    }

    /// Tells whether this key made a signature, with the hash of its curve: two numbers of full length, joined
    /// (RFC 7518 section 3.4).
    pub fn verify(&self, text: &[u8], signature: &[u8], host: Option<HostVerifier<'_>>) -> bool {
        (self.arithmetic)(text, signature, &|| self.curve.ask(&self.spki, text, signature, host?))
    }

    /// Tells the same of a signature that is an `ECDSA-Sig-Value` in DER (RFC 3279 section 2.2.3). One that isn't in DER
    /// to the last octet is refused, though it be good but for its form.
    pub fn verify_der(&self, text: &[u8], signature: &[u8], host: Option<HostVerifier<'_>>) -> bool {
        self.curve.numbers(signature).is_some_and(|signature| self.verify(text, &signature, host))
    }
}

impl fmt::Debug for EcKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("EcKey").field("curve", &self.curve).field("spki", &self.spki).finish_non_exhaustive()
    }
}

/// Calculates the second coordinate of a point (SEC 1 section 2.3.4), and returns it with both.
fn decompressed(curve: Curve, point: &[u8]) -> Result<Vec<u8>, String> {
    let octets = match curve {
        Curve::P256 => p256::ecdsa::VerifyingKey::from_sec1_bytes(point)
            .map(|key| key.to_sec1_point(false).as_bytes().to_vec()),
        Curve::P384 => p384::ecdsa::VerifyingKey::from_sec1_bytes(point)
            .map(|key| key.to_sec1_point(false).as_bytes().to_vec()),
        Curve::P521 => p521::ecdsa::VerifyingKey::from_sec1_bytes(point)
            .map(|key| key.to_sec1_point(false).as_bytes().to_vec()),
    };
    octets.map_err(not_on_curve)
}

fn not_on_curve(_error: Error) -> String {
    String::from("its point is not on its curve")
}

/// Returns a point with both coordinates (SEC 1 section 2.3.3).
fn uncompressed(x: &[u8], y: &[u8]) -> Vec<u8> {
    [&[4], x, y].concat()
}

/// Reads a signature, then asks the host, then calculates.
fn verifier<S, K>(key: K) -> Box<Arithmetic>
where
    S: for<'a> TryFrom<&'a [u8]>,
    K: Verifier<S> + 'static,
{
    Box::new(move |text, signature, by_host| {
        // Two numbers of full length, r and s, both at least 1 and less than the order of the curve: a zero is
        // the signature of everything where it is let through. An s in the upper half is as good as its negative.
        let Ok(parsed) = S::try_from(signature) else { return false };
        by_host().unwrap_or_else(|| key.verify(text, &parsed).is_ok())
    })
}

#[cfg(test)]
mod tests;
