//! State that all workers of a process share, behind one method: compare and swap, retried, bounded.

/// Process-wide values under keys.
///
/// It never shrinks and strangers may use it too, so keys are prefixed `sluice/<filter>/`, their number is fixed
/// by the configuration, and a value that doesn't have the expected shape counts as absent.
pub trait Store {
    /// Reads the value and its version.
    fn read(&self, key: &[u8]) -> Versioned;

    /// Writes if the version is still the one that was read; false if somebody else was first.
    fn swap(&self, key: &[u8], value: &[u8], version: Version) -> bool;
}

/// A value and the version that a swap must name.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Versioned {
    /// The value, if there is one.
    pub value: Option<Vec<u8>>,
    /// What to hand to [`Store::swap`].
    pub version: Version,
}

/// The version of a value.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Version {
    /// There is no value: the swap creates it, if nobody else does first.
    Absent,
    /// The number that the store gave to the value.
    At(u32),
}

/// What becomes of a value, with the answer to whoever asked.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Change<T> {
    /// It stays as it is.
    Keep(T),
    /// It becomes this.
    Write(Vec<u8>, T),
}

/// Others were first, every time: nothing was written.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Contended;

impl dyn Store + '_ {
    /// Replaces a value by a function of it, as one step that no other worker can come between.
    ///
    /// # Errors
    ///
    /// [`Contended`] when `tries` swaps in a row were lost.
    pub fn update<T>(
        &self,
        key: &[u8],
        tries: u32,
        mut change: impl FnMut(Option<&[u8]>) -> Change<T>,
    ) -> Result<T, Contended> {
        for _ in 0..tries {
            let current = self.read(key);
            match change(current.value.as_deref()) {
                Change::Keep(answer) => return Ok(answer),
                Change::Write(value, answer) => {
                    if self.swap(key, &value, current.version) {
                        return Ok(answer);
                    }
                }
            }
        }
        Err(Contended)
    }
}

/// The store of a test: one process in memory, and swaps that fail when told to.
#[cfg(any(test, feature = "testing"))]
pub mod memory {
    use std::cell::{Cell, RefCell};
    use std::collections::BTreeMap;

    use super::{Store, Version, Versioned};

    /// Values and the numbers of their versions, by their keys.
    type Entries = BTreeMap<Vec<u8>, (Vec<u8>, u32)>;

    /// Values in memory.
    #[derive(Debug, Default)]
    pub struct Memory {
        values: RefCell<Entries>,
        version: Cell<u32>,
        lost: Cell<u32>,
        reads: Cell<u32>,
    }

    impl Memory {
        /// Makes the next swaps fail, as if another worker had been first each time.
        pub fn lose(&self, swaps: u32) {
            self.lost.set(swaps);
        }

        /// Returns how many reads there were: what a lease saves.
        pub fn reads(&self) -> u32 {
            self.reads.get()
        }

        /// Returns the number of keys.
        pub fn keys(&self) -> usize {
            self.values.borrow().len()
        }

        /// Returns the bytes of all values.
        pub fn bytes(&self) -> usize {
            self.values.borrow().values().map(|(value, _)| value.len()).sum()
        }

        /// Overwrites every value, as a stranger in the same namespace could.
        pub fn overwrite(&self, garbage: &[u8]) {
            for (value, _) in self.values.borrow_mut().values_mut() {
                *value = garbage.to_vec();
            }
        }
    }

    impl Store for Memory {
        fn read(&self, key: &[u8]) -> Versioned {
            self.reads.set(self.reads.get().saturating_add(1));
            match self.values.borrow().get(key) {
                Some((value, version)) => {
                    Versioned { value: Some(value.clone()), version: Version::At(*version) }
                }
                None => Versioned { value: None, version: Version::Absent },
            }
        }

        fn swap(&self, key: &[u8], value: &[u8], version: Version) -> bool {
            if let Some(lost) = self.lost.get().checked_sub(1) {
                self.lost.set(lost);
                return false;
            }
            let mut values = self.values.borrow_mut();
            let current = values.get(key).map_or(Version::Absent, |(_, version)| Version::At(*version));
            if current != version {
                return false;
            }
            self.version.set(self.version.get().saturating_add(1));
            values.insert(key.to_vec(), (value.to_vec(), self.version.get()));
            true
        }
    }
}

#[cfg(test)]
mod tests {
    use super::memory::Memory;
    use super::*;
    #[cfg(target_arch = "wasm32")]
    use wasm_bindgen_test::wasm_bindgen_test as test;

    fn append(store: &dyn Store, tries: u32) -> Result<usize, Contended> {
        store.update(b"k", tries, |old| {
            let mut value = old.unwrap_or_default().to_vec();
            value.push(b'x');
            let length = value.len();
            Change::Write(value, length)
        })
    }

    #[test]
    fn creates_then_replaces() {
        let store = Memory::default();
        assert_eq!(append(&store, 1), Ok(1));
        assert_eq!(append(&store, 1), Ok(2));
    }

    #[test]
    fn tries_again_when_somebody_was_first_and_gives_up_in_the_end() {
        let store = Memory::default();
        store.lose(2);
        assert_eq!(append(&store, 3), Ok(1));
        store.lose(3);
        assert_eq!(append(&store, 3), Err(Contended));
        assert_eq!(append(&store, 1), Ok(2));
    }

    #[test]
    fn a_version_that_is_no_longer_current_writes_nothing() {
        let store = Memory::default();
        let stale = store.read(b"k").version;
        assert!(store.swap(b"k", b"1", stale));
        assert!(!store.swap(b"k", b"2", stale));
        assert_eq!(store.read(b"k").value.as_deref(), Some(&b"1"[..]));
    }
}
