//! What do many registries do to each other over a bad network, in virtual time?

use super::super::samples::{id, lasting_body, node_body, offer_body};
use super::super::voice::{Change, Input, Output, Role, Via};
use super::super::{
    Body, Filter, RecordId, RecordKey, Registry, Right, ServiceRecord, Standing, message,
    message_max,
};
use crate::crypto::fake::Fake;
use crate::id::{Epoch, NodeId};
use crate::rng::Rng;
use crate::talk::{Code, Status};
use crate::time::Time;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

pub(super) const SECOND: Duration = Duration::from_secs(1);

/// Registries, the network between them, and a membership that is always right, if late.
pub(super) struct World {
    pub(super) now: Time,
    pub(super) rng: Rng,
    pub(super) nodes: BTreeMap<NodeId, Node>,
    /// By arrival, and then by when it was sent.
    pub(super) flying: BTreeMap<(Time, u64), Flight>,
    pub(super) sent: u64,
    pub(super) network: Network,
}

/// To, from, how, what.
type Flight = (NodeId, NodeId, Via, Vec<u8>);

pub(super) struct Node {
    pub(super) registry: Registry,
    pub(super) epoch: Epoch,
    pub(super) awake: Awake,
    pub(super) changes: Vec<Change>,
    pub(super) synced: u32,
    pub(super) fatal: Vec<Status>,
    pub(super) refused: Vec<(RecordKey, Status)>,
    pub(super) spread: Vec<(u64, usize, usize)>,
    pub(super) freed: Vec<(u64, Result<Arc<ServiceRecord>, Status>)>,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Awake {
    Yes,
    /// Its messages wait for it, its timers are late.
    Paused,
    Crashed,
}

#[derive(Clone, Debug, Default)]
pub(super) struct Network {
    /// Of a hundred datagrams.
    pub(super) lost: u64,
    pub(super) doubled: u64,
    /// No gossip gets through.
    pub(super) mute: bool,
    /// These hear each other, and the others each other.
    pub(super) cut: BTreeSet<NodeId>,
}

impl World {
    pub(super) fn new(count: u8, seed: u64) -> Self {
        let mut world = Self {
            now: Time::ZERO,
            rng: Rng::from_seed(seed),
            nodes: BTreeMap::new(),
            flying: BTreeMap::new(),
            sent: 0,
            network: Network::default(),
        };
        (0..count).for_each(|number| world.start(number, Epoch(1)));
        world
    }

    /// Starts a member, or starts it again: membership tells everybody.
    pub(super) fn start(&mut self, number: u8, epoch: Epoch) {
        let me = id(number);
        let registry =
            Registry::new(Role::Member, me, epoch, self.rng.split(), Arc::new(Fake::PLAIN));
        let node = Node {
            registry,
            epoch,
            awake: Awake::Yes,
            changes: Vec::new(),
            synced: 0,
            fatal: Vec::new(),
            refused: Vec::new(),
            spread: Vec::new(),
            freed: Vec::new(),
        };
        self.nodes.insert(me, node);
        self.tell_membership();
        self.input(
            me,
            Input::Offer { key: RecordKey::NODE, body: node_body(&format!("n{number}")) },
        );
    }

    /// Everybody awake hears who is up, and who is not.
    pub(super) fn tell_membership(&mut self) {
        let up = self.nodes.iter().filter(|(_, node)| node.awake == Awake::Yes);
        let up = up.map(|(id, node)| (*id, node.epoch)).collect::<Vec<_>>();
        let all = self.nodes.keys().copied().collect::<Vec<_>>();
        for &(hearer, _) in &up {
            for (node, epoch) in up.iter().copied().filter(|(node, _)| *node != hearer) {
                self.input(hearer, Input::Alive { node, epoch });
            }
            for node in all.iter().copied().filter(|node| up.iter().all(|(id, _)| id != node)) {
                self.input(hearer, Input::Gone { node });
            }
            self.input(hearer, Input::Members(up.iter().map(|(id, _)| *id).collect()));
        }
    }

