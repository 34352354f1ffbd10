//! Signatures with a public key: RSA, ECDSA and Ed25519, verified by the host where it can, and else by this module.
//!
//! What isn't exactly a signature of its kind is refused here, before any host sees it; so both ways come to the same
//! answer. A host is asked only about the kinds of signatures that it was seen to know ([`Abilities::probe`]).
//!
//! The feature `signatures` brings it, and only who uses it pays for the arithmetic.
//!
//! ```
//! use kit::host;
//! use kit::signature::{Abilities, Curve, EcKey, HostVerifier, Kind};
//!
//! // What the host does: this one can't verify anything.
//! let verify = |_: &host::Signature<'_>| None;
//! // At the start of a worker, once.
//! let abilities = Abilities::probe(&[Kind::P256], &verify);
//! assert_eq!(abilities, Abilities::default());
//! // For each signature.
//! let host = HostVerifier::new(&verify, abilities);
//! assert_eq!(EcKey::from_spki(Curve::P256, b"junk").err().as_deref(), Some("it is not a public key in DER"));
//! # let _: (HostVerifier<'_>, Option<EcKey>) = (host, None);
//! ```

mod der;
mod ecdsa;
mod eddsa;
mod hash;
mod host;
mod rsa;

pub use self::ecdsa::{Curve, EcKey};
pub use self::eddsa::Ed25519Key;
pub use self::hash::Hash;
pub use self::host::{Abilities, HostVerifier, HostVerify, Kind};
pub use self::rsa::{Padding, RsaKey};
