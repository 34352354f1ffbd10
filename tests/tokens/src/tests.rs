//! What is minted is what others mint, or what they verify.

use base64ct::{Base64UrlUnpadded, Encoding};
use p256::ecdsa::signature::Verifier;
use rsa::{RsaPublicKey, pkcs1v15, pkcs8::DecodePublicKey, pss};
use sha2::{Sha256, Sha384, Sha512};
#[cfg(target_arch = "wasm32")]
use wasm_bindgen_test::wasm_bindgen_test as test;

use crate::forge::{self, Part};
use crate::{Algorithm, Key, Signer, jwk, jwks, mint};

const PAYLOAD: &str = "{\"iss\":\"joe\",\r\n \"exp\":1300819380,\r\n \"http://example.com/is_root\":true}";

#[test]
fn hmac_tokens_are_those_of_rfc_7515_section_a_1() {
    let key = Key::from_jwk(
        r#"{"kty":"oct",
        "k":"AyM1SysPpbyDfgZld3umj1qzKObwVMkoqQ-EstJQLr_T-1qS0gZH75aKtMN3Yj0iPS4hcgUuTwjAzZr1Z9CAow"}"#,
    );
    let header = "{\"typ\":\"JWT\",\r\n \"alg\":\"HS256\"}";
    assert_eq!(
        mint(&Signer::with(key, Algorithm::Hs256), header, PAYLOAD),
        "eyJ0eXAiOiJKV1QiLA0KICJhbGciOiJIUzI1NiJ9.\
         eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ.\
         dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"
    );
}

