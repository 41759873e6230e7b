//! How does a program tell another node something without asking for an answer?
//!
//! A packet goes to one node, or to several at once, over the link that calls take. It is told what became of it on the
//! way out; whether the other program reads it, nobody tells. Packets of one node arrive in the order in which they were
//! sent, each at most once: what was written to a link that breaks then is lost.
//!
//! ```
//! use homing::testing::Network;
//! use homing::{Config, Delivery, Node};
//!
//! # async fn example() -> Result<(), Box<dyn std::error::Error>> {
//! # let network = Network::new(1);
//! # let left = Node::join(Config::testing(&network, "left").name("left")?).await?;
//! # let right = Node::join(Config::testing(&network, "right").name("right")?).await?;
//! let mut messages = right.messages();
//! let port = right.info().addresses[0].tcp().expect("it listens for TCP");
//! left.connect(&format!("homing://{port}")).await?;
//!
//! let sent = left.send("right", &17).await?;
//! assert_eq!(sent[0].delivery, Delivery::Written);
//!
//! let packet = messages.next().await.expect("it was sent");
//! assert_eq!(packet.from, left.info().id);
//! assert_eq!(packet.decode::<u32>()?, 17);
//! # Ok(())
//! # }
//! # let mut runtime = tokio::runtime::Builder::new_current_thread();
//! # runtime.enable_all().start_paused(true).build().unwrap().block_on(example()).unwrap();
//! ```

use crate::encoding::from_payload;
use crate::error::SendError;
use crate::runtime::Runtime;
use crate::runtime::packets::{Mailbox, send as send_to};
use futures_core::Stream;
use homing_core::id::NodeId;
use homing_core::name::NodeName;
use homing_core::packets;
use homing_core::registry::NodeState;
use homing_core::talk::{Payload, Status};
use serde::de::DeserializeOwned;
use std::collections::BTreeSet;
use std::fmt;
use std::future::poll_fn;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

/// A packet, as it came.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Packet {
    /// Who sent it: proven, not claimed.
    pub from: NodeId,
    /// What it says.
    pub payload: Payload,
}

impl Packet {
    /// What it says, as a value.
    ///
    /// # Errors
    /// `INVALID_ARGUMENT`: it does not fit the type.
    pub fn decode<T: DeserializeOwned>(&self) -> Result<T, Status> {
        from_payload(&self.payload)
    }
}

/// What became of a packet on its way out to one node.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Delivery {
    /// It is on a link to the node, behind all that were sent before. When the link breaks now, it may be lost.
    Written,
    /// The node is kept, and has no link now: the packet waits and is written, in its turn, when there is one.
    Queued,
    /// It was not sent, and is not kept: the node is not known (`NOT_FOUND`), cannot be reached (`UNAVAILABLE`), takes no
    /// packets of this one (`PERMISSION_DENIED`), does not read (`DEADLINE_EXCEEDED`), or too much waits for it already
    /// (`RESOURCE_EXHAUSTED`).
    Refused(Status),
}

/// What became of a packet for one of the nodes it was for.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Sent {
    /// The node.
    pub node: NodeId,
    /// What became of it.
    pub delivery: Delivery,
}

/// Whom a packet is for: one node or several, each by its id, or by a text that is its id or its name.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Recipients(Vec<Recipient>);

#[derive(Clone, Debug, Eq, PartialEq)]
enum Recipient {
    Node(NodeId),
    Named(String),
}

impl From<NodeId> for Recipients {
    fn from(node: NodeId) -> Self {
        Self(vec![Recipient::Node(node)])
    }
}

impl From<&NodeId> for Recipients {
    fn from(node: &NodeId) -> Self {
        (*node).into()
    }
}

impl From<&NodeName> for Recipients {
    fn from(name: &NodeName) -> Self {
        Self(vec![Recipient::Named(name.to_string())])
    }
}

impl From<&str> for Recipients {
    fn from(text: &str) -> Self {
        Self(vec![text.parse().map_or_else(|_| Recipient::Named(text.into()), Recipient::Node)])
    }
}

impl From<&String> for Recipients {
    fn from(text: &String) -> Self {
        text.as_str().into()
    }
}

impl<T: Copy + Into<Self>> From<&[T]> for Recipients {
    fn from(all: &[T]) -> Self {
        Self(all.iter().flat_map(|one| (*one).into().0).collect())
    }
}

impl<T: Copy + Into<Self>, const N: usize> From<[T; N]> for Recipients {
    fn from(all: [T; N]) -> Self {
        all[..].into()
    }
}

impl<T: Copy + Into<Self>> From<&Vec<T>> for Recipients {
    fn from(all: &Vec<T>) -> Self {
        all[..].into()
    }
}

