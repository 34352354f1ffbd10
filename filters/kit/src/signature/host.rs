//! A host that verifies signatures, some twenty times as fast as a module can, and what it was found able to.

use self::samples::EcSample;
use super::ecdsa::Curve;
use super::hash::Hash;
use super::rsa;
use crate::host::Signature;
use base64ct::{Base64UrlUnpadded, Encoding};

mod samples;

/// Has a host verify a signature. None if it can't tell.
pub type HostVerify<'a> = dyn Fn(&Signature<'_>) -> Option<bool> + 'a;

/// A host that verifies the signatures that it is known to be able to.
#[derive(Clone, Copy)]
pub struct HostVerifier<'a> {
    verify: &'a HostVerify<'a>,
    abilities: Abilities,
}

impl<'a> HostVerifier<'a> {
    /// Takes a host, and what [`Abilities::probe`] found.
    pub fn new(verify: &'a HostVerify<'a>, abilities: Abilities) -> Self {
        Self { verify, abilities }
    }

    /// Asks about a signature, if the host is able to tell.
    pub(super) fn ask(self, kind: Kind, signature: &Signature<'_>) -> Option<bool> {
        if self.abilities.has(kind) { (self.verify)(signature) } else { None }
    }
}

/// A kind of signatures that a host may know.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Kind {
    /// RSA with PKCS #1 v1.5.
    Rsa,
    /// ECDSA on P-256.
    P256,
    /// ECDSA on P-384.
    P384,
    /// ECDSA on P-521.
    P521,
}

impl Kind {
    /// Every kind.
    pub const ALL: [Self; 4] = [Self::Rsa, Self::P256, Self::P384, Self::P521];
}

/// What a host is able to verify.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Abilities {
    /// [`Kind::Rsa`].
    pub rsa: bool,
    /// [`Kind::P256`].
    pub p256: bool,
    /// [`Kind::P384`].
    pub p384: bool,
    /// [`Kind::P521`].
    pub p521: bool,
}

impl Abilities {
    /// Finds out which of these kinds a host is able to verify: of each, it must know a good signature from an altered
    /// one. It isn't asked about other kinds, and counts as unable to verify them.
    ///
    /// A host that says yes to everything would let everybody in, and one that says no to everything nobody.
    pub fn probe(kinds: &[Kind], verify: &HostVerify<'_>) -> Self {
        let mut found = Self::default();
        for kind in kinds {
            *found.of(*kind) = tells_apart(*kind, verify).is_some();
        }
        found
    }

    /// Tells whether a kind is among them.
    pub fn has(mut self, kind: Kind) -> bool {
        *self.of(kind)
    }

    fn of(&mut self, kind: Kind) -> &mut bool {
        match kind {
            Kind::Rsa => &mut self.rsa,
            Kind::P256 => &mut self.p256,
            Kind::P384 => &mut self.p384,
            Kind::P521 => &mut self.p521,
        }
    }
}

/// Shows a host a good signature, and one of which a bit is another. It takes none of the module's own arithmetic.
fn tells_apart(kind: Kind, verify: &HostVerify<'_>) -> Option<()> {
    let mut able = Abilities::default();
    *able.of(kind) = true;
    let host = HostVerifier::new(verify, able);
    match kind {
        Kind::Rsa => {
            let key = rsa::spki(&octets(samples::RSA.modulus)?, &[1, 0, 1]);
            let knows = |signature: &[u8]| rsa::ask(Hash::Sha256, &key, samples::RSA.text, signature, host);
            good_and_altered(knows, octets(samples::RSA.signature)?)
        }
        Kind::P256 => on_curve(Curve::P256, &samples::P256, host),
        Kind::P384 => on_curve(Curve::P384, &samples::P384, host),
        Kind::P521 => on_curve(Curve::P521, &samples::P521, host),
    }
}

fn on_curve(curve: Curve, sample: &EcSample, host: HostVerifier<'_>) -> Option<()> {
    let key = curve.spki(&octets(sample.x)?, &octets(sample.y)?);
    let knows = |signature: &[u8]| curve.ask(&key, samples::EC_TEXT, signature, host);
    good_and_altered(knows, octets(sample.signature)?)
}

fn good_and_altered(knows: impl Fn(&[u8]) -> Option<bool>, mut signature: Vec<u8>) -> Option<()> {
    let good = knows(&signature)?;
    *signature.last_mut()? ^= 1;
    let altered = knows(&signature)?;
    (good && !altered).then_some(())
}

fn octets(text: &str) -> Option<Vec<u8>> {
    Base64UrlUnpadded::decode_vec(text).ok()
}

#[cfg(test)]
mod tests;
