//! Which planned dials are worth it when their time comes?

use super::Node;
use super::dials::{Goal, Why};
use super::input::{DialId, Source};
use super::leave::Phase;
use super::output::{NodeEvent, NotConnected, Output};
use crate::addr::TransportAddr;
use crate::id::NodeId;
use crate::limits::{ADDRESSES_MAX, CALL_TIME, REDIAL_MAX, SCOUT_SLOW};
use crate::membership;
use crate::registry;
use crate::registry::{Body, Reach, RecordKey};
use crate::time::Time;
use crate::wire::Kind;

/// What to do about a plan that is due.
enum Verdict {
    Dial(Vec<TransportAddr>),
    Later(Time),
    Never,
}

impl Node {
    /// Somebody may be there.
    pub(super) fn suggest(
        &mut self,
        at: Time,
        source: Source,
        node: Option<NodeId>,
        addresses: Vec<TransportAddr>,
    ) {
        if node == Some(self.config.me.id) || self.phase != Phase::Running {
            return;
        }
        if node.is_some_and(|node| self.is_alive(&node) || self.peers.route(&node).is_some()) {
            return;
        }
        let why = Why::Suggested(source);
        let taken = if let Some(node) = node {
            self.dials.plan(Goal::Node(node), why, addresses, at)
        } else {
            let ours = &self.config.me.addresses;
            let mut others =
                addresses.into_iter().filter(|addr| !ours.contains(addr)).take(ADDRESSES_MAX);
            // Where there is no room for one there is none for the next.
            others.all(|addr| self.dials.plan(Goal::Place(addr), why, Vec::new(), at))
        };
        self.sealer.stats.suggestions_dropped += u64::from(!taken);
    }

    /// Somebody here waits for this node.
    pub(super) fn want(&mut self, now: Time, node: NodeId) {
        let known = self.registry.epoch_of(&node).is_some() || self.peers.peer(&node).is_some();
        if known && node != self.config.me.id && self.peers.route(&node).is_none() {
            self.dials.plan(Goal::Node(node), Why::Wanted(now + CALL_TIME), Vec::new(), now);
        }
    }

    pub(super) fn dial_due(&mut self, now: Time) {
        while let Some((goal, why, addresses)) = self.dials.pop_due(now) {
            match self.verdict(now, &goal, why, addresses) {
                Verdict::Dial(addresses) => self.dial(goal, why, addresses),
                Verdict::Later(at) => self.dials.postpone(goal, at),
                Verdict::Never => self.give_up(&goal),
            }
        }
    }

    pub(super) fn handle_dial_failed(
        &mut self,
        now: Time,
        dial: DialId,
        tried: Vec<(TransportAddr, String)>,
    ) {
        let Some(failure) = self.dials.failed(dial, now, &mut self.rng) else { return };
        if let Some(connect) = failure.goal.connect() {
            return self.answer_connect(connect, Err(NotConnected::Unreachable(tried)));
        }
        let node = failure.goal.node();
        if let Some(node) =
            node.filter(|node| failure.why > Why::Seed(None) && self.peers.route(node).is_none())
        {
            self.tell_registry(now, registry::Input::Reached { node, reach: Reach::Unreachable });
            self.tell_membership(now, membership::Input::Doubt(node));
            // Marked so, it is passed over, and perhaps nobody wants it again: we try until it is reached or gone.
            self.dials.plan(Goal::Node(node), Why::Broken, Vec::new(), now);
            if self.config.me.kind == Kind::Visitor && self.join.guide().is_none() {
                // Nobody is left to say so; another guide may know better.
                self.tell_registry(now, registry::Input::Gone { node });
            }
        }
        if failure.failures == 1 {
            self.outbox.push_back(Output::Event(NodeEvent::Unreachable { node, tried }));
        }
    }

    fn dial(&mut self, goal: Goal, why: Why, addresses: Vec<TransportAddr>) {
        let node = goal.node();
        let number = self.dials.next_number();
        let claim = self.peers.claim(node.as_ref(), number);
        let dial = self.dials.start(goal, why, claim);
        self.outbox.push_back(Output::Dial { dial, node, addresses, claim });
    }

    fn verdict(&self, now: Time, goal: &Goal, why: Why, told: Vec<TransportAddr>) -> Verdict {
        if self.phase != Phase::Running || !self.peers.has_room() {
            let waits = why != Why::Asked;
            return if waits { Verdict::Later(now + REDIAL_MAX) } else { Verdict::Never };
        }
        let node = match why {
            Why::Seed(node) => node,
            _ => goal.node(),
        };
        let is_linked = node.is_some_and(|node| self.peers.route(&node).is_some());
        let is_alive = node.is_some_and(|node| self.is_alive(&node));
        let is_gone = node.is_some_and(|node| self.is_gone(&node));
        match why {
            Why::Seed(_) if is_linked || is_alive => return Verdict::Later(now + SCOUT_SLOW),
            _ if is_linked => return Verdict::Never,
            Why::Suggested(_) if is_alive => return Verdict::Never,
            // A visitor needs one member; the others are for when it is lost.
            Why::Suggested(_) | Why::Seed(_) if self.has_guide() => {
                return Verdict::Later(now + SCOUT_SLOW);
            }
            Why::Wanted(until) if until < now || is_gone => return Verdict::Never,
            Why::Broken if is_gone => return Verdict::Never,
            Why::Kept if !node.is_some_and(|node| self.peers.is_kept(&node)) => {
                return Verdict::Never;
            }
            Why::Suggested(_)
            | Why::Seed(_)
            | Why::Asked
            | Why::Wanted(_)
            | Why::Broken
            | Why::Kept => {}
        }
        match (self.addresses(goal, told), why) {
            (addresses, Why::Kept) if addresses.is_empty() => Verdict::Later(now + REDIAL_MAX),
            (addresses, _) if addresses.is_empty() => Verdict::Never,
            (addresses, _) => Verdict::Dial(addresses),
        }
    }

    /// Where a goal can be tried: sockets of this host first, those of other hosts not at all.
    fn addresses(&self, goal: &Goal, told: Vec<TransportAddr>) -> Vec<TransportAddr> {
        let mut addresses = told;
        match goal {
            Goal::Given(_) => {}
            Goal::Place(addr) => addresses.push(addr.clone()),
            Goal::Node(node) => {
                let record =
                    self.registry.records_of(node).find(|record| record.key == RecordKey::NODE);
                if let Some(Body::Node(record)) = record.map(|record| &record.body) {
                    addresses.extend(record.addresses.iter().cloned());
                }
                addresses.extend(
                    self.peers.peer(node).into_iter().flat_map(|peer| peer.about.addresses.clone()),
                );
            }
        }
        let is_unix = |addr: &TransportAddr| matches!(addr, TransportAddr::Unix { .. });
        addresses.retain(
            |addr| !matches!(addr, TransportAddr::Unix { host, .. } if *host != self.config.host),
        );
        let mut unique: Vec<TransportAddr> = Vec::new();
        for addr in addresses {
            if !unique.contains(&addr) && unique.len() < ADDRESSES_MAX {
                unique.push(addr);
            }
        }
        unique.sort_by_key(|addr| !is_unix(addr));
        unique
    }

    fn has_guide(&self) -> bool {
        self.config.me.kind == Kind::Visitor && self.join.guide().is_some()
    }
}
