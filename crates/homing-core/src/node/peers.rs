//! With whom do we have links, and which of them are in use?

use super::input::{LinkId, Source, Wish};
use super::output::{Direction, Kept, PeerInfo};
use super::pair::{Contender, Decision, Pair};
use crate::addr::TransportAddr;
use crate::id::{Epoch, NodeId};
use crate::limits::{KEPT_MAX, LINKS_MAX, NODES_MAX};
use crate::time::Time;
use crate::wire::{Kind, Peer as About};
use std::collections::BTreeMap;
use std::time::Duration;

/// The peers that have links, or had some and may dial again.
#[derive(Debug, Default)]
pub(super) struct Peers {
    known: BTreeMap<NodeId, Peer>,
    links: BTreeMap<LinkId, NodeId>,
    /// Whom somebody here keeps, linked or not, and where it was reached when that was asked for by address.
    kept: BTreeMap<NodeId, Option<TransportAddr>>,
}

#[derive(Debug)]
pub(super) struct Peer {
    pub(super) about: About,
    pub(super) pair: Pair,
    found: Source,
    ends: BTreeMap<LinkId, End>,
    rtt: Option<Duration>,
    /// What the peer wishes of the link.
    pub(super) wish: Wish,
}

/// One link, seen from here.
#[derive(Debug)]
pub(super) struct End {
    pub(super) direction: Direction,
    /// The life of the peer that is, or was, there.
    pub(super) epoch: Epoch,
    pub(super) address: Option<TransportAddr>,
    pub(super) since: Time,
}

/// A link that is new.
#[derive(Debug)]
pub(super) struct NewLink {
    pub(super) contender: Contender,
    pub(super) end: End,
    pub(super) found: Source,
}

/// A link that is gone.
#[derive(Debug)]
pub(super) struct LostLink {
    pub(super) node: NodeId,
    pub(super) kind: Kind,
    /// Whether it was the one in use.
    pub(super) was_route: bool,
}

impl Peers {
    pub(super) fn peer(&self, node: &NodeId) -> Option<&Peer> {
        self.known.get(node)
    }

    /// The other end of a link.
    pub(super) fn at(&mut self, link: LinkId) -> Option<&mut Peer> {
        self.known.get_mut(self.links.get(&link)?)
    }

    /// In which life of its the peer speaks on a link.
    pub(super) fn epoch_on(&self, link: LinkId) -> Option<Epoch> {
        let peer = self.known.get(self.links.get(&link)?)?;
        peer.ends.get(&link).map(|end| end.epoch)
    }

    pub(super) fn route(&self, node: &NodeId) -> Option<LinkId> {
        self.known.get(node)?.pair.route()
    }

    /// The peers with a link in use.
    pub(super) fn routes(&self) -> impl Iterator<Item = (&Peer, LinkId)> {
        self.known.values().filter_map(|peer| Some((peer, peer.pair.route()?)))
    }

    /// Every link there is.
    pub(super) fn links(&self) -> impl Iterator<Item = LinkId> {
        self.links.keys().copied()
    }

    /// The peers with a link in use, by their ids.
    pub(super) fn nodes_linked(&self) -> impl Iterator<Item = NodeId> {
        self.routes().map(|(peer, _)| peer.about.id)
    }

    pub(super) fn has_room(&self) -> bool {
        self.links.len() < LINKS_MAX
    }

    pub(super) fn has_links(&self) -> bool {
        !self.links.is_empty()
    }

    /// What to say in a dial to this node.
    pub(super) fn claim(&self, node: Option<&NodeId>, number: u64) -> crate::wire::DialClaim {
        let pair = node.and_then(|node| self.known.get(node)).map(|peer| &peer.pair);
        pair.map_or(crate::wire::DialClaim { number, dead: None }, |pair| pair.claim(number))
    }

    /// Takes in a link whose handshake is complete.
    pub(super) fn established(&mut self, about: About, new: NewLink) -> Decision {
        let (node, link) = (about.id, new.contender.link);
        if self.known.len() >= NODES_MAX {
            self.known.retain(|_, peer| !peer.pair.is_empty());
        }
        self.links.insert(link, node);
        let peer = self.known.entry(node).or_insert_with(|| Peer {
            about: about.clone(),
            pair: Pair::new(node),
            found: new.found,
            ends: BTreeMap::new(),
            rtt: None,
            wish: Wish::Release,
        });
        if about.epoch >= peer.about.epoch {
            peer.about = about;
        }
        peer.ends.insert(link, new.end);
        peer.pair.established(new.contender)
    }

