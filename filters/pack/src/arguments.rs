//! The command line.

use std::path::PathBuf;

/// The size a module for one filter may have: what a proxy loads for each worker, and a registry for each pull.
const MAX_SIZE: usize = 300 * 1024;

/// How the tool is called, for whoever called it otherwise.
const USAGE: &str = "usage: pack (--filter NAME | --chain) --input WASM --output WASM [--schema JSON] \
    [--max-size BYTES], or pack image --input WASM --output FOLDER --sbom JSON [--source URL]";

/// What the command line asks for.
#[derive(Debug, Eq, PartialEq)]
pub(crate) enum Command {
    /// To pack a module.
    Module(Arguments),
    /// To make images of a packed module.
    Image(Image),
}

/// A module to pack.
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

/// A packed module to make images of.
#[derive(Debug, Eq, PartialEq)]
pub(crate) struct Image {
    /// The packed module.
    pub(crate) input: PathBuf,
    /// The folder that becomes an OCI image layout.
    pub(crate) output: PathBuf,
    /// Where the bill of materials goes, beside the one in the layout.
    pub(crate) sbom: PathBuf,
    /// Where the sources are, for whoever finds the image.
    pub(crate) source: Option<String>,
}

/// What a module is for.
#[derive(Debug, Eq, PartialEq)]
pub(crate) enum Target {
    /// Every filter there is, in an order that the configuration gives.
    Chain,
    /// One filter.
    Filter(String),
}

impl Command {
    /// Reads the arguments that follow the name of the program.
    ///
    /// # Errors
    ///
    /// Says what is missing or not known.
    pub(crate) fn parse(arguments: impl IntoIterator<Item = String>) -> Result<Self, String> {
        let mut arguments = arguments.into_iter().peekable();
        if arguments.next_if(|argument| argument == "image").is_some() {
            Image::parse(arguments).map(Self::Image)
        } else {
            Arguments::parse(arguments).map(Self::Module)
        }
    }
}

impl Arguments {
    fn parse(mut arguments: impl Iterator<Item = String>) -> Result<Self, String> {
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
            input: required("--input", input)?,
            output: required("--output", output)?,
            schema,
        })
    }
}

impl Image {
    fn parse(mut arguments: impl Iterator<Item = String>) -> Result<Self, String> {
        let (mut input, mut output, mut sbom, mut source) = (None, None, None, None);
        while let Some(flag) = arguments.next() {
            let value = arguments.next().ok_or_else(|| format!("{flag} lacks its value; {USAGE}"));
            match flag.as_str() {
                "--input" => input = Some(PathBuf::from(value?)),
                "--output" => output = Some(PathBuf::from(value?)),
                "--sbom" => sbom = Some(PathBuf::from(value?)),
                "--source" => source = Some(value?),
                _ => return Err(format!("{flag} is not known; {USAGE}")),
            }
        }
        Ok(Self {
            input: required("--input", input)?,
            output: required("--output", output)?,
            sbom: required("--sbom", sbom)?,
            source,
        })
    }
}

fn required(flag: &str, path: Option<PathBuf>) -> Result<PathBuf, String> {
    path.ok_or_else(|| format!("{flag} is missing; {USAGE}"))
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

    fn parse(line: &str) -> Result<Command, String> {
        Command::parse(line.split_whitespace().map(str::to_owned))
    }

    fn module(line: &str) -> Arguments {
        match parse(line).unwrap() {
            Command::Module(arguments) => arguments,
            Command::Image(image) => panic!("{image:?}"),
        }
    }

    #[test]
    fn a_module_for_one_filter_has_a_limit() {
        assert_eq!(
            module("--filter rate-limit --input a --output b --schema c"),
            Arguments {
                target: Target::Filter("rate-limit".to_owned()),
                input: "a".into(),
                output: "b".into(),
                schema: Some("c".into()),
                max_size: Some(MAX_SIZE),
            },
        );
        assert_eq!(module("--filter rate-limit --input a --output b --max-size 7").max_size, Some(7));
    }

    #[test]
    fn the_bundle_has_a_limit_only_on_request() {
        assert_eq!(module("--chain --input a --output b").max_size, None);
    }

    #[test]
    fn an_image_is_made_of_a_packed_module() {
        let image = |source: Option<&str>| Image {
            input: "a".into(),
            output: "b".into(),
            sbom: "c".into(),
            source: source.map(str::to_owned),
        };
        assert_eq!(parse("image --input a --output b --sbom c"), Ok(Command::Image(image(None))));
        assert_eq!(
            parse("image --source https://d --input a --output b --sbom c"),
            Ok(Command::Image(image(Some("https://d")))),
        );
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
        assert_eq!(wrong("image --output b --sbom c"), "--input is missing");
        assert_eq!(wrong("image --input a --output b"), "--sbom is missing");
        assert_eq!(wrong("image --source"), "--source lacks its value");
        assert_eq!(wrong("image --chain c"), "--chain is not known");
    }
}
