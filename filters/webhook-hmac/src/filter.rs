//! The decision on a request, in the order in which it arrives.

use std::cell::Cell;
use std::rc::Rc;

use kit::exchange::Exchange;
use kit::filter::{Chunk, Filter, Step, Stream};
use kit::header::{Field, Lookup};
use kit::host::{Level, Map, Signature};
use kit::reply::Reply;
use kit::root::Root;
use kit::rule::Mode;
use kit::setup::Setup;
use kit::signature::{Abilities, HostVerifier, Kind};

use crate::check::{Reading, Verified};
use crate::config::{Config, Endpoint, Hold};
use crate::key::KeyKind;
use crate::message::Message;
use crate::reason::Reason;
use crate::replay::{Claim, OnDuplicate, Ticket};
use crate::sign::{Signing, is_id};
use crate::state::{About, Outcome, State};

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

/// More bytes of bodies aren't kept on a worker: who sends them may be anybody.
const MOST_KEPT: usize = 128 << 20;

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
    Reading { endpoint: usize, reading: Reading, refused: Option<Reason> },
    /// A request that is to be signed is coming.
    Signing { signer: usize, signing: Signing },
    /// A delivery went on to the upstream, which hasn't answered yet.
    Forwarded { endpoint: usize, ticket: Ticket },
    /// Nothing more is decided.
    Over,
}

/// What was found of a delivery that is there as a whole.
enum Found {
    Handshake(Reply),
    Genuine(Verified, Option<Vec<u8>>),
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
        let about = match &self.phase {
            Phase::Reading { endpoint, .. } => About::Endpoint(*endpoint),
            Phase::Signing { signer, .. } => About::Signer(*signer),
            Phase::Forwarded { .. } | Phase::Over => return Step::Hold,
        };
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

    fn on_gone(&mut self, exchange: &mut Exchange<'_>) {
        self.settle(exchange, false);
        self.forget_body();
    }
}

/// What the log is told once, because it is likely that nothing works.
const LATE_BODY: &str = "webhook-hmac: a request was held for its body, which did not come in time (body_timeout). If this \
                         happens to every request with a body, the configuration of the plugin lacks \
                         `allow_on_headers_stop_iteration: true`; where that can't be set, write `hold: body`";

impl WebhookStream {
    /// Takes the headers of a delivery.
    fn receive(&mut self, exchange: &mut Exchange<'_>, index: usize, endpoint: &Endpoint) -> Step {
        let filter = Rc::clone(&self.filter);
        let about = About::Endpoint(index);
        let is_allowed = matches!(exchange.header(":method"), Field::One(method) if endpoint.takes(&method));
        if !is_allowed {
            return filter.refuse(exchange, about, Reason::NotAllowed);
        }
        // It may lie, and then the body tells.
        let declared = exchange.header("content-length").single();
        let declared = declared.and_then(|length| std::str::from_utf8(&length).ok()?.parse::<usize>().ok());
        if declared.is_some_and(|length| endpoint.max_body < length) {
            return filter.refuse(exchange, about, Reason::TooLarge);
        }
        let (reading, refused) = match Reading::begin(endpoint, exchange, &|| exchange.now()) {
            Ok(reading) => (reading, None),
            Err(reason) => {
                let message = Message::new(exchange, b"");
                if !endpoint.handshakes.iter().any(|known| !known.is_signed && known.may_fit(&message)) {
                    return filter.refuse(exchange, about, reason);
                }
                (Reading::unread(endpoint), Some(reason))
            }
        };
        self.phase = Phase::Reading { endpoint: index, reading, refused };
        self.begin(exchange)
    }

    /// Takes the headers of a request that is to be signed.
    fn sign(&mut self, exchange: &mut Exchange<'_>, index: usize) -> Step {
        let filter = Rc::clone(&self.filter);
        let Some(signer) = filter.config.signers.get(index) else {
            return Step::Continue;
        };
        match Signing::begin(signer, exchange) {
            Ok(signing) => {
                self.phase = Phase::Signing { signer: index, signing };
                self.begin(exchange)
            }
            Err(reason) => filter.refuse(exchange, About::Signer(index), reason),
        }
    }

    /// Waits for the body, if there is one.
    fn begin(&mut self, exchange: &mut Exchange<'_>) -> Step {
        if exchange.headers_only() {
            return self.finish(exchange);
        }
        if self.filter.config.mode == Mode::Shadow {
            return Step::Continue;
        }
        exchange.wake_after(self.filter.config.body_timeout);
        match self.filter.config.hold {
            Hold::Headers => Step::Hold,
            Hold::Body => Step::Continue,
        }
    }

