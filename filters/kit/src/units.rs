//! How durations, sizes, shares and instants are written, and the values they stand for, exactly.

use std::fmt;
use std::time::Duration;

use crate::time::{Timestamp, nanos};

/// What is wrong with a notation, as the rest of a sentence that begins with it: `is not a duration (...)`.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct InvalidNotation(&'static str);

impl fmt::Display for InvalidNotation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0)
    }
}

impl std::error::Error for InvalidNotation {}

/// Units of time in nanoseconds, the largest first.
const TIMES: [(&str, u64); 7] = [
    ("d", 86_400_000_000_000),
    ("h", 3_600_000_000_000),
    ("m", 60_000_000_000),
    ("s", 1_000_000_000),
    ("ms", 1_000_000),
    ("us", 1_000),
    ("ns", 1),
];

/// Parses a duration: `250ms`, `1.5s`, or several with the largest unit first, `1m30s`.
///
/// # Errors
///
/// The text is anything else, longer than 584 years, or finer than a nanosecond.
pub fn duration(text: &str) -> Result<Duration, InvalidNotation> {
    const SHAPE: InvalidNotation = InvalidNotation("is not a duration (examples: 250ms, 10s, 5m)");
    const LONG: InvalidNotation = InvalidNotation("is too long: no duration exceeds 584 years");
    let (mut rest, mut largest, mut sum) = (text, u64::MAX, 0_u64);
    while !rest.is_empty() {
        let (number, after) = split_number(rest);
        let end = after
            .find(|character: char| !character.is_ascii_alphabetic())
            .unwrap_or(after.len());
        let (name, after) = after.split_at_checked(end).ok_or(SHAPE)?;
        if name.is_empty() && after.is_empty() {
            return Err(InvalidNotation("has no unit (examples: 250ms, 10s, 5m)"));
        }
        let unit = unit(&TIMES, name).filter(|unit| *unit < largest).ok_or(SHAPE)?;
        let part = scale(number, unit).map_err(|misfit| match misfit {
            Misfit::Shape => SHAPE,
            Misfit::Large => LONG,
            Misfit::Fine => InvalidNotation("is finer than a nanosecond"),
        })?;
        sum = sum.checked_add(part).ok_or(LONG)?;
        (rest, largest) = (after, unit);
    }
    if text.is_empty() {
        Err(SHAPE)
    } else {
        Ok(Duration::from_nanos(sum))
    }
}

/// Writes a duration in the way that [`duration`] reads: `1m30s`.
pub fn spell_duration(duration: Duration) -> String {
    let mut text = String::new();
    let mut rest = nanos(duration);
    for (name, unit) in TIMES {
        if let (Some(count @ 1..), Some(after)) = (rest.checked_div(unit), rest.checked_rem(unit)) {
            text.push_str(&count.to_string());
            text.push_str(name);
            rest = after;
        }
    }
    if text.is_empty() { "0s".to_owned() } else { text }
}

/// Units of size in bytes; those that [`spell_size`] writes come first, the largest of them first.
const SIZES: [(&str, u64); 8] = [
    ("GiB", 1 << 30),
    ("MiB", 1 << 20),
    ("KiB", 1 << 10),
    ("", 1),
    ("B", 1),
    ("GB", 1_000_000_000),
    ("MB", 1_000_000),
    ("KB", 1_000),
];

/// Parses a size in bytes: `512`, `64KiB`, `1.5MiB`; `KB`, `MB` and `GB` are powers of a thousand.
///
/// # Errors
///
/// The text is anything else, more than 64 bits can count, or not a whole number of bytes.
pub fn size(text: &str) -> Result<u64, InvalidNotation> {
    const SHAPE: InvalidNotation = InvalidNotation("is not a size (examples: 512, 64KiB, 10MiB)");
    let (number, name) = split_number(text);
    scale(number, unit(&SIZES, name).ok_or(SHAPE)?).map_err(|misfit| match misfit {
        Misfit::Shape => SHAPE,
        Misfit::Large => InvalidNotation("is too large"),
        Misfit::Fine => InvalidNotation("is not a whole number of bytes"),
    })
}

/// Writes a size in the way that [`size`] reads, in the largest unit that divides it: `64KiB`.
pub fn spell_size(bytes: u64) -> String {
    let unit = SIZES
        .iter()
        .find(|(_, unit)| bytes != 0 && bytes.is_multiple_of(*unit));
    let (name, unit) = unit.copied().unwrap_or(("", 1));
    format!("{}{name}", bytes.checked_div(unit).unwrap_or(bytes))
}

/// A share of traffic, from none to all, kept exactly as parts of a billion.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub struct Fraction(u64);

impl Fraction {
    /// Nothing.
    pub const NONE: Self = Self(0);
    /// Everything.
    pub const ALL: Self = Self(BILLION);

