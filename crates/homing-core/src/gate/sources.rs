//! What is remembered of senders, as many as there may be?

use super::Whence;
use std::collections::BTreeMap;

/// A bounded table by sender. When it is full, whoever was heard longest ago is forgotten.
#[derive(Debug)]
pub(super) struct Sources<T> {
    max: usize,
    map: BTreeMap<Whence, (u64, T)>,
    turns: BTreeMap<u64, Whence>,
    next: u64,
}

impl<T> Sources<T> {
    pub(super) const fn new(max: usize) -> Self {
        Self { max, map: BTreeMap::new(), turns: BTreeMap::new(), next: 0 }
    }

    pub(super) fn get(&self, from: &Whence) -> Option<&T> {
        self.map.get(from).map(|(_, value)| value)
    }

    /// What is kept of a sender that is heard now, `fresh` if there is nothing; and whether another was forgotten.
    pub(super) fn heard(&mut self, from: Whence, fresh: impl FnOnce() -> T) -> (&mut T, bool) {
        let forgets = !self.map.contains_key(&from) && self.map.len() >= self.max;
        if forgets && let Some((_, oldest)) = self.turns.pop_first() {
            self.map.remove(&oldest);
        }
        self.next += 1;
        let (turn, value) = self.map.entry(from).or_insert_with(|| (self.next, fresh()));
        self.turns.remove(turn);
        *turn = self.next;
        self.turns.insert(self.next, from);
        (value, forgets)
    }

    pub(super) fn remove(&mut self, from: &Whence) -> Option<T> {
        let (turn, value) = self.map.remove(from)?;
        self.turns.remove(&turn);
        Some(value)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_was_heard_longest_ago_is_forgotten_first() {
        let [a, b, c] = [1, 2, 3].map(|number| Whence::V4([10, 0, 0, number].into()));
        let mut sources = Sources::new(2);
        let forgotten = [a, b, a, c].map(|from| sources.heard(from, || from).1);
        assert_eq!(forgotten, [false, false, false, true]);
        assert_eq!([a, b, c].map(|from| sources.get(&from).is_some()), [true, false, true]);
        assert_eq!((sources.remove(&a), sources.remove(&b)), (Some(a), None));
        assert_eq!((sources.map.len(), sources.turns.len()), (1, 1));
    }
}
