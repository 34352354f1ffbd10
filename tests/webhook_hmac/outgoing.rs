//! Requests that go out get a signature that whoever gets them can verify.

use serde_json::json;
use tests::{Envoy, Request, Seen, Upstream};

use super::delivery::{base64, from_base64, hex_mac, mac, now};
use super::{OUTGOING_SECRET, counted, manager, send, settings, shipped, status};

/// Verifies a request as Standard Webhooks says, and returns its id.
fn verified(seen: &Seen) -> String {
    let [id, timestamp, signature] = ["webhook-id", "webhook-timestamp", "webhook-signature"].map(|name| {
        let [value] = seen.values(name)[..] else { panic!("not one {name}: {seen:?}") };
        String::from_utf8(value.to_vec()).unwrap()
    });
    let at: u64 = timestamp.parse().unwrap();
    assert!(now().abs_diff(at) < 300, "{seen:?}");
    let key = from_base64(OUTGOING_SECRET.strip_prefix("whsec_").unwrap());
    let text = [format!("{id}.{timestamp}.").as_bytes(), &seen.body].concat();
    assert_eq!(signature, format!("v1,{}", base64(&mac(&key, &text))), "{seen:?}");
    id
}

fn with_trailers(upstream: &Upstream) -> Envoy {
    shipped(upstream)
        .upstream_http2()
        .edit(|tree| manager(tree)["http_protocol_options"] = json!({"enable_trailers": true}))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_request_that_goes_out_has_a_signature_that_verifies_whichever_way_its_body_comes() {
    let upstream = Upstream::start().await;
    let envoy = with_trailers(&upstream).start().await;
    let post = || Request::new("POST", "/outgoing/customer?a=1");
    let large = "x".repeat(1 << 20);
    let cases = [
        (Request::get("/outgoing"), ""),
        (Request::post("/outgoing", "abc"), "abc"),
        (Request::new("PUT", "/outgoing/1").chunks(["a", "b", "c"]), "abc"),
        (post().chunks(["abc"]).trailer("x-sum", "3"), "abc"),
        (post().chunks([""; 0]).trailer("x-sum", "0"), ""),
        (Request::post("/outgoing", &large), large.as_str()),
        (post().chunks([b"\xff\x00\r\n"]), "\u{0}"),
    ];
    let mut ids = Vec::new();
    for http in [1, 2] {
        for (index, (request, body)) in cases.iter().enumerate() {
            let before = upstream.count();
            // What a client says of it is replaced.
            let request =
                request.clone().header("webhook-signature", "v1,AAAA").header("webhook-timestamp", "1");
            assert_eq!(status(&envoy, http, &request).await, 200, "{index} over HTTP/{http}");
            let seen = &upstream.seen()[before];
            ids.push(verified(seen));
            assert!(index == 6 || seen.body == body.as_bytes(), "{index} over HTTP/{http}");
        }
        let trailers: Vec<_> =
            upstream.seen().iter().rev().take(cases.len()).map(|seen| seen.trailers.len()).collect();
        assert_eq!(trailers.iter().sum::<usize>(), 2, "{trailers:?}");
    }
    ids.sort_unstable();
    let all = ids.len();
    ids.dedup();
    assert_eq!(ids.len(), all, "each has an id of its own");
    assert!(ids.iter().all(|id| id.starts_with("msg_")), "{ids:?}");

    // Who tries again says by the id that it is the same; a bad one, or two of them, would be another event each time.
    for (given, kept) in
        [(vec!["inv-7"], Some(true)), (vec!["a b"], None), (vec!["a", "a"], None), (vec![""], Some(false))]
    {
        let request = given
            .iter()
            .fold(Request::post("/outgoing", "a"), |request, id| request.header("webhook-id", id));
        for http in [1, 2] {
            let wanted = if kept.is_some() { 200 } else { 400 };
            assert_eq!(status(&envoy, http, &request).await, wanted, "{given:?}");
            if let Some(kept) = kept {
                let id = verified(&upstream.seen().pop().unwrap());
                assert_eq!(id == given[0], kept, "{id}");
            }
        }
    }
    let answer =
        send(&envoy, 2, &Request::new("POST", "/outgoing").chunks(["x".repeat(1 << 20), "y".to_owned()]))
            .await;
    assert_eq!(answer.status, 413);
    assert_eq!(counted(&envoy, "decisions_total.outgoing.denied").await, 5);
    envoy.assert_no_trap().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_goes_out_of_one_envoy_is_genuine_to_another() {
    let upstream = Upstream::start().await;
    let second = with_trailers(&upstream)
        .edit(|tree| {
            let incoming = json!({
                "name": "in",
                "provider": "standard-webhooks",
                "match": {"path": {"prefix": "/outgoing"}},
                "secrets": [{"env": "OUTGOING_SECRET"}],
            });
            *settings(tree) = json!({"headers": {"id": "x-webhook-id"}, "endpoints": [incoming]});
        })
        .start()
        .await;
    let first = with_trailers(&upstream)
        .edit(|tree| {
            let clusters = tree["static_resources"]["clusters"].as_array_mut().unwrap();
            let address = clusters[0]
                .pointer_mut("/load_assignment/endpoints/0/lb_endpoints/0/endpoint/address/socket_address");
            *address.unwrap() = json!({"address": "127.0.0.1", "port_value": second.port()});
        })
        .start()
        .await;
    for http in [1, 2] {
        let request = Request::new("POST", "/outgoing/a").chunks(["on", " its way"]).trailer("x-sum", "1");
        let request = request.header("webhook-id", format!("id-{http}"));
        let before = upstream.count();
        assert_eq!(status(&first, http, &request).await, 200);
        let seen = &upstream.seen()[before];
        assert_eq!(
            (seen.header("x-webhook-id"), &seen.body[..]),
            (Some(format!("id-{http}").as_str()), &b"on its way"[..])
        );
        assert_eq!(seen.trailers.len(), 1);
        // Tried again, it is known by its id, though it is signed anew.
        assert_eq!(status(&first, http, &request).await, 200);
        assert_eq!(upstream.count(), before + 1);
    }
    assert_eq!(counted(&second, "decisions_total.in.acknowledged").await, 2);
    first.assert_no_trap().await;
    second.assert_no_trap().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_signature_goes_out_as_a_scheme_of_ones_own_describes_it() {
    let upstream = Upstream::start().await;
    let envoy = shipped(&upstream)
        .edit(|tree| {
            let own = json!({
                "name": "own",
                "match": {"path": {"prefix": "/own"}},
                "scheme": {
                    "algorithm": "hmac-sha256",
                    "signature": {"header": "x-signature", "separator": ";", "assign": ":", "field": "s", "prefix": "p-"},
                    "timestamp": {"header": "x-signature", "separator": ";", "assign": ":", "field": "t", "format": "unix-ms"},
                    "content": "{method} {path} {query} {timestamp} {body}.",
                },
                "secrets": [{"env": "BILLING_SECRET"}, {"env": "BILLING_SECRET_OLD"}],
            });
            settings(tree)["sign"].as_array_mut().unwrap().insert(0, own);
        })
        .start()
        .await;
    for http in [1, 2] {
        assert_eq!(status(&envoy, http, &Request::post("/own/a?b=c", "{}")).await, 200);
        let seen = upstream.seen().pop().unwrap();
        let value = seen.header("x-signature").unwrap();
        let at = value.strip_prefix("t:").unwrap().split(';').next().unwrap();
        let sign =
            |secret: &str| hex_mac(secret.as_bytes(), format!("POST /own/a b=c {at} {{}}.").as_bytes());
        let wanted =
            format!("t:{at};s:p-{};s:p-{}", sign(super::BILLING_SECRET), sign(super::OLD_BILLING_SECRET));
        assert_eq!(value, wanted);
    }
    envoy.assert_no_trap().await;
}
