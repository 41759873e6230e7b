//! Do records that last outlive their owners, and end when they are ended?

use super::super::samples::lasting_body;
use super::*;
use crate::limits::LASTING_MAX;

fn keys(world: &mut World, number: u8) -> Vec<u32> {
    world.shown(number).into_iter().map(|(key, _)| key).collect()
}

#[test]
fn a_record_that_lasts_outlives_goodbye_crash_and_every_bound() {
    for is_goodbye in [true, false] {
        let mut world = World::new(4, 1);
        world.run(SECOND * 3);
        world.offer(0, 1, "words");
        let record = world.bequeath(0, 7);
        world.run(SECOND);
        world.set(0, Awake::Crashed);
        if is_goodbye {
            (1..4).for_each(|number| world.input(id(number), Input::Left { node: id(0) }));
        }
        world.tell_membership();
        world.run(HEADSTONE_TIME + SECOND * 600);
        assert_eq!(world.shown(3), [(7, Standing::Lasting)]);
        assert!(!world.knows(3, 0, 1));
        world.start(9, Epoch(1));
        world.run(SECOND * 3);
        assert_eq!(keys(&mut world, 9), [7], "who comes later knows it, too");
        assert_eq!(world.free(9, record), Ok(()));
        world.run(SECOND * 2);
        (1..4).for_each(|number| assert!(keys(&mut world, number).is_empty()));
    }
}

#[test]
fn a_later_life_of_its_owner_ends_nothing_and_uses_the_key_anew() {
    let mut world = World::new(3, 2);
    let before = world.bequeath(0, 7);
    world.run(SECOND * 3);
    world.start(0, Epoch(2));
    world.run(SECOND * 3);
    assert_eq!(keys(&mut world, 0), [7], "it learns what it wrote before");
    let after = world.bequeath(0, 7);
    world.run(SECOND * 2);
    assert_eq!(keys(&mut world, 2), [7, 7]);
    assert_eq!(world.free(2, before), Ok(()));
    world.run(SECOND * 2);
    assert_eq!(world.node(0).registry.snapshot().registered().next().unwrap().id, after);
    assert_eq!(world.free(2, before), Err(Code::NotFound));
    world.assert_same();
}

#[test]
fn what_was_ended_does_not_return_with_who_slept_longer_than_every_bound() {
    let mut world = World::new(4, 3);
    world.run(SECOND * 3);
    let record = world.bequeath(0, 7);
    world.run(SECOND);
    world.set(3, Awake::Paused);
    world.tell_membership();
    assert_eq!(world.free(1, record), Ok(()));
    let late = world.bequeath(1, 8);
    world.run(HEADSTONE_TIME + SECOND * 600);
    world.set(3, Awake::Yes);
    world.tell_membership();
    world.run(SECOND * 10);
    world.assert_same();
    assert_eq!(keys(&mut world, 3), [late.key.0]);
}

#[test]
fn its_owner_says_something_else_and_cannot_bring_back_what_was_ended() {
    let mut world = World::new(3, 3);
    let record = world.bequeath(0, 7);
    world.run(SECOND * 3);
    world.node(2).changes.clear();
    world.register(0, 7, lasting_body("cache", Right::Anybody));
    world.run(SECOND * 2);
    assert_eq!(services(&world.node(2).changes), "=r7");
    let name = |world: &mut World| {
        let snapshot = world.node(2).registry.snapshot();
        snapshot.registered().map(|one| one.record.service.to_string()).collect::<Vec<_>>()
    };
    assert_eq!(name(&mut world), ["cache"]);
    assert_eq!(world.free(1, record), Ok(()));
    // The owner does not know yet, and writes another version.
    world.register(0, 7, lasting_body("late", Right::Anybody));
    world.run(SECOND * 5);
    assert!(name(&mut world).is_empty());
    world.bequeath(0, 7);
    assert_eq!(world.node(0).refused.pop().unwrap().1.code, Code::FailedPrecondition);
    world.assert_same();
}

