//! Documents of both kinds, good, bad and hostile.

use expect_test::{Expect, expect};
use proptest::prelude::*;
#[cfg(target_arch = "wasm32")]
use wasm_bindgen_test::wasm_bindgen_test as test;

use super::*;

#[test]
fn keeps_names_that_occur_twice() {
    let twice = vec![("a".to_owned(), number(1.0)), ("a".to_owned(), Value::Null)];
    assert_eq!(decode(br#"{"a": 1, "a": null}"#), Ok(Value::Object(twice.clone())));
    assert_eq!(decode(&encode_fields(&twice)), Ok(Value::Object(twice)));
}

#[test]
fn takes_nothing_for_an_empty_object() {
    for bytes in ["", " \n", "\n\n", "{}", "\n{ }\n"] {
        assert_eq!(decode(bytes.as_bytes()), Ok(Value::Object(Vec::new())), "{bytes:?}");
    }
}

#[test]
fn numbers_are_whole_when_no_other_integer_could_be_meant() {
    let table = [
        ("100", Some(100), "100"),
        ("100.0", Some(100), "100"),
        ("1e+06", Some(1_000_000), "1000000"),
        ("-0.0", Some(0), "0"),
        ("-5", Some(-5), "-5"),
        ("-5.0", Some(-5), "-5"),
        ("18446744073709551615", Some(u64::MAX.into()), "18446744073709551615"),
        ("-9223372036854775808", Some(i64::MIN.into()), "-9223372036854775808"),
        ("9007199254740993", Some(9_007_199_254_740_993), "9007199254740993"),
        ("999999999999999.0", Some(999_999_999_999_999), "999999999999999"),
        ("1e15", Some(1_000_000_000_000_000), "1000000000000000"),
        ("2e15", None, "2000000000000000.0"),
        ("100.5", None, "100.5"),
        ("1e300", None, "(more than 18446744073709551615)"),
        ("-2.25", None, "-2.25"),
        ("1e-12", None, "0.000000000..."),
        ("0.125", None, "0.125"),
    ];
    for (text, whole, shown) in table {
        let Ok(Value::Object(fields)) = decode(format!(r#"{{"n": {text}}}"#).as_bytes()) else {
            panic!("{text} is not decoded");
        };
        let Value::Number(number) = fields[0].1 else { panic!("{text} is no number") };
        assert_eq!((number.whole(), number.to_string().as_str()), (whole, shown), "{text}");
    }
    for float in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY] {
        assert_eq!(Number::from(float).whole(), None);
    }
}

#[test]
fn says_what_is_wrong_with_a_document() {
    check(b"[1, 2]", expect!["expected an object, found a list"]);
    check(b"\"text\"", expect!["expected an object, found text"]);
    check(b"null", expect!["expected an object, found null"]);
    check(
        b"mode: enforce",
        expect![
            "the configuration is not JSON: expected value at line 1 column 1; use JSON, or give the configuration as a google.protobuf.Struct to write YAML"
        ],
    );
    check(
        b"\n# YAML\nmode: enforce",
        expect![
            "the configuration is not JSON: expected value at line 2 column 1; use JSON, or give the configuration as a google.protobuf.Struct to write YAML"
        ],
    );
    check(b"{\n  \"a\": 1,\n}", expect!["the configuration is not JSON: trailing comma at line 3 column 1"]);
    check(b"\n{\"a\" 1}", expect!["the configuration is not JSON: expected `:` at line 2 column 6"]);
    check(b"{} {}", expect!["the configuration is not JSON: trailing characters at line 1 column 4"]);
    check(
        b"{\"a\": \"\xff\"}",
        expect!["the configuration is not JSON: invalid unicode code point at line 1 column 8"],
    );
    check(
        b"\n\x07\n\x01a\x12\x02",
        expect!["the configuration is not a Struct: it ends in the middle of a field"],
    );
    check(b"\n\x03\n\x01\xff", expect!["the configuration is not a Struct: text that is not UTF-8"]);
    check(b"\n\x02\x00\x01", expect!["the configuration is not a Struct: a field has an impossible number"]);
    check(b"\n\x01\x0b", expect!["the configuration is not a Struct: a field has an impossible type"]);
    check(
        b"\n\x0b\x08\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff",
        expect!["the configuration is not a Struct: an integer does not end"],
    );
}

#[test]
fn refuses_what_is_nested_too_deeply() {
    let nested = |levels: usize| {
        let mut value = Value::List(Vec::new());
        for _ in 2..levels {
            value = Value::List(vec![value]);
        }
        vec![("a".to_owned(), value)]
    };
    for levels in [63, 64] {
        let fields = nested(levels);
        assert_eq!(decode(&encode_fields(&fields)), Ok(Value::Object(fields.clone())));
        assert_eq!(decode(print(&Value::Object(fields.clone())).as_bytes()), Ok(Value::Object(fields)));
    }
    check(
        &encode_fields(&nested(65)),
        expect!["the configuration is not a Struct: more than 64 levels of lists and objects"],
    );
    check(
        print(&Value::Object(nested(65))).as_bytes(),
        expect![
            "the configuration is not JSON: more than 64 levels of lists and objects at line 1 column 70"
        ],
    );
    assert!(decode("[".repeat(100_000).as_bytes()).is_err());
}

#[test]
fn a_struct_may_leave_out_what_has_its_default() {
    type Row = (&'static str, &'static [u8], &'static [(&'static str, Value)]);
    let table: [Row; 7] = [
        ("an entry without anything", b"\n\x00", &[("", Value::Null)]),
        ("an entry without a value", b"\n\x03\n\x01a", &[("a", Value::Null)]),
        ("an entry without a key", b"\n\x04\x12\x02\x20\x01", &[("", Value::Bool(true))]),
        ("a value of no kind", b"\n\x05\n\x01a\x12\x00", &[("a", Value::Null)]),
        ("the value before the key", b"\n\x07\x12\x02\x20\x01\n\x01a", &[("a", Value::Bool(true))]),
        (
            "unknown fields of every type",
            b"\n\x1c\x18\x01\x21abcdefgh\x2a\x01x\x35abcd\n\x01a\x12\x04\x38\x01\x20\x01",
            &[("a", Value::Bool(true))],
        ),
        ("the last kind counts", b"\n\x09\n\x01a\x12\x04\x08\x00\x20\x01", &[("a", Value::Bool(true))]),
    ];
    for (name, bytes, fields) in table {
        let fields = fields.iter().map(|(name, value)| ((*name).to_owned(), value.clone())).collect();
        assert_eq!(decode(bytes), Ok(Value::Object(fields)), "{name}");
    }
}

