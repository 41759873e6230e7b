//! What must always hold, and what must hold once nothing goes wrong any more?

use crate::host::{Host, State};
use crate::mesh;
use crate::process::{Phase, Process};
use crate::server;
use crate::wires::{Line, LinePhase};
use crate::world::World;
use homing_core::id::{Epoch, NodeId};
use homing_core::limits::{BUDGET, CONVERSATIONS_MAX, DIALS_MAX, LINKS_MAX, LINKS_PER_PAIR_MAX};
use homing_core::node::LinkId;
use homing_core::registry::{InstanceState, Lane, NodeState, OfferState, RecordKey, Snapshot};
use homing_core::wire::Kind;
use std::collections::{BTreeMap, BTreeSet};

/// One offer as it is, or as somebody sees it.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
struct Fact {
    node: NodeId,
    epoch: Epoch,
    key: RecordKey,
    serial: u64,
    drains: bool,
}

/// How much of the past may still be seen.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Past {
    /// What is gone is still listed, as unreachable.
    Marked,
    /// It is forgotten, and what is there can be called.
    Forgotten,
}

/// Whether the process of this life stands still on that host.
pub(crate) fn is_asleep(host: &Host, life: u64) -> bool {
    match &host.state {
        State::Paused(paused) => paused.process.who.life == life,
        State::Running(_) | State::Off(_) => false,
    }
}

/// No table of a process is larger than its limit says.
pub(crate) fn bounds(process: &Process) -> Result<(), String> {
    let most = CONVERSATIONS_MAX as usize * 2;
    let mut per_peer: BTreeMap<NodeId, usize> = BTreeMap::new();
    let mut links = 0;
    for (conn, line) in process.wires.lines() {
        links += 1;
        if line.link.conversations() > most {
            return Err(format!("link {conn} has {} conversations", line.link.conversations()));
        }
        if let Some(peer) = line.peer {
            *per_peer.entry(peer).or_default() += 1;
        }
    }
    if let Some((peer, count)) = per_peer.iter().find(|(_, count)| **count > LINKS_PER_PAIR_MAX + 1)
    {
        return Err(format!("{count} links with {peer:?}, at most {LINKS_PER_PAIR_MAX} may be"));
    }
    if links > LINKS_MAX || process.wires.dials() > DIALS_MAX {
        return Err(format!("{links} links and {} dials", process.wires.dials()));
    }
    process.voices.bounds()?;
    process.topics.bounds()?;
    let attempts = usize::try_from(process.caller.requester.pending()).unwrap_or(usize::MAX);
    if attempts > process.caller.len() {
        return Err(format!("{attempts} attempts at {} calls", process.caller.len()));
    }
    Ok(())
}

impl World {
    /// Members see what there is, all the same.
    pub(crate) fn check_converged(&self, past: Past) -> Result<(), String> {
        let truth: BTreeSet<Fact> = self.members().flat_map(facts).collect();
        for process in self.members() {
            let seen = seen(&process.snapshot, past);
            if seen != truth {
                let missing: Vec<_> = truth.difference(&seen).collect();
                let wrong: Vec<_> = seen.difference(&truth).collect();
                let who = process.who.id();
                return Err(format!(
                    "node {who:?} does not see {missing:?}, and sees {wrong:?} (past {past:?})"
                ));
            }
            self.check_nodes(process, past)?;
            self.check_listeners(process, past)?;
        }
        match past {
            Past::Marked => Ok(()),
            Past::Forgotten => self.check_visitors(&truth),
        }
    }

