//! What of the records does the program see, and what is it told when they change?

use super::Registry;
use super::audience::{Listener, Publisher};
use super::body::Body;
use super::lease::end_of;
use super::owner::{Life, Owner, Reach};
use super::record::{Record, RecordKey};
use super::registered::Standing;
use super::service::ServiceRecord;
use super::snapshot::{Instance, KnownNode, NodeState, instance_state};
use super::voice::{Change, Output};
use crate::id::NodeId;
use crate::time::Time;
use std::sync::Arc;

impl Registry {
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
        self.outputs.extend(changes(before, after).map(Output::Changed));
        if let Some(owner) = renewed {
            self.reconsider(&owner);
        }
    }

    /// Asks again who may do what.
    pub(super) fn reconsider_all(&mut self) {
        let owners: Vec<NodeId> = self.owners.iter().map(|(id, _)| *id).collect();
        for owner in &owners {
            self.reconsider_records(owner);
        }
        self.reconsider_lasting(None);
    }

    /// Asks again what an owner may do of what its records say.
    fn reconsider(&mut self, id: &NodeId) {
        self.reconsider_records(id);
        self.reconsider_lasting(Some(id));
    }

    fn reconsider_records(&mut self, id: &NodeId) {
        let Some(owner) = self.owners.of(id) else { return };
        let records = owner.records().map(|held| Arc::clone(&held.record));
        let judged: Vec<Arc<Record>> =
            records.filter(|record| !matches!(record.body, Body::Node(_))).collect();
        for record in judged {
            let was_shown = self.shows(&record);
            self.show(id, Some(record.key));
            let is_shown = self.shows(&record);
            if was_shown != is_shown {
                let (before, after) =
                    (Some(&record).filter(|_| was_shown), Some(&record).filter(|_| is_shown));
                self.outputs.extend(changes(before.cloned(), after.cloned()).map(Output::Changed));
            }
        }
    }

    /// Puts into the next snapshot what is held of an owner: one record, or all of them. What it may not do is not in it.
    pub(super) fn show(&mut self, id: &NodeId, key: Option<RecordKey>) {
        let Some(owner) = self.owners.of(id) else { return };
        let lease = self.departed.leases.end(id);
        let (epoch, reach) = (owner.epoch, reach(owner));
        let token = owner.held(RecordKey::NODE).and_then(|held| token_in(&held.record));
        let one = key.and_then(|key| owner.held(key));
        let all = key.is_none().then(|| owner.records());
        for held in one.into_iter().chain(all.into_iter().flatten()) {
            match &held.record.body {
                Body::Offer(offer) => {
                    let name = (&offer.namespace, &offer.service);
                    if !self.own.may_offer((*id, token), name, offer.origin.as_deref()) {
                        self.view.remove(offer, (*id, held.record.key));
                        self.stats.refused += 1;
                        continue;
                    }
                    self.view.put(Instance {
                        node: *id,
                        epoch,
                        key: held.record.key,
                        offer: Arc::clone(offer),
                        state: instance_state(offer, reach),
                    });
                }
                Body::Service(service) => {
                    let standing = standing(service, lease);
                    let may = self.own.may_register((*id, token), service);
                    self.stats.refused += u64::from(!may);
                    self.view.registered.set(held.record.id(), service, (may, standing));
                }
                Body::Node(node) => self.view.put_node(KnownNode {
                    id: *id,
                    epoch,
                    record: Arc::clone(node),
                    state: match owner.life {
                        Life::Alive => NodeState::Alive,
                        Life::Gone => NodeState::Gone {
                            until: lease.map_or(Time::MAX, |lease| owner.last_end(lease)),
                        },
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

    /// Takes a record out of the next snapshot; whether it was in it.
    fn hide(&mut self, record: &Record) -> bool {
        match &record.body {
            Body::Offer(offer) => self.view.remove(offer, (record.owner, record.key)),
            Body::Node(_) => self.view.remove_node(&record.owner),
            Body::Interest(_) => self.view.audience.listeners.remove(&record.owner),
            Body::Declared(_) => self.view.audience.publishers.remove(&record.owner),
            Body::Service(service) => self.view.registered.remove(record.id(), service),
            Body::Tombstone => false,
        }
    }

    fn shows(&self, record: &Record) -> bool {
        match &record.body {
            Body::Offer(offer) => self.view.has(offer, (record.owner, record.key)),
            Body::Node(_) => true,
            Body::Interest(_) => self.view.audience.listeners.has(&record.owner),
            Body::Declared(_) => self.view.audience.publishers.has(&record.owner),
            Body::Service(service) => self.view.registered.has(record.id(), service),
            Body::Tombstone => false,
        }
    }
}

/// The token with which a node does what its records say, if the record is a node's and has one.
pub(super) fn token_in(record: &Record) -> Option<&str> {
    match &record.body {
        Body::Node(node) => node.token.as_deref(),
        Body::Offer(_)
        | Body::Interest(_)
        | Body::Declared(_)
        | Body::Service(_)
        | Body::Tombstone => None,
    }
}

/// What there is to tell where the one record was shown and the other is, or none.
pub(super) fn changes(
    before: Option<Arc<Record>>,
    after: Option<Arc<Record>>,
) -> impl Iterator<Item = Change> {
    let is_same_kind = match (&before, &after) {
        (Some(before), Some(after)) => before.body.kind() == after.body.kind(),
        (Some(_) | None, Some(_) | None) => true,
    };
    let steps = if is_same_kind {
        [Some((before, after)), None]
    } else {
        [Some((before, None)), Some((None, after))]
    };
    steps.into_iter().flatten().filter_map(|(before, after)| change(before, after))
}

fn change(before: Option<Arc<Record>>, after: Option<Arc<Record>>) -> Option<Change> {
    let body = after.as_deref().or(before.as_deref()).map(|record| record.body.clone());
    Some(match (body?, before, after) {
        (Body::Node(_), _, Some(record)) => Change::Node(record),
        (Body::Offer(_), None, Some(record)) => Change::Offered(record),
        (Body::Offer(_), Some(_), Some(record)) => Change::Updated(record),
        (Body::Offer(_), Some(record), None) => Change::Withdrawn(record),
        (Body::Service(_), None, Some(record)) => Change::Registered(record),
        (Body::Service(now), Some(before), Some(record)) => match &before.body {
            Body::Service(before) if before.says_as(&now) => return None,
            _ => Change::Reregistered(record),
        },
        (Body::Service(_), Some(record), None) => Change::Freed(record),
        (_, _, _) => return None,
    })
}

/// What a record of a service that does not last stands on.
fn standing(service: &ServiceRecord, lease: Option<Time>) -> Standing {
    lease.map_or(Standing::Alive, |lease| Standing::OwnerGone {
        until: end_of(lease, service.lifetime),
    })
}

/// Whether an owner can be talked to: who is gone cannot.
fn reach(owner: &Owner) -> Reach {
    match owner.life {
        Life::Alive => owner.reach,
        Life::Gone => Reach::Unreachable,
    }
}
