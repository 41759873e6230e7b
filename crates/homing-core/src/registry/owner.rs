//! What is known of one owner, and how does it become what the owner says?
//!
//! A set of records under a floor (decisions A12). All that the owner changed up to version *floor* is settled: what
//! is in the set is there, what is not was withdrawn, and no message that comes late can bring it back. Above the floor
//! each record speaks for itself, and a tombstone says that a key is empty. Only the owner raises its floor, over its
//! oldest tombstones; the others learn of it from an [`Index`].
//!
//! Merging is order-free: of one key the higher version stays, of two floors the higher one.

use super::digest::{OwnerDigest, record_hash};
use super::index::Index;
use super::record::{Record, RecordKey};
use crate::id::{Epoch, NodeId};
use crate::limits::{OFFERS_MAX, TOMBSTONES_MAX};
use bytes::Bytes;
use std::collections::BTreeMap;
use std::sync::Arc;

/// Records held of one owner: its node record, its offers, its tombstones. Further ones are refused.
pub(crate) const OWNER_RECORDS_MAX: usize = 1 + OFFERS_MAX + TOMBSTONES_MAX;

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
    /// A member's: it knows what is under its floor.
    Peer,
    /// That of the one member a visitor learns everything from: what it does not list is not there.
    Source,
}

/// Why a record was not taken.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Refusal {
    /// It, or what replaced it, is here already.
    Known,
    /// It was withdrawn, and that is settled.
    UnderFloor,
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
    floor: u64,
    sum: u64,
    records: BTreeMap<RecordKey, Held>,
    /// What is under the floor by somebody's index, and has not arrived yet.
    missing: BTreeMap<RecordKey, u64>,
    /// A floor that was heard of in pages, and the last key up to which it holds so far.
    rising: Option<(u64, RecordKey)>,
    footing: Footing,
}

/// Whether a record may be believed without an index.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Footing {
    /// If it is above the floor.
    Firm,
    /// No: the owner was forgotten and its floor with it, and a late message could bring back what was withdrawn.
    Returning,
}

impl Owner {
    /// An owner that lives, and of which nothing is known yet.
    pub(crate) const fn new(epoch: Epoch) -> Self {
        Self {
            epoch,
            life: Life::Alive,
            reach: Reach::Reachable,
            floor: 0,
            sum: 0,
            records: BTreeMap::new(),
            missing: BTreeMap::new(),
            rising: None,
            footing: Footing::Firm,
        }
    }

    /// An owner that lives, and that was forgotten in this same life.
    pub(crate) fn returning(epoch: Epoch) -> Self {
        Self { footing: Footing::Returning, ..Self::new(epoch) }
    }

