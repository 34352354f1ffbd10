//! Several limits are charged together or not at all, and what is in flight is never forgotten too early.

use super::*;
use proptest::prelude::*;
#[cfg(target_arch = "wasm32")]
use wasm_bindgen_test::wasm_bindgen_test as test;

const NOW: Timestamp = Timestamp::from_seconds(1_000_000);

fn limits(rates: &[(u64, u64)], concurrency: Option<u16>) -> Limits {
    charged(rates, concurrency, Charging::OnRequest)
}

fn charged(rates: &[(u64, u64)], concurrency: Option<u16>, charging: Charging) -> Limits {
    Limits::new(
        rates.iter().map(|(n, per)| Limit::new(*n, Duration::from_secs(*per), *n).unwrap()).collect(),
        concurrency.map(|requests| Concurrency { requests, timeout: Duration::from_secs(30) }),
        charging,
    )
}

#[test]
fn when_one_limit_refuses_none_is_charged() {
    let limits = limits(&[(1, 10), (100, 3600)], None);
    let mut words = [0; 2];
    limits.admit(&mut words, 1, NOW).unwrap();
    let before = words;
    let refusal = limits.admit(&mut words, 1, NOW).unwrap_err();
    assert_eq!(words, before);
    assert_eq!(refusal.violated[..2], [true, false]);
    assert_eq!(refusal.until, Some(NOW.after(Duration::from_secs(10))));
}

#[test]
fn the_wait_is_that_of_the_limit_that_takes_longest() {
    let limits = limits(&[(1, 10), (1, 3600)], None);
    let mut words = [0; 2];
    limits.admit(&mut words, 1, NOW).unwrap();
    let refusal = limits.admit(&mut words, 1, NOW).unwrap_err();
    assert_eq!(refusal.violated[..2], [true, true]);
    assert_eq!(refusal.until, Some(NOW.after(Duration::from_secs(3600))));
}

#[test]
fn in_flight_charges_no_rate() {
    let limits = limits(&[(100, 3600)], Some(1));
    let mut words = [0; 5];
    limits.admit(&mut words, 1, NOW).unwrap();
    let before = words;
    let refusal = limits.admit(&mut words, 1, NOW).unwrap_err();
    assert!(refusal.in_flight && refusal.too_many);
    assert_eq!(refusal.until, Some(NOW), "as soon as the other one ends");
    assert_eq!(words, before);
}

#[test]
fn what_is_exhausted_beside_requests_in_flight_says_how_long_it_takes() {
    let limits = limits(&[(1, 3600)], Some(1));
    let mut words = [0; 5];
    limits.admit(&mut words, 1, NOW).unwrap();
    let refusal = limits.admit(&mut words, 1, NOW).unwrap_err();
    assert!(refusal.in_flight);
    assert_eq!(refusal.until, Some(NOW.after(Duration::from_secs(3600))));
}

#[test]
fn a_release_makes_room_for_exactly_one() {
    let limits = limits(&[], Some(2));
    let mut words = [0; 4];
    let first = limits.admit(&mut words, 1, NOW).unwrap();
    limits.admit(&mut words, 1, NOW).unwrap();
    assert!(limits.admit(&mut words, 1, NOW).is_err());
    assert!(limits.release(&mut words, &first, NOW.after(Duration::from_secs(29))));
    limits.admit(&mut words, 1, NOW).unwrap();
    assert!(limits.admit(&mut words, 1, NOW).is_err());
}

/// Two workers look at their clocks and then take turns, so the later one may be first.
#[test]
fn a_worker_that_looked_at_the_clock_a_moment_earlier_takes_nobody_out_of_flight() {
    let limits = limits(&[], Some(3));
    // The timeout is kept in pieces of ten seconds.
    let boundary = NOW.nanos().div_ceil(10_000_000_000) * 10_000_000_000;
    let [before, after] = [boundary - 1, boundary + 1].map(Timestamp::from_nanos);
    let mut words = [0; 4];
    let later = limits.admit(&mut words, 1, after).unwrap();
    let earlier = limits.admit(&mut words, 1, before).unwrap();
    let still = after.after(Duration::from_secs(29));
    limits.admit(&mut words, 1, still).unwrap();
    assert!(limits.admit(&mut words, 1, still).is_err(), "three are in flight");
    assert!(limits.release(&mut words, &later, still));
    assert!(limits.release(&mut words, &earlier, still));
}

#[test]
fn a_request_whose_end_is_lost_is_forgotten_after_its_timeout_and_a_third_at_the_latest() {
    let limits = limits(&[], Some(1));
    let mut words = [0; 4];
    let lost = limits.admit(&mut words, 1, NOW).unwrap();
    let timeout = NOW.after(Duration::from_secs(30));
    assert!(limits.admit(&mut words, 1, timeout).is_err());
    let forgotten = NOW.after(Duration::from_secs(40));
    limits.admit(&mut words, 1, forgotten).unwrap();
    assert!(!limits.release(&mut words, &lost, forgotten), "its place belongs to another one now");
    assert!(limits.admit(&mut words, 1, forgotten).is_err());
}

#[test]
fn an_entry_is_free_when_nothing_of_it_matters_any_more() {
    let limits = limits(&[(1, 10)], Some(1));
    let mut words = [0; 5];
    assert_eq!(limits.shape.free_at(&words), Timestamp::EPOCH);
    let charge = limits.admit(&mut words, 1, NOW).unwrap();
    let free = limits.shape.free_at(&words);
    assert!(NOW.after(Duration::from_secs(30)) <= free && free <= NOW.after(Duration::from_secs(40)));
    limits.release(&mut words, &charge, NOW);
    assert_eq!(limits.shape.free_at(&words), NOW.after(Duration::from_secs(10)));
}

