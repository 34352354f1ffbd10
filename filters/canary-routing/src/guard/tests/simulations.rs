//! How often the guard is wrong, and how soon it is right, beside a bare threshold: counted in seeded simulations.
//!
//! A quick run is part of the tests. The figures of the README are those of
//!
//! ```sh
//! cargo test --release --package canary-routing figures -- --ignored --nocapture --test-threads 1
//! ```

use std::collections::VecDeque;

use kit::config::read;
use kit::store::memory::Memory;
use kit::testing::START;

use super::*;

const KEY: &[u8] = b"k";

/// The shares of failures in the window at which bare thresholds trip.
const BARE: [f64; 2] = [0.02, 0.1];

/// A generator of draws, SplitMix64, so that every run is the same.
struct Dice(u64);

impl Dice {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    fn chance(&mut self) -> f64 {
        (self.next() >> 11) as f64 / (1_u64 << 53) as f64
    }
}

/// Something that changes with the second of the simulation.
type Course = fn(f64) -> f64;

/// What happens.
#[derive(Clone, Copy)]
struct World {
    name: &'static str,
    /// The share of the baseline's requests that fail.
    baseline: Course,
    /// The share of the variant's.
    variant: Course,
    /// The share of requests that are the variant's.
    weight: Course,
    /// Requests in a second.
    rate: f64,
    workers: usize,
    /// The chance that a client whose request failed sends it again, to fail again.
    again: f64,
    /// How many users there are; some of them send far more requests than others.
    users: u64,
}

const QUIET: World = World {
    name: "",
    baseline: |_| 0.001,
    variant: |_| 0.001,
    weight: |_| 0.05,
    rate: 100.0,
    workers: 4,
    again: 0.0,
    users: 100_000,
};

const fn equal(name: &'static str, rate: Course, weight: Course) -> World {
    World { name, baseline: rate, variant: rate, weight, ..QUIET }
}

/// Three seconds of every twenty, nearly everything fails, whoever answers.
fn bursts(second: f64) -> f64 {
    if (13.0..16.0).contains(&(second % 20.0)) { 0.9 } else { 0.001 }
}

/// The share of failures goes up and down between nothing and a half.
fn waves(second: f64) -> f64 {
    0.25 - 0.25 * (second / 30.0 * std::f64::consts::TAU).cos()
}

/// Worlds in which the variant is no worse.
const HARMLESS: [World; 20] = [
    equal("0.01 % fail, weight 5 %", |_| 0.0001, |_| 0.05),
    equal("0.01 % fail, weight 50 %", |_| 0.0001, |_| 0.5),
    equal("1 % fail, weight 1 %", |_| 0.01, |_| 0.01),
    equal("1 % fail, weight 5 %", |_| 0.01, |_| 0.05),
    equal("1 % fail, weight 50 %", |_| 0.01, |_| 0.5),
    equal("10 % fail, weight 1 %", |_| 0.1, |_| 0.01),
    equal("10 % fail, weight 5 %", |_| 0.1, |_| 0.05),
    equal("10 % fail, weight 50 %", |_| 0.1, |_| 0.5),
    equal("50 % fail, weight 5 %", |_| 0.5, |_| 0.05),
    equal("50 % fail, weight 50 %", |_| 0.5, |_| 0.5),
    equal("waves up to 50 %, weight 5 %", waves, |_| 0.05),
    equal("waves up to 50 %, weight 50 %", waves, |_| 0.5),
    equal("outages, weight 5 %", bursts, |_| 0.05),
    equal("outages, weight 50 %", bursts, |_| 0.5),
    equal("outages, weight 1 % to 50 %", bursts, |second| 0.01 + (second % 60.0) / 120.0),
    World { variant: |_| 0.01, ..equal("2 % fail, 1 % of the variant", |_| 0.02, |_| 0.05) },
    World { again: 0.5, ..equal("0.1 % fail, half sent again", |_| 0.001, |_| 0.05) },
    World { again: 0.9, ..equal("0.1 % fail, sent ten times", |_| 0.001, |_| 0.05) },
    World { again: 0.9, ..equal("1 % fail, sent ten times", |_| 0.01, |_| 0.05) },
    World { users: 1_000, ..equal("1 % fail, a thousand users", |_| 0.01, |_| 0.05) },
];

