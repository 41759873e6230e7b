//! A world of two nodes, their dials, and every order of what each of them sees.

use super::*;
use crate::rng::Rng;

const A: NodeId = NodeId::from_bytes([1; 16]);
const B: NodeId = NodeId::from_bytes([2; 16]);

fn name(dialler: NodeId, number: u64) -> LinkName {
    LinkName { dialler, epoch: Epoch(1), number }
}

fn contender(link: u64, name: LinkName, dead: Option<LinkName>) -> Contender {
    Contender { link: LinkId(link), name, dead, peer_epoch: Epoch(1) }
}

/// Shows the links to one side in every order and expects the same survivor each time.
#[track_caller]
fn check(links: &[Contender], expect: u64) {
    for order in orders(links.len()) {
        for peer in [A, B] {
            let mut pair = Pair::new(peer);
            for at in &order {
                pair.established(links[*at]);
            }
            assert_eq!(pair.route(), Some(LinkId(expect)), "order {order:?}");
        }
    }
}

fn orders(count: usize) -> Vec<Vec<usize>> {
    let mut all = vec![Vec::new()];
    for next in 0..count {
        let longer = |order: &Vec<usize>| {
            (0..=order.len())
                .map(|at| [&order[..at], &[next], &order[at..]].concat())
                .collect::<Vec<_>>()
        };
        all = all.iter().flat_map(longer).collect();
    }
    all
}

#[test]
fn of_crossing_dials_the_one_by_the_smaller_id_stays() {
    check(&[contender(1, name(A, 7), None), contender(2, name(B, 9), None)], 1);
}

#[test]
fn a_redial_by_who_knows_the_old_link_dead_replaces_it() {
    check(&[contender(1, name(A, 7), None), contender(2, name(B, 9), Some(name(A, 7)))], 2);
}

#[test]
fn a_later_dial_by_the_same_node_replaces_the_earlier() {
    check(&[contender(1, name(B, 7), None), contender(2, name(B, 8), None)], 2);
}

#[test]
fn a_claim_covers_the_links_before_the_one_it_names() {
    let links = [
        contender(1, name(A, 6), None),
        contender(2, name(A, 7), None),
        contender(3, name(B, 1), Some(name(A, 7))),
    ];
    check(&links, 3);
}

#[test]
fn both_redialling_at_once_is_a_crossing() {
    let links =
        [contender(1, name(A, 2), Some(name(B, 1))), contender(2, name(B, 2), Some(name(A, 1)))];
    check(&links, 1);
}

#[test]
fn a_later_life_of_the_peer_replaces_all_links_to_the_earlier() {
    let mut new = contender(2, name(B, 1), None);
    new.peer_epoch = Epoch(2);
    check(&[contender(1, name(A, 7), None), new], 2);
}

#[test]
fn a_link_that_lost_is_not_taken_back_when_the_winner_breaks() {
    let mut pair = Pair::new(B);
    pair.established(contender(1, name(B, 1), None));
    assert_eq!(pair.established(contender(2, name(A, 1), None)).drain, Some(LinkId(1)));
    assert!(pair.lost(LinkId(2)));
    assert_eq!(pair.route(), None);
    assert_eq!(pair.claim(2).dead, Some(name(B, 1)), "whoever is drained is dead to us");
}

#[test]
fn links_of_one_pair_are_bounded() {
    let mut pair = Pair::new(B);
    let closed: Vec<_> = (0..50)
        .filter_map(|number| pair.established(contender(number, name(B, number), None)).close)
        .collect();
    assert_eq!(closed.len(), 50 - LINKS_PER_PAIR_MAX);
    assert_eq!(pair.links().count(), LINKS_PER_PAIR_MAX);
}

/// One connection: what each side knows of it.
#[derive(Clone, Copy, Debug)]
struct Wire {
    name: LinkName,
    dead: Option<LinkName>,
    /// By side: A, B.
    seen: [Seen; 2],
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Seen {
    NotYet,
    Up,
    Lost,
}

struct World {
    pairs: [Pair; 2],
    wires: Vec<Wire>,
    dials: [u64; 2],
}

impl World {
    fn new() -> Self {
        Self { pairs: [Pair::new(B), Pair::new(A)], wires: Vec::new(), dials: [0; 2] }
    }

    fn dial(&mut self, side: usize) {
        self.dials[side] += 1;
        let claim = self.pairs[side].claim(self.dials[side]);
        let name = name([A, B][side], claim.number);
        self.wires.push(Wire { name, dead: claim.dead, seen: [Seen::NotYet; 2] });
    }

    fn establish(&mut self, at: usize, side: usize) {
        let wire = &mut self.wires[at];
        wire.seen[side] = Seen::Up;
        let decision = self.pairs[side].established(contender(at as u64, wire.name, wire.dead));
        // Nothing runs on it, so a drained link closes at once.
        if let Some(LinkId(loser)) = decision.drain {
            self.lose(usize::try_from(loser).unwrap(), side);
        }
    }

    fn lose(&mut self, at: usize, side: usize) {
        self.wires[at].seen[side] = Seen::Lost;
        self.pairs[side].lost(LinkId(at as u64));
    }

    /// What can happen next: a side sees a link up, or sees that it is gone because the other side ended it.
    fn step(&mut self, rng: &mut Rng) -> bool {
        let mut can = Vec::new();
        for (at, wire) in self.wires.iter().enumerate() {
            for side in 0..2 {
                match (wire.seen[side], wire.seen[1 - side]) {
                    (Seen::NotYet | Seen::Up, Seen::Lost) => {
                        can.push((at, side, Seen::Lost));
                    }
                    (Seen::NotYet, _) => can.push((at, side, Seen::Up)),
                    _ => {}
                }
            }
        }
        let Some((at, side, what)) = can.get(rng.index(can.len())).copied() else { return false };
        match what {
            Seen::Up => self.establish(at, side),
            _ => self.lose(at, side),
        }
        true
    }
}

#[test]
fn at_rest_both_sides_use_the_same_link_whatever_happened() {
    for seed in 0..20_000 {
        let (mut rng, mut world) = (Rng::from_seed(seed), World::new());
        for _ in 0..rng.below(30) {
            match rng.below(6) {
                0 => world.dial(0),
                1 => world.dial(1),
                2 => {
                    // A side thinks that a link broke; the other will see it later.
                    let side = rng.index(2);
                    if let Some(LinkId(at)) = world.pairs[side].route() {
                        world.lose(usize::try_from(at).unwrap(), side);
                    }
                }
                _ => drop(world.step(&mut rng)),
            }
        }
        while world.step(&mut rng) {}
        let [a, b] = &world.pairs;
        assert_eq!(a.route(), b.route(), "seed {seed}: {:?}", world.wires);
        // Somebody dials last: then there is a link, and only one.
        let side = rng.index(2);
        world.dial(side);
        world.dial(1 - side);
        while world.step(&mut rng) {}
        let [a, b] = &world.pairs;
        assert!(a.route().is_some(), "seed {seed}: {:?}", world.wires);
        assert_eq!(a.route(), b.route(), "seed {seed}: {:?}", world.wires);
        assert_eq!((a.links().count(), b.links().count()), (1, 1));
    }
}
