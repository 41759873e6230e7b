//! What was registered by hand, as a snapshot shows it?

use super::audience::{News, Roll};
use super::record_id::RecordId;
use super::service::ServiceRecord;
use crate::name::{Namespace, ServiceName};
use crate::time::Time;
use std::sync::Arc;

/// A record of a service that was registered by hand.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Registered {
    /// Which record.
    pub id: RecordId,
    /// What it says.
    pub record: Arc<ServiceRecord>,
    /// What it stands on.
    pub standing: Standing,
}

/// What a registered record stands on.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Standing {
    /// Its owner takes part.
    Alive,
    /// Its owner is gone; it is forgotten at this time.
    OwnerGone {
        /// When its lifetime ends.
        until: Time,
    },
    /// Nothing: it lasts until it is withdrawn.
    Lasting,
}

/// By what registered records are ordered.
type Place = (Namespace, ServiceName, RecordId);

/// What a snapshot shows of them, in the order of their places.
#[derive(Clone, Debug, Default)]
pub(super) struct ShownRegistered {
    pub(super) version: u64,
    pub(super) all: Arc<[Arc<Registered>]>,
}

/// Keeps what the next snapshot shows of them.
#[derive(Debug, Default)]
pub(crate) struct Desk(Roll<Place, Registered>);

impl Desk {
    /// A record is there, or changed, and stands on this; or it may not be shown.
    pub(crate) fn set(
        &mut self,
        id: RecordId,
        record: &Arc<ServiceRecord>,
        (may, standing): (bool, Standing),
    ) {
        let place = place(id, record);
        if may {
            self.0.put(place, Registered { id, record: Arc::clone(record), standing });
        } else {
            self.0.remove(&place);
        }
    }

    /// A record is no longer there; whether it was.
    pub(crate) fn remove(&mut self, id: RecordId, record: &ServiceRecord) -> bool {
        self.0.remove(&place(id, record))
    }

    /// Whether a record is there.
    pub(crate) fn has(&self, id: RecordId, record: &ServiceRecord) -> bool {
        self.0.has(&place(id, record))
    }

    pub(super) const fn is_touched(&self) -> bool {
        self.0.is_touched()
    }

    /// Brings up to date what is shown; the version is another only if that is.
    pub(super) fn refresh(&mut self, shown: &mut ShownRegistered) {
        if self.0.refresh(&mut shown.all) == News::Some {
            shown.version += 1;
        }
    }
}

fn place(id: RecordId, record: &ServiceRecord) -> Place {
    (record.namespace.clone(), record.service.clone(), id)
}
