//! Variants beside each other: what they leave, and what is refused.

use kit::config::read;
#[cfg(target_arch = "wasm32")]
use wasm_bindgen_test::wasm_bindgen_test as test;

use super::*;

fn variants(json: &str) -> Result<Vec<Variant>, String> {
    let document = format!(r#"{{"variants": {json}}}"#);
    let variants = read(document.as_bytes(), |node| {
        let mut object = node.object()?;
        let variants = object.required("variants").and_then(|node| parse(&node, Some(false)));
        object.finish();
        variants
    });
    variants.map_err(|problems| problems.to_string())
}

fn anchors(json: &str) -> Vec<Anchor> {
    let variants = variants(json).unwrap();
    variants.into_iter().filter_map(|variant| Some(variant.range?.anchor)).collect()
}

#[test]
fn one_variant_grows_up_and_a_second_one_down() {
    assert_eq!(anchors(r#"[{"name": "v1"}, {"name": "v2", "weight": "5%"}]"#), [Anchor::Up(0)]);
    assert_eq!(
        anchors(r#"[{"name": "v1"}, {"name": "v2"}, {"name": "v3", "weight": "100%"}]"#),
        [Anchor::Up(0), Anchor::Down]
    );
    assert_eq!(
        anchors(
            r#"[{"name": "v1"}, {"name": "v2", "from": 7}, {"name": "v3", "from": 8}, {"name": "v4", "from": 9}]"#
        ),
        [Anchor::Up(7), Anchor::Up(8), Anchor::Up(9)]
    );
    assert_eq!(anchors(r#"[{"name": "v1"}, {"name": "v2", "from": 100, "weight": 1}]"#), [Anchor::Up(100)]);
}

#[test]
fn the_weight_of_the_baseline_is_what_the_others_leave() {
    for right in [
        r#"[{"name": "v1", "weight": 9500}, {"name": "v2", "weight": 500}]"#,
        r#"[{"name": "v1", "weight": "90%"}, {"name": "v2", "weight": "5%"}, {"name": "v3", "weight": "5%"}]"#,
        r#"[{"name": "v1", "weight": 0}, {"name": "v2", "weight": "100%"}]"#,
    ] {
        assert!(variants(right).is_ok(), "{right}");
    }
    let wrong = [
        r#"[{"name": "v1", "weight": 95}, {"name": "v2", "weight": 5}]"#,
        r#"[{"name": "v1", "weight": 1}, {"name": "v2", "weight": 9000}, {"name": "v3", "weight": 9000}]"#,
        r#"[{"name": "v1", "weight": 1}, {"name": "v2", "ramp": {"points": [{"at": "2026-01-01T00:00:00Z", "weight": 1}]}}]"#,
        r#"[{"name": "v1", "ramp": {"points": [{"at": "2026-01-01T00:00:00Z", "weight": 1}]}}, {"name": "v2"}]"#,
        r#"[{"name": "v1", "from": 0}, {"name": "v2"}]"#,
    ];
    expect_test::expect![[r#"
        variants[0].weight: must be what the others leave: write 9995 (99.95%), or leave it out
        variants[2].weight: takes buckets of "v2": it has buckets 1000 to 9999, and that has buckets 0 to 8999
        variants[0].weight: changes with the ramp of another variant: leave it out, it is what the others leave
        variants[0].ramp: is not for the baseline: it has what the others leave; give them a ramp
        variants[0].from: is not for the baseline: it has all buckets that the others leave"#]]
    .assert_eq(&wrong.map(|json| variants(json).unwrap_err()).join("\n"));
}

#[test]
fn what_is_wrong_is_named_with_what_to_do() {
    let wrong = [
        r#"[{"name": "v1"}]"#,
        r#"[{"name": "V1", "wieght": 5}, {"name": "always"}]"#,
        r#"[{"name": "v1"}, {"name": "v1"}]"#,
        r#"[{"name": "v1", "cluster": "a b"}, {"name": "v2"}]"#,
        r#"[{"name": "v1"}, {"name": "v2", "weight": 5, "ramp": {"points": [{"at": "2026-01-01T00:00:00Z", "weight": 1}]}}]"#,
        r#"[{"name": "v1"}, {"name": "v2"}, {"name": "v3"}, {"name": "v4"}]"#,
        r#"[{"name": "v1"}, {"name": "v2", "from": 0}, {"name": "v3"}]"#,
        r#"[{"name": "v1"}, {"name": "v2", "from": 9000, "weight": 1001}]"#,
        r#"[{"name": "v1"}, {"name": "v2", "from": 10000}]"#,
        r#"[{"name": "v1"}, {"name": "v2", "weight": "60%"}, {"name": "v3", "weight": "50%"}]"#,
        r#"[{"name": "v1"}, {"name": "v2", "weight": "60%"},
            {"name": "v3", "ramp": {"points": [{"at": "2026-01-01T00:00:00Z", "weight": "1%"}, {"at": "2026-01-02T00:00:00Z", "weight": "50%"}]}}]"#,
    ];
    expect_test::expect![[r#"
        variants: must be 2 to 16 variants, the first of which is the baseline; got 1
        variants[0].name: "V1" is not a name: a letter or digit, then up to 63 more, _ or -, all lower case; "v1" would do
        variants[0].wieght: unknown field, did you mean "weight"?
        variants[1].name: "always" is what testers write for a variant; choose another name
        variants[1]: another variant is called "v1"; names must differ
        variants[0].cluster: must be plain ASCII without spaces, as it becomes the value of a header
        variants[0].cluster: is written nowhere: say in which header, with `cluster_header` in `output`
        variants[1].weight: is beside a `ramp`, which says what the weight is and when; give one of them
        variants[1]: needs `from`, its first bucket: more than two variants beside the baseline can't all grow without it
        variants[2]: needs `from`, its first bucket: more than two variants beside the baseline can't all grow without it
        variants[3]: needs `from`, its first bucket: more than two variants beside the baseline can't all grow without it
        variants[2]: needs `from`, its first bucket, as another variant has one
        variants[1].weight: is more than what there is from its first bucket (`from`) to the last one, 9999
        variants[1].from: must be between 0 and 9999, got 10000
        variants[2].weight: takes buckets of "v2": it has buckets 5000 to 9999, and that has buckets 0 to 5999
        variants[2].ramp: takes buckets of "v2": it has buckets 5000 to 9999, and that has buckets 0 to 5999 at 2026-01-02T00:00:00Z"#]]
    .assert_eq(&wrong.map(|json| variants(json).unwrap_err()).join("\n"));
}

#[test]
fn a_cluster_is_there_where_a_header_says_it() {
    let document = br#"{"variants": [{"name": "v1", "cluster": "one"}, {"name": "v2"}]}"#;
    let problems = read(document, |node| {
        let mut object = node.object()?;
        let variants = object.required("variants").and_then(|node| parse(&node, Some(true)));
        object.finish();
        variants
    });
    assert_eq!(
        problems.unwrap_err().to_string(),
        "variants[1]: needs a `cluster`, which `cluster_header` in `output` is to say"
    );
}
