//! Does the program get the links it asks for, and do they stay for as long as it keeps them?

use super::*;

const ONE: ConnectId = ConnectId(1);

/// Two members that nobody told of each other.
fn strangers(seed: u64) -> World {
    let mut world = World::new(seed);
    (0..2).for_each(|_| {
        world.add(Kind::Member, "the-mesh");
    });
    // Their first scouts are lost, and it is some seconds until the next.
    world.cut_before = 1;
    world.run(seconds(4));
    world.cut_before = 0;
    world
}

fn connect(world: &mut World, from: usize, addresses: Vec<TransportAddr>) {
    world.input(from, Input::Connect { connect: ONE, addresses });
}

fn keep(world: &mut World, from: usize, whom: usize, wish: Wish) {
    world.input(from, Input::Keep { node: id(whom), wish });
}

fn kept(world: &World, at: usize, whom: usize) -> Option<Kept> {
    let peer = world.seats[at].node.peers().find(|peer| peer.node == id(whom));
    peer.filter(|peer| peer.link.is_some()).map(|peer| peer.kept)
}

/// Closes the one link of two for being idle, at both ends; how many are left.
fn idle(world: &mut World) -> usize {
    let link = LinkId(world.links_between(0, 1)[0]);
    (0..2).for_each(|number| world.input(number, Input::Idle { link }));
    world.run(seconds(1));
    world.links_between(0, 1).len()
}

/// How many links of a node rose since then.
fn ups(world: &World, at: usize, since: Time) -> usize {
    let is_up = |event: &NodeEvent| matches!(event, NodeEvent::LinkUp { .. });
    let later = world.seats[at].events.iter().filter(|(time, _)| *time >= since);
    later.filter(|(_, event)| is_up(event)).count()
}

#[test]
fn whoever_is_at_an_address_is_linked_kept_and_named() {
    let mut world = strangers(1);
    connect(&mut world, 0, vec![tcp(1)]);
    world.run(millis(10));
    assert_eq!(world.seats[0].connected, [(ONE, Ok(id(1)))]);
    assert_eq!((kept(&world, 0, 1), kept(&world, 1, 0)), (Some(Kept::Here), Some(Kept::There)));
    let found = world.seats[0].node.peers().next().map(|peer| (peer.found, peer.address));
    assert_eq!(found, Some((Source::Manual, Some(tcp(1)))));
    assert_eq!(idle(&mut world), 1, "kept");
}

#[test]
fn who_is_connected_to_again_keeps_the_link_it_has() {
    let mut world = strangers(2);
    for _ in 0..3 {
        connect(&mut world, 0, vec![tcp(1)]);
        world.run(millis(10));
    }
    assert_eq!(world.seats[0].connected, [(ONE, Ok(id(1))), (ONE, Ok(id(1))), (ONE, Ok(id(1)))]);
    assert_eq!(ups(&world, 0, Time::ZERO), 1);
}

#[test]
fn both_that_connect_at_once_keep_one_link() {
    for seed in 0..100 {
        let mut world = strangers(seed);
        world.jitter = millis(20);
        (0..2).for_each(|number| connect(&mut world, number, vec![tcp(1 - number)]));
        world.run(seconds(1));
        assert_eq!(world.links_between(0, 1).len(), 1, "seed {seed}");
        for number in 0..2 {
            assert_eq!(world.seats[number].connected, [(ONE, Ok(id(1 - number)))]);
            assert_eq!(kept(&world, number, 1 - number), Some(Kept::Both), "seed {seed}");
        }
    }
}

#[test]
fn an_address_where_nobody_is_is_tried_once_and_named() {
    let mut world = strangers(3);
    connect(&mut world, 0, vec![tcp(7), tcp(8)]);
    world.run(millis(100));
    let tried = vec![(tcp(7), "refused".to_owned()), (tcp(8), "refused".to_owned())];
    let outcome = Err(NotConnected::Unreachable(tried));
    assert_eq!(world.seats[0].connected, [(ONE, outcome)]);
    world.seats[1].address = socket(7);
    world.run(seconds(1));
    assert!(world.wires.is_empty(), "and not again");
}

#[test]
fn who_connects_to_itself_or_to_nowhere_is_told_so() {
    let mut world = strangers(4);
    connect(&mut world, 0, vec![tcp(0)]);
    world.run(millis(10));
    connect(&mut world, 0, vec![]);
    let outcomes = world.seats[0].connected.iter().map(|(_, outcome)| match outcome {
        Err(NotConnected::Refused(status)) => status.code,
        other => panic!("{other:?}"),
    });
    let codes: Vec<_> = outcomes.collect();
    assert_eq!(codes, [Code::FailedPrecondition, Code::InvalidArgument]);
    assert!(!world.seats[0].node.is_kept(&id(0)));
}

#[test]
fn who_keeps_dials_again_when_the_other_disconnects() {
    for keepers in [vec![0], vec![1], vec![0, 1], vec![]] {
        let mut world = World::members(2, 5);
        world.run(seconds(1));
        for keeper in &keepers {
            keep(&mut world, *keeper, 1 - keeper, Wish::Keep);
        }
        world.run(seconds(1));
        let since = world.now;
        world.input(0, Input::Disconnect { node: id(1) });
        world.run(seconds(1));
        assert!(!world.seats[0].node.is_kept(&id(1)), "it gave that up");
        let stands = keepers.contains(&1);
        assert_eq!(world.links_between(0, 1).len(), usize::from(stands), "{keepers:?}");
        assert_eq!(ups(&world, 1, since), usize::from(stands), "{keepers:?}");
        let there = stands.then_some(Kept::There);
        assert_eq!(kept(&world, 0, 1), there, "{keepers:?}");
    }
}

