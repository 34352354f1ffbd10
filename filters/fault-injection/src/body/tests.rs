//! Bodies in pieces of any size, which must not matter.

use kit::config::read;
use proptest::prelude::*;
#[cfg(target_arch = "wasm32")]
use wasm_bindgen_test::wasm_bindgen_test as test;

use super::*;

fn fault(json: &str) -> BodyFault {
    read(json.as_bytes(), BodyFault::parse).unwrap_or_else(|problems| panic!("{problems}"))
}

/// A body in pieces of these sizes, over and over.
fn through(fault: &BodyFault, body: &[u8], sizes: &[usize], length: Option<u64>, is_told: bool) -> Vec<u8> {
    let mut flow = Flow::new(fault.clone(), length, is_told);
    let (mut out, mut rest, mut size) = (Vec::new(), body, sizes.iter().cycle());
    while !rest.is_empty() {
        let (piece, after) = rest.split_at((*size.next().unwrap()).min(rest.len()));
        out.extend(flow.take(piece, false).unwrap_or_default().iter());
        rest = after;
    }
    out.extend(flow.take(b"", true).expect("an end").iter());
    out
}

#[test]
fn a_body_is_cut_where_it_says_however_it_comes() {
    let cut = fault(r#"{"truncate": "5B"}"#);
    for sizes in [&[1][..], &[2, 3], &[4], &[5], &[6], &[100]] {
        assert_eq!(through(&cut, b"abcdefgh", sizes, None, false), b"abcde");
        assert_eq!(through(&cut, b"abc", sizes, None, false), b"abc");
    }
    assert_eq!(through(&fault(r#"{"truncate": 0}"#), b"abc", &[2], None, false), b"");
    assert_eq!((cut.length(3), cut.length(9)), (3, 5));
}

#[test]
fn a_body_is_replaced_once_and_never_by_more_than_the_client_was_told() {
    let other = fault(r#"{"replace": "another"}"#);
    assert_eq!(through(&other, b"abcdefgh", &[3], Some(8), false), b"another");
    assert_eq!(through(&other, b"", &[3], None, false), b"another");
    assert_eq!(through(&other, b"abc", &[2], Some(3), true), b"ano");
    assert_eq!(through(&other, b"abcdefgh", &[2], Some(8), true), b"another");
    assert_eq!(other.length(3), 7);
}

#[test]
fn the_same_bytes_are_damaged_in_every_process_and_version() {
    let damage = fault(r#"{"corrupt": {"bytes": 3, "seed": "x"}}"#);
    let body: Vec<u8> = (0..=255).collect();
    let found = through(&damage, &body, &[256], Some(256), true);
    let places: Vec<(usize, u8)> =
        (0..256).filter(|at| found[*at] != body[*at]).map(|at| (at, found[at])).collect();
    assert_eq!(places, PLACES);
    let other = fault(r#"{"corrupt": {"bytes": 3, "seed": "y"}}"#);
    assert_ne!(through(&other, &body, &[256], None, false), found);
}

/// Computed by an implementation of its own, in Python.
const PLACES: [(usize, u8); 3] = [(79, 233), (120, 58), (162, 0)];

#[test]
fn a_body_that_is_shorter_than_its_damage_is_damaged_all_over() {
    let damage = fault(r#"{"corrupt": {"bytes": 1000}}"#);
    let found = through(&damage, b"abc", &[1], None, false);
    assert!(found.iter().zip(b"abc").all(|(found, was)| found != was), "{found:?}");
    assert_eq!(through(&damage, b"", &[1], None, false), b"");
}

proptest! {
    #[test]
    fn damage_is_the_same_in_pieces_and_whole_and_with_a_length_or_without(
        length in 0_usize..30_000,
        bytes in 1_u64..20,
        seed in "[a-z]{0,5}",
        sizes in proptest::collection::vec(1_usize..10_000, 1..5),
    ) {
        let damage = BodyFault::Corrupt(bytes, Named::new(&seed));
        let body: Vec<u8> = (0..length).map(|at| u8::try_from(at % 251).unwrap()).collect();
        let known = u64::try_from(length).unwrap();
        let whole = through(&damage, &body, &[usize::MAX], Some(known), true);
        prop_assert_eq!(&through(&damage, &body, &sizes, Some(known), true), &whole);
        prop_assert_eq!(&through(&damage, &body, &sizes, None, false), &whole);
        let damaged = whole.iter().zip(&body).filter(|(found, was)| found != was).count();
        prop_assert_eq!(damaged, usize::try_from(bytes).unwrap().min(length));
        prop_assert_eq!(whole.len(), length);
    }
}
