//! Who is told everything, and who is told what changes?

use super::filter::Filter;
use super::record_id::RecordId;
use crate::id::NodeId;
use crate::limits::FOLLOWERS_MAX;
use crate::time::Time;
use std::collections::{BTreeMap, VecDeque};

/// The peers that asked for a sync: those that are being told everything, and those that are told of changes.
#[derive(Debug, Default)]
pub(crate) struct Followers {
    follow: BTreeMap<NodeId, Filter>,
    syncs: VecDeque<Sync>,
}

/// A peer that is being told everything, owner by owner as the outputs are polled.
#[derive(Debug)]
pub(crate) struct Sync {
    pub(crate) to: NodeId,
    pub(crate) filter: Filter,
    /// When it was asked for: from here leases are counted.
    pub(crate) asked: Time,
    /// The last owner told.
    pub(crate) cursor: Option<NodeId>,
    /// The last of the lasting records told, which follow when all owners are.
    pub(crate) lasting: Option<RecordId>,
}

impl Followers {
    /// A peer wants to be told everything. What it was still to be told before is left out.
    pub(crate) fn sync(&mut self, to: NodeId, filter: Filter, asked: Time) {
        self.syncs.retain(|sync| sync.to != to);
        self.syncs.push_back(Sync { to, filter, asked, cursor: None, lasting: None });
    }

    /// A peer wants to be told of changes. Nothing happens beyond [`FOLLOWERS_MAX`].
    pub(crate) fn follow(&mut self, node: NodeId, filter: Filter) {
        if self.follow.len() < FOLLOWERS_MAX || self.follow.contains_key(&node) {
            self.follow.insert(node, filter);
        }
    }

    /// A peer can be told no more.
    pub(crate) fn remove(&mut self, node: &NodeId) {
        self.follow.remove(node);
        self.syncs.retain(|sync| sync.to != *node);
    }

    /// Takes out the sync that is to go on.
    pub(crate) fn pop_sync(&mut self) -> Option<Sync> {
        self.syncs.pop_front()
    }

    /// Puts a sync back that is not complete.
    pub(crate) fn resume(&mut self, sync: Sync) {
        self.syncs.push_front(sync);
    }

    /// All who follow, with what they want.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (&NodeId, &Filter)> {
        self.follow.iter()
    }

    /// Those who are told of what their filter lets through.
    pub(crate) fn wanting(&self, wants: impl Fn(&Filter) -> bool) -> Vec<NodeId> {
        self.follow.iter().filter(|(_, filter)| wants(filter)).map(|(node, _)| *node).collect()
    }
}
