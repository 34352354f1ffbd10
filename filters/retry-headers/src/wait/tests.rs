//! What is read of responses, and the bounds of what is made of it.

#![expect(clippy::arithmetic_side_effects, reason = "the numbers of tests are small")]

use proptest::prelude::*;
#[cfg(target_arch = "wasm32")]
use wasm_bindgen_test::wasm_bindgen_test as test;

use super::*;

/// 2026-03-01T00:00:00Z.
const NOW: Timestamp = Timestamp::from_seconds(1_772_323_200);

fn said(values: &[&str]) -> Option<u64> {
    let field: Field = values.iter().map(|value| value.as_bytes().to_vec()).collect();
    retry_after(&field, NOW).map(|wait| wait.as_secs())
}

const fn seconds(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

fn waits(jitter: Jitter, percent: u64) -> Waits {
    Waits {
        default: seconds(10),
        min: seconds(5),
        max: seconds(60),
        jitter,
        spread: Fraction::percent(percent),
    }
}

#[test]
fn a_wait_is_seconds_or_a_date_and_the_longest_of_several() {
    for (values, wait) in [
        (&["120"][..], Some(120)),
        (&["0"], Some(0)),
        (&[" 7\t"], Some(7)),
        (&["Sun, 01 Mar 2026 00:02:00 GMT"], Some(120)),
        (&["Sunday, 01-Mar-26 00:02:00 GMT"], Some(120)),
        (&["Sun Mar  1 00:02:00 2026"], Some(120)),
        (&["Sat, 28 Feb 2026 00:00:00 GMT"], Some(0)),
        (&["Fri, 31 Dec 9999 23:59:59 GMT"], Some((u64::MAX - NOW.nanos()) / 1_000_000_000)),
        (&["99999999999999999999999999"], Some(LONGEST)),
        (&["18446744073709551615"], Some(LONGEST)),
        (&["1", "30", "2"], Some(30)),
        (&["1", "soon"], Some(1)),
        (&[], None),
        (&[""], None),
        (&["-1"], None),
        (&["+1"], None),
        (&["1.5"], None),
        (&["1e3"], None),
        (&["1, 2"], None),
        (&["soon"], None),
        (&["Sun, 01 Mar 2026 00:02:00 CET"], None),
        (&["Mon, 01 Mar 2026 00:02:00 GMT"], None),
    ] {
        assert_eq!(said(values), wait, "{values:?}");
    }
    assert_eq!(retry_after(&Field::One(vec![0xff]), NOW), None);
}

#[test]
fn what_the_upstream_says_is_kept_where_it_is_stricter() {
    let waits = waits(Jitter::None, 20);
    for (said, wait) in [(None, 10), (Some(1), 5), (Some(30), 30), (Some(60), 60), (Some(3_600), 3_600)] {
        assert_eq!(waits.seconds(said.map(seconds), 0, [u64::MAX; 2]), wait, "{said:?}");
    }
    let waits = self::waits(Jitter::Full, 100);
    assert_eq!(
        waits.seconds(Some(seconds(3_600)), 0, [u64::MAX; 2]),
        3_600,
        "nor is it made longer than `max`"
    );
    assert_eq!(waits.seconds(Some(seconds(50)), 0, [u64::MAX; 2]), 60);
}

#[test]
fn jitter_has_its_bounds() {
    for (jitter, previous, least, most) in [
        (Jitter::None, 0, 10, 10),
        (Jitter::Full, 0, 10, 15),
        (Jitter::Equal, 0, 12, 15),
        (Jitter::Decorrelated, 0, 10, 10),
        (Jitter::Decorrelated, 12, 10, 36),
        (Jitter::Decorrelated, 40, 10, 60),
    ] {
        let waits = waits(jitter, 50);
        let wait = |draw| waits.seconds(None, previous * SECOND, [draw, if draw == 0 { 0 } else { SECOND }]);
        assert_eq!((wait(0), wait(u64::MAX)), (least, most), "{jitter:?} {previous}");
    }
}

#[test]
fn less_than_a_second_of_jitter_is_rounded_by_chance() {
    let waits = Waits { default: seconds(1), min: seconds(1), ..waits(Jitter::Full, 20) };
    let draws = kit::draw::Draws::new(1);
    let twos = (0..10_000).filter(|_| waits.seconds(None, 0, [draws.next(), draws.next()]) == 2).count();
    // A tenth of a second on average.
    assert!((900..1_100).contains(&twos), "{twos}");
}

#[test]
fn grpc_says_when_or_never() {
    for (value, wait) in
        [("0", Some(0)), ("250", Some(250)), ("-1", None), ("", None), ("1.5", None), ("x", None)]
    {
        assert_eq!(pushback(value.as_bytes()), wait.map(Duration::from_millis), "{value}");
    }
}

proptest! {
    #[test]
    fn no_wait_is_shorter_than_was_said_or_longer_than_it_may_be(
        said in prop::option::of(0_u64..200_000),
        kind in 0_usize..4,
        percent in 0_u64..=100,
        previous: u64,
        draws: [u64; 2],
    ) {
        let jitter = [Jitter::None, Jitter::Full, Jitter::Equal, Jitter::Decorrelated][kind];
        let waits = waits(jitter, percent);
        let said = said.map(Duration::from_millis);
        let least = said.unwrap_or(seconds(10)).max(seconds(5));
        let wait = waits.wait(said, previous, draws[0]);
        prop_assert!(least <= wait && wait <= least.max(seconds(60)), "{wait:?}");
        if jitter != Jitter::Decorrelated {
            let spread = nanos(least) * percent / 100;
            prop_assert!(wait <= least + Duration::from_nanos(spread + 1));
        }
        let whole = seconds(waits.seconds(said, previous, draws));
        prop_assert!(least <= whole && whole <= wait + seconds(1), "{whole:?} {wait:?}");
    }

    #[test]
    fn no_response_panics(value: Vec<u8>, now: u64) {
        retry_after(&Field::One(value.clone()), Timestamp::from_nanos(now));
        pushback(&value);
    }
}
