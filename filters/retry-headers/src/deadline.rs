//! Deadlines that come with a request: how they are written, and what is left of them.

use std::time::Duration;

use kit::config::{Node, or};
use kit::header::{Found, Lookup, parse_name};
use kit::time::{Timestamp, nanos};
use kit::units::instant;

use crate::request::{CONTROLS, FRAMING};

/// A header in which clients say until when they wait.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Deadline {
    pub(crate) header: String,
    pub(crate) format: Format,
}

/// How a deadline is written.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Format {
    /// Milliseconds from when the request was sent.
    Milliseconds,
    /// An instant, in milliseconds since 1970.
    UnixMilliseconds,
    /// An instant: `2026-03-01T00:00:00Z` (RFC 3339).
    Rfc3339,
}

/// Until when a client waits.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Until {
    /// For so long from when the request came.
    After(Duration),
    /// Until this instant.
    At(Timestamp),
}

/// What a request says about a deadline.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Said {
    Nothing,
    /// Something that can't be read, or several things.
    Unreadable,
    Until(Until),
}

impl Deadline {
    /// Parses `{header: x-request-deadline-ms, format: ms}`.
    pub(crate) fn parse(node: &Node<'_>) -> Option<Self> {
        let mut object = node.object()?;
        let header = object.required("header").and_then(|node| {
            let name = parse_name(&node)?;
            if CONTROLS.contains(&name.as_str()) || name == GRPC_TIMEOUT {
                node.refuse(format!("{name:?} has a meaning of its own, and is read without this"));
                return None;
            }
            // It is rewritten to what is left.
            if FRAMING.contains(&name.as_str()) {
                node.refuse(format!("{name:?} has a meaning of its own; choose another header"));
                return None;
            }
            Some(name)
        });
        let format = or(object.optional("format"), Format::Milliseconds, |format| {
            format.choice(&[
                ("ms", Format::Milliseconds),
                ("unix-ms", Format::UnixMilliseconds),
                ("rfc3339", Format::Rfc3339),
            ])
        });
        object.finish();
        Some(Self { header: header?, format: format? })
    }

    /// Reads what a request says.
    pub(crate) fn read(&self, request: &dyn Lookup) -> Said {
        said(&request.find(&self.header), |value| {
            let text = std::str::from_utf8(value).ok()?.trim();
            Some(match self.format {
                Format::Milliseconds => Until::After(Duration::from_millis(digits(text, 17)?)),
                Format::UnixMilliseconds => {
                    Until::At(Timestamp::from_nanos(digits(text, 17)?.saturating_mul(1_000_000)))
                }
                Format::Rfc3339 => Until::At(instant(text).ok()?),
            })
        })
    }
}

/// The header in which gRPC says how long a call may take.
pub(crate) const GRPC_TIMEOUT: &str = "grpc-timeout";

/// The units of it, the finest first.
const UNITS: [(char, u64); 6] = [
    ('n', 1),
    ('u', 1_000),
    ('m', 1_000_000),
    ('S', 1_000_000_000),
    ('M', 60_000_000_000),
    ('H', 3_600_000_000_000),
];

/// Reads how long a call of gRPC may take: up to eight digits and a unit.
pub(crate) fn grpc_timeout(request: &dyn Lookup) -> Said {
    said(&request.find(GRPC_TIMEOUT), |value| {
        let text = std::str::from_utf8(value).ok()?;
        let (_, unit) = UNITS.iter().find(|(name, _)| text.ends_with(*name))?;
        let number = digits(text.get(..text.len().checked_sub(1)?)?, 8)?;
        // 99999999 hours are 11,415 years: longer than anybody waits, and than 64 bits of nanoseconds.
        Some(Until::After(Duration::from_nanos(number.saturating_mul(*unit))))
    })
}

/// Writes how long a call may take, in the finest unit that eight digits are enough for, and never longer.
pub(crate) fn spell_grpc_timeout(left: Duration) -> String {
    let left = nanos(left);
    for (name, unit) in UNITS {
        let number = left.checked_div(unit).unwrap_or(0);
        if number <= MOST {
            return format!("{number}{name}");
        }
    }
    format!("{MOST}H")
}

/// What eight digits are enough for.
const MOST: u64 = 99_999_999;

/// Returns what is left of a limit, for a request that came so long ago.
pub(crate) fn left(until: Until, passed: Duration, now: Timestamp) -> Duration {
    match until {
        Until::After(wait) => wait.saturating_sub(passed),
        Until::At(at) => at.since(now),
    }
}

fn said(found: &Found<'_>, read: impl FnOnce(&[u8]) -> Option<Until>) -> Said {
    match found {
        Found::Absent => Said::Nothing,
        Found::One(value) => read(value).map_or(Said::Unreadable, Said::Until),
        Found::Many => Said::Unreadable,
    }
}

