//! The test bench: a filter under a clock one sets, requests as HTTP text in, decisions as text out.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::rc::Rc;
use std::time::Duration;

use crate::callout::{Callout, CalloutId, CalloutResponse};
use crate::chain::{Chain, ChainRoot, ChainStream, Verdict};
use crate::draw::Draws;
use crate::filter::Kind;
use crate::header::{Field, HeaderMap, Lookup};
use crate::host::{Direction, Effect, Host, Level, Map, Signature};
use crate::module::{Form, Module};
use crate::reply::Reply;
use crate::setup::Metrics;
use crate::store::Store;
use crate::store::memory::Memory;
use crate::time::Timestamp;

/// The instant at which every test begins: 2026-01-01T00:00:00Z.
pub const START: Timestamp = Timestamp::from_seconds(1_767_225_600);

/// A process in memory: the clock, the store, and what the proxy knows of one stream at a time.
#[derive(Default)]
pub struct World {
    now: Cell<Timestamp>,
    /// How far the clock goes with each look at it.
    pace: Cell<Duration>,
    draws: Option<Draws>,
    fixed_draw: Cell<u64>,
    store: Memory,
    request: RefCell<HeaderMap>,
    response: RefCell<HeaderMap>,
    response_trailers: RefCell<HeaderMap>,
    properties: RefCell<BTreeMap<String, Vec<u8>>>,
    bodies: RefCell<[Vec<u8>; 2]>,
    callouts: RefCell<Vec<Callout>>,
    lookups: Cell<usize>,
    environment: RefCell<BTreeMap<String, String>>,
    verifier: RefCell<Option<Box<Verifier>>>,
}

