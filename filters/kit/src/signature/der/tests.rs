//! One value has one form, and hostile octets have none.

use proptest::prelude::*;

use super::*;
#[cfg(target_arch = "wasm32")]
use wasm_bindgen_test::wasm_bindgen_test as test;

/// A curve that nobody has heard of.
const CURVE: &[u8] = &[0x2a, 0x03];

#[test]
fn a_length_is_written_in_the_shortest_way() {
    let mut long = vec![0x30, 0x82, 0x01, 0x00];
    long.resize(260, 7);
    for whole in [&[0x30, 0][..], &[0x30, 2, 7, 7], &[&[0x30, 0x81, 0x80][..], &[7; 128]].concat(), &long] {
        assert!(only(SEQUENCE, whole).is_some_and(|content| whole.ends_with(content)), "{whole:?}");
    }
    let seven = [7; 127];
    for wrong in [
        &[][..],
        &[0x30],
        &[0x30, 1],
        &[0x30, 1, 7, 7],
        &[0x31, 1, 7],
        // Without an end in sight (X.690 section 8.1.3.6).
        &[0x30, 0x80, 0, 0],
        &[0x30, 0x81],
        &[0x30, 0x81, 0],
        &[0x30, 0x81, 1, 7],
        &[&[0x30, 0x81, 0x7f][..], &seven].concat(),
        &[0x30, 0x82, 1],
        &[0x30, 0x82, 0, 1, 7],
        &[&[0x30, 0x82, 0, 0x7f][..], &seven].concat(),
        &[0x30, 0x83, 0, 0, 1, 7],
        &[0x30, 0x84, 0, 0, 0, 1, 7],
        &[0x30, 0x88, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff],
        &[0x30, 0xff, 1, 7],
    ] {
        assert_eq!(only(SEQUENCE, wrong), None, "{wrong:?}");
    }
}

#[test]
fn a_number_has_as_few_octets_as_show_that_it_is_above_zero() {
    for (content, number) in [
        (&[1][..], &[1][..]),
        (&[0x7f], &[0x7f]),
        (&[0, 0x80], &[0x80]),
        (&[0, 0xff, 0], &[0xff, 0]),
        (&[1, 0], &[1, 0]),
    ] {
        assert_eq!(positive(content), Some(number));
    }
    for wrong in [&[][..], &[0], &[0, 0], &[0, 1], &[0, 0x7f], &[0, 0, 0x80], &[0x80], &[0xff], &[0xff, 1]] {
        assert_eq!(positive(wrong), None, "{wrong:?}");
    }
}

#[test]
fn bits_are_whole_octets() {
    let with = |unused: &[u8]| {
        element(SEQUENCE, &[&element(SEQUENCE, &[&ec_algorithm(CURVE)]), &element(BIT_STRING, &[unused])])
    };
    assert_eq!(read_ec_key(CURVE, &with(&[0, 7, 7])), Some(Some(&[7, 7][..])));
    assert_eq!(read_ec_key(CURVE, &with(&[0])), Some(Some(&[][..])));
    for wrong in [&[][..], &[1, 6, 6], &[7, 0x80], &[8, 7], &[0xff, 7]] {
        assert_eq!(read_ec_key(CURVE, &with(wrong)), None, "{wrong:?}");
    }
}

/// Octets, and some of them that are nearly a key or a signature.
fn hostile() -> impl Strategy<Value = Vec<u8>> {
    let octets = || prop::collection::vec(any::<u8>(), 0..140);
    let sound = prop_oneof![
        octets().prop_map(|point| ec_key(CURVE, &point)),
        (octets(), octets()).prop_map(|(r, s)| ecdsa_signature(&r, &s)),
    ];
    let altered = (sound, any::<prop::sample::Index>(), any::<u8>(), any::<bool>()).prop_map(
        |(mut octets, index, other, is_cut)| {
            let index = index.index(octets.len());
            octets[index] = other;
            octets.truncate(if is_cut { index } else { octets.len() });
            octets
        },
    );
    prop_oneof![octets(), altered]
}

proptest! {
    #[test]
    fn what_is_written_is_read(
        point in prop::collection::vec(any::<u8>(), 0..300),
        r in prop::collection::vec(any::<u8>(), 0..300),
        s in prop::collection::vec(any::<u8>(), 0..300),
    ) {
        let key = ec_key(CURVE, &point);
        prop_assert_eq!(read_ec_key(CURVE, &key), Some(Some(&point[..])));
        prop_assert_eq!(read_ec_key(&[0x2a, 0x04], &key), Some(None));
        let significant = |number: &[u8]| number.iter().copied().skip_while(|octet| *octet == 0).collect::<Vec<_>>();
        let (short_r, short_s) = (significant(&r), significant(&s));
        let expected = (!short_r.is_empty() && !short_s.is_empty()).then_some((&short_r[..], &short_s[..]));
        let signature = ecdsa_signature(&r, &s);
        prop_assert_eq!(read_ecdsa_signature(&signature), expected);
    }

    #[test]
    fn what_is_read_is_what_would_be_written_and_nothing_makes_a_panic(octets in hostile()) {
        if let Some(Some(point)) = read_ec_key(CURVE, &octets) {
            prop_assert_eq!(ec_key(CURVE, point), &octets[..]);
        }
        if let Some((r, s)) = read_ecdsa_signature(&octets) {
            prop_assert_eq!(ecdsa_signature(r, s), octets);
        }
    }
}
