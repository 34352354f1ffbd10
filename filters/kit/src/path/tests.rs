//! A page of hostile paths, what configurations are refused, and that no reading escapes.

use std::hint::black_box;

use proptest::prelude::*;
#[cfg(target_arch = "wasm32")]
use wasm_bindgen_test::wasm_bindgen_test as test;

use crate::config::read;

use super::*;

fn predicate(json: &str) -> PathPredicate {
    read(json.as_bytes(), PathPredicate::parse).unwrap()
}

#[track_caller]
fn refused(json: &str, problem: &str) {
    let problems = read(json.as_bytes(), PathPredicate::parse).unwrap_err().to_string();
    assert!(problems.contains(problem), "{problems}");
}

const YES: Result<bool, AmbiguousPath> = Ok(true);
const NO: Result<bool, AmbiguousPath> = Ok(false);
const AMBIGUOUS: Result<bool, AmbiguousPath> = Err(AmbiguousPath);

#[test]
fn a_prefix_is_made_of_whole_segments() {
    for json in [r#"{"prefix": "/health"}"#, r#"{"prefix": "/health/"}"#] {
        let health = predicate(json);
        let table = [
            ("/health", YES),
            ("/health/", YES),
            ("/health/x/y?z", YES),
            ("/health?x=/../admin", YES),
            ("/health-records", NO),
            ("/healt", NO),
            ("/HEALTHY", NO),
            ("/", NO),
            ("/x/health", NO),
            ("", NO),
            ("*", NO),
        ];
        for (path, expected) in table {
            assert_eq!(health.matches(path.as_bytes()), expected, "{path}");
        }
    }
}

