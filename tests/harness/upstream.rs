//! A scripted upstream: HTTP/1 and HTTP/2 on one port, recording what reached it.

use std::collections::VecDeque;
use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};

use bytes::Bytes;
use http::Version;
use http_body_util::BodyExt;
use hyper::body::{Body, Frame, Incoming, SizeHint};
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::{JoinHandle, JoinSet};

use super::http2::fields;
use super::message::{Fields, first};
use super::wait::within;

/// How many requests are remembered; all are counted.
const REMEMBERED: usize = 10_000;

/// A scripted upstream. It ends with the test.
pub struct Upstream {
    port: u16,
    shared: Arc<Shared>,
    server: JoinHandle<()>,
}

impl Upstream {
    /// Starts an upstream that answers `200` with the body `ok`.
    pub async fn start() -> Self {
        Self::answering(|_| Answer::ok()).await
    }

    /// Starts an upstream that gives these answers in order, and the last one ever after.
    pub async fn sequence(answers: impl IntoIterator<Item = Answer>) -> Self {
        let answers = Mutex::new(answers.into_iter().collect::<VecDeque<_>>());
        Self::answering(move |_| {
            let mut answers = answers.lock().expect("no panic while answering");
            let last = answers.len() == 1;
            if last { answers.front().cloned() } else { answers.pop_front() }.expect("at least one answer")
        })
        .await
    }

    /// Starts an upstream that answers each request, once it has arrived to its end, by a function.
    pub async fn answering(script: impl Fn(&Seen) -> Answer + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.expect("a free port");
        Self::listening(listener, script)
    }

    /// Answers on a port that is there already.
    pub fn listening(
        listener: TcpListener,
        script: impl Fn(&Seen) -> Answer + Send + Sync + 'static,
    ) -> Self {
        let port = listener.local_addr().expect("a bound port").port();
        let shared = Arc::new(Shared {
            script: Box::new(script),
            seen: Mutex::default(),
            progress: watch::Sender::default(),
        });
        let server = tokio::spawn(serve(listener, Arc::clone(&shared)));
        Self { port, shared, server }
    }

    /// Closes all connections and the port; it is free afterwards.
    pub async fn stop(mut self) {
        self.server.abort();
        // The task was just told to end in no good way.
        drop(within("the upstream to stop", &mut self.server).await);
    }

    /// Returns the port it listens on.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Returns how many requests have reached it, at least with their headers.
    pub fn count(&self) -> usize {
        self.shared.progress.borrow().arrived
    }

    /// Returns the requests that have reached it, in order of arrival, at most the first 10,000.
    pub fn seen(&self) -> Vec<Seen> {
        self.shared.seen.lock().expect("no panic while recording").clone()
    }

    /// Returns the only request that has reached it.
    pub fn only(&self) -> Seen {
        let [seen] = self
            .seen()
            .try_into()
            .unwrap_or_else(|seen| panic!("not one request reached the upstream: {seen:#?}"));
        seen
    }

    /// Waits until the headers of `n` requests have reached it.
    pub async fn await_count(&self, n: usize) {
        self.progress(&format!("{n} requests to reach the upstream"), |progress| progress.arrived >= n).await;
    }

    /// Waits until `n` requests were cut short, before their end or before their answer.
    pub async fn await_left(&self, n: usize) {
        self.progress(&format!("{n} requests to be cut short"), |progress| progress.left >= n).await;
    }

    async fn progress(&self, what: &str, enough: impl FnMut(&Progress) -> bool) {
        let mut progress = self.shared.progress.subscribe();
        within(what, progress.wait_for(enough)).await.expect("the upstream is running");
    }
}

impl Drop for Upstream {
    fn drop(&mut self) {
        self.server.abort();
    }
}

/// A request that reached the upstream.
#[derive(Clone, Debug)]
pub struct Seen {
    /// The method.
    pub method: String,
    /// The path with its query.
    pub path: String,
    /// The headers, names in lower case; values of one name are in order.
    pub headers: Vec<(String, Vec<u8>)>,
    /// The body, as far as it has arrived.
    pub body: Vec<u8>,
    /// The trailers.
    pub trailers: Vec<(String, Vec<u8>)>,
    /// `1` or `2`.
    pub http: u8,
    /// Whether it arrived to its end.
    pub complete: bool,
}

