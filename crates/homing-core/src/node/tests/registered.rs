//! What becomes of services registered by hand when their node goes, visits or begins anew?

use super::*;
use crate::registry::{RecordId, Right, ServiceRecord, Standing};

fn service(lasting: Option<Right>) -> Arc<ServiceRecord> {
    Arc::new(ServiceRecord {
        namespace: "default".parse().unwrap(),
        service: "db".parse().unwrap(),
        version: None,
        hosts: vec!["10.0.0.5".parse().unwrap()],
        port: 5432,
        data: "{}".into(),
        lifetime: LEASE,
        written: 0,
        origin: None,
        lasting,
    })
}

fn register(world: &mut World, number: usize, key: u32, lasting: Option<Right>) -> RecordId {
    let key = RecordKey(key);
    world.input(number, Input::Register { key, service: service(lasting) });
    let about = &world.seats[number].about;
    RecordId { owner: about.id, epoch: about.epoch, key }
}

fn shown(world: &World, number: usize) -> Vec<(u32, Standing)> {
    let registered = world.seats[number].snapshot.registered();
    registered.map(|one| (one.id.key.0, one.standing)).collect()
}

#[test]
fn a_goodbye_takes_all_but_what_lasts_and_each_is_told_once() {
    let mut world = World::members(4, 1);
    world.run(seconds(3));
    register(&mut world, 0, 1, None);
    let lasting = register(&mut world, 0, 2, Some(Right::Anybody));
    world.run(seconds(1));
    assert_eq!(shown(&world, 3), [(1, Standing::Alive), (2, Standing::Lasting)]);
    world.input(0, Input::Leave);
    world.run(seconds(30));
    assert_eq!(shown(&world, 3), [(2, Standing::Lasting)]);
    world.input(3, Input::Free { token: 7, id: lasting });
    world.run(seconds(2));
    assert!(matches!(world.seats[3].freed[..], [(7, Ok(_))]));
    assert!(shown(&world, 2).is_empty());
    let told = world.seats[2].events.iter().filter_map(|(_, event)| match event {
        NodeEvent::Registered { id, .. } => Some(format!("+{}", id.key.0)),
        NodeEvent::Reregistered { id, .. } => Some(format!("={}", id.key.0)),
        NodeEvent::Freed { id, .. } => Some(format!("-{}", id.key.0)),
        _ => None,
    });
    let mut told = told.collect::<Vec<_>>();
    // Which of two that were made at once comes first is no promise: the latest news is told first.
    told[..2].sort_unstable();
    assert_eq!(told, ["+1", "+2", "-1", "-2"]);
}

#[test]
fn a_visitor_registers_what_lasts_and_frees_it() {
    let mut world = World::members(3, 2);
    world.run(seconds(3));
    let visitor = world.add(Kind::Visitor, "the-mesh");
    let record = register(&mut world, visitor, 5, Some(Right::Anybody));
    world.suggest(visitor, 0);
    world.run(seconds(1));
    assert_eq!(shown(&world, 2), [(5, Standing::Lasting)]);
    world.input(visitor, Input::Free { token: 1, id: record });
    let until = world.now + seconds(2);
    world.input(visitor, Input::SpreadOf { token: 2, id: record, until });
    world.run(seconds(1));
    assert!(shown(&world, 2).is_empty());
    // Those it is linked to are asked.
    assert!(matches!(world.seats[visitor].spread[..], [(2, 1.., of)] if of <= 3));
}

#[test]
fn what_lasts_is_carried_into_a_later_life_of_the_only_one_who_knows_it() {
    let mut world = World::members(1, 3);
    let record = register(&mut world, 0, 5, Some(Right::Anybody));
    let now = world.now;
    world.seats[0].node.begin_anew(now, Epoch(9));
    world.collect(0);
    assert_eq!(world.seats[0].snapshot.registered().next().unwrap().id, record);
}
