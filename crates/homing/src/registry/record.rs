//! What does an entry of the registry say?

use super::{RecordId, Right};
use crate::info::{maybe_text, text};
use homing_core::id::NodeId;
use homing_core::name::{BadName, Namespace, OfferName, ServiceName, Version};
use serde::{Serialize, Serializer};
use serde_json::Value;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

/// One entry of the registry: a service that somebody registered by hand, an offer of a node, or a node itself.
///
/// Who registers one makes it with [`new`](Self::new) and says what there is to say; the rest is filled in when it is
/// registered, and there in every record that the registry gives out.
///
/// ```
/// use homing::registry::Record;
/// use serde_json::json;
///
/// let record = Record::new("db@15.2.0")?.address("10.0.0.5:5432").data(json!({"zone": "eu"}));
/// assert_eq!((record.address.as_deref(), record.port), (Some("10.0.0.5"), Some(5432)));
/// # Ok::<(), homing::BadName>(())
/// ```
#[derive(Clone, Debug, PartialEq, Serialize)]
#[non_exhaustive]
pub struct Record {
    /// Which record it is; none until it is registered.
    #[serde(serialize_with = "maybe_text")]
    pub id: Option<RecordId>,
    /// The name of the service; `homing` for a node.
    #[serde(serialize_with = "text")]
    pub role: ServiceName,
    /// Its version, if it has one.
    #[serde(serialize_with = "maybe_text")]
    pub version: Option<Version>,
    /// The part of the mesh it is in. Not said, it is registered in that of the node; nodes are in none.
    #[serde(serialize_with = "maybe_text")]
    pub namespace: Option<Namespace>,
    /// Where it is: an IP address, or a name to resolve. Not said, it is that of the node that registers it; read, it
    /// is of several the one that the reader can reach most likely.
    pub address: Option<String>,
    /// Its port.
    pub port: Option<u16>,
    /// What there is to say beside, as JSON of at most 512 bytes.
    pub data: Value,
    /// The node that registered it.
    #[serde(serialize_with = "maybe_text")]
    pub owner: Option<NodeId>,
    /// When it was written, in milliseconds since 1970 by its owner's clock: for people. Nothing is decided by it.
    pub timestamp: Option<u64>,
    /// Whether it stays when its owner is gone, and who may free it then.
    #[serde(rename = "persistent", serialize_with = "whether_lasting")]
    pub lasting: Lasting,
    /// The foreign system it comes from, as `bridge:NAME`.
    pub origin: Option<String>,
    /// How long it stays when its owner is gone without a word. Not said, it is as long as
    /// [`Timings::registration_lifetime`](crate::Timings::registration_lifetime) says.
    #[serde(rename = "ttl_ms", serialize_with = "millis")]
    pub ttl: Option<Duration>,
}

/// Whether a record stays when its owner is gone.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
#[non_exhaustive]
pub enum Lasting {
    /// It ends with its owner.
    #[default]
    No,
    /// It stays until it is freed: by its owner, or in a mesh without a key by anybody. In a mesh with a key the node needs
    /// an identity that it keeps, or nobody could ever free it; registering it is refused without.
    Yes,
    /// It stays until it is freed by the holder of this Ed25519 public key.
    Until(Right),
}

impl Lasting {
    /// Whether it stays.
    pub const fn is_lasting(&self) -> bool {
        !matches!(self, Self::No)
    }
}

impl Record {
    /// A record of `service[@version]`, to be registered.
    ///
    /// # Errors
    /// The text is no name of a service; a method has no place in it.
    pub fn new(name: &str) -> Result<Self, BadName> {
        // A method is no part of what is registered; of what stands there the name's own error says what is wrong.
        let OfferName { service, version, .. } = match name.split_once('/') {
            None => name.parse()?,
            Some(_) => return Err(name.parse::<ServiceName>().expect_err("no name has a /")),
        };
        Ok(Self::of(service, version))
    }

    pub(super) const fn of(role: ServiceName, version: Option<Version>) -> Self {
        Self {
            id: None,
            role,
            version,
            namespace: None,
            address: None,
            port: None,
            data: Value::Null,
            owner: None,
            timestamp: None,
            lasting: Lasting::No,
            origin: None,
            ttl: None,
        }
    }

    /// Says where it is: `10.0.0.5`, `db.example`, or either with a port.
    pub fn address(mut self, address: &str) -> Self {
        let (host, port) = host_and_port(address);
        self.address = Some(host);
        self.port = port.or(self.port);
        self
    }

    /// Says at which port it is.
    pub fn port(mut self, port: u16) -> Self {
        self.port = Some(port);
        self
    }

    /// Says something beside.
    pub fn data(mut self, data: impl Into<Value>) -> Self {
        self.data = data.into();
        self
    }

