//! What does a process do with its machines? The same as the driver: it moves their values, and decides nothing.

use crate::caller::Caller;
use crate::event::{Command, Effect, End, Note, OfferOrder, Stimulus, Via};
use crate::keys::Keys;
use crate::mesh;
use crate::server::{Origin, Server};
use crate::topics::Topics;
use crate::voice::Voices;
use crate::wires::{DialOrder, Wires};
use homing_core::addr::TransportAddr;
use homing_core::crypto::Crypto;
use homing_core::id::{Epoch, NodeId};
use homing_core::limits::{DRAIN_TIME, GOING_DRAIN_TIME, STALL};
use homing_core::link;
use homing_core::node::{self, BackOff, LinkId, Node, NodeConfig, NodeEvent, Source};
use homing_core::registry::{Filter, Guard, OfferState, RecordKey, Snapshot};
use homing_core::requester::{self, LinkState};
use homing_core::rng::Rng;
use homing_core::talk::{Code, Status};
use homing_core::time::Time;
use homing_core::wire::{Kind, Peer};
use std::collections::VecDeque;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

/// A process with all its machines.
pub(crate) struct Process {
    pub(crate) who: Who,
    pub(crate) node: Node,
    pub(crate) wires: Wires,
    pub(crate) caller: Caller,
    pub(crate) server: Server,
    pub(crate) voices: Voices,
    pub(crate) topics: Topics,
    pub(crate) phase: Phase,
    pub(crate) snapshot: Arc<Snapshot>,
    pub(crate) effects: VecDeque<Effect>,
    /// The timer that the world holds for us.
    pub(crate) alarm: Option<Time>,
}

/// Who lives in a process.
#[derive(Clone, Debug)]
pub(crate) struct Who {
    pub(crate) keys: Keys,
    pub(crate) epoch: Epoch,
    pub(crate) kind: Kind,
    pub(crate) addresses: Vec<SocketAddr>,
    /// Unique in the world: tells this process from every other that ever was.
    pub(crate) life: u64,
}

/// How far a process is from its end.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Phase {
    Running,
    /// It finishes its work, then says goodbye.
    Draining {
        until: Time,
    },
    /// It says goodbye.
    Leaving,
    /// It waits for its links to end.
    Closing {
        until: Time,
    },
    Gone,
}

impl Who {
    pub(crate) fn id(&self) -> NodeId {
        self.keys.id()
    }
}

impl Process {
    /// A process that has just started.
    pub(crate) fn new(now: Time, who: Who, mut rng: Rng) -> Self {
        let mut addresses: Vec<_> = who.addresses.iter().copied().map(TransportAddr::Tcp).collect();
        if who.kind == Kind::Visitor {
            addresses.clear(); // Nobody dials one.
        }
        let me = Peer {
            id: who.id(),
            key: who.keys.public_key(),
            epoch: who.epoch,
            kind: who.kind,
            name: format!("node-{}", who.life).parse().expect("a name of plain letters"),
            agent: "homing-sim".to_owned(),
            addresses: addresses.clone(),
        };
        let config = NodeConfig {
            me: me.clone(),
            mesh: "simulate".parse().expect("a name of plain letters"),
            host: 0,
            seeds: Vec::new(),
            redial: BackOff::default(),
            guard: Guard::Keyed,
            token: None,
            interest: Filter::All,
        };
        let mut node = Node::new(now, config, rng.split(), Arc::new(who.keys));
        node.handle_input(now, node::Input::Listening { addresses });
        let mut process = Self {
            node,
            // Numbers of connections are unique in the world, so that traces can be read.
            wires: Wires::new(who.keys, me, who.life << 32, rng.split()),
            caller: Caller::new(rng.split()),
            server: Server::default(),
            voices: Voices::default(),
            topics: Topics::default(),
            phase: Phase::Running,
            snapshot: Arc::default(),
            effects: VecDeque::new(),
            alarm: None,
            who,
        };
        process.settle(now);
        process
    }

