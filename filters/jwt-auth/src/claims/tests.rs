//! Claims that are as expected, and each of the ways in which they aren't.

use kit::value::json;
use proptest::prelude::*;
#[cfg(target_arch = "wasm32")]
use wasm_bindgen_test::wasm_bindgen_test as test;

use super::*;
use crate::algorithm::Algorithm;

const ISSUER: &str = "https://issuer.example.com";
const NOW: u64 = 1_700_000_000;

fn expectations() -> Expectations {
    Expectations {
        issuer: ISSUER.to_owned(),
        audiences: Some(vec!["api".to_owned(), "https://api.example.com".to_owned()]),
        leeway: Duration::from_secs(60),
        max_lifetime: None,
        required: Vec::new(),
        expiry_required: true,
        typ: Typ::Any,
        access_token: false,
    }
}

fn header(typ: Option<&str>) -> Header {
    Header { algorithm: Algorithm::Rs256, key_id: None, typ: typ.map(str::to_owned) }
}

fn read(payload: &str) -> Value {
    json(payload.as_bytes(), 32).unwrap()
}

/// Checks a payload with these claims beside an issuer and an audience.
fn check(expectations: &Expectations, claims: &str) -> Result<Claims, Reason> {
    let payload = format!(r#"{{"iss":"{ISSUER}","aud":"api",{claims}}}"#);
    expectations.check(&header(None), &read(&payload))
}

/// What becomes of these claims now.
fn now(claims: &str) -> Result<(), Reason> {
    at(claims, Timestamp::from_seconds(NOW))
}

fn at(claims: &str, now: Timestamp) -> Result<(), Reason> {
    check(&expectations(), claims)?.validity.at(now)
}

#[test]
fn a_token_that_is_as_expected_is_accepted() {
    let claims = check(
        &expectations(),
        r#""exp":1700000300,"nbf":1699999900,"iat":1700000000,"sub":"alice","jti":"1","custom":[null]"#,
    );
    let validity = Validity {
        from: Timestamp::from_seconds(1_699_999_940),
        until: Some(Timestamp::from_seconds(1_700_000_360)),
    };
    assert_eq!(claims, Ok(Claims { validity, issued_at: Some(Timestamp::from_seconds(NOW)) }));
}

#[test]
fn an_issuer_is_compared_character_by_character() {
    let check = |issuer: &str| {
        let payload = read(&format!(r#"{{{issuer}"aud":"api","exp":1700000300}}"#));
        expectations().check(&header(None), &payload).err()
    };
    assert_eq!(check(r#""iss":"https://issuer.example.com","#), None);
    assert_eq!(check(r#""iss":"https:\/\/issuer.example.com","#), None, "escapes are the same text");
    for (attack, issuer) in [
        ("iss prefix", "https://issuer.example.co"),
        ("iss with more behind it", "https://issuer.example.com.evil.example"),
        ("iss in another case", "https://Issuer.example.com"),
        ("iss with a trailing slash", "https://issuer.example.com/"),
        ("iss with a trailing space", "https://issuer.example.com "),
        ("iss with a NUL", "https://issuer.example.com\\u0000"),
        ("iss with its port", "https://issuer.example.com:443"),
        ("iss with another scheme", "http://issuer.example.com"),
        ("iss with another letter that looks the same", "https://\u{456}ssuer.example.com"),
        ("iss empty", ""),
    ] {
        assert_eq!(check(&format!(r#""iss":"{issuer}","#)), Some(Reason::Issuer), "{attack}");
    }
    assert_eq!(check(""), Some(Reason::Issuer), "iss missing");
    for (attack, issuer) in [
        ("iss type confusion, array", r#"["https://issuer.example.com"]"#),
        ("iss type confusion, object", r#"{"https://issuer.example.com":1}"#),
        ("iss type confusion, number", "1"),
        ("iss type confusion, boolean", "true"),
        ("iss null", "null"),
    ] {
        assert_eq!(check(&format!(r#""iss":{issuer},"#)), Some(Reason::ClaimType), "{attack}");
    }
}

#[test]
fn one_of_the_audiences_must_be_ours() {
    let check_with = |audiences: Option<&[&str]>, audience: &str| {
        let audiences = audiences.map(|list| list.iter().map(|audience| (*audience).to_owned()).collect());
        let expectations = Expectations { audiences, ..expectations() };
        let payload = read(&format!(r#"{{"iss":"{ISSUER}",{audience}"exp":1700000300}}"#));
        expectations.check(&header(None), &payload).err()
    };
    let ours = |audience: &str| check_with(Some(&["api", "https://api.example.com"]), audience);
    let any = |audience: &str| check_with(None, audience);
    for audience in [r#""api""#, r#"["api"]"#, r#"["other","https://api.example.com"]"#] {
        assert_eq!(ours(&format!(r#""aud":{audience},"#)), None, "{audience}");
    }
    for (attack, audience) in [
        ("aud of somebody else", r#""other""#),
        ("aud prefix", r#""ap""#),
        ("aud with more behind it", r#""apis""#),
        ("aud in another case", r#""API""#),
        ("aud with a trailing slash", r#""https://api.example.com/""#),
        ("aud as list in a text", r#""api,other""#),
        ("aud as words", r#""api other""#),
        ("aud with a space", r#"" api""#),
        ("aud empty", r#""""#),
        ("aud as empty list", "[]"),
        ("aud as list of others", r#"["other","API"]"#),
    ] {
        assert_eq!(ours(&format!(r#""aud":{audience},"#)), Some(Reason::Audience), "{attack}");
        assert_eq!(any(&format!(r#""aud":{audience},"#)), None, "{attack}, and any will do");
    }
    assert_eq!(ours(""), Some(Reason::Audience), "aud missing");
    assert_eq!(any(""), None, "aud missing, and any will do");
    for (attack, audience) in [
        ("aud type confusion, object", r#"{"api":true}"#),
        ("aud type confusion, number", "1"),
        ("aud type confusion, boolean", "true"),
        ("aud null", "null"),
        ("aud with a number beside ours", r#"["api",1]"#),
        ("aud with null beside ours", r#"["api",null]"#),
        ("aud nested", r#"[["api"]]"#),
    ] {
        assert_eq!(ours(&format!(r#""aud":{audience},"#)), Some(Reason::ClaimType), "{attack}");
        assert_eq!(any(&format!(r#""aud":{audience},"#)), Some(Reason::ClaimType), "{attack}, any will do");
    }
}

#[test]
fn subject_and_id_are_texts() {
    for name in ["sub", "jti"] {
        assert_eq!(now(&format!(r#""exp":1700000300,"{name}":"alice""#)), Ok(()), "{name}");
        for (attack, value) in [
            ("array", r#"["alice"]"#),
            ("object", r#"{"alice":1}"#),
            ("number", "1"),
            ("boolean", "true"),
            ("null", "null"),
        ] {
            let verdict = now(&format!(r#""exp":1700000300,"{name}":{value}"#));
            assert_eq!(verdict, Err(Reason::ClaimType), "{name} type confusion, {attack}");
        }
    }
}

#[test]
fn a_date_that_is_no_number_is_refused_even_where_none_is_needed() {
    let optional = Expectations { expiry_required: false, ..expectations() };
    for name in ["exp", "nbf", "iat"] {
        for (attack, value) in [
            ("string", r#""1700000300""#),
            ("string that is no number", r#""soon""#),
            ("string of an instant", r#""2030-01-01T00:00:00Z""#),
            ("empty string", r#""""#),
            ("null", "null"),
            ("bool", "true"),
            ("bool, false", "false"),
            ("array", "[1700000300]"),
            ("empty array", "[]"),
            ("object", r#"{"$numberLong":"1700000300"}"#),
        ] {
            let claims = check(&optional, &format!(r#""{name}":{value}"#));
            assert_eq!(claims.err(), Some(Reason::ClaimType), "{name} {attack}");
        }
    }
}

#[test]
fn an_expiry_is_a_number_of_any_form() {
    for (label, expiry, verdict) in [
        ("exp 0", "0", Err(Reason::Expired)),
        ("exp -0", "-0", Err(Reason::Expired)),
        ("exp -0.0", "-0.0", Err(Reason::Expired)),
        ("exp 0.0", "0.0", Err(Reason::Expired)),
        ("exp -1", "-1", Err(Reason::Expired)),
        ("exp -1e300", "-1e300", Err(Reason::Expired)),
        ("exp i64::MIN", "-9223372036854775808", Err(Reason::Expired)),
        ("exp 1e-300", "1e-300", Err(Reason::Expired)),
        ("exp in the past", "1699999000", Err(Reason::Expired)),
        ("exp as a float", "1700000300.0", Ok(())),
        ("exp as an exponent", "1.7000003e9", Ok(())),
        ("exp as a fraction", "1700000300.75", Ok(())),
        ("exp in milliseconds", "1700000300000", Ok(())),
        ("exp i64::MAX", "9223372036854775807", Ok(())),
        ("exp u64::MAX", "18446744073709551615", Ok(())),
        ("exp 2^64", "18446744073709551616", Ok(())),
        ("exp 2^64 + now", "18446744075409551616", Ok(())),
        ("exp 1e300", "1e300", Ok(())),
    ] {
        assert_eq!(now(&format!(r#""exp":{expiry}"#)), verdict, "{label}");
    }
}

#[test]
fn a_date_holds_to_the_nanosecond() {
    let instant = |seconds: u64, nanos: u64| Timestamp::from_nanos(seconds * 1_000_000_000 + nanos);
    let expired = Err(Reason::Expired);
    let early = Err(Reason::NotYet);
    for (claims, instant, verdict) in [
        (r#""exp":1700000000"#, instant(1_700_000_059, 999_999_999), Ok(())),
        (r#""exp":1700000000"#, instant(1_700_000_060, 0), expired),
        (r#""exp":1700000000.5"#, instant(1_700_000_060, 499_999_999), Ok(())),
        (r#""exp":1700000000.5"#, instant(1_700_000_060, 500_000_000), expired),
        (r#""exp":1e10,"nbf":1700000000"#, instant(1_699_999_939, 999_999_999), early),
        (r#""exp":1e10,"nbf":1700000000"#, instant(1_699_999_940, 0), Ok(())),
        (r#""exp":1e10,"nbf":1700000000.25"#, instant(1_699_999_940, 249_999_999), early),
        (r#""exp":1e10,"nbf":1700000000.25"#, instant(1_699_999_940, 250_000_000), Ok(())),
        (r#""exp":1e10,"iat":1700000000"#, instant(1_699_999_939, 999_999_999), early),
        (r#""exp":1e10,"iat":1700000000"#, instant(1_699_999_940, 0), Ok(())),
    ] {
        assert_eq!(at(claims, instant), verdict, "{claims} at {instant}");
    }
}

#[test]
fn a_token_counts_from_its_begin_and_from_its_issue() {
    for (label, claims, verdict) in [
        ("nbf i64::MAX", r#""nbf":9223372036854775807"#, Err(Reason::NotYet)),
        ("nbf 2^64", r#""nbf":18446744073709551616"#, Err(Reason::NotYet)),
        ("nbf 1e300", r#""nbf":1e300"#, Err(Reason::NotYet)),
        ("nbf in milliseconds", r#""nbf":1700000000000"#, Err(Reason::NotYet)),
        ("nbf 0", r#""nbf":0"#, Ok(())),
        ("nbf negative", r#""nbf":-5"#, Ok(())),
        ("nbf i64::MIN", r#""nbf":-9223372036854775808"#, Ok(())),
        ("nbf within the leeway", r#""nbf":1700000060"#, Ok(())),
        ("nbf beyond the leeway", r#""nbf":1700000061"#, Err(Reason::NotYet)),
        ("iat future", r#""iat":1800000000"#, Err(Reason::NotYet)),
        ("iat i64::MAX", r#""iat":9223372036854775807"#, Err(Reason::NotYet)),
        ("iat future within the leeway", r#""iat":1700000060"#, Ok(())),
        ("iat future beyond the leeway", r#""iat":1700000061"#, Err(Reason::NotYet)),
        ("iat negative", r#""iat":-1"#, Ok(())),
        ("iat future, nbf past", r#""iat":1800000000,"nbf":1"#, Err(Reason::NotYet)),
        ("iat past, nbf future", r#""iat":1,"nbf":1800000000"#, Err(Reason::NotYet)),
    ] {
        assert_eq!(now(&format!(r#""exp":99999999999,{claims}"#)), verdict, "{label}");
    }
    assert_eq!(now(r#""exp":1,"nbf":1800000000"#), Err(Reason::Expired), "over, and not begun");
}

#[test]
fn dates_of_any_size_are_instants() {
    let dates = |claims: &str| {
        let claims = check(&expectations(), claims).unwrap();
        (claims.validity.from, claims.validity.until, claims.issued_at)
    };
    let (epoch, last) = (Timestamp::EPOCH, Timestamp::from_nanos(u64::MAX));
    assert_eq!(dates(r#""exp":-1,"iat":-1"#), (epoch, Some(Timestamp::from_seconds(59)), Some(epoch)));
    assert_eq!(dates(r#""exp":-61,"nbf":59"#), (epoch, Some(epoch), None));
    assert_eq!(dates(r#""exp":1e300,"iat":1e300"#), (last, None, Some(last)));
    assert_eq!(dates(r#""exp":-1e300,"iat":-1e300"#), (epoch, Some(epoch), Some(epoch)));
    let untold = Expectations { expiry_required: false, ..expectations() };
    let claims = check(&untold, r#""sub":"a""#).unwrap();
    assert_eq!(claims, Claims { validity: Validity { from: epoch, until: None }, issued_at: None });
    assert_eq!(claims.validity.at(last), Ok(()));
}

#[test]
fn an_expiry_may_be_required() {
    let optional = Expectations { expiry_required: false, ..expectations() };
    assert_eq!(check(&expectations(), r#""sub":"a""#).err(), Some(Reason::ClaimMissing));
    assert_eq!(check(&optional, r#""sub":"a""#).err(), None);
    let over = check(&optional, r#""exp":0"#).unwrap();
    assert_eq!(over.validity.at(Timestamp::from_seconds(NOW)), Err(Reason::Expired), "exp 0 is no absence");
}

#[test]
fn a_lifetime_may_be_bounded() {
    let lives = |expiry_required: bool, claims: &str| {
        let max_lifetime = Some(Duration::from_secs(3600));
        check(&Expectations { max_lifetime, expiry_required, ..expectations() }, claims).err()
    };
    for (label, claims, verdict) in [
        ("exp - iat, at the limit", r#""exp":1700003600,"iat":1700000000"#, None),
        ("exp - iat, beyond", r#""exp":1700003601,"iat":1700000000"#, Some(Reason::Lifetime)),
        ("exp - iat, a little beyond", r#""exp":1700003600.5,"iat":1700000000"#, Some(Reason::Lifetime)),
        ("exp - nbf, at the limit", r#""exp":1700003600,"nbf":1700000000"#, None),
        ("exp - nbf, beyond", r#""exp":1700003601,"nbf":1700000000"#, Some(Reason::Lifetime)),
        (
            "iat counts beside nbf",
            r#""exp":1700003601,"iat":1700000000,"nbf":1700003600"#,
            Some(Reason::Lifetime),
        ),
        ("neither iat nor nbf", r#""exp":1700003600"#, Some(Reason::ClaimMissing)),
        ("exp before iat", r#""exp":1699999999,"iat":1700000000"#, None),
        ("exp huge", r#""exp":1e300,"iat":1700000000"#, Some(Reason::Lifetime)),
        ("both huge", r#""exp":1e300,"iat":1e300"#, None),
        ("iat negative and huge", r#""exp":1700000000,"iat":-1e300"#, Some(Reason::Lifetime)),
        ("exp and iat as far apart as can be", r#""exp":1e300,"iat":-1e300"#, Some(Reason::Lifetime)),
    ] {
        assert_eq!(lives(true, claims), verdict, "{label}");
    }
    assert_eq!(lives(false, r#""iat":1700000000"#), Some(Reason::Lifetime), "no expiry is a long life");
}

#[test]
fn claims_may_be_required() {
    let required = |claims: &str| {
        let path = |json: &str| kit::config::read_value(&read(json), ClaimPath::parse).unwrap();
        let required = vec![path(r#""email""#), path(r#"["org","id"]"#)];
        check(&Expectations { required, ..expectations() }, &format!(r#""exp":1700000300,{claims}"#)).err()
    };
    assert_eq!(required(r#""email":"a@example.com","org":{"id":0}"#), None);
    assert_eq!(required(r#""email":"","org":{"id":false}"#), None, "whatever it is");
    for (label, claims) in [
        ("one missing", r#""email":"a@example.com""#),
        ("missing inside", r#""email":"a@example.com","org":{}"#),
        ("inside of no object", r#""email":"a@example.com","org":"id""#),
        ("inside of a list", r#""email":"a@example.com","org":[{"id":1}]"#),
        ("null", r#""email":null,"org":{"id":1}"#),
        ("dots lead nowhere", r#""email":"a@example.com","org.id":1"#),
    ] {
        assert_eq!(required(claims), Some(Reason::ClaimMissing), "{label}");
    }
}

#[test]
fn a_type_may_be_expected() {
    let check = |expected: &str, typ: Option<&str>| {
        let expectations = Expectations { typ: Typ::Is(expected.to_owned()), ..expectations() };
        let payload = read(&format!(r#"{{"iss":"{ISSUER}","aud":"api","exp":1700000300}}"#));
        expectations.check(&header(typ), &payload).err()
    };
    for typ in ["at+jwt", "AT+JWT", "application/at+jwt", "Application/At+Jwt"] {
        assert_eq!(check("at+jwt", Some(typ)), None, "typ {typ}");
        assert_eq!(check("application/at+jwt", Some(typ)), None, "typ {typ}");
    }
    for typ in
        [None, Some(""), Some("JWT"), Some("text/at+jwt"), Some("at+jwt "), Some("dpop+jwt"), Some("jwt+at")]
    {
        assert_eq!(check("at+jwt", typ), Some(Reason::Type), "typ {typ:?}");
    }
    let untyped = expectations();
    let payload = read(&format!(r#"{{"iss":"{ISSUER}","aud":"api","exp":1700000300}}"#));
    for typ in [None, Some("JWT"), Some("at+jwt"), Some("whatever")] {
        assert_eq!(untyped.check(&header(typ), &payload).err(), None, "typ {typ:?}");
    }
}

#[test]
fn an_access_token_has_all_that_rfc_9068_says() {
    let claims = [
        ("iss", r#""https://issuer.example.com""#),
        ("exp", "1700000300"),
        ("aud", r#""api""#),
        ("sub", r#""alice""#),
        ("client_id", r#""app""#),
        ("iat", "1700000000"),
        ("jti", r#""1""#),
    ];
    let without = |left_out: &str, more: &str, typ: Option<&str>| {
        let fields: Vec<_> = claims
            .iter()
            .filter(|(name, _)| *name != left_out)
            .map(|(name, value)| format!(r#""{name}":{value}"#))
            .collect();
        let expectations =
            Expectations { access_token: true, audiences: None, expiry_required: false, ..expectations() };
        expectations.check(&header(typ), &read(&format!("{{{}{more}}}", fields.join(",")))).err()
    };
    for typ in ["at+jwt", "AT+jwt", "application/at+jwt", "APPLICATION/AT+JWT"] {
        assert_eq!(without("", "", Some(typ)), None, "typ {typ}");
    }
    for typ in [None, Some("JWT"), Some("at-jwt"), Some("at+jwt;v=1")] {
        assert_eq!(without("", "", typ), Some(Reason::Type), "typ {typ:?}");
    }
    for (name, _) in claims {
        let expected = if name == "iss" { Reason::Issuer } else { Reason::ClaimMissing };
        assert_eq!(without(name, "", Some("at+jwt")), Some(expected), "without {name}");
    }
    for (attack, value) in [("number", "1"), ("null", "null"), ("array", r#"["app"]"#)] {
        let verdict = without("client_id", &format!(r#","client_id":{value}"#), Some("at+jwt"));
        assert_eq!(verdict, Some(Reason::ClaimType), "client_id type confusion, {attack}");
    }
}

/// A date in quarters of a second, and how a token may write it.
fn date() -> impl Strategy<Value = Option<(i128, String)>> {
    let quarters = (-8_000_000_000_i64..=16_000_000_000).prop_map(|quarters| {
        let sign = if quarters < 0 { "-" } else { "" };
        let magnitude = quarters.unsigned_abs();
        let text = format!("{sign}{}.{:02}", magnitude / 4, magnitude % 4 * 25);
        (i128::from(quarters) * 250_000_000, text)
    });
    let seconds = prop_oneof![
        any::<i64>().prop_map(i128::from),
        any::<u64>().prop_map(i128::from),
        (0..=4_000_000_000_i64).prop_map(i128::from),
        // Around the last instant there is.
        (18_446_744_000_i64..=18_446_745_000).prop_map(i128::from),
    ];
    let whole = seconds.prop_map(|seconds| (seconds * 1_000_000_000, seconds.to_string()));
    prop::option::of(prop_oneof![quarters, whole])
}

proptest! {
    #[test]
    fn validity_agrees_with_a_naive_model(
        expiry in date(),
        begin in date(),
        issue in date(),
        leeway in 0..=300_u64,
        somewhere in 0..u64::MAX,
        near in prop::option::of((0..3_usize, -301_000_000_000..=301_000_000_000_i128, 0..3_i128)),
    ) {
        let dates = [&expiry, &begin, &issue];
        let fields = ["exp", "nbf", "iat"].iter().zip(dates).filter_map(|(name, date)| {
            date.as_ref().map(|(_, text)| format!(r#","{name}":{text}"#))
        });
        let payload = format!(r#"{{"iss":"{ISSUER}","aud":"api"{}}}"#, fields.collect::<String>());
        let expectations =
            Expectations { leeway: Duration::from_secs(leeway), expiry_required: false, ..expectations() };
        let claims = expectations.check(&header(None), &read(&payload)).unwrap();
        let nanos = |date: &Option<(i128, String)>| date.as_ref().map(|(nanos, _)| *nanos);
        let leeway = i128::from(leeway) * 1_000_000_000;
        // Often beside a bound, where mistakes are.
        let now = match near.and_then(|(which, by, side)| Some((nanos(dates[which])?, by, side))) {
            Some((date, by, 0)) => date + by,
            Some((date, _, side)) => date + leeway * (side * 2 - 3),
            None => somewhere.into(),
        };
        let now = now.clamp(0, i128::from(u64::MAX) - 1);
        let expected = if nanos(&expiry).is_some_and(|expiry| expiry + leeway <= now) {
            Err(Reason::Expired)
        } else if [&begin, &issue].iter().any(|date| nanos(date).is_some_and(|date| now < date - leeway)) {
            Err(Reason::NotYet)
        } else {
            Ok(())
        };
        let instant = Timestamp::from_nanos(u64::try_from(now).unwrap());
        prop_assert_eq!(claims.validity.at(instant), expected, "{} at {}", payload, now);
    }

    #[test]
    fn arbitrary_payloads_never_panic_and_have_an_end(text in "\\{(\"(iss|aud|exp|nbf|iat|sub)\":(\"api\"|[0-9]{1,30}|-1e9|\\[\\]|null),?){0,6}\\}") {
        if let Ok(payload) = json(text.as_bytes(), 32) {
            let max_lifetime = Some(Duration::MAX);
            let strict = Expectations { max_lifetime, access_token: true, ..expectations() };
            for (expectations, typ) in [(strict, Some("at+jwt")), (expectations(), None)] {
                if let Ok(claims) = expectations.check(&header(typ), &payload) {
                    prop_assert!(claims.validity.until.is_some());
                }
            }
        }
    }
}
