//! What is kept of a pool from one pick to the next?
//!
//! Whose turn it is, and what balancers must not find out anew for each call. That is made when it is first asked for, as
//! most requesters need none of it, and forgotten when the candidates change.

use super::seats::SeatKey;
use crate::balance::{Cursor, Identity, Places, Ring};
use std::cell::OnceCell;

#[derive(Debug)]
pub(super) struct Memory {
    pub(super) cursor: Cursor,
    pub(super) kept: Kept,
}

/// What depends on who the candidates of the pool are.
#[derive(Debug, Default)]
pub(super) struct Kept {
    ring: OnceCell<Ring>,
    members: OnceCell<Members>,
}

/// The seats of the candidates.
#[derive(Debug)]
pub(super) struct Members {
    pub(super) places: Places,
    /// Which of them has the seat with this number.
    candidates: Vec<usize>,
}

impl Memory {
    pub(super) fn starting_at(start: usize) -> Self {
        Self { cursor: Cursor::starting_at(start), kept: Kept::default() }
    }
}

impl Kept {
    /// Where keys go among these candidates.
    pub(super) fn ring(&self, identities: impl Iterator<Item = Identity>) -> &Ring {
        self.ring.get_or_init(|| Ring::of(identities))
    }

    /// Where these candidates sit.
    pub(super) fn members(&self, seats: impl Iterator<Item = SeatKey> + Clone) -> &Members {
        self.members.get_or_init(|| Members::of(seats))
    }

    /// The candidates are these now. Most changes of an instance are none of who is there, and to make a ring costs more than
    /// to compare it; seats are found soon.
    pub(super) fn settle(&mut self, identities: impl Iterator<Item = Identity>) {
        self.members.take();
        if !self.ring.get().is_some_and(|ring| ring.is_of(identities)) {
            self.ring.take();
        }
    }
}

impl Members {
    fn of(seats: impl Iterator<Item = SeatKey> + Clone) -> Self {
        let places: Places = seats.clone().map(SeatKey::place).collect();
        let room = seats.clone().map(SeatKey::place).max().map_or(0, |last| last + 1);
        let mut candidates = vec![0; room];
        for (seat, candidate) in seats.zip(0..) {
            candidates[seat.place()] = candidate;
        }
        Self { places, candidates }
    }

    /// The candidate that sits there.
    pub(super) fn candidate(&self, place: usize) -> usize {
        self.candidates[place]
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::id::NodeId;
    use crate::registry::RecordKey;

    /// Whether a ring of three is kept where these are the candidates now.
    fn is_kept(now: &[u32]) -> bool {
        let identity = |key: &u32| Identity::of(NodeId::from_bytes([0; 16]), RecordKey(*key));
        let mut kept = Kept::default();
        kept.ring([1, 2, 3].iter().map(identity));
        kept.settle(now.iter().map(identity));
        kept.ring.get().is_some()
    }

    #[test]
    fn a_ring_is_kept_while_the_candidates_are_the_same() {
        assert!(is_kept(&[1, 2, 3]));
        for other in [&[][..], &[1, 2], &[1, 2, 4], &[2, 1, 3], &[1, 2, 3, 4]] {
            assert!(!is_kept(other), "{other:?}");
        }
    }
}
