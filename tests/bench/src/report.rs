//! The numbers as a table, and the conditions under which they were measured.

use std::{fs, thread};

use crate::arguments::Arguments;
use crate::row;

/// What was measured of one row: nanoseconds per request, one number per round.
pub(crate) struct Measured {
    /// The name of the row.
    pub(crate) name: &'static str,
    rounds: Vec<u64>,
}

impl Measured {
    /// Starts without numbers.
    pub(crate) const fn new(name: &'static str) -> Self {
        Self {
            name,
            rounds: Vec::new(),
        }
    }

    /// Takes the number of the next round.
    pub(crate) fn push(&mut self, nanos: u64) {
        self.rounds.push(nanos);
    }

    /// Returns the median of what this row costs over another in the same round.
    fn over(&self, other: &Self) -> i64 {
        let over = |(mine, theirs): (&u64, &u64)| mine.cast_signed() - theirs.cast_signed();
        median(self.rounds.iter().zip(&other.rounds).map(over).collect())
    }
}

/// Returns the conditions of a run, in sentences.
pub(crate) fn conditions(arguments: &Arguments, version: &str) -> String {
    let command: Vec<_> = std::env::args().skip(1).collect();
    let read = |path| fs::read_to_string(path).unwrap_or_default();
    let cpus = read("/proc/cpuinfo");
    let model = cpus
        .lines()
        .find_map(|line| line.strip_prefix("model name"))
        .unwrap_or(": unknown");
    let kernel = read("/proc/sys/kernel/osrelease");
    let answers = arguments
        .upstream
        .map_or("Envoy answers itself".to_owned(), |address| {
            format!("{address} answers")
        });
    format!(
        "bench {}\nEnvoy {version}, one worker{}; {} x{}; Linux {}; {} requests x {} rounds per row over {} connections \
         after {} to warm up; {answers}.\n",
        command.join(" "),
        arguments
            .pin
            .map_or(String::new(), |cpu| format!(" on CPU {cpu}")),
        model.trim_start_matches([' ', '\t', ':']),
        thread::available_parallelism().map_or(0, usize::from),
        kernel.trim(),
        arguments.requests,
        arguments.rounds,
        arguments.connections,
        arguments.warmup,
    )
}

/// Returns the table: medians over the rounds, in microseconds of CPU per request.
pub(crate) fn table(rows: &[Measured]) -> String {
    let find = |name| rows.iter().find(|row| row.name == name);
    let none = find(row::NONE);
    let unit = none.zip(find(row::NOOP)).map(|(none, noop)| noop.over(none));
    let line = |name: &str, cpu: &str, spread: &str, added: &str, ratio: &str| {
        format!("{name:<28}{cpu:>16}{spread:>18}{added:>14}{ratio:>16}\n")
    };
    let text = |number: Option<i64>| number.map_or("-".to_owned(), hundredths);
    let lines = rows.iter().map(|row| {
        let mut nanos: Vec<_> = row.rounds.iter().map(|nanos| nanos.cast_signed()).collect();
        nanos.sort_unstable();
        let hundredths_at = |nanos: Option<&i64>| text(nanos.map(|nanos| nanos / 10));
        let spread = format!(
            "{} - {}",
            hundredths_at(nanos.first()),
            hundredths_at(nanos.last())
        );
        let added = none
            .filter(|none| none.name != row.name)
            .map(|none| row.over(none));
        let ratio = added
            .zip(unit)
            .and_then(|(added, unit)| (added * 100).checked_div(unit));
        let cpu = hundredths(median(nanos) / 10);
        line(
            row.name,
            &cpu,
            &spread,
            &text(added.map(|nanos| nanos / 10)),
            &text(ratio),
        )
    });
    [line(
        "row",
        "CPU us/request",
        "min - max",
        "added us",
        "added / noop",
    )]
    .into_iter()
    .chain(lines)
    .collect()
}

/// Returns the number in the middle, or the lower one of two.
fn median(mut numbers: Vec<i64>) -> i64 {
    numbers.sort_unstable();
    numbers
        .get(numbers.len().saturating_sub(1) / 2)
        .copied()
        .unwrap_or(0)
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
        let row = |name, rounds: &[u64]| Measured {
            name,
            rounds: rounds.to_vec(),
        };
        let rows = [
            row(row::NONE, &[10_000, 20_000, 10_500]),
            row(row::NOOP, &[12_000, 22_500, 12_500]),
            row("mine", &[13_000, 24_000, 14_500]),
        ];
        assert_eq!(
            table(&rows),
            "row                           CPU us/request         min - max      added us    added / noop\n\
             none                                   10.50     10.00 - 20.00             -               -\n\
             noop                                   12.50     12.00 - 22.50          2.00            1.00\n\
             mine                                   14.50     13.00 - 24.00          4.00            2.00\n",
        );
    }

    #[test]
    fn renders_hundredths() {
        assert_eq!(hundredths(-5), "-0.05");
        assert_eq!(hundredths(1234), "12.34");
    }
}
