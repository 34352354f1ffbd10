//! Keys and signatures in DER: those that OpenSSL wrote, and those that nobody should.

use std::cell::RefCell;

use proptest::prelude::*;

use super::super::Abilities;
use super::*;
#[cfg(target_arch = "wasm32")]
use wasm_bindgen_test::wasm_bindgen_test as test;

/// A key of RFC 6979 appendix A.2, and a signature of `sample`, as OpenSSL 3.0 writes them.
struct Written {
    curve: Curve,
    /// What comes before the point.
    head: &'static str,
    x: &'static str,
    y: &'static str,
    /// The same with a point that is compressed.
    compressed: &'static str,
    signature: &'static str,
}

const WRITTEN: [Written; 3] = [P256, P384, P521];

/// RFC 6979 appendix A.2.5.
const P256: Written = Written {
    curve: Curve::P256,
    head: "3059301306072a8648ce3d020106082a8648ce3d03010703420004",
    x: "60fed4ba255a9d31c961eb74c6356d68c049b8923b61fa6ce669622e60f29fb6",
    y: "7903fe1008b8bc99a41ae9e95628bc64f2f1b20c2d7e9f5177a3c294d4462299",
    compressed: "\
        3039301306072a8648ce3d020106082a8648ce3d0301070322000360fed4ba255a9d31c961eb74c6356d68c049b8923b\
        61fa6ce669622e60f29fb6",
    signature: "\
        3045022100e16dedd95ec31177a10e3c9148cbaa9fb0da669e5d5db75e2e1955e4a4b66cc00220521fecf7c141e12b8f\
        5af4b8af52107130be77ee425c00a4906b264e8cd23903",
};

/// RFC 6979 appendix A.2.6.
const P384: Written = Written {
    curve: Curve::P384,
    head: "3076301006072a8648ce3d020106052b8104002203620004",
    x: "\
        ec3a4e415b4e19a4568618029f427fa5da9a8bc4ae92e02e06aae5286b300c64def8f0ea9055866064a254515480bc13",
    y: "\
        8015d9b72d7d57244ea8ef9ac0c621896708a59367f9dfb9f54ca84b3f1c9db1288b231c3ae0d4fe7344fd2533264720",
    compressed: "\
        3046301006072a8648ce3d020106052b8104002203320002ec3a4e415b4e19a4568618029f427fa5da9a8bc4ae92e02e\
        06aae5286b300c64def8f0ea9055866064a254515480bc13",
    signature: "\
        306402306205d7f959f595001a5e60fe3cc462fa44aa445f46484fe258c0ed2cd4f9ccdcf7b7bd618a983f7191600cce\
        d1a2ef2d02305d3b3fe81a0e32aad9ac6d51948b42cd3a04bc1f7a93e574d01459f9994ad9a154a94f169b700d3ef110\
        14197a79bdfe",
};

/// RFC 6979 appendix A.2.7.
const P521: Written = Written {
    curve: Curve::P521,
    head: "30819b301006072a8648ce3d020106052b810400230381860004",
    x: "\
        01894550d0785932e00eaa23b694f213f8c3121f86dc97a04e5a7167db4e5bcd371123d46e45db6b5d5370a7f20fb633\
        155d38ffa16d2bd761dcac474b9a2f5023a4",
    y: "\
        00493101c962cd4d2fddf782285e64584139c2f91b47f87ff82354d6630f746a28a0db25741b5b34a828008b22acc23f\
        924faafbd4d33f81ea66956dfeaa2bfdfcf5",
    compressed: "\
        3058301006072a8648ce3d020106052b810400230344000301894550d0785932e00eaa23b694f213f8c3121f86dc97a0\
        4e5a7167db4e5bcd371123d46e45db6b5d5370a7f20fb633155d38ffa16d2bd761dcac474b9a2f5023a4",
    signature: "\
        3081870242015519eb8785dc4c9dde3ff6455bae3014631d8268b5b837b4db145296de5f77279eafcd805af72d82215b\
        fcd2eee7f2f4ce85a575589283761a00b354c004f6142602417113e1d1cb0c9cf6045bffee72b0491569b05d4b357a12\
        e78216992c556eb5b4af22df3ec62cb14d721e299388252e35cce2df16dd09478bc71ad07d202ef0c127",
};

