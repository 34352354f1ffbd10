//! Makes the JSON Schema of a filter self-contained.
//!
//! A filter's own schema refers to what it shares with others (durations, matchers, keys) as
//! `../kit/schema.json#/$defs/<name>`. Editors want one file, so those definitions are copied into it, and those
//! that they refer to.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

/// Where local definitions are.
const LOCAL: &str = "#/$defs/";

/// How a reference into the kit's schema ends, before the name.
const KIT: &str = "kit/schema.json#/$defs/";

/// Keywords whose values are data: a `$ref` in there is no reference.
const DATA: [&str; 4] = ["const", "default", "enum", "examples"];

/// Keywords that explain to people and decide nothing.
const PROSE: [&str; 4] = ["$comment", "description", "examples", "title"];

/// Keywords whose values are schemas by name: a field may be called `title`.
const NAMED: [&str; 4] = ["$defs", "dependentSchemas", "patternProperties", "properties"];

/// Returns the schema of a filter with every definition that it refers to, and with what identifies it.
///
/// # Errors
///
/// Refuses a reference that leads nowhere or elsewhere, and a name that the filter and the kit define both.
pub(crate) fn inline(filter: &str, version: &str, own: Value, kit: &Value) -> Result<Value, String> {
    let Value::Object(mut schema) = own else {
        return Err(format!("the schema of {filter} is not an object"));
    };
    let mut local = match schema.remove("$defs") {
        None => Map::new(),
        Some(Value::Object(definitions)) => definitions,
        Some(_) => return Err(format!("`$defs` in the schema of {filter} is not an object")),
    };
    let mut root = Value::Object(schema);

    let mut wanted = Vec::new();
    references(&mut root, Place::Filter, &mut wanted)?;
    for definition in local.values_mut() {
        references(definition, Place::Filter, &mut wanted)?;
    }

    let mut shared = BTreeMap::new();
    while let Some(Reference { place, name }) = wanted.pop() {
        match place {
            Place::Filter if local.contains_key(&name) => {}
            Place::Filter => return Err(format!("the schema of {filter} has no definition of `{name}`")),
            Place::Kit if local.contains_key(&name) => {
                return Err(format!("both {filter} and the kit define `{name}`: rename one"));
            }
            Place::Kit if shared.contains_key(&name) => {}
            Place::Kit => {
                let definition = kit.get("$defs").and_then(|definitions| definitions.get(&name));
                let mut definition = definition
                    .cloned()
                    .ok_or_else(|| format!("the kit's schema has no definition of `{name}`"))?;
                references(&mut definition, Place::Kit, &mut wanted)?;
                shared.insert(name, definition);
            }
        }
    }

    let Value::Object(mut schema) = root else {
        return Err(format!("the schema of {filter} is not an object"));
    };
    local.extend(shared);
    if !local.is_empty() {
        schema.insert("$defs".to_owned(), Value::Object(local));
    }
    schema.insert("$schema".to_owned(), "https://json-schema.org/draft/2020-12/schema".into());
    schema.insert("$id".to_owned(), format!("urn:sluice:schema:{filter}:{version}").into());
    // `version` is no keyword, and strict validators refuse what they don't know; a comment may say anything.
    schema.insert("$comment".to_owned(), format!("{filter} {version}").into());
    schema.entry("title").or_insert_with(|| filter.into());
    Ok(Value::Object(schema))
}

/// Takes out of a schema what it says to people: it accepts and refuses the same without.
pub(crate) fn without_prose(mut schema: Value) -> Value {
    strip(&mut schema);
    schema
}

