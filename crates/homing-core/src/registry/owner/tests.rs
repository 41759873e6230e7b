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
    Index::pages((id(1), owner.epoch), owner.listing(), (ALL_KEYS, FOR_ALL)).remove(0)
}

/// What is held: keys and versions.
fn state(owner: &Owner) -> Vec<(u32, u64)> {
    owner.records().map(|held| (held.record.key.0, held.record.version)).collect()
}

/// One learns from the other what it can: an index, and then the records that it lacks by that.
fn merge(one: &mut Owner, other: &Owner) {
    for key in one.heed(&index(other), Trust::Peer).lacking {
        if let Some(held) = other.held(key) {
            let _ = one.take(held.clone());
        }
    }
}

fn with(records: &[(u32, u64)]) -> Owner {
    let mut owner = Owner::new(Epoch(1));
    for (key, version) in records {
        take(&mut owner, *key, *version).unwrap();
    }
    owner
}

#[track_caller]
fn check(one: &[(u32, u64)], other: &[(u32, u64)], expect: &[(u32, u64)]) {
    for (one, other) in [(one, other), (other, one)] {
        let mut merged = with(one);
        merge(&mut merged, &with(other));
        assert_eq!(state(&merged), expect);
        assert_eq!(merged.digest(id(1)), with(expect).digest(id(1)));
    }
}

#[test]
fn of_one_key_the_higher_version_stays() {
    check(&[(1, 1)], &[(1, 3), (2, 2)], &[(1, 3), (2, 2)]);
}

#[test]
fn a_lost_version_below_the_highest_is_found() {
    check(&[(2, 7)], &[(1, 6), (2, 7)], &[(1, 6), (2, 7)]);
}

#[test]
fn what_a_peer_does_not_list_is_not_dropped() {
    let mut owner = with(&[(1, 1), (2, 2)]);
    let heeded = owner.heed(&index(&with(&[])), Trust::Peer);
    assert_eq!((heeded.dropped.len(), heeded.lacking), (0, vec![]));
    assert_eq!(state(&owner), [(1, 1), (2, 2)]);
}

#[test]
fn a_peer_that_lists_what_there_is_not_is_only_asked_for_it() {
    let mut owner = with(&[(1, 1)]);
    let heeded = owner.heed(&index(&with(&[(1, u64::MAX), (7, u64::MAX)])), Trust::Peer);
    assert_eq!(heeded.lacking, [RecordKey(1), RecordKey(7)]);
    assert_eq!(take(&mut owner, 1, 2), Ok(Some(1)), "the true next version is taken");
}

#[test]
fn a_record_that_was_heard_of_already_is_known() {
    let mut owner = with(&[(1, 2)]);
    assert_eq!(take(&mut owner, 1, 1), Err(Refusal::Known));
    assert_eq!(take(&mut owner, 1, 2), Err(Refusal::Known));
}

#[test]
fn one_more_record_than_an_owner_may_have_is_refused() {
    let mut owner = with(&[]);
    for key in 0..u32::try_from(OWNER_RECORDS_MAX).unwrap() {
        take(&mut owner, key, u64::from(key) + 1).unwrap();
    }
    assert_eq!(take(&mut owner, u32::MAX, 99_999), Err(Refusal::Full));
    assert_eq!(take(&mut owner, 0, 99_999), Ok(Some(1)));
}

#[test]
fn a_visitor_drops_what_its_source_does_not_list() {
    let mut owner = with(&[(1, 1), (2, 2)]);
    let dropped = owner.heed(&index(&with(&[(2, 2)])), Trust::Source).dropped;
    assert_eq!(dropped.iter().map(|record| record.key.0).collect::<Vec<_>>(), [1]);
}

/// What an owner does.
#[derive(Clone, Debug)]
enum Step {
    Write(u32),
    Bury(u32),
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        4 => (0_u32..6).prop_map(Step::Write),
        2 => (0_u32..6).prop_map(Step::Bury),
    ]
}

/// All states that an owner was in, and all records that it wrote.
fn history(steps: &[Step]) -> (Vec<Owner>, Vec<Held>) {
    let (mut owner, mut version) = (Owner::new(Epoch(1)), 0);
    let (mut states, mut written) = (Vec::new(), Vec::new());
    for step in steps {
        version += 1;
        let (key, body) = match step {
            Step::Write(key) => (*key, offer_body("a")),
            Step::Bury(key) => (*key, Body::Tombstone),
        };
        let record = held(id(1), key, version, body);
        written.push(record.clone());
        owner.take(record).unwrap();
        states.push(copy(&owner));
    }
    (states, written)
}

fn copy(owner: &Owner) -> Owner {
    let mut copy = Owner::new(owner.epoch);
    owner.records().for_each(|held| drop(copy.take(held.clone()).unwrap()));
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
