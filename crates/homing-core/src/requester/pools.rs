//! From which part of the candidates is the next picked?
//!
//! Candidates stand in pools: those of the same weight and the same distance. Weights are drawn, so that each gets its
//! share in the long run; of a weight the nearest pool is asked first.

use super::locality::Distance;
use crate::balance::Cursor;
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
    cursors: Vec<Cursor>,
    start: usize,
}

impl Pools {
    /// No pools. In each of those to come, the turn begins at `start`.
    pub(super) fn new(start: usize) -> Self {
        Self { all: Vec::new(), cursors: Vec::new(), start }
    }

    #[cfg(test)]
    pub(super) fn start_at(&mut self, start: usize) {
        self.start = start;
        self.cursors.clear();
        self.cursors.resize(self.all.len(), Cursor::starting_at(start));
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
                if self.cursors.len() < self.all.len() {
                    self.cursors.push(Cursor::starting_at(self.start));
                }
            }
        }
    }

    /// Asks `pick` with the range of one pool after the other, until it finds somebody.
    pub(super) fn pick<T>(
        &mut self,
        rng: &mut Rng,
        pick: impl Fn(Range<usize>, &mut Cursor, &mut Rng) -> Option<T>,
    ) -> Option<T> {
        if let [(_, end)] = self.all[..] {
            return pick(0..end, &mut self.cursors[0], rng);
        }
        let first = self.draw(rng);
        (first..self.all.len()).chain(0..first).find_map(|index| {
            let start = index.checked_sub(1).map_or(0, |before| self.all[before].1);
            pick(start..self.all[index].1, &mut self.cursors[index], rng)
        })
    }

    /// The first pool of a class, each as often as its share says.
    fn draw(&self, rng: &mut Rng) -> usize {
        let is_first =
            |index: usize| index == 0 || self.all[index - 1].0.class != self.all[index].0.class;
        let firsts = || (0..self.all.len()).filter(|&index| is_first(index));
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
        for _ in 0..1_000 {
            let picked =
                all.pick(&mut rng, |range, _, _| pools[range.start].3.then_some(range.start));
            if let Some(picked) = picked {
                shares[picked] += 1;
            }
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