    pub(super) fn offer(&mut self, number: u8, key: u32, service: &str) {
        let key = RecordKey(key);
        self.input(id(number), Input::Offer { key, body: offer_body(service) });
    }

    pub(super) fn withdraw(&mut self, number: u8, key: u32) {
        self.input(id(number), Input::Withdraw { key: RecordKey(key) });
    }

    pub(super) fn link(&mut self, one: NodeId, other: NodeId) {
        self.input(one, Input::Linked(other));
        self.input(other, Input::Linked(one));
    }

    pub(super) fn ask_sync(&mut self, asker: NodeId, of: NodeId, filter: Filter) {
        self.input(of, Input::SyncAsked { to: asker, filter, follow: true });
    }

    pub(super) fn set(&mut self, number: u8, awake: Awake) {
        self.node(number).awake = awake;
    }

    pub(super) fn node(&mut self, number: u8) -> &mut Node {
        self.nodes.get_mut(&id(number)).unwrap()
    }

    pub(super) fn input(&mut self, to: NodeId, input: Input<'_>) {
        let now = self.now;
        if let Some(node) = self.nodes.get_mut(&to) {
            node.registry.handle_input(now, input);
            self.carry(to);
        }
    }

    pub(super) fn carry(&mut self, from: NodeId) {
        let Some(node) = self.nodes.get_mut(&from) else { return };
        let mut sends = Vec::new();
        if node.registry.is_changed() {
            node.registry.snapshot();
        }
        while let Some(output) = node.registry.poll_output() {
            match output {
                Output::Send { to, via, bytes } => sends.push((to, via, bytes)),
                Output::Changed(change) => node.changes.push(change),
                Output::Synced { .. } => node.synced += 1,
                Output::Disputed { status, .. } => node.fatal.push(status),
                Output::Refused { key, status } => node.refused.push((key, status)),
                Output::Freed { token, outcome } => node.freed.push((token, outcome)),
                Output::Spread { token, acknowledged, of } => {
                    node.spread.push((token, acknowledged, of));
                }
            }
        }
        for (to, via, bytes) in sends {
            assert!(bytes.len() <= message_max(via), "{} bytes over {via:?}", bytes.len());
            self.fly(from, to, via, &bytes);
        }
    }

    pub(super) fn fly(&mut self, from: NodeId, to: NodeId, via: Via, bytes: &[u8]) {
        let muted = self.network.mute && bytes[0] == message::RUMOURS;
        let cut = self.network.cut.contains(&from) != self.network.cut.contains(&to);
        let lossy = via == Via::Datagram;
        if muted || cut || (lossy && self.rng.chance(self.network.lost, 100)) {
            return;
        }
        let copies = if lossy && self.rng.chance(self.network.doubled, 100) { 2 } else { 1 };
        for _ in 0..copies {
            // Datagrams overtake each other; a link keeps its order.
            let micros = if lossy { 100 + self.rng.below(20_000) } else { 500 };
            self.sent += 1;
            let at = (self.now + Duration::from_micros(micros), self.sent);
            self.flying.insert(at, (to, from, via, bytes.to_vec()));
        }
    }

    pub(super) fn run(&mut self, span: Duration) {
        let end = self.now + span;
        loop {
            let awake = self.nodes.iter().filter(|(_, node)| node.awake == Awake::Yes);
            let timer =
                awake.filter_map(|(id, node)| Some((node.registry.poll_timeout()?, *id))).min();
            let arrival = self.flying.keys().next().map(|(at, _)| *at);
            let next = timer.map(|(at, _)| at).into_iter().chain(arrival).min();
            let Some(next) = next.filter(|next| *next <= end) else { break };
            self.now = self.now.max(next);
            if arrival == Some(next) {
                let ((at, sequence), flight) = self.flying.pop_first().unwrap();
                self.arrive((at, sequence), flight);
            } else if let Some((_, node)) = timer {
                let now = self.now;
                self.nodes.get_mut(&node).unwrap().registry.handle_timeout(now);
                self.carry(node);
            }
        }
        self.now = end;
    }

