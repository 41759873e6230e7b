//! What is in the registry at this moment, as this node sees it?

use super::RecordId;
use super::reach::{Network, Place, networks_here, reachable};
use super::record::{Lasting, Record};
use crate::runtime::Runtime;
use homing_core::addr::TransportAddr;
use homing_core::id::NodeId;
use homing_core::registry::{
    Instance, InstanceState, KnownNode, NodeState, OfferRecord, RecordKey, Registered, Right,
    ServiceRecord, Snapshot, Standing,
};
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;
use std::sync::Arc;

/// Everything, by the id of its record.
pub(super) type Picture = BTreeMap<RecordId, Entry>;

/// One entry, as the snapshot has it.
#[derive(Clone, Debug)]
pub(super) enum Entry {
    /// What a node offers.
    Offered(Arc<Instance>),
    /// What was registered by hand.
    Registered(Arc<Registered>),
    /// A node that can be reached.
    Node(Arc<KnownNode>),
}

/// Who looks, and from where.
pub(super) struct Reader {
    host: u64,
    networks: Vec<Network>,
}

/// What a node without a word on its networks is taken to share with its neighbours.
const BITS_V4: u32 = 24;
const BITS_V6: u32 = 64;

impl Reader {
    pub(super) fn of(runtime: &Runtime) -> Self {
        let networks = if runtime.settings.is_real() {
            networks_here()
        } else {
            let own = runtime.addresses();
            let ips = own.iter().filter_map(TransportAddr::tcp).map(|at| at.ip());
            let bits = |is_v4| if is_v4 { BITS_V4 } else { BITS_V6 };
            ips.map(|ip| Network { ip, bits: bits(ip.is_ipv4()) }).collect()
        };
        Self { host: runtime.host(), networks }
    }

    /// A record of a service that this node knows of, whether it is shown yet or no longer.
    pub(super) fn read(
        &self,
        id: RecordId,
        service: &ServiceRecord,
        snapshot: &Snapshot,
    ) -> Record {
        registered(id, service, self.place(snapshot, &id.owner), &self.networks)
    }

    /// Where this reader is, as seen from a node.
    fn place(&self, snapshot: &Snapshot, node: &NodeId) -> Place {
        let known = snapshot.node(node).map_or(&[][..], |known| &known.record.addresses);
        let is_here = |at: &TransportAddr| matches!(at, TransportAddr::Unix { host, .. } if *host == self.host);
        if known.iter().any(is_here) { Place::SameHost } else { Place::Elsewhere }
    }
}

/// All that the snapshot shows.
pub(super) fn picture(snapshot: &Snapshot) -> Picture {
    let offered = snapshot.services().flat_map(|(_, _, instances)| instances).map(|instance| {
        let (owner, epoch, key) = (instance.node, instance.epoch, instance.key);
        (RecordId { owner, epoch, key }, Entry::Offered(Arc::clone(instance)))
    });
    let is_alive = |known: &&Arc<KnownNode>| known.state == NodeState::Alive;
    let nodes = snapshot.nodes().filter(is_alive).map(|known| {
        let id = RecordId { owner: known.id, epoch: known.epoch, key: RecordKey::NODE };
        (id, Entry::Node(Arc::clone(known)))
    });
    let registered = snapshot.registered();
    let registered = registered.map(|one| (one.id, Entry::Registered(Arc::clone(one))));
    offered.chain(registered).chain(nodes).collect()
}

impl Entry {
    /// The record that it is, with the address that suits the reader.
    pub(super) fn record(&self, id: RecordId, snapshot: &Snapshot, reader: &Reader) -> Record {
        let place = reader.place(snapshot, &id.owner);
        let mut record = match self {
            Self::Offered(instance) => offered(instance, snapshot, place, &reader.networks),
            Self::Registered(found) => {
                return registered(id, &found.record, place, &reader.networks);
            }
            Self::Node(known) => node(known, place, &reader.networks),
        };
        record.id = Some(id);
        record.owner = Some(id.owner);
        record
    }

    /// Whether it is the same as before, so that there is nothing to tell.
    pub(super) fn is_same(&self, before: &Self) -> bool {
        match (self, before) {
            (Self::Offered(now), Self::Offered(before)) => {
                Arc::ptr_eq(now, before) || now == before
            }
            (Self::Registered(now), Self::Registered(before)) => {
                Arc::ptr_eq(now, before) || now.record == before.record
            }
            (Self::Node(now), Self::Node(before)) => Arc::ptr_eq(now, before) || now == before,
            (Self::Offered(_) | Self::Registered(_) | Self::Node(_), _) => false,
        }
    }