    /// Of each pair of nodes at most one link is in use, and both know which.
    pub(crate) fn check_pairs(&self) -> Result<(), String> {
        let mut open: BTreeMap<(NodeId, NodeId), Vec<LinkId>> = BTreeMap::new();
        let all = || self.hosts.iter().filter_map(Host::awake);
        for process in all() {
            for (conn, line) in process.wires.lines() {
                if let (Some(peer), LinePhase::Open) = (line.peer, line.phase) {
                    open.entry((process.who.id(), peer)).or_default().push(conn);
                }
            }
        }
        for ((here, there), links) in &open {
            if links.len() > 1 {
                return Err(format!("{here:?} uses links {links:?} with {there:?}"));
            }
            let back = open.get(&(*there, *here));
            let lives = all().any(|process| process.who.id() == *there);
            if lives && back != Some(links) {
                return Err(format!("{here:?} uses {links:?} with {there:?}, which uses {back:?}"));
            }
        }
        for process in all() {
            for (peer, conn) in &process.wires.routes {
                if open.get(&(process.who.id(), *peer)) != Some(&vec![*conn]) {
                    let who = process.who.id();
                    return Err(format!("the route of {who:?} to {peer:?} is {conn}, not in use"));
                }
            }
        }
        Ok(())
    }

    /// Nobody wants anything: nothing is held any more.
    pub(crate) fn check_rest(&self) -> Result<(), String> {
        if self.ledger.live() > 0 {
            return Err(format!("{} calls are left at rest", self.ledger.live()));
        }
        for process in self.hosts.iter().filter_map(Host::awake) {
            let who = process.who.id();
            let left = process.wires.budget.left();
            if left != BUDGET {
                return Err(format!("{who:?} holds {} bytes at rest", BUDGET - left));
            }
            let pending = process.caller.requester.pending();
            let (calls, works) = (process.caller.len(), process.server.len());
            let streams = process.voices.len();
            if (pending, calls, works, streams) != (0, 0, 0, 0) {
                return Err(format!(
                    "{who:?} has {pending} attempts, {calls} calls, {works} works, {streams} ends of streams at rest"
                ));
            }
            process.topics.is_at_rest().map_err(|left| format!("{who:?}: {left}"))?;
            let wrong = |(conn, line): &(LinkId, &Line)| {
                line.link.conversations() != process.topics.streams_on(*conn)
            };
            if let Some((conn, line)) = process.wires.lines().find(wrong) {
                let (count, topics) = (line.link.conversations(), process.topics.streams_on(conn));
                return Err(format!(
                    "link {conn} has {count} conversations at rest, {topics} of them of topics"
                ));
            }
        }
        Ok(())
    }

    /// Nothing went wrong so far, and nobody wants anything: each message was taken, or dropped where that is to be, and
    /// its publishers know.
    pub(crate) fn check_messages(&self) -> Result<(), String> {
        let mut dropped = BTreeMap::new();
        for process in self.hosts.iter().filter_map(Host::awake) {
            let (who, topics) = (process.who.id(), &process.topics);
            topics.is_at_rest().map_err(|left| format!("{who:?}: {left}"))?;
            dropped.extend(topics.board.dropped());
            for (lane, exit) in &topics.exits {
                let pending = exit.outlet.pending();
                if pending > 0 {
                    return Err(format!(
                        "{who:?} takes {pending} messages in {lane:?} for pending"
                    ));
                }
            }
        }
        self.ledger.postings.settle(&dropped)
    }

    /// Whether every other member sees nothing that can be called on this node.
    pub(crate) fn check_excluded(&self, node: NodeId) -> Result<(), String> {
        for process in self.members().filter(|process| process.who.id() != node) {
            let seen = seen(&process.snapshot, Past::Marked);
            let known = process.snapshot.node(&node);
            let is_alive = known.is_some_and(|known| known.state == NodeState::Alive);
            if is_alive || seen.iter().any(|fact| fact.node == node) {
                return Err(format!("{:?} still counts on {node:?}", process.who.id()));
            }
        }
        Ok(())
    }

    /// The members that run, and mean to.
    pub(crate) fn members(&self) -> impl Iterator<Item = &Process> {
        let running = self.hosts.iter().filter_map(Host::awake);
        running
            .filter(|process| process.who.kind == Kind::Member && process.phase == Phase::Running)
    }

