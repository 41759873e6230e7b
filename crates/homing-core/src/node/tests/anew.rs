//! What becomes of a node that starts in a life before its last?

use super::*;

/// Node 2 crashes in its ninth life, and after `pause` starts again in its second, telling member 0.
fn restored(pause: Duration) -> (World, usize) {
    let mut world = World::members(3, 15);
    let ninth = start(&mut world, Epoch(9));
    world.offer(ninth, "words");
    world.run(seconds(2));
    world.crash(ninth);
    world.run(pause);
    let again = start(&mut world, Epoch(2));
    world.offer(again, "price");
    world.run(seconds(4));
    (world, again)
}

/// One more process with the id 9, in this life.
fn start(world: &mut World, epoch: Epoch) -> usize {
    let number = world.add(Kind::Member, *b"the-mesh");
    let mut config = world.seats[number].node.config.clone();
    config.me = About { epoch, id: id(9), ..config.me };
    world.seats[number].about = config.me.clone();
    world.seats[number].node =
        Node::new(world.now, config, Rng::from_seed(1), Arc::new(Fake::PLAIN));
    world.input(number, Input::Listening { addresses: vec![tcp(number)] });
    world.suggest(number, 0);
    number
}

#[test]
fn a_node_that_lost_its_last_life_rises_above_it() {
    for pause in [seconds(8), seconds(60)] {
        let (world, again) = restored(pause);
        assert_eq!(world.seats[again].ended, None, "{pause:?}");
        assert_eq!(world.seats[again].about.epoch, Epoch(10), "{pause:?}");
        for number in [0, 1, again] {
            assert_eq!(world.serving(number, "price"), [id(9)], "node {number} after {pause:?}");
            assert_eq!(world.serving(number, "words"), [], "node {number} after {pause:?}");
        }
    }
}

#[test]
fn a_node_whose_later_life_is_alive_elsewhere_stops() {
    let mut world = World::members(3, 15);
    let ninth = start(&mut world, Epoch(9));
    world.offer(ninth, "words");
    world.run(seconds(2));
    let copy = start(&mut world, Epoch(2));
    world.run(seconds(2));
    let ended = world.seats[copy].ended.clone().expect("it stopped");
    assert!(ended.starts_with("ALREADY_EXISTS: this identity runs elsewhere (tcp://"), "{ended}");
    assert_eq!(world.seats[ninth].ended, None);
    assert_eq!(world.serving(0, "words"), [id(9)]);
}
