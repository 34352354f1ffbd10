//! Bodies in every form in which they can come, and in every way in which they don't.

use serde_json::json;
use tests::{Envoy, Http1, Http2, Request, Stream, Upstream, within};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::delivery::{github, github_head, hex_mac, now};
use super::{GITHUB_SECRET, STRIPE_SECRET, counted, endpoint, manager, send, settings, shipped, status};

const LINEAR_SECRET: &str = "DEMO-linear-0123456789abcdef";

/// The shipped file, where deliveries may come again, trailers arrive over HTTP/1 too, and one endpoint reads bodies.
fn lenient(upstream: &Upstream) -> Envoy {
    shipped(upstream).upstream_http2().edit(|tree| {
        manager(tree)["http_protocol_options"] = json!({"enable_trailers": true});
        endpoint(tree, "github")["replay"] = json!("off");
        let linear = json!({
            "name": "linear",
            "match": {"path": {"exact": "/webhooks/linear"}},
            "provider": "linear",
            "secrets": [{"inline": LINEAR_SECRET}],
            "tolerance": "5m",
            "replay": "off",
            "status": 401,
        });
        settings(tree)["endpoints"].as_array_mut().unwrap().push(linear);
    })
}

/// Signs a body for the endpoint that reads them.
fn linear(secret: &str, body: &[u8]) -> Request {
    linear_signature(Request::post("/webhooks/linear", body), secret, body)
}

/// Signs a body that comes afterwards, or never.
fn linear_head(secret: &str, body: &[u8]) -> Request {
    linear_signature(Request::new("POST", "/webhooks/linear"), secret, body)
}

fn linear_signature(request: Request, secret: &str, body: &[u8]) -> Request {
    request.header("linear-signature", hex_mac(secret.as_bytes(), body))
}

