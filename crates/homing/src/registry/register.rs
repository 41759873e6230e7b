//! How does a program register a service that does not use this library?

use super::RecordId;
use super::picture::Reader;
use super::record::{Lasting, Record};
use crate::error::RegisterError;
use crate::info::Guard;
use crate::runtime::Runtime;
use crate::runtime::registrar::{Entry, Whereabouts};
use bytes::Bytes;
use homing_core::limits::{LIFETIME_MAX, OFFERS_MAX, RECORD_DATA_MAX};
use homing_core::registry::{Host, Right, ServiceRecord};
use homing_core::talk::{Code, Status};
use serde_json::Value;
use std::fmt;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// A service that this node has registered. It stands until it is freed, or the node closes; dropping this changes
/// nothing.
#[derive(Clone)]
pub struct Registered {
    runtime: Arc<Runtime>,
    entry: Arc<Entry>,
}

/// How far a record has come.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct Spread {
    /// So many other members said that they hold it.
    pub acknowledged: usize,
    /// Of so many that there are.
    pub of: usize,
}

impl Registered {
    /// Which record it is. Another one, should the node have to begin a later life (decisions A10), unless it is
    /// persistent.
    pub fn id(&self) -> RecordId {
        self.runtime.id_of(&self.entry)
    }

    /// The record as others read it, freed or not.
    pub fn record(&self) -> Record {
        read(&self.runtime, self.id(), &self.entry.service())
    }

    /// Says something else: of all that the record says. That it is the same is no news to anybody.
    ///
    /// # Errors
    /// As for [`Registry::register`](super::Registry::register), or it was freed. What was said before still holds.
    pub async fn update(&self, record: &Record) -> Result<(), RegisterError> {
        let service = service(&self.runtime, record)?;
        self.runtime
            .reregister(&self.entry, (service, whereabouts(record)))
            .await
            .map_err(RegisterError::Refused)
    }

    /// Takes it out of the registry: the record as it was, or none where that was done before.
    ///
    /// # Errors
    /// The node is closed.
    pub async fn free(&self) -> Result<Option<Record>, RegisterError> {
        let id = self.id();
        let freed = self.runtime.free_own(&self.entry).await.map_err(RegisterError::Refused)?;
        Ok(freed.map(|service| read(&self.runtime, id, &service)))
    }

    /// Waits until all other members hold the record, 2 seconds at most; how many do.
    pub async fn spread(&self) -> Spread {
        let found = self.runtime.spread_of(self.id()).await;
        Spread { acknowledged: found.acknowledged, of: found.of }
    }
}

impl fmt::Debug for Registered {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Registered({})", self.id())
    }
}

/// Registers a record.
pub(super) async fn register(
    runtime: &Arc<Runtime>,
    record: &Record,
) -> Result<Registered, RegisterError> {
    if runtime.is_closing() {
        return Err(RegisterError::Closed);
    }
    let service = service(runtime, record)?;
    if runtime.offers.len() >= OFFERS_MAX {
        let why = format!("this node offers and registers {OFFERS_MAX} services (OFFERS_MAX)");
        return Err(exhausted(why));
    }
    let entry =
        runtime.register((service, whereabouts(record))).await.map_err(RegisterError::Refused)?;
    Ok(Registered { runtime: Arc::clone(runtime), entry })
}

/// The record of a service as this node reads it.
pub(super) fn read(runtime: &Runtime, id: RecordId, service: &ServiceRecord) -> Record {
    let snapshot = Arc::clone(&runtime.snapshots.borrow());
    Reader::of(runtime).read(id, service, &snapshot)
}

/// What a record comes to where everything is said that it left out.
pub(super) fn service(runtime: &Runtime, record: &Record) -> Result<ServiceRecord, RegisterError> {
    let settings = &runtime.settings;
    Ok(ServiceRecord {
        namespace: record.namespace.clone().unwrap_or_else(|| settings.namespace.clone()),
        service: record.role.clone(),
        version: record.version.clone(),
        hosts: hosts(runtime, record.address.as_deref())?,
        port: record.port.unwrap_or(0),
        data: data(&record.data)?,
        lifetime: lifetime(runtime, record)?,
        written: unix_millis(),
        origin: record.origin.clone(),
        lasting: right(runtime, &record.lasting)?,
    })
}

