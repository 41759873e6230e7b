//! Does a suspect hear of it in time to defend itself?
//!
//! By gossip alone the suspicion has to find it, and its answer the way back: with latency and loss that takes longer
//! than [`SUSPICION`](crate::limits::SUSPICION). So who suspects a member tells it so, at once and again until the matter
//! is decided; its answer refutes the suspicion where that would be executed.

use super::on_grid;
use crate::id::NodeId;
use crate::limits::PROBE_PERIOD;
use crate::time::Time;
use std::collections::BTreeMap;

/// The members that we ourselves suspect, and when each is told so next. No more than there are members.
#[derive(Debug, Default)]
pub(super) struct Hearings {
    open: BTreeMap<NodeId, Time>,
}

impl Hearings {
    /// A member is suspected from now on.
    pub(super) fn begin(&mut self, now: Time, node: NodeId) {
        self.open.entry(node).or_insert(now);
    }

    /// It is decided.
    pub(super) fn end(&mut self, node: &NodeId) {
        self.open.remove(node);
    }

    /// Who is to be told now.
    pub(super) fn due(&mut self, now: Time) -> Vec<NodeId> {
        let mut due = Vec::new();
        for (node, at) in self.open.iter_mut().filter(|(_, at)| **at <= now) {
            *at = on_grid(now + PROBE_PERIOD);
            due.push(*node);
        }
        due
    }

    /// When somebody is to be told.
    pub(super) fn poll_timeout(&self) -> Option<Time> {
        self.open.values().min().copied()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_suspect_is_told_at_once_and_again_until_it_is_decided() {
        let (mut hearings, node) = (Hearings::default(), NodeId::from_bytes([1; 16]));
        let now = Time::from_millis(100);
        hearings.begin(now, node);
        hearings.begin(now, node);
        assert_eq!(hearings.due(now), [node]);
        assert_eq!(hearings.due(now), []);
        let next = hearings.poll_timeout().expect("it goes on");
        assert_eq!(next, now + PROBE_PERIOD);
        assert_eq!(hearings.due(next), [node]);
        hearings.end(&node);
        assert_eq!(hearings.poll_timeout(), None);
    }
}
