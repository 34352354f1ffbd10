//! A guard at work: when it trips, who gets the baseline then, and how the traffic comes back.

use std::rc::Rc;
use std::time::Duration;

use kit::testing::{Bench, World};
#[cfg(target_arch = "wasm32")]
use wasm_bindgen_test::wasm_bindgen_test as test;

use super::{HIGH, LOW, MIDDLE, bench, counts, of, split, within};

/// Sends requests of one user after another, of whom those of v2 fail, or not; returns how many they were.
fn serve(bench: &Bench, requests: u32, fails: bool) -> u32 {
    let mut canaries = 0;
    for number in 0..requests {
        let mut sent = bench.request(&format!("GET /\nx-user: user-{number}"));
        let is_canary = super::variant(&sent).as_deref() == Some("v2");
        canaries += u32::from(is_canary);
        let status: u64 = if is_canary && fails { 503 } else { 200 };
        bench.world.set_property(&["response", "code"], &status.to_le_bytes());
        sent.respond(&status.to_string()).end();
        bench.world.pass(Duration::from_millis(5));
    }
    canaries
}

fn trips(bench: &Bench) -> u64 {
    bench.counter("canary-routing.guard_trips_total.x.v2.worse")
}

fn gauge(bench: &Bench) -> i64 {
    bench.gauge("canary-routing.guard_state.x.v2")
}

const GUARD: &str = r#""observe": true, "guard": {"min_requests": 20, "cooldown": "5m", "probe": "10%", "recover_over": "10m"}"#;

#[test]
fn a_canary_that_fails_loses_its_users_and_gets_them_back_by_and_by() {
    let bench = bench(&split(&format!(
        r#"{GUARD}, "force": {{"header": "x-canary"}}, "assign": [{{"variant": "v2", "keys": ["alice"]}}]"#
    )));
    assert!(0 < serve(&bench, 2_000, false));
    assert_eq!((trips(&bench), gauge(&bench)), (0, 0));
    let before = serve(&bench, 2_000, true);
    assert_eq!((trips(&bench), gauge(&bench)), (1, 1));
    assert!(before < 500, "{before} requests failed before it tripped");
    assert_eq!(serve(&bench, 500, true), 0);
    assert_eq!([of(&bench, LOW), of(&bench, "alice")], ["v1", "v1"]);
    let forced = bench.request("GET /\nx-canary: v2");
    assert_eq!(super::variant(&forced).as_deref(), Some("v2"), "a tester may look at what is broken");
    assert!(counts(&bench).contains("v1 guarded"));
    // It is tried again, with the first of its users.
    bench.world.pass(Duration::from_secs(300));
    assert_eq!([LOW, MIDDLE, HIGH].map(|user| of(&bench, user)), ["v2", "v1", "v1"]);
    assert_eq!(gauge(&bench), 2);
    bench.world.pass(Duration::from_secs(599));
    assert_eq!([LOW, MIDDLE, HIGH].map(|user| of(&bench, user)), ["v2", "v1", "v1"]);
    bench.world.pass(Duration::from_secs(1));
    assert_eq!([LOW, MIDDLE, HIGH].map(|user| of(&bench, user)), ["v2", "v2", "v1"]);
    assert_eq!(gauge(&bench), 0);
}

#[test]
fn a_change_is_one_line_with_the_numbers() {
    let bench = bench(&split(GUARD));
    serve(&bench, 500, false);
    let mut lines = Vec::new();
    for number in 0..2_000 {
        let mut sent = bench.request(&format!("GET /\nx-user: user-{number}"));
        let is_canary = super::variant(&sent).as_deref() == Some("v2");
        let status: u64 = if is_canary { 503 } else { 200 };
        bench.world.set_property(&["response", "code"], &status.to_le_bytes());
        sent.respond(&status.to_string()).end();
        bench.world.pass(Duration::from_millis(5));
        lines.extend(sent.text().lines().filter(|line| line.starts_with("log")).map(str::to_owned));
    }
    let [line] = lines.as_slice() else {
        panic!("{lines:?}");
    };
    assert!(line.starts_with("log Warn split \"x\": the guard took the traffic off \"v2\", which fails more than the baseline: "), "{line}");
    assert!(line.ends_with("; it is tried again in 5m"), "{line}");
}

