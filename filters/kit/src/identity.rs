//! Stable short names for things whose own names are long or not ours to choose.

use siphasher::sip::SipHasher13;
use std::fmt::Write as _;
use std::hash::Hasher;

/// Returns sixteen hexadecimal digits that stand for these parts, the same in every process and version.
pub fn digest(parts: &[&[u8]]) -> String {
    let mut hasher = SipHasher13::new();
    for part in parts {
        hasher.write(&u64::try_from(part.len()).unwrap_or(u64::MAX).to_le_bytes());
        hasher.write(part);
    }
    let mut text = String::with_capacity(16);
    // Writing to a String can't fail.
    if write!(text, "{:016x}", hasher.finish()).is_err() {
        text.clear();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    #[cfg(target_arch = "wasm32")]
    use wasm_bindgen_test::wasm_bindgen_test as test;

    #[test]
    fn is_the_same_for_ever_because_shared_state_is_found_by_it() {
        assert_eq!(digest(&[b"a", b"b"]), digest(&[b"a", b"b"]));
        assert_ne!(digest(&[b"a", b"b"]), digest(&[b"ab", b""]));
        assert_eq!(digest(&[b"rate-limit"]).len(), 16);
    }
}
