//! Bytes that nobody means well by.

use std::time::Duration;

use kit::chain::Verdict;
use proptest::prelude::*;
#[cfg(target_arch = "wasm32")]
use wasm_bindgen_test::wasm_bindgen_test as test;

use super::bench;

const CONFIG: &str = r#"{
    "control": {"token": {"env": "TOKEN"}, "accept_envoy_headers": true},
    "experiments": [
        {"name": "x", "match": {"path": {"prefix": "/a"}}, "percent": "50%", "max_active": 3,
         "stop_when": {"error_rate": "50%"},
         "sample": {"key": [{"header": "k"}, "path"], "seed": "s"},
         "request": {"delay": {"exponential": {"mean": "1s"}}, "abort": {"status": 503, "body": "{path} {request_id}"}}},
        {"name": "y", "percent": "100%",
         "response": {"delay": {"normal": {"mean": "1s", "deviation": "1s"}}, "status": 500, "throttle": 1000,
                      "body": {"corrupt": {"bytes": 9}}, "empty_trailers": true}}
    ]
}"#;

proptest! {
    #[test]
    fn hostile_bytes_never_panic_and_no_stream_is_held_for_ever(
        path in proptest::collection::vec(any::<u8>(), 0..40),
        headers in proptest::collection::vec((0_usize..6, proptest::collection::vec(any::<u8>(), 0..30)), 0..8),
        response in proptest::collection::vec(any::<u8>(), 0..30),
        pieces in proptest::collection::vec(0_usize..3_000, 0..6),
        draw: u64,
        token: bool,
    ) {
        const NAMES: [&[u8]; 6] = [
            b"x-sluice-fault", b"k", b"x-envoy-fault-delay-request", b"x-envoy-fault-abort-request", b"content-type",
            b"x-request-id",
        ];
        let bench = bench(CONFIG);
        bench.world.fix_draw(draw);
        let mut text = [b"GET /a".as_slice(), &path].concat();
        text.retain(|byte| *byte != b'\n');
        for (name, value) in headers {
            text.push(b'\n');
            text.extend([NAMES[name], b": "].concat());
            text.extend(value.into_iter().filter(|byte| *byte != b'\n'));
        }
        if token {
            text.extend(b"\nx-sluice-fault-token: let me");
        }
        let mut sent = bench.send(&text, true);
        let hour = Duration::from_secs(3_600);
        if sent.verdict == Verdict::PauseBack {
            bench.world.pass(hour);
            sent.wake();
        }
        prop_assert_ne!(&sent.verdict, &Verdict::PauseBack);
        if sent.verdict == Verdict::Continue {
            let length = String::from_utf8_lossy(&response).replace('\n', "");
            sent.respond_headers("via_upstream", &format!("200\ncontent-length: {length}"), false);
            for piece in pieces {
                sent.response_body(&vec![b'x'; piece], false);
            }
            sent.response_trailers_of("x: y");
            for _ in 0..3 {
                bench.world.pass(hour);
                sent.wake();
            }
            prop_assert_eq!(&sent.verdict, &Verdict::Continue);
        }
        sent.end();
        prop_assert_eq!(bench.gauge("fault-injection.active.x"), 0);
        prop_assert_eq!(bench.gauge("fault-injection.active.y"), 0);
        prop_assert_eq!(bench.gauge("fault-injection.active.control"), 0);
    }
}
