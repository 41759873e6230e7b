//! Who would be picked, and how probably?
//!
//! What [`Balancer::pick`] would do, without a draw and without a turn.

use super::{Balancer, Candidates, Cursor, Keyed, ring, round_robin};

/// A certain pick. Chances are parts of it.
pub const CERTAIN: u32 = 1_000_000;

impl Balancer {
    /// The candidates that [`pick`](Self::pick) would choose among, each with its chance in parts of [`CERTAIN`]; none
    /// where none can be picked. The parts may miss the whole by what is lost in rounding.
    pub fn chances(
        self,
        candidates: &impl Candidates,
        keyed: Option<Keyed<'_>>,
        mut cursor: Cursor,
    ) -> Vec<(usize, u32)> {
        let certain = |picked: Option<usize>| picked.map(|index| (index, CERTAIN));
        if let Some(keyed) = keyed {
            return certain(ring::pick(candidates, keyed)).into_iter().collect();
        }
        match self {
            Self::PowerOfTwo | Self::Hash | Self::Slots => of_two(candidates),
            Self::RoundRobin => {
                certain(round_robin::pick(candidates, &mut cursor)).into_iter().collect()
            }
            Self::LeastPending => {
                certain(candidates.least_pending(&mut cursor)).into_iter().collect()
            }
            Self::Random => {
                let open = open(candidates);
                let each = part(1, open.len());
                open.into_iter().map(|index| (index, each)).collect()
            }
        }
    }
}

fn open(candidates: &impl Candidates) -> Vec<usize> {
    (0..candidates.len()).filter(|&index| candidates.pending(index).is_some()).collect()
}

/// Of any two the cheaper is picked, of equals the one that is drawn first.
fn of_two(candidates: &impl Candidates) -> Vec<(usize, u32)> {
    let open = open(candidates);
    if let [only] = open[..] {
        return vec![(only, CERTAIN)];
    }
    let mut costs: Vec<Option<u64>> = open.iter().map(|&index| candidates.cost(index)).collect();
    let own = costs.clone();
    costs.sort_unstable();
    let pairs = open.len() * open.len().saturating_sub(1);
    let chance = |cost: &Option<u64>| {
        let cheaper = costs.partition_point(|other| other < cost);
        let not_dearer = costs.partition_point(|other| other <= cost);
        let (equal, dearer) = (not_dearer - cheaper - 1, costs.len() - not_dearer);
        part(equal + 2 * dearer, pairs)
    };
    open.into_iter().zip(own.iter().map(chance)).filter(|(_, chance)| *chance > 0).collect()
}

/// `some` of `all`, in parts of [`CERTAIN`].
fn part(some: usize, all: usize) -> u32 {
    let part = (some as u128 * u128::from(CERTAIN)).checked_div(all as u128).unwrap_or(0);
    u32::try_from(part).unwrap_or(CERTAIN)
}

#[cfg(test)]
mod tests {
    use super::super::Affinity;
    use super::super::tests::{Field, ring};
    use super::*;
    use crate::rng::Rng;

    const WORLDS: [&[Option<(u32, u64)>]; 6] = [
        &[],
        &[None, None],
        &[None, Some((0, 0)), None],
        &[Some((1, 10)), Some((0, 5))],
        &[Some((0, 7)), Some((0, 7)), Some((2, 9)), None, Some((1, 1))],
        &[Some((3, 4)), Some((3, 3)), Some((3, 2)), Some((3, 1))],
    ];

    #[test]
    fn the_chances_are_those_of_the_picks() {
        const DRAWS: u32 = 20_000;
        for balancer in Balancer::ALL {
            for affinity in [None, Some(Affinity::of(b"k"))] {
                for world in WORLDS.map(Field) {
                    let ring = ring(world.len());
                    let keyed = affinity.map(|affinity| Keyed { affinity, ring: &ring });
                    let told = balancer.chances(&world, keyed, Cursor::starting_at(1));
                    let mut rng = Rng::from_seed(7);
                    let mut counts = vec![0_u32; world.0.len()];
                    for _ in 0..DRAWS {
                        let mut cursor = Cursor::starting_at(1);
                        if let Some(index) = balancer.pick(&world, keyed, &mut cursor, &mut rng) {
                            counts[index] += 1;
                        }
                    }
                    for (index, count) in counts.into_iter().enumerate() {
                        let told = told.iter().find(|(told, _)| *told == index);
                        let told = told.map_or(0, |(_, chance)| chance / (CERTAIN / DRAWS));
                        let off = told.abs_diff(count);
                        assert!(off < DRAWS / 50, "{balancer}: {index} of {:?}, {off}", world.0);
                    }
                }
            }
        }
    }

    #[test]
    fn of_two_the_dearest_of_all_has_no_chance() {
        let world = Field(WORLDS[5]);
        let told = Balancer::PowerOfTwo.chances(&world, None, Cursor::default());
        assert_eq!(told, [(1, 166_666), (2, 333_333), (3, 500_000)]);
    }
}
