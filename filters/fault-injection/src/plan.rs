//! What is going to happen to one stream: an experiment with its dice thrown, or what a tester asks for.

use std::rc::Rc;
use std::time::Duration;

use crate::abort::Abort;
use crate::response::ResponseFault;

/// What is going to happen to a stream.
#[derive(Clone, Debug, Default)]
pub(crate) struct Plan {
    pub(crate) delay: Option<Duration>,
    pub(crate) end: End,
    pub(crate) response: Option<Rc<ResponseFault>>,
    pub(crate) response_delay: Option<Duration>,
}

/// What becomes of the request after its delay.
#[derive(Clone, Debug, Default)]
pub(crate) enum End {
    /// It goes on.
    #[default]
    GoOn,
    /// It is answered.
    Abort(Rc<Abort>),
    /// Its connection breaks; of HTTP/2, its stream.
    Reset,
}

impl Plan {
    /// Tells whether nothing is going to happen.
    pub(crate) fn is_empty(&self) -> bool {
        self.delay.is_none() && self.is_over()
    }

    /// Tells whether anything happens to a response.
    pub(crate) fn changes_responses(&self) -> bool {
        self.response.is_some() || self.response_delay.is_some()
    }

    /// Tells whether nothing is going to happen any more once the request has had its delay.
    pub(crate) fn is_over(&self) -> bool {
        matches!(self.end, End::GoOn) && !self.changes_responses()
    }

    /// Ends it after the delay of the request.
    pub(crate) fn stop(&mut self) {
        *self = Self { delay: self.delay, ..Self::default() };
    }

    /// Says it in words, for stamps and tags: `delay=212ms;abort=503`.
    pub(crate) fn words(&self) -> String {
        let time = |name: &str, time: Duration| format!("{name}={}ms", time.as_millis());
        let mut words = Vec::new();
        words.extend(self.delay.map(|delay| time("delay", delay)));
        match &self.end {
            End::GoOn => {}
            End::Abort(abort) => words.push(format!("abort={}", abort.word())),
            End::Reset => words.push("reset".to_owned()),
        }
        words.extend(self.response_delay.map(|delay| time("response_delay", delay)));
        words.extend(self.response.iter().flat_map(|response| response.words()));
        words.join(";")
    }
}
