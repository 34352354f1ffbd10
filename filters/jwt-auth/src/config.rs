//! The configuration, from words to values that cannot be wrong.

use std::time::Duration;

use kit::config::{Node, each, or};
use kit::matcher::Matcher;
use kit::rule::{self, Mode, Tagged};
use kit::setup::Setup;
use kit::value::Value;

use self::output::Output;
use self::provider::Provider;
use crate::condition::Condition;
use crate::deny::Deny;
use crate::place::Place;
use crate::state::NO_RULE;

pub(crate) mod output;
pub(crate) mod provider;

/// The whole configuration.
#[derive(Debug)]
pub(crate) struct Config {
    pub(crate) mode: Mode,
    pub(crate) providers: Vec<Provider>,
    pub(crate) places: Vec<Place>,
    pub(crate) strip_token: bool,
    /// The longest token that is looked at, in bytes.
    pub(crate) max_token_size: usize,
    pub(crate) rules: Vec<Rule>,
    /// Whether a preflight (Fetch Standard, CORS-preflight request) needs no token.
    pub(crate) allow_preflight: bool,
    pub(crate) output: Output,
    pub(crate) deny: Vec<Deny>,
    /// What `WWW-Authenticate` calls the protected space.
    pub(crate) realm: Option<String>,
    /// The room for tokens that were verified, on each worker, in bytes.
    pub(crate) cache: usize,
    /// How long a request waits for keys that aren't there yet.
    pub(crate) wait_for_keys: Duration,
    pub(crate) signatures: Signatures,
    pub(crate) tags: Tagged,
}

/// What some requests need.
#[derive(Debug)]
pub(crate) struct Rule {
    pub(crate) name: String,
    pub(crate) matcher: Matcher,
    pub(crate) access: Access,
}

/// What a request needs to go on.
#[derive(Debug)]
pub(crate) enum Access {
    /// Nothing; a token isn't even looked at.
    Anonymous,
    /// A token of which this holds; `optional` if none at all will do as well.
    Token { condition: Condition, optional: bool },
}

/// Who verifies signatures.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Signatures {
    /// The proxy, where it shows that it can; this module otherwise.
    Auto,
    /// This module, always.
    Module,
}

impl Config {
    /// Reads the configuration; every problem is recorded at its node.
    pub(crate) fn parse(node: &Node<'_>, setup: &mut Setup<'_>) -> Option<Self> {
        let mut object = node.object()?;
        let mode = or(object.optional("mode"), Mode::Enforce, Mode::parse);
        let provider_nodes = object.required("providers").and_then(|providers| providers.non_empty_list());
        let places =
            or(object.optional("tokens"), vec![Place::Authorization("Bearer".to_owned())], |places| {
                each(&places.non_empty_list()?, Place::parse)
            });
        let strip_token = or(object.optional("strip_token"), false, |strip| strip.boolean());
        let max_token_size =
            or(object.optional("max_token_size"), DEFAULT_TOKEN_SIZE, |size| size.size(256..=LARGEST_TOKEN));
        let rule_nodes = object.required("rules").and_then(|rules| rules.non_empty_list());
        let allow_preflight = or(object.optional("allow_cors_preflight"), false, |allow| allow.boolean());
        let output = Output::parse(&mut object, setup);
        let deny = or(object.optional("deny"), Vec::new(), |deny| each(&deny.non_empty_list()?, Deny::parse));
        let realm = or(object.optional("realm"), None, |realm| realm_text(realm).map(Some));
        let cache = or(object.optional("cache"), DEFAULT_CACHE, |cache| cache.size(0..=LARGEST_CACHE));
        let wait_for_keys = or(object.optional("wait_for_keys"), DEFAULT_WAIT, |wait| {
            wait.duration(Duration::from_millis(10)..=Duration::from_secs(60))
        });
        let signatures = or(object.optional("signatures"), Signatures::Auto, |who| {
            who.choice(&[("auto", Signatures::Auto), ("module", Signatures::Module)])
        });
        let tags = or(object.optional("tags"), Tagged::Refusals, Tagged::parse);
        object.finish();
        // Rules name providers, those too that have a problem of their own.
        let names: Vec<&str> = provider_nodes.iter().flatten().filter_map(provider::name_of).collect();
        let providers = provider_nodes.as_ref().and_then(|nodes| {
            let providers = each(nodes, |provider| Provider::parse(provider, setup))?;
            let mut distinct = true;
            for (index, (node, provider)) in nodes.iter().zip(&providers).enumerate() {
                distinct &= provider.is_unlike(node, providers.iter().take(index));
            }
            distinct.then_some(providers)
        });
        let rules = rule_nodes.and_then(|nodes| {
            let rules = each(&nodes, |rule| Rule::parse(rule, &names))?;
            for (index, (node, rule)) in nodes.iter().zip(&rules).enumerate() {
                let before = rules.iter().take(index).map(|rule| (rule.name.as_str(), &rule.matcher));
                rule::compare(node, &rule.name, before);
            }
            Some(rules)
        });
        Some(Self {
            mode: mode?,
            places: places?,
            strip_token: strip_token?,
            max_token_size: usize::try_from(max_token_size?).ok()?,
            rules: rules?,
            allow_preflight: allow_preflight?,
            output: output?,
            deny: deny?,
            realm: realm?,
            cache: usize::try_from(cache?).ok()?,
            wait_for_keys: wait_for_keys?,
            signatures: signatures?,
            tags: tags?,
            providers: providers?,
        })
    }
}

