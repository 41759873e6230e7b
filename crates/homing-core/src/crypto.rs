//! What does the core need of cryptography? A seam, filled in from outside.
//!
//! The core decides when to sign and seal; how is the driver's affair (crate `homing`, on `ring`) or the
//! simulator's (a fake that is fast and repeatable).

#[cfg(any(test, feature = "fuzzing"))]
pub(crate) mod fake;

use crate::id::{Epoch, NodeId};
use std::fmt;

/// Length of the tag behind every datagram.
pub const TAG_LEN: usize = 16;

/// Which of the mesh's keys. Told in the clear, and nothing of the key can be learnt from it.
#[derive(Clone, Copy, Debug, Default, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct KeyId(pub u32);

impl KeyId {
    /// No key at all: the mesh is insecure.
    pub const NONE: Self = Self(0);
}

impl fmt::Display for KeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:08x}", self.0)
    }
}

/// What one side of a handshake proves itself with.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Proof {
    /// By the mesh's key, over role and transcript: this side is of the mesh. All zero where the mesh has no key.
    pub mac: [u8; 32],
    /// By the node's own key, over the same: this side is who it says (a stolen id without its key is refused).
    pub signature: [u8; 64],
}

/// What a proof is about.
#[derive(Clone, Copy, Debug)]
pub struct Exchange<'a> {
    /// The mesh's key that both sides hold.
    pub key: KeyId,
    /// Who proves.
    pub role: Role,
    /// All that both sides said, and the channel they said it over.
    pub transcript: &'a [u8],
}

/// What a datagram's seal depends on, besides its bytes. No two datagrams may share all of it (decisions B4).
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Seal {
    /// The mesh's key.
    pub key: KeyId,
    /// Who sent it.
    pub sender: NodeId,
    /// The sender's life.
    pub epoch: Epoch,
    /// The sender's count of datagrams in this life.
    pub counter: u64,
}

/// What the mesh's keys and the node's own key can do.
pub trait Crypto: Send + Sync {
    /// This node's Ed25519 public key.
    fn public_key(&self) -> [u8; 32];

    /// SHA-256 of `bytes`.
    fn digest(&self, bytes: &[u8]) -> [u8; 32];

    /// Signs with this node's key; `None` where records go unsigned.
    fn sign(&self, message: &[u8]) -> Option<[u8; 64]>;

    /// Whether `signature` over `message` is by the holder of `key`.
    fn verify(&self, key: &[u8; 32], message: &[u8], signature: &[u8; 64]) -> bool;

    /// The mesh's keys held now, the one to use for sending first: 1 to [`MESH_KEYS_MAX`](crate::limits::MESH_KEYS_MAX).
    /// They may change at any time, for keys are rotated while nodes run.
    fn keys(&self) -> Vec<KeyId>;

    /// Proves, over a handshake, knowledge of the mesh's key and of this node's own. Labelled by the role, so that it
    /// cannot be reflected. `None`: the key is no longer held.
    fn prove(&self, exchange: &Exchange<'_>) -> Option<Proof>;

    /// Whether `proof` is what the other side, whose public key is `peer`, had to prove. Takes the same time for every
    /// wrong MAC.
    fn check(&self, exchange: &Exchange<'_>, peer: &[u8; 32], proof: &Proof) -> bool;

    /// Seals a datagram in place: `buffer[..clear]` stays readable, the rest is encrypted where the mesh has a key, and
    /// [`TAG_LEN`] bytes are appended that prove both. `false`: the key is no longer held, and nothing was done.
    fn seal(&self, seal: &Seal, clear: usize, buffer: &mut Vec<u8>) -> bool;

    /// Opens what [`seal`](Self::seal) made: decrypts, checks and removes the tag. `false`: forged or damaged, drop it.
    fn open(&self, seal: &Seal, clear: usize, buffer: &mut Vec<u8>) -> bool;
}

/// The side of a handshake that proves something.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Role {
    /// Who dialled.
    Dialler,
    /// Who accepted.
    Acceptor,
}
