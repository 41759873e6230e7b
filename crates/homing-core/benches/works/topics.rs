//! How long does it take to make a batch of messages, and to take it apart?

use bytes::Bytes;
use homing_core::id::NodeId;
use homing_core::registry::Slow;
use homing_core::talk::Payload;
use homing_core::topics::{Encoded, Outlet, split};

/// Messages in a batch.
pub(crate) const BATCH: usize = 100;

/// A message of 128 bytes.
pub(crate) fn message() -> Encoded {
    let payload = Payload::raw(vec![7; 128]);
    Encoded::new("prices.eur".parse().unwrap(), payload, None).unwrap()
}

/// Puts [`BATCH`] of them in, and takes the batch out.
pub(crate) fn join(outlet: &mut Outlet, message: &Encoded) -> Bytes {
    for _ in 0..BATCH {
        outlet.put(message);
    }
    outlet.take().unwrap()
}

/// An outlet in which nothing waits.
pub(crate) fn outlet() -> Outlet {
    Outlet::new(Slow::DropNewest)
}

/// Takes a batch apart, message by message: the bytes of their payloads.
pub(crate) fn part(batch: &Bytes) -> usize {
    let runs = split(NodeId::from_bytes([1; 16]), batch).unwrap().runs;
    runs.into_iter().flatten().map(|message| message.payload.bytes.len()).sum()
}
