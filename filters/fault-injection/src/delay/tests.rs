//! Distributions against their quantiles, and samples of fixed seeds against the same.

use kit::config::read;
use kit::draw::Draws;
use proptest::prelude::*;
#[cfg(target_arch = "wasm32")]
use wasm_bindgen_test::wasm_bindgen_test as test;

use super::*;

/// A place among the draws, in parts of a hundred thousand.
fn at(parts: u64) -> u64 {
    u64::try_from(u128::from(parts) * (1 << 64) / 100_000).unwrap_or(u64::MAX)
}

fn delay(json: &str) -> Delay {
    read(json.as_bytes(), Delay::parse).unwrap_or_else(|problems| panic!("{problems}"))
}

fn refused(json: &str) -> String {
    read(json.as_bytes(), Delay::parse).err().map(|problems| problems.to_string()).unwrap_or_default()
}

const STANDARD: &str = r#"{"normal": {"mean": "10s", "deviation": "1s", "max": "20s"}}"#;

#[test]
fn a_normal_delay_has_the_quantiles_of_the_normal_distribution() {
    // From the table of the standard normal distribution: the share, and the deviations in parts of 10,000.
    const QUANTILES: [(u64, u64); 8] = [
        (50_000, 0),
        (60_000, 2_533),
        (75_000, 6_745),
        (84_134, 9_999),
        (90_000, 12_816),
        (97_500, 19_600),
        (99_900, 30_902),
        (99_999, 42_649),
    ];
    let normal = delay(STANDARD);
    for (share, deviations) in QUANTILES {
        let above = normal.of(at(share)).as_micros();
        let below = normal.of(at(100_000 - share)).as_micros();
        let away = u128::from(deviations) * 100;
        assert!(above.abs_diff(10_000_000 + away) < 400, "p{share}: {above}");
        assert!(below.abs_diff(10_000_000 - away) < 400, "p{}: {below}", 100_000 - share);
    }
}