/// A host's check of signatures.
type Verifier = dyn Fn(&Signature<'_>) -> Option<bool>;

impl World {
    /// Makes a process in which tests begin, and a client with an address.
    pub fn new() -> Self {
        let world = Self { now: Cell::new(START), ..Self::default() };
        world.set_property(&["source", "address"], b"203.0.113.7:50000");
        world
    }

    /// Returns the shared state.
    pub fn memory(&self) -> &Memory {
        &self.store
    }

    /// Lets time pass.
    pub fn pass(&self, time: Duration) {
        self.now.set(self.now.get().after(time));
    }

    /// Makes the clock go on by this much with each look at it.
    pub fn run_clock(&self, pace: Duration) {
        self.pace.set(pace);
    }

    /// Turns the clock back.
    pub fn turn_back(&self, time: Duration) {
        self.now.set(self.now.get().before(time));
    }

    /// Sets what the next draws are.
    pub fn fix_draw(&self, draw: u64) {
        self.fixed_draw.set(draw);
    }

    /// Sets a property by the segments of its path.
    pub fn set_property(&self, path: &[&str], value: &[u8]) {
        self.properties.borrow_mut().insert(path.join("\0"), value.to_vec());
    }

    /// Sets an environment variable of the modules that are configured after this.
    pub fn set_environment(&self, name: &str, value: &str) {
        self.environment.borrow_mut().insert(name.to_owned(), value.to_owned());
    }

    /// Makes this a host that checks signatures so; until then it checks none.
    pub fn verify_with(&self, verifier: impl Fn(&Signature<'_>) -> Option<bool> + 'static) {
        self.verifier.replace(Some(Box::new(verifier)));
    }

    /// Returns how many lookups reached the host.
    pub fn lookups(&self) -> usize {
        self.lookups.get()
    }

    /// Returns the callouts that were sent.
    pub fn callouts(&self) -> Vec<Callout> {
        self.callouts.borrow().clone()
    }

    fn looked_up(&self) {
        self.lookups.set(self.lookups.get().saturating_add(1));
    }

    fn map(&self, map: Map) -> &RefCell<HeaderMap> {
        match map {
            Map::Request | Map::RequestTrailers => &self.request,
            Map::Response => &self.response,
            Map::ResponseTrailers => &self.response_trailers,
        }
    }

    fn apply(&self, effect: &Effect) {
        match effect {
            Effect::SetHeader(map, name, value) => self.map(*map).borrow_mut().set(name, value),
            Effect::AddHeader(map, name, value) => self.map(*map).borrow_mut().add(name, value),
            Effect::RemoveHeader(map, name) => self.map(*map).borrow_mut().remove(name),
            Effect::Tag(name, value) => {
                self.properties.borrow_mut().insert((**name).to_owned(), value.to_vec());
            }
            Effect::ReplaceBody(direction, bytes) => {
                let [request, response] = &mut *self.bodies.borrow_mut();
                match direction {
                    Direction::Request => request.clone_from(bytes),
                    Direction::Response => response.clone_from(bytes),
                }
            }
            Effect::Count(..)
            | Effect::Add(..)
            | Effect::Set(..)
            | Effect::Record(..)
            | Effect::ClearRoute
            | Effect::WakeFilter(_)
            | Effect::Log(..) => {}
        }
    }
}

impl Host for World {
    fn now(&self) -> Timestamp {
        let now = self.now.get();
        self.now.set(now.after(self.pace.get()));
        now
    }

    fn draw(&self) -> u64 {
        self.draws.as_ref().map_or(self.fixed_draw.get(), Draws::next)
    }

    fn secret(&self) -> u64 {
        0x5ec2_e700_5ec2_e700
    }

    fn headers(&self, map: Map) -> HeaderMap {
        self.looked_up();
        self.map(map).borrow().clone()
    }

    fn first_header(&self, map: Map, name: &str) -> Option<Vec<u8>> {
        self.looked_up();
        self.map(map).borrow().field(name).values().first().cloned()
    }

    fn property(&self, path: &[&str]) -> Option<Vec<u8>> {
        self.looked_up();
        self.properties.borrow().get(&path.join("\0")).cloned()
    }

    fn body(&self, direction: Direction, start: usize, length: usize) -> Vec<u8> {
        self.lookups.set(self.lookups.get().saturating_add(1));
        let [request, response] = &*self.bodies.borrow();
        let body = match direction {
            Direction::Request => request,
            Direction::Response => response,
        };
        body.iter().skip(start).take(length).copied().collect()
    }

    fn store(&self) -> &dyn Store {
        &self.store
    }

    fn call(&self, callout: &Callout) -> Option<CalloutId> {
        if callout.cluster == "absent" {
            return None;
        }
        let mut callouts = self.callouts.borrow_mut();
        callouts.push(callout.clone());
        u32::try_from(callouts.len()).ok().map(CalloutId)
    }

    fn verify_signature(&self, signature: &Signature<'_>) -> Option<bool> {
        self.verifier.borrow().as_ref().and_then(|verify| verify(signature))
    }
}

/// A request to look things up in, without a filter around it.
impl Lookup for World {
    fn header(&self, name: &str) -> Field {
        self.request.borrow().field(name)
    }

    fn property(&self, path: &[&str]) -> Option<Vec<u8>> {
        Host::property(self, path)
    }
}

/// A configured filter in a [`World`].
pub struct Bench {
    /// The process around it.
    pub world: Rc<World>,
    chain: Rc<Chain>,
    worker: Rc<Worker>,
}

/// What the streams of a filter share: its root and its counters.
struct Worker {
    root: RefCell<ChainRoot>,
    metrics: Metrics,
    counters: RefCell<BTreeMap<String, u64>>,
    gauges: RefCell<BTreeMap<String, i64>>,
    /// What the root did, a line each.
    did: RefCell<Vec<String>>,
}

impl Bench {
    /// Configures a filter.
    ///
    /// # Errors
    ///
    /// The problems, as an operator reads them.
    pub fn new(kind: &'static Kind, config: &str) -> Result<Self, String> {
        Self::within(&Rc::new(World::new()), std::slice::from_ref(kind), Form::Single, config)
    }

    /// Configures a module in a process that is there already: another worker, or a new configuration.
    ///
    /// # Errors
    ///
    /// The problems, as an operator reads them.
    pub fn within(
        world: &Rc<World>,
        kinds: &'static [Kind],
        form: Form,
        config: &str,
    ) -> Result<Self, String> {
        Self::named(world, kinds, form, config, "plugin")
    }

    /// The same for a plugin of this name.
    ///
    /// # Errors
    ///
    /// The problems, as an operator reads them.
    pub fn named(
        world: &Rc<World>,
        kinds: &'static [Kind],
        form: Form,
        config: &str,
        plugin: &str,
    ) -> Result<Self, String> {
        let configured = Module { kinds, form }
            .configure(config.as_bytes(), &[plugin.as_bytes()], &|name| {
                world.environment.borrow().get(name).cloned()
            })
            .map_err(|problems| problems.to_string())?;
        Ok(Self {
            world: Rc::clone(world),
            worker: Rc::new(Worker {
                root: RefCell::new(ChainRoot::new(Rc::clone(&configured.chain))),
                metrics: configured.metrics,
                counters: RefCell::default(),
                gauges: RefCell::default(),
                did: RefCell::default(),
            }),
            chain: configured.chain,
        })
    }

    /// Starts the filters outside of streams. Returns those whose waiting streams are to be woken: [`Sent::hurry`].
    pub fn start(&self) -> Vec<usize> {
        self.on_root(|root, world, effects| root.start(world, effects))
    }

    /// Wakes what is due outside of streams, and returns as [`Bench::start`].
    pub fn wake_root(&self) -> Vec<usize> {
        let now = self.world.now.get();
        self.on_root(|root, world, effects| root.wake(world, now, effects))
    }

    /// Answers a callout of the root, and returns as [`Bench::start`]. Without a status, the connection broke.
    pub fn answer_root(&self, id: u32, status: &str, headers: &[(&str, &str)], body: &[u8]) -> Vec<usize> {
        let status = (!status.is_empty()).then_some((":status", status));
        let headers = HeaderMap::new(status.into_iter().chain(headers.iter().copied()));
        let response = CalloutResponse { headers, body: body.to_vec(), size: body.len() };
        self.on_root(|root, world, effects| root.callout(world, CalloutId(id), &response, effects))
    }

    /// Returns the instant at which the root wants to be woken.
    pub fn root_next_wake(&self) -> Option<Timestamp> {
        self.worker.root.borrow().next_wake()
    }

    /// Returns all that the root did since the last look, a line each.
    pub fn root_text(&self) -> String {
        self.worker.did.take().into_iter().map(|line| line + "\n").collect()
    }

    fn on_root(&self, act: impl FnOnce(&mut ChainRoot, &World, &mut Vec<Effect>)) -> Vec<usize> {
        let mut effects = Vec::new();
        let mut root = self.worker.root.borrow_mut();
        act(&mut root, &self.world, &mut effects);
        let did = effects.iter().filter_map(|effect| self.worker.describe(effect));
        self.worker.did.borrow_mut().extend(did);
        root.take_hurried()
    }

    /// Returns the root of the chain.
    pub fn root(&self) -> ChainRoot {
        ChainRoot::new(Rc::clone(&self.chain))
    }

    /// Sends a request without a body: `GET /path` and a header per line.
    pub fn request(&self, text: &str) -> Sent {
        self.send(text.as_bytes(), true)
    }

    /// Sends the headers of a request that a body may follow; any bytes.
    pub fn send(&self, text: &[u8], end: bool) -> Sent {
        let mut stream = Sent {
            world: Rc::clone(&self.world),
            worker: Rc::clone(&self.worker),
            stream: None,
            request: parse_request(text),
            response: HeaderMap::default(),
            response_trailers: HeaderMap::default(),
            bodies: [Vec::new(), Vec::new()],
            kept: [Vec::new(), Vec::new()],
            verdict: Verdict::Continue,
            did: Vec::new(),
            passed: [Vec::new(), Vec::new()],
        };
        let chain = Rc::clone(&self.chain);
        stream.run(|stream, world, effects| {
            let (verdict, opened) = ChainStream::open(&chain, world, end, effects);
            *stream = opened;
            verdict
        });
        stream
    }

    /// Returns a counter by its name without the leading `sluice.`.
    pub fn counter(&self, name: &str) -> u64 {
        self.worker.counters.borrow().get(name).copied().unwrap_or(0)
    }

    /// Returns a gauge by its name without the leading `sluice.`.
    pub fn gauge(&self, name: &str) -> i64 {
        self.worker.gauges.borrow().get(name).copied().unwrap_or(0)
    }
}

/// A stream on the bench.
pub struct Sent {
    world: Rc<World>,
    worker: Rc<Worker>,
    /// None once nothing more of it matters to anybody.
    stream: Option<ChainStream>,
    request: HeaderMap,
    response: HeaderMap,
    response_trailers: HeaderMap,
    bodies: [Vec<u8>; 2],
    /// What of each body the host keeps out of reach.
    kept: [Vec<u8>; 2],
    /// The last verdict.
    pub verdict: Verdict,
    did: Vec<String>,
    /// What of each body went on.
    passed: [Vec<u8>; 2],
}

impl Sent {
    /// Adds a piece to the request's body, as a host that keeps what is paused.
    pub fn body(&mut self, bytes: &[u8], end: bool) -> &mut Self {
        self.piece(Direction::Request, bytes, end)
    }

    /// Ends the request with trailers.
    pub fn trailers(&mut self) -> &mut Self {
        self.act(|stream, world, effects| stream.trailers(Direction::Request, world, effects));
        self.let_go(Direction::Request)
    }

    /// Ends the response with trailers.
    pub fn response_trailers(&mut self) -> &mut Self {
        self.response_trailers_of("")
    }

    /// Ends the response with these trailers, one a line.
    pub fn response_trailers_of(&mut self, text: &str) -> &mut Self {
        self.response_trailers =
            HeaderMap::new(text.as_bytes().split(|byte| *byte == b'\n').filter_map(header_line));
        self.act(|stream, world, effects| stream.trailers(Direction::Response, world, effects));
        self.let_go(Direction::Response)
    }

    /// Answers from the upstream, without a body: `200` and a header per line.
    pub fn respond(&mut self, text: &str) -> &mut Self {
        self.respond_from("via_upstream", text)
    }

    /// Answers from somewhere else in the proxy; `details` are its response code details.
    pub fn respond_from(&mut self, details: &str, text: &str) -> &mut Self {
        self.respond_headers(details, text, true)
    }

    /// Answers with headers that a body may follow.
    pub fn respond_headers(&mut self, details: &str, text: &str, end: bool) -> &mut Self {
        self.world.set_property(&["response", "code_details"], details.as_bytes());
        self.response = parse_response(text);
        self.act(|stream, world, effects| stream.response_headers(world, end, effects));
        self
    }

    /// Adds a piece to the response's body.
    pub fn response_body(&mut self, bytes: &[u8], end: bool) -> &mut Self {
        self.piece(Direction::Response, bytes, end)
    }

    /// Wakes what is due.
    pub fn wake(&mut self) -> &mut Self {
        self.event(|stream, world, effects| stream.wake(world, world.now(), effects))
    }

    /// Answers a callout.
    pub fn answer(&mut self, id: u32, status: &str, body: &[u8]) -> &mut Self {
        let headers = HeaderMap::new(vec![(b":status".to_vec(), status.as_bytes().to_vec())]);
        let response = CalloutResponse { headers, body: body.to_vec(), size: body.len() };
        self.event(|stream, world, effects| stream.callout(world, CalloutId(id), &response, effects))
    }

    /// Ends the stream.
    pub fn end(&mut self) -> &mut Self {
        self.act(|stream, world, effects| {
            stream.end(world, effects);
            stream.gone(world, effects);
            Verdict::Continue
        });
        self
    }

    /// Returns the instant at which the stream wants to be woken.
    pub fn next_wake(&self) -> Option<Timestamp> {
        self.stream.as_ref().and_then(ChainStream::next_wake)
    }

    /// Returns what of the request's body the upstream has.
    pub fn upstream_body(&self) -> &[u8] {
        &self.passed[0]
    }

    /// Returns what of the response's body the client has.
    pub fn client_body(&self) -> &[u8] {
        &self.passed[1]
    }

    /// Returns a header of the request as the upstream gets it, several joined by ` | `.
    pub fn request_header(&self, name: &str) -> Option<String> {
        text_of(&self.request, name)
    }

    /// Makes the streams' filter at this place due now if it waits, as [`crate::root::Root::wake_streams`] does.
    pub fn hurry(&mut self, link: usize) -> &mut Self {
        let now = self.world.now.get();
        if let Some(stream) = &mut self.stream {
            stream.hurry(link, now);
        }
        self
    }

    /// Returns the status of the reply; none if the stream goes on.
    pub fn refused(&self) -> Option<u16> {
        match &self.verdict {
            Verdict::Reply(reply) | Verdict::GrpcReply(reply) => Some(reply.status),
            Verdict::Continue | Verdict::Pause | Verdict::PauseBack | Verdict::Reset => None,
        }
    }

    /// Returns a header of the reply.
    pub fn reply_header(&self, name: &str) -> Option<String> {
        match &self.verdict {
            Verdict::Reply(reply) | Verdict::GrpcReply(reply) => reply
                .headers
                .iter()
                .find(|(key, _)| key == name)
                .map(|(_, value)| String::from_utf8_lossy(value).into_owned()),
            Verdict::Continue | Verdict::Pause | Verdict::PauseBack | Verdict::Reset => None,
        }
    }

    /// Returns a trailer of the response as the client gets it, several joined by ` | `.
    pub fn response_trailer(&self, name: &str) -> Option<String> {
        text_of(&self.response_trailers, name)
    }

    /// Returns a header of the response as the client gets it, several joined by ` | `.
    pub fn response_header(&self, name: &str) -> Option<String> {
        text_of(&self.response, name)
    }

    /// Returns all that was done since the last look, a line each, the verdict last.
    pub fn text(&mut self) -> String {
        let mut lines = std::mem::take(&mut self.did);
        lines.push(match &self.verdict {
            Verdict::Continue => "continue".to_owned(),
            Verdict::Pause => "pause".to_owned(),
            Verdict::PauseBack => "pause back".to_owned(),
            Verdict::Reset => "reset".to_owned(),
            Verdict::Reply(reply) => {
                render(reply, &reply.status.to_string(), &String::from_utf8_lossy(&reply.body))
            }
            Verdict::GrpcReply(reply) => {
                render(reply, &format!("grpc {}", reply.grpc.status.code()), &reply.grpc.message)
            }
        });
        lines.push(String::new());
        lines.join("\n")
    }

    fn piece(&mut self, direction: Direction, bytes: &[u8], end: bool) -> &mut Self {
        let [request, response] = &mut self.bodies;
        let body = match direction {
            Direction::Request => request,
            Direction::Response => response,
        };
        body.extend_from_slice(bytes);
        let size = body.len();
        self.act(|stream, world, effects| stream.body(direction, world, size, end, effects));
        self.let_go(direction)
    }

    fn event(
        &mut self,
        event: impl FnOnce(&mut ChainStream, &World, &mut Vec<Effect>) -> Option<(Direction, Verdict)>,
    ) -> &mut Self {
        let (before, mut moved) = (self.verdict.clone(), None);
        self.run(|stream, world, effects| {
            let happened = stream.as_mut().and_then(|stream| event(stream, world, effects));
            happened.map_or(before, |(direction, verdict)| {
                moved = Some(direction);
                verdict
            })
        });
        match moved {
            Some(direction) => self.let_go(direction),
            None => self,
        }
    }

    /// Moves on what the host kept of a body, if the chain lets it go.
    fn let_go(&mut self, direction: Direction) -> &mut Self {
        let (body, kept, passed) = match direction {
            Direction::Request => (&mut self.bodies[0], &mut self.kept[0], &mut self.passed[0]),
            Direction::Response => (&mut self.bodies[1], &mut self.kept[1], &mut self.passed[1]),
        };
        match self.verdict {
            Verdict::Continue => {
                passed.append(kept);
                passed.append(body);
            }
            Verdict::PauseBack => kept.append(body),
            Verdict::Pause | Verdict::Reply(_) | Verdict::GrpcReply(_) | Verdict::Reset => {}
        }
        self
    }

    /// Runs a callback as the shell does, which forgets a stream of which nothing more matters.
    fn act(&mut self, callback: impl FnOnce(&mut ChainStream, &World, &mut Vec<Effect>) -> Verdict) {
        self.run(|stream, world, effects| {
            let Some(opened) = stream else {
                return Verdict::Continue;
            };
            let verdict = callback(opened, world, effects);
            stream.take_if(|stream| stream.is_done());
            verdict
        });
    }

    /// Runs a callback with the stream's own headers around it, and does its effects after it.
    fn run(&mut self, callback: impl FnOnce(&mut Option<ChainStream>, &World, &mut Vec<Effect>) -> Verdict) {
        let mut effects = Vec::new();
        self.world.request.replace(self.request.clone());
        self.world.response.replace(self.response.clone());
        self.world.response_trailers.replace(self.response_trailers.clone());
        self.world.bodies.replace(self.bodies.clone());
        self.verdict = callback(&mut self.stream, &self.world, &mut effects);
        for effect in effects {
            self.world.apply(&effect);
            if let Effect::WakeFilter(link) = effect {
                self.worker.root.borrow_mut().ask(link, self.world.now.get());
            }
            self.did.extend(self.worker.describe(&effect));
        }
        self.request = self.world.request.borrow().clone();
        self.response = self.world.response.borrow().clone();
        self.response_trailers = self.world.response_trailers.borrow().clone();
        self.bodies = self.world.bodies.borrow().clone();
    }
}

impl Worker {
    /// Returns what a metric is called, without what all names begin with.
    fn metric(&self, number: u32) -> &str {
        let definition = usize::try_from(number).ok().and_then(|index| self.metrics.definitions().get(index));
        definition.map_or("?", |(_, name)| name.strip_prefix("sluice.").unwrap_or(name))
    }

    fn describe(&self, effect: &Effect) -> Option<String> {
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        Some(match effect {
            Effect::SetHeader(map, name, value) => format!("set {map:?} {name}: {}", text(value)),
            Effect::AddHeader(map, name, value) => format!("add {map:?} {name}: {}", text(value)),
            Effect::RemoveHeader(map, name) => format!("remove {map:?} {name}"),
            Effect::ReplaceBody(direction, bytes) => format!("body {direction:?} {}", text(bytes)),
            Effect::Tag(name, value) => format!("tag {name}={}", text(value)),
            Effect::Count(counter, by) => {
                let name = self.metric(counter.0);
                let mut counters = self.counters.borrow_mut();
                let count = counters.entry(name.to_owned()).or_default();
                *count = count.saturating_add(*by);
                format!("count {name}")
            }
            Effect::Add(gauge, by) => {
                let name = self.metric(gauge.0);
                let mut gauges = self.gauges.borrow_mut();
                let value = gauges.entry(name.to_owned()).or_default();
                *value = value.saturating_add(*by);
                format!("add {by} {name}")
            }
            Effect::Set(gauge, value) => {
                let name = self.metric(gauge.0);
                let value = i64::try_from(*value).unwrap_or(i64::MAX);
                self.gauges.borrow_mut().insert(name.to_owned(), value);
                format!("set {name} to {value}")
            }
            Effect::Record(_, value) => format!("record {value}"),
            Effect::ClearRoute => "clear route".to_owned(),
            Effect::WakeFilter(_) => "wake filter".to_owned(),
            Effect::Log(Level::Debug, _) => return None,
            Effect::Log(level, line) => format!("log {level:?} {line}"),
        })
    }
}

fn text_of(headers: &HeaderMap, name: &str) -> Option<String> {
    let field = headers.field(name);
    let values: Vec<_> = field.values().iter().map(|value| String::from_utf8_lossy(value)).collect();
    (!values.is_empty()).then(|| values.join(" | "))
}

fn render(reply: &Reply, status: &str, body: &str) -> String {
    let mut text = format!("{status} {}", reply.details);
    for (name, value) in &reply.headers {
        text.push_str(&format!("\n  {name}: {}", String::from_utf8_lossy(value)));
    }
    text.push_str(&format!("\n  {body}"));
    text
}

/// Reads `GET /path` and a header per line; a `host` becomes the authority.
fn parse_request(text: &[u8]) -> HeaderMap {
    let mut lines = text.split(|byte| *byte == b'\n');
    let mut first = lines.next().unwrap_or_default().splitn(2, |byte| *byte == b' ');
    let mut headers = vec![
        (b":method".to_vec(), first.next().unwrap_or_default().to_vec()),
        (b":path".to_vec(), first.next().unwrap_or_default().to_vec()),
    ];
    let mut authority = false;
    for (name, value) in lines.filter_map(header_line) {
        if name == b"host" {
            authority = true;
            headers.push((b":authority".to_vec(), value));
        } else {
            headers.push((name, value));
        }
    }
    if !authority {
        headers.push((b":authority".to_vec(), b"example.com".to_vec()));
    }
    HeaderMap::new(headers)
}

fn parse_response(text: &str) -> HeaderMap {
    let mut lines = text.as_bytes().split(|byte| *byte == b'\n');
    let mut headers = vec![(b":status".to_vec(), lines.next().unwrap_or_default().to_vec())];
    headers.extend(lines.filter_map(header_line));
    HeaderMap::new(headers)
}

fn header_line(line: &[u8]) -> Option<(Vec<u8>, Vec<u8>)> {
    let colon = line.iter().skip(1).position(|byte| *byte == b':')?.saturating_add(1);
    let (name, value) = line.split_at_checked(colon)?;
    Some((name.trim_ascii().to_vec(), value.strip_prefix(b":")?.trim_ascii().to_vec()))
}
