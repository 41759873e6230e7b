//! Who is a member, and which of two claims to be it is newer?

use crate::id::{Epoch, NodeId};
use std::net::SocketAddr;

/// Socket addresses for datagrams told of one member: one of each family.
pub(super) const UDP_MAX: usize = 2;

/// The renewal that says goodbye: whoever goes down with it has left, and did not fail.
const LEFT: u16 = u16::MAX;

/// A member as membership names it. Equal when id, epoch and renewal are; nonce and addresses only ride along.
#[derive(Clone, Debug)]
pub struct Identity {
    /// Who it is.
    pub id: NodeId,
    /// Its life: changes only when its process starts (decisions A9).
    pub epoch: Epoch,
    /// How often this life was wrongly declared gone and came back, or changed its addresses. Only membership looks.
    pub renewal: u16,
    /// What it drew when it started: datagrams to it have to name it (decisions B5).
    pub nonce: u64,
    /// Where its datagrams go: at most one address of each family.
    pub udp: Vec<SocketAddr>,
}

impl Identity {
    /// A member at the start of its life, reachable at the first address of each family.
    pub fn new(id: NodeId, epoch: Epoch, nonce: u64, udp: &[SocketAddr]) -> Self {
        let first = |v4| udp.iter().find(|addr| addr.is_ipv4() == v4).copied();
        let udp = first(true).into_iter().chain(first(false)).collect();
        Self { id, epoch, renewal: 0, nonce, udp }
    }

    /// The same life under its last name, which it takes to say goodbye.
    pub(super) fn leaving(&self) -> Self {
        Self { renewal: LEFT, ..self.clone() }
    }

    /// Whether this is the name of a member that said goodbye.
    pub fn has_left(&self) -> bool {
        self.renewal == LEFT
    }

    /// The next name of the same life, if there is one.
    pub(super) fn renewed(&self) -> Option<Self> {
        let renewal = self.renewal.checked_add(1).filter(|next| *next < LEFT)?;
        Some(Self { renewal, ..self.clone() })
    }
}

impl PartialEq for Identity {
    fn eq(&self, other: &Self) -> bool {
        (self.id, self.epoch, self.renewal) == (other.id, other.epoch, other.renewal)
    }
}

impl Eq for Identity {}

impl foca::Identity for Identity {
    type Addr = NodeId;

    fn renew(&self) -> Option<Self> {
        self.renewed()
    }

    fn addr(&self) -> NodeId {
        self.id
    }

    fn win_addr_conflict(&self, adversary: &Self) -> bool {
        (self.epoch, self.renewal) > (adversary.epoch, adversary.renewal)
    }
}
