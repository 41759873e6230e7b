//! When do the others in this process see what changed?
//!
//! The first change is shown at once, those that follow are gathered for a moment: a thousand records that arrive
//! with a sync are few snapshots; the end of the first sync, which callers wait for, and what this node itself wants to
//! hear are shown at once. Events follow the snapshot that they are about, and so does what others count on.

use super::Node;
use super::output::{Departure, NodeEvent, Output};
use crate::id::NodeId;
use crate::limits::{EVENTS_MAX, SNAPSHOT_PERIOD};
use crate::name::NodeName;
use crate::registry::{
    Body, Change, NodeState, OfferRecord, Record, RecordId, Registry, ServiceRecord, Snapshot,
};
use crate::time::Time;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// What was shown, and what is still to be told.
#[derive(Debug, Default)]
pub(super) struct Show {
    shown: Arc<Snapshot>,
    /// When the next snapshot may be shown.
    next: Time,
    pace: Pace,
    /// The members that were told of.
    joined: BTreeMap<NodeId, NodeName>,
    /// Those that said goodbye and may still be among them.
    goodbyes: BTreeSet<NodeId>,
    events: Vec<NodeEvent>,
}

/// Whether what changed can wait for more of its kind.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
enum Pace {
    #[default]
    Gathering,
    /// Somebody counts on it.
    Hurried,
}

impl Show {
    pub(super) fn poll_timeout(&self, registry: &Registry) -> Option<Time> {
        registry.is_changed().then_some(self.next)
    }

    pub(super) fn note_goodbye(&mut self, node: NodeId) {
        self.goodbyes.insert(node);
    }

    /// Somebody counts on what changed: it is shown at once.
    pub(super) fn hurry(&mut self) {
        self.pace = Pace::Hurried;
    }

    pub(super) fn note_return(&mut self, node: &NodeId) {
        self.goodbyes.remove(node);
    }

    pub(super) fn note(&mut self, change: Change) {
        let event = match change {
            Change::Offered(record) | Change::Updated(record) => {
                of_offer(&record, |node, offer| NodeEvent::Offered { node, offer })
            }
            Change::Withdrawn(record) => {
                of_offer(&record, |node, offer| NodeEvent::Withdrawn { node, offer })
            }
            Change::Registered(record) => {
                of_service(&record, |id, service| NodeEvent::Registered { id, service })
            }
            Change::Reregistered(record) => {
                of_service(&record, |id, service| NodeEvent::Reregistered { id, service })
            }
            Change::Freed(record) => {
                of_service(&record, |id, service| NodeEvent::Freed { id, service })
            }
            Change::Node(_) => None,
        };
        self.events.extend(event);
    }

    /// Whether everything was told for the first time, and nobody has seen it yet.
    fn must_hurry(&self, told_all: bool) -> bool {
        told_all && !self.shown.synced
    }

    /// Some nodes that live, `not` left out.
    pub(super) fn some_alive(&self, count: usize, not: &NodeId) -> Vec<NodeId> {
        let alive =
            self.shown.nodes().filter(|known| known.state == NodeState::Alive && known.id != *not);
        alive.map(|known| known.id).take(count).collect()
    }

    /// Tells who came and who went since `before`.
    fn arrivals(&mut self, me: &NodeId, before: &Snapshot) {
        let goodbyes = std::mem::take(&mut self.goodbyes);
        if self.shown.has_nodes_of(before) {
            return;
        }
        let alive: BTreeMap<NodeId, NodeName> = self
            .shown
            .nodes()
            .filter(|known| known.state == NodeState::Alive && known.id != *me)
            .map(|known| (known.id, known.record.name.clone()))
            .collect();
        for (node, name) in &alive {
            if !self.joined.contains_key(node) {
                self.events.push(NodeEvent::NodeJoined { node: *node, name: name.clone() });
            }
        }
        for (node, name) in std::mem::replace(&mut self.joined, alive) {
            if !self.joined.contains_key(&node) {
                let how =
                    if goodbyes.contains(&node) { Departure::Goodbye } else { Departure::Silence };
                self.events.push(NodeEvent::NodeLeft { node, name, how });
            }
        }
    }
}

fn of_offer(
    record: &Record,
    event: impl FnOnce(NodeId, Arc<OfferRecord>) -> NodeEvent,
) -> Option<NodeEvent> {
    let Body::Offer(offer) = &record.body else { return None };
    Some(event(record.owner, Arc::clone(offer)))
}

fn of_service(
    record: &Record,
    event: impl FnOnce(RecordId, Arc<ServiceRecord>) -> NodeEvent,
) -> Option<NodeEvent> {
    let Body::Service(service) = &record.body else { return None };
    Some(event(record.id(), Arc::clone(service)))
}

impl Node {
    /// A peer has told everything: who listens hears of it when that is shown.
    pub(super) fn tell_synced(&mut self, peer: NodeId) {
        let event = NodeEvent::Synced { node: peer };
        if self.registry.is_changed() {
            self.show.events.push(event);
        } else {
            self.outbox.push_back(Output::Event(event));
        }
    }

    pub(super) fn show_changes(&mut self, now: Time) {
        let hurries = std::mem::take(&mut self.show.pace) == Pace::Hurried
            || self.show.events.len() >= EVENTS_MAX
            || self.show.must_hurry(self.join.has_all());
        if !self.registry.is_changed() || (now < self.show.next && !hurries) {
            return;
        }
        self.show.next = now + SNAPSHOT_PERIOD;
        let before = std::mem::replace(&mut self.show.shown, self.registry.snapshot());
        self.outbox.push_back(Output::Snapshot(Arc::clone(&self.show.shown)));
        self.show.arrivals(&self.config.me.id, &before);
        let events = std::mem::take(&mut self.show.events);
        self.outbox.extend(events.into_iter().map(Output::Event));
        // What may only be said when it is shown.
        self.listen(now);
    }
}
