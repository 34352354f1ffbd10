//! Waiting with a deadline that ends in a sentence.

use std::future::Future;
use std::time::Duration;

use tokio::time::{Instant, sleep, timeout};

/// How long anything may take on a busy machine.
const PATIENCE: Duration = Duration::from_secs(10);

/// Awaits `future`, and panics with `what` was awaited after ten seconds.
pub async fn within<T>(what: &str, future: impl Future<Output = T>) -> T {
    within_times(1, what, future).await
}

/// Awaits `future` for `times` as long.
pub(crate) async fn within_times<T>(times: u32, what: &str, future: impl Future<Output = T>) -> T {
    let patience = PATIENCE * times;
    match timeout(patience, future).await {
        Ok(value) => value,
        Err(_) => panic!("waited {} seconds for {what}", patience.as_secs()),
    }
}

/// The patience of a loop that looks at something that cannot call back.
pub struct Deadline {
    what: String,
    patience: Duration,
    started: Instant,
}

impl Deadline {
    /// Starts waiting for `what`, for ten seconds.
    pub fn new(what: impl Into<String>) -> Self {
        Self { what: what.into(), patience: PATIENCE, started: Instant::now() }
    }

    /// Waits for `times` as long.
    pub fn times(mut self, times: u32) -> Self {
        self.patience *= times;
        self
    }

    /// Pauses before the next look, and panics when time is up; `state` tells what was seen last.
    pub async fn look_again(&self, state: impl FnOnce() -> String) {
        if self.started.elapsed() > self.patience {
            panic!("waited {} seconds for {}\n{}", self.patience.as_secs(), self.what, state());
        }
        sleep(Duration::from_millis(20)).await;
    }
}
