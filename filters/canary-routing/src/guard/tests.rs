//! What trips a variant, how it comes back, and that all workers agree on it.

use std::time::Duration;

use kit::config::read;
use kit::store::memory::Memory;
use kit::testing::START;
use kit::time::nanos;
#[cfg(target_arch = "wasm32")]
use wasm_bindgen_test::wasm_bindgen_test as test;

use super::*;

mod blocks;
mod model;
// They take their time in Node, and nothing in them depends on where they run.
#[cfg(not(target_arch = "wasm32"))]
#[expect(
    clippy::as_conversions,
    clippy::float_arithmetic,
    reason = "rates and times of a simulation are floats"
)]
mod simulations;
mod words;

const KEY: &[u8] = b"k";

fn guard(json: &str) -> Guard {
    read(json.as_bytes(), Guard::parse).unwrap_or_else(|problems| panic!("{problems}"))
}

fn seconds(count: u64) -> Timestamp {
    START.after(Duration::from_secs(count))
}

/// A split with a guard, and its record.
struct Split {
    guard: Guard,
    variants: Variants,
    store: Memory,
}

impl Split {
    fn new(json: &str) -> Self {
        Self { guard: guard(json), variants: Variants::new(["v1", "v2"]), store: Memory::default() }
    }

    fn shared(&self) -> Shared<'_> {
        Shared { store: &self.store, key: KEY, variants: &self.variants }
    }

    /// Counts one response to a user.
    fn of(
        &self,
        worker: &Evidence,
        variant: usize,
        bucket: Option<u16>,
        failed: bool,
        now: Timestamp,
    ) -> Vec<News> {
        worker.outcome(&self.guard, self.shared(), variant, bucket, failed, now).unwrap()
    }

    /// Counts one response to somebody new.
    fn one(&self, worker: &Evidence, variant: usize, failed: bool, now: Timestamp) -> Vec<News> {
        self.of(worker, variant, None, failed, now)
    }

    /// Counts so many requests to the baseline that went well, and then as many to a variant that failed; between two of
    /// those, the baseline answers ten times.
    fn fail(&self, worker: &Evidence, variant: usize, failures: usize, now: Timestamp) -> Vec<News> {
        let mut news = Vec::new();
        for _ in 0..failures {
            for _ in 0..10 {
                news.extend(self.one(worker, 0, false, now));
            }
            news.extend(self.one(worker, variant, true, now));
        }
        news
    }

    fn open(&self, worker: &Evidence, variant: usize, now: Timestamp) -> (Open, Vec<News>) {
        worker.open(&self.guard, self.shared(), variant, now)
    }

    /// What somebody who has just come sees.
    fn seen(&self, variant: usize, now: Timestamp) -> Open {
        self.open(&Evidence::default(), variant, now).0
    }

    fn record(&self) -> Record {
        Record::read(self.store.read(KEY).value.as_deref(), &self.variants)
    }
}

/// The changes, without their numbers.
fn changes(news: &[News]) -> Vec<(usize, State, Option<Cause>)> {
    news.iter().map(|news| (news.variant, news.to, news.cause)).collect()
}

const TRIPPED: [(usize, State, Option<Cause>); 1] = [(1, State::Tripped, Some(Cause::Worse))];
const RECOVERING: [(usize, State, Option<Cause>); 1] = [(1, State::Recovering, None)];
const CLOSED: [(usize, State, Option<Cause>); 1] = [(1, State::Closed, None)];

#[test]
fn a_variant_that_fails_more_trips_once_and_says_what_was_seen() {
    let (split, worker) = (Split::new("{}"), Evidence::default());
    assert_eq!(split.open(&worker, 1, START), (Open::Whole, vec![]));
    let news = split.fail(&worker, 1, 100, START);
    assert_eq!(changes(&news), TRIPPED);
    let numbers = news[0].numbers;
    assert_eq!((numbers.requests, numbers.failures, numbers.baseline_failures), (50, 50, 0));
    assert_eq!(numbers.baseline_requests, 500);
    assert_eq!(numbers.retry_in, Some(Duration::from_secs(300)));
    assert_eq!(split.open(&worker, 1, START), (Open::Closed, vec![]));
    assert_eq!(split.open(&worker, 0, START), (Open::Whole, vec![]), "nothing takes the baseline's place");
}

