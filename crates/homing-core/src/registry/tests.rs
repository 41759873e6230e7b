//! Do many registries come to know the same, whatever the network does to their messages?

mod confirm;
mod estate_forged;
mod lasting;
mod liars;
mod permission;
mod services;
mod topics;
mod visitors;
mod world;

use super::samples::{declared_body, id, interest_body, lane, node_body, offer_body};
use super::*;
use crate::crypto::fake::Fake;
use crate::limits::{DIGEST_PERIOD, HEADSTONE_TIME, LEASE, LIFETIME_MAX, OFFERS_MAX};
use crate::rng::Rng;
use crate::talk::Code;
use proptest::collection::vec;
use proptest::prelude::{ProptestConfig, any, prop, prop_assert, proptest};
use std::collections::BTreeMap;
use std::time::Duration;
use world::{Awake, Network, SECOND, World};

fn services(changes: &[Change]) -> String {
    let tell = |change: &Change| match change {
        Change::Offered(record) => format!("+{}", record.key.0),
        Change::Updated(record) => format!("={}", record.key.0),
        Change::Withdrawn(record) => format!("-{}", record.key.0),
        Change::Node(record) => format!("n{}", record.key.0),
        Change::Registered(record) => format!("+r{}", record.key.0),
        Change::Reregistered(record) => format!("=r{}", record.key.0),
        Change::Freed(record) => format!("-r{}", record.key.0),
    };
    changes.iter().map(tell).collect::<Vec<_>>().join(" ")
}

#[test]
fn news_reaches_all_within_a_second_without_faults() {
    for seed in 0..4 {
        let mut world = World::new(20, seed);
        world.run(SECOND * 3);
        world.offer(3, 1, "words");
        world.run(SECOND);
        assert_eq!(world.assert_same().len(), 21);
    }
}

#[test]
fn all_know_the_same_five_seconds_after_the_last_fault() {
    for (count, seed) in [2, 3, 5, 8, 13, 20, 20, 20].into_iter().zip(0_u64..) {
        let mut world = World::new(count, seed);
        world.network = Network { lost: 30, doubled: 20, ..Network::default() };
        let mut alive = BTreeMap::new();
        for round in 0..30_u32 {
            let number = u8::try_from(world.rng.below(count.into())).unwrap();
            match world.rng.below(6) {
                0 => world.withdraw(number, 1 + round % 3),
                1 => {
                    world.network.cut =
                        (0..count).filter(|number| number % 2 == 0).map(id).collect();
                }
                2 => world.network.cut.clear(),
                _ => world.offer(number, 1 + round % 3, &format!("s{round}")),
            }
            world.run(Duration::from_millis(300));
        }
        world.network = Network::default();
        world.run(SECOND * 5);
        for record in world.assert_same() {
            alive.insert((record.0, record.1), record.2);
        }
        assert!(alive.len() >= count.into(), "every node record is known");
    }
}

#[test]
fn comparisons_alone_are_enough() {
    for count in [2, 5, 20] {
        let mut world = World::new(count, 7);
        world.network.mute = true;
        world.run(SECOND * 3);
        (0..count).for_each(|number| world.offer(number, 1, "words"));
        world.run(SECOND * 20);
        assert_eq!(world.assert_same().len(), 2 * usize::from(count));
    }
}

#[test]
fn a_lost_version_below_the_highest_is_repaired() {
    let mut world = World::new(2, 1);
    world.run(SECOND * 3);
    world.network.lost = 100;
    world.offer(0, 1, "lost");
    world.run(SECOND * 5); // Until nobody gossips about it any more.
    world.network = Network::default();
    world.offer(0, 2, "arrives");
    world.run(Duration::from_millis(50));
    assert!(world.knows(1, 0, 2) && !world.knows(1, 0, 1), "v3 arrived, v2 did not");
    world.run(DIGEST_PERIOD * 2);
    assert!(world.knows(1, 0, 1));
}

