//! What becomes of a node that starts in a life before its last, and of one of which that is only said?

use super::*;
use crate::limits::EPOCH_LEAD_MAX;
use crate::membership::{Identity, codec};
use crate::node::control::Later;
use foca::Member;

/// Whether records are signed.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Mesh {
    Open,
    Signing,
}

const BOTH: [Mesh; 2] = [Mesh::Open, Mesh::Signing];

impl Mesh {
    /// Three members that know each other.
    fn world(self) -> World {
        let mut world = World::new(15);
        for number in 0..3 {
            self.start(&mut world, number, Epoch(1));
        }
        world.run(seconds(1));
        world
    }

    fn crypto(self, own: u8) -> Fake {
        match self {
            Self::Open => Fake::PLAIN,
            Self::Signing => Fake::signing(own + 1),
        }
    }

    fn id(self, own: u8) -> NodeId {
        match self {
            Self::Open => id(own.into()),
            Self::Signing => self.crypto(own).id(),
        }
    }

    /// One more process with this identity, in this life. It is told of member 0.
    fn start(self, world: &mut World, own: u8, epoch: Epoch) -> usize {
        let number = world.add(Kind::Member, "the-mesh");
        let mut config = world.seats[number].node.config.clone();
        config.me = About { epoch, id: self.id(own), ..config.me };
        world.seats[number].about = config.me.clone();
        let (rng, crypto) = (world.rng.split(), Arc::new(self.crypto(own)));
        world.seats[number].node = Node::new(world.now, config, rng, crypto);
        world.input(number, Input::Listening { addresses: vec![tcp(number)] });
        if number > 0 {
            world.suggest(number, 0);
        }
        number
    }
}

/// Node 9 crashes in its ninth life, and after `pause` starts again in its second.
fn restored(mesh: Mesh, pause: Duration) -> (World, usize) {
    let mut world = mesh.world();
    let ninth = mesh.start(&mut world, 9, Epoch(9));
    world.offer(ninth, "words");
    world.run(seconds(2));
    world.crash(ninth);
    world.run(pause);
    let again = mesh.start(&mut world, 9, Epoch(2));
    world.offer(again, "price");
    world.run(seconds(4));
    (world, again)
}

#[test]
fn a_node_that_lost_its_last_life_rises_above_it() {
    for (mesh, pause) in BOTH.into_iter().flat_map(|mesh| [8, 60].map(|pause| (mesh, pause))) {
        let (world, again) = restored(mesh, seconds(pause));
        assert_eq!(world.seats[again].ended, None, "{mesh:?} {pause}");
        assert_eq!(world.seats[again].about.epoch, Epoch(10), "{mesh:?} {pause}");
        for number in [0, 1, again] {
            assert_eq!(world.serving(number, "price"), [mesh.id(9)], "{mesh:?} {number} {pause}");
            assert_eq!(world.serving(number, "words"), [], "{mesh:?} {number} {pause}");
        }
    }
}

#[test]
fn a_node_whose_later_life_is_alive_elsewhere_stops() {
    for mesh in BOTH {
        let mut world = mesh.world();
        let ninth = mesh.start(&mut world, 9, Epoch(9));
        world.offer(ninth, "words");
        world.run(seconds(2));
        let copy = mesh.start(&mut world, 9, Epoch(2));
        world.run(seconds(2));
        let ended = world.seats[copy].ended.clone().expect("it stopped");
        let why = "ALREADY_EXISTS: this identity runs elsewhere (tcp://";
        assert!(ended.starts_with(why), "{mesh:?} {ended}");
        assert_eq!(world.seats[ninth].ended, None, "{mesh:?}");
        assert_eq!(world.serving(0, "words"), [mesh.id(9)], "{mesh:?}");
    }
}

#[test]
fn of_two_processes_with_one_identity_the_older_stops_within_seconds() {
    for mesh in BOTH {
        let mut world = mesh.world();
        let second = mesh.start(&mut world, 9, Epoch(2));
        world.offer(second, "price");
        world.run(seconds(2));
        let ninth = mesh.start(&mut world, 9, Epoch(9));
        world.offer(ninth, "words");
        world.run(seconds(4));
        let ended = world.seats[second].ended.clone().expect("it stopped");
        assert!(ended.contains("this identity runs elsewhere"), "{mesh:?} {ended}");
        assert_eq!(world.seats[ninth].ended, None, "{mesh:?}");
        for number in [0, 1, 2] {
            assert_eq!(world.serving(number, "words"), [mesh.id(9)], "{mesh:?} {number}");
            assert_eq!(world.serving(number, "price"), [], "{mesh:?} {number}");
        }
    }
}

/// Member 0 says by every means that node 9 has this later life; what becomes of node 9.
#[track_caller]
fn lie(later: Epoch) {
    let mesh = Mesh::Signing;
    let mut world = mesh.world();
    let victim = mesh.start(&mut world, 9, Epoch(2));
    world.offer(victim, "gold");
    world.run(seconds(2));
    let wire = world.links_between(0, victim)[0];
    let (node, at) = (mesh.id(9), socket(77));
    let other = Identity::new(node, later, 7, &[at]);
    let mut dump = Vec::new();
    codec::put_members(&mut dump, &[Member::alive(other)]);
    let forged = world.seats[1].node.registry.node_record(&mesh.id(1)).unwrap().to_vec();
    let own = world.seats[victim].node.registry.node_record(&node).unwrap().to_vec();
    for _ in 0..20 {
        world.control(0, wire, Control::Dump(&dump).encode());
        for record in [vec![], forged.clone(), own.clone()] {
            for place in [None, Some(vec![TransportAddr::Tcp(at)])] {
                let later = Later { epoch: later, place, record: record.clone() };
                world.control(0, wire, Control::Later(later).encode());
            }
        }
        world.seats[0].node.tell_superseded(socket(victim), node, later);
        world.collect(0);
        world.run(Duration::from_millis(200));
    }
    assert_eq!(world.seats[victim].ended, None, "{later:?}");
    assert_eq!(world.seats[victim].about.epoch, Epoch(2), "{later:?}");
    // That others hold it gone meanwhile is another lie, of membership (decisions B7). What it offers they still know.
    for number in 0..3 {
        let known = world.seats[number].node.registry.records_of(&node).count();
        assert_eq!(known, 2, "{later:?} at {number}");
    }
}

#[test]
fn a_later_life_that_a_member_makes_up_neither_stops_a_node_nor_makes_it_rise() {
    for later in [3, 1_000, EPOCH_LEAD_MAX, u64::MAX] {
        lie(Epoch(later));
    }
}