#[test]
fn hostile_spellings_are_normalised_or_ambiguous() {
    let health = predicate(r#"{"prefix": "/health"}"#);
    let table: [(&[u8], _); 43] = [
        // Everybody agrees on these.
        (b"//health", YES),
        (b"/%68ealth", YES),
        (b"/health//x", YES),
        (b"/health/%2e%2e%2e", YES),
        (b"/health/.well-known", YES),
        (b"/health/./x", YES),
        (b"/health/a%2Fb", YES),
        (b"/health/100%25", YES),
        (b"/health/\xff", YES),
        (b"/health/%ff", YES),
        (b"/health;x", AMBIGUOUS),
        (b"/other/../admin", NO),
        (b"/a%2Fb", NO),
        (b"/a/..;/b", NO),
        // Who resolves dots and who doesn't see different places.
        (b"/health/../admin", AMBIGUOUS),
        (b"/health/%2e%2e/admin", AMBIGUOUS),
        (b"/health/%2E./admin", AMBIGUOUS),
        (b"/health/.%2e/admin", AMBIGUOUS),
        (b"/admin/../health", AMBIGUOUS),
        (b"/admin/x/../../health", AMBIGUOUS),
        (b"/health/..", AMBIGUOUS),
        (b"/./health", AMBIGUOUS),
        (b"/../health", AMBIGUOUS),
        // Encoded separators, and backslashes.
        (b"/health%2fadmin", AMBIGUOUS),
        (b"/health/..%2fadmin", AMBIGUOUS),
        (b"/health/..%5cadmin", AMBIGUOUS),
        (b"/%2fhealth", AMBIGUOUS),
        (b"/admin\\..\\health", AMBIGUOUS),
        (b"/health\\..\\admin", AMBIGUOUS),
        (b"\\health", AMBIGUOUS),
        // Parameters of servlets.
        (b"/health/..;/admin", AMBIGUOUS),
        (b"/health/..;x=1/admin", AMBIGUOUS),
        (b"/;x/health", AMBIGUOUS),
        // Double encodings.
        (b"/health%252Fadmin", AMBIGUOUS),
        (b"/health/%252e%252e/admin", AMBIGUOUS),
        (b"/health/%25%32%65%252e/admin", AMBIGUOUS),
        (b"/%2568ealth", AMBIGUOUS),
        // Never a path.
        (b"/health/%", AMBIGUOUS),
        (b"/health/%2", AMBIGUOUS),
        (b"/health/%zz", AMBIGUOUS),
        (b"/health/%00", AMBIGUOUS),
        (b"/health/%c0%ae%c0%ae/admin", AMBIGUOUS),
        (b"/health#/../admin", AMBIGUOUS),
    ];
    for (path, expected) in table {
        assert_eq!(health.matches(path), expected, "{}", path.escape_ascii());
    }
}

#[test]
fn targets_that_are_no_paths_are_ambiguous_or_empty() {
    let all = predicate(r#"{"prefix": "/"}"#);
    let root = predicate(r#"{"exact": "/"}"#);
    let table = [
        ("/", YES, YES),
        ("/?x", YES, YES),
        ("//", YES, YES),
        ("/a", YES, NO),
        ("", YES, NO),
        ("*", YES, NO),
        ("**", AMBIGUOUS, AMBIGUOUS),
        ("?x", AMBIGUOUS, AMBIGUOUS),
        ("health", AMBIGUOUS, AMBIGUOUS),
        ("http://host/", AMBIGUOUS, AMBIGUOUS),
        ("example.com:443", AMBIGUOUS, AMBIGUOUS),
        ("/%", AMBIGUOUS, AMBIGUOUS),
    ];
    for (path, in_all, is_root) in table {
        assert_eq!(all.matches(path.as_bytes()), in_all, "{path}");
        assert_eq!(root.matches(path.as_bytes()), is_root, "{path}");
    }
}

#[test]
fn the_order_of_merging_and_resolving_is_not_taken_for_granted() {
    let predicate = predicate(r#"{"exact": "/b"}"#);
    assert_eq!(predicate.matches(b"/a//../b"), AMBIGUOUS);
    assert_eq!(predicate.matches(b"/a//b"), NO);
}

#[test]
fn an_exact_path_counts_its_trailing_slash() {
    let without = predicate(r#"{"exact": "/a/b"}"#);
    let with = predicate(r#"{"exact": "/a/b/"}"#);
    let table =
        [("/a/b", YES, NO), ("/a/b/", NO, YES), ("/a/b//", NO, YES), ("/a", NO, NO), ("/a/b/c", NO, NO)];
    for (path, is_without, is_with) in table {
        assert_eq!(without.matches(path.as_bytes()), is_without, "{path}");
        assert_eq!(with.matches(path.as_bytes()), is_with, "{path}");
    }
}

#[test]
fn configured_paths_are_decoded_once() {
    let predicate = predicate(r#"{"exact": "/caf%C3%A9 x/100%25"}"#);
    assert_eq!(predicate.matches("/café x/100%25".as_bytes()), YES);
    assert_eq!(predicate.matches(b"/caf%c3%a9%20x/100%25"), YES);
    assert_eq!(predicate.matches(b"/caf%c3%a9+x/100%25"), NO);
}

#[test]
fn a_template_has_wildcards_for_segments() {
    let orders = predicate(r#"{"template": "/users/{id}/orders"}"#);
    let table = [
        ("/users/7/orders", YES),
        ("/users/%37/orders?x", YES),
        ("/users/a%2Fb/orders", AMBIGUOUS),
        ("/users//orders", NO),
        ("/users/7/8/orders", NO),
        ("/users/7/orders/", NO),
        ("/users/7", NO),
    ];
    for (path, expected) in table {
        assert_eq!(orders.matches(path.as_bytes()), expected, "{path}");
    }
    for json in [r#"{"template": "/files/*/{rest=**}"}"#, r#"{"template": "/files/{_a1=*}/**"}"#] {
        let files = predicate(json);
        for (path, expected) in [
            ("/files/a", YES),
            ("/files/a/", YES),
            ("/files/a/b/c", YES),
            ("/files/", NO),
            ("/files", NO),
            ("*", NO),
        ] {
            assert_eq!(files.matches(path.as_bytes()), expected, "{path}");
        }
    }
}

#[test]
fn configured_paths_that_no_request_has_are_refused_with_what_to_type() {
    refused(r#"{}"#, "needs one of exact, prefix, template");
    refused(r#"{"exact": "/a", "prefix": "/a"}"#, "takes only one of exact, prefix, template");
    refused(r#"{"exakt": "/a"}"#, "did you mean \"exact\"?");
    refused(r#"{"exact": "a"}"#, "exact: \"a\" must begin with `/`");
    refused(r#"{"exact": ""}"#, "must begin with `/`");
    refused(r#"{"exact": "/a?b"}"#, "use `query` next to `path`");
    refused(r#"{"exact": "/a#b"}"#, "fragment");
    refused(r#"{"exact": "/a\\b"}"#, "not `\\`");
    refused(r#"{"exact": "/a;b"}"#, "`;`");
    refused(r#"{"exact": "/a%3Bb"}"#, "encoded separator");
    refused(r#"{"prefix": "//a"}"#, "write `/` once");
    refused(r#"{"prefix": "/a/../b"}"#, "write the path it leads to");
    refused(r#"{"prefix": "/a/%2e"}"#, "write the path it leads to");
    refused(r#"{"prefix": "/a%2Fb"}"#, "encoded separator");
    refused(r#"{"prefix": "/a%5cb"}"#, "encoded separator");
    refused(r#"{"prefix": "/a%252Fb"}"#, "decoded twice");
    refused(r#"{"prefix": "/a%00"}"#, "not percent-encoded text");
    refused(r#"{"prefix": "/50%"}"#, "written `%25`");
    refused(r#"{"prefix": "/api/*"}"#, "write `prefix: /users`");
    refused(r#"{"exact": "/users/{id}"}"#, "write `template: /users/{id}`");
    refused(r#"{"template": "/**/a"}"#, "at the end only");
    refused(r#"{"template": "/{a}.json"}"#, "a wildcard is a whole segment");
    refused(r#"{"template": "/{}"}"#, "a wildcard is a whole segment");
    refused(r#"{"template": "/{a=b}"}"#, "a wildcard is a whole segment");
    refused(r#"{"template": "/{1a}"}"#, "a wildcard is a whole segment");
    // Both segments are named at once.
    refused(r#"{"template": "/{/%2f"}"#, "`{`");
    refused(r#"{"template": "/{/%2f"}"#, "`%2f`");
}

#[test]
fn the_normal_spelling_is_one_for_all_spellings() {
    let table: [(&[u8], Option<&[u8]>); 16] = [
        (b"/a/b?c", Some(b"/a/b")),
        (b"/a//b", Some(b"/a/b")),
        (b"/%61/b", Some(b"/a/b")),
        (b"/a/", Some(b"/a/")),
        (b"/", Some(b"/")),
        (b"", Some(b"")),
        (b"*", Some(b"")),
        (b"/a%3Fb%23%25", Some(b"/a%3Fb%23%25")),
        (b"/%E9", Some(b"/\xE9")),
        (b"/.a", Some(b"/.a")),
        (b"/a/../b", None),
        (b"/a%2Fb", None),
        (b"/a%2541", None),
        (b"/a;b", None),
        (b"/a\\b", None),
        (b"a", None),
    ];
    for (path, expected) in table {
        let normal = normalise(path).ok();
        assert_eq!(normal.as_deref(), expected, "{}", path.escape_ascii());
    }
}

#[test]
fn a_path_without_anything_suspicious_is_borrowed() {
    assert!(matches!(normalise(b"/api/v1/users/7?x=%2e"), Ok(Cow::Borrowed(b"/api/v1/users/7"))));
}

#[test]
fn a_path_that_is_too_much_work_is_ambiguous() {
    let all = predicate(r#"{"prefix": "/"}"#);
    assert_eq!(all.matches("/%41".repeat(20_000).as_bytes()), YES);
    assert_eq!(all.matches("/..;%2F\\".repeat(10).as_bytes()), YES);
    assert_eq!(all.matches("/..;%2F\\".repeat(100).as_bytes()), AMBIGUOUS);
}

#[test]
fn parameters_are_those_of_forms() {
    let all: Vec<_> = query::parameters(b"/p?a=1&b&&c=x=y&d=%41+%zz%4&=e&%61=2&a=%ff#f=1")
        .map(|(name, value)| format!("{}={}", name.escape_ascii(), value.escape_ascii()))
        .collect();
    assert_eq!(all.join(" "), r"a=1 b= c=x=y d=A %zz%4 =e a=2 a=\xff");
    assert_eq!(query::parameters(b"/p").count(), 0);
    assert_eq!(query::query(b"/p"), None);
    assert_eq!(query::query(b"/p?"), Some(&b""[..]));
    assert_eq!(query::query(b"/p?a?b#c"), Some(&b"a?b"[..]));
}

#[test]
fn a_parameter_is_taken_out_and_the_others_stay_as_they_are() {
    for (raw, expected) in [
        ("/p?token=x", "/p"),
        ("/p?a=%41&token=x&b", "/p?a=%41&b"),
        ("/p?token=x&a=1&%74oken=y", "/p?a=1"),
        ("/p?token", "/p"),
        ("/p?tokens=x", "/p?tokens=x"),
        ("/token=x", "/token=x"),
    ] {
        assert_eq!(String::from_utf8(query::without(raw.as_bytes(), "token")).unwrap(), expected, "{raw}");
    }
}

#[test]
fn a_parameter_that_occurs_twice_is_seen_twice() {
    use crate::header::Field;
    assert_eq!(query::field(b"/?k=1", "k"), Field::One(b"1".to_vec()));
    assert_eq!(query::field(b"/?k=1&%6b=2", "k"), Field::Many(vec![b"1".to_vec(), b"2".to_vec()]));
    assert_eq!(query::field(b"/?K=1", "k"), Field::Absent);
}

/// Paths from the pieces that attacks are made of.
fn hostile() -> impl Strategy<Value = String> {
    let piece = prop::sample::select(vec![
        "/", "/", "//", ".", "..", "%2e", "%2F", "%5c", "\\", ";", ";x=1", "a", "b", "admin", "%61", "%252e",
        "%252F", "%25", "%00", "%", "?", "#", "é", "%c0%af",
    ]);
    prop::collection::vec(piece, 0..9).prop_map(|pieces| format!("/{}", pieces.concat()))
}

/// Reads a path in the ways of whole servers, written without regard to cost.
fn upstreams(path: &str) -> Vec<Vec<String>> {
    let path = path.split('?').next().unwrap();
    let text = |bytes: &[u8]| bytes.iter().map(|byte| char::from(*byte)).collect::<String>();
    let decode = |part: &str| text(&reading::decode(part.as_bytes()).unwrap());
    let resolve = |path: &str| {
        let mut stack: Vec<String> = Vec::new();
        let segments: Vec<&str> = path.split('/').skip(1).collect();
        for (index, segment) in segments.iter().enumerate() {
            match *segment {
                ".." => drop(stack.pop()),
                "." => {}
                name => stack.push(name.to_owned()),
            }
            if segments.get(index.saturating_add(1)).is_none() && (*segment == "." || *segment == "..") {
                stack.push(String::new());
            }
        }
        stack
    };
    let merge = |path: &str| {
        let mut path = path.to_owned();
        while path.contains("//") {
            path = path.replace("//", "/");
        }
        path
    };
    let merged = |segments: Vec<String>| -> Vec<String> {
        merge(&format!("/{}", segments.join("/"))).split('/').skip(1).map(str::to_owned).collect()
    };
    let without_parameters: Vec<&str> = path.split('/').map(|part| part.split(';').next().unwrap()).collect();
    vec![
        // nginx on Linux: decode, merge, resolve.
        resolve(&merge(&decode(path))),
        // IIS: backslashes too.
        resolve(&merge(&decode(path).replace('\\', "/"))),
        // Tomcat: drop parameters, decode, merge, resolve.
        resolve(&merge(&decode(&without_parameters.join("/")))),
        // Go, resolving first.
        merged(resolve(&decode(path))),
        // WSGI: decode, and leave dots alone.
        merged(decode(path).split('/').skip(1).map(str::to_owned).collect()),
    ]
}

proptest! {
    #[test]
    fn arbitrary_bytes_never_panic(raw: Vec<u8>) {
        for json in [r#"{"exact": "/a"}"#, r#"{"prefix": "/a"}"#, r#"{"template": "/{a}/**"}"#] {
            black_box(&predicate(json).matches(&raw));
        }
        black_box(&normalise(&raw));
        query::parameters(&raw).count();
    }

    #[test]
    fn normalising_twice_changes_nothing(path in hostile()) {
        if let Ok(normal) = normalise(path.as_bytes()) {
            prop_assert_eq!(normalise(&normal), Ok(Cow::Borrowed(normal.as_ref())));
        }
    }

    #[test]
    fn an_unambiguous_verdict_is_that_of_every_upstream(path in hostile()) {
        let admin = predicate(r#"{"prefix": "/admin"}"#);
        let exact = predicate(r#"{"exact": "/a/b"}"#);
        let template = predicate(r#"{"template": "/a/{x}/admin"}"#);
        if let Ok(verdict) = admin.matches(path.as_bytes()) {
            for segments in upstreams(&path) {
                prop_assert_eq!(verdict, segments.first().is_some_and(|first| first == "admin"), "{:?}", segments);
            }
        }
        if let Ok(verdict) = exact.matches(path.as_bytes()) {
            for segments in upstreams(&path) {
                prop_assert_eq!(verdict, segments == ["a", "b"], "{:?}", segments);
            }
        }
        if let Ok(verdict) = template.matches(path.as_bytes()) {
            for segments in upstreams(&path) {
                let holds = matches!(segments.as_slice(), [a, x, last] if a == "a" && !x.is_empty() && last == "admin");
                prop_assert_eq!(verdict, holds, "{:?}", segments);
            }
        }
    }

    #[test]
    fn the_plain_reading_is_the_encoded_one(path in "/[a-z./%]{0,12}") {
        // Every byte encoded but slashes: the same path, and never a plain one.
        let encoded: String = path.bytes().map(|b| if b == b'/' { "/".to_owned() } else { format!("%{b:02x}") }).collect();
        let exact = predicate(r#"{"template": "/{a}/b"}"#);
        if !path.contains('%') {
            prop_assert_eq!(exact.matches(path.as_bytes()), exact.matches(encoded.as_bytes()));
        }
    }
}

#[test]
fn a_path_that_differs_in_case_or_final_dots_alone_is_ambiguous_because_some_upstreams_ignore_them() {
    let admin = predicate(r#"{"prefix": "/admin"}"#);
    for (path, expected) in [
        ("/admin", Ok(true)),
        ("/admin/users", Ok(true)),
        ("/ADMIN", Err(AmbiguousPath)),
        ("/Admin/users", Err(AmbiguousPath)),
        ("/%41dmin", Err(AmbiguousPath)),
        ("/admin.", Err(AmbiguousPath)),
        ("/admin...%20/x", Err(AmbiguousPath)),
        ("/admin%20", Err(AmbiguousPath)),
        ("/administrator", Ok(false)),
        ("/admin.json", Ok(false)),
        ("/users/ADMIN", Ok(false)),
    ] {
        assert_eq!(admin.matches(path.as_bytes()), expected, "{path}");
    }
    // What a rule doesn't name may be spelt in any way.
    let user = predicate(r#"{"template": "/users/{id}"}"#);
    for id in ["alice", "ALICE", "alice.", "alice%20"] {
        assert_eq!(user.matches(format!("/users/{id}").as_bytes()), Ok(true), "{id}");
    }
}

#[test]
fn a_path_is_read_once_for_all_rules_and_says_the_same_to_each() {
    let rules =
        [r#"{"prefix": "/a"}"#, r#"{"exact": "/a/b"}"#, r#"{"template": "/{x}/b"}"#, r#"{"prefix": "/"}"#];
    for raw in
        ["/a/b", "/a/./b", "/a;x/b", "/a%2fb", "/x/..%2fa", "//a/b?q", "*", "", "/%zz", "http://a/b", "/A/b"]
    {
        let path = RequestPath::of(raw.as_bytes());
        for rule in rules.map(predicate) {
            assert_eq!(rule.holds_on(&path), rule.matches(raw.as_bytes()), "{raw} {rule:?}");
        }
    }
}

#[test]
fn a_path_with_many_readings_is_ambiguous_before_it_costs_much() {
    let parameters = format!("/zz{}", ";a/a".repeat(3_000));
    assert_eq!(predicate(r#"{"prefix": "/b"}"#).matches(parameters.as_bytes()), Err(AmbiguousPath));
    let honest = format!("/zz;a{}", "/a".repeat(3_000));
    assert_eq!(predicate(r#"{"prefix": "/b"}"#).matches(honest.as_bytes()), Ok(false));
}
