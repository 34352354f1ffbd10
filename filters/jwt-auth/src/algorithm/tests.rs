//! Names and what they stand for.

use super::*;
#[cfg(target_arch = "wasm32")]
use wasm_bindgen_test::wasm_bindgen_test as test;

#[test]
fn every_name_is_that_of_its_algorithm_and_ed25519_is_another_word_for_eddsa() {
    for (name, algorithm) in Algorithm::NAMES {
        assert_eq!(Algorithm::from_name(name), Some(*algorithm));
        let expected = if *name == "Ed25519" { "EdDSA" } else { name };
        assert_eq!(algorithm.name(), expected);
        assert_eq!(algorithm.to_string(), expected);
        assert_eq!(algorithm.is_symmetric(), name.starts_with("HS"));
    }
    assert_eq!(Algorithm::NAMES.len(), 14);
}

#[test]
fn a_name_is_exact_and_none_is_no_algorithm() {
    let wrong = [
        "none",
        "None",
        "NONE",
        "nOnE",
        "",
        "rs256",
        "Rs256",
        " RS256",
        "RS256 ",
        "RS256\0",
        "RS-256",
        "HS1",
        "RS1",
        "ES256K",
        "Ed448",
        "eddsa",
        "EDDSA",
        "ed25519",
        "RSA-OAEP",
        "A128KW",
        "dir",
        "SHA256",
        "HS2560",
        "\u{405}256",
    ];
    for name in wrong {
        assert_eq!(Algorithm::from_name(name), None, "{name:?}");
    }
}
