//! Where do service records of the DNS point (RFC 2782)? Asked of the name servers that the system names.
//!
//! The system's resolver answers for hosts only. Its settings are read each time, so that name servers may change.

use super::resolve::Found;
use hickory_resolver::net::NetError;
use hickory_resolver::proto::rr::rdata::SRV;
use hickory_resolver::proto::rr::{RData, RecordType};
use hickory_resolver::{ResolverBuilder, TokioResolver};
use homing_core::limits::SRV_TARGETS_MAX;
use std::net::SocketAddr;

/// The addresses of a service's targets, the preferred first.
///
/// # Errors
/// The name servers are not known, do not answer, or know no such service.
pub(super) async fn look_up(name: String) -> Found {
    let resolver = TokioResolver::builder_tokio().and_then(ResolverBuilder::build);
    let resolver = resolver.map_err(|error| format!("the system names no name server: {error}"))?;
    ask(&resolver, name).await
}

async fn ask(resolver: &TokioResolver, name: String) -> Found {
    let answer = resolver.lookup(name, RecordType::SRV).await.map_err(|error| plain(&error))?;
    let records = answer.answers().iter().filter_map(|record| match &record.data {
        RData::SRV(service) => Some(service.clone()),
        _ => None,
    });
    let mut records: Vec<SRV> = records.collect();
    // Within one priority a greater weight is preferred. Chance has no part: all are tried.
    records.sort_by_key(|record| (record.priority, u16::MAX - record.weight));
    records.truncate(SRV_TARGETS_MAX);
    let (mut addresses, mut failure) = (Vec::new(), None);
    for record in records {
        // A root as the target says that there is decidedly no such service.
        if record.target.is_root() || record.port == 0 {
            continue;
        }
        let host = record.target.to_string();
        match resolver.lookup_ip(record.target).await {
            Ok(found) => addresses.extend(found.iter().map(|ip| SocketAddr::new(ip, record.port))),
            Err(error) => failure = Some(format!("{host}: {}", plain(&error))),
        }
    }
    match (addresses.is_empty(), failure) {
        (true, Some(why)) => Err(why),
        (true, None) => Err("names no target".to_owned()),
        (false, _) => Ok(addresses),
    }
}

fn plain(error: &NetError) -> String {
    if error.is_no_records_found() { "no such record".to_owned() } else { error.to_string() }
}

#[cfg(test)]
mod tests;
