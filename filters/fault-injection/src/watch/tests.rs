//! When an experiment stops itself, and that it does so once for all workers.

use kit::config::read;
use kit::store::memory::Memory;
use kit::testing::START;
use proptest::prelude::*;
#[cfg(target_arch = "wasm32")]
use wasm_bindgen_test::wasm_bindgen_test as test;

use super::*;

const KEY: &[u8] = b"k";

fn when(json: &str) -> StopWhen {
    read(json.as_bytes(), StopWhen::parse).unwrap_or_else(|problems| panic!("{problems}"))
}

/// One worker that counts so many requests of which the last ones fail; returns whether it stopped the experiment.
fn send(when: &StopWhen, store: &Memory, worker: &Counted, well: u64, errors: u64, now: Timestamp) -> bool {
    let mut stopped = false;
    for number in 0..well + errors {
        stopped |= when.count(worker, store, KEY, well <= number, now).unwrap().is_some();
    }
    stopped
}

#[test]
fn it_stops_when_the_rate_is_reached_and_not_before() {
    let when = when(r#"{"error_rate": "10%", "min_requests": 50}"#);
    let (store, worker) = (Memory::default(), Counted::default());
    assert!(!send(&when, &store, &worker, 91, 9, START));
    assert!(!StopWhen::has_stopped(&worker, &store, KEY));
    assert!(send(&when, &store, &worker, 0, 2, START));
    assert!(StopWhen::has_stopped(&worker, &store, KEY));
    assert!(!send(&when, &store, &worker, 0, 100, START), "it stops once");
}

#[test]
fn a_few_requests_are_no_reason() {
    let when = when(r#"{"error_rate": "10%", "min_requests": 50}"#);
    let (store, worker) = (Memory::default(), Counted::default());
    assert!(!send(&when, &store, &worker, 0, 49, START));
    assert!(send(&when, &store, &worker, 0, 1, START));
}

#[test]
fn errors_that_could_not_be_written_at_once_are_written_next_time() {
    let when = when(r#"{"error_rate": "100%", "min_requests": 2}"#);
    let (store, worker) = (Memory::default(), Counted::default());
    store.lose(TRIES);
    assert_eq!(when.count(&worker, &store, KEY, true, START), Err(Contended));
    assert!(send(&when, &store, &worker, 0, 1, START), "both failed");
}

#[test]
fn without_an_error_nothing_stops_even_at_a_rate_of_zero() {
    let when = when(r#"{"error_rate": "0%", "min_requests": 1}"#);
    let (store, worker) = (Memory::default(), Counted::default());
    assert!(!send(&when, &store, &worker, 1_000, 0, START));
    assert!(send(&when, &store, &worker, 0, 1, START));
}

#[test]
fn what_one_worker_stops_is_stopped_for_all_and_for_those_that_come_later() {
    let when = when(r#"{"error_rate": "50%", "min_requests": 10}"#);
    let store = Memory::default();
    let workers = [Counted::default(), Counted::default(), Counted::default(), Counted::default()];
    let stops = workers.iter().filter(|worker| send(&when, &store, worker, 0, 5, START)).count();
    assert_eq!(stops, 1);
    assert!(workers.iter().all(|worker| StopWhen::has_stopped(worker, &store, KEY)));
    assert!(StopWhen::has_stopped(&Counted::default(), &store, KEY));
}

#[test]
fn errors_of_a_window_ago_count_as_far_as_the_window_reaches_back() {
    let when = when(r#"{"error_rate": "50%", "window": "10s", "min_requests": 10}"#);
    let seconds = |count: u64| START.after(Duration::from_secs(count));
    // Six errors at the end of a window: half a window later three of them are left, and then none.
    for (later, errors, expected) in
        [(5, 6, false), (5, 7, true), (15, 7, false), (25, 9, false), (25, 10, true)]
    {
        let (store, worker) = (Memory::default(), Counted::default());
        assert!(!send(&when, &store, &worker, 0, 6, seconds(9)));
        assert_eq!(
            send(&when, &store, &worker, 0, errors, seconds(10 + later)),
            expected,
            "{errors} after {later}"
        );
    }
}

#[test]
fn requests_that_went_well_are_written_a_batch_or_a_moment_at_a_time() {
    let when = when(r#"{"error_rate": "50%"}"#);
    let (store, worker) = (Memory::default(), Counted::default());
    send(&when, &store, &worker, 1, 0, START);
    let before = store.reads();
    send(&when, &store, &worker, BATCH - 1, 0, START);
    assert_eq!(store.reads(), before);
    send(&when, &store, &worker, 1, 0, START);
    assert_eq!(store.reads(), before + 1);
    send(&when, &store, &worker, 1, 0, START.after(MOMENT));
    assert_eq!(store.reads(), before + 2);
    assert_eq!(Record::read(store.read(KEY).value.as_deref()).here, (BATCH + 2, 0));
}

#[test]
fn errors_are_the_statuses_that_were_named() {
    let when = when(r#"{"error_rate": "1%", "errors": ["5xx", 429]}"#);
    for (status, expected) in
        [(200, false), (428, false), (429, true), (430, false), (500, true), (599, true)]
    {
        assert_eq!(when.is_error(Said::Status(status)), expected, "{status}");
    }
}

#[test]
fn a_call_of_grpc_is_an_error_by_the_status_that_goes_with_its_own_or_by_its_word() {
    let called = |code: &str, when: &StopWhen| when.is_error(Said::of_call(code.as_bytes()));
    let errors = |when: &StopWhen| {
        let codes = (0..=17).filter(|code: &i32| called(&code.to_string(), when));
        codes.collect::<Vec<_>>()
    };
    // UNKNOWN, DEADLINE_EXCEEDED, UNIMPLEMENTED, INTERNAL, UNAVAILABLE, DATA_LOSS, and what there isn't.
    assert_eq!(errors(&when(r#"{"error_rate": "1%"}"#)), [2, 4, 12, 13, 14, 15, 17]);
    assert_eq!(errors(&when(r#"{"error_rate": "1%", "errors": [429, "ABORTED"]}"#)), [8, 10]);
    assert_eq!(
        errors(&when(r#"{"error_rate": "1%", "errors": ["4xx"]}"#)),
        [1, 3, 5, 6, 7, 8, 9, 10, 11, 16]
    );
    assert_eq!(errors(&when(r#"{"error_rate": "1%", "errors": [200]}"#)), [0_i32; 0]);
    assert!(!when(r#"{"error_rate": "1%", "errors": ["UNAVAILABLE"]}"#).is_error(Said::Status(503)));
}

#[test]
fn what_strangers_wrote_counts_as_nothing() {
    for foreign in [b"".as_slice(), b"x", &[0; 56], &[0xff; 56], &[0xff; 57]] {
        assert_eq!(Record::read(Some(foreign)), Record::default());
    }
    let store = Memory::default();
    let when = when(r#"{"error_rate": "1%", "min_requests": 1}"#);
    store.lose(TRIES);
    let worker = Counted::default();
    assert_eq!(when.count(&worker, &store, KEY, true, START), Err(Contended));
    assert!(when.count(&worker, &store, KEY, true, START).unwrap().is_some(), "tried again by the next");
}

proptest! {
    #[test]
    fn within_a_window_it_stops_at_the_very_request_at_which_a_naive_count_does(
        answers in proptest::collection::vec((any::<bool>(), 0_usize..3), 1..300),
        percent in 1_u64..=100,
        min_requests in 1_u64..100,
    ) {
        let when = StopWhen { rate: Fraction::percent(percent), window: Duration::from_secs(60), min_requests, errors: Vec::new() };
        let store = Memory::default();
        let workers = [Counted::default(), Counted::default(), Counted::default()];
        let (mut written, mut pending, mut errors, mut stopped) = (0, [0; 3], 0, false);
        for (is_error, worker) in answers {
            // What a worker holds back isn't known to the others, nor to the model.
            pending[worker] += 1;
            let flushes = is_error || BATCH <= pending[worker] || workers[worker].since.get() == Timestamp::EPOCH;
            if flushes && !stopped {
                written += std::mem::take(&mut pending[worker]);
                errors += u64::from(is_error);
            }
            let expected = flushes && !stopped && min_requests <= written && 0 < errors && percent * written <= 100 * errors;
            let found = when.count(&workers[worker], &store, KEY, is_error, START).unwrap();
            prop_assert_eq!(found.is_some(), expected);
            stopped |= expected;
        }
    }
}
