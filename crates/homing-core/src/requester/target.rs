//! Who may take the calls to one address, and who waits for one that may?

mod outlook;

use super::eligible::{Absence, Eligible, eligible, everyone};
use super::locality::{Distance, distance};
use super::memory::{Kept, Memory};
use super::policy::Policy;
use super::pools::{Pool, Pools};
use super::recent::Recent;
use super::seats::{Identity, SeatKey, Seats};
use super::slotted::Slotted;
use super::{CallKey, Only};
use crate::balance::{self, Affinity, Candidates, Cursor, Keyed};
use crate::id::NodeId;
use crate::name::{Address, Namespace};
use crate::registry::{Instance, InstanceState, RecordKey, Snapshot};
use crate::rng::Rng;
use crate::slots::Place;
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
    pools: Pools,
    absence: Absence,
    seen: Seen,
    /// When its instances were last compared with each other.
    pub(super) compared: Time,
    /// How long its calls took, where that matters.
    pub(super) recent: Recent,
    /// What slots it holds, where these decide.
    pub(super) slotted: Option<Box<Slotted>>,
}

/// An instance that may take calls.
#[derive(Clone, Copy, Debug)]
pub(super) struct Candidate {
    pub(super) seat: SeatKey,
    node: NodeId,
    key: RecordKey,
    /// Whether its offer says that the method may be repeated.
    pub(super) repeatable: bool,
    reach: Reach,
    identity: balance::Identity,
}

impl Candidate {
    fn is_within(&self, only: Option<Only>) -> bool {
        only.is_none_or(|only| only.admits(self.node, self.key))
    }
}

/// What was picked.
#[derive(Clone, Copy, Debug)]
pub(super) struct Picked {
    pub(super) candidate: Candidate,
    /// On which of its slots.
    pub(super) slot: Option<u32>,
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
    /// Nobody else.
    pub(super) only: Option<Only>,
    /// What it goes by, instead of the balancer.
    pub(super) affinity: Option<Affinity>,
    /// Not this one.
    pub(super) without: Option<SeatKey>,
}

impl Wish {
    /// Whether a call goes nowhere without a slot, where slots decide: not if it says itself where.
    pub(super) fn needs_slot(&self) -> bool {
        self.only.is_none() && self.affinity.is_none()
    }
}

/// What a pick needs of the requester.
#[derive(Debug)]
pub(super) struct Means<'a> {
    pub(super) policy: &'a Policy,
    pub(super) seats: &'a Seats,
    pub(super) rng: &'a mut Rng,
}

impl Target {
    /// A target about which nothing is known yet. In turn, the first is the candidate at `start`.
    pub(super) fn new(namespace: Namespace, address: Address, start: usize) -> Self {
        Self {
            namespace,
            address,
            waiting: BTreeMap::new(),
            generation: 0,
            instances: Vec::new(),
            candidates: Vec::new(),
            pools: Pools::new(start),
            absence: Absence::default(),
            seen: Seen::Never,
            compared: Time::ZERO,
            recent: Recent::default(),
            slotted: None,
        }
    }

    /// In turn, this candidate is the next.
    #[cfg(test)]
    pub(super) fn start_at(&mut self, index: usize) {
        self.pools.start_at(index);
    }

    /// Whether what it knows comes from this snapshot.
    pub(super) fn is_fresh(&self, generation: u64) -> bool {
        self.generation == generation
    }

    /// Brings the candidates up to a snapshot, by the `seats` and the `policy` of its requester. Whether they changed.
    pub(super) fn refresh(
        &mut self,
        snapshot: &Snapshot,
        generation: u64,
        seats: &mut Seats,
        policy: &Policy,
    ) -> bool {
        self.generation = generation;
        let instances = snapshot.instances(&self.namespace, &self.address.service);
        if snapshot.was_seen(&self.namespace, &self.address.service) {
            self.seen = Seen::Once;
        }
        if same(instances, &self.instances) {
            return false;
        }
        let instances = instances.to_vec();
        let old = std::mem::take(&mut self.candidates);
        self.pools.clear();
        match eligible(&instances, &self.address, policy) {
            Ok(found) => self.adopt(&found, snapshot, seats, policy),
            Err(absence) => self.absence = absence,
        }
        self.instances = instances;
        self.pools.settle(|index| self.candidates[index].identity);
        // Only now, so that who stays keeps its seat.
        for candidate in old {
            seats.unlist(candidate.seat);
        }
        true
    }

