//! The first half of a stream: its headers are looked at, and its body is waited for.

use std::rc::Rc;

use kit::exchange::Exchange;
use kit::filter::Step;
use kit::header::{Found, Lookup};
use kit::rule::Mode;

use super::{Phase, WebhookStream};
use crate::check::Reading;
use crate::config::{Endpoint, Hold};
use crate::message::Message;
use crate::reason::Reason;
use crate::sign::Signing;
use crate::state::About;

/// More bytes of bodies aren't kept on a worker: who sends them may be anybody.
const MOST_KEPT: usize = 128 << 20;

impl WebhookStream {
    /// Takes the headers of a delivery.
    pub(super) fn receive(&mut self, exchange: &mut Exchange<'_>, index: usize, endpoint: &Endpoint) -> Step {
        let filter = Rc::clone(&self.filter);
        let about = About::Endpoint(index);
        let is_allowed = matches!(exchange.find(":method"), Found::One(method) if endpoint.takes(&method));
        if !is_allowed {
            return filter.refuse(exchange, about, Reason::NotAllowed);
        }
        // It may lie, and then the body tells.
        if let Found::One(length) = exchange.find("content-length")
            && std::str::from_utf8(&length)
                .is_ok_and(|length| length.parse().is_ok_and(|length| endpoint.max_body < length))
        {
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
    pub(super) fn sign(&mut self, exchange: &mut Exchange<'_>, index: usize) -> Step {
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
    pub(super) fn begin(&mut self, exchange: &mut Exchange<'_>) -> Step {
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
    pub(super) fn wait(&self) -> Step {
        // Who only looks on holds nobody up.
        if self.filter.config.mode == Mode::Shadow { Step::Continue } else { Step::Hold }
    }

    /// Refuses a request that isn't there as a whole.
    pub(super) fn give_up(&mut self, exchange: &mut Exchange<'_>, about: About, reason: Reason) -> Step {
        exchange.stop_waiting();
        self.forget_body();
        self.phase = Phase::Over;
        self.filter.refuse(exchange, about, reason)
    }

    /// Takes note of what is kept of the body; false if it is too much, together with those of others.
    pub(super) fn keep(&mut self) -> bool {
        let kept = match &self.phase {
            Phase::Reading { reading, .. } => reading.kept(),
            Phase::Signing { signing, .. } => signing.kept(),
            Phase::Late(_) | Phase::Forwarded { .. } | Phase::Over => 0,
        };
        let all = self.filter.kept.get().saturating_sub(self.kept).saturating_add(kept);
        self.filter.kept.set(all);
        self.kept = kept;
        all <= MOST_KEPT
    }

    pub(super) fn forget_body(&mut self) {
        self.filter.kept.set(self.filter.kept.get().saturating_sub(self.kept));
        self.kept = 0;
    }
}

impl Endpoint {
    /// Tells whether a method is that of a delivery, or of a handshake.
    fn takes(&self, method: &[u8]) -> bool {
        let handshakes = self.handshakes.iter().map(|handshake| &handshake.method);
        self.methods.iter().chain(handshakes).any(|known| known.as_bytes() == method)
    }
}
