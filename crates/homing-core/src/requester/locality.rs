//! How near is an instance?

use super::policy::{Here, Locality};
use crate::addr::TransportAddr;
use crate::registry::{Instance, Snapshot};
use std::net::IpAddr;

/// How near; the nearest first.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub enum Distance {
    /// On the same host.
    Host,
    /// On the same network.
    Network,
    /// Elsewhere; also where it does not matter.
    Far,
}

/// How far an instance is from here (decisions E12).
pub(super) fn distance(locality: &Locality, instance: &Instance, snapshot: &Snapshot) -> Distance {
    let Locality::Nearest(here) = locality else { return Distance::Far };
    if instance.node == here.node {
        return Distance::Host;
    }
    let there = snapshot.node(&instance.node).map_or(&[][..], |node| &node.record.addresses);
    let nearest = there.iter().map(|there| apart(here, there)).min();
    let zone = if is_in_zone(here, instance) { Distance::Network } else { Distance::Far };
    nearest.unwrap_or(Distance::Far).min(zone)
}

fn is_in_zone(here: &Here, instance: &Instance) -> bool {
    let is_zone = |zone: &str| {
        instance.offer.labels.iter().any(|label| label.key() == "zone" && label.value() == zone)
    };
    here.zone.as_deref().is_some_and(is_zone)
}

fn apart(here: &Here, there: &TransportAddr) -> Distance {
    match there {
        TransportAddr::Unix { host, .. } if here.host == Some(*host) => Distance::Host,
        TransportAddr::Unix { .. } => Distance::Far,
        TransportAddr::Tcp(there) => {
            let ips = here.ips.iter().map(|&own| ips_apart(own, there.ip()));
            ips.min().unwrap_or(Distance::Far)
        }
    }
}

fn ips_apart(own: IpAddr, there: IpAddr) -> Distance {
    match (own, there) {
        // A node on another host that names a loopback address is not reached by it.
        _ if own == there && !own.is_loopback() => Distance::Host,
        _ if own.is_loopback() || there.is_loopback() => Distance::Far,
        (IpAddr::V4(own), IpAddr::V4(there)) if own.octets()[..3] == there.octets()[..3] => {
            Distance::Network
        }
        (IpAddr::V6(own), IpAddr::V6(there)) if own.segments()[..4] == there.segments()[..4] => {
            Distance::Network
        }
        (IpAddr::V4(_) | IpAddr::V6(_), _) => Distance::Far,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(own: &str, there: &str, expect: Distance) {
        assert_eq!(
            ips_apart(own.parse().unwrap(), there.parse().unwrap()),
            expect,
            "{own} {there}"
        );
    }

    #[test]
    fn the_network_is_the_first_24_or_64_bits() {
        check("10.0.0.1", "10.0.0.1", Distance::Host);
        check("10.0.0.1", "10.0.0.200", Distance::Network);
        check("10.0.0.1", "10.0.1.1", Distance::Far);
        check("fd00::1", "fd00::2:1", Distance::Network);
        check("fd00::1", "fd00:0:0:1::1", Distance::Far);
        check("10.0.0.1", "fd00::1", Distance::Far);
        check("127.0.0.1", "127.0.0.1", Distance::Far);
    }

    #[test]
    fn a_unix_socket_tells_the_host() {
        let node = crate::id::NodeId::from_bytes([1; 16]);
        let here = Here { node, host: Some(1), ips: vec![], zone: None };
        let unix = |host| TransportAddr::Unix { host, path: "/a".into() };
        assert_eq!(apart(&here, &unix(1)), Distance::Host);
        assert_eq!(apart(&here, &unix(2)), Distance::Far);
    }
}
