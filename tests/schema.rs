//! The JSON Schemas of filters, held against the parsers of the filters: both know the same fields, words and ranges,
//! refuse the same mistakes, and accept every example that is shipped.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use jsonschema::Validator;
use kit::filter::Kind;
use kit::testing::Bench;
use serde_json::{Map, Value, json};
use tests::{dist, workspace};

/// Every filter by its name; the test of examples fails if a shipped file has one that is missing here.
const FILTERS: [(&str, &Kind); 1] = [("rate-limit", &rate_limit::KIND)];

/// A configuration of rate-limit with every object that there can be, and of each one that knows all its fields.
const EVERYTHING: &str = "
mode: enforce
headers: both
status: 429
jitter: 20%
tags: all
rules:
  - name: all
    mode: shadow
    match:
      path: {template: '/users/{id}'}
      methods: [GET]
      hosts: ['*.example.com']
      headers: [{name: x-tier, exact: gold, not: true}]
      query: [{name: debug, present: true}]
    key: [client_ip, {client_ip: {trusted_hops: 1, ipv4_prefix: 24, ipv6_prefix: 56}}]
    limits: [{requests: 10, per: 1s, burst: 20}]
    concurrency: 2
    concurrency_timeout: 1m
    overrides: [{key: [192.0.2.1, 192.0.2.0/24], unlimited: false, limits: [{requests: 10, per: 1s}], concurrency: 1}]
    cost: {header: x-cost, max: 10, default: 1}
    on_missing_key: shared
    on_contention: refuse
    share: shared
    clients: 100
  - name: fixed
    cost: 2
    count: {responses: [200], reserve: true}
    limits: [{requests: 5, per: 1s}]
";

