//! What do the tests of the registry offer to whom?

use super::Guard;
use super::body::{Body, NodeRecord, OfferRecord, OfferState, OfferedMethod};
use super::interest::{DeclaredRecord, InterestRecord, Lane, Slow};
use super::owner::Held;
use super::record::{Record, RecordKey};
use super::service::{Right, ServiceRecord};
use crate::crypto::KeyId;
use crate::id::{Epoch, NodeId};
use crate::limits::LIFETIME_DEFAULT;
use crate::name::ServiceName;
use bytes::Bytes;
use std::sync::Arc;
use std::time::Duration;

/// The node with this number; numbers are spread over the buckets.
pub(crate) fn id(number: u8) -> NodeId {
    let mut bytes = [number; 16];
    bytes[0] = number.wrapping_mul(89);
    NodeId::from_bytes(bytes)
}

pub(crate) fn offer(service: &str) -> OfferRecord {
    OfferRecord {
        namespace: "default".parse().unwrap(),
        service: ServiceName::from_peer(service).unwrap(),
        version: Some("1.2.0".parse().unwrap()),
        methods: vec![
            OfferedMethod { pattern: "count".parse().unwrap(), repeatable: true },
            OfferedMethod { pattern: "admin/*".parse().unwrap(), repeatable: false },
        ],
        labels: vec!["zone=a".parse().unwrap()],
        metadata: Bytes::from_static(b"\x01\x02"),
        state: OfferState::Open,
        origin: None,
    }
}

pub(crate) fn offer_body(service: &str) -> Body {
    Body::Offer(Arc::new(offer(service)))
}

/// A record of a service at 10.0.0.5, which lives for a second longer than an offer when its owner is gone.
pub(crate) fn service(name: &str) -> ServiceRecord {
    ServiceRecord {
        namespace: "default".parse().unwrap(),
        service: ServiceName::from_peer(name).unwrap(),
        version: Some("15.2.0".parse().unwrap()),
        hosts: vec!["10.0.0.5".parse().unwrap(), "db.example".parse().unwrap()],
        port: 5432,
        data: Bytes::from_static(br#"{"role":"primary"}"#),
        lifetime: LIFETIME_DEFAULT + Duration::from_secs(1),
        written: 1_700_000_000_000,
        origin: None,
        lasting: None,
    }
}

pub(crate) fn service_body(name: &str) -> Body {
    Body::Service(Arc::new(service(name)))
}

/// One that lasts until who has this right ends it.
pub(crate) fn lasting_body(name: &str, right: Right) -> Body {
    Body::Service(Arc::new(ServiceRecord { lasting: Some(right), ..service(name) }))
}

pub(crate) fn node_body(name: &str) -> Body {
    Body::Node(Arc::new(NodeRecord {
        name: name.parse().unwrap(),
        addresses: vec![crate::addr::TransportAddr::Tcp("127.0.0.1:4711".parse().unwrap())],
        agent: "homing/0.1.0".into(),
        guard: Guard::Keyed,
        keys: vec![KeyId(0x0102_0304)],
        token: None,
    }))
}

/// A lane of the default namespace with these patterns.
pub(crate) fn lane(id: u32, patterns: &[&str]) -> Lane {
    Lane {
        id,
        namespace: "default".parse().unwrap(),
        group: None,
        slow: Slow::default(),
        patterns: patterns.iter().map(|text| text.parse().unwrap()).collect(),
    }
}

pub(crate) fn interest_body(lanes: Vec<Lane>) -> Body {
    Body::Interest(Arc::new(InterestRecord { lanes }))
}

pub(crate) fn declared_body(patterns: &[&str]) -> Body {
    let topic = |text: &&str| ("default".parse().unwrap(), text.parse().unwrap());
    Body::Declared(Arc::new(DeclaredRecord { topics: patterns.iter().map(topic).collect() }))
}

pub(crate) fn held(owner: NodeId, key: u32, version: u64, body: Body) -> Held {
    let key = RecordKey(key);
    let record = Record { owner, epoch: Epoch(1), key, version, body, signature: None };
    let mut bytes = Vec::new();
    record.encode(&mut bytes);
    Held { record: Arc::new(record), bytes: bytes.into() }
}
