//! RSA (RFC 8017 sections 8.1.2 and 8.2.2).

use std::ops::{Range, RangeInclusive};

use rsa::{BoxedUint, Pkcs1v15Sign, Pss, RsaPublicKey};
use sha2::digest::const_oid::AssociatedOid;
use sha2::{Digest, Sha256, Sha384, Sha512};

use super::der;
use super::hash::Hash;
use super::host::{HostVerifier, Kind};
use crate::host::Signature;

/// The lengths of a modulus in bits: at least what RFC 7518 asks for, at most what one verification may cost.
const BITS: RangeInclusive<usize> = 2048..=8192;

/// The public exponents: 1 is no secret at all, and one without a bound is a way to keep the proxy busy.
const EXPONENTS: Range<u64> = 3..1 << 33;

/// How the hash of a text becomes a number as long as the modulus.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Padding {
    /// RSASSA-PKCS1-v1_5 (RFC 8017 section 8.2), the older one, which hosts know.
    Pkcs1,
    /// RSASSA-PSS (RFC 8017 section 8.1), with a salt as long as the hash, and a mask made with the same hash
    /// (RFC 7518 section 3.5). No host knows it.
    Pss,
}

/// An RSA key.
#[derive(Debug)]
pub struct RsaKey {
    key: RsaPublicKey,
    /// The modulus, whose first octet isn't zero.
    modulus: Vec<u8>,
    /// The key as hosts read it.
    spki: Vec<u8>,
}

impl RsaKey {
    /// Makes a key of its modulus, of 2048 to 8192 bits, and its public exponent, an odd number from 3 to 2^33; in
    /// either, zeros at the front count nothing.
    ///
    /// # Errors
    ///
    /// Why nothing may be verified with it, in words.
    pub fn new(modulus: &[u8], exponent: &[u8]) -> Result<Self, String> {
        let (modulus, exponent) = (significant(modulus), significant(exponent));
        let bits = bits(modulus);
        if !BITS.contains(&bits) {
            return Err(format!("its modulus has {bits} bits, not {} to {}", BITS.start(), BITS.end()));
        }
        if !number(exponent).is_some_and(|number| EXPONENTS.contains(&number) && number & 1 == 1) {
            return Err(String::from("its exponent is not an odd number from 3 to 2^33"));
        }
        let [n, e] = [modulus, exponent].map(BoxedUint::from_be_slice_vartime);
        let key = RsaPublicKey::new(n, e).map_err(|error| format!("its modulus is refused: {error}"))?;
        Ok(Self { key, modulus: modulus.to_vec(), spki: spki(modulus, exponent) })
    }

    /// Tells whether this key made a signature: as long as the modulus, and less than it.
    pub fn verify(
        &self,
        padding: Padding,
        hash: Hash,
        text: &[u8],
        signature: &[u8],
        host: Option<HostVerifier<'_>>,
    ) -> bool {
        // As long as the modulus, and smaller: if s is a signature, then s + n isn't another one.
        if signature.len() != self.modulus.len() || signature >= self.modulus.as_slice() {
            return false;
        }
        let by_host = || ask(hash, &self.spki, text, signature, host?);
        match (padding, hash) {
            (Padding::Pkcs1, Hash::Sha256) => {
                by_host().unwrap_or_else(|| self.pkcs1::<Sha256>(text, signature))
            }
            (Padding::Pkcs1, Hash::Sha384) => {
                by_host().unwrap_or_else(|| self.pkcs1::<Sha384>(text, signature))
            }
            (Padding::Pkcs1, Hash::Sha512) => {
                by_host().unwrap_or_else(|| self.pkcs1::<Sha512>(text, signature))
            }
            // Hosts know the older padding only.
            (Padding::Pss, Hash::Sha256) => {
                self.is_good(Pss::<Sha256>::new(), &Sha256::digest(text), signature)
            }
            (Padding::Pss, Hash::Sha384) => {
                self.is_good(Pss::<Sha384>::new(), &Sha384::digest(text), signature)
            }
            (Padding::Pss, Hash::Sha512) => {
                self.is_good(Pss::<Sha512>::new(), &Sha512::digest(text), signature)
            }
        }
    }

    fn pkcs1<D: Digest + AssociatedOid>(&self, text: &[u8], signature: &[u8]) -> bool {
        self.is_good(Pkcs1v15Sign::new::<D>(), &D::digest(text), signature)
    }

    fn is_good(&self, scheme: impl rsa::traits::SignatureScheme, digest: &[u8], signature: &[u8]) -> bool {
        self.key.verify(scheme, digest, signature).is_ok()
    }
}

/// Returns a key as hosts read it.
pub(super) fn spki(modulus: &[u8], exponent: &[u8]) -> Vec<u8> {
    der::rsa_key(modulus, exponent)
}

/// Asks a host about a signature with the older padding. None if it can't tell.
pub(super) fn ask(
    hash: Hash,
    spki: &[u8],
    text: &[u8],
    signature: &[u8],
    host: HostVerifier<'_>,
) -> Option<bool> {
    host.ask(Kind::Rsa, &Signature { hash: hash.name(), key: spki, signature, text })
}

/// Returns a number without the zeros before it, which some issuers write (RFC 7518 section 6.3.1.1).
fn significant(number: &[u8]) -> &[u8] {
    let zeros = number.iter().take_while(|octet| **octet == 0).count();
    number.get(zeros..).unwrap_or_default()
}

/// Returns the length of a number whose first octet isn't zero.
fn bits(number: &[u8]) -> usize {
    let zeros = number.first().map_or(0, |octet| octet.leading_zeros());
    number.len().saturating_mul(8).saturating_sub(usize::try_from(zeros).unwrap_or(usize::MAX))
}

/// Reads a number that has room in 64 bits.
fn number(octets: &[u8]) -> Option<u64> {
    octets.iter().try_fold(0_u64, |number, octet| Some(number.checked_mul(256)? | u64::from(*octet)))
}
