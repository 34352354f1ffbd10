//! What has been tried on verifiers, and what only looks like an attack.

use proptest::prelude::*;
use sha2::{Digest, Sha256};

use super::*;
#[cfg(target_arch = "wasm32")]
use wasm_bindgen_test::wasm_bindgen_test as test;

/// The orders of the curves: of every pair of numbers, both must be less.
const ORDERS: [(&rfc::Vector, &str); 2] = [
    (&rfc::ES256, "FFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551"),
    (
        &rfc::ES512,
        "01FFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFF\
         FA51868783BF2F966B7FCC0148F709A5D03BB5C9B8899C47AEBB6FB71E91386409",
    ),
];

fn hex(digits: &str) -> Vec<u8> {
    let value = |pair: &[u8]| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap();
    digits.as_bytes().chunks(2).map(value).collect()
}

/// Adds two numbers, highest octet first; the carry, if there is one, is an octet more.
fn add(a: &[u8], b: &[u8]) -> Vec<u8> {
    let (mut sum, mut carry) = (Vec::new(), 0);
    for (a, b) in a.iter().rev().zip(b.iter().rev()) {
        carry += u16::from(*a) + u16::from(*b);
        sum.insert(0, carry.to_be_bytes()[1]);
        carry >>= 8;
    }
    if carry > 0 {
        sum.insert(0, 1);
    }
    sum
}

/// Returns what is missing from one number to a greater one.
fn subtract(a: &[u8], b: &[u8]) -> Vec<u8> {
    let complement: Vec<u8> = b.iter().map(|octet| !octet).collect();
    let mut one = vec![0; b.len()];
    *one.last_mut().unwrap() = 1;
    add(&add(a, &complement)[1..], &one)
}

fn is_good(vector: &rfc::Vector, signature: &[u8]) -> bool {
    let keys = jwk(vector.key);
    verifies(only(&keys, vector.algorithm), vector.algorithm, vector.text, signature)
}

#[test]
fn ecdsa_numbers_that_are_zero_sign_nothing() {
    for (vector, order) in ORDERS {
        let length = order.len() / 2;
        let good = decode(vector.signature);
        let (r, s) = good.split_at(length);
        let zero = vec![0; length];
        assert!(is_good(vector, &good));
        for (r, s) in [(&zero[..], &zero[..]), (r, &zero), (&zero, s)] {
            assert!(!is_good(vector, &[r, s].concat()));
        }
    }
}

#[test]
fn ecdsa_numbers_are_less_than_the_order() {
    for (vector, order) in ORDERS {
        let order = hex(order);
        let good = decode(vector.signature);
        let (r, s) = good.split_at(order.len());
        let largest = vec![0xff; order.len()];
        for (r, s) in [(&order[..], s), (r, &order), (&order, &order), (&largest, s), (r, &largest)] {
            assert!(!is_good(vector, &[r, s].concat()));
        }
        // The same numbers, one order further on: 66 octets have room for them, 32 don't.
        let (more_r, more_s) = (add(r, &order), add(s, &order));
        assert_eq!(more_r.len() == order.len(), vector.algorithm == Algorithm::Es512);
        assert!(!is_good(vector, &[&more_r, s].concat()));
        assert!(!is_good(vector, &[r, &more_s].concat()));
    }
}

#[test]
fn an_ecdsa_signature_and_its_mirror_image_are_both_good() {
    for (vector, order) in ORDERS {
        let order = hex(order);
        let good = decode(vector.signature);
        let (r, s) = good.split_at(order.len());
        let mirrored = [r, &subtract(&order, s)].concat();
        assert_ne!(mirrored, good);
        assert!(is_good(vector, &mirrored));
    }
}

