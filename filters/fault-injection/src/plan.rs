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
        self.delay.is_none()
            && matches!(self.end, End::GoOn)
            && self.response.is_none()
            && self.response_delay.is_none()
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
