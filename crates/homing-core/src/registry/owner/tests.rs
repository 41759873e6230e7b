//! Does an owner become the same from the same messages, in whatever order?

use super::super::body::Body;
use super::super::index::ALL_KEYS;
use super::super::samples::{held, id, offer_body};
use super::*;
use proptest::collection::vec;
use proptest::prelude::*;

const FOR_ALL: usize = 100_000;

fn take(owner: &mut Owner, key: u32, version: u64) -> Result<Option<u64>, Refusal> {
    let taken = owner.take(held(id(1), key, version, offer_body("a")));
    taken.map(|before| before.map(|held| held.record.version))
}

fn index(owner: &Owner) -> Index {
    let head = (id(1), owner.epoch, owner.floor());
    Index::pages(head, owner.listing(), (ALL_KEYS, FOR_ALL)).remove(0)
}

/// What is held: keys and versions, and the floor.
fn state(owner: &Owner) -> (Vec<(u32, u64)>, u64) {
    let held = owner.records().map(|held| (held.record.key.0, held.record.version));
    (held.collect(), owner.floor())
}

/// One learns from the other what it can: an index, and then the records that it lacks by that.
fn merge(one: &mut Owner, other: &Owner) {
    for key in one.heed(&index(other), Trust::Peer).lacking {
        if let Some(held) = other.held(key) {
            let _ = one.take(held.clone());
        }
    }
}

fn with(floor: u64, records: &[(u32, u64)]) -> Owner {
    let mut owner = Owner::new(Epoch(1));
    for (key, version) in records {
        take(&mut owner, *key, *version).unwrap();
    }
    owner.raise_floor(floor);
    owner
}

#[track_caller]
fn check(one: (u64, &[(u32, u64)]), other: (u64, &[(u32, u64)]), expect: (u64, &[(u32, u64)])) {
    for (one, other) in [(one, other), (other, one)] {
        let mut merged = with(one.0, one.1);
        merge(&mut merged, &with(other.0, other.1));
        assert_eq!(state(&merged), (expect.1.to_vec(), expect.0));
        assert_eq!(merged.digest(id(1)), with(expect.0, expect.1).digest(id(1)));
    }
}

#[test]
fn of_one_key_the_higher_version_stays() {
    check((0, &[(1, 1)]), (0, &[(1, 3), (2, 2)]), (0, &[(1, 3), (2, 2)]));
}

#[test]
fn a_lost_version_below_the_highest_is_found() {
    check((0, &[(2, 7)]), (0, &[(1, 6), (2, 7)]), (0, &[(1, 6), (2, 7)]));
}

#[test]
fn who_is_below_the_floor_drops_what_was_withdrawn() {
    check((0, &[(1, 1), (2, 2)]), (3, &[(2, 2)]), (3, &[(2, 2)]));
}

#[test]
fn what_is_above_the_floor_of_the_other_stays() {
    check((0, &[(1, 1), (9, 8)]), (3, &[(2, 2)]), (3, &[(2, 2), (9, 8)]));
}

#[test]
fn a_record_under_the_floor_is_taken_only_if_an_index_lists_it() {
    let mut owner = with(0, &[]);
    owner.heed(&index(&with(5, &[(1, 2)])), Trust::Peer);
    assert_eq!(take(&mut owner, 3, 3), Err(Refusal::UnderFloor));
    assert_eq!(take(&mut owner, 1, 1), Err(Refusal::UnderFloor));
    assert_eq!(take(&mut owner, 1, 2), Ok(None));
    assert_eq!(take(&mut owner, 1, 2), Err(Refusal::Known));
}

#[test]
fn what_is_missing_is_listed_so_that_nobody_takes_it_for_withdrawn() {
    let mut waiting = with(0, &[]);
    waiting.heed(&index(&with(5, &[(1, 2)])), Trust::Peer);
    let mut third = with(0, &[(1, 2)]);
    merge(&mut third, &waiting);
    assert_eq!(state(&third), (vec![(1, 2)], 5));
}

#[test]
fn who_returns_from_the_forgotten_believes_nothing_before_an_index() {
    let mut owner = Owner::returning(Epoch(1));
    assert_eq!(take(&mut owner, 1, 9), Err(Refusal::UnderFloor));
    merge(&mut owner, &with(0, &[(1, 9)]));
    assert_eq!(state(&owner), (vec![(1, 9)], 0));
    assert_eq!(take(&mut owner, 2, 10), Ok(None));
}

#[test]
fn a_floor_rises_with_the_last_of_its_pages_in_order() {
    let listing = (1..100).map(|key| (key, u64::from(key))).collect::<Vec<_>>();
    let other = with(200, &listing);
    let head = (id(1), Epoch(1), 200);
    let pages = Index::pages(head, other.listing(), (ALL_KEYS, 700));
    assert!(pages.len() > 2);
    let mut owner = with(0, &[]);
    pages.iter().skip(1).for_each(|page| drop(owner.heed(page, Trust::Peer)));
    assert_eq!(owner.floor(), 0, "the first page is missing");
    for page in &pages {
        drop(owner.heed(page, Trust::Peer));
    }
    assert_eq!(owner.floor(), 200);
}

