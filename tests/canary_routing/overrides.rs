//! Testers who ask for a version, and users whose version is written down.

use super::*;
use tokens::demo;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn testers_get_what_they_ask_for_by_header_or_cookie_and_nobody_behind_hears_of_it() {
    let versions = Versions::echoing().await;
    let config = split(json!({"force": {"header": "x-canary", "cookie": "canary"}}));
    let envoy = versions.envoy(config).start().await;
    let (canary, baseline) = one_of_each();
    for http in [1, 2] {
        for (asked, wanted) in [("v2", "v2"), ("v1", "v1"), ("always", "v2"), ("never", "v1")] {
            for user in [&canary, &baseline] {
                let header = by(user).header("x-canary", asked);
                assert_eq!(version(envoy.port(), http, &header).await, wanted, "{user}: {asked}");
                let cookie = by(user).header("cookie", format!("a=b; canary={asked}"));
                assert_eq!(version(envoy.port(), http, &cookie).await, wanted, "{user}: {asked}");
            }
        }
        // What isn't there, or is said twice, is asked for in vain.
        for asked in ["v3", "", "V2", "v2,v1"] {
            let request = by(&baseline).header("x-canary", asked);
            assert_eq!(version(envoy.port(), http, &request).await, "v1", "{asked}");
        }
        let twice = by(&baseline).header("x-canary", "v2").header("x-canary", "v2");
        assert_eq!(version(envoy.port(), http, &twice).await, "v1");
        // The header comes first.
        let both = by(&baseline).header("x-canary", "never").header("cookie", "canary=always");
        assert_eq!(version(envoy.port(), http, &both).await, "v1");
    }
    assert_eq!(envoy.stat(&format!("{METRICS}.force_refusals_total.x")).await, 10);
    let forced = decisions(&envoy, "v1", "forced").await + decisions(&envoy, "v2", "forced").await;
    assert_eq!(forced, 2 * (4 * 2 * 2 + 1));
    assert!(versions.seen().iter().all(|seen| seen.header("x-canary").is_none()));
    envoy.assert_no_trap().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn only_who_knows_the_token_is_a_tester() {
    let versions = Versions::echoing().await;
    let force = json!({"header": "x-canary", "cookie": "canary", "token": {"env": "CANARY_TOKEN"}, "token_header": "x-t"});
    let envoy = versions.envoy(split(json!({"force": force}))).start().await;
    let (_, baseline) = one_of_each();
    for http in [1, 2] {
        let asks = [by(&baseline).header("x-canary", "v2"), by(&baseline).header("cookie", "canary=always")];
        for ask in asks {
            assert_eq!(version(envoy.port(), http, &ask.clone().header("x-t", TOKEN)).await, "v2");
            assert_eq!(version(envoy.port(), http, &ask).await, "v1");
            for wrong in ["", "only for tester", "only for testers!", "ONLY FOR TESTERS"] {
                assert_eq!(
                    version(envoy.port(), http, &ask.clone().header("x-t", wrong)).await,
                    "v1",
                    "{wrong}"
                );
            }
            let twice = ask.clone().header("x-t", TOKEN).header("x-t", TOKEN);
            assert_eq!(version(envoy.port(), http, &twice).await, "v1");
        }
    }
    assert_eq!(envoy.stat(&format!("{METRICS}.force_refusals_total.x")).await, 2 * 2 * 6);
    for seen in versions.seen() {
        assert_eq!((seen.header("x-canary"), seen.header("x-t")), (None, None));
    }
    assert!(!envoy.log().contains(TOKEN));
    envoy.assert_no_trap().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_a_word_about_testers_nobody_is_one() {
    let versions = Versions::echoing().await;
    let envoy = versions.envoy(split(json!({}))).start().await;
    let (_, baseline) = one_of_each();
    let request =
        by(&baseline).header("x-canary", "v2").header("cookie", "canary=v2").header("x-canary-token", "");
    assert_eq!(version(envoy.port(), 1, &request).await, "v1");
    // It is nobody's header, so it goes on as it came.
    assert_eq!(versions.seen()[0].header("x-canary"), Some("v2"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn users_whose_version_is_written_down_get_it_by_key_or_header_and_the_first_line_counts() {
    let versions = Versions::echoing().await;
    let (canary, baseline) = one_of_each();
    let config = split(json!({
        "key": [{"header": "x-user-id"}, {"cookie": "sid"}],
        "assign": [
            {"variant": "v1", "keys": ["bank", canary.as_str()]},
            {"variant": "v2", "keys": ["alice", baseline.as_str()]},
            {"variant": "v2", "headers": [{"name": "x-staff", "exact": "1"}]},
        ],
    }));
    let envoy = versions.envoy(config).start().await;
    for http in [1, 2] {
        let staff = |request: Request| request.header("x-staff", "1");
        for (request, wanted) in [
            (by("alice"), "v2"),
            (by(&baseline), "v2"),
            (by(&canary), "v1"),
            (by("bank"), "v1"),
            (staff(by("bank")), "v1"),
            (staff(by("user-0")), "v2"),
            (staff(Request::get("/")), "v2"),
            (Request::get("/").header("cookie", "sid=alice"), "v2"),
            (Request::get("/").header("x-staff", "0").header("cookie", "sid=bank"), "v1"),
            (Request::get("/"), "v1"),
        ] {
            assert_eq!(version(envoy.port(), http, &request).await, wanted, "{request:?}");
        }
    }
    let assigned = decisions(&envoy, "v1", "assigned").await + decisions(&envoy, "v2", "assigned").await;
    assert_eq!(assigned, 2 * 9);
    envoy.assert_no_trap().await;
}

/// A token of the demo's issuer with these claims.
fn token(user: &str, tenant: &str) -> String {
    let payload = json!({"iss": "https://issuer.example.com", "aud": "api", "sub": user, "tenant": tenant, "exp": 4_000_000_000_u64});
    demo::signer().token(&payload.to_string())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn behind_jwt_auth_a_verified_claim_is_the_key_and_chooses_and_nothing_that_clients_write_does() {
    let versions = Versions::echoing().await;
    let split = one_split(
        "x",
        json!({
            "key": {"claim": "sub"},
            "assign": [{"variant": "v2", "claims": [{"name": "tenant", "exact": "beta"}]}, {"variant": "v2", "keys": ["alice"]}],
        }),
    );
    let keys: Value = serde_json::from_str(&demo::key_set()).expect("a key set");
    let chain = json!({"chain": [
        {"jwt-auth": {
            "providers": [{
                "name": "corp",
                "issuer": "https://issuer.example.com",
                "audiences": ["api"],
                "algorithms": ["ES256"],
                "keys": {"inline": keys},
            }],
            "rules": [{"name": "all", "require": "token"}],
            "publish": ["sub", "tenant"],
        }},
        {"canary-routing": {"splits": [split]}},
    ]});
    let envoy = versions.envoy(chain).edit(|tree| module(tree, "sluice.wasm")).start().await;
    let (canary, baseline) = one_of_each();
    for http in [1, 2] {
        for (user, tenant, wanted) in [
            (canary.as_str(), "alpha", "v2"),
            (baseline.as_str(), "alpha", "v1"),
            (baseline.as_str(), "beta", "v2"),
            ("alice", "alpha", "v2"),
        ] {
            let bearer = format!("Bearer {}", token(user, tenant));
            let request =
                by(&canary).header("authorization", bearer).header("tenant", "beta").header("sub", "alice");
            assert_eq!(version(envoy.port(), http, &request).await, wanted, "{user} of {tenant}");
        }
        // Who is refused has no version.
        assert_eq!(send(envoy.port(), http, &by("alice")).await.status, 401);
    }
    assert_eq!(versions.count(), 8);
    envoy.assert_no_trap().await;
}
