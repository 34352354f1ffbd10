//! Presets: how known providers sign, in the words in which users describe others.

use kit::config::Node;
use kit::config::words::{nearest, quoted};
use kit::value::{Value, json};

/// Endpoints without their names, matches and keys, by the names of their providers. It is a file that users can
/// read, and copy from.
const TEXT: &str = include_str!("../presets.json");

/// What a preset says to its readers only.
const FOR_READERS: [&str; 3] = ["title", "note", "needs"];

/// The presets.
pub(crate) struct Presets(Value);

/// An endpoint with what its preset adds.
pub(crate) struct Merged {
    pub(crate) value: Value,
    pub(crate) provider: Option<String>,
    /// There is no such preset, which is told already.
    pub(crate) is_refused: bool,
}

impl Presets {
    pub(crate) fn new() -> Self {
        Self(json(TEXT.as_bytes(), 16).unwrap_or(Value::Null))
    }

    /// Returns the names of all presets, with what they say.
    pub(crate) fn all(&self) -> &[(String, Value)] {
        match &self.0 {
            Value::Object(presets) => presets,
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::Text(_) | Value::List(_) => &[],
        }
    }

    /// Adds to an endpoint what the preset of its `provider` has and it has not. None if it is no object, which is
    /// told.
    pub(crate) fn merge(&self, node: &Node<'_>) -> Option<Merged> {
        let Value::Object(fields) = node.value() else {
            let _ = node.object();
            return None;
        };
        let mut merged = Merged { value: node.value().clone(), provider: None, is_refused: false };
        if !fields.iter().any(|(name, _)| name == "provider") {
            return Some(merged);
        }
        merged.is_refused = true;
        let mut object = node.object()?;
        let Some((field, name)) =
            object.optional("provider").and_then(|node| Some((node.clone(), node.text()?)))
        else {
            return Some(merged);
        };
        if fields.iter().any(|(name, _)| name == "scheme") {
            field.refuse("stands beside a `scheme`; give one of them");
            return Some(merged);
        }
        let Some((_, preset)) = self.all().iter().find(|(known, _)| known == name) else {
            field.refuse(self.unknown(name));
            return Some(merged);
        };
        merged.is_refused = false;
        merged.provider = Some(name.to_owned());
        if let (Value::Object(fields), Value::Object(preset)) = (&mut merged.value, preset) {
            for (name, needed) in preset {
                if let (true, Value::List(needed)) = (name == "needs", needed) {
                    require(node, fields, needed);
                }
            }
            for (name, default) in preset.iter().filter(|(name, _)| !FOR_READERS.contains(&name.as_str())) {
                match fields.iter_mut().find(|(given, _)| given == name) {
                    None => fields.push((name.clone(), default.clone())),
                    Some((_, given)) if name == "replay" => add_missing(given, default),
                    Some(_) => {}
                }
            }
        }
        Some(merged)
    }

    fn unknown(&self, name: &str) -> String {
        let names: Vec<&str> = self.all().iter().map(|(name, _)| name.as_str()).collect();
        let hint = match nearest(name, &names) {
            Some(name) => format!("did you mean \"{name}\"?"),
            None => format!("known are {}; any other is described as a `scheme`", names.join(", ")),
        };
        format!("{} is no provider that is known here; {hint}", quoted(name))
    }
}

/// Adds the members of an object that another one hasn't.
fn add_missing(given: &mut Value, default: &Value) {
    if let (Value::Object(given), Value::Object(default)) = (given, default) {
        for (name, value) in default {
            if !given.iter().any(|(known, _)| known == name) {
                given.push((name.clone(), value.clone()));
            }
        }
    }
}

fn require(node: &Node<'_>, fields: &[(String, Value)], needed: &[Value]) {
    for name in needed.iter().filter_map(Value::as_text) {
        if !fields.iter().any(|(given, _)| given == name) {
            node.refuse(match name {
                "url" => {
                    "needs `url`: this provider signs the address that it was given, which isn't seen from here \
                     (example: url: https://hooks.example.com, to which the path is added)"
                        .to_owned()
                }
                "key_id" => {
                    "needs `key_id`: this provider says with which of its keys it signs, by a name that isn't secret".to_owned()
                }
                other => format!("needs `{other}`"),
            });
        }
    }
}
