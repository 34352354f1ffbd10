//! What was counted and the host doesn't know yet.
//!
//! To tell the host costs as much as to decide, so it is told the sum, every now and then.

use std::cell::{Cell, RefCell};

/// Counts of a worker, by the places of their metrics.
pub(super) struct Tally {
    counts: Vec<Cell<u64>>,
    /// Those that aren't zero.
    counted: RefCell<Vec<usize>>,
}

impl Tally {
    /// Prepares for so many metrics.
    pub(super) fn new(metrics: usize) -> Self {
        Self { counts: (0..metrics).map(|_| Cell::default()).collect(), counted: RefCell::default() }
    }

    /// Adds to a count. True if there was nothing to tell the host before.
    pub(super) fn add(&self, metric: usize, by: u64) -> bool {
        let (Some(count), Ok(mut counted)) = (self.counts.get(metric), self.counted.try_borrow_mut()) else {
            return false;
        };
        let was_empty = counted.is_empty();
        if count.get() == 0 && 0 < by {
            counted.push(metric);
        }
        count.set(count.get().saturating_add(by));
        was_empty && !counted.is_empty()
    }

    /// Tells what was counted, and begins anew.
    pub(super) fn tell(&self, tell: impl Fn(usize, u64)) {
        if let Ok(mut counted) = self.counted.try_borrow_mut() {
            for metric in counted.drain(..) {
                if let Some(count) = self.counts.get(metric) {
                    tell(metric, count.take());
                }
            }
        }
    }
}
