//! The record: read as it was written, and never believed further than makes sense.

use kit::config::read;
use kit::testing::START;
#[cfg(target_arch = "wasm32")]
use wasm_bindgen_test::wasm_bindgen_test as test;

use super::*;

fn fetch() -> Fetch {
    let config = br#"{"uri": "https://issuer.example.com/keys", "cluster": "issuer"}"#;
    read(config, |node| Fetch::parse(&mut node.object()?)).unwrap()
}

fn record() -> Record {
    Record {
        generation: 7,
        fetched: START,
        due: START.after(Duration::from_secs(600)),
        retry_at: START.after(Duration::from_secs(1)),
        failures: 3,
        asked: START,
        lease: Lease::new(9, START, Duration::from_secs(5)),
    }
}

#[test]
fn is_read_as_it_was_written() {
    assert_eq!(Record::read(Some(&record().encode()), START, &fetch()), record());
}

#[test]
fn a_value_of_another_shape_counts_as_absent() {
    let good = record().encode();
    let mut other_version = good.clone();
    other_version[7] = 2;
    let longer = [good.as_slice(), b"x"].concat();
    for value in
        [b"".as_slice(), b"x", &good[..good.len() - 1], &good[..good.len() - 8], &longer, &other_version]
    {
        assert_eq!(Record::read(Some(value), START, &fetch()), Record::default());
    }
    assert_eq!(Record::read(None, START, &fetch()), Record::default());
}

#[test]
fn instants_that_cannot_be_are_not_believed() {
    let far = START.after(Duration::from_secs(100 * 86_400));
    let wild = Record { fetched: far, due: far, retry_at: far, asked: far, ..record() };
    let read = Record::read(Some(&wild.encode()), START, &fetch());
    assert_eq!((read.fetched, read.due), (START, START), "fetched in the future: it is due now");
    assert_eq!((read.retry_at, read.asked), (Timestamp::EPOCH, Timestamp::EPOCH));
    let long = Record { due: far, ..record() };
    let read = Record::read(Some(&long.encode()), START, &fetch());
    assert_eq!(read.due, START.after(Duration::from_secs(86_400)), "no longer than max_refresh");
    assert!(!Lease { holder: 1, until: far }.is_held(START));
    assert!(!Lease::default().is_held(START));
}

#[test]
fn any_bytes_can_be_read() {
    proptest::proptest!(|(words: [u64; 8], now: u64)| {
        let words = words.into_iter().flat_map(u64::to_le_bytes);
        let value: Vec<u8> = SHAPE.iter().copied().chain(words).collect();
        let now = Timestamp::from_nanos(now);
        let record = Record::read(Some(&value), now, &fetch());
        assert!(record.fetched <= now.after(SLACK));
        assert!(record.asked <= now.after(SLACK));
        assert!(record.retry_at <= now.after(SLACK).after(fetch().longest_back_off()));
    });
}
