//! What is kept of a stream between its callbacks, and what all streams of a chain share.

use std::cell::{Cell, OnceCell};
use std::rc::Rc;

use crate::callout::CalloutId;
use crate::header::HeaderMap;
use crate::path::RequestPath;
use crate::setup::Tag;
use crate::time::Timestamp;

/// What a chain remembers of a stream from one callback to the next, for all its filters.
#[derive(Debug, Default)]
pub(crate) struct Memory {
    /// The request's headers with all edits, once one of them was asked for.
    pub(super) request: OnceCell<HeaderMap>,
    /// Its path as it can be read, once a rule asked.
    pub(super) path: OnceCell<RequestPath>,
    /// What filters of this chain published: read without a call to the host.
    pub(super) tags: Vec<(Tag, Rc<[u8]>)>,
    /// The filter that answered the request in place of the upstream.
    pub(crate) replied: Option<usize>,
    /// Whoever gets the reply that a filter has just made speaks gRPC.
    pub(crate) grpc: bool,
    /// The time of this callback, once a filter asked for it: one instant for all of them.
    pub(crate) now: Cell<Option<Timestamp>>,
    /// The callouts that wait for an answer, and the place of the filter that sent each.
    pub(crate) callouts: Vec<(CalloutId, usize)>,
}

/// What is the same for all streams of a chain.
#[derive(Debug, Default)]
pub(crate) struct Shared {
    /// Whether there is a filter behind another one that could want to know what it published.
    pub(super) hands_over: bool,
    /// Tells the shared state of this plugin from that of all others in the process.
    pub(super) scope: OnceCell<String>,
}

impl Shared {
    pub(crate) fn new(hands_over: bool) -> Self {
        Self { hands_over, ..Self::default() }
    }
}
