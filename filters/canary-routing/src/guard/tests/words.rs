//! What can be written in a configuration.

use expect_test::{Expect, expect};
#[cfg(target_arch = "wasm32")]
use wasm_bindgen_test::wasm_bindgen_test as test;

use super::*;

#[test]
fn everything_has_a_default() {
    let automatic = r#"{"window": "60s", "min_requests": 50, "worse_by": "1%", "false_alarms": "1%", "reset": "",
        "recovery": "automatic", "cooldown": "5m", "probe": "1%", "recover_over": "10m"}"#;
    assert_eq!(guard("{}"), guard(automatic));
    assert_eq!(guard("{}").mode, None);
    assert_eq!(guard(r#"{"mode": "shadow"}"#).mode, Some(Mode::Shadow));
    assert_eq!(guard("{}").slice, nanos(Duration::from_secs(10)));
}

#[test]
fn the_threshold_is_that_of_the_evidence_that_begins_in_a_day() {
    for (json, begun, alarms) in [
        ("{}", 8_646.0, 0.01),
        (r#"{"window": "10s", "false_alarms": "0.1%"}"#, 51_847.0, 0.001),
        (r#"{"window": "1h", "false_alarms": "50%"}"#, 150.0, 0.5),
    ] {
        let expected = f64::ln(begun / alarms);
        assert!((guard(json).threshold - expected).abs() < 1e-9, "{json}: {}", guard(json).threshold);
    }
}

fn refused(json: &str, expected: Expect) {
    expected.assert_eq(&read(json.as_bytes(), Guard::parse).unwrap_err().to_string());
}

#[test]
fn what_cannot_be_is_refused() {
    refused(
        r#"{"window": "9s", "min_requests": 0, "probe": "0%"}"#,
        expect![[r#"
        window: must be between 10s and 1h, got "9s"
        min_requests: must be between 1 and 1000000, got 0
        probe: must be between 0.01% and 100%, got 0%"#]],
    );
    refused(
        r#"{"worse_by": "91%", "false_alarms": "0%", "resets": 1}"#,
        expect![[r#"
        worse_by: must be between 0% and 90%, got 91%
        false_alarms: must be between 0.0001% and 50%, got 0%
        resets: unknown field, did you mean "reset"?"#]],
    );
    refused(
        r#"{"recovery": "manual", "cooldown": "1m", "probe": "1%"}"#,
        expect![[r#"
        cooldown: has no effect beside `recovery: manual`: remove one of them
        probe: has no effect beside `recovery: manual`: remove one of them"#]],
    );
    refused(
        r#"{"recovery": "never", "cooldown": "2d", "max_error_rate": "101%"}"#,
        expect![[r#"
        max_error_rate: "101%" is more than 100%
        recovery: "never" is not one of automatic, manual
        cooldown: must be between 1s and 1d, got "2d""#]],
    );
}
