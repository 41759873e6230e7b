//! Of several links to one peer, which stays? Both sides decide alike, in whatever order they see them (decisions A14).
//!
//! Links are put in one order, in which the higher replaces the lower:
//!
//! 1. A link to a later life of the peer is higher.
//! 2. Of two dials by the same node the later is higher.
//! 3. Of dials by both, one that was made by who knew the other dead is higher.
//! 4. Else they crossed: the dial by the smaller node id is higher.
//!
//! What one node claims dead only grows, so this order has no circles, and a link that lost need not be remembered:
//! the last one standing is the same whichever met first.

use super::input::LinkId;
use crate::id::{Epoch, NodeId};
use crate::limits::LINKS_PER_PAIR_MAX;
use crate::wire::{DialClaim, LinkName};
use std::collections::VecDeque;

/// The links of this node with one peer.
#[derive(Debug)]
pub(super) struct Pair {
    peer: NodeId,
    route: Option<Contender>,
    /// Those that lost and still carry their last conversations, the oldest first.
    draining: VecDeque<LinkId>,
    /// The last link that the peer dialled and that we hold dead. Our own dead ones need no claim: rule 2.
    dead: Option<LinkName>,
}

/// A link whose handshake is complete.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) struct Contender {
    /// Our number of it.
    pub(super) link: LinkId,
    /// How both sides call it.
    pub(super) name: LinkName,
    /// What its dialler held dead when it dialled.
    pub(super) dead: Option<LinkName>,
    /// The life of the peer that it leads to.
    pub(super) peer_epoch: Epoch,
}

/// What is to be done about a new link.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(super) struct Decision {
    /// The link that lost: no new conversation on it.
    pub(super) drain: Option<LinkId>,
    /// Too many are draining: this one has to go at once.
    pub(super) close: Option<LinkId>,
}

impl Pair {
    pub(super) fn new(peer: NodeId) -> Self {
        Self { peer, route: None, draining: VecDeque::new(), dead: None }
    }

    /// The link to use.
    pub(super) fn route(&self) -> Option<LinkId> {
        self.route.map(|contender| contender.link)
    }

    /// Whether no link is left at all.
    pub(super) fn is_empty(&self) -> bool {
        self.route.is_none() && self.draining.is_empty()
    }

    /// What to say with the next dial.
    pub(super) fn claim(&self, number: u64) -> DialClaim {
        DialClaim { number, dead: self.dead }
    }

    /// Takes in a new link and says which one lost, if there were two.
    pub(super) fn established(&mut self, new: Contender) -> Decision {
        let Some(old) = self.route else {
            self.route = Some(new);
            return Decision::default();
        };
        let (winner, loser) = if replaces(&new, &old) { (new, old) } else { (old, new) };
        self.route = Some(winner);
        self.bury(loser.name);
        self.draining.push_back(loser.link);
        let close = (self.draining.len() >= LINKS_PER_PAIR_MAX)
            .then(|| self.draining.pop_front())
            .flatten();
        Decision { drain: Some(loser.link), close }
    }

    /// A link is gone. Says whether it was the one to use.
    pub(super) fn lost(&mut self, link: LinkId) -> bool {
        self.draining.retain(|other| *other != link);
        let Some(route) = self.route.take_if(|route| route.link == link) else { return false };
        self.bury(route.name);
        true
    }

    /// All links, the one to use first.
    #[cfg(test)]
    pub(super) fn links(&self) -> impl Iterator<Item = LinkId> {
        self.route().into_iter().chain(self.draining.iter().copied())
    }

    fn bury(&mut self, name: LinkName) {
        if name.dialler == self.peer && self.dead.is_none_or(|dead| age(&dead) < age(&name)) {
            self.dead = Some(name);
        }
    }
}

/// Whether `new` is higher than `old`.
fn replaces(new: &Contender, old: &Contender) -> bool {
    if new.peer_epoch != old.peer_epoch {
        return new.peer_epoch > old.peer_epoch;
    }
    if new.name.dialler == old.name.dialler {
        return age(&new.name) > age(&old.name);
    }
    match (knows_dead(new, old), knows_dead(old, new)) {
        (true, false) => true,
        (false, true) => false,
        // Both at once is a lie of somebody; crossing dials are neither.
        (true, true) | (false, false) => new.name.dialler < old.name.dialler,
    }
}

/// Whether the dialler of `this` held `other` dead. Who saw a later link dead saw the earlier ones replaced.
fn knows_dead(this: &Contender, other: &Contender) -> bool {
    this.dead
        .is_some_and(|dead| dead.dialler == other.name.dialler && age(&dead) >= age(&other.name))
}

fn age(name: &LinkName) -> (Epoch, u64) {
    (name.epoch, name.number)
}

#[cfg(test)]
mod tests;
