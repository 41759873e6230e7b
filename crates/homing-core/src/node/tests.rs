//! Do nodes find each other, link once, and rest?

mod anew;
mod census;
mod faults;
mod kept;
mod lives;
mod registered;
mod topics;
mod visitors;
mod world;

use super::control::Control;
use super::*;
use crate::crypto::KeyId;
use crate::crypto::fake::Fake;
use crate::id::Epoch;
use crate::limits::{KEPT_MAX, LEASE, NEWCOMER_TIME, SUSPICION};
use crate::registry::{
    DeclaredRecord, Filter, Guard, InstanceState, OfferRecord, OfferState, Snapshot,
};
use crate::talk::{Code, Status};
use crate::wire::datagram::{Header, seal};
use crate::wire::{DatagramKind, DialClaim, Peer as About};
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::Duration;
use world::{DELAY, Running, World, id, millis, seconds, socket, tcp};

#[test]
fn nodes_find_each_other_from_one_suggestion_each() {
    for (count, lost) in [(2, 0), (5, 5), (20, 5)] {
        let mut world = World::members(count, 1);
        world.lost_percent = lost;
        (0..count).for_each(|number| world.offer(number, "words"));
        world.run(seconds(5));
        world.all_know_all();
        (0..count).for_each(|number| assert_eq!(world.serving(number, "words").len(), count));
    }
}

#[test]
fn a_newcomer_knows_all_within_a_quarter_of_a_second() {
    let mut world = World::members(10, 2);
    (0..10).for_each(|number| world.offer(number, "words"));
    world.run(seconds(5));
    let new = world.add(Kind::Member, "the-mesh");
    world.suggest(new, 4);
    world.run(millis(250));
    assert!(world.seats[new].snapshot.synced);
    assert_eq!(world.serving(new, "words").len(), 10);
    world.run(seconds(1));
    world.all_know_all();
}

#[test]
fn who_just_joined_is_told_over_its_link_who_comes_after_it() {
    let mut world = World::members(3, 2);
    world.run(millis(300));
    world.lost_percent = 100;
    let later = world.add(Kind::Member, "the-mesh");
    world.suggest(later, 0);
    world.run(millis(300));
    for number in [0, 1, 2] {
        let members: Vec<NodeId> = world.seats[number].node.members().collect();
        assert!(members.contains(&id(later)), "node {number} knows {members:?}");
    }
}

#[test]
fn who_joined_long_ago_is_left_to_gossip() {
    let mut world = World::members(3, 2);
    world.run(NEWCOMER_TIME + seconds(1));
    world.lost_percent = 100;
    let later = world.add(Kind::Member, "the-mesh");
    world.suggest(later, 0);
    world.run(millis(300));
    let knows = |number: usize| world.seats[number].node.members().any(|one| one == id(later));
    assert_eq!((knows(0), knows(1)), (true, false));
}

#[test]
fn scouting_alone_is_enough_and_does_not_make_everybody_dial() {
    let mut world = World::new(3);
    (0..20).for_each(|_| {
        world.add(Kind::Member, "the-mesh");
    });
    world.run(seconds(5));
    world.all_know_all();
    let before = world.wires.len();
    world.add(Kind::Member, "the-mesh");
    world.run(seconds(3));
    world.all_know_all();
    let links = world.wires.len() - before;
    assert!(links <= 10, "{links} links to the newcomer");
}

#[test]
fn crossing_dials_leave_one_link_which_both_sides_use() {
    for seed in 0..1_000 {
        let mut world = World::new(seed);
        (0..2).for_each(|_| {
            world.add(Kind::Member, "the-mesh");
        });
        world.jitter = millis(40);
        world.suggest(0, 1);
        world.suggest(1, 0);
        world.run(seconds(1));
        let links = world.links_between(0, 1);
        assert_eq!(links.len(), 1, "seed {seed}");
        let route = |number: usize, peer| world.seats[number].node.route(&id(peer));
        assert_eq!(
            (route(0, 1), route(1, 0)),
            (Some(LinkId(links[0])), Some(LinkId(links[0]))),
            "seed {seed}"
        );
        assert_eq!(world.seats[0].routes.get(&id(1)), Some(&LinkId(links[0])));
    }
}

#[test]
fn nodes_of_another_mesh_never_link() {
    let mut world = World::new(9);
    world.add(Kind::Member, "one-mesh");
    world.add(Kind::Member, "two-mesh");
    world.suggest(0, 1);
    world.run(seconds(10));
    assert!(world.wires.is_empty());
    assert!(world.seats[0].node.stats().foreign > 0);
    assert!(world.seats.iter().all(|seat| seat.snapshot.synced), "each is alone");
}

