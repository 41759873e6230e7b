//! What does a node that passes through learn, and from whom?

use super::*;

#[test]
fn a_visitor_syncs_follows_and_takes_another_guide() {
    let mut world = World::members(4, 8);
    (0..4).for_each(|number| world.offer(number, "words"));
    world.run(seconds(3));
    let visitor = world.add(Kind::Visitor, "the-mesh");
    (0..4).for_each(|number| world.suggest(visitor, number));
    world.run(millis(100));
    assert!(world.seats[visitor].snapshot.synced);
    assert_eq!(world.serving(visitor, "words").len(), 4);
    assert_eq!(world.seats[visitor].node.members().count(), 0);
    world.offer(2, "price");
    world.run(seconds(1));
    assert_eq!(world.serving(visitor, "price"), [id(2)]);
    let guide = world.seats[visitor].node.join.guide().unwrap();
    let guide = (0..4).find(|number| id(*number) == guide).unwrap();
    world.crash(guide);
    world.run(seconds(6));
    assert_eq!(world.serving(visitor, "words").len(), 3);
    world.offer((guide + 1) % 4, "late");
    world.run(seconds(1));
    assert_eq!(world.serving(visitor, "late").len(), 1);
    for number in (0..4).filter(|number| *number != guide) {
        assert!(
            world.seats[number].snapshot.node(&id(visitor)).is_none(),
            "nobody lists a visitor"
        );
    }
}

#[test]
fn a_visitor_that_lost_the_last_member_forgets_it_after_the_lease() {
    let mut world = World::members(1, 15);
    world.offer(0, "words");
    let visitor = world.add(Kind::Visitor, "the-mesh");
    world.suggest(visitor, 0);
    world.run(millis(100));
    assert_eq!(world.serving(visitor, "words").len(), 1);
    world.crash(0);
    world.run(LEASE + seconds(1));
    assert!(world.seats[visitor].snapshot.node(&id(0)).is_none());
    let left = |(_, event): &(Time, NodeEvent)| matches!(event, NodeEvent::NodeLeft { .. });
    assert!(world.seats[visitor].events.iter().any(left));
}

#[test]
fn a_visitor_takes_a_member_back_that_it_held_gone() {
    let mut world = World::members(1, 16);
    world.offer(0, "words");
    let visitor = world.add(Kind::Visitor, "the-mesh");
    world.suggest(visitor, 0);
    world.run(millis(100));
    world.split(1);
    world.run(seconds(5));
    assert_eq!(world.serving(visitor, "words").len(), 0);
    world.cut_before = 0;
    world.suggest(visitor, 0);
    world.run(seconds(6));
    assert_eq!(world.serving(visitor, "words").len(), 1);
}

#[test]
fn a_visitor_goes_as_soon_as_its_guide_was_told() {
    let mut world = World::members(2, 17);
    let visitor = world.add(Kind::Visitor, "the-mesh");
    world.suggest(visitor, 0);
    world.run(seconds(1));
    world.input(visitor, Input::Leave);
    world.run(millis(1));
    assert_eq!(world.seats[visitor].ended.as_deref(), Some("left"));
}

#[test]
fn the_end_of_the_first_sync_is_shown_at_once() {
    let mut world = World::members(1, 18);
    world.offer(0, "words");
    world.run(seconds(2));
    let visitor = world.add(Kind::Visitor, "the-mesh");
    world.suggest(visitor, 0);
    world.run(DELAY * 6); // The dial, its end, the question, the answer.
    assert!(world.seats[visitor].snapshot.synced);
    assert_eq!(world.serving(visitor, "words").len(), 1);
}
