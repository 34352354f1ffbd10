//! The configuration of a `uri`: where keys are fetched, how often, and how much of an answer is believed.

use std::ops::RangeInclusive;
use std::time::Duration;

use kit::callout::Callout;
use kit::config::Object;
use kit::draw;
use kit::time::nanos;
use kit::units::spell_duration;

use self::uri::Uri;

mod uri;

/// Where keys are fetched, and when.
#[derive(Clone, Debug)]
pub(crate) struct Fetch {
    pub(super) uri: Uri,
    /// Who is asked: the host of the URI is only what it is asked for.
    pub(super) cluster: String,
    /// When an answer comes too late.
    pub(super) timeout: Duration,
    /// How long a set is fresh whose answer doesn't say.
    pub(super) refresh: Duration,
    /// How long a set is fresh at least.
    pub(super) min_refresh: Duration,
    /// How long a set is fresh at most.
    pub(super) max_refresh: Duration,
    /// How long to wait after a failure, if it is the first.
    pub(super) retry: Duration,
    /// How much time lies between fetches for keys that the set doesn't have.
    pub(super) unknown_kid_interval: Duration,
    /// How long a set serves that isn't fresh any more.
    pub(super) stale_for: Duration,
    /// The longest document, in bytes.
    pub(super) max_size: usize,
    pub(super) max_keys: usize,
}

/// The longest wait for an answer that can be configured.
pub(super) const MAX_TIMEOUT: Duration = Duration::from_secs(60);

const TENTH: Duration = Duration::from_millis(100);
const SECOND: Duration = Duration::from_secs(1);
const HOUR: Duration = Duration::from_secs(3_600);
const DAY: Duration = Duration::from_secs(86_400);
const MONTH: Duration = Duration::from_secs(30 * 86_400);

impl Fetch {
    /// Reads `uri` and the fields beside it; whoever calls this finishes the object.
    pub(crate) fn parse(object: &mut Object<'_>) -> Option<Self> {
        let uri = object.required("uri").and_then(|uri| Uri::parse(&uri));
        let cluster = object.required("cluster").and_then(|cluster| cluster.non_empty_text());
        let timeout = time(object, "timeout", TENTH..=MAX_TIMEOUT);
        let lifetime = Lifetime::parse(object);
        let retry = time(object, "retry", TENTH..=HOUR);
        let unknown_kid_interval = time(object, "unknown_kid_interval", SECOND..=DAY);
        let stale_for = time(object, "stale_for", Duration::from_secs(10)..=MONTH);
        let max_size = match object.optional("max_size") {
            Some(size) => size.size(1 << 10..=8 << 20),
            None => Some(256 << 10),
        };
        let max_keys = match object.optional("max_keys") {
            Some(keys) => keys.integer(1..=1_000),
            None => Some(64),
        };
        let lifetime = lifetime?;
        Some(Self {
            uri: uri?,
            cluster: cluster?.to_owned(),
            timeout: timeout?.unwrap_or(Duration::from_secs(5)),
            refresh: lifetime.usual,
            min_refresh: lifetime.least,
            max_refresh: lifetime.most,
            retry: retry?.unwrap_or(SECOND),
            unknown_kid_interval: unknown_kid_interval?.unwrap_or(Duration::from_secs(30)),
            stale_for: stale_for?.unwrap_or(HOUR),
            max_size: usize::try_from(max_size?).ok()?,
            max_keys: usize::try_from(max_keys?).ok()?,
        })
    }

    /// Returns the request for the document.
    pub(super) fn callout(&self) -> Callout {
        let mut headers = self.uri.headers();
        headers.push(("accept".to_owned(), "application/jwk-set+json, application/json".to_owned()));
        headers.push(("user-agent".to_owned(), "sluice".to_owned()));
        let (cluster, timeout, max_body) = (self.cluster.clone(), self.timeout, self.max_size);
        Callout { cluster, headers, body: Vec::new(), timeout, max_body }
    }

    /// Returns how long to wait after so many failures in a row: twice as long each time, up to the shortest time
    /// between refreshes; half of it is drawn, so that proxies which failed together don't come back together.
    pub(super) fn back_off(&self, failures: u64, draw: u64) -> Duration {
        let doublings = u32::try_from(failures.saturating_sub(1)).unwrap_or(u32::MAX);
        let times = 1_u32.checked_shl(doublings).unwrap_or(u32::MAX);
        let whole = nanos(self.retry.saturating_mul(times).min(self.longest_back_off()));
        let half = whole / 2;
        Duration::from_nanos(half.saturating_add(draw::below(draw, whole.saturating_sub(half))))
    }

    /// Returns the longest wait after a failure.
    pub(super) fn longest_back_off(&self) -> Duration {
        self.retry.max(self.min_refresh)
    }
}

/// How long a set is fresh: as it says, or as usual, within bounds.
struct Lifetime {
    usual: Duration,
    least: Duration,
    most: Duration,
}

impl Lifetime {
    /// Reads `refresh` and its bounds. A bound that nobody wrote yields to what somebody did write.
    fn parse(object: &mut Object<'_>) -> Option<Self> {
        let usual = time(object, "refresh", SECOND..=MONTH);
        let least = time(object, "min_refresh", SECOND..=MONTH);
        let most = time(object, "max_refresh", SECOND..=MONTH);
        let (usual, given_least, given_most) = (usual?, least?, most?);
        let least = given_least.unwrap_or_else(|| {
            let least = Duration::from_secs(30);
            least.min(usual.unwrap_or(least)).min(given_most.unwrap_or(least))
        });
        let most = given_most.unwrap_or_else(|| DAY.max(usual.unwrap_or(DAY)).max(least));
        let usual = usual.unwrap_or_else(|| Duration::from_secs(600).max(least).min(most));
        if most < least {
            let least = spell_duration(least);
            object.optional("max_refresh")?.refuse(format!("is less than `min_refresh`, which is {least}"));
            return None;
        }
        if usual < least || most < usual {
            let (least, most) = (spell_duration(least), spell_duration(most));
            let text = format!("must be between `min_refresh`, {least}, and `max_refresh`, {most}");
            object.optional("refresh")?.refuse(text);
            return None;
        }
        Some(Self { usual, least, most })
    }
}

/// Reads a duration that may be missing.
fn time(
    object: &mut Object<'_>,
    name: &'static str,
    range: RangeInclusive<Duration>,
) -> Option<Option<Duration>> {
    match object.optional(name) {
        Some(node) => node.duration(range).map(Some),
        None => Some(None),
    }
}

#[cfg(test)]
mod tests;
