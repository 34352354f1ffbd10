//! What a key may do: limits, requests in flight, and the keys that get something else.

use std::rc::Rc;
use std::time::Duration;

use kit::config::{Node, Object, each, or};
use kit::key::Key;
use kit::value::Value;

use crate::bucket::{Charging, Concurrency, Limits, MAX_LIMITS, Shape};
use crate::gcra::Limit;
use crate::quota::{self, Policy};

/// The longest time a limit can be stated for.
const YEAR: Duration = Duration::from_secs(366 * 24 * 60 * 60);

/// The most units a limit can have: one in each nanosecond of a second.
const MAX_UNITS: u64 = 1_000_000_000;

/// What a key may do.
#[derive(Clone, Debug)]
pub(crate) enum Tier {
    /// Everything.
    Unlimited,
    /// Nothing: one of its limits is zero. Here is how that is announced.
    Nothing(Vec<Policy>),
    /// What its limits admit.
    Limited(Rc<Limits>, Rc<[Policy]>),
}

/// What a rule and its overrides have in common.
#[derive(Clone, Copy)]
pub(super) struct Common<'a> {
    /// The name of the rule.
    pub(super) rule: &'a str,
    /// What a request costs at least.
    pub(super) least: u64,
    pub(super) charging: Charging,
}

impl Tier {
    /// Returns the shape of its entries.
    pub(super) fn shape(&self) -> Option<Shape> {
        match self {
            Self::Limited(limits, _) => Some(limits.shape),
            Self::Unlimited | Self::Nothing(_) => None,
        }
    }

    /// Makes its entries of the shape of all of the rule.
    pub(super) fn set_shape(&mut self, shape: Option<Shape>) {
        if let (Self::Limited(limits, _), Some(shape)) = (self, shape) {
            // Nobody else has it yet.
            Rc::make_mut(limits).shape = shape;
        }
    }

    /// Reads `limits` and `concurrency` of a rule or an override.
    pub(super) fn parse(object: &mut Object<'_>, common: Common<'_>) -> Option<Self> {
        object.needs_one_of(&["limits", "concurrency"], "limits nothing; give it `limits` or `concurrency`");
        let rates = or(object.optional("limits"), Vec::new(), |limits| {
            let nodes = limits.non_empty_list()?;
            if MAX_LIMITS < nodes.len() {
                limits.refuse(format!("has {} limits; {MAX_LIMITS} at the most", nodes.len()));
            }
            each(&nodes, |limit| Rate::parse(limit, common.least))
        });
        let timeout_node = object.optional("concurrency_timeout");
        let timeout = or(timeout_node.clone(), Duration::from_secs(300), |timeout| {
            timeout.duration(Duration::from_secs(1)..=Duration::from_secs(24 * 60 * 60))
        });
        let concurrency_node = object.optional("concurrency");
        if let (Some(timeout), None) = (&timeout_node, &concurrency_node) {
            timeout.refuse("has no effect without `concurrency`");
        }
        let concurrency = or(concurrency_node, None, |requests| {
            Some(Some((u16::try_from(requests.integer(0..=65_535)?).ok()?, timeout?)))
        });
        timeout?;
        let (rates, concurrency) = (rates?, concurrency?);
        if rates.is_empty() && concurrency.is_none() {
            return None;
        }
        let policies = quota::policies(common.rule, &rates, concurrency.map(|(requests, _)| requests));
        let nothing = rates.iter().any(|rate| rate.requests == 0)
            || concurrency.is_some_and(|(requests, _)| requests == 0);
        if nothing {
            return Some(Self::Nothing(policies));
        }
        let concurrency = concurrency.map(|(requests, timeout)| Concurrency { requests, timeout });
        let rates = rates
            .iter()
            .map(|rate| Limit::new(rate.requests, rate.per, rate.burst))
            .collect::<Option<_>>()?;
        let limits = Limits::new(rates, concurrency, common.charging);
        Some(Self::Limited(Rc::new(limits), policies.into()))
    }
}

/// A limit in the words of the configuration.
#[derive(Clone, Debug)]
pub(crate) struct Rate {
    pub(crate) requests: u64,
    pub(crate) per: Duration,
    pub(crate) burst: u64,
}

impl Rate {
    fn parse(node: &Node<'_>, least: u64) -> Option<Self> {
        let mut object = node.object()?;
        let requests = object.required("requests").and_then(|requests| requests.integer(0..=MAX_UNITS));
        let per = object.required("per").and_then(|per| per.duration(Duration::from_millis(1)..=YEAR));
        let burst_node = object.optional("burst");
        let burst = or(burst_node.clone(), requests.unwrap_or(0), |burst| burst.integer(1..=MAX_UNITS));
        object.finish();
        let rate = Self { requests: requests?, per: per?, burst: burst? };
        if rate.requests != 0 && rate.burst < least {
            burst_node.as_ref().unwrap_or(node).refuse(format!(
                "a request that costs {least} would never be admitted: only {} can be spent at once; \
                 raise `burst` to {least} at least",
                rate.burst
            ));
            return None;
        }
        // The time in which an empty bucket fills must be a time that can be told.
        let tolerance = Limit::new(rate.requests.max(1), rate.per, rate.burst).map_or(0, Limit::tolerance);
        if 10 * 366 * 24 * 60 * 60 * 1_000_000_000 < tolerance {
            node.refuse(
                "the burst would take more than ten years to come back; lower `burst` or raise `requests`",
            );
            return None;
        }
        Some(rate)
    }
}

pub(super) fn overrides(list: &Node<'_>, key: &Key, common: Common<'_>) -> Option<Vec<(Vec<u8>, Tier)>> {
    let parsed = each(&list.non_empty_list()?, |node| {
        let mut object = node.object()?;
        let value = object.required("key").and_then(|value| key_value(&value, key));
        let unlimited = or(object.optional("unlimited"), false, |unlimited| unlimited.boolean());
        let tier = match unlimited {
            Some(true) => {
                for name in ["limits", "concurrency", "concurrency_timeout"] {
                    if let Some(limit) = object.optional(name) {
                        limit.refuse("has no place beside `unlimited: true`; remove one of them");
                    }
                }
                Some(Tier::Unlimited)
            }
            Some(false) => Tier::parse(&mut object, common),
            None => None,
        };
        object.finish();
        Some((node.clone(), value?, tier?))
    });
    let mut overrides: Vec<(Vec<u8>, Tier)> = Vec::new();
    for (node, value, tier) in parsed? {
        match overrides.binary_search_by(|(other, _)| other.cmp(&value)) {
            Ok(_) => node.refuse("another override is for the same key"),
            Err(place) => overrides.insert(place, (value, tier)),
        }
    }
    Some(overrides)
}

/// Reads the value of a key: a text, or one for each source.
fn key_value(node: &Node<'_>, key: &Key) -> Option<Vec<u8>> {
    let values = if let Value::List(_) = node.value() {
        each(&node.list()?, |value| value.text().map(str::to_owned))?
    } else {
        vec![node.text()?.to_owned()]
    };
    let values: Vec<&str> = values.iter().map(String::as_str).collect();
    key.literal(&values).map_err(|problem| node.refuse(problem)).ok()
}
