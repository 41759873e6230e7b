//! What does this node write itself?

use super::body::Body;
use super::interest::{DeclaredRecord, InterestRecord, Lane};
use super::owner::Held;
use super::record::{Record, RecordKey};
use super::service::ServiceRecord;
use crate::authorize::{Action, AllowAll, Authorize, Who};
use crate::crypto::Crypto;
use crate::id::{Epoch, NodeId};
use crate::limits::{EPOCH_LEAD_MAX, GREETING_PERIOD};
use crate::name::{Namespace, ServiceName, TopicPattern};
use crate::time::Time;
use std::fmt;
use std::sync::Arc;

/// The pen of a node: it alone numbers and signs the node's records.
pub(crate) struct Own {
    pub(crate) id: NodeId,
    pub(crate) epoch: Epoch,
    pub(crate) crypto: Arc<dyn Crypto>,
    /// Who may do what, as far as this node is concerned.
    pub(crate) authorize: Arc<dyn Authorize>,
    /// The version of the last record written.
    version: u64,
    /// When members were last asked for what this node did not write.
    asked: Option<Time>,
    standing: Standing,
    /// Whether records are signed in this mesh.
    pub(crate) signs: bool,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Standing {
    Good,
    /// The identity was met elsewhere, and that was told.
    Disputed,
}

impl Own {
    pub(crate) fn new(id: NodeId, epoch: Epoch, crypto: Arc<dyn Crypto>) -> Self {
        let signs = crypto.sign(&[]).is_some();
        let standing = Standing::Good;
        let authorize = Arc::new(AllowAll);
        Self { id, epoch, crypto, authorize, version: 0, asked: None, standing, signs }
    }

    /// Whether a service may be offered, or registered by hand, by this owner, with the token of its node record. One's own always may: others
    /// judge it.
    pub(crate) fn may_offer(
        &self,
        (owner, token): (NodeId, Option<&str>),
        (namespace, service): (&Namespace, &ServiceName),
        origin: Option<&str>,
    ) -> bool {
        let who = Who { node: owner, token, origin };
        let (namespace, service) = (namespace.as_str(), service.as_str());
        owner == self.id
            || self.authorize.authorize(&who, Action::Offer, namespace, service).is_ok()
    }

    /// The same of a record of a service.
    pub(crate) fn may_register(
        &self,
        owner: (NodeId, Option<&str>),
        service: &ServiceRecord,
    ) -> bool {
        let name = (&service.namespace, &service.service);
        self.may_offer(owner, name, service.origin.as_deref())
    }

    /// What a listener may have of what it wants: a lane without the patterns that it may not have, if others are left.
    pub(crate) fn allowed_lanes(
        &self,
        listener: (NodeId, Option<&str>),
        interest: &InterestRecord,
    ) -> Arc<[Lane]> {
        let mut lanes = interest.lanes.clone();
        for lane in &mut lanes {
            let (namespace, patterns) = (&lane.namespace, &mut lane.patterns);
            patterns.retain(|pattern| self.may(listener, Action::Subscribe, (namespace, pattern)));
        }
        lanes.retain(|lane| !lane.patterns.is_empty());
        lanes.into()
    }

    /// To which of the topics that it declares a publisher may publish.
    pub(crate) fn allowed_topics(
        &self,
        publisher: (NodeId, Option<&str>),
        declared: &DeclaredRecord,
    ) -> Arc<[(Namespace, TopicPattern)]> {
        let may = |(namespace, pattern): &&(Namespace, TopicPattern)| {
            self.may(publisher, Action::Publish, (namespace, pattern))
        };
        declared.topics.iter().filter(may).cloned().collect()
    }

    /// Whether all topics that a pattern stands for may be used so.
    fn may(
        &self,
        (node, token): (NodeId, Option<&str>),
        action: Action,
        (namespace, pattern): (&Namespace, &TopicPattern),
    ) -> bool {
        let who = Who { node, token, origin: None };
        let (namespace, pattern) = (namespace.as_str(), pattern.as_str());
        node == self.id || self.authorize.authorize(&who, action, namespace, pattern).is_ok()
    }

    /// Writes the next record; `None` when it is too large, and then nothing changed.
    pub(crate) fn write(&mut self, key: RecordKey, body: Body) -> Option<Held> {
        let version = self.version + 1;
        let (owner, epoch) = (self.id, self.epoch);
        let mut record = Record { owner, epoch, key, version, body, signature: None };
        let bytes = record.seal(&*self.crypto)?;
        self.version = version;
        Some(Held { record: Arc::new(record), bytes: bytes.into() })
    }

    /// Begins another life: records are numbered from 1 again.
    pub(crate) fn raise(&mut self, epoch: Epoch) {
        self.epoch = epoch;
        self.version = 0;
    }

    /// Whether a peer knows of a life of this node that is later and can have been.
    pub(crate) fn is_outlived_by(&self, epoch: Epoch) -> bool {
        epoch > self.epoch && epoch.0 - self.epoch.0 <= EPOCH_LEAD_MAX
    }

    /// Whether members may be asked now for what this node did not write; not more often than each
    /// [`GREETING_PERIOD`].
    pub(crate) fn may_ask(&mut self, now: Time) -> bool {
        let may = self.asked.is_none_or(|before| before + GREETING_PERIOD <= now);
        if may {
            self.asked = Some(now);
        }
        may
    }

    /// Whether this node has not written that yet.
    pub(crate) fn is_behind(&self, epoch: Epoch, version: u64) -> bool {
        (epoch, version) > (self.epoch, self.version)
    }

    /// Whether somebody else must have written what a peer knows of this node. Told once.
    pub(crate) fn is_disputed_by(&mut self, epoch: Epoch, version: u64) -> bool {
        let news = self.is_behind(epoch, version) && self.standing == Standing::Good;
        if news {
            self.standing = Standing::Disputed;
        }
        news
    }
}

impl fmt::Debug for Own {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { id, epoch, crypto: _, authorize: _, version, asked: _, standing, signs } = self;
        f.debug_struct("Own")
            .field("id", id)
            .field("epoch", epoch)
            .field("version", version)
            .field("standing", standing)
            .field("signs", signs)
            .finish_non_exhaustive()
    }
}
