//! Bytes that nobody means well by.

use kit::chain::Verdict;
use proptest::prelude::*;
#[cfg(target_arch = "wasm32")]
use wasm_bindgen_test::wasm_bindgen_test as test;

use super::bench;

const CONFIG: &str = r#"{
    "tags": "all",
    "output": {"cluster_header": "x-c", "index_header": "x-i", "response_header": "x-r"},
    "splits": [
        {"name": "x", "match": {"path": {"prefix": "/a"}}, "key": [{"header": "k"}, {"cookie": "sid"}, {"query": "q"}, "client_ip"],
         "on_missing_key": {"cookie": {"secret": {"env": "SECRET"}}},
         "variants": [{"name": "v1", "cluster": "a"}, {"name": "v2", "cluster": "b", "weight": "30%"},
                      {"name": "v3", "cluster": "c", "ramp": {"points": [{"at": "2026-01-01T00:00:00Z", "weight": "30%"}]}}],
         "assign": [{"variant": "v2", "keys": ["a"]}, {"variant": "v3", "headers": [{"name": "h", "prefix": "a"}], "claims": [{"name": "c", "contains": "x"}]}],
         "force": {"header": "x-canary", "cookie": "canary", "token": {"env": "TOKEN"}},
         "mirror": {"percent": "50%"},
         "outcomes": {"slower_than": "1s"},
         "guard": {"min_requests": 1, "max_error_rate": "10%"}},
        {"name": "y", "on_missing_key": "random", "variants": [{"name": "v1", "cluster": "a"}, {"name": "v2", "cluster": "b", "weight": "50%"}]}
    ]
}"#;

proptest! {
    #[test]
    fn hostile_bytes_never_panic_and_routes_see_only_what_is_configured(
        path in proptest::collection::vec(any::<u8>(), 0..40),
        headers in proptest::collection::vec((0_usize..10, proptest::collection::vec(any::<u8>(), 0..90)), 0..12),
        properties in proptest::collection::vec(any::<u8>(), 0..20),
        details in "(via_upstream|upstream_x|)[a-z]{0,3}",
        draw: u64,
    ) {
        const NAMES: [&[u8]; 10] = [
            b"x-canary", b"k", b"cookie", b"x-sluice-variant", b"x-c", b"x-i", b"x-sluice-mirror", b"x-canary-token",
            b"content-type", b"h",
        ];
        let bench = bench(CONFIG);
        bench.world.fix_draw(draw);
        bench.world.set_property(&["sluice.jwt-auth.c"], &properties);
        bench.world.set_property(&["source", "address"], &properties);
        let mut text = [b"GET /a".as_slice(), &path].concat();
        text.retain(|byte| *byte != b'\n');
        for (name, value) in headers {
            text.push(b'\n');
            text.extend([NAMES[name], b": "].concat());
            if NAMES[name] == b"cookie" {
                text.extend(b"sid=1; sluice-x=1.");
            }
            text.extend(value.into_iter().filter(|byte| *byte != b'\n'));
        }
        let mut sent = bench.send(&text, true);
        prop_assert_eq!(&sent.verdict, &Verdict::Continue);
        let triples = [Some(("v1", "a", "0")), Some(("v2", "b", "1")), Some(("v3", "c", "2"))];
        let seen = (sent.request_header("x-sluice-variant"), sent.request_header("x-c"), sent.request_header("x-i"));
        let is_one = triples.into_iter().flatten().any(|(name, cluster, index)| {
            seen == (Some(name.to_owned()), Some(cluster.to_owned()), Some(index.to_owned()))
        });
        prop_assert!(is_one, "{seen:?}");
        prop_assert!(matches!(sent.request_header("x-sluice-mirror").as_deref(), None | Some("1")));
        prop_assert_eq!(sent.request_header("x-canary"), None);
        prop_assert_eq!(sent.request_header("x-canary-token"), None);
        bench.world.set_property(&["response", "code"], &properties);
        bench.world.set_property(&["response", "grpc_status"], &properties);
        sent.respond_headers(&details, "200", false);
        sent.response_body(b"x", true);
        sent.end();
    }

    #[test]
    fn what_a_stranger_writes_to_shared_data_counts_as_nothing(garbage in proptest::collection::vec(any::<u8>(), 0..600)) {
        let bench = bench(CONFIG);
        bench.request("GET /a\nk: u").respond("200").end();
        bench.world.memory().overwrite(&garbage);
        bench.world.pass(std::time::Duration::from_secs(1));
        let mut sent = bench.request("GET /a\nk: u");
        prop_assert_eq!(&sent.verdict, &Verdict::Continue);
        sent.respond("500").end();
    }
}
