//! What the kit asks of whoever runs a filter: the shell inside the proxy, the test bench outside it.

use std::rc::Rc;

use crate::callout::{Callout, CalloutId};
use crate::header::HeaderMap;
use crate::setup::{Counter, Gauge, Histogram};
use crate::store::Store;
use crate::time::Timestamp;

#[cfg(any(test, target_os = "wasi"))]
pub(crate) mod verification;

/// One of the header maps of a stream.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Map {
    /// The request's headers.
    Request,
    /// The request's trailers.
    RequestTrailers,
    /// The response's headers.
    Response,
    /// The response's trailers.
    ResponseTrailers,
}

/// The way a message goes through the chain.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Direction {
    /// From the client to the upstream, first filter first.
    Request,
    /// Back to the client, last filter first.
    Response,
}

/// A signature for the host to check: RSA with PKCS #1 v1.5, or ECDSA on P-256, P-384 or P-521.
#[derive(Clone, Copy, Debug)]
pub struct Signature<'a> {
    /// The hash of the text: `sha1`, `sha224`, `sha256`, `sha384` or `sha512`.
    pub hash: &'static str,
    /// The public key, as a `SubjectPublicKeyInfo` in DER (RFC 5280, section 4.1).
    pub key: &'a [u8],
    /// The signature; that of ECDSA is an `ECDSA-Sig-Value` in DER (RFC 3279, section 2.2.3), not two numbers joined.
    pub signature: &'a [u8],
    /// What was signed.
    pub text: &'a [u8],
}

/// Reads of the host. None of them fails: what isn't there is absent.
pub trait Host {
    /// Returns the time on the wall clock.
    fn now(&self) -> Timestamp;

    /// Draws a uniformly distributed number.
    fn draw(&self) -> u64;

    /// Draws a number that nobody can guess, for keys.
    fn secret(&self) -> u64;

    /// Returns all headers of a map, in order.
    fn headers(&self, map: Map) -> HeaderMap;

    /// Returns the first value of one header.
    fn first_header(&self, map: Map, name: &str) -> Option<Vec<u8>>;

    /// Returns a property; one that is there but empty is empty.
    fn property(&self, path: &[&str]) -> Option<Vec<u8>>;

    /// Returns bytes of the body that is buffered now.
    fn body(&self, direction: Direction, start: usize, length: usize) -> Vec<u8>;

    /// Returns the state that all workers share.
    fn store(&self) -> &dyn Store;

    /// Sends a callout; none if it can't be sent, and then no answer comes.
    fn call(&self, callout: &Callout) -> Option<CalloutId>;

    /// Tells whether a signature is good. None if the host checks no signatures, or can't say.
    fn verify_signature(&self, signature: &Signature<'_>) -> Option<bool>;
}

/// What is to be done on the host, as data, in order.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Effect {
    /// Replaces every header of a name by one.
    SetHeader(Map, String, Vec<u8>),
    /// Adds a header after those of the same name.
    AddHeader(Map, String, Vec<u8>),
    /// Removes every header of a name.
    RemoveHeader(Map, String),
    /// Replaces what is buffered of a body.
    ReplaceBody(Direction, Vec<u8>),
    /// Publishes a value as filter state `wasm.<name>`.
    Tag(Rc<str>, Rc<[u8]>),
    /// Adds to a counter.
    Count(Counter, u64),
    /// Adds to a gauge, or takes from it.
    Add(Gauge, i64),
    /// Sets a gauge.
    Set(Gauge, u64),
    /// Records a value in a histogram.
    Record(Histogram, u64),
    /// Lets the route be chosen again, by what is known now.
    ClearRoute,
    /// Calls the `on_wake` of the filter at this place in the chain, soon.
    WakeFilter(usize),
    /// Writes a line to the proxy's log.
    Log(Level, String),
}

/// How urgent a line of the log is.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Level {
    /// For whoever looks for a fault.
    Debug,
    /// Worth one line at start or at a change of configuration.
    Info,
    /// Worth waking somebody.
    Warn,
    /// Something was refused for good.
    Error,
}