/// What is wrong, where the parser says it is, and a rule, to which a name and a limit are added if it has none.
const WRONG_RULES: [(&str, &str, &str); 45] = [
    ("a name has no capitals", "rules[0].name", "name: Login"),
    (
        "a name is no longer than 64",
        "rules[0].name",
        "name: a2345678901234567890123456789012345678901234567890123456789012345",
    ),
    ("a name is text", "rules[0].name", "name: 5"),
    ("a field is misspelt", "rules[0].limit", "limit: []"),
    ("a mode is enforce or shadow", "rules[0].mode", "mode: dry-run"),
    ("a field without a value", "rules[0].key", "key:"),
    ("limits are a list", "rules[0].limits", "limits: {requests: 5, per: 1m}"),
    ("limits are not empty", "rules[0].limits", "limits: []"),
    (
        "there are four limits at the most",
        "rules[0].limits",
        "limits: [&a {requests: 5, per: 1m}, *a, *a, *a, *a]",
    ),
    ("a limit needs a time", "rules[0].limits[0].per", "limits: [{requests: 5}]"),
    ("a limit needs requests", "rules[0].limits[0].requests", "limits: [{per: 1m}]"),
    ("a time has a unit", "rules[0].limits[0].per", "limits: [{requests: 5, per: 60}]"),
    ("a time has a unit that is known", "rules[0].limits[0].per", "limits: [{requests: 5, per: 1 minute}]"),
    ("the largest unit of a time is first", "rules[0].limits[0].per", "limits: [{requests: 5, per: 30s1m}]"),
    ("a time is not zero", "rules[0].limits[0].per", "limits: [{requests: 5, per: 0s}]"),
    ("requests are whole", "rules[0].limits[0].requests", "limits: [{requests: 0.5, per: 1s}]"),
    ("requests are a number", "rules[0].limits[0].requests", "limits: [{requests: '5', per: 1s}]"),
    ("requests are not negative", "rules[0].limits[0].requests", "limits: [{requests: -1, per: 1s}]"),
    ("a burst is at least one", "rules[0].limits[0].burst", "limits: [{requests: 5, per: 1s, burst: 0}]"),
    ("requests in flight have 16 bits", "rules[0].concurrency", "concurrency: 65536"),
    (
        "the time of requests in flight is not zero",
        "rules[0].concurrency_timeout",
        "{concurrency: 1, concurrency_timeout: 0s}",
    ),
    ("overrides need a key", "rules[0].overrides", "overrides: [{key: a, unlimited: true}]"),
    ("an override needs a limit", "rules[0].overrides[0]", "{key: method, overrides: [{key: GET}]}"),
    (
        "an unlimited override has no limits",
        "rules[0].overrides[0].limits",
        "{key: method, overrides: [{key: GET, unlimited: true, limits: [{requests: 1, per: 1s}]}]}",
    ),
    (
        "an override needs its key",
        "rules[0].overrides[0].key",
        "{key: method, overrides: [{unlimited: true}]}",
    ),
    ("a key is of a known source", "rules[0].key", "key: ip"),
    ("a key by header needs a name", "rules[0].key", "key: header"),
    ("a key is one source", "rules[0].key", "key: {header: x-a, cookie: b}"),
    ("a key is not all cookies", "rules[0].key.header", "key: {header: Cookie}"),
    ("a key is not what a client writes", "rules[0].key.header", "key: {header: X-Forwarded-For}"),
    ("a source is listed once", "rules[0].key[1]", "key: [path, path]"),
    (
        "a prefix of IPv6 has 128 bits",
        "rules[0].key.client_ip.ipv6_prefix",
        "key: {client_ip: {ipv6_prefix: 129}}",
    ),
    ("methods are upper case", "rules[0].match.methods[0]", "match: {methods: [post]}"),
    ("methods are a list", "rules[0].match.methods", "match: {methods: POST}"),
    ("a host has no scheme", "rules[0].match.hosts[0]", "match: {hosts: ['https://example.com']}"),
    ("a host has no port", "rules[0].match.hosts[0]", "match: {hosts: ['example.com:8080']}"),
    ("a wildcard is the first label", "rules[0].match.hosts[0]", "match: {hosts: [api.*.com]}"),
    ("a path has one form", "rules[0].match.path", "match: {path: {exact: /a, prefix: /b}}"),
    ("a path begins with a slash", "rules[0].match.path.prefix", "match: {path: {prefix: api}}"),
    ("a path has no query", "rules[0].match.path.exact", "match: {path: {exact: '/a?b'}}"),
    ("a prefix has no wildcard", "rules[0].match.path.prefix", "match: {path: {prefix: '/users/*'}}"),
    ("a path has no dot segments", "rules[0].match.path.exact", "match: {path: {exact: /a/../b}}"),
    (
        "the rest of a path is at its end",
        "rules[0].match.path.template",
        "match: {path: {template: '/**/a'}}",
    ),
    ("a condition has a test", "rules[0].match.headers[0]", "match: {headers: [{name: x-a}]}"),
    (
        "a header is no pseudo-header",
        "rules[0].match.headers[0].name",
        "match: {headers: [{name: ':path', present: true}]}",
    ),
];

/// The same for what stands beside the rules, and for what else rules may have.
const WRONG: [(&str, &str, &str); 13] = [
    ("there are rules", "rules", "{}"),
    ("rules are not empty", "rules", "rules: []"),
    ("a rule has a name", "rules[0].name", "rules: [{concurrency: 1}]"),
    ("a rule limits something", "rules[0]", "rules: [{name: a}]"),
    ("a status is that of a refusal", "status", "{status: 200, rules: [{name: a, concurrency: 1}]}"),
    ("a jitter is a percentage", "jitter", "{jitter: 0.2, rules: [{name: a, concurrency: 1}]}"),
    ("a jitter is no more than the whole", "jitter", "{jitter: 101%, rules: [{name: a, concurrency: 1}]}"),
    ("a cost is not zero", "rules[0].cost", "rules: [{name: a, concurrency: 1, cost: 0}]"),
    (
        "a cost by header has a maximum",
        "rules[0].cost.max",
        "rules: [{name: a, concurrency: 1, cost: {header: x-cost}}]",
    ),
    (
        "responses that are charged have a fixed cost",
        "rules[0]",
        "rules: [{name: a, concurrency: 1, cost: {header: x-cost, max: 5}, count: {responses: [401]}}]",
    ),
    (
        "responses are statuses",
        "rules[0].count.responses[0]",
        "rules: [{name: a, concurrency: 1, count: {responses: [4xx]}}]",
    ),
    (
        "reserve is true or false",
        "rules[0].count.reserve",
        "rules: [{name: a, concurrency: 1, count: {responses: [401], reserve: 'true'}}]",
    ),
    ("a share is a name", "rules[0].share", "rules: [{name: a, concurrency: 1, share: All Of Them}]"),
];

