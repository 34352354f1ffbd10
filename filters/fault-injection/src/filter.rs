//! The decision on a request: which experiment it belongs to, and whether it gets the fault.

use std::cell::Cell;
use std::rc::Rc;
use std::time::Duration;

use kit::exchange::Exchange;
use kit::filter::{Filter, Stream};
use kit::host::Level;
use kit::root::Root;
use kit::rule::Mode;
use kit::setup::Setup;
use kit::store::{Change, Contended, Store};

use crate::config::{Config, Experiment};
use crate::control::Asked;
use crate::plan::{End, Plan};
use crate::sample::Sampled;
use crate::state::{About, Outcome, State};
use crate::stream::{Fate, FaultStream};

/// The filter with its configuration, and what this worker knows.
pub(crate) struct FaultInjection {
    pub(crate) config: Config,
    pub(crate) state: State,
    /// How many streams of this worker are held now.
    held: Cell<u64>,
    /// A newer configuration has ended all experiments.
    killed: Cell<bool>,
}

/// How long after it a kill switch lets go what an older configuration holds, at the most.
const LOOK: Duration = Duration::from_millis(250);

/// How often a record is tried to be written.
const TRIES: u32 = 64;

impl FaultInjection {
    pub(crate) fn new(config: Config, setup: &mut Setup<'_>) -> Self {
        let state = State::new(&config, setup);
        let killed = Cell::new(config.kill_switch);
        Self { config, state, held: Cell::new(0), killed }
    }

    /// Tells whether all experiments have ended.
    pub(crate) fn is_killed(&self) -> bool {
        self.killed.get()
    }

    /// Notes that a stream is held from now on. The first has the root look out for a kill switch.
    pub(crate) fn hold(&self, exchange: &mut Exchange<'_>) {
        if self.held.get() == 0 {
            exchange.wake_filter();
        }
        self.held.set(self.held.get().saturating_add(1));
    }

    /// Notes that a stream isn't held any more.
    pub(crate) fn let_go(&self) {
        self.held.set(self.held.get().saturating_sub(1));
    }

    /// Asks whether a newer configuration has ended all experiments. Connections that were there before it keep this one
    /// until they are drained, so each fault asks before it begins.
    pub(crate) fn ask_whether_killed(&self, exchange: &Exchange<'_>) -> bool {
        if !self.is_killed() && is_told(exchange.store(), &kill_key(&exchange.root_scope())) {
            self.killed.set(true);
        }
        self.is_killed()
    }
}

/// What stands in shared data while there is a kill switch.
const KILLED: &[u8] = b"killed";

/// Returns the key under which it stands.
fn kill_key(scope: &str) -> Vec<u8> {
    format!("sluice/fault-injection/{scope}/kill").into_bytes()
}

fn is_told(store: &dyn Store, key: &[u8]) -> bool {
    store.read(key).value.as_deref() == Some(KILLED)
}

impl Filter for FaultInjection {
    fn stream(self: Rc<Self>) -> Box<dyn Stream> {
        Box::new(FaultStream::new(self))
    }

    /// Tells older configurations, which may hold streams for minutes, whether all experiments have ended.
    fn on_start(&self, root: &mut Root<'_>) {
        let key = kill_key(&root.scope());
        let told = root.store().update(&key, TRIES, |old| match (self.config.kill_switch, old) {
            (true, Some(KILLED)) | (false, None) => Change::Keep(()),
            (true, _) => Change::Write(KILLED.to_vec(), ()),
            (false, Some(_)) => Change::Write(b"alive".to_vec(), ()),
        });
        if told == Err(Contended) {
            root.log(Level::Warn, "fault-injection could not tell older configurations of its kill switch");
        }
    }

    fn on_wake(&self, root: &mut Root<'_>) {
        if self.held.get() == 0 {
            return;
        }
        if is_told(root.store(), &kill_key(&root.scope())) {
            self.killed.set(true);
            root.wake_streams();
        } else {
            root.wake_at(root.now().after(LOOK));
        }
    }
}

