//! What a rule requires of a token beyond that it is valid.

use std::cmp::Ordering;

use kit::config::words::{nearest, quoted};
use kit::config::{Node, Object, each};
use kit::value::{Number, Value};

use crate::claim::{ClaimPath, scopes};
use crate::reason::Reason;

/// What a rule requires of a token that is valid.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Condition {
    /// Nothing more.
    Token,
    All(Vec<Self>),
    Any(Vec<Self>),
    /// It is from the provider with this place in the configuration.
    Provider(usize),
    Scope(String),
    Claim(ClaimPath, Test),
}

/// What the value of a claim must be. Kinds aren't mixed: the text `5` isn't the number 5.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Test {
    /// One of these texts, numbers and booleans.
    OneOf(Vec<Value>),
    /// A list that has this text, number or boolean.
    Contains(Value),
    /// A text that begins like this.
    Prefix(String),
    /// A number that compares with this one in one of these ways.
    Compares(Number, &'static [Ordering]),
    /// Anything but null.
    Present,
}

const KINDS: [&str; 5] = ["all", "any", "provider", "scope", "claim"];

const TESTS: [&str; 9] =
    ["equals", "one_of", "contains", "prefix", "at_least", "at_most", "above", "below", "present"];

impl Condition {
    /// Parses `token`, `{scope: admin}`, `{provider: corp}`, `{claim: tier, one_of: [gold]}`, or `all` or `any` of a
    /// list of conditions; providers have these names, in the order of the configuration.
    pub(crate) fn parse(node: &Node<'_>, providers: &[&str]) -> Option<Self> {
        match node.value() {
            Value::Text(text) => return Self::word(node, text),
            Value::List(_) => {
                node.refuse("is a list; write {all: [...]}, or {any: [...]} if one of them will do");
                return None;
            }
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::Object(_) => {}
        }
        let mut object = node.object()?;
        let kinds = given(&mut object, &KINDS);
        let tests = given(&mut object, &TESTS);
        if object.has("claim") {
            object.needs_one_of(&TESTS, &format!("needs one of {} beside `claim`", TESTS.join(", ")));
        } else if TESTS.iter().any(|test| object.has(test)) {
            object.needs_one_of(&["claim"], "needs a `claim` that is tested");
        } else {
            object.needs_one_of(&KINDS, &format!("needs one of {}", KINDS.join(", ")));
        }
        object.finish();
        // All are read, so that their problems are told as well.
        let mut test: Vec<_> = tests.iter().map(|(kind, node)| Test::parse(kind, node)).collect();
        let test = if test.len() == 1 { test.pop().flatten() } else { None };
        let mut read: Vec<_> = kinds
            .iter()
            .map(|(kind, node)| match *kind {
                "all" => Self::list(node, providers).map(Self::All),
                "any" => Self::list(node, providers).map(Self::Any),
                "provider" => provider(node, providers).map(Self::Provider),
                "scope" => scope(node).map(Self::Scope),
                _ => {
                    let path = ClaimPath::parse(node);
                    Some(Self::Claim(path?, test.clone()?))
                }
            })
            .collect();
        if 1 < kinds.len() {
            node.refuse(format!("has several conditions; write {{all: [{}]}}", spell(&kinds, "")));
            return None;
        }
        if 1 < tests.len() {
            node.refuse(format!("has several tests; write {{all: [{}]}}", spell(&tests, "claim: ..., ")));
            return None;
        }
        read.pop()?
    }

    /// Returns whether the condition holds for a valid token of a provider.
    ///
    /// # Errors
    ///
    /// [`Reason::Scope`] if other scopes would be enough, [`Reason::Forbidden`] if they wouldn't.
    pub(crate) fn check(&self, provider: usize, payload: &Value) -> Result<(), Reason> {
        let (holds, otherwise) = match self {
            Self::Token => (true, Reason::Forbidden),
            Self::All(conditions) => return all_hold(conditions, provider, payload),
            Self::Any(conditions) => return one_holds(conditions, provider, payload),
            Self::Provider(expected) => (provider == *expected, Reason::Forbidden),
            Self::Scope(expected) => (scopes(payload).any(|scope| scope == expected), Reason::Scope),
            Self::Claim(path, test) => {
                (path.find(payload).is_some_and(|value| test.holds(value)), Reason::Forbidden)
            }
        };
        if holds { Ok(()) } else { Err(otherwise) }
    }

    fn word(node: &Node<'_>, text: &str) -> Option<Self> {
        if text == "token" {
            return Some(Self::Token);
        }
        node.refuse(format!(
            "{} is not a condition; write token, which is any valid token, or an object (example: {{scope: admin}})",
            quoted(text),
        ));
        None
    }

    fn list(node: &Node<'_>, providers: &[&str]) -> Option<Vec<Self>> {
        each(&node.non_empty_list()?, |node| Self::parse(node, providers))
    }
}

fn all_hold(conditions: &[Condition], provider: usize, payload: &Value) -> Result<(), Reason> {
    let mut verdict = Ok(());
    for condition in conditions {
        match condition.check(provider, payload) {
            Ok(()) => {}
            // Something else may be lacking too.
            Err(Reason::Scope) => verdict = Err(Reason::Scope),
            Err(reason) => return Err(reason),
        }
    }
    verdict
}

