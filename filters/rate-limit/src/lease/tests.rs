//! Workers with leases admit what one bucket would, and never more.

use super::*;
use crate::bucket::Charging;
use crate::gcra::Limit;
use kit::store::Store;
use kit::store::memory::Memory;
use kit::table::{Seed, Table, Update};
use proptest::prelude::*;
#[cfg(target_arch = "wasm32")]
use wasm_bindgen_test::wasm_bindgen_test as test;

const START: Timestamp = Timestamp::from_seconds(1_000_000);

/// A worker, as the filter uses leases.
#[derive(Default)]
struct Worker {
    leases: Leases,
}

struct Process {
    /// All requests cost the same, so that a refusal of one is one of all.
    one_cost: bool,
    limits: Limits,
    store: Memory,
    table: Table,
    key: KeyHash,
}

impl Process {
    fn new(requests: u64, per: Duration, burst: u64) -> Self {
        let store = Memory::default();
        let seed = Seed::of_process(&store, b"seed", || 1).unwrap();
        let limits = Limits::new(vec![Limit::new(requests, per, burst).unwrap()], None, Charging::OnRequest);
        Self { one_cost: true, limits, table: Table::new("t", 10, 1), key: seed.hash(b"key"), store }
    }

    fn ask(&self, worker: &Worker, cost: u64, now: Timestamp) -> bool {
        if let Some(known) = worker.leases.decide(self.key, &self.limits, cost, now) {
            return known.is_ok();
        }
        let held = worker.leases.held(self.key);
        let store: &dyn Store = &self.store;
        let (decision, lease) = self
            .table
            .update(
                store,
                self.key,
                now,
                |words| self.limits.shape.free_at(words),
                |words| {
                    if let Some(held) = &held {
                        held.give_back(&self.limits, words);
                    }
                    match self.limits.admit(words, cost, now) {
                        Ok(charge) => {
                            Update::Write((Ok(charge), Lease::take(&self.limits, words, cost, now)))
                        }
                        Err(refusal) => Update::Keep((Err(refusal), None)),
                    }
                },
            )
            .unwrap()
            .answer;
        if held.is_some() {
            worker.leases.forget(self.key);
        }
        match (&decision, lease) {
            (_, Some(lease)) => worker.leases.keep(self.key, lease),
            (Err(refusal), None) if self.one_cost => worker.leases.refuse(self.key, *refusal, now),
            (Ok(_) | Err(_), None) => {}
        }
        decision.is_ok()
    }
}

#[test]
fn a_limit_of_up_to_the_reserve_is_never_leased_and_exact_to_the_request() {
    let process = Process::new(RESERVE, Duration::from_secs(1), RESERVE);
    let workers: [Worker; 4] = Default::default();
    let admitted = (0..5_000).filter(|n| process.ask(&workers[n % 4], 1, START)).count();
    assert_eq!(admitted, 1024);
}

#[test]
fn a_high_limit_costs_shared_state_for_few_of_its_requests_and_is_exact_all_the_same() {
    let process = Process::new(100_000, Duration::from_secs(1), 100_000);
    let workers: [Worker; 4] = Default::default();
    let admitted = (0..200_000).filter(|n| process.ask(&workers[n % 4], 1, START)).count();
    assert_eq!(admitted, 100_000);
    assert!(process.store.reads() < 5_000, "{} reads", process.store.reads());
}

#[test]
fn what_a_worker_holds_unused_is_back_after_a_tenth_of_a_second() {
    let process = Process::new(100_000, Duration::from_secs(1), 100_000);
    let (busy, idle) = (Worker::default(), Worker::default());
    assert!(process.ask(&idle, 1, START));
    let later = START.after(HORIZON).after(Duration::from_secs(1));
    let admitted = (0..200_000).filter(|_| process.ask(&busy, 1, later)).count();
    assert_eq!(admitted, 100_000);
}

#[test]
fn a_refusal_is_remembered_until_the_instant_it_names_and_no_longer() {
    let process = Process::new(1, Duration::from_secs(10), 1);
    let worker = Worker::default();
    assert!(process.ask(&worker, 1, START));
    assert!(!process.ask(&worker, 1, START));
    let reads = process.store.reads();
    for seconds in 0..10 {
        assert!(!process.ask(&worker, 1, START.after(Duration::from_secs(seconds))));
    }
    assert_eq!(process.store.reads(), reads);
    assert!(process.ask(&worker, 1, START.after(Duration::from_secs(10))));
}

#[test]
fn a_refusal_says_nothing_about_a_time_before_it() {
    let process = Process::new(1, Duration::from_secs(10), 1);
    let worker = Worker::default();
    assert!(process.ask(&worker, 1, START));
    assert!(!process.ask(&worker, 1, START));
    let reads = process.store.reads();
    assert!(!process.ask(&worker, 1, START.before(Duration::from_secs(1))));
    assert_eq!(process.store.reads(), reads + 1);
}

#[test]
fn what_went_back_to_the_bucket_is_not_spent_a_second_time() {
    // A lease whose rest is too small for a dear request goes back, and the dear request is refused: a cheap one
    // must not find the rest again with the worker.
    let process = Process { one_cost: false, ..Process::new(100_000, Duration::from_secs(1), 100_000) };
    let worker = Worker::default();
    let mut spent = 0_u64;
    for round in 0.. {
        let cost = if round % 3 == 0 { 700 } else { 1 };
        if process.ask(&worker, cost, START) {
            spent += cost;
        } else if cost == 1 {
            break;
        }
    }
    assert_eq!(spent, 100_000);
}

proptest! {
    #[test]
    fn workers_with_leases_never_exceed_the_limit_in_any_window(
        rate in prop::sample::select(vec![2_000_u64, 20_000, 1_000_000]),
        traffic in prop::collection::vec((0_u64..20_000_000, 0_usize..3, 1_u64..400), 1..300),
    ) {
        let process = Process::new(rate, Duration::from_secs(1), rate);
        let interval = 1_000_000_000 / rate;
        let workers: [Worker; 3] = Default::default();
        let (mut now, mut admitted) = (START, Vec::<(Timestamp, u64)>::new());
        for (pause, worker, times) in traffic {
            now = now.after(Duration::from_nanos(pause));
            let count = (0..times).filter(|_| process.ask(&workers[worker], 1, now)).count();
            admitted.push((now, u64::try_from(count).unwrap()));
        }
        let mut windows = 0;
        for (index, (from, _)) in admitted.iter().enumerate() {
            let mut inside = 0;
            for (to, count) in &admitted[index..] {
                inside += count;
                let allowed = rate + nanos(to.since(*from)) / interval;
                prop_assert!(inside <= allowed, "{inside} in a window for {allowed}");
                windows += 1;
            }
        }
        prop_assert!(0 < windows);
    }
}
