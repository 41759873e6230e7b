//! Who would take the next call to an address, and what does each candidate stand by?

use super::{Candidate, Field, Mood, Reach, Target, Wish};
use crate::balance::{CERTAIN, Candidates};
use crate::id::NodeId;
use crate::registry::RecordKey;
use crate::requester::explain::{Figures, Trouble};
use crate::requester::locality::Distance;
use crate::requester::policy::Policy;
use crate::requester::seats::Seats;
use crate::slots::Place;
use std::ops::Range;

impl Target {
    /// Each candidate as it stands: with what it would be compared by, and how probably it would be picked.
    pub(in crate::requester) fn considered(
        &self,
        (policy, seats): (&Policy, &Seats),
        wish: Wish,
    ) -> Vec<((NodeId, RecordKey), Figures)> {
        let mut chances = self.chances(policy, seats, wish, Mood::Choosy);
        if chances.is_empty() {
            chances = self.chances(policy, seats, wish, Mood::Desperate);
        }
        let figures = |(index, candidate): (usize, &Candidate)| {
            let pool = self.pools.pool_of(index);
            let weight = policy.weights.get(pool.map_or(0, |pool| pool.class)).cloned();
            let chance = chances.iter().filter(|(picked, _)| *picked == index);
            let place = Place { node: candidate.node, key: candidate.key };
            let slots = self.slotted.as_ref().map(|slotted| slotted.numbers(place));
            let figures = Figures {
                pending: seats.pending(candidate.seat),
                latency: seats.latency(candidate.seat, wish.now),
                distance: pool.map_or(Distance::Far, |pool| pool.distance),
                weight,
                trouble: trouble(candidate, seats, wish, slots.as_deref()),
                slots: slots.unwrap_or_default(),
                chance: chance.map(|(_, chance)| chance).sum(),
            };
            ((candidate.node, candidate.key), figures)
        };
        self.candidates.iter().enumerate().map(figures).collect()
    }

    /// Who would be picked, how probably, in this mood.
    fn chances(&self, policy: &Policy, seats: &Seats, wish: Wish, mood: Mood) -> Vec<(usize, u32)> {
        let candidates = &self.candidates;
        if let Some(slotted) = &self.slotted
            && wish.affinity.is_none()
        {
            let field = Field { candidates, seats, wish, mood, kept: None };
            let picked = slotted.peek(|index| field.pending(index).is_some());
            if picked.is_some() || wish.needs_slot() {
                return picked.map(|index| (index, CERTAIN)).into_iter().collect();
            }
        }
        let field = |range, kept| Field { candidates: &candidates[range], seats, wish, mood, kept };
        let has = |range: Range<usize>| {
            let field = field(range, None);
            (0..field.len()).any(|index| field.pending(index).is_some())
        };
        let both = |chance: u32, part: u32| {
            let product = u64::from(chance) * u64::from(part) / u64::from(CERTAIN);
            u32::try_from(product).unwrap_or(CERTAIN)
        };
        let pools = self.pools.chances(has).into_iter();
        let all = pools.flat_map(|(range, memory, part)| {
            let (first, field) = (range.start, field(range, Some(&memory.kept)));
            let within = policy.balancer.chances(&field, field.keyed(), memory.cursor);
            let within = within.into_iter();
            within.map(move |(index, chance)| (first + index, both(chance, part)))
        });
        all.collect()
    }
}

/// What speaks against a candidate now.
fn trouble(
    candidate: &Candidate,
    seats: &Seats,
    wish: Wish,
    slots: Option<&[u32]>,
) -> Option<Trouble> {
    if !candidate.is_within(wish.only) {
        return Some(Trouble::NotAsked);
    }
    if candidate.reach == Reach::Doubtful {
        return Some(Trouble::Unreachable);
    }
    let slotless = wish.needs_slot() && slots.is_some_and(<[u32]>::is_empty);
    seats.trouble(candidate.seat, wish.now).or(slotless.then_some(Trouble::Slotless))
}