/// The key on P-256 once more, with all parameters of its curve in the place of the curve's name.
const EXPLICIT: &str = "\
    3082014b3082010306072a8648ce3d02013081f7020101302c06072a8648ce3d0101022100ffffffff00000001000000\
    000000000000000000ffffffffffffffffffffffff305b0420ffffffff00000001000000000000000000000000ffffff\
    fffffffffffffffffc04205ac635d8aa3a93e7b3ebbd55769886bc651d06b0cc53b0f63bce3c3e27d2604b031500c49d\
    360886e704936a6678e1139d26b7819f7e900441046b17d1f2e12c4247f8bce6e563a440f277037d812deb33a0f4a139\
    45d898c2964fe342e2fe1a7f9b8ee7eb4a7c0f9e162bce33576b315ececbb6406837bf51f5022100ffffffff00000000\
    ffffffffffffffffbce6faada7179e84f3b9cac2fc6325510201010342000460fed4ba255a9d31c961eb74c6356d68c0\
    49b8923b61fa6ce669622e60f29fb67903fe1008b8bc99a41ae9e95628bc64f2f1b20c2d7e9f5177a3c294d4462299";

impl Written {
    fn x_and_y(&self) -> [Vec<u8>; 2] {
        [self.x, self.y].map(hex)
    }

    fn spki(&self) -> Vec<u8> {
        hex(&[self.head, self.x, self.y].concat())
    }

    fn key(&self) -> EcKey {
        EcKey::from_spki(self.curve, &self.spki()).unwrap()
    }

    /// Both numbers of the signature, each with the octet that shows that it isn't negative.
    fn r_and_s(&self) -> [Vec<u8>; 2] {
        let signature = hex(self.signature);
        let (r, s) = der::read_ecdsa_signature(&signature).unwrap();
        [r, s].map(|number| [&[0; 1][..usize::from(number[0] >> 7)], number].concat())
    }

    /// Tells whether a signature is good.
    fn verifies(&self, signature: &[u8]) -> bool {
        self.key().verify_der(b"sample", signature, None)
    }

    /// Expects what is no signature to be refused before any host sees it.
    fn refuses(&self, signature: &[u8]) {
        let host = |_: &Signature<'_>| -> Option<bool> { panic!("was asked") };
        let able = Abilities { rsa: true, p256: true, p384: true, p521: true };
        assert!(!self.key().verify_der(b"sample", signature, None), "{signature:02x?}");
        let host = HostVerifier::new(&host, able);
        assert!(!self.key().verify_der(b"sample", signature, Some(host)), "{signature:02x?}");
    }
}

fn hex(digits: &str) -> Vec<u8> {
    let value = |pair: &[u8]| u8::from_str_radix(str::from_utf8(pair).unwrap(), 16).unwrap();
    digits.as_bytes().chunks(2).map(value).collect()
}

/// Writes an element, whose length is as short as can be up to 255.
fn element(tag: u8, parts: &[&[u8]]) -> Vec<u8> {
    let content = parts.concat();
    let length = u8::try_from(content.len()).unwrap();
    let head = if length < 0x80 { vec![tag, length] } else { vec![tag, 0x81, length] };
    [head, content].concat()
}

/// Writes a signature of two numbers as they are.
fn sequence(r: &[u8], s: &[u8]) -> Vec<u8> {
    element(0x30, &[&element(0x02, &[r]), &element(0x02, &[s])])
}

