//! How a script runs.

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::time::Duration;

use kit::callout::{Callout, CalloutId, CalloutResponse};
use kit::exchange::Exchange;
use kit::filter::{Chunk, Filter, Step, Stream};
use kit::header::{Field, Lookup};
use kit::host::{Level, Map};
use kit::reply::{Grpc, GrpcStatus, Reply};
use kit::root::Root;
use kit::setup::{Counter, Setup, Tag};
use kit::time::Timestamp;

use crate::script::{Act, Begin, Rule, Script, Wait};

/// How long a stream waits for what may never come.
const DEADLINE: Duration = Duration::from_secs(5);

/// The filter.
pub(crate) struct Probe {
    script: Script,
    tags: Vec<(String, Tag)>,
    started: Counter,
    ended: Counter,
    fetches: Counter,
    woken: Counter,
    root_woken: Counter,
    /// A number that no other worker has.
    worker: Cell<u64>,
    document: RefCell<Option<Vec<u8>>>,
}

impl Probe {
    pub(crate) fn new(script: Script, setup: &mut Setup<'_>) -> Self {
        let mut tags = Vec::new();
        for act in script.rules.iter().flat_map(|rule| rule.request.iter().chain(&rule.response)) {
            if let Act::Tag(name, _) = act {
                tags.push((name.clone(), setup.tag(name)));
            }
        }
        Self {
            tags,
            started: setup.counter("started", &[]),
            ended: setup.counter("ended", &[]),
            fetches: setup.counter("fetches", &[]),
            woken: setup.counter("woken", &[]),
            root_woken: setup.counter("root_woken", &[]),
            worker: Cell::default(),
            document: RefCell::default(),
            script,
        }
    }

    fn fetch(&self, root: &mut Root<'_>) {
        let Some(fetch) = &self.script.fetch else {
            return;
        };
        root.count(self.fetches);
        if root.call(&get(&fetch.cluster, &fetch.path, DEADLINE)).is_none() {
            root.wake_at(root.now().after(fetch.retry));
        }
    }

    fn log(&self, root: &mut Root<'_>, text: &str) {
        if self.script.log {
            root.log(Level::Info, format!("probe {:016x} {text}.", self.worker.get()));
        }
    }
}

impl Filter for Probe {
    fn stream(self: Rc<Self>) -> Box<dyn Stream> {
        Box::new(ProbeStream {
            probe: self,
            rule: None,
            response: false,
            next: 0,
            waiting: None,
            body: Vec::new(),
            whole: false,
            piece: false,
            answer: None,
        })
    }

    fn on_start(&self, root: &mut Root<'_>) {
        self.worker.set(root.draw());
        self.log(root, &format!("has started as {}", root.scope()));
        if let Some(verify) = &self.script.verify {
            self.log(root, &format!("says {:?} of the signature", root.verify_signature(&verify.of(None))));
        }
        match self.script.fetch.as_ref().map(|fetch| fetch.begin) {
            Some(Begin::Start) => self.fetch(root),
            Some(Begin::Wake) => root.wake_at(root.now()),
            Some(Begin::Asked) | None => {}
        }
    }

    fn on_wake(&self, root: &mut Root<'_>) {
        root.count(self.root_woken);
        self.log(root, "was woken");
        self.fetch(root);
    }

    fn on_callout(&self, root: &mut Root<'_>, _: CalloutId, response: &CalloutResponse) {
        self.log(root, &format!("was answered {:?}", response.status()));
        if response.status() == Some(200) {
            self.document.replace(Some(response.body.clone()));
            root.wake_streams();
        } else if let Some(fetch) = &self.script.fetch {
            root.wake_at(root.now().after(fetch.retry));
        }
    }
}

/// One stream, in one of its directions.
struct ProbeStream {
    probe: Rc<Probe>,
    rule: Option<usize>,
    response: bool,
    /// The next step.
    next: usize,
    waiting: Option<Waiting>,
    body: Vec<u8>,
    whole: bool,
    piece: bool,
    answer: Option<Vec<u8>>,
}

/// What the last step waits for.
#[derive(Clone, Copy, Eq, PartialEq)]
enum Waiting {
    For(Wait),
    Until(Timestamp),
    Answer(CalloutId),
}