/// What takes more than a schema to find out: it accepts these, and the parser does not.
const WRONG_FOR_THE_PARSER: [(&str, &str, &str); 10] = [
    ("what may lack a key has one", "rules[0]", "rules: [{name: a, concurrency: 1, on_missing_key: skip}]"),
    (
        "an override covers what one request can cost",
        "rules[0].overrides[0].limits[0]",
        "rules: [{name: a, key: method, cost: 9, limits: [{requests: 9, per: 1s}], overrides: [{key: GET, limits: [{requests: 5, per: 1s}]}]}]",
    ),
    (
        "rules have different names",
        "rules[1]",
        "rules: [{name: a, concurrency: 1}, {name: a, concurrency: 2}]",
    ),
    (
        "a burst covers one request",
        "rules[0].limits[0]",
        "rules: [{name: a, cost: 9, limits: [{requests: 5, per: 1s}]}]",
    ),
    (
        "a burst comes back within ten years",
        "rules[0].limits[0]",
        "rules: [{name: a, limits: [{requests: 1, per: 366d, burst: 99}]}]",
    ),
    (
        "a time is not too short",
        "rules[0].limits[0].per",
        "rules: [{name: a, limits: [{requests: 5, per: 1us}]}]",
    ),
    (
        "a time is not too long",
        "rules[0].limits[0].per",
        "rules: [{name: a, limits: [{requests: 5, per: 400d}]}]",
    ),
    (
        "an override has a value for each source",
        "rules[0].overrides[0].key",
        "rules: [{name: a, key: [path, method], concurrency: 1, overrides: [{key: GET, unlimited: true}]}]",
    ),
    (
        "an override has a value that can occur",
        "rules[0].overrides[0].key",
        "rules: [{name: a, key: client_ip, concurrency: 1, overrides: [{key: localhost, unlimited: true}]}]",
    ),
    (
        "a source is listed once, however it is written",
        "rules[0].key[1]",
        "rules: [{name: a, key: [{header: x-a}, {header: X-A}], concurrency: 1}]",
    ),
];

/// Rules that are right, to which a name and a limit are added if they have none.
const RIGHT_RULES: [&str; 26] = [
    "{}",
    "{name: 0_a-b, mode: shadow}",
    "limits: [{requests: 0, per: 1m}]",
    "limits: [{requests: 1.0e+6, per: 1d}]",
    "limits: [{requests: 5, per: 1m30s}, {requests: 5, per: 1.5h, burst: 1000}, {requests: 5, per: 0.001s}]",
    "{concurrency: 0}",
    "{concurrency: 65535, concurrency_timeout: 1d}",
    "key: host",
    "key: [client_ip, path, method, host]",
    "key: {client_ip: {}}",
    "key: [{client_ip: {trusted_hops: 20, ipv4_prefix: 1, ipv6_prefix: 128}}]",
    "key: [{header: X-Api-Key}, {cookie: SID}, {query: 'a b'}, {claim: sub}, {state: wasm.any}]",
    "{key: method, overrides: [{key: GET, unlimited: true}, {key: [POST], concurrency: 1}]}",
    "{key: method, overrides: [{key: PUT, unlimited: false, limits: [{requests: 1, per: 1s}]}]}",
    "cost: 1",
    "cost: {header: X-Cost, max: 5}",
    "count: {responses: [200, 599], reserve: false}",
    "{key: {header: X-A}, on_missing_key: skip, on_contention: admit, share: everything, clients: 10000000}",
    "match: {}",
    "match: {methods: [GET, M-SEARCH], hosts: [api.example.com, '*.example.com', '[2001:db8::1]', 192.0.2.1, example.com.]}",
    "match: {path: {exact: /}}",
    "match: {path: {exact: '/a%20b/%7Bc%7D/'}}",
    "match: {path: {prefix: /api/.well-known/...}}",
    "match: {path: {template: '/users/{id}/*/{rest=**}'}}",
    "match: {headers: [{name: X-A, exact: ''}, {name: b, prefix: b, not: true}, {name: c, suffix: c}, {name: d, contains: d}]}",
    "match: {query: [{name: 'a b', present: true, not: false}]}",
];

