//! When to come back: what responses say, and what is made of it, with chance that spreads those who were refused together.

use std::time::Duration;

use kit::config::{Node, each, or};
use kit::draw::below;
use kit::header::Field;
use kit::time::{Timestamp, nanos};
use kit::units::{Fraction, http_date};

/// What becomes of responses.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Responses {
    /// The statuses that get a `retry-after`; none if no response does.
    pub(crate) retry_after: Option<Statuses>,
    /// How long waits are, also those of gRPC.
    pub(crate) waits: Waits,
    /// Whether clients are told if they should try again.
    pub(crate) should_retry: bool,
    /// Whether clients of gRPC are told when.
    pub(crate) pushback: bool,
}

/// Statuses of responses.
pub(crate) type Statuses = Vec<u16>;

/// How long clients are to wait.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Waits {
    /// Where the upstream says nothing that can be read.
    default: Duration,
    /// Never less, whatever the upstream says.
    min: Duration,
    /// Never more, unless the upstream says more.
    max: Duration,
    jitter: Jitter,
    /// By how large a part of it a wait gets longer at the most.
    spread: Fraction,
}

/// How a wait is spread: always to the later side.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Jitter {
    /// Not at all.
    None,
    /// By anything from nothing to the spread.
    Full,
    /// By anything from half of the spread to all of it.
    Equal,
    /// To anything from the wait to three times the one before.
    Decorrelated,
}

impl Responses {
    /// Parses `{retry_after: {...}, should_retry_header: true, grpc_pushback: true}`.
    pub(crate) fn parse(node: &Node<'_>) -> Option<Self> {
        let mut object = node.object()?;
        let retry_after_node = object.optional("retry_after");
        let retry_after = or(retry_after_node.clone(), (None, Waits::DEFAULT), |retry_after| {
            Waits::parse(retry_after).map(|(statuses, waits)| (Some(statuses), waits))
        });
        let should_retry = or(object.optional("should_retry_header"), false, |should| should.boolean());
        let pushback = or(object.optional("grpc_pushback"), false, |pushback| pushback.boolean());
        object.needs_one_of(
            &["retry_after", "should_retry_header", "grpc_pushback"],
            "needs one of `retry_after`, `should_retry_header`, `grpc_pushback`",
        );
        object.finish();
        let (retry_after, waits) = retry_after?;
        Some(Self { retry_after, waits, should_retry: should_retry?, pushback: pushback? })
    }
}

impl Waits {
    const DEFAULT: Self = Self {
        default: Duration::from_secs(1),
        min: Duration::from_secs(1),
        max: Duration::from_secs(60),
        jitter: Jitter::Full,
        spread: Fraction::percent(20),
    };

    fn parse(node: &Node<'_>) -> Option<(Statuses, Self)> {
        let mut object = node.object()?;
        let statuses = or(object.optional("statuses"), vec![429, 503], |statuses| {
            each(&statuses.non_empty_list()?, |status| u16::try_from(status.integer(300..=599)?).ok())
        });
        let most = Duration::from_secs(1)..=Duration::from_secs(24 * 60 * 60);
        let default_node = object.optional("default");
        let default = or(default_node.clone(), Self::DEFAULT.default, |wait| wait.duration(most.clone()));
        let min_node = object.optional("min");
        let min = or(min_node.clone(), Self::DEFAULT.min, |wait| wait.duration(most.clone()));
        let max_node = object.optional("max");
        let max = or(max_node.clone(), Self::DEFAULT.max, |wait| wait.duration(most));
        let jitter = or(object.optional("jitter"), Jitter::Full, |jitter| {
            jitter.choice(&[
                ("none", Jitter::None),
                ("full", Jitter::Full),
                ("equal", Jitter::Equal),
                ("decorrelated", Jitter::Decorrelated),
            ])
        });
        let spread_node = object.optional("spread");
        let spread = or(spread_node.clone(), Self::DEFAULT.spread, |spread| spread.fraction());
        object.finish();
        if let (Some(spread), Some(Jitter::None | Jitter::Decorrelated)) = (&spread_node, jitter) {
            spread.refuse("is of `jitter: full` and `equal` alone");
        }
        let (default, min, max) = (default?, min?, max?);
        // What is not written follows what is.
        let default = if default_node.is_some() { default } else { default.max(min) };
        let max = if max_node.is_some() { max } else { max.max(default) };
        if default < min {
            default_node?.refuse("is less than `min`");
            return None;
        }
        if max < default {
            max_node?.refuse("is less than `default` or `min`");
            return None;
        }
        Some((statuses?, Self { default, min, max, jitter: jitter?, spread: spread? }))
    }

