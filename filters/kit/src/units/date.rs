//! Days of the calendar: instants written as RFC 3339 writes them, and those of HTTP in all their forms.

use crate::time::Timestamp;

use super::InvalidNotation;
use super::instant::instant;

/// Seconds of a day.
const DAY: u64 = 86_400;

/// The days of the week, from that of 1970-01-01 on.
const WEEKDAYS: [&str; 7] = ["Thursday", "Friday", "Saturday", "Sunday", "Monday", "Tuesday", "Wednesday"];

/// The last year that a [`Timestamp`] has whole.
const LAST_YEAR: u64 = 2_553;

const MONTHS: [&str; 12] =
    ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];

/// Parses a date of HTTP in any of its three forms (RFC 9110, section 5.6.7).
///
/// They are `Sun, 06 Nov 1994 08:49:37 GMT`, which is the one to write, `Sunday, 06-Nov-94 08:49:37 GMT`, and
/// `Sun Nov  6 08:49:37 1994`.
///
/// A date that is too late for a [`Timestamp`] (2554) is the last instant there is: `Fri, 31 Dec 9999 23:59:59 GMT` is how
/// some say never.
///
/// A year of two digits is the one of this century, unless that is more than 50 years after `now`; then it is past.
///
/// # Errors
///
/// The text is anything else, its weekday is not that of its date, or it is before 1970 or no day of the calendar. Leap
/// seconds are refused: the clock of the host has none.
pub fn http_date(text: &str, now: Timestamp) -> Result<Timestamp, InvalidNotation> {
    const SHAPE: InvalidNotation =
        InvalidNotation("is not a date of HTTP (example: Sun, 06 Nov 1994 08:49:37 GMT)");
    let parts = Parts::imf(text).or_else(|| Parts::rfc850(text, now)).or_else(|| Parts::asctime(text));
    let parts = parts.filter(|parts| parts.time.len() == 8).ok_or(SHAPE)?;
    let month = MONTHS.iter().position(|name| *name == parts.month).ok_or(SHAPE)?.saturating_add(1);
    let (year, day, time) = (parts.year, parts.day, parts.time);
    let read = |year: u64| instant(&format!("{year:04}-{month:02}-{day}T{time}Z"));
    // The calendar and its weekdays repeat every 400 years.
    let again = if LAST_YEAR < year { (year % 400).saturating_add(2_000) } else { year };
    let (at, weekday) = match (read(year), read(again)?) {
        (Ok(at), _) => (at, weekday(at)),
        (Err(_), again) => (Timestamp::from_nanos(u64::MAX), weekday(again)),
    };
    let named = if parts.whole_name { weekday } else { weekday.get(..3).unwrap_or(weekday) };
    if parts.weekday == named { Ok(at) } else { Err(InvalidNotation("is on another day of the week")) }
}

/// Writes an instant as a date of HTTP, whose parts of a second are lost: `Sun, 06 Nov 1994 08:49:37 GMT`.
pub fn spell_http_date(at: Timestamp) -> String {
    let (date, time) = Date::of(at);
    let weekday = weekday(at);
    let month = usize::try_from(date.month.saturating_sub(1)).ok().and_then(|index| MONTHS.get(index));
    format!(
        "{}, {:02} {} {:04} {time} GMT",
        weekday.get(..3).unwrap_or(weekday),
        date.day,
        month.copied().unwrap_or_default(),
        date.year
    )
}

/// Writes an instant in the way that [`instant`] reads, without its parts of a second: `2026-03-01T00:00:00Z`.
pub fn spell_instant(at: Timestamp) -> String {
    let (date, time) = Date::of(at);
    format!("{:04}-{:02}-{:02}T{time}Z", date.year, date.month, date.day)
}

/// The parts of a date of HTTP.
struct Parts<'a> {
    weekday: &'a str,
    /// Whether the name of the weekday is written out.
    whole_name: bool,
    year: u64,
    month: &'a str,
    /// Two digits.
    day: String,
    time: &'a str,
}

