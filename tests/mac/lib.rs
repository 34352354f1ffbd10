//! A filter that makes one HMAC-SHA256 for each request, of as many bytes as its configuration says, and looks at
//! nothing: what a signature costs where filters run, without the filter around it.

use std::cell::Cell;
use std::hint::black_box;
use std::rc::Rc;

use hmac::{Hmac, KeyInit, Mac};
use kit::exchange::Exchange;
use kit::filter::{Callbacks, Filter, Kind, Step, Stream};
use kit::module::{Form, Module};
use sha2::Sha256;

/// The filter, as the module offers it.
const KIND: Kind = Kind {
    name: "mac",
    version: env!("CARGO_PKG_VERSION"),
    callbacks: Callbacks {
        request_body: false,
        response_headers: false,
        response_body: false,
        response_trailers: false,
        hold: false,
        hold_response: false,
        end: false,
        callout: false,
    },
    configure: |node, _| {
        let mut object = node.object()?;
        let size = object.required("size").and_then(|size| size.integer(0..=1 << 30));
        object.finish();
        let text = vec![b'x'; usize::try_from(size?).ok()?];
        let mac = Hmac::new_from_slice(b"an example of a secret, 32 bytes").ok()?;
        let filter: Rc<dyn Filter> = Rc::new(OneMac { mac, text, seen: Cell::new(0) });
        Some(filter)
    },
};

/// The module.
#[cfg_attr(not(target_os = "wasi"), expect(dead_code, reason = "only a proxy runs it"))]
static MODULE: Module = Module { kinds: &[KIND], form: Form::Single };

#[cfg(target_os = "wasi")]
kit::module!(MODULE);

/// The filter, with a key that is prepared and a text.
struct OneMac {
    mac: Hmac<Sha256>,
    text: Vec<u8>,
    seen: Cell<u8>,
}

/// One stream.
struct OneStream(Rc<OneMac>);

impl Filter for OneMac {
    fn stream(self: Rc<Self>) -> Box<dyn Stream> {
        Box::new(OneStream(self))
    }
}

impl Stream for OneStream {
    fn on_request_headers(&mut self, _: &mut Exchange<'_>) -> Step {
        let mut mac = self.0.mac.clone();
        mac.update(black_box(&self.0.text));
        // Somebody must want it, or nobody makes it.
        self.0.seen.set(mac.finalize().into_bytes().first().copied().unwrap_or(0));
        Step::Continue
    }

    fn is_done(&self) -> bool {
        true
    }
}
