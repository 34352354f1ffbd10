//! One fetch for the whole process, again when it is due, and by somebody else when its worker dies.

use expect_test::expect;
#[cfg(target_arch = "wasm32")]
use wasm_bindgen_test::wasm_bindgen_test as test;

use super::*;
use crate::source::shared::generation_of;

#[test]
fn five_workers_fetch_once_and_all_have_the_set() {
    let process = Process::new(5, "");
    assert_eq!(process.fetches(), 0, "a trial run ends before its first timer");
    let mut waiting = process.ask(3, "a");
    assert_eq!(outcome(&waiting), "waits");
    process.run(SECOND);
    assert_eq!(process.fetches(), 1);
    process.answer("200", &[], &jwks(&["a"]));
    process.run(Duration::from_millis(60));
    assert_eq!(process.rouse(3, &mut waiting), "passes");
    assert_eq!(process.outcomes("a"), "passes passes passes passes passes");
    assert_eq!((process.count("succeeded"), process.fetches()), (1, 1));
    expect![[r#"
        Info provider corp: 1 key from https://issuer.example.com/keys
    "#]]
    .assert_eq(&process.log());
    assert_eq!(process.world.memory().keys(), 2, "a record and a document");
}

#[test]
fn with_a_fresh_set_nobody_looks_at_it() {
    let process = Process::new(5, "");
    process.fetch("200", &[], &jwks(&["a"]));
    let reads = process.world.memory().reads();
    process.run(9 * MINUTE);
    assert_eq!(process.world.memory().reads(), reads);
    assert_eq!(process.outcomes("a"), "passes passes passes passes passes");
    assert_eq!(process.world.memory().reads(), reads);
}

#[test]
fn a_set_is_fetched_again_when_it_is_due_and_serves_meanwhile() {
    let process = Process::new(5, r#", "refresh": "5m""#);
    process.fetch("200", &[], &jwks(&["a"]));
    process.run(5 * MINUTE);
    process.run_to_fetch();
    assert_eq!(process.outcomes("a"), "passes passes passes passes passes");
    process.run(2 * SECOND);
    assert_eq!(process.fetches(), 2, "the others wait for it");
    process.answer("200", &[], &jwks(&["b"]));
    process.run(Duration::from_millis(60));
    assert_eq!(process.outcomes("b"), "passes passes passes passes passes");
}

#[test]
fn the_same_bytes_keep_their_generation() {
    let process = Process::new(2, "");
    process.fetch("200", &[], &jwks(&["a"]));
    process.run(10 * MINUTE);
    process.fetch("200", &[], &jwks(&["a"]));
    assert_eq!((process.count("succeeded"), process.count("unchanged")), (1, 1));
    process.run(9 * MINUTE);
    assert_eq!(process.fetches(), 2, "and are fresh again");
    let generation = generation_of(jwks(&["a"]).as_bytes());
    assert_ne!(generation, generation_of(jwks(&["b"]).as_bytes()));
    assert_ne!(generation, 0);
}

#[test]
fn a_set_is_fresh_for_as_long_as_its_answer_says() {
    let process = Process::new(3, "");
    process.fetch("200", &[("cache-control", "public, max-age=3600")], &jwks(&["a"]));
    process.run(59 * MINUTE);
    assert_eq!(process.fetches(), 1);
    process.run(MINUTE + 2 * SECOND);
    assert_eq!(process.fetches(), 2);
}

#[test]
fn when_a_worker_dies_while_it_fetches_another_one_does() {
    let process = Process::new(5, "");
    process.run(SECOND);
    let fetching = process.workers.borrow().iter().position(|bench| {
        // Who fetches waits for the answer; the others look every few milliseconds.
        SECOND < bench.root_next_wake().unwrap().since(process.world.now())
    });
    process.kill(fetching.unwrap());
    process.run(4 * SECOND);
    assert_eq!(process.fetches(), 1, "the lease is for 5s and a bit");
    process.run(2 * SECOND);
    assert_eq!(process.fetches(), 2);
    process.answer("200", &[], &jwks(&["a"]));
    process.run(Duration::from_millis(60));
    assert_eq!(process.outcomes("a"), "passes passes passes passes");
}

#[test]
fn an_answer_that_never_comes_is_a_failure_and_one_that_comes_too_late_is_nobodys() {
    let process = Process::new(1, "");
    process.run(8 * SECOND);
    assert_eq!((process.fetches(), process.count("failed")), (2, 1));
    expect![[r#"
        Warn provider corp: no keys from https://issuer.example.com/keys through the cluster issuer: there was no answer in time (next attempt in 872ms)
    "#]]
    .assert_eq(&process.log());
    let answer = jwks(&["a"]);
    drop(process.workers.borrow()[0].answer_root(1, "200", &[], answer.as_bytes()));
    assert_eq!(outcome(&process.ask(0, "a")), "failing");
    process.answer("200", &[], &answer);
    assert_eq!(outcome(&process.ask(0, "a")), "passes");
}

#[test]
fn a_new_configuration_finds_the_set_that_is_there() {
    let process = Process::new(2, "");
    process.fetch("200", &[], &jwks(&["a"]));
    process.add("issuer", r#", "timeout": "1s""#);
    process.run(Duration::from_millis(1));
    assert_eq!(process.outcomes("a"), "passes passes passes");
    assert_eq!(process.fetches(), 1);
}

#[test]
fn a_document_without_its_record_is_fetched_again_by_who_has_no_set() {
    let process = Process::new(2, "");
    process.fetch("200", &[], &jwks(&["a"]));
    // Somebody died between the two writes.
    let (shared, _) = process.shared();
    assert!(shared.put(process.world.memory(), jwks(&["b"]).as_bytes()));
    process.run(MINUTE);
    assert_eq!((process.outcomes("a").as_str(), process.fetches()), ("passes passes", 1));
    process.add("issuer", "");
    process.run(Duration::from_millis(1));
    assert_eq!(process.fetches(), 2);
    process.answer("200", &[], &jwks(&["b"]));
    assert_eq!(outcome(&process.ask(2, "b")), "passes");
}

/// A proxy that doesn't know the cluster yet.
struct Early<'a>(&'a World);

impl Host for Early<'_> {
    fn now(&self) -> Timestamp {
        self.0.now()
    }
    fn draw(&self) -> u64 {
        0
    }
    fn secret(&self) -> u64 {
        0
    }
    fn headers(&self, map: kit::host::Map) -> kit::header::HeaderMap {
        self.0.headers(map)
    }
    fn first_header(&self, map: kit::host::Map, name: &str) -> Option<Vec<u8>> {
        self.0.first_header(map, name)
    }
    fn property(&self, path: &[&str]) -> Option<Vec<u8>> {
        Host::property(self.0, path)
    }
    fn body(&self, direction: kit::host::Direction, start: usize, length: usize) -> Vec<u8> {
        self.0.body(direction, start, length)
    }
    fn store(&self) -> &dyn kit::store::Store {
        self.0.store()
    }
    fn call(&self, _: &kit::callout::Callout) -> Option<CalloutId> {
        None
    }
    fn verify_signature(&self, signature: &kit::host::Signature<'_>) -> Option<bool> {
        self.0.verify_signature(signature)
    }
}

#[test]
fn a_cluster_that_comes_later_is_asked_as_soon_as_it_is_there() {
    let process = Process::new(1, "");
    let mut root = process.workers.borrow()[0].root();
    let mut effects = Vec::new();
    root.start(&Early(&process.world), &mut effects);
    for _ in 0..20 {
        root.wake(&Early(&process.world), process.world.now(), &mut effects);
        let wait = root.next_wake().unwrap().since(process.world.now());
        assert_eq!(wait, SECOND, "the wait doesn't get longer");
        process.world.pass(wait);
    }
    assert_eq!(outcome(&process.ask(0, "a")), "failing");
    let lines = effects.iter().filter(|effect| matches!(effect, kit::host::Effect::Log(..))).count();
    assert_eq!(lines, 5, "at the 1st, 2nd, 4th, 8th and 16th time");
    root.wake(&*process.world, process.world.now(), &mut effects);
    assert_eq!(process.fetches(), 1);
}

#[test]
fn a_cluster_that_never_comes_is_not_hammered() {
    let process = Process::through("absent", 5, r#", "retry": "2s""#);
    process.run(MINUTE);
    let attempts = process.count("failed");
    assert!((29..=30).contains(&attempts), "{attempts}");
    assert_eq!(process.outcomes("a"), "failing failing failing failing failing");
}
