//! Ranges: who has which bucket, that more weight only adds, and that no two ever share one.

use kit::config::read;
use kit::testing::START;
use proptest::prelude::*;
#[cfg(target_arch = "wasm32")]
use wasm_bindgen_test::wasm_bindgen_test as test;

use super::*;
use crate::ramp::Ramp;

fn fixed(anchor: Anchor, parts: u16) -> Range {
    Range { anchor, weight: Weight::Fixed(parts) }
}

/// A range by a timetable of hours since the start, each with its share.
fn ramp(anchor: Anchor, shape: &str, points: &[(u64, u16)]) -> Range {
    let points = points.iter().map(|(hour, weight)| {
        let at = spell_instant(Timestamp::from_seconds(START.seconds() + hour * 3_600));
        format!(r#"{{"at": "{at}", "weight": {weight}}}"#)
    });
    let document =
        format!(r#"{{"shape": "{shape}", "points": [{}]}}"#, points.collect::<Vec<_>>().join(", "));
    let ramp = read(document.as_bytes(), Ramp::parse).unwrap_or_else(|problems| panic!("{problems}"));
    Range { anchor, weight: Weight::Ramp(ramp) }
}

#[test]
fn a_range_grows_up_from_its_first_bucket_or_down_from_the_last() {
    let up = fixed(Anchor::Up(100), 10);
    assert_eq!([99, 100, 109, 110].map(|bucket| up.place(bucket, 10)), [None, Some(0), Some(9), None]);
    let down = fixed(Anchor::Down, 10);
    assert_eq!([9_989, 9_990, 9_999].map(|bucket| down.place(bucket, 10)), [None, Some(9), Some(0)]);
    for range in [up, down] {
        assert!((0..ALL).all(|bucket| range.place(bucket, 0).is_none()), "nothing has no place");
    }
    assert!((0..ALL).all(|bucket| fixed(Anchor::Down, ALL).place(bucket, ALL).is_some()));
}

#[test]
fn ranges_that_meet_are_found_and_those_that_touch_are_not() {
    let table = [
        (fixed(Anchor::Up(0), 6_000), fixed(Anchor::Down, 4_000), false),
        (fixed(Anchor::Up(0), 6_001), fixed(Anchor::Down, 4_000), true),
        (fixed(Anchor::Up(0), 10_000), fixed(Anchor::Down, 0), false),
        (fixed(Anchor::Up(0), 100), fixed(Anchor::Up(100), 100), false),
        (fixed(Anchor::Up(0), 101), fixed(Anchor::Up(100), 100), true),
        (fixed(Anchor::Up(0), 101), fixed(Anchor::Up(100), 0), false),
        (fixed(Anchor::Up(100), 1), fixed(Anchor::Up(100), 1), true),
        (fixed(Anchor::Up(100), 1), fixed(Anchor::Up(100), 0), false),
        // One grows into the other.
        (fixed(Anchor::Down, 5_000), ramp(Anchor::Up(0), "linear", &[(0, 100), (24, 5_000)]), false),
        (fixed(Anchor::Down, 5_000), ramp(Anchor::Up(0), "linear", &[(0, 100), (24, 5_001)]), true),
        (
            fixed(Anchor::Down, 5_000),
            ramp(Anchor::Up(0), "linear", &[(0, 100), (12, 5_100), (24, 100)]),
            true,
        ),
        (fixed(Anchor::Up(500), 1), ramp(Anchor::Up(0), "stepped", &[(0, 100), (12, 501), (24, 100)]), true),
        // One takes over from the other: at every instant there is room, on both sides of each step.
        (
            ramp(Anchor::Up(0), "stepped", &[(0, 9_000), (1, 1_000)]),
            ramp(Anchor::Down, "stepped", &[(0, 1_000), (1, 9_000)]),
            false,
        ),
        (
            ramp(Anchor::Up(0), "linear", &[(0, 10_000), (24, 0)]),
            ramp(Anchor::Down, "linear", &[(0, 0), (24, 10_000)]),
            false,
        ),
        // It would be too much for an hour.
        (
            ramp(Anchor::Up(0), "stepped", &[(0, 9_000), (2, 1_000)]),
            ramp(Anchor::Down, "stepped", &[(0, 1_000), (1, 9_000)]),
            true,
        ),
        // At the ends one of them has room, and in between neither.
        (
            ramp(Anchor::Up(0), "linear", &[(0, 200), (24, 100)]),
            ramp(Anchor::Up(100), "linear", &[(0, 0), (24, 200)]),
            true,
        ),
        // Before its step there is nothing to meet.
        (
            ramp(Anchor::Up(0), "stepped", &[(0, 200), (12, 100)]),
            ramp(Anchor::Up(100), "stepped", &[(12, 200)]),
            false,
        ),
    ];
    for (one, other, expected) in table {
        for (one, other) in [(&one, &other), (&other, &one)] {
            assert_eq!(one.meets(other).is_some(), expected, "{one:?} {other:?}");
        }
    }
}

#[test]
fn it_is_said_where_and_when_they_meet() {
    let fixed_ones = fixed(Anchor::Down, 4_000).meets(&fixed(Anchor::Up(0), 7_000));
    let later = fixed(Anchor::Down, 4_000).meets(&ramp(Anchor::Up(0), "stepped", &[(0, 1), (36, 7_000)]));
    let sooner = fixed(Anchor::Up(0), 2).meets(&fixed(Anchor::Up(1), 1));
    expect_test::expect![[r#"
        buckets 6000 to 9999, and that has buckets 0 to 6999
        buckets 6000 to 9999, and that has buckets 0 to 6999 at 2026-01-02T12:00:00Z
        buckets 0 to 1, and that has bucket 1"#]]
    .assert_eq(&[fixed_ones, later, sooner].map(Option::unwrap).join("\n"));
}

/// Any two ranges that a configuration can have beside each other.
fn any_pair() -> impl Strategy<Value = (Range, Range)> {
    let weight = || {
        let points = proptest::collection::vec((1_u64..30, 0..=ALL), 1..4);
        (points, any::<bool>(), any::<bool>()).prop_map(|(points, is_fixed, linear)| {
            let mut hour = 0;
            let points: Vec<_> = points
                .into_iter()
                .map(|(wait, weight)| {
                    hour += wait;
                    (hour, weight)
                })
                .collect();
            if is_fixed {
                return Weight::Fixed(points[0].1);
            }
            ramp(Anchor::Down, if linear { "linear" } else { "stepped" }, &points).weight
        })
    };
    (weight(), weight(), proptest::option::of((0..ALL, 0..ALL))).prop_map(|(one, other, from)| {
        let (first, second) =
            from.map_or((Anchor::Up(0), Anchor::Down), |(a, b)| (Anchor::Up(a), Anchor::Up(b)));
        (Range { anchor: first, weight: one }, Range { anchor: second, weight: other })
    })
}

proptest! {
    #[test]
    fn ranges_that_are_accepted_never_share_a_bucket((one, other) in any_pair(), minutes in 0_u64..7_200) {
        prop_assume!(one.meets(&other).is_none());
        let now = Timestamp::from_seconds(START.seconds() + minutes * 60);
        let [length, others] = [&one, &other].map(|range| range.weight.at(|| now));
        let shared = (0..ALL).find(|bucket| {
            one.place(*bucket, length).is_some() && other.place(*bucket, others).is_some()
        });
        prop_assert_eq!(shared, None);
    }

    #[test]
    fn more_weight_only_adds(up: bool, from in 0..ALL, bucket in 0..ALL, one in 0..=ALL, other in 0..=ALL) {
        let range = fixed(if up { Anchor::Up(from) } else { Anchor::Down }, 0);
        let (less, more) = (one.min(other), one.max(other));
        let place = range.place(bucket, less);
        prop_assert!(place.is_none() || range.place(bucket, more) == place);
    }
}
