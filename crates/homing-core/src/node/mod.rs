//! Who exists, what do they offer, which link to whom is in use?
//!
//! One machine per process. It combines [`membership`] and [`registry`], which do
//! not know each other, with the pairs of links and the plan of dials. The driver moves bytes and links:
//!
//! ```text
//! Listening, Suggested, Datagram, Established, Lost, DialFailed, Control, Offer, Want, Keep, Connect … ─→ Node
//! Node ─→ Datagram, Scout, Control, Dial, Drain, Close, Route, Connected, Snapshot, Event, Left, Raise, Fatal
//! ```
//! A member that was found is dialled; over the first link both tell each other everything, and gossip tells the rest.
//! A visitor links to one member, follows its registry, and is told of by nobody (decisions A8).

mod anew;
pub(crate) mod control;
mod datagrams;
mod dials;
mod input;
mod join;
mod kept;
mod leave;
mod links;
mod output;
mod pair;
mod peers;
mod plan;
mod replay;
mod scout;
mod show;
mod voices;

#[cfg(test)]
mod tests;

pub use dials::BackOff;
pub use input::{ConnectId, DialId, Dialler, Input, LinkId, NodeConfig, Source, Wish};
pub use output::{
    Departure, Direction, Kept, NodeEvent, NotConnected, Output, PeerInfo, ScoutStats, Stats,
};

use crate::addr::TransportAddr;
use crate::authorize::Authorize;
use crate::crypto::Crypto;
use crate::id::NodeId;
use crate::limits::{ADDRESSES_MAX, AGENT_MAX, SEEDS_MAX};
use crate::membership::{self, Identity, Membership, on_grid};
use crate::registry::{self, Body, NodeRecord, RecordKey, Registry, Role};
use crate::rng::Rng;
use crate::time::Time;
use crate::wire::Kind;
use datagrams::Sealer;
use dials::{Dials, Goal, Why};
use join::Join;
use leave::Phase;
use peers::Peers;
use scout::{Company, Scouting};
use show::Show;
use std::collections::VecDeque;
use std::sync::Arc;

/// The machine.
pub struct Node {
    config: NodeConfig,
    sealer: Sealer,
    rng: Rng,
    /// Only members have one.
    membership: Option<Membership>,
    registry: Registry,
    peers: Peers,
    dials: Dials,
    scouting: Scouting,
    join: Join,
    show: Show,
    phase: Phase,
    outbox: VecDeque<Output>,
}

impl Node {
    /// A node that knows nobody; it begins to look around with its first input.
    pub fn new(now: Time, config: NodeConfig, mut rng: Rng, crypto: Arc<dyn Crypto>) -> Self {
        let me = &config.me;
        let role = match me.kind {
            Kind::Member => Role::Member,
            Kind::Visitor => Role::Visitor,
        };
        let sealer = Sealer::new(me.id, me.epoch, Arc::clone(&crypto), &mut rng);
        let membership = (role == Role::Member).then(|| {
            Membership::new(Identity::new(me.id, me.epoch, sealer.nonce(), &[]), rng.split())
        });
        let registry = Registry::new(role, me.id, me.epoch, rng.split(), crypto);
        let mut dials = Dials::new(config.redial);
        for seed in config.seeds.iter().take(SEEDS_MAX) {
            dials.plan(Goal::Place(TransportAddr::Tcp(*seed)), Why::Seed(None), Vec::new(), now);
        }
        Self {
            sealer,
            rng,
            membership,
            registry,
            peers: Peers::default(),
            dials,
            scouting: Scouting::default(),
            join: Join::new(now),
            show: Show::default(),
            phase: Phase::Running,
            outbox: VecDeque::new(),
            config,
        }
    }

    /// From now on this says who may offer, listen to and publish what (decisions D10).
    pub fn set_authorize(&mut self, authorize: Arc<dyn Authorize>) {
        self.registry.set_authorize(authorize);
    }

    /// Takes in what happened.
    pub fn handle_input(&mut self, now: Time, input: Input<'_>) {
        if self.phase == Phase::Left {
            return;
        }
        match input {
            Input::Listening { addresses } => self.handle_listening(now, addresses),
            Input::Datagram { from, bytes, source } => {
                self.handle_datagram(now, (from, source), bytes);
            }
            Input::Suggested { source, node, addresses } => {
                self.suggest(now, source, node, addresses);
            }
            Input::Established { link, dialler, peer, address } => {
                self.handle_established(now, link, dialler, (peer, address));
            }
            Input::Lost { link, status } => self.handle_lost(now, link, &status),
            Input::DialFailed { dial, tried } => self.handle_dial_failed(now, dial, tried),
            Input::Control { link, bytes } => self.handle_control(now, link, bytes),
            Input::Offer { key, offer } => self.say(now, key, Body::Offer(offer)),
            Input::Register { key, service } => self.say(now, key, Body::Service(service)),
            Input::Free { token, id } => {
                self.tell_registry(now, registry::Input::Free { token, id });
            }
            Input::SpreadOf { token, id, until } => {
                self.tell_registry(now, registry::Input::SpreadOf { token, id, until });
            }
            Input::Interest(interest) => {
                self.show.hurry();
                self.say(now, RecordKey::INTEREST, Body::Interest(interest));
            }
            Input::Declare(declared) => {
                self.say(now, RecordKey::DECLARED, Body::Declared(declared));
            }
            Input::Spread { token, key, until } => {
                self.tell_registry(now, registry::Input::Spread { token, key, until });
            }
            Input::Sample { token, key, until } => {
                self.tell_registry(now, registry::Input::Sample { token, key, until });
            }
            Input::Withdraw { key } => self.tell_registry(now, registry::Input::Withdraw { key }),
            Input::Want { node } => self.want(now, node),
            Input::Reconsider => self.tell_registry(now, registry::Input::Reconsider),
            Input::KeysChanged => self.tell_of_myself(now),
            Input::Credentials { token } => {
                self.config.token = token;
                self.tell_of_myself(now);
            }
            Input::Idle { link } => self.handle_idle(link),
            Input::RoundTrip { link, rtt } => self.peers.round_trip(link, rtt),
            Input::Keep { node, wish } => self.keep(now, node, wish),
            Input::Connect { connect, addresses } => self.connect(now, connect, addresses),
            Input::Disconnect { node } => self.disconnect(now, node),
            Input::Stalled(span) => self.tell_membership(now, membership::Input::Stalled(span)),
            Input::Leave => self.handle_leave(now),
        }
        self.settle(now);
    }

