//! What does a visitor know, that is told by one member at a time?

use super::*;

#[test]
fn a_visitor_is_told_all_that_it_wants_and_then_what_changes() {
    let mut world = World::new(4, 9);
    world.offer(1, 1, "words");
    world.offer(1, 2, "price");
    world.run(SECOND * 3);
    world.add_visitor(9);
    world.link(id(0), id(9));
    let words = super::samples::offer("words");
    let wanted = [(words.namespace, words.service)].into();
    let filter = Filter::Part { services: wanted, topics: Topics::Unwanted };
    world.ask_sync(id(9), id(0), filter);
    world.run(SECOND);
    assert_eq!(world.node(9).synced, 1);
    assert_eq!(services(&std::mem::take(&mut world.node(9).changes)), "n0 +1");
    world.offer(2, 5, "words");
    world.offer(3, 6, "other");
    world.withdraw(1, 1);
    world.run(SECOND);
    let told = services(&std::mem::take(&mut world.node(9).changes));
    assert!(told == "n0 +5 -1" || told == "-1 n0 +5", "{told}");
    world.set(2, Awake::Crashed);
    world.tell_membership();
    world.run(LEASE + SECOND);
    assert_eq!(services(&world.node(9).changes), "-5");
    let registry = &mut world.node(9).registry;
    assert_eq!(registry.snapshot().nodes().count(), 1);
    assert_eq!(registry.snapshot().services().count(), 0);
}

#[test]
fn a_visitor_that_changes_its_member_forgets_what_went_in_between() {
    let mut world = World::new(3, 9);
    world.offer(1, 1, "words");
    world.offer(2, 1, "words");
    world.run(SECOND * 3);
    world.let_visit(9, 0);
    world.input(id(9), Input::LinkDown { node: id(0) });
    world.input(id(0), Input::LinkDown { node: id(9) });
    world.withdraw(1, 1);
    world.set(2, Awake::Crashed);
    world.input(id(0), Input::Left { node: id(2) });
    world.input(id(1), Input::Left { node: id(2) });
    world.run(SECOND);
    world.node(9).changes.clear();
    world.link(id(1), id(9));
    world.ask_sync(id(9), id(1), Filter::All);
    world.run(SECOND);
    assert_eq!(services(&world.node(9).changes), "-1 -1");
    assert_eq!(world.node(9).registry.snapshot().nodes().count(), 2);
}

#[test]
fn a_visitor_forgets_nobody_because_it_lost_somebody_else_meanwhile() {
    let new = |role, number| {
        let crypto = Arc::new(Fake::PLAIN);
        Registry::new(role, id(number), Epoch(1), Rng::from_seed(1), crypto)
    };
    let (mut member, mut visitor) = (new(Role::Member, 0), new(Role::Visitor, 9));
    let now = Time::ZERO;
    member.handle_input(now, Input::Offer { key: RecordKey::NODE, body: node_body("node-0") });
    member.handle_input(now, Input::Offer { key: RecordKey(1), body: offer_body("words") });
    member.handle_input(now, Input::Linked(id(9)));
    for peer in [0, 1] {
        visitor.handle_input(now, Input::Linked(id(peer)));
    }
    let asked = Input::SyncAsked { to: id(9), filter: Filter::All, follow: true };
    member.handle_input(now, asked);
    while let Some(output) = member.poll_output() {
        let Output::Send { bytes, .. } = output else { continue };
        let input = Input::Message { from: id(0), via: Via::Link, bytes: &bytes };
        visitor.handle_input(now, input);
        visitor.handle_input(now, Input::LinkDown { node: id(1) });
    }
    assert!(visitor.snapshot().synced);
    assert_eq!(visitor.snapshot().nodes().count(), 1);
}

#[test]
fn a_visitor_whose_lease_ended_first_is_told_all_again() {
    let mut world = World::new(3, 9);
    world.offer(2, 1, "words");
    world.run(SECOND * 3);
    world.let_visit(9, 0);
    world.input(id(0), Input::Gone { node: id(2) });
    world.run(SECOND);
    // The member stands still, and hears that it lives before it looks at the clock.
    world.set(0, Awake::Paused);
    world.run(LEASE + SECOND);
    assert_eq!(world.node(9).registry.snapshot().nodes().count(), 2);
    world.set(0, Awake::Yes);
    world.input(id(0), Input::Alive { node: id(2), epoch: Epoch(1) });
    world.run(SECOND);
    assert_eq!(world.node(9).registry.snapshot().services().count(), 1);
}

#[test]
fn a_visitor_hears_again_of_a_life_that_was_forgotten() {
    let mut world = World::new(3, 9);
    world.offer(2, 1, "words");
    world.run(SECOND * 3);
    world.let_visit(9, 0);
    world.input(id(0), Input::Left { node: id(2) });
    world.run(Duration::from_millis(10));
    assert_eq!(world.node(9).registry.snapshot().nodes().count(), 2);
    world.input(id(0), Input::Alive { node: id(2), epoch: Epoch(1) });
    world.run(SECOND * 3);
    assert_eq!(world.node(9).registry.snapshot().nodes().count(), 3);
    assert_eq!(world.node(9).registry.snapshot().services().count(), 1);
}
