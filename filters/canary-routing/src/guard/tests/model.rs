//! The guard beside a naive model, which keeps everything that ever happened.

use proptest::prelude::*;
#[cfg(target_arch = "wasm32")]
use wasm_bindgen_test::wasm_bindgen_test as test;

use super::super::block::Pair;
use super::*;

/// Everything that happened, and what blocks were made of it.
#[derive(Default)]
struct Model {
    /// The slice, whether it was the variant's, and whether it failed.
    events: Vec<(u64, bool, bool)>,
    /// The slice in which a block ended, and its factor.
    blocks: Vec<(u64, f64)>,
    /// The first event of the block.
    begun: usize,
    slice: u64,
}

fn count(events: &[(u64, bool, bool)], variant: bool) -> [u32; 2] {
    let its = events.iter().filter(|event| event.1 == variant);
    [its.clone().count(), its.filter(|event| event.2).count()].map(|count| u32::try_from(count).unwrap())
}

fn pair(events: &[(u64, bool, bool)]) -> Pair {
    let [baseline, variant] = [false, true].map(|variant| {
        let [requests, failures] = count(events, variant);
        Count { requests, failures }
    });
    Pair { baseline, variant }
}

impl Model {
    fn end_block(&mut self, guard: &Guard) {
        let seen: Vec<_> =
            self.events[..self.begun].iter().filter(|event| self.slice < event.0 + 6).copied().collect();
        let ratio = pair(&seen).odds_ratio(guard.worse_by);
        let block = &self.events[self.begun..];
        self.blocks.push((self.slice, blocks::factor(count(block, false), count(block, true), ratio)));
        self.begun = self.events.len();
    }

    /// Counts an outcome; returns whether the variant trips.
    fn outcome(&mut self, guard: &Guard, variant: bool, failed: bool, now: Timestamp) -> bool {
        let slice = now.nanos() / guard.slice;
        if self.slice != slice {
            self.end_block(guard);
            self.slice = slice;
        }
        self.events.push((slice, variant, failed));
        let block = &self.events[self.begun..];
        let has_failures = block.iter().any(|event| event.2);
        if (64 <= block.len() && has_failures) || 1_024 <= block.len() {
            self.end_block(guard);
        }
        let in_window = self.events.iter().filter(|event| event.1 && slice < event.0 + 6).count();
        let is_enough = in_window >= usize::try_from(guard.min_requests).unwrap();
        let evidence = |first: u64| -> f64 {
            self.blocks.iter().filter(|block| first <= block.0).map(|block| block.1).sum()
        };
        let differs = |first: u64| {
            let events: Vec<_> = self.events.iter().filter(|event| first <= event.0).copied().collect();
            pair(&events).differs_by(guard.worse_by)
        };
        let mut begins = slice - 5..=slice;
        is_enough && begins.any(|first| guard.threshold <= evidence(first) && differs(first))
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(40))]

    #[test]
    fn it_trips_at_the_very_response_at_which_a_naive_model_does(
        responses in proptest::collection::vec((0_u32..100, 0_u32..100, 0_u64..400), 1..1_500),
        weight in 1_u32..60,
        rates in (0_u32..40, 0_u32..80),
        min_requests in 1_u32..60,
    ) {
        let split = Split::new(&format!(
            r#"{{"window": "12s", "min_requests": {min_requests}, "worse_by": "2%"}}"#
        ));
        let (mut model, mut now) = (Model::default(), START);
        for (share, draw, pause) in responses {
            // Every response is written at once, by a worker of its own: batches are not what this is about.
            now = now.after(Duration::from_millis(pause / 4));
            let variant = share < weight;
            let failed = draw < if variant { rates.1 } else { rates.0 };
            let news = split.one(&Evidence::default(), usize::from(variant), failed, now);
            let expected = model.outcome(&split.guard, variant, failed, now);
            prop_assert_eq!(!news.is_empty(), expected);
            if expected {
                break;
            }
        }
    }
}