#[test]
fn parser_and_schema_refuse_the_same_mistakes() {
    let schema = validator("rate-limit");
    let rules = WRONG_RULES.map(|(wrong, place, rule)| (wrong, place, json!({"rules": [completed(rule)]})));
    let wholes = WRONG.map(|(wrong, place, whole)| (wrong, place, yaml(whole)));
    for (wrong, place, configuration) in rules.into_iter().chain(wholes) {
        let problems = problems(&rate_limit::KIND, &configuration);
        assert!(problems.starts_with(&format!("{place}: ")), "{wrong}: {problems:?}");
        assert!(!schema.is_valid(&configuration), "{wrong}: the schema accepts {configuration}");
    }
}

#[test]
fn parser_and_schema_accept_what_is_right() {
    let schema = validator("rate-limit");
    let rules = RIGHT_RULES.map(|rule| json!({"rules": [completed(rule)]}));
    for configuration in rules.into_iter().chain([yaml(EVERYTHING)]) {
        accepted("a right configuration", &rate_limit::KIND, &schema, &configuration);
    }
}

#[test]
fn the_parser_finds_what_a_schema_cannot_say() {
    let schema = validator("rate-limit");
    for (wrong, place, configuration) in WRONG_FOR_THE_PARSER {
        let configuration = yaml(configuration);
        let problems = problems(&rate_limit::KIND, &configuration);
        assert!(problems.starts_with(&format!("{place}: ")), "{wrong}: {problems:?}");
        assert!(
            schema.is_valid(&configuration),
            "{wrong}: the schema says so too, so it belongs to the other table"
        );
    }
}

#[test]
fn parser_and_schema_know_the_same_fields() {
    let schema = Schema::of("rate-limit");
    let whole = yaml(EVERYTHING);
    let mut seen = BTreeSet::new();
    visit(&schema, &whole, &mut |place, value, schemas| {
        if !value.is_object() {
            return;
        }
        let closed: Vec<&String> =
            schemas.iter().filter(|at| schema.at(at)["additionalProperties"] == false).collect();
        let fields: BTreeSet<String> =
            schemas.iter().flat_map(|at| keys(&schema.at(at)["properties"])).collect();
        let mut changed = whole.clone();
        changed.pointer_mut(place).expect("a place")["qqqqqqqqqqqqqqqqqqqq"] = json!(1);
        let problems = problems(&rate_limit::KIND, &changed);
        let known = between(&problems, "qqqqqqqqqqqqqqqqqqqq: unknown field (known: ", ")");
        let known: BTreeSet<String> = known.unwrap_or_default().split(", ").map(str::to_owned).collect();
        assert_eq!(known, fields, "{place}: what the parser knows, and the schema\n{problems}");
        seen.extend(closed.into_iter().cloned());
    });
    let all = schema.all(|schema| schema["additionalProperties"] == false);
    assert_eq!(seen, all, "objects that EVERYTHING has, and those of the schema");
    assert_eq!(
        all,
        schema.all(|schema| schema["type"] == "object"),
        "objects without unknown fields, and all"
    );
}

#[test]
fn parser_and_schema_know_the_same_ranges() {
    let schema = Schema::of("rate-limit");
    let whole = yaml(EVERYTHING);
    let mut seen = BTreeSet::new();
    visit(&schema, &whole, &mut |place, value, schemas| {
        for at in schemas.iter().filter(|at| value.is_u64() && schema.at(at)["type"] == "integer") {
            let mut changed = whole.clone();
            *changed.pointer_mut(place).expect("a place") = json!(999_999_999_999_u64);
            let range =
                format!("must be between {} and {},", schema.at(at)["minimum"], schema.at(at)["maximum"]);
            let problems = problems(&rate_limit::KIND, &changed);
            assert!(problems.contains(&range), "{place}: {range} in the schema, and {problems}");
            seen.insert(at.clone());
        }
    });
    assert_eq!(
        seen,
        schema.all(|schema| schema["type"] == "integer"),
        "numbers of EVERYTHING, and of the schema"
    );
}

