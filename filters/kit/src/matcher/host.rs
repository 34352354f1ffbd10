//! The host that a request is for, and patterns of hosts.

use std::borrow::Cow;
use std::net::Ipv6Addr;

use crate::config::Node;

/// Returns the host of an `:authority` in its one spelling: lower case, without user, port and final dots; an IPv6
/// address canonical, in brackets.
///
/// What isn't the spelling of a host is taken apart all the same, because some upstream will do so: whoever counts by
/// hosts counts it with that one. Whoever decides by hosts asks [`is_plain`] first.
pub fn normalise(authority: &[u8]) -> Option<Cow<'_, [u8]>> {
    let authority = authority.trim_ascii();
    let host_and_port = authority.rsplit(|byte| *byte == b'@').next().unwrap_or_default();
    if let Some(rest) = host_and_port.strip_prefix(b"[") {
        let address =
            rest.split(|byte| *byte == b']').next().and_then(|address| std::str::from_utf8(address).ok())?;
        let address: Ipv6Addr = address.parse().ok()?;
        return Some(Cow::Owned(format!("[{address}]").into_bytes()));
    }
    let host = host_and_port.split(|byte| *byte == b':').next().unwrap_or_default();
    let dots = host.iter().rev().take_while(|byte| **byte == b'.').count();
    let host = host.get(..host.len().saturating_sub(dots)).unwrap_or(host);
    match host {
        [] => None,
        _ if host.iter().any(u8::is_ascii_uppercase) => Some(Cow::Owned(host.to_ascii_lowercase())),
        _ => Some(Cow::Borrowed(host)),
    }
}

/// Tells whether an `:authority` is one host in its plain spelling, with or without a port.
///
/// That is what every reader takes for the same. Envoy joins several `Host` headers by commas, and passes on what is
/// before an `@`.
pub fn is_plain(authority: &[u8]) -> bool {
    let (host, port) = match authority.strip_prefix(b"[") {
        Some(rest) => match rest.iter().position(|byte| *byte == b']') {
            Some(end) => rest.split_at(end),
            None => return false,
        },
        None => match authority.iter().position(|byte| *byte == b':') {
            Some(end) => authority.split_at(end),
            None => (authority, &[][..]),
        },
    };
    let port = port.strip_prefix(b"]").unwrap_or(port);
    let is_port = port.strip_prefix(b":").is_none_or(|digits| digits.iter().all(u8::is_ascii_digit))
        && (port.is_empty() || port.starts_with(b":"));
    let is_name = |byte: &u8| byte.is_ascii_alphanumeric() || b"-._:".contains(byte);
    !host.is_empty() && is_port && host.iter().all(is_name) && !host.ends_with(b"..")
}

/// A host, or every host below a domain.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct HostPattern {
    /// The host; for a domain, its name with the dot before it.
    name: String,
    /// Whether the name is that of a domain.
    is_domain: bool,
}

impl HostPattern {
    /// Parses `api.example.com`, `*.example.com` or `[2001:db8::1]`.
    ///
    /// `*.example.com` is every host with one or more labels before `.example.com`, and not `example.com` itself.
    pub fn parse(node: &Node<'_>) -> Option<Self> {
        let text = node.text()?;
        match problem(text) {
            None => {
                let lower = text.strip_suffix('.').unwrap_or(text).to_ascii_lowercase();
                Some(match lower.strip_prefix('*') {
                    Some(domain) => Self { name: domain.to_owned(), is_domain: true },
                    None => Self { name: canonical(&lower).unwrap_or(lower), is_domain: false },
                })
            }
            Some(problem) => {
                node.refuse(format!("{text:?} {problem}"));
                None
            }
        }
    }

    /// Returns whether a normalised host is one of these.
    pub fn matches(&self, host: &[u8]) -> bool {
        if self.is_domain {
            host.strip_suffix(self.name.as_bytes()).is_some_and(|labels| !labels.is_empty())
        } else {
            host == self.name.as_bytes()
        }
    }
}

/// Returns the canonical spelling of an IPv6 address in brackets.
fn canonical(text: &str) -> Option<String> {
    let address: Ipv6Addr = text.strip_prefix('[')?.strip_suffix(']')?.parse().ok()?;
    Some(format!("[{address}]"))
}

/// Returns what is wrong with a configured host, and what to type instead.
fn problem(text: &str) -> Option<String> {
    if let Some((_, rest)) = text.split_once("://") {
        return Some(format!(
            "is a URL: write the host alone, `{}`",
            rest.split(['/', ':']).next().unwrap_or_default()
        ));
    }
    if canonical(text).is_some() {
        return None;
    }
    if text.parse::<Ipv6Addr>().is_ok() {
        return Some(format!("is an IPv6 address without brackets: write `[{text}]`"));
    }
    if let Some((host, port)) = text.rsplit_once(':') {
        return Some(if port.bytes().all(|byte| byte.is_ascii_digit()) {
            format!("must not contain a port: write `{host}`, which holds on every port")
        } else {
            "is not a host (examples: api.example.com, *.example.com, [2001:db8::1])".to_owned()
        });
    }
    if text == "*" {
        return Some("stands for every host: leave `hosts` out".to_owned());
    }
    if !text.is_ascii() {
        return Some("must be ASCII: write the `xn--` form of an international name".to_owned());
    }
    let name = text.strip_prefix("*.").unwrap_or(text);
    if name.contains('*') {
        return Some("may have a wildcard only as its first label: `*.example.com`".to_owned());
    }
    let is_label = |label: &str| {
        !label.is_empty()
            && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'))
    };
    if name.strip_suffix('.').unwrap_or(name).split('.').all(is_label) {
        return None;
    }
    Some("is not a host (examples: api.example.com, *.example.com, [2001:db8::1])".to_owned())
}