    /// Takes in what happened.
    pub(crate) fn handle(&mut self, now: Time, stimulus: Stimulus) {
        match stimulus {
            Stimulus::Datagram { from, bytes, via } => self.datagram(now, (from, via), &bytes),
            Stimulus::Incoming { conn } => self.wires.accept(now, conn),
            Stimulus::Accepted { conn } => self.wires.answered(now, conn, &mut self.effects),
            Stimulus::Refused { conn } => self.wires.refused(now, conn, &mut self.effects),
            Stimulus::Bytes { conn, bytes } => self.wires.receive(now, conn, &bytes),
            Stimulus::Ended { conn, why } => {
                if let Some(line) = self.wires.touch(conn) {
                    line.link.handle_input(now, link::Input::Broken(why.to_owned()));
                } else {
                    self.wires.refused(now, conn, &mut self.effects);
                }
            }
            Stimulus::Worked { work } => self.worked(now, work),
            Stimulus::Step(step) => self.step(now, step),
            Stimulus::Read(subscription) => self.read(subscription),
            Stimulus::Found { node, addresses } => self.found(now, node, &addresses),
            Stimulus::Command(command) => self.obey(now, command),
        }
        self.settle(now);
    }

    /// This process stood still for so long; all that came meanwhile was handled.
    pub(crate) fn stalled(&mut self, now: Time, span: Duration) {
        if span > STALL {
            self.node.handle_input(now, node::Input::Stalled(span));
        }
        self.wake(now);
    }

    /// Runs the timers that are due.
    pub(crate) fn wake(&mut self, now: Time) {
        if self.node.poll_timeout().is_some_and(|at| at <= now) {
            self.node.handle_timeout(now);
        }
        if self.caller.requester.poll_timeout().is_some_and(|at| at <= now) {
            self.caller.requester.handle_timeout(now);
        }
        self.wires.wake(now, &mut self.effects);
        self.topics.wake(now);
        self.settle(now);
    }

    /// When to wake it next.
    pub(crate) fn next_wake(&self) -> Option<Time> {
        let phase = match self.phase {
            Phase::Draining { until } | Phase::Closing { until } => Some(until),
            Phase::Running | Phase::Leaving | Phase::Gone => None,
        };
        let machines = [self.node.poll_timeout(), self.caller.requester.poll_timeout()];
        let others = [self.wires.next_wake(), self.topics.next_wake(), phase];
        machines.into_iter().chain(others).flatten().min()
    }

    /// Whose timers are due.
    pub(crate) fn due_at_once(&self, now: Time) -> String {
        let due = [
            ("node", self.node.poll_timeout()),
            ("requester", self.caller.requester.poll_timeout()),
            ("links and dials", self.wires.next_wake()),
            ("messages", self.topics.next_wake()),
        ];
        let due = due.iter().filter(|(_, at)| at.is_some_and(|at| at <= now));
        due.map(|(who, _)| *who).collect::<Vec<_>>().join(", ")
    }

    /// So many bytes have arrived at the other end.
    pub(crate) fn acked(&mut self, now: Time, conn: LinkId, bytes: usize) {
        self.wires.acked(conn, bytes);
        self.settle(now);
    }

    /// Whether it is about to end.
    pub(crate) fn is_ending(&self) -> bool {
        self.phase != Phase::Running
    }

    /// What it does next.
    pub(crate) fn poll_effect(&mut self) -> Option<Effect> {
        self.effects.pop_front()
    }

    pub(crate) fn note(&mut self, note: Note) {
        self.effects.push_back(Effect::Note(note));
    }

    /// Lets the machines hear of each other until all is quiet.
    fn settle(&mut self, now: Time) {
        loop {
            let moved = self.move_node(now)
                || self.move_requester(now)
                || self.move_responders(now)
                || self.move_links(now)
                || self.move_dials(now)
                || self.move_topics(now);
            if !moved {
                break;
            }
        }
        self.go_on(now);
    }

