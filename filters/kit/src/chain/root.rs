//! The root of a chain: what its filters do outside of streams.

use std::rc::Rc;

use super::Chain;
use crate::callout::{CalloutId, CalloutResponse};
use crate::filter::Filter;
use crate::host::{Effect, Host};
use crate::root::Root;
use crate::time::Timestamp;

/// The part of a chain that belongs to no stream.
pub struct ChainRoot {
    chain: Rc<Chain>,
    wakes: Vec<Option<Timestamp>>,
    callouts: Vec<(CalloutId, usize)>,
    hurried: Vec<usize>,
}

impl ChainRoot {
    /// Prepares the root of a chain.
    pub fn new(chain: Rc<Chain>) -> Self {
        let wakes = chain.links.iter().map(|_| None).collect();
        Self { chain, wakes, callouts: Vec::new(), hurried: Vec::new() }
    }

    /// Tells every filter that the configuration is in force.
    pub fn start(&mut self, host: &dyn Host, effects: &mut Vec<Effect>) {
        for index in 0..self.wakes.len() {
            self.call(index, host, effects, |filter, root| filter.on_start(root));
        }
    }

    /// Wakes the filters whose instant has come.
    pub fn wake(&mut self, host: &dyn Host, now: Timestamp, effects: &mut Vec<Effect>) {
        for index in 0..self.wakes.len() {
            let due = self.wakes.get_mut(index).is_some_and(|wake| match wake {
                Some(at) if *at <= now => {
                    *wake = None;
                    true
                }
                Some(_) | None => false,
            });
            if due {
                self.call(index, host, effects, |filter, root| filter.on_wake(root));
            }
        }
    }

    /// Hands the answer of a callout to the filter that sent it.
    pub fn callout(
        &mut self,
        host: &dyn Host,
        id: CalloutId,
        response: &CalloutResponse,
        effects: &mut Vec<Effect>,
    ) {
        if let Some(position) = self.callouts.iter().position(|(sent, _)| *sent == id) {
            let (_, index) = self.callouts.swap_remove(position);
            self.call(index, host, effects, |filter, root| filter.on_callout(root, id, response));
        }
    }

    /// Returns the earliest instant at which a filter wants to be woken.
    pub fn next_wake(&self) -> Option<Timestamp> {
        self.wakes.iter().flatten().min().copied()
    }

    /// Takes the filters whose waiting streams are to be woken.
    pub fn take_hurried(&mut self) -> Vec<usize> {
        std::mem::take(&mut self.hurried)
    }

    fn call(
        &mut self,
        index: usize,
        host: &dyn Host,
        effects: &mut Vec<Effect>,
        act: impl FnOnce(&dyn Filter, &mut Root<'_>),
    ) {
        let (Some(link), Some(wake)) = (self.chain.links.get(index), self.wakes.get_mut(index)) else {
            return;
        };
        let mut wake_streams = false;
        let mut sent = Vec::new();
        let mut root = Root { host, effects, wake, wake_streams: &mut wake_streams, sent: &mut sent };
        act(link.filter.as_ref(), &mut root);
        self.callouts.extend(sent.into_iter().map(|id| (id, index)));
        if wake_streams {
            self.hurried.push(index);
        }
    }
}