    /// Registers it there instead of in the node's namespace.
    pub fn namespace(mut self, namespace: Namespace) -> Self {
        self.namespace = Some(namespace);
        self
    }

    /// Keeps it for so long when its owner is gone without a word.
    pub fn ttl(mut self, ttl: Duration) -> Self {
        self.ttl = Some(ttl);
        self
    }

    /// Keeps it until it is freed, whoever is gone.
    ///
    /// It is in the memory of all members, and on no disk: it outlives every one of them, but not the last. What is to be
    /// there after that is registered again by whoever starts the mesh.
    pub fn persistent(mut self) -> Self {
        self.lasting = Lasting::Yes;
        self
    }

    /// As [`persistent`](Self::persistent), until it is freed by the holder of this Ed25519 public key. In a mesh without a
    /// key, where nothing is signed, anybody can.
    pub fn persistent_until(mut self, right: Right) -> Self {
        self.lasting = Lasting::Until(right);
        self
    }

    /// Whether somebody registered it by hand; else it is what a node offers, or a node.
    pub const fn is_registered(&self) -> bool {
        self.timestamp.is_some()
    }

    /// `db@15.2.0`.
    pub fn name(&self) -> String {
        match &self.version {
            Some(version) => format!("{}@{version}", self.role),
            None => self.role.to_string(),
        }
    }

    /// `10.0.0.5:5432`, as far as it is known.
    pub fn place(&self) -> Option<String> {
        match (&self.address, self.port) {
            (Some(host), Some(port)) if host.contains(':') => Some(format!("[{host}]:{port}")),
            (Some(host), Some(port)) => Some(format!("{host}:{port}")),
            (Some(host), None) => Some(host.clone()),
            (None, Some(port)) => Some(format!(":{port}")),
            (None, None) => None,
        }
    }
}

impl TryFrom<&str> for Record {
    type Error = BadName;

    fn try_from(name: &str) -> Result<Self, BadName> {
        Self::new(name)
    }
}

impl<D: Into<Value>> TryFrom<(&str, D)> for Record {
    type Error = BadName;

    fn try_from((name, data): (&str, D)) -> Result<Self, BadName> {
        Ok(Self::new(name)?.data(data))
    }
}

fn host_and_port(address: &str) -> (String, Option<u16>) {
    if let Ok(ip) = address.parse::<IpAddr>() {
        return (ip.to_string(), None);
    }
    if let Ok(socket) = address.parse::<SocketAddr>() {
        return (socket.ip().to_string(), Some(socket.port()));
    }
    let named = address.rsplit_once(':').and_then(|(host, port)| Some((host, port.parse().ok()?)));
    named.map_or_else(|| (address.to_owned(), None), |(host, port)| (host.to_owned(), Some(port)))
}

fn whether_lasting<S: Serializer>(lasting: &Lasting, to: S) -> Result<S::Ok, S::Error> {
    to.serialize_bool(lasting.is_lasting())
}

#[expect(clippy::ref_option, reason = "serde hands out references")]
fn millis<S: Serializer>(span: &Option<Duration>, to: S) -> Result<S::Ok, S::Error> {
    span.map(|span| u64::try_from(span.as_millis()).unwrap_or(u64::MAX)).serialize(to)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[track_caller]
    fn check(address: &str, host: &str, port: Option<u16>) {
        let record = Record::new("db").unwrap().address(address);
        assert_eq!((record.address.as_deref(), record.port), (Some(host), port), "{address}");
    }

    #[test]
    fn an_address_may_have_its_port_with_it() {
        check("10.0.0.5:5432", "10.0.0.5", Some(5432));
        check("10.0.0.5", "10.0.0.5", None);
        check("[fd00::5]:80", "fd00::5", Some(80));
        check("fd00::5", "fd00::5", None);
        check("db.example:5432", "db.example", Some(5432));
        check("db.example", "db.example", None);
    }

    #[test]
    fn a_record_shows_all_that_there_is_to_know_of_it() {
        let mut record = Record::new("db@15.2.0").unwrap().address("10.0.0.5:5432");
        record.ttl = Some(Duration::from_secs(15));
        assert_eq!(
            serde_json::to_value(&record).unwrap(),
            json!({
                "id": null, "role": "db", "version": "15.2.0", "namespace": null, "address": "10.0.0.5",
                "port": 5432, "data": null, "owner": null, "timestamp": null, "persistent": false, "origin": null,
                "ttl_ms": 15000,
            })
        );
        assert_eq!(record.name(), "db@15.2.0");
        assert_eq!(record.place().as_deref(), Some("10.0.0.5:5432"));
    }

    #[test]
    fn a_method_is_no_part_of_a_record() {
        let error = Record::new("db@1.0.0/count").unwrap_err().to_string();
        assert!(error.contains("db@1.0.0/count"), "{error}");
    }
}
