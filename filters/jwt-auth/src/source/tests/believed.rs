//! What is believed: a plain 200 with keys in it. Everything else leaves the old set as it is, for a while.

use expect_test::expect;
#[cfg(target_arch = "wasm32")]
use wasm_bindgen_test::wasm_bindgen_test as test;

use super::*;

#[test]
fn only_a_plain_200_with_a_key_of_use_is_taken() {
    let curve = jwks(&["x"]).replace("P-256", "P-999");
    let huge = format!("{}{}", jwks(&["x"]), " ".repeat(1 << 10));
    let many: Vec<String> = (0..5).map(|number| number.to_string()).collect();
    let many = jwks(&many.iter().map(String::as_str).collect::<Vec<_>>());
    let good = jwks(&["b"]);
    let process =
        Process::new(3, r#", "max_size": "1KiB", "max_keys": 4, "retry": "100ms", "min_refresh": "1s""#);
    process.fetch("200", &[], &jwks(&["a"]));
    process.run(10 * MINUTE);
    let mut log = process.log();
    for (status, body) in [
        ("500", good.as_str()),
        ("503", &good),
        ("504", "stream timeout"),
        ("201", &good),
        ("204", ""),
        ("206", &good),
        ("302", &good),
        ("404", "<html>"),
        ("", ""),
        ("nonsense", &good),
        ("200", ""),
        ("200", "<html>secret</html>"),
        ("200", r#"{"keys":[]}"#),
        ("200", &curve),
        ("200", &huge),
        ("200", &many),
    ] {
        process.fetch(status, &[("location", "https://elsewhere.example.com/")], body);
        assert_eq!(process.outcomes("a"), "passes passes passes", "{status} {body}");
        let line = process.log();
        assert_eq!(line.lines().count(), 1, "{line}");
        // How long the next wait is, was drawn; what is wrong with a set, its parser says in its own words.
        let line = line.split(" (next").next().unwrap();
        let end =
            ["the document: ", "is of use: "].iter().find_map(|words| Some(line.find(words)? + words.len()));
        log.push_str(line.get(..end.unwrap_or(line.len())).unwrap());
        log.push('\n');
    }
    assert_eq!((process.count("succeeded"), process.count("failed")), (1, 16));
    process.fetch("200", &[], &good);
    assert_eq!(process.outcomes("b"), "passes passes passes");
    let log = log.replace(
        "provider corp: no keys from https://issuer.example.com/keys through the cluster issuer",
        "...",
    );
    expect![[r#"
        Info provider corp: 1 key from https://issuer.example.com/keys
        Warn ...: the answer was 500
        Warn ...: the answer was 503, or there was none
        Warn ...: the answer was 504, or there was none
        Warn ...: the answer was 201
        Warn ...: the answer was 204
        Warn ...: the answer was 206
        Warn ...: the answer was 302, and redirects are not followed; give the final `uri`
        Warn ...: the answer was 404
        Warn ...: the connection broke
        Warn ...: the connection broke
        Warn ...: the document: 
        Warn ...: the document: 
        Warn ...: the document has no keys
        Warn ...: none of the document's keys is of use: 
        Warn ...: the document has 1171 bytes, and `max_size` is 1KiB
        Warn ...: the document: 
    "#]]
    .assert_eq(&log);
}

#[test]
fn an_old_set_serves_for_as_long_as_the_operator_allows() {
    let process = Process::new(3, r#", "stale_for": "30m""#);
    process.fetch("200", &[], &jwks(&["a"]));
    process.run(10 * MINUTE);
    let end = process.world.now().after(29 * MINUTE);
    while process.world.now() < end {
        process.fetch("503", &[], "");
        assert_eq!(process.outcomes("a"), "passes passes passes");
    }
    process.run(MINUTE);
    assert_ne!(outcome(&process.ask(0, "a")), "passes");
    process.fetch("503", &[], "");
    assert_eq!(process.outcomes("a"), "failing failing failing");
    process.fetch("200", &[], &jwks(&["a"]));
    assert_eq!(process.outcomes("a"), "passes passes passes");
}

#[test]
fn waits_after_failures_get_longer() {
    let process = Process::new(3, "");
    let mut waits = Vec::new();
    for _ in 0..8 {
        process.run_to_fetch();
        process.answer("503", &[], "");
        let failed = process.world.now();
        process.run_to_fetch();
        waits.push(process.world.now().since(failed).as_millis());
    }
    for (wait, whole) in waits.iter().zip([1_000, 2_000, 4_000, 8_000, 16_000, 30_000, 30_000, 30_000]) {
        assert!((whole / 2..=whole + 50).contains(wait), "{waits:?}");
    }
}

#[test]
fn requests_before_the_first_set_are_not_woken_until_there_is_one_however_often_fetching_fails() {
    let process = Process::new(2, "");
    let mut waiting = process.ask(0, "a");
    let mut other = process.ask(1, "a");
    for _ in 0..5 {
        process.run_to_fetch();
        process.answer("404", &[], "");
        process.run(Duration::from_millis(60));
        assert_eq!(process.outcomes("a"), "failing failing");
        assert!(process.roused.borrow().is_empty(), "there is nothing new for them");
    }
    process.fetch("200", &[], &jwks(&["a"]));
    assert_eq!(process.rouse(0, &mut waiting), "passes");
    assert_eq!(process.rouse(1, &mut other), "passes");
}

#[test]
fn requests_are_not_woken_by_failures_after_the_old_set_is_over_either() {
    let process = Process::new(1, r#", "stale_for": "10s""#);
    process.fetch("200", &[], &jwks(&["a"]));
    process.world.pass(HOUR);
    let mut waiting = process.ask(0, "a");
    assert_eq!(outcome(&waiting), "waits");
    process.fetch("503", &[], "");
    assert!(process.roused.borrow().is_empty());
    process.fetch("200", &[], &jwks(&["a"]));
    assert_eq!(process.rouse(0, &mut waiting), "passes");
}

#[test]
fn values_that_a_stranger_put_there_count_as_absent() {
    for garbage in [b"".as_slice(), b"garbage", &[0xff; 72], &[0; 72], &[0xff; 8192]] {
        let process = Process::new(3, "");
        process.fetch("200", &[], &jwks(&["a"]));
        process.world.memory().overwrite(garbage);
        assert_eq!(process.outcomes("a"), "passes passes passes");
        process.run(9 * MINUTE);
        process.run_to_fetch();
        assert_eq!(process.outcomes("a"), "passes passes passes");
        process.answer("200", &[], &jwks(&["b"]));
        process.run(Duration::from_millis(60));
        assert_eq!(process.outcomes("b"), "passes passes passes");
        assert_eq!(process.fetches(), 2);
        // While it is fetched.
        process.run(10 * MINUTE);
        process.run_to_fetch();
        process.world.memory().overwrite(garbage);
        process.answer("200", &[], &jwks(&["c"]));
        assert_eq!(process.outcomes("b"), "passes passes passes");
        process.fetch("200", &[], &jwks(&["c"]));
        process.run(SECOND);
        assert_eq!(outcome(&process.ask(0, "c")), "passes");
    }
}

#[test]
fn a_worker_that_is_never_first_still_gets_the_set() {
    let process = Process::new(2, "");
    process.run(SECOND);
    process.world.memory().lose(70);
    process.answer("200", &[], &jwks(&["a"]));
    assert_eq!(process.count("failed"), 1);
    process.run(10 * SECOND);
    process.answer("200", &[], &jwks(&["a"]));
    process.run(Duration::from_millis(60));
    assert_eq!(process.outcomes("a"), "passes passes");
}