#[test]
fn what_was_withdrawn_does_not_return_with_who_slept_longer_than_every_bound() {
    for asleep in [SECOND * 30, HEADSTONE_TIME + SECOND * 600] {
        let mut world = World::new(4, 3);
        world.run(SECOND * 3);
        world.offer(0, 1, "words");
        world.run(Duration::from_millis(5)); // The sleeper goes to sleep with news that it was to tell.
        world.run(SECOND);
        assert!(world.knows(3, 0, 1));
        world.set(3, Awake::Paused);
        world.offer(0, 2, "late");
        world.tell_membership();
        world.run(SECOND);
        world.withdraw(0, 1);
        world.run(asleep);
        world.node(0).changes.clear();
        world.node(1).changes.clear();
        world.set(3, Awake::Yes);
        world.tell_membership();
        world.run(SECOND * 2);
        assert!(!world.knows(3, 0, 1) && world.knows(3, 0, 2) && world.knows(0, 3, 0));
        world.run(SECOND * 10);
        assert_eq!(world.assert_same().len(), 5);
        assert_eq!(
            services(&world.node(0).changes),
            "n0",
            "only the sleeper's node record is back"
        );
    }
}

#[test]
fn late_gossip_about_a_withdrawn_record_is_refused_by_all() {
    let mut world = World::new(3, 5);
    world.run(SECOND * 3);
    world.offer(0, 1, "words");
    let stale = world.nodes[&id(0)].registry.owners.of(&id(0)).unwrap();
    let stale = stale.held(RecordKey(1)).unwrap().bytes.clone();
    let mut rumour = vec![message::RUMOURS];
    crate::wire::put_bytes(&mut rumour, &stale);
    world.run(SECOND);
    world.withdraw(0, 1);
    world.run(SECOND * 600);
    for number in [1, 2] {
        let before = world.node(number).registry.stats().known;
        let input = Input::Message { from: id(0), via: Via::Datagram, bytes: &rumour };
        world.input(id(number), input);
        assert!(!world.knows(number, 0, 1));
        assert_eq!(world.node(number).registry.stats().known, before + 1);
    }
}

#[test]
fn two_ends_of_a_lease_do_not_hand_the_records_back_and_forth() {
    let mut world = World::new(3, 2);
    world.offer(2, 1, "words");
    world.run(SECOND * 3);
    world.set(2, Awake::Crashed);
    world.input(id(0), Input::Gone { node: id(2) });
    world.input(id(0), Input::Members(vec![id(1)]));
    world.run(SECOND * 10);
    world.input(id(1), Input::Gone { node: id(2) });
    world.input(id(1), Input::Members(vec![id(0)]));
    world.node(0).changes.clear();
    world.run(SECOND * 6);
    assert!(!world.knows(0, 2, 1) && world.knows(1, 2, 1), "one lease is over, one still runs");
    world.run(LEASE);
    assert!(!world.knows(1, 2, 1));
    assert_eq!(services(&world.node(0).changes), "-1");
}

#[test]
fn a_lease_that_a_peer_has_seen_shrink_shrinks_here() {
    let mut world = World::new(3, 2);
    world.offer(2, 1, "words");
    world.run(SECOND * 3);
    world.set(2, Awake::Crashed);
    world.input(id(0), Input::Gone { node: id(2) });
    world.run(SECOND * 10);
    world.input(id(1), Input::Gone { node: id(2) });
    world.link(id(0), id(1));
    world.ask_sync(id(1), id(0), Filter::All);
    world.run(SECOND * 6);
    assert!(!world.knows(1, 2, 1));
}

#[test]
fn a_node_that_was_gone_is_back_two_seconds_after_it_wakes() {
    for asleep in [SECOND * 5, SECOND * 30] {
        let mut world = World::new(20, 4);
        world.offer(0, 1, "words");
        world.run(SECOND * 5);
        world.set(0, Awake::Paused);
        world.tell_membership();
        let instance = |world: &mut World| {
            let offer = super::samples::offer("words");
            let snapshot = world.node(9).registry.snapshot();
            snapshot.instances(&offer.namespace, &offer.service).first().map(|at| at.state)
        };
        assert_eq!(instance(&mut world), Some(InstanceState::Unreachable));
        world.run(asleep);
        assert_eq!(instance(&mut world).is_some(), asleep < LEASE);
        world.network.lost = 5;
        world.set(0, Awake::Yes);
        world.tell_membership();
        world.run(SECOND * 2);
        assert_eq!(instance(&mut world), Some(InstanceState::Ready));
        assert_eq!(world.assert_same().len(), 21);
    }
}

