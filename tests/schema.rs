//! The JSON Schemas of filters, held against the parsers of the filters: both know the same fields, words and ranges,
//! refuse the same mistakes, and accept every example that is shipped.

use std::collections::BTreeSet;
use std::rc::Rc;

use jsonschema::Validator;
use kit::filter::Kind;
use kit::module::Form;
use kit::testing::{Bench, World};
use serde_json::{Value, json};
use tests::workspace;

use self::canary_routing::CANARY_ROUTING;
use self::document::{Schema, keys, visit};
use self::fault_injection::FAULT_INJECTION;
use self::jwt_auth::JWT_AUTH;
use self::rate_limit::RATE_LIMIT;
use self::retry_headers::RETRY_HEADERS;
use self::shipped::{documents, plugins, shipped};
use self::webhook_hmac::WEBHOOK_HMAC;

mod canary_routing;
mod document;
mod fault_injection;
mod jwt_auth;
mod rate_limit;
mod retry_headers;
mod shipped;
mod webhook_hmac;

/// Every filter; the test of examples fails if a shipped file has one that is missing here.
const FILTERS: [Filter; 6] =
    [RATE_LIMIT, JWT_AUTH, WEBHOOK_HMAC, RETRY_HEADERS, FAULT_INJECTION, CANARY_ROUTING];

/// A filter, and configurations that its schema and its parser must agree on.
struct Filter {
    name: &'static str,
    kind: &'static Kind,
    /// What a variable has of the environment of its module, where configurations have their secrets.
    environment: fn(&str) -> Option<String>,
    /// A configuration with every object that there can be, and of each one that knows all its fields.
    everything: &'static str,
    /// What both refuse.
    wrong: fn() -> Vec<Mistake>,
    /// What both accept.
    right: fn() -> Vec<Value>,
    /// What takes more than a schema to find out: it accepts these, and the parser does not.
    wrong_for_the_parser: fn() -> Vec<Mistake>,
    /// Where the WasmPlugin has another value than the Envoy file, or none.
    differs_in_istio: &'static [&'static str],
}

/// A configuration with a mistake.
struct Mistake {
    /// What is right, and not so here.
    wrong: &'static str,
    /// Where the parser says that it is wrong; nowhere if it is about the whole.
    place: String,
    configuration: Value,
}

impl Mistake {
    /// Makes one of a line of a table.
    fn of(line: &(&'static str, &str, &str), configuration: impl Fn(&str) -> Value) -> Self {
        let (wrong, place, text) = line;
        Self { wrong, place: (*place).to_owned(), configuration: configuration(text) }
    }

    /// Returns the same mistake inside of something.
    fn inside(self, place: &str) -> Self {
        Self { place: format!("{place}{}", self.place), ..self }
    }

    /// Tells whether the parser says that something is wrong, and where.
    fn is_told(&self, problems: &str) -> bool {
        !problems.is_empty() && (self.place.is_empty() || problems.starts_with(&format!("{}: ", self.place)))
    }
}

impl Filter {
    fn schema(&self) -> Schema {
        Schema::of(self.name)
    }

    fn validator(&self) -> Validator {
        let schema = self.schema().0;
        let name = self.name;
        jsonschema::draft202012::meta::validate(&schema).unwrap_or_else(|error| panic!("{name}: {error}"));
        jsonschema::validator_for(&schema).unwrap_or_else(|error| panic!("{name}: {error}"))
    }

    /// Returns what the parser has to say: nothing if it accepts the configuration.
    fn problems(&self, configuration: &Value) -> String {
        let world = Rc::new(World::new());
        for name in variables(configuration) {
            if let Some(value) = (self.environment)(&name) {
                world.set_environment(&name, &value);
            }
        }
        let kinds = std::slice::from_ref(self.kind);
        Bench::within(&world, kinds, Form::Single, &configuration.to_string()).err().unwrap_or_default()
    }

