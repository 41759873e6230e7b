//! What do the tests of the registry offer to whom?

use super::body::{Body, NodeRecord, OfferRecord, OfferState, OfferedMethod};
use super::owner::Held;
use super::record::{Record, RecordKey};
use crate::crypto::{Crypto, Role};
use crate::id::{Epoch, NodeId};
use crate::name::ServiceName;
use bytes::Bytes;
use std::sync::Arc;

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

pub(crate) fn node_body(name: &str) -> Body {
    Body::Node(Arc::new(NodeRecord {
        name: name.parse().unwrap(),
        addresses: vec![crate::addr::TransportAddr::Tcp("127.0.0.1:4711".parse().unwrap())],
        agent: "homing/0.1.0".into(),
    }))
}

pub(crate) fn held(owner: NodeId, key: u32, version: u64, body: Body) -> Held {
    let key = RecordKey(key);
    let record = Record { owner, epoch: Epoch(1), key, version, body, signature: None };
    let mut bytes = Vec::new();
    record.encode(&mut bytes);
    Held { record: Arc::new(record), bytes: bytes.into() }
}

/// Cryptography that is none.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Fake {
    /// No key: nothing is signed.
    Plain,
    /// The holder of the key with this number signs by repeating it and the length of the message.
    Signing(u8),
}

impl Fake {
    /// The id that goes with a key.
    pub(crate) fn id(key: u8) -> NodeId {
        NodeId::from_key_digest(&Self::Plain.digest(&[key; 32]))
    }
}

impl Crypto for Fake {
    fn public_key(&self) -> [u8; 32] {
        match self {
            Self::Plain => [0; 32],
            Self::Signing(key) => [*key; 32],
        }
    }

    fn digest(&self, bytes: &[u8]) -> [u8; 32] {
        let sum = bytes
            .iter()
            .fold(7_u64, |sum, byte| (sum ^ u64::from(*byte)).wrapping_mul(0x100_0000_01b3));
        [sum.to_be_bytes()[3]; 32]
    }

    fn sign(&self, message: &[u8]) -> Option<[u8; 64]> {
        match self {
            Self::Plain => None,
            Self::Signing(key) => Some([self.digest(message)[0] ^ key; 64]),
        }
    }

    fn verify(&self, key: &[u8; 32], message: &[u8], signature: &[u8; 64]) -> bool {
        Self::Signing(key[0]).sign(message).as_ref() == Some(signature)
    }

    fn prove(&self, _: Role, _: &[u8]) -> [u8; 32] {
        [0; 32]
    }

    fn check(&self, _: Role, _: &[u8], _: &[u8; 32]) -> bool {
        true
    }

    fn seal(&self, _: NodeId, _: usize, _: &mut Vec<u8>) {}

    fn open(&self, _: NodeId, _: usize, _: &mut Vec<u8>) -> bool {
        true
    }
}
