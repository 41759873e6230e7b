//! What do calls of one key and one instance have in common?
//!
//! Hashes that are the same in each release and on each machine, so that all requesters agree without a word.

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

    /// So many hashes of it.
    pub(super) fn hashes<const N: usize>(self) -> [u64; N] {
        hashes(self.0)
    }

    /// How much this candidate is for it.
    pub(super) fn score(self, identity: Identity) -> u64 {
        mixed(self.0 ^ identity.0)
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

    /// So many hashes of it.
    pub(super) fn hashes<const N: usize>(self) -> [u64; N] {
        hashes(self.0)
    }
}

/// So many hashes of one (`SplitMix64`, Steele, Lea and Flood 2014).
fn hashes<const N: usize>(seed: u64) -> [u64; N] {
    let mut state = seed;
    [(); N].map(|()| {
        state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        mixed(state)
    })
}

/// Spreads every bit over all (the end of `SplitMix64`).
const fn mixed(bits: u64) -> u64 {
    let bits = (bits ^ (bits >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let bits = (bits ^ (bits >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    bits ^ (bits >> 31)
}
