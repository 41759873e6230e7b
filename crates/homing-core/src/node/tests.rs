//! Several nodes, virtual time, datagrams that get lost, and links that stand at once.

mod anew;

use super::control::Control;
use super::*;
use crate::crypto::KeyId;
use crate::crypto::fake::Fake;
use crate::id::Epoch;
use crate::limits::{LEASE, SUSPICION};
use crate::registry::{Filter, Guard, InstanceState, OfferRecord, OfferState, Snapshot};
use crate::talk::{Code, Status};
use crate::wire::datagram::{Header, seal};
use crate::wire::{DatagramKind, DialClaim, Peer as About};
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::Duration;

const DELAY: Duration = Duration::from_millis(1);

fn id(number: usize) -> NodeId {
    let mut bytes = [0; 16];
    bytes[0] = u8::try_from(number * 73 % 256).unwrap();
    bytes[15] = u8::try_from(number + 1).unwrap();
    NodeId::from_bytes(bytes)
}

fn socket(number: usize) -> SocketAddr {
    ([127, 0, 0, 1], 7_000 + u16::try_from(number).unwrap()).into()
}

fn tcp(number: usize) -> TransportAddr {
    TransportAddr::Tcp(socket(number))
}

fn about(number: usize, kind: Kind) -> About {
    About {
        id: id(number),
        key: [0; 32],
        epoch: Epoch(1),
        kind,
        name: format!("node-{number}").parse().unwrap(),
        agent: "test/1".into(),
        addresses: vec![tcp(number)],
    }
}

fn offer(name: &str) -> Arc<OfferRecord> {
    Arc::new(OfferRecord {
        namespace: "default".parse().unwrap(),
        service: name.parse().unwrap(),
        version: None,
        methods: vec![],
        labels: vec![],
        metadata: bytes::Bytes::new(),
        state: OfferState::Open,
        origin: None,
    })
}

/// What a dial says of itself until both sides know the link.
#[derive(Debug)]
struct Dialling {
    from: usize,
    dial: DialId,
    node: Option<NodeId>,
    addresses: Vec<TransportAddr>,
    claim: DialClaim,
}

#[derive(Debug)]
enum Flying {
    Datagram { from: usize, to: SocketAddr, bytes: Vec<u8> },
    Scout { from: usize, bytes: Vec<u8> },
    Control { wire: u64, to: usize, bytes: Vec<u8> },
    Dial(Dialling),
    Up { wire: u64, to: usize, dialler: Dialler, peer: usize },
    Down { wire: u64, to: usize, code: Code },
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Running {
    Yes,
    Paused { since: Time },
    Crashed,
}

struct Seat {
    node: Node,
    about: About,
    state: Running,
    address: SocketAddr,
    snapshot: Arc<Snapshot>,
    /// The route of each peer, as told.
    routes: BTreeMap<NodeId, LinkId>,
    events: Vec<(Time, NodeEvent)>,
    ended: Option<String>,
    wakes: u64,
}

struct World {
    now: Time,
    rng: Rng,
    seats: Vec<Seat>,
    flying: BTreeMap<(Time, u64), Flying>,
    /// The two ends of each link that stands.
    wires: BTreeMap<u64, [usize; 2]>,
    lost_percent: u64,
    /// Those before and those from this number on cannot reach each other.
    cut_before: usize,
    /// Nobody can dial this one.
    undialled: Option<usize>,
    jitter: Duration,
    order: u64,
}

impl World {
    fn new(seed: u64) -> Self {
        Self {
            now: Time::from_millis(3),
            rng: Rng::from_seed(seed),
            seats: Vec::new(),
            flying: BTreeMap::new(),
            wires: BTreeMap::new(),
            lost_percent: 0,
            cut_before: 0,
            undialled: None,
            jitter: Duration::ZERO,
            order: 0,
        }
    }

    fn members(count: usize, seed: u64) -> Self {
        let mut world = Self::new(seed);
        (0..count).for_each(|_| {
            world.add(Kind::Member, *b"the-mesh");
        });
        (1..count).for_each(|number| world.suggest(number, 0));
        world
    }

