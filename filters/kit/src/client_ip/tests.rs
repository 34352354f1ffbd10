//! Addresses, forged and real.

use proptest::prelude::*;
#[cfg(target_arch = "wasm32")]
use wasm_bindgen_test::wasm_bindgen_test as test;

use crate::config::read;
use crate::matcher::request::Request;

use super::*;

fn client_ip(json: &str) -> ClientIp {
    read(json.as_bytes(), ClientIp::parse).unwrap()
}

fn resolve(json: &str, request: &Request) -> Option<String> {
    client_ip(json).resolve(request).map(|client| client.to_string())
}

#[test]
fn the_connection_is_the_client_by_default() {
    let table: [(&[u8], Option<&str>); 13] = [
        (b"203.0.113.7:5678", Some("203.0.113.7")),
        (b"203.0.113.7:0", Some("203.0.113.7")),
        (b"[2001:db8:1:2:3:4:5:6]:443", Some("2001:db8:1:2::/64")),
        (b"[2001:DB8::1]:443", Some("2001:db8::/64")),
        (b"[::ffff:203.0.113.7]:443", Some("203.0.113.7")),
        (b"203.0.113.7", None),
        (b"2001:db8::1", None),
        (b"/var/run/envoy.sock", None),
        (b"@abstract", None),
        (b"envoy://internal/1", None),
        (b"203.0.113.7:x", None),
        (b"\xff\xfe", None),
        (b"", None),
    ];
    for (address, expected) in table {
        let request = Request::with("x-forwarded-for", "9.9.9.9").property("source/address", address);
        assert_eq!(resolve("{}", &request).as_deref(), expected, "{}", address.escape_ascii());
        assert_eq!(request.looked_up(), "");
    }
    assert_eq!(resolve("{}", &Request::default()), None);
}

