//! Several nodes, virtual time, datagrams that get lost, and links that stand at once.

use super::*;
use crate::registry::ServiceRecord;

pub(super) const DELAY: Duration = Duration::from_millis(1);

pub(super) fn id(number: usize) -> NodeId {
    let mut bytes = [0; 16];
    bytes[0] = u8::try_from(number * 73 % 256).unwrap();
    bytes[15] = u8::try_from(number + 1).unwrap();
    NodeId::from_bytes(bytes)
}

pub(super) fn socket(number: usize) -> SocketAddr {
    ([127, 0, 0, 1], 7_000 + u16::try_from(number).unwrap()).into()
}

pub(super) fn tcp(number: usize) -> TransportAddr {
    TransportAddr::Tcp(socket(number))
}

pub(super) fn about(number: usize, kind: Kind) -> About {
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

pub(super) fn offer(name: &str) -> Arc<OfferRecord> {
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
pub(super) struct Dialling {
    pub(super) from: usize,
    pub(super) dial: DialId,
    pub(super) node: Option<NodeId>,
    pub(super) addresses: Vec<TransportAddr>,
    pub(super) claim: DialClaim,
}

#[derive(Debug)]
pub(super) enum Flying {
    Datagram { from: usize, to: SocketAddr, bytes: Vec<u8> },
    Scout { from: usize, bytes: Vec<u8> },
    Control { wire: u64, to: usize, bytes: Vec<u8> },
    Dial(Dialling),
    Up { wire: u64, to: usize, dialler: Dialler, peer: usize },
    Down { wire: u64, to: usize, code: Code },
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Running {
    Yes,
    Paused { since: Time },
    Crashed,
}

pub(super) struct Seat {
    pub(super) node: Node,
    pub(super) about: About,
    pub(super) state: Running,
    pub(super) address: SocketAddr,
    pub(super) snapshot: Arc<Snapshot>,
    /// The route of each peer, as told.
    pub(super) routes: BTreeMap<NodeId, LinkId>,
    pub(super) events: Vec<(Time, NodeEvent)>,
    /// What became of wishes to connect.
    pub(super) connected: Vec<(ConnectId, Result<NodeId, NotConnected>)>,
    pub(super) spread: Vec<(u64, usize, usize)>,
    pub(super) freed: Vec<(u64, Result<Arc<ServiceRecord>, Status>)>,
    pub(super) ended: Option<String>,
    pub(super) wakes: u64,
}

pub(super) struct World {
    pub(super) now: Time,
    pub(super) rng: Rng,
    pub(super) seats: Vec<Seat>,
    pub(super) flying: BTreeMap<(Time, u64), Flying>,
    /// The two ends of each link that stands.
    pub(super) wires: BTreeMap<u64, [usize; 2]>,
    pub(super) lost_percent: u64,
    /// Those before and those from this number on cannot reach each other.
    pub(super) cut_before: usize,
    /// Nobody can dial this one.
    pub(super) undialled: Option<usize>,
    pub(super) jitter: Duration,
    pub(super) order: u64,
}

impl World {
    pub(super) fn new(seed: u64) -> Self {
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

    pub(super) fn members(count: usize, seed: u64) -> Self {
        let mut world = Self::new(seed);
        (0..count).for_each(|_| {
            world.add(Kind::Member, "the-mesh");
        });
        (1..count).for_each(|number| world.suggest(number, 0));
        world
    }

    pub(super) fn add(&mut self, kind: Kind, mesh: &str) -> usize {
        let number = self.seats.len();
        let about = about(number, kind);
        let config = NodeConfig {
            me: about.clone(),
            mesh: mesh.parse().unwrap(),
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
            connected: vec![],
            spread: Vec::new(),
            freed: Vec::new(),
            ended: None,
            wakes: 0,
        });
        self.input(number, Input::Listening { addresses: vec![tcp(number)] });
        number
    }

    /// Another process with the identity of `whose`, in that life.
    pub(super) fn add_life(&mut self, whose: usize, epoch: Epoch) -> usize {
        let number = self.add(Kind::Member, "the-mesh");
        let mut config = self.seats[number].node.config.clone();
        config.me = About { epoch, id: id(whose), ..config.me };
        let seat = &mut self.seats[number];
        seat.about = config.me.clone();
        seat.node = Node::new(self.now, config, Rng::from_seed(1), Arc::new(Fake::PLAIN));
        self.input(number, Input::Listening { addresses: vec![tcp(number)] });
        number
    }

    pub(super) fn suggest(&mut self, to: usize, whom: usize) {
        let source = Source::Rendezvous;
        let node = Some(self.seats[whom].about.id);
        self.input(to, Input::Suggested { source, node, addresses: vec![tcp(whom)] });
    }

    pub(super) fn input(&mut self, number: usize, input: Input<'_>) {
        let seat = &mut self.seats[number];
        if seat.state == Running::Yes && seat.ended.is_none() {
            seat.wakes += 1;
            seat.node.handle_input(self.now, input);
            self.collect(number);
        }
    }

    pub(super) fn fly(&mut self, flying: Flying) {
        self.order += 1;
        let late =
            Duration::from_nanos(self.rng.below(u64::try_from(self.jitter.as_nanos()).unwrap()));
        // Streams keep their order.
        let late = if matches!(flying, Flying::Control { .. }) { Duration::ZERO } else { late };
        let at = (self.now + DELAY + late).max(self.risen_at(&flying));
        self.flying.insert((at, self.order), flying);
    }

    /// What a link carries comes after the link itself.
    fn risen_at(&self, carried: &Flying) -> Time {
        let Flying::Control { wire, to, .. } = carried else { return Time::ZERO };
        let is_its = |flying: &Flying| matches!(flying, Flying::Up { wire: its, to: whose, .. } if (its, whose) == (wire, to));
        let its = self.flying.iter().find(|(_, flying)| is_its(flying));
        its.map_or(Time::ZERO, |(key, _)| key.0)
    }

    pub(super) fn collect(&mut self, from: usize) {
        while let Some(output) = self.seats[from].node.poll_output() {
            let seat = &mut self.seats[from];
            match output {
                Output::Datagram { to, bytes } => {
                    assert!(bytes.len() <= crate::limits::DATAGRAM_MAX);
                    if !self.rng.chance(self.lost_percent, 100) {
                        self.fly(Flying::Datagram { from, to, bytes });
                    }
                }
                // A broadcast is as easily lost as any datagram.
                Output::Scout(bytes) => {
                    if self.lost_percent == 0 || !self.rng.chance(self.lost_percent, 100) {
                        self.fly(Flying::Scout { from, bytes });
                    }
                }
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
                Output::Connected { connect, outcome } => seat.connected.push((connect, outcome)),
                Output::Spread { token, acknowledged, of } => {
                    seat.spread.push((token, acknowledged, of));
                }
                Output::Freed { token, outcome } => seat.freed.push((token, outcome)),
                Output::Event(event) => seat.events.push((self.now, event)),
                Output::Left => seat.ended = Some("left".into()),
                Output::Raise { above } => {
                    seat.about.epoch = Epoch(above.0 + 1);
                    seat.node.begin_anew(self.now, seat.about.epoch);
                }
            }
        }
    }

    pub(super) fn control(&mut self, from: usize, wire: u64, bytes: Vec<u8>) {
        assert!(bytes.len() <= crate::limits::CHUNK_MAX);
        if let Some(ends) = self.wires.get(&wire) {
            let to = if ends[0] == from { ends[1] } else { ends[0] };
            self.fly(Flying::Control { wire, to, bytes });
        }
    }

    pub(super) fn cut(&mut self, wire: u64, code: Code) {
        for to in self.wires.remove(&wire).into_iter().flatten() {
            self.fly(Flying::Down { wire, to, code });
        }
    }

    pub(super) fn land(&mut self, flying: Flying) {
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

    pub(super) fn shake_hands(&mut self, dialling: Dialling) {
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

    pub(super) fn run(&mut self, span: Duration) {
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

    pub(super) fn next(&self) -> Option<Time> {
        let awake =
            self.seats.iter().filter(|seat| seat.state == Running::Yes && seat.ended.is_none());
        let timer = awake.filter_map(|seat| seat.node.poll_timeout()).min();
        timer.into_iter().chain(self.flying.keys().next().map(|key| key.0)).min()
    }

    pub(super) fn crash(&mut self, number: usize) {
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

    pub(super) fn can_reach(&self, from: usize, to: usize) -> bool {
        (from < self.cut_before) == (to < self.cut_before)
    }

    pub(super) fn split(&mut self, before: usize) {
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

    pub(super) fn pause(&mut self, number: usize) {
        self.seats[number].state = Running::Paused { since: self.now };
    }

    pub(super) fn wake(&mut self, number: usize) {
        let Running::Paused { since } = self.seats[number].state else { panic!("it runs") };
        self.seats[number].state = Running::Yes;
        self.input(number, Input::Stalled(self.now.since(since)));
    }

    /// Each name under a key of its own.
    pub(super) fn offer(&mut self, number: usize, name: &str) {
        let key = RecordKey(u32::from(name.as_bytes()[0]));
        self.input(number, Input::Offer { key, offer: offer(name) });
    }

    /// The nodes that serve `name` and can be called, as this node sees it.
    pub(super) fn serving(&self, number: usize, name: &str) -> Vec<NodeId> {
        let (namespace, service) = ("default".parse().unwrap(), name.parse().unwrap());
        let instances = self.seats[number].snapshot.instances(&namespace, &service);
        instances
            .iter()
            .filter(|one| one.state == InstanceState::Ready)
            .map(|one| one.node)
            .collect()
    }

    pub(super) fn links_between(&self, one: usize, other: usize) -> Vec<u64> {
        let both = |ends: &[usize; 2]| ends.contains(&one) && ends.contains(&other);
        self.wires.iter().filter(|(_, ends)| both(ends)).map(|(wire, _)| *wire).collect()
    }

    #[track_caller]
    pub(super) fn all_know_all(&self) {
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

pub(super) fn seconds(count: u64) -> Duration {
    Duration::from_secs(count)
}

pub(super) fn millis(count: u64) -> Duration {
    Duration::from_millis(count)
}
