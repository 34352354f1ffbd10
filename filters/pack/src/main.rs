//! Turns the linked plugin into the module that ships: prunes, checks, stamps; and a module into images.
//!
//! ```text
//! pack --filter rate-limit --input plugin.wasm --output dist/rate-limit.wasm --schema dist/schema/rate-limit.json
//! pack --chain             --input plugin.wasm --output dist/sluice.wasm
//! pack image --input dist/sluice.wasm --output dist/oci/sluice --sbom dist/sbom/sluice.cdx.json
//! ```
//!
//! What happens to a module, in this order:
//!
//! 1. **Prune** (`prune.rs`). The shell exports every callback that a filter can need, the SDK all there are, and Envoy
//!    calls whatever a module exports: a request without a body can be six calls into the VM (context, request
//!    headers, response headers, response body, log, done) and one to forget it, each with its own lookup of the
//!    context, whether or not a filter listens. Only what a filter says it needs stays exported, and code that nothing reaches any
//!    more goes with the rest. Measured with `make bench`: a no-op filter costs a quarter to a third less without
//!    the callbacks that it ignores.
//! 2. **Check** (`imports.rs`). One import that the host doesn't offer and the module does not load at all, so
//!    every import must be on the list of the oldest Envoy that is supported. A module for one filter must
//!    also stay small.
//! 3. **Stamp**. `sluice.version` holds name and version, `sluice.schema` the JSON Schema of the
//!    configuration without its prose (`schema.rs`), so that a module found somewhere can say what it is and what it
//!    accepts.
//!
//! The same input gives the same bytes. Names of functions stay, so that a trap can be read, but short ones
//! (`names.rs`); debug sections and the list of producers go.
//!
//! What an image is made of says `image.rs`, and what a module is made of `sbom.rs`.

mod arguments;
mod crates;
mod image;
mod imports;
mod names;
mod needs;
mod prune;
mod sbom;
mod schema;

use std::fs;
use std::path::Path;
use std::process::ExitCode;

use arguments::{Arguments, Command, Target};

/// The version that goes into every module: that of the workspace.
const VERSION: &str = env!("CARGO_PKG_VERSION");

#[expect(clippy::print_stderr, clippy::print_stdout, reason = "a build tool talks to who runs it")]
fn main() -> ExitCode {
    let packed = Command::parse(std::env::args().skip(1)).and_then(|command| match command {
        Command::Module(arguments) => pack(&arguments),
        Command::Image(arguments) => image::make(&arguments),
    });
    match packed {
        Ok(line) => {
            println!("{line}");
            ExitCode::SUCCESS
        }
        Err(sentence) => {
            eprintln!("pack: {sentence}");
            ExitCode::FAILURE
        }
    }
}

/// Packs one module, and returns the line that sums it up.
fn pack(arguments: &Arguments) -> Result<String, String> {
    let name = arguments.target.name();
    let needs = match &arguments.target {
        Target::Filter(filter) => needs::of(filter)?,
        Target::Chain => needs::of_all(),
    };
    let schema = match (&arguments.schema, &arguments.target) {
        (None, _) => None,
        (Some(path), Target::Filter(filter)) => {
            let schema = schema_of(filter)?;
            write(path, format!("{schema:#}\n").as_bytes())?;
            Some(schema::without_prose(schema).to_string())
        }
        (Some(_), Target::Chain) => {
            return Err("a chain has no schema of its own: leave out --schema".to_owned());
        }
    };

    let input = read(&arguments.input)?;
    let mut sections = vec![("sluice.version", format!("{name} {VERSION}"))];
    sections.extend(schema.map(|schema| ("sluice.schema", schema)));
    let output = prune::module(&input, needs, sections)?;
    if let Some(limit) = arguments.max_size
        && limit < output.len()
    {
        return Err(format!(
            "{name} is {} bytes, over its limit of {limit}: find what grew, or raise --max-size",
            output.len(),
        ));
    }
    write(&arguments.output, &output)?;

    let callbacks: Vec<_> =
        needs::callbacks(needs).into_iter().map(|name| name.trim_start_matches("proxy_on_")).collect();
    Ok(format!("{name}: {} -> {} bytes, listens to {}", input.len(), output.len(), callbacks.join(" ")))
}

/// Returns the self-contained schema of a filter, from the sources beside its code.
fn schema_of(filter: &str) -> Result<serde_json::Value, String> {
    let parse = |path: &str| -> Result<serde_json::Value, String> {
        serde_json::from_slice(&read(Path::new(path))?)
            .map_err(|error| format!("{path} is not JSON: {error}"))
    };
    let own = parse(&format!("filters/{filter}/schema.json"))?;
    let kit = parse("filters/kit/schema.json")?;
    schema::inline(filter, VERSION, own, &kit)
}

/// Reads a file whole.
fn read(path: &Path) -> Result<Vec<u8>, String> {
    fs::read(path).map_err(|error| format!("cannot read {}: {error}", path.display()))
}

/// Writes a file, and the folders above it.
fn write(path: &Path, bytes: &[u8]) -> Result<(), String> {
    path.parent()
        .map_or(Ok(()), fs::create_dir_all)
        .and_then(|()| fs::write(path, bytes))
        .map_err(|error| format!("cannot write {}: {error}", path.display()))
}