    /// Takes a record of this life in; gives the one that it replaces.
    pub(crate) fn take(&mut self, held: Held) -> Result<Option<Held>, Refusal> {
        let (key, version) = (held.record.key, held.record.version);
        self.refusal(key, version).map_or(Ok(()), Err)?;
        if self.missing.get(&key).is_some_and(|missing| *missing <= version) {
            self.missing.remove(&key);
        }
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
            Some(held) if held >= version => return Some(Refusal::Known),
            None if self.records.len() >= OWNER_RECORDS_MAX => return Some(Refusal::Full),
            Some(_) | None => {}
        }
        let settled = self.is_settled(version) && self.missing.get(&key) != Some(&version);
        settled.then_some(Refusal::UnderFloor)
    }

    /// Takes a record out, without a tombstone.
    pub(crate) fn remove(&mut self, key: RecordKey) -> Option<Held> {
        let held = self.records.remove(&key)?;
        self.sum = self.sum.wrapping_sub(record_hash(key, held.record.version));
        Some(held)
    }

    /// Raises the floor of an owner by its own word.
    pub(crate) fn raise_floor(&mut self, floor: u64) {
        self.floor = self.floor.max(floor);
    }

    /// Drops what the index shows to be withdrawn, raises the floor to the index's, and says what is lacking.
    ///
    /// The index must be of this life. One of a liar can at worst drop or miss records until it is compared again.
    pub(crate) fn heed(&mut self, index: &Index, trust: Trust) -> Heeded {
        let listed = index.entries.iter().copied().collect::<BTreeMap<_, _>>();
        let withdrawn = |key: &RecordKey, version: u64| {
            !listed.contains_key(key) && (version <= index.floor || trust == Trust::Source)
        };
        let gone = self.records.range(index.from..=index.to);
        let gone = gone.filter(|(key, held)| withdrawn(key, held.record.version));
        let gone = gone.map(|(key, _)| *key).collect::<Vec<_>>();
        let dropped = gone.into_iter().filter_map(|key| self.remove(key)).map(|held| held.record);
        let dropped = dropped.collect();
        let covered = index.from..=index.to;
        self.missing.retain(|key, version| !(covered.contains(key) && withdrawn(key, *version)));
        let lacking = self.lacking(index);
        Heeded { dropped, lacking }
    }

    /// Notes what of the index is not here, and raises the floor if all of that could be noted.
    fn lacking(&mut self, index: &Index) -> Vec<RecordKey> {
        let mut lacking = Vec::new();
        let mut noted = true;
        for &(key, version) in &index.entries {
            let is_known = self.version_of(key).is_some_and(|held| held >= version);
            let is_withdrawn = version <= self.floor && self.missing.get(&key) != Some(&version);
            if is_known || is_withdrawn {
                continue;
            }
            lacking.push(key);
            if version <= index.floor || self.is_settled(version) {
                noted &= self.missing.len() < OWNER_RECORDS_MAX || self.missing.contains_key(&key);
                if noted {
                    self.missing.insert(key, version);
                }
            }
        }
        if noted {
            self.rise(index);
        }
        lacking
    }

    /// Raises the floor once pages that follow on each other have shown all keys under it.
    fn rise(&mut self, index: &Index) {
        if index.floor < self.floor || (index.floor == self.floor && self.footing == Footing::Firm)
        {
            return;
        }
        let follows = match self.rising {
            Some((floor, upto)) => floor == index.floor && index.from.0 <= upto.0.saturating_add(1),
            None => false,
        };
        if index.from != RecordKey(0) && !follows {
            return;
        }
        if index.to == RecordKey(u32::MAX) {
            self.floor = index.floor;
            self.rising = None;
            self.footing = Footing::Firm;
        } else {
            self.rising = Some((index.floor, index.to));
        }
    }

    /// Whether the sender of this index lacks something that is known here.
    pub(crate) fn is_ahead_of(&self, index: &Index) -> bool {
        let listed = index.entries.iter().copied().collect::<BTreeMap<_, _>>();
        let mut held = self.records.range(index.from..=index.to);
        self.floor > index.floor
            || held.any(|(key, held)| listed.get(key).is_none_or(|at| *at < held.record.version))
    }

    /// What this owner's records are in short; `None` while nothing at all is known of it.
    pub(crate) fn digest(&self, owner: NodeId) -> Option<OwnerDigest> {
        let known = self.floor > 0 || !self.records.is_empty();
        known.then_some(OwnerDigest { owner, epoch: self.epoch, floor: self.floor, sum: self.sum })
    }

    /// Keys and versions of all that is there, as far as is known here.
    pub(crate) fn listing(&self) -> BTreeMap<RecordKey, u64> {
        let mut listing = self.missing.clone();
        for (key, held) in &self.records {
            let version = listing.entry(*key).or_default();
            *version = held.record.version.max(*version);
        }
        listing
    }

    pub(crate) const fn floor(&self) -> u64 {
        self.floor
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

    /// Whether a record of this version needs an index to be believed.
    fn is_settled(&self, version: u64) -> bool {
        version <= self.floor || self.footing == Footing::Returning
    }

    fn version_of(&self, key: RecordKey) -> Option<u64> {
        self.records.get(&key).map(|held| held.record.version)
    }
}

#[cfg(test)]
mod tests;
