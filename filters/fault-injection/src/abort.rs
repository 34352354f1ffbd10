//! A request that is answered in place of its upstream.

use std::borrow::Cow;
use std::fmt::Write as _;

use kit::config::{Node, each, or};
use kit::exchange::Exchange;
use kit::header::{Field, Lookup as _, parse_name};
use kit::reply::{Grpc, GrpcStatus, Reply};

use crate::status::{grpc_of, http_of};

/// What `%RESPONSE_CODE_DETAILS%` says of it.
pub(crate) const DETAILS: &str = "sluice_fault_injection_abort";

/// The answer.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Abort {
    status: u16,
    /// What a gRPC client gets in its place.
    grpc: GrpcStatus,
    message: String,
    headers: Vec<(String, String)>,
    body: Template,
    content_type: String,
    /// How it is called in stamps and tags: `503`, `UNAVAILABLE`.
    word: String,
}

impl Abort {
    /// Reads an answer: a `status`, a `grpc_status`, or both.
    pub(crate) fn parse(node: &Node<'_>) -> Option<Self> {
        let mut object = node.object()?;
        let status = or(object.optional("status"), None, |status| status.integer(200..=599).map(Some));
        let grpc =
            or(object.optional("grpc_status"), None, |status| status.choice(GrpcStatus::ALL).map(Some));
        let message = or(object.optional("message"), None, |message| visible(message).map(Some));
        let headers_node = object.optional("headers");
        let headers = or(headers_node.clone(), Vec::new(), headers);
        let body = or(object.optional("body"), None, |body| body.text().map(Some));
        let content_type = or(object.optional("content_type"), None, |kind| visible(kind).map(Some));
        object.needs_one_of(&["status", "grpc_status"], "needs `status`, `grpc_status`, or both");
        object.finish();
        let status = match status? {
            Some(status) => Some(u16::try_from(status).ok()?),
            None => None,
        };
        let mut abort = Self::new(status, grpc?)?;
        let (kinds, headers): (Vec<_>, Vec<_>) =
            headers?.into_iter().partition(|(name, _)| name == "content-type");
        if let Some(message) = message? {
            abort.message = message;
        }
        if let Some(body) = body? {
            abort.body = Template::new(body);
        }
        // One of each: who gets two makes of them what he likes.
        let mut kinds = kinds.into_iter().map(|(_, kind)| kind).chain(content_type?);
        if let Some(kind) = kinds.next() {
            abort.content_type = kind;
        }
        if let (Some(node), Some(_)) = (&headers_node, kinds.next()) {
            node.refuse("has a `content-type`, and the abort another one; say it once");
        }
        let grpc = |(name, _): &(String, String)| name == "grpc-status" || name == "grpc-message";
        if let Some(node) = headers_node.filter(|_| headers.iter().any(grpc)) {
            node.refuse("has the status of gRPC, which is what `grpc_status` and `message` say");
        }
        abort.headers = headers;
        Some(abort)
    }

    /// Makes the answer for a status, of HTTP or of gRPC; each has a counterpart of the other. None without either.
    pub(crate) fn new(status: Option<u16>, grpc: Option<GrpcStatus>) -> Option<Self> {
        let mut words = Vec::new();
        words.extend(status.map(|status| status.to_string()));
        words.extend(grpc.map(|grpc| grpc.word().to_owned()));
        Some(Self {
            status: status.or_else(|| grpc.map(http_of))?,
            grpc: grpc.or_else(|| status.map(grpc_of))?,
            message: "fault injected".to_owned(),
            headers: Vec::new(),
            body: Template::new("fault injected: {experiment}\n"),
            content_type: "text/plain".to_owned(),
            word: words.join("/"),
        })
    }

    /// Returns how it is called.
    pub(crate) fn word(&self) -> &str {
        &self.word
    }

