//! What is known of one owner, and how does it become what the owner says?
//!
//! A set of records, of each key the latest; a tombstone says that a key is empty (decisions A12). Nothing but a record
//! of the owner changes the set, so a peer can at worst keep something to itself: what it says of keys and versions
//! only tells what to ask it for. Tombstones stay as long as the life of their owner. They are few, for the owner uses
//! their keys again, and a node that slept for however long brings nothing back.
//!
//! Merging is order-free: of one key the higher version stays.

use super::body::Body;
use super::digest::{OwnerDigest, record_hash};
use super::index::Index;
use super::lease::end_of;
use super::record::{Record, RecordKey};
use crate::id::{Epoch, NodeId};
use crate::limits::{LEASE, OFFERS_MAX};
use crate::time::Time;
use bytes::Bytes;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// Records held of one owner: its node record, its interest, the topics it declares, its offers and services, and the tombstones of
/// keys that no offer uses. Further ones are refused.
pub(crate) const OWNER_RECORDS_MAX: usize = 3 + OFFERS_MAX;

/// A record, and the bytes in which it is passed on.
#[derive(Clone, Debug)]
pub(crate) struct Held {
    pub(crate) record: Arc<Record>,
    pub(crate) bytes: Bytes,
}

/// Whether an owner takes part in the mesh.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Life {
    /// Membership says so.
    Alive,
    /// It is gone; its records stay until its lease ends.
    Gone,
}

/// Whether a node can be talked to from here.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum Reach {
    /// As far as is known.
    #[default]
    Reachable,
    /// Its link broke, and dialling it failed.
    Unreachable,
}

/// Whose index it is that is heeded.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Trust {
    /// A member's: it says what there is to ask it for, and no more.
    Peer,
    /// That of the one member a visitor learns everything from: what it does not list is not there.
    Source,
}

/// Why a record was not taken.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Refusal {
    /// It, or what replaced it, is here already.
    Known,
    /// The owner has as many records as it may.
    Full,
}

/// What an index led to.
#[derive(Debug, Default)]
pub(crate) struct Heeded {
    /// What was held, and is known to be withdrawn now.
    pub(crate) dropped: Vec<Arc<Record>>,
    /// What the sender of the index holds, and is wanted here.
    pub(crate) lacking: Vec<RecordKey>,
}

/// The records of one life of one owner.
#[derive(Debug)]
pub(crate) struct Owner {
    pub(crate) epoch: Epoch,
    pub(crate) life: Life,
    pub(crate) reach: Reach,
    sum: u64,
    records: BTreeMap<RecordKey, Held>,
}

impl Owner {
    /// An owner that lives, and of which nothing is known yet.
    pub(crate) const fn new(epoch: Epoch) -> Self {
        Self { epoch, life: Life::Alive, reach: Reach::Reachable, sum: 0, records: BTreeMap::new() }
    }

    /// Takes a record of this life in; gives the one that it replaces.
    pub(crate) fn take(&mut self, held: Held) -> Result<Option<Held>, Refusal> {
        let (key, version) = (held.record.key, held.record.version);
        self.refusal(key, version).map_or(Ok(()), Err)?;
        self.sum = self.sum.wrapping_add(record_hash(key, version));
        let before = self.records.insert(key, held);
        if let Some(before) = &before {
            self.sum = self.sum.wrapping_sub(record_hash(key, before.record.version));
        }
        Ok(before)
    }

    /// Why a record with this key and version would not be taken, if so.
    pub(crate) fn refusal(&self, key: RecordKey, version: u64) -> Option<Refusal> {
        match self.version_of(key) {
            Some(held) if held >= version => Some(Refusal::Known),
            None if self.records.len() >= OWNER_RECORDS_MAX => Some(Refusal::Full),
            Some(_) | None => None,
        }
    }

