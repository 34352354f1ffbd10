//! A policy: which requests, how often, on what, for how long, and out of which budget.

use std::time::Duration;

use kit::config::{Node, Object, each, or};
use kit::header::parse_name;
use kit::matcher::Matcher;
use kit::rule::Mode;
use kit::time::nanos;

use super::conditions::{self, Conditions};
use crate::budget::Budget;
use crate::deadline::Deadline;
use crate::request;
use crate::wait::Responses;

/// The longest time that can be stated, in which everything is over.
const LONGEST: Duration = Duration::from_secs(24 * 60 * 60);

/// One policy.
#[derive(Debug)]
pub(crate) struct Policy {
    pub(crate) name: String,
    pub(crate) mode: Mode,
    pub(crate) matcher: Matcher,
    /// How a request is tried again; none if it never is.
    pub(crate) tries: Option<Tries>,
    /// All tries together, and the most that a deadline of a client may ask for.
    pub(crate) timeout: Option<Duration>,
    pub(crate) deadline: Option<Deadline>,
    pub(crate) response: Option<Responses>,
}

/// How a request is tried again.
#[derive(Debug)]
pub(crate) struct Tries {
    /// Whether only those are that do no more the second time.
    pub(crate) only_safe: bool,
    pub(crate) budget: Option<Budget>,
    /// What the router is told, beside the timeout.
    pub(crate) headers: Vec<(&'static str, Vec<u8>)>,
}

impl Policy {
    /// Reads a policy; every problem is recorded at its node.
    pub(super) fn parse(node: &Node<'_>, default_mode: Mode) -> Option<Self> {
        let mut object = node.object()?;
        let name = object.required("name").and_then(|name| name.name());
        let mode = or(object.optional("mode"), default_mode, Mode::parse);
        let matcher = or(object.optional("match"), Matcher::any(), |matcher| Matcher::parse(matcher));
        let attempts = object.required("attempts").and_then(|attempts| attempts.integer(1..=10));
        let timeout_node = object.optional("timeout");
        let timeout = or(timeout_node.clone(), None, |timeout| milliseconds(timeout).map(Some));
        let tries = Tries::parse(&mut object, attempts, timeout.flatten());
        let deadline_node = object.optional("deadline");
        let deadline = or(deadline_node.clone(), None, |deadline| Deadline::parse(deadline).map(Some));
        let response = or(object.optional("response"), None, |response| Responses::parse(response).map(Some));
        object.finish();
        if let (Some(deadline), None) = (&deadline_node, &timeout_node) {
            deadline.refuse(
                "needs a `timeout` beside it: the most that the deadline of a client may ask for, or anybody could \
                 make the upstream work for hours",
            );
        }
        Some(Self {
            name: name?.to_owned(),
            mode: mode?,
            matcher: matcher?,
            tries: tries?,
            timeout: timeout?,
            deadline: deadline?,
            response: response?,
        })
    }
}

impl Tries {
    /// Reads the fields that are about trying again.
    fn parse(
        object: &mut Object<'_>,
        attempts: Option<u64>,
        timeout: Option<Duration>,
    ) -> Option<Option<Self>> {
        let on_node = object.optional("on");
        let on = or(on_node.clone(), Conditions::default(), Conditions::parse);
        let codes_node = object.optional("status_codes");
        let codes = or(codes_node.clone(), Vec::new(), |codes| {
            each(&codes.non_empty_list()?, |code| code.integer(400..=599))
        });
        let names_node = object.optional("header_names");
        let names = or(names_node.clone(), Vec::new(), |names| each(&names.non_empty_list()?, parse_name));
        let per_try_node = object.optional("per_try_timeout");
        let per_try = or(per_try_node.clone(), None, |per_try| milliseconds(per_try).map(Some));
        let hedge_node = object.optional("hedge");
        let hedge = or(hedge_node.clone(), false, |hedge| hedge.boolean());
        let safe_node = object.optional("only_safe");
        let only_safe = or(safe_node.clone(), true, |safe| safe.boolean());
        let budget_node = object.optional("budget");
        let budget = or(budget_node.clone(), Some(Budget::DEFAULT), Budget::parse);
        if attempts == Some(1) {
            let fields =
                [&on_node, &codes_node, &names_node, &per_try_node, &hedge_node, &safe_node, &budget_node];
            for field in fields.into_iter().flatten() {
                field.refuse("has no effect with `attempts: 1`, which tries nothing again");
            }
            return Some(None);
        }
        let (mut on, codes, names) = (on?, codes?, names?);
        let lists = [
            (&codes_node, conditions::STATUS_CODES, "status_codes"),
            (&names_node, conditions::HEADERS, "header_names"),
        ];
        for (list, word, field) in lists {
            if list.is_some() {
                on.add(word);
            } else if let (Some(node), true) = (&on_node, on.http.contains(&word)) {
                node.refuse(format!("has {word}, and the policy no `{field}` that say which"));
            }
        }
        let (per_try, hedge) = (per_try?, hedge?);
        if let (Some(node), Some(per_try), Some(timeout)) = (&per_try_node, per_try, timeout)
            && timeout < per_try
        {
            node.refuse("is longer than the `timeout` of all tries together");
        }
        if let (Some(node), true, None) = (&hedge_node, hedge, &per_try_node) {
            node.refuse("needs a `per_try_timeout`, after which the next try is sent beside the first");
        }
        let attempts = attempts?;
        let joined = |words: &[String]| (!words.is_empty()).then(|| words.join(",").into_bytes());
        let texts = |words: &[&str]| words.iter().map(|word| (*word).to_owned()).collect::<Vec<String>>();
        let numbers: Vec<String> = codes.iter().map(u64::to_string).collect();
        let headers = [
            (request::RETRY_ON, joined(&texts(&on.http))),
            (request::RETRY_GRPC_ON, joined(&texts(&on.grpc))),
            (request::MAX_RETRIES, Some(attempts.saturating_sub(1).to_string().into_bytes())),
            (request::STATUS_CODES, joined(&numbers)),
            (request::HEADER_NAMES, joined(&names)),
            (request::PER_TRY_TIMEOUT, per_try.map(|per_try| per_try.as_millis().to_string().into_bytes())),
            (request::HEDGE, hedge.then(|| b"true".to_vec())),
        ];
        let headers = headers.into_iter().filter_map(|(name, value)| Some((name, value?))).collect();
        Some(Some(Self { only_safe: only_safe?, budget: budget?, headers }))
    }
}

/// Reads a duration in whole milliseconds, which is what the router counts in.
fn milliseconds(node: &Node<'_>) -> Option<Duration> {
    let duration = node.duration(Duration::from_millis(1)..=LONGEST)?;
    if !nanos(duration).is_multiple_of(1_000_000) {
        node.refuse("is finer than a millisecond, which is what the router counts in");
        return None;
    }
    Some(duration)
}