#[test]
fn ecdsa_in_der_or_of_another_length_is_refused() {
    for (vector, order) in ORDERS {
        let good = decode(vector.signature);
        let (r, s) = good.split_at(order.len() / 2);
        let der = if vector.algorithm == Algorithm::Es256 {
            p256::ecdsa::Signature::from_slice(&good).unwrap().to_der().as_bytes().to_vec()
        } else {
            p521::ecdsa::Signature::from_slice(&good).unwrap().to_der().as_bytes().to_vec()
        };
        let padded = [&[0], r, &[0], s].concat();
        for wrong in [&der, &padded, r, &good[1..], &[&good[..], &good].concat(), b""] {
            assert!(!is_good(vector, wrong));
        }
    }
}

#[test]
fn an_ecdsa_number_that_begins_with_zeros_is_whole() {
    let keys = jwk(SAMPLE_P256);
    let key = only(&keys, Algorithm::Es256);
    for (text, signature) in [(b"zero 230", SHORT_R), (b"zero 278", SHORT_S)] {
        let signature = decode(signature);
        assert!(signature[0] == 0 || signature[32] == 0);
        assert!(verifies(key, Algorithm::Es256, text, &signature));
    }
}

#[test]
fn an_rsa_signature_is_a_number_of_the_length_of_the_modulus_and_less_than_it() {
    let modulus = decode(BILBO);
    let good = decode(rfc::BILBO_RS256.signature);
    let more = add(&good, &modulus);
    assert_eq!(more.len(), good.len());
    let zero = vec![0; modulus.len()];
    let mut one = zero.clone();
    one[modulus.len() - 1] = 1;
    let almost = subtract(&modulus, &one);
    let longer = [&[0], &good[..]].concat();
    for wrong in [&zero, &one, &almost, &modulus, &more, &longer, &good[1..], b""] {
        assert!(!is_good(&rfc::BILBO_RS256, wrong));
        assert!(!is_good(&rfc::PS384, wrong));
    }
    assert!(is_good(&rfc::BILBO_RS256, &good));
}

#[test]
fn an_rsa_signature_that_begins_with_a_zero_is_whole() {
    let keys = jwk(rfc::BILBO_RS256.key);
    let key = only(&keys, Algorithm::Rs256);
    let signature = decode(SHORT_RSA);
    assert_eq!(signature[0], 0);
    assert!(verifies(key, Algorithm::Rs256, b"zero 343", &signature));
    assert!(!verifies(key, Algorithm::Rs256, b"zero 343", &signature[1..]));
}

#[test]
fn the_two_paddings_of_rsa_are_not_taken_for_each_other() {
    let keys = jwk(rfc::BILBO_RS256.key);
    let key = only(&keys, Algorithm::Rs256);
    let (old, new) = (decode(rfc::BILBO_RS256.signature), decode(rfc::PS384.signature));
    for algorithm in [Algorithm::Ps256, Algorithm::Ps384, Algorithm::Ps512] {
        assert!(!verifies(key, algorithm, rfc::BILBO_RS256.text, &old));
    }
    for algorithm in [Algorithm::Rs256, Algorithm::Rs384, Algorithm::Rs512] {
        assert!(!verifies(key, algorithm, rfc::PS384.text, &new));
    }
}

#[test]
fn pss_with_a_salt_of_another_length_or_another_mask_is_refused() {
    let keys = jwk(rfc::BILBO_RS256.key);
    let key = only(&keys, Algorithm::Ps256);
    for signature in [NO_SALT, SALT_OF_31, SALT_OF_33, MASK_OF_SHA1] {
        assert!(!verifies(key, Algorithm::Ps256, b"sample", &decode(signature)));
    }
}

#[test]
fn a_modulus_may_have_a_bit_more_than_whole_octets() {
    let keys = rsa(&decode(ODD_MODULUS), &[1, 0, 1]);
    for (algorithm, signature) in
        [(Algorithm::Ps256, ODD_PS256), (Algorithm::Ps512, ODD_PS512), (Algorithm::Rs256, ODD_RS256)]
    {
        let signature = decode(signature);
        let key = only(&keys, algorithm);
        assert!(verifies(key, algorithm, b"sample", &signature));
        assert!(!verifies(key, algorithm, b"simple", &signature));
    }
}

