//! With whom do we have links, and which of them are in use?

use super::input::{LinkId, Source, Wish};
use super::output::{Direction, PeerInfo};
use super::pair::{Contender, Decision, Pair};
use crate::addr::TransportAddr;
use crate::id::{Epoch, NodeId};
use crate::limits::{LINKS_MAX, NODES_MAX};
use crate::wire::{Kind, Peer as About};
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

/// The peers that have links, or had some and may dial again.
#[derive(Debug, Default)]
pub(super) struct Peers {
    known: BTreeMap<NodeId, Peer>,
    links: BTreeMap<LinkId, NodeId>,
    /// Whom somebody here keeps, linked or not.
    kept: BTreeSet<NodeId>,
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
        self.kept.contains(node)
    }

    /// Somebody here keeps a node, or no longer does. Beyond [`LINKS_MAX`] nobody is kept.
    pub(super) fn keep(&mut self, node: NodeId, wish: Wish) {
        match wish {
            Wish::Keep if self.kept.len() < LINKS_MAX => drop(self.kept.insert(node)),
            Wish::Keep => {}
            Wish::Release => drop(self.kept.remove(&node)),
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
                kept: peer.wish == Wish::Keep || self.is_kept(&peer.about.id),
                rtt: peer.rtt,
            }
        })
    }
}
