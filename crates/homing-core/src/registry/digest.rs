//! How do two nodes see that they know the same, without telling it all?
//!
//! By sums (decisions A11). The records of an owner are one sum; owners are summed in 256 buckets by the first byte of
//! their id; the buckets are summed to one hash. A sum does not depend on the order in which its parts arrived, and a
//! lost record is missed whatever its version. The mixing function is no cryptography: a member could forge a
//! collision, and so hide a record from a comparison; it could as well not pass the record on.

use super::record::RecordKey;
use crate::id::{Epoch, NodeId};

/// How many buckets owners are summed in.
pub(crate) const BUCKETS: usize = 256;

/// What one node knows of one owner, in short.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct OwnerDigest {
    pub(crate) owner: NodeId,
    pub(crate) epoch: Epoch,
    /// The sum of [`record_hash`] over the records held, tombstones included.
    pub(crate) sum: u64,
}

/// The sums of all owners, by bucket.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Sums(Box<[u64; BUCKETS]>);

impl Sums {
    pub(crate) fn of(digests: impl Iterator<Item = OwnerDigest>) -> Self {
        let mut sums = Box::new([0_u64; BUCKETS]);
        for digest in digests {
            let sum = &mut sums[usize::from(bucket(&digest.owner))];
            *sum = sum.wrapping_add(digest.hash());
        }
        Self(sums)
    }

    /// One number over all buckets.
    pub(crate) fn hash(&self) -> u64 {
        self.0.iter().fold(0, |hash, sum| mix(hash ^ sum))
    }

    /// The buckets, short enough for one datagram.
    pub(crate) fn buckets(&self) -> Box<[u32; BUCKETS]> {
        let mut short = Box::new([0_u32; BUCKETS]);
        for (short, sum) in short.iter_mut().zip(self.0.iter()) {
            *short = u32::try_from(sum >> 32).expect("the upper half of 64 bits");
        }
        short
    }
}

impl OwnerDigest {
    fn hash(&self) -> u64 {
        let id = u128::from_be_bytes(*self.owner.as_bytes());
        let (high, low) = halves(id);
        [high, low, self.epoch.0, self.sum].iter().fold(0, |hash, part| mix(hash ^ part))
    }
}

/// The hash of one record for the sum of its owner. A version says all of a record's content.
pub(crate) fn record_hash(key: RecordKey, version: u64) -> u64 {
    mix(mix(u64::from(key.0)) ^ version)
}

/// Which bucket an owner is summed in.
pub(crate) const fn bucket(owner: &NodeId) -> u8 {
    owner.as_bytes()[0]
}

/// The first four bytes of an id: by these a list of owners is cut into messages.
pub(crate) fn prefix(owner: &NodeId) -> u32 {
    let [a, b, c, d, ..] = *owner.as_bytes();
    u32::from_be_bytes([a, b, c, d])
}

/// `SplitMix64`'s next number after `state` (Steele, Lea, Flood 2014: "Fast splittable pseudorandom number generators").
pub(super) const fn mix(state: u64) -> u64 {
    let mut mixed = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
    mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    mixed ^ (mixed >> 31)
}

pub(super) fn halves(number: u128) -> (u64, u64) {
    let low = u64::try_from(number & u128::from(u64::MAX)).expect("the lower half of 128 bits");
    let high = u64::try_from(number >> 64).expect("the upper half of 128 bits");
    (high, low)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn digest(first: u8, sum: u64) -> OwnerDigest {
        let owner = NodeId::from_bytes([first; 16]);
        OwnerDigest { owner, epoch: Epoch(1), sum }
    }

    #[test]
    fn the_mixing_function_is_the_published_one() {
        assert_eq!(mix(0), 0xe220_a839_7b1d_cdaf); // SplitMix64's first number from seed 0.
    }

    #[test]
    fn sums_do_not_depend_on_order() {
        let (one, two) = (digest(7, 1), digest(9, 2));
        assert_eq!(Sums::of([one, two].into_iter()), Sums::of([two, one].into_iter()));
    }

    #[test]
    fn a_change_of_one_owner_shows_in_the_hash_and_in_its_bucket_alone() {
        let before = Sums::of([digest(7, 1), digest(9, 2)].into_iter());
        let after = Sums::of([digest(7, 1), digest(9, 3)].into_iter());
        assert_ne!(before.hash(), after.hash());
        let (before, after) = (before.buckets(), after.buckets());
        let differing = (0..BUCKETS).filter(|at| before[*at] != after[*at]).collect::<Vec<_>>();
        assert_eq!(differing, [9]);
    }

    #[test]
    fn a_lost_version_below_the_highest_changes_the_sum() {
        let all = record_hash(RecordKey(1), 6).wrapping_add(record_hash(RecordKey(2), 7));
        assert_ne!(all, record_hash(RecordKey(2), 7));
    }
}
