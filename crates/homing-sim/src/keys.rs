//! Who is who in a simulation? A crypto that proves and seals, fast and repeatable, and keeps no secret.

use homing_core::crypto::{Crypto, Exchange, KeyId, Proof, Role, Seal, TAG_LEN};
use homing_core::id::NodeId;

/// The keys of one node of the one simulated mesh.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Keys {
    public: [u8; 32],
}

impl Keys {
    /// The keys that this number stands for.
    pub(crate) fn new(number: u64) -> Self {
        let mut public = [0; 32];
        public[..8].copy_from_slice(&number.to_be_bytes());
        Self { public }
    }

    /// The id that goes with them.
    pub(crate) fn id(&self) -> NodeId {
        NodeId::from_key_digest(&self.digest(&self.public))
    }
}

impl Crypto for Keys {
    fn public_key(&self) -> [u8; 32] {
        self.public
    }

    fn digest(&self, bytes: &[u8]) -> [u8; 32] {
        digest(bytes)
    }

    fn sign(&self, message: &[u8]) -> Option<[u8; 64]> {
        Some(signature(&self.public, message))
    }

    fn verify(&self, key: &[u8; 32], message: &[u8], claimed: &[u8; 64]) -> bool {
        signature(key, message) == *claimed
    }

    fn keys(&self) -> Vec<KeyId> {
        vec![MESH]
    }

    fn prove(&self, exchange: &Exchange<'_>) -> Option<Proof> {
        Some(proof(&self.public, exchange))
    }

    fn check(&self, exchange: &Exchange<'_>, peer: &[u8; 32], claimed: &Proof) -> bool {
        proof(peer, exchange) == *claimed
    }

    fn seal(&self, seal: &Seal, _: usize, buffer: &mut Vec<u8>) -> bool {
        let tag = tag(seal.sender, buffer);
        buffer.extend_from_slice(&tag);
        true
    }

    fn open(&self, seal: &Seal, clear: usize, buffer: &mut Vec<u8>) -> bool {
        let Some(end) = buffer.len().checked_sub(TAG_LEN).filter(|end| *end >= clear) else {
            return false;
        };
        let fits = tag(seal.sender, &buffer[..end]) == buffer[end..];
        buffer.truncate(end);
        fits
    }
}

/// The one key of the one mesh.
const MESH: KeyId = KeyId(1);

fn proof(key: &[u8; 32], exchange: &Exchange<'_>) -> Proof {
    let mut mac = digest(exchange.transcript);
    mac[0] ^= match exchange.role {
        Role::Dialler => 1,
        Role::Acceptor => 2,
    };
    Proof { mac, signature: signature(key, &mac) }
}

fn signature(key: &[u8; 32], message: &[u8]) -> [u8; 64] {
    let mut out = [0; 64];
    let half = sum(sum(11, key), message).to_be_bytes();
    out[..8].copy_from_slice(&half);
    out
}

fn digest(bytes: &[u8]) -> [u8; 32] {
    let mut out = [0; 32];
    for (lane, part) in (1_u64..).zip(out.chunks_mut(8)) {
        part.copy_from_slice(&sum(lane, bytes).to_be_bytes());
    }
    out
}

fn tag(sender: NodeId, bytes: &[u8]) -> [u8; TAG_LEN] {
    let mut tag = [0; TAG_LEN];
    tag[..8].copy_from_slice(&sum(sum(9, sender.as_bytes()), bytes).to_be_bytes());
    tag
}

/// A mixing sum: other bytes, another sum.
fn sum(seed: u64, bytes: &[u8]) -> u64 {
    let mut sum = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ bytes.len() as u64;
    for chunk in bytes.chunks(8) {
        let mut word = [0; 8];
        word[..chunk.len()].copy_from_slice(chunk);
        sum = (sum ^ u64::from_le_bytes(word)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        sum ^= sum >> 29;
    }
    sum
}

#[cfg(test)]
mod tests {
    use super::*;
    use homing_core::id::Epoch;

    #[test]
    fn ids_differ_and_a_changed_datagram_is_refused() {
        let (one, other) = (Keys::new(1), Keys::new(2));
        assert_ne!(one.id(), other.id());
        let mut sealed = b"headbody".to_vec();
        let by = |keys: Keys| Seal { key: MESH, sender: keys.id(), epoch: Epoch(1), counter: 1 };
        assert!(one.seal(&by(one), 4, &mut sealed));
        assert!(other.open(&by(one), 4, &mut sealed.clone()));
        assert!(!other.open(&by(other), 4, &mut sealed.clone()));
        sealed[5] ^= 1;
        assert!(!other.open(&by(one), 4, &mut sealed));
    }
}
