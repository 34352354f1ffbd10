//! The command line.

use std::collections::BTreeSet;
use std::net::SocketAddr;

use crate::row;

/// How the benchmark is called, for whoever called it otherwise.
const USAGE: &str = "usage: bench [--processes N] [--rounds N] [--requests N] [--warmup N] [--connections N] [--group GROUP]... \
                     [--only ROW]... [--pin CPU] [--upstream ADDRESS:PORT], or bench --memory";

/// What the command line asks for.
#[derive(Debug)]
pub(crate) struct Arguments {
    /// How often all Envoys are started anew.
    pub(crate) processes: usize,
    /// How often every row is measured with one start.
    pub(crate) rounds: usize,
    /// Requests per row and round.
    pub(crate) requests: usize,
    /// Requests per row before the first round.
    pub(crate) warmup: usize,
    /// Connections of the load, which is the number of requests in flight.
    pub(crate) connections: usize,
    /// The tables to measure; all if none is named.
    pub(crate) groups: Vec<String>,
    /// The rows to measure; all if none is named.
    pub(crate) only: Vec<String>,
    /// The CPU that Envoy is bound to, with `taskset`.
    pub(crate) pin: Option<usize>,
    /// Measure memory, and no time.
    pub(crate) memory: bool,
    /// Where requests are forwarded to; Envoy answers itself if there is none.
    pub(crate) upstream: Option<SocketAddr>,
}

impl Arguments {
    /// Reads the arguments that follow the name of the program.
    pub(crate) fn parse(arguments: impl IntoIterator<Item = String>) -> Result<Self, String> {
        let mut parsed = Self {
            processes: 1,
            rounds: 40,
            requests: 3_000,
            warmup: 5_000,
            connections: 16,
            groups: Vec::new(),
            only: Vec::new(),
            pin: None,
            memory: false,
            upstream: None,
        };
        let mut arguments = arguments.into_iter();
        while let Some(flag) = arguments.next() {
            if flag == "--memory" {
                parsed.memory = true;
                continue;
            }
            let value = arguments.next().ok_or_else(|| format!("{flag} lacks its value; {USAGE}"))?;
            let number = || match value.parse() {
                Ok(0) | Err(_) => Err(format!("{flag} {value}: a whole number above zero is expected")),
                Ok(number) => Ok(number),
            };
            match flag.as_str() {
                "--processes" => parsed.processes = number()?,
                "--rounds" => parsed.rounds = number()?,
                "--requests" => parsed.requests = number()?,
                "--warmup" => parsed.warmup = number()?,
                "--connections" => parsed.connections = number()?,
                "--group" => {
                    parsed.groups.push(known(flag, value, row::groups().iter().map(|group| group.name))?)
                }
                "--only" => {
                    let rows = row::groups().into_iter().flat_map(|group| group.rows);
                    parsed.only.push(known(flag, value, rows.map(|row| row.name))?);
                }
                "--pin" => {
                    parsed.pin = Some(value.parse().map_err(|error| format!("--pin {value}: {error}"))?);
                }
                "--upstream" => {
                    parsed.upstream =
                        Some(value.parse().map_err(|error| format!("--upstream {value}: {error}"))?);
                }
                _ => return Err(format!("{flag} is not known; {USAGE}")),
            }
        }
        Ok(parsed)
    }

    /// Says whether a table is to be measured.
    pub(crate) fn wants_group(&self, name: &str) -> bool {
        self.groups.is_empty() || self.groups.iter().any(|group| group == name)
    }

    /// Says whether a row is to be measured.
    ///
    /// The first two always are: a cost is what is added to one, in units of the other.
    pub(crate) fn wants(&self, name: &str) -> bool {
        self.only.is_empty()
            || [row::NONE, row::NOOP].contains(&name)
            || self.only.iter().any(|only| only == name)
    }
}

/// Returns the name if it is one of these.
fn known<'a>(flag: String, name: String, names: impl Iterator<Item = &'a str>) -> Result<String, String> {
    let names: BTreeSet<&str> = names.collect();
    if names.contains(name.as_str()) {
        Ok(name)
    } else {
        Err(format!("{flag} {name}: there are {}", Vec::from_iter(names).join(", ")))
    }
}
