//! A clock that is set: nothing freezes, nothing lives for ever.

#[cfg(target_arch = "wasm32")]
use wasm_bindgen_test::wasm_bindgen_test as test;

use super::*;

#[test]
fn when_the_clock_is_turned_back_the_set_is_fetched_again_as_soon_as_somebody_asks() {
    let process = Process::new(3, "");
    process.fetch("200", &[], &jwks(&["a"]));
    process.run(MINUTE);
    process.world.turn_back(24 * HOUR);
    assert_eq!(process.outcomes("a"), "passes passes passes");
    process.run(Duration::from_millis(5));
    assert_eq!(process.fetches(), 2);
    process.answer("200", &[], &jwks(&["b"]));
    process.run(Duration::from_millis(60));
    assert_eq!(process.outcomes("b"), "passes passes passes");
    process.run(9 * MINUTE);
    assert_eq!(process.fetches(), 2);
    process.run(MINUTE + SECOND);
    assert_eq!(process.fetches(), 3);
}

#[test]
fn when_the_clock_is_turned_back_during_a_fetch_another_one_begins() {
    let process = Process::new(3, "");
    process.run(SECOND);
    process.world.turn_back(24 * HOUR);
    assert_eq!(process.outcomes("a"), "waits waits waits");
    process.run(3 * SECOND);
    assert_eq!(process.fetches(), 2);
    process.answer("200", &[], &jwks(&["a"]));
    process.run(Duration::from_millis(60));
    assert_eq!(process.outcomes("a"), "passes passes passes");
}

#[test]
fn when_the_clock_goes_forward_an_old_set_is_not_used_any_more() {
    let process = Process::new(1, "");
    process.fetch("200", &[], &jwks(&["a"]));
    process.world.pass(24 * HOUR);
    let mut waiting = process.ask(0, "a");
    assert_eq!(outcome(&waiting), "waits");
    process.fetch("200", &[], &jwks(&["a"]));
    assert_eq!(process.rouse(0, &mut waiting), "passes");
}

#[test]
fn a_set_does_not_outlive_its_time_because_of_a_clock() {
    let process = Process::new(1, r#", "stale_for": "1h""#);
    process.fetch("200", &[], &jwks(&["a"]));
    process.world.turn_back(24 * HOUR);
    assert_eq!(process.outcomes("a"), "passes");
    for _ in 0..130 {
        process.run(30 * SECOND);
        if process.answered.get() < process.fetches() {
            process.answer("503", &[], "");
        }
    }
    assert_ne!(process.outcomes("a"), "passes");
}
