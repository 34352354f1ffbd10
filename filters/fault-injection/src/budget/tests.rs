//! Budgets against a list of what is in flight, on several workers that share one store.

use std::time::Duration;

use kit::store::memory::Memory;
use kit::testing::START;
use proptest::prelude::*;
#[cfg(target_arch = "wasm32")]
use wasm_bindgen_test::wasm_bindgen_test as test;

use super::*;

const KEY: &[u8] = b"k";

fn take(store: &Memory, limits: Limits, now: Timestamp) -> Option<Ticket> {
    limits.take(store, KEY, now).unwrap()
}

#[test]
fn there_are_never_more_at_once_or_in_all_than_there_may_be() {
    let store = Memory::default();
    let limits = Limits { active: Some(2), total: Some(3) };
    let (one, _two) = (take(&store, limits, START).unwrap(), take(&store, limits, START).unwrap());
    assert_eq!(take(&store, limits, START), None);
    one.give_back(&store, KEY).unwrap();
    assert!(take(&store, limits, START).is_some());
    one.give_back(&store, KEY).unwrap();
    assert_eq!(take(&store, limits, START), None, "three in all");
    let none = Limits { active: Some(0), total: None };
    assert_eq!(take(&store, none, START), None);
}

#[test]
fn what_was_lost_comes_back_after_a_quarter_of_an_hour() {
    let store = Memory::default();
    let limits = Limits { active: Some(1), total: None };
    let lost = take(&store, limits, START).unwrap();
    let minutes = |count: u64| START.after(Duration::from_secs(60 * count));
    assert_eq!(take(&store, limits, minutes(MINUTES - 1)), None);
    assert!(take(&store, limits, minutes(MINUTES)).is_some());
    // The first one was not lost after all: it doesn't give back what is another's.
    lost.give_back(&store, KEY).unwrap();
    assert_eq!(take(&store, limits, minutes(MINUTES)), None);
}

#[test]
fn a_clock_that_is_turned_back_forgets_nothing_that_is_in_flight() {
    let store = Memory::default();
    let limits = Limits { active: Some(1), total: None };
    let ticket = take(&store, limits, START).unwrap();
    assert_eq!(take(&store, limits, START.before(Duration::from_secs(600))), None);
    ticket.give_back(&store, KEY).unwrap();
    assert!(take(&store, limits, START.before(Duration::from_secs(600))).is_some());
}

#[test]
fn a_budget_that_cannot_be_read_or_written_is_no_reason_for_a_fault() {
    let store = Memory::default();
    let limits = Limits { active: Some(1), total: Some(1) };
    store.lose(TRIES);
    assert_eq!(limits.take(&store, KEY, START), Err(Contended));
    for foreign in [b"".as_slice(), b"x", &[0; 144], &[0xff; 144], &[0xff; 145]] {
        assert_eq!(Record::read(Some(foreign)), Record::default());
    }
}

proptest! {
    #[test]
    fn workers_together_keep_to_the_limits_whatever_they_do_in_which_order(
        active in 0_u64..5,
        total in 0_u64..20,
        events in proptest::collection::vec((0_usize..6, 0_u64..90), 0..80),
    ) {
        let store = Memory::default();
        let limits = Limits { active: Some(active), total: Some(total) };
        let (mut now, mut given) = (START, 0);
        let mut flying: Vec<(u32, Ticket)> = Vec::new();
        for (what, seconds) in events {
            now = now.after(Duration::from_secs(seconds));
            if let (0..=1, false) = (what, flying.is_empty()) {
                flying.swap_remove(what % flying.len()).1.give_back(&store, KEY).unwrap();
                continue;
            }
            flying.retain(|(began, _)| u64::from(minute(now) - began) < MINUTES);
            let expected = u64::try_from(flying.len()).unwrap() < active && given < total;
            let ticket = take(&store, limits, now);
            prop_assert_eq!(ticket.is_some(), expected);
            if let Some(ticket) = ticket {
                flying.push((minute(now), ticket));
                given += 1;
            }
        }
    }
}
