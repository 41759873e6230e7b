//! Who is known, in the order of ids?

use super::Output;
use super::identity::Identity;
use crate::id::NodeId;
use crate::limits::NODES_MAX;
use foca::OwnedNotification;
use std::collections::BTreeMap;
use std::ops::Bound;

/// What membership holds of a node.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Presence {
    /// It is there.
    Alive(Identity),
    /// It is not; maybe it comes back.
    Gone(Identity),
}

/// The nodes that were there at least once. Bounded by [`NODES_MAX`]: those gone make room first.
#[derive(Debug, Default)]
pub(super) struct Roster {
    nodes: BTreeMap<NodeId, Presence>,
}

impl Roster {
    pub(super) fn presence(&self, node: &NodeId) -> Option<&Presence> {
        self.nodes.get(node)
    }

    pub(super) fn alive(&self) -> impl Iterator<Item = &Identity> {
        self.nodes.values().filter_map(alive)
    }

    /// Those that are gone and did not say goodbye.
    pub(super) fn gone(&self) -> impl Iterator<Item = &Identity> {
        self.nodes.values().filter_map(|presence| match presence {
            Presence::Gone(identity) if !identity.has_left() => Some(identity),
            Presence::Gone(_) | Presence::Alive(_) => None,
        })
    }

    /// A node is too long gone to be remembered.
    pub(super) fn forget(&mut self, member: &Identity) {
        if let Some(Presence::Gone(_)) = self.nodes.get(&member.id) {
            self.nodes.remove(&member.id);
        }
    }

    /// Whether none of these is new.
    pub(super) fn knows_all<'a>(&self, members: impl IntoIterator<Item = &'a Identity>) -> bool {
        members.into_iter().all(|member| self.nodes.contains_key(&member.id))
    }

    /// The next member after `me`, round the ring of ids.
    pub(super) fn neighbour(&self, me: &NodeId) -> Option<NodeId> {
        let after = self.nodes.range((Bound::Excluded(*me), Bound::Unbounded));
        after
            .chain(self.nodes.range(..*me))
            .find_map(|(_, presence)| alive(presence))
            .map(|next| next.id)
    }

    /// Notes what foca found out, and says it in our words.
    pub(super) fn note(&mut self, note: OwnedNotification<Identity>) -> Option<Output> {
        match note {
            OwnedNotification::MemberUp(member) => self.up(member),
            OwnedNotification::MemberDown(member) => Some(self.down(member)),
            OwnedNotification::Rename(_, now) => match self.nodes.get(&now.id)? {
                Presence::Alive(_) => self.up(now),
                Presence::Gone(_) => None,
            },
            _ => None,
        }
    }

    fn up(&mut self, member: Identity) -> Option<Output> {
        let before = self.nodes.insert(member.id, Presence::Alive(member.clone()));
        match before {
            Some(Presence::Alive(known)) if known == member => return None,
            Some(Presence::Gone(_) | Presence::Alive(_)) | None => {}
        }
        (!member.has_left()).then_some(Output::Up(member))
    }

    fn down(&mut self, member: Identity) -> Output {
        self.nodes.insert(member.id, Presence::Gone(member.clone()));
        if self.nodes.len() > NODES_MAX {
            self.nodes.retain(|_, presence| alive(presence).is_some());
        }
        if member.has_left() { Output::Left(member) } else { Output::Down(member) }
    }
}

fn alive(presence: &Presence) -> Option<&Identity> {
    match presence {
        Presence::Alive(identity) => Some(identity),
        Presence::Gone(_) => None,
    }
}
