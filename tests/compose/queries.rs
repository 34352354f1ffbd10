//! What the dashboard, the alerts and the runbooks ask Prometheus, and whether Envoy has what they ask for.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};

use regex::Regex;
use serde_json::Value;
use tests::workspace;

/// What Prometheus itself adds to everything that it scrapes.
const OF_PROMETHEUS: [&str; 2] = ["instance", "job"];

/// What Prometheus knows that nobody counts.
const MADE_BY_PROMETHEUS: [&str; 2] = ["up", "ALERTS"];

/// What only canary-routing has, beside the label `variant` of its decisions.
const OF_CANARIES: [&str; 5] = [
    "sluice_responses_total",
    "sluice_response_milliseconds_bucket",
    "sluice_guard_trips_total",
    "sluice_guard_state",
    "sluice_force_refusals_total",
];

/// A question to Prometheus.
pub(super) struct Query {
    /// Who asks, for messages.
    pub(super) place: String,
    /// In PromQL, with values in place of Grafana's variables.
    pub(super) text: String,
    /// The labels that a legend or a sentence has of the answer.
    pub(super) told: BTreeSet<String>,
}

/// The series of one metric that are asked for.
#[derive(Debug)]
pub(super) struct Selector {
    pub(super) name: String,
    pub(super) matchers: Vec<Matcher>,
}

/// What a label must be.
#[derive(Debug)]
pub(super) struct Matcher {
    label: String,
    operator: String,
    value: String,
}

/// What a query consists of, as far as the names in it are concerned.
#[derive(Debug, Default)]
pub(super) struct Parts {
    pub(super) selectors: Vec<Selector>,
    /// The labels of `by`, `on` and their like.
    labels: BTreeSet<String>,
    groups: bool,
}

