//! Stand-in for the crate `homing` until it is there: the same names and signatures, no mesh behind them.
#![allow(
    missing_docs,
    clippy::unused_async,
    clippy::needless_pass_by_value,
    dead_code,
    unused_imports
)]

pub(crate) use homing_core::addr::TransportAddr;
pub(crate) use homing_core::id::{Epoch, NodeId};
pub(crate) use homing_core::limits;
pub(crate) use homing_core::talk::{Code, Encoding, Options, Payload, Started, Status};

use serde::Serialize;
use std::future::{Future, IntoFuture, Ready};
use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

macro_rules! name {
    ($($name:ident)*) => {$(
        #[derive(Clone, Debug, Eq, PartialEq)]
        pub(crate) struct $name(String);
        impl std::str::FromStr for $name {
            type Err = std::io::Error;
            fn from_str(text: &str) -> Result<Self, Self::Err> { Ok(Self(text.to_owned())) }
        }
        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result { f.write_str(&self.0) }
        }
    )*};
}
name!(MeshName Namespace NodeName Address OfferName Label Balancer);

#[derive(Debug)]
pub(crate) struct Absent;
pub(crate) type JoinError = AbsentError;
pub(crate) type ServeError = Absent;
#[derive(Debug)]
pub(crate) struct AbsentError;
#[derive(Debug)]
pub(crate) struct CallError;
impl From<CallError> for Status {
    fn from(_: CallError) -> Self {
        Status::new(Code::Unimplemented, "no mesh yet")
    }
}
impl std::fmt::Display for Absent {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("no mesh yet")
    }
}
impl std::fmt::Display for AbsentError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("no mesh yet")
    }
}

#[derive(Clone, Debug, Default)]
pub(crate) struct Config {
    pub(crate) mesh: Option<MeshName>,
    pub(crate) namespace: Option<Namespace>,
    pub(crate) name: Option<NodeName>,
    pub(crate) listen: Vec<SocketAddr>,
    pub(crate) advertise: Vec<SocketAddr>,
    pub(crate) insecure: bool,
    pub(crate) discovery: Discovery,
    pub(crate) transport: Transport,
}
#[derive(Clone, Debug, Default)]
pub(crate) struct Discovery {
    pub(crate) port: u16,
    pub(crate) group: Option<IpAddr>,
    pub(crate) ttl: u8,
    pub(crate) interfaces: Vec<String>,
    pub(crate) seeds: Vec<String>,
    pub(crate) rendezvous: Option<PathBuf>,
    pub(crate) scouting: bool,
}
#[derive(Clone, Copy, Debug, Default)]
pub(crate) enum Transport {
    #[default]
    Auto,
    Tcp,
    Unix,
}
impl Config {
    pub(crate) fn visitor() -> Self {
        Self::default()
    }
}

#[derive(Clone, Debug)]
pub(crate) struct Node;
#[derive(Clone, Debug, Serialize)]
pub(crate) struct NodeInfo {
    #[serde(skip)]
    pub(crate) namespace: Namespace,
    pub(crate) id: String,
    pub(crate) name: String,
}
pub(crate) struct Responder;
pub(crate) struct ResponderBuilder;
pub(crate) struct RequesterBuilder;
#[derive(Clone)]
pub(crate) struct Requester;
pub(crate) struct Events;
pub(crate) struct Call;
pub(crate) struct Context;
impl Context {
    pub(crate) fn caller(&self) -> NodeId {
        NodeId::from_bytes([0; 16])
    }
    pub(crate) fn method(&self) -> &str {
        ""
    }
    pub(crate) fn remaining(&self) -> Option<Duration> {
        None
    }
}
#[derive(Debug)]
pub(crate) enum Event {
    Unreachable { node: Option<NodeId>, tried: Vec<(TransportAddr, String)> },
    Missed(u64),
    Error(Status),
    Closed,
}
pub(crate) struct Instance {
    pub(crate) node: NodeId,
    pub(crate) name: String,
    pub(crate) version: Option<String>,
}
pub(crate) struct Reply {
    pub(crate) payload: Payload,
    pub(crate) instance: Instance,
}
#[derive(Clone, Debug, Serialize)]
pub(crate) struct ServiceInfo {
    pub(crate) namespace: String,
    pub(crate) service: String,
    pub(crate) version: Option<String>,
    pub(crate) methods: Vec<String>,
    pub(crate) instances: Vec<InstanceInfo>,
}
#[derive(Clone, Debug, Serialize)]
pub(crate) struct InstanceInfo {
    #[serde(skip)]
    pub(crate) node: NodeId,
    pub(crate) node_name: String,
    pub(crate) state: String,
    pub(crate) labels: Vec<String>,
    pub(crate) repeatable: bool,
}
#[derive(Clone, Debug, Serialize)]
pub(crate) struct PeerInfo {
    pub(crate) id: String,
    pub(crate) name: String,
    pub(crate) kind: String,
    pub(crate) epoch: u64,
    pub(crate) found: String,
    pub(crate) state: String,
    pub(crate) addresses: Vec<String>,
    pub(crate) links: Vec<LinkInfo>,
    pub(crate) rtt_us: Option<u64>,
    pub(crate) agent: String,
    pub(crate) insecure: bool,
}
#[derive(Clone, Debug, Serialize)]
pub(crate) struct LinkInfo {
    pub(crate) direction: String,
    pub(crate) kept: bool,
    pub(crate) transport: String,
}

