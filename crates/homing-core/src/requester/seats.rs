//! How busy is each instance, and which are better left alone for a moment?
//!
//! An instance has one seat, shared by all targets that may pick it. A seat lives while a target lists it or a call is
//! under way there, so the table is bounded by what the snapshot holds plus the calls under way.

use super::explain::Trouble;
use super::health::{Advice, Ejected, Health, Mark};
use super::policy::Outliers;
use crate::balance::{Latency, Loads};
use crate::id::{Epoch, NodeId};
use crate::limits::FAILURE_LATENCY;
use crate::registry::RecordKey;
use crate::time::Time;
use slab::Slab;
use std::collections::BTreeMap;
use std::time::Duration;

/// Which seat.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) struct SeatKey(usize);

impl SeatKey {
    /// A small number that no other seat has meanwhile.
    pub(super) fn place(self) -> usize {
        self.0
    }
}

/// Who sits there: one offer of one life of a node.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(super) struct Identity {
    pub(super) node: NodeId,
    pub(super) epoch: Epoch,
    pub(super) key: RecordKey,
}

#[derive(Debug, Default)]
pub(super) struct Seats {
    all: Slab<Seat>,
    index: BTreeMap<Identity, usize>,
    /// Nodes that could not be reached, until when they are avoided.
    doubts: BTreeMap<NodeId, Time>,
    /// Who has how much to do, where that is asked for.
    loads: Option<Loads>,
}

#[derive(Debug)]
struct Seat {
    identity: Identity,
    /// Calls under way.
    pending: u32,
    /// Targets that list it.
    listed: u32,
    /// Until then it is picked only when there is no other.
    rests_until: Time,
    why: Rest,
    latency: Latency,
    health: Health,
}

impl Seat {
    fn new(identity: Identity, rests_until: Time) -> Self {
        let (latency, health) = (Latency::default(), Health::default());
        let why = Rest::Unreached;
        Self { identity, pending: 0, listed: 0, rests_until, why, latency, health }
    }

    fn avoid(&mut self, until: Time, why: Rest) {
        if until > self.rests_until {
            (self.rests_until, self.why) = (until, why);
        }
    }
}

/// Why an instance is avoided for a moment.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Rest {
    /// It takes no more at this time.
    Full,
    /// A dial failed.
    Unreached,
    /// Its link broke, or it refused a call for another reason.
    Failed,
}

/// How a call ended that says something of the instance.
#[derive(Clone, Copy, Debug)]
pub(super) struct Marked {
    pub(super) took: Duration,
    pub(super) mark: Mark,
}

impl Seats {
    /// No seats; of those to come the order by their calls under way is kept.
    pub(super) fn in_order() -> Self {
        Self { loads: Some(Loads::default()), ..Self::default() }
    }

    /// All by their calls under way, by their [places](SeatKey::place), if that is kept.
    pub(super) fn loads(&self) -> Option<&Loads> {
        self.loads.as_ref()
    }

    /// A target lists this instance: its seat, made when it has none. [`unlist`](Self::unlist) is due once.
    pub(super) fn list(&mut self, identity: Identity) -> SeatKey {
        let Self { all, index, doubts, loads } = self;
        let index = *index.entry(identity).or_insert_with(|| {
            let rests_until = doubts.get(&identity.node).copied().unwrap_or(Time::ZERO);
            let place = all.insert(Seat::new(identity, rests_until));
            change(loads, place, None, Some(0));
            place
        });
        self.all[index].listed += 1;
        SeatKey(index)
    }

    /// A target lists it no more.
    pub(super) fn unlist(&mut self, key: SeatKey) {
        self.all[key.0].listed -= 1;
        self.drop_unused(key);
    }

    /// A call starts there. [`leave`](Self::leave) is due once.
    pub(super) fn take(&mut self, key: SeatKey, now: Time) -> Identity {
        let seat = &mut self.all[key.0];
        seat.health.begin(now);
        seat.pending += 1;
        change(&mut self.loads, key.0, Some(seat.pending - 1), Some(seat.pending));
        seat.identity
    }

    /// A call ended there.
    pub(super) fn leave(&mut self, key: SeatKey) {
        let seat = &mut self.all[key.0];
        seat.pending -= 1;
        change(&mut self.loads, key.0, Some(seat.pending + 1), Some(seat.pending));
        if seat.pending == 0 {
            self.drop_unused(key);
        }
    }

    /// Who sits there.
    pub(super) fn identity(&self, key: SeatKey) -> Identity {
        self.all[key.0].identity
    }

    /// How many calls are under way there.
    pub(super) fn pending(&self, key: SeatKey) -> u32 {
        self.all[key.0].pending
    }

    /// Its calls under way; `None` while it rests, or is set aside.
    pub(super) fn pending_if_fresh(&self, key: SeatKey, now: Time) -> Option<u32> {
        let seat = &self.all[key.0];
        let is_open = seat.rests_until <= now && seat.health.is_open(now, seat.pending);
        is_open.then_some(seat.pending)
    }

    /// What one more call there would cost.
    pub(super) fn cost(&self, key: SeatKey, now: Time) -> u64 {
        let seat = &self.all[key.0];
        // Who is due for a probe is to get it, however slow it was.
        if seat.health.is_out() { 0 } else { seat.latency.cost(now, seat.pending) }
    }

    /// A call there took so long and ended so.
    pub(super) fn mark(&mut self, key: SeatKey, now: Time, end: Marked, terms: Outliers) -> Advice {
        let Marked { took, mark } = end;
        let seat = &mut self.all[key.0];
        match mark {
            Mark::Answered => seat.latency.observe(now, took),
            Mark::Failed => seat.latency.observe(now, took.max(FAILURE_LATENCY)),
        }
        seat.health.mark(now, took, mark, terms)
    }

