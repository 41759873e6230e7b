//! What do tests of topics publish?

use super::batch::{Encoded, Run, split};
use super::outlet::Outlet;
use crate::budget::Budget;
use crate::id::NodeId;
use crate::name::Topic;
use crate::talk::Payload;
use bytes::Bytes;
use std::sync::Arc;

pub(super) fn topic(text: &str) -> Topic {
    text.parse().unwrap()
}

/// A message on a topic, of as many bytes as its text has.
pub(super) fn message(topic_text: &str, payload: &str) -> Encoded {
    let payload = Payload::raw(payload.to_owned());
    Encoded::new(topic(topic_text), payload, None).unwrap()
}

pub(super) fn sender() -> NodeId {
    NodeId::from_bytes([7; 16])
}

pub(super) fn budget() -> Arc<Budget> {
    Arc::new(Budget::new(1 << 20))
}

/// All runs of a batch, as `topic: payload payload …`.
pub(super) fn shown(runs: impl IntoIterator<Item = Run>) -> Vec<String> {
    runs.into_iter()
        .map(|run| {
            let topic = run.topic().to_string();
            let payloads: Vec<String> = run.map(|message| text(&message.payload.bytes)).collect();
            format!("{topic}: {}", payloads.join(" "))
        })
        .collect()
}

pub(super) fn text(bytes: &Bytes) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

/// A run of messages on one topic.
pub(super) fn run_of(topic: &str, payloads: &[&str]) -> Run {
    let mut outlet = Outlet::new(crate::registry::Slow::DropNewest);
    for payload in payloads {
        outlet.put(&message(topic, payload));
    }
    split(sender(), &outlet.take().unwrap()).unwrap().runs.remove(0)
}