/// Sends a payload; see [`Node::send`](crate::Node::send).
pub(crate) async fn send(
    runtime: &Arc<Runtime>,
    to: Recipients,
    payload: &Payload,
) -> Result<Vec<Sent>, SendError> {
    let nodes = nodes(runtime, to).await?;
    let deliveries = send_to(runtime, &nodes, payload).await.map_err(SendError::Packet)?;
    let sent = nodes.into_iter().zip(deliveries);
    Ok(sent.map(|(node, delivery)| Sent { node, delivery }).collect())
}

/// The nodes that are meant, each once, in the order in which they were named.
async fn nodes(runtime: &Runtime, to: Recipients) -> Result<Vec<NodeId>, SendError> {
    let (mut nodes, mut seen) = (Vec::new(), BTreeSet::new());
    for recipient in to.0 {
        let node = match recipient {
            Recipient::Node(node) => node,
            Recipient::Named(name) => named(runtime, name).await?,
        };
        if seen.insert(node) {
            nodes.push(node);
        }
    }
    Ok(nodes)
}

/// The node of this name: among those that are there, or else among those that were.
async fn named(runtime: &Runtime, name: String) -> Result<NodeId, SendError> {
    let (mut present, mut absent) = (BTreeSet::new(), BTreeSet::new());
    let is_named = |other: &NodeName| other.as_str() == name;
    if is_named(&runtime.me.name) {
        present.insert(runtime.me.id);
    }
    for peer in runtime.peers().await.into_iter().filter(|peer| is_named(&peer.name)) {
        let place = if peer.link.is_some() { &mut present } else { &mut absent };
        place.insert(peer.node);
    }
    let snapshot = runtime.snapshots.borrow().clone();
    for known in snapshot.nodes().filter(|known| is_named(&known.record.name)) {
        let place = if known.state == NodeState::Alive { &mut present } else { &mut absent };
        place.insert(known.id);
    }
    let mut found = if present.is_empty() { absent } else { present };
    match (found.pop_first(), found.is_empty()) {
        (None, _) => Err(SendError::Unknown { name }),
        (Some(node), true) => Ok(node),
        (Some(node), false) => {
            found.insert(node);
            Err(SendError::Ambiguous { name, nodes: found.into_iter().collect() })
        }
    }
}

/// What other nodes send this one, as it comes. A [`Stream`].
///
/// All readers of a node share what comes: each packet is given to one of them. While there is one, nothing is lost
/// here: where it is slow, up to [`PACKETS_UNREAD_MAX`](crate::limits::PACKETS_UNREAD_MAX) packets wait for it, then
/// those who send wait, and nothing else on their links does. While there is none, so many wait for one to come; further
/// ones are dropped, and counted in [`PacketStats::dropped`](crate::stats::PacketStats::dropped).
pub struct Messages {
    mailbox: Arc<Mailbox>,
    number: u64,
}

impl Messages {
    pub(crate) fn new(mailbox: &Arc<Mailbox>) -> Self {
        Self { mailbox: Arc::clone(mailbox), number: mailbox.enter() }
    }

    /// The next packet; `None` once the node is closed and all were read.
    ///
    /// May be dropped while it waits (in a `select!`): no packet is lost by that.
    pub async fn next(&mut self) -> Option<Packet> {
        poll_fn(|cx| Pin::new(&mut *self).poll_next(cx)).await
    }
}

impl Stream for Messages {
    type Item = Packet;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Packet>> {
        let packet = self.mailbox.poll(self.number, cx);
        packet
            .map(|packet| packet.map(|packets::Packet { from, payload }| Packet { from, payload }))
    }
}

impl Drop for Messages {
    fn drop(&mut self) {
        self.mailbox.leave(self.number);
    }
}

impl fmt::Debug for Messages {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Messages").field("number", &self.number).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(to: impl Into<Recipients>, expect: &[&str]) {
        let named = |one: &Recipient| match one {
            Recipient::Node(node) => format!("id {}", node.short()),
            Recipient::Named(name) => name.clone(),
        };
        assert_eq!(to.into().0.iter().map(named).collect::<Vec<_>>(), expect);
    }

    #[test]
    fn nodes_are_meant_by_id_or_name_one_or_several() {
        let id = NodeId::from_bytes([0xab; 16]);
        let text = id.to_string();
        check(id, &["id abababab"]);
        check(&text, &["id abababab"]);
        check("words-7", &["words-7"]);
        check(&"words-7".parse::<NodeName>().unwrap(), &["words-7"]);
        check([id, id], &["id abababab", "id abababab"]);
        check(["one", text.as_str()], &["one", "id abababab"]);
        check(&vec![id], &["id abababab"]);
        check(&["one", "two"][..], &["one", "two"]);
    }
}
