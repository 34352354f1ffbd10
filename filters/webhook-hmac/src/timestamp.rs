//! When a delivery was sent: how providers write it, and how far from now it may be.

use std::time::Duration;

use kit::config::Node;
use kit::time::{Timestamp, nanos};
use kit::units::instant;
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
            Self::HttpDate => http_date(text),
        }
    }

    /// Writes an instant.
    pub(crate) fn write(self, at: Timestamp) -> String {
        match self {
            Self::Unix => at.seconds().to_string(),
            Self::UnixMilliseconds => (at.nanos() / MILLION).to_string(),
            Self::Rfc3339 => {
                let (date, time) = Date::of(at.seconds());
                format!("{:04}-{:02}-{:02}T{time}Z", date.year, date.month, date.day)
            }
            Self::HttpDate => write_http_date(at.seconds()),
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

const WEEKDAYS: [&str; 7] = ["Thu", "Fri", "Sat", "Sun", "Mon", "Tue", "Wed"];

const MONTHS: [&str; 12] =
    ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];

/// Reads an IMF-fixdate: whatever is read must be written in just this way.
fn http_date(text: &str) -> Option<Timestamp> {
    let (_, rest) = text.split_once(", ")?;
    let mut parts = rest.split(' ');
    let (day, month, year) = (parts.next()?, parts.next()?, parts.next()?);
    let month = MONTHS.iter().position(|name| *name == month)?.saturating_add(1);
    let time = parts.next()?;
    let at = instant(&format!("{year}-{month:02}-{day}T{time}Z")).ok()?;
    (write_http_date(at.seconds()) == text).then_some(at)
}

fn write_http_date(seconds: u64) -> String {
    let (date, time) = Date::of(seconds);
    let name = |names: &[&'static str], index: u64| {
        usize::try_from(index).ok().and_then(|index| names.get(index).copied()).unwrap_or_default()
    };
    let weekday = name(&WEEKDAYS, (seconds / DAY) % 7);
    let month = name(&MONTHS, date.month.saturating_sub(1));
    format!("{weekday}, {:02} {month} {:04} {time} GMT", date.day, date.year)
}

/// A day of the calendar.
struct Date {
    year: u64,
    month: u64,
    day: u64,
}

const DAY: u64 = 86_400;

impl Date {
    /// Returns the day of an instant in seconds since 1970, and the time on that day.
    #[expect(clippy::arithmetic_side_effects, reason = "the days in 2^64 seconds are far from 2^64")]
    fn of(seconds: u64) -> (Self, String) {
        // Counted in eras of 400 years from the first of March of the year 0, so that leap days come last.
        let days = seconds / DAY + 719_468;
        let (era, of_era) = (days / 146_097, days % 146_097);
        let year = (of_era - of_era / 1_460 + of_era / 36_524 - of_era / 146_096) / 365;
        let of_year = of_era - (365 * year + year / 4 - year / 100);
        let month = (5 * of_year + 2) / 153;
        let day = of_year - (153 * month + 2) / 5 + 1;
        let month = if month < 10 { month + 3 } else { month - 9 };
        let year = year + era * 400 + u64::from(month <= 2);
        let of_day = seconds % DAY;
        let time = format!("{:02}:{:02}:{:02}", of_day / 3_600, of_day / 60 % 60, of_day % 60);
        (Self { year, month, day }, time)
    }
}

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