    /// Returns how long to wait: at least what the upstream said, spread by two draws.
    ///
    /// `previous` is the wait before this one, in nanoseconds.
    pub(crate) fn wait(&self, said: Option<Duration>, previous: u64, draw: u64) -> Duration {
        let least = said.unwrap_or(self.default).max(self.min);
        let (least, most) = (nanos(least), nanos(self.max.max(least)));
        let spread = u128::from(least).saturating_mul(self.spread.parts_per_billion().into()) / 1_000_000_000;
        let spread = u64::try_from(spread).unwrap_or(u64::MAX);
        let (from, to) = match self.jitter {
            Jitter::None => (least, least),
            Jitter::Full => (least, least.saturating_add(spread)),
            Jitter::Equal => (least.saturating_add(spread / 2), least.saturating_add(spread)),
            Jitter::Decorrelated => (least, previous.saturating_mul(3).clamp(least, most)),
        };
        let drawn = below(draw, to.saturating_sub(from).saturating_add(1));
        Duration::from_nanos(from.saturating_add(drawn).min(most))
    }

    /// Returns a wait in whole seconds: no less than was said, and rounded by chance, so that less than a second of
    /// jitter is still some.
    pub(crate) fn seconds(&self, said: Option<Duration>, previous: u64, draws: [u64; 2]) -> u64 {
        let [first, second] = draws;
        let wait = nanos(self.wait(said, previous, first));
        let least = nanos(said.unwrap_or(self.default).max(self.min)).div_ceil(SECOND);
        let most = nanos(self.max).div_ceil(SECOND).max(least);
        let up = if self.jitter == Jitter::None { SECOND.saturating_sub(1) } else { below(second, SECOND) };
        (wait.saturating_add(up) / SECOND).clamp(least, most)
    }
}

const SECOND: u64 = 1_000_000_000;

/// Reads a `retry-after` (RFC 9110, section 10.2.3): seconds, or a date in any of its forms. The longest of several; none
/// if there is none that can be read.
pub(crate) fn retry_after(field: &Field, now: Timestamp) -> Option<Duration> {
    field.values().iter().filter_map(|value| one(value, now)).max()
}

fn one(value: &[u8], now: Timestamp) -> Option<Duration> {
    let text = std::str::from_utf8(value).ok()?.trim_matches([' ', '\t']);
    if !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit()) {
        // More seconds than can be counted are as many as can be.
        return Some(Duration::from_secs(text.parse().unwrap_or(u64::MAX).min(LONGEST)));
    }
    Some(http_date(text, now).ok()?.since(now))
}

/// Seconds of 500 years. Who says so much or more says never, and it stays as it was said: nothing flows over.
const LONGEST: u64 = 500 * 366 * 86_400;

/// Tells whether a wait is too long to be counted.
pub(crate) const fn is_never(wait: Duration) -> bool {
    LONGEST <= wait.as_secs()
}

/// Reads a `grpc-retry-pushback-ms`. None if it can't be read, or is negative: then nobody is to try again.
pub(crate) fn pushback(value: &[u8]) -> Option<Duration> {
    let text = std::str::from_utf8(value).ok()?;
    text.bytes().all(|byte| byte.is_ascii_digit()).then(|| text.parse().ok())?.map(Duration::from_millis)
}

/// Tells whether a client should try again after this status, if it may at all.
pub(crate) const fn passes(status: u16) -> bool {
    matches!(status, 408 | 425 | 429 | 500 | 502 | 503 | 504)
}

#[cfg(test)]
mod tests;
