//! A token that was verified, and all that follows from it alone: worked out once, and kept with it.

use std::cell::OnceCell;
use std::rc::Rc;

use kit::exchange::Exchange;
use kit::host::Map;
use kit::value::Value;

use crate::claim::header_text;
use crate::claims::Claims;
use crate::condition::Condition;
use crate::config::output::Output;
use crate::reason::Reason;

/// A token that was verified.
#[derive(Debug)]
pub(crate) struct Verified {
    /// Whose keys made the signature: the place of the provider in the configuration.
    pub(crate) provider: usize,
    /// The keys that it was verified with are those of this generation.
    pub(crate) generation: u64,
    pub(crate) payload: Value,
    /// The payload as it stands in the token.
    payload_part: Box<[u8]>,
    pub(crate) claims: Claims,
    /// Whether the configuration says that it counts no more.
    pub(crate) revoked: bool,
    /// Whether each rule is content with it, for those that asked.
    verdicts: Box<[OnceCell<Result<(), Reason>>]>,
    /// What becomes headers and tags; a claim that isn't there, or can't be a header, is none.
    outputs: OnceCell<Outputs>,
}

#[derive(Debug)]
struct Outputs {
    headers: Vec<Option<Box<[u8]>>>,
    tags: Vec<Option<Rc<[u8]>>>,
}

impl Verified {
    pub(crate) fn new(
        provider: usize,
        generation: u64,
        payload: Value,
        payload_part: &[u8],
        claims: Claims,
        revoked: bool,
        rules: usize,
    ) -> Self {
        let verdicts = (0..rules).map(|_| OnceCell::new()).collect();
        Self {
            provider,
            generation,
            payload,
            payload_part: payload_part.into(),
            claims,
            revoked,
            verdicts,
            outputs: OnceCell::new(),
        }
    }

    /// Returns how many bytes it has, roughly: a tree of values is a few times its text.
    pub(crate) fn size(&self) -> usize {
        let verdicts = self.verdicts.len().saturating_mul(4);
        self.payload_part.len().saturating_mul(6).saturating_add(verdicts).saturating_add(512)
    }

    /// Tells whether the rule with this number is content with it.
    pub(crate) fn satisfies(&self, rule: usize, condition: &Condition) -> Result<(), Reason> {
        let check = || condition.check(self.provider, &self.payload);
        self.verdicts.get(rule).map_or_else(check, |verdict| *verdict.get_or_init(check))
    }

    /// Says to the upstream whose request it is, in headers that were taken from the client.
    pub(crate) fn set_headers(&self, exchange: &mut Exchange<'_>, output: &Output) {
        let outputs = self.outputs(output);
        for ((_, name), value) in output.headers.iter().zip(&outputs.headers) {
            if let Some(value) = value {
                exchange.set_header(Map::Request, name, value);
            }
        }
        if let Some(name) = &output.payload {
            exchange.set_header(Map::Request, name, &self.payload_part);
        }
    }

    /// Says to later filters, routes and access logs whose request it is.
    pub(crate) fn publish(&self, exchange: &mut Exchange<'_>, output: &Output) {
        for ((_, tag), value) in output.published.iter().zip(&self.outputs(output).tags) {
            if let Some(value) = value {
                exchange.tag(tag, Rc::clone(value));
            }
        }
    }

    fn outputs(&self, output: &Output) -> &Outputs {
        self.outputs.get_or_init(|| Outputs {
            headers: output
                .headers
                .iter()
                .map(|(path, _)| Some(header_text(path.find(&self.payload)?)?.into_boxed_slice()))
                .collect(),
            tags: output
                .published
                .iter()
                .map(|(path, _)| Some(header_text(path.find(&self.payload)?)?.into()))
                .collect(),
        })
    }
}
