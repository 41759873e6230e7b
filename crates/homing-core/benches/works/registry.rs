//! How long does it take to take in what peers tell of themselves and others?

use super::Plain;
use bytes::Bytes;
use homing_core::id::{Epoch, NodeId};
use homing_core::registry::{
    Body, Filter, Input, NodeRecord, OfferRecord, OfferState, OfferedMethod, Output, Record,
    RecordKey, Registry, Role, Snapshot, Via,
};
use homing_core::rng::Rng;
use homing_core::time::Time;
use homing_core::wire::{Guard, put_bytes};
use std::sync::Arc;

const NOW: Time = Time::from_millis(10);

/// Who tells.
const PEER: NodeId = NodeId::from_bytes([9; 16]);

/// The kind of a message that has records.
const RECORDS: u8 = 6;

/// A registry that knows many nodes, of which one changes its offer.
pub(crate) struct Told {
    registry: Registry,
    version: u64,
}

impl Told {
    /// It knows so many.
    pub(crate) fn knowing(count: u32) -> Self {
        Self { registry: knowing(count), version: 2 }
    }

    /// What the node says next of its offer.
    pub(crate) fn news(&mut self) -> Vec<u8> {
        self.version += 1;
        said(&[offer_of(1, self.version)])
    }

    /// The registry hears it. How many records it has.
    pub(crate) fn hear(&mut self, bytes: &[u8]) {
        tell(&mut self.registry, bytes);
    }

    /// What the node's requesters are told after it.
    pub(crate) fn snapshot(&mut self) -> Arc<Snapshot> {
        self.registry.snapshot()
    }
}

/// A registry that knows nothing, and all that another knows.
pub(crate) struct Sync {
    registry: Registry,
    messages: Vec<Vec<u8>>,
}

impl Sync {
    /// So many nodes with two records each.
    pub(crate) fn of(count: u32) -> Self {
        let mut registry = registry(0);
        for number in 1..=count {
            registry.handle_input(NOW, Input::Alive { node: id(number), epoch: Epoch(1) });
        }
        Self { registry, messages: all_of(&mut knowing(count)) }
    }

    /// It hears all. How many records it has then.
    pub(crate) fn hear(mut self) -> (usize, Self) {
        for bytes in &self.messages {
            tell(&mut self.registry, bytes);
        }
        (self.registry.records().count(), self)
    }
}

/// A registry that knows so many nodes that live, each with one offer.
pub(crate) fn knowing(count: u32) -> Registry {
    let mut knowing = registry(u32::MAX);
    for number in 1..=count {
        knowing.handle_input(NOW, Input::Alive { node: id(number), epoch: Epoch(1) });
        tell(&mut knowing, &said(&[node_of(number), offer_of(number, 2)]));
    }
    assert_eq!(knowing.records().count(), 2 * count as usize);
    knowing
}

fn tell(registry: &mut Registry, bytes: &[u8]) {
    registry.handle_input(NOW, Input::Message { from: PEER, via: Via::Link, bytes });
    while registry.poll_output().is_some() {}
}

/// The message that says these.
fn said(records: &[Record]) -> Vec<u8> {
    let mut message = vec![RECORDS];
    for record in records {
        let mut bytes = Vec::new();
        record.encode(&mut bytes);
        put_bytes(&mut message, &bytes);
    }
    message
}

fn node_of(number: u32) -> Record {
    record(number, RecordKey::NODE, 1, Body::Node(Arc::new(node())))
}

fn offer_of(number: u32, version: u64) -> Record {
    record(number, RecordKey(1), version, Body::Offer(Arc::new(offer())))
}

fn record(number: u32, key: RecordKey, version: u64, body: Body) -> Record {
    Record { owner: id(number), epoch: Epoch(1), key, version, body, signature: None }
}

/// What a registry tells who asks for everything.
fn all_of(registry: &mut Registry) -> Vec<Vec<u8>> {
    while registry.poll_output().is_some() {}
    let (to, filter) = (PEER, Filter::All);
    registry.handle_input(NOW, Input::SyncAsked { to, filter, follow: false });
    let mut all = Vec::new();
    while let Some(output) = registry.poll_output() {
        if let Output::Send { via: Via::Link, bytes, .. } = output {
            all.push(bytes);
        }
    }
    all
}

fn registry(number: u32) -> Registry {
    let crypto = Arc::new(Plain { number: 0 });
    let rng = Rng::from_seed(u64::from(number));
    let mut registry = Registry::new(Role::Member, id(number), Epoch(1), rng, crypto);
    registry.handle_input(NOW, Input::Linked(PEER));
    registry
}

/// Ids are spread over all there are.
fn id(number: u32) -> NodeId {
    let spread = u128::from(number).wrapping_mul(0x9e37_79b9_7f4a_7c15_f39c_c060_5ced_c835);
    NodeId::from_bytes(spread.to_be_bytes())
}

fn node() -> NodeRecord {
    NodeRecord {
        name: "node".parse().unwrap(),
        addresses: vec![],
        agent: "bench".to_owned(),
        guard: Guard::Insecure,
        keys: vec![],
        token: None,
    }
}

fn offer() -> OfferRecord {
    OfferRecord {
        namespace: "default".parse().unwrap(),
        service: "echo".parse().unwrap(),
        version: Some("1.2.0".parse().unwrap()),
        methods: vec![OfferedMethod { pattern: "**".parse().unwrap(), repeatable: true }],
        labels: vec!["zone=a".parse().unwrap()],
        metadata: Bytes::new(),
        state: OfferState::Open,
        origin: None,
    }
}
