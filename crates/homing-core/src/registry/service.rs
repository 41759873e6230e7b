//! What does a record say of a service that was registered by hand?
//!
//! ```text
//! lasting u8 (0 no, 1 anybody may end it, 2 who holds a key may: key 32)
//! namespace str   service str   version str (empty: none)   origin str (empty: none)
//! port u16 (0: none)   lifetime varint, ms   written varint, Unix ms   data bytes (UTF-8)
//! hosts: count varint (≤ 8), then each: u8 (4 and 4 bytes, 6 and 16 bytes, 0 and a name str)
//! ```

use super::host::Host;
use crate::limits::{ADDRESSES_MAX, LIFETIME_MAX, NAME_MAX, RANGE_MAX, RECORD_DATA_MAX};
use crate::name::{Namespace, ServiceName, Version};
use crate::wire::{Malformed, Reader, put_bytes, put_str, put_varint};
use bytes::Bytes;
use std::fmt;
use std::time::Duration;

/// A service that somebody registered by hand; it need not use this library. It is no instance: nobody calls it through
/// the mesh.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct ServiceRecord {
    /// In which namespace.
    pub namespace: Namespace,
    /// Which service.
    pub service: ServiceName,
    /// Which version of it.
    pub version: Option<Version>,
    /// Where it is, each on its own; at most [`ADDRESSES_MAX`].
    pub hosts: Vec<Host>,
    /// At which port; 0 where it has none.
    pub port: u16,
    /// What else there is to say: JSON as UTF-8 text, at most [`RECORD_DATA_MAX`] bytes. Only that it is UTF-8 is checked
    /// here.
    pub data: Bytes,
    /// How long it stays when its owner is gone, in whole milliseconds; at most [`LIFETIME_MAX`]. Of no meaning where the
    /// record lasts.
    pub lifetime: Duration,
    /// When it was written, in milliseconds since 1970 by its owner's clock. For people: never compared.
    pub written: u64,
    /// The foreign system it comes from, as `bridge:NAME`; at most [`NAME_MAX`] bytes.
    pub origin: Option<String>,
    /// Whether it stays whatever becomes of its owner, and who may end it then; `None`: it does not.
    pub lasting: Option<Right>,
}

/// Who may end a lasting record (decisions A13).
#[derive(Clone, Copy, Eq, Ord, PartialEq, PartialOrd)]
pub enum Right {
    /// Every node of the mesh. Where records are not signed it is always so.
    Anybody,
    /// Who holds this Ed25519 key.
    Key([u8; 32]),
}

impl fmt::Debug for Right {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Anybody => f.write_str("Anybody"),
            Self::Key(key) => {
                f.write_str("Key(")?;
                key[..4].iter().try_for_each(|byte| write!(f, "{byte:02x}"))?;
                f.write_str(")")
            }
        }
    }
}

impl ServiceRecord {
    /// Whether both say the same, whenever they were written.
    pub fn says_as(&self, other: &Self) -> bool {
        Self { written: other.written, ..self.clone() } == *other
    }

    pub(super) fn broken_bound(&self) -> Option<&'static str> {
        if self.hosts.len() > ADDRESSES_MAX {
            return Some("too many hosts");
        }
        if self.data.len() > RECORD_DATA_MAX {
            return Some("too many bytes of data");
        }
        if std::str::from_utf8(&self.data).is_err() {
            return Some("data that is not UTF-8");
        }
        if self.lifetime > LIFETIME_MAX {
            return Some("too long a lifetime");
        }
        let is_too_long = |origin: &String| origin.len() > NAME_MAX;
        self.origin.as_ref().is_some_and(is_too_long).then_some("too many bytes of origin")
    }

    pub(super) fn put(&self, out: &mut Vec<u8>) {
        match self.lasting {
            None => out.push(0),
            Some(Right::Anybody) => out.push(1),
            Some(Right::Key(key)) => {
                out.push(2);
                out.extend_from_slice(&key);
            }
        }
        put_str(out, self.namespace.as_str());
        put_str(out, self.service.as_str());
        put_str(out, &self.version.as_ref().map(ToString::to_string).unwrap_or_default());
        put_str(out, self.origin.as_deref().unwrap_or_default());
        out.extend_from_slice(&self.port.to_be_bytes());
        put_varint(out, u64::try_from(self.lifetime.as_millis()).unwrap_or(u64::MAX));
        put_varint(out, self.written);
        put_bytes(out, &self.data);
        put_varint(out, self.hosts.len() as u64);
        for host in &self.hosts {
            host.put(out);
        }
    }

    pub(super) fn read(reader: &mut Reader<'_>) -> Result<Self, Malformed> {
        let lasting = match reader.u8()? {
            0 => None,
            1 => Some(Right::Anybody),
            2 => Some(Right::Key(reader.array()?)),
            _ => return Err(Malformed("record: right")),
        };
        let namespace =
            reader.str(NAME_MAX)?.parse().map_err(|_| Malformed("record: namespace"))?;
        let service = ServiceName::from_peer(reader.str(NAME_MAX)?)
            .map_err(|_| Malformed("record: service"))?;
        let version = some(reader.str(RANGE_MAX)?).map(str::parse).transpose();
        let version = version.map_err(|_| Malformed("record: version"))?;
        let origin = some(reader.str(NAME_MAX)?).map(str::to_owned);
        let port = reader.u16()?;
        let lifetime = Duration::from_millis(reader.varint()?);
        if lifetime > LIFETIME_MAX {
            return Err(Malformed("record: lifetime over its limit"));
        }
        let written = reader.varint()?;
        let data = Bytes::copy_from_slice(reader.str(RECORD_DATA_MAX)?.as_bytes());
        let count = reader.varint32()? as usize;
        if count > ADDRESSES_MAX {
            return Err(Malformed("record: a list over its limit"));
        }
        let hosts = (0..count).map(|_| Host::read(reader)).collect::<Result<_, _>>()?;
        Ok(Self {
            namespace,
            service,
            version,
            hosts,
            port,
            data,
            lifetime,
            written,
            origin,
            lasting,
        })
    }
}

fn some(text: &str) -> Option<&str> {
    Some(text).filter(|text| !text.is_empty())
}
