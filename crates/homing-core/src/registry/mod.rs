//! Who offers what? The same on every node, eventually.
//!
//! Each node alone writes its own records and numbers them; everybody else only passes them on. What is known of an
//! owner is a set of records (`owner`); merging two such sets does not depend on the order in which
//! messages arrive, on how often, or on which were lost. News is gossiped (`rumours`); a comparison of sums with one
//! random member every [`DIGEST_PERIOD`](crate::limits::DIGEST_PERIOD) finds what gossip missed (`exchange`,
//! `message`). Only of owners that live, as membership says, is anything taken from a peer; those who are gone
//! are kept for a lease (`lease`) and then remembered by a headstone (`headstones`).
//!
//! | a node that | is treated so |
//! |---|---|
//! | was paused, shorter than the suspicion | as ever; its next comparison, due at once, brings it what it missed |
//! | was paused longer | membership says gone, then alive: it is asked for its records at once. What it still holds of others loses against their later records, or is refused because they do not live |
//! | crashed and restarted | a higher epoch: all records of the life before go at once; where records are signed, with the first record of the later life |
//! | restarted with an epoch that is known already | its first comparison shows it records that it did not write: [`Output::Disputed`]; or, before it was announced, [`Input::Raise`] |
//! | said goodbye | its records go at once |
//!
//! Records of services that were registered to last are apart (`estate`): no fate of their owner ends them, only a
//! withdrawal by who has the right to.

mod audience;
mod body;
mod digest;
pub(crate) mod estate;
mod estate_exchange;
pub(crate) mod estate_list;
mod estate_take;
mod exchange;
mod filter;
mod followers;
mod headstones;
mod hear;
mod host;
mod index;
mod interest;
mod lease;
mod life;
mod merge;
pub(crate) mod message;
mod own;
mod owner;
mod owners;
mod packer;
mod peers;
mod record;
mod record_id;
mod registered;
mod rumours;
mod service;
mod show;
mod snapshot;
mod spread;
mod stats;
mod sync;
mod voice;
pub(crate) mod withdrawal;
mod write;

#[cfg(test)]
mod samples;
#[cfg(test)]
mod tests;

pub use crate::wire::Guard;
pub use audience::{Listener, Publisher};
pub use body::{Body, NodeRecord, OfferRecord, OfferState, OfferedMethod};
pub use filter::{Filter, Topics};
pub use host::{BadHost, Host, HostName};
pub use interest::{DeclaredRecord, InterestRecord, Lane, Slow};
pub use owner::Reach;
pub use record::{BadRecord, Record, RecordKey, SIGNED_AS, Signature};
pub use record_id::{BadRecordId, RecordId};
pub use registered::{Registered, Standing};
pub use service::{Right, ServiceRecord};
pub(crate) use snapshot::View;
pub use snapshot::{Instance, InstanceState, KnownNode, NodeState, Snapshot};
pub(crate) use spread::Spread;
pub use stats::Stats;
pub use voice::{Change, Input, Output, Role, Via};
pub use withdrawal::WITHDRAWN_AS;

use crate::authorize::Authorize;
use crate::crypto::Crypto;
use crate::id::{Epoch, NodeId};
use crate::limits::{CHUNK_MAX, GOSSIP_FANOUT, NODES_MAX, REGISTRY_DATAGRAM_MAX};
use crate::rng::Rng;
use crate::time::Time;
use bytes::Bytes;
use estate::Estate;
use followers::Followers;
use life::Departed;
use own::Own;
use owner::{Life, Owner};
use owners::Owners;
use peers::{Errand, Peers};
use rumours::Rumours;
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;

/// The registry of one node: a machine without a transport of its own.
#[derive(Debug)]
pub struct Registry {
    own: Own,
    part: Part,
    rng: Rng,
    owners: Owners,
    estate: Estate,
    rumours: Rumours,
    departed: Departed,
    peers: Peers,
    followers: Followers,
    view: View,
    outputs: VecDeque<Output>,
    stats: Stats,
}

/// The role, with what only it needs.
#[derive(Debug)]
enum Part {
    Member,
    Visitor {
        /// What was told of since the link to who told of it stands: what is not among it when that one has told all
        /// is not there any more.
        heard: BTreeMap<NodeId, Heard>,
        /// The lasting records that it wrote or ended: whom it is linked to is told. A part of the estate.
        handed: BTreeSet<RecordId>,
    },
}

/// What a visitor was told of by one member.
#[derive(Debug, Default)]
struct Heard {
    /// At most [`NODES_MAX`].
    owners: BTreeSet<NodeId>,
    /// At most [`LASTING_MAX`](crate::limits::LASTING_MAX).
    lasting: BTreeSet<RecordId>,
}

