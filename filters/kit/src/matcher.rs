//! Which requests a rule is for.
//!
//! Every condition that is there must hold; a matcher without conditions holds for every request. What no condition
//! asks for is never looked up.

use std::collections::BTreeSet;

use crate::config::words::quoted;
use crate::config::{Node, Object, each};
use crate::header::{Found, Lookup, is_token};
use crate::path::{AmbiguousPath, PathPredicate, RequestPath, query};
use crate::value::Value;

pub use self::claims::Claims;
use self::host::HostPattern;
use self::named::Named;

pub mod host;

mod claims;
mod named;

#[cfg(test)]
pub(crate) mod request;

/// What of a request means different things to different readers, so that a rule about it has no answer.
///
/// A filter refuses the request: no client that means well sends such a thing.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Ambiguous {
    /// Its path, see [`crate::path`].
    Path,
    /// Its host: several, or one with more around it than a port.
    Host,
    /// Its method, which differs from a known one in nothing but case (over HTTP/2, where Envoy lets it pass).
    Method,
}

impl From<AmbiguousPath> for Ambiguous {
    fn from(AmbiguousPath: AmbiguousPath) -> Self {
        Self::Path
    }
}

/// The conditions under which a rule is for a request.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Matcher {
    /// The methods, one of which it must be.
    methods: Option<Vec<String>>,
    /// The hosts, one of which it must be.
    hosts: Option<Vec<HostPattern>>,
    /// What the path must be.
    path: Option<PathPredicate>,
    /// What the query must say.
    query: Vec<Named>,
    /// What the headers must say.
    headers: Vec<Named>,
}

impl Matcher {
    /// Returns the matcher that holds for every request.
    pub fn any() -> Self {
        Self::default()
    }

    /// Parses the `match` of a rule.
    ///
    /// - `path`: see [`PathPredicate::parse`].
    /// - `methods`: a list of methods, exactly as requests spell them (RFC 9110, section 9.1).
    /// - `hosts`: a list of hosts, see [`HostPattern::parse`]. The port of a request doesn't count.
    /// - `headers`, `query`: lists of `{name, exact | prefix | suffix | contains | present, not}`. A name that occurs
    ///   several times satisfies a predicate if one of its values does; `not: true` inverts that answer, so an absent
    ///   name satisfies it. Values are compared as bytes, those of the query after decoding.
    pub fn parse(node: &Node<'_>) -> Option<Self> {
        let mut object = node.object()?;
        let path = optional(&mut object, "path", PathPredicate::parse);
        let methods = optional(&mut object, "methods", |node| each(&node.non_empty_list()?, method));
        let hosts = optional(&mut object, "hosts", |node| each(&node.non_empty_list()?, HostPattern::parse));
        let headers = optional(&mut object, "headers", |node| conditions(node, Named::header));
        let query = optional(&mut object, "query", |node| conditions(node, Named::parameter));
        object.finish();
        Some(Self {
            methods: methods?,
            hosts: hosts?,
            path: path?,
            query: query?.unwrap_or_default(),
            headers: headers?.unwrap_or_default(),
        })
    }

    /// Returns whether every condition holds for a request.
    ///
    /// # Errors
    ///
    /// [`Ambiguous`] where the answer depends on how the request is read. Where another condition already says no, it
    /// doesn't depend on that.
    #[inline]
    pub fn matches(&self, request: &dyn Lookup) -> Result<bool, Ambiguous> {
        if self.is_any() { Ok(true) } else { self.all_hold(request) }
    }

    /// Tells whether there is no condition.
    fn is_any(&self) -> bool {
        self.path.is_none()
            && self.methods.is_none()
            && self.hosts.is_none()
            && self.query.is_empty()
            && self.headers.is_empty()
    }

    /// A function of its own: a rule without conditions doesn't run around it.
    #[inline(never)]
    fn all_hold(&self, request: &dyn Lookup) -> Result<bool, Ambiguous> {
        let method = self.method_holds(request);
        if method == Ok(false) {
            return Ok(false);
        }
        let host = self.host_holds(request);
        if host == Ok(false) {
            return Ok(false);
        }
        let path = self.path_holds(request);
        if path == Ok(false) || !self.query_holds(request) || !self.headers_hold(request) {
            return Ok(false);
        }
        method.and(host).and(path)
    }

