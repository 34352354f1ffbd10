//! Who wants to be woken, the earliest first.

use std::collections::BTreeMap;

use crate::time::Uptime;

/// When somebody is due, and a number that tells those apart who are due at one instant.
pub(crate) type Due = (Uptime, u32);

/// Who wants to be woken.
///
/// The one that asked last stands by itself until another one asks: most deadlines are kept before that, such as that of
/// a body which is already there, and those never cost a place in the order.
pub(crate) struct Waiting<T> {
    latest: Option<(Due, T)>,
    others: BTreeMap<Due, T>,
}

impl<T> Default for Waiting<T> {
    fn default() -> Self {
        Self { latest: None, others: BTreeMap::new() }
    }
}

impl<T> Waiting<T> {
    /// Adds somebody.
    pub(crate) fn insert(&mut self, due: Due, who: T) {
        if let Some((due, who)) = self.latest.replace((due, who)) {
            self.others.insert(due, who);
        }
    }

    /// Takes somebody out, if he is there.
    pub(crate) fn remove(&mut self, due: Due) {
        match &self.latest {
            Some((latest, _)) if *latest == due => self.latest = None,
            Some(_) | None => self.remove_other(due),
        }
    }

    // A function of its own: whoever stands by himself is taken out without it.
    #[inline(never)]
    fn remove_other(&mut self, due: Due) {
        self.others.remove(&due);
    }

    /// Returns when the first one is due.
    pub(crate) fn first(&self) -> Option<Uptime> {
        let latest = self.latest.as_ref().map(|(due, _)| *due);
        let first = self.others.keys().next().copied();
        latest.into_iter().chain(first).min().map(|(at, _)| at)
    }

    /// Takes the first one if he is due by now, with his number.
    pub(crate) fn take_due(&mut self, now: Uptime) -> Option<(u32, T)> {
        self.settle();
        let entry = self.others.first_entry()?;
        let (at, number) = *entry.key();
        (at <= now).then(|| (number, entry.remove()))
    }

    /// Takes all of them.
    pub(crate) fn take_all(&mut self) -> BTreeMap<Due, T> {
        self.settle();
        std::mem::take(&mut self.others)
    }

    /// Puts the one that stands by himself among the others.
    fn settle(&mut self) {
        if let Some((due, who)) = self.latest.take() {
            self.others.insert(due, who);
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    #[cfg(target_arch = "wasm32")]
    use wasm_bindgen_test::wasm_bindgen_test as test;

    use super::*;

    proptest! {
        #[test]
        fn whoever_asked_last_is_in_the_order_of_all_others(
            steps in proptest::collection::vec((0..6_u8, 0..8_u64, 0..3_u32), 0..60),
        ) {
            let mut waiting = Waiting::default();
            let mut plain = BTreeMap::new();
            for (number, (step, at, who)) in steps.into_iter().enumerate() {
                let due = (Uptime::from_nanos(at), who);
                match step {
                    // Nobody asks twice: he is taken out first.
                    0..=2 => {
                        waiting.remove(due);
                        waiting.insert(due, number);
                        plain.insert(due, number);
                    }
                    3 => {
                        waiting.remove(due);
                        plain.remove(&due);
                    }
                    4 => {
                        let first = plain.first_key_value().map(|(due, _)| *due).filter(|(first, _)| *first <= due.0);
                        let expected = first.and_then(|due| plain.remove(&due).map(|who| (due.1, who)));
                        prop_assert_eq!(waiting.take_due(due.0), expected);
                    }
                    _ => prop_assert_eq!(waiting.first(), plain.keys().next().map(|(at, _)| *at)),
                }
            }
            prop_assert_eq!(waiting.take_all(), plain);
            prop_assert_eq!(waiting.first(), None);
        }
    }
}
