//! How does a program take part in a mesh?

use crate::access::{AccessList, RefusalStats};
use crate::config::Config;
use crate::error::{CallError, JoinError, ServeError, TopicError};
use crate::events::{Event, Events};
use crate::handler::Handler;
use crate::info::{NodeInfo, PeerInfo, ServiceInfo};
use crate::requester::{Requester, RequesterBuilder};
use crate::responder::{Offer, ResponderBuilder};
use crate::runtime::{self, Runtime};
use crate::stats::NodeStats;
use crate::topics::{Published, Publisher, Subscribe};
use homing_core::name::TopicPattern;
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::fmt;
use std::sync::Arc;

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

    /// The services this node knows of, in all namespaces, by name and version.
    pub fn services(&self) -> Vec<ServiceInfo> {
        self.inner.runtime.services()
    }

    /// The nodes this node knows of, itself first, with the links to them.
    pub async fn nodes(&self) -> Vec<PeerInfo> {
        self.inner.runtime.nodes().await
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
