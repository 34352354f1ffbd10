//! When a delivery was sent: how providers write it, and how far from now it may be.

use std::time::Duration;

use kit::config::Node;
use kit::time::{Timestamp, nanos};
use kit::units::{http_date, instant, spell_http_date, spell_instant};
use kit::value::Value;

use crate::reason::Reason;

/// How an instant is written.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Format {
    /// Seconds since 1970, in digits.
    Unix,
    /// Milliseconds since 1970, in digits.
    UnixMilliseconds,
    /// `2026-03-01T00:00:00Z` (RFC 3339).
    Rfc3339,
    /// `Sun, 01 Mar 2026 00:00:00 GMT` (RFC 9110 section 5.6.7, the form that servers send).
    HttpDate,
}

/// The words for them.
pub(crate) const FORMATS: [(&str, Format); 4] = [
    ("unix", Format::Unix),
    ("unix-ms", Format::UnixMilliseconds),
    ("rfc3339", Format::Rfc3339),
    ("http-date", Format::HttpDate),
];

impl Format {
    /// Reads an instant. It is signed as it is written, so it must be written in the one way that there is: two texts
    /// for one instant would be two signatures.
    pub(crate) fn read(self, text: &[u8]) -> Option<Timestamp> {
        let text = std::str::from_utf8(text).ok()?;
        match self {
            Self::Unix => Some(Timestamp::from_seconds(canonical(text)?)),
            Self::UnixMilliseconds => Some(Timestamp::from_nanos(canonical(text)?.checked_mul(MILLION)?)),
            Self::Rfc3339 => instant(text).ok(),
            // Of the three forms only the one that is written today says its whole year.
            Self::HttpDate => {
                http_date(text, Timestamp::EPOCH).ok().filter(|at| spell_http_date(*at) == text)
            }
        }
    }

    /// Writes an instant.
    pub(crate) fn write(self, at: Timestamp) -> String {
        match self {
            Self::Unix => at.seconds().to_string(),
            Self::UnixMilliseconds => (at.nanos() / MILLION).to_string(),
            Self::Rfc3339 => spell_instant(at),
            Self::HttpDate => spell_http_date(at),
        }
    }
}

const MILLION: u64 = 1_000_000;

/// Reads digits without a zero in front; 17 of them are more than there will ever be.
fn canonical(text: &str) -> Option<u64> {
    let sound = (1..=17).contains(&text.len())
        && text.bytes().all(|byte| byte.is_ascii_digit())
        && (text == "0" || !text.starts_with('0'));
    if sound { text.parse().ok() } else { None }
}

/// Seconds of a day.
const DAY: u64 = 86_400;

/// How far from now the instant of a delivery may be.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Tolerance {
    pub(crate) past: Duration,
    pub(crate) future: Duration,
}

impl Tolerance {
    /// What providers recommend, and most libraries have.
    pub(crate) const DEFAULT: Self =
        Self { past: Duration::from_secs(300), future: Duration::from_secs(300) };

    /// Parses `5m`, or `{past: 5m, future: 1m}`.
    pub(crate) fn parse(node: &Node<'_>) -> Option<Self> {
        let most = Duration::from_secs(1)..=Duration::from_secs(7 * DAY);
        let Value::Object(_) = node.value() else {
            let both = node.duration(most)?;
            return Some(Self { past: both, future: both });
        };
        let mut object = node.object()?;
        let past = object.required("past").and_then(|past| past.duration(most.clone()));
        let future = object.required("future").and_then(|future| future.duration(most));
        object.finish();
        Some(Self { past: past?, future: future? })
    }

    /// Holds an instant against now.
    pub(crate) fn judge(self, at: Timestamp, now: Timestamp) -> Result<(), Reason> {
        if self.past < now.since(at) {
            Err(Reason::Late)
        } else if self.future < at.since(now) {
            Err(Reason::Early)
        } else {
            Ok(())
        }
    }

    /// Returns for how long after it first came a delivery may still come again, its last instant included.
    pub(crate) fn window(self) -> Duration {
        Duration::from_nanos(nanos(self.past).saturating_add(nanos(self.future)).saturating_add(1))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    #[cfg(target_arch = "wasm32")]
    use wasm_bindgen_test::wasm_bindgen_test as test;

    #[test]
    fn an_instant_has_one_spelling_in_each_format() {
        let at = Timestamp::from_seconds(1_772_323_200);
        for (format, text) in [
            (Format::Unix, "1772323200"),
            (Format::UnixMilliseconds, "1772323200000"),
            (Format::Rfc3339, "2026-03-01T00:00:00Z"),
            (Format::HttpDate, "Sun, 01 Mar 2026 00:00:00 GMT"),
        ] {
            assert_eq!(format.write(at), text);
            assert_eq!(format.read(text.as_bytes()), Some(at), "{text}");
        }
        // Which HTTP knows as well, for other places than a signature.
        for text in ["Sunday, 01-Mar-26 00:00:00 GMT", "Sun Mar  1 00:00:00 2026"] {
            assert_eq!(Format::HttpDate.read(text.as_bytes()), None, "{text}");
        }
    }
}
