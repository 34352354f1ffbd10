//! Whose request it is: the first source that says so.

use kit::config::{Node, each};
use kit::header::Lookup;
use kit::key::{Key, KeyProblem};
use kit::value::Value;

/// Sources of a key, in order of preference.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub(crate) struct Identity {
    sources: Vec<Key>,
}

/// What a request says about whose it is.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Known {
    /// The key that is in the room for it.
    Key,
    /// Nothing.
    Missing,
    /// Several things, and readers may disagree on which one counts.
    Ambiguous,
}

/// Room for a key, used again and again.
#[derive(Debug, Default)]
pub(crate) struct Room {
    bytes: Vec<u8>,
    /// Where in it the key begins.
    start: usize,
}

/// How many bytes stand before the only part of a key: its length.
const LENGTH: usize = 8;

impl Room {
    /// Returns the key.
    pub(crate) fn key(&self) -> &[u8] {
        self.bytes.get(self.start..).unwrap_or_default()
    }

    /// Puts a key into it.
    pub(crate) fn put(&mut self, key: &[u8]) {
        self.bytes.clear();
        self.bytes.extend_from_slice(key);
        self.start = 0;
    }
}

impl Identity {
    /// Reads one source or a list of them.
    pub(crate) fn parse(node: &Node<'_>) -> Option<Self> {
        let Value::List(_) = node.value() else {
            return Some(Self { sources: vec![Key::parse(node)?] });
        };
        let nodes = node.non_empty_list()?;
        let sources = each(&nodes, |node| {
            if let Value::List(_) = node.value() {
                node.refuse(
                    "is a list in a list; sources are tried in order, and the first that is there is the key",
                );
                return None;
            }
            Key::parse(node)
        })?;
        let mut differ = true;
        for (index, (node, source)) in nodes.iter().zip(&sources).enumerate() {
            if sources.iter().take(index).any(|earlier| earlier == source) {
                node.refuse("is listed twice");
                differ = false;
            }
        }
        differ.then_some(Self { sources })
    }

    /// Finds the key of a request.
    pub(crate) fn find(&self, request: &dyn Lookup, room: &mut Room) -> Known {
        room.bytes.clear();
        for source in &self.sources {
            match source.resolve(request, &mut room.bytes) {
                Ok(()) => {
                    room.start = LENGTH;
                    return Known::Key;
                }
                Err(KeyProblem::Missing(_)) => {}
                // The next source could make another user of the same one.
                Err(KeyProblem::Ambiguous(_)) => return Known::Ambiguous,
            }
        }
        Known::Missing
    }

    /// Returns the keys of requests with this value: one for each source that can have it.
    ///
    /// # Errors
    ///
    /// A sentence on the value, if no source ever has it.
    pub(crate) fn literals(&self, value: &str) -> Result<Vec<Vec<u8>>, String> {
        let mut keys = Vec::new();
        let mut problem = None;
        for source in &self.sources {
            match source.literal(&[value]) {
                Ok(mut key) => keys.push(key.split_off(LENGTH.min(key.len()))),
                Err(text) => problem = Some(text),
            }
        }
        match problem {
            Some(problem) if keys.is_empty() => Err(problem),
            Some(_) | None => Ok(keys),
        }
    }

    /// Tells whether there is no source.
    pub(crate) fn is_none(&self) -> bool {
        self.sources.is_empty()
    }
}
