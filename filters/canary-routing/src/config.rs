//! The configuration, from words to values that cannot be wrong.

use kit::config::{Node, each, or};
use kit::matcher::Matcher;
use kit::rule::{self, Mode, Tagged};
use kit::setup::Setup;
use kit::value::Value;

use crate::assign::Assignment;
use crate::bucket::Buckets;
use crate::cookie::Ticket;
use crate::force::Force;
use crate::guard::Guard;
use crate::identity::Identity;
use crate::outcome::Outcomes;
use crate::output::{Mirror, Output, Reserved};
use crate::variant::{self, Variant};

/// The whole configuration.
pub(crate) struct Config {
    pub(crate) tags: Tagged,
    pub(crate) output: Output,
    /// What clients can't write; nothing where all splits only look on.
    pub(crate) reserved: Reserved,
    /// Routes are chosen by tags alone, which by themselves don't let them be chosen again.
    pub(crate) clears_route: bool,
    pub(crate) splits: Vec<Split>,
}

/// Users who are split over variants.
pub(crate) struct Split {
    pub(crate) name: String,
    pub(crate) mode: Mode,
    pub(crate) matcher: Matcher,
    pub(crate) identity: Identity,
    pub(crate) buckets: Buckets,
    pub(crate) missing: Missing,
    /// The first is the baseline; there are two at least.
    pub(crate) variants: Vec<Variant>,
    pub(crate) assign: Vec<Assignment>,
    pub(crate) force: Option<Force>,
    pub(crate) mirror: Option<Mirror>,
    pub(crate) observe: bool,
    pub(crate) outcomes: Outcomes,
    pub(crate) guard: Option<Guard>,
}

/// What becomes of a request without a key.
pub(crate) enum Missing {
    Baseline,
    Random,
    /// It gets one.
    Ticket(Box<Ticket>),
}

impl Config {
    /// Reads the configuration; every problem is recorded at its node.
    pub(crate) fn parse(node: &Node<'_>, setup: &Setup<'_>) -> Option<Self> {
        let mut object = node.object()?;
        let mode = or(object.optional("mode"), Mode::Enforce, Mode::parse);
        let tags = or(object.optional("tags"), Tagged::Refusals, Tagged::parse);
        let output_node = object.optional("output");
        let output = or(output_node.clone(), Output::new(), Output::parse);
        let nodes = object.required("splits").and_then(|splits| splits.non_empty_list());
        object.finish();
        let default_mode = mode.unwrap_or(Mode::Enforce);
        let has_clusters = output.as_ref().map(|output| output.cluster.is_some());
        let nodes = nodes?;
        let splits = each(&nodes, |node| Split::parse(node, default_mode, has_clusters, setup))?;
        let (output, tags) = (output?, tags?);
        let is_written = output.names().next().is_some();
        if let Some(node) = output_node.filter(|_| !is_written && tags == Tagged::Refusals) {
            node.refuse("writes no header, so no route can follow: give it one, or write `tags: all` for routes by filter state");
            return None;
        }
        compare(&nodes, &splits, &output)?;
        let enforces = |split: &&Split| split.mode == Mode::Enforce;
        let reserved = if mode? == Mode::Enforce || splits.iter().any(|split| enforces(&split)) {
            let enforced = || splits.iter().filter(enforces);
            let mirrors =
                enforced().filter_map(|split| split.mirror.as_ref()).map(|mirror| mirror.header.as_str());
            let asking = enforced().filter_map(|split| split.force.as_ref()).flat_map(Force::headers);
            Reserved::new(output.names().chain(mirrors), asking)
        } else {
            Reserved::default()
        };
        Some(Self { tags, output, reserved, clears_route: !is_written, splits })
    }
}

