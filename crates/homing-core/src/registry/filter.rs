//! What does a peer want to hear of?
//!
//! ```text
//! what u8 (0 all, 1 a part without topics, 2 a part with topics), and of a part
//! services, offered or registered by hand: count varint (≤ 64), then each: namespace str, service str
//! ```

use super::body::Body;
use super::record::Record;
use crate::limits::{FILTER_MAX, NAME_MAX};
use crate::name::{Namespace, ServiceName};
use crate::wire::{Malformed, Reader, put_str, put_varint};
use std::collections::BTreeSet;

/// What a sync is to contain.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub enum Filter {
    /// Everything.
    #[default]
    All,
    /// A part, and the nodes that it is of.
    Part {
        /// The offers of these services, and what was registered of them by hand; at most [`FILTER_MAX`].
        services: BTreeSet<(Namespace, ServiceName)>,
        /// Who listens and who publishes.
        topics: Topics,
    },
}

/// Whether somebody wants to hear who wants and who publishes messages. Who publishes needs it.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum Topics {
    /// No.
    #[default]
    Unwanted,
    /// Yes: the interest and the declarations of all nodes.
    Wanted,
}

impl Filter {
    /// Appends the filter.
    pub fn encode(&self, out: &mut Vec<u8>) {
        let Self::Part { services, topics } = self else { return out.push(0) };
        out.push(match topics {
            Topics::Unwanted => 1,
            Topics::Wanted => 2,
        });
        put_varint(out, services.len() as u64);
        for (namespace, service) in services {
            put_str(out, namespace.as_str());
            put_str(out, service.as_str());
        }
    }

    /// Reads what [`encode`](Self::encode) wrote.
    ///
    /// # Errors
    /// More than [`FILTER_MAX`] services, or none of this protocol.
    pub fn decode(reader: &mut Reader<'_>) -> Result<Self, Malformed> {
        let topics = match reader.u8()? {
            0 => return Ok(Self::All),
            1 => Topics::Unwanted,
            2 => Topics::Wanted,
            _ => return Err(Malformed("filter: neither all nor a part")),
        };
        let count = reader.varint32()? as usize;
        if count > FILTER_MAX {
            return Err(Malformed("filter: too many services"));
        }
        let mut services = BTreeSet::new();
        for _ in 0..count {
            let namespace =
                reader.str(NAME_MAX)?.parse().map_err(|_| Malformed("filter: namespace"))?;
            let service = ServiceName::from_peer(reader.str(NAME_MAX)?)
                .map_err(|_| Malformed("filter: service"))?;
            services.insert((namespace, service));
        }
        Ok(Self::Part { services, topics })
    }

    /// Whether a record is of interest by itself. Node records are of interest with another of the node.
    pub(crate) fn wants(&self, record: &Record) -> bool {
        match (self, &record.body) {
            (Self::All, _) => true,
            (Self::Part { services, .. }, Body::Offer(offer)) => {
                is_among(services, &offer.namespace, &offer.service)
            }
            (Self::Part { services, .. }, Body::Service(record)) => {
                is_among(services, &record.namespace, &record.service)
            }
            (Self::Part { topics, .. }, Body::Interest(_) | Body::Declared(_)) => {
                *topics == Topics::Wanted
            }
            (Self::Part { .. }, Body::Node(_) | Body::Tombstone) => false,
        }
    }
}

fn is_among(
    services: &BTreeSet<(Namespace, ServiceName)>,
    namespace: &Namespace,
    service: &ServiceName,
) -> bool {
    services.iter().any(|(one, other)| one == namespace && other == service)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn service(name: &str) -> (Namespace, ServiceName) {
        ("default".parse().unwrap(), ServiceName::from_peer(name).unwrap())
    }

    #[test]
    fn a_filter_reads_back() {
        let services = [service("words"), service("price")].into();
        for filter in [
            Filter::All,
            Filter::Part { services, topics: Topics::Unwanted },
            Filter::Part { services: BTreeSet::new(), topics: Topics::Wanted },
        ] {
            let mut out = Vec::new();
            filter.encode(&mut out);
            assert_eq!(Filter::decode(&mut Reader::new(&out)), Ok(filter));
        }
    }

    #[test]
    fn too_many_services_are_refused_unread() {
        let mut out = vec![1];
        put_varint(&mut out, FILTER_MAX as u64 + 1);
        let refused = Err(Malformed("filter: too many services"));
        assert_eq!(Filter::decode(&mut Reader::new(&out)), refused);
    }
}