    /// Lists these, pool after pool.
    fn adopt(
        &mut self,
        found: &[Eligible<'_>],
        snapshot: &Snapshot,
        seats: &mut Seats,
        policy: &Policy,
    ) {
        let mut placed: Vec<(usize, Distance, &Eligible<'_>)> = found
            .iter()
            .map(|found| (found.class, distance(&policy.locality, found.instance, snapshot), found))
            .collect();
        placed.sort_by_key(|&(class, distance, _)| (class, distance)); // Stable: the rest of the order stays.
        for (class, distance, found) in placed {
            self.candidates.push(Candidate {
                seat: seats.list(identity(found.instance)),
                node: found.instance.node,
                key: found.instance.key,
                repeatable: found.method.repeatable,
                reach: reach(found.instance.state),
                identity: balance::Identity::of(found.instance.node, found.instance.key),
            });
            let share = policy.weights.get(class).map_or(1, |weight| weight.share);
            self.pools.push(Pool { class, distance, share });
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

    /// Who is to be asked where all are, those included that cannot take a call.
    pub(super) fn everyone(&self, policy: &Policy) -> Vec<(NodeId, RecordKey)> {
        let all = everyone(&self.instances, &self.address, policy);
        all.into_iter().map(|instance| (instance.node, instance.key)).collect()
    }

    /// Whether there ever was one.
    pub(super) fn seen(&self) -> Seen {
        self.seen
    }

    /// Whether this one (or any) may take a call, now or later.
    pub(super) fn has(&self, only: Option<Only>) -> bool {
        match only {
            None => self.is_ready(),
            Some(_) => self.candidates.iter().any(|candidate| candidate.is_within(only)),
        }
    }

    /// Whether [`pick_any`](Self::pick_any) would find one.
    pub(super) fn can_take(&self, wish: Wish) -> bool {
        match &self.slotted {
            Some(slotted) if wish.needs_slot() => slotted.has(|_| true),
            Some(_) | None => self.has(wish.only),
        }
    }

    /// Whether [`pick_fresh`](Self::pick_fresh) would find one.
    pub(super) fn has_fresh(&self, seats: &Seats, wish: Wish) -> bool {
        let may = |candidate: &Candidate| {
            candidate.is_within(wish.only) && fresh(candidate, seats, wish.now).is_some()
        };
        match &self.slotted {
            Some(slotted) if wish.needs_slot() => slotted.has(|index| may(&self.candidates[index])),
            Some(_) | None => self.candidates.iter().any(may),
        }
    }

    /// Tells the rover, where there is one, who the candidates are.
    pub(super) fn tell_rover(&mut self, now: Time, seats: &Seats) {
        let Some(slotted) = &mut self.slotted else { return };
        let place = |candidate: &Candidate| {
            let identity = seats.identity(candidate.seat);
            Place { node: identity.node, key: identity.key }
        };
        let all = self.candidates.iter().map(place).zip(0..).collect();
        let open = self.candidates.iter().filter(|candidate| candidate.reach == Reach::Ready);
        slotted.adopt(now, all, open.map(place).collect());
    }

    /// Picks one that nothing speaks against.
    pub(super) fn pick_fresh(&mut self, means: &mut Means<'_>, wish: Wish) -> Option<Picked> {
        self.pick(means, wish, Mood::Choosy)
    }

    /// Picks one that nothing speaks against, or else any.
    pub(super) fn pick_any(&mut self, means: &mut Means<'_>, wish: Wish) -> Option<Picked> {
        self.pick(means, wish, Mood::Choosy).or_else(|| self.pick(means, wish, Mood::Desperate))
    }

    /// The seats of all candidates.
    pub(super) fn seats(&self) -> impl Iterator<Item = SeatKey> {
        self.candidates.iter().map(|candidate| candidate.seat)
    }

    fn pick(&mut self, means: &mut Means<'_>, wish: Wish, mood: Mood) -> Option<Picked> {
        let Means { policy, seats, rng } = means;
        let candidates = &self.candidates;
        if let Some(slotted) = &mut self.slotted
            && wish.affinity.is_none()
        {
            let field = Field { candidates, seats, wish, mood, kept: None };
            let picked = slotted.pick(|index| field.pending(index).is_some());
            if let Some((index, number)) = picked {
                return Some(Picked { candidate: candidates[index], slot: Some(number) });
            }
            if wish.needs_slot() {
                return None;
            }
        }
        let picked = self.pools.pick(rng, |range, memory, rng| {
            let (first, candidates) = (range.start, &candidates[range]);
            let Memory { cursor, kept } = memory;
            let field = Field { candidates, seats, wish, mood, kept: Some(kept) };
            let keyed = field.keyed();
            Some(first + policy.balancer.pick(&field, keyed, cursor, rng)?)
        })?;
        Some(Picked { candidate: candidates[picked], slot: None })
    }
}

/// How much may speak against an instance that is picked.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Mood {
    Choosy,
    Desperate,
}

/// Candidates as balancers see them.
struct Field<'a> {
    candidates: &'a [Candidate],
    seats: &'a Seats,
    wish: Wish,
    mood: Mood,
    /// Of the pool that they are, if they are one.
    kept: Option<&'a Kept>,
}

impl Field<'_> {
    /// What the wish goes by, instead of the balancer.
    fn keyed(&self) -> Option<Keyed<'_>> {
        let (affinity, kept) = (self.wish.affinity?, self.kept?);
        let identities = self.candidates.iter().map(|candidate| candidate.identity);
        Some(Keyed { affinity, ring: kept.ring(identities) })
    }
}

impl Candidates for Field<'_> {
    fn len(&self) -> usize {
        self.candidates.len()
    }

    fn pending(&self, index: usize) -> Option<u32> {
        let candidate = &self.candidates[index];
        if !candidate.is_within(self.wish.only) || self.wish.without == Some(candidate.seat) {
            return None;
        }
        match self.mood {
            Mood::Choosy => fresh(candidate, self.seats, self.wish.now),
            Mood::Desperate => Some(self.seats.pending(candidate.seat)),
        }
    }

    fn cost(&self, index: usize) -> Option<u64> {
        self.pending(index)?;
        Some(self.seats.cost(self.candidates[index].seat, self.wish.now))
    }

    fn least_pending(&self, cursor: &mut Cursor) -> Option<usize> {
        let loads = self.seats.loads().expect("it is kept where it is asked for");
        let members = self.kept?.members(self.candidates.iter().map(|candidate| candidate.seat));
        let pending = |place| self.pending(members.candidate(place));
        Some(members.candidate(loads.least(&members.places, cursor, pending)?))
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