    fn move_node(&mut self, now: Time) -> bool {
        let Some(output) = self.node.poll_output() else { return false };
        match output {
            node::Output::Datagram { to, bytes } => {
                self.effects.push_back(Effect::Datagram { to, bytes });
            }
            node::Output::Scout(bytes) => self.effects.push_back(Effect::Scout { bytes }),
            node::Output::Control { link, bytes } => {
                self.link_input(now, link, link::Input::Control(bytes.into()));
            }
            node::Output::Dial { dial, node, addresses, claim } => {
                let order = DialOrder { dial, node, addresses, claim };
                self.wires.dial(now, order, &mut self.effects);
            }
            node::Output::Drain { link } => self.link_input(now, link, link::Input::Drain),
            node::Output::Close { link, status } => {
                self.link_input(now, link, link::Input::Close(status));
            }
            node::Output::Snapshot(snapshot) => self.adopt(now, snapshot),
            node::Output::Route { node, link } => self.route(now, node, link),
            node::Output::Event(NodeEvent::Unreachable { node: Some(node), .. }) => {
                self.unreachable(now, node);
            }
            node::Output::Event(event) => self.note(Note::Told(event)),
            node::Output::Refused { key, status } => {
                self.note(Note::Fatal(Status { message: format!("{key:?}: {status}"), ..status }));
            }
            // Nobody here connects by hand, or asks how far a record came.
            node::Output::Connected { .. }
            | node::Output::Spread { .. }
            | node::Output::Freed { .. } => {}
            node::Output::Left => self.close_all(now),
            // Every life here is later than the one before, so nobody can know a later one.
            node::Output::Raise { above } => {
                let why = format!("a life after {above} is asked for");
                self.note(Note::Fatal(Status::not_started(Code::Internal, why)));
            }
            node::Output::Fatal(status) => self.note(Note::Fatal(status)),
        }
        true
    }

    fn move_dials(&mut self, now: Time) -> bool {
        let Some(failed) = self.wires.pop_failed(now, &mut self.effects) else { return false };
        let (dial, tried) = (failed.dial, failed.tried);
        self.node.handle_input(now, node::Input::DialFailed { dial, tried });
        if let Some(node) = failed.node {
            self.unreachable(now, node);
        }
        true
    }

    /// The next step of a process that is about to end.
    fn go_on(&mut self, now: Time) {
        match self.phase {
            Phase::Draining { until } => {
                let idle = self.server.len() == 0 && self.caller.len() == 0;
                if now >= until || (idle && self.server.offers().next().is_none()) {
                    self.phase = Phase::Leaving;
                    self.node.handle_input(now, node::Input::Leave);
                    self.settle(now);
                }
            }
            Phase::Closing { until } => {
                if now >= until || self.wires.lines().next().is_none() {
                    self.phase = Phase::Gone;
                    self.effects.push_back(Effect::Exit);
                }
            }
            Phase::Running | Phase::Leaving | Phase::Gone => {}
        }
    }

    fn datagram(&mut self, now: Time, (from, via): (SocketAddr, Via), bytes: &[u8]) {
        let source = match via {
            Via::Own => Source::Itself,
            Via::Scouting => Source::Broadcast,
        };
        let mut bytes = bytes.to_vec();
        self.node.handle_input(now, node::Input::Datagram { from, bytes: &mut bytes, source });
    }

    fn found(&mut self, now: Time, node: Option<NodeId>, addresses: &[SocketAddr]) {
        let addresses = addresses.iter().copied().map(TransportAddr::Tcp).collect();
        let source = if node.is_some() { Source::Rendezvous } else { Source::Seed };
        self.node.handle_input(now, node::Input::Suggested { source, node, addresses });
    }

    fn obey(&mut self, now: Time, command: Command) {
        match command {
            Command::Call(order) => self.caller.begin(now, &order),
            Command::Cancel { serial } => self.give_up(now, serial, End::Abandoned),
            Command::GiveUp { serial } => self.give_up(now, serial, End::GivenUp),
            Command::Offer(order) => self.offer(now, order),
            Command::Withdraw { key } => self.withdraw(now, key),
            Command::Drain { key } => self.drain(now, key),
            Command::Topics(order) => self.obey_topics(now, order),
            Command::Leave if self.phase == Phase::Running => {
                self.phase = Phase::Draining { until: now + DRAIN_TIME };
                self.close_exits();
                let keys: Vec<RecordKey> = self.server.offers().map(|(key, _)| key).collect();
                for key in keys {
                    self.drain(now, key);
                }
            }
            Command::Leave => {}
        }
    }

