//! `cache-control` as servers write it, and as they should not.

use std::time::Duration;

use kit::config::read;
use kit::header::HeaderMap;
use kit::units::spell_duration;
#[cfg(target_arch = "wasm32")]
use wasm_bindgen_test::wasm_bindgen_test as test;

use super::*;

fn fetch() -> Fetch {
    let config = br#"{"uri": "https://issuer.example.com/keys", "cluster": "issuer"}"#;
    read(config, |node| Fetch::parse(&mut node.object()?)).unwrap()
}

#[test]
fn a_document_is_fresh_for_as_long_as_it_says_within_bounds() {
    let fetch = fetch();
    for (headers, expected) in [
        ("", "10m"),
        ("cache-control: public", "10m"),
        ("cache-control: max-age=3600", "1h"),
        ("cache-control: public, Max-Age = 3600 , must-revalidate", "1h"),
        ("cache-control: max-age=\"3600\"", "1h"),
        // Bounds.
        ("cache-control: max-age=0", "30s"),
        ("cache-control: max-age=31536000", "1d"),
        ("cache-control: max-age=99999999999999999999999999", "1d"),
        // What it was in other caches doesn't count again.
        ("cache-control: max-age=3600\nage: 600", "50m"),
        ("cache-control: max-age=3600\nage: 7200", "30s"),
        ("cache-control: max-age=3600\nage: 600, 900", "50m"),
        ("cache-control: max-age=3600\nage: some", "1h"),
        ("age: 600", "10m"),
        // Not to be kept at all, so as short as the operator allows.
        ("cache-control: no-store", "30s"),
        ("cache-control: no-cache, max-age=3600", "30s"),
        ("cache-control: max-age=3600, NO-STORE", "30s"),
        ("cache-control: max-age=3600\ncache-control: no-cache", "30s"),
        // Said twice: the shorter one.
        ("cache-control: max-age=3600, max-age=600", "10m"),
        ("cache-control: max-age=600\ncache-control: max-age=3600", "10m"),
        // What can't be read.
        ("cache-control: max-age", "30s"),
        ("cache-control: max-age=", "30s"),
        ("cache-control: max-age=-1", "30s"),
        ("cache-control: max-age=1.5", "30s"),
        ("cache-control: max-age=1h", "30s"),
        ("cache-control: max-age=3600, max-age=x", "30s"),
        // What is in quotes is no directive.
        ("cache-control: private=\"a, no-store\", max-age=3600", "1h"),
        ("cache-control: x=\"\\\", no-store\", max-age=3600", "1h"),
        ("cache-control: s-maxage=1, stale-if-error=5, xmax-age=7", "10m"),
        ("cache-control: ,,=,\"", "10m"),
    ] {
        let lines = headers.lines().filter_map(|line| line.split_once(": "));
        let lifetime = lifetime(&HeaderMap::new(lines), &fetch);
        assert_eq!(spell_duration(lifetime), expected, "{headers}");
    }
}

#[test]
fn any_bytes_stay_within_the_bounds() {
    proptest::proptest!(|(value: Vec<u8>, age: Vec<u8>)| {
        let headers = HeaderMap::new([(b"cache-control".to_vec(), value), (b"age".to_vec(), age)]);
        let lifetime = lifetime(&headers, &fetch());
        assert!((Duration::from_secs(30)..=Duration::from_secs(86_400)).contains(&lifetime));
    });
}
