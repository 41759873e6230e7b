//! What do two registries say to each other?
//!
//! ```text
//! kind u8, then
//! 1 Summary   owners u64   estate u64       "this is all I know; and you?"       (equal: no answer)
//! 2 Buckets   256 × u32                     "in short, this"                     → Owners
//! 3 Owners    from u32   to u32   mask 32   the owners whose id starts between from and to, in the buckets of the
//!             then each: owner 16, epoch varint, sum u64                         mask, and nobody else   → Indexes
//! 4 Indexes   tone u8 (0 question, 1 answer, 2 the records follow), then each: an index   → Indexes, Want
//! 5 Want      then each: owner 16, epoch varint, count varint, keys varint       → Records
//! 6 Records   then each: record bytes       what was wanted, or all of a sync
//! 7 Rumours   then each: record bytes       news
//! 8 Lives     then each: owner 16, epoch varint, life u8 (0 alive, 1 leased: remaining ms varint of the
//!             longest lifetime there can be, 2 forgotten)
//! 9 End       a sync is complete
//! 10 Confirm    record bytes   "do you hold and show this, or a later version?"  (no: no answer)   → Confirmed
//! 11 Confirmed  id   state u8 (0 holds, 1 withdrawn)   version varint             what is held of the record
//! 12 EstateSums   64 × u32      of what lasts: "in short, this"                  → EstateList
//! 13 EstateList   see `estate_list`                                              → EstateWant, Records
//! 14 EstateWant   then each: id                                                  → Records
//!
//! id: owner 16   epoch varint   key varint
//! ```
//! Each message stands alone: neither side keeps anything between two of them, so any may be lost, doubled or late.
//! A message of an unknown kind is dropped and counted.

use super::digest::{BUCKETS, OwnerDigest};
use super::estate::{ESTATE_BUCKETS, Rank};
use super::estate_list::{EstateList, put_id, put_rank, read_id, read_rank};
use super::index::Index;
use super::record::RecordKey;
use super::record_id::RecordId;
use crate::id::{Epoch, NodeId};
use crate::limits::RECORD_MAX;
use crate::wire::{Malformed, Reader, put_varint};
use std::time::Duration;

pub(crate) const SUMMARY: u8 = 1;
pub(crate) const BUCKET_SUMS: u8 = 2;
pub(crate) const OWNERS: u8 = 3;
pub(crate) const INDEXES: u8 = 4;
pub(crate) const WANT: u8 = 5;
pub(crate) const RECORDS: u8 = 6;
pub(crate) const RUMOURS: u8 = 7;
pub(crate) const LIVES: u8 = 8;
pub(crate) const END: u8 = 9;
pub(crate) const CONFIRM: u8 = 10;
pub(crate) const CONFIRMED: u8 = 11;
pub(crate) const ESTATE_SUMS: u8 = 12;
pub(crate) const ESTATE_LIST: u8 = 13;
pub(crate) const ESTATE_WANT: u8 = 14;

/// A message, as read. Lists are as long as the message, which the link and the datagram bound.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) enum Message<'a> {
    Summary { owners: u64, estate: u64 },
    Buckets(Box<[u32; BUCKETS]>),
    Owners(Owners),
    Indexes { tone: Tone, indexes: Vec<Index> },
    Want(Vec<Wanted>),
    Records(Vec<&'a [u8]>),
    Rumours(Vec<&'a [u8]>),
    Lives(Vec<Lived>),
    End,
    Confirm(&'a [u8]),
    Confirmed(Confirmed),
    EstateSums(Box<[u32; ESTATE_BUCKETS]>),
    EstateList(EstateList),
    EstateWant(Vec<RecordId>),
}

/// A part of one node's list of owners.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Owners {
    /// The first four bytes of the lowest id covered.
    pub(crate) from: u32,
    /// The first four bytes of the highest id covered.
    pub(crate) to: u32,
    pub(crate) mask: Mask,
    /// In the order of their ids.
    pub(crate) digests: Vec<OwnerDigest>,
}

/// A set of buckets.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(crate) struct Mask(pub(crate) [u8; BUCKETS / 8]);

/// What is expected of who receives an index.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[repr(u8)]
pub(crate) enum Tone {
    /// Its own, if it knows more.
    Question = 0,
    /// To want what it lacks, no more.
    Answer = 1,
    /// Nothing: the records are on their way.
    Follows = 2,
}

/// Some records of one owner that a node wants.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Wanted {
    pub(crate) owner: NodeId,
    pub(crate) epoch: Epoch,
    pub(crate) keys: Vec<RecordKey>,
}

