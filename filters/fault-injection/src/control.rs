//! Faults that testers ask for with a header, if they know a token.

use std::rc::Rc;
use std::time::Duration;

use kit::config::{Node, or};
use kit::draw::below;
use kit::exchange::Exchange;
use kit::header::{Field, Found, Lookup as _};
use kit::host::Map;
use kit::reply::GrpcStatus;
use kit::secret::Secret;
use kit::setup::Setup;
use kit::units;

use crate::abort::{Abort, header_name};
use crate::delay::LONGEST;
use crate::plan::{End, Plan};
use crate::response::ResponseFault;

/// Who may ask for faults, and how.
#[derive(Debug)]
pub(crate) struct Control {
    token: Secret,
    /// Says which fault.
    header: String,
    /// Says the token.
    token_header: String,
    /// Whether the names of Envoy's own filter say which fault as well.
    envoy: bool,
}

/// What a request asks for.
#[derive(Debug)]
pub(crate) enum Asked {
    /// Nothing.
    Nothing,
    /// A fault.
    For(Plan),
    /// Something, without the right token.
    Refused,
    /// Something that can't be read.
    Unclear,
}

/// The names of Envoy's own filter.
mod envoy {
    pub(super) const DELAY: &str = "x-envoy-fault-delay-request";
    pub(super) const DELAY_PERCENT: &str = "x-envoy-fault-delay-request-percentage";
    pub(super) const ABORT: &str = "x-envoy-fault-abort-request";
    pub(super) const ABORT_GRPC: &str = "x-envoy-fault-abort-grpc-request";
    pub(super) const ABORT_PERCENT: &str = "x-envoy-fault-abort-request-percentage";
    pub(super) const RATE: &str = "x-envoy-fault-throughput-response";
    pub(super) const RATE_PERCENT: &str = "x-envoy-fault-throughput-response-percentage";
    pub(super) const ALL: [&str; 7] =
        [DELAY, DELAY_PERCENT, ABORT, ABORT_GRPC, ABORT_PERCENT, RATE, RATE_PERCENT];
}

impl Control {
    /// Reads who may ask.
    pub(crate) fn parse(node: &Node<'_>, setup: &Setup<'_>) -> Option<Self> {
        let mut object = node.object()?;
        let token = object.required("token").and_then(|token| Secret::parse(&token, setup));
        let name = |node: Option<Node<'_>>, default: &str| or(node, default.to_owned(), header_name);
        let header = name(object.optional("header"), "x-sluice-fault");
        let token_header = name(object.optional("token_header"), "x-sluice-fault-token");
        let envoy = or(object.optional("accept_envoy_headers"), false, |accept| accept.boolean());
        object.finish();
        let control = Self { token: token?, header: header?, token_header: token_header?, envoy: envoy? };
        if control.header == control.token_header {
            node.refuse("has the same name for its `header` and its `token_header`");
            return None;
        }
        Some(control)
    }

    /// Finds out what a request asks for, and takes all that it says about it away: it is for nobody behind.
    pub(crate) fn take(&self, exchange: &mut Exchange<'_>) -> Asked {
        let token = exchange.header(&self.token_header);
        let asked = exchange.header(&self.header);
        let others: &[&str] = if self.envoy { &envoy::ALL } else { &[] };
        let others: Vec<&str> =
            others.iter().copied().filter(|name| exchange.find(name) != Found::Absent).collect();
        if token == Field::Absent && asked == Field::Absent && others.is_empty() {
            return Asked::Nothing;
        }
        let is_tester = token.single().is_some_and(|token| self.token.equals(&token));
        let plan = match &asked {
            _ if !is_tester => None,
            Field::Absent => of_envoy(exchange, &others),
            Field::One(text) => std::str::from_utf8(text).ok().and_then(plan),
            Field::Many(_) => None,
        };
        let is_asked = asked != Field::Absent || !others.is_empty();
        for name in [self.token_header.as_str(), self.header.as_str()].into_iter().chain(others) {
            if exchange.find(name) != Found::Absent {
                exchange.remove_header(Map::Request, name);
            }
        }
        match plan {
            _ if !is_asked => Asked::Nothing,
            _ if !is_tester => Asked::Refused,
            Some(plan) if plan.is_empty() => Asked::Nothing,
            Some(plan) => Asked::For(plan),
            None => Asked::Unclear,
        }
    }
}