impl Heard {
    /// An owner more than a mesh has nodes is none of it.
    fn note_owner(&mut self, owner: NodeId) {
        if self.owners.len() < NODES_MAX {
            self.owners.insert(owner);
        }
    }
}

impl Registry {
    /// A registry that knows nothing yet.
    pub fn new(role: Role, me: NodeId, epoch: Epoch, rng: Rng, crypto: Arc<dyn Crypto>) -> Self {
        let part = match role {
            Role::Member => Part::Member,
            Role::Visitor => Part::Visitor { heard: BTreeMap::new(), handed: BTreeSet::new() },
        };
        let mut owners = Owners::default();
        if role == Role::Member {
            owners.insert(me, Owner::new(epoch));
        }
        Self {
            own: Own::new(me, epoch, crypto),
            part,
            rng,
            owners,
            estate: Estate::default(),
            rumours: Rumours::default(),
            departed: Departed::default(),
            peers: Peers::default(),
            followers: Followers::default(),
            view: View::default(),
            outputs: VecDeque::new(),
            stats: Stats::default(),
        }
    }

    /// From now on this says who may offer, listen to and publish what (decisions D10). A record of what may not be is
    /// kept and passed on like any other, since others may judge otherwise, but it is in no snapshot here.
    pub fn set_authorize(&mut self, authorize: Arc<dyn Authorize>) {
        self.own.authorize = authorize;
    }

    /// Who says so now.
    pub fn authorize(&self) -> Arc<dyn Authorize> {
        Arc::clone(&self.own.authorize)
    }

    /// Takes in what happened. Poll the outputs, the timeout and the snapshot afterwards.
    pub fn handle_input(&mut self, now: Time, input: Input<'_>) {
        match input {
            Input::Offer { key, body } if !body.is_empty() || !body.belongs_under(key) => {
                self.offer(now, key, body);
            }
            Input::Offer { key, .. } | Input::Withdraw { key } => self.withdraw(now, key),
            Input::Raise { epoch } => self.raise(now, epoch),
            Input::Reconsider => self.reconsider_all(),
            Input::Members(mut members) => {
                members.retain(|member| *member != self.own.id);
                members.sort_unstable();
                members.dedup();
                self.peers.set_members(members, now, &mut self.rng);
                self.ask_to_confirm(now);
            }
            Input::Message { from, via, bytes } => self.hear(now, (from, via), bytes),
            Input::Linked(node) => {
                self.peers.link(node);
                self.hand_in_all(node);
            }
            Input::LinkDown { node } => {
                self.peers.unlink(&node);
                self.followers.remove(&node);
                if let Part::Visitor { heard, .. } = &mut self.part {
                    heard.remove(&node);
                }
            }
            Input::SyncAsked { to, filter, follow } => {
                if follow {
                    self.followers.follow(to, filter.clone());
                }
                self.followers.sync(to, filter, now);
            }
            Input::Spread { token, key, until } => self.spread(now, (token, key), until),
            Input::Sample { token, key, until } => self.sample(now, (token, key), until),
            Input::SpreadOf { token, id, until } => {
                self.spread_of(now, (token, id), until);
            }
            Input::Free { token, id } => self.free(now, token, id),
            Input::Alone => self.view.set_synced(),
            Input::Alive { node, epoch } => self.alive(now, node, epoch),
            Input::Outlived { epoch } => self.seek_later_life(now, epoch),
            Input::Gone { node } => self.gone(now, node),
            Input::Left { node } => self.forget(now, node),
            Input::Reached { node, reach } => self.reached(node, reach),
        }
    }

    /// The next thing to be done or told; `None` when there is nothing more for now.
    pub fn poll_output(&mut self) -> Option<Output> {
        if self.outputs.is_empty() {
            self.continue_sync();
        }
        self.outputs.pop_front()
    }

    /// Does what is due. Early and repeated calls are harmless; late ones catch up.
    pub fn handle_timeout(&mut self, now: Time) {
        while let Some(node) = self.departed.leases.pop_due(now) {
            self.end_lifetimes(now, node);
        }
        self.departed.headstones.expire(now);
        if self.rumours.start_round(now) {
            self.gossip();
        }
        self.ask_to_confirm(now);
        while let Some((node, errand)) = self.peers.pop_errand(now, &mut self.rng) {
            match errand {
                Errand::Greet { .. } => self.greet(node),
                Errand::Compare => self.compare(node),
            }
        }
    }

