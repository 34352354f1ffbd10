//! What a worker remembers of tokens: two ages of entries, a bounded number of bytes.
//!
//! An entry is found by a hash that clients can't compute, and is the token's only if all bytes are the same. When the
//! young entries have filled half of the room, they become the old ones, and the old ones go; one that is asked for
//! becomes young again. So what is used stays, and nothing has to be put in order.

use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hasher};

use kit::memory::taken;
use kit::table::KeyHash;

/// What a worker remembers of tokens.
#[derive(Debug)]
pub(crate) struct Cache<T> {
    /// How many bytes the entries of one age may have.
    half: usize,
    young: Age<T>,
    old: Age<T>,
}

/// The entries of an age, by their hash.
type Entries<T> = HashMap<u64, Entry<T>, BuildHasherDefault<AsIs>>;

#[derive(Debug)]
struct Age<T> {
    entries: Entries<T>,
    bytes: usize,
}

#[derive(Debug)]
struct Entry<T> {
    token: Box<[u8]>,
    known: T,
    bytes: usize,
}

/// What an entry costs beside its blocks: its place in the map.
const OVERHEAD: usize = 128;

impl<T> Cache<T> {
    /// Makes a cache of this many bytes; none at all remembers nothing.
    pub(crate) fn new(bytes: usize) -> Self {
        Self { half: bytes / 2, young: Age::default(), old: Age::default() }
    }

    /// Returns what is known of a token.
    pub(crate) fn get(&mut self, hash: KeyHash, token: &[u8]) -> Option<&T> {
        if let Some(entry) = self.old.take(hash, token) {
            self.put(hash, entry);
        }
        self.young
            .entries
            .get(&hash.tag())
            .filter(|entry| is_same(&entry.token, token))
            .map(|entry| &entry.known)
    }

    /// Remembers what is known of a token; `size` is what that has in bytes, itself included.
    pub(crate) fn insert(&mut self, hash: KeyHash, token: &[u8], known: T, size: usize) {
        let bytes = taken(token.len()).saturating_add(size).saturating_add(OVERHEAD);
        self.old.take(hash, token);
        self.put(hash, Entry { token: token.into(), known, bytes });
    }

    /// Forgets a token.
    pub(crate) fn remove(&mut self, hash: KeyHash, token: &[u8]) {
        self.young.take(hash, token);
        self.old.take(hash, token);
    }

    fn put(&mut self, hash: KeyHash, entry: Entry<T>) {
        if self.half < entry.bytes {
            return;
        }
        if self.half < self.young.bytes.saturating_add(entry.bytes) {
            self.old = std::mem::take(&mut self.young);
        }
        self.young.bytes = self.young.bytes.saturating_add(entry.bytes);
        if let Some(replaced) = self.young.entries.insert(hash.tag(), entry) {
            self.young.bytes = self.young.bytes.saturating_sub(replaced.bytes);
        }
    }
}

impl<T> Age<T> {
    /// Takes the entry of a token out.
    fn take(&mut self, hash: KeyHash, token: &[u8]) -> Option<Entry<T>> {
        if self.entries.get(&hash.tag()).is_none_or(|entry| !is_same(&entry.token, token)) {
            return None;
        }
        let entry = self.entries.remove(&hash.tag())?;
        self.bytes = self.bytes.saturating_sub(entry.bytes);
        Some(entry)
    }
}

impl<T> Default for Age<T> {
    fn default() -> Self {
        Self { entries: Entries::default(), bytes: 0 }
    }
}

/// Compares two tokens word by word: comparing byte by byte, as the `memcmp` of this target does, would be a quarter of
/// the time of a request whose token is known.
fn is_same(one: &[u8], other: &[u8]) -> bool {
    let (words, rest) = one.as_chunks::<8>();
    let (other_words, other_rest) = other.as_chunks::<8>();
    let number = |word: &[u8; 8]| u64::from_le_bytes(*word);
    one.len() == other.len()
        && words.iter().map(number).eq(other_words.iter().map(number))
        && rest == other_rest
}

