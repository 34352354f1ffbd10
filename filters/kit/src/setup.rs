//! What a filter sets up once, while its configuration is read: metrics and tags, so that requests use numbers.

use std::rc::Rc;

/// A counter of the proxy; the same name is the same counter in all workers.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Counter(pub(crate) u32);

/// A gauge of the proxy: what all workers add to it and take from it.
///
/// What a VM has added and not taken back when it is lost stays in it until the proxy ends.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Gauge(pub(crate) u32);

/// A histogram of the proxy.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Histogram(pub(crate) u32);

/// A name under which a filter publishes values of a stream.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Tag(pub(crate) Rc<str>);

/// A metric to define: what it is and its name.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum MetricKind {
    /// Only goes up.
    Counter,
    /// Goes up and down.
    Gauge,
    /// Distribution of values.
    Histogram,
}

/// The metrics of a module; an index in it is what a filter holds.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Metrics {
    definitions: Vec<(MetricKind, String)>,
}

impl Metrics {
    /// Returns the definitions in the order of their numbers.
    pub fn definitions(&self) -> &[(MetricKind, String)] {
        &self.definitions
    }

    fn define(&mut self, kind: MetricKind, name: String) -> u32 {
        let found = self.definitions.iter().position(|(old, text)| *old == kind && *text == name);
        let index = found.unwrap_or_else(|| {
            self.definitions.push((kind, name));
            self.definitions.len().saturating_sub(1)
        });
        u32::try_from(index).unwrap_or(u32::MAX)
    }
}

/// What is handed to a filter with its configuration.
pub struct Setup<'a> {
    name: &'a str,
    metrics: &'a mut Metrics,
    environment: &'a dyn Fn(&str) -> Option<String>,
}

impl<'a> Setup<'a> {
    /// Prepares the set-up of the filter called `name` in its chain.
    pub fn new(
        name: &'a str,
        metrics: &'a mut Metrics,
        environment: &'a dyn Fn(&str) -> Option<String>,
    ) -> Self {
        Self { name, metrics, environment }
    }

    /// Returns what the filter is called: its own name, or the one that a chain gives to a second one.
    pub fn name(&self) -> &str {
        self.name
    }

    /// Defines the counter `sluice.<filter>.<family>_total.<labels joined by dots>`.
    ///
    /// Labels come from the configuration, never from a request: a metric lives as long as the process.
    pub fn counter(&mut self, family: &str, labels: &[&str]) -> Counter {
        let name = self.metric(&format!("{family}_total"), labels);
        Counter(self.metrics.define(MetricKind::Counter, name))
    }

    /// Defines the gauge `sluice.<filter>.<family>.<labels joined by dots>`.
    pub fn gauge(&mut self, family: &str, labels: &[&str]) -> Gauge {
        let name = self.metric(family, labels);
        Gauge(self.metrics.define(MetricKind::Gauge, name))
    }

    /// Defines the histogram `sluice.<filter>.<family>.<labels joined by dots>`.
    pub fn histogram(&mut self, family: &str, labels: &[&str]) -> Histogram {
        let name = self.metric(family, labels);
        Histogram(self.metrics.define(MetricKind::Histogram, name))
    }

    /// Makes the tag `wasm.sluice.<filter>.<name>`.
    pub fn tag(&self, name: &str) -> Tag {
        Tag(format!("sluice.{}.{name}", self.name).into())
    }

    /// Returns an environment variable of the module, the place for secrets.
    pub fn environment(&self, name: &str) -> Option<String> {
        (self.environment)(name)
    }

    fn metric(&self, family: &str, labels: &[&str]) -> String {
        let mut name = format!("sluice.{}.{family}", self.name);
        for label in labels {
            name.push('.');
            name.push_str(label);
        }
        name
    }
}