    /// Makes a share of whole percents; more than a hundred are a hundred.
    pub const fn percent(percent: u64) -> Self {
        let parts = percent.saturating_mul(BILLION / 100);
        if parts < BILLION { Self(parts) } else { Self::ALL }
    }

    /// Parses a percentage from `0%` to `100%` with up to seven decimals: `5%`, `0.05%`.
    ///
    /// # Errors
    ///
    /// The text is anything else.
    pub fn parse(text: &str) -> Result<Self, InvalidNotation> {
        const SHAPE: InvalidNotation = InvalidNotation("is not a percentage (examples: 5%, 0.05%, 100%)");
        const LARGE: InvalidNotation = InvalidNotation("is more than 100%");
        let number = match split_number(text) {
            (number, "%") => number,
            (_, "") if !text.is_empty() => {
                return Err(InvalidNotation("has no percent sign (examples: 5%, 0.05%, 100%)"));
            }
            _ => return Err(SHAPE),
        };
        let parts = scale(number, BILLION / 100).map_err(|misfit| match misfit {
            Misfit::Shape => SHAPE,
            Misfit::Large => LARGE,
            Misfit::Fine => InvalidNotation("has more than seven decimals"),
        })?;
        if parts <= BILLION {
            Ok(Self(parts))
        } else {
            Err(LARGE)
        }
    }

    /// Decides whether a draw falls into this share, if all draws are equally likely.
    ///
    /// None never admits and all always does; what a share admits, a larger one admits as well.
    pub fn admits(self, draw: u64) -> bool {
        // draw / 2^64 < parts / billion, without rounding.
        u128::from(draw).saturating_mul(BILLION.into()) < u128::from(self.0).saturating_mul(1 << 64)
    }

    /// Returns the share in parts of a billion.
    pub const fn parts_per_billion(self) -> u64 {
        self.0
    }
}

impl fmt::Display for Fraction {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let decimals = format!("{:07}", self.0 % (BILLION / 100));
        let decimals = decimals.trim_end_matches('0');
        let point = if decimals.is_empty() { "" } else { "." };
        write!(f, "{}{point}{decimals}%", self.0 / (BILLION / 100))
    }
}

const BILLION: u64 = 1_000_000_000;

/// Parses an instant as RFC 3339 writes it: `2026-03-01T00:00:00Z`, `2026-03-01T01:00:00.25+01:00`.
///
/// Leap seconds are refused: the clock of the host has none.
///
/// # Errors
///
/// The text is anything else, no day of the calendar, before 1970, or too late for a [`Timestamp`] (2554).
pub fn instant(text: &str) -> Result<Timestamp, InvalidNotation> {
    const SHAPE: InvalidNotation = InvalidNotation("is not an instant (example: 2026-03-01T00:00:00Z)");
    const EARLY: InvalidNotation = InvalidNotation("is before 1970");
    let mut rest = text.as_bytes();
    let year = digits(&mut rest, 4).ok_or(SHAPE)?;
    let month = after(&mut rest, b"-", 2).ok_or(SHAPE)?;
    let day = after(&mut rest, b"-", 2).ok_or(SHAPE)?;
    let hour = after(&mut rest, b"Tt", 2).ok_or(SHAPE)?;
    let minute = after(&mut rest, b":", 2).ok_or(SHAPE)?;
    let second = after(&mut rest, b":", 2).ok_or(SHAPE)?;
    let nanos = decimals(&mut rest).ok_or(SHAPE)?;
    let (zone, mut rest) = rest.split_first().ok_or(SHAPE)?;
    let (east, west) = match zone {
        b'Z' | b'z' => (0, 0),
        b'+' => (offset(&mut rest).ok_or(SHAPE)?, 0),
        b'-' => (0, offset(&mut rest).ok_or(SHAPE)?),
        _ => return Err(SHAPE),
    };
    if !rest.is_empty() {
        return Err(SHAPE);
    }
    let within = (1..=days_in(year, month)).contains(&day) && hour < 24 && minute < 60 && second < 60;
    if !within {
        return Err(InvalidNotation("is no time of any day"));
    }
    // Counted from a day earlier, because west of Greenwich 1970 begins on the last evening of 1969.
    let days = days_before(year, month)
        .checked_add(day)
        .and_then(|days| days.checked_sub(DAYS_TO_1970));
    let seconds = days
        .ok_or(EARLY)?
        .saturating_mul(86_400)
        .saturating_add(time_of_day(hour, minute, second));
    let seconds = seconds
        .saturating_add(west)
        .checked_sub(east)
        .and_then(|seconds| seconds.checked_sub(86_400));
    let total = seconds
        .ok_or(EARLY)?
        .checked_mul(BILLION)
        .and_then(|total| total.checked_add(nanos));
    total
        .map(Timestamp::from_nanos)
        .ok_or(InvalidNotation("is too far in the future"))
}

