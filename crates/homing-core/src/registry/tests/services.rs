//! Are services that were registered by hand known for as long as they should be?

use super::super::samples::{service, service_body};
use super::*;

fn with_lifetime(seconds: u32) -> Body {
    let lifetime = SECOND * seconds;
    Body::Service(Arc::new(ServiceRecord { lifetime, ..service("db") }))
}

fn keys(world: &mut World, number: u8) -> Vec<u32> {
    world.shown(number).into_iter().map(|(key, _)| key).collect()
}

#[test]
fn a_service_is_registered_changed_and_freed_everywhere_and_a_refresh_is_none() {
    let mut world = World::new(5, 1);
    world.run(SECOND * 3);
    let id = world.register(0, 7, service_body("db"));
    world.run(SECOND);
    assert_eq!(world.shown(3), [(7, Standing::Alive)]);
    let version = world.node(3).registry.snapshot().registered_version();
    world.node(3).changes.clear();
    let refreshed = ServiceRecord { written: 9, ..service("db") };
    world.register(0, 7, Body::Service(Arc::new(refreshed)));
    world.run(SECOND);
    assert_eq!(world.node(3).registry.snapshot().registered_version(), version);
    let moved = ServiceRecord { port: 1, ..service("db") };
    world.register(0, 7, Body::Service(Arc::new(moved)));
    world.run(SECOND);
    assert_eq!(world.free(0, id), Ok(()));
    world.run(SECOND);
    assert_eq!(services(&world.node(3).changes), "=r7 -r7");
    assert!(keys(&mut world, 3).is_empty());
    assert!(world.node(3).registry.snapshot().registered_version() > version);
}

#[test]
fn it_is_no_instance() {
    let mut world = World::new(1, 1);
    world.register(0, 7, service_body("db"));
    let record = service("db");
    let snapshot = world.node(0).registry.snapshot();
    assert!(snapshot.instances(&record.namespace, &record.service).is_empty());
    assert!(!snapshot.was_seen(&record.namespace, &record.service));
}

#[test]
fn a_key_says_one_thing_after_another_and_each_is_told() {
    let mut world = World::new(1, 1);
    world.offer(0, 7, "words");
    world.register(0, 7, service_body("db"));
    world.offer(0, 7, "words");
    assert_eq!(services(&world.node(0).changes), "n0 +7 -7 +r7 -r7 +7");
}

#[test]
fn each_record_of_an_owner_that_is_gone_lives_for_its_own_lifetime() {
    let mut world = World::new(3, 2);
    world.offer(2, 1, "words");
    world.register(2, 3, with_lifetime(3));
    world.register(2, 40, with_lifetime(40));
    world.run(SECOND * 3);
    world.set(2, Awake::Crashed);
    world.tell_membership();
    let until = world.now + SECOND * 40;
    assert_eq!(world.shown(0).last(), Some(&(40, Standing::OwnerGone { until })));
    for (after, shown, offers) in
        [(2, vec![3, 40], true), (2, vec![40], true), (12, vec![40], false)]
    {
        world.run(SECOND * after);
        assert_eq!((keys(&mut world, 0), world.knows(0, 2, 1)), (shown, offers));
        assert!(world.node(0).registry.snapshot().node(&id(2)).is_some());
    }
    world.run(SECOND * 30);
    assert!(keys(&mut world, 1).is_empty());
    assert!(world.node(1).registry.snapshot().node(&id(2)).is_none());
}

#[test]
fn a_lifetime_counts_from_when_the_first_saw_the_owner_go() {
    let mut world = World::new(3, 2);
    world.register(2, 40, with_lifetime(40));
    world.run(SECOND * 3);
    world.set(2, Awake::Crashed);
    world.input(id(0), Input::Gone { node: id(2) });
    world.run(SECOND * 30);
    world.input(id(1), Input::Gone { node: id(2) });
    world.link(id(0), id(1));
    world.ask_sync(id(1), id(0), Filter::All);
    world.run(SECOND * 11);
    assert!(keys(&mut world, 1).is_empty());
}

#[test]
fn an_owner_that_is_back_in_time_holds_its_records_again() {
    let mut world = World::new(4, 4);
    world.register(0, 20, with_lifetime(20));
    world.register(0, 60, with_lifetime(60));
    world.run(SECOND * 3);
    world.set(0, Awake::Paused);
    world.tell_membership();
    world.run(SECOND * 30);
    assert_eq!(keys(&mut world, 2), [60]);
    world.set(0, Awake::Yes);
    world.tell_membership();
    world.run(SECOND * 3);
    assert_eq!(world.shown(2), [(20, Standing::Alive), (60, Standing::Alive)]);
    world.assert_same();
}

#[test]
fn a_visitor_sees_each_end_when_its_member_does() {
    let mut world = World::new(3, 2);
    world.register(2, 3, with_lifetime(3));
    world.register(2, 40, with_lifetime(40));
    world.run(SECOND * 3);
    world.let_visit(7, 0);
    world.set(2, Awake::Crashed);
    world.input(id(0), Input::Gone { node: id(2) });
    world.run(SECOND * 5);
    assert_eq!(keys(&mut world, 7), [40]);
    world.let_visit(8, 0);
    assert_eq!(keys(&mut world, 8), [40]);
    world.run(SECOND * 40);
    assert!(keys(&mut world, 7).is_empty() && keys(&mut world, 8).is_empty());
}

#[test]
fn who_is_not_its_owner_cannot_free_what_does_not_last() {
    let mut world = World::new(2, 1);
    let record = world.register(0, 7, service_body("db"));
    world.run(SECOND * 3);
    assert_eq!(world.free(1, record), Err(Code::PermissionDenied));
    assert_eq!(world.free(1, RecordId { key: RecordKey(8), ..record }), Err(Code::NotFound));
    assert_eq!(keys(&mut world, 1), [7]);
}

#[test]
fn services_out_of_their_bounds_are_refused_and_a_visitor_registers_only_what_lasts() {
    let mut world = World::new(1, 1);
    let record = || service("db");
    for (key, wrong, why) in [
        (
            7,
            ServiceRecord { data: vec![b' '; 513].into(), ..record() },
            "the service record has too many bytes of data",
        ),
        (
            7,
            ServiceRecord { data: vec![0xff].into(), ..record() },
            "the service record has data that is not UTF-8",
        ),
        (
            7,
            ServiceRecord { lifetime: LIFETIME_MAX + SECOND, ..record() },
            "the service record has too long a lifetime",
        ),
        (
            7,
            ServiceRecord { hosts: vec!["h".parse().unwrap(); 9], ..record() },
            "the service record has too many hosts",
        ),
        (0, record(), "no service record under key 0"),
    ] {
        world.register(0, key, Body::Service(Arc::new(wrong)));
        let (_, status) = world.node(0).refused.pop().unwrap();
        assert!(status.to_string().contains(why), "{status}");
    }
    world.let_visit(7, 0);
    world.register(7, 7, service_body("db"));
    assert_eq!(world.node(7).refused.pop().unwrap().1.code, Code::FailedPrecondition);
}
