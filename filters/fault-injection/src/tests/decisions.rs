//! Who gets a fault.

use std::rc::Rc;
use std::time::Duration;

use expect_test::expect;
use kit::chain::Verdict;
use kit::draw::Draws;
use kit::module::Form;
use kit::testing::{Bench, START, World};
use kit::units::instant;
#[cfg(target_arch = "wasm32")]
use wasm_bindgen_test::wasm_bindgen_test as test;

use super::{active, bench, counts, experiment, within};
use crate::KIND;

const ABORT: &str = r#""request": {"abort": {"status": 503}}"#;

/// Sends so many requests, each answered 200 and over; returns how many were answered in place.
fn send(bench: &Bench, text: &str, times: usize) -> usize {
    let mut refused = 0;
    for _ in 0..times {
        let mut sent = bench.request(text);
        if sent.refused().is_some() {
            refused += 1;
            sent.respond_from("sluice_fault_injection_abort", "503");
        } else {
            sent.respond("200");
        }
        sent.end();
    }
    refused
}

#[test]
fn a_request_that_no_experiment_is_for_costs_no_more_than_a_look_at_its_path() {
    let some = bench(&experiment(&format!(r#""match": {{"path": {{"prefix": "/checkout"}}}}, {ABORT}"#)));
    let before = some.world.lookups();
    assert_eq!(some.request("GET /elsewhere").text(), "continue\n");
    assert_eq!(some.world.lookups(), before + 1);
    let never = bench(&experiment(&format!(r#""percent": "0%", {ABORT}"#)));
    let before = never.world.lookups();
    assert_eq!(never.request("GET /").text(), "count fault-injection.decisions_total.x.passed\ncontinue\n");
    assert_eq!(never.world.lookups(), before, "nothing at all is looked up");
    assert_eq!(never.world.memory().reads(), 1, "the kill switch, at the start");
}

#[test]
fn the_first_experiment_that_matches_decides() {
    let config = r#"{"experiments": [
        {"name": "x", "match": {"path": {"prefix": "/a"}}, "percent": "0%", "request": {"reset": true}},
        {"name": "y", "percent": "100%", "request": {"abort": {"status": 503}}}
    ]}"#;
    let bench = bench(config);
    assert_eq!(bench.request("GET /a").verdict, Verdict::Continue);
    assert_eq!(bench.request("GET /b").refused(), Some(503));
    assert_eq!(counts(&bench), "passed 1");
}

#[test]
fn a_share_of_requests_is_sampled_by_chance() {
    let bench = bench(&experiment(&format!(r#""percent": "5%", {ABORT}"#)));
    let draws = Draws::new(7);
    let mut hit = 0;
    for _ in 0..20_000 {
        bench.world.fix_draw(draws.next());
        hit += send(&bench, "GET /", 1);
    }
    assert!((850..=1_150).contains(&hit), "{hit} of 20,000");
    assert_eq!(counts(&bench), format!("injected {hit}, passed {}", 20_000 - hit));
    assert_eq!(active(&bench), 0);
}

#[test]
fn by_key_the_same_users_always_and_the_others_never() {
    let config = |seed: &str, percent: u32| {
        experiment(&format!(
            r#""percent": "{percent}%", "sample": {{"key": {{"header": "x-user"}}, "seed": "{seed}"}}, {ABORT}"#
        ))
    };
    let hit =
        |bench: &Bench, user: usize| bench.request(&format!("GET /\nx-user: {user}")).refused().is_some();
    let users = |seed: &str, percent: u32| -> Vec<usize> {
        let bench = bench(&config(seed, percent));
        let first: Vec<usize> = (0..2_000).filter(|user| hit(&bench, *user)).collect();
        assert_eq!((0..2_000).filter(|user| hit(&bench, *user)).collect::<Vec<_>>(), first);
        first
    };
    let (five, ten, other) = (users("2026-q4", 5), users("2026-q4", 10), users("2027-q1", 5));
    assert!((70..=130).contains(&five.len()), "{}", five.len());
    assert!(five.iter().all(|user| ten.contains(user)), "a larger share has all of a smaller one");
    assert_ne!(five, other);
    // The same for ever: found by an implementation of its own, in Python.
    assert_eq!(five[..5], FIRST_FIVE);

    let bench = bench(&config("2026-q4", 100));
    assert_eq!(bench.request("GET /").refused(), None);
    assert_eq!(bench.request("GET /\nx-user: 1\nx-user: 2").refused(), None);
    assert_eq!(counts(&bench), "no_key 1, unclear 1");
}

/// The first users that five of a hundred are under the seed `2026-q4`.
const FIRST_FIVE: [usize; 5] = [24, 40, 49, 50, 78];

#[test]
fn a_request_that_can_be_read_in_several_ways_goes_on_untouched() {
    let bench = bench(&experiment(&format!(r#""match": {{"path": {{"prefix": "/a"}}}}, {ABORT}"#)));
    assert_eq!(bench.request("GET /a%2Fb").verdict, Verdict::Continue);
    assert_eq!(counts(&bench), "unclear 1");
    assert_eq!(bench.request("GET /a/b").refused(), Some(503));
}

#[test]
fn an_experiment_runs_when_its_schedule_says() {
    // The tests begin at midnight of a Thursday.
    let bench =
        bench(&experiment(&format!(r#""schedule": {{"hours": "00:10-00:20", "days": ["thu"]}}, {ABORT}"#)));
    assert_eq!(START, instant("2026-01-01T00:00:00Z").unwrap());
    assert_eq!(send(&bench, "GET /", 2), 0);
    bench.world.pass(Duration::from_secs(600));
    assert_eq!(send(&bench, "GET /", 2), 2);
    bench.world.pass(Duration::from_secs(600));
    assert_eq!(send(&bench, "GET /", 2), 0);
    assert_eq!(counts(&bench), "injected 2, inactive 4");
}

#[test]
fn a_budget_holds_over_all_workers_and_gives_back_what_ends() {
    let world = Rc::new(World::new());
    let config = experiment(&format!(r#""max_active": 3, "max_total": 5, {ABORT}"#));
    let (one, other) = (within(&world, &config), within(&world, &config));
    let mut held: Vec<_> = [&one, &other, &one].map(|bench| bench.request("GET /")).into_iter().collect();
    assert!(held.iter().all(|sent| sent.refused().is_some()));
    assert_eq!(other.request("GET /").refused(), None);
    assert_eq!((active(&one), active(&other)), (2, 1));
    for sent in &mut held {
        sent.end();
    }
    assert_eq!((active(&one), active(&other)), (0, 0));
    assert_eq!(send(&one, "GET /", 1) + send(&other, "GET /", 9), 2, "five in all");
    assert_eq!(counts(&other), "injected 2, limited 9");
    // The same experiment under another configuration begins anew.
    let more = within(&world, &experiment(&format!(r#""max_active": 3, "max_total": 6, {ABORT}"#)));
    assert_eq!(send(&more, "GET /", 9), 6);
}

#[test]
fn without_limits_nothing_is_written_to_shared_data() {
    let bench = bench(&experiment(ABORT));
    send(&bench, "GET /", 10);
    assert_eq!(bench.world.memory().keys(), 0);
}

#[test]
fn an_experiment_stops_itself_for_all_workers_until_it_is_another_one() {
    let world = Rc::new(World::new());
    let config = |percent: u32| {
        experiment(&format!(
            r#""percent": "{percent}%", "stop_when": {{"error_rate": "20%", "min_requests": 10}}, {ABORT}"#
        ))
    };
    let (one, other) = (within(&world, &config(50)), within(&world, &config(50)));
    let answer = |bench: &Bench, status: &str| {
        bench.world.fix_draw(u64::MAX);
        let mut sent = bench.request("GET /");
        sent.respond(status);
        sent
    };
    world.fix_draw(0);
    assert_eq!(send(&one, "GET /", 50), 50, "what is answered here says nothing of the upstream");
    for _ in 0..9 {
        answer(&one, "503").end();
    }
    world.fix_draw(0);
    assert_eq!(other.request("GET /").refused(), Some(503));
    let mut last = answer(&other, "500");
    expect![[r#"
        count fault-injection.decisions_total.x.passed
        count fault-injection.stops_total.x
        log Warn experiment "x" has stopped itself: 10 of 10 requests failed
        continue
    "#]]
    .assert_eq(&last.text());
    world.fix_draw(0);
    assert_eq!((send(&one, "GET /", 3), send(&other, "GET /", 3)), (0, 0));
    assert_eq!(within(&world, &config(50)).request("GET /").refused(), None, "a new worker knows");
    assert_eq!(within(&world, &config(51)).request("GET /").refused(), Some(503));
    assert_eq!(counts(&one), "injected 50, passed 9, stopped 3");
}

#[test]
fn what_the_upstream_says_to_a_request_with_a_fault_counts_as_it_was_said() {
    let bench = bench(&experiment(
        r#""stop_when": {"error_rate": "100%", "min_requests": 3}, "response": {"status": 503}"#,
    ));
    for _ in 0..5 {
        assert_eq!(bench.request("GET /").respond("200").response_header(":status").as_deref(), Some("503"));
    }
    assert_eq!(bench.counter("fault-injection.stops_total.x"), 0);
}

#[test]
fn what_a_filter_behind_answers_says_nothing_of_the_upstream() {
    let world = Rc::new(World::new());
    let config = r#"{"chain": [
        {"name": "watches", "fault-injection": {"experiments": [{"name": "x", "percent": "0%",
            "stop_when": {"error_rate": "1%", "min_requests": 1}, "request": {"reset": true}}]}},
        {"name": "refuses", "fault-injection": {"experiments": [{"name": "y", "percent": "100%", "match": {"path": {"prefix": "/a"}},
            "request": {"abort": {"status": 504}}}]}}
    ]}"#;
    let bench = Bench::within(&world, std::slice::from_ref(&KIND), Form::Chain, config).unwrap();
    let mut sent = bench.request("GET /a");
    assert_eq!(sent.refused(), Some(504));
    sent.respond_from("sluice_fault_injection_abort", "504").end();
    assert_eq!(bench.counter("watches.stops_total.x"), 0);
    // What the proxy finds is an error of the upstream.
    bench.request("GET /").respond_from("no_healthy_upstream", "503").end();
    assert_eq!(bench.counter("watches.stops_total.x"), 1);
}

/// What a service of gRPC says to a call, and whether one such answer stops an experiment that stops at any error.
#[test]
fn the_errors_of_calls_of_grpc_count_where_they_are_said_and_once() {
    let config = experiment(
        r#""percent": "0%", "stop_when": {"error_rate": "1%", "min_requests": 1}, "request": {"reset": true}"#,
    );
    let call = "POST /s/M\ncontent-type: application/grpc+proto";
    for (head, trailers, stops) in [
        ("200\ngrpc-status: 0", None, 0),
        ("200\ngrpc-status: 14", None, 1),
        ("200\ngrpc-status: 5", None, 0),
        ("200\ngrpc-status: 0\ngrpc-status: 0", None, 1),
        ("200", None, 1),
        ("503", None, 1),
        ("404", None, 0),
        ("200", Some("grpc-status: 0"), 0),
        ("200", Some("grpc-status: 13\ngrpc-message: no"), 1),
        ("200", Some("grpc-status: 9"), 0),
        ("200", Some("x-sum: 1"), 1),
        ("200", Some("grpc-status: well"), 1),
    ] {
        let bench = bench(&config);
        let mut sent = bench.request(call);
        sent.respond_headers("via_upstream", head, trailers.is_none());
        if let Some(trailers) = trailers {
            assert_eq!(bench.counter("fault-injection.stops_total.x"), 0, "the status comes at the end");
            sent.response_body(b"message", false).response_trailers_of(trailers);
        }
        sent.end();
        assert_eq!(bench.counter("fault-injection.stops_total.x"), stops, "{head} {trailers:?}");
    }
    let bench = bench(&config);
    let mut web = bench.request("POST /s/M\ncontent-type: application/grpc-web+proto");
    web.respond_headers("via_upstream", "200", false).response_trailers_of("grpc-status: 13").end();
    let mut plain = bench.request("GET /");
    plain.respond("200\ngrpc-status: 13").end();
    assert_eq!(bench.counter("fault-injection.stops_total.x"), 0, "these are no calls of gRPC");
}

#[test]
fn a_call_that_is_broken_off_is_an_error_unless_its_client_left() {
    let config = experiment(
        r#""percent": "0%", "stop_when": {"error_rate": "1%", "min_requests": 1}, "request": {"reset": true}"#,
    );
    for (details, stops) in [
        ("upstream_reset_after_response_started{remote_reset}", 1),
        ("response_timeout", 1),
        ("downstream_remote_disconnect", 0),
        ("downstream_remote_reset", 0),
    ] {
        let bench = bench(&config);
        let mut sent = bench.request("POST /s/M\ncontent-type: application/grpc");
        sent.respond_headers("via_upstream", "200", false).response_body(b"message", false);
        bench.world.set_property(&["response", "code_details"], details.as_bytes());
        sent.end();
        assert_eq!(bench.counter("fault-injection.stops_total.x"), stops, "{details}");
    }
    let bench = bench(&config);
    bench.request("POST /s/M\ncontent-type: application/grpc").end();
    assert_eq!(bench.counter("fault-injection.stops_total.x"), 0, "nobody answered");
}

#[test]
fn shadow_mode_counts_and_changes_nothing() {
    let bench = bench(&format!(
        r#"{{"mode": "shadow", "experiments": [{{"name": "x", "percent": "100%", "max_total": 2, {ABORT}}}]}}"#
    ));
    let mut sent = bench.request("GET /");
    expect![[r#"
        tag sluice.fault-injection.experiment=x
        tag sluice.fault-injection.outcome=would_inject
        tag sluice.fault-injection.fault=abort=503
        count fault-injection.decisions_total.x.would_inject
        continue
    "#]]
    .assert_eq(&sent.text());
    sent.respond("200");
    assert_eq!(sent.text(), "continue\n");
    assert_eq!(send(&bench, "GET /", 3), 0);
    assert_eq!(counts(&bench), "would_inject 2, limited 2");
    assert_eq!(active(&bench), 0);
}

#[test]
fn a_kill_switch_ends_all_experiments() {
    let fields = format!(r#""experiments": [{{"name": "x", "percent": "100%", {ABORT}}}]"#);
    let bench = bench(&format!(r#"{{"kill_switch": true, {fields}}}"#));
    let mut sent = bench.request("GET /");
    assert_eq!(sent.text(), "continue\n");
}

#[test]
fn connections_that_keep_an_older_configuration_get_no_fault_after_a_kill_switch() {
    let world = Rc::new(World::new());
    let fields = r#""control": {"token": {"env": "TOKEN"}}, "experiments": [
        {"name": "x", "match": {"path": {"prefix": "/a"}}, "percent": "100%", "request": {"abort": {"status": 503}}},
        {"name": "y", "percent": "100%", "response": {"status": 500}}
    ]"#;
    let asks = "GET /\nx-sluice-fault: abort=418\nx-sluice-fault-token: let me";
    let [abort, begun, asked] = [(); 3].map(|()| within(&world, &format!("{{{fields}}}")));
    assert_eq!(abort.request("GET /a").refused(), Some(503));
    assert_eq!(asked.request(asks).refused(), Some(418));
    let mut sent = begun.request("GET /b");
    let _new = within(&world, &format!(r#"{{"kill_switch": true, {fields}}}"#));
    assert_eq!(abort.request("GET /a").text(), "continue\n");
    assert_eq!(sent.respond("200").response_header(":status").as_deref(), Some("200"));
    assert_eq!(sent.response_header("x-sluice-fault-injected"), None);
    sent.end();
    assert_eq!(begun.gauge("fault-injection.active.y"), 0);
    let mut sent = asked.request(asks);
    assert_eq!((&sent.verdict, sent.request_header("x-sluice-fault-token")), (&Verdict::Continue, None));
    sent.end();
}

#[test]
fn a_kill_switch_lets_go_what_an_older_configuration_holds() {
    let world = Rc::new(World::new());
    let fields = r#""experiments": [{"name": "x", "percent": "100%", "request": {"delay": {"fixed": "5m"}, "abort": {"status": 503}}}]"#;
    let old = within(&world, &format!("{{{fields}}}"));
    let mut sent = old.request("GET /");
    assert_eq!(sent.verdict, Verdict::PauseBack);
    assert!(old.wake_root().is_empty());
    let new = within(&world, &format!(r#"{{"kill_switch": true, {fields}}}"#));
    world.pass(Duration::from_millis(250));
    assert_eq!(old.wake_root(), [0]);
    assert_eq!(sent.hurry(0).wake().verdict, Verdict::Continue);
    assert_eq!(old.request("GET /").verdict, Verdict::Continue, "nothing begins under the old one either");
    drop(new);
    let back = within(&world, &format!("{{{fields}}}"));
    assert_eq!(back.request("GET /").verdict, Verdict::PauseBack);
    world.pass(Duration::from_millis(250));
    assert!(back.wake_root().is_empty());
    assert!(back.wake_root().is_empty());
}