/// Writes a key of an algorithm, whose identifier is given whole, and the octets of a bit string.
fn public_key(algorithm: &[u8], bits: &[u8]) -> Vec<u8> {
    element(0x30, &[algorithm, &element(0x03, &[bits])])
}

fn refused(curve: Curve, spki: &[u8]) -> String {
    EcKey::from_spki(curve, spki).map(|_| "it was taken").unwrap_err()
}

#[test]
fn a_key_in_der_is_the_key_of_its_coordinates_with_its_point_compressed_or_not() {
    for written in WRITTEN {
        let [x, y] = written.x_and_y();
        let given = EcKey::new(written.curve, &x, &y).unwrap();
        for der in [written.spki(), hex(written.compressed)] {
            let key = EcKey::from_spki(written.curve, &der).unwrap();
            assert_eq!(key.curve(), written.curve);
            assert_eq!(key.spki, given.spki, "what hosts are shown is not compressed");
            assert_eq!(key.spki, written.spki());
            assert!(key.verify_der(b"sample", &hex(written.signature), None));
            assert!(!key.verify_der(b"simple", &hex(written.signature), None));
        }
    }
}

#[test]
fn the_other_point_of_the_same_first_coordinate_is_another_key() {
    for written in WRITTEN {
        let mut der = hex(written.compressed);
        let sign = der.len() - written.x_and_y()[0].len() - 1;
        der[sign] ^= 1;
        let key = EcKey::from_spki(written.curve, &der).unwrap();
        assert_ne!(key.spki, written.spki());
        assert!(!key.verify_der(b"sample", &hex(written.signature), None));
    }
}

#[test]
fn a_key_with_anything_behind_it_or_within_it_is_refused() {
    for written in WRITTEN {
        let [x, y] = written.x_and_y();
        let point = [&[0, 4], &x[..], &y].concat();
        let (ec, curve) = (element(0x06, &[&hex("2a8648ce3d0201")]), element(0x06, &[written.curve.oid()]));
        let algorithm = element(0x30, &[&ec, &curve]);
        let bits = element(0x03, &[&point]);
        assert_eq!(public_key(&algorithm, &point), written.spki());
        let null = [5, 0];
        for wrong in [
            [&written.spki()[..], &[0]].concat(),
            [&written.spki()[..], &null].concat(),
            [written.spki(), written.spki()].concat(),
            element(0x30, &[&algorithm, &bits, &null]),
            element(0x30, &[&null, &algorithm, &bits]),
            element(0x30, &[&algorithm, &null, &bits]),
            element(0x30, &[&bits, &algorithm]),
            element(0x30, &[&algorithm]),
            // Another tag for each of the elements that have one of their own.
            element(0x31, &[&algorithm, &bits]),
            element(0x30, &[&element(0x31, &[&ec, &curve]), &bits]),
            element(0x30, &[&algorithm, &element(0x04, &[&point])]),
            element(0x30, &[&algorithm, &element(0x23, &[&bits])]),
            // The last bits of the point are said to be none of it.
            public_key(&algorithm, &[&[1, 4], &x[..], &y].concat()),
            public_key(&algorithm, &[]),
        ] {
            assert_eq!(refused(written.curve, &wrong), "it is not a public key in DER", "{wrong:02x?}");
        }
        assert_eq!(
            refused(written.curve, &public_key(&algorithm, &[&point[..], &[0]].concat())),
            "its point is neither compressed nor uncompressed"
        );
    }
}

