//! Whose turn is it?

use super::Candidates;

/// The next in turn that can be picked.
pub(super) fn pick(candidates: &impl Candidates, cursor: &mut Cursor) -> Option<usize> {
    let mut turns = cursor.turns(candidates.len());
    let picked = turns.find(|&index| candidates.pending(index).is_some())?;
    cursor.pass(picked);
    Some(picked)
}

/// Whose turn is next. Survives changes of the list: an index beyond its end wraps round.
#[derive(Clone, Copy, Debug, Default)]
pub struct Cursor {
    next: usize,
}

impl Cursor {
    /// Starts anywhere. Requesters start at random places, so that many of them do not all begin with the same instance.
    pub fn starting_at(next: usize) -> Self {
        Self { next }
    }

    /// This one had its turn.
    pub(super) fn pass(&mut self, picked: usize) {
        self.next = picked + 1;
    }

    /// The next in turn of `count`.
    pub(super) fn first(self, count: usize) -> usize {
        // The division is kept off the usual path: picks leave the cursor at most one past the end.
        match self.next {
            next if next < count => next,
            next if next == count => 0,
            next => next.checked_rem(count).unwrap_or(0),
        }
    }

    /// All indices below `count`, the next in turn first.
    pub(super) fn turns(self, count: usize) -> impl Iterator<Item = usize> {
        let first = self.first(count);
        (first..count).chain(0..first)
    }
}
