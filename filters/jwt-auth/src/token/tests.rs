//! Tokens as the RFCs show them, and every way of writing one that isn't.

use kit::value::Number;
use proptest::prelude::*;
#[cfg(target_arch = "wasm32")]
use wasm_bindgen_test::wasm_bindgen_test as test;

use super::*;
use crate::claim::header_text;

const HEADER: &str = r#"{"alg":"RS256"}"#;
const PAYLOAD: &str = r#"{"sub":"alice"}"#;

/// The JWT of RFC 7519 section 3.1.
const OF_THE_RFC: &str = "eyJ0eXAiOiJKV1QiLA0KICJhbGciOiJIUzI1NiJ9.\
    eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ.\
    dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";

fn encode(bytes: impl AsRef<[u8]>) -> String {
    Base64UrlUnpadded::encode_string(bytes.as_ref())
}

fn write(header: impl AsRef<[u8]>, payload: impl AsRef<[u8]>) -> String {
    format!("{}.{}.{}", encode(header), encode(payload), encode("signature"))
}

fn reason(bytes: impl AsRef<[u8]>) -> Option<Reason> {
    Token::parse(bytes.as_ref()).err()
}

/// What becomes of a token with this header.
fn header(header: impl AsRef<[u8]>) -> Result<Header, Reason> {
    Token::parse(write(header, PAYLOAD).as_bytes()).map(|token| token.header)
}

