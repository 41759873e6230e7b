//! When is a lasting record, or its end, taken in, and who has to know?
//!
//! Where records are signed: a record on its owner's signature, whether the owner is known or lives or not; a
//! withdrawal on that of the right which the record names. Where they are not, on anybody's word.

use super::estate::{Lasting, Rank, State, Taken};
use super::message::{RECORDS, RUMOURS};
use super::owner::{Held, Refusal};
use super::record::{Head, Record, is_vouched_for};
use super::record_id::RecordId;
use super::registered::Standing;
use super::rumours::About;
use super::service::{Right, ServiceRecord};
use super::show::{changes, token_in};
use super::voice::{Output, Via};
use super::withdrawal::{Withdrawal, withdrawn_bytes};
use super::{Body, Part, RecordKey, Registry};
use crate::id::NodeId;
use crate::limits::{LASTING_MAX, RECORD_MAX};
use crate::talk::{Code, Status};
use crate::time::Time;
use crate::wire::put_bytes;
use bytes::Bytes;
use std::collections::BTreeSet;
use std::sync::Arc;

impl Registry {
    /// Takes in a lasting record from a peer, or counts why not.
    pub(super) fn hear_lasting(&mut self, now: Time, from: NodeId, bytes: &[u8]) {
        let Some(record) = self.believe(from, bytes, State::Holds) else { return };
        let (id, bytes) = (record.id(), Bytes::copy_from_slice(bytes));
        self.take_lasting(now, Lasting { state: State::Holds, record, bytes });
        self.note_told(from, id);
    }

    /// Takes in the end of one, or counts why not.
    pub(super) fn hear_withdrawal(&mut self, now: Time, from: NodeId, bytes: &[u8]) {
        let Ok(withdrawal) = Withdrawal::decode(bytes) else { return self.stats.malformed += 1 };
        let Some(record) = self.believe(from, withdrawal.record, State::Withdrawn) else { return };
        if !self.may_end(&record, &withdrawal) {
            return self.stats.forged += 1;
        }
        let (id, bytes) = (record.id(), Bytes::copy_from_slice(bytes));
        self.take_lasting(now, Lasting { state: State::Withdrawn, record, bytes });
        self.note_told(from, id);
    }

    /// Reads a lasting record if it, or its end, is news and its owner wrote it; else counts why not.
    fn believe(&mut self, from: NodeId, bytes: &[u8], state: State) -> Option<Arc<Record>> {
        let head = self.readable(Head::read(bytes).map(|(head, _)| head))?;
        let rank = Rank { state, version: head.version };
        if let Some(refusal) = self.estate.refusal(&head.id(), rank) {
            match refusal {
                Refusal::Known => {
                    self.stats.known += 1;
                    self.note_told(from, head.id());
                }
                Refusal::Full => self.stats.full += 1,
            }
            return None;
        }
        let record = self.readable(Record::decode(bytes))?;
        if record.right().is_none() || bytes.len() + Withdrawal::ROOM > RECORD_MAX {
            self.stats.malformed += 1;
            return None;
        }
        if self.own.signs && !is_vouched_for(&record, bytes, &*self.own.crypto) {
            self.stats.forged += 1;
            return None;
        }
        if head.owner == self.own.id && self.own.is_behind(head.epoch, head.version) {
            self.meet_own(from, head.epoch, head.version);
            return None;
        }
        Some(Arc::new(record))
    }

    /// Whether whoever wrote this withdrawal has the right to.
    fn may_end(&self, record: &Record, withdrawal: &Withdrawal<'_>) -> bool {
        match record.right() {
            Some(Right::Key(key)) if self.own.signs => {
                let signed = withdrawn_bytes(withdrawal.record);
                let is_true =
                    |signature: [u8; 64]| self.own.crypto.verify(&key, &signed, &signature);
                withdrawal.signature.is_some_and(is_true)
            }
            Some(Right::Key(_) | Right::Anybody) => true,
            None => false,
        }
    }

