//! How is it proven that two nodes are of one mesh and one user? By a local key, and `ring`.
//!
//! Safety for meshes beyond one host (TLS, sealed datagrams, signed records) is to come behind the same seam,
//! [`Crypto`](homing_core::crypto::Crypto).

pub(crate) mod encoded;
pub(crate) mod local;
mod ring;

use ::ring::rand::{SecureRandom as _, SystemRandom};

pub(crate) use self::ring::{RingCrypto, sha256};

/// What the nodes of a mesh know and nobody else.
#[derive(Clone)]
pub(crate) enum MeshKey {
    /// 32 random bytes.
    Secret([u8; 32]),
    /// Nothing: `--insecure`. Whoever knocks is let in.
    Insecure,
}

impl std::fmt::Debug for MeshKey {
    /// Never shows the key.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Secret(_) => "Secret",
            Self::Insecure => "Insecure",
        })
    }
}

/// Fresh random bytes of the system: for nonces and seeds.
///
/// # Panics
/// The system has no random bytes: nothing that follows could be trusted.
pub(crate) fn random<const N: usize>() -> [u8; N] {
    let mut bytes = [0; N];
    SystemRandom::new().fill(&mut bytes).expect("the system's random bytes do not run out");
    bytes
}
