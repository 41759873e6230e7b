//! What can a record say? Where a node is, what it serves, what it wants to hear, or that a fact no longer holds.
//!
//! ```text
//! node    name str   agent str   addresses (crate::wire::addr)   guard u8 (0 local, 1 keyed, 2 insecure)
//!         keys: count u8 (≤ 4), each u32   token str (empty: none)
//! offer   namespace str   service str   version str (empty: none)   state u8 (0 open, 1 draining)   origin str
//!         methods: count varint, then each: pattern str, bits u8 (1: repeatable)
//!         labels: count varint, then each: str   metadata bytes
//! interest, declared   see `interest`       service   see `service`
//! ```

use super::interest::{DeclaredRecord, InterestRecord};
use super::record::RecordKey;
use super::service::ServiceRecord;
use crate::addr::TransportAddr;
use crate::crypto::KeyId;
use crate::limits::{
    AGENT_MAX, LABELS_MAX, METADATA_MAX, METHOD_MAX, METHODS_MAX, NAME_MAX, RANGE_MAX, RECORD_MAX,
    TOKEN_MAX,
};
use crate::name::{Label, MethodPattern, Namespace, NodeName, ServiceName, Version};
use crate::wire::addr::{put_addrs, read_addrs};
use crate::wire::hello::{put_keys, read_keys};
use crate::wire::{Guard, Malformed, Reader, put_bytes, put_str, put_varint};
use bytes::Bytes;
use std::str::FromStr;
use std::sync::Arc;

/// What a record says.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Body {
    /// Where the node itself can be reached; under [`RecordKey::NODE`](super::RecordKey::NODE).
    Node(Arc<NodeRecord>),
    /// That the node serves something.
    Offer(Arc<OfferRecord>),
    /// Which messages the node wants; under [`RecordKey::INTEREST`](super::RecordKey::INTEREST).
    Interest(Arc<InterestRecord>),
    /// To which topics the node says that it publishes; under [`RecordKey::DECLARED`](super::RecordKey::DECLARED).
    Declared(Arc<DeclaredRecord>),
    /// That a service is there which was registered by hand; under the keys of offers.
    Service(Arc<ServiceRecord>),
    /// That what this key said before no longer holds.
    Tombstone,
}

/// The kind of a service registered by hand.
const SERVICE: u8 = 5;

/// Bytes of a node record's body that surely leave room for the rest of its record.
const NODE_MAX: usize = RECORD_MAX - 96 - 64;

/// Where a node can be reached, and what it is called.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct NodeRecord {
    /// Its name for people.
    pub name: NodeName,
    /// Where it listens; at most [`ADDRESSES_MAX`](crate::limits::ADDRESSES_MAX).
    pub addresses: Vec<TransportAddr>,
    /// Program and version, such as `homing/0.1.0`; at most [`AGENT_MAX`] bytes.
    pub agent: String,
    /// What keeps strangers away from it.
    pub guard: Guard,
    /// The mesh's keys that it holds, so that who rotates them sees who is ready.
    pub keys: Vec<KeyId>,
    /// What it shows for the right to offer what it offers: a token that is of use to this node alone; at most
    /// [`TOKEN_MAX`] bytes.
    pub token: Option<String>,
}

/// What a node promises to serve.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct OfferRecord {
    /// In which namespace.
    pub namespace: Namespace,
    /// Which service.
    pub service: ServiceName,
    /// Which version of it; none is found by a plain name and by `*`.
    pub version: Option<Version>,
    /// The methods, or patterns of them; at most [`METHODS_MAX`].
    pub methods: Vec<OfferedMethod>,
    /// The user's labels; at most [`LABELS_MAX`].
    pub labels: Vec<Label>,
    /// The user's bytes; at most [`METADATA_MAX`].
    pub metadata: Bytes,
    /// Whether it takes calls.
    pub state: OfferState,
    /// The foreign system it comes from, as `bridge:NAME`; at most [`NAME_MAX`] bytes.
    pub origin: Option<String>,
}

/// One method of an offer, or a pattern of several.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct OfferedMethod {
    /// Which.
    pub pattern: MethodPattern,
    /// Whether a call of it may be repeated when it may have run (decisions E8).
    pub repeatable: bool,
}

