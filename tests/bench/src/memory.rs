//! Memory: what Envoy keeps resident for a whole chain, and for as many modules, by the number of its workers.

use std::fmt::Write as _;

use crate::arguments::Arguments;
use crate::envoy::Envoy;
use crate::load::Load;
use crate::row::{self, Group, NONE};

/// The rows of the table.
const ROWS: [&str; 3] = [NONE, "chain-6", "six-modules"];

/// The numbers of workers that it has a row for.
const WORKERS: [usize; 3] = [1, 2, 4];

/// Measures, and returns the table.
///
/// # Errors
///
/// An Envoy doesn't start, or refuses a request.
pub(crate) fn table(arguments: &Arguments) -> Result<String, String> {
    let groups = row::groups();
    let chain: &Group = groups.iter().find(|group| group.name == "chain").ok_or("there is no group chain")?;
    let mut table = format!("{:<8}{:>14}{:>14}{:>14}\n", "workers", ROWS[0], ROWS[1], ROWS[2]);
    for workers in WORKERS {
        write!(table, "{workers:<8}").map_err(|error| error.to_string())?;
        for name in ROWS {
            let found = chain.rows.iter().find(|row| row.name == name);
            let row = found.ok_or_else(|| format!("there is no row {name}"))?;
            let envoy = Envoy::start(row, &chain.load, arguments, workers, arguments.upstream)?;
            // So many connections that each worker has some.
            let mut load = Load::connect(envoy.address, arguments.connections.max(8 * workers), &chain.load)?;
            load.run(arguments.warmup).map_err(|error| format!("{name}: {error}"))?;
            let mib = envoy.resident_kib()? / 1024;
            write!(table, "{:>14}", format!("{mib} MiB")).map_err(|error| error.to_string())?;
        }
        table.push('\n');
    }
    Ok(table)
}
