//! The algorithm against a log of what was admitted, which is slow and obviously right.

use super::*;
use proptest::prelude::*;
#[cfg(target_arch = "wasm32")]
use wasm_bindgen_test::wasm_bindgen_test as test;

fn at(nanos: u64) -> Timestamp {
    Timestamp::from_nanos(nanos)
}

fn limit(requests: u64, per: Duration, burst: u64) -> Limit {
    Limit::new(requests, per, burst).unwrap()
}

/// Admits what leaves every window with no more than its share: all admitted requests since any of them, and this
/// one, are at most the burst and what came back meanwhile.
#[derive(Default)]
struct Log {
    admitted: Vec<(u64, u64)>,
}

impl Log {
    fn admits(&self, limit: Limit, cost: u64, now: u64) -> bool {
        let interval = u128::from(limit.interval);
        let mut spent = u128::from(cost);
        // From the newest to the oldest: the window grows, and so does what it may hold.
        spent * interval <= interval * u128::from(limit.burst)
            && self.admitted.iter().rev().all(|(time, cost)| {
                spent += u128::from(*cost);
                spent * interval <= interval * u128::from(limit.burst) + u128::from(now - time)
            })
    }

    fn ask(&mut self, limit: Limit, cost: u64, now: u64) -> bool {
        let admits = self.admits(limit, cost, now);
        if admits {
            self.admitted.push((now, cost));
        }
        admits
    }
}

#[test]
fn admits_the_burst_at_once_then_one_for_each_interval() {
    let limit = limit(5, Duration::from_secs(60), 5);
    let mut arrival = Timestamp::EPOCH;
    let now = Timestamp::from_seconds(1_000);
    for _ in 0..5 {
        arrival = limit.admit(arrival, 1, now).unwrap();
    }
    let next = now.after(Duration::from_secs(12));
    assert_eq!(limit.admit(arrival, 1, now), Err(Exhausted::Until(next)));
    assert_eq!(limit.admit(arrival, 1, next.before(Duration::from_nanos(1))), Err(Exhausted::Until(next)));
    arrival = limit.admit(arrival, 1, next).unwrap();
    assert!(limit.admit(arrival, 1, next).is_err());
}

#[test]
fn a_cost_above_the_burst_is_never_admitted() {
    let limit = limit(10, Duration::from_secs(1), 5);
    assert_eq!(limit.admit(Timestamp::EPOCH, 6, at(1)), Err(Exhausted::Never));
}

#[test]
fn an_interval_that_is_no_whole_number_of_nanoseconds_is_rounded_so_that_less_is_admitted() {
    assert_eq!(limit(3, Duration::from_secs(1), 1).interval, 333_333_334);
    assert_eq!(limit(1_000_000_000, Duration::from_millis(1), 1).interval, 1);
}

#[test]
fn a_limit_of_nothing_is_not_a_limit() {
    assert_eq!(Limit::new(0, Duration::from_secs(1), 1), None);
}

#[test]
fn says_what_remains_and_when_all_is_back() {
    let limit = limit(5, Duration::from_secs(60), 5);
    let now = Timestamp::from_seconds(1_000);
    let arrival = limit.admit(Timestamp::EPOCH, 2, now).unwrap();
    assert_eq!(limit.remaining(arrival, now), 3);
    assert_eq!(limit.full_at(arrival, now).since(now), Duration::from_secs(24));
    assert_eq!(limit.remaining(Timestamp::EPOCH, now), 5);
    assert_eq!(limit.remaining(at(u64::MAX), now), 0);
}

#[test]
fn a_clock_that_was_turned_back_locks_nobody_out_for_longer_than_the_burst_takes() {
    let limit = limit(5, Duration::from_secs(60), 5);
    let later = Timestamp::from_seconds(1_000_000);
    let arrival = limit.admit(Timestamp::EPOCH, 5, later).unwrap();
    let now = Timestamp::from_seconds(1_000);
    assert!(limit.is_astray(arrival, now));
    assert_eq!(limit.admit(arrival, 1, now), Err(Exhausted::Until(now.after(Duration::from_secs(12)))));
}

proptest! {
    #[test]
    fn agrees_with_a_log_of_timestamps(
        requests in 1_u64..50,
        per in 1_u64..1_000,
        burst in 1_u64..20,
        traffic in prop::collection::vec((0_u64..200, 1_u64..4), 1..200),
    ) {
        let limit = limit(requests, Duration::from_nanos(per), burst);
        let (mut log, mut arrival, mut now) = (Log::default(), Timestamp::EPOCH, 1_000_000);
        for (pause, cost) in traffic {
            now += pause;
            let admitted = limit.admit(arrival, cost, at(now));
            prop_assert_eq!(admitted.is_ok(), log.ask(limit, cost, now), "at {} cost {}", now, cost);
            arrival = admitted.unwrap_or(arrival);
        }
    }

    #[test]
    fn the_announced_instant_is_the_first_that_is_admitted(
        requests in 1_u64..1_000_000,
        per in 1_u64..u64::from(u32::MAX),
        burst in 1_u64..1_000,
        spent in 1_u64..1_000,
        cost in 1_u64..1_000,
        now in 0_u64..2_000_000_000_000_000_000,
    ) {
        let limit = limit(requests, Duration::from_nanos(per), burst);
        let arrival = limit.admit(Timestamp::EPOCH, spent.min(burst), at(now)).unwrap();
        let cost = cost.min(burst);
        if let Err(exhausted) = limit.admit(arrival, cost, at(now)) {
            let Exhausted::Until(until) = exhausted else { panic!("the cost is within the burst") };
            prop_assert!(limit.admit(arrival, cost, until).is_ok());
            prop_assert!(limit.admit(arrival, cost, until.before(Duration::from_nanos(1))).is_err());
        }
    }

    #[test]
    fn no_numbers_make_it_panic(
        requests: u64, per: u64, burst: u64, cost: u64, arrival: u64, now: u64,
    ) {
        if let Some(limit) = Limit::new(requests, Duration::from_nanos(per), burst) {
            prop_assert!(limit.admit(at(arrival), cost, at(now)).is_err() || cost <= burst);
            limit.charge(at(arrival), cost, at(now));
            prop_assert!(limit.remaining(at(arrival), at(now)) <= burst);
            limit.full_at(at(arrival), at(now));
        }
    }
}
