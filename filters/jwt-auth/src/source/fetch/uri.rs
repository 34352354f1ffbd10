//! An absolute URI, and the request that it stands for.

use kit::config::Node;
use kit::config::words::quoted;

/// An absolute `http` or `https` URI (RFC 9110 section 4.2).
#[derive(Clone, Debug, Eq, PartialEq)]
pub(in crate::source) struct Uri {
    text: String,
    https: bool,
    authority: String,
    /// With the query.
    path: String,
}

impl Uri {
    /// Reads a URI.
    pub(super) fn parse(node: &Node<'_>) -> Option<Self> {
        let text = node.non_empty_text()?;
        let parsed = Self::split(text);
        if let Err(problem) = &parsed {
            node.refuse(format!("{} {problem}", quoted(text)));
        }
        parsed.ok()
    }

    /// Returns the URI as it was written.
    pub(in crate::source) fn text(&self) -> &str {
        &self.text
    }

    /// Returns the headers of a request for what it names.
    pub(super) fn headers(&self) -> Vec<(String, String)> {
        let scheme = if self.https { "https" } else { "http" };
        [(":method", "GET"), (":scheme", scheme), (":authority", &self.authority), (":path", &self.path)]
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .to_vec()
    }

    fn split(text: &str) -> Result<Self, String> {
        const SHAPE: &str = "is not an absolute URI (example: https://issuer.example.com/jwks.json)";
        if let Some(other) = text.chars().find(|character| !character.is_ascii_graphic()) {
            return Err(format!("contains {other:?}, which a URI has percent-encoded only"));
        }
        let (scheme, rest) = text.split_once("://").ok_or(SHAPE)?;
        let https = match scheme.to_ascii_lowercase().as_str() {
            "https" => true,
            "http" => false,
            _ => {
                return Err(format!("has the scheme {}; only http and https can be fetched", quoted(scheme)));
            }
        };
        let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
        let (authority, path) = rest.split_at_checked(end).ok_or(SHAPE)?;
        if path.contains('#') {
            return Err(
                "has a fragment, which no server gets to see; remove the # and what follows".to_owned()
            );
        }
        if authority.contains('@') {
            return Err("has a user name or password in it; remove that".to_owned());
        }
        if !is_authority(authority) {
            return Err(SHAPE.to_owned());
        }
        let path = if path.starts_with('/') { path.to_owned() } else { format!("/{path}") };
        Ok(Self { text: text.to_owned(), https, authority: authority.to_ascii_lowercase(), path })
    }
}

/// Decides whether a text is a host, perhaps with a port.
fn is_authority(text: &str) -> bool {
    let (host, port) = match text.strip_prefix('[') {
        Some(rest) => match rest.split_once(']') {
            Some((address, port)) if address.contains(':') => (address, port),
            _ => return false,
        },
        None => text.split_at_checked(text.find(':').unwrap_or(text.len())).unwrap_or((text, "")),
    };
    let is_part = |byte: u8| byte.is_ascii_alphanumeric() || b"-._:".contains(&byte);
    let is_port = |port: &str| port.parse::<u16>().is_ok_and(|port| port != 0);
    !host.is_empty()
        && host.bytes().all(is_part)
        && (port.is_empty() || port.strip_prefix(':').is_some_and(is_port))
}
