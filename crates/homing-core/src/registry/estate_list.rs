//! Which lasting records does a node know of?
//!
//! ```text
//! buckets u64: those covered, a bit each   bounds u8 (1: after an id, 2: up to an id)   [id]   [id]
//! then each, in the order of their ids: id, state u8 (0 holds, 1 withdrawn), version varint
//! id: owner 16   epoch varint   key varint
//! ```
//! A list that is too large for a message goes in several, each of which says what it covers.

use super::estate::{Rank, State};
use super::record::RecordKey;
use super::record_id::RecordId;
use crate::id::{Epoch, NodeId};
use crate::wire::{Malformed, Reader, put_varint};

const AFTER: u8 = 1;
const UP_TO: u8 = 2;

/// Bytes of an id, at most.
const ID_MAX: usize = 16 + 10 + 5;
/// Bytes of a list in front of its entries, at most.
const HEAD_MAX: usize = 8 + 1 + 2 * ID_MAX;
/// Bytes of an entry, at most.
const ENTRY_MAX: usize = ID_MAX + 1 + 10;

/// A part of one node's list.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct EstateList {
    /// A bit for each bucket that it covers.
    pub(crate) buckets: u64,
    /// It covers the ids behind this one, or from the first.
    pub(crate) after: Option<RecordId>,
    /// It covers the ids up to this one, or to the last.
    pub(crate) to: Option<RecordId>,
    /// In the order of the ids.
    pub(crate) entries: Vec<(RecordId, Rank)>,
}

impl EstateList {
    /// Cuts a list in the order of its ids into parts of at most `max` bytes each; at least one, however small.
    pub(crate) fn pages(
        buckets: u64,
        entries: impl Iterator<Item = (RecordId, Rank)>,
        max: usize,
    ) -> Vec<Self> {
        let per_page = (max.saturating_sub(HEAD_MAX) / ENTRY_MAX).max(1);
        let mut open = Self { buckets, after: None, to: None, entries: Vec::new() };
        let mut pages = Vec::new();
        for entry in entries {
            if open.entries.len() == per_page {
                let last = open.entries.last().map(|(id, _)| *id);
                open.to = last;
                pages.push(open);
                open = Self { buckets, after: last, to: None, entries: Vec::new() };
            }
            open.entries.push(entry);
        }
        pages.push(open);
        pages
    }

    /// Whether it would list this record, of this bucket, if its sender knew it.
    pub(crate) fn covers(&self, bucket: u8, id: &RecordId) -> bool {
        self.buckets & (1 << bucket) != 0
            && self.after.is_none_or(|after| *id > after)
            && self.to.is_none_or(|to| *id <= to)
    }

    pub(crate) fn encode(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.buckets.to_be_bytes());
        let after = if self.after.is_some() { AFTER } else { 0 };
        let up_to = if self.to.is_some() { UP_TO } else { 0 };
        out.push(after | up_to);
        for id in self.after.iter().chain(&self.to) {
            put_id(out, id);
        }
        for (id, rank) in &self.entries {
            put_id(out, id);
            put_rank(out, *rank);
        }
    }

    pub(crate) fn decode(reader: &mut Reader<'_>) -> Result<Self, Malformed> {
        let buckets = reader.u64()?;
        let bounds = reader.u8()?;
        if bounds > AFTER | UP_TO {
            return Err(Malformed("estate: bounds"));
        }
        let mut bound = |bit| (bounds & bit != 0).then(|| read_id(reader)).transpose();
        let (after, to) = (bound(AFTER)?, bound(UP_TO)?);
        let mut entries = Vec::new();
        while !reader.is_empty() {
            entries.push((read_id(reader)?, read_rank(reader)?));
        }
        if !entries.is_sorted_by(|(one, _), (next, _)| one < next) {
            return Err(Malformed("estate: not in order"));
        }
        Ok(Self { buckets, after, to, entries })
    }
}

pub(crate) fn put_id(out: &mut Vec<u8>, id: &RecordId) {
    out.extend_from_slice(id.owner.as_bytes());
    put_varint(out, id.epoch.0);
    put_varint(out, id.key.0.into());
}

pub(crate) fn read_id(reader: &mut Reader<'_>) -> Result<RecordId, Malformed> {
    let owner = NodeId::from_bytes(reader.array()?);
    Ok(RecordId { owner, epoch: Epoch(reader.varint()?), key: RecordKey(reader.varint32()?) })
}

pub(crate) fn put_rank(out: &mut Vec<u8>, rank: Rank) {
    out.push(rank.state as u8);
    put_varint(out, rank.version);
}

pub(crate) fn read_rank(reader: &mut Reader<'_>) -> Result<Rank, Malformed> {
    let state = match reader.u8()? {
        0 => State::Holds,
        1 => State::Withdrawn,
        _ => return Err(Malformed("rank: state")),
    };
    Ok(Rank { state, version: reader.varint()? })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::collection::btree_map;
    use proptest::prelude::*;

    fn id((owner, epoch, key): (u8, u64, u32)) -> RecordId {
        RecordId {
            owner: NodeId::from_bytes([owner; 16]),
            epoch: Epoch(epoch),
            key: RecordKey(key),
        }
    }

    proptest! {
        #[test]
        fn pages_fit_cover_every_id_once_and_read_back(
            listing in btree_map(any::<(u8, u64, u32)>().prop_map(id), any::<(bool, u64)>(), 0..200),
            probe in any::<(u8, u64, u32)>().prop_map(id),
            max in 130_usize..1_100,
        ) {
            let entries: Vec<_> = listing.into_iter().map(|(id, (withdrawn, version))| {
                (id, if withdrawn { Rank::withdrawn(version) } else { Rank::holds(version) })
            }).collect();
            let pages = EstateList::pages(u64::MAX, entries.iter().copied(), max);
            for page in &pages {
                let mut bytes = Vec::new();
                page.encode(&mut bytes);
                prop_assert!(bytes.len() <= max);
                prop_assert_eq!(&EstateList::decode(&mut Reader::new(&bytes)).unwrap(), page);
            }
            for id in entries.iter().map(|(id, _)| *id).chain([probe]) {
                prop_assert_eq!(pages.iter().filter(|page| page.covers(63, &id)).count(), 1);
            }
            let all: Vec<_> = pages.into_iter().flat_map(|page| page.entries).collect();
            prop_assert_eq!(all, entries);
        }
    }
}
