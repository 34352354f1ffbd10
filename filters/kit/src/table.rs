//! The bounded shared table: one entry per client in a fixed number of blocks, whoever comes.
//!
//! 1. A key is hashed with a secret seed of the process. Part of the hash names a block, the rest is its tag there:
//!    nobody can aim at a block, and no client's value is kept.
//! 2. A block is one value of the [`Store`]: at most [`WAYS`] entries of a tag and a few words. An update is one
//!    compare-and-swap of its block.
//! 3. An entry that its owner calls free is worth no more than an absent one, so a new key takes its place and
//!    nothing is lost.
//! 4. When all entries of a block are in use, the one that would be free first goes, and the caller is told.
//!
//! There are twice as many places as the clients that the configuration names, in blocks of 32: with that many
//! clients in use at once a block holds 16 on average, and about one in ten thousand overflows.

use siphasher::sip128::SipHasher13;

use crate::store::{Change, Contended, Store};
use crate::time::Timestamp;

/// How many entries a block holds at the most.
pub const WAYS: usize = 32;

/// How many words an entry can have beside its tag.
pub const MAX_WORDS: usize = 8;

/// How often an update is tried before it counts as contended.
///
/// A swap is lost only when another worker's was won in the few microseconds between read and swap, so a run of
/// this many losses means more workers than a process has.
const TRIES: u32 = 64;

/// What a block starts with: the format's version; the number of words is added.
const FORMAT: u64 = 0x534c_5543_0001_0000;

/// The seed that all workers of a process hash keys with.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Seed(u64, u64);

impl Seed {
    /// Returns the seed of the process; the first worker to ask makes it out of `random`.
    ///
    /// # Errors
    ///
    /// [`Contended`] when other workers were first every time, which one of them must have survived.
    pub fn of_process(store: &dyn Store, key: &[u8], random: impl Fn() -> u64) -> Result<Self, Contended> {
        store.update(key, TRIES, |old| match old.and_then(Self::decode) {
            Some(seed) => Change::Keep(seed),
            None => {
                let seed = Self(random(), random());
                let mut value = seed.0.to_le_bytes().to_vec();
                value.extend_from_slice(&seed.1.to_le_bytes());
                Change::Write(value, seed)
            }
        })
    }

    /// Returns a seed for keys of one kind, so that the same bytes as a key of another kind hash differently.
    #[must_use]
    pub fn for_kind(self, kind: &[u8]) -> Self {
        let hash = self.hash(kind);
        Self(hash.block, hash.tag)
    }

    /// Hashes a key.
    pub fn hash(self, key: &[u8]) -> KeyHash {
        let hash = SipHasher13::new_with_keys(self.0, self.1).hash(key);
        KeyHash { block: hash.h1, tag: hash.h2 }
    }

    fn decode(value: &[u8]) -> Option<Self> {
        let mut words = words_of(value)?;
        match (words.next(), words.next(), words.next()) {
            (Some(first), Some(second), None) => Some(Self(first, second)),
            _ => None,
        }
    }
}

/// The hash of a key: where its entry stands, and how it is told from its neighbours.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct KeyHash {
    block: u64,
    tag: u64,
}

impl KeyHash {
    /// Returns the part of the hash that tells keys apart.
    pub const fn tag(self) -> u64 {
        self.tag
    }
}

/// A table of entries in a [`Store`].
#[derive(Clone, Debug)]
pub struct Table {
    prefix: Vec<u8>,
    blocks: u64,
    words: usize,
}

/// What an update does to an entry.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Update<T> {
    /// It stays as it was, whatever the words are now.
    Keep(T),
    /// It becomes the words as they are now.
    Write(T),
}

/// The answer of an update.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Updated<T> {
    /// What the update answered.
    pub answer: T,
    /// An entry in use had to go for this one.
    pub evicted: bool,
}

impl Table {
    /// Describes a table for so many clients in use at once, with so many words each (at most [`MAX_WORDS`]).
    ///
    /// Tables with the same prefix and the same number of words are one table.
    pub fn new(prefix: &str, clients: u64, words: usize) -> Self {
        let words = words.min(MAX_WORDS);
        Self { prefix: format!("{prefix}/{words}/").into_bytes(), blocks: blocks(clients), words }
    }

    /// Replaces the entry of a key by a function of its words (zeros for an absent one), as one step that no
    /// other worker can come between.
    ///
    /// `free_at` says when an entry is worth no more than an absent one.
    ///
    /// # Errors
    ///
    /// [`Contended`] when other workers were first every time: nothing was written.
    pub fn update<T>(
        &self,
        store: &dyn Store,
        key: KeyHash,
        now: Timestamp,
        free_at: impl Fn(&[u64]) -> Timestamp,
        mut change: impl FnMut(&mut [u64]) -> Update<T>,
    ) -> Result<Updated<T>, Contended> {
        store.update(&self.block_key(key), TRIES, |old| {
            let mut block = Block::read(old, self.words);
            let mut words = [0; MAX_WORDS];
            let words = words.get_mut(..self.words).unwrap_or_default();
            let place = block.find(key.tag, words);
            match change(words) {
                Update::Keep(answer) => Change::Keep(Updated { answer, evicted: false }),
                Update::Write(answer) => {
                    let place = place.unwrap_or_else(|| block.place(now, &free_at));
                    block.write(place, key.tag, words);
                    Change::Write(block.bytes, Updated { answer, evicted: matches!(place, Place::Taken(_)) })
                }
            }
        })
    }

