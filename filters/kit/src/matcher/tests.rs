//! Conditions, what they look up, and what they refuse.

use std::hint::black_box;

use proptest::prelude::*;
#[cfg(target_arch = "wasm32")]
use wasm_bindgen_test::wasm_bindgen_test as test;

use crate::config::read;

use super::request::Request;
use super::*;

fn matcher(json: &str) -> Matcher {
    read(json.as_bytes(), Matcher::parse).unwrap()
}

fn get(path: &str) -> Request {
    Request::with(":method", "GET").and(":authority", "api.example.com").and(":path", path)
}

#[test]
fn without_conditions_everything_matches_and_nothing_is_looked_up() {
    for any in [Matcher::any(), matcher("{}")] {
        let request = Request::default();
        assert_eq!(any.matches(&request), Ok(true));
        assert_eq!(request.looked_up(), "");
        assert!(any.headers_needed().is_empty());
    }
}

#[test]
fn every_condition_must_hold() {
    let matcher = matcher(
        r#"{"path": {"prefix": "/api"}, "methods": ["POST", "GET"], "hosts": ["api.example.com"],
            "headers": [{"name": "X-Tier", "exact": "gold"}], "query": [{"name": "debug", "present": true}]}"#,
    );
    assert_eq!(matcher.matches(&get("/api?debug").and("x-tier", "gold")), Ok(true));
    assert_eq!(matcher.matches(&get("/api?debug").and("x-tier", "tin")), Ok(false));
    assert_eq!(matcher.matches(&get("/api").and("x-tier", "gold")), Ok(false));
    assert_eq!(matcher.matches(&get("/apis?debug").and("x-tier", "gold")), Ok(false));
    let names: Vec<_> = matcher.headers_needed().into_iter().collect();
    assert_eq!(names, [":authority", ":method", ":path", "x-tier"]);
}

#[test]
fn a_condition_that_fails_ends_the_looking_up() {
    let matcher = matcher(
        r#"{"path": {"prefix": "/api"}, "methods": ["POST"], "headers": [{"name": "a", "present": true}]}"#,
    );
    let request = get("/api");
    assert_eq!(matcher.matches(&request), Ok(false));
    assert_eq!(request.looked_up(), ":method");
    let request = Request::with(":method", "POST").and(":path", "/other");
    assert_eq!(matcher.matches(&request), Ok(false));
    assert_eq!(request.looked_up(), ":method :path");
}

#[test]
fn an_ambiguous_path_counts_only_where_it_decides() {
    let matcher = matcher(
        r#"{"path": {"prefix": "/admin"}, "methods": ["GET"], "headers": [{"name": "a", "present": true}]}"#,
    );
    let path = "/health/..%2fadmin";
    assert_eq!(matcher.matches(&get(path)), Ok(false));
    assert_eq!(matcher.matches(&get(path).and("a", "")), Err(Ambiguous::Path));
    assert_eq!(matcher.matches(&Request::with(":method", "PUT").and(":path", path)), Ok(false));
}