/// Whether an offer takes new calls.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum OfferState {
    /// It does.
    #[default]
    Open,
    /// It finishes what it has and goes.
    Draining,
}

impl Body {
    /// Whether it says that something is there.
    pub const fn is_live(&self) -> bool {
        !matches!(self, Self::Tombstone)
    }

    /// Whether the kind and body of a record in these bytes say that it lasts.
    pub(super) const fn lasts_in(bytes: &[u8]) -> bool {
        matches!(bytes, [SERVICE, lasting, ..] if *lasting != 0)
    }

    /// Whether this may be said under this key: all but offers and services have one of their own.
    pub(super) fn belongs_under(&self, key: RecordKey) -> bool {
        match self {
            Self::Node(_) => key == RecordKey::NODE,
            Self::Offer(_) | Self::Service(_) => key.is_for_offers(),
            Self::Interest(_) => key == RecordKey::INTEREST,
            Self::Declared(_) => key == RecordKey::DECLARED,
            Self::Tombstone => true,
        }
    }

    pub(super) const fn kind(&self) -> u8 {
        match self {
            Self::Tombstone => 0,
            Self::Node(_) => 1,
            Self::Offer(_) => 2,
            Self::Interest(_) => 3,
            Self::Declared(_) => 4,
            Self::Service(_) => SERVICE,
        }
    }

    /// What it is called.
    pub(super) const fn noun(&self) -> &'static str {
        match self {
            Self::Tombstone => "tombstone",
            Self::Node(_) => "node record",
            Self::Offer(_) => "offer",
            Self::Interest(_) => "interest",
            Self::Declared(_) => "declaration",
            Self::Service(_) => "service record",
        }
    }

    /// Whether it breaks a bound that its bytes cannot show, and which.
    pub(super) fn broken_bound(&self) -> Option<&'static str> {
        match self {
            Self::Tombstone | Self::Node(_) => None,
            Self::Offer(offer) => offer.broken_bound(),
            Self::Interest(interest) => interest.broken_bound(),
            Self::Declared(declared) => declared.broken_bound(),
            Self::Service(service) => service.broken_bound(),
        }
    }

    /// Whether it says nothing that its absence would not say.
    pub(super) fn is_empty(&self) -> bool {
        match self {
            Self::Tombstone => true,
            Self::Node(_) | Self::Offer(_) | Self::Service(_) => false,
            Self::Interest(interest) => interest.lanes.is_empty(),
            Self::Declared(declared) => declared.topics.is_empty(),
        }
    }

    pub(super) fn put(&self, out: &mut Vec<u8>) {
        match self {
            Self::Tombstone => {}
            Self::Node(node) => {
                put_str(out, node.name.as_str());
                put_str(out, &node.agent[..node.agent.floor_char_boundary(AGENT_MAX)]);
                put_addrs(out, &node.addresses);
                node.put_credentials(out);
            }
            Self::Offer(offer) => offer.put(out),
            Self::Interest(interest) => interest.put(out),
            Self::Declared(declared) => declared.put(out),
            Self::Service(service) => service.put(out),
        }
    }

    /// Reads a body of this kind; no body when the kind is not known.
    pub(super) fn read(kind: u8, reader: &mut Reader<'_>) -> Result<Option<Self>, Malformed> {
        Ok(Some(match kind {
            0 => Self::Tombstone,
            1 => Self::Node(Arc::new(NodeRecord::read(reader)?)),
            2 => Self::Offer(Arc::new(OfferRecord::read(reader)?)),
            3 => Self::Interest(Arc::new(InterestRecord::read(reader)?)),
            4 => Self::Declared(Arc::new(DeclaredRecord::read(reader)?)),
            SERVICE => Self::Service(Arc::new(ServiceRecord::read(reader)?)),
            _ => return Ok(None),
        }))
    }
}

impl NodeRecord {
    /// The same with as many of the addresses as leave room for the rest, and one at least.
    pub(crate) fn fitting(mut self) -> Self {
        let mut bytes = Vec::new();
        loop {
            Body::Node(Arc::new(self.clone())).put(&mut bytes);
            if bytes.len() <= NODE_MAX || self.addresses.len() <= 1 {
                return self;
            }
            self.addresses.pop();
            bytes.clear();
        }
    }

