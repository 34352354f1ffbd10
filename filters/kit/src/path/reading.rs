//! All the ways in which a path can be read.
//!
//! Envoy's reading comes first. The others are what servers are known to do differently, each a habit, alone and
//! combined: nginx decodes `%2F` before it routes and merges slashes before it resolves dots, servlet containers
//! drop `;parameters`, IIS takes `\` for `/` and others don't, WSGI and Node servers keep dot segments, and a second
//! proxy decodes what is left of a double encoding.

use std::borrow::Cow;

use self::decoding::{Byte, decoded, decoded_again, is_treacherous};
use super::{AmbiguousPath, without_query};
use crate::header::Found;

pub(crate) use self::decoding::from_hex;

pub(super) use self::decoding::decode;

mod decoding;

/// Bytes read, over all readings of one path, before it is called ambiguous: a bound on what a client can cost us.
/// Honest paths have one reading, or two.
const MOST_WORK: usize = 8 * 1024;

/// The path of a request in all the ways it can be read: made once for a request, however many rules ask about it.
#[derive(Clone, Debug)]
pub struct RequestPath(Result<Read, AmbiguousPath>);

/// What is read of it.
#[derive(Clone, Debug)]
pub(super) enum Read {
    /// The path means the same to everybody, as it stands.
    Plain(Vec<u8>),
    /// Segments, for every reading that differs from those before; Envoy's is the first.
    Several(Vec<Vec<Vec<u8>>>),
}

impl RequestPath {
    /// Reads a raw `:path`, query and all; nothing if a request has none.
    pub fn of(raw: &[u8]) -> Self {
        Self(Readings::of(raw).map(|readings| match readings {
            Readings::Empty => Read::Several(vec![Vec::new()]),
            Readings::Plain(path) => Read::Plain(path.to_vec()),
            Readings::Encoded { once, twice } => {
                let mut all = vec![read(&once, 0)];
                for segments in others(&once, twice.as_deref()) {
                    if !all.contains(&segments) {
                        all.push(segments);
                    }
                }
                Read::Several(all)
            }
        }))
    }

    /// Reads what a request says under `:path`; several are ambiguous.
    pub fn found(field: &Found<'_>) -> Self {
        match field {
            Found::Absent => Self::of(b""),
            Found::One(raw) => Self::of(raw),
            Found::Many => Self(Err(AmbiguousPath)),
        }
    }

    /// Returns the readings.
    pub(super) fn read(&self) -> Result<&Read, AmbiguousPath> {
        self.0.as_ref().map_err(|AmbiguousPath| AmbiguousPath)
    }
}

/// The readings of one path.
pub(super) enum Readings<'r> {
    /// There is no path: `*`, or CONNECT.
    Empty,
    /// The path means the same to everybody, as it stands.
    Plain(&'r [u8]),
    /// The path has to be decoded, and may have several readings.
    Encoded {
        /// What follows the first slash, decoded.
        once: Vec<Byte>,
        /// The same decoded again, if that makes a difference.
        twice: Option<Vec<Byte>>,
    },
}

impl<'r> Readings<'r> {
    /// Prepares to read a raw `:path`.
    pub(super) fn of(raw: &'r [u8]) -> Result<Self, AmbiguousPath> {
        if raw.is_empty() || raw == b"*" {
            return Ok(Self::Empty);
        }
        let path = without_query(raw);
        let Some((b'/', rest)) = path.split_first() else {
            return Err(AmbiguousPath);
        };
        if is_plain(rest) {
            return Ok(Self::Plain(path));
        }
        let once = decoded(rest)?;
        let twice = decoded_again(&once);
        let work = work(&once).saturating_add(twice.as_deref().map_or(0, work));
        let sound = work <= MOST_WORK
            && !rest.contains(&b'#')
            && !is_treacherous(&once)
            && !twice.as_deref().is_some_and(is_treacherous);
        if sound { Ok(Self::Encoded { once, twice }) } else { Err(AmbiguousPath) }
    }

    /// Returns the normal spelling, if there is only one reading.
    pub(super) fn normal(&self) -> Result<Cow<'r, [u8]>, AmbiguousPath> {
        match self {
            Self::Empty => Ok(Cow::Borrowed(b"")),
            Self::Plain(path) => Ok(Cow::Borrowed(path)),
            Self::Encoded { once, twice } => {
                let first = read(once, 0);
                let agreed = others(once, twice.as_deref()).all(|segments| segments == first);
                if agreed { Ok(Cow::Owned(spelled(&first))) } else { Err(AmbiguousPath) }
            }
        }
    }
}

