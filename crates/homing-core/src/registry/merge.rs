//! When is a record taken in, and who has to know?

use super::body::Body;
use super::message::{WANT, Wanted};
use super::owner::{Held, Life, Owner, Refusal};
use super::record::{BadRecord, Head, Record, RecordKey, is_vouched_for};
use super::rumours::About;
use super::voice::{Output, Via};
use super::withdrawal::Withdrawal;
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
        if Withdrawal::is_one(bytes) {
            return self.hear_withdrawal(now, from, bytes);
        }
        let Some((head, rest)) = self.readable(Head::read(bytes)) else { return };
        if Body::lasts_in(rest.rest()) {
            return self.hear_lasting(now, from, bytes);
        }
        let is_own = head.owner == self.own.id;
        let is_news = if is_own {
            self.own.is_behind(head.epoch, head.version)
        } else {
            self.may_take(&head)
        };
        if !is_news {
            return;
        }
        let Some(record) = self.readable(Record::decode(bytes)) else { return };
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
            self.rumours.push(About::Record(record.owner, record.key), bytes.clone(), now);
        }
        self.tell_followers(before.as_deref(), &record, &bytes);
        let owner = record.owner;
        self.tell(before, Some(record));
        if self.departed.leases.end(&owner).is_some() {
            // A visitor hears of the records of those who are gone.
            self.plan_end(&owner);
            self.show(&owner, Some(RecordKey::NODE));
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
    pub(super) fn meet_own(&mut self, from: NodeId, epoch: Epoch, version: u64) {
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

    /// What was read; counts why nothing was.
    pub(super) fn readable<T>(&mut self, read: Result<T, BadRecord>) -> Option<T> {
        match &read {
            Ok(_) => {}
            Err(BadRecord::Malformed(_)) => self.stats.malformed += 1,
            Err(BadRecord::Newer(_)) => self.stats.unknown += 1,
        }
        read.ok()
    }
}
