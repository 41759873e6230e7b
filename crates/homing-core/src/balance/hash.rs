//! Who is it for calls of one key?
//!
//! Rendezvous hashing (Thaler and Ravishankar 1998, "Using Name-Based Mappings to Increase Hit Rates"): each candidate is
//! scored by a hash of itself and the key, and the highest score wins. No table and no state, so all requesters agree at
//! once; who goes takes its keys only, and who comes takes an equal share from each. While a candidate cannot be picked its
//! keys go to the second in line, and then back.

use super::Candidates;
use crate::id::NodeId;
use crate::registry::RecordKey;

/// What decides which calls go together: a hash of a key of the caller's, such as a user's id. The same in each release
/// and on each machine.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct Affinity(u64);

impl Affinity {
    /// The affinity of all calls with this key.
    pub fn of(key: &[u8]) -> Self {
        // FNV-1a (http://www.isthe.com/chongo/tech/comp/fnv/): simple enough that anybody can agree with us.
        let fold = |hash: u64, &byte: &u8| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
        Self(mixed(key.iter().fold(0xcbf2_9ce4_8422_2325, fold)))
    }
}

/// What tells a candidate from all others.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct Identity(u64);

impl Identity {
    /// The identity of one offer of a node, the same for all requesters.
    pub fn of(node: NodeId, key: RecordKey) -> Self {
        let [high, low] = [0, 8].map(|at| {
            let half = node.as_bytes()[at..at + 8].try_into();
            u64::from_be_bytes(half.expect("an id has sixteen bytes"))
        });
        Self(mixed(high ^ mixed(low ^ u64::from(key.0))))
    }
}

/// The one with the highest score of those that can be picked. Mostly that is the one with the highest of all: whether a
/// candidate can be picked costs more than its score, and is asked of one.
pub(super) fn pick(candidates: &impl Candidates, affinity: Affinity) -> Option<usize> {
    let all = 0..candidates.len();
    let score = |&index: &usize| mixed(affinity.0 ^ candidates.identity(index).0);
    let may = |&index: &usize| candidates.pending(index).is_some();
    let first = all.clone().max_by_key(score)?;
    if may(&first) { Some(first) } else { all.filter(may).max_by_key(score) }
}

/// Spreads every bit over all (the end of `SplitMix64`, Steele, Lea and Flood 2014).
const fn mixed(bits: u64) -> u64 {
    let bits = (bits ^ (bits >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let bits = (bits ^ (bits >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    bits ^ (bits >> 31)
}
