//! Which requests of an experiment get its fault: a share of them by chance, or always those of the same keys.

use kit::config::Node;
use kit::draw::Named;
use kit::exchange::Exchange;
use kit::key::{Key, KeyProblem};
use kit::units::Fraction;
use kit::value::Value;

/// How requests are sampled.
#[derive(Debug)]
pub(crate) enum Sample {
    /// Each request on its own.
    Random,
    /// The same keys always, the others never.
    Keyed(Key, Named),
}

/// What sampling says of a request.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Sampled {
    Yes,
    No,
    /// It has no key.
    NoKey,
    /// It has several.
    Unclear,
}

impl Sample {
    /// Reads `random`, or `{key: ..., seed: ...}`.
    pub(crate) fn parse(node: &Node<'_>) -> Option<Self> {
        if let Value::Text(_) = node.value() {
            return node.choice(&[("random", ())]).map(|()| Self::Random);
        }
        let mut object = node.object()?;
        let key = object.required("key").and_then(|key| Key::parse(&key));
        let seed = object.required("seed").and_then(|seed| seed.non_empty_text().map(str::to_owned));
        object.finish();
        Some(Self::Keyed(key?, Named::new(&seed?)))
    }

    /// Decides whether a request is sampled.
    pub(crate) fn of(&self, exchange: &Exchange<'_>, share: Fraction) -> Sampled {
        let draw = match self {
            // Nobody is asked where chance can't change anything.
            Self::Random if share == Fraction::NONE => return Sampled::No,
            Self::Random if share == Fraction::ALL => return Sampled::Yes,
            Self::Random => exchange.draw(),
            Self::Keyed(key, seed) => {
                let mut bytes = Vec::new();
                match key.resolve(exchange, &mut bytes) {
                    Ok(()) => seed.draw(&bytes),
                    Err(KeyProblem::Missing(_)) => return Sampled::NoKey,
                    Err(KeyProblem::Ambiguous(_)) => return Sampled::Unclear,
                }
            }
        };
        if share.admits(draw) { Sampled::Yes } else { Sampled::No }
    }
}