#[test]
fn a_key_of_another_curve_or_another_kind_is_refused() {
    for written in WRITTEN {
        for other in WRITTEN.iter().filter(|other| other.curve != written.curve) {
            for der in [other.spki(), hex(other.compressed)] {
                let name = written.curve.name();
                assert_eq!(refused(written.curve, &der), format!("it is not a key on {name}"));
            }
        }
        let [x, y] = written.x_and_y();
        let point = [&[0, 4], &x[..], &y].concat();
        let [ec, dh, rsa, ed25519, k1] =
            ["2a8648ce3d0201", "2b81040112", "2a864886f70d010101", "2b6570", "2b8104000a"]
                .map(|identifier| element(0x06, &[&hex(identifier)]));
        let curve = element(0x06, &[written.curve.oid()]);
        let null = [5, 0];
        let no_parts: &[&[u8]] = &[];
        for parts in [
            no_parts,
            &[&ec],
            &[&curve],
            &[&curve, &ec],
            &[&ec, &null],
            &[&ec, &k1],
            &[&ec, &curve, &null],
            &[&ec, &element(0x30, &[&curve])],
            &[&dh, &curve],
            &[&rsa, &null],
            &[&ed25519],
        ] {
            let reason = refused(written.curve, &public_key(&element(0x30, parts), &point));
            assert_eq!(reason, format!("it is not a key on {}", written.curve.name()), "{parts:02x?}");
        }
    }
    // The same curve by its parameters (RFC 5480 section 2.1.1 forbids it), where generators have been forged.
    assert_eq!(refused(Curve::P256, &hex(EXPLICIT)), "it is not a key on P-256");
}

#[test]
fn a_point_has_one_of_two_forms_and_is_on_its_curve() {
    for written in WRITTEN {
        let [x, y] = written.x_and_y();
        let algorithm = element(
            0x30,
            &[&element(0x06, &[&hex("2a8648ce3d0201")]), &element(0x06, &[written.curve.oid()])],
        );
        let reason = |point: &[&[u8]]| {
            refused(written.curve, &public_key(&algorithm, &[&[0], &point.concat()[..]].concat()))
        };
        // Nowhere, compact, and both at once.
        let forms: [&[&[u8]]; 13] = [
            &[],
            &[&[0]],
            &[&[4]],
            &[&[2]],
            &[&[0], &x, &y],
            &[&[1], &x, &y],
            &[&[5], &x],
            &[&[6], &x, &y],
            &[&[7], &x, &y],
            &[&[2], &x, &y],
            &[&[4], &x],
            &[&[4], &x, &y[1..]],
            &[&[3], &x[1..]],
        ];
        for point in forms {
            assert_eq!(reason(point), "its point is neither compressed nor uncompressed", "{point:02x?}");
        }
        let (ones, zeros) = (vec![0xff; x.len()], vec![0; x.len()]);
        let elsewhere: [&[&[u8]]; 6] = [
            &[&[4], &x, &x],
            &[&[4], &y, &x],
            &[&[4], &zeros, &zeros],
            &[&[4], &ones, &ones],
            &[&[2], &ones],
            &[&[3], &ones],
        ];
        for point in elsewhere {
            assert_eq!(reason(point), "its point is not on its curve", "{point:02x?}");
        }
    }
}

#[test]
fn a_key_that_is_cut_anywhere_or_has_a_longer_length_is_refused() {
    for written in WRITTEN {
        for der in [written.spki(), hex(written.compressed)] {
            for length in 0..der.len() {
                assert_eq!(
                    refused(written.curve, &der[..length]),
                    "it is not a public key in DER",
                    "{length}"
                );
                assert_eq!(
                    refused(written.curve, &der[length + 1..]),
                    "it is not a public key in DER",
                    "{length}"
                );
            }
        }
    }
    let [spki, compressed] = [P256.spki(), hex(P256.compressed)];
    for der in [spki, compressed] {
        for longer in [&[0x30, 0x81, der[1]][..], &[0x30, 0x82, 0, der[1]], &[0x30, 0x80]] {
            let der = [longer, &der[2..]].concat();
            assert_eq!(refused(Curve::P256, &der), "it is not a public key in DER");
        }
    }
}

