//! When is a record taken in, and who has to know?

use super::audience::{Listener, Publisher};
use super::body::Body;
use super::message::{WANT, Wanted};
use super::owner::{Held, Life, Owner, Reach, Refusal};
use super::record::{BadRecord, Head, Record, RecordKey, is_vouched_for};
use super::snapshot::{Instance, KnownNode, NodeState, instance_state};
use super::voice::{Change, Output, Via};
use super::{Part, Registry};
use crate::id::{Epoch, NodeId};
use crate::limits::GOSSIP_FANOUT;
use crate::talk::{Code, Status};
use crate::time::Time;
use bytes::Bytes;
use std::sync::Arc;

impl Registry {
    /// Takes in a record from a peer, or counts why not.
    pub(super) fn hear_record(&mut self, now: Time, from: NodeId, bytes: &[u8]) {
        let head = match Head::read(bytes) {
            Ok((head, _)) => head,
            Err(bad) => return self.count_bad(&bad),
        };
        let is_own = head.owner == self.own.id;
        let is_news = if is_own {
            self.own.is_behind(head.epoch, head.version)
        } else {
            self.may_take(&head)
        };
        if !is_news {
            return;
        }
        let record = match Record::decode(bytes) {
            Ok(record) => record,
            Err(bad) => return self.count_bad(&bad),
        };
        if self.own.signs && !is_vouched_for(&record, bytes, &*self.own.crypto) {
            return self.stats.forged += 1;
        }
        if is_own {
            return self.meet_own(from, head.epoch, head.version);
        }
        self.begin_life(now, &head);
        self.take(now, Held { record: Arc::new(record), bytes: Bytes::copy_from_slice(bytes) });
    }

    /// Takes a record in that may be taken: an own one, or one of a peer.
    pub(super) fn take(&mut self, now: Time, held: Held) {
        let (record, bytes) = (Arc::clone(&held.record), held.bytes.clone());
        let keeps_tombstones = matches!(self.part, Part::Member);
        let before = self.owners.change(&record.owner, |owner| {
            let before = owner.take(held);
            if !keeps_tombstones && !record.body.is_live() {
                owner.remove(record.key);
            }
            before
        });
        let Some(Ok(before)) = before else { return };
        let before = before.map(|held| held.record);
        if keeps_tombstones && self.peers.len() > 0 {
            self.rumours.push((record.owner, record.key), bytes.clone(), now);
        }
        self.tell_followers(before.as_deref(), &record, &bytes);
        self.tell(before, Some(record));
    }

    /// What a record is replaced by, or that it is gone: told to the program, and shown in the next snapshot.
    pub(super) fn tell(&mut self, before: Option<Arc<Record>>, after: Option<Arc<Record>>) {
        let token = before.as_deref().and_then(token_in).map(str::to_owned);
        let before = before.filter(|record| self.hide(record));
        if let Some(record) = &after {
            self.show(&record.owner, Some(record.key));
        }
        let after = after.filter(|record| record.body.is_live() && self.shows(record));
        let renewed = after.as_deref().filter(|record| token_in(record) != token.as_deref());
        let renewed = renewed.map(|record| record.owner);
        let change = match (before, after) {
            (_, Some(record)) if matches!(record.body, Body::Node(_)) => Change::Node(record),
            (None, Some(record)) if is_offer(&record) => Change::Offered(record),
            (Some(_), Some(record)) if is_offer(&record) => Change::Updated(record),
            (Some(record), None) if is_offer(&record) => Change::Withdrawn(record),
            (Some(_) | None, Some(_) | None) => return,
        };
        self.outputs.push_back(Output::Changed(change));
        if let Some(owner) = renewed {
            self.reconsider(&owner);
        }
    }

    /// Asks again who may do what.
    pub(super) fn reconsider_all(&mut self) {
        let owners: Vec<NodeId> = self.owners.iter().map(|(id, _)| *id).collect();
        for owner in &owners {
            self.reconsider(owner);
        }
    }

