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
    /// How many dials to a node have failed so far, and what the last was told. Of nodes that are known, so bounded with
    /// them.
    failures: Mutex<BTreeMap<NodeId, (u64, String)>>,
    /// Links that were made to ask for a slot, and how many are leased over them.
    roved: Mutex<BTreeMap<LinkId, u32>>,
    changed: Notify,
    closed: Notify,
}

/// There is no link to a node, and the dial that was to make one has failed.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct NoRoute;

impl Links {
    /// Takes a connection in, its handshake still to be done. It starts under the lock, so that its end cannot be
    /// told before it is here.
    pub(crate) fn start(&self, id: LinkId, start: impl FnOnce() -> Arc<LinkCell>) {
        let mut all = self.all.lock();
        all.insert(id, start());
    }

    /// Lets go of every link: the node is over, and links hold the node.
    pub(crate) fn clear(&self) {
        self.routes.store(Arc::default());
        let left = std::mem::take(&mut *self.all.lock());
        drop(left);
        self.closed.notify_waiters();
        self.changed.notify_waiters();
    }

    /// Forgets a link that is no more.
    pub(crate) fn remove(&self, id: LinkId) {
        self.all.lock().remove(&id);
        self.roved.lock().remove(&id);
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

    /// A node is no longer known: nobody waits for it.
    pub(crate) fn forget(&self, node: NodeId) {
        self.failures.lock().remove(&node);
        self.changed.notify_waiters();
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

    /// This link was made to ask for a slot.
    pub(crate) fn note_made(&self, id: LinkId) {
        let all = self.all.lock();
        if all.contains_key(&id) {
            self.roved.lock().entry(id).or_default();
        }
    }

    /// A slot was leased over it.
    pub(crate) fn note_lease(&self, id: LinkId) {
        if let Some(leased) = self.roved.lock().get_mut(&id) {
            *leased += 1;
        }
    }

    /// So many were given back or lost.
    pub(crate) fn note_release(&self, id: LinkId, count: usize) {
        if let Some(leased) = self.roved.lock().get_mut(&id) {
            *leased = leased.saturating_sub(u32::try_from(count).unwrap_or(u32::MAX));
        }
    }

    /// Whether it was made to ask for a slot, and none is leased over it.
    pub(crate) fn is_roved_out(&self, id: LinkId) -> bool {
        self.roved.lock().get(&id) == Some(&0)
    }

    /// A dial to `node` has failed: who waits for it tries elsewhere.
    pub(crate) fn note_failure(&self, node: NodeId, why: String) {
        let mut failures = self.failures.lock();
        let (count, last) = failures.entry(node).or_default();
        (*count, *last) = (*count + 1, why);
        drop(failures);
        self.changed.notify_waiters();
    }

    /// Why the last dial to `node` failed, if one did and there is no link.
    pub(crate) fn last_failure(&self, node: NodeId) -> Option<String> {
        let why = || self.failures.lock().get(&node).map(|(_, why)| why.clone());
        self.route(node).is_none().then(why).flatten().filter(|why| !why.is_empty())
    }

    /// Waits until some link came or went. What happens from now on counts.
    pub(crate) fn changed(&self) -> impl Future<Output = ()> + '_ {
        self.changed.notified()
    }

    /// The link to `node`, if there is one.
    pub(crate) fn route(&self, node: NodeId) -> Option<Arc<LinkCell>> {
        self.routes.load().get(&node).cloned()
    }

    /// Begins to wait for a link to `node`, before it is asked for, so that no answer can be missed.
    pub(crate) fn expect(&self, node: NodeId) -> Expected<'_> {
        let before = self.failures.lock().entry(node).or_default().0;
        Expected { links: self, node, before }
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

/// Somebody waits for a link to a node.
pub(crate) struct Expected<'a> {
    links: &'a Links,
    node: NodeId,
    before: u64,
}

impl Expected<'_> {
    /// Waits for the link.
    ///
    /// # Errors
    /// A dial has failed since the wait began.
    pub(crate) async fn link(self) -> Result<Arc<LinkCell>, NoRoute> {
        loop {
            let changed = self.links.changed.notified();
            if let Some(link) = self.links.route(self.node) {
                return Ok(link);
            }
            let failed = self.links.failures.lock().get(&self.node).map(|(count, _)| *count);
            if failed != Some(self.before) {
                return Err(NoRoute);
            }
            changed.await;
        }
    }
}