#[test]
fn a_host_is_shown_a_signature_in_der_as_it_came() {
    for written in WRITTEN {
        let seen = RefCell::new(Vec::new());
        for answer in [Some(true), Some(false), None] {
            let verify = |signature: &Signature<'_>| {
                assert_eq!(signature.hash, written.curve.hash().name());
                assert_eq!((signature.key, signature.text), (&written.spki()[..], &b"sample"[..]));
                seen.borrow_mut().push(signature.signature.to_vec());
                answer
            };
            let able = Abilities { rsa: true, p256: true, p384: true, p521: true };
            let host = HostVerifier::new(&verify, able);
            let found = written.key().verify_der(b"sample", &hex(written.signature), Some(host));
            assert_eq!(found, answer.unwrap_or(true));
        }
        assert_eq!(seen.into_inner(), vec![hex(written.signature); 3]);
    }
}

#[test]
fn a_signature_in_der_is_not_two_numbers_joined_and_these_are_not_in_der() {
    for written in WRITTEN {
        let der = hex(written.signature);
        let joined = written.curve.numbers(&der).unwrap();
        assert_eq!(joined.len(), 2 * written.curve.length());
        assert!(written.key().verify(b"sample", &joined, None));
        assert!(!written.key().verify(b"sample", &der, None));
        written.refuses(&joined);
    }
}

#[test]
fn a_signature_with_anything_behind_it_or_within_it_is_refused() {
    for written in WRITTEN {
        let [r, s] = written.r_and_s();
        let (first, second) = (element(0x02, &[&r]), element(0x02, &[&s]));
        assert_eq!(sequence(&r, &s), hex(written.signature));
        assert!(written.verifies(&sequence(&r, &s)));
        for wrong in [
            [&hex(written.signature)[..], &[0]].concat(),
            [hex(written.signature), hex(written.signature)].concat(),
            element(0x30, &[&first, &second, &[5, 0]]),
            element(0x30, &[&first, &second, &[0]]),
            element(0x30, &[&[5, 0], &first, &second]),
            element(0x30, &[&first]),
            element(0x30, &[]),
            element(0x31, &[&first, &second]),
            element(0x30, &[&element(0x03, &[&r]), &second]),
            element(0x30, &[&first, &element(0x0a, &[&s])]),
            element(0x30, &[&element(0x30, &[&first, &second])]),
        ] {
            written.refuses(&wrong);
        }
    }
}

#[test]
fn a_number_with_octets_that_it_does_not_need_is_refused() {
    for written in WRITTEN {
        let [r, s] = written.r_and_s();
        for zeros in [&[0][..], &[0, 0], &[0; 8]] {
            written.refuses(&sequence(&[zeros, &r].concat(), &s));
            written.refuses(&sequence(&r, &[zeros, &s].concat()));
        }
    }
}

#[test]
fn a_number_that_begins_with_zeros_is_whole_in_der_without_them() {
    // Signatures that this key makes of these texts (RFC 6979), of which a number has an octet less than others.
    let sign = |text: &[u8]| {
        use p256::ecdsa::signature::Signer;
        let secret = hex("C9AFA9D845BA75166B5C215767B1D6934E50C3DB36E89B127B8A622B120F6721");
        let key = p256::ecdsa::SigningKey::from_slice(&secret).unwrap();
        let signature: p256::ecdsa::Signature = key.sign(text);
        signature.to_bytes().to_vec()
    };
    for (text, zero) in [(b"zero 230", 0), (b"zero 278", 32)] {
        let joined = sign(text);
        assert_eq!(joined[zero], 0);
        let (r, s) = joined.split_at(32);
        let der = der::ecdsa_signature(r, s);
        assert_eq!(Curve::P256.numbers(&der), Some(joined.clone()));
        assert!(P256.key().verify_der(text, &der, None));
    }
}

