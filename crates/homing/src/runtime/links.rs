//! Which links are there, and which one leads to a node?

use crate::crank::LinkCell;
use arc_swap::ArcSwap;
use homing_core::id::NodeId;
use homing_core::node::LinkId;
use parking_lot::Mutex;
use std::collections::BTreeMap;
use std::sync::Arc;
use tokio::sync::Notify;

/// All links of a node, and the one of each pair that new calls take.
#[derive(Default)]
pub(crate) struct Links {
    all: Mutex<BTreeMap<LinkId, Arc<LinkCell>>>,
    routes: ArcSwap<BTreeMap<NodeId, Arc<LinkCell>>>,
    /// How many dials to a node have failed so far, while somebody waits for one.
    failures: Mutex<BTreeMap<NodeId, u64>>,
    changed: Notify,
    closed: Notify,
}

/// There is no link to a node, and the dial that was to make one has failed.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct NoRoute;

impl Links {
    /// Takes a connection in, its handshake still to be done.
    pub(crate) fn insert(&self, id: LinkId, link: Arc<LinkCell>) {
        self.all.lock().insert(id, link);
    }

    /// Forgets a link that is no more.
    pub(crate) fn remove(&self, id: LinkId) {
        self.all.lock().remove(&id);
        self.closed.notify_waiters();
    }

    /// A link by its number.
    pub(crate) fn by_id(&self, id: LinkId) -> Option<Arc<LinkCell>> {
        self.all.lock().get(&id).cloned()
    }

    /// All links there are.
    pub(crate) fn all(&self) -> Vec<Arc<LinkCell>> {
        self.all.lock().values().cloned().collect()
    }

    /// How many links there are.
    pub(crate) fn len(&self) -> usize {
        self.all.lock().len()
    }

    /// From now on calls to `node` take this link, or none.
    pub(crate) fn set_route(&self, node: NodeId, link: Option<LinkId>) {
        let link = link.and_then(|id| self.by_id(id));
        self.routes.rcu(|routes| {
            let mut routes = BTreeMap::clone(routes);
            match &link {
                Some(link) => drop(routes.insert(node, Arc::clone(link))),
                None => drop(routes.remove(&node)),
            }
            routes
        });
        self.changed.notify_waiters();
    }

    /// A dial to `node` has failed: who waits for it tries elsewhere.
    pub(crate) fn note_failure(&self, node: NodeId) {
        if let Some(count) = self.failures.lock().get_mut(&node) {
            *count += 1;
        }
        self.changed.notify_waiters();
    }

    /// The link to `node`, if there is one.
    pub(crate) fn route(&self, node: NodeId) -> Option<Arc<LinkCell>> {
        self.routes.load().get(&node).cloned()
    }

    /// Waits for a link to `node`.
    ///
    /// # Errors
    /// A dial failed meanwhile.
    pub(crate) async fn wait_for_route(&self, node: NodeId) -> Result<Arc<LinkCell>, NoRoute> {
        let before = *self.failures.lock().entry(node).or_default();
        loop {
            let changed = self.changed.notified();
            if let Some(link) = self.route(node) {
                self.failures.lock().remove(&node);
                return Ok(link);
            }
            match self.failures.lock().get(&node) {
                Some(count) if *count == before => {}
                Some(_) | None => return Err(NoRoute),
            }
            changed.await;
        }
    }

    /// Waits until no link is left.
    pub(crate) async fn all_closed(&self) {
        loop {
            let closed = self.closed.notified();
            if self.len() == 0 {
                return;
            }
            closed.await;
        }
    }
}
