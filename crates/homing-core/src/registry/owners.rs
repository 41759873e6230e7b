//! Whose records are held?

use super::digest::{OwnerDigest, Sums};
use super::owner::{Life, Owner};
use crate::id::NodeId;
use crate::limits::{NODES_MAX, RECORDS_MAX};
use std::collections::BTreeMap;
use std::ops::Bound;

/// All owners, and how many records they have together.
#[derive(Debug, Default)]
pub(crate) struct Owners {
    map: BTreeMap<NodeId, Owner>,
    records: usize,
}

impl Owners {
    pub(crate) fn of(&self, id: &NodeId) -> Option<&Owner> {
        self.map.get(id)
    }

    /// Changes an owner, if there is one.
    pub(crate) fn change<R>(
        &mut self,
        id: &NodeId,
        change: impl FnOnce(&mut Owner) -> R,
    ) -> Option<R> {
        let owner = self.map.get_mut(id)?;
        let before = owner.len();
        let result = change(owner);
        self.records = self.records - before + owner.len();
        Some(result)
    }

    /// Puts an owner in the place of what was known of it. `false`: there are [`NODES_MAX`] already.
    pub(crate) fn insert(&mut self, id: NodeId, owner: Owner) -> bool {
        if self.map.len() >= NODES_MAX && !self.map.contains_key(&id) {
            return false;
        }
        self.remove(&id);
        self.records += owner.len();
        self.map.insert(id, owner);
        true
    }

    pub(crate) fn remove(&mut self, id: &NodeId) -> Option<Owner> {
        let owner = self.map.remove(id)?;
        self.records -= owner.len();
        Some(owner)
    }

    /// Whether there are as many records as there may be.
    pub(crate) const fn is_full(&self) -> bool {
        self.records >= RECORDS_MAX
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (&NodeId, &Owner)> {
        self.map.iter()
    }

    /// The owners behind this one in the order of ids; all without one.
    pub(crate) fn after(&self, cursor: Option<NodeId>) -> impl Iterator<Item = (&NodeId, &Owner)> {
        self.map.range((cursor.map_or(Bound::Unbounded, Bound::Excluded), Bound::Unbounded))
    }

    /// What is compared with other members: who is gone is not, for they may have forgotten it already.
    pub(crate) fn digests(&self) -> impl Iterator<Item = OwnerDigest> {
        let alive = self.map.iter().filter(|(_, owner)| owner.life == Life::Alive);
        alive.filter_map(|(id, owner)| owner.digest(*id))
    }

    pub(crate) fn sums(&self) -> Sums {
        Sums::of(self.digests())
    }
}
