//! With what do tests make a link?

use super::{LinkConfig, Times};
use crate::budget::Budget;
use crate::crypto::fake::Fake;
use crate::crypto::{Crypto, Role};
use crate::id::Epoch;
use crate::wire::hello::{FEATURES, VERSION_MAX, VERSION_MIN};
use crate::wire::{DialClaim, Hello, Kind, Peer as Identity, Windows};
use std::sync::Arc;

/// What one side of a link of the mesh `[7; 8]` is made with.
pub(crate) fn config(role: Role, key: u8, budget: Arc<Budget>) -> LinkConfig {
    let crypto = Arc::new(Fake::signing(role as u8 + 1).of_mesh(key));
    let id = crypto.id();
    let hello = Hello {
        versions: (VERSION_MIN, VERSION_MAX),
        features: FEATURES,
        required: 0,
        mesh: [7; 8],
        nonce: [role as u8; 16],
        keys: crypto.keys(),
        peer: Identity {
            id,
            key: crypto.public_key(),
            epoch: Epoch(1),
            kind: Kind::Member,
            name: "node".parse().expect("a name"),
            agent: "test".into(),
            addresses: vec![],
        },
        claim: DialClaim::default(),
        windows: Windows::default(),
    };
    LinkConfig { role, hello, expect: None, crypto, budget, times: Times::default() }
}
