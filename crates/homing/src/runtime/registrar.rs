//! What did this node register by hand, and how does it end?

use super::{Runtime, Said, Spread};
use homing_core::addr::TransportAddr;
use homing_core::id::Epoch;
use homing_core::limits::{ADDRESSES_MAX, SNAPSHOT_PERIOD};
use homing_core::registry::{Host, RecordId, RecordKey, ServiceRecord, Snapshot};
use homing_core::talk::{Code, Status};
use parking_lot::Mutex;
use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::oneshot;
use tokio::time::timeout;

/// How long it is waited for a change to be seen here: a few snapshots.
const SHOWN_WAIT: Duration = SNAPSHOT_PERIOD.saturating_mul(10);

/// The services that a node registered, by the key of their records.
#[derive(Default)]
pub(crate) struct Registrar {
    table: Mutex<BTreeMap<RecordKey, Arc<Entry>>>,
}

/// One of them.
pub(crate) struct Entry {
    key: RecordKey,
    /// The life of the node in which it was last written: what lasts stays under that.
    life: Mutex<Epoch>,
    said: Mutex<(Arc<ServiceRecord>, Whereabouts)>,
    /// Held by who changes or frees it: in between, its key could become another's.
    alone: tokio::sync::Mutex<()>,
}

/// Where a service is, as far as its record says.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Whereabouts {
    /// Where whoever registered it said.
    Said,
    /// Wherever this node listens.
    Here,
}

impl Entry {
    /// What it says at present.
    pub(crate) fn service(&self) -> Arc<ServiceRecord> {
        Arc::clone(&self.said.lock().0)
    }
}

impl Registrar {
    /// The one under this key.
    pub(crate) fn at(&self, key: RecordKey) -> Option<Arc<Entry>> {
        self.table.lock().get(&key).cloned()
    }

    /// The one at this port; of several the one that was registered first, as far as keys tell.
    pub(crate) fn at_port(&self, port: u16) -> Option<Arc<Entry>> {
        self.table.lock().values().find(|entry| entry.service().port == port).cloned()
    }

    /// Those that are wherever this node listens.
    fn here(&self) -> Vec<Arc<Entry>> {
        let is_here = |entry: &&Arc<Entry>| entry.said.lock().1 == Whereabouts::Here;
        self.table.lock().values().filter(is_here).cloned().collect()
    }

    /// Whether this very one is still registered.
    pub(crate) fn holds(&self, entry: &Entry) -> bool {
        self.table.lock().get(&entry.key).is_some_and(|held| std::ptr::eq(Arc::as_ptr(held), entry))
    }
}

impl Runtime {
    /// Registers a service; returns when its record is written.
    ///
    /// # Errors
    /// The registry takes no such record.
    pub(crate) async fn register(
        &self,
        (service, place): (ServiceRecord, Whereabouts),
    ) -> Result<Arc<Entry>, Status> {
        let key = self.offers.take_key();
        let service = Arc::new(service);
        let entry = Entry {
            key,
            life: Mutex::new(self.epoch()),
            said: Mutex::new((Arc::clone(&service), place)),
            alone: tokio::sync::Mutex::default(),
        };
        let entry = Arc::new(entry);
        self.offers.registered.table.lock().insert(key, Arc::clone(&entry));
        let written = self.write(key, service).await;
        written.inspect_err(|_| self.strike(&entry)).map(|()| entry)
    }

    /// Says something else of a service; nothing if it was freed.
    ///
    /// # Errors
    /// The registry takes no such record. What was said before still holds.
    pub(crate) async fn reregister(
        &self,
        entry: &Entry,
        said: (ServiceRecord, Whereabouts),
    ) -> Result<(), Status> {
        let _alone = entry.alone.lock().await;
        self.rewrite(entry, said).await
    }

    /// Says something else of a service; by who alone changes it now.
    async fn rewrite(
        &self,
        entry: &Entry,
        (service, place): (ServiceRecord, Whereabouts),
    ) -> Result<(), Status> {
        if !self.offers.registered.holds(entry) {
            let why = "the record was freed: register it again";
            return Err(Status::not_started(Code::NotFound, why));
        }
        let before = self.id_of(entry);
        let service = Arc::new(service);
        self.write(entry.key, Arc::clone(&service)).await?;
        self.offers.heart.forget(entry.key);
        *entry.life.lock() = self.epoch();
        if before.epoch < self.epoch() {
            // The same of an earlier life, which lasts. Where somebody else has the right to end it, it stays.
            if let Err(status) = self.free_record(before).await {
                tracing::debug!(%status, id = %before, "what was said in an earlier life stays");
            }
        }
        *entry.said.lock() = (service, place);
        Ok(())
    }

