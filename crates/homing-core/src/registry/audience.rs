//! Who listens to what, and who says that it publishes to what?

use super::interest::Lane;
use super::owner::Reach;
use crate::id::{Epoch, NodeId};
use crate::name::{Namespace, TopicPattern};
use std::collections::BTreeMap;
use std::sync::Arc;

/// A node that wants messages.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Listener {
    /// Which.
    pub node: NodeId,
    /// In which of its lives.
    pub epoch: Epoch,
    /// What it wants and may have, as far as this node is concerned: at least one lane, each with at least one pattern.
    pub lanes: Arc<[Lane]>,
    /// Whether it can be told: not when it is gone, or cannot be reached from here.
    pub reach: Reach,
}

/// A node that says to which topics it publishes.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Publisher {
    /// Which.
    pub node: NodeId,
    /// In which of its lives.
    pub epoch: Epoch,
    /// The topics to which it may, as far as this node is concerned; at least one.
    pub topics: Arc<[(Namespace, TopicPattern)]>,
    /// Whether it takes part and can be reached from here.
    pub reach: Reach,
}

/// What a snapshot shows of topics, in the order of the nodes' ids.
#[derive(Clone, Debug, Default)]
pub(super) struct Shown {
    pub(super) version: u64,
    pub(super) listeners: Arc<[Arc<Listener>]>,
    pub(super) publishers: Arc<[Arc<Publisher>]>,
}

/// Keeps what the next snapshot shows of topics.
#[derive(Debug, Default)]
pub(crate) struct Audience {
    pub(crate) listeners: Roll<NodeId, Listener>,
    pub(crate) publishers: Roll<NodeId, Publisher>,
}

impl Audience {
    /// A node listens to this; not at all where no lane is left to it.
    pub(super) fn listen(&mut self, listener: Listener) {
        if listener.lanes.is_empty() {
            self.listeners.remove(&listener.node);
        } else {
            self.listeners.put(listener.node, listener);
        }
    }

    /// A node says that it publishes this; nothing where no topic is left to it.
    pub(super) fn declare(&mut self, publisher: Publisher) {
        if publisher.topics.is_empty() {
            self.publishers.remove(&publisher.node);
        } else {
            self.publishers.put(publisher.node, publisher);
        }
    }

    /// Whether something may be different from what was shown last.
    pub(super) const fn is_touched(&self) -> bool {
        self.listeners.is_touched() || self.publishers.is_touched()
    }

    /// Brings up to date what is shown; the version is another only if that is.
    pub(super) fn refresh(&mut self, shown: &mut Shown) {
        let listeners = self.listeners.refresh(&mut shown.listeners);
        let publishers = self.publishers.refresh(&mut shown.publishers);
        if listeners == News::Some || publishers == News::Some {
            shown.version += 1;
        }
    }
}

/// At most one entry in each place, such as of each node.
#[derive(Debug)]
pub(crate) struct Roll<K, T> {
    entries: BTreeMap<K, Arc<T>>,
    is_touched: bool,
}

/// Whether what is shown is another than before.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum News {
    None,
    Some,
}

impl<K, T> Default for Roll<K, T> {
    fn default() -> Self {
        Self { entries: BTreeMap::new(), is_touched: false }
    }
}

impl<K: Ord, T: Eq> Roll<K, T> {
    /// The entry in a place is this one from now on.
    pub(crate) fn put(&mut self, place: K, entry: T) {
        if self.entries.get(&place).is_none_or(|known| **known != entry) {
            self.entries.insert(place, Arc::new(entry));
            self.is_touched = true;
        }
    }

    /// A place has no entry any more; whether it had one.
    pub(crate) fn remove(&mut self, place: &K) -> bool {
        let had_one = self.entries.remove(place).is_some();
        self.is_touched |= had_one;
        had_one
    }

    /// Whether a place has an entry.
    pub(crate) fn has(&self, place: &K) -> bool {
        self.entries.contains_key(place)
    }

    /// Whether something may be different from what was shown last.
    pub(super) const fn is_touched(&self) -> bool {
        self.is_touched
    }

    /// Brings up to date what is shown, and says whether that was needed.
    pub(super) fn refresh(&mut self, shown: &mut Arc<[Arc<T>]>) -> News {
        let is_same = !std::mem::take(&mut self.is_touched)
            || (shown.len() == self.entries.len() && shown.iter().eq(self.entries.values()));
        if is_same {
            return News::None;
        }
        *shown = self.entries.values().cloned().collect();
        News::Some
    }
}