    /// A call there, under way for so long, came to nothing that says more of it.
    pub(super) fn pass(&mut self, key: SeatKey, now: Time, took: Duration) {
        let seat = &mut self.all[key.0];
        seat.latency.observe_at_least(now, took);
        seat.health.pass(now);
    }

    /// Its standing.
    pub(super) fn health(&self, key: SeatKey) -> &Health {
        &self.all[key.0].health
    }

    /// Its standing, to be changed.
    pub(super) fn health_mut(&mut self, key: SeatKey) -> &mut Health {
        &mut self.all[key.0].health
    }

    /// Instances that are set aside, for observation.
    pub(super) fn ejected(&self) -> usize {
        self.all.iter().filter(|(_, seat)| seat.health.is_out()).count()
    }

    /// All calls under way, for observation.
    pub(super) fn pending_total(&self) -> u64 {
        self.all.iter().map(|(_, seat)| u64::from(seat.pending)).sum()
    }

    /// Avoids an instance for a while. A longer rest that was given before stands.
    pub(super) fn rest(&mut self, key: SeatKey, until: Time, why: Rest) {
        self.all[key.0].avoid(until, why);
    }

    /// What speaks against one more call there, if anything does.
    pub(super) fn trouble(&self, key: SeatKey, now: Time) -> Option<Trouble> {
        let seat = &self.all[key.0];
        match seat.health.ejection() {
            _ if seat.rests_until > now => {
                Some(Trouble::Resting { why: seat.why, left: seat.rests_until - now })
            }
            Some(Ejected::Probed) => Some(Trouble::Probed),
            Some(Ejected::Until(until)) if until > now => {
                Some(Trouble::Ejected { left: until - now })
            }
            Some(Ejected::Until(_)) if seat.pending > 0 => Some(Trouble::Probed),
            Some(Ejected::Until(_)) | None => None,
        }
    }

    /// How long calls there take of late.
    pub(super) fn latency(&self, key: SeatKey, now: Time) -> Option<Duration> {
        self.all[key.0].latency.recent(now)
    }

    /// Avoids all instances of a node for a while.
    pub(super) fn doubt(&mut self, node: NodeId, now: Time, until: Time) {
        self.doubts.retain(|_, end| *end > now);
        self.doubts.insert(node, until);
        for (_, seat) in self.all.iter_mut().filter(|(_, seat)| seat.identity.node == node) {
            seat.avoid(until, Rest::Unreached);
        }
    }

    /// The node can be reached: what was held against its instances is forgotten.
    pub(super) fn trust(&mut self, node: NodeId) {
        self.doubts.remove(&node);
        for (_, seat) in self.all.iter_mut().filter(|(_, seat)| seat.identity.node == node) {
            seat.rests_until = Time::ZERO;
        }
    }

    /// Whether the order that is kept is that of the calls under way.
    #[cfg(test)]
    pub(super) fn is_in_order(&self) -> bool {
        let level = |(place, seat): (usize, &Seat)| (place, seat.pending.min(63) as usize);
        let expect = self.all.iter().map(level).collect();
        self.loads.as_ref().is_none_or(|loads| loads.standing() == expect)
    }

    /// Whether nobody has a seat.
    #[cfg(test)]
    pub(super) fn is_empty(&self) -> bool {
        self.all.is_empty() && self.index.is_empty()
    }

    fn drop_unused(&mut self, key: SeatKey) {
        let seat = &self.all[key.0];
        if seat.pending == 0 && seat.listed == 0 {
            self.index.remove(&seat.identity);
            self.all.remove(key.0);
            change(&mut self.loads, key.0, Some(0), None);
        }
    }
}

fn change(loads: &mut Option<Loads>, place: usize, before: Option<u32>, after: Option<u32>) {
    if let Some(loads) = loads {
        loads.change(place, before, after);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Time = Time::from_millis(1_000);
    const LATER: Time = Time::from_millis(2_000);

    fn identity(node: u8, key: u32) -> Identity {
        Identity { node: NodeId::from_bytes([node; 16]), epoch: Epoch(1), key: RecordKey(key) }
    }

    #[test]
    fn a_seat_outlives_its_listing_while_a_call_is_under_way() {
        let mut seats = Seats::default();
        let seat = seats.list(identity(1, 1));
        assert_eq!(seats.list(identity(1, 1)), seat);
        seats.take(seat, NOW);
        seats.unlist(seat);
        seats.unlist(seat);
        assert_eq!(seats.pending(seat), 1);
        seats.leave(seat);
        assert!(seats.is_empty());
    }

    #[test]
    fn a_doubted_node_rests_with_all_its_instances_also_new_ones() {
        let mut seats = Seats::default();
        let (old, other) = (seats.list(identity(1, 1)), seats.list(identity(2, 1)));
        seats.doubt(identity(1, 0).node, NOW, LATER);
        let new = seats.list(identity(1, 2));
        assert_eq!(seats.pending_if_fresh(old, NOW), None);
        assert_eq!(seats.pending_if_fresh(new, NOW), None);
        assert_eq!(seats.pending_if_fresh(other, NOW), Some(0));
        assert_eq!(seats.pending_if_fresh(new, LATER), Some(0));
        seats.trust(identity(1, 0).node);
        assert_eq!(seats.pending_if_fresh(old, NOW), Some(0));
    }
}
