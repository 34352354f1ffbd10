//! What the VM's allocator takes for a block: for who counts the memory of what clients can have kept.

#[cfg(any(test, target_os = "wasi"))]
mod lists;

/// The smallest size of which blocks are kept when they are freed.
const SMALLEST: usize = 16;

/// The largest one: the headers of most requests fit into it.
const LARGEST: usize = 8192;

/// Returns how many bytes the allocator takes for so many: with what it rounds up, and what it notes for itself.
pub fn taken(bytes: usize) -> usize {
    if bytes == 0 {
        0
    } else {
        kept_size(bytes).unwrap_or(bytes).saturating_add(8).div_ceil(16).saturating_mul(16)
    }
}

/// Returns the size of the block that is kept of so many bytes; none if it isn't kept.
fn kept_size(bytes: usize) -> Option<usize> {
    bytes.max(SMALLEST).checked_next_power_of_two().filter(|size| *size <= LARGEST)
}

#[cfg(test)]
mod tests {
    #[cfg(target_arch = "wasm32")]
    use wasm_bindgen_test::wasm_bindgen_test as test;

    use super::*;

    #[test]
    fn what_is_taken_is_the_next_size_and_a_little_more() {
        for (bytes, expected) in [
            (0, 0),
            (1, 32),
            (16, 32),
            (17, 48),
            (100, 144),
            (4097, 8208),
            (8192, 8208),
            (8193, 8208),
            (9000, 9008),
        ] {
            assert_eq!(taken(bytes), expected, "{bytes}");
        }
        assert!(usize::MAX - 16 < taken(usize::MAX));
    }
}