    fn add(&mut self, kind: Kind, mesh: [u8; 8]) -> usize {
        let number = self.seats.len();
        let about = about(number, kind);
        let config = NodeConfig {
            me: about.clone(),
            mesh,
            host: 1,
            seeds: vec![],
            redial: BackOff::default(),
            guard: Guard::Keyed,
            token: None,
            interest: Filter::All,
        };
        let node = Node::new(self.now, config, self.rng.split(), Arc::new(Fake::PLAIN));
        self.seats.push(Seat {
            node,
            about,
            state: Running::Yes,
            address: socket(number),
            snapshot: Arc::default(),
            routes: BTreeMap::new(),
            events: vec![],
            ended: None,
            wakes: 0,
        });
        self.input(number, Input::Listening { addresses: vec![tcp(number)] });
        number
    }

    fn suggest(&mut self, to: usize, whom: usize) {
        let source = Source::Rendezvous;
        let node = Some(self.seats[whom].about.id);
        self.input(to, Input::Suggested { source, node, addresses: vec![tcp(whom)] });
    }

    fn input(&mut self, number: usize, input: Input<'_>) {
        let seat = &mut self.seats[number];
        if seat.state == Running::Yes && seat.ended.is_none() {
            seat.wakes += 1;
            seat.node.handle_input(self.now, input);
            self.collect(number);
        }
    }

    fn fly(&mut self, flying: Flying) {
        self.order += 1;
        let late =
            Duration::from_nanos(self.rng.below(u64::try_from(self.jitter.as_nanos()).unwrap()));
        // Streams keep their order.
        let late = if matches!(flying, Flying::Control { .. }) { Duration::ZERO } else { late };
        self.flying.insert((self.now + DELAY + late, self.order), flying);
    }

    fn collect(&mut self, from: usize) {
        while let Some(output) = self.seats[from].node.poll_output() {
            let seat = &mut self.seats[from];
            match output {
                Output::Datagram { to, bytes } => {
                    assert!(bytes.len() <= crate::limits::DATAGRAM_MAX);
                    if !self.rng.chance(self.lost_percent, 100) {
                        self.fly(Flying::Datagram { from, to, bytes });
                    }
                }
                Output::Scout(bytes) => self.fly(Flying::Scout { from, bytes }),
                Output::Control { link, bytes } => self.control(from, link.0, bytes),
                Output::Dial { dial, node, addresses, claim } => {
                    assert!(!addresses.is_empty());
                    self.fly(Flying::Dial(Dialling { from, dial, node, addresses, claim }));
                }
                // Nothing runs on links here, so a drained one closes at once.
                Output::Drain { link } => self.cut(link.0, Code::Ok),
                Output::Close { link, status } => self.cut(link.0, status.code),
                Output::Snapshot(snapshot) => seat.snapshot = snapshot,
                Output::Route { node, link: Some(link) } => drop(seat.routes.insert(node, link)),
                Output::Route { node, link: None } => drop(seat.routes.remove(&node)),
                Output::Refused { status, .. } | Output::Fatal(status) => {
                    seat.ended = Some(status.to_string());
                }
                Output::Event(event) => seat.events.push((self.now, event)),
                Output::Left => seat.ended = Some("left".into()),
                Output::Raise { above } => {
                    seat.about.epoch = Epoch(above.0 + 1);
                    seat.node.begin_anew(self.now, seat.about.epoch);
                }
            }
        }
    }

    fn control(&mut self, from: usize, wire: u64, bytes: Vec<u8>) {
        assert!(bytes.len() <= crate::limits::CHUNK_MAX);
        if let Some(ends) = self.wires.get(&wire) {
            let to = if ends[0] == from { ends[1] } else { ends[0] };
            self.fly(Flying::Control { wire, to, bytes });
        }
    }

    fn cut(&mut self, wire: u64, code: Code) {
        for to in self.wires.remove(&wire).into_iter().flatten() {
            self.fly(Flying::Down { wire, to, code });
        }
    }

