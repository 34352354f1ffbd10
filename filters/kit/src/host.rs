//! What the kit asks of whoever runs a filter: the shell inside the proxy, the test bench outside it.

use std::rc::Rc;

use crate::callout::{Callout, CalloutId};
use crate::header::HeaderMap;
use crate::setup::{Counter, Histogram};
use crate::store::Store;
use crate::time::Timestamp;

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
    /// Records a value in a histogram.
    Record(Histogram, u64),
    /// Lets the route be chosen again, by what is known now.
    ClearRoute,
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
