//! Do nodes know who listens, and when all do?

use super::*;
use crate::registry::{InterestRecord, Lane, Slow};

fn interest(patterns: &[&str]) -> Arc<InterestRecord> {
    let patterns = patterns.iter().map(|text| text.parse().unwrap()).collect::<Vec<_>>();
    let namespace = "default".parse().unwrap();
    let lane = Lane { id: 1, namespace, group: None, slow: Slow::DropOldest, patterns };
    Arc::new(InterestRecord { lanes: vec![lane] })
}

fn declared(pattern: &str) -> Arc<DeclaredRecord> {
    let topics = vec![("default".parse().unwrap(), pattern.parse().unwrap())];
    Arc::new(DeclaredRecord { topics })
}

/// Who listens, as `number` sees it.
fn listeners(world: &World, number: usize) -> Vec<NodeId> {
    world.seats[number].snapshot.listeners().iter().map(|listener| listener.node).collect()
}

fn spread(world: &mut World, number: usize, within: Duration) {
    let (key, until) = (RecordKey::INTEREST, world.now + within);
    world.input(number, Input::Spread { token: 5, key, until });
}

#[test]
fn a_node_that_listens_is_known_to_all_when_all_confirmed() {
    let mut world = World::members(20, 1);
    world.lost_percent = 10;
    world.run(seconds(5));
    world.input(3, Input::Interest(interest(&["a.*"])));
    world.input(4, Input::Declare(declared("a.b")));
    spread(&mut world, 3, seconds(5));
    while world.seats[3].spread.is_empty() {
        world.run(Duration::from_micros(100));
    }
    assert_eq!(world.seats[3].spread, [(5, 19, 19)]);
    for number in 0..20 {
        assert_eq!(listeners(&world, number), [id(3)], "node {number}");
    }
    world.run(seconds(3));
    let publishers = world.seats[7].snapshot.publishers();
    assert_eq!(publishers.iter().map(|publisher| publisher.node).collect::<Vec<_>>(), [id(4)]);
    world.input(3, Input::Interest(Arc::default()));
    world.run(seconds(3));
    assert_eq!(listeners(&world, 7), []);
}

#[test]
fn what_a_visitor_listens_to_is_refused_to_it() {
    let mut world = World::members(1, 2);
    let visitor = world.add(Kind::Visitor, "the-mesh");
    world.suggest(visitor, 0);
    world.run(millis(100));
    world.input(visitor, Input::Interest(interest(&["a"])));
    let why = "FAILED_PRECONDITION: a visitor offers and wants nothing, and registers only what lasts: join as a member";
    assert_eq!(world.seats[visitor].ended.as_deref(), Some(why));
}

#[test]
fn a_later_life_listens_on_and_gives_up_what_was_asked() {
    let mut world = World::members(2, 3);
    world.run(seconds(3));
    world.input(0, Input::Interest(interest(&["a"])));
    world.crash(1);
    spread(&mut world, 0, seconds(2));
    let (now, epoch) = (world.now, Epoch(9));
    world.seats[0].about.epoch = epoch;
    world.seats[0].node.begin_anew(now, epoch);
    world.collect(0);
    assert_eq!(world.seats[0].spread, [(5, 0, 1)]);
    world.run(seconds(1));
    let listeners = world.seats[0].snapshot.listeners();
    let found = listeners.iter().map(|listener| (listener.node, listener.epoch));
    assert_eq!(found.collect::<Vec<_>>(), [(id(0), epoch)]);
}
