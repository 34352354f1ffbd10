//! The table keeps what is in use, forgets what is free, and never grows.

use super::*;
use crate::store::memory::Memory;
#[cfg(target_arch = "wasm32")]
use wasm_bindgen_test::wasm_bindgen_test as test;

const SEED: Seed = Seed(1, 2);

/// An entry of one word is free at the instant that the word names.
fn free_at(words: &[u64]) -> Timestamp {
    Timestamp::from_nanos(words[0])
}

fn put(table: &Table, store: &Memory, key: u32, until: u64, now: u64) -> bool {
    let hash = SEED.hash(&key.to_le_bytes());
    table
        .update(store, hash, Timestamp::from_nanos(now), free_at, |words| {
            words[0] = until;
            Update::Write(())
        })
        .unwrap()
        .evicted
}

fn get(table: &Table, store: &Memory, key: u32) -> u64 {
    let hash = SEED.hash(&key.to_le_bytes());
    table.update(store, hash, Timestamp::EPOCH, free_at, |words| Update::Keep(words[0])).unwrap().answer
}

#[test]
fn keeps_every_client_apart_as_long_as_there_are_as_many_as_configured() {
    let (table, store) = (Table::new("t", 1_000, 1), Memory::default());
    let evicted = (0..1_000).filter(|key| put(&table, &store, *key, u64::from(*key) + 10, 1)).count();
    assert_eq!(evicted, 0);
    assert!((0..1_000).all(|key| get(&table, &store, key) == u64::from(key) + 10));
}

#[test]
fn an_absent_entry_reads_as_zeros_and_reading_writes_nothing() {
    let (table, store) = (Table::new("t", 10, 1), Memory::default());
    assert_eq!(get(&table, &store, 7), 0);
    assert_eq!(store.keys(), 0);
}

#[test]
fn a_free_entry_makes_room_and_nothing_is_evicted() {
    let (table, store) = (Table::new("t", 1, 1), Memory::default());
    for key in 0..1_000 {
        // Each is free again when the next one comes.
        assert!(!put(&table, &store, key, u64::from(key) + 1, u64::from(key)), "key {key}");
    }
    assert_eq!(store.bytes(), 8 + 16);
}

#[test]
fn in_a_full_block_the_entry_that_is_free_first_goes_and_the_caller_is_told() {
    let (table, store) = (Table::new("t", 1, 1), Memory::default());
    for key in 0..32 {
        assert!(!put(&table, &store, key, 1_000 - u64::from(key), 1));
    }
    assert!(put(&table, &store, 99, 5_000, 1));
    assert_eq!(get(&table, &store, 31), 0, "the one that was nearest to free");
    assert_eq!(get(&table, &store, 0), 1_000);
    assert_eq!(get(&table, &store, 99), 5_000);
}

#[test]
fn a_hundred_thousand_clients_take_no_more_than_the_stated_bytes() {
    let (table, store) = (Table::new("t", 100, 2), Memory::default());
    for key in 0..100_000_u32 {
        let hash = SEED.hash(&key.to_le_bytes());
        table
            .update(&store, hash, Timestamp::EPOCH, free_at, |words| {
                words[0] = u64::MAX;
                Update::Write(())
            })
            .unwrap();
    }
    assert!(u64::try_from(store.bytes()).unwrap() <= table.bytes());
    assert_eq!(table.bytes(), 7 * (8 + 32 * 24));
    assert_eq!(store.keys(), 7);
}

#[test]
fn a_strangers_value_counts_as_absent_and_is_replaced() {
    let (table, store) = (Table::new("t", 1, 1), Memory::default());
    put(&table, &store, 1, 10, 1);
    for garbage in [&b""[..], b"x", &[0; 8], &[0xff; 24], &FORMAT.to_le_bytes(), &[7; 4096]] {
        store.overwrite(garbage);
        assert_eq!(get(&table, &store, 1), 0);
        assert!(!put(&table, &store, 1, 10, 1));
        assert_eq!(get(&table, &store, 1), 10);
    }
}

#[test]
fn a_block_of_the_right_shape_but_too_many_entries_counts_as_absent() {
    let (table, store) = (Table::new("t", 1, 1), Memory::default());
    put(&table, &store, 1, 10, 1);
    let mut block = (FORMAT + 1).to_le_bytes().to_vec();
    block.extend_from_slice(&[1; 33 * 16]);
    store.overwrite(&block);
    assert_eq!(get(&table, &store, 1), 0);
}

#[test]
fn tables_of_other_shapes_do_not_meet() {
    let store = Memory::default();
    let (one, two) = (Table::new("t", 10, 1), Table::new("t", 10, 2));
    put(&one, &store, 1, 10, 1);
    assert_eq!(get(&two, &store, 1), 0);
}

#[test]
fn all_workers_hash_with_the_seed_of_the_first() {
    let store = Memory::default();
    let first = Seed::of_process(&store, b"seed", || 7).unwrap();
    let second = Seed::of_process(&store, b"seed", || 8).unwrap();
    assert_eq!(first, second);
    store.overwrite(b"short");
    assert_eq!(Seed::of_process(&store, b"seed", || 9).unwrap(), Seed(9, 9));
}

#[test]
fn overflow_is_as_rare_as_the_first_lines_say() {
    // 100,000 clients in use at once in a table for as many.
    let (table, store) = (Table::new("t", 100_000, 1), Memory::default());
    let evicted = (0..100_000).filter(|key| put(&table, &store, *key, 10, 1)).count();
    assert!(evicted <= 100, "{evicted} of 100,000 were evicted");
}
