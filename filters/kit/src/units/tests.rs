//! Each notation: what is read, what is refused, and that what is written is read back.

use proptest::prelude::*;
#[cfg(target_arch = "wasm32")]
use wasm_bindgen_test::wasm_bindgen_test as test;

use crate::time::Timestamp;

use super::instant::days_in;
use super::*;

#[test]
fn reads_durations_exactly() {
    let table = [
        ("250ms", 250_000_000),
        ("10s", 10_000_000_000),
        ("5m", 300_000_000_000),
        ("24h", 86_400_000_000_000),
        ("7d", 604_800_000_000_000),
        ("15us", 15_000),
        ("1ns", 1),
        ("0s", 0),
        ("1m30s", 90_000_000_000),
        ("1h0.5m", 3_630_000_000_000),
        ("1.5s", 1_500_000_000),
        ("0.1s", 100_000_000),
        ("1.000000001s", 1_000_000_001),
        ("1.50000000000000000000000000000000000s", 1_500_000_000),
        ("18446744073.709551615s", u64::MAX),
    ];
    for (text, nanos) in table {
        assert_eq!(duration(text), Ok(Duration::from_nanos(nanos)), "{text}");
    }
}

#[test]
fn refuses_other_durations() {
    let shape = "is not a duration (examples: 250ms, 10s, 5m; units: ns, us, ms, s, m, h, d)";
    let order = "is out of order: the largest unit comes first, each once (example: 1m30s)";
    let unit = "has no unit (examples: 250ms, 10s, 5m)";
    let long = "is too long: no duration exceeds 584 years";
    let fine = "is finer than a nanosecond";
    let table = [
        ("", shape),
        ("5", unit),
        ("0", unit),
        ("1.5", unit),
        ("1m30", unit),
        ("1 minute", shape),
        ("1w", shape),
        ("10 s", shape),
        ("10s ", shape),
        ("-1s", shape),
        ("+1s", shape),
        ("s", shape),
        (".5s", shape),
        ("1.s", shape),
        ("1.2.3s", shape),
        ("1e3s", shape),
        ("5M", shape),
        ("30s1m", order),
        ("1s1s", order),
        ("1é", shape),
        ("١s", shape),
        ("18446744073.709551616s", long),
        ("99999999999999999999d", long),
        ("213503d24h", long),
        ("0.5ns", fine),
        ("0.0000000001s", fine),
        ("0.00000000000000000000000000000000000000000000001s", fine),
    ];
    for (text, reason) in table {
        assert_eq!(duration(text).unwrap_err().to_string(), reason, "{text}");
    }
}

#[test]
fn writes_durations() {
    let table = [(0, "0s"), (250, "250ms"), (1_500, "1s500ms"), (90_000, "1m30s"), (129_600_000, "1d12h")];
    for (millis, text) in table {
        assert_eq!(spell_duration(Duration::from_millis(millis)), text);
    }
}

#[test]
fn reads_sizes() {
    let table = [
        ("512", Ok(512)),
        ("0", Ok(0)),
        ("1B", Ok(1)),
        ("64KiB", Ok(65_536)),
        ("10MiB", Ok(10_485_760)),
        ("1GiB", Ok(1_073_741_824)),
        ("1.5KiB", Ok(1_536)),
        ("3KB", Ok(3_000)),
        ("3MB", Ok(3_000_000)),
        ("3GB", Ok(3_000_000_000)),
        ("18446744073709551615", Ok(u64::MAX)),
        ("18446744073709551616", Err("is too large")),
        ("18446744073709551615KiB", Err("is too large")),
        ("0.5", Err("is not a whole number of bytes")),
        ("0.0001KiB", Err("is not a whole number of bytes")),
        ("", Err("is not a size (examples: 512, 64KiB, 10MiB)")),
        ("KiB", Err("is not a size (examples: 512, 64KiB, 10MiB)")),
        ("64kib", Err("is not a size (examples: 512, 64KiB, 10MiB)")),
        ("64 KiB", Err("is not a size (examples: 512, 64KiB, 10MiB)")),
        ("-1", Err("is not a size (examples: 512, 64KiB, 10MiB)")),
    ];
    for (text, expected) in table {
        assert_eq!(size(text).map_err(|invalid| invalid.0), expected, "{text}");
    }
}

#[test]
fn writes_sizes() {
    let table =
        [(0, "0"), (1, "1"), (1_000, "1000"), (1_024, "1KiB"), (10_485_760, "10MiB"), (1_536, "1536")];
    for (bytes, text) in table {
        assert_eq!(spell_size(bytes), text);
    }
}

