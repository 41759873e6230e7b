//! Who may take the calls to one address, and who waits for one that may?

use super::CallKey;
use super::eligible::{Absence, eligible};
use super::seats::{Identity, SeatKey, Seats};
use crate::balance::{Balancer, Cursor};
use crate::id::NodeId;
use crate::name::{Address, Namespace};
use crate::registry::{Instance, InstanceState, Snapshot};
use crate::time::Time;
use std::collections::BTreeMap;
use std::sync::Arc;

/// One address in one namespace, with the instances that may take its calls.
#[derive(Debug)]
pub(super) struct Target {
    pub(super) namespace: Namespace,
    pub(super) address: Address,
    /// Calls that wait for an instance, in their order.
    pub(super) waiting: BTreeMap<u64, CallKey>,
    /// Which of the requester's snapshots the rest was made from; 0 before the first.
    generation: u64,
    /// All instances of the service in it: while they stay the same, so do the candidates.
    instances: Vec<Arc<Instance>>,
    candidates: Vec<Candidate>,
    absence: Absence,
    seen: Seen,
    cursor: Cursor,
}

/// An instance that may take calls.
#[derive(Clone, Copy, Debug)]
pub(super) struct Candidate {
    pub(super) seat: SeatKey,
    pub(super) node: NodeId,
    /// Whether its offer says that the method may be repeated.
    pub(super) repeatable: bool,
    reach: Reach,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Reach {
    Ready,
    /// Picked only when there is no other.
    Doubtful,
}

/// Whether there ever was an instance of the service.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Seen {
    Never,
    Once,
}

/// Who is acceptable for one pick.
#[derive(Clone, Copy, Debug)]
pub(super) struct Wish {
    pub(super) now: Time,
    /// Only an instance of this node.
    pub(super) node: Option<NodeId>,
}

impl Target {
    /// A target about which nothing is known yet. Its first pick is any of the candidates, by `cursor`.
    pub(super) fn new(namespace: Namespace, address: Address, cursor: Cursor) -> Self {
        Self {
            namespace,
            address,
            waiting: BTreeMap::new(),
            generation: 0,
            instances: Vec::new(),
            candidates: Vec::new(),
            absence: Absence::default(),
            seen: Seen::Never,
            cursor,
        }
    }

    /// Turns the cursor to this candidate.
    #[cfg(test)]
    pub(super) fn start_at(&mut self, index: usize) {
        self.cursor = Cursor::starting_at(index);
    }

    /// Whether what it knows comes from this snapshot.
    pub(super) fn is_fresh(&self, generation: u64) -> bool {
        self.generation == generation
    }

    /// Brings the candidates up to a snapshot.
    pub(super) fn refresh(&mut self, snapshot: &Snapshot, generation: u64, seats: &mut Seats) {
        self.generation = generation;
        let instances = snapshot.instances(&self.namespace, &self.address.service);
        if snapshot.was_seen(&self.namespace, &self.address.service) {
            self.seen = Seen::Once;
        }
        if same(instances, &self.instances) {
            return;
        }
        self.instances = instances.to_vec();
        let old = std::mem::take(&mut self.candidates);
        match eligible(&self.instances, &self.address) {
            Ok(found) => {
                self.candidates.extend(found.iter().map(|found| Candidate {
                    seat: seats.list(identity(found.instance)),
                    node: found.instance.node,
                    repeatable: found.method.repeatable,
                    reach: reach(found.instance.state),
                }));
            }
            Err(absence) => self.absence = absence,
        }
        // Only now, so that who stays keeps its seat.
        for candidate in old {
            seats.unlist(candidate.seat);
        }
    }

    /// Gives up all seats. Called once, at the end.
    pub(super) fn clear(&mut self, seats: &mut Seats) {
        for candidate in self.candidates.drain(..) {
            seats.unlist(candidate.seat);
        }
    }

    /// Whether there is an instance for its calls.
    pub(super) fn is_ready(&self) -> bool {
        !self.candidates.is_empty()
    }

    /// Why there is none, if there is none.
    pub(super) fn absence(&self) -> Option<Absence> {
        self.candidates.is_empty().then_some(self.absence)
    }

    /// All instances of the service, for messages.
    pub(super) fn instances(&self) -> &[Arc<Instance>] {
        &self.instances
    }

    /// Whether there ever was one.
    pub(super) fn seen(&self) -> Seen {
        self.seen
    }

    /// Whether an instance of this node (or any) may take a call, now or later.
    pub(super) fn has(&self, node: Option<NodeId>) -> bool {
        match node {
            None => self.is_ready(),
            Some(node) => self.candidates.iter().any(|candidate| candidate.node == node),
        }
    }

    /// Whether [`pick_fresh`](Self::pick_fresh) would find one.
    pub(super) fn has_fresh(&self, seats: &Seats, wish: Wish) -> bool {
        self.candidates.iter().any(|candidate| {
            wish.node.is_none_or(|node| node == candidate.node)
                && fresh(candidate, seats, wish.now).is_some()
        })
    }

    /// Picks one that nothing speaks against.
    pub(super) fn pick_fresh(
        &mut self,
        balancer: Balancer,
        seats: &Seats,
        wish: Wish,
    ) -> Option<Candidate> {
        self.pick(balancer, wish, |candidate| fresh(candidate, seats, wish.now))
    }

    /// Picks one that nothing speaks against, or else any.
    pub(super) fn pick_any(
        &mut self,
        balancer: Balancer,
        seats: &Seats,
        wish: Wish,
    ) -> Option<Candidate> {
        self.pick_fresh(balancer, seats, wish)
            .or_else(|| self.pick(balancer, wish, |candidate| Some(seats.pending(candidate.seat))))
    }

    fn pick(
        &mut self,
        balancer: Balancer,
        wish: Wish,
        pending: impl Fn(&Candidate) -> Option<u32>,
    ) -> Option<Candidate> {
        let candidates = &self.candidates;
        let picked = balancer.pick(&mut self.cursor, candidates.len(), |index| {
            let candidate = &candidates[index];
            if wish.node.is_some_and(|node| node != candidate.node) {
                return None;
            }
            pending(candidate)
        })?;
        Some(candidates[picked])
    }
}

/// Its calls under way, if nothing speaks against one more.
fn fresh(candidate: &Candidate, seats: &Seats, now: Time) -> Option<u32> {
    match candidate.reach {
        Reach::Ready => seats.pending_if_fresh(candidate.seat, now),
        Reach::Doubtful => None,
    }
}

fn same(new: &[Arc<Instance>], old: &[Arc<Instance>]) -> bool {
    new.len() == old.len() && new.iter().zip(old).all(|(new, old)| Arc::ptr_eq(new, old))
}

fn identity(instance: &Instance) -> Identity {
    Identity { node: instance.node, epoch: instance.epoch, key: instance.key }
}

fn reach(state: InstanceState) -> Reach {
    match state {
        InstanceState::Ready => Reach::Ready,
        InstanceState::Unreachable | InstanceState::Draining => Reach::Doubtful,
    }
}
