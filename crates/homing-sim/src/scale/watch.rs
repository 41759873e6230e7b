//! Since when does each station see what is waited for?

use crate::mesh;
use homing_core::id::NodeId;
use homing_core::name::Namespace;
use homing_core::registry::{InstanceState, NodeState, RecordId, Registered, Snapshot, Standing};
use homing_core::time::Time;
use std::sync::Arc;
use std::time::Duration;

/// What is waited for.
#[derive(Clone, Debug)]
pub(crate) enum Goal {
    /// So many nodes, all alive, with so many instances, all ready, and so many records made by hand, none of them of
    /// somebody who is gone.
    Everything { nodes: usize, instances: usize, registered: usize },
    /// This offer of this service.
    Offered { service: usize, serial: u64 },
    /// No longer this offer.
    Freed { service: usize, serial: u64 },
    /// This record, made by hand.
    Registered(RecordId),
    /// No longer this record.
    Unregistered(RecordId),
    /// No longer this node.
    Gone(NodeId),
}

/// Who has seen it, and when.
#[derive(Debug)]
pub(crate) struct Watch {
    goal: Goal,
    /// By station; nothing is waited for at those left out.
    seen: Vec<Option<Time>>,
    waiting: usize,
    awaited: Vec<bool>,
}

impl Watch {
    /// Waits until these of so many stations have seen it.
    pub(crate) fn new(goal: Goal, stations: usize, who: &[usize]) -> Self {
        let mut awaited = vec![false; stations];
        for host in who {
            awaited[*host] = true;
        }
        Self { goal, seen: vec![None; stations], waiting: who.len(), awaited }
    }

    /// A station has a new snapshot. Who has seen it once has seen it, but for everything, which has to stay so.
    pub(crate) fn look(&mut self, now: Time, host: usize, snapshot: &Snapshot) {
        if !self.awaited[host] {
            return;
        }
        let lasts = matches!(self.goal, Goal::Everything { .. });
        match (self.seen[host], self.goal.is_seen(snapshot)) {
            (None, true) => {
                self.seen[host] = Some(now);
                self.waiting -= 1;
            }
            (Some(_), false) if lasts => {
                self.seen[host] = None;
                self.waiting += 1;
            }
            (None, false) | (Some(_), _) => {}
        }
    }

    /// Whether all have seen it.
    pub(crate) const fn is_over(&self) -> bool {
        self.waiting == 0
    }

    /// How long it took after `since` until so many of a hundred had seen it; `None`: they have not.
    pub(crate) fn after(&self, since: Time, percent: usize) -> Option<Duration> {
        let mut seen: Vec<Time> = self.seen.iter().flatten().copied().collect();
        seen.sort_unstable();
        let enough = ((seen.len() + self.waiting) * percent).div_ceil(100).max(1);
        seen.get(enough - 1).map(|at| at.since(since))
    }

    /// Some stations that have not seen it.
    pub(crate) fn blind(&self) -> Vec<usize> {
        let blind = |host: &usize| self.awaited[*host] && self.seen[*host].is_none();
        (0..self.seen.len()).filter(blind).collect()
    }
}

impl Goal {
    fn is_seen(&self, snapshot: &Snapshot) -> bool {
        match self {
            Self::Everything { nodes, instances, registered } => {
                snapshot.nodes().filter(|node| node.state == NodeState::Alive).count() == *nodes
                    && ready(snapshot) == *instances
                    && standing(snapshot) == Some(*registered)
            }
            Self::Offered { service, serial } => is_offered(snapshot, *service, *serial),
            Self::Freed { service, serial } => !is_offered(snapshot, *service, *serial),
            Self::Registered(id) => is_registered(snapshot, id),
            Self::Unregistered(id) => !is_registered(snapshot, id),
            Self::Gone(node) => {
                snapshot.node(node).is_none_or(|node| node.state != NodeState::Alive)
            }
        }
    }
}

/// Whether an offer is there.
pub(crate) fn is_offered(snapshot: &Snapshot, service: usize, serial: u64) -> bool {
    let instances = snapshot.instances(&Namespace::default(), &mesh::service(service));
    instances.iter().any(|one| mesh::serial(&one.offer) == serial)
}

/// Whether a record made by hand is there.
pub(crate) fn is_registered(snapshot: &Snapshot, id: &RecordId) -> bool {
    snapshot.registered().any(|one| one.id == *id)
}

/// How many records made by hand there are; `None` while some are of owners that are gone.
fn standing(snapshot: &Snapshot) -> Option<usize> {
    let stands = |one: &Arc<Registered>| match one.standing {
        Standing::Alive | Standing::Lasting => Some(1),
        Standing::OwnerGone { .. } => None,
    };
    snapshot.registered().map(stands).sum()
}

fn ready(snapshot: &Snapshot) -> usize {
    let all = snapshot.services().flat_map(|(.., instances)| instances);
    all.filter(|instance| instance.state == InstanceState::Ready).count()
}
