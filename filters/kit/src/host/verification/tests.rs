//! What is asked of the host, and what its answers mean.

use super::*;
#[cfg(target_arch = "wasm32")]
use wasm_bindgen_test::wasm_bindgen_test as test;

#[test]
fn a_question_has_each_part_behind_its_length() {
    let long = [b'x'; 300];
    let asked = question(&Signature { hash: "sha256", key: b"key", signature: b"", text: &long });
    assert_eq!(asked[..15], *b"\x0a\x06sha256\x12\x03key\x1a\x00");
    assert_eq!(asked[15..18], *b"\x22\xac\x02");
    assert_eq!(asked[18..], long);
}

#[test]
fn only_a_clear_yes_is_one() {
    for (answer, good) in [
        (b"\x08\x01".as_slice(), Some(true)),
        (b"\x08\x01\x12\x00", Some(true)),
        // Protobuf leaves a false out.
        (b"", Some(false)),
        (b"\x08\x00", Some(false)),
        (b"\x12\x09not today", Some(false)),
        (b"\x12\x03no!\x08\x00", Some(false)),
        (b"\x08\x01\x08\x00", Some(false)),
        (b"\x08\x02", None),
        (b"\x08\x81\x00", None),
        (b"\x08", None),
        (b"\x08\x01\x12", None),
        (b"\x08\x01\x12\x05four", None),
        (b"\x08\x01\x12\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01", None),
        (b"\x08\x01\x1a\x00", None),
        (b"\x0d\x01\x00\x00\x00", None),
        (b"\x08\x01\x00", None),
    ] {
        assert_eq!(is_good(answer), good, "{answer:02x?}");
    }
}

#[test]
fn a_long_reason_is_still_an_answer() {
    let mut answer = b"\x12\xac\x02".to_vec();
    answer.extend([b'x'; 300]);
    assert_eq!(is_good(&answer), Some(false));
    answer.extend(b"\x08\x01");
    assert_eq!(is_good(&answer), Some(true));
}
