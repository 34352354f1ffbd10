//! Shares of traffic, fixed or growing by a timetable.

use kit::config::{Node, each, or};
use kit::time::Timestamp;
use kit::value::Value;

use crate::bucket::ALL;

/// How much of the traffic a variant gets, in parts of 10,000.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) enum Weight {
    /// Always the same.
    Fixed(u16),
    /// By a timetable.
    Ramp(Ramp),
}

/// A timetable: nothing before its first point, and what the last one says after it.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Ramp {
    shape: Shape,
    /// In the order of time; there is one at least.
    points: Vec<Point>,
}

/// What happens between two points.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Shape {
    /// The share goes straight from one to the other.
    Linear,
    /// It stays that of the earlier one.
    Stepped,
}

/// A share at an instant, which is kept in milliseconds, so that products stay small.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
struct Point {
    at: u64,
    weight: u16,
}

/// A share that need not be whole: so many parts, divided by a number that isn't zero.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Exact {
    pub(crate) parts: u64,
    pub(crate) over: u64,
}

/// On which side of an instant a share is asked for: steps have two.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Side {
    Before,
    At,
}

/// Reads a share: whole parts of 10,000, or a percentage of at most two decimals.
pub(crate) fn parts(node: &Node<'_>) -> Option<u16> {
    let Value::Text(text) = node.value() else {
        return u16::try_from(node.integer(0..=u64::from(ALL))?).ok();
    };
    let share = node.fraction()?.parts_per_billion();
    if !share.is_multiple_of(BILLIONTHS) {
        node.refuse(format!("{text:?} is finer than 0.01%, which is one part of 10000"));
        return None;
    }
    share.checked_div(BILLIONTHS).and_then(|parts| u16::try_from(parts).ok())
}

/// How many parts of a billion are a part of 10,000.
const BILLIONTHS: u64 = 100_000;

/// Writes a share as a percentage: `0.05%`.
pub(crate) fn percent(parts: u16) -> String {
    let decimals = format!("{:02}", parts % 100);
    let decimals = decimals.trim_end_matches('0');
    let point = if decimals.is_empty() { "" } else { "." };
    format!("{}{point}{decimals}%", parts / 100)
}

impl Weight {
    /// Returns the share at an instant; who is asked for the instant has it looked up.
    pub(crate) fn at(&self, now: impl FnOnce() -> Timestamp) -> u16 {
        match self {
            Self::Fixed(parts) => *parts,
            Self::Ramp(ramp) => ramp.at(now()),
        }
    }

    /// Returns the share on one side of an instant in milliseconds.
    pub(crate) fn exact(&self, at: u64, side: Side) -> Exact {
        match self {
            Self::Fixed(parts) => Exact::whole(*parts),
            Self::Ramp(ramp) => ramp.exact(at, side),
        }
    }

    /// Returns the largest share that there ever is.
    pub(crate) fn most(&self) -> u16 {
        match self {
            Self::Fixed(parts) => *parts,
            Self::Ramp(ramp) => ramp.points.iter().map(|point| point.weight).max().unwrap_or(0),
        }
    }

    /// Returns the instants, in milliseconds, at which it changes, or begins to change in another way.
    pub(crate) fn turns(&self) -> impl Iterator<Item = u64> + '_ {
        let points = match self {
            Self::Fixed(_) => &[],
            Self::Ramp(ramp) => ramp.points.as_slice(),
        };
        points.iter().map(|point| point.at)
    }
}

impl Ramp {
    /// Reads a timetable.
    pub(crate) fn parse(node: &Node<'_>) -> Option<Self> {
        let mut object = node.object()?;
        let shapes = [("linear", Shape::Linear), ("stepped", Shape::Stepped)];
        let shape = or(object.optional("shape"), Shape::Linear, |shape| shape.choice(&shapes));
        let nodes = object.required("points").and_then(|points| points.non_empty_list());
        object.finish();
        let nodes = nodes?;
        let points = each(&nodes, Point::parse)?;
        let mut rises = true;
        for ((before, point), node) in points.iter().zip(points.iter().skip(1)).zip(nodes.iter().skip(1)) {
            if point.at <= before.at {
                node.refuse("is not after the point before it, by a millisecond at least");
                rises = false;
            }
        }
        rises.then_some(())?;
        Some(Self { shape: shape?, points })
    }

    /// Returns the share at an instant: whole parts, what is left over dropped.
    fn at(&self, now: Timestamp) -> u16 {
        self.exact(milliseconds(now), Side::At).floor()
    }

    fn exact(&self, at: u64, side: Side) -> Exact {
        let is_past = |point: &Point| match side {
            Side::Before => point.at < at,
            Side::At => point.at <= at,
        };
        let past = self.points.partition_point(is_past);
        let Some(last) = past.checked_sub(1).and_then(|index| self.points.get(index)) else {
            return Exact::whole(0);
        };
        let next = self.points.get(past).filter(|_| self.shape == Shape::Linear);
        let Some(next) = next else {
            return Exact::whole(last.weight);
        };
        // The mean of both, each by how near it is.
        let over = next.at.saturating_sub(last.at);
        let gone = at.saturating_sub(last.at);
        let left = over.saturating_sub(gone);
        let parts = u64::from(last.weight)
            .saturating_mul(left)
            .saturating_add(u64::from(next.weight).saturating_mul(gone));
        Exact { parts, over: over.max(1) }
    }
}

impl Point {
    fn parse(node: &Node<'_>) -> Option<Self> {
        let mut object = node.object()?;
        let at = object.required("at").and_then(|at| at.instant());
        let weight = object.required("weight").and_then(|weight| parts(&weight));
        object.finish();
        Some(Self { at: milliseconds(at?), weight: weight? })
    }
}

impl Exact {
    const fn whole(parts: u16) -> Self {
        // Lossless, and `From` isn't const.
        #[expect(clippy::as_conversions, reason = "every u16 is a u64")]
        Self { parts: parts as u64, over: 1 }
    }

    /// Returns the whole parts.
    pub(crate) fn floor(self) -> u16 {
        self.parts.checked_div(self.over).and_then(|parts| u16::try_from(parts).ok()).unwrap_or(ALL)
    }

    /// Tells whether it is more than so many parts.
    pub(crate) fn exceeds(self, parts: u16) -> bool {
        u128::from(parts).saturating_mul(self.over.into()) < u128::from(self.parts)
    }

    /// Tells whether both together are more than all.
    pub(crate) fn overflows_with(self, other: Self) -> bool {
        // Each factor has less than 60 bits.
        let product = |one: u64, other: u64| u128::from(one).saturating_mul(other.into());
        let sum = product(self.parts, other.over).saturating_add(product(other.parts, self.over));
        product(self.over, other.over).saturating_mul(ALL.into()) < sum
    }
}

fn milliseconds(at: Timestamp) -> u64 {
    at.nanos() / 1_000_000
}

#[cfg(test)]
#[expect(clippy::arithmetic_side_effects, reason = "a test may overflow: it would fail")]
mod tests;
