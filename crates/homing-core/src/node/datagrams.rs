//! How do datagrams leave and arrive?

use super::Node;
use super::input::Source;
use super::output::{Output, Stats};
use crate::addr::{TransportAddr, nearest};
use crate::crypto::Crypto;
use crate::id::{Epoch, NodeId};
use crate::limits::{SCOUT_SPREAD, SCOUT_SPREAD_MAX};
use crate::membership::{self, Identity};
use crate::registry::{self, Body, Record, RecordKey, Via};
use crate::time::Time;
use crate::wire::datagram::{HEADER_LEN, Header, Refused, open, seal};
use crate::wire::{DatagramKind, Kind, Scout};
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

/// Seals what we send, opens what we get, and counts what is dropped.
pub(super) struct Sealer {
    me: NodeId,
    epoch: Epoch,
    crypto: Arc<dyn Crypto>,
    counter: u64,
    pub(super) stats: Stats,
}

impl Sealer {
    pub(super) fn new(me: NodeId, epoch: Epoch, crypto: Arc<dyn Crypto>) -> Self {
        Self { me, epoch, crypto, counter: 0, stats: Stats::default() }
    }

    fn seal(&mut self, kind: DatagramKind, receiver: Option<NodeId>, body: &[u8]) -> Vec<u8> {
        self.counter += 1;
        let (sender, epoch, counter) = (self.me, self.epoch, self.counter);
        let header = Header { kind, key: 0, sender, receiver, epoch, counter, nonce: 0 };
        seal(&header, body, &*self.crypto)
    }

    fn open(&mut self, bytes: &mut Vec<u8>) -> Option<Header> {
        open(self.me, bytes, &*self.crypto)
            .inspect_err(|refused| match refused {
                Refused::Malformed(_) => self.stats.malformed += 1,
                Refused::NotForUs => self.stats.not_for_us += 1,
                Refused::Forged => self.stats.forged += 1,
            })
            .ok()
    }
}

impl Node {
    pub(super) fn send_datagram(&mut self, to: &Identity, kind: DatagramKind, body: &[u8]) {
        match self.datagram_addr(to) {
            Some(addr) => {
                let bytes = self.sealer.seal(kind, Some(to.id), body);
                self.outbox.push_back(Output::Datagram { to: addr, bytes });
            }
            None => self.sealer.stats.unsendable += 1,
        }
    }

    /// Which of a member's addresses to send to. Membership tells one of each family; who is on several networks tells
    /// the others in its record.
    fn datagram_addr(&self, to: &Identity) -> Option<SocketAddr> {
        let is_of_this_life =
            |record: &&Arc<Record>| record.key == RecordKey::NODE && record.epoch == to.epoch;
        let record = self.registry.records_of(&to.id).find(is_of_this_life);
        let told = match record.map(|record| &record.body) {
            Some(Body::Node(record)) => record.addresses.as_slice(),
            Some(Body::Offer(_) | Body::Tombstone) | None => &[],
        };
        let theirs = to.udp.iter().copied().chain(told.iter().filter_map(TransportAddr::tcp));
        let ours = self.config.me.addresses.iter().filter_map(TransportAddr::tcp);
        let ours: Vec<IpAddr> = ours.map(|addr| addr.ip()).collect();
        nearest(theirs, &ours)
    }

    /// Calls out to everybody.
    pub(super) fn scout(&mut self) {
        let (mesh, me) = (self.config.mesh, &self.config.me);
        let mut body = Vec::with_capacity(128);
        Scout { mesh, kind: me.kind, addresses: me.addresses.clone() }.encode(&mut body);
        let bytes = self.sealer.seal(DatagramKind::Scout, None, &body);
        self.outbox.push_back(Output::Scout(bytes));
    }

    pub(super) fn handle_datagram(
        &mut self,
        now: Time,
        (from, source): (SocketAddr, Source),
        bytes: &mut Vec<u8>,
    ) {
        let Some(header) = self.sealer.open(bytes) else { return };
        let body = &bytes[HEADER_LEN..];
        let node = header.sender;
        self.sealer.stats.opened += u64::from(header.kind != DatagramKind::Scout);
        match header.kind {
            DatagramKind::Scout => self.handle_scout(now, (from, source), node, body),
            DatagramKind::Membership => self.tell_membership(now, membership::Input::Packet(body)),
            DatagramKind::Registry => {
                let message =
                    registry::Input::Message { from: node, via: Via::Datagram, bytes: body };
                self.tell_registry(now, message);
            }
            DatagramKind::Goodbye => {
                if self.registry.epoch_of(&node).is_none_or(|known| known <= header.epoch) {
                    self.departed(now, node);
                }
            }
            DatagramKind::Nonce => {}
        }
    }

    /// Somebody calls: at most a reason to dial (decisions B5). Of many members that hear it, chance picks who is
    /// first, and the others learn of the new node from it.
    fn handle_scout(
        &mut self,
        now: Time,
        (from, source): (SocketAddr, Source),
        node: NodeId,
        body: &[u8],
    ) {
        if !self.scouting.heeds(now, from.ip(), node) {
            self.sealer.stats.too_many_scouts += 1;
            return;
        }
        match Scout::decode(body) {
            Ok(scout) if scout.mesh != self.config.mesh => self.sealer.stats.foreign += 1,
            // Two that pass through have nothing to say to each other.
            Ok(Scout { kind: Kind::Visitor, .. }) if self.config.me.kind == Kind::Visitor => {}
            Ok(scout) => {
                let members = u32::try_from(self.members().count()).unwrap_or(u32::MAX);
                let spread = SCOUT_SPREAD.saturating_mul(members).min(SCOUT_SPREAD_MAX);
                let wait = self.rng.below(u64::try_from(spread.as_nanos()).unwrap_or(u64::MAX));
                self.suggest(now + Duration::from_nanos(wait), source, Some(node), scout.addresses);
            }
            Err(_) => self.sealer.stats.malformed += 1,
        }
    }
}