#[test]
fn parser_and_schema_know_the_same_words() {
    let schema = Schema::of("rate-limit");
    let whole = yaml(EVERYTHING);
    let mut seen = BTreeSet::new();
    visit(&schema, &whole, &mut |place, value, schemas| {
        for at in schemas.iter().filter(|at| value.is_string() && schema.at(at)["enum"].is_array()) {
            let mut changed = whole.clone();
            *changed.pointer_mut(place).expect("a place") = json!("qqqqqqqqqqqqqqqqqqqq");
            let problems = problems(&rate_limit::KIND, &changed);
            let words = between(&problems, "\"qqqqqqqqqqqqqqqqqqqq\" is not one of ", "\n")
                .or_else(|| between(&problems, "\"qqqqqqqqqqqqqqqqqqqq\" is not a source (known: ", ", {"));
            let expected: Vec<_> =
                schema.at(at)["enum"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
            assert_eq!(words, Some(expected.join(", ").as_str()), "{place}: {problems}");
            seen.insert(at.clone());
        }
    });
    assert_eq!(
        seen,
        schema.all(|schema| schema["enum"].is_array()),
        "words of EVERYTHING, and of the schema"
    );
}

#[test]
fn every_field_says_what_it_is_and_its_examples_are_right() {
    for (filter, _) in FILTERS {
        let schema = Schema::of(filter);
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
    for (place, filter, configuration) in shipped() {
        let (_, kind) = FILTERS
            .iter()
            .find(|(name, _)| *name == filter)
            .unwrap_or_else(|| panic!("{place}: {filter:?} is not in FILTERS"));
        accepted(&place, kind, &validator(&filter), &configuration);
        count += 1;
    }
    assert!(count >= 3, "found only {count} examples: is the search for them broken?");
}

#[test]
fn a_wasm_plugin_means_the_same_as_the_envoy_file() {
    for (filter, kind) in FILTERS {
        let path = workspace().join(format!("envoy/istio/{filter}.yaml"));
        let manifest = documents(&path).remove(0);
        let ours = &manifest["spec"]["pluginConfig"];
        let envoy = documents(&workspace().join(format!("envoy/{filter}.yaml")));
        let theirs = plugins(&envoy[0]).remove(0).1;
        assert_eq!(*ours, theirs, "{filter}: the WasmPlugin, and envoy/{filter}.yaml");

        // Istio keeps it as a Struct, which knows floats only, and hands over the text of a StringValue.
        let text = floats(ours).to_string();
        if let Err(problems) = Bench::new(kind, &text) {
            panic!("{}: {problems}", path.display());
        }
    }
}

/// The fields and words of `istio.extensions.v1alpha1.WasmPlugin` that a gateway can have, without `verificationKey`,
/// which Istio does not implement.
#[test]
fn a_wasm_plugin_has_no_field_that_istio_does_not_know() {
    let list = |item: Value| json!({"type": "array", "minItems": 1, "items": item});
    let object = |required: &[&str], properties: Value| json!({"type": "object", "required": required, "additionalProperties": false, "properties": properties});
    let text = || json!({"type": "string", "minLength": 1});
    let labels = json!({"type": "object", "additionalProperties": {"type": "string"}});
    let target = object(&["kind", "name"], json!({"group": text(), "kind": text(), "name": text()}));
    let traffic = object(
        &[],
        json!({
            "mode": {"enum": ["CLIENT", "SERVER", "CLIENT_AND_SERVER"]},
            "ports": list(object(&["number"], json!({"number": {"type": "integer", "minimum": 1, "maximum": 65535}}))),
        }),
    );
    let variable = object(
        &["name"],
        json!({"name": text(), "value": text(), "valueFrom": {"enum": ["INLINE", "HOST"]}}),
    );
    let spec = object(
        &["url"],
        json!({
            "selector": object(&[], json!({"matchLabels": labels})),
            "targetRefs": list(target),
            "url": text(),
            "sha256": {"type": "string", "pattern": "^[a-f0-9]{64}$"},
            "imagePullPolicy": {"enum": ["IfNotPresent", "Always"]},
            "imagePullSecret": text(),
            "pluginConfig": {"type": "object"},
            "pluginName": text(),
            "phase": {"enum": ["AUTHN", "AUTHZ", "STATS"]},
            "priority": {"type": "integer"},
            "failStrategy": {"enum": ["FAIL_CLOSE", "FAIL_OPEN", "FAIL_RELOAD"]},
            "vmConfig": object(&["env"], json!({"env": list(variable)})),
            "match": list(traffic),
            "type": {"enum": ["HTTP", "NETWORK"]},
        }),
    );
    let schema = object(
        &["apiVersion", "kind", "metadata", "spec"],
        json!({
            "apiVersion": {"const": "extensions.istio.io/v1alpha1"},
            "kind": {"const": "WasmPlugin"},
            "metadata": object(&["name", "namespace"], json!({"name": text(), "namespace": text()})),
            "spec": spec,
        }),
    );
    let schema = jsonschema::validator_for(&schema).expect("a schema");
    let files = yaml_files(&workspace().join("envoy/istio"));
    assert!(!files.is_empty(), "there are no manifests in envoy/istio");
    for path in files {
        for manifest in documents(&path).iter().filter(|manifest| manifest["kind"] == "WasmPlugin") {
            assert_eq!(complaints(&schema, manifest), [""; 0], "{}", path.display());
            assert!(manifest["spec"]["selector"].is_null() || manifest["spec"]["targetRefs"].is_null());
        }
    }
}

/// A schema whose parts are found by JSON pointers.
struct Schema(Value);

impl Schema {
    fn of(filter: &str) -> Self {
        let path = dist(&format!("schema/{filter}.json"));
        Self(serde_json::from_str(&fs::read_to_string(path).expect("a schema")).expect("JSON"))
    }

    fn at(&self, pointer: &str) -> &Value {
        self.0.pointer(pointer).unwrap_or_else(|| panic!("the schema has nothing at {pointer}"))
    }

    /// Returns these schemas and all that they refer to or choose from.
    fn expanded(&self, pointers: &[String]) -> Vec<String> {
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
    fn all(&self, is_like: fn(&Value) -> bool) -> BTreeSet<String> {
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

/// Calls a function with every value of a configuration: its place, itself, and the schemas that are about it.
fn visit(schema: &Schema, configuration: &Value, call: &mut dyn FnMut(&str, &Value, &[String])) {
    let mut waiting = vec![(String::new(), vec![String::new()])];
    while let Some((place, schemas)) = waiting.pop() {
        let value = configuration.pointer(&place).expect("a place");
        let schemas = schema.expanded(&schemas);
        let applying: Vec<String> = schemas
            .iter()
            .filter(|at| match (value, schema.at(at)["type"].as_str()) {
                (Value::Object(_), Some(kind)) => kind == "object",
                (Value::Array(_), Some(kind)) => kind == "array",
                _ => true,
            })
            .cloned()
            .collect();
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

/// Returns every configuration that is shipped or shown: where, of which filter, and itself.
fn shipped() -> Vec<(String, String, Value)> {
    let mut found = Vec::new();
    for folder in ["envoy", "envoy/istio"] {
        for path in yaml_files(&workspace().join(folder)) {
            for document in documents(&path) {
                for (filter, configuration) in plugins(&document) {
                    found.push((path.display().to_string(), filter, configuration));
                }
            }
        }
    }
    for (filter, _) in FILTERS {
        for (file, comment) in [("README.md", ""), ("src/lib.rs", "//!")] {
            let path = workspace().join("filters").join(filter).join(file);
            for block in blocks(&fs::read_to_string(&path).unwrap_or_default(), comment) {
                let value = yaml(&block);
                let place = format!("{}:\n{block}", path.display());
                if value["rules"].is_array() {
                    found.push((place, filter.to_owned(), value));
                } else {
                    found.extend(
                        plugins(&value).into_iter().map(|(filter, value)| (place.clone(), filter, value)),
                    );
                }
            }
        }
    }
    found
}

/// Returns the configurations of plugins in a document for Envoy or Istio, those of a chain one by one.
fn plugins(document: &Value) -> Vec<(String, Value)> {
    let mut found = Vec::new();
    if document["kind"] == "WasmPlugin" {
        let url = document["spec"]["url"].as_str().unwrap_or_default();
        let image = url.rsplit('/').next().unwrap_or_default();
        let module = image.split([':', '@']).next().unwrap_or_default().trim_end_matches(".wasm");
        add(&mut found, module, &document["spec"]["pluginConfig"]);
    }
    if let Some(file) = document.pointer("/vm_config/code/local/filename").and_then(Value::as_str) {
        let module = Path::new(file).file_stem().and_then(|stem| stem.to_str()).unwrap_or_default();
        let value = &document["configuration"]["value"];
        let value = value.as_str().map_or_else(|| value.clone(), yaml);
        add(&mut found, module, &value);
    }
    match document {
        Value::Object(members) => found.extend(members.values().flat_map(plugins)),
        Value::Array(items) => found.extend(items.iter().flat_map(plugins)),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
    found
}

fn add(found: &mut Vec<(String, Value)>, module: &str, configuration: &Value) {
    let Some(elements) = configuration["chain"].as_array() else {
        found.push((module.to_owned(), configuration.clone()));
        return;
    };
    for (name, value) in elements.iter().filter_map(Value::as_object).flatten() {
        if name != "name" {
            found.push((name.clone(), value.clone()));
        }
    }
}

/// Returns the blocks of YAML and JSON in a document, or in the comment at the beginning of a source file.
fn blocks(text: &str, comment: &str) -> Vec<String> {
    let mut found = Vec::new();
    let mut block: Option<String> = None;
    for line in text.lines().map_while(|line| line.strip_prefix(comment)) {
        let line = if comment.is_empty() { line } else { line.strip_prefix(' ').unwrap_or(line) };
        match &mut block {
            None if ["```yaml", "```json"].contains(&line.trim()) => block = Some(String::new()),
            None => {}
            Some(_) if line.trim() == "```" => found.extend(block.take()),
            Some(text) => {
                text.push_str(line);
                text.push('\n');
            }
        }
    }
    found
}

fn yaml_files(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).into_iter().flatten().map(|entry| entry.expect("an entry").path());
    entries.filter(|path| path.extension().is_some_and(|extension| extension == "yaml")).collect()
}

fn documents(path: &Path) -> Vec<Value> {
    let text = fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    text.split("\n---\n").map(yaml).collect()
}

fn yaml(text: &str) -> Value {
    serde_norway::from_str(text).unwrap_or_else(|error| panic!("not YAML: {error}\n{text}"))
}

/// Adds a name and a limit to a rule that has none.
fn completed(rule: &str) -> Value {
    let mut rule = yaml(rule);
    let fields: &mut Map<String, Value> = rule.as_object_mut().expect("a rule");
    fields.entry("name").or_insert(json!("a"));
    if !fields.contains_key("concurrency") {
        fields.entry("limits").or_insert(json!([{"requests": 5, "per": "1m"}]));
    }
    rule
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

fn validator(filter: &str) -> Validator {
    let schema = Schema::of(filter).0;
    jsonschema::draft202012::meta::validate(&schema).unwrap_or_else(|error| panic!("{filter}: {error}"));
    jsonschema::validator_for(&schema).unwrap_or_else(|error| panic!("{filter}: {error}"))
}

fn accepted(place: &str, kind: &'static Kind, schema: &Validator, configuration: &Value) {
    assert_eq!(problems(kind, configuration), "", "{place}: the parser on {configuration}");
    assert_eq!(complaints(schema, configuration), [""; 0], "{place}: the schema on {configuration}");
}

/// Returns what the parser has to say: nothing if it accepts the configuration.
fn problems(kind: &'static Kind, configuration: &Value) -> String {
    Bench::new(kind, &configuration.to_string()).err().unwrap_or_default()
}

fn complaints(schema: &Validator, configuration: &Value) -> Vec<String> {
    schema.iter_errors(configuration).map(|error| format!("{}: {error}", error.instance_path())).collect()
}

fn keys(value: &Value) -> Vec<String> {
    value.as_object().into_iter().flat_map(|members| members.keys().cloned()).collect()
}

fn between<'t>(text: &'t str, before: &str, after: &str) -> Option<&'t str> {
    let (_, rest) = text.split_once(before)?;
    Some(rest.split(after).next().unwrap_or(rest))
}
