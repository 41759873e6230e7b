//! With what is a link made?

use super::Patience;
use crate::budget::Budget;
use crate::crypto::{Crypto, Role};
use crate::id::NodeId;
use crate::limits::{BEFORE_CLOSE, BEFORE_PING, HANDSHAKE_TIME, IDLE_TIME};
use crate::wire::Hello;
use std::sync::Arc;
use std::time::Duration;

/// What a link is made with.
pub struct LinkConfig {
    /// Which side this is.
    pub role: Role,
    /// What this side says first; its nonce must be fresh.
    pub hello: Hello,
    /// Whom a dialler expects; anyone else is refused.
    pub expect: Option<NodeId>,
    /// The proof of the mesh's key.
    pub crypto: Arc<dyn Crypto>,
    /// What all links of this process may hold together.
    pub budget: Arc<Budget>,
    /// How long things may take.
    pub times: Times,
}

/// What a link goes over, where that is more than a bare connection.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Channel {
    /// SHA-256 over both ends' certificates and what the channel exports: equal at both ends of one channel, and
    /// nowhere else (decisions B6). All zero where the connection is bare.
    pub binding: [u8; 32],
    /// The Ed25519 key of the peer's certificate, where that is self-made and so has to be the key of its id.
    pub key: Option<[u8; 32]>,
}

/// How long things on a link may take.
#[derive(Clone, Copy, Debug)]
pub struct Times {
    /// From the first byte to the end of the handshake.
    pub handshake: Duration,
    /// How long the peer may stay silent.
    pub patience: Patience,
    /// Without a conversation until [`Output::Idle`](super::Output::Idle).
    pub idle: Duration,
}

impl Default for Times {
    fn default() -> Self {
        let patience = Patience { before_ping: BEFORE_PING, before_close: BEFORE_CLOSE };
        Self { handshake: HANDSHAKE_TIME, patience, idle: IDLE_TIME }
    }
}
