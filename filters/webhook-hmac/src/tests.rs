//! The filter on its bench: other people's vectors, and what becomes of requests in every order of arrival.

use std::rc::Rc;

use hmac::{Hmac, KeyInit, Mac};
use kit::module::Form;
use kit::testing::{Bench, START, World};
use sha2::Sha256;

use crate::KIND;

#[expect(clippy::string_slice, reason = "a test may panic: it would fail")]
mod altered;
mod attacks;
mod configuration;
mod deliveries;
mod hostile;
mod replays;
mod signing;
mod vectors;

/// The secret of the tests, and the one before it.
const SECRET: &str = "3f0c9a5be1d2478690aabbccddeeff00";
const OLD_SECRET: &str = "00ffeeddccbbaa0968742d1eb5a90c3f";

/// A filter with these fields of the configuration.
fn bench(fields: &str) -> Bench {
    within(&Rc::new(World::new()), fields)
}

/// The same in a process that is there already.
fn within(world: &Rc<World>, fields: &str) -> Bench {
    world.set_environment("SECRET", SECRET);
    world.set_environment("OLD_SECRET", OLD_SECRET);
    let config = format!("{{{fields}}}");
    let bench = Bench::within(world, std::slice::from_ref(&KIND), Form::Single, &config);
    let bench = bench.unwrap_or_else(|problems| panic!("{problems}"));
    bench.start();
    bench
}

/// An endpoint for everything that signs as Stripe does.
fn stripe(fields: &str) -> String {
    let fields = if fields.is_empty() { String::new() } else { format!(", {fields}") };
    format!(
        r#""endpoints": [{{"name": "hook", "provider": "stripe",
            "secrets": [{{"env": "SECRET"}}, {{"env": "OLD_SECRET"}}]{fields}}}]"#
    )
}

/// The HMAC-SHA256 of a text in hex.
fn hex_mac(secret: &str, text: &[u8]) -> String {
    let mut mac = Hmac::<Sha256>::new_from_slice(secret.as_bytes()).unwrap();
    mac.update(text);
    mac.finalize().into_bytes().iter().map(|byte| format!("{byte:02x}")).collect()
}

/// The head of a delivery that Stripe signed this long after the tests began.
fn signed(secret: &str, body: &[u8], after: i64) -> String {
    let at = i64::try_from(START.seconds()).unwrap() + after;
    let text = [format!("{at}.").as_bytes(), body].concat();
    format!("POST /hook\nstripe-signature: t={at},v1={}", hex_mac(secret, &text))
}
