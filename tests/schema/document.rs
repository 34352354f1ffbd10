//! A JSON Schema, and the parts of it that are about a value.

use std::collections::BTreeSet;
use std::fs;

use serde_json::Value;
use tests::dist;

/// A schema whose parts are found by JSON pointers.
pub(super) struct Schema(pub(super) Value);

impl Schema {
    pub(super) fn of(filter: &str) -> Self {
        let path = dist(&format!("schema/{filter}.json"));
        Self(serde_json::from_str(&fs::read_to_string(path).expect("a schema")).expect("JSON"))
    }

    pub(super) fn at(&self, pointer: &str) -> &Value {
        self.0.pointer(pointer).unwrap_or_else(|| panic!("the schema has nothing at {pointer}"))
    }

    /// Returns these schemas and all that they refer to or choose from.
    pub(super) fn expanded(&self, pointers: &[String]) -> Vec<String> {
        let mut found: Vec<String> = Vec::new();
        let mut waiting = pointers.to_vec();
        while let Some(at) = waiting.pop() {
            if let Some(target) = self.at(&at)["$ref"].as_str() {
                waiting.push(target.trim_start_matches('#').to_owned());
            }
            for keyword in ["allOf", "anyOf", "oneOf"] {
                let count = self.at(&at)[keyword].as_array().map_or(0, Vec::len);
                waiting.extend((0..count).map(|index| format!("{at}/{keyword}/{index}")));
            }
            found.push(at);
        }
        found
    }

    /// Returns every part of the schema that is like this.
    pub(super) fn all(&self, is_like: fn(&Value) -> bool) -> BTreeSet<String> {
        /// What is data, or is about a part that is described elsewhere.
        const PARTIAL: [&str; 9] =
            ["examples", "default", "enum", "const", "if", "then", "else", "not", "dependentSchemas"];
        fn search(value: &Value, at: &str, is_like: fn(&Value) -> bool, found: &mut BTreeSet<String>) {
            if value.is_object() && is_like(value) {
                found.insert(at.to_owned());
            }
            match value {
                Value::Object(members) => {
                    for (name, member) in members {
                        if !PARTIAL.contains(&name.as_str()) || at.ends_with("/properties") {
                            search(member, &format!("{at}/{name}"), is_like, found);
                        }
                    }
                }
                Value::Array(items) => {
                    for (index, item) in items.iter().enumerate() {
                        search(item, &format!("{at}/{index}"), is_like, found);
                    }
                }
                Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
            }
        }
        let mut found = BTreeSet::new();
        search(&self.0, "", is_like, &mut found);
        found
    }
}

/// Tells whether a schema, of several that a value may follow, is the one that is meant.
fn is_about(schema: &Value, value: &Value) -> bool {
    match (value, schema["type"].as_str()) {
        (Value::Object(_), Some("object")) if schema["additionalProperties"] == false => {
            keys(value).iter().all(|name| schema["properties"].get(name).is_some())
        }
        (Value::Object(_), Some(kind)) => kind == "object",
        (Value::Array(_), Some(kind)) => kind == "array",
        _ => true,
    }
}

/// Calls a function with every value of a configuration: its place, itself, and the schemas that are about it.
pub(super) fn visit(schema: &Schema, configuration: &Value, call: &mut dyn FnMut(&str, &Value, &[String])) {
    let mut waiting = vec![(String::new(), vec![String::new()])];
    while let Some((place, schemas)) = waiting.pop() {
        let value = configuration.pointer(&place).expect("a place");
        let schemas = schema.expanded(&schemas);
        let applying: Vec<String> =
            schemas.iter().filter(|at| is_about(schema.at(at), value)).cloned().collect();
        call(&place, value, &applying);
        for name in keys(value) {
            let about = applying
                .iter()
                .filter(|at| schema.at(at)["properties"][&name].is_object())
                .map(|at| format!("{at}/properties/{name}"))
                .collect();
            waiting.push((format!("{place}/{name}"), about));
        }
        for index in 0..value.as_array().map_or(0, Vec::len) {
            let about = applying
                .iter()
                .filter(|at| schema.at(at)["items"].is_object())
                .map(|at| format!("{at}/items"))
                .collect();
            waiting.push((format!("{place}/{index}"), about));
        }
    }
}

/// Returns the names of an object's members.
pub(super) fn keys(value: &Value) -> Vec<String> {
    value.as_object().into_iter().flat_map(|members| members.keys().cloned()).collect()
}