#[test]
fn a_number_that_is_negative_is_refused() {
    for written in WRITTEN {
        let [r, s] = written.r_and_s();
        // Without the octet that says otherwise, and with ones in front.
        let negative = |number: &[u8]| {
            let number = if number[0] == 0 { &number[1..] } else { number };
            [&[number[0] | 0x80], &number[1..]].concat()
        };
        for wrong in [negative(&r), [&[0xff], &r[..]].concat(), vec![0x80], vec![0xff]] {
            written.refuses(&sequence(&wrong, &s));
        }
        for wrong in [negative(&s), [&[0xff], &s[..]].concat(), vec![0x80], vec![0xff]] {
            written.refuses(&sequence(&r, &wrong));
        }
    }
}

#[test]
fn a_number_that_is_zero_signs_nothing() {
    for written in WRITTEN {
        let [r, s] = written.r_and_s();
        for zero in [&[][..], &[0], &[0, 0]] {
            written.refuses(&sequence(zero, &s));
            written.refuses(&sequence(&r, zero));
            written.refuses(&sequence(zero, zero));
        }
    }
}

#[test]
fn a_number_that_is_longer_than_the_curve_or_not_less_than_its_order_is_refused() {
    for written in WRITTEN {
        let [r, s] = written.r_and_s();
        let length = written.curve.length();
        let longest = [&[0], &vec![0xff; length][..]].concat();
        let longer = [&[1], &vec![0; length][..]].concat();
        let much_longer = vec![1; 2 * length - 20];
        for wrong in [&longest, &longer, &much_longer] {
            written.refuses(&sequence(wrong, &s));
            written.refuses(&sequence(&r, wrong));
        }
        // All of the length of the other number.
        written.refuses(&sequence(&much_longer, &[1]));
        for other in WRITTEN.iter().filter(|other| other.curve != written.curve) {
            assert!(!written.verifies(&hex(other.signature)));
        }
    }
}

#[test]
fn a_signature_that_is_cut_anywhere_or_has_a_longer_length_is_refused() {
    for written in WRITTEN {
        let der = hex(written.signature);
        for length in 0..der.len() {
            written.refuses(&der[..length]);
            written.refuses(&der[length + 1..]);
        }
        let [r, s] = written.r_and_s();
        let [short_r, short_s] = [&r, &s].map(|number| u8::try_from(number.len()).unwrap());
        let [first, second] = [element(0x02, &[&r]), element(0x02, &[&s])];
        written.refuses(&element(0x30, &[&[2, 0x81, short_r], &r, &second]));
        written.refuses(&element(0x30, &[&first, &[2, 0x81, short_s], &s]));
        written.refuses(&element(0x30, &[&first, &[2, 0x82, 0, short_s], &s]));
        written.refuses(&[&[0x30, 0x80], &first[..], &second, &[0, 0]].concat());
        let all = [first, second].concat();
        let length = u8::try_from(all.len()).unwrap();
        written.refuses(&[&[0x30, 0x82, 0, length], &all[..]].concat());
    }
    let der = hex(P256.signature);
    P256.refuses(&[&[0x30, 0x81], &der[1..]].concat());
}

#[test]
fn every_octet_of_a_signature_in_der_counts() {
    for written in WRITTEN {
        let der = hex(written.signature);
        for position in 0..der.len() {
            for bit in [1, 0x80] {
                let mut altered = der.clone();
                altered[position] ^= bit;
                assert!(!written.verifies(&altered), "{position}");
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn hostile_keys_and_signatures_are_refused_without_a_panic(
        octets in prop::collection::vec(any::<u8>(), 0..160),
        index in any::<prop::sample::Index>(),
        other in any::<u8>(),
    ) {
        for written in WRITTEN {
            prop_assert!(EcKey::from_spki(written.curve, &octets).is_err());
            prop_assert!(!written.verifies(&octets));
            let mut key = written.spki();
            let at = index.index(key.len());
            let is_same = key[at] == other;
            key[at] = other;
            prop_assert_eq!(EcKey::from_spki(written.curve, &key).is_ok(), is_same);
        }
    }
}
