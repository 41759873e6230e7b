//! Who offers what, and where is what does not use this library? One registry, the same on every node, eventually.
//!
//! Whatever a node [offers](crate::Node::serve) is in it by itself. Services that know nothing of this library are
//! [registered](Registry::register) by hand, by a node that answers for them: its end takes them out, and its silence
//! does so after their lifetime. A [persistent](Record::persistent) one stays until somebody frees it who may, for as long
//! as any member lives: the registry is in memory, and on no disk.
//!
//! ```
//! # async fn example() -> Result<(), Box<dyn std::error::Error>> {
//! # let node = homing::Node::join(homing::Config::isolated()).await?;
//! use homing::registry::Record;
//! use serde_json::json;
//!
//! let registry = node.registry();
//! let zone = json!({"zone": "eu"});
//! registry.register(Record::new("db@15.2.0")?.address("10.0.0.5:5432").data(zone)).await?;
//! let found = registry.get("db@^15")?;
//! assert_eq!(found[0].place().as_deref(), Some("10.0.0.5:5432"));
//! assert_eq!(registry.get(json!({"data.zone": "eu"}))?, found);
//! # node.close().await;
//! # Ok(())
//! # }
//! # tokio::runtime::Runtime::new().unwrap().block_on(example()).unwrap();
//! ```

mod events;
mod free;
mod picture;
mod query;
mod reach;
mod record;
mod register;
mod right;
mod wait;
mod watch;

pub use events::{RegistryEvent, RegistryEvents};
pub use free::Which;
pub use homing_core::registry::{BadRecordId, RecordId};
pub use query::{BadQuery, Query};
pub use record::{Lasting, Record};
pub use register::{Registered, Spread};
pub use right::{BadRight, Right};
pub use wait::{Missing, WaitError};
pub use watch::{Change, Watch};

use crate::error::{ConnectError, RegisterError};
use crate::events::Event;
use crate::runtime::Runtime;
use homing_core::id::NodeId;
use picture::{Entry, Reader, picture};
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

/// A node's view of the registry, and its hand in it: a cheap handle, to clone as often as is handy.
#[derive(Clone)]
pub struct Registry {
    runtime: Arc<Runtime>,
}

impl Registry {
    pub(crate) fn new(runtime: Arc<Runtime>) -> Self {
        Self { runtime }
    }

    /// Registers a service: a [`Record`], a name, or a name with its data, as in
    /// `register(("db@15.2.0", json!({"zone": "eu"})))`.
    ///
    /// Returns when the record is to be seen here; others learn of it within a second or two, and
    /// [`Registered::spread`] waits for that. It stands until it is freed or the node closes; dropping what is returned
    /// changes nothing. An address that was left out is that of this node,
    /// and follows it when it listens elsewhere.
    ///
    /// # Errors
    /// The name is none, the record is larger than 1,024 bytes or its data than 512, its lifetime is under three
    /// heartbeat intervals, a bound is reached, this node may not, is a visitor, or is closed. Nothing is registered.
    pub async fn register<R>(&self, record: R) -> Result<Registered, RegisterError>
    where
        R: TryInto<Record>,
        R::Error: Into<RegisterError>,
    {
        let record = record.try_into().map_err(Into::into)?;
        register::register(&self.runtime, &record).await
    }

    /// Whether a record could be registered, as far as this node can tell without doing it.
    ///
    /// # Errors
    /// As for [`register`](Self::register), where that is known before.
    pub fn check(&self, record: &Record) -> Result<(), RegisterError> {
        register::service(&self.runtime, record).map(drop)
    }

    /// Waits until all other members hold a registered record, 2 seconds at most, or know that it was freed; how many do.
    /// A visitor asks those that it is linked to.
    pub async fn spread(&self, id: RecordId) -> Spread {
        let found = self.runtime.spread_of(id).await;
        Spread { acknowledged: found.acknowledged, of: found.of }
    }

    /// Takes a record out of the registry: one of this node's own, by what it returned, its id or its port; or a
    /// persistent one of anybody, if this node has the right to. The record as it was; none if there is no such record.
    ///
    /// # Errors
    /// It is another node's, or this one has no right to it. It stays.
    pub async fn free(&self, which: impl Into<Which>) -> Result<Option<Record>, RegisterError> {
        free::free(&self.runtime, which.into()).await
    }