#[test]
fn a_struct_whose_first_entry_looks_like_json_is_a_struct() {
    // The length of the entry is 0x7b, a brace.
    let fields = vec![("key".to_owned(), Value::Text("x".repeat(114)))];
    let bytes = encode_fields(&fields);
    assert_eq!(bytes.get(..2), Some(b"\n{".as_slice()));
    assert_eq!(decode(&bytes), Ok(Value::Object(fields)));
}

#[test]
fn json_from_elsewhere_is_one_value_of_some_depth() {
    assert_eq!(json(b" [1, {}]\n", 32), Ok(Value::List(vec![number(1.0), Value::Object(Vec::new())])));
    assert_eq!(json(b"\"a\"", 0), Ok(Value::Text("a".to_owned())));
    let refuses = |bytes: &[u8], deepest, expected: Expect| {
        expected.assert_eq(&json(bytes, deepest).unwrap_err().to_string());
    };
    refuses(b"", 32, expect!["EOF while parsing a value at line 1 column 0"]);
    refuses(b"{} {}", 32, expect!["trailing characters at line 1 column 4"]);
    refuses(b"\xef\xbb\xbf{}", 32, expect!["expected value at line 1 column 1"]);
    refuses(br#""\ud800""#, 32, expect!["unexpected end of hex escape at line 1 column 8"]);
    refuses(b"1e400", 32, expect!["number out of range at line 1 column 5"]);
    refuses(b"[[[]]]", 2, expect!["more than 2 levels of lists and objects at line 1 column 4"]);
    refuses(
        "[".repeat(100_000).as_bytes(),
        u32::MAX,
        expect!["more than 64 levels of lists and objects at line 1 column 65"],
    );
}

#[test]
fn names_are_compared_in_each_object() {
    for (text, unique) in [
        ("{}", true),
        (r#"{"a": {"a": [{"a": 1}, {"a": 1}]}, "A": 1}"#, true),
        (r#"{"a": 1, "b": 2, "a": 1}"#, false),
        (r#"{"a": 1, "\u0061": 1}"#, false),
        (r#"{"a": {"b": 1, "b": 1}}"#, false),
        (r#"[1, [{"b": 1, "b": 1}]]"#, false),
    ] {
        assert_eq!(json(text.as_bytes(), 32).unwrap().has_unique_names(), unique, "{text}");
    }
}

#[test]
fn a_value_is_asked_for_a_text_or_a_field() {
    let value = json(br#"{"a": "x", "b": 1, "a": "y"}"#, 32).unwrap();
    assert_eq!(value.get("a").and_then(Value::as_text), Some("x"), "the first of two");
    assert_eq!(value.get("b").map(Value::as_text), Some(None));
    assert_eq!(value.get("c"), None);
    assert_eq!((value.as_text(), Value::Null.get("a")), (None, None));
}

proptest! {
    #[test]
    fn json_and_struct_say_the_same(fields in fields()) {
        let document = Value::Object(fields.clone());
        prop_assert_eq!(decode(print(&document).as_bytes()), Ok(document.clone()));
        prop_assert_eq!(decode(&encode_fields(&fields)), Ok(document));
    }

    #[test]
    fn a_struct_that_is_cut_is_refused_or_shorter(fields in fields(), at in any::<prop::sample::Index>()) {
        let bytes = encode_fields(&fields);
        let cut = bytes.get(..at.index(bytes.len().max(1))).unwrap_or_default();
        if let Ok(Value::Object(shorter)) = decode(cut) {
            prop_assert!(fields.starts_with(&shorter));
        }
    }

    #[test]
    fn hostile_bytes_never_panic(bytes in prop::collection::vec(any::<u8>(), 0..256)) {
        drop(decode(&bytes));
        drop(decode(&[b"\n", bytes.as_slice()].concat()));
        drop(decode(&[b"{", bytes.as_slice()].concat()));
    }

    #[test]
    fn a_hostile_struct_never_panics(fields in fields(), at in any::<prop::sample::Index>(), byte: u8) {
        let mut bytes = encode_fields(&fields);
        if !bytes.is_empty() {
            let at = at.index(bytes.len());
            bytes[at] = byte;
        }
        drop(decode(&bytes));
    }
}

#[track_caller]
fn check(bytes: &[u8], expected: Expect) {
    expected.assert_eq(&decode(bytes).unwrap_err().to_string());
}

fn number(float: f64) -> Value {
    Value::Number(float.into())
}

fn fields() -> impl Strategy<Value = Vec<(String, Value)>> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::Bool),
        any::<i32>().prop_map(|whole| number(whole.into())),
        // Eighths: exact in binary, and few enough digits for serde_json and for the rendering to be exact too.
        (any::<i32>(), 0..8).prop_map(|(whole, eighths)| number(
            format!("{whole}.{:03}", i32::saturating_mul(eighths, 125)).parse().unwrap()
        )),
        ".{0,8}".prop_map(Value::Text),
    ];
    let value = leaf.prop_recursive(4, 24, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::List),
            prop::collection::vec(("[ab]?", inner), 0..4).prop_map(Value::Object),
        ]
    });
    prop::collection::vec(("[a-c]{0,2}", value), 0..4)
}

fn print(value: &Value) -> String {
    let quote = |text: &String| serde_json::to_string(text).unwrap();
    match value {
        Value::Null => "null".to_owned(),
        Value::Bool(boolean) => boolean.to_string(),
        Value::Number(number) => number.to_string(),
        Value::Text(text) => quote(text),
        Value::List(items) => format!("[{}]", items.iter().map(print).collect::<Vec<_>>().join(",")),
        Value::Object(fields) => {
            let field = |(name, value): &(String, Value)| format!("{}:{}", quote(name), print(value));
            format!("{{{}}}", fields.iter().map(field).collect::<Vec<_>>().join(","))
        }
    }
}

fn encode_fields(fields: &[(String, Value)]) -> Vec<u8> {
    let entry = |(name, value): &(String, Value)| {
        let entry = [delimited(0x0a, name.as_bytes()), delimited(0x12, &encode(value))].concat();
        delimited(0x0a, &entry)
    };
    fields.iter().flat_map(entry).collect()
}

fn encode(value: &Value) -> Vec<u8> {
    match value {
        Value::Null => vec![0x08, 0],
        Value::Bool(boolean) => vec![0x20, u8::from(*boolean)],
        Value::Number(number) => {
            let float: f64 = number.to_string().parse().unwrap();
            [&[0x11], float.to_le_bytes().as_slice()].concat()
        }
        Value::Text(text) => delimited(0x1a, text.as_bytes()),
        Value::Object(fields) => delimited(0x2a, &encode_fields(fields)),
        Value::List(items) => {
            let items: Vec<u8> = items.iter().flat_map(|item| delimited(0x0a, &encode(item))).collect();
            delimited(0x32, &items)
        }
    }
}

fn delimited(tag: u8, bytes: &[u8]) -> Vec<u8> {
    let mut out = vec![tag];
    let mut length = bytes.len();
    while 0x80 <= length {
        out.push(u8::try_from(length & 0x7f | 0x80).unwrap());
        length >>= 7;
    }
    out.push(u8::try_from(length).unwrap());
    out.extend(bytes);
    out
}