impl Stream for ProbeStream {
    fn on_request_headers(&mut self, exchange: &mut Exchange<'_>) -> Step {
        let probe = Rc::clone(&self.probe);
        exchange.count(probe.started);
        // Not a lookup of a header: the first of those is the script's.
        let path = exchange.property(&["request", "path"]).unwrap_or_default();
        self.rule = probe.script.rules.iter().position(|rule| path.starts_with(rule.path.as_bytes()));
        self.run(exchange)
    }

    fn on_request_body(&mut self, exchange: &mut Exchange<'_>, chunk: Chunk<'_>) -> Step {
        self.take(exchange, chunk)
    }

    fn on_response_headers(&mut self, exchange: &mut Exchange<'_>) -> Step {
        (self.response, self.next, self.waiting) = (true, 0, None);
        (self.whole, self.piece) = (false, false);
        self.body.clear();
        self.run(exchange)
    }

    fn on_response_body(&mut self, exchange: &mut Exchange<'_>, chunk: Chunk<'_>) -> Step {
        self.take(exchange, chunk)
    }

    fn on_wake(&mut self, exchange: &mut Exchange<'_>) -> Step {
        exchange.count(self.probe.woken);
        self.run(exchange)
    }

    fn on_callout(&mut self, exchange: &mut Exchange<'_>, id: CalloutId, response: &CalloutResponse) -> Step {
        if self.waiting == Some(Waiting::Answer(id)) {
            self.waiting = None;
            let status = response.status().map_or_else(|| "none".to_owned(), |status| status.to_string());
            let mut answer = format!("{status} ").into_bytes();
            answer.extend_from_slice(&response.body);
            self.answer = Some(answer);
        }
        self.run(exchange)
    }

    fn on_end(&mut self, exchange: &mut Exchange<'_>) {
        exchange.count(self.probe.ended);
        if self.probe.script.end {
            let details = exchange.property(&["response", "code_details"]).unwrap_or_default();
            let attempts = exchange.property(&["upstream", "request_attempt_count"]).unwrap_or_default();
            let attempts = attempts.first_chunk::<8>().map_or(0, |bytes| u64::from_le_bytes(*bytes));
            let details = String::from_utf8_lossy(&details).into_owned();
            exchange.log(Level::Info, format!("probe: ended with {details} after {attempts} attempts"));
        }
    }
}

impl ProbeStream {
    fn take(&mut self, exchange: &mut Exchange<'_>, chunk: Chunk<'_>) -> Step {
        self.body.extend_from_slice(chunk.bytes);
        self.piece = true;
        self.whole |= chunk.last;
        self.run(exchange)
    }

    /// Goes on with the script until a step waits, or ends it.
    fn run(&mut self, exchange: &mut Exchange<'_>) -> Step {
        let probe = Rc::clone(&self.probe);
        let Some(rule) = self.rule.and_then(|rule| probe.script.rules.get(rule)) else {
            return Step::Continue;
        };
        loop {
            if let Some(waiting) = self.waiting {
                if let Some(step) = self.still(exchange, waiting) {
                    return step;
                }
                self.waiting = None;
            }
            let Some(act) = self.acts(rule).get(self.next) else {
                return Step::Continue;
            };
            self.next = self.next.saturating_add(1);
            if let Some(step) = self.act(exchange, act) {
                return step;
            }
        }
    }