#[test]
fn trusted_hops_count_from_the_right_over_all_headers() {
    let request = Request::with("x-forwarded-for", "6.6.6.6, 1.1.1.1")
        .and("x-forwarded-for", "2.2.2.2,\t3.3.3.3 ")
        .property("source/address", "9.9.9.9:1");
    let table =
        [(1, Some("3.3.3.3")), (2, Some("2.2.2.2")), (3, Some("1.1.1.1")), (4, Some("6.6.6.6")), (5, None)];
    for (hops, expected) in table {
        let json = format!(r#"{{"trusted_hops": {hops}}}"#);
        assert_eq!(resolve(&json, &request).as_deref(), expected, "{hops}");
    }
    assert_eq!(resolve(r#"{"trusted_hops": 0}"#, &request).as_deref(), Some("9.9.9.9"));
}

#[test]
fn what_is_no_address_in_the_trusted_place_is_no_client() {
    let table: [&[u8]; 19] = [
        b"",
        b",",
        b"1.1.1.1,",
        b"1.1.1.1, ",
        b"1.1.1.1,,",
        b"unknown",
        b"_hidden",
        b"1.1.1.1:80",
        b"[2001:db8::1]",
        b"[2001:db8::1]:80",
        b"fe80::1%eth0",
        b"fe80::1%251",
        b"1.1.1",
        b"01.1.1.1",
        b"1.1.1.256",
        b"1.1.1.1 2.2.2.2",
        b"\"1.1.1.1\"",
        b"for=1.1.1.1",
        b"1.1.1.1\xff",
    ];
    for header in table {
        let request = Request::with("x-forwarded-for", header).property("source/address", "9.9.9.9:1");
        assert_eq!(resolve(r#"{"trusted_hops": 1}"#, &request), None, "{}", header.escape_ascii());
    }
    let request = Request::default().property("source/address", "9.9.9.9:1");
    assert_eq!(resolve(r#"{"trusted_hops": 1}"#, &request), None);
}

#[test]
fn what_a_client_adds_on_the_left_changes_nothing() {
    for forged in ["8.8.8.8", "unknown", "]", "", ",,,", "::1"] {
        let request = Request::with("x-forwarded-for", format!("{forged}, 203.0.113.7"));
        assert_eq!(resolve(r#"{"trusted_hops": 1}"#, &request).as_deref(), Some("203.0.113.7"), "{forged}");
    }
}

#[test]
fn addresses_fold_to_their_network() {
    let request = Request::with("x-forwarded-for", "::ffff:203.0.113.7, 2001:db8:ffff:ffff:ffff::1");
    let table = [
        (r#"{"trusted_hops": 1, "ipv6_prefix": 128}"#, "2001:db8:ffff:ffff:ffff::1"),
        (r#"{"trusted_hops": 1, "ipv6_prefix": 56}"#, "2001:db8:ffff:ff00::/56"),
        (r#"{"trusted_hops": 1, "ipv6_prefix": 1}"#, "::/1"),
        (r#"{"trusted_hops": 2}"#, "203.0.113.7"),
        (r#"{"trusted_hops": 2, "ipv4_prefix": 24}"#, "203.0.113.0/24"),
        (r#"{"trusted_hops": 2, "ipv4_prefix": 1}"#, "128.0.0.0/1"),
    ];
    for (json, expected) in table {
        assert_eq!(resolve(json, &request).as_deref(), Some(expected), "{json}");
    }
}

#[test]
fn configured_addresses_fold_the_same_way() {
    let several = Err("covers several clients: name one address");
    let no_address = Err("is not an address (examples: 203.0.113.7, 2001:db8::1)");
    let table = [
        ("203.0.113.7", Ok("203.0.113.7")),
        ("203.0.113.7/32", Ok("203.0.113.7")),
        ("::ffff:203.0.113.7", Ok("203.0.113.7")),
        ("203.0.113.0/24", several),
        ("10.0.0.0/8", several),
        ("0.0.0.0/0", several),
        ("2001:db8::1", Ok("2001:db8::/64")),
        ("2001:db8::/64", Ok("2001:db8::/64")),
        ("2001:db8::/32", several),
        ("2001:db8::1/128", no_address),
        ("::ffff:203.0.113.7/32", no_address),
        ("203.0.113.7/33", no_address),
        ("203.0.113.7/", no_address),
        ("203.0.113.7/256", no_address),
        ("203.0.113.7:80", no_address),
        ("[2001:db8::1]", no_address),
        ("localhost", no_address),
        ("/8", no_address),
        ("", no_address),
    ];
    for (text, expected) in table {
        let network = ClientIp::DEFAULT.literal(text).map(|network| network.to_string());
        assert_eq!(network.as_deref().map_err(|problem| *problem), expected, "{text}");
    }
}

#[test]
fn numbers_have_ranges() {
    let json = br#"{"trusted_hops": 21, "ipv4_prefix": 0, "ipv6_prefix": 129, "hops": 1}"#;
    let problems = read(json, ClientIp::parse).unwrap_err().to_string();
    expect_test::expect![[r#"
        trusted_hops: must be between 0 and 20, got 21
        ipv4_prefix: must be between 1 and 32, got 0
        ipv6_prefix: must be between 1 and 128, got 129
        hops: unknown field (known: trusted_hops, ipv4_prefix, ipv6_prefix)"#]]
    .assert_eq(&problems);
}

proptest! {
    #[test]
    fn arbitrary_bytes_never_panic(header: Vec<u8>, address: Vec<u8>, hops in 0..3) {
        let request = Request::with("x-forwarded-for", header).property("source/address", address);
        resolve(&format!(r#"{{"trusted_hops": {hops}}}"#), &request);
    }

    #[test]
    fn folding_twice_changes_nothing(bits: u128, prefix in 1..=128_u8) {
        let source = ClientIp { ipv6_prefix: prefix, ..ClientIp::DEFAULT };
        let network = source.network(Ipv6Addr::from_bits(bits).into());
        prop_assert_eq!(source.network(network.first), network);
    }
}