#[test]
fn reads_and_writes_percentages() {
    let table = [
        ("0%", Ok((0, "0%"))),
        ("5%", Ok((50_000_000, "5%"))),
        ("0.05%", Ok((500_000, "0.05%"))),
        ("0.0000001%", Ok((1, "0.0000001%"))),
        ("33.30%", Ok((333_000_000, "33.3%"))),
        ("100%", Ok((1_000_000_000, "100%"))),
        ("100.0%", Ok((1_000_000_000, "100%"))),
        ("100.0000001%", Err("is more than 100%")),
        ("101%", Err("is more than 100%")),
        ("99999999999999999999%", Err("is more than 100%")),
        ("0.00000001%", Err("has more than seven decimals")),
        ("5", Err("has no percent sign (examples: 5%, 0.05%, 100%)")),
        ("0.5", Err("has no percent sign (examples: 5%, 0.05%, 100%)")),
        ("", Err("is not a percentage (examples: 5%, 0.05%, 100%)")),
        ("%", Err("is not a percentage (examples: 5%, 0.05%, 100%)")),
        ("-5%", Err("is not a percentage (examples: 5%, 0.05%, 100%)")),
        ("5 %", Err("is not a percentage (examples: 5%, 0.05%, 100%)")),
        ("5%%", Err("is not a percentage (examples: 5%, 0.05%, 100%)")),
    ];
    for (text, expected) in table {
        let read = Fraction::parse(text).map(|share| (share.parts_per_billion(), share.to_string()));
        let expected = expected.map(|(parts, shown)| (parts, shown.to_owned()));
        assert_eq!(read.map_err(|invalid| invalid.0), expected, "{text}");
    }
}

#[test]
fn none_never_admits_and_all_always_does() {
    for draw in [0, 1, u64::MAX / 2, u64::MAX] {
        assert!(!Fraction::NONE.admits(draw));
        assert!(Fraction::ALL.admits(draw));
    }
    let half = Fraction::parse("50%").unwrap();
    assert!(half.admits((1 << 63) - 1));
    assert!(!half.admits(1 << 63));
    assert!(Fraction::parse("0.0000001%").unwrap().admits(0));
    assert!(!Fraction::parse("99.9999999%").unwrap().admits(u64::MAX));
}

#[test]
fn reads_instants() {
    let shape = "is not an instant (example: 2026-03-01T00:00:00Z)";
    let day = "is no time of any day";
    let table = [
        ("1970-01-01T00:00:00Z", Ok((0, 0))),
        ("1969-12-31T23:30:00-01:00", Ok((1_800, 0))),
        ("2026-03-01T00:00:00Z", Ok((1_772_323_200, 0))),
        ("2026-03-01t01:00:00+01:00", Ok((1_772_323_200, 0))),
        ("2026-02-28T14:30:00-09:30", Ok((1_772_323_200, 0))),
        ("2026-03-01T00:00:00-00:00", Ok((1_772_323_200, 0))),
        ("2026-03-01T00:00:00.25z", Ok((1_772_323_200, 250_000_000))),
        ("2026-03-01T00:00:00.000000001Z", Ok((1_772_323_200, 1))),
        ("2000-02-29T00:00:00Z", Ok((951_782_400, 0))),
        ("2024-02-29T23:59:59Z", Ok((1_709_251_199, 0))),
        ("2100-03-01T00:00:00Z", Ok((4_107_542_400, 0))),
        ("2554-07-21T23:34:33.709551615Z", Ok((18_446_744_073, 709_551_615))),
        ("2554-07-21T23:34:33.709551616Z", Err("is too far in the future")),
        ("9999-12-31T23:59:59Z", Err("is too far in the future")),
        ("1969-12-31T23:59:59Z", Err("is before 1970")),
        ("1970-01-01T00:59:59+01:00", Err("is before 1970")),
        ("0000-01-01T00:00:00Z", Err("is before 1970")),
        ("2026-02-30T00:00:00Z", Err(day)),
        ("2100-02-29T00:00:00Z", Err(day)),
        ("2026-02-29T00:00:00Z", Err(day)),
        ("2026-04-31T00:00:00Z", Err(day)),
        ("2026-00-01T00:00:00Z", Err(day)),
        ("2026-13-01T00:00:00Z", Err(day)),
        ("2026-01-00T00:00:00Z", Err(day)),
        ("2026-01-01T24:00:00Z", Err(day)),
        ("2026-01-01T00:60:00Z", Err(day)),
        ("2016-12-31T23:59:60Z", Err(day)),
        ("", Err(shape)),
        ("2026-03-01", Err(shape)),
        ("2026-03-01T00:00:00", Err(shape)),
        ("2026-03-01 00:00:00Z", Err(shape)),
        ("2026-03-01T00:00:00ZZ", Err(shape)),
        ("2026-03-01T00:00:00.Z", Err(shape)),
        ("2026-03-01T00:00:00.0000000000Z", Err(shape)),
        ("2026-03-01T00:00:00+24:00", Err(shape)),
        ("2026-03-01T00:00:00+01:60", Err(shape)),
        ("2026-03-01T00:00:00+0100", Err(shape)),
        ("+026-03-01T00:00:00Z", Err(shape)),
        ("26-03-01T00:00:00Z", Err(shape)),
        ("2026-3-1T00:00:00Z", Err(shape)),
    ];
    for (text, expected) in table {
        let read = instant(text).map(|instant| (instant.seconds(), instant.nanos() % 1_000_000_000));
        assert_eq!(read.map_err(|invalid| invalid.0), expected, "{text}");
    }
}

