//! Where secrets come from, and where they never go.

use super::*;
use crate::config::read;
use crate::setup::Metrics;
#[cfg(target_arch = "wasm32")]
use wasm_bindgen_test::wasm_bindgen_test as test;

const ENVIRONMENT: [(&str, &str); 5] =
    [("PLAIN", "correct horse"), ("PADDED", "AP+/"), ("EMPTY", ""), ("LINE", "hunter2\n"), ("lower", "case")];

fn secret(config: &str) -> Result<Secret, String> {
    let environment = |name: &str| {
        ENVIRONMENT.iter().find(|(known, _)| *known == name).map(|(_, value)| (*value).to_owned())
    };
    let mut metrics = Metrics::default();
    let setup = Setup::new("test", &mut metrics, &environment);
    read(config.as_bytes(), |node| Secret::parse(node, &setup)).map_err(|problems| problems.to_string())
}

#[test]
fn a_secret_is_in_the_environment_or_for_development_in_the_configuration() {
    for (config, bytes, inline) in [
        (r#"{"env": "PLAIN"}"#, b"correct horse".as_slice(), false),
        (r#"{"env": "lower"}"#, b"case", false),
        (r#"{"env": "PADDED", "encoding": "base64"}"#, b"\x00\xff\xbf", false),
        (r#"{"inline": "schön", "encoding": "utf8"}"#, "schön".as_bytes(), true),
        (r#"{"inline": "AP8=", "encoding": "base64"}"#, b"\x00\xff", true),
        (r#"{"inline": "AP8", "encoding": "base64"}"#, b"\x00\xff", true),
        (r#"{"inline": "AP-_", "encoding": "base64url"}"#, b"\x00\xff\xbf", true),
        (r#"{"inline": "AP8=", "encoding": "base64url"}"#, b"\x00\xff", true),
        (r#"{"inline": "00fFbF", "encoding": "hex"}"#, b"\x00\xff\xbf", true),
    ] {
        let secret = secret(config).expect(config);
        assert_eq!((secret.bytes(), secret.is_inline()), (bytes, inline), "{config}");
    }
}

#[test]
fn what_cannot_be_a_secret_is_refused_and_never_shown() {
    let unset = "is not set, or is empty: it goes under environment_variables in the vm_config of Envoy, or env in \
                 the vmConfig of Istio";
    for (config, problem) in [
        (r#""hunter2""#, "expected an object, found text".to_owned()),
        ("{}", NEITHER.to_owned()),
        (r#"{"env": "PLAIN", "inline": "hunter2"}"#, BOTH.to_owned()),
        (r#"{"env": "JWT_SECRET"}"#, format!("env: the environment variable JWT_SECRET {unset}")),
        (r#"{"env": "EMPTY"}"#, format!("env: the environment variable EMPTY {unset}")),
        (r#"{"env": "hunter2"}"#, format!("env: the environment variable {unset}")),
        (
            r#"{"env": "hunter-2"}"#,
            "env: is not the name of an environment variable: letters, digits and _, no digit first"
                .to_owned(),
        ),
        (
            r#"{"env": "LINE"}"#,
            "env: the secret begins or ends with white space; if that is meant, write it in another encoding"
                .to_owned(),
        ),
        (
            r#"{"env": "LINE", "encoding": "base64"}"#,
            "env: the secret is not base64: letters, digits, + and /".to_owned(),
        ),
        (r#"{"inline": ""}"#, "inline: must not be empty".to_owned()),
        (r#"{"inline": 4711}"#, "inline: expected text, found a number".to_owned()),
        (r#"{"inline": null}"#, "inline: has no value; remove it or give one".to_owned()),
        (
            r#"{"inline": "hunter2=", "encoding": "base64"}"#,
            "inline: the secret is not base64: letters, digits, + and /".to_owned(),
        ),
        (
            r#"{"inline": "hunter+/", "encoding": "base64url"}"#,
            "inline: the secret is not base64url: letters, digits, - and _".to_owned(),
        ),
        (
            r#"{"inline": "=", "encoding": "base64url"}"#,
            "inline: the secret is not base64url: letters, digits, - and _".to_owned(),
        ),
        (
            r#"{"inline": "hunter", "encoding": "hex"}"#,
            "inline: the secret is not hex: two digits for each byte".to_owned(),
        ),
        (
            r#"{"inline": "abc", "encoding": "hex"}"#,
            "inline: the secret is not hex: two digits for each byte".to_owned(),
        ),
        (
            r#"{"inline": "hunter2", "encoding": "rot13"}"#,
            "encoding: this is not one of utf8, base64, base64url, hex".to_owned(),
        ),
        (
            r#"{"env": "EMPTY", "encodin": "hex"}"#,
            format!(
                "encodin: unknown field, did you mean \"encoding\"?\nenv: the environment variable EMPTY {unset}"
            ),
        ),
    ] {
        let refused = secret(config).expect_err(config);
        assert_eq!(refused, problem, "{config}");
        assert!(!refused.contains("hunter"), "{refused}");
    }
}

#[test]
fn a_secret_does_not_show_in_a_dump() {
    assert_eq!(format!("{:?}", secret(r#"{"inline": "hunter2"}"#)), "Ok(Secret(..))");
}

#[test]
fn only_the_same_bytes_are_equal() {
    let secret = secret(r#"{"env": "PLAIN"}"#).expect("a secret");
    assert!(secret.equals(b"correct horse"));
    for other in [b"".as_slice(), b"correct hors", b"correct horsf", b"Correct horse", b"correct horse "] {
        assert!(!secret.equals(other), "{other:?}");
    }
}