    /// Visitors see the same as the member that they follow.
    fn check_visitors(&self, truth: &BTreeSet<Fact>) -> Result<(), String> {
        let awake = self.hosts.iter().filter_map(Host::awake);
        for process in awake.filter(|process| process.who.kind == Kind::Visitor) {
            let seen = seen(&process.snapshot, Past::Forgotten);
            if seen != *truth && !truth.is_empty() && process.phase == Phase::Running {
                let missing: Vec<_> = truth.difference(&seen).collect();
                let wrong: Vec<_> = seen.difference(truth).collect();
                let who = process.who.id();
                return Err(format!(
                    "visitor {who:?} does not see {missing:?}, and sees {wrong:?}"
                ));
            }
        }
        Ok(())
    }

    /// Everybody knows who listens to what.
    fn check_listeners(&self, process: &Process, past: Past) -> Result<(), String> {
        let listens = |member: &Process| {
            let interest = member.topics.board.interest();
            (!interest.lanes.is_empty()).then(|| (member.who.id(), interest.lanes))
        };
        let truth: BTreeMap<NodeId, Vec<Lane>> = self.members().filter_map(listens).collect();
        let is_alive =
            |node| process.snapshot.node(node).is_some_and(|known| known.state == NodeState::Alive);
        let listeners = process.snapshot.listeners().iter();
        let counted = listeners.filter(|one| past == Past::Forgotten || is_alive(&one.node));
        let seen: BTreeMap<NodeId, Vec<Lane>> =
            counted.map(|listener| (listener.node, listener.lanes.to_vec())).collect();
        if seen == truth {
            return Ok(());
        }
        let who = process.who.id();
        Err(format!("node {who:?} sees that {seen:?} listen, not {truth:?}"))
    }

    fn check_nodes(&self, process: &Process, past: Past) -> Result<(), String> {
        let truth: BTreeSet<(NodeId, Epoch)> =
            self.members().map(|member| (member.who.id(), member.who.epoch)).collect();
        let nodes = process.snapshot.nodes().filter(|node| match past {
            Past::Marked => node.state == NodeState::Alive,
            Past::Forgotten => true,
        });
        let seen: BTreeSet<(NodeId, Epoch)> = nodes.map(|node| (node.id, node.epoch)).collect();
        if seen == truth {
            return Ok(());
        }
        let missing: Vec<_> = truth.difference(&seen).collect();
        let wrong: Vec<_> = seen.difference(&truth).collect();
        let who = process.who.id();
        Err(format!("node {who:?} does not know nodes {missing:?}, and knows {wrong:?}"))
    }
}

/// What a process offers.
fn facts(process: &Process) -> impl Iterator<Item = Fact> {
    let (node, epoch) = (process.who.id(), process.who.epoch);
    process.server.offers().map(move |(key, offer)| Fact {
        node,
        epoch,
        key,
        serial: offer.serial,
        drains: offer.state == server::State::Draining,
    })
}

fn seen(snapshot: &Snapshot, past: Past) -> BTreeSet<Fact> {
    let instances = snapshot.services().flat_map(|(_, _, instances)| instances);
    // Whether we can reach it ourselves is another matter: a dial that failed is repeated later than that.
    let is_alive = |node| snapshot.node(node).is_some_and(|known| known.state == NodeState::Alive);
    let counted = instances.filter(|instance| match past {
        Past::Marked => is_alive(&instance.node),
        Past::Forgotten => true,
    });
    let fact = |instance: &std::sync::Arc<homing_core::registry::Instance>| Fact {
        node: instance.node,
        epoch: instance.epoch,
        key: instance.key,
        serial: mesh::serial(&instance.offer),
        drains: match past {
            Past::Marked => instance.offer.state == OfferState::Draining,
            Past::Forgotten => instance.state != InstanceState::Ready,
        },
    };
    counted.map(fact).collect()
}