/// Reads `delay=300ms,abort=503`; none if any of it isn't understood.
fn plan(text: &str) -> Option<Plan> {
    let (mut plan, mut response) = (Plan::default(), ResponseFault::default());
    let (mut status, mut grpc, mut reset) = (None, None, false);
    let mut seen: Vec<&str> = Vec::new();
    for part in text.split(',').map(str::trim) {
        let (name, value) = part.split_once('=').unwrap_or((part, ""));
        if seen.contains(&name) {
            return None;
        }
        seen.push(name);
        match name {
            "delay" => plan.delay = Some(time(value)?),
            "abort" => status = Some(status_of(value)?),
            "grpc" => grpc = Some(grpc_of(value)?),
            "reset" if value.is_empty() => reset = true,
            "response_delay" => plan.response_delay = Some(time(value)?),
            "response_status" => {
                response.status = Some(status_of(value).filter(|status| !matches!(status, 204 | 205 | 304))?);
            }
            "throttle" => response.throttle = Some(units::size(value).ok().filter(|rate| 0 < *rate)?),
            _ => return None,
        }
    }
    plan.end = match (Abort::new(status, grpc), reset) {
        (None, false) => End::GoOn,
        (None, true) => End::Reset,
        (Some(abort), false) => End::Abort(Rc::new(abort)),
        (Some(_), true) => return None,
    };
    plan.response = (response != ResponseFault::default()).then(|| Rc::new(response));
    Some(plan)
}

fn time(text: &str) -> Option<Duration> {
    units::duration(text).ok().filter(|time| *time <= LONGEST)
}

fn status_of(text: &str) -> Option<u16> {
    text.parse().ok().filter(|status| (200..=599).contains(status))
}

/// Reads a status of gRPC by its number or its word.
fn grpc_of(text: &str) -> Option<GrpcStatus> {
    let is_it = |(word, status): &&(&str, GrpcStatus)| *word == text || status.code().to_string() == text;
    GrpcStatus::ALL.iter().find(is_it).map(|(_, status)| *status)
}

/// Reads what Envoy's own filter would; none if any of it isn't understood.
fn of_envoy(exchange: &Exchange<'_>, there: &[&str]) -> Option<Plan> {
    // Some of none: it isn't there.
    let number = |name: &str| -> Option<Option<u64>> {
        if !there.contains(&name) {
            return Some(None);
        }
        let value = exchange.header(name).single()?;
        Some(Some(std::str::from_utf8(&value).ok()?.parse().ok()?))
    };
    // A percentage makes a fault rarer, and without one it is certain.
    let happens = |name: &str| {
        number(name).map(|percent| percent.is_none_or(|percent| below(exchange.draw(), 100) < percent))
    };
    let mut plan = Plan::default();
    if let Some(milliseconds) = number(envoy::DELAY)? {
        let delay = Some(Duration::from_millis(milliseconds)).filter(|delay| *delay <= LONGEST)?;
        plan.delay = happens(envoy::DELAY_PERCENT)?.then_some(delay);
    }
    let status = match number(envoy::ABORT)? {
        Some(status) => Some(status_of(&status.to_string())?),
        None => None,
    };
    let grpc = match number(envoy::ABORT_GRPC)? {
        Some(code) => Some(grpc_of(&code.to_string())?),
        None => None,
    };
    if let Some(abort) = Abort::new(status, grpc)
        && happens(envoy::ABORT_PERCENT)?
    {
        plan.end = End::Abort(Rc::new(abort));
    }
    if let Some(kib) = number(envoy::RATE)?
        && happens(envoy::RATE_PERCENT)?
    {
        let rate = kib.checked_mul(1_024).filter(|rate| 0 < *rate)?;
        plan.response = Some(Rc::new(ResponseFault { throttle: Some(rate), ..ResponseFault::default() }));
    }
    Some(plan)
}
