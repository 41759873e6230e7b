//! What may this node say of itself?

use super::body::Body;
use super::owner::Owner;
use super::record::RecordKey;
use super::record_id::RecordId;
use super::service::ServiceRecord;
use super::voice::Output;
use super::{Registry, live_records};
use crate::id::Epoch;
use crate::limits::{OFFERS_MAX, RECORD_MAX};
use crate::talk::{Code, Status};
use crate::time::Time;
use std::sync::Arc;

impl Registry {
    /// Writes an own record, or writes it anew; or says why not.
    pub(super) fn offer(&mut self, now: Time, key: RecordKey, body: Body) {
        if let Some((code, why)) = self.objection(key, &body) {
            let status = Status::not_started(code, why);
            return self.outputs.push_back(Output::Refused { key, status });
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
        let Some(own) = self.owners.of(&self.own.id) else {
            return Some((
                Code::FailedPrecondition,
                "a visitor offers nothing, and listens to nothing: join as a member".into(),
            ));
        };
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
        let bound = key.is_for_offers().then(|| broken_count(own, key)).flatten();
        bound.map(|why| (Code::ResourceExhausted, why))
    }

    /// An own record holds no longer.
    pub(super) fn withdraw(&mut self, now: Time, key: RecordKey) {
        let held = self.owners.of(&self.own.id).and_then(|own| own.held(key));
        if held.is_some_and(|held| held.record.body.is_live()) {
            let tombstone = self.own.write(key, Body::Tombstone).expect("a tombstone is small");
            self.take(now, tombstone);
        }
    }

    /// A record of a service is to end; says whether it does.
    pub(super) fn free(&mut self, now: Time, token: u64, id: RecordId) {
        let outcome = self.end_own(now, id);
        self.outputs.push_back(Output::Freed { token, outcome });
    }

    fn end_own(&mut self, now: Time, id: RecordId) -> Result<Arc<ServiceRecord>, Status> {
        let owner = self.owners.of(&id.owner).filter(|owner| owner.epoch == id.epoch);
        let held = owner.and_then(|owner| owner.held(id.key)).map(|held| &held.record.body);
        let Some(Body::Service(service)) = held else {
            let why = format!("no service is registered as {id}");
            return Err(Status::not_started(Code::NotFound, why));
        };
        let service = Arc::clone(service);
        if id.owner != self.own.id {
            let why = format!(
                "only node {} can end the record {id}: it does not last without it",
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

/// Why an owner may not make one more offer under this key.
fn broken_count(own: &Owner, key: RecordKey) -> Option<String> {
    let is_new = own.held(key).is_none_or(|held| !held.record.body.is_live());
    if is_new && live_records(own).filter(|record| record.key.is_for_offers()).count() >= OFFERS_MAX
    {
        return Some(format!("a node has at most {OFFERS_MAX} offers and services"));
    }
    let used = own.records().filter(|held| held.record.key.is_for_offers()).count();
    (own.held(key).is_none() && used >= OFFERS_MAX).then(|| {
        format!(
            "a node uses at most {OFFERS_MAX} keys in one life: use those of withdrawn offers again"
        )
    })
}
