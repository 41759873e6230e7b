//! Where do calls go?

use crate::runtime::Runtime;
use homing_core::link;
use homing_core::name::{Address, Namespace};
use homing_core::registry::RecordKey;
use homing_core::requester::TargetKey;
use homing_core::wire;
use parking_lot::Mutex;
use std::collections::BTreeMap;
use std::sync::Arc;

/// Where calls go: an address in a namespace, looked up once.
pub(crate) struct Aim {
    pub(super) key: TargetKey,
    pub(crate) namespace: Namespace,
    pub(crate) address: Address,
    /// What links are told, by the offer that takes the call.
    targets: Mutex<BTreeMap<RecordKey, (link::TargetKey, Arc<wire::Target>)>>,
}

impl Aim {
    pub(super) fn new(key: TargetKey, namespace: Namespace, address: Address) -> Arc<Self> {
        Arc::new(Self { key, namespace, address, targets: Mutex::default() })
    }

    /// What links are told of the offer under `key`.
    pub(super) fn target(
        &self,
        runtime: &Runtime,
        key: RecordKey,
    ) -> (link::TargetKey, Arc<wire::Target>) {
        let mut targets = self.targets.lock();
        let (number, target) = targets.entry(key).or_insert_with(|| {
            let target = wire::Target {
                offer: key.0,
                namespace: self.namespace.clone(),
                service: self.address.service.clone(),
                method: self.address.method.clone(),
            };
            (runtime.next_target(), Arc::new(target))
        });
        (*number, Arc::clone(target))
    }
}