#[test]
fn the_second_half_of_an_eddsa_signature_is_less_than_the_order_of_the_group() {
    let mut order = hex("1000000000000000000000000000000014DEF9DEA2F79CD65812631A5CF5D3ED");
    let good = decode(rfc::EDDSA.signature);
    let mut number = good[32..].to_vec();
    number.reverse();
    let mut more = add(&number, &order);
    more.reverse();
    order.reverse();
    assert!(is_good(&rfc::EDDSA, &good));
    assert!(!is_good(&rfc::EDDSA, &[&good[..32], &more].concat()));
    assert!(!is_good(&rfc::EDDSA, &[&good[..32], &order].concat()));
    assert!(!is_good(&rfc::EDDSA, &[0; 64]));
}

#[test]
fn a_public_key_is_no_secret() {
    let keys = jwk(rfc::RS256.key);
    for algorithm in [Algorithm::Hs256, Algorithm::Hs384, Algorithm::Hs512] {
        assert!(!keys.knows(None, algorithm));
    }
    let key = only(&keys, Algorithm::Rs256);
    for secret_of_all in [rfc::RS256.key.as_bytes(), &decode(BILBO), b"", &[0; 64]] {
        let forged = hmac(secret_of_all, b"text");
        assert!(!verifies(key, Algorithm::Hs256, b"text", &forged));
        assert!(!verifies(key, Algorithm::Rs256, b"text", &forged));
    }
}

#[test]
fn a_key_on_a_curve_verifies_no_other_algorithm_even_if_it_names_none() {
    let keys = jwk(rfc::ES256.key);
    let key = only(&keys, Algorithm::Es256);
    for (_, other) in Algorithm::NAMES.iter().filter(|(_, other)| *other != Algorithm::Es256) {
        assert!(!keys.knows(None, *other));
        assert!(!verifies(key, *other, rfc::ES256.text, &decode(rfc::ES256.signature)));
    }
}

#[test]
fn a_secret_shorter_than_the_hash_verifies_nothing() {
    for (algorithm, length) in [(Algorithm::Hs256, 32), (Algorithm::Hs384, 48), (Algorithm::Hs512, 64)] {
        assert!(secret(&vec![7; length]).knows(None, algorithm));
        assert!(!secret(&vec![7; length - 1]).knows(None, algorithm));
    }
    let short = secret(&[7; 32]);
    let key = only(&short, Algorithm::Hs256);
    assert!(verifies(key, Algorithm::Hs256, b"text", &hmac(&[7; 32], b"text")));
    assert!(!key.verify(Algorithm::Hs512, b"text", &[0; 64], None));
}

#[test]
fn a_part_of_a_mac_is_no_mac() {
    let keys = secret(&[7; 32]);
    let key = only(&keys, Algorithm::Hs256);
    let whole = hmac(&[7; 32], b"text");
    for length in 0..whole.len() {
        assert!(!verifies(key, Algorithm::Hs256, b"text", &whole[..length]));
    }
    assert!(!verifies(key, Algorithm::Hs256, b"text", &[&whole[..], &[0]].concat()));
}