    fn land(&mut self, flying: Flying) {
        match flying {
            Flying::Datagram { from, to, mut bytes } => {
                let listens = |seat: &Seat| seat.address == to && seat.state != Running::Crashed;
                let number = self.seats.iter().position(listens);
                if let Some(number) = number.filter(|number| self.can_reach(from, *number)) {
                    let input = Input::Datagram {
                        from: socket(from),
                        bytes: &mut bytes,
                        source: Source::Broadcast,
                    };
                    self.input(number, input);
                }
            }
            Flying::Scout { from, bytes } => {
                for number in 0..self.seats.len() {
                    if number == from || !self.can_reach(from, number) {
                        continue;
                    }
                    let bytes = &mut bytes.clone();
                    self.input(
                        number,
                        Input::Datagram { from: socket(from), bytes, source: Source::Broadcast },
                    );
                }
            }
            // What was said before a link was closed arrives all the same.
            Flying::Control { wire, to, bytes } => {
                self.input(to, Input::Control { link: LinkId(wire), bytes: &bytes });
            }
            Flying::Dial(dialling) => self.shake_hands(dialling),
            Flying::Up { wire, to, dialler, peer } => {
                let about = self.seats[peer].about.clone();
                let address = Some(tcp(peer));
                self.input(
                    to,
                    Input::Established { link: LinkId(wire), dialler, peer: about, address },
                );
            }
            Flying::Down { wire, to, code } => {
                self.input(
                    to,
                    Input::Lost {
                        link: LinkId(wire),
                        status: Status::new(code, "the link is gone"),
                    },
                );
            }
        }
    }

    fn shake_hands(&mut self, dialling: Dialling) {
        let Dialling { from, dial, node, addresses, claim } = dialling;
        let answers = |seat: &Seat| {
            addresses.contains(&TransportAddr::Tcp(seat.address))
                && seat.state == Running::Yes
                && seat.ended.is_none()
                && node.is_none_or(|node| node == seat.about.id)
                && seat.node.config.mesh == self.seats[from].node.config.mesh
        };
        let to = self.seats.iter().position(answers);
        let can_dial = |to: &usize| self.can_reach(from, *to) && self.undialled != Some(*to);
        let Some(to) = to.filter(can_dial) else {
            let tried = addresses.into_iter().map(|addr| (addr, "refused".into())).collect();
            return self.input(from, Input::DialFailed { dial, tried });
        };
        self.order += 1;
        let wire = self.order;
        self.wires.insert(wire, [from, to]);
        self.fly(Flying::Up { wire, to, dialler: Dialler::Them(claim), peer: from });
        self.fly(Flying::Up { wire, to: from, dialler: Dialler::Us(dial), peer: to });
    }

    fn run(&mut self, span: Duration) {
        let end = self.now + span;
        while let Some(at) = self.next().filter(|at| *at <= end) {
            self.now = self.now.max(at);
            while let Some(first) =
                self.flying.first_entry().filter(|first| first.key().0 <= self.now)
            {
                let flying = first.remove();
                self.land(flying);
            }
            for number in 0..self.seats.len() {
                let seat = &mut self.seats[number];
                let due = seat.node.poll_timeout().is_some_and(|at| at <= self.now);
                if due && seat.state == Running::Yes && seat.ended.is_none() {
                    seat.wakes += 1;
                    seat.node.handle_timeout(self.now);
                    let next = seat.node.poll_timeout();
                    assert!(
                        next.is_none_or(|at| at > self.now),
                        "a timer that never ends: {next:?}"
                    );
                    self.collect(number);
                }
            }
        }
        self.now = end;
    }

    fn next(&self) -> Option<Time> {
        let awake =
            self.seats.iter().filter(|seat| seat.state == Running::Yes && seat.ended.is_none());
        let timer = awake.filter_map(|seat| seat.node.poll_timeout()).min();
        timer.into_iter().chain(self.flying.keys().next().map(|key| key.0)).min()
    }

    fn crash(&mut self, number: usize) {
        self.seats[number].state = Running::Crashed;
        let its: Vec<u64> = self
            .wires
            .iter()
            .filter(|(_, ends)| ends.contains(&number))
            .map(|(wire, _)| *wire)
            .collect();
        for wire in its {
            self.cut(wire, Code::Unavailable);
        }
    }

    fn can_reach(&self, from: usize, to: usize) -> bool {
        (from < self.cut_before) == (to < self.cut_before)
    }

