//! Who is it for calls of one key, without a look at all?
//!
//! Multi-probe consistent hashing (Appleton and O'Reilly 2015, "Multi-Probe Consistent Hashing"): candidates have points on
//! a circle, a key has probes, and the candidate wins of which a point follows a probe the closest. That depends on nothing
//! but who the candidates are, so all requesters agree at once; who goes takes its keys only, and who comes takes only what
//! is its own from then on. While a candidate cannot be picked its keys go to the next in line, and then back.
//!
//! Few points would do with many probes, or many points with one probe. With these numbers a pick costs the same among ten
//! and among a thousand, all is at hand in a near cache (at most 400 bytes for each candidate), and shares are mostly within a
//! tenth of what is fair: the deviation is 6 %, and in a thousand nobody is off by more than a quarter.

use super::Candidates;
use super::hash::{Affinity, Identity};

/// Of each candidate; two to a hash. With another number keys go elsewhere: all requesters must have the same.
const POINTS: usize = 32;
/// Of each key; two to a hash. Likewise.
const PROBES: usize = 6;
/// Points behind each probe that are looked at where the closest candidate cannot be picked. Likewise.
const WINDOW: usize = 8;
/// Points that are compared at once.
const FEW: usize = 4;
/// The length of the circle.
const TURN: u32 = 1 << 31;

/// Where keys go among these candidates. It is made once, in `n log n` steps (half a millisecond for a thousand), and good until
/// another candidate comes or one goes: what they have to do, and which of them can be picked, plays no part. Of no more
/// candidates than a registry can hold ([`RECORDS_MAX`](crate::limits::RECORDS_MAX)).
#[derive(Clone, Debug)]
pub struct Ring {
    identities: Vec<Identity>,
    /// In order; behind the last, the first ones again, so that nobody has to turn at the end.
    points: Vec<u32>,
    /// Whose each point is.
    owners: Vec<u32>,
    /// For each part of the circle, how many points are before it.
    before: Vec<u32>,
    /// A position shifted so far is its part.
    shift: u32,
}

/// A call that goes by its key. A ring of other candidates than those that are picked from is our own bug.
#[derive(Clone, Copy, Debug)]
pub struct Keyed<'a> {
    /// Its key.
    pub affinity: Affinity,
    /// That of the candidates among which is picked.
    pub ring: &'a Ring,
}

impl Ring {
    /// The ring of these candidates, in their order. Who looks at them in another order gets the same keys to the same ones.
    pub fn of(identities: impl IntoIterator<Item = Identity>) -> Self {
        let identities: Vec<Identity> = identities.into_iter().collect();
        let own = |(identity, owner): (&Identity, u64)| {
            let places = identity.hashes::<{ POINTS / 2 }>().map(two_of);
            places.into_iter().flatten().map(move |place| (u64::from(place) << 32) | owner)
        };
        // Of one number each: to sort is most of the work.
        let mut all: Vec<u64> = identities.iter().zip(0..).flat_map(own).collect();
        all.sort_unstable();
        let all: Vec<(u32, u32)> = all.into_iter().map(halves).collect();
        let parts = (all.len() / 2).next_power_of_two();
        let shift = TURN.ilog2() - parts.ilog2();
        let before = before(all.iter().map(|(place, _)| part(*place, shift)), parts);
        // Of none there is nothing to come again.
        let again = all.iter().cycle().take(WINDOW * all.len().min(1));
        let again = again.map(|&(place, owner)| (place + TURN, owner));
        let (points, owners) = all.iter().copied().chain(again).unzip();
        Self { identities, points, owners, before, shift }
    }

    /// Whether it is the ring of these candidates, in this order.
    pub fn is_of(&self, identities: impl IntoIterator<Item = Identity>) -> bool {
        self.identities.iter().copied().eq(identities)
    }

