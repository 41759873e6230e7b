//! Does a node call when anybody asks who is there, and no more than that?

use super::*;
use crate::survey::Survey;

/// Members of two meshes that know nobody, long after they began to call.
fn two_meshes() -> World {
    let mut world = World::new(31);
    world.add(Kind::Member, "one-mesh");
    world.add(Kind::Member, "two-mesh");
    world.run(millis(4_500));
    world
}

/// What this node calls out within that time after a census came by this way.
fn asked(world: &mut World, number: usize, source: Source, span: Duration) -> Vec<Vec<u8>> {
    let until = world.now + span;
    let mut question = Survey::<u8>::new(NodeId::from_bytes([99; 16]), id(50)).question();
    let node = &mut world.seats[number].node;
    let from = socket(77);
    node.handle_input(world.now, Input::Datagram { from, bytes: &mut question, source });
    let mut calls = Vec::new();
    while let Some(at) = node.poll_timeout().filter(|at| *at <= until) {
        node.handle_timeout(at);
        while let Some(output) = node.poll_output() {
            match output {
                Output::Scout(bytes) => calls.push(bytes),
                Output::Datagram { .. } | Output::Dial { .. } => panic!("a stranger was answered"),
                _ => {}
            }
        }
    }
    calls
}

#[test]
fn nodes_of_every_mesh_call_when_anybody_asks() {
    let mut world = two_meshes();
    let mut survey = Survey::new(NodeId::from_bytes([99; 16]), id(50));
    for number in [0, 1] {
        let calls = asked(&mut world, number, Source::Broadcast, millis(500));
        assert_eq!(calls.len(), 1);
        for mut call in calls {
            survey.handle_datagram(socket(number), &number, &mut call, &Fake::PLAIN.of_mesh(3));
        }
    }
    let meshes = survey.voices().map(|(_, voice)| voice.banner.mesh.to_string());
    let mut meshes: Vec<_> = meshes.collect();
    meshes.sort_unstable();
    assert_eq!(meshes, ["one-mesh", "two-mesh"]);
}

#[test]
fn a_question_from_afar_is_not_heeded() {
    let mut world = two_meshes();
    assert_eq!(asked(&mut world, 0, Source::Gossip, millis(500)).len(), 0);
    assert_eq!(world.seats[0].node.stats().scouts.censuses, 1);
}

#[test]
fn a_visitor_does_not_call_for_it() {
    let mut world = World::new(32);
    let visitor = world.add(Kind::Visitor, "one-mesh");
    world.run(millis(4_500));
    assert_eq!(asked(&mut world, visitor, Source::Broadcast, millis(500)).len(), 0);
}
