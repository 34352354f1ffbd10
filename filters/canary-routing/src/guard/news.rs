//! What there is to tell when a variant changes its state.

use std::time::Duration;

use super::State;

/// Why a variant changed its state.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Cause {
    /// It fails more than the baseline.
    Worse,
    /// It fails more than is allowed in any case.
    ErrorRate,
    /// The text of `reset` is another one.
    Reset,
}

/// A change of a variant's state, told to one worker only.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct News {
    /// The variant's place, never 0.
    pub(crate) variant: usize,
    /// What it is now.
    pub(crate) to: State,
    /// Why; none if it was time.
    pub(crate) cause: Option<Cause>,
    pub(crate) numbers: Numbers,
}

/// What there was to see: zeros unless something tripped.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(crate) struct Numbers {
    pub(crate) requests: u32,
    pub(crate) failures: u32,
    pub(crate) baseline_requests: u32,
    pub(crate) baseline_failures: u32,
    /// When it will be tried again; none if only another `reset` does that.
    pub(crate) retry_in: Option<Duration>,
}
