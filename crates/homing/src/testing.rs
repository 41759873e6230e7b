//! How does one test programs that use homing without a network? On hosts in memory, cut and healed at will.
//!
//! A [`Network`] is seeded and needs neither ports nor files; under paused tokio time its seconds cost nothing. Nodes
//! join it with [`Config::testing`](crate::Config::testing), one or more on a host, and find each other as they would on
//! a real network. The network is as unkind as a real one may be: reads and writes come in parts, and on request
//! datagrams are [late](Network::set_latency) or [lost](Network::set_loss), and hosts are [cut](Network::cut) from each
//! other.
//!
//! Here a service fails over: the host of one instance is cut off in the middle of a call.
//!
//! ```
//! use homing::testing::Network;
//! use homing::{Config, Node};
//! use std::time::Duration;
//!
//! # async fn example() -> Result<(), Box<dyn std::error::Error>> {
//! let network = Network::new(7);
//! let mut servers = Vec::new();
//! for host in ["one", "two"] {
//!     let node = Node::join(Config::testing(&network, host)).await?;
//!     let slow = |number: u32| async move {
//!         tokio::time::sleep(Duration::from_secs(1)).await;
//!         number * 2
//!     };
//!     let responder = node.responder("double").repeatable(true).serve(slow).await?;
//!     servers.push((node, responder));
//! }
//! let client = Node::join(Config::testing(&network, "client")).await?;
//! let requester = client.requester().timeout(Duration::from_secs(30)).build();
//! requester.ready("double").await?;
//!
//! let calls = (0..4).map(|number| {
//!     let requester = requester.clone();
//!     tokio::spawn(async move { requester.call::<_, u32>("double", &number).await })
//! });
//! let calls: Vec<_> = calls.collect();
//! tokio::time::sleep(Duration::from_millis(500)).await;
//! network.isolate("one");
//! for (number, call) in (0..).zip(calls) {
//!     assert_eq!(call.await??, number * 2);
//! }
//! # Ok(())
//! # }
//! // In a test of yours: #[tokio::test(start_paused = true)]
//! # let mut runtime = tokio::runtime::Builder::new_current_thread();
//! # runtime.enable_all().start_paused(true).build().unwrap().block_on(example()).unwrap();
//! ```
//!
//! What a seed decides is the network's share of chance. Identities and the nodes' own chance come from the system, so a
//! run is not repeated to the last step; a test should hold for any.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

pub use crate::net::memory::Host;

use crate::net::memory::Fabric;

/// A network in memory. Clones are handles to the same one.
///
/// Hosts are made when first named, by whatever method; so no name is wrong.
#[derive(Clone)]
pub struct Network {
    fabric: Arc<Fabric>,
}

impl Network {
    /// An empty network whose whims follow from `seed`.
    pub fn new(seed: u64) -> Self {
        Self { fabric: Fabric::new(seed) }
    }

    /// The host of that name: a [`Net`](crate::net::Net) for nodes that are to run on it.
    pub fn host(&self, name: &str) -> Host {
        self.fabric.host(name)
    }

    /// Keeps anything from passing between two hosts until [`heal`](Self::heal). Datagrams are lost; connections
    /// stand still, and new ones wait, as through a pulled cable.
    pub fn cut(&self, a: &str, b: &str) {
        self.fabric.cut(self.ip(a), self.ip(b));
    }

    /// Undoes [`cut`](Self::cut). Whom [`isolate`](Self::isolate) cut off stays cut off.
    pub fn heal(&self, a: &str, b: &str) {
        self.fabric.heal(self.ip(a), self.ip(b));
    }

    /// Cuts a host from all others, those made later too, until [`heal_all`](Self::heal_all).
    pub fn isolate(&self, host: &str) {
        self.fabric.isolate(self.ip(host));
    }

    /// Undoes every cut and isolation.
    pub fn heal_all(&self) {
        self.fabric.heal_all();
    }

    /// From now on each datagram travels for between `min` and `max`, so that they overtake each other.
    /// A `max` below `min` counts as `min`. At first they arrive at once.
    pub fn set_latency(&self, min: Duration, max: Duration) {
        self.fabric.set_latency(min, max);
    }

    /// From now on so many of a hundred datagrams are lost; at first none. 100 and more: all.
    pub fn set_loss(&self, percent: u8) {
        self.fabric.set_loss(percent);
    }

    fn ip(&self, name: &str) -> IpAddr {
        self.fabric.host(name).ip()
    }
}

impl std::fmt::Debug for Network {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Network")
    }
}
