//! How do datagrams leave and arrive?

use super::Node;
use super::input::Source;
use super::output::{Output, Stats};
use super::replay::{Replay, Verdict};
use crate::addr::{TransportAddr, nearest};
use crate::crypto::{Crypto, KeyId};
use crate::id::{Epoch, NodeId};
use crate::limits::{SCOUT_SPREAD, SCOUT_SPREAD_MAX};
use crate::membership::brief::{self, Envelope};
use crate::membership::{self, Identity};
use crate::registry::{self, Body, Record, RecordKey, Via};
use crate::rng::Rng;
use crate::time::Time;
use crate::wire::datagram::{HEADER_LEN, Header, Refused, is_census, open, seal};
use crate::wire::{Banner, DatagramKind, Kind, Scout};
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

/// What a datagram is, for whom (`None`: everybody), and the nonce it names.
type About = (DatagramKind, Option<NodeId>, u64);

/// Seals what we send, opens what we get, tells new from old, and counts what is dropped.
pub(super) struct Sealer {
    me: NodeId,
    epoch: Epoch,
    crypto: Arc<dyn Crypto>,
    counter: u64,
    replay: Replay,
    pub(super) stats: Stats,
}

impl Sealer {
    /// Counts from anywhere on: should files and clock of this host come back from a backup, and the same life begin
    /// twice, no count is used twice under one key but by a chance of one to 2^62 for each (decisions B4).
    pub(super) fn new(me: NodeId, epoch: Epoch, crypto: Arc<dyn Crypto>, rng: &mut Rng) -> Self {
        let (replay, counter) = (Replay::new(rng.next_u64()), rng.below(1 << 62));
        Self { me, epoch, crypto, counter, replay, stats: Stats::default() }
    }

    pub(super) const fn crypto(&self) -> &Arc<dyn Crypto> {
        &self.crypto
    }

    /// What others have to name in their datagrams to us.
    pub(super) fn nonce(&self) -> u64 {
        self.replay.nonce()
    }

    /// The mesh's keys held now.
    pub(super) fn keys(&self) -> Vec<KeyId> {
        self.crypto.keys()
    }

    fn seal(&mut self, (kind, receiver, nonce): About, body: &[u8]) -> Option<Vec<u8>> {
        self.counter += 1;
        let key = self.crypto.keys().first().copied()?;
        let (sender, epoch, counter) = (self.me, self.epoch, self.counter);
        let header = Header { kind, key, sender, receiver, epoch, counter, nonce };
        seal(&header, body, &*self.crypto)
    }

    fn open(&mut self, now: Time, bytes: &mut Vec<u8>) -> Option<(Header, Verdict)> {
        let opened = open(self.me, bytes, &*self.crypto);
        let header = opened
            .inspect_err(|refused| match refused {
                Refused::Malformed(_) => self.stats.malformed += 1,
                Refused::NotForUs => self.stats.not_for_us += 1,
                Refused::OtherKey(_) => self.stats.foreign += 1,
                Refused::Forged => self.stats.forged += 1,
            })
            .ok()?;
        let verdict = self.replay.judge(now, &header);
        match verdict {
            Verdict::Take => {}
            Verdict::Drop | Verdict::Outlived(_) => self.stats.replayed += 1,
            Verdict::Tell | Verdict::Hush => self.stats.stale += 1,
        }
        Some((header, verdict))
    }
}

/// Whether a datagram of this kind was meant for this life of ours, and is not one that somebody kept.
fn names_us(kind: DatagramKind) -> bool {
    match kind {
        DatagramKind::Membership | DatagramKind::Registry | DatagramKind::Goodbye => true,
        DatagramKind::Scout
        | DatagramKind::Nonce
        | DatagramKind::Superseded
        | DatagramKind::Census => false,
    }
}

impl Node {
    pub(super) fn send_datagram(&mut self, to: &Identity, kind: DatagramKind, body: &[u8]) {
        let nonce = self.sealer.replay.nonce_of(to);
        let sealed = self.datagram_addr(to).and_then(|addr| {
            let bytes = self.sealer.seal((kind, Some(to.id), nonce), body)?;
            Some(Output::Datagram { to: addr, bytes })
        });
        match sealed {
            Some(datagram) => self.outbox.push_back(datagram),
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
            Some(
                Body::Offer(_)
                | Body::Interest(_)
                | Body::Declared(_)
                | Body::Service(_)
                | Body::Tombstone,
            )
            | None => &[],
        };
        let theirs = to.udp.iter().copied().chain(told.iter().filter_map(TransportAddr::tcp));
        let ours = self.config.me.addresses.iter().filter_map(TransportAddr::tcp);
        let ours: Vec<IpAddr> = ours.map(|addr| addr.ip()).collect();
        nearest(theirs, &ours)
    }

