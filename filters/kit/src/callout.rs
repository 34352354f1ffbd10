//! HTTP requests that a filter sends itself: to a cluster of the proxy, with a deadline.

use std::time::Duration;

use crate::header::{Field, HeaderMap};

/// A request to a cluster.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Callout {
    /// The name of the cluster.
    pub cluster: String,
    /// Headers; `:method`, `:path` and `:authority` are required.
    pub headers: Vec<(String, String)>,
    /// The body.
    pub body: Vec<u8>,
    /// When the answer comes too late; never zero.
    pub timeout: Duration,
    /// How many bytes of the answer's body are of interest; the proxy keeps any more, up to limits of its own.
    pub max_body: usize,
}

/// Tells the answers of several callouts apart.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct CalloutId(pub u32);

/// What came back.
///
/// A refused connection comes as a 503 and a timeout as a 504 that the proxy made: whoever asks for a document
/// must look at the status.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct CalloutResponse {
    /// The headers; none at all when the connection broke.
    pub headers: HeaderMap,
    /// The body, cut where [`Callout::max_body`] says.
    pub body: Vec<u8>,
    /// How many bytes the whole body has.
    pub size: usize,
}

impl CalloutResponse {
    /// Returns the status, if there was an answer.
    pub fn status(&self) -> Option<u16> {
        match self.headers.field(":status") {
            Field::One(status) => std::str::from_utf8(&status).ok()?.parse().ok(),
            Field::Absent | Field::Many(_) => None,
        }
    }
}
