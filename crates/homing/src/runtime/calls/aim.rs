//! Where do calls go?

use crate::runtime::{Runtime, why};
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

/// Which offer, and what of it.
type Meant = (RecordKey, Meaning);

/// What is asked of an offer.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(super) enum Meaning {
    /// The call itself.
    Call,
    /// Its slots.
    Slots(Verb),
    /// How busy it is.
    Load,
}

impl Meaning {
    /// The service of the mesh's own, and its method.
    const fn own(self) -> (&'static str, &'static str) {
        match self {
            Self::Call => ("", ""),
            Self::Slots(verb) => (SERVICE, verb.method()),
            Self::Load => (why::SERVICE, why::LOAD),
        }
    }
}

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
        self.target_of(runtime, (key, Meaning::Call), named)
    }

    /// What links are told where something else of the offer under `key` is meant than a call.
    pub(super) fn own_target(
        &self,
        runtime: &Runtime,
        key: RecordKey,
        meaning: Meaning,
    ) -> (link::TargetKey, Arc<wire::Target>) {
        self.target_of(runtime, (key, meaning), || {
            let (service, method) = meaning.own();
            let service = ServiceName::reserved(service).expect("it begins with a dollar");
            (service, method.parse().expect("a word is a method"))
        })
    }

    fn target_of(
        &self,
        runtime: &Runtime,
        (key, meaning): Meant,
        named: impl FnOnce() -> (ServiceName, Method),
    ) -> (link::TargetKey, Arc<wire::Target>) {
        let mut targets = self.targets.lock();
        let (number, target) = targets.entry((key, meaning)).or_insert_with(|| {
            let (service, method) = named();
            let namespace = self.namespace.clone();
            let target = wire::Target { offer: key.0, namespace, service, method };
            (runtime.next_target(), Arc::new(target))
        });
        (*number, Arc::clone(target))
    }
}
