//! How durations, sizes, shares and instants are written, and the values they stand for, exactly.

use std::fmt;
use std::time::Duration;

pub use self::date::{http_date, spell_http_date, spell_instant};
pub use self::instant::instant;
use crate::time::nanos;

mod date;
mod instant;

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
    const SHAPE: InvalidNotation =
        InvalidNotation("is not a duration (examples: 250ms, 10s, 5m; units: ns, us, ms, s, m, h, d)");
    const LONG: InvalidNotation = InvalidNotation("is too long: no duration exceeds 584 years");
    let (mut rest, mut largest, mut sum) = (text, u64::MAX, 0_u64);
    while !rest.is_empty() {
        let (number, after) = split_number(rest);
        let end = after.find(|character: char| !character.is_ascii_alphabetic()).unwrap_or(after.len());
        let (name, after) = after.split_at_checked(end).ok_or(SHAPE)?;
        if name.is_empty() && after.is_empty() {
            return Err(InvalidNotation("has no unit (examples: 250ms, 10s, 5m)"));
        }
        let unit = unit(&TIMES, name).ok_or(SHAPE)?;
        if largest <= unit {
            return Err(InvalidNotation(
                "is out of order: the largest unit comes first, each once (example: 1m30s)",
            ));
        }
        let part = scale(number, unit).map_err(|misfit| match misfit {
            Misfit::Shape => SHAPE,
            Misfit::Large => LONG,
            Misfit::Fine => InvalidNotation("is finer than a nanosecond"),
        })?;
        sum = sum.checked_add(part).ok_or(LONG)?;
        (rest, largest) = (after, unit);
    }
    if text.is_empty() { Err(SHAPE) } else { Ok(Duration::from_nanos(sum)) }
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
    let unit = SIZES.iter().find(|(_, unit)| bytes != 0 && bytes.is_multiple_of(*unit));
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
        if parts <= BILLION { Ok(Self(parts)) } else { Err(LARGE) }
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

/// Splits a text behind the digits and points that it begins with.
fn split_number(text: &str) -> (&str, &str) {
    let end = text.find(|character: char| !character.is_ascii_digit() && character != '.');
    text.split_at_checked(end.unwrap_or(text.len())).unwrap_or((text, ""))
}

fn unit(units: &[(&str, u64)], name: &str) -> Option<u64> {
    units.iter().find(|(known, _)| *known == name).map(|(_, unit)| *unit)
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
    let places = u32::try_from(decimals.len()).ok().and_then(|places| 10_u128.checked_pow(places));
    let places = places.filter(|_| decimals.len() < 20).ok_or(Misfit::Fine)?;
    let digits = if decimals.is_empty() { Ok(0) } else { decimals.parse::<u128>() };
    let parts = digits.or(Err(Misfit::Shape))?.saturating_mul(unit.into());
    if parts.checked_rem(places) != Some(0) {
        return Err(Misfit::Fine);
    }
    let whole = whole.parse::<u64>().or(Err(Misfit::Large))?.checked_mul(unit).ok_or(Misfit::Large)?;
    let parts = parts.checked_div(places).and_then(|parts| u64::try_from(parts).ok()).ok_or(Misfit::Large)?;
    whole.checked_add(parts).ok_or(Misfit::Large)
}

#[cfg(test)]
mod tests;