#[test]
fn a_normal_delay_is_never_negative_and_never_more_than_its_maximum() {
    let wide = delay(r#"{"normal": {"mean": "1ms", "deviation": "10ms", "max": "5ms"}}"#);
    assert_eq!(wide.of(0), Duration::ZERO);
    assert_eq!(wide.of(u64::MAX), Duration::from_millis(5));
    // The default maximum is four deviations above the mean.
    let usual = delay(r#"{"normal": {"mean": "10ms", "deviation": "1ms"}}"#);
    assert_eq!(usual.of(u64::MAX), Duration::from_millis(14));
    assert!(delay(STANDARD).of(0) < Duration::from_secs(4), "the tail goes on below four deviations");
}

#[test]
fn an_exponential_delay_has_the_quantiles_of_the_exponential_distribution() {
    // -ln(1 - share), in millionths.
    const QUANTILES: [(u64, u64); 7] = [
        (1_000, 10_050),
        (50_000, 693_147),
        (63_212, 999_999),
        (90_000, 2_302_585),
        (95_000, 2_995_732),
        (99_000, 4_605_170),
        (99_999, 11_512_925),
    ];
    let exponential = delay(r#"{"exponential": {"mean": "1s", "max": "60s"}}"#);
    for (share, expected) in QUANTILES {
        let found = exponential.of(at(share)).as_micros();
        assert!(found.abs_diff(expected.into()) < 60, "p{share}: {found}, not {expected}");
    }
    assert_eq!(exponential.of(0), Duration::ZERO);
    assert_eq!(exponential.of(u64::MAX).as_secs(), 44, "64 halvings, and no end of it");
    assert_eq!(delay(r#"{"exponential": {"mean": "1s"}}"#).of(u64::MAX).as_secs(), 10);
}

#[test]
fn percentiles_are_met_exactly_with_straight_lines_between() {
    let dashboard = delay(r#"{"percentiles": {"p99": "1s", "p50": "10ms", "p90": "100ms"}}"#);
    for (share, expected) in [
        (0, 0),
        (25_000, 5_000),
        (50_000, 10_000),
        (70_000, 55_000),
        (90_000, 100_000),
        (94_500, 550_000),
        (99_000, 1_000_000),
        (99_999, 1_000_000),
    ] {
        let found = dashboard.of(at(share)).as_micros();
        assert!(found.abs_diff(expected) <= 1, "p{share}: {found}");
    }
    let from = delay(r#"{"percentiles": {"p0": "5ms", "p99.9": "10ms", "p100": "20ms"}}"#);
    assert_eq!(from.of(0), Duration::from_millis(5));
    assert_eq!(from.of(u64::MAX).as_millis(), 19);
}

#[test]
fn a_uniform_delay_reaches_both_ends_and_the_middle() {
    let uniform = delay(r#"{"uniform": {"min": "10ms", "max": "20ms"}}"#);
    assert_eq!(uniform.of(0), Duration::from_millis(10));
    assert_eq!(uniform.of(1 << 63).as_micros(), 15_000);
    assert_eq!(uniform.of(u64::MAX), Duration::from_millis(20));
    assert_eq!(delay(r#"{"uniform": {"min": "1s", "max": "1s"}}"#).of(9), Duration::from_secs(1));
    assert_eq!(delay(r#"{"fixed": "200ms"}"#).of(9), Duration::from_millis(200));
}

#[test]
fn samples_of_a_fixed_seed_lie_about_the_quantiles_as_they_must() {
    for json in [
        STANDARD,
        r#"{"exponential": {"mean": "1s", "max": "60s"}}"#,
        r#"{"uniform": {"min": "1s", "max": "3s"}}"#,
        r#"{"percentiles": {"p50": "10ms", "p90": "100ms", "p99": "1s"}}"#,
    ] {
        let delay = delay(json);
        for seed in [1, 2026, u64::MAX] {
            let draws = Draws::new(seed);
            let samples: Vec<Duration> = (0..20_000).map(|_| delay.of(draws.next())).collect();
            for share in [1_000, 10_000, 25_000, 50_000, 75_000, 90_000, 99_000] {
                let quantile = delay.of(at(share));
                let below = samples.iter().filter(|sample| **sample < quantile).count();
                // Twenty thousand samples miss a share by five of their own deviations once in a million times.
                let expected = usize::try_from(share).unwrap() / 5;
                assert!(below.abs_diff(expected) < 360, "{json} from {seed}, p{share}: {below}");
            }
        }
    }
}

#[test]
fn what_is_no_distribution_is_refused() {
    for (json, problem) in [
        ("{}", "needs one of fixed, uniform, normal, exponential, percentiles (example: {fixed: 200ms})"),
        (r#"{"fixed": "6m"}"#, "fixed: must be between 0s and 5m, got \"6m\""),
        (r#"{"uniform": {"min": "2s", "max": "1s"}}"#, "uniform: has a `max` that is less than its `min`"),
        (
            r#"{"normal": {"mean": "2s", "deviation": "1s", "max": "1s"}}"#,
            "normal: has a `max` that is less than its `mean`",
        ),
        (
            r#"{"exponential": {"mean": "2s", "max": "1s"}}"#,
            "exponential: has a `max` that is less than its `mean`",
        ),
        (r#"{"percentiles": {}}"#, "percentiles: must not be empty (example: {p50: 10ms, p99: 1s})"),
        (
            r#"{"percentiles": {"p50": "2s", "p90": "1s"}}"#,
            "percentiles: has a percentile that is less than a lower one",
        ),
        (r#"{"percentiles": {"p50": "1s", "p50.0": "1s"}}"#, "percentiles: has a percentile twice"),
        (
            r#"{"percentiles": {"p101": "1s"}}"#,
            "percentiles.p101: is not a percentile: p and a number from 0 to 100 (examples: p50, p99.9)",
        ),
    ] {
        assert_eq!(refused(json), problem, "{json}");
    }
}

proptest! {
    #[test]
    fn a_higher_draw_is_never_a_shorter_delay_and_none_leaves_its_bounds(one: u64, other: u64) {
        let (low, high) = (one.min(other), one.max(other));
        for (json, max) in [
            (STANDARD, 20),
            (r#"{"exponential": {"mean": "1s", "max": "9s"}}"#, 9),
            (r#"{"uniform": {"min": "1s", "max": "3s"}}"#, 3),
            (r#"{"percentiles": {"p50": "10ms", "p90": "100ms", "p99": "1s"}}"#, 1),
        ] {
            let delay = delay(json);
            prop_assert!(delay.of(low) <= delay.of(high), "{json}");
            prop_assert!(delay.of(high) <= Duration::from_secs(max), "{json}");
        }
    }
}
