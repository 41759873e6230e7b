//! Which records of an owner does a node know of?
//!
//! ```text
//! owner 16   epoch varint   from varint   to varint   count varint
//! then each: key varint (less the key before), version varint
//! ```
//! An index covers the keys from `from` to `to`; one that is too large for a message goes in several pages.

use super::record::RecordKey;
use crate::id::{Epoch, NodeId};
use crate::wire::{Malformed, Reader, put_varint};
use std::collections::BTreeMap;
use std::ops::RangeInclusive;

/// Bytes of an index in front of its entries, at most.
const HEAD_MAX: usize = 16 + 10 + 5 + 5 + 3;
/// Bytes of an entry, at most.
const ENTRY_MAX: usize = 5 + 10;

/// Every key there can be.
pub(crate) const ALL_KEYS: RangeInclusive<RecordKey> = RecordKey(0)..=RecordKey(u32::MAX);

/// The keys and versions of an owner's records, or a page of them.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Index {
    pub(crate) owner: NodeId,
    pub(crate) epoch: Epoch,
    /// The first key covered.
    pub(crate) from: RecordKey,
    /// The last key covered; not below `from`.
    pub(crate) to: RecordKey,
    /// Keys and versions, in the order of the keys, each covered.
    pub(crate) entries: Vec<(RecordKey, u64)>,
}

impl Index {
    /// Cuts the covered part of a listing into pages of at most `max` bytes each; at least one, however small.
    pub(crate) fn pages(
        (owner, epoch): (NodeId, Epoch),
        listing: BTreeMap<RecordKey, u64>,
        (covered, max): (RangeInclusive<RecordKey>, usize),
    ) -> Vec<Self> {
        let per_page = (max.saturating_sub(HEAD_MAX) / ENTRY_MAX).max(1);
        let (from, to) = covered.into_inner();
        let blank = |from| Self { owner, epoch, from, to, entries: Vec::new() };
        let mut pages = vec![blank(from)];
        for (key, version) in listing.into_iter().filter(|(key, _)| (from..=to).contains(key)) {
            let last = pages.last_mut().expect("starts with one");
            if last.entries.len() < per_page {
                last.entries.push((key, version));
            } else {
                last.to = RecordKey(key.0 - 1); // Keys ascend, so this one is not the first.
                pages.push(Self { entries: vec![(key, version)], ..blank(key) });
            }
        }
        pages
    }

    pub(crate) fn encode(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(self.owner.as_bytes());
        put_varint(out, self.epoch.0);
        put_varint(out, self.from.0.into());
        put_varint(out, self.to.0.into());
        put_varint(out, self.entries.len() as u64);
        let mut before = 0;
        for (key, version) in &self.entries {
            put_varint(out, u64::from(key.0 - before));
            put_varint(out, *version);
            before = key.0;
        }
    }

    pub(crate) fn decode(reader: &mut Reader<'_>) -> Result<Self, Malformed> {
        let owner = NodeId::from_bytes(reader.array()?);
        let epoch = Epoch(reader.varint()?);
        let (from, to) = (RecordKey(reader.varint32()?), RecordKey(reader.varint32()?));
        if from > to {
            return Err(Malformed("index: it ends before it starts"));
        }
        let mut entries: Vec<(RecordKey, u64)> = Vec::new();
        for _ in 0..reader.varint()? {
            let before = entries.last().map(|(key, _)| key.0);
            let step = reader.varint32()?;
            let key = before.unwrap_or(0).checked_add(step).map(RecordKey);
            let key = key.filter(|key| (from..=to).contains(key));
            let key = key.ok_or(Malformed("index: a key out of its range"))?;
            if before == Some(key.0) {
                return Err(Malformed("index: a key twice"));
            }
            entries.push((key, reader.varint()?));
        }
        Ok(Self { owner, epoch, from, to, entries })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::collection::btree_map;
    use proptest::prelude::*;

    fn encoded(index: &Index) -> Vec<u8> {
        let mut out = Vec::new();
        index.encode(&mut out);
        out
    }

    #[track_caller]
    fn refused(change: impl Fn(&mut Index), why: &'static str) {
        let owner = NodeId::from_bytes([1; 16]);
        let listing = BTreeMap::from([(RecordKey(1), 1), (RecordKey(2), 2)]);
        let mut index = Index::pages((owner, Epoch(1)), listing, (ALL_KEYS, 1_000)).remove(0);
        change(&mut index);
        let bytes = encoded(&index);
        assert_eq!(Index::decode(&mut Reader::new(&bytes)), Err(Malformed(why)));
    }

    #[test]
    fn an_index_that_contradicts_itself_is_malformed() {
        refused(|index| index.to = RecordKey(1), "index: a key out of its range");
        refused(|index| index.from = RecordKey(2), "index: a key out of its range");
        refused(|index| index.entries[1].0 = RecordKey(1), "index: a key twice");
        refused(
            |index| (index.from, index.to) = (RecordKey(3), RecordKey(2)),
            "index: it ends before it starts",
        );
    }

    proptest! {
        #[test]
        fn pages_fit_cover_every_key_once_and_read_back(
            listing in btree_map(any::<u32>().prop_map(RecordKey), 1_u64.., 0..200),
            max in 100_usize..1_100,
        ) {
            let head = (NodeId::from_bytes([1; 16]), Epoch(u64::MAX));
            let pages = Index::pages(head, listing.clone(), (ALL_KEYS, max));
            let mut from = RecordKey(0);
            for page in &pages {
                prop_assert_eq!(page.from, from);
                from = RecordKey(page.to.0.wrapping_add(1));
                let bytes = encoded(page);
                prop_assert!(bytes.len() <= max);
                prop_assert_eq!(&Index::decode(&mut Reader::new(&bytes)).unwrap(), page);
            }
            prop_assert_eq!(from, RecordKey(0), "the last page ends at the last key");
            let all = pages.into_iter().flat_map(|page| page.entries).collect::<BTreeMap<_, _>>();
            prop_assert_eq!(all, listing);
        }
    }
}