    /// Asks again what an owner may do of what its records say.
    fn reconsider(&mut self, id: &NodeId) {
        let Some(owner) = self.owners.of(id) else { return };
        let records = owner.records().map(|held| Arc::clone(&held.record));
        let judged: Vec<Arc<Record>> =
            records.filter(|record| !matches!(record.body, Body::Node(_))).collect();
        for record in judged {
            let was_shown = self.shows(&record);
            self.show(id, Some(record.key));
            let change = match (was_shown, self.shows(&record)) {
                (false, true) if is_offer(&record) => Change::Offered(record),
                (true, false) if is_offer(&record) => Change::Withdrawn(record),
                (_, _) => continue,
            };
            self.outputs.push_back(Output::Changed(change));
        }
    }

    /// Puts into the next snapshot what is held of an owner: one record, or all of them. What it may not do is not in it.
    pub(super) fn show(&mut self, id: &NodeId, key: Option<RecordKey>) {
        let Some(owner) = self.owners.of(id) else { return };
        let until = self.leases.until(id);
        let (epoch, reach) = (owner.epoch, reach(owner));
        let token = owner.held(RecordKey::NODE).and_then(|held| token_in(&held.record));
        let one = key.and_then(|key| owner.held(key));
        let all = key.is_none().then(|| owner.records());
        for held in one.into_iter().chain(all.into_iter().flatten()) {
            match &held.record.body {
                Body::Offer(offer) if !self.own.may_offer((*id, token), offer) => {
                    self.view.remove(offer, (*id, held.record.key));
                    self.stats.refused += 1;
                }
                Body::Offer(offer) => self.view.put(Instance {
                    node: *id,
                    epoch,
                    key: held.record.key,
                    offer: Arc::clone(offer),
                    state: instance_state(offer, reach),
                }),
                Body::Node(node) => self.view.put_node(KnownNode {
                    id: *id,
                    epoch,
                    record: Arc::clone(node),
                    state: match owner.life {
                        Life::Alive => NodeState::Alive,
                        Life::Gone => NodeState::Gone { until: until.unwrap_or(Time::MAX) },
                    },
                }),
                Body::Interest(interest) => {
                    let lanes = self.own.allowed_lanes((*id, token), interest);
                    self.stats.refused += u64::from(*lanes != *interest.lanes);
                    self.view.audience.listen(Listener { node: *id, epoch, lanes, reach });
                }
                Body::Declared(declared) => {
                    let topics = self.own.allowed_topics((*id, token), declared);
                    self.stats.refused += u64::from(topics.len() < declared.topics.len());
                    self.view.audience.declare(Publisher { node: *id, epoch, topics, reach });
                }
                Body::Tombstone => {}
            }
        }
    }

    /// A peer says of this node what it may not have written. Where records are signed that alone is nothing: the peer
    /// is asked for the record, or for that of the node where it told of no other.
    pub(super) fn hear_of_self(
        &mut self,
        peer: (NodeId, Via),
        epoch: Epoch,
        listed: &[(RecordKey, u64)],
    ) {
        let highest = listed.iter().map(|(_, version)| *version).max().unwrap_or(0);
        if !self.own.signs {
            return self.meet_own(peer.0, epoch, highest);
        }
        let is_later = self.own.is_outlived_by(epoch);
        let news = listed.iter().filter(|(_, version)| self.own.is_behind(epoch, *version));
        let first = news.map(|(key, _)| *key).next();
        if is_later || (epoch == self.own.epoch && first.is_some()) {
            self.ask_for_own(peer, epoch, first.unwrap_or(RecordKey::NODE));
        }
    }

    /// Somebody says that there is a later life of this node: if there is, those linked have its record.
    pub(super) fn seek_later_life(&mut self, now: Time, epoch: Epoch) {
        if !self.own.signs {
            return self.meet_own(self.own.id, epoch, 0);
        }
        if self.own.is_outlived_by(epoch) && self.own.may_ask(now) {
            // Not by datagrams, which would be answered to where the other is.
            for linked in self.peers.pick_linked(GOSSIP_FANOUT, &mut self.rng) {
                self.ask_for_own((linked, Via::Link), epoch, RecordKey::NODE);
            }
        }
    }