/// HMAC with SHA-256 as RFC 2104 writes it.
fn hmac(secret: &[u8], text: &[u8]) -> Vec<u8> {
    let mut block = if secret.len() > 64 { Sha256::digest(secret).to_vec() } else { secret.to_vec() };
    block.resize(64, 0);
    let with = |pad: u8| block.iter().map(|octet| octet ^ pad).collect::<Vec<u8>>();
    let inner = Sha256::digest([&with(0x36)[..], text].concat());
    Sha256::digest([&with(0x5c)[..], &inner[..]].concat()).to_vec()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(16))]

    #[test]
    fn hostile_signatures_are_refused_without_a_panic(
        signature in prop_oneof![
            prop::collection::vec(any::<u8>(), 0..160),
            prop::collection::vec(any::<u8>(), 256),
            prop::collection::vec(any::<u8>(), 257),
        ],
        text in prop::collection::vec(any::<u8>(), 0..80),
    ) {
        let published = [rfc::RS256.key, rfc::ES256.key, rfc::ES512.key, rfc::EDDSA.key].map(jwk);
        for keys in published.into_iter().chain([rsa(&decode(ODD_MODULUS), &[3]), secret(&[7; 64])]) {
            for (_, algorithm) in Algorithm::NAMES {
                for key in keys.candidates(None, *algorithm) {
                    prop_assert!(!verifies(key, *algorithm, &text, &signature));
                }
            }
        }
    }

    #[test]
    fn any_odd_number_is_a_modulus_and_none_makes_a_panic(
        octets in prop::collection::vec(any::<u8>(), 257..280),
        exponent in 1..1_u64 << 32,
        seed in any::<u8>(),
    ) {
        let mut octets = octets;
        octets[0] |= 1;
        *octets.last_mut().unwrap() |= 1;
        let keys = rsa(&octets, &(2 * exponent + 1).to_be_bytes());
        for (_, algorithm) in Algorithm::NAMES {
            for key in keys.candidates(None, *algorithm) {
                for length in [octets.len() - 1, octets.len(), octets.len() + 1] {
                    prop_assert!(!verifies(key, *algorithm, b"text", &vec![seed; length]));
                }
            }
        }
    }
}

/// RFC 6979 appendix A.2.5.
const SAMPLE_P256: &str = r#"{"kty":"EC","crv":"P-256","x":"YP7UuiVanTHJYet0xjVtaMBJuJI7Yfps5mliLmDyn7Y",
    "y":"eQP-EAi4vJmkGunpVii8ZPLxsgwtfp9Rd6PClNRGIpk"}"#;

/// What that key signs `zero 230` with, as RFC 6979 has it: the first number has an octet less than the
/// others.
const SHORT_R: &str =
    "AMHjWIoq26MAz69mxRJfr3nnNlCqWMElVUwjQhyYyCF_wlVXrfv8CbSRghBykRx8HMBcfMr_0s2BxfFGl1vUxA";

/// And `zero 278`, in which the second number has.
const SHORT_S: &str =
    "rn3iCsUCtp_dbysnn_GQranCHzCHpta42bgiCRew0noA29TpbwgAB1lfvkmFIWKtFCXT7fJPoTgxdAz7AM5WNQ";

/// The modulus of RFC 7520 section 3.3.
const BILBO: &str = "\
    n4EPtAOCc9AlkeQHPzHStgAbgs7bTZLwUBZdR8_KuKPEHLd4rHVTeT-O-XV2jRojdNhxJWTDvNd7nqQ0VEiZQHz_AJmSCpMaJMRB\
    SFKrKb2wqVwGU_NsYOYL-QtiWN2lbzcEe6XC0dApr5ydQLrHqkHHig3RBordaZ6Aj-oBHqFEHYpPe7Tpe-OfVfHd1E6cS6M1FZcD\
    1NNLYD5lFHpPI9bTwJlsde3uhGqC0ZCuEHg8lhzwOHrtIQbS0FVbb9k3-tVTU4fg_3L_vniUFAKwuCLqKnS2BYwdq_mzSnbLY7h_\
    qixoR7jig3__kRhuaxwUkRz5iaiQkqgc5gHdrNP5zw";