#[test]
fn a_restart_replaces_all_of_the_life_before_at_once() {
    let mut world = World::new(3, 6);
    world.offer(0, 1, "words");
    world.run(SECOND * 3);
    world.start(0, Epoch(2));
    assert!(!world.knows(1, 0, 1), "as soon as membership says so");
    world.offer(0, 2, "price");
    world.run(SECOND * 2);
    assert!(world.knows(1, 0, 2) && !world.knows(2, 0, 1));
    assert_eq!(world.assert_same().len(), 4);
}

#[test]
fn who_restarts_with_an_epoch_that_is_known_is_told_that_it_runs_elsewhere() {
    for epoch in [Epoch(1), Epoch(0)] {
        let mut world = World::new(3, 6);
        world.offer(0, 1, "words");
        world.run(SECOND * 3);
        world.start(0, epoch);
        world.run(SECOND * 10);
        let fatal = &world.node(0).fatal;
        assert_eq!(
            fatal.iter().map(|status| status.code).collect::<Vec<_>>(),
            [Code::AlreadyExists]
        );
        assert_eq!(world.node(1).registry.epoch_of(&id(0)), Some(Epoch(1)));
    }
}

#[test]
fn an_epoch_raised_before_the_first_announce_carries_the_records_over() {
    let mut world = World::new(1, 6);
    world.offer(0, 1, "words");
    world.input(id(0), Input::Raise { epoch: Epoch(8) });
    world.node(0).epoch = Epoch(8);
    world.start(1, Epoch(1));
    world.run(SECOND * 3);
    assert!(world.knows(1, 0, 1));
    assert_eq!(world.node(1).registry.epoch_of(&id(0)), Some(Epoch(8)));
}

#[test]
fn goodbye_forgets_at_once_and_leaves_a_headstone() {
    let mut world = World::new(3, 6);
    world.offer(0, 1, "words");
    world.run(SECOND * 3);
    world.set(0, Awake::Crashed);
    world.node(1).changes.clear();
    world.input(id(1), Input::Left { node: id(0) });
    assert_eq!(services(&world.node(1).changes), "-1");
    world.input(id(1), Input::Alive { node: id(0), epoch: Epoch(0) });
    world.run(SECOND * 5);
    assert!(!world.knows(1, 0, 1), "node 2 still has it, and does not give it back");
    assert_eq!(world.node(1).registry.epoch_of(&id(0)), Some(Epoch(1)));
}

#[test]
fn a_member_with_many_offers_is_learnt_over_datagrams() {
    let mut world = World::new(2, 8);
    world.network = Network { mute: true, lost: 5, ..Network::default() };
    for key in 1..=1_024 {
        world.offer(0, key, &format!("s{key}"));
    }
    world.offer(0, 2_000, "one-too-many");
    let refused = &world.node(0).refused;
    assert_eq!(refused[0].0, RecordKey(2_000));
    assert_eq!(
        refused[0].1.to_string(),
        "RESOURCE_EXHAUSTED: a node has at most 1024 offers and services"
    );
    world.run(SECOND * 60);
    assert_eq!(world.assert_same().len(), 1_024 + 2);
}

#[test]
fn withdrawing_a_lot_leaves_no_more_tombstones_than_keys_were_used() {
    let mut world = World::new(2, 8);
    world.run(SECOND);
    for round in 1..=2_000 {
        world.offer(0, 1 + round % 3, "words");
        world.withdraw(0, 1 + round % 3);
        if round % 100 == 0 {
            world.run(SECOND);
        }
    }
    world.run(SECOND * 20);
    assert_eq!(world.assert_same().len(), 2);
    for number in [0, 1] {
        assert_eq!(world.node(number).registry.owners.of(&id(0)).unwrap().len(), 1 + 3);
    }
}

#[test]
fn a_key_more_than_a_life_may_use_is_refused_and_a_used_one_is_not() {
    let mut world = World::new(1, 8);
    let all = u32::try_from(OFFERS_MAX).unwrap();
    for key in 1..=all {
        world.offer(0, key, "words");
        world.withdraw(0, key);
    }
    world.offer(0, all + 1, "words");
    world.offer(0, all, "words");
    let refused = &world.node(0).refused;
    assert_eq!(refused.iter().map(|(key, _)| *key).collect::<Vec<_>>(), [RecordKey(all + 1)]);
    assert_eq!(
        refused[0].1.to_string(),
        "RESOURCE_EXHAUSTED: a node uses at most 1024 keys in one life: use those of withdrawn offers again"
    );
    assert!(world.knows(0, 0, all));
}

