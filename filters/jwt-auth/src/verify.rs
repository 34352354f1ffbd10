//! Whether a key made a signature: by the host where it can tell, and else by this module's own arithmetic.

use kit::signature::HostVerifier;

use crate::algorithm::Algorithm;
use crate::jwk::{Key, Material};

pub(crate) mod mac;

impl Key {
    /// Tells whether this key made a signature with this algorithm.
    ///
    /// What isn't exactly a signature of its algorithm is refused before any host sees it; so both ways come to
    /// the same answer. RS and ES algorithms are those that a host can know.
    pub(crate) fn verify(
        &self,
        algorithm: Algorithm,
        text: &[u8],
        signature: &[u8],
        host: Option<HostVerifier<'_>>,
    ) -> bool {
        // Never an algorithm of another kind of key: a public key is no secret for HMAC.
        if !self.fits(algorithm) {
            return false;
        }
        match self.material() {
            Material::Rsa(key) => algorithm
                .rsa()
                .is_some_and(|(padding, hash)| key.verify(padding, hash, text, signature, host)),
            Material::Ec(key) => key.verify(text, signature, host),
            Material::Ed25519(key) => key.verify(text, signature),
            Material::Secret(key) => key.verify(algorithm, text, signature),
        }
    }
}

#[cfg(test)]
#[expect(clippy::arithmetic_side_effects, reason = "a test may overflow: it would fail")]
mod tests;