impl Node {
    pub(crate) async fn join(_: Config) -> Result<Self, JoinError> {
        Err(AbsentError)
    }
    pub(crate) fn responder(&self, _: &str) -> ResponderBuilder {
        ResponderBuilder
    }
    pub(crate) fn requester(&self) -> RequesterBuilder {
        RequesterBuilder
    }
    pub(crate) fn info(&self) -> NodeInfo {
        NodeInfo { namespace: Namespace(String::new()), id: String::new(), name: String::new() }
    }
    pub(crate) fn services(&self) -> Vec<ServiceInfo> {
        vec![]
    }
    pub(crate) fn nodes(&self) -> Vec<PeerInfo> {
        vec![]
    }
    pub(crate) fn events(&self) -> Events {
        Events
    }
    pub(crate) async fn synced(&self) {}
    pub(crate) async fn close(&self) {}
    pub(crate) async fn close_now(&self) {}
}
impl Events {
    pub(crate) async fn next(&mut self) -> Option<Event> {
        None
    }
}
impl ResponderBuilder {
    pub(crate) fn label(self, _: Label) -> Self {
        self
    }
    pub(crate) fn metadata(self, _: impl Into<Vec<u8>>) -> Self {
        self
    }
    pub(crate) fn concurrency(self, _: u32) -> Self {
        self
    }
    pub(crate) fn queue(self, _: u32) -> Self {
        self
    }
    pub(crate) fn repeatable(self, _: bool) -> Self {
        self
    }
    pub(crate) async fn serve_raw<F, Fut>(self, _: F) -> Result<Responder, ServeError>
    where
        F: Fn(Payload, Context) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Result<Payload, Status>> + Send + 'static,
    {
        Err(Absent)
    }
}
impl RequesterBuilder {
    pub(crate) fn timeout(self, _: Duration) -> Self {
        self
    }
    pub(crate) fn no_wait(self) -> Self {
        self
    }
    pub(crate) fn balancer(self, _: Balancer) -> Self {
        self
    }
    pub(crate) fn repeatable(self, _: bool) -> Self {
        self
    }
    pub(crate) fn build(self) -> Requester {
        Requester
    }
}
impl Requester {
    pub(crate) fn request(&self, _: &Address, _: Payload) -> Call {
        Call
    }
    pub(crate) async fn call_raw(&self, _: &Address, _: Payload) -> Result<Reply, CallError> {
        Err(CallError)
    }
    pub(crate) async fn ready(&self, _: &Address) -> Result<(), CallError> {
        Err(CallError)
    }
}
impl Call {
    pub(crate) fn metadata(self, _: impl Into<String>, _: impl Into<Vec<u8>>) -> Self {
        self
    }
    pub(crate) fn instance(self, _: NodeId) -> Self {
        self
    }
}
impl IntoFuture for Call {
    type Output = Result<Reply, CallError>;
    type IntoFuture = Ready<Self::Output>;
    fn into_future(self) -> Self::IntoFuture {
        std::future::ready(Err(CallError))
    }
}