impl FaultInjection {
    /// Decides on a request. None if nothing more of it matters.
    pub(crate) fn decide(&self, exchange: &mut Exchange<'_>) -> Option<Box<Fate>> {
        let asked = match &self.config.control {
            Some(control) => control.take(exchange),
            None => Asked::Nothing,
        };
        if self.is_killed() {
            return None;
        }
        match asked {
            Asked::Nothing => {}
            Asked::Refused => self.state.note(exchange, About::Control, Outcome::Refused, None),
            Asked::Unclear => self.state.note(exchange, About::Control, Outcome::Unclear, None),
            Asked::For(_) if self.ask_whether_killed(exchange) => return None,
            Asked::For(plan) => {
                let fate = self.hit(exchange, About::Control, self.config.mode, plan);
                return Some(Box::new(fate)).filter(|fate| fate.matters());
            }
        }
        for (index, experiment) in self.config.experiments.iter().enumerate() {
            match experiment.matcher.matches(exchange) {
                Ok(false) => {}
                Ok(true) => return self.apply(exchange, index, experiment),
                // Nobody can say whether it is for this experiment, so it is for none.
                Err(_) => {
                    self.state.note(exchange, About::Experiment(index), Outcome::Unclear, None);
                    return None;
                }
            }
        }
        None
    }

    /// Applies the experiment that matches.
    fn apply(&self, exchange: &mut Exchange<'_>, index: usize, experiment: &Experiment) -> Option<Box<Fate>> {
        let about = About::Experiment(index);
        if !experiment.schedule.is_always() && !experiment.schedule.holds(exchange.now()) {
            self.state.note(exchange, about, Outcome::Inactive, None);
            return None;
        }
        let own = self.state.own(about);
        let outcome = match experiment.sample.of(exchange, experiment.percent) {
            Sampled::Yes if self.ask_whether_killed(exchange) => return None,
            Sampled::Yes if own.has_stopped(exchange, experiment) => Outcome::Stopped,
            Sampled::Yes => match own.take(exchange, experiment) {
                Some(ticket) => {
                    let plan = experiment.plan(exchange);
                    let mut fate = self.hit(exchange, about, experiment.mode, plan);
                    fate.ticket = ticket;
                    let fate = if experiment.stop_when.is_some() { fate.watch() } else { fate };
                    return Some(Box::new(fate)).filter(|fate| fate.matters());
                }
                None => Outcome::Limited,
            },
            Sampled::No => Outcome::Passed,
            Sampled::NoKey => Outcome::NoKey,
            Sampled::Unclear => Outcome::Unclear,
        };
        self.state.note(exchange, about, outcome, None);
        // How those fare that get no fault is what it is watched by.
        experiment.stop_when.as_ref().map(|_| Box::new(Fate::harmless(about).watch()))
    }

    /// Begins a fault, or says that it would.
    fn hit(&self, exchange: &mut Exchange<'_>, about: About, mode: Mode, plan: Plan) -> Fate {
        let words = plan.words();
        let outcome = match (about, mode) {
            (About::Experiment(index), _) => {
                self.config.experiments.get(index).map_or(Outcome::Injected, Experiment::hit)
            }
            (About::Control, Mode::Enforce) => Outcome::Injected,
            (About::Control, Mode::Shadow) => Outcome::WouldInject,
        };
        self.state.note(exchange, about, outcome, Some(words.as_bytes()));
        if mode == Mode::Shadow {
            return Fate::harmless(about);
        }
        self.state.own(about).add_active(exchange, 1);
        Fate::faulty(about, plan, self.stamp(about, &words))
    }

    /// Returns what a response says of a fault.
    pub(crate) fn stamp(&self, about: About, words: &str) -> String {
        format!("{};{words}", self.state.own(about).name)
    }
}

impl Experiment {
    /// Throws the dice.
    fn plan(&self, exchange: &Exchange<'_>) -> Plan {
        let end = match &self.request.abort {
            Some(abort) => End::Abort(Rc::clone(abort)),
            None if self.request.reset => End::Reset,
            None => End::GoOn,
        };
        let response_delay = self.response.as_ref().and_then(|response| response.delay.as_ref());
        Plan {
            delay: self.request.delay.as_ref().map(|delay| delay.of(exchange.draw())),
            end,
            response: self.response.clone(),
            response_delay: response_delay.map(|delay| delay.of(exchange.draw())),
        }
    }
}
