//! Keys of requests, what has none, and that no two look alike.

use proptest::prelude::*;
#[cfg(target_arch = "wasm32")]
use wasm_bindgen_test::wasm_bindgen_test as test;

use crate::config::read;
use crate::matcher::request::Request;

use super::*;

fn parse(json: &str) -> Result<Key, String> {
    let document = format!(r#"{{"key": {json}}}"#);
    let key = read(document.as_bytes(), |node| {
        let mut object = node.object()?;
        let key = object.required("key").and_then(|node| Key::parse(&node));
        object.finish();
        key
    });
    key.map_err(|problems| problems.to_string())
}

fn key(json: &str) -> Key {
    parse(json).unwrap()
}

fn resolve(json: &str, request: &Request) -> Result<Vec<u8>, KeyProblem> {
    let mut bytes = Vec::new();
    key(json).resolve(request, &mut bytes).map(|()| bytes)
}

/// Resolves a key of one source, without its length.
fn part(json: &str, request: &Request) -> Result<String, KeyProblem> {
    let bytes = resolve(json, request)?;
    let (length, rest) = bytes.split_at(8);
    assert_eq!(length, u64::try_from(rest.len()).unwrap().to_le_bytes());
    Ok(rest.escape_ascii().to_string())
}

const MISSING: Result<&str, KeyProblem> = Err(KeyProblem::Missing(0));
const AMBIGUOUS: Result<&str, KeyProblem> = Err(KeyProblem::Ambiguous(0));

#[test]
fn every_source_reads_its_part() {
    let request = || {
        Request::with(":method", "GET")
            .and(":authority", "API.example.com:8080")
            .and(":path", "/%61//b?k=v%20w")
            .and("x-api-key", " secret\t")
            .and("cookie", "a=1; sid=\"s=1\"")
            .and("x-forwarded-for", "203.0.113.7")
            .property("source/address", "[2001:db8::1]:1")
            .property("sluice.jwt-auth.sub", "alice")
            .property("filter_state/envoy.string", "state")
    };
    let table = [
        (r#""client_ip""#, "2001:db8::/64", ""),
        (r#"{"client_ip": {}}"#, "2001:db8::/64", ""),
        (r#"{"client_ip": {"trusted_hops": 1}}"#, "203.0.113.7", "x-forwarded-for"),
        (r#"{"header": "X-API-Key"}"#, "secret", "x-api-key"),
        (r#"{"cookie": "sid"}"#, r#"\"s=1\""#, "cookie"),
        (r#"{"query": "k"}"#, "v w", ":path"),
        (r#""path""#, "/a/b", ":path"),
        (r#""method""#, "GET", ":method"),
        (r#""host""#, "api.example.com", ":authority"),
        (r#"{"claim": "sub"}"#, "alice", ""),
        (r#"{"state": "envoy.string"}"#, "state", ""),
    ];
    for (json, expected, header) in table {
        let request = request();
        assert_eq!(part(json, &request).as_deref(), Ok(expected), "{json}");
        assert_eq!(request.looked_up(), header, "{json}");
        assert_eq!(key(json).headers_needed().into_iter().collect::<Vec<_>>().join(""), header, "{json}");
        assert_eq!(part(json, &Request::default()).as_deref(), MISSING.as_ref().copied(), "{json}");
    }
}

#[test]
fn a_part_that_is_empty_or_unusable_is_missing() {
    let table = [
        (r#"{"header": "k"}"#, Request::with("k", " ")),
        (r#"{"cookie": "k"}"#, Request::with("cookie", "k; kk=1; k=")),
        (r#"{"query": "k"}"#, Request::with(":path", "/?k")),
        (r#""host""#, Request::with(":authority", ":80")),
        (r#""path""#, Request::with(":path", "*")),
        (r#""client_ip""#, Request::default().property("source/address", "/pipe")),
        (r#"{"claim": "sub"}"#, Request::default().property("sluice.jwt-auth.sub", "")),
    ];
    for (json, request) in table {
        assert_eq!(part(json, &request).as_deref(), MISSING.as_ref().copied(), "{json}");
    }
}

#[test]
fn a_duplicate_identity_is_not_reduced_to_the_first() {
    let table = [
        (r#"{"header": "k"}"#, Request::with("k", "1").and("K", "2")),
        (r#"{"header": "k"}"#, Request::with("k", "1").and("k", "1")),
        (r#"{"cookie": "k"}"#, Request::with("cookie", "k=1; k=2")),
        (r#"{"cookie": "k"}"#, Request::with("cookie", "k=1").and("cookie", "a=1;k=2")),
        (r#"{"query": "k"}"#, Request::with(":path", "/?k=1&%6b=2")),
        (r#"{"query": "k"}"#, Request::with(":path", "/?k=1").and(":path", "/")),
        (r#""host""#, Request::with(":authority", "a").and(":authority", "b")),
        (r#""path""#, Request::with(":path", "/a/../b")),
        (r#""path""#, Request::with(":path", "/a%2fb")),
        (r#""path""#, Request::with(":path", "/a%")),
    ];
    for (json, request) in table {
        assert_eq!(part(json, &request).as_deref(), AMBIGUOUS.as_ref().copied(), "{json}");
    }
}

#[test]
fn cookies_may_be_split_over_headers_and_are_bytes() {
    let request = Request::with("cookie", "a=1;b").and("cookie", b";;=x; K=no; k = \xff;");
    assert_eq!(part(r#"{"cookie": "k"}"#, &request).as_deref(), Ok(r"\xff"));
}

#[test]
fn the_source_that_fails_is_named_and_the_buffer_stays() {
    let key = key(r#"["method", {"header": "a"}, {"header": "b"}]"#);
    let mut buffer = b"before".to_vec();
    let request = Request::with(":method", "GET").and("a", "1");
    assert_eq!(key.resolve(&request, &mut buffer), Err(KeyProblem::Missing(2)));
    let request = Request::with(":method", "GET").and("a", "1").and("a", "2");
    assert_eq!(key.resolve(&request, &mut buffer), Err(KeyProblem::Ambiguous(1)));
    assert_eq!(buffer, b"before");
}

#[test]
fn configured_values_make_the_key_of_the_request() {
    let request = Request::with(":authority", "a.example:80")
        .and(":path", "/a//b")
        .and("k", "v")
        .property("source/address", "[2001:db8::9]:1");
    let json = r#"["client_ip", "path", "host", {"header": "k"}]"#;
    let literal = key(json).literal(&["2001:db8::1", "/a/b", "A.example.", "v"]);
    assert_eq!(literal.as_deref(), Ok(resolve(json, &request).unwrap().as_slice()));
}

#[test]
fn configured_values_that_no_request_has_are_refused() {
    let table = [
        (r#""client_ip""#, vec!["10.0.0.0/8"], r#""10.0.0.0/8" covers several clients: name one address"#),
        (
            r#""client_ip""#,
            vec!["localhost"],
            r#""localhost" is not an address (examples: 203.0.113.7, 2001:db8::1)"#,
        ),
        (r#""client_ip""#, vec![""], "must not be empty"),
        (r#"["client_ip", "method"]"#, vec!["203.0.113.7", ""], "must not have an empty value for method"),
        (r#"{"header": "k"}"#, vec![" "], r#"" " is never a value of header("k")"#),
        (r#""path""#, vec!["/a/../b"], r#""/a/../b" is never a value of path"#),
        (r#""path""#, vec!["/a?b"], r#""/a?b" is never a value of path"#),
        (r#"{"claim": "sub"}"#, vec![""], "must not be empty"),
        (
            r#"["method", "host"]"#,
            vec!["GET"],
            "must have one value for each source of the key, in order: [<method>, <host>]; got 1",
        ),
        (
            r#"[{"client_ip": {}}, {"header": "k"}]"#,
            vec!["a", "b", "c"],
            "must have one value for each source of the key, in order: [<client_ip>, <header>]; got 3",
        ),
    ];
    for (json, values, expected) in table {
        assert_eq!(key(json).literal(&values), Err(expected.to_owned()), "{json}");
    }
}

#[test]
fn sources_have_a_text() {
    let text = key(
        r#"["client_ip", {"client_ip": {"trusted_hops": 2, "ipv6_prefix": 56}}, {"header": "A"}, {"cookie": "a"},
            {"query": "a, path"}, "path", "method", "host", {"claim": "sub"}, {"state": "a"}]"#,
    )
    .digest_text();
    assert_eq!(
        text,
        "client_ip(hops 0, /32, /64), client_ip(hops 2, /32, /56), header(\"a\"), cookie(\"a\"), query(\"a, path\"), \
         path, method, host, claim(\"sub\"), state(\"a\")"
    );
}

#[test]
fn every_problem_is_named_with_what_to_type() {
    let json = r#"["clientip", "header", {"header": ":path"}, {"header": "host"}, {"header": "X-Forwarded-For"},
        {"header": "cookie"}, {"cookie": "a b"}, {"cookie": ""}, {"header": "a", "cookie": "a"}, {}, 7,
        {"client_ip": {"hops": 1}}, {"haeder": "a"}, "path", "path",
        {"header": null}, {"header": "a", "query": null, "claim": "b", "stat": "c"}]"#;
    let problems = parse(json).unwrap_err();
    expect_test::expect![[r#"
        key[0]: "clientip" is not a source (known: client_ip, path, method, host, {header: name}, {cookie: name}, {query: name}, {claim: name}, {state: name})
        key[1]: "header" needs a name: write `{header: name}`
        key[2].header: ":path" is not an ordinary header; use `path`, `{query: name}`, `method` or `host`
        key[3].header: "host" is not an ordinary header; use `path`, `{query: name}`, `method` or `host`
        key[4].header: "x-forwarded-for" begins with whatever a client writes into it; use `{client_ip: {trusted_hops: 1}}`
        key[5].header: "cookie" is all cookies at once; use `{cookie: name}`
        key[6].cookie: "a b" is not the name of a cookie
        key[7].cookie: must not be empty
        key[8]: takes only one source; write a list of sources
        key[9]: needs a source: client_ip, path, method, host, {header: name}, {cookie: name}, {query: name}, {claim: name}, {state: name}
        key[10]: expected an object, found number 7
        key[11].client_ip.hops: unknown field (known: trusted_hops, ipv4_prefix, ipv6_prefix)
        key[12].haeder: unknown field, did you mean "header"?
        key[15].header: has no value; remove it or give one
        key[16].query: has no value; remove it or give one
        key[16]: takes only one source; write a list of sources
        key[16].stat: unknown field, did you mean "state"?
        key[14]: is listed twice"#]].assert_eq(&problems);
    assert_eq!(parse("[]"), Err("key: must not be empty".to_owned()));
}

proptest! {
    #[test]
    fn different_parts_make_different_keys(a: (Vec<u8>, Vec<u8>), b: (Vec<u8>, Vec<u8>)) {
        let state = |(first, second): &(Vec<u8>, Vec<u8>)| {
            Request::default().property("filter_state/a", first).property("filter_state/b", second)
        };
        let json = r#"[{"state": "a"}, {"state": "b"}]"#;
        if let (Ok(one), Ok(other)) = (resolve(json, &state(&a)), resolve(json, &state(&b))) {
            prop_assert_eq!(one == other, a == b);
        }
    }

    #[test]
    fn arbitrary_bytes_never_panic(path: Vec<u8>, cookie: Vec<u8>, authority: Vec<u8>) {
        let request = Request::with(":path", path).and("cookie", cookie).and(":authority", authority);
        for json in [r#""path""#, r#"{"query": "a"}"#, r#"{"cookie": "a"}"#, r#""host""#] {
            drop(resolve(json, &request));
        }
    }
}
