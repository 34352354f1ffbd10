//! jwt-auth in a real Envoy: the shipped file, every algorithm, keys that come and go, hostile bytes.

mod algorithms;
mod hostile;
mod keys;
mod places;
mod together;
mod updates;

use std::time::{SystemTime, UNIX_EPOCH};

use serde_json::{Value, json};
use tests::{Answer, Deadline, Envoy, Http2, Jwks, Request, Response, Running, Upstream, plugin, workspace};
use tokens::{Signer, demo};

const SHIPPED: &str = "jwt-auth.yaml";

/// Returns the shipped file in front of this upstream, with the keys from this server.
fn shipped(upstream: &Upstream, jwks: &Jwks) -> Envoy {
    Envoy::from(SHIPPED).upstream(upstream).issuer(jwks)
}

/// Starts a server of the demo's keys.
async fn demo_keys() -> Jwks {
    Jwks::start(&demo::key_set()).await
}

/// Finds the configuration of the filter.
fn settings(tree: &mut Value) -> &mut Value {
    &mut plugin(tree, "jwt-auth")["configuration"]["value"]
}

/// Sets members of an object, one by one.
fn set(object: &mut Value, members: Value) {
    for (name, value) in members.as_object().expect("members") {
        object[name] = value.clone();
    }
}

/// Returns the time in seconds since 1970.
fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).expect("a clock after 1970").as_secs()
}

/// Returns a payload that the shipped file accepts, with these members besides, or in place of its own.
fn payload(members: Value) -> String {
    let mut payload = json!({
        "iss": "https://issuer.example.com",
        "aud": "api",
        "sub": "alice",
        "iat": now(),
        "exp": now() + 3600,
    });
    set(&mut payload, members);
    payload.to_string()
}

/// Returns a token that the shipped file accepts.
fn token() -> String {
    demo::signer().token(&payload(json!({})))
}

/// Returns a token of this signer's that the shipped file accepts, if it knows the key.
fn token_of(signer: &Signer) -> String {
    signer.token(&payload(json!({})))
}

/// Returns a GET with this token.
fn with_token(path: &str, token: &str) -> Request {
    Request::get(path).header("authorization", format!("Bearer {token}"))
}

/// Sends a GET with this token, and returns the status of the answer.
async fn status(envoy: &Running, path: &str, token: &str) -> u16 {
    with_token(path, token).send(envoy.port()).await.status
}

