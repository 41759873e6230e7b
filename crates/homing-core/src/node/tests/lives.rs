//! Is a later life of a node told from the one before?

use super::*;

#[test]
fn a_second_process_with_our_identity_is_fatal_for_the_older() {
    let mut world = World::members(3, 14);
    world.run(seconds(2));
    let twin = world.add_life(2, Epoch(9));
    world.suggest(twin, 0);
    world.run(seconds(3));
    let ended = world.seats[2].ended.clone().expect("it stopped");
    assert!(ended.starts_with("ALREADY_EXISTS: this identity runs elsewhere"), "{ended}");
}

#[test]
fn a_restart_with_a_later_epoch_replaces_the_life_before() {
    let mut world = World::members(3, 15);
    (0..3).for_each(|number| world.offer(number, "words"));
    world.run(seconds(2));
    world.crash(2);
    let again = world.add_life(2, Epoch(2));
    world.suggest(again, 0);
    world.offer(again, "price");
    world.run(seconds(2));
    for number in [0, 1, again] {
        assert_eq!(world.serving(number, "price"), [id(2)], "node {number}");
        assert_eq!(world.serving(number, "words").len(), 2, "node {number}");
    }
}

#[test]
fn a_goodbye_of_the_life_before_says_nothing_of_the_one_that_is() {
    let mut world = World::members(3, 15);
    world.run(seconds(2));
    world.input(0, Input::Want { node: id(2) });
    world.run(seconds(1));
    let old = LinkId(world.links_between(0, 2)[0]);
    // Its host dies: nobody ends its links, and what it said last is still on its way.
    world.seats[2].state = Running::Crashed;
    let again = world.add_life(2, Epoch(2));
    world.suggest(again, 1);
    world.offer(again, "price");
    world.run(seconds(2));
    assert_eq!(world.serving(0, "price"), [id(2)]);
    world.input(0, Input::Control { link: old, bytes: &Control::Goodbye.encode() });
    world.run(seconds(1));
    assert_eq!(world.serving(0, "price"), [id(2)]);
}

#[test]
fn who_wakes_from_a_long_sleep_tells_newcomers_of_nobody_who_died_meanwhile() {
    let mut world = World::members(16, 16);
    world.run(seconds(3));
    world.pause(0);
    (4..8).for_each(|number| world.crash(number));
    world.run(seconds(30));
    world.wake(0);
    let newcomer = world.add(Kind::Member, "the-mesh");
    world.suggest(newcomer, 0);
    world.run(seconds(5));
    world.all_know_all();
}
