//! A token that was verified, and all that follows from it alone: worked out once, and kept with it.

use std::cell::OnceCell;
use std::rc::Rc;

use kit::exchange::Exchange;
use kit::host::Map;
use kit::memory::taken;
use kit::value::Value;

use crate::claim::{ClaimPath, header_text};
use crate::claims::Claims;
use crate::condition::Condition;
use crate::config::Config;
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
    /// Whether each rule is content with it, for those that asked.
    verdicts: Box<[OnceCell<Result<(), Reason>>]>,
    /// What becomes headers and tags; a claim that isn't there, or can't be a header, is none.
    outputs: Outputs,
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
        config: &Config,
    ) -> Self {
        let verdicts = config.rules.iter().map(|_| OnceCell::new()).collect();
        let outputs = Outputs::of(&payload, &config.output);
        Self { provider, generation, payload, payload_part: payload_part.into(), claims, verdicts, outputs }
    }

    /// Returns how many bytes were allocated for it: its text says little about that, of which a list of lists takes
    /// many times as much as a name.
    pub(crate) fn size(&self) -> usize {
        let own = taken(size_of::<Self>().saturating_add(COUNTERS));
        let parts =
            [taken(self.payload_part.len()), taken(size_of_val(&*self.verdicts)), self.outputs.size()];
        parts.into_iter().fold(own, usize::saturating_add).saturating_add(heap_of(&self.payload))
    }

    /// Tells whether the rule with this number is content with it.
    pub(crate) fn satisfies(&self, rule: usize, condition: &Condition) -> Result<(), Reason> {
        let check = || condition.check(self.provider, &self.payload);
        self.verdicts.get(rule).map_or_else(check, |verdict| *verdict.get_or_init(check))
    }

    /// Says to the upstream whose request it is, in headers that were taken from the client.
    pub(crate) fn set_headers(&self, exchange: &mut Exchange<'_>, output: &Output) {
        for ((_, name), value) in output.headers.iter().zip(&self.outputs.headers) {
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
        for ((_, tag), value) in output.published.iter().zip(&self.outputs.tags) {
            if let Some(value) = value {
                exchange.tag(tag, Rc::clone(value));
            }
        }
    }
}

impl Outputs {
    fn of(payload: &Value, output: &Output) -> Self {
        let text = |path: &ClaimPath| header_text(path.find(payload)?);
        Self {
            headers: output.headers.iter().map(|(path, _)| text(path).map(Vec::into_boxed_slice)).collect(),
            tags: output.published.iter().map(|(path, _)| text(path).map(Rc::from)).collect(),
        }
    }

    fn size(&self) -> usize {
        let headers = self.headers.iter().flatten().map(|text| taken(text.len()));
        let tags = self.tags.iter().flatten().map(|text| taken(text.len().saturating_add(COUNTERS)));
        let lists = [taken(size_of_val(&*self.headers)), taken(size_of_val(&*self.tags))];
        lists.into_iter().chain(headers).chain(tags).fold(0, usize::saturating_add)
    }
}

/// What an `Rc` counts in, in bytes.
const COUNTERS: usize = 2 * size_of::<usize>();

/// Returns how many bytes a value has beside itself.
fn heap_of(value: &Value) -> usize {
    match value {
        Value::Null | Value::Bool(_) | Value::Number(_) => 0,
        Value::Text(text) => taken(text.capacity()),
        Value::List(items) => {
            let list = taken(items.capacity().saturating_mul(size_of::<Value>()));
            items.iter().map(heap_of).fold(list, usize::saturating_add)
        }
        Value::Object(fields) => {
            let list = taken(fields.capacity().saturating_mul(size_of::<(String, Value)>()));
            let sizes =
                fields.iter().map(|(name, value)| taken(name.capacity()).saturating_add(heap_of(value)));
            sizes.fold(list, usize::saturating_add)
        }
    }
}

#[cfg(test)]
mod tests {
    use kit::value::json;
    #[cfg(target_arch = "wasm32")]
    use wasm_bindgen_test::wasm_bindgen_test as test;

    use super::*;

    const NODE: usize = size_of::<Value>();
    const FIELD: usize = size_of::<(String, Value)>();

    fn heap_of_text(text: &str) -> usize {
        heap_of(&json(text.as_bytes(), 32).unwrap())
    }

    /// As an attacker writes it who has a service sign what he likes: many small values in little text.
    #[test]
    fn a_payload_is_counted_with_all_that_was_allocated_for_it() {
        const COUNT: usize = 1_000;
        // A list that grows has room for four from the first on.
        for (item, allocated) in [
            ("0", 0),
            ("\"\"", 0),
            ("\"a\"", 1),
            ("[]", 0),
            ("[0]", 4 * NODE),
            ("{\"\":0}", 4 * FIELD),
            ("{\"a\":[[0]]}", 4 * FIELD + 1 + 4 * NODE + 4 * NODE),
            ("[0,0,0,0,0]", 8 * NODE),
            (&format!("\"{}\"", "a".repeat(100)), 100),
        ] {
            let items = vec![item; COUNT].join(",");
            let counted = heap_of_text(&format!("[{items}]"));
            let least = COUNT * (NODE + allocated);
            assert!((least..=4 * least).contains(&counted), "{item}: {counted}, and {least} at least");
        }
        let deep = heap_of_text(&format!("{}0{}", "[".repeat(32), "]".repeat(32)));
        assert!(32 * 4 * NODE <= deep, "{deep}");
    }

    #[test]
    fn what_has_grown_is_counted_by_its_room_and_not_by_its_length() {
        let mut items = Vec::with_capacity(100);
        items.push(Value::Text(String::with_capacity(1_000)));
        assert!(100 * NODE + 1_000 <= heap_of(&Value::List(items)));
    }
}