/// Takes a hash for the hash that it is.
#[derive(Debug, Default)]
struct AsIs(u64);

impl Hasher for AsIs {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.0 = self.0.rotate_left(8) ^ u64::from(*byte);
        }
    }

    fn write_u64(&mut self, hash: u64) {
        self.0 = hash;
    }
}

#[cfg(test)]
mod tests {
    use kit::store::memory::Memory;
    use kit::table::Seed;
    #[cfg(target_arch = "wasm32")]
    use wasm_bindgen_test::wasm_bindgen_test as test;

    use super::*;

    fn hash(token: &[u8]) -> KeyHash {
        Seed::of_process(&Memory::default(), b"seed", || 1).unwrap().hash(token)
    }

    fn tokens(count: usize) -> Vec<Vec<u8>> {
        (0..count).map(|number| format!("{number:0>100}").into_bytes()).collect()
    }

    #[test]
    fn a_token_is_known_by_all_of_its_bytes_and_not_by_its_hash() {
        let mut cache = Cache::new(10_000);
        let same = hash(b"a");
        cache.insert(same, b"a", 1, 0);
        assert_eq!(cache.get(same, b"a"), Some(&1));
        assert_eq!(cache.get(same, b"b"), None);
        // Another token with the same hash takes the place, and is itself.
        cache.insert(same, b"b", 2, 0);
        assert_eq!((cache.get(same, b"b").copied(), cache.get(same, b"a").copied()), (Some(2), None));
    }

    #[test]
    fn tokens_are_the_same_only_if_every_byte_is() {
        for length in 0..40 {
            let token = vec![b'a'; length];
            assert!(is_same(&token, &token.clone()));
            assert!(!is_same(&token, &vec![b'a'; length + 1]));
            for place in 0..length {
                let mut other = token.clone();
                other[place] = b'b';
                assert!(!is_same(&token, &other) && !is_same(&other, &token), "{length} {place}");
            }
        }
    }

    #[test]
    fn what_is_used_stays_and_the_room_is_never_exceeded() {
        let mut cache = Cache::new(100 * 228);
        let used = b"used".to_vec();
        cache.insert(hash(&used), &used, usize::MAX, 0);
        for (number, token) in tokens(10_000).iter().enumerate() {
            cache.insert(hash(token), token, number, 0);
            assert_eq!(cache.get(hash(token), token), Some(&number));
            assert_eq!(cache.get(hash(&used), &used), Some(&usize::MAX));
            let count = cache.young.entries.len() + cache.old.entries.len();
            assert!(count <= 100, "{count}");
            for age in [&cache.young, &cache.old] {
                assert_eq!(age.bytes, age.entries.values().map(|entry| entry.bytes).sum::<usize>());
            }
        }
    }

    #[test]
    fn what_was_removed_is_forgotten_and_its_room_is_free() {
        let mut cache = Cache::new(1_000);
        cache.insert(hash(b"a"), b"a", 1, 0);
        cache.remove(hash(b"a"), b"b");
        assert_eq!(cache.get(hash(b"a"), b"a"), Some(&1));
        cache.remove(hash(b"a"), b"a");
        assert_eq!(cache.get(hash(b"a"), b"a"), None);
        assert_eq!((cache.young.bytes, cache.old.bytes), (0, 0));
    }

    #[test]
    fn no_room_remembers_nothing_and_neither_does_an_entry_that_is_too_large() {
        let mut none = Cache::new(0);
        none.insert(hash(b"a"), b"a", (), 0);
        assert_eq!(none.get(hash(b"a"), b"a"), None);
        let mut cache = Cache::new(1_000);
        cache.insert(hash(b"a"), b"a", (), 1_000);
        assert_eq!(cache.get(hash(b"a"), b"a"), None);
    }
}