#[test]
fn all_know_the_same_after_a_partition_with_new_and_ended_records_on_both_sides() {
    for (count, seed) in [(2, 1), (5, 2), (12, 3)] {
        let mut world = World::new(count, seed);
        world.network = Network { lost: 20, doubled: 20, ..Network::default() };
        let mut known = Vec::new();
        for round in 0..40_u32 {
            let number = u8::try_from(world.rng.below(count.into())).unwrap();
            match world.rng.below(6) {
                0 => {
                    world.network.cut =
                        (0..count).filter(|number| number % 2 == 0).map(id).collect();
                }
                1 => world.network.cut.clear(),
                2 | 3 if !known.is_empty() => {
                    let record = known[world.rng.index(known.len())];
                    let _ = world.free(number, record);
                }
                _ => known.push(world.bequeath(number, 1 + round)),
            }
            world.run(Duration::from_millis(300));
        }
        let before: Vec<_> = (0..count).map(|number| keys(&mut world, number)).collect();
        world.network = Network::default();
        world.run(SECOND * 8);
        world.assert_same();
        let after = keys(&mut world, 0);
        assert!(after.iter().all(|key| before.iter().any(|keys| keys.contains(key))));
    }
}

#[test]
fn comparisons_alone_bring_hundreds_of_records_to_who_has_others() {
    let mut world = World::new(2, 5);
    world.network = Network { mute: true, lost: 5, ..Network::default() };
    for key in 0..400 {
        world.bequeath(0, 1 + key);
    }
    for key in 0..400 {
        let record = world.bequeath(1, 1 + key);
        if key % 3 == 0 {
            world.free(1, record).unwrap();
        }
    }
    world.run(SECOND * 60);
    world.assert_same();
    assert_eq!(keys(&mut world, 0).len(), 400 + 266);
}

#[test]
fn a_full_estate_refuses_its_own_and_drops_those_of_others_but_ends_what_it_holds() {
    let mut world = World::new(4, 6);
    for (number, key) in (0..4).flat_map(|number| (1..=1_023).map(move |key| (number, key))) {
        world.bequeath(number, key);
    }
    for number in 1..4 {
        world.link(id(0), id(number));
        world.ask_sync(id(0), id(number), Filter::All);
    }
    world.run(SECOND);
    world.network.cut = [id(0)].into();
    for (number, key) in [(1, 1_024), (2, 1_024), (3, 1_024), (0, 2_010), (0, 2_011)] {
        world.bequeath(number, key);
    }
    let refused: Vec<_> =
        world.node(0).refused.iter().map(|(_, status)| status.to_string()).collect();
    assert_eq!(refused.len(), 1, "it uses 1,024 keys at most: {refused:?}");
    let held = world.node(0).registry.estate.iter().count();
    assert_eq!(held, 4 * 1_023 + 1);
    world.network.cut.clear();
    world.run(SECOND * 30);
    assert_eq!(world.node(0).registry.estate.iter().count(), LASTING_MAX);
    world.assert_same();
    world.start(8, Epoch(1));
    world.link(id(8), id(0));
    world.ask_sync(id(8), id(0), Filter::All);
    world.run(SECOND * 5);
    world.bequeath(8, 1);
    let (_, status) = world.node(8).refused.pop().unwrap();
    assert_eq!(
        status.to_string(),
        "RESOURCE_EXHAUSTED: a mesh has at most 4096 lasting records, those that were ended included"
    );
    let record = RecordId { owner: id(0), epoch: Epoch(1), key: RecordKey(5) };
    assert_eq!(world.free(8, record), Ok(()));
    world.run(SECOND * 3);
    world.assert_same();
}

#[test]
fn two_halves_that_know_more_than_there_is_room_for_come_to_keep_the_same() {
    let mut world = World::new(5, 11);
    world.network.cut = [id(0), id(1)].into();
    for (number, key) in (0..5).flat_map(|number| (1..=1_024).map(move |key| (number, key))) {
        world.bequeath(number, key);
    }
    for (one, other) in [(0, 1), (2, 3), (2, 4)] {
        world.link(id(one), id(other));
        world.ask_sync(id(one), id(other), Filter::All);
    }
    world.run(SECOND * 3);
    world.node(2).changes.clear();
    world.network.cut.clear();
    world.link(id(0), id(2));
    world.ask_sync(id(2), id(0), Filter::All);
    world.run(SECOND * 20);
    world.assert_same();
    let highest = (0..5).map(id).max().unwrap();
    let gave_way = world.node(2).registry.estate.iter().all(|(record, _)| record.owner != highest);
    assert!(gave_way, "of one life the lowest stay, of two that of the lower id");
    assert_eq!(keys(&mut world, 2).len(), LASTING_MAX);
    let told = services(&world.node(2).changes);
    assert_eq!(told.matches("+r").count() - told.matches("-r").count(), LASTING_MAX - 3 * 1_024);
}

