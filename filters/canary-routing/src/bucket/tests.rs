//! Buckets: what others compute, and that they are as good as chance.

use kit::draw::{Draws, below};
use kit::value::{Value, json};
#[cfg(target_arch = "wasm32")]
use wasm_bindgen_test::wasm_bindgen_test as test;

use super::*;

/// Computed in Python, with `hashlib` alone: see `vectors/construct.py`.
const VECTORS: &str = include_str!("../../vectors/buckets.json");

#[test]
fn buckets_are_those_that_python_computes() {
    let Ok(Value::List(vectors)) = json(VECTORS.as_bytes(), 8) else {
        panic!("not a list");
    };
    let text = |vector: &Value, name: &str| vector.get(name).and_then(Value::as_text).unwrap().to_owned();
    for vector in &vectors {
        let (salt, key) = (text(vector, "salt"), text(vector, "key"));
        let Some(Value::Number(bucket)) = vector.get("bucket") else {
            panic!("no bucket");
        };
        let key = kit::secret::hexadecimal(key.as_bytes()).unwrap();
        assert_eq!(Some(i128::from(Buckets::new(&salt).of(&key))), bucket.whole());
    }
    assert!(vectors.len() >= 150);
}

#[test]
fn buckets_that_a_page_could_print() {
    let buckets = Buckets::new("checkout");
    assert_eq!([b"alice".as_slice(), b"bob", b"carol"].map(|key| buckets.of(key)), CHECKOUT);
}

/// `python3 -c 'import hashlib; print(int(hashlib.sha256(b"checkout.alice").hexdigest()[:8], 16) % 10000)'`
const CHECKOUT: [u16; 3] = [4_181, 6_710, 2_650];

/// Counts how often each of some cells is hit, and returns how far that is from all being hit equally often.
fn chi_square(cells: usize, hits: impl Iterator<Item = usize>) -> f64 {
    let mut counts = vec![0_u32; cells];
    let mut all = 0_u32;
    for hit in hits {
        counts[hit] += 1;
        all += 1;
    }
    let expected = f64::from(all) / cells as f64;
    counts.iter().map(|count| (f64::from(*count) - expected).powi(2) / expected).sum()
}

/// The largest value that one of 40 or so such sums should ever have: its mean and six standard deviations.
fn most(cells: usize) -> f64 {
    let freedom = (cells - 1) as f64;
    freedom + 6.0 * (2.0 * freedom).sqrt()
}

#[test]
fn buckets_are_spread_evenly_whatever_keys_look_like() {
    let draws = Draws::new(7);
    let random = || format!("{:016x}{:016x}", draws.next(), draws.next());
    type Keys<'a> = Box<dyn FnMut(u32) -> String + 'a>;
    let kinds: [Keys<'_>; 5] = [
        Box::new(|number| number.to_string()),
        Box::new(|number| format!("user-{number:08}")),
        Box::new(|number| format!("10.{}.{}.{}", number >> 16, number >> 8 & 255, number & 255)),
        Box::new(|number| format!("{number}@example.com")),
        Box::new(|_| random()),
    ];
    for (kind, mut key) in kinds.into_iter().enumerate() {
        for salt in ["checkout", "search", "2026-q4"] {
            let buckets = Buckets::new(salt);
            let found: Vec<usize> =
                (0..40_000).map(|number| buckets.of(key(number).as_bytes()).into()).collect();
            // By hundreds of buckets, and by the last two digits.
            for cell in [|bucket: usize| bucket / 100, |bucket: usize| bucket % 100] {
                let sum = chi_square(100, found.iter().map(|bucket| cell(*bucket)));
                assert!(sum < most(100), "kind {kind}, salt {salt}: {sum}");
                assert!(30.0 < sum, "kind {kind}, salt {salt}: {sum} is too even for chance");
            }
        }
    }
}

#[test]
fn a_share_gets_about_that_share_of_users() {
    let buckets = Buckets::new("checkout");
    for parts in [1_u16, 50, 500, 5_000, 9_999] {
        let hit = (0..200_000_u32).filter(|number| buckets.of(&number.to_le_bytes()) < parts).count();
        let share = f64::from(parts) / 10_000.0;
        let (expected, deviation) = (200_000.0 * share, (200_000.0 * share * (1.0 - share)).sqrt());
        assert!((hit as f64 - expected).abs() < 4.5 * deviation, "{parts}: {hit}");
    }
}

#[test]
fn two_salts_split_independently() {
    let [one, other] = ["checkout", "search"].map(Buckets::new);
    let cells = (0..40_000_u32).map(|number| {
        let [one, other] =
            [&one, &other].map(|buckets| usize::from(buckets.of(number.to_string().as_bytes())) / 1_000);
        one * 10 + other
    });
    let sum = chi_square(100, cells);
    assert!(sum < most(100), "{sum}");
    // And one salt does not.
    let cells = (0..40_000_u32).map(|number| {
        let bucket = usize::from(one.of(number.to_string().as_bytes())) / 1_000;
        bucket * 10 + bucket
    });
    assert!(most(100) < chi_square(100, cells));
}

#[test]
fn every_bucket_is_below_all_and_nothing_panics() {
    let draws = Draws::new(11);
    for _ in 0..2_000 {
        let length = below(draws.next(), 200);
        let key: Vec<u8> = (0..length).map(|_| draws.next().to_le_bytes()[0]).collect();
        assert!(Buckets::new("x").of(&key) < ALL);
    }
}
