//! Where tokens are, and that each is taken away where nobody behind shall see it.

use serde_json::json;
use tests::{Request, Upstream};
use tokens::demo;

use super::{demo_keys, payload, send, set, settings, shipped, token, with_token};

fn places(strip: bool) -> serde_json::Value {
    json!({
        "tokens": [
            {"authorization": "Bearer"},
            {"header": "x-jwt"},
            {"cookie": "sid"},
            {"query": "access_token"},
        ],
        "strip_token": strip,
    })
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_token_is_found_in_every_place_and_taken_away_if_that_is_configured() {
    let token = token();
    for strip in [false, true] {
        let (upstream, jwks) = (Upstream::start().await, demo_keys().await);
        let envoy = shipped(&upstream, &jwks).edit(|tree| set(settings(tree), places(strip))).start().await;
        for http in [1, 2] {
            for request in [
                with_token("/a?b=1", &token),
                Request::get("/a?b=1").header("x-jwt", &token),
                Request::get("/a?b=1").header("cookie", format!("a=1; sid={token}; c=2")),
                Request::get("/a?b=1").header("cookie", "a=1").header("cookie", format!("sid={token}")),
                Request::get(&format!("/a?b=1&access_token={token}")),
                Request::get(&format!("/a?access%5ftoken={token}&b=1")),
            ] {
                let response = send(&envoy, http, &request).await;
                assert_eq!(response.status, 200, "HTTP/{http} {request:?}: {response:?}");
                let seen = upstream.seen().pop().unwrap();
                let shown = format!(
                    "{} {:?}",
                    seen.path,
                    seen.headers
                        .iter()
                        .map(|(name, value)| format!("{name}: {}", value.escape_ascii()))
                        .collect::<Vec<_>>()
                );
                assert_eq!(shown.contains(&token), !strip, "HTTP/{http} {request:?}: {shown}");
                assert!(seen.path.contains("b=1"), "{shown}");
                if strip {
                    assert_eq!(seen.path, "/a?b=1");
                }
                if let Some(cookie) = seen.header("cookie") {
                    assert!(cookie.contains("a=1"), "{shown}");
                }
                assert_eq!(seen.header("x-user"), Some("alice"));
            }
        }
        envoy.assert_no_trap().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_tokens_that_differ_are_refused_wherever_they_are() {
    let (upstream, jwks) = (Upstream::start().await, demo_keys().await);
    let envoy = shipped(&upstream, &jwks).edit(|tree| set(settings(tree), places(false))).start().await;
    let (one, two) = (token(), demo::tokens(super::now()).swap_remove(0).token);
    for http in [1, 2] {
        for request in [
            with_token("/", &one).header("authorization", format!("Bearer {two}")),
            with_token("/", &one).header("authorization", format!("Bearer {one}")),
            with_token("/", &one).header("authorization", "Basic dTpw"),
            Request::get("/").header("authorization", format!("Bearer {one}, Bearer {two}")),
            with_token("/", &one).header("x-jwt", &two),
            Request::get("/").header("x-jwt", &one).header("x-jwt", &two),
            Request::get("/").header("cookie", format!("sid={one}; sid={two}")),
            Request::get("/").header("cookie", format!("sid={one}")).header("cookie", format!("sid={two}")),
            Request::get(&format!("/?access_token={one}&access_token={two}")),
            Request::get(&format!("/?access_token={one}")).header("cookie", format!("sid={two}")),
        ] {
            let response = send(&envoy, http, &request).await;
            assert_eq!(response.status, 400, "HTTP/{http} {request:?}: {response:?}");
            let challenge = r#"Bearer realm="api", error="invalid_request""#;
            assert_eq!(response.header("www-authenticate"), Some(challenge));
        }
        let same = with_token("/", &one).header("x-jwt", &one).header("cookie", format!("sid={one}"));
        assert_eq!(send(&envoy, http, &same).await.status, 200, "one token, three times");
    }
    assert_eq!(upstream.count(), 2);
    envoy.assert_no_trap().await;
}

/// What the filter of the next test writes.
const OUTPUTS: [&str; 4] = ["x-user", "x-roles", "x-org", "x-payload"];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_token_says_reaches_the_upstream_and_what_a_client_writes_there_never_does() {
    let (upstream, jwks) = (Upstream::start().await, demo_keys().await);
    let envoy = shipped(&upstream, &jwks)
        .edit(|tree| {
            let headers = json!([
                {"claim": "sub", "header": "x-user"},
                {"claim": ["realm", "roles"], "header": "X-Roles"},
                {"claim": "org", "header": "x-org"},
            ]);
            let more = json!({
                "claims_to_headers": headers,
                "payload_header": "x-payload",
                "allow_cors_preflight": true,
            });
            set(settings(tree), more);
            let optional = json!({
                "name": "feed",
                "match": {"path": {"exact": "/feed"}},
                "require": "token",
                "optional": true,
            });
            settings(tree)["rules"].as_array_mut().unwrap().insert(0, optional);
        })
        .start()
        .await;
    let good = demo::signer().token(&payload(json!({"realm": {"roles": ["a", "b"]}})));
    let claims = good.split('.').nth(1).unwrap();
    let known = [vec!["alice"], vec!["a,b"], vec![], vec![claims]];
    let preflight = Request::new("OPTIONS", "/api")
        .header("origin", "https://a")
        .header("access-control-request-method", "PUT");
    for http in [1, 2] {
        for (request, wanted) in [
            (with_token("/api", &good), &known),
            (with_token("/feed", &good), &known),
            (Request::get("/feed"), &Default::default()),
            (with_token("/healthz", &good), &Default::default()),
            (preflight.clone(), &Default::default()),
        ] {
            let mut lying = request.clone();
            for name in OUTPUTS {
                lying = lying.header(name, "root").header(name, "e30");
            }
            assert_eq!(send(&envoy, http, &lying).await.status, 200, "HTTP/{http} {request:?}");
            let seen = upstream.seen().pop().unwrap();
            let found = OUTPUTS.map(|name| {
                seen.values(name)
                    .into_iter()
                    .map(|value| str::from_utf8(value).unwrap().to_owned())
                    .collect::<Vec<_>>()
            });
            assert_eq!(found, *wanted, "HTTP/{http} {request:?}");
        }
    }
    envoy.assert_no_trap().await;
}