/// Reads a file of the repository.
pub(super) fn read(path: &str) -> String {
    fs::read_to_string(workspace().join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// Reads a YAML file of the repository.
pub(super) fn yaml(path: &str) -> Value {
    serde_norway::from_str(&read(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

pub(super) fn dashboard() -> Value {
    serde_json::from_str(&read("envoy/grafana/dashboards/sluice.json")).expect("a dashboard in JSON")
}

/// Returns the panels of the dashboard, without the headings.
pub(super) fn panels(dashboard: &Value) -> Vec<&Value> {
    list(&dashboard["panels"]).iter().filter(|panel| panel["type"] != "row").collect()
}

/// Returns the alerts.
pub(super) fn alerts() -> Vec<Value> {
    let rules = yaml("envoy/prometheus/alerts.yaml");
    list(&rules["groups"]).iter().flat_map(|group| list(&group["rules"]).to_vec()).collect()
}

/// Returns the pages about alerts.
pub(super) fn runbooks() -> Vec<PathBuf> {
    let folder = fs::read_dir(workspace().join("envoy/runbooks")).expect("runbooks");
    folder.map(|entry| entry.expect("an entry").path()).collect()
}

pub(super) fn list(value: &Value) -> &[Value] {
    value.as_array().map_or(&[], Vec::as_slice)
}

pub(super) fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_else(|| panic!("not a text: {value}"))
}

/// Returns the questions of the dashboard: of its panels, of its notes and of its variables.
pub(super) fn of_dashboard() -> Vec<Query> {
    let dashboard = dashboard();
    let mut found = Vec::new();
    for panel in panels(&dashboard) {
        for target in list(&panel["targets"]) {
            found.push(Query {
                place: format!("the panel {}, {}", panel["title"], target["refId"]),
                text: plain(text(&target["expr"])),
                told: between(text(&target["legendFormat"]), "{{", "}}"),
            });
        }
    }
    for note in list(&dashboard["annotations"]["list"]) {
        let told = between(text(&note["titleFormat"]), "{{", "}}");
        found.push(Query {
            place: format!("the note {}", note["name"]),
            text: plain(text(&note["expr"])),
            told,
        });
    }
    for variable in list(&dashboard["templating"]["list"]) {
        if variable["type"] == "query" {
            let query = text(&variable["query"]["query"]);
            let asked = query.strip_prefix("label_values(").and_then(|rest| rest.strip_suffix(')'));
            let (metric, label) =
                asked.and_then(|asked| asked.split_once(", ")).expect("label_values(metric, label)");
            let (place, text) =
                (format!("the variable {}", variable["name"]), format!("count by ({label}) ({metric})"));
            found.push(Query { place, text, told: BTreeSet::new() });
        }
    }
    found
}

/// Returns the questions of the alerts.
pub(super) fn of_alerts() -> Vec<Query> {
    let query = |alert: &Value| Query {
        place: format!("the alert {}", alert["alert"]),
        text: text(&alert["expr"]).to_owned(),
        told: between(text(&alert["annotations"]["summary"]), "$labels.", " "),
    };
    alerts().iter().map(query).collect()
}

/// Returns the questions that the runbooks tell to ask, a line each.
pub(super) fn of_runbooks() -> Vec<Query> {
    let lines = |path: PathBuf| {
        let text = fs::read_to_string(&path).expect("a runbook");
        let blocks = between(&text, "```promql\n", "```");
        let lines: Vec<_> = blocks.iter().flat_map(|block| block.lines()).map(str::to_owned).collect();
        let place = format!("{}", path.file_name().expect("a file").display());
        lines.into_iter().map(move |text| Query { place: place.clone(), text, told: BTreeSet::new() })
    };
    runbooks().into_iter().flat_map(lines).collect()
}

/// Returns the series that the unit tests of the alerts make up. What is named in a configuration may have any name there.
pub(super) fn of_unit_tests() -> Vec<Query> {
    let tests = yaml("tests/compose/alerts.yaml");
    let name = Regex::new(r#"\b(rule|variant|provider)="[^"]*""#).expect("a pattern");
    let series = |test: &Value| {
        let place = format!("the test of alerts {}", test["name"]);
        let query = |series: &Value| Query {
            place: place.clone(),
            text: name.replace_all(text(&series["series"]), r#"$1=~".+""#).into_owned(),
            told: BTreeSet::new(),
        };
        list(&test["input_series"]).iter().map(query).collect::<Vec<_>>()
    };
    list(&tests["tests"]).iter().flat_map(series).collect()
}

/// Puts values in the place of Grafana's variables.
fn plain(expression: &str) -> String {
    let expression = expression.replace("$__rate_interval", "1m").replace("$__range", "5m");
    let expression = expression.replace("$instance", ".*").replace("$filter", ".*");
    assert!(!expression.contains('$'), "a variable that we don't know: {expression}");
    expression
}

/// Returns what stands between two marks, everywhere in a text.
fn between(text: &str, before: &str, after: &str) -> BTreeSet<String> {
    let found =
        text.split(before).skip(1).filter_map(|rest| Some(rest.split_once(after)?.0.trim().to_owned()));
    found.collect()
}

impl Parts {
    /// Takes a query to pieces. Whether it is right as a whole is for promtool and Prometheus to say.
    pub(super) fn of(query: &str) -> Self {
        let tokens = Regex::new(
            r#""(?:[^"\\]|\\.)*"|'[^']*'|[A-Za-z_:][A-Za-z0-9_:]*|[0-9][0-9a-z.]*|=~|!~|!=|[^\s]"#,
        );
        let tokens: Vec<_> =
            tokens.expect("a pattern").find_iter(query).map(|found| found.as_str()).collect();
        let mut parts = Self::default();
        let mut rest = tokens.as_slice();
        while let [token, after @ ..] = rest {
            let labels = ["by", "without", "on", "ignoring", "group_left", "group_right"].contains(token);
            rest = match after {
                ["(", list @ ..] if labels => {
                    let end = list.iter().position(|token| *token == ")").expect("the end of a list");
                    let names = list[..end].iter().filter(|token| **token != ",");
                    parts.labels.extend(names.map(|name| (*name).to_owned()));
                    parts.groups |= *token == "by";
                    &list[end..]
                }
                // In brackets stands how long.
                _ if *token == "[" => {
                    let end = after.iter().position(|token| *token == "]").expect("the end of a range");
                    &after[end..]
                }
                [next, ..] if ["(", "by", "without"].contains(next) => after,
                _ if !is_name(token) => after,
                _ if ["and", "or", "unless", "bool", "offset"].contains(token) => after,
                ["{", list @ ..] => {
                    let end = list.iter().position(|token| *token == "}").expect("the end of a selector");
                    parts.selectors.push(Selector::new(token, &list[..end]));
                    &list[end..]
                }
                _ => {
                    parts.selectors.push(Selector::new(token, &[]));
                    after
                }
            };
        }
        assert!(!parts.selectors.is_empty(), "there is no metric in {query}");
        parts
    }
}

fn is_name(token: &str) -> bool {
    token.starts_with(|first: char| first.is_ascii_alphabetic() || first == '_')
}

impl Selector {
    fn new(name: &str, matchers: &[&str]) -> Self {
        let matcher = |tokens: &[&str]| match tokens {
            [label, operator, value] => Matcher {
                label: (*label).to_owned(),
                operator: (*operator).to_owned(),
                value: value.trim_matches(['"', '\'']).to_owned(),
            },
            _ => panic!("not a matcher: {tokens:?}"),
        };
        let matchers = matchers.split(|token| *token == ",").filter(|tokens| !tokens.is_empty()).map(matcher);
        Self { name: name.to_owned(), matchers: matchers.collect() }
    }

    /// Tells whether only canary-routing can answer this.
    pub(super) fn is_about_canaries(&self) -> bool {
        let has = |matcher: &Matcher| {
            matcher.label == "variant" || matcher.label == "filter" && matcher.value == "canary-routing"
        };
        OF_CANARIES.contains(&self.name.as_str()) || self.matchers.iter().any(has)
    }
}

impl fmt::Display for Selector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let matchers = self
            .matchers
            .iter()
            .map(|Matcher { label, operator, value }| format!("{label}{operator}\"{value}\""));
        write!(f, "{}{{{}}}", self.name, matchers.collect::<Vec<_>>().join(", "))
    }
}

impl Matcher {
    fn holds(&self, labels: &BTreeMap<String, String>) -> bool {
        let value = labels.get(&self.label).map_or("", String::as_str);
        let is_like = || Regex::new(&format!("^(?:{})$", self.value)).expect("a pattern").is_match(value);
        match self.operator.as_str() {
            "=" => value == self.value,
            "!=" => value != self.value,
            "=~" => is_like(),
            "!~" => !is_like(),
            other => panic!("not an operator: {other}"),
        }
    }
}

/// What an Envoy has for Prometheus: the labels of each series, by its name.
pub(super) struct Scraped(BTreeMap<String, Vec<BTreeMap<String, String>>>);

impl Scraped {
    /// Reads what `/stats/prometheus` answered.
    pub(super) fn read(text: &str) -> Self {
        let mut found: BTreeMap<_, Vec<_>> = BTreeMap::new();
        let label = Regex::new(r#"([A-Za-z0-9_]+)="((?:[^"\\]|\\.)*)""#).expect("a pattern");
        for line in text.lines().filter(|line| !line.starts_with('#') && !line.is_empty()) {
            let (series, _) = line.rsplit_once(' ').expect("a value");
            let (name, labels) = series.split_once('{').expect("labels");
            let labels = label.captures_iter(labels).map(|found| (found[1].to_owned(), found[2].to_owned()));
            found.entry(name.to_owned()).or_default().push(labels.collect());
        }
        Self(found)
    }

    /// Returns what is wrong with a query: what it asks for that isn't there. Without canary-routing in the chain, what
    /// is about canaries waits for it.
    pub(super) fn problems(&self, query: &Query, has_canaries: bool) -> Vec<String> {
        let parts = Parts::of(&query.text);
        let asked = parts.selectors.iter().filter(|selector| has_canaries || !selector.is_about_canaries());
        let mut problems: Vec<_> = asked.filter_map(|selector| self.problem(selector)).collect();
        if !has_canaries && parts.selectors.iter().any(Selector::is_about_canaries) {
            return problems;
        }
        let known: BTreeSet<_> = parts
            .selectors
            .iter()
            .flat_map(|selector| {
                self.0.get(&selector.name).into_iter().flatten().flat_map(|labels| labels.keys())
            })
            .map(String::as_str)
            .chain(OF_PROMETHEUS)
            .collect();
        let unknown = parts.labels.iter().filter(|label| !known.contains(label.as_str()));
        problems.extend(unknown.map(|label| format!("nothing that it asks for has the label {label}")));
        // Of what is summed only the labels are left by which it is summed.
        let left =
            |label: &str| if parts.groups { parts.labels.contains(label) } else { known.contains(label) };
        let lost = query.told.iter().filter(|label| !left(label));
        problems.extend(
            lost.map(|label| format!("the answer doesn't have the label {label}, which is to be told")),
        );
        problems
    }

    fn problem(&self, selector: &Selector) -> Option<String> {
        let name = selector.name.as_str();
        if MADE_BY_PROMETHEUS.contains(&name) {
            return None;
        }
        let Some(series) = self.0.get(name) else {
            return Some(format!("Envoy has no metric {name}"));
        };
        let asked = || selector.matchers.iter().filter(|matcher| !OF_PROMETHEUS.contains(&&*matcher.label));
        let unknown =
            asked().find(|matcher| !series.iter().any(|labels| labels.contains_key(&matcher.label)));
        if let Some(matcher) = unknown {
            return Some(format!("{name} has no label {}", matcher.label));
        }
        let matches = |labels: &&BTreeMap<String, String>| asked().all(|matcher| matcher.holds(labels));
        series.iter().find(matches).is_none().then(|| format!("no series is like {selector:?}"))
    }
}

/// Returns the name of a file without its extension.
pub(super) fn stem(path: &Path) -> String {
    path.file_stem().expect("a file").display().to_string()
}