/// What became of one life of an owner.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Lived {
    pub(crate) owner: NodeId,
    pub(crate) epoch: Epoch,
    pub(crate) fate: Fate,
}

/// What somebody holds of a record.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Confirmed {
    pub(crate) id: RecordId,
    pub(crate) rank: Rank,
}

/// How an owner fares.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Fate {
    Alive,
    /// Gone; so much is left of [`LIFETIME_MAX`](crate::limits::LIFETIME_MAX), from which follows when each of its records
    /// ends.
    Leased(Duration),
    Forgotten,
}

impl<'a> Message<'a> {
    /// Reads a message; `None` when its kind is not known.
    pub(crate) fn decode(bytes: &'a [u8]) -> Result<Option<Self>, Malformed> {
        let mut reader = Reader::new(bytes);
        let reader = &mut reader;
        let message = match reader.u8()? {
            SUMMARY => Self::Summary { owners: reader.u64()?, estate: reader.u64()? },
            BUCKET_SUMS => Self::Buckets(read_buckets(reader)?),
            OWNERS => Self::Owners(Owners::decode(reader)?),
            INDEXES => {
                Self::Indexes { tone: Tone::read(reader)?, indexes: all(reader, Index::decode)? }
            }
            WANT => Self::Want(all(reader, Wanted::decode)?),
            RECORDS => Self::Records(all(reader, |reader| reader.bytes(RECORD_MAX))?),
            RUMOURS => Self::Rumours(all(reader, |reader| reader.bytes(RECORD_MAX))?),
            LIVES => Self::Lives(all(reader, Lived::decode)?),
            END => Self::End,
            CONFIRM => Self::Confirm(reader.bytes(RECORD_MAX)?),
            CONFIRMED => Self::Confirmed(Confirmed::decode(reader)?),
            ESTATE_SUMS => Self::EstateSums(read_buckets(reader)?),
            ESTATE_LIST => Self::EstateList(EstateList::decode(reader)?),
            ESTATE_WANT => Self::EstateWant(all(reader, read_id)?),
            _ => return Ok(None),
        };
        if reader.is_empty() {
            Ok(Some(message))
        } else {
            Err(Malformed("message: bytes behind its end"))
        }
    }
}

/// The one message without items.
pub(crate) fn summary(owners: u64, estate: u64) -> Vec<u8> {
    let mut out = vec![SUMMARY];
    out.extend_from_slice(&owners.to_be_bytes());
    out.extend_from_slice(&estate.to_be_bytes());
    out
}

pub(crate) fn bucket_sums(buckets: &[u32; BUCKETS]) -> Vec<u8> {
    put_buckets(BUCKET_SUMS, buckets)
}

pub(crate) fn estate_sums(buckets: &[u32; ESTATE_BUCKETS]) -> Vec<u8> {
    put_buckets(ESTATE_SUMS, buckets)
}

fn put_buckets(kind: u8, buckets: &[u32]) -> Vec<u8> {
    let mut out = Vec::with_capacity(1 + 4 * buckets.len());
    out.push(kind);
    for sum in buckets {
        out.extend_from_slice(&sum.to_be_bytes());
    }
    out
}

fn read_buckets<const N: usize>(reader: &mut Reader<'_>) -> Result<Box<[u32; N]>, Malformed> {
    let mut buckets = Box::new([0; N]);
    for sum in buckets.iter_mut() {
        *sum = reader.u32()?;
    }
    Ok(buckets)
}