#[test]
fn who_does_not_keep_leaves_it_to_who_does_to_dial_a_broken_link_again() {
    for keeper in 0..2 {
        let mut world = World::members(2, 6);
        world.run(seconds(1));
        keep(&mut world, keeper, 1 - keeper, Wish::Keep);
        world.run(seconds(1));
        let link = world.links_between(0, 1)[0];
        world.cut(link, Code::Ok);
        world.run(millis(10));
        let dialled = world.seats[keeper].node.peers().next().and_then(|peer| peer.direction);
        assert_eq!(dialled, Some(Direction::Dialled));
        assert_eq!(kept(&world, 1 - keeper, keeper), Some(Kept::There), "it was told again");
    }
}

#[test]
fn both_that_keep_dial_a_broken_link_and_one_stays() {
    for seed in 0..100 {
        let mut world = World::members(2, seed);
        world.jitter = millis(20);
        world.run(seconds(1));
        (0..2).for_each(|number| keep(&mut world, number, 1 - number, Wish::Keep));
        world.run(seconds(1));
        let link = world.links_between(0, 1)[0];
        world.cut(link, Code::Unavailable);
        world.run(seconds(1));
        let links = world.links_between(0, 1);
        assert_eq!(links.len(), 1, "seed {seed}");
        assert_eq!(kept(&world, 0, 1), Some(Kept::Both), "seed {seed}");
        assert_eq!(kept(&world, 1, 0), Some(Kept::Both), "seed {seed}");
    }
}

#[test]
fn a_kept_node_that_is_gone_is_dialled_until_it_is_back() {
    let mut world = strangers(7);
    connect(&mut world, 0, vec![tcp(1)]);
    world.run(seconds(1));
    world.split(1);
    world.run(seconds(30));
    assert!(world.seats[0].node.members().next().is_none(), "held gone");
    // Only links get through: membership alone would not find it.
    world.cut_before = 0;
    world.lost_percent = 100;
    world.run(seconds(6));
    assert_eq!(kept(&world, 0, 1), Some(Kept::Here));
}

#[test]
fn pauses_between_dials_of_a_kept_node_grow_to_five_seconds() {
    let mut world = strangers(8);
    connect(&mut world, 0, vec![tcp(1)]);
    world.run(seconds(1));
    world.undialled = Some(1);
    let link = world.links_between(0, 1)[0];
    world.cut(link, Code::Ok);
    let mut dials = Vec::new();
    for _ in 0..60_000 {
        world.run(millis(1));
        let number = world.seats[0].node.dials.next_number();
        if dials.last().is_none_or(|(_, last)| *last + 1 < number) {
            dials.push((world.now, number));
        } else if let Some((_, last)) = dials.last_mut() {
            *last = number;
        }
    }
    let pauses: Vec<_> = dials.windows(2).map(|pair| pair[1].0.since(pair[0].0)).collect();
    assert!(pauses.len() > 10 && pauses[0] < millis(200), "{pauses:?}");
    assert!(pauses.iter().all(|pause| *pause <= millis(5_010)), "{pauses:?}");
    assert!(pauses[8..].iter().all(|pause| *pause >= millis(2_490)), "{pauses:?}");
}

#[test]
fn a_node_that_is_kept_no_longer_is_still_dialled_for_who_calls_it() {
    let mut world = World::members(2, 9);
    world.run(seconds(1));
    keep(&mut world, 0, 1, Wish::Keep);
    world.undialled = Some(1);
    let link = world.links_between(0, 1)[0];
    world.cut(link, Code::Ok);
    world.run(seconds(2));
    keep(&mut world, 0, 1, Wish::Release);
    world.undialled = None;
    world.run(seconds(10));
    assert!(world.links_between(0, 1).is_empty(), "nobody wants it");
    world.input(0, Input::Want { node: id(1) });
    world.run(millis(100));
    assert_eq!(world.links_between(0, 1).len(), 1);
}

#[test]
fn what_was_kept_is_kept_in_the_next_life_too() {
    let mut world = World::members(2, 10);
    world.run(seconds(1));
    keep(&mut world, 0, 1, Wish::Keep);
    connect(&mut world, 0, vec![tcp(9)]);
    let now = world.now;
    world.seats[0].about.epoch = Epoch(9);
    world.seats[0].node.begin_anew(now, Epoch(9));
    world.collect(0);
    world.run(seconds(2));
    let refused = &world.seats[0].connected;
    assert!(matches!(refused[..], [(ONE, Err(NotConnected::Refused(_)))]), "{refused:?}");
    assert_eq!(kept(&world, 0, 1), Some(Kept::Here));
}

#[test]
fn nobody_keeps_more_than_may_be_kept_nor_itself() {
    let mut world = strangers(11);
    keep(&mut world, 0, 0, Wish::Keep);
    assert!(!world.seats[0].node.is_kept(&id(0)));
    let nobody = |number: usize| {
        let mut bytes = [9; 16];
        bytes[..8].copy_from_slice(&number.to_be_bytes());
        NodeId::from_bytes(bytes)
    };
    for number in 0..=KEPT_MAX {
        world.input(0, Input::Keep { node: nobody(number), wish: Wish::Keep });
        assert_eq!(world.seats[0].node.is_kept(&nobody(number)), number < KEPT_MAX);
    }
    connect(&mut world, 0, vec![tcp(1)]);
    let refused = &world.seats[0].connected;
    assert!(matches!(refused[..], [(ONE, Err(NotConnected::Refused(_)))]), "{refused:?}");
}
