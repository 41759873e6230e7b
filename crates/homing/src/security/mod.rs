//! How is it proven that two nodes are of one mesh, and that each is who it says? By keys, and `ring`.

mod authority;
pub(crate) mod encoded;
pub(crate) mod identity;
mod keyfile;
mod keys;
pub(crate) mod local;
mod own_key;
mod refusal;
mod ring;
mod tls;

use ::ring::rand::{SecureRandom as _, SystemRandom};

pub use self::authority::{Authority, AuthorityError};
pub use self::identity::IdentityError;
pub use self::keyfile::{KeyFile, KeyFileError, Rotation};
pub use self::keys::{BadKey, Key};
pub(crate) use self::refusal::{long_handshake, not_tls, plain_homing, refusal};
pub(crate) use self::ring::{RingCrypto, key_id, sha256};
pub(crate) use self::tls::{Session, Tls};

/// What the nodes of a mesh know and nobody else.
#[derive(Clone)]
pub(crate) enum MeshKey {
    /// 32 random bytes of the user's rendezvous directory: the mesh is of one user, on one host.
    Local([u8; 32]),
    /// What the user gave: 1 to [`MESH_KEYS_MAX`](homing_core::limits::MESH_KEYS_MAX) keys, the one to send with first.
    Keyed(Vec<[u8; 32]>),
    /// Nothing: `--insecure`. Whoever knocks is let in.
    Insecure,
}

impl std::fmt::Debug for MeshKey {
    /// Never shows the key.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Local(_) => "Local",
            Self::Keyed(_) => "Keyed",
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
