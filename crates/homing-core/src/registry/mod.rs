//! (a stub of the shape that the requester reads, to be replaced by the registry)
#![allow(missing_docs)]

use crate::id::{Epoch, NodeId};
use crate::name::{Label, MethodPattern, Namespace, ServiceName, Version};
use bytes::Bytes;
use std::collections::BTreeMap;
use std::sync::Arc;

#[derive(Clone, Copy, Debug, Default, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct RecordKey(pub u32);

#[derive(Clone, Debug, Eq, PartialEq)]
pub struct OfferedMethod {
    pub pattern: MethodPattern,
    pub repeatable: bool,
}

#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum OfferState {
    #[default]
    Open,
    Draining,
}

#[derive(Clone, Debug, Eq, PartialEq)]
pub struct OfferRecord {
    pub namespace: Namespace,
    pub service: ServiceName,
    pub version: Option<Version>,
    pub methods: Vec<OfferedMethod>,
    pub labels: Vec<Label>,
    pub metadata: Bytes,
    pub state: OfferState,
    pub origin: Option<String>,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum InstanceState {
    Ready,
    Draining,
    Unreachable,
}

#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Instance {
    pub node: NodeId,
    pub epoch: Epoch,
    pub key: RecordKey,
    pub offer: Arc<OfferRecord>,
    pub state: InstanceState,
}

#[derive(Clone, Debug, Default)]
pub struct Snapshot {
    pub version: u64,
    pub synced: bool,
    services: BTreeMap<(Namespace, ServiceName), Vec<Arc<Instance>>>,
}

impl Snapshot {
    pub fn instances(&self, namespace: &Namespace, service: &ServiceName) -> &[Arc<Instance>] {
        self.services.get(&(namespace.clone(), service.clone())).map_or(&[], |list| list)
    }
}

#[derive(Debug, Default)]
#[cfg(test)]
pub(crate) struct View {
    next: Snapshot,
}

#[cfg(test)]
impl View {
    pub(crate) fn put(&mut self, instance: Instance) {
        let service = (instance.offer.namespace.clone(), instance.offer.service.clone());
        self.next.services.entry(service).or_default().push(Arc::new(instance));
    }

    pub(crate) fn set_synced(&mut self) -> bool {
        !std::mem::replace(&mut self.next.synced, true)
    }

    pub(crate) fn snapshot(&mut self) -> Arc<Snapshot> {
        Arc::new(self.next.clone())
    }
}
