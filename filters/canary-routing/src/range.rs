//! Which buckets a variant has: a range that grows from a fixed end, so that more weight only adds users to it.

use std::cmp::Ordering;

use kit::time::Timestamp;
use kit::units::spell_instant;

use crate::bucket::ALL;
use crate::ramp::{Exact, Side, Weight};

/// The buckets of a variant.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Range {
    pub(crate) anchor: Anchor,
    pub(crate) weight: Weight,
}

/// The end of a range that never moves.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Anchor {
    /// It begins with this bucket and grows up.
    Up(u16),
    /// It begins behind the last bucket and grows down.
    Down,
}

impl Range {
    /// Returns the place of a bucket in a range of this length, counted from the end that never moves; none if it isn't
    /// in it.
    pub(crate) fn place(&self, bucket: u16, length: u16) -> Option<u16> {
        let place = match self.anchor {
            Anchor::Up(from) => bucket.checked_sub(from)?,
            Anchor::Down => ALL.checked_sub(bucket)?.checked_sub(1)?,
        };
        (place < length).then_some(place)
    }

    /// Tells whether it never ends behind the last bucket.
    pub(crate) fn fits(&self) -> bool {
        match self.anchor {
            Anchor::Up(from) => from.saturating_add(self.weight.most()) <= ALL,
            Anchor::Down => true,
        }
    }

    /// Says where it has a bucket of another one, at any instant; none if it never has.
    pub(crate) fn meets(&self, other: &Self) -> Option<String> {
        let turns: Vec<u64> =
            std::iter::once(0).chain(self.weight.turns()).chain(other.weight.turns()).collect();
        // Between two turns each share goes straight, so all there is to know is at the ends.
        turns.iter().find_map(|start| {
            let end = turns.iter().filter(|turn| start < *turn).min();
            let first = (*start, Side::At);
            let last = end.map_or(first, |end| (*end, Side::Before));
            let at = self.meets_within(other, first, last)?;
            let side = if at == first.0 { first.1 } else { last.1 };
            let when = match (turns.len(), at) {
                (1, _) => String::new(),
                (_, 0) => " before any ramp begins".to_owned(),
                (_, at) => {
                    let at = Timestamp::from_nanos(at.saturating_mul(1_000_000));
                    format!(" at {}", spell_instant(at))
                }
            };
            Some(format!("{}, and that has {}{when}", self.spell(at, side), other.spell(at, side)))
        })
    }

    /// Returns at which of two instants the ranges share a bucket, if they do between them.
    fn meets_within(&self, other: &Self, first: (u64, Side), last: (u64, Side)) -> Option<u64> {
        let shares = |range: &Self| [first, last].map(|(at, side)| range.weight.exact(at, side));
        let (low, high) = match (self.anchor, other.anchor) {
            (Anchor::Up(from), Anchor::Up(others)) if from <= others => {
                ((from, shares(self)), (others, shares(other)))
            }
            (Anchor::Up(from), Anchor::Up(others)) => ((others, shares(other)), (from, shares(self))),
            // One grows towards the other.
            (Anchor::Up(_), Anchor::Down) | (Anchor::Down, Anchor::Up(_)) => {
                let ([one, one_last], [other, other_last]) = (shares(self), shares(other));
                let meets = [(one, other, first.0), (one_last, other_last, last.0)];
                return meets
                    .into_iter()
                    .find(|(one, other, _)| one.overflows_with(*other))
                    .map(|(.., at)| at);
            }
            (Anchor::Down, Anchor::Down) => return Some(first.0),
        };
        let room = high.0.saturating_sub(low.0);
        // Where one shrinks and the other grows, they meet in between.
        let [reaches, reaches_last] = low.1.map(|share: Exact| share.exceeds(room));
        let is_there = high.1.into_iter().any(|share| share.exceeds(0));
        match (is_there, reaches, reaches_last) {
            (true, true, _) => Some(first.0),
            (true, false, true) => Some(last.0),
            (true, false, false) | (false, ..) => None,
        }
    }

    fn spell(&self, at: u64, side: Side) -> String {
        let length = self.weight.exact(at, side).floor();
        let (first, behind) = match self.anchor {
            Anchor::Up(from) => (from, from.saturating_add(length)),
            Anchor::Down => (ALL.saturating_sub(length), ALL),
        };
        match length.cmp(&1) {
            Ordering::Less => "none yet".to_owned(),
            Ordering::Equal => format!("bucket {first}"),
            Ordering::Greater => format!("buckets {first} to {}", behind.saturating_sub(1)),
        }
    }
}

#[cfg(test)]
#[expect(clippy::arithmetic_side_effects, reason = "a test may overflow: it would fail")]
mod tests;