#[test]
fn one_more_record_than_an_owner_may_have_is_refused() {
    let mut owner = with(0, &[]);
    for key in 0..u32::try_from(OWNER_RECORDS_MAX).unwrap() {
        take(&mut owner, key, u64::from(key) + 1).unwrap();
    }
    assert_eq!(take(&mut owner, u32::MAX, 99_999), Err(Refusal::Full));
    assert_eq!(take(&mut owner, 0, 99_999), Ok(Some(1)));
}

#[test]
fn a_visitor_drops_what_its_source_does_not_list() {
    let mut owner = with(0, &[(1, 1), (2, 2)]);
    let dropped = owner.heed(&index(&with(0, &[(2, 2)])), Trust::Source).dropped;
    assert_eq!(dropped.iter().map(|record| record.key.0).collect::<Vec<_>>(), [1]);
}

/// What an owner does.
#[derive(Clone, Debug)]
enum Step {
    Write(u32),
    Bury(u32),
    Settle,
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        4 => (0_u32..6).prop_map(Step::Write),
        2 => (0_u32..6).prop_map(Step::Bury),
        1 => Just(Step::Settle),
    ]
}

/// All states that an owner was in, and all records that it wrote.
fn history(steps: &[Step]) -> (Vec<Owner>, Vec<Held>) {
    let (mut owner, mut version) = (Owner::new(Epoch(1)), 0);
    let (mut states, mut written) = (Vec::new(), Vec::new());
    for step in steps {
        match step {
            Step::Write(key) | Step::Bury(key) => {
                version += 1;
                let body = match step {
                    Step::Bury(_) => Body::Tombstone,
                    Step::Write(_) | Step::Settle => offer_body("a"),
                };
                let record = held(id(1), *key, version, body);
                written.push(record.clone());
                owner.take(record).unwrap();
            }
            Step::Settle => {
                let buried = owner.records().filter(|held| !held.record.body.is_live());
                let buried = buried.map(|held| held.record.key).collect::<Vec<_>>();
                let floor = buried.into_iter().filter_map(|key| owner.remove(key));
                let floor = floor.map(|held| held.record.version).max();
                owner.raise_floor(floor.unwrap_or(0));
            }
        }
        states.push(copy(&owner));
    }
    (states, written)
}

fn copy(owner: &Owner) -> Owner {
    let mut copy = Owner::new(owner.epoch);
    owner.records().for_each(|held| drop(copy.take(held.clone()).unwrap()));
    copy.raise_floor(owner.floor());
    copy
}

fn merged(parts: &[&Owner]) -> Owner {
    let mut whole = Owner::new(Epoch(1));
    for part in parts {
        merge(&mut whole, part);
    }
    whole
}

fn joined(one: &Owner, other: &Owner) -> Owner {
    merged(&[one, other])
}

proptest! {
    #[test]
    fn merging_is_commutative_associative_and_idempotent(
        steps in vec(step(), 1..40),
        at in any::<[prop::sample::Index; 3]>(),
        lost: u64,
    ) {
        let (states, written) = history(&steps);
        // Three nodes that know a state of the owner whole, and some later records by gossip.
        let nodes = at.map(|at| {
            let mut node = copy(at.get(&states));
            for (number, record) in written.iter().enumerate() {
                if lost >> (number % 64) & 1 == 0 {
                    let _ = node.take(record.clone());
                }
            }
            node
        });
        let [a, b, c] = &nodes;
        prop_assert_eq!(state(&joined(a, b)), state(&joined(b, a)));
        prop_assert_eq!(state(&joined(&joined(a, b), c)), state(&joined(a, &joined(b, c))));
        prop_assert_eq!(state(&joined(a, a)), state(a));
    }

    #[test]
    fn any_delivery_and_a_last_exchange_end_in_the_owners_state(
        steps in vec(step(), 1..40),
        deliveries in vec((any::<prop::sample::Index>(), any::<bool>()), 0..80),
    ) {
        let (states, written) = history(&steps);
        let mut node = Owner::new(Epoch(1));
        for (at, whole) in deliveries {
            if whole {
                merge(&mut node, at.get(&states));
            } else if !written.is_empty() {
                let _ = node.take(at.get(&written).clone());
            }
        }
        let last = states.last().unwrap();
        merge(&mut node, last);
        prop_assert_eq!(state(&node), state(last));
        prop_assert_eq!(node.digest(id(1)), last.digest(id(1)));
        for record in written {
            // Whatever comes late changes nothing any more.
            let _ = node.take(record);
        }
        prop_assert_eq!(state(&node), state(last));
    }
}