    /// The first point at or behind this place.
    fn behind(&self, place: u32) -> usize {
        let mut first = self.before[part(place, self.shift)] as usize;
        loop {
            // Mostly it is one of the first few. To count them all has no branches that nobody can foresee.
            let few = &self.points[first..first + FEW];
            let less = few.iter().map(|&point| usize::from(point < place)).sum::<usize>();
            first += less;
            if less < FEW {
                return first;
            }
        }
    }

    /// The closest of all; none of an empty ring.
    fn closest(&self, affinity: Affinity) -> Option<usize> {
        if self.identities.is_empty() {
            return None;
        }
        let (mut least, mut best) = (u32::MAX, 0);
        for &place in affinity.hashes::<{ PROBES / 2 }>().map(two_of).as_flattened() {
            let at = self.behind(place);
            let distance = self.points[at] - place;
            if distance < least {
                (least, best) = (distance, at);
            }
        }
        Some(self.owners[best] as usize)
    }

    /// The closest that may be picked, of those in the windows.
    fn closest_open(&self, affinity: Affinity, may: impl Fn(usize) -> bool) -> Option<usize> {
        let mut best: Option<(u32, usize)> = None;
        for &place in affinity.hashes::<{ PROBES / 2 }>().map(two_of).as_flattened() {
            let first = self.behind(place);
            for at in first..first + WINDOW {
                let distance = self.points[at] - place;
                if best.is_some_and(|(least, _)| least <= distance) {
                    break;
                }
                let owner = self.owners[at] as usize;
                if may(owner) {
                    best = Some((distance, owner));
                    break;
                }
            }
        }
        best.map(|(_, owner)| owner)
    }

    /// The one with the highest score that may be picked. A score is a hash of the candidate and the key (Thaler and
    /// Ravishankar 1998, "Using Name-Based Mappings to Increase Hit Rates"): as consistent, but all are looked at.
    fn best_of_all(&self, affinity: Affinity, may: impl Fn(usize) -> bool) -> Option<usize> {
        let open = (0..self.identities.len()).filter(|&index| may(index));
        open.max_by_key(|&index| affinity.score(self.identities[index]))
    }
}

/// The next in line for a key that can be picked. Mostly that is the first: whether a candidate can be picked costs more
/// than to find it, and is asked of one. Where nearly nobody can be, all are looked at, and scored.
#[inline(never)] // Calls without a key are the most, and must not pay for it.
pub(super) fn pick(candidates: &impl Candidates, keyed: Keyed<'_>) -> Option<usize> {
    let Keyed { affinity, ring } = keyed;
    debug_assert!(ring.identities.len() == candidates.len(), "a ring of other candidates");
    let may = |index: usize| candidates.pending(index).is_some();
    let first = ring.closest(affinity)?;
    if may(first) {
        return Some(first);
    }
    ring.closest_open(affinity, may).or_else(|| ring.best_of_all(affinity, may))
}

/// Two places on the circle.
fn two_of(hash: u64) -> [u32; 2] {
    let place = |bits: u64| u32::try_from(bits % u64::from(TURN)).expect("it is below a turn");
    [place(hash >> 33), place(hash)]
}

/// The upper and the lower 32 bits.
fn halves(both: u64) -> (u32, u32) {
    let half = |bits: u64| u32::try_from(bits & u64::from(u32::MAX)).expect("it is 32 bits");
    (half(both >> 32), half(both))
}

/// The part of the circle in which a place is.
fn part(place: u32, shift: u32) -> usize {
    (place >> shift) as usize
}

/// How many of the points are before each part, by the parts of them all; and, last, how many there are.
fn before(points: impl Iterator<Item = usize>, parts: usize) -> Vec<u32> {
    let mut counts = vec![0; parts + 1];
    for part in points {
        counts[part + 1] += 1;
    }
    for part in 0..parts {
        counts[part + 1] += counts[part];
    }
    counts
}

#[cfg(test)]
mod tests {
    use super::super::tests::{Field, ring};
    use super::*;

    const OPEN: Option<(u32, u64)> = Some((0, 0));