    fn put_credentials(&self, out: &mut Vec<u8>) {
        out.push(self.guard.number());
        put_keys(out, &self.keys);
        // A part of a token is none.
        let token = self.token.as_deref().filter(|token| token.len() <= TOKEN_MAX);
        put_str(out, token.unwrap_or_default());
    }

    fn read(reader: &mut Reader<'_>) -> Result<Self, Malformed> {
        let name = parsed(reader.str(NAME_MAX)?, "record: node name")?;
        let agent = reader.str(AGENT_MAX)?.to_owned();
        let addresses = read_addrs(reader)?;
        let guard = Guard::from_number(reader.u8()?).ok_or(Malformed("record: guard"))?;
        let keys = read_keys(reader)?;
        let token = some(reader.str(TOKEN_MAX)?).map(str::to_owned);
        Ok(Self { name, addresses, agent, guard, keys, token })
    }
}

impl OfferRecord {
    fn broken_bound(&self) -> Option<&'static str> {
        if self.methods.len() > METHODS_MAX {
            return Some("too many methods");
        }
        if self.labels.len() > LABELS_MAX {
            return Some("too many labels");
        }
        if self.metadata.len() > METADATA_MAX {
            return Some("too many bytes of metadata");
        }
        self.origin
            .as_ref()
            .filter(|origin| origin.len() > NAME_MAX)
            .map(|_| "too many bytes of origin")
    }

    fn put(&self, out: &mut Vec<u8>) {
        put_str(out, self.namespace.as_str());
        put_str(out, self.service.as_str());
        put_str(out, &self.version.as_ref().map(ToString::to_string).unwrap_or_default());
        out.push(match self.state {
            OfferState::Open => 0,
            OfferState::Draining => 1,
        });
        put_str(out, self.origin.as_deref().unwrap_or_default());
        put_varint(out, self.methods.len() as u64);
        for method in &self.methods {
            put_str(out, method.pattern.as_str());
            out.push(method.repeatable.into());
        }
        put_varint(out, self.labels.len() as u64);
        for label in &self.labels {
            put_str(out, &label.to_string());
        }
        put_bytes(out, &self.metadata);
    }

    fn read(reader: &mut Reader<'_>) -> Result<Self, Malformed> {
        let namespace = parsed(reader.str(NAME_MAX)?, "record: namespace")?;
        let service = ServiceName::from_peer(reader.str(NAME_MAX)?)
            .map_err(|_| Malformed("record: service"))?;
        let version = some(reader.str(RANGE_MAX)?);
        let version = version.map(|text| parsed(text, "record: version")).transpose()?;
        let state = match reader.u8()? {
            0 => OfferState::Open,
            1 => OfferState::Draining,
            _ => return Err(Malformed("record: state")),
        };
        let origin = some(reader.str(NAME_MAX)?).map(str::to_owned);
        let methods = read_list(reader, METHODS_MAX, read_method)?;
        let labels = read_list(reader, LABELS_MAX, |reader| {
            parsed(reader.str(RECORD_MAX)?, "record: label")
        })?;
        let metadata = Bytes::copy_from_slice(reader.bytes(METADATA_MAX)?);
        Ok(Self { namespace, service, version, methods, labels, metadata, state, origin })
    }
}

fn read_method(reader: &mut Reader<'_>) -> Result<OfferedMethod, Malformed> {
    let pattern = parsed(reader.str(METHOD_MAX)?, "record: method")?;
    let repeatable = match reader.u8()? {
        0 => false,
        1 => true,
        _ => return Err(Malformed("record: bits of a method")),
    };
    Ok(OfferedMethod { pattern, repeatable })
}

fn read_list<T>(
    reader: &mut Reader<'_>,
    max: usize,
    read: impl Fn(&mut Reader<'_>) -> Result<T, Malformed>,
) -> Result<Vec<T>, Malformed> {
    let count = reader.varint32()? as usize;
    if count > max {
        return Err(Malformed("record: a list over its limit"));
    }
    (0..count).map(|_| read(reader)).collect()
}

fn parsed<T: FromStr>(text: &str, what: &'static str) -> Result<T, Malformed> {
    text.parse().map_err(|_| Malformed(what))
}

fn some(text: &str) -> Option<&str> {
    Some(text).filter(|text| !text.is_empty())
}
