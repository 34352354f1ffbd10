//! The configuration, from words to values that cannot be wrong.

use std::rc::Rc;

use kit::config::{Node, each, or};
use kit::matcher::Matcher;
use kit::rule::{self, Mode, Tagged};
use kit::setup::Setup;
use kit::units::Fraction;
use kit::value::Value;

use crate::abort::{Abort, header_name};
use crate::budget::Limits;
use crate::control::Control;
use crate::delay::Delay;
use crate::response::ResponseFault;
use crate::sample::Sample;
use crate::schedule::Schedule;
use crate::watch::StopWhen;

/// The whole configuration.
#[derive(Debug)]
pub(crate) struct Config {
    pub(crate) mode: Mode,
    pub(crate) tags: Tagged,
    /// Ends all experiments.
    pub(crate) kill_switch: bool,
    pub(crate) control: Option<Control>,
    /// The response header that says that there is a fault.
    pub(crate) stamp: Option<String>,
    pub(crate) experiments: Vec<Experiment>,
}

/// Faults for some requests.
#[derive(Debug)]
pub(crate) struct Experiment {
    pub(crate) name: String,
    pub(crate) mode: Mode,
    pub(crate) matcher: Matcher,
    pub(crate) percent: Fraction,
    pub(crate) sample: Sample,
    pub(crate) schedule: Schedule,
    pub(crate) limits: Limits,
    pub(crate) stop_when: Option<StopWhen>,
    pub(crate) request: RequestFault,
    pub(crate) response: Option<Rc<ResponseFault>>,
    /// Stands for all of its configuration: what another one has counted is not its own.
    pub(crate) digest: String,
}

/// What becomes of a request.
#[derive(Debug, Default)]
pub(crate) struct RequestFault {
    pub(crate) delay: Option<Delay>,
    pub(crate) abort: Option<Rc<Abort>>,
    pub(crate) reset: bool,
}

/// What faults that testers ask for are counted under.
pub(crate) const CONTROL: &str = "control";

impl Config {
    /// Reads the configuration; every problem is recorded at its node.
    pub(crate) fn parse(node: &Node<'_>, setup: &Setup<'_>) -> Option<Self> {
        let mut object = node.object()?;
        let mode = or(object.optional("mode"), Mode::Enforce, Mode::parse);
        let tags = or(object.optional("tags"), Tagged::Refusals, Tagged::parse);
        let kill_switch = or(object.optional("kill_switch"), false, |kill| kill.boolean());
        let control =
            or(object.optional("control"), None, |control| Control::parse(control, setup).map(Some));
        let stamp = or(object.optional("stamp"), Some("x-sluice-fault-injected".to_owned()), stamp);
        let nodes = object.optional("experiments").map(|experiments| experiments.non_empty_list());
        object.needs_one_of(&["experiments", "control"], "needs `experiments`, `control`, or both");
        object.finish();
        let default_mode = mode.unwrap_or(Mode::Enforce);
        let experiments = nodes.map_or(Some(Vec::new()), |nodes| {
            let nodes = nodes?;
            let experiments = each(&nodes, |node| Experiment::parse(node, default_mode))?;
            for (index, (node, experiment)) in nodes.iter().zip(&experiments).enumerate() {
                let before = experiments.iter().take(index);
                let before = before.map(|other| (other.name.as_str(), &other.matcher));
                rule::compare(node, &experiment.name, before);
            }
            Some(experiments)
        });
        Some(Self {
            mode: mode?,
            tags: tags?,
            kill_switch: kill_switch?,
            control: control?,
            stamp: stamp?,
            experiments: experiments?,
        })
    }
}

/// Reads the name of the stamp, or `off`.
fn stamp(node: &Node<'_>) -> Option<Option<String>> {
    if node.value().is_off() { Some(None) } else { header_name(node).map(Some) }
}