#[test]
fn a_member_that_joins_learns_all_over_its_first_link() {
    let mut world = World::new(10, 9);
    (0..10).for_each(|number| (1..20).for_each(|key| world.offer(number, key, "words")));
    world.run(SECOND * 5);
    world.network.lost = 100;
    world.start(10, Epoch(1));
    world.link(id(0), id(10));
    world.input(id(0), Input::SyncAsked { to: id(10), filter: Filter::All, follow: false });
    world.run(Duration::from_millis(100));
    assert_eq!(world.node(10).registry.records().count(), 10 * 20 + 1);
    assert_eq!(world.node(10).synced, 1);
    assert!(world.node(10).registry.snapshot().synced);
}

#[test]
fn a_stranger_is_not_heard_and_the_unknown_is_counted() {
    let mut world = World::new(2, 1);
    let send = |world: &mut World, from, bytes: &[u8]| {
        world.input(id(0), Input::Message { from, via: Via::Datagram, bytes });
        world.node(0).registry.stats()
    };
    assert_eq!(send(&mut world, id(77), &[message::END]).stranger, 1);
    assert_eq!(send(&mut world, id(1), &[200]).unknown, 1);
    assert_eq!(send(&mut world, id(1), &[]).malformed, 1);
    assert_eq!(send(&mut world, id(1), &[message::RUMOURS, 2, 9, 0]).unknown, 2);
}

#[test]
fn unreachable_instances_are_marked_until_they_can_be_reached() {
    let mut world = World::new(2, 1);
    world.offer(1, 1, "words");
    world.run(SECOND);
    let offer = super::samples::offer("words");
    for (reach, state) in
        [(Reach::Unreachable, InstanceState::Unreachable), (Reach::Reachable, InstanceState::Ready)]
    {
        world.input(id(0), Input::Reached { node: id(1), reach });
        let snapshot = world.node(0).registry.snapshot();
        assert_eq!(snapshot.instances(&offer.namespace, &offer.service)[0].state, state);
    }
}

#[test]
fn at_rest_a_pair_compares_and_says_nothing_else() {
    let mut world = World::new(2, 1);
    world.run(SECOND * 10);
    let before = world.sent;
    world.run(DIGEST_PERIOD * 10);
    assert_eq!(world.sent - before, 20, "one summary each and period");
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

    #[test]
    fn no_bytes_from_a_peer_make_a_registry_panic_or_grow(
        messages in vec((0_u8..16, vec(any::<u8>(), 0..80)), 0..40),
        visitor: bool,
    ) {
        let mut world = World::new(2, 1);
        world.offer(1, 1, "words");
        world.run(SECOND * 3);
        if visitor {
            world.add_visitor(0);
            world.link(id(0), id(1));
        }
        for (kind, rest) in messages {
            // Half of them about owners that are known, so that they get further.
            let about = id(kind % 2);
            let bytes = match kind {
                message::INDEXES => [&[kind, 0], about.as_bytes().as_slice(), &rest].concat(),
                message::WANT | message::LIVES => [&[kind], about.as_bytes().as_slice(), &rest].concat(),
                _ => [&[kind], rest.as_slice()].concat(),
            };
            world.input(id(0), Input::Message { from: id(1), via: Via::Datagram, bytes: &bytes });
        }
        world.run(SECOND * 20);
        prop_assert!(world.node(0).registry.owners.iter().count() <= 42);
    }

    #[test]
    fn damaged_messages_of_others_are_harmless(
        damage in vec((any::<prop::sample::Index>(), any::<u8>()), 1..60),
        seed: u64,
    ) {
        let mut world = World::new(4, seed);
        (0..4).for_each(|number| world.offer(number, 1, "words"));
        for (at, byte) in damage {
            world.run(Duration::from_millis(30));
            if let Some((_, (_, _, _, bytes))) = world.flying.iter_mut().next() {
                let at = at.index(bytes.len());
                bytes[at] = byte;
            }
        }
        // Without signatures a false claim about a node's own records may stop it; nothing else is affected.
        world.run(SECOND * 10);
    }
}