    fn accepts(&self, place: &str, schema: &Validator, configuration: &Value) {
        assert_eq!(self.problems(configuration), "", "{place}: the parser on {configuration}");
        assert_eq!(complaints(schema, configuration), [""; 0], "{place}: the schema on {configuration}");
    }
}

#[test]
fn parser_and_schema_refuse_the_same_mistakes() {
    for filter in FILTERS {
        let schema = filter.validator();
        for mistake in (filter.wrong)() {
            let Mistake { wrong, configuration, .. } = &mistake;
            let problems = filter.problems(configuration);
            assert!(mistake.is_told(&problems), "{wrong}: {problems:?}");
            assert!(!schema.is_valid(configuration), "{wrong}: the schema accepts {configuration}");
        }
    }
}

#[test]
fn parser_and_schema_accept_what_is_right() {
    for filter in FILTERS {
        let schema = filter.validator();
        for configuration in (filter.right)().into_iter().chain([yaml(filter.everything)]) {
            filter.accepts("a right configuration", &schema, &configuration);
        }
    }
}

#[test]
fn the_parser_finds_what_a_schema_cannot_say() {
    for filter in FILTERS {
        let schema = filter.validator();
        for mistake in (filter.wrong_for_the_parser)() {
            let Mistake { wrong, configuration, .. } = &mistake;
            let problems = filter.problems(configuration);
            assert!(mistake.is_told(&problems), "{wrong}: {problems:?}");
            assert!(
                schema.is_valid(configuration),
                "{wrong}: the schema says so too, so it belongs to the other table"
            );
        }
    }
}

#[test]
fn parser_and_schema_know_the_same_fields() {
    for filter in FILTERS {
        let schema = filter.schema();
        let whole = yaml(filter.everything);
        let mut seen = BTreeSet::new();
        visit(&schema, &whole, &mut |place, value, schemas| {
            // What is inside of an object that may have any fields is its own affair.
            if !value.is_object() || schemas.is_empty() || schemas.iter().any(|at| is_map(schema.at(at))) {
                return;
            }
            let saying = |unknown: bool| -> Vec<String> {
                let says = |at: &&String| schema.at(at)["additionalProperties"] == unknown;
                schemas.iter().filter(says).cloned().collect()
            };
            let mut changed = whole.clone();
            changed.pointer_mut(place).expect("a place")["qqqqqqqqqqqqqqqqqqqq"] = json!(1);
            let problems = filter.problems(&changed);
            let open = saying(true);
            if !open.is_empty() {
                assert_eq!(problems, "", "{place}: the schema knows no end of fields, but the parser does");
                seen.extend(open);
                return;
            }
            let fields: BTreeSet<String> =
                schemas.iter().flat_map(|at| keys(&schema.at(at)["properties"])).collect();
            let known = between(&problems, "qqqqqqqqqqqqqqqqqqqq: unknown field (known: ", ")");
            let known: BTreeSet<String> = known.unwrap_or_default().split(", ").map(str::to_owned).collect();
            assert_eq!(known, fields, "{place}: what the parser knows, and the schema\n{problems}");
            seen.extend(saying(false));
        });
        let all = schema.all(|schema| schema["additionalProperties"].is_boolean());
        assert_eq!(seen, all, "objects that EVERYTHING has, and those of the schema");
        assert_eq!(
            all,
            schema.all(|schema| schema["type"] == "object" && !is_map(schema)),
            "objects that say whether there are unknown fields, and all"
        );
    }
}

#[test]
fn parser_and_schema_know_the_same_ranges() {
    for filter in FILTERS {
        let schema = filter.schema();
        let whole = yaml(filter.everything);
        let mut seen = BTreeSet::new();
        visit(&schema, &whole, &mut |place, value, schemas| {
            for at in schemas.iter().filter(|at| value.is_u64() && schema.at(at)["type"] == "integer") {
                let mut changed = whole.clone();
                *changed.pointer_mut(place).expect("a place") = json!(999_999_999_999_u64);
                let range =
                    format!("must be between {} and {},", schema.at(at)["minimum"], schema.at(at)["maximum"]);
                let problems = filter.problems(&changed);
                assert!(problems.contains(&range), "{place}: {range} in the schema, and {problems}");
                seen.insert(at.clone());
            }
        });
        let all = schema.all(|schema| schema["type"] == "integer");
        assert_eq!(seen, all, "numbers of EVERYTHING, and of the schema");
    }
}

#[test]
fn parser_and_schema_know_the_same_words() {
    /// How a parser begins the list of words: those of secrets are not shown back.
    const BEGINNINGS: [(&str, &str); 4] = [
        ("\"qqqqqqqqqqqqqqqqqqqq\" is not one of ", "\n"),
        ("\"qqqqqqqqqqqqqqqqqqqq\" is not a source (known: ", ", {"),
        ("\"qqqqqqqqqqqqqqqqqqqq\" is no provider that is known here; known are ", ";"),
        ("this is not one of ", "\n"),
    ];
    for filter in FILTERS {
        let schema = filter.schema();
        let whole = yaml(filter.everything);
        let mut seen = BTreeSet::new();
        visit(&schema, &whole, &mut |place, value, schemas| {
            for at in schemas.iter().filter(|at| value.is_string() && schema.at(at)["enum"].is_array()) {
                let mut changed = whole.clone();
                *changed.pointer_mut(place).expect("a place") = json!("qqqqqqqqqqqqqqqqqqqq");
                let problems = filter.problems(&changed);
                let words = BEGINNINGS.iter().find_map(|(before, after)| between(&problems, before, after));
                let expected: Vec<_> = schema.at(at)["enum"]
                    .as_array()
                    .into_iter()
                    .flatten()
                    .filter_map(Value::as_str)
                    .collect();
                assert_eq!(words, Some(expected.join(", ").as_str()), "{place}: {problems}");
                seen.insert(at.clone());
            }
        });
        let all = schema.all(|schema| schema["enum"].is_array());
        assert_eq!(seen, all, "words of EVERYTHING, and of the schema");
    }
}

#[test]
fn every_field_says_what_it_is_and_its_examples_are_right() {
    for filter in FILTERS {
        let (schema, filter) = (filter.schema(), filter.name);
        let unexplained: Vec<_> = schema
            .all(|schema| schema["properties"].is_object())
            .iter()
            .flat_map(|at| {
                keys(&schema.at(at)["properties"])
                    .into_iter()
                    .map(move |name| format!("{at}/properties/{name}"))
            })
            .filter(|at| schema.at(at).is_object())
            .filter(|at| {
                let texts = schema.expanded(std::slice::from_ref(at));
                let text =
                    texts.iter().find_map(|at| schema.at(at)["description"].as_str()).unwrap_or_default();
                !text.ends_with('.') || text.contains(". ")
            })
            .collect();
        assert_eq!(unexplained, [""; 0], "{filter}: fields without one sentence that ends with a full stop");

        for at in schema.all(|schema| schema.get("examples").is_some() || schema.get("default").is_some()) {
            let mut part = schema.at(&at).clone();
            part["$defs"] = schema.at("")["$defs"].clone();
            let part_schema = jsonschema::validator_for(&part).expect("a schema");
            let examples = part["examples"].as_array().into_iter().flatten().chain(part.get("default"));
            for example in examples {
                assert!(part_schema.is_valid(example), "{filter}: {at} has the example {example}");
            }
        }
    }
}

#[test]
fn every_shipped_example_is_accepted_by_schema_and_parser() {
    let mut count = 0;
    for (place, name, configuration) in shipped() {
        let filter = FILTERS
            .into_iter()
            .find(|filter| filter.name == name)
            .unwrap_or_else(|| panic!("{place}: {name:?} is not in FILTERS"));
        filter.accepts(&place, &filter.validator(), &configuration);
        count += 1;
    }
    assert!(count >= 3, "found only {count} examples: is the search for them broken?");
}

#[test]
fn a_wasm_plugin_means_the_same_as_the_envoy_file() {
    for filter in FILTERS {
        let name = filter.name;
        let path = workspace().join(format!("envoy/istio/{name}.yaml"));
        let manifest = documents(&path).remove(0);
        let mut ours = manifest["spec"]["pluginConfig"].clone();
        let envoy = documents(&workspace().join(format!("envoy/{name}.yaml")));
        let theirs = plugins(&envoy[0]).remove(0).1;

        // Istio keeps it as a Struct, which knows floats only, and hands over the text of a StringValue.
        assert_eq!(filter.problems(&floats(&ours)), "", "{}", path.display());

        for place in filter.differs_in_istio {
            assert_ne!(ours.pointer(place), theirs.pointer(place), "{name}: {place} is the same");
            let (parent, field) = place.rsplit_once('/').expect("a pointer");
            let parent = ours.pointer_mut(parent).unwrap_or_else(|| panic!("{name}: there is no {parent}"));
            parent[field] = theirs.pointer(place).cloned().unwrap_or_default();
        }
        assert_eq!(ours, theirs, "{name}: the WasmPlugin, and envoy/{name}.yaml");
    }
}

/// Tells whether a schema is about an object whose fields have any names, and values of one kind.
fn is_map(schema: &Value) -> bool {
    schema["additionalProperties"].is_object()
}

/// Returns the environment variables that a configuration names.
fn variables(configuration: &Value) -> Vec<String> {
    match configuration {
        Value::Object(members) => {
            let own = members.get("env").and_then(Value::as_str).map(str::to_owned);
            own.into_iter().chain(members.values().flat_map(variables)).collect()
        }
        Value::Array(items) => items.iter().flat_map(variables).collect(),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => Vec::new(),
    }
}

/// Replaces fields of an object; null takes one away.
fn replaced(mut object: Value, fields: &str) -> Value {
    let whole = object.as_object_mut().expect("an object");
    for (name, value) in yaml(fields).as_object().expect("fields") {
        if value.is_null() {
            whole.remove(name);
        } else {
            whole.insert(name.clone(), value.clone());
        }
    }
    object
}

/// Makes every number a float, as a Struct does.
fn floats(value: &Value) -> Value {
    match value {
        Value::Number(number) => json!(number.as_f64()),
        Value::Array(items) => items.iter().map(floats).collect(),
        Value::Object(members) => {
            Value::Object(members.iter().map(|(name, member)| (name.clone(), floats(member))).collect())
        }
        Value::Null | Value::Bool(_) | Value::String(_) => value.clone(),
    }
}

fn complaints(schema: &Validator, configuration: &Value) -> Vec<String> {
    schema.iter_errors(configuration).map(|error| format!("{}: {error}", error.instance_path())).collect()
}

fn yaml(text: &str) -> Value {
    serde_norway::from_str(text).unwrap_or_else(|error| panic!("not YAML: {error}\n{text}"))
}

fn between<'t>(text: &'t str, before: &str, after: &str) -> Option<&'t str> {
    let (_, rest) = text.split_once(before)?;
    Some(rest.split(after).next().unwrap_or(rest))
}
