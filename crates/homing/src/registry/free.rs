//! Which record is to end, and may this node end it?

use super::RecordId;
use super::record::Record;
use super::register::{Registered, read};
use crate::error::RegisterError;
use crate::runtime::Runtime;
use std::sync::Arc;

/// Which record is to be freed.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum Which {
    /// The one with this id.
    Id(RecordId),
    /// This node's own at this port.
    Port(u16),
    /// None: it was never registered.
    None,
}

impl From<RecordId> for Which {
    fn from(id: RecordId) -> Self {
        Self::Id(id)
    }
}

impl From<u16> for Which {
    fn from(port: u16) -> Self {
        Self::Port(port)
    }
}

impl From<&Record> for Which {
    /// By its id; without one, by its port.
    fn from(record: &Record) -> Self {
        match (record.id, record.port) {
            (Some(id), _) => Self::Id(id),
            (None, Some(port)) => Self::Port(port),
            (None, None) => Self::None,
        }
    }
}

impl From<&Registered> for Which {
    fn from(registered: &Registered) -> Self {
        Self::Id(registered.id())
    }
}

/// Frees it: the record as it was, if there was one.
pub(super) async fn free(
    runtime: &Arc<Runtime>,
    which: Which,
) -> Result<Option<Record>, RegisterError> {
    let registered = &runtime.offers.registered;
    let own = match which {
        Which::Id(id) => registered.at(id.key).filter(|entry| id == runtime.id_of(entry)),
        Which::Port(port) => registered.at_port(port),
        Which::None => None,
    };
    let (id, freed) = match (own, which) {
        (Some(entry), _) => (runtime.id_of(&entry), runtime.free_own(&entry).await),
        (None, Which::Id(id)) => (id, runtime.free_record(id).await),
        (None, Which::Port(_) | Which::None) => return Ok(None),
    };
    let freed = freed.map_err(RegisterError::Refused)?;
    Ok(freed.map(|service| read(runtime, id, &service)))
}