const fn whereabouts(record: &Record) -> Whereabouts {
    if record.address.is_some() { Whereabouts::Said } else { Whereabouts::Here }
}

fn lifetime(runtime: &Runtime, record: &Record) -> Result<Duration, RegisterError> {
    let timings = &runtime.settings.timings;
    let lifetime = record.ttl.unwrap_or(timings.registration_lifetime);
    let too_long =
        || format!("it is at most {LIFETIME_MAX:?}: what is to stay longer is persistent");
    let flaw = timings.flaw_of(lifetime);
    match flaw.or_else(|| (lifetime > LIFETIME_MAX).then(too_long)) {
        Some(problem) => Err(RegisterError::Lifetime { given: lifetime, problem }),
        None => Ok(lifetime),
    }
}

/// The address that was said, or all those at which this node listens.
fn hosts(runtime: &Runtime, said: Option<&str>) -> Result<Vec<Host>, RegisterError> {
    let Some(said) = said else {
        return Ok(runtime.hosts());
    };
    let bad = |problem: String| RegisterError::Address { given: said.to_owned(), problem };
    match said.parse::<Host>() {
        Ok(Host::Ip(ip)) if ip.is_unspecified() => {
            let right = "it is every address of a host, and of none: leave it out, or say one";
            Err(bad(right.to_owned()))
        }
        Ok(host) => Ok(vec![host]),
        Err(error) => Err(bad(error.to_string())),
    }
}

fn data(data: &Value) -> Result<Bytes, RegisterError> {
    let text = if data.is_null() { String::new() } else { data.to_string() };
    if text.len() > RECORD_DATA_MAX {
        return Err(RegisterError::Data { given: text.len() });
    }
    Ok(text.into())
}

/// Who may free what lasts: who was named, or the owner; where nothing is signed, anybody.
fn right(runtime: &Runtime, lasting: &Lasting) -> Result<Option<Right>, RegisterError> {
    let settings = &runtime.settings;
    match lasting {
        Lasting::No => Ok(None),
        Lasting::Yes if settings.keys.guard() != Guard::Keyed => Ok(Some(Right::Anybody)),
        Lasting::Yes if settings.identity.is_some() => Ok(Some(Right::Key(runtime.me.key))),
        Lasting::Yes => {
            let why = "nobody could free it once this node is gone, whose identity goes with it: keep the identity \
                       (--identity FILE, Config::identity), or say who may free it (--right KEY, \
                       Record::persistent_until)";
            Err(RegisterError::Refused(Status::not_started(Code::FailedPrecondition, why)))
        }
        Lasting::Until(right) => Ok(Some(Right::Key(right.0))),
    }
}

/// By this host's clock, for people.
fn unix_millis() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}

fn exhausted(message: String) -> RegisterError {
    RegisterError::Refused(Status::not_started(Code::ResourceExhausted, message))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::runtime::Said;
    use crate::{Config, Node};
    use homing_core::addr::TransportAddr;

    #[tokio::test]
    async fn a_record_that_left_its_address_out_follows_its_node_and_another_does_not() {
        let node = Node::join(Config::isolated()).await.unwrap();
        let registry = node.registry();
        let here = registry.register(Record::new("here").unwrap().port(1)).await.unwrap();
        let there = Record::new("there").unwrap().address("10.0.0.9:1");
        let there = registry.register(there).await.unwrap();
        let address = |record: Record| record.address.unwrap();
        let before = address(here.record());
        let elsewhere = TransportAddr::Tcp("10.7.0.1:4000".parse().unwrap());
        registry.runtime.say_surely(Said::Listening { addresses: vec![elsewhere] }).await;
        let mut watch = registry.watch();
        while address(here.record()) == before {
            watch.next().await.unwrap();
        }
        assert_eq!(address(here.record()), "10.7.0.1");
        assert_eq!(address(there.record()), "10.0.0.9");
        assert_eq!(address(registry.get("here").unwrap().remove(0)), "10.7.0.1");
        node.close_now().await;
    }
}
