//! What becomes of the body of a response: cut, damaged or replaced, piece by piece as it comes.

use std::borrow::Cow;
use std::rc::Rc;

use kit::config::{Node, or};
use kit::draw::{Draws, Named, below};

/// What becomes of a body.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) enum BodyFault {
    /// It ends after so many bytes.
    Truncate(u64),
    /// So many of its first bytes are others.
    Corrupt(u64, Named),
    /// It is this.
    Replace(Rc<[u8]>),
}

/// Where bytes are damaged: within this many of the first. A body without a length is kept until there are so many, or
/// all; with a frame of HTTP/2 (16 KiB) that is less than the least buffer that a proxy usually has.
pub(crate) const WINDOW: u64 = 8_192;

const KINDS: [&str; 3] = ["truncate", "corrupt", "replace"];

impl BodyFault {
    /// Reads one fault.
    pub(crate) fn parse(node: &Node<'_>) -> Option<Self> {
        let (kind, node) = node.object()?.one_of(
            &KINDS,
            "needs one of truncate, corrupt, replace (example: {truncate: 1KiB})",
            "takes only one of truncate, corrupt, replace",
        )?;
        match kind {
            "truncate" => node.size(0..=1 << 40).map(Self::Truncate),
            "corrupt" => {
                let mut object = node.object()?;
                let bytes = or(object.optional("bytes"), 1, |bytes| bytes.integer(1..=1_000));
                let seed = or(object.optional("seed"), String::new(), |seed| seed.text().map(str::to_owned));
                object.finish();
                Some(Self::Corrupt(bytes?, Named::new(&seed?)))
            }
            _ => node.text().map(|text| Self::Replace(text.as_bytes().into())),
        }
    }

    /// Returns how it is called.
    pub(crate) const fn word(&self) -> &'static str {
        match self {
            Self::Truncate(_) => "truncate",
            Self::Corrupt(..) => "corrupt",
            Self::Replace(_) => "replace",
        }
    }

    /// Tells whether nothing of the body that came is left.
    pub(crate) const fn is_new(&self) -> bool {
        matches!(self, Self::Replace(_))
    }

    /// Returns how long a body of this length will be.
    pub(crate) fn length(&self, length: u64) -> u64 {
        match self {
            Self::Truncate(most) => length.min(*most),
            Self::Corrupt(..) => length,
            Self::Replace(text) => u64::try_from(text.len()).unwrap_or(u64::MAX),
        }
    }
}

/// A body on its way.
#[derive(Debug)]
pub(crate) struct Flow {
    fault: BodyFault,
    /// How many bytes came.
    seen: u64,
    /// No more than this may go, whatever the fault says.
    most: Option<u64>,
    /// Where which bits are turned, once the length is known.
    damage: Option<Vec<(u64, u8)>>,
    /// What waits for the length to be known.
    gathered: Vec<u8>,
    replaced: bool,
}

impl Flow {
    /// Begins a body; its length if the response says so. It must not be exceeded if the client is told of it.
    pub(crate) fn new(fault: BodyFault, length: Option<u64>, is_told: bool) -> Self {
        let damage = length.and_then(|length| fault.damage(length));
        let most = length.filter(|_| is_told);
        Self { fault, seen: 0, most, damage, gathered: Vec::new(), replaced: false }
    }

    /// Tells whether anything was kept that hasn't gone on.
    pub(crate) fn waits(&self) -> bool {
        !self.gathered.is_empty()
    }

    /// Takes a piece. Returns what goes on in its place and of all that was kept; none if it has to be kept.
    pub(crate) fn take<'a>(&mut self, piece: &'a [u8], last: bool) -> Option<Cow<'a, [u8]>> {
        let start = self.seen;
        self.seen = start.saturating_add(u64::try_from(piece.len()).unwrap_or(u64::MAX));
        match &self.fault {
            BodyFault::Truncate(most) => {
                let left = usize::try_from(most.saturating_sub(start)).unwrap_or(usize::MAX);
                Some(piece.get(..left).unwrap_or(piece).into())
            }
            BodyFault::Replace(text) => {
                if std::mem::replace(&mut self.replaced, true) {
                    return Some(Cow::Borrowed(&[]));
                }
                let most = self.most.and_then(|most| usize::try_from(most).ok()).unwrap_or(usize::MAX);
                Some(text.get(..most).unwrap_or(text).to_vec().into())
            }
            BodyFault::Corrupt(..) => {
                if let Some(damage) = &self.damage {
                    return Some(damaged(piece.into(), start, damage));
                }
                self.gathered.extend_from_slice(piece);
                if self.seen < WINDOW && !last {
                    return None;
                }
                let damage = self.fault.damage(self.seen).unwrap_or_default();
                let whole = damaged(std::mem::take(&mut self.gathered).into(), 0, &damage);
                // What comes behind is as it was.
                self.damage = Some(damage);
                Some(whole)
            }
        }
    }
}

impl BodyFault {
    /// Returns where a body of this length is damaged: always in the same places, with the same bits.
    fn damage(&self, length: u64) -> Option<Vec<(u64, u8)>> {
        let Self::Corrupt(bytes, seed) = self else {
            return None;
        };
        let window = length.min(WINDOW);
        let draws = Draws::new(seed.draw(b"places"));
        let mut places: Vec<(u64, u8)> = Vec::new();
        for _ in 0..(*bytes).min(window) {
            let mut place = below(draws.next(), window);
            // The next that isn't damaged yet; there is one.
            while places.iter().any(|(taken, _)| *taken == place) {
                place = place.saturating_add(1).checked_rem(window).unwrap_or(0);
            }
            let bits = u8::try_from(below(draws.next(), 255)).unwrap_or(0).saturating_add(1);
            places.push((place, bits));
        }
        Some(places)
    }
}

/// Turns bits of a piece that begins here.
fn damaged<'a>(mut piece: Cow<'a, [u8]>, start: u64, damage: &[(u64, u8)]) -> Cow<'a, [u8]> {
    for (place, bits) in damage {
        let within = place.checked_sub(start).and_then(|place| usize::try_from(place).ok());
        if let Some(place) = within.filter(|place| *place < piece.len())
            && let Some(byte) = piece.to_mut().get_mut(place)
        {
            *byte ^= bits;
        }
    }
    piece
}

#[cfg(test)]
mod tests;
