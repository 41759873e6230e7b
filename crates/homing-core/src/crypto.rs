//! What does the core need of cryptography? A seam, filled in from outside.
//!
//! The core decides when to sign and seal; how is the driver's affair (crate `homing`, on `ring`) or the
//! simulator's (a fake that is fast and repeatable).

#[cfg(test)]
pub(crate) mod fake;

use crate::id::NodeId;

/// Length of the tag behind every datagram.
pub const TAG_LEN: usize = 16;

/// What the mesh's key and the node's own key can do.
pub trait Crypto: Send + Sync {
    /// This node's Ed25519 public key.
    fn public_key(&self) -> [u8; 32];

    /// SHA-256 of `bytes`.
    fn digest(&self, bytes: &[u8]) -> [u8; 32];

    /// Signs with this node's key; `None` where records go unsigned.
    fn sign(&self, message: &[u8]) -> Option<[u8; 64]>;

    /// Whether `signature` over `message` is by the holder of `key`.
    fn verify(&self, key: &[u8; 32], message: &[u8], signature: &[u8; 64]) -> bool;

    /// Proves knowledge of the mesh's key over a handshake: a MAC over `transcript`, labelled by `role` so that it
    /// cannot be reflected. All zero where the mesh has no key (`--insecure`).
    fn prove(&self, role: Role, transcript: &[u8]) -> [u8; 32];

    /// Whether `proof` is what the other side, in `role`, had to prove. Takes the same time for every wrong proof.
    fn check(&self, role: Role, transcript: &[u8], proof: &[u8; 32]) -> bool;

    /// Seals a datagram in place: `buffer[..header]` stays readable, the rest may be encrypted, and [`TAG_LEN`] bytes
    /// are appended that prove both.
    fn seal(&self, sender: NodeId, header: usize, buffer: &mut Vec<u8>);

    /// Opens what [`seal`](Self::seal) made: checks and removes the tag. `false`: forged or damaged, drop it.
    fn open(&self, sender: NodeId, header: usize, buffer: &mut Vec<u8>) -> bool;
}

/// The side of a handshake that proves something.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Role {
    /// Who dialled.
    Dialler,
    /// Who accepted.
    Acceptor,
}
