//! Five workers in one process: who fetches, who waits, what they believe, and what becomes of requests meanwhile.

use std::borrow::Cow;
use std::cell::{Cell, RefCell};
use std::collections::BTreeSet;
use std::rc::Rc;
use std::time::Duration;

use kit::config::Node;
use kit::draw::Draws;
use kit::filter::{Callbacks, Filter, Kind, Step, Stream};
use kit::header::Lookup;
use kit::host::Host;
use kit::module::Form;
use kit::reply::{Grpc, GrpcStatus, Reply};
use kit::testing::{Bench, Sent, World};

use super::*;
use crate::algorithm::Algorithm;

mod believed;
mod clock;
mod fetching;
mod unknown;

const SECOND: Duration = Duration::from_secs(1);
const MINUTE: Duration = Duration::from_secs(60);
const HOUR: Duration = Duration::from_secs(3_600);

/// A filter that lets a request pass if the set has the key that its `kid` names.
const KIND: Kind = Kind {
    name: "jwt-auth",
    version: "0",
    callbacks: Callbacks {
        request_body: false,
        response_headers: false,
        response_body: false,
        response_trailers: false,
        hold: true,
        hold_response: false,
        end: false,
        callout: true,
    },
    configure,
};

static KINDS: [Kind; 1] = [KIND];

thread_local! {
    /// What tells the plugin from others, as its root says.
    static SCOPE: RefCell<String> = RefCell::default();
}

struct Door {
    source: Rc<Source>,
}

struct Guest {
    source: Rc<Source>,
}

fn configure(node: &Node<'_>, setup: &mut Setup<'_>) -> Option<Rc<dyn Filter>> {
    let mut object = node.object()?;
    let fetch = Fetch::parse(&mut object);
    object.finish();
    Some(Rc::new(Door { source: Rc::new(Source::new(fetch?, "corp", setup)) }))
}

impl Filter for Door {
    fn stream(self: Rc<Self>) -> Box<dyn Stream> {
        Box::new(Guest { source: Rc::clone(&self.source) })
    }

    fn on_start(&self, root: &mut Root<'_>) {
        SCOPE.set(root.scope());
        self.source.start(root);
    }

    fn on_wake(&self, root: &mut Root<'_>) {
        self.source.wake(root);
        root.wake_at(self.source.next_wake());
    }

    fn on_callout(&self, root: &mut Root<'_>, id: CalloutId, response: &CalloutResponse) {
        self.source.answered(root, id, response);
        assert!(!self.source.answered(root, id, response), "an answer counts once");
        root.wake_at(self.source.next_wake());
    }
}

impl Stream for Guest {
    fn on_request_headers(&mut self, exchange: &mut Exchange<'_>) -> Step {
        exchange.wake_after(MINUTE);
        self.decide(exchange)
    }

    fn on_wake(&mut self, exchange: &mut Exchange<'_>) -> Step {
        self.decide(exchange)
    }
}

impl Guest {
    fn decide(&self, exchange: &mut Exchange<'_>) -> Step {
        let kid = exchange.header("kid").single().and_then(|kid| String::from_utf8(kid).ok());
        loop {
            match self.source.keys(exchange) {
                Err(NotYet::Soon) => return Step::Hold,
                Err(NotYet::Failing) => return refuse(503),
                Ok((set, _)) if set.knows(kid.as_deref(), Algorithm::Es256) => return Step::Continue,
                Ok(_) => match self.source.unknown(exchange) {
                    Unknown::Adopted => {}
                    Unknown::Wait => return Step::Hold,
                    Unknown::No => return refuse(401),
                },
            }
        }
    }
}

fn refuse(status: u16) -> Step {
    let grpc = Grpc { status: GrpcStatus::Unauthenticated, message: Cow::Borrowed("") };
    Step::Reply(Box::new(Reply { status, details: "", headers: Vec::new(), body: Vec::new(), grpc }))
}