impl Experiment {
    fn parse(node: &Node<'_>, default_mode: Mode) -> Option<Self> {
        let mut object = node.object()?;
        let name = object.required("name").and_then(|name| experiment_name(&name));
        let mode = or(object.optional("mode"), default_mode, Mode::parse);
        let matcher = or(object.optional("match"), Matcher::any(), Matcher::parse);
        let percent = object.required("percent").and_then(|percent| percent.fraction());
        let sample = or(object.optional("sample"), Sample::Random, Sample::parse);
        let schedule = or(object.optional("schedule"), Schedule::default(), Schedule::parse);
        let most = |most: Option<Node<'_>>| or(most, None, |most| most.integer(0..=1_000_000_000).map(Some));
        let active = most(object.optional("max_active"));
        let total = most(object.optional("max_total"));
        let stop_when = or(object.optional("stop_when"), None, |when| StopWhen::parse(when).map(Some));
        let request = or(object.optional("request"), RequestFault::default(), RequestFault::parse);
        let response_node = object.optional("response");
        let response =
            or(response_node.clone(), None, |response| ResponseFault::parse(response).map(Rc::new).map(Some));
        object.needs_one_of(&["request", "response"], "has no fault; give it `request`, `response`, or both");
        object.finish();
        let request = request?;
        if let Some(node) = response_node
            && (request.reset || request.abort.is_some())
        {
            node.refuse("never happens: the experiment lets no request reach its upstream");
            return None;
        }
        Some(Self {
            name: name?,
            mode: mode?,
            matcher: matcher?,
            percent: percent?,
            sample: sample?,
            schedule: schedule?,
            limits: Limits { active: active?, total: total? },
            stop_when: stop_when?,
            request,
            response: response?,
            digest: digest(node.value(), default_mode),
        })
    }
}

/// Reads the name of an experiment.
fn experiment_name(node: &Node<'_>) -> Option<String> {
    let name = node.name()?;
    if name == CONTROL {
        node.refuse("is what faults that testers ask for are counted under; choose another name");
        return None;
    }
    Some(name.to_owned())
}

impl RequestFault {
    fn parse(node: &Node<'_>) -> Option<Self> {
        let mut object = node.object()?;
        let delay = or(object.optional("delay"), None, |delay| Delay::parse(delay).map(Some));
        let abort = or(object.optional("abort"), None, |abort| Abort::parse(abort).map(Rc::new).map(Some));
        let reset_node = object.optional("reset");
        let reset = or(reset_node.clone(), false, |reset| reset.boolean());
        object.needs_one_of(&["delay", "abort", "reset"], "does nothing; give it delay, abort or reset");
        object.finish();
        let fault = Self { delay: delay?, abort: abort?, reset: reset? };
        if let Some(node) = reset_node.filter(|_| fault.reset && fault.abort.is_some()) {
            node.refuse("a request is answered (`abort`) or broken off (`reset`), not both");
            return None;
        }
        Some(fault)
    }
}

/// Returns what stands for a configuration, whatever the order of its fields: a `Struct` has none.
fn digest(value: &Value, mode: Mode) -> String {
    fn write(value: &Value, text: &mut String) {
        match value {
            Value::Null => text.push_str("null"),
            Value::Bool(boolean) => text.push_str(if *boolean { "true" } else { "false" }),
            Value::Number(number) => text.push_str(&number.to_string()),
            Value::Text(content) => text.push_str(&kit::reply::json_text(content)),
            Value::List(items) => {
                for item in items {
                    text.push('[');
                    write(item, text);
                }
                text.push(']');
            }
            Value::Object(fields) => {
                let mut fields: Vec<_> = fields.iter().collect();
                fields.sort_by_key(|(name, _)| name);
                for (name, value) in fields {
                    text.push('{');
                    text.push_str(&kit::reply::json_text(name));
                    write(value, text);
                }
                text.push('}');
            }
        }
    }
    let mut text = String::new();
    write(value, &mut text);
    kit::identity::digest(&[text.as_bytes(), if mode == Mode::Shadow { b"shadow" } else { b"" }])
}