    /// Takes a record out, without a tombstone.
    pub(crate) fn remove(&mut self, key: RecordKey) -> Option<Held> {
        let held = self.records.remove(&key)?;
        self.sum = self.sum.wrapping_sub(record_hash(key, held.record.version));
        Some(held)
    }

    /// Says what the sender of the index has and is lacking here. From a source, drops what it does not list.
    ///
    /// The index must be of this life.
    pub(crate) fn heed(&mut self, index: &Index, trust: Trust) -> Heeded {
        let dropped = match trust {
            Trust::Peer => Vec::new(),
            Trust::Source => self.drop_unlisted(index),
        };
        let is_lacking = |(key, version): &&(RecordKey, u64)| {
            self.version_of(*key).is_none_or(|held| held < *version)
        };
        let lacking = index.entries.iter().filter(is_lacking).map(|(key, _)| *key).collect();
        Heeded { dropped, lacking }
    }

    fn drop_unlisted(&mut self, index: &Index) -> Vec<Arc<Record>> {
        let listed = index.entries.iter().map(|(key, _)| *key).collect::<BTreeSet<_>>();
        let covered = self.records.range(index.from..=index.to).map(|(key, _)| *key);
        let gone = covered.filter(|key| !listed.contains(key)).collect::<Vec<_>>();
        gone.into_iter().filter_map(|key| self.remove(key)).map(|held| held.record).collect()
    }

    /// Whether the sender of this index lacks something that is known here.
    pub(crate) fn is_ahead_of(&self, index: &Index) -> bool {
        let listed = index.entries.iter().copied().collect::<BTreeMap<_, _>>();
        let mut held = self.records.range(index.from..=index.to);
        held.any(|(key, held)| listed.get(key).is_none_or(|at| *at < held.record.version))
    }

    /// Whether a record of that life, vouched for by the owner, begins it here: no record of an earlier one does, unless
    /// it is only hearsay that this life began.
    pub(crate) fn is_outlived_by(&self, epoch: Epoch) -> bool {
        epoch > self.epoch || (epoch < self.epoch && self.records.is_empty())
    }

    /// Which of its records ends when, where the owner is gone and the longest lifetime there can be ends then. The node
    /// record stays as long as any of the others, and tombstones as long as it.
    pub(crate) fn ends(&self, lease: Time) -> impl Iterator<Item = (RecordKey, Time)> {
        self.records.iter().filter_map(move |(key, held)| match &held.record.body {
            Body::Node(_) | Body::Tombstone => None,
            Body::Service(service) => Some((*key, end_of(lease, service.lifetime))),
            Body::Offer(_) | Body::Interest(_) | Body::Declared(_) => {
                Some((*key, end_of(lease, LEASE)))
            }
        })
    }

    /// When the last of them ends, and the owner is forgotten.
    pub(crate) fn last_end(&self, lease: Time) -> Time {
        self.ends(lease).map(|(_, end)| end).fold(end_of(lease, LEASE), Time::max)
    }

    /// What this owner's records are in short; `None` while none is known.
    pub(crate) fn digest(&self, owner: NodeId) -> Option<OwnerDigest> {
        let known = !self.records.is_empty();
        known.then_some(OwnerDigest { owner, epoch: self.epoch, sum: self.sum })
    }

    /// Keys and versions of all that is there.
    pub(crate) fn listing(&self) -> BTreeMap<RecordKey, u64> {
        self.records.iter().map(|(key, held)| (*key, held.record.version)).collect()
    }

    pub(crate) fn held(&self, key: RecordKey) -> Option<&Held> {
        self.records.get(&key)
    }

    /// All records, tombstones included, in the order of their keys.
    pub(crate) fn records(&self) -> impl Iterator<Item = &Held> {
        self.records.values()
    }

    /// How many records are held, tombstones included.
    pub(crate) fn len(&self) -> usize {
        self.records.len()
    }

    fn version_of(&self, key: RecordKey) -> Option<u64> {
        self.records.get(&key).map(|held| held.record.version)
    }
}

#[cfg(test)]
mod tests;
