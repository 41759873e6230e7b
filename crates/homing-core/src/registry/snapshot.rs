//! What does the mesh look like from here, at this moment?
//!
//! A snapshot never changes; who has one reads it without a lock. A new one shares with the one before it all that
//! stayed the same.

use super::audience::{Audience, Listener, Publisher, Shown};
use super::body::{NodeRecord, OfferRecord, OfferState};
use super::owner::Reach;
use super::record::RecordKey;
use super::registered::{Desk, Registered, ShownRegistered};
use super::voice::Output;
use crate::id::{Epoch, NodeId};
use crate::limits::{PAST_SERVICES_MAX, UNSAID_MAX};
use crate::name::{Namespace, ServiceName};
use crate::time::Time;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// All instances and nodes that are known.
#[derive(Clone, Debug, Default)]
pub struct Snapshot {
    /// Higher in each later snapshot of the same registry.
    pub version: u64,
    /// Whether a peer has told everything at least once, or nobody is there to tell. Until then what is absent may only be unknown yet.
    pub synced: bool,
    services: BTreeMap<Namespace, Arc<Services>>,
    nodes: Arc<BTreeMap<NodeId, Arc<KnownNode>>>,
    /// Services that had instances and have none.
    past: Arc<BTreeSet<Service>>,
    topics: Shown,
    registered: ShownRegistered,
}

/// The instances of the services of a namespace, by node and key.
type Services = BTreeMap<ServiceName, Arc<[Arc<Instance>]>>;
type Service = (Namespace, ServiceName);

/// One offer of one node.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Instance {
    /// Who makes it.
    pub node: NodeId,
    /// In which of its lives.
    pub epoch: Epoch,
    /// Under which key.
    pub key: RecordKey,
    /// What it says.
    pub offer: Arc<OfferRecord>,
    /// Whether it can be called.
    pub state: InstanceState,
}

/// Whether an instance can be called.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum InstanceState {
    /// As far as is known here.
    Ready,
    /// It finishes what it has and takes nothing new.
    Draining,
    /// Its node is gone, or cannot be reached from here.
    Unreachable,
}

/// One node that is known.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct KnownNode {
    /// Its id.
    pub id: NodeId,
    /// Its present life.
    pub epoch: Epoch,
    /// What it says of itself.
    pub record: Arc<NodeRecord>,
    /// How it fares.
    pub state: NodeState,
}

/// How a node fares.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum NodeState {
    /// It takes part.
    Alive,
    /// It is gone, and is forgotten at this time with the last of what it said.
    Gone {
        /// When the longest lifetime of its records ends.
        until: Time,
    },
}

impl Snapshot {
    /// The instances of a service, in the order of their nodes' ids; none when nobody serves it.
    pub fn instances(&self, namespace: &Namespace, service: &ServiceName) -> &[Arc<Instance>] {
        self.services
            .get(namespace)
            .and_then(|services| services.get(service))
            .map_or(&[], |instances| instances)
    }

    /// Whether there is, or was, an instance of a service, as far as this node heard and remembers
    /// ([`PAST_SERVICES_MAX`]).
    pub fn was_seen(&self, namespace: &Namespace, service: &ServiceName) -> bool {
        !self.instances(namespace, service).is_empty()
            || self.past.contains(&(namespace.clone(), service.clone()))
    }

    /// All services with their instances, in the order of their names.
    pub fn services(&self) -> impl Iterator<Item = (&Namespace, &ServiceName, &[Arc<Instance>])> {
        self.services.iter().flat_map(|(namespace, services)| {
            services.iter().map(move |(service, instances)| (namespace, service, &**instances))
        })
    }

    /// The instance behind the key of a node's record. Looks at all of them: for who wants to show one, not to call it.
    pub fn instance(&self, node: NodeId, key: RecordKey) -> Option<&Arc<Instance>> {
        let all = self.services.values().flat_map(|services| services.values());
        all.flat_map(|instances| instances.iter()).find(|one| one.node == node && one.key == key)
    }

    /// A node, if it is known.
    pub fn node(&self, id: &NodeId) -> Option<&Arc<KnownNode>> {
        self.nodes.get(id)
    }

    /// All nodes, in the order of their ids.
    pub fn nodes(&self) -> impl Iterator<Item = &Arc<KnownNode>> {
        self.nodes.values()
    }

    /// Who wants messages, this node included where it does, in the order of the nodes' ids.
    pub fn listeners(&self) -> &[Arc<Listener>] {
        &self.topics.listeners
    }

