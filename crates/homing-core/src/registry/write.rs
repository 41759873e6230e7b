//! What may this node say of itself?

use super::body::Body;
use super::estate::Lasting;
use super::owner::Owner;
use super::record::RecordKey;
use super::record_id::RecordId;
use super::service::ServiceRecord;
use super::voice::Output;
use super::{Part, Registry, live_records};
use crate::id::Epoch;
use crate::limits::{OFFERS_MAX, RECORD_MAX};
use crate::talk::{Code, Status};
use crate::time::Time;
use std::collections::BTreeMap;
use std::sync::Arc;

impl Registry {
    /// Writes an own record, or writes it anew; or says why not.
    pub(super) fn offer(&mut self, now: Time, key: RecordKey, body: Body) {
        let lasts = matches!(&body, Body::Service(service) if service.lasting.is_some());
        if let Some((code, why)) = self.objection(key, &body) {
            let status = Status::not_started(code, why);
            return self.outputs.push_back(Output::Refused { key, status });
        }
        if lasts {
            let refused = self.register_lasting(now, key, body).err();
            return self.outputs.extend(refused.map(|status| Output::Refused { key, status }));
        }
        if self.says_already(key, &body) {
            return;
        }
        let noun = body.noun();
        if let Some(held) = self.own.write(key, body) {
            return self.take(now, held);
        }
        let why = format!(
            "the {noun} is too large: a record has at most {RECORD_MAX} bytes, signature included"
        );
        let status = Status::not_started(Code::ResourceExhausted, why);
        self.outputs.push_back(Output::Refused { key, status });
    }

    /// Whether an own record says this already: those of topics are set as a whole, and often to what they are, and
    /// services are registered again and again.
    fn says_already(&self, key: RecordKey, body: &Body) -> bool {
        let held = self.owners.of(&self.own.id).and_then(|own| own.held(key));
        held.is_some_and(|held| match (&held.record.body, body) {
            (Body::Service(before), Body::Service(service)) => before.says_as(service),
            (before, Body::Interest(_) | Body::Declared(_)) => before == body,
            _ => false,
        })
    }

    /// Why an own record may not be written, its size aside.
    fn objection(&self, key: RecordKey, body: &Body) -> Option<(Code, String)> {
        let lasts = matches!(body, Body::Service(service) if service.lasting.is_some());
        if matches!(self.part, Part::Visitor { .. }) && !lasts {
            return Some((
                Code::FailedPrecondition,
                "a visitor offers and wants nothing, and registers only what lasts: join as a member".into(),
            ));
        }
        if !body.belongs_under(key) {
            let why = format!(
                "key 0 is for the node record, the last two are for topics and all others for offers and services: no {} under key {}",
                body.noun(),
                key.0
            );
            return Some((Code::InvalidArgument, why));
        }
        if let Some(bound) = body.broken_bound() {
            let why = format!("the {} has {bound}", body.noun());
            return Some((Code::ResourceExhausted, why));
        }
        let id = RecordId { owner: self.own.id, epoch: self.own.epoch, key };
        if !lasts && self.estate.of(&id).and_then(Lasting::holding).is_some() {
            let why =
                format!("a service that lasts is registered under key {}: end it first", key.0);
            return Some((Code::FailedPrecondition, why));
        }
        let bound = key.is_for_offers().then(|| self.broken_count(key)).flatten();
        bound.map(|why| (Code::ResourceExhausted, why))
    }

    /// Why this node may not tell of one more offer or service under this key.
    fn broken_count(&self, key: RecordKey) -> Option<String> {
        let own = self.owners.of(&self.own.id);
        let mut keys: BTreeMap<RecordKey, bool> = own
            .into_iter()
            .flat_map(Owner::records)
            .map(|held| (held.record.key, held.record.body.is_live()))
            .filter(|(key, _)| key.is_for_offers())
            .collect();
        let epoch = self.own.epoch;
        for (id, lasting) in self.estate.by(self.own.id).filter(|(id, _)| id.epoch == epoch) {
            *keys.entry(id.key).or_default() |= lasting.holding().is_some();
        }
        let is_live = keys.get(&key).copied();
        let live = keys.values().filter(|is_live| **is_live).count();
        if is_live != Some(true) && live >= OFFERS_MAX {
            return Some(format!("a node has at most {OFFERS_MAX} offers and services"));
        }
        (is_live.is_none() && keys.len() >= OFFERS_MAX).then(|| {
            format!(
                "a node uses at most {OFFERS_MAX} keys in one life: use those of withdrawn offers again"
            )
        })
    }

    /// An own record holds no longer.
    pub(super) fn withdraw(&mut self, now: Time, key: RecordKey) {
        if self.withdraw_ordinary(now, key) {
            return;
        }
        let mut written = self.estate.by(self.own.id).rev();
        let latest = written.find(|(id, lasting)| id.key == key && lasting.holding().is_some());
        let latest = latest.map(|(id, _)| *id);
        drop(written);
        if let Some(id) = latest
            && let Err(status) = self.end_lasting(now, id)
        {
            self.outputs.push_back(Output::Refused { key, status });
        }
    }

    /// The same of one that does not last; whether there was one.
    pub(super) fn withdraw_ordinary(&mut self, now: Time, key: RecordKey) -> bool {
        let held = self.owners.of(&self.own.id).and_then(|own| own.held(key));
        let is_live = held.is_some_and(|held| held.record.body.is_live());
        if is_live {
            let tombstone = self.own.write(key, Body::Tombstone).expect("a tombstone is small");
            self.take(now, tombstone);
        }
        is_live
    }

    /// A record of a service is to end; says whether it does.
    pub(super) fn free(&mut self, now: Time, token: u64, id: RecordId) {
        let outcome = self.end_own(now, id);
        self.outputs.push_back(Output::Freed { token, outcome });
    }

    fn end_own(&mut self, now: Time, id: RecordId) -> Result<Arc<ServiceRecord>, Status> {
        let owner = self.owners.of(&id.owner).filter(|owner| owner.epoch == id.epoch);
        let held = owner.and_then(|owner| owner.held(id.key)).map(|held| &held.record.body);
        let Some(Body::Service(service)) = held else { return self.end_lasting(now, id) };
        let service = Arc::clone(service);
        if id.owner != self.own.id {
            let why = format!(
                "only node {} can end the record {id}: it is not persistent, and ends with that node",
                id.owner
            );
            return Err(Status::not_started(Code::PermissionDenied, why));
        }
        self.withdraw(now, id.key);
        Ok(service)
    }

    /// Begins a later life, in which all is said again.
    pub(super) fn raise(&mut self, now: Time, epoch: Epoch) {
        if epoch <= self.own.epoch {
            return;
        }
        self.own.raise(epoch);
        let ended = self.give_up_spreads();
        self.outputs.extend(ended.into_iter().map(Output::from));
        let Some(before) = self.owners.remove(&self.own.id) else { return };
        self.owners.insert(self.own.id, Owner::new(epoch));
        for record in live_records(&before) {
            self.offer(now, record.key, record.body.clone());
        }
    }
}