    /// Waits for more of the body.
    fn wait(&self) -> Step {
        // Who only looks on holds nobody up.
        if self.filter.config.mode == Mode::Shadow { Step::Continue } else { Step::Hold }
    }

    /// Decides on a request that is there as a whole.
    fn finish(&mut self, exchange: &mut Exchange<'_>) -> Step {
        exchange.stop_waiting();
        self.forget_body();
        let filter = Rc::clone(&self.filter);
        match std::mem::replace(&mut self.phase, Phase::Over) {
            Phase::Reading { endpoint: index, reading, refused } => {
                let Some(endpoint) = filter.config.endpoints.get(index) else {
                    return Step::Continue;
                };
                match filter.judge(exchange, endpoint, reading, refused) {
                    Ok(Found::Handshake(reply)) => {
                        filter.state.note(exchange, About::Endpoint(index), Outcome::Handshake);
                        if filter.config.mode == Mode::Shadow { Step::Continue } else { Step::Reply(reply) }
                    }
                    Ok(Found::Genuine(verified, seen)) => {
                        self.accept(exchange, index, endpoint, &verified, seen.as_deref())
                    }
                    Err(reason) => filter.refuse(exchange, About::Endpoint(index), reason),
                }
            }
            Phase::Signing { signer: index, signing } => {
                let about = About::Signer(index);
                let Some(signer) = filter.config.signers.get(index) else {
                    return Step::Continue;
                };
                if filter.config.mode == Mode::Shadow {
                    filter.state.note(exchange, about, Outcome::Signed);
                    return Step::Continue;
                }
                match signing.finish(signer, exchange) {
                    Ok(()) => {
                        filter.state.note(exchange, about, Outcome::Signed);
                        Step::Continue
                    }
                    Err(reason) => filter.refuse(exchange, about, reason),
                }
            }
            Phase::Forwarded { .. } | Phase::Over => Step::Continue,
        }
    }

    /// Lets a genuine delivery go on, if it is the first.
    fn accept(
        &mut self,
        exchange: &mut Exchange<'_>,
        index: usize,
        endpoint: &Endpoint,
        verified: &Verified,
        seen: Option<&[u8]>,
    ) -> Step {
        let filter = Rc::clone(&self.filter);
        let about = About::Endpoint(index);
        let id = verified.id.as_deref().filter(|id| is_id(id));
        let mut outcome = Outcome::Verified;
        if let (Some(replay), Some(seen)) = (&endpoint.replay, seen) {
            let claimed = filter.state.seen(index).claim(exchange, endpoint, replay, seen);
            let Ok((claim, evicted)) = claimed else {
                filter.state.count_contended(exchange, index);
                return filter.refuse(exchange, about, Reason::Busy);
            };
            if evicted {
                filter.state.count_evicted(exchange, index);
            }
            match (claim, replay.on_duplicate) {
                (Claim::First(ticket), _) => self.phase = Phase::Forwarded { endpoint: index, ticket },
                (Claim::Done | Claim::Pending, OnDuplicate::Forward) => outcome = Outcome::Repeated,
                (Claim::Done, OnDuplicate::Refuse) => {
                    return filter.refuse(exchange, about, Reason::Replayed);
                }
                // The first may still fail, and then somebody has to try again.
                (Claim::Pending, OnDuplicate::Refuse | OnDuplicate::Acknowledge) => {
                    return filter.refuse(exchange, about, Reason::InFlight);
                }
                (Claim::Done, OnDuplicate::Acknowledge) => {
                    filter.state.note(exchange, about, Outcome::Acknowledged);
                    filter.state.publish(exchange, index, id, verified.key);
                    return match filter.config.mode {
                        Mode::Shadow => Step::Continue,
                        Mode::Enforce => Step::Reply(acknowledgement()),
                    };
                }
            }
        }
        filter.state.note(exchange, about, outcome);
        filter.state.publish(exchange, index, id, verified.key);
        if filter.config.mode == Mode::Enforce {
            filter.tell_upstream(exchange, endpoint, id, verified.key, outcome);
        }
        Step::Continue
    }

    /// Refuses a request that isn't there as a whole.
    fn give_up(&mut self, exchange: &mut Exchange<'_>, about: About, reason: Reason) -> Step {
        exchange.stop_waiting();
        self.forget_body();
        self.phase = Phase::Over;
        self.filter.refuse(exchange, about, reason)
    }