    /// This node listens elsewhere than before: the records that left their address out say so.
    pub(crate) fn relocate(self: &Arc<Self>) {
        let here = self.offers.registered.here();
        if here.is_empty() || self.is_over() {
            return;
        }
        let runtime = Arc::clone(self);
        let relocating = async move {
            for entry in here {
                let _alone = entry.alone.lock().await;
                let service =
                    ServiceRecord { hosts: runtime.hosts(), ..(*entry.service()).clone() };
                if let Err(status) = runtime.rewrite(&entry, (service, Whereabouts::Here)).await {
                    tracing::debug!(%status, key = entry.key.0, "a record keeps its old address");
                }
            }
        };
        self.life.tasks.spawn_on(relocating, &self.life.threads);
    }

    /// Where this node listens, for a record: each address once.
    pub(crate) fn hosts(&self) -> Vec<Host> {
        let own = self.addresses();
        let ips = own.iter().filter_map(TransportAddr::tcp).map(|at| at.ip());
        let mut seen = BTreeSet::new();
        let mut ips: Vec<IpAddr> = ips.filter(|ip| seen.insert(*ip)).collect();
        if ips.is_empty() {
            // It listens on a unix socket alone: nobody on another host is to reach it.
            ips.push(Ipv4Addr::LOCALHOST.into());
        }
        ips.into_iter().take(ADDRESSES_MAX).map(Host::Ip).collect()
    }

    /// Ends an own record; what it said, unless somebody was faster.
    ///
    /// # Errors
    /// The registry cannot end it. It stays.
    pub(crate) async fn free_own(
        &self,
        entry: &Entry,
    ) -> Result<Option<Arc<ServiceRecord>>, Status> {
        let _alone = entry.alone.lock().await;
        if !self.offers.registered.holds(entry) {
            return Ok(None);
        }
        let freed = self.free_record(self.id_of(entry)).await?;
        self.strike(entry);
        Ok(freed)
    }

    /// Ends a record, whoever wrote it; what it said, if there was one.
    ///
    /// # Errors
    /// This node may not end it. It stays.
    pub(crate) async fn free_record(
        &self,
        id: RecordId,
    ) -> Result<Option<Arc<ServiceRecord>>, Status> {
        let (answer, freed) = oneshot::channel();
        self.say_surely(Said::Free { id, answer }).await;
        match freed.await.unwrap_or_else(|_| Err(closed())) {
            Ok(service) => {
                self.shown(|snapshot| snapshot.registered().all(|one| one.id != id)).await;
                Ok(Some(service))
            }
            Err(status) if status.code == Code::NotFound => Ok(None),
            Err(status) => Err(status),
        }
    }

    /// Waits until every member knows a record of a service, or its end, or too long; how many of how many do.
    pub(crate) async fn spread_of(&self, id: RecordId) -> Spread {
        let (answer, known) = oneshot::channel();
        self.say_surely(Said::SpreadOf { id, answer }).await;
        known.await.unwrap_or(Spread { acknowledged: 0, of: 0 })
    }

    /// The id of a record that this node registered.
    pub(crate) fn id_of(&self, entry: &Entry) -> RecordId {
        match entry.service().lasting {
            Some(_) => RecordId { epoch: *entry.life.lock(), ..self.own_record(entry.key) },
            None => self.own_record(entry.key),
        }
    }

    /// The id of an own record in the node's present life.
    fn own_record(&self, key: RecordKey) -> RecordId {
        RecordId { owner: self.me.id, epoch: self.epoch(), key }
    }

    async fn write(&self, key: RecordKey, service: Arc<ServiceRecord>) -> Result<(), Status> {
        let (answer, taken) = oneshot::channel();
        let said = Arc::clone(&service);
        self.say_surely(Said::Register { key, service, answer }).await;
        taken.await.unwrap_or_else(|_| Err(closed()))?;
        let id = self.own_record(key);
        self.shown(|snapshot| {
            snapshot.registered().any(|one| one.id == id && one.record.says_as(&said))
        })
        .await;
        Ok(())
    }

    /// Waits until whoever looks at the registry here sees what was just done to it.
    async fn shown(&self, is_seen: impl FnMut(&Snapshot) -> bool) {
        let (mut looks, mut is_seen) = (self.snapshots.subscribe(), is_seen);
        let seen = looks.wait_for(|snapshot| is_seen(snapshot));
        // Where somebody was faster it is not seen at all, and that is as well.
        let _ = timeout(SHOWN_WAIT, seen).await;
    }

    fn strike(&self, entry: &Entry) {
        self.offers.registered.table.lock().remove(&entry.key);
        self.offers.release_key(entry.key);
    }
}

fn closed() -> Status {
    Status::not_started(Code::FailedPrecondition, "the node is closed")
}
