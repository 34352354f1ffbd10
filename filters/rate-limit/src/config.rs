//! The configuration, from words to values that cannot be wrong.

use std::time::Duration;

use kit::config::{Node, Object, each};
use kit::key::Key;
use kit::matcher::Matcher;
use kit::units::Fraction;
use kit::value::Value;

use crate::bucket::{Charging, Concurrency, Limits, MAX_LIMITS};
use crate::gcra::Limit;
use crate::quota::{self, Form, Policy};

/// The longest time a limit can be stated for.
const YEAR: Duration = Duration::from_secs(366 * 24 * 60 * 60);

/// The most units a limit can have: one in each nanosecond of a second.
const MAX_UNITS: u64 = 1_000_000_000;

/// The whole configuration.
#[derive(Debug)]
pub(crate) struct Config {
    pub(crate) rules: Vec<Rule>,
    pub(crate) form: Form,
    pub(crate) status: u16,
    pub(crate) jitter: Fraction,
    pub(crate) tags: TagWhat,
}

/// One rule.
#[derive(Debug)]
pub(crate) struct Rule {
    pub(crate) name: String,
    pub(crate) mode: Mode,
    pub(crate) matcher: Matcher,
    /// Whose request it is; none if all requests of the rule count together.
    pub(crate) key: Option<Key>,
    pub(crate) tier: Tier,
    /// What other keys get, in the order of their values.
    pub(crate) overrides: Vec<(Vec<u8>, Tier)>,
    pub(crate) cost: Cost,
    pub(crate) count: Option<Count>,
    pub(crate) on_missing_key: OnMissingKey,
    pub(crate) on_contention: OnContention,
    /// The name under which rules share their state on purpose.
    pub(crate) share: Option<String>,
    /// How many keys in use at once the state has room for.
    pub(crate) clients: u64,
}

/// What a key may do.
#[derive(Clone, Debug)]
pub(crate) enum Tier {
    /// Everything.
    Unlimited,
    /// Nothing: one of its limits is zero. Here is how that is announced.
    Nothing(Vec<Policy>),
    /// What its limits admit.
    Limited(Limits, Vec<Policy>),
}

/// Whether a decision has consequences.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Mode {
    Enforce,
    Shadow,
}

/// Which decisions become tags.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum TagWhat {
    /// All but `admitted`: a tag costs more than the decision.
    Refusals,
    All,
}

/// What a request costs.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) enum Cost {
    Fixed(u64),
    Header { name: String, max: u64, default: u64 },
}

/// The responses that are charged, instead of requests.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Count {
    pub(crate) responses: Vec<u16>,
    /// Whether a request whose response isn't known yet counts as charged.
    pub(crate) reserve: bool,
}

/// What becomes of a request without a key.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum OnMissingKey {
    Skip,
    Refuse,
    Shared,
}

/// What becomes of a request when other workers were first every time.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum OnContention {
    Refuse,
    Admit,
}

const MODES: &[(&str, Mode)] = &[("enforce", Mode::Enforce), ("shadow", Mode::Shadow)];

impl Config {
    /// Reads the configuration; every problem is recorded at its node.
    pub(crate) fn parse(node: &Node<'_>) -> Option<Self> {
        let mut object = node.object()?;
        let mode = or(object.optional("mode"), Mode::Enforce, |mode| mode.choice(MODES));
        let form = or(object.optional("headers"), Form::DRAFT, |form| form.choice(quota::FORMS));
        let status = or(object.optional("status"), 429, |status| status.integer(400..=599));
        let jitter = or(object.optional("jitter"), DEFAULT_JITTER, |jitter| jitter.fraction());
        let tags = or(object.optional("tags"), TagWhat::Refusals, |tags| {
            tags.choice(&[("refusals", TagWhat::Refusals), ("all", TagWhat::All)])
        });
        let nodes = object.required("rules").and_then(|rules| rules.non_empty_list());
        object.finish();
        let default_mode = mode.unwrap_or(Mode::Enforce);
        let nodes = nodes?;
        let rules = each(&nodes, |rule| Rule::parse(rule, default_mode));
        let rules = rules?;
        for (index, (node, rule)) in nodes.iter().zip(&rules).enumerate() {
            rule.compare(node, rules.iter().take(index));
        }
        mode?;
        Some(Self { rules, form: form?, status: u16::try_from(status?).ok()?, jitter: jitter?, tags: tags? })
    }
}

/// A fifth: enough to spread clients that were refused in the same second.
const DEFAULT_JITTER: Fraction = Fraction::percent(20);

