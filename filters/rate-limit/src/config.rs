//! The configuration, from words to values that cannot be wrong.

use kit::config::{Node, each, or};
use kit::key::Key;
use kit::matcher::Matcher;
use kit::rule::{self, Mode, Tagged};
use kit::units::Fraction;
use kit::value::Value;

use self::tier::{Common, overrides};
use crate::bucket::{Charging, Shape};
use crate::quota::{self, Form};

pub(crate) use self::tier::{Rate, Tier};

mod tier;

/// The whole configuration.
#[derive(Debug)]
pub(crate) struct Config {
    pub(crate) rules: Vec<Rule>,
    pub(crate) form: Form,
    pub(crate) status: u16,
    pub(crate) jitter: Fraction,
    pub(crate) tags: Tagged,
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
    /// What the entries of all its keys have in common; none if no key has any.
    pub(crate) shape: Option<Shape>,
    pub(crate) cost: Cost,
    pub(crate) count: Option<Count>,
    pub(crate) on_missing_key: OnMissingKey,
    pub(crate) on_contention: OnContention,
    /// The name under which rules share their state on purpose.
    pub(crate) share: Option<String>,
    /// How many keys in use at once the state has room for.
    pub(crate) clients: u64,
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

impl Config {
    /// Reads the configuration; every problem is recorded at its node.
    pub(crate) fn parse(node: &Node<'_>) -> Option<Self> {
        let mut object = node.object()?;
        let mode = or(object.optional("mode"), Mode::Enforce, Mode::parse);
        let form = or(object.optional("headers"), Form::DRAFT, |form| form.choice(quota::FORMS));
        let status = or(object.optional("status"), 429, |status| status.integer(400..=599));
        let jitter = or(object.optional("jitter"), DEFAULT_JITTER, |jitter| jitter.fraction());
        let tags = or(object.optional("tags"), Tagged::Refusals, Tagged::parse);
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
        let mode = or(object.optional("mode"), default_mode, Mode::parse);
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
        if object.has("cost") || object.has("count") {
            object.needs_one_of(
                &["limits"],
                "has a `cost` or a `count`, but no `limits` that could be charged",
            );
        }
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
        let (mut tier, mut overrides) = (tier?, overrides?);
        let tiers = || overrides.iter().map(|(_, tier)| tier).chain([&tier]);
        let shape = tiers().filter_map(Tier::shape).reduce(Shape::or);
        for tier in overrides.iter_mut().map(|(_, tier)| tier).chain([&mut tier]) {
            tier.set_shape(shape);
        }
        Some(Self {
            name: name?.to_owned(),
            mode: mode?,
            matcher: matcher?,
            key: key?,
            tier,
            overrides,
            shape,
            cost: cost?,
            count: count?,
            on_missing_key: on_missing_key?,
            on_contention: on_contention?,
            share: share?,
            clients: clients?,
        })
    }

    /// Refuses what does not go together with the rules before.
    fn compare<'a>(&self, node: &Node<'_>, others: impl Iterator<Item = &'a Self> + Clone) {
        let before = others.clone().map(|other| (other.name.as_str(), &other.matcher));
        rule::compare(node, &self.name, before);
        for other in others {
            let shapes = |rule: &Self| (rule.clients, rule.shape.map(|shape| (shape.rates, shape.in_flight)));
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

#[cfg(test)]
mod tests;
