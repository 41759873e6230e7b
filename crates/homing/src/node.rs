//! How does a program take part in a mesh?

use crate::access::{AccessList, RefusalStats};
use crate::config::Config;
use crate::diagnosis::{Audible, Diagnosis};
use crate::encoding::to_payload;
use crate::error::{CallError, ConnectError, JoinError, SendError, ServeError, TopicError};
use crate::events::{Event, Events};
use crate::handler::Handler;
use crate::info::{Linked, NodeInfo, PeerInfo, ServiceInfo, TopicInfo};
use crate::packets::{self, Messages, Recipients, Sent};
use crate::registry::Registry;
use crate::requester::{Requester, RequesterBuilder};
use crate::responder::{Offer, ResponderBuilder};
use crate::runtime::{self, Runtime};
use crate::stats::NodeStats;
use crate::topics::{Published, Publisher, Subscribe};
use crate::why::Explanation;
use homing_core::id::NodeId;
use homing_core::limits::KEPT_MAX;
use homing_core::name::TopicPattern;
use homing_core::node::Wish;
use homing_core::talk::{Code, Encoding, Payload, Status};
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

/// A program's membership in a mesh: a cheap handle, to clone as often as is handy.
///
/// ```
/// # async fn example() -> Result<(), Box<dyn std::error::Error>> {
/// # let config = homing::Config::isolated();
/// let node = homing::Node::join(config).await?;
/// node.serve("price@1.4.0/quote", |item: String| async move { item.len() * 10 }).await?;
/// let price: usize = node.call("price@^1/quote", "bread").await?;
/// assert_eq!(price, 50);
/// node.close().await;
/// # Ok(())
/// # }
/// # tokio::runtime::Runtime::new().unwrap().block_on(example()).unwrap();
/// ```
///
/// When the last clone is dropped the node ends at once, and what it was doing fails. Programs that care for their
/// callers end with [`close`](Self::close).
#[derive(Clone)]
pub struct Node {
    inner: Arc<Inner>,
}

struct Inner {
    runtime: Arc<Runtime>,
    requester: Requester,
}

