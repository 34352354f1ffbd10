//! A host that verifies signatures, some twenty times as fast as a module can, and what it was found able to.

use base64ct::{Base64UrlUnpadded, Encoding};
use kit::host::Signature;

use self::samples::EcSample;
use super::ecdsa::{Curve, EcKey};
use super::rsa::RsaKey;

mod samples;

/// Has a host verify a signature. None if it can't tell.
pub(crate) type HostVerify<'a> = dyn Fn(&Signature<'_>) -> Option<bool> + 'a;

/// A host that verifies the signatures that it is known to be able to.
#[derive(Clone, Copy)]
pub(crate) struct HostVerifier<'a> {
    verify: &'a HostVerify<'a>,
    abilities: Abilities,
}

impl<'a> HostVerifier<'a> {
    /// Takes a host, and what [`Abilities::probe`] found.
    pub(crate) fn new(verify: &'a HostVerify<'a>, abilities: Abilities) -> Self {
        Self { verify, abilities }
    }

    /// Asks about a signature, if the host is able to tell.
    pub(super) fn ask(self, able: impl FnOnce(Abilities) -> bool, signature: &Signature<'_>) -> Option<bool> {
        if able(self.abilities) { (self.verify)(signature) } else { None }
    }
}

/// What a host is able to verify.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(crate) struct Abilities {
    /// RSA with PKCS #1 v1.5.
    pub(crate) rsa: bool,
    /// ECDSA on P-256.
    pub(crate) p256: bool,
    /// ECDSA on P-384.
    pub(crate) p384: bool,
    /// ECDSA on P-521.
    pub(crate) p521: bool,
}

impl Abilities {
    const ALL: Self = Self { rsa: true, p256: true, p384: true, p521: true };

    /// Finds out what a host is able to: of each kind, it must know a good signature from an altered one.
    ///
    /// A host that says yes to everything would let everybody in, and one that says no to everything nobody.
    pub(crate) fn probe(verify: &HostVerify<'_>) -> Self {
        let host = HostVerifier::new(verify, Self::ALL);
        Self {
            rsa: probe_rsa(host).is_some(),
            p256: probe_ec(Curve::P256, &samples::P256, host).is_some(),
            p384: probe_ec(Curve::P384, &samples::P384, host).is_some(),
            p521: probe_ec(Curve::P521, &samples::P521, host).is_some(),
        }
    }
}

fn probe_rsa(host: HostVerifier<'_>) -> Option<()> {
    let key = RsaKey::new(&octets(samples::RSA.modulus)?, &[1, 0, 1]).ok()?;
    let knows = |signature: &[u8]| key.ask("sha256", samples::RSA.text, signature, host);
    tells_apart(knows, octets(samples::RSA.signature)?)
}

fn probe_ec(curve: Curve, sample: &EcSample, host: HostVerifier<'_>) -> Option<()> {
    let key = EcKey::new(curve, &octets(sample.x)?, &octets(sample.y)?).ok()?;
    let knows = |signature: &[u8]| key.ask(samples::EC_TEXT, signature, host);
    tells_apart(knows, octets(sample.signature)?)
}

fn tells_apart(knows: impl Fn(&[u8]) -> Option<bool>, mut signature: Vec<u8>) -> Option<()> {
    let good = knows(&signature)?;
    *signature.last_mut()? ^= 1;
    let altered = knows(&signature)?;
    (good && !altered).then_some(())
}

fn octets(text: &str) -> Option<Vec<u8>> {
    Base64UrlUnpadded::decode_vec(text).ok()
}