    fn split(&mut self, before: usize) {
        self.cut_before = before;
        let torn: Vec<u64> = self
            .wires
            .iter()
            .filter(|(_, ends)| !self.can_reach(ends[0], ends[1]))
            .map(|(wire, _)| *wire)
            .collect();
        for wire in torn {
            self.cut(wire, Code::Unavailable);
        }
    }

    fn pause(&mut self, number: usize) {
        self.seats[number].state = Running::Paused { since: self.now };
    }

    fn wake(&mut self, number: usize) {
        let Running::Paused { since } = self.seats[number].state else { panic!("it runs") };
        self.seats[number].state = Running::Yes;
        self.input(number, Input::Stalled(self.now.since(since)));
    }

    /// Each name under a key of its own.
    fn offer(&mut self, number: usize, name: &str) {
        let key = RecordKey(u32::from(name.as_bytes()[0]));
        self.input(number, Input::Offer { key, offer: offer(name) });
    }

    /// The nodes that serve `name` and can be called, as this node sees it.
    fn serving(&self, number: usize, name: &str) -> Vec<NodeId> {
        let (namespace, service) = ("default".parse().unwrap(), name.parse().unwrap());
        let instances = self.seats[number].snapshot.instances(&namespace, &service);
        instances
            .iter()
            .filter(|one| one.state == InstanceState::Ready)
            .map(|one| one.node)
            .collect()
    }

    fn links_between(&self, one: usize, other: usize) -> Vec<u64> {
        let both = |ends: &[usize; 2]| ends.contains(&one) && ends.contains(&other);
        self.wires.iter().filter(|(_, ends)| both(ends)).map(|(wire, _)| *wire).collect()
    }