/// A set with these keys.
fn jwks(kids: &[&str]) -> String {
    let point = r#""kty":"EC","crv":"P-256","x":"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU","y":"x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0""#;
    let keys: Vec<_> = kids.iter().map(|kid| format!(r#"{{"kid":"{kid}",{point}}}"#)).collect();
    format!(r#"{{"keys":[{}]}}"#, keys.join(","))
}

/// A process with workers, one of which is the main thread without requests.
struct Process {
    world: Rc<World>,
    workers: RefCell<Vec<Bench>>,
    chance: Draws,
    /// Workers whose waiting streams are to be woken.
    roused: RefCell<BTreeSet<usize>>,
    /// The callouts that were answered.
    answered: Cell<usize>,
}

impl Process {
    fn new(workers: usize, fields: &str) -> Self {
        Self::through("issuer", workers, fields)
    }

    fn through(cluster: &str, workers: usize, fields: &str) -> Self {
        let process = Self {
            world: Rc::new(World::new()),
            workers: RefCell::default(),
            chance: Draws::new(1),
            roused: RefCell::default(),
            answered: Cell::new(0),
        };
        for _ in 0..workers {
            process.add(cluster, fields);
        }
        process
    }

    /// Adds a worker, perhaps with another configuration.
    fn add(&self, cluster: &str, fields: &str) {
        let config =
            format!(r#"{{"uri": "https://issuer.example.com/keys", "cluster": "{cluster}"{fields}}}"#);
        let bench = Bench::within(&self.world, &KINDS, Form::Single, &config).unwrap();
        assert!(bench.start().is_empty());
        self.workers.borrow_mut().push(bench);
    }

    /// Returns what all workers share, for whoever wants to meddle with it.
    fn shared(&self) -> (Shared, Fetch) {
        let config = br#"{"uri": "https://issuer.example.com/keys", "cluster": "issuer"}"#;
        let fetch = kit::config::read(config, |node| Fetch::parse(&mut node.object()?)).unwrap();
        (SCOPE.with_borrow(|scope| Shared::new(scope, "corp", &fetch)), fetch)
    }

    /// Ends a worker, as a trap does.
    fn kill(&self, worker: usize) {
        drop(self.workers.borrow_mut().remove(worker));
    }

    /// Lets time pass, in which workers wake when they asked for it.
    fn run(&self, time: Duration) {
        let end = self.world.now().after(time);
        let next_of = |(index, bench): (usize, &Bench)| Some((bench.root_next_wake()?, index));
        loop {
            let next = self.workers.borrow().iter().enumerate().filter_map(next_of).min();
            let Some((at, index)) = next.filter(|(at, _)| *at <= end) else {
                return self.world.pass(end.since(self.world.now()));
            };
            self.world.pass(at.since(self.world.now()));
            self.world.fix_draw(self.chance.next());
            let woken = self.workers.borrow()[index].wake_root();
            if !woken.is_empty() {
                self.roused.borrow_mut().insert(index);
            }
            let next = self.workers.borrow()[index].root_next_wake();
            assert!(next.is_none_or(|next| self.world.now() < next), "a worker doesn't spin");
        }
    }

    /// Runs until a callout that nobody answered yet, which must come.
    fn run_to_fetch(&self) {
        for _ in 0..10_000 {
            if self.answered.get() < self.fetches() {
                return;
            }
            let next = self.workers.borrow().iter().filter_map(Bench::root_next_wake).min();
            self.run(next.unwrap().since(self.world.now()));
        }
        panic!("nobody fetches");
    }

    /// Answers the last fetch.
    fn answer(&self, status: &str, headers: &[(&str, &str)], body: &str) {
        self.answered.set(self.fetches());
        self.world.fix_draw(self.chance.next());
        for (index, bench) in self.workers.borrow().iter().enumerate() {
            let id = u32::try_from(self.fetches()).unwrap();
            if !bench.answer_root(id, status, headers, body.as_bytes()).is_empty() {
                self.roused.borrow_mut().insert(index);
            }
        }
    }

    /// Fetches once, with this answer, and lets all workers see it.
    fn fetch(&self, status: &str, headers: &[(&str, &str)], body: &str) {
        self.run_to_fetch();
        self.answer(status, headers, body);
        self.run(Duration::from_millis(60));
    }

    fn fetches(&self) -> usize {
        self.world.callouts().len()
    }

    fn ask(&self, worker: usize, kid: &str) -> Sent {
        self.workers.borrow()[worker].request(&format!("GET /\nkid: {kid}"))
    }

    /// Returns what becomes of a request with this key on each worker.
    fn outcomes(&self, kid: &str) -> String {
        let outcomes: Vec<_> =
            (0..self.workers.borrow().len()).map(|worker| outcome(&self.ask(worker, kid))).collect();
        outcomes.join(" ")
    }

    /// Wakes a stream that waits, which the worker must have asked for.
    fn rouse(&self, worker: usize, stream: &mut Sent) -> &'static str {
        assert!(self.roused.borrow_mut().remove(&worker), "nobody wakes the stream");
        outcome(stream.hurry(0).wake())
    }

    fn count(&self, name: &str) -> u64 {
        let name = format!("jwt-auth.jwks_fetches_total.corp.{name}");
        self.workers.borrow().iter().map(|bench| bench.counter(&name)).sum()
    }

    /// Returns all that roots logged since the last look.
    fn log(&self) -> String {
        let lines = self.workers.borrow().iter().map(|bench| bench.root_text()).collect::<String>();
        let logged = lines.lines().filter_map(|line| line.strip_prefix("log "));
        logged.map(|line| format!("{line}\n")).collect()
    }
}

fn outcome(stream: &Sent) -> &'static str {
    match stream.refused() {
        Some(401) => "unknown",
        Some(503) => "failing",
        Some(_) => "?",
        None if stream.verdict == kit::chain::Verdict::Pause => "waits",
        None => "passes",
    }
}