    /// When to call [`handle_timeout`](Self::handle_timeout) next; `None`: not before the next input.
    pub fn poll_timeout(&self) -> Option<Time> {
        let due = [
            self.departed.leases.next(),
            self.departed.headstones.next(),
            self.rumours.next(),
            self.peers.next(),
        ];
        due.into_iter().flatten().min()
    }

    /// What the mesh looks like now. The same snapshot as before unless something changed. Poll the outputs afterwards:
    /// who confirms that it holds a record says so when it is shown.
    pub fn snapshot(&mut self) -> Arc<Snapshot> {
        let snapshot = self.view.snapshot();
        self.outputs.extend(self.view.take_unsaid());
        snapshot
    }

    /// Whether [`snapshot`](Self::snapshot) would give a new one.
    pub const fn is_changed(&self) -> bool {
        self.view.is_stale()
    }

    /// All records that hold, in the order of owners and keys.
    pub fn records(&self) -> impl Iterator<Item = &Arc<Record>> {
        self.owners.iter().flat_map(|(_, owner)| live_records(owner))
    }

    /// The records of one owner that hold, in the order of their keys.
    pub fn records_of(&self, owner: &NodeId) -> impl Iterator<Item = &Arc<Record>> {
        self.owners.of(owner).into_iter().flat_map(live_records)
    }

    /// Whether a node is held gone and lives on by its lease only.
    pub fn is_gone(&self, node: &NodeId) -> bool {
        self.owners.of(node).is_some_and(|owner| owner.life == Life::Gone)
    }

    /// The latest life of a node that is known here, the forgotten included; what A10's first question asks for.
    pub fn epoch_of(&self, node: &NodeId) -> Option<Epoch> {
        let present = self.owners.of(node).map(|owner| owner.epoch);
        present.max(self.departed.headstones.epoch(node))
    }

    /// The bytes of the node record of the latest life that is known of a node, the forgotten included.
    pub(crate) fn node_record(&self, node: &NodeId) -> Option<&Bytes> {
        let present = self.owners.of(node).and_then(|owner| owner.held(RecordKey::NODE));
        present.map(|held| &held.bytes).or_else(|| self.departed.headstones.record(node))
    }

    /// Whether these bytes are a record of this node in a later life than its present one, vouched for where records are
    /// signed; which life that is.
    pub(crate) fn later_life_in(&self, bytes: &[u8]) -> Option<Epoch> {
        let record = Record::decode(bytes).ok()?;
        let is_vouched_for =
            !self.own.signs || record::is_vouched_for(&record, bytes, &*self.own.crypto);
        let is_later = record.owner == self.own.id && self.own.is_outlived_by(record.epoch);
        (is_vouched_for && is_later).then_some(record.epoch)
    }

    /// Whether records are signed in this mesh.
    pub(crate) const fn signs(&self) -> bool {
        self.own.signs
    }

    /// What was dropped of what peers sent.
    pub const fn stats(&self) -> Stats {
        self.stats
    }

    /// One number over all that is compared with other members: equal means that both know the same.
    pub fn hash(&self) -> u64 {
        self.owners.sums().hash() ^ self.estate.hash()
    }

    fn gossip(&mut self) {
        let enough = rumours::enough(self.peers.len());
        for member in self.peers.audience(&self.own.id, GOSSIP_FANOUT, &mut self.rng) {
            let Some(bytes) = self.rumours.tell(&[message::RUMOURS], enough) else { return };
            self.send((member, self.peers.via(&member)), bytes);
        }
    }

    const fn role(&self) -> Role {
        match self.part {
            Part::Member => Role::Member,
            Part::Visitor { .. } => Role::Visitor,
        }
    }

    /// Says this when all that is known now is shown: at once, or with the next snapshot.
    fn say_when_shown(&mut self, output: Output) {
        if self.view.is_stale() {
            self.view.say_with_next(output);
        } else {
            self.outputs.push_back(output);
        }
    }

    fn send(&mut self, (to, via): (NodeId, Via), bytes: Vec<u8>) {
        self.outputs.push_back(Output::Send { to, via, bytes });
    }

    fn send_all(&mut self, peer: (NodeId, Via), messages: Vec<Vec<u8>>) {
        for bytes in messages {
            self.send(peer, bytes);
        }
    }
}

/// Bytes of a message that travels this way.
const fn message_max(via: Via) -> usize {
    match via {
        Via::Datagram => REGISTRY_DATAGRAM_MAX,
        Via::Link => CHUNK_MAX,
    }
}

fn live_records(owner: &Owner) -> impl Iterator<Item = &Arc<Record>> {
    owner.records().map(|held| &held.record).filter(|record| record.body.is_live())
}
