//! A host that verifies signatures the way Envoy does: a key and a signature in DER, and a hash by its name.

use ::rsa::pkcs8::DecodePublicKey;
use ::rsa::{Pkcs1v15Sign, RsaPublicKey};
use kit::host::Signature;
use p256::ecdsa::signature::hazmat::PrehashVerifier;
use sha2::{Digest, Sha256, Sha384, Sha512};

/// What the foreign function `verify_signature` says. What it can't read isn't good.
pub(super) fn verify_signature(signature: &Signature<'_>) -> Option<bool> {
    let text = signature.text;
    let (digest, scheme) = match signature.hash {
        "sha256" => (Sha256::digest(text).to_vec(), Pkcs1v15Sign::new::<Sha256>()),
        "sha384" => (Sha384::digest(text).to_vec(), Pkcs1v15Sign::new::<Sha384>()),
        "sha512" => (Sha512::digest(text).to_vec(), Pkcs1v15Sign::new::<Sha512>()),
        _ => return Some(false),
    };
    let (key, signature) = (signature.key, signature.signature);
    Some(if let Ok(key) = RsaPublicKey::from_public_key_der(key) {
        key.verify(scheme, &digest, signature).is_ok()
    } else if let Ok(key) = p256::ecdsa::VerifyingKey::from_public_key_der(key) {
        p256::ecdsa::Signature::from_der(signature)
            .is_ok_and(|good| key.verify_prehash(&digest, &good).is_ok())
    } else if let Ok(key) = p384::ecdsa::VerifyingKey::from_public_key_der(key) {
        p384::ecdsa::Signature::from_der(signature)
            .is_ok_and(|good| key.verify_prehash(&digest, &good).is_ok())
    } else if let Ok(key) = p521::ecdsa::VerifyingKey::from_public_key_der(key) {
        p521::ecdsa::Signature::from_der(signature)
            .is_ok_and(|good| key.verify_prehash(&digest, &good).is_ok())
    } else {
        false
    })
}