    /// Takes in what may be taken: what this node says, or a peer.
    fn take_lasting(&mut self, now: Time, lasting: Lasting) {
        let (record, bytes) = (Arc::clone(&lasting.record), lasting.bytes.clone());
        let id = record.id();
        let Ok(Taken { before, ousted }) = self.estate.take(lasting) else { return };
        if matches!(self.part, Part::Member) && self.peers.len() > 0 {
            self.rumours.push(About::Lasting(id), bytes.clone(), now);
        }
        let replaced = before.as_ref().map(|before| &*before.record);
        let wanting = self.followers.wanting(|filter| {
            filter.wants(&record) || replaced.is_some_and(|before| filter.wants(before))
        });
        for peer in wanting {
            self.send((peer, Via::Link), one(RECORDS, &bytes));
        }
        self.tell_lasting(id, before.as_ref());
        if let Some(ousted) = ousted {
            self.stats.full += 1;
            self.forgot_lasting(&ousted);
        }
    }

    /// A visitor was told of a lasting record that it holds now.
    fn note_told(&mut self, from: NodeId, id: RecordId) {
        let is_held = self.estate.of(&id).is_some();
        if let Part::Visitor { heard, .. } = &mut self.part {
            let told = &mut heard.entry(from).or_default().lasting;
            if is_held && told.len() < LASTING_MAX {
                told.insert(id);
            }
        }
    }

    /// A visitor was told everything, and this was all that lasts: forgets the rest, but for what it handed in itself.
    pub(super) fn forget_lasting_but(&mut self, told: &BTreeSet<RecordId>) {
        let Part::Visitor { handed, .. } = &self.part else { return };
        let held = self.estate.iter().map(|(id, _)| *id);
        let silent: Vec<_> = held.filter(|id| !told.contains(id) && !handed.contains(id)).collect();
        for id in silent {
            if let Some(lasting) = self.estate.remove(&id) {
                self.forgot_lasting(&lasting);
            }
        }
    }

    /// A lasting record is not held any more.
    fn forgot_lasting(&mut self, lasting: &Lasting) {
        let id = lasting.record.id();
        if let Part::Visitor { handed, .. } = &mut self.part {
            handed.remove(&id);
        }
        self.tell_lasting(id, Some(lasting));
    }

    /// Tells the program of a lasting record that is there now, and what was there before.
    fn tell_lasting(&mut self, id: RecordId, before: Option<&Lasting>) {
        let before = before.and_then(Lasting::holding);
        let before = before.filter(|(_, service)| self.view.registered.remove(id, service));
        let before = before.map(|(record, _)| Arc::clone(record));
        let after = self.show_lasting(id);
        self.outputs.extend(changes(before, after).map(Output::Changed));
    }

    /// Puts a lasting record into the next snapshot if it holds and may be there; gives it then.
    pub(super) fn show_lasting(&mut self, id: RecordId) -> Option<Arc<Record>> {
        let (record, service) = self.estate.of(&id)?.holding()?;
        let token = self.token_of(&id.owner);
        let may = self.own.may_register((id.owner, token.as_deref()), service);
        self.view.registered.set(id, service, (may, Standing::Lasting));
        self.stats.refused += u64::from(!may);
        may.then(|| Arc::clone(record))
    }

    /// The last token that is known of a node, for as long as its headstone stands.
    fn token_of(&self, node: &NodeId) -> Option<String> {
        if let Some(held) = self.owners.of(node).and_then(|owner| owner.held(RecordKey::NODE)) {
            return token_in(&held.record).map(str::to_owned);
        }
        let last = Record::decode(self.departed.headstones.record(node)?).ok()?;
        token_in(&last).map(str::to_owned)
    }

    /// Asks again whether lasting records may be shown: those of an owner, or all.
    pub(super) fn reconsider_lasting(&mut self, owner: Option<&NodeId>) {
        let held =
            self.estate.iter().filter(|(id, _)| owner.is_none_or(|owner| id.owner == *owner));
        for id in held.map(|(id, _)| *id).collect::<Vec<_>>() {
            let Some((record, service)) = self.estate.of(&id).and_then(Lasting::holding) else {
                continue;
            };
            let was_shown = self.view.registered.has(id, service);
            let before = Some(Arc::clone(record)).filter(|_| was_shown);
            let after = self.show_lasting(id);
            if before.is_some() != after.is_some() {
                self.outputs.extend(changes(before, after).map(Output::Changed));
            }
        }
    }