/// 2026-03-01.
const NOW: Timestamp = Timestamp::from_seconds(1_772_323_200);

#[test]
fn reads_the_three_forms_of_a_date_of_http() {
    for (text, seconds) in [
        ("Sun, 06 Nov 1994 08:49:37 GMT", 784_111_777),
        ("Sunday, 06-Nov-94 08:49:37 GMT", 784_111_777),
        ("Sun Nov  6 08:49:37 1994", 784_111_777),
        ("Thu, 01 Jan 1970 00:00:00 GMT", 0),
        ("Sun, 01 Mar 2026 00:00:00 GMT", 1_772_323_200),
        ("Tue, 29 Feb 2000 23:59:59 GMT", 951_868_799),
        ("Tue Feb 29 23:59:59 2000", 951_868_799),
        ("Sun, 21 Jul 2554 23:34:33 GMT", 18_446_744_073),
    ] {
        assert_eq!(http_date(text, NOW), Ok(Timestamp::from_seconds(seconds)), "{text}");
    }
}

#[test]
fn a_date_that_is_too_late_for_the_clock_is_the_last_instant() {
    let last = Timestamp::from_nanos(u64::MAX);
    for text in ["Sun, 21 Jul 2554 23:34:34 GMT", "Fri, 31 Dec 9999 23:59:59 GMT", "Fri Dec 31 23:59:59 9999"]
    {
        assert_eq!(http_date(text, NOW), Ok(last), "{text}");
    }
}

#[test]
fn a_year_of_two_digits_is_at_most_fifty_years_ahead() {
    let at = |text: &str| http_date(text, NOW).map(spell_http_date);
    assert_eq!(at("Wednesday, 01-Jan-76 00:00:00 GMT").unwrap(), "Wed, 01 Jan 2076 00:00:00 GMT");
    assert_eq!(at("Saturday, 01-Jan-77 00:00:00 GMT").unwrap(), "Sat, 01 Jan 1977 00:00:00 GMT");
    // Read as 2069, which in 1970 is not to be thought of: then it would be before 1970.
    let early = http_date("Tuesday, 01-Jan-69 00:00:00 GMT", NOW).map(spell_http_date);
    assert_eq!(early.unwrap(), "Tue, 01 Jan 2069 00:00:00 GMT");
}

