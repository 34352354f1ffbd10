//! What becomes of the response of an upstream.

use std::time::Duration;

use kit::config::{Node, Object, each, or};
use kit::time::Timestamp;

use crate::abort::{header_name, headers};
use crate::body::BodyFault;
use crate::delay::Delay;

/// What becomes of a response.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct ResponseFault {
    pub(crate) delay: Option<Delay>,
    pub(crate) status: Option<u16>,
    pub(crate) set: Vec<(String, String)>,
    pub(crate) remove: Vec<String>,
    pub(crate) body: Option<BodyFault>,
    /// Bytes in a second.
    pub(crate) throttle: Option<u64>,
    pub(crate) empty_trailers: bool,
    /// Whether the client is told the length that the body really has.
    pub(crate) honest_length: bool,
}

impl Default for ResponseFault {
    fn default() -> Self {
        Self {
            delay: None,
            status: None,
            set: Vec::new(),
            remove: Vec::new(),
            body: None,
            throttle: None,
            empty_trailers: false,
            honest_length: true,
        }
    }
}

impl ResponseFault {
    /// Reads what becomes of a response.
    pub(crate) fn parse(node: &Node<'_>) -> Option<Self> {
        let mut object = node.object()?;
        let delay = or(object.optional("delay"), None, |delay| Delay::parse(delay).map(Some));
        let status = or(object.optional("status"), None, |status| status_of(status).map(Some));
        let edits = or(object.optional("headers"), (Vec::new(), Vec::new()), edits);
        let body_node = object.optional("body");
        let body = or(body_node, None, |body| BodyFault::parse(body).map(Some));
        let throttle = or(object.optional("throttle"), None, |rate| rate.size(1..=1 << 40).map(Some));
        let empty_trailers = or(object.optional("empty_trailers"), false, |empty| empty.boolean());
        let honest_length = or(object.optional("honest_length"), true, |honest| honest.boolean());
        object.needs_one_of(
            &["delay", "status", "headers", "body", "throttle", "empty_trailers"],
            "does nothing; give it delay, status, headers, body, throttle or empty_trailers",
        );
        object.finish();
        let (set, remove) = edits?;
        Some(Self {
            delay: delay?,
            status: status?,
            set,
            remove,
            body: body?,
            throttle: throttle?,
            empty_trailers: empty_trailers?,
            honest_length: honest_length?,
        })
    }

    /// Tells whether the client gets something else than the upstream sent, however late.
    pub(crate) fn alters(&self) -> bool {
        self.status.is_some()
            || !self.set.is_empty()
            || !self.remove.is_empty()
            || self.body.is_some()
            || self.empty_trailers
    }

    /// Returns what it does, in words.
    pub(crate) fn words(&self) -> Vec<String> {
        let mut words = Vec::new();
        words.extend(self.status.map(|status| format!("response_status={status}")));
        if !(self.set.is_empty() && self.remove.is_empty()) {
            words.push("response_headers".to_owned());
        }
        words.extend(self.body.as_ref().map(|body| format!("response_body={}", body.word())));
        words.extend(self.throttle.map(|rate| format!("throttle={rate}")));
        if self.empty_trailers {
            words.push("empty_trailers".to_owned());
        }
        words
    }
}

/// Reads a status that a response with a body can have.
fn status_of(node: &Node<'_>) -> Option<u16> {
    let status = u16::try_from(node.integer(200..=599)?).ok()?;
    if matches!(status, 204 | 205 | 304) {
        node.refuse("is a status without a body, and the response may have one");
        return None;
    }
    Some(status)
}

/// Headers to set, and names of those to remove.
type Edits = (Vec<(String, String)>, Vec<String>);

fn edits(node: &Node<'_>) -> Option<Edits> {
    let mut object = node.object()?;
    let set = or(object.optional("set"), Vec::new(), headers);
    let remove = names(&mut object);
    object.needs_one_of(&["set", "remove"], "needs `set`, `remove`, or both");
    object.finish();
    Some((set?, remove?))
}

fn names(object: &mut Object<'_>) -> Option<Vec<String>> {
    or(object.optional("remove"), Vec::new(), |remove| each(&remove.non_empty_list()?, header_name))
}

/// How far a body is ahead of the rate at which it may go.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Pace {
    /// Bytes in a second.
    rate: u64,
    /// When all that came so far may have gone.
    paid: Timestamp,
}

impl Pace {
    /// Begins a body now.
    pub(crate) fn new(rate: u64, now: Timestamp) -> Self {
        Self { rate: rate.max(1), paid: now }
    }

    /// Begins at another instant.
    pub(crate) fn later(self, at: Timestamp) -> Self {
        Self { paid: self.paid.max(at), ..self }
    }

    /// Takes so many bytes, and returns when all that came so far may go.
    ///
    /// Not one byte goes before the rate lets it, so a pause of the upstream is not made up for.
    pub(crate) fn take(&mut self, bytes: usize, now: Timestamp) -> Timestamp {
        let nanos = u128::try_from(bytes).unwrap_or(u128::MAX).saturating_mul(1_000_000_000);
        let nanos = nanos.checked_div(self.rate.into()).unwrap_or(0);
        let time = Duration::from_nanos(u64::try_from(nanos).unwrap_or(u64::MAX));
        self.paid = self.paid.max(now).after(time);
        self.paid
    }
}