/// Why a token is refused that has this JSON in its header, and one that has it in its payload.
fn in_both(json: impl AsRef<[u8]>) -> [Option<Reason>; 2] {
    let json = json.as_ref();
    let header = [br#"{"alg":"RS256","x":"#, json, b"}"].concat();
    let payload = [br#"{"x":"#, json, b"}"].concat();
    [reason(write(header, PAYLOAD)), reason(write(HEADER, payload))]
}

const OK: [Option<Reason>; 2] = [None; 2];
const MALFORMED: [Option<Reason>; 2] = [Some(Reason::Malformed); 2];

#[test]
fn the_example_of_rfc_7519_section_3_1_is_read() {
    let token = Token::parse(OF_THE_RFC.as_bytes()).unwrap();
    let expected = Header { algorithm: Algorithm::Hs256, key_id: None, typ: Some("JWT".to_owned()) };
    assert_eq!(token.header, expected);
    assert_eq!(token.payload.get("iss"), Some(&Value::Text("joe".to_owned())));
    assert_eq!(token.payload.get("exp"), Some(&Value::Number(1_300_819_380_u64.into())));
    assert_eq!(token.payload.get("http://example.com/is_root"), Some(&Value::Bool(true)));
    assert_eq!(token.signature.len(), 32);
    let (signing_input, _) = OF_THE_RFC.rsplit_once('.').unwrap();
    assert_eq!(token.signing_input, signing_input.as_bytes());
    assert_eq!(Some(token.payload_part), OF_THE_RFC.split('.').nth(1).map(str::as_bytes));
}

#[test]
fn the_unsecured_example_of_rfc_7519_section_6_1_is_refused() {
    let token = "eyJhbGciOiJub25lIn0.\
        eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ.";
    assert_eq!(reason(token), Some(Reason::Algorithm));
}

#[test]
fn an_algorithm_that_is_none_of_ours_is_refused() {
    for (attack, alg) in [
        ("alg none", r#""none""#),
        ("alg None", r#""None""#),
        ("alg NONE", r#""NONE""#),
        ("alg nOnE", r#""nOnE""#),
        ("alg none with a space", r#""none ""#),
        ("alg none in escapes", r#""\u006eone""#),
        ("alg empty", r#""""#),
        ("alg in lower case", r#""rs256""#),
        ("alg with a space", r#"" RS256""#),
        ("alg with a NUL", r#""RS256\u0000""#),
        ("alg as array", r#"["RS256"]"#),
        ("alg as object", r#"{"RS256":1}"#),
        ("alg as number", "256"),
        ("alg as boolean", "true"),
        ("alg as null", "null"),
        ("alg of RSA encryption", r#""RSA-OAEP""#),
        ("alg of a secp256k1 key", r#""ES256K""#),
        ("alg of another curve", r#""Ed448""#),
        ("alg of SHA-1", r#""RS1""#),
    ] {
        assert_eq!(header(format!(r#"{{"alg":{alg}}}"#)), Err(Reason::Algorithm), "{attack}");
    }
    assert_eq!(header("{}"), Err(Reason::Algorithm), "alg missing");
    assert_eq!(header(r#"{"ALG":"RS256"}"#), Err(Reason::Algorithm), "alg by another name");
    let signed = format!("{}.{}.{}", encode(r#"{"alg":"none"}"#), encode(PAYLOAD), encode("signature"));
    assert_eq!(reason(signed), Some(Reason::Algorithm), "alg none with a signature");
}

#[test]
fn every_algorithm_of_ours_is_known_by_its_name() {
    for (name, algorithm) in Algorithm::NAMES {
        let read = header(format!(r#"{{"alg":"{name}"}}"#)).map(|header| header.algorithm);
        assert_eq!(read, Ok(*algorithm), "{name}");
    }
}

#[test]
fn a_header_that_asks_for_an_extension_is_refused() {
    for (attack, fields) in [
        ("crit unknown", r#""crit":["https://example.com/x"],"https://example.com/x":1"#),
        ("crit empty", r#""crit":[]"#),
        ("crit as string", r#""crit":"exp""#),
        ("crit with a registered name", r#""crit":["alg"]"#),
        ("crit with a name that is absent", r#""crit":["exp"]"#),
        ("crit with a number", r#""crit":[1]"#),
        ("crit as null", r#""crit":null"#),
        ("crit in escapes", r#""\u0063rit":["exp"]"#),
        ("b64=false", r#""b64":false,"crit":["b64"]"#),
        ("b64=false without crit", r#""b64":false"#),
        ("b64=true", r#""b64":true"#),
        ("b64 as string", r#""b64":"false""#),
        ("nested token", r#""cty":"JWT""#),
        ("nested token in lower case", r#""cty":"jwt""#),
        ("nested token as media type", r#""cty":"application/jwt""#),
    ] {
        assert_eq!(header(format!(r#"{{"alg":"RS256",{fields}}}"#)), Err(Reason::Critical), "{attack}");
    }
}

#[test]
fn a_header_says_which_key_and_which_type() {
    let read = |fields: &str| {
        header(format!(r#"{{"alg":"RS256",{fields}}}"#)).map(|header| (header.key_id, header.typ))
    };
    let key = |id: &str| Ok((Some(id.to_owned()), None));
    assert_eq!(read(r#""kid":"k1""#), key("k1"));
    assert_eq!(read(r#""kid":"""#), key(""));
    assert_eq!(read(r#""kid":"K1""#), key("K1"), "case is kept");
    assert_eq!(read(r#""kid":"../../dev/null""#), key("../../dev/null"), "kid traversal");
    assert_eq!(read(r#""kid":"' OR 1=1 --""#), key("' OR 1=1 --"), "kid SQL");
    assert_eq!(read(r#""kid":"\u0000""#), key("\0"), "kid NUL");
    assert_eq!(read(r#""typ":"at+jwt""#), Ok((None, Some("at+jwt".to_owned()))));
    assert_eq!(read(r#""cty":"text/plain""#), Ok((None, None)));
    for (attack, fields) in [
        ("kid number", r#""kid":1"#),
        ("kid null", r#""kid":null"#),
        ("kid array", r#""kid":["k1"]"#),
        ("kid object", r#""kid":{}"#),
        ("typ number", r#""typ":1"#),
        ("typ null", r#""typ":null"#),
        ("typ array", r#""typ":["JWT"]"#),
        ("cty number", r#""cty":1"#),
        ("cty array", r#""cty":["JWT"]"#),
    ] {
        assert_eq!(read(fields), Err(Reason::Malformed), "{attack}");
    }
}

#[test]
fn keys_inside_a_token_change_nothing() {
    let plain = header(HEADER);
    for (attack, fields) in [
        ("jwk injection", r#""jwk":{"kty":"oct","k":"AAAA"}"#),
        ("jwk that is no key", r#""jwk":7"#),
        ("jku injection", r#""jku":"https://evil.example/jwks.json""#),
        ("x5u injection", r#""x5u":"https://evil.example/cert.pem""#),
        ("x5c injection", r#""x5c":["AAAA"]"#),
        ("x5t injection", r#""x5t":"AAAA","x5t#S256":null"#),
    ] {
        assert_eq!(header(format!(r#"{{"alg":"RS256",{fields}}}"#)), plain, "{attack}");
    }
}

#[test]
fn a_media_type_is_compared_without_case_and_prefix() {
    for written in
        ["at+jwt", "AT+JWT", "At+Jwt", "application/at+jwt", "APPLICATION/AT+JWT", "Application/at+JWT"]
    {
        assert!(is_media_type(written, "at+jwt"), "{written}");
        assert!(is_media_type(written, "application/AT+jwt"), "{written}");
    }
    for written in [
        "",
        "JWT",
        "jwt+at",
        "at+jwt ",
        " at+jwt",
        "text/at+jwt",
        "at+jwt; charset=utf-8",
        "application/",
        "application/application/at+jwt",
        "applicationat+jwt",
        "at+jwts",
        "ät+jwt",
    ] {
        assert!(!is_media_type(written, "at+jwt"), "{written}");
    }
}

#[test]
fn a_name_that_occurs_twice_is_refused_at_every_level() {
    for (attack, header) in [
        ("duplicate alg", r#"{"alg":"RS256","alg":"none"}"#),
        ("duplicate alg, the same", r#"{"alg":"RS256","alg":"RS256"}"#),
        ("duplicate alg in escapes", r#"{"alg":"RS256","\u0061lg":"none"}"#),
        ("duplicate alg in escapes, first", r#"{"\u0061\u006c\u0067":"none","alg":"RS256"}"#),
        ("duplicate kid", r#"{"alg":"RS256","kid":"a","kid":"b"}"#),
        ("nested duplicate", r#"{"alg":"RS256","x":{"y":1,"y":1}}"#),
    ] {
        assert_eq!(reason(write(header, PAYLOAD)), Some(Reason::Malformed), "{attack}");
    }
    for (attack, payload) in [
        ("duplicate sub", r#"{"sub":"alice","sub":"bob"}"#),
        ("duplicate sub in escapes", r#"{"sub":"alice","s\u0075b":"bob"}"#),
        ("duplicate aud", r#"{"aud":"api","aud":["other"]}"#),
        ("duplicate exp", r#"{"exp":1,"exp":9999999999}"#),
        ("duplicate exp in escapes", r#"{"exp":1,"\u0065xp":9999999999}"#),
        ("duplicate after another", r#"{"exp":1,"sub":"alice","iat":1,"exp":1}"#),
        ("nested duplicate", r#"{"realm_access":{"roles":["user"],"roles":["admin"]}}"#),
        ("nested duplicate in a list", r#"{"a":[{},[{"b":1,"\u0062":2}]]}"#),
        ("duplicate empty name", r#"{"":1,"":2}"#),
        ("duplicate in a pair of surrogates", r#"{"😀":1,"\ud83d\ude00":2}"#),
    ] {
        assert_eq!(reason(write(HEADER, payload)), Some(Reason::Malformed), "{attack}");
    }
    for (label, payload) in [
        ("same name at different levels", r#"{"a":{"a":[{"a":1},{"a":1}]}}"#),
        ("names of different case", r#"{"sub":1,"Sub":2}"#),
        ("names of different composition", r#"{"\u00e9":1,"e\u0301":2}"#),
    ] {
        assert_eq!(reason(write(HEADER, payload)), None, "{label}");
    }
}

#[test]
fn a_part_is_one_json_object_and_nothing_else() {
    for (attack, json) in [
        ("trailing JSON", &b"{\"alg\":\"RS256\"}{}"[..]),
        ("trailing text", b"{\"alg\":\"RS256\"}x"),
        ("trailing NUL", b"{\"alg\":\"RS256\"}\0"),
        ("trailing comma", b"{\"alg\":\"RS256\",}"),
        ("leading comma", b"{,\"alg\":\"RS256\"}"),
        ("cut", b"{\"alg\":\"RS256\""),
        ("BOM", b"\xef\xbb\xbf{\"alg\":\"RS256\"}"),
        ("BOM behind", b"{\"alg\":\"RS256\"}\xef\xbb\xbf"),
        ("UTF-16", b"{\0\"\0a\0l\0g\0\"\0:\0\"\0R\0S\x002\x005\x006\0\"\0}\0"),
        ("single quotes", b"{'alg':'RS256'}"),
        ("names without quotes", b"{alg:\"RS256\"}"),
        ("comment", b"{\"alg\":\"RS256\"/**/}"),
        ("leading form feed", b"\x0c{\"alg\":\"RS256\"}"),
        ("leading no-break space", b"\xc2\xa0{\"alg\":\"RS256\"}"),
        ("list", b"[{\"alg\":\"RS256\"}]"),
        ("text", b"\"RS256\""),
        ("number", b"1"),
        ("null", b"null"),
        ("white space", b" "),
        ("nothing", b""),
    ] {
        assert_eq!(reason(write(json, PAYLOAD)), Some(Reason::Malformed), "{attack} in the header");
        assert_eq!(reason(write(HEADER, json)), Some(Reason::Malformed), "{attack} in the payload");
    }
    assert_eq!(reason(write(" {\r\n\t\"alg\" : \"RS256\" } ", "\n{ }\n")), None, "white space of JSON");
}

#[test]
fn texts_are_unicode() {
    for (attack, json) in [
        ("bad UTF-8", &b"\"\xff\""[..]),
        ("bad UTF-8, cut", b"\"\xe2\x82\""),
        ("bad UTF-8, a surrogate", b"\"\xed\xa0\x80\""),
        ("bad UTF-8, overlong", b"\"\xc0\xaf\""),
        ("bad UTF-8, beyond Unicode", b"\"\xf4\x90\x80\x80\""),
        ("lone surrogate, high", br#""\ud800""#),
        ("lone surrogate, low", br#""\udc00""#),
        ("lone surrogate before text", br#""\ud800x""#),
        ("lone surrogates in the wrong order", br#""\udc00\ud800""#),
        ("lone surrogate twice", br#""\ud800\ud800""#),
        ("lone surrogate in a name", br#"{"\ud800":1}"#),
        ("bad UTF-8 in a name", b"{\"\xff\":1}"),
        ("raw control character", b"\"\n\""),
        ("raw NUL", b"\"\0\""),
        ("unknown escape", br#""\x41""#),
        ("short escape", br#""\u41""#),
    ] {
        assert_eq!(in_both(json), MALFORMED, "{attack}");
    }
    assert_eq!(in_both(r#""é😀\ud83d\ude00\u0000""#), OK, "text of any plane");
}

#[test]
fn numbers_are_those_of_json() {
    for (attack, json) in [
        ("NaN", "NaN"),
        ("Infinity", "Infinity"),
        ("-Infinity", "-Infinity"),
        ("hexadecimal", "0x10"),
        ("leading zero", "01"),
        ("leading plus", "+1"),
        ("no digit before the point", ".5"),
        ("no digit behind the point", "5."),
        ("empty exponent", "1e"),
        ("two signs", "--1"),
        // A number that no float can hold could be any; RFC 8259 section 6 lets us set that limit.
        ("exp 1e400", "1e400"),
        ("exp -1e400", "-1e400"),
        ("exp of 400 digits", &"9".repeat(400)),
    ] {
        assert_eq!(in_both(json), MALFORMED, "{attack}");
    }
    let digits = format!("0.{}", "1".repeat(400));
    for json in [
        "0",
        "-0",
        "-0.0",
        "1e300",
        "1E+5",
        "1e-400",
        "18446744073709551616",
        "-9223372036854775809",
        &digits,
    ] {
        assert_eq!(in_both(json), OK, "{json}");
    }
}

#[test]
fn depth_ends_at_32_levels_while_reading() {
    let lists = |levels: usize| format!("{}{}", "[".repeat(levels), "]".repeat(levels));
    let objects = |levels: usize| format!("{}1{}", r#"{"a":"#.repeat(levels), "}".repeat(levels));
    // The object of the part is one level.
    assert_eq!(in_both(lists(31)), OK, "depth 32 of lists");
    assert_eq!(in_both(objects(31)), OK, "depth 32 of objects");
    assert_eq!(in_both(lists(32)), MALFORMED, "depth 33 of lists");
    assert_eq!(in_both(objects(32)), MALFORMED, "depth 33 of objects");
    for levels in [200, 20_000] {
        assert_eq!(in_both(lists(levels)), MALFORMED, "depth {levels} of lists");
        assert_eq!(in_both(objects(levels)), MALFORMED, "depth {levels} of objects");
        assert_eq!(in_both("[".repeat(levels)), MALFORMED, "depth {levels} without an end");
        assert_eq!(in_both(r#"{"a":["#.repeat(levels)), MALFORMED, "depth {levels} of both");
    }
    assert_eq!(reason("[".repeat(20_000)), Some(Reason::Malformed), "depth 20000 not encoded");
}

#[test]
fn a_token_is_three_parts_of_base64url() {
    let [h, p, s] = [encode(HEADER), encode(PAYLOAD), encode("signature")];
    assert_eq!((h.len() % 4, p.len() % 4, s.len() % 4), (0, 0, 0), "parts whose ends are the cases below");
    // Two bytes are three characters, of which the last has two bits to spare.
    let [short, altered] = ["YWI", "YWJ"];
    assert_eq!(reason(format!("{h}.{p}.{short}")), None, "two bytes");
    let malformed = [
        ("nothing", String::new()),
        ("1 part", h.clone()),
        ("2 parts", format!("{h}.{p}")),
        ("4 parts", format!("{h}.{p}.{s}.{s}")),
        ("6 parts", format!("{h}.{p}.{s}.{s}.{s}.{s}")),
        ("dots only", "..".to_owned()),
        ("empty header", format!(".{p}.{s}")),
        ("empty payload", format!("{h}..{s}")),
        ("empty signature", format!("{h}.{p}.")),
        ("padding", format!("{h}.{p}.{short}=")),
        ("padding of the header", format!("{h}=.{p}.{s}")),
        ("padding of the payload", format!("{h}.{p}==.{s}")),
        ("padding only", format!("{h}.{p}.====")),
        ("padding in escapes", format!("{h}.{p}.{short}%3D")),
        ("standard alphabet, +", format!("{h}.{p}.+___")),
        ("standard alphabet, /", format!("{h}.{p}./---")),
        ("leading white space", format!(" {h}.{p}.{s}")),
        ("trailing white space", format!("{h}.{p}.{s} ")),
        ("trailing line feed", format!("{h}.{p}.{s}\n")),
        ("trailing CRLF", format!("{h}.{p}.{s}\r\n")),
        ("trailing tab", format!("{h}.{p}.{s}\t")),
        ("inner space", format!("{h}. {p}.{s}")),
        ("inner space before a dot", format!("{h} .{p}.{s}")),
        ("inner line feed", format!("{h}.{p}.si\ngn")),
        ("leading NUL", format!("\0{h}.{p}.{s}")),
        ("inner NUL", format!("{h}.{p}\0.{s}")),
        ("trailing NUL", format!("{h}.{p}.{s}\0")),
        ("no-break space", format!("{h}.{p}.{s}\u{a0}")),
        ("full-width dot", format!("{h}\u{ff0e}{p}\u{ff0e}{s}")),
        ("dot in escapes", format!("{h}%2E{p}%2E{s}")),
        ("comma for a dot", format!("{h},{p},{s}")),
        ("non-canonical bits, 2 spare", format!("{h}.{p}.{altered}")),
        ("non-canonical bits, 4 spare", format!("{h}.{p}.QR")),
        ("length of 4n+1", format!("{h}.{p}.{s}A")),
        ("length of 1", format!("{h}.{p}.A")),
        ("length of 4n+1 in the payload", format!("{h}.{p}A.{s}")),
        ("quotes", format!("\"{h}.{p}.{s}\"")),
        ("scheme", format!("Bearer {h}.{p}.{s}")),
        ("flattened JSON", format!(r#"{{"protected":"{h}","payload":"{p}","signature":"{s}"}}"#)),
        (
            "JSON serialisation",
            format!(r#"{{"payload":"{p}","signatures":[{{"protected":"{h}","signature":"{s}"}}]}}"#),
        ),
        ("JSON serialisation with dots", format!(r#"{{"x":"{h}.{p}.{s}"}}"#)),
    ];
    for (attack, token) in malformed {
        assert_eq!(reason(token), Some(Reason::Malformed), "{attack}");
    }
    assert_eq!(reason([h.as_bytes(), b".\xff."].concat()), Some(Reason::Malformed), "bytes that are no text");
}

#[test]
fn bits_to_spare_are_refused_in_each_part() {
    // A space more, because JSON allows it, makes the parts of a length that leaves bits to spare.
    let header = encode(format!("{HEADER} "));
    let payload = encode(format!("{PAYLOAD} "));
    let last = |part: &str| part.chars().last();
    assert_eq!((last(&header), last(&payload)), (Some('A'), Some('A')));
    let with = |header: &str, payload: &str| reason(format!("{header}.{payload}.c2ln"));
    assert_eq!(with(&header, &payload), None);
    let altered = |part: &str| part.strip_suffix('A').map(|rest| format!("{rest}B")).unwrap();
    assert_eq!(
        with(&altered(&header), &payload),
        Some(Reason::Malformed),
        "non-canonical bits of the header"
    );
    assert_eq!(
        with(&header, &altered(&payload)),
        Some(Reason::Malformed),
        "non-canonical bits of the payload"
    );
}

#[test]
fn an_encrypted_token_has_a_reason_of_its_own() {
    // RFC 7516 section 3.3, shortened.
    assert_eq!(reason("eyJhbGciOiJSU0EtT0FFUCJ9.AAAA.AAAA.AAAA.AAAA"), Some(Reason::Encrypted), "5 parts");
    assert_eq!(reason("...."), Some(Reason::Encrypted), "5 parts without anything");
    assert_eq!(reason("eyJhbGciOiJkaXIifQ..AAAA.AAAA.AAAA"), Some(Reason::Encrypted), "5 parts, direct");
    let token = write(HEADER, PAYLOAD);
    assert_eq!(reason(format!("{token},{token}")), Some(Reason::Encrypted), "two tokens look like one");
}

#[test]
fn size_alone_is_no_reason_and_no_danger() {
    let long = format!(r#"{{"sub":"{}"}}"#, "a".repeat(48 << 10));
    let token = write(HEADER, &long);
    assert!(64 << 10 < token.len(), "64 KiB");
    assert_eq!(reason(&token), None, "64 KiB, well formed");
    let names: Vec<_> = (0..6000).map(|index| format!(r#""{index}":0"#)).collect();
    assert_eq!(reason(write(HEADER, format!("{{{}}}", names.join(",")))), None, "64 KiB of names");
    for (attack, character) in [("letters", "A"), ("dots", "."), ("NULs", "\0"), ("padding", "=")] {
        assert_eq!(reason(character.repeat(64 << 10)), Some(Reason::Malformed), "64 KiB of {attack}");
    }
}

/// Values as JSON has them, names differing.
fn value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::Bool),
        any::<u64>().prop_map(|number| Value::Number(number.into())),
        any::<i64>().prop_map(|number| Value::Number(number.into())),
        // Eighths are exact in binary.
        (any::<i32>(), 1..8_i32).prop_map(|(whole, eighths)| {
            let text = format!("{whole}.{:03}", eighths.saturating_mul(125));
            Value::Number(Number::from(text.parse::<f64>().unwrap()))
        }),
        ".{0,8}".prop_map(Value::Text),
    ];
    leaf.prop_recursive(4, 24, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::List),
            prop::collection::btree_map(".{0,3}", inner, 0..4)
                .prop_map(|fields| Value::Object(fields.into_iter().collect())),
        ]
    })
}

fn payload() -> impl Strategy<Value = Value> {
    prop::collection::btree_map(".{0,3}", value(), 0..6)
        .prop_map(|fields| Value::Object(fields.into_iter().collect()))
}

/// The bytes of the three parts, if they are parts.
fn decoded(token: &str) -> Option<Vec<Vec<u8>>> {
    token.split('.').map(|part| Base64UrlUnpadded::decode_vec(part).ok()).collect()
}

proptest! {
    #[test]
    fn arbitrary_bytes_never_panic(bytes in prop::collection::vec(any::<u8>(), 0..256)) {
        drop(Token::parse(&bytes));
    }

    #[test]
    fn what_looks_like_a_token_never_panics(text in "[A-Za-z0-9_=+/-]{0,40}(\\.[A-Za-z0-9_= -]{0,40}){0,5}") {
        drop(Token::parse(text.as_bytes()));
    }

    #[test]
    fn arbitrary_parts_never_panic(
        header in prop::collection::vec(any::<u8>(), 0..64),
        payload in prop::collection::vec(any::<u8>(), 0..64),
        json in "[\\[\\]{}\":,eE0-9.+a \\\\u-]{0,40}",
    ) {
        drop(Token::parse(write(&header, &payload).as_bytes()));
        drop(Token::parse(write(HEADER, &payload).as_bytes()));
        drop(Token::parse(write(HEADER, &json).as_bytes()));
        drop(Token::parse(write(format!("{{\"alg\":\"RS256\",{json}}}"), PAYLOAD).as_bytes()));
    }

    #[test]
    fn a_well_formed_token_gives_back_its_parts(
        (name, algorithm) in prop::sample::select(Algorithm::NAMES),
        key_id in prop::option::of(".{0,8}"),
        typ in prop::option::of(".{0,8}"),
        payload in payload(),
        signature in prop::collection::vec(any::<u8>(), 1..80),
    ) {
        let mut fields = vec![("alg".to_owned(), Value::Text(name.to_owned()))];
        fields.extend(key_id.clone().map(|id| ("kid".to_owned(), Value::Text(id))));
        fields.extend(typ.clone().map(|typ| ("typ".to_owned(), Value::Text(typ))));
        let header = header_text(&Value::Object(fields)).unwrap();
        let written = header_text(&payload).unwrap();
        let signing_input = format!("{}.{}", encode(header), encode(&written));
        let text = format!("{signing_input}.{}", encode(&signature));
        let token = Token::parse(text.as_bytes()).unwrap();
        prop_assert_eq!(token.header, Header { algorithm, key_id, typ });
        prop_assert_eq!(token.payload, payload);
        prop_assert_eq!(String::from_utf8_lossy(token.payload_part), encode(&written));
        prop_assert_eq!(token.signing_input, signing_input.as_bytes());
        prop_assert_eq!(token.signature, signature);
    }

    #[test]
    fn another_text_is_never_the_same_token(
        payload in payload(),
        signature in prop::collection::vec(any::<u8>(), 1..8),
        at in any::<prop::sample::Index>(),
        character in prop_oneof![Just('A'), Just('B'), Just('_'), Just('='), Just('.'), Just(' '), any::<char>()],
        inserted: bool,
    ) {
        let payload = header_text(&payload).unwrap();
        let original = format!("{}.{}.{}", encode(HEADER), encode(payload), encode(signature));
        let mut characters: Vec<char> = original.chars().collect();
        let at = at.index(characters.len());
        if inserted {
            characters.insert(at, character);
        } else {
            characters[at] = character;
        }
        let flipped: String = characters.into_iter().collect();
        if let Ok(token) = Token::parse(flipped.as_bytes()) {
            // There is one way to write the bytes of a token, and what is verified are those of its parts.
            let parts = decoded(&flipped).unwrap();
            prop_assert_eq!(parts == decoded(&original).unwrap(), flipped == original);
            prop_assert_eq!(parts.iter().map(encode).collect::<Vec<_>>().join("."), flipped.as_str());
            let signed = token.signing_input == Token::parse(original.as_bytes()).unwrap().signing_input;
            prop_assert!(flipped == original || !signed || parts[2] != decoded(&original).unwrap()[2]);
        }
    }
}