#[test]
fn rsa_tokens_are_those_of_rfc_7515_section_a_2() {
    let lines = [
        r#"{"kty":"RSA", "e":"AQAB", "n":"ofgWCuLjybRlzo0tZWJjNiuSfb4p4fAkd_wWJcyQoTbji9k0l8W26mPddx"#,
        "HmfHQp-Vaw-4qPCJrcS2mJPMEzP1Pt0Bm4d4QlL-yRT-SFd2lZS-pCgNMsD1W_YpRPEwOWvG6b32690r2jZ47soMZo9wGzjb",
        "_7OMg0LOL-bSf63kpaSHSXndS5z5rexMdbBYUsLA9e-KXBdQOS-UTo7WTBEMa2R2CapHg665xsmtdVMTBQY4uDZlxvb3qCo5",
        "ZwKh9kG4LT6_I5IhlJH7aGhyxXFvUK-DWNmoudF8NAco9_h9iaGNj8q2ethFkMLs91kzk2PAcDTW9gb54h4FRWyuXpoQ",
        r#"", "d":"Eq5xpGnNCivDflJsRQBXHx1hdR1k6Ulwe2JZD50LpXyWPEAeP88vLNO97IjlA7_GQ5sLKMgvfTeXZx9SE-7YwVol2N"#,
        "XOoAJe46sui395IW_GO-pWJ1O0BkTGoVEn2bKVRUCgu-GjBVaYLU6f3l9kJfFNS3E0QbVdxzubSu3Mkqzjkn439X0M_V51gf",
        "pRLI9JYanrC4D4qAdGcopV_0ZHHzQlBjudU2QvXt4ehNYTCBr6XCLQUShb1juUO1ZdiYoFaFQT5Tw8bGUl_x_jTj3ccPDVZF",
        "D9pIuhLhBOneufuBiB4cS98l2SR_RQyGWSeWjnczT0QU91p1DhOVRuOopznQ",
        r#"", "p":"4BzEEOtIpmVdVEZNCqS7baC4crd0pqnRH_5IB3jw3bcxGn6QLvnEtfdUdiYrqBdss1l58BQ3KhooKeQTa9AB0Hw"#,
        "_Py5PJdTJNPY8cQn7ouZ2KKDcmnPGBY5t7yLc1QlQ5xHdwW1VhvKn-nXqhJTBgIPgtldC-KDV5z-y2XDwGUc",
        r#"", "q":"uQPEfgmVtjL0Uyyx88GZFF1fOunH3-7cepKmtH4pxhtCoHqpWmT8YAmZxaewHgHAjLYsp1ZSe7zFYHj7C6ul7TjeL"#,
        r#"QeZD_YwD66t62wDmpe_HlB-TnBA-njbglfIsRLtXlnDzQkv5dTltRJ11BKBBypeeF6689rjcJIDEz9RWdc"}"#,
    ];
    let key = Key::from_jwk(&lines.concat());
    assert_eq!(
        mint(&Signer::with(key, Algorithm::Rs256), r#"{"alg":"RS256"}"#, PAYLOAD),
        "eyJhbGciOiJSUzI1NiJ9.\
         eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ.\
         cC4hiUPoj9Eetdgtv3hF80EGrhuB__dzERat0XF9g2VtQgr9PJbu3XOiZj5RZmh7AAuHIm4Bh-0Qc_lF5YKt_O8W2Fp5jujG\
         bds9uJdbF9CUAr7t1dnZcAcQjbKBYNX4BAynRFdiuB--f_nZLgrnbyTyWzO75vRK5h6xBArLIARNPvkSjtQBMHlb1L07Qe7K\
         0GarZRmB_eSN9383LcOLn6_dO--xi12jzDwusC-eOkHWEsqtFZESc6BfI7noOPqvhJ1phCnvWh6IeYI2w9QOYEUipUTI8np6\
         LbgGY9Fs98rqVt5AXLIhWkWywlVmtVrBp0igcN_IoypGlUPQGe77Rw"
    );
}

#[test]
fn ed25519_tokens_are_those_of_rfc_8037_section_a_4() {
    let key = Key::from_jwk(
        r#"{"kty":"OKP", "crv":"Ed25519", "d":"nWGxne_9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A",
        "x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwaaPJHURo"}"#,
    );
    assert_eq!(
        mint(&Signer::with(key, Algorithm::EdDsa), r#"{"alg":"EdDSA"}"#, "Example of Ed25519 signing"),
        "eyJhbGciOiJFZERTQSJ9.RXhhbXBsZSBvZiBFZDI1NTE5IHNpZ25pbmc.\
         hgyY0il_MGCjP0JzlnLWG1PPOt7-09PGcvMg3AIbQR6dWbhijcNR4ki4iylGjg5BhVsPt9g7sVvpAr_MuM0KAg"
    );
}

#[test]
fn every_algorithm_verifies_with_the_public_half_of_both_its_keys() {
    for algorithm in Algorithm::ALL {
        for key in [Key::of(algorithm), Key::next_of(algorithm)] {
            let signer = Signer::with(key, algorithm);
            let signature = signer.sign(b"text");
            assert_eq!(signature, signer.sign(b"text"), "{algorithm:?}");
            assert!(verifies(signer.key(), algorithm, b"text", &signature), "{algorithm:?}");
            assert!(!verifies(signer.key(), algorithm, b"tent", &signature), "{algorithm:?}");
        }
    }
}

fn verifies(key: &Key, algorithm: Algorithm, text: &[u8], signature: &[u8]) -> bool {
    let der = key.public_der();
    let rsa = || RsaPublicKey::from_public_key_der(&der).unwrap();
    let pkcs1 = || pkcs1v15::Signature::try_from(signature).unwrap();
    let salted = || pss::Signature::try_from(signature).unwrap();
    let mac = |other: &[u8]| other == signature;
    match algorithm {
        Algorithm::Rs256 => pkcs1v15::VerifyingKey::<Sha256>::new(rsa()).verify(text, &pkcs1()).is_ok(),
        Algorithm::Rs384 => pkcs1v15::VerifyingKey::<Sha384>::new(rsa()).verify(text, &pkcs1()).is_ok(),
        Algorithm::Rs512 => pkcs1v15::VerifyingKey::<Sha512>::new(rsa()).verify(text, &pkcs1()).is_ok(),
        Algorithm::Ps256 => pss::VerifyingKey::<Sha256>::new(rsa()).verify(text, &salted()).is_ok(),
        Algorithm::Ps384 => pss::VerifyingKey::<Sha384>::new(rsa()).verify(text, &salted()).is_ok(),
        Algorithm::Ps512 => pss::VerifyingKey::<Sha512>::new(rsa()).verify(text, &salted()).is_ok(),
        Algorithm::Es256 => p256::ecdsa::VerifyingKey::from_public_key_der(&der)
            .unwrap()
            .verify(text, &p256::ecdsa::Signature::from_slice(signature).unwrap())
            .is_ok(),
        Algorithm::Es384 => p384::ecdsa::VerifyingKey::from_public_key_der(&der)
            .unwrap()
            .verify(text, &p384::ecdsa::Signature::from_slice(signature).unwrap())
            .is_ok(),
        Algorithm::Es512 => p521::ecdsa::VerifyingKey::from_public_key_der(&der)
            .unwrap()
            .verify(text, &p521::ecdsa::Signature::from_slice(signature).unwrap())
            .is_ok(),
        Algorithm::EdDsa => ed25519_dalek::VerifyingKey::from_public_key_der(&der)
            .unwrap()
            .verify_strict(text, &signature.try_into().unwrap())
            .is_ok(),
        // A secret signs and verifies alike, and RFC 7515 says what comes out.
        Algorithm::Hs256 | Algorithm::Hs384 | Algorithm::Hs512 => mac(&key.sign(algorithm, text)),
    }
}

#[test]
fn header_and_payload_are_written_as_they_are() {
    let signer = Signer::new(Algorithm::Hs256).key_id("a");
    let token = mint(&signer, r#"{"alg":"HS256", "alg":"none"}"#, "not even JSON");
    assert_eq!(forge::bytes(&token, Part::Header), br#"{"alg":"HS256", "alg":"none"}"#);
    assert_eq!(forge::bytes(&token, Part::Payload), b"not even JSON");
    assert_eq!(forge::bytes(&signer.token("{}"), Part::Header), br#"{"alg":"HS256","kid":"a","typ":"JWT"}"#);
}

#[test]
fn key_sets_hold_public_halves_alone() {
    let keys = [("r", Key::rsa()), ("e", Key::p521()), ("o", Key::ed25519())];
    let set = jwks(keys.map(|(kid, key)| jwk(&key, kid)));
    let set: serde_json::Value = serde_json::from_str(&set).unwrap();
    let names = set["keys"].as_array().unwrap().iter().map(|key| {
        let names: Vec<_> = key.as_object().unwrap().keys().map(String::as_str).collect();
        names.join(" ")
    });
    assert_eq!(Vec::from_iter(names), ["e kid kty n use", "crv kid kty use x y", "crv kid kty use x"]);
    assert_eq!((&set["keys"][0]["kid"], &set["keys"][1]["use"]), (&"r".into(), &"sig".into()));
}

#[test]
fn public_members_of_the_demo_keys_belong_to_their_private_ones() {
    let point = |key: &Key| {
        let member =
            |name: &str| Base64UrlUnpadded::decode_vec(key.public()[name].as_str().unwrap()).unwrap();
        [member("x"), member("y")].concat()
    };
    for key in [Key::p256(), Key::p256_next(), Key::p384(), Key::p521()] {
        assert!(key.public_der().ends_with(&point(&key)), "{}", key.public());
    }
    for key in [Key::ed25519(), Key::ed25519_next()] {
        let x = Base64UrlUnpadded::decode_vec(key.public()["x"].as_str().unwrap()).unwrap();
        assert!(key.public_der().ends_with(&x));
    }
    for (key, bits) in [(Key::rsa(), 2048), (Key::rsa_next(), 3072)] {
        let n = Base64UrlUnpadded::decode_vec(key.public()["n"].as_str().unwrap()).unwrap();
        assert_eq!((n.len() * 8, key.public_der().windows(n.len()).any(|part| part == n)), (bits, true));
    }
}

#[test]
fn forged_tokens_differ_where_they_say() {
    let signer = Signer::new(Algorithm::Es256).key_id("a");
    let token = signer.token(r#"{"sub":"alice"}"#);
    let parts =
        |token: &str| [Part::Header, Part::Payload, Part::Signature].map(|part| forge::bytes(token, part));
    let [header, payload, signature] = parts(&token);

    let forged = parts(&forge::with_payload(&token, "{}"));
    assert_eq!(forged, [header.clone(), b"{}".to_vec(), signature.clone()]);
    let forged = parts(&forge::with_header(&token, "{}"));
    assert_eq!(forged, [b"{}".to_vec(), payload.clone(), signature.clone()]);
    let forged = parts(&forge::with_signature(&token, &[0; 64]));
    assert_eq!(forged, [header.clone(), payload.clone(), vec![0; 64]]);

    let [_, _, flipped] = parts(&forge::flip(&token, Part::Signature, 511));
    assert_eq!((&flipped[..63], flipped[63]), (&signature[..63], signature[63] ^ 1));
    let [_, flipped, _] = parts(&forge::flip(&token, Part::Payload, 2));
    assert_eq!(flipped[0], b'{' ^ 0x20);

    let none = forge::none("nOnE", "{}");
    assert!(none.ends_with('.'));
    assert_eq!(parts(&none)[0], br#"{"alg":"nOnE","typ":"JWT"}"#);
    let [same, _, other] = parts(&forge::other_key(&signer, r#"{"sub":"alice"}"#));
    assert!(same == header && other != signature);
    let embedded = parts(&forge::embedded_key(&signer, "{}"));
    let x = Key::p256_next().public()["x"].as_str().unwrap().to_owned();
    assert!(String::from_utf8_lossy(&embedded[0]).contains(&x));
}

#[test]
fn confused_tokens_are_signed_with_what_everybody_can_fetch() {
    for (key, forms) in [(Key::rsa(), 6), (Key::p256(), 6), (Key::ed25519(), 6)] {
        let tokens = forge::confused(&key, Algorithm::Hs256, "a", "{}");
        assert_eq!(tokens.len(), forms);
        let text = tokens[0].rsplit_once('.').unwrap().0;
        let secret = Key::secret_of(&key.public_der()).sign(Algorithm::Hs256, text.as_bytes());
        assert_eq!(forge::bytes(&tokens[2], Part::Signature), secret);
    }
}
