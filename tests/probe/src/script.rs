//! What a script says.

use std::ops::RangeInclusive;
use std::time::Duration;

use kit::config::{Node, each};
use kit::host::{Map, Signature};
use kit::secret::Secret;
use kit::setup::Setup;

/// Any time.
const ANY: RangeInclusive<Duration> = Duration::ZERO..=Duration::MAX;

/// The whole configuration.
pub(crate) struct Script {
    pub(crate) fetch: Option<Fetch>,
    pub(crate) verify: Option<Verify>,
    pub(crate) end: bool,
    pub(crate) log: bool,
    pub(crate) rules: Vec<Rule>,
}

/// A document that the root fetches.
pub(crate) struct Fetch {
    pub(crate) cluster: String,
    pub(crate) path: String,
    pub(crate) retry: Duration,
    pub(crate) begin: Begin,
}

/// When the root fetches its document first.
#[derive(Clone, Copy, Eq, PartialEq)]
pub(crate) enum Begin {
    /// When it starts.
    Start,
    /// When it is woken for the first time, as soon as it can be.
    Wake,
    /// When a stream asks for it.
    Asked,
}

/// A signature that the root has checked when it starts, and streams when they say so.
pub(crate) struct Verify {
    hash: &'static str,
    key: Secret,
    signature: Secret,
    text: Secret,
}

/// What is done to a request whose path begins so, and to its response.
pub(crate) struct Rule {
    pub(crate) path: String,
    pub(crate) request: Vec<Act>,
    pub(crate) response: Vec<Act>,
}

/// One step.
pub(crate) enum Act {
    /// Waits.
    Wait(Wait),
    /// Waits for this time.
    Delay(Duration),
    /// Sends a callout and waits for its answer.
    Call { cluster: String, path: String, timeout: Duration },
    /// Replaces a header.
    Set(Map, String, String),
    /// Adds a header.
    Add(Map, String, String),
    /// Removes a header.
    Remove(Map, String),
    /// Says in a header of the message how a header of the request looks.
    Show(String, String),
    /// Says in a header of the message what the property is.
    ShowProperty(Vec<String>, String),
    /// Says in a header of the message what its body is, as far as it was seen.
    ShowBody(String),
    /// Says in a header of the message what the callout or the document said.
    ShowAnswer(String),
    /// Says in a header of the message which worker this is.
    ShowWorker(String),
    /// Says in a header of the message what the host thinks of the signature, with this text if there is one.
    ShowVerified(String, Option<String>),
    /// Has the root woken.
    WakeFilter,
    /// Publishes a value.
    Tag(String, String),
    /// Replaces the body that is held.
    ReplaceBody(String),
    /// Answers.
    Reply(u16, String),
    /// Answers with what the callout said.
    ReplyAnswer,
    /// Breaks off.
    Reset,
    /// Goes on only if the response has this status.
    Status(u16),
    /// Panics.
    Trap,
}

/// What a script can wait for.
#[derive(Clone, Copy, Eq, PartialEq)]
pub(crate) enum Wait {
    /// The whole body, headers held.
    Body,
    /// The first piece of the body; the headers go on.
    Piece,
    /// The document of the root.
    Document,
}

impl Script {
    pub(crate) fn parse(node: &Node<'_>, setup: &Setup<'_>) -> Option<Self> {
        let mut object = node.object()?;
        let fetch = object.optional("fetch").map(|node| Fetch::parse(&node));
        let verify = object.optional("verify").map(|node| Verify::parse(&node, setup));
        let end = object.optional("end").map(|node| node.boolean());
        let log = object.optional("log").map(|node| node.boolean());
        let rules = object.optional("rules").map(|node| each(&node.list()?, Rule::parse));
        object.finish();
        Some(Self {
            fetch: flip(fetch)?,
            verify: flip(verify)?,
            end: flip(end)?.unwrap_or(false),
            log: flip(log)?.unwrap_or(false),
            rules: flip(rules)?.unwrap_or_default(),
        })
    }
}

impl Fetch {
    fn parse(node: &Node<'_>) -> Option<Self> {
        let mut object = node.object()?;
        let cluster = object.required("cluster").and_then(|node| text(&node));
        let path = object.required("path").and_then(|node| text(&node));
        let retry = object.required("retry").and_then(|node| node.duration(ANY));
        let options = [("start", Begin::Start), ("wake", Begin::Wake), ("asked", Begin::Asked)];
        let begin = object.optional("begin").map(|node| node.choice(&options));
        object.finish();
        let begin = flip(begin)?.unwrap_or(Begin::Start);
        Some(Self { cluster: cluster?, path: path?, retry: retry?, begin })
    }
}

impl Verify {
    fn parse(node: &Node<'_>, setup: &Setup<'_>) -> Option<Self> {
        let mut object = node.object()?;
        let options = [("sha256", "sha256"), ("sha-256", "sha-256")];
        let hash = object.required("hash").and_then(|node| node.choice(&options));
        let mut bytes = |name| object.required(name).and_then(|node| Secret::parse(&node, setup));
        let (key, signature, text) = (bytes("key"), bytes("signature"), bytes("text"));
        object.finish();
        Some(Self { hash: hash?, key: key?, signature: signature?, text: text? })
    }