#[test]
fn a_visitor_that_changes_its_member_forgets_what_lasts_no_more_but_not_what_it_hands_in() {
    let mut world = World::new(2, 12);
    world.network.cut = [id(0), id(9)].into();
    world.bequeath(0, 1);
    world.let_visit(9, 0);
    world.bequeath(9, 2);
    world.run(SECOND);
    assert_eq!(keys(&mut world, 9), [1, 2]);
    world.input(id(9), Input::LinkDown { node: id(0) });
    world.node(9).changes.clear();
    world.set(0, Awake::Crashed);
    world.network.cut.clear();
    world.link(id(1), id(9));
    world.ask_sync(id(9), id(1), Filter::All);
    world.run(SECOND);
    assert_eq!((keys(&mut world, 9), keys(&mut world, 1)), (vec![2], vec![2]));
    let told = services(&world.node(9).changes);
    assert!(told.contains("-r1") && !told.contains("r2"), "{told}");
}

#[test]
fn it_is_known_how_many_hold_it_and_how_many_know_its_end() {
    let mut world = World::new(5, 7);
    world.run(SECOND * 3);
    world.network.mute = true;
    let record = world.bequeath(0, 7);
    let until = world.now + SECOND;
    world.input(id(0), Input::Spread { token: 1, key: RecordKey(7), until });
    world.run(SECOND);
    assert_eq!(world.node(0).spread, [(1, 4, 4)]);
    assert_eq!(keys(&mut world, 4), [7]);
    world.free(3, record).unwrap();
    let until = world.now + SECOND;
    world.input(id(3), Input::SpreadOf { token: 2, id: record, until });
    world.run(SECOND);
    assert_eq!(world.node(3).spread, [(2, 4, 4)]);
    assert!(keys(&mut world, 4).is_empty());
}

#[test]
fn a_visitor_registers_what_lasts_and_ends_it_over_its_link() {
    let mut world = World::new(3, 8);
    let other = world.bequeath(1, 3);
    world.run(SECOND * 3);
    world.let_visit(7, 0);
    let record = world.bequeath(7, 5);
    let until = world.now + SECOND;
    world.input(id(7), Input::SpreadOf { token: 1, id: record, until });
    world.run(SECOND);
    assert_eq!(world.node(7).spread, [(1, 1, 1)], "those it is linked to are asked");
    let mut shown = keys(&mut world, 2);
    shown.sort_unstable();
    assert_eq!(shown, [3, 5]);
    assert_eq!((world.free(7, other), world.free(7, record)), (Ok(()), Ok(())));
    world.run(SECOND);
    assert!(keys(&mut world, 2).is_empty() && keys(&mut world, 7).is_empty());
}

#[test]
fn what_a_visitor_wrote_before_it_had_a_link_is_handed_in_with_the_first() {
    let mut world = World::new(2, 8);
    world.add_visitor(7);
    world.bequeath(7, 5);
    world.run(SECOND);
    world.link(id(7), id(0));
    world.run(SECOND);
    assert_eq!(keys(&mut world, 1), [5]);
}

#[test]
fn a_visitor_hears_of_what_it_asked_for_and_of_its_end() {
    let mut world = World::new(2, 8);
    let record = world.bequeath(1, 3);
    world.register(1, 4, lasting_body("cache", Right::Anybody));
    world.run(SECOND * 3);
    world.add_visitor(7);
    world.link(id(0), id(7));
    let services = [("default".parse().unwrap(), "db".parse().unwrap())].into();
    world.ask_sync(id(7), id(0), Filter::Part { services, topics: Topics::Unwanted });
    world.run(SECOND);
    assert_eq!(keys(&mut world, 7), [3]);
    world.free(0, record).unwrap();
    world.run(SECOND);
    assert!(keys(&mut world, 7).is_empty());
}

#[test]
fn a_key_is_used_by_one_thing_at_a_time() {
    let mut world = World::new(1, 1);
    world.offer(0, 7, "words");
    world.bequeath(0, 7);
    world.offer(0, 7, "words");
    assert_eq!(world.node(0).refused.pop().unwrap().1.code, Code::FailedPrecondition);
    world.withdraw(0, 7);
    world.offer(0, 7, "words");
    assert_eq!(services(&world.node(0).changes), "n0 +7 -7 +r7 -r7 +7");
    assert!(world.node(0).refused.is_empty());
}