impl Rule {
    fn parse(node: &Node<'_>, default_mode: Mode) -> Option<Self> {
        let mut object = node.object()?;
        let name = object.required("name").and_then(|name| name.name());
        let mode = or(object.optional("mode"), default_mode, |mode| mode.choice(MODES));
        let matcher = or(object.optional("match"), Matcher::any(), |matcher| Matcher::parse(matcher));
        let key_node = object.optional("key");
        let key = or(key_node.clone(), None, |key| Key::parse(key).map(Some));
        let cost = or(object.optional("cost"), Cost::Fixed(1), Cost::parse);
        let count = or(object.optional("count"), None, |count| Count::parse(count).map(Some));
        let on_missing_node = object.optional("on_missing_key");
        let on_missing_key = or(on_missing_node.clone(), OnMissingKey::Shared, |on| {
            on.choice(&[
                ("skip", OnMissingKey::Skip),
                ("refuse", OnMissingKey::Refuse),
                ("shared", OnMissingKey::Shared),
            ])
        });
        let on_contention = or(object.optional("on_contention"), OnContention::Refuse, |on| {
            on.choice(&[("refuse", OnContention::Refuse), ("admit", OnContention::Admit)])
        });
        let share =
            or(object.optional("share"), None, |share| share.name().map(|name| Some(name.to_owned())));
        let clients = or(object.optional("clients"), 10_000, |clients| clients.integer(1..=10_000_000));
        let label = name.unwrap_or_default();
        let least = match &cost {
            Some(Cost::Fixed(cost) | Cost::Header { max: cost, .. }) => *cost,
            None => 1,
        };
        let charging = match count.as_ref().and_then(Option::as_ref) {
            None => Charging::OnRequest,
            Some(Count { reserve: true, .. }) => Charging::Reserved,
            Some(Count { reserve: false, .. }) => Charging::OnResponse,
        };
        let common = Common { rule: label, least, charging };
        let tier = Tier::parse(&mut object, common);
        let overrides = or(object.optional("overrides"), Vec::new(), |list| match (&key, &key_node) {
            (Some(Some(key)), _) => overrides(list, key, common),
            // Its own problem is told already.
            (_, Some(_)) => None,
            (_, None) => {
                list.refuse("needs a `key` in the rule: its values are what overrides are for");
                None
            }
        });
        if on_missing_node.is_some() && key_node.is_none() {
            node.refuse("says `on_missing_key`, but has no `key` that a request could lack");
        }
        object.finish();
        if let (Some(Cost::Header { .. }), Some(Some(_))) = (&cost, &count) {
            node.refuse(
                "charges responses (`count`) by a header of the request (`cost`); give it a fixed `cost`",
            );
        }
        Some(Self {
            name: name?.to_owned(),
            mode: mode?,
            matcher: matcher?,
            key: key?,
            tier: tier?,
            overrides: overrides?,
            cost: cost?,
            count: count?,
            on_missing_key: on_missing_key?,
            on_contention: on_contention?,
            share: share?,
            clients: clients?,
        })
    }

    /// Refuses what does not go together with the rules before.
    fn compare<'a>(&self, node: &Node<'_>, others: impl Iterator<Item = &'a Self>) {
        for other in others {
            if other.name == self.name {
                node.refuse(format!("another rule is called \"{}\"; names must differ", self.name));
            }
            let shapes = |rule: &Self| (rule.clients, rule.words());
            if self.share.is_some() && self.share == other.share && shapes(self) != shapes(other) {
                node.refuse(format!(
                    "shares its state with rule \"{}\", and must have as many `limits` and `clients`, and \
                     `concurrency` and `count` if that has them",
                    other.name
                ));
            }
        }
    }

    /// Returns the limits of a key.
    pub(crate) fn tier(&self, key: &[u8]) -> &Tier {
        match self.overrides.binary_search_by(|(value, _)| value.as_slice().cmp(key)) {
            Ok(index) => self.overrides.get(index).map_or(&self.tier, |(_, tier)| tier),
            Err(_) => &self.tier,
        }
    }

    /// Returns the number of words that any of its keys needs.
    pub(crate) fn words(&self) -> usize {
        let needs =
            self.overrides.iter().map(|(_, tier)| tier).chain([&self.tier]).filter_map(|tier| match tier {
                Tier::Limited(limits, _) => Some((limits.rates.len(), limits.follows_requests())),
                Tier::Unlimited | Tier::Nothing(_) => None,
            });
        let (rates, in_flight) = needs.fold((0, false), |all, one| (all.0.max(one.0), all.1 || one.1));
        Limits::words(rates, in_flight)
    }
}

/// What a rule and its overrides have in common.
#[derive(Clone, Copy)]
struct Common<'a> {
    /// The name of the rule.
    rule: &'a str,
    /// What a request costs at least.
    least: u64,
    charging: Charging,
}

impl Tier {
    /// Reads `limits` and `concurrency` of a rule or an override.
    fn parse(object: &mut Object<'_>, common: Common<'_>) -> Option<Self> {
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
        Some(Self::Limited(Limits { rates, concurrency, charging: common.charging }, policies))
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

impl Cost {
    fn parse(node: &Node<'_>) -> Option<Self> {
        if let Value::Number(_) = node.value() {
            return node.integer(1..=1_000_000).map(Self::Fixed);
        }
        let mut object = node.object()?;
        let name = object.required("header").and_then(|header| kit::header::parse_name(&header));
        let max = object.required("max").and_then(|max| max.integer(1..=1_000_000));
        let default = or(object.optional("default"), 1, |default| default.integer(1..=1_000_000));
        object.finish();
        let (name, max, default) = (name?, max?, default?);
        if max < default {
            node.refuse(format!("has a `default` of {default}, which is more than its `max` of {max}"));
            return None;
        }
        Some(Self::Header { name, max, default })
    }
}

impl Count {
    fn parse(node: &Node<'_>) -> Option<Self> {
        let mut object = node.object()?;
        let responses = object.required("responses").and_then(|responses| {
            each(&responses.non_empty_list()?, |status| u16::try_from(status.integer(200..=599)?).ok())
        });
        let reserve = or(object.optional("reserve"), true, |reserve| reserve.boolean());
        object.finish();
        Some(Self { responses: responses?, reserve: reserve? })
    }
}

fn overrides(list: &Node<'_>, key: &Key, common: Common<'_>) -> Option<Vec<(Vec<u8>, Tier)>> {
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

/// Reads an optional field: its default if it isn't there, none if it can't be read.
fn or<'a, T>(node: Option<Node<'a>>, default: T, parse: impl FnOnce(&Node<'a>) -> Option<T>) -> Option<T> {
    match node {
        Some(node) => parse(&node),
        None => Some(default),
    }
}

#[cfg(test)]
mod tests;
