//! What is measured, by the clock (`speed`) and by instructions (`counts`)?
//!
//! Each file makes one part ready, and has a function for each piece of work: what it does is measured, and nothing else.

#![expect(clippy::unwrap_used, reason = "what is made here is right")]
#![allow(dead_code, reason = "each of both programs uses some of it")]

pub(crate) mod frame;
pub(crate) mod link;
pub(crate) mod pick;
pub(crate) mod registry;
pub(crate) mod topics;

use homing_core::crypto::{Crypto, Exchange, KeyId, Proof, Seal};
use homing_core::id::NodeId;

/// Cryptography that costs nothing, for a mesh without a key.
struct Plain {
    number: u8,
}

impl Plain {
    fn id(&self) -> NodeId {
        NodeId::from_key_digest(&self.digest(&self.public_key()))
    }
}

impl Crypto for Plain {
    fn public_key(&self) -> [u8; 32] {
        [self.number; 32]
    }

    fn digest(&self, bytes: &[u8]) -> [u8; 32] {
        let add = |sum: u64, byte: &u8| sum.wrapping_mul(31).wrapping_add(u64::from(*byte));
        let mut digest = [0; 32];
        digest.as_chunks_mut::<8>().0.fill(bytes.iter().fold(7, add).to_be_bytes());
        digest
    }

    fn sign(&self, _: &[u8]) -> Option<[u8; 64]> {
        None
    }

    fn verify(&self, _: &[u8; 32], _: &[u8], _: &[u8; 64]) -> bool {
        true
    }

    fn keys(&self) -> Vec<KeyId> {
        vec![KeyId::NONE]
    }

    fn prove(&self, _: &Exchange<'_>) -> Option<Proof> {
        Some(Proof { mac: [0; 32], signature: [0; 64] })
    }

    fn check(&self, _: &Exchange<'_>, _: &[u8; 32], _: &Proof) -> bool {
        true
    }

    fn seal(&self, _: &Seal, _: usize, _: &mut Vec<u8>) -> bool {
        true
    }

    fn open(&self, _: &Seal, _: usize, _: &mut Vec<u8>) -> bool {
        true
    }
}
