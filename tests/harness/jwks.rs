//! The server of a key set, which changes keys, breaks, and comes back while Envoy runs.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex, MutexGuard};

use serde_json::json;
use tokio::net::{TcpListener, TcpSocket};
use tokio::sync::watch;

use super::envoy::Envoy;
use super::upstream::{Answer, Gate, Seen, Upstream};
use super::wait::within;

/// A server that gives the same answer to every request until it is told another. It ends with the test.
pub struct Jwks {
    address: SocketAddr,
    server: Server,
    shared: Arc<Shared>,
}

enum Server {
    Listening(Upstream),
    /// Bound and not listening: whoever connects is refused, and nobody else gets the port.
    Gone(TcpSocket),
    /// Between the two.
    Moving,
}

#[derive(Default)]
struct Shared {
    answer: Mutex<State>,
    fetches: watch::Sender<Vec<Seen>>,
}

#[derive(Default)]
struct State {
    answer: Option<Answer>,
    cache_control: Option<String>,
    gate: Option<Gate>,
}

impl Jwks {
    /// Starts a server of this document.
    pub async fn start(document: &str) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.expect("a free port");
        let address = listener.local_addr().expect("a bound port");
        let shared = Arc::<Shared>::default();
        let server = Server::Listening(Upstream::listening(listener, script(&shared)));
        let jwks = Self { address, server, shared };
        jwks.serve(document);
        jwks
    }

    /// Returns where it is, as `127.0.0.1:port`.
    pub fn address(&self) -> String {
        self.address.to_string()
    }

    /// Returns the port it listens on.
    pub fn port(&self) -> u16 {
        self.address.port()
    }

    /// Returns how many fetches have reached it, answered or not.
    pub fn fetches(&self) -> usize {
        self.shared.fetches.borrow().len()
    }

    /// Returns the fetches that have reached it, in order.
    pub fn seen(&self) -> Vec<Seen> {
        self.shared.fetches.borrow().clone()
    }

    /// Waits until `n` fetches have reached it since it was started.
    pub async fn await_fetches(&self, n: usize) {
        let mut fetches = self.shared.fetches.subscribe();
        let enough = fetches.wait_for(|seen| seen.len() >= n);
        within(&format!("{n} fetches of the keys"), enough).await.expect("the server is running");
    }

    /// Answers with this document from now on: the keys are rotated.
    pub fn serve(&self, document: &str) {
        self.answer(Answer::status(200).header("content-type", "application/jwk-set+json").body(document));
    }

    /// Answers with this status and a body that is no key set.
    pub fn fail(&self, status: u16) {
        self.answer(Answer::status(status).body("no keys here"));
    }

    /// Answers `302` to this location.
    pub fn redirect(&self, location: &str) {
        self.answer(Answer::status(302).header("location", location));
    }

    /// Answers `200` with bytes that are neither JSON nor text.
    pub fn garbage(&self) {
        self.answer(Answer::status(200).body(b"\xFF\x00{\"keys\":\xC0\x80["));
    }

    /// Answers with this document, which is as good as any, but followed by so many MiB of spaces.
    pub fn huge(&self, document: &str, mib: usize) {
        self.serve(&format!("{document}{}", " ".repeat(mib << 20)));
    }

    /// Breaks the connection of every fetch instead of answering.
    pub fn abort(&self) {
        self.answer(Answer::abort());
    }

    /// Gives this answer from now on.
    pub fn answer(&self, answer: Answer) {
        self.state().answer = Some(answer);
    }

    /// Says this in the `cache-control` of every answer from now on, or nothing.
    pub fn cache_control<'a>(&self, value: impl Into<Option<&'a str>>) {
        self.state().cache_control = value.into().map(str::to_owned);
    }

    /// Holds the answers to all fetches from now on until the gate is opened.
    ///
    /// What is answered then is decided when a fetch arrives.
    pub fn hold(&self) -> Gate {
        let gate = Gate::closed();
        self.state().gate = Some(gate.clone());
        gate
    }

    /// Closes all connections, and refuses new ones until [`Self::back`].
    pub async fn gone(&mut self) {
        let Server::Listening(upstream) = std::mem::replace(&mut self.server, Server::Moving) else {
            panic!("the server of the keys is gone already");
        };
        upstream.stop().await;
        let socket = TcpSocket::new_v4().expect("a socket");
        // The connections that were closed still have the port.
        socket.set_reuseaddr(true).expect("a fresh socket");
        socket.bind(self.address).expect("the port that was just given up");
        // And now it is nobody else's.
        socket.set_reuseaddr(false).expect("a bound socket");
        self.server = Server::Gone(socket);
    }

    /// Listens again, at the same address and with the same answer.
    pub async fn back(&mut self) {
        let Server::Gone(socket) = std::mem::replace(&mut self.server, Server::Moving) else {
            panic!("the server of the keys is not gone");
        };
        socket.set_reuseaddr(true).expect("a bound socket");
        let listener = socket.listen(1024).expect("the port is ours");
        self.server = Server::Listening(Upstream::listening(listener, script(&self.shared)));
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.shared.answer.lock().expect("no panic while answering")
    }
}

/// Clusters of keys.
impl Envoy {
    /// Adds the cluster `issuer`, or replaces it, with a server of keys behind it.
    pub fn issuer(self, jwks: &Jwks) -> Self {
        self.issuer_called("issuer", jwks)
    }

    /// Adds the cluster of this name, or replaces it, with a server of keys behind it.
    pub fn issuer_called(self, name: &str, jwks: &Jwks) -> Self {
        let address = json!({"socket_address": {"address": "127.0.0.1", "port_value": jwks.port()}});
        let endpoints = json!([{"lb_endpoints": [{"endpoint": {"address": address}}]}]);
        self.edit(|tree| {
            let clusters = tree["static_resources"]["clusters"].as_array_mut().expect("static clusters");
            clusters.retain(|cluster| cluster["name"] != name);
            clusters.push(json!({
                "name": name,
                "type": "STATIC",
                "load_assignment": {"cluster_name": name, "endpoints": endpoints},
            }));
        })
    }
}

fn script(shared: &Arc<Shared>) -> impl Fn(&Seen) -> Answer + Send + Sync + 'static {
    let shared = Arc::clone(shared);
    move |seen| {
        let answer = {
            let state = shared.answer.lock().expect("no panic while answering");
            let mut answer = state.answer.clone().expect("an answer since the start");
            if let Some(value) = &state.cache_control {
                answer = answer.header("cache-control", value);
            }
            match &state.gate {
                Some(gate) => answer.after(gate),
                None => answer,
            }
        };
        shared.fetches.send_modify(|fetches| fetches.push(seen.clone()));
        answer
    }
}
