//! What must hold of what registries tell each other?

use crate::crypto::fake::Fake;
use crate::id::{Epoch, NodeId};
use crate::limits::{ANSWERS_MAX, CHUNK_MAX, RECORD_MAX, REGISTRY_DATAGRAM_MAX};
use crate::node::control::Control;
use crate::registry::estate_list::put_id;
use crate::registry::message::{self, Message};
use crate::registry::withdrawal::Withdrawal;
use crate::registry::{BadRecord, Input, Output, Record, Registry, Role, Via};
use crate::rng::Rng;
use crate::time::Time;
use crate::wire::put_bytes;
use std::sync::Arc;
use std::time::Duration;

pub(super) const ME: NodeId = NodeId::from_bytes([0xbb; 16]);
/// Whose records the golden bytes are.
pub(super) const PEER: NodeId =
    NodeId::from_bytes([0x59, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1]);
pub(super) const LIFE: Epoch = Epoch(1_700_000_000_000);
const STRANGER: NodeId = NodeId::from_bytes([3; 16]);

/// A record, or what ends one: it reads back, and does not grow when it is written again.
pub fn record(bytes: &[u8]) {
    if let Ok(withdrawal) = Withdrawal::decode(bytes) {
        let out = withdrawal.encode();
        assert!(out.len() <= bytes.len(), "{} bytes became {}", bytes.len(), out.len());
        assert_eq!(
            Withdrawal::decode(&out),
            Ok(withdrawal),
            "a withdrawal that does not read back"
        );
    }
    match Record::decode(bytes) {
        Ok(record) => {
            assert!(bytes.len() <= RECORD_MAX, "a record of {} bytes was read", bytes.len());
            let mut out = Vec::new();
            record.encode(&mut out);
            assert!(out.len() <= bytes.len(), "{} bytes became {}", bytes.len(), out.len());
            assert_eq!(Record::decode(&out), Ok(record), "a record that does not read back");
        }
        Err(BadRecord::Malformed(_) | BadRecord::Newer(_)) => {}
    }
    heard_alone([&[message::RUMOURS], as_item(bytes).as_slice()].concat().as_slice());
}

/// What one node machine says to the other over their link: it reads back, and the registry's part keeps the promises of
/// [`registry`].
pub fn control(bytes: &[u8]) {
    let Ok(control) = Control::decode(bytes) else { return };
    let out = control.encode();
    assert_eq!(
        Control::decode(&out),
        Ok(control.clone()),
        "a control message that does not read back"
    );
    if let Control::Registry(message) = control {
        heard_alone(message);
    }
}

fn as_item(bytes: &[u8]) -> Vec<u8> {
    let mut item = Vec::new();
    put_bytes(&mut item, bytes);
    item
}

/// Messages of a peer, each two bytes of length and so many bytes: what is refused changes nothing, what is taken is of
/// owners that live, and the answers are bounded.
pub fn registry(bytes: &[u8]) {
    heard_alone(bytes);
    let mut registry = member();
    let mut rest = bytes;
    while let Some((&[high, low], behind)) = rest.split_first_chunk() {
        let len = usize::from(u16::from_be_bytes([high, low])).min(behind.len());
        let (message, behind) = behind.split_at(len);
        hear(&mut registry, message);
        rest = behind;
    }
}

/// The message to a registry that has heard nothing else: as a message, and by a visitor.
fn heard_alone(bytes: &[u8]) {
    message_reads_back(bytes);
    hear(&mut member(), bytes);
    let mut visitor =
        Registry::new(Role::Visitor, ME, LIFE, Rng::from_seed(1), Arc::new(Fake::PLAIN));
    visitor.handle_input(Time::ZERO, Input::Linked(PEER));
    hear(&mut visitor, bytes);
}

fn message_reads_back(bytes: &[u8]) {
    if let Ok(Some(message)) = Message::decode(bytes) {
        let out = encoded(&message);
        let again = Message::decode(&out);
        assert_eq!(again, Ok(Some(message)), "a message that does not read back");
    }
}