    /// Says what became of a delivery that went on.
    fn settle(&mut self, exchange: &mut Exchange<'_>, accepted: bool) {
        let Phase::Forwarded { endpoint: index, ticket } = self.phase else {
            return;
        };
        self.phase = Phase::Over;
        let filter = &self.filter;
        let endpoint = filter.config.endpoints.get(index);
        if let Some((endpoint, replay)) =
            endpoint.and_then(|endpoint| Some((endpoint, endpoint.replay.as_ref()?)))
            && filter.state.seen(index).settle(exchange, endpoint, replay, ticket, accepted).is_err()
        {
            filter.state.count_contended(exchange, index);
        }
    }

    /// Takes note of what is kept of the body; false if it is too much, together with those of others.
    fn keep(&mut self) -> bool {
        let kept = match &self.phase {
            Phase::Reading { reading, .. } => reading.kept(),
            Phase::Signing { signing, .. } => signing.kept(),
            Phase::Forwarded { .. } | Phase::Over => 0,
        };
        let all = self.filter.kept.get().saturating_sub(self.kept).saturating_add(kept);
        self.filter.kept.set(all);
        self.kept = kept;
        all <= MOST_KEPT
    }

    fn forget_body(&mut self) {
        self.filter.kept.set(self.filter.kept.get().saturating_sub(self.kept));
        self.kept = 0;
    }
}

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

    /// Finds out what a delivery is that is there as a whole.
    fn judge(
        &self,
        exchange: &Exchange<'_>,
        endpoint: &Endpoint,
        mut reading: Reading,
        refused: Option<Reason>,
    ) -> Result<Found, Reason> {
        let body = reading.take_body();
        let message = Message::new(exchange, &body);
        let fitting = |is_signed: bool| {
            let mut handshakes = endpoint.handshakes.iter().filter(|known| known.is_signed == is_signed);
            handshakes.find(|handshake| handshake.fits(&message))
        };
        if let Some(handshake) = fitting(false) {
            return handshake.answer(endpoint, &message).map(Found::Handshake);
        }
        if let Some(reason) = refused {
            return Err(reason);
        }
        let verify = |signature: &Signature<'_>| exchange.verify_signature(signature);
        let host = HostVerifier::new(&verify, self.abilities.get());
        let verified = reading.finish(endpoint, &message, &|| exchange.now(), host)?;
        if let Some(handshake) = fitting(true) {
            return handshake.answer(endpoint, &message).map(Found::Handshake);
        }
        let method = message.pseudo(":method");
        if !endpoint.methods.iter().any(|known| known.as_bytes() == method.as_ref()) {
            return Err(Reason::NotAllowed);
        }
        let seen = endpoint.replay.as_ref().and_then(|replay| replay.id_of(&message, &verified));
        Ok(Found::Genuine(verified, seen))
    }

    /// Tells the upstream what was verified.
    fn tell_upstream(
        &self,
        exchange: &mut Exchange<'_>,
        endpoint: &Endpoint,
        id: Option<&[u8]>,
        key: usize,
        outcome: Outcome,
    ) {
        if endpoint.remove_signature {
            for name in endpoint.scheme.headers() {
                if exchange.header(name) != Field::Absent {
                    exchange.remove_header(Map::Request, name);
                }
            }
        }
        let output = &self.config.output;
        let key = key.to_string();
        let duplicate = (outcome == Outcome::Repeated).then_some(b"true".as_slice());
        for (name, value) in [
            (&output.endpoint, Some(endpoint.name.as_bytes())),
            (&output.provider, Some(endpoint.provider.as_bytes())),
            (&output.id, id),
            (&output.key, Some(key.as_bytes())),
            (&output.duplicate, duplicate),
        ] {
            if let (Some(name), Some(value)) = (name, value) {
                exchange.set_header(Map::Request, name, value);
            }
        }
    }
}

impl Endpoint {
    /// Tells whether a method is that of a delivery, or of a handshake.
    fn takes(&self, method: &[u8]) -> bool {
        let handshakes = self.handshakes.iter().map(|handshake| &handshake.method);
        self.methods.iter().chain(handshakes).any(|known| known.as_bytes() == method)
    }
}

/// Says that a delivery was accepted, though it went nowhere.
fn acknowledgement() -> Reply {
    use kit::reply::{Grpc, GrpcStatus};
    Reply {
        status: 200,
        details: "sluice_webhook_hmac_acknowledged",
        headers: Vec::new(),
        body: Vec::new(),
        grpc: Grpc { status: GrpcStatus::Unknown, message: "acknowledged".into() },
    }
}
