//! The command line.

use std::path::PathBuf;

/// The size a module for one filter may have: what a proxy loads for each worker, and a registry for each pull.
const MAX_SIZE: usize = 300 * 1024;

/// How the tool is called, for whoever called it otherwise.
const USAGE: &str =
    "usage: pack (--filter NAME | --chain) --input WASM --output WASM [--schema JSON] [--max-size BYTES]";

/// What the command line asks for.
#[derive(Debug, Eq, PartialEq)]
pub(crate) struct Arguments {
    /// What the module is for.
    pub(crate) target: Target,
    /// The module as it was linked.
    pub(crate) input: PathBuf,
    /// Where the packed module goes.
    pub(crate) output: PathBuf,
    /// Where the JSON Schema goes.
    pub(crate) schema: Option<PathBuf>,
    /// How many bytes the packed module may have.
    pub(crate) max_size: Option<usize>,
}

/// What a module is for.
#[derive(Debug, Eq, PartialEq)]
pub(crate) enum Target {
    /// Every filter there is, in an order that the configuration gives.
    Chain,
    /// One filter.
    Filter(String),
}

impl Arguments {
    /// Reads the arguments that follow the name of the program.
    ///
    /// # Errors
    ///
    /// Says what is missing or not known.
    pub(crate) fn parse(arguments: impl IntoIterator<Item = String>) -> Result<Self, String> {
        let mut arguments = arguments.into_iter();
        let (mut target, mut input, mut output, mut schema, mut max_size) = (None, None, None, None, None);
        while let Some(flag) = arguments.next() {
            let mut value = || arguments.next().ok_or_else(|| format!("{flag} lacks its value; {USAGE}"));
            match flag.as_str() {
                "--chain" => target = Some(Target::Chain),
                "--filter" => target = Some(Target::Filter(value()?)),
                "--input" => input = Some(PathBuf::from(value()?)),
                "--output" => output = Some(PathBuf::from(value()?)),
                "--schema" => schema = Some(PathBuf::from(value()?)),
                "--max-size" => {
                    let bytes = value()?;
                    let bytes = bytes.parse().map_err(|error| format!("--max-size {bytes}: {error}"))?;
                    max_size = Some(bytes);
                }
                _ => return Err(format!("{flag} is not known; {USAGE}")),
            }
        }
        let target = target.ok_or_else(|| format!("--filter or --chain is missing; {USAGE}"))?;
        Ok(Self {
            // The bundle grows with every filter, so only a caller can say what is too much.
            max_size: max_size.or(matches!(target, Target::Filter(_)).then_some(MAX_SIZE)),
            target,
            input: input.ok_or_else(|| format!("--input is missing; {USAGE}"))?,
            output: output.ok_or_else(|| format!("--output is missing; {USAGE}"))?,
            schema,
        })
    }
}

impl Target {
    /// Returns the name that the module carries.
    pub(crate) fn name(&self) -> &str {
        match self {
            Self::Chain => "sluice",
            Self::Filter(filter) => filter,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(line: &str) -> Result<Arguments, String> {
        Arguments::parse(line.split_whitespace().map(str::to_owned))
    }

    #[test]
    fn a_module_for_one_filter_has_a_limit() {
        assert_eq!(
            parse("--filter rate-limit --input a --output b --schema c").unwrap(),
            Arguments {
                target: Target::Filter("rate-limit".to_owned()),
                input: "a".into(),
                output: "b".into(),
                schema: Some("c".into()),
                max_size: Some(MAX_SIZE),
            },
        );
        assert_eq!(parse("--filter rate-limit --input a --output b --max-size 7").unwrap().max_size, Some(7));
    }

    #[test]
    fn the_bundle_has_a_limit_only_on_request() {
        assert_eq!(parse("--chain --input a --output b").unwrap().max_size, None);
    }

    #[test]
    fn says_what_is_wrong() {
        let wrong = |line| parse(line).unwrap_err().split(';').next().unwrap().to_owned();
        assert_eq!(wrong("--input a --output b"), "--filter or --chain is missing");
        assert_eq!(wrong("--chain --output b"), "--input is missing");
        assert_eq!(wrong("--chain --input a"), "--output is missing");
        assert_eq!(wrong("--chain --input"), "--input lacks its value");
        assert_eq!(wrong("--fast"), "--fast is not known");
        assert_eq!(wrong("--max-size big"), "--max-size big: invalid digit found in string");
    }
}