    /// Returns how many bytes all values together can have; the store adds its own for each block's key.
    pub fn bytes(&self) -> u64 {
        let entries = u64::try_from(WAYS.saturating_mul(entry_bytes(self.words))).unwrap_or(u64::MAX);
        self.blocks.saturating_mul(entries.saturating_add(8))
    }

    fn block_key(&self, key: KeyHash) -> Vec<u8> {
        let index = key.block.checked_rem(self.blocks).unwrap_or(0);
        let mut block_key = Vec::with_capacity(self.prefix.len().saturating_add(8));
        block_key.extend_from_slice(&self.prefix);
        // Base64-like digits keep the key short: it is hashed and compared on every update.
        let mut rest = index;
        loop {
            let digit = u8::try_from(rest & 63).unwrap_or(0);
            block_key.push(digit.saturating_add(b'0'));
            rest >>= 6;
            if rest == 0 {
                return block_key;
            }
        }
    }
}

/// Returns the number of blocks for so many clients: half full on average.
fn blocks(clients: u64) -> u64 {
    clients.saturating_mul(2).div_ceil(32).max(1)
}

const fn entry_bytes(words: usize) -> usize {
    words.saturating_add(1).saturating_mul(8)
}

/// A block's bytes, whose shape was checked.
struct Block {
    bytes: Vec<u8>,
    words: usize,
}

/// Where an entry is written.
#[derive(Clone, Copy)]
enum Place {
    /// Over its own, or over one that is free.
    Free(usize),
    /// Over one in use.
    Taken(usize),
    /// Behind the last.
    New,
}

impl Block {
    /// Takes a block as it is stored; one of another shape is nobody's and counts as empty.
    fn read(old: Option<&[u8]>, words: usize) -> Self {
        let header = FORMAT.saturating_add(u64::try_from(words).unwrap_or(0)).to_le_bytes();
        let bytes = match old {
            Some(old) if has_shape(old, header, words) => {
                // Room for one more entry, so that a write doesn't move the block again.
                let mut bytes = Vec::with_capacity(old.len().saturating_add(entry_bytes(words)));
                bytes.extend_from_slice(old);
                bytes
            }
            Some(_) | None => header.to_vec(),
        };
        Self { bytes, words }
    }

    fn entries(&self) -> std::slice::ChunksExact<'_, u8> {
        self.bytes.get(8..).unwrap_or_default().chunks_exact(entry_bytes(self.words))
    }

    /// Finds the entry of a tag and copies its words.
    fn find(&self, tag: u64, words: &mut [u64]) -> Option<Place> {
        let tag = tag.to_le_bytes();
        let (index, entry) = self.entries().enumerate().find(|(_, entry)| entry.starts_with(&tag))?;
        for (word, value) in words.iter_mut().zip(words_of(entry)?.skip(1)) {
            *word = value;
        }
        Some(Place::Free(index))
    }

    /// Chooses the place of a new entry.
    fn place(&self, now: Timestamp, free_at: &impl Fn(&[u64]) -> Timestamp) -> Place {
        let mut first: Option<(usize, Timestamp)> = None;
        let mut words = [0; MAX_WORDS];
        for (index, entry) in self.entries().enumerate() {
            for (word, value) in words.iter_mut().zip(words_of(entry).into_iter().flatten().skip(1)) {
                *word = value;
            }
            let free = free_at(words.get(..self.words).unwrap_or_default());
            if free <= now {
                return Place::Free(index);
            }
            if first.is_none_or(|(_, earliest)| free < earliest) {
                first = Some((index, free));
            }
        }
        match first {
            Some((index, _)) if WAYS <= self.entries().len() => Place::Taken(index),
            Some(_) | None => Place::New,
        }
    }

    fn write(&mut self, place: Place, tag: u64, words: &[u64]) {
        let mut entry = Vec::with_capacity(entry_bytes(self.words));
        entry.extend_from_slice(&tag.to_le_bytes());
        for word in words {
            entry.extend_from_slice(&word.to_le_bytes());
        }
        match place {
            Place::Free(index) | Place::Taken(index) => {
                let start = index.saturating_mul(entry_bytes(self.words)).saturating_add(8);
                let end = start.saturating_add(entry.len());
                if let Some(old) = self.bytes.get_mut(start..end) {
                    old.copy_from_slice(&entry);
                }
            }
            Place::New => self.bytes.extend_from_slice(&entry),
        }
    }
}

fn has_shape(block: &[u8], header: [u8; 8], words: usize) -> bool {
    match block.strip_prefix(&header) {
        Some(entries) => {
            let size = entry_bytes(words);
            entries.len().is_multiple_of(size) && entries.len() <= WAYS.saturating_mul(size)
        }
        None => false,
    }
}

/// Reads little-endian words; none if a part of one is missing.
fn words_of(bytes: &[u8]) -> Option<impl Iterator<Item = u64> + '_> {
    let (words, rest) = bytes.as_chunks::<8>();
    rest.is_empty().then(|| words.iter().map(|word| u64::from_le_bytes(*word)))
}

#[cfg(test)]
mod tests;