impl Seen {
    /// Returns the first header of this name as text.
    pub fn header(&self, name: &str) -> Option<&str> {
        first(&self.headers, name)
    }

    /// Returns the values of all headers of this name.
    pub fn values(&self, name: &str) -> Vec<&[u8]> {
        self.headers
            .iter()
            .filter(|(candidate, _)| candidate == name)
            .map(|(_, value)| value.as_slice())
            .collect()
    }
}

/// What the upstream says.
#[derive(Clone)]
pub struct Answer {
    status: u16,
    headers: Fields,
    chunks: Vec<Bytes>,
    trailers: Fields,
    gate: Option<Gate>,
    cut: Option<Cut>,
}

#[derive(Clone, Copy, PartialEq)]
enum Cut {
    BeforeHeaders,
    AfterBody,
}

impl Answer {
    /// Answers `200` with the body `ok`.
    pub fn ok() -> Self {
        Self::status(200).body("ok")
    }

    /// Answers with this status and no body.
    pub fn status(status: u16) -> Self {
        Self { status, headers: Vec::new(), chunks: Vec::new(), trailers: Vec::new(), gate: None, cut: None }
    }

    /// Answers a gRPC call with an empty message and this status; the cluster needs HTTP/2.
    pub fn grpc(status: u32) -> Self {
        let message = Self::status(200).header("content-type", "application/grpc").body([0; 5]);
        message.trailer("grpc-status", status.to_string())
    }

    /// Breaks the connection (HTTP/2: the stream) instead of answering.
    pub fn abort() -> Self {
        Self { cut: Some(Cut::BeforeHeaders), ..Self::status(200) }
    }

    /// Adds a header.
    pub fn header(mut self, name: &str, value: impl AsRef<[u8]>) -> Self {
        self.headers.push((name.to_owned(), value.as_ref().to_vec()));
        self
    }

    /// Adds a piece of body; a single one is sent with a content-length.
    pub fn body(mut self, chunk: impl AsRef<[u8]>) -> Self {
        self.chunks.push(Bytes::copy_from_slice(chunk.as_ref()));
        self
    }

    /// Adds a trailer.
    pub fn trailer(mut self, name: &str, value: impl AsRef<[u8]>) -> Self {
        self.trailers.push((name.to_owned(), value.as_ref().to_vec()));
        self
    }

    /// Holds the answer until the gate is open.
    pub fn after(self, gate: &Gate) -> Self {
        Self { gate: Some(gate.clone()), ..self }
    }

    /// Breaks the connection after the body instead of ending it.
    pub fn then_abort(self) -> Self {
        Self { cut: Some(Cut::AfterBody), ..self }
    }
}

/// Holds answers back, to keep requests in flight.
#[derive(Clone, Default)]
pub struct Gate(watch::Sender<bool>);

impl Gate {
    /// Makes a gate that is closed.
    pub fn closed() -> Self {
        Self::default()
    }

    /// Lets every answer through, from now on.
    pub fn open(&self) {
        self.0.send_replace(true);
    }
}

struct Shared {
    script: Box<dyn Fn(&Seen) -> Answer + Send + Sync>,
    seen: Mutex<Vec<Seen>>,
    progress: watch::Sender<Progress>,
}

#[derive(Default)]
struct Progress {
    arrived: usize,
    left: usize,
}

async fn serve(listener: TcpListener, shared: Arc<Shared>) {
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            accepted = listener.accept() => {
                if let Ok((stream, _)) = accepted {
                    connections.spawn(serve_connection(stream, Arc::clone(&shared)));
                }
            }
            Some(_ended) = connections.join_next() => {}
        }
    }
}

async fn serve_connection(stream: TcpStream, shared: Arc<Shared>) {
    stream.set_nodelay(true).expect("a TCP socket");
    let service = service_fn(|request| {
        let shared = Arc::clone(&shared);
        async move { answer(request, &shared).await }
    });
    // The peer may leave at any time; what it sent is in the record.
    drop(auto::Builder::new(TokioExecutor::new()).serve_connection(TokioIo::new(stream), service).await);
}