/// What that key signs `zero 343` with, RS256.
const SHORT_RSA: &str = "\
    ABaFYo8fPvKDSLD31s-KY-xYYhYcMbiOdJ4k7B5b-Nf1-AkCwefUAQC3lwSmGKX9HdoBNJIQeVO_KW6qtFokZbowV4rGKYoMz4q5\
    f4IEicpgcNLlXDgZa-Km6ESuPz4f-_NrB07eQKidCZJMZMvxQb1B-jzLHz6bSZFiJo8r5mijQVAQs8z2o1NVYtVmISsVBgxI5zPz\
    uIkry7ma0ReEo50ZZN0yQEo45cEdf85ISsCTpnqQyAcF540YP1Gf7WQApa2DQKHOlNpKV1g--AsBqrOR5mjDiIjjrMFLc4GcUXxn\
    VRQn77O6XGYS4IqCF1ZAsuWcAKTGb3d85-J2fg-5Tg";

/// What that key signs `sample` with, PS256 but for the salt.
const NO_SALT: &str = "\
    WBYYebAHFhSGNrEIn5x86j3HlKBYTRq5gB2Hvhtf1CFri-ZzO64DHAgLOHIRkoYCIQcP2WHU0wwHdMcZL9vCMqmcNLhcvdvZdq00\
    el-pXw3caqaIrdwEqfznC1y-SOqvF6rMV7aKA5ZgoJwW8eqDcDoRTtndCo0cCm7CQsteXWO15PMIsSpYaM660apZo36A5dfZ4mTq\
    VIOCO4xgpuqJ33IWh3F0kg7c7VZYxTtlOb1ZlfRZ9c9y3PjKVpVg4iwXwTjDP8sNXCnfZPqXW3geUAONREUeSCUDfrKLKfxMvswB\
    JGZANtMp3lcqbHHbNxFQFBrjnKfhvbwexnzi8K4JaQ";

const SALT_OF_31: &str = "\
    Y9-NmnVvKBNmQXxQyxbuMdc_Iqe8rxoijCg1Gh48lgE4ya-Yxq3wshrcAlj_yNRUF7hJ8TYroyANhnyF3CRukRz4BkNZrBQZ9WDm\
    wPHjvxDaELH1xl9FwSZ1bL8H-yI85BRAvDxxnMB1O5vm-nsDWGS2L6f2ISA1ULtgeetRQsP0PjlCwANIvAwOX5zdHRpplkMyDdZL\
    gVD2jxCQpm2L_1J4aZnIN9uOw7RU_MMYgr8LCztxhitfjLVJ0F7TndhNmg1dL9-x1pbKsg2AxeszCOrcaC6hRhJgLD2L-9Xl8ymM\
    UtBUDEVBafzLGPgct10bCnIeTHkFsfG8Zl9kVUrz9Q";

const SALT_OF_33: &str = "\
    Kr1zz8lcKFAyUExegGDUrVS4fCzJ8nhCz4CR86eDySL-PlsJ22UNtKTFlDTnjFI6OZdyyhm1vquY5ANGEn-nA_yQWSLieX2P24J5\
    nyof4lRvaWgLe64EkZuR70Iptylzdl9o1J66GIZXkoS0UONcBEfUIKMEbLiIJoHZC2-6iZ9bXo5hUNExXlFQM9DyTX2ATbaeYtF8\
    z7r4ip10iT_PVspLNQzdW4PNhVQzfwgfgkbvdgpZx6hPHexjbgh3XPJGXEYwlltKKsu4GDrVvMj2NgDRc0l1ZZESsbFFPqFWhLOX\
    7uBuZabIfFnzgbvzH3o5yMzXrYZI915fZJnUumFQdg";

/// And with SHA-1 for the mask.
const MASK_OF_SHA1: &str = "\
    AkokK2hAWqlhhaVPcmCwzPsjlswlP-146uYxpJkrz5wzaZ6Deqif1CEdg2y1HmWrXAavmA88y3CkTuI5WWRus18tzvLwUeeEDxRQ\
    _kkRgxpbNIRwQNrJlRgLDmXaoEidU_CKkdsr-fQh3oISwC6SEkxAyynyzoCFX1nD__cC5XWY1iHYYQcBd5Suedvwd47DEuBGWQ_B\
    WBlofLFqFS6KpoAGNOcZIx9_D3m9trUA2SV6Sx2j3q2Cv5QXp6Ngzq-EPvWmYFJ4IGOWoZFyapSjWzE50h9cxr6yYeYBFWfhaKgT\
    nl5gSi70_uV2JlEo0fU_PUeQQtE1jgQ0L1EkbMgZig";

