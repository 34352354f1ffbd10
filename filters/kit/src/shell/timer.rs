//! The timer of a worker: who waits until when, and when the host is told what was counted.

use std::rc::Rc;
use std::time::Duration;

use super::hostcalls;
use super::worker::{SharedStream, Worker};
use crate::host::Host;
use crate::time::{Alarm, Timestamp, Uptime, nanos};

/// How many streams a tick wakes at the most. The proxy lets streams go on after the callback that resumed them; if
/// that calls the module, which the end of a stream does, it lets the next one go on within that call, and so on: some
/// hundred streams deep, the stack is too small.
const MOST_AT_ONCE: usize = 16;

/// How late the host is told what was counted.
const TELL_AFTER: Duration = Duration::from_millis(100);

impl Worker {
    /// Wakes what is due, and sets the timer for what is due next.
    pub(super) fn tick(&self) {
        let (now, uptime) = (self.proxy.now(), self.proxy.uptime());
        // An alarm that isn't due stays as it was set, whatever the wall clock says now.
        let due = self.root_wake.get().filter(|alarm| alarm.due() <= uptime);
        if due.is_some() {
            self.root_wake.set(None);
        }
        let root_now = due.map_or(now, |alarm| alarm.now(now));
        self.root_now.set(Some(root_now));
        self.on_root(|root, host, effects| root.wake(host, root_now, effects));
        self.root_now.set(None);
        for (id, stream, alarm) in self.take_due(uptime) {
            let now = alarm.now(now);
            self.event(id, &stream, |stream, host, effects| stream.wake(host, now, effects));
        }
        self.tell_counts();
        // The host's timer repeats by itself: it is set for what is due next, or stopped.
        self.armed.set(None);
        self.arm();
        if self.armed.get().is_none() {
            hostcalls::set_tick_period(0);
        }
    }

    /// Takes streams that are due now, and not those that ask for the same instant again. If more are due, the timer
    /// goes off for them next.
    fn take_due(&self, uptime: Uptime) -> Vec<(u32, SharedStream, Alarm)> {
        let mut due = Vec::new();
        if let Ok(mut waiting) = self.waiting.try_borrow_mut() {
            while due.len() < MOST_AT_ONCE
                && let Some((id, stream)) = waiting.take_due(uptime)
            {
                if let Some(alarm) = stream.try_borrow_mut().ok().and_then(|mut stream| stream.wake.take()) {
                    due.push((id, stream, alarm));
                }
            }
        }
        due
    }

    /// Makes every waiting stream of these filters due now.
    pub(super) fn hurry(&self, links: &[usize]) {
        let now = self.proxy.now();
        let Ok(mut waiting) = self.waiting.try_borrow_mut() else {
            return;
        };
        for ((mut due, id), stream) in waiting.take_all() {
            if let Ok(mut borrowed) = stream.try_borrow_mut() {
                for link in links {
                    borrowed.chain.hurry(*link, now);
                }
                let wake = borrowed.chain.next_wake();
                if wake != borrowed.wake.map(Alarm::at) {
                    let alarm = self.alarm(wake.unwrap_or(now), now);
                    borrowed.wake = Some(alarm);
                    due = alarm.due();
                }
            }
            waiting.insert((due, id), stream);
        }
    }

    /// Notes when a stream wants to be woken; it stands in the list once at the most.
    pub(super) fn wait(&self, id: u32, wake: Option<Timestamp>, stream: &SharedStream) {
        let (Ok(mut waiting), Ok(mut borrowed)) = (self.waiting.try_borrow_mut(), stream.try_borrow_mut())
        else {
            return;
        };
        if let Some(old) = borrowed.wake.take() {
            waiting.remove((old.due(), id));
        }
        if let Some(at) = wake {
            // A wait counts from the time that the filter was told: that saves a call to the host, and whoever is woken may
            // have been told a later time than the clock's (`Alarm::now`).
            let now = borrowed.chain.now().unwrap_or_else(|| self.proxy.now());
            let alarm = self.alarm(at, now);
            borrowed.wake = Some(alarm);
            waiting.insert((alarm.due(), id), Rc::clone(stream));
            self.arm_for(alarm.due());
        }
    }

    /// Has the timer call a filter outside of streams, soon.
    pub(super) fn wake_filter(&self, link: usize) {
        let now = self.proxy.now();
        if self.root.try_borrow_mut().is_ok_and(|mut root| root.ask(link, now)) {
            self.arm();
        }
    }

    /// Notes a count, and when the host is told of it.
    pub(super) fn count(&self, counter: u32, by: u64) {
        if usize::try_from(counter).is_ok_and(|index| self.tally.add(index, by)) {
            let at = self.proxy.uptime().after(TELL_AFTER);
            self.tell_at.set(Some(at));
            self.arm_for(at);
        }
    }

    /// Returns when this instant is on the clock of the timer, if it is `now` on the other.
    fn alarm(&self, at: Timestamp, now: Timestamp) -> Alarm {
        Alarm::new(at, now, self.proxy.uptime())
    }

    /// Returns when the root wants to be woken.
    fn root_due(&self) -> Option<Uptime> {
        let wake = self.root.try_borrow().ok()?.next_wake();
        if wake != self.root_wake.get().map(Alarm::at) {
            // A wait counts from the time that the root was told, as that of a stream does.
            let now = || self.root_now.get().unwrap_or_else(|| self.proxy.now());
            self.root_wake.set(wake.map(|at| self.alarm(at, now())));
        }
        self.root_wake.get().map(Alarm::due)
    }

    /// Sets the timer if something is due before it goes off.
    pub(super) fn arm(&self) {
        let stream = self.waiting.try_borrow().ok().and_then(|waiting| waiting.first());
        // With nothing left to do it goes off once more and stops itself. That costs less than to stop it for every stream
        // that had a deadline and kept it.
        if let Some(at) = [stream, self.root_due(), self.tell_at.get()].into_iter().flatten().min() {
            self.arm_for(at);
        }
    }

    /// Sets the timer if it goes off later than this.
    fn arm_for(&self, at: Uptime) {
        if self.armed.get().is_none_or(|armed| at < armed) {
            self.set_timer(at);
        }
    }

    #[inline(never)]
    fn set_timer(&self, at: Uptime) {
        // Rounded up, and never zero, which would stop the timer.
        let milliseconds = nanos(at.since(self.proxy.uptime())).div_ceil(1_000_000).max(1);
        hostcalls::set_tick_period(u32::try_from(milliseconds).unwrap_or(u32::MAX));
        self.armed.set(Some(at));
    }
}
