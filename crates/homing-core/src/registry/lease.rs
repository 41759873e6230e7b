//! Until when do the records of those who are gone live on?
//!
//! Each for its own lifetime from when its owner went. What travels is how much is left of the longest lifetime there
//! can be ([`LIFETIME_MAX`]), and it only shrinks (decisions A12): nobody can renew what others have seen run out.

use crate::id::NodeId;
use crate::limits::LIFETIME_MAX;
use crate::time::Time;
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

/// The leases that run, in the order in which something of them ends.
#[derive(Debug, Default)]
pub(crate) struct Leases {
    all: BTreeMap<NodeId, Lease>,
    order: BTreeSet<(Time, NodeId)>,
}

#[derive(Clone, Copy, Debug)]
struct Lease {
    /// When the longest lifetime there can be is over.
    end: Time,
    /// When the next record ends.
    due: Time,
}

/// When a record with this lifetime ends, of an owner of whose lease the longest lifetime ends then.
pub(crate) fn end_of(lease: Time, lifetime: Duration) -> Time {
    let rest = u64::try_from(LIFETIME_MAX.saturating_sub(lifetime).as_nanos()).unwrap_or(u64::MAX);
    Time::from_nanos(lease.as_nanos().saturating_sub(rest))
}

impl Leases {
    /// Starts a lease, or shortens the one that runs; a later end than before is ignored. When it ends. It is due then,
    /// unless it is scheduled.
    pub(crate) fn shrink(&mut self, node: NodeId, end: Time) -> Time {
        let end = self.end(&node).map_or(end, |before| end.min(before));
        self.cancel(&node);
        self.all.insert(node, Lease { end, due: end });
        self.order.insert((end, node));
        end
    }

    /// Something of a lease ends at this time.
    pub(crate) fn schedule(&mut self, node: &NodeId, due: Time) {
        if let Some(lease) = self.all.get_mut(node) {
            self.order.remove(&(lease.due, *node));
            lease.due = due;
            self.order.insert((due, *node));
        }
    }

    /// Ends a lease because its owner lives, or is forgotten.
    pub(crate) fn cancel(&mut self, node: &NodeId) {
        if let Some(lease) = self.all.remove(node) {
            self.order.remove(&(lease.due, *node));
        }
    }

    /// When the longest lifetime of this owner ends, if a lease runs.
    pub(crate) fn end(&self, node: &NodeId) -> Option<Time> {
        self.all.get(node).map(|lease| lease.end)
    }

    /// An owner of which something ends now; not again unless it is scheduled.
    pub(crate) fn pop_due(&mut self, now: Time) -> Option<NodeId> {
        let first = *self.order.first().filter(|(due, _)| *due <= now)?;
        self.order.remove(&first);
        Some(first.1)
    }

    /// When something ends next.
    pub(crate) fn next(&self) -> Option<Time> {
        self.order.first().map(|(due, _)| *due)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::limits::LEASE;

    const ONE: NodeId = NodeId::from_bytes([1; 16]);
    const TWO: NodeId = NodeId::from_bytes([2; 16]);

    #[test]
    fn a_lease_only_shrinks() {
        let mut leases = Leases::default();
        let at = Time::from_millis;
        assert_eq!(leases.shrink(ONE, at(10)), at(10));
        assert_eq!(leases.shrink(ONE, at(20)), at(10));
        assert_eq!(leases.shrink(ONE, at(5)), at(5));
        assert_eq!((leases.end(&ONE), leases.next()), (Some(at(5)), Some(at(5))));
    }

    #[test]
    fn leases_end_in_order_and_a_cancelled_one_never() {
        let mut leases = Leases::default();
        leases.shrink(ONE, Time::from_millis(20));
        leases.shrink(TWO, Time::from_millis(10));
        assert_eq!(leases.pop_due(Time::from_millis(9)), None);
        assert_eq!(leases.pop_due(Time::from_millis(30)), Some(TWO));
        leases.schedule(&TWO, Time::from_millis(40));
        leases.cancel(&ONE);
        assert_eq!(leases.pop_due(Time::from_millis(39)), None);
        assert_eq!(leases.pop_due(Time::from_millis(40)), Some(TWO));
        leases.cancel(&TWO);
        assert_eq!((leases.pop_due(Time::MAX), leases.next()), (None, None));
    }

    #[test]
    fn a_record_ends_its_lifetime_after_its_owner_went() {
        let gone = Time::from_millis(7_000);
        let lease = gone + LIFETIME_MAX;
        assert_eq!(end_of(lease, LIFETIME_MAX), lease);
        assert_eq!(end_of(lease, LEASE), gone + LEASE);
        assert_eq!(end_of(Time::ZERO, LEASE), Time::ZERO, "it is over already");
    }
}
