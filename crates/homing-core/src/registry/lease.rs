//! Until when do the records of those who are gone live on?
//!
//! A lease travels as the time that remains, and only shrinks (decisions A12): nobody can renew what others have
//! seen run out.

use crate::id::NodeId;
use crate::time::Time;
use std::collections::{BTreeMap, BTreeSet};

/// The leases that run, in the order of their ends.
#[derive(Debug, Default)]
pub(crate) struct Leases {
    until: BTreeMap<NodeId, Time>,
    order: BTreeSet<(Time, NodeId)>,
}

impl Leases {
    /// Starts a lease, or shortens the one that runs; a later end than before is ignored. When it ends.
    pub(crate) fn shrink(&mut self, node: NodeId, until: Time) -> Time {
        let until = self.until.get(&node).map_or(until, |before| until.min(*before));
        self.cancel(&node);
        self.until.insert(node, until);
        self.order.insert((until, node));
        until
    }

    /// Ends a lease because its owner lives, or is forgotten.
    pub(crate) fn cancel(&mut self, node: &NodeId) {
        if let Some(until) = self.until.remove(node) {
            self.order.remove(&(until, *node));
        }
    }

    /// When the lease of this owner ends, if one runs.
    pub(crate) fn until(&self, node: &NodeId) -> Option<Time> {
        self.until.get(node).copied()
    }

    /// Takes out one owner whose lease is over.
    pub(crate) fn pop_ended(&mut self, now: Time) -> Option<NodeId> {
        let (_, node) = *self.order.first().filter(|(until, _)| *until <= now)?;
        self.cancel(&node);
        Some(node)
    }

    /// When the next lease ends.
    pub(crate) fn next(&self) -> Option<Time> {
        self.order.first().map(|(until, _)| *until)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ONE: NodeId = NodeId::from_bytes([1; 16]);
    const TWO: NodeId = NodeId::from_bytes([2; 16]);

    #[test]
    fn a_lease_only_shrinks() {
        let mut leases = Leases::default();
        let at = Time::from_millis;
        assert_eq!(leases.shrink(ONE, at(10)), at(10));
        assert_eq!(leases.shrink(ONE, at(20)), at(10));
        assert_eq!(leases.shrink(ONE, at(5)), at(5));
        assert_eq!((leases.until(&ONE), leases.next()), (Some(at(5)), Some(at(5))));
    }

    #[test]
    fn leases_end_in_order_and_a_cancelled_one_never() {
        let mut leases = Leases::default();
        leases.shrink(ONE, Time::from_millis(20));
        leases.shrink(TWO, Time::from_millis(10));
        assert_eq!(leases.pop_ended(Time::from_millis(9)), None);
        assert_eq!(leases.pop_ended(Time::from_millis(30)), Some(TWO));
        leases.cancel(&ONE);
        assert_eq!((leases.pop_ended(Time::MAX), leases.next()), (None, None));
    }
}