/// An encoded separator separates.
const ENCODED_SEPARATES: u8 = 1;
/// A backslash is an ordinary byte.
const LITERAL_BACKSLASH: u8 = 2;
/// Slashes are merged before dot segments are removed, not after.
const MERGES_FIRST: u8 = 4;
/// Dot segments are ordinary segments.
const LITERAL_DOTS: u8 = 8;
/// What follows a `;` in a segment isn't part of it.
const DROPS_PARAMETERS: u8 = 16;
/// All habits.
const EVERY_HABIT: u8 = 31;

impl Byte {
    /// Returns whether some reader takes this for a separator.
    fn may_separate(self) -> bool {
        matches!(self.value, b'/' | b'\\')
    }

    /// Returns whether a reader of these habits takes this for a separator.
    fn separates(self, habits: u8) -> bool {
        let plain = match self.value {
            b'/' => true,
            b'\\' => habits & LITERAL_BACKSLASH == 0,
            _ => false,
        };
        plain && (!self.encoded || habits & ENCODED_SEPARATES != 0)
    }
}

/// Returns whether nothing after the first slash can be read in two ways.
fn is_plain(rest: &[u8]) -> bool {
    let mut previous = b'/';
    for byte in rest {
        match byte {
            b'%' | b'\\' | b';' | b'#' | 0 | 0x80.. => return false,
            b'/' | b'.' if previous == b'/' => return false,
            _ => previous = *byte,
        }
    }
    true
}

/// Returns the habits that could make a difference to this path, maybe some too many.
fn relevant_habits(bytes: &[Byte]) -> u8 {
    let mut habits = 0;
    let mut dots = false;
    let mut empty = false;
    let mut starts = true;
    for byte in bytes {
        match byte.value {
            b';' => {
                habits |= DROPS_PARAMETERS;
                empty |= starts;
            }
            b'.' => dots |= starts,
            _ if byte.may_separate() => {
                empty |= starts;
                if byte.encoded {
                    habits |= ENCODED_SEPARATES;
                }
                if byte.value == b'\\' {
                    habits |= LITERAL_BACKSLASH;
                }
            }
            _ => {}
        }
        starts = byte.may_separate();
    }
    if dots {
        habits |= LITERAL_DOTS;
    }
    if dots && empty {
        habits |= MERGES_FIRST;
    }
    habits
}

/// Returns how many bytes there are to read, over all readings but the first.
fn work(bytes: &[Byte]) -> usize {
    let readings = 1_usize.checked_shl(relevant_habits(bytes).count_ones()).unwrap_or(usize::MAX);
    bytes.len().saturating_mul(readings.saturating_sub(1))
}

/// Returns every reading but Envoy's.
fn others<'b>(once: &'b [Byte], twice: Option<&'b [Byte]>) -> impl Iterator<Item = Vec<Vec<u8>>> {
    let under = |bytes: &'b [Byte], from: u8| {
        let relevant = relevant_habits(bytes);
        (from..=EVERY_HABIT).filter(move |habits| habits & !relevant == 0).map(|habits| read(bytes, habits))
    };
    under(once, 1).chain(twice.into_iter().flat_map(move |bytes| under(bytes, 0)))
}

/// Returns the segments as a reader of these habits sees them; one that is empty is the last, after a trailing slash.
fn read(bytes: &[Byte], habits: u8) -> Vec<Vec<u8>> {
    let mut segments: Vec<Vec<u8>> = Vec::new();
    let mut pieces = bytes.split(|byte| byte.separates(habits)).peekable();
    while let Some(piece) = pieces.next() {
        let is_last = pieces.peek().is_none();
        let is_name = |byte: &&Byte| habits & DROPS_PARAMETERS == 0 || byte.value != b';';
        let name: Vec<u8> = piece.iter().take_while(is_name).map(|byte| byte.value).collect();
        match name.as_slice() {
            b"" if habits & MERGES_FIRST != 0 && !is_last => {}
            b"." | b".." if habits & LITERAL_DOTS == 0 => {
                if name == b".." {
                    segments.pop();
                }
                // A dot segment at the end leaves the slash before it (RFC 3986, section 5.2.4).
                if is_last {
                    segments.push(Vec::new());
                }
            }
            _ => segments.push(name),
        }
    }
    let last = segments.pop();
    segments.retain(|segment| !segment.is_empty());
    segments.extend(last);
    segments
}

/// Writes segments as a path that reads as just these.
fn spelled(segments: &[Vec<u8>]) -> Vec<u8> {
    let mut text = Vec::new();
    for segment in segments {
        text.push(b'/');
        for byte in segment {
            match byte {
                b'%' | b'?' | b'#' => text.extend(format!("%{byte:02X}").bytes()),
                _ => text.push(*byte),
            }
        }
    }
    text
}
