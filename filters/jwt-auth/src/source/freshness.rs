//! How long a document is fresh, by what its answer says (RFC 9111 section 4.2.1), within the operator's bounds.

use std::time::Duration;

use kit::header::HeaderMap;

use super::fetch::Fetch;

/// Returns how long a document is fresh that came with these headers.
///
/// What can't be read is taken to mean that the document is not fresh for long.
pub(super) fn lifetime(headers: &HeaderMap, fetch: &Fetch) -> Duration {
    let stated = match cache_control(headers) {
        CacheControl::Silent => fetch.refresh,
        CacheControl::Stale => Duration::ZERO,
        CacheControl::MaxAge(age) => Duration::from_secs(age.saturating_sub(age_of(headers))),
    };
    stated.max(fetch.min_refresh).min(fetch.max_refresh)
}

/// What `cache-control` says.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum CacheControl {
    /// Nothing about how long.
    Silent,
    /// Not to be used again without asking, or something that can't be read.
    Stale,
    /// Fresh for so many seconds.
    MaxAge(u64),
}

fn cache_control(headers: &HeaderMap) -> CacheControl {
    let field = headers.field("cache-control");
    let mut said = CacheControl::Silent;
    for directive in field.values().iter().flat_map(|value| directives(value)) {
        let mut parts = directive.splitn(2, |byte| *byte == b'=');
        let name = parts.next().unwrap_or_default().trim_ascii().to_ascii_lowercase();
        let seconds = parts.next().map(unquoted).and_then(delta_seconds);
        said = match (name.as_slice(), seconds, said) {
            (b"no-store" | b"no-cache", _, _) | (b"max-age", None, _) => CacheControl::Stale,
            (b"max-age", Some(seconds), CacheControl::Silent) => CacheControl::MaxAge(seconds),
            (b"max-age", Some(seconds), CacheControl::MaxAge(other)) => {
                CacheControl::MaxAge(seconds.min(other))
            }
            (_, _, said) => said,
        };
    }
    said
}

/// Splits at the commas that are not in quotes.
fn directives(value: &[u8]) -> Vec<&[u8]> {
    let mut inside = false;
    let mut escaped = false;
    let split = value.split(move |byte| {
        let quote = *byte == b'"' && !escaped;
        escaped = *byte == b'\\' && inside && !escaped;
        inside ^= quote;
        *byte == b',' && !inside
    });
    split.collect()
}

/// Returns how old the document already was when it was sent (RFC 9111 section 5.1): the first of several values.
fn age_of(headers: &HeaderMap) -> u64 {
    let field = headers.field("age");
    let first = field.values().first().and_then(|value| value.split(|byte| *byte == b',').next());
    first.and_then(delta_seconds).unwrap_or(0)
}

fn unquoted(value: &[u8]) -> &[u8] {
    let value = value.trim_ascii();
    value.strip_prefix(b"\"").and_then(|value| value.strip_suffix(b"\"")).unwrap_or(value)
}

/// Reads `delta-seconds` (RFC 9111 section 1.2.2); too many of them are the most there are.
fn delta_seconds(text: &[u8]) -> Option<u64> {
    let text = text.trim_ascii();
    if text.is_empty() {
        return None;
    }
    text.iter().try_fold(0_u64, |seconds, byte| {
        let digit = byte.checked_sub(b'0').filter(|digit| *digit <= 9)?;
        Some(seconds.saturating_mul(10).saturating_add(digit.into()))
    })
}

#[cfg(test)]
mod tests;