    /// Who says that it publishes, this node included where it does, in the order of the nodes' ids.
    pub fn publishers(&self) -> &[Arc<Publisher>] {
        &self.topics.publishers
    }

    /// Another one only where the [`listeners`](Self::listeners) or [`publishers`](Self::publishers) are others than in
    /// the snapshot before; 0 while there never were any.
    pub const fn topics_version(&self) -> u64 {
        self.topics.version
    }

    /// The services that were registered by hand, in the order of namespace, service and id.
    pub fn registered(&self) -> impl Iterator<Item = &Arc<Registered>> {
        self.registered.all.iter()
    }

    /// Another one only where the [`registered`](Self::registered) services are others than in the snapshot before; 0
    /// while there never were any.
    pub const fn registered_version(&self) -> u64 {
        self.registered.version
    }
}

/// Keeps what the next snapshot is made of.
#[derive(Debug, Default)]
pub(crate) struct View {
    instances: BTreeMap<Service, BTreeMap<Place, Arc<Instance>>>,
    touched: BTreeSet<Service>,
    pub(crate) audience: Audience,
    pub(crate) registered: Desk,
    /// What may be said once all that is known is shown.
    unsaid: Vec<Output>,
    next: Snapshot,
    /// The snapshot that shows `next`, unless something changed since.
    current: Option<Arc<Snapshot>>,
}

type Place = (NodeId, RecordKey);

impl View {
    /// An instance is there, or changed.
    pub(crate) fn put(&mut self, instance: Instance) {
        let service = (instance.offer.namespace.clone(), instance.offer.service.clone());
        let place = (instance.node, instance.key);
        let instances = self.instances.entry(service.clone()).or_default();
        if instances.get(&place).is_some_and(|known| **known == instance) {
            return;
        }
        instances.insert(place, Arc::new(instance));
        self.touch(service);
    }

    /// An instance is no longer there; whether it was.
    pub(crate) fn remove(&mut self, offer: &OfferRecord, place: Place) -> bool {
        let service = (offer.namespace.clone(), offer.service.clone());
        let Some(instances) = self.instances.get_mut(&service) else { return false };
        let was_there = instances.remove(&place).is_some();
        if was_there {
            if instances.is_empty() {
                self.instances.remove(&service);
            }
            self.touch(service);
        }
        was_there
    }

    /// Whether an instance is there.
    pub(crate) fn has(&self, offer: &OfferRecord, place: Place) -> bool {
        let service = (offer.namespace.clone(), offer.service.clone());
        self.instances.get(&service).is_some_and(|instances| instances.contains_key(&place))
    }

    /// A node is there, or changed.
    pub(crate) fn put_node(&mut self, node: KnownNode) {
        if self.next.nodes.get(&node.id).is_none_or(|known| **known != node) {
            Arc::make_mut(&mut self.next.nodes).insert(node.id, Arc::new(node));
            self.current = None;
        }
    }

    /// A node is no longer known; whether it was.
    pub(crate) fn remove_node(&mut self, id: &NodeId) -> bool {
        let was_known = self.next.nodes.contains_key(id);
        if was_known {
            Arc::make_mut(&mut self.next.nodes).remove(id);
            self.current = None;
        }
        was_known
    }

    /// All that there is to know has been told.
    pub(crate) fn set_synced(&mut self) {
        if !std::mem::replace(&mut self.next.synced, true) {
            self.current = None;
        }
    }

    /// Keeps this until the next snapshot. Beyond [`UNSAID_MAX`] a message is forgotten, as if it were lost on its way.
    pub(crate) fn say_with_next(&mut self, output: Output) {
        if self.unsaid.len() < UNSAID_MAX || !matches!(output, Output::Send { .. }) {
            self.unsaid.push(output);
        }
    }

    /// What may be said with this snapshot.
    pub(crate) fn take_unsaid(&mut self) -> Vec<Output> {
        std::mem::take(&mut self.unsaid)
    }

    /// Whether the last snapshot is out of date.
    pub(crate) const fn is_stale(&self) -> bool {
        self.current.is_none() || self.audience.is_touched() || self.registered.is_touched()
    }

    /// The snapshot of now: a new one only if something changed.
    pub(crate) fn snapshot(&mut self) -> Arc<Snapshot> {
        if let Some(current) = self.current.as_ref().filter(|_| !self.is_stale()) {
            return Arc::clone(current);
        }
        for service in std::mem::take(&mut self.touched) {
            self.refresh(service);
        }
        self.audience.refresh(&mut self.next.topics);
        self.registered.refresh(&mut self.next.registered);
        self.next.version += 1;
        let snapshot = Arc::new(self.next.clone());
        self.current = Some(Arc::clone(&snapshot));
        snapshot
    }