/// Enough for tokens of a kilobyte with many roles; Envoy's own limit for all headers is 60 KiB.
const DEFAULT_TOKEN_SIZE: u64 = 8 << 10;

/// More is no token.
const LARGEST_TOKEN: u64 = 64 << 10;

/// Room for about a thousand tokens.
const DEFAULT_CACHE: u64 = 4 << 20;

const LARGEST_CACHE: u64 = 256 << 20;

/// A fetch within a data centre takes milliseconds; clients give up after a few seconds.
const DEFAULT_WAIT: Duration = Duration::from_secs(3);

impl Rule {
    fn parse(node: &Node<'_>, providers: &[&str]) -> Option<Self> {
        let mut object = node.object()?;
        let name = object.required("name").and_then(|name| rule_name(&name));
        let matcher = or(object.optional("match"), Matcher::any(), Matcher::parse);
        let allow = object.optional("allow").map(|allow| allow.choice(&[("anonymous", ())]));
        let require = object.optional("require").map(|require| Condition::parse(&require, providers));
        let optional_node = object.optional("optional");
        let optional = or(optional_node.clone(), false, |optional| optional.boolean());
        object.needs_one_of(
            &["allow", "require"],
            "needs `allow: anonymous`, or what it requires (`require: token` for any valid token)",
        );
        object.finish();
        let access = match (allow, require) {
            (Some(allow), None) => {
                if let Some(optional) = optional_node {
                    optional.refuse("goes with `require`; `allow: anonymous` looks at no token at all");
                    return None;
                }
                allow.map(|()| Access::Anonymous)
            }
            (None, Some(condition)) => {
                condition.zip(optional).map(|(condition, optional)| Access::Token { condition, optional })
            }
            (Some(_), Some(_)) => {
                node.refuse(
                    "has both `allow` and `require`; for tokens that may be missing, write `optional: true`",
                );
                None
            }
            (None, None) => None,
        };
        Some(Self { name: name?.to_owned(), matcher: matcher?, access: access? })
    }
}

/// Reads the name of a rule.
fn rule_name<'a>(node: &Node<'a>) -> Option<&'a str> {
    let name = node.name()?;
    if name == NO_RULE {
        node.refuse("is what requests that no rule is for are counted under; choose another name");
        return None;
    }
    Some(name)
}

/// Reads a realm: what can stand in a quoted string without escapes (RFC 9110 section 5.6.4).
fn realm_text(node: &Node<'_>) -> Option<String> {
    let text = node.non_empty_text()?;
    if !text.bytes().all(|byte| matches!(byte, b' '..=b'~') && byte != b'"' && byte != b'\\') {
        node.refuse("must be printable ASCII without \" and \\");
        return None;
    }
    Some(text.to_owned())
}

/// Returns the texts of a list.
pub(crate) fn texts(node: &Node<'_>) -> Option<Vec<String>> {
    if let Value::Text(_) = node.value() {
        return Some(vec![node.non_empty_text()?.to_owned()]);
    }
    each(&node.non_empty_list()?, |text| text.non_empty_text().map(str::to_owned))
}

#[cfg(test)]
mod tests;
