//! Which records last, whoever wrote them and whatever became of it?
//!
//! Each is known by its id, so a later life of its owner ends nothing of an earlier one. Of one id a withdrawal stays
//! before what holds, and then the higher version: merging does not depend on the order of messages, and what was
//! withdrawn does not return, whatever its owner writes (decisions A13). A withdrawal is kept as long as what holds: for
//! ever. So there are at most [`LASTING_MAX`] of both: beyond, those with the lowest ids stay, whatever is said of them, so
//! that all members end up with the same. What gave way does not return: the highest id that stays only ever sinks.

use super::digest::mix;
use super::owner::Refusal;
use super::record::Record;
use super::record_id::RecordId;
use super::service::ServiceRecord;
use super::{Body, RecordKey};
use crate::id::{Epoch, NodeId};
use crate::limits::LASTING_MAX;
use bytes::Bytes;
use std::collections::BTreeMap;
use std::ops::Bound;
use std::sync::Arc;

/// How many buckets lasting records are summed in.
pub(crate) const ESTATE_BUCKETS: usize = 64;

/// Which of two things said of one record stays: the greater.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(crate) struct Rank {
    pub(crate) state: State,
    pub(crate) version: u64,
}

/// Whether a record holds.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
#[repr(u8)]
pub(crate) enum State {
    Holds = 0,
    Withdrawn = 1,
}

/// A record that lasts, or its withdrawal.
#[derive(Clone, Debug)]
pub(crate) struct Lasting {
    pub(crate) state: State,
    /// What holds, or held.
    pub(crate) record: Arc<Record>,
    /// In which it is passed on: the record's or the withdrawal's.
    pub(crate) bytes: Bytes,
}

/// What became another when something was taken in.
#[derive(Debug)]
pub(crate) struct Taken {
    /// What was held of the same record.
    pub(crate) before: Option<Lasting>,
    /// What gave way, where there was no room.
    pub(crate) ousted: Option<Lasting>,
}

/// All of them.
#[derive(Debug)]
pub(crate) struct Estate {
    all: BTreeMap<RecordId, Lasting>,
    sums: [u64; ESTATE_BUCKETS],
}

impl Default for Estate {
    fn default() -> Self {
        Self { all: BTreeMap::new(), sums: [0; ESTATE_BUCKETS] }
    }
}

impl Rank {
    /// A record in this version.
    pub(crate) const fn holds(version: u64) -> Self {
        Self { state: State::Holds, version }
    }

    /// The end of a record that had this version.
    pub(crate) const fn withdrawn(version: u64) -> Self {
        Self { state: State::Withdrawn, version }
    }
}

impl Lasting {
    pub(crate) fn rank(&self) -> Rank {
        Rank { state: self.state, version: self.record.version }
    }

    /// What holds; nothing where it was withdrawn.
    pub(crate) fn holding(&self) -> Option<(&Arc<Record>, &Arc<ServiceRecord>)> {
        match (&self.record.body, self.state) {
            (Body::Service(service), State::Holds) => Some((&self.record, service)),
            (_, State::Holds | State::Withdrawn) => None,
        }
    }
}

impl Estate {
    /// Takes one in.
    pub(crate) fn take(&mut self, lasting: Lasting) -> Result<Taken, Refusal> {
        let (id, rank) = (lasting.record.id(), lasting.rank());
        self.refusal(&id, rank).map_or(Ok(()), Err)?;
        let before = self.remove(&id);
        let sum = &mut self.sums[usize::from(estate_bucket(&id))];
        *sum = sum.wrapping_add(hash(&id, rank));
        self.all.insert(id, lasting);
        let last = self.all.last_key_value().map(|(id, _)| *id);
        let last = last.filter(|_| self.all.len() > LASTING_MAX);
        let ousted = last.and_then(|last| self.remove(&last));
        Ok(Taken { before, ousted })
    }

    /// Takes one out, as if it had never been heard of.
    pub(crate) fn remove(&mut self, id: &RecordId) -> Option<Lasting> {
        let removed = self.all.remove(id)?;
        let sum = &mut self.sums[usize::from(estate_bucket(id))];
        *sum = sum.wrapping_sub(hash(id, removed.rank()));
        Some(removed)
    }

    /// Why something of this rank would not be taken, if so.
    pub(crate) fn refusal(&self, id: &RecordId, rank: Rank) -> Option<Refusal> {
        match self.rank(id) {
            Some(held) if held >= rank => Some(Refusal::Known),
            None if self.has_no_room_for(id) => Some(Refusal::Full),
            Some(_) | None => None,
        }
    }

    /// Whether it is full of those that stay before this one.
    fn has_no_room_for(&self, id: &RecordId) -> bool {
        self.is_full() && self.all.last_key_value().is_some_and(|(last, _)| last < id)
    }

    pub(crate) fn is_full(&self) -> bool {
        self.all.len() >= LASTING_MAX
    }

    pub(crate) fn of(&self, id: &RecordId) -> Option<&Lasting> {
        self.all.get(id)
    }

    pub(crate) fn rank(&self, id: &RecordId) -> Option<Rank> {
        self.all.get(id).map(Lasting::rank)
    }

