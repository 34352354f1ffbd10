//! Keys that the set doesn't have: rotation finds them at once, and a flood of them costs next to nothing.

#[cfg(target_arch = "wasm32")]
use wasm_bindgen_test::wasm_bindgen_test as test;

use super::*;

#[test]
fn a_new_key_is_found_by_the_first_token_that_names_it() {
    let process = Process::new(5, "");
    process.fetch("200", &[], &jwks(&["a"]));
    process.run(MINUTE);
    let mut waiting = process.ask(2, "b");
    assert_eq!(outcome(&waiting), "waits");
    process.run(Duration::from_millis(5));
    assert_eq!(process.fetches(), 2);
    let mut other = process.ask(4, "b");
    assert_eq!(outcome(&other), "waits", "somebody fetches");
    process.answer("200", &[], &jwks(&["a", "b"]));
    process.run(Duration::from_millis(60));
    assert_eq!(process.rouse(2, &mut waiting), "passes");
    assert_eq!(process.rouse(4, &mut other), "passes");
    assert_eq!(outcome(&process.ask(0, "b")), "passes", "whoever looks for it takes over the new set");
    assert_eq!(process.fetches(), 2);
}

#[test]
fn a_key_that_does_not_exist_is_refused_after_one_fetch() {
    let process = Process::new(3, "");
    process.fetch("200", &[], &jwks(&["a"]));
    let mut waiting = process.ask(0, "x");
    let mut other = process.ask(1, "x");
    process.run(Duration::from_millis(5));
    process.answer("200", &[], &jwks(&["a"]));
    process.run(Duration::from_millis(60));
    assert_eq!(process.rouse(0, &mut waiting), "unknown");
    assert_eq!(process.rouse(1, &mut other), "unknown");
    assert_eq!(process.outcomes("x"), "unknown unknown unknown");
    assert_eq!(process.fetches(), 2);
}

#[test]
fn a_flood_of_unknown_keys_is_one_fetch_per_interval_in_the_whole_process() {
    let process = Process::new(5, r#", "unknown_kid_interval": "30s", "max_refresh": "1d", "refresh": "1d""#);
    process.fetch("200", &[], &jwks(&["a"]));
    for tick in 0..1_190 {
        for worker in 0..5 {
            drop(process.ask(worker, &format!("{tick}-{worker}")));
        }
        process.run(Duration::from_millis(100));
        if process.answered.get() < process.fetches() {
            process.answer("200", &[], &jwks(&["a"]));
        }
    }
    // Almost two minutes.
    assert_eq!(process.fetches() - 1, 4);
    let reads = process.world.memory().reads();
    assert_eq!(outcome(&process.ask(0, "x")), "unknown");
    assert_eq!(process.world.memory().reads() - reads, 1, "the record, and not the document");
}

#[test]
fn while_fetching_fails_unknown_keys_are_refused_and_known_ones_pass() {
    let process = Process::new(2, "");
    process.fetch("200", &[], &jwks(&["a"]));
    let mut waiting = process.ask(0, "b");
    process.run(Duration::from_millis(5));
    process.answer("503", &[], "no healthy upstream");
    assert_eq!(process.rouse(0, &mut waiting), "unknown");
    assert_eq!(process.outcomes("b"), "unknown unknown");
    assert_eq!(process.outcomes("a"), "passes passes");
    process.run(40 * SECOND);
    assert_eq!(process.fetches(), 2, "the set is fresh, so nobody hurries");
}

#[test]
fn nothing_is_known_of_the_last_fetch_once_the_record_is_gone() {
    let process = Process::new(2, "");
    process.fetch("200", &[], &jwks(&["a"]));
    process.world.memory().overwrite(b"garbage");
    assert_eq!(outcome(&process.ask(1, "b")), "waits");
    process.run(Duration::from_millis(60));
    assert_eq!(process.fetches(), 2);
    process.answer("200", &[], &jwks(&["b"]));
    process.run(Duration::from_millis(60));
    assert_eq!(process.outcomes("b"), "passes passes");
}

#[test]
fn a_document_that_is_not_the_one_of_the_record_is_read_once_for_all_tokens() {
    let process = Process::new(1, "");
    process.fetch("200", &[], &jwks(&["a"]));
    let (shared, fetch) = process.shared();
    let memory = process.world.memory();
    let now = process.world.now();
    let (record, version) = shared.look(memory, now, &fetch);
    let other = record::Record { generation: 1, asked: now, ..record };
    assert!(shared.swap(memory, &other, version));
    let reads_of = |kid| {
        let before = memory.reads();
        assert_eq!(outcome(&process.ask(0, kid)), "unknown");
        memory.reads() - before
    };
    assert_eq!([reads_of("x"), reads_of("y"), reads_of("z")], [2, 1, 1]);
    assert_eq!(process.outcomes("a"), "passes");
}
