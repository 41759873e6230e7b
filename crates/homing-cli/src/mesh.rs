//! Stand-in for what the crate `homing` does not have yet: the same names and signatures, no mesh behind them.
#![allow(
    missing_docs,
    clippy::unused_async,
    clippy::unused_self,
    clippy::needless_pass_by_value,
    dead_code,
    unused_imports
)]

pub(crate) use homing::config::{Config, Timings, Transport};
pub(crate) use homing::context::Context;
pub(crate) use homing::error::*;
pub(crate) use homing::events::*;
pub(crate) use homing::info::*;
pub(crate) use homing_core::addr::TransportAddr;
pub(crate) use homing_core::balance::Balancer;
pub(crate) use homing_core::id::{Epoch, NodeId};
pub(crate) use homing_core::limits;
pub(crate) use homing_core::name::*;
pub(crate) use homing_core::talk::{Code, Encoding, Options, Payload, Started, Status};

use std::future::{Future, IntoFuture, Ready};
use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

fn absent() -> Status {
    Status::not_started(Code::Unimplemented, "no mesh yet")
}

#[derive(Clone, Debug)]
pub(crate) struct Node;
pub(crate) struct Responder;
pub(crate) struct ResponderBuilder;
pub(crate) struct RequesterBuilder;
#[derive(Clone)]
pub(crate) struct Requester;
pub(crate) struct Call;
pub(crate) struct Reply {
    pub(crate) payload: Payload,
    pub(crate) instance: Instance,
}

impl Node {
    pub(crate) async fn join(_: Config) -> Result<Self, JoinError> {
        Err(JoinError::Refused(absent()))
    }
    pub(crate) fn responder(&self, _: &str) -> ResponderBuilder {
        ResponderBuilder
    }
    pub(crate) fn requester(&self) -> RequesterBuilder {
        RequesterBuilder
    }
    pub(crate) fn info(&self) -> NodeInfo {
        unreachable!("nobody joins a stand-in")
    }
    pub(crate) fn services(&self) -> Vec<ServiceInfo> {
        vec![]
    }
    pub(crate) fn nodes(&self) -> Vec<PeerInfo> {
        vec![]
    }
    pub(crate) fn events(&self) -> Events {
        unreachable!("nobody joins a stand-in")
    }
    pub(crate) async fn synced(&self) {}
    pub(crate) async fn close(&self) {}
    pub(crate) async fn close_now(&self) {}
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
        Err(ServeError::Closed)
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
        unreachable!("nobody joins a stand-in")
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
        unreachable!("nobody joins a stand-in")
    }
}
