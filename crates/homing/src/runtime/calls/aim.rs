//! Where do calls go?

use crate::runtime::Runtime;
use homing_core::link;
use homing_core::name::{Address, Method, Namespace, ServiceName};
use homing_core::registry::RecordKey;
use homing_core::requester::TargetKey;
use homing_core::talk::{OnSlot, Options};
use homing_core::wire;
use homing_core::wire::slots::{SERVICE, Verb};
use parking_lot::Mutex;
use std::collections::BTreeMap;
use std::sync::Arc;

/// Where calls go: an address in a namespace, looked up once.
pub(crate) struct Aim {
    pub(super) key: TargetKey,
    /// Under which its slots are held.
    pub(super) holder: u64,
    pub(crate) namespace: Namespace,
    pub(crate) address: Address,
    /// What links are told, by the offer that takes the call.
    targets: Mutex<BTreeMap<Meant, (link::TargetKey, Arc<wire::Target>)>>,
}

/// An offer, or what is asked of its slots.
type Meant = (RecordKey, Option<Verb>);

impl Aim {
    pub(super) fn new(
        key: TargetKey,
        holder: u64,
        namespace: Namespace,
        address: Address,
    ) -> Arc<Self> {
        Arc::new(Self { key, holder, namespace, address, targets: Mutex::default() })
    }

    /// The options of a call on a slot.
    pub(super) fn with_slot(
        &self,
        options: Option<Box<Options>>,
        slot: Option<u32>,
    ) -> Option<Box<Options>> {
        let Some(number) = slot else { return options };
        let mut options = options.unwrap_or_default();
        options.slot = Some(OnSlot { holder: self.holder, number });
        Some(options)
    }

    /// What links are told of the offer under `key`.
    pub(super) fn target(
        &self,
        runtime: &Runtime,
        key: RecordKey,
    ) -> (link::TargetKey, Arc<wire::Target>) {
        let named = || (self.address.service.clone(), self.address.method.clone());
        self.target_of(runtime, (key, None), named)
    }

    /// What links are told where the slots of the offer under `key` are meant.
    pub(super) fn slots_target(
        &self,
        runtime: &Runtime,
        key: RecordKey,
        verb: Verb,
    ) -> (link::TargetKey, Arc<wire::Target>) {
        self.target_of(runtime, (key, Some(verb)), || {
            let service = ServiceName::reserved(SERVICE).expect("it begins with a dollar");
            (service, verb.method().parse().expect("a word is a method"))
        })
    }

    fn target_of(
        &self,
        runtime: &Runtime,
        (key, verb): Meant,
        named: impl FnOnce() -> (ServiceName, Method),
    ) -> (link::TargetKey, Arc<wire::Target>) {
        let mut targets = self.targets.lock();
        let (number, target) = targets.entry((key, verb)).or_insert_with(|| {
            let (service, method) = named();
            let namespace = self.namespace.clone();
            let target = wire::Target { offer: key.0, namespace, service, method };
            (runtime.next_target(), Arc::new(target))
        });
        (*number, Arc::clone(target))
    }
}