#[test]
fn a_baseline_that_fails_more_trips_nothing() {
    let (split, worker) = (Split::new(r#"{"min_requests": 1}"#), Evidence::default());
    for _ in 0..100 {
        assert_eq!(split.one(&worker, 0, true, START), []);
        assert_eq!(split.one(&worker, 1, false, START), []);
    }
}

#[test]
fn there_must_be_enough_requests_to_the_variant() {
    for min_requests in [20, 21] {
        let split = Split::new(&format!(r#"{{"min_requests": {min_requests}}}"#));
        let worker = Evidence::default();
        assert_eq!(split.fail(&worker, 1, min_requests - 1, START), []);
        assert_eq!(changes(&split.fail(&worker, 1, 1, START)), TRIPPED, "{min_requests}");
    }
}

#[test]
fn a_difference_that_is_nobodys_alarm_is_none_however_sure_it_is() {
    for (worse_by, expected) in [("40%", vec![]), ("20%", TRIPPED.to_vec())] {
        let split = Split::new(&format!(r#"{{"worse_by": "{worse_by}"}}"#));
        let worker = Evidence::default();
        let mut news = vec![];
        for number in 0..3_000 {
            news.extend(split.one(&worker, 0, false, START));
            news.extend(split.one(&worker, 1, number % 10 < 3, START));
        }
        assert_eq!(changes(&news), expected, "{worse_by}");
    }
}

#[test]
fn an_absolute_bound_trips_whatever_the_baseline_does() {
    let split = Split::new(r#"{"max_error_rate": "50%", "min_requests": 10}"#);
    let worker = Evidence::default();
    for number in 1..=20 {
        assert_eq!(split.one(&worker, 0, true, START), []);
        // Half of them, and then one more.
        let news = split.one(&worker, 1, number % 2 == 0, START);
        assert_eq!(news, [], "{number}");
    }
    let news = split.one(&worker, 1, true, START);
    assert_eq!(changes(&news), [(1, State::Tripped, Some(Cause::ErrorRate))]);
    let numbers = news[0].numbers;
    assert_eq!((numbers.requests, numbers.failures), (21, 11));
    assert_eq!((numbers.baseline_requests, numbers.baseline_failures), (20, 20));
}

#[test]
fn evidence_is_no_older_than_the_window() {
    // Not enough, twice: within a window, or never in the same one.
    for (pause, expected) in [(50, TRIPPED.to_vec()), (60, vec![])] {
        let split = Split::new(r#"{"min_requests": 1}"#);
        let worker = Evidence::default();
        let mut news = split.fail(&worker, 1, 6, START);
        assert_eq!(news, []);
        news.extend(split.fail(&worker, 1, 6, seconds(pause)));
        assert_eq!(changes(&news), expected, "{pause}");
    }
}

/// A split with a variant that has tripped at the start.
fn tripped(json: &str) -> (Split, Evidence) {
    let (split, worker) = (Split::new(json), Evidence::default());
    assert_eq!(changes(&split.fail(&worker, 1, 50, START)), TRIPPED);
    (split, worker)
}

#[test]
fn it_is_tried_again_with_more_and_more_of_its_range() {
    let (split, worker) = tripped(r#"{"cooldown": "1m", "probe": "10%", "recover_over": "90s"}"#);
    let is = |second, expected, news: &[_]| {
        let (open, found) = split.open(&worker, 1, seconds(second));
        assert_eq!((open, changes(&found).as_slice()), (expected, news), "{second}");
    };
    is(0, Open::Closed, &[]);
    is(59, Open::Closed, &[]);
    is(60, Open::First(1_000), &RECOVERING);
    is(61, Open::First(1_100), &[]);
    is(105, Open::First(5_500), &[]);
    is(149, Open::First(9_900), &[]);
    is(150, Open::Whole, &CLOSED);
    is(1_000, Open::Whole, &[]);
}

#[test]
fn a_share_is_never_less_than_the_probe_nor_more_than_all() {
    let recovery = Recovery::Automatic {
        cooldown: Duration::from_secs(1),
        probe: 100,
        recover_over: Duration::from_secs(100),
    };
    let phase = Phase { state: State::Recovering, trips: 1, since: seconds(10) };
    let nearly = seconds(110).before(Duration::from_nanos(1));
    for (now, expected) in [
        (START, Open::First(100)),
        (seconds(10), Open::First(100)),
        (seconds(11), Open::First(199)),
        (nearly, Open::First(9_999)),
        (seconds(110), Open::Whole),
        (Timestamp::from_nanos(u64::MAX), Open::Whole),
    ] {
        assert_eq!(phase.open(recovery, now), expected, "{now}");
    }
    assert_eq!(phase.open(Recovery::Manual, seconds(10)), Open::Whole);
    assert_eq!(Phase::default().open(recovery, START), Open::Whole);
    assert_eq!(Phase::default().tripped(START).open(recovery, seconds(500)), Open::Closed);
}

#[test]
fn each_time_in_a_row_it_rests_twice_as_long_up_to_eight_times() {
    let (split, worker) = tripped(r#"{"cooldown": "100s", "recover_over": "10m", "min_requests": 10}"#);
    let mut second = 0;
    for rest in [100, 200, 400, 800, 800, 800] {
        assert_eq!(split.open(&worker, 1, seconds(second + rest - 1)), (Open::Closed, vec![]));
        second += rest;
        assert_eq!(changes(&split.open(&worker, 1, seconds(second)).1), RECOVERING, "{rest}");
        let news = split.fail(&worker, 1, 20, seconds(second));
        assert_eq!(changes(&news), TRIPPED);
        assert_eq!(news[0].numbers.retry_in, Some(Duration::from_secs((rest * 2).min(800))));
    }
    // Once it was closed, it begins again.
    assert_eq!(changes(&split.open(&worker, 1, seconds(second + 800)).1), RECOVERING);
    assert_eq!(changes(&split.open(&worker, 1, seconds(second + 1_400)).1), CLOSED);
    let news = split.fail(&worker, 1, 20, seconds(second + 1_400));
    assert_eq!(news[0].numbers.retry_in, Some(Duration::from_secs(100)));
}

#[test]
fn what_was_seen_before_it_tripped_does_not_count_when_it_is_tried_again() {
    let (split, worker) = tripped(r#"{"cooldown": "1s", "window": "1h"}"#);
    assert_eq!(changes(&split.open(&worker, 1, seconds(1)).1), RECOVERING);
    assert_eq!(split.fail(&worker, 1, 49, seconds(2)), []);
    assert_eq!(changes(&split.fail(&worker, 1, 1, seconds(2))), TRIPPED);
}

#[test]
fn responses_to_requests_from_before_it_tripped_are_ignored() {
    let (split, worker) = tripped(r#"{"cooldown": "1s"}"#);
    assert_eq!(split.fail(&worker, 1, 100, START), []);
    assert_eq!(changes(&split.open(&worker, 1, seconds(1)).1), RECOVERING);
    assert_eq!(split.fail(&worker, 1, 49, seconds(1)), []);
}

#[test]
fn manual_recovery_waits_for_another_text_of_reset() {
    let (mut split, worker) = tripped(r#"{"recovery": "manual", "reset": "1"}"#);
    let later = seconds(1_000_000);
    assert_eq!(split.open(&worker, 1, later), (Open::Closed, vec![]));
    assert_eq!(split.seen(1, later), Open::Closed, "the same text");
    split.guard = guard(r#"{"recovery": "manual", "reset": "2"}"#);
    let successor = Evidence::default();
    let (open, news) = split.open(&successor, 1, later);
    assert_eq!((open, changes(&news)), (Open::Whole, vec![(1, State::Closed, Some(Cause::Reset))]));
    assert_eq!(split.open(&Evidence::default(), 1, later), (Open::Whole, vec![]), "told once");
}

#[test]
fn a_configuration_on_its_way_out_resets_nothing() {
    let (mut split, worker) = tripped(r#"{"reset": "1"}"#);
    let old = split.guard.clone();
    split.guard = guard(r#"{"reset": "2"}"#);
    let successor = Evidence::default();
    assert_eq!(split.open(&successor, 1, START).0, Open::Whole);
    assert_eq!(changes(&split.fail(&successor, 1, 50, seconds(1))), TRIPPED);
    let (open, news) = worker.open(&old, split.shared(), 1, seconds(1));
    assert_eq!((open, news), (Open::Closed, vec![]));
    split.one(&worker, 0, true, seconds(2));
    assert_eq!(split.seen(1, seconds(2)), Open::Closed);
    // And back to the first text: that is another one, too.
    split.guard = old;
    assert_eq!(split.seen(1, seconds(3)), Open::Whole);
}

#[test]
fn guards_that_were_manual_or_automatic_may_become_the_other() {
    let (mut split, _) = tripped(r#"{"recovery": "manual"}"#);
    split.guard = guard(r#"{"cooldown": "1m"}"#);
    assert_eq!(split.seen(1, seconds(60)), Open::First(100));
    split.guard = guard(r#"{"recovery": "manual"}"#);
    let (open, news) = split.open(&Evidence::default(), 1, seconds(61));
    assert_eq!((open, changes(&news)), (Open::Whole, CLOSED.to_vec()));
}

#[test]
fn what_one_worker_trips_is_tripped_for_all_within_a_moment() {
    let split = Split::new("{}");
    let workers: [Evidence; 4] = std::array::from_fn(|_| Evidence::default());
    for worker in &workers {
        assert_eq!(split.open(worker, 1, START), (Open::Whole, vec![]));
    }
    let mut news = vec![];
    for _ in 0..20 {
        for worker in &workers {
            news.extend(split.fail(worker, 1, 1, START));
        }
    }
    assert_eq!(changes(&news), TRIPPED, "all counted, one told");
    let reads = split.store.reads();
    let now = START.after(MOMENT);
    for worker in &workers {
        split.open(worker, 1, now.before(Duration::from_nanos(1)));
    }
    assert_eq!(split.store.reads(), reads, "nobody looks before a moment is over");
    for worker in &workers {
        assert_eq!(split.open(worker, 1, now), (Open::Closed, vec![]));
    }
    // The same for the way back.
    let told: Vec<_> = workers.iter().flat_map(|worker| split.open(worker, 1, seconds(300)).1).collect();
    assert_eq!(changes(&told), RECOVERING);
}

#[test]
fn responses_that_went_well_are_written_a_batch_or_a_moment_at_a_time() {
    let (split, worker) = (Split::new("{}"), Evidence::default());
    split.one(&worker, 0, false, START);
    let before = split.store.reads();
    for _ in 1..BATCH {
        split.one(&worker, 1, false, START);
    }
    assert_eq!(split.store.reads(), before);
    split.one(&worker, 1, false, START);
    assert_eq!(split.store.reads(), before + 1);
    split.one(&worker, 1, false, START.after(MOMENT));
    assert_eq!(split.store.reads(), before + 2);
    split.one(&worker, 1, true, START.after(MOMENT));
    assert_eq!(split.store.reads(), before + 3);
}

#[test]
fn what_could_not_be_written_is_written_next_time() {
    let (split, worker) = (Split::new(r#"{"min_requests": 10}"#), Evidence::default());
    for _ in 0..100 {
        split.one(&worker, 0, false, START);
    }
    for _ in 0..20 {
        split.store.lose(TRIES);
        let outcome = worker.outcome(&split.guard, split.shared(), 1, None, true, START);
        assert_eq!(outcome, Err(Contended));
    }
    assert_eq!(changes(&split.one(&worker, 1, true, START)), TRIPPED);
    // What is due by the time is written by somebody else then, or a moment later.
    split.store.lose(TRIES);
    assert_eq!(split.open(&worker, 1, seconds(300)), (Open::Closed, vec![]));
    assert_eq!(changes(&split.open(&worker, 1, seconds(300)).1), RECOVERING);
}

#[test]
fn a_clock_that_is_turned_back_neither_locks_a_variant_out_nor_lets_it_in() {
    let (split, worker) = tripped("{}");
    let earlier = START.before(Duration::from_secs(86_400));
    let at = |second| earlier.after(Duration::from_secs(second));
    assert_eq!(split.open(&worker, 1, earlier), (Open::Closed, vec![]));
    assert_eq!(split.open(&worker, 1, at(299)), (Open::Closed, vec![]));
    assert_eq!(changes(&split.open(&worker, 1, at(300)).1), RECOVERING);
    assert_eq!(changes(&split.fail(&worker, 1, 50, at(301))), TRIPPED);
}

#[test]
fn workers_that_look_at_the_clock_at_different_instants_keep_the_window() {
    let split = Split::new(r#"{"window": "60s", "min_requests": 1}"#);
    let (early, late) = (Evidence::default(), Evidence::default());
    // START begins a slice: one worker is in it already, and the other isn't yet.
    let before = START.before(Duration::from_millis(1));
    let mut news = vec![];
    for _ in 0..20 {
        news.extend(split.fail(&late, 1, 1, START));
        news.extend(split.fail(&early, 1, 1, before));
    }
    assert_eq!(changes(&news), TRIPPED);
}

#[test]
fn records_of_another_shape_count_as_none() {
    let (split, worker) = tripped("{}");
    let good = split.store.read(KEY).value.unwrap();
    assert_eq!(good.len(), 24 + 2 * 136);
    let of = |bytes: &[u8]| Record::read(Some(bytes), &split.variants);
    let none = Record::read(None, &split.variants);
    assert_ne!(of(&good), none);
    for length in 0..good.len() {
        assert_eq!(
            of(&good[..length]) == none,
            length != 24 + 136 || none == of(&good[..length]),
            "{length}"
        );
    }
    let with = |place: usize, word: u64| {
        let mut bytes = good.clone();
        bytes[place * 8..][..8].copy_from_slice(&word.to_le_bytes());
        of(&bytes)
    };
    // The format, a state that there is not, more failures than requests, and evidence that is no number.
    for (place, word) in
        [(0, 1), (4, 3), (4, 1 << 16), (6, 1), (7, 1), (8, 7), (14, f64::NAN.to_bits()), (19, u64::MAX)]
    {
        assert_eq!(with(place, word), none, "{place}");
    }
    for garbage in [vec![], vec![0; 296], vec![0xff; 296], [good.as_slice(), &[0; 136 * 15]].concat()] {
        split.store.overwrite(&garbage);
        assert_eq!(split.seen(1, START), Open::Whole);
    }
    split.store.overwrite(b"x");
    assert_eq!(changes(&split.fail(&worker, 1, 50, START)), TRIPPED);
}

#[test]
fn numbers_that_nobody_counted_do_no_harm() {
    let (split, worker) = tripped("{}");
    let mut bytes = split.store.read(KEY).value.unwrap();
    // Counts and evidence of both are as large as they can be, and the variant is closed.
    for (place, word) in bytes.chunks_mut(8).enumerate().skip(3) {
        let largest = match (place - 3) % 17 {
            0 => continue,
            1 => [0; 8],
            2..=10 => [0xff; 8],
            _ => f64::MAX.to_le_bytes(),
        };
        word.copy_from_slice(&largest);
    }
    split.store.overwrite(&bytes);
    assert_eq!(split.seen(1, START), Open::Whole);
    assert_eq!(split.fail(&worker, 1, 100, START), [], "both fail always");
    split.one(&worker, 1, true, seconds(20));
    assert_eq!(split.fail(&worker, 1, 100, Timestamp::from_nanos(u64::MAX))[0].to, State::Tripped);
}

#[test]
fn states_are_those_of_names_and_outlive_a_configuration() {
    let (mut split, worker) = tripped("{}");
    let tripped = |split: &Split, variant| split.seen(variant, START) == Open::Closed;
    // Another variant before it, and it has a different place.
    let old = std::mem::replace(&mut split.variants, Variants::new(["v1", "v3", "v2"]));
    assert_eq!([1, 2].map(|variant| tripped(&split, variant)), [false, true]);
    split.one(&Evidence::default(), 0, true, START);
    // A worker that doesn't know the new one leaves its state alone.
    assert_eq!(changes(&split.fail(&Evidence::default(), 1, 50, START)), TRIPPED);
    let new = std::mem::replace(&mut split.variants, old);
    split.one(&worker, 0, true, START);
    assert!(tripped(&split, 1));
    split.variants = new;
    assert_eq!([1, 2].map(|variant| tripped(&split, variant)), [true, true]);
    // A variant that becomes the baseline is not tripped.
    split.variants = Variants::new(["v2", "v3"]);
    assert_eq!([0, 1].map(|variant| tripped(&split, variant)), [false, true]);
}

#[test]
fn there_are_never_more_entries_than_variants_may_be() {
    let mut split = Split::new("{}");
    for generation in 0..5 {
        let names: Vec<String> = (0..10).map(|number| format!("v{generation}-{number}")).collect();
        split.variants = Variants::new(names.iter().map(String::as_str));
        split.one(&Evidence::default(), 9, true, START);
        assert!(split.store.bytes() <= 24 + VARIANTS * 136);
        assert_eq!(split.record().phases(), [Phase::default(); VARIANTS]);
    }
}

#[test]
fn each_of_several_variants_is_compared_with_the_baseline() {
    let mut split = Split::new("{}");
    split.variants = Variants::new(["v1", "v2", "v3", "v4"]);
    let worker = Evidence::default();
    let mut news = vec![];
    for _ in 0..100 {
        for variant in [0, 1, 2, 3] {
            news.extend(split.one(&worker, variant, variant == 2, START));
        }
    }
    assert_eq!(changes(&news), [(2, State::Tripped, Some(Cause::Worse))]);
    assert_eq!([1, 2, 3].map(|variant| split.seen(variant, START)), [Open::Whole, Open::Closed, Open::Whole]);
}

#[test]
fn what_changes_in_no_way_is_not_written() {
    let (split, worker) = tripped("{}");
    let version = split.store.read(KEY).version;
    for second in 1..300 {
        split.open(&worker, 1, seconds(second));
    }
    assert_eq!(split.store.read(KEY).version, version);
}

#[test]
fn what_was_seen_beside_another_baseline_is_forgotten() {
    let mut split = Split::new(r#"{"min_requests": 1}"#);
    split.variants = Variants::new(["v0", "v2"]);
    assert_eq!(split.fail(&Evidence::default(), 1, 6, START), []);
    assert!(0.0 < split.record().evidence(1));
    split.variants = Variants::new(["v1", "v2"]);
    assert_eq!(split.fail(&Evidence::default(), 1, 6, START), []);
    assert_eq!(changes(&split.fail(&Evidence::default(), 1, 6, START)), TRIPPED);
}

#[test]
fn failures_are_compared_with_requests_of_about_the_same_time() {
    // A failure among few requests to the variant says more than one among many.
    let evidence = |before: usize| {
        let (split, worker) = (Split::new("{}"), Evidence::default());
        for _ in 0..before {
            split.one(&worker, 1, false, START);
        }
        for _ in 0..64 {
            split.one(&worker, 0, false, START);
        }
        split.one(&worker, 1, true, START);
        split.record().evidence(1)
    };
    assert!(evidence(900) < evidence(200) && evidence(200) < evidence(0));
    assert!(evidence(900) < evidence(1_024), "a block has ended, and this one has few");
}

#[test]
fn one_user_who_tries_again_and_again_trips_nothing_and_several_do() {
    for (users, expected) in [(1, vec![]), (4, vec![]), (12, TRIPPED.to_vec())] {
        let (split, worker) = (Split::new("{}"), Evidence::default());
        let mut news = vec![];
        for number in 0..600_u16 {
            for other in 0..10 {
                split.of(&worker, 0, Some(1_000 + (number * 10 + other) % 8_000), false, START);
            }
            news.extend(split.of(&worker, 1, Some(number % users), true, START));
        }
        assert_eq!(changes(&news), expected, "{users}");
    }
}

#[test]
fn failures_of_one_user_count_for_the_absolute_bound() {
    let (split, worker) = (Split::new(r#"{"max_error_rate": "50%"}"#), Evidence::default());
    let trips = (0..50).map(|_| split.of(&worker, 1, Some(7), true, START)).find(|news| !news.is_empty());
    assert_eq!(changes(&trips.unwrap()), [(1, State::Tripped, Some(Cause::ErrorRate))]);
}

#[test]
fn users_are_known_for_a_window_and_for_two_at_most() {
    let users = Users::default();
    let window = nanos(Duration::from_secs(60));
    let are_news = |bucket, failed, second| users.are_news(Some(bucket), failed, window, seconds(second));
    assert!(are_news(7, true, 0), "the first failure");
    assert!(!are_news(7, true, 59) && !are_news(7, false, 59));
    assert!(are_news(8, false, 59) && are_news(8, false, 59), "nothing has failed");
    assert!(!are_news(7, false, 60) && !are_news(7, false, 119));
    assert!(are_news(7, false, 120) && are_news(7, true, 120));
    assert!(!users.are_news(Some(7), true, window, START), "the clock was turned back");
    assert!((0..9).all(|_| users.are_news(None, true, window, START)), "each is another one");
    assert!(are_news(9_999, true, 121) && !are_news(9_999, true, 121));
    are_news(u16::MAX, true, 121);
}

#[test]
fn some_users_are_always_left() {
    let users = Users::default();
    let are_news = |bucket| users.are_news(Some(bucket), true, u64::MAX, START);
    let counted = (0..20_000_u16).filter(|number| are_news(number % 10_000)).count();
    assert_eq!(counted, 20_000, "the first is forgotten before it comes again");
    assert!((19_000..20_000_u16).all(|number| !are_news(number % 10_000)));
}