impl<'a> Parts<'a> {
    /// Takes `Sun, 06 Nov 1994 08:49:37 GMT` apart.
    fn imf(text: &'a str) -> Option<Self> {
        let (weekday, rest) = text.strip_suffix(" GMT")?.split_once(", ")?;
        let [day, month, year, time] = pieces(rest, ' ')?;
        let year = number(year, 4)?;
        number(day, 2)?;
        Some(Self { weekday, whole_name: false, year, month, day: day.to_owned(), time })
    }

    /// Takes `Sunday, 06-Nov-94 08:49:37 GMT` apart.
    fn rfc850(text: &'a str, now: Timestamp) -> Option<Self> {
        let (weekday, rest) = text.strip_suffix(" GMT")?.split_once(", ")?;
        let [date, time] = pieces(rest, ' ')?;
        let [day, month, year] = pieces(date, '-')?;
        let (short, this_year) = (number(year, 2)?, Date::of(now).0.year);
        number(day, 2)?;
        let year = (this_year / 100).saturating_mul(100).saturating_add(short);
        let year = if this_year.saturating_add(50) < year { year.saturating_sub(100) } else { year };
        Some(Self { weekday, whole_name: true, year, month, day: day.to_owned(), time })
    }

    /// Takes `Sun Nov  6 08:49:37 1994` apart.
    fn asctime(text: &'a str) -> Option<Self> {
        let (weekday, rest) = text.split_once(' ')?;
        let (month, rest) = rest.split_once(' ')?;
        let (day, rest) = rest.split_at_checked(2)?;
        let [time, year] = pieces(rest.strip_prefix(' ')?, ' ')?;
        let day = day.replacen(' ', "0", 1);
        number(&day, 2)?;
        Some(Self { weekday, whole_name: false, year: number(year, 4)?, month, day, time })
    }
}

/// Splits a text into just so many pieces.
fn pieces<const N: usize>(text: &str, mark: char) -> Option<[&str; N]> {
    let mut pieces = text.split(mark);
    let mut found = [""; N];
    for place in &mut found {
        *place = pieces.next()?;
    }
    pieces.next().is_none().then_some(found)
}

/// Reads just so many digits.
fn number(text: &str, digits: usize) -> Option<u64> {
    let sound = text.len() == digits && text.bytes().all(|byte| byte.is_ascii_digit());
    if sound { text.parse().ok() } else { None }
}

fn weekday(at: Timestamp) -> &'static str {
    let index = usize::try_from((at.seconds() / DAY) % 7).unwrap_or(0);
    WEEKDAYS.get(index).copied().unwrap_or_default()
}

/// A day of the calendar.
struct Date {
    year: u64,
    month: u64,
    day: u64,
}

impl Date {
    /// Returns the day of an instant, and the time on that day.
    #[expect(clippy::arithmetic_side_effects, reason = "the days in 2^64 nanoseconds are far from 2^64")]
    fn of(at: Timestamp) -> (Self, String) {
        // Counted in eras of 400 years from the first of March of the year 0, so that leap days come last.
        let days = at.seconds() / DAY + 719_468;
        let (era, of_era) = (days / 146_097, days % 146_097);
        let year = (of_era - of_era / 1_460 + of_era / 36_524 - of_era / 146_096) / 365;
        let of_year = of_era - (365 * year + year / 4 - year / 100);
        let month = (5 * of_year + 2) / 153;
        let day = of_year - (153 * month + 2) / 5 + 1;
        let month = if month < 10 { month + 3 } else { month - 9 };
        let year = year + era * 400 + u64::from(month <= 2);
        let of_day = at.seconds() % DAY;
        let time = format!("{:02}:{:02}:{:02}", of_day / 3_600, of_day / 60 % 60, of_day % 60);
        (Self { year, month, day }, time)
    }
}
