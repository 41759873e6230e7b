//! Is the right one picked?

use super::*;
use crate::id::NodeId;
use crate::registry::RecordKey;

/// Candidates as data: calls under way and cost, or closed.
pub(super) struct Field<'a>(pub(super) &'a [Option<(u32, u64)>]);

impl Candidates for Field<'_> {
    fn len(&self) -> usize {
        self.0.len()
    }

    fn pending(&self, index: usize) -> Option<u32> {
        self.0[index].map(|(pending, _)| pending)
    }

    fn cost(&self, index: usize) -> Option<u64> {
        self.0[index].map(|(_, cost)| cost)
    }
}

/// The ring of so many candidates.
pub(super) fn ring(count: usize) -> Ring {
    let node = |index: u128| NodeId::from_bytes(index.to_be_bytes());
    Ring::of((0..count as u128).map(|index| Identity::of(node(index), RecordKey(1))))
}

/// Picks as often as `expect` is long among candidates with these loads (`None`: closed), starting at `start`.
#[track_caller]
fn check(balancer: Balancer, start: usize, loads: &[Option<u32>], expect: &[usize]) {
    let loads: Vec<_> = loads.iter().map(|load| load.map(|load| (load, 0))).collect();
    let (mut cursor, mut rng) = (Cursor::starting_at(start), Rng::from_seed(1));
    let picks: Vec<_> = expect
        .iter()
        .filter_map(|_| balancer.pick(&Field(&loads), None, &mut cursor, &mut rng))
        .collect();
    assert_eq!(picks, expect);
}

/// How often each is picked in a thousand picks.
fn shares(balancer: Balancer, field: &[Option<(u32, u64)>]) -> Vec<u32> {
    let (mut cursor, mut rng) = (Cursor::default(), Rng::from_seed(1));
    let mut shares = vec![0; field.len()];
    for _ in 0..1_000 {
        shares[balancer.pick(&Field(field), None, &mut cursor, &mut rng).unwrap()] += 1;
    }
    shares
}

#[test]
fn each_has_its_turn() {
    check(Balancer::RoundRobin, 0, &[Some(0), Some(9), Some(0)], &[0, 1, 2, 0, 1, 2]);
}

#[test]
fn a_start_beyond_the_end_wraps_round() {
    check(Balancer::RoundRobin, 7, &[Some(0), Some(0), Some(0)], &[1, 2, 0]);
    check(Balancer::RoundRobin, usize::MAX, &[Some(0)], &[0, 0]);
}

#[test]
fn who_must_not_be_picked_is_passed_over() {
    check(Balancer::RoundRobin, 0, &[None, Some(0), None, Some(0)], &[1, 3, 1, 3]);
    check(Balancer::LeastPending, 0, &[None, Some(5), Some(7)], &[1, 1]);
    for balancer in Balancer::ALL {
        check(balancer, 0, &[None, None, Some(5), None], &[2, 2, 2, 2]);
    }
}

#[test]
fn the_least_busy_is_picked_and_equals_take_turns() {
    check(Balancer::LeastPending, 0, &[Some(2), Some(1), Some(1)], &[1, 2, 1, 2]);
}

#[test]
fn chance_is_fair() {
    let shares = shares(Balancer::Random, &[Some((0, 9)), Some((5, 1)), None, Some((1, 1))]);
    assert_eq!(shares[2], 0);
    for index in [0, 1, 3] {
        assert!((280..390).contains(&shares[index]), "{shares:?}");
    }
}

#[test]
fn of_two_the_cheaper_is_picked_so_that_the_dearest_never_is() {
    let shares = shares(Balancer::PowerOfTwo, &[Some((0, 5)), Some((9, 1)), Some((0, 9))]);
    assert_eq!(shares[2], 0);
    assert!((600..730).contains(&shares[1]), "the cheapest is in two pairs of three: {shares:?}");
    let closed = shares_of_two_open();
    assert_eq!(closed, [0, 0, 1_000, 0], "also where most are closed");
}

fn shares_of_two_open() -> Vec<u32> {
    shares(Balancer::PowerOfTwo, &[None, Some((0, 2)), Some((0, 1)), None])
}

#[test]
fn nobody_is_picked_from_nobody() {
    let mut rng = Rng::from_seed(1);
    for balancer in Balancer::ALL {
        for field in [&[][..], &[None; 2], &[None; 200]].map(Field) {
            let (affinity, ring) = (Affinity::of(b"key"), ring(field.len()));
            for keyed in [None, Some(Keyed { affinity, ring: &ring })] {
                let mut cursor = Cursor::starting_at(3);
                assert_eq!(balancer.pick(&field, keyed, &mut cursor, &mut rng), None);
            }
        }
    }
}

/// Where each of a thousand keys goes.
fn places(field: &[Option<(u32, u64)>]) -> Vec<usize> {
    let (mut cursor, mut rng) = (Cursor::default(), Rng::from_seed(1));
    let ring = ring(field.len());
    (0..1_000_u32)
        .map(|key| {
            let keyed = Keyed { affinity: Affinity::of(&key.to_be_bytes()), ring: &ring };
            Balancer::Hash.pick(&Field(field), Some(keyed), &mut cursor, &mut rng).unwrap()
        })
        .collect()
}

#[test]
fn who_goes_takes_only_its_own_keys() {
    let open = Some((0, 0));
    let (before, after) = (places(&[open; 5]), places(&[open, open, None, open, open]));
    for (before, after) in before.iter().zip(&after) {
        assert!(before == after || *before == 2);
    }
    for index in 0..5 {
        let share = before.iter().filter(|&&place| place == index).count();
        assert!((150..250).contains(&share), "{index} has {share} of 1000");
    }
}

#[test]
fn a_key_means_the_same_in_each_release() {
    assert_eq!(format!("{:?}", Affinity::of(b"user 7")), "Affinity(12055636180804970939)");
}

#[test]
fn a_balancer_reads_back_from_its_name() {
    for balancer in Balancer::ALL {
        assert_eq!(balancer.to_string().parse(), Ok(balancer));
    }
    let error = "fairest".parse::<Balancer>().unwrap_err();
    assert!(error.to_string().contains("\"fairest\""), "{error}");
}