    fn offer(&mut self, now: Time, order: OfferOrder) {
        self.server.offer(order);
        let offer = Arc::new(mesh::offer(order.service, order.serial, OfferState::Open));
        self.node.handle_input(now, node::Input::Offer { key: order.key, offer });
    }

    fn drain(&mut self, now: Time, key: RecordKey) {
        let Some(offer) = self.server.drain(now, key) else { return };
        let record = mesh::offer(offer.service, offer.serial, OfferState::Draining);
        self.node.handle_input(now, node::Input::Offer { key, offer: Arc::new(record) });
    }

    pub(crate) fn withdraw(&mut self, now: Time, key: RecordKey) {
        let Some(serial) = self.server.serial(key) else { return };
        self.note(Note::Withdrawn { serial });
        self.node.handle_input(now, node::Input::Withdraw { key });
        for arrived in self.server.withdraw(key) {
            self.hush(arrived.work);
            self.refuse(
                now,
                arrived.origin,
                Status::not_started(Code::Unavailable, "the offer was withdrawn"),
            );
        }
    }

    fn adopt(&mut self, now: Time, snapshot: Arc<Snapshot>) {
        self.snapshot = Arc::clone(&snapshot);
        self.note(Note::Snapshot(Arc::clone(&snapshot)));
        self.caller.requester.handle_input(now, requester::Input::Snapshot(snapshot));
        // Whoever is no longer known is not dialled, so nobody would tell those who wait for a link to it.
        for node in self.caller.awaited() {
            if self.snapshot.node(&node).is_none() {
                self.unreachable(now, node);
            }
        }
    }

    fn route(&mut self, now: Time, node: NodeId, link: Option<LinkId>) {
        let Some(link) = link else {
            self.wires.routes.remove(&node);
            return;
        };
        self.wires.routes.insert(node, link);
        self.topics.stir();
        let state = LinkState::Up;
        self.caller.requester.handle_input(now, requester::Input::Link { node, state });
        for (call, offer) in self.caller.unpark(node) {
            self.attempt(now, call, (node, offer));
        }
    }

    fn unreachable(&mut self, now: Time, node: NodeId) {
        let state = LinkState::Failed;
        self.caller.requester.handle_input(now, requester::Input::Link { node, state });
        self.exits_unreachable(now, node);
        for (call, _) in self.caller.unpark(node) {
            let outcome = requester::Outcome::NotSent;
            self.caller.requester.handle_input(now, requester::Input::Outcome { call, outcome });
        }
    }

    /// The goodbye is said: links end when their last conversation has.
    fn close_all(&mut self, now: Time) {
        self.phase = Phase::Closing { until: now + GOING_DRAIN_TIME };
        self.end_topics(now);
        let all: Vec<LinkId> = self.wires.lines().map(|(conn, _)| conn).collect();
        for conn in all {
            self.link_input(now, conn, link::Input::Drain);
        }
    }

    pub(crate) fn link_input(&mut self, now: Time, conn: LinkId, input: link::Input<'_>) {
        if let Some(line) = self.wires.touch(conn) {
            line.link.handle_input(now, input);
        }
    }

    pub(crate) fn is_me(&self, node: NodeId) -> bool {
        self.who.id() == node
    }

    pub(crate) fn refuse(&mut self, now: Time, origin: Origin, status: Status) {
        match origin {
            Origin::Link { conn, request } => {
                self.link_input(now, conn, link::Input::Fail { request, status });
            }
            Origin::Local { token } => {
                self.ended_attempt(now, token, link::Outcome::Failed(Box::new(status)));
            }
        }
    }
}