/// Refuses what of a split is in the way of another, or of what is written.
fn compare(nodes: &[Node<'_>], splits: &[Split], output: &Output) -> Option<()> {
    let mut is_right = true;
    for (index, (node, split)) in nodes.iter().zip(splits).enumerate() {
        let before = || splits.iter().take(index);
        rule::compare(node, &split.name, before().map(|other| (other.name.as_str(), &other.matcher)));
        let cookie = |split: &Split| split.missing.ticket().map(|ticket| ticket.name.clone());
        if let Some(name) = cookie(split)
            && before().any(|other| cookie(other).as_ref() == Some(&name))
        {
            node.refuse(format!("another split has the cookie {name:?} as well; each needs one of its own"));
            is_right = false;
        }
        let mirror = split.mirror.as_ref().map(|mirror| mirror.header.as_str());
        let asking: Vec<&str> = split.force.iter().flat_map(Force::headers).collect();
        let others =
            splits.iter().filter_map(|split| split.mirror.as_ref()).map(|mirror| mirror.header.as_str());
        let written: Vec<&str> = output.names().chain(others).collect();
        let is_twice = |name: &&str| written.contains(name);
        if let Some(name) = asking
            .into_iter()
            .find(is_twice)
            .or(mirror.filter(|name| output.names().any(|other| other == *name)))
        {
            node.refuse(format!("has the header {name:?} for two things; `output`, `mirror` and `force` need names of their own"));
            is_right = false;
        }
    }
    is_right.then_some(())
}

impl Split {
    fn parse(
        node: &Node<'_>,
        default_mode: Mode,
        has_clusters: Option<bool>,
        setup: &Setup<'_>,
    ) -> Option<Self> {
        let mut object = node.object()?;
        let name = object.required("name").and_then(|name| name.name());
        let mode = or(object.optional("mode"), default_mode, Mode::parse);
        let matcher = or(object.optional("match"), Matcher::any(), Matcher::parse);
        let identity = or(object.optional("key"), Identity::default(), Identity::parse);
        let salt = or(object.optional("salt"), name, |salt| self::salt(salt).map(Some));
        let missing = or(object.optional("on_missing_key"), Missing::Baseline, |missing| {
            Missing::parse(missing, name.unwrap_or_default(), setup)
        });
        let variants = object.required("variants").and_then(|node| variant::parse(&node, has_clusters));
        let assign_node = object.optional("assign");
        let force = or(object.optional("force"), None, |force| Force::parse(force, setup).map(Some));
        let mirror = or(object.optional("mirror"), None, |mirror| Mirror::parse(mirror).map(Some));
        let observe = or(object.optional("observe"), None, |observe| observe.boolean().map(Some));
        let outcomes_node = object.optional("outcomes");
        let outcomes = or(outcomes_node.clone(), Outcomes::new(), Outcomes::parse);
        let guard = or(object.optional("guard"), None, |guard| Guard::parse(guard).map(Some));
        if matches!(missing, Some(Missing::Baseline)) {
            object.needs_one_of(&["key"], "needs a `key`, or `on_missing_key: random`, or a cookie there");
        }
        object.finish();
        let assign = or(assign_node, Vec::new(), |assign| {
            let nodes = assign.non_empty_list()?;
            each(&nodes, |node| Assignment::parse(node, identity.as_ref(), variants.as_deref()))
        });
        let (observe, guard) = (observe?, guard?);
        let observe = observe.unwrap_or(guard.is_some());
        if let Some(node) = outcomes_node.filter(|_| !observe && guard.is_none()) {
            node.refuse("is asked by nobody: it is for `observe: true`, or for a `guard`");
            return None;
        }
        Some(Self {
            name: name?.to_owned(),
            mode: mode?,
            matcher: matcher?,
            identity: identity?,
            buckets: Buckets::new(salt??),
            missing: missing?,
            variants: variants?,
            assign: assign?,
            force: force?,
            mirror: mirror?,
            observe,
            outcomes: outcomes?,
            guard,
        })
    }
}

/// Reads what makes the buckets of a split others than those of another.
fn salt<'a>(node: &Node<'a>) -> Option<&'a str> {
    let salt = node.text()?;
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'-';
    if !(1..=64).contains(&salt.len()) || !salt.bytes().all(is_plain) {
        node.refuse(format!("{salt:?} is not a salt: 1 to 64 letters, digits, _ or -"));
        return None;
    }
    Some(salt)
}

impl Missing {
    fn parse(node: &Node<'_>, split: &str, setup: &Setup<'_>) -> Option<Self> {
        match node.value() {
            Value::Object(_) => {
                let mut object = node.object()?;
                let ticket =
                    object.required("cookie").and_then(|cookie| Ticket::parse(&cookie, split, setup));
                object.finish();
                Some(Self::Ticket(Box::new(ticket?)))
            }
            Value::Text(text) if text == "cookie" => {
                node.refuse("cookie needs a secret: write {cookie: {secret: {env: CANARY_COOKIE_SECRET}}}");
                None
            }
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::Text(_) | Value::List(_) => {
                let is_random = node.choice(&[("baseline", false), ("random", true)])?;
                Some(if is_random { Self::Random } else { Self::Baseline })
            }
        }
    }

    /// Returns the cookie that it gets.
    pub(crate) fn ticket(&self) -> Option<&Ticket> {
        match self {
            Self::Ticket(ticket) => Some(ticket),
            Self::Baseline | Self::Random => None,
        }
    }
}
