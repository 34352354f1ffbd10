//! Instants, as RFC 3339 writes them.

use crate::time::Timestamp;

use super::{BILLION, InvalidNotation};

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
    let days = days_before(year, month).checked_add(day).and_then(|days| days.checked_sub(DAYS_TO_1970));
    let seconds = days.ok_or(EARLY)?.saturating_mul(86_400).saturating_add(time_of_day(hour, minute, second));
    let seconds =
        seconds.saturating_add(west).checked_sub(east).and_then(|seconds| seconds.checked_sub(86_400));
    let total = seconds.ok_or(EARLY)?.checked_mul(BILLION).and_then(|total| total.checked_add(nanos));
    total.map(Timestamp::from_nanos).ok_or(InvalidNotation("is too far in the future"))
}

/// What `days_before(..) + day` is on the last day of 1969.
const DAYS_TO_1970: u64 = 719_162;

#[expect(clippy::arithmetic_side_effects, reason = "the grammar gives a year four digits")]
fn days_before(year: u64, month: u64) -> u64 {
    let leap_days = |year: u64| year / 4 - year / 100 + year / 400;
    let previous = year.saturating_sub(1);
    previous * 365 + leap_days(previous) + (1..month).map(|month| days_in(year, month)).sum::<u64>()
}

pub(super) fn days_in(year: u64, month: u64) -> u64 {
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
    BILLION.checked_div(10_u64.checked_pow(places)?)?.checked_mul(number)
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