    /// Makes the answer to a request.
    pub(crate) fn reply(
        &self,
        exchange: &Exchange<'_>,
        experiment: &str,
        stamp: Option<(&str, &[u8])>,
    ) -> Reply {
        let mut headers: Vec<(Cow<'static, str>, Vec<u8>)> = Vec::new();
        let has_body = !matches!(self.status, 204 | 205 | 304);
        if has_body {
            headers.push(("content-type".into(), self.content_type.as_bytes().to_vec()));
        }
        if self.headers.iter().all(|(name, _)| name != "cache-control") {
            headers.push(("cache-control".into(), b"no-store".to_vec()));
        }
        let own = self.headers.iter().map(|(name, value)| (name.as_str(), value.as_bytes()));
        for (name, value) in own.chain(stamp) {
            headers.push((name.to_owned().into(), value.to_vec()));
        }
        Reply {
            status: self.status,
            details: DETAILS,
            headers,
            body: if has_body { self.body.fill(exchange, experiment).into_bytes() } else { Vec::new() },
            grpc: Grpc { status: self.grpc, message: self.message.clone().into() },
        }
    }
}

/// Reads headers to set: a list of `{name, value}`.
pub(crate) fn headers(node: &Node<'_>) -> Option<Vec<(String, String)>> {
    each(&node.non_empty_list()?, |node| {
        let mut object = node.object()?;
        let name = object.required("name").and_then(|name| header_name(&name));
        let value = object.required("value").and_then(|value| visible(&value));
        object.finish();
        Some((name?, value?))
    })
}

/// Reads the name of a header that may be set or removed.
pub(crate) fn header_name(node: &Node<'_>) -> Option<String> {
    let name = parse_name(node)?;
    let framing =
        ["connection", "content-length", "keep-alive", "te", "trailer", "transfer-encoding", "upgrade"];
    if framing.contains(&name.as_str()) {
        node.refuse(format!("{name:?} says where a message ends, which is the proxy's affair"));
        return None;
    }
    Some(name)
}

/// Reads a text that can be the value of a header.
fn visible(node: &Node<'_>) -> Option<String> {
    let text = node.text()?;
    if !text.bytes().all(|byte| byte == b'\t' || (b' '..=b'~').contains(&byte)) {
        node.refuse("must be plain ASCII without line breaks");
        return None;
    }
    Some(text.to_owned())
}

/// A body with places that are filled from the request.
#[derive(Clone, Debug, Eq, PartialEq)]
struct Template(Vec<Part>);

#[derive(Clone, Debug, Eq, PartialEq)]
enum Part {
    Text(String),
    Experiment,
    Header(&'static str),
}

/// How many bytes of a request a place takes.
const LONGEST: usize = 1_024;

impl Template {
    /// Takes a text as it is but for the places that are known: other braces, such as those of JSON, are text.
    fn new(text: &str) -> Self {
        const PLACES: [(&str, Part); 3] = [
            ("{experiment}", Part::Experiment),
            ("{path}", Part::Header(":path")),
            ("{request_id}", Part::Header("x-request-id")),
        ];
        let mut parts = Vec::new();
        let mut rest = text;
        while !rest.is_empty() {
            let next = PLACES.iter().filter_map(|(name, part)| Some((rest.find(name)?, name, part)));
            match next.min_by_key(|(at, ..)| *at) {
                Some((at, name, part)) => {
                    let (before, after) = rest.split_at_checked(at).unwrap_or((rest, ""));
                    if !before.is_empty() {
                        parts.push(Part::Text(before.to_owned()));
                    }
                    parts.push(part.clone());
                    rest = after.strip_prefix(name).unwrap_or("");
                }
                None => {
                    parts.push(Part::Text(rest.to_owned()));
                    rest = "";
                }
            }
        }
        Self(parts)
    }

    fn fill(&self, exchange: &Exchange<'_>, experiment: &str) -> String {
        let mut body = String::new();
        for part in &self.0 {
            match part {
                Part::Text(text) => body.push_str(text),
                Part::Experiment => body.push_str(experiment),
                Part::Header(name) => {
                    if let Field::One(value) = exchange.header(name) {
                        quote(&mut body, &value);
                    }
                }
            }
        }
        body
    }
}

/// Adds bytes of a request, so that they mean nothing in text, JSON or HTML: all but a few are percent-encoded.
fn quote(body: &mut String, value: &[u8]) {
    for byte in value.iter().take(LONGEST) {
        if byte.is_ascii_alphanumeric() || b"/-._~?=%:".contains(byte) {
            body.push(char::from(*byte));
        } else if write!(body, "%{byte:02X}").is_err() {
            // Writing to a String can't fail.
            return;
        }
    }
}
