//! The filter on its bench: who gets which variant, what routes and clients see of it, and what is counted.

use std::rc::Rc;

use kit::module::Form;
use kit::testing::{Bench, Sent, World};

use crate::KIND;

mod configurations;
mod cookies;
mod decisions;
mod guarding;
mod hostile;
mod outputs;
mod overrides;
mod responses;

/// A filter with this configuration.
fn bench(config: &str) -> Bench {
    within(&Rc::new(World::new()), config)
}

/// The same in a process that is there already: another worker, or another configuration.
fn within(world: &Rc<World>, config: &str) -> Bench {
    world.set_environment("SECRET", "0123456789abcdef0123456789abcdef");
    world.set_environment("TOKEN", "let me");
    let bench = Bench::within(world, std::slice::from_ref(&KIND), Form::Single, config);
    let bench = bench.unwrap_or_else(|problems| panic!("{problems}"));
    bench.start();
    bench
}

/// A configuration of one split of v1 and v2 by `x-user`, with these fields in place of, or beside, its own.
fn split(fields: &str) -> String {
    format!("{{{}}}", splits(fields))
}

/// The same without braces.
fn splits(fields: &str) -> String {
    let mut all = vec![r#""name": "x""#.to_owned()];
    for (name, default) in [
        ("\"key\"", r#""key": {"header": "x-user"}"#),
        ("\"variants\"", r#""variants": [{"name": "v1"}, {"name": "v2", "weight": "50%"}]"#),
    ] {
        if !fields.contains(name) {
            all.push(default.to_owned());
        }
    }
    if !fields.is_empty() {
        all.push(fields.to_owned());
    }
    format!(r#""splits": [{{{}}}]"#, all.join(", "))
}

/// The variant that routes see.
fn variant(sent: &Sent) -> Option<String> {
    sent.request_header("x-sluice-variant")
}

/// The variant of a user.
fn of(bench: &Bench, user: &str) -> String {
    variant(&bench.request(&format!("GET /\nx-user: {user}"))).unwrap_or_default()
}

/// How often each outcome of the split x was counted, those that never were left out.
fn counts(bench: &Bench) -> String {
    let outcomes = [
        "split",
        "would_split",
        "forced",
        "would_force",
        "assigned",
        "would_assign",
        "guarded",
        "would_guard",
        "missing_key",
        "unclear",
    ];
    let mut counted = Vec::new();
    for variant in ["v1", "v2", "v3", "v4"] {
        for outcome in outcomes {
            let count = bench.counter(&format!("canary-routing.decisions_total.x.{variant}.{outcome}"));
            if count != 0 {
                counted.push(format!("{variant} {outcome} {count}"));
            }
        }
    }
    counted.join(", ")
}

/// Users whose buckets under the salt `x` are 1, 4999 and 9996, as Python computes them.
const LOW: &str = "u1084";
const MIDDLE: &str = "u61";
const HIGH: &str = "u2607";