    fn touch(&mut self, service: Service) {
        self.touched.insert(service);
        self.current = None;
    }

    fn refresh(&mut self, (namespace, name): Service) {
        let key = (namespace, name);
        let instances = self.instances.get(&key).map(|found| found.values().cloned().collect());
        self.remember(&key, instances.is_none());
        let (namespace, name) = key;
        let services = Arc::make_mut(self.next.services.entry(namespace.clone()).or_default());
        match instances {
            Some(instances) => services.insert(name, instances),
            None => services.remove(&name),
        };
        if services.is_empty() {
            self.next.services.remove(&namespace);
        }
    }

    /// Keeps the name of a service that has no instances any more, until it has one again.
    fn remember(&mut self, service: &Service, is_past: bool) {
        if self.next.past.contains(service) == is_past {
            return;
        }
        let past = Arc::make_mut(&mut self.next.past);
        if !is_past {
            past.remove(service);
            return;
        }
        past.insert(service.clone());
        if past.len() > PAST_SERVICES_MAX {
            past.pop_first();
        }
    }
}

/// What can be said of an instance: its node's state comes first.
pub(crate) const fn instance_state(offer: &OfferRecord, reach: Reach) -> InstanceState {
    match (reach, offer.state) {
        (Reach::Unreachable, _) => InstanceState::Unreachable,
        (Reach::Reachable, OfferState::Draining) => InstanceState::Draining,
        (Reach::Reachable, OfferState::Open) => InstanceState::Ready,
    }
}

#[cfg(test)]
mod tests {
    use super::super::samples;
    use super::*;

    fn instance(node: u8, service: &str) -> Instance {
        Instance {
            node: samples::id(node),
            epoch: Epoch(1),
            key: RecordKey(1),
            offer: Arc::new(samples::offer(service)),
            state: InstanceState::Ready,
        }
    }

    fn find<'a>(snapshot: &'a Snapshot, service: &str) -> &'a [Arc<Instance>] {
        let offer = samples::offer(service);
        snapshot.instances(&offer.namespace, &offer.service)
    }

    #[test]
    fn unchanged_services_are_shared_between_snapshots() {
        let mut view = View::default();
        view.put(instance(2, "a"));
        view.put(instance(1, "a"));
        view.put(instance(1, "b"));
        let before = view.snapshot();
        view.put(instance(2, "b"));
        let after = view.snapshot();
        assert!(std::ptr::eq(find(&before, "a"), find(&after, "a")));
        assert_eq!((find(&before, "b").len(), find(&after, "b").len()), (1, 2));
        assert!(after.version > before.version);
        assert_eq!(
            find(&after, "a").iter().map(|at| at.node).collect::<Vec<_>>(),
            [1, 2].map(samples::id)
        );
    }

    #[test]
    fn without_a_change_there_is_no_new_snapshot() {
        let mut view = View::default();
        view.put(instance(1, "a"));
        let before = view.snapshot();
        view.put(instance(1, "a"));
        assert!(Arc::ptr_eq(&before, &view.snapshot()));
    }

    #[test]
    fn a_service_goes_with_its_last_instance() {
        let mut view = View::default();
        view.put(instance(1, "a"));
        view.snapshot();
        view.remove(&samples::offer("a"), (samples::id(1), RecordKey(1)));
        assert_eq!(view.snapshot().services().count(), 0);
        assert!(find(&view.snapshot(), "a").is_empty());
    }

    #[test]
    fn a_service_that_is_gone_was_seen_by_a_bounded_memory() {
        let seen = |snapshot: &Snapshot, service: &str| {
            let offer = samples::offer(service);
            snapshot.was_seen(&offer.namespace, &offer.service)
        };
        let mut view = View::default();
        for number in 0..=PAST_SERVICES_MAX {
            let service = format!("s{number:05}");
            view.put(instance(1, &service));
            assert!(seen(&view.snapshot(), &service));
            view.remove(&samples::offer(&service), (samples::id(1), RecordKey(1)));
        }
        let last = view.snapshot();
        assert_eq!(last.past.len(), PAST_SERVICES_MAX);
        assert!(seen(&last, "s00001") && !seen(&last, "s00000") && !seen(&last, "other"));
        view.put(instance(1, "s00001"));
        assert_eq!(view.snapshot().past.len(), PAST_SERVICES_MAX - 1, "it is there again");
    }
}
