//! Schedules over midnight, week ends and leap days.

use kit::config::read;
use kit::units::instant;
use proptest::prelude::*;
#[cfg(target_arch = "wasm32")]
use wasm_bindgen_test::wasm_bindgen_test as test;

use super::*;

fn schedule(json: &str) -> Schedule {
    read(json.as_bytes(), Schedule::parse).unwrap_or_else(|problems| panic!("{problems}"))
}

fn refused(json: &str) -> String {
    read(json.as_bytes(), Schedule::parse).err().map(|problems| problems.to_string()).unwrap_or_default()
}

#[track_caller]
fn check(json: &str, cases: &[(&str, bool)]) {
    let schedule = schedule(json);
    for (text, expected) in cases {
        assert_eq!(schedule.holds(instant(text).unwrap()), *expected, "{json} at {text}");
    }
}

#[test]
fn a_schedule_begins_at_its_first_instant_and_is_over_at_its_last() {
    check(
        r#"{"start": "2026-12-01T00:00:00Z", "end": "2026-12-02T00:00:00+01:00"}"#,
        &[
            ("2026-11-30T23:59:59.999999999Z", false),
            ("2026-12-01T00:00:00Z", true),
            ("2026-12-01T22:59:59Z", true),
            ("2026-12-01T23:00:00Z", false),
        ],
    );
    assert!(schedule("{}").is_always());
    assert!(schedule("{}").holds(Timestamp::EPOCH));
}

#[test]
fn hours_are_those_of_the_day_in_utc() {
    check(
        r#"{"days": ["mon", "fri"], "hours": "09:00-17:00"}"#,
        &[
            // The first of June 2026 is a Monday.
            ("2026-06-01T08:59:59Z", false),
            ("2026-06-01T09:00:00Z", true),
            ("2026-06-01T16:59:59Z", true),
            ("2026-06-01T17:00:00Z", false),
            ("2026-06-02T12:00:00Z", false),
            ("2026-06-05T12:00:00Z", true),
            ("2026-06-01T12:00:00+05:00", false),
        ],
    );
    check(r#"{"hours": "22:00-24:00"}"#, &[("2026-06-01T23:59:59Z", true), ("2026-06-02T00:00:00Z", false)]);
}

#[test]
fn hours_over_midnight_belong_to_the_day_on_which_they_began() {
    check(
        r#"{"days": ["fri"], "hours": "22:00-02:00"}"#,
        &[
            ("2026-06-05T01:00:00Z", false),
            ("2026-06-05T22:00:00Z", true),
            ("2026-06-06T01:59:59Z", true),
            ("2026-06-06T02:00:00Z", false),
            ("2026-06-06T22:00:00Z", false),
        ],
    );
    // From Sunday into Monday, which begins a week.
    check(
        r#"{"days": ["sun"], "hours": "23:30-00:30"}"#,
        &[("2026-06-07T23:30:00Z", true), ("2026-06-08T00:29:59Z", true), ("2026-06-08T23:30:00Z", false)],
    );
}

#[test]
fn week_ends_and_leap_days_are_where_the_calendar_has_them() {
    let weekend = r#"{"days": ["sat", "sun"]}"#;
    check(
        weekend,
        &[
            ("2026-06-05T23:59:59Z", false),
            ("2026-06-06T00:00:00Z", true),
            ("2026-06-07T23:59:59Z", true),
            ("2026-06-08T00:00:00Z", false),
            // A leap day that is a Tuesday, one that is a Saturday, and the day after a February without one.
            ("2028-02-29T12:00:00Z", false),
            ("2048-02-29T12:00:00Z", true),
            ("2100-02-28T12:00:00Z", true),
            ("2100-03-01T12:00:00Z", false),
        ],
    );
    check(
        r#"{"days": ["tue"], "hours": "22:00-02:00"}"#,
        &[("2028-02-29T23:00:00Z", true), ("2028-03-01T01:00:00Z", true), ("2028-03-01T03:00:00Z", false)],
    );
}

#[test]
fn what_is_no_schedule_is_refused() {
    for (json, problem) in [
        (
            r#"{"hours": "9-17"}"#,
            "hours: \"9-17\" are not hours (examples: \"09:00-17:00\", \"22:00-02:00\"); they are UTC, from 00:00 to 24:00",
        ),
        (r#"{"hours": "09:00-09:00"}"#, "hours: \"09:00-09:00\" are no hours; for whole days leave it out"),
        (r#"{"hours": "24:00-02:00"}"#, "hours: \"24:00-02:00\" are no hours; for whole days leave it out"),
        (r#"{"days": []}"#, "days: must not be empty"),
        (r#"{"days": ["monday"]}"#, "days[0]: \"monday\" is not one of mon, tue, wed, thu, fri, sat, sun"),
        (
            r#"{"start": "2026-12-01T00:00:00Z", "end": "2026-12-01T00:00:00Z"}"#,
            "has an `end` that isn't after its `start`",
        ),
    ] {
        assert_eq!(refused(json), problem);
    }
}

proptest! {
    #[test]
    fn every_second_is_in_the_hours_or_in_those_that_are_left(
        from in 0_u64..1_440,
        to in 0_u64..1_440,
        second in 0_u64..40_000_000_000,
    ) {
        prop_assume!(from != to);
        let hours = |from, to| Schedule { hours: Some((from * 60, to * 60)), ..Schedule::default() };
        let now = Timestamp::from_seconds(second);
        // Not before the second day there is, whose night began before time did.
        prop_assume!(second >= DAY);
        prop_assert_ne!(hours(from, to).holds(now), hours(to, from).holds(now));
    }
}