#[test]
fn two_paths_are_ambiguous_and_none_is_empty() {
    let matcher = matcher(r#"{"path": {"prefix": "/a"}}"#);
    assert_eq!(matcher.matches(&get("/a").and(":path", "/a")), Err(Ambiguous::Path));
    assert_eq!(matcher.matches(&Request::with(":method", "CONNECT")), Ok(false));
}

#[test]
fn a_method_that_differs_in_case_alone_is_ambiguous_because_some_upstreams_ignore_it() {
    let matcher = matcher(r#"{"methods": ["POST", "PURGE"]}"#);
    for (method, expected) in [
        ("POST", Ok(true)),
        ("PURGE", Ok(true)),
        ("GET", Ok(false)),
        ("get", Ok(false)),
        ("post", Err(Ambiguous::Method)),
        ("Purge", Err(Ambiguous::Method)),
        ("POST ", Ok(false)),
        ("", Ok(false)),
    ] {
        assert_eq!(matcher.matches(&Request::with(":method", method)), expected, "{method}");
    }
    assert_eq!(matcher.matches(&Request::default()), Ok(false));
    let twice = Request::with(":method", "GET").and(":method", "POST");
    assert_eq!(matcher.matches(&twice), Err(Ambiguous::Method));
}

#[test]
fn hosts_lose_port_case_and_dot() {
    let matcher =
        matcher(r#"{"hosts": ["API.example.com.", "*.Example.org", "[2001:DB8:0::1]", "10.0.0.1"]}"#);
    let table: [(&[u8], bool); 15] = [
        (b"api.example.com", true),
        (b"API.EXAMPLE.COM", true),
        (b"api.example.com:8443", true),
        (b"api.example.com.", true),
        (b"api.example.com.:80", true),
        (b"x.api.example.com", false),
        (b"a.example.org", true),
        (b"a.b.EXAMPLE.org:1", true),
        (b"example.org", false),
        (b".example.org", false),
        (b"notexample.org", false),
        (b"[2001:db8::1]", true),
        (b"[2001:db8::1]:8080", true),
        (b"[2001:db8:0:0::1]", true),
        (b"10.0.0.1:80", true),
    ];
    for (authority, expected) in table {
        let request = Request::with(":authority", authority);
        assert_eq!(matcher.matches(&request), Ok(expected), "{}", authority.escape_ascii());
    }
    assert_eq!(matcher.matches(&Request::default()), Ok(false));
}

#[test]
fn what_is_more_than_one_plain_host_is_ambiguous_because_the_proxy_may_route_it_elsewhere() {
    let matcher = matcher(r#"{"hosts": ["public.example.com"]}"#);
    let table: [&[u8]; 15] = [
        b"secret.example.com,public.example.com",
        b"public.example.com,secret.example.com",
        b"public.example.com, ",
        b"secret.example.com@public.example.com",
        b"public.example.com:80:80",
        b"public.example.com:not-a-port",
        b"public.example.com..",
        b"public.example.com/",
        b"public.example.com ",
        b"[2001:db8::1",
        b"[2001:db8::1]x",
        b"2001:db8::1",
        b"\xff\xfe",
        b":80",
        b"",
    ];
    for authority in table {
        let request = Request::with(":authority", authority);
        assert_eq!(matcher.matches(&request), Err(Ambiguous::Host), "{}", authority.escape_ascii());
    }
    let two = Request::with(":authority", "public.example.com").and(":authority", "public.example.com");
    assert_eq!(matcher.matches(&two), Err(Ambiguous::Host));
}

#[test]
fn a_predicate_holds_if_one_value_satisfies_it() {
    let table = [
        (r#"{"name": "x", "exact": "gold"}"#, [true, false, true, false]),
        (r#"{"name": "x", "exact": "gold", "not": true}"#, [false, true, false, true]),
        (r#"{"name": "x", "prefix": "go", "not": false}"#, [true, false, true, false]),
        (r#"{"name": "x", "suffix": "ld"}"#, [true, false, true, false]),
        (r#"{"name": "x", "contains": "i"}"#, [false, true, true, false]),
        (r#"{"name": "x", "present": true}"#, [true, true, true, false]),
        (r#"{"name": "x", "present": true, "not": true}"#, [false, false, false, true]),
    ];
    for (condition, expected) in table {
        let on_header = matcher(&format!(r#"{{"headers": [{condition}]}}"#));
        let requests = [
            Request::with("x", "gold"),
            Request::with("x", "tin"),
            Request::with("x", "tin").and("x", "gold"),
            Request::default(),
        ];
        assert_eq!(requests.map(|request| on_header.matches(&request).unwrap()), expected, "{condition}");
        let on_query = matcher(&format!(r#"{{"query": [{condition}]}}"#));
        let requests = [get("/?x=g%6fld"), get("/?x=tin"), get("/?x=tin&%78=gold"), get("/?y")];
        assert_eq!(requests.map(|request| on_query.matches(&request).unwrap()), expected, "{condition}");
    }
}

#[test]
fn values_are_bytes() {
    let matcher = matcher(r#"{"headers": [{"name": "x", "suffix": "é"}]}"#);
    assert_eq!(matcher.matches(&Request::with("x", b"\xff\xc3\xa9")), Ok(true));
    assert_eq!(matcher.matches(&Request::with("x", b"\xe9")), Ok(false));
}

#[test]
fn every_problem_is_named_with_what_to_type() {
    let json = br#"{
        "path": {},
        "methods": ["post", "", "A B"],
        "hosts": ["https://a.example/x", "a.example:8443", "::1", "*", "a.*.example", "a b", "", "b\u00fccher.example",
                  "example.com:x"],
        "headers": [{"name": ":path", "exact": "/"}, {"name": "Host", "exact": "a"}, {"name": "a b", "exact": "a"},
                    {"name": "", "exact": "a"}, {"name": "a"}, {"name": "a", "exact": "a", "prefix": "a"},
                    {"name": "a", "present": false}, {"name": "a", "contains": ""}, {"exact": "a"}],
        "query": [],
        "metods": []
    }"#;
    let problems = read(json, Matcher::parse).unwrap_err().to_string();
    expect_test::expect![[r#"
        path: needs one of exact, prefix, template
        methods[0]: methods are upper case, did you mean "POST"?
        methods[1]: "" is not a method (examples: GET, POST)
        methods[2]: "A B" is not a method (examples: GET, POST)
        hosts[0]: "https://a.example/x" is a URL: write the host alone, `a.example`
        hosts[1]: "a.example:8443" must not contain a port: write `a.example`, which holds on every port
        hosts[2]: "::1" is an IPv6 address without brackets: write `[::1]`
        hosts[3]: "*" stands for every host: leave `hosts` out
        hosts[4]: "a.*.example" may have a wildcard only as its first label: `*.example.com`
        hosts[5]: "a b" is not a host (examples: api.example.com, *.example.com, [2001:db8::1])
        hosts[6]: "" is not a host (examples: api.example.com, *.example.com, [2001:db8::1])
        hosts[7]: "bücher.example" must be ASCII: write the `xn--` form of an international name
        hosts[8]: "example.com:x" is not a host (examples: api.example.com, *.example.com, [2001:db8::1])
        headers[0].name: ":path" is not an ordinary header; use `path`, `query`, `methods` or `hosts`
        headers[1].name: "host" is not an ordinary header; use `path`, `query`, `methods` or `hosts`
        headers[2].name: "a b" is not the name of a header: letters, digits and any of !#$%&'*+-.^_`|~
        headers[3].name: must not be empty
        headers[4]: needs one of exact, prefix, suffix, contains, present
        headers[5]: takes only one of exact, prefix, suffix, contains, present; write a condition for each
        headers[6].present: must be true; for an absent name write `present: true` and `not: true`
        headers[7].contains: must not be empty; for any value write `present: true`
        headers[8].name: is required
        query: must not be empty
        metods: unknown field, did you mean "methods"?"#]]
    .assert_eq(&problems);
}

#[test]
fn a_shape_that_is_likely_is_met_with_the_one_to_type() {
    let json = br#"{"path": "/api", "methods": "GET", "hosts": "a.example", "headers": {"x-a": "b"},
        "query": {"name": "a", "exact": "b"}}"#;
    let problems = read(json, Matcher::parse).unwrap_err().to_string();
    expect_test::expect![[r#"
        path: expected an object, found text "/api"; write `{prefix: "/api"}` or `{exact: "/api"}`
        methods: expected a list, found text "GET"; write ["GET"]
        hosts: expected a list, found text "a.example"; write ["a.example"]
        headers: expected a list, found an object; write `[{name: "x-a", exact: "b"}]`
        query: expected a list, found an object; write [{...}]"#]]
    .assert_eq(&problems);
    let json = br#"{"path": {"regex": "/.*"}, "headers": [{"name": "a", "regex": "b"}, {"name": "a", "exact": null}],
        "query": {"a": {"exact": "b"}}}"#;
    let problems = read(json, Matcher::parse).unwrap_err().to_string();
    expect_test::expect![[r#"
        path.regex: unknown field (known: exact, prefix, template)
        headers[0].regex: unknown field (known: name, not, exact, prefix, suffix, contains, present)
        headers[1].exact: has no value; remove it or give one
        query: expected a list, found an object; write `[{name: "a", exact: "..."}]`"#]]
    .assert_eq(&problems);
}

proptest! {
    #[test]
    fn arbitrary_bytes_never_panic(method: Vec<u8>, authority: Vec<u8>, path: Vec<u8>, value: Vec<u8>) {
        let matcher = matcher(
            r#"{"path": {"prefix": "/"}, "hosts": ["a.example", "*.b"], "headers": [{"name": "x", "contains": "ab"}],
                "query": [{"name": "k", "suffix": "v", "not": true}]}"#,
        );
        let request = Request::with(":method", method).and(":authority", authority).and(":path", path).and("x", value);
        black_box(&matcher.matches(&request));
    }

    #[test]
    fn normalising_a_host_twice_changes_nothing(authority in r"[a-zA-Z.:@\[\]0-9]{0,16}") {
        if let Some(once) = host::normalise(authority.as_bytes()).filter(|host| !host.ends_with(b".")) {
            let twice = host::normalise(&once);
            prop_assert_eq!(twice.as_ref(), Some(&once));
        }
    }
}
