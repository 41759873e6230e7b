//! What do tests use for cryptography? Sums: fast, repeatable, and wrong where a forger would be.

use super::{Crypto, Exchange, KeyId, Proof, Role, Seal, TAG_LEN};
use crate::id::NodeId;

/// Keys that are numbers. Whoever knows the number can forge; whoever errs is caught.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Fake {
    /// The node's own key; with 0 it signs no records.
    own: u8,
    /// The mesh's, the preferred first; 0 in the place of the second is none.
    mesh: [u8; 2],
}

impl Fake {
    /// No keys at all.
    pub(crate) const PLAIN: Self = Self { own: 0, mesh: [0, 0] };

    /// The holder of the key with this number.
    pub(crate) const fn signing(own: u8) -> Self {
        Self { own, ..Self::PLAIN }
    }

    /// The same in the mesh of the key with that number.
    pub(crate) const fn of_mesh(self, mesh: u8) -> Self {
        Self { mesh: [mesh, 0], ..self }
    }

    /// The same, with another key of the mesh that is not sent with.
    #[cfg(test)]
    pub(crate) const fn and_mesh(self, mesh: u8) -> Self {
        Self { mesh: [self.mesh[0], mesh], ..self }
    }

    /// The id that goes with the node's key.
    pub(crate) fn id(self) -> NodeId {
        NodeId::from_key_digest(&self.digest(&self.public_key()))
    }

    fn holds(self, key: KeyId) -> bool {
        self.keys().contains(&key)
    }

    fn signature(self, message: &[u8]) -> [u8; 64] {
        [self.digest(message)[7] ^ self.own; 64]
    }
}

impl Crypto for Fake {
    fn public_key(&self) -> [u8; 32] {
        [self.own; 32]
    }

    fn digest(&self, bytes: &[u8]) -> [u8; 32] {
        let mut digest = [0; 32];
        digest.as_chunks_mut::<8>().0.fill(sum(bytes));
        digest
    }

    fn sign(&self, message: &[u8]) -> Option<[u8; 64]> {
        (self.own != 0).then(|| self.signature(message))
    }

    fn verify(&self, key: &[u8; 32], message: &[u8], signature: &[u8; 64]) -> bool {
        Self::signing(key[0]).signature(message) == *signature
    }

    fn keys(&self) -> Vec<KeyId> {
        let second = Some(self.mesh[1]).filter(|key| *key != 0);
        [self.mesh[0]].into_iter().chain(second).map(|key| KeyId(key.into())).collect()
    }

    fn prove(&self, exchange: &Exchange<'_>) -> Option<Proof> {
        let mut mac = self.digest(exchange.transcript);
        mac[0] ^= exchange.key.0.to_be_bytes()[3];
        mac[1] ^= u8::from(exchange.role == Role::Dialler);
        self.holds(exchange.key).then(|| Proof { mac, signature: self.signature(&mac) })
    }

    fn check(&self, exchange: &Exchange<'_>, peer: &[u8; 32], proof: &Proof) -> bool {
        let theirs = Self { own: peer[0], ..*self };
        theirs.prove(exchange).as_ref() == Some(proof)
    }

    fn seal(&self, seal: &Seal, _: usize, buffer: &mut Vec<u8>) -> bool {
        if !self.holds(seal.key) {
            return false;
        }
        buffer.extend_from_slice(&tag(seal.key, buffer));
        true
    }

    fn open(&self, seal: &Seal, _: usize, buffer: &mut Vec<u8>) -> bool {
        let at = buffer.len() - TAG_LEN;
        let right = self.holds(seal.key) && tag(seal.key, &buffer[..at]) == buffer[at..];
        buffer.truncate(at);
        right
    }
}

fn tag(key: KeyId, bytes: &[u8]) -> [u8; TAG_LEN] {
    let mut tag = [0xee; TAG_LEN];
    tag[..8].copy_from_slice(&sum(bytes));
    tag[8] = key.0.to_be_bytes()[3];
    tag
}

fn sum(bytes: &[u8]) -> [u8; 8] {
    let add = |sum: u64, byte: &u8| sum.wrapping_mul(31).wrapping_add(u64::from(*byte));
    bytes.iter().fold(7, add).to_be_bytes()
}
