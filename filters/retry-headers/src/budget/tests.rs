//! The budget against a model that keeps a list of everything.

#![expect(clippy::arithmetic_side_effects, reason = "the numbers of tests are small")]

use proptest::prelude::*;
#[cfg(target_arch = "wasm32")]
use wasm_bindgen_test::wasm_bindgen_test as test;

use super::*;

const SECOND: u64 = 1_000_000_000;

fn budget(percent: u64, least: u64, seconds: u64) -> Budget {
    let window = Duration::from_secs(seconds);
    Budget { ratio: Fraction::percent(percent), least, window, key: None, clients: 1 }
}

fn at(nanos: u64) -> Timestamp {
    Timestamp::from_nanos(nanos)
}

#[test]
fn a_part_of_requests_may_be_tried_again_and_some_where_there_are_few() {
    let budget = budget(20, 3, 10);
    for (requests, retries, admits) in [
        (0, 0, true),
        (0, 29, true),
        (0, 30, false),
        (100, 49, true),
        (100, 50, false),
        (1, 30, true),
        (5, 31, false),
    ] {
        assert_eq!(budget.admits(Totals { requests, retries }), admits, "{requests} {retries}");
    }
    let nothing = self::budget(0, 0, 10);
    assert!(!nothing.admits(Totals { requests: u64::MAX, retries: 0 }));
    let all = self::budget(100, 1_000_000, 3_600);
    assert!(all.admits(Totals { requests: u64::MAX, retries: u64::MAX / 2 }));
}

#[test]
fn what_is_older_than_seven_sixths_of_the_window_is_forgotten() {
    let budget = budget(20, 3, 6);
    let mut words = [0; WORDS];
    let start = 1_000 * SECOND;
    budget.add(&mut words, at(start), 10, 4);
    assert_eq!(budget.add(&mut words, at(start + 6 * SECOND), 0, 0), Totals { requests: 10, retries: 4 });
    assert_eq!(budget.free_at(&words), at(start + 13 * SECOND));
    assert_eq!(budget.add(&mut words, at(start + 7 * SECOND), 1, 0), Totals { requests: 1, retries: 0 });
    assert_eq!(budget.add(&mut words, at(start + 100 * SECOND), 1, 1), Totals { requests: 1, retries: 1 });
}

#[test]
fn a_clock_that_is_turned_back_a_little_changes_nothing_and_a_lot_begins_anew() {
    let budget = budget(20, 3, 6);
    let mut words = [0; WORDS];
    let start = 1_000 * SECOND;
    budget.add(&mut words, at(start), 10, 4);
    assert_eq!(budget.add(&mut words, at(start - 1), 1, 1), Totals { requests: 11, retries: 5 });
    assert_eq!(budget.add(&mut words, at(start - 2 * SECOND), 1, 0), Totals { requests: 1, retries: 0 });
}

#[test]
fn counts_do_not_flow_over() {
    let budget = budget(20, 3, 6);
    let mut words = [0; WORDS];
    for _ in 0..3 {
        budget.add(&mut words, at(SECOND), u64::MAX, u64::MAX);
    }
    let most = u64::from(u32::MAX);
    assert_eq!(budget.add(&mut words, at(SECOND), 0, 0), Totals { requests: most, retries: most });
}

proptest! {
    #[test]
    fn counts_are_those_of_a_list_of_everything(
        seconds in 1_u64..60,
        events in prop::collection::vec((0_u64..20 * SECOND, 0_u64..5, 0_u64..3), 1..80),
    ) {
        let budget = budget(20, 3, seconds);
        let slice = (seconds * SECOND).div_ceil(6);
        let (mut words, mut now, mut list) = ([0; WORDS], 1_700_000_000 * SECOND, Vec::new());
        for (passed, requests, retries) in events {
            now += passed;
            list.push((now / slice, requests, retries));
            let recent = list.iter().filter(|(at, ..)| now / slice <= at + 6);
            let expected = recent.fold(Totals::default(), |sum, (_, requests, retries)| {
                Totals { requests: sum.requests + requests, retries: sum.retries + retries }
            });
            prop_assert_eq!(budget.add(&mut words, at(now), requests, retries), expected);
        }
    }

    /// What the README promises: charged one by one, there are never more retries in a window than the budget of the
    /// requests in seven sixths of it.
    #[test]
    fn in_no_window_there_are_more_retries_than_the_budget(
        percent in 0_u64..=100,
        least in 0_u64..5,
        seconds in 1_u64..20,
        steps in prop::collection::vec(0_u64..2 * SECOND, 1..300),
    ) {
        let budget = budget(percent, least, seconds);
        let window = seconds * SECOND;
        let (mut words, mut now, mut requests, mut retries) = ([0; WORDS], 1_700_000_000 * SECOND, Vec::new(), Vec::new());
        for passed in steps {
            now += passed;
            requests.push(now);
            if budget.admits(budget.add(&mut words, at(now), 1, 0)) {
                budget.add(&mut words, at(now), 0, 1);
                retries.push(now);
                let recent = |list: &[u64], span: u64| list.iter().filter(|at| now - **at <= span).count();
                let wide = u64::try_from(recent(&requests, window * 7 / 6 + 7)).unwrap();
                let allowed = wide * percent + least * seconds * 100;
                // The last one may begin within the budget and end beyond it.
                let tried = u64::try_from(recent(&retries, window)).unwrap();
                prop_assert!((tried - 1) * 100 < allowed);
            }
        }
    }

    #[test]
    fn no_entry_panics(words in prop::collection::vec(any::<u64>(), 0..10), now: u64, requests: u64, retries: u64) {
        let mut words = words;
        let budget = budget(20, 3, 10);
        let totals = budget.add(&mut words, at(now), requests, retries);
        budget.admits(totals);
        budget.free_at(&words);
    }
}