/// A modulus of 2049 bits, made for this with OpenSSL, and what its key signs `sample` with.
const ODD_MODULUS: &str = "\
    AfKM_f6J5DKMqT7gFksVI233_tPBmD3LMYJGOEpuh8JOZAX4qSZuZofJtBxVqoUwroPxqGNrkxxFa5hDam_JRDdbUGqB_wQE\
    56EUw-bGbnCAit25ow8q9cVED5tRq8vlOyEkzI6kmUEjZKLpIrcM4Qe4umsp7aehMzQpb8SwfTc9w-Fdw2M32FcRHAGmk_NW\
    e8iLr_ufHx2dAnQqNMgiAEzwIwFtiFYQ1Mmt_5FdpF9Iu5GwlcR-_P-MqSc647IwWAoWh0MLBXMs5u-uC_co6TcD8YkWeZwO\
    jLCnaHL0BdJ-lTavwKEuQoDb-CFOaV6TD4w8BohFmZSH6iMDFh3x5mc";

const ODD_PS256: &str = "\
    Abu_z4_Fovdh3xGDwIWQMP1meWAHAUs6T0mUabbyXx5Zwf4GOh119xzQgecllZVl5amSha2L9X04IfSb0nxe2Fgcth8r8HpZ\
    E0n3hCIK_v7qblFO0i3RkJjQubnrSBGI7Y08gShV27HxtRGxRoBZZ4Gm7UtmziOseTp91n8FMO7yb8KQdeMk1tflEK9HQeJz\
    mjhObu3GMztZAEJoKF4Stl9zRpgUQiH1w9IaKan0bxBQJ6Pa_W0wDYHAIXK48Th9A__xJhUcv6MDj5ydLY1RvbamurVHzt2X\
    aXnieCdxfd2xYfj8zTnp6hee7LlMLV5zGTdVQSxsx_CmGq-bBdDzyc4";

const ODD_PS512: &str = "\
    AD_Y4OEmZ7lnZONR_XLH-tQLp93p3XiamAKKhO6Bm6fuIKsDmh6KbhUp9zNQ_SfE7N-zbVTneSCp6ALqUf6jiPleXcvpFoKw\
    4y62COlQFNkP4yhTDy7L1SS7PIKhtouBWa46UyKWWhhkGQ7cwSucnVUezC3lFMwa_7LdlN1vozaq98_hvRifNRTNUy_DvR8u\
    E432gvH8UJ89YGcYbexa_7VDPuJMa-F9uHO5Mmq1vObFs--tEXoqDE2r9KALpI8wWrEqzlJIzBo46BQhwKx7u7beGVtYHCrK\
    WwP1aZOhV7z9_XjMpH0ucudyp4Qwi2OOSfKNxGj54Tyh2cthg_b6_4U";

const ODD_RS256: &str = "\
    ANKZ3JzpMoDokJiUrlWN8jANNgedSShTuMVs3-KKO9jv2A7JLHj7fPyw0lYgAUH0CyQHYQ859ocKjNXiwiMnnYWYz-cl4r7h\
    DYfeFZath3kJ92osrHZ-rkzrb27ChcnPlJjNJNQAuTquPmpU1oRbEG3H_uKWilD7BpSGcLeJ3EqAUv77U-82aWg-LJAJz1Ej\
    S4jzkhlo0WEy2dJEBvZ130Gen3WoISc-01LoGgPKk0uBIwH6v08FX8GQPpLq-xmJf1JwI03sijUNRcFtsYfyKIuSVtPLa74S\
    crKt-2IK3EOI6LUXTee_8Mufc4bwj2DGbRMeNDBXTDYrYddA5-UR2ok";