/// An endpoint that makes codes while a body comes, and one that keeps it: their secrets, and how to sign for them.
type Sign = fn(&str, &[u8]) -> Request;
const ENDPOINTS: [(&str, Sign); 2] =
    [(GITHUB_SECRET, |secret, body| github(secret, body)), (LINEAR_SECRET, linear)];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn genuine_deliveries_pass_and_forged_ones_do_not_whichever_way_their_body_comes_and_ends() {
    let upstream = Upstream::start().await;
    let envoy = lenient(&upstream).start().await;
    let text = format!(r#"{{"webhookTimestamp": {}000, "text": "{}"}}"#, now(), "x".repeat(300));
    let pieces = |length: usize| text.as_bytes().chunks(length).map(<[u8]>::to_vec).collect::<Vec<_>>();
    let with_empty = vec![Vec::new(), text.clone().into_bytes(), Vec::new()];
    let sum = Some(b"3".as_slice());
    let cases = [
        ("in one piece without a length", pieces(1000), None),
        ("byte by byte", pieces(1), None),
        ("in pieces of seven", pieces(7), None),
        ("between empty pieces", with_empty.clone(), None),
        ("with trailers", pieces(100), sum),
        ("byte by byte, with trailers", pieces(1), sum),
        ("between empty pieces, with trailers", with_empty, sum),
    ];
    for http in [1, 2] {
        for (secret, sign) in ENDPOINTS {
            for (name, pieces, sum) in &cases {
                let name = format!("{name} over HTTP/{http}");
                let request = |secret: &str, pieces: &[Vec<u8>]| {
                    let request = sign(secret, text.as_bytes()).chunks(pieces);
                    sum.iter().fold(request, |request, sum| request.trailer("x-sum", sum))
                };
                let before = upstream.count();
                assert_eq!(status(&envoy, http, &request(STRIPE_SECRET, pieces)).await, 401, "{name}");
                let mut flipped = pieces.clone();
                flipped.iter_mut().rev().find(|piece| !piece.is_empty()).unwrap()[0] ^= 1;
                assert_eq!(status(&envoy, http, &request(secret, &flipped)).await, 401, "{name}");
                assert_eq!(upstream.count(), before, "{name}");

                assert_eq!(status(&envoy, http, &request(secret, pieces)).await, 200, "{name}");
                let seen = &upstream.seen()[before];
                assert_eq!(seen.body, text.as_bytes(), "{name}");
                let trailers = sum.map(|sum| ("x-sum".to_owned(), sum.to_vec())).into_iter();
                assert_eq!(seen.trailers, trailers.collect::<Vec<_>>(), "{name}");
                assert!(seen.complete && upstream.count() == before + 1, "{name}");
            }
        }
    }
    envoy.assert_no_trap().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_delivery_without_a_body_is_one_whose_body_is_empty() {
    let upstream = Upstream::start().await;
    let envoy = lenient(&upstream).start().await;
    for http in [1, 2] {
        let none = |secret: &str| github_head(secret, b"");
        let forms: [fn(Request) -> Request; 4] = [
            |request| request,
            |request| request.chunks([""; 0]),
            |request| request.chunks([""]),
            |request| request.chunks([""]).trailer("x-sum", "0"),
        ];
        for (index, form) in forms.into_iter().enumerate() {
            let before = upstream.count();
            assert_eq!(
                status(&envoy, http, &form(none(STRIPE_SECRET))).await,
                401,
                "{index} over HTTP/{http}"
            );
            assert_eq!(upstream.count(), before);
            assert_eq!(
                status(&envoy, http, &form(none(GITHUB_SECRET))).await,
                200,
                "{index} over HTTP/{http}"
            );
            assert_eq!((upstream.seen()[before].body.len(), upstream.count()), (0, before + 1));
        }
        assert_eq!(status(&envoy, http, &github(GITHUB_SECRET, "")).await, 200);
        // A signed body that is left out is another body.
        assert_eq!(status(&envoy, http, &github_head(GITHUB_SECRET, b"abc")).await, 401);
        assert_eq!(status(&envoy, http, &github_head(GITHUB_SECRET, b"").chunks(["abc"])).await, 401);
    }
    envoy.assert_no_trap().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn headers_and_body_arrive_byte_for_byte() {
    let upstream = Upstream::start().await;
    let envoy = lenient(&upstream).start().await;
    // Every byte that can be there, all of them often, and what looks like an end.
    let mut body: Vec<u8> = (0..=255).collect::<Vec<u8>>().repeat(700);
    body.extend_from_slice(b"\r\n0\r\n\r\n\0");
    let visible: Vec<u8> = (b'!'..=b'~').chain(0x80..=0xff).collect();
    let odd = [
        ("z-first", visible.as_slice()),
        ("a-second", b"1"),
        ("z-many", b"one"),
        ("content-type", b"Text/ODD; charset=\"\xff\""),
        ("z-many", b"two,  three"),
        ("user-agent", b"GitHub-Hookshot/1 \xe2\x82\xac"),
        ("z-empty", b""),
        ("z-many", b"one"),
        ("cookie", b"a=1; b=\xfe"),
    ];
    for http in [1, 2] {
        for pieces in [1000, body.len()] {
            let request = github_head(GITHUB_SECRET, &body).chunks(body.chunks(pieces));
            let request = odd.iter().fold(request, |request, (name, value)| request.header(name, value));
            let before = upstream.count();
            assert_eq!(status(&envoy, http, &request).await, 200);
            let seen = &upstream.seen()[before];
            assert_eq!(seen.path, "/webhooks/github");
            assert!(seen.body == body, "the body has changed, over HTTP/{http} in pieces of {pieces}");
            for (name, _) in odd {
                let sent: Vec<_> =
                    odd.iter().filter(|(known, _)| *known == name).map(|(_, value)| *value).collect();
                assert_eq!(seen.values(name), sent, "{name} over HTTP/{http}");
            }
            let place = |name: &str| seen.headers.iter().position(|(known, _)| known == name).unwrap();
            let order = ["x-hub-signature-256", "z-first", "a-second", "z-many", "z-empty"].map(place);
            assert!(order.is_sorted(), "{:?}", seen.headers);
        }
    }
    envoy.assert_no_trap().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_body_may_have_the_length_that_is_allowed_and_not_a_byte_more() {
    let upstream = Upstream::start().await;
    let envoy = lenient(&upstream).edit(|tree| {
        endpoint(tree, "linear")["max_body"] = json!(100);
    });
    let envoy = envoy.start().await;
    let mut logged = 0;
    for ((secret, sign), most) in ENDPOINTS.into_iter().zip([1 << 20, 100]) {
        let text = format!(r#"{{"webhookTimestamp": {}000, "text": ""#, now());
        for length in [most, most + 1, most + 70_000] {
            let body = format!("{text}{}\"}}", "x".repeat(length - text.len() - 2)).into_bytes();
            let whole = sign(secret, &body);
            let requests = [
                whole.clone(),
                whole.clone().chunks([&body]),
                whole.clone().chunks(body.chunks(16_000)),
                whole.clone().chunks(body.chunks(16_384)),
            ];
            for http in [1, 2] {
                for (index, request) in requests.iter().enumerate() {
                    let before = upstream.count();
                    let answer = send(&envoy, http, request).await;
                    let (wanted, passed) = if length == most { (200, 1) } else { (413, 0) };
                    assert_eq!(answer.status, wanted, "{length} bytes, {index} over HTTP/{http}: {answer:?}");
                    assert_eq!(upstream.count(), before + passed, "{length} bytes, {index} over HTTP/{http}");
                    assert!(passed == 0 || upstream.seen()[before].body == body);
                    logged += 1;
                    let line = envoy.access_log(logged).await.pop().unwrap();
                    assert!(passed == 1 || line.contains("outcome=denied reason=too_large"), "{line}");
                }
            }
        }
    }
    envoy.assert_no_trap().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_leaves_while_he_is_held_is_forgotten_with_all_that_was_kept_of_him() {
    let upstream = Upstream::start().await;
    let envoy = lenient(&upstream).start().await;
    let half = vec![b' '; 1 << 19];
    // Together more than a worker keeps at one time, which is 128 MiB. Not all on one connection: Envoy closes one on
    // which some hundred streams are reset.
    for round in 1..=6 {
        let client = Http2::connect(envoy.port()).await;
        let mut held = Vec::new();
        for _ in 0..50 {
            let mut stream = client.open(&linear_head(LINEAR_SECRET, b"")).await;
            stream.data(&half);
            held.push(stream);
        }
        let received = round * 50 * half.len() as u64;
        envoy.await_stat("http.ingress.downstream_cx_rx_bytes_total", received).await;
        held.into_iter().for_each(Stream::reset);
    }
    envoy.await_stat("http.ingress.downstream_rq_rx_reset", 300).await;
    let mut leaves = Vec::new();
    for _ in 0..20 {
        let mut connection = Http1::connect(envoy.port()).await;
        let mut wire = linear_head(LINEAR_SECRET, b"").chunks([&half]).wire();
        wire.truncate(wire.len() - 10);
        connection.send(&wire).await;
        leaves.push(connection);
    }
    envoy.await_stat("http.ingress.downstream_rq_active", 20).await;
    drop(leaves);
    let before = upstream.count();
    let text = format!(r#"{{"webhookTimestamp": {}000}}"#, now());
    for http in [1, 2] {
        assert_eq!(
            status(&envoy, http, &linear_head(LINEAR_SECRET, text.as_bytes()).chunks([&text])).await,
            200
        );
        assert_eq!(status(&envoy, http, &github(GITHUB_SECRET, "after")).await, 200);
    }
    assert_eq!(upstream.count(), before + 4, "nothing of those who left");
    assert_eq!(counted(&envoy, "refusals_total.linear.busy").await, 0);
    envoy.assert_no_trap().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_all_keep_together_has_a_bound() {
    let upstream = Upstream::start().await;
    let envoy = lenient(&upstream).start().await;
    let client = Http2::connect(envoy.port()).await;
    // A worker keeps 128 MiB of bodies: with the rest of each still to come, one of these is too many.
    let most = vec![b' '; (1 << 20) - 1];
    let mut held = Vec::new();
    for _ in 0..140 {
        let mut stream = client.open(&linear_head(LINEAR_SECRET, b"")).await;
        stream.data(&most);
        held.push(stream);
    }
    envoy.await_stat("wasmcustom.sluice.webhook-hmac.refusals_total.linear.busy", 1).await;
    // One whose body is hashed as it comes needs no room.
    assert_eq!(status(&envoy, 1, &github(GITHUB_SECRET, "meanwhile")).await, 200);
    for stream in held {
        stream.reset();
    }
    assert_eq!(client.send(&Request::get("/")).await.status, 200);
    let text = format!(r#"{{"webhookTimestamp": {}000}}"#, now());
    assert_eq!(client.send(&linear_head(LINEAR_SECRET, text.as_bytes()).chunks([&text])).await.status, 200);
    assert_eq!(upstream.count(), 3);
    envoy.assert_no_trap().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_waits_to_be_told_to_go_on_is_told() {
    let upstream = Upstream::start().await;
    let envoy = lenient(&upstream).start().await;
    for (secret, wanted) in [(GITHUB_SECRET, "HTTP/1.1 200 "), (STRIPE_SECRET, "HTTP/1.1 401 ")] {
        let signature = hex_mac(secret.as_bytes(), b"abc");
        let mut stream = TcpStream::connect(("127.0.0.1", envoy.port())).await.unwrap();
        let head = format!(
            "POST /webhooks/github HTTP/1.1\r\nhost: a\r\nexpect: 100-continue\r\ncontent-length: 3\r\n\
             x-hub-signature-256: sha256={signature}\r\n\r\n"
        );
        stream.write_all(head.as_bytes()).await.unwrap();
        let before = upstream.count();
        let mut answer: Vec<u8> = Vec::new();
        for part in ["HTTP/1.1 100 Continue\r\n\r\n", wanted] {
            within(part, async {
                while !String::from_utf8_lossy(&answer).contains(part) {
                    assert!(stream.read_buf(&mut answer).await.unwrap() > 0, "{}", answer.escape_ascii());
                }
            })
            .await;
            if part != wanted {
                assert_eq!(upstream.count(), before);
                stream.write_all(b"abc").await.unwrap();
            }
        }
    }
    assert_eq!(upstream.only().body, b"abc");
    envoy.assert_no_trap().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_body_that_is_not_as_long_as_it_says_reaches_nobody() {
    let upstream = Upstream::start().await;
    let envoy = lenient(&upstream).start().await;
    // Signed as it comes, and as it would be if it had that length.
    for signed in ["abc", "abcdef"] {
        for length in ["2", "4", "6", "1048577", "18446744073709551616", "-1", "3,3"] {
            let request = github_head(GITHUB_SECRET, signed.as_bytes()).header("content-length", length);
            // Envoy resets such a stream, or closes the connection.
            let answer = Http2::connect(envoy.port()).await.try_send(&request.chunks(["abc"])).await;
            let status = answer.as_ref().map_or(400, |answer| answer.status);
            assert!([400, 413].contains(&status), "{length}: {answer:?}");
        }
    }
    let signature = format!("sha256={}", hex_mac(GITHUB_SECRET.as_bytes(), b"abc"));
    let head = format!("POST /webhooks/github HTTP/1.1\r\nhost: a\r\nx-hub-signature-256: {signature}\r\n");
    for (rest, wanted) in [
        ("content-length: 3\r\ncontent-length: 4\r\n\r\nabcd", Some(400)),
        ("content-length: 3\r\ntransfer-encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n", Some(400)),
        ("transfer-encoding: chunked\r\n\r\nx\r\nabc\r\n0\r\n\r\n", Some(400)),
        ("content-length: 4\r\n\r\nabc", None),
        ("transfer-encoding: chunked\r\n\r\n3\r\nabc\r\n", None),
    ] {
        let mut connection = Http1::connect(envoy.port()).await;
        connection.send(format!("{head}{rest}").as_bytes()).await;
        if wanted.is_some() {
            let answer = connection.try_read_response().await.map(|answer| answer.status);
            assert_eq!(answer, wanted, "{rest:?}");
        }
        // Whoever is not answered leaves.
    }
    let client = Http2::connect(envoy.port()).await;
    assert_eq!(client.send(&github(GITHUB_SECRET, "abc")).await.status, 200);
    assert_eq!(upstream.only().body, b"abc");
    // A byte behind the body is the next request, and no good one.
    let mut connection = Http1::connect(envoy.port()).await;
    connection.send(format!("{head}content-length: 3\r\n\r\nabcX").as_bytes()).await;
    assert_eq!(connection.read_response().await.status, 200);
    assert_eq!(upstream.seen()[1].body, b"abc");
    envoy.assert_no_trap().await;
}