    /// The next thing to do or to know.
    pub fn poll_output(&mut self) -> Option<Output> {
        self.outbox.pop_front()
    }

    /// Does what is due. Early and repeated calls are harmless.
    pub fn handle_timeout(&mut self, now: Time) {
        if self.leave_is_over(now) {
            return;
        }
        if let Some(membership) = &mut self.membership {
            membership.handle_timeout(now);
        }
        if self.registry.poll_timeout().map(on_grid).is_some_and(|at| at <= now) {
            self.registry.handle_timeout(now);
        }
        if self.scouting.is_due(now, self.company()) {
            self.scout();
        }
        self.answer_waiting(now);
        self.tell_arrivals(now);
        self.settle(now);
    }

    /// When to call [`handle_timeout`](Self::handle_timeout) next; never while nothing is due.
    pub fn poll_timeout(&self) -> Option<Time> {
        if let Phase::Left = self.phase {
            return None;
        }
        let due = [
            self.membership.as_ref().and_then(Membership::poll_timeout),
            self.registry.poll_timeout().map(on_grid),
            self.dials.poll_timeout(),
            self.scouting.poll_timeout(),
            self.alone_at(),
            self.join.arrivals_at(),
            self.show.poll_timeout(&self.registry),
            self.phase.until(),
        ];
        due.into_iter().flatten().min()
    }

    /// The nodes that we have links with, or had.
    pub fn peers(&self) -> impl Iterator<Item = PeerInfo> {
        self.peers.infos()
    }

    /// The link to use for a node.
    pub fn route(&self, node: &NodeId) -> Option<LinkId> {
        self.peers.route(node)
    }

    /// Whether somebody here keeps this node.
    pub fn is_kept(&self, node: &NodeId) -> bool {
        self.peers.is_kept(node)
    }

    /// What was dropped so far.
    pub fn stats(&self) -> Stats {
        self.sealer.stats
    }

    /// The same of membership; visitors have none.
    pub fn membership_stats(&self) -> Option<membership::Stats> {
        self.membership.as_ref().map(Membership::stats)
    }

    /// The same of the registry.
    pub fn registry_stats(&self) -> registry::Stats {
        self.registry.stats()
    }

    /// One number over the registry: equal on all members at rest. For simulators.
    pub fn registry_hash(&self) -> u64 {
        self.registry.hash()
    }

    /// The members held alive, ourselves left out; none for a visitor.
    pub fn members(&self) -> impl Iterator<Item = NodeId> {
        self.membership.iter().flat_map(Membership::alive).map(|member| member.id)
    }

    fn handle_listening(&mut self, now: Time, mut addresses: Vec<TransportAddr>) {
        addresses.truncate(ADDRESSES_MAX);
        self.config.me.addresses.clone_from(&addresses);
        self.scouting.begin(now);
        let me = &self.config.me;
        let Some(membership) = &mut self.membership else { return };
        let udp: Vec<_> = addresses.iter().filter_map(TransportAddr::tcp).collect();
        let identity = Identity::new(me.id, me.epoch, self.sealer.nonce(), &udp);
        if membership.alive().next().is_none() {
            *membership = Membership::new(identity, self.rng.split());
        } else {
            membership.handle_input(now, membership::Input::Moved(identity));
        }
        self.tell_of_myself(now);
    }

    /// Writes this node's own record, where it is a member and listens.
    fn tell_of_myself(&mut self, now: Time) {
        let NodeConfig { me, guard, token, .. } = &self.config;
        if self.membership.is_none() || me.addresses.is_empty() {
            return;
        }
        let record = NodeRecord {
            name: me.name.clone(),
            addresses: me.addresses.clone(),
            agent: me.agent[..me.agent.floor_char_boundary(AGENT_MAX)].to_owned(),
            guard: *guard,
            keys: self.sealer.keys(),
            token: token.clone(),
        };
        self.say(now, RecordKey::NODE, Body::Node(Arc::new(record.fitting())));
    }

    /// Writes, or writes anew, a record of this node.
    fn say(&mut self, now: Time, key: RecordKey, body: Body) {
        self.tell_registry(now, registry::Input::Offer { key, body });
    }

    fn company(&self) -> Company {
        let somebody = self.peers.routes().next().is_some() || self.members().next().is_some();
        if somebody { Company::Some } else { Company::None }
    }

    /// Lets the machines inside hear of each other until all is quiet, then decides what follows for links.
    fn settle(&mut self, now: Time) {
        if self.phase == Phase::Left {
            return;
        }
        self.listen(now);
        self.dial_due(now);
        self.settle_alone(now);
        self.show_changes(now);
    }
}

impl std::fmt::Debug for Node {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Node")
            .field("me", &self.config.me.id)
            .field("phase", &self.phase)
            .finish_non_exhaustive()
    }
}