    /// Whether who waits for it may begin: it takes calls, or nothing is known against it.
    pub(super) fn is_there(&self) -> bool {
        match self {
            Self::Offered(instance) => instance.state == InstanceState::Ready,
            Self::Registered(found) => {
                matches!(found.standing, Standing::Alive | Standing::Lasting)
            }
            Self::Node(_) => true,
        }
    }

    /// Whether it is shown only to who asks for it.
    pub(super) const fn is_node(&self) -> bool {
        matches!(self, Self::Node(_))
    }
}

/// The record of a service that was registered by hand.
fn registered(id: RecordId, service: &ServiceRecord, place: Place, networks: &[Network]) -> Record {
    let mut record = Record::of(service.service.clone(), service.version.clone());
    let hosts: Vec<String> = service.hosts.iter().map(ToString::to_string).collect();
    record.id = Some(id);
    record.owner = Some(id.owner);
    record.namespace = Some(service.namespace.clone());
    record.address = reachable(&hosts, place, networks).map(str::to_owned);
    record.port = Some(service.port).filter(|port| *port != 0);
    // What is no JSON is shown as the text that it is: its writer is not of this library.
    let text = || Value::String(String::from_utf8_lossy(&service.data).into_owned());
    record.data = match &service.data[..] {
        [] => Value::Null,
        data => serde_json::from_slice(data).unwrap_or_else(|_| text()),
    };
    record.timestamp = Some(service.written);
    record.origin.clone_from(&service.origin);
    record.ttl = Some(service.lifetime).filter(|_| service.lasting.is_none());
    record.lasting = match service.lasting {
        None => Lasting::No,
        Some(Right::Anybody) => Lasting::Yes,
        Some(Right::Key(right)) => Lasting::Until(super::Right(right)),
    };
    record
}

fn offered(instance: &Instance, snapshot: &Snapshot, place: Place, networks: &[Network]) -> Record {
    let offer: &OfferRecord = &instance.offer;
    let mut record = Record::of(offer.service.clone(), offer.version.clone());
    record.namespace = Some(offer.namespace.clone());
    record.origin.clone_from(&offer.origin);
    record.data = said_by(offer);
    if let Some(known) = snapshot.node(&instance.node) {
        locate(&mut record, &known.record.addresses, place, networks);
    }
    record
}

/// What an offer says of itself, as data.
fn said_by(offer: &OfferRecord) -> Value {
    let methods: Vec<_> = offer.methods.iter().map(|method| method.pattern.as_str()).collect();
    let mut data = Map::from_iter([("methods".to_owned(), json!(methods))]);
    let labels = offer.labels.iter();
    let labels: Map<_, _> =
        labels.map(|label| (label.key().to_owned(), json!(label.value()))).collect();
    if !labels.is_empty() {
        data.insert("labels".to_owned(), Value::Object(labels));
    }
    if !offer.metadata.is_empty() {
        data.insert("metadata".to_owned(), json!(String::from_utf8_lossy(&offer.metadata)));
    }
    Value::Object(data)
}

fn node(known: &KnownNode, place: Place, networks: &[Network]) -> Record {
    let role = "homing".parse().expect("a plain word is a name");
    let version = known.record.agent.rsplit_once('/').and_then(|(_, version)| version.parse().ok());
    let mut record = Record::of(role, version);
    record.data = json!({"name": known.record.name.to_string(), "agent": known.record.agent});
    locate(&mut record, &known.record.addresses, place, networks);
    record
}

/// Fills in where the node of a record listens.
fn locate(record: &mut Record, addresses: &[TransportAddr], place: Place, networks: &[Network]) {
    let sockets: Vec<_> = addresses.iter().filter_map(TransportAddr::tcp).collect();
    let hosts: Vec<String> = sockets.iter().map(|at| at.ip().to_string()).collect();
    let Some(host) = reachable(&hosts, place, networks) else { return };
    let found = sockets.iter().find(|at| at.ip().to_string() == host);
    record.port = found.map(std::net::SocketAddr::port);
    record.address = Some(host.to_owned());
}
