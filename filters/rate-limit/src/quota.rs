//! What a client is told about its quota: the fields of draft-ietf-httpapi-ratelimit-headers-10, or the older ones.

use std::time::Duration;

use kit::exchange::Exchange;
use kit::header::Field;
use kit::host::Map;
use kit::time::{Timestamp, seconds_up};
use kit::units::spell_duration;

use crate::bucket::Limits;
use crate::config::Rate;

/// Which fields a client gets.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Form {
    /// `RateLimit` and `RateLimit-Policy`.
    pub(crate) draft: bool,
    /// `X-RateLimit-Limit`, `-Remaining` and `-Reset`.
    pub(crate) legacy: bool,
}

impl Form {
    pub(crate) const DRAFT: Self = Self { draft: true, legacy: false };

    /// Tells whether any field is wanted.
    pub(crate) fn is_any(self) -> bool {
        self.draft || self.legacy
    }
}

/// The words of the configuration for them.
pub(crate) const FORMS: &[(&str, Form)] = &[
    ("draft", Form::DRAFT),
    ("legacy", Form { draft: false, legacy: true }),
    ("both", Form { draft: true, legacy: true }),
    ("none", Form { draft: false, legacy: false }),
];

/// A limit under the name by which clients know it.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Policy {
    pub(crate) name: String,
    /// Its item in `RateLimit-Policy`.
    pub(crate) item: String,
    /// The units it has.
    pub(crate) quota: u64,
}

/// What is left of one limit.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Left {
    pub(crate) units: u64,
    /// Until more is there, if nothing is; until all is there otherwise.
    pub(crate) reset: Duration,
}

/// Names the limits of a rule: by the rule if there is one, by rule and time otherwise.
pub(crate) fn policies(rule: &str, rates: &[Rate], concurrency: Option<u16>) -> Vec<Policy> {
    let mut policies: Vec<Policy> = Vec::new();
    for rate in rates {
        let mut name = rule.to_owned();
        if 1 < rates.len() {
            name = format!("{rule}-{}", spell_duration(rate.per));
        }
        if policies.iter().any(|other| other.name == name) {
            name = format!("{name}-{}", rate.requests);
        }
        // A window has whole seconds; a shorter one has no word in the draft.
        let window = rate.per.as_secs();
        let item = if rate.per == Duration::from_secs(window) {
            format!("\"{name}\";q={};w={window}", rate.requests)
        } else {
            format!("\"{name}\";q={}", rate.requests)
        };
        policies.push(Policy { name, item, quota: rate.requests });
    }
    if let Some(requests) = concurrency {
        let name = if rates.is_empty() { rule.to_owned() } else { format!("{rule}-concurrency") };
        let item = format!("\"{name}\";q={requests};qu=\"concurrent-requests\"");
        policies.push(Policy { name, item, quota: requests.into() });
    }
    policies
}

/// Computes what is left of each rate.
pub(crate) fn left(limits: &Limits, arrivals: &[Timestamp], now: Timestamp) -> Vec<Left> {
    let mut all = Vec::with_capacity(limits.rates.len());
    for (limit, arrival) in limits.rates.iter().zip(arrivals) {
        let units = limit.remaining(*arrival, now);
        let reset = match (units, limit.admit(*arrival, 1, now)) {
            (0, Err(crate::gcra::Exhausted::Until(until))) => until.since(now),
            _ => limit.full_at(*arrival, now).since(now),
        };
        all.push(Left { units, reset });
    }
    all
}

/// Renders the fields of an answer that is our own.
pub(crate) fn fields(form: Form, policies: &[Policy], left: &[Left]) -> Vec<(&'static str, String)> {
    let mut fields = Vec::new();
    if form.draft {
        let items: Vec<&str> = policies.iter().map(|policy| policy.item.as_str()).collect();
        fields.push(("ratelimit-policy", items.join(", ")));
        if !left.is_empty() {
            fields.push(("ratelimit", items_left(policies, left).join(", ")));
        }
    }
    if form.legacy
        && let Some((policy, left)) = tightest(policies, left)
    {
        fields.push(("x-ratelimit-limit", policy.quota.to_string()));
        fields.push(("x-ratelimit-remaining", left.units.to_string()));
        fields.push(("x-ratelimit-reset", seconds_up(left.reset).to_string()));
    }
    fields
}

/// Adds the fields to an answer of somebody else, whose own are never removed and never loosened.
pub(crate) fn announce(exchange: &mut Exchange<'_>, form: Form, policies: &[Policy], left: &[Left]) {
    let draft = fields(Form { legacy: false, ..form }, policies, left);
    let theirs: Vec<Field> = draft.iter().map(|(name, _)| exchange.response_header(name)).collect();
    // Under a name that they use too, their word stands: ours could be the looser one.
    let taken = theirs
        .iter()
        .flat_map(Field::values)
        .any(|value| policies.iter().any(|policy| names(value, &policy.name)));
    if !taken {
        for ((name, value), theirs) in draft.iter().zip(&theirs) {
            if theirs.values().iter().all(Vec::is_empty) {
                exchange.set_header(Map::Response, name, value.as_bytes());
            } else {
                exchange.add_header(Map::Response, name, value.as_bytes());
            }
        }
    }
    let older = fields(Form { draft: false, ..form }, policies, left);
    let theirs: Vec<Field> = older.iter().map(|(name, _)| exchange.response_header(name)).collect();
    if theirs.iter().all(|field| *field == Field::Absent) {
        for (name, value) in older {
            exchange.set_header(Map::Response, name, value.as_bytes());
        }
    } else if let Some((_, ours)) = tightest(policies, left) {
        // Theirs stand, but that less may be left. What can't be compared stays as it is.
        let name = "x-ratelimit-remaining";
        let remaining = exchange.response_header(name).single().and_then(|value| number(&value));
        if remaining.is_some_and(|theirs| ours.units < theirs) {
            exchange.set_header(Map::Response, name, ours.units.to_string().as_bytes());
        }
    }
}

fn items_left(policies: &[Policy], left: &[Left]) -> Vec<String> {
    policies
        .iter()
        .zip(left)
        .map(|(policy, left)| format!("\"{}\";r={};t={}", policy.name, left.units, seconds_up(left.reset)))
        .collect()
}

/// Returns the limit that has the least left; of several, the one that takes longest.
fn tightest<'a>(policies: &'a [Policy], left: &'a [Left]) -> Option<(&'a Policy, &'a Left)> {
    policies
        .iter()
        .zip(left)
        .min_by(|(_, one), (_, other)| one.units.cmp(&other.units).then(other.reset.cmp(&one.reset)))
}

/// Tells whether a list of items has one of this name, quoted or not.
fn names(field: &[u8], name: &str) -> bool {
    field.split(|byte| *byte == b',').any(|item| {
        let item = item.split(|byte| *byte == b';').next().unwrap_or_default().trim_ascii();
        let quoted = item.strip_prefix(b"\"").and_then(|item| item.strip_suffix(b"\""));
        quoted.unwrap_or(item) == name.as_bytes()
    })
}

fn number(value: &[u8]) -> Option<u64> {
    std::str::from_utf8(value).ok()?.trim().parse().ok()
}
