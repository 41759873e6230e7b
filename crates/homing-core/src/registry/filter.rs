//! Which services does a peer want to hear of?
//!
//! ```text
//! count varint (0: all), then each: namespace str, service str
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
    /// The offers of these services, and the nodes that make them; at most [`FILTER_MAX`].
    Services(BTreeSet<(Namespace, ServiceName)>),
}

impl Filter {
    /// Appends the filter. One of no services reads back as [`Filter::All`].
    pub fn encode(&self, out: &mut Vec<u8>) {
        let Self::Services(services) = self else { return out.push(0) };
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
        Ok(if services.is_empty() { Self::All } else { Self::Services(services) })
    }

    /// Whether a record is of interest by itself. Node records are of interest with an offer of the node.
    pub(crate) fn wants(&self, record: &Record) -> bool {
        match (self, &record.body) {
            (Self::All, _) => true,
            (Self::Services(services), Body::Offer(offer)) => {
                services.iter().any(|(namespace, service)| {
                    *namespace == offer.namespace && *service == offer.service
                })
            }
            (Self::Services(_), Body::Node(_) | Body::Tombstone) => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn service(name: &str) -> (Namespace, ServiceName) {
        ("default".parse().unwrap(), ServiceName::from_peer(name).unwrap())
    }

    #[test]
    fn a_filter_reads_back() {
        for filter in [Filter::All, Filter::Services([service("words"), service("price")].into())] {
            let mut out = Vec::new();
            filter.encode(&mut out);
            assert_eq!(Filter::decode(&mut Reader::new(&out)), Ok(filter));
        }
    }

    #[test]
    fn too_many_services_are_refused_unread() {
        let mut out = Vec::new();
        put_varint(&mut out, FILTER_MAX as u64 + 1);
        let refused = Err(Malformed("filter: too many services"));
        assert_eq!(Filter::decode(&mut Reader::new(&out)), refused);
    }
}
