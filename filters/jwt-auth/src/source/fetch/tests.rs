//! What an operator reads when a `uri` or a time beside it is wrong, and what a fetch asks for.

use expect_test::{Expect, expect};
use kit::config::read;
use kit::units::spell_size;
#[cfg(target_arch = "wasm32")]
use wasm_bindgen_test::wasm_bindgen_test as test;

use super::*;

fn parse(fields: &str) -> Result<Fetch, String> {
    let config = format!("{{{fields}}}");
    let fetch = read(config.as_bytes(), |node| {
        let mut object = node.object()?;
        let fetch = Fetch::parse(&mut object);
        object.finish();
        fetch
    });
    fetch.map_err(|problems| problems.to_string())
}

fn with(fields: &str) -> Result<Fetch, String> {
    parse(&format!(r#""uri": "https://issuer.example.com/keys", "cluster": "issuer", {fields}"#))
}

#[track_caller]
fn refuses(parsed: Result<Fetch, String>, expected: Expect) {
    expected.assert_eq(&parsed.unwrap_err());
}

fn times(fetch: &Fetch) -> String {
    [fetch.refresh, fetch.min_refresh, fetch.max_refresh].map(spell_duration).join(" ")
}

#[test]
fn everything_but_uri_and_cluster_has_a_default() {
    let fetch = parse(r#""uri": "https://issuer.example.com/keys", "cluster": "issuer""#).unwrap();
    assert_eq!(times(&fetch), "10m 30s 1d");
    assert_eq!(fetch.timeout, Duration::from_secs(5));
    assert_eq!(fetch.retry, Duration::from_secs(1));
    assert_eq!(fetch.unknown_kid_interval, Duration::from_secs(30));
    assert_eq!(fetch.stale_for, Duration::from_secs(3_600));
    assert_eq!((spell_size(fetch.max_size.try_into().unwrap()).as_str(), fetch.max_keys), ("256KiB", 64));
    refuses(parse(r#""uri": "https://issuer.example.com/keys""#), expect!["cluster: is required"]);
}

#[test]
fn bounds_that_nobody_wrote_yield_to_what_somebody_wrote() {
    for (fields, expected) in [
        (r#""refresh": "10s""#, "10s 10s 1d"),
        (r#""refresh": "3d""#, "3d 30s 3d"),
        (r#""min_refresh": "1h""#, "1h 1h 1d"),
        (r#""min_refresh": "2d""#, "2d 2d 2d"),
        (r#""max_refresh": "20s""#, "20s 20s 20s"),
        (r#""max_refresh": "5m""#, "5m 30s 5m"),
        (r#""min_refresh": "5m", "max_refresh": "5m""#, "5m 5m 5m"),
    ] {
        assert_eq!(with(fields).map(|fetch| times(&fetch)).as_deref(), Ok(expected), "{fields}");
    }
    refuses(
        with(r#""min_refresh": "1h", "max_refresh": "10m""#),
        expect!["max_refresh: is less than `min_refresh`, which is 1h"],
    );
    refuses(
        with(r#""refresh": "10m", "min_refresh": "1h""#),
        expect!["refresh: must be between `min_refresh`, 1h, and `max_refresh`, 1d"],
    );
    refuses(
        with(r#""refresh": "10h", "max_refresh": "1h""#),
        expect!["refresh: must be between `min_refresh`, 30s, and `max_refresh`, 1h"],
    );
}

#[test]
fn all_problems_are_told_at_once() {
    refuses(
        parse(
            r#""uri": "issuer.example.com", "cluster": "", "timeout": "2m", "refresh": "0s", "min_refresh": 30,
               "retry": "1ms", "unknown_kid_interval": "0s", "stale_for": "1s", "max_size": "1GiB", "max_keys": 0,
               "time_out": "1s""#,
        ),
        expect![[r#"
            uri: "issuer.example.com" is not an absolute URI (example: https://issuer.example.com/jwks.json)
            cluster: must not be empty
            timeout: must be between 100ms and 1m, got "2m"
            refresh: must be between 1s and 30d, got "0s"
            min_refresh: 30 has no unit (examples: 250ms, 10s, 5m)
            retry: must be between 100ms and 1h, got "1ms"
            unknown_kid_interval: must be between 1s and 1d, got "0s"
            stale_for: must be between 10s and 30d, got "1s"
            max_size: must be between 1KiB and 8MiB, got "1GiB"
            max_keys: must be between 1 and 1000, got 0
            time_out: unknown field, did you mean "timeout"?"#]],
    );
}

#[test]
fn a_uri_is_absolute_and_has_nothing_that_is_not_sent() {
    let refused = |uri: &str| {
        parse(&format!(r#""uri": "{uri}", "cluster": "issuer""#))
            .map(|fetch| format!("{fetch:?}"))
            .unwrap_err()
    };
    let mut all = String::new();
    for uri in [
        "/keys",
        "ftp://issuer.example.com/keys",
        "https:///keys",
        "https://user:secret@issuer.example.com/",
        "https://issuer.example.com/keys#now",
        "https://issuer.example.com/a b",
        "https://issuer.example.com/ü",
        "https://issuer.example.com:0/",
        "https://issuer.example.com:70000/",
        "https://issuer.example.com:/",
        "https://issuer_example,com/",
        "https://[2001:db8::1/",
        "https://[issuer]/",
        r"https://issuer.example.com/\r\nx",
    ] {
        all.push_str(&refused(uri));
        all.push('\n');
    }
    expect![[r#"
        uri: "/keys" is not an absolute URI (example: https://issuer.example.com/jwks.json)
        uri: "ftp://issuer.example.com/keys" has the scheme "ftp"; only http and https can be fetched
        uri: "https:///keys" is not an absolute URI (example: https://issuer.example.com/jwks.json)
        uri: "https://user:secret@issuer.example.com/" has a user name or password in it; remove that
        uri: "https://issuer.example.com/keys#now" has a fragment, which no server gets to see; remove the # and what follows
        uri: "https://issuer.example.com/a b" contains ' ', which a URI has percent-encoded only
        uri: "https://issuer.example.com/ü" contains 'ü', which a URI has percent-encoded only
        uri: "https://issuer.example.com:0/" is not an absolute URI (example: https://issuer.example.com/jwks.json)
        uri: "https://issuer.example.com:70000/" is not an absolute URI (example: https://issuer.example.com/jwks.json)
        uri: "https://issuer.example.com:/" is not an absolute URI (example: https://issuer.example.com/jwks.json)
        uri: "https://issuer_example,com/" is not an absolute URI (example: https://issuer.example.com/jwks.json)
        uri: "https://[2001:db8::1/" is not an absolute URI (example: https://issuer.example.com/jwks.json)
        uri: "https://[issuer]/" is not an absolute URI (example: https://issuer.example.com/jwks.json)
        uri: "https://issuer.example.com/\r\nx" contains '\r', which a URI has percent-encoded only
    "#]]
    .assert_eq(&all);
}

#[test]
fn a_fetch_asks_for_the_path_at_the_authority() {
    for (uri, expected) in [
        ("https://issuer.example.com/a/b?c=d", "GET https issuer.example.com /a/b?c=d"),
        ("HTTP://Issuer.example.com:8080", "GET http issuer.example.com:8080 /"),
        ("https://issuer.example.com?x=/y", "GET https issuer.example.com /?x=/y"),
        ("https://[2001:db8::1]:443/keys", "GET https [2001:db8::1]:443 /keys"),
    ] {
        let fetch = parse(&format!(r#""uri": "{uri}", "cluster": "issuer""#)).unwrap();
        let callout = fetch.callout();
        let values: Vec<_> = callout.headers.iter().take(4).map(|(_, value)| value.as_str()).collect();
        assert_eq!(values.join(" "), expected);
        assert_eq!((callout.cluster.as_str(), callout.timeout), ("issuer", Duration::from_secs(5)));
    }
}

#[test]
fn waits_double_up_to_the_shortest_refresh_and_half_of_each_is_drawn() {
    let fetch = with(r#""retry": "1s", "min_refresh": "10s""#).unwrap();
    let most: Vec<_> = [1, 2, 3, 4, 5, 40, u64::MAX]
        .map(|failures| fetch.back_off(failures, u64::MAX).as_nanos().div_ceil(1_000_000_000))
        .to_vec();
    assert_eq!(most, [1, 2, 4, 8, 10, 10, 10]);
    assert_eq!(fetch.back_off(3, 0), Duration::from_secs(2));
    let slow = with(r#""retry": "1m", "min_refresh": "10s""#).unwrap();
    assert_eq!(slow.back_off(7, 0), Duration::from_secs(30));
}