    pub(super) fn arrive(&mut self, at: (Time, u64), flight: Flight) {
        let (to, from, via, ref bytes) = flight;
        match self.nodes.get(&to).map(|node| node.awake) {
            Some(Awake::Yes) => self.input(to, Input::Message { from, via, bytes }),
            // Waits in the socket's buffer, and comes in before anything else when its receiver wakes.
            Some(Awake::Paused) => {
                self.flying.insert((at.0 + SECOND, at.1), flight);
            }
            Some(Awake::Crashed) | None => {}
        }
    }

    /// What each awake node knows, and that all know the same: whose, key and version.
    #[track_caller]
    pub(super) fn assert_same(&self) -> Vec<(NodeId, u32, u64)> {
        let mut first: Option<Vec<_>> = None;
        let mut lasting: Option<Vec<_>> = None;
        for (id, node) in self.nodes.iter().filter(|(_, node)| node.awake == Awake::Yes) {
            let known =
                node.registry.records().map(|record| (record.owner, record.key.0, record.version));
            let known = known.collect::<Vec<_>>();
            assert!(node.fatal.is_empty(), "{:?}", node.fatal);
            let estate = node.registry.estate.iter();
            let estate: Vec<_> = estate.map(|(id, lasting)| (*id, lasting.rank())).collect();
            assert_eq!(lasting.get_or_insert_with(|| estate.clone()), &estate, "{id}");
            assert_eq!(first.get_or_insert_with(|| known.clone()), &known, "{id} at {}", self.now);
        }
        first.unwrap_or_default()
    }

    /// Registers a service that anybody may end.
    pub(super) fn bequeath(&mut self, number: u8, key: u32) -> RecordId {
        self.register(number, key, lasting_body("db", Right::Anybody))
    }

    pub(super) fn register(&mut self, number: u8, key: u32, body: Body) -> RecordId {
        let key = RecordKey(key);
        self.input(id(number), Input::Offer { key, body });
        RecordId { owner: id(number), epoch: self.node(number).epoch, key }
    }

    /// Whether a node could end a record.
    pub(super) fn free(&mut self, number: u8, record: RecordId) -> Result<(), Code> {
        self.input(id(number), Input::Free { token: 1, id: record });
        let outcome = self.node(number).freed.pop().map(|(_, outcome)| outcome).unwrap();
        outcome.map(drop).map_err(|status| status.code)
    }

    /// What a node shows of what was registered, by the numbers of keys.
    pub(super) fn shown(&mut self, number: u8) -> Vec<(u32, Standing)> {
        let snapshot = self.node(number).registry.snapshot();
        snapshot.registered().map(|one| (one.id.key.0, one.standing)).collect()
    }

    #[track_caller]
    pub(super) fn knows(&self, number: u8, owner: u8, key: u32) -> bool {
        let node = &self.nodes[&id(number)];
        node.registry.records_of(&id(owner)).any(|record| record.key == RecordKey(key))
    }

    /// Starts a visitor, which membership knows nothing of.
    pub(super) fn add_visitor(&mut self, number: u8) {
        self.start(number, Epoch(1));
        let rng = self.rng.split();
        self.node(number).registry =
            Registry::new(Role::Visitor, id(number), Epoch(1), rng, Arc::new(Fake::PLAIN));
        let members =
            self.nodes.keys().copied().filter(|node| *node != id(number)).collect::<Vec<_>>();
        for member in &members {
            self.input(*member, Input::Left { node: id(number) });
            self.input(*member, Input::Members(members.clone()));
        }
        self.flying.clear();
        self.node(number).changes.clear();
    }

    /// The same, linked to a member that tells it all.
    pub(super) fn let_visit(&mut self, number: u8, member: u8) {
        self.add_visitor(number);
        self.link(id(member), id(number));
        self.ask_sync(id(number), id(member), Filter::All);
        self.run(SECOND);
    }
}