    /// All records, in all namespaces, in the order of their names: what is registered and what is offered. The nodes
    /// themselves are left out; `get("homing")` has them, and [`everything`](Self::everything).
    pub fn services(&self) -> Vec<Record> {
        self.found(|entry, _| !entry.is_node())
    }

    /// As [`services`](Self::services), with the nodes, each as `homing` in its version.
    pub fn everything(&self) -> Vec<Record> {
        self.found(|_, _| true)
    }

    /// The records that are meant: by name (`"db"`), exact version (`"db@15.2.0"`), range (`"db@^15"`) or any field
    /// (`json!({"data.zone": "eu"})`); see [`Query`].
    ///
    /// # Errors
    /// What was given says no records.
    pub fn get<Q>(&self, query: Q) -> Result<Vec<Record>, BadQuery>
    where
        Q: TryInto<Query>,
        Q::Error: Into<BadQuery>,
    {
        let query = query.try_into().map_err(Into::into)?;
        let home = &self.runtime.settings.namespace;
        let nodes = query.asks_for_nodes();
        Ok(self.found(|entry, record| (nodes || !entry.is_node()) && query.is_like(record, home)))
    }

    /// Waits until there is a record for each of these, as for [`get`](Self::get); of what is offered, one that takes
    /// calls.
    ///
    /// # Errors
    /// After `patience` some are missing, and it says which; or one of them says no service, or the node is closed.
    pub async fn wait_for<Q>(
        &self,
        wanted: impl IntoIterator<Item = Q>,
        patience: Duration,
    ) -> Result<(), WaitError>
    where
        Q: TryInto<Query>,
        Q::Error: Into<BadQuery>,
    {
        self.wait_and_tell(wanted, patience, |_| {}).await
    }

    /// As [`wait_for`](Self::wait_for), and tells what is missing, at first and whenever that changes.
    ///
    /// # Errors
    /// As [`wait_for`](Self::wait_for).
    pub async fn wait_and_tell<Q>(
        &self,
        wanted: impl IntoIterator<Item = Q>,
        patience: Duration,
        tell: impl FnMut(&[Missing]),
    ) -> Result<(), WaitError>
    where
        Q: TryInto<Query>,
        Q::Error: Into<BadQuery>,
    {
        let wanted = wanted.into_iter().map(|one| one.try_into().map_err(Into::into));
        let wanted: Vec<Query> = wanted.collect::<Result<_, BadQuery>>()?;
        wait::wait(&self.runtime, &wanted, patience, tell).await
    }

    /// Follows the registry: all records that are there, then every change; where all that the mesh knows has been told
    /// stands [`Change::Synced`].
    pub fn watch(&self) -> Watch {
        Watch::new(&self.runtime)
    }

    /// What happens from now on, in the words of tallship's page.
    pub fn events(&self) -> RegistryEvents {
        let runtime = &self.runtime;
        let first = Event::Listening { addresses: runtime.addresses() };
        let beats = runtime.beats();
        RegistryEvents::new(self.watch(), runtime.events.listen(first), beats)
    }

    /// Dials whoever is at an address, and keeps the link: [`Node::connect`](crate::Node::connect).
    ///
    /// # Errors
    /// As for [`Node::connect`](crate::Node::connect).
    pub async fn connect(&self, address: &str) -> Result<NodeId, ConnectError> {
        self.runtime.connect(address).await
    }

    /// Closes the node, whose hand in the registry this is: [`Node::close`](crate::Node::close).
    pub async fn close(&self) {
        self.runtime.close(self.runtime.settings.timings.drain).await;
    }

    fn found(&self, mut is_wanted: impl FnMut(&Entry, &Record) -> bool) -> Vec<Record> {
        let snapshot = Arc::clone(&self.runtime.snapshots.borrow());
        let reader = Reader::of(&self.runtime);
        let all = picture(&snapshot).into_iter().filter_map(|(id, entry)| {
            let record = entry.record(id, &snapshot, &reader);
            is_wanted(&entry, &record).then_some(record)
        });
        let mut found: Vec<Record> = all.collect();
        found.sort_by(|one, other| {
            let key = |record: &Record| (record.role.clone(), record.version.clone());
            key(one).cmp(&key(other))
        });
        found
    }
}

impl fmt::Debug for Registry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Registry")
    }
}
