//! (a stub of the shape that the requester reads)
#![allow(missing_docs)]
use crate::id::{Epoch, NodeId};
use crate::name::{MethodPattern, Namespace, ServiceName, Version};
use std::collections::BTreeMap;
use std::sync::Arc;

#[derive(Clone, Copy, Debug, Default, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct RecordKey(pub u32);
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct OfferedMethod {
    pub pattern: MethodPattern,
    pub repeatable: bool,
}
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct OfferRecord {
    pub namespace: Namespace,
    pub service: ServiceName,
    pub version: Option<Version>,
    pub methods: Vec<OfferedMethod>,
}
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum InstanceState {
    Ready,
    Draining,
    Unreachable,
}
#[derive(Clone, Debug)]
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
    pub(crate) services: BTreeMap<(Namespace, ServiceName), Arc<[Arc<Instance>]>>,
}
impl Snapshot {
    pub fn instances(&self, ns: &Namespace, s: &ServiceName) -> &[Arc<Instance>] {
        self.services.get(&(ns.clone(), s.clone())).map_or(&[], |list| list)
    }
}