#[test]
fn responses_that_do_not_count_cost_nothing_in_whatever_order_they_come() {
    let limits = charged(&[(3, 60)], None, Charging::Reserved);
    let mut words = [0; 5];
    for order in [[0, 1, 2], [2, 1, 0], [1, 2, 0]] {
        let charges: Vec<Charge> = (0..3).map(|_| limits.admit(&mut words, 1, NOW).unwrap()).collect();
        assert!(limits.admit(&mut words, 1, NOW).unwrap_err().in_flight, "all three may still count");
        for index in order {
            limits.settle(&mut words, &charges[index], 1, false, NOW);
        }
        assert_eq!(words[0], 0);
    }
}

#[test]
fn while_responses_are_not_known_no_more_get_through_than_may_count() {
    let limits = charged(&[(3, 60)], None, Charging::Reserved);
    let mut words = [0; 5];
    let first = limits.admit(&mut words, 1, NOW).unwrap();
    limits.settle(&mut words, &first, 1, true, NOW);
    let second = limits.admit(&mut words, 1, NOW).unwrap();
    let third = limits.admit(&mut words, 1, NOW).unwrap();
    assert!(limits.admit(&mut words, 1, NOW).is_err());
    limits.settle(&mut words, &second, 1, true, NOW);
    limits.settle(&mut words, &third, 1, true, NOW);
    let refusal = limits.admit(&mut words, 1, NOW).unwrap_err();
    assert_eq!((refusal.in_flight, refusal.until), (false, Some(NOW.after(Duration::from_secs(20)))));
}

#[test]
fn without_a_reservation_what_is_in_flight_is_not_counted() {
    let limits = charged(&[(1, 60)], None, Charging::OnResponse);
    let mut words = [0; 1];
    let charges: Vec<Charge> = (0..10).map(|_| limits.admit(&mut words, 1, NOW).unwrap()).collect();
    limits.settle(&mut words, &charges[0], 1, true, NOW);
    assert!(limits.admit(&mut words, 1, NOW).is_err());
}

proptest! {
    #[test]
    fn counted_responses_never_exceed_the_limit_in_any_window(
        burst in 1_u64..6,
        traffic in prop::collection::vec((0_u64..15, 0_usize..4, any::<bool>()), 1..200),
    ) {
        // Requests are answered in any order; what counts is checked against a log of when it was counted.
        let limits = charged(&[(burst, 60)], None, Charging::Reserved);
        let (mut words, mut now) = ([0; 5], NOW);
        let (mut open, mut counted): (Vec<Charge>, Vec<Timestamp>) = Default::default();
        for (pause, which, counts) in traffic {
            now = now.after(Duration::from_secs(pause));
            match limits.admit(&mut words, 1, now) {
                Ok(charge) if which != 0 => open.push(charge),
                Ok(charge) => { limits.settle(&mut words, &charge, 1, false, now); }
                Err(_) => {}
            }
            if which < open.len() {
                let charge = open.remove(which);
                limits.settle(&mut words, &charge, 1, counts, now);
                if counts {
                    counted.push(now);
                }
            }
        }
        let interval = 60_000_000_000_u64.div_ceil(burst);
        for (index, from) in counted.iter().enumerate() {
            for (to, inside) in counted[index..].iter().zip(1_u64..) {
                let allowed = burst * interval + kit::time::nanos(to.since(*from));
                prop_assert!(inside * interval <= allowed, "{inside} responses");
            }
        }
    }

    #[test]
    fn never_more_in_flight_than_the_limit_and_none_forgotten_within_the_timeout(
        limit in 1_u16..5,
        events in prop::collection::vec((0_u64..8, any::<bool>()), 1..200),
    ) {
        let limits = limits(&[], Some(limit));
        let (mut words, mut now) = ([0; 4], NOW);
        let mut flying: Vec<(Charge, Timestamp)> = Vec::new();
        for (pause, starts) in events {
            now = now.after(Duration::from_secs(pause));
            // The oracle: what began within the timeout counts for sure, what is older than four thirds doesn't.
            let certain = flying.iter().filter(|(_, since)| now.since(*since) <= Duration::from_secs(30)).count();
            let possible = flying.iter().filter(|(_, since)| now.since(*since) < Duration::from_secs(40)).count();
            if starts {
                match limits.admit(&mut words, 1, now) {
                    Ok(charge) => {
                        prop_assert!(certain < usize::from(limit));
                        flying.push((charge, now));
                    }
                    Err(_) => prop_assert!(usize::from(limit) <= possible),
                }
            } else if !flying.is_empty() {
                let (charge, since) = flying.remove(0);
                let released = limits.release(&mut words, &charge, now);
                prop_assert!(released || Duration::from_secs(30) < now.since(since));
            }
        }
    }

    #[test]
    fn no_words_make_it_panic(words: [u64; 6], cost: u64, now: u64, since: u64, counts: bool, charging in prop::sample::select(vec![
        Charging::OnRequest, Charging::OnResponse, Charging::Reserved,
    ])) {
        let (mut words, now) = (words, Timestamp::from_nanos(now));
        let limits = charged(&[(5, 1), (7, 60)], Some(3), charging);
        let charge = Charge { arrivals: arrivals(&words), since: Timestamp::from_nanos(since) };
        let admitted = limits.admit(&mut words, cost, now).is_ok();
        prop_assert!(!admitted || cost <= 7);
        limits.settle(&mut words, &charge, cost, counts, now);
        limits.release(&mut words, &charge, now);
        limits.shape.free_at(&words);
    }
}
