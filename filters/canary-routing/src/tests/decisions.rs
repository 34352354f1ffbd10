//! Who gets which variant.

use std::collections::BTreeMap;
use std::time::Duration;

use expect_test::expect;
use kit::testing::Bench;
#[cfg(target_arch = "wasm32")]
use wasm_bindgen_test::wasm_bindgen_test as test;

use super::{HIGH, LOW, MIDDLE, bench, counts, of, split, splits, variant};

/// The variants of a thousand users.
fn users(bench: &Bench) -> Vec<String> {
    (0..1_000).map(|user| of(bench, &format!("user-{user}"))).collect()
}

#[test]
fn a_request_costs_one_look_at_its_headers_and_what_is_written() {
    let bench = bench(&split(""));
    let before = bench.world.lookups();
    let mut sent = bench.request(&format!("GET /\nx-user: {LOW}"));
    expect![[r#"
        count canary-routing.decisions_total.x.v2.split
        set Request x-sluice-variant: v2
        continue
    "#]]
    .assert_eq(&sent.text());
    assert_eq!(bench.world.lookups(), before + 1);
    assert_eq!(bench.world.memory().reads(), 0);
}

#[test]
fn a_request_that_no_split_is_for_goes_on_as_it_is() {
    let bench = bench(&split(r#""match": {"path": {"prefix": "/checkout"}}"#));
    assert_eq!(bench.request("GET /elsewhere").text(), "continue\n");
    assert_eq!(counts(&bench), "");
}

#[test]
fn the_same_users_get_the_same_variant_every_time() {
    let one = bench(&split(""));
    let first = users(&one);
    assert_eq!(users(&one), first);
    assert_eq!(users(&bench(&split(""))), first, "in another process too");
    let canaries = first.iter().filter(|variant| *variant == "v2").count();
    assert!((430..=570).contains(&canaries), "{canaries} of 1,000");
}

#[test]
fn more_weight_only_moves_users_from_the_baseline() {
    let config = |one: u16, other: u16| {
        split(&format!(
            r#""variants": [{{"name": "v1"}}, {{"name": "v2", "weight": {one}}}, {{"name": "v3", "weight": {other}}}]"#
        ))
    };
    let mut before = users(&bench(&config(0, 0)));
    assert!(before.iter().all(|variant| variant == "v1"));
    for (one, other) in [(10, 0), (500, 10), (500, 2_500), (5_000, 2_500), (5_000, 5_000)] {
        let after = users(&bench(&config(one, other)));
        for (before, after) in before.iter().zip(&after) {
            assert!(before == "v1" || before == after, "{before} became {after} at {one} and {other}");
        }
        before = after;
    }
    assert!(before.iter().all(|variant| variant != "v1"));
}

#[test]
fn splits_with_other_names_or_salts_have_other_users_and_one_salt_has_the_same() {
    let config = |fields: &str| {
        let all = split(fields);
        users(&bench(&all))
    };
    let own = config("");
    assert_eq!(config(r#""salt": "x""#), own);
    let other = config(r#""salt": "y""#);
    let mut cells: BTreeMap<(String, String), u32> = BTreeMap::new();
    for pair in own.into_iter().zip(other) {
        *cells.entry(pair).or_default() += 1;
    }
    assert!(cells.len() == 4 && cells.values().all(|count| (190..=310).contains(count)), "{cells:?}");
}

#[test]
fn a_range_is_where_it_says() {
    let bench = bench(&split(
        r#""variants": [{"name": "v1"}, {"name": "v2", "from": 4999, "weight": 1}, {"name": "v3", "from": 9000, "weight": "10%"},
            {"name": "v4", "from": 1, "weight": 1}]"#,
    ));
    assert_eq!([LOW, MIDDLE, HIGH].map(|user| of(&bench, user)), ["v4", "v2", "v3"]);
    assert_eq!(of(&bench, "alice"), "v1");
}

#[test]
fn a_second_variant_has_the_last_buckets() {
    let bench = bench(&split(
        r#""variants": [{"name": "v1"}, {"name": "v2", "weight": 2}, {"name": "v3", "weight": 4}]"#,
    ));
    assert_eq!([LOW, MIDDLE, HIGH].map(|user| of(&bench, user)), ["v2", "v1", "v3"]);
}

#[test]
fn a_ramp_takes_users_in_as_time_goes_by_and_keeps_them() {
    let bench = bench(&split(
        r#""variants": [{"name": "v1"}, {"name": "v2", "ramp": {"points": [
            {"at": "2026-01-01T01:00:00Z", "weight": 1}, {"at": "2026-01-02T01:00:00Z", "weight": "100%"}]}}]"#,
    ));
    let everybody = |bench: &Bench| [LOW, MIDDLE, HIGH].map(|user| of(bench, user));
    let hour = Duration::from_secs(3_600);
    assert_eq!(everybody(&bench), ["v1", "v1", "v1"]);
    bench.world.pass(hour);
    assert_eq!(everybody(&bench), ["v1", "v1", "v1"], "one part is bucket 0");
    bench.world.pass(hour);
    assert_eq!(everybody(&bench), ["v2", "v1", "v1"]);
    bench.world.pass(hour * 11);
    assert_eq!(everybody(&bench), ["v2", "v2", "v1"]);
    bench.world.pass(hour * 12);
    assert_eq!(everybody(&bench), ["v2", "v2", "v2"]);
}

#[test]
fn the_first_source_that_is_there_is_the_key_and_its_bytes_alone_count() {
    let bench = bench(&split(r#""key": [{"header": "x-user"}, {"cookie": "sid"}, "client_ip"]"#));
    let by = |text: &str| variant(&bench.request(&format!("GET /\n{text}"))).unwrap();
    for user in [LOW, MIDDLE, HIGH] {
        let expected = by(&format!("x-user: {user}"));
        assert_eq!(by(&format!("cookie: sid={user}")), expected);
        assert_eq!(by(&format!("x-user: {user}\ncookie: sid=another")), expected);
        assert_eq!(by(&format!("x-user:\ncookie: sid={user}")), expected, "an empty value isn't there");
    }
    // The bucket of 203.0.113.7, as Python computes it.
    let only = super::bench(&split(
        r#""key": [{"header": "x-user"}, "client_ip"], "variants": [{"name": "v1"}, {"name": "v2", "from": 7692, "weight": 1}]"#,
    ));
    assert_eq!(variant(&only.request("GET /")).as_deref(), Some("v2"));
}

#[test]
fn who_has_two_identities_gets_the_baseline() {
    let bench = bench(&split(r#""key": [{"header": "x-user"}, "client_ip"]"#));
    let mut sent = bench.request(&format!("GET /\nx-user: {LOW}\nx-user: {HIGH}"));
    assert_eq!(variant(&sent).as_deref(), Some("v1"));
    assert!(sent.text().contains("tag sluice.canary-routing.outcome=unclear\n"));
    assert_eq!(counts(&bench), "v1 unclear 1");
}

#[test]
fn a_request_that_can_be_read_in_several_ways_gets_the_baseline() {
    let bench = bench(&split(
        r#""match": {"path": {"prefix": "/a"}}, "variants": [{"name": "v1"}, {"name": "v2", "weight": "100%"}]"#,
    ));
    let mut sent = bench.request("GET /a%2Fb\nx-user: u");
    expect![[r#"
        tag sluice.canary-routing.split=x
        tag sluice.canary-routing.variant=v1
        tag sluice.canary-routing.outcome=unclear
        count canary-routing.decisions_total.x.v1.unclear
        set Request x-sluice-variant: v1
        continue
    "#]]
    .assert_eq(&sent.text());
    assert_eq!(variant(&bench.request("GET /a/b\nx-user: u")).as_deref(), Some("v2"));
}

#[test]
fn without_a_key_there_is_the_baseline_or_chance() {
    let all = r#""variants": [{"name": "v1"}, {"name": "v2", "weight": "5%"}]"#;
    let one = bench(&split(all));
    assert_eq!(variant(&one.request("GET /")).as_deref(), Some("v1"));
    assert_eq!(counts(&one), "v1 missing_key 1");
    let random = bench(&split(&format!(r#""on_missing_key": "random", {all}"#)));
    let mut hits = 0;
    let draws = kit::draw::Draws::new(5);
    for _ in 0..10_000 {
        random.world.fix_draw(draws.next());
        hits += u32::from(variant(&random.request("GET /")).as_deref() == Some("v2"));
    }
    assert!((400..=600).contains(&hits), "{hits} of 10,000");
    assert_eq!(counts(&random), format!("v1 missing_key {}, v2 missing_key {hits}", 10_000 - hits));
    // By chance alone, without any key.
    let chance = bench(
        r#"{"splits": [{"name": "x", "on_missing_key": "random", "variants": [{"name": "v1"}, {"name": "v2", "weight": "50%"}]}]}"#,
    );
    chance.world.fix_draw(0);
    assert_eq!(variant(&chance.request("GET /")).as_deref(), Some("v2"));
    chance.world.fix_draw(u64::MAX);
    assert_eq!(variant(&chance.request("GET /")).as_deref(), Some("v1"));
}

#[test]
fn the_first_split_that_matches_decides_alone() {
    let bench = bench(
        r#"{"splits": [
            {"name": "x", "match": {"path": {"prefix": "/a"}}, "key": {"header": "x-user"}, "variants": [{"name": "v1"}, {"name": "v2"}]},
            {"name": "y", "key": {"header": "x-user"}, "variants": [{"name": "w1"}, {"name": "w2", "weight": "100%"}]}
        ]}"#,
    );
    assert_eq!(variant(&bench.request("GET /a\nx-user: u")).as_deref(), Some("v1"));
    assert_eq!(variant(&bench.request("GET /b\nx-user: u")).as_deref(), Some("w2"));
    assert_eq!(counts(&bench), "v1 split 1");
    assert_eq!(bench.counter("canary-routing.decisions_total.y.w2.split"), 1);
}

#[test]
fn shadow_mode_decides_and_counts_and_changes_nothing() {
    let bench = bench(&format!(
        r#"{{"mode": "shadow", "tags": "all", "output": {{"response_header": "x-variant"}}, {}}}"#,
        splits(
            r#""mirror": {"percent": "100%"}, "force": {"header": "x-canary"}, "on_missing_key": {"cookie": {"secret": {"env": "SECRET"}}}"#
        )
    ));
    let mut sent = bench
        .request(&format!("GET /\nx-user: {LOW}\nx-sluice-variant: mine\nx-sluice-mirror: 1\nx-canary: v1"));
    expect![[r#"
        tag sluice.canary-routing.split=x
        tag sluice.canary-routing.variant=v1
        tag sluice.canary-routing.outcome=would_force
        count canary-routing.decisions_total.x.v1.would_force
        continue
    "#]]
    .assert_eq(&sent.text());
    sent.respond("200");
    assert_eq!(sent.text(), "continue\n");
    let mut sent = bench.request("GET /");
    sent.respond("200").end();
    assert_eq!(sent.response_header("set-cookie"), None);
    assert_eq!(of(&bench, LOW), "");
    assert_eq!(counts(&bench), "v1 would_force 1, v2 would_split 1, v2 missing_key 1");
}

#[test]
fn one_split_may_only_look_on_beside_one_that_decides() {
    let bench = bench(
        r#"{"splits": [
            {"name": "x", "mode": "shadow", "match": {"path": {"prefix": "/a"}}, "key": {"header": "x-user"},
             "variants": [{"name": "v1"}, {"name": "v2", "weight": "100%"}]},
            {"name": "y", "key": {"header": "x-user"}, "variants": [{"name": "w1"}, {"name": "w2", "weight": "100%"}]}
        ]}"#,
    );
    // What a client can't write, it can't write here either.
    let sent = bench.request("GET /a\nx-user: u\nx-sluice-variant: mine");
    assert_eq!(variant(&sent), None);
    assert_eq!(counts(&bench), "v2 would_split 1");
    assert_eq!(variant(&bench.request("GET /b\nx-user: u")).as_deref(), Some("w2"));
}

#[test]
fn tags_tell_access_logs_what_is_out_of_the_ordinary_or_all() {
    let all = bench(&format!(r#"{{"tags": "all", {}}}"#, splits("")));
    expect![[r#"
        tag sluice.canary-routing.split=x
        tag sluice.canary-routing.variant=v1
        tag sluice.canary-routing.outcome=split
        count canary-routing.decisions_total.x.v1.split
        set Request x-sluice-variant: v1
        continue
    "#]]
    .assert_eq(&all.request(&format!("GET /\nx-user: {HIGH}")).text());
}