    /// Returns the names of the headers that an answer may need, pseudo-headers included.
    pub fn headers_needed(&self) -> BTreeSet<&str> {
        let mut names: BTreeSet<&str> = self.headers.iter().map(Named::name).collect();
        names.extend(self.methods.as_ref().map(|_| ":method"));
        names.extend(self.hosts.as_ref().map(|_| ":authority"));
        names.extend((self.path.is_some() || !self.query.is_empty()).then_some(":path"));
        names
    }

    fn method_holds(&self, request: &dyn Lookup) -> Result<bool, Ambiguous> {
        let Some(methods) = &self.methods else { return Ok(true) };
        match request.find(":method") {
            Found::Absent => Ok(false),
            Found::Many => Err(Ambiguous::Method),
            Found::One(value) if methods.iter().any(|method| *method.as_bytes() == *value) => Ok(true),
            Found::One(value)
                if methods.iter().any(|method| method.as_bytes().eq_ignore_ascii_case(&value)) =>
            {
                Err(Ambiguous::Method)
            }
            Found::One(_) => Ok(false),
        }
    }

    fn host_holds(&self, request: &dyn Lookup) -> Result<bool, Ambiguous> {
        let Some(hosts) = &self.hosts else { return Ok(true) };
        match request.find(":authority") {
            Found::Absent => Ok(false),
            Found::One(value) if host::is_plain(&value) => {
                let name = host::normalise(&value);
                Ok(name.is_some_and(|name| hosts.iter().any(|host| host.matches(&name))))
            }
            Found::One(_) | Found::Many => Err(Ambiguous::Host),
        }
    }

    fn path_holds(&self, request: &dyn Lookup) -> Result<bool, Ambiguous> {
        let Some(predicate) = &self.path else { return Ok(true) };
        let holds = match request.path() {
            Some(path) => predicate.holds_on(path),
            None => predicate.holds_on(&RequestPath::found(&request.find(":path"))),
        };
        holds.map_err(Ambiguous::from)
    }

    fn query_holds(&self, request: &dyn Lookup) -> bool {
        if self.query.is_empty() {
            return true;
        }
        let paths = request.header(":path");
        self.query.iter().all(|named| {
            let parameters = paths.values().iter().flat_map(|raw| query::parameters(raw));
            let matching = parameters.filter(|(name, _)| name.as_ref() == named.name().as_bytes());
            named.holds(matching.map(|(_, value)| value))
        })
    }

    fn headers_hold(&self, request: &dyn Lookup) -> bool {
        self.headers.iter().all(|named| named.holds(request.header(named.name()).values().iter()))
    }
}

/// Reads a field that may be left out; `None` is a problem.
fn optional<'a, T>(
    object: &mut Object<'a>,
    name: &'static str,
    parse: impl FnOnce(&Node<'a>) -> Option<T>,
) -> Option<Option<T>> {
    match object.optional(name) {
        Some(node) => parse(&node).map(Some),
        None => Some(None),
    }
}

/// Reads conditions; those that are written as `{name: value}` with how to write them.
fn conditions(node: &Node<'_>, parse: fn(&Node<'_>) -> Option<Named>) -> Option<Vec<Named>> {
    if let Value::Object(fields) = node.value()
        && let [(name, value), ..] = fields.as_slice()
        && fields.iter().all(|(field, _)| field != "name")
    {
        let value = if let Value::Text(value) = value { value } else { "..." };
        let (name, value) = (quoted(name), quoted(value));
        node.refuse(format!("expected a list, found an object; write `[{{name: {name}, exact: {value}}}]`"));
        return None;
    }
    each(&node.non_empty_list()?, parse)
}

/// Reads a method.
fn method(node: &Node<'_>) -> Option<String> {
    let text = node.text()?;
    if text.is_empty() || !text.bytes().all(is_token) {
        node.refuse(format!("{text:?} is not a method (examples: GET, POST)"));
        return None;
    }
    if text.bytes().any(|byte| byte.is_ascii_lowercase()) {
        node.refuse(format!("methods are upper case, did you mean \"{}\"?", text.to_ascii_uppercase()));
        return None;
    }
    Some(text.to_owned())
}

#[cfg(test)]
mod tests;
