//! A service mesh in a library: programs on a private network find each other with no configuration, agree on who
//! offers what, and talk over direct links.
//!
//! ```
//! # async fn example() -> Result<(), Box<dyn std::error::Error>> {
//! use homing::{Config, Node};
//!
//! # let config = Config::isolated();
//! # #[cfg(any())]
//! let config = Config::default();
//! let node = Node::join(config).await?;
//! node.serve("greet@1.0.0", |name: String| async move { format!("hello, {name}") }).await?;
//! let greeting: String = node.call("greet", "world").await?;
//! assert_eq!(greeting, "hello, world");
//! # node.close().await;
//! # Ok(())
//! # }
//! # tokio::runtime::Runtime::new().unwrap().block_on(example()).unwrap();
//! ```
//!
//! Start with [`Node`]. [`Requester`] and [`Responder`] are the handles behind its short forms, [`Config`] has every
//! setting, [`testing`] a network in memory for tests of your own. With the feature `tower`, `service` lets tower's layers
//! wrap both ends; with `redis` and `srv`, nodes also find each other in Redis and by service records ([`discovery`]).

pub mod access;
mod calling;
mod clock;
pub mod config;
pub mod context;
mod crank;
pub mod diagnosis;
pub mod discovery;
pub mod encoding;
pub mod error;
pub mod events;
pub mod handler;
pub mod info;
pub mod net;
mod node;
pub mod packets;
pub mod registry;
mod requester;
mod responder;
mod runtime;
mod scatter;
pub mod security;
#[cfg(feature = "tower")]
pub mod service;
pub mod slots;
pub mod stats;
pub mod streams;
pub mod testing;
pub mod topics;
pub mod why;

pub use access::{AccessList, Claims, Issuer, RefusalStats, TokenSource};
pub use calling::Calling;
pub use config::{Bounds, Config, Discovery, SetBy, SettingInfo, Timings, Transport};
pub use context::Context;
pub use diagnosis::Diagnosis;
pub use error::{
    CallError, ConfigError, ConnectError, JoinError, RegisterError, SendError, ServeError,
    TopicError,
};
pub use events::{Event, Events};
pub use handler::{Annotated, Handler, RawHandler, RawStreamHandler, StreamHandler};
pub use homing_core::addr::TransportAddr;
pub use homing_core::balance::{BadBalancer, Balancer};
pub use homing_core::crypto::KeyId;
pub use homing_core::id::{BadNodeId, Epoch, NodeId};
pub use homing_core::limits;
pub use homing_core::name::{
    Address, BadName, Label, MeshName, Method, MethodPattern, Namespace, NodeName, OfferName,
    Range, ServiceName, Topic, TopicPattern, Version, VersionReq,
};
pub use homing_core::registry::Slow;
pub use homing_core::requester::{
    BadWeight, Ejection, Hedge, Here, Locality, Outliers, Policy, Retry, Weight,
};
pub use homing_core::slots::{
    Interval as RovingInterval, Keep, KeepRule, Place, Slot, Terms as SlotTerms, keep_lowest,
};
pub use homing_core::talk::{BadEncoding, Code, Encoding, Payload, Started, Status};
pub use homing_core::topics::Dropped;
pub use info::{
    Carrier, Direction, Guard, Instance, InstanceInfo, InstanceState, Kept, Kind, LinkInfo, Linked,
    NodeInfo, NodeState, PeerInfo, ServiceInfo, TopicInfo, TopicNode,
};
pub use node::Node;
pub use packets::{Delivery, Messages, Packet, Recipients, Sent};
pub use registry::{Record, RecordId, Registry};
pub use requester::{Call, Callee, Reply, Requester, RequesterBuilder};
pub use responder::{Offer, Responder, ResponderBuilder};
pub use scatter::{CallAll, Outcome, Outcomes};
pub use security::{Authority, Key, KeyFile};
pub use slots::{HeldSlot, RequesterEvent, RequesterEvents};
pub use stats::NodeStats;
pub use streams::{
    Item, ItemReader, Items, Opening, RawItems, RawWriter, Replies, Requests, Writer,
};
pub use topics::{Listener, Message, Published, Publisher, Subscribe, Subscription};
pub use why::{ExplainedInstance, Explanation};

/// The example of the README is compiled and run with the examples of the documentation.
#[cfg(doctest)]
#[doc = include_str!("../../../README.md")]
struct Readme;