/// Reads items until nothing is left.
fn all<'a, T>(
    reader: &mut Reader<'a>,
    read: impl Fn(&mut Reader<'a>) -> Result<T, Malformed>,
) -> Result<Vec<T>, Malformed> {
    let mut items = Vec::new();
    while !reader.is_empty() {
        items.push(read(reader)?);
    }
    Ok(items)
}

impl Tone {
    fn read(reader: &mut Reader<'_>) -> Result<Self, Malformed> {
        match reader.u8()? {
            0 => Ok(Self::Question),
            1 => Ok(Self::Answer),
            2 => Ok(Self::Follows),
            _ => Err(Malformed("indexes: tone")),
        }
    }
}

impl Owners {
    /// Bytes in front of the digests.
    pub(crate) const HEAD: usize = 1 + 4 + 4 + BUCKETS / 8;

    pub(crate) fn encode(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(Self::HEAD + 40 * self.digests.len());
        out.push(OWNERS);
        out.extend_from_slice(&self.from.to_be_bytes());
        out.extend_from_slice(&self.to.to_be_bytes());
        out.extend_from_slice(&self.mask.0);
        for digest in &self.digests {
            put_digest(&mut out, digest);
        }
        out
    }

    fn decode(reader: &mut Reader<'_>) -> Result<Self, Malformed> {
        let (from, to, mask) = (reader.u32()?, reader.u32()?, Mask(reader.array()?));
        let digests = all(reader, |reader| {
            let (owner, epoch) = read_life(reader)?;
            Ok(OwnerDigest { owner, epoch, sum: reader.u64()? })
        })?;
        if !digests.is_sorted_by(|one, next| one.owner < next.owner) {
            return Err(Malformed("owners: not in order"));
        }
        Ok(Self { from, to, mask, digests })
    }
}

/// Appends one owner of an [`Owners`].
pub(crate) fn put_digest(out: &mut Vec<u8>, digest: &OwnerDigest) {
    put_life(out, digest.owner, digest.epoch);
    out.extend_from_slice(&digest.sum.to_be_bytes());
}

impl Mask {
    pub(crate) const fn insert(&mut self, bucket: u8) {
        self.0[bucket as usize / 8] |= 1 << (bucket % 8);
    }

    pub(crate) const fn contains(&self, bucket: u8) -> bool {
        self.0[bucket as usize / 8] & (1 << (bucket % 8)) != 0
    }
}

impl Wanted {
    pub(crate) fn encode(&self, out: &mut Vec<u8>) {
        put_life(out, self.owner, self.epoch);
        put_varint(out, self.keys.len() as u64);
        for key in &self.keys {
            put_varint(out, key.0.into());
        }
    }

    fn decode(reader: &mut Reader<'_>) -> Result<Self, Malformed> {
        let (owner, epoch) = read_life(reader)?;
        let mut keys = Vec::new();
        for _ in 0..reader.varint()? {
            keys.push(RecordKey(reader.varint32()?));
        }
        Ok(Self { owner, epoch, keys })
    }
}

impl Confirmed {
    pub(crate) fn encode(&self) -> Vec<u8> {
        let mut out = vec![CONFIRMED];
        put_id(&mut out, &self.id);
        put_rank(&mut out, self.rank);
        out
    }

    fn decode(reader: &mut Reader<'_>) -> Result<Self, Malformed> {
        Ok(Self { id: read_id(reader)?, rank: read_rank(reader)? })
    }
}

impl Lived {
    pub(crate) fn encode(&self, out: &mut Vec<u8>) {
        put_life(out, self.owner, self.epoch);
        match self.fate {
            Fate::Alive => out.push(0),
            Fate::Leased(remaining) => {
                out.push(1);
                put_varint(out, u64::try_from(remaining.as_millis()).unwrap_or(u64::MAX));
            }
            Fate::Forgotten => out.push(2),
        }
    }