    /// A link is gone. `None`: it was not known.
    pub(super) fn lost(&mut self, link: LinkId) -> Option<LostLink> {
        let node = self.links.remove(&link)?;
        let peer = self.known.get_mut(&node).expect("a link has a peer");
        peer.ends.remove(&link);
        let lost = LostLink { node, kind: peer.about.kind, was_route: peer.pair.lost(link) };
        if peer.pair.route().is_none() {
            (peer.wish, peer.rtt) = (Wish::Release, None);
        }
        if peer.pair.is_empty() && peer.about.kind == Kind::Visitor {
            self.known.remove(&node);
        }
        Some(lost)
    }

    pub(super) fn round_trip(&mut self, link: LinkId, rtt: Duration) {
        if let Some(peer) = self.at(link).filter(|peer| peer.pair.route() == Some(link)) {
            peer.rtt = Some(rtt);
        }
    }

    /// Whether somebody here keeps this node.
    pub(super) fn is_kept(&self, node: &NodeId) -> bool {
        self.kept.contains_key(node)
    }

    /// Whether one more may be kept.
    pub(super) fn may_keep(&self) -> bool {
        self.kept.len() < KEPT_MAX
    }

    /// Those that are kept.
    pub(super) fn kept(&self) -> impl Iterator<Item = NodeId> {
        self.kept.keys().copied()
    }

    /// Where one that is kept was reached when that was asked for by address.
    pub(super) fn kept_at(&self, node: &NodeId) -> Vec<TransportAddr> {
        self.kept.get(node).cloned().flatten().into_iter().collect()
    }

    /// Somebody here keeps a node, or no longer does. Beyond [`KEPT_MAX`] nobody is kept.
    pub(super) fn keep(&mut self, node: NodeId, wish: Wish) {
        match wish {
            Wish::Keep if self.may_keep() => drop(self.kept.entry(node).or_default()),
            Wish::Keep => {}
            Wish::Release => drop(self.kept.remove(&node)),
        }
    }

    /// A kept node was reached here.
    pub(super) fn note_place(&mut self, node: &NodeId, address: Option<TransportAddr>) {
        if let (Some(place), Some(address)) = (self.kept.get_mut(node), address) {
            *place = Some(address);
        }
    }

    /// Keeps all that the other keeps.
    pub(super) fn keep_as(&mut self, other: &mut Self) {
        self.kept = std::mem::take(&mut other.kept);
    }

    /// The peer that is linked by a dial of ours to one of these addresses. What peers say of their addresses does not
    /// count: they may lie.
    pub(super) fn dialled_at(&self, addresses: &[TransportAddr]) -> Option<NodeId> {
        let is_there = |peer: &Peer| {
            let end = peer.pair.route().and_then(|link| peer.ends.get(&link));
            end.filter(|end| end.direction == Direction::Dialled)
                .and_then(|end| end.address.as_ref())
                .is_some_and(|address| addresses.contains(address))
        };
        self.known.iter().find(|(_, peer)| is_there(peer)).map(|(node, _)| *node)
    }

    /// Every link to a node, those that drain included.
    pub(super) fn links_of(&self, node: &NodeId) -> Vec<LinkId> {
        self.known.get(node).map_or_else(Vec::new, |peer| peer.ends.keys().copied().collect())
    }

    fn who_keeps(&self, peer: &Peer) -> Kept {
        match (self.is_kept(&peer.about.id), peer.wish) {
            (true, Wish::Keep) => Kept::Both,
            (true, Wish::Release) => Kept::Here,
            (false, Wish::Keep) => Kept::There,
            (false, Wish::Release) => Kept::No,
        }
    }

    pub(super) fn infos(&self) -> impl Iterator<Item = PeerInfo> {
        self.known.values().map(|peer| {
            let link = peer.pair.route();
            let end = link.and_then(|link| peer.ends.get(&link));
            PeerInfo {
                node: peer.about.id,
                name: peer.about.name.clone(),
                kind: peer.about.kind,
                found: peer.found,
                link,
                direction: end.map(|end| end.direction),
                address: end.and_then(|end| end.address.clone()),
                kept: self.who_keeps(peer),
                since: end.map(|end| end.since),
                rtt: peer.rtt,
            }
        })
    }
}
