//! What does a node show of itself and of its mesh?

use super::Runtime;
use super::turn::direction;
use crate::info::{
    Carrier, Instance, InstanceInfo, InstanceState, LinkInfo, NodeInfo, NodeState, PeerInfo,
    ServiceInfo,
};
use homing_core::addr::TransportAddr;
use homing_core::id::{Epoch, NodeId};
use homing_core::name::NodeName;
use homing_core::node;
use homing_core::registry::{self, KnownNode, OfferRecord, RecordKey, Snapshot};
use homing_core::wire::Kind;
use std::collections::BTreeMap;
use std::sync::Arc;

impl Runtime {
    pub(crate) fn info(&self) -> NodeInfo {
        NodeInfo {
            id: self.me.id,
            name: self.me.name.clone(),
            mesh: self.settings.mesh.clone(),
            namespace: self.settings.namespace.clone(),
            kind: self.settings.kind,
            epoch: self.epoch(),
            addresses: self.addresses(),
            guard: self.settings.keys.guard(),
        }
    }

    pub(crate) fn services(&self) -> Vec<ServiceInfo> {
        let snapshot = self.snapshots.borrow().clone();
        let mut services = Vec::new();
        for (namespace, service, instances) in snapshot.services() {
            let mut versions: BTreeMap<_, Vec<_>> = BTreeMap::new();
            // What a node offers may be told before the node itself is: until then nobody could say whose it is.
            let is_known = |node| node == self.me.id || snapshot.node(&node).is_some();
            for instance in instances.iter().filter(|instance| is_known(instance.node)) {
                versions.entry(instance.offer.version.clone()).or_default().push(instance);
            }
            for (version, instances) in versions {
                let namespace = namespace.clone();
                let service = service.clone();
                let methods = methods(&instances);
                let instances = instances.into_iter();
                let instances = instances.map(|one| self.instance_info(&snapshot, one)).collect();
                services.push(ServiceInfo { namespace, service, version, methods, instances });
            }
        }
        services
    }

    pub(crate) async fn nodes(&self) -> Vec<PeerInfo> {
        let peers = self.peers().await;
        let snapshot = self.snapshots.borrow().clone();
        let mut nodes = vec![self.myself()];
        nodes.extend(
            snapshot
                .nodes()
                .filter(|known| known.id != self.me.id)
                .map(|known| self.known(known, peers.iter().find(|peer| peer.node == known.id))),
        );
        let passing = peers.iter().filter(|peer| snapshot.node(&peer.node).is_none());
        nodes.extend(passing.filter(|peer| peer.link.is_some()).map(|peer| self.passing(peer)));
        nodes
    }

    /// The instance behind a record's key, as the snapshot knows it.
    pub(crate) fn instance(&self, node: NodeId, key: RecordKey) -> Instance {
        let snapshot = self.snapshots.borrow().clone();
        let found = snapshot.instance(node, key);
        let version = found.and_then(|instance| instance.offer.version.clone());
        Instance { node, name: self.name_of(&snapshot, node), version }
    }

    /// Where a node says it is.
    pub(crate) fn known_addresses(&self, node: NodeId) -> Vec<TransportAddr> {
        let snapshot = self.snapshots.borrow().clone();
        snapshot.node(&node).map_or_else(Vec::new, |known| known.record.addresses.clone())
    }

    pub(super) fn name_of(&self, snapshot: &Snapshot, node: NodeId) -> NodeName {
        if node == self.me.id {
            return self.me.name.clone();
        }
        let unknown = || node.short().parse().expect("hexadecimal digits are a name");
        snapshot.node(&node).map_or_else(unknown, |known| known.record.name.clone())
    }

    fn instance_info(
        &self,
        snapshot: &Snapshot,
        instance: &Arc<registry::Instance>,
    ) -> InstanceInfo {
        let offer: &OfferRecord = &instance.offer;
        InstanceInfo {
            node: instance.node,
            node_name: self.name_of(snapshot, instance.node),
            state: match instance.state {
                registry::InstanceState::Ready => InstanceState::Ready,
                registry::InstanceState::Draining => InstanceState::Draining,
                registry::InstanceState::Unreachable => InstanceState::Unreachable,
            },
            labels: offer.labels.iter().map(ToString::to_string).collect(),
            repeatable: offer.methods.iter().all(|method| method.repeatable),
            metadata: offer.metadata.clone(),
        }
    }

    fn myself(&self) -> PeerInfo {
        PeerInfo {
            id: self.me.id,
            name: self.me.name.clone(),
            kind: self.settings.kind,
            epoch: self.epoch(),
            found: "this node".into(),
            state: NodeState::This,
            addresses: self.addresses(),
            links: Vec::new(),
            rtt_us: None,
            agent: self.me.agent.clone(),
            guard: self.settings.keys.guard(),
            keys: self.seams.crypto.keys(),
        }
    }

    fn known(&self, known: &KnownNode, peer: Option<&node::PeerInfo>) -> PeerInfo {
        let state = match known.state {
            registry::NodeState::Alive => NodeState::Alive,
            registry::NodeState::Gone { .. } => NodeState::Gone,
        };
        PeerInfo {
            id: known.id,
            name: known.record.name.clone(),
            kind: Kind::Member.into(),
            epoch: known.epoch,
            found: peer.map_or_else(|| "gossip".into(), |peer| peer.found.to_string()),
            state,
            addresses: known.record.addresses.clone(),
            links: peer.map(|peer| self.link_info(peer)).unwrap_or_default(),
            rtt_us: peer.and_then(rtt_us),
            agent: known.record.agent.clone(),
            guard: known.record.guard.into(),
            keys: known.record.keys.clone(),
        }
    }

    /// A node that is linked to this one and in no registry: a visitor.
    fn passing(&self, peer: &node::PeerInfo) -> PeerInfo {
        PeerInfo {
            id: peer.node,
            name: peer.name.clone(),
            kind: peer.kind.into(),
            epoch: Epoch(1),
            found: peer.found.to_string(),
            state: NodeState::Visitor,
            addresses: peer.address.clone().into_iter().collect(),
            links: self.link_info(peer),
            rtt_us: rtt_us(peer),
            agent: String::new(),
            // It is of this mesh: what it proved in the handshake is what this node asks for.
            guard: self.settings.keys.guard(),
            keys: Vec::new(),
        }
    }

    fn link_info(&self, peer: &node::PeerInfo) -> Vec<LinkInfo> {
        let info = LinkInfo {
            direction: direction(peer.direction),
            kept: peer.kept != node::Kept::No,
            transport: self.carrier(peer.address.as_ref()),
        };
        peer.link.map(|_| info).into_iter().collect()
    }

    /// What carries a link, from the address at its other end.
    pub(super) fn carrier(&self, address: Option<&TransportAddr>) -> Carrier {
        match address {
            Some(TransportAddr::Unix { .. }) => Carrier::Unix,
            _ if self.seams.tls.is_some() => Carrier::Tls,
            _ => Carrier::Tcp,
        }
    }
}

fn methods(instances: &[&Arc<registry::Instance>]) -> Vec<String> {
    let offered = instances.iter().flat_map(|instance| &instance.offer.methods);
    let mut methods: Vec<String> = offered.map(|method| method.pattern.to_string()).collect();
    methods.sort_unstable();
    methods.dedup();
    methods
}

fn rtt_us(peer: &node::PeerInfo) -> Option<u64> {
    peer.rtt.and_then(|rtt| u64::try_from(rtt.as_micros()).ok())
}
