//! What do the others notice when nodes crash, stand still, are cut off, are replaced, or leave?

use super::*;

#[test]
fn one_side_that_saw_its_link_break_replaces_it() {
    for seed in 0..200 {
        let mut world = World::members(2, seed);
        world.run(seconds(1));
        let old = world.links_between(0, 1)[0];
        // Only one side notices.
        let side = usize::try_from(seed % 2).unwrap();
        world.input(
            side,
            Input::Lost { link: LinkId(old), status: Status::new(Code::Unavailable, "reset") },
        );
        world.run(seconds(1));
        let links = world.links_between(0, 1);
        assert_eq!(links.len(), 1, "seed {seed}");
        assert_ne!(links[0], old);
        for (number, peer) in [(0, 1), (1, 0)] {
            assert_eq!(
                world.seats[number].node.route(&id(peer)),
                Some(LinkId(links[0])),
                "seed {seed}"
            );
        }
    }
}

#[test]
fn a_crash_is_out_of_the_choice_at_once_and_gone_within_four_seconds() {
    let mut world = World::members(8, 4);
    (0..8).for_each(|number| world.offer(number, "words"));
    world.run(seconds(5));
    world.input(0, Input::Want { node: id(7) });
    world.run(millis(100));
    world.crash(7);
    world.run(millis(20));
    assert_eq!(world.serving(0, "words").len(), 7, "the link broke");
    world.run(seconds(4));
    (0..7).for_each(|number| assert_eq!(world.serving(number, "words").len(), 7));
    let left =
        |event: &NodeEvent| matches!(event, NodeEvent::NodeLeft { how: Departure::Silence, .. });
    assert!(world.seats[3].events.iter().any(|(_, event)| left(event)));
}

#[test]
fn a_node_paused_for_thirty_seconds_is_out_in_four_and_back_in_two() {
    for seed in 0..20 {
        let mut world = World::members(8, seed);
        (0..8).for_each(|number| world.offer(number, "words"));
        world.run(seconds(5));
        world.pause(5);
        world.run(seconds(4));
        assert_eq!(world.serving(0, "words").len(), 7, "seed {seed}");
        world.run(seconds(26));
        world.wake(5);
        world.run(seconds(2));
        (0..8).for_each(|number| {
            assert_eq!(world.serving(number, "words").len(), 8, "seed {seed}, node {number}");
        });
        world.run(seconds(3));
        world.all_know_all();
    }
}

#[test]
fn a_node_that_wakes_learns_within_five_seconds_who_died_while_it_slept() {
    for seed in 0..20 {
        let mut world = World::members(12, seed);
        world.run(seconds(5));
        world.pause(5);
        world.run(seconds(1));
        world.crash(7);
        world.run(seconds(14));
        world.wake(5);
        world.run(seconds(5));
        world.all_know_all();
    }
}

#[test]
fn who_could_not_be_reached_once_is_tried_until_it_is() {
    let mut world = World::members(4, 3);
    (0..4).for_each(|number| world.offer(number, "words"));
    world.run(seconds(5));
    // Only links are cut off: datagrams pass, so nobody holds it gone.
    for wire in world.links_between(0, 3) {
        world.cut(wire, Code::Ok);
    }
    world.undialled = Some(3);
    world.run(millis(10));
    world.input(0, Input::Want { node: id(3) });
    world.run(seconds(8));
    assert_eq!(world.serving(0, "words").len(), 3);
    world.undialled = None;
    world.run(seconds(6));
    assert_eq!(world.serving(0, "words").len(), 4);
}

#[test]
fn a_cut_mesh_is_whole_five_seconds_after_the_cut_ends() {
    for seed in 0..20 {
        for (count, cut) in [(2, 10), (6, 10), (6, 30), (16, 20)] {
            let mut world = World::members(count, seed);
            (0..count).for_each(|number| world.offer(number, "words"));
            world.run(seconds(5));
            world.split(count / 2);
            world.run(seconds(cut));
            assert_eq!(world.serving(0, "words").len(), count / 2);
            world.offer(0, "price");
            world.split(0);
            world.run(seconds(5));
            world.all_know_all();
            for number in 0..count {
                assert_eq!(
                    world.serving(number, "words").len(),
                    count,
                    "seed {seed}, node {number} of {count}"
                );
                assert_eq!(
                    world.serving(number, "price"),
                    [id(0)],
                    "seed {seed}, node {number} of {count}"
                );
            }
        }
    }
}

#[test]
fn another_node_at_the_address_of_one_that_died_disturbs_nobody() {
    let mut world = World::members(5, 6);
    (0..5).for_each(|number| world.offer(number, "words"));
    world.run(seconds(5));
    world.crash(4);
    let new = world.add(Kind::Member, "the-mesh");
    world.seats[new].address = socket(4);
    world.input(new, Input::Listening { addresses: vec![tcp(4)] });
    world.seats[new].about.addresses = vec![tcp(4)];
    world.suggest(new, 0);
    world.offer(new, "words");
    world.run(seconds(4));
    for number in [0, 1, 2, 3, new] {
        let serving = world.serving(number, "words");
        assert!(
            !serving.contains(&id(4)) && serving.contains(&id(new)),
            "node {number}: {serving:?}"
        );
        assert_eq!(serving.len(), 5);
    }
    assert!(world.seats[new].node.stats().not_for_us > 0, "it got what was meant for the other");
}

#[test]
fn who_leaves_is_withdrawn_everywhere_within_a_second() {
    let mut world = World::members(12, 7);
    world.lost_percent = 5;
    (0..12).for_each(|number| world.offer(number, "words"));
    world.run(seconds(5));
    world.input(3, Input::Leave);
    world.run(millis(300));
    assert_eq!(world.seats[3].ended.as_deref(), Some("left"));
    world.run(millis(700));
    world.crash(3);
    for number in (0..12).filter(|number| *number != 3) {
        assert!(!world.serving(number, "words").contains(&id(3)), "node {number}");
        let events = &world.seats[number].events;
        assert!(events.iter().any(|(_, event)| matches!(
            event,
            NodeEvent::NodeLeft { how: Departure::Goodbye, .. }
        )));
    }
    world.run(seconds(20));
    assert_eq!(world.seats[0].node.members().count(), 10);
}
