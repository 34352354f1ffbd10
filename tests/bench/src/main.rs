//! Measures what a filter costs: CPU time of the Envoy process per request, beside a no-op and Envoy's own filter.
//!
//! ```text
//! bench [--processes 1] [--rounds 40] [--requests 3000] [--warmup 5000] [--connections 16]
//!       [--group NAME]... [--only NAME]... [--pin CPU] [--upstream ADDRESS:PORT]
//! bench --memory [--warmup 5000] [--connections 16]
//! ```
//!
//! How it measures, and why so:
//!
//! - **CPU time, not latency.** The first number of `/proc/<pid>/task/*/schedstat`, summed over the threads of
//!   one Envoy: nanoseconds that the kernel really ran it, without any waiting. A neighbour that shares the caches still
//!   shows.
//! - **One Envoy per row**, each with one worker. All of them run, one of them works, so that no row inherits the
//!   caches or the heap of another.
//! - **Rounds take turns.** Every round measures every row once, each round starts with another row and goes
//!   through them in another order, and a row's cost is compared with that of `none` in the same round: a machine that
//!   gets slower slows all of them. Many short rounds see through a busy machine better than few long ones.
//! - **Several processes, if asked.** Two Envoys with the same module differ by some hundredths of what it costs, for as long
//!   as they live. `--processes` starts all of them anew.
//! - **A fixed number of requests** over keep-alive HTTP/1.1, sent in batches of one per connection, so that a batch is
//!   one turn of Envoy's event loop whatever the row is.
//! - **Envoy answers itself** (`direct_response`; it passes the filters both ways), because forwarding costs more than
//!   any filter and varies more. `--upstream` forwards instead. Where it matters where requests go to, and what comes
//!   back, they are forwarded to one more Envoy that answers, whose time doesn't count.
//! - **Medians, the spread, and the best case.** Whatever else the machine does can only add to a number, so the
//!   difference of the smallest ones is given beside the median of the differences.
//!
//! No row passes or fails: a number here is a fact about one machine on one day, and only the ratio to the no-op
//! travels.
#![expect(clippy::arithmetic_side_effects, reason = "a host tool: an overflow ends a benchmark, not a proxy")]

mod arguments;
mod chain;
mod envoy;
mod load;
mod memory;
mod report;
mod row;

use std::io::IsTerminal;
use std::process::ExitCode;

use arguments::Arguments;
use envoy::Envoy;
use load::Load;
use report::Measured;
use row::{Carries, Group, Row};

#[expect(clippy::print_stderr, reason = "a command talks to who runs it")]
fn main() -> ExitCode {
    match Arguments::parse(std::env::args().skip(1)).and_then(|arguments| bench(&arguments)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(sentence) => {
            eprintln!("bench: {sentence}");
            ExitCode::FAILURE
        }
    }
}

/// Measures every group and prints its table.
#[expect(clippy::print_stdout, reason = "a command talks to who runs it")]
fn bench(arguments: &Arguments) -> Result<(), String> {
    println!("{}", report::conditions(arguments, &envoy::version()?));
    row::write_floor()?;
    if arguments.memory {
        print!("memory\n{}", memory::table(arguments)?);
        return Ok(());
    }
    let mut bodies = Vec::new();
    for group in row::groups() {
        if arguments.wants_group(group.name) {
            let mut rows = measure(&group, arguments, 0)?;
            for process in 1..arguments.processes {
                let more = measure(&group, arguments, process)?;
                rows.iter_mut().zip(more).for_each(|(row, more)| row.append(more));
            }
            println!("{}\n{}", group.name, report::table(&rows));
            if let Carries::Body(size) = group.load {
                bodies.push((size, rows));
            }
        }
    }
    print!("{}", report::bodies(&bodies));
    Ok(())
}

/// Returns the steps that lead through so many rows and leave none out: in the order of each of them a row has another one
/// before it, whose process may have left it more of the caches or less.
fn strides(rows: usize) -> Vec<usize> {
    let has_no_divisor_in_common = |stride: &usize| {
        let (mut a, mut b) = (rows, *stride);
        while b != 0 {
            (a, b) = (b, a % b);
        }
        a == 1
    };
    (1..=rows).filter(has_no_divisor_in_common).collect()
}

/// Measures every row of a group. The processes are started from the row of number `first` on, and in a circle.
#[expect(clippy::print_stdout, clippy::print_stderr, reason = "a command talks to who runs it")]
fn measure(group: &Group, arguments: &Arguments, first: usize) -> Result<Vec<Measured>, String> {
    let mut measured = Vec::new();
    let answering = Row { name: "upstream", filter: None, routes: None };
    let answering = if group.forwards && arguments.upstream.is_none() {
        Some(Envoy::start(&answering, &group.load, arguments, 1, None)?)
    } else {
        None
    };
    let upstream = arguments.upstream.or(answering.as_ref().map(|envoy| envoy.address));
    let mut wanted = Vec::new();
    for row in &group.rows {
        if !arguments.wants(row.name) {
            continue;
        }
        if let Some(module) = row.missing_module() {
            println!("Skips {}: {module} is not there.", row.name);
            continue;
        }
        wanted.push(row);
    }
    let rows = wanted.len().max(1);
    wanted.rotate_left(first % rows);
    for row in wanted {
        let envoy = Envoy::start(row, &group.load, arguments, 1, upstream)?;
        let load = Load::connect(envoy.address, arguments.connections, &group.load)?;
        measured.push((Measured::new(row.name), envoy, load));
    }

    for (row, _, load) in &mut measured {
        load.run(arguments.warmup).map_err(|error| format!("{}: {error}", row.name))?;
    }
    measured.rotate_right(first % rows);
    for (round, stride) in (0..arguments.rounds).zip(strides(rows).into_iter().cycle()) {
        for turn in 0..measured.len() {
            let Some((row, envoy, load)) = measured.get_mut((round + turn * stride) % rows) else {
                continue;
            };
            let before = envoy.cpu_nanos()?;
            let requests = load.run(arguments.requests).map_err(|error| format!("{}: {error}", row.name))?;
            row.push((envoy.cpu_nanos()? - before) / requests);
        }
        if std::io::stderr().is_terminal() {
            eprint!("\r{}: round {} of {} ", group.name, round + 1, arguments.rounds);
        }
    }
    Ok(measured.into_iter().map(|(row, ..)| row).collect())
}