    /// Returns the signature, with another text if there is one.
    pub(crate) fn of<'a>(&'a self, text: Option<&'a str>) -> Signature<'a> {
        Signature {
            hash: self.hash,
            key: self.key.bytes(),
            signature: self.signature.bytes(),
            text: text.map_or(self.text.bytes(), str::as_bytes),
        }
    }
}

impl Rule {
    fn parse(node: &Node<'_>) -> Option<Self> {
        let mut object = node.object()?;
        let path = object.required("path").and_then(|node| text(&node));
        let request = object.optional("request").map(|node| each(&node.list()?, Act::parse));
        let response = object.optional("response").map(|node| each(&node.list()?, Act::parse));
        object.finish();
        Some(Self {
            path: path?,
            request: flip(request)?.unwrap_or_default(),
            response: flip(response)?.unwrap_or_default(),
        })
    }
}

impl Act {
    fn parse(node: &Node<'_>) -> Option<Self> {
        let object = node.object()?;
        let entries = object.entries();
        let [(name, value)] = entries.as_slice() else {
            node.refuse("is not one step");
            return None;
        };
        Some(match *name {
            "wait" => {
                let options = [("body", Wait::Body), ("piece", Wait::Piece), ("document", Wait::Document)];
                Self::Wait(value.choice(&options)?)
            }
            "delay" => Self::Delay(value.duration(ANY)?),
            "call" => {
                let mut call = value.object()?;
                let cluster = call.required("cluster").and_then(|node| text(&node));
                let path = call.required("path").and_then(|node| text(&node));
                let timeout = call.optional("timeout").map(|node| node.duration(ANY));
                call.finish();
                let timeout = flip(timeout)?.unwrap_or(Duration::from_secs(5));
                Self::Call { cluster: cluster?, path: path?, timeout }
            }
            "set" => {
                let (map, name, to) = header(value)?;
                Self::Set(map, name, to?)
            }
            "add" => {
                let (map, name, to) = header(value)?;
                Self::Add(map, name, to?)
            }
            "remove" => {
                let (map, name, _) = header(value)?;
                Self::Remove(map, name)
            }
            "show" => {
                let (from, to) = pair(value)?;
                Self::Show(from, to)
            }
            "show_property" => {
                let (from, to) = pair(value)?;
                Self::ShowProperty(from.split('/').map(str::to_owned).collect(), to)
            }
            "show_body" => Self::ShowBody(text(value)?),
            "show_answer" => Self::ShowAnswer(text(value)?),
            "show_worker" => Self::ShowWorker(text(value)?),
            "show_verified" => {
                let mut show = value.object()?;
                let to = show.required("to").and_then(|node| text(&node));
                let other = show.optional("text").and_then(|node| text(&node));
                show.finish();
                Self::ShowVerified(to?, other)
            }
            "wake_filter" => Self::WakeFilter,
            "tag" => {
                let (name, to) = pair(value)?;
                Self::Tag(name, to)
            }
            "replace_body" => Self::ReplaceBody(text(value)?),
            "reply" => {
                let mut reply = value.object()?;
                let status = reply.required("status").and_then(|node| node.integer(200..=599));
                let body = reply.optional("body").map(|node| text(&node));
                reply.finish();
                Self::Reply(u16::try_from(status?).ok()?, flip(body)?.unwrap_or_default())
            }
            "reply_answer" => Self::ReplyAnswer,
            "reset" => Self::Reset,
            "status" => Self::Status(u16::try_from(value.integer(100..=599)?).ok()?),
            "trap" => Self::Trap,
            _ => {
                value.refuse("is not a step");
                return None;
            }
        })
    }
}

/// Reads `{request: <name>, to: <value>}` or the same with `response`.
fn header(node: &Node<'_>) -> Option<(Map, String, Option<String>)> {
    let mut object = node.object()?;
    let request = object.optional("request").and_then(|node| text(&node));
    let response = object.optional("response").and_then(|node| text(&node));
    let to = object.optional("to").and_then(|node| text(&node));
    object.finish();
    match (request, response) {
        (Some(name), None) => Some((Map::Request, name, to)),
        (None, Some(name)) => Some((Map::Response, name, to)),
        (None, None) | (Some(_), Some(_)) => None,
    }
}

/// Reads `{of: <name>, to: <name>}`.
fn pair(node: &Node<'_>) -> Option<(String, String)> {
    let mut object = node.object()?;
    let of = object.required("of").and_then(|node| text(&node));
    let to = object.required("to").and_then(|node| text(&node));
    object.finish();
    Some((of?, to?))
}

fn text(node: &Node<'_>) -> Option<String> {
    node.text().map(str::to_owned)
}

/// Tells a field that isn't there from one that can't be read.
fn flip<T>(field: Option<Option<T>>) -> Option<Option<T>> {
    match field {
        None => Some(None),
        Some(None) => None,
        Some(Some(value)) => Some(Some(value)),
    }
}