/// What `days_before(..) + day` is on the last day of 1969.
const DAYS_TO_1970: u64 = 719_162;

#[expect(
    clippy::arithmetic_side_effects,
    reason = "the grammar gives a year four digits"
)]
fn days_before(year: u64, month: u64) -> u64 {
    let leap_days = |year: u64| year / 4 - year / 100 + year / 400;
    let previous = year.saturating_sub(1);
    previous * 365 + leap_days(previous) + (1..month).map(|month| days_in(year, month)).sum::<u64>()
}

fn days_in(year: u64, month: u64) -> u64 {
    match month {
        2 if year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400)) => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        1..=12 => 31,
        _ => 0,
    }
}

#[expect(clippy::arithmetic_side_effects, reason = "the grammar gives each two digits")]
fn time_of_day(hour: u64, minute: u64, second: u64) -> u64 {
    hour * 3_600 + minute * 60 + second
}

/// Takes `hh:mm` off the front and returns it in seconds.
fn offset(rest: &mut &[u8]) -> Option<u64> {
    let hour = digits(rest, 2).filter(|hour| *hour < 24)?;
    let minute = after(rest, b":", 2).filter(|minute| *minute < 60)?;
    Some(time_of_day(hour, minute, 0))
}

/// Takes a point and up to nine decimals off the front, if there is a point, and returns them in billionths.
fn decimals(rest: &mut &[u8]) -> Option<u64> {
    let Some(decimals) = rest.strip_prefix(b".") else {
        return Some(0);
    };
    let length = decimals.iter().take_while(|byte| byte.is_ascii_digit()).count();
    *rest = decimals;
    let number = digits(rest, length).filter(|_| (1..=9).contains(&length))?;
    let places = u32::try_from(length).ok()?;
    BILLION
        .checked_div(10_u64.checked_pow(places)?)?
        .checked_mul(number)
}

/// Takes one of these marks and then this many digits off the front.
fn after(rest: &mut &[u8], marks: &[u8], length: usize) -> Option<u64> {
    let (_, behind) = rest.split_first().filter(|(mark, _)| marks.contains(mark))?;
    *rest = behind;
    digits(rest, length)
}

fn digits(rest: &mut &[u8], length: usize) -> Option<u64> {
    let (digits, behind) = rest.split_at_checked(length)?;
    *rest = behind;
    digits.iter().try_fold(0_u64, |number, byte| {
        let digit = byte.checked_sub(b'0').filter(|digit| *digit < 10)?;
        number.checked_mul(10)?.checked_add(digit.into())
    })
}

/// Splits a text behind the digits and points that it begins with.
fn split_number(text: &str) -> (&str, &str) {
    let end = text.find(|character: char| !character.is_ascii_digit() && character != '.');
    text.split_at_checked(end.unwrap_or(text.len()))
        .unwrap_or((text, ""))
}

fn unit(units: &[(&str, u64)], name: &str) -> Option<u64> {
    units
        .iter()
        .find(|(known, _)| *known == name)
        .map(|(_, unit)| *unit)
}

/// Why a number of units is not a number of the smallest ones.
enum Misfit {
    /// It is not written as a number.
    Shape,
    /// It is more than 64 bits can count.
    Large,
    /// It is not whole.
    Fine,
}

/// Multiplies a decimal number, `1.5`, with a unit; the product must be whole.
fn scale(number: &str, unit: u64) -> Result<u64, Misfit> {
    let (whole, decimals) = match number.split_once('.') {
        Some((_, "")) => return Err(Misfit::Shape),
        Some((whole, decimals)) => (whole, decimals.trim_end_matches('0')),
        None => (number, ""),
    };
    // The parser of the standard library would take a sign.
    if whole.is_empty()
        || !number.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.')
        || decimals.contains('.')
    {
        return Err(Misfit::Shape);
    }
    // The last of the digits left is not zero, and nobody means twenty decimals.
    let places = u32::try_from(decimals.len())
        .ok()
        .and_then(|places| 10_u128.checked_pow(places));
    let places = places.filter(|_| decimals.len() < 20).ok_or(Misfit::Fine)?;
    let digits = if decimals.is_empty() {
        Ok(0)
    } else {
        decimals.parse::<u128>()
    };
    let parts = digits.or(Err(Misfit::Shape))?.saturating_mul(unit.into());
    if parts.checked_rem(places) != Some(0) {
        return Err(Misfit::Fine);
    }
    let whole = whole
        .parse::<u64>()
        .or(Err(Misfit::Large))?
        .checked_mul(unit)
        .ok_or(Misfit::Large)?;
    let parts = parts
        .checked_div(places)
        .and_then(|parts| u64::try_from(parts).ok())
        .ok_or(Misfit::Large)?;
    whole.checked_add(parts).ok_or(Misfit::Large)
}

#[cfg(test)]
mod tests;
