//! Which keys are taken, which are skipped and why, and which are tried on a token.

use base64ct::{Base64UrlUnpadded, Encoding};
use expect_test::{Expect, expect};
use proptest::prelude::*;

use super::*;
#[cfg(target_arch = "wasm32")]
use wasm_bindgen_test::wasm_bindgen_test as test;

const P256: &str = r#""kty":"EC","crv":"P-256","x":"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU",
    "y":"x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0""#;

const ED25519: &str = r#""kty":"OKP","crv":"Ed25519","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo""#;

/// Reads a set of these keys, each written as the members of an object.
fn set(keys: &[&str]) -> (KeySet, Vec<String>) {
    let keys: Vec<String> = keys.iter().map(|members| format!("{{{members}}}")).collect();
    KeySet::parse(format!(r#"{{"keys":[{}]}}"#, keys.join(",")).as_bytes(), 64).unwrap()
}

/// Expects a key to be skipped for this reason.
fn skipped(members: &str, expected: Expect) {
    let (keys, skipped) = set(&[members]);
    assert_eq!(keys.len(), 0, "{members}");
    expected.assert_eq(&skipped.join("\n"));
}

/// Expects a key to be taken, for these algorithms.
fn taken(members: &str, expected: &[&str]) {
    let (keys, skipped) = set(&[members]);
    assert_eq!(skipped, [""; 0], "{members}");
    let names = Algorithm::NAMES.iter().filter(|(name, _)| *name != "Ed25519");
    let fits: Vec<&str> =
        names.filter(|(_, algorithm)| keys.knows(None, *algorithm)).map(|(name, _)| *name).collect();
    assert_eq!(fits, expected, "{members}");
}

/// Writes an RSA key whose modulus begins and ends like this and has so many octets.
fn rsa(first: u8, length: usize, last: u8, exponent: &[u8]) -> String {
    let mut modulus = vec![0x5a; length];
    modulus[0] = first;
    modulus[length - 1] = last;
    format!(
        r#""kty":"RSA","n":"{}","e":"{}""#,
        Base64UrlUnpadded::encode_string(&modulus),
        Base64UrlUnpadded::encode_string(exponent)
    )
}

#[test]
fn a_key_is_for_the_algorithms_of_its_type_and_its_curve() {
    taken(&rsa(0x80, 256, 1, &[1, 0, 1]), &["RS256", "RS384", "RS512", "PS256", "PS384", "PS512"]);
    taken(P256, &["ES256"]);
    taken(ED25519, &["EdDSA"]);
}

#[test]
fn a_key_that_names_its_algorithm_is_for_that_one_only() {
    taken(&format!(r#"{},"alg":"PS384""#, rsa(0x80, 256, 1, &[3])), &["PS384"]);
    taken(&format!(r#"{ED25519},"alg":"Ed25519""#), &["EdDSA"]);
    taken(&format!(r#"{ED25519},"alg":"EdDSA""#), &["EdDSA"]);
    skipped(
        &format!(r#"{P256},"alg":"RS256""#),
        expect![[r#"keys[0]: its "alg" RS256 is not for a key like this"#]],
    );
    skipped(
        &format!(r#"{P256},"alg":"ES384""#),
        expect![[r#"keys[0]: its "alg" ES384 is not for a key like this"#]],
    );
    skipped(
        &format!(r#"{},"alg":"HS256""#, rsa(0x80, 256, 1, &[3])),
        expect![[r#"keys[0]: its "alg" HS256 is not for a key like this"#]],
    );
    skipped(
        &format!(r#"{},"alg":"RSA-OAEP""#, rsa(0x80, 256, 1, &[3])),
        expect![[r#"keys[0]: its "alg" "RSA-OAEP" is not supported"#]],
    );
    skipped(&format!(r#"{P256},"alg":"none""#), expect![[r#"keys[0]: its "alg" "none" is not supported"#]]);
    skipped(&format!(r#"{P256},"alg":null"#), expect![[r#"keys[0]: its "alg" is null, not text"#]]);
}

#[test]
fn an_rsa_key_has_2048_to_8192_bits_and_zeros_before_them_are_none() {
    taken(&rsa(0xff, 1024, 1, &[3]), &["RS256", "RS384", "RS512", "PS256", "PS384", "PS512"]);
    taken(&rsa(1, 257, 1, &[3]), &["RS256", "RS384", "RS512", "PS256", "PS384", "PS512"]);
    taken(&rsa(0, 258, 1, &[0, 1, 0, 1]), &["RS256", "RS384", "RS512", "PS256", "PS384", "PS512"]);
    skipped(&rsa(0, 257, 1, &[1, 0, 1]), expect!["keys[0]: its modulus has 2047 bits, not 2048 to 8192"]);
    skipped(&rsa(0x80, 128, 1, &[1, 0, 1]), expect!["keys[0]: its modulus has 1024 bits, not 2048 to 8192"]);
    skipped(&rsa(0x7f, 256, 1, &[3]), expect!["keys[0]: its modulus has 2047 bits, not 2048 to 8192"]);
    skipped(&rsa(1, 1025, 1, &[3]), expect!["keys[0]: its modulus has 8193 bits, not 2048 to 8192"]);
    skipped(r#""kty":"RSA","n":"","e":"AQAB""#, expect!["keys[0]: its modulus has 0 bits, not 2048 to 8192"]);
    skipped(
        r#""kty":"RSA","n":"AAAA","e":"AQAB""#,
        expect!["keys[0]: its modulus has 0 bits, not 2048 to 8192"],
    );
    skipped(&rsa(0x80, 256, 2, &[3]), expect!["keys[0]: its modulus is refused: invalid modulus"]);
}

#[test]
fn an_rsa_exponent_is_odd_and_neither_one_nor_huge() {
    let six = ["RS256", "RS384", "RS512", "PS256", "PS384", "PS512"];
    taken(&rsa(0x80, 256, 1, &[3]), &six);
    taken(&rsa(0x80, 256, 1, &[1, 0xff, 0xff, 0xff, 0xff]), &six);
    let wrong: [&[u8]; 9] =
        [&[], &[0], &[1], &[2], &[4], &[1, 0, 0], &[2, 0, 0, 0, 1], &[0xff; 8], &[1, 0, 0, 0, 0, 0, 0, 0, 3]];
    for exponent in wrong {
        skipped(
            &rsa(0x80, 256, 1, exponent),
            expect!["keys[0]: its exponent is not an odd number from 3 to 2^33"],
        );
    }
    skipped(
        &rsa(0x80, 256, 1, &[7; 256]),
        expect!["keys[0]: its exponent is not an odd number from 3 to 2^33"],
    );
}

#[test]
fn a_point_is_on_its_curve_and_its_coordinates_are_whole() {
    let point = |curve: &str, x: &[u8], y: &[u8]| {
        let [x, y] = [x, y].map(Base64UrlUnpadded::encode_string);
        format!(r#""kty":"EC","crv":"{curve}","x":"{x}","y":"{y}""#)
    };
    skipped(&point("P-256", &[1; 32], &[2; 32]), expect!["keys[0]: its point is not on its curve"]);
    skipped(&point("P-256", &[0; 32], &[0; 32]), expect!["keys[0]: its point is not on its curve"]);
    skipped(&point("P-256", &[0xff; 32], &[0xff; 32]), expect!["keys[0]: its point is not on its curve"]);
    skipped(&point("P-384", &[1; 48], &[2; 48]), expect!["keys[0]: its point is not on its curve"]);
    skipped(&point("P-521", &[0; 66], &[0; 66]), expect!["keys[0]: its point is not on its curve"]);
    skipped(
        &point("P-256", &[1; 31], &[2; 32]),
        expect!["keys[0]: its coordinates have 31 and 32 octets, not 32"],
    );
    skipped(
        &point("P-256", &[1; 32], &[2; 33]),
        expect!["keys[0]: its coordinates have 32 and 33 octets, not 32"],
    );
    skipped(
        &point("P-521", &[1; 65], &[2; 66]),
        expect!["keys[0]: its coordinates have 65 and 66 octets, not 66"],
    );
    // The coordinates of another curve.
    skipped(
        &P256.replace("P-256", "P-384"),
        expect!["keys[0]: its coordinates have 32 and 32 octets, not 48"],
    );
    for curve in ["secp256k1", "p-256", "P256", "P-192"] {
        let (_, skipped) = set(&[&P256.replace("P-256", curve)]);
        assert_eq!(skipped, [format!("keys[0]: its \"crv\" {curve:?} is not supported")]);
    }
    skipped(&P256.replace(r#""y":"#, r#""z":"#), expect![[r#"keys[0]: it has no member "y""#]]);
}

#[test]
fn an_ed25519_point_is_on_its_curve_and_not_of_small_order() {
    let point = |x: &[u8]| {
        let x = Base64UrlUnpadded::encode_string(x);
        format!(r#""kty":"OKP","crv":"Ed25519","x":"{x}""#)
    };
    // All points of orders 1, 2, 4 and 8, and other spellings of them.
    let weak = [
        "0100000000000000000000000000000000000000000000000000000000000000",
        "ECFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFF7F",
        "0000000000000000000000000000000000000000000000000000000000000000",
        "0000000000000000000000000000000000000000000000000000000000000080",
        "C7176A703D4DD84FBA3C0B760D10670F2A2053FA2C39CCC64EC7FD7792AC037A",
        "C7176A703D4DD84FBA3C0B760D10670F2A2053FA2C39CCC64EC7FD7792AC03FA",
        "26E8958FC2B227B045C3F489F2EF98F0D5DFAC05D3C63339B13802886D53FC05",
        "26E8958FC2B227B045C3F489F2EF98F0D5DFAC05D3C63339B13802886D53FC85",
        "EDFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFF7F",
        "EDFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFF",
        "EEFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFF7F",
    ];
    for point_in_hex in weak {
        let digits = |pair: &[u8]| u8::from_str_radix(str::from_utf8(pair).unwrap(), 16).unwrap();
        let octets: Vec<u8> = point_in_hex.as_bytes().chunks(2).map(digits).collect();
        skipped(&point(&octets), expect!["keys[0]: its point is of small order"]);
    }
    skipped(&point(&[2; 32]), expect!["keys[0]: its point is not on its curve"]);
    skipped(&point(&[1; 31]), expect!["keys[0]: it has 31 octets, not 32"]);
    skipped(&point(&[1; 33]), expect!["keys[0]: it has 33 octets, not 32"]);
    skipped(
        r#""kty":"OKP","crv":"Ed448","x":"AA""#,
        expect![[r#"keys[0]: its "crv" "Ed448" is not supported"#]],
    );
    skipped(
        r#""kty":"OKP","crv":"X25519","x":"AA""#,
        expect![[r#"keys[0]: its "crv" "X25519" is not supported"#]],
    );
}

#[test]
fn a_key_for_something_else_than_signatures_is_skipped() {
    taken(&format!(r#"{P256},"use":"sig","key_ops":["sign","verify"]"#), &["ES256"]);
    skipped(&format!(r#"{P256},"use":"enc""#), expect![[r#"keys[0]: its "use" is "enc", not "sig""#]]);
    skipped(&format!(r#"{P256},"use":"SIG""#), expect![[r#"keys[0]: its "use" is "SIG", not "sig""#]]);
    skipped(&format!(r#"{P256},"use":["sig"]"#), expect![[r#"keys[0]: its "use" is a list, not text"#]]);
    skipped(&format!(r#"{P256},"key_ops":["sign"]"#), expect![[r#"keys[0]: its "key_ops" lacks "verify""#]]);
    skipped(&format!(r#"{P256},"key_ops":[]"#), expect![[r#"keys[0]: its "key_ops" lacks "verify""#]]);
    skipped(
        &format!(r#"{P256},"key_ops":["verify","verify"]"#),
        expect![[r#"keys[0]: its "key_ops" has "verify" twice"#]],
    );
    skipped(
        &format!(r#"{P256},"key_ops":["verify",1]"#),
        expect![[r#"keys[0]: its "key_ops" has a number, not only texts"#]],
    );
    skipped(
        &format!(r#"{P256},"key_ops":"verify""#),
        expect![[r#"keys[0]: its "key_ops" is text, not a list"#]],
    );
}

#[test]
fn a_secret_that_is_published_is_skipped_and_so_is_a_private_key() {
    skipped(
        r#""kty":"oct","k":"AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8""#,
        expect!["keys[0]: it is a secret, and a published one is none"],
    );
    for member in ["d", "p", "q", "dp", "dq", "qi", "oth", "k"] {
        let (keys, skipped) = set(&[&format!(r#"{P256},"{member}":"AA""#)]);
        assert_eq!(keys.len(), 0);
        assert_eq!(skipped, [format!("keys[0]: its private member \"{member}\" is there for all to read")]);
    }
}

#[test]
fn a_kid_is_text_of_at_most_256_octets() {
    skipped(&format!(r#"{P256},"kid":1"#), expect![[r#"keys[0]: its "kid" is a number, not text"#]]);
    skipped(&format!(r#"{P256},"kid":null"#), expect![[r#"keys[0]: its "kid" is null, not text"#]]);
    skipped(&format!(r#"{P256},"kid":["a"]"#), expect![[r#"keys[0]: its "kid" is a list, not text"#]]);
    let longest = "k".repeat(256);
    assert!(set(&[&format!(r#"{P256},"kid":"{longest}""#)]).0.knows(Some(&longest), Algorithm::Es256));
    let (keys, skipped) = set(&[&format!(r#"{P256},"kid":"{longest}k""#)]);
    assert_eq!(keys.len(), 0);
    let cut = "k".repeat(80);
    assert_eq!(skipped, [format!("keys[0] (\"{cut}\"…): its \"kid\" is longer than 256 octets")]);
}

#[test]
fn a_name_that_occurs_twice_makes_a_key_useless_and_unknown_names_do_not() {
    taken(&format!(r#"{P256},"x5c":["junk"],"x5t":1,"jku":"https://evil.example","exp":0"#), &["ES256"]);
    skipped(
        &format!(r#"{P256},"use":"sig","\u0075se":"sig""#),
        expect![[r#"keys[0]: its member "use" occurs twice"#]],
    );
    skipped(&format!(r#"{P256},"a":1,"a":1"#), expect![[r#"keys[0]: its member "a" occurs twice"#]]);
}

#[test]
fn members_are_base64url_without_padding_and_nothing_else() {
    for wrong in [
        "f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU=",
        "f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEV",
        "f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVE+",
        " f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU",
        "f83OJ3D2xF1Bg8vub9tL\\ne1gHMzV76e8Tus9uPHvRVEU",
        "A",
    ] {
        skipped(
            &P256.replace("f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU", wrong),
            expect![[r#"keys[0]: its "x" is not base64url without padding"#]],
        );
    }
    skipped(r#""kty":"RSA","n":1,"e":"AQAB""#, expect![[r#"keys[0]: its "n" is a number, not text"#]]);
}

#[test]
fn a_key_of_an_unknown_kind_is_skipped_and_the_others_are_taken() {
    let unknown = r#""kty":"AKP","alg":"ML-DSA-44","pub":"AA","kid":"new\nline""#;
    let (keys, skipped) = set(&[unknown, P256, r#""kid":"x""#, r#""kty":1"#]);
    assert_eq!(keys.len(), 1);
    expect![[r#"
        keys[0] ("new\nline"): its "kty" "AKP" is not supported
        keys[2] ("x"): it has no member "kty"
        keys[3]: its "kty" is a number, not text"#]]
    .assert_eq(&skipped.join("\n"));
    let (keys, skipped) = KeySet::parse(br#"{"keys":[1,null,[]]}"#, 3).unwrap();
    assert_eq!(keys.len(), 0);
    expect![[r#"
        keys[0]: it is a number, not an object
        keys[1]: it is null, not an object
        keys[2]: it is a list, not an object"#]]
    .assert_eq(&skipped.join("\n"));
}

#[test]
fn what_is_no_key_set_is_refused_whole() {
    let refused = |text: &str| KeySet::parse(text.as_bytes(), 2).unwrap_err();
    expect![[r#"it has no member "keys""#]].assert_eq(&refused("{}"));
    expect![[r#"its "keys" is an object, not a list"#]].assert_eq(&refused(r#"{"keys":{}}"#));
    expect![[r#"its member "keys" occurs twice"#]].assert_eq(&refused(r#"{"keys":[],"keys":[]}"#));
    expect!["it has 3 keys, more than 2"].assert_eq(&refused(r#"{"keys":[{},{},{}]}"#));
    for text in
        ["", " ", "[]", "null", "<html>", r#"{"keys":[]} x"#, r#"{"keys":[],}"#, "\u{feff}{\"keys\":[]}"]
    {
        refused(text);
    }
    assert_eq!(KeySet::parse(br#"{"keys":[],"more":1}"#, 0).unwrap().0.len(), 0);
}

#[test]
fn a_token_with_a_kid_is_tried_on_the_keys_of_that_kid_and_no_others() {
    let with = |id: &str| format!(r#"{P256},"kid":"{id}""#);
    let (keys, _) = set(&[&with("a"), &with("b"), P256, &with(""), &format!(r#"{ED25519},"kid":"a""#)]);
    let count = |id: Option<&str>| keys.candidates(id, Algorithm::Es256).count();
    assert_eq!(count(Some("a")), 1);
    assert_eq!(count(Some("b")), 1);
    assert_eq!(count(Some("")), 1);
    for unknown in ["A", "a ", "a\0", "c", "../a", "' OR 1=1 --", "null"] {
        assert_eq!(count(Some(unknown)), 0, "{unknown:?}");
        assert!(!keys.knows(Some(unknown), Algorithm::Es256));
    }
    assert_eq!(count(None), 3, "of the four");
    // Two keys of one name and different kinds (RFC 7517 section 4.5).
    assert_eq!(keys.candidates(Some("a"), Algorithm::EdDsa).count(), 1);
}

#[test]
fn no_token_is_tried_on_more_than_three_keys() {
    let same = format!(r#"{P256},"kid":"a""#);
    let (keys, _) = set(&[same.as_str(); 20]);
    assert_eq!(keys.len(), 20);
    assert_eq!(keys.candidates(Some("a"), Algorithm::Es256).count(), 3);
    assert_eq!(keys.candidates(None, Algorithm::Es256).count(), 3);
}

fn secret(id: Option<&str>, length: usize) -> Secret {
    Secret { id: id.map(str::to_owned), bytes: vec![7; length] }
}

#[test]
fn a_secret_without_a_name_is_for_every_kid() {
    let keys = KeySet::secrets(vec![secret(Some("a"), 32), secret(None, 32)]);
    let count = |id: Option<&str>| keys.candidates(id, Algorithm::Hs256).count();
    assert_eq!((count(Some("a")), count(Some("b")), count(None)), (2, 1, 2));
    assert!(!keys.knows(None, Algorithm::Hs384));
    assert!(!keys.knows(None, Algorithm::Rs256));
}

#[test]
fn a_secret_that_is_too_short_for_all_that_is_allowed_is_refused() {
    use Algorithm::{Es256, Hs256, Hs384, Hs512, Rs256};
    let fits = |secrets: Vec<Secret>, algorithms: &[Algorithm]| KeySet::secrets(secrets).fits(algorithms);
    assert_eq!(fits(vec![secret(None, 32)], &[Hs256, Hs512]), Ok(()));
    assert_eq!(fits(vec![secret(None, 64)], &[Hs512]), Ok(()));
    expect!["the secret has 31 octets, expected at least 32"]
        .assert_eq(&fits(vec![secret(None, 64), secret(None, 31)], &[Hs512, Hs256]).unwrap_err());
    expect![[r#"the secret "new" has 47 octets, expected at least 48"#]]
        .assert_eq(&fits(vec![secret(Some("new"), 47)], &[Hs384]).unwrap_err());
    expect!["no key is for HS256"].assert_eq(&fits(vec![], &[Hs256]).unwrap_err());
    let (keys, _) = set(&[P256]);
    assert_eq!(keys.fits(&[Rs256, Es256]), Ok(()));
    expect!["no key is for RS256, HS256"].assert_eq(&keys.fits(&[Rs256, Hs256]).unwrap_err());
}

#[test]
fn no_secret_is_ever_shown() {
    let secrets =
        vec![Secret { id: Some(String::from("a")), bytes: b"very secret octets of 32 letters".to_vec() }];
    expect![[r#"[Secret { id: Some("a"), .. }]"#]].assert_eq(&format!("{secrets:?}"));
    expect![[r#"[Key { kind: "secret", id: Some("a"), algorithm: None }]"#]]
        .assert_eq(&format!("{:?}", KeySet::secrets(secrets)));
}

proptest! {
    #[test]
    fn hostile_sets_do_not_panic(text in prop::collection::vec(any::<u8>(), 0..200)) {
        drop(KeySet::parse(&text, 3));
    }

    #[test]
    fn hostile_members_do_not_panic(
        kind in prop_oneof![Just("RSA"), Just("EC"), Just("OKP"), Just("oct")],
        curve in prop_oneof![Just("P-256"), Just("P-384"), Just("P-521"), Just("Ed25519")],
        first in prop::collection::vec(any::<u8>(), 0..70),
        second in prop::collection::vec(any::<u8>(), 0..70),
    ) {
        let [first, second] = [first, second].map(|octets| Base64UrlUnpadded::encode_string(&octets));
        let (keys, skipped) = set(&[&format!(
            r#""kty":"{kind}","crv":"{curve}","x":"{first}","y":"{second}","n":"{first}","e":"{second}""#
        )]);
        prop_assert_eq!(keys.len() + skipped.len(), 1);
    }
}
