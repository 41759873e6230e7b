//! From which part of the candidates is the next picked?
//!
//! Candidates stand in pools: those of the same weight and the same distance. Weights are drawn, so that each gets its
//! share in the long run; of a weight the nearest pool is asked first.

use super::locality::Distance;
use super::memory::Memory;
use crate::balance::{CERTAIN, Identity};
use crate::rng::Rng;
use std::ops::Range;

/// What the candidates of a pool have in common.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) struct Pool {
    /// Which of the requester's weights.
    pub(super) class: usize,
    pub(super) distance: Distance,
    /// Of that weight.
    pub(super) share: u32,
}

#[derive(Debug)]
pub(super) struct Pools {
    /// Each with the end of its range. Ordered by class and distance.
    all: Vec<(Pool, usize)>,
    /// One for each pool there ever was, so that turns go on when the candidates change.
    memories: Vec<Memory>,
    start: usize,
}

impl Pools {
    /// No pools. In each of those to come, the turn begins at `start`.
    pub(super) fn new(start: usize) -> Self {
        Self { all: Vec::new(), memories: Vec::new(), start }
    }

    #[cfg(test)]
    pub(super) fn start_at(&mut self, start: usize) {
        self.start = start;
        self.memories
            .iter_mut()
            .for_each(|memory| memory.cursor = Memory::starting_at(start).cursor);
    }

    /// Nobody is left.
    pub(super) fn clear(&mut self) {
        self.all.clear();
    }

    /// One candidate more, of this pool. They come in the order of their pools.
    pub(super) fn push(&mut self, pool: Pool) {
        match self.all.last_mut() {
            Some((last, end)) if *last == pool => *end += 1,
            last => {
                let end = last.map_or(0, |(_, end)| *end) + 1;
                self.all.push((pool, end));
                if self.memories.len() < self.all.len() {
                    self.memories.push(Memory::starting_at(self.start));
                }
            }
        }
    }

    /// All are in: forgets what is not true of the candidates any more.
    pub(super) fn settle(&mut self, identity: impl Fn(usize) -> Identity) {
        for index in 0..self.memories.len() {
            let range = if index < self.all.len() { self.range(index) } else { 0..0 };
            self.memories[index].kept.settle(range.map(&identity));
        }
    }

    /// Asks `pick` with the range of one pool after the other, until it finds somebody.
    pub(super) fn pick<T>(
        &mut self,
        rng: &mut Rng,
        pick: impl Fn(Range<usize>, &mut Memory, &mut Rng) -> Option<T>,
    ) -> Option<T> {
        if let [(_, end)] = self.all[..] {
            return pick(0..end, &mut self.memories[0], rng);
        }
        let first = self.draw(rng);
        (first..self.all.len())
            .chain(0..first)
            .find_map(|index| pick(self.range(index), &mut self.memories[index], rng))
    }

    /// How probably each pool is asked and has somebody, in parts of [`CERTAIN`]: with its range and memory. None where
    /// `has` says so of all.
    pub(super) fn chances(
        &self,
        has: impl Fn(Range<usize>) -> bool,
    ) -> Vec<(Range<usize>, &Memory, u32)> {
        let open: Vec<usize> =
            (0..self.all.len()).filter(|&index| has(self.range(index))).collect();
        let firsts = || (0..self.all.len()).filter(|&index| self.is_first(index));
        let total: u64 = firsts().map(|index| u64::from(self.all[index].0.share)).sum();
        let mut parts = vec![0_u32; self.all.len()];
        for first in firsts() {
            let next = open.iter().find(|&&index| index >= first).or_else(|| open.first());
            let share = u64::from(self.all[first].0.share) * u64::from(CERTAIN);
            let part = share.checked_div(total).unwrap_or(0);
            if let Some(&next) = next {
                parts[next] += u32::try_from(part).unwrap_or(CERTAIN);
            }
        }
        let asked = parts.into_iter().enumerate().filter(|(_, part)| *part > 0);
        asked.map(|(index, part)| (self.range(index), &self.memories[index], part)).collect()
    }

    /// The pool in which this candidate stands.
    pub(super) fn pool_of(&self, candidate: usize) -> Option<Pool> {
        self.all.iter().find(|(_, end)| candidate < *end).map(|(pool, _)| *pool)
    }

    fn range(&self, index: usize) -> Range<usize> {
        let start = index.checked_sub(1).map_or(0, |before| self.all[before].1);
        start..self.all[index].1
    }

    fn is_first(&self, index: usize) -> bool {
        index == 0 || self.all[index - 1].0.class != self.all[index].0.class
    }

    /// The first pool of a class, each as often as its share says.
    fn draw(&self, rng: &mut Rng) -> usize {
        let firsts = || (0..self.all.len()).filter(|&index| self.is_first(index));
        let share = |index: usize| u64::from(self.all[index].0.share);
        let mut drawn = rng.below(firsts().map(share).sum());
        for index in firsts() {
            match drawn.checked_sub(share(index)) {
                Some(left) => drawn = left,
                None => return index,
            }
        }
        0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Pools of one candidate each: class, distance, share, and whether it can be picked. How often each is, of 1,000.
    fn shares(pools: &[(usize, Distance, u32, bool)]) -> Vec<u32> {
        let (mut all, mut rng) = (Pools::new(0), Rng::from_seed(1));
        for &(class, distance, share, _) in pools {
            all.push(Pool { class, distance, share });
        }
        let mut shares = vec![0; pools.len()];
        let has = |range: Range<usize>| pools[range.start].3;
        let told: Vec<(usize, u32)> =
            all.chances(has).into_iter().map(|(range, _, part)| (range.start, part)).collect();
        for _ in 0..1_000 {
            let picked =
                all.pick(&mut rng, |range, _, _| pools[range.start].3.then_some(range.start));
            if let Some(picked) = picked {
                shares[picked] += 1;
            }
        }
        for (index, &share) in shares.iter().enumerate() {
            let told = told.iter().find(|(told, _)| *told == index).map_or(0, |told| told.1);
            assert!((told / 1_000).abs_diff(share) < 50, "{told:?} was told of {share}");
        }
        shares
    }

    #[test]
    fn each_weight_has_its_share_and_the_nearest_come_first() {
        use Distance::{Far, Host};
        let near = shares(&[(0, Host, 9, true), (0, Far, 9, true), (1, Far, 1, true)]);
        assert!((870..930).contains(&near[0]) && near[1] == 0 && near[0] + near[2] == 1_000);
        let away = shares(&[(0, Host, 9, false), (0, Far, 9, true), (1, Far, 1, true)]);
        assert!((870..930).contains(&away[1]) && away[0] == 0, "{away:?}");
    }

    #[test]
    fn who_cannot_be_picked_leaves_its_share_to_the_others() {
        use Distance::Far;
        assert_eq!(shares(&[(0, Far, 9, false), (1, Far, 1, true)]), [0, 1_000]);
        assert_eq!(shares(&[(0, Far, 9, true), (1, Far, 1, false)]), [1_000, 0]);
        assert_eq!(shares(&[]), [0; 0]);
    }
}
