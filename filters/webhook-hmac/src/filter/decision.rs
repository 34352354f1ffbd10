//! The second half of a stream: all of it is there, and it is decided what becomes of it.

use std::rc::Rc;

use kit::exchange::Exchange;
use kit::filter::Step;
use kit::header::{Field, Lookup};
use kit::host::{Map, Signature};
use kit::reply::{Grpc, GrpcStatus, Reply};
use kit::rule::Mode;
use kit::signature::HostVerifier;

use super::{Phase, WebhookHmac, WebhookStream};
use crate::check::{Reading, Verified};
use crate::config::Endpoint;
use crate::message::Message;
use crate::reason::Reason;
use crate::replay::{Claim, OnDuplicate, Replay};
use crate::sign::is_id;
use crate::state::{About, Outcome};

/// What was found of a delivery that is there as a whole.
enum Found {
    Handshake(Reply),
    Genuine(Verified, Vec<Vec<Vec<u8>>>),
}

impl WebhookStream {
    /// Decides on a request that is there as a whole.
    pub(super) fn finish(&mut self, exchange: &mut Exchange<'_>) -> Step {
        exchange.stop_waiting();
        self.forget_body();
        let filter = Rc::clone(&self.filter);
        match std::mem::replace(&mut self.phase, Phase::Over) {
            Phase::Reading { endpoint: index, reading, refused } => {
                let Some(endpoint) = filter.config.endpoints.get(index) else {
                    return Step::Continue;
                };
                match filter.judge(exchange, endpoint, *reading, refused) {
                    Ok(Found::Handshake(reply)) => {
                        filter.state.note(exchange, About::Endpoint(index), Outcome::Handshake);
                        if filter.config.mode == Mode::Shadow {
                            Step::Continue
                        } else {
                            Step::Reply(Box::new(reply))
                        }
                    }
                    Ok(Found::Genuine(verified, ids)) => {
                        self.accept(exchange, index, endpoint, &verified, &ids)
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
            Phase::Late(_) | Phase::Forwarded { .. } | Phase::Over => Step::Continue,
        }
    }

    /// Lets a genuine delivery go on, if it is the first.
    fn accept(
        &mut self,
        exchange: &mut Exchange<'_>,
        index: usize,
        endpoint: &Endpoint,
        verified: &Verified,
        ids: &[Vec<Vec<u8>>],
    ) -> Step {
        let filter = Rc::clone(&self.filter);
        let about = About::Endpoint(index);
        let id = verified.id.as_deref().filter(|id| is_id(id));
        let mut outcome = Outcome::Verified;
        let claimed = endpoint.replay.as_ref().map(|replay| {
            let claimed = filter.state.seen(index).claim(exchange, endpoint, replay, ids);
            claimed.map(|claimed| claimed.map(|(claim, evicted)| (claim, evicted, replay.on_duplicate)))
        });
        let Ok(claimed) = claimed.transpose() else {
            filter.state.count_contended(exchange, index);
            return filter.refuse(exchange, about, Reason::Busy);
        };
        if let Some((claim, evicted, on_duplicate)) = claimed.flatten() {
            if evicted {
                filter.state.count_evicted(exchange, index);
            }
            match (claim, on_duplicate) {
                (Claim::First(tickets), _) => self.phase = Phase::Forwarded { endpoint: index, tickets },
                (Claim::Done | Claim::Pending, OnDuplicate::Forward) => outcome = Outcome::Repeated,
                (Claim::Done, OnDuplicate::Refuse) => {
                    filter.state.publish(exchange, index, id, verified.key);
                    return filter.refuse(exchange, about, Reason::Replayed);
                }
                // The first may still fail, and then somebody has to try again.
                (Claim::Pending, OnDuplicate::Refuse | OnDuplicate::Acknowledge) => {
                    filter.state.publish(exchange, index, id, verified.key);
                    return filter.refuse(exchange, about, Reason::InFlight);
                }
                (Claim::Done, OnDuplicate::Acknowledge) => {
                    filter.state.note(exchange, about, Outcome::Acknowledged);
                    filter.state.publish(exchange, index, id, verified.key);
                    return match filter.config.mode {
                        Mode::Shadow => Step::Continue,
                        Mode::Enforce => Step::Reply(Box::new(acknowledgement())),
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

    /// Says what became of a delivery that went on.
    pub(super) fn settle(&mut self, exchange: &mut Exchange<'_>, accepted: bool) {
        if !matches!(self.phase, Phase::Forwarded { .. }) {
            return;
        }
        let Phase::Forwarded { endpoint: index, tickets } = std::mem::replace(&mut self.phase, Phase::Over)
        else {
            return;
        };
        let filter = &self.filter;
        let endpoint = filter.config.endpoints.get(index);
        if let Some((endpoint, replay)) =
            endpoint.and_then(|endpoint| Some((endpoint, endpoint.replay.as_ref()?)))
            && filter.state.seen(index).settle(exchange, endpoint, replay, &tickets, accepted).is_err()
        {
            filter.state.count_contended(exchange, index);
        }
    }
}

impl WebhookHmac {
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
        let mut verified = reading.finish(endpoint, &message, &|| exchange.now(), host)?;
        if let Some(handshake) = fitting(true) {
            return handshake.answer(endpoint, &message).map(Found::Handshake);
        }
        let method = message.pseudo(":method");
        if !endpoint.methods.iter().any(|known| known.as_bytes() == method.as_ref()) {
            return Err(Reason::NotAllowed);
        }
        let told_by = endpoint.replay.as_ref().map(|replay| replay.id_of(&message));
        let ids = told_by.as_ref().map(|id| Replay::ids_of(id.as_deref(), &verified));
        // The id of an event is told to others, wherever it is found.
        verified.id = verified.id.or(told_by.flatten());
        Ok(Found::Genuine(verified, ids.unwrap_or_default()))
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
        if output.names().next().is_none() {
            return;
        }
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

/// Says that a delivery was accepted, though it went nowhere.
fn acknowledgement() -> Reply {
    Reply {
        status: 200,
        details: "sluice_webhook_hmac_acknowledged",
        headers: Vec::new(),
        body: Vec::new(),
        grpc: Grpc { status: GrpcStatus::Unknown, message: "acknowledged".into() },
    }
}
