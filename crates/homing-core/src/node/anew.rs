//! What if the mesh knows a later life of a node than this one? (decisions A10)
//!
//! Its identity came back from a backup, or a clock went back together with its file: then it begins a life above the
//! known one. Or the identity was copied and runs elsewhere: then this node must stop, for two would take turns at
//! declaring each other's records void.
//!
//! ```text
//! node that is behind              peer
//! link rises                   →   knows a later life of it
//!                Later         ←   that life, and where it is if it is alive
//! Raise: the driver writes the next life down and calls `begin_anew`; or Fatal
//! ```
//! Anybody who holds the mesh's key can say that there is a later life. Where records are signed, a node so stops or
//! rises only on a record of that life, which its own key signed; all else is a reason to look for one.

use super::control::{Control, Later};
use super::dials::{Goal, Why};
use super::input::{Input, LinkId, Source};
use super::output::Output;
use super::voices::elsewhere;
use super::{Node, Phase};
use crate::addr::TransportAddr;
use crate::id::{Epoch, NodeId};
use crate::limits::JOINS_MAX;
use crate::membership::Presence;
use crate::registry::{self, RecordKey, Spread};
use crate::talk::{Code, Status};
use crate::time::Time;
use crate::wire::{Kind, Peer as About};
use std::sync::Arc;

impl Node {
    /// Begins a later life in the place of this one: all links end, the mesh is asked anew, and what was offered is
    /// offered again. For the answer to [`Output::Raise`]; harmless at any other time, but for the links.
    pub fn begin_anew(&mut self, now: Time, epoch: Epoch) {
        let mut config = self.config.clone();
        config.me.epoch = epoch;
        let (me, addresses) = (config.me.id, config.me.addresses.clone());
        let own: Vec<_> = self.registry.records_of(&me).cloned().collect();
        let mut next = Self::new(now, config, self.rng.split(), Arc::clone(self.sealer.crypto()));
        next.set_authorize(self.registry.authorize());
        next.dials.continue_after(&self.dials);
        next.outbox = std::mem::take(&mut self.outbox);
        for Spread { token, acknowledged, of } in self.registry.give_up_spreads() {
            next.outbox.push_back(Output::Spread { token, acknowledged, of });
        }
        next.outbox.extend(self.endings());
        next.outbox.extend(self.unconnected());
        next.peers.keep_as(&mut self.peers);
        next.registry.inherit(&mut self.registry);
        let known = self.known_members();
        *self = next;
        self.handle_input(now, Input::Listening { addresses });
        for record in own.into_iter().filter(|record| record.key != RecordKey::NODE) {
            let (key, body) = (record.key, record.body.clone());
            self.tell_registry(now, registry::Input::Offer { key, body });
        }
        for (node, addresses) in known {
            self.suggest(now, Source::Gossip, Some(node), addresses);
        }
        self.dial_kept(now);
        self.settle(now);
    }

    /// A member is linked that may not know how late it is.
    pub(super) fn tell_later_life(&mut self, link: LinkId, about: &About) {
        let Some(known) = self.registry.epoch_of(&about.id).filter(|known| *known > about.epoch)
        else {
            return;
        };
        if about.kind == Kind::Member && self.membership.is_some() {
            let presence = self.membership.as_ref().and_then(|all| all.presence(&about.id));
            let place = match presence {
                Some(Presence::Alive(other)) if other.epoch > about.epoch => {
                    Some(other.udp.iter().copied().map(TransportAddr::Tcp).collect())
                }
                _ => None,
            };
            let record =
                self.registry.node_record(&about.id).map_or_else(Vec::new, |it| it.to_vec());
            let bytes = Control::Later(Later { epoch: known, place, record }).encode();
            self.outbox.push_back(Output::Control { link, bytes });
        }
    }

    /// A member knows a later life of ours. Where records are signed it has to show one of that life.
    pub(super) fn handle_later(&mut self, later: Later) {
        let is_shown = self.registry.later_life_in(&later.record);
        let known = if self.registry.signs() { is_shown } else { Some(later.epoch) };
        let known = known.filter(|known| *known > self.config.me.epoch);
        let Some(known) = known.filter(|_| self.config.me.kind == Kind::Member) else { return };
        match later.place {
            None => self.rise_above(known),
            Some(addresses) => {
                let places: Vec<_> = addresses.iter().map(ToString::to_string).collect();
                self.fatal(elsewhere(&places.join(", ")));
            }
        }
    }

    /// The registry met records of ours that we did not write. Before the mesh has told all it knows they are of a life
    /// that was forgotten here; later they are somebody else's.
    pub(super) fn handle_disputed(&mut self, known: Epoch, status: Status) {
        if self.join.is_told() { self.fatal(status) } else { self.rise_above(known) }
    }

    /// A datagram says that a later life of ours is known. Until the mesh has told whether that one is alive it decides
    /// nothing: a link will.
    pub(super) fn handle_superseded(&mut self, now: Time, later: Epoch, place: &str) {
        if later > self.config.me.epoch && self.join.is_told() {
            self.hear_of_later_life(now, later, place);
        }
    }

    /// Somebody who did not prove it says that a later life of ours is there. Where records are signed, that is a reason
    /// to look for a record of it, and no more: over links, whose other ends tell of it when they rise and when asked.
    /// Datagrams to us would go to the other.
    pub(super) fn hear_of_later_life(&mut self, now: Time, later: Epoch, place: &str) {
        if !self.registry.signs() {
            return self.fatal(elsewhere(place));
        }
        self.tell_registry(now, registry::Input::Outlived { epoch: later });
        let linked = self.peers.routes().filter(|(peer, _)| peer.about.kind == Kind::Member);
        if linked.count() >= JOINS_MAX {
            return;
        }
        for other in self.show.some_alive(JOINS_MAX, &self.config.me.id) {
            if self.peers.route(&other).is_none() {
                self.dials.plan(Goal::Node(other), Why::Suggested(Source::Gossip), Vec::new(), now);
            }
        }
    }

    fn rise_above(&mut self, known: Epoch) {
        if self.phase != Phase::Left {
            self.phase = Phase::Left;
            self.outbox.push_back(Output::Raise { above: known });
        }
    }

    /// What ends the links of this life.
    fn endings(&self) -> Vec<Output> {
        let status = Status::new(Code::Aborted, "this node begins a later life");
        let routes = self.peers.nodes_linked().map(|node| Output::Route { node, link: None });
        let links = self.peers.links();
        let closes = links.map(|link| Output::Close { link, status: status.clone() });
        routes.chain(closes).collect()
    }

    fn known_members(&self) -> Vec<(NodeId, Vec<TransportAddr>)> {
        let members = self.peers.routes().filter(|(peer, _)| peer.about.kind == Kind::Member);
        members.map(|(peer, _)| (peer.about.id, peer.about.addresses.clone())).collect()
    }
}
