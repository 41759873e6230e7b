//! How does a program publish?

use crate::encoding::to_payload;
use crate::error::TopicError;
use crate::runtime::Runtime;
use crate::runtime::topics::Spot;
use bytes::Bytes;
use homing_core::id::NodeId;
use homing_core::limits::PUBLISH_LINK_WAIT;
use homing_core::name::{Namespace, Topic};
use homing_core::talk::{Encoding, Options, Payload};
use homing_core::topics::Encoded;
use serde::Serialize;
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use tokio::time::timeout;

/// Publishes to one topic. A cheap handle; who publishes often keeps one, for it remembers who listens.
///
/// A message is sent to the nodes that listen, and to no others; it is encoded once, whoever gets it.
#[derive(Clone)]
pub struct Publisher {
    shared: Arc<Shared>,
    encoding: Encoding,
    options: Option<Arc<Options>>,
}

struct Shared {
    runtime: Arc<Runtime>,
    spot: Spot,
    /// Whether it was waited for the mesh to be known.
    is_synced: AtomicBool,
}

/// What became of a message at once: what a subscriber's node does with it is seen in [`Publisher::listeners`].
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
#[non_exhaustive]
pub struct Published {
    /// For how many it is on its way: nodes that listen, or kinds of subscriptions of one, each group counting as one.
    pub reached: usize,
    /// How many had no room for it, and do not get it.
    pub lost: usize,
}

/// Who listens to a topic.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct Listener {
    /// The node.
    pub node: NodeId,
    /// Messages sent to it so far.
    pub sent: u64,
    /// Messages that were dropped here, for it took none.
    pub lost: u64,
    /// Messages that its subscriptions dropped, as it said last.
    pub dropped: u64,
}

impl Publisher {
    pub(crate) fn new(runtime: Arc<Runtime>, namespace: Namespace, topic: Topic) -> Self {
        let spot = Spot::new(namespace, topic);
        let shared = Shared { runtime, spot, is_synced: AtomicBool::new(false) };
        Self { shared: Arc::new(shared), encoding: Encoding::MessagePack, options: None }
    }

    /// Publishes in this namespace instead of the node's.
    #[must_use]
    pub fn namespace(self, namespace: Namespace) -> Self {
        let topic = self.shared.spot.topic.clone();
        Self { ..Self::new(Arc::clone(&self.shared.runtime), namespace, topic) }
            .with(self.encoding, self.options)
    }

    /// Writes values in this encoding; default: MessagePack.
    #[must_use]
    pub fn encoding(self, encoding: Encoding) -> Self {
        Self { encoding, ..self }
    }

    /// Adds metadata to every message.
    #[must_use]
    pub fn metadata(mut self, name: impl Into<String>, value: impl Into<Bytes>) -> Self {
        let options = Arc::make_mut(self.options.get_or_insert_default());
        options.metadata.push((name.into(), value.into()));
        self
    }

    /// Publishes on behalf of a foreign system, as the bridge of this name: the access lists of those who listen judge
    /// every message as `bridge:NAME`, never as this node's own; they say which node may be that bridge.
    #[must_use]
    pub fn bridge(mut self, name: &str) -> Self {
        let options = Arc::make_mut(self.options.get_or_insert_default());
        options.origin = format!("bridge:{name}").into();
        self
    }

    /// Where it publishes.
    pub fn topic(&self) -> &Topic {
        &self.shared.spot.topic
    }

    /// Publishes a value: to all subscriptions that this node knows of, at most once.
    ///
    /// Returns when the message is on its way. Until it knows the mesh, and has links to the nodes that listen, the first
    /// one waits, a second each at most; later ones wait where a subscription has no room and
    /// [wants that](crate::Slow::Wait). Dropped while it waits, the message is on its way to those that had room, and to
    /// no others.
    ///
    /// # Errors
    /// The value cannot be written (`INVALID_ARGUMENT`), it is too large (`RESOURCE_EXHAUSTED`), or the node is closed.
    /// That nobody listens is no error.
    pub async fn publish<T>(&self, value: &T) -> Result<Published, TopicError>
    where
        T: Serialize + ?Sized,
    {
        let payload = to_payload(value, self.encoding).map_err(TopicError::Refused)?;
        self.publish_raw(payload).await
    }

    /// Publishes a payload as it is.
    ///
    /// # Errors
    /// As [`publish`](Self::publish).
    pub async fn publish_raw(&self, payload: Payload) -> Result<Published, TopicError> {
        let Shared { runtime, spot, is_synced } = &*self.shared;
        if runtime.is_over() {
            return Err(TopicError::Closed);
        }
        let message = Encoded::new(spot.topic.clone(), payload, self.options.as_deref())
            .map_err(TopicError::Refused)?;
        if !is_synced.load(Ordering::Relaxed) {
            let _ = timeout(PUBLISH_LINK_WAIT, runtime.synced()).await;
            is_synced.store(true, Ordering::Relaxed);
        }
        let published = spot.publish(runtime, &message).await;
        Ok(Published { reached: published.reached, lost: published.lost })
    }

    /// Waits until all that was published has been given to links.
    pub async fn flush(&self) {
        self.shared.spot.is_empty(&self.shared.runtime).await;
    }

    /// Who listens now, and what became of messages to them, whoever of this node's publishers sent them.
    pub fn listeners(&self) -> Vec<Listener> {
        let counts = self.shared.spot.counts(&self.shared.runtime);
        counts
            .into_iter()
            .map(|(node, counts)| Listener {
                node,
                sent: counts.sent,
                lost: counts.lost,
                dropped: counts.dropped,
            })
            .collect()
    }

    fn with(self, encoding: Encoding, options: Option<Arc<Options>>) -> Self {
        Self { encoding, options, ..self }
    }
}

impl fmt::Debug for Publisher {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Publisher({})", self.shared.spot.topic)
    }
}
