//! How long a delay is: a number of a distribution, found at the place in it that a draw says.
//!
//! Each distribution is its own inverse: a draw that is so many parts of all draws is the delay that so many parts of
//! requests don't exceed. So what a distribution does is known at every quantile, and no number is ever rounded by a
//! floating point unit.

use std::time::Duration;

use kit::config::{Node, Object};
use kit::draw::below;
use kit::time::nanos;

mod logarithm;
mod normal;
mod percentiles;

pub(crate) use self::percentiles::Percentiles;

/// The longest delay.
pub(crate) const LONGEST: Duration = Duration::from_secs(300);

/// How long a delay is.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) enum Delay {
    /// Always the same.
    Fixed(Duration),
    /// Anything from one to the other, each as likely.
    Uniform(Duration, Duration),
    /// Around a mean, never more than the last.
    Normal(Duration, Duration, Duration),
    /// Mostly short and sometimes long, never more than the last.
    Exponential(Duration, Duration),
    /// What a dashboard shows.
    Percentiles(Percentiles),
}

const KINDS: [&str; 5] = ["fixed", "uniform", "normal", "exponential", "percentiles"];

impl Delay {
    /// Reads one distribution.
    pub(crate) fn parse(node: &Node<'_>) -> Option<Self> {
        let (kind, node) = node.object()?.one_of(
            &KINDS,
            "needs one of fixed, uniform, normal, exponential, percentiles (example: {fixed: 200ms})",
            "takes only one of fixed, uniform, normal, exponential, percentiles",
        )?;
        match kind {
            "fixed" => time(&node).map(Self::Fixed),
            "uniform" => uniform(&node),
            "normal" => normal(&node),
            "exponential" => exponential(&node),
            _ => Percentiles::parse(&node).map(Self::Percentiles),
        }
    }

    /// Returns the delay at this place of the distribution: the one that `draw / 2^64` of all delays don't exceed.
    pub(crate) fn of(&self, draw: u64) -> Duration {
        match self {
            Self::Fixed(time) => *time,
            Self::Uniform(min, max) => {
                let width = nanos(max.saturating_sub(*min)).saturating_add(1);
                min.saturating_add(Duration::from_nanos(below(draw, width)))
            }
            Self::Normal(mean, deviation, max) => {
                let (half, is_above) = if draw >> 63 == 0 { (draw, false) } else { (!draw, true) };
                let away = scaled(*deviation, normal::deviations_below(half), 28);
                let time = if is_above { mean.saturating_add(away) } else { mean.saturating_sub(away) };
                time.min(*max)
            }
            Self::Exponential(mean, max) => scaled(*mean, logarithm::minus_ln(!draw), 32).min(*max),
            Self::Percentiles(percentiles) => percentiles.of(draw),
        }
    }
}

/// Reads a delay.
pub(crate) fn time(node: &Node<'_>) -> Option<Duration> {
    node.duration(Duration::ZERO..=LONGEST)
}

fn field(object: &mut Object<'_>, name: &'static str) -> Option<Duration> {
    object.required(name).and_then(|node| time(&node))
}

/// Reads the most that a delay may be, which is this many times a time if it isn't there.
fn most(object: &mut Object<'_>, default: Option<Duration>) -> Option<Duration> {
    match object.optional("max") {
        Some(node) => time(&node),
        None => default.map(|time| time.min(LONGEST)),
    }
}

fn uniform(node: &Node<'_>) -> Option<Delay> {
    let mut object = node.object()?;
    let (min, max) = (field(&mut object, "min"), field(&mut object, "max"));
    object.finish();
    let (min, max) = (min?, max?);
    if max < min {
        node.refuse("has a `max` that is less than its `min`");
        return None;
    }
    Some(Delay::Uniform(min, max))
}

fn normal(node: &Node<'_>) -> Option<Delay> {
    let mut object = node.object()?;
    let (mean, deviation) = (field(&mut object, "mean"), field(&mut object, "deviation"));
    let default =
        mean.zip(deviation).map(|(mean, deviation)| mean.saturating_add(deviation.saturating_mul(4)));
    let max = most(&mut object, default);
    object.finish();
    let (mean, deviation, max) = (mean?, deviation?, max?);
    if max < mean {
        node.refuse("has a `max` that is less than its `mean`");
        return None;
    }
    Some(Delay::Normal(mean, deviation, max))
}

fn exponential(node: &Node<'_>) -> Option<Delay> {
    let mut object = node.object()?;
    let mean = field(&mut object, "mean");
    let max = most(&mut object, mean.map(|mean| mean.saturating_mul(10)));
    object.finish();
    let (mean, max) = (mean?, max?);
    if max < mean {
        node.refuse("has a `max` that is less than its `mean`");
        return None;
    }
    Some(Delay::Exponential(mean, max))
}

/// Returns `time * factor / 2^bits`.
fn scaled(time: Duration, factor: u64, bits: u32) -> Duration {
    let product = u128::from(nanos(time)).saturating_mul(factor.into());
    Duration::from_nanos(u64::try_from(product.wrapping_shr(bits)).unwrap_or(u64::MAX))
}

/// Returns `whole * share / 2^64`.
fn part(whole: u64, share: u64) -> u64 {
    let product = u128::from(whole).saturating_mul(share.into());
    u64::try_from(product >> 64).unwrap_or(0)
}

#[cfg(test)]
mod tests;