    /// All of them, in the order of their ids.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (&RecordId, &Lasting)> {
        self.all.iter()
    }

    /// Those behind this one in the order of ids; all without one.
    pub(crate) fn after(
        &self,
        cursor: Option<RecordId>,
    ) -> impl Iterator<Item = (&RecordId, &Lasting)> {
        self.all.range((cursor.map_or(Bound::Unbounded, Bound::Excluded), Bound::Unbounded))
    }

    /// Those that an owner wrote, in the order of its lives.
    pub(crate) fn by(
        &self,
        owner: NodeId,
    ) -> impl DoubleEndedIterator<Item = (&RecordId, &Lasting)> {
        let first = RecordId { owner, epoch: Epoch(0), key: RecordKey(0) };
        let last = RecordId { owner, epoch: Epoch(u64::MAX), key: RecordKey(u32::MAX) };
        self.all.range(first..=last)
    }

    /// One number over all.
    pub(crate) fn hash(&self) -> u64 {
        self.sums.iter().fold(0, |hash, sum| mix(hash ^ sum))
    }

    /// The sums of the buckets, short enough for one datagram.
    pub(crate) fn buckets(&self) -> [u32; ESTATE_BUCKETS] {
        self.sums.map(|sum| u32::try_from(sum >> 32).expect("the upper half of 64 bits"))
    }
}

/// Which bucket a record is summed in: one owner's are spread over all.
pub(crate) fn estate_bucket(id: &RecordId) -> u8 {
    let bucket = hash(id, Rank::holds(0)) % ESTATE_BUCKETS as u64;
    u8::try_from(bucket).expect("there are fewer than 256 buckets")
}

fn hash(id: &RecordId, rank: Rank) -> u64 {
    let (high, low) = super::digest::halves(u128::from_be_bytes(*id.owner.as_bytes()));
    let state = rank.state as u64;
    let parts = [high, low, id.epoch.0, id.key.0.into(), state, rank.version];
    parts.iter().fold(0, |hash, part| mix(hash ^ part))
}

#[cfg(test)]
mod tests {
    use super::super::samples::{held, id, lasting_body, service};
    use super::super::service::Right;
    use super::*;
    use proptest::collection::vec;
    use proptest::prelude::*;

    fn lasting(key: u32, rank: Rank) -> Lasting {
        let held = held(id(1), key, rank.version, lasting_body("db", Right::Anybody));
        Lasting { state: rank.state, record: held.record, bytes: held.bytes }
    }

    fn ranks(estate: &Estate) -> Vec<(RecordId, Rank)> {
        estate.iter().map(|(id, lasting)| (*id, lasting.rank())).collect()
    }

    #[test]
    fn what_was_withdrawn_does_not_return_whatever_the_version() {
        let mut estate = Estate::default();
        for (rank, is_taken) in [
            (Rank::holds(1), true),
            (Rank::holds(1), false),
            (Rank::holds(3), true),
            (Rank::holds(2), false),
            (Rank::withdrawn(2), true),
            (Rank::holds(9), false),
        ] {
            assert_eq!(estate.take(lasting(7, rank)).is_ok(), is_taken, "{rank:?}");
        }
        assert!(estate.iter().all(|(_, lasting)| lasting.holding().is_none()));
    }

    #[test]
    fn a_full_estate_takes_what_it_knows_and_of_what_is_new_the_lowest() {
        let mut estate = Estate::default();
        let all = u32::try_from(LASTING_MAX).unwrap() + 1;
        for key in 2..=all {
            assert!(estate.take(lasting(key, Rank::holds(1))).is_ok());
        }
        let more = |estate: &mut Estate, key, rank| estate.take(lasting(key, rank)).err();
        assert_eq!(more(&mut estate, all + 1, Rank::holds(1)), Some(Refusal::Full));
        assert_eq!(more(&mut estate, all + 1, Rank::withdrawn(1)), Some(Refusal::Full));
        assert_eq!(more(&mut estate, 2, Rank::withdrawn(1)), None);
        assert_eq!(
            more(&mut estate, all + 1, Rank::holds(1)),
            Some(Refusal::Full),
            "it stays full"
        );
        let taken = estate.take(lasting(1, Rank::withdrawn(1))).unwrap();
        assert!(taken.before.is_none());
        assert_eq!(taken.ousted.unwrap().record.key, RecordKey(all));
        assert_eq!(more(&mut estate, all, Rank::withdrawn(9)), Some(Refusal::Full));
        assert_eq!(estate.iter().count(), LASTING_MAX);
    }

    #[test]
    fn what_was_written_again_with_the_same_words_says_the_same() {
        let one = service("db");
        assert!(one.says_as(&ServiceRecord { written: 0, ..one.clone() }));
        assert!(!one.says_as(&ServiceRecord { port: 1, ..one.clone() }));
    }

    proptest! {
        #[test]
        fn order_does_not_matter(
            said in vec((1_u32..4, any::<bool>(), 1_u64..5), 0..30).prop_shuffle(),
        ) {
            let (mut one, mut other) = (Estate::default(), Estate::default());
            let item = |(key, withdrawn, version): &(u32, bool, u64)| {
                let state = if *withdrawn { State::Withdrawn } else { State::Holds };
                lasting(*key, Rank { state, version: *version })
            };
            for (at, back) in said.iter().zip(said.iter().rev()) {
                let _ = (one.take(item(at)), other.take(item(back)));
            }
            prop_assert_eq!(ranks(&one), ranks(&other));
            prop_assert_eq!(one.hash(), other.hash());
            prop_assert_eq!(one.buckets(), other.buckets());
        }
    }
}
