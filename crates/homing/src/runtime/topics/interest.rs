//! How do others learn what this node listens to, and who listens elsewhere?

use crate::error::TopicError;
use crate::runtime::topics::SubscriptionCell;
use crate::runtime::{Runtime, Said};
use homing_core::id::NodeId;
use homing_core::limits::READY_WAIT;
use homing_core::name::{Namespace, TopicPattern};
use homing_core::registry::{NodeState, RecordKey};
use homing_core::talk::{Code, Status};
use homing_core::topics::{LaneName, SubscriptionId, Wish};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use tokio::sync::oneshot;
use tokio::time::timeout;

impl Runtime {
    /// Subscribes; returns when the record that tells others is written.
    pub(crate) async fn subscribe(
        self: &Arc<Self>,
        wish: Wish,
        capacity: usize,
    ) -> Result<(SubscriptionId, Arc<SubscriptionCell>), TopicError> {
        if self.is_closing() {
            return Err(TopicError::Closed);
        }
        let added = self.topics.board.add(wish, capacity, &self.seams.budget);
        let (id, cell) = added.map_err(TopicError::Refused)?;
        // Whoever drops this future wants no subscription.
        let undo = Undo { runtime: self, id: Some(id) };
        self.tell_interest().await?;
        undo.keep();
        Ok((id, cell))
    }

    /// Ends a subscription; returns when the record that tells others is written.
    pub(crate) async fn unsubscribe(self: &Arc<Self>, id: SubscriptionId) {
        // An error means that there is nobody to tell, or none left to do it.
        let _ = self.forget(id).await;
    }

    /// As [`unsubscribe`](Self::unsubscribe), for who cannot wait.
    pub(crate) fn unsubscribe_later(self: &Arc<Self>, id: SubscriptionId) {
        drop(self.forget(id));
    }

    /// Ends a subscription here; others are told although nobody waits for that.
    fn forget(self: &Arc<Self>, id: SubscriptionId) -> oneshot::Receiver<()> {
        let (telling, told) = oneshot::channel();
        if self.topics.board.remove(id) && !self.is_closing() {
            let runtime = Arc::clone(self);
            self.spawn(async move {
                // It is gone here, whatever became of the record: what still comes is dropped.
                drop(runtime.tell_interest().await);
                let _ = telling.send(());
            });
        }
        told
    }

    /// Says that this node publishes there, for whoever lists topics.
    pub(crate) async fn declare(
        &self,
        namespace: Namespace,
        topic: TopicPattern,
    ) -> Result<(), TopicError> {
        let _alone = self.topics.board.telling.lock().await;
        let topics = self.topics.board.declare(namespace, topic).map_err(TopicError::Refused)?;
        let (answer, told) = oneshot::channel();
        self.say_surely(Said::Declared { topics, answer }).await;
        told.await.unwrap_or(Ok(())).map_err(TopicError::Refused)
    }

    /// Waits until every member knows what this node listens to; whether all do.
    pub(crate) async fn interest_is_known(&self) -> bool {
        // Before that it is not known who the members are.
        if timeout(READY_WAIT, self.synced()).await.is_err() {
            return false;
        }
        let (answer, known) = oneshot::channel();
        self.say_surely(Said::Spread { key: RecordKey::INTEREST, answer }).await;
        known.await.is_ok_and(|spread| spread.acknowledged == spread.of)
    }

    /// Whether this lane is listened to, as far as is known.
    pub(super) fn lists_lane(&self, name: &LaneName) -> bool {
        let snapshot = self.snapshots.borrow();
        let listeners = snapshot.listeners();
        let found = listeners.binary_search_by_key(&name.node, |listener| listener.node);
        found.is_ok_and(|at| {
            let listener = &listeners[at];
            listener.epoch == name.epoch && listener.lanes.iter().any(|lane| lane.id == name.lane)
        })
    }

    /// Whether a node does not take part, as far as is known.
    pub(super) fn holds_gone(&self, node: &NodeId) -> bool {
        let snapshot = self.snapshots.borrow();
        snapshot.node(node).is_none_or(|node| matches!(node.state, NodeState::Gone { .. }))
    }

    /// Another number whenever other lanes are listened to.
    pub(super) fn topics_version(&self) -> u64 {
        self.topics.version.load(Ordering::Acquire)
    }

    /// The node machine has shown who listens.
    pub(crate) fn note_topics(&self, version: u64) {
        if self.topics.version.swap(version, Ordering::AcqRel) != version {
            self.topics.outlets.look_again();
        }
    }

    async fn tell_interest(&self) -> Result<(), TopicError> {
        let _alone = self.topics.board.telling.lock().await;
        let interest = self.topics.board.interest();
        let (answer, told) = oneshot::channel();
        self.say_surely(Said::Interest { interest, answer }).await;
        told.await.unwrap_or(Err(closed())).map_err(TopicError::Refused)
    }
}

fn closed() -> Status {
    Status::not_started(Code::FailedPrecondition, "the node is closed")
}

/// Ends a subscription that nobody gets.
struct Undo<'a> {
    runtime: &'a Arc<Runtime>,
    id: Option<SubscriptionId>,
}

impl Undo<'_> {
    fn keep(mut self) {
        self.id = None;
    }
}

impl Drop for Undo<'_> {
    fn drop(&mut self) {
        if let Some(id) = self.id {
            self.runtime.unsubscribe_later(id);
        }
    }
}
