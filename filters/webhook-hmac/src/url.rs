//! The address that a provider sends to, which some of them sign.

use std::borrow::Cow;

use kit::config::Node;

use crate::message::Message;

/// What is configured of the address; what isn't is taken from the request.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) enum Url {
    /// Nothing: scheme, authority and path of the request.
    OfRequest,
    /// Scheme and authority; the path is that of the request.
    Base(String),
    /// All of it, as the provider was given it.
    Whole(String),
}

impl Url {
    /// Parses `https://hooks.example.com` or `https://hooks.example.com/stripe`.
    pub(crate) fn parse(node: &Node<'_>) -> Option<Self> {
        let text = node.non_empty_text()?;
        let rest = text.strip_prefix("https://").or_else(|| text.strip_prefix("http://"));
        let sound = rest.is_some_and(|rest| !rest.is_empty() && !rest.starts_with('/'))
            && text.bytes().all(|byte| byte.is_ascii_graphic())
            && !text.contains('#');
        if !sound {
            node.refuse(
                "is not an address: scheme and host, and a path if the whole address is meant (examples: \
                 https://hooks.example.com, https://hooks.example.com/square)",
            );
            return None;
        }
        let has_path = rest.is_some_and(|rest| rest.contains(['/', '?']));
        Some(if has_path { Self::Whole(text.to_owned()) } else { Self::Base(text.to_owned()) })
    }

    /// Returns the address of a request.
    pub(crate) fn of(&self, message: &Message<'_>) -> Vec<u8> {
        match self {
            Self::OfRequest => [
                message.pseudo(":scheme").as_ref(),
                b"://",
                message.pseudo(":authority").as_ref(),
                message.target().as_ref(),
            ]
            .concat(),
            Self::Base(base) => [base.as_bytes(), message.target().as_ref()].concat(),
            Self::Whole(url) => url.as_bytes().to_vec(),
        }
    }
}

/// Returns an address as it is, without its port, and with the port that its scheme has anyway.
pub(crate) fn with_any_port(url: &[u8]) -> Vec<Vec<u8>> {
    let mut all = vec![url.to_vec()];
    let (scheme, port): (&[u8], &[u8]) =
        if url.starts_with(b"https://") { (b"https://", b":443") } else { (b"http://", b":80") };
    let Some(rest) = url.strip_prefix(scheme) else {
        return all;
    };
    let end = rest.iter().position(|byte| matches!(byte, b'/' | b'?')).unwrap_or(rest.len());
    let (authority, target) = rest.split_at_checked(end).unwrap_or((rest, b""));
    // An IPv6 address has colons of its own, in brackets.
    let colon = authority.iter().rposition(|byte| matches!(byte, b':' | b']'));
    let host = match colon {
        Some(colon) if authority.get(colon) == Some(&b':') => authority.get(..colon).unwrap_or(authority),
        Some(_) | None => authority,
    };
    for port in [b"".as_slice(), port] {
        let other = [scheme, host, port, target].concat();
        if !all.contains(&other) {
            all.push(other);
        }
    }
    all
}

/// The encodings that HubSpot decodes in an address before it signs it.
const DECODED: [(&[u8; 3], u8); 12] = [
    (b"%3A", b':'),
    (b"%2F", b'/'),
    (b"%3F", b'?'),
    (b"%40", b'@'),
    (b"%21", b'!'),
    (b"%24", b'$'),
    (b"%27", b'\''),
    (b"%28", b'('),
    (b"%29", b')'),
    (b"%2A", b'*'),
    (b"%2C", b','),
    (b"%3B", b';'),
];

/// Decodes these encodings, and no others.
pub(crate) fn decoded(url: &[u8]) -> Cow<'_, [u8]> {
    if !url.contains(&b'%') {
        return Cow::Borrowed(url);
    }
    let mut bytes = Vec::with_capacity(url.len());
    let mut remaining = url;
    while let [first, rest @ ..] = remaining {
        let known = DECODED.iter().find(|(code, _)| remaining.starts_with(*code));
        match known {
            Some((_, byte)) => {
                bytes.push(*byte);
                remaining = remaining.get(3..).unwrap_or_default();
            }
            None => {
                bytes.push(*first);
                remaining = rest;
            }
        }
    }
    Cow::Owned(bytes)
}

/// Splits a target into path and query, without the `?`.
pub(crate) fn split(target: &[u8]) -> (&[u8], &[u8]) {
    match target.iter().position(|byte| *byte == b'?') {
        Some(place) => (
            target.get(..place).unwrap_or_default(),
            target.get(place.saturating_add(1)..).unwrap_or_default(),
        ),
        None => (target, b""),
    }
}
