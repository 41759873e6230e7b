//! What does a program that sees to its links by hand ask of the node's task?

use super::turn::{Turner, direction};
use super::{Runtime, Said, packets};
use crate::discovery::seeds::{Seed, resolve};
use crate::error::ConnectError;
use crate::info::{Kept, Linked};
use homing_core::addr::TransportAddr;
use homing_core::id::NodeId;
use homing_core::node::{self, ConnectId, Input, NotConnected, Wish};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::oneshot;
use tokio::time::timeout;

/// What came of a wish to connect.
pub(super) type Connected = Result<NodeId, NotConnected>;

/// How long the last packets to a node may take that is disconnected.
const LAST_WORDS: Duration = Duration::from_secs(1);

/// A wish of the program's, and who waits to hear of it.
pub(crate) enum Linking {
    /// A link to whoever is there.
    Connect { addresses: Vec<TransportAddr>, answer: oneshot::Sender<Connected> },
    /// The link to a node is to stay, or no longer; told whether it is kept now.
    Keep { node: NodeId, wish: Wish, answer: oneshot::Sender<bool> },
    /// No link to a node.
    Disconnect { node: NodeId, answer: oneshot::Sender<()> },
    /// Whether a node is kept.
    IsKept { node: NodeId, answer: oneshot::Sender<bool> },
}

impl Runtime {
    /// A link to whoever is at `place`, kept from now on.
    ///
    /// # Errors
    /// There is none.
    pub(crate) async fn connect(&self, place: &str) -> Result<NodeId, ConnectError> {
        let seed = seed(place)?;
        let bad = |problem: String| ConnectError::Address { given: place.to_owned(), problem };
        let port = self.settings.discovery.port;
        Seed::parse(seed, port).map_err(|problem| bad(format!("it {problem}")))?;
        let unresolved = |why: String| ConnectError::Unresolved { given: place.to_owned(), why };
        let addresses = match timeout(self.settings.timings.dial, resolve(seed, port)).await {
            Ok(addresses) => addresses.map_err(unresolved)?,
            Err(_) => return Err(unresolved("the name is not resolved in time".into())),
        };
        let addresses = addresses.into_iter().map(TransportAddr::Tcp).collect();
        let (answer, connected) = oneshot::channel();
        self.say_surely(Said::Linking(Linking::Connect { addresses, answer })).await;
        match connected.await {
            Ok(Ok(node)) => Ok(node),
            Ok(Err(NotConnected::Refused(status))) => Err(ConnectError::Refused(status)),
            Ok(Err(NotConnected::Unreachable(tried))) => Err(ConnectError::Unreachable { tried }),
            Err(_) => Err(ConnectError::Closed),
        }
    }

    /// Whether the node is kept after this.
    pub(crate) async fn keep(self: &Arc<Self>, node: NodeId, wish: Wish) -> bool {
        let kept = self.ask(|answer| Linking::Keep { node, wish, answer }).await.unwrap_or(false);
        if wish == Wish::Release {
            packets::forget_waiting(self, node).await;
        }
        kept
    }

    /// Whether this node keeps a link to that one.
    pub(crate) async fn is_kept(&self, node: NodeId) -> bool {
        self.ask(|answer| Linking::IsKept { node, answer }).await.unwrap_or(false)
    }

    /// Ends the links to a node, once the packets that were written are taken.
    pub(crate) async fn disconnect(self: &Arc<Self>, node: NodeId) {
        packets::rest(self, node, LAST_WORDS).await;
        // An error means that the node is closed.
        let _ = self.ask(|answer| Linking::Disconnect { node, answer }).await;
        packets::forget_waiting(self, node).await;
    }

    /// The links that are in use.
    pub(crate) async fn linked(&self) -> Vec<Linked> {
        let (now, peers) = (self.clock.now(), self.peers().await);
        let linked = |peer: node::PeerInfo| {
            peer.link?;
            Some(Linked {
                id: peer.node,
                name: peer.name,
                direction: direction(peer.direction),
                transport: self.carrier(peer.address.as_ref()),
                address: peer.address,
                kept: kept(peer.kept),
                age_ms: whole(now.since(peer.since?).as_millis()),
                rtt_us: peer.rtt.map(|rtt| whole(rtt.as_micros())),
            })
        };
        peers.into_iter().filter_map(linked).collect()
    }

    /// What is known of the nodes that have links, or had.
    pub(crate) async fn peers(&self) -> Vec<node::PeerInfo> {
        let (asker, peers) = oneshot::channel();
        self.say(Said::Peers(asker));
        peers.await.unwrap_or_default()
    }

    /// The answer; `None` once the node is closed.
    async fn ask<T>(&self, wish: impl FnOnce(oneshot::Sender<T>) -> Linking) -> Option<T> {
        let (answer, answered) = oneshot::channel();
        self.say_surely(Said::Linking(wish(answer))).await;
        answered.await.ok()
    }
}

impl Turner {
    /// Does what the program wishes. Who asked may have gone: then nobody hears the answer.
    pub(super) fn link(&mut self, linking: Linking) {
        let now = self.runtime.clock.now();
        match linking {
            Linking::Connect { addresses, answer } => {
                let last = self.askers.connecting.last_key_value();
                let connect = ConnectId(last.map_or(0, |(last, _)| last.0 + 1));
                self.askers.connecting.insert(connect, answer);
                self.machine.handle_input(now, Input::Connect { connect, addresses });
            }
            Linking::Keep { node, wish, answer } => {
                self.machine.handle_input(now, Input::Keep { node, wish });
                let _ = answer.send(self.machine.is_kept(&node));
            }
            Linking::Disconnect { node, answer } => {
                self.machine.handle_input(now, Input::Disconnect { node });
                let _ = answer.send(());
            }
            Linking::IsKept { node, answer } => {
                let _ = answer.send(self.machine.is_kept(&node));
            }
        }
    }

    pub(super) fn connected(&mut self, connect: ConnectId, outcome: Connected) {
        if let Some(answer) = self.askers.connecting.remove(&connect) {
            // Likewise; the node stays kept.
            let _ = answer.send(outcome);
        }
    }
}

/// What a place is as a seed: `host:port` without the scheme before it.
fn seed(place: &str) -> Result<&str, ConnectError> {
    let (scheme, seed) = place.split_once("://").unwrap_or(("homing", place));
    if matches!(scheme, "homing" | "tcp") {
        return Ok(seed);
    }
    let problem = format!("{scheme}:// leads to no node: homing://host:port does");
    Err(ConnectError::Address { given: place.to_owned(), problem })
}

fn kept(kept: node::Kept) -> Kept {
    match kept {
        node::Kept::No => Kept::No,
        node::Kept::Here => Kept::Here,
        node::Kept::There => Kept::There,
        node::Kept::Both => Kept::Both,
    }
}

fn whole(number: u128) -> u64 {
    u64::try_from(number).unwrap_or(u64::MAX)
}