    fn acts<'a>(&self, rule: &'a Rule) -> &'a [Act] {
        if self.response { &rule.response } else { &rule.request }
    }

    /// Returns what becomes of a stream that still waits; none if it has what it waited for.
    fn still(&mut self, exchange: &mut Exchange<'_>, waiting: Waiting) -> Option<Step> {
        match waiting {
            Waiting::For(Wait::Body) => (!self.whole).then_some(Step::Hold),
            Waiting::For(Wait::Piece) => (!self.piece).then_some(Step::Continue),
            Waiting::For(Wait::Document) => {
                let document = self.probe.document.borrow().clone();
                if document.is_none() {
                    exchange.wake_after(DEADLINE);
                    return Some(Step::Hold);
                }
                self.answer = document;
                None
            }
            Waiting::Until(at) => {
                if exchange.now() < at {
                    exchange.wake_at(at);
                    return Some(Step::Hold);
                }
                None
            }
            Waiting::Answer(_) => Some(Step::Hold),
        }
    }

    /// Does one step; returns what becomes of the stream if that is settled.
    fn act(&mut self, exchange: &mut Exchange<'_>, act: &Act) -> Option<Step> {
        let here = if self.response { Map::Response } else { Map::Request };
        match act {
            Act::Wait(wait) => self.waiting = Some(Waiting::For(*wait)),
            Act::Delay(time) => self.waiting = Some(Waiting::Until(exchange.now().after(*time))),
            Act::Call { cluster, path, timeout } => match exchange.call(&get(cluster, path, *timeout)) {
                Some(id) => {
                    exchange.wake_after(DEADLINE);
                    self.waiting = Some(Waiting::Answer(id));
                }
                None => self.answer = Some(b"not sent".to_vec()),
            },
            Act::Set(map, name, value) => exchange.set_header(*map, name, value.as_bytes()),
            Act::Add(map, name, value) => exchange.add_header(*map, name, value.as_bytes()),
            Act::Remove(map, name) => exchange.remove_header(*map, name),
            Act::Show(of, to) => {
                let text = match exchange.header(of) {
                    Field::Absent => b"absent".to_vec(),
                    Field::One(value) => [b"one:".as_slice(), &value].concat(),
                    Field::Many(values) => [b"many:".as_slice(), &values.join(&b'|')].concat(),
                };
                exchange.set_header(here, to, &text);
            }
            Act::ShowProperty(path, to) => {
                let path: Vec<&str> = path.iter().map(String::as_str).collect();
                let value = exchange.property(&path).unwrap_or_else(|| b"none".to_vec());
                exchange.set_header(here, to, &value);
            }
            Act::ShowBody(to) => exchange.set_header(here, to, &self.body),
            Act::ShowAnswer(to) => exchange.set_header(here, to, self.answer.as_deref().unwrap_or(b"none")),
            Act::ShowWorker(to) => {
                exchange.set_header(here, to, format!("{:016x}", self.probe.worker.get()).as_bytes());
            }
            Act::ShowVerified(to, text) => {
                let good = self.probe.script.verify.as_ref();
                let good = good.and_then(|verify| exchange.verify_signature(&verify.of(text.as_deref())));
                exchange.set_header(here, to, format!("{good:?}").as_bytes());
            }
            Act::WakeFilter => exchange.wake_filter(),
            Act::Tag(name, value) => {
                if let Some((_, tag)) = self.probe.tags.iter().find(|(known, _)| known == name) {
                    exchange.tag(tag, value.as_bytes());
                }
            }
            Act::ReplaceBody(body) => exchange.replace_body(body.clone().into_bytes()),
            Act::Reply(status, body) => {
                return Some(Step::Reply(Box::new(reply(*status, body.clone().into_bytes()))));
            }
            Act::ReplyAnswer => {
                return Some(Step::Reply(Box::new(reply(200, self.answer.clone().unwrap_or_default()))));
            }
            Act::Reset => return Some(Step::Reset),
            Act::Status(status) => {
                if exchange.status() != Some(*status) {
                    self.next = usize::MAX;
                }
            }
            Act::Trap => deliberate_trap(),
        }
        None
    }
}

/// Takes the VM down, as a defect would.
#[inline(never)]
#[expect(clippy::panic, reason = "the tests ask for it")]
fn deliberate_trap() {
    panic!("the script says so");
}

fn get(cluster: &str, path: &str, timeout: Duration) -> Callout {
    let headers = [(":method", "GET"), (":path", path), (":authority", "probe")];
    Callout {
        cluster: cluster.to_owned(),
        headers: headers.map(|(name, value)| (name.to_owned(), value.to_owned())).to_vec(),
        body: Vec::new(),
        timeout,
        max_body: 1 << 20,
    }
}

fn reply(status: u16, body: Vec<u8>) -> Reply {
    Reply {
        status,
        details: "sluice_probe",
        headers: vec![("content-type".into(), b"text/plain".to_vec())],
        body,
        grpc: Grpc { status: GrpcStatus::ResourceExhausted, message: "the script says so".into() },
    }
}
