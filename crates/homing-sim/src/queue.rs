//! What happens next? Events in the order of their time, and of their making where times are equal.

use homing_core::time::Time;
use std::collections::BTreeMap;

/// Events to come.
#[derive(Debug)]
pub(crate) struct Queue<E> {
    events: BTreeMap<(Time, u64), E>,
    made: u64,
}

impl<E> Queue<E> {
    pub(crate) fn new() -> Self {
        Self { events: BTreeMap::new(), made: 0 }
    }

    /// Lets `event` happen at `at`, after all that were already to happen then.
    pub(crate) fn push(&mut self, at: Time, event: E) {
        self.made += 1;
        self.events.insert((at, self.made), event);
    }

    /// Takes out the next event, unless it is later than `until`.
    pub(crate) fn pop(&mut self, until: Time) -> Option<(Time, E)> {
        let next = self.events.first_entry().filter(|next| next.key().0 <= until)?;
        let ((at, _), event) = next.remove_entry();
        Some((at, event))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_due_at_once_happens_in_the_order_it_was_made() {
        let mut queue = Queue::new();
        for (at, event) in [(5, 'c'), (1, 'a'), (5, 'd'), (2, 'b'), (9, 'e')] {
            queue.push(Time::from_millis(at), event);
        }
        let order: String =
            std::iter::from_fn(|| queue.pop(Time::from_millis(8))).map(|next| next.1).collect();
        assert_eq!(order, "abcd");
    }
}