/// What one request came to.
struct Step {
    is_variant: bool,
    has_failed: bool,
    /// Whether a worker wrote.
    is_written: bool,
    has_tripped: bool,
}

/// A simulation.
struct Run<'a> {
    world: &'a World,
    guard: &'a Guard,
    variants: Variants,
    store: Memory,
    workers: Vec<Evidence>,
    dice: Dice,
    second: f64,
    /// What the buckets of users depend on.
    salt: u64,
    /// The user who sends his request again.
    again: Option<u64>,
}

impl<'a> Run<'a> {
    fn new(world: &'a World, guard: &'a Guard, seed: u64) -> Self {
        Self {
            world,
            guard,
            variants: Variants::new(["v1", "v2"]),
            store: Memory::default(),
            workers: (0..world.workers).map(|_| Evidence::default()).collect(),
            dice: Dice(seed.wrapping_mul(0x1234_5678_9abc_def1)),
            second: 0.0,
            salt: Dice(seed).next(),
            again: None,
        }
    }

    fn step(&mut self) -> Step {
        self.second -= (1.0 - self.dice.chance()).ln() / self.world.rate;
        let repeated = self.again.take();
        let user = repeated.unwrap_or((self.dice.chance().powi(2) * self.world.users as f64) as u64);
        let place = Dice(self.salt ^ user.wrapping_mul(0x9e37_79b9)).next();
        let bucket = (place % 10_000) as u16;
        let is_variant = f64::from(bucket) < (self.world.weight)(self.second) * 10_000.0;
        let rate = if is_variant { self.world.variant } else { self.world.baseline };
        let has_failed = self.dice.chance() < rate(self.second) || repeated.is_some();
        if has_failed && 0.0 < self.world.again && self.dice.chance() < self.world.again {
            self.again = Some(user);
        }
        // A client keeps its connection, and a connection has its worker.
        let worker = (place / 10_000 % self.workers.len() as u64) as usize;
        let now = START.after(Duration::from_nanos((self.second * 1e9) as u64));
        let shared = Shared { store: &self.store, key: KEY, variants: &self.variants };
        let before = self.store.reads();
        let variant = usize::from(is_variant);
        let news =
            self.workers[worker].outcome(self.guard, shared, variant, Some(bucket), has_failed, now).unwrap();
        Step {
            is_variant,
            has_failed,
            is_written: self.store.reads() != before,
            has_tripped: news.iter().any(|news| news.to == State::Tripped),
        }
    }

    fn evidence(&self) -> f64 {
        Record::read(self.store.read(KEY).value.as_deref(), &self.variants).evidence(1)
    }
}

/// What one writes without all this: the share of failures in the last minute, once there were fifty requests.
#[derive(Default)]
struct Bare {
    recent: VecDeque<(f64, bool)>,
    failures: usize,
}

impl Bare {
    fn rate(&mut self, second: f64, has_failed: bool) -> Option<f64> {
        self.recent.push_back((second, has_failed));
        self.failures += usize::from(has_failed);
        while let Some((_, had_failed)) = self.recent.pop_front_if(|(then, _)| *then < second - 60.0) {
            self.failures -= usize::from(had_failed);
        }
        (50 <= self.recent.len()).then(|| self.failures as f64 / self.recent.len() as f64)
    }
}

fn guard(json: &str) -> Guard {
    read(json.as_bytes(), Guard::parse).unwrap_or_else(|problems| panic!("{problems}"))
}

