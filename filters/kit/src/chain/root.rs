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
    wakes: Vec<Wakes>,
    callouts: Vec<(CalloutId, usize)>,
    hurried: Vec<usize>,
}

/// When a filter is to be woken.
#[derive(Clone, Copy, Default)]
struct Wakes {
    /// The instant it asked for itself.
    own: Option<Timestamp>,
    /// When one of its streams first asked for it.
    asked: Option<Timestamp>,
}

impl ChainRoot {
    /// Prepares the root of a chain.
    pub fn new(chain: Rc<Chain>) -> Self {
        let wakes = chain.links.iter().map(|_| Wakes::default()).collect();
        Self { chain, wakes, callouts: Vec::new(), hurried: Vec::new() }
    }

    /// Tells every filter that the configuration is in force.
    pub fn start(&mut self, host: &dyn Host, effects: &mut Vec<Effect>) {
        for index in 0..self.wakes.len() {
            self.call(index, host, host.now(), effects, |filter, root| filter.on_start(root));
        }
    }

    /// Wakes the filters whose instant has come.
    pub fn wake(&mut self, host: &dyn Host, now: Timestamp, effects: &mut Vec<Effect>) {
        for index in 0..self.wakes.len() {
            let due = self.wakes.get_mut(index).is_some_and(|wakes| {
                let own = wakes.own.take_if(|at| *at <= now);
                // What a stream asks for is always due, even if the clock was turned back since.
                wakes.asked.take().or(own).is_some()
            });
            if due {
                self.call(index, host, now, effects, |filter, root| filter.on_wake(root));
            }
        }
    }

    /// Makes the filter at this place due now, as one of its streams asks for. False if it is already.
    pub fn ask(&mut self, index: usize, now: Timestamp) -> bool {
        match self.wakes.get_mut(index) {
            Some(wakes) if wakes.asked.is_none() => {
                wakes.asked = Some(now);
                true
            }
            Some(_) | None => false,
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
            self.call(index, host, host.now(), effects, |filter, root| {
                filter.on_callout(root, id, response);
            });
        }
    }

    /// Returns the earliest instant at which a filter wants to be woken.
    pub fn next_wake(&self) -> Option<Timestamp> {
        self.wakes.iter().flat_map(|wakes| [wakes.own, wakes.asked]).flatten().min()
    }

    /// Takes the filters whose waiting streams are to be woken.
    pub fn take_hurried(&mut self) -> Vec<usize> {
        std::mem::take(&mut self.hurried)
    }

    fn call(
        &mut self,
        index: usize,
        host: &dyn Host,
        now: Timestamp,
        effects: &mut Vec<Effect>,
        act: impl FnOnce(&dyn Filter, &mut Root<'_>),
    ) {
        let (Some(link), Some(wakes)) = (self.chain.links.get(index), self.wakes.get_mut(index)) else {
            return;
        };
        let mut wake_streams = false;
        let mut sent = Vec::new();
        let mut root = Root {
            host,
            now,
            effects,
            wake: &mut wakes.own,
            wake_streams: &mut wake_streams,
            sent: &mut sent,
            name: &link.name,
            identity: &self.chain.identity,
        };
        act(link.filter.as_ref(), &mut root);
        self.callouts.extend(sent.into_iter().map(|id| (id, index)));
        if wake_streams {
            self.hurried.push(index);
        }
    }
}
