//! The algorithms that a token may be signed with (RFC 7518 section 3.1, RFC 8037 section 3.1), by their
//! names.

use std::fmt;

use kit::signature::{Curve, Hash, Padding};

/// What made a signature.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(crate) enum Algorithm {
    /// RSASSA-PKCS1-v1_5 with SHA-256.
    Rs256,
    /// RSASSA-PKCS1-v1_5 with SHA-384.
    Rs384,
    /// RSASSA-PKCS1-v1_5 with SHA-512.
    Rs512,
    /// RSASSA-PSS with SHA-256, for the mask too.
    Ps256,
    /// RSASSA-PSS with SHA-384, for the mask too.
    Ps384,
    /// RSASSA-PSS with SHA-512, for the mask too.
    Ps512,
    /// ECDSA on P-256 with SHA-256.
    Es256,
    /// ECDSA on P-384 with SHA-384.
    Es384,
    /// ECDSA on P-521 with SHA-512.
    Es512,
    /// EdDSA on Ed25519; Ed448 is not offered.
    EdDsa,
    /// HMAC with SHA-256.
    Hs256,
    /// HMAC with SHA-384.
    Hs384,
    /// HMAC with SHA-512.
    Hs512,
}

impl Algorithm {
    /// Every name. `EdDSA` stands for two curves, so RFC 9864 gives the one that is offered a name of its
    /// own.
    pub(crate) const NAMES: &'static [(&'static str, Self)] = &[
        ("RS256", Self::Rs256),
        ("RS384", Self::Rs384),
        ("RS512", Self::Rs512),
        ("PS256", Self::Ps256),
        ("PS384", Self::Ps384),
        ("PS512", Self::Ps512),
        ("ES256", Self::Es256),
        ("ES384", Self::Es384),
        ("ES512", Self::Es512),
        ("EdDSA", Self::EdDsa),
        ("Ed25519", Self::EdDsa),
        ("HS256", Self::Hs256),
        ("HS384", Self::Hs384),
        ("HS512", Self::Hs512),
    ];

    /// Returns the algorithm of a name, whose case counts (RFC 7515 section 4.1.1).
    pub(crate) fn from_name(name: &str) -> Option<Self> {
        Self::NAMES.iter().find(|(known, _)| *known == name).map(|(_, algorithm)| *algorithm)
    }

    /// Returns the name; of two names, the first.
    pub(crate) fn name(self) -> &'static str {
        Self::NAMES.iter().find(|(_, algorithm)| *algorithm == self).map_or("", |(name, _)| name)
    }

    /// Returns the padding and the hash, if it is one of RSA (RFC 7518 sections 3.3 and 3.5).
    pub(crate) fn rsa(self) -> Option<(Padding, Hash)> {
        match self {
            Self::Rs256 => Some((Padding::Pkcs1, Hash::Sha256)),
            Self::Rs384 => Some((Padding::Pkcs1, Hash::Sha384)),
            Self::Rs512 => Some((Padding::Pkcs1, Hash::Sha512)),
            Self::Ps256 => Some((Padding::Pss, Hash::Sha256)),
            Self::Ps384 => Some((Padding::Pss, Hash::Sha384)),
            Self::Ps512 => Some((Padding::Pss, Hash::Sha512)),
            Self::Es256
            | Self::Es384
            | Self::Es512
            | Self::EdDsa
            | Self::Hs256
            | Self::Hs384
            | Self::Hs512 => None,
        }
    }

    /// Returns the curve, if it is one of ECDSA (RFC 7518 section 3.4): each curve has one algorithm.
    pub(crate) fn curve(self) -> Option<Curve> {
        match self {
            Self::Es256 => Some(Curve::P256),
            Self::Es384 => Some(Curve::P384),
            Self::Es512 => Some(Curve::P521),
            Self::Rs256
            | Self::Rs384
            | Self::Rs512
            | Self::Ps256
            | Self::Ps384
            | Self::Ps512
            | Self::EdDsa
            | Self::Hs256
            | Self::Hs384
            | Self::Hs512 => None,
        }
    }

    /// Tells whether whoever can verify can also sign.
    pub(crate) fn is_symmetric(self) -> bool {
        matches!(self, Self::Hs256 | Self::Hs384 | Self::Hs512)
    }
}

impl fmt::Display for Algorithm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

#[cfg(test)]
mod tests;