fn one_holds(conditions: &[Condition], provider: usize, payload: &Value) -> Result<(), Reason> {
    let mut verdict = Err(Reason::Forbidden);
    for condition in conditions {
        match condition.check(provider, payload) {
            Ok(()) => return Ok(()),
            Err(Reason::Scope) => verdict = Err(Reason::Scope),
            Err(_) => {}
        }
    }
    verdict
}

impl Test {
    fn parse(kind: &str, node: &Node<'_>) -> Option<Self> {
        use Ordering::{Equal, Greater, Less};
        let compares = |ways| number(node).map(|number| Self::Compares(number, ways));
        match kind {
            "equals" => scalar(node).map(|value| Self::OneOf(vec![value])),
            "one_of" => each(&node.non_empty_list()?, scalar).map(Self::OneOf),
            "contains" => scalar(node).map(Self::Contains),
            "prefix" => node.non_empty_text().map(|start| Self::Prefix(start.to_owned())),
            "at_least" => compares(&[Greater, Equal]),
            "at_most" => compares(&[Less, Equal]),
            "above" => compares(&[Greater]),
            "below" => compares(&[Less]),
            _ if node.boolean()? => Some(Self::Present),
            _ => {
                node.refuse("must be true; that a claim is absent can't be required");
                None
            }
        }
    }

    fn holds(&self, value: &Value) -> bool {
        match (self, value) {
            (Self::OneOf(expected), _) => expected.contains(value),
            (Self::Contains(expected), Value::List(items)) => items.contains(expected),
            (Self::Prefix(start), Value::Text(text)) => text.starts_with(start),
            (Self::Compares(bound, ways), Value::Number(number)) => {
                number.order(*bound).is_some_and(|order| ways.contains(&order))
            }
            (Self::Present, _) => *value != Value::Null,
            (Self::Contains(_) | Self::Prefix(_) | Self::Compares(..), _) => false,
        }
    }
}

/// Returns those of the fields that are there and have a value.
fn given<'a>(object: &mut Object<'a>, names: &[&'static str]) -> Vec<(&'static str, Node<'a>)> {
    names.iter().filter_map(|name| Some((*name, object.optional(name)?))).collect()
}

/// Returns fields as objects of their own: `{scope: ...}, {provider: ...}`.
fn spell(fields: &[(&'static str, Node<'_>)], before: &str) -> String {
    let spelled: Vec<_> = fields.iter().map(|(name, _)| format!("{{{before}{name}: ...}}")).collect();
    spelled.join(", ")
}

/// Reads a text, of which there is one in each condition.
fn single<'a>(node: &Node<'a>, kind: &str) -> Option<&'a str> {
    if let Value::List(_) = node.value() {
        node.refuse(format!("is a list; write {{any: [{{{kind}: ...}}, ...]}}, or `all` for `any`"));
        return None;
    }
    node.non_empty_text()
}

fn provider(node: &Node<'_>, providers: &[&str]) -> Option<usize> {
    let name = single(node, "provider")?;
    if let Some(place) = providers.iter().position(|known| *known == name) {
        return Some(place);
    }
    let hint = match nearest(name, providers) {
        Some(known) => format!("; did you mean \"{known}\"?"),
        None => format!(" (providers: {})", providers.join(", ")),
    };
    node.refuse(format!("{} is not the name of a provider{hint}", quoted(name)));
    None
}

/// Reads one scope (RFC 6749 section 3.3).
fn scope(node: &Node<'_>) -> Option<String> {
    let scope = single(node, "scope")?;
    let is_part = |byte: u8| matches!(byte, b'!' | b'#'..=b'[' | b']'..=b'~');
    if scope.bytes().all(is_part) {
        return Some(scope.to_owned());
    }
    let words: Vec<_> = scope.split(' ').filter(|word| !word.is_empty()).collect();
    if 1 < words.len() && words.iter().all(|word| word.bytes().all(is_part)) {
        let each: Vec<_> = words.iter().map(|word| format!("{{scope: {word}}}")).collect();
        node.refuse(format!("{} is several scopes; write {{all: [{}]}}", quoted(scope), each.join(", ")));
    } else {
        node.refuse(format!(
            "{} is not a scope: ASCII without spaces, quotes and backslashes",
            quoted(scope)
        ));
    }
    None
}

/// Reads a text, number or boolean.
fn scalar(node: &Node<'_>) -> Option<Value> {
    match node.value() {
        Value::Text(_) | Value::Bool(_) => Some(node.value().clone()),
        Value::Number(_) => number(node).map(Value::Number),
        Value::Null | Value::List(_) | Value::Object(_) => {
            node.refuse(format!("expected text, a number or a boolean, found {}", node.value().kind()));
            None
        }
    }
}

/// Reads a number of which nothing was lost.
fn number(node: &Node<'_>) -> Option<Number> {
    match node.value() {
        Value::Number(number) if number.is_exact() => return Some(*number),
        Value::Number(number) => node.refuse(format!(
            "{number} may not be what you wrote: a float has room for 15 digits, and YAML makes floats of numbers; \
             JSON has room for 19 in a number without point and exponent"
        )),
        Value::Text(text) if text.parse::<i64>().is_ok() => {
            node.refuse(format!("{} is text; write {text} without quotes", quoted(text)));
        }
        Value::Null | Value::Bool(_) | Value::Text(_) | Value::List(_) | Value::Object(_) => {
            node.refuse(format!("expected a number, found {}", node.value().kind()));
        }
    }
    None
}

#[cfg(test)]
mod tests;
