//! When an experiment runs: from an instant to another, on some days of the week and at some hours, in UTC.

use kit::config::{Node, each, or};
use kit::time::Timestamp;

const DAY: u64 = 86_400;

/// When an experiment runs; always, if nothing is said.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub(crate) struct Schedule {
    /// The first instant.
    start: Option<Timestamp>,
    /// The first instant after it.
    end: Option<Timestamp>,
    /// Whether it runs on this day, from Monday on.
    days: Option<[bool; 7]>,
    /// From the first second of a day to the first one after it, which may be one of the next day.
    hours: Option<(u64, u64)>,
}

const DAYS: [(&str, usize); 7] =
    [("mon", 0), ("tue", 1), ("wed", 2), ("thu", 3), ("fri", 4), ("sat", 5), ("sun", 6)];

impl Schedule {
    /// Reads a schedule.
    pub(crate) fn parse(node: &Node<'_>) -> Option<Self> {
        let mut object = node.object()?;
        let start = or(object.optional("start"), None, |start| start.instant().map(Some));
        let end = or(object.optional("end"), None, |end| end.instant().map(Some));
        let days = or(object.optional("days"), None, |days| {
            let days = each(&days.non_empty_list()?, |day| day.choice(&DAYS))?;
            Some(Some(std::array::from_fn(|day| days.contains(&day))))
        });
        let hours = or(object.optional("hours"), None, |hours| hours_of(hours).map(Some));
        object.finish();
        let schedule = Self { start: start?, end: end?, days: days?, hours: hours? };
        if let (Some(start), Some(end)) = (schedule.start, schedule.end)
            && end <= start
        {
            node.refuse("has an `end` that isn't after its `start`");
            return None;
        }
        Some(schedule)
    }

    /// Tells whether an experiment runs at this instant.
    pub(crate) fn holds(&self, now: Timestamp) -> bool {
        if self.start.is_some_and(|start| now < start) || self.end.is_some_and(|end| end <= now) {
            return false;
        }
        let (day, second) = (now.seconds() / DAY, now.seconds() % DAY);
        match self.hours {
            None => self.runs_on(day),
            Some((from, to)) if from < to => from <= second && second < to && self.runs_on(day),
            // Over midnight: the hours after it belong to the day on which they began.
            Some((from, to)) => {
                (from <= second && self.runs_on(day))
                    || (second < to && day.checked_sub(1).is_some_and(|before| self.runs_on(before)))
            }
        }
    }

    /// Tells whether it is always.
    pub(crate) fn is_always(&self) -> bool {
        *self == Self::default()
    }

    fn runs_on(&self, day: u64) -> bool {
        // 1970 began on a Thursday.
        let weekday = usize::try_from(day.saturating_add(3) % 7).unwrap_or(0);
        self.days.is_none_or(|days| days.get(weekday).copied().unwrap_or(false))
    }
}

/// Reads `09:00-17:00`.
fn hours_of(node: &Node<'_>) -> Option<(u64, u64)> {
    let text = node.text()?;
    let hours = text.split_once('-').and_then(|(from, to)| Some((time_of_day(from)?, time_of_day(to)?)));
    match hours {
        Some((from, to)) if from != to && from != DAY => Some((from, to)),
        Some(_) => {
            node.refuse(format!("{text:?} are no hours; for whole days leave it out"));
            None
        }
        None => {
            node.refuse(format!(
                "{text:?} are not hours (examples: \"09:00-17:00\", \"22:00-02:00\"); they are UTC, from 00:00 to 24:00"
            ));
            None
        }
    }
}

/// Reads `09:00` as seconds.
fn time_of_day(text: &str) -> Option<u64> {
    let number = |digits: &str| match digits.as_bytes() {
        [b'0'..=b'9', b'0'..=b'9'] => digits.parse::<u64>().ok(),
        _ => None,
    };
    let (hour, minute) = text.split_once(':')?;
    let (hour, minute) = (number(hour)?, number(minute)?);
    let seconds = hour.saturating_mul(3_600).saturating_add(minute.saturating_mul(60));
    (minute < 60 && seconds <= DAY).then_some(seconds)
}

#[cfg(test)]
#[expect(clippy::arithmetic_side_effects, reason = "a test may overflow: it would fail")]
mod tests;
