//! Timetables at their edges, and how shares are written.

use std::time::Duration;

use kit::config::read;
use kit::testing::START;
use proptest::prelude::*;
#[cfg(target_arch = "wasm32")]
use wasm_bindgen_test::wasm_bindgen_test as test;

use super::*;

fn ramp(json: &str) -> Result<Ramp, String> {
    let document = format!(r#"{{"ramp": {json}}}"#);
    let ramp = read(document.as_bytes(), |node| {
        let mut object = node.object()?;
        let ramp = object.required("ramp").and_then(|node| Ramp::parse(&node));
        object.finish();
        ramp
    });
    ramp.map_err(|problems| problems.to_string())
}

/// From 1 % at the start to 50 % a day later, and 20 % after another.
fn example(shape: &str) -> Ramp {
    let points = r#"[{"at": "2026-01-01T00:00:00Z", "weight": "1%"}, {"at": "2026-01-02T00:00:00Z", "weight": "50%"},
        {"at": "2026-01-03T00:00:00Z", "weight": 2000}]"#;
    ramp(&format!(r#"{{"shape": "{shape}", "points": {points}}}"#)).unwrap()
}

const DAY: Duration = Duration::from_secs(86_400);
const INSTANT: Duration = Duration::from_millis(1);

#[test]
fn a_linear_ramp_goes_straight_from_point_to_point() {
    let ramp = example("linear");
    for (now, expected) in [
        (Timestamp::EPOCH, 0),
        (START.before(INSTANT), 0),
        (START, 100),
        (START.after(INSTANT), 100),
        (START.after(DAY / 4), 1_325),
        (START.after(DAY / 2), 2_550),
        (START.after(DAY).before(INSTANT), 4_999),
        (START.after(DAY), 5_000),
        (START.after(DAY).after(INSTANT), 4_999),
        (START.after(DAY * 3 / 2), 3_500),
        (START.after(DAY * 2).before(INSTANT), 2_000),
        (START.after(DAY * 2), 2_000),
        (START.after(DAY * 2_000), 2_000),
        (Timestamp::from_nanos(u64::MAX), 2_000),
    ] {
        assert_eq!(ramp.at(now), expected, "at {now}");
    }
}

#[test]
fn a_stepped_ramp_stays_until_the_next_point() {
    let ramp = example("stepped");
    for (now, expected) in [
        (START.before(INSTANT), 0),
        (START, 100),
        (START.after(DAY).before(INSTANT), 100),
        (START.after(DAY), 5_000),
        (START.after(DAY * 2).before(INSTANT), 5_000),
        (START.after(DAY * 2), 2_000),
        (START.after(DAY * 2_000), 2_000),
    ] {
        assert_eq!(ramp.at(now), expected, "at {now}");
    }
}

#[test]
fn a_step_has_two_sides_and_a_straight_line_has_one() {
    let at = milliseconds(START.after(DAY));
    let both = |ramp: &Ramp| [Side::Before, Side::At].map(|side| ramp.exact(at, side).floor());
    assert_eq!(both(&example("stepped")), [100, 5_000]);
    assert_eq!(both(&example("linear")), [5_000, 5_000]);
    let first = milliseconds(START);
    assert_eq!([Side::Before, Side::At].map(|side| example("linear").exact(first, side).floor()), [0, 100]);
}

#[test]
fn one_point_is_a_switch() {
    let ramp = ramp(r#"{"points": [{"at": "2026-01-02T00:00:00Z", "weight": "100%"}]}"#).unwrap();
    assert_eq!(ramp.at(START), 0);
    assert_eq!(ramp.at(START.after(DAY)), 10_000);
}

#[test]
fn shares_are_whole_parts_of_ten_thousand() {
    let read = |json: &str| {
        let document = format!(r#"{{"weight": {json}}}"#);
        let parts = read(document.as_bytes(), |node| {
            let mut object = node.object()?;
            let parts = object.required("weight").and_then(|node| parts(&node));
            object.finish();
            parts
        });
        parts.map_err(|problems| problems.to_string())
    };
    for (json, expected) in [
        ("0", 0),
        ("500", 500),
        ("10000", 10_000),
        ("500.0", 500),
        (r#""5%""#, 500),
        (r#""0.01%""#, 1),
        (r#""33.33%""#, 3_333),
        (r#""100%""#, 10_000),
        (r#""0%""#, 0),
    ] {
        assert_eq!(read(json), Ok(expected), "{json}");
        assert_eq!(read(&format!("{:?}", percent(expected))), Ok(expected), "{json}");
    }
    expect_test::expect![[r#"
        weight: must be between 0 and 10000, got 10001
        weight: must be a whole number, got 0.5
        weight: "0.005%" is finer than 0.01%, which is one part of 10000
        weight: "101%" is more than 100%
        weight: "5" has no percent sign (examples: 5%, 0.05%, 100%)"#]]
    .assert_eq(
        &["10001", "0.5", r#""0.005%""#, r#""101%""#, r#""5""#]
            .map(|json| read(json).unwrap_err())
            .join("\n"),
    );
}

#[test]
fn every_problem_of_a_timetable_is_named() {
    let problems = ramp(
        r#"{"shape": "curved", "points": [{"at": "tomorrow", "weight": "1%"}, {"weight": "1%"}, {"at": "2026-01-01", "wait": 1}]}"#,
    );
    expect_test::expect![[r#"
        ramp.shape: "curved" is not one of linear, stepped
        ramp.points[0].at: "tomorrow" is not an instant (example: 2026-03-01T00:00:00Z)
        ramp.points[1].at: is required
        ramp.points[2].at: "2026-01-01" is not an instant (example: 2026-03-01T00:00:00Z)
        ramp.points[2].weight: is required
        ramp.points[2].wait: unknown field (known: at, weight)"#]]
    .assert_eq(&problems.unwrap_err());
    let unordered = ramp(
        r#"{"points": [{"at": "2026-01-02T00:00:00Z", "weight": 1}, {"at": "2026-01-01T00:00:00Z", "weight": 2},
            {"at": "2026-01-01T00:00:00.0001Z", "weight": 3}]}"#,
    );
    expect_test::expect![[r#"
        ramp.points[1]: is not after the point before it, by a millisecond at least
        ramp.points[2]: is not after the point before it, by a millisecond at least"#]]
    .assert_eq(&unordered.unwrap_err());
    assert_eq!(ramp(r#"{"points": []}"#).unwrap_err(), "ramp.points: must not be empty");
}

/// A timetable of any points, which are days apart or a millisecond.
fn any_ramp() -> impl Strategy<Value = Ramp> {
    let point = (prop_oneof![1_u64..20, 1..u64::from(u32::MAX)], 0..=ALL);
    (proptest::collection::vec(point, 1..6), any::<bool>()).prop_map(|(points, linear)| {
        let mut at = 0;
        let points = points.into_iter().map(|(wait, weight)| {
            at += wait;
            Point { at, weight }
        });
        Ramp { points: points.collect(), shape: if linear { Shape::Linear } else { Shape::Stepped } }
    })
}

proptest! {
    #[test]
    fn a_share_is_between_those_of_the_points_around_it(ramp in any_ramp(), at: u64) {
        let at = at % (u64::from(u32::MAX) * 6);
        let now = Timestamp::from_nanos(at * 1_000_000 + 999_999);
        let before = ramp.points.iter().rfind(|point| point.at <= at).map_or(0, |point| point.weight);
        let after = ramp.points.iter().find(|point| at < point.at).map_or(before, |point| point.weight);
        let started = ramp.points[0].at <= at;
        let after = if started && ramp.shape == Shape::Linear { after } else { before };
        let share = ramp.at(now);
        prop_assert!(before.min(after) <= share && share <= before.max(after), "{before} {share} {after}");
    }

    #[test]
    fn what_grows_never_shrinks_in_between(ramp in any_ramp(), at: u64, wait in 0_u64..1_000) {
        let mut ramp = ramp;
        let mut weights: Vec<u16> = ramp.points.iter().map(|point| point.weight).collect();
        weights.sort_unstable();
        for (point, weight) in ramp.points.iter_mut().zip(weights) {
            point.weight = weight;
        }
        let at = at % (u64::from(u32::MAX) * 6);
        let share = |at: u64| ramp.at(Timestamp::from_nanos(at * 1_000_000));
        prop_assert!(share(at) <= share(at + wait));
    }
}