    fn decode(reader: &mut Reader<'_>) -> Result<Self, Malformed> {
        let (owner, epoch) = read_life(reader)?;
        let fate = match reader.u8()? {
            0 => Fate::Alive,
            1 => Fate::Leased(Duration::from_millis(reader.varint()?)),
            2 => Fate::Forgotten,
            _ => return Err(Malformed("lives: fate")),
        };
        Ok(Self { owner, epoch, fate })
    }
}

fn put_life(out: &mut Vec<u8>, owner: NodeId, epoch: Epoch) {
    out.extend_from_slice(owner.as_bytes());
    put_varint(out, epoch.0);
}

fn read_life(reader: &mut Reader<'_>) -> Result<(NodeId, Epoch), Malformed> {
    Ok((NodeId::from_bytes(reader.array()?), Epoch(reader.varint()?)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const OWNER: NodeId = NodeId::from_bytes([7; 16]);

    #[track_caller]
    fn check(bytes: &[u8], expect: &Message<'_>) {
        assert_eq!(Message::decode(bytes).as_ref(), Ok(&Some(expect.clone())));
    }

    #[test]
    fn every_message_reads_back() {
        check(&summary(9, 8), &Message::Summary { owners: 9, estate: 8 });
        let mut buckets = Box::new([0; BUCKETS]);
        buckets[255] = 1;
        check(&bucket_sums(&buckets), &Message::Buckets(buckets.clone()));
        let mut mask = Mask::default();
        mask.insert(7);
        let digest = OwnerDigest { owner: OWNER, epoch: Epoch(3), sum: u64::MAX };
        let owners = Owners { from: 1, to: u32::MAX, mask, digests: vec![digest] };
        check(&owners.encode(), &Message::Owners(owners.clone()));
        let wanted =
            Wanted { owner: OWNER, epoch: Epoch(3), keys: vec![RecordKey(0), RecordKey(300)] };
        let mut bytes = vec![WANT];
        wanted.encode(&mut bytes);
        check(&bytes, &Message::Want(vec![wanted]));
        let fates = [Fate::Alive, Fate::Leased(Duration::from_secs(2)), Fate::Forgotten];
        let lives = fates.map(|fate| Lived { owner: OWNER, epoch: Epoch(3), fate });
        let mut bytes = vec![LIVES];
        for lived in &lives {
            lived.encode(&mut bytes);
        }
        check(&bytes, &Message::Lives(lives.to_vec()));
        check(&[RECORDS, 2, 8, 9, 0], &Message::Records(vec![&[8, 9], &[]]));
        check(&[RUMOURS, 1, 8], &Message::Rumours(vec![&[8]]));
        check(&[END], &Message::End);
        check(&[CONFIRM, 2, 8, 9], &Message::Confirm(&[8, 9]));
        let id = RecordId { owner: OWNER, epoch: Epoch(3), key: RecordKey::INTEREST };
        let confirmed = Confirmed { id, rank: Rank::withdrawn(u64::MAX) };
        check(&confirmed.encode(), &Message::Confirmed(confirmed));
        let mut sums = Box::new([0; ESTATE_BUCKETS]);
        sums[63] = 1;
        check(&estate_sums(&sums), &Message::EstateSums(sums.clone()));
        let mut bytes = vec![ESTATE_WANT];
        put_id(&mut bytes, &id);
        check(&bytes, &Message::EstateWant(vec![id]));
        let entries = vec![(id, Rank::holds(1))];
        let list = EstateList { buckets: 5, after: None, to: Some(id), entries };
        let mut bytes = vec![ESTATE_LIST];
        list.encode(&mut bytes);
        check(&bytes, &Message::EstateList(list));
    }

    #[test]
    fn an_unknown_kind_is_told_from_a_malformed_message() {
        assert_eq!(Message::decode(&[99, 1, 2]), Ok(None));
        assert!(Message::decode(&[END, 1]).is_err());
        assert!(Message::decode(&[]).is_err());
    }

    proptest! {
        #[test]
        fn no_bytes_make_a_decoder_panic(kind in 0_u8..17, rest: Vec<u8>) {
            let _ = Message::decode(&[&[kind], rest.as_slice()].concat());
        }
    }
}