    /// Where so many keys go.
    fn places(ring: &Ring, field: &[Option<(u32, u64)>], keys: u32) -> Vec<usize> {
        let affinity = |key: u32| Affinity::of(&key.to_be_bytes());
        let place = |key| pick(&Field(field), Keyed { affinity: affinity(key), ring });
        (0..keys).map(|key| place(key).unwrap()).collect()
    }

    /// Among so many, the share of each deviates by so much from what is fair, in the mean and at most, in percent.
    #[track_caller]
    fn check(count: usize, mean: f64, most: f64) {
        const EACH: u32 = 400;
        let mut shares = vec![0_u32; count];
        let keys = EACH * u32::try_from(count).unwrap();
        for place in places(&ring(count), &vec![OPEN; count], keys) {
            shares[place] += 1;
        }
        let off = |share: &u32| (f64::from(*share) / f64::from(EACH) - 1.0) * 100.0;
        let squares: f64 = shares.iter().map(|share| off(share).powi(2)).sum();
        let deviation = (squares / f64::from(keys / EACH)).sqrt();
        let top = shares.iter().map(off).fold(0.0, f64::max);
        assert!(deviation < mean && top < most, "{deviation:.1} % and {top:.1} % of {count}");
    }

    #[test]
    fn shares_are_nearly_equal() {
        // Of 400 keys each, 5 % are chance.
        check(1, 0.1, 0.1);
        check(3, 10.0, 15.0);
        check(10, 10.0, 20.0);
        check(100, 10.0, 25.0);
        check(1_000, 10.0, 30.0);
    }

    #[test]
    fn who_comes_takes_its_share_and_moves_nothing_else() {
        let before = places(&ring(1_000), &vec![OPEN; 1_000], 20_000);
        let after = places(&ring(1_001), &vec![OPEN; 1_001], 20_000);
        let moved: Vec<_> =
            before.iter().zip(&after).filter(|(before, after)| before != after).collect();
        assert!(moved.iter().all(|(_, after)| **after == 1_000));
        assert!((10..35).contains(&moved.len()), "{} of 20,000", moved.len());
    }

    #[test]
    fn who_is_closed_leaves_its_keys_to_many_and_gets_them_back() {
        let ring = ring(10);
        let mut field = [OPEN; 10];
        let before = places(&ring, &field, 5_000);
        field[3] = None;
        let after = places(&ring, &field, 5_000);
        let mut heirs = [0; 10];
        for (before, after) in before.iter().zip(&after) {
            assert!(before == after || *before == 3);
            heirs[*after] += usize::from(*before == 3);
        }
        let fair = heirs.iter().filter(|keys| (20..120).contains(*keys)).count();
        assert_eq!((heirs[3], fair), (0, 9), "{heirs:?}");
        field[3] = OPEN;
        assert_eq!(places(&ring, &field, 5_000), before);
    }

    #[test]
    fn however_many_are_closed_keys_stay_where_they_can() {
        let ring = ring(200);
        let mut field = [OPEN; 200];
        let mut before = places(&ring, &field, 1_000);
        for closed in (0..199).map(|step| step * 7 % 200) {
            field[closed] = None;
            let after = places(&ring, &field, 1_000);
            for (before, after) in before.iter().zip(&after) {
                assert!(before == after || *before == closed);
                assert!(field[*after].is_some());
            }
            before = after;
        }
    }

    #[test]
    fn all_agree_in_whatever_order_they_see_the_candidates() {
        let ring = ring(100);
        let reversed = Ring::of(ring.identities.iter().rev().copied());
        let mirrored = places(&reversed, &[OPEN; 100], 1_000).into_iter().map(|index| 99 - index);
        assert!(mirrored.eq(places(&ring, &[OPEN; 100], 1_000)));
    }

    #[test]
    fn a_key_goes_to_the_same_one_in_each_release() {
        assert_eq!(places(&ring(5), &[OPEN; 5], 12), [1, 2, 2, 0, 4, 1, 0, 2, 3, 2, 0, 0]);
    }
}