impl Node {
    /// Joins the mesh that the configuration names: by default the one of this user's programs on this host.
    ///
    /// Returns when the node can be reached; who else is there it learns from then on ([`synced`](Self::synced)).
    /// Must be called in a tokio runtime, on whose threads the node lives.
    ///
    /// # Errors
    /// A setting cannot be used, an address cannot be had, or the rendezvous directory cannot be trusted. Nothing was
    /// started.
    #[expect(
        clippy::unused_async,
        reason = "it will wait: for keys, and for networks that are asked first"
    )]
    pub async fn join(config: Config) -> Result<Self, JoinError> {
        let settings = config.resolve()?;
        let runtime = runtime::start(settings)?;
        let requester = RequesterBuilder::new(Arc::clone(&runtime)).build();
        Ok(Self { inner: Arc::new(Inner { runtime, requester }) })
    }

    /// Offers a service: `service[@version][/method]`, answered by an async function of a request, or of a request and
    /// its [`Context`](crate::Context).
    ///
    /// The offer stands until the node closes or [`Offer::withdraw`] is called; dropping the [`Offer`] leaves it
    /// standing. For labels, a limit of calls at once, or an offer that ends with its guard, see
    /// [`responder`](Self::responder).
    ///
    /// # Errors
    /// The name is none, a bound is reached, or the node is closed. Nothing is offered.
    pub async fn serve<M>(
        &self,
        name: &str,
        handler: impl Handler<M>,
    ) -> Result<Offer, ServeError> {
        self.responder(name).offer(handler.erase()).await
    }

    /// Begins an offer with settings of its own; it ends with the [`Responder`](crate::Responder) that comes of it.
    pub fn responder(&self, name: &str) -> ResponderBuilder {
        ResponderBuilder::new(Arc::clone(&self.inner.runtime), name)
    }

    /// Calls `service[@range][/method]` and waits for the reply: up to 5 seconds, or as
    /// [`Timings::call`](crate::config::Timings::call) says, also for an instance to appear.
    ///
    /// # Errors
    /// The call's, with a code and a sentence; or the request or reply does not fit the types (`INVALID_ARGUMENT`,
    /// `INTERNAL`).
    pub async fn call<Q, R>(&self, address: &str, request: &Q) -> Result<R, CallError>
    where
        Q: Serialize + ?Sized,
        R: DeserializeOwned,
    {
        self.inner.requester.call(address, request).await
    }

    /// Begins a requester with settings of its own.
    pub fn requester(&self) -> RequesterBuilder {
        RequesterBuilder::new(Arc::clone(&self.inner.runtime))
    }

    /// Where another node's calls to an address go, and why: an [`Explanation`] of each of its requesters that call the
    /// service, at most [`EXPLAINERS_MAX`](crate::limits::EXPLAINERS_MAX); or, where none does, what a new one there
    /// would do. In this node's namespace.
    ///
    /// # Errors
    /// The text is no address, the node cannot be reached, it does not know the question, or this node may not call that
    /// service there.
    pub async fn explain_from(
        &self,
        node: NodeId,
        address: &str,
    ) -> Result<Vec<Explanation>, CallError> {
        let runtime = &self.inner.runtime;
        let explained = runtime.ask_why(node, &runtime.settings.namespace, &address.parse()?).await;
        explained.map_err(|status| CallError::new(status, None))
    }

    /// Sends a packet to one node or to several, each by its id, or by a text that is its id or its name; what became of
    /// it for each. It is written down once, in MessagePack.
    ///
    /// Packets for one node arrive in the order in which they were sent, at most once each. A node that has no link is
    /// dialled, as for a call; for one that is [kept](Self::keep) the packet waits instead. Where a slow reader has no
    /// room this waits, up to 5 seconds, or as [`Timings::call`](crate::config::Timings::call) says; dropped then, it has
    /// sent nothing to that node.
    ///
    /// # Errors
    /// A name is nobody's or several nodes' (then it lists their ids), or the packet cannot be written down or is over
    /// 16 MiB. It was sent to nobody.
    pub async fn send<T>(
        &self,
        to: impl Into<Recipients>,
        packet: &T,
    ) -> Result<Vec<Sent>, SendError>
    where
        T: Serialize + ?Sized,
    {
        let payload = to_payload(packet, Encoding::MessagePack).map_err(SendError::Packet)?;
        packets::send(&self.inner.runtime, to.into(), &payload).await
    }

    /// As [`send`](Self::send), of a payload as it is.
    ///
    /// # Errors
    /// As [`send`](Self::send).
    pub async fn send_raw(
        &self,
        to: impl Into<Recipients>,
        packet: &Payload,
    ) -> Result<Vec<Sent>, SendError> {
        packets::send(&self.inner.runtime, to.into(), packet).await
    }

    /// What other nodes [send](Self::send) to this one. Packets that came before anybody read wait, up to
    /// [`PACKETS_UNREAD_MAX`](crate::limits::PACKETS_UNREAD_MAX) of them.
    pub fn messages(&self) -> Messages {
        Messages::new(&self.inner.runtime.packets.mailbox)
    }

    /// Dials whoever is at an address, `homing://host:port` or `host:port`, and [keeps](Self::keep) the link; its id.
    ///
    /// A name is resolved, and all its addresses are tried, once each. A link that this node has made to such an address
    /// before is kept as it is. Dropped while it waits, the dial goes on, and who answers is kept. It is needed where
    /// discovery does not reach, and for programs that want to see to their links by hand.
    ///
    /// # Errors
    /// Nobody of this mesh is there, or it may not be tried: without a key a node stays on its host. Nobody is kept for
    /// it.
    pub async fn connect(&self, address: &str) -> Result<NodeId, ConnectError> {
        self.inner.runtime.connect(address).await
    }

    /// Keeps a link to a node from now on, or no longer.
    ///
    /// A kept link does not end when it is idle. When there is none, or it breaks, this node dials, now and again and
    /// again, after jittered pauses of up to 5 seconds, or as [`Timings`](crate::config::Timings) says. Each side of a
    /// link may keep it, on its own. Kept no longer, what [waits](crate::Delivery::Queued) for the node is dropped, and the link
    /// stays until it is idle.
    ///
    /// # Errors
    /// This very node cannot be kept, nor more than [`KEPT_MAX`](crate::limits::KEPT_MAX) others
    /// (`RESOURCE_EXHAUSTED`), nor any when this node is closed.
    pub async fn keep(&self, node: NodeId, keep: bool) -> Result<(), Status> {
        let wish = if keep { Wish::Keep } else { Wish::Release };
        if self.inner.runtime.keep(node, wish).await == keep {
            return Ok(());
        }
        if self.inner.runtime.is_closing() || node == self.info().id {
            let why = "this node is closed, or keeps a link to itself";
            return Err(Status::not_started(Code::FailedPrecondition, why));
        }
        let why = format!("this node keeps {KEPT_MAX} others already (KEPT_MAX)");
        Err(Status::not_started(Code::ResourceExhausted, why))
    }

    /// Whether this node keeps its link to that one; whether the other side does, [`links`](Self::links) says.
    pub async fn is_kept(&self, node: NodeId) -> bool {
        self.inner.runtime.is_kept(node).await
    }

    /// Ends the link to a node, and no longer [keeps](Self::keep) it.
    ///
    /// What was [written](crate::Delivery::Written) before still arrives, if it does so within a second; calls under way fail.
    /// If the other side keeps the link it dials again; and so does this one when somebody here calls it.
    pub async fn disconnect(&self, node: NodeId) {
        self.inner.runtime.disconnect(node).await;
    }

    /// The links that stand, one for each node that has any.
    pub async fn links(&self) -> Vec<Linked> {
        self.inner.runtime.linked().await
    }

    /// Publishes a value to a topic: to all that listen, at most once. Who publishes often has a
    /// [`publisher`](Self::publisher).
    ///
    /// # Errors
    /// The text is no topic, the value cannot be written or is too large, or the node is closed. That nobody listens is
    /// no error.
    pub async fn publish<T>(&self, topic: &str, value: &T) -> Result<Published, TopicError>
    where
        T: Serialize + ?Sized,
    {
        self.publisher(topic)?.publish(value).await
    }

    /// What publishes to a topic.
    ///
    /// # Errors
    /// The text is no topic.
    pub fn publisher(&self, topic: &str) -> Result<Publisher, TopicError> {
        let runtime = Arc::clone(&self.inner.runtime);
        let namespace = runtime.settings.namespace.clone();
        Ok(Publisher::new(runtime, namespace, topic.parse()?))
    }

    /// Says that this node publishes to these topics, for whoever lists them (`homing ls --topics`), until it closes. Who
    /// publishes need not say so.
    ///
    /// # Errors
    /// All that the node declares does not fit one record, it is a visitor, or it is closed.
    pub async fn declare(&self, topics: TopicPattern) -> Result<(), TopicError> {
        let runtime = &self.inner.runtime;
        runtime.declare(runtime.settings.namespace.clone(), topics).await
    }

    /// Begins a subscription to topics: `*` stands for one segment, `**` for any number. A message that is like several of
    /// the patterns comes once.
    ///
    /// ```
    /// # async fn example() -> Result<(), Box<dyn std::error::Error>> {
    /// # let node = homing::Node::join(homing::Config::isolated()).await?;
    /// let mut prices = node.subscribe(["prices.eu.*", "prices.us.**"]).capacity(100).await?;
    /// node.publish("prices.eu.bread", &3).await?;
    /// assert_eq!(prices.next().await.expect("the node is open").value::<u32>()?, 3);
    /// # Ok(())
    /// # }
    /// # tokio::runtime::Runtime::new().unwrap().block_on(example()).unwrap();
    /// ```
    pub fn subscribe<P: AsRef<str>>(&self, patterns: impl IntoIterator<Item = P>) -> Subscribe {
        Subscribe::new(Arc::clone(&self.inner.runtime), patterns)
    }

    /// Who this node is, and where it can be reached.
    pub fn info(&self) -> NodeInfo {
        self.inner.runtime.info()
    }

    /// The services this node knows of, in all namespaces, by name and version. What a node offers is among them as soon
    /// as the node itself is known.
    pub fn services(&self) -> Vec<ServiceInfo> {
        self.inner.runtime.services()
    }

    /// The registry: what is offered and what was registered by hand, anywhere in the mesh, and the way to register.
    pub fn registry(&self) -> Registry {
        Registry::new(Arc::clone(&self.inner.runtime))
    }

    /// What is published and listened to, as far as nodes say so, in all namespaces: patterns in their order, with the
    /// nodes that [declare](Self::declare) them and those that listen to them.
    pub fn topics(&self) -> Vec<TopicInfo> {
        self.inner.runtime.topics_info()
    }

    /// The nodes this node knows of, itself first, with the links to them.
    pub async fn nodes(&self) -> Vec<PeerInfo> {
        self.inner.runtime.nodes().await
    }

    /// Finds out why others are found and reached, or not: looks in every place, listens to everybody, tries every
    /// address of every known node by links and by datagrams. Takes about `patience`, of which a third, at most 1.5
    /// seconds, is listening.
    ///
    /// Others see a visitor come and go for each address. This node's own links stay as they are.
    ///
    /// # Errors
    /// The keys, certificates or the rendezvous directory cannot be read any more.
    pub async fn diagnose(&self, patience: Duration) -> Result<Diagnosis, JoinError> {
        self.inner.runtime.diagnose(patience).await
    }

    /// The nodes of every mesh that can be heard from here within `patience`, whatever their mesh and key: those in the
    /// rendezvous directories of this user, and those that call on this host or on its networks when anybody asks who is
    /// there. Up to [`AUDIBLE_MAX`](crate::limits::AUDIBLE_MAX) of them, this node left out.
    ///
    /// The question goes to every network of this host also where the node itself has no key, and stays on its host; it
    /// tells nothing but that somebody asks.
    pub async fn audible(&self, patience: Duration) -> Vec<Audible> {
        self.inner.runtime.audible(patience).await
    }

    /// How often a bound was reached since this node joined, and what was dropped of what others sent.
    pub async fn stats(&self) -> NodeStats {
        self.inner.runtime.stats().await
    }

    /// What happens from now on, after a first word on where this node listens. A listener that falls behind loses the oldest and is told how many.
    pub fn events(&self) -> Events {
        let runtime = &self.inner.runtime;
        runtime.events.listen(Event::Listening { addresses: runtime.addresses() })
    }

    /// Waits until some peer has told all it knows, or it is clear that there is none.
    ///
    /// Returns at once when the node is closed.
    pub async fn synced(&self) {
        self.inner.runtime.synced().await;
    }

    /// Another access list decides from now on; with `None`, everybody in the mesh may do everything again.
    ///
    /// Calls under way go on. Offers of others are looked at again: those that their owners may make appear.
    pub fn set_access(&self, list: Option<AccessList>) {
        self.inner.runtime.set_access(list);
    }

    /// How often this node has refused what others wanted.
    pub fn refusals(&self) -> RefusalStats {
        self.inner.runtime.access.gate.stats()
    }

    /// Leaves in peace: offers are withdrawn, calls under way end (up to 30 seconds, or as
    /// [`Timings::drain`](crate::config::Timings::drain) says), peers are told. Returns when every socket is shut.
    ///
    /// Calls of this node that are under way fail when their links end. Again is harmless.
    pub async fn close(&self) {
        let drain = self.inner.runtime.settings.timings.drain;
        self.inner.runtime.close(drain).await;
    }

    /// Leaves at once: what is under way fails, peers are told.
    pub async fn close_now(&self) {
        self.inner.runtime.close_now().await;
    }
}

impl fmt::Debug for Node {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Node").field("info", &self.info()).finish_non_exhaustive()
    }
}

impl Drop for Inner {
    fn drop(&mut self) {
        self.runtime.abandon();
    }
}
