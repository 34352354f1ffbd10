//! The numbers as a table, and the conditions under which they were measured.

use std::{fs, thread};

use crate::arguments::Arguments;
use crate::row;

/// What was measured of one row: nanoseconds per request, one number per round.
pub(crate) struct Measured {
    /// The name of the row.
    pub(crate) name: &'static str,
    rounds: Vec<i64>,
}

impl Measured {
    /// Starts without numbers.
    pub(crate) const fn new(name: &'static str) -> Self {
        Self { name, rounds: Vec::new() }
    }

    /// Takes the number of the next round.
    pub(crate) fn push(&mut self, nanos: u64) {
        self.rounds.push(nanos.cast_signed());
    }

    /// Takes the rounds of another process of the same row.
    pub(crate) fn append(&mut self, other: Self) {
        self.rounds.extend(other.rounds);
    }

    /// Returns the number of the best round.
    fn least(&self) -> Option<i64> {
        self.rounds.iter().min().copied()
    }

    /// Returns the number of the worst round.
    fn most(&self) -> Option<i64> {
        self.rounds.iter().max().copied()
    }

    /// Returns the median of what this row costs over another in the same round.
    fn over(&self, other: &Self) -> i64 {
        median(self.rounds.iter().zip(&other.rounds).map(|(mine, theirs)| mine - theirs).collect())
    }
}

/// Returns the conditions of a run, in sentences.
pub(crate) fn conditions(arguments: &Arguments, version: &str) -> String {
    let command: Vec<_> = std::env::args().skip(1).collect();
    let read = |path| fs::read_to_string(path).unwrap_or_default();
    let cpus = read("/proc/cpuinfo");
    let model = cpus.lines().find_map(|line| line.strip_prefix("model name")).unwrap_or(": unknown");
    let kernel = read("/proc/sys/kernel/osrelease");
    let answers = arguments
        .upstream
        .map_or("Envoy answers itself, or one more does".to_owned(), |address| format!("{address} answers"));
    format!(
        "bench {}\nEnvoy {version}, one worker{}; {} x{}; Linux {}; {} requests x {} rounds per row{} over {} connections \
         after {} to warm up; {answers}.\n",
        command.join(" "),
        arguments.pin.map_or(String::new(), |cpu| format!(" on CPU {cpu}")),
        model.trim_start_matches([' ', '\t', ':']),
        thread::available_parallelism().map_or(0, usize::from),
        kernel.trim(),
        arguments.requests,
        arguments.rounds,
        match arguments.processes {
            1 => String::new(),
            processes => format!(" and process, of which it has {processes},"),
        },
        arguments.connections,
        arguments.warmup,
    )
}

/// Returns the table: medians over the rounds, in microseconds of CPU per request.
pub(crate) fn table(rows: &[Measured]) -> String {
    let find = |name| rows.iter().find(|row| row.name == name);
    let none = find(row::NONE);
    let unit = none.zip(find(row::NOOP)).map(|(none, noop)| noop.over(none));
    let line = |name: &str, cells: [&str; 5]| {
        let [cpu, spread, added, best, ratio] = cells;
        format!("{name:<28}{cpu:>14}{spread:>18}{added:>10}{best:>10}{ratio:>14}\n")
    };
    let text = |number: Option<i64>| number.map_or("-".to_owned(), hundredths);
    let micros = |nanos: Option<i64>| text(nanos.map(|nanos| nanos / 10));
    let lines = rows.iter().map(|row| {
        let over = none.filter(|none| none.name != row.name);
        let added = over.map(|none| row.over(none));
        let best = over.and_then(|none| Some(row.least()? - none.least()?));
        let ratio = added.zip(unit).and_then(|(added, unit)| (added * 100).checked_div(unit));
        let spread = format!("{} - {}", micros(row.least()), micros(row.most()));
        let cpu = micros(Some(median(row.rounds.clone())));
        line(row.name, [&cpu, &spread, &micros(added), &micros(best), &text(ratio)])
    });
    [line("row", ["CPU us/req", "min - max", "added", "at best", "added/noop"])]
        .into_iter()
        .chain(lines)
        .collect()
}

/// Returns what bodies cost, in units of one HMAC of the same bytes: what is above a no-op at each size, and what a KiB
/// more adds. Nothing without the rows that it takes.
pub(crate) fn bodies(groups: &[(usize, Vec<Measured>)]) -> String {
    let mut text = String::new();
    let over = |rows: &[Measured], name: &str, other: &str| {
        let find = |name: &str| rows.iter().find(|row| row.name == name);
        Some(find(name)?.over(find(other)?))
    };
    let Some((smallest, first)) = groups.first() else {
        return text;
    };
    for (size, rows) in groups {
        let mac = over(rows, row::MAC, row::NONE).zip(over(first, row::MAC, row::NONE));
        if let (Some((mac, least)), Some(webhook)) = (mac, over(rows, row::WEBHOOK, row::NOOP))
            && smallest < size
            && least < mac
        {
            text.push_str(&format!(
                "{size} bytes: {} is {} us over {}, {} times the HMAC of these bytes ({} us).\n",
                row::WEBHOOK,
                hundredths(webhook / 10),
                row::NOOP,
                hundredths(webhook * 100 / (mac - least)),
                hundredths((mac - least) / 10),
            ));
        }
    }
    if let Some((largest, last)) = groups.last()
        && let (Some(mac), Some(least)) = (over(last, row::MAC, row::NONE), over(first, row::MAC, row::NONE))
        && let (Some(webhook), Some(empty)) =
            (over(last, row::WEBHOOK, row::NONE), over(first, row::WEBHOOK, row::NONE))
        && smallest < largest
        && least < mac
    {
        text.push_str(&format!(
            "From {smallest} to {largest} bytes {} grows {} times as much as the HMAC.\n",
            row::WEBHOOK,
            hundredths((webhook - empty) * 100 / (mac - least)),
        ));
    }
    text
}

/// Returns the number in the middle, or the lower one of two.
fn median(mut numbers: Vec<i64>) -> i64 {
    numbers.sort_unstable();
    numbers.get(numbers.len().saturating_sub(1) / 2).copied().unwrap_or(0)
}

/// Renders hundredths as a decimal number.
fn hundredths(number: i64) -> String {
    let sign = if number < 0 { "-" } else { "" };
    let number = number.unsigned_abs();
    format!("{sign}{}.{:02}", number / 100, number % 100)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn compares_rows_within_a_round() {
        let row = |name, rounds: &[i64]| Measured { name, rounds: rounds.to_vec() };
        let rows = [
            row(row::NONE, &[10_000, 20_000, 10_500]),
            row(row::NOOP, &[12_000, 22_500, 12_500]),
            row("mine", &[13_000, 24_000, 14_500]),
        ];
        assert_eq!(
            table(&rows),
            "row                             CPU us/req         min - max     added   at best    added/noop\n\
             none                                 10.50     10.00 - 20.00         -         -             -\n\
             noop                                 12.50     12.00 - 22.50      2.00      2.00          1.00\n\
             mine                                 14.50     13.00 - 24.00      4.00      3.00          2.00\n",
        );
    }

    #[test]
    fn renders_hundredths() {
        assert_eq!(hundredths(-5), "-0.05");
        assert_eq!(hundredths(1234), "12.34");
    }
}
