//! What a host is asked to show before it is believed.

use std::cell::RefCell;

use super::super::{EcKey, Padding, RsaKey};
use super::*;
#[cfg(target_arch = "wasm32")]
use wasm_bindgen_test::wasm_bindgen_test as test;

const CURVES: [(Curve, &EcSample); 3] =
    [(Curve::P256, &samples::P256), (Curve::P384, &samples::P384), (Curve::P521, &samples::P521)];

fn rsa_key() -> RsaKey {
    RsaKey::new(&octets(samples::RSA.modulus).unwrap(), &[1, 0, 1]).unwrap()
}

/// A host that can verify what the samples are signed with.
fn verify_signature(signature: &Signature<'_>) -> Option<bool> {
    let Signature { hash, key, signature, text } = *signature;
    for (curve, name) in [(Curve::P256, "sha256"), (Curve::P384, "sha384"), (Curve::P521, "sha512")] {
        if let Ok(key) = EcKey::from_spki(curve, key) {
            return Some(hash == name && key.verify_der(text, signature, None));
        }
    }
    assert_eq!(key, rsa::spki(&octets(samples::RSA.modulus).unwrap(), &[1, 0, 1]));
    Some(hash == "sha256" && rsa_key().verify(Padding::Pkcs1, Hash::Sha256, text, signature, None))
}

#[test]
fn what_a_host_is_shown_is_good() {
    let good = octets(samples::RSA.signature).unwrap();
    for padding in [Padding::Pkcs1, Padding::Pss] {
        for hash in [Hash::Sha256, Hash::Sha384, Hash::Sha512] {
            let found = rsa_key().verify(padding, hash, samples::RSA.text, &good, None);
            assert_eq!(found, (padding, hash) == (Padding::Pkcs1, Hash::Sha256), "{padding:?} {hash:?}");
        }
    }
    for (curve, sample) in CURVES {
        let [x, y, good] = [sample.x, sample.y, sample.signature].map(|text| octets(text).unwrap());
        let key = EcKey::new(curve, &x, &y).unwrap();
        assert_eq!(key.curve(), curve);
        assert!(key.verify(samples::EC_TEXT, &good, None), "{curve:?}");
    }
}

#[test]
fn a_host_that_verifies_is_found_able_to() {
    let all = Abilities { rsa: true, p256: true, p384: true, p521: true };
    assert_eq!(Abilities::probe(&Kind::ALL, &verify_signature), all);
}

#[test]
fn a_host_is_asked_about_the_kinds_that_are_wanted_and_no_others() {
    for kind in Kind::ALL {
        let asked = RefCell::new(Vec::new());
        let verify = |signature: &Signature<'_>| {
            asked.borrow_mut().push((signature.hash, signature.key.to_vec()));
            verify_signature(signature)
        };
        let found = Abilities::probe(&[kind], &verify);
        for other in Kind::ALL {
            assert_eq!(found.has(other), other == kind, "{kind:?} {other:?}");
        }
        // A good one and an altered one, of one key.
        let asked = asked.into_inner();
        assert_eq!(asked.len(), 2, "{kind:?}");
        assert_eq!(asked[0], asked[1], "{kind:?}");
    }
    let nothing = |_: &Signature<'_>| -> Option<bool> { panic!("was asked") };
    assert_eq!(Abilities::probe(&[], &nothing), Abilities::default());
}

#[test]
fn a_host_that_says_the_same_to_everything_is_asked_nothing_more() {
    for answer in [Some(true), Some(false), None] {
        let verify = |_: &Signature<'_>| answer;
        assert_eq!(Abilities::probe(&Kind::ALL, &verify), Abilities::default(), "{answer:?}");
    }
}

#[test]
fn a_host_that_knows_some_curves_is_asked_about_those() {
    let without = |hash: &'static str| {
        let verify = move |signature: &Signature<'_>| {
            if signature.hash == hash { None } else { verify_signature(signature) }
        };
        Abilities::probe(&Kind::ALL, &verify)
    };
    assert_eq!(without("sha256"), Abilities { rsa: false, p256: false, p384: true, p521: true });
    assert_eq!(without("sha384"), Abilities { rsa: true, p256: true, p384: false, p521: true });
    assert_eq!(without("sha512"), Abilities { rsa: true, p256: true, p384: true, p521: false });
}