/// Reads digits, and not too many of them.
fn digits(text: &str, most: usize) -> Option<u64> {
    let sound = (1..=most).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_digit());
    if sound { text.parse().ok() } else { None }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::arithmetic_side_effects, reason = "the numbers of tests are small")]

    use super::*;
    use kit::testing::World;
    use proptest::prelude::*;
    #[cfg(target_arch = "wasm32")]
    use wasm_bindgen_test::wasm_bindgen_test as test;

    /// A request with these headers.
    struct Headers(Vec<(&'static str, Vec<u8>)>);

    impl Lookup for Headers {
        fn header(&self, name: &str) -> kit::header::Field {
            self.0.iter().filter(|(key, _)| *key == name).map(|(_, value)| value.clone()).collect()
        }

        fn property(&self, _: &[&str]) -> Option<Vec<u8>> {
            None
        }
    }

    fn grpc(value: &str) -> Option<Duration> {
        match grpc_timeout(&Headers(vec![(GRPC_TIMEOUT, value.as_bytes().to_vec())])) {
            Said::Until(Until::After(wait)) => Some(wait),
            Said::Nothing | Said::Unreadable | Said::Until(Until::At(_)) => None,
        }
    }

    #[test]
    fn grpc_writes_durations_in_six_units() {
        for (value, nanos) in [
            ("1H", Some(3_600_000_000_000)),
            ("2M", Some(120_000_000_000)),
            ("3S", Some(3_000_000_000)),
            ("4m", Some(4_000_000)),
            ("5u", Some(5_000)),
            ("6n", Some(6)),
            ("0S", Some(0)),
            ("00000001S", Some(1_000_000_000)),
            ("99999999S", Some(99_999_999_000_000_000)),
            ("99999999H", Some(u64::MAX)),
            ("99999999M", Some(5_999_999_940_000_000_000)),
            ("", None),
            ("S", None),
            ("1", None),
            ("1s", None),
            ("1h", None),
            ("-1S", None),
            ("+1S", None),
            ("1.5S", None),
            ("1 S", None),
            (" 1S", None),
            ("123456789n", None),
            ("99999999999999999999H", None),
            ("1é", None),
        ] {
            assert_eq!(grpc(value), nanos.map(Duration::from_nanos), "{value}");
        }
        let twice = Headers(vec![(GRPC_TIMEOUT, b"1S".to_vec()), (GRPC_TIMEOUT, b"1S".to_vec())]);
        assert_eq!(grpc_timeout(&twice), Said::Unreadable);
        assert_eq!(grpc_timeout(&World::new()), Said::Nothing);
    }

    #[test]
    fn what_is_left_of_a_call_is_written_as_finely_as_it_fits() {
        for (nanos, text) in [
            (0, "0n"),
            (99_999_999, "99999999n"),
            (100_000_000, "100000u"),
            (1_999_999_999, "1999999u"),
            (100_000_000_000, "100000m"),
            (u64::MAX, "5124095H"),
        ] {
            let spelt = spell_grpc_timeout(Duration::from_nanos(nanos));
            assert!(spelt.len() <= 9, "{spelt}");
            if nanos != u64::MAX {
                assert_eq!(spelt, text);
            }
        }
    }

    #[test]
    fn deadlines_are_read_in_three_formats() {
        let read = |format, value: &[u8]| {
            let deadline = Deadline { header: "x-deadline".to_owned(), format };
            deadline.read(&Headers(vec![("x-deadline", value.to_vec())]))
        };
        let after = |millis| Said::Until(Until::After(Duration::from_millis(millis)));
        assert_eq!(read(Format::Milliseconds, b"250"), after(250));
        assert_eq!(read(Format::Milliseconds, b" 250 "), after(250));
        assert_eq!(read(Format::Milliseconds, b"0"), after(0));
        let at = |nanos| Said::Until(Until::At(Timestamp::from_nanos(nanos)));
        assert_eq!(read(Format::UnixMilliseconds, b"1772323200250"), at(1_772_323_200_250_000_000));
        assert_eq!(read(Format::UnixMilliseconds, b"99999999999999999"), at(u64::MAX));
        assert_eq!(read(Format::Rfc3339, b"2026-03-01T00:00:00.25Z"), at(1_772_323_200_250_000_000));
        for bad in
            [&b""[..], b"-1", b"1e3", b"250ms", b"0x10", b"999999999999999999", b"\xff", b"1,2", b"soon"]
        {
            for format in [Format::Milliseconds, Format::UnixMilliseconds, Format::Rfc3339] {
                assert_eq!(read(format, bad), Said::Unreadable, "{format:?} {}", bad.escape_ascii());
            }
        }
    }

    #[test]
    fn what_has_passed_is_subtracted_and_never_more_than_there_is() {
        let now = Timestamp::from_seconds(100);
        let second = Duration::from_secs(1);
        assert_eq!(left(Until::After(3 * second), second, now), 2 * second);
        assert_eq!(left(Until::After(second), 3 * second, now), Duration::ZERO);
        assert_eq!(left(Until::At(Timestamp::from_seconds(102)), 50 * second, now), 2 * second);
        assert_eq!(left(Until::At(Timestamp::from_seconds(99)), Duration::ZERO, now), Duration::ZERO);
    }

    proptest! {
        #[test]
        fn what_is_left_is_read_back_as_no_longer(nanos: u64) {
            let spelt = spell_grpc_timeout(Duration::from_nanos(nanos));
            let read = grpc(&spelt).unwrap();
            let read = u64::try_from(read.as_nanos()).unwrap();
            prop_assert!(read <= nanos);
            // Eight digits lose less than one in a hundred thousand, where the unit isn't an hour.
            prop_assert!(nanos - read <= nanos / 10_000 + 1, "{spelt} {nanos}");
        }

        #[test]
        fn no_bytes_panic(value: Vec<u8>) {
            let headers = Headers(vec![(GRPC_TIMEOUT, value.clone()), ("x", value)]);
            grpc_timeout(&headers);
            for format in [Format::Milliseconds, Format::UnixMilliseconds, Format::Rfc3339] {
                Deadline { header: "x".to_owned(), format }.read(&headers);
            }
        }
    }
}
