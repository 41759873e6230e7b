//! How does a program listen?

use super::message::Message;
use crate::error::TopicError;
use crate::runtime::Runtime;
use crate::runtime::topics::SubscriptionCell;
use futures_core::Stream;
use homing_core::limits::{SUBSCRIPTION_CAPACITY, SUBSCRIPTION_CAPACITY_MAX};
use homing_core::name::{BadName, Group, Namespace, TopicPattern};
use homing_core::registry::Slow;
use homing_core::talk::{Code, Status};
use homing_core::topics::{Dropped, Run, SubscriptionId, Wish};
use std::fmt;
use std::future::{IntoFuture, poll_fn};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

/// A subscription to be made: settings, then `.await`.
#[must_use = "nothing is subscribed to until it is awaited"]
pub struct Subscribe {
    runtime: Arc<Runtime>,
    wish: Result<Wish, BadName>,
    capacity: usize,
}

impl Subscribe {
    pub(crate) fn new<P: AsRef<str>>(
        runtime: Arc<Runtime>,
        patterns: impl IntoIterator<Item = P>,
    ) -> Self {
        let patterns: Result<Vec<TopicPattern>, BadName> =
            patterns.into_iter().map(|pattern| pattern.as_ref().parse()).collect();
        let namespace = runtime.settings.namespace.clone();
        let wish = patterns.map(|patterns| Wish {
            namespace,
            patterns,
            group: None,
            slow: Slow::default(),
        });
        Self { runtime, wish, capacity: SUBSCRIPTION_CAPACITY }
    }

    /// Listens in this namespace instead of the node's.
    pub fn namespace(self, namespace: Namespace) -> Self {
        self.change(|wish| wish.namespace = namespace)
    }

    /// Listens as a member of a group: of all members, on whatever node, one gets each message.
    ///
    /// The publisher chooses the one that has the fewest messages to do. A message that was given to a member that then
    /// dies is lost: work that must be done is a job for a queue.
    pub fn group(mut self, name: &str) -> Self {
        match name.parse::<Group>() {
            Ok(group) => self.change(|wish| wish.group = Some(group)),
            Err(bad) => {
                self.wish = Err(bad);
                self
            }
        }
    }

    /// What becomes of messages for which there is no room; default: publishers wait, a second at most.
    pub fn slow(self, slow: Slow) -> Self {
        self.change(|wish| wish.slow = slow)
    }

    /// How many messages wait here for the program at most: 1 to 1,048,576, default 1,024, and 4 MiB.
    pub fn capacity(self, messages: usize) -> Self {
        Self { capacity: messages, ..self }
    }

    fn change(mut self, change: impl FnOnce(&mut Wish)) -> Self {
        if let Ok(wish) = &mut self.wish {
            change(wish);
        }
        self
    }

    async fn make(self) -> Result<Subscription, TopicError> {
        let Self { runtime, wish, capacity } = self;
        if !(1..=SUBSCRIPTION_CAPACITY_MAX).contains(&capacity) {
            let why = format!(
                "a capacity of {capacity} messages: it is 1 to {SUBSCRIPTION_CAPACITY_MAX}"
            );
            return Err(TopicError::Refused(Status::not_started(Code::InvalidArgument, why)));
        }
        let (id, cell) = runtime.subscribe(wish?, capacity).await?;
        Ok(Subscription { runtime, id, cell, run: None })
    }
}

impl IntoFuture for Subscribe {
    type Output = Result<Subscription, TopicError>;
    type IntoFuture = Pin<Box<dyn Future<Output = Self::Output> + Send>>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(self.make())
    }
}

impl fmt::Debug for Subscribe {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Subscribe").field("wish", &self.wish).finish_non_exhaustive()
    }
}

/// Messages of the topics that were subscribed to: a [`Stream`]. Those of one publisher come in the order in which it said
/// them, unless its link or what this node listens to changes just then: old and new ways are two streams. Dropping
/// it ends the subscription.
pub struct Subscription {
    runtime: Arc<Runtime>,
    id: SubscriptionId,
    cell: Arc<SubscriptionCell>,
    /// What was taken together, and not given yet.
    run: Option<Run>,
}

impl Subscription {
    /// The next message; `None` when the node is closed.
    pub async fn next(&mut self) -> Option<Message> {
        poll_fn(|cx| self.poll_message(cx)).await
    }

    /// Waits until every member of the mesh knows of this subscription, 2 seconds at most; whether all do. What is
    /// published there afterwards comes.
    pub async fn ready(&self) -> bool {
        self.runtime.interest_is_known().await
    }

    /// How many messages did not come, for there was no room for them.
    pub fn dropped(&self) -> Dropped {
        self.cell.dropped()
    }

    /// Ends the subscription; publishers are told before this returns.
    pub async fn close(self) {
        self.runtime.unsubscribe(self.id).await;
    }

    fn poll_message(&mut self, cx: &mut Context<'_>) -> Poll<Option<Message>> {
        loop {
            if let Some(message) = self.run.as_mut().and_then(Run::next) {
                return Poll::Ready(Some(Message::new(message)));
            }
            match self.cell.poll_run(cx) {
                Poll::Ready(Some(run)) => self.run = Some(run),
                Poll::Ready(None) => return Poll::Ready(None),
                Poll::Pending => return Poll::Pending,
            }
        }
    }
}

impl Stream for Subscription {
    type Item = Message;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Message>> {
        self.poll_message(cx)
    }
}

impl Drop for Subscription {
    fn drop(&mut self) {
        self.runtime.unsubscribe_later(self.id);
    }
}

impl fmt::Debug for Subscription {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Subscription({:?})", self.id)
    }
}