#[test]
fn a_guard_that_only_looks_on_says_what_it_would_do() {
    let bench = bench(&split(&GUARD.replace(r#""min_requests""#, r#""mode": "shadow", "min_requests""#)));
    serve(&bench, 500, false);
    serve(&bench, 2_000, true);
    assert_eq!((trips(&bench), gauge(&bench)), (1, 1));
    assert_eq!(of(&bench, LOW), "v2");
    assert!(counts(&bench).contains("v2 would_guard"), "{}", counts(&bench));
    assert!(!counts(&bench).contains("v1 guarded"));
}

#[test]
fn all_workers_know_and_a_new_configuration_keeps_what_they_know() {
    let world = Rc::new(World::new());
    let (one, other) = (within(&world, &split(GUARD)), within(&world, &split(GUARD)));
    serve(&one, 500, false);
    serve(&one, 2_000, true);
    assert_eq!((trips(&one), trips(&other)), (1, 0), "it is told once");
    assert_eq!(of(&other, LOW), "v1");
    let weight = r#", "variants": [{"name": "v1"}, {"name": "v2", "weight": "60%"}]"#;
    let heavier = within(&world, &split(&format!("{GUARD}{weight}")));
    assert_eq!(of(&heavier, LOW), "v1");
    let reset = GUARD.replace(r#""min_requests""#, r#""reset": "1", "min_requests""#);
    assert_eq!(of(&within(&world, &split(&reset)), LOW), "v2");
}

#[test]
fn testers_cannot_trip_a_guard() {
    let bench = bench(&split(&format!(r#"{GUARD}, "force": {{"header": "x-canary"}}"#)));
    serve(&bench, 500, false);
    bench.world.set_property(&["response", "code"], &503_u64.to_le_bytes());
    for _ in 0..2_000 {
        bench.request("GET /\nx-canary: always").respond("503").end();
        bench.world.pass(Duration::from_millis(5));
    }
    assert_eq!((trips(&bench), gauge(&bench)), (0, 0));
}

#[test]
fn only_those_whom_a_bucket_has_sent_are_compared() {
    let bench = bench(&split(&format!(
        r#"{GUARD}, "assign": [{{"variant": "v2", "keys": ["alice"]}}, {{"variant": "v1", "keys": ["bank"]}}]"#
    )));
    serve(&bench, 500, false);
    bench.world.set_property(&["response", "code"], &503_u64.to_le_bytes());
    for _ in 0..2_000 {
        bench.request("GET /\nx-user: alice").respond("503").end();
        bench.request("GET /").respond("503").end();
        bench.world.pass(Duration::from_millis(5));
    }
    assert_eq!((trips(&bench), gauge(&bench)), (0, 0));
    assert_eq!(bench.counter("canary-routing.responses_total.x.v2.failure"), 2_000);
    // Nor do they hide what a canary does: those on a list of the baseline that fail.
    for number in 0..2_000 {
        let fails =
            super::variant(&bench.request(&format!("GET /\nx-user: user-{number}"))).as_deref() == Some("v2");
        bench.world.set_property(&["response", "code"], &503_u64.to_le_bytes());
        bench.request("GET /\nx-user: bank").respond("503").end();
        let status: u64 = if fails { 503 } else { 200 };
        bench.world.set_property(&["response", "code"], &status.to_le_bytes());
        bench.request(&format!("GET /\nx-user: user-{number}")).respond("200").end();
        bench.world.pass(Duration::from_millis(5));
    }
    assert_eq!(trips(&bench), 1);
}

#[test]
fn clients_that_leave_cannot_trip_a_guard() {
    let bench = bench(&split(GUARD));
    serve(&bench, 500, false);
    for _ in 0..2_000 {
        bench
            .request(&format!("GET /\nx-user: {LOW}"))
            .respond_from("downstream_remote_disconnect", "0")
            .end();
        bench.world.pass(Duration::from_millis(5));
    }
    assert_eq!((trips(&bench), gauge(&bench)), (0, 0));
}