    /// Registers a service that lasts, or registers it anew.
    pub(super) fn register_lasting(
        &mut self,
        now: Time,
        key: RecordKey,
        body: Body,
    ) -> Result<(), Status> {
        let id = RecordId { owner: self.own.id, epoch: self.own.epoch, key };
        if let (Some(held), Body::Service(service)) = (self.estate.of(&id), &body) {
            match held.holding() {
                Some((_, before)) if before.says_as(service) => return Ok(()),
                Some(_) => {}
                None => {
                    let why =
                        format!("the record {id} was ended and does not return: use another key");
                    return Err(Status::not_started(Code::FailedPrecondition, why));
                }
            }
        } else if self.estate.is_full() {
            let why = format!(
                "a mesh has at most {LASTING_MAX} lasting records, those that were ended included"
            );
            return Err(Status::not_started(Code::ResourceExhausted, why));
        }
        let noun = body.noun();
        let Some(Held { record, bytes }) = self.own.write(key, body) else {
            let why = format!(
                "the {noun} is too large: one that lasts has at most {} bytes, signature included",
                RECORD_MAX - Withdrawal::ROOM
            );
            return Err(Status::not_started(Code::ResourceExhausted, why));
        };
        self.withdraw_ordinary(now, key);
        self.take_lasting(now, Lasting { state: State::Holds, record, bytes });
        self.hand_in(id);
        Ok(())
    }

    /// Ends a lasting record.
    pub(super) fn end_lasting(
        &mut self,
        now: Time,
        id: RecordId,
    ) -> Result<Arc<ServiceRecord>, Status> {
        let Some((held, service)) = self.estate.of(&id).and_then(Lasting::holding) else {
            let why = format!("no service is registered as {id}");
            return Err(Status::not_started(Code::NotFound, why));
        };
        let (record, service) = (Arc::clone(held), Arc::clone(service));
        let target = self.estate.of(&id).map(|held| held.bytes.clone()).unwrap_or_default();
        let crypto = &self.own.crypto;
        let signature = match service.lasting {
            Some(Right::Key(key)) if self.own.signs => {
                if key != crypto.public_key() {
                    let why =
                        format!("this node does not hold the key that may end the record {id}");
                    return Err(Status::not_started(Code::PermissionDenied, why));
                }
                crypto.sign(&withdrawn_bytes(&target))
            }
            Some(Right::Key(_) | Right::Anybody) | None => None,
        };
        let bytes = Withdrawal { record: &target, signature }.encode().into();
        self.take_lasting(now, Lasting { state: State::Withdrawn, record, bytes });
        self.hand_in(id);
        Ok(service)
    }

    /// A visitor gives what it wrote to those it is linked to, and to those it will be.
    fn hand_in(&mut self, id: RecordId) {
        let Part::Visitor { handed, .. } = &mut self.part else { return };
        handed.insert(id);
        for peer in self.peers.linked().collect::<Vec<_>>() {
            self.hand_to(peer, &[id]);
        }
    }

    /// A visitor has another link: what it wrote goes there, too.
    pub(super) fn hand_in_all(&mut self, peer: NodeId) {
        if let Part::Visitor { handed, .. } = &self.part {
            let handed: Vec<RecordId> = handed.iter().copied().collect();
            self.hand_to(peer, &handed);
        }
    }

    fn hand_to(&mut self, peer: NodeId, ids: &[RecordId]) {
        for id in ids {
            let Some(lasting) = self.estate.of(id) else { continue };
            let bytes = one(RUMOURS, &lasting.bytes);
            self.send((peer, Via::Link), bytes);
        }
    }

    /// Takes over all lasting records from a registry of the same node in an earlier life.
    pub(crate) fn inherit(&mut self, from: &mut Self) {
        self.estate = std::mem::take(&mut from.estate);
        if let (Part::Visitor { handed, .. }, Part::Visitor { handed: before, .. }) =
            (&mut self.part, &mut from.part)
        {
            handed.append(before);
        }
        for id in self.estate.iter().map(|(id, _)| *id).collect::<Vec<_>>() {
            self.show_lasting(id);
        }
    }
}

/// A message with one record.
fn one(kind: u8, record: &[u8]) -> Vec<u8> {
    let mut message = vec![kind];
    put_bytes(&mut message, record);
    message
}