/// Takes the prose out of a schema, or out of every schema in a list.
fn strip(schema: &mut Value) {
    match schema {
        Value::Object(members) => {
            members.retain(|keyword, _| !PROSE.contains(&keyword.as_str()));
            for (keyword, value) in members.iter_mut() {
                if let Value::Object(schemas) = value
                    && NAMED.contains(&keyword.as_str())
                {
                    schemas.values_mut().for_each(strip);
                } else if !DATA.contains(&keyword.as_str()) {
                    strip(value);
                }
            }
        }
        Value::Array(schemas) => schemas.iter_mut().for_each(strip),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

/// Whose schema a name is looked up in.
#[derive(Clone, Copy)]
enum Place {
    /// The filter's own.
    Filter,
    /// That of the kit.
    Kit,
}

/// A definition that something refers to.
struct Reference {
    place: Place,
    name: String,
}

/// Makes every reference in a schema local, and collects what they refer to.
fn references(schema: &mut Value, place: Place, wanted: &mut Vec<Reference>) -> Result<(), String> {
    match schema {
        Value::Object(members) => {
            for (keyword, value) in
                members.iter_mut().filter(|(keyword, _)| !DATA.contains(&keyword.as_str()))
            {
                if let Value::String(target) = value
                    && keyword == "$ref"
                {
                    let reference = resolve(target, place)?;
                    *target = format!("{LOCAL}{}", reference.name);
                    wanted.push(reference);
                } else {
                    references(value, place, wanted)?;
                }
            }
            Ok(())
        }
        Value::Array(items) => items.iter_mut().try_for_each(|item| references(item, place, wanted)),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => Ok(()),
    }
}

/// Finds out what a reference refers to.
fn resolve(target: &str, place: Place) -> Result<Reference, String> {
    let (place, name) = if let Some(name) = target.strip_prefix(LOCAL) {
        (place, name)
    } else if let Some((_, name)) = target.split_once(KIT) {
        (Place::Kit, name)
    } else {
        return Err(format!("`{target}` refers neither to `{LOCAL}...` nor to `../{KIT}...`"));
    };
    if name.is_empty() || name.contains('/') {
        return Err(format!("`{target}` does not end in the name of a definition"));
    }
    Ok(Reference { place, name: name.to_owned() })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn kit() -> Value {
        json!({"$defs": {
            "duration": {"type": "string", "examples": ["10s"]},
            "match": {"properties": {"not": {"$ref": "#/$defs/match"}, "within": {"$ref": "#/$defs/duration"}}},
            "secret": {"type": "object"},
        }})
    }

    fn inlined(own: Value) -> Result<Value, String> {
        inline("noop", "1.2.3", own, &kit())
    }

    #[test]
    fn copies_what_is_referred_to_and_what_that_refers_to() {
        let own = json!({
            "title": "Does nothing",
            "type": "object",
            "properties": {"rules": {"items": {"$ref": "#/$defs/rule"}}},
            "$defs": {"rule": {"properties": {"match": {"$ref": "../kit/schema.json#/$defs/match"}}}},
        });
        assert_eq!(
            inlined(own).unwrap(),
            json!({
                "$schema": "https://json-schema.org/draft/2020-12/schema",
                "$id": "urn:sluice:schema:noop:1.2.3",
                "$comment": "noop 1.2.3",
                "title": "Does nothing",
                "type": "object",
                "properties": {"rules": {"items": {"$ref": "#/$defs/rule"}}},
                "$defs": {
                    "rule": {"properties": {"match": {"$ref": "#/$defs/match"}}},
                    "match": {"properties": {"not": {"$ref": "#/$defs/match"}, "within": {"$ref": "#/$defs/duration"}}},
                    "duration": {"type": "string", "examples": ["10s"]},
                },
            }),
        );
    }

    #[test]
    fn a_schema_without_definitions_gets_none() {
        let schema = inlined(json!({"type": "object"})).unwrap();
        assert_eq!(schema.get("$defs"), None);
        assert_eq!(schema.get("title"), Some(&json!("noop")));
    }

    #[test]
    fn examples_are_data() {
        let own = json!({"examples": [{"$ref": "nowhere"}]});
        assert_eq!(inlined(own).unwrap().get("examples"), Some(&json!([{"$ref": "nowhere"}])));
    }

    #[test]
    fn the_stamp_says_what_is_accepted_without_prose() {
        let schema = json!({
            "$schema": "https://json-schema.org/draft/2020-12/schema",
            "$id": "urn:sluice:schema:noop:1.2.3",
            "$comment": "noop 1.2.3",
            "title": "Does nothing",
            "properties": {
                "title": {"type": "string", "description": "What to call it.", "examples": ["a"]},
                "examples": {"items": {"oneOf": [{"title": "a", "const": {"title": "b"}}, {"$ref": "#/$defs/title"}]}},
                "default": {"properties": {"description": {"title": "c", "default": {"description": "d"}}}},
            },
            "$defs": {"title": {"description": "A title.", "enum": [{"$comment": "e"}]}},
        });
        assert_eq!(
            without_prose(schema),
            json!({
                "$schema": "https://json-schema.org/draft/2020-12/schema",
                "$id": "urn:sluice:schema:noop:1.2.3",
                "properties": {
                    "title": {"type": "string"},
                    "examples": {"items": {"oneOf": [{"const": {"title": "b"}}, {"$ref": "#/$defs/title"}]}},
                    "default": {"properties": {"description": {"default": {"description": "d"}}}},
                },
                "$defs": {"title": {"enum": [{"$comment": "e"}]}},
            }),
        );
    }

    #[test]
    fn refuses_references_that_lead_nowhere() {
        let refused = |target: &str| inlined(json!({"$ref": target})).unwrap_err();
        assert_eq!(refused("#/$defs/rule"), "the schema of noop has no definition of `rule`");
        assert_eq!(refused("../kit/schema.json#/$defs/size"), "the kit's schema has no definition of `size`");
        assert_eq!(
            refused("https://example.com/schema.json"),
            "`https://example.com/schema.json` refers neither to `#/$defs/...` nor to `../kit/schema.json#/$defs/...`",
        );
        assert_eq!(refused("#/$defs/a/b"), "`#/$defs/a/b` does not end in the name of a definition");
        assert_eq!(
            inlined(json!({"$ref": "../kit/schema.json#/$defs/match", "$defs": {"match": {}}})).unwrap_err(),
            "both noop and the kit define `match`: rename one",
        );
        assert_eq!(inlined(json!([])).unwrap_err(), "the schema of noop is not an object");
    }
}