/// Returns of how many windows the evidence that began with them came to each of these numbers before they ended.
fn reached(world: &World, seconds: u32, trials: u64, numbers: [f64; 2]) -> [u64; 2] {
    let mut guard = guard(&format!(r#"{{"window": "{seconds}s"}}"#));
    guard.threshold = f64::MAX;
    let mut reached = [0; 2];
    for seed in 1..=trials {
        let mut run = Run::new(world, &guard, seed);
        let mut most = 0.0_f64;
        while run.second < seconds.into() {
            if run.step().is_written {
                most = most.max(run.evidence());
            }
        }
        for (count, number) in reached.iter_mut().zip(numbers) {
            *count += u64::from(number.ln() <= most);
        }
    }
    reached
}

/// Returns the first instants, in seconds, at which the guard trips and at which bare thresholds do.
fn alarms(world: &World, seconds: f64, seed: u64) -> (Option<f64>, [Option<f64>; 2]) {
    let guard = guard("{}");
    let (mut run, mut bare) = (Run::new(world, &guard, seed), Bare::default());
    let (mut tripped, mut exceeded) = (None, [None; 2]);
    while run.second < seconds && (tripped.is_none() || exceeded.contains(&None)) {
        let step = run.step();
        if step.has_tripped && tripped.is_none() {
            tripped = Some(run.second);
        }
        if step.is_variant
            && let Some(rate) = bare.rate(run.second, step.has_failed)
        {
            for (exceeded, bound) in exceeded.iter_mut().zip(BARE) {
                if bound < rate && exceeded.is_none() {
                    *exceeded = Some(run.second);
                }
            }
        }
    }
    (tripped, exceeded)
}

/// After how many requests to a variant that has turned bad something trips, the sorted counts of all trials.
/// None of them is more than those of ten minutes.
type Counts = Vec<Option<u64>>;

/// Returns that of the guard, and those of bare thresholds: of so many of the three.
fn detection(world: &World, json: &str, trials: u64, which: usize) -> [Counts; 3] {
    let guard = guard(json);
    let mut found = [vec![], vec![], vec![]];
    for seed in 1..=trials {
        let (mut run, mut bare) = (Run::new(world, &guard, seed), Bare::default());
        let mut requests = 0;
        let mut trips = [None; 3];
        while run.second < BAD + 600.0 && trips[..which].contains(&None) {
            let step = run.step();
            let mut rate = 0.0;
            if step.is_variant {
                rate = bare.rate(run.second, step.has_failed).unwrap_or(0.0);
                requests += u64::from(BAD <= run.second);
            }
            for (trip, is_now) in trips.iter_mut().zip([step.has_tripped, BARE[0] < rate, BARE[1] < rate]) {
                if is_now && trip.is_none() {
                    *trip = Some(requests);
                }
            }
        }
        for (found, trip) in found.iter_mut().zip(trips) {
            found.push(trip);
        }
    }
    for counts in &mut found {
        // What isn't found comes last.
        counts.sort_by_key(|count| count.unwrap_or(u64::MAX));
    }
    found
}

/// The second in which a variant turns bad.
const BAD: f64 = 60.0;

const fn turns(name: &'static str, baseline: Course, variant: Course, weight: Course) -> World {
    World { name, baseline, variant, weight, rate: 200.0, ..QUIET }
}

/// Worlds in which it does.
const HARMFUL: [World; 11] = [
    turns("0.1 % to 5 %, weight 5 %", |_| 0.001, |s| if s < BAD { 0.001 } else { 0.05 }, |_| 0.05),
    turns("0.1 % to 5 %, weight 50 %", |_| 0.001, |s| if s < BAD { 0.001 } else { 0.05 }, |_| 0.5),
    turns("0.1 % to 20 %, weight 5 %", |_| 0.001, |s| if s < BAD { 0.001 } else { 0.2 }, |_| 0.05),
    turns("0.1 % to 20 %, weight 50 %", |_| 0.001, |s| if s < BAD { 0.001 } else { 0.2 }, |_| 0.5),
    turns("0.1 % to 100 %, weight 1 %", |_| 0.001, |s| if s < BAD { 0.001 } else { 1.0 }, |_| 0.01),
    turns("0.1 % to 100 %, weight 5 %", |_| 0.001, |s| if s < BAD { 0.001 } else { 1.0 }, |_| 0.05),
    turns("0.1 % to 100 %, weight 50 %", |_| 0.001, |s| if s < BAD { 0.001 } else { 1.0 }, |_| 0.5),
    turns("100 %, new, weight 5 %", |_| 0.001, |_| 1.0, |s| if s < BAD { 0.0 } else { 0.05 }),
    turns("1 % to 3 %, weight 5 %", |_| 0.01, |s| if s < BAD { 0.01 } else { 0.03 }, |_| 0.05),
    turns("1 % to 3 %, weight 50 %", |_| 0.01, |s| if s < BAD { 0.01 } else { 0.03 }, |_| 0.5),
    turns("10 % to 30 %, weight 5 %", |_| 0.1, |s| if s < BAD { 0.1 } else { 0.3 }, |_| 0.05),
];

/// Returns the median and the ninth of ten, as text.
fn spell(counts: &Counts) -> String {
    let at = |tenths: usize| counts[(counts.len() * tenths).div_ceil(10) - 1];
    let [median, ninth] = [at(5), at(9)].map(|count| count.map_or("-".to_owned(), |count| count.to_string()));
    format!("{median:>7} {ninth:>7}")
}

/// Prints of how many windows evidence came to 20 and to 100, and holds that against what is promised, with four
/// standard deviations of luck for each of the worlds and three for all of them.
fn print_reached(seconds: u32, trials: u64) {
    println!("evidence against a variant that is no worse, {trials} windows of {seconds} s each, in percent");
    println!("{:32} {:>9} {:>9}", "", "E >= 20", "E >= 100");
    let assert_rare = |name: &str, counts: [u64; 2], trials: u64, luck: f64| {
        for (count, share) in counts.into_iter().zip([0.05, 0.01]) {
            let expected = trials as f64 * share;
            assert!(count as f64 <= expected + luck * expected.sqrt(), "{name}: {count} of {trials}");
        }
    };
    let mut sums = [0; 2];
    for world in &HARMLESS {
        let counts = reached(world, seconds, trials, [20.0, 100.0]);
        let [a, b] = counts.map(|count| count as f64 * 100.0 / trials as f64);
        println!("{:32} {a:>9.2} {b:>9.2}", world.name);
        assert_rare(world.name, counts, trials, 4.0);
        sums = [sums[0] + counts[0], sums[1] + counts[1]];
    }
    assert_rare("all", sums, trials * HARMLESS.len() as u64, 3.0);
}

#[test]
fn evidence_against_a_variant_that_is_no_worse_is_as_rare_as_promised() {
    print_reached(10, 10);
}

#[test]
fn an_outage_of_both_trips_a_bare_threshold_and_not_the_guard() {
    for world in &HARMLESS[12..14] {
        let (tripped, bare) = alarms(world, 60.0, 1);
        assert_eq!(tripped, None, "{}", world.name);
        assert!(bare.iter().all(Option::is_some), "{}", world.name);
    }
}

#[test]
fn a_variant_that_turns_bad_is_found_after_a_few_requests() {
    let bounds = [500, 800, 80, 250, 30, 20, 40, 60];
    for (world, bound) in HARMFUL.iter().zip(bounds) {
        let [guard, ..] = detection(&World { rate: 100.0, ..*world }, "{}", 2, 1);
        println!("{:32} {}", world.name, spell(&guard));
        let most = guard.last().copied().flatten();
        assert!(most.is_some_and(|most| most <= bound), "{}: {most:?}", world.name);
    }
}

#[test]
#[ignore = "takes minutes: for the figures of the README"]
fn figures_of_evidence() {
    print_reached(60, 2_000);
}

#[test]
#[ignore = "takes minutes: for the figures of the README"]
fn figures_of_detection() {
    println!("requests to the variant from when it turns bad until it trips: median and 90 %, of 500 runs");
    println!("{:32} {:>15} {:>15} {:>15}", "", "guard", "bare 2 %", "bare 10 %");
    for world in &HARMFUL {
        let [guard, low, high] = detection(world, "{}", 500, 3);
        println!("{:32} {} {} {}", world.name, spell(&guard), spell(&low), spell(&high));
    }
    println!("with a window of ten minutes");
    for world in &HARMFUL[8..10] {
        let [guard, ..] = detection(world, r#"{"window": "10m"}"#, 500, 1);
        println!("{:32} {}", world.name, spell(&guard));
    }
}

#[test]
#[ignore = "takes half an hour: for the figures of the README"]
fn figures_of_days() {
    let days = 3;
    println!("days on which something tripped that is no worse, of {days}");
    println!("{:32} {:>9} {:>9} {:>9}", "", "guard", "bare 2 %", "bare 10 %");
    for world in &HARMLESS {
        let mut counts = [0; 3];
        for seed in 1..=days {
            let (tripped, [low, high]) = alarms(world, 86_400.0, seed);
            for (count, alarm) in counts.iter_mut().zip([tripped, low, high]) {
                *count += u32::from(alarm.is_some());
            }
        }
        println!("{:32} {:>9} {:>9} {:>9}", world.name, counts[0], counts[1], counts[2]);
    }
}
