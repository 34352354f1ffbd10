//! Who gets which version, and that he keeps it.

use super::*;

/// What is five standard deviations away from the mean of so many draws is not chance: once in two million tests.
fn assert_binomial(hits: usize, draws: usize, share: f64) {
    let (hits, draws) = (hits as f64, draws as f64);
    let deviation = (draws * share * (1.0 - share)).sqrt();
    assert!((hits - draws * share).abs() <= 5.0 * deviation, "{hits} of {draws} are not {share}");
}

/// The versions that each user has got so far.
fn versions_of_users(versions: &Versions) -> BTreeMap<String, BTreeSet<&'static str>> {
    let mut got = BTreeMap::<String, BTreeSet<&str>>::new();
    for (version, upstream) in [("v1", &versions.v1), ("v2", &versions.v2)] {
        for seen in upstream.seen() {
            assert_eq!(seen.values(VARIANT), [version.as_bytes()]);
            got.entry(seen.header("x-user-id").unwrap().to_owned()).or_default().insert(version);
        }
    }
    got
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_share_is_what_it_says_and_everybody_can_compute_whose_it_is() {
    let versions = Versions::start().await;
    let config = split(json!({"variants": weight("5%"), "salt": "2026-q4"}));
    let envoy = versions.envoy(config).concurrency(4).start().await;
    let statuses =
        load(envoy.port(), 8, 1_250, |connection, n| by(&format!("user-{}", connection * 1_250 + n)).wire())
            .await;
    assert_eq!(statuses, BTreeMap::from([(200, 10_000)]));
    assert_binomial(versions.v2.count(), 10_000, 0.05);
    for (user, got) in versions_of_users(&versions) {
        let wanted = if bucket("2026-q4", &user) < 500 { "v2" } else { "v1" };
        assert_eq!(got, BTreeSet::from([wanted]), "{user}");
    }
    assert_eq!(decisions(&envoy, "v2", "split").await, versions.v2.count() as u64);
    envoy.assert_no_trap().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_published_vectors_hold() {
    let text = fs::read_to_string(workspace().join("filters/canary-routing/vectors/buckets.json")).unwrap();
    let vectors: Vec<Value> = serde_json::from_str(&text).unwrap();
    // As many variants as there can be, so that each tells something of the bucket.
    let mut variants = vec![json!({"name": "rest"})];
    variants.extend((0..15).map(|n| json!({"name": format!("b{n}"), "from": n * 666, "weight": 666})));
    let mut told = 0;
    for salt in ["checkout", "2026-q4"] {
        let versions = Versions::echoing().await;
        let envoy = versions.envoy(split(json!({"salt": salt, "variants": variants}))).start().await;
        for vector in vectors.iter().filter(|vector| vector["salt"] == salt) {
            let hex = vector["key"].as_str().unwrap();
            let digits = (0..hex.len()).step_by(2).map(|at| &hex[at..at + 2]);
            let key: Vec<u8> = digits.map(|digits| u8::from_str_radix(digits, 16).unwrap()).collect();
            // A header can't say everything, nor nothing.
            if key.is_empty() || 4_000 < key.len() || key.iter().any(|byte| *byte <= 0x20 || *byte == 0x7f) {
                continue;
            }
            let wanted = match vector["bucket"].as_u64().unwrap() {
                bucket if bucket < 9_990 => format!("b{}", bucket / 666),
                _ => "rest".to_owned(),
            };
            let request = Request::get("/").header("x-user-id", &key);
            assert_eq!(version(envoy.port(), 1, &request).await, wanted, "{vector}");
            told += 1;
        }
        envoy.assert_no_trap().await;
    }
    assert!(20 < told, "only {told} vectors can be sent");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_user_keeps_his_version_over_ten_thousand_requests_four_workers_and_an_update() {
    let versions = Versions::start().await;
    let mut envoy = versions.envoy(split(json!({}))).concurrency(4).start().await;
    let half = |connection: usize, n: usize| by(&format!("user-{}", (connection * 313 + n) % 400)).wire();
    assert_eq!(load(envoy.port(), 16, 313, half).await, BTreeMap::from([(200, 5_008)]));
    let before = versions_of_users(&versions);
    envoy.update(split(json!({"guard": {}, "assign": [{"variant": "v2", "keys": ["nobody"]}]}))).await;
    assert_eq!(load(envoy.port(), 16, 313, half).await, BTreeMap::from([(200, 5_008)]));
    let got = versions_of_users(&versions);
    assert_eq!((before.len(), &before), (400, &got));
    for (user, got) in got {
        assert_eq!(got, BTreeSet::from([if bucket("x", &user) < 2_000 { "v2" } else { "v1" }]), "{user}");
    }
    envoy.assert_no_trap().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn more_weight_only_takes_users_from_the_baseline_and_less_only_gives_them_back() {
    let versions = Versions::echoing().await;
    let config = |[second, third]: [u32; 2]| {
        let canary = |name: &str, percent: u32| json!({"name": name, "weight": format!("{percent}%")});
        split(json!({"variants": [{"name": "v1"}, canary("v2", second), canary("v3", third)]}))
    };
    let weights = [[0, 0], [5, 0], [20, 10], [20, 35], [60, 35], [60, 40], [30, 40], [0, 0]];
    let mut envoy = versions.envoy(config(weights[0])).start().await;
    let mut before = vec!["v1".to_owned(); 300];
    for (round, weights) in weights.into_iter().enumerate() {
        if round != 0 {
            envoy.update(config(weights)).await;
        }
        let connection = Http2::connect(envoy.port()).await;
        let mut now = Vec::new();
        for n in 0..300 {
            now.push(connection.send(&by(&format!("user-{n}"))).await.text());
        }
        let mut shares = BTreeMap::<&str, u32>::new();
        for (n, (was, is)) in before.iter().zip(&now).enumerate() {
            assert!(was == is || was == "v1" || is == "v1", "user-{n} goes from {was} to {is}");
            assert!(was == is || was == "v1" || 6 <= round, "user-{n} loses {was} though nothing shrinks");
            *shares.entry(is).or_default() += 1;
        }
        for (variant, percent) in [("v2", weights[0]), ("v3", weights[1])] {
            let users = shares.get(variant).copied().unwrap_or(0) as usize;
            assert_binomial(users, 300, f64::from(percent) / 100.0);
        }
        before = now;
    }
    envoy.assert_no_trap().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_request_without_a_key_goes_to_the_baseline_or_by_chance() {
    for (missing, share) in [("baseline", 0.0), ("random", 0.2)] {
        let versions = Versions::start().await;
        let envoy = versions.envoy(split(json!({"on_missing_key": missing}))).concurrency(4).start().await;
        let statuses = load(envoy.port(), 8, 300, |_, _| Request::get("/").wire()).await;
        assert_eq!(statuses, BTreeMap::from([(200, 2_400)]));
        assert_binomial(versions.v2.count(), 2_400, share);
        let counted =
            decisions(&envoy, "v1", "missing_key").await + decisions(&envoy, "v2", "missing_key").await;
        assert_eq!(counted, 2_400);
        // Two users at once are nobody's bucket.
        let both = by("a").header("x-user-id", "b");
        assert_eq!(version(envoy.port(), 1, &both).await, "v1");
        assert_eq!(decisions(&envoy, "v1", "unclear").await, 1);
        envoy.assert_no_trap().await;
    }
}

const SECRET: &str = "0123456789abcdef0123456789abcdef";

/// A split that hands out cookies.
fn with_cookie(fields: Value) -> Value {
    let mut cookie = json!({"secret": {"inline": SECRET}});
    for (field, value) in fields.as_object().unwrap() {
        cookie[field] = value.clone();
    }
    split(json!({"variants": weight("50%"), "on_missing_key": {"cookie": cookie}}))
}

/// The cookie that an answer hands out, without its attributes.
fn handed_out(answer: &Response) -> Option<String> {
    let ours = |value: &[u8]| value.starts_with(b"sluice-x=");
    let found: Vec<_> =
        answer.headers.iter().filter(|(name, value)| name == "set-cookie" && ours(value)).collect();
    assert!(found.len() <= 1, "{answer:?}");
    let value = String::from_utf8(found.first()?.1.clone()).unwrap();
    Some(value.split(';').next().unwrap().to_owned())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_user_without_a_key_gets_a_cookie_and_with_it_the_same_version_ever_after() {
    let own = |version: &str| well(version).header("set-cookie", "a=b; Path=/");
    let versions = Versions::answering(move |_| own("v1"), move |_| own("v2")).await;
    let mut envoy = versions.envoy(with_cookie(json!({}))).concurrency(4).start().await;
    let mut users = BTreeMap::new();
    for n in 0..200 {
        let answer = send(envoy.port(), [1, 2][n % 2], &Request::get("/")).await;
        let cookie = handed_out(&answer).expect("a cookie");
        let all: Vec<_> = answer.headers.iter().filter(|(name, _)| name == "set-cookie").collect();
        assert_eq!(all.len(), 2, "the upstream's own is still there: {answer:?}");
        if n == 0 {
            let ours = all.iter().find(|(_, value)| value.starts_with(b"sluice-x=")).unwrap();
            let text = String::from_utf8(ours.1.clone()).unwrap();
            assert_eq!(
                text.strip_prefix(&cookie),
                Some("; Max-Age=2592000; Path=/; SameSite=Lax; Secure; HttpOnly")
            );
            // The version of the format, an id of 16 bytes, and a code of 32.
            let parts: Vec<usize> = cookie.split(['=', '.']).map(str::len).collect();
            assert_eq!(parts, [8, 1, 22, 43], "{cookie}");
        }
        users.insert(cookie, answer.text());
    }
    assert_eq!(users.len(), 200, "no two are alike");
    let canary = users.values().filter(|version| *version == "v2").count();
    assert_binomial(canary, 200, 0.5);
    for round in 0..2 {
        for (n, (cookie, wanted)) in users.iter().enumerate() {
            let request = Request::get("/").header("cookie", format!("theme=dark; {cookie}; lang=en"));
            let answer = send(envoy.port(), [2, 1][n % 2], &request).await;
            assert_eq!((&answer.text(), handed_out(&answer)), (wanted, None), "{cookie}");
        }
        if round == 0 {
            // Another time for the cookie, and more weight: who had v2 keeps it.
            let mut config = with_cookie(json!({"max_age": "1d"}));
            config["splits"][0]["guard"] = json!({});
            envoy.update(config).await;
        }
    }
    // A cookie is a key for the guard's and everybody's purposes: this is no missing one.
    let split = decisions(&envoy, "v1", "split").await + decisions(&envoy, "v2", "split").await;
    assert_eq!(split, 400);
    envoy.assert_no_trap().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_cookie_that_was_altered_or_made_up_is_none_and_gives_no_choice() {
    let versions = Versions::start().await;
    let envoy = versions.envoy(with_cookie(json!({"secure": false}))).start().await;
    let good = handed_out(&get(envoy.port(), "/").await).unwrap();
    let with = |cookie: String| Request::get("/").header("cookie", cookie);
    assert_eq!(handed_out(&with(good.clone()).send(envoy.port()).await), None);
    let connection = Http2::connect(envoy.port()).await;
    let mut tried = 0;
    for place in "sluice-x=".len()..good.len() {
        for letter in ["A", "b", ".", "="] {
            let mut altered = good.clone();
            altered.replace_range(place..=place, letter);
            if altered == good {
                continue;
            }
            let answer = connection.send(&with(altered.clone())).await;
            assert!(handed_out(&answer).is_some_and(|cookie| cookie != altered), "{altered}");
            tried += 1;
        }
    }
    assert!(200 < tried);
    let value = good.split_once('=').unwrap().1;
    for odd in [
        format!("sluice-x={value}; sluice-x={value}"),
        format!("sluice-x={value}A"),
        format!("sluice-x={}", &value[..value.len() - 1]),
        format!("sluice-x=\"{value}\""),
        "sluice-x=".to_owned(),
        "sluice-x".to_owned(),
        format!("sluice-y={value}"),
    ] {
        assert!(handed_out(&connection.send(&with(odd.clone())).await).is_some(), "{odd}");
    }
    envoy.assert_no_trap().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_the_proxy_answers_itself_hands_out_no_cookie() {
    let versions = Versions::start().await;
    let envoy = versions.envoy(with_cookie(json!({}))).edit(|tree| {
        let direct = json!({"match": {"path": "/direct"}, "direct_response": {"status": 200}});
        let redirect = json!({"match": {"path": "/redirect"}, "redirect": {"path_redirect": "/"}});
        routes(tree).splice(0..0, [direct, redirect]);
    });
    let envoy = envoy.start().await;
    for http in [1, 2] {
        for (path, status) in [("/direct", 200), ("/redirect", 301)] {
            let answer = send(envoy.port(), http, &Request::get(path)).await;
            assert_eq!((answer.status, handed_out(&answer)), (status, None), "{path}");
        }
        assert!(handed_out(&send(envoy.port(), http, &Request::get("/")).await).is_some());
    }
}