#[test]
fn a_lone_node_knows_after_a_second_that_it_is_alone() {
    let mut world = World::new(10);
    world.add(Kind::Member, "the-mesh");
    world.run(millis(900));
    assert!(!world.seats[0].snapshot.synced);
    world.run(millis(200));
    assert!(world.seats[0].snapshot.synced);
}

#[test]
fn an_idle_pair_wakes_at_most_eight_times_a_second() {
    let mut world = World::members(2, 11);
    world.run(seconds(20));
    world.seats.iter_mut().for_each(|seat| seat.wakes = 0);
    world.run(seconds(20));
    for seat in &world.seats {
        assert!(seat.wakes <= 150, "{} wakes in 20 s", seat.wakes);
    }
}

#[test]
fn an_idle_link_closes_unless_somebody_at_either_end_keeps_it() {
    let mut world = World::members(2, 12);
    world.run(seconds(1));
    world.input(0, Input::Keep { node: id(1), wish: Wish::Keep });
    world.run(seconds(1));
    let idle = |world: &mut World| {
        let link = world.links_between(0, 1)[0];
        (0..2).for_each(|number| world.input(number, Input::Idle { link: LinkId(link) }));
        world.run(seconds(1));
        world.links_between(0, 1).len()
    };
    assert_eq!(idle(&mut world), 1, "kept");
    world.input(0, Input::Keep { node: id(1), wish: Wish::Release });
    world.run(seconds(1));
    assert_eq!(idle(&mut world), 0, "released");
    world.offer(1, "words");
    world.run(seconds(3));
    assert_eq!(world.serving(0, "words"), [id(1)], "without a link it can be called all the same");
    world.input(0, Input::Want { node: id(1) });
    world.run(millis(100));
    assert_eq!(world.links_between(0, 1).len(), 1, "wanted");
}

#[test]
fn a_kept_link_is_redialled_until_it_stands() {
    let mut world = World::members(2, 13);
    world.run(seconds(1));
    world.input(0, Input::Keep { node: id(1), wish: Wish::Keep });
    world.run(seconds(1));
    world.seats[1].address = socket(99);
    let link = world.links_between(0, 1)[0];
    world.cut(link, Code::Unavailable);
    world.run(seconds(3));
    world.seats[1].address = socket(1);
    world.run(seconds(8));
    assert_eq!(world.links_between(0, 1).len(), 1);
}

#[test]
fn no_bytes_and_no_order_of_inputs_make_a_node_panic() {
    let mut world = World::members(3, 16);
    world.run(seconds(1));
    let mut rng = Rng::from_seed(4);
    let link = world.links_between(0, 1)[0];
    let kinds = [
        DatagramKind::Scout,
        DatagramKind::Membership,
        DatagramKind::Registry,
        DatagramKind::Goodbye,
        DatagramKind::Nonce,
        DatagramKind::Superseded,
        DatagramKind::Census,
    ];
    for round in 1..5_000 {
        let mut bytes: Vec<u8> =
            (0..rng.below(120)).map(|_| u8::try_from(rng.below(256)).unwrap()).collect();
        if let Some(kind) = bytes.first_mut().filter(|_| round % 2 == 0) {
            *kind = [1, 2, 3, 4, 5, 6, 7, 8, 9, 0x81, 0x82, 0x84, 0x85][rng.index(13)];
        }
        world.input(0, Input::Control { link: LinkId(link), bytes: &bytes });
        let header = Header {
            kind: kinds[rng.index(kinds.len())],
            key: KeyId::NONE,
            sender: id(9),
            receiver: Some(id(0)),
            epoch: Epoch(1),
            counter: round,
            nonce: world.seats[0].node.sealer.nonce(),
        };
        let mut datagram = seal(&header, &bytes, &Fake::PLAIN).unwrap();
        let from = socket(1);
        world.input(0, Input::Datagram { from, bytes: &mut datagram, source: Source::Broadcast });
        world.input(0, Input::Datagram { from, bytes: &mut bytes, source: Source::Broadcast });
        world.input(
            0,
            Input::Lost { link: LinkId(rng.below(9)), status: Status::new(Code::Ok, "") },
        );
        world.input(0, Input::DialFailed { dial: DialId(rng.below(9)), tried: vec![] });
        world.input(0, Input::Idle { link: LinkId(rng.below(9)) });
        world.input(0, Input::Want { node: id(usize::try_from(rng.below(9)).unwrap()) });
    }
    world.run(seconds(10));
    assert!(SUSPICION < seconds(10));
}
