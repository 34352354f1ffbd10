//! What a host is asked to show before it is believed.

use std::cell::Cell;

use kit::host::Signature;

use super::*;
#[cfg(target_arch = "wasm32")]
use wasm_bindgen_test::wasm_bindgen_test as test;

#[test]
fn a_host_that_verifies_is_found_able_to() {
    assert_eq!(Abilities::probe(&Kind::ALL, &envoy::verify_signature), ALL);
}

#[test]
fn the_module_decides_what_the_host_is_not_able_to_or_does_not_say() {
    let good = decode(rfc::ES256.signature);
    let mut bad = good.clone();
    bad[0] ^= 1;
    let keys = jwk(rfc::ES256.key);
    let key = only(&keys, Algorithm::Es256);
    let asked = Cell::new(0);
    let judge = |answer: Option<bool>, abilities: Abilities, signature: &[u8]| {
        let verify = |_: &Signature<'_>| {
            asked.set(asked.get() + 1);
            answer
        };
        key.verify(Algorithm::Es256, rfc::ES256.text, signature, Some(HostVerifier::new(&verify, abilities)))
    };
    let able = Abilities { p256: true, ..Abilities::default() };
    let unable = Abilities { p256: false, rsa: true, p384: true, p521: true };
    assert!(judge(None, able, &good));
    assert!(!judge(None, able, &bad));
    assert_eq!(asked.take(), 2);
    assert!(!judge(Some(false), able, &good));
    assert!(judge(Some(true), able, &bad));
    assert_eq!(asked.take(), 2);
    assert!(judge(Some(false), unable, &good));
    assert!(!judge(Some(true), unable, &bad));
    assert_eq!(asked.take(), 0);
}

#[test]
fn no_host_is_asked_about_what_hosts_cannot_know() {
    let host = |_: &Signature<'_>| -> Option<bool> { panic!("was asked") };
    let host = HostVerifier::new(&host, ALL);
    for vector in [&rfc::PS384, &rfc::EDDSA] {
        let keys = jwk(vector.key);
        let key = only(&keys, vector.algorithm);
        assert!(key.verify(vector.algorithm, vector.text, &decode(vector.signature), Some(host)));
    }
    let keys = secret(&[7; 32]);
    assert!(!only(&keys, Algorithm::Hs256).verify(Algorithm::Hs256, b"text", &[0; 32], Some(host)));
}

#[test]
fn no_host_is_asked_about_what_cannot_be_a_signature() {
    let host = |_: &Signature<'_>| -> Option<bool> { panic!("was asked") };
    let host = HostVerifier::new(&host, ALL);
    let refused = |vector: &rfc::Vector, signature: &[u8]| {
        let keys = jwk(vector.key);
        let key = only(&keys, vector.algorithm);
        assert!(!key.verify(vector.algorithm, vector.text, signature, Some(host)));
    };
    for length in [0, 1, 255, 257, 512] {
        refused(&rfc::RS256, &vec![1; length]);
    }
    // Not less than the modulus.
    refused(&rfc::RS256, &[0xff; 256]);
    for length in [0, 1, 63, 65, 96, 132] {
        refused(&rfc::ES256, &vec![1; length]);
    }
    // Zero, and not less than the order.
    for (r, s) in [(0, 0), (0, 1), (1, 0), (0xff, 1), (1, 0xff)] {
        refused(&rfc::ES256, &[[r; 32], [s; 32]].concat());
        refused(&rfc::ES512, &[[r; 66], [s; 66]].concat());
    }
}