    /// Calls out to everybody.
    pub(super) fn scout(&mut self) {
        let me = &self.config.me;
        let banner = Banner { mesh: self.config.mesh.clone(), guard: self.config.guard };
        let mut body = Vec::with_capacity(256);
        Scout { banner, kind: me.kind, addresses: me.addresses.clone() }.encode(&mut body);
        let bytes = self.sealer.seal((DatagramKind::Scout, None, 0), &body);
        self.outbox.extend(bytes.map(Output::Scout));
    }

    pub(super) fn handle_datagram(
        &mut self,
        now: Time,
        (from, source): (SocketAddr, Source),
        bytes: &mut Vec<u8>,
    ) {
        if is_census(bytes) {
            return self.handle_census(now, source);
        }
        let Some((header, verdict)) = self.sealer.open(now, bytes) else { return };
        match verdict {
            Verdict::Take => {}
            Verdict::Drop | Verdict::Hush => return,
            Verdict::Tell => return self.tell_nonce(from, header.sender),
            Verdict::Outlived(by) => return self.tell_superseded(from, header.sender, by),
        }
        let body = &bytes[HEADER_LEN..];
        let node = header.sender;
        self.sealer.stats.opened += u64::from(names_us(header.kind));
        match header.kind {
            DatagramKind::Scout => self.handle_scout(now, (from, source), node, body),
            DatagramKind::Membership => self.hear_packet(now, &header, body),
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
            DatagramKind::Nonce => {} // It was noted when it was judged.
            DatagramKind::Census => self.sealer.stats.malformed += 1, // Nobody seals one.
            DatagramKind::Superseded => {
                if let Some(epoch) = body.first_chunk() {
                    let later = Epoch(u64::from_be_bytes(*epoch));
                    self.handle_superseded(now, later, &format!("says {from}"));
                }
            }
        }
    }

    fn hear_packet(&mut self, now: Time, header: &Header, body: &[u8]) {
        let (sender, epoch, receiver) = (header.sender, header.epoch, self.config.me.id);
        match brief::lengthen(Envelope { sender, epoch, receiver }, body) {
            Ok(packet) => self.tell_membership(now, membership::Input::Packet(&packet)),
            Err(_) => self.sealer.stats.malformed += 1,
        }
    }

    pub(super) fn tell_superseded(&mut self, to: SocketAddr, node: NodeId, by: Epoch) {
        let about = (DatagramKind::Superseded, Some(node), 0);
        let bytes = self.sealer.seal(about, &by.0.to_be_bytes());
        self.outbox.extend(bytes.map(|bytes| Output::Datagram { to, bytes }));
    }

    /// Tells who knows only a former life of this node what datagrams to it have to name.
    fn tell_nonce(&mut self, to: SocketAddr, node: NodeId) {
        let nonce = self.sealer.nonce();
        let bytes = self.sealer.seal((DatagramKind::Nonce, Some(node), nonce), &[]);
        self.outbox.extend(bytes.map(|bytes| Output::Datagram { to, bytes }));
    }

    /// Somebody asks who is there, of whatever mesh, and proves nothing: at most a reason to call sooner what is called
    /// anyway, to everybody and not to who asks. Heeded only where everybody within earshot heard it too, for that is
    /// not far.
    fn handle_census(&mut self, now: Time, source: Source) {
        self.sealer.stats.scouts.censuses += 1;
        let was_to_all = matches!(source, Source::Broadcast | Source::Multicast);
        if was_to_all && self.config.me.kind == Kind::Member {
            let at = now + self.spread();
            self.scouting.answer_census(at);
        }
    }

    /// How long to wait, so that not all who heard something answer at once.
    fn spread(&mut self) -> Duration {
        let members = u32::try_from(self.members().count()).unwrap_or(u32::MAX);
        let spread = SCOUT_SPREAD.saturating_mul(members).min(SCOUT_SPREAD_MAX);
        Duration::from_nanos(self.rng.below(u64::try_from(spread.as_nanos()).unwrap_or(u64::MAX)))
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
            self.sealer.stats.scouts.over_rate += 1;
            return;
        }
        match Scout::decode(body) {
            Ok(scout) if scout.banner.mesh != self.config.mesh => self.sealer.stats.foreign += 1,
            // Two that pass through have nothing to say to each other.
            Ok(Scout { kind: Kind::Visitor, .. }) if self.config.me.kind == Kind::Visitor => {}
            Ok(scout) => {
                let at = now + self.spread();
                if scout.addresses.is_empty() {
                    return self.scouting.answer(at);
                }
                if scout.kind == Kind::Member {
                    self.scouting.leave_answer();
                }
                self.suggest(at, source, Some(node), scout.addresses);
            }
            Err(_) => self.sealer.stats.malformed += 1,
        }
    }
}
