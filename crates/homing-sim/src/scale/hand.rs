//! What is registered by hand in a large mesh? A service at every station, and one that lasts at some.

use super::field::Field;
use super::station::{EPOCH, Station, id};
use homing_core::limits::LEASE;
use homing_core::name::Namespace;
use homing_core::node;
use homing_core::registry::{RecordId, RecordKey, Right, ServiceRecord};
use homing_core::time::Time;
use std::net::Ipv4Addr;
use std::sync::Arc;

/// The key of the service that each station registers as it starts.
pub(super) const SERVICE: u32 = 50;
/// The key of the one that lasts.
pub(super) const LASTING: u32 = 51;
/// One station of so many has one that lasts.
const LASTS: usize = 5;

/// Whether a record goes with its owner.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Stay {
    /// Its lifetime after the owner is gone.
    Lifetime,
    /// Never, unless somebody frees it: anybody may.
    Forever,
}

/// Whether this station registers something that lasts as it starts.
pub(super) const fn has_lasting(host: usize) -> bool {
    host % LASTS == 3
}

/// How many records so many stations register as they start, those of `gone` of them being forgotten by now.
pub(super) fn registered(stations: usize, gone: usize) -> usize {
    stations - gone + (0..stations).filter(|host| has_lasting(*host)).count()
}

/// What a station registers under a key.
pub(super) fn record_of(host: usize, key: u32) -> RecordId {
    RecordId { owner: id(host), epoch: EPOCH, key: RecordKey(key) }
}

impl Field {
    /// A station registers something.
    pub(super) fn register(&mut self, host: usize, key: u32, stay: Stay) -> RecordId {
        let now = self.now;
        if let Some(station) = self.station(host) {
            station.register(now, RecordKey(key), service(host, stay));
            self.schedule(host);
        }
        record_of(host, key)
    }

    /// A station frees something, its own or what lasts.
    pub(super) fn free(&mut self, host: usize, record: RecordId) {
        let now = self.now;
        if let Some(station) = self.station(host) {
            station.free(now, record);
            self.schedule(host);
        }
    }
}

impl Station {
    fn register(&mut self, now: Time, key: RecordKey, service: ServiceRecord) {
        self.hear(now, node::Input::Register { key, service: Arc::new(service) });
    }

    fn free(&mut self, now: Time, id: RecordId) {
        self.hear(now, node::Input::Free { token: 0, id });
    }
}

fn service(host: usize, stay: Stay) -> ServiceRecord {
    let name = format!("by-hand-{}", host % 16);
    ServiceRecord {
        namespace: Namespace::default(),
        service: name.parse().expect("a name of plain letters"),
        version: Some("15.2.0".parse().expect("three numbers")),
        hosts: vec![homing_core::registry::Host::Ip(Ipv4Addr::new(10, 0, 0, 5).into())],
        port: 5_432,
        data: format!("{{\"role\":\"primary\",\"shard\":{host}}}").into(),
        lifetime: LEASE,
        written: EPOCH.0,
        origin: None,
        lasting: match stay {
            Stay::Lifetime => None,
            Stay::Forever => Some(Right::Anybody),
        },
    }
}
