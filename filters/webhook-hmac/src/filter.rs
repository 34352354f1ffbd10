//! The decision on a request, in the order in which it arrives.

use std::cell::Cell;
use std::rc::Rc;

use kit::exchange::Exchange;
use kit::filter::{Chunk, Filter, Step, Stream};
use kit::header::{Field, Lookup};
use kit::host::{Level, Map};
use kit::root::Root;
use kit::rule::Mode;
use kit::setup::Setup;
use kit::signature::{Abilities, Kind};

use crate::check::Reading;
use crate::config::{Config, Endpoint, Hold};
use crate::key::KeyKind;
use crate::reason::Reason;
use crate::replay::Ticket;
use crate::sign::Signing;
use crate::state::{About, State};

mod arrival;
mod decision;

/// The filter with its configuration, and what this worker knows.
pub(crate) struct WebhookHmac {
    pub(crate) config: Config,
    pub(crate) state: State,
    abilities: Cell<Abilities>,
    /// The bytes of all bodies that are kept now.
    kept: Cell<usize>,
    /// The log has been told what may be wrong if bodies don't come.
    has_warned: Cell<bool>,
}

impl WebhookHmac {
    pub(crate) fn new(config: Config, setup: &mut Setup<'_>) -> Self {
        let state = State::new(&config, setup);
        Self { config, state, abilities: Cell::default(), kept: Cell::new(0), has_warned: Cell::new(false) }
    }
}

impl Filter for WebhookHmac {
    fn stream(self: Rc<Self>) -> Box<dyn Stream> {
        Box::new(WebhookStream { filter: self, phase: Phase::Over, kept: 0 })
    }

    fn on_start(&self, root: &mut Root<'_>) {
        let asymmetric = |endpoint: &Endpoint| matches!(endpoint.scheme.kind, KeyKind::Ecdsa | KeyKind::Set);
        if self.config.endpoints.iter().any(asymmetric) {
            self.abilities
                .set(Abilities::probe(&[Kind::P256], &|signature| root.verify_signature(signature)));
        }
    }
}

/// One stream.
struct WebhookStream {
    filter: Rc<WebhookHmac>,
    phase: Phase,
    /// How many bytes of its body are kept.
    kept: usize,
}

/// How far a stream is.
enum Phase {
    /// A delivery is coming. If there is a reason, it will be refused unless it turns out to be a handshake.
    Reading { endpoint: usize, reading: Box<Reading>, refused: Option<Reason> },
    /// A request that is to be signed is coming.
    Signing { signer: usize, signing: Signing },
    /// It was refused while nothing of it was held, so nobody could be told: what comes of it later gets the answer.
    Late(About),
    /// A delivery went on to the upstream, which hasn't answered yet.
    Forwarded { endpoint: usize, tickets: Vec<Ticket> },
    /// Nothing more is decided.
    Over,
}

impl Stream for WebhookStream {
    fn on_request_headers(&mut self, exchange: &mut Exchange<'_>) -> Step {
        let filter = Rc::clone(&self.filter);
        filter.clean(exchange);
        for (index, endpoint) in filter.config.endpoints.iter().enumerate() {
            match endpoint.matcher.matches(exchange) {
                Ok(false) => {}
                Ok(true) => return self.receive(exchange, index, endpoint),
                Err(what) => return filter.refuse(exchange, About::Endpoint(index), what.into()),
            }
        }
        if let Some(prefix) = &filter.config.prefix {
            match exchange.path().map(|path| prefix.holds_on(path)) {
                Some(Ok(false)) | None => {}
                Some(Ok(true)) => return filter.refuse(exchange, About::None, Reason::Unknown),
                Some(Err(_)) => return filter.refuse(exchange, About::None, Reason::Path),
            }
        }
        for (index, signer) in filter.config.signers.iter().enumerate() {
            match signer.matcher.matches(exchange) {
                Ok(false) => {}
                Ok(true) => return self.sign(exchange, index),
                Err(what) => return filter.refuse(exchange, About::Signer(index), what.into()),
            }
        }
        Step::Continue
    }

    fn on_request_body(&mut self, exchange: &mut Exchange<'_>, chunk: Chunk<'_>) -> Step {
        let filter = Rc::clone(&self.filter);
        let config = &filter.config;
        let (about, size, most) = match &mut self.phase {
            Phase::Reading { endpoint, reading, .. } => {
                reading.update(chunk.bytes);
                let most = config.endpoints.get(*endpoint).map_or(0, |endpoint| endpoint.max_body);
                (About::Endpoint(*endpoint), reading.size(), most)
            }
            Phase::Signing { signer, signing } => {
                let most = config.signers.get(*signer).map_or(0, |signer| signer.max_body);
                if let Some(signer) = config.signers.get(*signer) {
                    signing.update(signer, chunk.bytes);
                }
                (About::Signer(*signer), signing.size(), most)
            }
            Phase::Late(about) => return Step::Reply(Box::new(filter.reply(*about, Reason::Timeout))),
            Phase::Forwarded { .. } | Phase::Over => return Step::Continue,
        };
        if most < size {
            return self.give_up(exchange, about, Reason::TooLarge);
        }
        if !self.keep() {
            return self.give_up(exchange, about, Reason::Busy);
        }
        if chunk.last { self.finish(exchange) } else { self.wait() }
    }

    fn on_wake(&mut self, exchange: &mut Exchange<'_>) -> Step {
        let (about, size) = match &self.phase {
            Phase::Reading { endpoint, reading, .. } => (About::Endpoint(*endpoint), reading.size()),
            Phase::Signing { signer, signing } => (About::Signer(*signer), signing.size()),
            Phase::Late(_) | Phase::Forwarded { .. } | Phase::Over => return Step::Hold,
        };
        if self.filter.config.hold == Hold::Body && size == 0 {
            let refusal = self.give_up(exchange, about, Reason::Timeout);
            self.phase = Phase::Late(about);
            return refusal;
        }
        if !self.filter.has_warned.replace(true) {
            exchange.log(Level::Warn, LATE_BODY);
        }
        self.give_up(exchange, about, Reason::Timeout)
    }

    fn on_response_headers(&mut self, exchange: &mut Exchange<'_>) -> Step {
        if let Phase::Forwarded { .. } = self.phase {
            // What isn't a success isn't accepted, whoever says so: the provider shall try again.
            let accepted = exchange.status().is_some_and(|status| (200..300).contains(&status));
            self.settle(exchange, accepted);
        }
        Step::Continue
    }

    fn is_done(&self) -> bool {
        matches!(self.phase, Phase::Over)
    }

    fn on_gone(&mut self, _: &mut Exchange<'_>) {
        // What went on and wasn't answered may have been done: it stays claimed until that has expired. Else whoever holds
        // a delivery could send it, leave, and send it again.
        self.forget_body();
    }
}

/// What the log is told once, because it is likely that nothing works.
const LATE_BODY: &str = "webhook-hmac: a request was held for its body, which did not come in time (body_timeout). If this \
                         happens to every request with a body, the configuration of the plugin lacks \
                         `allow_on_headers_stop_iteration: true`; where that can't be set, write `hold: body`";

impl WebhookHmac {
    /// Takes away what a client may have written into headers that say what was verified.
    fn clean(&self, exchange: &mut Exchange<'_>) {
        if self.config.mode == Mode::Enforce {
            for name in self.config.output.names() {
                if exchange.header(name) != Field::Absent {
                    exchange.remove_header(Map::Request, name);
                }
            }
        }
    }
}