    #[track_caller]
    fn all_know_all(&self) {
        let running: Vec<usize> = (0..self.seats.len())
            .filter(|number| self.seats[*number].state == Running::Yes)
            .collect();
        for number in &running {
            let members = self.seats[*number].node.members().count();
            assert_eq!(members, running.len() - 1, "node {number} at {}", self.now);
            assert_eq!(
                self.seats[*number].node.registry_hash(),
                self.seats[running[0]].node.registry_hash()
            );
            assert!(self.seats[*number].snapshot.synced);
        }
    }
}

fn seconds(count: u64) -> Duration {
    Duration::from_secs(count)
}

fn millis(count: u64) -> Duration {
    Duration::from_millis(count)
}

#[test]
fn nodes_find_each_other_from_one_suggestion_each() {
    for (count, lost) in [(2, 0), (5, 5), (20, 5)] {
        let mut world = World::members(count, 1);
        world.lost_percent = lost;
        (0..count).for_each(|number| world.offer(number, "words"));
        world.run(seconds(5));
        world.all_know_all();
        (0..count).for_each(|number| assert_eq!(world.serving(number, "words").len(), count));
    }
}

#[test]
fn a_newcomer_knows_all_within_a_quarter_of_a_second() {
    let mut world = World::members(10, 2);
    (0..10).for_each(|number| world.offer(number, "words"));
    world.run(seconds(5));
    let new = world.add(Kind::Member, *b"the-mesh");
    world.suggest(new, 4);
    world.run(millis(250));
    assert!(world.seats[new].snapshot.synced);
    assert_eq!(world.serving(new, "words").len(), 10);
    world.run(seconds(1));
    world.all_know_all();
}

#[test]
fn scouting_alone_is_enough_and_does_not_make_everybody_dial() {
    let mut world = World::new(3);
    (0..20).for_each(|_| {
        world.add(Kind::Member, *b"the-mesh");
    });
    world.run(seconds(5));
    world.all_know_all();
    let before = world.wires.len();
    world.add(Kind::Member, *b"the-mesh");
    world.run(seconds(3));
    world.all_know_all();
    let links = world.wires.len() - before;
    assert!(links <= 10, "{links} links to the newcomer");
}

#[test]
fn crossing_dials_leave_one_link_which_both_sides_use() {
    for seed in 0..1_000 {
        let mut world = World::new(seed);
        (0..2).for_each(|_| {
            world.add(Kind::Member, *b"the-mesh");
        });
        world.jitter = millis(40);
        world.suggest(0, 1);
        world.suggest(1, 0);
        world.run(seconds(1));
        let links = world.links_between(0, 1);
        assert_eq!(links.len(), 1, "seed {seed}");
        let route = |number: usize, peer| world.seats[number].node.route(&id(peer));
        assert_eq!(
            (route(0, 1), route(1, 0)),
            (Some(LinkId(links[0])), Some(LinkId(links[0]))),
            "seed {seed}"
        );
        assert_eq!(world.seats[0].routes.get(&id(1)), Some(&LinkId(links[0])));
    }
}

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
    let new = world.add(Kind::Member, *b"the-mesh");
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

#[test]
fn a_visitor_syncs_follows_and_takes_another_guide() {
    let mut world = World::members(4, 8);
    (0..4).for_each(|number| world.offer(number, "words"));
    world.run(seconds(3));
    let visitor = world.add(Kind::Visitor, *b"the-mesh");
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
    let visitor = world.add(Kind::Visitor, *b"the-mesh");
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
    let visitor = world.add(Kind::Visitor, *b"the-mesh");
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
    let visitor = world.add(Kind::Visitor, *b"the-mesh");
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
    let visitor = world.add(Kind::Visitor, *b"the-mesh");
    world.suggest(visitor, 0);
    world.run(DELAY * 6); // The dial, its end, the question, the answer.
    assert!(world.seats[visitor].snapshot.synced);
    assert_eq!(world.serving(visitor, "words").len(), 1);
}

#[test]
fn nodes_of_another_mesh_never_link() {
    let mut world = World::new(9);
    world.add(Kind::Member, *b"one-mesh");
    world.add(Kind::Member, *b"two-mesh");
    world.suggest(0, 1);
    world.run(seconds(10));
    assert!(world.wires.is_empty());
    assert!(world.seats[0].node.stats().foreign > 0);
    assert!(world.seats.iter().all(|seat| seat.snapshot.synced), "each is alone");
}

#[test]
fn a_lone_node_knows_after_a_second_that_it_is_alone() {
    let mut world = World::new(10);
    world.add(Kind::Member, *b"the-mesh");
    world.run(millis(900));
    assert!(!world.seats[0].snapshot.synced);
    world.run(millis(200));
    assert!(world.seats[0].snapshot.synced);
}

#[test]
fn an_idle_pair_wakes_at_most_ten_times_a_second() {
    let mut world = World::members(2, 11);
    world.run(seconds(20));
    world.seats.iter_mut().for_each(|seat| seat.wakes = 0);
    world.run(seconds(20));
    for seat in &world.seats {
        assert!(seat.wakes <= 200, "{} wakes in 20 s", seat.wakes);
    }
}

#[test]
fn an_idle_link_closes_unless_somebody_at_either_end_keeps_it() {
    let mut world = World::members(2, 12);
    world.run(seconds(1));
    world.input(0, Input::Keep { node: id(1), wish: Wish::Keep });
    world.run(seconds(1));
    let idle = |world: &mut World| {
        let link = world.links_between(0, 1)[0];
        (0..2).for_each(|number| world.input(number, Input::Idle { link: LinkId(link) }));
        world.run(seconds(1));
        world.links_between(0, 1).len()
    };
    assert_eq!(idle(&mut world), 1, "kept");
    world.input(0, Input::Keep { node: id(1), wish: Wish::Release });
    world.run(seconds(1));
    assert_eq!(idle(&mut world), 0, "released");
    world.offer(1, "words");
    world.run(seconds(3));
    assert_eq!(world.serving(0, "words"), [id(1)], "without a link it can be called all the same");
    world.input(0, Input::Want { node: id(1) });
    world.run(millis(100));
    assert_eq!(world.links_between(0, 1).len(), 1, "wanted");
}

#[test]
fn a_kept_link_is_redialled_until_it_stands() {
    let mut world = World::members(2, 13);
    world.run(seconds(1));
    world.input(0, Input::Keep { node: id(1), wish: Wish::Keep });
    world.run(seconds(1));
    world.seats[1].address = socket(99);
    let link = world.links_between(0, 1)[0];
    world.cut(link, Code::Unavailable);
    world.run(seconds(3));
    world.seats[1].address = socket(1);
    world.run(seconds(8));
    assert_eq!(world.links_between(0, 1).len(), 1);
}

#[test]
fn a_second_process_with_our_identity_is_fatal_for_the_older() {
    let mut world = World::members(3, 14);
    world.run(seconds(2));
    let twin = world.add(Kind::Member, *b"the-mesh");
    let mut config = world.seats[twin].node.config.clone();
    config.me = About { epoch: Epoch(9), id: id(2), ..config.me };
    world.seats[twin].about = config.me.clone();
    world.seats[twin].node = Node::new(world.now, config, Rng::from_seed(1), Arc::new(Fake::PLAIN));
    world.input(twin, Input::Listening { addresses: vec![tcp(twin)] });
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
    let again = world.add(Kind::Member, *b"the-mesh");
    let mut config = world.seats[again].node.config.clone();
    config.me = About { epoch: Epoch(2), id: id(2), ..config.me };
    world.seats[again].about = config.me.clone();
    world.seats[again].node =
        Node::new(world.now, config, Rng::from_seed(1), Arc::new(Fake::PLAIN));
    world.input(again, Input::Listening { addresses: vec![tcp(again)] });
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
    let again = world.add(Kind::Member, *b"the-mesh");
    let mut config = world.seats[again].node.config.clone();
    config.me = About { epoch: Epoch(2), id: id(2), ..config.me };
    world.seats[again].about = config.me.clone();
    world.seats[again].node =
        Node::new(world.now, config, Rng::from_seed(1), Arc::new(Fake::PLAIN));
    world.input(again, Input::Listening { addresses: vec![tcp(again)] });
    world.suggest(again, 1);
    world.offer(again, "price");
    world.run(seconds(2));
    assert_eq!(world.serving(0, "price"), [id(2)]);
    world.input(0, Input::Control { link: old, bytes: &Control::Goodbye.encode() });
    world.run(seconds(1));
    assert_eq!(world.serving(0, "price"), [id(2)]);
}

#[test]
fn no_bytes_and_no_order_of_inputs_make_a_node_panic() {
    let mut world = World::members(3, 16);
    world.run(seconds(1));
    let mut rng = Rng::from_seed(4);
    let link = world.links_between(0, 1)[0];
    let kinds = [
        DatagramKind::Scout,
        DatagramKind::Membership,
        DatagramKind::Registry,
        DatagramKind::Goodbye,
        DatagramKind::Nonce,
    ];
    for round in 1..5_000 {
        let mut bytes: Vec<u8> =
            (0..rng.below(120)).map(|_| u8::try_from(rng.below(256)).unwrap()).collect();
        if let Some(kind) = bytes.first_mut().filter(|_| round % 2 == 0) {
            *kind = [1, 2, 3, 4, 5, 6, 7, 8, 9, 0x81, 0x82, 0x84][rng.index(12)];
        }
        world.input(0, Input::Control { link: LinkId(link), bytes: &bytes });
        let header = Header {
            kind: kinds[rng.index(5)],
            key: KeyId::NONE,
            sender: id(9),
            receiver: Some(id(0)),
            epoch: Epoch(1),
            counter: round,
            nonce: world.seats[0].node.sealer.nonce(),
        };
        let mut datagram = seal(&header, &bytes, &Fake::PLAIN).unwrap();
        let from = socket(1);
        world.input(0, Input::Datagram { from, bytes: &mut datagram, source: Source::Broadcast });
        world.input(0, Input::Datagram { from, bytes: &mut bytes, source: Source::Broadcast });
        world.input(
            0,
            Input::Lost { link: LinkId(rng.below(9)), status: Status::new(Code::Ok, "") },
        );
        world.input(0, Input::DialFailed { dial: DialId(rng.below(9)), tried: vec![] });
        world.input(0, Input::Idle { link: LinkId(rng.below(9)) });
        world.input(0, Input::Want { node: id(usize::try_from(rng.below(9)).unwrap()) });
    }
    world.run(seconds(10));
    assert!(SUSPICION < seconds(10));
}