async fn send(envoy: &Running, http: u8, request: &Request) -> Response {
    match http {
        1 => request.send(envoy.port()).await,
        _ => request.send_http2(envoy.port()).await,
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_shipped_file_does_what_it_says_with_the_tokens_and_keys_of_the_demo() {
    // What the demo's upstream serves, byte for byte.
    let keys = std::fs::read_to_string(workspace().join("envoy/jwks.json")).unwrap();
    assert_eq!(keys.trim_end(), demo::key_set());
    let (upstream, jwks) = (Upstream::start().await, Jwks::start(&keys).await);
    let envoy = shipped(&upstream, &jwks).start().await;
    let tokens = demo::tokens(now());
    let of = |name: &str| &tokens.iter().find(|demo| demo.name == name).unwrap().token;
    let lie = |request: Request| request.header("x-user", "root").header("X-User", "admin");

    for http in [1, 2] {
        let before = upstream.count();
        let missing = send(&envoy, http, &lie(Request::get("/api/items"))).await;
        assert_eq!(missing.status, 401, "{missing:?}");
        assert_eq!(missing.header("www-authenticate"), Some(r#"Bearer realm="api""#));
        assert_eq!(missing.header("content-type"), Some("application/problem+json"));
        assert_eq!(missing.json()["title"], "A token is required");
        for (name, challenge) in [
            (
                "expired",
                r#"Bearer realm="api", error="invalid_token", error_description="The token has expired""#,
            ),
            ("forged", r#"Bearer realm="api", error="invalid_token""#),
        ] {
            let refused = send(&envoy, http, &with_token("/api/items", of(name))).await;
            assert_eq!((refused.status, refused.header("www-authenticate")), (401, Some(challenge)));
        }
        for path in ["/admin", "/admin/x", "//admin", "/%61dmin", "/api/../admin"] {
            let refused = send(&envoy, http, &with_token(path, of("valid"))).await;
            let challenge = r#"Bearer realm="api", error="insufficient_scope""#;
            assert_eq!(
                (refused.status, refused.header("www-authenticate")),
                (403, Some(challenge)),
                "{path}"
            );
        }
        assert_eq!(upstream.count(), before, "what is refused goes no further");

        for (name, path) in [("valid", "/api/items"), ("admin", "/admin")] {
            assert_eq!(send(&envoy, http, &lie(with_token(path, of(name)))).await.status, 200);
        }
        assert_eq!(send(&envoy, http, &lie(Request::get("/healthz"))).await.status, 200);
        assert_eq!(send(&envoy, http, &lie(with_token("/healthz", of("valid")))).await.status, 200);
        let users: Vec<_> = upstream.seen()[before..]
            .iter()
            .map(|seen| seen.values("x-user").iter().map(|user| user.escape_ascii().to_string()).collect())
            .collect::<Vec<Vec<_>>>();
        assert_eq!(users, [vec!["alice"], vec!["alice"], vec![], vec![]]);
    }
    // Some servers take it for x-user, so Envoy refuses it: in HTTP/2 by a reset.
    let underscore = with_token("/", of("valid")).header("x_user", "root");
    assert_eq!(underscore.send(envoy.port()).await.status, 400);
    assert!(Http2::connect(envoy.port()).await.try_send(&underscore).await.is_err());
    let fetch = &jwks.seen()[0];
    assert_eq!(
        (fetch.path.as_str(), fetch.header("host")),
        ("/.well-known/jwks.json", Some("issuer.example.com"))
    );
    assert_eq!(jwks.fetches(), 1);
    envoy.assert_no_trap().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn decisions_are_explained_in_the_access_log_and_counted() {
    let (upstream, jwks) = (Upstream::start().await, demo_keys().await);
    // Envoy shows what histograms have seen when it flushes.
    let envoy = shipped(&upstream, &jwks).edit(|tree| tree["stats_flush_interval"] = json!("0.1s"));
    let envoy = envoy.start().await;
    assert_eq!(status(&envoy, "/x?access_token=secret", &token()).await, 200);
    assert_eq!(Request::get("/x").send(envoy.port()).await.status, 401);
    assert_eq!(status(&envoy, "/admin", &token()).await, 403);
    assert_eq!(Request::get("/healthz").send(envoy.port()).await.status, 200);
    let lines = envoy.access_log(4).await;
    for (line, wanted) in lines.iter().zip([
        "GET /x 200 details=via_upstream rule=api outcome=admitted reason=- sub=alice",
        "GET /x 401 details=sluice_jwt_auth_missing rule=api outcome=denied reason=missing sub=-",
        "GET /admin 403 details=sluice_jwt_auth_scope rule=admin outcome=denied reason=scope sub=alice",
        "GET /healthz 200 details=via_upstream rule=health outcome=anonymous reason=- sub=-",
    ]) {
        assert!(line.ends_with(wanted), "{line}\n{wanted}");
    }

    for (name, count) in [
        ("decisions_total.api.admitted", 1),
        ("decisions_total.api.denied", 1),
        ("decisions_total.admin.denied", 1),
        ("decisions_total.health.anonymous", 1),
        ("refusals_total.missing", 1),
        ("refusals_total.scope", 1),
        ("refusals_total.expired", 0),
        ("jwks_fetches_total.corp.succeeded", 1),
        ("jwks_fetches_total.corp.failed", 0),
    ] {
        assert_eq!(envoy.stat(&format!("wasmcustom.sluice.jwt-auth.{name}")).await, count, "{name}");
    }
    let deadline = Deadline::new("all that is counted");
    let missing = async || {
        let prometheus = envoy.prometheus().await;
        [
            r#"sluice_decisions_total{outcome="denied",rule="admin",filter="jwt-auth"} 1"#,
            r#"sluice_refusals_total{reason="scope",filter="jwt-auth"} 1"#,
            r#"sluice_jwks_fetches_total{provider="corp",result="succeeded",filter="jwt-auth"} 1"#,
            r#"sluice_jwks_fetch_ms_count{provider="corp",filter="jwt-auth"} 1"#,
        ]
        .into_iter()
        .find(|line| !prometheus.contains(line))
        .map(|line| format!("{line} is not in\n{prometheus}"))
    };
    while let Some(missing) = missing().await {
        deadline.look_again(|| missing).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_grpc_client_is_told_in_its_own_words() {
    let (upstream, jwks) = (Upstream::answering(|_| Answer::grpc(0)).await, demo_keys().await);
    let envoy = shipped(&upstream, &jwks).upstream_http2().start().await;
    let call = async |path: &str, token: Option<String>| {
        let call = Request::grpc(path, "hi");
        let call = match token {
            Some(token) => call.header("authorization", format!("Bearer {token}")),
            None => call,
        };
        let response = call.send_http2(envoy.port()).await;
        (response.status, response.grpc_status())
    };
    assert_eq!(call("/service/Method", None).await, (200, Some(16)));
    assert_eq!(call("/service/Method", Some("a.b.c".to_owned())).await, (200, Some(16)));
    assert_eq!(call("/admin", Some(token())).await, (200, Some(7)));
    assert_eq!(upstream.count(), 0);
    assert_eq!(call("/service/Method", Some(token())).await, (200, Some(0)));
    assert_eq!(upstream.only().body, b"\0\0\0\0\x02hi");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn shadow_refuses_nobody_and_counts_whom_it_would_have() {
    let (upstream, jwks) = (Upstream::start().await, demo_keys().await);
    let gate = jwks.hold();
    let envoy = shipped(&upstream, &jwks).edit(|tree| settings(tree)["mode"] = json!("shadow")).start().await;
    // Who only looks on holds nobody up.
    assert_eq!(status(&envoy, "/api", &token()).await, 200);
    let counted = async |name: &str| envoy.stat(&format!("wasmcustom.sluice.jwt-auth.{name}")).await;
    assert_eq!(counted("refusals_total.no_keys").await, 1);
    gate.open();
    let deadline = Deadline::new("the keys");
    while counted("decisions_total.api.admitted").await == 0 {
        assert_eq!(status(&envoy, "/api", &token()).await, 200);
        deadline.look_again(|| envoy.log()).await;
    }
    let before = counted("decisions_total.api.would_deny").await;
    assert_eq!(Request::get("/api").send(envoy.port()).await.status, 200);
    assert_eq!(status(&envoy, "/api", "a.b.c").await, 200);
    assert_eq!(status(&envoy, "/admin", &token()).await, 200);
    assert_eq!(counted("decisions_total.api.would_deny").await, before + 2);
    assert_eq!(counted("decisions_total.admin.would_deny").await, 1);
}
