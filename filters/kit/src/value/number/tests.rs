//! Numbers against integers that say the same.

use proptest::prelude::*;
#[cfg(target_arch = "wasm32")]
use wasm_bindgen_test::wasm_bindgen_test as test;

use super::*;

fn whole(number: i128) -> Number {
    match u64::try_from(number) {
        Ok(number) => number.into(),
        Err(_) => i64::try_from(number).unwrap().into(),
    }
}

fn float(text: &str) -> Number {
    text.parse::<f64>().unwrap().into()
}

#[test]
fn order_is_that_of_the_values_and_not_of_rounded_ones() {
    use Ordering::{Equal, Greater, Less};
    for (left, right, order) in [
        (whole(1), float("1.5"), Less),
        (whole(2), float("1.5"), Greater),
        (whole(-1), float("-1.5"), Greater),
        (whole(-2), float("-1.5"), Less),
        (whole(0), float("1e-300"), Less),
        (whole(0), float("-1e-300"), Greater),
        (whole(0), float("5e-324"), Less),
        (whole(0), float("-0.0"), Equal),
        (whole(5), float("5.0"), Equal),
        (whole(9_007_199_254_740_993), float("9007199254740992"), Greater),
        (whole(9_007_199_254_740_992), float("9007199254740992"), Equal),
        (whole(9_007_199_254_740_991), float("9007199254740992"), Less),
        (whole(u64::MAX.into()), float("18446744073709551616"), Less),
        (whole(u64::MAX.into()), float("18446744073709549568"), Greater),
        (whole(i64::MIN.into()), float("-9223372036854775808"), Equal),
        (whole(i64::MIN.into()), float("-9223372036854777856"), Greater),
        (whole(u64::MAX.into()), float("1e308"), Less),
        (whole(i64::MIN.into()), float("-1e308"), Greater),
        (whole(u64::MAX.into()), float("inf"), Less),
        (whole(0), float("-inf"), Greater),
        (float("0.1"), float("0.2"), Less),
        (float("1e308"), float("1e300"), Greater),
    ] {
        assert_eq!(left.order(right), Some(order), "{left} and {right}");
        assert_eq!(right.order(left), Some(order.reverse()), "{right} and {left}");
    }
    for number in [whole(0), float("1.5"), float("NaN")] {
        assert_eq!(number.order(float("NaN")), None);
        assert_eq!(float("NaN").order(number), None);
    }
}

#[test]
fn billionths_are_rounded_up_and_end_where_integers_end() {
    for (number, billionths) in [
        (whole(0), 0),
        (whole(-7), -7_000_000_000),
        (whole(u64::MAX.into()), 18_446_744_073_709_551_615_000_000_000),
        (float("0.5"), 500_000_000),
        (float("-0.5"), -500_000_000),
        // A tenth as a float is a little more than a tenth.
        (float("0.1"), 100_000_001),
        (float("-0.1"), -100_000_000),
        (float("1e-300"), 1),
        (float("-1e-300"), 0),
        (float("5e-324"), 1),
        (float("18446744073709551616"), 18_446_744_073_709_551_616_000_000_000),
        (float("1e300"), i128::MAX),
        (float("-1e300"), -i128::MAX),
        (float("inf"), i128::MAX),
        (float("NaN"), i128::MAX),
    ] {
        assert_eq!(number.billionths_up(), billionths, "{number}");
    }
}

#[test]
fn a_number_is_exact_while_no_other_can_have_been_meant() {
    for (number, json) in [
        (whole(u64::MAX.into()), Some("18446744073709551615")),
        (whole(i64::MIN.into()), Some("-9223372036854775808")),
        (float("100.0"), Some("100")),
        (float("-0.0"), Some("0")),
        (float("0.1"), Some("0.1")),
        (float("-1700000000.123"), Some("-1700000000.123")),
        (float("999999999999999.5"), Some("999999999999999.5")),
        (float("1e-7"), Some("0.0000001")),
        (float("1e15"), Some("1000000000000000")),
        (float("1000000000000000.5"), None),
        (float("9007199254740992"), None),
        (float("1e300"), None),
        (float("-inf"), None),
        (float("NaN"), None),
    ] {
        assert_eq!(number.to_json().as_deref(), json, "{number}");
        assert_eq!(number.is_exact(), json.is_some(), "{number}");
    }
}

/// A number of eighths, which floats of this size hold exactly, and the integer that counts them.
fn eighths() -> impl Strategy<Value = (Number, i128)> {
    let small = -800_i64..800;
    let any = -(1_i64 << 52)..(1_i64 << 52);
    prop_oneof![small, any].prop_map(|eighths| {
        let sign = if eighths < 0 { "-" } else { "" };
        let magnitude = eighths.unsigned_abs();
        (float(&format!("{sign}{}.{:03}", magnitude / 8, magnitude % 8 * 125)), eighths.into())
    })
}

/// A number of any kind, and what it is in eighths.
fn number() -> impl Strategy<Value = (Number, i128)> {
    let integer = prop_oneof![
        any::<i64>().prop_map(i128::from),
        any::<u64>().prop_map(i128::from),
        (-100..100_i128).prop_map(|number| number),
    ];
    prop_oneof![eighths(), integer.prop_map(|number| (whole(number), number * 8))]
}

proptest! {
    #[test]
    fn order_and_billionths_agree_with_integers((one, one_in_eighths) in number(), (other, in_eighths) in number()) {
        prop_assert_eq!(one.order(other), Some(one_in_eighths.cmp(&in_eighths)));
        prop_assert_eq!(one.billionths_up(), one_in_eighths * 125_000_000);
    }

    #[test]
    fn any_float_is_ordered_and_shown(one: u64, other: u64, integer: i64) {
        let [one, other] = [f64::from_bits(one), f64::from_bits(other)];
        prop_assert_eq!(Number::from(one).order(other.into()), one.partial_cmp(&other));
        let order = Number::from(one).order(integer.into());
        prop_assert_eq!(order.is_none(), one.is_nan());
        prop_assert!(!Number::from(one).to_string().is_empty());
        if let Some(json) = Number::from(one).to_json() {
            prop_assert_eq!(json.parse::<f64>().unwrap(), one);
        }
    }
}