    fn ask_for_own(&mut self, peer: (NodeId, Via), epoch: Epoch, key: RecordKey) {
        let mut bytes = vec![WANT];
        Wanted { owner: self.own.id, epoch, keys: vec![key] }.encode(&mut bytes);
        self.send(peer, bytes);
    }

    /// A later life of its owner than the present one is vouched for by this record: nothing holds of those before.
    fn begin_life(&mut self, now: Time, head: &Head) {
        let Some(before) = self.owners.of(&head.owner).filter(|owner| owner.epoch != head.epoch)
        else {
            return;
        };
        let life = before.life;
        let mut later = Owner::new(head.epoch);
        later.life = life;
        self.replace(&head.owner, later);
        if matches!(self.part, Part::Member) {
            self.peers.await_records(head.owner, now, &mut self.rng);
        }
    }

    /// This node was met in a life, or at a version, that it may not have written.
    fn meet_own(&mut self, from: NodeId, epoch: Epoch, version: u64) {
        if matches!(self.part, Part::Member) && self.own.is_disputed_by(epoch, version) {
            let (id, own) = (self.own.id, self.own.epoch);
            let why = format!(
                "this identity runs elsewhere: {from} knows {id} with epoch {epoch} and version {version}, \
                 which is not from here (epoch {own})"
            );
            let status = Status::not_started(Code::AlreadyExists, why);
            self.outputs.push_back(Output::Disputed { known: epoch, status });
        }
    }

    /// Takes a record out of the next snapshot; whether it was in it.
    fn hide(&mut self, record: &Record) -> bool {
        match &record.body {
            Body::Offer(offer) => self.view.remove(offer, (record.owner, record.key)),
            Body::Node(_) => self.view.remove_node(&record.owner),
            Body::Interest(_) => self.view.audience.listeners.remove(&record.owner),
            Body::Declared(_) => self.view.audience.publishers.remove(&record.owner),
            Body::Tombstone => false,
        }
    }

    fn shows(&self, record: &Record) -> bool {
        match &record.body {
            Body::Offer(offer) => self.view.has(offer, (record.owner, record.key)),
            Body::Node(_) => true,
            Body::Interest(_) => self.view.audience.listeners.has(&record.owner),
            Body::Declared(_) => self.view.audience.publishers.has(&record.owner),
            Body::Tombstone => false,
        }
    }

    fn may_take(&mut self, head: &Head) -> bool {
        let takes_gone = matches!(self.part, Part::Visitor { .. });
        let owner = self.owners.of(&head.owner);
        let Some(owner) = owner.filter(|owner| takes_gone || owner.life == Life::Alive) else {
            self.stats.not_alive += 1;
            return false;
        };
        let is_proven_later = self.own.signs && owner.is_outlived_by(head.epoch);
        if owner.epoch != head.epoch && !is_proven_later {
            self.stats.other_epoch += 1;
            return false;
        }
        if is_proven_later {
            return true;
        }
        let count = match owner.refusal(head.key, head.version) {
            Some(Refusal::Known) => &mut self.stats.known,
            Some(Refusal::Full) => &mut self.stats.full,
            None if self.owners.is_full() && owner.held(head.key).is_none() => &mut self.stats.full,
            None => return true,
        };
        *count += 1;
        false
    }

    fn count_bad(&mut self, bad: &BadRecord) {
        match bad {
            BadRecord::Malformed(_) => self.stats.malformed += 1,
            BadRecord::Newer(_) => self.stats.unknown += 1,
        }
    }
}

/// The token with which a node does what its records say, if the record is a node's and has one.
fn token_in(record: &Record) -> Option<&str> {
    match &record.body {
        Body::Node(node) => node.token.as_deref(),
        Body::Offer(_) | Body::Interest(_) | Body::Declared(_) | Body::Tombstone => None,
    }
}

fn is_offer(record: &Record) -> bool {
    matches!(record.body, Body::Offer(_))
}

/// Whether an owner can be talked to: who is gone cannot.
fn reach(owner: &Owner) -> Reach {
    match owner.life {
        Life::Alive => owner.reach,
        Life::Gone => Reach::Unreachable,
    }
}