#[test]
fn refuses_other_dates() {
    let shape = "is not a date of HTTP (example: Sun, 06 Nov 1994 08:49:37 GMT)";
    let weekday = "is on another day of the week";
    let day = "is no time of any day";
    for (text, reason) in [
        ("", shape),
        ("120", shape),
        ("now", shape),
        ("2026-03-01T00:00:00Z", shape),
        ("Sun, 06 Nov 1994 08:49:37", shape),
        ("Sun, 06 Nov 1994 08:49:37 UTC", shape),
        ("Sun, 06 Nov 1994 08:49:37 gmt", shape),
        ("Sun, 06 Nov 1994 08:49:37 GMT ", shape),
        (" Sun, 06 Nov 1994 08:49:37 GMT", weekday),
        ("Sun,06 Nov 1994 08:49:37 GMT", shape),
        ("Sun, 6 Nov 1994 08:49:37 GMT", shape),
        ("Sun, 06 Nov 94 08:49:37 GMT", shape),
        ("Sun, 06 Nov 19994 08:49:37 GMT", shape),
        ("Sun, 06 nov 1994 08:49:37 GMT", shape),
        ("Sun, 06 11 1994 08:49:37 GMT", shape),
        ("Sun, +6 Nov 1994 08:49:37 GMT", shape),
        ("Sun, 06 Nov  1994 08:49:37 GMT", shape),
        ("Sun, 06-Nov-1994 08:49:37 GMT", shape),
        ("Sunday, 06-Nov-94-1 08:49:37 GMT", shape),
        ("Sun Nov 6 08:49:37 1994", shape),
        ("Sun Nov 006 08:49:37 1994", shape),
        ("Sun Nov  é 08:49:37 1994", shape),
        ("Sun, 06 Nov 1994 8:49:37 GMT", shape),
        ("Sun, 06 Nov 1994 08:49 GMT", shape),
        ("Sun, 06 Nov 1994 08:49:37.5 GMT", shape),
        ("Mon, 06 Nov 1994 08:49:37 GMT", weekday),
        ("sun, 06 Nov 1994 08:49:37 GMT", weekday),
        ("Sunday, 06 Nov 1994 08:49:37 GMT", weekday),
        ("Sun, 06-Nov-94 08:49:37 GMT", weekday),
        ("Tue, 30 Feb 2026 00:00:00 GMT", day),
        ("Mon, 29 Feb 2100 00:00:00 GMT", day),
        ("Sun, 00 Nov 1994 08:49:37 GMT", day),
        ("Sun, 06 Nov 1994 24:00:00 GMT", day),
        ("Sat, 31 Dec 2016 23:59:60 GMT", day),
        ("Wed, 31 Dec 1969 23:59:59 GMT", "is before 1970"),
        ("Sat, 01 Jan 0000 00:00:00 GMT", "is before 1970"),
        ("Sat, 31 Dec 9999 23:59:59 GMT", weekday),
        ("Thu, 29 Feb 9998 00:00:00 GMT", day),
    ] {
        let read = http_date(text, NOW);
        assert_eq!(read.map_err(|invalid| invalid.0), Err(reason), "{text}");
    }
}

#[test]
fn every_day_follows_the_one_before_and_is_written_back() {
    let mut seconds = 0;
    for year in 1970..2500 {
        for month in 1..=12 {
            for day in 1..=days_in(year, month) {
                let text = format!("{year}-{month:02}-{day:02}T00:00:00Z");
                assert_eq!(instant(&text), Ok(Timestamp::from_seconds(seconds)), "{text}");
                assert_eq!(spell_instant(Timestamp::from_seconds(seconds)), text);
                seconds = seconds.saturating_add(86_400);
            }
        }
    }
}

proptest! {
    #[test]
    fn what_is_written_is_read_back(number: u64, parts in 0..=BILLION) {
        let written = Duration::from_nanos(number);
        prop_assert_eq!(duration(&spell_duration(written)), Ok(written));
        prop_assert_eq!(size(&spell_size(number)), Ok(number));
        prop_assert_eq!(Fraction::parse(&Fraction(parts).to_string()), Ok(Fraction(parts)));
        let whole = Timestamp::from_seconds(number / BILLION);
        let at = Timestamp::from_nanos(number);
        prop_assert_eq!(http_date(&spell_http_date(at), NOW), Ok(whole));
        prop_assert_eq!(instant(&spell_instant(at)), Ok(whole));
    }

    #[test]
    fn no_date_panics_whatever_the_clock(
        any in ".*",
        likely in "(Sun|Sunday|é)(, |,| )[0-9 ]{1,2}[ -](Nov|11)[ -][0-9]{2,4} [0-9:.]{0,9}( GMT|)",
        now: u64,
    ) {
        for text in [any, likely] {
            prop_assert!(http_date(&text, Timestamp::from_nanos(now)).is_err() || 24 <= text.len());
        }
    }

    #[test]
    fn a_larger_share_admits_what_a_smaller_one_does(draw: u64, one in 0..=BILLION, other in 0..=BILLION) {
        let (smaller, larger) = (Fraction(one.min(other)), Fraction(one.max(other)));
        prop_assert!(!smaller.admits(draw) || larger.admits(draw));
    }

    #[test]
    fn no_text_panics_and_few_are_read(any in ".*", likely in "[0-9.:TZ+dhmsunKiB%-]{0,30}") {
        for text in [any, likely] {
            prop_assert!(duration(&text).is_err() || !text.is_empty());
            prop_assert!(size(&text).is_err() || !text.is_empty());
            prop_assert!(Fraction::parse(&text).is_err() || text.ends_with('%'));
            prop_assert!(instant(&text).is_err() || 20 <= text.len());
        }
    }
}
