//! Ways to claims, scopes, and what is a header.

use expect_test::{Expect, expect};
use kit::config::read_value;
use kit::value::json;
use proptest::prelude::*;
#[cfg(target_arch = "wasm32")]
use wasm_bindgen_test::wasm_bindgen_test as test;

use super::*;

fn read(text: &str) -> Value {
    json(text.as_bytes(), 32).unwrap()
}

fn path(text: &str) -> ClaimPath {
    read_value(&read(text), ClaimPath::parse).unwrap()
}

#[test]
fn a_path_leads_into_objects_and_a_name_may_have_dots() {
    let payload = read(
        r#"{"sub":"alice","realm_access":{"roles":["admin"],"sub":null},"https://example.com/org":{"id":7},
            "a.b":1,"list":[{"x":1}],"":"empty"}"#,
    );
    for (written, found) in [
        (r#""sub""#, Some(r#""alice""#)),
        (r#"["sub"]"#, Some(r#""alice""#)),
        (r#"["realm_access","roles"]"#, Some(r#"["admin"]"#)),
        (r#"["realm_access","sub"]"#, Some("null")),
        (r#"["https://example.com/org","id"]"#, Some("7")),
        (r#""a.b""#, Some("1")),
        (r#"["a","b"]"#, None),
        (r#""realm_access.roles""#, None),
        (r#"["realm_access","roles","admin"]"#, None),
        (r#"["sub","length"]"#, None),
        (r#"["list","0"]"#, None),
        (r#"["list","x"]"#, None),
        (r#""Sub""#, None),
        (r#""nothing""#, None),
    ] {
        assert_eq!(path(written).find(&payload), found.map(read).as_ref(), "{written}");
    }
    assert_eq!(path(r#""sub""#).find(&read("[]")), None);
}

#[test]
fn a_path_is_shown_as_it_is_written() {
    assert_eq!(path(r#""sub""#).to_string(), "sub");
    assert_eq!(path(r#"["sub"]"#).to_string(), "sub");
    assert_eq!(path(r#"["realm_access","roles"]"#).to_string(), "[realm_access, roles]");
}

#[test]
fn says_what_is_wrong_with_a_path() {
    let check = |text: &str, expected: Expect| {
        expected.assert_eq(&read_value(&read(text), ClaimPath::parse).unwrap_err().to_string());
    };
    check(r#""""#, expect!["must not be empty"]);
    check("[]", expect!["must not be empty"]);
    check(
        r#"["", "roles", 5, null]"#,
        expect![[r#"
            [0]: must not be empty
            [2]: expected text, found number 5; write "5"
            [3]: expected text, found null"#]],
    );
    check(
        "5",
        expect![
            "expected the name of a claim, or a list of names that lead to it, found a number (examples: sub, [realm_access, roles])"
        ],
    );
    check(
        r#"{"name": "sub"}"#,
        expect![
            "expected the name of a claim, or a list of names that lead to it, found an object (examples: sub, [realm_access, roles])"
        ],
    );
}

#[test]
fn scopes_are_words_or_elements_of_either_claim() {
    for (payload, expected) in [
        (r#"{"scope":"read write"}"#, &["read", "write"][..]),
        (r#"{"scope":"  read   write "}"#, &["read", "write"]),
        (r#"{"scope":["read","write"]}"#, &["read", "write"]),
        (r#"{"scp":["read","write"]}"#, &["read", "write"]),
        (r#"{"scp":"read write"}"#, &["read", "write"]),
        (r#"{"scp":["write"],"scope":"read"}"#, &["read", "write"]),
        (r#"{"scope":["read write"]}"#, &["read write"]),
        (r#"{"scope":["read",1,null,["admin"],{"admin":1}]}"#, &["read"]),
        (r#"{"scope":"read\twrite,admin"}"#, &["read\twrite,admin"]),
        (r#"{"scope":""}"#, &[]),
        (r#"{"scope":{"read":true}}"#, &[]),
        (r#"{"scope":true,"scp":1}"#, &[]),
        (r#"{"scope":null,"scp":[]}"#, &[]),
        (r#"{"nested":{"scope":"admin"}}"#, &[]),
        ("{}", &[]),
    ] {
        assert_eq!(scopes(&read(payload)).collect::<Vec<_>>(), expected, "{payload}");
    }
}

#[test]
fn a_claim_is_a_header_that_says_the_same_or_none() {
    for (label, claim, expected) in [
        ("text", r#""alice""#, Some("alice")),
        ("text with a comma", r#""Doe, Jane""#, Some("Doe, Jane")),
        ("text of any language", r#""Zoë 😀""#, Some("Zoë 😀")),
        ("text with quotes", r#""a\"b\\c""#, Some(r#"a"b\c"#)),
        ("empty text", r#""""#, Some("")),
        ("text with CRLF", r#""a\r\nx-admin: 1""#, None),
        ("text with NUL", r#""a\u0000""#, None),
        ("text with tab", r#""a\tb""#, None),
        ("text with DEL", r#""a\u007f""#, None),
        ("text with a control character of Latin-1", r#""a\u0085""#, None),
        ("text with a leading space", r#"" alice""#, None),
        ("text with a trailing space", r#""alice ""#, None),
        ("whole number", "42", Some("42")),
        ("negative number", "-42", Some("-42")),
        ("number with a fraction", "1700000000.123", Some("1700000000.123")),
        ("number that is whole", "1e3", Some("1000")),
        ("largest integer", "18446744073709551615", Some("18446744073709551615")),
        ("number whose digits are lost", "18446744073709551617", None),
        ("number without an end", "1e300", None),
        ("boolean", "true", Some("true")),
        ("null", "null", None),
        ("list", r#"["admin","user"]"#, Some("admin,user")),
        ("list of one", r#"["admin"]"#, Some("admin")),
        ("list of scalars", r#"["a",1,-2.5,true]"#, Some("a,1,-2.5,true")),
        ("list of any language", r#"["Zoë","b"]"#, Some("Zoë,b")),
        ("empty list", "[]", Some("")),
        ("list with a comma", r#"["a,b","c"]"#, Some(r#"["a,b","c"]"#)),
        ("list with an empty text", r#"["","a"]"#, Some(r#"["","a"]"#)),
        ("list with a space at an end", r#"[" a","b"]"#, Some(r#"[" a","b"]"#)),
        ("list with CRLF", r#"["a\r\nb"]"#, Some(r#"["a\u000d\u000ab"]"#)),
        ("list with null", r#"["a",null]"#, Some(r#"["a",null]"#)),
        ("list in a list", r#"["é",["b"]]"#, Some(r#"["\u00e9",["b"]]"#)),
        ("list with a lost number", r#"["a",18446744073709551617]"#, None),
        (
            "object",
            r#"{"b":[1, {}], "a":"é😀\n\"\\\u007f", "":false}"#,
            Some(r#"{"b":[1,{}],"a":"\u00e9\ud83d\ude00\u000a\"\\\u007f","":false}"#),
        ),
        ("empty object", "{}", Some("{}")),
    ] {
        let text = header_text(&read(claim)).map(|text| String::from_utf8(text).unwrap());
        assert_eq!(text.as_deref(), expected, "{label}");
    }
}

proptest! {
    #[test]
    fn a_header_has_no_control_characters_and_keeps_its_ends(
        text in any::<String>(),
        list in prop::collection::vec(any::<String>(), 0..4),
    ) {
        let list = Value::List(list.into_iter().map(Value::Text).collect());
        let object = Value::Object(vec![(text.clone(), list.clone())]);
        for value in [Value::Text(text), list, object] {
            if let Some(header) = header_text(&value) {
                let header = String::from_utf8(header).unwrap();
                prop_assert!(!header.contains(char::is_control), "{:?}", header);
                prop_assert_eq!(header.trim_matches([' ', '\t']), header.as_str());
            }
        }
    }

    #[test]
    fn an_object_in_a_header_is_read_back(name in any::<String>(), text in any::<String>(), number: i64) {
        let fields = vec![(name, Value::List(vec![Value::Text(text), Value::Number(number.into())]))];
        let object = Value::Object(fields);
        let header = header_text(&object).unwrap();
        prop_assert!(header.is_ascii());
        prop_assert_eq!(json(&header, 32), Ok(object));
    }
}
