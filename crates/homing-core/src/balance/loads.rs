//! Who has the least to do, without a look at all?
//!
//! Everybody stands on the level of the calls it has under way, and each call moves one by one level. Who looks for the least
//! busy begins at the lowest level, and in turn there: it finds the same as if all were looked at. What is looked at for
//! nothing is who stands low and cannot be picked: all, at worst.

use super::Cursor;

/// Levels. Who has more calls under way than there are stands on the last, with others, and there all are looked at: where even
/// the least busy has so many, a pick is the smallest part of what there is to do.
const LEVELS: usize = 64;
/// Places in a word of a set.
const WORD: usize = u64::BITS as usize;

/// How many calls each of many has under way, by its place: a small number that nobody else has meanwhile. Takes eight bytes
/// for each of them.
#[derive(Clone, Debug)]
pub struct Loads {
    levels: Vec<Places>,
}

/// Some of the places.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Places {
    words: Vec<u64>,
    count: usize,
}

impl Default for Loads {
    fn default() -> Self {
        Self { levels: vec![Places::default(); LEVELS] }
    }
}

impl Loads {
    /// Whoever is at this place had `before` calls under way and has `after`; `None` while it is not there. To be told of all
    /// changes is what keeps the order; of who is told of wrongly it is wrong.
    pub fn change(&mut self, place: usize, before: Option<u32>, after: Option<u32>) {
        let level =
            |load: u32| usize::try_from(load).map_or(LEVELS - 1, |load| load.min(LEVELS - 1));
        let (before, after) = (before.map(level), after.map(level));
        if before == after {
            return;
        }
        if let Some(before) = before {
            self.levels[before].remove(place);
        }
        if let Some(after) = after {
            self.levels[after].insert(place);
        }
    }

    /// All that are there, each with its level.
    #[cfg(test)]
    pub(crate) fn standing(&self) -> std::collections::BTreeMap<usize, usize> {
        let places = |level: &Places| level.common(level, 0).collect::<Vec<_>>();
        let levels = (0..).zip(self.levels.iter().map(places));
        levels.flat_map(|(level, all)| all.into_iter().map(move |place| (place, level))).collect()
    }

    /// Of the members the one with the fewest calls under way that can be picked: `pending` says for a place what it has, and
    /// `None` where it cannot be. Among equals the next in turn; moves the cursor, which counts places, past it.
    pub fn least(
        &self,
        members: &Places,
        cursor: &mut Cursor,
        pending: impl Fn(usize) -> Option<u32>,
    ) -> Option<usize> {
        let first = cursor.first(members.words.len() * WORD);
        let (last, exact) = self.levels.split_last()?;
        let inhabited = exact.iter().filter(|level| level.count > 0);
        let is_open = |place: &usize| pending(*place).is_some();
        let found = inhabited.map(|level| level.common(members, first).find(is_open));
        let picked = found.flatten().next().or_else(|| {
            let all = last.common(members, first);
            let open = all.filter_map(|place| Some((pending(place)?, place)));
            open.min_by_key(|(pending, _)| *pending).map(|(_, place)| place)
        })?;
        cursor.pass(picked);
        Some(picked)
    }
}

impl Places {
    /// One more.
    pub fn insert(&mut self, place: usize) {
        let word = place / WORD;
        if self.words.len() <= word {
            self.words.resize(word + 1, 0);
        }
        let bit = 1 << (place % WORD);
        self.count += usize::from(self.words[word] & bit == 0);
        self.words[word] |= bit;
    }

    /// One less.
    fn remove(&mut self, place: usize) {
        let bit = 1 << (place % WORD);
        if let Some(word) = self.words.get_mut(place / WORD) {
            self.count -= usize::from(*word & bit != 0);
            *word &= !bit;
        }
    }

    /// Those that are in both, from `first` on and round again.
    fn common<'a>(&'a self, others: &'a Self, first: usize) -> impl Iterator<Item = usize> {
        let count = self.words.len().min(others.words.len());
        let (start, behind) = (first / WORD, u64::MAX << (first % WORD));
        let head = (start..count.min(start + 1)).map(move |word| (word, behind));
        let rest = (start + 1..count).chain(0..count.min(start)).map(|word| (word, u64::MAX));
        let tail = (start..count.min(start + 1)).map(move |word| (word, !behind));
        head.chain(rest).chain(tail).flat_map(move |(word, mask)| {
            bits(self.words[word] & others.words[word] & mask).map(move |bit| word * WORD + bit)
        })
    }
}

/// The bits that are set, the lowest first.
fn bits(word: u64) -> impl Iterator<Item = usize> {
    let others = |left: &u64| Some(left & (left - 1)).filter(|left| *left != 0);
    let all = std::iter::successors(Some(word).filter(|word| *word != 0), others);
    all.map(|left| left.trailing_zeros() as usize)
}

impl FromIterator<usize> for Places {
    fn from_iter<T: IntoIterator<Item = usize>>(places: T) -> Self {
        let mut all = Self::default();
        for place in places {
            all.insert(place);
        }
        all
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rng::Rng;

    /// What is looked for, found by a look at all.
    fn slowly(loads: &[Option<u32>], members: &[usize], first: usize) -> Option<usize> {
        let turn = members.iter().filter(|at| **at >= first).chain(members);
        let open = turn.filter_map(|&at| Some((loads[at]?, at)));
        open.min_by_key(|(load, _)| *load).map(|(_, at)| at)
    }

    /// Loads of so many places change at random, up to `top`, and every third place of them cannot be picked now and then.
    #[track_caller]
    fn check(count: usize, top: u64) {
        let mut rng = Rng::from_seed(7);
        let (mut loads, mut known) = (Loads::default(), vec![None; count]);
        let mut cursor = Cursor::default();
        let members: Vec<usize> = (0..count).filter(|at| at % 5 != 3).collect();
        let places = members.iter().copied().collect();
        let mut first = 0;
        for _ in 0..3_000 {
            let at = rng.index(count);
            let load = rng.chance(9, 10).then(|| u32::try_from(rng.below(top)).unwrap());
            loads.change(at, known[at], load);
            known[at] = load;
            let closed = rng.chance(1, 2);
            let open = |at: usize| known[at].filter(|_| !closed || !at.is_multiple_of(3));
            let seen: Vec<_> = (0..count).map(open).collect();
            let expect = slowly(&seen, &members, first);
            assert_eq!(loads.least(&places, &mut cursor, open), expect);
            first = expect.map_or(first, |picked| picked + 1);
        }
    }

    #[test]
    fn who_is_found_is_who_a_look_at_all_would_find() {
        for count in [1, 2, 63, 64, 65, 200] {
            for top in [1, 3, 63, 64, 65, 100] {
                check(count, top);
            }
        }
    }

    #[test]
    fn nobody_is_found_among_nobody() {
        let mut cursor = Cursor::starting_at(9);
        let loads = Loads::default();
        assert_eq!(loads.least(&Places::default(), &mut cursor, |_| Some(0)), None);
        assert_eq!(loads.least(&[3].into_iter().collect(), &mut cursor, |_| Some(0)), None);
    }
}