async fn answer(request: http::Request<Incoming>, shared: &Shared) -> io::Result<http::Response<Frames>> {
    let (head, mut body) = request.into_parts();
    let mut seen = Seen {
        method: head.method.to_string(),
        path: head.uri.path_and_query().map_or_else(String::new, ToString::to_string),
        headers: fields(&head.headers),
        body: Vec::new(),
        trailers: Vec::new(),
        http: if head.version == Version::HTTP_2 { 2 } else { 1 },
        complete: false,
    };
    if let Some(authority) = head.uri.authority() {
        seen.headers.insert(0, ("host".to_owned(), authority.as_str().into()));
    }
    let mut departure = Departure { shared, done: false };
    let index = shared.arrive(&seen);
    while let Some(frame) = body.frame().await {
        match frame.map_err(io::Error::other)?.into_data() {
            Ok(data) => {
                shared.amend(index, |recorded| recorded.body.extend(&data));
                seen.body.extend(data);
            }
            Err(frame) => seen.trailers = frame.trailers_ref().map(fields).unwrap_or_default(),
        }
    }
    seen.complete = true;
    shared.amend(index, |recorded| recorded.clone_from(&seen));
    let answer = (shared.script)(&seen);
    if let Some(Gate(gate)) = &answer.gate {
        drop(gate.subscribe().wait_for(|open| *open).await);
    }
    departure.done = true;
    if answer.cut == Some(Cut::BeforeHeaders) {
        return Err(io::Error::other("the script aborts"));
    }
    let mut response = http::Response::builder().status(answer.status);
    for (name, value) in &answer.headers {
        response = response.header(name, value.as_slice());
    }
    Ok(response.body(Frames::new(answer)).expect("an answer that HTTP can express"))
}

impl Shared {
    fn arrive(&self, seen: &Seen) -> Option<usize> {
        let mut all = self.seen.lock().expect("no panic while recording");
        let index = (all.len() < REMEMBERED).then_some(all.len());
        if index.is_some() {
            all.push(seen.clone());
        }
        drop(all);
        self.progress.send_modify(|progress| progress.arrived += 1);
        index
    }

    fn amend(&self, index: Option<usize>, amend: impl FnOnce(&mut Seen)) {
        if let Some(index) = index {
            amend(&mut self.seen.lock().expect("no panic while recording")[index]);
        }
    }
}

/// Counts a request that ends before its answer: hyper then drops the future that serves it.
struct Departure<'a> {
    shared: &'a Shared,
    done: bool,
}

impl Drop for Departure<'_> {
    fn drop(&mut self) {
        if !self.done {
            self.shared.progress.send_modify(|progress| progress.left += 1);
        }
    }
}

/// The frames of a scripted body.
struct Frames {
    frames: VecDeque<io::Result<Frame<Bytes>>>,
    size: SizeHint,
    flushed: bool,
}

impl Frames {
    fn new(answer: Answer) -> Self {
        let size = match answer.chunks.as_slice() {
            [] if answer.trailers.is_empty() && answer.cut.is_none() => SizeHint::with_exact(0),
            [chunk] if answer.trailers.is_empty() => {
                SizeHint::with_exact(chunk.len() as u64 + u64::from(answer.cut.is_some()))
            }
            _ => SizeHint::default(),
        };
        let mut frames: VecDeque<_> = answer.chunks.into_iter().map(|chunk| Ok(Frame::data(chunk))).collect();
        if !answer.trailers.is_empty() {
            let trailers = answer.trailers.iter().map(|(name, value)| {
                let value = http::HeaderValue::from_bytes(value).expect("a value without control characters");
                (name.parse::<http::HeaderName>().expect("the name of a trailer"), value)
            });
            frames.push_back(Ok(Frame::trailers(trailers.collect())));
        }
        if answer.cut.is_some() {
            frames.push_back(Err(io::Error::other("the script aborts")));
        }
        Self { frames, size, flushed: false }
    }
}

impl Body for Frames {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<io::Result<Frame<Bytes>>>> {
        if matches!(self.frames.front(), Some(Err(_))) && !std::mem::replace(&mut self.flushed, true) {
            // Lets hyper write out what came before the break.
            context.waker().wake_by_ref();
            return Poll::Pending;
        }
        Poll::Ready(self.frames.pop_front())
    }

    fn is_end_stream(&self) -> bool {
        self.frames.is_empty()
    }

    fn size_hint(&self) -> SizeHint {
        self.size
    }
}
