//! What do tests use for cryptography? Sums: fast, repeatable, and wrong where a forger would be.

use super::{Crypto, Role, TAG_LEN};
use crate::id::NodeId;

/// Keys that are numbers. Whoever knows the number can forge; whoever errs is caught.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Fake {
    /// The node's own key; with 0 it signs nothing.
    own: u8,
    mesh: u8,
}

impl Fake {
    /// No keys at all.
    pub(crate) const PLAIN: Self = Self { own: 0, mesh: 0 };

    /// The holder of the key with this number.
    pub(crate) const fn signing(own: u8) -> Self {
        Self { own, mesh: 0 }
    }

    /// The same in the mesh of the key with that number.
    pub(crate) const fn of_mesh(self, mesh: u8) -> Self {
        Self { mesh, ..self }
    }

    /// The id that goes with the node's key.
    pub(crate) fn id(self) -> NodeId {
        NodeId::from_key_digest(&self.digest(&self.public_key()))
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
        (self.own != 0).then(|| [self.digest(message)[7] ^ self.own; 64])
    }

    fn verify(&self, key: &[u8; 32], message: &[u8], signature: &[u8; 64]) -> bool {
        Self::signing(key[0]).sign(message).as_ref() == Some(signature)
    }

    fn prove(&self, role: Role, transcript: &[u8]) -> [u8; 32] {
        let mut proof = self.digest(transcript);
        proof[0] ^= self.mesh;
        proof[1] ^= u8::from(role == Role::Dialler);
        proof
    }

    fn check(&self, role: Role, transcript: &[u8], proof: &[u8; 32]) -> bool {
        self.prove(role, transcript) == *proof
    }

    fn seal(&self, _: NodeId, _: usize, buffer: &mut Vec<u8>) {
        buffer.extend_from_slice(&tag(buffer));
    }

    fn open(&self, _: NodeId, _: usize, buffer: &mut Vec<u8>) -> bool {
        let at = buffer.len() - TAG_LEN;
        let right = tag(&buffer[..at]) == buffer[at..];
        buffer.truncate(at);
        right
    }
}

fn tag(bytes: &[u8]) -> [u8; TAG_LEN] {
    let mut tag = [0xee; TAG_LEN];
    tag[..8].copy_from_slice(&sum(bytes));
    tag
}

fn sum(bytes: &[u8]) -> [u8; 8] {
    let add = |sum: u64, byte: &u8| sum.wrapping_mul(31).wrapping_add(u64::from(*byte));
    bytes.iter().fold(7, add).to_be_bytes()
}