fn encoded(message: &Message<'_>) -> Vec<u8> {
    let mut out = Vec::new();
    match message {
        Message::Summary { owners, estate } => out = message::summary(*owners, *estate),
        Message::Buckets(buckets) => out = message::bucket_sums(buckets),
        Message::Owners(owners) => out = owners.encode(),
        Message::Indexes { tone, indexes } => {
            out.extend([message::INDEXES, *tone as u8]);
            for index in indexes {
                index.encode(&mut out);
            }
        }
        Message::Want(wanted) => {
            out.push(message::WANT);
            for wanted in wanted {
                wanted.encode(&mut out);
            }
        }
        Message::Records(records) | Message::Rumours(records) => {
            let news = matches!(message, Message::Rumours(_));
            out.push(if news { message::RUMOURS } else { message::RECORDS });
            for record in records {
                put_bytes(&mut out, record);
            }
        }
        Message::Lives(lives) => {
            out.push(message::LIVES);
            for lived in lives {
                lived.encode(&mut out);
            }
        }
        Message::End => out.push(message::END),
        Message::Confirm(record) => {
            out.push(message::CONFIRM);
            put_bytes(&mut out, record);
        }
        Message::Confirmed(confirmed) => out = confirmed.encode(),
        Message::EstateSums(sums) => out = message::estate_sums(sums),
        Message::EstateList(list) => {
            out.push(message::ESTATE_LIST);
            list.encode(&mut out);
        }
        Message::EstateWant(ids) => {
            out.push(message::ESTATE_WANT);
            for id in ids {
                put_id(&mut out, id);
            }
        }
    }
    out
}

/// A member that knows one other.
fn member() -> Registry {
    let mut registry =
        Registry::new(Role::Member, ME, LIFE, Rng::from_seed(1), Arc::new(Fake::PLAIN));
    registry.handle_input(Time::ZERO, Input::Members(vec![PEER]));
    registry.handle_input(Time::ZERO, Input::Alive { node: PEER, epoch: LIFE });
    registry.handle_input(Time::ZERO, Input::Linked(PEER));
    registry
}

fn hear(registry: &mut Registry, bytes: &[u8]) {
    if bytes.len() > CHUNK_MAX {
        return; // The link ends before the registry hears of it.
    }
    while registry.poll_output().is_some() {}
    registry.snapshot();
    let before = (registry.hash(), registry.records().count());
    registry.handle_input(Time::ZERO, Input::Message { from: STRANGER, via: Via::Link, bytes });
    let refused = !matches!(Message::decode(bytes), Ok(Some(_)));
    for via in [Via::Datagram, Via::Link] {
        registry.handle_input(Time::ZERO, Input::Message { from: PEER, via, bytes });
        let said = take_outputs(registry);
        assert!(!refused || said == 0, "refused, and answered");
    }
    if refused {
        let now = (registry.hash(), registry.records().count());
        assert_eq!(now, before, "refused, and left something");
        assert!(!registry.is_changed(), "refused, and changed the snapshot");
    }
    let dead = registry.records().find(|record| record.owner != PEER && record.owner != ME);
    assert_eq!(dead, None, "a record of a node that does not live");
    registry.snapshot();
    registry.handle_timeout(Time::ZERO + Duration::from_millis(100));
    take_outputs(registry);
}

/// How many outputs there were. Messages fit what carries them.
fn take_outputs(registry: &mut Registry) -> usize {
    let (mut count, mut sent) = (0, 0);
    while let Some(output) = registry.poll_output() {
        count += 1;
        if let Output::Send { via, bytes, .. } = output {
            sent += 1;
            let max = match via {
                Via::Datagram => REGISTRY_DATAGRAM_MAX,
                Via::Link => CHUNK_MAX,
            };
            assert!(bytes.len() <= max, "a message of {} bytes", bytes.len());
        }
    }
    assert!(sent <= 2 * ANSWERS_MAX, "{sent} messages in answer to one");
    count
}
