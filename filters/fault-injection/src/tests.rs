//! The filter on its bench: who gets a fault, which one, and what is left of it when the stream is over.

use std::rc::Rc;

use kit::module::Form;
use kit::testing::{Bench, World};

use crate::KIND;

mod control;
mod decisions;
mod hostile;
mod requests;
mod responses;

/// A filter with this configuration.
fn bench(config: &str) -> Bench {
    within(&Rc::new(World::new()), config)
}

/// The same in a process that is there already: another worker, or another configuration.
fn within(world: &Rc<World>, config: &str) -> Bench {
    world.set_environment("TOKEN", "let me");
    let bench = Bench::within(world, std::slice::from_ref(&KIND), Form::Single, config);
    let bench = bench.unwrap_or_else(|problems| panic!("{problems}"));
    bench.start();
    bench
}

/// A configuration of one experiment with these fields, for everything.
fn experiment(fields: &str) -> String {
    let percent = if fields.contains("\"percent\"") { "" } else { r#""percent": "100%","# };
    format!(r#"{{"experiments": [{{"name": "x", {percent} {fields}}}]}}"#)
}

/// How often each outcome of the experiment was counted, those that never were left out.
fn counts(bench: &Bench) -> String {
    let outcomes = [
        "injected",
        "would_inject",
        "spared",
        "passed",
        "limited",
        "inactive",
        "stopped",
        "no_key",
        "unclear",
    ];
    let count = |outcome: &&str| bench.counter(&format!("fault-injection.decisions_total.x.{outcome}"));
    let counted = outcomes.iter().map(|outcome| (outcome, count(outcome))).filter(|(_, count)| *count != 0);
    counted.map(|(outcome, count)| format!("{outcome} {count}")).collect::<Vec<_>>().join(", ")
}

fn active(bench: &Bench) -> i64 {
    bench.gauge("fault-injection.active.x")
}
